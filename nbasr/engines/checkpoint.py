"""What a folder with a model must hold, looked at before anything heavy is imported."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from nbasr.errors import ModelError

FAMILIES = {
    "whisper": "whisper",
    "qwen3_asr": "audio_llm",
    "fun_asr_nano": "audio_llm",
    "glmasr": "audio_llm",
}
"""Engine for each ``model_type`` of a transformers configuration that nbasr runs."""

ALIGNER = "Qwen3ASRForTokenClassification"
"""The architecture, of the family qwen3_asr, that aligns a text and recognises none."""

WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
"""Names under which the weights are kept: in one file, or in several with an index."""


FRAME = 0.02
"""Seconds of one of Whisper's encoder frames: two hops of 10 ms."""

STACKED_FRAME = 0.06
"""Seconds of one of Fun-ASR-Nano's encoder frames: six hops of 10 ms."""

CLASS_SECONDS = 0.08
"""Seconds between two of the times that the aligner can name (``timestamp_segment_time``)."""

SAFE_SECONDS = {"whisper": 30.0, "qwen3_asr": 60.0, "fun_asr_nano": 30.0, "glmasr": 30.0}
"""Longest chunk by family that is known to give good text; the models may take longer ones.

Whisper hears 30 s at once. Qwen3-ASR loses words in chunks of many minutes (its tracker, #37) and
is trained on short ones; Fun-ASR-Nano's makers cut at 30 s. GLM-ASR hears in windows of 30 s.
"""

ALIGNER_SECONDS = 180.0
"""Longest sound that the aligner's makers give it (qwen-asr, ``MAX_FORCE_ALIGN_INPUT_SECONDS``)."""

FUNASR_SECONDS = 30.0
"""Longest chunk for FunASR's models: its own cutting gives them no longer ones."""


