"""The recordings that an upload panel takes in: each a row that goes from announced to opened."""

from __future__ import annotations

import contextlib
import copy
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from nbasr import settings
from nbasr.audio._fetch import fetch, name_of
from nbasr.audio.recording import open_quietly
from nbasr.audio.sources import resolved
from nbasr.errors import AudioError, NbasrError
from nbasr.widgets import _paths
from nbasr.widgets._copies import holds_sound, older_copy
from nbasr.widgets._inbox import Inbox, Unfinished
from nbasr.widgets._incoming import Announced, Incoming, ReceivingError
from nbasr.widgets._rows import ARRIVABLE, Row, Rows, outline

_TOLD_EVERY = 0.25  # s between two reports of how far a row is
_QUIET = 10.0  # s without a byte after which a file counts as broken off
_AT_ONCE = 2  # addresses that are fetched at once
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


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
    rows : Rows
        In the order in which they came.
    """

    def __init__(
        self, inbox: Inbox, tell: Callable[[Row], None], arrived: Callable[[], None]
    ) -> None:
        self.inbox = inbox
        self.rows = Rows(tell)
        self._order: list[Row] = []  # as they were opened
        self._arrived = arrived
        self._placing = threading.Lock()  # a file is in the folder before its row knows its name
        self._opener = ThreadPoolExecutor(1, thread_name_prefix="nbasr-open")
        self._fetching = threading.BoundedSemaphore(_AT_ONCE)
        self._closed = False
        inbox.sweep()
        self.look()

    @property
    def ready(self) -> tuple[Row, ...]:
        """The rows whose recordings are open, in the order in which they were opened."""
        with self.rows.lock:
            return tuple(self._order)

    def look(self) -> None:
        """List what was broken off in the folder and is not listed yet."""
        found = self.inbox.unfinished(quiet_for=_QUIET)
        with self.rows.lock:
            listed = {row.unfinished.part for row in self.rows if row.unfinished}
            listed |= {row.incoming.part for row in self.rows if row.incoming}
            for known in found:
                if known.part not in listed:
                    row = self.rows.new(known.about.kind, known.about.name, state="interrupted")
                    row.size, row.received = known.about.size, known.received
                    row.about, row.unfinished = known.about, known

    # -- Files and the microphone, slice by slice -------------------------------------------------

    def begin(self, about: Announced, row_id: str = "", client: str = "") -> Row:
        """Make ready for a file; its row says what went wrong, or how much is there already."""
        with self.rows.lock:
            row = self.rows.get(row_id) or self.rows.known(about, client)
            row = row or self.rows.new(about.kind, about.name)
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
                self.rows.set(row, "sending")
            except ReceivingError as error:
                self.rows.failed(row, error, again=about.size != 0)
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
            self.rows.failed(row, error)
            raise
        if row.heard - row.told_at > _TOLD_EVERY:
            self.rows.told(row)
        return row.received

    def restart(self, row_id: str) -> None:
        """Forget what has arrived of a file: it is another one of the same name."""
        row, incoming = self._arriving(row_id)
        incoming.restart()
        row.received = 0

    def finish(self, row_id: str, size: int, crc32: int) -> None:
        """Check what has arrived, and open it; not twice, should the sender ask again."""
        with self.rows.lock:
            row = self.rows.get(row_id)
            if row is None or row.state != "sending" or row.incoming is None:
                return
            self.rows.set(row, "checking")
            incoming = row.incoming
        self._place(row, incoming, lambda: incoming.check(size, crc32))

    def keep(self, row_id: str) -> None:
        """Take what has arrived of something that was broken off as it is."""
        with self.rows.lock:
            row = self.rows.find(row_id)
            if row.state not in ARRIVABLE:
                return  # asked twice
            if row.unfinished is not None:
                row.incoming, row.unfinished = self.inbox.resume(row.unfinished), None
            self.rows.set(row, "checking")
            incoming = row.incoming
        self._place(row, incoming)

    def _place(
        self, row: Row, incoming: Incoming | None, check: Callable[[], object] | None = None
    ) -> None:
        """Put what has arrived into its place, if it passes a check, and open it."""
        try:
            if incoming is None:
                raise ReceivingError("upload.elsewhere", name=row.name)
            if check is not None:
                check()
            with self._placing:
                row.own = incoming.keep()
        except ReceivingError as error:
            self._let_go(row)
            self.rows.failed(row, error)
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
            row = self.rows.new("url", name_of(text), source=text, state="fetching")
            self.rows.told(row)
            self._fetch_later(row)
            return [row]
        if _ADDRESS.match(text):
            with resolved(text):  # says what addresses there may be
                return []
        if not text:
            raise ReceivingError("upload.nothing_typed")
        rows = []
        for path in _paths.meant(text):
            row = self.rows.new("path", path.name, source=str(path), state="opening")
            with contextlib.suppress(OSError):
                row.size = path.stat().st_size
            self.rows.told(row)
            self._open_later(row, path)
            rows.append(row)
        return rows

    def retry(self, row_id: str) -> None:
        """Try an address or path again; files are begun again by their sender."""
        with self.rows.lock:
            row = self.rows.find(row_id)
            if row.state != "problem":
                return
        if row.own is not None:
            self._open_own(row)
        elif row.kind == "url":
            self.rows.set(row, "fetching")
            self._fetch_later(row)
        elif row.kind == "path":
            self.rows.set(row, "opening")
            self._open_later(row, Path(row.source))

    def remove(self, row_id: str) -> None:
        """Take a row off the list; of its file, only what has not arrived whole is removed."""
        with self.rows.lock:
            row = self.rows.get(row_id)
            if row is None:
                return
            was_open = row.recording is not None
            self._order = [other for other in self._order if other is not row]
            self._drop(row)
            row.recording = None
            self.rows.end(row)
        if was_open:
            self._arrived()

    def close(self) -> None:
        """Let go of everything; what was broken off can be gone on with."""
        self._closed = True
        self._opener.shutdown(wait=False, cancel_futures=True)
        with self.rows.lock:
            for row in self.rows:
                self._let_go(row)

    # -- Within -----------------------------------------------------------------------------------

    def _fetch_later(self, row: Row) -> None:
        threading.Thread(target=self._fetch, args=(row,), name="nbasr-url", daemon=True).start()

    def _fetch(self, row: Row) -> None:
        """Fetch an address into the folder."""
        part = self.inbox.new_part()

        def is_wanted() -> None:
            if self._closed or row.state == "gone":
                raise AudioError("It was taken off the list.")

        def watch(received: int, declared: int | None) -> None:
            is_wanted()
            row.received, row.size = received, declared
            row.heard = time.monotonic()
            if row.heard - row.told_at > _TOLD_EVERY:
                self.rows.told(row)

        try:
            with self._fetching:
                is_wanted()
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
            self.rows.failed(row, self.inbox.explained(error, row.name))
        except NbasrError as error:
            self.rows.failed(row, error)
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
        self.rows.set(row, "opening")
        self._open_later(row, row.own)

    def _open_later(self, row: Row, path: Path) -> None:
        with contextlib.suppress(RuntimeError):  # the panel was closed
            self._opener.submit(self._open, row, path)

    def _open(self, row: Row, path: Path) -> None:
        """Open a file; remove it again if it was brought here and is no recording, or known."""
        if row.state == "gone":
            self._dismiss(row)
            return
        older = self._older(row, path)
        try:
            recording = open_quietly(older or path)
            # A copy of it takes its levels away again: hours of them would add up in a long list.
            row.wave = outline(copy.copy(recording).levels())
        except Exception as error:  # a worker's error has no cell to show itself in
            sounds = holds_sound(older or path)
            if row.state == "gone" or not sounds:
                self._dismiss(row)
            self.rows.failed(row, error, again=sounds or row.kind == "path")
            return
        with self.rows.lock:
            if row.state == "gone":
                self._dismiss(row)
                return
            twin = next((other for other in self._order if other.recording == recording), None)
            if twin is not None and _has_file(twin):
                self._dismiss(row)
                row.note = ("upload.same_as", {"name": twin.name})
                self.rows.set(row, "same")
                return
            row.recording = recording
            self._order.append(row)
            if twin is not None:  # somebody has removed its file: this one takes its place
                self._order.remove(twin)
                self.rows.end(twin)
            if older is not None:
                row.name, row.note = older.name, ("upload.known", {})
            self.rows.set(row, "ready")
        self._arrived()

    def _older(self, row: Row, path: Path) -> Path | None:
        """Return a file that was in the folder before with the same bytes.

        The one that has just arrived is then removed: nobody wants ``talk (2).wav`` for having run
        a notebook twice.
        """
        if row.own is None:
            return None
        with self._placing, self.rows.lock:
            coming = {other.own for other in self.rows if other.recording is None}
        older = older_copy(path, coming)
        if older is not None:
            self._dismiss(row)
        return older

    def _dismiss(self, row: Row) -> None:
        """Remove the file that a row has brought, but not sound that exists nowhere else."""
        if row.own is not None and (row.kind != "microphone" or row.state == "gone"):
            with contextlib.suppress(OSError):
                row.own.unlink(missing_ok=True)
            row.own = None
            row.name = row.about.name if row.about is not None else row.name  # without a number

    def _arriving(self, row_id: str) -> tuple[Row, Incoming]:
        row = self.rows.find(row_id)
        if row.incoming is None or row.state != "sending":
            raise ReceivingError("upload.not_expected")
        return row, row.incoming

    def _let_go(self, row: Row) -> None:
        """Close what a row was receiving, to be gone on with later."""
        with self.rows.lock:
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


def _has_file(row: Row) -> bool:
    """Tell whether the file of a row's recording is still there."""
    assert row.recording is not None
    path = row.recording.path
    return path is None or path.is_file()
