"""Weights in fewer bits: which layers, how, and what it needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbasr.engines._quiet import hush_bitsandbytes
from nbasr.engines._transformers import transformers
from nbasr.engines.checkpoint import read_config
from nbasr.errors import ModelError, OptionError, did_you_mean

if TYPE_CHECKING:
    from nbasr.engines.base import EngineSpec

METHODS = ("int8", "nf4", "fp4")
"""LLM.int8 (Dettmers et al. 2022) and 4-bit NormalFloat or float (QLoRA, Dettmers et al. 2023)."""

TORCH_DTYPES = {"float32": "float32", "bf16": "bfloat16", "fp16": "float16"}
"""torch's name of each number format."""

COMPUTE_DTYPES = ("auto", *TORCH_DTYPES)
"""Formats in which 4-bit layers can multiply."""

PACKED_INPUTS, PACKED_OUTPUTS = 64, 32
"""On a CPU with AVX512-BF16, bitsandbytes lays 4-bit weights out anew in blocks of 32 rows, in each
row one scale for 64 weights: only whole blocks can be (bitsandbytes 0.50, ``functional.py``,
``_convert_weight_packed_for_cpu``)."""

TOWERS = ("audio_tower", "multi_modal_projector", "adaptor", "encoder")
"""Names of the part that hears and of what leads from it to the language model: of Qwen3-ASR and
its kin, and of Whisper (``encoder``)."""


@dataclass(frozen=True)
class Quantization:
    """How the linear layers of a model are stored in fewer bits, by bitsandbytes.

    Embeddings, the head that is tied to them, convolutions and norms are never quantised.

    Parameters
    ----------
    method
        ``"int8"``, ``"nf4"`` or ``"fp4"``.
    audio_tower
        Whether the audio tower (Whisper: the encoder) and its projector are quantised too. They
        are small beside a language model and the part that hears, so by default they are left as
        they are.
    skip
        Further modules to leave as they are, by name or the end of it.
    threshold
        int8: inputs larger than this are multiplied in 16 bits. They are looked for over a whole
        batch, so that a word may depend on what is recognised beside it.
    double
        4-bit: the scales are quantised as well, which saves another 0.4 bits a weight.
    compute_dtype
        4-bit: format in which is multiplied: ``"float32"``, ``"bf16"``, ``"fp16"``; ``"auto"`` is
        that of the weights that are not quantised.
    """

    method: str
    audio_tower: bool = False
    skip: tuple[str, ...] = ()
    threshold: float = 6.0
    double: bool = True
    compute_dtype: str = "auto"

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise OptionError(
                f"quantization is none, {', '.join(METHODS)}, not {self.method!r}."
                f"{did_you_mean(str(self.method), METHODS)}"
            )
        if self.compute_dtype not in COMPUTE_DTYPES:
            raise OptionError(
                f"compute_dtype is {', '.join(COMPUTE_DTYPES)}, not {self.compute_dtype!r}."
                f"{did_you_mean(str(self.compute_dtype), COMPUTE_DTYPES)}"
            )
        if not self.threshold >= 0:
            raise OptionError(f"threshold is 0 or more, not {self.threshold}.")
        names = (self.skip,) if isinstance(self.skip, str) else tuple(self.skip)
        object.__setattr__(self, "skip", names)  # a list would make it unhashable

    @classmethod
    def of(cls, value: str | Quantization | None) -> Quantization | None:
        """Return what a person means: a method, ``"none"`` or ``"auto"``, or one of these."""
        if value is None or isinstance(value, Quantization):
            return value
        word = value.strip().lower()
        return None if word in ("none", "auto") else cls(word)

    @classmethod
    def stored(cls, folder: Path) -> Quantization | None:
        """Return how the model in a folder was quantised when it was saved, or None.

        Its ``skip`` names every module that was left as it is.

        Raises
        ------
        ModelError
            If its configuration cannot be read, or it was quantised by something else than
            bitsandbytes.
        """
        found = read_config(folder).get("quantization_config")
        if found is None:
            return None
        if not isinstance(found, dict) or found.get("quant_method") != "bitsandbytes":
            by = found.get("quant_method") if isinstance(found, dict) else found
            raise ModelError(
                f"{folder} holds weights quantised by {by!r}; nbasr takes those of bitsandbytes, "
                "or the model from which it was made."
            )
        skip = tuple(found.get("llm_int8_skip_modules") or ())
        tower = not any(_is_tower(name) for name in skip)
        if found.get("load_in_8bit"):
            threshold = float(found.get("llm_int8_threshold", cls.threshold))
            return cls("int8", audio_tower=tower, skip=skip, threshold=threshold)
        names = {torch_name: name for name, torch_name in TORCH_DTYPES.items()}
        return cls(
            str(found.get("bnb_4bit_quant_type")),
            audio_tower=tower,
            skip=skip,
            double=bool(found.get("bnb_4bit_use_double_quant")),
            compute_dtype=names.get(str(found.get("bnb_4bit_compute_dtype")), "auto"),
        )


