"""The aligner: times in order, the text's own words, the real model, and whole transcripts."""

from __future__ import annotations

import itertools
import json
import shutil
import sys
import warnings

import numpy as np
import pytest
import tiny_aligner
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import nbasr
from nbasr.engines._aligner_times import BELIEVED, LEAST_MS, in_order, mended
from nbasr.engines._aligner_words import lines_of, pieces_of
from nbasr.engines.aligner import LANGUAGES, Aligner
from nbasr.engines.base import EngineSpec
from nbasr.engines.quantization import Quantization
from nbasr.errors import ModelError, ModelWarning, OptionError
from nbasr.memory.modules import bytes_of
from nbasr.pipeline._stretches import MARGIN, TOUCHING, stretches_of
from nbasr.pipeline.aligning import all_with_words, with_words
from nbasr.pipeline.seams import REACH
from nbasr.text.joining import join
from nbasr.transcript import Segment, Transcript

SCALE = 300.0
"""Classes of the counting aligner, so that its times lie inside sounds of a few seconds."""


def sound(seconds, seed=0):
    """Noise a little shorter than whole seconds, which the model hears as exactly so many."""
    rng = np.random.default_rng(seed)
    return (0.1 * rng.standard_normal(round(16_000 * (seconds - 0.02)))).astype(np.float32)


def spec_of(folder, **fields):
    return EngineSpec("aligner", str(folder), folder.name, max_seconds=180.0, **fields)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("aligners")
    tiny_aligner.build(folder / "plain")
    tiny_aligner.build(folder / "counting", scale=SCALE)
    tiny_aligner.build(folder / "chatting", scale=SCALE, template=tiny_aligner.CHAT)
    return folder


@pytest.fixture(scope="module")
def plain(folders):
    return Aligner(spec_of(folders / "plain"))


@pytest.fixture(scope="module")
def counting(folders):
    return Aligner(spec_of(folders / "counting", batch_size=4))


def times(words):
    return [(round(word.start * 1000), round(word.stop * 1000)) for word in words]


def counted(words, seconds):
    """What the counting aligner says, mended: it never says more than one class at a time twice."""
    end = round((seconds - 0.02) * 1000)
    spans = [(80 * a, 80 * b) for a, b in tiny_aligner.counted(words, seconds, SCALE)]
    return mended(spans, end, 80)


# -- times in order -----------------------------------------------------------------------------

chances = st.integers(1, 4).flatmap(
    lambda places: st.lists(
        st.lists(st.floats(0, 1, width=32), min_size=5, max_size=5),
        min_size=places,
        max_size=places,
    )
)


@given(chances)
def test_no_other_times_in_order_are_likelier(rows):
    table = np.maximum(np.array(rows, np.float32), np.float32(2 * BELIEVED))  # all are believed
    found = in_order(table, 1.0, 4)
    assert found == sorted(found)

    def likely(path):
        return sum(np.log(table[place, time]) for place, time in enumerate(path))

    paths = itertools.combinations_with_replacement(range(5), len(rows))
    assert likely(found) == pytest.approx(max(map(likely, paths)), abs=1e-4)


@given(st.lists(st.integers(0, 99), min_size=1, max_size=40), st.floats(0.02, 1))
def test_guesses_in_order_are_kept(guesses, sure):
    guesses.sort()
    table = np.full((len(guesses), 100), (1 - sure) / 99, np.float32)
    table[np.arange(len(guesses)), guesses] = sure
    assert in_order(table, 80.0, 99 * 80) == [80 * guess for guess in guesses]


