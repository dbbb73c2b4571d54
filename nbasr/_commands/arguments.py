"""One declaration of a command feeds its parser, its manual and its completion."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nbasr import settings
from nbasr._commands.words import Word
from nbasr.errors import OptionError, did_you_mean
from nbasr.options import Declared, declared

WIDTH = 88


@dataclass(frozen=True)
class Argument:
    """An option of a command.

    Parameters
    ----------
    name
        Key of its value in what `Command.parse` returns.
    about
        What it does, for the manual.
    metavar
        Stands for its value in the manual; ``""`` for a switch.
    short
        One-letter form, such as ``"-o"``.
    choices, words
        Values to choose from; values that are allowed besides numbers.
    default
        As the manual shows it; ``""`` shows nothing.
    parse, check
        Turn text, or an object that an expression gave, into a value, or raise `OptionError`.
    kind
        What completes its value: ``"model"``, ``"folder"``, ``"format"``, ``"language"`` or ``""``.
    """

    name: str
    about: str
    metavar: str = ""
    short: str = ""
    choices: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    default: str = ""
    parse: Callable[[str], Any] = str
    check: Callable[[Any], Any] | None = None
    kind: str = ""

    @property
    def flag(self) -> str:
        """The option as typed: ``--max-seconds``."""
        return "--" + self.name.replace("_", "-")

    def read(self, value: Any) -> Any:
        """Turn what was given, text or an object, into the option's value."""
        if isinstance(value, str):
            return self.parse(value)
        if self.check is None:
            raise OptionError(f"{self.flag} takes text, not {type(value).__name__}.")
        return self.check(value)


@dataclass(frozen=True)
class Parsed:
    """What was typed after a command: option values by name, and the other words."""

    values: Mapping[str, Any]
    others: tuple[Word, ...]

    @property
    def help(self) -> bool:
        """Whether the manual was asked for."""
        return bool(self.values.get("help"))


HELP = Argument("help", "show this manual", short="-h")


@dataclass(frozen=True)
class Command:
    """A command, its options and its manual.

    Parameters
    ----------
    usage
        Lines that show how it is written.
    about
        What it does; paragraphs end with an empty line.
    arguments
        Its options, in the order of the manual; ``--help`` is added.
    examples
        Lines to imitate, each with what it does.
    other
        What the other words are: ``"source"``, ``"model"``, ``"resident"``, ``"job"``,
        ``"command"``, ``"size"``, or ``""`` where there are none.
    """

    usage: tuple[str, ...]
    about: str
    arguments: tuple[Argument, ...] = ()
    examples: tuple[tuple[str, str], ...] = ()
    other: str = ""

    @property
    def every(self) -> tuple[Argument, ...]:
        """All its options."""
        return (*self.arguments, HELP)

    def argument(self, typed: str) -> Argument:
        """Return the option that was typed (``--name`` or ``-n``).

        Raises
        ------
        OptionError
            If there is none; it names the closest.
        """
        wanted = typed.replace("_", "-")
        for argument in self.every:
            if wanted == argument.flag or (argument.short and wanted == argument.short):
                return argument
        name = self.usage[0].split(" [")[0]
        close = did_you_mean(wanted, [argument.flag for argument in self.every])
        raise OptionError(f"{name} has no option {typed}.{close} {name} --help lists them.")

    def parse(self, words: Sequence[Word], names: Mapping[str, Any] | None = None) -> Parsed:
        """Tell options from other words.

        Options may stand before, between and after the other words; ``--`` ends them, and a word in
        quotes is never one.

        Parameters
        ----------
        words
            What was typed after the command.
        names
            Variables for the expressions in option values.

        Raises
        ------
        OptionError
            If an option is unknown, given twice, lacks its value, or has an impossible one.
        """
        values: dict[str, Any] = {}
        others: list[Word] = []
        rest = list(words)
        while rest:
            word = rest.pop(0)
            if word.typed == "--" and not word.quoted:
                others += rest
                break
            if not _is_option(word):
                others.append(word)
                continue
            typed, equals, _ = word.typed.partition("=")
            argument = self.argument(typed)
            if argument.name in values:
                raise OptionError(f"{argument.flag} is given twice; keep one of them.")
            if not argument.metavar:
                if equals:
                    raise OptionError(f"{argument.flag} is a switch and takes no value.")
                values[argument.name] = True
                continue
            if equals:
                given = word.after(len(typed) + 1)
            elif rest and not _is_option(rest[0]):
                given = rest.pop(0)
            else:
                raise OptionError(
                    f"{argument.flag} needs a value: {argument.flag} {argument.metavar}."
                )
            values[argument.name] = argument.read(given.value(names or {}))
        return Parsed(values, tuple(others))

    def manual(self, width: int = WIDTH, now: Mapping[str, Any] | None = None) -> str:
        """Write the manual.

        Parameters
        ----------
        width
            Most letters in a line.
        now
            Options that are set to something else than their default in this session.
        """
        lines = [*self.usage, ""]
        for paragraph in self.about.split("\n\n"):
            lines += [*textwrap.wrap(paragraph, width, break_on_hyphens=False), ""]
        lines.append("Options")
        for argument in self.every:
            lines += _entry(argument, width, (now or {}).get(argument.name))
        if self.examples:
            lines += ["", "Examples"]
            widest = max(len(example) for example, _ in self.examples)
            for example, meaning in self.examples:
                lines.append(f"  {example:{widest}}  {meaning}".rstrip())
        return "\n".join(lines)


