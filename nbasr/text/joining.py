"""Put pieces of text together as their script wants it: a space between words, none in Chinese."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from nbasr.text.scripts import IDEOGRAPHIC, UNSPACED, is_mark, script

_LOOK_BACK = 32
"""Characters of the left side that are looked at; further away nothing bears on the seam."""

_NO_SPACE_BEFORE = frozenset(".,!?;:%‰…)]}،؛؟।॥᠂᠃۔՝՞։·")
_NO_SPACE_AFTER = frozenset("([{¿¡")
_QUOTES = frozenset("\"'‘’‚‛“”„‟«»‹›")
_CLITIC = re.compile(r"['’](?:s|t|re|ve|ll|d|m)\b", re.IGNORECASE)
_JAPANESE = frozenset({"ja", "jp", "jpn", "japanese"})


def join(pieces: Iterable[str], language: str | None = None) -> str:
    """Join texts with the spaces that their script puts between words.

    The characters at each seam decide, so mixed languages come out right. There is no space
    between Chinese, Japanese, Thai, Lao, Khmer or Burmese characters, before closing and after
    opening punctuation, beside full-width punctuation, and between a digit and a Chinese or
    Japanese character. There is one between words of all other scripts (Korean among them) and
    between a Latin word and a Chinese one (Requirements for Chinese Text Layout, 3.1.2.2), though
    not a Japanese one. White space around the pieces is dropped, inside them it is kept.

    Parameters
    ----------
    pieces : iterable of str
        Texts in order; empty ones are passed over.
    language : str, optional
        A hint for what script alone cannot tell: Japanese has no space between a Chinese
        character and a Latin word.

    Examples
    --------
    >>> join(["Hello", ",", "world"])
    'Hello, world'
    >>> join(["你好，", "世界"])
    '你好，世界'
    >>> join(["안녕하세요", "여러분"])
    '안녕하세요 여러분'
    """
    return join_spans(pieces, language)[0]


def join_spans(
    pieces: Iterable[str], language: str | None = None
) -> tuple[str, list[tuple[int, int]]]:
    """Return the joined text and where in it each piece came to lie, empty pieces included."""
    parts: list[str] = []
    spans: list[tuple[int, int]] = []
    tail, length = "", 0
    for piece in pieces:
        bare = piece.strip()
        if bare:
            gap = seam(tail, bare, language)
            parts += (gap, bare)
            length += len(gap)
            tail = (tail + gap + bare)[-_LOOK_BACK:]
        spans.append((length, length + len(bare)))
        length += len(bare)
    return "".join(parts), spans


def seam(left: str, right: str, language: str | None = None) -> str:
    """Return what belongs between two texts: ``" "`` or ``""``.

    Parameters
    ----------
    left, right : str
        The texts, without white space at the seam.
    language : str, optional
        As in `join`.
    """
    if not left or not right or is_mark(right[0]):
        return ""
    left = left[-_LOOK_BACK:]
    if _closes(right) or _opens(left):
        return ""
    if _is_full_width_mark(left[-1]) or _is_full_width_mark(right[0]):
        return ""
    if left[-1].isalpha() and right[0] == "-" and right[1:2].isalpha():
        return ""  # the rest of a compound: well, -known
    before = next((char for char in reversed(left) if script(char)), "")  # past punctuation
    after = next((char for char in right if script(char)), "")
    unspaced = (script(before) in UNSPACED) + (script(after) in UNSPACED)
    if unspaced == 2:
        return ""
    if unspaced == 1:
        return _mixed_seam(left, before, after, language)
    return " "


def _mixed_seam(left: str, before: str, after: str, language: str | None) -> str:
    """Return the seam between a script without spaces and anything else."""
    scripts = {script(before), script(after)}
    if "hangul" in scripts or not scripts & IDEOGRAPHIC:
        return " "  # Thai and its kin set off foreign words
    if script(before) not in IDEOGRAPHIC and left[-1] in ".,!?;:":
        return " "  # a Latin sentence ends here
    if not before or not after or before.isdigit() or after.isdigit():
        return ""
    japanese = "kana" in scripts or (language or "").lower().partition("-")[0] in _JAPANESE
    return "" if japanese else " "


def _closes(right: str) -> bool:
    """Whether `right` begins with something that leans on what comes before it."""
    first, rest = right[0], right[1:2]
    if first in _QUOTES:
        return not (rest.isalnum() or rest in _NO_SPACE_AFTER or rest in _QUOTES) or bool(
            _CLITIC.match(right)
        )
    if first in ".…" and right.lstrip(".…")[:1].isalnum():
        return False  # .5, ...and then
    return first in _NO_SPACE_BEFORE or unicodedata.category(first) == "Pe"


def _opens(left: str) -> bool:
    """Whether `left` ends with something that what comes after it leans on."""
    last, before = left[-1], left[-2:-1]
    if last in _QUOTES:
        return not before or before.isspace() or before in _NO_SPACE_AFTER
    return last in _NO_SPACE_AFTER or unicodedata.category(last) == "Ps"


def _is_full_width_mark(char: str) -> bool:
    """Whether `char` is punctuation that brings its own white space (。，「」)."""
    return unicodedata.category(char)[0] == "P" and unicodedata.east_asian_width(char) in "WF"
