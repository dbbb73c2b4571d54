"""One recording on the workbench: its plan, its job, its text, and the panels that show them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from nbasr.widgets._starting import first_state, session_settings
from nbasr.widgets.tuner import ChunkTuner
from nbasr.widgets.waveform import Region, WaveformPanel

if TYPE_CHECKING:
    from nbasr.audio.recording import Recording
    from nbasr.chunking import ChunkPlan
    from nbasr.pipeline.jobs import Job
    from nbasr.transcript import Transcript
    from nbasr.widgets.transcript import TranscriptPanel

WAVEFORM_HEIGHT, TUNER_HEIGHT, READER_HEIGHT = 110, 84, 64
"""Pixels of the waveforms: what leaves room for the rest on a screen of 1280 × 800."""

ACTIVE = ("waiting", "loading", "running")
"""States of a job that is not over."""


class Desk:
    """A recording, what was done with it, and its panels as far as they were needed.

    Parameters
    ----------
    key
        What the browser calls it.
    recording
        The recording.
    model
        Name of the model that it is cut for at first.
    language
        Of the panels.

    Attributes
    ----------
    plan : ChunkPlan
        How it is cut.
    job : Job or None
        What transcribes it, or has.
    machine, transcript : Transcript or None
        The text as it was recognised, and as it is now.
    waveform, tuner, reader
        The panels; None until they are needed.
    """

    def __init__(self, key: str, recording: Recording, model: str, language: str) -> None:
        self.key = key
        self.recording = recording
        self.language = language
        self.plan: ChunkPlan = first_state(recording, None, model).plan
        self._begun = self.plan  # as it is while nobody has touched it
        self._regions: tuple[Region, ...] = ()
        self._playhead = 0.0
        self.job: Job | None = None
        self.machine: Transcript | None = None
        self.transcript: Transcript | None = None
        self.edits = 0
        self.waveform: WaveformPanel | None = None
        self.tuner: ChunkTuner | None = None
        self.reader: TranscriptPanel | None = None
        self.lock = threading.RLock()

    @property
    def is_busy(self) -> bool:
        """Whether a job is at work on it, or waits to be."""
        return self.job is not None and self.job.state in ACTIVE

    @property
    def panels(self) -> dict[str, Any]:
        """The panels that there are, by name."""
        found = {"waveform": self.waveform, "tuner": self.tuner, "reader": self.reader}
        return {name: panel for name, panel in found.items() if panel is not None}

    def need_waveform(self) -> WaveformPanel:
        """Return the panel in which it is seen and heard."""
        with self.lock:
            if self.waveform is None:
                self.waveform = WaveformPanel(
                    self.recording,
                    regions=self._regions,
                    height=WAVEFORM_HEIGHT,
                    language=self.language,
                )
                self._keep_playhead(self.waveform)
            return self.waveform

    def need_tuner(self, model: str) -> ChunkTuner:
        """Return the panel in which it is cut."""
        with self.lock:
            if self.tuner is None:
                untouched = self.plan is self._begun
                self.tuner = ChunkTuner(
                    self.recording,
                    strategy=None if untouched else self.plan,
                    model=model,
                    height=TUNER_HEIGHT,
                    language=self.language,
                )
                self._keep_playhead(self.tuner)
                self.plan = self.tuner.plan
                if untouched:
                    self._begun = self.plan
            return self.tuner

    def need_reader(self) -> TranscriptPanel:
        """Return the panel in which its text is read."""
        from nbasr.transcript import Transcript
        from nbasr.widgets.transcript import TranscriptPanel

        with self.lock:
            if self.reader is None:
                name, duration = self.recording.name, self.recording.duration
                nothing = Transcript((), name=name, duration=duration, complete=False)
                text = nothing if self.machine is None else self.machine
                self.reader = TranscriptPanel(
                    text, self.recording, height=READER_HEIGHT, language=self.language
                )
                self._keep_playhead(self.reader)
                if self.job is not None and self.is_busy:
                    self.reader.follow(self.job)
            return self.reader

    def suit(self, model: str) -> None:
        """Cut it for another model, unless somebody has cut it otherwise."""
        with self.lock:
            if self.tuner is not None:
                self.tuner.model = model
            if self.plan is not self._begun:
                return
            if self.tuner is None:
                self.plan = first_state(self.recording, None, model).plan
            else:
                self.tuner.strategy = session_settings(model).made(())
                self.plan = self.tuner.plan
            self._begun = self.plan

    def begin(self, job: Job) -> None:
        """Take a job; its text takes the place of what is here, once something was heard."""
        with self.lock:
            self.job = job
            if self.reader is not None:
                self.reader.follow(job)

    def drop_reader(self) -> None:
        """Close the panel of its text; another text comes."""
        with self.lock:
            reader, self.reader = self.reader, None
        if reader is not None:
            reader.close()

    def close(self) -> None:
        """Close its panels; what was done in them is kept."""
        with self.lock:
            if self.waveform is not None:
                self._regions = self.waveform.regions
            panels = self.panels.values()
            self.waveform = self.tuner = self.reader = None
        for panel in panels:
            panel.close()

    def _keep_playhead(self, panel: WaveformPanel) -> None:
        """Have a new panel stand where the others do, and all of them from now on."""
        panel.playhead = self._playhead
        panel.observe(self._moved, "playhead")

    def _moved(self, change: Any) -> None:
        """Take the playhead of a panel along to the others."""
        self._playhead = change["new"]
        for panel in self.panels.values():
            panel.playhead = change["new"]
