"""Find words in a transcript and show them where they are said."""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from html import escape

from nbasr.errors import OptionError
from nbasr.text.cleaning import flat
from nbasr.text.joining import join_spans
from nbasr.transcript.clock import clock
from nbasr.transcript.spans import word_spans
from nbasr.transcript.transcript import Segment, Transcript

_CONTEXT = 40
"""Characters shown on either side of a hit."""

_SHOWN = 50
"""Hits that are shown; the others are counted."""


@dataclasses.dataclass(frozen=True)
class Hit:
    """One place where the pattern is said.

    Parameters
    ----------
    segment : int
        Index of the segment in which it begins.
    start, stop : float
        Seconds: of the words where their times are known, else of the segments.
    text : str
        What matched.
    before, after : str
        Text on either side.
    """

    segment: int
    start: float
    stop: float
    text: str
    before: str = ""
    after: str = ""

    def __str__(self) -> str:
        return f"{clock(self.start)}  {self.before}[{self.text}]{self.after}"


class Hits(tuple[Hit, ...]):
    """All places where a pattern is said, in order; shows itself with the matches marked."""

    pattern: str

    def __new__(cls, hits: Iterable[Hit] = (), pattern: str = "") -> Hits:
        """Make the tuple; `pattern` is what was looked for."""
        made = super().__new__(cls, hits)
        made.pattern = pattern
        return made

    @property
    def _title(self) -> str:
        count = "Nothing" if not self else "1 place" if len(self) == 1 else f"{len(self)} places"
        return f"{count} found for {flat(self.pattern)!r}"

    def __repr__(self) -> str:
        more = [f"… and {len(self) - _SHOWN} more"] if len(self) > _SHOWN else []
        return "\n".join([self._title, *map(str, self[:_SHOWN]), *more])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<li><code>{clock(hit.start)}</code> {escape(hit.before)}"
            f"<mark><strong>{escape(hit.text)}</strong></mark>{escape(hit.after)}</li>"
            for hit in self[:_SHOWN]
        )
        more = f"<p>… and {len(self) - _SHOWN} more</p>" if len(self) > _SHOWN else ""
        return f'<div dir="auto"><p>{escape(self._title)}</p><ul>{rows}</ul>{more}</div>'


def find(transcript: Transcript, pattern: str, *, regex: bool = False, case: bool = False) -> Hits:
    """Return every place where `pattern` is said; see `Transcript.search`."""
    compiled = _compile(pattern, regex=regex, case=case)
    segments = transcript.segments
    text, spans = join_spans((segment.text for segment in segments), transcript.language)
    starts = [start for start, _ in spans]
    stops = [stop for _, stop in spans]
    hits = []
    for match in compiled.finditer(text):
        begin, end = match.span()
        if begin == end:
            continue
        first = min(bisect_right(stops, begin), len(segments) - 1)
        last = max(first, bisect_left(starts, end) - 1)
        hits.append(
            Hit(
                segment=first,
                start=_seconds(segments[first], begin - starts[first], ends=False),
                stop=_seconds(segments[last], end - starts[last], ends=True),
                text=match[0],
                before=_context(
                    text[max(0, begin - _CONTEXT) : begin], begin > _CONTEXT, left=True
                ),
                after=_context(text[end : end + _CONTEXT], end + _CONTEXT < len(text), left=False),
            )
        )
    return Hits(hits, pattern)


def _compile(pattern: str, *, regex: bool, case: bool) -> re.Pattern[str]:
    if not pattern.strip():
        raise OptionError(
            "There is nothing to search for: give a word, or a pattern with regex=True."
        )
    flags = 0 if case else re.IGNORECASE
    if regex:
        try:
            return re.compile(pattern, flags)
        except re.error as error:
            raise OptionError(
                f"{pattern!r} is no regular expression ({error}); leave out regex=True "
                "to search for it as it stands."
            ) from None
    # An accent may be a character of its own, here or in the text.
    forms = {unicodedata.normalize(form, pattern.strip()) for form in ("NFC", "NFD")}
    plain = (r"\s+".join(re.escape(part) for part in form.split()) for form in sorted(forms))
    return re.compile("|".join(plain), flags)


def _seconds(segment: Segment, place: int, *, ends: bool) -> float:
    """Return when the character at `place` of the stripped text is said, as far as is known."""
    spans = word_spans(segment.text.strip(), segment.words)
    if spans is None:
        return segment.stop if ends else segment.start
    if ends:
        index = bisect_left([stop for _, stop in spans], place)
        return segment.words[min(index, len(spans) - 1)].stop
    index = bisect_right([start for start, _ in spans], place) - 1
    return segment.words[max(index, 0)].start


def _context(text: str, cut: bool, *, left: bool) -> str:
    if not cut:
        return text
    # Half a word at the far end says nothing; a script without spaces has none to drop.
    if left:
        return "… " + (text.split(" ", 1)[1] if " " in text.rstrip() else text)
    return (text.rsplit(" ", 1)[0] if " " in text.lstrip() else text) + " …"
