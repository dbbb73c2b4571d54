"""Preparation that a person asks for: another loudness, less noise. Nothing here happens by itself.

Each function returns a new `Recording`, kept in the cache like a decoded one, so that asking for
the same again takes no time. Both work block by block.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbasr.audio import cache
from nbasr.audio._opening import Opened
from nbasr.audio._wav import HEADER_BYTES
from nbasr.audio._writer import Writer
from nbasr.audio.levels import RATE
from nbasr.audio.recording import Recording
from nbasr.errors import AudioError, OptionError, did_you_mean

PEAK_GUARD = 0.95
"""Highest sample after a change of loudness: a gain that would pass it is lowered to reach it."""

_METHODS = ("rms", "ebu")
_BLOCK = 60 * RATE  # samples worked on at once
_MARGIN = 2 * RATE  # of sound around a block, so that its edges are not heard
_NOISE = 2.0  # s of the quietest sound, from which the noise is learnt
_STEP = RATE // 10  # samples: EBU R128 measures 400 ms every 100 ms
_ABSOLUTE_GATE, _RELATIVE_GATE = -70.0, -10.0  # LUFS and LU: ITU-R BS.1770-4, annex 1


def loudness(recording: Recording, target_db: float = -20.0, method: str = "rms") -> Recording:
    """Return the recording at another loudness, by one gain for all of it.

    Parameters
    ----------
    recording
        Not changed.
    target_db
        Level to reach: dBFS of the root mean square, or LUFS.
    method
        ``rms``: root mean square over all samples. ``ebu``: integrated loudness after EBU R128
        (K-weighted, pauses left out), which is closer to what is heard; needs the extra
        ``nbasr[prepare]``.

    Returns
    -------
    Recording
        Its peak is at 0.95 at most: a gain that would clip is lowered.

    Raises
    ------
    OptionError
        If `method` or `target_db` is impossible.
    AudioError
        If the recording is silent, or the extra is missing.
    """
    if method not in _METHODS:
        raise OptionError(
            f"method is rms or ebu, not {method!r}.{did_you_mean(str(method), _METHODS)}"
        )
    if not -70 <= target_db <= 0:
        raise OptionError(f"target_db is from -70 to 0 dB, not {target_db!r}.")
    now_db = _rms_db(recording) if method == "rms" else _integrated_db(recording)
    if not np.isfinite(now_db):
        raise AudioError(f"{recording.name} is silent, so no gain gives it a loudness.")
    peak = 10 ** (recording.levels().peak_db / 20)
    gain = np.float32(min(10 ** ((target_db - now_db) / 20), PEAK_GUARD / peak))

    def blocks() -> Iterator[NDArray[np.float32]]:
        for block in _blocks(recording):
            yield block * gain

    return _derived(recording, f"{method} {target_db:g} dB", blocks)


def denoise(recording: Recording, amount: float = 0.9) -> Recording:
    """Return the recording with less steady background noise, by spectral gating (noisereduce).

    The noise is learnt from the quietest two seconds. Recognisers are trained on noisy sound, and
    artefacts can cost more words than the noise did: compare before you keep it.

    Parameters
    ----------
    recording
        Not changed.
    amount
        Share of the noise that is taken away, above 0, at most 1.

    Raises
    ------
    OptionError
        If `amount` is impossible.
    AudioError
        If the extra ``nbasr[prepare]`` is missing.
    """
    if not 0 < amount <= 1:
        raise OptionError(f"amount is above 0 and at most 1, not {amount!r}.")
    noisereduce = _extra("noisereduce")
    start = _quietest(recording)
    noise = recording.read(start, start + _NOISE)

    def blocks() -> Iterator[NDArray[np.float32]]:
        samples = recording.samples
        for first in range(0, len(samples), _BLOCK):
            before = min(first, _MARGIN)
            around = samples[first - before : first + _BLOCK + _MARGIN].astype(np.float32)
            cleaned = noisereduce.reduce_noise(
                around / np.float32(32768),
                RATE,
                stationary=True,
                y_noise=noise,
                prop_decrease=amount,
                n_fft=512,
            )
            yield cleaned[before : before + _BLOCK].astype(np.float32) * np.float32(32768)

    return _derived(recording, f"denoised {amount:g}", blocks)


def _extra(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError:
        package = name.partition(".")[0]
        raise AudioError(
            f'{package} is not installed; install it with: pip install "nbasr[prepare]"'
        ) from None


def _blocks(recording: Recording) -> Iterator[NDArray[np.float32]]:
    """Give all samples, with full scale at 32768."""
    samples = recording.samples
    for start in range(0, len(samples), _BLOCK):
        yield samples[start : start + _BLOCK].astype(np.float32)


def _rms_db(recording: Recording) -> float:
    energy = sum(float(np.vdot(block, block)) for block in _blocks(recording)) / 32768**2
    return 10 * np.log10(energy / len(recording.samples)) if energy else -np.inf


def _integrated_db(recording: Recording) -> float:
    """Return the integrated loudness in LUFS after ITU-R BS.1770-4, with pyloudnorm's filters.

    pyloudnorm's own meter wants the whole recording in memory as float64, several times over.
    """
    filters = _extra("pyloudnorm.iirfilter").IIRfilter
    signal = _extra("scipy.signal")
    weighting = [  # the K-weighting: the head's high shelf, then a high-pass
        filters(4.0, 1 / np.sqrt(2), 1500.0, RATE, "high_shelf"),
        filters(0.0, 0.5, 38.0, RATE, "high_pass"),
    ]
    states: list[Any] = [np.zeros(2), np.zeros(2)]
    energies = []
    for block in _blocks(recording):  # a whole number of steps, but for the last
        heard = block.astype(np.float64) / 32768
        for at, stage in enumerate(weighting):
            heard, states[at] = signal.lfilter(stage.b, stage.a, heard, zi=states[at])
        whole = heard[: len(heard) // _STEP * _STEP].reshape(-1, _STEP)
        energies.append(np.vecdot(whole, whole))
    steps = np.concatenate(energies)
    if len(steps) < 4:
        raise AudioError(
            f"{recording.name} is shorter than the 0.4 s that method='ebu' measures; "
            "use method='rms'."
        )
    power = np.convolve(steps, np.ones(4), "valid") / (4 * _STEP)
    with np.errstate(divide="ignore"):
        measured = -0.691 + 10 * np.log10(power)
        power = power[measured > _ABSOLUTE_GATE]
        measured = measured[measured > _ABSOLUTE_GATE]
        if not len(power):
            return -np.inf
        gate = -0.691 + 10 * np.log10(power.mean()) + _RELATIVE_GATE
        return float(-0.691 + 10 * np.log10(power[measured > gate].mean()))


def _quietest(recording: Recording) -> float:
    """Return where the quietest stretch begins in which there is any sound, in seconds."""
    levels = recording.levels()
    frames = round(_NOISE / levels.frame_seconds)
    if len(levels.rms_db) <= frames:
        return 0.0
    power = 10 ** (levels.rms_db.astype(np.float64) / 10)
    means = np.convolve(power, np.ones(frames) / frames, "valid")
    means[means < 1e-9] = np.inf  # digital silence teaches nothing
    return float(np.argmin(means)) * levels.frame_seconds


def _derived(
    recording: Recording, what: str, blocks: Callable[[], Iterator[NDArray[np.float32]]]
) -> Recording:
    """Return the recording made of `blocks`, from the cache if it was made before."""
    key = hashlib.sha256(f"{recording.fingerprint} {what}".encode()).hexdigest()[:32]

    def write(sound: Path, levels: Path) -> dict[str, Any]:
        with Writer(sound) as writer:
            for block in blocks():
                writer.add(block, RATE)
            writer.finish().save(levels)
        return {
            "own": True,
            "samples": writer.samples,
            "offset": HEADER_BYTES,
            "sample_rate": recording.sample_rate,
            "channels": recording.channels,
            "codec": recording.codec,
            "format": recording.format,
            "tags": dict(recording.tags),
            "problems": recording.problems,
        }

    name = f"{recording.name} ({what})"
    entry = cache.find(key) or cache.make(lambda: key, name, write)
    return Recording(name, None, Opened(key, entry))
