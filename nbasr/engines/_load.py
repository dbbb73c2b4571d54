"""Loading a transformers checkpoint from this machine, or saying in one sentence why not."""

from __future__ import annotations

import importlib.util
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbasr._files import expanded
from nbasr.engines import stopping
from nbasr.engines._quiet import quiet
from nbasr.engines._transformers import transformers
from nbasr.engines.checkpoint import must_have_processor, read_config, snapshot, weights_of
from nbasr.engines.quantization import (
    TORCH_DTYPES,
    Quantization,
    bits_config,
    multiplies_int8,
    must_have_bitsandbytes,
    must_suit,
    packs,
)
from nbasr.errors import ModelError, ModelWarning, OptionError, OutOfMemoryError
from nbasr.memory import modules
from nbasr.memory.budget import room_bytes
from nbasr.memory.readings import free_bytes
from nbasr.memory.release import collect
from nbasr.memory.shortage import ran_out

if TYPE_CHECKING:
    from nbasr.engines.base import EngineSpec


OFFLOAD_SHARE = 0.8
"""With ``offload``: share of the GPU's room for weights; the rest is for the work with them."""


@dataclass(frozen=True, eq=False)
class Pretrained:
    """A model on its device, ready to hear, with what belongs to it.

    Parameters
    ----------
    model, processor
        The transformers objects.
    folder
        Where they were read.
    """

    model: Any
    processor: Any
    folder: Path


def load_pretrained(
    spec: EngineSpec,
    auto: str,
    *,
    family: tuple[str, ...],
    processor: Callable[[Path], Any] | None = None,
) -> Pretrained:
    """Load the model of a spec onto its device, in its precision. Nothing is downloaded.

    Parameters
    ----------
    spec
        Its ``source`` is a folder, or a hub id whose files are on this machine. A folder that was
        saved in fewer bits is loaded as it is.
    auto
        Name of the transformers class that makes it, such as ``"AutoModelForSpeechSeq2Seq"``.
    family
        Values of ``model_type`` that are right.
    processor
        Makes the processor from the folder; without it, ``AutoProcessor`` does.

    Raises
    ------
    ModelError
        If it is not there, is damaged, incomplete or of another family, if its device is not there,
        or if something that its precision needs is not installed. What was half loaded is let go.
    OutOfMemoryError
        If memory runs out.
    OptionError
        If its quantization cannot be had.
    """
    folder = folder_of(spec)
    model_type = read_config(folder).get("model_type")
    if model_type not in family:
        raise ModelError(
            f"{folder} holds a model of the family {model_type!r}, not {' or '.join(family)}; give "
            "its own name or folder to nbasr.models.load, which finds the engine that runs it."
        )
    weights_of(folder)
    must_have_processor(folder)
    if spec.dtype not in TORCH_DTYPES:
        raise ModelError(f"{spec.name} runs in {', '.join(TORCH_DTYPES)}, not in {spec.dtype}.")
    quantization = _quantization(spec, folder)
    _tell(spec, folder, quantization)
    try:
        with quiet():
            found = _read(spec, auto, folder, quantization, processor)
    except BaseException as error:  # an interrupt too leaves half a model in its frames
        let_go(error)
        if not isinstance(error, Exception) or isinstance(error, (ModelError, OptionError)):
            raise
        raise told(error, spec, folder) from error
    finally:
        if quantization is not None:  # the C library keeps the buffers of the conversion else
            collect()
    return found


def folder_of(spec: EngineSpec, look: Callable[[str], Path | None] = snapshot) -> Path:
    """Return the folder of a spec's model on this machine, be it in the hub cache.

    Parameters
    ----------
    spec
        Its ``source`` is a folder or a hub id.
    look
        Finds the folder of a hub id.

    Raises
    ------
    ModelError
        If it is not there.
    """
    folder = Path(expanded(spec.source))
    if folder.is_dir():
        return folder
    found = look(spec.source)
    if found is None:
        raise ModelError(
            f"{spec.source} is not on this machine; load it by name first: "
            f'nbasr.models.load("{spec.name}").'
        )
    return found


def let_go(error: BaseException) -> None:
    """Free what the frames of an error hold: half a model, the tensors of a batch.

    The traceback keeps its lines; only the variables of frames that have ended are emptied.
    """
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo:
        one = todo.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        traceback.clear_frames(one.__traceback__)
        todo += [one.__cause__, one.__context__]
    del one, todo
    collect()