@pytest.mark.parametrize("wild", [0, 99])
def test_one_wild_guess_however_sure_moves_no_other(wild):
    right = [10, 14, 20, 26, 30]
    table = np.full((5, 100), 1e-9, np.float32)
    table[np.arange(5), right] = 0.3
    table[2] = 1e-9
    table[2, wild] = 1.0
    assert in_order(table, 80.0, 8000) == [800, 1120, (1120 + 2080) // 2, 2080, 2400]


def test_places_that_say_nothing_are_spread_between_their_neighbours():
    table = np.full((5, 100), 1e-9, np.float32)
    table[0, 10] = table[4, 50] = 0.9
    assert in_order(table, 80.0, 8000) == [800, 1600, 2400, 3200, 4000]


def test_places_that_all_say_nothing_are_spread_over_the_sound():
    assert in_order(np.zeros((4, 100), np.float32), 80.0, 8000) == [0, 2000, 4000, 6000]


def test_no_time_is_behind_the_end_of_the_sound():
    table = np.eye(3, dtype=np.float32)  # class 2 begins at 160 ms
    assert in_order(table, 80.0, 130) == [0, 80, 130]


# -- words without length -----------------------------------------------------------------------


@st.composite
def rough(draw):
    """Words as classes give them, in order, many without length, and the length of their sound."""
    marks = sorted(draw(st.lists(st.integers(0, 50), max_size=60)))
    marks = [80 * mark for mark in marks[: len(marks) // 2 * 2]]
    end = draw(st.integers(0, 4200))
    return list(zip(marks[::2], marks[1::2], strict=True)), end


@given(rough())
def test_mended_words_have_length_are_in_order_and_inside_the_sound(case):
    spans, end = case
    found = mended(spans, end, 80)
    assert len(found) == len(spans)
    least = min(LEAST_MS, end // len(spans)) if spans else 0
    edge = 0
    for start, stop in found:
        assert edge <= start <= stop - least
        edge = stop
    assert edge <= end


@given(rough())
def test_mending_twice_changes_nothing(case):
    spans, end = case
    once = mended(spans, end, 80)
    assume(all(start < stop for start, stop in once))
    assert mended(once, end, 80) == once


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(LEAST_MS, 500)), max_size=20))
def test_words_that_have_length_are_left_alone(gaps):
    spans, edge = [], 0
    for pause, length in gaps:
        spans.append((edge + pause, edge + pause + length))
        edge = spans[-1][1]
    assert mended(spans, edge, 80) == spans


def test_a_word_without_length_takes_the_pause_around_it_first():
    assert mended([(0, 160), (400, 400), (800, 960)], 1000, 80)[1] == (360, 440)
    assert mended([(0, 160), (160, 160), (800, 960)], 1000, 80) == [
        (0, 160),
        (160, 240),
        (800, 960),
    ]


def test_between_words_that_touch_it_takes_up_to_half_of_each():
    assert mended([(0, 80), (80, 80), (80, 400)], 400, 80) == [(0, 40), (40, 120), (120, 400)]


def test_words_at_one_moment_stand_one_after_another():
    assert mended([(400, 400)] * 3, 800, 80) == [(280, 360), (360, 440), (440, 520)]
    assert mended([(0, 0)] * 2, 800, 80) == [(0, 80), (80, 160)]
    assert mended([(800, 800)] * 2, 800, 80) == [(640, 720), (720, 800)]


# -- the words of a text ------------------------------------------------------------------------

letters = st.text("ab'éß9 .,!?—-“”()（）「，。你好のカ한국\u0301", max_size=40)


def bare(text):
    return "".join(text.split())


@given(text=letters)
@settings(max_examples=300)
def test_words_hold_all_of_the_line_and_each_token_once(plain, text):
    line = " ".join(text.split())
    tokens = plain.processor.split_words_for_alignment(line)
    pieces = pieces_of(line, tokens)
    if not tokens:
        assert pieces == []
        return
    assert bare("".join(piece.text for piece in pieces)) == bare(line)
    assert [n for piece in pieces for n in range(piece.first, piece.last + 1)] == [
        *range(len(tokens))
    ]


@pytest.mark.parametrize(
    "line",
    [
        "Hello, world! It's half-past ten (or so).",
        "“Well”, he said — and left...",
        "¿Qué tal? Muy bien, gracias.",
        "L'été, c'est fini.",
        "你好，世界（第3次）：“再见”。",
        "我用 Python 写代码，很好。",
        "Привет, как дела?",
    ],
)
def test_words_join_back_to_the_text(plain, line):
    tokens = plain.processor.split_words_for_alignment(line)
    assert join([piece.text for piece in pieces_of(line, tokens)]) == line


def texts(line, tokens):
    return [piece.text for piece in pieces_of(line, tokens)]


def test_punctuation_goes_with_the_word_that_it_touches(plain):
    line = "— No (never), “你好，abc（世）3” … end!"
    tokens = plain.processor.split_words_for_alignment(line)
    expected = ["— No", "(never),", "“你", "好，", "abc", "（世）", "3” …", "end!"]
    assert texts(line, tokens) == expected


def test_words_are_never_cut_inside_a_token():
    assert texts("東京タワーに行く。", ["東京", "タワー", "に", "行く"]) == [
        "東京",
        "タワー",
        "に",
        "行く。",
    ]
    # Korean: two tokens for what is one word between spaces
    assert texts("안녕하세요 여러분!", ["안녕", "하세요", "여러분"]) == ["안녕하세요", "여러분!"]


def test_tokens_in_other_characters_than_the_text_find_their_words():
    assert texts("ＡＢＣを①回見る", ["ABC", "を", "1", "回", "見る"]) == [
        "ＡＢＣ",
        "を",
        "①",
        "回",
        "見る",
    ]


def test_lines_without_letters_join_their_neighbours():
    assert lines_of("***\nOne two\n\n  —  \nthree\n...") == ["*** One two —", "three ..."]
    assert lines_of(" \n") == []


# -- the model ----------------------------------------------------------------------------------

SENTENCE = "This is a test, of the counting aligner."
BARE = ["This", "is", "a", "test", "of", "the", "counting", "aligner"]


def test_words_come_with_their_times_and_their_punctuation(counting):
    words = counting.align(sound(6), SENTENCE, "en")
    assert [word.text for word in words] == SENTENCE.split()
    assert times(words) == counted(BARE, 6)
    assert {word.score for word in words} == {None}


def test_a_chat_template_in_the_folder_does_not_shift_the_times(folders, counting):
    chatting = Aligner(spec_of(folders / "chatting"))
    assert "<|im_start|>" in chatting.processor.chat_template
    assert chatting.align(sound(6), SENTENCE, "en") == counting.align(sound(6), SENTENCE, "en")


def test_the_prompt_is_that_of_the_familys_own_template(plain):
    samples, seen = sound(3), []
    hook = plain.module.model.register_forward_pre_hook(
        lambda _module, _inputs, options: seen.append(options["input_ids"]), with_kwargs=True
    )
    plain.align(samples, SENTENCE, "en")
    hook.remove()
    theirs, words = plain.processor.prepare_forced_aligner_inputs([samples], SENTENCE, "en")
    assert words == [BARE]
    assert seen[0].tolist() == theirs["input_ids"].tolist()
    assert theirs["input_ids"][0, 0] == plain.processor.audio_bos_token_id


def states_of(aligner, items):
    """Return what the head is given for each item of a batch."""
    seen = []
    hook = aligner.module.score.register_forward_pre_hook(
        lambda _module, inputs: seen.append(inputs[0].numpy())
    )
    aligner.align_batch(items)
    hook.remove()
    return seen


def test_a_batch_gives_what_one_by_one_gives(plain, counting):
    lengths = (0.3, 3.1234, 6, 19.007)
    items = [(sound(s, seed=n), SENTENCE * (n + 1), "en") for n, s in enumerate(lengths)]
    together = states_of(plain, items)
    for item, state in zip(items, together, strict=True):
        (alone,) = states_of(plain, [item])
        np.testing.assert_allclose(state, alone, atol=1e-4)
    assert counting.align_batch(items) == [counting.align(*item) for item in items]


def test_words_of_chinese_are_its_characters(counting):
    words = counting.align(sound(5), "你好，世界。", "zh")
    assert [word.text for word in words] == ["你", "好，", "世", "界。"]
    assert times(words) == counted(["你", "好", "世", "界"], 5)


def test_no_word_reaches_over_the_end_of_a_line(counting):
    words = counting.align(sound(6), "one two\n— three", "English")
    assert [word.text for word in words] == ["one", "two", "— three"]


def test_a_text_without_letters_has_no_words(counting):
    silent = np.zeros(0, np.float32)
    found = counting.align_batch(
        [(sound(2), "...", "en"), (sound(2), "", "en"), (silent, "a b", "en")]
    )
    assert found[:2] == [(), ()]
    assert times(found[2]) == [(0, 0), (0, 0)]


def test_more_words_than_the_sound_has_room_for_still_lie_inside_it(plain):
    words = plain.align(sound(1)[:1600], " ".join(["a"] * 30), "en")
    assert len(words) == 30
    assert words[-1].stop <= 0.1


def test_other_languages_are_refused_by_name(counting):
    with pytest.raises(ModelError, match="no word times for Thai: the aligner knows Chinese, Eng"):
        counting.align(sound(1), "text", "th")
    with pytest.raises(OptionError, match="no language 'Klingonish'"):
        counting.align(sound(1), "text", "Klingonish")


def test_the_languages_are_those_of_the_library():
    from transformers.models.qwen3_asr import processing_qwen3_asr as theirs

    names = {theirs.LANGUAGE_CODE_TO_NAME[code] for code in LANGUAGES}
    assert names == theirs.FORCED_ALIGNER_LANGUAGES


@pytest.mark.parametrize(
    ("text", "language", "package"),
    [
        ("東京", "ja", "nagisa"),
        ("東京タワー", None, "nagisa"),
        ("안녕하세요", "Korean", "soynlp"),
        ("안녕하세요", None, "soynlp"),
    ],
)
def test_a_missing_package_for_cutting_words_is_named(
    counting, monkeypatch, text, language, package
):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModelError, match=f"need {package}, .*pip install {package}"):
        counting.align(sound(1), text, language)


