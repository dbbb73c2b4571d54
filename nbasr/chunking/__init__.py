"""Cut long recordings into chunks that a model takes: `Optimal`, `Silence`, `Vad`, `Fixed`."""

from __future__ import annotations

import dataclasses
from typing import Any

from nbasr.chunking._strategy import Strategy, adaptive_seconds
from nbasr.chunking.fixed import Fixed
from nbasr.chunking.optimal import Optimal
from nbasr.chunking.pauses import automatic_above_floor_db, pauses, speech
from nbasr.chunking.plan import Chunk, ChunkPlan, Cut
from nbasr.chunking.silence import Silence
from nbasr.chunking.vad import Vad
from nbasr.errors import OptionError, did_you_mean

__all__ = [
    "Chunk",
    "ChunkPlan",
    "Cut",
    "Fixed",
    "Optimal",
    "Silence",
    "Strategy",
    "Vad",
    "adaptive_seconds",
    "automatic_above_floor_db",
    "pauses",
    "speech",
    "strategy",
]


def __dir__() -> list[str]:
    """Complete only what is meant for people."""
    return list(__all__)


_STRATEGIES: dict[str, type[Strategy]] = {
    "optimal": Optimal,
    "silence": Silence,
    "vad": Vad,
    "fixed": Fixed,
}


def strategy(name: str, **fields: Any) -> Strategy:
    """Return a strategy by its name.

    Parameters
    ----------
    name
        ``"optimal"``, ``"silence"``, ``"vad"`` or ``"fixed"``.
    **fields
        What the strategy is told; None: as it is by default.

    Raises
    ------
    OptionError
        If there is no such strategy, or it knows no such field, or a value is impossible.
    """
    made = _STRATEGIES.get(name.lower())
    if made is None:
        known = ", ".join(_STRATEGIES)
        raise OptionError(
            f"There is no chunking {name!r}.{did_you_mean(name, _STRATEGIES)} Known: {known}."
        )
    given = {field: value for field, value in fields.items() if value is not None}
    for field in given:
        if field not in _fields(made):
            others = [other for other, kind in _STRATEGIES.items() if field in _fields(kind)]
            hint = (
                f"chunking {' and '.join(others)} {'does' if len(others) == 1 else 'do'}."
                if others
                else f"it knows {', '.join(_fields(made))}.{did_you_mean(field, _fields(made))}"
            )
            raise OptionError(f"Chunking {name.lower()} does not know {field}; {hint}")
    return made(**given)


def _fields(kind: type[Strategy]) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)]
