"""A stretch of a recording, recognised for a panel: which pieces, and its text as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbasr.chunking import ChunkPlan, Optimal
from nbasr.errors import OptionError
from nbasr.pipeline.jobs import Job, submit

if TYPE_CHECKING:
    from nbasr.audio.recording import Recording
    from nbasr.engines.base import EngineSpec
    from nbasr.transcript import Transcript

Span = tuple[float, float]

_SHORTEST = 0.1  # seconds; less is no word


def recognised(recording: Recording, plan: ChunkPlan, span: Span, spec: EngineSpec) -> Job:
    """Begin to transcribe a stretch with a model that is here.

    Parameters
    ----------
    recording
        The recording.
    plan
        How it is cut, for stretches that are too long for the model.
    span
        (start, stop) in seconds.
    spec
        The model.

    Raises
    ------
    OptionError
        If the stretch is none, or nobody speaks in it.
    ModelError
        As `nbasr.submit`.
    """
    pieces = spans(plan, span, spec.max_seconds)
    bits = spec.quantization.method if spec.quantization is not None else "none"
    return submit(
        recording,
        model=spec.source or spec.name,
        dtype=spec.dtype,
        quantization=bits,
        device=spec.device,
        chunking=ChunkPlan.of(recording, pieces),
    )


def spans(plan: ChunkPlan, span: Span, longest: float) -> list[Span]:
    """Return the pieces in which a stretch is recognised.

    One where the model takes it; else, and always of the whole recording, the chunks in it; where
    these are too long, it is cut at its best pauses.

    Parameters
    ----------
    plan
        How the recording is cut.
    span
        (start, stop) in seconds.
    longest
        Seconds that the model takes.

    Raises
    ------
    OptionError
        If the stretch is none, or nobody speaks in it.
    """
    start, stop = max(float(span[0]), 0.0), min(float(span[1]), plan.duration)
    if stop - start < _SHORTEST:
        raise OptionError(f"Select {_SHORTEST:g} s or more of the recording to transcribe.")
    if stop - start <= longest and stop - start < plan.duration:
        return [(start, stop)]
    found = _within(plan, start, stop)
    if not found or any(last - first > longest for first, last in found):
        source = plan.recording if plan.recording is not None else plan.levels
        assert source is not None  # a tuner's plan has been made of one of them
        found = _within(Optimal(max_seconds=longest).plan(source), start, stop)
    if not found:
        raise OptionError(f"Nobody speaks from {start:g} to {stop:g} s.")
    return found


def as_dict(span: Span, transcript: Transcript) -> dict[str, Any]:
    """Return what a panel shows of a transcript, as JSON knows it."""
    return {
        "start": span[0],
        "stop": span[1],
        "text": transcript.text,
        "language": transcript.language,
        "segments": [[one.start, one.stop, one.text] for one in transcript.segments],
        "seconds": transcript.seconds,
        "model": transcript.model,
        "complete": transcript.complete,
        "notes": list(transcript.notes),
    }


def _within(plan: ChunkPlan, start: float, stop: float) -> list[Span]:
    """Return what lies in start..stop of the chunks of a plan, overlaps given to the first."""
    found: list[Span] = []
    at = start
    for chunk in plan.chunks:
        first, last = max(chunk.start, at), min(chunk.stop, stop)
        if last - first >= _SHORTEST:
            found.append((first, last))
            at = last
    return found
