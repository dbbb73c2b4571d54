"""Where chunks meet: times set right at pauses, words that an overlap gave twice given once."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

from nbasr.text.joining import join
from nbasr.text.scripts import UNSPACED, is_mark, script
from nbasr.transcript.transcript import Segment, Word

Interval = tuple[float, float]
_Timed = TypeVar("_Timed", Segment, Word)

REACH = 0.8
"""How far, in seconds, a segment's edge is moved to a pause that is seen in the sound. Whisper's
time marks are off by 0.3 s on average, by 0.65 s in one of twenty (the small checkpoint)."""

FASTEST_WORDS = 6.0
"""Words a second that an overlap is searched for: twice an ordinary talker's rate."""

_HAIR = 0.05  # s, within which times count as equal

_TOKEN = re.compile(r"[^\W_]", re.UNICODE)


def placed(segment: Segment, by: float, start: float, stop: float) -> Segment:
    """Return the segment with its words, moved by `by` s, kept in `start` … `stop`, to the ms."""

    def moved(of: _Timed) -> _Timed:
        low, high = (round(min(max(time + by, start), stop), 3) for time in (of.start, of.stop))
        return dataclasses.replace(of, start=low, stop=high)

    return dataclasses.replace(moved(segment), words=tuple(moved(word) for word in segment.words))


def snapped(segments: Sequence[Segment], speech: Sequence[Interval]) -> list[Segment]:
    """Move the edges of one chunk's segments to the pauses that are seen in the sound.

    Parameters
    ----------
    segments
        Segments of one chunk in absolute seconds, in order.
    speech
        Where there is speech in this chunk, in absolute seconds, in order.

    Returns
    -------
    list of Segment
        The same segments. The first starts and the last stops with the speech, and each gap between
        two of them is laid into the nearest pause within `REACH`; a gap that has none stays.
    """
    if not segments or not speech:
        return list(segments)
    starts = [segment.start for segment in segments]
    stops = [segment.stop for segment in segments]
    pauses = [(left[1], right[0]) for left, right in pairwise(speech)]
    free = 0  # pauses before this one are taken: order is kept
    for at in range(len(segments) - 1):
        edge = (stops[at] + starts[at + 1]) / 2
        near = min(
            range(free, len(pauses)),
            key=lambda index: _distance(edge, pauses[index]),
            default=None,
        )
        if near is not None and _distance(edge, pauses[near]) <= REACH:
            stops[at], starts[at + 1] = pauses[near]
            free = near + 1
    if abs(starts[0] - speech[0][0]) <= REACH:
        starts[0] = speech[0][0]
    if abs(stops[-1] - speech[-1][1]) <= REACH:
        stops[-1] = speech[-1][1]
    moved = []
    last = 0.0
    for segment, start, stop in zip(segments, starts, stops, strict=True):
        if segment.words:  # times of words are the finer ones
            start = min(start, segment.words[0].start)
            stop = max(stop, segment.words[-1].stop)
        start = max(start, last)
        last = stop = max(stop, start)
        moved.append(placed(dataclasses.replace(segment, start=start, stop=stop), 0.0, start, stop))
    return moved


