"""The cell that does what a tuner shows: `%%transcribe` where options say it all, else Python."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from nbasr import settings
from nbasr.chunking import Chunk, Strategy
from nbasr.errors import OptionError
from nbasr.options import declared
from nbasr.pipeline.work import CUTTING
from nbasr.widgets._texts import say

if TYPE_CHECKING:
    from nbasr.audio.recording import Recording
    from nbasr.widgets._tuning import Planner, State

KINDS = ("auto", "magic", "python")

_SAME = 1e-6  # seconds by which chunks may differ: less than a tenth of a sample
_WIDTH = 92  # letters in a line of code
_CUTTING = tuple(name for name in CUTTING if name != "max_seconds")  # in the order written
_SOURCE = "source"  # stands for what a recording without a file was opened from


class Code(NamedTuple):
    """A cell.

    Parameters
    ----------
    text
        What to put into it.
    kind
        ``"magic"`` or ``"python"``.
    """

    text: str
    kind: str


def magic_is_loaded() -> bool:
    """Tell whether a cell of this kernel may begin with ``%%transcribe``."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and "transcribe" in shell.magics_manager.magics["cell"]


def write(
    state: State,
    recording: Recording,
    planner: Planner,
    *,
    model: str = "auto",
    kind: str = "auto",
    language: str = "",
) -> Code:
    """Write the cell that cuts a recording as shown and transcribes it.

    Parameters
    ----------
    state
        The plan, and the settings that it came from.
    recording
        What is planned.
    planner
        Plans the recording by a strategy.
    model
        Name of the model, or ``"auto"``.
    kind
        ``"magic"`` or ``"python"``; ``"auto"`` takes the magic where its options can say it.
    language
        Of the comments.

    Raises
    ------
    OptionError
        If there is no such kind, or a magic cannot say it.
    """
    if kind not in KINDS:
        raise OptionError(f"kind is one of {', '.join(KINDS)}, not {kind!r}.")
    strategy = _strategy(state, planner)
    if kind != "python":
        try:
            return Code(_magic(strategy, state, recording, model, language), "magic")
        except OptionError:
            if kind == "magic":
                raise
    return Code(_python(strategy, state, recording, model, language), "python")


def _strategy(state: State, planner: Planner) -> Strategy | None:
    """Return the strategy that gives the plan; None: it was edited into what no strategy gives."""
    for cuts in dict.fromkeys(((), state.locks)):
        strategy = state.settings.made(cuts)
        if _same(planner(strategy).chunks, state.plan.chunks):
            return strategy
    return None


def _same(some: Sequence[Chunk], others: Sequence[Chunk]) -> bool:
    return len(some) == len(others) and all(
        abs(one.start - other.start) < _SAME and abs(one.stop - other.stop) < _SAME
        for one, other in zip(some, others, strict=True)
    )


def _magic(
    strategy: Strategy | None, state: State, recording: Recording, model: str, language: str
) -> str:
    """Return the cell magic; raise where it cannot say something."""
    if strategy is None or strategy.cuts:
        raise OptionError(
            "Cuts were placed by hand, which the options of %%transcribe cannot say; take Python."
        )
    beyond = [
        field.name
        for field in dataclasses.fields(strategy)
        if field.name not in (*_CUTTING, "max_seconds", "cuts")
        and getattr(strategy, field.name) != field.default
    ]
    if beyond:
        raise OptionError(f"%%transcribe has no option for {beyond[0]}; take Python.")
    channel, stream = recording._selection  # it has no public name
    if stream is not None:
        raise OptionError("%%transcribe has no option for one of several streams; take Python.")
    words = [] if model == "auto" else [f"--model {_word(model)}"]
    words += [f"--chunking {state.settings.strategy}"]
    words += [f"--max-seconds {_setting(state.plan.max_seconds)}"]
    for name in _CUTTING:
        words += _option(name, getattr(strategy, name, None), _default(strategy, name))
    words += _option("channel", channel, None)
    return "\n".join((f"%%transcribe {' '.join(words)}", *_lines(recording, language)))


