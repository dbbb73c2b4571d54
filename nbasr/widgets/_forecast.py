"""Which models there are to choose from, and what one will take for a plan: memory and time."""

from __future__ import annotations

import importlib.util
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbasr import settings
from nbasr.engines.base import EngineSpec
from nbasr.errors import ModelError
from nbasr.models import catalog, estimating, manager
from nbasr.pipeline.work import Work
from nbasr.widgets._texts import say

if TYPE_CHECKING:
    from nbasr.audio.recording import Recording
    from nbasr.chunking import ChunkPlan

AUTO = "auto"
"""Stands for the model that `nbasr.transcribe` takes where none is named."""

_BEYOND = 0.01  # seconds by which a chunk may be longer than a model takes, as transcribe allows


@dataclass(frozen=True)
class Forecast:
    """What a model will take for a plan. What is not known is None.

    Parameters
    ----------
    model, precision, device
        Which one, and how it runs.
    memory_bytes
        All that it takes of the device.
    weights_bytes, batch_bytes
        Its weights, and what the largest batch takes beside them.
    free_bytes
        What may be taken of the device, with what the model holds already.
    fits
        Whether that is enough.
    batch_size
        Chunks at once.
    max_seconds
        Longest chunk that the model takes.
    chunks_too_long
        How many chunks of the plan are longer.
    seconds
        How long it will take, loading left out.
    basis
        How all this is known, in sentences.
    note
        What is wrong, in a sentence; ``""``: nothing.
    """

    model: str
    precision: str
    device: str
    memory_bytes: int | None
    weights_bytes: int | None
    batch_bytes: int | None
    free_bytes: int | None
    fits: bool | None
    batch_size: int
    max_seconds: float
    chunks_too_long: int
    seconds: float | None
    basis: str
    note: str

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON knows it."""
        return asdict(self)


def spec_of(model: str, **options: Any) -> EngineSpec:
    """Return the model that a name, or `AUTO`, means now. Nothing is loaded, fetched or warned of.

    Parameters
    ----------
    model
        Name, or `AUTO`.
    **options
        Of `nbasr.transcribe`, such as ``quantization``.

    Raises
    ------
    ModelError, OptionError
        If there is no such model.
    """
    return manager.choose(settings.current().resolve(model=model, **options), warn=False)


def must_be_here(spec: EngineSpec) -> None:
    """Refuse a model that would have to be fetched: a click in a panel downloads nothing.

    Raises
    ------
    ModelError
        If its files are not on this machine.
    """
    if not _is_here(spec):
        raise ModelError(
            f"{spec.name} is not on this machine; fetch it in a cell: "
            f'nbasr.models.load("{_value(spec)}").'
        )


def choices(model: str, language: str = "") -> list[tuple[str, str]]:
    """Return what there is to choose from: (name, text) pairs.

    `AUTO`, the resident models, the others on this machine, the best first, the embedded one, and
    the one that is chosen if it is none of these.

    Parameters
    ----------
    model
        The one that is chosen.
    language
        Of the texts.
    """
    found = {AUTO: say("tuner.model_auto", language, model=spec_of(AUTO).name)}
    embedded = catalog.resolve("sphinx")
    for one in manager.resident():
        spec = one.spec
        if spec.engine not in ("aligner", "sphinx"):
            how = {"precision": spec.precision, "device": spec.device}
            text = say("tuner.model_loaded", language, model=spec.name, **how)
            found.setdefault(_value(spec), text)
    for entry in reversed(catalog.entries()):
        if entry.kind == "recogniser" and entry.source and _can_run(entry):
            found.setdefault(entry.name, say("tuner.model_here", language, model=entry.name))
    found[embedded.name] = say("tuner.model_embedded", language, model=embedded.name)
    found.setdefault(model, Path(model).name or model)
    return list(found.items())


def forecast(
    recording: Recording, plan: ChunkPlan, model: str, language: str = "", **options: Any
) -> Forecast:
    """Tell what a model will take for a plan. Nothing is loaded or fetched.

    Parameters
    ----------
    recording, plan
        What is to be recognised, and how it is cut.
    model
        Name, or `AUTO`.
    language
        Of the sentences.
    **options
        Of `nbasr.transcribe`, such as ``quantization``.

    Raises
    ------
    ModelError, OptionError
        If there is no such model.
    """
    spec = spec_of(model, **options)
    work = Work((recording,), (plan,), spec, settings.current().resolve(model=model, **options))
    limit = spec.max_seconds
    longer = sum(chunk.duration > limit + _BEYOND for chunk in plan.chunks)
    note = ""
    if longer:
        note = say("tuner.model_short", language, model=spec.name, max=f"{limit:g}", n=longer)
    try:
        memory = estimating.estimate(spec) if longer or not plan.chunks else work.memory
    except ModelError as error:  # nothing is known of it before it is fetched
        memory, note = None, note or str(error)
    measured = estimating.speed(spec)
    seconds = work.seconds / measured[0] if measured is not None else None
    said = []
    if memory is not None:
        known = "tuner.basis_memory" if memory.ratio is None else "tuner.basis_memory_measured"
        said.append(say(known, language))
    said.append(_basis_of_time(measured, language))
    return Forecast(
        model=spec.name,
        precision=spec.precision,
        device=spec.device,
        memory_bytes=memory.total_bytes if memory is not None else None,
        weights_bytes=memory.weights_bytes if memory is not None else None,
        batch_bytes=memory.activations_bytes + memory.cache_bytes if memory is not None else None,
        free_bytes=memory.room_bytes if memory is not None else None,
        fits=memory.fits if memory is not None else None,
        batch_size=memory.batch_size if memory is not None else spec.batch_size,
        max_seconds=limit,
        chunks_too_long=longer,
        seconds=seconds,
        basis=" ".join(said) if language[:2] != "zh" else "".join(said),
        note=note,
    )


def _basis_of_time(measured: tuple[float, int] | None, language: str) -> str:
    if measured is None:
        return say("tuner.basis_no_time", language)
    speed, runs = measured
    key = "tuner.basis_time_one" if runs == 1 else "tuner.basis_time"
    return say(key, language, speed=f"{speed:.3g}", n=runs)


def _value(spec: EngineSpec) -> str:
    """Return the name by which a model is found again."""
    known = catalog.entry(spec.source or spec.name)
    return known.name if known is not None else spec.source


def _can_run(entry: catalog.Entry) -> bool:
    if entry.engine == "funasr" and importlib.util.find_spec("funasr") is None:
        return False
    return entry.is_here


def _is_here(spec: EngineSpec) -> bool:
    from nbasr.engines.checkpoint import snapshot

    if not spec.source or Path(spec.source).is_dir():
        return True
    return any(one.spec.source == spec.source for one in manager.resident()) or (
        snapshot(spec.source) is not None
    )
