"""How each family of audio language models wants to be asked, and what its answers look like."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbasr.engines._audio_fbank import fun_asr_processor
from nbasr.engines._audio_tower import in_pieces
from nbasr.engines.base import RATE
from nbasr.engines.languages import NAMES, language_code
from nbasr.errors import OptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Wish:
    """What to ask of a model about one sound.

    Parameters
    ----------
    samples
        Mono sound, float32, shape (samples,), 16 kHz.
    language
        What the family calls the language; None to have it detected.
    prompt
        Text that comes before.
    hotwords
        Words to listen for.
    """

    samples: NDArray[Any]
    language: str | None = None
    prompt: str = ""
    hotwords: tuple[str, ...] = ()


@dataclass(frozen=True)
class Family:
    """What one family needs beyond what they all share.

    Parameters
    ----------
    languages
        What it calls each language it can be told, by code; empty where it cannot be told one.
    ask
        Makes the model's inputs from its processor and a wish: tensors with one row.
    parse
        Takes processor, what was generated, and whether the language was told; returns the text
        and the code of the language that the model names, if it names one.
    limit
        Longest sound in seconds that works at all, from the model's configuration; None: no such.
    context
        Whether it takes a prompt and hotwords.
    processor
        Makes the processor from a folder, where transformers' own way does not do.
    ready
        Sees to the loaded model.
    """

    languages: Mapping[str, str]
    ask: Callable[[Any, Wish], Any]
    parse: Callable[[Any, str, bool], tuple[str, str | None]]
    limit: Callable[[Any], float | None] = field(default=lambda _: None)
    context: bool = True
    processor: Callable[[Path], Any] | None = None
    ready: Callable[[Any], None] = field(default=lambda _: None)


_QWEN_CODES = (
    "ar cs da de el en es fa fi fr hi hu id it ja ko mk ms nl pl pt ro ru sv th tl tr vi yue zh"
)
# 30 languages (transformers, processing_qwen3_asr.py); it calls Tagalog Filipino.

_QWEN_LANGUAGES = {code: NAMES[code].title() for code in _QWEN_CODES.split()} | {"tl": "Filipino"}


def _ask_qwen(processor: Any, wish: Wish) -> Any:
    """Ask for one sound, with silence after it up to a whole second, which is no part of it.

    So transformers does with all sounds of a batch but the longest, whose last second it fills with
    zeros instead of the features of silence. Silence suits the small checkpoint a bit better: its
    word error rate is 0.1 to 0.3 points lower, on average over 16 ways to cut the meeting.
    """
    context = "\n".join(part for part in (wish.prompt, ", ".join(wish.hotwords)) if part)
    seconds = math.ceil(len(wish.samples) / RATE)
    return processor.apply_transcription_request(
        audio=wish.samples,
        language=wish.language,
        prompt=context or None,
        processor_kwargs={"audio_kwargs": {"padding": "max_length", "max_length": seconds * RATE}},
    )


def _parse_qwen(processor: Any, text: str, told: bool) -> tuple[str, str | None]:
    """Read ``language English<asr_text>what was said``; told the language, only the last part."""
    if not told and "<asr_text>" not in text:
        return "", None  # it broke off before it came to what was said
    found = processor.parse_output(text)  # also thins out what is said more than twenty times
    return found["transcription"], _code(found["language"])


def _code(name: str | None) -> str | None:
    """Return the code of a language that a model named; None if there is no such language."""
    try:
        return language_code(name)
    except OptionError:
        return None


def _pieces_of_tower(model: Any) -> None:
    in_pieces(model.model.audio_tower)


_FUN_LANGUAGES = {"zh": "中文", "en": "英文", "ja": "日文"}

_FUN_MLT_LANGUAGES = _FUN_LANGUAGES | {
    "yue": "粤语",
    "ko": "韩文",
    "vi": "越南语",
    "id": "印尼语",
    "th": "泰语",
    "ms": "马来语",
    "tl": "菲律宾语",
    "ar": "阿拉伯语",
    "hi": "印地语",
    "bg": "保加利亚语",
    "hr": "克罗地亚语",
    "cs": "捷克语",
    "da": "丹麦语",
    "nl": "荷兰语",
    "et": "爱沙尼亚语",
    "fi": "芬兰语",
    "el": "希腊语",
    "hu": "匈牙利语",
    "lv": "拉脱维亚语",
    "lt": "立陶宛语",
    "mt": "马耳他语",
    "pl": "波兰语",
    "pt": "葡萄牙语",
    "ro": "罗马尼亚语",
    "sk": "斯洛伐克语",
    "sl": "斯洛文尼亚语",
    "sv": "瑞典语",
}
# As the model card of Fun-ASR-MLT-Nano-2512 lists them, less Irish, for which nbasr has no code.

FUN_FRAME = 0.06
"""Seconds of one of Fun-ASR-Nano's frames: six steps of 10 ms (``stride_lfr``)."""


