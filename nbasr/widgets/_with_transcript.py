"""The part of a panel that holds a transcript: its lines, what is done to them, and its history."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Iterator
from typing import Any

import traitlets

from nbasr.audio.recording import Recording
from nbasr.errors import OptionError
from nbasr.transcript import Transcript
from nbasr.transcript.render import as_html
from nbasr.widgets import _reading_data
from nbasr.widgets._autosave import Keeper, Saved
from nbasr.widgets._panel import Answer, Kind, problem_of
from nbasr.widgets._reading import Reading, Step
from nbasr.widgets._texts import say
from nbasr.widgets.waveform import WaveformPanel


class WithTranscript(WaveformPanel):
    """A panel on a recording and what was said in it.

    Every change of the lines raises ``version`` by one. The browser asks for all of them once, and
    is then told what changed: which lines went, and which came in their place.
    """

    transcript = Kind(Transcript, args=((),))
    selected = traitlets.Any(None).tag(sync=True)

    _still_of = ("transcript",)

    def __init__(self, recording: Recording, transcript: Transcript, **given: Any) -> None:
        self._guard = threading.RLock()  # of what changes: messages come in threads of their own
        self._version = 0
        self._own = threading.local()  # what a thread sets the trait to for us
        self._job_data: dict[str, Any] | None = None
        self._taken_up: dict[str, Any] | None = None
        self._notices: list[str] = []
        super().__init__(recording, **given)
        self._begin(transcript)
        self._publish()

    # -- For Python -------------------------------------------------------------------------------

    @property
    def machine(self) -> Transcript:
        """What the machine heard, without corrections."""
        with self._guard:
            return self._reading.machine.transcript

    @property
    def edits(self) -> int:
        """How many lines are not as the machine gave them."""
        with self._guard:
            return self._reading.edits

    @property
    def saved(self) -> dict[str, Any]:
        """How things are with the corrections: ``state``, ``at`` (s since 1970), ``problem``."""
        with self._guard:
            return self._keeper.saved.as_dict()

    def undo(self) -> None:
        """Take the last correction back.

        Raises
        ------
        OptionError
            If there is none, or a job writes.
        """
        with self._changing():
            self._must_be_editable()
            self._take(*self._reading.undone())

    def redo(self) -> None:
        """Make a correction again that was taken back.

        Raises
        ------
        OptionError
            If there is none, or a job writes.
        """
        with self._changing():
            self._must_be_editable()
            self._take(*self._reading.redone())

    def discard(self) -> None:
        """Go back to what the machine heard; that can be undone.

        Raises
        ------
        OptionError
            If a job writes.
        """
        with self._changing():
            self._must_be_editable()
            self._take(*self._reading.stepped(self._original()))

    def close(self) -> None:
        """Take the panel away; corrections that were not written yet are written."""
        keeper = self.__dict__.get("_keeper")
        if keeper is not None:
            keeper.close()
        super().close()

    def still(self) -> str:
        """Return the panel as HTML that needs no kernel: for saved notebooks."""
        edits = self.edits
        told = ""
        if edits:
            key = "draft.still_one" if edits == 1 else "draft.still"
            told = f"<p>{say(key, self._language, n=edits)}</p>"
        return told + as_html(self.transcript)

    # -- The trait --------------------------------------------------------------------------------

    @traitlets.validate("transcript")
    def _checked_transcript(self, proposal: Any) -> Transcript:
        transcript: Transcript = proposal["value"]
        if not self._is_own(transcript):
            self._must_be_editable()
            must_be_of(transcript, self.recording)
        return transcript

    @traitlets.observe("transcript")
    def _transcript_set(self, change: Any) -> None:
        """Take a transcript that was set from outside: that is one correction."""
        if self._is_own(change["new"]):
            return
        with self._changing():
            self._must_be_editable()  # a job may have begun since it was asked
            self._take(*self._reading.stepped(self._placed(change["new"])))

    @traitlets.validate("selected")
    def _checked_selection(self, proposal: Any) -> tuple[int, int] | None:
        value = proposal["value"]
        if value is None:
            return None
        try:
            first, last = (int(index) for index in value)
        except (TypeError, ValueError):
            raise OptionError(
                f"selected is (first, last), indices of lines, not {value!r}."
            ) from None
        many = len(self._reading.lines) if "_reading" in self.__dict__ else 0
        if not many:
            raise OptionError("There are no lines to select.")
        if not 0 <= first <= last < many:
            raise OptionError(f"Lines are 0 to {many - 1}, not {first} to {last}.")
        return first, last

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take over what the browser says of traits; lines that it still showed may be gone."""
        selected = sync_data.get("selected")
        if selected is not None:
            many = len(self._reading.lines)
            kept = [min(max(int(index), 0), many - 1) for index in selected] if many else None
            sync_data = {**sync_data, "selected": kept}
        super().set_state(sync_data)

    # -- Within -----------------------------------------------------------------------------------

    def _begin(self, machine: Transcript) -> None:
        """Begin with what a machine heard, and with the corrections of it that are kept."""
        before = self.__dict__.get("_keeper")
        if before is not None:
            before.close()
        heard = self._placed(machine)
        self._reading = Reading.begun(heard)
        self._keeper = Keeper(self.recording, heard, self._told_saved, lambda: self._language)
        kept, about, self._notices = self._keeper.taken_up()
        self._taken_up = None
        if kept is not None and about is not None:
            self._reading = kept
            if kept.edits:
                self._taken_up = {"at": about.at, "edits": kept.edits}

    def _placed(self, transcript: Transcript) -> Transcript:
        """Return a transcript that knows its recording, and ends where that ends."""
        return dataclasses.replace(
            transcript,
            recording=self.recording,
            duration=self.recording.duration,
            name=transcript.name or self.recording.name,
        )

    def _original(self) -> Transcript:
        """Return what the machine heard, as the correction that takes all others back."""
        return self._reading.machine.transcript

    def _must_be_editable(self) -> None:
        """Raise while a job writes the transcript."""
        if self._job_data is not None:
            raise OptionError(say("draft.read_only", self._language))

    def _take(
        self,
        reading: Reading,
        step: Step,
        focus: int = -1,
        *,
        tell: bool = True,
        keep: bool = True,
        more: dict[str, Any] | None = None,
    ) -> Answer:
        """Make a reading the present one; return what the browser is told of it."""
        self._reading = reading
        if step.removed or step.added:
            self._version += 1
            if keep:
                self._keeper.changed(reading)
        data = {
            **self._state(),
            **(more or {}),
            "first": step.first,
            "removed": len(step.removed),
            "added": len(step.added),
            "count": len(reading.lines),
            "focus": focus,
        }
        answer = Answer(data, _reading_data.packed(step.added, reading.machine))
        if tell:
            self.tell("changed", answer.data, answer.buffers)
        return answer

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        """Change the lines; the trait follows when others may change them again.

        Whoever observes it may wait for a lock that a thread holds which waits for ours.
        """
        try:
            with self._guard:
                yield
        finally:
            self._publish()

    def _publish(self) -> None:
        """Set the trait; what its observers raise is shown, as the correction itself was made.

        An observer may correct what it is told, and another thread may be faster.
        """
        try:
            while (transcript := self._reading.transcript) is not self.transcript:
                self._own.transcript = transcript
                self.transcript = transcript
            many, selected = len(self._reading.lines), self.selected
            if selected is not None and selected[1] >= many:
                self.selected = (min(selected[0], many - 1), many - 1) if many else None
        except Exception as error:
            self.tell("problem", problem_of(error))
        finally:
            self._own.transcript = None

    def _is_own(self, transcript: Transcript) -> bool:
        """Whether this thread sets the trait to this transcript for us."""
        return transcript is getattr(self._own, "transcript", None)

    def _state(self) -> dict[str, Any]:
        """Return what may change with every step."""
        reading = self._reading
        return {
            "version": self._version,
            "edits": reading.edits,
            "can_undo": bool(reading.past) and self._job_data is None,
            "can_redo": bool(reading.future) and self._job_data is None,
            "saved": self._keeper.saved.as_dict(),
            "job": self._job_data,
            "read_only": self._job_data is not None,
        }

    def _facts(self) -> dict[str, Any]:
        """Return what is to be known of the transcript as a whole."""
        transcript = self._reading.transcript
        return {
            "name": transcript.name,
            "recording_name": self.recording.name,
            "model": transcript.model,
            "machine_model": self._reading.machine.transcript.model,
            "language": transcript.language,
            "duration": transcript.duration,
            "notes": list(transcript.notes),
            "complete": transcript.complete,
            "taken_up": self._taken_up,
        }

    def _told_saved(self, saved: Saved) -> None:
        self.tell("saved", saved.as_dict())
        if saved.problem:
            self.tell("problem", {"error": saved.problem, "trace": ""})


def must_be_of(transcript: Transcript, recording: Recording) -> None:
    """Raise if a transcript goes on where its recording has ended: it is another one's."""
    late = next((one for one in transcript.segments if one.start > recording.duration + 1.0), None)
    if late is not None:
        raise OptionError(
            f"That transcript has a line at {late.start:.1f} s, but {recording.name} ends at "
            f"{recording.duration:.1f} s; give the recording that it is of."
        )
