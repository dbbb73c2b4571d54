"""What a model consists of, counted on torch's meta device, which holds shapes and no numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbasr.engines._transformers import transformers
from nbasr.engines.checkpoint import engine_of, read_config
from nbasr.errors import ModelError
from nbasr.memory.modules import part_of, place_of

if TYPE_CHECKING:
    from nbasr.models.weights import Inventory

TOKENS_PER_SECOND = {"qwen3_asr": 13.0, "fun_asr_nano": 1 / 0.06, "glmasr": 12.5}
"""What a second of sound becomes in the decoder: 8 times fewer than the 100 mel frames, in pieces
of one second, rounded up; frames stacked by 6; Whisper's 50 frames merged by 4."""

FRAMES_PER_SECOND = {"whisper": 50.0, "qwen3_asr": 13.0, "fun_asr_nano": 1 / 0.06, "glmasr": 50.0}
"""Positions of the encoder for a second of sound."""

POSITION_SECONDS = 0.02
"""Seconds of one of Whisper's positions, of which it always computes all."""

STACKED_FRAMES_PER_SECOND = 1 / 0.06
"""Positions of the encoder of FunASR's models: six hops of 10 ms each (``lfr_n: 6``)."""


def inventory_of(folder: Path) -> Inventory:
    """Return what the model in a folder consists of, from its configuration alone.

    Raises
    ------
    ModelError
        If the configuration cannot be read, or is none of this version of transformers.
    """
    if engine_of(folder) == "funasr":
        return _of_funasr(folder)
    return _counted(json.dumps(read_config(folder), sort_keys=True), str(folder))


@lru_cache(maxsize=32)
def _counted(config: str, folder: str) -> Inventory:
    """Count by the configuration's text, so that a folder that was changed is counted anew."""
    from nbasr.models.weights import Inventory

    try:
        return Inventory.of(record(json.loads(config)))
    except Exception as error:  # transformers' own checks, of many kinds
        reason = (str(error).strip() or repr(error)).splitlines()[0]
        raise ModelError(
            f"The config.json in {folder} describes no model that this transformers can build "
            f"({reason[:200]}); fetch the model again."
        ) from error


