"""How a transcript is shown: HTML that reads well even where its style is taken away, and text."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from nbasr.text.cleaning import flat
from nbasr.transcript.clock import clock
from nbasr.transcript.doubts import reasons
from nbasr.transcript.slicing import PART
from nbasr.transcript.transcript import Segment, Transcript

_OPEN_SEGMENTS = 30
"""Segments that are shown at once; the rest unfold."""

_MOST_BYTES = 130_000
"""Most that the segments may take in a saved notebook (an hour of talk is 60 to 100 kB)."""

_TEXT_FIRST, _TEXT_LAST = 20, 3
"""Segments at either end that the plain text shows."""

_TEXT_COLUMNS = 400
"""Characters of one segment that the plain text shows."""

_STYLE = """<style>
.nbasr-transcript dl { display: grid; grid-template-columns: max-content 1fr; gap: .2em 1em;
  align-items: baseline; margin: .5em 0; max-width: 60em; }
.nbasr-transcript dt { font-weight: normal; font-variant-numeric: tabular-nums; text-align: end;
  color: var(--jp-ui-font-color2, inherit); font-size: .9em; margin: 0; float: none; width: auto; }
.nbasr-transcript dd { margin: 0; padding: 0; line-height: 1.45; overflow-wrap: anywhere; }
.nbasr-transcript abbr { color: var(--jp-warn-color0, inherit); cursor: help; font-weight: bold; }
.nbasr-transcript summary { cursor: pointer; color: var(--jp-content-link-color, inherit); }
</style>"""


def as_html(transcript: Transcript) -> str:
    """Return the HTML view: a header, then times and texts, of which the later ones unfold.

    Everything from outside is escaped. GitHub takes away the style; what stays is a definition
    list, time and text.
    """
    segments = transcript.segments
    shown = list(_fitting(transcript))
    rows = [row for _, row in shown]
    body = (
        f'<dl dir="auto">{"".join(rows[:_OPEN_SEGMENTS])}</dl>'
        if rows
        else f"<p>{_nothing(transcript)}</p>"
    )
    if len(segments) > len(rows[:_OPEN_SEGMENTS]):
        hidden = segments[_OPEN_SEGMENTS:]
        rest = f'<dl dir="auto">{"".join(rows[_OPEN_SEGMENTS:])}</dl>' if hidden else ""
        if len(segments) > len(rows):
            left = len(segments) - len(rows)
            rest += f"<p>… and {left} more, too long to keep in a notebook; save() writes all.</p>"
        if hidden:
            more = f"{len(hidden)} more segment{'s' * (len(hidden) != 1)}"
            span = f"{clock(hidden[0].start)} to {clock(hidden[-1].stop)}"
            rest = f"<details><summary>{more}, {span}</summary>{rest}</details>"
        body += rest
    title, *facts = _facts(transcript)
    heading = " · ".join([f"<strong>{escape(title)}</strong>", *map(escape, facts)])
    notes = "".join(f"<p>⚠ <em>{escape(note)}</em></p>" for note in _notes(transcript))
    return f'<div class="nbasr-transcript">{_STYLE}<p>{heading}</p>{notes}{body}</div>'


def as_text(transcript: Transcript) -> str:
    """Return the plain view: a header, then a line per segment, the middle of many left out."""
    lines = [" · ".join(_facts(transcript)), *_notes(transcript)]
    segments = transcript.segments
    pad = len(clock(max((segment.stop for segment in segments), default=0.0)))
    rows = [_text_row(segment, speaker, pad) for segment, speaker in _named(segments)]
    if len(rows) > _TEXT_FIRST + _TEXT_LAST + 1:
        left = len(rows) - _TEXT_FIRST - _TEXT_LAST
        rows[_TEXT_FIRST:-_TEXT_LAST] = [f"… {left} more segments …"]
    return "\n".join([*lines, *(rows or [_nothing(transcript)])])


def _fitting(transcript: Transcript) -> Iterator[tuple[Segment, str]]:
    """Yield each segment with its row, as long as they stay within the size."""
    left = _MOST_BYTES
    for segment, speaker in _named(transcript.segments):
        row = _row(segment, speaker)
        left -= len(row.encode("utf-8", errors="replace"))
        if left < 0:
            return
        yield segment, row


def _named(segments: tuple[Segment, ...]) -> Iterator[tuple[Segment, str]]:
    """Yield each segment with the name of its speaker where another one begins."""
    last = None
    for segment in segments:
        yield segment, flat(segment.speaker) if segment.speaker not in (None, last) else ""
        last = segment.speaker


def _row(segment: Segment, speaker: str) -> str:
    name = f"<b>{escape(speaker)}:</b> " if speaker else ""
    doubts = reasons(segment)
    mark = f' <abbr title="doubtful: {escape(doubts)}">(?)</abbr>' if doubts else ""
    times = f"{clock(segment.start)} – {clock(segment.stop)}"
    return f"<dt>{times}</dt><dd>{name}{escape(flat(segment.text), quote=False)}{mark}</dd>\n"


def _text_row(segment: Segment, speaker: str, pad: int) -> str:
    text = flat(segment.text)
    text = text if len(text) <= _TEXT_COLUMNS else text[:_TEXT_COLUMNS] + " …"
    doubts = reasons(segment)
    times = f"{clock(segment.start):>{pad}} – {clock(segment.stop):>{pad}}"
    name = f"{speaker}: " if speaker else ""
    return f"{times}  {name}{text}" + (f"  (? {doubts})" if doubts else "")


def _facts(transcript: Transcript) -> list[str]:
    """Return name, duration, language, model and speed, as far as known."""
    facts = [flat(transcript.name) or "transcript"]
    part = _part(transcript)
    if part or transcript.duration:
        facts.append(part or clock(transcript.duration))
    facts += [flat(fact) for fact in (transcript.language, transcript.model) if fact]
    if transcript.rtfx is not None:
        facts.append(f"{transcript.rtfx:.1f} × real time")
    return facts


def _part(transcript: Transcript) -> str:
    """Return which part of the recording this is, or ``""`` for all of it."""
    found = (note for note in transcript.notes if note.startswith(PART))
    return flat(next(found, "").removeprefix(PART))


def _nothing(transcript: Transcript) -> str:
    return "nothing was said in this part" if _part(transcript) else "no speech"


def _notes(transcript: Transcript) -> list[str]:
    notes = [flat(note) for note in transcript.notes if not note.startswith(PART)]
    if not transcript.complete:
        return ["incomplete" + (f": {'; '.join(notes)}" if notes else "")]
    return notes
