"""transformers, imported for the first time by one thread at a time."""

from __future__ import annotations

import importlib
import sys
import threading
from typing import Any

_lock = threading.RLock()


def transformers() -> Any:
    """Return transformers, imported if need be.

    While it is imported it puts another module into its place, and a second thread whose ``import
    transformers`` waits for that gets the one that was there before, which stays empty.
    """
    with _lock:
        importlib.import_module("transformers")
        return sys.modules["transformers"]
