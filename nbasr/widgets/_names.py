"""Names of files that come from somewhere else: brought to one that lands in the folder meant."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath

LONGEST = 200
"""Bytes that a name may have: the systems take 255, and a number may be added to it."""

_NOT_IN_NAMES = re.compile(r'[<>:"|?*]')  # Windows refuses them
_KEPT_FORMATS = "\u200c\u200d"  # joiners: several scripts need them, and so do many emoji
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$) *(\..*)?")
_LONGEST_SUFFIX = 16  # bytes; what is longer is no suffix


def safe_name(name: str) -> str:
    """Return a name for a file that is safe in any folder on any system.

    It has no separators, control or invisible characters, no leading dot, and at most `LONGEST`
    bytes; a name that is safe already stays, but for its Unicode form, which is NFC.

    >>> safe_name("../../Méeting: 3.m4a"), safe_name(".."), safe_name("CON.wav")
    ('Méeting_ 3.m4a', 'recording', '_CON.wav')
    """
    last = re.split(r"[/\\]", name)[-1]
    # What is left out may have kept two letters apart that make one.
    shown = unicodedata.normalize("NFC", "".join(filter(_is_shown, last)))
    clean = _NOT_IN_NAMES.sub("_", shown).strip(". ")
    if _RESERVED.fullmatch(clean):
        clean = f"_{clean}"
    stem, suffix = split_name(clean)
    stem = _cut(stem, LONGEST - len(suffix.encode())).rstrip(". ")
    return (stem + suffix) if stem else "recording" + suffix


def split_name(name: str) -> tuple[str, str]:
    """Return stem and suffix; the suffix is empty or begins with its dot."""
    suffix = PurePosixPath(name).suffix
    if len(suffix.encode()) > _LONGEST_SUFFIX:
        suffix = ""
    return name.removesuffix(suffix) if suffix else name, suffix


def numbered(name: str, number: int) -> str:
    """Return ``talk (2).wav`` for ``talk.wav`` and 2; the name itself for 1."""
    if number == 1:
        return name
    stem, suffix = split_name(name)
    return f"{stem} ({number}){suffix}"


def _is_shown(letter: str) -> bool:
    return unicodedata.category(letter) not in ("Cc", "Cf", "Cs", "Zl", "Zp") or (
        letter in _KEPT_FORMATS
    )


def _cut(text: str, most_bytes: int) -> str:
    """Shorten a text to so many bytes, at a letter's border."""
    return text.encode()[:most_bytes].decode(errors="ignore")
