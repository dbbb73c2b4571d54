"""Where a recording may be cut, and what it would cost."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from nbasr.audio.levels import Levels

TOLERANCE = 1e-9
"""Seconds by which sums of floats may miss a limit."""

_SKIPPED = 0.5  # a cut leaves a silence out if this many seconds of it remain beside the margins
_SHARE = 0.25  # of the longest chunk that a margin and a silence to be left out may come to
_DIP = 12  # frames (120 ms) of lowest level looked for inside speech; 100 to 140 hit words least
_EDGE = 10  # frames of speech left on either side of such a place
_SPACING = 1.0  # seconds within which speech offers one place to cut, if it must be cut
_PAUSE_SCALE = 0.25  # seconds; cost of a cut falls by e for each: exp(-pause / 0.25 s)
_CHUNK_COST = 0.05  # of each chunk: pauses from 0.75 s on are as good as each other
_SILENCE_COST = 0.02  # of each second of silence in a chunk, so that about 3 s of it are cut out
_SPEECH_COST = 10.0  # of a cut inside speech: no pause is as bad


@dataclass(frozen=True)
class Places:
    """Places to cut at, in order; the first is the start of the recording, the last its end.

    Parameters
    ----------
    stop, start
        (places,) seconds at which the chunk before the place stops and the one after it starts.
    latest_stop, earliest_start
        (places,) as far as a chunk that would be too short may be widened into silence.
    pause
        (places,) length of the pause in seconds, 0 inside speech.
    cost
        (places,) cost of cutting there.
    locked
        (places,) time of the cut that was asked for there, nan where none was.
    """

    stop: NDArray[np.float64]
    start: NDArray[np.float64]
    latest_stop: NDArray[np.float64]
    earliest_start: NDArray[np.float64]
    pause: NDArray[np.float64]
    cost: NDArray[np.float64]
    locked: NDArray[np.float64]

    def sections(self) -> list[Places]:
        """Return the places from each locked one to the next, both included."""
        bounds = [0, *np.flatnonzero(np.isfinite(self.locked)).tolist(), len(self.stop) - 1]
        if len(bounds) == 2:
            return [self]
        return [
            Places(*(part[first : last + 1] for part in self._parts()))
            for first, last in pairwise(bounds)
        ]

    def lenient(self) -> Places | None:
        """Return the same with chunks beside locked places as short as need be; None: none is."""
        if np.isnan(self.locked[[0, -1]]).all():
            return None
        latest_stop, earliest_start = self.latest_stop.copy(), self.earliest_start.copy()
        if not np.isnan(self.locked[0]):
            earliest_start[0] = -np.inf
        if not np.isnan(self.locked[-1]):
            latest_stop[-1] = np.inf
        return dataclasses.replace(self, latest_stop=latest_stop, earliest_start=earliest_start)

    def _parts(self) -> list[NDArray[np.float64]]:
        return [getattr(self, field.name) for field in dataclasses.fields(self)]

    def reach(
        self, max_seconds: float, min_seconds: float
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return, for each place, the first and the last place at which its chunk may have begun.

        There is none where the last is before the first.
        """
        first = np.searchsorted(self.start, self.stop - max_seconds - TOLERANCE)
        last = (
            np.searchsorted(
                self.earliest_start, self.latest_stop - min_seconds + TOLERANCE, side="right"
            )
            - 1
        )
        return first, np.minimum(last, np.arange(len(self.stop)) - 1)


def places(
    spoken: NDArray[np.float64],
    levels: Levels,
    *,
    max_seconds: float,
    margin: float,
    cuts: Sequence[float] = (),
    everywhere: bool = False,
) -> Places:
    """Find the places: pauses, and the weakest moments of speech that is too long for a chunk.

    Parameters
    ----------
    spoken
        (stretches, 2) speech in seconds, at least one stretch.
    levels
        Levels of the recording.
    max_seconds
        Longest chunk.
    margin
        Seconds of sound kept around speech where silence is left out; at most a quarter of
        `max_seconds`.
    cuts
        Times in seconds, in order, that are places whatever is said there. Several in one pause
        are one place, and what lies between them is in no chunk. Before the first speech they
        are none, but no chunk starts earlier; after the last, no chunk stops later.
    everywhere
        Look for weak moments in all speech.
    """
    spoken = _divided(spoken, np.array(cuts))
    begins, ends = spoken[:, 0], spoken[:, 1]
    left = np.concatenate(([0.0], ends))  # each pause, from left to right
    right = np.concatenate((begins, [levels.duration]))
    pause = right - left
    middle = (left + right) / 2
    middle[0], middle[-1] = 0.0, levels.duration
    margin = min(margin, _SHARE * max_seconds)
    margins = np.full(len(pause), 2 * margin)
    margins[0] = margins[-1] = margin
    skipped = pause - margins
    wide = skipped >= min(_SKIPPED, _SHARE * max_seconds)
    stop, start = np.where(wide, left + margin, middle), np.where(wide, right - margin, middle)
    cost = np.exp(-pause / _PAUSE_SCALE) + _CHUNK_COST - _SILENCE_COST * np.where(wide, skipped, 0)
    locked = np.full(len(pause), np.nan)
    found = Places(stop, start, middle, middle.copy(), pause, cost, locked)
    _lock(found, np.array(cuts), np.searchsorted(left, cuts, side="right") - 1, wide)
    stop[0], start[-1] = 0.0, levels.duration
    _tighten(begins, ends, start, stop, max_seconds)
    long = np.flatnonzero(ends - begins > (0 if everywhere else max_seconds + TOLERANCE))
    return _with_weak_moments(found, long, spoken[long], levels, max_seconds)


