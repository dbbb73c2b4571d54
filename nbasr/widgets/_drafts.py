"""Texts and corrections that outlive the kernel: a file for each text of a machine, the user's.

A file holds what the machine heard and what was made of it, so that nothing else is needed to go
on. Its first line alone tells what it is about.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbasr import store
from nbasr._files import replacing
from nbasr.errors import OptionError
from nbasr.transcript import Segment, Transcript
from nbasr.transcript.document import from_dict, segment_from_dict, segment_to_dict, to_dict
from nbasr.widgets._reading import Line, Reading, Step

if TYPE_CHECKING:
    from nbasr.audio.recording import Recording

VERSION = 1
"""Grows when an older reader could no longer understand the file."""

MOST = 200
"""Files that are kept: the newest."""

MOST_BYTES = 500_000_000
"""Most that they may take: an hour's transcript with the times of words takes about 1 MB."""

_STEPS = 100  # of the history that are kept
_STEP_LINES = 4000  # lines in them: a step that changes all lines is as large as the transcript
_FINGERPRINT = 16  # characters of it that a name begins with
_LONGEST_ABOUT = 20_000  # characters of the first line
_PART_LASTS = 3600.0  # seconds; nobody writes for so long
_DAMAGED = ".damaged"
_BESIDE = "~"  # stands between the key and what tells two drafts of it apart

Mark = tuple[int, int, int]
"""Of a file: it has another one once somebody has written it."""


class NewerError(OSError):
    """A draft that a newer nbasr wrote: it is left for that one."""


@dataclass(frozen=True)
class About:
    """What a draft is about.

    Parameters
    ----------
    key
        Name of its file, without suffix.
    name
        Of the recording.
    path
        Of the recording; ``""`` where it has none.
    fingerprint
        Of the recording.
    channel, stream
        Which of the recording's was opened; None: as it is opened without a choice.
    model, language
        As of the transcript.
    duration
        Seconds of the recording.
    edits
        How many lines were corrected.
    at
        When it was written, in seconds since 1970.
    """

    key: str
    name: str
    path: str
    fingerprint: str
    channel: int | None
    stream: int | None
    model: str
    language: str | None
    duration: float
    edits: int
    at: float

    def machine(self) -> Transcript:
        """Return what the machine heard, for `TranscriptPanel` to take the corrections up.

        Raises
        ------
        OptionError
            If the file is gone or damaged.
        """
        try:
            return from_dict(_values(folder() / f"{self.key}.json")["machine"])
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            raise OptionError(
                f"The corrections of {self.name} cannot be read; transcribe it again."
            ) from None


def folder() -> Path:
    """Return the folder of the drafts; it may not exist yet."""
    return store.home_folder() / "transcripts"


def recent(limit: int = 10) -> list[About]:
    """Return what was heard or corrected last, the newest first.

    Of two that panels wrote of one text only the newer is listed: it is the one taken up.
    """
    found: dict[str, About] = {}
    for path in _newest(folder()):
        about = _about(path)
        if about is not None:
            found.setdefault(about.key.partition(_BESIDE)[0], about)
        if len(found) >= limit:
            break
    return list(found.values())


def newest_of(recording: Recording) -> About | None:
    """Return what was heard or corrected last of a recording; None where nothing is kept."""
    start = recording.fingerprint[:_FINGERPRINT]
    for path in _newest(folder(), f"{start}-*"):
        about = _about(path)
        if about is not None and about.fingerprint == recording.fingerprint:
            return about
    return None


def key_of(recording: Recording, machine: Transcript) -> str:
    """Return the name that the drafts of a machine's text of a recording have."""
    heard = [[one.start, one.stop, one.text, one.speaker] for one in machine.segments]
    digest = hashlib.sha256(json.dumps(heard).encode()).hexdigest()
    return f"{recording.fingerprint[:_FINGERPRINT]}-{digest[:16]}"


def named(key: str) -> list[Path]:
    """Return the drafts of a key, the newest first: more than one, where two panels wrote."""
    return _newest(folder(), f"{key}*")


def beside(key: str) -> Path:
    """Return a name for a draft that stands beside another of the same key."""
    return folder() / f"{key}{_BESIDE}{secrets.token_hex(4)}.json"


def mark(path: Path) -> Mark | None:
    """Return what tells a file from one that was written later; None: there is none."""
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_ino, about.st_mtime_ns, about.st_size


