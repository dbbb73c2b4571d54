"""Files of people: the names they type for them, and writing one so that no half of it is seen."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path


def expanded(path: str | os.PathLike[str]) -> str:
    """Put the home folder in place of a leading ``~`` or ``~name``.

    A file that is called so itself is meant itself, such as the draft ``~$report.docx``; and where
    there is no such person the name stays as it is, while `pathlib.Path.expanduser` would raise.
    """
    text = os.fspath(path)
    if not text.startswith("~") or os.path.lexists(text):
        return text
    return os.path.expanduser(text)  # noqa: PTH111


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a free name beside `path`; what is written there takes its place when all went well.

    A link is followed: the file that it leads to is replaced. The caller creates the file, so it
    gets the rights that any new file gets.

    Raises
    ------
    OSError
        If it cannot be put into its place. Whatever goes wrong, nothing is left beside it.
    """
    place = Path(os.path.realpath(path))  # Path.resolve raises where links lead in a circle
    beside = place.with_name(f".{secrets.token_hex(8)}.part")  # short: names have at most 255 bytes
    try:
        yield beside
        beside.replace(place)
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
