"""Pauses: speech against the noise floor, whatever the noise and however quiet the talker."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbasr import samples
from nbasr.audio.levels import RATE, Levels
from nbasr.chunking import automatic_above_floor_db, pauses, speech
from nbasr.chunking.pauses import stretches
from nbasr.errors import AudioError, OptionError


def noise(seconds: float, level_db: float, tilt: float = 0.0, seed: int = 0) -> np.ndarray:
    """Return float samples of noise; `tilt` 0.5 is pink."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(round(seconds * RATE)))
    spectrum[1:] /= np.arange(1, len(spectrum)) ** tilt
    values = np.fft.irfft(spectrum, round(seconds * RATE))
    return values / np.sqrt((values**2).mean()) * 32768 * 10 ** (level_db / 20)


def pcm(sound: np.ndarray) -> np.ndarray:
    return np.rint(sound).clip(-32768, 32767).astype(np.int16)


def conversation(
    spans: list[tuple[float, float, float]], seconds: float, floor_db: float
) -> np.ndarray:
    """Return noise at `floor_db` with syllables over each (start, stop, level)."""
    sound = noise(seconds, floor_db)
    for start, stop, level_db in spans:
        first, last = round(start * RATE), round(stop * RATE)
        syllables = 0.35 + 0.65 * np.abs(np.sin(np.pi * 4 * np.arange(last - first) / RATE))
        sound[first:last] += (
            syllables * noise((last - first) / RATE, level_db, 0.5, first)[: last - first]
        )
    return pcm(sound)


@pytest.mark.parametrize("level_db", [-20, -60, -85])
@pytest.mark.parametrize("tilt", [0.0, 0.5])  # white, pink
def test_steady_noise_is_no_speech(level_db, tilt):
    levels = Levels.of(pcm(noise(120, level_db, tilt)))
    assert len(speech(levels)) == 0
    assert pauses(levels).tolist() == [[0.0, 120.0]]


def test_rumble_is_hardly_taken_for_speech():
    brown = Levels.of(pcm(noise(120, -20, 1.0)))
    assert np.diff(speech(brown)).sum() < 0.05 * 120


def test_hum_is_no_speech():
    hum = 3000 * np.sin(2 * np.pi * 50 * np.arange(60 * RATE) / RATE)
    assert len(speech(Levels.of(pcm(hum + noise(60, -60))))) == 0


@pytest.mark.parametrize("seconds", [0, 0.004, 60])
def test_digital_silence_is_no_speech(seconds):
    assert len(speech(Levels.of(np.zeros(round(seconds * RATE), np.int16)))) == 0


def test_somebody_30_db_below_the_others_is_found_whole():
    loud = [(start, start + 3.5, -18.0) for start in range(1, 60, 10)]
    quiet = [(start + 5.0, start + 8.5, -48.0) for start in range(1, 60, 10)]
    found = speech(Levels.of(conversation(loud + quiet, 61, -62)))
    assert len(found) == 12
    np.testing.assert_allclose(found, [span[:2] for span in sorted(loud + quiet)], atol=0.15)


def test_pauses_are_found_over_a_floor_that_rises_while_people_talk():
    spans = [(start + 0.5, start + 2.5, -20.0) for start in range(0, 240, 3)]
    sound = conversation(spans, 240, -70).astype(np.float64)
    sound[120 * RATE :] += noise(120, -46)
    found = speech(Levels.of(pcm(sound)))
    away = np.abs(found[:, 0] - 120) > 15  # around the change the floor is between the two
    np.testing.assert_allclose(
        found[away], [s[:2] for s in spans if abs(s[0] - 120) > 15], atol=0.1
    )


def test_pauses_behind_a_noise_gate_are_found():
    spans = [(start + 0.5, start + 2.0, -25.0) for start in range(0, 60, 3)]
    sound = conversation(spans, 60, -60)
    for start, stop in zip(
        [0.0, *(s[1] for s in spans)], [*(s[0] for s in spans), 60.0], strict=True
    ):
        sound[round(start * RATE) : round(stop * RATE)] = 0
    np.testing.assert_allclose(speech(Levels.of(sound)), [s[:2] for s in spans], atol=0.02)


def test_a_click_is_no_speech_and_a_short_word_is():
    sound = conversation([(4.0, 4.25, -20.0)], 10, -60)
    sound[2 * RATE : 2 * RATE + 300] = 20_000
    np.testing.assert_allclose(speech(Levels.of(sound)), [[4.0, 4.25]], atol=0.03)


def test_the_level_at_which_speech_begins_can_be_given():
    levels = Levels.of(conversation([(1, 3, -20.0), (5, 7, -40.0)], 8, -60))
    assert len(speech(levels)) == 2
    np.testing.assert_allclose(speech(levels, threshold_db=-35), [[1, 3]], atol=0.15)
    assert len(speech(levels, threshold_db=0)) == 0
    assert len(speech(levels, above_floor_db=5)) == 2
    assert len(speech(levels, above_floor_db=80)) == 0


@pytest.mark.parametrize(
    ("loud_db", "decibels"), [(-50, 8.0), (-12, 10.0), (0, 12.4), (15, 15.0)]
)  # of noise at -62 dBFS: a fifth of the way, and no less or more than the limits
def test_what_is_said_of_no_level_is_a_fifth_of_the_way_to_the_loud_parts(loud_db, decibels):
    quiet, loud = np.full(900, -62, np.float32), np.full(100, loud_db, np.float32)
    levels = Levels(np.concatenate([quiet, loud]), (np.zeros((1, 2), np.int16),), 160_000)
    assert automatic_above_floor_db(levels) == pytest.approx(decibels, abs=1e-4)


