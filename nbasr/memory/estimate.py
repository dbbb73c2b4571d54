"""What a model's work takes in memory, by arithmetic alone: nothing is loaded or measured here.

The terms were found by following every tensor of the real models through one run (transformers
5.23, full width, two layers, torch's dispatch mode; CPU, bf16). What is largest counts: the phases
of a run follow each other, and each lets go of the one before.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from nbasr.memory.forecast import MemoryEstimate

__all__ = [
    "SANM",
    "SLACK",
    "TOWER_SECONDS",
    "Costs",
    "MemoryEstimate",
    "Phase",
    "activation_bytes",
    "cache_bytes",
    "peak",
]


SLACK = 0.10
"""Share of activations and cache that allocators lose to rounding and gaps."""

TOWER_SECONDS = 32.0
"""Padded seconds of sound that Qwen3-ASR's audio tower takes at once: four of its attention
windows of 8 s. Its first convolution holds 6.144 MB a second in 16-bit numbers, so 197 MB, however
large the batch is."""

TEMPLATE_TOKENS = 24
"""Tokens around the sound in the prompts of language models that hear, without a prompt's text."""

ALIGNER_TOKENS_PER_SECOND = 12.0
"""Tokens of text that an aligner reads for a second of sound: three words, each with two marks for
its times."""

ALIGNER_CLASSES = 5000
"""Outputs of Qwen3-ForcedAligner: steps of 80 ms."""

_CONV_ROWS, _CONV_STEPS = 64, 50
# Qwen3-ASR: what the first convolution leaves of 128 mel bands and of the 100 frames of a second.

_DECODER_INNER, _DECODER_WIDTH = 3.0, 5.5
# Copies of a token's state that the widest moment of a decoder layer holds: gate, value and their
# product; and the layer's input, its norm, what came in, the sound's own states.

_ENCODER_INNER, _ENCODER_WIDTH = 2.0, 4.0
# The same of an encoder layer: the feed-forward before and after its activation.

_CROSS_COPIES = 3.0
# Whisper: the encoder's states themselves, and keys or values of one layer while they are copied
# into the cache.

_LOGIT_COPIES = 4.0
# float32 scores of all tokens of the vocabulary: as they come, processed, normalised, sorted out.

_ADAPTOR_WIDTH = 7.0
# Fun-ASR: states of a frame in the layers between the encoder and the language model.

_SANM_MAPS, _SANM_WIDTH = 4.0, 9.0
# FunASR: maps of attention, frames x frames for each head, that are held at once (it has no fused
# attention), in float32; and copies of a frame's state beside them.


SANM: Mapping[str, float] = MappingProxyType(
    {
        "encoder_width": 512,
        "encoder_inner": 2048,
        "encoder_heads": 4,
        "encoder_frames_per_second": 1 / 0.06,
    }
)
"""The encoder that FunASR's Paraformer-large and SenseVoiceSmall share (their ``config.yaml``)."""


@dataclass(frozen=True)
class Phase:
    """One phase of a run and what it holds at its widest moment, beside the weights.

    Parameters
    ----------
    name
        What is done in it.
    activations_bytes
        What it computes with.
    cache_bytes
        Keys and values of the attention.
    """

    name: str
    activations_bytes: int
    cache_bytes: int

    @property
    def total_bytes(self) -> int:
        """Both together."""
        return self.activations_bytes + self.cache_bytes


