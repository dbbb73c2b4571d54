"""What a cut recording is: chunks, the cuts between them, and what was left out as silent."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nbasr.audio.levels import Levels

if TYPE_CHECKING:
    from nbasr.audio.recording import Recording

SHORT_PAUSE = 0.2
"""A cut in a pause shorter than this many seconds (or in none) may have hit a word."""

_BATCH = 8  # chunks in a batch when padding is told without saying for how many


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
        Seconds; the middle of what was skipped, if the chunks do not touch.
    pause
        Length in seconds of the pause it fell into; 0 inside speech.
    """

    time: float
    pause: float


class Padding(NamedTuple):
    """Share of a model's input that is padding, 0..1."""

    in_order: float
    """If batches are made of neighbours."""
    by_length: float
    """If chunks are sorted by length first."""


@dataclass(frozen=True, repr=False)
class ChunkPlan:
    """How a recording is cut. In a notebook it draws itself.

    Every second of `speech` lies in exactly one chunk, or in an overlap made on purpose.

    Parameters
    ----------
    chunks
        In order. Chunks without any speech are not among them.
    cuts
        One between each two neighbouring chunks.
    skipped
        (start, stop) of what no chunk holds, in seconds.
    speech
        (start, stop) of each stretch of speech that was found, in seconds.
    duration
        Length of the recording in seconds.
    strategy
        How it was planned, such as ``Optimal(max_seconds=30)``.
    max_seconds
        Longest chunk that was allowed.
    recording, levels
        What was planned, if known.
    """

    chunks: tuple[Chunk, ...]
    cuts: tuple[Cut, ...]
    skipped: tuple[tuple[float, float], ...]
    speech: tuple[tuple[float, float], ...]
    duration: float
    strategy: str
    max_seconds: float
    recording: Recording | None = field(default=None, compare=False)
    levels: Levels | None = field(default=None, compare=False)

    @cached_property
    def speech_seconds(self) -> float:
        """Seconds of speech that lie in chunks."""
        return sum(
            max(min(stop, last) - max(start, first), 0.0)
            for first, last in _joined(self.chunks)
            for start, stop in _touching(self.speech, first, last)
        )

    @property
    def skipped_seconds(self) -> float:
        """Seconds that no chunk holds."""
        return sum(stop - start for start, stop in self.skipped)

    @property
    def longest(self) -> float:
        """Length of the longest chunk in seconds, 0 if there is none."""
        return max((chunk.duration for chunk in self.chunks), default=0.0)

    @property
    def shortest(self) -> float:
        """Length of the shortest chunk in seconds, 0 if there is none."""
        return min((chunk.duration for chunk in self.chunks), default=0.0)

    @property
    def padding(self) -> Padding:
        """Padding to expect in batches of 8; `padding_in` tells it for other sizes."""
        return self.padding_in(_BATCH)

    def padding_in(self, batch_size: int) -> Padding:
        """Return the share of padding in batches where each chunk is as long as the longest."""
        lengths = [chunk.duration for chunk in self.chunks]
        return Padding(_padding(lengths, batch_size), _padding(sorted(lengths), batch_size))

    @property
    def cuts_in_speech(self) -> float:
        """Share of the cuts, 0..1, that fell into no pause, as far as the plan knows of pauses."""
        return sum(not cut.pause for cut in self.cuts) / max(len(self.cuts), 1)

    def share_of_cuts_in(self, intervals: Iterable[Sequence[Any]]) -> float:
        """Return the share of the cuts, 0..1, that lie inside any of `intervals`.

        Parameters
        ----------
        intervals
            (start, stop, …) in seconds, in any order, such as the true turns; they may overlap.
        """
        spans = [(float(interval[0]), float(interval[1])) for interval in intervals]
        inside = sum(any(start < cut.time < stop for start, stop in spans) for cut in self.cuts)
        return inside / max(len(self.cuts), 1)

    def figures(self) -> dict[str, str]:
        """Return what the plan comes to, as short texts by name."""
        short = sum(cut.pause < SHORT_PAUSE for cut in self.cuts)
        told = {
            "chunks": f"{len(self.chunks)}",
            "longest": f"{self.longest:.1f} s of {self.max_seconds:g} s",
            "shortest": f"{self.shortest:.1f} s",
            "speech": clock(self.speech_seconds),
            "skipped": clock(self.skipped_seconds),
            "cuts": f"{len(self.cuts)}, {short} in speech or in a pause under {SHORT_PAUSE:g} s",
        }
        if self.cuts:
            told["median pause at a cut"] = f"{np.median([cut.pause for cut in self.cuts]):.2f} s"
        padding = self.padding
        told["padding in batches of 8"] = (
            f"{padding.in_order:.0%} in order, {padding.by_length:.0%} sorted by length"
        )
        return told

    def __repr__(self) -> str:
        return f"<ChunkPlan: {len(self.chunks)} chunks of {self.duration:.1f} s by {self.strategy}>"

    def __str__(self) -> str:
        told = ", ".join(f"{name} {text}" for name, text in self.figures().items())
        return f"{self.strategy} over {clock(self.duration)}: {told}"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        from nbasr.chunking._drawing import html

        return {"text/plain": str(self), "text/html": html(self)}


def clock(seconds: float, longest: float | None = None) -> str:
    """Return a time as people read it: 1:02:03 or 2:03; below a minute with tenths of seconds."""
    if (seconds if longest is None else longest) < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _padding(lengths: Sequence[float], batch_size: int) -> float:
    held = filled = 0.0
    for first in range(0, len(lengths), max(batch_size, 1)):
        batch = lengths[first : first + max(batch_size, 1)]
        held += sum(batch)
        filled += max(batch) * len(batch)
    return 1 - held / filled if filled else 0.0


def _joined(chunks: Iterable[Chunk]) -> list[tuple[float, float]]:
    """Return the spans that chunks hold together, overlaps once."""
    spans: list[tuple[float, float]] = []
    for chunk in chunks:
        if spans and chunk.start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], chunk.stop))
        else:
            spans.append((chunk.start, chunk.stop))
    return spans


def _touching(
    spans: Sequence[tuple[float, float]], start: float, stop: float
) -> Sequence[tuple[float, float]]:
    """Return those of the ordered `spans` that reach into start..stop."""
    first = bisect_right(spans, start, key=lambda span: span[1])
    last = bisect_right(spans, stop, key=lambda span: span[0])
    return spans[first:last]
