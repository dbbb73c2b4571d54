"""The background noise of a recording: its level overall, and as it changes over minutes."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

SILENCE_DB = -100.0
"""Lowest level told, in dBFS: digital silence. One step of 16 bits in every sample is -90.3."""

_SMOOTH = 10  # frames averaged: 100 ms, so that neither a plosive's closure nor scatter is a floor
_QUANTILE = 0.02  # a talker in full flow still pauses for 2 % of the time
_CROWD = (0.10, 3.0)  # noise crowds: its 10 % quantile is within 3 dB of its 2 % quantile
_LOUD = 0.95
_WINDOW = 300  # smoothed values (30 s) in which the background counts as steady
_HOP = 50
_FOREGROUND_DB = 25.0  # what comes this close to the loudest parts is no background


def noise_floor(rms_db: NDArray[np.float32]) -> float:
    """Estimate the level of the background noise over a whole recording.

    Quantile-based noise estimation (Stahl, Fischer, Bippus 2000) on broadband levels: nobody speaks
    all the time, so low quantiles of the short-time power belong to the noise. Digital silence is
    left out where a real noise floor is seen beside it; where what remains is too spread or too
    loud to be noise (speech behind a noise gate), the silence is the floor.

    Parameters
    ----------
    rms_db
        (frames,) dBFS per 10 ms.
    """
    smooth = _smoothed(rms_db)
    return float(_floors(smooth[None])[0]) if len(smooth) else SILENCE_DB


def floor_nodes(
    rms_db: NDArray[np.float32], floor_db: float, loud_db: float
) -> NDArray[np.float64]:
    """Return the level of the background as it changes: (nodes, 2), frame and dB of each node.

    The background is estimated anew every 5 s from the 30 s around: a fan starts, a window
    opens, the other end of a call has a noisier line. What is nearly as loud as the loudest parts
    does not count as background, however steady (music). A recording of up to 30 s has one node.

    Parameters
    ----------
    rms_db
        (frames,) dBFS per 10 ms.
    floor_db
        Noise floor of the whole recording.
    loud_db
        Level of its loud parts.
    """
    smooth = _smoothed(rms_db)
    if len(smooth) <= _WINDOW:
        return np.array([[0.0, floor_db]])
    local = _floors(sliding_window_view(smooth, _WINDOW)[::_HOP])
    if loud_db - floor_db > _FOREGROUND_DB:
        np.minimum(local, loud_db - _FOREGROUND_DB, out=local)
    centres = _SMOOTH * (_WINDOW / 2 + _HOP * np.arange(len(local)))
    return np.stack((centres, local), axis=1)


def above_floor(rms_db: NDArray[np.float32], nodes: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return how far each frame is above the background around it, in dB.

    Between nodes the background is interpolated once for each whole group of 10 frames, at the
    first of them; frames after the last whole group share its background.

    Parameters
    ----------
    rms_db
        (frames,) dBFS per 10 ms.
    nodes
        What `floor_nodes` found.
    """
    if len(nodes) == 1:
        return rms_db - np.float32(nodes[0, 1])
    groups = len(rms_db) // _SMOOTH
    floors = np.interp(np.arange(groups), nodes[:, 0] / _SMOOTH, nodes[:, 1]).astype(np.float32)
    above = np.empty_like(rms_db)
    whole = groups * _SMOOTH
    np.subtract(
        rms_db[:whole].reshape(-1, _SMOOTH), floors[:, None], out=above[:whole].reshape(-1, _SMOOTH)
    )
    above[whole:] = rms_db[whole:] - floors[-1]
    return above


def _smoothed(rms_db: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return mean powers of 100 ms in dB, and infinity for those that touch digital silence."""
    width = min(_SMOOTH, max(len(rms_db), 1))
    frames = rms_db[: len(rms_db) // width * width].reshape(-1, width)
    power = np.exp(frames * np.float32(np.log(10) / 10)).mean(axis=1)
    smooth: NDArray[np.float32] = 10 * np.log10(power)
    smooth[(frames <= SILENCE_DB).any(axis=1)] = np.inf
    return smooth


def _floors(windows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the noise floor of each row of smoothed levels."""
    ordered = np.sort(windows, axis=1)  # silence, as infinity, goes to the end
    sounding = np.isfinite(ordered).sum(axis=1)
    rows = np.arange(len(ordered))
    ordered[sounding == 0] = SILENCE_DB
    low: NDArray[np.float64] = ordered[rows, (_QUANTILE * sounding).astype(np.int64)].astype(float)
    higher = ordered[rows, (_CROWD[0] * sounding).astype(np.int64)]
    loud = ordered[rows, (_LOUD * sounding).astype(np.int64)]
    silent = windows.shape[1] - sounding > _QUANTILE * windows.shape[1]
    noise = (higher - low <= _CROWD[1]) & (loud - low >= _FOREGROUND_DB)
    low[silent & ~noise] = SILENCE_DB
    return low
