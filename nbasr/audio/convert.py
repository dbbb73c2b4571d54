"""Convert recordings to mono 16 kHz WAV files, one or a folder full, and count how it went."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from pathlib import Path

from nbasr._files import expanded
from nbasr.audio import _media, _saving
from nbasr.audio._arrays import ArraySound
from nbasr.audio._wav import read_header
from nbasr.audio._words import clock, count, reason
from nbasr.audio.decode import decode
from nbasr.audio.levels import RATE
from nbasr.audio.sources import resolved
from nbasr.errors import AudioError, NbasrError

_RECORDINGS = (  # endings of files that must be recordings, so that it is told why one is not
    "3gp aac ac3 aif aiff amr ape au avi caf dts flac flv m4a m4b m4v mka mkv mov mp2 mp3 mp4 mpeg "
    "mpg mts mxf oga ogg ogv opus ra rm spx tta ts voc w64 wav weba webm wma wmv wv"
)
SUFFIXES = frozenset(f".{ending}" for ending in _RECORDINGS.split(" "))
"""What the names of recordings end in, in small letters."""


@dataclass(frozen=True)
class Outcome:
    """What became of one source.

    Parameters
    ----------
    source
        The recording.
    target
        The WAV file; None if none was written.
    note
        Why not; or what was wrong with a source that was converted all the same.
    duration
        Seconds converted.
    """

    source: Path
    target: Path | None = None
    note: str = ""
    duration: float = 0.0


@dataclass(frozen=True)
class Conversion:
    """Outcome of `convert`.

    Parameters
    ----------
    converted, failed, skipped
        One `Outcome` per source.
    """

    converted: tuple[Outcome, ...] = ()
    failed: tuple[Outcome, ...] = ()
    skipped: tuple[Outcome, ...] = ()

    @property
    def duration(self) -> float:
        """Seconds converted in all."""
        return sum(outcome.duration for outcome in self.converted)

    def __repr__(self) -> str:
        counts = (
            f"{count(len(self.converted), 'recording')} converted ({clock(self.duration)})",
            f"{len(self.failed)} failed",
            f"{len(self.skipped)} skipped",
        )
        noted = [*self.failed, *self.skipped, *(one for one in self.converted if one.note)]
        lines = [f"  {outcome.source.name}: {outcome.note}" for outcome in noted]
        return "\n".join([", ".join(counts), *lines])

    def _repr_html_(self) -> str:
        rows = [
            f"<tr><td>{escape(outcome.source.name)}</td><td>{word}</td>"
            f"<td>{escape(outcome.target.name) if outcome.target else ''}</td>"
            f"<td>{clock(outcome.duration) if outcome.duration else ''}</td>"
            f"<td>{escape(outcome.note)}</td></tr>"
            for word, outcomes in (
                ("failed", self.failed),
                ("skipped", self.skipped),
                ("converted", self.converted),
            )
            for outcome in outcomes
        ]
        head = "".join(
            f'<th scope="col">{name}</th>' for name in ("source", "", "target", "length", "note")
        )
        return (
            f"<p>{escape(repr(self).splitlines()[0])}</p>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        )


def convert(
    sources: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    out: str | os.PathLike[str] | None = None,
    *,
    overwrite: bool = False,
    recursive: bool = False,
) -> Conversion:
    """Convert recordings to mono 16 kHz 16-bit WAV files.

    A failure does not stop the others. The cache is not used: the results are files of yours.

    Parameters
    ----------
    sources
        A folder, a file, or several of either. Of a folder, hidden files are left out, and files
        that hold no recording and do not claim to are skipped.
    out
        Folder of the results, made if it is not there; None puts each beside its source.
    overwrite
        Whether files that are there already may be replaced. A source never is.
    recursive
        Whether to go into folders of folders; `out` gets the same folders.

    Returns
    -------
    Conversion
        ``.converted``, ``.failed`` and ``.skipped``, each with its reason.

    Raises
    ------
    AudioError
        If a folder or file that was named is not there, or `out` cannot be made.

    Examples
    --------
    >>> nbasr.convert("interviews", out="interviews-16k")      # doctest: +SKIP
    12 recordings converted (9:41:07), 1 failed, 2 skipped
    """
    done: dict[str, list[Outcome]] = {"converted": [], "failed": [], "skipped": []}
    jobs: list[_Job] = []
    for job in _jobs(sources, None if out is None else Path(expanded(out)), recursive):
        if job.place == job.source.parent and _is_ours(job.source):
            done["skipped"].append(Outcome(job.source, note="is mono 16 kHz 16-bit WAV already"))
        else:
            jobs.append(job)
    for job, target in zip(jobs, _targets(jobs), strict=True):
        word, outcome = _converted(job, target, overwrite)
        done[word].append(outcome)
    return Conversion(*(tuple(done[word]) for word in ("converted", "failed", "skipped")))


@dataclass(frozen=True)
class _Job:
    """A file to convert, where to, and whether it was named, so that it must be a recording."""

    source: Path
    place: Path
    named: bool


def _jobs(
    sources: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    out: Path | None,
    recursive: bool,
) -> list[_Job]:
    """List the files once each, in order; a folder's are sorted."""
    listed = [sources] if isinstance(sources, str | os.PathLike) else list(sources)
    found: dict[Path, _Job] = {}
    for source in listed:
        path = Path(expanded(source))
        if path.is_dir():
            for file in sorted(path.rglob("*") if recursive else path.glob("*")):
                inside = file.relative_to(path)
                hidden = any(part.startswith(".") for part in inside.parts)
                result = out is not None and out != path and file.is_relative_to(out)
                if file.is_file() and not hidden and not result:
                    place = file.parent if out is None else out / inside.parent
                    found.setdefault(file, _Job(file, place, named=False))
        else:
            with resolved(path):  # raises if it is not there, with the name that may be meant
                found[path] = _Job(path, path.parent if out is None else out, named=True)
    return list(found.values())


