"""Memory over time as a small picture: for saved notebooks, and wherever Plotly does not run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from html import escape

from nbasr._units import size
from nbasr.memory.marks import Mark
from nbasr.memory.spots import PARTS, Spot

# Colours that can be told apart on white and on black, also by colour-blind people (Okabe and Ito
# 2008); as in the estimates of models.
COLOURS = {"models": "#0072b2", "work": "#e69f00", "reserve": "#cc79a7", "others": "#999999"}
NAMES = {"models": "models", "work": "work", "reserve": "reserve", "others": "others"}
BUDGET_COLOUR = "#d55e00"

_WIDTH, _HEIGHT, _COLUMNS = 600, 90, 150
_DIM = "var(--jp-content-font-color2, currentColor)"
_LINE = "var(--jp-border-color2, rgba(128, 128, 128, 0.5))"


def ceiling(seen: Sequence[Spot]) -> int:
    """Return the bytes up to which memory is drawn: all of a GPU, of main memory what matters."""
    total = max((spot.total_bytes for spot in seen), default=1)
    own = max((spot.own_bytes for spot in seen), default=0)
    limit = max((spot.budget_bytes or 0 for spot in seen), default=0)
    if own > total / 10 and not limit:
        return max(total, 1)
    return max(1, min(total, round(1.25 * max(own, min(limit, total)))))


def shown_parts(seen: Sequence[Spot]) -> tuple[str, ...]:
    """Return the parts that are drawn: others only where all of the device is."""
    whole = ceiling(seen) >= max((spot.total_bytes for spot in seen), default=1)
    return PARTS if whole else tuple(part for part in PARTS if part != "others")


def bytes_of(spot: Spot, part: str) -> int:
    """Return what a part of a spot holds."""
    found: int = getattr(spot, f"{part}_bytes")
    return found


def described(seen: Sequence[Spot]) -> str:
    """Return the text alternative: what this kernel held, at most and last."""
    if not seen:
        return "Memory over time: nothing was seen yet."
    most = max(seen, key=lambda spot: spot.own_bytes)
    return (
        f"Memory of {seen[0].device} over {_minutes(seen[-1].at - seen[0].at)}: this kernel held "
        f"at most {size(most.own_bytes)} of {size(most.total_bytes)}, {size(seen[-1].own_bytes)} "
        "at the end."
    )


def svg(seen: Sequence[Spot], happened: Sequence[Mark] = ()) -> str:
    """Return the drawing: areas one above the other, the budget, and a tick for each mark."""
    told = escape(described(seen))
    if len(seen) < 2:
        return f'<div style="color:{_DIM}">{told}</div>'
    start, stop = seen[0].at, max(seen[-1].at, seen[0].at + 1.0)
    top = ceiling(seen)
    columns = _columns(seen, start, stop)

    def x(at: float) -> float:
        return round((at - start) / (stop - start) * _WIDTH, 1)

    def y(count: float) -> float:
        return round(_HEIGHT * (1 - min(count, top) / top), 1)

    below = [0] * len(columns)
    shapes = []
    for part in shown_parts(seen):
        above = [b + bytes_of(spot, part) for b, spot in zip(below, columns, strict=True)]
        if above != below:
            outline = [f"{x(spot.at):g},{y(n):g}" for spot, n in zip(columns, above, strict=True)]
            back = [f"{x(spot.at):g},{y(n):g}" for spot, n in zip(columns, below, strict=True)]
            points = " ".join([*outline, *reversed(back)])
            shapes.append(f'<polygon points="{points}" style="fill:{COLOURS[part]}"/>')
        below = above
    limit = seen[-1].budget_bytes
    if limit is not None:
        shapes.append(
            f'<line x1="0" x2="{_WIDTH}" y1="{y(limit):g}" y2="{y(limit):g}" '
            f'style="stroke:{BUDGET_COLOUR};stroke-width:2;stroke-dasharray:6 4"/>'
        )
    shapes += [
        f'<line x1="{x(one.at):g}" x2="{x(one.at):g}" y1="0" y2="{_HEIGHT}" '
        f'style="stroke:{_DIM};stroke-width:1;opacity:.6"><title>{escape(one.text)}</title></line>'
        for one in happened
        if start <= one.at <= stop
    ]
    ends = [time.strftime("%H:%M:%S", time.localtime(at)) for at in (start, stop)]
    return (
        f'<svg role="img" aria-label="{told}" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'preserveAspectRatio="none" style="display:block;width:100%;height:{_HEIGHT}px;'
        f'border:1px solid {_LINE};margin-top:4px"><title>{told}</title>{"".join(shapes)}</svg>'
        f'<div style="display:flex;justify-content:space-between;color:{_DIM};font-size:11px">'
        f"<span>{ends[0]}</span><span>{size(top)}</span><span>{ends[1]}</span></div>"
    )


def _columns(seen: Sequence[Spot], start: float, stop: float) -> list[Spot]:
    """Return as many moments as a picture has room for: of each stretch the fullest one."""
    if len(seen) <= _COLUMNS:
        return list(seen)
    fullest: dict[int, Spot] = {}
    for spot in seen:
        column = int((spot.at - start) / (stop - start) * (_COLUMNS - 1))
        if column not in fullest or spot.own_bytes > fullest[column].own_bytes:
            fullest[column] = spot
    return list(fullest.values())


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