def test_too_long_a_sound_or_text_is_refused(counting):
    with pytest.raises(ModelError, match="up to 180 s"):
        counting.align(np.zeros(16_000 * 181, np.float32), "text", "en")
    with pytest.raises(ModelError, match="4096 tokens, and a text of 2000 words"):
        counting.align(sound(1), "a " * 2000, "en")


def test_a_recogniser_is_no_aligner(assets):
    with pytest.raises(ModelError, match=r"recognises speech .* take .qwen3-forced-aligner-0\.6b"):
        Aligner(spec_of(assets / "qwen3-asr-tiny-meeting"))


def test_a_tokenizer_of_another_model_is_refused(folders, tmp_path):
    folder = shutil.copytree(folders / "plain", tmp_path / "other")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"timestamp_token_id": 3}))
    with pytest.raises(ModelError, match=r"tokenizer .* is not that of its model"):
        Aligner(spec_of(folder))


def test_closing_empties_the_model_even_if_somebody_holds_it(folders):
    aligner = Aligner(spec_of(folders / "plain"))
    held = aligner.module
    assert sum(bytes_of(held).values()) > 100_000
    aligner.close()
    assert aligner.module is None
    assert aligner.processor is None
    assert sum(bytes_of(held).values()) == 0
    with pytest.raises(ModelError, match="was unloaded; load it again"):
        aligner.align(sound(1), "text", "en")


