"""What a folder with a model must hold, looked at before anything heavy is imported."""

from __future__ import annotations

import json
import math
import re
import struct
from pathlib import Path
from typing import Any

from nbasr.errors import ModelError

FAMILIES = {"whisper": "whisper"}
"""Engine for each ``model_type`` of a transformers configuration that nbasr runs."""

WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
"""Names under which the weights are kept: in one file, or in several with an index."""


FRAME = 0.02
"""Seconds of one of Whisper's encoder frames: two hops of 10 ms."""

MOST_HEADER = 100_000_000
"""Longest header of a safetensors file, in bytes (the format's own limit)."""


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
        If there is no model in it, or one of a family that nbasr does not run.
    """
    family = read_config(folder).get("model_type")
    if family not in FAMILIES:
        raise ModelError(
            f"{folder} holds a model of the family {family!r}, which nbasr does not run; it runs "
            f"{', '.join(FAMILIES)} checkpoints and the embedded sphinx."
        )
    return FAMILIES[family]


def window_of(folder: Path) -> float:
    """Return the longest sound in seconds that the model in a folder hears at once."""
    frames = read_config(folder).get("max_source_positions")
    return frames * FRAME if isinstance(frames, int) and frames > 0 else 30.0


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


def parameters_of(folder: Path) -> int:
    """Return how many numbers the weights in a folder hold, read from their headers alone.

    Raises
    ------
    ModelError
        If there are none, or they are damaged.
    """
    total = 0
    for path in weights_of(folder):
        try:
            with path.open("rb") as file:
                (size,) = struct.unpack("<Q", file.read(8))
                header = json.loads(file.read(min(size, MOST_HEADER)))
            header.pop("__metadata__", None)
            total += sum(math.prod(tensor["shape"]) for tensor in header.values())
        except (OSError, ValueError, struct.error, KeyError, AttributeError, TypeError):
            raise ModelError(
                f"{path} is damaged or no safetensors file; fetch the model again."
            ) from None
    return total


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

    Nothing is fetched. A model whose download broke off does not count.
    """
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        config = try_to_load_from_cache(hub_id, "config.json")
        if not isinstance(config, str):
            return None
        folder = Path(config).parent
        weights_of(folder)
        must_have_processor(folder)
    except (HFValidationError, ModelError):
        return None
    return folder
