"""From sources to transcripts: plan, batches, engine, segments."""