def without_overlap(
    left: Sequence[Segment], right: Sequence[Segment], shared: Interval
) -> tuple[list[Segment], list[Segment]]:
    """Cut back what two chunks both heard in their overlap.

    The words at the end of `left` are aligned with those at the start of `right`; at the middle one
    of the words that agree, one side ends and the other goes on, so that what each misheard at its
    own edge is gone. Where no words agree, a segment that lies wholly inside the overlap is dropped
    on the side whose edge it touches, if the other side heard something then.

    Parameters
    ----------
    left, right
        Segments of two chunks that follow each other, in absolute seconds.
    shared
        Start and stop of the overlap, in seconds.

    Returns
    -------
    tuple of list of Segment
        Both sides without the repeated words; a segment left without words is gone.
    """
    start, stop = shared
    most = max(1, round((stop - start) * FASTEST_WORDS))
    ours = [token for segment in left for token in _tokens(segment.text)]
    theirs = [token for segment in right for token in _tokens(segment.text)]
    tail, head = ours[-most:], theirs[:most]
    pairs = _agreeing([_plain(token) for token in tail], [_plain(token) for token in head])
    kept_left, kept_right = list(left), list(right)
    if pairs:
        i, j = pairs[len(pairs) // 2]
        kept_left = _dropped(kept_left, len(tail) - i - 1, at_end=True)
        kept_right = _dropped(kept_right, j + 1, at_end=False)
    else:
        while kept_left and kept_right and kept_right[0].stop <= stop + _HAIR:
            if kept_right[0].start >= kept_left[-1].stop - _HAIR:
                break  # nothing was heard on the left at that time
            kept_right.pop(0)
        while kept_left and kept_right and kept_left[-1].start >= start - _HAIR:
            if kept_left[-1].stop <= kept_right[0].start + _HAIR:
                break
            kept_left.pop()
    edge = kept_left[-1].stop if kept_left else 0.0
    return kept_left, [
        dataclasses.replace(segment, start=max(segment.start, min(edge, segment.stop)))
        for segment in kept_right
    ]


def _agreeing(tail: Sequence[object], head: Sequence[object]) -> list[tuple[int, int]]:
    """Align the end of one list with the start of another; return the places that are equal.

    Overlap alignment by dynamic programming (as for reads of a genome): a word that agrees counts
    2, one that differs or is missing on one side -1; the start of `tail` and the end of `head` are
    free. One word that agrees is too little if another lies between it and the edge: it may be a
    chance "the". So nothing is returned unless the best alignment counts at least 2.
    """
    rows, columns = len(tail) + 1, len(head) + 1
    score = [[-j for j in range(columns)]] + [[0] * columns for _ in tail]
    for i in range(1, rows):
        for j in range(1, columns):
            score[i][j] = max(
                score[i - 1][j - 1] + (2 if tail[i - 1] == head[j - 1] else -1),
                score[i - 1][j] - 1,
                score[i][j - 1] - 1,
            )
    best = max(range(columns), key=lambda column: score[-1][column])
    i, j = rows - 1, best
    pairs = []
    while j and i:
        same = tail[i - 1] == head[j - 1]
        if score[i][j] == score[i - 1][j - 1] + (2 if same else -1):
            i, j = i - 1, j - 1
            if same:
                pairs.append((i, j))
        elif score[i][j] == score[i - 1][j] - 1:
            i -= 1
        else:
            j -= 1
    return pairs[::-1] if score[-1][best] > 1 else []


def _dropped(segments: list[Segment], count: int, *, at_end: bool) -> list[Segment]:
    """Take `count` words off one end of the segments."""
    while count and segments:
        segment = segments[-1] if at_end else segments[0]
        tokens = _tokens(segment.text)
        if len(tokens) <= count:
            segments.pop(-1 if at_end else 0)
            count -= len(tokens)
            continue
        kept = tokens[:-count] if at_end else tokens[count:]
        words: tuple[Word, ...] = ()
        if len(segment.words) == len(tokens):
            words = segment.words[:-count] if at_end else segment.words[count:]
        start = words[0].start if words and not at_end else segment.start
        stop = words[-1].stop if words and at_end else segment.stop
        segments[-1 if at_end else 0] = dataclasses.replace(
            segment, text=join(kept, segment.language), words=words, start=start, stop=stop
        )
        count = 0
    return segments


def _tokens(text: str) -> list[str]:
    """Split into words; scripts without spaces into letters with their marks."""
    tokens: list[str] = []
    for word in text.split():
        open_word = False
        for letter in word:
            alone = script(letter) in UNSPACED
            if tokens and (is_mark(letter) or (open_word and not alone)):
                tokens[-1] += letter
            else:
                tokens.append(letter)
            open_word = not alone or (open_word and is_mark(letter))
    return tokens


def _plain(token: str) -> object:
    """Strip case and punctuation, so that `Word,` equals `word`; a bare mark equals nothing."""
    return "".join(_TOKEN.findall(token.casefold())) or object()


def _distance(time: float, interval: Interval) -> float:
    start, stop = interval
    return max(start - time, time - stop, 0.0)
