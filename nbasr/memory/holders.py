"""Who in a notebook still holds a model: variables, outputs, tracebacks; and what frees it."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

from nbasr.memory import _notebook, modules
from nbasr.memory._notebook import Holder
from nbasr.memory._search import Search, storage_of

__all__ = ["Holder", "Watch", "holders"]


class Watch:
    """What a model consists of, remembered without holding any of it.

    Made before an unload, it tells afterwards what of the model is still alive; see `holders`.

    Parameters
    ----------
    module
        The model; None watches nothing.
    """

    def __init__(self, module: Any) -> None:
        self._parts: list[weakref.ref[Any]] = []
        self._storages: dict[int, Any] = {}
        if module is None:
            return
        from torch.multiprocessing import reductions

        weak: Any = reductions.StorageWeakRef  # untyped in torch
        self._parts = [weakref.ref(part) for part in module.modules()]
        for _, tensor in modules._tensors_of(module):
            self._parts.append(weakref.ref(tensor))
            storage = storage_of(tensor)
            if storage is not None:
                self._storages[storage._cdata] = weak(storage)

    @property
    def held_bytes(self) -> int:
        """Bytes of its weights that are still there, whoever holds them."""
        if not self._storages:
            return 0
        import torch

        held = 0
        for address, storage in self._storages.items():
            if not storage.expired():
                # None where it was let go between the two lines.
                kept = torch.UntypedStorage._new_with_weak_ptr(address)
                held += kept.nbytes() if kept is not None else 0
        return held

    def _alive(self) -> tuple[list[Any], set[int]]:
        parts = [part for part in (ref() for ref in self._parts) if part is not None]
        return parts, {at for at, storage in self._storages.items() if not storage.expired()}


def holders(targets: Iterable[object]) -> tuple[Holder, ...]:
    """Return who still holds any of the targets, its parts, or views of its weights.

    Looked through are the variables of the notebook (into containers, objects, closures and saved
    exceptions, up to 50,000 objects each), of modules of one's own that were imported into it, the
    results that IPython keeps (``Out``, ``_``) and the tracebacks of the last error. The variables
    of functions that are running are not: to read them would itself hold what they hold.

    Parameters
    ----------
    targets
        Modules or tensors of torch, weak references to them, or `Watch`.
    """
    objects, storages = _expanded(targets)
    if not objects and not storages:
        return ()
    identities = {id(one) for one in objects}

    def wanted(one: object) -> bool:
        if id(one) in identities:
            return True
        storage = storage_of(one)
        return storage is not None and storage._cdata in storages

    search = Search(wanted)
    found: dict[Holder, None] = {}
    for holder, value in _notebook.roots():
        if holder not in found and search.reaches(value):
            found[holder] = None
    return tuple(found)


def _expanded(targets: Iterable[object]) -> tuple[list[object], set[int]]:
    """Return the living parts of the targets, and the addresses of their weights."""
    objects: list[object] = []
    storages: set[int] = set()
    for target in targets:
        thing = target() if isinstance(target, weakref.ref) else target
        if isinstance(thing, Watch):
            parts, addresses = thing._alive()
            objects += parts
            storages |= addresses
            continue
        if thing is None:
            continue
        objects.append(thing)
        tensors = [thing]
        if callable(getattr(thing, "modules", None)) and callable(getattr(thing, "buffers", None)):
            module: Any = thing
            objects += module.modules()
            tensors = [*module.parameters(), *module.buffers()]
            objects += tensors
        for tensor in tensors:
            storage = storage_of(tensor)
            if storage is not None:
                storages.add(storage._cdata)
    return objects, storages
