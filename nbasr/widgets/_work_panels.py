"""The part of a workbench that has panels: each made when it is first needed, and followed."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import traitlets

from nbasr.errors import NbasrError, OptionError
from nbasr.transcript import Transcript
from nbasr.widgets import _drafts
from nbasr.widgets._panel import Choice
from nbasr.widgets._texts import say
from nbasr.widgets._work_desk import Desk
from nbasr.widgets._work_desks import WithDesks
from nbasr.widgets.upload import UploadPanel

if TYPE_CHECKING:
    from nbasr.audio.recording import Recording
    from nbasr.chunking import ChunkPlan
    from nbasr.widgets.models import ModelPanel
    from nbasr.widgets.transcript import TranscriptPanel
    from nbasr.widgets.tuner import ChunkTuner
    from nbasr.widgets.waveform import WaveformPanel

TABS = ("recording", "cuts", "transcript", "models")
"""The steps of the work."""


class WithPanels(WithDesks):
    """A panel of panels: those of each recording, one that brings them in, one for models.

    The browser finds them in ``panels``, by name: ``"upload"``, ``"models"``, ``"r1/tuner"``.
    """

    tab = Choice(TABS, "recording").tag(sync=True)
    panels: traitlets.Dict[str, str] = traitlets.Dict().tag(sync=True)

    def __init__(self, *given: Any, **traits: Any) -> None:
        self._upload: UploadPanel | None = None
        self._models: ModelPanel | None = None
        super().__init__(*given, **traits)
        self._prepare()

    def close(self) -> None:
        """Take the workbench and its panels away; jobs go on."""
        super().close()
        for panel in (self.__dict__.get("_upload"), self.__dict__.get("_models")):
            if panel is not None:
                panel.close()

    @property
    def upload(self) -> UploadPanel:
        """The panel that brings recordings in."""
        with self._guard:
            if self._upload is None:
                self._upload = UploadPanel(on_recording=self._arrived, language=self.language)
                self._upload.observe(self._left, "recordings")
                self._tell_panels()
            return self._upload

    @property
    def models(self) -> ModelPanel:
        """The panel of models and memory."""
        from nbasr.widgets.models import ModelPanel

        with self._guard:
            if self._models is None:
                self._models = ModelPanel(language=self.language)
                self._models.observe(lambda _: self.tell("look", {}), "loaded")
                self._tell_panels()
            return self._models

    @property
    def waveform(self) -> WaveformPanel:
        """The panel in which the chosen recording is seen and heard.

        Raises
        ------
        OptionError
            If there is no recording yet.
        """
        panel = self._needed().need_waveform()
        self._tell_panels()
        return panel

    @property
    def tuner(self) -> ChunkTuner:
        """The panel in which the chosen recording is cut.

        Raises
        ------
        OptionError
            If there is no recording yet.
        """
        desk = self._needed()
        with desk.lock:
            made = desk.tuner is None
            tuner = desk.need_tuner(self.model)
            if made:
                tuner.observe(lambda change: self._planned(desk, change["new"]), "plan")
                tuner.observe(lambda change: setattr(self, "model", change["new"]), "model")
                self._planned(desk, tuner.plan)
        self._tell_panels()
        return tuner

    @property
    def reader(self) -> TranscriptPanel:
        """The panel in which the text of the chosen recording is read and corrected.

        Raises
        ------
        OptionError
            If there is no recording yet.
        """
        return self._reader_of(self._needed())

    # -- Traits that stand for what is in the panels --------------------------------------------

    @traitlets.validate("plan")
    def _checked_plan(self, proposal: Any) -> Any:
        value = proposal["value"]
        desk = self._desk
        if desk is not None and value is not desk.plan:
            self.tuner.plan = value  # it checks, and shows
            return desk.plan
        return value if desk is not None else None

    @traitlets.validate("transcript")
    def _checked_transcript(self, proposal: Any) -> Any:
        value = proposal["value"]
        desk = self._desk
        if desk is None or value is desk.transcript:
            return value if desk is not None else None
        if not isinstance(value, Transcript):
            raise OptionError(f"transcript is a Transcript, not {type(value).__name__}.")
        self._take_text(desk, value)
        return desk.transcript

    @traitlets.observe("tab", "chosen")
    def _seen(self, _: Any) -> None:
        self._prepare()

    # -- Within -------------------------------------------------------------------------------

    def _prepare(self) -> None:
        """Make the panels of the tab that is seen; what goes wrong is shown."""
        if not self._closed:
            self.aside(self._make, "panels")

    def _make(self) -> None:
        tab, desk = self.tab, self._desk
        if self._closed:
            return
        if tab == "recording":
            _ = self.upload
            if desk is not None:
                desk.need_waveform()
        elif tab == "models":
            _ = self.models
        elif desk is not None and tab == "cuts":
            _ = self.tuner
        elif desk is not None and (desk.machine is not None or desk.job is not None):
            self._reader_of(desk)
        self._tell_panels()

    def _take_text(self, desk: Desk, text: Transcript) -> None:
        """Show a text as what the machine heard of a recording."""
        if desk.is_busy:
            raise OptionError(say("work.busy", self._language, name=desk.recording.name))
        with desk.lock:
            desk.drop_reader()
            desk.machine = desk.transcript = text
            self._reader_of(desk)
        self._tell_desks()

    def _reader_of(self, desk: Desk) -> TranscriptPanel:
        with desk.lock:
            made = desk.reader is None
            reader = desk.need_reader()
            if made:
                reader.observe(lambda change: self._read(desk, change["new"]), "transcript")
                self._read(desk, reader.transcript)
        self._tell_panels()
        return reader

    def _desk_of(self, recording: Recording) -> Desk:
        """Return the desk of a recording; a new one begins with the text that is kept of it."""
        with self._guard:
            count = self._count
            desk = super()._desk_of(recording)
            is_new = self._count > count
        kept = _drafts.newest_of(desk.recording) if is_new else None
        if kept is not None:
            with contextlib.suppress(NbasrError):  # damaged, or for a longer recording: as if none
                self._take_text(desk, kept.machine())
        return desk

    def _arrived(self, recording: Recording) -> None:
        """Take what was brought in; it is chosen where somebody waits for it."""
        desk = self._desk_of(recording)
        if self._desk is None or self.tab == "recording":
            self._show(desk)

    def _left(self, change: Any) -> None:
        """Let go of what was taken off the list, unless something was done with it."""
        gone = [one for one in change["old"] if one not in change["new"]]
        for desk in list(self._desks.values()):
            done = desk.job is not None or desk.transcript is not None
            if desk.recording in gone and not done:
                self._let_go(desk)

    def _planned(self, desk: Desk, plan: ChunkPlan) -> None:
        """Take the plan of a tuner."""
        desk.plan = plan
        if desk is self._desk:
            self.plan = plan
        self._tell_desks()

    def _read(self, desk: Desk, transcript: Transcript) -> None:
        """Take the text of a reader."""
        reader = desk.reader
        if reader is None:
            return
        nothing = not transcript.segments and not transcript.complete
        desk.transcript = None if nothing else transcript
        desk.edits = reader.edits
        if not desk.is_busy:
            desk.machine = None if nothing else reader.machine
            self._tell_desks()  # else it is told with the job
        if desk is self._desk:
            self.transcript = desk.transcript

    def _let_go(self, desk: Desk) -> None:
        super()._let_go(desk)
        self._tell_panels()

    def _show(self, desk: Desk) -> None:
        super()._show(desk)
        self._tell_panels()

    def _tell_panels(self) -> None:
        """Tell the browser which panels there are."""
        with self._guard:
            if self._closed:
                return
            found: dict[str, Any] = {"upload": self._upload, "models": self._models}
            for desk in self._desks.values():
                found |= {f"{desk.key}/{name}": panel for name, panel in desk.panels.items()}
            self.panels = {
                name: f"anywidget:{panel.model_id}"
                for name, panel in found.items()
                if panel is not None and panel.model_id is not None
            }
