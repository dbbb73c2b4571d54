"""Making room for a model: which of the loaded ones go, and the refusal if none of them helps."""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, Any

from nbasr._units import size
from nbasr.engines.base import EngineSpec, open_engine
from nbasr.engines.stopping import held
from nbasr.errors import ModelWarning, OutOfMemoryError
from nbasr.memory.budget import room_bytes
from nbasr.models import estimating
from nbasr.models.choosing import ALIGNER

if TYPE_CHECKING:
    from nbasr.models._residents import Residents, Slot

_INSIDE = ("nbasr.", "contextlib")


def opened(spec: EngineSpec, residents: Residents) -> Any:
    """Load the model of a spec from this machine, making room for it.

    Raises
    ------
    ModelError
        If it cannot be loaded.
    OutOfMemoryError
        If it does not fit.
    """
    while go := in_the_way(spec, residents):
        _evict(go, spec, residents)
    while True:
        try:
            return _open(spec)
        except OutOfMemoryError:  # it took more than was foreseen
            if not _idle(spec.device, residents):
                raise
        # The error is gone here, and with it the frames that held half a model.
        _evict(_idle(spec.device, residents)[:1], spec, residents)


def in_the_way(spec: EngineSpec, residents: Residents) -> list[Slot]:
    """Return what must go so that a model fits: as few as possible, the longest unused first.

    Raises
    ------
    OutOfMemoryError
        If it does not fit even without all that may go.
    """
    with held(residents.leaving):
        room = room_bytes(spec.device)
        idle = _idle(spec.device, residents)
    for count in range(len(idle)):
        try:
            estimating.must_fit(spec, room=room + sum(slot.bytes for slot in idle[:count]))
        except OutOfMemoryError:
            continue
        return idle[:count]
    try:
        estimating.must_fit(spec, room=room + sum(slot.bytes for slot in idle))
    except OutOfMemoryError as error:
        stay = [slot for slot in _on(spec.device, residents) if not slot.may_go]
        if not stay:
            raise
        told = ", ".join(f"{slot.spec.name} ({_reason(slot)})" for slot in stay)
        raise OutOfMemoryError(f"{error} Of the loaded models, {told} cannot go.") from None
    return idle


def fits_without_work(spec: EngineSpec, residents: Residents) -> bool:
    """Tell whether a model would fit if those at work were done, and went."""
    with held(residents.leaving):
        room = room_bytes(spec.device)
        others = [slot for slot in _on(spec.device, residents) if not slot.pinned]
    try:
        estimating.must_fit(spec, room=room + sum(slot.bytes for slot in others))
    except OutOfMemoryError:
        return False
    return True


def _on(device: str, residents: Residents) -> list[Slot]:
    """Return the models that hold memory of a device, the last used first."""
    return [slot for slot in residents.all() if slot.bytes and slot.spec.device == device]


def _idle(device: str, residents: Residents) -> list[Slot]:
    """Return what may be unloaded to make room on a device, the longest unused first."""
    return [slot for slot in reversed(_on(device, residents)) if slot.may_go]


def _reason(slot: Slot) -> str:
    """Tell why a model may not go."""
    return f"{size(slot.bytes)}, {'pinned' if slot.pinned else 'at work'}"


def _evict(slots: list[Slot], spec: EngineSpec, residents: Residents) -> None:
    """Unload models, as far as nobody has begun to use them, and tell it."""
    held = {slot.spec.name: slot.bytes for slot in slots}
    report = residents.drop(slots, unasked=True)
    if report.names:
        names = " and ".join(f"{name} ({size(held[name])})" for name in report.names)
        warnings.warn(
            f"Unloaded {names} to make room for {spec.name}; what is loaded with pin=True stays.",
            ModelWarning,
            stacklevel=_outside(),
        )


def _outside() -> int:
    """Return the level of the line that called nbasr, for a warning of the function that asks."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(_INSIDE):
        level, frame = level + 1, frame.f_back
    return level


def _open(spec: EngineSpec) -> Any:
    if spec.engine != ALIGNER:
        return open_engine(spec)
    from nbasr.engines.aligner import Aligner

    return Aligner(spec)
