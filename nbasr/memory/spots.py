"""One device's memory at one moment, cheap enough to be asked for twice a second."""

from __future__ import annotations

import contextlib
import importlib
import sys
import time
from dataclasses import dataclass

from nbasr.memory import _host, _nvidia, _torch, budget, readings
from nbasr.memory.readings import CONTEXT_BYTES

PARTS = ("models", "work", "reserve", "others")
"""Who holds memory, in the order in which it is drawn; what is left is free."""

_NVML_SECONDS = 5.0  # how old what the driver tells of a GPU may be that this process does not use
_seen: dict[int, tuple[float, _nvidia.Gpu | None]] = {}


@dataclass(frozen=True)
class Spot:
    """Who holds the memory of a device at one moment, in bytes; the parts make up the whole.

    Parameters
    ----------
    at
        When, in seconds since 1970.
    device
        ``"cpu"``, ``"mps"``, or ``"cuda:0"`` and so on.
    total_bytes
        What it has.
    models_bytes
        What the weights of loaded models take of it.
    work_bytes
        What this process holds beside them: activations and caches; in main memory, all of Python.
    reserve_bytes
        What torch keeps without using it, and on CUDA what CUDA takes for itself.
    others_bytes
        What other processes hold.
    free_bytes
        What is left.
    budget_bytes
        What nbasr may take; None where no budget is set.
    """

    at: float
    device: str
    total_bytes: int
    models_bytes: int
    work_bytes: int
    reserve_bytes: int
    others_bytes: int
    free_bytes: int
    budget_bytes: int | None = None

    @property
    def own_bytes(self) -> int:
        """What this process holds."""
        return self.models_bytes + self.work_bytes + self.reserve_bytes

    def is_like(self, other: Spot) -> bool:
        """Tell whether nothing but noise lies between two moments."""
        noise = max(5_000_000, min(self.total_bytes // 500, 50_000_000))
        return (
            self.budget_bytes == other.budget_bytes
            and self.total_bytes == other.total_bytes
            and self.models_bytes == other.models_bytes
            and abs(self.work_bytes - other.work_bytes) < noise
            and abs(self.reserve_bytes - other.reserve_bytes) < noise
            and abs(self.others_bytes - other.others_bytes) < 4 * noise
        )


def settle() -> None:
    """Wait until torch is there as a whole, if another thread imports it just now."""
    torch = _torch.loaded()
    if torch is not None and getattr(torch.__spec__, "_initializing", False):
        importlib.import_module("torch")


def devices() -> tuple[str, ...]:
    """Return the devices of this machine, the CPU last. CUDA is not begun for it."""
    settle()
    torch = _torch.loaded()
    if torch is None:
        cuda = len(_nvidia.gpus())
        return (*(f"cuda:{n}" for n in range(cuda)), "cpu")
    cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
    mps = ("mps",) if torch.backends.mps.is_available() else ()
    return (*(f"cuda:{n}" for n in range(cuda)), *mps, "cpu")


def spot(device: str) -> Spot:
    """Return who holds the memory of a device now."""
    kind, index = readings.place(device)
    models = budget.held_bytes(device)
    if kind == "cpu":
        total, free = _host.total_bytes(), _host.available_bytes()
        own, reserve = readings.process_bytes(), 0
    elif kind == "mps":
        reading = readings.read("mps")
        total, free, own = reading.total_bytes, reading.free_bytes, reading.allocated_bytes or 0
        reserve = max(0, (reading.reserved_bytes or 0) - own)
    else:
        total, free, own, reserve = _of_cuda(index)
    work = max(0, own - models)
    rest = max(0, total - models - work - reserve)
    free = min(free, rest)
    limit = budget.budget(device)
    return Spot(time.time(), device, total, models, work, reserve, rest - free, free, limit)


def _of_cuda(index: int) -> tuple[int, int, int, int]:
    """Return (total, free, tensors, reserve) of a GPU, without beginning CUDA on it."""
    if not readings.has_context(index):
        gpu = _gpu(index)
        return (gpu.total_bytes, gpu.free_bytes, 0, 0) if gpu is not None else (0, 0, 0, 0)
    torch = sys.modules["torch"]
    allocated = int(torch.cuda.memory_allocated(index))
    reserve = int(torch.cuda.memory_reserved(index)) - allocated + CONTEXT_BYTES
    free = total = 0
    with contextlib.suppress(RuntimeError):  # after an error, CUDA answers nothing more
        free, total = (int(n) for n in torch.cuda.mem_get_info(index))
    return total, free, allocated, max(0, reserve)


def _gpu(index: int) -> _nvidia.Gpu | None:
    """Return what the driver told of a GPU not long ago."""
    at, known = _seen.get(index, (0.0, None))
    if time.monotonic() - at > _NVML_SECONDS or not at:
        known = _nvidia.gpu(index)
        _seen[index] = (time.monotonic(), known)
    return known
