"""What can be opened as a recording, brought to one of two forms: bytes to decode, or an array."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import io
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

from nbasr import settings
from nbasr._files import expanded
from nbasr.audio import cache, samples
from nbasr.audio._arrays import ArraySound, array_sound
from nbasr.audio._fetch import fetch, name_of
from nbasr.audio._words import reason
from nbasr.errors import AudioError

if TYPE_CHECKING:
    from nbasr.audio.recording import Recording

Source: TypeAlias = "str | os.PathLike[str] | bytes | tuple[Any, float] | Recording | Any"
"""Path, URL, bytes, file object, ``(array, rate)``, ``IPython.display.Audio`` or `Recording`."""

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
_PIECE = 1 << 20
_MOST_SIBLINGS = 10_000  # names looked through for a "did you mean"


@dataclass(frozen=True)
class Content:
    """An encoded recording as bytes, in a file or in memory.

    Parameters
    ----------
    name
        Shown.
    where
        The file, or the bytes themselves.
    path
        The user's own file; None for what only passes through.
    """

    name: str
    where: Path | bytes
    path: Path | None = None

    def open(self) -> BinaryIO:
        """Return a new file object at the first byte."""
        if isinstance(self.where, bytes):
            return io.BytesIO(self.where)
        try:
            return self.where.open("rb", buffering=0)
        except OSError as error:
            raise AudioError(f"{self.name} cannot be read ({reason(error)}).") from None

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return len(self.where) if isinstance(self.where, bytes) else self.where.stat().st_size

    def digest(self) -> str:
        """Return a hash of all bytes.

        SHA-256, because today's processors have instructions for it: 1.7 GB/s here, BLAKE2 0.9.
        """
        found = hashlib.sha256()
        buffer = memoryview(bytearray(_PIECE))
        with self.open() as file:
            while received := file.readinto(buffer):  # type: ignore[attr-defined]
                found.update(buffer[:received])
        return found.hexdigest()


@contextlib.contextmanager
def resolved(source: Source) -> Iterator[Content | ArraySound]:
    """Bring a source to a form that can be decoded; what had to be fetched is removed afterwards.

    Raises
    ------
    AudioError
        If there is nothing there that could be a recording.
    """
    if isinstance(source, str) and (address := _ADDRESS.match(source)):
        with _spooled() as file:
            yield _fetched(source, address[1].lower(), file)
    elif isinstance(source, str | os.PathLike):
        yield _file(source)
    elif isinstance(source, bytes | bytearray | memoryview):
        yield _content("bytes", bytes(source))
    elif isinstance(source, tuple) and len(source) == 2:
        yield array_sound(*source)
    elif hasattr(source, "__array__") or isinstance(source, list):
        raise AudioError(
            "An array does not say its sampling rate; pass (array, rate), such as (array, 16000)."
        )
    elif hasattr(source, "read"):
        with _spooled() as file:
            yield _drained(source, file)
    elif hasattr(source, "src_attr") and hasattr(source, "data"):  # IPython.display.Audio
        with resolved(_of_player(source)) as found:
            yield found
    else:
        raise AudioError(
            f"{type(source).__name__} is nothing that can be opened as a recording; pass a path, "
            "a URL, bytes, a file object or (array, rate)."
        )


def _content(name: str, data: bytes) -> Content:
    if not data:
        raise AudioError(f"The {name} are empty: there is no recording in them.")
    return Content(name, data)


def _file(source: str | os.PathLike[str]) -> Content:
    """Check that a path leads to a file with something in it."""
    if not os.fspath(source):
        raise AudioError("An empty path names no recording; pass the path of a file.")
    path = Path(expanded(source))
    name = path.name or str(path)
    try:
        found = path.stat()
    except FileNotFoundError:
        raise AudioError(_missing(path)) from None
    except (OSError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else str(error)
        raise AudioError(f"{name} cannot be read ({why}).") from None
    if path.is_dir():
        raise AudioError(
            f"{path} is a folder; pass the recordings in it, or nbasr.convert(folder) to convert "
            "them all."
        )
    if not path.is_file():
        raise AudioError(f"{path} is not a regular file; save the recording to one and pass that.")
    if not found.st_size:
        raise AudioError(f"{name} is empty (0 bytes): its copy or download went wrong.")
    path = path.absolute()
    return Content(name, path, path)


def _missing(path: Path) -> str:
    """Say that there is no such file, and which one may be meant."""
    folder = path.absolute().parent
    if str(path) in samples.names():
        return (
            f"There is no file {path.name!r} in {folder}; the bundled recording of that name is "
            f'opened by nbasr.samples.open("{path.name}").'
        )
    if not folder.is_dir():
        return f"There is no folder {folder}, so no {path.name} in it."
    names: dict[str, str] = {}
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry, _ in zip(entries, range(_MOST_SIBLINGS), strict=False):
            names[entry.name.casefold()] = entry.name
    close = difflib.get_close_matches(path.name.casefold(), names, n=1, cutoff=0.6)
    hint = f" Did you mean {names[close[0]]!r}?" if close else ""
    return f"There is no file {path.name!r} in {folder}.{hint}"


@contextlib.contextmanager
def _spooled() -> Iterator[Path]:
    """Give a name in the cache folder for what must be put into a file to be decoded."""
    try:
        folder = tempfile.mkdtemp(prefix=cache.UNFINISHED, dir=cache.folder())
    except OSError as error:
        raise cache.explained(error, "the recording") from None
    path = Path(folder) / "content"
    try:
        yield path
    finally:
        with contextlib.suppress(OSError):  # Windows keeps what is open; `cache.trim` sweeps later
            path.unlink(missing_ok=True)
            Path(folder).rmdir()


def _fetched(url: str, scheme: str, file: Path) -> Content:
    if scheme not in ("http", "https"):
        raise AudioError(f"Only http and https addresses are fetched, not {scheme}; pass a path.")
    limits = settings.current()
    try:
        fetch(url, file, max_bytes=limits.url_max_mb * 1e6, timeout=limits.url_timeout)
    except OSError as error:
        raise cache.explained(error, name_of(url)) from None
    if not file.stat().st_size:
        raise AudioError(f"{name_of(url)} is empty: the server sent 0 bytes.")
    return Content(name_of(url), file)


def _drained(source: Any, file: Path) -> Content:
    """Copy a file object, from its start where it can be rewound, into a file."""
    told = getattr(source, "name", None)
    name = Path(told).name if isinstance(told, str) else "the file object"
    size = 0
    try:
        if hasattr(source, "seekable") and source.seekable():
            source.seek(0)
        with file.open("xb") as copy:
            while piece := source.read(_PIECE):
                if isinstance(piece, str):
                    raise AudioError(f"{name} is open as text; open it with mode 'rb'.")
                try:
                    size += copy.write(piece)
                except OSError as error:
                    raise cache.explained(error, name) from None
    except (OSError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else str(error)
        raise AudioError(f"{name} cannot be read ({why}).") from None
    if not size:
        raise AudioError(f"{name} is empty: there is nothing to read in it.")
    return Content(name, file)


def _of_player(player: Any) -> Source:
    """Return what an ``IPython.display.Audio`` plays."""
    if player.filename and Path(player.filename).is_file():
        return str(player.filename)
    if player.data:
        return bytes(player.data)
    if player.url:
        return str(player.url)
    raise AudioError("The Audio object holds no sound; make it with data, a file name or a URL.")
