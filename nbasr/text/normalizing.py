"""What two texts must share to count as the same words, whatever their case and punctuation."""

from __future__ import annotations

import unicodedata

from nbasr.text.scripts import UNSPACED, is_mark, script

_APOSTROPHES = frozenset("'’ʼ＇‘`´")


def normalize(text: str) -> str:
    """Return `text` as it is compared: words in lower case, one space between them.

    1. Unicode NFKC, then case folding (``ß`` becomes ``ss``), then NFKC again.
    2. An apostrophe (``'``, ``’`` and their kin) between two letters or digits stays, as ``'``.
    3. Every other punctuation mark and symbol, and every control character, becomes a space:
       ``well-known`` is two words, ``3.5`` too.
    4. Invisible format characters (joiners, direction marks, soft hyphens) go.
    5. White space is collapsed.
    6. Chinese, Japanese, Thai, Lao, Khmer and Burmese put no space between words, so each of
       their characters, with its marks, is a word here; other words beside them stay whole.

    Numbers are not spelled out, and contractions not expanded: say what was said.

    Parameters
    ----------
    text : str
        Any text.

    Examples
    --------
    >>> normalize("It’s 5 o'clock — ALREADY?!")
    "it's 5 o'clock already"
    >>> normalize("用Python写。")
    '用 python 写'
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    visible = [char for char in folded if unicodedata.category(char) != "Cf"]
    kept: list[str] = []
    for index, char in enumerate(visible):
        if char in _APOSTROPHES:
            inside = 0 < index < len(visible) - 1 and _in_word(visible, index)
            kept.append("'" if inside else " ")
        elif unicodedata.category(char)[0] in "PSCZ":
            kept.append(" ")
        elif script(char) in UNSPACED and not is_mark(char):
            kept.append(f" {char}")
        elif script(char) not in UNSPACED and index and script(visible[index - 1]) in UNSPACED:
            kept.append(char if is_mark(char) else f" {char}")
        else:
            kept.append(char)
    return " ".join("".join(kept).split())


def _in_word(chars: list[str], index: int) -> bool:
    before, after = chars[index - 1], chars[index + 1]
    if script(before) in UNSPACED or script(after) in UNSPACED:
        return False  # there, each character is a word
    return (before.isalnum() or is_mark(before)) and after.isalnum()
