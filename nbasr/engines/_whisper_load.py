"""Loading a Whisper checkpoint from this machine, or saying in one sentence why it cannot be."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbasr._files import expanded
from nbasr.engines.checkpoint import engine_of, must_have_processor, snapshot, weights_of
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


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers' advice and progress bars out of the notebook; errors are still raised.

    Several threads may do so at once: the last one out lets transformers speak again.
    """
    global _hushed
    with _lock:
        _hushed += 1
        if _hushed == 1:
            _speech.enter_context(_silence())
    try:
        yield
    finally:
        with _lock:
            _hushed -= 1
            if _hushed == 0:
                _speech.close()


_lock = threading.Lock()
_hushed = 0
_speech = contextlib.ExitStack()


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def folder_of(spec: EngineSpec) -> Path:
    """Return the folder of a spec's model on this machine, be it in the hub cache.

    Raises
    ------
    ModelError
        If it is not there.
    """
    folder = Path(expanded(spec.source))
    if folder.is_dir():
        return folder
    found = snapshot(spec.source)
    if found is None:
        raise ModelError(
            f"{spec.source} is not on this machine; load it by name first: "
            f'nbasr.models.load("{spec.name}").'
        )
    return found


def load(spec: EngineSpec) -> Loaded:
    """Load the model of a spec onto its device.

    Raises
    ------
    ModelError
        If it is not there, is damaged, incomplete or of another family, or its device is not there.
    """
    folder = folder_of(spec)
    if engine_of(folder) != "whisper":
        raise ModelError(f"{folder} does not hold a Whisper model.")
    weights_of(folder)
    must_have_processor(folder)
    import torch
    from transformers import AutoModelForSpeechSeq2Seq, AutoProcessor

    dtypes = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    if spec.dtype not in dtypes:
        raise ModelError(f"{spec.name} runs in {', '.join(dtypes)}, not in {spec.dtype}.")
    with quiet():
        try:
            model, report = AutoModelForSpeechSeq2Seq.from_pretrained(
                folder,
                dtype=dtypes[spec.dtype],
                attn_implementation="sdpa",
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # they are in the report, and refused below
            )
            processor = AutoProcessor.from_pretrained(
                folder, trust_remote_code=False, local_files_only=True
            )
        except Exception as error:  # many kinds, by file and library; the sentence names the folder
            reason = (str(error).strip() or repr(error)).splitlines()[0]
            raise ModelError(
                f"The model in {folder} cannot be loaded ({reason[:200]}); fetch it again."
            ) from error
    _must_be_whole(folder, report)
    start = processor.tokenizer.convert_tokens_to_ids("<|startoftranscript|>")
    if start != model.config.decoder_start_token_id:
        raise ModelError(f"The tokenizer in {folder} is not that of its model; fetch it again.")
    try:
        model = model.eval().to(spec.device)
    except (RuntimeError, AssertionError) as error:
        raise ModelError(
            f"{spec.name} cannot be put on {spec.device} ({str(error).splitlines()[0]}); "
            'try device="cpu".'
        ) from error
    features, tokenizer = processor.feature_extractor, processor.tokenizer
    generation = _completed(model, tokenizer)
    languages = {token[2:-2]: number for token, number in generation.lang_to_id.items()}
    return Loaded(model, features, tokenizer, generation, float(features.chunk_length), languages)


def _must_be_whole(folder: Path, report: dict[str, Any]) -> None:
    """Refuse weights that do not fit the configuration: transformers would fill in random ones."""
    for what in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        found = report.get(what) or ()  # mismatched ones come with their shapes
        names = sorted(key if isinstance(key, str) else str(key[0]) for key in found)
        if names:
            raise ModelError(
                f"The weights in {folder} do not fit its config.json: {len(names)} "
                f"{what.split('_')[0]}, such as {names[0]}; it is damaged or of another layout."
            )


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