def put(path: Path, about: About, machine: str, reading: Reading) -> Mark | None:
    """Write a draft, so that no half of it is ever seen; return its mark.

    Parameters
    ----------
    path
        Where to.
    about
        Its first line.
    machine
        What `machine_json` gave: it is the same each time, and takes long.
    reading
        The lines and their history.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    numbers = {id(one): at for at, one in enumerate(reading.machine.transcript.segments)}
    past, future = _recent_steps(reading.past), _recent_steps(reading.future)
    work = {
        "lines": _lines(reading.lines, numbers),
        "past": [_step(step, numbers) for step in past],
        "future": [_step(step, numbers) for step in future],
        "next": reading.next_number,
    }
    head = json.dumps({"nbasr_draft": VERSION, "about": asdict(about)})
    text = f'{head[:-1]},\n"machine": {machine},\n"work": {json.dumps(work)}}}\n'
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        with part.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())  # what is said to be saved outlives a loss of power too
        return mark(part)  # of the path, another kernel's might be read by now


def machine_json(machine: Transcript) -> str:
    """Return a machine's text as `put` wants it."""
    return json.dumps(to_dict(machine))


def take(path: Path, machine: Transcript) -> tuple[About, Reading]:
    """Read a draft of a machine's text.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it is damaged, or another text's.
    """
    try:
        values = _values(path)
        about = About(**values["about"])
        own = machine.segments
        if len(values["machine"]["segments"]) != len(own):  # the key says that they are the same
            raise ValueError("it is of another text")
        work = values["work"]
        first = Reading.begun(machine)
        lines = tuple(_taken(work["lines"], own))
        past, future = (
            tuple(
                Step(first, tuple(_taken(removed, own)), tuple(_taken(added, own)))
                for first, removed, added in work[name]
            )
            for name in ("past", "future")
        )
        transcript = _with(machine, lines)
        return about, Reading(first.machine, transcript, lines, past, future, int(work["next"]))
    except (LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from None


def put_aside(path: Path) -> Path:
    """Rename a damaged draft, so that nobody stumbles over it again; return where it is now."""
    try:
        return path.replace(path.with_suffix(_DAMAGED))
    except OSError:
        return path


def prune() -> None:
    """Remove all but the newest drafts, and what a killed kernel left half-written.

    The newest itself always stays.
    """
    for path in _newest(folder(), suffix=".part"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _PART_LASTS:
                path.unlink()
    room = MOST_BYTES
    for number, path in enumerate(_newest(folder()) + _newest(folder(), suffix=_DAMAGED)):
        with contextlib.suppress(OSError):
            room -= path.stat().st_size
            if number >= MOST or (number and room < 0):
                path.unlink()


def _with(machine: Transcript, lines: Iterable[Line]) -> Transcript:
    return replace(machine, segments=tuple(line.segment for line in lines))


def _recent_steps(steps: tuple[Step, ...]) -> list[Step]:
    """Return the last steps, as many as a file bears."""
    kept: list[Step] = []
    room = _STEP_LINES
    for step in reversed(steps[-_STEPS:]):
        room -= len(step.removed) + len(step.added)
        if room < 0 and kept:
            break
        kept.append(step)
    return kept[::-1]


def _step(step: Step, numbers: dict[int, int]) -> list[Any]:
    return [step.first, _lines(step.removed, numbers), _lines(step.added, numbers)]


def _lines(lines: Iterable[Line], numbers: dict[int, int]) -> list[Any]:
    """Return lines as pairs: the number, and which of the machine's segments it is, or itself."""
    return [[line.number, _put_segment(line.segment, numbers)] for line in lines]


def _put_segment(segment: Segment, numbers: dict[int, int]) -> int | dict[str, Any]:
    number = numbers.get(id(segment))
    return segment_to_dict(segment) if number is None else number


def _taken(given: Iterable[Any], own: tuple[Segment, ...]) -> Iterator[Line]:
    for number, what in given:
        if isinstance(what, int):
            if not 0 <= what < len(own):
                raise IndexError(what)
            yield Line(int(number), own[what])
        else:
            yield Line(int(number), segment_from_dict(what))


def _values(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    version = values.get("nbasr_draft")
    if version != VERSION:
        if isinstance(version, int) and version > VERSION:
            raise NewerError("written by a newer nbasr; update this one")
        raise ValueError("it is no draft")
    return values


def _about(path: Path) -> About | None:
    """Return what a draft is about, of its first line; None where that is not one."""
    try:
        with path.open(encoding="utf-8") as file:
            first = file.readline(_LONGEST_ABOUT)
        values = json.loads(first.rstrip().rstrip(",") + "}")
        if values.get("nbasr_draft") != VERSION:
            return None
        return About(**{**values["about"], "key": path.stem})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _newest(place: Path, pattern: str = "*", suffix: str = ".json") -> list[Path]:
    """Return files, the one that was written last first."""
    times = []
    with contextlib.suppress(OSError):
        for path in place.glob(f"{pattern}{suffix}"):
            with contextlib.suppress(OSError):
                times.append((path.stat().st_mtime_ns, path))
    return [path for _, path in sorted(times, reverse=True)]
