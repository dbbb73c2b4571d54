"""What an unload or a clean gave back, and what is at work, as values for the model panel."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from nbasr.pipeline import jobs as pipeline_jobs
from nbasr.widgets._texts import say

if TYPE_CHECKING:
    from nbasr.memory import ReleaseReport

_WHERES = (
    (re.compile(r"variable `(.+)`"), "models.holder_variable"),
    (re.compile(r"the traceback of the last error()"), "models.holder_error"),
    (re.compile(r"the traceback of the interrupt()"), "models.holder_interrupt"),
    (re.compile(r"the debugger of the last error()"), "models.holder_debugger"),
)


def report(given: ReleaseReport, language: str = "") -> dict[str, Any]:
    """Return a report as values; who holds what is told in the language."""
    return {
        "names": list(given.names),
        "before": given.before.resident_bytes,
        "after": given.after.resident_bytes,
        "cuda_before": given.before.cuda_bytes,
        "cuda_after": given.after.cuda_bytes,
        "residue": given.expected_residue_bytes,
        "model_bytes": given.model_bytes,
        "held_bytes": given.held_bytes,
        "cleaned": not given.names and bool(given.cleared),
        "holders": [
            {"where": _where(holder.where, language), "frees": holder.frees}
            for holder in given.holders
        ],
    }


def _where(where: str, language: str) -> str:
    for pattern, key in _WHERES:
        found = pattern.fullmatch(where)
        if found is not None:
            return say(key, language, name=found[1])
    return where  # such as Out[3]


def jobs() -> list[dict[str, Any]]:
    """Return the jobs that wait or run."""
    found = []
    for job in pipeline_jobs.jobs():
        if job.is_done:
            continue
        progress = job.progress
        found.append(
            {
                "number": job.number,
                "name": job.name,
                "state": job.state,
                "model": job.work.spec.name,
                "done": round(progress.done),
                "total": round(progress.total),
            }
        )
    return found
