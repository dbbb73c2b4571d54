"""From what a person typed to the recordings it names: globs, folders, ``~``, URLs, objects."""

from __future__ import annotations

import glob
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import unquote, urlsplit

from nbasr._commands.words import Word, variables
from nbasr._files import expanded
from nbasr.audio._many import is_many
from nbasr.audio._words import count
from nbasr.errors import AudioError, OptionError, did_you_mean

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_NUMBERS = re.compile(r"(\d+)")
_VARIABLE = re.compile(r"([^\W\d]\w*)(\[.*\])?")
_MOST_WORDS = 12  # that are tried together as one name with spaces


@dataclass(frozen=True)
class Source:
    """A recording to transcribe.

    Parameters
    ----------
    value
        What `nbasr.Recording.open` takes.
    name
        For a person; without folder and suffix it names the files that are saved.
    lent
        Whether the name is that of the variable that holds the recording, which itself has none.
    """

    value: Any
    name: str
    lent: bool = False

    @property
    def stem(self) -> str:
        """The name without its suffix, fit for a file name everywhere."""
        stem = Path(self.name).stem if isinstance(self.value, str | Path) else self.name
        return re.sub(r'[\x00-\x1f<>:"/\\|?*]+', "_", stem).strip(" .") or "recording"


@dataclass(frozen=True)
class Sources:
    """The recordings that were named, in order.

    Parameters
    ----------
    found
        The recordings.
    many
        Whether several were asked for: by several words, a glob, or a list. One file that a glob
        matched is still "several": a cell gives the same kind of result whatever it matches.
    """

    found: tuple[Source, ...]
    many: bool

    @property
    def value(self) -> Any:
        """What `nbasr.transcribe` takes."""
        values = [source.value for source in self.found]
        return values if self.many else values[0]


def named(
    words: Iterable[Word],
    names: Mapping[str, Any] | None = None,
    *,
    within: Sequence[Word] | None = None,
) -> Sources:
    """Find the recordings that words name.

    Parameters
    ----------
    words
        Paths, globs (``**`` reaches into folders), URLs, and ``{expressions}`` that give one of
        these, anything that `nbasr.Recording.open` takes, or a list of them. A name that exists is
        taken as it is, even if it has brackets or braces in it.
    names
        Variables for the expressions.
    within
        The line that the words are from, if there is more of it: for hints at missing quotes.

    Returns
    -------
    Sources
        A glob gives its files sorted by name, numbers by value (``part 2`` before ``part 10``).

    Raises
    ------
    AudioError
        If a file or folder is not there, or a glob matches nothing; it says what is close.
    OptionError
        If an expression fails.
    """
    found: list[Source] = []
    words = tuple(words)
    many = len(words) > 1
    line = tuple(within or words)
    for word in words:
        try:
            sources, several = _of_word(word, names or {})
        except AudioError as error:
            raise AudioError(f"{error}{_hint(word, line, names or {})}") from None
        found += sources
        many = many or several
    return Sources(tuple(found), many)


def lines(body: str) -> list[str]:
    """Return the sources of a cell's body, one a line, without empty lines and comments.

    A ``#`` after a space begins a comment too, unless a file has that name.
    """
    kept = []
    for raw in body.splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        before, mark, _ = line.partition(" #")
        kept.append(before.rstrip() if mark and not _exists(line) else line)
    return kept


def is_url(text: str) -> bool:
    """Tell whether a text is a URL; a Windows path with its drive is not."""
    return _URL.match(text) is not None


def _of_word(word: Word, names: Mapping[str, Any]) -> tuple[list[Source], bool]:
    """Return the sources that one word names, and whether they are several."""
    if _exists(word.typed):
        return [_file(word.typed)], False
    items, many = _unpacked(word.value(names))
    if many and not items:
        raise OptionError(f"{word.typed} is empty: it names no recording.")
    found: list[Source] = []
    for item in items:
        if isinstance(item, str):
            matched, several = _matched(item)
            found += matched
            many = many or several
        elif isinstance(item, Path):
            found.append(_file(str(item)) if _exists(str(item)) else _missing(str(item)))
        else:
            found.append(_object(item, word))
    return found, many


