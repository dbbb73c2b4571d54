"""What FunASR's models say: their texts, marks and milliseconds, made words and segments."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterator, Sequence

from nbasr.engines.base import Recognition
from nbasr.engines.sphinx import BREAK
from nbasr.text.joining import join
from nbasr.text.scripts import script
from nbasr.transcript.transcript import Segment, Word

Timed = tuple[str, float, float]
"""A word with its start and stop in seconds."""

SENSEVOICE = ("zh", "yue", "en", "ja", "ko")
"""Languages that SenseVoiceSmall can be told to expect (FunASR, ``sense_voice/model.py``)."""

_MARK = re.compile(r"<\|([^|<>]*)\|>")
_UNKNOWN = re.compile(r"<(?:unk|s|/s|blank|OOV)>", re.IGNORECASE)

_ENDS = "。？！!?…"
"""Marks that end a sentence wherever they stand; a full stop does so at the end of a word."""


def tags(text: str) -> tuple[str, tuple[str, ...]]:
    """Split SenseVoice's answer into the text and the marks in it.

    Parameters
    ----------
    text
        Such as ``"<|zh|><|NEUTRAL|><|Speech|><|withitn|>你好。"``.

    Returns
    -------
    text : str
        ``"你好。"``.
    marks : tuple of str
        ``("zh", "NEUTRAL", "Speech", "withitn")``.
    """
    return clean(_MARK.sub(" ", text)), tuple(_MARK.findall(text))


def clean(text: str) -> str:
    """Drop the tokens that stand for no text, and white space that nobody needs."""
    return " ".join(_UNKNOWN.sub(" ", text).split())


def joined(text: str, language: str | None) -> str:
    """Return a text with the spaces between words that its scripts want."""
    return join(_words(text), language)


def timed(words: Sequence[str], times: Sequence[Sequence[float]], duration: float) -> list[Timed]:
    """Pair words with their times; nothing where they do not match in number.

    Parameters
    ----------
    words
        Words, or characters of Chinese.
    times
        Start and stop of each in milliseconds, as FunASR gives them. They may overlap by a frame
        and lie behind the end.
    duration
        Length of the sound in seconds.

    Returns
    -------
    list of (str, float, float)
        Seconds in order, all inside the sound.
    """
    if len(words) != len(times):
        return []
    found: list[Timed] = []
    last = 0.0
    for word, (first, second) in zip(words, times, strict=True):
        start = min(max(first / 1000, last), duration)
        stop = min(max(second / 1000, start), duration)
        found.append((word, round(start, 3), round(stop, 3)))
        last = stop
    return found


def placed(text: str, pieces: Sequence[Timed]) -> list[Timed]:
    """Give the words of a text the times of the pieces that a model tells of it.

    Parameters
    ----------
    text
        Words between spaces, or Chinese; with punctuation.
    pieces
        Parts of the same text in order, cut anywhere and perhaps without its punctuation.

    Returns
    -------
    list of (str, float, float)
        Together they have all of the text but its spaces; empty where the pieces tell another text.
    """
    times = list(_spread(pieces))
    found: list[Timed] = []
    at, opening = 0, ""
    for word in _words(text):
        letters = list(_letters(word))
        if not letters:
            if found and not opening and unicodedata.category(word[0]) not in ("Ps", "Pi"):
                before, start, stop = found[-1]
                found[-1] = (before + word, start, stop)
            else:
                opening += word
            continue
        here = times[at : at + len(letters)]
        if [c for c, _, _ in here] != letters:
            return []
        found.append((opening + word, here[0][1], here[-1][2]))
        at, opening = at + len(letters), ""
    if opening and found:
        before, start, stop = found[-1]
        found[-1] = (before + opening, start, stop)
    return found if at == len(times) else []


def punctuated(words: Sequence[Timed], text: str) -> list[Timed]:
    """Give words the punctuation and the capitals that another model wrote into their text.

    Returns
    -------
    list of (str, float, float)
        The same words where it changed anything else.
    """
    return placed(text, words) or list(words)


def answer(
    text: str,
    words: Sequence[Timed],
    language: str | None,
    duration: float,
    *,
    flags: tuple[str, ...] = (),
) -> Recognition:
    """Return what was heard, in sentences where the times of words are known.

    Parameters
    ----------
    text
        All of it.
    words
        The same text by words; empty where their times are not known.
    language
        Code.
    duration
        Length of the sound in seconds.
    flags
        Doubts.
    """
    if not text:
        return Recognition("", language, (), flags)
    if not words:
        return Recognition(
            text, language, (Segment(0.0, duration, text, language=language),), flags
        )
    segments = tuple(
        Segment(
            group[0][1],
            group[-1][2],
            join((word for word, _, _ in group), language),
            tuple(Word(start, stop, word) for word, start, stop in group),
            language=language,
        )
        for group in sentences(words)
    )
    return Recognition(join((one.text for one in segments), language), language, segments, flags)


def sentences(words: Sequence[Timed]) -> list[list[Timed]]:
    """Split words behind the marks that end a sentence, or at pauses where there are no marks."""
    marked = any(_punctuation(word[-1:]) for word, _, _ in words)
    groups: list[list[Timed]] = [[words[0]]]
    for before, word in itertools.pairwise(words):
        ended = _ends(before[0]) if marked else word[1] - before[2] >= BREAK
        if ended:
            groups.append([])
        groups[-1].append(word)
    return groups


def language_of(text: str) -> str | None:
    """Return the language of a text in Chinese or English, by its characters; None without any."""
    scripts = [script(char) for char in text]
    if "han" in scripts:
        return "zh"
    return "en" if "other" in scripts else None


def _ends(word: str) -> bool:
    bare = word.rstrip("\"'”’」』）)")
    return bare.endswith(tuple(_ENDS)) or (bare.endswith(".") and len(bare) > 2)


def _punctuation(char: str) -> bool:
    return bool(char) and unicodedata.category(char).startswith("P")


def _letters(word: str) -> Iterator[str]:
    """Yield the characters of a word that are said, in lower case: no punctuation, no spaces."""
    for char in word.casefold():
        if not (char.isspace() or char == "▁" or _punctuation(char)):
            yield char


def _spread(pieces: Sequence[Timed]) -> Iterator[Timed]:
    """Yield the letters of pieces, each with its share of the time of its piece."""
    for piece, start, stop in pieces:
        letters = list(_letters(piece))
        edges = [
            round(start + (stop - start) * n / len(letters), 3) for n in range(len(letters) + 1)
        ]
        yield from zip(letters, edges, edges[1:], strict=False)


def _words(text: str) -> Iterator[str]:
    """Yield the words of a text: between spaces, and in Chinese and Japanese each character.

    Punctuation stays with the word before it; where there is none, it is yielded alone.
    """
    for stretch in text.split():
        word = ""
        for char in stretch:
            new = script(char) in ("han", "kana", "bopomofo")
            after = script(word[-1:]) in ("han", "kana", "bopomofo")
            ended = _punctuation(word[-1:]) and not _punctuation(char) and word[-1:] not in "'’-.,"
            if word and (new or (after and script(char)) or ended):
                yield word
                word = ""
            word += char
        if word:
            yield word
