"""The part of a panel that has to do with a model: choose one, foretell it, try it on a stretch."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import traitlets

from nbasr.audio.recording import Recording
from nbasr.chunking import ChunkPlan
from nbasr.pipeline.jobs import Job
from nbasr.transcript import Transcript
from nbasr.widgets import _forecast, _transcribing
from nbasr.widgets._panel import Kind, answers
from nbasr.widgets._starting import model_name
from nbasr.widgets._texts import say
from nbasr.widgets.waveform import WaveformPanel

_BATCH = 8  # chunks by which padding is told until a model says how many it takes at once


class WithModel(WaveformPanel):
    """A panel on a recording that is cut, and that a model is to recognise.

    Attributes
    ----------
    plan : ChunkPlan
        How the recording is cut.
    model : str
        Name of the model, or ``"auto"``.
    texts : dict
        ``{(start, stop): Transcript}`` of what was transcribed here.
    """

    plan = Kind(ChunkPlan)
    model = traitlets.Unicode(_forecast.AUTO).tag(sync=True)

    _still_of = ("plan",)

    def __init__(self, recording: Recording, **given: Any) -> None:
        self._guard = threading.RLock()  # of what changes: messages come in threads of their own
        self._batch = _BATCH
        self._closed = False
        self._stopped: set[_transcribing.Span] = set()  # what is transcribed and shall not be
        self._jobs: dict[_transcribing.Span, Job] = {}
        self.texts: dict[tuple[float, float], Transcript] = {}
        super().__init__(recording, **given)

    def close(self) -> None:
        """Take the panel away; what it was doing is not waited for."""
        self._closed = True
        for job in list(self._jobs.values()):
            job.stop()
        super().close()

    @traitlets.validate("model")
    def _checked_model(self, proposal: Any) -> str:
        return model_name(proposal["value"])

    @answers("models", aside=True)
    def _answer_models(self, language: str = "") -> dict[str, Any]:
        """Answer with the models to choose from."""
        self._speak(language)
        choices = _forecast.choices(self.model, self._language)
        return {"choices": [list(choice) for choice in choices], "chosen": self.model}

    @answers("forecast", aside=True)
    def _answer_forecast(self, model: str = "", language: str = "") -> dict[str, Any]:
        """Answer with what a model, which is then the chosen one, takes for the plan."""
        self._speak(language)
        if model:
            self.model = model
        found = _forecast.forecast(self.recording, self.plan, self.model, self._language)
        batch = found.batch_size if found.batch_size > 1 else _BATCH
        if batch != self._batch:
            self._batch = batch
            self._tell()  # the padding is another
        return found.as_dict()

    @answers("transcribe", aside="transcribing")
    def _answer_transcribe(
        self, start: float, stop: float, model: str = "", language: str = ""
    ) -> dict[str, Any]:
        """Answer with the text of a stretch; progress is told meanwhile."""
        self._speak(language)
        span = (float(start), float(stop))
        spec = _forecast.spec_of(model or self.model)
        _forecast.must_be_here(spec)

        try:
            job = _transcribing.recognised(self.recording, self.plan, span, spec)
            self._jobs[span] = job
            found = self._followed(job, span)
        finally:
            self._jobs.pop(span, None)
            self._stopped.discard(span)
        if job.state == "stopped" and not found.segments:
            found = replace(found, notes=(say("tuner.stopped", self._language),))
        if spec.engine == "sphinx" and found.complete:
            draft = say("tuner.model_draft", self._language)
            found = replace(found, notes=(*found.notes, draft))
        if found.complete or found.segments:
            with self._guard:
                self.texts[span] = found
            self.renew_still()
        return _transcribing.as_dict(span, found)

    @answers("stop_transcribing")
    def _answer_stop(self, start: float, stop: float) -> None:
        """Stop transcribing a stretch, or do not begin with it."""
        span = (float(start), float(stop))
        self._stopped.add(span)
        job = self._jobs.get(span)
        if job is not None:
            job.stop()

    @answers("texts")
    def _answer_texts(self, language: str = "") -> dict[str, Any]:
        """Answer with what was transcribed so far."""
        self._speak(language)
        with self._guard:
            found = sorted(self.texts.items())
        return {"texts": [_transcribing.as_dict(span, text) for span, text in found]}

    def _followed(self, job: Job, span: _transcribing.Span) -> Transcript:
        """Return what a job transcribes; its progress is told meanwhile."""

        def tell(job: Job) -> None:
            self.tell("progress", {"start": span[0], "stop": span[1], **_progress(job)})
            if self._closed or span in self._stopped:  # before there was a job to stop
                job.stop()

        take_off = job.observe(tell)
        try:
            tell(job)
            found = job.result()
        finally:
            take_off()
        assert isinstance(found, Transcript)  # one recording was given
        return found

    def _tell(self) -> None:
        """Send the browser what has changed without its asking; panels with more to say do."""


def _progress(job: Job) -> dict[str, Any]:
    progress = job.progress
    return {
        "state": progress.state,
        "done": progress.done,
        "total": progress.total,
        "elapsed": progress.elapsed,
        "text": progress.text,
        "model": progress.model,
    }
