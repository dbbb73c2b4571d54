"""What a tuner works on: settings, the plan they give, edits by hand, steps to undo."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from nbasr import chunking
from nbasr.chunking import ChunkPlan, Cut, Fixed, Optimal, Silence, Strategy, Vad
from nbasr.errors import OptionError, did_you_mean

STRATEGIES: dict[str, type[Strategy]] = {
    "optimal": Optimal,
    "silence": Silence,
    "vad": Vad,
    "fixed": Fixed,
}
THRESHOLDS = ("auto", "above_floor", "absolute")
"""How it is told where speech begins: by itself, in dB above the noise floor, in dBFS."""

DEPTH = 100
"""Steps that can be undone."""

APART = 0.1
"""Seconds between two cuts that are locked."""

_USUAL_DB = {"above_floor": 12.0, "absolute": -40.0}
_TICK = 4  # decimals of a second to which a dragged cut is rounded: a tenth of a millisecond


@dataclass(frozen=True)
class Settings:
    """What the form of a tuner holds. What a strategy does not know is kept for the next one.

    Parameters
    ----------
    strategy
        Name of the strategy.
    threshold
        One of `THRESHOLDS`.
    threshold_value
        In dB above the noise floor, or in dBFS; None: a usual one.
    min_pause, margin, min_seconds, target_seconds, max_seconds, overlap, probability
        As the strategies take them; those in seconds may be None where theirs may.
    """

    strategy: str = "optimal"
    threshold: str = "auto"
    threshold_value: float | None = None
    min_pause: float = Optimal.min_pause
    margin: float = Optimal.margin
    min_seconds: float | None = None
    target_seconds: float | None = None
    max_seconds: float | str = 30.0
    overlap: float = Fixed.overlap
    probability: float = Vad.probability

    def __post_init__(self) -> None:
        for name, known in (("strategy", tuple(STRATEGIES)), ("threshold", THRESHOLDS)):
            value = getattr(self, name)
            if value not in known:
                close = did_you_mean(value, known) if isinstance(value, str) else ""
                raise OptionError(f"{name} is one of {', '.join(known)}, not {value!r}.{close}")
        for name in _NUMBERS:
            value = getattr(self, name)
            if (value is None and name in _OPEN) or (name, value) == ("max_seconds", "adaptive"):
                continue
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise OptionError(f"{name} is a number, not {value!r}.")
            if not math.isfinite(value):
                raise OptionError(f"{name} is a finite number, not {value!r}.")
            object.__setattr__(self, name, float(value))

    @classmethod
    def of(cls, strategy: Strategy, before: Settings | None = None) -> Settings:
        """Return the settings of a strategy.

        Parameters
        ----------
        strategy
            One of nbasr's own.
        before
            Settings that hold for what the strategy does not know.

        Raises
        ------
        OptionError
            If it is no strategy of nbasr.
        """
        names = [name for name, kind in STRATEGIES.items() if type(strategy) is kind]
        if not names:
            raise OptionError(
                f"{type(strategy).__name__} is none of nbasr's strategies; make a plan with it "
                "and tune that: tuner.plan = strategy.plan(recording)."
            )
        known = {name: getattr(strategy, name) for name in _known(names[0]) & _shared()}
        if isinstance(strategy, Vad):
            return replace(before or cls(), strategy=names[0], **known)
        absolute, above = (getattr(strategy, name) for name in ("threshold_db", "above_floor_db"))
        threshold = "auto" if absolute is None and above is None else "above_floor"
        threshold = threshold if absolute is None else "absolute"
        value = above if absolute is None else absolute
        return replace(
            before or cls(),
            strategy=names[0],
            threshold=threshold,
            threshold_value=value,
            **known,
        )

    def told(self, changes: Mapping[str, Any]) -> Settings:
        """Return the settings with some of them changed, as a browser or a file tells.

        Raises
        ------
        OptionError
            If there is no such setting, or a value is impossible.
        """
        for name in changes:
            if name not in _NAMES:
                raise OptionError(
                    f"There is no setting {name!r}.{did_you_mean(str(name), _NAMES)} "
                    f"Known: {', '.join(_NAMES)}."
                )
        return replace(self, **changes)

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as JSON knows them."""
        return dataclasses.asdict(self)

    def made(self, cuts: Iterable[float] = ()) -> Strategy:
        """Return the strategy that does this.

        Parameters
        ----------
        cuts
            Times in seconds at which it cuts in any case.

        Raises
        ------
        OptionError
            If the settings do not go together.
        """
        known = _known(self.strategy)
        values = {name: getattr(self, name) for name in known & _shared()}
        if self.threshold != "auto":
            name = "threshold_db" if self.threshold == "absolute" else "above_floor_db"
            value = self.threshold_value
            if name in known:
                values[name] = _USUAL_DB[self.threshold] if value is None else value
        return chunking.strategy(self.strategy, **values, cuts=tuple(cuts))


_NAMES = tuple(field.name for field in dataclasses.fields(Settings))
_NUMBERS = _NAMES[2:]
_OPEN = ("threshold_value", "min_seconds", "target_seconds")


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


@cache
def _known(strategy: str) -> frozenset[str]:
    """Return what a strategy can be told."""
    return frozenset(field.name for field in dataclasses.fields(STRATEGIES[strategy]))


@cache
def _shared() -> frozenset[str]:
    """Return what settings and strategies call by the same name."""
    return frozenset(_NUMBERS) - {"threshold_value"}
