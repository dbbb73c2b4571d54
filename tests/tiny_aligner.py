"""Tiny forced aligners, built offline by the family's own classes; one tells known times."""

from __future__ import annotations

from pathlib import Path
from typing import Any

LABELS = 150
"""Classes: 80 ms each, 12 s in all."""

TEMPLATE = (
    "{%- for message in messages -%}{%- for part in message.content if part.type != 'text' -%}"
    "<|audio_start|><|audio_pad|><|audio_end|>"
    "{%- endfor -%}{%- for part in message.content if part.type == 'text' -%}"
    "{{- part.text + '<timestamp><timestamp>' -}}"
    "{%- endfor -%}{%- endfor -%}"
)
"""Prompt of a forced aligner: the sound, then each word with two places for its times."""

CHAT = "{{- '<|im_start|>user\\n' -}}" + TEMPLATE + "{{- '<|im_end|>\\n' -}}"
"""The same inside a chat, as it must not be."""

SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|audio_start|>",
    "<|audio_end|>",
    "<|audio_pad|>",
    "<asr_text>",
    "<timestamp>",
)


def build(folder: Path, *, template: str = TEMPLATE, scale: float | None = None) -> Path:
    """Write an aligner of random weights into a folder.

    Parameters
    ----------
    folder
        Where to.
    template
        Its chat template.
    scale
        Makes an aligner that counts: at each place its class is the share of ``<timestamp>`` among
        the tokens so far, times this. See `counted`.
    """
    import torch
    from transformers import Qwen3ASRForTokenClassification

    tokenizer = _tokenizer()
    torch.manual_seed(0)
    model = Qwen3ASRForTokenClassification(_config(tokenizer)).eval()
    if scale is not None:
        _rig(model, scale)
    model.save_pretrained(folder)
    _processor(tokenizer, template).save_pretrained(folder)
    return folder


def counted(words: list[str], seconds: int, scale: float) -> list[tuple[int, int]]:
    """Return the classes that the counting aligner gives to words in a sound of whole seconds.

    A character outside ASCII takes as many tokens as it has bytes.
    """
    tokens, slots, found = 2 + 13 * seconds, 0, []
    for word in words:
        pair = []
        tokens += len(word.encode())
        for _ in range(2):
            tokens, slots = tokens + 1, slots + 1
            pair.append(round(scale * slots / tokens))
        found.append((pair[0], pair[1]))
    return found


def _tokenizer() -> Any:
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import Qwen2Tokenizer

    vocabulary = {sign: number for number, sign in enumerate(sorted(ByteLevel.alphabet()))}
    tokenizer = Qwen2Tokenizer(
        vocab=vocabulary,
        merges=[],
        extra_special_tokens={
            "audio_token": "<|audio_pad|>",
            "audio_bos_token": "<|audio_start|>",
            "audio_eos_token": "<|audio_end|>",
        },
    )
    tokenizer.add_special_tokens({"additional_special_tokens": list(SPECIAL)})
    return tokenizer


def _processor(tokenizer: Any, template: str) -> Any:
    from transformers import Qwen3ASRFeatureExtractor, Qwen3ASRProcessor

    return Qwen3ASRProcessor(Qwen3ASRFeatureExtractor(), tokenizer, chat_template=template)


def _config(tokenizer: Any) -> Any:
    from transformers import Qwen3ASRConfig

    audio = {
        "encoder_layers": 1,
        "encoder_attention_heads": 2,
        "encoder_ffn_dim": 64,
        "d_model": 64,
        "output_dim": 64,
        "downsample_hidden_size": 8,
    }
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": 32,
        "max_position_embeddings": 4096,
        "tie_word_embeddings": True,
    }
    ids = {sign: tokenizer.convert_tokens_to_ids(sign) for sign in SPECIAL}
    return Qwen3ASRConfig(
        audio_config=audio,
        text_config=text,
        audio_token_id=ids["<|audio_pad|>"],
        timestamp_token_id=ids["<timestamp>"],
        pad_token_id=ids["<|endoftext|>"],
        eos_token_id=ids["<|im_end|>"],
        num_labels=LABELS,
    )


def _rig(model: Any, scale: float) -> None:
    """Set the weights so that the class at a place is `scale` times the share of timestamps.

    All is zero but: the embedding of ``<timestamp>`` points along axis 0 and of the others along
    axis 2; attention, the same everywhere as its queries are zero, takes the mean of axis 0 to
    axis 1; and the head finds the class nearest to it, as (x - c)² is smallest where 2xc - c² is
    largest.
    """
    import torch

    width = model.config.get_text_config().hidden_size
    strong = 1000.0  # beside which what attention adds does not change the norm
    text = model.model.language_model
    layer = text.layers[0]
    with torch.no_grad():
        for module in (layer.self_attn, layer.mlp, model.model.multi_modal_projector, model.score):
            for name, weight in module.named_parameters():
                if "norm" not in name:
                    weight.zero_()
        text.embed_tokens.weight.zero_()
        text.embed_tokens.weight[:, 2] = strong
        slot = model.config.timestamp_token_id
        text.embed_tokens.weight[slot, 2] = 0
        text.embed_tokens.weight[slot, 0] = strong
        model.model.multi_modal_projector.linear_2.bias[2] = strong
        layer.self_attn.v_proj.weight[0, 0] = 1
        layer.self_attn.o_proj.weight[1, 0] = 1
        # The norm makes width ** 0.5 of axis 0, and share * width / strong of axis 1.
        classes = torch.arange(float(LABELS)) / scale
        sharp = 1e5
        model.score.weight[:, 1] = sharp * 2 * classes * strong / width
        model.score.weight[:, 0] = -sharp * classes**2 / width**0.5
