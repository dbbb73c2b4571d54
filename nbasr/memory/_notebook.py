"""Where a notebook keeps things: variables, outputs, and the tracebacks of the last error."""

from __future__ import annotations

import re
import sys
import sysconfig
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CLEAN = "%asr clean"
"""What frees all that the notebook itself keeps: outputs and tracebacks."""

_SHOWN = re.compile(r"_{1,3}|_oh|Out|_\d+")
"""Names by which IPython keeps results."""


@dataclass(frozen=True)
class Holder:
    """Somebody who holds a model, or a part of one.

    Parameters
    ----------
    where
        Who, in words: ``"variable `model`"``, ``"Out[3]"``.
    frees
        The line that lets go: ``"del model"``, ``"%asr clean"``.
    """

    where: str
    frees: str


def shell() -> Any:
    """Return the IPython shell of this process, None outside of one."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def roots() -> Iterator[tuple[Holder, object]]:
    """Yield where a notebook keeps things, with what is kept there."""
    here = shell()
    main = sys.modules.get("__main__")
    space = here.user_ns if here is not None else vars(main) if main is not None else {}
    yield from _variables(space, here)
    if here is not None:
        yield from _results(space, here)
    for error in errors(here):
        interrupt = isinstance(error, KeyboardInterrupt)
        what = "the interrupt" if interrupt else "the last error"
        yield Holder(f"the traceback of {what}", CLEAN), error
    debugger = getattr(getattr(here, "InteractiveTB", None), "pdb", None)
    if debugger is not None:
        yield Holder("the debugger of the last error", CLEAN), debugger


def _variables(space: dict[str, Any], here: Any) -> Iterator[tuple[Holder, object]]:
    hidden = getattr(here, "user_ns_hidden", {})
    for name, value in list(space.items()):
        if (name in hidden and hidden[name] is value) or is_result(name, value, here):
            continue
        if issubclass(type(value), types.ModuleType):
            if _is_own(value):
                for inner, held in list(vars(value).items()):
                    if not issubclass(type(held), types.ModuleType) and not inner.startswith("__"):
                        yield Holder(f"variable `{name}.{inner}`", f"del {name}.{inner}"), held
            continue
        yield Holder(f"variable `{name}`", f"del {name}"), value


def is_result(name: str, value: object, here: Any) -> bool:
    """Tell whether a variable is one of IPython's own that keep results.

    ``_`` may also be the user's, as in ``for _ in models``: then IPython leaves it alone.
    """
    if here is None or not _SHOWN.fullmatch(name):
        return False
    if set(name) == {"_"}:
        return getattr(here.displayhook, name, None) is value
    return name in ("_oh", "Out") or here.user_ns.get("_oh", {}).get(int(name[1:])) is value


def _results(space: dict[str, Any], here: Any) -> Iterator[tuple[Holder, object]]:
    shown = dict(space.get("_oh", {}))
    for number, value in shown.items():
        yield Holder(f"Out[{number}]", CLEAN), value
    known = {id(value) for value in shown.values()}
    for name in ("_", "__", "___"):
        value = getattr(here.displayhook, name, None)
        if id(value) not in known:  # else it is named by its number
            yield Holder(f"`{name}`", CLEAN), value
            known.add(id(value))
    value = getattr(here.last_execution_result, "result", None)
    if id(value) not in known:
        yield Holder("the last result", CLEAN), value


def errors(here: Any) -> list[BaseException | types.TracebackType]:
    """Return the errors whose tracebacks Python and IPython keep, the last first."""
    result = getattr(here, "last_execution_result", None)
    kept = (
        getattr(sys, "last_exc", None),
        getattr(sys, "last_value", None),
        getattr(result, "error_in_exec", None),
        getattr(result, "error_before_exec", None),
        getattr(sys, "last_traceback", None),
        getattr(getattr(here, "InteractiveTB", None), "tb", None),
    )
    found: dict[int, BaseException | types.TracebackType] = {}
    for one in kept:
        if isinstance(one, BaseException | types.TracebackType):
            found.setdefault(id(one), one)
    known = {id(one.__traceback__) for one in found.values() if isinstance(one, BaseException)}
    return [one for one in found.values() if id(one) not in known]


def _is_own(module: types.ModuleType) -> bool:
    """Tell whether a module is the user's: outside of Python's and the libraries' folders."""
    file = getattr(module, "__file__", None)
    if not file or module.__name__.partition(".")[0] == "nbasr":
        return False
    folders = (sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    return not any(Path(file).is_relative_to(folder) for folder in folders)
