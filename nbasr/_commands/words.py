"""Splits what is typed after a magic into words, and evaluates the `{expressions}` in them.

IPython's own expansion is not used: it turns objects into text, splits their spaces into words, and
leaves the whole line as it is when one name is undefined. A shell's rules are not used either: they
eat the backslashes of Windows paths and trip over the apostrophe in ``it's.wav``.
"""

from __future__ import annotations

import ast
import builtins
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from nbasr.errors import OptionError, did_you_mean

_VALUE_NEXT = re.compile(r"--[\w-]+=")
_VARIABLE = re.compile(r"\$([^\W\d]\w*)")


@dataclass(frozen=True)
class Expression:
    """A Python expression in a word: ``{name}``, ``{folder / "a.wav"}``, ``{part:03d}``, ``$name``.

    Parameters
    ----------
    typed
        As it stands in the line, with its braces or its dollar.
    code
        The expression alone.
    form
        What follows it in the braces: a conversion and a format, as in an f-string.
    """

    typed: str
    code: str
    form: str = ""


@dataclass(frozen=True)
class Word:
    """One word of the line.

    Parameters
    ----------
    pieces
        Its literal texts and its expressions, in order; quotes are gone, ``{{`` is ``{``.
    typed
        It, as typed but without its quotes.
    start
        Where it begins in the line, its quote included.
    quoted
        Whether it begins with a quote.
    unclosed
        The quote that is still open at its end, or ``""``.
    """

    pieces: tuple[str | Expression, ...]
    typed: str
    start: int = 0
    quoted: bool = False
    unclosed: str = ""

    @classmethod
    def plain(cls, text: str) -> Word:
        """Make a word that means exactly `text`."""
        return cls((text,), text)

    def __bool__(self) -> bool:
        """Tell whether anything is in it."""
        return bool(self.typed)

    @property
    def stray_brace(self) -> bool:
        """Whether a ``{`` in it begins no expression: it is not closed, or holds no Python."""
        return any("{" in piece for piece in self.pieces if isinstance(piece, str)) and (
            "{{" not in self.typed
        )

    def after(self, count: int) -> Word:
        """Return the word without its first `count` letters, which must be literal."""
        first = self.pieces[0] if self.pieces else ""
        if not isinstance(first, str):
            return self
        rest = tuple(piece for piece in (first[count:], *self.pieces[1:]) if piece != "")
        return Word(rest, self.typed[count:], self.start + count, self.quoted, self.unclosed)

    def value(self, names: Mapping[str, Any]) -> Any:
        """Return what the word means.

        Parameters
        ----------
        names
            Variables of the notebook.

        Returns
        -------
        object
            Whatever the expression gives if the word is one expression and nothing else;
            otherwise text.

        Raises
        ------
        OptionError
            If an expression fails; it says which, and why.
        """
        if len(self.pieces) == 1 and isinstance(self.pieces[0], Expression):
            only = self.pieces[0]
            found = _evaluate(only, names)
            return _format(only, found) if only.form else found
        return "".join(
            piece if isinstance(piece, str) else _format(piece, _evaluate(piece, names))
            for piece in self.pieces
        )


def split(line: str) -> list[Word]:
    r"""Split a line into words at its spaces.

    Single or double quotes around a word, or around the value in ``--name="a value"``, keep its
    spaces. A quote inside a word is a letter. So is a backslash, unless a space follows it outside
    Windows: ``my\ file.wav`` is one word, as shells write it.

    >>> [word.typed for word in split("'my file.wav' it's.wav C:\\\\new\\\\a.wav --max-seconds=6")]
    ['my file.wav', "it's.wav", 'C:\\\\new\\\\a.wav', '--max-seconds=6']
    """
    words: list[Word] = []
    at = 0
    while True:
        at = _skip_spaces(line, at)
        if at >= len(line):
            return words
        word, at = _word(line, at)
        words.append(word)


def whole(line: str) -> Word:
    """Read a line of a cell as one word: spaces belong to it, and quotes around it are dropped."""
    text = line.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" and text[0] not in text[1:-1]:
        return Word(*_pieces(text[1:-1]), quoted=True)
    return Word(*_pieces(text))


def check_closed(words: list[Word]) -> None:
    """Raise `OptionError` if a quote is open at the end of the line."""
    for word in words:
        if word.unclosed:
            raise OptionError(
                f"The quote {word.unclosed} before {word.typed!r} is not closed; add one at its "
                "end, or put the other kind of quotes around the word if it belongs to the name."
            )


