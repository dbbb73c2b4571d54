"""One source or many: the one rule, for functions and magics. Light enough for both."""

from __future__ import annotations

import numbers
from collections.abc import Iterator
from typing import Any


def is_many(source: Any) -> bool:
    """Tell many sources (a list, a tuple, a generator) from one.

    ``(array, rate)`` is one, a list of numbers is one array, and so is a file object, though it
    gives lines. A set is not many: it has no order that the transcripts could keep.
    """
    if isinstance(source, Iterator):
        return not hasattr(source, "read")
    if not isinstance(source, list | tuple):
        return False
    pair = len(source) == 2 and isinstance(source[1], numbers.Number)
    return not pair and not (source and isinstance(source[0], numbers.Number))
