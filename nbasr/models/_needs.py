"""What a model needs of a device, by its spec: weights exactly, a run by formula and experience."""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path

from nbasr import store
from nbasr.engines.base import EngineSpec
from nbasr.engines.checkpoint import snapshot
from nbasr.memory import budget, readings
from nbasr.memory.estimate import SANM, SLACK, Costs, Phase, peak
from nbasr.models import catalog
from nbasr.models import weights as weighing

MOST = 256
"""Largest batch that is looked for: beyond it no device gets faster."""

ONE_CHUNK = 30.0
"""Seconds of sound that a model must have room for beside its weights; a shorter limit of its own
counts. With less room its chunks would be cut where people speak."""

SPHINX_BYTES = 97_000_000
"""What the embedded engine takes once it is made (growth of the process, PocketSphinx 5.1)."""

WORKSPACE_BYTES = 32 * 2**20
"""CUDA: what cuBLAS keeps to work in (its default on the H100; 8 MiB on older devices)."""


def weights(spec: EngineSpec) -> dict[str, int]:
    """Return the bytes of each part of a model; empty where nothing is known of it.

    As `nbasr.models.weights.weights`, and for engines that have no inventory from what is known of
    them: the size of their files.
    """
    if spec.engine == "sphinx":
        return {"model": SPHINX_BYTES}
    parts = weighing.weights(spec) if spec.engine != "funasr" else {}
    if parts or spec.engine != "funasr":
        return parts
    known = catalog.entry(spec.source)
    if known is not None:
        parts = {"model": known.parameters * catalog.BYTES[spec.dtype]}
        return parts | ({"punctuation": known.companion_bytes} if known.companion_bytes else {})
    folder = Path(spec.source) if Path(spec.source).is_dir() else snapshot(spec.source)
    file = folder / "model.pt" if folder is not None else None
    if file is None or not file.is_file():
        return {}
    return {"model": file.stat().st_size * catalog.BYTES[spec.dtype] // 4}


def run_bytes(spec: EngineSpec, seconds: float, batch: int, *, corrected: bool = True) -> int:
    """Return what a run takes at its peak beside the weights, as earlier runs correct it.

    Parameters
    ----------
    spec
        The model.
    seconds
        Length of the longest chunk in seconds; the others are padded to it.
    batch
        Chunks at once.
    corrected
        False tells what the formula alone says.

    Returns
    -------
    int
        Bytes; 0 where nothing is known of the model, or it takes hardly any.
    """
    factor = ratio(spec) if corrected else None
    return round(predicted(spec, seconds, batch).total_bytes * (factor or 1.0))


def largest_batch(spec: EngineSpec, seconds: float, room: int | None = None) -> int:
    """Return how many chunks fit at once; 0 if not even one, `MOST` where nothing is known.

    Parameters
    ----------
    spec
        The model.
    seconds
        Length of a chunk in seconds.
    room
        Bytes that the run may take; None: what the device has now, less the weights if the model is
        not loaded yet.
    """
    if room is None:
        room = budget.room_bytes(spec.device)
        room -= 0 if is_loaded(spec) else sum(weights(spec).values())
    factor = ratio(spec) or 1.0
    least, most = 0, MOST
    while least < most:  # the need grows with the batch
        middle = (least + most + 1) // 2
        run = round(factor * predicted(spec, seconds, middle).total_bytes)
        if run + slack_bytes(spec, run) <= room or run == 0:
            least = middle
        else:
            most = middle - 1
    return least


def needed_bytes(spec: EngineSpec) -> int | None:
    """Return the least that a model takes of its device: weights, and one chunk at work.

    Returns
    -------
    int or None
        Bytes of tensors, to be compared with `nbasr.memory.budget.room_bytes`: without CUDA's own
        memory. None where nothing is known of the model.
    """
    parts = weights(spec)
    if not parts:
        return None
    run = run_bytes(spec, min(spec.max_seconds, ONE_CHUNK), 1)
    return sum(parts.values()) + run + slack_bytes(spec, run)


def predicted(spec: EngineSpec, seconds: float, batch: int) -> Phase:
    """Return the widest phase of a run by the formulas alone."""
    quantization = spec.quantization
    family, facts = spec.engine, SANM
    if spec.engine != "funasr":
        facts = weighing.facts(spec)
        family = "aligner" if spec.engine == "aligner" else weighing.family(spec)
    costs = Costs(
        family=family,
        facts=facts,
        dtype_bytes=catalog.BYTES[spec.dtype],
        method=quantization.method if quantization is not None else "",
    )
    return peak(costs, seconds, batch, _new_tokens(spec, seconds))


def _new_tokens(spec: EngineSpec, seconds: float) -> int:
    """Return the longest answer that an engine lets a model give, in tokens."""
    if spec.engine == "whisper":
        from nbasr.engines.whisper import SPARE_TOKENS, TOKENS_PER_SECOND
    elif spec.engine == "audio_llm":
        from nbasr.engines.audio_llm import SPARE_TOKENS, TOKENS_PER_SECOND
    else:
        return 0
    return math.ceil(TOKENS_PER_SECOND * seconds) + SPARE_TOKENS


def ratio(spec: EngineSpec) -> float | None:
    if spec.engine == "sphinx":
        return None
    return store.ratio(key(spec), device_name(spec.device))


def key(spec: EngineSpec) -> str:
    """Name what a measurement is true for: the model, in its precision."""
    return f"{spec.engine} {spec.source} {spec.precision} {spec.dtype}"


@lru_cache(maxsize=8)
def device_name(device: str) -> str:
    return f"{device}: {readings.read(device).name}"


def context_bytes(device: str) -> int:
    return readings.CONTEXT_BYTES if device.startswith("cuda") else 0


def slack_bytes(spec: EngineSpec, run: int) -> int:
    """Return what is lost beside a run of so many bytes."""
    return round(SLACK * run) + (WORKSPACE_BYTES if context_bytes(spec.device) else 0)


def is_loaded(spec: EngineSpec) -> bool:
    """Tell whether a model is resident, in this precision and on this device."""
    from nbasr.models import manager  # it asks here whether models fit

    def slot(one: EngineSpec) -> tuple[object, ...]:
        return one.engine, one.source, one.dtype, one.device, one.quantization, one.offload

    return any(slot(model.spec) == slot(spec) for model in manager.resident())
