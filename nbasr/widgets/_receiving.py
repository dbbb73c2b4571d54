"""Files that arrive in slices: straight to disk, gone on with after a break, checked at the end.

While a file arrives it is called ``.nbasr-….part`` and lies in the folder itself, with a small
JSON file beside it that says what it is. Both outlive the kernel, so that the same file goes on
where it stopped. Nothing here knows of a browser.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import shutil
import stat
import sys
import threading
import time
import weakref
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from nbasr._units import size as size_text
from nbasr.audio._words import reason
from nbasr.errors import AudioError
from nbasr.widgets._names import numbered, safe_name
from nbasr.widgets._texts import say

_PREFIX, _PART, _ABOUT = ".nbasr-", ".part", ".json"
_NO_ROOM = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_PIECE = 1 << 20
_VERSION = 1
_FORGOTTEN = 30 * 86_400.0  # s after which nobody goes on with what was begun
_MOST_NUMBERS = 10_000

_in_hand: weakref.WeakValueDictionary[Path, Incoming] = weakref.WeakValueDictionary()
_handing = threading.Lock()


class ReceivingError(AudioError):
    """A file that cannot be taken; the panel says why in its reader's language.

    Parameters
    ----------
    key
        Of the catalogue.
    **values
        What stands in its places.
    """

    def __init__(self, key: str, **values: str) -> None:
        super().__init__(say(key, **values))
        self.key, self.values = key, values


@dataclass(frozen=True)
class Announced:
    """What a sender says of a file before it sends it.

    Parameters
    ----------
    name
        As the sender calls it.
    size
        In bytes; None for what is still growing.
    modified
        When the file was changed, in ms; with name and size it tells whether it is the same file.
    kind
        ``"file"``, or ``"microphone"`` for what exists nowhere else.
    """

    name: str
    size: int | None
    modified: int = 0
    kind: str = "file"


class Incoming:
    """A file that is arriving; made by `Inbox.begin`.

    Attributes
    ----------
    about : Announced
        What its sender said.
    part : Path
        Where it lies until it is complete.
    received : int
        Bytes that are on disk.
    """

    def __init__(self, inbox: Inbox, part: Path, about: Announced, file: BinaryIO) -> None:
        self.about, self.part = about, part
        self.received = os.fstat(file.fileno()).st_size
        self._inbox, self._file = inbox, file
        self._lock = threading.Lock()

    def write(self, offset: int, data: memoryview | bytes) -> int:
        """Write a slice where the last one ended; leave one that is there already or after a gap.

        Returns
        -------
        int
            Bytes that are on disk: the sender goes on from there.

        Raises
        ------
        ReceivingError
            If the disk is full, or more comes than was announced. What is on disk stays.
        """
        with self._lock:
            if offset != self.received:
                return self.received
            self._check_ours()
            end = offset + len(data)
            if self.about.size is not None and end > self.about.size:
                raise ReceivingError("upload.changed", name=self.about.name)
            self._inbox.check_size(self.about.name, end)
            try:
                self._file.seek(offset)
                rest = memoryview(data)
                while rest:
                    rest = rest[self._file.write(rest) :]
            except OSError as error:
                with contextlib.suppress(OSError):
                    self._file.truncate(offset)
                raise self._inbox.explained(error, self.about.name) from None
            self.received = end
            return end

    def crc32(self) -> int:
        """Return the CRC-32 of what is on disk, read anew."""
        found = 0
        with self.part.open("rb", buffering=0) as file:
            while piece := file.read(_PIECE):
                found = zlib.crc32(piece, found)
        return found

    def restart(self) -> None:
        """Forget what has arrived."""
        with self._lock:
            self._check_ours()
            self._file.truncate(0)
            self.received = 0

    def check(self, size: int, crc32: int) -> None:
        """Check that what is on disk is what was sent.

        Parameters
        ----------
        size, crc32
            Of the whole file, as its sender has read it.

        Raises
        ------
        ReceivingError
            If it did not arrive as it was sent; what has arrived is then forgotten.
        """
        if self.received != size or self.crc32() != crc32:
            self.restart()
            raise ReceivingError("upload.damaged", name=self.about.name)

    def keep(self) -> Path:
        """Put what has arrived, whole or not, under its own name or one with a number."""
        with self._lock:
            self._check_ours()
            self._file.close()  # Windows moves no open file
            place = self._inbox.place(self.part, self.about.name)
            self.part.with_suffix(_ABOUT).unlink(missing_ok=True)
            return place

    def pause(self) -> None:
        """Let go of it; it can be gone on with later."""
        with self._lock:
            self._file.close()

    def discard(self) -> None:
        """Remove it, unless somebody else goes on with it."""
        with self._lock:
            if self._file.closed:
                return
            self._file.close()
            _remove(self.part)

    def _check_ours(self) -> None:
        if self._file.closed:
            raise ReceivingError("upload.elsewhere", name=self.about.name)


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
                _hold(file)
                note = json.dumps({"version": _VERSION, **asdict(about)})
                part.with_suffix(_ABOUT).write_text(note, encoding="utf-8")
            except BaseException:
                file.close()
                _remove(part)
                raise
        except OSError as error:
            raise self.explained(error, about.name) from None
        return self._in_hand(part, about, file)

    def unfinished(self, quiet_for: float = 0.0) -> list[Unfinished]:
        """Return what was broken off so many seconds ago, oldest first.

        What nobody went on with for a month is removed.
        """
        found = []
        with contextlib.suppress(OSError):
            for note in self.folder.glob(f"{_PREFIX}*{_ABOUT}"):
                part = note.with_suffix(_PART)
                try:
                    state = part.lstat()
                    known = json.loads(note.read_text(encoding="utf-8"))
                    if known.pop("version") != _VERSION:
                        continue
                    about = Announced(**known)
                except (OSError, ValueError, KeyError, TypeError, AttributeError):
                    continue
                if not stat.S_ISREG(state.st_mode):
                    continue
                quiet = time.time() - state.st_mtime
                if quiet > _FORGOTTEN:
                    _remove(part)
                if not quiet_for <= quiet <= _FORGOTTEN:
                    continue
                found.append((state.st_mtime, Unfinished(part, about, state.st_size)))
        return [known for _, known in sorted(found, key=lambda pair: pair[0])]

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
        if not _hold(file) or (known.about.size is not None and size > known.about.size):
            file.close()
            return None
        return self._in_hand(known.part, known.about, file)

    def new_part(self) -> Path:
        """Return a free name in the folder for something that is not complete."""
        return self.folder / f"{_PREFIX}{secrets.token_hex(8)}{_PART}"

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


def _remove(part: Path) -> None:
    with contextlib.suppress(OSError):
        part.unlink(missing_ok=True)
        part.with_suffix(_ABOUT).unlink(missing_ok=True)


def _hold(file: BinaryIO) -> bool:
    """Lock a file until it is closed; False if another process holds it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(1 << 62)  # far behind what is read and written
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EACCES, errno.EAGAIN)  # else: a disk that knows no locks
    return True
