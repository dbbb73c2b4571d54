"""Where somebody speaks and where nobody does, by level against the noise floor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nbasr.audio.levels import SILENCE_DB, Levels
from nbasr.chunking._source import heard
from nbasr.errors import OptionError

if TYPE_CHECKING:
    from nbasr.audio.sources import Source

REACH = 0.2
"""Speech begins this share of the way from the noise floor to the loud parts, within limits."""

LEAST_ABOVE_DB = 8.0
"""Least decibels above the floor: 10 ms of steady noise scatter by 0.5 dB (white) to 2 dB (pink)
around their mean, and somebody 30 dB below the others is still found if the floor is lower yet."""

MOST_ABOVE_DB = 15.0
"""Most decibels above the floor: breath, clothes and echo of a quiet room lie this far up, measured
on excerpts of meetings (AMI) and read speech."""

HYSTERESIS_DB = 3.0
"""Speech ends only this far below the level at which it begins, so that it does not flutter."""

MIN_PAUSE = 0.2
"""Shortest pause in seconds. Closures of plosives inside words last up to about 0.15 s."""

_MIN_LOUD = 5  # frames above the threshold (50 ms) without which a sound is a click, not speech


def automatic_above_floor_db(source: Source | Levels) -> float:
    """Return how many decibels above the noise floor speech begins where nothing is said of it.

    A fifth of the way from the floor to the loud parts (`Levels.noise_floor_db`,
    `Levels.loud_db`), 8 dB at least and 15 dB at most.

    Parameters
    ----------
    source
        A Recording, its Levels, or whatever `Recording.open` takes.

    Raises
    ------
    AudioError
        If `source` is no recording.
    """
    _, levels = heard(source)
    reach = (levels.loud_db - levels.noise_floor_db) * REACH
    return min(max(reach, LEAST_ABOVE_DB), MOST_ABOVE_DB)


def speech(
    source: Source | Levels,
    *,
    threshold_db: float | None = None,
    above_floor_db: float | None = None,
    min_pause: float = MIN_PAUSE,
) -> NDArray[np.float64]:
    """Find where somebody speaks: where the level is well above the noise floor.

    A level tells sound from silence, not speech from other sounds; `nbasr.chunking.Vad` does that.

    Parameters
    ----------
    source
        A Recording, its Levels, or whatever `Recording.open` takes.
    threshold_db
        Level in dBFS at which speech begins; None: `above_floor_db` above the noise floor.
    above_floor_db
        Decibels above the noise floor at which speech begins, taken if `threshold_db` is None;
        None: `automatic_above_floor_db`.
    min_pause
        Shortest silence in seconds that divides two stretches of speech.

    Returns
    -------
    NDArray[np.float64]
        (stretches, 2) start and stop in seconds, in order, apart by at least `min_pause`.

    Raises
    ------
    OptionError
        If a number is impossible.
    AudioError
        If `source` is no recording.
    """
    _, levels = heard(source)
    if not min_pause >= 0:
        raise OptionError(f"min_pause is 0 s or more, not {min_pause!r}.")
    values = levels.rms_db
    if threshold_db is None:
        values, threshold_db = levels.excess_db, above_floor_db
        if threshold_db is None:
            threshold_db = automatic_above_floor_db(levels)
        elif not 0 < threshold_db <= 100:
            raise OptionError(f"above_floor_db is between 0 and 100 dB, not {threshold_db!r}.")
        drop = min(HYSTERESIS_DB, threshold_db / 2)
    elif not SILENCE_DB <= threshold_db <= 0:
        raise OptionError(f"threshold_db is a level from -100 to 0 dBFS, not {threshold_db!r}.")
    else:
        drop = HYSTERESIS_DB
    frames = stretches(
        values,
        threshold_db,
        threshold_db - drop,
        shortest_gap=round(min_pause / levels.frame_seconds),
        least_above=_MIN_LOUD,
    )
    found: NDArray[np.float64] = frames / round(1 / levels.frame_seconds)
    return np.minimum(found, levels.duration)


def pauses(
    source: Source | Levels,
    *,
    threshold_db: float | None = None,
    above_floor_db: float | None = None,
    min_pause: float = MIN_PAUSE,
) -> NDArray[np.float64]:
    """Find where nobody speaks: (pauses, 2) start and stop in seconds, in order.

    What `speech` leaves, from the recording's start to its end; parameters and errors as there.
    """
    _, levels = heard(source)
    spoken = speech(
        levels, threshold_db=threshold_db, above_floor_db=above_floor_db, min_pause=min_pause
    )
    edges = np.concatenate(([0.0], spoken.ravel(), [levels.duration])).reshape(-1, 2)
    return edges[edges[:, 1] - edges[:, 0] >= max(min_pause - 1e-9, 1e-9)]


def pause_at(time: float, spoken: NDArray[np.float64], duration: float) -> float:
    """Return the length of the pause that holds `time`, 0 if it is inside speech.

    Parameters
    ----------
    time
        Seconds.
    spoken
        (stretches, 2) speech in seconds, in order.
    duration
        Length of the recording in seconds.
    """
    after = int(np.searchsorted(spoken[:, 0], time))
    left = float(spoken[after - 1, 1]) if after else 0.0
    right = float(spoken[after, 0]) if after < len(spoken) else duration
    return max(right - left, 0.0) if time >= left else 0.0


def stretches(
    values: NDArray[np.float32], enter: float, leave: float, *, shortest_gap: int, least_above: int
) -> NDArray[np.int64]:
    """Find where `values` are high, with hysteresis.

    A stretch begins with the first value above `leave` around one above `enter` and lasts until
    the values stay at or below `leave`.

    Parameters
    ----------
    values
        (frames,) levels or probabilities.
    enter, leave
        Thresholds, ``leave <= enter``.
    shortest_gap
        Stretches with fewer frames between them are joined.
    least_above
        Stretches with fewer frames above `enter` are dropped.

    Returns
    -------
    NDArray[np.int64]
        (stretches, 2) first frame and the one after the last.
    """
    scratch = np.zeros((2, len(values) + 2), np.bool_)  # new memory costs more than the comparisons
    starts, stops = _runs(values, leave, scratch)
    loud, quiet = _runs(values, enter, scratch)  # every loud run lies inside one of the others
    within = np.searchsorted(starts, loud, side="right") - 1
    above = np.bincount(within, weights=quiet - loud, minlength=len(starts))
    starts, stops, above = starts[above > 0], stops[above > 0], above[above > 0]
    if not len(starts):
        return np.empty((0, 2), np.int64)
    apart = starts[1:] - stops[:-1] >= max(shortest_gap, 1)
    firsts = np.concatenate(([0], np.flatnonzero(apart) + 1))
    lasts = np.concatenate((firsts[1:] - 1, [len(starts) - 1]))
    enough = np.add.reduceat(above, firsts) >= least_above
    return np.stack((starts[firsts][enough], stops[lasts][enough]), axis=1)


def _runs(
    values: NDArray[np.float32], threshold: float, scratch: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first frame of each run of values above the threshold, and the one after its last.

    `scratch` is (2, frames + 2), false at both ends.
    """
    flags, changes = scratch[0], scratch[1, 1:]
    np.greater(values, threshold, out=flags[1:-1])
    np.not_equal(flags[1:], flags[:-1], out=changes)
    edges = np.flatnonzero(changes)
    return edges[::2], edges[1::2]