def _option(name: str, value: float | None, default: float | None) -> list[str]:
    """Return an option if it says something else than the session does where it is left out."""
    option = declared()[name]
    said = getattr(settings.current(), name)
    if value == default and said == option.default:
        return []
    unset = "0" if option.default is not None else "auto"
    return [f"{option.flag} {unset if value is None else _setting(value)}"]


def _default(strategy: Strategy, name: str) -> Any:
    """Return what a strategy does where nothing is said; None where it knows no such thing."""
    known = {field.name: field.default for field in dataclasses.fields(strategy)}
    return known.get(name)


def _lines(recording: Recording, language: str) -> list[str]:
    """Return the line of a cell that names a recording, as `%%transcribe` reads it."""
    if recording.path is None:
        told = say("tuner.code_source", language, name=_plain(recording.name), source=_SOURCE)
        return [f"# {told}", f"{{{_SOURCE}}}"]
    path = str(recording.path)
    quoted = path != path.strip() or path.endswith(";")
    if not path.isprintable() or (quoted and (" #" in path or '"' in path)):
        raise OptionError(f"%%transcribe cannot read a name such as {path!r}; take Python.")
    return [f'"{path}"' if quoted else path]


def _word(text: str) -> str:
    """Return a word of the magic's line that means a text."""
    inside = text.replace("{", "{{").replace("}", "}}")
    if not any(letter.isspace() for letter in text) and text[:1] not in ("'", '"', "$", "-"):
        return inside
    quote = "'" if '"' in text else '"'
    if quote in text:
        raise OptionError(f"%%transcribe cannot read a name such as {text!r}; take Python.")
    return f"{quote}{inside}{quote}"


def _python(
    strategy: Strategy | None, state: State, recording: Recording, model: str, language: str
) -> str:
    lines = ["import nbasr", ""]
    if recording.path is None:
        told = say("tuner.code_source", language, name=_plain(recording.name), source=_SOURCE)
        lines.append(f"# {told}")
    opened = [_SOURCE if recording.path is None else _text(str(recording.path))]
    for name, chosen in zip(("channel", "stream"), recording._selection, strict=True):
        opened += [] if chosen is None else [f"{name}={chosen}"]
    lines.append(f"recording = nbasr.Recording.open({', '.join(opened)})")
    if strategy is not None:
        lines += _wrapped(f"plan = nbasr.chunking.{type(strategy).__name__}(", _fields(strategy))
        lines[-1] += ".plan(recording)"
    else:
        spans = [f"({_number(chunk.start)}, {_number(chunk.stop)})" for chunk in state.plan.chunks]
        lines += _wrapped("plan = nbasr.chunking.ChunkPlan.of(recording, [", spans, "])")
    named = "" if model == "auto" else f", model={_text(model)}"
    lines.append(f"transcript = nbasr.transcribe(recording, chunking=plan{named})")
    return "\n".join((*lines, "transcript"))


def _fields(strategy: Strategy) -> list[str]:
    """Return what a strategy is told, as arguments."""
    told = []
    for field in dataclasses.fields(strategy):
        value = getattr(strategy, field.name)
        if field.name == "cuts":
            if value:
                times = [_number(time) for time in value]
                told.append(f"cuts=({', '.join(times)}{',' if len(times) == 1 else ''})")
        elif value != field.default or field.name == "max_seconds":
            shown = _text(value) if isinstance(value, str) else _setting(value)
            told.append(f"{field.name}={shown}")
    return told


def _wrapped(head: str, parts: Sequence[str], tail: str = ")") -> list[str]:
    """Return a call in one line, or with its arguments in lines of their own."""
    whole = f"{head}{', '.join(parts)}{tail}"
    if len(whole) <= _WIDTH:
        return [whole]
    lines = [head]
    row = ""
    for part in parts:
        if row and len(row) + len(part) + 6 > _WIDTH:
            lines.append(f"    {row}")
            row = ""
        row += f"{' ' if row else ''}{part},"
    return [*lines, f"    {row}", tail]


def _number(time: float) -> str:
    """Return a time to the microsecond."""
    return _setting(round(float(time), 6))


def _setting(value: float) -> str:
    """Return a number as it is, whole ones without a point."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False) if text.isprintable() else ascii(text)


def _plain(name: str) -> str:
    """Return a name for a comment."""
    return "".join(letter if letter.isprintable() else " " for letter in name)
