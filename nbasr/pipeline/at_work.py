"""A model for some work: loaded, kept meanwhile; waited for where others at work leave no room."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from nbasr.engines._load import let_go
from nbasr.errors import OutOfMemoryError
from nbasr.models import manager

if TYPE_CHECKING:
    from nbasr.engines.base import EngineSpec
    from nbasr.options import Options


@contextlib.contextmanager
def using(
    spec: EngineSpec, options: Options, tell: Callable[[str], None] | None = None
) -> Iterator[Any]:
    """Give the loaded engine of a spec for some work, during which it stays loaded.

    Parameters
    ----------
    spec, options
        As for `nbasr.models.manager.using`.
    tell
        Called with ``"waiting"`` each time the model does not fit beside those that are at work,
        before the end of one of these is waited for; then with ``"loading"``, before it is tried
        again. None: nothing is waited for.

    Yields
    ------
    Engine or Aligner

    Raises
    ------
    ModelError, OptionError
        As `nbasr.models.load`.
    OutOfMemoryError
        If it does not fit, and there is nothing to wait for.
    """
    with contextlib.ExitStack() as stack:
        yield _entered(stack, spec, options, tell)


def _entered(
    stack: contextlib.ExitStack,
    spec: EngineSpec,
    options: Options,
    tell: Callable[[str], None] | None,
) -> Any:
    while True:
        seen = manager.times_freed()
        try:
            return stack.enter_context(manager.using(spec, options))
        except OutOfMemoryError as error:
            if tell is None or not manager.fits_without_work(spec):
                raise
            failure = error
        let_go(failure)
        tell("waiting")
        if not manager.wait_for_room(spec.device, seen):
            raise failure
        tell("loading")