def read_config(folder: Path) -> dict[str, Any]:
    """Return the configuration of the model in a folder.

    Raises
    ------
    ModelError
        If there is none, or it cannot be read.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise ModelError(
            f"{folder} holds no model: there is no config.json in it; give the folder of a whole "
            "transformers checkpoint."
        )
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read ({error}); fetch the model again.") from None
    if not isinstance(config, dict):
        raise ModelError(f"{path} is not a model's configuration; fetch the model again.")
    return config


def engine_of(folder: Path) -> str:
    """Return the name of the engine that runs the model in a folder.

    Raises
    ------
    ModelError
        If there is no model in it, or one of a family that nbasr does not run, or in a layout that
        transformers would fill with random weights.
    """
    from nbasr.engines._funasr_files import is_funasr, kind_of

    if is_funasr(folder):
        if kind_of(folder) == "punctuation":
            raise ModelError(
                f"{folder} holds a punctuation model, which goes with a Paraformer and recognises "
                "nothing itself; name paraformer-zh, which takes it along."
            )
        return "funasr"
    config = read_config(folder)
    family = config.get("model_type")
    if "thinker_config" in config:
        raise ModelError(
            f"{folder} holds a Qwen3-ASR model in its original layout, which transformers does not "
            f"read; take {_transformers_id(folder)} instead."
        )
    if family not in FAMILIES:
        raise ModelError(
            f"{folder} holds a model of the family {family!r}, which nbasr does not run; it runs "
            f"{', '.join(FAMILIES)} and FunASR checkpoints, and the embedded sphinx."
        )
    return "aligner" if ALIGNER in (config.get("architectures") or ()) else FAMILIES[family]


def window_of(folder: Path) -> float:
    """Return the longest sound in seconds that is safe for the model in a folder."""
    from nbasr.engines._funasr_files import is_funasr

    if is_funasr(folder):
        return FUNASR_SECONDS
    config = read_config(folder)
    family = str(config.get("model_type"))
    safe = SAFE_SECONDS.get(family, 30.0)
    if family == "whisper":
        frames = config.get("max_source_positions")
        return frames * FRAME if isinstance(frames, int) and frames > 0 else safe
    if ALIGNER in (config.get("architectures") or ()):
        classes = len(config.get("id2label") or ())
        return min(ALIGNER_SECONDS, classes * CLASS_SECONDS) if classes else ALIGNER_SECONDS
    if family == "fun_asr_nano":
        audio = config.get("audio_config")
        frames = audio.get("max_position_embeddings") if isinstance(audio, dict) else None
        if isinstance(frames, int) and frames > 1:  # the first place of the table is not used
            return min(safe, (frames - 1) * STACKED_FRAME)
    return safe


def must_be_loadable(hub_id: str) -> None:
    """Raise `ModelError`, before anything is fetched, for an id whose layout cannot be loaded.

    The makers of Qwen3-ASR and Fun-ASR publish each model twice; only the ids that end in ``-hf``
    are for transformers.
    """
    owner, _, name = hub_id.partition("/")
    if re.fullmatch(r"(?i)(Qwen3-(ASR|ForcedAligner)|Fun-ASR)-.*(?<!-hf)", name) and (
        owner.lower() in ("qwen", "funaudiollm")
    ):
        if "-mlt-" in name.lower():
            raise ModelError(
                f"{hub_id} is published only in its makers' layout, which transformers does not "
                "read; convert it with transformers' convert_fun_asr_nano_to_hf.py and give the "
                "folder (with mlt in its name), or take qwen3-asr-0.6b, which knows most of its "
                "languages."
            )
        raise ModelError(
            f"{hub_id} has the makers' own layout, which transformers does not read; take "
            f"{hub_id}-hf instead."
        )


def _transformers_id(folder: Path) -> str:
    """Return the hub id to use for a Qwen3-ASR model of which only the folder is known."""
    for size in ("ForcedAligner-0.6B", "ASR-0.6B"):
        if size.lower() in str(folder).lower():  # its own name, or that in the hub's cache
            return f"Qwen/Qwen3-{size}-hf"
    return "Qwen/Qwen3-ASR-1.7B-hf (or -0.6B-hf)"


def weights_of(folder: Path) -> list[Path]:
    """Return the files that hold the weights of the model in a folder.

    Raises
    ------
    ModelError
        If there is none, or one that the index names is missing.
    """
    whole, index = (folder / name for name in WEIGHTS)
    if whole.is_file():
        return [whole]
    if not index.is_file():
        other = next((p.name for p in sorted(folder.glob("*.bin"))), None)
        found = f"only {other}, which may hold code and is not opened" if other else "none"
        raise ModelError(
            f"{folder} has no model.safetensors ({found}); save the model again with "
            "save_pretrained, which writes safetensors."
        )
    try:
        names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        files = [folder / name for name in sorted(names)]
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise ModelError(f"{index} cannot be read ({error!r}); fetch the model again.") from None
    for path in files:
        if not path.is_file():
            raise ModelError(f"{folder} lacks {path.name}, a part of its weights; fetch it again.")
    return files


def is_hub_id(name: str) -> bool:
    """Tell whether a name has the form of a hub id, ``owner/model``."""
    return re.fullmatch(r"[\w.-]+/[\w.-]+", name) is not None and not name.startswith(".")


def must_have_processor(folder: Path) -> None:
    """Raise `ModelError` if the files are missing that make features of sound and text of ids."""
    for names in (
        ("processor_config.json", "preprocessor_config.json"),
        ("tokenizer.json", "vocab.json"),
    ):
        if not any((folder / name).is_file() for name in names):
            raise ModelError(
                f"{folder} lacks {' or '.join(names)}; save the model's processor there too."
            )


def snapshot(hub_id: str) -> Path | None:
    """Return the folder in the hub cache that holds a whole model, or None where there is none.

    Nothing is fetched. A model whose download broke off does not count. FunASR's models are also
    looked for where its own loader keeps them.
    """
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    from nbasr.engines._funasr_files import snapshot_of

    try:
        config = try_to_load_from_cache(hub_id, "config.json")
        if not isinstance(config, str):
            return snapshot_of(hub_id)
        folder = Path(config).parent
        weights_of(folder)
        must_have_processor(folder)
    except (HFValidationError, ModelError):
        return None
    return folder
