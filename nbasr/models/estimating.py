"""Memory of models before they are loaded: how much, whether it fits, and what else would."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

from nbasr import settings, store
from nbasr._units import size
from nbasr.engines.base import EngineSpec
from nbasr.engines.quantization import Quantization
from nbasr.errors import ModelError, OptionError, OutOfMemoryError
from nbasr.memory import budget
from nbasr.memory.forecast import MemoryEstimate
from nbasr.models import _needs, catalog
from nbasr.models._needs import largest_batch, needed_bytes, run_bytes

__all__ = [
    "MemoryEstimate",
    "choices",
    "estimate",
    "largest_batch",
    "measured",
    "must_fit",
    "needed_bytes",
    "run_bytes",
    "speed",
    "took",
]

NOISE_BYTES = 100_000_000
"""Predictions below it teach nothing, and need not be measured: importing code takes as much."""

LEAST_SECONDS = 5.0
"""Seconds of sound below which a run says little of a model's speed."""

TRUSTED = (0.25, 4.0)
"""Measured over predicted memory beyond which another cause is more likely than a wrong formula."""


def estimate(
    model: str | EngineSpec,
    *,
    quantization: str | Quantization | None = None,
    dtype: str | None = None,
    device: str | None = None,
    chunk_seconds: float | None = None,
    batch_size: int | None = None,
) -> MemoryEstimate:
    """Predict what a model will take in memory. Nothing is loaded or fetched.

    Parameters
    ----------
    model
        Catalogue name, hub id, local folder, or a spec, which then says the next three.
    quantization
        ``"int8"``, ``"nf4"``, ``"fp4"`` or a `Quantization`; ``"none"``. None, here and below: as
        the settings say, as for `load`.
    dtype
        Number format of what is not quantised; ``"auto"`` suits the device.
    device
        ``"cpu"``, ``"cuda"``, ``"mps"``; ``"auto"`` takes the best one.
    chunk_seconds
        Length of a chunk in seconds; None: what is safe for the model.
    batch_size
        Chunks at once; None: what suits the model and device, as far as it fits.

    Returns
    -------
    MemoryEstimate
        Every part in bytes, what there is room for, and the largest batch that fits. Activations
        and cache are for the longest answers that the model may give, until earlier runs on this
        device have shown what they are.

    Raises
    ------
    ModelError
        If there is no such model or device, or nothing is known of the model until it is fetched.
    OptionError
        If a length or a batch size is not above 0.

    Examples
    --------
    >>> e = estimate("qwen3-asr-1.7b", quantization="nf4", device="cpu", chunk_seconds=30)
    >>> sorted(e.weights)
    ['audio tower', 'decoder', 'embeddings', 'projector']
    """
    if isinstance(model, EngineSpec):
        spec = model
    else:
        said = settings.current()
        spec = catalog.resolve(
            model,
            dtype or said.dtype,
            device or said.device,
            said.quantization if quantization is None else quantization,
        )
    seconds = _above_0("chunk_seconds", chunk_seconds, spec.max_seconds)
    if seconds > spec.max_seconds:
        raise OptionError(
            f"{spec.name} takes chunks of up to {spec.max_seconds:g} s, not {seconds:g} s."
        )
    parts = _needs.weights(spec)
    if not parts:
        raise ModelError(
            f"How much memory {spec.name} takes is not known until it is on this machine; "
            f'fetch it with nbasr.models.load("{spec.source}"), or name a model of the catalogue.'
        )
    context = _needs.context_bytes(spec.device)
    room = budget.room_bytes(spec.device) + context
    if _needs.is_loaded(spec):
        room += sum(parts.values())
    most = largest_batch(spec, seconds, max(0, room - context - sum(parts.values())))
    usual = min(spec.batch_size, max(1, most))
    count = int(_above_0("batch_size", batch_size, usual))
    if count < 1:
        raise OptionError(f"batch_size is a whole number above 0, not {batch_size!r}.")
    phase, ratio = _needs.predicted(spec, seconds, count), _needs.ratio(spec)
    factor = 1.0 if ratio is None else ratio
    activations, cache = (round(factor * n) for n in (phase.activations_bytes, phase.cache_bytes))
    return MemoryEstimate(
        name=spec.name,
        precision=spec.precision,
        device=spec.device,
        chunk_seconds=seconds,
        batch_size=count,
        weights=parts,
        activations_bytes=activations,
        cache_bytes=cache,
        context_bytes=context,
        slack_bytes=_needs.slack_bytes(spec, activations + cache),
        room_bytes=room,
        largest_batch=most,
        ratio=ratio,
        phase=phase.name,
    )


def must_fit(spec: EngineSpec, *, room: int | None = None) -> None:
    """Refuse a model that cannot fit, before a byte of it is loaded or fetched.

    A model of which nothing is known passes, and one that may leave layers in main memory.

    Parameters
    ----------
    spec
        The model.
    room
        Bytes that its tensors may take; None: what the device has now. Who can unload others adds
        what they hold.

    Raises
    ------
    OutOfMemoryError
        If there is less room than weights and one chunk take. The message names the precisions,
        the batch sizes and the models that would fit.
    """
    needed = needed_bytes(spec)
    if needed is None or spec.offload:
        return
    if room is None:
        room = budget.room_bytes(spec.device)
    if needed > room:
        raise OutOfMemoryError(_refusal(spec, needed, room))


