"""Bytes as people write and read them."""

from __future__ import annotations

import re

from nbasr.errors import OptionError

_FACTORS = {"": 1, "K": 1000, "M": 1000**2, "G": 1000**3, "T": 1000**4}
_FACTORS |= {"KI": 1024, "MI": 1024**2, "GI": 1024**3, "TI": 1024**4}


def size(count: float) -> str:
    """Write a number of bytes for people, in powers of 1000.

    >>> size(0), size(1_234_000), size(10e9)
    ('0 B', '1.2 MB', '10 GB')
    """
    units = ["B", "kB", "MB", "GB", "TB"]
    while abs(count) >= 999.5 and len(units) > 1:
        count /= 1000
        units.pop(0)
    digits = 1 if units[0] in ("GB", "TB", "MB") and abs(count) < 9.95 else 0
    return f"{count:.{digits}f} {units[0]}"


def parse_size(text: str | float) -> int:
    """Read a number of bytes: ``"4GB"`` (powers of 1000), ``"4GiB"`` (of 1024), ``"500 MB"``, 4e9.

    Raises
    ------
    OptionError
        If it is no size, or not above 0.
    """
    word = str(text).strip()
    found = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)(?:e\+?(\d+))?\s*([KMGT]I?)?B?", word.upper())
    if isinstance(text, bool) or found is None:
        raise OptionError(f"{word!r} is no size; write it as in 4GB, 3.5 GiB or 500 MB.")
    number = float(found[1]) * 10.0 ** int(found[2] or 0)
    count = round(number * _FACTORS[found[3] or ""])
    if count <= 0:
        raise OptionError(f"A size is above 0, not {word!r}.")
    return count
