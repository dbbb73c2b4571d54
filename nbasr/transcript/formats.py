"""The file formats by name and suffix, and reading and writing files in them."""

from __future__ import annotations

import codecs
import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

from nbasr._files import expanded, replacing
from nbasr.errors import OptionError, did_you_mean
from nbasr.text.cleaning import flat
from nbasr.transcript import document, elan, marks, subtitles, tables, textgrid
from nbasr.transcript.transcript import Transcript


@dataclasses.dataclass(frozen=True)
class Format:
    """One file format.

    Parameters
    ----------
    name, suffix : str
        What people ask for, and how file names end.
    about : str
        What it is, in a few words.
    dump : callable
        Turns a transcript into the text of the file.
    parse : callable, optional
        Turns it back; None where there is no way back.
    needs : callable, optional
        Raises `OptionError` if it cannot hold a transcript; None where it can hold any.
    mime : str, optional
        Media type.
    """

    name: str
    suffix: str
    about: str
    dump: Callable[[Transcript], str]
    parse: Callable[[str], Transcript] | None = None
    needs: Callable[[Transcript], None] | None = None
    mime: str = "text/plain"


def _to_txt(transcript: Transcript) -> str:
    """Return a line per segment, with who speaks before it where known."""
    lines = (
        f"{flat(s.speaker)}: {flat(s.text)}" if s.speaker else flat(s.text)
        for s in transcript.segments
        if s.text.strip()
    )
    return "".join(f"{line}\n" for line in lines)


_FORMATS = {
    known.name: known
    for known in (
        Format("txt", ".txt", "plain text", _to_txt),
        Format(
            "srt",
            ".srt",
            "SubRip subtitles",
            subtitles.to_srt,
            subtitles.from_srt,
            mime="application/x-subrip",
        ),
        Format(
            "vtt", ".vtt", "WebVTT subtitles", subtitles.to_vtt, subtitles.from_vtt, mime="text/vtt"
        ),
        Format(
            "json",
            ".json",
            "everything, to be read back",
            document.to_json,
            document.from_json,
            mime="application/json",
        ),
        Format(
            "tsv",
            ".tsv",
            "table, tabs",
            tables.to_tsv,
            tables.from_tsv,
            mime="text/tab-separated-values",
        ),
        Format("csv", ".csv", "table, commas", tables.to_csv, tables.from_csv, mime="text/csv"),
        Format("textgrid", ".TextGrid", "Praat", textgrid.to_textgrid, textgrid.from_textgrid),
        Format("labels", ".labels.txt", "Audacity labels", marks.to_labels, marks.from_labels),
        Format("eaf", ".eaf", "ELAN", elan.to_eaf, mime="application/xml"),
        Format("rttm", ".rttm", "who speaks when", marks.to_rttm),
        Format("ctm", ".ctm", "words for scoring tools", marks.to_ctm, needs=marks.ctm_needs),
    )
}
_ALIASES = {
    "audacity": "labels",
    "praat": "textgrid",
    "elan": "eaf",
    "webvtt": "vtt",
    "text": "txt",
}


def names() -> tuple[str, ...]:
    """Return the names of all formats."""
    return tuple(_FORMATS)


def find(name: str) -> Format:
    """Return the format called `name` (``"srt"``, ``".SRT"``, ``"praat"``).

    Raises
    ------
    OptionError
        If there is none.
    """
    key = name.lower().lstrip(".") if isinstance(name, str) else ""
    known = _FORMATS.get(_ALIASES.get(key, key))
    if known is None:
        raise OptionError(
            f"There is no format {name!r}.{did_you_mean(key, [*_FORMATS, *_ALIASES])} "
            f"Known: {', '.join(_FORMATS)}."
        )
    return known


def suffix(name: str) -> str:
    """Return how the names of files in the format `name` end, with its dot."""
    return find(name).suffix


def of_path(path: Path) -> Format:
    """Return the format that the name of a file tells.

    Raises
    ------
    OptionError
        If it tells none.
    """
    if path.name.lower().endswith(_FORMATS["labels"].suffix):
        return _FORMATS["labels"]
    if not path.suffix:
        known = ", ".join(_FORMATS)
        raise OptionError(
            f"{path.name!r} has no suffix that tells a format; add one or say format= ({known})."
        )
    return find(path.suffix)


