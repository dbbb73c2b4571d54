"""Times as people read them."""

from __future__ import annotations


def clock(seconds: float) -> str:
    """Return ``1:02.3`` (minutes) or, from an hour on, ``1:01:02.3``."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    end = f"{rest // 10:02d}.{rest % 10}"
    return f"{hours}:{minutes:02d}:{end}" if hours else f"{minutes}:{end}"
