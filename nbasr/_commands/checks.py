"""What `doctor` looks at, one function for each: a package, a device, a folder, the hub."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import nbasr
from nbasr import memory, settings, store
from nbasr._commands.arguments import changed
from nbasr._units import size
from nbasr.audio._words import count
from nbasr.errors import OptionError
from nbasr.memory import _nvidia

FREE_BYTES = 1_000_000_000
"""Free disk below which it warns: an hour of decoded sound takes 115 MB, a small model 1 GB."""

REACH_SECONDS = 3.0
"""How long the hub may take to answer."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Parameters
    ----------
    name
        What.
    says
        What was found.
    mend
        What to do about it; ``""`` if it is well.
    aside
        Whether it is to be known although nothing need be done: something optional is not here.
    """

    name: str
    says: str
    mend: str = ""
    aside: bool = False

    @property
    def good(self) -> bool:
        """Whether nothing is to be done."""
        return not self.mend


def look_at_nbasr() -> Check:
    return Check("nbasr", f"{nbasr.__version__} in {Path(nbasr.__file__).parent}")


def look_at_python() -> Check:
    says = f"{platform.python_version()} on {platform.platform(terse=True)}, {platform.machine()}"
    wanted = sys.version_info >= (3, 11)
    return Check("Python", says, "" if wanted else "install Python 3.11 or later")


def look_at_settings() -> Check:
    try:
        different = changed()
    except OptionError as error:
        return Check(
            "settings", str(error), "mend that line; until then nothing can be transcribed"
        )
    shown = ", ".join(f"{name} = {value!r}" for name, value in different.items())
    return Check("settings", shown or "all at their defaults")


def look_at_memory() -> Check:
    here = memory.read("cpu")  # of a container, what it may take
    free = f"{size(here.free_bytes)} free of {size(here.total_bytes)}"
    return Check("memory", f"{free}; {count(os.cpu_count() or 1, 'processor')}")


def look_at_torch() -> Check:
    import torch

    says, mend = f"{torch.__version__}, cpu", ""
    driver = _driver()
    if torch.cuda.is_available():
        cards = [memory.read(f"cuda:{n}") for n in range(torch.cuda.device_count())]
        has = (f"{c.name}, {size(c.free_bytes)} free of {size(c.total_bytes)}" for c in cards)
        says = (
            f"{torch.__version__}, built for CUDA {torch.version.cuda} (the driver takes up to "
            f"{driver or '?'}): {'; '.join(has)}"
        )
    elif torch.backends.mps.is_available():
        says = f"{torch.__version__}, mps (Apple)"
    elif driver:
        built = f"is built for CUDA {torch.version.cuda}" if torch.version.cuda else "has no CUDA"
        says += f"; there is a GPU whose driver takes CUDA up to {driver}, but this torch {built}"
        mend = f"install the torch build for CUDA {driver} or lower (pytorch.org, Get Started)"
    return Check("torch", says, mend)


def _driver() -> str:
    """Return the newest CUDA that the NVIDIA driver takes, ``""`` where nobody tells."""
    number = _nvidia.newest_cuda()
    return f"{number // 1000}.{number % 1000 // 10}" if number else ""


def look_at_bitsandbytes() -> Check:
    import torch

    if importlib.util.find_spec("bitsandbytes") is None:
        return Check("bitsandbytes", "not here: no int8, no 4 bits", "pip install bitsandbytes")
    from nbasr.engines.quantization import bitsandbytes

    library = bitsandbytes()  # without the advice that it logs
    on_cuda = bool(getattr(library.cextension.lib, "compiled_with_cuda", False))
    says = f"{library.__version__}, for {'CUDA' if on_cuda else 'the CPU'}: int8, nf4, fp4"
    mend = ""
    if torch.cuda.is_available() and not on_cuda:
        says += f"; torch has CUDA {torch.version.cuda}, but this one does not"
        mend = "pip install --upgrade bitsandbytes"
    elif not torch.cuda.is_available() and torch.cpu._is_avx512_bf16_supported():
        says += "; nf4 is the quickest to write with on this CPU"
    return Check("bitsandbytes", says, mend)


def look_at_transformers() -> Check:
    version = metadata.version("transformers")
    major, minor = (int(part) for part in version.split(".")[:2])
    known = (5, 23) <= (major, minor) < (6, 0)
    mend = "" if known else 'pip install "transformers>=5.23,<6"'
    return Check("transformers", version, mend)


def look_at_ffmpeg() -> Check:
    import av

    libraries = ("libavformat", "libavcodec", "libswresample")
    versions = (
        f"{name} {'.'.join(map(str, av.library_versions[name]))}"
        for name in libraries
        if name in av.library_versions
    )
    return Check("FFmpeg", f"inside PyAV {av.__version__}: {', '.join(versions)}")


def look_at_sphinx() -> Check:
    import pocketsphinx

    folder = Path(pocketsphinx.get_model_path("en-us"))
    says = f"{metadata.version('pocketsphinx')}, model {folder}"
    found = (folder / "en-us" / "mdef").is_file() or (folder / "mdef").is_file()
    return Check(
        "PocketSphinx", says, "" if found else "pip install --force-reinstall pocketsphinx"
    )


def look_at_cache() -> Check:
    folder = settings.cache_folder()
    used = sum(_bytes(path) for path in folder.rglob("*"))
    free = shutil.disk_usage(_existing(folder)).free
    says = f"{folder}: {size(used)}{_limit()}; {size(free)} free on the disk"
    mend = ""
    if not os.access(_existing(folder), os.W_OK):
        mend = "the folder cannot be written; set NBASR_CACHE to one that can"
    elif free < FREE_BYTES:
        mend = "free some space, or set NBASR_CACHE to a folder on another disk"
    return Check("cache", says, mend)


def look_at_data() -> Check:
    place = store.path()
    kept = f"{size(place.stat().st_size)} of measurements" if place.is_file() else "nothing yet"
    says, mend = f"{place.parent}: {kept}", ""
    if not os.access(_existing(place.parent), os.W_OK):
        mend = "the folder cannot be written; set NBASR_HOME to one that can"
    return Check("data", says, mend)


def _limit() -> str:
    try:
        return f" of at most {size(settings.current().cache_gb * 1e9)}"
    except OptionError:  # told by the check of the settings
        return ""


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:  # another kernel has just removed it
        return 0


def look_at_hub() -> Check:
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE)
    kept = sorted(path.name for path in folder.glob("models--*")) if folder.is_dir() else []
    free = shutil.disk_usage(_existing(folder)).free
    says = f"{folder}: {count(len(kept), 'model')}; {size(free)} free on the disk"
    if constants.HF_HUB_OFFLINE:
        offline = f"{says}; offline (HF_HUB_OFFLINE), so nothing is fetched"
        return Check("model hub", offline, aside=True)
    reached = _reached(constants.ENDPOINT)
    if reached:
        return Check("model hub", f"{says}; {constants.ENDPOINT} answers")
    return Check(
        "model hub",
        f"{says}; {constants.ENDPOINT} does not answer, so only what is here can be loaded: a "
        "mirror is set by HF_ENDPOINT, a proxy by HTTPS_PROXY",
        aside=True,
    )


def _reached(address: str) -> bool:
    """Tell whether a server answers at all, through a proxy if one is set."""
    import urllib.error
    import urllib.request

    try:
        request = urllib.request.Request(address, method="HEAD")
        with urllib.request.urlopen(request, timeout=REACH_SECONDS):
            return True
    except urllib.error.HTTPError:  # an answer, if not a kind one
        return True
    except (OSError, ValueError):
        return False


def look_at_funasr() -> Check:
    if importlib.util.find_spec("funasr") is None:
        says = 'not here; Paraformer and SenseVoice need it: pip install "nbasr[funasr]"'
        return Check("FunASR", says, aside=True)
    return Check("FunASR", metadata.version("funasr"))


def look_at_lab() -> Check:
    if importlib.util.find_spec("jupyterlab") is None:
        says = 'not here; notebooks need it: pip install "nbasr[lab]"'
        return Check("JupyterLab", says, aside=True)
    version = metadata.version("jupyterlab")
    if importlib.util.find_spec("ipywidgets") is None:
        return Check("JupyterLab", f"{version}, without ipywidgets", "pip install ipywidgets")
    return Check("JupyterLab", f"{version}, ipywidgets {metadata.version('ipywidgets')}")


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that is there."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())
