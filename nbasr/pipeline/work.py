"""What one call will do: the recordings, their chunks, the model, the batches."""

from __future__ import annotations

import html
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from nbasr import chunking
from nbasr._units import size
from nbasr.chunking import Chunk, ChunkPlan
from nbasr.errors import ModelError, OptionError
from nbasr.models import estimating
from nbasr.pipeline.batching import pack
from nbasr.pipeline.progress import clock

if TYPE_CHECKING:
    from nbasr.audio.recording import Recording
    from nbasr.engines.base import EngineSpec
    from nbasr.memory.estimate import MemoryEstimate
    from nbasr.options import Options


CUTTING = (
    "max_seconds",
    "min_seconds",
    "target_seconds",
    "min_pause",
    "margin",
    "threshold_db",
    "above_floor_db",
    "overlap",
)
"""Options that say how a named strategy cuts."""


class Cutter(Protocol):
    """What can take the place of a strategy: your own, too."""

    def plan(self, source: Recording, /) -> ChunkPlan:
        """Cut a recording."""
        ...


@dataclass(frozen=True)
class Item:
    """One chunk to recognise, and whose it is.

    Parameters
    ----------
    recording
        Index of the recording.
    position
        Index of the chunk in its plan.
    chunk
        The chunk, in seconds of its recording.
    """

    recording: int
    position: int
    chunk: Chunk


@dataclass(frozen=True, eq=False)
class Work:
    """What `transcribe` will do; shown by ``%transcribe --plan``.

    Parameters
    ----------
    recordings
        The opened recordings.
    plans
        The chunks of each.
    spec
        The model that will recognise them.
    options
        The final options.
    many
        Whether a list was asked for.
    aligner
        The model that finds the times of words; None where none is needed.
    """

    recordings: tuple[Recording, ...]
    plans: tuple[ChunkPlan, ...]
    spec: EngineSpec
    options: Options
    many: bool = False
    aligner: EngineSpec | None = None

    @cached_property
    def items(self) -> tuple[Item, ...]:
        """Every chunk of every recording, in order."""
        return tuple(
            Item(recording, position, chunk)
            for recording, plan in enumerate(self.plans)
            for position, chunk in enumerate(plan.chunks)
        )

    @cached_property
    def batches(self) -> tuple[tuple[Item, ...], ...]:
        """The chunks as they will be recognised together.

        With a ``batch_size`` of one's own the memory is not looked at beforehand.
        """
        given = self.options.batch_size
        packed = pack(
            [item.chunk.duration for item in self.items],
            given or self.spec.batch_size,
            None if given else self._fits,
        )
        return tuple(tuple(self.items[index] for index in batch) for batch in packed)

    def _fits(self, count: int, seconds: float) -> bool:
        """Tell whether so many chunks fit beside the model, be it loaded already or not."""
        return count <= estimating.largest_batch(self.spec, seconds)

    @property
    def seconds(self) -> float:
        """Seconds of audio in all chunks."""
        return sum(item.chunk.duration for item in self.items)

    @cached_property
    def memory(self) -> MemoryEstimate | None:
        """What model and largest batch will take; None where nothing is known of the model."""
        if not self.batches:
            return None
        sizes = [(len(batch), max(i.chunk.duration for i in batch)) for batch in self.batches]
        count, seconds = max(sizes, key=lambda size: size[0] * size[1])
        try:
            return estimating.estimate(self.spec, chunk_seconds=seconds, batch_size=count)
        except ModelError:  # not fetched yet
            return None

    @property
    def name(self) -> str:
        """The recording's name, or how many there are."""
        one = len(self.recordings) == 1
        return self.recordings[0].name if one else f"{len(self.recordings)} recordings"

    def _facts(self) -> list[tuple[str, str]]:
        total = sum(recording.duration for recording in self.recordings)
        most = self.options.batch_size or self.spec.batch_size
        facts = [
            ("model", f"{self.spec.name} ({self.spec.precision}, {self.spec.device})"),
            (
                "audio",
                f"{clock(total)}, of it {clock(self.seconds)} in {_many(self.items, 'chunk')}",
            ),
            (
                "batches",
                f"{len(self.batches)} of up to {most}" if most > 1 else "one chunk at a time",
            ),
        ]
        if self.aligner is not None:
            facts.append(("words", f"timed by {self.aligner.name}"))
        if self.memory is not None:
            told = (
                f"{size(self.memory.total_bytes)}, of it weights {size(self.memory.weights_bytes)}"
            )
            facts.append(("memory", told if self.memory.fits else f"{told}: more than there is"))
        return facts

    def __repr__(self) -> str:
        """Tell it in a few lines."""
        lines = [f"Plan for {self.name} (nothing is done yet)"]
        lines += [f"  {what:8} {value}" for what, value in self._facts()]
        return "\n".join([*lines, *(f"  {plan!r}" for plan in self.plans)])

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """Show the facts and the drawn chunks of the first recordings."""
        rows = "".join(
            f'<tr><th style="text-align:left">{what}</th>'
            f'<td style="text-align:left">{html.escape(value)}</td></tr>'
            for what, value in self._facts()
        )
        drawn = "".join(_html(plan) for plan in self.plans[:5])
        more = len(self.plans) - 5
        rest = f"<p>… and {more} more</p>" if more > 0 else ""
        return {
            "text/plain": repr(self),
            "text/html": f"<div><b>Plan for {html.escape(self.name)}</b> (nothing is done yet)"
            f"<table>{rows}</table>{drawn}{rest}</div>",
        }


