"""The handle of a resident model, which is light: the model's memory is the manager's to free."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbasr._units import size
from nbasr.errors import ModelError
from nbasr.models import catalog
from nbasr.models.keeping import FOREVER, minutes, shown

if TYPE_CHECKING:
    import os

    from nbasr.engines.aligner import Aligner
    from nbasr.engines.base import Engine, EngineSpec
    from nbasr.memory.release import ReleaseReport
    from nbasr.models._residents import Slot
    from nbasr.models.manager import ModelManager


class Model:
    """A resident model, as `load` returns it. It holds nothing itself: `unload` frees the memory.

    Any number of handles may be given out; once the model is unloaded, they say so when used.

    Parameters
    ----------
    spec
        What was loaded.
    manager
        Who keeps it.
    """

    def __init__(self, spec: EngineSpec, manager: ModelManager) -> None:
        self.spec = spec
        self._manager = manager

    @property
    def name(self) -> str:
        """What it is called."""
        return self.spec.name

    @property
    def is_loaded(self) -> bool:
        """Whether it is still resident."""
        return self._manager._residents.get(self.spec) is not None

    @property
    def engine(self) -> Engine | Aligner:
        """The engine, for single requests (`recognize`; an aligner has `align`).

        Work that lasts longer than ``keep_alive`` belongs into ``manager.using(model.spec)``, which
        keeps the model until it is done.

        Raises
        ------
        ModelError
            If the model was unloaded.
        """
        slot = self._here()
        self._manager._residents.touch(slot)
        return slot.engine

    @property
    def module(self) -> Any:
        """The torch module; None for an engine without one. Not to be kept: `unload` empties it.

        Raises
        ------
        ModelError
            If the model was unloaded.
        """
        return self.engine.module

    @property
    def parts(self) -> dict[str, int]:
        """Bytes that each part of it holds now, scales of quantised weights included.

        Empty once it was unloaded.
        """
        slot = self._manager._residents.get(self.spec)
        return slot.parts() if slot is not None else {}

    @property
    def bytes(self) -> int:
        """Bytes that it holds now."""
        return sum(self.parts.values())

    @property
    def is_pinned(self) -> bool:
        """Whether neither time nor need of room unloads it."""
        slot = self._manager._residents.get(self.spec)
        return slot is not None and slot.pinned

    def pin(self) -> None:
        """Keep it whatever happens, until it is unloaded by name.

        Raises
        ------
        ModelError
            If the model was unloaded.
        """
        self._manager._residents.pin(self._here(), True)

    def unpin(self) -> None:
        """Let time and need of room unload it again.

        Raises
        ------
        ModelError
            If the model was unloaded.
        """
        self._manager._residents.pin(self._here(), False)

    @property
    def keep_alive(self) -> float:
        """Minutes that it stays unused; 0: no longer than its work; -1: until it is unloaded.

        It can be set to whatever `load` takes; None: as the settings say.

        Raises
        ------
        ModelError
            If the model was unloaded.
        OptionError
            If it is set to what is no such time.
        """
        return self._here().minutes

    @keep_alive.setter
    def keep_alive(self, value: float | str | None) -> None:
        self._manager._residents.keep_alive(self._here(), minutes(value))

    @property
    def is_at_work(self) -> bool:
        """Whether some work is going on with it, during which it is not unloaded unasked."""
        slot = self._manager._residents.get(self.spec)
        return slot is not None and slot.users > 0

    @property
    def minutes_left(self) -> float | None:
        """Minutes after which it goes if nobody uses it; None: not by time, or it is gone."""
        slot = self._manager._residents.get(self.spec)
        return self._manager._residents.left(slot) if slot is not None else None

    @property
    def stays(self) -> str:
        """How long it stays, in words: ``"pinned"``, ``"4 min more"`` and the like."""
        slot = self._manager._residents.get(self.spec)
        if slot is None:
            return "unloaded"
        if slot.users:
            return "at work"
        if slot.pinned:
            return "pinned"
        left = self._manager._residents.left(slot)
        if left is not None:
            return f"{shown(left)} more"
        return "until unloaded" if slot.minutes <= FOREVER else "until its work is done"

    def save(self, folder: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write it into a folder that `load` takes, quantised as it is.

        Parameters
        ----------
        folder
            Where to.
        overwrite
            Whether to put it in the place of what is there.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        ModelError
            If the model was unloaded, or cannot be saved as it is.
        OptionError
            If there is something already.
        """
        from nbasr.engines import saving

        with self._manager.using(self._here().spec) as engine:
            return saving.save(engine, Path(folder), overwrite=overwrite)

    def unload(self) -> ReleaseReport:
        """Let go of it, and tell what came back and who still holds what."""
        residents = self._manager._residents
        slot = residents.get(self.spec)
        return residents.drop([slot] if slot is not None else [])

    def _here(self) -> Slot:
        slot = self._manager._residents.get(self.spec)
        if slot is None:
            raise ModelError(f"{self.name} was unloaded; load it again: {self._loading()}.")
        return slot

    def _loading(self) -> str:
        """Return the line that loads it again."""
        known = catalog.entry(self.spec.source or self.name)
        how = [f'"{known.name if known is not None else self.spec.source}"']
        if self.spec.quantization is not None:
            how.append(f'quantization="{self.spec.precision}"')
        return f"nbasr.models.load({', '.join(how)})"

    def _facts(self) -> list[str]:
        spec, held = self.spec, self.bytes
        weights = [size(held)] if held else []
        beside = [f"rest {spec.dtype}"] if spec.quantization is not None else []
        stays = [] if self.stays == "until unloaded" else [self.stays]
        return [spec.engine, spec.precision, *beside, spec.device, *weights, *stays]

    def __repr__(self) -> str:
        """Tell what it is in one line."""
        return f"<Model {self.name}: {', '.join(self._facts())}>"

    def _repr_html_(self) -> str:
        facts = " · ".join(html.escape(fact) for fact in self._facts())
        head = f"<div><b>{html.escape(self.name)}</b> · {facts}</div>"
        parts = self.parts
        most = max(parts.values(), default=0)
        rows = "".join(_row(part, held, most) for part, held in parts.items() if held)
        return f"<div>{head}<table>{rows}</table></div>" if rows else head


def _row(part: str, held: int, most: int) -> str:
    """Return one part of a model as a row with a bar, in the colours of the host's theme."""
    left = 'style="text-align:left"'
    bar = (
        f'<div style="width:{120 * held / most:.0f}px;height:0.7em;'
        'background:var(--jp-brand-color1, #1976d2)"></div>'
    )
    return (
        f"<tr><td {left}>{html.escape(part)}</td><td>{html.escape(size(held))}</td>"
        f"<td {left}>{bar}</td></tr>"
    )
