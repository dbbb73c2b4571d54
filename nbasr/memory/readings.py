"""What memory there is and who has it: each device's, and this process's, now and at its peak."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbasr._units import size
from nbasr.memory import _host, _nvidia, _torch
from nbasr.memory._nvidia import ProcessReading

__all__ = [
    "CONTEXT_BYTES",
    "DeviceReading",
    "ProcessReading",
    "devices",
    "free_bytes",
    "peak_bytes",
    "process_bytes",
    "read",
    "reset_peak",
    "used_bytes",
]

CONTEXT_BYTES = 400_000_000
"""What CUDA keeps for itself in each process that uses it, on top of tensors, until it ends:
the driver's context and the kernels of torch's libraries (0.3 to 0.5 GB by GPU and driver)."""


@dataclass(frozen=True)
class DeviceReading:
    """The memory of one device at one moment.

    Parameters
    ----------
    device
        ``"cpu"``, ``"mps"``, or ``"cuda:0"`` and so on.
    name
        What it calls itself.
    total_bytes, free_bytes
        What it has, and what any process can still get. Both 0 where there is no such device.
    allocated_bytes
        What torch has given to tensors of this process; on the CPU, all that this process holds.
    reserved_bytes
        What torch keeps of a GPU for this process, tensors included.
    peak_bytes
        The most that was allocated since `reset_peak`.
    others
        Other processes that hold memory of it.
    temperature_c
        Degrees Celsius.
    load
        How busy it is, 0 to 1; of a CPU, over the last minute.
    source
        Who told: ``"NVML"``, ``"GPUtil"``, ``"torch"`` or ``"psutil"``; ``""`` for a device that
        is not there. What nobody tells is None.
    """

    device: str
    name: str
    total_bytes: int
    free_bytes: int
    allocated_bytes: int | None = None
    reserved_bytes: int | None = None
    peak_bytes: int | None = None
    others: tuple[ProcessReading, ...] = ()
    temperature_c: float | None = None
    load: float | None = None
    source: str = ""

    def __repr__(self) -> str:
        """Tell it in one line."""
        if not self.source:
            return f"<{self.device}: there is no such device>"
        facts = [f"{size(self.free_bytes)} of {size(self.total_bytes)} free"]
        if self.allocated_bytes is not None:
            facts.append(f"{size(self.allocated_bytes)} here")
        others = sum(other.bytes or 0 for other in self.others)
        if others:
            facts.append(f"{size(others)} by others")
        if self.temperature_c is not None:
            facts.append(f"{self.temperature_c:.0f} °C")
        if self.load is not None:
            facts.append(f"{self.load:.0%} busy")
        return f"<{self.device} {self.name}: {', '.join(facts)}>"


def devices() -> tuple[DeviceReading, ...]:
    """Return every device on which this process could compute, the CPU last.

    torch is not imported for it: a kernel that has not used it yet need not.
    """
    found = [_read_cuda(n, gpu) for n, gpu in enumerate(_nvidia.gpus())]
    torch = _torch.loaded()
    if torch is not None:
        if not found and torch.cuda.is_available():
            found = [_read_cuda(n, None) for n in range(torch.cuda.device_count())]
        if torch.backends.mps.is_available():
            found.append(_read_mps())
    return (*found, _read_cpu())


def read(device: str = "cpu") -> DeviceReading:
    """Return the reading of one device: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.

    It never raises: a device that is not there has 0 bytes.
    """
    kind, index = place(device)
    if kind == "cpu":
        return _read_cpu()
    _torch_for(kind)
    if kind == "mps":
        return _read_mps()
    return _read_cuda(index, _nvidia.gpu(index))


def process_bytes() -> int:
    """Return the main memory that this process and its helpers hold (their resident sets)."""
    import psutil

    return int(psutil.Process().memory_info().rss) + _host.helpers_bytes()


def free_bytes(device: str = "cpu") -> int:
    """Return what this process can still put on a device; 0 where there is none.

    On CUDA: what the driver has free, plus what torch has reserved and not given to tensors; other
    processes count. On the CPU: what the system, and the container's limit, can give without
    swapping.
    """
    kind, index = place(device)
    if kind == "cpu":
        return _host.available_bytes()
    torch = _torch_for(kind, index)
    if torch is None:
        return 0
    if kind == "mps":
        whole = torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory()
        return max(0, min(int(whole), _host.available_bytes()))
    if not has_context(index):  # to ask CUDA would take its context's memory
        gpu = _nvidia.gpu(index)
        if gpu is not None:
            return gpu.free_bytes
    unused = torch.cuda.memory_reserved(index) - torch.cuda.memory_allocated(index)
    return int(torch.cuda.mem_get_info(index)[0] + unused)


def used_bytes(device: str = "cpu") -> int:
    """Return what this process holds now, counted as `peak_bytes` counts.

    On a GPU, what torch has given to tensors; on the CPU, the resident set of the process.
    """
    kind, index = place(device)
    if kind == "cpu":
        return process_bytes()
    torch = _torch.loaded()  # without torch there are no tensors
    if torch is None or not _has(torch, kind, index):
        return 0
    if kind == "mps":
        return int(torch.mps.current_allocated_memory())
    return int(torch.cuda.memory_allocated(index))


def reset_peak(device: str = "cpu") -> None:
    """Count `peak_bytes` from now on."""
    kind, index = place(device)
    if kind == "cpu":
        global _counts_from_reset
        _counts_from_reset = _reset_high_water()
    if kind == "cuda" and has_context(index):
        sys.modules["torch"].cuda.reset_peak_memory_stats(index)


def peak_bytes(device: str = "cpu") -> int | None:
    """Return the most that this process held since `reset_peak`; None where nobody counts.

    On CUDA, of tensors; on the CPU, of its resident set, which only Linux counts in a way that can
    be set back.
    """
    kind, index = place(device)
    torch = _torch.loaded()
    if kind == "cuda":
        if torch is None or not _has(torch, kind, index):
            return None
        return int(torch.cuda.max_memory_allocated(index))
    return _high_water() if kind == "cpu" and _counts_from_reset else None


def place(device: str) -> tuple[str, int]:
    """Split ``"cuda:1"`` into its kind and its number; without one it is torch's current."""
    kind, _, number = str(device).strip().lower().partition(":")
    if number.isdigit():
        return kind, int(number)
    return kind, int(sys.modules["torch"].cuda.current_device()) if has_context() else 0


