"""Cut at the pauses that are best for the whole recording."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from nbasr.chunking._places import Places
from nbasr.chunking._strategy import AtPlaces, ByLevel


@dataclass(frozen=True, kw_only=True, repr=False)
class Optimal(AtPlaces, ByLevel):
    """Choose the pauses to cut at by dynamic programming over the whole recording.

    A cut costs exp(-pause / 0.25 s), a chunk 0.05, a second of silence in a chunk 0.02; the
    cheapest plan within the limits is taken. So cuts fall into long pauses, chunks become few and
    full, and silence from about 3 s on is left out. Speech without a pause for longer than
    `max_seconds` is cut at its weakest moments, as seldom as possible.

    Parameters
    ----------
    max_seconds
        Longest chunk in seconds, or ``"adaptive"`` (`adaptive_seconds`).
    min_seconds
        Shortest chunk in seconds; None: 1 s, or a quarter of a maximum under 4 s. A shorter one
        remains only if the recording holds no more.
    min_pause
        Shortest silence in seconds that counts as a pause.
    margin
        Seconds of sound kept around speech where silence is left out.
    threshold_db
        Level in dBFS at which speech begins; None: from the noise floor.
    """

    def _choose(self, found: Places, longest: float, shortest: float) -> list[int] | None:
        return cheapest(found, longest, shortest)


def cheapest(found: Places, longest: float, shortest: float) -> list[int] | None:
    """Return the cheapest places to cut at, first and last included, or None if there is no way.

    The cost of a plan is the sum of the costs of its places, so each place needs only the cheapest
    of those that reach it: a sliding minimum (a queue of candidates of rising cost), in one pass.
    """
    firsts, lasts = (bounds.tolist() for bounds in found.reach(longest, shortest))
    costs = found.cost.tolist()
    totals = [0.0] + [float("inf")] * (len(costs) - 1)
    before = [0] * len(costs)
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
        if candidates:
            before[place] = candidates[0]
            totals[place] = totals[candidates[0]] + costs[place]
    if totals[-1] == float("inf"):
        return None
    chosen = [len(costs) - 1]
    while chosen[-1]:
        chosen.append(before[chosen[-1]])
    return chosen[::-1]
