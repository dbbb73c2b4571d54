"""What the parts of a torch module weigh, and taking that weight from a module somebody holds."""

from __future__ import annotations

import contextlib
import gc
import re
import sys
from collections.abc import Iterator
from typing import Any, NoReturn

from nbasr.errors import ModelError

PARTS = (
    ("embeddings", r".*\bembed_tokens"),
    ("head", r"(.*\.)?(lm_head|proj_out|score)"),
    ("audio tower", r"(model\.)?(audio_tower|encoder)\."),
    ("projector", r"(model\.)?(multi_modal_projector|adaptor)\."),
    ("decoder", r"(model\.)?(language_model|decoder)\."),
)
"""The parts of a model by the beginnings of its weights' names; the first that fits counts."""

ORDER = ("audio tower", "projector", "predictor", "embeddings", "decoder", "head")
"""The parts in the order in which sound goes through them."""

_STATES = ("bitsandbytes.", "accelerate.", "transformers.cache_utils")
"""Packages whose objects hold tensors beside the parameters: scales, offloaded weights, caches."""

_HOOKS = (
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_backward_hooks",
    "_backward_pre_hooks",
)
"""Where torch 2 keeps the hooks of a module."""


def part_of(name: str) -> str:
    """Return the part of a model to which a weight belongs, by its full name."""
    for part, pattern in PARTS:
        if re.match(pattern, name):
            return part
    return name.removeprefix("model.").split(".")[0].replace("_", " ")


def place_of(part: str) -> int:
    """Return the place of a part in `ORDER`; others come last."""
    return ORDER.index(part) if part in ORDER else len(ORDER)


def bytes_of(module: Any, device: str = "") -> dict[str, int]:
    """Return what each part of a module holds, in bytes.

    Counted is memory, not numbers: a weight that two layers share counts once, where it comes
    first, and the scales and tables of quantised layers count too. What was offloaded to disk
    counts nothing.

    Parameters
    ----------
    module
        A torch module, or None, which holds nothing.
    device
        Only what lies on devices of this kind, such as ``"cuda"``; ``""`` for all.
    """
    parts: dict[str, int] = {}
    seen: set[tuple[str, int]] = set()
    for name, tensor in _tensors_of(module):
        found = _storage(tensor)
        if found is not None and found[0] not in seen and found[0][0].startswith(device):
            seen.add(found[0])
            part = part_of(name)
            parts[part] = parts.get(part, 0) + found[1]
    return dict(sorted(parts.items(), key=lambda item: place_of(item[0])))


def empty(module: Any) -> int:
    """Take all weights from a module, so that whoever still holds it holds next to nothing.

    Every parameter, buffer and scale gets no elements, in place; so do views and slices of them
    that are held elsewhere in Python, where torch made their memory (what is mapped from a file
    or looked at by numpy is left to those who look at it: to free it under them would end the
    process). Hooks are removed, and calling the module or any part of it says that it was
    unloaded. It does not raise half way.

    Parameters
    ----------
    module
        A torch module, or None.

    Returns
    -------
    int
        Bytes that the module held.
    """
    if module is None:
        return 0
    tensors = [tensor for _, tensor in _tensors_of(module)]
    tables = _shared_tables()
    sizes: dict[tuple[str, int], int] = {}
    ours: set[tuple[str, int]] = set()
    for tensor in tensors:
        found = _storage(tensor)
        if found is None or found[0] in tables:
            continue
        sizes[found[0]] = found[1]
        if tensor.untyped_storage().resizable():
            ours.add(found[0])
    for tensor in tensors:
        found = _storage(tensor)
        if found is None or found[0] in sizes:
            _forget(tensor)
    for tensor in _views(ours):
        _forget(tensor)
    for part in list(module.modules()):
        _strip(part)
    return sum(sizes.values())


def own(module: Any) -> None:
    """Copy what a module maps from files into memory of its own.

    One tensor that is still mapped keeps every page in memory that was ever read of its file: after
    quantising, those of the whole unquantised model (measured: 0.5 GB for 0.1 GB of weights).

    Parameters
    ----------
    module
        A torch module in main memory.
    """
    copies: dict[tuple[object, ...], Any] = {}
    for _, tensor in list(_tensors_of(module)):
        found = _storage(tensor)
        if found is None or tensor.device.type != "cpu" or tensor.untyped_storage().resizable():
            continue
        same = (found[0], tensor.storage_offset(), tensor.shape, tensor.stride(), tensor.dtype)
        if same not in copies:
            copies[same] = tensor.detach().clone()
        _forget(tensor)
        tensor.data = copies[same]


