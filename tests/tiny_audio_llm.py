"""Small audio language models with random weights, made by the families' own classes, offline.

They hear nothing; they show that folders of these families load, are asked and answer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import (
    FunAsrNanoConfig,
    FunAsrNanoForConditionalGeneration,
    FunAsrNanoProcessor,
    GlmAsrConfig,
    GlmAsrForConditionalGeneration,
    GlmAsrProcessor,
    Qwen2Tokenizer,
    WhisperFeatureExtractor,
)
from transformers.convert_slow_tokenizer import bytes_to_unicode

from nbasr.engines._audio_fbank import feature_extractor
from nbasr.engines._quiet import quiet

TURNS = """\
{%- for message in messages -%}
<|im_start|>{{ message.role }}
{% for part in message.content -%}
{%- if part.type == 'audio' -%}AUDIO
{%- elif part.type == 'keywords' -%}[{{ part.keywords | join(', ') }}]
{%- elif part.type == 'language' -%}语音转写成{{ part.language }}
{%- else -%}{{ part.text }}{%- endif -%}
{%- endfor -%}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt -%}<|im_start|>assistant
{% endif -%}
"""
"""A chat template with what the families' own know: sound, text, keywords, language."""


def tokenizer(*tokens: str) -> Any:
    """Return a tokenizer of single bytes, with tokens of the model's own behind them."""
    vocabulary = {sign: n for n, sign in enumerate(bytes_to_unicode().values())}
    made = Qwen2Tokenizer(vocab=vocabulary, merges=[], pad_token="<|endoftext|>")
    made.add_special_tokens(
        {
            "eos_token": "<|im_end|>",
            "extra_special_tokens": ["<|endoftext|>", "<|im_start|>", *tokens],
        }
    )
    return made


def fun_asr_nano(folder: Path, **audio: Any) -> Path:
    """Make a Fun-ASR-Nano model of 0.5 M parameters."""
    words = tokenizer("<|object_ref_start|>")
    config = FunAsrNanoConfig(
        audio_config={
            "model_type": "fun_asr_nano_encoder",
            "hidden_size": 64,
            "num_attention_heads": 2,
            "intermediate_size": 128,
            "num_hidden_layers": 3,
            "num_timestamp_prediction_layers": 1,
            **audio,
        },
        adaptor_config={
            "hidden_size": 256,
            "num_attention_heads": 4,
            "intermediate_size": 64,
            "num_hidden_layers": 1,
            "projector_hidden_size": 128,
        },
        text_config=_text("qwen3", words, head_dim=64),
        audio_token_id=words.convert_tokens_to_ids("<|object_ref_start|>"),
    )
    processor = FunAsrNanoProcessor(
        feature_extractor(),
        words,
        chat_template=TURNS.replace("AUDIO", "<|object_ref_start|>"),
    )
    return _saved(FunAsrNanoForConditionalGeneration, config, processor, folder)


def glm_asr(folder: Path) -> Path:
    """Make a GLM-ASR model of 0.4 M parameters."""
    words = tokenizer("<|pad|>")
    config = GlmAsrConfig(
        audio_config={
            "model_type": "glmasr_encoder",
            "hidden_size": 64,
            "num_attention_heads": 2,
            "intermediate_size": 256,
            "num_hidden_layers": 1,
            "num_mel_bins": 80,
        },
        text_config=_text("llama", words, eos_token_id=words.eos_token_id),
        audio_token_id=words.convert_tokens_to_ids("<|pad|>"),
    )
    processor = GlmAsrProcessor(
        WhisperFeatureExtractor(feature_size=80),
        words,
        chat_template=TURNS.replace("AUDIO", "<|pad|>"),
    )
    return _saved(GlmAsrForConditionalGeneration, config, processor, folder)


def _text(model_type: str, words: Any, **options: Any) -> dict[str, Any]:
    return {
        "model_type": model_type,
        "vocab_size": len(words),
        "hidden_size": 256,
        "intermediate_size": 128,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
        "tie_word_embeddings": True,
        "pad_token_id": words.pad_token_id,
        **options,
    }


def _saved(kind: Any, config: Any, processor: Any, folder: Path) -> Path:
    """Save a model that writes letters: by chance alone it would write bytes that are no text."""
    torch.manual_seed(3)
    model = kind(config)
    letters = torch.tensor(processor.tokenizer("abcdefghijklmnop").input_ids)
    with torch.no_grad(), quiet():
        model.get_input_embeddings().weight[letters] *= 8.0
        model.save_pretrained(folder)
        processor.save_pretrained(folder)
    return folder
