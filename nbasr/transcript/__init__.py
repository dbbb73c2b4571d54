"""Transcripts: their values, how they are searched, shown, saved and read."""

from nbasr.transcript.transcript import Segment, Transcript, Word

__all__ = ["Segment", "Transcript", "Word"]
