"""The recordings that an upload panel takes in: each a row that goes from announced to opened."""

from __future__ import annotations

import contextlib
import filecmp
import itertools
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nbasr import settings
from nbasr.audio._fetch import fetch, name_of
from nbasr.audio.levels import Levels
from nbasr.audio.recording import Recording, open_quietly, probe
from nbasr.errors import AudioError, NbasrError
from nbasr.widgets import _paths
from nbasr.widgets._receiving import Announced, Inbox, Incoming, ReceivingError, Unfinished

WAVE_COLUMNS, WAVE_HEIGHT = 160, 32
"""Size of the small drawing in a row."""

_TOLD_EVERY = 0.25  # s between two reports of how far a row is
_QUIET = 10.0  # s without a byte after which a file counts as broken off
_AT_ONCE = 2  # addresses that are fetched at once
_OPEN = ("sending", "interrupted", "problem")  # states in which a file can still arrive


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
            "recording": None if self.recording is None else facts(self.recording),
        }


def facts(recording: Recording) -> dict[str, Any]:
    """Return what a row shows of a recording: numbers, words, and the outline of its waveform."""
    return {
        "duration": recording.duration,
        "sample_rate": recording.sample_rate,
        "channels": recording.channels,
        "codec": recording.codec,
        "problems": list(recording.problems),
        "wave": outline(recording.levels()),
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


class Arrivals:
    """The rows of a panel and what happens to them, in threads of its own.

    Parameters
    ----------
    inbox
        Where files arrive.
    tell
        Called with each row that has changed.
    arrived
        Called with each recording, in the order in which they were opened.

    Attributes
    ----------
    rows : dict of str to Row
        In the order in which they came.
    """

    def __init__(
        self, inbox: Inbox, tell: Callable[[Row], None], arrived: Callable[[], None]
    ) -> None:
        self.inbox = inbox
        self.rows: dict[str, Row] = {}
        self._order: list[Row] = []  # as they were opened
        self._tell, self._arrived = tell, arrived
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()
        self._placing = threading.Lock()  # a file is in the folder before its row knows its name
        self._opener = ThreadPoolExecutor(1, thread_name_prefix="nbasr-open")
        self._fetching = threading.BoundedSemaphore(_AT_ONCE)
        for known in inbox.unfinished(quiet_for=_QUIET):
            row = self._new(known.about.kind, known.about.name, state="interrupted")
            row.size, row.received = known.about.size, known.received
            row.about, row.unfinished = known.about, known

    @property
    def recordings(self) -> tuple[Recording, ...]:
        """What was opened and is still listed, in the order in which it was opened."""
        with self._lock:
            return tuple(row.recording for row in self._order if row.recording is not None)

    # -- Files and the microphone, slice by slice -------------------------------------------------

    def begin(self, about: Announced, row_id: str = "", client: str = "") -> Row:
        """Make ready for a file; its row says what went wrong, or how much is there already."""
        with self._lock:
            row = self.rows.get(row_id) or self._known(about) or self._new(about.kind, about.name)
            row.about, row.size, row.name, row.client = about, about.size, about.name, client
            try:
                if row.incoming is None or row.state != "sending":
                    if about.size is None:
                        self._drop(row)
                    self._let_go(row)
                    self.inbox.max_bytes = settings.current().upload_max_mb * 1e6
                    row.incoming = self.inbox.begin(about)
                row.unfinished = None
                row.received = row.incoming.received
                self._set(row, "sending")
            except ReceivingError as error:
                self._failed(row, error, again=about.size != 0)
            return row

    def write(self, row_id: str, offset: int, data: memoryview | bytes) -> int:
        """Write a slice; return how many bytes are there.

        Raises
        ------
        ReceivingError
            If it cannot be written; the row says so, too.
        """
        row, incoming = self._arriving(row_id)
        row.heard = time.monotonic()
        try:
            row.received = incoming.write(offset, data)
        except ReceivingError as error:
            self._let_go(row)
            self._failed(row, error)
            raise
        if row.heard - row.told_at > _TOLD_EVERY:
            self._told(row)
        return row.received

    def restart(self, row_id: str) -> None:
        """Forget what has arrived of a file: it is another one of the same name."""
        row, incoming = self._arriving(row_id)
        incoming.restart()
        row.received = 0

    def finish(self, row_id: str, size: int, crc32: int) -> None:
        """Check what has arrived, and open it; not twice, should the sender ask again."""
        with self._lock:
            row = self.rows.get(row_id)
            if row is None or row.state != "sending" or row.incoming is None:
                return
            self._set(row, "checking")
            incoming = row.incoming
        try:
            incoming.check(size, crc32)
            with self._placing:
                row.own = incoming.keep()
        except ReceivingError as error:
            self._let_go(row)
            self._failed(row, error)
        else:
            self._open_own(row)

    def keep(self, row_id: str) -> None:
        """Take what has arrived of something that was broken off as it is."""
        with self._lock:
            row = self._row(row_id)
            if row.unfinished is not None:
                row.incoming, row.unfinished = self.inbox.resume(row.unfinished), None
        try:
            if row.incoming is None:
                raise ReceivingError("upload.elsewhere", name=row.name)
            with self._placing:
                row.own = row.incoming.keep()
        except ReceivingError as error:
            self._failed(row, error)
        else:
            self._open_own(row)

    # -- Addresses and paths ----------------------------------------------------------------------

    def add(self, typed: str) -> list[Row]:
        """Take what an address, path, folder or pattern names.

        Raises
        ------
        AudioError
            If there is nothing there.
        """
        text = typed.strip()
        if text.lower().startswith(("http://", "https://")):
            row = self._new("url", name_of(text), source=text, state="fetching")
            self._told(row)
            threading.Thread(target=self._fetch, args=(row,), name="nbasr-url", daemon=True).start()
            return [row]
        if not text:
            raise ReceivingError("upload.nothing_typed")
        rows = []
        for path in _paths.meant(text):
            row = self._new("path", path.name, source=str(path), state="opening")
            with contextlib.suppress(OSError):
                row.size = path.stat().st_size
            self._told(row)
            self._open_later(row, path)
            rows.append(row)
        return rows

    def retry(self, row_id: str) -> None:
        """Try an address or path again; files are begun again by their sender."""
        with self._lock:
            row = self._row(row_id)
            if row.state != "problem":
                return
        if row.own is not None:
            self._open_own(row)
        elif row.kind == "url":
            self._set(row, "fetching")
            threading.Thread(target=self._fetch, args=(row,), name="nbasr-url", daemon=True).start()
        elif row.kind == "path":
            self._set(row, "opening")
            self._open_later(row, Path(row.source))

    def remove(self, row_id: str) -> None:
        """Take a row off the list; of its file, only what has not arrived whole is removed."""
        with self._lock:
            row = self.rows.pop(row_id, None)
            if row is None:
                return
            was_open = row.recording is not None
            self._order = [other for other in self._order if other is not row]
            self._drop(row)
            row.recording = None
            self._set(row, "gone")
        if was_open:
            self._arrived()

    def close(self) -> None:
        """Let go of everything; what was broken off can be gone on with."""
        self._opener.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            for row in self.rows.values():
                self._let_go(row)

    # -- Within -----------------------------------------------------------------------------------

    def _fetch(self, row: Row) -> None:
        """Fetch an address into the folder."""
        part = self.inbox.new_part()

        def watch(received: int, declared: int | None) -> None:
            row.received, row.size = received, declared
            row.heard = time.monotonic()
            if row.state == "gone":
                raise AudioError("It was taken off the list.")
            if row.heard - row.told_at > _TOLD_EVERY:
                self._told(row)

        try:
            with self._fetching:
                self.inbox.folder.mkdir(parents=True, exist_ok=True)
                limits = settings.current()
                most = limits.url_max_mb * 1e6
                fetch(row.source, part, max_bytes=most, timeout=limits.url_timeout, watch=watch)
                if not part.stat().st_size:
                    raise ReceivingError("upload.empty", name=row.name)
                row.received = part.stat().st_size
                with self._placing:
                    row.own = self.inbox.place(part, row.name)
        except OSError as error:
            self._failed(row, self.inbox.explained(error, row.name))
        except NbasrError as error:
            self._failed(row, error)
        else:
            self._open_own(row)
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)

    def _open_own(self, row: Row) -> None:
        """Open what a row has brought into the folder."""
        assert row.own is not None
        row.name, row.incoming = row.own.name, None
        row.size = row.received
        self._set(row, "opening")
        self._open_later(row, row.own)

    def _open_later(self, row: Row, path: Path) -> None:
        with contextlib.suppress(RuntimeError):  # the panel was closed
            self._opener.submit(self._open, row, path)

    def _open(self, row: Row, path: Path) -> None:
        """Open a file; remove it again if it was brought here and is no recording, or known."""
        try:
            older = self._older(row, path)
            recording = open_quietly(older or path)
            recording.levels()
        except Exception as error:  # a worker's error has no cell to show itself in
            sounds = _holds_sound(path)
            if row.state == "gone" or not sounds:
                self._dismiss(row)
            self._failed(row, error, again=sounds or row.kind == "path")
            return
        with self._lock:
            if row.state == "gone":
                self._dismiss(row)
                return
            twin = next((other for other in self._order if other.recording == recording), None)
            if twin is None:
                row.recording = recording
                self._order.append(row)
                if older is not None:
                    row.name, row.note = older.name, ("upload.known", {})
                self._set(row, "ready")
            else:
                self._dismiss(row)
                row.note = ("upload.same_as", {"name": twin.name})
                self._set(row, "same")
        if twin is None:
            self._arrived()

    def _older(self, row: Row, path: Path) -> Path | None:
        """Return a file that was in the folder before with the same bytes.

        The one that has just arrived is then removed: nobody wants ``talk (2).wav`` for having run
        a notebook twice.
        """
        if row.own is None:
            return None
        with contextlib.suppress(OSError):
            for other in self._others_of_size(path.stat().st_size):
                if filecmp.cmp(path, other, shallow=False):
                    self._dismiss(row)
                    return other
        return None

    def _others_of_size(self, size: int) -> list[Path]:
        """Return the folder's files of so many bytes, but for those that are just arriving."""
        with self._placing, self._lock, os.scandir(self.inbox.folder) as entries:
            coming = {row.own for row in self.rows.values() if row.recording is None}
            found = [
                Path(entry.path)
                for entry in entries
                if not entry.name.startswith(".")
                and entry.is_file(follow_symlinks=False)
                and entry.stat().st_size == size
            ]
        return sorted(path for path in found if path not in coming)

    def _dismiss(self, row: Row) -> None:
        """Remove the file that a row has brought, but not sound that exists nowhere else."""
        if row.own is not None and (row.kind != "microphone" or row.state == "gone"):
            with contextlib.suppress(OSError):
                row.own.unlink(missing_ok=True)
            row.own = None

    def _known(self, about: Announced) -> Row | None:
        """Return the row of a file that was begun before."""
        if about.size is None:
            return None
        open_rows = (row for row in self.rows.values() if row.state in _OPEN)
        return next((row for row in open_rows if row.about == about), None)

    def _row(self, row_id: str) -> Row:
        row = self.rows.get(row_id)
        if row is None:
            raise ReceivingError("upload.not_expected")
        return row

    def _arriving(self, row_id: str) -> tuple[Row, Incoming]:
        row = self._row(row_id)
        if row.incoming is None or row.state != "sending":
            raise ReceivingError("upload.not_expected")
        return row, row.incoming

    def _new(self, kind: str, name: str, *, source: str = "", state: str = "sending") -> Row:
        with self._lock:
            row = Row(f"r{next(self._numbers)}", kind, name, source, state=state)
            self.rows[row.id] = row
            return row

    def _let_go(self, row: Row) -> None:
        """Close what a row was receiving, to be gone on with later."""
        if (incoming := row.incoming) is not None:
            incoming.pause()
            row.unfinished = Unfinished(incoming.part, incoming.about, incoming.received)
            row.incoming = None

    def _drop(self, row: Row) -> None:
        """Remove what has arrived of a row that is not complete."""
        if row.unfinished is not None:
            row.incoming, row.unfinished = self.inbox.resume(row.unfinished), None
        if row.incoming is not None:
            row.incoming.discard()
            row.incoming = None

    def _failed(self, row: Row, error: Exception, *, again: bool = True) -> None:
        row.again = again
        ours = isinstance(error, NbasrError)
        row.problem = str(error) if ours else f"{type(error).__name__}: {error}"
        row.note = (error.key, error.values) if isinstance(error, ReceivingError) else None
        self._set(row, "problem")

    def _set(self, row: Row, state: str) -> None:
        if row.state != "gone":  # it never comes back
            row.state = state
            row.heard = time.monotonic()
            if state not in ("problem", "same", "ready"):
                row.problem, row.note = "", None
            self._told(row)

    def _told(self, row: Row) -> None:
        row.told_at = time.monotonic()
        self._tell(row)


def _holds_sound(path: Path) -> bool:
    """Tell whether there is sound in a file: then it is kept, whatever else went wrong."""
    try:
        probe(path)
    except NbasrError:
        return False
    return True
