"""What a folder with one of FunASR's models holds, and where such folders lie on this machine."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nbasr.engines.checkpoint import is_hub_id
from nbasr.errors import ModelError

KINDS = {
    "Paraformer": "paraformer",
    "BiCifParaformer": "bicif",
    "SeacoParaformer": "seaco",
    "SenseVoiceSmall": "sensevoice",
    "CTTransformer": "punctuation",
}
"""What nbasr calls the kind of each ``model:`` of a FunASR configuration that it loads."""

NAMES = {
    "weights": ("model.pt",),
    "tokens": ("tokens.json", "tokens.txt"),
    "mean": ("am.mvn",),
    "pieces": ("bpe.model", "*.bpe.model"),
    "spellings": ("seg_dict",),
    "words": ("jieba_usr_dict",),
}
"""Names that FunASR gives the files of a model: its weights, the texts of its ids, the mean and
variance of its features, the word pieces of its tokenizer (sentencepiece), how English words fall
into tokens, and words that the punctuation model keeps together."""

PUNCTUATION = "funasr/ct-punc"
"""Hub id of the model that puts punctuation into the text of a Paraformer."""

MODELSCOPE = {
    "funasr/paraformer-zh": (
        "iic/speech_seaco_paraformer_large_asr_nat-zh-cn-16k-common-vocab8404-pytorch"
    ),
    "funasr/paraformer-en": "iic/speech_paraformer-large-vad-punc_asr_nat-en-16k-common-vocab10020",
    "FunAudioLLM/SenseVoiceSmall": "iic/SenseVoiceSmall",
    "funasr/ct-punc": "iic/punc_ct-transformer_cn-en-common-vocab471067-large",
}
"""The same models on ModelScope, from where FunASR itself fetches (``name_maps_from_hub.py``)."""

_KEYS = {
    "weights": ("init_param",),
    "tokens": ("tokenizer_conf", "token_list"),
    "mean": ("frontend_conf", "cmvn_file"),
    "pieces": ("tokenizer_conf", "bpemodel"),
    "spellings": ("tokenizer_conf", "seg_dict_file"),
    "words": ("jieba_usr_dict",),
}
"""Where ``configuration.json`` names each file, under ``file_path_metas``."""


def is_funasr(folder: Path) -> bool:
    """Tell whether a folder holds a model in FunASR's layout, of whatever kind."""
    if (folder / "model.safetensors").is_file():
        return False
    try:
        return isinstance(read_settings(folder).get("model"), str)
    except ModelError:
        return False


def kind_of(folder: Path) -> str:
    """Return the kind of the model in a folder, one of the values of `KINDS`.

    Raises
    ------
    ModelError
        If there is none, or one that nbasr does not run.
    """
    model = read_settings(folder).get("model")
    if model not in KINDS:
        raise ModelError(
            f"{folder} holds a FunASR model of the kind {model!r}, which nbasr does not run; it "
            f"runs {', '.join(name for name in KINDS if name != 'CTTransformer')}."
        )
    return KINDS[str(model)]


def files(kind: str) -> tuple[str, ...]:
    """Return what a folder with a model of a kind must hold beside config.yaml: keys of `NAMES`."""
    if kind == "punctuation":
        return ("weights", "tokens")
    return ("weights", "pieces" if kind == "sensevoice" else "tokens", "mean")


def found_in(folder: Path) -> dict[str, Path]:
    """Return the files of a model by what they are, a key of `NAMES`, as far as they are there.

    They are those that ``configuration.json`` names, if they lie in the folder, and else those
    with FunASR's usual names.
    """
    named = _named(folder)
    found = {}
    for role, names in NAMES.items():
        usual = [path for name in names for path in sorted(folder.glob(name))]
        path = next((path for path in (*named.get(role, ()), *usual) if path.is_file()), None)
        if path is not None:
            found[role] = path
    return found


