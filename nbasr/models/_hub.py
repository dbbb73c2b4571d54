"""Fetching a model from the hub, never in silence: what, how much, where to, and how far it is."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import os
import shutil
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbasr._files import expanded
from nbasr.engines.checkpoint import engine_of, must_be_loadable, snapshot
from nbasr.engines.quantization import Quantization
from nbasr.errors import ModelError, ModelWarning
from nbasr.models import fetching
from nbasr.models.catalog import entry

if TYPE_CHECKING:
    from nbasr.engines.base import EngineSpec

CONNECT_SECONDS = 20.0
"""How long the hub may take to say what it has."""

SHOWN_BYTES = 5_000_000
"""Files from this size on show their progress."""

PIECE_BYTES = 1 << 16
"""After so many bytes a download that somebody watches is told of, and can be stopped."""

_pieces = threading.Lock()
_watched, _usual_pieces = 0, 0  # downloads that somebody watches, and the size of pieces without

_FUNASR_NAMES = ("am.mvn", "seg_dict", "model.pt", "config.yaml", "configuration.json")
_FUNASR_ENDINGS = ("bpe.model", "tokens.json", "tokens.txt", "_usr_dict")


def fetch(spec: EngineSpec) -> Path:
    """Return the folder of a hub model, fetching what is missing and saying so.

    Of a transformers model only safetensors of one precision are fetched, and the JSON and text
    files beside them; of FunASR's the files that its layout names. All are of the one revision that
    the hub names first: its owner may push another meanwhile. The second model that some need (the
    punctuation of paraformer-zh) comes with them; without it they run, and a warning says so.

    Where the hub is, and how it is reached, is for its client to know: ``HF_ENDPOINT`` names a
    mirror, ``HTTPS_PROXY`` a proxy, ``HF_HUB_OFFLINE`` forbids it, ``HF_HOME`` moves the cache.

    Parameters
    ----------
    spec
        Its ``source`` is a hub id, or a folder, which is returned as it is.

    Raises
    ------
    ModelError
        If the model is not on this machine and cannot be fetched, or is none that nbasr runs.
    """
    folder = Path(expanded(spec.source))
    if folder.is_dir():
        return folder
    here = snapshot(spec.source)
    if here is not None:
        return here
    must_be_loadable(spec.source)
    if spec.engine == "funasr":  # before two gigabytes are fetched for nothing
        _must_have_funasr()
    folder = _fetched(spec)
    known = entry(spec.source)
    if known is not None and known.companion and snapshot(known.companion) is None:
        second = dataclasses.replace(spec, source=known.companion, name=known.companion)
        try:
            _fetched(second, is_second=True)
        except fetching.FetchStoppedError:
            raise
        except ModelError as error:
            warnings.warn(
                f"{spec.name} runs without the model that belongs to it: {error}",
                ModelWarning,
                stacklevel=2,
            )
    return folder


def _fetched(spec: EngineSpec, *, is_second: bool = False) -> Path:
    """Fetch one repository of the hub into its cache; return the folder there."""
    from huggingface_hub import constants, hf_hub_download

    heard = fetching.current()
    try:
        sizes, at = _on_the_hub(spec)
        wanted = list(sizes)
        settings = "config.yaml" if "model.pt" in wanted else "config.json"
        config = hf_hub_download(spec.source, settings, revision=at, tqdm_class=_bar(0))
        folder = Path(config).parent
        if not is_second:
            engine_of(folder)
        if settings == "config.json":
            Quantization.stored(folder)
        needed = sum(sizes[name] for name in wanted)
        _must_fit(spec, needed)
        if heard is not None:
            heard.wants(needed)
        else:
            _say(
                f"Downloading {spec.name} ({spec.source}, {needed / 1e6:,.0f} MB) into "
                f"{constants.HF_HUB_CACHE} …"
            )
        with _in_small_pieces(heard is not None):
            for name in sorted(wanted, key=lambda name: sizes[name]):  # the weights last
                hf_hub_download(spec.source, name, revision=at, tqdm_class=_bar(sizes[name]))
        _make_current(folder)
        return folder
    except (ModelError, KeyboardInterrupt):
        raise
    except Exception as error:  # the client's and its HTTP library's own, by version
        if heard is not None:
            heard.check(spec.name)
        raise ModelError(_out_of_reach(spec, _reason(spec, error))) from error


@contextlib.contextmanager
def _in_small_pieces(are_wanted: bool) -> Iterator[None]:
    """Have the hub's client tell often; its pieces of ten megabytes take long on a slow line."""
    from huggingface_hub import constants

    global _watched, _usual_pieces
    if not are_wanted:
        yield
        return
    with _pieces:
        if not _watched:
            _usual_pieces, constants.DOWNLOAD_CHUNK_SIZE = (
                constants.DOWNLOAD_CHUNK_SIZE,
                PIECE_BYTES,
            )
        _watched += 1
    try:
        yield
    finally:
        with _pieces:
            _watched -= 1
            if not _watched:  # the last one out: others may be fetching too
                constants.DOWNLOAD_CHUNK_SIZE = _usual_pieces


