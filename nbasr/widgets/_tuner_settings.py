"""What the form of a tuner holds: a strategy's settings, kept while others are tried."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from nbasr import chunking
from nbasr.chunking import Fixed, Optimal, Silence, Strategy, Vad
from nbasr.errors import OptionError, did_you_mean

STRATEGIES: dict[str, type[Strategy]] = {
    "optimal": Optimal,
    "silence": Silence,
    "vad": Vad,
    "fixed": Fixed,
}
THRESHOLDS = ("auto", "above_floor", "absolute")
"""How it is told where speech begins: by itself, in dB above the noise floor, in dBFS."""

_USUAL_DB = {"above_floor": 12.0, "absolute": -40.0}


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


@cache
def _known(strategy: str) -> frozenset[str]:
    """Return what a strategy can be told."""
    return frozenset(field.name for field in dataclasses.fields(STRATEGIES[strategy]))


@cache
def _shared() -> frozenset[str]:
    """Return what settings and strategies call by the same name."""
    return frozenset(_NUMBERS) - {"threshold_value"}
