"""What Tab offers after `%transcribe`, in the lines of `%%transcribe`, and after `%asr`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbasr._commands.arguments import Argument, Command
from nbasr._commands.words import Word, split, variables
from nbasr._files import expanded

_MAGIC = re.compile(r"^\s*(?:[\w\s,.*\[\]'\"()]+=\s*)?(%%?)(transcribe|asr)(?=\s)")
_IN_BRACES = re.compile(r"\{[^{}]*?(?P<dot>\.?)(?P<name>(?:[^\W\d]\w*)?)$")
_DOLLAR = re.compile(r"^\$(?P<name>\w*)$")

_SOUND = frozenset(
    """.3gp .aac .ac3 .aif .aiff .amr .ape .au .avi .caf .flac .m4a .m4b .m4v .mka .mkv .mov .mp2
    .mp3 .mp4 .mpeg .mpg .oga .ogg .opus .spx .ts .wav .webm .wma .wmv .wv""".split()  # noqa: SIM905
)
"""Suffixes of files that Tab offers as sources; when none fits, it offers every file."""


@dataclass(frozen=True)
class Offer:
    """One completion: the text that replaces the fragment, and its kind (an icon in JupyterLab)."""

    text: str
    kind: str = "text"


@dataclass(frozen=True)
class Offers:
    """Completions, and the end of the line before the cursor that they replace."""

    fragment: str
    offers: tuple[Offer, ...]


def complete(
    text: str,
    line: int,
    column: int,
    commands: Mapping[str, Command],
    names: Mapping[str, Any],
) -> Offers | None:
    """Find the completions at a place in a cell.

    Parameters
    ----------
    text
        The cell.
    line, column
        Where the cursor is, counted from 0.
    commands
        ``"transcribe"``, and the commands of ``%asr`` as ``"asr load"`` and so on.
    names
        Variables of the notebook.

    Returns
    -------
    Offers or None
        None where none of our magics is typed.
    """
    every = text.split("\n")
    before, after = every[line][:column], every[line][column:]
    first = _MAGIC.match(every[0] + " ")
    if first and first[1] == "%%" and line > 0:
        return _body(before, names) if first[2] == "transcribe" else None
    match = _MAGIC.match(before)
    if match is None or (match[1] == "%%" and line > 0):
        return None
    typed = before[match.end() :]
    words = split(typed)
    if not words or (typed[-1:].isspace() and not words[-1].unclosed):
        words.append(Word.plain(""))
        fragment = ""
    else:
        fragment = typed[words[-1].start :]
    command = commands.get("transcribe")
    if match[2] == "asr":
        known = [name.removeprefix("asr ") for name in commands if name.startswith("asr ")]
        if len(words) == 1 or words[0].typed == "help":
            return Offers(fragment, tuple(_starting(fragment, known, "function")))
        command = commands.get(f"asr {words.pop(0).typed}")
    if command is None:
        return Offers(fragment, ())
    return _word(command, words, fragment, after, names)


def _word(
    command: Command, words: list[Word], fragment: str, after: str, names: Mapping[str, Any]
) -> Offers:
    """Complete the last word of a command."""
    variable = _variable(fragment, names)
    if variable is not None:
        return variable
    last = words[-1]
    flags = {argument.flag: argument for argument in command.every}
    flags |= {argument.short: argument for argument in command.every if argument.short}
    if not last.quoted and last.typed.startswith("--") and "=" in last.typed:
        flag, _, value = last.typed.partition("=")
        asked = flags.get(flag)
        raw = fragment.partition("=")[2]
        return Offers(raw, tuple(_values(asked, raw, value, after)) if asked else ())
    before = words[-2] if len(words) > 1 else Word.plain("")
    asked = None if before.quoted else flags.get(before.typed)
    if asked is not None and asked.metavar:
        return Offers(fragment, tuple(_values(asked, fragment, last.typed, after)))
    if fragment.startswith("-"):
        given = {word.typed.partition("=")[0] for word in words[:-1]}
        left = [argument.flag for argument in command.every if argument.flag not in given]
        return Offers(fragment, tuple(_starting(fragment, left, "keyword")))
    return Offers(fragment, tuple(_others(command.other, fragment, last.typed, after)))


def _body(before: str, names: Mapping[str, Any]) -> Offers:
    """Complete a line under `%%transcribe`, which is one source: no quotes are needed."""
    fragment = before.lstrip()
    variable = _variable(fragment, names)
    if variable is not None:
        return variable
    if fragment.startswith("#"):
        return Offers(fragment, ())
    quote = fragment[:1] if fragment[:1] in ("'", '"') else ""
    offers = (
        Offer(quote + path + ("" if path.endswith(("/", "\\")) else quote), "path")
        for path in _paths(fragment.removeprefix(quote) if quote else fragment)
    )
    return Offers(fragment, tuple(offers))


def _variable(fragment: str, names: Mapping[str, Any]) -> Offers | None:
    """Complete the name in an open brace or after a dollar; None where there is neither."""
    match = _IN_BRACES.search(fragment) or _DOLLAR.match(fragment)
    if match is None:
        return None
    start = match["name"]
    if match.groupdict().get("dot"):
        return Offers(start, ())
    return Offers(start, tuple(Offer(name, "instance") for name in variables(names, start)))


def _values(argument: Argument, fragment: str, typed: str, after: str) -> Iterator[Offer]:
    """Offer values of an option."""
    if argument.kind == "folder":
        return _quoted(_paths(typed, folders_only=True), fragment, after)
    if argument.kind == "format":
        done = typed.rpartition(",")[0]
        lead = f"{done}," if done else ""
        taken = done.split(",")
        known = (lead + name for name in _formats() if name not in taken)
        return _starting(typed, known, "value")
    if argument.kind == "model":
        return _models(fragment, typed, after)
    if argument.kind == "language":
        return _starting(typed, _languages(), "value")
    return _starting(typed, (*argument.choices, *argument.words), "value")


def _others(kind: str, fragment: str, typed: str, after: str) -> Iterator[Offer]:
    """Offer what a command takes besides options."""
    if kind == "source":
        return _quoted(_paths(typed), fragment, after)
    if kind == "model":
        return _models(fragment, typed, after)
    if kind == "resident":
        from nbasr.models import manager

        return _starting(typed, [model.name for model in manager.resident()], "value")
    if kind == "job":
        from nbasr._commands import running

        return _starting(typed, running.numbers(), "value")
    return iter(())


def _models(fragment: str, typed: str, after: str) -> Iterator[Offer]:
    """Offer catalogue names, and folders once a path is begun."""
    yield from _starting(typed, _model_names(), "value")
    if typed.startswith((".", "/", "~", "\\")) or "/" in typed:
        yield from _quoted(_paths(typed, folders_only=True), fragment, after)


def _model_names() -> list[str]:
    from nbasr.models import catalog

    return ["auto", *(entry.name for entry in catalog.entries())]


def _formats() -> Iterable[str]:
    from nbasr.transcript import formats

    return formats.names()


def _languages() -> Iterable[str]:
    from nbasr.engines import languages

    return ["auto", *sorted({*languages.NAMES, *languages.NAMES.values()})]


def _starting(start: str, known: Iterable[str], kind: str) -> Iterator[Offer]:
    return (Offer(name, kind) for name in known if name.lower().startswith(start.lower()))


def _paths(typed: str, *, folders_only: bool = False) -> Iterator[str]:
    """Yield the paths that begin as typed: folders with a slash at their end, and recordings."""
    cut = max(typed.rfind("/"), typed.rfind("\\")) + 1
    lead, start = typed[:cut], typed[cut:]
    try:
        entries = sorted(Path(expanded(lead) or ".").iterdir(), key=lambda entry: entry.name)
        close = [
            (entry.name, entry.is_dir())
            for entry in entries
            if entry.name.casefold().startswith(start.casefold())
            and (start.startswith(".") or not entry.name.startswith("."))
        ]
    except OSError:
        return
    slash = "\\" if "\\" in lead and "/" not in lead else "/"
    files = [] if folders_only else [name for name, is_folder in close if not is_folder]
    sound = [name for name in files if Path(name).suffix.lower() in _SOUND]
    yield from (f"{lead}{name}{slash}" for name, is_folder in close if is_folder)
    yield from (lead + name for name in sound or files)


def _quoted(paths: Iterable[str], fragment: str, after: str) -> Iterator[Offer]:
    """Put paths with spaces into quotes; keep the quote that was begun, and close it at a file."""
    for path in paths:
        begun = fragment[:1] if fragment[:1] in ("'", '"') else ""
        quote = begun or ('"' if " " in path or path[:1] in ("'", '"', "$") else "")
        open_still = path.endswith(("/", "\\")) or after.startswith(quote or " ")
        yield Offer(quote + path + ("" if open_still else quote), "path")
