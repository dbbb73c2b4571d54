"""The end of every way into nbasr: mono blocks become 16 kHz PCM16 on disk, and levels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbasr.audio._wav import make_header
from nbasr.audio.levels import RATE, Levels, LevelsBuilder


class Writer:
    """Take mono blocks of any rate; write them as 16 kHz PCM16 and build the levels.

    Parameters
    ----------
    target
        The new WAV file.
    """

    def __init__(self, target: Path) -> None:
        self._file = target.open("xb", buffering=0)
        self._file.write(make_header(0))
        self._levels = LevelsBuilder()
        self._resampler: Any = None
        self._rate = float(RATE)
        self.samples = 0
        self.clipped = 0
        self.non_finite = 0
        self.peak = 0.0

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, mono: NDArray[np.float32], rate: float) -> None:
        """Take the next samples: (samples,), full scale at 32768; the array is used up."""
        with np.errstate(invalid="ignore", over="ignore"):
            total = mono.sum()  # one pass; only NaN or infinity make it so
        if not np.isfinite(total):
            wrong = ~np.isfinite(mono)
            self.non_finite += int(wrong.sum())
            mono[wrong] = (
                0  # one NaN would spread over everything that the resampler gives after it
            )
        if rate != self._rate:
            self._flush()
            self._rate = rate
            if rate != RATE:
                import soxr

                self._resampler = soxr.ResampleStream(rate, RATE, 1, dtype="float32", quality="HQ")
        self._write(mono if self._resampler is None else self._resampler.resample_chunk(mono))

    def finish(self) -> Levels:
        """Write what is left, and the header; return the levels."""
        self._flush()
        self._file.seek(0)
        self._file.write(make_header(self.samples))
        return self._levels.finish()

    def _flush(self) -> None:
        if self._resampler is not None:
            rest = self._resampler.resample_chunk(np.empty(0, np.float32), last=True)
            self._resampler = None
            self._write(rest)

    def _write(self, mono: NDArray[np.float32]) -> None:
        if not len(mono):
            return
        np.rint(mono, out=mono)
        low, high = float(mono.min()), float(mono.max())
        if low < -32768 or high > 32767:
            self.clipped += int(((mono < -32768) | (mono > 32767)).sum())
            np.clip(mono, -32768, 32767, out=mono)
        self.peak = max(self.peak, -low, high)
        pcm = mono.astype("<i2")
        data = pcm.data.cast("B")
        while len(data):  # an unbuffered file may take less than all, such as what fits on the disk
            data = data[self._file.write(data) :]
        self.samples += len(pcm)
        self._levels.add(pcm)
