"""The `%asr` command: its sub-commands and its manual."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from nbasr._commands import machine, residents, running
from nbasr._commands.arguments import Command, Parsed
from nbasr._commands.words import check_closed, split
from nbasr.errors import OptionError, did_you_mean


def run(line: str, names: Mapping[str, Any]) -> Any:
    """Do what was typed after ``%asr``.

    Returns
    -------
    object
        What to show; a `str` is to be printed.

    Raises
    ------
    NbasrError
        If there is no such sub-command, its words are wrong, or it fails.
    """
    words = split(line.rstrip().removesuffix(";"))
    check_closed(words)
    if not words or words[0].typed in ("-h", "--help"):
        return manual()
    name = words[0].typed
    command = _known(name)
    parsed = command.parse(words[1:], names)
    if parsed.help:
        return command.manual()
    if parsed.others and not command.other:
        raise OptionError(
            f"%asr {name} takes nothing more, but there is {parsed.others[0].typed!r}; "
            f"%asr {name} --help tells what it takes."
        )
    return _DO[name](parsed, names)


def manual() -> str:
    """Write the manual of ``%asr``."""
    wide = max(len(command.usage[0]) for command in commands().values())
    lines = [
        "%asr COMMAND [options]",
        "",
        "Look at this machine, at models and at jobs.",
        "",
        "Commands",
    ]
    for command in commands().values():
        lines.append(f"  {command.usage[0]:{wide}}  {command.about.splitlines()[0]}")
    lines += ["", "%asr COMMAND --help tells more. In the shell: nbasr doctor."]
    return "\n".join(lines)


@cache
def commands() -> Mapping[str, Command]:
    """Return the sub-commands by ``"asr NAME"``, as completion wants them."""
    made = (
        Command(
            ("%asr doctor",),
            "Check this machine, and tell how to mend what is wrong.",
        ),
        *residents.commands(),
        *machine.commands(),
        *running.commands(),
        Command(
            ("%asr help [COMMAND]",), "Show this, or the manual of a command.", other="command"
        ),
    )
    return {f"asr {command.usage[0].split()[1]}": command for command in made}


def _known(name: str) -> Command:
    command = commands().get(f"asr {name}")
    if command is None:
        known = [key.removeprefix("asr ") for key in commands()]
        raise OptionError(
            f"There is no %asr {name}.{did_you_mean(name, known)} Known: {', '.join(known)}."
        )
    return command


def _help(names: list[str]) -> str:
    return _known(names[0]).manual() if names else manual()


def _doctor() -> Any:
    from nbasr._commands.doctor import examine

    return examine()


_DO: dict[str, Callable[[Parsed, Mapping[str, Any]], Any]] = {
    "doctor": lambda *_: _doctor(),
    "models": residents.models,
    "load": residents.load,
    "unload": residents.unload,
    "estimate": residents.estimate,
    "status": machine.status,
    "budget": machine.set_budget,
    "clean": machine.clean,
    "stop": running.stop,
    "help": lambda parsed, _: _help([word.typed for word in parsed.others]),
}