def _quantization(spec: EngineSpec, folder: Path) -> Quantization | None:
    """Return how the loaded model is quantised: as it was saved, else as the spec wishes."""
    stored = Quantization.stored(folder)
    wished = spec.quantization
    if stored is not None and wished is not None and stored.method != wished.method:
        raise OptionError(
            f"{folder} was saved in {stored.method} and cannot be had in {wished.method}; leave "
            "quantization out, or load the model from which it was made."
        )
    return stored or wished


def _tell(spec: EngineSpec, folder: Path, quantization: Quantization | None) -> None:
    """Warn of what works, but not as one may expect."""
    if spec.offload and not _shares(spec, folder):
        why = "weights that were saved in fewer bits are not shared with main memory"
        if spec.device != "cuda":
            why = "there is no GPU memory to spare"
        warnings.warn(
            f"offload does nothing for {spec.name} on {spec.device}: {why}.",
            ModelWarning,
            stacklevel=4,
        )
    if quantization is not None and quantization.method == "int8" and spec.device == "cpu":
        must_have_bitsandbytes(quantization.method)
        better = 'quantization="nf4" is smaller still, and faster' if packs() else ""
        worse = "" if multiplies_int8() else "it is slower than in float32"
        if better or worse:
            warnings.warn(
                f"{spec.name} in int8 needs less memory, but on this CPU {better or worse}.",
                ModelWarning,
                stacklevel=4,
            )


def _read(
    spec: EngineSpec,
    auto: str,
    folder: Path,
    quantization: Quantization | None,
    processor: Callable[[Path], Any] | None,
) -> Pretrained:
    """Read the model, refuse it unless it is whole, and put it on its device."""
    stopping.check()  # between what takes seconds: imports, reading, moving
    import torch

    stopping.check()
    library = transformers()
    must_be_there(spec.device)
    options = _sharing() if _shares(spec, folder) else {}
    if quantization is not None:
        kept = must_suit(quantization, spec, folder, auto)
        if Quantization.stored(folder) is None:
            options["quantization_config"] = bits_config(quantization, spec, kept)
        options.setdefault("device_map", {"": _where(spec.device)})
    model, report = getattr(library, auto).from_pretrained(
        folder,
        dtype=getattr(torch, TORCH_DTYPES[spec.dtype]),
        attn_implementation="sdpa",
        use_safetensors=True,
        trust_remote_code=False,
        local_files_only=True,
        output_loading_info=True,
        ignore_mismatched_sizes=True,  # they are in the report, and refused below
        **options,
    )
    stopping.check()
    _must_be_whole(folder, report)
    if quantization is not None and spec.device == "cpu":
        modules.own(model)
    if processor is None:
        made = library.AutoProcessor.from_pretrained(
            folder, trust_remote_code=False, local_files_only=True
        )
    else:
        made = processor(folder)
    if "device_map" not in options:  # else it is there already, and bitsandbytes forbids moving
        model = model.to(spec.device)
    return Pretrained(model.eval(), made, folder)


def _shares(spec: EngineSpec, folder: Path) -> bool:
    """Tell whether a model is shared between a GPU and main memory.

    transformers would make plain layers of those in main memory, into which weights that were saved
    in fewer bits do not fit.
    """
    return spec.offload and spec.device == "cuda" and Quantization.stored(folder) is None


def _sharing() -> dict[str, Any]:
    """Return what from_pretrained needs to share a model between a GPU and main memory."""
    if importlib.util.find_spec("accelerate") is None:
        raise ModelError("offload needs accelerate: pip install accelerate.")
    # Told nothing, transformers would take every GPU, whatever the budget of this one.
    most = {_where("cuda"): int(room_bytes("cuda") * OFFLOAD_SHARE), "cpu": free_bytes("cpu")}
    return {"device_map": "auto", "max_memory": most}


def _where(device: str) -> Any:
    """Return the device as device_map wants it: a GPU by its number."""
    import torch

    return torch.cuda.current_device() if device == "cuda" else device


def must_be_there(device: str) -> None:
    """Raise `ModelError` if the machine, or its torch, does not have a device."""
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(device, True):
        raise ModelError(
            f"torch sees no {device} device on this machine (%asr doctor tells why); "
            'try device="cpu".'
        )


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


def told(error: BaseException, spec: EngineSpec, folder: Path) -> ModelError:
    """Put what a library raised while loading into one sentence."""
    if ran_out(error):
        return OutOfMemoryError(
            f"{spec.name} in {spec.precision} does not fit into the memory of {spec.device}; "
            "unload other models, or take a smaller model or precision."
        )
    reason = (str(error).strip() or repr(error)).splitlines()[0][:200]
    ours = isinstance(error, ImportError) or "CUDA" in reason
    mend = "%asr doctor checks this machine" if ours else "fetch it again"
    return ModelError(f"The model in {folder} cannot be loaded ({reason}); {mend}.")
