"""Memory: what there is, what may be taken of it, who holds it, and how it is given back."""

from nbasr.memory.budget import (
    Budget,
    check,
    held_bytes,
    hold,
    let_go,
    room_bytes,
    set_budget,
)
from nbasr.memory.holders import Holder, Watch
from nbasr.memory.readings import (
    CONTEXT_BYTES,
    DeviceReading,
    ProcessReading,
    devices,
    free_bytes,
    peak_bytes,
    process_bytes,
    read,
    reset_peak,
    used_bytes,
)
from nbasr.memory.release import Memory, ReleaseReport, clean, collect, memory, residue_bytes
from nbasr.memory.timeline import Timeline, timeline

__all__ = [
    "CONTEXT_BYTES",
    "Budget",
    "DeviceReading",
    "Holder",
    "Memory",
    "ProcessReading",
    "ReleaseReport",
    "Timeline",
    "Watch",
    "check",
    "clean",
    "collect",
    "devices",
    "free_bytes",
    "held_bytes",
    "hold",
    "let_go",
    "memory",
    "peak_bytes",
    "process_bytes",
    "read",
    "reset_peak",
    "residue_bytes",
    "room_bytes",
    "set_budget",
    "timeline",
    "used_bytes",
]
