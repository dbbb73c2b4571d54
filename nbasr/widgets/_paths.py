"""Paths on the kernel's machine as people type them: what goes on from here, what is meant."""

from __future__ import annotations

import glob
import itertools
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbasr._files import expanded
from nbasr.audio.convert import SUFFIXES
from nbasr.audio.sources import resolved
from nbasr.errors import AudioError

MOST_OFFERED = 200
"""Completions that are shown; whoever sees so many types on."""
MOST_FILES = 500
"""Recordings that one folder or pattern may add."""

_MOST_SEEN = 20_000  # names of one folder that are looked through
_NUMBERS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class Offers:
    """How a path may go on.

    Parameters
    ----------
    texts
        The whole path each; folders end in their slash.
    common
        What all of them begin with: at least what was typed, unless the case differs.
    more
        Whether there are more than are told.
    """

    texts: tuple[str, ...]
    common: str
    more: bool


def complete(typed: str) -> Offers:
    """Return the paths that begin as typed: folders first, then recordings.

    Only names are looked at. Files that are no recordings by their suffix are offered where there
    is nothing else; hidden ones if a dot was typed.
    """
    if typed == "~":
        return Offers(("~" + os.sep,), "~" + os.sep, more=False)
    cut = max(typed.rfind("/"), typed.rfind(os.sep)) + 1
    lead, start = typed[:cut], typed[cut:]
    folders, files, more = _listed(expanded(lead) or ".", start)
    sound = [name for name in files if is_recording(name)]
    names = [f"{name}{_slash(lead)}" for name in _sorted(folders)] + _sorted(sound or files)
    texts = tuple(lead + name for name in names)
    common = _common(texts) if texts else typed
    return Offers(texts[:MOST_OFFERED], common, more or len(texts) > MOST_OFFERED)


def meant(typed: str) -> tuple[Path, ...]:
    """Return the files that a path names: itself, the recordings of a folder, those of a pattern.

    Folders and patterns give their files sorted by name, numbers by value.

    Raises
    ------
    AudioError
        If there are none, or more than `MOST_FILES`.
    """
    path = Path(expanded(typed))
    if path.is_dir():
        found = [entry for entry in _files(path.iterdir()) if is_recording(entry.name)]
        if not found:
            raise AudioError(f"There is no recording in {path}.")
    elif os.path.lexists(path) or not glob.has_magic(typed):
        with resolved(path):  # raises, with what may be meant, where there is no such file
            return (path.absolute(),)
    else:
        found = _files(Path(name) for name in glob.iglob(str(path), recursive=True))  # noqa: PTH207
        if not found:
            raise AudioError(f"No file matches {typed!r}.")
    if len(found) > MOST_FILES:
        raise AudioError(
            f"{typed} names {len(found):,} recordings, and a panel takes {MOST_FILES} at once; "
            "name fewer, or use nbasr.transcribe for all of them."
        )
    return tuple(
        sorted((file.absolute() for file in found), key=lambda file: _by_number(str(file)))
    )


def is_recording(name: str) -> bool:
    """Tell whether a file must be a recording, by its suffix."""
    return Path(name).suffix.lower() in SUFFIXES


def _files(paths: Iterable[Path]) -> list[Path]:
    try:
        return [path for path in paths if not path.name.startswith(".") and path.is_file()]
    except OSError as error:
        raise AudioError(f"{error.filename} cannot be read ({error.strerror}).") from None


def _listed(folder: str, start: str) -> tuple[list[str], list[str], bool]:
    """Return folders and files that begin so, and whether some were not looked at."""
    folders: list[str] = []
    files: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for number, entry in enumerate(entries):
                if number >= _MOST_SEEN:
                    return folders, files, True
                if not entry.name.casefold().startswith(start.casefold()):
                    continue
                if entry.name.startswith(".") and not start.startswith("."):
                    continue
                (folders if _is_folder(entry) else files).append(entry.name)
    except (OSError, ValueError):  # no such folder, none that may be read, a null in it
        pass
    return folders, files, False


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _common(texts: tuple[str, ...]) -> str:
    """Return what all texts begin with, letter by letter."""
    first, last = min(texts), max(texts)
    same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    return "".join(letter for letter, _ in same)


def _slash(lead: str) -> str:
    return "\\" if "\\" in lead and "/" not in lead and os.sep == "\\" else "/"


def _sorted(names: list[str]) -> list[str]:
    return sorted(names, key=_by_number)


def _by_number(text: str) -> list[Any]:
    parts = _NUMBERS.split(text)
    return [int(part) if part.isdecimal() else part.casefold() for part in parts]
