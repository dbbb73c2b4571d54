"""The resident models of this kernel: loaded once, shared by everything, let go when told."""

from __future__ import annotations

import html
import threading
import time
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from nbasr._files import expanded
from nbasr.engines.base import Engine, EngineSpec, open_engine
from nbasr.engines.checkpoint import snapshot, window_of
from nbasr.engines.languages import language_code, language_name
from nbasr.errors import ModelError, ModelWarning, did_you_mean
from nbasr.models import catalog
from nbasr.models._hub import fetch
from nbasr.models.release import ReleaseReport, collect, memory

if TYPE_CHECKING:
    from nbasr.settings import Options

ROOM = 1.3
"""Free memory without which no model is taken unasked, as a multiple of its weights: what it
computes with comes on top."""

_Identity = tuple[str, str, str, str]


@dataclass(eq=False)
class _Slot:
    """The place of one model; its lock is held while it loads, so that others wait for it."""

    spec: EngineSpec
    lock: threading.Lock = field(default_factory=threading.Lock)
    engine: Engine | None = None
    asked_for: bool = False
    used: float = 0.0


class Model:
    """A resident model, as `load` returns it. It holds nothing itself: `unload` frees the memory.

    Parameters
    ----------
    spec
        What was loaded.
    """

    def __init__(self, spec: EngineSpec, manager: ModelManager) -> None:
        self.spec = spec
        self._manager = manager

    @property
    def name(self) -> str:
        """What it is called."""
        return self.spec.name

    @property
    def is_loaded(self) -> bool:
        """Whether it is still resident."""
        return self._manager._engine(self.spec) is not None

    @property
    def engine(self) -> Engine:
        """The engine, for recognising single requests.

        Raises
        ------
        ModelError
            If the model was unloaded.
        """
        engine = self._manager._engine(self.spec)
        if engine is None:
            raise ModelError(
                f'{self.name} was unloaded; load it again: nbasr.models.load("{self.name}").'
            )
        return engine

    def unload(self) -> ReleaseReport:
        """Let go of it."""
        return self._manager._drop([_identity(self.spec)])

    def _facts(self) -> list[str]:
        size = catalog.weights_bytes(self.spec)
        weights = [f"weights {size / 1e6:,.0f} MB"] if size else []
        state = [] if self.is_loaded else ["unloaded"]
        return [self.spec.engine, self.spec.dtype, self.spec.device, *weights, *state]

    def __repr__(self) -> str:
        """Tell what it is in one line."""
        return f"<Model {self.name}: {', '.join(self._facts())}>"

    def _repr_html_(self) -> str:
        facts = " · ".join(html.escape(fact) for fact in self._facts())
        return f"<span><b>{html.escape(self.name)}</b> · {facts}</span>"


