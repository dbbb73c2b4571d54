"""What the browser asks to be done to lines, as corrections of a transcript."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from nbasr.errors import OptionError
from nbasr.text.cleaning import flat
from nbasr.transcript import Segment, Transcript
from nbasr.transcript.doubts import is_doubtful
from nbasr.transcript.editing import rewritten, without_doubts
from nbasr.widgets._reading import Reading, overlaps
from nbasr.widgets._reading_data import position

Edited = tuple[Transcript, int]
"""A corrected transcript, and the index of the line to go on with; -1: none."""


def edited(
    reading: Reading,
    action: str,
    id: int | None = None,  # noqa: A002 - what the browser calls it
    texts: Sequence[tuple[int, str]] = (),
    **values: Any,
) -> Edited:
    """Return what an action makes of the lines.

    Parameters
    ----------
    reading
        The lines.
    action
        One of `ACTIONS`.
    id
        Number of the line that is meant, where one is.
    texts
        (number, text) of lines whose new text comes first: one that is still being typed in.
    **values
        What the action takes.

    Raises
    ------
    OptionError
        If there is no such action or line, or it is impossible.
    """
    if action not in ACTIONS:
        raise OptionError(f"There is no edit {action!r}. Known: {', '.join(ACTIONS)}.")
    begun, changed = _typed(reading, texts)
    if action == "replace_all":
        return begun, changed
    if action == "insert":
        return _insert(begun, **values)
    if id is None:
        raise OptionError(f"The edit {action!r} needs the line that is meant.")
    index = reading.index(id)
    if action == "checked":
        return _checked(reading, begun, index, **values), index
    return _OF_LINES[action](begun, index, **values)


def reverted(reading: Reading, number: int) -> Edited:
    """Give the machine's lines back for the time of a line; all that lies in them is replaced."""
    index = reading.index(number)
    own = reading.machine.transcript.segments
    segment = reading.lines[index].segment
    start, stop = segment.start, segment.stop
    first = last = index
    while True:  # a part of a line brings the whole of it, and that what else is in it
        heard = reading.machine.between(start, stop)
        if heard:
            start = min(start, own[heard[0]].start)
            stop = max(stop, *(own[one].stop for one in heard))
        inside = [
            at
            for at, line in enumerate(reading.lines)
            if at == index or overlaps(line.segment, start, stop)
        ]
        if (inside[0], inside[-1]) == (first, last):
            break
        first, last = inside[0], inside[-1]
        start = min(start, reading.lines[first].segment.start)
        stop = max(stop, *(reading.lines[at].segment.stop for at in inside))
    given = tuple(own[one] for one in heard)
    return reading.transcript.replaced(first, last, given), first if given else -1


def _typed(reading: Reading, texts: Sequence[tuple[int, str]]) -> Edited:
    """Return the transcript with texts that people have typed; and the first line of them."""
    if not texts:
        return reading.transcript, -1
    at = {line.number: index for index, line in enumerate(reading.lines)}
    segments = list(reading.transcript.segments)
    changed = []
    for number, text in texts:
        if number not in at:
            reading.index(number)  # raises its sentence
        index = at[number]
        new = _by_hand(segments[index], text)
        if new is not segments[index]:
            segments[index] = new
            changed.append(index)
    if not changed:
        return reading.transcript, -1
    return replace(reading.transcript, segments=tuple(segments)), min(changed)


def _by_hand(segment: Segment, text: str) -> Segment:
    """Return a segment with a text that somebody has typed, who has looked at all of it."""
    clean = flat(text)
    return segment if clean == segment.text else without_doubts(rewritten(segment, clean))


def _text(transcript: Transcript, index: int, text: str) -> Edited:
    old = transcript.segments[index]
    new = _by_hand(old, text)
    return (transcript if new is old else transcript.replaced(index, index, (new,))), index


def _times(transcript: Transcript, index: int, start: float, stop: float) -> Edited:
    if start == transcript.segments[index].start and stop == transcript.segments[index].stop:
        return transcript, index
    made = transcript.with_times(index, _seconds(start), _seconds(stop))
    kept = {id(segment) for segment in transcript.segments}
    found = (at for at, segment in enumerate(made.segments) if id(segment) not in kept)
    return made, next(found, index)


def _speaker(
    transcript: Transcript, index: int, speaker: str | None = None, count: int = 1
) -> Edited:
    named = flat(speaker or "") or None

    def spoken(one: Segment) -> Segment:
        return one if one.speaker == named else replace(one, speaker=named)

    return _each(transcript, index, count, spoken), index


def _split(transcript: Transcript, index: int, at: int) -> Edited:
    place = position(transcript.segments[index].text, at)
    return transcript.split(index, place), index + 1


def _merge(transcript: Transcript, index: int, count: int = 2) -> Edited:
    first, last = _reach(transcript, index, count)
    return transcript.merged(first, last), index


def _delete(transcript: Transcript, index: int, count: int = 1) -> Edited:
    first, last = _reach(transcript, index, count)
    made = transcript.without(first, last)
    return made, min(index, len(made.segments) - 1)


def _insert(transcript: Transcript, start: float, stop: float, text: str = "") -> Edited:
    made = transcript.with_segment(_seconds(start), _seconds(stop), flat(text))
    kept = {id(segment) for segment in transcript.segments}
    return made, next(at for at, one in enumerate(made.segments) if id(one) not in kept)


def _checked(
    reading: Reading, transcript: Transcript, index: int, checked: bool = True, count: int = 1
) -> Transcript:
    """Take the doubts away from lines, or give those of the machine back."""

    def doubted(one: Segment) -> Segment:
        return one if is_doubtful(one) else reading.machine.same(one) or one

    return _each(transcript, index, count, without_doubts if checked else doubted)


def _each(
    transcript: Transcript, index: int, count: int, change: Callable[[Segment], Segment]
) -> Transcript:
    """Change so many lines one by one, all in one go: a transcript may have thousands."""
    first, last = _reach(transcript, index, count)
    old = transcript.segments[first : last + 1]
    new = tuple(map(change, old))
    if all(one is other for one, other in zip(new, old, strict=True)):
        return transcript
    return transcript.replaced(first, last, new)


def _reach(transcript: Transcript, index: int, count: int) -> tuple[int, int]:
    """Return the first and the last of so many lines; raise if there are not so many."""
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise OptionError(f"count is a whole number from 1, not {count!r}.")
    if index + count > len(transcript.segments):
        raise OptionError("There are not so many lines from there on; nothing was done.")
    return index, index + count - 1


def _seconds(value: Any) -> float:
    """Return a time to a tenth of a millisecond: browsers add noise, and files hold less."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise OptionError(f"A time is a number of seconds, not {value!r}.")
    return round(float(value), 4)


_OF_LINES: dict[str, Callable[..., Edited]] = {
    "text": _text,
    "times": _times,
    "speaker": _speaker,
    "split": _split,
    "merge": _merge,
    "delete": _delete,
}
ACTIONS = (*_OF_LINES, "checked", "insert", "replace_all")
"""What the browser may ask for, by name."""