def can_compute(device: str) -> bool:
    """Tell whether torch has this device: the driver may know a GPU for which torch is not made."""
    return _torch_for(*place(device)) is not None


def has_context(index: int | None = None) -> bool:
    """Tell whether this process uses CUDA already, and so holds what CUDA takes for itself.

    CUDA takes it on each GPU anew, when that one is first used.

    Parameters
    ----------
    index
        The number of one GPU; None: any.
    """
    torch = _torch.loaded()
    if torch is None or not torch.cuda.is_initialized():
        return False
    if index is None or index == torch.cuda.current_device():
        return True
    return _has(torch, "cuda", index) and torch.cuda.memory_reserved(index) > 0


_counts_from_reset = False
"""Whether the system's high-water mark was set back, so that it tells of a time that we know."""

_PROC = Path("/proc/self")


def _reset_high_water() -> bool:
    """Set the peak of the resident set back to what it is now (Linux, ``proc.rst``)."""
    try:
        (_PROC / "clear_refs").write_text("5")
    except OSError:  # another system, or a container that forbids it
        return False
    return _high_water() is not None


def _high_water() -> int | None:
    try:
        found = re.search(r"VmHWM:\s*(\d+) kB", (_PROC / "status").read_text())
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None


def _torch_for(kind: str, index: int = 0) -> Any:
    """Import torch if it has a device of this kind and number; None otherwise."""
    try:
        import torch
    except ImportError:
        return None
    return torch if _has(torch, kind, index) else None


def _has(torch: Any, kind: str, index: int) -> bool:
    """Tell whether torch has a device of this kind and number."""
    if kind == "cuda":
        return bool(torch.cuda.is_available()) and index < torch.cuda.device_count()
    return kind == "mps" and bool(torch.backends.mps.is_available())


def _read_cpu() -> DeviceReading:
    return DeviceReading(
        "cpu",
        _host.name(),
        _host.total_bytes(),
        _host.available_bytes(),
        allocated_bytes=process_bytes(),
        peak_bytes=peak_bytes("cpu"),
        temperature_c=_host.temperature_c(),
        load=_host.load(),
        source="psutil",
    )


def _read_mps() -> DeviceReading:
    torch = _torch_for("mps")
    if torch is None:
        return DeviceReading("mps", "", 0, 0)
    return DeviceReading(
        "mps",
        f"{_host.name()} (Metal)",
        int(torch.mps.recommended_max_memory()),
        free_bytes("mps"),
        allocated_bytes=int(torch.mps.current_allocated_memory()),
        reserved_bytes=int(torch.mps.driver_allocated_memory()),
        source="torch",
    )


def _read_cuda(index: int, gpu: _nvidia.Gpu | None) -> DeviceReading:
    device = f"cuda:{index}"
    torch = _torch.loaded()
    allocated = reserved = peak = None
    if torch is not None and _has(torch, "cuda", index):
        allocated = int(torch.cuda.memory_allocated(index))
        reserved = int(torch.cuda.memory_reserved(index))
        peak = int(torch.cuda.max_memory_allocated(index))
        if gpu is None:
            name = torch.cuda.get_device_properties(index).name
            gpu = _nvidia.Gpu(name, 0, 0, (), None, None, "torch")
        if has_context(index) or not gpu.total_bytes:  # it knows its slice of a shared GPU best
            with contextlib.suppress(RuntimeError):  # after an error, CUDA answers nothing more
                free, total = torch.cuda.mem_get_info(index)
                gpu = dataclasses.replace(gpu, free_bytes=int(free), total_bytes=int(total))
    if gpu is None:
        return DeviceReading(device, "", 0, 0)
    this = mine(gpu.processes, reserved or 0)
    return DeviceReading(
        device,
        gpu.name,
        gpu.total_bytes,
        gpu.free_bytes,
        allocated,
        reserved,
        peak,
        tuple(one for one in gpu.processes if one is not this),
        gpu.temperature_c,
        gpu.load,
        gpu.source,
    )


def mine(processes: tuple[ProcessReading, ...], reserved_bytes: int) -> ProcessReading | None:
    """Return this process among those that hold memory of a GPU; None if it is not among them.

    In a container the driver numbers processes as the machine does, so that this one cannot be
    told by its number: then it is the one that holds just above what torch has reserved.
    """
    for one in processes:
        if one.pid == os.getpid():
            return one
    could = [one for one in processes if (one.bytes or 0) >= reserved_bytes > 0]
    return min(could, key=lambda one: one.bytes or 0, default=None)
