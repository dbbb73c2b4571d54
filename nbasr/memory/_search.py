"""Searching what objects lead to, without waking or holding any of it."""

from __future__ import annotations

import gc
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from nbasr.memory import _notebook, _torch

MOST_OBJECTS = 50_000
"""Objects looked at in one variable; a model of 1,500 layers has some 20,000."""

_PLAIN = (str, bytes, bytearray, int, float, complex, type(None), types.CodeType)


class Search:
    """Looks whether objects lead to one that is wanted.

    Parameters
    ----------
    wanted
        Tells whether an object is one.
    """

    def __init__(self, wanted: Callable[[object], bool]) -> None:
        self.wanted = wanted
        shell = _notebook.shell()
        self._closed = {id(shell), id(getattr(shell, "user_ns", None))}
        self._barren: dict[int, object] = {}  # the objects too, so that no identity is used again

    def reaches(self, value: object) -> bool:
        """Tell whether `value` is wanted, or leads to what is."""
        return next(self.found(value), None) is not None

    def found(self, value: object) -> Iterator[object]:
        """Yield what is wanted among what `value` leads to, the nearest first."""
        seen: dict[int, object] = {}
        waiting = deque([value])
        none = True
        while waiting and len(seen) < MOST_OBJECTS:
            one = waiting.popleft()
            at = id(one)
            if at in seen or at in self._barren or at in self._closed:
                continue
            seen[at] = one
            if self.wanted(one):
                none = False
                yield one
            waiting.extend(inner for inner in _inside(one) if not _is_plain(inner))
        if none and not waiting:
            self._barren |= seen


def _is_plain(one: object) -> bool:
    """Tell whether an object surely leads nowhere: numbers, text, empty containers, libraries."""
    kind = type(one)
    if kind in _PLAIN or issubclass(kind, types.ModuleType):
        return True
    return kind in (dict, list, tuple, set, frozenset) and not one


def _inside(one: Any) -> Iterable[object]:
    """Return what an object holds, short of what every object leads to: libraries, namespaces."""
    kind = type(one)
    home = str(kind.__module__)
    if issubclass(kind, type):
        return list(vars(one).values()) if one.__module__ == "__main__" else ()
    if kind is types.FunctionType:
        return [one.__closure__, one.__defaults__, one.__kwdefaults__, one.__dict__]
    if kind is types.FrameType:
        own = (inner for inner in gc.get_referents(one) if type(inner) is not types.FrameType)
        return [inner for inner in own if inner is not one.f_globals]
    if kind is types.TracebackType:
        return [one.tb_frame, one.tb_next]
    if kind is dict and "__name__" in one and "__spec__" in one:  # a module's namespace
        return ()
    if kind.__name__ == "ModelManager" and home.startswith("nbasr."):
        return ()  # a handle leads to it, and it to every other model
    if home == "numpy" and hasattr(one, "base"):
        return [one.base]
    if kind is memoryview:
        return [one.obj]
    return gc.get_referents(one)


def storage_of(one: Any) -> Any:
    """Return the storage of a tensor of torch; None for what has none."""
    torch = _torch.loaded()
    if torch is None:
        return None
    kind = type(one)  # not isinstance: it would wake lazy objects
    if issubclass(kind, torch.UntypedStorage):
        return one
    if not issubclass(kind, torch.Tensor):
        return None
    try:
        return one.untyped_storage()
    except (RuntimeError, NotImplementedError):  # sparse tensors and the like have none
        return None
