"""Decoded recordings on disk, kept by content: found again, shared by kernels, bounded in size."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import secrets
import shutil
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbasr import settings
from nbasr._files import replacing
from nbasr.audio._wav import HEADER_BYTES
from nbasr.audio._words import reason
from nbasr.errors import AudioError

UNFINISHED = ".new-"
"""How the name of a folder begins that is still being written."""

_SOUND, _LEVELS, _ABOUT = "sound.wav", "levels.npz", "about.json"
_VERSION = 1
_STALE = 86_400.0  # s after which an unfinished folder belongs to a process that died
_SETTLED = 2.0  # s; a file changed more recently may change again within one tick of its clock
_NO_ROOM = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}


_held: weakref.WeakSet[Entry] = weakref.WeakSet()
_holding = threading.Lock()  # a set must not grow while it is walked through


@dataclass(frozen=True, eq=False)
class Entry:
    """One decoded recording in the cache; it stays there as long as this object lives.

    Parameters
    ----------
    folder
        Holds ``sound.wav`` (mono 16 kHz PCM16; unless the source is that itself), ``levels.npz``
        and ``about.json``.
    about
        What is known of it: ``samples``, and what its maker noted.
    """

    folder: Path
    about: Mapping[str, Any]

    def __post_init__(self) -> None:
        with _holding:
            _held.add(self)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.__post_init__()

    @property
    def sound(self) -> Path:
        """The WAV file."""
        return self.folder / _SOUND

    @property
    def levels(self) -> Path:
        """The levels."""
        return self.folder / _LEVELS


def folder() -> Path:
    """Return the folder of the entries, made if it is not there.

    Raises
    ------
    AudioError
        If it cannot be made.
    """
    path = settings.cache_folder() / "recordings"
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise explained(error, "the recording") from None
    return path


def find(key: str) -> Entry | None:
    """Return the entry of `key` and mark it as used, or None if it is missing or damaged."""
    entry = _read(settings.cache_folder() / "recordings" / key)
    if entry is not None:
        with contextlib.suppress(OSError):
            os.utime(entry.folder / _ABOUT)
    return entry


def make(key: Callable[[], str], name: str, write: Callable[[Path, Path], dict[str, Any]]) -> Entry:
    """Write a new entry beside its place and rename it into it.

    Two processes may do so at once: the second finds the first one's entry, which is the same, and
    throws its own away.

    Parameters
    ----------
    key
        Called when all is written: the content's hash may be computed meanwhile.
    name
        Of the recording, for messages.
    write
        Called with the paths of the sound and of the levels; returns what to note about them.

    Raises
    ------
    AudioError
        If the disk is full or the folder cannot be written; nothing is left behind.
    """
    entries = folder()
    try:
        fresh = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=entries))
    except OSError as error:
        raise explained(error, name) from None
    try:
        about = {"version": _VERSION, **write(fresh / _SOUND, fresh / _LEVELS)}
        (fresh / _ABOUT).write_text(json.dumps(about), encoding="utf-8")
        entry = _placed(fresh, entries / key())
    except OSError as error:
        raise explained(error, name) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    trim()
    return entry


def trim() -> None:
    """Remove what was not used for longest until the rest fits into ``cache_gb``.

    What this process holds an `Entry` of is never removed, even if it does not fit.
    """
    limit = settings.current().cache_gb * 1e9
    entries = folder()
    with _holding:
        held = {entry.folder for entry in _held}
    found = []
    for path in _folders(entries):
        if path.name.startswith(UNFINISHED):
            if _unchanged_for(path) > _STALE:
                shutil.rmtree(path, ignore_errors=True)
            continue
        with contextlib.suppress(OSError):
            used = _used_ns(path)
            found.append((used, path, sum(file.stat().st_size for file in path.iterdir())))
    total = whole = sum(size for _, _, size in found)
    for _, path, size in sorted(found):
        if total <= limit:
            break
        if path not in held and _remove(path):
            total -= size
    if total < whole:
        _forget_gone(entries)


def explained(error: OSError, name: str) -> AudioError:
    """Return what to tell a person whose cache could not be written."""
    place = settings.cache_folder()
    if error.errno in _NO_ROOM:
        return AudioError(
            f"There is no room for the decoded sound of {name} in the cache folder {place}; free "
            "some space, or set NBASR_CACHE to a folder on another disk."
        )
    return AudioError(
        f"The cache folder {place} cannot be written ({reason(error)}); set NBASR_CACHE to a "
        "folder that can."
    )


def digest_of(path: Path) -> str | None:
    """Return the hash of an unchanged file that was read before, without reading it."""
    try:
        note = json.loads(_note(path).read_text(encoding="utf-8"))
        if note["file"] == state_of(path):
            return str(note["digest"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def remember(path: Path, state: list[Any], digest: str, key: str) -> None:
    """Note the hash of a file for `digest_of`.

    Parameters
    ----------
    path
        The file.
    state
        `state_of` the file before it was read.
    digest
        Hash of its content.
    key
        Of an entry made from it; the note goes when that goes.
    """
    changed = state[2] / 1e9
    if time.time() - changed < _SETTLED:
        return
    with contextlib.suppress(OSError):
        note = _note(path)
        note.parent.mkdir(exist_ok=True)
        with replacing(note) as beside:
            text = json.dumps({"file": state, "digest": digest, "key": key})
            beside.write_text(text, encoding="utf-8")


def state_of(path: Path) -> list[Any]:
    """Return what changes when a file does: its name, size, times and number."""
    found = path.stat()
    return [str(path), found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def _note(path: Path) -> Path:
    name = hashlib.sha256(str(path).encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return settings.cache_folder() / "seen" / f"{name}.json"


def _forget_gone(entries: Path) -> None:
    """Remove notes that lead to no entry any more."""
    kept = {path.name for path in _folders(entries)}
    for note in (settings.cache_folder() / "seen").glob("*.json"):
        try:
            gone = json.loads(note.read_text(encoding="utf-8"))["key"] not in kept
        except (OSError, ValueError, KeyError, TypeError):
            gone = True
        if gone:
            note.unlink(missing_ok=True)


def _read(path: Path) -> Entry | None:
    """Return the entry in a folder, None unless it is there and whole."""
    try:
        about = json.loads((path / _ABOUT).read_text(encoding="utf-8"))
        entry = Entry(path, about)
        whole = about["version"] == _VERSION and entry.levels.stat().st_size > 0
        if whole and about["own"]:
            whole = entry.sound.stat().st_size == HEADER_BYTES + 2 * about["samples"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return entry if whole else None


def _placed(fresh: Path, place: Path) -> Entry:
    """Rename a finished folder to its place, or return the whole entry that is there already."""
    for _ in range(10):
        with contextlib.suppress(OSError):
            fresh.rename(place)
        entry = _read(place)
        if entry is not None:
            return entry
        if not place.exists():  # refused for another reason than that there is one
            fresh.rename(place)
        _remove(place)  # damaged
    raise OSError(errno.EBUSY, "a damaged entry cannot be replaced", str(place))


def _used_ns(path: Path) -> int:
    """Return when an entry was last used; 0 if it is damaged, so that nobody can use it."""
    try:
        return (path / _ABOUT).stat().st_mtime_ns
    except OSError:
        return 0


def _remove(path: Path) -> bool:
    """Remove an entry: out of sight at once, so that nobody finds half of it.

    Return whether it is gone: Windows keeps what is mapped, and then all of it stays.
    """
    away = path.with_name(f"{UNFINISHED}gone-{path.name}-{secrets.token_hex(4)}")
    try:
        path.rename(away)
    except OSError:
        return not path.exists()
    shutil.rmtree(away, ignore_errors=True)
    return True


def _folders(entries: Path) -> Iterator[Path]:
    with contextlib.suppress(OSError):
        yield from [Path(entry.path) for entry in os.scandir(entries) if entry.is_dir()]


def _unchanged_for(path: Path) -> float:
    """Return for how many seconds nothing was written in a folder; 0 if it is gone by now."""
    try:
        newest = max(found.stat().st_mtime for found in (path, *path.iterdir()))
    except OSError:
        return 0.0
    return time.time() - newest
