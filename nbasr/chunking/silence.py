"""Cut at the last pause that fits, one chunk after the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbasr.chunking._places import TOLERANCE, Places
from nbasr.chunking._strategy import AtPlaces, ByLevel


@dataclass(frozen=True, kw_only=True, repr=False)
class Silence(AtPlaces, ByLevel):
    """Fill each chunk up to the last pause that fits, however short.

    Simple, and what many tools do; `Optimal` takes the better pause a little earlier.

    Parameters
    ----------
    max_seconds
        Longest chunk in seconds, or ``"adaptive"`` (`adaptive_seconds`).
    min_seconds
        Shortest chunk in seconds; None: 1 s, or a quarter of a maximum under 4 s. A shorter one
        remains only if the recording holds no more.
    target_seconds
        Take the last pause that gives a chunk of up to this length, or the first after it; None:
        the last within `max_seconds`.
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
        firsts, lasts = found.reach(longest, shortest)
        end = len(found.stop) - 1
        onward = np.zeros(end + 1, np.bool_)  # whether the end can be reached from a place
        onward[end] = True
        for place in range(end, 0, -1):
            if onward[place]:
                onward[firsts[place] : lasts[place] + 1] = True
        if not onward[0]:
            return None
        nearest = np.searchsorted(lasts, np.arange(end + 1))
        furthest = np.searchsorted(firsts, np.arange(end + 1), side="right")
        chosen = [0]
        while chosen[-1] != end:
            within = np.arange(nearest[chosen[-1]], furthest[chosen[-1]])
            within = within[onward[within]]
            pauses = within[(found.pause[within] > 0) | (within == end)]
            late = within[len(within) // 2 :]  # no pause: the weakest moment near the limit
            if not len(pauses):
                chosen.append(int(late[found.cost[late].argmin()]))
            elif self.target_seconds is None:
                chosen.append(int(pauses[-1]))
            else:
                until = found.start[chosen[-1]] + self.target_seconds + TOLERANCE
                fitting = int(np.searchsorted(found.stop[pauses], until, side="right"))
                chosen.append(int(pauses[max(fitting - 1, 0)]))
        return chosen
