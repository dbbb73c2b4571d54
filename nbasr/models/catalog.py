"""The models that have a name here, and what is known of each; names become specs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from nbasr._files import expanded
from nbasr.engines.base import EngineSpec
from nbasr.engines.checkpoint import engine_of, is_hub_id, parameters_of, snapshot, window_of
from nbasr.errors import ModelError, did_you_mean

BYTES = {"float32": 4, "bf16": 2, "fp16": 2}
"""Bytes of one number in each format."""

GPU_BATCH = 8
"""Chunks that a GPU takes at once. A CPU takes one: eight at once take it as long as one by one
(measured on the small checkpoint), and show nothing meanwhile."""


@dataclass(frozen=True)
class Entry:
    """One model of the catalogue.

    Parameters
    ----------
    name
        What it is called here.
    engine
        Which engine runs it.
    source
        Its hub id; ``""`` where it comes with the package.
    languages
        What it understands, in words.
    parameters
        How many weights it has; 0 where that is no measure.
    published
        Number format of its files on the hub.
    licence
        Licence of the weights.
    about
        What to know of it, in one line.
    english_only, translates
        Whether it knows only English; whether it translates into English.
    word_times
        Whether it gives the times of words.
    max_seconds
        Longest chunk in seconds that is safe for it.
    """

    name: str
    engine: str
    source: str
    languages: str
    parameters: int
    published: str
    licence: str
    about: str
    english_only: bool = False
    translates: bool = True
    word_times: bool = True
    max_seconds: float = 30.0

    @property
    def download_bytes(self) -> int:
        """Size of the weights on the hub: parameters times the bytes of the published format."""
        return self.parameters * BYTES[self.published] if self.source else 0

    @property
    def is_here(self) -> bool:
        """Whether its files are on this machine, so that nothing need be fetched."""
        return not self.source or snapshot(self.source) is not None

    def suits(self, language: str | None, task: str) -> bool:
        """Tell whether it can do a task for speech in a language (its code; None: not known)."""
        return (self.translates or task != "translate") and (
            not self.english_only or language in (None, "en")
        )


def _whisper(size: str, parameters: int, published: str, about: str, **more: bool) -> Entry:
    english = size.endswith(".en")
    return Entry(
        name=f"whisper-{size}",
        engine="whisper",
        source=f"openai/whisper-{size}",
        languages="English" if english else "99 languages",
        parameters=parameters,
        published=published,
        licence="MIT",
        about=about,
        english_only=english,
        **{"translates": not english, **more},
    )


# Parameters are counted from the shapes that each configuration gives (transformers 5.23, meta
# device). The published formats are those of each model.safetensors: half precision for large-v3
# and turbo, as their config.json says, single for the others. The licence is openai-whisper's.
_ENTRIES = (
    Entry(
        name="sphinx",
        engine="sphinx",
        source="",
        languages="English",
        parameters=0,
        published="float32",
        licence="BSD-2-Clause",
        about="comes with nbasr and runs anywhere: drafts of clearly read English, nothing more",
        english_only=True,
        translates=False,
        max_seconds=30.0,
    ),
    _whisper("tiny", 37_760_640, "float32", "the smallest Whisper: quick looks on any CPU"),
    _whisper("tiny.en", 37_760_256, "float32", "the smallest Whisper, better at English alone"),
    _whisper("base", 72_593_920, "float32", "small and fast, for clear speech"),
    _whisper("base.en", 72_593_408, "float32", "small and fast, better at English alone"),
    _whisper("small", 241_734_912, "float32", "the largest that is still pleasant on a CPU"),
    _whisper("small.en", 241_734_144, "float32", "pleasant on a CPU, better at English alone"),
    _whisper("medium", 763_857_920, "float32", "good in many languages; wants a GPU"),
    _whisper("medium.en", 763_856_896, "float32", "good in English; wants a GPU"),
    _whisper("large-v2", 1_543_304_960, "float32", "the large Whisper before v3"),
    _whisper(
        "large-v3-turbo",
        808_878_080,
        "fp16",
        "nearly large-v3 at several times its speed; does not translate",
        translates=False,
    ),
    _whisper("large-v3", 1_543_490_560, "fp16", "the most accurate Whisper; wants a GPU"),
)


def entries() -> tuple[Entry, ...]:
    """Return every model of the catalogue, the weakest first."""
    return _ENTRIES


def entry(name: str) -> Entry | None:
    """Return the entry with this name or hub id, in any case; None if there is none."""
    word = name.strip().lower()
    return next((e for e in _ENTRIES if word in (e.name, e.source.lower()) and word), None)


def resolve(name: str, dtype: str = "auto", device: str = "auto") -> EngineSpec:
    """Turn a model's name into the spec of an engine.

    Nothing is loaded or fetched; a hub id that is not on this machine is taken for a Whisper
    checkpoint that hears 30 s at once until its configuration is there.

    Parameters
    ----------
    name
        Catalogue name, local folder, or hub id (``owner/model``).
    dtype
        ``"auto"``: half precision on CUDA, float32 elsewhere.
    device
        ``"auto"``: CUDA if there is one, else MPS, else CPU.

    Raises
    ------
    ModelError
        If there is no such model, it is of a family that nbasr does not run, there is no such
        device, or the model does not compute in this number format or on this device.
    """
    known = entry(name)
    if known is not None and known.engine == "sphinx":
        if device not in ("auto", "cpu"):
            checked_device(device)
        if dtype not in ("auto", "float32") or device not in ("auto", "cpu"):
            raise ModelError(
                "sphinx computes only in float32 and on the CPU; leave dtype and device at auto, "
                "or name another model, such as whisper-small."
            )
        return EngineSpec("sphinx", "", known.name, max_seconds=known.max_seconds)
    folder = Path(expanded(name))
    if not name.strip():
        raise ModelError(_unknown(name))
    if known is not None:
        spec = EngineSpec(known.engine, known.source, known.name, max_seconds=known.max_seconds)
    elif folder.is_dir():
        spec = _spec_of(folder, str(folder.resolve()), folder.resolve().name)
    elif is_hub_id(name):
        at = snapshot(name)
        short = name.split("/")[1]
        spec = _spec_of(at, name, short) if at else EngineSpec("whisper", name, short)
    else:
        raise ModelError(_unknown(name))
    device = checked_device(device)
    if dtype == "auto":
        dtype = "fp16" if device == "cuda" else "float32"
    if dtype not in BYTES:
        raise ModelError(f"dtype is auto, {', '.join(BYTES)}, not {dtype!r}.")
    batch = 1 if device == "cpu" else GPU_BATCH
    return dataclasses.replace(spec, dtype=dtype, device=device, batch_size=batch)


def weights_bytes(spec: EngineSpec) -> int | None:
    """Return how many bytes the weights of a spec take in memory; None where it is not known."""
    known = entry(spec.source) if spec.source else None
    if known is not None:
        return known.parameters * BYTES[spec.dtype]
    folder = Path(spec.source) if spec.source else None
    if folder is not None and not folder.is_dir():
        folder = snapshot(spec.source)
    return parameters_of(folder) * BYTES[spec.dtype] if folder is not None else None


def _spec_of(folder: Path, source: str, name: str) -> EngineSpec:
    return EngineSpec(engine_of(folder), source, name, max_seconds=window_of(folder))


def _unknown(name: str) -> str:
    if any(mark in name for mark in "/\\~") or name.startswith("."):
        return f"There is no folder {name!r}; give the folder of a Whisper checkpoint, or a hub id."
    hint = did_you_mean(name, [e.name for e in _ENTRIES])
    if not hint:  # "large-v3", "turbo"
        inside = [e.name for e in _ENTRIES if name.strip() and name.strip().lower() in e.name]
        hint = f" Did you mean {inside[-1]!r}?" if inside else ""
    return (
        f"There is no model {name!r}.{hint} Known: {', '.join(e.name for e in _ENTRIES)}; a local "
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
