"""The `%asr` command: look at the machine and at models, load and unload them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from nbasr._commands.arguments import Command, Parsed, transcription_arguments
from nbasr._commands.table import Table
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
    lines = ["%asr COMMAND [options]", "", "Look at this machine and at models.", "", "Commands"]
    for command in commands().values():
        lines.append(f"  {command.usage[0]:{wide}}  {command.about.splitlines()[0]}")
    lines += ["", "%asr COMMAND --help tells more. In the shell: nbasr doctor."]
    return "\n".join(lines)


@cache
def commands() -> Mapping[str, Command]:
    """Return the sub-commands by ``"asr NAME"``, as completion wants them."""
    weights = [one for one in transcription_arguments() if one.name in ("dtype", "device")]
    made = (
        Command(
            ("%asr doctor",),
            "Check this machine, and tell how to mend what is wrong.",
        ),
        Command(
            ("%asr models",),
            "List the models: which are on this machine, which are loaded.",
        ),
        Command(
            ("%asr load NAME",),
            "Load a model and keep it loaded; it is fetched if it is not here.",
            tuple(weights),
            (("%asr load whisper-small --dtype bf16", "a catalogue name"),),
            other="model",
        ),
        Command(
            ("%asr unload [NAME | all]",),
            "Unload a model, or all of them, and free their memory.",
            (),
            (("%asr unload", "all of them"),),
            other="resident",
        ),
        Command(("%asr status",), "Show the loaded models and the memory."),
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


def _models() -> Table:
    from nbasr._commands.doctor import size
    from nbasr.models import catalog, manager

    resident = [model.spec for model in manager.resident()]
    loaded = [catalog.entry(spec.source or spec.name) for spec in resident]
    rows = []
    for entry in catalog.entries():
        state = "loaded" if entry in loaded else "here" if entry.is_here else "not here"
        weighs = size(entry.download_bytes) if entry.download_bytes else ""
        rows.append((entry.name, state, weighs, entry.languages, entry.about))
    others = {  # a source may be loaded in several number formats
        spec.source: spec.name
        for spec, entry in zip(resident, loaded, strict=True)
        if entry is None
    }
    rows += [(name, "loaded", "", "", source) for source, name in others.items()]
    return Table(
        ("model", "state", "download", "languages", "about"),
        tuple(rows),
        "A local folder or a hub id (owner/model) works too. %asr load NAME loads one.",
    )


def _load(parsed: Parsed, names: Mapping[str, Any]) -> Any:
    from nbasr import models

    if len(parsed.others) != 1:
        raise OptionError(
            "%asr load takes one model, as in %asr load whisper-small; %asr models lists them."
        )
    return models.load(str(parsed.others[0].value(names)), **parsed.values)


def _unload(parsed: Parsed, names: Mapping[str, Any]) -> str:
    from nbasr import models

    if [word.typed for word in parsed.others] in ([], ["all"]):
        return repr(models.unload_all())
    return "\n".join(repr(models.unload(str(word.value(names)))) for word in parsed.others)


def _status() -> Table:
    import psutil

    from nbasr._commands.doctor import size
    from nbasr.models import catalog, manager
    from nbasr.models.release import memory

    rows = []
    for model in manager.resident():
        spec, weights = model.spec, catalog.weights_bytes(model.spec)
        rows.append((spec.name, spec.dtype, spec.device, size(weights) if weights else ""))
    used, whole = memory(), psutil.virtual_memory()
    note = f"This process holds {size(used.resident_bytes)}"
    if used.cuda_bytes is not None:
        note += f", and {size(used.cuda_bytes)} on CUDA"
    note += f"; {size(whole.available)} of {size(whole.total)} main memory are free."
    if not rows:
        return Table(("", "", "", ""), (), f"No model is loaded. {note}")
    return Table(("model", "dtype", "device", "weights"), tuple(rows), note)


_DO: dict[str, Callable[[Parsed, Mapping[str, Any]], Any]] = {
    "doctor": lambda *_: _doctor(),
    "models": lambda *_: _models(),
    "load": _load,
    "unload": _unload,
    "status": lambda *_: _status(),
    "help": lambda parsed, _: _help([word.typed for word in parsed.others]),
}
