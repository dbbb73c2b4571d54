"""Plans edited by hand: a cut more, a cut less, a cut elsewhere. Plans in, new plans out."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nbasr.chunking._chunk import (
    ROUNDING,
    SHORTEST,
    Chunk,
    Cut,
    around,
    between,
    named,
)
from nbasr.chunking.pauses import pause_at
from nbasr.errors import OptionError

if TYPE_CHECKING:
    from nbasr.chunking.plan import ChunkPlan

_EDITED = "edited: "


def with_cut(plan: ChunkPlan, time: float) -> ChunkPlan:
    """Cut a chunk in two; see `ChunkPlan.with_cut`."""
    time = _seconds(time)
    holding = (at for at, chunk in enumerate(plan.chunks) if chunk.start <= time <= chunk.stop)
    at = next(holding, None)
    if at is None:
        why = (
            "what lies there is left out; choose a time inside a chunk."
            if 0 <= time <= plan.duration
            else f"the recording lasts from 0 to {plan.duration:g} s."
        )
        raise OptionError(f"{time:g} s is in no chunk, so there is nothing to cut: {why}")
    own, end = _own(plan.chunks, at)
    if not own + SHORTEST - ROUNDING <= time <= end - SHORTEST + ROUNDING:
        raise OptionError(
            f"A cut at {time:g} s is too close to an end of "
            f"{named(at + 1, plan.chunks[at]).lower()}: leave {SHORTEST:g} s on either side that "
            "no other chunk holds."
        )
    chunk = plan.chunks[at]
    stop, start = around(time, _overlap(plan), own, end)
    halves = (Chunk(chunk.start, stop, chunk.overlap), Chunk(start, chunk.stop, stop - start))
    return _edited(
        plan,
        (*plan.chunks[:at], *halves, *plan.chunks[at + 1 :]),
        (*plan.cuts[:at], _cut(plan, time), *plan.cuts[at:]),
    )


def without_cut(plan: ChunkPlan, index: int) -> ChunkPlan:
    """Join two chunks; see `ChunkPlan.without_cut`."""
    at = _index(plan, index)
    before, after = plan.chunks[at : at + 2]
    joined = Chunk(before.start, after.stop, before.overlap)
    return _edited(
        plan,
        (*plan.chunks[:at], joined, *plan.chunks[at + 2 :]),
        (*plan.cuts[:at], *plan.cuts[at + 1 :]),
    )


def moved_cut(plan: ChunkPlan, index: int, time: float) -> ChunkPlan:
    """Move a cut; see `ChunkPlan.moved_cut`."""
    at, time = _index(plan, index), _seconds(time)
    before, after = plan.chunks[at : at + 2]
    own, end = _own(plan.chunks, at)[0], _own(plan.chunks, at + 1)[1]
    if not own + SHORTEST - ROUNDING <= time <= end - SHORTEST + ROUNDING:
        raise OptionError(
            f"Cut {at} cannot be moved to {time:g} s: its neighbours leave room from "
            f"{own + SHORTEST:g} to {end - SHORTEST:g} s, so that {SHORTEST:g} s stay of each "
            "chunk."
        )
    if not before.stop <= time <= after.start:
        stop, start = around(time, _overlap(plan), own, end)
        before = replace(before, stop=stop)
        after = Chunk(start, after.stop, stop - start)
    return _edited(
        plan,
        (*plan.chunks[:at], before, after, *plan.chunks[at + 2 :]),
        (*plan.cuts[:at], _cut(plan, time, plan.cuts[at].locked), *plan.cuts[at + 1 :]),
    )


def _own(chunks: Sequence[Chunk], at: int) -> tuple[float, float]:
    """Return start and stop of what a chunk does not share with its neighbours."""
    start, stop = chunks[at].start, chunks[at].stop
    if at:
        start = max(start, chunks[at - 1].stop)
    if at + 1 < len(chunks):
        stop = min(stop, chunks[at + 1].start)
    return start, stop


def _overlap(plan: ChunkPlan) -> float:
    """Return what chunks of this plan share, unless one is too short for it."""
    return max(chunk.overlap for chunk in plan.chunks)


def _cut(plan: ChunkPlan, time: float, locked: bool = False) -> Cut:
    spoken = np.array(plan.speech, np.float64).reshape(-1, 2)
    return Cut(time, pause_at(time, spoken, plan.duration), locked)


def _edited(plan: ChunkPlan, chunks: tuple[Chunk, ...], cuts: tuple[Cut, ...]) -> ChunkPlan:
    return replace(
        plan,
        chunks=chunks,
        cuts=cuts,
        skipped=between(chunks, plan.duration),
        strategy=_EDITED + plan.strategy.removeprefix(_EDITED),
    )


def _seconds(time: Any) -> float:
    """Return a time as a number, or raise."""
    try:
        seconds = float(time)
    except (TypeError, ValueError):
        seconds = np.nan
    if not np.isfinite(seconds):
        raise OptionError(f"A cut is at a time in seconds, not {time!r}.")
    return seconds


def _index(plan: ChunkPlan, index: Any) -> int:
    """Return the index of a cut, or raise if there is no such cut."""
    try:
        at = operator.index(index)
    except TypeError:
        raise OptionError(f"A cut is named by its number, counted from 0, not {index!r}.") from None
    if not 0 <= at < len(plan.cuts):
        count = len(plan.cuts)
        known = f"they are 0 to {count - 1}" if count > 1 else "it is 0" if count else "it has none"
        raise OptionError(f"The plan has no cut {at}; {known}.")
    return at
