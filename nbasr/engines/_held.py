"""What engines with a torch model have in common: they hold it, show it and let go of it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from nbasr.engines import stopping
from nbasr.errors import ModelError
from nbasr.memory import modules

if TYPE_CHECKING:
    from nbasr.engines.base import EngineSpec


class Loaded(Protocol):
    """A torch model with what belongs to it."""

    @property
    def model(self) -> Any:
        """The torch module."""


T = TypeVar("T", bound=Loaded)


class Held(Generic[T]):
    """A model that works for one thread at a time, until it is closed.

    Parameters
    ----------
    spec
        Which model, and how it runs.
    loaded
        The model with what belongs to it.
    """

    def __init__(self, spec: EngineSpec, loaded: T) -> None:
        self.spec = spec
        self.lock = threading.Lock()  # work, saving and closing keep off each other
        self._loaded: T | None = loaded
        stopping.watch(loaded.model)

    @property
    def module(self) -> Any:
        """The torch module; None once it was let go. Not to be kept."""
        loaded = self._loaded
        return loaded.model if loaded else None

    def close(self) -> None:
        """Empty the model, whoever holds it; it cannot be used again."""
        with self.lock:
            loaded, self._loaded = self._loaded, None
            if loaded is not None:
                modules.empty(loaded.model)

    def _there(self) -> T:
        """Return what is loaded (the lock is held).

        Raises
        ------
        ModelError
            If it was let go.
        """
        if self._loaded is None:
            raise ModelError(f"{self.spec.name} was unloaded; load it again.")
        return self._loaded
