"""Counts the bytes of all tensors that are alive, and the most that were alive at once."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Alive(TorchDispatchMode):
    """Follows every tensor that is made while it is entered.

    What a CUDA allocator would report as its peak, but for workspaces inside of single operations.

    Parameters
    ----------
    module
        Its weights are not counted.
    """

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()
        self.bytes = 0
        self.peak_bytes = 0
        self._seen: dict[int, weakref.ref[Any]] = {}
        for tensor in (*module.parameters(), *module.buffers()):
            self._follow(tensor.untyped_storage(), 0)

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        for one in tree_leaves(made):
            if isinstance(one, torch.Tensor):
                storage = one.untyped_storage()
                if storage._cdata not in self._seen:
                    self._follow(storage, storage.nbytes())
        self.peak_bytes = max(self.peak_bytes, self.bytes)
        return made

    def _follow(self, storage: Any, size: int) -> None:
        key = storage._cdata
        self.bytes += size

        def gone(_: Any) -> None:
            self._seen.pop(key, None)
            self.bytes -= size

        self._seen[key] = weakref.ref(storage, gone)