def transcription_arguments() -> tuple[Argument, ...]:
    """Return the options of `nbasr.transcribe` as options of a command."""
    return tuple(_argument(option) for option in declared().values())


def changed() -> dict[str, Any]:
    """Return the options that are set to something else than their default in this session."""
    current = settings.current()
    values = {name: getattr(current, name) for name in declared()}
    return {
        name: values[name] for name, option in declared().items() if values[name] != option.default
    }


_KINDS = {"model": "model", "aligner": "model", "language": "language"}


def _argument(option: Declared) -> Argument:
    default = "auto" if option.default is None and option.name == "language" else option.default
    return Argument(
        option.name,
        option.about,
        metavar="" if option.kind is bool else option.metavar or option.name.upper(),
        choices=option.choices,
        words=option.words,
        default=""
        if default in (None, "", False)
        else f"{default:g}"
        if _number(default)
        else str(default),
        parse=option.parse,
        # Strategies, plans and models made in Python are for the function to judge.
        check=(lambda value: value) if option.name == "chunking" else option.check,
        kind=_KINDS.get(option.name, ""),
    )


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_NUMBER = re.compile(r"-[\d.]")


def _is_option(word: Word) -> bool:
    typed = word.typed
    return len(typed) > 1 and typed[0] == "-" and not word.quoted and not _NUMBER.match(typed)


_COLUMN = 26


def _entry(argument: Argument, width: int, now: Any) -> list[str]:
    """Write the manual's lines of one option: how it is typed, and beside that what it does."""
    head = ", ".join(filter(None, (argument.short, argument.flag)))
    if argument.metavar:
        head += f" {argument.metavar}"
    about = argument.about
    if argument.choices:
        about += f"; one of {', '.join(argument.choices)}"
    notes = [f"default: {argument.default}"] if argument.default else []
    notes += [f"set here: {now}"] if now is not None else []
    if notes:
        about += f" ({'; '.join(notes)})"
    body = textwrap.wrap(about, width - _COLUMN, break_on_hyphens=False)
    first, rest = (body[0], body[1:]) if len(head) < _COLUMN - 3 else ("", body)
    lines = [f"  {head:{_COLUMN - 3}} {first}".rstrip()]
    return [*lines, *(" " * _COLUMN + line for line in rest)]
