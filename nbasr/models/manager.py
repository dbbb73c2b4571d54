"""The resident models of this kernel: loaded once, shared by everything, let go when told."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbasr import settings
from nbasr.engines.base import Engine, EngineSpec
from nbasr.engines.stopping import STEP, check, held
from nbasr.errors import ModelError, did_you_mean
from nbasr.models import _room, catalog, choosing, keeping
from nbasr.models._hub import fetch
from nbasr.models._residents import Residents, Slot
from nbasr.models.choosing import Wish
from nbasr.models.model import Model

if TYPE_CHECKING:
    from nbasr.engines.quantization import Quantization
    from nbasr.memory.release import ReleaseReport
    from nbasr.options import Options

__all__ = ["Model", "ModelManager", "choose", "choose_aligner", "engine_for", "load", "resident"]
__all__ += ["fits_without_work", "times_freed", "unload", "unload_all", "using", "wait_for_room"]


class ModelManager:
    """Loads models and keeps them. One for a kernel is enough: `nbasr.models.manager` holds it.

    All of it may be called from any thread. One model is loaded at a time; who asks for one that is
    being loaded gets it when it is there. When room is needed, models that nobody uses go, the one
    used longest ago first; a model at work, or pinned, never does.

    Parameters
    ----------
    clock
        Returns the time in seconds, by which models grow old.
    """

    # Locks, in the order in which they are taken: of one source, of loading, of leaving, of slots.

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._residents = Residents(clock)
        self._lock = threading.Lock()  # of the locks of sources
        self._sources: dict[str, threading.Lock] = {}
        self._loading = threading.Lock()

    def load(
        self,
        name: str,
        *,
        quantization: str | Quantization | None = None,
        dtype: str | None = None,
        device: str | None = None,
        offload: bool | None = None,
        keep_alive: float | str | None = None,
        pin: bool = False,
    ) -> Model:
        """Load a model and keep it; one that is resident already is returned at once.

        Parameters
        ----------
        name
            Catalogue name, hub id or local folder. A hub model that is not on this machine is
            downloaded; its size and the progress are shown.
        quantization
            ``"int8"``, ``"nf4"`` or ``"fp4"``, a `Quantization` with all details, ``"none"``;
            ``"auto"``: as it is resident, else as its folder was saved, else none. None, here and
            below: as the settings say, which is ``"auto"`` unless it was set.
        dtype
            Number format of what is not quantised: ``"float32"``, ``"bf16"`` or ``"fp16"``;
            ``"auto"`` suits the device.
        device
            ``"cpu"``, ``"cuda"`` or ``"mps"``; ``"auto"`` takes the best one.
        offload
            True keeps in main memory the layers that do not fit the GPU: several times slower.
        keep_alive
            How long it stays when nobody uses it: minutes, or ``"30s"``, ``"5m"``, ``"1h"``. 0
            unloads it when its first work is done, -1 never; None: as the settings say.
        pin
            True never unloads it unasked, neither by time nor to make room for another.

        Returns
        -------
        Model
            A light handle; memory is freed by `unload`, not by deleting the handle.

        Raises
        ------
        ModelError
            If the model is unknown, cannot be fetched or cannot be loaded.
        OutOfMemoryError
            If it does not fit, not even without the models that may go; then none of them goes, and
            nothing is fetched or loaded.
        OptionError
            If an argument has an impossible value.
        """
        kept = keeping.minutes(keep_alive)
        wish = Wish.by_default(dtype, device, quantization, offload)
        spec = choosing.named(name, wish, self._residents.all())
        with self._at_work(spec, asked_for=True) as slot:
            self._residents.mark(slot, worked=False)
            if kept is not None:
                self._residents.keep_alive(slot, kept)
            if pin:
                self._residents.pin(slot, True)
        return Model(slot.spec, self)

    def resident(self) -> list[Model]:
        """Return the models that are loaded, the last used first."""
        return [Model(slot.spec, self) for slot in self._residents.all()]

    def unload(self, name: str) -> ReleaseReport:
        """Let go of a model, in every number format and on every device in which it is loaded.

        Work that is going on with it in another thread fails, at the end of its batch.

        Parameters
        ----------
        name
            As given to `load`, or as `resident` shows it.

        Returns
        -------
        ReleaseReport
            What came back, and who still holds what.

        Raises
        ------
        ModelError
            If no such model is loaded.
        """
        here = self._residents.all()
        found = [slot for slot in here if choosing.is_called(slot.spec, name)]
        if not found:
            names = [slot.spec.name for slot in here]
            loaded = f"Loaded: {', '.join(names)}." if names else "No model is loaded."
            raise ModelError(f"{name!r} is not loaded.{did_you_mean(name, names)} {loaded}")
        return self._residents.drop(found)

    def unload_all(self) -> ReleaseReport:
        """Let go of every model, of pinned ones too."""
        return self._residents.drop(self._residents.all())

    def choose(self, options: Options, *, warn: bool = True) -> EngineSpec:
        """Return the model that options ask for, without loading or fetching it.

        For ``model="auto"``: the resident model used last, in the precision and on the device that
        were asked for; else the best one in the hub cache that fits beside the resident ones; else
        the embedded engine, with a `ModelWarning`.

        Parameters
        ----------
        options
            Final options.
        warn
            Whether to warn; a panel shows the choice itself.

        Raises
        ------
        ModelError
            If the model is unknown or cannot do the task, or the device is not there.
        """
        return choosing.choose(options, self._residents.all(), warn=warn)

    def choose_aligner(self, options: Options, language: str | None = None) -> EngineSpec | None:
        """Return the model for the times of words, without loading or fetching it.

        Parameters
        ----------
        options
            Their ``aligner`` names it; for ``"auto"``: one that is resident, else one in the hub
            cache that fits.
        language
            What is spoken, by name or code; None where it is not known yet.

        Returns
        -------
        EngineSpec or None
            None if there is none for ``"auto"``.

        Raises
        ------
        ModelError
            If the one that is named is no aligner, or does not know the language.
        """
        return choosing.choose_aligner(options, language, self._residents.all())

    @contextlib.contextmanager
    def using(self, spec: EngineSpec, options: Options | None = None) -> Iterator[Any]:
        """Give the loaded engine of a spec for some work, during which it stays loaded.

        Parameters
        ----------
        spec
            From `choose` or `choose_aligner`; its model is loaded if need be.
        options
            The options that it was chosen for: who said ``model="auto"`` did not name it.

        Yields
        ------
        Engine or Aligner

        Raises
        ------
        ModelError, OutOfMemoryError, OptionError
            As `load`.
        """
        with self._at_work(spec, asked_for=_names_it(options)) as slot:
            self._residents.mark(slot, worked=True)
            yield slot.engine

    def fits_without_work(self, spec: EngineSpec) -> bool:
        """Tell whether a model would fit if those at work were done: then it is worth waiting."""
        with held(self._loading):  # what is half loaded is not at work yet, but takes room
            return _room.fits_without_work(spec, self._residents)

    def times_freed(self) -> int:
        """Return how many times a model has come to the end of some work, or has gone."""
        return self._residents.freed

    def wait_for_room(self, device: str, seen: int) -> bool:
        """Wait until models were freed more often than was seen; False if none is at work."""
        while self._residents.freed == seen:
            if not any(slot.users and slot.spec.device == device for slot in self._residents.all()):
                return self._residents.freed != seen
            check()
            time.sleep(STEP)
        return True

    def engine_for(self, options: Options, spec: EngineSpec | None = None) -> Engine:
        """Return the loaded engine for options, loading its model if need be.

        It may be unloaded any time; `using` keeps it for as long as some work takes.

        Parameters
        ----------
        options
            Final options.
        spec
            What `choose` said for them, so that it is not asked again.
        """
        spec = spec or self.choose(options)
        with self._at_work(spec, asked_for=_names_it(options)) as slot:
            engine: Any = slot.engine
        return engine  # type: ignore[no-any-return]

    @contextlib.contextmanager
    def _at_work(self, spec: EngineSpec, *, asked_for: bool) -> Iterator[Slot]:
        """Give a loaded slot, which neither time nor need unloads meanwhile."""
        settings.current()  # a mistake in them is told before anything is loaded
        slot = self._residents.take(spec) or self._load(spec)
        try:
            self._residents.mark(slot, asked_for=asked_for)
            yield slot
        finally:
            self._residents.give_back(slot)

    def _load(self, spec: EngineSpec) -> Slot:
        """Load a model that is not resident, and take it to work."""
        with held(self._lock_of(spec.source)):  # who wants the same model waits here
            if spec.source and not Path(spec.source).is_dir():
                _room.in_the_way(spec, self._residents)  # before anything is fetched
                spec = catalog.settled(spec, fetch(spec))
            slot = self._residents.take(spec)  # another thread may have loaded it meanwhile
            if slot is not None:
                return slot
            with held(self._loading):
                return self._residents.add(spec, _room.opened(spec, self._residents))

    def _lock_of(self, source: str) -> threading.Lock:
        with self._lock:
            return self._sources.setdefault(source, threading.Lock())


def _names_it(options: Options | None) -> bool:
    """Tell whether the options name their model, rather than leave it to nbasr."""
    return options is None or options.model.strip().lower() != "auto"


_KERNEL = ModelManager()
"""The one of this kernel. It outlives ``%reload_ext``, which loads only the magics anew."""

load = _KERNEL.load
resident = _KERNEL.resident
unload = _KERNEL.unload
unload_all = _KERNEL.unload_all
choose = _KERNEL.choose
choose_aligner = _KERNEL.choose_aligner
using = _KERNEL.using
engine_for = _KERNEL.engine_for
fits_without_work = _KERNEL.fits_without_work
times_freed = _KERNEL.times_freed
wait_for_room = _KERNEL.wait_for_room
