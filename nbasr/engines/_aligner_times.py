"""From what an aligner thinks of each time to times in order, and room for words that got none."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

BELIEVED = 1e-4
"""Probability below which a time is not believed. One wild guess then costs no more than this,
however sure the model is of it, and cannot drag its neighbours along; of 5000 classes, the
likeliest has at least twice that."""

LEAST_MS = 20
"""Shortest word: two frames of the features."""

Span = tuple[int, int]
"""Start and stop in milliseconds."""


def in_order(chances: NDArray[np.float32], step: float, end: int) -> list[int]:
    """Return the likeliest times that do not run backwards.

    The model says for each place in the text how likely each time is, and nothing keeps its guesses
    in order. Of all rows of times in order, this is the one whose product of probabilities is the
    largest (Viterbi 1967); the guesses themselves, where they are in order. A place whose time
    there is not `BELIEVED` is set evenly between its neighbours.

    Parameters
    ----------
    chances
        Probabilities, shape (places, classes).
    step
        Milliseconds of a class.
    end
        Length of the sound in milliseconds; nothing is later.

    Returns
    -------
    list of int
        Milliseconds, one of each place, in order.
    """
    places, classes = chances.shape
    if not places:
        return []
    costs = np.log(np.maximum(chances, BELIEVED))
    came = np.zeros((places, classes), dtype=np.uint16)  # from which class, best, one place before
    total = np.zeros(classes)
    for place, row in enumerate(costs):
        if place:
            highest = np.maximum.accumulate(total)
            at = np.where(total == highest, np.arange(classes), 0)
            came[place] = np.maximum.accumulate(at)
            total = highest
        total = total + row
    path = [int(total.argmax())]
    for place in range(places - 1, 0, -1):
        path.append(int(came[place, path[-1]]))
    chosen = np.array(path[::-1])
    places_of = np.arange(places)
    sure = chances[places_of, chosen] > BELIEVED
    if not sure.any():
        return [round(end * place / places) for place in places_of.tolist()]
    times = np.minimum(np.interp(places_of, places_of[sure], chosen[sure] * step), end)
    return [round(float(time)) for time in times]


def mended(spans: Sequence[Span], end: int, usual: int) -> list[Span]:
    """Give words without length some, and keep the others.

    The aligner often puts start and stop of a word into the same class although it is said for a
    tenth of a second and more (QwenLM/Qwen3-ASR, issues 55 and 197). Such a word gets the length of
    a class, from the pause around it, else from the words beside it, which keep at least half of
    theirs. Words at the same moment stand one after another in what there is.

    Parameters
    ----------
    spans
        Words in milliseconds, none before the one in front of it.
    end
        Length of the sound in milliseconds.
    usual
        Milliseconds of a class.

    Returns
    -------
    list of (int, int)
        Words in order, inside the sound, none over another, each of at least `LEAST_MS`, or as much
        as there is for each in a sound too short for that.
    """
    found = [(min(start, end), min(stop, end)) for start, stop in spans]
    first = 0
    while first < len(found):
        last = first
        while last < len(found) and found[last] == (found[first][0], found[first][0]):
            last += 1
        if last > first:
            _widen(found, first, last, end, usual)
        first = max(last, first + 1)
    return _apart(found, end)


def _widen(found: list[Span], first: int, last: int, end: int, usual: int) -> None:
    """Give the words from `first` up to `last`, all at one moment, room around it, in place."""
    moment = found[first][0]
    # How far the pause reaches on either side, and how far beyond it a neighbour can give way.
    low, lowest, high, highest = 0, 0, end, end
    if first:
        start, low = found[first - 1]
        lowest = low - (low - start) // 2
    if last < len(found):
        high, stop = found[last]
        # One without length wants half of the pause for itself.
        highest = high + (stop - high) // 2
        if high == stop:
            high = highest = (moment + high + 1) // 2
    count = last - first
    room = usual * count
    start, stop = _around(moment, room, low, high)
    if stop - start < room:
        start, stop = _around(moment, room, min(lowest, start), max(highest, stop))
    edges = [start + (stop - start) * number // count for number in range(count + 1)]
    found[first:last] = pairwise(edges)
    if first:
        found[first - 1] = (found[first - 1][0], min(found[first - 1][1], start))
    if last < len(found):
        found[last] = (max(found[last][0], stop), max(found[last][1], stop))


def _around(moment: int, room: int, low: int, high: int) -> Span:
    """Return `room` milliseconds around a moment, between two bounds, or what there is."""
    start = max(low, moment - room // 2)
    stop = min(high, start + room)
    return max(low, stop - room), stop


def _apart(spans: Sequence[Span], end: int) -> list[Span]:
    """Move words apart until each has its least length inside the sound."""
    least = min(LEAST_MS, end // len(spans)) if spans else 0
    found: list[Span] = []
    edge = 0
    for start, stop in spans:  # later, where they lie over the one before
        start = max(start, edge)
        edge = max(stop, start + least)
        found.append((start, edge))
    edge = end
    for number in range(len(found) - 1, -1, -1):  # and back, where they lie behind the end
        start, stop = found[number]
        stop = min(stop, edge)
        edge = min(start, stop - least)
        found[number] = (edge, stop)
    return found
