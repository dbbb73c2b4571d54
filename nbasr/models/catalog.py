"""Names become specs: those of the catalogue, hub ids and local folders."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from nbasr._files import expanded
from nbasr.engines._funasr_files import kind_of
from nbasr.engines.base import EngineSpec
from nbasr.engines.checkpoint import engine_of, is_hub_id, must_be_loadable, snapshot, window_of
from nbasr.engines.quantization import Quantization
from nbasr.errors import ModelError, OptionError, did_you_mean
from nbasr.models._entries import BYTES, ENTRIES, Entry
from nbasr.models.weights import weights_bytes

__all__ = [
    "BYTES",
    "GPU_BATCH",
    "Entry",
    "checked_device",
    "entries",
    "entry",
    "gives_word_times",
    "resolve",
    "settled",
    "weights_bytes",
]

GPU_BATCH = 8
"""Chunks that a GPU takes at once. A CPU takes one: eight at once take it as long as one by one
(measured on the small checkpoint), and show nothing meanwhile."""

_GUESSES = (
    ("forcedaligner", "aligner"),
    ("qwen3-asr", "audio_llm"),
    ("fun-asr", "audio_llm"),
    ("glm-asr", "audio_llm"),
    ("paraformer", "funasr"),
    ("sensevoice", "funasr"),
)
"""What a hub id that is not on this machine yet is taken for, by a part of it; else a Whisper."""


def entries() -> tuple[Entry, ...]:
    """Return every model of the catalogue, the weakest first, aligners last."""
    return ENTRIES


def entry(name: str) -> Entry | None:
    """Return the entry with this name or hub id, in any case; None if there is none.

    The second half of a hub id will do, with or without the ``-hf`` at its end.
    """
    word = name.strip().lower()
    if not word:
        return None
    for known in ENTRIES:
        source = known.source.lower()
        short = source.split("/")[-1]
        if word in (known.name, source, short, short.removesuffix("-hf")):
            return known
    return None


def resolve(
    name: str,
    dtype: str = "auto",
    device: str = "auto",
    quantization: str | Quantization | None = None,
    offload: bool = False,
) -> EngineSpec:
    """Turn a model's name into the spec of an engine.

    Nothing is loaded or fetched. What a hub id that is not on this machine holds is guessed from
    its name until it is there (see `settled`).

    Parameters
    ----------
    name
        Catalogue name, local folder, or hub id (``owner/model``).
    dtype
        ``"auto"``: on CUDA bf16 where the device computes in it, else fp16; float32 elsewhere, but
        bf16 for 4 bits on a CPU that has instructions for it.
    device
        ``"auto"``: CUDA if there is one, else MPS, else CPU.
    quantization
        ``"int8"``, ``"nf4"``, ``"fp4"`` or a `Quantization`; None and ``"none"`` for none. A folder
        that was saved quantised has its own.
    offload
        Whether layers that do not fit the GPU stay in main memory; without a GPU all do anyway.

    Raises
    ------
    ModelError
        If there is no such model, it is of a family that nbasr does not run, there is no such
        device, or the model does not compute in this number format or on this device.
    OptionError
        If there is no such quantisation, or the folder was saved in another one.
    """
    if not name.strip():
        raise ModelError(_unknown(name))
    wish = Quantization.of(quantization)
    spec = _named(name)
    if spec.engine == "sphinx":
        if device not in ("auto", "cpu"):
            checked_device(device)
        if dtype not in ("auto", "float32") or device not in ("auto", "cpu") or wish:
            raise ModelError(
                "sphinx computes only in float32 and on the CPU; leave dtype, device and "
                "quantization as they are, or name another model, such as whisper-small."
            )
        return spec
    if dtype not in ("auto", *BYTES):
        raise ModelError(f"dtype is auto, {', '.join(BYTES)}, not {dtype!r}.")
    device = checked_device(device)
    if spec.engine == "funasr":
        dtype = _funasr_dtype(spec, dtype, device, wish)
    elif wish is not None:
        spec = dataclasses.replace(spec, quantization=_agreed(spec, wish))
    return dataclasses.replace(
        spec,
        dtype=_best_dtype(device, spec.quantization) if dtype == "auto" else dtype,
        device=device,
        batch_size=1 if device == "cpu" else GPU_BATCH,
        offload=offload and device == "cuda" and spec.engine != "funasr",
    )


def settled(spec: EngineSpec, folder: Path) -> EngineSpec:
    """Return a spec with what only the model's folder tells: engine, safe length, quantisation.

    Parameters
    ----------
    spec
        From `resolve`, before its model was fetched.
    folder
        Where the model is.

    Raises
    ------
    ModelError
        If there is no model in it, or one of a family that nbasr does not run.
    OptionError
        If it was saved in another quantisation than the spec's.
    """
    found = _spec_of(folder, spec.source, spec.name)
    quantization = found.quantization
    if spec.quantization is not None:
        quantization = _agreed(found, spec.quantization)
    known = entry(spec.source)
    limit = spec.max_seconds if known is not None else found.max_seconds
    return dataclasses.replace(
        spec,
        engine=found.engine,
        max_seconds=min(limit, found.max_seconds),
        quantization=quantization,
    )


def gives_word_times(spec: EngineSpec) -> bool:
    """Tell whether a model gives the times of words itself, so that no aligner is needed.

    Of FunASR's models a Paraformer does and SenseVoice does not; until the model is here, the
    catalogue tells which it is.
    """
    if spec.engine != "funasr":
        return spec.engine in ("sphinx", "whisper", "aligner")
    folder = Path(spec.source)
    here = folder if folder.is_dir() else snapshot(spec.source)
    if here is not None:
        return kind_of(here) != "sensevoice"
    known = entry(spec.source)
    return known is not None and known.word_times


def _named(name: str) -> EngineSpec:
    """Return the spec that a name alone gives; what is left of it is to be decided."""
    known = entry(name)
    if known is not None:
        return EngineSpec(known.engine, known.source, known.name, max_seconds=known.max_seconds)
    folder = Path(expanded(name))
    if folder.is_dir():
        return _spec_of(folder, str(folder.resolve()), folder.resolve().name)
    if not is_hub_id(name.strip()):
        raise ModelError(_unknown(name))
    name = name.strip()
    must_be_loadable(name)
    at, short = snapshot(name), name.split("/")[1]
    if at is not None:
        return _spec_of(at, name, short)
    engine = next((e for part, e in _GUESSES if part in short.lower()), "whisper")
    return EngineSpec(engine, name, short)


def _spec_of(folder: Path, source: str, name: str) -> EngineSpec:
    engine = engine_of(folder)
    stored = None if engine == "funasr" else Quantization.stored(folder)
    return EngineSpec(engine, source, name, max_seconds=window_of(folder), quantization=stored)


def _agreed(spec: EngineSpec, wish: Quantization) -> Quantization:
    """Return the quantisation of a model that may have been saved with one."""
    stored = spec.quantization
    if stored is None or wish == stored:
        return wish
    if wish == Quantization(stored.method):  # only the method was named
        return stored
    raise OptionError(
        f"{spec.name} was saved in {stored.method} and is loaded as it is; leave quantization out, "
        f"or name the model from which it was made for {wish.method} with other settings."
    )


def _funasr_dtype(
    spec: EngineSpec, dtype: str, device: str, quantization: Quantization | None
) -> str:
    """Return the format in which FunASR runs: it has half precision on CUDA alone, as fp16."""
    half = "fp16" if device == "cuda" else "float32"
    if quantization is not None or dtype not in ("auto", "float32", half):
        raise ModelError(
            f"{spec.name} runs in float32, and on CUDA in fp16; leave dtype and quantization as "
            "they are."
        )
    return half if dtype == "auto" else dtype


def _best_dtype(device: str, quantization: Quantization | None) -> str:
    if device == "cuda":
        import torch

        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    if device == "cpu" and quantization is not None and quantization.method != "int8":
        return "bf16" if _has_bf16() else "float32"
    return "float32"


def _has_bf16() -> bool:
    """Tell whether this CPU has the bf16 instructions by which 4-bit weights are multiplied."""
    import torch

    known: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()  # not in older ones
    return bool(known.get("avx512_bf16"))


def _unknown(name: str) -> str:
    if any(mark in name for mark in "/\\~") or name.startswith("."):
        return f"There is no folder {name!r}; give the folder of a model, or a hub id."
    names = [e.name for e in ENTRIES]
    hint = did_you_mean(name, names)
    if not hint:  # "large-v3", "turbo", "qwen"
        inside = [n for n in names if name.strip() and name.strip().lower() in n]
        hint = f" Did you mean {inside[-1]!r}?" if inside else ""
    known = "%asr models lists them" if hint else f"Known: {', '.join(names)}"
    return (
        f"There is no model {name!r}.{hint} {known}; a local "
        "folder (./my-whisper) and a hub id (owner/model) work too."
    )


def checked_device(device: str) -> str:
    """Return the device to use: for ``"auto"`` the best one.

    Raises
    ------
    ModelError
        If a named one is not on this machine.
    """
    if device == "cpu":
        return device
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        return next((name for name, is_there in there.items() if is_there), "cpu")
    if device not in there:
        raise ModelError(f"device is auto, cpu, cuda or mps, not {device!r}.")
    if not there[device]:
        raise ModelError(f"There is no {device} device on this machine; leave device at auto.")
    return device