@given(spans=st.lists(st.tuples(st.floats(0, 30), st.floats(-45, -10)), max_size=8))
@settings(max_examples=30, deadline=None)
def test_speech_begins_at_the_automatic_level_where_none_is_given(spans):
    spans = [(start, start + 1.5, level) for start, level in spans]
    levels = Levels.of(conversation(spans, 32, -60))
    above = automatic_above_floor_db(levels)
    assert 8 <= above <= 15
    np.testing.assert_array_equal(speech(levels), speech(levels, above_floor_db=above))


def test_a_pause_shorter_than_the_shortest_does_not_divide():
    levels = Levels.of(conversation([(1, 3, -20.0), (3.4, 5, -20.0)], 6, -60))
    assert len(speech(levels, min_pause=0.3)) == 2
    assert len(speech(levels, min_pause=0.6)) == 1
    assert len(pauses(levels, min_pause=0.6)) == 2  # before and after


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"min_pause": -1}, "min_pause is 0 s or more, not -1"),
        ({"min_pause": float("nan")}, "min_pause is 0 s or more, not nan"),
        ({"threshold_db": 5}, "threshold_db is a level from -100 to 0 dBFS, not 5"),
        ({"threshold_db": float("nan")}, "threshold_db is a level from -100 to 0 dBFS"),
        ({"above_floor_db": 0}, "above_floor_db is between 0 and 100 dB, not 0"),
    ],
)
def test_impossible_numbers_are_refused(given, message):
    with pytest.raises(OptionError, match=message):
        speech(Levels.of(np.zeros(RATE, np.int16)), **given)


def slow_stretches(values, enter, leave, shortest_gap, least_above):
    """Do what `stretches` says, one frame after the other."""
    runs, start = [], None
    for frame, value in enumerate([*values, -np.inf]):
        if value > leave and start is None:
            start = frame
        elif value <= leave and start is not None:
            above = sum(part > enter for part in values[start:frame])
            if above:
                runs.append([start, frame, above])
            start = None
    joined = []
    for run in runs:
        if joined and run[0] - joined[-1][1] < max(shortest_gap, 1):
            joined[-1] = [joined[-1][0], run[1], joined[-1][2] + run[2]]
        else:
            joined.append(run)
    return [run[:2] for run in joined if run[2] >= least_above]


@given(
    values=st.lists(st.integers(0, 10), max_size=80),
    leave=st.integers(2, 6),
    rise=st.integers(0, 3),
    shortest_gap=st.integers(0, 6),
    least_above=st.integers(1, 4),
)
@settings(max_examples=300, deadline=None)
def test_hysteresis_is_as_frame_by_frame(values, leave, rise, shortest_gap, least_above):
    found = stretches(
        np.array(values, np.float32),
        leave + rise,
        leave,
        shortest_gap=shortest_gap,
        least_above=least_above,
    )
    assert found.tolist() == slow_stretches(values, leave + rise, leave, shortest_gap, least_above)


@given(
    values=st.lists(st.sampled_from([-100.0, -70.0, -60.0, -59.0, -50.0, -20.0]), max_size=300),
    threshold_db=st.sampled_from([None, -65.0, -40.0]),
    min_pause=st.sampled_from([0.0, 0.05, 0.2]),
)
@settings(max_examples=200, deadline=None)
def test_speech_and_pauses_make_up_the_recording(values, threshold_db, min_pause):
    levels = Levels(np.array(values, np.float32), (np.zeros((1, 2), np.int16),), 160 * len(values))
    spoken = speech(levels, threshold_db=threshold_db, min_pause=min_pause)
    silent = pauses(levels, threshold_db=threshold_db, min_pause=min_pause)
    edges = np.sort(np.concatenate([spoken, silent]), axis=0)
    assert (np.diff(edges, axis=1) > 0).all()
    assert (edges[1:, 0] >= edges[:-1, 1] - 1e-9).all()
    inner = silent[(silent[:, 0] > 0) & (silent[:, 1] < levels.duration)]
    assert len(inner) == max(len(spoken) - 1, 0)
    if len(spoken):  # only silence at the ends may be too short to be a pause
        total = np.diff(edges, axis=1).sum()
        assert levels.duration - 2 * min_pause - 1e-6 <= total <= levels.duration + 1e-6


def test_recordings_are_as_good_as_their_levels():
    meeting = samples.open("meeting")
    assert automatic_above_floor_db(meeting) == automatic_above_floor_db(meeting.levels())
    for find in (speech, pauses):
        assert find(meeting).tolist() == find(meeting.levels()).tolist() != []
        with pytest.raises(AudioError):
            find(7)


@pytest.mark.data
def test_turns_of_the_meeting_start_where_they_do(data):
    import json

    import soundfile

    sound, _ = soundfile.read(data / "checkpoints" / "meeting.flac", dtype="int16")
    truth = json.loads((data / "checkpoints" / "meeting.json").read_text())["turns"]
    found = speech(Levels.of(sound))
    late = [np.abs(found[:, 0] - turn["start"]).min() for turn in truth]
    early = [np.abs(found[:, 1] - turn["stop"]).min() for turn in truth]
    assert np.mean(np.array(late) <= 0.15) == 1.0
    assert np.mean(np.array(early) <= 0.15) == 1.0
    assert len(found) == sum(len(turn["pieces"]) for turn in truth)
