"""The model panel: which models there are, loading and unloading them, and the memory they take."""

from __future__ import annotations

from typing import Any

import traitlets

from nbasr import memory, models
from nbasr.memory.timeline import KERNEL
from nbasr.models import Model, catalog, manager
from nbasr.models._hub import cache_room, hub_bytes
from nbasr.models.keeping import minutes
from nbasr.widgets import _model_reports, _model_rows, _model_still
from nbasr.widgets._model_loading import Load, Loading
from nbasr.widgets._panel import answers, problem_of
from nbasr.widgets._with_memory import WithMemory


class ModelPanel(WithMemory, entry="models"):
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

    _still_of = ("loaded",)

    def __init__(self, *, device: str | None = None, language: str = "") -> None:
        given = {"language": language} if language else {}
        super().__init__(device=device or "", **given)
        self._loading = Loading(self._load_changed, problem_of)
        self._notice()
        self._watch()

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

    def __repr__(self) -> str:
        names = ", ".join(model.name for model in self.loaded) or "no model is loaded"
        return f"<ModelPanel: {names}>"

    # -- What the browser asks ----------------------------------------------------------------

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

    # -- Within -------------------------------------------------------------------------------

    def _load_changed(self, load: Load) -> None:
        if load.state == "loaded":
            KERNEL.look()
            self._notice()
        self.tell("load", {"load": load.as_dict()})
        if load.state == "loaded":
            self._tell_state()

    def _load_now(self) -> Load | None:
        return self._loading.now

    def _notice(self) -> None:
        """Bring the trait up to date with what is loaded; no lock is held, observers may ask."""
        now = tuple(manager.resident())
        before = [_model_rows.key(model.spec) for model in self.loaded]
        if sorted(before) != sorted(_model_rows.key(model.spec) for model in now):
            self.set_trait("loaded", now)
