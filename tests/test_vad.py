"""VAD: the network run as its authors run it, without torch, and plans from what it hears."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nbasr import samples
from nbasr.audio.levels import RATE, Levels
from nbasr.audio.recording import Recording
from nbasr.chunking import Optimal, Vad
from nbasr.chunking.vad import WINDOW, speech_probability
from nbasr.errors import AudioError


@pytest.fixture(scope="module")
def meeting() -> Recording:
    return samples.open("meeting")


def test_probabilities_are_those_of_the_streaming_network(meeting):
    import onnxruntime

    package = importlib.util.find_spec("silero_vad")
    path = Path(package.submodule_search_locations[0]) / "data" / "silero_vad_16k_op15.onnx"
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    network = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    sound = meeting.read(0, 20.01)  # more than a block of 512 windows, and a part of a window
    padded = np.pad(sound, (64, -len(sound) % WINDOW)).astype(np.float32)
    state, expected = np.zeros((2, 1, 128), np.float32), []
    for at in range(0, len(padded) - 64, WINDOW):
        window = padded[None, at : at + 64 + WINDOW]
        given = {"input": window, "state": state, "sr": np.array(RATE, np.int64)}
        found, state = network.run(None, given)
        expected.append(found[0, 0])
    found = speech_probability(sound)
    assert found.shape == (626,)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_16_bit_samples_are_heard_as_floats_are(meeting):
    whole = np.asarray(meeting.samples[: 5 * RATE])
    found = speech_probability(whole)
    np.testing.assert_allclose(found, speech_probability(meeting.read(0, 5)), atol=1e-5)
    assert found[40:100].min() > 0.5  # "good morning everyone"


@pytest.mark.parametrize("size", [0, 1, WINDOW, WINDOW + 1])
def test_every_length_has_a_probability_per_window(size):
    assert speech_probability(np.zeros(size, np.int16)).shape == (-(-size // WINDOW),)


@pytest.mark.parametrize("sound", [np.zeros((2, 10), np.float32), np.zeros(10, np.float64)])
def test_only_mono_samples_are_heard(sound):
    with pytest.raises(AudioError, match="mono samples"):
        speech_probability(sound)


def test_torch_is_not_loaded():
    code = (
        "import sys, numpy as np; from nbasr.chunking.vad import speech_probability as heard; "
        "heard(np.zeros(999, np.int16)); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_turns_of_the_meeting_are_heard_and_not_cut(meeting):
    turns = samples.reference("meeting").turns
    plan = Vad(max_seconds=6).plan(meeting)
    pieces = [(piece.start, piece.stop) for turn in turns for piece in turn.pieces]
    assert plan.share_of_cuts_in(pieces) == 0
    assert plan.longest <= 6
    starts = np.array(plan.speech)[:, 0]
    away = np.array([np.abs(starts - turn.start).min() for turn in turns])
    assert np.mean(away < 0.3) >= 0.95
    assert plan.strategy == "Vad(max_seconds=6)"


def test_noise_is_not_speech_and_bursts_of_it_are_not_either():
    rng = np.random.default_rng(0)
    sound = rng.standard_normal(30 * RATE) * 30
    for start in range(2, 30, 4):
        sound[start * RATE : (start + 1) * RATE] *= 100
    recording = Recording.open((sound.astype(np.int16), RATE))
    assert len(Optimal().plan(recording).speech) == 7  # by level, bursts are as good as speech
    plan = Vad().plan(recording)
    assert plan.chunks == ()
    assert plan.skipped == ((0.0, 30.0),)


def test_levels_alone_cannot_be_heard():
    with pytest.raises(AudioError, match="plan the Recording"):
        Vad().plan(Levels.of(np.zeros(RATE, np.int16)))


@pytest.mark.data
@pytest.mark.parametrize("name", ["noise4.wav", "noise5.wav", "silence2sec.wav"])
def test_recorded_noise_is_not_speech(data, name):
    recording = Recording.open(data / "speech" / "nonspeech" / name)
    assert np.mean(speech_probability(recording.samples) > 0.5) < 0.05


@pytest.mark.data
def test_real_talkers_are_heard_where_they_were_annotated(data):
    recording = Recording.open(data / "speech" / "picovoice" / "falcon_test.wav")
    plan = Vad(max_seconds=8).plan(recording)
    truth = [(1.7, 3.9), (6.2, 11.1), (12.8, 18.0)]
    assert plan.share_of_cuts_in(truth) == 0
    found = [(chunk.start, chunk.stop) for chunk in plan.chunks]
    assert len(found) == 3
    np.testing.assert_allclose(found, truth, atol=0.6)