def measured(spec: EngineSpec, seconds: float, batch: int, peak_bytes: int) -> None:
    """Learn from a run what such runs take on this device.

    Parameters
    ----------
    spec
        The model.
    seconds, batch
        As `run_bytes` takes them.
    peak_bytes
        The most that the run held beyond what was held before it, so without the weights.
    """
    expected = _needs.predicted(spec, seconds, batch).total_bytes
    if expected < NOISE_BYTES or peak_bytes <= 0:
        return
    least, most = (round(bound * expected) for bound in TRUSTED)
    store.remember_peak(
        _needs.key(spec),
        _needs.device_name(spec.device),
        expected,
        min(max(peak_bytes, least), most),
    )


def took(spec: EngineSpec, audio_seconds: float, seconds: float) -> None:
    """Learn from a run how fast such runs are on this device.

    Parameters
    ----------
    spec
        The model.
    audio_seconds, seconds
        Of sound that was recognised, and of time; a run of hardly any sound teaches nothing.
    """
    if audio_seconds >= LEAST_SECONDS:
        device = _needs.device_name(spec.device)
        store.remember_speed(_needs.key(spec), device, audio_seconds, seconds)


def speed(spec: EngineSpec) -> tuple[float, int] | None:
    """Return how fast a model was on its device in earlier runs; None if there were none.

    Returns
    -------
    (float, int) or None
        Seconds of sound per second (RTFx, the median of the last runs), and how many runs.
    """
    return store.speed(_needs.key(spec), _needs.device_name(spec.device))


def choices(name: str, device: str = "auto") -> str:
    """Return the precisions in which a model fits a device now, the widest first.

    Parameters
    ----------
    name
        Catalogue name, hub id or local folder.
    device
        Where it is to run.

    Returns
    -------
    str
        Such as ``"bf16, int8, nf4"``; ``"no"`` if it fits in none, ``""`` where nothing is known.
    """
    specs = [spec for _, spec in variants(name, device)]
    room = budget.room_bytes(specs[0].device)
    needs = [(spec.precision, needed_bytes(spec)) for spec in specs]
    known = [(precision, needed) for precision, needed in needs if needed is not None]
    fitting = dict.fromkeys(precision for precision, needed in known if needed <= room)
    return ", ".join(fitting) if fitting or not known else "no"


def variants(name: str, device: str) -> Iterator[tuple[str, EngineSpec]]:
    """Yield the ways to load a model, the widest first: (what asks `load` for it, its spec)."""
    plain = catalog.resolve(name, "auto", device)
    if plain.engine in ("sphinx", "funasr") or plain.quantization is not None:
        yield "", plain  # it has one precision, its own
        return
    half = plain.dtype if plain.dtype != "float32" else "bf16"
    for dtype in ("float32", half):
        yield f'dtype="{dtype}"', dataclasses.replace(plain, dtype=dtype)
    for method in ("int8", "nf4"):
        asked = f'quantization="{method}"'
        spec = catalog.resolve(name, "auto", device, method)
        yield asked, spec
        if spec.dtype == "float32":  # what is not quantised takes half of it in 16 bits
            yield f'{asked} with dtype="{half}"', dataclasses.replace(spec, dtype=half)


def _refusal(spec: EngineSpec, needed: int, room: int) -> str:
    """Say that a model does not fit, and what does."""
    seconds = min(spec.max_seconds, _needs.ONE_CHUNK)
    held = sum(_needs.weights(spec).values())
    limit = budget.budget(spec.device)
    within = f" within the budget of {size(limit)}" if limit is not None else ""
    told = [
        f"{spec.name} in {spec.precision} does not fit and was not loaded: it takes {size(needed)} "
        f"({size(held)} of weights, the rest for one chunk of {seconds:g} s), and there is room "
        f"for {size(room)} on {spec.device}{within}."
    ]
    ways: dict[str, str] = {}
    for asked, other in variants(spec.source or spec.name, spec.device):
        least = needed_bytes(other)
        if least is None or least > min(room, needed - 1) or other.precision in ways:
            continue
        most = largest_batch(other, seconds, room - sum(_needs.weights(other).values()))
        chunks = "one such chunk" if most == 1 else f"up to {most} such chunks"
        ways[other.precision] = f"{asked} ({size(least)}, {chunks} at once)"
    if ways:
        told.append(f"What fits of this model: {', '.join(ways.values())}.")
    others = _smaller(spec, room)
    if others:
        told.append(f"{'Also ' if ways else 'Of others, '}{' and '.join(others)} would fit.")
    if spec.device == "cuda" and spec.engine != "funasr":
        told.append("offload=True keeps in main memory what does not fit, and is slow.")
    elif not ways and not others:
        told.append(
            "Unload other models, close what else takes memory (%asr status tells), or use "
            'model="sphinx".'
        )
    return " ".join(told)


def _smaller(spec: EngineSpec, room: int, count: int = 2) -> list[str]:
    """Return the best other models of the catalogue that fit as they are, with their precision."""
    known = catalog.entry(spec.source or spec.name)
    kind = known.kind if known is not None else "recogniser"
    found = []
    for entry in reversed(catalog.entries()):
        if entry.kind != kind or entry is known or entry.english_only or not entry.source:
            continue
        other = catalog.resolve(entry.name, "auto", spec.device)
        least = needed_bytes(other)
        if least is not None and least <= room:
            found.append(f"{other.name} in {other.precision}")
        if len(found) == count:
            break
    return found


def _above_0(name: str, value: float | str | None, default: float) -> float:
    if value is None or value == "auto":
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise OptionError(f"{name} is a number above 0, not {value!r}.")
    return value
