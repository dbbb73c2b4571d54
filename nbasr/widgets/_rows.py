"""The rows of an upload panel: what each is, how it stands, what the browser shows of it."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nbasr.audio.levels import Levels
from nbasr.audio.recording import Recording
from nbasr.errors import NbasrError
from nbasr.widgets._inbox import Unfinished
from nbasr.widgets._incoming import Announced, Incoming, ReceivingError

WAVE_COLUMNS, WAVE_HEIGHT = 160, 32
"""Size of the small drawing in a row."""

ARRIVABLE = ("sending", "interrupted", "problem")
"""States in which a file can still arrive."""


@dataclass
class Row:
    """One thing that was brought; what the browser shows of it is `told`.

    Parameters
    ----------
    id
        Of the row, in its panel.
    kind
        ``"file"``, ``"microphone"``, ``"url"`` or ``"path"``.
    name
        For a person.
    source
        The address or path, for what was not sent.
    size, received
        Bytes; the size is None where nobody knows it.
    state
        ``"sending"``, ``"fetching"``, ``"checking"``, ``"opening"``, ``"ready"``, ``"same"``,
        ``"problem"``, ``"interrupted"`` or ``"gone"``.
    note
        More about the state: a key of the catalogue and what stands in its places.
    own
        The file in the folder that was made for this row.
    wave
        Outline of its waveform, as `outline` returns it.
    client
        What its sender calls it, before it has heard of the row.
    again
        Whether it may help to try again, where there is a problem.
    """

    id: str
    kind: str
    name: str
    source: str = ""
    size: int | None = None
    received: int = 0
    state: str = "sending"
    problem: str = ""
    note: tuple[str, dict[str, str]] | None = None
    about: Announced | None = None
    incoming: Incoming | None = None
    unfinished: Unfinished | None = None
    recording: Recording | None = None
    wave: str = ""
    own: Path | None = None
    client: str = ""
    again: bool = True
    heard: float = field(default_factory=time.monotonic)
    told_at: float = 0.0

    def told(self) -> dict[str, Any]:
        """Return the row as the browser wants it: values that JSON knows."""
        return {
            "id": self.id,
            "kind": self.kind,
            "name": self.name,
            "source": self.source,
            "size": self.size,
            "received": self.received,
            "state": self.state,
            "problem": self.problem,
            "note": self.note,
            "again": self.again,
            "kept": self.own is not None,
            "client": self.client,
            "quiet": time.monotonic() - self.heard,
            "recording": None if self.recording is None else facts(self.recording, self.wave),
        }


class Rows:
    """The rows of a panel, which tells the browser of each change; safe in any thread.

    Parameters
    ----------
    tell
        Called with each row that has changed.

    Attributes
    ----------
    lock : threading.RLock
        Held while rows change; whoever changes more than one thing holds it, too.
    """

    def __init__(self, tell: Callable[[Row], None]) -> None:
        self.lock = threading.RLock()
        self._tell = tell
        self._rows: dict[str, Row] = {}
        self._numbers = itertools.count(1)

    def __iter__(self) -> Iterator[Row]:
        with self.lock:
            return iter(list(self._rows.values()))

    def get(self, row_id: str) -> Row | None:
        """Return a row that is on the list, else None."""
        return self._rows.get(row_id)

    def find(self, row_id: str) -> Row:
        """Return a row that must be on the list."""
        row = self.get(row_id)
        if row is None:
            raise ReceivingError("upload.not_expected")
        return row

    def known(self, about: Announced, client: str) -> Row | None:
        """Return the row of a file that was begun before: its sender may just ask again."""

        def is_it(row: Row) -> bool:
            same_file = about.size is not None and row.about == about
            return same_file or bool(client and row.client == client)

        return next((row for row in self if row.state in ARRIVABLE and is_it(row)), None)

    def new(self, kind: str, name: str, *, source: str = "", state: str = "sending") -> Row:
        """Add a row; it is told when there is more to say."""
        with self.lock:
            row = Row(f"r{next(self._numbers)}", kind, name, source, state=state)
            self._rows[row.id] = row
            return row

    def set(self, row: Row, state: str) -> None:
        """Let a row come to another state, unless it was taken off the list."""
        with self.lock:
            if row.state == "gone":
                return
            row.state = state
            row.heard = time.monotonic()
            if state not in ("problem", "same", "ready"):
                row.problem, row.note = "", None
            self.told(row)

    def failed(self, row: Row, error: Exception, *, again: bool = True) -> None:
        """Let a row say what went wrong, and whether it may help to try again."""
        ours = isinstance(error, NbasrError)
        with self.lock:
            row.again = again
            row.problem = str(error) if ours else f"{type(error).__name__}: {error}"
            row.note = (error.key, error.values) if isinstance(error, ReceivingError) else None
            self.set(row, "problem")

    def end(self, row: Row) -> None:
        """Take a row off the list."""
        with self.lock:
            self._rows.pop(row.id, None)
            self.set(row, "gone")

    def told(self, row: Row) -> None:
        """Tell the browser of a row; nothing more after its end."""
        with self.lock:
            row.told_at = time.monotonic()
            self._tell(row)


def facts(recording: Recording, wave: str) -> dict[str, Any]:
    """Return what a row shows of a recording: numbers, words, and the outline of its waveform."""
    return {
        "duration": recording.duration,
        "sample_rate": recording.sample_rate,
        "channels": recording.channels,
        "codec": recording.codec,
        "problems": list(recording.problems),
        "wave": wave,
    }


def outline(levels: Levels) -> str:
    """Return the points of an SVG polygon: the waveform, as high as drawn at its loudest."""
    envelope = levels.envelope(0.0, levels.duration, WAVE_COLUMNS)
    half = WAVE_HEIGHT / 2
    scale = (half - 1) / max(float(np.abs(envelope).max(initial=0.0)), 1e-3)
    tops = half - envelope[:, 1] * scale - 0.4  # silence is a line, not nothing
    bottoms = half - envelope[:, 0] * scale + 0.4
    points = [f"{x},{top:.1f}" for x, top in enumerate(tops)]
    points += [f"{x},{bottoms[x]:.1f}" for x in reversed(range(WAVE_COLUMNS))]
    return " ".join(points)
