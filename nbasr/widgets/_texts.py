"""What panels say, in English and Chinese: the kernel's side of the one catalogue."""

from __future__ import annotations

import json
from functools import cache

from nbasr.widgets._bundle import STATIC

LANGUAGES = ("en", "zh")
"""Languages that the catalogue knows; the first stands in for any other."""


def say(key: str, language: str = "", **values: object) -> str:
    """Return a text of the catalogue.

    Parameters
    ----------
    key
        Such as ``"upload.too_large"``.
    language
        Code such as ``"en"`` or ``"zh-CN"``; what is unknown is English.
    **values
        What stands in place of ``{names}``.
    """
    known = _catalogue()[key]
    code = language.lower().split("-")[0]
    return known[code if code in known else LANGUAGES[0]].format(**values)


@cache
def _catalogue() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(
        (STATIC / "texts.json").read_text(encoding="utf-8")
    )
    return found
