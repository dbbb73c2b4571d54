"""The `nbasr transcribe` command: file after file, and a bad one loses none of the others."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from nbasr import settings
from nbasr._commands import notices, saving, sources
from nbasr._commands.arguments import (
    WIDTH,
    Argument,
    Command,
    Parsed,
    changed,
    transcription_arguments,
)
from nbasr._commands.transcribing import PLAN
from nbasr._commands.words import Word
from nbasr.audio._words import count
from nbasr.errors import AudioWarning, ModelError, ModelWarning, NbasrError, OptionError
from nbasr.options import declared

STOPPED = 130
"""Exit code after Ctrl-C, as shells have it: 128 and the number of the signal."""


@cache
def command() -> Command:
    """Declare ``nbasr transcribe``."""
    return Command(
        usage=("nbasr transcribe [options] FILE …",),
        about=(
            "Turn recordings into text. Without --format and --out the text goes to standard "
            "output; else each recording gets one file for each format. Files that exist are left "
            "alone, and their recordings skipped, unless --overwrite is given.\n\n"
            "A FILE is a path, a glob (in quotes, ** reaches into folders) or a URL.\n\n"
            "Exit code: 0 all went well, 1 some recordings failed (they are named at the end), "
            "2 the command line is wrong, 130 stopped with Ctrl-C."
        ),
        arguments=(
            *transcription_arguments(),
            saving.folder_argument(
                "out", "folder for the results (default with --format: here)", "-o"
            ),
            saving.format_argument(),
            saving.OVERWRITE,
            PLAN,
            Argument("quiet", "show no progress and no notes, only errors"),
        ),
        examples=(
            ("nbasr transcribe meeting.m4a", "print the text"),
            ('nbasr transcribe "talks/**/*.mp3" --format srt,txt --out subtitles', "write files"),
            ("nbasr transcribe long.wav --max-seconds 20 --plan", "only look at the cuts"),
        ),
        other="source",
    )


@dataclass
class _Tally:
    """What became of the recordings so far."""

    failed: list[str] = field(default_factory=list)
    skipped: int = 0
    done: int = 0


def run(typed: Sequence[str]) -> int:
    """Do what was typed after ``nbasr transcribe`` and return the exit code.

    Raises
    ------
    OptionError
        If the command line is wrong, or no such model is known. Nothing has been transcribed then.
    """
    parsed = command().parse([Word.plain(text) for text in typed])
    if parsed.help:
        print(command().manual(min(WIDTH, shutil.get_terminal_size().columns), changed()))
        return 0
    if not parsed.others:
        raise OptionError("Name a recording: nbasr transcribe meeting.m4a; --help tells all.")
    if parsed.values.get("quiet"):
        with notices.ignored(AudioWarning, ModelWarning):
            return _all(parsed)
    return _all(parsed)


def _all(parsed: Parsed) -> int:
    """Do one recording after the other and return the exit code."""
    options = {name: parsed.values[name] for name in declared() if name in parsed.values}
    resolved = settings.current().resolve(**options)
    tally = _Tally()
    found = _find(parsed.others, tally)
    if found:
        from nbasr.models import manager

        try:  # a model that none of the recordings could have; notes come when one is used
            with notices.ignored(ModelWarning):
                manager.choose(resolved)
        except ModelError as error:
            raise OptionError(str(error)) from error
    number = len(found) + len(tally.failed)
    names = parsed.values.get("format", ("txt",) if "out" in parsed.values else ())
    places = saving.places(
        [source.stem for source in found], parsed.values.get("out", Path()), names
    )
    stopped = False
    for source, place in zip(found, places, strict=True):
        try:
            stopped = not _one(source, place, options, parsed, tally)
        except NbasrError as error:
            _fail(tally, source.name, error)
        except KeyboardInterrupt:
            stopped = True
        if stopped:
            _say(f"stopped: {tally.done} of {count(number, 'recording')} done")
            break
    if tally.failed and number > 1:
        failed = f"{len(tally.failed)} of {count(number, 'recording')} failed"
        _say(f"{failed}: {', '.join(tally.failed)}")
    return STOPPED if stopped else int(bool(tally.failed))


def _find(words: Sequence[Word], tally: _Tally) -> list[sources.Source]:
    """Find the recordings; what is missing is told and counted as failed."""
    found: list[sources.Source] = []
    for word in words:
        try:
            found += sources.named([word], within=words).found
        except NbasrError as error:
            _fail(tally, word.typed, error)
    return found


def _one(
    source: sources.Source,
    place: saving.Place,
    options: dict[str, Any],
    parsed: Parsed,
    tally: _Tally,
) -> bool:
    """Transcribe one recording, write or print the result; return False if it was interrupted."""
    from nbasr.audio.recording import Recording
    from nbasr.pipeline.transcribe import plan, transcribe

    quiet, overwrite = (bool(parsed.values.get(name)) for name in ("quiet", "overwrite"))
    if parsed.values.get("plan"):
        work = plan(source.value, **options)
        print("\n".join([str(work), *map(str, work.plans)]))
        tally.done += 1
        return True
    if place.taken and not overwrite:
        tally.skipped += 1
        if not quiet:
            _say(f"{source.name}: skipped, {place.taken[0]} exists; --overwrite replaces it")
        return True
    value, channel = source.value, settings.current().resolve(**options).channel
    if channel is None or not sources.is_url(value):  # what cannot be opened needs no model
        value = Recording.open(value, channel=channel)
    transcript = transcribe(value, **options, progress=False if quiet else None)
    written = place.write(transcript, overwrite=overwrite)
    if not place.files:
        print(transcript.text, flush=True)
    elif written and not quiet:
        _say(f"{source.name}: wrote {', '.join(str(path) for path in written)}")
    tally.done += transcript.complete
    return bool(transcript.complete)


def _fail(tally: _Tally, name: str, error: NbasrError) -> None:
    tally.failed.append(name)
    _say(str(error) if name in str(error) else f"{name}: {error}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