def _hint(word: Word, line: Sequence[Word], names: Mapping[str, Any]) -> str:
    """Return what may have been meant by a word of a line that names nothing, after a space."""
    variable = _VARIABLE.fullmatch(word.typed)
    if variable and variable[1] in variables(names):
        return f" {variable[1]} is a variable: write {{{word.typed}}}."
    if word.stray_brace:
        closed = "}" in word.typed
        what = "What stands in the braces is not Python" if closed else "Its brace is not closed"
        return f" {what}: write {{name}}, or {{{{ for a brace that is part of a name."
    at = line.index(word)
    for first in range(max(0, at - _MOST_WORDS), at + 1):
        for last in range(max(first + 1, at), min(len(line), first + _MOST_WORDS)):
            joined = " ".join(one.typed for one in line[first : last + 1])
            if _exists(joined):
                return f' There is {joined!r}: put it into quotes, "{joined}".'
    return ""


def _unpacked(value: Any) -> tuple[list[Any], bool]:
    """Return the sources in a value, and whether it is several; ``(array, rate)`` is one."""
    return (list(value), True) if is_many(value) else ([value], False)


def _matched(text: str) -> tuple[list[Source], bool]:
    """Return the sources that a typed text names, and whether it is a glob."""
    if is_url(text):
        return [Source(text, _url_name(text))], False
    if _exists(text):
        return [_file(text)], False
    if not glob.has_magic(text):
        return [_missing(text)], False
    pattern = expanded(text)
    files = [path for path in glob.glob(pattern, recursive=True) if Path(path).is_file()]  # noqa: PTH207
    if not files:
        raise AudioError(f"No file matches {text!r}{_about(Path(pattern))}")
    return [_file(path) for path in sorted(files, key=_by_number)], True


def _by_number(path: str) -> list[Any]:
    parts = _NUMBERS.split(path)
    return [int(part) if part.isdigit() else part.casefold() for part in parts]


def _exists(text: str) -> bool:
    return _found(text) is not None


def _found(text: str) -> Path | None:
    """Return the path as the disk spells it: ``é`` may be one sign, or a letter and its mark."""
    if not text or is_url(text):
        return None
    for spelled in dict.fromkeys((text, *(unicodedata.normalize(f, text) for f in ("NFC", "NFD")))):
        try:
            path = Path(expanded(spelled))
            if path.exists():
                return path
        except (OSError, ValueError):  # too long, a NUL
            return None
    return None


def _file(text: str) -> Source:
    path = _found(text) or Path(text)
    if path.is_dir():
        raise AudioError(
            f"{text!r} is a folder; write {str(Path(text) / '*')!r} for the files in it, "
            f"{str(Path(text) / '**')!r} for all below it."
        )
    return Source(str(path), path.name)


def _missing(text: str) -> NoReturn:
    if not text.strip():
        raise AudioError("A source is empty; name a file, a URL or {a variable}.")
    raise AudioError(f"There is no file {text!r}{_about(Path(expanded(text)))}")


def _about(path: Path) -> str:
    """Tell where it was looked for, and what is close."""
    folder = Path()
    for part in path.parts[:-1]:
        if glob.has_magic(part):
            break
        if not (folder / part).is_dir():
            where = "here" if folder == Path() else f"in {str(folder)!r}"
            close = did_you_mean(part, _listed(folder, folders=True))
            return f": there is no folder {part!r} {where}.{close}"
        folder /= part
    files = _listed(folder, folders=False)
    where = f" in {str(folder.resolve())!r}"
    if not files:
        return f"{where}; there are no files in it."
    last = path.name
    if glob.has_magic(last):
        endings = Counter(Path(name).suffix or "no suffix" for name in files)
        shown = ", ".join(f"{ending} ({many})" for ending, many in endings.most_common(5))
        return f"{where}; it holds {shown}."
    others = f" It holds {count(len(files), 'other file')}."
    return f"{where}.{did_you_mean(last, files) or others}"


def _listed(folder: Path, *, folders: bool) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir() if entry.is_dir() == folders)
    except OSError:
        return []


def _url_name(url: str) -> str:
    parts = urlsplit(url)
    return unquote(Path(parts.path).name) or parts.netloc or url


def _object(value: Any, word: Word) -> Source:
    """Name an object by itself if it has a name, else by the variable that holds it."""
    own = getattr(value, "name", None)
    if isinstance(own, str) and own:
        return Source(value, Path(own).stem)
    code = word.typed.strip("{}$ ")
    lent = code.isidentifier()
    return Source(value, code if lent else "recording", lent)
