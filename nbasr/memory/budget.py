"""A budget that makes a device behave as if it were smaller, and the ledger of what models hold."""

from __future__ import annotations

import html
import threading
from collections.abc import Hashable
from dataclasses import dataclass

from nbasr import _units
from nbasr._units import parse_size
from nbasr.errors import OptionError
from nbasr.memory.marks import mark
from nbasr.memory.readings import (
    CONTEXT_BYTES,
    can_compute,
    free_bytes,
    has_context,
    place,
    used_bytes,
)

LEAST_BYTES = 1_000_000
"""Smallest budget: below it nobody means what they wrote (``4`` for 4 GB)."""


@dataclass(frozen=True)
class Budget:
    """What nbasr may take of one device.

    Parameters
    ----------
    device
        ``"cpu"``, ``"mps"``, or ``"cuda:0"`` and so on.
    bytes
        How much.
    enforced
        Whether torch itself refuses more (CUDA, MPS); else nbasr behaves as if it did.
    held_bytes
        What loaded models held of it when it was set.
    """

    device: str
    bytes: int
    enforced: bool
    held_bytes: int = 0

    def _facts(self) -> list[str]:
        how = "enforced by torch" if self.enforced else "kept to by nbasr, as on a smaller device"
        held = [f"{_units.size(self.held_bytes)} held by loaded models"] if self.held_bytes else []
        return [f"{_units.size(self.bytes)} of {self.device}", how, *held]

    def __repr__(self) -> str:
        """Tell it in one line."""
        return f"<Budget {', '.join(self._facts())}>"

    def _repr_html_(self) -> str:
        facts = " · ".join(html.escape(fact) for fact in self._facts())
        return f"<span><b>Budget</b> {facts}</span>"


@dataclass(frozen=True)
class _Held:
    name: str
    bytes: int
    device: str


_lock = threading.Lock()
_budgets: dict[str, int] = {}
_ledger: dict[Hashable, _Held] = {}


def set_budget(size: str | float | None, device: str = "auto") -> Budget | None:
    """Let nbasr take no more than so much of a device, as if it had no more.

    On CUDA and MPS torch enforces it. On a CPU, a model or a batch whose predicted need exceeds it
    meets an out-of-memory error, as it would on a device of that size.

    Parameters
    ----------
    size
        ``"4GB"``, ``"3.5 GiB"``, a number of bytes; None takes the budget away. On CUDA it includes
        the 0.4 GB that CUDA needs for itself.
    device
        ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``; ``"auto"``: CUDA if there is one, else MPS,
        else CPU; to take budgets away, every device.

    Returns
    -------
    Budget or None
        What was set; None if it was taken away.

    Raises
    ------
    OptionError
        If it is no size, too small for what is loaded, or there is no such device.
    """
    if size is None:
        _lift(device)
        return None
    where = _named(device)
    wanted = parse_size(size)
    if wanted < LEAST_BYTES:
        raise OptionError(f"A budget of {_units.size(wanted)} holds no model; write 4GB or 500MB.")
    with _lock:
        held = _taken(where)
        if held > wanted:
            names = sorted({one.name for one in _ledger.values() if one.device == where})
            context = " with CUDA's own" if where.startswith("cuda") else ""
            ways = (
                f"unload {' or '.join(names)} first, or set more"
                if names
                else "set more, or take it away with None"
            )
            raise OptionError(
                f"A budget of {_units.size(wanted)} is less than the {_units.size(held)}{context} "
                f"in use on {where}; {ways}."
            )
        _budgets[where] = wanted
        models = sum(one.bytes for one in _ledger.values() if one.device == where)
    mark("budget", f"{_units.size(wanted)} of {where}")
    return Budget(where, wanted, _enforce(where, wanted), models)


def _lift(device: str) -> None:
    """Take the budget of a device away, of every device for ``"auto"``."""
    wished = None if device == "auto" else _named(device)
    with _lock:
        gone = [where for where in _budgets if wished in (None, where)]
        for where in gone:
            del _budgets[where]
    for where in gone:
        mark("budget", f"none of {where}")
    for where in gone:  # where there was none, torch need not be asked, which takes memory
        _enforce(where, None)


def budget(device: str = "auto") -> int | None:
    """Return the budget of a device in bytes; None where none is set."""
    with _lock:
        if not _budgets:
            return None  # and torch need not be asked which device is the best
    where = _named(device) if device == "auto" else _full(device)
    with _lock:
        return _budgets.get(where)


