"""Correcting transcripts: every correction is a new value, and the words follow the text."""

from __future__ import annotations

import pickle
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nbasr
from nbasr.errors import OptionError
from nbasr.text.joining import join
from nbasr.text.scripts import script
from nbasr.transcript import Segment, Transcript, Word
from nbasr.transcript.retiming import units
from nbasr.transcript.spans import word_spans

SAID = Transcript(
    (
        Segment(
            0.0,
            4.0,
            "Hello, big world now.",
            tuple(
                Word(at, at + 1.0, text, 0.9)
                for at, text in enumerate(["Hello,", "big", "world", "now."])
            ),
            score=0.8,
            flags=("repetition",),
        ),
        Segment(5.0, 6.0, "Yes.", (Word(5.2, 5.8, "Yes."),), speaker="Ann"),
        Segment(6.0, 9.0, "no words here at all"),
    ),
    duration=10.0,
    language="en",
)
CHINESE = Transcript(
    (
        Segment(
            0.0,
            4.0,
            "你好，世界大家。",
            (Word(0, 1, "你好", 0.5), Word(1, 2, "世界", 0.6), Word(2, 4, "大家")),
        ),
    ),
    duration=4.0,
)

_LETTERS = "ab,.\"'“”(—… 你好，。カéกั฿\U0001f600ﬁ\u00a0\u200d"
_PIECES = st.sampled_from([*_LETTERS, "  ", "don't", "3.5", "e\u0301", "World"])
TEXTS = st.lists(_PIECES, max_size=14).map("".join)


@st.composite
def segments(draw: st.DrawFn, start: float = 0.0) -> Segment:
    """Return a segment with words that spell its text, in order and inside it."""
    text = draw(TEXTS)
    spoken = list(units(text))
    edges = sorted(
        draw(st.lists(st.floats(0, 10), min_size=2 * len(spoken), max_size=2 * len(spoken)))
    )
    words = tuple(
        Word(start + first, start + stop, unit.text, draw(st.none() | st.floats(0, 1)))
        for unit, first, stop in zip(spoken, edges[::2], edges[1::2], strict=True)
    )
    return Segment(start, start + 10.0, text, words)


def texts_of(transcript: Transcript) -> list[str]:
    return [segment.text for segment in transcript.segments]


def timed(segment: Segment) -> list[tuple[str, float, float]]:
    return [(word.text, word.start, word.stop) for word in segment.words]


# -- Text -------------------------------------------------------------------------------------


def test_words_that_stay_keep_time_and_score_and_new_ones_take_the_place_of_the_old() -> None:
    (segment, *_) = SAID.with_text(0, "Hello, large old world now!").segments
    assert [(word.text, word.score) for word in segment.words] == [
        ("Hello,", 0.9),
        ("large", None),
        ("old", None),
        ("world", 0.9),
        ("now", 0.9),  # the mark after it is another one; the word was said all the same
    ]
    assert timed(segment)[0] == ("Hello,", 0.0, 1.0)
    assert [start for _, start, _ in timed(segment)[1:3]] == [1.0, pytest.approx(1.625)]
    assert timed(segment)[2][2] == 2.0, "both share the time of the word that they stand for"
    assert segment.words[0] is SAID.segments[0].words[0]


def test_words_between_two_others_take_the_pause_between_them() -> None:
    words = (Word(1, 2, "one"), Word(4, 5, "two"))
    said = Transcript((Segment(0, 6, "one two", words),), 6.0)
    (segment,) = said.with_text(0, "well one and a two").segments
    assert timed(segment)[:2] == [("well", 0.0, 1.0), ("one", 1.0, 2.0)]
    assert timed(segment)[2] == ("and", 2.0, pytest.approx(3.5))
    assert timed(segment)[3] == ("a", pytest.approx(3.5), 4.0)


def test_another_text_is_no_longer_in_doubt_and_the_same_text_is_the_same_transcript() -> None:
    corrected = SAID.with_text(0, "Hello.").segments[0]
    assert (corrected.score, corrected.flags) == (None, ())
    assert SAID.with_text(0, SAID.segments[0].text) is SAID


