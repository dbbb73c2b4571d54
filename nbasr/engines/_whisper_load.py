"""A loaded Whisper checkpoint, with the ids that it needs completed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbasr.engines._load import load_pretrained
from nbasr.errors import ModelError

if TYPE_CHECKING:
    from nbasr.engines.base import EngineSpec

MULTILINGUAL_VOCABULARY = 51_865
"""Smallest vocabulary of a many-language Whisper; English-only ones have one token less
(openai-whisper, ``is_multilingual``)."""


@dataclass(eq=False)
class Loaded:
    """A Whisper model with what belongs to it.

    Parameters
    ----------
    model, features, tokenizer
        The transformers objects.
    generation
        A generation configuration with the ids that Whisper needs, completed where it was old.
    seconds
        Length of the model's window.
    languages
        Token of each language code; empty for an English-only model.
    """

    model: Any
    features: Any
    tokenizer: Any
    generation: Any
    seconds: float
    languages: dict[str, int]

    @property
    def step(self) -> float:
        """Seconds between two time tokens (and encoder frames)."""
        return float(self.seconds / self.model.config.max_source_positions)


def load(spec: EngineSpec) -> Loaded:
    """Load the model of a spec onto its device.

    Raises
    ------
    ModelError
        If it cannot be loaded; see `nbasr.engines._load.load_pretrained`.
    """
    found = load_pretrained(spec, "AutoModelForSpeechSeq2Seq", family=("whisper",))
    model, features = found.model, found.processor.feature_extractor
    tokenizer = found.processor.tokenizer
    start = tokenizer.convert_tokens_to_ids("<|startoftranscript|>")
    if start != model.config.decoder_start_token_id:
        raise ModelError(
            f"The tokenizer in {found.folder} is not that of its model; fetch it again."
        )
    generation = _completed(model, tokenizer)
    languages = {token[2:-2]: number for token, number in generation.lang_to_id.items()}
    return Loaded(model, features, tokenizer, generation, float(features.chunk_length), languages)


def _completed(model: Any, tokenizer: Any) -> Any:
    """Return a copy of the generation configuration with Whisper's ids and nothing left to warn of.

    Checkpoints saved before these ids existed, and home-made ones, lack some; the tokenizer knows
    them.
    """
    import copy

    generation = copy.deepcopy(model.generation_config)
    vocabulary = tokenizer.get_vocab()

    def lacks(name: str) -> bool:
        return getattr(generation, name, None) is None

    if lacks("is_multilingual"):
        many = model.config.vocab_size >= MULTILINGUAL_VOCABULARY
        generation.is_multilingual = many or "<|de|>" in vocabulary
    if lacks("no_timestamps_token_id"):
        generation.no_timestamps_token_id = vocabulary["<|notimestamps|>"]
    if lacks("prev_sot_token_id"):
        generation.prev_sot_token_id = vocabulary["<|startofprev|>"]
    if lacks("task_to_id"):
        tasks = ("transcribe", "translate")
        generation.task_to_id = {task: vocabulary[f"<|{task}|>"] for task in tasks}
    if not generation.is_multilingual:
        generation.lang_to_id = {}
    elif lacks("lang_to_id"):
        from nbasr.engines.languages import NAMES

        tokens = [f"<|{code}|>" for code in NAMES]
        generation.lang_to_id = {t: vocabulary[t] for t in tokens if t in vocabulary}
    if lacks("alignment_heads"):  # openai-whisper's own default: all heads of the upper half
        layers, heads = model.config.decoder_layers, model.config.decoder_attention_heads
        generation.alignment_heads = [
            [layer, head] for layer in range(layers // 2, layers) for head in range(heads)
        ]
    # Superseded by language= and task=, or set for each call; left in, each gives a warning.
    generation.forced_decoder_ids = None
    model.config.forced_decoder_ids = None
    generation.max_length = None
    return generation
