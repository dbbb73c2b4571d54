"""Building FunASR's models from a folder, in silence and without its own loader.

FunASR's ``AutoModel`` looks for updates, fetches what it does not find, runs code that a folder
brings along where its settings say so, fills up missing weights with random ones, and sets the
seeds, the threads and the logging of the whole process. Only the part of it that builds is used
here; files are found, and weights read and checked, by nbasr.
"""

from __future__ import annotations

import copy
import pickle
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbasr.engines._funasr_files import (
    found_in,
    kind_of,
    must_be_whole,
    punctuation_for,
    read_settings,
    snapshot_of,
)
from nbasr.engines._funasr_half import halve
from nbasr.engines._funasr_quiet import quiet, steady
from nbasr.engines._load import folder_of, let_go, must_be_there, told
from nbasr.errors import ModelError, ModelWarning, OptionError
from nbasr.memory.release import collect

if TYPE_CHECKING:
    from nbasr.engines.base import EngineSpec

DTYPES = ("float32", "fp16")
"""Number formats in which FunASR's models run."""

WRAPPINGS = ("state_dict", "model_state_dict", "model")
"""Keys under which training scripts put the weights in ``model.pt``."""

TOKENIZERS = ("CharTokenizer", "SentencepiecesTokenizer")
FRONT_ENDS = ("WavFrontend", "wav_frontend")
"""What the settings of a folder may name; FunASR has others, and some of them fetch models."""


@dataclass(frozen=True, eq=False)
class Part:
    """A FunASR model with what its ``inference`` wants beside the sound or text.

    Parameters
    ----------
    kind
        One of the values of `nbasr.engines._funasr_files.KINDS`.
    model
        The torch module.
    options
        Keyword arguments of its ``inference``: tokenizer, front end, device …
    """

    kind: str
    model: Any
    options: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Loaded:
    """A recogniser, ready to hear, and the model that punctuates what it heard.

    Parameters
    ----------
    speech
        The recogniser.
    punctuation
        The other; None where none is needed, or none is on this machine.
    model
        A torch module that holds both.
    """

    speech: Part
    punctuation: Part | None
    model: Any


def load(spec: EngineSpec) -> Loaded:
    """Load the model of a spec, and its punctuation model where there is one.

    Raises
    ------
    ModelError
        If FunASR is not installed, or the model is not there, damaged or of another kind.
    OutOfMemoryError
        If memory runs out.
    OptionError
        If the spec asks for a precision that these models do not have.
    """
    _must_suit(spec)
    folder = folder_of(spec, snapshot_of)
    kind = kind_of(folder)
    if kind == "punctuation":
        raise ModelError(
            f"{folder} holds a model that puts punctuation into text; it hears nothing. Name the "
            "Paraformer that is to use it."
        )
    must_be_whole(folder)
    beside = punctuation_for(folder)
    _must_be_installed()
    try:
        with quiet(spoken=True), steady():
            import torch

            speech = _part(spec, folder)
            other = _part(spec, beside) if beside is not None else None
            parts = {"model": speech.model} | ({"punctuation": other.model} if other else {})
            loaded = Loaded(speech, other, torch.nn.ModuleDict(parts))
    except Exception as error:
        let_go(error)
        if isinstance(error, ModelError):
            raise
        raise told(error, spec, folder) from error
    collect()  # the weights as they were read, in float32
    return loaded


def _must_suit(spec: EngineSpec) -> None:
    if spec.quantization is not None:
        raise OptionError(
            f"{spec.name} is run by FunASR, which does not quantise; leave quantization out, or "
            'on a GPU take dtype="fp16".'
        )
    if spec.dtype not in DTYPES:
        raise OptionError(f"{spec.name} runs in {' or '.join(DTYPES)}, not in {spec.dtype}.")
    if spec.offload:
        warnings.warn(
            f"offload does nothing for {spec.name}: FunASR keeps a model on one device.",
            ModelWarning,
            stacklevel=5,
        )


def _must_be_installed() -> None:
    """Import FunASR, or say how it is installed."""
    try:
        with quiet(spoken=True), steady():
            import kaldi_native_fbank  # noqa: F401
            from funasr import AutoModel  # noqa: F401
    except Exception as error:  # whatever a library that does not fit raises when it is loaded
        let_go(error)
        reason = (str(error).strip() or repr(error)).splitlines()[0][:160]
        raise ModelError(
            f'Paraformer and SenseVoice need FunASR ({reason}): pip install "nbasr[funasr]".'
        ) from error


