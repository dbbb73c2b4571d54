"""Progress of a transcription, told in seconds of audio, in a form that survives saving."""

from __future__ import annotations

import html
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

INTERVAL = 0.1
"""Least seconds between two updates: at most ten a second (a Jupyter server drops messages above
1000 a second, and a saved notebook keeps only the last)."""


@dataclass(frozen=True)
class Progress:
    """How far a transcription is.

    Parameters
    ----------
    name
        The recording, or how many.
    done, total
        Seconds of audio recognised and to recognise (speech chunks only).
    elapsed
        Seconds since recognition began.
    text
        The text heard last.
    state
        ``"waiting"`` (for room beside other models), ``"loading"``, ``"running"``, ``"finished"``,
        ``"interrupted"`` or ``"failed"``.
    model
        Name of the model.
    """

    name: str
    done: float
    total: float
    elapsed: float
    text: str = ""
    state: str = "running"
    model: str = ""

    @property
    def speed(self) -> float:
        """Seconds of audio per second (RTFx); 0 before the first batch is done."""
        return self.done / self.elapsed if self.elapsed > 0 else 0.0

    @property
    def left(self) -> float | None:
        """Seconds until the end at this speed; None before the first batch is done."""
        return (self.total - self.done) / self.speed if self.speed else None

    def __str__(self) -> str:
        """Tell it in one line."""
        if self.state == "loading":
            return f"{self.name} · loading {self.model} … {self.text}".rstrip()
        if self.state == "waiting":
            return f"{self.name} · waiting to begin with {self.model} …"
        parts = [f"{self.name} · {clock(self.done)} of {clock(self.total)}"]
        if self.speed:
            parts.append(f"{self.speed:.3g} × real time")
        if self.state == "running" and self.left is not None:
            parts.append(f"{clock(self.left)} left")
        elif self.state != "running":
            parts.append(f"{self.state} after {clock(self.elapsed)}")
        return " · ".join([*parts, self.model])

    def _repr_html_(self) -> str:
        """Draw it: a bar, the line, the last words; without style or script it is still text."""
        share = self.done / self.total if self.total else float(self.state == "finished")
        broken = self.state in ("interrupted", "failed")
        colour, fallback = ("warn", "#c05b00") if broken else ("brand", "#1976d2")
        words = self.text if broken or self.state == "running" else ""
        words = words if len(words) <= 160 else "… " + words[-158:].split(" ", 1)[-1]
        tail = (
            f'<div style="color:var(--jp-ui-font-color2,#777)">{html.escape(words)}</div>'
            if words
            else ""
        )
        return (
            '<div style="font:13px/1.5 var(--jp-ui-font-family,sans-serif)">'
            '<div style="height:4px;border-radius:2px;'
            'background:var(--jp-border-color2,#ccc)">'
            f'<div style="height:4px;border-radius:2px;width:{100 * share:.1f}%;'
            f'background:var(--jp-{colour}-color1,{fallback})"></div></div>'
            f"<div>{html.escape(str(self))}</div>{tail}</div>"
        )


def clock(seconds: float) -> str:
    """Write seconds as ``m:ss`` or ``h:mm:ss``.

    >>> clock(63.2), clock(3725)
    ('1:03', '1:02:05')
    """
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, rest = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


Listener = Callable[[Progress], None]


class Throttle:
    """Hand progress on at most ten times a second, and always a new state."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._last = float("-inf")
        self._state = ""

    def __call__(self, progress: Progress) -> None:
        """Hand `progress` on, unless one like it was told too short a time ago."""
        now = time.monotonic()
        if progress.state == self._state and now - self._last < INTERVAL:
            return
        self._last, self._state = now, progress.state
        self._listener(progress)


def listener(wanted: bool | Listener) -> Listener:
    """Return who is told: the caller's own function, the notebook, the terminal, or nobody."""
    if callable(wanted):
        return Throttle(wanted)
    if not wanted:
        return lambda _: None
    if in_notebook():
        return Throttle(_Display())
    if sys.stderr is not None and sys.stderr.isatty():
        return Throttle(_terminal)
    return lambda _: None


def in_notebook() -> bool:
    """Tell whether outputs go to a notebook."""
    shell = sys.modules.get("IPython") and sys.modules["IPython"].get_ipython()
    return bool(shell) and hasattr(shell, "kernel")


class _Display:
    """One output of the cell, rewritten in place: the saved notebook keeps the last state."""

    def __init__(self) -> None:
        self._handle: Any = None

    def __call__(self, progress: Progress) -> None:
        from IPython.display import display

        bundle = {"text/plain": str(progress), "text/html": progress._repr_html_()}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(bundle, raw=True)


def _terminal(progress: Progress) -> None:
    end = "\n" if progress.state in ("finished", "interrupted", "failed") else ""
    sys.stderr.write(f"\r\x1b[K{progress}{end}")
    sys.stderr.flush()
