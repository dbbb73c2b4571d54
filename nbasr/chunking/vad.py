"""Tell speech from other sounds (Silero VAD), and cut between what is speech."""

from __future__ import annotations

import importlib.util
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nbasr.audio.levels import RATE, Levels
from nbasr.chunking._places import Places
from nbasr.chunking._strategy import AtPlaces
from nbasr.chunking.optimal import cheapest
from nbasr.chunking.pauses import stretches
from nbasr.errors import AudioError, ModelError, OptionError

if TYPE_CHECKING:
    from nbasr.audio.recording import Recording

WINDOW = 512
"""Samples per probability: 32 ms."""

_CONTEXT = 64  # samples of the window before that the network sees again
_BLOCK = 512  # windows per call (16 s); the network's state goes from one to the next
_STATE = (1, 1, 128)
_MODEL = (
    "data/silero_vad_16k_sequence.onnx"  # takes many windows per call; in silero-vad from 6.2.2
)
_LEAVE_BELOW = (
    0.15  # speech ends this far below the probability at which it begins (as in Silero's own)
)
_MIN_WINDOWS = 3  # windows above the probability (96 ms) without which a sound is not speech
_KEPT = 4  # recordings whose probabilities are kept, 0.5 MB an hour of sound
_lock = threading.Lock()
_heard: OrderedDict[str, NDArray[np.float32]] = OrderedDict()  # by fingerprint, the last used last


def speech_probability(
    samples: NDArray[Any], tell: Callable[[float], None] | None = None
) -> NDArray[np.float32]:
    """Return how probable speech is, every 32 ms.

    Silero VAD (MIT licence), the file in the wheel of silero-vad, run by ONNX runtime on one
    thread; torch is not loaded.

    Parameters
    ----------
    samples
        (samples,) mono at 16 kHz: int16, or float32 in -1..1.
    tell
        Called with the share that is done, 0..1, after every 16 s of sound; what it raises ends it.

    Returns
    -------
    NDArray[np.float32]
        (windows,) 0..1, one for each 512 samples, the last for what is left of them.

    Raises
    ------
    AudioError
        If the array has another shape or type.
    ModelError
        If silero-vad or onnxruntime is missing or too old.
    """
    if samples.ndim != 1 or samples.dtype not in (np.int16, np.float32):
        raise AudioError(
            f"Speech is found in mono samples (samples,) of int16 or float32, not {samples.dtype} "
            f"of shape {samples.shape}; take Recording.samples or Recording.read()."
        )
    session = _session()
    scale = np.float32(1 / 32768 if samples.dtype == np.int16 else 1)
    count = -(-len(samples) // WINDOW)
    found = np.empty(count, np.float32)
    hidden = cell = np.zeros(_STATE, np.float32)
    framed = np.zeros((_BLOCK, _CONTEXT + WINDOW), np.float32)
    for first in range(0, count, _BLOCK):
        size = min(_BLOCK, count - first)
        part = samples[first * WINDOW : (first + size) * WINDOW]
        windows = np.zeros((size, WINDOW), np.float32)
        np.multiply(part, scale, out=windows.reshape(-1)[: len(part)])
        framed[0, :_CONTEXT] = framed[-1, -_CONTEXT:] if first else 0
        framed[1:size, :_CONTEXT] = windows[:-1, -_CONTEXT:]
        framed[:size, _CONTEXT:] = windows
        outputs = session.run(
            ("speech_probs", "hn", "cn"), {"input": framed[:size], "h": hidden, "c": cell}
        )
        found[first : first + size], hidden, cell = outputs[0].reshape(-1), outputs[1], outputs[2]
        if tell is not None:
            tell((first + size) / count)
    return found


def is_heard(recording: Recording) -> bool:
    """Tell whether `probability_of` answers at once: it was asked for the recording before."""
    with _lock:
        return recording.fingerprint in _heard


def probability_of(
    recording: Recording, tell: Callable[[float], None] | None = None
) -> NDArray[np.float32]:
    """Return how probable speech is in a recording, every 32 ms; kept for the last recordings.

    So another `Vad` of the same recording takes milliseconds. Parameters and errors as of
    `speech_probability`.
    """
    key = recording.fingerprint
    with _lock:
        if key in _heard:
            _heard.move_to_end(key)
            return _heard[key]
    found = speech_probability(recording.samples, tell)
    found.flags.writeable = False
    with _lock:
        _heard[key] = found
        while len(_heard) > _KEPT:
            _heard.popitem(last=False)
    return found


@dataclass(frozen=True, kw_only=True, repr=False)
class Vad(AtPlaces):
    """Cut between stretches of speech that a neural detector finds; chosen as by `Optimal`.

    Takes longer than levels do (on a plain CPU, some seconds per hour of sound; what was heard is
    kept for the last recordings), and tells speech from music, traffic and keyboards.

    Parameters
    ----------
    max_seconds
        Longest chunk in seconds, or ``"adaptive"`` (`adaptive_seconds`).
    min_seconds
        Shortest chunk in seconds; None: 1 s, or a quarter of a maximum under 4 s. A shorter one
        remains only if the recording holds no more.
    target_seconds
        Length that chunks should have if pauses allow; None: long ones (see `Optimal`).
    min_pause
        Shortest time without speech in seconds that counts as a pause.
    margin
        Seconds of sound kept around speech where the rest is left out.
    cuts
        Times in seconds at which a cut is made in any case, planned around as usual. Chunks beside
        them may be shorter than `min_seconds`. The silence of a long pause is left out there as
        well; so is what lies between several cuts in one pause, which count as one. Before the
        first speech and after the last a cut parts nothing, but no chunk reaches over it.
    probability
        Of speech, at which it begins, 0..1.
    """

    probability: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.probability < 1:
            raise OptionError(f"probability is between 0 and 1, not {self.probability!r}.")

    def _speech(self, recording: Recording | None, levels: Levels) -> NDArray[np.float64]:
        if recording is None:
            raise AudioError("Vad listens to the samples: plan the Recording, not its levels.")
        seconds = WINDOW / RATE
        frames = stretches(
            probability_of(recording),
            self.probability,
            max(self.probability - _LEAVE_BELOW, self.probability / 2),
            shortest_gap=round(self.min_pause / seconds),
            least_above=_MIN_WINDOWS,
        )
        found = frames.astype(np.float64) * seconds
        return np.minimum(found, levels.duration)

    def _choose(self, found: Places, longest: float, shortest: float) -> list[int] | None:
        return cheapest(found, longest, shortest, self.target_seconds)


def _session() -> Any:
    """Return the network, loaded once."""
    with _lock:
        return _load()


@cache
def _load() -> Any:
    package = importlib.util.find_spec("silero_vad")  # importing it would load torch
    folders = (package.submodule_search_locations or ()) if package else ()
    path = next((file for folder in folders if (file := Path(folder) / _MODEL).is_file()), None)
    if path is None:
        raise ModelError(
            "Finding speech needs silero-vad 6.2.2 or newer: pip install -U silero-vad"
        )
    try:
        import onnxruntime
    except ImportError as error:
        raise ModelError(
            f"Finding speech needs onnxruntime ({error}): pip install onnxruntime"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # the file holds unused values; each would be a warning
    return onnxruntime.InferenceSession(
        str(path), sess_options=options, providers=["CPUExecutionProvider"]
    )
