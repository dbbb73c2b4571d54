"""The waveform panel without a kernel: its drawing, its facts and its regions as plain HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from nbasr.audio import _show
from nbasr.audio._words import clock
from nbasr.widgets._texts import say

if TYPE_CHECKING:
    from nbasr.audio.recording import Recording
    from nbasr.widgets.waveform import Region

_MOST_REGIONS = 50  # a saved notebook is to be read, not to be a database
_LONGEST_LABEL = 80


def html(recording: Recording, regions: Sequence[Region], language: str = "") -> str:
    """Return HTML that reads well in light and dark; names and labels in it are text."""
    facts = " · ".join(escape(fact) for fact in recording.facts())
    problems = "".join(
        f'<div style="color:{_show.WARN}">&#9888; {escape(f"{recording.name} {problem}")}</div>'
        for problem in recording.problems
    )
    return (
        f'<div class="nbasr-recording" style="{_show.CARD_STYLE}">'
        f"<div><strong>{escape(recording.name)}</strong> "
        f'<span style="color:{_show.DIM}">{facts}</span></div>{problems}'
        f"{_show.waveform(recording.levels())}{_table(regions, language)}</div>"
    )


def _table(regions: Sequence[Region], language: str) -> str:
    """Return the regions as a table, as many as a page bears."""
    if not regions:
        return ""
    keys = ("column_number", "column_label", "column_start", "column_stop", "column_length")
    head = "".join(
        f'<th scope="col" style="text-align:left">{escape(say(f"wave.{key}", language))}</th>'
        for key in keys
    )
    rows = "".join(
        _row(number, region, language) for number, region in enumerate(regions[:_MOST_REGIONS], 1)
    )
    left = len(regions) - _MOST_REGIONS
    more = (
        f'<div style="color:{_show.DIM}">{escape(say("wave.more_regions", language, number=left))}'
        "</div>"
        if left > 0
        else ""
    )
    return (
        '<table style="margin:6px 0 0;border-collapse:collapse">'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{more}"
    )


def _row(number: int, region: Region, language: str) -> str:
    label = region.label
    if len(label) > _LONGEST_LABEL:
        label = f"{label[:_LONGEST_LABEL]}…"
    cells = (
        str(number),
        escape(label),
        clock(region.start),
        clock(region.stop),
        say("wave.length", language, seconds=f"{region.stop - region.start:.2f}"),
    )
    return "<tr>" + "".join(f'<td style="text-align:left">{cell}</td>' for cell in cells) + "</tr>"
