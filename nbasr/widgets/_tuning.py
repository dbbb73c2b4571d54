"""Steps of a tuner: settings and the plan they give, edits by hand, what can be undone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from nbasr.chunking import ChunkPlan, Cut, Strategy
from nbasr.errors import OptionError
from nbasr.widgets._tuner_settings import Settings

DEPTH = 100
"""Steps that can be undone."""

APART = 0.1
"""Seconds between two cuts that are locked."""

_TICK = 4  # decimals of a second to which a dragged cut is rounded: a tenth of a millisecond
_SAME = 1e-4  # seconds by which a cut may differ from what the browser was told


@dataclass(frozen=True)
class State:
    """One state of a tuner.

    Parameters
    ----------
    settings
        What the form holds.
    plan
        How the recording is cut.
    locks
        Times of the cuts that stay when the settings change.
    edited
        Whether the plan is no longer what the settings alone give.
    """

    settings: Settings
    plan: ChunkPlan
    locks: tuple[float, ...] = ()
    edited: bool = False


Planner = Callable[[Strategy], ChunkPlan]


@dataclass(frozen=True)
class Tuning:
    """A state and how it came about. Every method returns a new one.

    Parameters
    ----------
    now
        What is shown.
    settled
        The last state that was a step; `now` differs from it while a slider moves.
    past, future
        Steps to go back to, the last one last; steps that were undone, the last one last.
    """

    now: State
    settled: State
    past: tuple[State, ...] = ()
    future: tuple[State, ...] = ()

    @classmethod
    def begun(cls, state: State) -> Tuning:
        """Return a tuning without a past."""
        return cls(state, state)

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return bool(self.past) or self.now is not self.settled

    @property
    def can_redo(self) -> bool:
        """Whether a step was taken back."""
        return bool(self.future) and self.now is self.settled

    def step(self, state: State, *, final: bool = True) -> Tuning:
        """Go on to another state; what is not final, as a slider still moves, is no step."""
        if not final:
            return replace(self, now=state)
        if state == self.settled:
            return replace(self, now=self.settled)
        past = (*self.past, self.settled)[-DEPTH:]
        return Tuning(state, state, past)

    def undone(self) -> Tuning:
        """Take the last step back.

        Raises
        ------
        OptionError
            If there is none.
        """
        if self.now is not self.settled:  # a slider was let go without a word
            return Tuning(self.settled, self.settled, self.past, self.future)
        if not self.past:
            raise OptionError("There is nothing to undo.")
        *past, state = self.past
        return Tuning(state, state, tuple(past), (*self.future, self.now))

    def redone(self) -> Tuning:
        """Take a step again that was taken back.

        Raises
        ------
        OptionError
            If there is none.
        """
        if not self.can_redo:
            raise OptionError("There is nothing to redo.")
        *future, state = self.future
        return Tuning(state, state, (*self.past, self.now)[-DEPTH:], tuple(future))


def planned(settings: Settings, planner: Planner, locks: tuple[float, ...] = ()) -> State:
    """Return the state that settings give; locked cuts stay.

    Raises
    ------
    OptionError
        If the settings do not go together.
    """
    return State(settings, planner(settings.made(locks)), locks)


def given(plan: ChunkPlan, settings: Settings) -> State:
    """Return the state of a plan that was made elsewhere."""
    return State(settings, plan, _locks(plan.cuts), edited=True)


def index_at(state: State, time: float) -> int:
    """Return the index of the cut at a time.

    Raises
    ------
    OptionError
        If there is none (any more).
    """
    for index, cut in enumerate(state.plan.cuts):
        if abs(cut.time - time) < _SAME:
            return index
    raise OptionError(
        f"The cut at {time:.2f} s is no longer there: the plan has changed meanwhile. Nothing was "
        "done."
    )


def added(state: State, time: float) -> tuple[State, int]:
    """Cut at a time, and lock that; return the state and the index of the cut.

    Raises
    ------
    OptionError
        If no chunk can be cut there.
    """
    at = _rounded(time)
    plan = state.plan.with_cut(at)
    index = next(number for number, cut in enumerate(plan.cuts) if cut not in state.plan.cuts)
    return _edited(state, _locked(plan, index, True)), index


def moved(state: State, index: int, time: float) -> tuple[State, int]:
    """Move a cut, and lock it; return the state and the index of the cut.

    Raises
    ------
    OptionError
        If there is no such cut, or no room for it there.
    """
    plan = state.plan.moved_cut(index, _rounded(time))
    return _edited(state, _locked(plan, index, True)), index


def removed(state: State, index: int) -> tuple[State, int]:
    """Take a cut away; return the state and the index of a cut beside it, -1 if none is left.

    Raises
    ------
    OptionError
        If there is no such cut.
    """
    plan = state.plan.without_cut(index)
    return _edited(state, plan), min(index, len(plan.cuts) - 1)


def locked(state: State, index: int, lock: bool) -> tuple[State, int]:
    """Lock a cut, or unlock it; return the state and the index.

    Raises
    ------
    OptionError
        If there is no such cut.
    """
    if not 0 <= index < len(state.plan.cuts):
        raise OptionError(f"The plan has no cut {index}.")
    plan = _locked(state.plan, index, lock)
    return replace(state, plan=plan, locks=_kept(state, plan)), index


def _edited(state: State, plan: ChunkPlan) -> State:
    return State(state.settings, plan, _kept(state, plan), edited=True)


def _kept(state: State, plan: ChunkPlan) -> tuple[float, ...]:
    """Return the locks of a changed plan, and those that no cut of the old one stood for.

    Where nobody speaks on one side, a lock parts nothing now, and may do so with other settings.
    """
    shown = _locks(plan.cuts)
    were = {cut.time for cut in state.plan.cuts}
    hidden = (
        lock
        for lock in state.locks
        if lock not in were and all(abs(lock - other) >= APART for other in shown)
    )
    return tuple(sorted((*shown, *hidden)))


def _locks(cuts: Iterable[Cut]) -> tuple[float, ...]:
    return tuple(cut.time for cut in cuts if cut.locked)


def _locked(plan: ChunkPlan, index: int, lock: bool) -> ChunkPlan:
    cuts = list(plan.cuts)
    cuts[index] = replace(cuts[index], locked=lock)
    return replace(plan, cuts=tuple(cuts))


def _rounded(time: float) -> float:
    if isinstance(time, bool) or not isinstance(time, int | float) or not math.isfinite(time):
        raise OptionError(f"A cut is at a time in seconds, not {time!r}.")
    return round(float(time), _TICK)
