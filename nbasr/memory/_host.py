"""Main memory: how much there is and how much this process may still take, in containers too."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

_SENSORS = ("coretemp", "k10temp", "zenpower", "cpu_thermal")
"""Where Linux's drivers show a processor's temperature: Intel, AMD, AMD, ARM boards."""

_UNLIMITED = 1 << 60
"""A limit from here on is none: the kernel writes "no limit" of cgroups v1 as a huge number."""


def total_bytes() -> int:
    """Return the main memory that this process may use: the machine's, or its container's."""
    import psutil

    whole = int(psutil.virtual_memory().total)
    return min([whole, *(limit for limit, _ in limits())])


def available_bytes() -> int:
    """Return the main memory that this process can still get without swapping.

    A container (Docker, Kubernetes, Binder, a batch system's job) is stopped at the limit of its
    control group, however much the machine has free.
    """
    import psutil

    free = int(psutil.virtual_memory().available)
    return max(0, min([free, *(limit - used for limit, used in limits())]))


def limits(
    groups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")
) -> list[tuple[int, int]]:
    """Return (limit, used) in bytes of each control group above this process that has a limit.

    What the system keeps of files and can drop at once is not counted as used. Versions 1 and 2 of
    control groups differ in the names of their files (Linux, ``cgroup-v1/memory.rst`` and
    ``cgroup-v2.rst``).

    Parameters
    ----------
    groups
        Where control groups are mounted.
    own
        The file that names the groups of this process.
    """
    if not sys.platform.startswith("linux"):
        return []
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    found: list[tuple[int, int]] = []
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:
            names = ("memory.max", "memory.current", "inactive_file")
            found += _group_limits(groups, path, *names)
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            found += _group_limits(groups / "memory", path, *names)
    return found


def _group_limits(
    root: Path, path: str, limit_name: str, used_name: str, droppable: str
) -> Iterator[tuple[int, int]]:
    """Yield (limit, used) of a group and those above it; inside a container only the root shows."""
    inner = root / path.lstrip("/")
    for folder in (inner, *inner.parents):
        if not folder.is_relative_to(root):
            break
        try:
            limit = int((folder / limit_name).read_text())
            used = int((folder / used_name).read_text())
            stat = (folder / "memory.stat").read_text()
        except (OSError, ValueError):  # the root has none; "max" is no number
            continue
        words = dict(line.split(" ", 1) for line in stat.splitlines() if " " in line)
        if limit < _UNLIMITED:
            yield limit, max(0, used - int(words.get(droppable, 0)))


def name() -> str:
    """Return what the processor calls itself."""
    import platform

    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except (OSError, UnicodeDecodeError):
        pass
    return platform.processor() or platform.machine()


def temperature_c() -> float | None:
    """Return the processor's temperature in degrees Celsius where the system tells it."""
    import psutil

    read = getattr(psutil, "sensors_temperatures", None)  # not on every system
    try:
        sensors = read() if read is not None else {}
    except (OSError, RuntimeError):
        return None
    shown = [one.current for driver in _SENSORS for one in sensors.get(driver, ())]
    return float(max(shown)) if shown else None


def load() -> float | None:
    """Return how busy the processors were in the last minute, 0 to 1."""
    import psutil

    try:
        waiting = psutil.getloadavg()[0]
    except OSError:
        return None
    return min(1.0, float(waiting) / (psutil.cpu_count() or 1))


HELPERS: set[int] = set()
"""Processes that work for this one, such as the embedded engine's: their memory counts as its."""


def helpers_bytes() -> int:
    """Return the main memory that the processes hold which work for this one."""
    import psutil

    held = 0
    for pid in tuple(HELPERS):
        with contextlib.suppress(psutil.Error):  # it ended meanwhile
            held += int(psutil.Process(pid).memory_info().rss)
    return held
