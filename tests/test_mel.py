"""Spectrogram tiles: what their bytes mean, that they fit together, what they cost."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from nbasr import Recording, samples
from nbasr.errors import AudioError, OptionError
from nbasr.widgets._mel import LOWEST_DB, STEPS_PER_DB, tile

librosa = pytest.importorskip("librosa")

RATE = 16_000


@pytest.fixture(scope="module")
def meeting() -> Recording:
    return samples.open("meeting")


def tone(hz: float, amplitude: float, seconds: float = 4.0, offset: float = 0.0) -> Recording:
    at = np.arange(round(seconds * RATE)) / RATE
    return Recording.open(
        ((amplitude * np.sin(2 * np.pi * hz * at) + offset).astype(np.float32), RATE)
    )


def bands_db(
    recording: Recording, start: float, seconds: float, columns: int, mels: int = 80
) -> NDArray:
    found = np.frombuffer(tile(recording, start, seconds, columns, mels=mels), np.uint8)
    return found.reshape(mels, columns) / STEPS_PER_DB + LOWEST_DB


@pytest.mark.parametrize("hz", [300, 1000, 3000, 6000])
def test_a_tone_stands_in_the_band_of_its_frequency_at_its_level(hz: int) -> None:
    shown = bands_db(tone(hz, 0.5), 1, 2, 64)
    middles = librosa.mel_frequencies(n_mels=82, fmin=0, fmax=8000)[1:-1]
    nearest = int(np.abs(middles - hz).argmin())
    assert np.abs(shown.argmax(axis=0) - nearest).max() <= 1
    total = 10 * np.log10((10 ** (shown / 10)).sum(axis=0))
    assert total == pytest.approx(20 * np.log10(0.5) - 3.01, abs=0.7)


def test_digital_silence_is_the_lowest_byte_and_a_constant_offset_is_silence() -> None:
    assert set(tile(tone(440, 0.0), 0, 2, 64)) == {0}
    assert set(tile(tone(440, 0.0, offset=0.5), 1, 2, 64)) == {0}


def test_what_lies_outside_the_recording_is_silence(meeting: Recording) -> None:
    after = bands_db(meeting, meeting.duration - 1, 4, 64)
    assert (after[:, 20:] == LOWEST_DB).all()
    assert (after[:, :12] > LOWEST_DB).any()
    assert set(tile(meeting, -100, 4, 64)) == {0}


@settings(max_examples=25)
@given(zoom=st.integers(-1, 6), index=st.integers(0, 6))
def test_tiles_side_by_side_are_what_one_tile_over_both_is(
    meeting: Recording, zoom: int, index: int
) -> None:
    seconds = 2.0**zoom
    start = index * seconds
    left = bands_db(meeting, start, seconds, 256)
    right = bands_db(meeting, start + seconds, seconds, 256)
    both = bands_db(meeting, start, 2 * seconds, 512)
    # Sums in another order may round to the next byte.
    assert np.abs(np.hstack([left, right]) - both).max() < 1.01 / STEPS_PER_DB


def test_a_tile_equals_librosas_mel_spectrogram(meeting: Recording) -> None:
    first, count, hop = 16_000, 40, 160
    shown = bands_db(meeting, first / RATE, count * hop / RATE, count)
    # A column's frame lies around its middle; librosa's, without centring, begin at their hop.
    begin = first + hop // 2 - 256
    sound = np.array(meeting.samples[begin : begin + count * hop + 512]) / 32768.0
    window = np.pad(librosa.filters.get_window("hann", 400), 56)
    power = librosa.feature.melspectrogram(
        y=sound, sr=RATE, n_fft=512, hop_length=hop, window=window, center=False, n_mels=80,
        norm=None,
    )[:, :count]  # fmt: skip
    wanted = librosa.power_to_db(power * 2 / (512 * np.sum(window**2)), amin=1e-10, top_db=None)
    assert np.abs(shown - wanted).mean() < 0.5
    assert np.percentile(np.abs(shown - wanted), 95) < 1.0


def test_hours_in_a_tile_are_measured_at_a_few_places(meeting: Recording) -> None:
    class Counting:
        """Stands for the samples; counts how many are read."""

        def __init__(self) -> None:
            self.read = 0

        def __len__(self) -> int:
            return 3 * 3600 * RATE

        def __getitem__(self, at: NDArray[np.int64]) -> NDArray[np.int16]:
            self.read += len(at)
            return np.zeros(len(at), np.int16)

    class Long:
        samples = Counting()

    tile(Long(), 0.0, 2.0**14, 256)  # type: ignore[arg-type]
    assert 0 < Long.samples.read <= 256 * 8 * 400


@pytest.mark.parametrize(
    ("start", "seconds", "columns", "mels", "told"),
    [
        (0.0, 0.0, 256, 80, "lasts longer than 0"),
        (float("nan"), 1.0, 256, 80, "starts at some second"),
        (0.0, 1.0, 0, 80, "columns is from 1 to 4096, not 0"),
        (0.0, 1.0, 10**9, 80, "columns is from 1 to 4096"),
        (0.0, 1.0, 256, 1000, "mels is from 1 to 128, not 1000"),
    ],
)
def test_impossible_numbers_are_told(
    meeting: Recording, start: float, seconds: float, columns: int, mels: int, told: str
) -> None:
    with pytest.raises(OptionError, match=told):
        tile(meeting, start, seconds, columns, mels=mels)


def test_without_librosa_it_says_how_to_get_it(
    meeting: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "librosa", None)
    with pytest.raises(AudioError, match="pip install librosa"):
        tile(meeting, 0, 1, 16)