def test_another_case_is_the_same_word() -> None:
    (segment, *_) = SAID.with_text(0, "hello BIG world now.").segments
    assert timed(segment)[:2] == [("hello", 0.0, 1.0), ("BIG", 1.0, 2.0)]
    assert all(word.score == 0.9 for word in segment.words)


def test_chinese_words_stay_whole_or_share_their_time_among_their_characters() -> None:
    (segment,) = CHINESE.with_text(0, "你好，新世大家。").segments
    assert timed(segment) == [
        ("你好", 0.0, 1.0),
        ("新", 1.0, 1.0),
        ("世", 1.0, 1.5),
        ("大家", 2.0, 4.0),
    ]
    assert [word.score for word in segment.words] == [0.5, None, 0.6, None]


def test_a_text_of_an_hour_in_one_segment_is_followed_in_a_moment() -> None:
    text = "的一是在不了有和人这" * 1000
    words = tuple(Word(at, at + 1, char) for at, char in enumerate(text))
    said = Transcript((Segment(0.0, len(text), text, words),), len(text))
    began = time.thread_time()
    changed = said.with_text(0, text.replace("的", "得")).segments[0]
    assert time.thread_time() - began < 5.0
    assert len(changed.words) == len(text)
    assert word_spans(changed.text, changed.words) is not None


def test_a_segment_without_times_of_words_gets_none() -> None:
    assert SAID.with_text(2, "words now").segments[2].words == ()
    digits = Segment(0, 1, "15 %", (Word(0, 1, "fifteen"),))  # they never spelled the text
    assert Transcript((digits,)).with_text(0, "16 %").segments[0].words == ()


@given(segments(), TEXTS)
def test_whatever_the_text_words_spell_it_in_order_and_inside(segment: Segment, text: str) -> None:
    said = Transcript((segment,), 10.0)
    (made,) = said.with_text(0, text).segments
    assert made.text == text
    if word_spans(segment.text, segment.words) is None:
        assert made.words == () or text == segment.text
        return
    assert len(made.words) <= len(list(units(text)))
    if made.words:
        assert word_spans(text, made.words) is not None
    else:
        assert not list(units(text))
    edges = [time for word in made.words for time in (word.start, word.stop)]
    assert edges == sorted(edges)
    assert all(0.0 <= edge <= 10.0 for edge in edges)


@given(segments(), TEXTS)
def test_words_on_both_sides_of_a_change_are_not_touched(segment: Segment, middle: str) -> None:
    if word_spans(segment.text, segment.words) is None:
        return
    said = Transcript((segment,), 10.0)
    (made,) = said.with_text(0, f"{segment.text} {middle}").segments
    kept = [(word.start, word.stop, word.score) for word in segment.words]
    assert [(word.start, word.stop, word.score) for word in made.words[: len(kept)]] == kept


# -- Times, speakers, doubts --------------------------------------------------------------------


def test_other_times_keep_the_words_inside() -> None:
    segment = SAID.with_times(0, 0.5, 2.5).segments[0]
    assert (segment.start, segment.stop) == (0.5, 2.5)
    assert timed(segment) == [
        ("Hello,", 0.5, 1.0),
        ("big", 1.0, 2.0),
        ("world", 2.0, 2.5),
        ("now.", 2.5, 2.5),
    ]
    assert segment.score == 0.8, "how sure the machine was does not hang on the times"


def test_a_segment_that_is_moved_past_others_changes_its_place() -> None:
    moved = SAID.with_times(0, 9.0, 9.5)
    assert texts_of(moved) == ["Yes.", "no words here at all", "Hello, big world now."]


