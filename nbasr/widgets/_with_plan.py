"""The part of a tuner that plans: settings and edits in, plans out, and the detector's patience."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import traitlets

from nbasr.audio.recording import Recording
from nbasr.chunking import ChunkPlan, Strategy, vad
from nbasr.errors import OptionError
from nbasr.widgets import _plan_data, _tuning
from nbasr.widgets._panel import Answer, answers
from nbasr.widgets._starting import must_be_of, settings_of
from nbasr.widgets._texts import say
from nbasr.widgets._tuner_settings import Settings
from nbasr.widgets._tuning import State, Tuning
from nbasr.widgets._with_model import WithModel

_TELL_EVERY = 0.1  # seconds between two messages about the detector


class WithPlan(WithModel):
    """A panel on a recording whose cuts are tuned.

    The browser asks for plans and edits; what it has not asked for is told as the event ``plan``.
    Every answer has a rising ``version``, so that the browser can drop those that come too late.
    """

    def __init__(self, recording: Recording, state: State, **given: Any) -> None:
        self._version = 0
        self._waiting: tuple[Settings, bool] | None = None  # for the detector: settings, final
        self._heard = 0.0  # share of the recording that the detector has heard
        self._hearing = False
        self._tuning = Tuning.begun(state)
        super().__init__(recording, **given)
        self.plan = state.plan

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
            self._waiting = None
            self._take(self._tuning.step(_tuning.planned(settings, self._plan_by, cuts)))
        self._tell()

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
        self,
        do: str,
        index: int = -1,
        time: float = 0.0,
        at: float | None = None,
        language: str = "",
    ) -> Answer:
        """Answer with the plan after an edit.

        Parameters
        ----------
        do
            ``"add"``, ``"move"``, ``"remove"``, ``"lock"``, ``"unlock"``, ``"undo"``, ``"redo"`` or
            ``"reset"``.
        index
            Of the cut that is meant.
        time
            Seconds; where it is to be.
        at
            Seconds; where the browser has seen the cut that it means: the plan may have changed
            since.
        language
            Of the sentences.
        """
        self._speak(language)
        with self._guard:
            found = index if at is None else _tuning.index_at(self._tuning.now, at)
            focus = self._edit(do, found, time)
            return self._answer(focus=focus)

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
        state = _tuning.planned(settings, self._plan_by, now.locks)
        self._waiting = None
        self._take(self._tuning.step(state, final=final))

    def _edit(self, do: str, index: int, time: float) -> int:
        """Do an edit; return the cut that it was about, or -1."""
        now = self._tuning.now
        if do == "undo" and self._waiting is not None:  # the last step was to ask the detector
            self._waiting = None
            self._version += 1
            return -1
        if do in ("undo", "redo"):
            tuning = self._tuning.undone() if do == "undo" else self._tuning.redone()
            self._waiting = None
            self._take(tuning)
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
        """Let the detector hear the recording, tell how far it is, then take what waits for it.

        Where that fails the panel shows why, and the form goes back to what is planned.
        """
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
            with self._guard:
                self._hearing = False
                if self._waiting is None:  # taken back meanwhile
                    return
                (settings, final), self._waiting = self._waiting, None
                self._change(settings, final=final)
        except _ClosedError:
            return
        except Exception:
            with self._guard:
                self._hearing, self._waiting = False, None
                self._version += 1
            self._tell()
            raise
        self._tell()

    def _answer(self, *, focus: int = -1) -> Answer:
        """Return what the browser draws."""
        more: dict[str, Any] = {"version": self._version, "focus": focus, "listening": None}
        if self._waiting is not None:
            more["settings"] = self._waiting[0].as_dict()
            more["listening"] = self._heard
            more["can_undo"] = True
            more["note"] = say("tuner.note_listening", self._language)
        return _plan_data.answer(
            self._tuning, batch_size=self._batch, language=self._language, **more
        )

    def _tell(self) -> None:
        """Send the browser the plan that it did not ask for."""
        with self._guard:
            data, buffers = self._answer()
        self.tell("plan", data, buffers)


class _ClosedError(Exception):
    """The panel was closed while the detector listened."""
