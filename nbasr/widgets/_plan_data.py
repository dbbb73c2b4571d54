"""A tuner's plan as its browser side takes it: figures as JSON, times as arrays of doubles."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from nbasr.audio.levels import SILENCE_DB
from nbasr.chunking import ChunkPlan
from nbasr.chunking._telling import is_short
from nbasr.widgets._panel import Answer
from nbasr.widgets._texts import say
from nbasr.widgets._tuning import Tuning

_MOST_BINS = 20
_WIDTHS = (1.0, 2.0, 2.5, 5.0, 10.0)  # of bins, times a power of ten
_DIGITS = 6  # of times in JSON: microseconds


def answer(tuning: Tuning, *, batch_size: int, language: str = "", **more: Any) -> Answer:
    """Return what the browser draws of a tuning.

    Parameters
    ----------
    tuning
        The present one.
    batch_size
        Chunks at once, by which padding is told.
    language
        Of the note.
    **more
        Values that stand in the answer as they are, in place of those below.

    Returns
    -------
    Answer
        Data as `tuner.js` takes them; buffers: chunks, speech, skipped, each (n, 2) doubles.
    """
    state = tuning.now
    plan = state.plan
    data = {
        "strategy": plan.strategy,
        "settings": state.settings.as_dict(),
        "chunks": len(plan.chunks),
        "cuts": [
            [round(cut.time, _DIGITS), round(cut.pause, _DIGITS), int(cut.locked)]
            for cut in plan.cuts
        ],
        "too_long": list(plan.too_long),
        "edited": state.edited,
        "can_undo": tuning.can_undo,
        "can_redo": tuning.can_redo,
        "max_seconds": plan.max_seconds,
        "figures": figures(plan, batch_size),
        "histogram": histogram([chunk.duration for chunk in plan.chunks], plan.max_seconds),
        "note": note(plan, state.settings.strategy, language),
    }
    chunks = ((chunk.start, chunk.stop) for chunk in plan.chunks)
    buffers = [_doubles(spans) for spans in (chunks, plan.speech, plan.skipped)]
    return Answer({**data, **more}, buffers)


def figures(plan: ChunkPlan, batch_size: int) -> dict[str, float]:
    """Return what a plan comes to: counts, seconds, shares 0..1."""
    lengths = [chunk.duration for chunk in plan.chunks]
    short = sum(is_short(cut.pause) for cut in plan.cuts)
    padding = plan.padding_in(batch_size)
    return {
        "chunks": len(lengths),
        "shortest": min(lengths, default=0.0),
        "median": float(np.median(lengths)) if lengths else 0.0,
        "longest": max(lengths, default=0.0),
        "speech": plan.speech_seconds,
        "skipped": plan.skipped_seconds,
        "short_pauses": short,
        "short_pause_share": short / max(len(plan.cuts), 1),
        "padding_in_order": padding.in_order,
        "padding_by_length": padding.by_length,
        "batch_size": batch_size,
    }


def histogram(lengths: list[float], longest: float) -> dict[str, list[float]]:
    """Return how many chunks are how long, in bins of a round width from 0 on.

    Parameters
    ----------
    lengths
        In seconds.
    longest
        What the bins reach at least, in seconds.
    """
    reach = max(longest, *lengths, 1e-3) if lengths else max(longest, 1e-3)
    least = reach / _MOST_BINS
    power = 10.0 ** math.floor(math.log10(least))
    width = next(power * each for each in _WIDTHS if power * each >= least * (1 - 1e-9))
    bins = max(math.ceil(reach / width - 1e-9), 1)
    edges = width * np.arange(bins + 1)
    # A chunk of exactly the longest length belongs to the bin that ends there.
    counts, _ = np.histogram(np.minimum(lengths, edges[-1]), edges)
    return {"edges": np.round(edges, _DIGITS).tolist(), "counts": counts.tolist()}


def note(plan: ChunkPlan, strategy: str, language: str = "") -> str:
    """Return what is to be said of a plan; ``""`` where all is well."""
    if not plan.chunks and not plan.speech:
        if plan.levels is not None and plan.levels.peak_db <= SILENCE_DB:
            return say("tuner.note_silent", language)
        heard = strategy == "vad"
        return say("tuner.no_speech_vad" if heard else "tuner.no_speech", language)
    longer = len(plan.too_long)
    if longer:
        key = "tuner.note_too_long_one" if longer == 1 else "tuner.note_too_long"
        return say(key, language, n=longer, max=f"{plan.max_seconds:g}")
    return ""


def _doubles(spans: Iterable[tuple[float, float]]) -> bytes:
    return np.array(list(spans), np.float64).tobytes()
