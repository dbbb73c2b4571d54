"""A job in a cell: one output that is rewritten while it runs, and keeps its last state."""

from __future__ import annotations

import html
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from nbasr.pipeline.progress import in_notebook

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbasr.pipeline.job import Job

INTERVAL = 0.5
"""Least seconds between two updates of what is shown."""


class JobView:
    """Where a job is shown."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._handles: list[Any] = []
        self._off: Callable[[], None] | None = None
        self._last = float("-inf")

    def show(self, job: Job) -> None:
        """Show it in the cell that runs, and keep that up to date."""
        if not in_notebook():
            sys.stdout.write(f"{job}\n")
            return
        from IPython.display import display

        with self._lock:
            handle = display(bundle(job), raw=True, display_id=True)  # type: ignore[no-untyped-call]
            if not job.is_done:
                self._handles.append(handle)
                self._off = self._off or job.observe(self._renew)
        if job.is_done:  # meanwhile
            self._renew(job)

    def _renew(self, job: Job) -> None:
        now = time.monotonic()
        with self._lock:
            if not job.is_done and now - self._last < INTERVAL:
                return
            self._last = now
            shown = bundle(job)
            for handle in self._handles:
                handle.update(shown, raw=True)
            if job.is_done:
                self._handles.clear()


def bundle(job: Job) -> dict[str, str]:
    """Return what a cell shows of a job."""
    progress = job.progress
    told, drawn = str(job), progress._repr_html_()
    hint = (
        "result() gives the transcript" if job.is_done else "stop() ends it, result() waits for it"
    )
    if job.error is not None:
        why = f"{type(job.error).__name__}: {job.error}"
        told += f"\n{why}"
        drawn += f"<div>{html.escape(why)}</div>"
    else:
        drawn += f'<div style="color:var(--jp-ui-font-color2,#777)">job {job.number}: {hint}</div>'
    return {"text/plain": told, "text/html": drawn}
