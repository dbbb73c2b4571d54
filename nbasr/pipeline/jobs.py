"""`submit` and `jobs`: transcribing while the notebook goes on, and what goes on so."""

from __future__ import annotations

import atexit
import os
import threading
from typing import Any

from nbasr.errors import OptionError
from nbasr.pipeline.job import OVER, Job
from nbasr.pipeline.transcribe import plan

__all__ = ["KEPT", "OVER", "Job", "jobs", "submit"]

KEPT = 5
"""Jobs that have ended, of which `jobs` still tells."""


def submit(source: Any, **options: Any) -> Job:
    """Transcribe in the background: as `nbasr.transcribe`, but the notebook goes on meanwhile.

    Whatever works on the same device takes turns, chunk by chunk: a short recording need not wait
    for the end of a long one. A model that does not fit beside those at work waits for their end.

    Parameters
    ----------
    source, **options
        As for `nbasr.transcribe`, all but ``progress``: the job shows it in its cell, and tells it
        to whoever observes it.

    Returns
    -------
    Job
        ``.partial`` is what is transcribed so far, ``.stop()`` ends it, ``.result()`` waits for it.

    Raises
    ------
    AudioError, ModelError, OptionError
        As `nbasr.plan`; whatever goes wrong later is raised by ``.result()``.

    Examples
    --------
    >>> job = nbasr.submit("meeting.m4a", model="whisper-small")  # doctest: +SKIP
    >>> job.partial.text                                          # doctest: +SKIP
    >>> job.result().save("meeting.srt")                          # doctest: +SKIP
    """
    if "progress" in options:
        raise OptionError(
            "submit takes no progress: the job shows it in its cell; for a function of your own "
            "take job.observe(function)."
        )
    job = Job(plan(source, **options), _prune)
    with _lock:
        _jobs[job.number] = job
    job._thread.start()
    return job


def jobs() -> tuple[Job, ...]:
    """Return the jobs that wait or run, and the last few that have ended, the oldest first."""
    with _lock:
        return tuple(_jobs.values())


_lock = threading.Lock()
_jobs: dict[int, Job] = {}


def _prune() -> None:
    """Forget the jobs that ended long ago; whoever holds one keeps it."""
    with _lock:
        over = [number for number, job in _jobs.items() if job.state in OVER]
        for number in over[:-KEPT]:
            del _jobs[number]


def _begin_anew() -> None:
    """Forget the jobs in a forked process, which has none of their threads."""
    global _lock
    _lock = threading.Lock()
    _jobs.clear()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_begin_anew)


@atexit.register
def _stop_all() -> None:
    """Let every job end before Python does: a thread that it kills in torch aborts the process."""
    for job in jobs():
        job.stop()
    for job in jobs():
        job.wait(5.0)