def _ask_fun(processor: Any, wish: Wish) -> Any:
    """Write the request as its chat template wants it.

    The processor's own ``apply_transcription_request`` makes the same of the three languages that
    it knows, and refuses those of the MLT checkpoint.
    """
    content: list[dict[str, Any]] = [{"type": "audio", "audio": wish.samples}]
    if wish.prompt:
        content.append({"type": "text", "text": wish.prompt})
    if wish.hotwords:
        content.append({"type": "keywords", "keywords": list(wish.hotwords)})
    if wish.language:
        content.append({"type": "language", "language": wish.language})
    return processor.apply_chat_template(
        [[{"role": "user", "content": content}]],
        tokenize=True,
        add_generation_prompt=True,
        return_dict=True,
    )


def _parse_fun(processor: Any, text: str, told: bool) -> tuple[str, str | None]:  # noqa: ARG001
    """Drop the mark for silence, and thoughts, as FunASR itself does."""
    text = re.sub(r"<think>.*?</think>", " ", text, flags=re.DOTALL)
    return _unframed(text.replace("/sil", " ")), None


def _limit_fun(config: Any) -> float:
    """Return the length of its table of positions, which it counts from one (122.88 s)."""
    return float(config.audio_config.max_position_embeddings - 1) * FUN_FRAME


def _ready_fun(model: Any) -> None:
    """Keep its adaptor from attending eagerly, in memory that grows with the square of the length.

    ``attn_implementation`` reaches the adaptor in transformers 5.23 only when it is given by name,
    as nbasr does; this is for the version in which it does not.
    """
    model.model.multi_modal_projector.config._attn_implementation = "sdpa"


def _ask_glm(processor: Any, wish: Wish) -> Any:
    return processor.apply_transcription_request(audio=wish.samples)


def _parse_glm(processor: Any, text: str, told: bool) -> tuple[str, str | None]:  # noqa: ARG001
    return _unframed(text), None


GLM_WINDOW = 30.0
"""Longest sound for GLM-ASR, in seconds: one window of its encoder. For more, processor and model
of transformers 5.23 round the number of audio tokens differently, and may not agree."""

_FRAME = re.compile(
    r"""(?:the\ (?:spoken\ content|transcription)\ of\ the\ audio
         |the\ content\ of\ the\ input\ audio)\ is:?\s*
        (?P<quote>["']?)(?P<said>.*?)(?P=quote)\.?""",
    flags=re.IGNORECASE | re.DOTALL | re.VERBOSE,
)


def _unframed(text: str) -> str:
    """Return a transcription without the sentence that some answers put around it.

    The processors' own ``strip_prefix`` also takes the full stop from text without such a frame.
    """
    text = text.strip()
    found = _FRAME.fullmatch(text)
    return " ".join((found["said"] if found else text).split())


_FUN = Family(
    languages=_FUN_LANGUAGES,
    ask=_ask_fun,
    parse=_parse_fun,
    limit=_limit_fun,
    processor=fun_asr_processor,
    ready=_ready_fun,
)

FAMILIES: Mapping[str, Family] = {
    "qwen3_asr": Family(
        languages=_QWEN_LANGUAGES, ask=_ask_qwen, parse=_parse_qwen, ready=_pieces_of_tower
    ),
    "fun_asr_nano": _FUN,
    "glmasr": Family(
        languages={}, ask=_ask_glm, parse=_parse_glm, limit=lambda _: GLM_WINDOW, context=False
    ),
}
"""The families that this engine runs, by the ``model_type`` of their configuration.

Others of transformers 5.23 with ``apply_transcription_request`` need more: Voxtral another library
for its tokenizer; VibeVoice-ASR, MOSS and Nemotron a reader for the speakers and times in their
text; Canary has an encoder and decoder and must always be told the language; Audio Flamingo 3
answers questions about sound and is no recogniser first of all.
"""


def languages_of(family: str, *names: str) -> Mapping[str, str]:
    """Return what a model calls the languages that it can be told, by code.

    Parameters
    ----------
    family
        One of `FAMILIES`.
    names
        Its names, hub id and folder: Fun-ASR-Nano and its many-language sister MLT differ in
        nothing else.
    """
    if family == "fun_asr_nano" and any("mlt" in name.lower() for name in names):
        return _FUN_MLT_LANGUAGES
    return FAMILIES[family].languages
