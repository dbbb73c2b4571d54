"""Our warnings as one line: the place in the code helps nobody who typed a command."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from nbasr.errors import AudioWarning, ModelWarning


@contextmanager
def short_warnings(*, once: bool = False) -> Iterator[None]:
    """Show nbasr's warnings as ``nbasr: …`` inside this block; all others as ever.

    Parameters
    ----------
    once
        Tell the same thing only once, however many files it is true of.
    """
    kept = warnings.showwarning
    told: set[str] = set()

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if issubclass(category, AudioWarning | ModelWarning):
            if not (once and str(message) in told):
                sys.stderr.write(f"nbasr: {message}\n")
            told.add(str(message))
        else:
            kept(message, category, filename, lineno, file, line)

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = kept
