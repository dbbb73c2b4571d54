"""The workbench: bring a recording in, cut it, transcribe it, read and correct it, in one panel."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbasr.audio._many import is_many
from nbasr.audio.recording import Recording
from nbasr.errors import OptionError
from nbasr.transcript import Transcript
from nbasr.widgets import _drafts, _forecast, _work_choices
from nbasr.widgets._panel import Choice, answers
from nbasr.widgets._starting import model_name
from nbasr.widgets._texts import say
from nbasr.widgets._work_desk import Desk
from nbasr.widgets._work_panels import WithPanels

if TYPE_CHECKING:
    from nbasr.models.model import Model
    from nbasr.pipeline.jobs import Job

_TOLD_EVERY = 0.25  # s between two reports of how far a job is


def workbench(
    recording: Any = None, *, model: str | Model | None = None, language: str = ""
) -> Workbench:
    """Show all panels as one: from a file to a corrected transcript, without code.

    Parameters
    ----------
    recording
        Whatever `Recording.open` takes, or a list of such; None begins with an empty workbench.
    model
        The model that transcribes: a name, or what `nbasr.models.load` gave. None: ``"auto"``, the
        one that `nbasr.transcribe` takes.
    language
        Of the controls: ``"en"``, ``"zh"``, or ``""`` for the setting, else the browser's.

    Returns
    -------
    Workbench
        The panel; its attributes can be used in cells.

    Raises
    ------
    AudioError
        If a recording cannot be opened.
    ModelError
        If there is no such model.

    Examples
    --------
    >>> bench = nbasr.workbench("meeting.m4a")              # doctest: +SKIP
    >>> bench                                               # doctest: +SKIP
    >>> bench.transcript.save("meeting.srt")                # doctest: +SKIP
    """
    given = [] if recording is None else list(recording) if is_many(recording) else [recording]
    return Workbench(given, model=model, language=language)


class Workbench(WithPanels, entry="workbench"):
    """Recording, cuts, transcript and models in one panel. Made by `nbasr.workbench`.

    Bring a recording in (step 1), look at where it is cut (2), transcribe it, read along and
    correct (3); the models are at hand beside it. Files may be dropped anywhere on it. Each
    recording keeps its cuts and its text, and its playhead goes along from step to step.

    Parameters
    ----------
    recordings
        What is there from the beginning; the last one is chosen.
    model, language
        See `nbasr.workbench`.

    Attributes
    ----------
    recording : Recording or None
        The chosen one. It can be set to whatever `Recording.open` takes, and observed.
    recordings : tuple of Recording
        All that are there. Can be observed.
    plan : ChunkPlan or None
        How the chosen recording is cut. It can be set and observed.
    transcript : Transcript or None
        Its text as it is now: what has come of it so far, corrected. It can be set and observed.
    job : Job or None
        What transcribes it, or has. Can be observed.
    model : str
        Name of the model, or ``"auto"``. It can be set and observed.
    precision : str
        ``"auto"``, ``"float32"``, ``"bf16"``, ``"fp16"``, ``"int8"`` or ``"nf4"``.
    timestamps : str
        ``"segment"``, ``"word"``, or ``"auto"``: words where that can be had here.
    tab : str
        ``"recording"``, ``"cuts"``, ``"transcript"`` or ``"models"``: what is seen.
    upload, waveform, tuner, reader, models
        The panels: `UploadPanel`, `WaveformPanel`, `ChunkTuner`, `TranscriptPanel`, `ModelPanel`.
        Each can be shown in a cell of its own, too.

    Notes
    -----
    Keys, beside those of the panel that is seen:

    ==============================  =============================================================
    ``Alt+1`` … ``Alt+4``           recording, cuts, transcript, models
    ``←`` ``→`` ``Home`` ``End``    on the row of steps: the step before, after, first, last
    ==============================  =============================================================
    """

    precision = Choice(_work_choices.PRECISIONS, "auto").tag(sync=True)
    timestamps = Choice(_work_choices.TIMES, "auto").tag(sync=True)

    _still_of = ("recording", "plan", "transcript")

    def __init__(
        self,
        recordings: Iterable[Any] = (),
        *,
        model: str | Model | None = None,
        language: str = "",
    ) -> None:
        self._told: tuple[int, str] = (0, "")  # of which job, and in what state
        self._told_at = 0.0
        given = {"language": language} if language else {}
        super().__init__(recordings, model=model_name(model), **given)

    def transcribe(self) -> Job:
        """Begin to transcribe the chosen recording with the chosen model, as it is cut.

        Returns
        -------
        Job
            It runs; its text is shown as it comes.

        Raises
        ------
        OptionError
            If there is no recording, or it is being transcribed already.
        ModelError
            If the model is not on this machine, or does not suit.
        """
        from nbasr.pipeline.jobs import submit

        desk = self._needed()
        with desk.lock:
            if desk.is_busy:
                raise OptionError(say("work.busy", self._language, name=desk.recording.name))
            model, precision, timestamps = self.model, self.precision, self.timestamps
            _work_choices.must_be_here(_work_choices.spec_of(model, precision), self._language)
            if timestamps == "auto":
                words = _work_choices.gives_words(model, precision)
                timestamps = "word" if words else "segment"
            job = submit(
                desk.recording,
                model=model,
                chunking=desk.plan,
                timestamps=timestamps,
                **_work_choices.options_for(precision),
            )
            desk.begin(job)
        self._reader_of(desk)
        job.observe(lambda job: self._heard(desk, job))  # after the reader's own
        self._refresh()
        self._heard(desk, job)
        return job

    def stop(self) -> None:
        """Stop transcribing the chosen recording; the text so far stays."""
        if self._desk is not None and self._desk.job is not None:
            self._desk.job.stop()

    def still(self) -> str:
        """Return what was done with the chosen recording as HTML that needs no kernel."""
        from nbasr.widgets._work_still import html

        return html(self._desk, self._desks.values(), self._language)

    def __repr__(self) -> str:
        count = len(self.recordings)
        return f"<Workbench: {count} recording{'' if count == 1 else 's'}, model {self.model}>"

    # -- What the browser asks ----------------------------------------------------------------

    @answers("choose", aside=True)
    def _answer_choose(self, key: str) -> None:
        """Choose a recording."""
        if key in self._desks:
            self._show(self._desks[key])

    @answers("look", aside="looking")
    def _answer_look(self, language: str = "") -> dict[str, Any]:
        """Answer with what there is to choose from, and what it would take."""
        self._speak(language)
        found = _work_choices.told(self.model, self.precision, self._language)
        desk = self._desk
        if desk is not None:
            options = _work_choices.options_for(self.precision)
            found["forecast"] = _forecast.forecast(
                desk.recording, desk.plan, self.model, self._language, **options
            ).as_dict()
        return found

    @answers("transcribe", aside="starting")
    def _answer_transcribe(self, language: str = "") -> None:
        """Begin to transcribe."""
        self._speak(language)
        self.transcribe()
        self.tab = "transcript"

    @answers("stop")
    def _answer_stop(self) -> None:
        """Stop transcribing."""
        self.stop()

    @answers("sample", aside="starting")
    def _answer_sample(self) -> None:
        """Take the bundled meeting."""
        from nbasr import samples

        self.recording = samples.open("meeting")

    @answers("recent", aside="looking")
    def _answer_recent(self, limit: int) -> dict[str, Any]:
        """Answer with the texts that were corrected last."""
        names = ("key", "name", "path", "model", "edits", "at")
        drafts = [
            {name: getattr(one, name) for name in names} | {"here": _is_here(one.path)}
            for one in _drafts.recent(limit)
        ]
        return {"drafts": drafts}

    @answers("resume", aside="starting")
    def _answer_resume(self, key: str, language: str = "") -> None:
        """Open a recording whose text was corrected, and go on with that."""
        self._speak(language)
        known = [one for one in _drafts.recent(_drafts.MOST) if one.key == key]
        if not known:
            raise OptionError(say("work.draft_gone", self._language))
        (about,) = known
        recording = Recording.open(about.path, channel=about.channel, stream=about.stream)
        if recording.fingerprint != about.fingerprint:
            raise OptionError(say("work.draft_other", self._language, name=about.name))
        desk = self._desk_of(recording)
        self._take_text(desk, about.machine())
        self._show(desk)
        self.tab = "transcript"

    # -- Within -------------------------------------------------------------------------------

    def _heard(self, desk: Desk, job: Job) -> None:
        """Show how far a job is; in its thread."""
        if self._closed or desk.job is not job:
            return
        over = not desk.is_busy
        if over and desk.reader is not None:
            self._read(desk, desk.reader.transcript)
        elif over and isinstance(job.partial, Transcript) and job.partial.segments:
            desk.machine = desk.transcript = job.partial
            if desk is self._desk:
                self.transcript = job.partial
        news = (job.number, job.state)
        if news != self._told or time.monotonic() - self._told_at >= _TOLD_EVERY:
            self._told, self._told_at = news, time.monotonic()
            self._tell_desks()


def _is_here(path: str) -> bool:
    try:
        return bool(path) and Path(path).is_file()
    except OSError:
        return False
