"""Full-size checkpoints with random weights, made offline: for memory and speed, not for text.

Memory and speed do not depend on what the weights are, so these stand in for checkpoints of
gigabytes that a machine without a network cannot fetch. Tokenizer and processor are those of the
small checkpoints of the tests; the configuration is the catalogue's.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))

ASSETS = ROOT / "tests" / "assets"
BORROWED = {"whisper": "whisper-tiny-meeting", "qwen3_asr": "qwen3-asr-tiny-meeting"}
"""Whose tokenizer and processor each family borrows."""

SCALE = 0.02
"""Standard deviation of the weights: that of transformers' own initialisation."""


def make(source: str, folder: Path, layers: int | None = None) -> Path:
    """Write the checkpoint of a catalogue model (by its hub id) into a folder, in bf16.

    A folder that is there already is taken as it is. With ``layers``, encoder and decoder have so
    many layers each, of full width.
    """
    if (folder / "model.safetensors").is_file():
        return folder
    from make_inventory import configurations

    config = configurations()[source]
    building = folder.with_name(folder.name + ".part")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    if config["model_type"] == "fun_asr_nano":
        sys.path.insert(0, str(ROOT / "tests"))
        from tiny_audio_llm import fun_asr_nano

        fun_asr_nano(building)
        (building / "model.safetensors").unlink()
        _write_config(config, building, building, layers)
    else:
        _borrow(config, building, layers)
    _weights(building)
    building.rename(folder)
    return folder


def _borrow(config: dict[str, Any], folder: Path, layers: int | None) -> None:
    """Copy a small checkpoint without its weights, and write the configuration for these sizes."""
    small = ASSETS / BORROWED[config["model_type"]]
    shutil.copytree(
        small, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.safetensors")
    )
    said = _write_config(config, small, folder, layers)
    if said["model_type"] != "whisper":
        return
    place = folder / "preprocessor_config.json"
    if not place.is_file():
        place = folder / "processor_config.json"
    settings = json.loads(place.read_text(encoding="utf-8"))
    settings.get("feature_extractor", settings)["feature_size"] = config["num_mel_bins"]
    place.write_text(json.dumps(settings), encoding="utf-8")
    generation = json.loads((folder / "generation_config.json").read_text(encoding="utf-8"))
    generation.pop("alignment_heads", None)
    (folder / "generation_config.json").write_text(json.dumps(generation), encoding="utf-8")


def _write_config(
    config: dict[str, Any], small: Path, folder: Path, layers: int | None
) -> dict[str, Any]:
    """Write the configuration for these sizes with the small one's tokens; return the small one."""
    from transformers import AutoConfig

    said = json.loads((small / "config.json").read_text(encoding="utf-8"))
    tokens = {key: value for key, value in said.items() if key.endswith("_token_id")}
    full = AutoConfig.for_model(**{**config, **tokens, "dtype": "bfloat16"})
    full.architectures = said["architectures"]
    if layers is not None:
        _cut_down(full, layers)
    full.save_pretrained(folder)
    return said


def _cut_down(config: Any, layers: int) -> None:
    """Leave a configuration some layers of its encoder and its decoder, of the same width."""
    for part in (
        config,
        *(getattr(config, name, None) for name in ("text_config", "audio_config")),
    ):
        for name in ("encoder_layers", "decoder_layers", "num_hidden_layers"):
            if part is not None and name in part.to_dict():
                setattr(part, name, layers)
        if getattr(part, "layer_types", None):
            part.layer_types = part.layer_types[:layers]


def _weights(folder: Path) -> None:
    """Write random weights for the configuration in a folder, a tensor at a time."""
    import torch
    from safetensors.torch import save_file
    from transformers import AutoConfig, AutoModelForSpeechSeq2Seq

    config = AutoConfig.from_pretrained(folder)
    with torch.device("meta"):
        model = AutoModelForSpeechSeq2Seq.from_config(config)
    random = torch.Generator().manual_seed(0)
    tied = set(model.all_tied_weights_keys)
    tensors = {}
    for name, parameter in model.named_parameters():
        if name in tied:
            continue
        if "norm" in name or parameter.ndim < 2:
            value = 1.0 if "norm" in name and name.endswith("weight") else 0.0
            tensors[name] = torch.full(parameter.shape, value, dtype=torch.bfloat16)
        else:
            # A block repeated is as random as memory and speed need, at a tenth of the time.
            block = torch.randn(min(parameter.numel(), 1 << 20), generator=random) * SCALE
            times = -(-parameter.numel() // len(block))
            flat = block.to(torch.bfloat16).repeat(times)[: parameter.numel()]
            tensors[name] = flat.reshape(parameter.shape).contiguous()
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
