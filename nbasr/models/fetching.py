"""Who hears how far a download of a model is, and can stop it: for what loads in one thread."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from nbasr.errors import ModelError

Callback = Callable[[int, int], None]


class FetchStoppedError(ModelError):
    """A download was stopped by a person; files that are here as a whole stay."""


class Fetching:
    """The downloads of one load.

    Parameters
    ----------
    callback
        Called with the bytes that are here and those that are wanted, from the loading thread.
    """

    def __init__(self, callback: Callback) -> None:
        self._callback = callback
        self._stopped = threading.Event()
        self._done = 0
        self._total = 0

    @property
    def is_stopped(self) -> bool:
        """Whether it is to end."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """End the download as soon as the next piece arrives; from any thread."""
        self._stopped.set()
        if self._done < self._total:  # the hub's faster client waits in a runtime of its own
            with contextlib.suppress(Exception):
                from huggingface_hub.utils import _xet

                _xet.abort_xet_session()  # type: ignore[no-untyped-call]

    def wants(self, total: int) -> None:
        """Hear that so many bytes more are wanted."""
        self._total += total
        self._callback(self._done, self._total)

    def takes(self, count: int) -> None:
        """Hear that so many bytes more are here.

        Raises
        ------
        FetchStoppedError
            If it is to end.
        """
        self.check()
        self._done += count
        self._callback(min(self._done, self._total), self._total)

    def check(self, name: str = "The model") -> None:
        """Raise if it is to end.

        Raises
        ------
        FetchStoppedError
        """
        if self.is_stopped:
            raise FetchStoppedError(
                f"{name} was not fetched to its end; load it again to fetch what is missing."
            )


_here = threading.local()


@contextlib.contextmanager
def told(fetching: Fetching) -> Iterator[Fetching]:
    """Have what is fetched in this thread told to somebody, instead of written to stderr."""
    before = current()
    _here.fetching = fetching
    try:
        yield fetching
    finally:
        _here.fetching = before


def current() -> Fetching | None:
    """Return who hears of this thread's downloads."""
    found: Fetching | None = getattr(_here, "fetching", None)
    return found