def hold(key: Hashable, held: int, device: str, name: str = "") -> None:
    """Enter into the ledger that a model holds so many bytes of a device.

    Parameters
    ----------
    key
        What tells it from other models; entered again, it replaces what was.
    held
        Bytes.
    device
        Where.
    name
        What people call it; else the key's own ``name``, else the key.
    """
    shown = name or str(getattr(key, "name", key))
    with _lock:
        is_new = key not in _ledger
        _ledger[key] = _Held(shown, int(held), _full(device))
    if is_new:
        mark("load", shown)


def let_go(key: Hashable) -> None:
    """Take a model out of the ledger; one that is not in it is no mistake."""
    with _lock:
        gone = _ledger.pop(key, None)
    if gone is not None:
        mark("unload", gone.name)


def held_bytes(device: str) -> int:
    """Return what the models in the ledger hold of a device."""
    where = _full(device)
    with _lock:
        return sum(one.bytes for one in _ledger.values() if one.device == where)


def room_bytes(device: str) -> int:
    """Return the bytes that further tensors (weights or a batch) may take of a device.

    It is what is free, or what the budget leaves if that is less. On CUDA the memory that CUDA
    takes for itself (`CONTEXT_BYTES`) is off, whether it has taken it yet or not, and of a budget
    every tensor of this process.
    """
    free = free_bytes(device)
    kind, index = place(device)
    if kind == "cuda" and not has_context(index):
        free -= CONTEXT_BYTES
    left = _left(device)
    return max(0, free if left is None else min(free, left))


def check(needed_bytes: int, device: str) -> None:
    """Raise torch's out-of-memory error if a batch exceeds a budget that nothing else enforces.

    On CUDA and MPS torch does so itself, when memory is really asked for.

    Raises
    ------
    torch.OutOfMemoryError
        If the budget leaves less than `needed_bytes`.
    """
    where = _full(device)
    left = _left(where)
    if left is None or needed_bytes <= left or not where.startswith("cpu"):
        return
    import torch

    with _lock:
        names = sorted({one.name for one in _ledger.values() if one.device == where})
    held = f" {_units.size(held_bytes(where))} are held by {', '.join(names)}." if names else ""
    raise torch.OutOfMemoryError(
        f"{where} out of memory. Tried to allocate {_units.size(needed_bytes)}. The budget "
        f"(set_budget) is {_units.size(budget(where) or 0)}, of which {_units.size(max(0, left))} "
        f"are free.{held}"
    )


def _left(device: str) -> int | None:
    """Return what the budget of a device leaves; None where there is no budget."""
    where = _full(device)
    with _lock:
        whole = _budgets.get(where)
        return None if whole is None else whole - _taken(where)


def _taken(where: str) -> int:
    """Return what of a budget is gone (the lock is held)."""
    models = sum(one.bytes for one in _ledger.values() if one.device == where)
    if where == "cpu":  # the process's other memory is not the models' business
        return models
    context = CONTEXT_BYTES if where.startswith("cuda") else 0
    return max(models, used_bytes(where)) + context


def _enforce(where: str, wanted: int | None) -> bool:
    """Make torch's allocator keep to a budget; tell whether it can."""
    kind, index = place(where)
    if kind == "cpu":
        return False
    import torch

    if kind == "mps":
        whole = torch.mps.recommended_max_memory()
        # Torch's own setting without a budget (PYTORCH_MPS_HIGH_WATERMARK_RATIO) is 1.7.
        torch.mps.set_per_process_memory_fraction(
            1.7 if wanted is None else min(1.7, wanted / whole)
        )
        return True
    # What it holds in reserve it gives out again without asking, however small the share.
    torch.cuda.empty_cache()
    # The allocator counts tensors, not CUDA's own memory. mem_get_info gives what CUDA has.
    total = int(torch.cuda.mem_get_info(index)[1])
    share = 1.0 if wanted is None else min(1.0, max(0, wanted - CONTEXT_BYTES) / total)
    torch.cuda.set_per_process_memory_fraction(share, index)
    return True


def _named(device: str) -> str:
    """Return the full name of a device that is there, of the best one for ``"auto"``."""
    if device == "cpu":
        return device
    if device == "auto":
        import torch

        if torch.cuda.is_available():
            return _full("cuda")
        return "mps" if torch.backends.mps.is_available() else "cpu"
    if place(device)[0] not in ("cuda", "mps"):
        raise OptionError(f"device is auto, cpu, cuda or mps, not {device!r}.")
    if not can_compute(device):
        raise OptionError(f"There is no {device} device on this machine; leave device at auto.")
    return _full(device)


def _full(device: str) -> str:
    kind, index = place(device)
    return f"cuda:{index}" if kind == "cuda" else kind
