"""What NVIDIA's driver tells of its GPUs, by NVML or else by GPUtil; nothing without one."""

from __future__ import annotations

import contextlib
import importlib
import math
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from nbasr.memory import _torch

_MIB = 1 << 20


@dataclass(frozen=True)
class ProcessReading:
    """A process that holds memory of a device.

    Parameters
    ----------
    pid
        Its number.
    name
        What it is called, where that can be seen.
    bytes
        What it holds; None where the driver does not tell (Windows, some containers).
    """

    pid: int
    name: str
    bytes: int | None


@dataclass(frozen=True)
class Gpu:
    """One GPU as the driver sees it.

    Parameters
    ----------
    name, total_bytes, free_bytes
        What it is and has; free for every process together.
    processes
        Who holds memory of it, this process included.
    temperature_c, load
        Degrees Celsius, and how busy it is from 0 to 1; None where it is not told.
    source
        Who told: ``"NVML"`` or ``"GPUtil"``.
    """

    name: str
    total_bytes: int
    free_bytes: int
    processes: tuple[ProcessReading, ...]
    temperature_c: float | None
    load: float | None
    source: str


def gpus() -> tuple[Gpu, ...]:
    """Return the GPUs that CUDA would show this process, in its order."""
    nvml = _nvml()
    if nvml is not None:
        seen = [_by_nvml(nvml, handle) for handle in _visible_handles(nvml)]
        return tuple(gpu for gpu in seen if gpu is not None)
    return _by_gputil()


def gpu(index: int) -> Gpu | None:
    """Return the GPU that CUDA calls `index`; None where it cannot be seen."""
    nvml = _nvml()
    if nvml is None:
        seen = _by_gputil()
        return seen[index] if 0 <= index < len(seen) else None
    handles = _visible_handles(nvml)
    return _by_nvml(nvml, handles[index]) if 0 <= index < len(handles) else None


def newest_cuda() -> int:
    """Return the newest CUDA that the driver takes, as it counts (12040: 12.4); 0 without one."""
    try:
        return int(_nvml().nvmlSystemGetCudaDriverVersion())
    except Exception:  # neither NVML nor a driver; an old one does not tell
        return 0


@cache
def _nvml() -> Any:
    """Return NVML, ready to use; None without an NVIDIA driver or without its Python package."""
    try:
        nvml = importlib.import_module("pynvml")
        nvml.nvmlInit()
    except Exception:  # no package, no driver, no right to it, or another package of that name
        return None
    return nvml


def _visible_handles(nvml: Any) -> list[Any]:
    """Return NVML's handles of the GPUs that CUDA shows, in CUDA's order.

    A GPU has another number for CUDA (``CUDA_VISIBLE_DEVICES``, fastest first) than for NVML (all,
    by slot). Where torch runs on CUDA already it is asked for the ids; else the variable is read as
    CUDA documents it, which leaves the order open on machines with different GPUs.
    """
    torch = _torch.loaded()
    try:
        if torch is not None and torch.cuda.is_initialized():
            return [
                _handle(nvml, f"GPU-{torch.cuda.get_device_properties(n).uuid}")
                for n in range(torch.cuda.device_count())
            ]
    except Exception:  # an older torch has no ids; a MIG slice has one of its own
        pass
    try:
        whole = [nvml.nvmlDeviceGetHandleByIndex(n) for n in range(nvml.nvmlDeviceGetCount())]
        every = [one for handle in whole for one in _slices(nvml, handle)]
    except Exception:
        return []
    listed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if listed is None:
        return every
    shown: list[Any] = []
    for word in (part.strip() for part in listed.split(",")):
        try:
            shown.append(every[int(word)] if word.isdigit() else _named(nvml, every, word))
        except Exception:  # CUDA shows those before the first that is not there
            break
    return shown


def _slices(nvml: Any, handle: Any) -> list[Any]:
    """Return the slices of a GPU that is shared out (MIG: CUDA shows only those), else itself."""
    slices = []
    with contextlib.suppress(Exception):  # most GPUs know no slices
        if nvml.nvmlDeviceGetMigMode(handle)[0]:
            for n in range(nvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
                with contextlib.suppress(Exception):  # a place without a slice
                    slices.append(nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, n))
    return slices or [handle]


def _named(nvml: Any, every: Sequence[Any], word: str) -> Any:
    """Return the handle of the GPU whose id is, or begins with, `word`."""
    if not word:  # every id begins with it
        raise ValueError
    for handle in every:
        if _text(nvml.nvmlDeviceGetUUID(handle)).startswith(word):
            return handle
    return _handle(nvml, word)  # a MIG slice


def _handle(nvml: Any, uuid: str) -> Any:
    return nvml.nvmlDeviceGetHandleByUUID(uuid)


def _by_nvml(nvml: Any, handle: Any) -> Gpu | None:
    try:
        memory = nvml.nvmlDeviceGetMemoryInfo(handle)
        name = _text(nvml.nvmlDeviceGetName(handle))
    except Exception:  # a GPU that was lost, or that this user may not see
        return None
    temperature = load = None
    # What is optional is missing on some GPUs (NVMLError_NotSupported), as load on MIG slices.
    with contextlib.suppress(Exception):
        temperature = float(nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU))
    with contextlib.suppress(Exception):
        load = nvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100
    return Gpu(
        name,
        int(memory.total),
        int(memory.free),
        _processes(nvml, handle),
        temperature,
        load,
        "NVML",
    )


def _processes(nvml: Any, handle: Any) -> tuple[ProcessReading, ...]:
    """Return who holds memory of a GPU: one entry a process, though it may compute and draw."""
    held: dict[int, int | None] = {}
    for kind in ("Compute", "Graphics"):
        with contextlib.suppress(Exception):
            for one in getattr(nvml, f"nvmlDeviceGet{kind}RunningProcesses")(handle):
                size = one.usedGpuMemory
                known = held.get(one.pid)
                held[one.pid] = max(size or 0, known or 0) if size or known else None
    return tuple(
        ProcessReading(pid, _process_name(pid), size) for pid, size in sorted(held.items())
    )


def _process_name(pid: int) -> str:
    import psutil

    try:
        return str(psutil.Process(pid).name())
    except psutil.Error:  # another user's, or outside this container
        return "another process"


def _by_gputil() -> tuple[Gpu, ...]:
    """Return what GPUtil reads from ``nvidia-smi``: no processes.

    GPUtil imports ``distutils``, which is gone since Python 3.12 (setuptools brings a stand-in) and
    warns before.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            gputil = importlib.import_module("GPUtil")
        found = gputil.getGPUs()
        return tuple(_of_gputil(one) for one in found)
    except Exception:  # a driver that nvidia-smi cannot reach gives lines that do not parse
        return ()


def _of_gputil(one: Any) -> Gpu:
    return Gpu(
        str(one.name),
        int(one.memoryTotal * _MIB),
        int(one.memoryFree * _MIB),
        (),
        _number(one.temperature),
        _number(one.load),
        "GPUtil",
    )


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
