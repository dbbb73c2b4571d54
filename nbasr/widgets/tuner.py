"""The panel in which cuts are tuned: settings, edits by hand, figures, texts tried on chunks."""

from __future__ import annotations

import warnings
from typing import Any

from nbasr.audio.recording import Recording
from nbasr.audio.sources import Source
from nbasr.chunking import ChunkPlan, Strategy
from nbasr.errors import OptionError
from nbasr.models.model import Model
from nbasr.widgets import _code, _presets
from nbasr.widgets._panel import Answer, answers
from nbasr.widgets._starting import first_state, model_name
from nbasr.widgets._texts import say
from nbasr.widgets._tuner_settings import Settings
from nbasr.widgets._with_plan import WithPlan


class ChunkTuner(WithPlan, entry="tuner", styles=("waveform",)):
    """Tune where a recording is cut, and hear, see and try what comes of it.

    A `WaveformPanel` with the chunks in it. Sliders change the settings of a strategy; cuts can be
    dragged, added, taken away and locked (a locked cut stays when settings change); a chunk or the
    selection can be transcribed at once; the result is copied as a cell, or used as it is:
    ``nbasr.transcribe(recording, chunking=tuner.plan)``.

    Parameters
    ----------
    recording
        Whatever `Recording.open` takes.
    strategy
        Where to begin: ``"optimal"``, ``"silence"``, ``"vad"`` or ``"fixed"``, a strategy such as
        ``nbasr.chunking.Optimal(max_seconds=20)``, or a `ChunkPlan` of the recording. None: as the
        session's settings say, ``"optimal"`` where they say nothing.
    model
        The model to tune for: a name, or what `nbasr.models.load` gave. None: ``"auto"``, the one
        that `nbasr.transcribe` takes. Its safe length is the longest chunk where nothing else is
        said.
    height
        Of the waveform, in pixels.
    language
        Of the controls: ``"en"``, ``"zh"``, or ``""`` for the setting, else the browser's.

    Attributes
    ----------
    plan : ChunkPlan
        How the recording is cut now. It can be set, and observed: ``tuner.observe(f, "plan")``.
    model : str
        Name of the model, or ``"auto"``. It can be set and observed.
    texts : dict
        ``{(start, stop): Transcript}`` of what was transcribed here.

    Raises
    ------
    AudioError
        If `recording` is none.
    OptionError
        If a setting is impossible, or the plan is another recording's.
    ModelError
        If there is no such model.

    Notes
    -----
    Keys, beside those of `WaveformPanel` but for regions, which a tuner has none of:

    ====================  ====================================================================
    ``[``  ``]``          previous, next cut
    ``{``  ``}``          previous, next cut in speech or in a short pause
    ``C``                 cut at the playhead (or double click)
    ``Delete``            take the focused cut away
    ``K``                 lock the focused cut, or unlock it
    ``Alt+←``  ``Alt+→``  move the focused cut by 10 ms, with Shift by 100 ms
    ``H``                 hear the two seconds around the cut
    ``P``                 play this chunk
    ``T``  ``Shift+T``    transcribe this chunk, the selection
    ``Ctrl+Z``            undo; with Shift redo (on a Mac with ⌘)
    ====================  ====================================================================

    Examples
    --------
    >>> tuner = nbasr.ChunkTuner("meeting.m4a", model="whisper-small")      # doctest: +SKIP
    >>> tuner                                                               # doctest: +SKIP
    >>> nbasr.transcribe(tuner.recording, chunking=tuner.plan)              # doctest: +SKIP
    """

    def __init__(
        self,
        recording: Source,
        *,
        strategy: str | Strategy | ChunkPlan | None = None,
        model: str | Model | None = None,
        height: int = 160,
        language: str = "",
    ) -> None:
        opened = Recording.open(recording)
        name = model_name(model)
        state = first_state(opened, strategy, name)
        super().__init__(opened, state, model=name, height=height, language=language)

    def code(self, kind: str = "auto") -> str:
        """Return the cell that cuts as shown and transcribes.

        Parameters
        ----------
        kind
            ``"magic"`` (``%%transcribe …``), ``"python"``; ``"auto"`` takes the magic where it is
            loaded (``%load_ext nbasr``) and its options can say it.

        Raises
        ------
        OptionError
            If there is no such kind, or a magic cannot say it.
        """
        return self._written(kind).text

    def presets(self) -> dict[str, Settings]:
        """Return the settings that are kept by name: those of nbasr, and your own.

        Warns
        -----
        UserWarning
            If the file of your own cannot be understood.
        """
        found = _presets.read(self._language)
        if found.problem:
            warnings.warn(found.problem, stacklevel=2)
        return {preset.text: preset.settings for preset in found.presets}

    def save_preset(self, name: str) -> None:
        """Keep the present settings under a name, for every notebook; an own preset is replaced.

        Raises
        ------
        OptionError
            If the name is none, or one of nbasr's own, or the file cannot be written.
        """
        with self._guard:
            now = self._tuning.now.settings
        _presets.save(name, now)

    def delete_preset(self, name: str) -> None:
        """Forget one of your own presets.

        Raises
        ------
        OptionError
            If there is none of that name.
        """
        _presets.delete(name)

    def apply_preset(self, name: str) -> None:
        """Take the settings that are kept under a name; locked cuts stay.

        Raises
        ------
        OptionError
            If there is none of that name.
        """
        settings = _presets.read(self._language).named(name).settings
        self._hear(settings)
        with self._guard:
            self._change(settings, final=True)
        self._tell()

    def still(self) -> str:
        """Return the plan as HTML that needs no kernel: waveform, cuts, figures, texts."""
        from nbasr.widgets._still_plan import html

        with self._guard:
            plan, texts = self._tuning.now.plan, dict(self.texts)
        return html(plan, texts)

    def __repr__(self) -> str:
        with self._guard:
            return f"<ChunkTuner {self._tuning.now.plan!r}>"

    @answers("code", aside=True)
    def _answer_code(self, kind: str = "auto", language: str = "") -> dict[str, Any]:
        """Answer with the cell."""
        self._speak(language)
        try:
            written, note = self._written(kind), ""
        except OptionError as error:
            if kind != "magic":
                raise
            written, note = self._written("python"), str(error)
        if written.kind == "magic" and not _code.magic_is_loaded():
            note = say("tuner.code_load", self._language)
        return {"text": written.text, "kind": written.kind, "note": note}

    @answers("presets")
    def _answer_presets(self, language: str = "") -> dict[str, Any]:
        """Answer with the settings that are kept by name."""
        self._speak(language)
        found = _presets.read(self._language)
        return {"presets": [one.as_dict() for one in found.presets], "note": found.problem}

    @answers("save_preset")
    def _answer_save_preset(self, name: str, language: str = "") -> dict[str, Any]:
        """Keep the settings."""
        self.save_preset(name)
        return self._answer_presets(language)

    @answers("delete_preset")
    def _answer_delete_preset(self, name: str, language: str = "") -> dict[str, Any]:
        """Forget settings."""
        self.delete_preset(name)
        return self._answer_presets(language)

    @answers("apply_preset")
    def _answer_apply_preset(self, name: str, language: str = "") -> Answer:
        """Answer with the plan that kept settings give."""
        self._speak(language)
        settings = _presets.read(self._language).named(name).settings
        with self._guard:
            self._change(settings, final=True)
            return self._answer()

    def _written(self, kind: str) -> _code.Code:
        if kind == "auto" and not _code.magic_is_loaded():
            kind = "python"
        with self._guard:
            state = self._tuning.now
        return _code.write(
            state,
            self.recording,
            self._plan_by,
            model=self.model,
            kind=kind,
            language=self._language,
        )
