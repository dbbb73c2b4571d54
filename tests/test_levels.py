"""Levels: decibels per frame, the pyramid, the noise floor, and their file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbasr.audio.levels import FRAME, RATE, Levels, LevelsBuilder
from nbasr.errors import AudioError


def noise(seconds: float, level_db: float, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    return np.rint(values * 32768 * 10 ** (level_db / 20)).clip(-32768, 32767).astype(np.int16)


def extremes(seconds: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-32768, 32768, round(seconds * RATE), np.int16)


@given(
    samples=st.integers(0, 600_000),
    blocks=st.lists(st.integers(0, 300_000), min_size=1, max_size=6),
    seed=st.integers(0, 100),
)
@settings(max_examples=30, deadline=None)
def test_blocks_of_any_length_give_the_levels_of_the_whole(samples, blocks, seed):
    sound = extremes(40, seed)[:samples]
    builder, at = LevelsBuilder(), 0
    while at < len(sound):
        for size in blocks:
            builder.add(sound[at : at + size + 1])
            at += size + 1
    streamed, whole = builder.finish(), Levels.of(sound)
    assert streamed.samples == whole.samples == samples
    np.testing.assert_array_equal(streamed.rms_db, whole.rms_db)
    assert len(streamed.peaks) == len(whole.peaks)
    for one, other in zip(streamed.peaks, whole.peaks, strict=True):
        np.testing.assert_array_equal(one, other)


def test_levels_are_root_mean_squares_against_full_scale():
    sound = extremes(3.0)
    frames = (sound.astype(np.float64) / 32768).reshape(-1, FRAME)
    expected = 20 * np.log10(frames.std(axis=1))
    np.testing.assert_allclose(Levels.of(sound).rms_db, expected, atol=1e-3)


def test_a_full_square_wave_is_at_0_db_and_does_not_overflow():
    levels = Levels.of(np.tile(np.array([-32768, 32767], np.int16), RATE // 2))
    np.testing.assert_allclose(levels.rms_db, 0.0, atol=1e-3)
    assert levels.peak_db == 0.0
    assert levels.envelope(0, 1, 10).min() == -1.0


def test_the_last_frame_counts_only_its_own_samples():
    levels = Levels.of(np.tile(np.array([-16384, 16384], np.int16), FRAME // 2 + 8))
    np.testing.assert_allclose(levels.rms_db, -6.0206, atol=1e-3)


@pytest.mark.parametrize("offset", [-32768, -5000, 1, 32767])
def test_a_constant_offset_is_silence(offset):
    levels = Levels.of(np.full(RATE + 50, offset, np.int16))
    assert (levels.rms_db == -100).all()
    around = (noise(1.0, -50) // 4 + offset // 2).astype(np.int16)
    np.testing.assert_allclose(Levels.of(around).rms_db.mean(), -62, atol=0.5)


def test_an_empty_recording_has_no_frames_and_no_floor():
    levels = Levels.of(np.empty(0, np.int16))
    assert levels.rms_db.shape == (0,)
    assert levels.duration == 0
    assert levels.noise_floor_db == levels.peak_db == levels.loud_db == -100
    assert not levels.envelope(0, 1, 5).any()


@pytest.mark.parametrize("samples", [1, 255, 256, 257, 300_000])
def test_every_pyramid_level_holds_the_extremes_of_its_bins(samples):
    sound = extremes(20)[:samples]
    for level, peaks in enumerate(Levels.of(sound).peaks):
        size = 256 * 4**level
        bins = [sound[at : at + size] for at in range(0, samples, size)]
        np.testing.assert_array_equal(peaks, [(part.min(), part.max()) for part in bins])


@given(start=st.floats(-5, 25), length=st.floats(0.001, 30), columns=st.integers(1, 500))
@settings(max_examples=60, deadline=None)
def test_the_envelope_follows_a_slow_wave_wherever_one_looks(start, length, columns):
    times = np.arange(20 * RATE) / RATE
    wave = np.rint(20_000 * np.sin(2 * np.pi * times / 40)).astype(np.int16)  # one rise and fall
    drawn = Levels.of(wave).envelope(start, start + length, columns)
    middles = start + (np.arange(columns) + 0.5) * length / columns
    inside = (middles > 0.05) & (middles < 19.95)
    expected = 20_000 / 32768 * np.sin(2 * np.pi * middles / 40)
    slack = 0.1 * (length / columns + 0.032) + 1e-3  # a column or a bin of 16 ms to either side
    assert (drawn[inside, 0] <= expected[inside] + slack).all()
    assert (drawn[inside, 1] >= expected[inside] - slack).all()
    assert (drawn[inside, 0] >= expected[inside] - 3 * slack).all()
    outside = (middles < -length / columns) | (middles > 20 + length / columns)
    assert not drawn[outside].any()


def test_a_loud_instant_is_seen_at_every_zoom():
    sound = np.zeros(100 * RATE, np.int16)
    sound[50 * RATE + 77] = 30_000
    levels = Levels.of(sound)
    for start, stop, columns in [(0, 100, 7), (0, 100, 800), (49, 52, 800), (49.9, 50.1, 3000)]:
        assert levels.envelope(start, stop, columns).max() == pytest.approx(30_000 / 32768)


def test_levels_come_back_from_their_file(tmp_path: Path):
    levels = Levels.of(extremes(31.003))
    levels.save(tmp_path / "a.levels.npz")
    again = Levels.load(tmp_path / "a.levels.npz")
    assert again.samples == levels.samples
    np.testing.assert_array_equal(again.rms_db, levels.rms_db)
    for one, other in zip(again.peaks, levels.peaks, strict=True):
        np.testing.assert_array_equal(one, other)
    assert [file.name for file in tmp_path.iterdir()] == ["a.levels.npz"]


@pytest.mark.parametrize("damage", ["missing", "cut", "text", "other"])
def test_a_damaged_file_of_levels_is_named(tmp_path: Path, damage):
    path = tmp_path / "a.npz"
    Levels.of(extremes(2.0)).save(path)
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:500])
    elif damage == "text":
        path.write_text("no levels")
    else:
        np.savez(path, about=np.array([1, 5000]), rms_db=np.zeros(3, np.float32), peaks=[[1]])
    with pytest.raises(AudioError, match=r"a\.npz does not hold levels; delete it"):
        Levels.load(path)


def test_levels_that_cannot_be_written_leave_nothing_behind(tmp_path: Path):
    (tmp_path / "a.npz").mkdir()
    with pytest.raises(AudioError, match=r"Cannot write .*a\.npz"):
        Levels.of(extremes(1.0)).save(tmp_path / "a.npz")
    assert [file.name for file in tmp_path.iterdir()] == ["a.npz"]


@pytest.mark.parametrize("sound", [np.zeros(10, np.float32), np.zeros((10, 2), np.int16)])
def test_only_mono_16_bit_samples_are_measured(sound):
    with pytest.raises(AudioError, match="mono 16-bit"):
        Levels.of(sound)


def test_levels_cannot_be_changed():
    levels = Levels.of(extremes(1.0))
    for array in (levels.rms_db, levels.peaks[0], levels.excess_db, levels.floor_nodes):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


@pytest.mark.parametrize("level_db", [-20, -60, -85])
def test_the_floor_of_noise_is_its_level(level_db):
    assert Levels.of(noise(30, level_db)).noise_floor_db == pytest.approx(level_db, abs=1)


def test_the_floor_lies_below_the_pauses_of_loud_and_quiet_talkers():
    sound = noise(60, -62).astype(np.int32)
    for start in range(0, 60, 3):  # 2 s of every 3 s
        sound[start * RATE : (start + 2) * RATE] += noise(2, -20 - 25 * (start % 2), start)
    assert Levels.of(sound.astype(np.int16)).noise_floor_db == pytest.approx(-62, abs=1)


def test_digital_silence_is_no_floor_where_there_is_real_noise():
    sound = np.concatenate([np.zeros(40 * RATE, np.int16), noise(30, -60), noise(30, -20)])
    assert Levels.of(sound).noise_floor_db == pytest.approx(-60, abs=1)


def test_digital_silence_is_the_floor_behind_a_noise_gate():
    rng = np.random.default_rng(1)
    bursts = [noise(0.3, rng.uniform(-70, -10), seed) for seed in range(100)]
    sound = np.concatenate([part for burst in bursts for part in (burst, np.zeros(RATE // 3))])
    assert Levels.of(sound.astype(np.int16)).noise_floor_db == -100


def excess_of(rms_db: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """Do what `Levels.floor_nodes` says, one frame after the other, as a browser would."""
    groups = len(rms_db) // 10
    excess = np.empty(len(rms_db))
    for frame, level in enumerate(rms_db.tolist()):
        x = 10 * min(frame // 10, groups - 1)
        after = next((at for at, (place, _) in enumerate(nodes) if place > x), len(nodes))
        if len(nodes) == 1 or after == 0:
            floor = nodes[0][1]
        elif after == len(nodes):
            floor = nodes[-1][1]
        else:
            (left, low), (right, high) = nodes[after - 1 : after + 1]
            floor = low + (high - low) * (x - left) / (right - left)
        excess[frame] = level - floor
    return excess


@pytest.mark.parametrize("seconds", [0.005, 0.09, 7.003, 29.99, 30.1, 31.0, 47.777, 95.0])
def test_the_excess_follows_from_the_nodes_of_the_floor(seconds):
    loud = noise(seconds, -30) * (np.arange(round(seconds * RATE)) // RATE % 3 == 1)
    rising = noise(seconds, -70) * np.linspace(1, 9, len(loud))
    levels = Levels.of(np.rint(loud * 0.8 + rising).clip(-32768, 32767).astype(np.int16))
    nodes = levels.floor_nodes
    assert nodes.dtype == np.float32
    assert nodes.shape == (1 if seconds < 30.1 else 1 + int((seconds - 30) // 5), 2)
    assert nodes[:, 0].tolist() == (
        [0] if seconds < 30.1 else [1500 + 500 * at for at in range(len(nodes))]
    )
    found = excess_of(levels.rms_db, nodes.tolist())
    np.testing.assert_allclose(found, levels.excess_db, atol=1e-3)


def test_the_nodes_of_the_floor_of_nothing_are_one():
    assert Levels.of(np.empty(0, np.int16)).floor_nodes.tolist() == [[0, -100]]


def test_a_rising_floor_is_followed():
    levels = Levels.of(np.concatenate([noise(120, -70), noise(120, -50)]))
    frames = levels.excess_db.reshape(-1, 100).mean(axis=1)  # per second
    assert np.abs(frames[:100]).max() < 2
    assert np.abs(frames[140:]).max() < 2
    assert levels.noise_floor_db == pytest.approx(-70, abs=1)
