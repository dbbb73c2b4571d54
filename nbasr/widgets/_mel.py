"""Spectrogram tiles: the mel bands of what is seen, as bytes, at the same cost for any zoom."""

from __future__ import annotations

import threading
import warnings
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nbasr.audio.levels import RATE
from nbasr.errors import AudioError, OptionError

if TYPE_CHECKING:
    from nbasr.audio.recording import Recording

LOWEST_DB, STEPS_PER_DB = -100.0, 2.55
"""What a byte of a tile means: ``byte / STEPS_PER_DB + LOWEST_DB`` is dBFS of a band."""

_WINDOW = 400  # samples: 25 ms, as the models' own features
_FFT = 512
_APART = 200  # samples between the frames of one column, …
_FRAMES = 8  # … of which it averages so many at most: an hour in a tile costs what a minute does
_WIDEST, _MOST_BANDS = 4096, 128
_BLOCK = 2048  # frames worked on at once: 8 MB
_FULL_SCALE = 32768.0

_loading = threading.Lock()


def tile(
    recording: Recording, start: float, seconds: float, columns: int, *, mels: int = 80
) -> bytes:
    """Return the mel spectrogram of a stretch, its scale the same wherever it is.

    A column shows the mean power of up to eight frames of 25 ms, spread over the column's time; so
    tiles that lie side by side are what one tile over both would be.

    Parameters
    ----------
    recording
        Whose sound.
    start
        Seconds; what lies outside the recording is silence.
    seconds
        Length of the stretch.
    columns
        Width of the tile, 1 to 4096.
    mels
        Bands from 0 to 8 kHz, 1 to 128.

    Returns
    -------
    bytes
        (mels, columns) uint8, the lowest band first: dBFS of each band by `LOWEST_DB` and
        `STEPS_PER_DB`. The powers of all bands add up to about that of the sound.

    Raises
    ------
    OptionError
        If a number is impossible.
    AudioError
        If librosa is missing, or the samples are gone.
    """
    _check(start, seconds, columns, mels)
    librosa = _librosa()
    bank = _bank(mels)
    width = seconds * RATE / columns  # samples in a column
    frames = min(max(int(np.ceil(width / _APART)), 1), _FRAMES)
    at = start * RATE + (np.arange(columns * frames) + 0.5) * (width / frames)
    firsts = np.floor(at).astype(np.int64) - _WINDOW // 2
    samples = recording.samples
    power = np.empty((mels, len(firsts)), np.float32)
    for first in range(0, len(firsts), _BLOCK):
        part = slice(first, first + _BLOCK)
        power[:, part] = bank @ _spectra(samples, firsts[part]).T
    power = power.reshape(mels, columns, frames).mean(axis=2)
    levels_db = librosa.power_to_db(power, ref=1.0, amin=1e-10, top_db=None)
    scaled: NDArray[np.float32] = np.rint((levels_db - LOWEST_DB) * STEPS_PER_DB)
    return np.clip(scaled, 0, 255).astype(np.uint8).tobytes()


def _spectra(samples: NDArray[np.int16], firsts: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return (frames, bins): power of the frames that begin there, 1 for a square of full scale."""
    at = firsts[:, None] + np.arange(_WINDOW)
    inside = (at >= 0) & (at < len(samples))
    frames = np.zeros(at.shape, np.float32)
    frames[inside] = samples[at[inside]]
    frames -= frames.mean(axis=1, keepdims=True)  # as the levels: a constant offset is no sound
    window = _window()
    frames *= window / np.float32(_FULL_SCALE)
    bins = np.fft.rfft(frames, _FFT, axis=1)
    scale = np.float32(2 / (_FFT * np.sum(window**2)))
    spectra: NDArray[np.float32] = np.abs(bins).astype(np.float32) ** 2 * scale
    return spectra


@cache
def _window() -> NDArray[np.float32]:
    """Return a periodic Hann window."""
    phase = np.arange(_WINDOW) * (2 * np.pi / _WINDOW)
    window: NDArray[np.float32] = (0.5 - 0.5 * np.cos(phase)).astype(np.float32)
    return window


@cache
def _bank(mels: int) -> NDArray[np.float32]:
    """Return (mels, bins): librosa's filters, of one height, so that bands add up to the whole."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # more bands than bins leave some empty
        bank = _librosa().filters.mel(
            sr=RATE, n_fft=_FFT, n_mels=mels, fmin=0.0, fmax=RATE / 2, norm=None
        )
    found: NDArray[np.float32] = bank.astype(np.float32)
    return found


def _librosa() -> Any:
    with _loading:  # two panels at once would meet it half imported
        try:
            import librosa
        except ImportError as error:
            raise AudioError(
                f"The spectrogram needs librosa ({error}): pip install librosa."
            ) from None
    return librosa


def _check(start: float, seconds: float, columns: int, mels: int) -> None:
    if not (np.isfinite(start) and np.isfinite(seconds) and seconds > 0):
        raise OptionError(
            f"A tile starts at some second and lasts longer than 0, not {start!r}, {seconds!r}."
        )
    for name, value, most in (("columns", columns, _WIDEST), ("mels", mels, _MOST_BANDS)):
        if not 1 <= value <= most:
            raise OptionError(f"{name} is from 1 to {most}, not {value!r}.")
