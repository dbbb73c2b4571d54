"""A job as the workbench shows it: how far it is, what it heard last, what went wrong."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

from nbasr.errors import NbasrError

if TYPE_CHECKING:
    from nbasr.pipeline.jobs import Job

_LAST_WORDS = 160  # letters


def as_dict(job: Job | None) -> dict[str, Any] | None:
    """Return the state of a job as JSON knows it."""
    if job is None:
        return None
    progress, error = job.progress, job.error
    text = " ".join(progress.text.split())
    return {
        "state": job.state,
        "done": progress.done,
        "total": progress.total,
        "elapsed": progress.elapsed,
        "speed": progress.speed,
        "left": progress.left,
        "text": text if len(text) <= _LAST_WORDS else f"… {text[-_LAST_WORDS:].split(' ', 1)[-1]}",
        "model": progress.model,
        **_problem(error),
    }


def _problem(error: BaseException | None) -> dict[str, str]:
    if error is None:
        return {"error": "", "kind": "", "trace": ""}
    kind = type(error).__name__
    if isinstance(error, NbasrError):
        return {"error": str(error), "kind": kind, "trace": ""}
    trace = "".join(traceback.format_exception(error))
    return {"error": f"{kind}: {error}", "kind": kind, "trace": trace}
