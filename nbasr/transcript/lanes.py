"""Give annotation tiers what they demand: no two intervals that overlap, none without length."""

from __future__ import annotations

import dataclasses

from nbasr.text.cleaning import flat
from nbasr.transcript.transcript import Segment, Transcript, Word

SEGMENTS, WORDS = "segments", "words"
"""Names of the tiers; a speaker's stand in brackets behind, further ones have a number."""

_SHORTEST = 0.001
"""Length of an interval that had none, in seconds: annotation tools can just show it."""


@dataclasses.dataclass(frozen=True)
class Lane:
    """One speaker's segments that do not overlap.

    Parameters
    ----------
    suffix : str
        What tells its tiers from others: ``""``, ``" (Ann)"``, ``" (Ann) 2"``.
    speaker : str or None
        Whose.
    segments : tuple of Segment
        In order, each longer than 0 s.
    """

    suffix: str
    speaker: str | None
    segments: tuple[Segment, ...]

    @property
    def words(self) -> list[Word]:
        """The words, each inside its segment, after the one before it, longer than 0 s."""
        found = []
        for segment in self.segments:
            free = segment.start
            for word in segment.words:
                start = min(max(word.start, free), segment.stop)
                stop = min(max(word.stop, start), segment.stop)
                if stop > start:
                    found.append(dataclasses.replace(word, start=start, stop=stop))
                    free = stop
        return found


def lanes(transcript: Transcript, tick: float) -> list[Lane]:
    """Share the segments out to as few lanes as their speakers and overlaps allow.

    Parameters
    ----------
    transcript : Transcript
        Its times are rounded to multiples of `tick`; a segment without length gets 1 ms.
    tick : float
        Finest time of the format, in seconds, at most 1 ms.
    """
    shared: dict[str | None, list[list[Segment]]] = {}
    for segment in transcript.segments:
        rounded = _rounded(segment, tick)
        rows = shared.setdefault(flat(segment.speaker or "") or None, [])
        for row in rows:
            if row[-1].stop <= rounded.start:
                row.append(rounded)
                break
        else:
            rows.append([rounded])
    return [
        Lane(
            (f" ({speaker})" if speaker else "") + (f" {number}" if number > 1 else ""),
            speaker,
            tuple(row),
        )
        for speaker, rows in (shared or {None: [[]]}).items()
        for number, row in enumerate(rows, 1)
    ]


def _rounded(segment: Segment, tick: float) -> Segment:
    start, stop = _ticks(segment.start, tick), _ticks(segment.stop, tick)
    stop = _ticks(start + _SHORTEST, tick) if stop == start else stop
    words = tuple(
        dataclasses.replace(word, start=_ticks(word.start, tick), stop=_ticks(word.stop, tick))
        for word in segment.words
    )
    return dataclasses.replace(segment, start=start, stop=stop, words=words)


def _ticks(seconds: float, tick: float) -> float:
    per_second = round(1 / tick)
    return round(seconds * per_second) / per_second
