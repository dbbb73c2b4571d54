"""What happened to the memory and when: models that came and went, jobs, budgets, shortages."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass

KINDS = ("load", "unload", "job", "ended", "short", "budget")
"""What can have happened: a model was loaded or unloaded, a job began or ended, memory ran out,
a budget was set or lifted."""

MOST = 500
"""Marks that are remembered; the oldest go first."""


@dataclass(frozen=True)
class Mark:
    """Something that happened.

    Parameters
    ----------
    at
        When, in seconds since 1970.
    kind
        One of `KINDS`.
    text
        To what, such as a model's name.
    """

    at: float
    kind: str
    text: str


_lock = threading.Lock()
_marks: deque[Mark] = deque(maxlen=MOST)


def mark(kind: str, text: str) -> None:
    """Remember that something happens now; from any thread, at no cost."""
    with _lock:
        _marks.append(Mark(time.time(), kind, text))


def marks(since: float = 0.0) -> tuple[Mark, ...]:
    """Return what happened after a time, the oldest first."""
    with _lock:
        return tuple(one for one in _marks if one.at > since)