def _many(things: tuple[Any, ...], what: str) -> str:
    return f"{len(things)} {what}" + "s" * (len(things) != 1)


def _html(plan: ChunkPlan) -> str:
    return str(plan._repr_mimebundle_()["text/html"])


def cut(recording: Recording, spec: EngineSpec, options: Options, custom: Any) -> ChunkPlan:
    """Cut a recording as the options say, within what the model can take.

    Parameters
    ----------
    recording
        The recording.
    spec
        The model; its ``max_seconds`` is the default and the limit.
    options
        Final options.
    custom
        A `ChunkPlan`, or an object with ``plan(recording)``, in place of the named strategy.

    Raises
    ------
    OptionError
        If the plan is another recording's, or has a chunk longer than the model can take.
    """
    if isinstance(custom, ChunkPlan):
        plan = custom
    elif custom is not None:
        if not callable(getattr(custom, "plan", None)):
            raise OptionError(
                f"chunking is a name, a strategy or a plan, not {type(custom).__name__}; "
                'try chunking="optimal".'
            )
        plan = custom.plan(recording)
        if not isinstance(plan, ChunkPlan):
            raise OptionError(
                f"{type(custom).__name__}.plan returned {type(plan).__name__}; return a ChunkPlan, "
                "such as nbasr.chunking.ChunkPlan.of(recording, [(start, stop), …])."
            )
    else:
        plan = chunking.strategy(
            options.chunking,
            max_seconds=_longest(recording, spec, options),
            min_seconds=options.min_seconds,
            target_seconds=options.target_seconds,
            min_pause=options.min_pause,
            margin=options.margin,
            threshold_db=options.threshold_db,
            above_floor_db=options.above_floor_db,
            overlap=options.overlap or None,
        ).plan(recording)
    _must_be_of(plan, recording)
    longest = max((chunk.duration for chunk in plan.chunks), default=0.0)
    if longest > spec.max_seconds + 0.01:
        raise OptionError(
            f"{spec.name} takes chunks of up to {spec.max_seconds:g} s, but the plan has one of "
            f"{longest:.1f} s; set max_seconds to {spec.max_seconds:g} or less."
        )
    return plan


def _must_be_of(plan: ChunkPlan, recording: Recording) -> None:
    """Raise if the plan was made for another recording, as far as it tells."""
    if abs(plan.duration - recording.duration) > 0.05:
        raise OptionError(
            f"That plan was made for {plan.duration:.1f} s of sound, but {recording.name} has "
            f"{recording.duration:.1f} s; plan this one."
        )
    if plan.recording is not None and plan.recording != recording:
        raise OptionError(
            f"That plan was made for {plan.recording.name}, another recording than "
            f"{recording.name}; plan this one."
        )


def _longest(recording: Recording, spec: EngineSpec, options: Options) -> float:
    """Return the longest chunk to cut, in seconds."""
    if options.max_seconds == "adaptive":
        return min(chunking.adaptive_seconds(recording.duration), spec.max_seconds)
    return float(options.max_seconds) if options.max_seconds else spec.max_seconds
