"""What nbasr raises: one sentence that says what is wrong and what to do next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class NbasrError(Exception):
    """Base of every error that nbasr raises on purpose.

    In a notebook it is shown as one line without a traceback: the message already says what to do.
    It stays a real exception, so scripts, nbclient and papermill stop at it.
    """

    def _render_traceback_(self) -> list[str]:
        """Give IPython the line, and any notes, to show in place of a traceback."""
        return [f"{type(self).__name__}: {self}", *getattr(self, "__notes__", ())]


class AudioError(NbasrError):
    """A recording that cannot be opened, read, prepared or written."""


class OptionError(NbasrError, ValueError):
    """An option, argument or setting that does not exist or has an impossible value."""


class ModelError(NbasrError):
    """A model that is unknown, not at hand, or cannot be loaded or used."""


class OutOfMemoryError(ModelError):
    """A model or a batch that does not fit into memory; the message says what would."""


class AudioWarning(UserWarning):
    """A recording that could be read, but not as it declares itself: cut short, damaged, loud."""


class ModelWarning(UserWarning):
    """A model that runs, but not as well as the user may expect (a draft engine, a slow device)."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the closest known word, or ``""`` if none is close."""
    close = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return f" Did you mean {close[0]!r}?" if close else ""
