"""Giving memory back to the system, and saying how much came back."""

from __future__ import annotations

import ctypes
import gc
import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Memory:
    """What this process holds, in bytes.

    Parameters
    ----------
    resident_bytes
        Main memory.
    cuda_bytes
        Memory of CUDA devices given out by torch; None where torch is not loaded or sees none.
    """

    resident_bytes: int
    cuda_bytes: int | None = None


@dataclass(frozen=True)
class ReleaseReport:
    """What an unload gave back.

    Parameters
    ----------
    names
        The models that were unloaded.
    before, after
        Memory of this process before and after.
    """

    names: tuple[str, ...]
    before: Memory
    after: Memory

    @property
    def freed_bytes(self) -> int:
        """Main memory that came back; less than 0 if something else grew meanwhile."""
        return self.before.resident_bytes - self.after.resident_bytes

    def __repr__(self) -> str:
        """Tell it in one line."""
        if not self.names:
            return "Nothing was loaded, so nothing was unloaded."
        text = (
            f"Unloaded {', '.join(self.names)}: process memory "
            f"{_mb(self.before.resident_bytes)} → {_mb(self.after.resident_bytes)}"
        )
        if self.before.cuda_bytes is not None and self.after.cuda_bytes is not None:
            text += f", CUDA {_mb(self.before.cuda_bytes)} → {_mb(self.after.cuda_bytes)}"
        return text


def memory() -> Memory:
    """Return what this process holds now."""
    import psutil

    torch = sys.modules.get("torch")  # if nobody has loaded it, it holds nothing
    on_cuda = torch is not None and torch.cuda.is_available()
    return Memory(
        psutil.Process().memory_info().rss,
        torch.cuda.memory_allocated() if torch is not None and on_cuda else None,
    )


def collect() -> None:
    """Return unused memory to the system: garbage, torch's reserve, the C library's arenas."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc only
        if trim is not None:
            trim(0)


def _mb(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
