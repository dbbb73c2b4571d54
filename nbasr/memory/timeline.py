"""Memory over time: a light sampler, what it saw, and how that is drawn."""

from __future__ import annotations

import html
import math
import threading
import traceback
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from nbasr._units import size
from nbasr.errors import OptionError
from nbasr.memory import marks, spots
from nbasr.memory.marks import Mark
from nbasr.memory.spots import Spot

if TYPE_CHECKING:
    from nbasr.memory._timeline_figure import TimelineFigure

__all__ = ["Mark", "Spot", "Timeline", "timeline"]

EVERY = 0.5
"""Seconds between two looks."""

MOST = 7200
"""Moments of a device that are kept: an hour of a device that changes all the time. Then every
other one of the older half goes; a device at rest takes two, however long it rests."""

_PATIENCE = 20  # looks that may fail before it is told

Look = Callable[[], Sequence[Spot]]
Observer = Callable[[], None]


class Timeline:
    """Memory of every device over time, looked at twice a second for as long as somebody watches.

    `nbasr.memory.timeline` returns the one of this kernel.

    Parameters
    ----------
    look
        Returns the devices' memory now.
    every
        Seconds between two looks.
    most
        Moments that are kept of a device.
    """

    def __init__(self, look: Look | None = None, *, every: float = EVERY, most: int = MOST) -> None:
        self._look = look or _look
        self._every = every
        self._most = most
        self._changed = threading.Condition()
        self._spots: dict[str, list[Spot]] = {}
        self._watching: dict[object, Observer | None] = {}
        self._thread: threading.Thread | None = None
        self._own: Callable[[], None] | None = None

    @property
    def is_running(self) -> bool:
        """Whether it looks."""
        return self._thread is not None

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices that were seen, the CPU last."""
        with self._changed:
            return tuple(self._spots)

    @property
    def marks(self) -> tuple[Mark, ...]:
        """What happened since it first looked: loads, unloads, jobs, shortages, budgets."""
        with self._changed:
            firsts = [seen[0].at for seen in self._spots.values()]
        return marks.marks(min(firsts, default=math.inf) - self._every)

    def start(self) -> Timeline:
        """Look from now on, until `stop`."""
        if self._own is None:
            self._own = self.watch()
            self.look()  # so that there is something to see at once
        return self

    def stop(self) -> None:
        """Look no longer, unless a panel still needs it; what was seen stays."""
        own, self._own = self._own, None
        if own is not None:
            own()

    def watch(self, observer: Observer | None = None) -> Callable[[], None]:
        """Look for as long as somebody needs it.

        Parameters
        ----------
        observer
            Called after each look, in the sampler's thread. What it raises goes to stderr, and
            it is not called again.

        Returns
        -------
        function
            Ends it; the last one to do so ends the sampler.
        """
        key = object()
        with self._changed:
            self._watching[key] = observer
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="nbasr memory timeline", daemon=True
                )
                self._thread.start()

        def end() -> None:
            with self._changed:
                self._watching.pop(key, None)
                self._changed.notify_all()

        return end

    def look(self) -> None:
        """Look once, now."""
        found = self._look()
        with self._changed:
            for spot in found:
                self._keep(self._spots.setdefault(spot.device, []), spot)
            order = {spot.device: place for place, spot in enumerate(found)}
            if list(order) != list(self._spots):
                ordered = sorted(self._spots, key=lambda device: order.get(device, len(order)))
                self._spots = {device: self._spots[device] for device in ordered}

    def spots(self, device: str = "", since: float = -math.inf) -> tuple[Spot, ...]:
        """Return what was seen of a device, the oldest first.

        Parameters
        ----------
        device
            Which; ``""``: the first one.
        since
            Only what was seen after this time, in seconds since 1970.

        Raises
        ------
        OptionError
            If no such device was seen.
        """
        with self._changed:
            where = device or next(iter(self._spots), "")
            if where == "cuda":
                where = "cuda:0"
            if not where:
                return ()
            if where not in self._spots:
                known = ", ".join(self._spots)
                raise OptionError(f"Of {device!r} nothing was seen; there is {known}.")
            return tuple(spot for spot in self._spots[where] if spot.at > since)

    def clear(self) -> None:
        """Forget what was seen."""
        with self._changed:
            self._spots = {}

    def figure(self, device: str = "") -> TimelineFigure:
        """Return the memory of a device over time as a Plotly figure.

        Parameters
        ----------
        device
            Which; ``""``: the first one, a GPU where there is one.

        Raises
        ------
        OptionError
            If no such device was seen.
        """
        from nbasr.memory._timeline_figure import figure

        return figure(self.spots(device), self.marks)

    def svg(self, device: str = "") -> str:
        """Return the memory of a device over time as a small picture that needs no script."""
        from nbasr.memory._timeline_svg import svg

        return svg(self.spots(device), self.marks)

    def __repr__(self) -> str:
        """Tell it in one line."""
        facts = [
            f"{device} {size(seen[-1].own_bytes)} here, {size(seen[-1].free_bytes)} free"
            for device in self.devices
            if (seen := self.spots(device))
        ]
        state = "looks" if self.is_running else "does not look; start() begins"
        return f"<Timeline {state}: {'; '.join(facts) or 'nothing seen yet'}>"

    def _repr_html_(self) -> str:
        pictures = "".join(
            f"<div><b>{html.escape(device)}</b>{self.svg(device)}</div>" for device in self.devices
        )
        return pictures or html.escape(repr(self))

    def _keep(self, seen: list[Spot], spot: Spot) -> None:
        """Append a moment; of a rest only its begin and its end are kept."""
        if len(seen) > 1 and seen[-1].is_like(spot) and seen[-2].is_like(spot):
            seen.pop()
        seen.append(spot)
        if len(seen) > self._most:
            half = len(seen) // 2
            seen[:half] = seen[:half:2]

    def _run(self) -> None:
        missed = 0
        while True:
            try:
                self.look()
                missed = 0
            except Exception as error:  # a library half imported, a driver that is busy
                missed += 1
                if missed == _PATIENCE:
                    traceback.print_exception(error)
            with self._changed:
                observers = list(self._watching.items())
            for key, observer in observers:
                self._tell(key, observer)
            with self._changed:
                if self._watching:
                    self._changed.wait(self._every)
                if not self._watching:
                    self._thread = None
                    return

    def _tell(self, key: object, observer: Observer | None) -> None:
        if observer is None:
            return
        try:
            observer()
        except Exception as error:
            with self._changed:
                if key in self._watching:
                    self._watching[key] = None
            traceback.print_exception(error)


def _look() -> list[Spot]:
    return [spots.spot(device) for device in spots.devices()]


KERNEL = Timeline()
"""The one of this kernel."""


def timeline() -> Timeline:
    """Return the memory of this kernel over time; it is looked at from the first call on.

    Models that come and go, jobs, budgets and shortages of memory are marked in it. A
    `nbasr.ModelPanel` looks too, and shows it.

    Returns
    -------
    Timeline
        ``.figure()`` draws it with Plotly, ``.spots()`` are the numbers, ``.stop()`` ends it.

    Examples
    --------
    >>> memory_over_time = timeline()
    >>> memory_over_time.stop()
    """
    return KERNEL.start()