def variables(names: Mapping[str, Any], start: str = "") -> list[str]:
    """Return the variables a person may mean: without private and IPython's own names."""
    return sorted(
        name
        for name in names
        if name.startswith(start) and not name.startswith("_") and name not in _SHELL_NAMES
    )


_SHELL_NAMES = frozenset({"In", "Out", "get_ipython", "exit", "quit", "open"})


def _skip_spaces(line: str, at: int) -> int:
    while at < len(line) and line[at].isspace():
        at += 1
    return at


def _word(line: str, start: int) -> tuple[Word, int]:
    """Read the word at `start`; return it and where it ends."""
    pieces: list[str | Expression] = []
    typed: list[str] = []
    at, quote = start, ""

    def add(piece: str | Expression, as_typed: str) -> None:
        if isinstance(piece, str) and pieces and isinstance(pieces[-1], str):
            pieces[-1] += piece
        else:
            pieces.append(piece)
        typed.append(as_typed)

    while at < len(line) and (quote or not line[at].isspace()):
        letter = line[at]
        beginning = at == start or _VALUE_NEXT.fullmatch("".join(typed)) is not None
        if letter == quote:
            quote = ""
            at += 1
        elif letter in "'\"" and not quote and beginning:
            quote = letter
            at += 1
        elif letter == "\\" and not quote and os.name != "nt" and line[at + 1 : at + 2] == " ":
            add(" ", " ")
            at += 2
        else:
            piece, length = _piece(line, at, beginning=beginning)
            add(piece, line[at : at + length])
            at += length
    return Word(tuple(pieces), "".join(typed), start, line[start] in "'\"", quote), at


def _pieces(text: str) -> tuple[tuple[str | Expression, ...], str]:
    """Return the pieces of a text in which spaces and quotes are letters, and the text."""
    pieces: list[str | Expression] = []
    at = 0
    while at < len(text):
        piece, length = _piece(text, at, beginning=at == 0)
        if isinstance(piece, str) and pieces and isinstance(pieces[-1], str):
            pieces[-1] += piece
        else:
            pieces.append(piece)
        at += length
    return tuple(pieces), text


def _piece(line: str, at: int, *, beginning: bool) -> tuple[str | Expression, int]:
    """Return the piece at `at`, a letter or an expression, and its length in the line."""
    letter = line[at]
    if letter in "{}" and line[at + 1 : at + 2] == letter:
        return letter, 2
    if letter == "{":
        found = _braces(line, at)
        if found is not None:
            return found, len(found.typed)
    if letter == "$" and beginning:
        match = _VARIABLE.match(line, at)
        if match:
            return Expression(match[0], match[1]), len(match[0])
    return letter, 1


def _braces(line: str, start: int) -> Expression | None:
    """Return the expression in the braces at `start`: the shortest text that Python can read."""
    stop = line.find("}", start)
    while stop != -1:
        inside = line[start + 1 : stop]
        for code, form in _readings(inside):
            try:
                ast.parse(code.strip(), mode="eval")
            except (SyntaxError, ValueError):
                continue
            return Expression(line[start : stop + 1], code.strip(), form)
        stop = line.find("}", stop + 1)
    return None


def _readings(inside: str) -> list[tuple[str, str]]:
    """Return the ways to read braces: all of it an expression, or a part and then its format."""
    marks = [at for at, letter in enumerate(inside) if letter in ":!" and at > 0]
    return [(inside, ""), *((inside[:at], inside[at:]) for at in marks)]


def _evaluate(expression: Expression, names: Mapping[str, Any]) -> Any:
    code = expression.code
    if expression.typed.startswith("$"):
        if code in names:
            return names[code]
        return os.environ.get(code, expression.typed)
    try:
        # The user's own code; a copy of the variables, as globals so that comprehensions see them.
        return eval(code, {**names, "__builtins__": builtins})
    except NameError as error:
        missing = error.name or code
        raise OptionError(
            f"In {expression.typed}: there is no variable {missing!r}."
            f"{did_you_mean(missing, variables(names))} "
            "Write {{ for a brace that is part of a name."
        ) from None
    except Exception as error:
        said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise OptionError(f"In {expression.typed}: {said}.") from error


def _format(expression: Expression, value: Any) -> str:
    form = expression.form
    if form.startswith("!"):
        convert: Callable[[object], str] = {"!r": repr, "!a": ascii}.get(form[:2], str)
        value, form = convert(value), form[2:]
    try:
        return format(value, form.removeprefix(":"))
    except (ValueError, TypeError) as error:
        raise OptionError(f"In {expression.typed}: {error}.") from None
