"""The part of a transcript between two times."""

from __future__ import annotations

import dataclasses
import math

from nbasr.errors import OptionError
from nbasr.transcript.clock import clock
from nbasr.transcript.spans import text_of
from nbasr.transcript.transcript import Segment, Transcript

PART = "part: "
"""How the note begins that says which part of a recording a transcript is."""

_HAIR = 1e-6
"""Seconds by which a segment may touch the slice through rounding without lying in it."""


def between(transcript: Transcript, start: float, stop: float | None) -> Transcript:
    """Return what was said from `start` to `stop`; see `Transcript.between`."""
    end = math.inf if stop is None else stop
    if not end > start:
        raise OptionError(f"A slice stops after it starts; {start:g} to {end:g} s is empty.")
    if start <= 0 and transcript.duration and end >= transcript.duration:
        end = math.inf  # all of it
    kept = (_trim(segment, start, end, transcript.language) for segment in transcript.segments)
    return dataclasses.replace(
        transcript,
        segments=tuple(segment for segment in kept if segment is not None),
        seconds=None,  # nobody timed this part
        notes=_noted(transcript, start, end),
    )


def _noted(transcript: Transcript, start: float, stop: float) -> tuple[str, ...]:
    """Return the notes, with which part this is."""
    if start <= 0 and stop == math.inf:
        return transcript.notes
    last = min(stop, transcript.duration or math.inf)
    until = "its end" if last == math.inf else clock(last)
    whole = f" of {clock(transcript.duration)}" if transcript.duration else ""
    notes = (note for note in transcript.notes if not note.startswith(PART))
    return (f"{PART}{clock(max(start, 0.0))} – {until}{whole}", *notes)


def _trim(segment: Segment, start: float, stop: float, language: str | None) -> Segment | None:
    """Return the part of `segment` inside `start` to `stop`, or None if nothing is."""
    if segment.start >= start and segment.stop <= stop:
        return segment
    if not segment.words:
        inside = segment.start < stop - _HAIR and segment.stop > start + _HAIR
        return segment if inside else None
    kept = [
        index
        for index, word in enumerate(segment.words)
        if start <= (word.start + word.stop) / 2 < stop
    ]
    if not kept:
        return None
    first, last = kept[0], kept[-1] + 1
    if last - first == len(segment.words):
        return segment
    words = segment.words[first:last]
    begin = max(segment.start, words[0].start)
    return dataclasses.replace(
        segment,
        start=begin,
        stop=max(begin, min(segment.stop, words[-1].stop)),
        text=text_of(segment, first, last, language),
        words=words,
    )
