"""The time axis below a drawn waveform: round times, in one style."""

from __future__ import annotations

import math

_MOST = 7  # labels, so that they stay apart in a narrow cell
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)  # seconds
_LAST = 0.06  # of the width is what a label needs; one nearer the end is left out


def ticks(duration: float) -> tuple[tuple[float, str], ...]:
    """Return round times from 0 on, in seconds, each with its label.

    Parameters
    ----------
    duration
        Length of the axis in seconds.

    Examples
    --------
    >>> [label for _, label in ticks(100)]
    ['0:00', '0:15', '0:30', '0:45', '1:00', '1:15', '1:30']
    """
    hours = _STEPS[-1] * math.ceil(duration / _MOST / _STEPS[-1])
    step = next((step for step in _STEPS if duration <= step * _MOST), hours)
    count = max(math.ceil(duration * (1 - _LAST) / step - 1e-9), 1)
    times = [step * at for at in range(count)]
    return tuple((time, _label(time, tenths=step < 1)) for time in times)


def html(duration: float) -> str:
    """Return the axis as a row as wide as the drawing; each label begins at its time."""
    found = ticks(duration)
    ends = [time for time, _ in found[1:]] + [duration]
    labels = "".join(
        f'<span style="width:{100 * (end - time) / duration if duration else 100:.2f}%;'
        'box-sizing:border-box;border-left:1px solid;padding-left:3px;white-space:nowrap">'
        f"{label} </span>"
        for (time, label), end in zip(found, ends, strict=True)
    )
    return f'<div aria-hidden="true" style="display:flex;line-height:1.3">{labels}</div>'


def _label(seconds: float, *, tenths: bool) -> str:
    minutes, rest = divmod(round(seconds * 10), 600)
    hours, minutes = divmod(minutes, 60)
    end = f"{rest // 10:02d}" + (f".{rest % 10}" if tenths else "")
    return f"{hours}:{minutes:02d}:{end}" if hours else f"{minutes}:{end}"