def must_be_whole(folder: Path) -> None:
    """Raise `ModelError` if a folder lacks a file without which its model cannot run."""
    kind = kind_of(folder)
    found = found_in(folder)
    for role in files(kind):
        path = found.get(role)
        if path is None or not path.stat().st_size:
            state = "lacks" if path is None else "has an empty"
            raise ModelError(
                f"{folder} {state} {' or '.join(NAMES[role])}, a part of its {kind} model; fetch "
                "it again."
            )


def read_settings(folder: Path) -> dict[str, Any]:
    """Return the settings in a folder's ``config.yaml``; no code in it is run.

    Raises
    ------
    ModelError
        If there are none, or they cannot be read.
    """
    import yaml  # type: ignore[import-untyped]

    path = folder / "config.yaml"
    if not path.is_file():
        raise ModelError(
            f"{folder} holds no FunASR model: there is no config.yaml in it; give the folder of a "
            "whole one."
        )
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"{path} cannot be read ({reason}); fetch the model again.") from None
    if not isinstance(found, dict):
        raise ModelError(f"{path} holds no settings of a model; fetch the model again.")
    return found


def snapshot_of(hub_id: str) -> Path | None:
    """Return the folder on this machine that holds a whole FunASR model, or None.

    Nothing is fetched. Looked at are the cache of the Hugging Face hub (``HF_HOME``) and that of
    ModelScope (``MODELSCOPE_CACHE``, else ``~/.cache/modelscope``), where FunASR itself keeps what
    it fetched; there the model may have another id (see `MODELSCOPE`), and ids of either are taken.
    """
    for folder in (*_on_the_hub(hub_id), *_on_modelscope(hub_id)):
        try:
            must_be_whole(folder)
        except ModelError:
            continue
        return folder
    return None


def punctuation_for(folder: Path) -> Path | None:
    """Return the folder of the punctuation model for the Paraformer in a folder, or None.

    It is a folder ``ct-punc`` in or beside that of the Paraformer, or `PUNCTUATION` from a cache.
    SenseVoice needs none: it writes punctuation itself.
    """
    if kind_of(folder) in ("sensevoice", "punctuation"):
        return None
    for near in (folder / "ct-punc", folder.parent / "ct-punc"):
        if is_funasr(near):
            must_be_whole(near)
            return near
    return snapshot_of(PUNCTUATION)


def _named(folder: Path) -> dict[str, list[Path]]:
    """Return the files that ``configuration.json`` names and that lie in the folder."""
    try:
        text = (folder / "configuration.json").read_text(encoding="utf-8")
        metas = json.loads(text)["file_path_metas"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    named: dict[str, list[Path]] = {}
    for role, keys in _KEYS.items():
        value: Any = metas
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, str) and Path(value).name == value:
            named[role] = [folder / value]
    return named


def _on_the_hub(hub_id: str) -> Iterator[Path]:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    ids = (hub_id, *(name for name, other in MODELSCOPE.items() if other == hub_id))
    for one in ids:
        try:
            config = try_to_load_from_cache(one, "config.yaml")
        except HFValidationError:
            continue
        if isinstance(config, str):
            yield Path(config).parent


def _on_modelscope(hub_id: str) -> Iterator[Path]:
    """Yield the folders in which releases of ModelScope's client keep a model.

    The layouts are those of its ``hub/utils/utils.py`` (1.40) and of ``modelscope_hub`` (0.5).
    """
    wanted = MODELSCOPE.get(hub_id, hub_id)
    owner, _, name = wanted.partition("/")
    if not is_hub_id(wanted) or name.startswith("."):
        return
    given = os.environ.get("MODELSCOPE_CACHE")
    root = Path(given).expanduser() if given else Path.home() / ".cache" / "modelscope"
    for base in (root / "models", root / "hub" / "models", root / "hub", root):
        yield from (base / owner / name, base / owner / name.replace(".", "___"))
        yield from sorted((base / f"{owner}--{name}" / "snapshots").glob("*"))
