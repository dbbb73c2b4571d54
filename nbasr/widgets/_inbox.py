"""The folder that files arrive in: begun, gone on with, put under their names, swept away."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import shutil
import stat
import threading
import time
import weakref
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from nbasr._units import size as size_text
from nbasr.audio._words import reason
from nbasr.widgets._incoming import (
    ABOUT,
    PART,
    PREFIX,
    Announced,
    Incoming,
    ReceivingError,
    hold,
    remove,
)
from nbasr.widgets._names import numbered, safe_name

_NO_ROOM = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_VERSION = 1
_FORGOTTEN = 30 * 86_400.0  # s after which nobody goes on with what was begun
_USELESS = 86_400.0  # s after which what nobody can go on with is in nobody's hand any more
_MOST_NUMBERS = 10_000

_in_hand: weakref.WeakValueDictionary[Path, Incoming] = weakref.WeakValueDictionary()
_handing = threading.Lock()


@dataclass(frozen=True)
class Unfinished:
    """What was broken off and can be gone on with.

    Parameters
    ----------
    part
        Where it lies.
    about
        What its sender said.
    received
        Bytes of it that are on disk.
    """

    part: Path
    about: Announced
    received: int


class Inbox:
    """A folder that files arrive in.

    Parameters
    ----------
    folder
        Made when the first one comes.
    max_bytes
        Largest file taken.
    """

    def __init__(self, folder: Path, max_bytes: float) -> None:
        self.folder, self.max_bytes = folder, max_bytes

    def begin(self, about: Announced) -> Incoming:
        """Make ready for a file, or go on with the same one that was broken off.

        Raises
        ------
        ReceivingError
            If it is empty, too large, there is no room for it, or the folder cannot be written.
        """
        if about.size is not None:
            if about.size == 0:
                raise ReceivingError("upload.empty", name=about.name)
            self.check_size(about.name, about.size)
            for known in self.unfinished():
                if known.about == about and (incoming := self.resume(known)):
                    return incoming
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._check_room(about)
            part = self.new_part()
            file = part.open("x+b", buffering=0)
            try:
                hold(file)
                note = json.dumps({"version": _VERSION, **asdict(about)})
                part.with_suffix(ABOUT).write_text(note, encoding="utf-8")
            except BaseException:
                file.close()
                remove(part)
                raise
        except OSError as error:
            raise self.explained(error, about.name) from None
        return self._in_hand(part, about, file)

    def unfinished(self, quiet_for: float = 0.0) -> list[Unfinished]:
        """Return what was broken off so many seconds ago, oldest first."""
        found = []
        with contextlib.suppress(OSError):
            for note in self.folder.glob(f"{PREFIX}*{ABOUT}"):
                part = note.with_suffix(PART)
                try:
                    state = part.lstat()
                    if not (stat.S_ISREG(state.st_mode) and stat.S_ISREG(note.lstat().st_mode)):
                        continue
                    known = json.loads(note.read_text(encoding="utf-8"))
                    if known.pop("version") != _VERSION:
                        continue
                    about = Announced(**known)
                except (OSError, ValueError, KeyError, TypeError, AttributeError):
                    continue
                if _quiet(state) >= quiet_for:
                    found.append((state.st_mtime, Unfinished(part, about, state.st_size)))
        return [known for _, known in sorted(found, key=lambda pair: pair[0])]

    def sweep(self) -> None:
        """Remove what nobody went on with for a month, and what a dead kernel was fetching."""
        with contextlib.suppress(OSError):
            for part in self.folder.glob(f"{PREFIX}*{PART}"):
                state = part.lstat()
                most = _FORGOTTEN if part.with_suffix(ABOUT).exists() else _USELESS
                if stat.S_ISREG(state.st_mode) and _quiet(state) > most and _free(part):
                    remove(part)

    def resume(self, known: Unfinished) -> Incoming | None:
        """Go on with what was broken off; None if another kernel has it in hand, or it is gone.

        Somebody in this kernel who has it in hand loses it: a page that was closed never says so.
        """
        with _handing:
            if holder := _in_hand.get(known.part):
                holder.pause()
        try:
            file = known.part.open("r+b", buffering=0)
        except OSError:
            return None
        size = os.fstat(file.fileno()).st_size
        too_much = known.about.size is not None and size > known.about.size
        # What another kernel held until now, it has put under its name.
        if not hold(file) or too_much or not _is_at(file, known.part):
            file.close()
            return None
        return self._in_hand(known.part, known.about, file)

    def new_part(self) -> Path:
        """Return a free name in the folder for something that is not complete."""
        return self.folder / f"{PREFIX}{secrets.token_hex(8)}{PART}"

    def place(self, part: Path, name: str) -> Path:
        """Move a complete file to its name in the folder, or to that with a number if it is taken.

        Raises
        ------
        ReceivingError
            If that cannot be done.
        """
        clean = safe_name(name)
        try:
            for number in range(1, _MOST_NUMBERS):
                place = self.folder / numbered(clean, number)
                try:
                    # Made only if nothing is there: none is replaced, no link followed.
                    place.open("xb").close()
                except FileExistsError:
                    continue
                try:
                    part.replace(place)
                except OSError:
                    place.unlink(missing_ok=True)
                    raise
                return place
        except OSError as error:
            raise self.explained(error, name) from None
        raise ReceivingError("upload.taken", name=name, folder=str(self.folder))

    def check_size(self, name: str, count: int) -> None:
        """Raise if a file is larger than is taken."""
        if count > self.max_bytes:
            raise ReceivingError(
                "upload.too_large", name=name, size=size_text(count), most=size_text(self.max_bytes)
            )

    def explained(self, error: OSError, name: str) -> ReceivingError:
        """Return what to tell a person whose file could not be written."""
        if error.errno in _NO_ROOM:
            return ReceivingError("upload.disk_full", name=name, folder=str(self.folder))
        if isinstance(error, FileNotFoundError):
            return ReceivingError("upload.gone", name=name, folder=str(self.folder))
        return ReceivingError("upload.not_written", folder=str(self.folder), why=reason(error))

    def _check_room(self, about: Announced) -> None:
        free = shutil.disk_usage(self.folder).free
        if about.size is not None and about.size > free:
            raise ReceivingError(
                "upload.no_room",
                name=about.name,
                size=size_text(about.size),
                free=size_text(free),
                folder=str(self.folder),
            )

    def _in_hand(self, part: Path, about: Announced, file: BinaryIO) -> Incoming:
        incoming = Incoming(self, part, about, file)
        with _handing:
            _in_hand[part] = incoming
        return incoming


def _quiet(state: os.stat_result) -> float:
    """Return the seconds since a file was written; 0 where its clock is ahead of ours."""
    return max(time.time() - state.st_mtime, 0.0)


def _free(part: Path) -> bool:
    """Tell whether nobody has a file in hand."""
    if (holder := _in_hand.get(part)) and holder.is_held:
        return False
    with part.open("r+b", buffering=0) as file:
        return hold(file)


def _is_at(file: BinaryIO, path: Path) -> bool:
    """Tell whether an open file is still called so."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.lstat())
    except OSError:
        return False
