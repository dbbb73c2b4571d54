"""`%asr stop`, and the jobs in `%asr status`: what `nbasr.submit` has begun."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nbasr._commands.arguments import Command, Parsed
from nbasr._commands.table import Table
from nbasr.errors import OptionError
from nbasr.pipeline.progress import clock

if TYPE_CHECKING:
    from nbasr.pipeline.jobs import Job


def commands() -> tuple[Command, ...]:
    """Return what these sub-commands take."""
    return (
        Command(
            ("%asr stop [NUMBER]",),
            "Stop the jobs that nbasr.submit and the panels have begun, or the one of a number; "
            "%asr status lists them. What they have transcribed stays in job.partial.",
            (),
            (("%asr stop 3", "the third one"), ("%asr stop", "all of them")),
            other="job",
        ),
    )


def at_work() -> list[Job]:
    """Return the jobs that have not ended."""
    from nbasr.pipeline.jobs import jobs

    return [job for job in jobs() if not job.is_done]


def numbers() -> list[str]:
    """Return the numbers of the jobs that can be stopped, for completion."""
    return [str(job.number) for job in at_work()]


def table() -> Table | None:
    """Return the jobs that have not ended; None if there is none."""
    rows = []
    for job in at_work():
        told = job.progress
        speed = f"{told.speed:.3g} × real time" if told.speed else ""
        left = clock(told.left) if told.left is not None else ""
        done = f"{clock(told.done)} of {clock(told.total)}"
        rows.append((str(job.number), job.name, job.state, done, speed, left, told.model))
    columns = ("number", "recording", "", "done", "speed", "left", "model")
    return Table(columns, tuple(rows), "%asr stop NUMBER stops one.") if rows else None


def stop(parsed: Parsed, names: Mapping[str, Any]) -> str:
    """Stop all jobs, or one."""
    found = at_work()
    if len(parsed.others) > 1:
        raise OptionError("%asr stop takes one number, as in %asr stop 3; without it, all stop.")
    if parsed.others:
        wished = str(parsed.others[0].value(names))
        found = [job for job in found if str(job.number) == wished]
        if not found:
            known = ", ".join(numbers())
            there = f"At work: {known}." if known else "No job is at work."
            raise OptionError(f"There is no job {wished!r} to stop. {there}")
    for job in found:
        job.stop()
    shown = ", ".join(f"{job.number} ({job.name})" for job in found)
    return f"Stopping {shown}." if found else "No job is at work."
