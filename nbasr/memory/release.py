"""Giving memory back to the system, and saying how much came back and who still holds what."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import html
import sys
from dataclasses import dataclass

from nbasr._units import size
from nbasr.memory import _nvidia, _torch, _traces
from nbasr.memory.holders import Holder
from nbasr.memory.readings import CONTEXT_BYTES, mine, process_bytes, reset_peak


@dataclass(frozen=True)
class Memory:
    """What this process holds, in bytes.

    Parameters
    ----------
    resident_bytes
        Main memory.
    cuda_bytes
        Memory of CUDA devices given to tensors; None where torch is not loaded or sees no device.
    """

    resident_bytes: int
    cuda_bytes: int | None = None


@dataclass(frozen=True)
class ReleaseReport:
    """What an unload or a clean gave back.

    Parameters
    ----------
    names
        The models that were unloaded.
    before, after
        Memory of this process before and after.
    expected_residue_bytes
        What of a GPU stays with this process whatever is freed: CUDA's context, which goes only
        when the kernel ends. 0 on a CPU.
    holders
        Who still points at what was unloaded (empty by then), or at tensors after a clean.
    model_bytes
        What the models held.
    held_bytes
        What of their weights is still alive because somebody holds it.
    cleared
        What a clean emptied, in words.
    """

    names: tuple[str, ...]
    before: Memory
    after: Memory
    expected_residue_bytes: int = 0
    holders: tuple[Holder, ...] = ()
    model_bytes: int = 0
    held_bytes: int = 0
    cleared: tuple[str, ...] = ()

    @property
    def freed_bytes(self) -> int:
        """Main memory that came back; less than 0 if something else grew meanwhile."""
        return self.before.resident_bytes - self.after.resident_bytes

    @property
    def freed_cuda_bytes(self) -> int:
        """Memory of CUDA devices that came back."""
        return (self.before.cuda_bytes or 0) - (self.after.cuda_bytes or 0)

    def _head(self) -> str:
        if self.names:
            weights = f" ({size(self.model_bytes)})" if self.model_bytes else ""
            done = f"Unloaded {', '.join(self.names)}{weights}"
        elif self.cleared:
            done = f"Cleared {', '.join(self.cleared)}"
        else:
            return "Nothing was loaded, so nothing was unloaded."
        text = (
            f"{done}: process memory {size(self.before.resident_bytes)} → "
            f"{size(self.after.resident_bytes)}"
        )
        if self.before.cuda_bytes is not None and self.after.cuda_bytes is not None:
            text += f", CUDA {size(self.before.cuda_bytes)} → {size(self.after.cuda_bytes)}"
        if self.expected_residue_bytes:
            text += (
                f"; about {size(self.expected_residue_bytes)} of the GPU stay with CUDA itself "
                "until the kernel ends"
            )
        return text + "."

    def _about_holders(self) -> str:
        if not self.holders:
            held = f"{size(self.held_bytes)} of the weights are still held; restart the kernel."
            return held if self.held_bytes else ""
        if self.held_bytes:
            return f"{size(self.held_bytes)} are still held. To free them:"
        if self.names:
            return "Still pointed at, but without its weights. To let go of the rest:"
        return "These hold tensors. To free them:"

    def __repr__(self) -> str:
        """Tell it in a line, and in one more for each that holds something."""
        lines = [self._head(), self._about_holders()]
        lines += [f"  {holder.where}: {holder.frees}" for holder in self.holders]
        return "\n".join(line for line in lines if line)

    def _repr_html_(self) -> str:
        text = "".join(
            f"<p>{html.escape(line)}</p>" for line in (self._head(), self._about_holders()) if line
        )
        rows = "".join(
            f"<li>{html.escape(holder.where)}: <code>{html.escape(holder.frees)}</code></li>"
            for holder in self.holders
        )
        return text + (f"<ul>{rows}</ul>" if rows else "")


def memory() -> Memory:
    """Return what this process holds now."""
    torch = _torch.loaded()  # if nobody has loaded it, it holds nothing
    if torch is None or not torch.cuda.is_available():
        return Memory(process_bytes())
    held = sum(int(torch.cuda.memory_allocated(n)) for n in range(torch.cuda.device_count()))
    return Memory(process_bytes(), held)


def collect() -> None:
    """Return unused memory to the system: garbage, torch's reserve, the C library's arenas."""
    gc.collect()
    torch = _torch.loaded()
    if torch is not None:
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()
        if torch.backends.mps.is_available():
            torch.mps.empty_cache()
    if sys.platform == "linux":
        # glibc keeps freed blocks for itself: 0.9 GB after a quantised load of 0.3 G weights.
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def residue_bytes() -> int:
    """Return what of the GPU stays with this process until it ends; 0 where CUDA is not in use."""
    torch = _torch.loaded()
    if torch is None or not torch.cuda.is_initialized():
        return 0
    index = int(torch.cuda.current_device())
    gpu = _nvidia.gpu(index)
    reserved = int(torch.cuda.memory_reserved(index))
    this = mine(gpu.processes, reserved) if gpu is not None else None
    return max(0, this.bytes - reserved) if this and this.bytes else CONTEXT_BYTES


def clean() -> ReleaseReport:
    """Empty what a notebook keeps without being asked, and give the memory back.

    The state of the last error (its traceback holds the variables of every function it went
    through), those outputs in ``Out``, ``_``, ``__``, ``___`` that hold models or tensors, garbage,
    and what torch and the C library keep in reserve. Other outputs and all variables stay; the
    counters of peak memory start anew.

    Returns
    -------
    ReleaseReport
        With the variables that still hold tensors among its `holders`.
    """
    before = memory()
    cleared = [*_traces.clear_errors(), *_traces.clear_outputs()]
    collect()
    reset_peak("cpu")
    torch = _torch.loaded()
    if torch is not None and torch.cuda.is_initialized():
        for index in range(torch.cuda.device_count()):
            with contextlib.suppress(RuntimeError):
                reset_peak(f"cuda:{index}")
    return ReleaseReport(
        (),
        before,
        memory(),
        residue_bytes(),
        _traces.tensor_holders(),
        cleared=(*cleared, "unused memory"),
    )