def write(
    transcript: Transcript, path: Path, name: str | None = None, *, overwrite: bool = False
) -> Path:
    """Write `transcript` beside `path` and move it there, so that no half file is ever seen.

    Parameters
    ----------
    transcript : Transcript
        What to write.
    path : Path
        Where to.
    name : str, optional
        Name of the format; None: as the suffix tells.
    overwrite : bool, optional
        Whether a file that is there may be replaced.

    Raises
    ------
    OptionError
        If the format is unknown or cannot hold the transcript, or the file cannot be written.
    """
    path = Path(expanded(path))
    form = find(name) if name else of_path(path)
    encoded = as_bytes(transcript, form)
    if path.is_dir():
        raise OptionError(f"{path} is a folder; give the name of a file.")
    if path.exists() and not overwrite:
        raise OptionError(f"{path} exists already; give overwrite=True or another name.")
    if not path.parent.is_dir():
        raise OptionError(f"{_no_folder(path)} Make it first, or take another.")
    try:
        with replacing(path) as beside:
            beside.write_bytes(encoded)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise OptionError(
            f"Cannot write {path} ({reason}); choose another folder or free the place."
        ) from None
    return path


def as_bytes(transcript: Transcript, form: Format) -> bytes:
    """Return the content of a file.

    Raises
    ------
    OptionError
        If the format cannot hold the transcript.
    """
    # In JSON a lone surrogate becomes its escape; the other formats hold none.
    return form.dump(transcript).encode("utf-8", errors="backslashreplace")


def why_not(transcript: Transcript, form: Format) -> str:
    """Return why a format cannot hold a transcript, in a sentence; ``""`` if it can."""
    if form.needs is None:
        return ""
    try:
        form.needs(transcript)
    except OptionError as error:
        return str(error)
    return ""


def read(path: Path, name: str | None = None) -> Transcript:
    """Read a transcript; formats that do not hold its recording's name give it the file's.

    Raises
    ------
    OptionError
        If the format is unknown or cannot be read, or the file is missing or damaged.
    """
    path = Path(expanded(path))
    form = find(name) if name else of_path(path)
    if form.parse is None:
        readable = ", ".join(known.name for known in _FORMATS.values() if known.parse)
        hint = " (Audacity labels: say format='labels')" if form.name == "txt" else ""
        raise OptionError(
            f"{form.suffix} files do not hold a whole transcript, so they cannot be read back"
            f"{hint}; readable are {readable}."
        )
    try:
        text = _decode(path.read_bytes())
    except FileNotFoundError:
        raise OptionError(_missing(path)) from None
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise OptionError(f"Cannot read {path}: {reason}.") from None
    except UnicodeDecodeError:
        raise OptionError(f"{path} is not UTF-8 text; save it as UTF-8 first.") from None
    try:
        found = form.parse(text)
    except OptionError as error:
        raise OptionError(f"Cannot read {path.name} as {form.name}: {error}") from None
    if form.name == "json":
        return found
    ending = len(form.suffix) if path.name.lower().endswith(form.suffix.lower()) else 0
    return dataclasses.replace(found, name=path.name[: len(path.name) - ending])


def _no_folder(path: Path) -> str:
    return f"There is no folder {path.absolute().parent}, so no place for {path.name} in it."


def _missing(path: Path) -> str:
    """Say that there is no such file, and which one may be meant."""
    folder = path.absolute().parent
    if not folder.is_dir():
        return f"There is no folder {folder}, so no {path.name} in it."
    close = did_you_mean(path.name, sorted(entry.name for entry in folder.iterdir()))
    return f"There is no file {path.name!r} in {folder}.{close or ' Look at its name and folder.'}"


def _decode(content: bytes) -> str:
    """Return text in UTF-8, or in UTF-16 with its mark, as Praat and Windows write it."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    return content.decode("utf-8-sig")
