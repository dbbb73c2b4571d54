"""The `%transcribe` command: from the line and the cell to one call of `nbasr.transcribe`."""

from __future__ import annotations

import dataclasses
import keyword
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbasr._commands import saving, sources
from nbasr._commands.arguments import WIDTH, Argument, Command, changed, transcription_arguments
from nbasr._commands.words import Word, check_closed, split, whole
from nbasr.errors import NbasrError, OptionError
from nbasr.options import declared

if TYPE_CHECKING:
    from nbasr.transcript import Transcript


def _variable_name(text: str) -> str:
    if not text.isidentifier() or keyword.iskeyword(text):
        raise OptionError(
            f"--out takes the name of a variable, not {text!r}; for files there is --save."
        )
    return text


PLAN = Argument("plan", "show what would be done (chunks, batches, model, memory) and do nothing")
QUIET = Argument("quiet", "show no progress and no confirmations")


@cache
def command() -> Command:
    """Declare ``%transcribe``."""
    return Command(
        usage=(
            "%transcribe [options] SOURCE …",
            "%%transcribe [options] [SOURCE …]      and below it one source a line",
        ),
        about=(
            "Turn recordings into text with times. The result is a Transcript, or a list of them "
            "where several sources, a list or a glob were given; a ; at the end hides it. "
            "Interrupting the kernel gives what is finished until then.\n\n"
            "A source is a path, a glob (** reaches into folders), a URL, or a {Python expression} "
            "that gives one of these, a Recording, (array, rate), or a list. Put a path with "
            'spaces into quotes, "my file.wav"; under %%transcribe a line needs none. '
            "Option values may be {expressions} too: --chunking {my_plan}.\n\n"
            "Options left out are as set by %config NbAsr, by NBASR_… in the environment, or by "
            "[tool.nbasr] of pyproject.toml. The same in Python: nbasr.transcribe(source, model=…)."
        ),
        arguments=(
            *transcription_arguments(),
            Argument(
                "out",
                "bind the result to this variable",
                metavar="NAME",
                short="-o",
                parse=_variable_name,
            ),
            saving.folder_argument(
                "save", "write the results into this folder (default with --format: here)"
            ),
            saving.format_argument(),
            saving.OVERWRITE,
            PLAN,
            QUIET,
        ),
        examples=(
            ("%transcribe meeting.m4a", "one file"),
            ("%transcribe talks/*.mp3 --out talks", "many, into the variable talks"),
            ("notes = %transcribe {recording} --language de", "a variable"),
            ("%transcribe long.wav --max-seconds 20 --plan", "only look where it would be cut"),
            ("%transcribe a.wav --format srt,json --save out", "write files"),
        ),
        other="source",
    )


@dataclass(frozen=True)
class Outcome:
    """What a `%transcribe` gave.

    Parameters
    ----------
    value
        The transcript, list of transcripts, or plan; None if only the manual was asked for.
    out
        The variable to bind it to, or ``""``.
    hidden
        Whether the line ended with ``;``.
    said
        Lines to tell: the manual, files written.
    problem
        What went wrong after the value was there, when the files were written.
    """

    value: Any
    out: str = ""
    hidden: bool = False
    said: tuple[str, ...] = ()
    problem: NbasrError | None = None


def run(line: str, cell: str | None, names: Mapping[str, Any]) -> Outcome:
    """Do what was typed.

    Parameters
    ----------
    line
        Everything after ``%transcribe`` or ``%%transcribe``.
    cell
        The lines below ``%%transcribe``.
    names
        Variables for the expressions.

    Raises
    ------
    NbasrError
        If something typed is impossible, or the transcription fails.
    """
    line, hidden = _without_semicolon(line)
    words = split(line)
    check_closed(words)
    parsed = command().parse(words, names)
    if parsed.help:
        return Outcome(None, said=(command().manual(WIDTH, changed()),))
    body = sources.lines(cell or "")
    if body:
        body[-1], ended = _without_semicolon(body[-1])
        hidden = hidden or ended
        body = [text for text in body if text]
    named = sources.named([*parsed.others, *(_body_word(text) for text in body)], names)
    if not named.found:
        raise OptionError(
            "There is nothing to transcribe: name a file, a URL or {a variable}, as in "
            "%transcribe meeting.wav; %transcribe --help tells all."
        )
    options = {name: parsed.values[name] for name in declared() if name in parsed.values}
    places = _places(named, parsed.values)
    if parsed.values.get("plan"):
        from nbasr.pipeline.transcribe import plan

        return Outcome(plan(named.value, **options), parsed.values.get("out", ""), hidden)

    from nbasr.pipeline.transcribe import transcribe

    quiet = bool(parsed.values.get("quiet"))
    value = transcribe(named.value, **options, progress=False if quiet else None)
    transcripts: list[Transcript] = value if named.many else [value]
    for at, source in enumerate(named.found):
        if source.lent:  # two arrays are told apart by their variables
            transcripts[at] = dataclasses.replace(transcripts[at], name=source.name)
    value = transcripts if named.many else transcripts[0]
    out = parsed.values.get("out", "")
    written: list[Path] = []
    problem = None
    try:
        for place, transcript in zip(places, transcripts, strict=False):
            written += place.write(transcript, overwrite=bool(parsed.values.get("overwrite")))
    except NbasrError as error:
        problem = error
    said = () if quiet else _confirmations(out, transcripts, written)
    return Outcome(value, out, hidden, said, problem)


def _body_word(text: str) -> Word:
    if text.startswith("--"):
        raise OptionError(
            f"{text.split()[0]} stands among the sources; options belong on the first line, "
            "after %%transcribe."
        )
    return whole(text)


def _without_semicolon(line: str) -> tuple[str, bool]:
    """Take the ``;`` off that hides the result, as at the end of a line of Python."""
    text = line.rstrip()
    return (text[:-1].rstrip(), True) if text.endswith(";") else (line, False)


def _places(named: sources.Sources, values: Mapping[str, Any]) -> list[saving.Place]:
    """Find where the results go, and stop before the work if a file is in the way."""
    if "save" not in values and "format" not in values:
        return []
    stems = [source.stem for source in named.found]
    places = saving.places(stems, values.get("save", Path()), values.get("format", ("txt",)))
    taken = [str(path) for place in places for path in place.taken]
    if taken and not values.get("overwrite"):
        more = f" and {len(taken) - 1} more exist" if len(taken) > 1 else " exists"
        raise OptionError(f"{taken[0]}{more}; add --overwrite, or another folder with --save.")
    return places


def _confirmations(out: str, transcripts: list[Transcript], written: list[Path]) -> tuple[str, ...]:
    said = []
    if out:
        count = len(transcripts)
        said.append(
            f"The transcript is in `{out}`."
            if count == 1
            else f"{count} transcripts are in `{out}`."
        )
    if written:
        shown = ", ".join(str(path) for path in written[:5])
        said.append(
            f"wrote {shown}" + (f" and {len(written) - 5} more" if len(written) > 5 else "")
        )
    return tuple(said)
