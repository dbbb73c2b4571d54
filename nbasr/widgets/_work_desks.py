"""The part of a workbench that keeps recordings: which are there, which is chosen, what is done."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

import traitlets

from nbasr.audio.recording import Recording
from nbasr.errors import OptionError
from nbasr.widgets import _work_status
from nbasr.widgets._forecast import AUTO
from nbasr.widgets._panel import Panel
from nbasr.widgets._starting import model_name
from nbasr.widgets._work_desk import Desk

_MOST_OPEN = 3  # recordings whose panels stay open; what was done with the others is kept


class WithDesks(Panel):
    """A panel of recordings, each with a plan, a job and a text of its own; one is chosen.

    The browser sees each as one of ``desks``, and which is ``chosen``.
    """

    model = traitlets.Unicode(AUTO).tag(sync=True)
    desks: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    chosen = traitlets.Unicode("").tag(sync=True)

    recording = traitlets.Any(None)
    recordings = traitlets.Tuple(read_only=True)
    plan = traitlets.Any(None)
    transcript = traitlets.Any(None)
    job = traitlets.Any(None, read_only=True)

    def __init__(self, recordings: Iterable[Any], **given: Any) -> None:
        self._guard = threading.RLock()
        self._telling = threading.RLock()
        self._desks: dict[str, Desk] = {}
        self._used: list[Desk] = []  # whose panels are open, the last used last
        self._desk: Desk | None = None
        self._count = 0
        self._closed = False
        opened = [Recording.open(one) for one in recordings]
        super().__init__(**given)
        for one in opened:
            self._desk_of(one)
        if opened:
            self.recording = opened[-1]

    def close(self) -> None:
        """Take the workbench and its panels away; jobs go on."""
        self._closed = True
        for desk in list(self.__dict__.get("_desks", {}).values()):
            desk.close()
        super().close()

    # -- Traits -------------------------------------------------------------------------------

    @traitlets.validate("model")
    def _checked_model(self, proposal: Any) -> str:
        return model_name(proposal["value"])

    @traitlets.observe("model")
    def _model_set(self, change: Any) -> None:
        for desk in list(self._desks.values()):
            desk.suit(change["new"])
        self._refresh()

    @traitlets.validate("recording")
    def _checked_recording(self, proposal: Any) -> Recording:
        return Recording.open(proposal["value"])

    @traitlets.observe("recording", "plan", "transcript")
    def _not_taken_away(self, change: Any) -> None:
        """Refuse None in place of what there is; traitlets let it pass without validation."""
        there = getattr(self._desk, change["name"]) if self._desk is not None else None
        if change["new"] is None and there is not None:
            self.set_trait(change["name"], there)
            raise OptionError(
                f"{change['name']} of a workbench can be replaced, but not taken away (None)."
            )

    @traitlets.observe("recording")
    def _recording_set(self, change: Any) -> None:
        if change["new"] is not None:
            self._show(self._desk_of(change["new"]))

    # -- Recordings come and go ---------------------------------------------------------------

    def _needed(self) -> Desk:
        """Return the desk of the chosen recording, or say that there is none."""
        if self._desk is None:
            raise OptionError(
                "There is no recording on the workbench yet: bring one in, or set its attribute "
                "recording."
            )
        return self._desk

    def _desk_of(self, recording: Recording) -> Desk:
        """Return the desk of a recording, a new one if it has none."""
        with self._guard:
            for desk in self._desks.values():
                known = desk.recording
                if known is recording or (known == recording and known.name == recording.name):
                    return desk
            self._count += 1
            desk = Desk(f"r{self._count}", recording, self.model, self.language)
            self._desks[desk.key] = desk
        self._tell_recordings()
        return desk

    def _show(self, desk: Desk) -> None:
        """Choose a recording."""
        with self._guard:
            self._desk = desk
            if desk in self._used:
                self._used.remove(desk)
            self._used.append(desk)
            left, self._used = self._used[:-_MOST_OPEN], self._used[-_MOST_OPEN:]
        for one in left:
            one.close()
        self.chosen = desk.key
        self._refresh()

    def _let_go(self, desk: Desk) -> None:
        """Take a recording off."""
        with self._guard:
            self._desks.pop(desk.key, None)
            if desk in self._used:
                self._used.remove(desk)
            was_chosen = self._desk is desk
            if was_chosen:
                self._desk = next(reversed(self._desks.values()), None)
        desk.close()
        self._tell_recordings()
        if was_chosen and self._desk is not None:
            self._show(self._desk)
        elif was_chosen:
            self.chosen = ""
            self._refresh()

    # -- Telling ------------------------------------------------------------------------------

    def _refresh(self) -> None:
        """Bring what is told of the chosen recording up to date."""
        desk = self._desk
        self.recording = desk.recording if desk is not None else None
        self.plan = desk.plan if desk is not None else None
        self.transcript = desk.transcript if desk is not None else None
        self.set_trait("job", desk.job if desk is not None else None)
        self._tell_desks()

    def _tell_recordings(self) -> None:
        self.set_trait("recordings", tuple(desk.recording for desk in self._desks.values()))
        self._tell_desks()

    def _tell_desks(self) -> None:
        """Tell the browser what is known of each recording."""
        with self._telling:  # or what one thread has looked at last could be told first
            if not self._closed:
                self.desks = [_as_dict(desk) for desk in list(self._desks.values())]


def _as_dict(desk: Desk) -> dict[str, Any]:
    """Return what the browser shows of a recording outside of its panels."""
    text = desk.transcript
    return {
        "key": desk.key,
        "name": desk.recording.name,
        "duration": desk.recording.duration,
        "chunks": len(desk.plan),
        "lines": len(text.segments) if text is not None else None,
        "edits": desk.edits,
        "job": _work_status.as_dict(desk.job),
    }