@pytest.mark.parametrize(
    ("start", "stop", "said"),
    [
        (2.0, 2.0, "start < stop"),
        (3.0, 1.0, "start < stop"),
        (-1.0, 1.0, "0 <= start"),
        (0.0, float("nan"), "start < stop"),
        (9.0, 11.0, "ends at 0:10.0"),
    ],
)
def test_impossible_times_are_refused(start: float, stop: float, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        SAID.with_times(0, start, stop)


def test_a_speaker_is_named_and_taken_away() -> None:
    named = SAID.with_speaker(0, " Bob ")
    assert [segment.speaker for segment in named.segments] == ["Bob", "Ann", None]
    assert named.with_speaker(0, "") == SAID


def test_doubtful_are_flags_low_scores_and_words_of_low_scores() -> None:
    doubts = Transcript(
        (
            Segment(0, 1, "fine", (Word(0, 1, "fine", 0.9),), score=0.9),
            Segment(1, 2, "flagged", flags=("truncated",)),
            Segment(2, 3, "low", score=0.2),
            Segment(3, 4, "one word", (Word(3, 3.5, "one", 0.9), Word(3.5, 4, "word", 0.3))),
            Segment(4, 5, "nobody knows"),
        )
    )
    assert doubts.doubtful() == (1, 2, 3)
    assert doubts.doubtful(below=0.25) == (1, 2)
    checked = doubts
    for index in doubts.doubtful():
        checked = checked.checked(index)
    assert checked.doubtful() == ()
    assert texts_of(checked) == texts_of(doubts)
    assert doubts.checked(4) is doubts


# -- Parting and joining ------------------------------------------------------------------------


def test_parts_end_and_begin_with_their_words() -> None:
    first, second, *_ = SAID.split(0, len("Hello, big")).segments
    assert (first.text, first.start, first.stop) == ("Hello, big", 0.0, 2.0)
    assert (second.text, second.start, second.stop) == ("world now.", 2.0, 4.0)
    assert [word.text for word in second.words] == ["world", "now."]


def test_without_times_of_words_parts_share_the_time_as_their_texts_are_long() -> None:
    *_, first, second = SAID.split(2, 10).segments
    assert (first.text, second.text) == ("no words h", "ere at all")
    assert first.stop == second.start == pytest.approx(7.5)


def test_a_word_may_be_parted() -> None:
    first, second = CHINESE.split(0, 4).segments
    assert timed(first) == [("你好", 0.0, 1.0), ("世", 1.0, 1.5)]
    assert timed(second) == [("界", 1.5, 2.0), ("大家", 2.0, 4.0)]


def test_marks_and_signs_of_scripts_without_spaces_are_words_on_their_own_side() -> None:
    thai = Segment(0.0, 4.0, "ราคา฿ดี", (Word(0, 3, "ราคา฿"), Word(3, 4, "ดี")))
    first, second = Transcript((thai,), 4.0).split(0, len("ราคา")).segments
    assert [word.text for word in second.words] == ["฿", "ดี"]
    for part in (first, second):
        assert word_spans(part.text, part.words) is not None


def test_a_part_without_words_keeps_the_pause_beside_them() -> None:
    dash = Segment(0.0, 4.0, "— yes", (Word(1.0, 4.0, "yes"),))
    first, second = Transcript((dash,), 4.0).split(0, 1).segments
    assert (first.start, first.stop, second.start) == (0.0, 1.0, 1.0)


@pytest.mark.parametrize("place", [-3, 0, 21, 99])
def test_no_part_may_be_empty(place: int) -> None:
    with pytest.raises(OptionError, match="would be empty"):
        SAID.split(0, place)


@given(segments(), st.integers(0, 30))
def test_parts_lie_one_after_the_other_and_spell_the_text(segment: Segment, place: int) -> None:
    said = Transcript((segment,), 10.0)
    try:
        first, second = said.split(0, place).segments
    except OptionError:
        assert not segment.text[:place].strip() or not segment.text[place:].strip()
        return
    assert segment.text[:place].rstrip() == first.text
    assert segment.text[place:].lstrip() == second.text
    assert segment.start <= first.start <= first.stop <= second.start <= second.stop
    assert second.stop == segment.stop
    for part in (first, second):
        assert all(part.start <= w.start <= w.stop <= part.stop for w in part.words)
        if word_spans(segment.text, segment.words) is None:
            continue
        spelled = word_spans(part.text, part.words) is not None
        assert spelled == any(script(char) for char in part.text)


def test_what_is_parted_and_merged_again_is_what_it_was() -> None:
    again = SAID.split(0, len("Hello, big")).merged(0, 1)
    assert again == SAID


@given(st.lists(segments(), min_size=2, max_size=4))
def test_merged_text_is_the_joined_text_and_words_still_spell_it(parts: list[Segment]) -> None:
    laid = [
        Segment(
            s.start + 10 * at,
            s.stop + 10 * at,
            s.text,
            tuple(Word(w.start + 10 * at, w.stop + 10 * at, w.text) for w in s.words),
        )
        for at, s in enumerate(parts)
    ]
    (one,) = Transcript(tuple(laid), 10.0 * len(laid)).merged(0, len(laid) - 1).segments
    assert one.text == join(part.text for part in laid)
    assert (one.start, one.stop) == (0.0, 10.0 * len(laid))
    starts = [word.start for word in one.words]
    assert starts == sorted(starts)
    spelled = [word_spans(s.text.strip(), s.words) is not None or not s.text.strip() for s in laid]
    if one.words and all(spelled):
        assert word_spans(one.text, one.words) is not None


def test_a_segment_in_which_nothing_is_said_takes_no_word_times_from_its_neighbours() -> None:
    said = Transcript((*SAID.segments[:2], Segment(7.0, 8.0, "\U0001f600 …", score=0.1)), 10.0)
    merged = said.merged(1, 2).segments[-1]
    assert merged.text == "Yes. \U0001f600 …"
    assert merged.words == SAID.segments[1].words
    assert merged.score == 0.1


def test_merging_keeps_the_worse_score_all_flags_and_the_first_speaker() -> None:
    merged = SAID.merged(0, 2).segments[0]
    assert merged.text == "Hello, big world now. Yes. no words here at all"
    assert merged.words == (), "a part has none, so nobody knows all of them"
    assert (merged.score, merged.flags, merged.speaker) == (0.8, ("repetition",), "Ann")
    with pytest.raises(OptionError, match="two segments"):
        SAID.merged(1, 1)


# -- More and fewer segments ----------------------------------------------------------------------


def test_segments_are_taken_out_put_in_and_replaced() -> None:
    assert texts_of(SAID.without(1)) == ["Hello, big world now.", "no words here at all"]
    assert texts_of(SAID.without(0, 1)) == ["no words here at all"]
    assert texts_of(SAID.with_segment(4.0, 5.0, "Hm."))[1] == "Hm."
    others = (Segment(5.0, 5.5, "Ye"), Segment(5.5, 9.0, "s no"))
    assert texts_of(SAID.replaced(1, 2, others))[1:] == ["Ye", "s no"]
    assert texts_of(SAID) == ["Hello, big world now.", "Yes.", "no words here at all"]


@pytest.mark.parametrize("index", [-1, 3])
def test_a_segment_that_is_not_there_is_said_to_be_missing(index: int) -> None:
    with pytest.raises(OptionError, match=f"no segment {index}; the transcript has 3"):
        SAID.with_text(index, "x")
    with pytest.raises(OptionError, match="has no segments"):
        Transcript(()).without(0)


def test_the_last_is_not_before_the_first() -> None:
    with pytest.raises(OptionError, match="comes before"):
        SAID.without(2, 1)


# -- The recording ----------------------------------------------------------------------------


def test_a_transcript_may_know_its_recording_and_keeps_it_when_corrected() -> None:
    recording = nbasr.samples.open("meeting")
    said = Transcript((Segment(0, 1, "a b"), Segment(2, 3, "c")), 10.0, recording=recording)
    assert said == Transcript(said.segments, 10.0), "the sound does not make another text"
    assert said.with_text(0, "d").recording is recording
    assert said.between(0, 1.5).recording is recording
    assert said.merged(0, 1).recording is recording
    assert "recording" not in said.to_dict()
    assert "recording" not in repr(said)
    assert Transcript.from_dict(said.to_dict()).recording is None
    assert pickle.loads(pickle.dumps(said)).recording == recording


def test_units_are_words_and_characters_of_scripts_without_spaces() -> None:
    text = "“Don't,” 他说 3.5 e-mails…"
    found = [unit.text for unit in units(text)]
    assert found == ["Don't", "他", "说", "3.5", "e-mails"]
    places = [(unit.first, unit.last) for unit in units(text)]
    assert all(stop <= start for (_, stop), (start, _) in pairwise(places))
