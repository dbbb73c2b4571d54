"""A file that arrives in slices: straight to disk, gone on with after a break, checked at the end.

While it arrives it is called ``.nbasr-….part`` and lies in the folder itself, with a small JSON
file beside it that says what it is. Both outlive the kernel, so that the same file goes on where it
stopped. Nothing here knows of a browser.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import threading
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from nbasr.errors import AudioError
from nbasr.widgets._texts import say

if TYPE_CHECKING:
    from nbasr.widgets._inbox import Inbox

PREFIX, PART, ABOUT = ".nbasr-", ".part", ".json"
"""What the two files of one that arrives are called."""

_PIECE = 1 << 20


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
            If the disk is full, the file is gone, or more comes than was announced. What is on
            disk stays.
        """
        with self._lock:
            if offset != self.received:
                return self.received
            self._check_ours()
            self._check_there()
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

    def crc32(self, count: int) -> int:
        """Return the CRC-32 of the first bytes on disk, read anew."""
        found = 0
        try:
            with self.part.open("rb", buffering=0) as file:
                while count > 0 and (piece := file.read(min(count, _PIECE))):
                    found = zlib.crc32(piece, found)
                    count -= len(piece)
        except OSError as error:
            raise self._inbox.explained(error, self.about.name) from None
        return found

    def restart(self) -> None:
        """Forget what has arrived."""
        with self._lock:
            self._check_ours()
            try:
                self._file.truncate(0)
            except OSError as error:
                raise self._inbox.explained(error, self.about.name) from None
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
        if self.received != size or self.crc32(size) != crc32:
            self.restart()
            raise ReceivingError("upload.damaged", name=self.about.name)

    def keep(self) -> Path:
        """Put what has arrived, whole or not, under its own name or one with a number.

        Raises
        ------
        ReceivingError
            If that cannot be done; it can then be gone on with.
        """
        with self._lock:
            self._check_ours()
            if sys.platform == "win32":
                self._file.close()  # an open file is not moved there
            try:
                place = self._inbox.place(self.part, self.about.name)
            finally:
                self._file.close()  # not before: nobody else is to go on with it
            with contextlib.suppress(OSError):  # a note without its file says nothing
                self.part.with_suffix(ABOUT).unlink(missing_ok=True)
            return place

    @property
    def is_held(self) -> bool:
        """Whether it can be written."""
        return not self._file.closed

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
            remove(self.part)

    def _check_ours(self) -> None:
        if self._file.closed:
            raise ReceivingError("upload.elsewhere", name=self.about.name)

    def _check_there(self) -> None:
        """Raise if somebody has removed it: what is written would go nowhere."""
        if not os.fstat(self._file.fileno()).st_nlink and not self.part.exists():
            raise ReceivingError(
                "upload.gone", name=self.about.name, folder=str(self._inbox.folder)
            )


def remove(part: Path) -> None:
    """Remove both files of one that arrives."""
    with contextlib.suppress(OSError):
        part.unlink(missing_ok=True)
        part.with_suffix(ABOUT).unlink(missing_ok=True)


def hold(file: BinaryIO) -> bool:
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
