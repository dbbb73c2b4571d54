"""Make any text safe for formats that end a record at a line break or forbid control characters."""

from __future__ import annotations

import re

_BREAKS = re.compile(r"[ ]*[\t\n\r\x0b\x0c\x1c-\x1f\x85\u2028\u2029]+\s*")
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_BLANKS = re.compile(r"\s{2,}|[^\S\xa0\u202f]")


def flat(text: str) -> str:
    """Return `text` in one line that every text format and XML 1.0 can hold.

    Line breaks and tabs become a space, other control characters and halves of surrogate pairs
    the replacement character U+FFFD; white space around the text goes.
    """
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", _BREAKS.sub(" ", text)).strip()


def single_spaced(text: str) -> str:
    """Return `text` as `flat` does, with every run of white space as one space.

    A no-break space on its own stays: it keeps its neighbours in one line.
    """
    return _BLANKS.sub(" ", flat(text))
