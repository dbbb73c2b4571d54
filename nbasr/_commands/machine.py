"""`%asr status`, `budget` and `clean`: what the memory of this machine is used for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbasr._commands import running
from nbasr._commands.arguments import Command, Parsed
from nbasr._commands.table import Page, Table
from nbasr._units import size
from nbasr.errors import OptionError


def commands() -> tuple[Command, ...]:
    """Return what these sub-commands take."""
    return (
        Command(
            ("%asr status",),
            "Show the devices, the loaded models with their memory by part, the jobs at work, and "
            "who else uses the memory.",
        ),
        Command(
            ("%asr budget [SIZE | none]",),
            "Behave as if the device had so much memory, to see what a smaller card would do; none "
            "takes it back. Without a size, show it.",
            (),
            (("%asr budget 4GB", "as on a card of 4 GB"), ("%asr budget none", "all of it again")),
            other="size",
        ),
        Command(
            ("%asr clean",),
            "Free what a finished or failed cell keeps: the last error's frames, models in Out[], "
            "the reserve of the allocators.",
        ),
    )


def status(_parsed: Parsed, _names: Mapping[str, Any]) -> Page:
    """Show devices, residents and other processes."""
    from nbasr import memory
    from nbasr.models import manager

    readings = memory.devices()
    tables = [("Devices", _devices(readings))]
    rows = []
    for model in manager.resident():
        parts = ", ".join(f"{part} {size(count)}" for part, count in model.parts.items())
        rows.append(
            (model.name, model.spec.precision, model.spec.device, size(model.bytes), parts,
             model.stays)
        )  # fmt: skip
    columns = ("model", "precision", "device", "memory", "of it", "stays")
    none = "No model is loaded; %asr models lists them."
    tables.append(("Models", Table(columns, tuple(rows), "" if rows else none)))
    jobs = running.table()
    if jobs is not None:
        tables.append(("Jobs", jobs))
    others = [
        (
            reading.device,
            str(process.pid),
            process.name,
            size(process.bytes) if process.bytes is not None else "not told",
        )
        for reading in readings
        for process in reading.others
    ]
    if others:
        heads = ("device", "process", "name", "memory")
        tables.append(("Other processes on the device", Table(heads, tuple(others))))
    return Page(tuple(tables))


def _devices(readings: tuple[Any, ...]) -> Table:
    from nbasr.memory.budget import budget

    rows = []
    for one in readings:
        limit = budget(one.device)
        facts = (
            one.device,
            one.name,
            f"{size(one.free_bytes)} of {size(one.total_bytes)}",
            size(one.allocated_bytes) if one.allocated_bytes is not None else "",
            size(one.peak_bytes) if one.peak_bytes is not None else "",
            size(limit) if limit is not None else "",
            f"{one.temperature_c:.0f} °C" if one.temperature_c is not None else "",
            f"{one.load:.0%}" if one.load is not None else "",
        )
        rows.append(facts)
    columns = ("device", "", "free", "this kernel", "peak", "budget", "temperature", "busy")
    used = [n for n in range(len(columns)) if any(row[n] for row in rows)]
    return Table(
        tuple(columns[n] for n in used), tuple(tuple(row[n] for n in used) for row in rows)
    )


def set_budget(parsed: Parsed, names: Mapping[str, Any]) -> Any:
    """Set, lift or show the budget."""
    from nbasr import memory
    from nbasr.memory.budget import budget

    if len(parsed.others) > 2:
        raise OptionError("%asr budget takes one size, as in %asr budget 4GB.")
    word = "".join(str(word.value(names)) for word in parsed.others)  # "4 GB" is one size
    if word.lower() in ("none", "off"):
        memory.set_budget(None)
        return "No budget: models may use all of the memory."
    if word:
        return memory.set_budget(word)
    limits = [
        f"{one.device}: {size(limit)}"
        for one in memory.devices()
        if (limit := budget(one.device)) is not None
    ]
    return "; ".join(limits) if limits else "No budget: models may use all of the memory."


def clean(_parsed: Parsed, _names: Mapping[str, Any]) -> Any:
    """Free what finished cells keep."""
    from nbasr import memory

    return memory.clean()
