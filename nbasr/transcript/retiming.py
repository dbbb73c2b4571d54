"""Words follow a text that was corrected: what stayed keeps its time, what is new gets one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import accumulate, pairwise

from nbasr.text.scripts import UNSPACED, is_mark, script, width
from nbasr.transcript.segment import Segment, Word
from nbasr.transcript.spans import word_spans

_LONG = 2000
"""Units from which on frequent ones are matched only beside rare ones, or it would take minutes."""


@dataclasses.dataclass(frozen=True)
class _Unit:
    """The smallest part that is compared: a word, or a character of a script without spaces.

    Parameters
    ----------
    text
        Without punctuation around it.
    first, last
        Where it stands in the text; `last` is not included.
    word
        Index of the word that it is part of; -1 in a text that has no words yet.
    """

    text: str
    first: int
    last: int
    word: int = -1

    @property
    def key(self) -> str:
        """What is compared: another case is no other word."""
        return self.text.casefold()


def retimed(segment: Segment, text: str) -> tuple[Word, ...]:
    """Return the words of another text of a segment.

    Words that are in both texts keep their times, and their scores; what is new between two of them
    shares the time of what it stands for, or else what lies between them, and has no score. They
    spell the text, so that `word_spans` finds them. None, if the segment had none or they did not
    spell its own text.

    Parameters
    ----------
    segment
        With its old text and words.
    text
        The new one.
    """
    spans = word_spans(segment.text, segment.words)
    if spans is None:
        return ()
    old = [
        _Unit(unit.text, unit.first, unit.last, index)
        for index, (first, last) in enumerate(spans)
        for unit in units(segment.text[first:last])
    ]
    new = list(units(text))
    times = _times(segment, old)
    made: list[tuple[Word, str]] = []  # with how each is spelled without what stands around it
    for old_first, old_last, new_first, new_last, same in _runs(old, new):
        here = new[new_first:new_last]
        if same:
            made += _kept(segment, old, times, old_first, here, text)
        else:
            room = _room(segment, times, old_first, old_last)
            made += [(word, word.text) for word in spread(here, *room)]
    words = tuple(word for word, _ in made)
    if word_spans(text, words) is None:  # two claim the same mark: 'a"' and '"b' of a"b
        words = tuple(dataclasses.replace(word, text=bare) for word, bare in made)
    return words


def units(text: str) -> Iterator[_Unit]:
    """Yield the parts of a text that have times of their own, in order."""
    at = 0
    while at < len(text):
        kind = script(text[at])
        if not kind:
            at += 1
            continue
        first = at
        at += 1
        if kind in UNSPACED:
            while at < len(text) and is_mark(text[at]):
                at += 1
        else:
            # To the next space or other script; punctuation inside stays: don't, 3.5, e-mail.
            while at < len(text) and not text[at].isspace() and script(text[at]) not in UNSPACED:
                at += 1
        last = at
        while not (script(text[last - 1]) or is_mark(text[last - 1])):
            last -= 1
        yield _Unit(text[first:last], first, last)


def spread(parts: Sequence[_Unit], start: float, stop: float) -> list[Word]:
    """Return words without scores that share a stretch of time as their widths are."""
    reach = [0, *accumulate(max(width(part.text), 1) for part in parts)]
    edges = [start + (stop - start) * at / (reach[-1] or 1) for at in reach]
    return [
        Word(first, max(first, last), part.text)
        for part, (first, last) in zip(parts, pairwise(edges), strict=True)
    ]


def _runs(old: list[_Unit], new: list[_Unit]) -> Iterator[tuple[int, int, int, int, bool]]:
    """Yield runs of both lists, in order, and whether they are the same."""
    some, other = [unit.key for unit in old], [unit.key for unit in new]
    # Most corrections are small: what is the same at both ends need not be searched.
    head = 0
    while head < min(len(some), len(other)) and some[head] == other[head]:
        head += 1
    tail = 0
    while tail < min(len(some), len(other)) - head and some[-1 - tail] == other[-1 - tail]:
        tail += 1
    if head:
        yield 0, head, 0, head, True
    inner = (some[head : len(some) - tail], other[head : len(other) - tail])
    is_long = len(inner[1]) > _LONG
    for tag, *places in SequenceMatcher(None, *inner, autojunk=is_long).get_opcodes():
        first, last, new_first, new_last = (head + place for place in places)
        yield first, last, new_first, new_last, tag == "equal"
    if tail:
        yield len(some) - tail, len(some), len(other) - tail, len(other), True


def _times(segment: Segment, old: list[_Unit]) -> list[tuple[float, float]]:
    """Return when each unit is said: parts of a word share its time."""
    found: list[tuple[float, float]] = []
    while len(found) < len(old):
        first = last = len(found)
        while last < len(old) and old[last].word == old[first].word:
            last += 1
        word = segment.words[old[first].word]
        found += [(one.start, one.stop) for one in spread(old[first:last], word.start, word.stop)]
    return found


def _kept(
    segment: Segment,
    old: list[_Unit],
    times: list[tuple[float, float]],
    first: int,
    new: list[_Unit],
    text: str,
) -> Iterator[tuple[Word, str]]:
    """Yield the words of a run that stayed: whole words as they were, parts of them by their share.

    A word of several characters, as Chinese words are, stays one if all of it stayed, together.
    """
    at = 0
    while at < len(new):
        begin = end = first + at
        index = old[begin].word
        while end - first < len(new) and old[end].word == index:
            end += 1
        here = new[at : end - first]
        at = end - first
        word = segment.words[index]
        if not any(_is_part(old, place, index) for place in (begin - 1, end)):
            yield _spelled(word, here, text), text[here[0].first : here[-1].last]
            continue
        for place, unit in zip(range(begin, end), here, strict=True):
            yield Word(*times[place], unit.text, word.score), unit.text


def _is_part(old: list[_Unit], place: int, word: int) -> bool:
    """Whether the unit at a place is a part of a word."""
    return 0 <= place < len(old) and old[place].word == word


def _spelled(word: Word, here: list[_Unit], text: str) -> Word:
    """Return a word as the new text spells it: itself, where its punctuation is there too."""
    own = word.text.strip()
    bare = next(units(own), None)
    begin = here[0].first - (bare.first if bare is not None else 0)
    if begin >= 0 and text.startswith(own, begin):
        return word
    return dataclasses.replace(word, text=text[here[0].first : here[-1].last])


def _room(
    segment: Segment, times: list[tuple[float, float]], first: int, last: int
) -> tuple[float, float]:
    """Return the time that new words have: of what they stand for, else between the neighbours."""
    if first < last:
        start, stop = times[first][0], times[last - 1][1]
    else:
        start = times[first - 1][1] if first else segment.start
        stop = times[first][0] if first < len(times) else segment.stop
    start = min(max(start, segment.start), segment.stop)
    return start, min(max(stop, start), segment.stop)
