"""Keeping corrections: written a moment after the last one, never over what somebody else wrote."""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from nbasr.widgets import _drafts
from nbasr.widgets._reading import Reading
from nbasr.widgets._texts import say

if TYPE_CHECKING:
    from nbasr.audio.recording import Recording
    from nbasr.transcript import Transcript

AFTER = 0.5
"""Seconds without an edit after which they are written."""

AT_LEAST = 3.0
"""Seconds after which they are written while more and more edits come."""


@dataclass(frozen=True)
class Saved:
    """How things are with the corrections.

    Parameters
    ----------
    state
        ``"none"`` (there is nothing to save), ``"unsaved"``, ``"saved"`` or ``"failed"``.
    at
        When they were saved last, in seconds since 1970.
    problem
        What is wrong, in a sentence.
    """

    state: str = "none"
    at: float | None = None
    problem: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON knows it."""
        return {"state": self.state, "at": self.at, "problem": self.problem}


class Keeper:
    """Keeps the corrections of one machine's text in a file.

    Parameters
    ----------
    recording, machine
        What was heard, and what the machine made of it.
    tell
        Called with what `saved` is after each change, in any thread.
    language
        Returns the language of sentences.
    """

    _all: ClassVar[weakref.WeakSet[Keeper]] = weakref.WeakSet()
    _all_lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(
        self,
        recording: Recording,
        machine: Transcript,
        tell: Callable[[Saved], None],
        language: Callable[[], str],
    ) -> None:
        self.key = _drafts.key_of(recording, machine)
        self.saved = Saved()
        self._recording = recording
        self._machine = machine
        self._machine_json = ""
        self._tell = tell
        self._language = language
        self._lock = threading.RLock()  # of all that follows
        self._writing = threading.Lock()
        self._path = _drafts.folder() / f"{self.key}.json"
        self._mark: _drafts.Mark | None = None  # of the file as this keeper last saw it
        self._waiting: Reading | None = None
        self._since = 0.0
        self._timer: threading.Timer | None = None
        with self._all_lock:
            self._all.add(self)

    def taken_up(self) -> tuple[Reading | None, _drafts.About | None, list[str]]:
        """Return the corrections that are kept already, what they are about, and what is wrong."""
        with self._all_lock:
            others = [one for one in self._all if one.key == self.key and one is not self]
        for other in others:  # of another panel of this kernel, which may still wait to write
            other.flush()
        notes: list[str] = []
        for path in _drafts.named(self.key):
            mark = _drafts.mark(path)
            try:
                about, reading = _drafts.take(path, self._machine)
            except OSError as error:
                notes.append(self._say("draft.unreadable", path=path, reason=_reason(error)))
                continue
            except ValueError:
                notes.append(self._say("draft.damaged", path=_drafts.put_aside(path)))
                continue
            with self._lock:
                self._path, self._mark = path, mark
                self.saved = Saved("saved", about.at)
            return reading, about, notes
        return None, None, notes

    def changed(self, reading: Reading) -> None:
        """Keep other corrections, in a moment."""
        with self._lock:
            now = time.monotonic()
            if self._waiting is None:
                self._since = now
            self._waiting = reading
            after = max(0.0, min(AFTER, self._since + AT_LEAST - now))
            if self._timer is not None:
                self._timer.cancel()
            self._timer = threading.Timer(after, self.flush)
            self._timer.daemon = True
            self._timer.start()
            failed = self.saved.problem if self.saved.state == "failed" else ""
            self.saved = Saved("unsaved", self.saved.at, failed)

    def flush(self) -> None:
        """Write what waits, now. What goes wrong is told; it is tried again with the next edit."""
        with self._writing:
            with self._lock:
                reading, self._waiting = self._waiting, None
                if self._timer is not None:
                    self._timer.cancel()
            if reading is None:
                return
            try:
                problem = self._write(reading)
            except Exception as error:
                problem = self._say("draft.failed", path=self._path, reason=_reason(error))
                saved = Saved("failed", self.saved.at, problem)
            else:
                saved = Saved("saved", time.time(), problem)
            with self._lock:
                if saved.state == "failed" and self._waiting is None:
                    self._waiting = reading  # for `close`, which tries it once more
                elif self._waiting is not None:  # edited meanwhile
                    saved = Saved("unsaved", saved.at, saved.problem)
                self.saved = saved
        self._tell(saved)

    def close(self) -> None:
        """Write what waits, and be done."""
        self.flush()
        with self._all_lock:
            self._all.discard(self)

    def _write(self, reading: Reading) -> str:
        """Write the draft; return what the user should know."""
        problem = ""
        found = _drafts.mark(self._path)
        if found is not None and found != self._mark:  # another panel wrote it since
            when = datetime.fromtimestamp(self._path.stat().st_mtime).astimezone()
            problem = self._say("draft.other", at=when.strftime("%H:%M"))
            self._path, self._mark = _drafts.beside(self.key), None
        if not self._machine_json:
            self._machine_json = _drafts.machine_json(self._machine)
        is_new = self._mark is None
        about = self._about(reading)
        self._mark = _drafts.put(self._path, about, self._machine_json, reading)
        if is_new:
            _drafts.prune()
        return problem

    def _about(self, reading: Reading) -> _drafts.About:
        recording, machine = self._recording, self._machine
        channel, stream = recording._selection  # it has no public name
        return _drafts.About(
            key=self._path.stem,
            name=recording.name,
            path="" if recording.path is None else str(Path(recording.path).absolute()),
            fingerprint=recording.fingerprint,
            channel=channel,
            stream=stream,
            model=machine.model,
            language=machine.language,
            duration=recording.duration,
            edits=reading.edits,
            at=time.time(),
        )

    def _say(self, key: str, **values: object) -> str:
        return say(key, self._language(), **values)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return str(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"


@atexit.register
def _flush_all() -> None:
    """Write what waits when the kernel is shut down."""
    with Keeper._all_lock:
        keepers = list(Keeper._all)
    for keeper in keepers:
        with contextlib.suppress(Exception):  # nobody is there to be told; the others are written
            keeper.flush()
