"""What every panel on one recording shares: its peaks and levels, sent to the browser once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, ClassVar

import anywidget
import numpy as np
import traitlets
from numpy.typing import NDArray

from nbasr.audio.levels import SILENCE_DB, Levels
from nbasr.chunking.pauses import automatic_above_floor_db

if TYPE_CHECKING:
    from nbasr.audio.recording import Recording

_PEAK_STEPS = 127  # of a peak in a signed byte
_LEVEL_STEPS = 2.55  # steps of a level byte per dB: 255 is 0 dBFS, 0 is digital silence


class Sound(anywidget.AnyWidget):
    """A recording as panels draw it; it has no view of its own. Made by `Sound.of`.

    About 0.8 MB per hour, sent when the first panel opens; raw samples are asked for by the panels.

    Attributes
    ----------
    fingerprint, duration
        Of the recording. Its name is not here: two files may hold the same sound.
    samples : int
        How many there are, at 16 kHz.
    peak : float
        The highest absolute sample, 0..1 of full scale; 0 for silence.
    peaks : bytes
        (bins, 2) int8, lowest and highest sample of each 256: ``peak * (value / 127) ** 2`` with
        the sign of the value. The root keeps quiet sounds apart; rounding goes outwards, so that
        nothing loud is lost.
    levels : bytes
        (frames,) uint8, a frame of 10 ms each: ``value / 2.55 - 100`` dBFS.
    floor_nodes : bytes
        (nodes, 2) float32, see `Levels.floor_nodes`.
    noise_floor_db, loud_db, auto_above_db
        Of the whole recording, in dB.
    """

    _esm = "export default {};"

    fingerprint = traitlets.Unicode().tag(sync=True)
    duration = traitlets.Float().tag(sync=True)
    samples = traitlets.Int().tag(sync=True)
    peak = traitlets.Float().tag(sync=True)
    peaks = traitlets.Bytes().tag(sync=True)
    levels = traitlets.Bytes().tag(sync=True)
    floor_nodes = traitlets.Bytes().tag(sync=True)
    noise_floor_db = traitlets.Float(SILENCE_DB).tag(sync=True)
    loud_db = traitlets.Float(SILENCE_DB).tag(sync=True)
    auto_above_db = traitlets.Float().tag(sync=True)

    _open: ClassVar[dict[str, Sound]] = {}
    _lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self._users = 0

    @classmethod
    def of(cls, recording: Recording) -> Sound:
        """Return the sound of a recording: the one that is open already, or a new one.

        Each call is one more user, who says `release` when done.
        """
        levels = recording.levels()
        with cls._lock:
            sound = cls._open.get(recording.fingerprint)
            if sound is None or sound.comm is None:  # somebody closed all widgets
                sound = cls(**_traits(recording, levels))
                cls._open[recording.fingerprint] = sound
            sound._users += 1
            return sound

    @property
    def reference(self) -> str:
        """What a panel's trait says so that its front end finds this sound."""
        return f"anywidget:{self.model_id}"

    def release(self) -> None:
        """Be one user less; with the last one the sound is closed."""
        with self._lock:
            self._users -= 1
            if self._users > 0:
                return
            if self._open.get(self.fingerprint) is self:
                del self._open[self.fingerprint]
        self.close()


def _traits(recording: Recording, levels: Levels) -> dict[str, Any]:
    """Return what is sent of a recording."""
    finest = levels.peaks[0]
    peak = float(np.abs(finest.astype(np.float32)).max(initial=0.0)) / 32768
    return {
        "fingerprint": recording.fingerprint,
        "duration": recording.duration,
        "samples": levels.samples,
        "peak": peak,
        "peaks": peak_bytes(finest, peak).tobytes(),
        "levels": level_bytes(levels.rms_db).tobytes(),
        "floor_nodes": levels.floor_nodes.astype("<f4").tobytes(),
        "noise_floor_db": levels.noise_floor_db,
        "loud_db": levels.loud_db,
        "auto_above_db": automatic_above_floor_db(levels),
    }


def peak_bytes(peaks: NDArray[np.int16], peak: float) -> NDArray[np.int8]:
    """Return lowest and highest samples as signed bytes, spaced as roots of the amplitude.

    Parameters
    ----------
    peaks
        (bins, 2) int16.
    peak
        The highest absolute sample as a share of full scale.
    """
    scale = _PEAK_STEPS / np.sqrt(max(peak, 1 / 32768))
    roots = np.sqrt(np.abs(peaks.astype(np.float32)) * np.float32(1 / 32768)) * np.float32(scale)
    roots = np.copysign(roots, peaks)
    exact = np.rint(roots)
    near = np.abs(roots - exact) < 1e-4  # the highest sample itself is 127, not 128
    outwards = np.stack((np.floor(roots[:, 0]), np.ceil(roots[:, 1])), axis=1)
    return np.where(near, exact, outwards).astype(np.int8)


def level_bytes(rms_db: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return levels in dBFS as bytes: ``value / 2.55 - 100`` gives them back within 0.2 dB."""
    steps: NDArray[np.float32] = np.rint((rms_db - SILENCE_DB) * _LEVEL_STEPS)
    return np.clip(steps, 0, 255).astype(np.uint8)
