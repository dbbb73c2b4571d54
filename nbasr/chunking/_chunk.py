"""Chunks and cuts, and which chunks make sense one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nbasr.errors import OptionError

ROUNDING = 1e-9
"""Seconds that sums of floats may leave between chunks."""

SHORTEST = 0.1
"""Seconds of its own that every chunk keeps beside a cut that somebody places."""

_BEYOND = 0.01  # seconds (a frame) by which a rounded time may miss the end of the recording


@dataclass(frozen=True)
class Chunk:
    """A piece of a recording to be recognised at once.

    Parameters
    ----------
    start, stop
        Seconds from the start of the recording.
    overlap
        Seconds at its start that the chunk before has as well.
    """

    start: float
    stop: float
    overlap: float = 0.0

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.stop - self.start


@dataclass(frozen=True)
class Cut:
    """Where one chunk ends and the next begins.

    Parameters
    ----------
    time
        Seconds; the middle of what was skipped, or of what they share, if the chunks do not touch.
    pause
        Length in seconds of the pause it fell into; 0 inside speech.
    locked
        Whether the strategy was told to cut there; `time` is then as told.
    """

    time: float
    pause: float
    locked: bool = False


def between(chunks: Sequence[Chunk], duration: float) -> tuple[tuple[float, float], ...]:
    """Return what no chunk holds: (start, stop) in seconds, in order."""
    at, gaps = 0.0, []
    for chunk in chunks:
        if chunk.start - at > ROUNDING:
            gaps.append((at, chunk.start))
        at = max(at, chunk.stop)
    if duration - at > ROUNDING:
        gaps.append((at, duration))
    return tuple(gaps)


def around(time: float, overlap: float, start: float, stop: float) -> tuple[float, float]:
    """Return where the chunk before a cut stops, and where the one after it starts.

    They share `overlap` seconds, of which the cut is the middle; less on a side where the chunk
    would not keep `SHORTEST` of its own.

    Parameters
    ----------
    time
        Of the cut.
    overlap
        Seconds to share.
    start, stop
        Where what only these two chunks hold starts and stops; the cut is inside.
    """
    until = max(min(time + overlap / 2, stop - SHORTEST), time)
    since = min(max(time - overlap / 2, start + SHORTEST), time)
    return until, since


def ends(number: int, span: Any) -> tuple[float, float]:
    """Return where a chunk starts and stops."""
    try:
        start, stop = (span.start, span.stop) if isinstance(span, Chunk) else span
        return float(start), float(stop)
    except (TypeError, ValueError):
        raise OptionError(
            f"Chunk {number} is a pair (start, stop) in seconds, not {span!r}."
        ) from None


def check(number: int, chunk: Chunk, before: Chunk | None, duration: float) -> None:
    """Raise if a chunk is no chunk of a recording this long, or does not follow the one before."""
    if not chunk.start < chunk.stop:
        raise OptionError(f"{named(number, chunk)} stops before it starts, or is empty.")
    if not 0 <= chunk.start < chunk.stop <= duration + _BEYOND:
        raise OptionError(f"{named(number, chunk)} is not within the {duration:g} s recorded.")
    if before is not None and not (before.start < chunk.start and before.stop < chunk.stop):
        raise OptionError(
            f"{named(number, chunk)} does not follow {named(number - 1, before).lower()}: each "
            "starts and stops later than the one before."
        )


def named(number: int, chunk: Chunk) -> str:
    """Return what to call a chunk in a message."""
    return f"Chunk {number} ({chunk.start:g} to {chunk.stop:g} s)"
