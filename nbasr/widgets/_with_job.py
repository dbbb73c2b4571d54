"""The part of a transcript's panel that shows a job's text as it comes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nbasr.errors import OptionError
from nbasr.transcript import Transcript
from nbasr.widgets._autosave import Keeper
from nbasr.widgets._panel import problem_of
from nbasr.widgets._reading import Reading, Step
from nbasr.widgets._with_transcript import WithTranscript

if TYPE_CHECKING:
    from nbasr.pipeline.jobs import Job


@dataclasses.dataclass(frozen=True)
class _Before:
    """What the panel held before it followed a job."""

    reading: Reading
    keeper: Keeper
    taken_up: dict[str, Any] | None


class WithJob(WithTranscript):
    """A panel that can follow a job: its text cannot be corrected until the job has ended."""

    def __init__(self, *given: Any, **named: Any) -> None:
        self._job: Job | None = None
        self._unfollow: Callable[[], None] = _nothing
        self._before: _Before | None = None
        self._shown: Transcript | None = None  # of the job, what came last
        super().__init__(*given, **named)

    def follow(self, job: Job) -> None:
        """Show a job's text as it comes; when the job has ended it is this panel's transcript.

        Until then it cannot be corrected. If the job ends with nothing heard, what was here before
        comes back. Corrections of it are kept in any case.

        Parameters
        ----------
        job
            What `nbasr.submit` returned, of this panel's recording.

        Raises
        ------
        OptionError
            If it is no job, or of another recording.
        """
        work = getattr(job, "work", None)
        if work is None:
            raise OptionError(
                f"follow takes a job, as nbasr.submit returns it, not {type(job).__name__}."
            )
        if self.recording not in work.recordings:
            raise OptionError(f"That job does not transcribe {self.recording.name}.")
        self._unfollow()
        with self._changing():
            if self._job is None:
                self._before = _Before(self._reading, self._keeper, self._taken_up)
            self._keeper.flush()
            self._job, self._shown, self._taken_up = job, None, None
            self._job_data = _told(job)
            nothing = dataclasses.replace(
                self._placed(Transcript(())), model=job.work.spec.name, complete=False
            )
            self._take(*self._reading.grown(nothing), keep=False, more=self._facts_of(nothing))
        self._unfollow = job.observe(self._job_changed)
        self._job_changed(job)  # what it has by now

    def close(self) -> None:
        """Take the panel away; a job that it follows goes on."""
        self.__dict__.get("_unfollow", _nothing)()
        super().close()

    def _job_changed(self, job: Job) -> None:
        """Take over what a job has done; in its thread."""
        with self._changing():
            if self._job is not job:  # another one is followed, or this one's end was told
                return
            over = job.is_done
            partial = self._own_part(job)
            if over:
                self._job, self._job_data = None, None
                self._end(partial)
                self._unfollow()
                self._unfollow = _nothing
            else:
                self._job_data = _told(job)
                if partial is not self._shown:
                    self._shown = partial
                    heard = self._placed(partial)
                    self._take(*self._reading.grown(heard), keep=False)
            self.tell("job", _told(job))
            if over and job.error is not None:
                self._notices = [str(problem_of(job.error)["error"])]

    def _end(self, heard: Transcript) -> None:
        """Make what a job has heard the panel's transcript, with the corrections of it there are.

        If it heard nothing because it was stopped, or failed, what was here before comes back.
        """
        before, self._before = self._before, None
        if before is not None and not heard.segments and not heard.complete:
            self._keeper, self._taken_up = before.keeper, before.taken_up
            more = self._facts_of(before.reading.transcript)
            self._take(*self._swapped(before.reading), keep=False, more=more)
            return
        grown, step = self._reading.grown(self._placed(heard))
        lines = self._reading.lines
        self._begin(heard)  # with another keeper, and the corrections of the same text
        if not self._reading.past and not self._reading.edits:
            self._reading = grown  # its lines have the numbers that the browser knows
        else:
            step = Step(0, lines, self._reading.lines)
        if heard.segments:  # what took a machine so long outlives the kernel, and is the newest
            self._keeper.changed(self._reading)
        self._take(self._reading, step, keep=False, more=self._facts())

    def _swapped(self, reading: Reading) -> tuple[Reading, Step]:
        """Return another reading, and the step to it."""
        return reading, Step(0, self._reading.lines, reading.lines)

    def _own_part(self, job: Job) -> Transcript:
        """Return what a job has heard of this panel's recording."""
        partial = job.partial
        if isinstance(partial, Transcript):
            return partial
        return partial[job.work.recordings.index(self.recording)]

    def _facts_of(self, transcript: Transcript) -> dict[str, Any]:
        facts = {"name", "model", "language", "duration", "complete"}
        told = {name: getattr(transcript, name) for name in facts}
        return {**told, "notes": list(transcript.notes), "taken_up": self._taken_up}


def _nothing() -> None:
    """Take no observer off: there is none."""


def _told(job: Job) -> dict[str, Any]:
    """Return how far a job is, as JSON knows it."""
    progress = job.progress
    speed = progress.done / progress.elapsed if progress.elapsed > 0 and progress.done else None
    left = (progress.total - progress.done) / speed if speed else None
    return {
        "state": job.state,
        "done": progress.done,
        "total": progress.total,
        "left": left,
        "speed": speed,
        "text": progress.text,
        "error": "" if job.error is None else problem_of(job.error)["error"],
        "model": progress.model,
    }