@dataclass(frozen=True)
class Costs:
    """What decides how much memory a model's work takes.

    Parameters
    ----------
    family
        ``"whisper"``, ``"qwen3_asr"``, ``"fun_asr_nano"``, ``"aligner"``, ``"funasr"``; others
        count as language models that hear.
    facts
        Numbers of the architecture, as `nbasr.models.weights.facts` describes them.
    dtype_bytes
        Bytes of one number that is computed with.
    method
        Quantisation: ``"int8"``, ``"nf4"``, ``"fp4"``, or ``""``.
    """

    family: str
    facts: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    dtype_bytes: int = 2
    method: str = ""

    def _fact(self, name: str) -> float:
        return float(self.facts.get(name, 0.0))

    def phases(self, seconds: float, batch: int, new_tokens: int) -> tuple[Phase, ...]:
        """Return the phases of one run, in order.

        Parameters
        ----------
        seconds
            Length of the longest sound; the others are padded to it.
        batch
            How many sounds.
        new_tokens
            Tokens that are written for each, at most.
        """
        if not self.facts or batch < 1:
            return ()
        if self.family == "whisper":
            return self._whisper(batch, new_tokens)
        if self.family == "funasr":
            return (self._phase("hearing", self._sanm(seconds, batch)),)
        return self._language_model(seconds, batch, new_tokens)

    def _whisper(self, batch: int, new_tokens: int) -> tuple[Phase, ...]:
        """Return the phases of Whisper: its encoder hears windows of one length, padded."""
        number = self.dtype_bytes
        frames, width = self._fact("cross_tokens"), self._fact("encoder_width")
        tokens = min(new_tokens + 4, self._fact("max_positions"))  # start, language, task, times
        states = number * frames * width
        features = number * 2 * frames * self._fact("mel_bins")
        decoder = _CROSS_COPIES * states + features + self._logits()
        kept = self._cache(tokens) + 2 * self._fact("cross_layers") * states
        return (
            self._phase("hearing", batch * (features + self._encoder_frame() * frames)),
            self._phase("writing", batch * decoder, batch * kept),
        )

    def _language_model(self, seconds: float, batch: int, new_tokens: int) -> tuple[Phase, ...]:
        """Return the phases of a language model that hears, or of an aligner (no tokens)."""
        heard = math.ceil(seconds * self._fact("tokens_per_second"))
        prompt = heard + TEMPLATE_TOKENS
        if self.family == "aligner":
            prompt += math.ceil(seconds * ALIGNER_TOKENS_PER_SECOND)
        states = self.dtype_bytes * self._fact("decoder_width") * heard
        mask = (1 + self.dtype_bytes) * prompt**2 if batch > 1 else 0
        reading = self._decoder_token() * prompt + mask
        if self.family == "aligner":
            reading += (self.dtype_bytes + 4) * ALIGNER_CLASSES * prompt
        phases = [
            self._phase("hearing", self._tower(seconds, batch)),
            self._phase("reading", batch * reading, batch * self._cache(prompt)),
        ]
        if self.family != "aligner":
            writing = states + self._logits()
            phases.append(
                self._phase("writing", batch * writing, batch * self._cache(prompt + new_tokens))
            )
        return tuple(phases)

    def _tower(self, seconds: float, batch: int) -> float:
        """Return what the audio tower of a language model holds, with what it returns."""
        number, rate = self.dtype_bytes, self._fact("tokens_per_second")
        length = math.ceil(seconds)
        returned = number * rate * length * batch * self._fact("decoder_width")
        if self._fact("downsample_hidden"):
            at_once = min(batch * length, TOWER_SECONDS)
            convolved = 2 * self._fact("downsample_hidden") * _CONV_ROWS * _CONV_STEPS
            layer = rate * self._encoder_frame() / number
            features = 100 * self._fact("mel_bins")
            piece = max(convolved + 2 * features, layer)
            return number * (at_once * piece + length * batch * features) + returned
        frames = rate * length * batch
        adaptor = _ADAPTOR_WIDTH * self._fact("decoder_width") * number
        return frames * max(self._encoder_frame(), adaptor) + returned

    def _sanm(self, seconds: float, batch: int) -> float:
        """Return what FunASR's SAN-M encoder holds; its attention is a whole map."""
        frames = math.ceil(seconds * self._fact("encoder_frames_per_second"))
        maps = _SANM_MAPS * self._fact("encoder_heads") * frames**2 * 4
        attending = maps + _SANM_WIDTH * self._fact("encoder_width") * frames * self.dtype_bytes
        return batch * max(attending, frames * self._encoder_frame())

    def _encoder_frame(self) -> float:
        """Return the bytes of one frame in an encoder layer."""
        inner = _ENCODER_INNER * self._fact("encoder_inner")
        return self.dtype_bytes * (inner + _ENCODER_WIDTH * self._fact("encoder_width"))

    def _decoder_token(self) -> float:
        """Return the bytes of one token in a decoder layer, with what its products need."""
        inner, width = self._fact("decoder_inner"), self._fact("decoder_width")
        state = self.dtype_bytes * (_DECODER_INNER * inner + _DECODER_WIDTH * width)
        if self.method != "int8":
            return state
        # LLM.int8: the input in 16 and 8 bits, the product in 32 and 16 bits in place of one.
        return state + 3 * width + max(0, 6 - 2 * self.dtype_bytes) * inner

    def _cache(self, tokens: float) -> float:
        """Return the bytes of keys and values of so many tokens."""
        each = self._fact("kv_layers") * self._fact("kv_heads") * self._fact("head_dim")
        return 2 * each * tokens * self.dtype_bytes

    def _logits(self) -> float:
        return _LOGIT_COPIES * 4 * self._fact("vocabulary")

    def _phase(self, name: str, activations: float, cache: float = 0.0) -> Phase:
        return Phase(name, round(activations + self._scratch()), round(cache))

    def _scratch(self) -> float:
        """Return the bytes of the largest weight unpacked: 4 bits are multiplied in 16 or 32."""
        if self.method in ("", "int8"):
            return 0.0
        return self.dtype_bytes * self._fact("decoder_inner") * self._fact("decoder_width")


def peak(costs: Costs, seconds: float, batch: int, new_tokens: int) -> Phase:
    """Return the phase of a run that takes most; an empty one where nothing is known.

    Parameters
    ----------
    costs
        The model's.
    seconds, batch, new_tokens
        As `Costs.phases` takes them.
    """
    phases = costs.phases(seconds, batch, new_tokens)
    return max(phases, key=lambda phase: phase.total_bytes, default=Phase("", 0, 0))


def activation_bytes(costs: Costs, seconds: float, batch: int, new_tokens: int) -> int:
    """Return what a run computes with at its peak, without the cache."""
    return peak(costs, seconds, batch, new_tokens).activations_bytes


def cache_bytes(costs: Costs, seconds: float, batch: int, new_tokens: int) -> int:
    """Return what keys and values of a run take at its peak."""
    return peak(costs, seconds, batch, new_tokens).cache_bytes
