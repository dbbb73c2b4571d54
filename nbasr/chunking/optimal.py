"""Cut at the pauses that are best for the whole recording."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nbasr.chunking._places import Places
from nbasr.chunking._strategy import AtPlaces, ByLevel

_TARGET_WEIGHT = 1.0  # of the distance from the target, against exp(-pause / 0.25 s) of a cut


@dataclass(frozen=True, kw_only=True, repr=False)
class Optimal(AtPlaces, ByLevel):
    """Choose the pauses to cut at by dynamic programming over the whole recording.

    A cut costs exp(-pause / 0.25 s), a chunk 0.05, a second of silence in a chunk 0.02; the
    cheapest plan within the limits is taken. So cuts fall into long pauses, chunks become few and
    full, and silence from about 3 s on is left out. Speech without a pause for longer than
    `max_seconds` is cut at its weakest moments, as seldom as possible.

    With `target_seconds`, a chunk of L seconds also costs (L - T)² / (T · max(L, T)) for a target
    of T: a half, if it is twice as long or 0.7 of a target too short, which is what a cut in a
    pause of 0.2 s costs. So a good pause near the target beats a poor one just there, and long
    chunks cost in proportion to their length, so that no target is worth a cut inside speech.

    Parameters
    ----------
    max_seconds
        Longest chunk in seconds, or ``"adaptive"`` (`adaptive_seconds`).
    min_seconds
        Shortest chunk in seconds; None: 1 s, or a quarter of a maximum under 4 s. A shorter one
        remains only if the recording holds no more.
    target_seconds
        Length that chunks should have if pauses allow; None: long ones.
    min_pause
        Shortest silence in seconds that counts as a pause.
    margin
        Seconds of sound kept around speech where silence is left out.
    cuts
        Times in seconds at which a cut is made in any case, planned around as usual. Chunks beside
        them may be shorter than `min_seconds`. The silence of a long pause is left out there as
        well; so is what lies between several cuts in one pause, which count as one. Before the
        first speech and after the last a cut parts nothing, but no chunk reaches over it.
    threshold_db
        Level in dBFS at which speech begins; None: from the noise floor.
    above_floor_db
        Decibels above the noise floor at which speech begins, in place of `threshold_db`; None:
        `nbasr.chunking.pauses.automatic_above_floor_db`.
    """

    def _choose(self, found: Places, longest: float, shortest: float) -> list[int] | None:
        return cheapest(found, longest, shortest, self.target_seconds)


def cheapest(
    found: Places, longest: float, shortest: float, target: float | None = None
) -> list[int] | None:
    """Return the cheapest places to cut at, first and last included, or None if there is no way.

    The cost of a plan is the sum of the costs of its places and, with a target, of its chunks.
    Each place needs only the cheapest of those that reach it.
    """
    firsts, lasts = (bounds.tolist() for bounds in found.reach(longest, shortest))
    if target is None:
        before = _cheapest_before(firsts, lasts, found.cost.tolist())
    else:
        before = _cheapest_before_near(firsts, lasts, found, target)
    chosen = [len(firsts) - 1]
    while chosen[-1] > 0:
        chosen.append(before[chosen[-1]])
    return chosen[::-1] if chosen[-1] == 0 else None


def off_target(lengths: NDArray[np.float64], target: float) -> NDArray[np.float64]:
    """Return what chunks of `lengths` cost for being longer or shorter than the target.

    The square of the relative distance near the target, where it is bad to be off by much and
    hardly matters to be off by little; in proportion to the length far above it, so that a chunk
    of n targets costs about n - 2, and joining chunks saves less than the cuts between them cost.
    """
    off = lengths - target
    cost: NDArray[np.float64] = off * off / (target * np.maximum(lengths, target))
    return _TARGET_WEIGHT * cost


def _cheapest_before(firsts: list[int], lasts: list[int], costs: list[float]) -> list[int]:
    """Return the cheapest place before each by the costs of places alone; -1 where there is none.

    A sliding minimum (a queue of candidates of rising cost), in one pass.
    """
    totals = [0.0] + [float("inf")] * (len(costs) - 1)
    before = [-1] * len(costs)
    candidates: deque[int] = deque()
    entered = 0
    for place in range(1, len(costs)):
        while entered <= lasts[place]:
            while candidates and totals[candidates[-1]] >= totals[entered]:
                candidates.pop()
            candidates.append(entered)
            entered += 1
        while candidates and candidates[0] < firsts[place]:
            candidates.popleft()
        if candidates and totals[candidates[0]] < float("inf"):
            before[place] = candidates[0]
            totals[place] = totals[candidates[0]] + costs[place]
    return before


def _cheapest_before_near(
    firsts: list[int], lasts: list[int], found: Places, target: float
) -> list[int]:
    """Return the cheapest place before each where chunks should last `target` seconds.

    What a chunk costs depends on both of its ends, so all places in reach are compared.
    """
    costs = found.cost.tolist()
    totals = np.full(len(costs), np.inf)
    totals[0] = 0.0
    before = [-1] * len(costs)
    for place, (first, last) in enumerate(zip(firsts, lasts, strict=True)):
        if first > last:
            continue
        lengths = found.stop[place] - found.start[first : last + 1]
        ways = totals[first : last + 1] + off_target(lengths, target)
        best = int(ways.argmin())
        if ways[best] < np.inf:
            before[place] = first + best
            totals[place] = ways[best] + costs[place]
    return before
