"""Times and counts as people read them: one way for messages, cards and tables."""

from __future__ import annotations


def clock(seconds: float) -> str:
    """Return a length or time of a recording: ``0:07.3``, ``12:05`` or ``1:02:03``."""
    if seconds < 59.95:
        return f"0:{max(seconds, 0.0):04.1f}"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def count(number: int, thing: str) -> str:
    """Return ``1 sample`` or ``1,234 samples``."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def reason(error: OSError) -> str:
    """Return why the system refused, without its numbers and paths."""
    return error.strerror or type(error).__name__
