"""The waveform as a Plotly figure, with a still picture for where Plotly does not run."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from nbasr._figures import StillFigure
from nbasr.audio._show import waveform
from nbasr.audio._words import clock

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nbasr.audio.recording import Recording

_COLUMNS = 2000


class WaveformFigure(StillFigure):
    """The waveform, as a picture too."""

    about = "Figure of the waveform"


def figure(recording: Recording) -> WaveformFigure:
    """Return the waveform over seconds."""
    levels = recording.levels()
    columns = max(min(_COLUMNS, levels.samples), 1)
    envelope: NDArray[np.float32] = levels.envelope(0.0, levels.duration, columns).round(4)
    times = (np.arange(columns) * (levels.duration / columns)).round(3)
    shared = {"x": times, "mode": "lines", "line": {"width": 0.5, "color": "#3f88d8"}}
    drawn = WaveformFigure(
        [
            go.Scatter(y=envelope[:, 0], name="lowest", **shared),
            go.Scatter(y=envelope[:, 1], name="highest", fill="tonexty", **shared),
        ]
    )
    title = escape(f"{recording.name}, {clock(recording.duration)}")
    drawn.update_layout(
        title=title,
        xaxis_title="seconds",
        yaxis_title="amplitude",
        yaxis_range=[-1, 1],
        showlegend=False,
        height=260,
        margin={"l": 60, "r": 20, "t": 50, "b": 45},
    )
    drawn.still = f"<div>{title}{waveform(levels)}</div>"
    return drawn
