"""What is loaded: who uses it, how long it stays, and how it goes."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbasr import settings
from nbasr.engines.base import EngineSpec
from nbasr.engines.quantization import Quantization
from nbasr.memory import modules, release
from nbasr.memory.budget import hold, let_go
from nbasr.memory.holders import Watch, holders
from nbasr.models import _needs, keeping
from nbasr.models.keeping import FOREVER

if TYPE_CHECKING:
    from nbasr.engines.aligner import Aligner
    from nbasr.engines.base import Engine
    from nbasr.memory.release import ReleaseReport

Identity = tuple[str, str, str, str, Quantization | None, bool]


def identity(spec: EngineSpec) -> Identity:
    """Return what makes two specs the same loaded model: not how much is fed to it."""
    return (
        spec.engine,
        spec.source,
        spec.dtype,
        spec.device,
        spec.quantization,
        spec.offload,
    )


@dataclass(eq=False)
class Slot:
    """The place of a loaded model.

    Parameters
    ----------
    spec, engine
        What was loaded.
    used
        When its last work began or ended, in seconds of the clock.
    turn
        The same as a count of all works, since a clock may stand still between two.
    bytes
        What its weights hold of its device, as counted after loading.
    users
        How many jobs are at work with it.
    asked_for
        Whether a person named it, rather than nbasr having fallen back to it.
    worked
        Whether any work was done since it was loaded.
    pinned
        Whether neither time nor need unloads it.
    keep_alive
        Minutes that it stays unused; None: as the settings say.
    """

    spec: EngineSpec
    engine: Engine | Aligner
    used: float = 0.0
    turn: int = 0
    bytes: int = 0
    users: int = 1
    asked_for: bool = False
    worked: bool = False
    pinned: bool = False
    keep_alive: float | None = None

    def parts(self) -> dict[str, int]:
        """Return the bytes that each part holds now; of an engine without a module, as is known."""
        module = self.engine.module
        return _needs.weights(self.spec) if module is None else modules.bytes_of(module)

    def device_bytes(self) -> int:
        """Return what it holds of its device: with ``offload``, the rest lies in main memory."""
        module = self.engine.module
        parts = self.parts() if module is None else modules.bytes_of(module, self.spec.device)
        return sum(parts.values())

    @property
    def may_go(self) -> bool:
        """Whether it may be unloaded without being told."""
        return not self.users and not self.pinned

    @property
    def minutes(self) -> float:
        """Minutes that it stays unused, or `FOREVER`."""
        if self.keep_alive is not None:
            return self.keep_alive
        return float(settings.current().keep_alive)

    @property
    def until(self) -> float | None:
        """When it is to be unloaded, in seconds of the clock; None: not by time."""
        if not self.may_go or self.minutes <= FOREVER:
            return None
        if self.minutes == 0 and not self.worked:  # it was loaded for some work, which is to come
            return None
        return self.used + self.minutes * 60


class Residents:
    """The slots of loaded models. All of it may be called from any thread.

    Parameters
    ----------
    clock
        Returns the time in seconds, by which models grow old.

    Attributes
    ----------
    leaving
        Lock, held while models go: who counts what is free waits until they have gone.
    freed
        How many times a model has come to the end of some work, or has gone.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.leaving = threading.RLock()
        self.freed = 0
        self._clock = clock
        self._lock = threading.Lock()  # of the slots and what is in them; never held for long
        self._slots: dict[Identity, Slot] = {}
        self._turns = itertools.count()
        self._alarm = keeping.Alarm(self.expire, clock)
        self._observed: object = None

    def all(self) -> list[Slot]:
        """Return what is loaded, the last used first."""
        with self._lock:
            return sorted(self._slots.values(), key=lambda slot: -slot.turn)

    def get(self, spec: EngineSpec) -> Slot | None:
        """Return the place of a model; None if it is not loaded."""
        with self._lock:
            return self._slots.get(identity(spec))

    def add(self, spec: EngineSpec, engine: Engine | Aligner) -> Slot:
        """Keep a model that was just loaded, at work for who asked for it."""
        slot = Slot(spec, engine)
        self._use(slot)
        slot.bytes = slot.device_bytes()
        hold(slot, slot.bytes, spec.device, spec.name)
        with self._lock:
            self._slots[identity(spec)] = slot
        return slot

    def take(self, spec: EngineSpec) -> Slot | None:
        """Take a model to work, during which it is not unloaded unasked; None if it is not here."""
        with self._lock:
            slot = self._slots.get(identity(spec))
            if slot is not None:
                slot.users += 1
                self._use(slot)
            return slot

    def give_back(self, slot: Slot) -> None:
        """End the work for which a model was taken, or had been loaded."""
        with self._lock:
            slot.users -= 1
            self.freed += 1
            self._use(slot)
        self.expire()

    def touch(self, slot: Slot) -> None:
        """Count a model as used now."""
        with self._lock:
            self._use(slot)

    def mark(self, slot: Slot, *, asked_for: bool = False, worked: bool | None = None) -> None:
        """Note that a model was named by a person, or that it is put to work or waits for it."""
        with self._lock:
            slot.asked_for |= asked_for
            slot.worked = slot.worked if worked is None else worked

    def pin(self, slot: Slot, pinned: bool) -> None:
        """Pin a model, or unpin it."""
        with self._lock:
            slot.pinned = pinned
        self.expire()

    def keep_alive(self, slot: Slot, minutes: float | None) -> None:
        """Set how many minutes a model stays unused; None: as the settings say."""
        with self._lock:
            slot.keep_alive = minutes
        self.expire()

    def left(self, slot: Slot) -> float | None:
        """Return the minutes that a model still stays if nobody uses it; None: not by time."""
        until = slot.until
        return None if until is None else max(0.0, until - self._clock()) / 60

    def expire(self) -> None:
        """Unload what was not used for too long, and set the alarm for the next."""
        self._observe()
        with self._lock:
            due = [slot for slot in self._slots.values() if self._is_due(slot)]
        if due:
            self.drop(due, unasked=True)
        with self._lock:
            times = (slot.until for slot in self._slots.values())
            self._alarm.set(min((at for at in times if at is not None), default=None))

    def drop(self, slots: Sequence[Slot], *, unasked: bool = False) -> ReleaseReport:
        """Unload models.

        Parameters
        ----------
        slots
            Which; those that went meanwhile are passed over.
        unasked
            Whether no person told so: then those that are at work or pinned by now stay, and nobody
            looks for who holds them.
        """
        with self.leaving:
            gone = self._removed(slots, unasked)
            before = release.memory()
            watches = [] if unasked else [Watch(slot.engine.module) for slot in gone]
            held = sum(sum(slot.parts().values()) for slot in gone)
            try:
                with contextlib.ExitStack() as closing:  # one that fails keeps none of the others
                    for slot in gone:
                        closing.callback(slot.engine.close)
            finally:
                for slot in gone:
                    let_go(slot)
                if gone:
                    release.collect()
            return release.ReleaseReport(
                _told_apart([slot.spec for slot in gone]),
                before,
                release.memory(),
                release.residue_bytes(),
                holders(watches),
                held,
                sum(watch.held_bytes for watch in watches),
            )

    def _removed(self, slots: Sequence[Slot], unasked: bool) -> list[Slot]:
        """Take slots out, so that nobody gets them any more; return those that were still in."""
        gone = []
        with self._lock:
            for slot in slots:
                key = identity(slot.spec)
                if self._slots.get(key) is slot and (slot.may_go or not unasked):
                    del self._slots[key]
                    self.freed += 1
                    gone.append(slot)
        return gone

    def _use(self, slot: Slot) -> None:
        slot.used, slot.turn = self._clock(), next(self._turns)

    def _is_due(self, slot: Slot) -> bool:
        return slot.until is not None and slot.until <= self._clock()

    def _observe(self) -> None:
        """Hear of a change of the settings, which may be due at once."""
        current = settings.current()
        if self._observed is not current:
            self._observed = current
            current.observe(lambda _: self.expire(), "keep_alive")


def _told_apart(specs: Sequence[EngineSpec]) -> tuple[str, ...]:
    """Return the names of models, with the precision where one name stands for several."""
    names = [spec.name for spec in specs]
    return tuple(
        f"{spec.name} ({spec.precision})" if names.count(spec.name) > 1 else spec.name
        for spec in specs
    )