def _tensors_of(module: Any) -> Iterator[tuple[str, Any]]:
    """Yield every tensor that a module holds, with the full name of what holds it."""
    if module is None:
        return
    seen: set[int] = set()
    for prefix, part in module.named_modules():
        for table in (part._parameters, part._buffers):
            for key, value in table.items():
                for tensor in _inside(value, seen):
                    yield f"{prefix}.{key}".removeprefix("."), tensor
        for key, value in list(vars(part).items()):
            if key not in ("_parameters", "_buffers", "_modules"):
                for tensor in _inside(value, seen):
                    yield f"{prefix}.{key}".removeprefix("."), tensor


def _inside(value: Any, seen: set[int]) -> Iterator[Any]:
    """Yield the tensors in a value: itself, its gradient, and what hangs on it."""
    import torch

    if id(value) in seen:
        return
    if isinstance(value, torch.Tensor):
        seen.add(id(value))
        yield value
        inner: list[Any] = list(vars(value).values())
        if value.is_leaf and value.grad is not None:
            inner.append(value.grad)
    elif isinstance(value, dict):
        inner = list(value.values())
    elif isinstance(value, (list, tuple, set, frozenset)):
        inner = list(value)
    elif type(value).__module__.startswith(_STATES) and not isinstance(value, torch.nn.Module):
        inner = list(getattr(value, "__dict__", {}).values())
    else:
        return
    seen.add(id(value))
    for one in inner:
        yield from _inside(one, seen)


def _storage(tensor: Any) -> tuple[tuple[str, int], int] | None:
    """Return what tells a tensor's memory from others, and its size in bytes; None for none."""
    with contextlib.suppress(RuntimeError, NotImplementedError):  # sparse, fake, of a subclass
        storage = tensor.untyped_storage()
        if storage.device.type != "meta" and storage.nbytes() and storage.data_ptr():
            return (str(storage.device), storage.data_ptr()), storage.nbytes()
    return None


def _shared_tables() -> set[tuple[str, int]]:
    """Return the memory of the code tables that bitsandbytes shares between all models."""
    functional = sys.modules.get("bitsandbytes.functional")
    tables = getattr(functional, "name2qmap", {}).values()
    return {found[0] for found in map(_storage, tables) if found is not None}


def _views(storages: set[tuple[str, int]]) -> Iterator[Any]:
    """Yield every tensor of this process that looks at one of some storages."""
    import torch

    if not storages:
        return
    for thing in gc.get_objects():
        if issubclass(type(thing), torch.Tensor):  # isinstance would wake lazy objects
            found = _storage(thing)
            if found is not None and found[0] in storages:
                yield thing


def _forget(tensor: Any) -> None:
    """Leave a tensor without elements, of the same type and on the same device.

    A view keeps what it was cut from alive, which for a weight from a file is nobody else's.
    """
    import torch

    with contextlib.suppress(RuntimeError, TypeError):
        if tensor.is_leaf:
            tensor.grad = None
        for one in (tensor, tensor._base):
            if one is not None:
                one.data = torch.empty(0, dtype=one.dtype, device=one.device)


def _strip(part: Any) -> None:
    """Take the hooks and the quantised states from one module, and let its calls say why."""
    for name in _HOOKS:
        getattr(part, name, {}).clear()
    weight = getattr(part, "weight", None)
    for holder in (part, weight):
        # bitsandbytes' kernels trust these, and would read memory that is gone.
        if getattr(holder, "quant_state", None) is not None:
            holder.quant_state = None  # type: ignore[union-attr]
    for name in ("_hf_hook", "_old_forward", "_cache"):
        vars(part).pop(name, None)
    part.forward = _unloaded


def _unloaded(*_: Any, **__: Any) -> NoReturn:
    raise ModelError("This model was unloaded and is empty; load it again.")
