"""Lines of a transcript as the browser gets them: arrays, and texts as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from nbasr.transcript import Segment, Word
from nbasr.transcript.doubts import is_doubtful
from nbasr.transcript.spans import word_spans
from nbasr.widgets._reading import Line, Machine

_NO_SCORE = 255


def packed(lines: Sequence[Line], machine: Machine) -> list[bytes]:
    """Return lines as seven buffers, all little-endian.

    Times (n, 2) float64 in seconds; scores (n,) uint8, 0..100, 255 where there is none; JSON
    ``[[number, text, speaker, language, [flags], edited, checked], …]``; where the words of each
    line begin, (n + 1,) uint32; and of the words: times (m, 2) float64, scores (m,) uint8, and
    where they stand in their line's text, (m, 2) uint32 in UTF-16 code units, as browsers count.
    Lines whose words do not spell their text are sent without words.
    """
    segments = [line.segment for line in lines]
    words: list[Word] = []
    spans: list[tuple[int, int]] = []
    first_words = [0]
    for segment in segments:
        found = _spans(segment)
        if found:
            words += segment.words
            spans += found
        first_words.append(len(words))
    texts = [_told(line, machine) for line in lines]
    return [
        _times(segments),
        _scores(segments),
        json.dumps(texts, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"),
        np.array(first_words, "<u4").tobytes(),
        _times(words),
        _scores(words),
        np.array(spans, "<u4").reshape(-1, 2).tobytes(),
    ]


def position(text: str, units: int) -> int:
    """Return the character at which so many UTF-16 code units of a text end."""
    if _is_plain(text):
        return units
    reach = 0
    for index, char in enumerate(text):
        if reach >= units:
            return index
        reach += 1 + (char > "\uffff")
    return len(text)


def _told(line: Line, machine: Machine) -> list[object]:
    """Return what JSON says of a line; checked is what a person has been at and left no doubt."""
    one = line.segment
    edited = checked = False
    if not machine.gave(one):
        edited = machine.same(one) is None
        checked = not is_doubtful(one)
    flags = list(one.flags)
    return [line.number, one.text, one.speaker, one.language, flags, int(edited), int(checked)]


def _spans(segment: Segment) -> list[tuple[int, int]] | None:
    """Return where the words stand, in UTF-16 code units; None where they do not spell the text."""
    if not segment.words:
        return None
    found = _plainly(segment) or word_spans(segment.text, segment.words)
    if found is None or _is_plain(segment.text):
        return found
    reach = [0, *accumulate(1 + (char > "\uffff") for char in segment.text)]
    return [(reach[first], reach[last]) for first, last in found]


def _plainly(segment: Segment) -> list[tuple[int, int]] | None:
    """Return the spans of words that are the text with one space between them, as most are."""
    words = [word.text for word in segment.words]
    if " ".join(words) != segment.text or not all(words) or any(" " in word for word in words):
        return None
    stops = list(accumulate(len(word) + 1 for word in words))
    return [(stop - 1 - len(word), stop - 1) for word, stop in zip(words, stops, strict=True)]


def _is_plain(text: str) -> bool:
    """Whether every character is one UTF-16 code unit."""
    return text.isascii() or not text or max(text) <= "\uffff"


def _times(of: Sequence[Segment] | Sequence[Word]) -> bytes:
    flat = [time for one in of for time in (one.start, one.stop)]
    return np.array(flat, "<f8").tobytes()


def _scores(of: Sequence[Segment] | Sequence[Word]) -> bytes:
    known = [-1.0 if one.score is None else one.score for one in of]
    scores = np.array(known, float)
    steps = np.rint(np.clip(scores, 0, 1) * 100)
    return np.where(scores < 0, _NO_SCORE, steps).astype(np.uint8).tobytes()
