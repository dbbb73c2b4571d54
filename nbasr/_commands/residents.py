"""`%asr models`, `load`, `unload` and `estimate`: what there is, what it costs, what is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbasr import settings
from nbasr._commands.arguments import Argument, Command, Parsed, transcription_arguments
from nbasr._commands.table import SHORT, Table
from nbasr._units import size
from nbasr.errors import OptionError
from nbasr.options import Limits, declared

FORMATS = ("dtype", "quantization", "device", "offload")
"""Options of a transcription that say how a model is loaded."""

EVERY = "float32, bf16, int8, nf4"
"""What `estimating.choices` says where nothing is too large."""


def commands() -> tuple[Command, ...]:
    """Return what these sub-commands take."""
    every = {argument.name: argument for argument in transcription_arguments()}
    formats = tuple(every[name] for name in FORMATS)
    alive = declared(Limits)["keep_alive"]
    keep = Argument(
        "keep_alive",
        f"{alive.about}; also as 30s, 5m, 1h",
        metavar="TIME",
        default="keep_alive as set, or -1",
        check=lambda value: value,
    )
    chunk = Argument(
        "chunk_seconds",
        "length of a chunk in seconds",
        metavar="S",
        default="safe for the model",
        parse=lambda text: _number(text, "--chunk-seconds"),
        check=lambda value: value,
    )
    return (
        Command(
            ("%asr models [NAME]",),
            "List the models: which are on this machine, which are loaded, which fit the memory. "
            "With a name, tell all about one.",
            (every["device"],),
            other="model",
        ),
        Command(
            ("%asr load NAME",),
            "Load a model and keep it loaded; it is fetched if it is not here.",
            (*formats, keep, Argument("pin", "never unload it to make room for another")),
            (
                ("%asr load whisper-small", "a catalogue name"),
                ("%asr load qwen3-asr-1.7b --quantization int8", "half the memory"),
                ("%asr load whisper-tiny --keep-alive 10m", "gone ten minutes after its last use"),
            ),
            other="model",
        ),
        Command(
            ("%asr unload [NAME | all]",),
            "Unload a model, or all of them, free their memory and report it.",
            (),
            (("%asr unload", "all of them"),),
            other="resident",
        ),
        Command(
            ("%asr estimate NAME",),
            "Predict the memory of a model before anything is loaded: weights, activations, cache.",
            (*formats[:3], chunk, every["batch_size"]),
            (("%asr estimate qwen3-asr-1.7b --quantization nf4 --batch-size 8", ""),),
            other="model",
        ),
    )


def models(parsed: Parsed, names: Mapping[str, Any]) -> Table:
    """List the catalogue and what else is loaded, or tell about one model."""
    from nbasr.models import catalog, estimating, manager

    device = catalog.checked_device(parsed.values.get("device") or settings.current().device)
    if parsed.others:
        return _about(_one(parsed, names, "models"), device)
    resident = [model.spec for model in manager.resident()]
    loaded = [catalog.entry(spec.source or spec.name) for spec in resident]
    rows = []
    for entry in catalog.entries():
        state = "loaded" if entry in loaded else "here" if entry.is_here else ""
        weighs = size(entry.download_bytes) if entry.download_bytes else ""
        fits = estimating.choices(entry.name, device).replace(EVERY, "any precision")
        chunk = f"{entry.max_seconds:g} s"
        rows.append(
            (entry.name, state, fits, weighs, chunk, _gives(entry), _languages(entry), entry.about)
        )
    others = {  # a source may be loaded in several number formats
        spec.source: (spec.name, f"{spec.max_seconds:g} s")
        for spec, entry in zip(resident, loaded, strict=True)
        if entry is None
    }
    rows += [
        (name, "loaded", "", "", chunk, "", "", source) for source, (name, chunk) in others.items()
    ]
    return Table(
        (
            "model",
            "state",
            f"fits {device} now",
            "download",
            "chunk",
            "gives",
            "languages",
            "about",
        ),
        tuple(rows),
        "State: loaded, or here (no download). Gives: w, times of words; h, takes hotwords; "
        "p, punctuation. %asr models NAME tells all about one; a folder or a hub id (owner/model) "
        "can be loaded too.",
    )


def _languages(entry: Any) -> str:
    few = len(entry.languages) <= SHORT
    return str(entry.languages) if few else f"{entry.languages.count(',') + 1} languages"


def _gives(entry: Any) -> str:
    marks = {"w": entry.word_times, "h": entry.hotwords, "p": entry.punctuation}
    return " ".join(mark for mark, there in marks.items() if there)


def _about(name: str, device: str) -> Table:
    """Tell all about one model: of the catalogue, or a folder or hub id."""
    from nbasr.models import catalog, estimating, weights

    spec = catalog.resolve(name, device=device)
    entry = catalog.entry(spec.source or spec.name)
    rows = [("model", spec.name), ("from", spec.source or "comes with nbasr")]
    if entry is not None:
        facts = {
            "tells times of words": entry.word_times,
            "takes hotwords": entry.hotwords,
            "punctuation": entry.punctuation,
        }
        rows += [
            ("about", entry.about),
            ("languages", entry.languages),
            *((what, "yes" if there else "no") for what, there in facts.items()),
            ("licence", entry.licence),
            ("download", size(entry.download_bytes) if entry.download_bytes else "none"),
            ("on this machine", "yes" if entry.is_here else "no"),
        ]
    rows.append(("safe chunk", f"{spec.max_seconds:g} s"))
    for asked, other in estimating.variants(name, device):
        held = weights.weights_bytes(other)
        if held is not None:
            rest = f", rest {other.dtype}" if other.quantization is not None else ""
            rows.append((f"weights in {other.precision}{rest}", f"{size(held)}  {asked}".rstrip()))
    rows.append((f"fits {device} now", estimating.choices(name, device) or "not known"))
    return Table(("", ""), tuple(rows))


def load(parsed: Parsed, names: Mapping[str, Any]) -> Any:
    """Load the model that is named."""
    from nbasr import models

    return models.load(_one(parsed, names, "load"), **parsed.values)


def unload(parsed: Parsed, names: Mapping[str, Any]) -> Any:
    """Unload the models that are named, or all."""
    from nbasr import models

    if [word.typed for word in parsed.others] in ([], ["all"]):
        return models.unload_all()
    if len(parsed.others) > 1:
        raise OptionError("%asr unload takes one model, or none for all of them.")
    return models.unload(str(parsed.others[0].value(names)))


def estimate(parsed: Parsed, names: Mapping[str, Any]) -> Any:
    """Predict the memory of the model that is named."""
    from nbasr import models

    return models.estimate(_one(parsed, names, "estimate"), **parsed.values)


def _one(parsed: Parsed, names: Mapping[str, Any], command: str) -> str:
    if len(parsed.others) != 1:
        raise OptionError(
            f"%asr {command} takes one model, as in %asr {command} whisper-small; %asr models "
            "lists them."
        )
    return str(parsed.others[0].value(names))


def _number(text: str, flag: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise OptionError(f"{flag} takes a number, not {text!r}.") from None