class ModelManager:
    """Loads models and keeps them. One for a kernel is enough: `nbasr.models.manager` holds it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._slots: dict[_Identity, _Slot] = {}

    def load(self, name: str, *, dtype: str | None = None, device: str | None = None) -> Model:
        """Load a model and keep it; one that is resident already is returned at once.

        Parameters
        ----------
        name
            Catalogue name, hub id or local folder. A hub model that is not on this machine is
            downloaded; its size and the progress are shown.
        dtype
            ``"float32"``, ``"bf16"`` or ``"fp16"``; None or ``"auto"`` suits the device.
        device
            ``"cpu"``, ``"cuda"`` or ``"mps"``; None or ``"auto"`` takes the best one.

        Returns
        -------
        Model
            A light handle; memory is freed by `unload`, not by deleting the handle.

        Raises
        ------
        ModelError
            If the model is unknown, cannot be fetched or cannot be loaded.
        """
        spec = self._spec(name, dtype or "auto", device or "auto")
        return Model(self._loaded(spec, asked_for=True).spec, self)

    def resident(self) -> list[Model]:
        """Return the models that are loaded, the last used first."""
        with self._lock:
            slots = [slot for slot in self._slots.values() if slot.engine is not None]
        slots.sort(key=lambda slot: -slot.used)
        return [Model(slot.spec, self) for slot in slots]

    def unload(self, name: str) -> ReleaseReport:
        """Let go of a model, in every number format and on every device in which it is loaded.

        Parameters
        ----------
        name
            As given to `load`, or as `resident` shows it.

        Raises
        ------
        ModelError
            If no such model is loaded.
        """
        here = self.resident()
        found = [model.spec for model in here if _is_called(model.spec, name)]
        if not found:
            names = [model.name for model in here]
            loaded = f"Loaded: {', '.join(names)}." if names else "No model is loaded."
            raise ModelError(f"{name!r} is not loaded.{did_you_mean(name, names)} {loaded}")
        return self._drop([_identity(spec) for spec in found])

    def unload_all(self) -> ReleaseReport:
        """Let go of every model."""
        return self._drop([_identity(model.spec) for model in self.resident()])

    def choose(self, options: Options) -> EngineSpec:
        """Return the model that options ask for, without loading or fetching it.

        For ``model="auto"``: the resident model used last, in the number format and on the device
        that were asked for; else the best one in the hub cache that fits into free memory; else the
        embedded engine, with a `ModelWarning`.

        Raises
        ------
        ModelError
            If the model is unknown or cannot do the task, or the device is not there.
        """
        code = language_code(options.language)
        if options.model.strip().lower() == "auto":
            if options.device not in ("auto", "cpu"):  # to look costs the import of torch
                catalog.checked_device(options.device)
            return self._best(options, code)
        spec = self._spec(options.model, options.dtype, options.device)
        _must_suit(spec, code, options.task)
        return spec

    def engine_for(self, options: Options, spec: EngineSpec | None = None) -> Engine:
        """Return the loaded engine for options, loading its model if need be.

        Parameters
        ----------
        options
            Final options.
        spec
            What `choose` said for them, so that it is not asked again.
        """
        return self._loaded(spec or self.choose(options), asked_for=options.model != "auto")

    def _spec(self, name: str, dtype: str, device: str) -> EngineSpec:
        """Resolve a name; a resident model is taken as it is, unless another format is asked."""
        for model in self.resident():
            spec = model.spec
            same = dtype in ("auto", spec.dtype) and device in ("auto", spec.device)
            if _is_called(spec, name) and same:
                return spec
        return catalog.resolve(name, dtype, device)

    def _best(self, options: Options, code: str | None) -> EngineSpec:
        others = []
        for model in self.resident():
            spec = model.spec
            known = catalog.entry(spec.source or spec.name)
            if known is not None and not known.suits(code, options.task):
                continue
            with self._lock:
                slot = self._slots.get(_identity(spec))
            if slot is None or (spec.engine == "sphinx" and not slot.asked_for):
                continue
            if options.dtype in ("auto", spec.dtype) and options.device in ("auto", spec.device):
                return spec
            if spec.engine != "sphinx":
                others.append(spec)
        if others:  # the model stays; only its number format or its device is another
            spec = others[0]
            device = spec.device if options.device == "auto" else options.device
            return catalog.resolve(spec.source, options.dtype, device)
        cached = _best_cached(options, code)
        if cached is not None:
            return cached
        sphinx = catalog.resolve("sphinx", options.dtype, options.device)
        _must_suit(sphinx, code, options.task)
        warnings.warn(
            "No model is loaded and none that fits is on this machine, so the embedded engine "
            "(sphinx) is used: draft quality, English only, for clear speech. For real work name a "
            "model, such as whisper-small, or load one first.",
            ModelWarning,
            stacklevel=5,
        )
        return sphinx

    def _loaded(self, spec: EngineSpec, *, asked_for: bool) -> Engine:
        """Return the engine of a spec; of two that ask at once, one loads and the other waits."""
        while True:
            with self._lock:
                slot = self._slots.setdefault(_identity(spec), _Slot(spec))
            with slot.lock:
                with self._lock:
                    if self._slots.get(_identity(spec)) is not slot:
                        continue  # it was unloaded, or failed, while this one waited
                try:
                    if slot.engine is None:
                        if spec.source and not Path(spec.source).is_dir():
                            heard = window_of(fetch(spec))  # a hub id's is not known before
                            spec = replace(spec, max_seconds=min(spec.max_seconds, heard))
                            slot.spec = spec
                        slot.engine = open_engine(spec)
                except BaseException:
                    with self._lock:
                        del self._slots[_identity(spec)]
                    raise
                slot.asked_for |= asked_for
                slot.used = time.monotonic()
                return slot.engine

    def _engine(self, spec: EngineSpec) -> Engine | None:
        with self._lock:
            slot = self._slots.get(_identity(spec))
        return slot.engine if slot else None

    def _drop(self, identities: list[_Identity]) -> ReleaseReport:
        before = memory()
        names = []
        for identity in identities:
            with self._lock:
                slot = self._slots.get(identity)
            if slot is None:
                continue
            with slot.lock:  # not while it loads
                with self._lock:
                    if self._slots.get(identity) is slot:
                        del self._slots[identity]
                if slot.engine is not None:
                    slot.engine.close()
                    slot.engine = None
                    names.append(slot.spec.name)
        collect()
        return ReleaseReport(tuple(names), before, memory())


def _identity(spec: EngineSpec) -> _Identity:
    """Return what makes two specs the same loaded model: not how much is fed to it."""
    return spec.engine, spec.source, spec.dtype, spec.device


def _is_called(spec: EngineSpec, name: str) -> bool:
    folder = Path(expanded(name))
    return name.strip().lower() in (spec.name.lower(), spec.source.lower()) or (
        folder.is_dir() and str(folder.resolve()) == spec.source
    )


def _must_suit(spec: EngineSpec, code: str | None, task: str) -> None:
    """Refuse before anything is loaded or fetched what the model is known not to do."""
    known = catalog.entry(spec.source or spec.name)
    if known is None or known.suits(code, task):
        return
    if known.english_only and code not in (None, "en"):
        what = f"knows only English, not {language_name(str(code))}"
    else:
        what = "does not translate"
    raise ModelError(f"{known.name} {what}; take one that does, such as whisper-small.")


def _best_cached(options: Options, code: str | None) -> EngineSpec | None:
    """Return the best catalogue model whose files are on this machine and that fits, or None."""
    for entry in reversed(catalog.entries()):
        # Without a language, an English-only model is no safe guess.
        sure = code == "en" or not entry.english_only
        if not entry.source or not sure or not entry.suits(code, options.task):
            continue
        if snapshot(entry.source) is None:
            continue
        spec = catalog.resolve(entry.name, options.dtype, options.device)
        if _fits(spec):
            return spec
        if options.device == "auto" and spec.device != "cpu":
            spec = catalog.resolve(entry.name, options.dtype, "cpu")
            if _fits(spec):
                return spec
    return None


def _fits(spec: EngineSpec) -> bool:
    """Tell whether there is free memory for a model."""
    needed = (catalog.weights_bytes(spec) or 0) * ROOM
    if spec.device == "cuda":
        import torch

        return bool(needed <= torch.cuda.mem_get_info()[0])
    import psutil

    return bool(needed <= psutil.virtual_memory().available)


_KERNEL = ModelManager()
"""The one of this kernel. It outlives ``%reload_ext``, which loads only the magics anew."""

load = _KERNEL.load
resident = _KERNEL.resident
unload = _KERNEL.unload
unload_all = _KERNEL.unload_all
choose = _KERNEL.choose
engine_for = _KERNEL.engine_for