def hub_bytes(spec: EngineSpec) -> int:
    """Return what would be fetched of a hub model, as the hub says now.

    Raises
    ------
    ModelError
        If the hub cannot be reached, or has no such model that nbasr could run.
    """
    try:
        return sum(_on_the_hub(spec)[0].values())
    except ModelError:
        raise
    except Exception as error:  # as above
        raise ModelError(_out_of_reach(spec, _reason(spec, error))) from error


def _on_the_hub(spec: EngineSpec) -> tuple[dict[str, int], str]:
    """Return the files of a model that are wanted, with their sizes, and their revision."""
    from huggingface_hub import HfApi, constants

    if constants.HF_HUB_OFFLINE:
        raise ModelError(_out_of_reach(spec, "HF_HUB_OFFLINE keeps the hub off"))
    info = HfApi().model_info(spec.source, files_metadata=True, timeout=CONNECT_SECONDS)
    sizes = {file.rfilename: int(file.size or 0) for file in info.siblings or ()}
    wanted = list(wanted_files(sizes))
    if not any(name.endswith((".safetensors", ".pt")) for name in wanted):
        raise ModelError(
            f"{spec.source} has no weights as safetensors on the hub; other formats may hold code "
            "and are not opened. Take another model, or convert it."
        )
    return {name: sizes[name] for name in wanted}, str(info.sha)


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
    if "model.pt" in sizes and "config.yaml" in sizes and "model.safetensors" not in sizes:
        for name in sizes:
            if "/" not in name and (name in _FUNASR_NAMES or name.endswith(_FUNASR_ENDINGS)):
                yield name
        return
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


def cache_room() -> tuple[Path, int | None]:
    """Return where models are fetched to, and how many bytes are free there, if that is known."""
    from huggingface_hub import constants

    cache = Path(constants.HF_HUB_CACHE)
    folder = next((f for f in (cache, *cache.parents) if f.is_dir()), None)
    return cache, shutil.disk_usage(folder).free if folder else None


def _must_fit(spec: EngineSpec, needed: int) -> None:
    cache, free = cache_room()
    if free is not None and free < needed:
        raise ModelError(
            f"{spec.name} takes {needed / 1e6:,.0f} MB, but there are {free / 1e6:,.0f} MB free in "
            f"{cache}; make room, or move the cache with HF_HOME."
        )


def _reason(spec: EngineSpec, error: Exception) -> str:
    from huggingface_hub import constants
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    if isinstance(error, GatedRepoError):
        return "its owner asks you to accept terms on its page first"
    if isinstance(error, RepositoryNotFoundError):
        return f"the hub has no model {spec.source!r}, or it is private"
    text = (str(error).strip() or repr(error)).splitlines()[0]
    where = f" ({constants.ENDPOINT})" if "HF_ENDPOINT" in os.environ else ""
    proxies = [name for name in _PROXIES if os.environ.get(name)]
    through = f" through {proxies[0]}" if proxies else ""
    return f"the hub{where} cannot be reached{through}: {text[:160]}"


_PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


def _must_have_funasr() -> None:
    if importlib.util.find_spec("funasr") is None:
        raise ModelError(
            'Paraformer and SenseVoice need FunASR, which is not here: pip install "nbasr[funasr]".'
        )


def _out_of_reach(spec: EngineSpec, reason: str) -> str:
    """Say that a model is neither here nor to be had, and the ways out."""
    from huggingface_hub import constants

    elsewhere = " nor in ModelScope's" if spec.engine == "funasr" else ""
    other = ', or use model="sphinx", which comes with nbasr' if spec.engine != "aligner" else ""
    return (
        f"{spec.name} ({spec.source}) is not in the cache {constants.HF_HUB_CACHE}{elsewhere}, and "
        f"{reason}. Give a local folder with the model, set HF_ENDPOINT to a mirror or HTTPS_PROXY "
        f"to a proxy that you can reach{other}."
    )


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _bar(size: int) -> Any:
    """Return the class of a progress bar for a file of `size` bytes; small ones have none.

    It is of plain text: the notebook's own kind warns where ipywidgets is missing. Where somebody
    hears of the download in another way, nothing is written.
    """
    import tqdm  # type: ignore[import-untyped]

    heard = fetching.current()

    class Bar(tqdm.tqdm):  # type: ignore[misc]  # untyped
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs.pop("name", None)  # the hub client's own
            hidden = size < SHOWN_BYTES or heard is not None
            super().__init__(*args, **{**kwargs, "disable": hidden})
            # The hub's faster client tells twice: what came, and what of it is in the file.
            self._counts = not str(kwargs.get("desc", "")).endswith(": downloading bytes")
            if heard is not None and kwargs.get("initial"):  # it goes on where it broke off
                heard.takes(int(kwargs["initial"]))

        def update(self, n: float | None = 1) -> bool | None:
            if heard is not None:
                heard.takes(int(n or 0) if self._counts else 0)
            shown: bool | None = super().update(n)
            return shown

    return Bar
