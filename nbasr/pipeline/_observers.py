"""Who looks at a job: called after each change, and never able to harm it."""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Callable
from typing import Generic, TypeVar

from nbasr.errors import ModelWarning

T = TypeVar("T")


class Observers(Generic[T]):
    """Functions that are called with one thing. All of it may be used from any thread.

    Parameters
    ----------
    name
        What they observe, for the warning of one that fails.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._known: dict[object, Callable[[T], object]] = {}
        self._failed: set[object] = set()

    def add(self, callback: Callable[[T], object]) -> Callable[[], None]:
        """Take a function; return one that takes it off again."""
        key = object()
        with self._lock:
            self._known[key] = callback

        def take_off() -> None:
            with self._lock:
                self._known.pop(key, None)
                self._failed.discard(key)

        return take_off

    def clear(self) -> None:
        """Take all of them off."""
        with self._lock:
            self._known.clear()
            self._failed.clear()

    def call(self, of: T) -> None:
        """Call all of them; of one that fails, whatever it raises, is warned once."""
        with self._lock:
            known = list(self._known.items())
        for key, callback in known:
            try:
                callback(of)
            except BaseException as error:
                with self._lock:
                    new = key not in self._failed
                    self._failed.add(key)
                if new:
                    self._warn(error)

    def _warn(self, error: BaseException) -> None:
        with contextlib.suppress(Warning):  # where warnings are errors
            warnings.warn(
                f"What observes {self._name} failed ({type(error).__name__}: {error}); the job "
                "goes on.",
                ModelWarning,
                stacklevel=3,
            )
