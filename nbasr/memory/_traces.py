"""Emptying what IPython keeps of errors and outputs, as far as it holds models or tensors."""

from __future__ import annotations

import cmd
import contextlib
import gc
import sys
import types
from collections.abc import Iterator
from typing import Any

from nbasr.memory import _notebook
from nbasr.memory._notebook import Holder
from nbasr.memory._search import Search, storage_of

SHOWN_BYTES = 1_000_000
"""Tensors below this are not worth a line in a report."""

_SUSPENDABLE = (types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType)


def clear_errors() -> list[str]:
    """Let go of the last errors and of the variables in their tracebacks; return which."""
    shell = _notebook.shell()
    found = _notebook.errors(shell)
    for error in found:
        for trace in _chained(error):
            _clear_frames(trace)
    for name in ("last_exc", "last_value", "last_traceback", "last_type"):
        with contextlib.suppress(AttributeError):
            delattr(sys, name)
    if shell is not None:
        result = shell.last_execution_result
        # An error holds more than frames: an AttributeError, the object that lacked the name.
        if result is not None and (result.error_in_exec or result.error_before_exec):
            shell.last_execution_result = None  # as IPython's own %reset does
        with contextlib.suppress(AttributeError):
            del shell.InteractiveTB.tb
        if shell.InteractiveTB.pdb is not None and not _is_debugging():
            shell.InteractiveTB.pdb = None  # it is made anew when asked for
    if any(isinstance(error, KeyboardInterrupt) for error in found):
        return ["the traceback of the interrupt"]
    return ["the traceback of the last error"] if found else []


def _chained(error: BaseException | types.TracebackType) -> Iterator[types.TracebackType]:
    """Yield the tracebacks of an error and of those it came from."""
    waiting: list[Any] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, types.TracebackType):
            yield one
            continue
        waiting += [one.__traceback__, one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions


def _clear_frames(trace: types.TracebackType | None) -> None:
    """Empty the variables of the functions that an error went through and that are over.

    Those still running refuse it. A generator that only waits would be ended by it (until Python
    3.13 it does not refuse), so it is left alone.
    """
    suspended: set[int] | None = None
    while trace is not None:
        frame, trace = trace.tb_frame, trace.tb_next
        if frame.f_code.co_flags & _CAN_WAIT:
            if suspended is None:
                suspended = set(_suspended())
            if id(frame) in suspended:
                continue
        with contextlib.suppress(RuntimeError):
            frame.clear()


_CAN_WAIT = 0x20 | 0x80 | 0x200
"""``CO_GENERATOR``, ``CO_COROUTINE`` and ``CO_ASYNC_GENERATOR`` of `inspect`."""


def _suspended() -> Iterator[int]:
    """Yield the identities of the frames of all generators that are not over."""
    for one in gc.get_objects():
        if type(one) in _SUSPENDABLE:
            frame = getattr(one, "gi_frame", None) or getattr(one, "cr_frame", None)
            frame = frame or getattr(one, "ag_frame", None)
            if frame is not None:
                yield id(frame)


def _is_debugging() -> bool:
    """Tell whether this runs at a debugger's prompt."""
    frame: types.FrameType | None = sys._getframe()
    while frame is not None:  # not by its variables: to read them would hold them
        if frame.f_code is cmd.Cmd.cmdloop.__code__:
            return True
        frame = frame.f_back
    return False


def clear_outputs() -> list[str]:
    """Let go of the results that IPython keeps and that hold models or tensors; return which."""
    shell = _notebook.shell()
    if shell is None or "torch" not in sys.modules:
        return []
    search = Search(_is_tensor)
    space, shown = shell.user_ns, shell.user_ns.get("_oh", {})
    cleared = []
    for number, value in list(shown.items()):
        if search.reaches(value):
            del shown[number]
            name = f"_{number}"
            if space.get(name) is value:
                del space[name]
            shell.user_ns_hidden.pop(name, None)
            cleared.append(f"Out[{number}]")
    for name in ("_", "__", "___"):
        value = getattr(shell.displayhook, name)
        if search.reaches(value):
            # Both must be the same object, or IPython takes the variable for the user's own.
            if space.get(name) is value:
                space[name] = ""
                if name in shell.user_ns_hidden:
                    shell.user_ns_hidden[name] = ""
            setattr(shell.displayhook, name, "")
            cleared.append(f"`{name}`")
    result = shell.last_execution_result
    if result is not None and search.reaches(result.result):
        result.result = None
    return cleared


def tensor_holders() -> tuple[Holder, ...]:
    """Return the variables that hold tensors of together 1 MB and more, the most bytes first."""
    if "torch" not in sys.modules:
        return ()
    held: list[tuple[int, Holder]] = []
    for holder, value in _notebook.roots():
        storages = (storage_of(one) for one in Search(_is_tensor).found(value))
        sizes = {storage._cdata: storage.nbytes() for storage in storages if storage is not None}
        if sum(sizes.values()) >= SHOWN_BYTES:
            held.append((sum(sizes.values()), holder))
    return tuple(holder for _, holder in sorted(held, key=lambda pair: -pair[0]))


def _is_tensor(one: object) -> bool:
    torch = sys.modules["torch"]
    return issubclass(type(one), (torch.Tensor, torch.nn.Module, torch.UntypedStorage))