def kept_in(model: Any, quantization: Quantization) -> tuple[str, ...]:
    """Return the names of a model's modules that are not to be quantised.

    transformers uses this list in place of its own, so the head has to be in it.

    Parameters
    ----------
    model
        A transformers model; on the meta device is enough.
    quantization
        What is wished.

    Raises
    ------
    OptionError
        If a name in its ``skip`` is no module of the model.
    """
    names = {name: module for name, module in model.named_modules() if name}
    kept = list(_heads(model, names))
    if not quantization.audio_tower:
        kept += [name for name in names if _is_tower(name)]
    for wish in quantization.skip:
        found = [name for name in names if name == wish or name.endswith(f".{wish}")]
        if not found:
            example = next(name for name, _, _ in _linear(model))
            raise OptionError(
                f"skip: the model has no module {wish!r}, but for instance {example!r}."
                f"{did_you_mean(wish, names)}"
            )
        kept += found
    return tuple(dict.fromkeys(kept))


def must_suit(
    quantization: Quantization, spec: EngineSpec, folder: Path, auto: str
) -> tuple[str, ...]:
    """Check, before any weight is read, that a model can be quantised on its device.

    Returns the names of the modules to leave as they are: of a model that was saved in fewer bits,
    those that its folder names, be they in it or not (others' tools write the same list for many).

    Raises
    ------
    ModelError
        If bitsandbytes or accelerate is missing, or layers have widths that 4 bits cannot have on
        this CPU.
    OptionError
        If a name in ``skip`` is no module of the model.
    """
    must_have_bitsandbytes(quantization.method)
    model = _skeleton(folder, auto)
    stored = Quantization.stored(folder)
    kept = (stored and stored.skip) or kept_in(model, quantization)
    if quantization.method == "int8" or spec.device != "cpu" or not packs():
        return kept
    for name, inputs, outputs in _linear(model):
        odd = inputs % PACKED_INPUTS or outputs % PACKED_OUTPUTS
        if odd and not _is_kept(name, kept):
            raise ModelError(
                f"{spec.name} cannot run in {quantization.method} on this CPU: its layer {name} "
                f"has {inputs} inputs and {outputs} outputs, and here they must be multiples of "
                f'{PACKED_INPUTS} and {PACKED_OUTPUTS}; take quantization="int8".'
            )
    return kept


