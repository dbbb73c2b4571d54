"""Transcripts as values: their text, slices, searches, tables and plain data."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nbasr
from nbasr.errors import OptionError
from nbasr.transcript import Segment, Transcript, Word

SAID = Segment(
    1.0,
    4.0,
    "Well, “the house” is — as they say — red.",
    words=tuple(
        Word(1.0 + index * 0.3, 1.2 + index * 0.3, text)
        for index, text in enumerate(["Well", "the", "house", "is", "as", "they", "say", "red"])
    ),
)


def test_values_are_frozen_comparable_and_public() -> None:
    assert nbasr.Segment is Segment
    assert Segment(0, 1, "a") == Segment(0.0, 1.0, "a")
    assert hash(Transcript((SAID,))) == hash(Transcript((SAID,)))
    with pytest.raises(dataclasses.FrozenInstanceError):
        SAID.text = "no"  # type: ignore[misc]


def test_numbers_of_numpy_become_plain_ones() -> None:
    word = Word(np.float32(0.5), np.float64(1), "a", score=np.float32(0.25))  # type: ignore[arg-type]
    assert [type(word.start), type(word.stop), type(word.score)] == [float, float, float]
    assert Word(0, 1, "a", score=float("nan")).score is None


@pytest.mark.parametrize("times", [(-1, 1), (0, float("nan")), (0, float("inf")), (2, 1)])
def test_impossible_times_are_refused(times: tuple[float, float]) -> None:
    with pytest.raises(OptionError, match=r"seconds from 0|before it starts"):
        Segment(*times, "a")
    with pytest.raises(OptionError, match=r"seconds from 0|before it starts"):
        Word(*times, "a")


def test_text_and_words_follow_the_order_of_time() -> None:
    late, early = Segment(5, 6, "world", (Word(5, 6, "world"),)), Segment(0, 1, "Hello")
    transcript = Transcript((late, early), duration=10, seconds=4)
    assert transcript.text == "Hello world"
    assert [word.text for word in transcript.words] == ["world"]
    assert list(transcript) == [early, late]
    assert (transcript.rtf, transcript.rtfx) == (0.4, 2.5)
    assert Transcript((Segment(0, 1, "你好，"), Segment(1, 2, "世界"))).text == "你好，世界"


def test_speed_is_unknown_without_a_time_or_a_duration() -> None:
    assert Transcript((), duration=10).rtf is Transcript((), duration=10).rtfx is None
    assert Transcript((), seconds=1).rtf is Transcript((), seconds=1).rtfx is None


def test_slice_keeps_the_words_whose_middle_is_inside_with_their_punctuation() -> None:
    part = Transcript((SAID,), duration=9, seconds=1)[1.3:2.1]
    assert part.text == "“the house” is —"
    assert [word.text for word in part.words] == ["the", "house", "is"]
    assert (part.segments[0].start, part.segments[0].stop) == pytest.approx((1.3, 2.1))
    assert part.duration == 9
    assert part.seconds is None


def test_slice_of_words_that_do_not_spell_the_text_joins_the_words() -> None:
    words = (Word(0, 1, "twenty"), Word(1, 2, "three"), Word(2, 3, "cats"))
    transcript = Transcript((Segment(0, 3, "23 cats", words),))
    assert transcript.between(0, 1.9).text == "twenty three"


def test_slice_keeps_segments_without_word_times_whole() -> None:
    transcript = Transcript((Segment(0, 2, "one"), Segment(2, 4, "two"), Segment(4, 6, "three")))
    assert transcript[1.0:4.0].text == "one two"
    assert transcript[:2].text == "one"
    assert transcript[5:].text == "three"
    assert transcript[7:].segments == ()


@pytest.mark.parametrize("index", [0, slice(0, 5, 2), slice(3, 3), slice(4, 2), "word"])
def test_slice_that_is_none_is_told(index: object) -> None:
    with pytest.raises(OptionError, match="slice"):
        Transcript((SAID,))[index]  # type: ignore[index]


@given(st.floats(0, 6), st.floats(0, 6), st.floats(0, 6))
def test_neighbouring_slices_share_the_words_out(a: float, b: float, c: float) -> None:
    start, cut, stop = sorted((a, b, c))
    if start < cut < stop:
        transcript = Transcript((SAID,))
        first, second = transcript[start:cut].words, transcript[cut:stop].words
        assert first + second == transcript[start:stop].words


def test_search_finds_plain_text_in_any_case_and_across_segments() -> None:
    transcript = Transcript((SAID, Segment(4, 5, "Blue  doors."), Segment(5, 6, "blue")))
    hits = transcript.search("BLUE")
    assert [(hit.segment, hit.start, hit.text) for hit in hits] == [(1, 4, "Blue"), (2, 5, "blue")]
    (seam,) = transcript.search("red. blue doors")
    assert (seam.segment, seam.start, seam.stop) == (0, pytest.approx(3.1), 5)
    (house,) = transcript.search("house")
    assert (house.start, house.stop) == pytest.approx((1.6, 1.8))
    assert transcript.search("blue", case=True)[0].segment == 2
    assert transcript.search("(red)") == ()
    assert transcript.search("red.")[0].text == "red."


def test_search_takes_patterns_and_passes_empty_matches_over() -> None:
    transcript = Transcript((SAID,))
    assert [hit.text for hit in transcript.search(r"\bth\w+", regex=True)] == ["the", "they"]
    assert transcript.search("x*", regex=True) == ()


def test_search_sees_the_same_letter_in_a_composed_and_a_decomposed_form() -> None:
    transcript = Transcript((Segment(0, 1, "caf\u00e9 cafe\u0301"),))
    assert len(transcript.search("café")) == 2


@pytest.mark.parametrize(("pattern", "regex"), [("", False), ("  ", True), ("(", True)])
def test_search_for_nothing_or_for_no_pattern_is_told(pattern: str, regex: bool) -> None:
    with pytest.raises(OptionError, match=r"search for|no regular expression"):
        Transcript((SAID,)).search(pattern, regex=regex)


def test_hits_show_themselves_with_the_match_marked_and_escaped() -> None:
    hits = Transcript((Segment(61, 62, "a <b>bold</b> word"),)).search("<b>bold")
    assert repr(hits) == "1 place found for '<b>bold'\n1:01.0  a [<b>bold]</b> word"
    assert "<mark><strong>&lt;b&gt;bold</strong></mark>" in hits._repr_html_()
    nothing = Transcript(()).search("x")
    assert repr(nothing) == "Nothing found for 'x'"
    many = Transcript(tuple(Segment(i, i + 1, "again") for i in range(80))).search("again")
    assert len(many) == 80
    assert repr(many).endswith("… and 30 more")


def test_data_frames_hold_segments_or_words() -> None:
    transcript = Transcript((SAID, Segment(4, 5, "x", speaker="Ann", score=0.5, flags=("a", "b"))))
    segments = transcript.to_dataframe()
    assert list(segments.columns) == [
        *("start", "stop", "text", "speaker", "language", "score", "flags"),
    ]
    assert segments.start.tolist() == [1.0, 4.0]
    assert segments["flags"].tolist() == ["", "a;b"]
    words = transcript.to_dataframe("words")
    assert words.text.tolist() == [word.text for word in SAID.words]
    assert words.segment.tolist() == [0] * 8
    empty = Transcript(()).to_dataframe()
    assert len(empty) == 0
    assert empty.start.dtype == empty.score.dtype == "float64"
    with pytest.raises(OptionError, match="Did you mean 'words'"):
        transcript.to_dataframe("word")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="lacks word times: transcribe with timestamps='word'"):
        Transcript((Segment(4, 5, "x"),)).to_dataframe("words")


def test_plain_data_of_whisper_is_understood() -> None:
    word = {"word": " Hi", "start": 0.0, "end": 1.0, "probability": 0.9}
    segment = {"start": 0.0, "end": 1.0, "text": " Hi", "avg_logprob": 0.0, "words": [word]}
    transcript = Transcript.from_dict({"text": " Hi", "language": "en", "segments": [segment]})
    assert transcript.words == (Word(0, 1, "Hi", 0.9),)
    assert transcript.segments[0].score == 1
    assert (transcript.duration, transcript.language) == (1, "en")


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, "'segments' is missing"),
        ([], "no transcript"),
        ({"segments": 3}, "no transcript"),
        ({"segments": [{"start": 0, "stop": 1}]}, "'text' is missing"),
        ({"segments": [{"start": 0, "stop": 1, "text": 5}]}, "5 is not text"),
        ({"segments": [{"start": "x", "stop": 1, "text": ""}]}, "no transcript"),
        ({"segments": [{"start": 2, "stop": 1, "text": ""}]}, "before it starts"),
        ({"segments": [], "nbasr": 99}, "newer nbasr"),
    ],
)
def test_plain_data_that_is_no_transcript_is_told(values: object, sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        Transcript.from_dict(values)  # type: ignore[arg-type]


def test_importing_transcripts_imports_neither_numpy_nor_pandas() -> None:
    code = "import sys, nbasr.transcript.formats, nbasr.transcript.render; "
    code += "sys.exit(bool({'numpy', 'pandas', 'jiwer'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
