"""The model panel: which models there are, loading and unloading them, and the memory they take."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import traitlets

from nbasr import memory, models
from nbasr.errors import OptionError
from nbasr.memory import spots
from nbasr.memory.timeline import KERNEL
from nbasr.models import Model, catalog, manager
from nbasr.models._hub import cache_room, hub_bytes
from nbasr.models.keeping import minutes
from nbasr.widgets import _model_reports, _model_rows, _model_state, _model_still
from nbasr.widgets._model_loading import Load, Loading
from nbasr.widgets._panel import Answer, Panel, _problem, answers

_TELL_EVERY = 0.95  # seconds between two tellings of the memory: the sampler looks twice a second
_SEEN_FOR = 300.0  # seconds for which a view that told that it is seen is believed to be
_DEVICES = ("auto", "cpu", "cuda", "mps")


class ModelPanel(Panel, entry="models"):
    """A panel to choose, load and unload models, and to see what they take of the memory.

    The list has the catalogue, what is loaded, and whatever hub id or folder is typed; each with
    its size at a precision, whether it is on this machine, whether it fits, how long a chunk is
    safe and how fast it was here. What a model will take is told before it is loaded. One that is
    not on this machine is fetched only after its size was shown and a person said yes.

    The bar shows who holds the memory of a device: models, the rest of this kernel, other
    processes; with a budget, what is left of that. Below it is how that was over time. Both follow
    what happens anywhere in the kernel, once a second at most, and only while they can be seen.

    Parameters
    ----------
    device
        Which memory is shown at first, and where models are loaded: ``"cpu"``, ``"cuda"``,
        ``"mps"``; None: the best one.
    language
        Of the controls: ``"en"``, ``"zh"``, or ``""`` for the setting or the browser's.

    Attributes
    ----------
    loaded : tuple of Model
        The models that are loaded, the last used first, wherever they were loaded. A trait: it can
        be observed.
    device : str
        Which memory is shown; ``""``: the best one's. A trait.

    Raises
    ------
    OptionError
        If there is no such device.

    Notes
    -----
    Keys: Tab goes through the controls. In the field above the list, ↓ goes into the list, Enter
    takes what is typed as a hub id or folder if the list has no such model. In the list, ↑ and ↓,
    Page ↑ and Page ↓, Home and End choose a model, Enter goes to its button, `/` back to the field.
    Esc closes a report, and takes a question back.

    Examples
    --------
    >>> panel = nbasr.ModelPanel()                                # doctest: +SKIP
    >>> panel                                                     # doctest: +SKIP
    >>> panel.loaded[0].parts                                     # doctest: +SKIP
    """

    loaded = traitlets.Tuple(read_only=True)
    device = traitlets.Unicode("").tag(sync=True)

    _still_of = ("loaded",)

    def __init__(self, *, device: str | None = None, language: str = "") -> None:
        self._lock = threading.Lock()
        self._views: dict[str, float] = {}  # that are seen, and until when they are believed to be
        self._told: dict[str, Any] = {}
        self._told_at = 0.0
        self._parts: dict[str, dict[str, int]] = {}
        self._spoken = ""
        self._failed = ""
        self._unwatch: Callable[[], None] = _nothing
        given = {"language": language} if language else {}
        super().__init__(device=device or "", **given)
        self._loading = Loading(self._load_changed, _problem)
        self._notice()
        self._unwatch = KERNEL.watch(self._sampled)

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

    def load(self, name: str, **given: Any) -> Model:
        """Load a model as the panel's button does, and wait until it is there.

        Parameters
        ----------
        name, **given
            As `nbasr.models.load` takes them.

        Returns
        -------
        Model

        Raises
        ------
        ModelError, OutOfMemoryError, OptionError
            As `nbasr.models.load`.
        """
        if self.device:
            given.setdefault("device", self.device.partition(":")[0])
        found = models.load(name, **given)
        self._notice()
        return found

    def unload(self, name: str | None = None) -> memory.ReleaseReport:
        """Unload a model, or all of them, and show the report in the panel.

        Parameters
        ----------
        name
            As `nbasr.models.unload` takes it; None: all.

        Raises
        ------
        ModelError
            If no such model is loaded.
        """
        report = models.unload_all() if name is None else models.unload(name)
        self.tell("report", _model_reports.report(report, self._language))
        self._notice()
        return report

    def still(self) -> str:
        """Return the loaded models and the memory over time as HTML that needs no kernel."""
        device = self._where()
        return _model_still.html(
            _model_rows.loaded_rows(self.loaded), KERNEL, device, self._language
        )

    def close(self) -> None:
        """Take the panel away; models stay, and one that is being loaded is loaded to its end."""
        self._unwatch()
        super().close()

    def __repr__(self) -> str:
        names = ", ".join(model.name for model in self.loaded) or "no model is loaded"
        return f"<ModelPanel: {names}>"

    # -- What the browser asks ----------------------------------------------------------------

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

    @answers("catalogue", aside="catalogue")
    def _answer_catalogue(self, device: str = "", language: str = "") -> dict[str, Any]:
        """Answer with the models that there are, and what they take on a device."""
        self._speak(language)
        kind = catalog.checked_device(self._kind(device))
        return {"device": kind, "rows": _model_rows.rows(kind)}

    @answers("about", aside="catalogue")
    def _answer_about(self, name: str, device: str = "") -> dict[str, Any]:
        """Answer with all about a model by whatever name."""
        return {"row": _model_rows.row(name, self._kind(device))}

    @answers("estimate", aside="catalogue")
    def _answer_estimate(
        self, name: str, dtype: str = "", quantization: str = "", device: str = ""
    ) -> dict[str, Any]:
        """Answer with what a model will take."""
        spec = _model_rows.spec_of(name, dtype, quantization, self._kind(device))
        return _model_rows.estimate(spec)

    @answers("load", aside="catalogue")
    def _answer_load(
        self,
        name: str,
        dtype: str = "",
        quantization: str = "",
        device: str = "",
        keep_alive: str = "",
        pin: bool = False,
        fetch: bool = False,
    ) -> dict[str, Any]:
        """Begin to load a model; one that must be fetched only if a person has agreed to that."""
        spec = _model_rows.spec_of(name, dtype, quantization, self._kind(device))
        kept = minutes(keep_alive.strip() or None)
        is_here = _model_rows.is_here(spec)
        if not is_here and not fetch:
            entry = catalog.entry(spec.source)
            wanted = entry.download_bytes if entry is not None else hub_bytes(spec)
            folder, free = cache_room()
            return {"confirm": spec.name, "bytes": wanted, "folder": str(folder), "free": free}
        given: dict[str, Any] = {"device": spec.device, "keep_alive": kept, "pin": pin}
        if spec.engine not in ("sphinx", "funasr"):
            given |= {"dtype": spec.dtype, "quantization": spec.quantization or "none"}
        begun = self._loading.begin(spec.name)
        target = spec.source or spec.name
        self.aside(lambda: self._loading.run(target, given, must_fetch=not is_here), "loading")
        return {"loading": begun.as_dict()}

    @answers("stop_load")
    def _answer_stop_load(self) -> None:
        """Stop the download that is going on."""
        self._loading.stop()

    @answers("dismiss_load")
    def _answer_dismiss_load(self) -> None:
        """Forget how the last load ended."""
        self._loading.dismiss()

    @answers("unload", aside="unloading")
    def _answer_unload(self, key: str = "", language: str = "") -> dict[str, Any]:
        """Unload a model, or all; answer with what came back."""
        self._speak(language)
        report = _model_rows.named(key).unload() if key else models.unload_all()
        self._notice()
        KERNEL.look()
        return {
            "report": _model_reports.report(report, self._language),
            **self._state(remember=True),
        }

    @answers("clean", aside="unloading")
    def _answer_clean(self, language: str = "") -> dict[str, Any]:
        """Free what the notebook keeps; answer with what came back."""
        self._speak(language)
        report = _model_reports.report(memory.clean(), self._language)
        KERNEL.look()
        return {"report": report, **self._state(remember=True)}

    @answers("keep")
    def _answer_keep(self, key: str, keep_alive: str) -> dict[str, Any]:
        """Set how long a model stays."""
        _model_rows.named(key).keep_alive = keep_alive.strip() or None
        return self._state(remember=True)

    @answers("pin")
    def _answer_pin(self, key: str, pinned: bool) -> dict[str, Any]:
        """Pin a model, or unpin it."""
        model = _model_rows.named(key)
        model.pin() if pinned else model.unpin()
        return self._state(remember=True)

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

    # -- Within -------------------------------------------------------------------------------

    @property
    def _language(self) -> str:
        """The language of sentences from the kernel."""
        return self.language or self._spoken

    def _speak(self, language: str) -> None:
        if language:
            self._spoken = language

    def _kind(self, device: str) -> str:
        """Return the device as `nbasr.models.load` takes it: without a number."""
        return (device or self.device or "auto").partition(":")[0]

    def _where(self) -> str:
        """Return the device whose memory is shown."""
        return _model_state.where(self.device)

    def _load_changed(self, load: Load) -> None:
        if load.state == "loaded":
            KERNEL.look()
            self._notice()
        self.tell("load", {"load": load.as_dict()})
        if load.state == "loaded":
            self._tell_state()

    def _notice(self) -> None:
        """Bring the trait up to date with what is loaded."""
        now = tuple(manager.resident())
        with self._lock:
            before = [_model_rows.key(model.spec) for model in self.loaded]
            changed = sorted(before) != sorted(_model_rows.key(model.spec) for model in now)
            if changed:
                self.set_trait("loaded", now)

    def _sampled(self) -> None:
        """Tell what has changed, after the memory was looked at; what goes wrong is told once."""
        try:
            self._notice()
            self._tell_if_due()
        except Exception as error:
            shown = _problem(error)
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
        state = _model_state.state(self.device, self._loading.now, self._parts)
        if remember:
            self._remember(state)
        return state

    def _remember(self, state: dict[str, Any]) -> None:
        with self._lock:
            self._told, self._told_at = state, time.monotonic()


def _nothing() -> None:
    """Stand in for what ends the watching, before it began."""
