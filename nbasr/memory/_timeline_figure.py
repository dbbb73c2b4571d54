"""Memory over time as a Plotly figure, with a still picture for where Plotly does not run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape

from nbasr._figures import StillFigure
from nbasr._units import size
from nbasr.memory import _timeline_svg
from nbasr.memory._timeline_svg import BUDGET_COLOUR, COLOURS
from nbasr.memory.marks import Mark
from nbasr.memory.spots import PARTS, Spot

TEXTS = {
    "models": "weights of models",
    "work": "rest of this kernel",
    "reserve": "torch's reserve",
    "others": "other processes",
    "budget": "budget",
    "title": "Memory of {device} over time",
    "load": "{text} loaded",
    "unload": "{text} unloaded",
    "job": "{text} began",
    "ended": "{text} ended",
    "short": "Out of memory: {text}",
    "budget_set": "Budget: {text}",
}
"""What the figure says; a panel gives its own language's."""

_SYMBOLS = {
    "load": "triangle-up",
    "unload": "triangle-down",
    "job": "triangle-right",
    "ended": "square",
    "short": "x",
    "budget": "line-ew-open",
}


class TimelineFigure(StillFigure):
    """The memory over time, as a picture too."""

    about = "Figure of the memory"


def figure(
    seen: Sequence[Spot], happened: Sequence[Mark], texts: Mapping[str, str] = TEXTS
) -> TimelineFigure:
    """Return stacked areas over the time of day, the budget, and what happened."""
    times = [_clock(spot.at) for spot in seen]
    shown = _timeline_svg.shown_parts(seen)
    drawn = TimelineFigure()
    for part in PARTS:
        held = [_timeline_svg.bytes_of(spot, part) for spot in seen]
        if not any(held):
            continue
        drawn.add_scatter(
            x=times,
            y=held,
            name=texts[part],
            stackgroup="memory",
            mode="lines",
            line={"width": 0.5, "color": COLOURS[part]},
            fillcolor=COLOURS[part],
            text=[size(count) for count in held],
            hovertemplate="%{text}",
            visible=True if part in shown else "legendonly",
        )
    limits = [spot.budget_bytes for spot in seen]
    if any(limit is not None for limit in limits):
        drawn.add_scatter(
            x=times,
            y=limits,
            name=texts["budget"],
            mode="lines",
            line={"color": BUDGET_COLOUR, "dash": "dash", "shape": "hv"},
            text=[size(limit) if limit is not None else "" for limit in limits],
            hovertemplate="%{text}",
        )
    top = _timeline_svg.ceiling(seen)
    _add_marks(drawn, [one for one in happened if seen and one.at <= seen[-1].at + 1], top, texts)
    device = seen[0].device if seen else ""
    step = _step(top)
    ticks = [step * n for n in range(int(top // step) + 1)]
    drawn.update_layout(
        title=texts["title"].format(device=escape(device)),
        hovermode="x unified",
        height=360,
        margin={"l": 70, "r": 20, "t": 50, "b": 40},
        legend={"orientation": "h", "y": -0.12},
        yaxis={
            "range": [0, top],
            "tickvals": ticks,
            "ticktext": [size(count) for count in ticks],
        },
    )
    drawn.still = f"<div>{_timeline_svg.svg(seen, happened)}</div>"
    return drawn


def _step(top: int) -> int:
    """Return a round number of bytes, four to eight of which reach the top."""
    step = 1
    while step * 80 < top:
        step *= 10
    return next(step * n for n in (1, 2, 5, 10) if step * n * 8 >= top)


def _add_marks(
    drawn: TimelineFigure, happened: Sequence[Mark], top: int, texts: Mapping[str, str]
) -> None:
    """Draw what happened as symbols near the upper edge, with a line down from each."""
    if not happened:
        return
    told = [
        texts["budget_set" if one.kind == "budget" else one.kind].format(text=escape(one.text))
        for one in happened
    ]
    drawn.add_scatter(
        x=[_clock(one.at) for one in happened],
        y=[top * 0.96] * len(happened),
        mode="markers",
        marker={
            "symbol": [_SYMBOLS[one.kind] for one in happened],
            "size": 10,
            "color": ["#d55e00" if one.kind == "short" else "#777777" for one in happened],
        },
        text=told,
        hovertemplate="%{text}<extra></extra>",
        showlegend=False,
    )
    drawn.update_layout(
        shapes=[
            {
                "type": "line",
                "xref": "x",
                "yref": "paper",
                "x0": _clock(one.at),
                "x1": _clock(one.at),
                "y0": 0,
                "y1": 0.96,
                "line": {"width": 1, "dash": "dot", "color": "#777777"},
            }
            for one in happened
        ]
    )


def _clock(at: float) -> str:
    """Return a time of day as Plotly reads it, in the time of this machine."""
    return datetime.fromtimestamp(at, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S.%f")
