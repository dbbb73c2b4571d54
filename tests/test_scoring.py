"""Word and character error rates, their normalisation and their alignment."""

from __future__ import annotations

import math
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbasr.errors import OptionError
from nbasr.text.scoring import Change, normalize, score
from nbasr.transcript import Segment, Transcript

WORDS = st.lists(st.sampled_from(["a", "b", "cat", "dog", "the"]), max_size=9)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("Hello, World!", "hello world"),
        ("  It’s\n5 o'clock — ", "it's 5 o'clock"),
        ("'quoted' rock 'n' roll's'", "quoted rock n roll's"),
        ("well-known 3.5 %", "well known 3 5"),
        ("Straße ﬁne ＡＢＣ", "strasse fine abc"),
        ("soft\u00adhyphen zero\u200bwidth", "softhyphen zerowidth"),
        ("你好，world。", "你 好 world"),
        ("用Python写", "用 python 写"),
        ("カメラ", "カ メ ラ"),
        ("ที่นี่", "ที่ นี่"),
        ("한국어 음성", "한국어 음성"),
        ("cafe\u0301", "café"),
        ("\x00a\ud800b", "a b"),
        ("…!?", ""),
    ],
)
def test_normalization_is_as_documented(text: str, normal: str) -> None:
    assert normalize(text) == normal


@given(st.text(max_size=30))
def test_normalizing_twice_changes_nothing(text: str) -> None:
    assert normalize(normalize(text)) == normalize(text)


@given(WORDS, WORDS)
def test_counts_add_up_and_are_the_fewest(reference: list[str], hypothesis: list[str]) -> None:
    result = score(" ".join(reference), " ".join(hypothesis))
    assert result.errors == _distance(reference, hypothesis)
    assert result.hits + result.substitutions + result.deletions == result.words == len(reference)
    assert result.hits + result.substitutions + result.insertions == len(hypothesis)
    assert [w for change in result.alignment for w in change.reference] == reference
    assert [w for change in result.alignment for w in change.hypothesis] == hypothesis
    letters = _distance("".join(reference), "".join(hypothesis))
    assert result.cer * result.characters == pytest.approx(letters) or not reference


def test_score_of_a_sentence_tells_what_went_wrong() -> None:
    result = score("the quick brown fox jumps", "The quack brown brown fox.")
    assert (result.substitutions, result.insertions, result.deletions) == (1, 1, 1)
    assert result.wer == pytest.approx(3 / 5)
    assert Change("equal", ("the",), ("the",)) in result.alignment
    assert Change("delete", ("jumps",), ()) in result.alignment
    assert repr(result).startswith(
        "WER 60.0 % (3 of 5 words: 1 substituted, 1 deleted, 1 inserted)"
    )
    assert "\n" not in repr(result)


def test_chinese_is_scored_by_character() -> None:
    result = score("今天天气很好。", "今天天汽好")
    assert result.wer == result.cer == pytest.approx(2 / 6)


def test_empty_reference_divides_nothing_by_zero() -> None:
    assert score("", "").wer == 0
    assert score("...", "").cer == 0
    invented = score("", "thanks for watching")
    assert math.isinf(invented.wer)
    assert math.isinf(invented.cer)
    assert invented.insertions == 3
    assert "no words in the reference" in repr(invented)
    assert score("something said", "").wer == 1


def test_pairs_are_aligned_one_by_one_and_counted_together() -> None:
    result = score(["a b", "c d e"], ["a b c", "d e"])
    assert (result.words, result.insertions, result.deletions) == (5, 1, 1)
    assert result.wer == pytest.approx(0.4)


def test_transcripts_and_segments_are_scored_by_their_text() -> None:
    segment = Segment(0, 1, "Hello there.")
    transcript = Transcript((segment, Segment(1, 2, "General.")))
    assert score("hello there general", transcript).wer == 0
    assert score(["hello there", "general"], list(transcript)).wer == 0


@pytest.mark.parametrize(
    ("reference", "hypothesis", "sentence"),
    [
        ("a", ["a"], "not a text and a list"),
        (["a", "b"], ["a"], "2 references with 1 recognised text"),
        (None, "a", "NoneType has no text"),
        ([1], ["a"], "int has no text"),
    ],
)
def test_what_cannot_be_scored_is_told(
    reference: object, hypothesis: object, sentence: str
) -> None:
    with pytest.raises(OptionError, match=sentence):
        score(reference, hypothesis)  # type: ignore[arg-type]


def test_one_word_is_no_plural() -> None:
    assert "(1 of 1 word: 1 substituted" in repr(score("yes", "no"))


def test_html_marks_errors_by_elements_and_keeps_text_as_text() -> None:
    page = score("say <script>alert(1)</script> now then", "say <img src=x> then")._repr_html_()
    tags, text = [], []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: tags.append(tag)  # type: ignore[method-assign]
    parser.handle_data = text.append  # type: ignore[method-assign, assignment]
    parser.feed(page)
    assert set(tags) <= {"div", "p", "strong", "br", "small", "del", "ins"}
    assert tags.count("del") >= 2
    assert tags.count("ins") >= 2
    assert "alert" in "".join(text)


def test_html_of_an_hour_stays_small() -> None:
    said = [*"abcdefghij"] * 900
    heard = [word if index % 97 else "zero" for index, word in enumerate(said)]
    assert len(score(" ".join(said), " ".join(heard))._repr_html_()) < 60_000


def test_importing_the_scorer_does_not_import_jiwer() -> None:
    code = "import sys, nbasr.text; sys.exit('jiwer' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def _distance(left: list[str] | str, right: list[str] | str) -> int:
    """Return the Levenshtein distance the slow way."""
    row = list(range(len(right) + 1))
    for i, one in enumerate(left, 1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(right, 1):
            best = min(row[j] + 1, row[j - 1] + 1, diagonal + (one != other))
            diagonal, row[j] = row[j], best
    return row[-1]