@pytest.mark.filterwarnings("ignore:.*int8 needs less memory")
@pytest.mark.parametrize("method", ["int8", "nf4"])
def test_quantised_it_keeps_its_head_and_finds_the_same_times(folders, counting, method):
    spec = spec_of(folders / "counting", quantization=Quantization(method))
    aligner = Aligner(spec)
    layer = aligner.module.model.language_model.layers[0].mlp.up_proj
    assert type(aligner.module.score).__name__ == "Linear"
    assert type(layer).__module__.startswith("bitsandbytes")
    near = zip(
        times(aligner.align(sound(6), SENTENCE, "en")),
        times(counting.align(sound(6), SENTENCE, "en")),
        strict=True,
    )
    assert all(abs(a - b) <= 80 for pair in near for a, b in zip(*pair, strict=True))
    aligner.close()


# -- stretches ----------------------------------------------------------------------------------


@st.composite
def rows(draw):
    """Segments in order, some over each other, and the seconds of their recording."""
    segments, at = [], draw(st.floats(0, 5))
    for _ in range(draw(st.integers(1, 12))):
        stop = at + draw(st.floats(0, 40))
        speaker = draw(st.sampled_from(["A", "A", "B"]))
        segments.append(Segment(at, stop, "text", speaker=speaker))
        at = max(0.0, stop + draw(st.floats(-5, 3)))
        at = max(at, segments[-1].start)
    return segments, max(one.stop for one in segments) + draw(st.floats(0, 1))


