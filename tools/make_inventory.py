"""Count what the models of the catalogue consist of, and write ``nbasr/models/inventory.json``.

    python tools/make_inventory.py

The numbers below are those of each model's ``config.json``; transformers builds the model from them
on torch's meta device, which holds shapes and no weights, and FunASR's own classes do so for its
models. Run it again when a model is added; ``tests/test_weights.py`` recounts some.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from nbasr.models import _meta

PLACE = Path(__file__).parent.parent / "nbasr" / "models" / "inventory.json"

# Width, layers and heads (openai-whisper, README and model.py).
WHISPER = {
    "tiny": (384, 4, 6),
    "base": (512, 6, 8),
    "small": (768, 12, 12),
    "medium": (1024, 24, 16),
    "large-v2": (1280, 32, 20),
    "large-v3": (1280, 32, 20),
    "large-v3-turbo": (1280, 32, 20),
}

QWEN_0_6B = {
    "model_type": "qwen3",
    "hidden_size": 1024,
    "intermediate_size": 3072,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "max_position_embeddings": 65536,
    "tie_word_embeddings": True,
}
"""The language model of Qwen3-ASR-0.6B and of the aligner: Qwen3-0.6B."""


def whisper(size: str) -> dict[str, Any]:
    """Return the configuration of a Whisper."""
    width, layers, heads = WHISPER[size.removesuffix(".en")]
    newest = size.startswith("large-v3")
    return {
        "model_type": "whisper",
        "d_model": width,
        "encoder_layers": layers,
        "decoder_layers": 4 if size.endswith("turbo") else layers,
        "encoder_attention_heads": heads,
        "decoder_attention_heads": heads,
        "encoder_ffn_dim": 4 * width,
        "decoder_ffn_dim": 4 * width,
        "num_mel_bins": 128 if newest else 80,
        "vocab_size": 51_866 if newest else 51_864 if size.endswith(".en") else 51_865,
    }


def configurations() -> dict[str, dict[str, Any]]:
    """Return the configuration of each model that transformers builds, by hub id."""
    sizes = [*WHISPER, *(f"{size}.en" for size in ("tiny", "base", "small", "medium"))]
    found = {f"openai/whisper-{size}": whisper(size) for size in sizes}
    found["Qwen/Qwen3-ASR-1.7B-hf"] = {
        "model_type": "qwen3_asr",
        "audio_config": {"model_type": "qwen3_asr_encoder", "output_dim": 2048},
    }
    found["Qwen/Qwen3-ASR-0.6B-hf"] = {
        "model_type": "qwen3_asr",
        "audio_config": {
            "model_type": "qwen3_asr_encoder",
            "d_model": 896,
            "encoder_layers": 18,
            "encoder_attention_heads": 14,
            "encoder_ffn_dim": 3584,
            "output_dim": 1024,
        },
        "text_config": QWEN_0_6B,
    }
    found["Qwen/Qwen3-ForcedAligner-0.6B-hf"] = {
        "model_type": "qwen3_asr",
        "architectures": ["Qwen3ASRForTokenClassification"],
        "num_labels": 5000,
        "audio_config": {"model_type": "qwen3_asr_encoder", "output_dim": 1024},
        "text_config": {**QWEN_0_6B, "vocab_size": 152_064},
    }
    found["FunAudioLLM/Fun-ASR-Nano-2512-hf"] = {"model_type": "fun_asr_nano"}
    return found


ENCODER = {
    "output_size": 512,
    "attention_heads": 4,
    "linear_units": 2048,
    "num_blocks": 50,
    "kernel_size": 11,
    "normalize_before": True,
}
"""The SAN-M encoder of Paraformer-large and SenseVoiceSmall."""

FUNASR = {
    "funasr/paraformer-zh": {
        "model": "Paraformer",
        "encoder": "SANMEncoder",
        "encoder_conf": {
            **ENCODER,
            "input_layer": "pe",
            "pos_enc_class": "SinusoidalPositionEncoder",
            "selfattention_layer_type": "sanm",
        },
        "decoder": "ParaformerSANMDecoder",
        "decoder_conf": {
            "attention_heads": 4,
            "linear_units": 2048,
            "num_blocks": 16,
            "att_layer_num": 16,
            "kernel_size": 11,
        },
        "predictor": "CifPredictorV2",
        "predictor_conf": {"idim": 512, "threshold": 1.0, "l_order": 1, "r_order": 1},
        "ctc_weight": 0.0,
        "vocab_size": 8404,
    },
    "FunAudioLLM/SenseVoiceSmall": {
        "model": "SenseVoiceSmall",
        "encoder": "SenseVoiceEncoderSmall",
        "encoder_conf": {**ENCODER, "tp_blocks": 20},
        "vocab_size": 25_055,
    },
}
"""What ``config.yaml`` says of FunASR's models, as far as it decides on shapes."""


def funasr(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the record of one of FunASR's models."""
    import funasr.models.paraformer.cif_predictor
    import funasr.models.paraformer.decoder
    import funasr.models.paraformer.model
    import funasr.models.sanm.encoder
    import funasr.models.sense_voice.model  # noqa: F401  # each registers its classes
    import torch
    from funasr.register import tables

    given = {key: value for key, value in settings.items() if key != "model"}
    with torch.device("meta"):
        model = tables.model_classes[settings["model"]](input_size=560, **given)
    return {
        "family": settings["model"],
        "facts": _meta.funasr_facts(settings),
        "parts": _meta.parts_of(model),
    }


def main() -> int:
    """Write the file."""
    records = {source: _meta.record(config) for source, config in configurations().items()}
    records |= {source: funasr(settings) for source, settings in FUNASR.items()}
    lines = [f"{json.dumps(source)}: {json.dumps(one)}" for source, one in records.items()]
    PLACE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    for source, one in records.items():
        total = sum(part["parameters"] for part in one["parts"])
        sys.stdout.write(f"{source:40} {total / 1e6:10,.2f} M\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
