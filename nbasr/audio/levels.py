"""How loud a recording is: decibels per 10 ms and a min/max pyramid, built while it is decoded."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nbasr._files import replacing
from nbasr.audio._floor import SILENCE_DB, above_floor, floor_nodes, noise_floor
from nbasr.errors import AudioError

__all__ = ["FRAME", "RATE", "SILENCE_DB", "Levels", "LevelsBuilder"]

RATE = 16_000
"""Samples per second of every decoded recording."""

FRAME = 160
"""Samples in a frame of levels: 10 ms, the hop that speech features have as well."""

_BIN = 256  # samples in a bin of the finest pyramid level
_STEP = 4  # bins of one pyramid level in a bin of the next
_FEWEST_BINS = 256  # a level with no more bins than this is the last one
_FULL_SCALE = 32768.0
_BLOCK = 192 * 1280  # samples worked on at once: whole frames and whole bins, 1 MB as float32
_ONES = np.ones(FRAME, np.float32)
_OFFSET = 32.0  # steps of 16 bits (-60 dBFS) of constant offset that squares in float32 bear
_FORMAT = 1  # of the saved file


class LevelsBuilder:
    """Build levels from blocks of samples as they come, in one pass and little memory.

    Any way of slicing a recording into blocks gives the same levels.
    """

    def __init__(self) -> None:
        self._pending = np.empty(_BLOCK, np.int16)
        self._waiting = 0  # samples in it
        self._samples = 0
        self._work = np.empty(_BLOCK, np.float32)
        self._energies: list[NDArray[np.float32]] = []
        self._peaks: list[NDArray[np.int16]] = []

    def add(self, pcm: NDArray[np.int16]) -> None:
        """Take the next samples.

        Parameters
        ----------
        pcm
            (samples,) int16, mono, 16 kHz; any length.

        Raises
        ------
        AudioError
            If the array is not one-dimensional int16.
        """
        if pcm.dtype != np.int16 or pcm.ndim != 1:
            raise AudioError(
                f"Levels are of mono 16-bit samples, an array (samples,) of int16, not {pcm.dtype} "
                f"of shape {pcm.shape}; open the sound with Recording.open."
            )
        pcm = np.asarray(pcm)  # slices of a memory map cost more than slices of an array
        self._samples += len(pcm)
        while len(pcm):
            if not self._waiting and len(pcm) >= _BLOCK:
                self._measure(pcm[:_BLOCK])
                pcm = pcm[_BLOCK:]
                continue
            taken = min(len(pcm), _BLOCK - self._waiting)
            self._pending[self._waiting : self._waiting + taken] = pcm[:taken]
            self._waiting += taken
            pcm = pcm[taken:]
            if self._waiting == _BLOCK:
                self._measure(self._pending)
                self._waiting = 0

    def finish(self) -> Levels:
        """Return the levels of all samples given so far."""
        rest = self._pending[: self._waiting]
        frames, left = divmod(len(rest), FRAME)
        if len(rest):
            padded = np.zeros(-(-len(rest) // (FRAME * _BIN)) * FRAME * _BIN, np.int16)
            padded[: len(rest)] = rest
            padded[len(rest) :] = rest[-1]  # the last bin's min and max are of its own samples
            self._measure(padded)
            bins = -(-len(rest) // _BIN)
            self._peaks[-1] = self._peaks[-1][:bins]
            self._energies[-1] = self._energies[-1][: frames + (left > 0)]
            if left:
                tail = rest[-left:].astype(np.float64)
                self._energies[-1][-1] = tail.var() * FRAME
            self._waiting = 0
        energies = np.concatenate([np.empty(0, np.float32), *self._energies])
        finest = np.concatenate([np.empty((0, 2), np.int16), *self._peaks])
        scale = FRAME * _FULL_SCALE**2
        lowest = np.float32(scale * 10 ** (SILENCE_DB / 10))
        rms_db = np.maximum(energies, lowest, out=energies)
        rms_db *= np.float32(1 / scale)
        np.log10(rms_db, out=rms_db)
        rms_db *= 10
        np.maximum(rms_db, np.float32(SILENCE_DB), out=rms_db)
        return Levels(rms_db, _pyramid(finest), self._samples)

    def _measure(self, block: NDArray[np.int16]) -> None:
        """Add the energy of each frame and the extremes of each bin; whole frames and bins only."""
        work = (
            self._work[: len(block)] if len(block) <= _BLOCK else np.empty(len(block), np.float32)
        )
        np.copyto(work, block)  # squares of int16 overflow in int16
        frames = work.reshape(-1, FRAME)
        sums = np.vecdot(frames, _ONES)  # exact: whole numbers below 2**24
        offset = np.rint(sums.mean() / FRAME)
        if abs(offset) > _OFFSET:  # the difference below would lose quiet sounds
            work -= offset
            sums = np.vecdot(frames, _ONES)
        energies = np.vecdot(frames, frames)
        energies -= sums * sums / FRAME
        self._energies.append(energies)
        bins = np.arange(0, len(block), _BIN)
        self._peaks.append(
            np.stack((np.minimum.reduceat(block, bins), np.maximum.reduceat(block, bins)), axis=1)
        )


@dataclass(frozen=True, eq=False)
class Levels:
    """Levels of a recording: what cutting and drawing need to know of its sound.

    Parameters
    ----------
    rms_db
        (frames,) float32, dBFS per 10 ms: 20 log10 of the root mean square against full scale
        (a square wave of full scale is 0, a sine -3), not below -100. The mean of each frame is
        taken out first: a constant offset, and most of any rumble below 50 Hz, is no sound. The
        last frame counts only the samples that it has.
    peaks
        The min/max pyramid: level k is (bins, 2) int16, each bin 256 * 4**k samples.
    samples
        How many samples were measured.
    frame_seconds
        Length of a frame.
    """

    rms_db: NDArray[np.float32]
    peaks: tuple[NDArray[np.int16], ...]
    samples: int
    frame_seconds: float = FRAME / RATE

    def __post_init__(self) -> None:
        self.rms_db.flags.writeable = False
        for level in self.peaks:
            level.flags.writeable = False

    @classmethod
    def of(cls, samples: NDArray[np.int16]) -> Levels:
        """Measure an array or memory map at once; (samples,) int16, mono, 16 kHz."""
        builder = LevelsBuilder()
        builder.add(samples)
        return builder.finish()

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.samples / RATE

    @cached_property
    def peak_db(self) -> float:
        """Highest sample in dBFS, not below -100."""
        coarsest = self.peaks[-1].astype(np.int32)  # abs(-32768) overflows in int16
        peak = int(np.abs(coarsest).max(initial=0))
        return max(20 * np.log10(peak / _FULL_SCALE), SILENCE_DB) if peak else SILENCE_DB

    @cached_property
    def noise_floor_db(self) -> float:
        """Level of the background noise in dBFS; -100 where there is none but digital silence."""
        return noise_floor(self.rms_db)

    @cached_property
    def loud_db(self) -> float:
        """Level of the loud parts in dBFS: one frame in twenty is louder."""
        at = int(0.95 * len(self.rms_db))
        return float(np.partition(self.rms_db, at)[at]) if len(self.rms_db) else SILENCE_DB

    @cached_property
    def excess_db(self) -> NDArray[np.float32]:
        """(frames,) decibels above the noise floor, which is followed as it changes."""
        above = above_floor(self.rms_db, self._nodes)
        above.flags.writeable = False
        return above

    @cached_property
    def floor_nodes(self) -> NDArray[np.float32]:
        """(nodes, 2) float32: the noise floor as it changes, frame index and dBFS of each node.

        `excess_db` follows from `rms_db` and these alone, so that a browser need not be sent both:

        - One node: the floor of every frame is its level.
        - More: let ``groups = frames // 10`` and, for frame f,
          ``x = 10 * min(f // 10, groups - 1)``, the first frame of its group of ten (frames after
          the last whole group belong to that group). The floor of f is the level at x on the
          straight line between the two nodes around x; before the first node it is the first
          node's, after the last the last node's.
        - ``excess_db[f] = rms_db[f] - floor``.

        Nodes are 500 frames (5 s) apart, from frame 1500 on; a recording of up to 30 s has one, at
        frame 0. A level of -100 is digital silence.
        """
        nodes = self._nodes.astype(np.float32)
        nodes.flags.writeable = False
        return nodes

    @cached_property
    def _nodes(self) -> NDArray[np.float64]:
        return floor_nodes(self.rms_db, self.noise_floor_db, self.loud_db)

    def envelope(self, start: float, stop: float, columns: int) -> NDArray[np.float32]:
        """Return the lowest and highest sample per column of a drawing.

        Parameters
        ----------
        start, stop
            Seconds; what lies outside the recording is drawn as 0.
        columns
            Width of the drawing.

        Returns
        -------
        NDArray[np.float32]
            (columns, 2) in -1..1, from the coarsest pyramid level that is finer than a column, else
            from the finest, of 16 ms a bin.
        """
        columns = max(int(columns), 0)
        drawn = np.zeros((columns, 2), np.float32)
        width = (stop - start) * RATE / max(columns, 1)  # samples in a column
        if not columns or width <= 0 or not self.samples:
            return drawn
        finer = [k for k in range(len(self.peaks)) if 2 * _BIN * _STEP**k <= width]
        level = finer[-1] if finer else 0
        peaks = self.peaks[level]
        edges = (start * RATE + np.arange(columns + 1) * width) / (_BIN * _STEP**level)
        edges = np.floor(edges).astype(np.int64)
        inside = (
            (edges[:-1] < len(peaks))
            & (edges[1:] >= 0)
            & (start * RATE + np.arange(columns) * width < self.samples)
        )
        if not inside.any():
            return drawn
        firsts = np.clip(edges[:-1][inside], 0, len(peaks) - 1)
        end = max(int(min(edges[1:][inside][-1], len(peaks))), int(firsts[-1]) + 1)
        drawn[inside, 0] = np.minimum.reduceat(peaks[:end, 0], firsts) / np.float32(_FULL_SCALE)
        drawn[inside, 1] = np.maximum.reduceat(peaks[:end, 1], firsts) / np.float32(_FULL_SCALE)
        return drawn

    def save(self, path: Path) -> None:
        """Write the levels to `path` (.npz), beside it first and then renamed into place."""
        path = Path(path)
        try:
            with replacing(path) as beside, beside.open("wb") as file:
                np.savez(
                    file,
                    about=np.array([_FORMAT, self.samples], np.int64),
                    rms_db=self.rms_db,
                    peaks=self.peaks[0],
                )
        except OSError as error:
            raise AudioError(
                f"Cannot write {path} ({error.strerror}); make room or set NBASR_CACHE to another "
                "folder."
            ) from error

    @classmethod
    def load(cls, path: Path) -> Levels:
        """Read what `save` wrote.

        Raises
        ------
        AudioError
            If the file is missing, damaged, or of another version.
        """
        path = Path(path)
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                about, rms_db, finest = file["about"], file["rms_db"], file["peaks"]
            version, samples = (int(value) for value in about)
            whole = (
                version == _FORMAT
                and rms_db.dtype == np.float32
                and finest.dtype == np.int16
                and rms_db.shape == (-(-samples // FRAME),)
                and finest.shape == (-(-samples // _BIN), 2)
            )
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            whole = False
        if not whole:
            raise AudioError(
                f"{path} does not hold levels; delete it and open the recording again."
            )
        return cls(rms_db, _pyramid(finest), samples)


def _pyramid(finest: NDArray[np.int16]) -> tuple[NDArray[np.int16], ...]:
    """Return all pyramid levels over the finest one."""
    levels = [finest]
    while len(levels[-1]) > _FEWEST_BINS:
        below = levels[-1]
        firsts = np.arange(0, len(below), _STEP)
        levels.append(
            np.stack(
                (
                    np.minimum.reduceat(below[:, 0], firsts),
                    np.maximum.reduceat(below[:, 1], firsts),
                ),
                axis=1,
            )
        )
    return tuple(levels)