@given(rows())
def test_stretches_hold_every_segment_once_and_no_more_than_the_aligner_takes(case):
    segments, duration = case
    stretches = stretches_of(segments, range(len(segments)), duration, 50.0)
    assert [n for stretch in stretches for n in stretch.numbers] == [*range(len(segments))]
    for stretch in stretches:
        mine = [segments[n] for n in stretch.numbers]
        assert stretch.duration <= 50.0 + 0.002
        assert 0 <= stretch.start <= mine[0].start + 0.001
        assert max(one.stop for one in mine) - 0.001 <= stretch.stop <= duration + 0.001
        assert mine[0].start - stretch.start <= MARGIN + 0.001
        assert len({one.speaker for one in mine}) == 1
        last = max(one.stop for one in mine)
        for later in segments[stretch.numbers[-1] + 1 :]:  # a margin stops short of what follows
            if later.start >= last:
                assert stretch.stop <= later.start + 0.001


def test_only_segments_that_touch_are_put_together():
    segments = [Segment(0, 2, "a"), Segment(2 + TOUCHING / 2, 4, "b"), Segment(6, 8, "c")]
    stretches = stretches_of(segments, range(3), 10.0, 180.0)
    assert [(s.numbers, s.start, s.stop, s.text) for s in stretches] == [
        ((0, 1), 0.0, 4 + MARGIN, "a\nb"),
        ((2,), 6 - MARGIN, 8 + MARGIN, "c"),
    ]


# -- transcripts --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def meeting():
    return nbasr.samples.open("meeting")


@pytest.fixture(scope="module")
def turns(meeting):
    """The first turns of the bundled meeting, without words, as a recogniser would tell them."""
    reference = nbasr.samples.reference("meeting")
    segments = tuple(
        Segment(turn.start, turn.stop, f"{turn.text.capitalize()}.", language="en")
        for turn in reference.turns[:12]
    )
    return Transcript(segments, meeting.duration, "en", "whisper", meeting.name)


def must_be_sound(before, after):
    """Every segment has its own words, in order, and their times."""
    assert [one.text for one in after.segments] == [one.text for one in before.segments]
    for old, new in zip(before.segments, after.segments, strict=True):
        assert join([word.text for word in new.words]) == new.text
        assert (new.start, new.stop) == (new.words[0].start, new.words[-1].stop)
        assert old.start - REACH <= new.start < new.stop <= old.stop + REACH
    edges = [time for word in after.words for time in (word.start, word.stop)]
    assert edges == sorted(edges)
    assert all(word.start < word.stop for word in after.words)


def test_each_segment_gets_its_own_words(counting, meeting, turns):
    found = with_words(turns, meeting, counting)
    must_be_sound(turns, found)
    assert (found.model, found.duration, found.notes) == (turns.model, turns.duration, ())


def test_segments_that_touch_are_aligned_as_one_and_told_apart_again(counting, meeting):
    segments = (Segment(0, 1.2, "one two, "), Segment(1.2, 6, "— three\nfour"))
    found = with_words(Transcript(segments, meeting.duration, "en"), meeting, counting)
    assert [[word.text for word in one.words] for one in found.segments] == [
        ["one", "two,"],
        ["— three", "four"],
    ]
    alone = counting.align(meeting.read(0, 6.25), "one two\nthree four", "en")
    assert times(found.words) == times(alone)


def test_what_strays_from_its_segment_when_aligned_as_one_is_aligned_alone(counting, meeting):
    segments = (Segment(0, 3, "one two"), Segment(3, 6, "three four"))
    found = with_words(Transcript(segments, meeting.duration, "en"), meeting, counting)
    assert counting.align(meeting.read(0, 6.25), "one two\nthree four", "en")[2].start < 3 - REACH
    assert [time - 3000 for pair in times(found.segments[1].words) for time in pair] == [
        time
        for pair in times(counting.align(meeting.read(3, 6.25), "three four", "en"))
        for time in pair
    ]


def test_segments_that_cannot_be_aligned_stay_and_are_told(counting, meeting):
    segments = (
        Segment(0, 2, "one two"),
        Segment(3, 5, "สวัสดี", language="th"),
        Segment(6, 8, "..."),
        Segment(9, 11, "three"),
    )
    with pytest.warns(ModelWarning, match="1 segment got no word times: .*Thai"):
        found = with_words(Transcript(segments, 20, "en"), meeting, counting)
    assert [bool(one.words) for one in found.segments] == [True, False, False, True]
    assert found.segments[1:3] == segments[1:3]


