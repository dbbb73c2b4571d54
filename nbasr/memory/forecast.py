"""A model's memory, told before it is loaded: part by part, and whether it fits."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass

from nbasr._units import size

_BAR = 24  # characters of the longest bar in a terminal

# Colours that can be told apart on white and on black, also by colour-blind people (Okabe and Ito
# 2008): weights, activations, cache, context, slack.
_COLOURS = {
    "weights": "#0072b2",
    "activations": "#e69f00",
    "cache": "#009e73",
    "context": "#999999",
    "slack": "#cc79a7",
}
_DIM = "var(--jp-content-font-color2, currentColor)"
_LINE = "var(--jp-border-color2, rgba(128, 128, 128, 0.5))"
_WARN = "var(--jp-warn-color1, #c77700)"


@dataclass(frozen=True)
class MemoryEstimate:
    """What a model will take of a device, as far as can be said before it is loaded.

    Parameters
    ----------
    name
        The model.
    precision
        Format of most of its weights: ``"bf16"``, ``"int8"`` …
    device
        Where it is to run.
    chunk_seconds, batch_size
        The work: so many chunks at once, each padded to so many seconds.
    weights
        Bytes of each part of the model.
    activations_bytes, cache_bytes
        What it computes with, and keys and values of the attention, at the widest moment of a run.
    context_bytes
        What CUDA takes for itself.
    slack_bytes
        What allocators lose, and workspaces of CUDA's libraries.
    room_bytes
        What may be taken of the device now: free memory, or what the budget leaves if less.
    largest_batch
        Most such chunks at once that fit; 0 if not even one does.
    ratio
        Measured over predicted memory of earlier runs on this device, by which activations and
        cache are corrected; None if there were none.
    phase
        What the model does at its widest moment: ``"hearing"``, ``"reading"`` or ``"writing"``.
    """

    name: str
    precision: str
    device: str
    chunk_seconds: float
    batch_size: int
    weights: Mapping[str, int]
    activations_bytes: int
    cache_bytes: int
    context_bytes: int
    slack_bytes: int
    room_bytes: int
    largest_batch: int
    ratio: float | None = None
    phase: str = ""

    @property
    def weights_bytes(self) -> int:
        """All weights."""
        return sum(self.weights.values())

    @property
    def peak_bytes(self) -> int:
        """Weights, activations and cache: what torch should report as its peak."""
        return self.weights_bytes + self.activations_bytes + self.cache_bytes

    @property
    def total_bytes(self) -> int:
        """All that is taken of the device."""
        return self.peak_bytes + self.context_bytes + self.slack_bytes

    @property
    def fits(self) -> bool:
        """Whether there is room for it now."""
        return self.total_bytes <= self.room_bytes

    @property
    def _rows(self) -> list[tuple[str, str, int]]:
        """What is shown: (kind, what it is, bytes)."""
        rows = [("weights", part, count) for part, count in self.weights.items()]
        rows += [
            ("activations", "activations", self.activations_bytes),
            ("cache", "attention cache", self.cache_bytes),
            ("context", "CUDA itself", self.context_bytes),
            ("slack", "slack", self.slack_bytes),
        ]
        return [row for row in rows if row[2]]

    @property
    def _work(self) -> str:
        if self.batch_size == 1:
            return f"one chunk of {self.chunk_seconds:g} s"
        return f"{self.batch_size} chunks of {self.chunk_seconds:g} s at once"

    @property
    def _verdict(self) -> str:
        need, room = size(self.total_bytes), size(self.room_bytes)
        most = {0: "not even one such chunk fits", 1: "more than one such chunk does not fit"}.get(
            self.largest_batch, f"up to {self.largest_batch} such chunks at once fit"
        )
        if self.fits:
            return f"fits: {need} of the {room} that may be taken; {most}"
        return (
            f"does not fit: it takes {need}, and {room} may be taken; {most}; %asr models "
            f"{self.name} tells in which precision it does"
        )

    @property
    def _source(self) -> str:
        if not self.activations_bytes:
            return "its work takes hardly more"
        if self.ratio is None:
            return "predicted; the first run corrects it by what it measures"
        return f"corrected by what earlier runs measured (x {self.ratio:.2f})"

    def __repr__(self) -> str:
        """Tell it in a few lines."""
        largest = max((count for *_, count in self._rows), default=1)
        lines = [f"{self.name} in {self.precision} on {self.device}, {self._work}"]
        for _, what, count in self._rows:
            bar = "█" * max(1, round(_BAR * count / largest))
            lines.append(f"  {what:16} {size(count):>8}  {bar}")
        return "\n".join([*lines, self._verdict, f"({self._source})"])

    def _repr_html_(self) -> str:
        """Show a bar as wide as the room, or as the need if that is more, and its parts."""
        whole = max(self.room_bytes, self.total_bytes, 1)
        pieces, lines = [], []
        for kind, what, count in self._rows:
            colour = _COLOURS[kind]
            told = html.escape(f"{what}: {size(count)}")
            pieces.append(
                f'<span title="{told}" style="width:{100 * count / whole:.2f}%;'
                f'background:{colour};border-right:1px solid {_LINE}"></span>'
            )
            lines.append(
                f'<tr><td style="text-align:left"><span aria-hidden="true" '
                f'style="display:inline-block;width:10px;height:10px;background:{colour}"></span> '
                f"{html.escape(what)}</td>"
                f'<td style="text-align:right">{size(count)}</td></tr>'
            )
        mark = ""
        if not self.fits:  # where the room ends
            mark = (
                f'<span title="room: {size(self.room_bytes)}" style="position:absolute;top:-3px;'
                f"bottom:-3px;left:{100 * self.room_bytes / whole:.2f}%;"
                f'border-left:2px solid {_WARN}"></span>'
            )
        colour = "inherit" if self.fits else _WARN
        return (
            '<div style="max-width:640px">'
            f"<div><b>{html.escape(self.name)}</b> in {html.escape(self.precision)} on "
            f"{html.escape(self.device)}, {self._work}</div>"
            f'<div role="img" aria-label="{html.escape(self._verdict)}" style="position:relative;'
            f'display:flex;height:18px;margin:6px 0;border:1px solid {_LINE}">'
            f"{''.join(pieces)}{mark}</div>"
            f'<table style="color:inherit">{"".join(lines)}</table>'
            f'<div style="color:{colour}">{html.escape(self._verdict)}</div>'
            f'<div style="color:{_DIM}">{html.escape(self._source)}</div></div>'
        )
