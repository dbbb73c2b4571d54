"""What must outlive a kernel: measurements of memory and speed, in one SQLite file of the user's.

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

SCHEMA = 2
"""Version of the tables, kept in the file itself; a file of a later version is left alone."""

KEPT = 20
"""Measurements of one model on one device that count: the last ones, as libraries change."""

LONGEST_WAIT = 2.0
"""Seconds to wait for another process that writes; nothing here is worth a longer one."""

_TABLES = (
    "CREATE TABLE IF NOT EXISTS peaks (id INTEGER PRIMARY KEY, model TEXT NOT NULL,"
    " device TEXT NOT NULL, predicted_bytes INTEGER NOT NULL, measured_bytes INTEGER NOT NULL,"
    " at REAL NOT NULL)",
    "CREATE INDEX IF NOT EXISTS peaks_of ON peaks (model, device, id)",
    "CREATE TABLE IF NOT EXISTS speeds (id INTEGER PRIMARY KEY, model TEXT NOT NULL,"
    " device TEXT NOT NULL, audio_seconds REAL NOT NULL, seconds REAL NOT NULL, at REAL NOT NULL)",
    "CREATE INDEX IF NOT EXISTS speeds_of ON speeds (model, device, id)",
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
    if predicted_bytes > 0 and measured_bytes > 0:
        _keep(_PEAKS, key, device, int(predicted_bytes), int(measured_bytes))


def ratio(key: str, device: str) -> float | None:
    """Return measured over predicted bytes of a model on a device; None where nothing is known.

    It is the median of the last `KEPT` runs, so that one odd run does not count.
    """
    found = _last(_PEAKS, key, device)
    return statistics.median(took / expected for expected, took in found) if found else None


def remember_speed(key: str, device: str, audio_seconds: float, seconds: float) -> None:
    """Keep how long a run took.

    Parameters
    ----------
    key, device
        As for `remember_peak`.
    audio_seconds, seconds
        Of sound, and of time; a pair that is not above 0 tells nothing and is not kept.
    """
    if audio_seconds > 0 and seconds > 0:
        _keep(_SPEEDS, key, device, float(audio_seconds), float(seconds))


def speed(key: str, device: str) -> tuple[float, int] | None:
    """Return how many seconds of sound a model does in one on a device, and in how many runs.

    The median of the last `KEPT` runs, each counted by its seconds of sound: single chunks that
    were tried out are slower, and say little of a whole recording. None where nothing is known.
    """
    found = _last(_SPEEDS, key, device)
    if not found:
        return None
    half = sum(audio for audio, _ in found) / 2
    speed = done = 0.0
    for audio, took in sorted(found, key=lambda run: run[0] / run[1]):
        if done >= half:
            break
        speed, done = audio / took, done + audio
    return speed, len(found)


_PEAKS = ("peaks", "predicted_bytes", "measured_bytes")
_SPEEDS = ("speeds", "audio_seconds", "seconds")


def _keep(table: tuple[str, str, str], key: str, device: str, one: float, other: float) -> None:
    """Add a row to a table, and forget the oldest of this model and device."""
    name, first, second = table

    def write(base: sqlite3.Connection) -> None:
        base.execute("BEGIN IMMEDIATE")
        base.execute(
            f"INSERT INTO {name} (model, device, {first}, {second}, at) VALUES (?, ?, ?, ?, ?)",
            (key, device, one, other, time.time()),
        )
        base.execute(
            f"DELETE FROM {name} WHERE model = ? AND device = ? AND id NOT IN"
            f" (SELECT id FROM {name} WHERE model = ? AND device = ? ORDER BY id DESC LIMIT ?)",
            (key, device, key, device, KEPT),
        )
        base.execute("COMMIT")

    _with(write)


def _last(table: tuple[str, str, str], key: str, device: str) -> list[tuple[float, float]]:
    """Return both numbers of the last `KEPT` rows of a model on a device."""
    if not path().is_file():  # to ask makes no file
        return []
    name, first, second = table

    def read(base: sqlite3.Connection) -> list[tuple[float, float]]:
        rows = base.execute(
            f"SELECT {first}, {second} FROM {name}"
            " WHERE model = ? AND device = ? ORDER BY id DESC LIMIT ?",
            (key, device, KEPT),
        )
        return rows.fetchall()

    return _with(read) or []


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
    if version > SCHEMA:
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
        f"{place} cannot be used ({error}), so estimates of memory and time know nothing of "
        "earlier runs; remove the file, or set NBASR_HOME to a folder that can be written.",
        ModelWarning,
        stacklevel=4,
    )