def test_a_segment_longer_than_the_aligner_takes_stays_and_is_told(folders, meeting):
    aligner = Aligner(EngineSpec("aligner", str(folders / "counting"), "tiny", max_seconds=5.0))
    segments = (Segment(0, 2, "one two"), Segment(3, 10, "three"))
    with pytest.warns(ModelWarning, match="segment at 0:03 is longer than the 5 s"):
        found = with_words(Transcript(segments, 20, "en"), meeting, aligner)
    assert [bool(one.words) for one in found.segments] == [True, False]


def test_a_transcript_of_another_recording_is_refused(counting, meeting):
    late = Transcript((Segment(5000, 5001, "x"),), 6000, "en")
    with pytest.raises(OptionError, match=r"reaches to 1:23:21, but .* ends at"):
        with_words(late, meeting, counting)


class Short:
    """An aligner on a device that holds only so many padded seconds: a real one behind a gate."""

    def __init__(self, aligner, seconds):
        self.aligner, self.seconds, self.spec = aligner, seconds, aligner.spec
        self.calls = []

    def align_batch(self, items):
        import torch

        needed = len(items) * max(len(samples) for samples, _, _ in items) / 16_000
        self.calls.append(round(needed, 1))
        if needed > self.seconds:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
        return self.aligner.align_batch(items)


def test_when_memory_runs_out_fewer_are_aligned_at_once_with_the_same_words(
    counting, meeting, turns
):
    short = Short(counting, 9.0)
    assert with_words(turns, meeting, short) == with_words(turns, meeting, counting)
    assert max(short.calls) > 9.0


def test_when_memory_runs_out_segments_aligned_together_are_aligned_apart(counting, meeting):
    segments = tuple(Segment(3 * n, 3 * n + 3, "one two") for n in range(4))
    short = Short(counting, 7.0)
    found = with_words(Transcript(segments, meeting.duration, "en"), meeting, short)
    assert [len(one.words) for one in found.segments] == [2, 2, 2, 2]
    assert short.calls[0] > 12
    assert min(short.calls) < 7


def test_a_segment_that_memory_never_holds_stays_and_is_told(counting, meeting):
    segments = (Segment(0, 2, "one two"), Segment(5, 12, "three"))
    with pytest.warns(ModelWarning, match="has no memory left for 8 s"):
        found = with_words(Transcript(segments, 20, "en"), meeting, Short(counting, 3.0))
    assert [bool(one.words) for one in found.segments] == [True, False]


def test_other_errors_are_not_taken_for_memory(counting, meeting, turns):
    class Broken(Short):
        def align_batch(self, items):
            raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        with_words(turns, meeting, Broken(counting, 1.0))


def test_an_interrupt_keeps_what_is_aligned(counting, meeting, turns):
    told = []

    def tell(progress):
        told.append(progress)
        if len(told) == 2:  # the first batch is done
            raise KeyboardInterrupt

    other = Transcript((Segment(0, 2, "one two"),), 20, "en")
    found, rest = all_with_words([(turns, meeting), (other, meeting)], counting, tell=tell)
    count = len(turns.segments)
    done = sum(bool(one.words) for one in found.segments)
    assert 0 < done < count
    assert found.notes == (f"interrupted: {count - done} of {count} segments have no words",)
    assert rest.segments == other.segments
    assert "1 of 1" in rest.notes[0]
    assert told[-1].state == "interrupted"


def test_progress_is_told_in_seconds_of_sound(counting, meeting, turns):
    told = []
    all_with_words([(turns, meeting)], counting, tell=told.append)
    assert [one.state for one in told][-1] == "finished"
    assert told[-1].done == pytest.approx(told[-1].total)
    assert told[-1].total == pytest.approx(sum(s.stop - s.start for s in turns.segments), rel=0.2)


# -- nbasr.align --------------------------------------------------------------------------------


@pytest.fixture
def named(folders):
    """The name of the counting aligner: its folder. It is let go at the end."""
    yield str(folders / "counting")
    if nbasr.models.resident():
        nbasr.models.unload_all()


def test_a_known_text_becomes_a_transcript_of_its_lines(named, meeting):
    text = "Hello, all!\n***\nWe begin now.\n"
    found = nbasr.align(
        meeting, text, language="en", start=2, stop=8, aligner=named, progress=False
    )
    assert [one.text for one in found.segments] == ["Hello, all! ***", "We begin now."]
    assert [word.text for word in found.words] == ["Hello,", "all! ***", "We", "begin", "now."]
    edges = [time for word in found.words for time in (word.start, word.stop)]
    assert edges == sorted(edges)
    assert 2 <= edges[0] < edges[-1] <= 8
    assert (found.duration, found.language, found.name) == (meeting.duration, "en", meeting.name)


