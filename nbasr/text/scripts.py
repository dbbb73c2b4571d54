"""Which writing system a character belongs to, as far as spacing, width and line breaks need it."""

from __future__ import annotations

import bisect
import unicodedata

_RANGES = (
    (0x0E00, 0x0E7F, "thai"),
    (0x0E80, 0x0EFF, "lao"),
    (0x1000, 0x109F, "myanmar"),
    (0x1100, 0x11FF, "hangul"),
    (0x1780, 0x17FF, "khmer"),
    (0x19E0, 0x19FF, "khmer"),
    (0x2E80, 0x2FDF, "han"),  # radicals
    (0x3005, 0x3007, "han"),  # 々〆〇
    (0x3021, 0x3029, "han"),
    (0x3031, 0x3035, "kana"),
    (0x3038, 0x303B, "han"),
    (0x3041, 0x309F, "kana"),
    (0x30A1, 0x30FA, "kana"),
    (0x30FC, 0x30FF, "kana"),
    (0x3105, 0x312F, "bopomofo"),
    (0x3131, 0x318E, "hangul"),
    (0x31A0, 0x31BF, "bopomofo"),
    (0x31F0, 0x31FF, "kana"),
    (0x3400, 0x4DBF, "han"),
    (0x4E00, 0x9FFF, "han"),
    (0xA960, 0xA97F, "hangul"),
    (0xA9E0, 0xA9FF, "myanmar"),
    (0xAA60, 0xAA7F, "myanmar"),
    (0xAC00, 0xD7FF, "hangul"),
    (0xF900, 0xFAFF, "han"),
    (0xFF66, 0xFF9F, "kana"),
    (0xFFA0, 0xFFDC, "hangul"),
    (0x1AFF0, 0x1B16F, "kana"),
    (0x20000, 0x3FFFF, "han"),
)
"""First and last code point of the scripts with rules of their own (Unicode 16, Scripts.txt)."""

_FIRSTS = [first for first, _, _ in _RANGES]

IDEOGRAPHIC = frozenset({"han", "kana", "bopomofo"})
"""Scripts in which every character is an em wide and a line may break after almost each."""

UNSPACED = IDEOGRAPHIC | {"thai", "lao", "khmer", "myanmar"}
"""Scripts that put no space between words."""


def script(char: str) -> str:
    """Return the script of a character: one of those named here, ``"other"``, or ``""``.

    ``""`` is for what takes no side in spacing: punctuation, symbols, marks, white space, and no
    character at all. Letters and digits of every script without a rule of its own are ``"other"``.
    """
    if not char:
        return ""
    code = ord(char)
    if code < 0x0E00:  # most text
        return "other" if char.isalnum() else ""
    index = bisect.bisect_right(_FIRSTS, code) - 1
    if index >= 0 and code <= _RANGES[index][1]:
        return _RANGES[index][2]
    return "other" if char.isalnum() else ""


def is_mark(char: str) -> bool:
    """Whether `char` belongs to the character before it (accent, vowel sign, joiner, selector)."""
    return unicodedata.category(char) in ("Mn", "Mc", "Me") or char in "\u200c\u200d"


def width(text: str) -> int:
    """Return the columns that `text` takes: 2 for a full-width character, 0 for a mark.

    Full-width is East Asian Width W or F (Unicode Standard Annex 11), emoji among them.
    """
    return sum(
        0
        if unicodedata.category(char) in ("Mn", "Me", "Cf")
        else 2
        if unicodedata.east_asian_width(char) in "WF"
        else 1
        for char in text
    )
