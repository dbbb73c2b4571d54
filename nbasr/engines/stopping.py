"""Stopping work from another thread: wherever it may end early, it looks whether it shall."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

STEP = 0.1
"""Seconds between two looks of who waits."""

_thread = threading.local()


class Stopped(KeyboardInterrupt):
    """The work of this thread was told to stop: what Ctrl-C is to a cell, for any thread.

    Like that it is no `Exception`, so nothing that lives through errors lives through it.
    """


@contextlib.contextmanager
def on(event: threading.Event) -> Iterator[None]:
    """Let whatever this thread does inside end, by raising `Stopped`, soon after an event is set.

    Parameters
    ----------
    event
        Set by whoever wants it to stop, in any thread.
    """
    before = getattr(_thread, "event", None)
    _thread.event = event
    try:
        yield
    finally:
        _thread.event = before


def check() -> None:
    """Raise `Stopped` if the work of this thread shall stop."""
    event = getattr(_thread, "event", None)
    if event is not None and event.is_set():
        raise Stopped("stopped")


@contextlib.contextmanager
def held(lock: threading.Lock | threading.RLock) -> Iterator[None]:
    """Hold a lock; waiting for it can be stopped."""
    check()
    while not lock.acquire(timeout=STEP):
        check()
    try:
        yield
    finally:
        lock.release()


def criterion() -> Any:
    """Make a stopping criterion of transformers that looks after each token.

    It raises, so that nobody takes what is half generated for an answer.
    """
    import torch
    from transformers import StoppingCriteria

    class Watch(StoppingCriteria):  # type: ignore[misc]  # transformers is untyped here
        def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:  # noqa: ARG002
            check()
            return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)

    return Watch()


def watch(model: Any) -> None:
    """Let a torch module look before each of its layers: one pass over a long sound takes seconds.

    Parameters
    ----------
    model
        Its layers are what it holds in lists and sequences.
    """
    from torch.nn import ModuleList, Sequential

    for part in model.modules():
        if isinstance(part, (ModuleList, Sequential)):
            for layer in part:
                layer.register_forward_pre_hook(_look)


def _look(_module: Any, _inputs: Any) -> None:
    check()