def test_a_transcript_is_aligned_by_the_resident_aligner(named, meeting, turns):
    nbasr.models.load(named)
    found = nbasr.align(meeting, turns, progress=False)
    must_be_sound(turns, found)


def test_an_aligner_is_taken_by_its_folder_and_stays(named):
    found = nbasr.align((sound(6), 16_000), SENTENCE, aligner=named, progress=False)
    assert times(found.words) == counted(BARE, 6)
    assert [model.spec.engine for model in nbasr.models.resident()] == ["aligner"]


def test_without_an_aligner_on_this_machine_one_is_named(meeting):
    with pytest.raises(ModelError, match=r"No aligner .* aligner=.qwen3-forced-aligner-0\.6b"):
        nbasr.align(meeting, "text", stop=5, language="en")


def test_a_long_text_needs_times(named):
    hour = (np.zeros(16_000 * 200, np.float32), 16_000)
    with pytest.raises(OptionError, match=r"up to 12 s, not with 3:20; .*Transcript\.load"):
        nbasr.align(hour, "text", language="en", aligner=named)


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("...", {}, "neither letter nor number"),
        (3, {}, "text is a string or a Transcript, not int"),
        ("a", {"start": 5, "stop": 5}, "no sound from 5 to 5 s"),
        ("a", {"start": 5000}, "no sound from 5000"),
        (Transcript((Segment(0, 1, "a"),), 5), {"start": 1}, r"transcript\[start:stop\]"),
    ],
)
def test_what_cannot_be_meant_is_told_before_anything_is_loaded(
    named, meeting, text, options, said
):
    with pytest.raises(OptionError, match=said):
        nbasr.align(meeting, text, language="en", aligner=named, **options)
    assert nbasr.models.resident() == []


def test_a_language_that_cannot_be_aligned_is_refused_before_anything_is_loaded(named, meeting):
    thai = Transcript((Segment(0, 2, "สวัสดี"),), 20, "th")
    for text, language in (("text", "th"), (thai, None)):
        with pytest.raises(ModelError, match="no word times for Thai"):
            nbasr.align(meeting, text, language=language, stop=None, aligner=named)
    assert nbasr.models.resident() == []


def test_aligning_warns_of_nothing_when_all_is_well(counting, meeting, turns):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with_words(turns, meeting, counting)


# -- nbasr.transcribe ---------------------------------------------------------------------------


@pytest.fixture
def spoken(assets, named, meeting):
    """Transcribes the start of the meeting with the times of words, by an engine without them."""

    def transcribed():
        return nbasr.transcribe(
            (meeting.read(0, 6), 16_000),
            model=str(assets / "qwen3-asr-tiny-meeting"),
            aligner=named,
            timestamps="word",
            max_seconds=4,
            device="cpu",
            progress=False,
        )

    return transcribed


def test_an_engine_without_word_times_gets_them_from_the_aligner(spoken):
    found = spoken()
    assert {model.spec.engine for model in nbasr.models.resident()} == {"audio_llm", "aligner"}
    assert found.model == "qwen3-asr-tiny-meeting"
    for one in found.segments:
        assert join([word.text for word in one.words]) == one.text
        assert (one.start, one.stop) == (one.words[0].start, one.words[-1].stop)


@pytest.mark.parametrize(
    "error", [ModelError("It is damaged."), RuntimeError("CUDA error: misaligned address")]
)
def test_when_the_aligner_fails_the_text_is_not_lost(spoken, monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr(Aligner, "align_batch", fail)
    with pytest.raises(type(error), match=str(error)) as caught:
        spoken()
    assert caught.value.partial[0].text.startswith("good morning everyone")
    assert "without the times of words" in caught.value.__notes__[0]


def test_an_interrupt_while_the_aligner_is_loaded_keeps_the_text(spoken, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Aligner, "__init__", interrupted)
    found = spoken()
    assert found.text.startswith("good morning everyone")
    assert found.notes == ("interrupted: the segments have no words",)
