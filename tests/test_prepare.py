"""Loudness and noise, changed only when asked."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from soundfiles import speechlike, tone

import nbasr
from nbasr import Recording
from nbasr.audio.prepare import denoise, loudness
from nbasr.errors import AudioError, OptionError


def rms_db(recording: Recording) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(recording.read().astype(np.float64) ** 2))))


def test_loudness_reaches_its_target() -> None:
    quiet = Recording.open((speechlike(150.0, 16000) * 0.1, 16000))
    louder = loudness(quiet, -26.0)
    assert rms_db(louder) == pytest.approx(-26.0, abs=0.02)
    assert len(louder.samples) == len(quiet.samples)
    assert rms_db(loudness(louder, -50.0)) == pytest.approx(-50.0, abs=0.02)


def test_preparation_is_reached_without_an_import_of_its_own() -> None:
    assert "prepare" in dir(nbasr)
    assert nbasr.prepare.loudness is loudness


def test_the_source_stays_as_it_is() -> None:
    quiet = Recording.open((tone(2.0, 16000, level=0.01), 16000))
    before = np.array(quiet.samples)
    louder = loudness(quiet)
    assert np.array_equal(quiet.samples, before)
    assert louder != quiet
    assert louder.name == "array (rms -20 dB)"
    assert louder == loudness(quiet)


def test_the_guard_keeps_peaks_below_095() -> None:
    sound = tone(2.0, 16000, level=0.001)
    sound[100] = 0.5
    louder = loudness(Recording.open((sound, 16000)), -6.0)
    assert np.abs(louder.read()).max() == pytest.approx(0.95, abs=1e-3)
    assert louder.problems == ()


def test_a_recording_at_full_scale_does_not_overflow() -> None:
    recording = Recording.open((np.full(16000, -32768, np.int16), 16000))
    assert np.abs(loudness(recording, 0.0).read()).max() == pytest.approx(0.95, abs=1e-3)


@pytest.mark.parametrize("seconds", [5.0, 61.3, 125.0])
def test_ebu_loudness_equals_pyloudnorms_meter(seconds: float) -> None:
    import pyloudnorm

    sound = speechlike(seconds, 16000)
    sound[: len(sound) // 3] *= 0.01  # gated
    levelled = loudness(Recording.open((sound, 16000)), -30.0, "ebu")
    measured = pyloudnorm.Meter(16000).integrated_loudness(levelled.read().astype(np.float64))
    assert measured == pytest.approx(-30.0, abs=0.02)


def test_denoise_takes_steady_noise_and_leaves_the_voice() -> None:
    random = np.random.default_rng(0)
    noise, voice = random.standard_normal((2, 16000 * 130)).astype(np.float32)
    noise *= 0.003
    voice *= np.where(np.arange(len(noise)) // 48000 % 2, np.float32(0.1), 0)
    noisy = Recording.open((voice + noise, 16000))
    clean = denoise(noisy)
    assert len(clean.samples) == len(noisy.samples)
    for minute in (0.0, 60.0, 120.0):  # pauses at its start, as in 0-3 s, over all blocks
        before, after = (
            np.sqrt(np.mean(recording.read(minute + 0.5, minute + 2.5) ** 2))
            for recording in (noisy, clean)
        )
        assert after < before / 3
        voiced = np.sqrt(np.mean(clean.read(minute + 3.5, minute + 5.5) ** 2))
        assert voiced == pytest.approx(0.1, rel=0.1)


def test_silence_has_no_loudness() -> None:
    silent = Recording.open((np.zeros(32000), 16000))
    for method in ("rms", "ebu"):
        with pytest.raises(AudioError, match="array is silent, so no gain gives it a loudness"):
            loudness(silent, method=method)


def test_impossible_options() -> None:
    recording = Recording.open((tone(1.0, 16000), 16000))
    with pytest.raises(OptionError, match=r"method is rms or ebu, not 'EBU'\. Did you mean 'ebu'"):
        loudness(recording, method="EBU")
    for target in (3.0, -100.0, float("nan")):
        with pytest.raises(OptionError, match="target_db is from -70 to 0 dB"):
            loudness(recording, target)
    with pytest.raises(OptionError, match="amount is above 0 and at most 1"):
        denoise(recording, 0.0)
    with pytest.raises(AudioError, match=r"shorter than the 0\.4 s that method='ebu' measures"):
        loudness(Recording.open((tone(0.3, 16000), 16000)), method="ebu")


def test_a_missing_extra_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    recording = Recording.open((tone(2.0, 16000), 16000))
    monkeypatch.setitem(sys.modules, "scipy.signal", None)  # comes with either
    with pytest.raises(AudioError, match=r'^scipy is not installed; .* "nbasr\[prepare\]"'):
        loudness(recording, method="ebu")
    for name in ("noisereduce", "pyloudnorm.iirfilter", "pyloudnorm"):
        monkeypatch.setitem(sys.modules, name, None)
    for call in (lambda: denoise(recording), lambda: loudness(recording, method="ebu")):
        with pytest.raises(
            AudioError, match=r'is not installed; .* pip install "nbasr\[prepare\]"'
        ):
            call()
    assert rms_db(loudness(recording, -30.0)) == pytest.approx(-30.0, abs=0.1)  # needs none
