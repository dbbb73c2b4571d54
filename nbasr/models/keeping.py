"""How long a model stays that nobody uses: durations as people write them, and an alarm clock."""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable

from nbasr.errors import OptionError

FOREVER = -1.0
"""Minutes that mean: until it is unloaded (ollama's ``keep_alive``)."""

_MINUTES = {"h": 60.0, "m": 1.0, "s": 1 / 60}
_PIECE = r"(\d+(?:\.\d*)?|\.\d+)\s*([hms])"


def minutes(value: float | str | None) -> float | None:
    """Read a time for which a model is kept.

    Parameters
    ----------
    value
        Minutes, or a text such as ``"30s"``, ``"5m"``, ``"1h30m"``; 0 keeps it no longer than its
        work, anything below 0 for ever. None stays None: as the settings say.

    Returns
    -------
    float or None
        Minutes, 0 or more, or `FOREVER`.

    Raises
    ------
    OptionError
        If it is no such time.

    >>> minutes("1h30m"), minutes("30s"), minutes(5), minutes("-1")
    (90.0, 0.5, 5.0, -1.0)
    """
    if value is None:
        return None
    number = _number(value)
    if number is None or math.isnan(number):
        raise OptionError(
            f"keep_alive takes minutes, or a time such as 30s, 5m or 1h, not {value!r}; 0 unloads "
            "a model when its work is done, -1 keeps it."
        )
    return FOREVER if number < 0 or math.isinf(number) else number


def _number(value: object) -> float | None:
    """Return the minutes that are meant, or None if it is no time."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        word = value.strip().lower()
        if re.fullmatch(rf"-?(?:{_PIECE}\s*)+", word):
            total = sum(float(n) * _MINUTES[unit] for n, unit in re.findall(_PIECE, word))
            return -1.0 if word.startswith("-") else total
        value = word
    try:
        return float(value)  # type: ignore[arg-type]  # whatever is no number is told
    except (TypeError, ValueError):
        return None


def shown(left: float) -> str:
    """Write minutes for people: ``"4 min"``, ``"30 s"``, ``"2 h"``.

    >>> shown(0.5), shown(4.2), shown(150)
    ('30 s', '4 min', '2.5 h')
    """
    if left < 1:
        return f"{max(left, 0) * 60:.0f} s"
    return f"{left:.0f} min" if left < 100 else f"{left / 60:.3g} h"


class Alarm:
    """Calls a function when it is time, from one thread that sleeps until then.

    The thread lives only while an alarm is set, and does not keep Python from ending.

    Parameters
    ----------
    ring
        What to call. It may set the alarm anew.
    clock
        Returns the time in seconds.
    """

    def __init__(self, ring: Callable[[], None], clock: Callable[[], float] = time.monotonic):
        self._ring = ring
        self._clock = clock
        self._changed = threading.Condition()
        self._at: float | None = None
        self._thread: threading.Thread | None = None

    @property
    def thread(self) -> threading.Thread | None:
        """The thread that waits; None while no alarm is set."""
        return self._thread

    def set(self, at: float | None) -> None:
        """Ring at a time of the clock, in place of any that was set; None: not at all."""
        with self._changed:
            self._at = at
            self._changed.notify_all()
            if at is not None and self._thread is None:
                self._thread = threading.Thread(
                    target=self._watch, name="nbasr keep-alive", daemon=True
                )
                self._thread.start()

    def _watch(self) -> None:
        try:
            while self._due():
                self._ring()
        except BaseException:  # told by the thread itself; the next alarm gets another one
            with self._changed:
                self._thread = None
            raise

    def _due(self) -> bool:
        """Wait until it is time; False, and the end of this thread, if nothing is set any more."""
        with self._changed:
            while self._at is not None:
                left = self._at - self._clock()
                if left <= 0:
                    self._at = None
                    return True
                self._changed.wait(min(left, threading.TIMEOUT_MAX))
            self._thread = None
            return False
