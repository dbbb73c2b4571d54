"""Arrays and tensors as sound: which axis is time, what full scale is, what cannot be meant."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbasr.audio._words import count
from nbasr.errors import AudioError

MOST_CHANNELS = 64  # of an array: more rows than a microphone array has are not channels
_FULL_SCALE = {"i1": 128.0, "i2": 32768.0, "i4": 2.0**31, "u1": 128.0, "u2": 32768.0}
_NOT_SOUND = 100.0  # floats beyond that (+40 dB) are integers that were cast, not sound


@dataclass(frozen=True, eq=False)
class ArraySound:
    """Samples in memory.

    Parameters
    ----------
    name
        Shown.
    array
        (channels, samples), as it was given.
    rate
        Samples per second.
    """

    name: str
    array: NDArray[Any]
    rate: float

    @property
    def kind(self) -> str:
        """The samples' type, in the place of a codec."""
        return f"{self.array.dtype.name} array"

    def digest(self) -> str:
        """Return a hash of the sound."""
        found = hashlib.sha256(f"{self.array.dtype.str} {self.array.shape} {self.rate!r}".encode())
        for channel in self.array:
            found.update(np.ascontiguousarray(channel).data)
        return found.hexdigest()

    def block(self, start: int, stop: int, channel: int | None) -> NDArray[np.float32]:
        """Return the mean of the channels, or one channel, in units of 16-bit samples.

        Parameters
        ----------
        start, stop
            Samples.
        channel
            None for the mean.

        Returns
        -------
        NDArray[np.float32]
            (stop - start,), full scale at 32768.
        """
        part = self.array[:, start:stop] if channel is None else self.array[[channel], start:stop]
        if part.dtype.kind == "f":
            mono = part.mean(axis=0, dtype=np.float32) * np.float32(32768)
        else:
            mono = part.mean(axis=0, dtype=np.float64)
            full_scale = _FULL_SCALE[_type(part)]
            if part.dtype.kind == "u":
                mono -= full_scale
            mono *= 32768 / full_scale
        result: NDArray[np.float32] = mono.astype(np.float32)
        return result


def array_sound(samples: Any, rate: Any) -> ArraySound:
    """Check an array or tensor and say which of its axes is time.

    Parameters
    ----------
    samples
        (samples,), (channels, samples) or (samples, channels): numpy array, torch tensor or list;
        floats with full scale at 1, or integers of 8, 16 or 32 bits with their own full scale.
    rate
        Samples per second.

    Raises
    ------
    AudioError
        If it cannot be sound, saying why and what to pass.
    """
    array = _as_numpy(samples)
    rate = _checked_rate(rate)
    array = _channels_first(array)
    if not array.size:
        raise AudioError("The array holds no samples; pass one with some sound in it.")
    if array.dtype.kind == "f":
        _check_floats(array)
    elif _type(array) not in _FULL_SCALE:
        raise AudioError(
            f"An array of {array.dtype} has no full scale: convert it to float32 in -1..1, "
            "or to int16, before you pass it."
        )
    return ArraySound("array", array, rate)


def _type(array: NDArray[Any]) -> str:
    return f"{array.dtype.kind}{array.dtype.itemsize}"


def _as_numpy(samples: Any) -> NDArray[Any]:
    if hasattr(samples, "cpu"):  # a torch tensor, on any device, of any dtype
        samples = samples.detach().cpu()
        samples = samples.float() if str(samples.dtype) == "torch.bfloat16" else samples
        samples = samples.numpy()
    try:
        return np.asarray(samples)
    except ValueError:
        raise AudioError(
            "The channels differ in length; pass one array of (channels, samples)."
        ) from None


def _checked_rate(rate: Any) -> float:
    if np.ndim(rate):
        raise AudioError("Pass (array, rate), in that order: the samples first, then their rate.")
    try:
        value = float(rate)
    except (TypeError, ValueError):
        value = math.nan
    if isinstance(rate, bool) or not (math.isfinite(value) and 100 <= value <= 10_000_000):
        raise AudioError(
            f"A rate of {rate!r} Hz is not possible; pass (array, rate) with the samples per "
            "second that the sound was recorded at, such as 16000."
        )
    return value


def _channels_first(array: NDArray[Any]) -> NDArray[Any]:
    """Return the array as (channels, samples)."""
    if array.ndim == 1:
        return array[None]
    if array.ndim != 2:
        raise AudioError(
            f"An array of shape {array.shape} has {array.ndim} dimensions; pass (samples,), "
            "(channels, samples) or (samples, channels), one recording at a time."
        )
    rows, columns = array.shape
    channels = min(rows, columns)
    if (rows == columns and rows > 1) or channels > MOST_CHANNELS:
        raise AudioError(
            f"An array of shape {array.shape} does not tell its channels from its samples; "
            "pass one channel, (samples,), or the mean over the channels."
        )
    return array if rows == channels else array.T


def _check_floats(array: NDArray[Any]) -> None:
    peak = 0.0
    for start in range(0, array.shape[1], 1 << 20):
        part = array[:, start : start + (1 << 20)]
        top = np.abs(part).max()
        if not np.isfinite(top):
            nan, infinite = int(np.isnan(array).sum()), int(np.isinf(array).sum())
            raise AudioError(
                f"The array holds {nan:,} NaN and {infinite:,} infinite values among "
                f"{count(array.size, 'sample')}; replace them first, for example by silence with "
                "numpy.nan_to_num(array, posinf=0, neginf=0)."
            )
        peak = max(peak, float(top))
    if peak > _NOT_SOUND:
        raise AudioError(
            f"The array's floats reach {peak:.5g}, but full scale of floats is 1; "
            "divide them by the full scale that they have, such as 32768, or pass int16."
        )
