"""Loading one model after the other for a panel: how far it is, its end, and how it is stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from nbasr import models
from nbasr.errors import ModelError
from nbasr.models import fetching
from nbasr.models.fetching import Fetching, FetchStoppedError

_TELL_EVERY = 0.2  # seconds between two tellings of a download
_SPEED_OVER = 3.0  # seconds over which its speed is taken

RUNNING = ("waiting", "fetching", "loading")
"""States in which a load is going on."""


@dataclass(frozen=True)
class Load:
    """How far a model is on its way into memory.

    Parameters
    ----------
    number
        Tells it from other loads.
    name
        The model.
    state
        ``"waiting"``, ``"fetching"``, ``"loading"``, ``"loaded"``, ``"stopped"`` or ``"failed"``.
    done_bytes, total_bytes
        Of a download.
    speed
        Bytes per second; None where it is not known yet.
    seconds
        How long it has taken so far, or took.
    error, trace
        What went wrong, in a sentence, and where, if it is no error of nbasr's own.
    stopping
        Whether it was told to stop.
    """

    number: int
    name: str
    state: str
    done_bytes: int = 0
    total_bytes: int = 0
    speed: float | None = None
    seconds: float = 0.0
    error: str = ""
    trace: str = ""
    stopping: bool = False

    @property
    def is_running(self) -> bool:
        """Whether it is going on."""
        return self.state in RUNNING

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON knows it."""
        return asdict(self)


class Loading:
    """Loads models in a thread of somebody's, one after the other, and tells how far it is.

    Parameters
    ----------
    told
        Called with each change, in the loading thread.
    problem
        Makes of an error what is shown of it: ``{"error": …, "trace": …}``.
    """

    def __init__(
        self, told: Callable[[Load], None], problem: Callable[[Exception], dict[str, str]]
    ) -> None:
        self._told = told
        self._problem = problem
        self._lock = threading.Lock()
        self._now: Load | None = None
        self._fetching: Fetching | None = None
        self._count = 0

    @property
    def now(self) -> Load | None:
        """The load that is going on, or the last one; None before the first."""
        return self._now

    def begin(self, name: str) -> Load:
        """Announce a load.

        Raises
        ------
        ModelError
            If another one is going on.
        """
        with self._lock:
            if self._now is not None and self._now.is_running:
                raise ModelError(f"{self._now.name} is being loaded; wait until it is there.")
            self._count += 1
            self._now = Load(self._count, name, "waiting")
            self._fetching = Fetching(self._arrives)
            self._begun = time.monotonic()
            self._arrivals: list[tuple[float, int]] = []
            return self._now

    def run(self, name: str, given: dict[str, Any], *, must_fetch: bool) -> None:
        """Load the model that was announced."""
        heard = self._fetching
        assert heard is not None, "begin comes first"
        try:
            self._change(state="fetching" if must_fetch else "loading")
            heard.check(name)
            with fetching.told(heard):
                models.load(name, **given)
        except FetchStoppedError:
            self._change(state="stopped")
        except Exception as error:
            self._change(state="failed", **self._problem(error))
        else:
            self._change(state="loaded")

    def stop(self) -> None:
        """Stop a download as soon as possible; a model that is being read into memory is not."""
        with self._lock:
            heard, now = self._fetching, self._now
            if now is None or heard is None or not now.is_running:
                return
        heard.stop()
        self._change(stopping=True)

    def dismiss(self) -> None:
        """Forget the last load."""
        with self._lock:
            if self._now is not None and not self._now.is_running:
                self._now = None

    def _arrives(self, done: int, total: int) -> None:
        """Tell of bytes that have arrived, now and then, and of the last ones."""
        at = time.monotonic()
        arrivals = self._arrivals
        if arrivals and at - arrivals[-1][0] < _TELL_EVERY and done < total:
            return
        arrivals.append((at, done))
        while len(arrivals) > 2 and arrivals[1][0] < at - _SPEED_OVER:
            arrivals.pop(0)
        passed, had = at - arrivals[0][0], arrivals[0][1]
        speed = (done - had) / passed if passed > 0 else None
        state = "loading" if total and done >= total else "fetching"
        self._change(state=state, done_bytes=done, total_bytes=total, speed=speed)

    def _change(self, **changes: Any) -> None:
        with self._lock:
            if self._now is None:
                return
            seconds = time.monotonic() - self._begun
            self._now = now = replace(self._now, seconds=seconds, **changes)
        self._told(now)
