"""Telling an error that means "out of memory" from all others."""

from __future__ import annotations

from nbasr.memory import _torch

_TEXTS = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "_status_alloc_failed",  # cuBLAS, cuDNN, cuSPARSE
)
"""What the allocators of CUDA, MPS and the CPU, and CUDA's libraries, write into a RuntimeError."""


def ran_out(error: BaseException) -> bool:
    """Tell whether memory ran out: of the device (torch) or of this process."""
    if isinstance(error, MemoryError):
        return True
    torch = _torch.loaded()
    if torch is not None and isinstance(error, torch.OutOfMemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(said in text for said in _TEXTS)
