"""What all strategies share: their fields, and the way from a recording to a plan."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nbasr.audio.levels import Levels
from nbasr.chunking._chunk import ROUNDING, SHORTEST, between
from nbasr.chunking._places import Places, places
from nbasr.chunking._source import heard
from nbasr.chunking.pauses import MIN_PAUSE, speech
from nbasr.chunking.plan import Chunk, ChunkPlan, Cut
from nbasr.errors import OptionError

if TYPE_CHECKING:
    from nbasr.audio.recording import Recording
    from nbasr.audio.sources import Source

MARGIN = 0.15
"""Seconds of sound kept around speech: weak onsets and endings lie below any threshold."""

_SHORTEST_MAXIMUM = 0.5  # seconds
_USUAL_MINIMUM = 1.0  # seconds, or a quarter of a maximum under 4 s
_ADAPTIVE = ((30 * 60.0, 45.0), (90 * 60.0, 60.0))  # up to so many seconds: so long a chunk
_ADAPTIVE_BEYOND = 90.0


def adaptive_seconds(duration: float) -> float:
    """Return the longest chunk for ``max_seconds="adaptive"``: it grows with the recording.

    45 s up to 30 min, 60 s up to 90 min, 90 s beyond; known from guides to Fun-ASR. Only models
    with a long memory take such chunks.

    Parameters
    ----------
    duration
        Length of the recording in seconds.
    """
    return next((longest for limit, longest in _ADAPTIVE if duration <= limit), _ADAPTIVE_BEYOND)


@dataclass(frozen=True, kw_only=True, repr=False)
class Strategy(ABC):
    """A way to cut recordings."""

    max_seconds: float | str = 30.0
    min_seconds: float | None = None
    min_pause: float = MIN_PAUSE
    margin: float = MARGIN
    cuts: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if isinstance(self.max_seconds, str):
            if self.max_seconds != "adaptive":
                raise OptionError(
                    f"max_seconds is a number of seconds or 'adaptive', not {self.max_seconds!r}."
                )
        elif not _SHORTEST_MAXIMUM <= self.max_seconds < np.inf:
            raise OptionError(
                f"max_seconds is at least {_SHORTEST_MAXIMUM:g} s, not {self.max_seconds!r}."
            )
        if not 0 <= self.min_pause < np.inf or not 0 <= self.margin < np.inf:
            raise OptionError(
                f"min_pause and margin are 0 s or more, not {self.min_pause!r} and {self.margin!r}."
            )
        if self.min_seconds is not None and not self.min_seconds >= 0:
            raise OptionError(f"min_seconds is 0 s or more, not {self.min_seconds!r}.")
        if not isinstance(self.max_seconds, str):
            self._limits(self.max_seconds)
        object.__setattr__(self, "cuts", _times(self.cuts))

    def __repr__(self) -> str:
        told = [
            f"{each.name}={value:g}" if isinstance(value, float) else f"{each.name}={value!r}"
            for each in dataclasses.fields(self)
            if (value := getattr(self, each.name)) != each.default or each.name == "max_seconds"
        ]
        return f"{type(self).__name__}({', '.join(told)})"

    def plan(self, source: Source | Levels) -> ChunkPlan:
        """Cut a recording.

        Parameters
        ----------
        source
            A Recording, its Levels, or whatever `Recording.open` takes.

        Raises
        ------
        AudioError
            If `source` is no recording.
        OptionError
            If a cut that was asked for lies outside the recording.
        """
        recording, levels = heard(source)
        duration = levels.duration
        outside = [
            f"{cut:g}" for cut in self.cuts if not SHORTEST <= cut <= duration - SHORTEST + ROUNDING
        ]
        if outside:
            raise OptionError(
                f"No cut can be made at {', '.join(outside)} s: the recording lasts from 0 to "
                f"{duration:g} s, and cuts stay {SHORTEST:g} s away from both ends."
            )
        longest = (
            adaptive_seconds(duration)
            if isinstance(self.max_seconds, str)
            else float(self.max_seconds)
        )
        shortest = self._limits(longest)
        spoken = self._speech(recording, levels)
        if len(spoken):
            chunks, cuts = self._cut(spoken, levels, longest, shortest)
        else:
            chunks, cuts = [], []
        return ChunkPlan(
            chunks=tuple(chunks),
            cuts=tuple(cuts),
            skipped=between(chunks, duration),
            speech=tuple((start, stop) for start, stop in spoken.tolist()),
            duration=duration,
            strategy=repr(self),
            max_seconds=longest,
            recording=recording,
            levels=levels,
            threshold_db=getattr(self, "threshold_db", None),
            above_floor_db=getattr(self, "above_floor_db", None),
        )

    @abstractmethod
    def _speech(self, recording: Recording | None, levels: Levels) -> NDArray[np.float64]:
        """Return (stretches, 2) seconds of speech."""

    @abstractmethod
    def _cut(
        self, spoken: NDArray[np.float64], levels: Levels, longest: float, shortest: float
    ) -> tuple[list[Chunk], list[Cut]]:
        """Return chunks and cuts for at least one stretch of speech."""

    def _limits(self, longest: float) -> float:
        """Return the shortest chunk that goes with `longest`, or raise if other limits do not."""
        if self.min_seconds is None:
            return min(_USUAL_MINIMUM, longest / 4)
        if 2 * self.min_seconds > longest:
            raise OptionError(
                f"min_seconds is at most half of max_seconds ({longest:g} s), "
                f"not {self.min_seconds:g}."
            )
        return self.min_seconds


def _times(cuts: Any) -> tuple[float, ...]:
    """Return the times of `cuts` in order, or raise if they are none or too close together."""
    try:
        times = sorted(float(cut) for cut in cuts)
    except (TypeError, ValueError):
        times = [np.nan]
    if not np.isfinite(times).all():
        raise OptionError(f"cuts are times in seconds, such as (12.5, 40.0), not {cuts!r}.")
    for before, after in pairwise(times):
        if after - before < SHORTEST - ROUNDING:
            raise OptionError(
                f"Cuts at {before:g} and {after:g} s are too close together: leave at least "
                f"{SHORTEST:g} s between them."
            )
    return tuple(times)


@dataclass(frozen=True, kw_only=True, repr=False)
class ByLevel(Strategy):
    """A strategy that finds speech by its level."""

    threshold_db: float | None = None
    above_floor_db: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.threshold_db is not None and not -100 <= self.threshold_db <= 0:
            raise OptionError(
                f"threshold_db is a level from -100 to 0 dBFS, not {self.threshold_db!r}."
            )
        if self.above_floor_db is not None and not 0 < self.above_floor_db <= 100:
            raise OptionError(
                f"above_floor_db is between 0 and 100 dB, not {self.above_floor_db!r}."
            )
        if self.threshold_db is not None and self.above_floor_db is not None:
            raise OptionError(
                "threshold_db and above_floor_db both say where speech begins, in dBFS and above "
                "the noise floor; give one of them."
            )

    def _speech(self, recording: Recording | None, levels: Levels) -> NDArray[np.float64]:  # noqa: ARG002
        return speech(
            levels,
            threshold_db=self.threshold_db,
            above_floor_db=self.above_floor_db,
            min_pause=self.min_pause,
        )


@dataclass(frozen=True, kw_only=True, repr=False)
class AtPlaces(Strategy):
    """A strategy that chooses among pauses, and weak moments of speech where it must."""

    target_seconds: float | None = None

    def _limits(self, longest: float) -> float:
        shortest = super()._limits(longest)
        target = self.target_seconds
        if target is not None and not shortest <= target <= longest:
            raise OptionError(
                f"target_seconds is between min_seconds and max_seconds ({shortest:g} and "
                f"{longest:g} s), not {target!r}."
            )
        return shortest

    @abstractmethod
    def _choose(self, found: Places, longest: float, shortest: float) -> list[int] | None:
        """Return the places cut at, from the first to the last, or None if there is no way."""

    def _cut(
        self, spoken: NDArray[np.float64], levels: Levels, longest: float, shortest: float
    ) -> tuple[list[Chunk], list[Cut]]:
        sections = cache(partial(self._sections, spoken, levels, longest))
        chunks: list[Chunk] = []
        cuts: list[Cut] = []
        for number in range(len(sections(False))):
            # Where pauses do not allow both limits, cut into speech; if even that does not, drop
            # one.
            for everywhere, least in ((False, shortest), (True, shortest), (True, 0.0)):
                found = sections(everywhere)[number]
                chosen = self._choose(found, longest, least) or self._choose_leniently(
                    found, longest, least
                )
                if chosen is not None:
                    break
            else:
                raise AssertionError("speech offers places closer than any maximum")
            if chunks:
                cuts.append(Cut(float(found.locked[0]), float(found.pause[0]), locked=True))
            made, within = _realize(found, chosen, longest, shortest)
            chunks += made
            cuts += within
        return chunks, cuts

    def _choose_leniently(self, found: Places, longest: float, shortest: float) -> list[int] | None:
        """Choose with chunks as short as need be beside cuts that were asked for, if any were."""
        lenient = found.lenient()
        return None if lenient is None else self._choose(lenient, longest, shortest)

    def _sections(
        self, spoken: NDArray[np.float64], levels: Levels, longest: float, everywhere: bool
    ) -> list[Places]:
        """Return the places between each two cuts that were asked for."""
        return places(
            spoken,
            levels,
            max_seconds=longest,
            margin=self.margin,
            cuts=self.cuts,
            everywhere=everywhere,
        ).sections()


def _realize(
    found: Places, chosen: list[int], longest: float, shortest: float
) -> tuple[list[Chunk], list[Cut]]:
    """Make chunks and cuts of chosen places."""
    chunks = []
    for first, last in pairwise(chosen):
        start, stop = float(found.start[first]), float(found.stop[last])
        lacking = shortest - (stop - start)
        if lacking > 0:  # into the silence around, never beyond its middle
            earliest, latest = float(found.earliest_start[first]), float(found.latest_stop[last])
            taken = min(start - earliest, max(lacking / 2, lacking - (latest - stop)))
            start, stop = max(start - taken, earliest), min(stop + lacking - taken, latest)
        chunks.append(Chunk(start, at_most(longest, start, stop)))
    cuts = [
        Cut((before.stop + after.start) / 2, float(found.pause[place]))
        for before, after, place in zip(chunks[:-1], chunks[1:], chosen[1:-1], strict=True)
    ]
    return chunks, cuts


def at_most(longest: float, start: float, stop: float) -> float:
    """Return `stop`, or what rounding leaves of it, so that no chunk is over the maximum."""
    while stop - start > longest:
        stop = min(start + longest, np.nextafter(stop, start))
    return float(stop)