def bits_config(quantization: Quantization, spec: EngineSpec, kept: tuple[str, ...]) -> Any:
    """Return the ``BitsAndBytesConfig`` for a model.

    Parameters
    ----------
    quantization, spec
        What is wished; ``compute_dtype="auto"`` is the spec's format.
    kept
        Modules to leave as they are, from `kept_in`.
    """
    config = transformers().BitsAndBytesConfig
    chosen = quantization.compute_dtype
    shared = spec.offload and spec.device == "cuda"
    if quantization.method == "int8":
        return config(
            load_in_8bit=True,
            llm_int8_threshold=quantization.threshold,
            llm_int8_skip_modules=list(kept),
            llm_int8_enable_fp32_cpu_offload=shared,
        )
    return config(
        load_in_4bit=True,
        bnb_4bit_quant_type=quantization.method,
        bnb_4bit_use_double_quant=quantization.double,
        bnb_4bit_compute_dtype=TORCH_DTYPES[spec.dtype if chosen == "auto" else chosen],
        llm_int8_skip_modules=list(kept),
        llm_int8_enable_fp32_cpu_offload=shared,
    )


def bitsandbytes() -> Any:
    """Import bitsandbytes, without what it says when it starts.

    Raises
    ------
    ImportError
        If it is not installed. A damaged installation raises what it likes.
    """
    import importlib

    hush_bitsandbytes()
    return importlib.import_module("bitsandbytes")


def must_have_bitsandbytes(method: str) -> None:
    """Raise `ModelError`, with the command that mends it, if a precision cannot be had here."""
    transformers()
    from transformers.utils import is_accelerate_available, is_bitsandbytes_available

    reason = ""
    try:
        bitsandbytes()
        there = is_bitsandbytes_available() and is_accelerate_available()  # and new enough
    except ImportError:
        there = False
    except Exception as error:  # whatever a library raises that does not fit this machine
        reason, there = f" ({str(error).splitlines()[0]})", False
    if not there:
        raise ModelError(
            f"quantization={method!r} needs bitsandbytes and accelerate{reason}: "
            "pip install -U bitsandbytes accelerate."
        )


def _skeleton(folder: Path, auto: str) -> Any:
    """Return the model of a folder without weights: names and shapes alone."""
    import torch

    library = transformers()
    config = library.AutoConfig.from_pretrained(
        folder, trust_remote_code=False, local_files_only=True
    )
    with torch.device("meta"):
        return getattr(library, auto).from_config(config, trust_remote_code=False)


def _heads(model: Any, names: dict[str, Any]) -> Iterator[str]:
    """Yield the modules that make scores, and those whose weights are shared with others."""
    output = model.get_output_embeddings()
    tied: dict[str, str] = getattr(model, "all_tied_weights_keys", None) or {}
    shared = {key.rpartition(".")[0] for pair in tied.items() for key in pair}
    for name, module in names.items():
        top = "." not in name and hasattr(module, "in_features")
        if top or (output is not None and module is output) or name in shared:
            yield name


def _is_tower(name: str) -> bool:
    """Tell whether a name is that of a part that hears itself, at the top or one level down."""
    return name.removeprefix("model.") in TOWERS


def _linear(model: Any) -> Iterator[tuple[str, int, int]]:
    """Yield name, inputs and outputs of every layer that bitsandbytes would exchange."""
    from torch import nn

    for name, module in model.named_modules():
        if type(module) is nn.Linear:
            yield name, module.in_features, module.out_features


def _is_kept(name: str, kept: tuple[str, ...]) -> bool:
    """Tell whether transformers leaves a layer as it is (``should_convert_module``)."""
    return any(name.startswith(f"{one}.") or name.endswith(one) for one in kept)


def packs() -> bool:
    """Tell whether bitsandbytes uses its packed 4-bit kernels on this CPU."""
    bitsandbytes()
    from bitsandbytes import functional

    told = getattr(functional, "has_avx512bf16", None)  # older versions pack nothing
    return bool(told is not None and told())


def multiplies_int8() -> bool:
    """Tell whether bitsandbytes multiplies in 8 bits on this CPU, where others unpack each weight.

    It does so where torch finds AVX-512 (bitsandbytes 0.50, ``backends/cpu/ops.py``), and is
    then quicker than float32: 0.4 to 0.8 of its time for a token of Qwen3-ASR-1.7B.
    """
    import torch

    return torch.backends.cpu.get_cpu_capability() == "AVX512"
