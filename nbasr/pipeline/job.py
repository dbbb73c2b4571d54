"""A job: a transcription in a thread of its own, which can be looked at, awaited and stopped."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from nbasr._units import size
from nbasr.engines import stopping
from nbasr.engines._load import let_go
from nbasr.memory.marks import mark
from nbasr.models.fetching import Fetching, FetchStoppedError, told
from nbasr.pipeline._job_view import JobView
from nbasr.pipeline._observers import Observers
from nbasr.pipeline.heard import Heard
from nbasr.pipeline.perform import perform
from nbasr.pipeline.progress import Progress, Throttle
from nbasr.pipeline.work import Work
from nbasr.transcript.transcript import Transcript
from nbasr.transcript.transcripts import Transcripts

OVER = ("finished", "stopped", "failed")
"""States of a job that has ended."""

_numbers = itertools.count(1)


class Job:
    """A transcription in a thread of its own, as `submit` returns it.

    In a cell it shows how far it is, as long as it runs. All of it may be used from any thread.

    Parameters
    ----------
    work
        What to do.
    ended
        Called when it has ended, before those that wait for it hear of it.

    Attributes
    ----------
    number : int
        Counts the jobs of this kernel, from 1.
    work : Work
        What it does: recordings, chunks, model.
    """

    def __init__(self, work: Work, ended: Callable[[], None] = lambda: None) -> None:
        self.work = work
        self.number = next(_numbers)
        self._ended = ended
        self._heard = Heard(work)
        self._stop = threading.Event()
        self._over = threading.Event()
        self._observers: Observers[Job] = Observers(work.name)
        self._changed = Throttle(lambda _: self._observers.call(self))
        self._state = "waiting"
        self._progress = Progress(
            work.name, 0.0, work.seconds, 0.0, state="waiting", model=work.spec.name
        )
        self._result: Transcripts | None = None
        self._error: Exception | None = None
        self._fetching = Fetching(self._fetched)
        self._view = JobView()
        self._thread = threading.Thread(
            target=self._run, name=f"nbasr job {self.number}", daemon=True
        )

    @property
    def name(self) -> str:
        """The recording's name, or how many there are."""
        return self.work.name

    @property
    def state(self) -> str:
        """Where it is.

        ``"waiting"`` (for others at work, beside which its model does not fit), ``"loading"``,
        ``"running"``; then ``"finished"``, ``"stopped"`` or ``"failed"``.
        """
        return self._state

    @property
    def is_done(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self._over.is_set()

    @property
    def progress(self) -> Progress:
        """How far it is."""
        return self._progress

    @property
    def partial(self) -> Transcript | Transcripts:
        """What is transcribed so far; a list where one was given.

        ``complete`` is False where something is to come. The same object, if nothing has come since
        it was asked for last.
        """
        found = self._result
        if found is None:
            found = self._heard.transcripts(ended=self.is_done)
        return self._as_given(found)

    @property
    def error(self) -> Exception | None:
        """What it failed of; None if it did not."""
        return self._error

    def stop(self) -> None:
        """Let it end; what is transcribed so far stays its result. Does not wait until it has."""
        self._stop.set()
        if self._state == "loading":
            self._fetching.stop()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it has ended.

        Parameters
        ----------
        timeout
            Seconds after which not to wait longer; None: as long as it takes.

        Returns
        -------
        bool
            Whether it has ended.

        Raises
        ------
        RuntimeError
            In what observes it, before its end: it would wait for itself.
        """
        if threading.current_thread() is self._thread and not self.is_done:
            raise RuntimeError(
                f"{self.name} cannot be waited for by what observes it; look at job.is_done."
            )
        until = None if timeout is None else time.monotonic() + timeout
        while not self._over.is_set():
            left = stopping.STEP if until is None else until - time.monotonic()
            if left <= 0:
                return False
            self._over.wait(min(left, stopping.STEP))  # for ever, Windows would hear no interrupt
            stopping.check()
        return True

    def result(self, timeout: float | None = None) -> Transcript | Transcripts:
        """Wait for it and return what was transcribed.

        Interrupting the kernel while it waits stops the job, and returns what is finished.

        Parameters
        ----------
        timeout
            Seconds after which not to wait longer; None: as long as it takes.

        Returns
        -------
        Transcript or list of Transcript
            As `nbasr.transcribe`. If it was stopped: what was finished until then, if only an empty
            transcript, with ``complete`` False and a note.

        Raises
        ------
        TimeoutError
            If it has not ended by then; it goes on.
        Exception
            What the job failed of, as `nbasr.transcribe` raises it: its attribute ``partial`` holds
            what was finished.
        """
        try:
            over = self.wait(timeout)
        except KeyboardInterrupt:
            self.stop()
            over = self.wait()  # interrupted again, it is not waited for
        if not over:
            raise TimeoutError(f"{self.name} is not transcribed after {timeout:g} s; it goes on.")
        if self._error is not None:
            raise self._error
        return self.partial

    def observe(self, callback: Callable[[Job], object]) -> Callable[[], None]:
        """Have a function called with this job after each change of it, in the job's thread.

        It is called up to ten times a second while it runs, and when the state changes. What it
        raises does the job no harm; it is warned of once.

        Parameters
        ----------
        callback
            Should be quick.

        Returns
        -------
        function
            Takes it off again.
        """
        return self._observers.add(callback)

    def __repr__(self) -> str:
        return f"<Job {self.number}: {self.progress}>"

    def _ipython_display_(self, **_: Any) -> None:
        """Show it in the cell, until it has ended."""
        self._view.show(self)

    def _as_given(self, found: Transcripts) -> Transcript | Transcripts:
        return found if self.work.many else found[0]

    def _run(self) -> None:
        """Do the work, in the job's own thread."""
        state = "finished"
        result: Transcripts | None = None
        failure: Exception | None = None
        mark("job", self.name)
        try:
            with stopping.on(self._stop), told(self._fetching):
                stopping.check()
                result = perform(self.work, self._tell, self._heard, patient=True)
            if self._progress.state == "interrupted":
                state, result = "stopped", Transcripts(map(_as_stopped, result))
        except (KeyboardInterrupt, FetchStoppedError):
            state, result = "stopped", self._heard.transcripts()
        except BaseException as error:  # of whatever kind: who waits has to hear of the end
            state, failure = "failed", error if isinstance(error, Exception) else _as_error(error)
            let_go(error)  # or it would keep the tensors of the batch
        mark("ended", self.name)
        self._end(state, result, failure)

    def _end(self, state: str, result: Transcripts | None, failure: Exception | None) -> None:
        last = {"stopped": "interrupted"}.get(state, state)
        self._result, self._error, self._state = result, failure, state
        self._progress = replace(self._progress, state=last)
        self._ended()
        self._over.set()
        self._changed(self._progress)
        self._observers.clear()  # what they hold is not the job's to keep

    def _tell(self, progress: Progress) -> None:
        """Take the progress of the work."""
        self._progress = progress
        if progress.state in ("waiting", "loading", "running"):
            self._heard.touch_words()
            self._state = progress.state
            self._changed(progress)
        # What comes after the end of recognition is told by `_end`, or by the aligner.

    def _fetched(self, done: int, total: int) -> None:
        """Take the progress of a download."""
        self._progress = replace(self._progress, text=f"{size(done)} of {size(total)} fetched")
        self._changed(self._progress)


def _as_stopped(transcript: Transcript) -> Transcript:
    """Return a transcript of a stopped job: one whose words have no times is not complete."""
    interrupted = any(note.startswith("interrupted") for note in transcript.notes)
    return replace(transcript, complete=transcript.complete and not interrupted)


def _as_error(ended_by: BaseException) -> RuntimeError:
    """Return as an error what would end the cell, or Python, that asks for the result."""
    return RuntimeError(f"The job was ended by {type(ended_by).__name__}: {ended_by}")
