"""Which stretches of a recording are aligned at once, and whose words are whose."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nbasr.pipeline.seams import REACH
from nbasr.transcript.transcript import Segment, Word

MARGIN = 0.25
"""Seconds around a stretch that are heard too, as far as the next segment leaves them: segments of
Whisper and of subtitles begin and end up to so much beside the speech (`pipeline.seams.REACH`)."""

TOUCHING = 0.3
"""Seconds between two segments up to which they are aligned together: at a shorter gap the cut may
lie inside speech, and a word of one be said within the times of the other."""

TOGETHER = 60.0
"""Longest stretch, in seconds, to which segments are put together. More would not help the words at
the seams, and a wrong text in one segment disturbs those around it."""


@dataclass(frozen=True)
class Stretch:
    """Segments that are aligned at once.

    Parameters
    ----------
    numbers
        Indices of the segments in their transcript, in order.
    start, stop
        What is heard, in seconds of the recording.
    text
        Theirs, a line or more for each.
    language
        Code, or None.
    whole
        Whether nobody knows which segment is said when, so that it cannot be cut.
    """

    numbers: tuple[int, ...]
    start: float
    stop: float
    text: str
    language: str | None
    whole: bool = False

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.stop - self.start


def stretches_of(
    segments: Sequence[Segment],
    numbers: Sequence[int],
    duration: float,
    most: float,
    together: float = TOGETHER,
) -> list[Stretch]:
    """Put segments together to stretches.

    Parameters
    ----------
    segments
        All of a transcript, by their start.
    numbers
        Indices of those to align.
    duration
        Seconds of the recording.
    most
        Seconds that the aligner takes at once; no segment is longer.
    together
        Longest stretch of several segments, in seconds.
    """
    groups: list[list[int]] = []
    for number in numbers:
        if groups and _belong(segments, groups[-1], number, min(together, most)):
            groups[-1].append(number)
        else:
            groups.append([number])
    return [_stretch(segments, group, duration, most) for group in groups]


def halves_of(
    stretch: Stretch, segments: Sequence[Segment], duration: float, most: float
) -> list[Stretch]:
    """Return a stretch as two, for when memory does not hold it; none if it cannot be cut."""
    middle = len(stretch.numbers) // 2
    if stretch.whole or not middle:
        return []
    halves = (stretch.numbers[:middle], stretch.numbers[middle:])
    made = (_stretch(segments, half, duration, most) for half in halves)
    return [dataclasses.replace(half, language=stretch.language) for half in made]


def with_words_of(
    stretch: Stretch, segments: Sequence[Segment], words: Sequence[Word]
) -> Iterator[tuple[int, Segment]]:
    """Yield the index of each segment of a stretch, and the segment with its words.

    Parameters
    ----------
    stretch, segments
        The stretch, and all segments of its transcript.
    words
        Those of the whole stretch, in seconds from its start.
    """
    at = 0
    for number in stretch.numbers:
        segment = segments[number]
        left = len("".join(segment.text.split()))
        mine = []
        while left > 0 and at < len(words):
            left -= len("".join(words[at].text.split()))
            mine.append(_moved(words[at], stretch))
            at += 1
        if mine:
            yield (
                number,
                dataclasses.replace(
                    segment, start=mine[0].start, stop=mine[-1].stop, words=tuple(mine)
                ),
            )


def strays(stretch: Stretch, segments: Sequence[Segment], words: Sequence[Word]) -> bool:
    """Tell whether words came to lie more than `REACH` beside the times of their own segment.

    The times of segments are off by less, so the text of another one did that, which is not what
    was said.
    """
    return any(
        found.start < segments[number].start - REACH or found.stop > segments[number].stop + REACH
        for number, found in with_words_of(stretch, segments, words)
    )


def _belong(segments: Sequence[Segment], group: Sequence[int], number: int, most: float) -> bool:
    """Tell whether a segment is to be aligned with those before it."""
    first, last, this = segments[group[0]], segments[group[-1]], segments[number]
    return (
        number == group[-1] + 1
        and -TOUCHING < this.start - last.stop <= TOUCHING
        and this.stop - first.start <= most
        and this.stop >= last.stop
        and this.language == last.language
        and this.speaker == last.speaker
    )


def _stretch(
    segments: Sequence[Segment], group: Sequence[int], duration: float, most: float
) -> Stretch:
    start = segments[group[0]].start
    stop = max(segments[number].stop for number in group)
    before = max((segment.stop for segment in segments[: group[0]]), default=-math.inf)
    after = min((segment.start for segment in segments[group[-1] + 1 :]), default=math.inf)
    margins = [
        min(MARGIN, max(0.0, gap) / 2, max(0.0, most - (stop - start)) / 2)
        for gap in (start - before, after - stop)
    ]
    return Stretch(
        tuple(group),
        round(max(0.0, start - margins[0]), 3),
        round(min(duration, stop + margins[1]), 3),
        "\n".join(segments[number].text for number in group),
        segments[group[0]].language,
    )


def _moved(word: Word, stretch: Stretch) -> Word:
    """Return a word in seconds of the recording, to the millisecond."""
    return dataclasses.replace(
        word, start=round(stretch.start + word.start, 3), stop=round(stretch.start + word.stop, 3)
    )
