"""Fetching a model from the hub, never in silence: what, how much, where to, and how far it is."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbasr.engines.checkpoint import engine_of, snapshot
from nbasr.errors import ModelError

if TYPE_CHECKING:
    from nbasr.engines.base import EngineSpec

CONNECT_SECONDS = 20.0
"""How long the hub may take to say what it has."""


SHOWN_BYTES = 5_000_000
"""Files from this size on show their progress."""


def fetch(spec: EngineSpec) -> Path:
    """Return the folder of a hub model, fetching what is missing and saying so.

    Only safetensors of one precision, and the JSON and text files beside them, are fetched, all of
    the one revision that the hub names first: its owner may push another meanwhile.

    Parameters
    ----------
    spec
        Its ``source`` is a hub id.

    Raises
    ------
    ModelError
        If the model is not on this machine and cannot be fetched, or is none that nbasr runs.
    """
    here = snapshot(spec.source)
    if here is not None:
        return here
    from huggingface_hub import HfApi, constants, hf_hub_download

    if constants.HF_HUB_OFFLINE:
        raise ModelError(_out_of_reach(spec, "HF_HUB_OFFLINE keeps the hub off"))
    try:
        info = HfApi().model_info(spec.source, files_metadata=True, timeout=CONNECT_SECONDS)
        sizes = {file.rfilename: int(file.size or 0) for file in info.siblings or ()}
        wanted = list(wanted_files(sizes))
        if not any(name.endswith(".safetensors") for name in wanted):
            raise ModelError(
                f"{spec.source} has no weights as safetensors on the hub; other formats may hold "
                "code and are not opened. Take another model, or convert it."
            )
        at = str(info.sha)
        config = hf_hub_download(spec.source, "config.json", revision=at, tqdm_class=_bar(0))
        engine_of(Path(config).parent)
        needed = sum(sizes[name] for name in wanted)
        _must_fit(spec, needed, Path(constants.HF_HUB_CACHE))
        _say(
            f"Downloading {spec.name} ({spec.source}, {needed / 1e6:,.0f} MB) into "
            f"{constants.HF_HUB_CACHE} …"
        )
        for name in sorted(wanted, key=lambda name: sizes[name]):  # the weights last
            hf_hub_download(spec.source, name, revision=at, tqdm_class=_bar(sizes[name]))
        _make_current(Path(config).parent)
        return Path(config).parent
    except (ModelError, KeyboardInterrupt):
        raise
    except Exception as error:  # the client's and its HTTP library's own, by version
        raise ModelError(_out_of_reach(spec, _reason(spec, error))) from error


def _make_current(snapshot_folder: Path) -> None:
    """Name a whole snapshot as the newest one, by which the cache finds it without the hub.

    The hub's client does so only for what it fetched by a branch's name. The layout is documented
    (huggingface_hub, "Understand caching").
    """
    ref = snapshot_folder.parent.parent / "refs" / "main"
    ref.parent.mkdir(exist_ok=True)
    ref.write_text(snapshot_folder.name, encoding="utf-8")


def wanted_files(sizes: dict[str, int]) -> Iterator[str]:
    """Yield the files of a repository that make one model, out of all formats and precisions."""
    whole = "model.safetensors" in sizes
    for name in sizes:
        if "/" in name:  # other formats live in folders
            continue
        kind = name.rsplit(".", 1)[-1]
        if kind == "safetensors":
            if name == "model.safetensors" or (not whole and name.startswith("model-")):
                yield name
        elif kind == "json":
            if ".index." not in name or (not whole and name == "model.safetensors.index.json"):
                yield name
        elif kind in ("txt", "jinja"):
            yield name


def _must_fit(spec: EngineSpec, needed: int, cache: Path) -> None:
    folder = next((f for f in (cache, *cache.parents) if f.is_dir()), None)
    free = shutil.disk_usage(folder).free if folder else needed
    if free < needed:
        raise ModelError(
            f"{spec.name} takes {needed / 1e6:,.0f} MB, but there are {free / 1e6:,.0f} MB free in "
            f"{cache}; make room, or move the cache with HF_HOME."
        )


def _reason(spec: EngineSpec, error: Exception) -> str:
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    if isinstance(error, GatedRepoError):
        return "its owner asks you to accept terms on its page first"
    if isinstance(error, RepositoryNotFoundError):
        return f"the hub has no model {spec.source!r}, or it is private"
    text = (str(error).strip() or repr(error)).splitlines()[0]
    return f"the hub cannot be reached: {text[:160]}"


def _out_of_reach(spec: EngineSpec, reason: str) -> str:
    """Say that a model is neither here nor to be had, and the ways out."""
    from huggingface_hub import constants

    return (
        f"{spec.name} ({spec.source}) is not in the cache {constants.HF_HUB_CACHE}, and {reason}. "
        "Give a local folder with the model, set HF_ENDPOINT to a mirror that you can reach, or "
        'use model="sphinx", which comes with nbasr.'
    )


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _bar(size: int) -> Any:
    """Return the class of a progress bar for a file of `size` bytes; small ones have none.

    It is of plain text: the notebook's own kind warns where ipywidgets is missing.
    """
    import tqdm  # type: ignore[import-untyped]

    class Bar(tqdm.tqdm):  # type: ignore[misc]  # untyped
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs.pop("name", None)  # the hub client's own
            super().__init__(*args, **{**kwargs, "disable": size < SHOWN_BYTES})

    return Bar