def _targets(jobs: list[_Job]) -> list[Path]:
    """Name the results: by the stem, or by the whole name where two would be the same file.

    Names that differ only in case are the same file on macOS and Windows.
    """
    plain = [job.place / f"{job.source.stem}.wav" for job in jobs]
    wanted = Counter(map(_same, plain))
    wanted.update(_same(job.source) for job in jobs)  # a source is never overwritten
    taken: set[str] = set()
    targets = []
    for job, target in zip(jobs, plain, strict=True):
        if wanted[_same(target)] > 1:
            itself = _same(job.source) == _same(target)
            target = job.place / (
                f"{job.source.stem}_16k.wav" if itself else f"{job.source.name}.wav"
            )
        number = 2
        while _same(target) in taken:  # the same name from two folders, into one
            target = job.place / f"{job.source.name}-{number}.wav"
            number += 1
        taken.add(_same(target))
        targets.append(target)
    return targets


def _same(path: Path) -> str:
    return str(path.absolute()).casefold()


def _is_ours(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            header = read_header(file)
    except OSError:
        return False
    return header is not None and header.is_ours


def _converted(job: _Job, target: Path, overwrite: bool) -> tuple[str, Outcome]:
    """Convert one file and say in a word what became of it."""
    source = job.source
    if target.exists() and not overwrite:
        return "skipped", Outcome(source, note=f"{target.name} exists already")
    try:
        with resolved(source) as content:
            assert not isinstance(content, ArraySound)
            if not job.named and source.suffix.lower() not in SUFFIXES:
                try:
                    with _media.opened(content) as (container, _):
                        _media.audio_stream(container, content.name, None)
                except AudioError:
                    return "skipped", Outcome(source, note="holds no recording")
            target.parent.mkdir(parents=True, exist_ok=True)
            with _saving.replacing(target, overwrite=overwrite) as beside:
                made = decode(content, beside)
    except NbasrError as error:
        return "failed", Outcome(source, note=str(error))
    except OSError as error:
        return "failed", Outcome(source, note=f"{target.parent} cannot be made ({reason(error)})")
    notes = " ".join(f"{source.name} {problem}" for problem in made.problems)
    return "converted", Outcome(source, target, notes, made.samples / RATE)