def _part(spec: EngineSpec, folder: Path) -> Part:
    """Build the model of a folder with its own weights, on the device of the spec."""
    import torch
    from funasr import AutoModel

    must_be_there(spec.device)
    found = found_in(folder)
    model, options = AutoModel.build_model(
        **_settings(folder, found) | {"ncpu": torch.get_num_threads()}
    )
    _unshare(model)
    _fill(model, found["weights"], folder)
    kind = kind_of(folder)
    if spec.dtype == "fp16" and kind != "punctuation":
        halve(model)
    model.to(spec.device).eval()
    kept = {name: options.get(name) for name in ("tokenizer", "frontend", "token_list")}
    return Part(kind, model, kept | {"device": spec.device})


def _unshare(model: Any) -> None:
    """Give a model activations of its own: FunASR's are the default of an argument, one for all.

    Emptying one model would else reach into every other.
    """
    for part in list(model.modules()):
        for name, child in part.named_children():
            if not (child._parameters or child._buffers or child._modules):
                setattr(part, name, copy.deepcopy(child))


def _settings(folder: Path, found: dict[str, Path]) -> dict[str, Any]:
    """Return how the model of a folder is built, from the files in it and nothing else."""
    from omegaconf import OmegaConf

    given = OmegaConf.to_container(OmegaConf.create(read_settings(folder)), resolve=True)
    assert isinstance(given, dict)
    settings = {str(name): value for name, value in given.items()}
    for role, known in (("tokenizer", TOKENIZERS), ("frontend", FRONT_ENDS)):
        if settings.get(role) not in (None, *known):
            raise ModelError(
                f"{folder} wants the {role} {settings[role]!r}, which nbasr does not load; it "
                f"loads {' and '.join(known)}."
            )
    tokenizer = dict(settings.get("tokenizer_conf") or {})
    if settings.get("tokenizer") == "SentencepiecesTokenizer":
        tokenizer = {"bpemodel": str(found.get("pieces", ""))}
    elif "tokens" in found:
        tokenizer["token_list"] = str(found["tokens"])
        if "spellings" in found:
            tokenizer["seg_dict"] = str(found["spellings"])
    # Dither is random noise: with it the same sound could give another text.
    front = {**(settings.get("frontend_conf") or {}), "dither": 0.0}
    if "mean" in found:
        front["cmvn_file"] = str(found["mean"])
    return settings | {
        "model_conf": settings.get("model_conf") or {},  # with it, FunASR looks nowhere else
        "tokenizer_conf": tokenizer,
        "frontend_conf": front,
        "jieba_usr_dict": str(found["words"]) if "words" in found else None,
        "device": "cpu",
        "init_param": None,
        "fp16": False,
        "bf16": False,
        "ngpu": 1,
        "seed": 0,
        "disable_log": True,
        "trust_remote_code": False,
    }


def _fill(model: Any, path: Path, folder: Path) -> None:
    """Put the weights of a file into a model; refuse them unless they are all there and fit.

    Weights of whole parts that only training has (a second head, say) are left out.
    """
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=_is_zip(path))
    except pickle.UnpicklingError:
        raise ModelError(
            f"{path} is damaged, or holds more than weights: that could be code, so it is not "
            "opened. Fetch the model again, or take it from another source."
        ) from None
    for name in WRAPPINGS:
        inner = state.get(name) if isinstance(state, dict) else None
        state = inner if isinstance(inner, dict) else state
    if not isinstance(state, dict) or not all(hasattr(one, "shape") for one in state.values()):
        raise ModelError(f"{path} holds no weights of a model; fetch the model again.")
    state = {name.removeprefix("module."): one for name, one in state.items()}
    own = model.state_dict()
    parts = {name.split(".")[0] for name in own}
    wrong = {
        "missing": sorted(own.keys() - state.keys()),
        "unexpected": sorted(n for n in state.keys() - own.keys() if n.split(".")[0] in parts),
        "mismatched": sorted(
            n for n in own.keys() & state.keys() if own[n].shape != state[n].shape
        ),
    }
    for what, names in wrong.items():
        if names:
            raise ModelError(
                f"The weights in {folder} do not fit its config.yaml: {len(names)} {what}, such as "
                f"{names[0]}; it is damaged or of another kind."
            )
    model.load_state_dict({name: state[name] for name in own}, strict=True)


def _is_zip(path: Path) -> bool:
    """Tell whether a file of weights has torch's present layout, which can be mapped."""
    import zipfile

    return zipfile.is_zipfile(path)
