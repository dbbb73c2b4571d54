"""Writing a loaded model, quantised or not, as a folder that can be loaded again."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbasr._files import expanded
from nbasr.engines._load import folder_of
from nbasr.engines._quiet import quiet
from nbasr.errors import ModelError, OptionError

if TYPE_CHECKING:
    from nbasr.engines.base import Engine

COMPANIONS = ("*.json", "*.txt", "*.jinja", "*.model", "*.tiktoken")
"""Files beside the weights that make the processor and the tokenizer, and say how to generate."""

OWN = ("config.json", "model.safetensors.index.json")
"""Files that tell of the weights, and so are not taken from the model's old folder."""


def save(engine: Engine, folder: str | Path, *, overwrite: bool = False) -> Path:
    """Write the model of an engine, as it is in memory, as a folder of its own.

    A quantised model stays so, and loads faster the second time. The folder is written beside its
    place and renamed into it, so it is whole or not there.

    Parameters
    ----------
    engine
        A loaded engine of a transformers model.
    folder
        Where to: a new folder, or an empty one.
    overwrite
        Whether a folder that holds a model may be replaced.

    Returns
    -------
    Path
        The folder; give it to `nbasr.models.load`.

    Raises
    ------
    ModelError
        If the model was unloaded, cannot be saved, or would be damaged by it: 4-bit weights without
        double quantisation, on a CPU with AVX512-BF16, once they were used.
    OptionError
        If the folder is taken.
    """
    # While 4-bit weights are saved, their layout is another: nobody may use them then.
    with getattr(engine, "lock", None) or contextlib.nullcontext():
        spec, module = engine.spec, getattr(engine, "module", None)
        if not hasattr(module, "save_pretrained"):
            raise ModelError(
                f"{spec.name} has no weights to save: it was unloaded, or is no transformers model."
            )
        source = folder_of(spec)
        target = _target(Path(expanded(str(folder))).absolute(), source, overwrite)
        _must_survive(module, spec.name)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with _beside(target) as place:
                _write(module, source, place)
        except OSError as error:
            raise ModelError(
                f"{target} cannot be written ({error}); choose another place."
            ) from None
    return target


def _write(module: Any, source: Path, place: Path) -> None:
    """Write the weights with their configuration, and copy what belongs to them."""
    with quiet():
        module.save_pretrained(place)
    for pattern in COMPANIONS:
        for path in source.glob(pattern):
            if path.name not in OWN:
                shutil.copyfile(path, place / path.name)


def _target(folder: Path, source: Path, overwrite: bool) -> Path:
    """Return the folder to write; refuse one that is taken."""
    if folder.resolve() == source.resolve():
        raise OptionError(f"{folder} is where the model was loaded from; save it somewhere else.")
    if not folder.exists():
        return folder
    if not folder.is_dir():
        raise OptionError(f"{folder} is a file; give a folder.")
    if any(folder.iterdir()):
        if not (folder / "config.json").is_file():
            raise OptionError(f"{folder} holds other things than a model; give a new folder.")
        if not overwrite:
            raise OptionError(f"{folder} holds a model; give another folder, or overwrite=True.")
    return folder


def _must_survive(module: Any, name: str) -> None:
    """Refuse weights that bitsandbytes would not turn back as they were.

    On a CPU with AVX512-BF16 a 4-bit layer is laid out anew when it is first used, its scales
    transposed. Before saving it is turned back, the scales only if they are quantised themselves
    (bitsandbytes 0.50, ``functional.py``, ``_convert_weight_packed_for_cpu_inverse``). Measured on
    a small Whisper: WER 17 % before, 37 % after.
    """
    for part in module.modules():
        state = getattr(getattr(part, "weight", None), "quant_state", None)
        turned = getattr(state, "packing_format_for_cpu", False)
        if turned and not getattr(state, "original_nested", False):
            raise ModelError(
                f"{name} was used since it was loaded, and 4-bit weights without double "
                "quantisation would be damaged by saving them now; load it again and save it "
                "first, or quantise with double=True."
            )


@contextlib.contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """Give a new folder that takes the place of another, or of none, when all went well."""
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    new, old = work / "new", work / "old"
    try:
        new.mkdir()
        yield new
        if target.exists():
            target.rename(old)
        try:
            new.rename(target)
        except OSError:
            if old.exists():
                old.rename(target)
            raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
