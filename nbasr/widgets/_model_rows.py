"""What the model panel tells of models: those there are, one by name, those that are loaded."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbasr.engines.base import EngineSpec
from nbasr.errors import ModelError
from nbasr.models import _needs, catalog, estimating, manager, weights

if TYPE_CHECKING:
    from nbasr.models import Entry, MemoryEstimate, Model

Row = dict[str, Any]


def rows(device: str) -> list[Row]:
    """Return what there is to load on a device, the best first: the catalogue, then others loaded.

    Parameters
    ----------
    device
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"mps"``.

    Raises
    ------
    ModelError
        If there is no such device.
    """
    recognisers = [one for one in reversed(catalog.entries()) if one.kind == "recogniser"]
    others = [one for one in catalog.entries() if one.kind != "recogniser"]
    found = [_row(one.name, device, one) for one in (*recognisers, *others)]
    known = {row["source"] for row in found}
    for model in manager.resident():
        if model.spec.source not in known:
            known.add(model.spec.source)
            found.insert(0, row(model.spec.source, device))
    return found


def row(name: str, device: str) -> Row:
    """Return one model by whatever name: of the catalogue, a hub id, a folder.

    Raises
    ------
    ModelError
        If there is no such model.
    """
    return _row(name, device, catalog.entry(name))


def _row(name: str, device: str, entry: Entry | None) -> Row:
    # The embedded engine and others have a device of their own.
    where = "auto" if entry is not None and not entry.source else device
    plain = catalog.resolve(entry.name if entry is not None else name, device=where)
    specs = [spec for _, spec in estimating.variants(plain.source or plain.name, where)]
    variants: dict[tuple[str, str], Row] = {}
    for spec in specs:
        variants.setdefault((spec.precision, spec.dtype), _variant(spec))
    usual = (plain.precision, plain.dtype)
    found: Row = {
        "name": plain.name,
        "source": plain.source,
        "engine": plain.engine,
        "device": plain.device,
        "kind": "aligner" if plain.engine == "aligner" else "recogniser",
        "here": is_here(plain),
        "runs": plain.engine != "funasr" or importlib.util.find_spec("funasr") is not None,
        "max_seconds": plain.max_seconds,
        "variants": list(variants.values()),
        "usual": list(variants).index(usual) if usual in variants else 0,
        "known": entry is not None,
    }
    if entry is not None:
        found |= {
            "about": entry.about,
            "languages": entry.languages,
            "parameters": entry.parameters,
            "licence": entry.licence,
            "download": entry.download_bytes,
            "word_times": entry.word_times,
            "hotwords": entry.hotwords,
            "punctuation": entry.punctuation,
            "translates": entry.translates,
        }
    return found


def _variant(spec: EngineSpec) -> Row:
    """Return one way to load a model, and what it takes."""
    speed = estimating.speed(spec)
    stored = spec.quantization if spec.engine != "sphinx" else None
    return {
        "precision": spec.precision,
        "dtype": spec.dtype,
        "quantization": stored.method if stored is not None else "",
        "needed": _needs.needed_bytes(spec),
        "weights": weights.weights_bytes(spec) or sum(_needs.weights(spec).values()) or None,
        "speed": list(speed) if speed is not None else None,
    }


def is_here(spec: EngineSpec) -> bool:
    """Tell whether a model can be loaded without fetching anything."""
    from nbasr.engines.checkpoint import snapshot

    if not spec.source or Path(spec.source).is_dir():
        return True
    return any(one.spec.source == spec.source for one in manager.resident()) or (
        snapshot(spec.source) is not None
    )


def spec_of(name: str, dtype: str, quantization: str, device: str) -> EngineSpec:
    """Return the spec that a choice in the panel means; ``""`` leaves a thing open."""
    spec = catalog.resolve(name)
    if spec.engine in ("sphinx", "funasr"):
        return catalog.resolve(name, device="auto" if spec.engine == "sphinx" else device)
    if spec.quantization is not None:  # a folder that was saved in it
        return catalog.resolve(name, dtype or "auto", device)
    return catalog.resolve(name, dtype or "auto", device, quantization or None)


def estimate(spec: EngineSpec) -> Row:
    """Return what a model will take of its device, part by part."""
    found: MemoryEstimate = estimating.estimate(spec)
    return {
        **{
            name: getattr(found, name)
            for name in (
                "name",
                "precision",
                "device",
                "chunk_seconds",
                "batch_size",
                "activations_bytes",
                "cache_bytes",
                "context_bytes",
                "slack_bytes",
                "room_bytes",
                "largest_batch",
                "ratio",
                "total_bytes",
                "weights_bytes",
                "fits",
            )
        },
        "weights": dict(found.weights),
    }


def key(spec: EngineSpec) -> str:
    """Return what tells a loaded model from others."""
    bits = repr(spec.quantization) if spec.quantization is not None else ""
    parts = (spec.engine, spec.source or spec.name, spec.dtype, spec.device, bits, spec.offload)
    return "|".join(str(part) for part in parts)


def loaded_rows(
    models: tuple[Model, ...], weighed: dict[str, dict[str, int]] | None = None
) -> list[Row]:
    """Return what is loaded, the last used first; what went meanwhile is left out.

    Parameters
    ----------
    models
        The models.
    weighed
        The bytes of their parts by `key`, as far as they were asked for before: to weigh a model of
        thousands of tensors each second would take longer than all else. It is brought up to date.
    """
    known = weighed if weighed is not None else {}
    for gone in known.keys() - {key(model.spec) for model in models}:
        known.pop(gone, None)
    found = []
    for model in models:
        try:
            minutes = model.keep_alive
        except ModelError:
            continue
        spec = model.spec
        left = model.minutes_left
        parts = known.setdefault(key(spec), {}) or model.parts
        known[key(spec)] = parts
        found.append(
            {
                "key": key(spec),
                "name": spec.name,
                "source": spec.source,
                "engine": spec.engine,
                "precision": spec.precision,
                "dtype": spec.dtype,
                "device": spec.device,
                "offload": spec.offload,
                "parts": parts,
                "bytes": sum(parts.values()),
                "keep_alive": minutes,
                "pinned": model.is_pinned,
                "at_work": model.is_at_work,
                "left": None if left is None else round(left, 1 if left < 1 else 0),
            }
        )
    return found


def named(wanted: str) -> Model:
    """Return the loaded model of a key.

    Raises
    ------
    ModelError
        If it is not loaded any more.
    """
    for model in manager.resident():
        if key(model.spec) == wanted:
            return model
    name = wanted.split("|")[1] if "|" in wanted else wanted
    raise ModelError(f"{Path(name).name} is not loaded any more.")
