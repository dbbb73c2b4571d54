"""The embedded engine on real speech, on silence and noise, and on what it must refuse."""

from __future__ import annotations

import itertools
import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nbasr
from nbasr.audio.recording import Recording
from nbasr.engines import EngineSpec, Request, open_engine
from nbasr.engines.sphinx import utterances
from nbasr.errors import ModelError
from nbasr.models import catalog


@pytest.fixture(scope="module")
def engine():
    engine = open_engine(catalog.resolve("sphinx"))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def turns():
    """The first half of the bundled meeting by turns, the quiet talker's among them."""
    meeting = nbasr.samples.open("meeting")
    return [
        (turn, meeting.read(max(0.0, turn.start - 0.2), turn.stop + 0.2))
        for turn in nbasr.samples.reference("meeting").turns[:12]
    ]


def hear(engine, samples, **options):
    (found,) = engine.recognize([Request(samples, **options)])
    return found


@pytest.fixture(scope="module")
def heard(engine, turns):
    return [hear(engine, samples) for _, samples in turns]


def recordings(data, *sets, every=1, told=False):
    items = json.loads((data / "speech" / "MANIFEST.json").read_text(encoding="utf-8"))
    wanted = [item for item in items if item["set"] in sets and (item["transcript"] or not told)]
    for item in wanted[::every]:
        yield item, Recording.open(data / item["file"]).read()


def test_every_turn_of_the_meeting_is_heard_and_most_words_are_right(turns, heard):
    assert all(found.text for found in heard)
    assert "peter" in {turn.speaker for turn, _ in turns}  # 13 dB below the others
    reference = " ".join(turn.text for turn, _ in turns)
    assert nbasr.score(reference, " ".join(found.text for found in heard)).wer <= 0.18


@pytest.mark.data
def test_read_english_is_understood_as_far_as_promised_and_without_marks(engine, data):
    sets = ("ljspeech", "librispeech", "pocketsphinx")  # half of them, to be quick
    texts = [
        (item["transcript"], hear(engine, samples).text)
        for item, samples in recordings(data, *sets, every=2, told=True)
    ]
    assert len(texts) >= 19
    wer = nbasr.score(" ".join(said for said, _ in texts), " ".join(got for _, got in texts)).wer
    assert wer <= 0.28
    assert not any(set(got) & set("()<>[]+_0123456789") for _, got in texts)


@pytest.mark.data
def test_noise_music_and_silence_give_no_text(engine, data):
    for item, samples in recordings(data, "nonspeech"):
        pieces = np.array_split(samples, -(-len(samples) // (15 * 16000)))
        assert [hear(engine, piece).text for piece in pieces] == [""] * len(pieces), item["file"]


@pytest.mark.parametrize("loudness", [0.0, 1e-4, 1e-2, 0.2])
def test_silence_and_hiss_of_any_loudness_give_no_text(engine, loudness):
    hiss = np.random.default_rng(0).normal(0, 1, 48000).astype(np.float32) * np.float32(loudness)
    assert hear(engine, hiss) == hear(engine, np.zeros(16000, np.float32))
    assert hear(engine, hiss).text == ""
    assert hear(engine, hiss).segments == ()


@pytest.mark.parametrize("samples", [0, 1, 159, 400, 1600])
def test_sound_too_short_for_a_word_gives_no_text(engine, samples):
    assert hear(engine, np.full(samples, 0.1, np.float32)).text == ""


def test_the_same_sound_gives_the_same_text_whatever_came_before(engine, turns, heard):
    quiet, loud = turns[3][1], turns[5][1]
    batch = engine.recognize([Request(loud), Request(quiet), Request(loud), Request(quiet)])
    assert [batch[1], batch[3]] == [heard[3], heard[3]]
    assert [batch[0], batch[2]] == [heard[5], heard[5]]


def test_words_have_times_in_order_inside_the_sound(turns, heard):
    for (_, samples), found in zip(turns, heard, strict=True):
        words = [word for segment in found.segments for word in segment.words]
        assert " ".join(word.text for word in words) == found.text
        edges = [edge for word in words for edge in (word.start, word.stop)]
        assert edges == sorted(edges)
        assert edges[0] >= 0
        assert edges[-1] <= len(samples) / 16000
        assert all(0 <= word.score <= 1 for word in words)
        for segment in found.segments:
            assert (segment.start, segment.stop) == (segment.words[0].start, segment.words[-1].stop)


def test_a_pause_between_words_begins_a_new_segment(turns, heard):
    """Where the reference tells pauses inside a turn of 0.45 s and more, segments break there."""
    (turn, _), found = turns[2], heard[2]
    pieces = turn.pieces
    assert len(pieces) == 2
    assert len(found.segments) == 2
    begin = turn.start - 0.2
    assert found.segments[1].start + begin == pytest.approx(pieces[1].start, abs=0.2)


def test_sound_that_begins_and_ends_with_speech_keeps_its_first_and_last_word(engine, turns):
    turn, samples = turns[1]
    inner = samples[int(0.2 * 16000) : -int(0.2 * 16000)]
    text = hear(engine, inner).text.split()
    assert (text[0], text[-1]) == (turn.text.split()[0], turn.text.split()[-1])
    assert hear(engine, inner).segments[0].start < 0.1


def test_another_language_is_refused(engine, turns):
    with pytest.raises(
        ModelError, match="only English, not German; take a model that does, such as whisper-small"
    ):
        hear(engine, turns[0][1], language="German")
    for english in ("English", "en", "en-GB", "auto", None):
        assert hear(engine, turns[0][1][:1600], language=english).text == ""


def test_translation_is_refused(engine, turns):
    with pytest.raises(ModelError, match="does not translate"):
        hear(engine, turns[0][1], task="translate")


def test_more_sound_than_it_takes_is_refused(engine):
    with pytest.raises(ModelError, match="cut the recording first"):
        hear(engine, np.zeros(int((engine.spec.max_seconds + 1) * 16000), np.float32))


def test_stereo_is_refused(engine):
    with pytest.raises(ModelError, match="mono"):
        hear(engine, np.zeros((16000, 2), np.float32))


def test_nothing_is_printed(turns, capfd):
    engine = open_engine(catalog.resolve("sphinx"))
    hear(engine, turns[0][1])
    assert capfd.readouterr() == ("", "")


def test_a_closed_engine_says_so(turns):
    engine = open_engine(catalog.resolve("sphinx"))
    engine.close()
    with pytest.raises(ModelError, match="unloaded; load it again"):
        hear(engine, turns[0][1])


def test_the_spec_of_an_open_engine_is_still_a_plain_value(engine):
    assert pickle.loads(pickle.dumps(engine.spec)) == engine.spec == catalog.resolve("sphinx")


def test_an_unknown_engine_is_named():
    with pytest.raises(ModelError, match="no engine 'kaldi'"):
        open_engine(EngineSpec("kaldi", "", "kaldi"))


@given(
    st.lists(st.floats(0.05, 5.0), min_size=2, max_size=20),
    st.floats(0.0, 2.0),
)
def test_utterances_hold_all_speech_in_order_and_never_twice(lengths, tail):
    edges = list(itertools.accumulate(lengths))
    spoken = list(zip(edges[::2], edges[1::2], strict=False))
    duration = edges[-1] + tail
    found = utterances(spoken, duration)
    times = [edge for part in found for edge in part]
    assert times == sorted(times)
    assert all(0 <= time <= duration for time in times)
    for start, stop in spoken:
        assert any(low <= start and stop <= high for low, high in found)