def record(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record of a configuration, in the form that is stored with the package.

    Parameters
    ----------
    config
        Content of a ``config.json``.
    """
    model = _on_meta(config)
    family = config["model_type"]
    return {"family": family, "facts": facts_of(family, model.config), "parts": parts_of(model)}


def parts_of(model: Any) -> list[dict[str, Any]]:
    """Return the records of a torch module's parts; on the meta device is enough."""
    parts: dict[str, dict[str, Any]] = {}
    linear: dict[tuple[str, str, int, int], list[int]] = {}
    seen: set[int] = set()
    for name, module in model.named_modules():
        part = part_of(f"{name}.")
        empty = {"name": part, "parameters": 0, "buffers_bytes": 0, "linear": []}
        for which, weight in module.named_parameters(recurse=False):
            if id(weight) in seen:  # tied to one that was counted
                continue
            seen.add(id(weight))
            parts.setdefault(part, empty)["parameters"] += weight.numel()
            if type(module).__name__ == "Linear" and which == "weight":
                pattern, number = _pattern(name)
                linear.setdefault((part, pattern, *weight.shape), []).append(number)
        for _, table in module.named_buffers(recurse=False):
            size = table.numel() * table.element_size()
            parts.setdefault(part, empty)["buffers_bytes"] += size
    for (part, pattern, outputs, inputs), numbers in linear.items():
        for start, stop in _runs(numbers):
            parts[part]["linear"].append([pattern, outputs, inputs, start, stop])
    order = sorted(parts, key=place_of)
    return [parts[name] for name in order]


def _pattern(name: str) -> tuple[str, int]:
    """Split a module's name at the number of its layer: the name with ``{}``, and the number."""
    found = re.search(r"\.(\d+)(?=\.|$)", name)
    if found is None:
        return name, 0
    return f"{name[: found.start(1)]}{{}}{name[found.end(1) :]}", int(found[1])


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    """Return the stretches of numbers that follow each other, as (first, after the last)."""
    runs: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if runs and runs[-1][1] == number:
            runs[-1] = (runs[-1][0], number + 1)
        else:
            runs.append((number, number + 1))
    return runs


def _on_meta(config: Mapping[str, Any]) -> Any:
    """Build a model of a configuration without any memory for its weights."""
    import torch

    library = transformers()
    settings = {key: value for key, value in config.items() if key != "quantization_config"}
    built = library.AutoConfig.for_model(**settings)
    names = settings.get("architectures") or [""]
    kind = "MultimodalLM"
    if config["model_type"] == "whisper":
        kind = "SpeechSeq2Seq"
    elif names[0].endswith("ForTokenClassification"):
        kind = "TokenClassification"
    auto = getattr(library, f"AutoModelFor{kind}")
    with torch.device("meta"):
        return auto.from_config(built, trust_remote_code=False)


def facts_of(family: str, config: Any) -> dict[str, float]:
    """Return the numbers of an architecture that `nbasr.models.weights.facts` describes."""
    whisper = family == "whisper"
    text = config if whisper else config.text_config
    audio = config if whisper else config.audio_config
    width = config.d_model if whisper else text.hidden_size
    heads = config.decoder_attention_heads if whisper else text.num_attention_heads
    convolved = family == "qwen3_asr"
    return {
        "kv_layers": config.decoder_layers if whisper else text.num_hidden_layers,
        "kv_heads": heads if whisper else text.num_key_value_heads,
        "head_dim": getattr(text, "head_dim", None) or width // heads,
        "cross_layers": config.decoder_layers if whisper else 0,
        "cross_tokens": config.max_source_positions if whisper else 0,
        "tokens_per_second": TOKENS_PER_SECOND.get(family, 0.0),
        "decoder_width": width,
        "decoder_inner": config.decoder_ffn_dim if whisper else text.intermediate_size,
        "decoder_heads": heads,
        "encoder_layers": config.encoder_layers if whisper else audio.num_hidden_layers,
        "encoder_width": config.d_model if whisper else audio.hidden_size,
        "encoder_inner": config.encoder_ffn_dim if whisper else audio.intermediate_size,
        "encoder_heads": config.encoder_attention_heads if whisper else audio.num_attention_heads,
        "encoder_frames_per_second": FRAMES_PER_SECOND.get(family, 0.0),
        "window_seconds": POSITION_SECONDS * config.max_source_positions if whisper else 0.0,
        "mel_bins": audio.num_mel_bins,
        "downsample_hidden": audio.downsample_hidden_size if convolved else 0,
        "vocabulary": text.vocab_size,
        "max_positions": config.max_target_positions if whisper else text.max_position_embeddings,
    }


def _of_funasr(folder: Path) -> Inventory:
    """Return what is known of one of FunASR's models without FunASR: its size, and its settings."""
    import yaml  # type: ignore[import-untyped]

    from nbasr.models.weights import Inventory, Part

    path = folder / "config.yaml"
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
        family = str(settings["model"])
        found = funasr_facts(settings)
        size = (folder / "model.pt").stat().st_size
    except (OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError) as error:
        raise ModelError(f"{path} cannot be read ({error!r}); fetch the model again.") from None
    return Inventory(family, (Part("model", size // 4),), found)  # float32, and little else


def funasr_facts(settings: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of `nbasr.models.weights.facts` from a ``config.yaml`` of FunASR."""
    encoder, decoder = settings["encoder_conf"], settings.get("decoder_conf") or {}
    frontend = settings.get("frontend_conf") or {}
    width = encoder["output_size"]
    return {
        "kv_layers": 0,
        "kv_heads": 0,
        "head_dim": 0,
        "cross_layers": decoder.get("num_blocks", 0),
        "cross_tokens": 0,
        "tokens_per_second": 0.0,
        "decoder_width": width if decoder else 0,
        "decoder_inner": decoder.get("linear_units", 0),
        "decoder_heads": decoder.get("attention_heads", 0),
        "encoder_layers": encoder["num_blocks"] + encoder.get("tp_blocks", 0),
        "encoder_width": width,
        "encoder_inner": encoder["linear_units"],
        "encoder_heads": encoder["attention_heads"],
        "encoder_frames_per_second": STACKED_FRAMES_PER_SECOND,
        "window_seconds": 0.0,
        "mel_bins": frontend.get("n_mels", 80),
        "downsample_hidden": 0,
        "vocabulary": settings.get("vocab_size", 0),
        "max_positions": 0,
    }