def _divided(spoken: NDArray[np.float64], cuts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return speech, its stretches divided at the cuts inside them."""
    if not len(cuts):
        return spoken
    around = np.searchsorted(spoken[:, 0], cuts) - 1  # the last stretch that begins before
    inside = cuts[(around >= 0) & (cuts < spoken[around, 1])]
    return np.sort(np.concatenate((spoken, np.stack((inside, inside), axis=1))), axis=0)


def _lock(
    found: Places, cuts: NDArray[np.float64], at: NDArray[np.int64], wide: NDArray[np.bool_]
) -> None:
    """Move the places `at` which cuts were asked for to these cuts, and mark them."""
    if not len(cuts):
        return
    places, firsts = np.unique(at, return_index=True)
    lowest, highest = cuts[firsts], cuts[np.append(firsts[1:], len(cuts)) - 1]
    found.stop[places] = np.where(wide[places], np.minimum(found.stop[places], lowest), lowest)
    found.start[places] = np.where(wide[places], np.maximum(found.start[places], highest), highest)
    end = len(found.stop) - 1
    found.latest_stop[places[places > 0]] = lowest[places > 0]
    found.earliest_start[places[places < end]] = highest[places < end]
    inner = (places > 0) & (places < end)
    found.locked[places[inner]] = lowest[inner]


def _tighten(
    begins: NDArray[np.float64],
    ends: NDArray[np.float64],
    start: NDArray[np.float64],
    stop: NDArray[np.float64],
    max_seconds: float,
) -> None:
    """Take from the margins where a stretch of speech fits into a chunk only without them."""
    before, after = begins - start[:-1], stop[1:] - ends
    room = max_seconds - (ends - begins)
    tight = (room >= 0) & (before + after > room)
    share = room[tight] / (before + after)[tight]
    start[:-1][tight] = begins[tight] - share * before[tight]
    stop[1:][tight] = ends[tight] + share * after[tight]


def _with_weak_moments(
    found: Places,
    at: NDArray[np.int64],
    spoken: NDArray[np.float64],
    levels: Levels,
    max_seconds: float,
) -> Places:
    """Add places inside `spoken`, of which each stretch comes after place `at`."""
    per_second = round(1 / levels.frame_seconds)
    step = max(round(min(_SPACING, max_seconds / 8) * per_second), 1)
    times, costs, after = [], [], []
    for place, (begin, end) in zip(at, np.rint(spoken * per_second).astype(int), strict=True):
        level = _smooth(levels.rms_db[begin:end], min(_DIP, step))
        if len(level) <= 2 * _EDGE:
            continue
        windows = np.full((-(-len(level) // step), step), np.inf)
        windows.ravel()[: len(level)] = level
        weakest = windows.argmin(axis=1)
        frames = weakest + step * np.arange(len(weakest))
        frames = frames[(frames >= _EDGE) & (frames <= len(level) - _EDGE)]
        depth = level[frames] - level.min()
        times.append((begin + frames) / per_second)
        costs.append(_SPEECH_COST + _CHUNK_COST + depth / max(float(np.ptp(level)), 1e-3))
        after.append(np.full(len(frames), place + 1))
    if not times:
        return found
    time, cost, where = np.concatenate(times), np.concatenate(costs), np.concatenate(after)
    return Places(
        np.insert(found.stop, where, time),
        np.insert(found.start, where, time),
        np.insert(found.latest_stop, where, time),
        np.insert(found.earliest_start, where, time),
        np.insert(found.pause, where, 0.0),
        np.insert(found.cost, where, cost),
        np.insert(found.locked, where, np.nan),
    )


def _smooth(level: NDArray[np.float32], width: int) -> NDArray[np.float64]:
    """Return the mean of `width` frames around each; fewer at the ends."""
    summed = np.concatenate(([0.0], np.cumsum(level, dtype=np.float64)))
    frames = np.arange(len(level))
    first = np.maximum(frames - width // 2, 0)
    last = np.minimum(frames + width - width // 2, len(level))
    smooth: NDArray[np.float64] = (summed[last] - summed[first]) / (last - first)
    return smooth
