"""torch, if somebody has loaded it: to ask what it holds is no reason to load it."""

from __future__ import annotations

import sys
from typing import Any


def loaded() -> Any:
    """Return the module of torch; None where nobody has imported it yet, or does so just now.

    While another thread imports it, it is there by name only.
    """
    torch = sys.modules.get("torch")
    if torch is None or getattr(torch.__spec__, "_initializing", False):
        return None
    return torch
