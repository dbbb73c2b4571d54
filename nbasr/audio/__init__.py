"""Sound: recordings, how they are decoded and cached, their levels, samples to start with."""
