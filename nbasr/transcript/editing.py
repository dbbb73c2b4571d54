"""Correcting a transcript: every function returns a new one, in which the words follow the text."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

from nbasr.errors import OptionError
from nbasr.text.joining import join
from nbasr.text.scripts import script, width
from nbasr.transcript.clock import clock
from nbasr.transcript.retiming import retimed
from nbasr.transcript.segment import Segment, Word
from nbasr.transcript.spans import word_spans
from nbasr.transcript.transcript import Transcript

SLACK = 0.05
"""Seconds by which a segment may end after its recording: decoders round lengths differently."""


def with_text(transcript: Transcript, index: int, text: str) -> Transcript:
    """Return the transcript with another text in a segment; see `Transcript.with_text`."""
    return _put(transcript, index, rewritten(at(transcript, index), text))


def rewritten(segment: Segment, text: str) -> Segment:
    """Return a segment with another text; its words follow, its score and flags are gone.

    They told how sure the machine was of its own text.
    """
    if not isinstance(text, str):
        raise OptionError(f"The text of a segment is text, not {text!r}.")
    if text == segment.text:
        return segment
    return replace(segment, text=text, words=retimed(segment, text), score=None, flags=())


def with_times(transcript: Transcript, index: int, start: float, stop: float) -> Transcript:
    """Return the transcript with other times of a segment; see `Transcript.with_times`."""
    segment = at(transcript, index)
    start, stop = _span(transcript, start, stop)
    words = tuple(
        replace(word, start=_within(word.start, start, stop), stop=_within(word.stop, start, stop))
        for word in segment.words
    )
    words = segment.words if words == segment.words else words
    return _put(transcript, index, replace(segment, start=start, stop=stop, words=words))


def with_speaker(transcript: Transcript, index: int, speaker: str | None) -> Transcript:
    """Return the transcript with another speaker of a segment; see `Transcript.with_speaker`."""
    if speaker is not None and not isinstance(speaker, str):
        raise OptionError(f"A speaker is named by text, or None, not {speaker!r}.")
    named = (speaker or "").strip() or None
    return _put(transcript, index, replace(at(transcript, index), speaker=named))


def checked(transcript: Transcript, index: int) -> Transcript:
    """Return the transcript without the doubts of a segment; see `Transcript.checked`."""
    return _put(transcript, index, without_doubts(at(transcript, index)))


def without_doubts(segment: Segment) -> Segment:
    """Return a segment without flags and scores: somebody has checked it."""
    if not segment.flags and segment.score is None and all(w.score is None for w in segment.words):
        return segment
    words = tuple(replace(word, score=None) for word in segment.words)
    return replace(segment, flags=(), score=None, words=words)


def split(transcript: Transcript, index: int, at_character: int) -> Transcript:
    """Return the transcript with a segment parted in two; see `Transcript.split`."""
    segment = at(transcript, index)
    text = segment.text
    left, right = text[: max(at_character, 0)].rstrip(), text[max(at_character, 0) :].lstrip()
    if not left.strip() or not right:
        raise OptionError(
            f"A segment is parted inside its text; after character {at_character} of {len(text)} "
            "one part would be empty."
        )
    spans = word_spans(text, segment.words)
    before, after = _parted(segment, spans, at_character) if spans else ((), ())
    if before or after:
        end = before[-1].stop if before else after[0].start
        stop = _within(end, segment.start, segment.stop)
        start = _within(after[0].start, stop, segment.stop) if after else stop
    else:
        start = stop = _share(segment, text[:at_character], text)
    first = replace(segment, stop=stop, text=left, words=before)
    second = replace(segment, start=start, text=right, words=after)
    return _spliced(transcript, index, index, (first, second))


def merged(transcript: Transcript, first: int, last: int) -> Transcript:
    """Return the transcript with segments put together; see `Transcript.merged`."""
    segments = _some(transcript, first, last)
    if len(segments) < 2:
        raise OptionError("Merging takes two segments or more.")
    spoken = [segment for segment in segments if _is_spoken(segment.text)]
    timed = all(segment.words for segment in spoken)
    scores = [one.score for one in segments if one.text.strip() and one.score is not None]
    one = replace(
        segments[0],
        stop=max(segment.stop for segment in segments),
        text=join((segment.text for segment in segments), transcript.language),
        words=tuple(word for segment in spoken for word in segment.words) if timed else (),
        language=next((segment.language for segment in segments if segment.language), None),
        speaker=next((segment.speaker for segment in segments if segment.speaker), None),
        score=min(scores, default=None),  # a doubt of a part is one of the whole
        flags=tuple(dict.fromkeys(flag for segment in segments for flag in segment.flags)),
    )
    return _spliced(transcript, first, last, (one,))


def without(transcript: Transcript, first: int, last: int | None = None) -> Transcript:
    """Return the transcript without some segments; see `Transcript.without`."""
    last = first if last is None else last
    _some(transcript, first, last)
    return _spliced(transcript, first, last, ())


def with_segment(transcript: Transcript, start: float, stop: float, text: str = "") -> Transcript:
    """Return the transcript with one more segment; see `Transcript.with_segment`."""
    start, stop = _span(transcript, start, stop)
    segments = (*transcript.segments, Segment(start, stop, text))
    return replace(transcript, segments=segments)


def replaced(
    transcript: Transcript, first: int, last: int, segments: Iterable[Segment]
) -> Transcript:
    """Return the transcript with other segments for some; see `Transcript.replaced`."""
    _some(transcript, first, last)
    return _spliced(transcript, first, last, tuple(segments))


def at(transcript: Transcript, index: int) -> Segment:
    """Return a segment; raise `OptionError` if there is none of that index."""
    if not 0 <= index < len(transcript.segments):
        many = len(transcript.segments)
        raise OptionError(
            f"There is no segment {index}; the transcript has {many}, counted from 0."
            if many
            else "The transcript has no segments."
        )
    return transcript.segments[index]


def _some(transcript: Transcript, first: int, last: int) -> tuple[Segment, ...]:
    """Return the segments from `first` to `last`, both included."""
    at(transcript, first)
    at(transcript, last)
    if last < first:
        raise OptionError(f"The last segment, {last}, comes before the first, {first}.")
    return transcript.segments[first : last + 1]


def _put(transcript: Transcript, index: int, segment: Segment) -> Transcript:
    if segment is transcript.segments[index]:
        return transcript
    return _spliced(transcript, index, index, (segment,))


def _spliced(
    transcript: Transcript, first: int, last: int, segments: tuple[Segment, ...]
) -> Transcript:
    every = transcript.segments
    return replace(transcript, segments=(*every[:first], *segments, *every[last + 1 :]))


def _span(transcript: Transcript, start: float, stop: float) -> tuple[float, float]:
    """Return times as floats; raise unless they are a stretch of the recording."""
    try:
        first, last = float(start), float(stop)
    except (TypeError, ValueError):
        raise OptionError(f"Times are seconds, not {start!r} and {stop!r}.") from None
    end = transcript.duration or math.inf
    if not (math.isfinite(first) and math.isfinite(last) and 0 <= first < last):
        raise OptionError(f"A segment has 0 <= start < stop, not {first:g} to {last:g} s.")
    if last > end + SLACK:
        raise OptionError(f"The recording ends at {clock(end)}; {clock(last)} is after that.")
    return first, min(last, max(end, transcript.segments[-1].stop if transcript.segments else end))


def _within(time: float, start: float, stop: float) -> float:
    return min(max(time, start), stop)


def _is_spoken(text: str) -> bool:
    """Whether there is more than punctuation and symbols in a text: something that words spell."""
    return any(script(char) for char in text)


def _share(segment: Segment, part: str, whole: str) -> float:
    """Return the time at which a part of the text has been said, as far as its width tells."""
    share = width(part.strip()) / max(width(whole.strip()), 1)
    return segment.start + min(share, 1.0) * (segment.stop - segment.start)


def _parted(
    segment: Segment, spans: list[tuple[int, int]], cut: int
) -> tuple[tuple[Word, ...], tuple[Word, ...]]:
    """Return the words on both sides of a cut; a word that it goes through is parted too."""
    before: list[Word] = []
    after: list[Word] = []
    for word, (first, last) in zip(segment.words, spans, strict=True):
        if last <= cut:
            before.append(word)
        elif first >= cut:
            after.append(word)
        else:
            whole = segment.text[first:last]
            left, right = segment.text[first:cut], segment.text[cut:last]
            parts = [part for part in ((before, left), (after, right)) if _is_spoken(part[1])]
            time = _share(Segment(word.start, word.stop, whole), left, whole)
            edges = [word.start, *[time] * (len(parts) - 1), word.stop]
            for (side, text), (start, stop) in zip(parts, pairwise(edges), strict=False):
                side.append(Word(start, stop, text.strip(), word.score))
    return tuple(before), tuple(after)
