"""Where the words of a segment stand in its text, so that no comma is lost when it is cut."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from nbasr.errors import OptionError
from nbasr.text.joining import join
from nbasr.text.scripts import script

if TYPE_CHECKING:
    from nbasr.transcript.transcript import Segment, Transcript, Word


def must_have_words(transcript: Transcript, wanted: str, instead: str) -> None:
    """Raise `OptionError` if a segment has a text but no word times.

    Parameters
    ----------
    transcript : Transcript
        What is to be written or shown word by word.
    wanted, instead : str
        What needs the words, and what does without, for the sentence.
    """
    if any(segment.text.strip() and not segment.words for segment in transcript.segments):
        raise OptionError(
            f"{wanted}, and this transcript lacks word times: transcribe with timestamps='word', "
            f"or {instead}."
        )


def word_spans(text: str, words: Sequence[Word]) -> list[tuple[int, int]] | None:
    """Return where each word stands in `text`, the punctuation beside it included.

    Together the spans hold all of `text` but the white space between them. None if the words do
    not spell the text (an engine may have written numbers as digits in one and not the other).
    """
    bare: list[tuple[int, int]] = []
    position = 0
    for word in words:
        spelled = word.text.strip()
        found = text.find(spelled, position)
        if not spelled or found < 0 or any(script(char) for char in text[position:found]):
            return None
        position = found + len(spelled)
        bare.append((found, position))
    if not bare or any(script(char) for char in text[position:]):
        return None
    starts = [len(text) - len(text.lstrip())]
    stops = []
    for (_, stop), (start, _) in pairwise(bare):
        cut = stop + _parting(text[stop:start])
        starts.append(cut + len(text[cut:start]) - len(text[cut:start].lstrip()))
        stops.append(len(text[:cut].rstrip()))
    stops.append(len(text.rstrip()))
    return list(zip(starts, stops, strict=True))


def text_of(segment: Segment, first: int, last: int, language: str | None = None) -> str:
    """Return the text of the words `first` to `last` (not included) of a segment."""
    spans = word_spans(segment.text, segment.words)
    if spans is None:
        words = segment.words[first:last]
        return join((word.text for word in words), segment.language or language)
    return segment.text[spans[first][0] : spans[last - 1][1]]


def _parting(gap: str) -> int:
    """Return how much of what stands between two words belongs to the first of them."""
    bare = gap.rstrip()
    if len(bare) < len(gap):
        return len(bare)  # a space before the next word: all before it is the first one's
    for index in range(len(gap), 0, -1):
        char = gap[index - 1]
        opening = unicodedata.category(char) in ("Ps", "Pi")
        if char.isspace() or not (opening or char in "\"'¿¡"):
            return index
    return 0 if gap and unicodedata.category(gap[-1]) in ("Ps", "Pi") else len(gap)
