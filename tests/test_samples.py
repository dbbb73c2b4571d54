"""The bundled meeting, its reference, and the long meetings made of it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nbasr import Recording, chunking, samples
from nbasr.audio.long_meeting import KEPT, RoomNoise, build, compose
from nbasr.errors import AudioError, OptionError

RATE = 16000
MEETING = samples.reference("meeting")


@pytest.fixture(scope="module")
def meeting() -> Recording:
    return samples.open("meeting")


@pytest.fixture(scope="module")
def three_minutes() -> tuple[Recording, samples.Reference]:
    return samples.long_meeting(3, seed=1)


def level_db(recording: Recording, start: float, stop: float) -> float:
    return 10 * np.log10(np.mean(recording.read(start, stop).astype(float) ** 2) + 1e-12)


def pieces(reference: samples.Reference) -> list[samples.Piece]:
    return [piece for turn in reference.turns for piece in turn.pieces]


def test_only_what_is_for_people_is_completed() -> None:
    for module in (samples, chunking):
        assert set(dir(module)) == set(module.__all__)
        assert all(hasattr(module, name) for name in dir(module))


def test_the_meeting_is_small_and_of_the_told_length(meeting: Recording) -> None:
    assert samples.path("meeting").stat().st_size <= 400_000
    assert meeting.duration == pytest.approx(MEETING.duration, abs=0.001)
    assert len(meeting.samples) == round(MEETING.duration * RATE)


def test_what_is_bundled_can_be_listed_and_found() -> None:
    assert samples.names() == ("meeting",)
    assert samples.path("meeting").is_file()


@pytest.mark.parametrize("function", [samples.open, samples.path, samples.reference])
def test_an_unknown_name_gets_a_suggestion(function: object) -> None:
    with pytest.raises(OptionError, match=r"no sample recording 'meting'.* mean 'meeting'"):
        function("meting")  # type: ignore[operator]


def test_the_reference_is_whole() -> None:
    assert len(MEETING.turns) == 24
    assert len(MEETING.words) == 242
    assert MEETING.text.startswith("good morning everyone and welcome")
    assert MEETING.text.split() == [word.text for word in MEETING.words]
    assert {turn.speaker for turn in MEETING.turns} == {"anna", "david", "peter"}
    assert repr(MEETING) == "Reference(24 turns, 242 words, 100.3 s)"


def check_order(reference: samples.Reference) -> None:
    """Assert that pieces do not overlap, and hold their words, which follow one another."""
    for one, other in pairwise(pieces(reference)):
        assert one.stop < other.start
    for piece in pieces(reference):
        assert 0 < piece.start <= piece.words[0].start
        assert piece.words[-1].stop <= piece.stop < reference.duration
        assert all(0.04 < word.stop - word.start < 1.0 for word in piece.words)
        assert all(one.stop == other.start for one, other in pairwise(piece.words))


def test_the_reference_is_in_order() -> None:
    check_order(MEETING)


def test_every_turn_is_louder_than_the_pauses_around_it(meeting: Recording) -> None:
    stops = [0.0, *(turn.stop for turn in MEETING.turns)]
    starts = [*(turn.start for turn in MEETING.turns), MEETING.duration]
    pauses = [level_db(meeting, *pause) for pause in zip(stops, starts, strict=True)]
    for turn, before, after in zip(MEETING.turns, pauses, pauses[1:], strict=False):
        assert level_db(meeting, turn.start, turn.stop) > max(before, after) + 15


def test_one_talker_is_much_quieter(meeting: Recording) -> None:
    levels: dict[str, list[float]] = {}
    for turn in MEETING.turns:
        levels.setdefault(turn.speaker, []).append(level_db(meeting, turn.start, turn.stop))
    assert np.median(levels["peter"]) < np.median(levels["anna"]) - 10


def test_sound_begins_and_ends_where_the_reference_says(meeting: Recording) -> None:
    for turn in MEETING.turns:
        loud = np.flatnonzero(frames_db(meeting, turn.start - 0.1, turn.stop + 0.1) > -55)
        begins, ends = loud[0] * 0.005 - 0.1, (loud[-1] + 1) * 0.005 - 0.1
        soft = 0.15 if turn.speaker == "peter" else 0.05  # his first sounds drown in the room
        assert 0 <= begins <= soft, turn
        assert -0.15 <= ends - (turn.stop - turn.start) <= 0.01, turn


def frames_db(recording: Recording, start: float, stop: float) -> NDArray[np.float64]:
    """Return the levels of frames of 5 ms."""
    sound = recording.read(start, stop).astype(float)
    return 10 * np.log10((sound[: len(sound) // 80 * 80].reshape(-1, 80) ** 2).mean(1) + 1e-12)


def test_words_are_where_an_independent_alignment_finds_them(meeting: Recording) -> None:
    from pocketsphinx import Decoder

    decoder = Decoder(samprate=RATE, loglevel="FATAL")
    apart = []
    for piece in pieces(MEETING):
        start = piece.start - 0.2
        decoder.set_align_text(piece.text)
        decoder.reinit_feat()
        decoder.start_utt()
        sound = meeting.samples[round(start * RATE) : round((piece.stop + 0.2) * RATE)]
        decoder.process_raw(sound.tobytes(), full_utt=True)
        decoder.end_utt()
        found = [word for word in decoder.seg() if not word.word.startswith("<")]
        for one, word in zip(found, piece.words, strict=True):
            apart.append(abs(start + one.start_frame / 100 - word.start))
    assert np.median(apart) < 0.03
    assert np.quantile(apart, 0.95) < 0.1


@pytest.mark.data
def test_encoding_moved_nothing(meeting: Recording, data: Path) -> None:
    lossless = Recording.open(data / "checkpoints" / "meeting.flac")
    assert len(lossless.samples) == len(meeting.samples)
    for start in (5.0, 40.0, 90.0):
        one, other = (sound.read(start, start + 4) for sound in (lossless, meeting))
        spectrum = np.fft.rfft(one, 2**18).conj() * np.fft.rfft(other, 2**18)
        together = np.fft.irfft(spectrum, 2**20)  # four times as fine
        lag = int(together.argmax())
        assert abs((lag + 2**19) % 2**20 - 2**19) <= 4  # a quarter of 1/16 ms each


def test_a_cut_knows_the_word_it_splits() -> None:
    word = MEETING.words[1]
    assert MEETING.word_at((word.start + word.stop) / 2) == word
    assert MEETING.word_at(word.start) is None, "between two words"
    assert MEETING.word_at(0.0) is None
    assert MEETING.word_at(MEETING.duration) is None
    assert MEETING.word_at((MEETING.turns[0].stop + MEETING.turns[1].start) / 2) is None


def test_a_long_meeting_is_as_long_as_asked(
    three_minutes: tuple[Recording, samples.Reference],
) -> None:
    recording, reference = three_minutes
    assert recording.duration == reference.duration == 180.0
    assert 175 < reference.turns[-1].stop < 179.1
    check_order(reference)


def test_in_a_long_meeting_every_piece_sounds_at_its_time(
    meeting: Recording, three_minutes: tuple[Recording, samples.Reference]
) -> None:
    recording, reference = three_minutes
    source = {piece.text: piece for piece in pieces(MEETING)}
    placed = pieces(reference)
    assert len({piece.text for piece in placed}) > 25
    for piece in placed:
        origin = source[piece.text]
        assert [word.text for word in piece.words] == [word.text for word in origin.words]
        here = recording.read(piece.start, piece.stop)
        there = meeting.read(origin.start, origin.start + len(here) / RATE)
        assert np.corrcoef(here, there[: len(here)])[0, 1] > 0.98


def test_the_room_of_a_long_meeting_is_equally_loud_everywhere(
    three_minutes: tuple[Recording, samples.Reference],
) -> None:
    recording, reference = three_minutes
    gaps = [
        (one.stop + 0.02, other.start - 0.02)
        for one, other in pairwise(pieces(reference))
        if other.start - one.stop > 0.3
    ]
    levels = [level_db(recording, *gap) for gap in gaps]
    assert len(levels) > 10
    assert max(levels) - min(levels) < 3
    assert np.abs(np.median(levels) + 60) < 1
    assert frames_db(recording, 0, 180).min() > -70, "no digital silence"
    # A piece begins with some 20 ms of its own room, which must not add to the new one.
    quiet = [recording.read(piece.start, piece.start + 0.012) for piece in pieces(reference)]
    assert 20 * np.log10(np.std(np.concatenate(quiet))) == pytest.approx(-60, abs=1)


def test_a_second_call_finds_the_file(three_minutes: tuple[Recording, samples.Reference]) -> None:
    recording, reference = three_minutes
    assert recording.path is not None
    written = recording.path.stat().st_mtime_ns
    again, same = samples.long_meeting(3, seed=1)
    assert again.path == recording.path
    assert recording.path.stat().st_mtime_ns == written
    assert same == reference


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(
    meeting: Recording, tmp_path: Path
) -> None:
    made = [
        build(meeting.samples, MEETING, 1, seed, tmp_path / folder)[0]
        for seed, folder in [(0, "a"), (0, "b"), (1, "c")]
    ]
    one, same, other = (path.read_bytes() for path in made)
    assert one == same
    assert made[0].name == made[1].name != made[2].name
    assert one[44:] != other[44:]
    assert [path.name for path in (tmp_path / "a").iterdir()] == [made[0].name], "nothing else left"


def test_only_the_newest_long_meetings_are_kept(meeting: Recording, tmp_path: Path) -> None:
    made = [build(meeting.samples, MEETING, 0.5, seed, tmp_path)[0] for seed in range(KEPT + 1)]
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in made[1:]}


def test_blind_cuts_split_words_and_hurried_stretches_exist() -> None:
    _, hour = compose(MEETING, 60, 0)
    cuts = np.arange(30, 3600, 30)
    split = [word for time in cuts if (word := hour.word_at(time))]
    assert len(split) > len(cuts) / 2
    gaps = np.array([other.start - one.stop for one, other in pairwise(pieces(hour))])
    assert np.count_nonzero(gaps < 0.15) > 100
    assert np.count_nonzero(gaps > 1.5) > 20
    assert 0.019 < gaps.min() < gaps.max() < 3.001


@given(minutes=st.floats(0.5, 20), seed=st.integers(0, 2**32))
def test_every_long_meeting_is_in_order(minutes: float, seed: int) -> None:
    placed, reference = compose(MEETING, minutes, seed)
    check_order(reference)
    assert len(placed) == len(pieces(reference))
    assert reference.duration == pytest.approx(minutes * 60, abs=1e-4)
    assert all(one.speaker != other.speaker for one, other in pairwise(reference.turns))


def test_room_noise_goes_on_across_blocks() -> None:
    whole = RoomNoise(5).next(5000)
    parts = RoomNoise(5)
    assert np.allclose(np.concatenate([parts.next(n) for n in (1, 20, 979, 4000)]), whole)
    assert np.std(RoomNoise(1).next(200_000)) == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("minutes", [0.0, -3, 1e6, float("nan"), float("inf")])
def test_an_impossible_length_is_an_option_error(minutes: float) -> None:
    with pytest.raises(OptionError, match=r"minutes is from 0\.5 to 1440, not"):
        samples.long_meeting(minutes)


@pytest.mark.parametrize("seed", [-1, 1.5, True])
def test_an_impossible_seed_is_an_option_error(seed: int) -> None:
    with pytest.raises(OptionError, match="seed is a whole number from 0, not"):
        samples.long_meeting(1, seed=seed)


def test_a_folder_that_cannot_be_written_is_told(meeting: Recording, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(AudioError, match=r"cannot be written .*; set NBASR_CACHE"):
        build(meeting.samples, MEETING, 1, 0, tmp_path / "file")
