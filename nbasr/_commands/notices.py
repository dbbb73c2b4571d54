"""Our warnings as one line: the place in the code helps nobody who typed a command."""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TextIO

from nbasr.errors import AudioWarning, ModelWarning


@contextmanager
def short_warnings(*, once: bool = False) -> Iterator[None]:
    """Show nbasr's warnings as ``nbasr: …`` inside this block; all others as ever.

    Each command tells them anew, where Python itself would show a warning once for each place in
    the code, which for a magic is always the same. Filters that the user has set are heeded.

    Parameters
    ----------
    once
        Tell the same thing only once in this block, however many files it is true of.
    """
    global _blocks
    with _lock:
        _blocks += 1
        if _blocks == 1:
            _changed.enter_context(_short(once=once))
    try:
        yield
    finally:
        with _lock:
            _blocks -= 1
            if _blocks == 0:
                _changed.close()


# The warnings are the process's: of blocks in several threads, the first changes how they are shown
# and the last changes it back.
_lock = threading.Lock()
_blocks = 0
_changed = ExitStack()


@contextmanager
def ignored(*kinds: type[Warning]) -> Iterator[None]:
    """Show no warnings of these kinds inside this block."""
    with warnings.catch_warnings():
        for kind in kinds:
            warnings.simplefilter("ignore", kind)
        yield


@contextmanager
def _short(*, once: bool) -> Iterator[None]:
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

    with warnings.catch_warnings():
        for ours in (AudioWarning, ModelWarning):
            warnings.simplefilter("always", ours, append=True)  # behind those of the user
        warnings.showwarning = show
        try:
            yield
        finally:
            warnings.showwarning = kept
