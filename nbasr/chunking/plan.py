"""What a cut recording is: chunks, the cuts between them, and what was left out as silent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nbasr.audio._words import count
from nbasr.audio.levels import Levels
from nbasr.chunking import editing
from nbasr.chunking._chunk import ROUNDING, Chunk, Cut, between, check, ends, named
from nbasr.chunking._source import heard
from nbasr.chunking._telling import figures, listing, manner, nothing, title
from nbasr.chunking.pauses import pause_at, speech
from nbasr.errors import OptionError

if TYPE_CHECKING:
    from nbasr.audio.recording import Recording
    from nbasr.audio.sources import Source

__all__ = ["Chunk", "ChunkPlan", "Cut", "Padding"]

_BATCH = 8  # chunks in a batch when padding is told without saying for how many


class Padding(NamedTuple):
    """Share of a model's input that is padding, 0..1."""

    in_order: float
    """If batches are made of neighbours."""
    by_length: float
    """If chunks are sorted by length first."""


@dataclass(frozen=True, repr=False)
class ChunkPlan:
    """How a recording is cut. In a notebook it draws itself; in a loop it yields its chunks.

    Strategies see to it that every second of `speech` lies in exactly one chunk, or in an overlap
    made on purpose. For a plan of one's own see `of`.

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
        Longest chunk that was allowed; chunks of an edited plan may be longer (`too_long`).
    recording, levels
        What was planned, if known.
    threshold_db, above_floor_db
        Level in dBFS, or decibels above the noise floor, that speech was to exceed, if one was
        given.

    Raises
    ------
    OptionError
        If a chunk is none, lies outside the recording, or is not in order.
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
    threshold_db: float | None = field(default=None, compare=False)
    above_floor_db: float | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        before = None
        for number, chunk in enumerate(self.chunks, 1):
            if not isinstance(chunk, Chunk):
                raise OptionError(
                    f"Chunk {number} of a plan is a Chunk, not {type(chunk).__name__}; make a plan "
                    "of (start, stop) pairs by ChunkPlan.of(recording, pairs)."
                )
            check(number, chunk, before, self.duration)
            before = chunk

    @classmethod
    def of(
        cls,
        recording: Source | Levels,
        spans: Iterable[Chunk | Sequence[float]],
        *,
        strategy: str = "own",
        max_seconds: float | None = None,
    ) -> ChunkPlan:
        """Return a plan of one's own: chunks are given, all else is found.

        What has a method ``plan(recording)`` that returns such a plan is a strategy, and may be
        given as `chunking`.

        Parameters
        ----------
        recording
            A Recording, its Levels, or whatever `Recording.open` takes.
        spans
            (start, stop) of each chunk in seconds, or a Chunk, in order. A chunk may begin before
            the one before it ends: what both hold is recognised twice and told once.
        strategy
            What to call it.
        max_seconds
            Longest chunk allowed; None: as long as the longest.

        An edited plan is made again by ``ChunkPlan.of(recording, plan.chunks,
        strategy=plan.strategy, max_seconds=max(plan.max_seconds, plan.longest))``.

        Raises
        ------
        OptionError
            If a chunk lies outside the recording, is not in order, or is too long.
        AudioError
            If `recording` is none.

        Examples
        --------
        >>> class EveryTen:                                          # doctest: +SKIP
        ...     def plan(self, recording):
        ...         starts = range(0, int(recording.duration), 10)
        ...         spans = [(at, min(at + 10, recording.duration)) for at in starts]
        ...         return ChunkPlan.of(recording, spans)
        >>> nbasr.transcribe("interview.wav", chunking=EveryTen())   # doctest: +SKIP
        """
        known, levels = heard(recording)
        duration = levels.duration
        spoken = speech(levels)
        chunks: list[Chunk] = []
        cuts = []
        for number, span in enumerate(spans, 1):
            start, stop = ends(number, span)
            before = chunks[-1] if chunks else None
            check(number, Chunk(start, stop), before, duration)
            stop = min(stop, duration)
            if max_seconds is not None and stop - start > max_seconds + ROUNDING:
                raise OptionError(
                    f"{named(number, Chunk(start, stop))} lasts longer than max_seconds, "
                    f"{max_seconds:g} s."
                )
            if before is not None:
                time = (before.stop + start) / 2
                cuts.append(Cut(time, pause_at(time, spoken, duration)))
            shared = max(before.stop - start, 0.0) if before is not None else 0.0
            chunks.append(Chunk(start, stop, shared))
        return cls(
            chunks=tuple(chunks),
            cuts=tuple(cuts),
            skipped=between(chunks, duration),
            speech=tuple((start, stop) for start, stop in spoken.tolist()),
            duration=duration,
            strategy=strategy,
            max_seconds=max((chunk.duration for chunk in chunks), default=0.0)
            if max_seconds is None
            else max_seconds,
            recording=known,
            levels=levels,
        )

    def __len__(self) -> int:
        return len(self.chunks)

    def __iter__(self) -> Iterator[Chunk]:
        return iter(self.chunks)

    @cached_property
    def speech_seconds(self) -> float:
        """Seconds of speech that lie in chunks."""
        if not self.speech or not self.chunks:
            return 0.0
        edges = np.array(self.speech)
        lengths = edges[:, 1] - edges[:, 0]
        sums = np.cumsum(np.stack((np.zeros_like(lengths), lengths), 1).ravel())  # until each edge
        held = np.interp(np.array(_joined(self.chunks)), edges.ravel(), sums)
        return float((held[:, 1] - held[:, 0]).sum())

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
    def too_long(self) -> tuple[int, ...]:
        """Which chunks are longer than `max_seconds`, counted from 0; only edits make such."""
        limit = self.max_seconds + ROUNDING
        return tuple(number for number, chunk in enumerate(self.chunks) if chunk.duration > limit)

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

    def with_cut(self, time: float) -> ChunkPlan:
        """Return the plan with one cut more; the two chunks touch there.

        If chunks overlap, so do the two: the second begins as much before the cut as any does.

        Parameters
        ----------
        time
            Seconds from the start of the recording, inside a chunk and 0.1 s or more from its ends.

        Raises
        ------
        OptionError
            If no chunk can be cut there, as in silence that is left out.
        """
        return editing.with_cut(self, time)

    def without_cut(self, index: int) -> ChunkPlan:
        """Return the plan without a cut; what was left out there belongs to the joined chunk.

        It may be longer than `max_seconds`: `too_long` tells.

        Parameters
        ----------
        index
            Of `cuts`, counted from 0.

        Raises
        ------
        OptionError
            If there is no such cut.
        """
        return editing.without_cut(self, index)

    def moved_cut(self, index: int, time: float) -> ChunkPlan:
        """Return the plan with a cut at another time, the two chunks touching there.

        What was left out beside the old place belongs to the chunk that reaches over it now. Within
        silence that is left out only the cut moves, the chunks stay. Overlaps are as by `with_cut`.

        Parameters
        ----------
        index
            Of `cuts`, counted from 0.
        time
            Seconds from the start of the recording. At least 0.1 s stay of the chunks on both
            sides; either may become longer than `max_seconds`: `too_long` tells.

        Raises
        ------
        OptionError
            If there is no such cut, or the time is not between its neighbours.
        """
        return editing.moved_cut(self, index, time)

    def figures(self) -> dict[str, str]:
        """Return what the plan comes to, as short texts by name."""
        return figures(self)

    def __repr__(self) -> str:
        told = nothing(self) or count(len(self), "chunk")
        return f"<ChunkPlan of {title(self)} by {manner(self)}: {told}>"

    def __str__(self) -> str:
        return listing(self)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        from nbasr.chunking._drawing import html

        return {"text/plain": str(self), "text/html": html(self)}


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
