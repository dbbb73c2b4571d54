"""Models: what there is, what is loaded, and how to load and let go of one."""

from nbasr.models.catalog import Entry, entries, resolve
from nbasr.models.manager import Model, ModelManager, load, resident, unload, unload_all
from nbasr.models.release import ReleaseReport

__all__ = [
    "Entry",
    "Model",
    "ModelManager",
    "ReleaseReport",
    "entries",
    "load",
    "resident",
    "resolve",
    "unload",
    "unload_all",
]
