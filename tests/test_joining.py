"""Pieces of text are joined as their script wants it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbasr.text.joining import join, join_spans, seam
from nbasr.text.scripts import script, width

LATIN = st.text("abcdefghijklmnopqrstuvwxyzéüßøñ", min_size=1, max_size=8)
CYRILLIC = st.text("абвгдежзийклмн", min_size=1, max_size=8)
ARABIC = st.text("ابتثجحخدذرز", min_size=1, max_size=8)
HANGUL = st.text("가나다라마바사아자차카타파하한국어", min_size=1, max_size=5)
HAN = st.text("中文語音识别测试數據", min_size=1, max_size=8)
KANA = st.text("あいうえおカキクケコー", min_size=1, max_size=8)
THAI = st.text("กขคงจฉชซญดตถทธนบปผ", min_size=1, max_size=8)
LAO = st.text("ກຂຄງຈສຊຍດຕ", min_size=1, max_size=8)
KHMER = st.text("កខគឃងចឆជ", min_size=1, max_size=8)
BURMESE = st.text("ကခဂဃငစဆဇ", min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("pieces", "joined"),
    [
        (["Hello", "world"], "Hello world"),
        ([" Hello ", "\tworld\n"], "Hello world"),
        (["Hello", ",", "world", "!"], "Hello, world!"),
        (["He said", "(quietly)", "no"], "He said (quietly) no"),
        (["(", "quietly", ")"], "(quietly)"),
        (["it", "'s", "fine"], "it's fine"),
        (["rock", "'n'", "roll"], "rock 'n' roll"),
        (["he said", "“yes", "”", "again"], "he said “yes” again"),
        (['he said "', "yes", '"', "again"], 'he said "yes" again'),
        (["well", "-known"], "well-known"),
        (["about", "-5", "degrees"], "about -5 degrees"),
        (["wait", "...", "and", "...then"], "wait... and ...then"),
        (["costs", ".5", "%"], "costs .5%"),
        (["¿", "Qué", "?"], "¿Qué?"),
        (["你好", "世界"], "你好世界"),
        (["你好，", "世界"], "你好，世界"),
        (["你好,", "世界"], "你好,世界"),
        (["他说", "“你好”", "然后走了"], "他说“你好”然后走了"),
        (["今日は", "良い天気", "ですね。", "はい"], "今日は良い天気ですね。はい"),
        (["안녕하세요", "여러분", "."], "안녕하세요 여러분."),
        (["สวัสดี", "ครับ"], "สวัสดีครับ"),
        (["ສະບາຍ", "ດີ"], "ສະບາຍດີ"),
        (["សួស្តី", "បង"], "សួស្តីបង"),
        (["မင်္ဂလာ", "ပါ"], "မင်္ဂလာပါ"),
        (["我用", "Python", "写"], "我用 Python 写"),
        (["Pythonで", "書く"], "Pythonで書く"),
        (["カメラは", "Canon", "です"], "カメラはCanonです"),
        (["二零二五", "2025", "年"], "二零二五2025年"),
        (["OK.", "你好"], "OK. 你好"),
        (["你好。", "OK"], "你好。OK"),
        (["มี", "3", "คน"], "มี 3 คน"),
        (["你好😀", "世界"], "你好😀世界"),
        (["hello 😀", "world"], "hello 😀 world"),
        (["שלום", "עולם", "!"], "שלום עולם!"),
        (["नमस्ते", "दुनिया", "।"], "नमस्ते दुनिया।"),
        (["cafe", "\u0301"], "cafe\u0301"),
        (["한국", "語"], "한국 語"),
        (["", " ", "a", ""], "a"),
        ([], ""),
    ],
)
def test_seam_follows_the_script(pieces: list[str], joined: str) -> None:
    assert join(pieces) == joined


def test_language_hint_decides_only_what_script_leaves_open() -> None:
    assert join(["日本", "Canon"]) == "日本 Canon"
    assert join(["日本", "Canon"], "ja") == "日本Canon"
    assert join(["日本", "Canon"], "Japanese") == "日本Canon"
    assert join(["hello", "world"], "ja") == "hello world"
    assert join(["你好", "世界"], "en") == "你好世界"


@given(st.lists(st.one_of(LATIN, CYRILLIC, ARABIC, HANGUL), max_size=8))
def test_words_of_spaced_scripts_are_one_space_apart(pieces: list[str]) -> None:
    assert join(pieces) == " ".join(pieces)


@pytest.mark.parametrize("letters", [HAN | KANA, THAI, LAO, KHMER, BURMESE])
def test_scripts_without_spaces_get_none(letters: st.SearchStrategy[str]) -> None:
    @given(st.lists(letters, max_size=8))
    def check(pieces: list[str]) -> None:
        assert join(pieces) == "".join(pieces)

    check()


@given(st.lists(st.text(max_size=12), max_size=8))
def test_joining_changes_nothing_but_white_space_between_pieces(pieces: list[str]) -> None:
    joined, spans = join_spans(pieces)
    assert [joined[start:stop] for start, stop in spans] == [piece.strip() for piece in pieces]
    between = [joined[a:b] for (_, a), (b, _) in pairwise(spans)]
    assert set(between) <= {"", " "}
    assert joined == joined.strip()


@given(st.lists(st.text(max_size=40), max_size=6), st.integers(0, 6))
def test_joining_in_two_steps_gives_the_same(pieces: list[str], cut: int) -> None:
    assert join([join(pieces[:cut]), *pieces[cut:]]) == join(pieces)


@given(st.text(max_size=20), st.sampled_from(list(".,!?;:)]}%。，！？、」')")))
def test_nothing_separates_text_from_closing_punctuation(text: str, mark: str) -> None:
    assert seam(text, mark) == ""


def test_scripts_and_widths_of_characters() -> None:
    assert [script(c) for c in "aé1я中々あァー한ไລ។ခ.—😀 "] == [
        *("other", "other", "other", "other", "han", "han", "kana", "kana", "kana"),
        *("hangul", "thai", "lao", "khmer", "myanmar", "", "", "", ""),
    ]
    assert width("abc") == 3
    assert width("中文。") == 6
    assert width("e\u0301\u200d") == 1
