"""Models: what there is, what is loaded, what one takes, and how to load and let go of one."""

from nbasr.engines.quantization import Quantization
from nbasr.memory.release import ReleaseReport
from nbasr.models.catalog import Entry, entries, resolve
from nbasr.models.estimating import MemoryEstimate, estimate
from nbasr.models.manager import ModelManager, load, resident, unload, unload_all
from nbasr.models.model import Model

__all__ = [
    "Entry",
    "MemoryEstimate",
    "Model",
    "ModelManager",
    "Quantization",
    "ReleaseReport",
    "entries",
    "estimate",
    "load",
    "resident",
    "resolve",
    "unload",
    "unload_all",
]
