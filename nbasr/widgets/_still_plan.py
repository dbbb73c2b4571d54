"""A tuner without a kernel: its plan as drawn by `nbasr.chunking`, and the texts tried in it."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING

from nbasr.chunking import _drawing
from nbasr.transcript.clock import clock

if TYPE_CHECKING:
    from nbasr.chunking import ChunkPlan
    from nbasr.transcript import Transcript

_MOST_TEXTS = 30
_LONGEST_TEXT = 1000  # letters


def html(plan: ChunkPlan, texts: Mapping[tuple[float, float], Transcript]) -> str:
    """Return a plan and what was transcribed of it as HTML, below 200 kB."""
    rows = "".join(
        f'<tr><th scope="row" style="text-align:left;white-space:nowrap;vertical-align:top">'
        f'{clock(start)} – {clock(stop)}</th><td style="text-align:left">'
        f"{escape(_short(transcript.text))}</td></tr>"
        for (start, stop), transcript in sorted(texts.items())[:_MOST_TEXTS]
    )
    style = (
        "color:var(--jp-content-font-color1, currentColor);font-size:13px;margin:6px 0 0;"
        "font-family:var(--jp-ui-font-family, sans-serif)"
    )
    return _drawing.html(plan) + (f'<table style="{style}">{rows}</table>' if rows else "")


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"
