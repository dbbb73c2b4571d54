"""A plan as HTML: its figures, and the waveform with chunks, cuts and what is left out."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from nbasr.audio import _axis
from nbasr.audio._words import clock
from nbasr.chunking._telling import SHORT_PAUSE, is_short, line, manner, title

if TYPE_CHECKING:
    from nbasr.chunking.plan import ChunkPlan

_WIDTH, _HEIGHT = 800, 120  # units of the drawing
_MOST_DRAWN = 1000  # chunks, cuts; more are closer than a pixel, and would swell the notebook

# Colours of JupyterLab's theme, light or dark; elsewhere the colour of the text and plain ones.
_TEXT = "var(--jp-content-font-color1, currentColor)"
_WAVE = "var(--jp-brand-color1, #1976d2)"
_BAD = "var(--jp-error-color1, #d32f2f)"


def html(plan: ChunkPlan) -> str:
    """Return the plan as HTML that follows the theme and stays readable without it."""
    head = f"{escape(title(plan))} by <code>{escape(manner(plan))}</code>"
    style = f"color:{_TEXT};font-family:var(--jp-ui-font-family, sans-serif);font-size:13px"
    told = escape(line(plan))
    return f'<div style="{style}"><div>{head}</div><div>{told}</div>{_figure(plan)}</div>'


def _figure(plan: ChunkPlan) -> str:
    """Return the drawing with its time axis and legend."""
    if not plan.duration:
        return ""
    scale = _WIDTH / plan.duration
    drawn = plan.chunks[:_MOST_DRAWN]
    bands = [
        _bars(((chunk.start, chunk.stop) for chunk in drawn[parity::2]), scale, _HEIGHT, opacity)
        for parity, opacity in ((0, 0.2), (1, 0.08))
    ]
    good = [cut.time for cut in plan.cuts if not is_short(cut.pause)]
    bad = [cut.time for cut in plan.cuts if is_short(cut.pause)]
    lines = _lines(good, scale, _TEXT, 1) + _lines(bad, scale, _BAD, 2)
    left_out = _bars(plan.skipped[:_MOST_DRAWN], scale, _HEIGHT // 8, 0.5)
    told = f"Waveform of {clock(plan.duration)} with its chunks and cuts: {line(plan)}"
    more = (
        f" Only the first {_MOST_DRAWN} are drawn."
        if max(len(plan.chunks), len(good), len(bad)) > _MOST_DRAWN
        else ""
    )
    legend = (
        '<div style="opacity:0.75">Bands: chunks. Lines: cuts, '
        f'<span style="color:{_BAD}">thick and red</span> in speech or in a pause under '
        f"{SHORT_PAUSE:g} s. Narrow bars: left out.{more}</div>"
        if plan.chunks
        else ""
    )
    return (
        f'<svg role="img" aria-label="{escape(told)}" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'preserveAspectRatio="none" style="display:block;width:100%;height:{_HEIGHT}px">'
        f"<title>{escape(told)}</title>{left_out}{''.join(bands)}{_waveform(plan)}{lines}</svg>"
        f"{_axis.html(plan.duration)}{legend}"
    )


def _waveform(plan: ChunkPlan) -> str:
    """Return the waveform as one path, as high as the drawing at its loudest."""
    if plan.levels is None:
        return ""
    envelope = plan.levels.envelope(0.0, plan.duration, _WIDTH)
    loudest = max(float(np.abs(envelope).max(initial=0.0)), 1e-3)
    half = _HEIGHT / 2
    tops = np.rint(half - envelope[:, 1] / loudest * (half - 4)).astype(int)
    heights = np.maximum(np.rint((envelope[:, 1] - envelope[:, 0]) / loudest * (half - 4)), 1)
    path = "".join(
        f"M{column} {top}v{height:.0f}"
        for column, (top, height) in enumerate(zip(tops, heights, strict=True))
    )
    return f'<path d="{path}" transform="translate(.5)" style="stroke:{_WAVE};fill:none"/>'


def _bars(spans: Iterable[tuple[float, float]], scale: float, height: int, opacity: float) -> str:
    """Return a bar of `height` around the middle for each span, as one path."""
    path = "".join(
        f"M{start * scale:.1f} {_HEIGHT // 2}h{max((stop - start) * scale, 0.1):.1f}"
        for start, stop in spans
    )
    style = f"stroke:{_TEXT};stroke-opacity:{opacity:g};stroke-width:{height};fill:none"
    return f'<path d="{path}" style="{style}"/>' if path else ""


def _lines(times: list[float], scale: float, colour: str, width: int) -> str:
    """Return upright lines as one path; `width` in pixels of the screen."""
    path = "".join(f"M{time * scale:.1f} 0V{_HEIGHT}" for time in times[:_MOST_DRAWN])
    style = f"stroke:{colour};stroke-width:{width}px;fill:none"
    return f'<path d="{path}" style="{style}" vector-effect="non-scaling-stroke"/>' if path else ""
