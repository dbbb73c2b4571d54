"""How things are, as the model panel tells its browser: memory, loaded models, jobs, a load."""

from __future__ import annotations

from functools import cache
from typing import Any

from nbasr import memory
from nbasr.memory import spots
from nbasr.memory.budget import room_bytes
from nbasr.memory.spots import PARTS, Spot
from nbasr.memory.timeline import KERNEL
from nbasr.models import manager
from nbasr.widgets import _model_reports, _model_rows
from nbasr.widgets._model_loading import Load

State = dict[str, Any]

_MARKS = 50  # of what happened last; the browser asks for the rest when it begins


def where(device: str) -> str:
    """Return the device whose memory is meant: the best one for ``""``, the first of a kind."""
    seen = KERNEL.devices or spots.devices()
    if not device:
        return seen[0]
    return next((one for one in seen if device in (one, one.split(":")[0])), device)


def state(device: str, load: Load | None, weighed: dict[str, dict[str, int]]) -> State:
    """Return how things are.

    Parameters
    ----------
    device
        Whose memory is shown.
    load
        The load that is going on, or the last one.
    weighed
        What `_model_rows.loaded_rows` remembers.
    """
    spots.settle()
    if not KERNEL.devices:
        KERNEL.look()
    return {
        "devices": [_device(one) for one in KERNEL.devices],
        "where": where(device),
        "loaded": _model_rows.loaded_rows(tuple(manager.resident()), weighed),
        "jobs": _model_reports.jobs(),
        "load": load.as_dict() if load is not None else None,
        "marks": marks()[-_MARKS:],
    }


def marks() -> list[list[Any]]:
    """Return what happened: when, what, to what."""
    return [[one.at, one.kind, one.text] for one in KERNEL.marks]


def numbers(spot: Spot) -> list[float]:
    """Return a moment as a row: when, the parts, what is free, the budget (-1: none)."""
    limit = -1 if spot.budget_bytes is None else spot.budget_bytes
    parts = (getattr(spot, f"{part}_bytes") for part in PARTS)
    return [spot.at, *(float(count) for count in parts), float(spot.free_bytes), float(limit)]


def differs(before: State, now: State) -> bool:
    """Tell whether more than noise lies between two states."""
    if any(before[name] != now[name] for name in ("loaded", "jobs", "where", "marks")):
        return True
    if len(before["devices"]) != len(now["devices"]):
        return True
    for old, new in zip(before["devices"], now["devices"], strict=True):
        noise = max(10_000_000, new["total"] / 1000)
        pairs = zip(old["spot"][1:], new["spot"][1:], strict=True)
        if any(abs(a - b) > noise for a, b in pairs):
            return True
    return False


def _device(device: str) -> State:
    spot = KERNEL.spots(device)[-1]
    return {
        "device": device,
        "name": _name(device),
        "room": room_bytes(device),
        "spot": numbers(spot),
        "total": spot.total_bytes,
    }


@cache
def _name(device: str) -> str:
    """Return what a device calls itself."""
    found = memory.devices() if device != "cpu" else (memory.read(device),)
    return next((one.name for one in found if one.device == device), "")
