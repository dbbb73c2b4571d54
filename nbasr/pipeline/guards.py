"""What is done when a model's answer cannot be trusted: cut again, never cut off in silence."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from nbasr.audio.levels import Levels
from nbasr.chunking.pauses import pauses
from nbasr.engines.base import Recognition
from nbasr.pipeline.ladder import OUT_OF_MEMORY
from nbasr.pipeline.seams import placed
from nbasr.text.joining import join

WRONG = frozenset({"truncated", "repetition", OUT_OF_MEMORY})
"""Flags of an answer that is not taken: its token budget was used up, it runs in circles, or there
is none because the chunk did not fit into memory."""

SHORTEST = 1.0
"""Seconds that a part has at least: a second holds two or three words, which no token budget is too
small for, so the answer runs away for another reason."""

HALVINGS = 3
"""Times that a chunk is cut in two. Each doubles the work, and what still fails in an eighth of a
chunk is no speech that the model knows."""


def rescued(
    found: Recognition,
    start: float,
    stop: float,
    levels: Levels,
    again: Callable[[float, float], Recognition],
    halvings: int = HALVINGS,
) -> Recognition:
    """Recognise a chunk anew in two parts, and those in two, until no answer is flagged.

    Parameters
    ----------
    found
        The answer for the whole chunk.
    start, stop
        The chunk, in seconds.
    levels
        Levels of the recording; the cut goes into its widest inner pause, else its quietest place.
    again
        Recognises the sound between two times, in seconds.
    halvings
        How often to cut at most.

    Returns
    -------
    Recognition
        With times from the chunk's start; `found` itself where nothing is `WRONG` with it. Still
        flagged if even the smallest parts were wrong.
    """
    if not is_wrong(found) or stop - start < 2 * SHORTEST or not halvings:
        return found
    middle = best_cut(levels, start, stop)
    parts = []
    for left, right in ((start, middle), (middle, stop)):
        part = rescued(again(left, right), left, right, levels, again, halvings - 1)
        parts.append((left - start, right - start, part))
    segments = [
        placed(segment, low, low, high) for low, high, part in parts for segment in part.segments
    ]
    flags = tuple(dict.fromkeys(flag for _, _, part in parts for flag in part.flags))
    language = parts[0][2].language or parts[1][2].language
    return dataclasses.replace(
        found,
        text=join([part.text for _, _, part in parts], language),
        language=language,
        segments=tuple(segments),
        flags=flags,
    )


def is_wrong(found: Recognition) -> bool:
    """Tell whether an answer is not taken as it is."""
    return bool(WRONG & set(found.flags))


def best_cut(levels: Levels, start: float, stop: float) -> float:
    """Return the time in the widest pause between `start` and `stop`, else in the quietest frame.

    Both ends keep at least `SHORTEST` seconds, so that cutting again comes to an end.
    """
    low, high = start + SHORTEST, stop - SHORTEST
    found = pauses(levels, min_pause=0.1)
    if len(found):
        inside = np.clip(found, low, high)
        widths = inside[:, 1] - inside[:, 0]
        if widths.max(initial=0.0) > 0:
            return float(inside[widths.argmax()].mean())
    first = round(low / levels.frame_seconds)
    last = max(first + 1, round(high / levels.frame_seconds))
    quietest = int(levels.rms_db[first:last].argmin())
    return (first + quietest + 0.5) * levels.frame_seconds
