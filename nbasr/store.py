"""What must outlive a kernel: measurements of memory, in one SQLite file of the user's.

The file lies in the user's data folder (``NBASR_HOME`` moves it). It is a help, never a need: where
it cannot be read or written, one `ModelWarning` says so and everything works without it.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import statistics
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from nbasr._files import expanded
from nbasr.errors import ModelWarning

SCHEMA = 1
"""Version of the tables, kept in the file itself; a file of another version is left alone."""

KEPT = 20
"""Measurements of one model on one device that count: the last ones, as libraries change."""

LONGEST_WAIT = 2.0
"""Seconds to wait for another process that writes; nothing here is worth a longer one."""

_TABLES = (
    "CREATE TABLE IF NOT EXISTS peaks (id INTEGER PRIMARY KEY, model TEXT NOT NULL,"
    " device TEXT NOT NULL, predicted_bytes INTEGER NOT NULL, measured_bytes INTEGER NOT NULL,"
    " at REAL NOT NULL)",
    "CREATE INDEX IF NOT EXISTS peaks_of ON peaks (model, device, id)",
)

_Found = TypeVar("_Found")

_warned: set[Path] = set()
_warning = threading.Lock()


def home_folder() -> Path:
    """Return the folder of what is kept (``NBASR_HOME`` moves it); it may not exist yet."""
    import platformdirs

    chosen = os.environ.get("NBASR_HOME")
    return Path(expanded(chosen or platformdirs.user_data_dir("nbasr", appauthor=False)))


def path() -> Path:
    """Return the file; it may not exist yet."""
    return home_folder() / "nbasr.sqlite"


def remember_peak(key: str, device: str, predicted_bytes: int, measured_bytes: int) -> None:
    """Keep what a run was expected to take and what it took.

    Parameters
    ----------
    key
        The model and its precision.
    device
        The device, by its own name: another GPU has other kernels.
    predicted_bytes, measured_bytes
        Bytes above the weights; a pair that is not above 0 tells nothing and is not kept.
    """
    if predicted_bytes <= 0 or measured_bytes <= 0:
        return

    def write(base: sqlite3.Connection) -> None:
        base.execute("BEGIN IMMEDIATE")
        base.execute(
            "INSERT INTO peaks (model, device, predicted_bytes, measured_bytes, at)"
            " VALUES (?, ?, ?, ?, ?)",
            (key, device, int(predicted_bytes), int(measured_bytes), time.time()),
        )
        base.execute(
            "DELETE FROM peaks WHERE model = ? AND device = ? AND id NOT IN"
            " (SELECT id FROM peaks WHERE model = ? AND device = ? ORDER BY id DESC LIMIT ?)",
            (key, device, key, device, KEPT),
        )
        base.execute("COMMIT")

    _with(write)


def ratio(key: str, device: str) -> float | None:
    """Return measured over predicted bytes of a model on a device; None where nothing is known.

    It is the median of the last `KEPT` runs, so that one odd run does not count.
    """
    if not path().is_file():  # to ask makes no file
        return None

    def read(base: sqlite3.Connection) -> list[float]:
        rows = base.execute(
            "SELECT measured_bytes, predicted_bytes FROM peaks"
            " WHERE model = ? AND device = ? ORDER BY id DESC LIMIT ?",
            (key, device, KEPT),
        )
        return [measured / predicted for measured, predicted in rows]

    found = _with(read)
    return statistics.median(found) if found else None


def _with(work: Callable[[sqlite3.Connection], _Found]) -> _Found | None:
    """Do something with the file; None where it cannot be used.

    A connection is opened each time: that takes a millisecond, and so it belongs to one thread and
    no fork or second kernel can trip over it.
    """
    place = path()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        base = sqlite3.connect(place, timeout=LONGEST_WAIT, isolation_level=None)
        with contextlib.closing(base):
            _prepare(base)
            return work(base)
    except (sqlite3.Error, OSError) as error:
        _say(place, error)
        return None


def _prepare(base: sqlite3.Connection) -> None:
    """Make the tables where there are none."""
    (version,) = base.execute("PRAGMA user_version").fetchone()
    if version == SCHEMA:
        return
    if version != 0:
        raise sqlite3.DatabaseError(f"it is of version {version}, not {SCHEMA}")
    with contextlib.suppress(sqlite3.OperationalError):  # another process is doing the same
        base.execute("PRAGMA journal_mode = WAL")  # readers and a writer at once
    base.execute("BEGIN IMMEDIATE")
    for table in _TABLES:
        base.execute(table)
    base.execute(f"PRAGMA user_version = {SCHEMA}")
    base.execute("COMMIT")


def _say(place: Path, error: Exception) -> None:
    """Warn in one sentence, once for each file."""
    with _warning:
        if place in _warned:
            return
        _warned.add(place)
    warnings.warn(
        f"{place} cannot be used ({error}), so estimates of memory are not corrected by what was "
        "measured; remove the file, or set NBASR_HOME to a folder that can be written.",
        ModelWarning,
        stacklevel=4,
    )
