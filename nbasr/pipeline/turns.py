"""Sharing a device: who recognises on it takes turns, batch by batch, first come first served."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Iterator

from nbasr.engines import stopping


class Turns:
    """The queue before one device. The first in it is the one at work."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._queue: deque[object] = deque()

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for the device, and have it alone; who takes turns holds no other meanwhile.

        Waiting can be interrupted in the main thread, and stopped in any (`engines.stopping`).
        """
        ticket = object()
        try:
            with self._changed:
                self._queue.append(ticket)
                while self._queue[0] is not ticket:
                    stopping.check()
                    self._changed.wait(stopping.STEP)
            stopping.check()
            yield
        finally:
            with contextlib.suppress(ValueError):  # interrupted before it stood in the queue
                self._queue.remove(ticket)  # first of all: who stayed in it would block everybody
            with self._changed:
                self._changed.notify_all()

    @property
    def length(self) -> int:
        """How many stand in it, with the one at work."""
        return len(self._queue)


_lock = threading.Lock()
_devices: dict[str, Turns] = {}


def of(device: str) -> Turns:
    """Return the queue before a device."""
    with _lock:
        return _devices.setdefault(device, Turns())


@contextlib.contextmanager
def turn(device: str) -> Iterator[None]:
    """Wait for a device, and have it alone for one batch."""
    with of(device).turn():
        yield
