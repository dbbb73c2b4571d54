"""The part of a panel that shows memory: who holds it now and over time, a budget, cleaning."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import traitlets

from nbasr import memory
from nbasr.errors import OptionError
from nbasr.memory import spots
from nbasr.memory.timeline import KERNEL
from nbasr.widgets import _model_reports, _model_state, _model_still
from nbasr.widgets._model_loading import Load
from nbasr.widgets._panel import Answer, Panel, answers, problem_of

_TELL_EVERY = 0.95  # seconds between two tellings of the memory: the sampler looks twice a second
_SEEN_FOR = 300.0  # seconds for which a view that told that it is seen is believed to be
_DEVICES = ("auto", "cpu", "cuda", "mps")


class WithMemory(Panel):
    """A panel that shows how things are in memory, while it can be seen.

    Attributes
    ----------
    device : str
        Which memory is shown; ``""``: the best one's. A trait.
    """

    device = traitlets.Unicode("").tag(sync=True)

    def __init__(self, **given: Any) -> None:
        self._lock = threading.Lock()
        self._views: dict[str, float] = {}  # that are seen, and until when they are believed to be
        self._told: dict[str, Any] = {}
        self._told_at = 0.0
        self._parts: dict[str, dict[str, int]] = {}
        self._failed = ""
        self._unwatch: Callable[[], None] = _nothing
        super().__init__(**given)

    def close(self) -> None:
        """Take the panel away; models stay, and one that is being loaded is loaded to its end."""
        self._unwatch()
        super().close()

    @traitlets.validate("device")
    def _device_is_known(self, proposal: dict[str, Any]) -> str:
        value = str(proposal["value"]).strip().lower()
        kind, _, number = value.partition(":")
        if value in ("", "auto"):
            return ""
        if kind not in _DEVICES or (number and not number.isdigit()):
            raise OptionError(f"device is auto, cpu, cuda or mps, not {value!r}.")
        if kind != "cpu" and not spots.spot(value).total_bytes:
            raise OptionError(f"There is no {value} device on this machine; leave device out.")
        return value

    @answers("watch", aside="watching")
    def _answer_watch(self, view: str, shown: bool, language: str = "") -> dict[str, Any]:
        """Hear whether a view can be seen; answer with how things are."""
        self._speak(language)
        with self._lock:
            if shown:
                self._views[view] = time.monotonic() + _SEEN_FOR
            else:
                self._views.pop(view, None)
        return self._state(remember=True) if shown else {}

    @answers("timeline")
    def _answer_timeline(self, device: str = "", since: float = 0.0) -> Answer:
        """Answer with what was seen of a device: rows of time, parts, free and budget."""
        seen = KERNEL.spots(device, since) if KERNEL.devices else ()
        table = np.array([_model_state.numbers(spot) for spot in seen], dtype="<f8")
        return Answer({"count": len(seen), "marks": _model_state.marks()}, [table.tobytes()])

    @answers("clean", aside="unloading")
    def _answer_clean(self, language: str = "") -> dict[str, Any]:
        """Free what the notebook keeps; answer with what came back."""
        self._speak(language)
        report = _model_reports.report(memory.clean(), self._language)
        KERNEL.look()
        return {"report": report, **self._state(remember=True)}

    @answers("budget", aside="unloading")
    def _answer_budget(self, size: str, device: str = "") -> dict[str, Any]:
        """Set the budget of a device; ``""`` lifts it."""
        memory.set_budget(size.strip() or None, device or self._where())
        KERNEL.look()
        return self._state(remember=True)

    @answers("plotly", aside="figure")
    def _answer_plotly(self) -> Answer:
        """Answer with Plotly's script."""
        from plotly.offline import get_plotlyjs

        return Answer({}, [get_plotlyjs().encode("utf-8")])

    @answers("figure", aside="figure")
    def _answer_figure(self, device: str = "", language: str = "") -> Answer:
        """Answer with the figure of memory over time, as Plotly takes it."""
        from nbasr.memory._timeline_figure import figure

        self._speak(language)
        texts = _model_still.figure_texts(self._language)
        drawn = figure(KERNEL.spots(device or self._where()), KERNEL.marks, texts)
        return Answer({}, [str(drawn.to_json()).encode("utf-8")])

    def _kind(self, device: str) -> str:
        """Return the device as `nbasr.models.load` takes it: without a number."""
        return (device or self.device or "auto").partition(":")[0]

    def _where(self) -> str:
        """Return the device whose memory is shown."""
        return _model_state.where(self.device)

    def _watch(self) -> None:
        """Look from now on."""
        self._unwatch = KERNEL.watch(self._sampled)

    def _notice(self) -> None:
        """Take notice of what is loaded; panels that show it do."""

    def _load_now(self) -> Load | None:
        """Return the load that is going on, or the last one."""
        return None

    def _sampled(self) -> None:
        """Tell what has changed, after the memory was looked at; what goes wrong is told once."""
        try:
            self._notice()
            self._tell_if_due()
        except Exception as error:
            shown = problem_of(error)
            if shown["error"] != self._failed:
                self._failed = shown["error"]
                self.tell("problem", shown)

    def _tell_if_due(self) -> None:
        now = time.monotonic()
        with self._lock:
            self._views = {view: until for view, until in self._views.items() if until > now}
            if not self._views or now - self._told_at < _TELL_EVERY:
                return
        self._tell_state()

    def _tell_state(self) -> None:
        """Tell the browser how things are, if that is something new to it."""
        before = self._told
        state = self._state(remember=False)
        if not before or _model_state.differs(before, state):
            self._remember(state)
            self.tell("state", state)

    def _state(self, *, remember: bool) -> dict[str, Any]:
        """Return how things are, and remember that the browser knows it."""
        state = _model_state.state(self.device, self._load_now(), self._parts)
        if remember:
            self._remember(state)
        return state

    def _remember(self, state: dict[str, Any]) -> None:
        with self._lock:
            self._told, self._told_at = state, time.monotonic()


def _nothing() -> None:
    """Stand in for what ends the watching, before it began."""
