"""The panel in which cuts are tuned: settings, edits by hand, figures, texts tried on chunks."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

import traitlets

from nbasr.audio.recording import Recording
from nbasr.audio.sources import Source
from nbasr.chunking import ChunkPlan, Strategy, vad
from nbasr.errors import OptionError
from nbasr.models.model import Model
from nbasr.widgets import _code, _plan_data, _presets, _tuning
from nbasr.widgets._panel import Answer, answers
from nbasr.widgets._starting import model_name, must_be_of, session_settings, settings_of
from nbasr.widgets._texts import say
from nbasr.widgets._tuning import Settings, State, Tuning
from nbasr.widgets._with_model import WithModel

_TELL_EVERY = 0.1  # seconds between two messages about the detector


class ChunkTuner(WithModel, entry="tuner", styles=("waveform",)):
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
    Keys, beside those of `WaveformPanel`, while the waveform has the focus:

    ====================  ====================================================================
    ``[``  ``]``          previous, next cut
    ``C``                 cut at the playhead (or double click)
    ``Delete``            take the focused cut away
    ``K``                 lock the focused cut, or unlock it
    ``Alt+←``  ``Alt+→``  move the focused cut by 10 ms, with Shift by 100 ms
    ``H``                 hear the two seconds around the cut
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
        self._version = 0
        self._waiting: tuple[Settings, bool] | None = None  # for the detector: settings, final
        self._heard = 0.0  # share of the recording that the detector has heard
        self._hearing = self._closed = False
        self._tuning = Tuning.begun(_first(opened, strategy, name))
        super().__init__(opened, height=height, language=language)
        self.plan = self._tuning.now.plan
        self.model = name

    @property
    def strategy(self) -> Strategy:
        """The strategy that the settings stand for, with the locked cuts; edits are not in it.

        It can be set, to a name as well; a finished plan is given to `plan`.
        """
        with self._guard:
            return self._tuning.now.settings.made(self._tuning.now.locks)

    @strategy.setter
    def strategy(self, value: str | Strategy) -> None:
        with self._guard:
            before = self._tuning.now.settings
        settings, cuts = settings_of(value, before)
        self._hear(settings)
        with self._guard:
            self._take(self._tuning.step(_tuning.planned(settings, self._plan_by, cuts)))
        self._tell()

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

    def close(self) -> None:
        """Take the panel away; what it was doing is not waited for."""
        self._closed = True
        super().close()

    def __repr__(self) -> str:
        with self._guard:
            return f"<ChunkTuner {self._tuning.now.plan!r}>"

    @traitlets.validate("plan")
    def _checked_plan(self, proposal: Any) -> ChunkPlan:
        plan: ChunkPlan = proposal["value"]
        must_be_of(plan, self.recording)
        return plan

    @traitlets.observe("plan")
    def _plan_set(self, change: Any) -> None:
        """Take a plan that was set from outside."""
        with self._guard:
            if change["new"] is self._tuning.now.plan:
                return
            self._waiting = None
            state = _tuning.given(change["new"], self._tuning.now.settings)
            self._take(self._tuning.step(state))
        self._tell()

    @answers("plan")
    def _answer_plan(
        self, settings: dict[str, Any] | None = None, final: bool = True, language: str = ""
    ) -> Answer:
        """Answer with the plan that settings give; only changed ones need be among them."""
        self._speak(language)
        with self._guard:
            wanted = self._waiting[0] if self._waiting else self._tuning.now.settings
            self._change(wanted.told(settings or {}), final=final)
            return self._answer()

    @answers("edit")
    def _answer_edit(
        self, do: str, index: int = -1, time: float = 0.0, language: str = ""
    ) -> Answer:
        """Answer with the plan after an edit."""
        self._speak(language)
        with self._guard:
            focus = self._edit(do, index, time)
            return self._answer(focus=focus)

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

    def _plan_by(self, strategy: Strategy) -> ChunkPlan:
        return strategy.plan(self.recording)

    def _change(self, settings: Settings, *, final: bool) -> None:
        """Go on to the plan of other settings, now or when the detector has heard the recording."""
        now = self._tuning.now
        if settings == now.settings:
            self._waiting = None
            self._take(self._tuning.step(now, final=final))
            return
        made = settings.made(now.locks)  # what is impossible raises here, and nothing is changed
        if isinstance(made, vad.Vad) and not vad.is_heard(self.recording):
            self._waiting = (settings, final)
            self._version += 1
            if not self._hearing:
                self._hearing, self._heard = True, 0.0
                self.aside(self._listen, "listening")
            return
        self._waiting = None
        state = _tuning.planned(settings, self._plan_by, now.locks)
        self._take(self._tuning.step(state, final=final))

    def _edit(self, do: str, index: int, time: float) -> int:
        """Do an edit; return the cut that it was about, or -1."""
        now = self._tuning.now
        if do in ("undo", "redo"):
            self._waiting = None
            self._take(self._tuning.undone() if do == "undo" else self._tuning.redone())
            return -1
        edits: dict[str, Callable[[], tuple[State, int]]] = {
            "add": lambda: _tuning.added(now, time),
            "move": lambda: _tuning.moved(now, index, time),
            "remove": lambda: _tuning.removed(now, index),
            "lock": lambda: _tuning.locked(now, index, True),
            "unlock": lambda: _tuning.locked(now, index, False),
            "reset": lambda: (_tuning.planned(now.settings, self._plan_by), -1),
        }
        if do not in edits:
            raise OptionError(f"There is no edit {do!r}. Known: {', '.join(edits)}, undo, redo.")
        state, focus = edits[do]()
        self._take(self._tuning.step(state))
        return focus

    def _take(self, tuning: Tuning) -> None:
        """Make a tuning the present one."""
        self._tuning = tuning
        self._version += 1
        self.plan = tuning.now.plan

    def _hear(self, settings: Settings) -> None:
        """Let the detector hear the recording where settings need it, in a cell that waits."""
        if isinstance(settings.made(), vad.Vad):
            vad.probability_of(self.recording)

    def _listen(self) -> None:
        """Let the detector hear the recording, tell how far it is, then take what waits for it."""
        told = time.monotonic()

        def tell(done: float) -> None:
            nonlocal told
            if self._closed:
                raise _ClosedError
            self._heard = done
            if time.monotonic() - told >= _TELL_EVERY:
                told = time.monotonic()
                self.tell("listening", {"done": done})

        try:
            vad.probability_of(self.recording, tell)
        except _ClosedError:
            return
        except Exception:  # the panel shows it, and the form goes back to what is planned
            with self._guard:
                self._waiting = None
                self._version += 1
            self._tell()
            raise
        finally:
            self._hearing = False
        with self._guard:
            if self._waiting is None:
                return
            (settings, final), self._waiting = self._waiting, None
            self._change(settings, final=final)
        self._tell()

    def _answer(self, *, focus: int = -1) -> Answer:
        """Return what the browser draws."""
        more: dict[str, Any] = {"version": self._version, "focus": focus, "listening": None}
        if self._waiting is not None:
            more["settings"] = self._waiting[0].as_dict()
            more["listening"] = self._heard
            more["note"] = say("tuner.listening", self._language)
        return _plan_data.answer(
            self._tuning, batch_size=self._batch, language=self._language, **more
        )

    def _tell(self) -> None:
        """Send the browser the plan that it did not ask for."""
        with self._guard:
            data, buffers = self._answer()
        self.tell("plan", data, buffers)

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


class _ClosedError(Exception):
    """The panel was closed while the detector listened."""


def _first(recording: Recording, given: str | Strategy | ChunkPlan | None, model: str) -> State:
    """Return the state to begin with."""
    start = session_settings(model)
    if isinstance(given, ChunkPlan):
        must_be_of(given, recording)
        return _tuning.given(given, start)
    settings, cuts = (start, ()) if given is None else settings_of(given, start)
    return _tuning.planned(settings, lambda strategy: strategy.plan(recording), cuts)
