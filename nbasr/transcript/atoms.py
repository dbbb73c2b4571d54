"""The smallest parts of a text that a line may be broken between, and when each is said."""

from __future__ import annotations

import dataclasses
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from itertools import accumulate, pairwise

from nbasr.text.scripts import IDEOGRAPHIC, UNSPACED, is_mark, script, width
from nbasr.transcript.spans import word_spans
from nbasr.transcript.transcript import Segment

_NO_START = frozenset("々〻ーぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ゛゜ゝゞヽヾ％‰℃")
"""Full-width characters that begin no line (JIS X 4051), beside closing punctuation."""

_GOOD_END = frozenset("/-._?&=,;:\\|+")
"""Characters after which a long token is best cut."""

_GOOD_START = frozenset("เแโใไເແໂໃໄ")
"""Thai and Lao vowels that always begin a syllable."""


@dataclasses.dataclass(frozen=True)
class Atom:
    """A word, a character, or a part of a token too long for a line.

    Parameters
    ----------
    text, gap : str
        The atom, and what stands before it: ``" "`` or ``""``.
    start, stop : float
        Seconds.
    columns, reach : int
        Its own width, and the width of the text up to its end.
    chopped : bool
        Whether the token goes on in the next atom.
    """

    text: str
    gap: str
    start: float
    stop: float
    columns: int
    reach: int
    chopped: bool


def atoms_of(segment: Segment, text: str, columns: int, prefix: str = "") -> list[Atom]:
    """Cut a text into atoms of at most `columns`, timed by the segment's words if they spell it.

    Parameters
    ----------
    segment : Segment
        Where the times are from.
    text : str
        Text of the segment in one line, single-spaced.
    columns : int
        Widest atom.
    prefix : str, optional
        What is put before the text and takes no time: who speaks.
    """
    spans = word_spans(text, segment.words) if segment.words else None
    if spans and prefix:
        spans = [(start + len(prefix), stop + len(prefix)) for start, stop in spans]
    text = prefix + text
    cuts = sorted({stop for _, stop in spans} if spans else set())
    pieces: list[tuple[int, int, bool]] = []
    for start, stop in _tokens(text):
        inner = [cut for cut in cuts if start < cut < stop and script(text[cut - 1]) in UNSPACED]
        if not inner:
            inner = [at for at in range(start + 1, stop) if _may_break(text[at - 1], text[at])]
        for first, last in pairwise([start, *inner, stop]):
            pieces += _chop(text, first, last, columns)
    reach = [0, *accumulate(width(char) for char in text)]
    time = _clock(segment, reach, spans)
    return [
        Atom(
            text=text[start:stop],
            gap=" " if start and text[start - 1] == " " else "",
            start=time(start, False),
            stop=time(stop, True),
            columns=reach[stop] - reach[start],
            reach=reach[stop],
            chopped=chopped,
        )
        for start, stop, chopped in pieces
    ]


def _tokens(text: str) -> Iterator[tuple[int, int]]:
    """Yield where the parts between spaces lie."""
    start = 0
    for part in text.split(" "):
        if part:
            yield start, start + len(part)
        start += len(part) + 1


def _may_break(before: str, after: str) -> bool:
    """Whether a line may end between two characters of a token (Chinese and Japanese)."""
    if is_mark(after) or not (_breaks(before) or _breaks(after)):
        return False
    closing = unicodedata.category(after) in ("Pe", "Pf", "Po", "Pd") or after in _NO_START
    opening = unicodedata.category(before) in ("Ps", "Pi")
    return not (closing or opening)


def _breaks(char: str) -> bool:
    if script(char) in IDEOGRAPHIC:
        return True
    return unicodedata.category(char)[0] == "P" and unicodedata.east_asian_width(char) in "WF"


def _chop(text: str, start: int, stop: int, columns: int) -> Iterator[tuple[int, int, bool]]:
    """Yield parts of a token that fit `columns`, each with whether the token goes on."""
    while width(text[start:stop]) > columns:
        end, good, used = start + 1, 0, width(text[start])
        while used + width(text[end]) <= columns:
            used += width(text[end])
            end += 1
            if text[end - 1] in _GOOD_END or text[end] in _GOOD_START:
                good = end
        while end > start + 1 and is_mark(text[end]):
            end -= 1
        cut = good if good - start > (end - start) // 2 else end
        yield start, cut, True
        start = cut
    yield start, stop, False


def _clock(
    segment: Segment, reach: list[int], spans: list[tuple[int, int]] | None
) -> Callable[[int, bool], float]:
    """Return a function from a place in the text, and whether something ends there, to seconds."""
    places = [0, len(reach) - 1]
    times = [segment.start, segment.stop]
    if spans:
        places = [place for span in spans for place in span]
        said = [seconds for word in segment.words for seconds in (word.start, word.stop)]
        inside = (min(max(seconds, segment.start), segment.stop) for seconds in said)
        times = list(accumulate(inside, max))  # never backwards

    def time(place: int, ends: bool) -> float:
        # Where one word ends another may begin: an end looks to its left, a start to its right.
        after = (bisect_left if ends else bisect_right)(places, place)
        if after in (0, len(places)):
            return times[min(after, len(places) - 1)]
        first, last = places[after - 1], places[after]
        whole = reach[last] - reach[first]
        share = (reach[place] - reach[first]) / whole if whole else float(ends)
        return times[after - 1] + share * (times[after] - times[after - 1])

    return time
