"""What `%asr doctor` and `nbasr doctor` look at: whatever a transcription needs to be here."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import nbasr
from nbasr import settings
from nbasr._commands.arguments import changed
from nbasr._commands.table import Table
from nbasr.audio._words import count
from nbasr.errors import OptionError

FREE_BYTES = 1_000_000_000
"""Free disk below which it warns: an hour of decoded sound takes 115 MB, a small model 1 GB."""


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
    """

    name: str
    says: str
    mend: str = ""

    @property
    def good(self) -> bool:
        """Whether nothing is to be done."""
        return not self.mend


@dataclass(frozen=True)
class Report:
    """The checks of this machine, as text and as a table."""

    checks: tuple[Check, ...]

    @property
    def good(self) -> bool:
        """Whether every check is well."""
        return all(check.good for check in self.checks)

    @property
    def table(self) -> Table:
        """The report as it is shown."""
        rows = (
            (
                "OK" if check.good else "!!",
                check.name,
                check.says + (f"\n→ {check.mend}" if check.mend else ""),
            )
            for check in self.checks
        )
        bad = sum(not check.good for check in self.checks)
        note = f"{bad} of {len(self.checks)} need a look: → tells what to do."
        return Table(("", "", ""), tuple(rows), note if bad else "Everything is in place.")

    def __str__(self) -> str:
        return str(self.table)

    __repr__ = __str__

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return self.table._repr_mimebundle_()


def examine() -> Report:
    """Look at everything. A look that fails is itself reported; nothing is raised or downloaded."""
    looks: tuple[tuple[str, str, Callable[[], Check]], ...] = (
        ("nbasr", "nbasr", _nbasr),
        ("Python", "nbasr", _python),
        ("settings", "nbasr", _settings),
        ("memory", "psutil", _memory),
        ("torch", "torch", _torch),
        ("transformers", "transformers", _transformers),
        ("FFmpeg", "av", _ffmpeg),
        ("PocketSphinx", "pocketsphinx", _sphinx),
        ("cache", "nbasr", _cache),
        ("model hub", "huggingface-hub", _hub),
        ("JupyterLab", "jupyterlab", _lab),
    )
    checks = []
    for name, package, look in looks:
        try:
            checks.append(look())
        except Exception as error:  # a broken package may raise anything, and that is what to tell
            said = f"{type(error).__name__}: {error}".splitlines()[0]
            checks.append(Check(name, said, f"pip install --force-reinstall {package}"))
    return Report(tuple(checks))


def _nbasr() -> Check:
    return Check("nbasr", f"{nbasr.__version__} in {Path(nbasr.__file__).parent}")


def _python() -> Check:
    says = f"{platform.python_version()} on {platform.platform(terse=True)}, {platform.machine()}"
    wanted = sys.version_info >= (3, 11)
    return Check("Python", says, "" if wanted else "install Python 3.11 or later")


def _settings() -> Check:
    try:
        different = changed()
    except OptionError as error:
        return Check(
            "settings", str(error), "mend that line; until then nothing can be transcribed"
        )
    shown = ", ".join(f"{name} = {value!r}" for name, value in different.items())
    return Check("settings", shown or "all at their defaults")


def _memory() -> Check:
    import psutil

    memory = psutil.virtual_memory()
    free = f"{size(memory.available)} free of {size(memory.total)}"
    says = f"{free}; {count(os.cpu_count() or 1, 'processor')}"
    return Check("memory", says)


def _torch() -> Check:
    import torch

    device = "cpu"
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        device = f"cuda: {torch.cuda.get_device_name()}, {size(free)} free of {size(total)}"
    elif torch.backends.mps.is_available():
        device = "mps (Apple)"
    return Check("torch", f"{torch.__version__}, {device}")


def _transformers() -> Check:
    version = metadata.version("transformers")
    major, minor = (int(part) for part in version.split(".")[:2])
    known = (5, 23) <= (major, minor) < (6, 0)
    mend = "" if known else 'pip install "transformers>=5.23,<6"'
    return Check("transformers", version, mend)


def _ffmpeg() -> Check:
    import av

    libraries = ("libavformat", "libavcodec", "libswresample")
    versions = (
        f"{name} {'.'.join(map(str, av.library_versions[name]))}"
        for name in libraries
        if name in av.library_versions
    )
    return Check("FFmpeg", f"inside PyAV {av.__version__}: {', '.join(versions)}")


def _sphinx() -> Check:
    import pocketsphinx

    folder = Path(pocketsphinx.get_model_path("en-us"))
    says = f"{metadata.version('pocketsphinx')}, model {folder}"
    found = (folder / "en-us" / "mdef").is_file() or (folder / "mdef").is_file()
    return Check(
        "PocketSphinx", says, "" if found else "pip install --force-reinstall pocketsphinx"
    )


def _cache() -> Check:
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


def _hub() -> Check:
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE)
    kept = sorted(path.name for path in folder.glob("models--*")) if folder.is_dir() else []
    says = f"{folder}: {len(kept)} model{'' if len(kept) == 1 else 's'}"
    if constants.HF_HUB_OFFLINE:
        says += "; offline (HF_HUB_OFFLINE), so nothing is fetched"
    return Check("model hub", says)


def _lab() -> Check:
    if importlib.util.find_spec("jupyterlab") is None:
        return Check("JupyterLab", 'not here; notebooks need it: pip install "nbasr[lab]"')
    return Check("JupyterLab", metadata.version("jupyterlab"))


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that is there."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


def size(count: float) -> str:
    """Write a number of bytes for people, in powers of 1000.

    >>> size(0), size(1_234_000), size(10e9)
    ('0 B', '1.2 MB', '10 GB')
    """
    units = ["B", "kB", "MB", "GB", "TB"]
    while abs(count) >= 999.5 and len(units) > 1:
        count /= 1000
        units.pop(0)
    digits = 1 if units[0] in ("GB", "TB", "MB") and abs(count) < 9.95 else 0
    return f"{count:.{digits}f} {units[0]}"
