"""What every panel shares: its module, its requests to the kernel, its form without a kernel."""

from __future__ import annotations

import inspect
import secrets
import threading
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from html import escape
from typing import Any, ClassVar, NamedTuple, NoReturn, TypeVar

import anywidget
import traitlets

from nbasr import settings
from nbasr.errors import NbasrError, OptionError, did_you_mean
from nbasr.widgets import _bundle
from nbasr.widgets._texts import LANGUAGES, say

_Value = TypeVar("_Value")
_Handler = TypeVar("_Handler", bound=Callable[..., Any])
_MARK = "_nbasr_answers"
_STILL_AFTER = 1.0  # s without a change after which a notebook is told how a panel looks
_REMEMBERED = 1000  # questions: one that is asked a second time is answered once
_MISSING = (  # the panel itself, where JupyterLab has no kernel or widgets for it
    ".jp-OutputArea-child:has(.nbasr-still) + .jp-OutputArea-child:not(:has(.nbasr)){display:none}"
)


class Answer(NamedTuple):
    """What a handler gives back to the browser.

    Parameters
    ----------
    data
        Values that JSON knows.
    buffers
        Bytes that go as they are.
    """

    data: dict[str, Any] = {}  # noqa: RUF012 - never written to
    buffers: Sequence[bytes | memoryview] = ()


def answers(kind: str, *, aside: bool | str = False) -> Callable[[_Handler], _Handler]:
    """Mark the method of a panel that answers requests of a kind.

    The method takes the request's values by name, and ``buffers`` if it has such a parameter; it
    returns an `Answer`, a dict of values, or None.

    Parameters
    ----------
    kind
        What the browser asks for.
    aside
        Whether it takes long: it then runs in the panel's own thread, one after the other, so that
        neither cells nor other panels wait for it. A name: in a thread of that name, for what takes
        so long that not even this panel may wait for it.
    """

    def marked(method: _Handler) -> _Handler:
        setattr(method, _MARK, (kind, aside))
        return method

    return marked


class Choice(traitlets.Enum):  # type: ignore[type-arg]
    """A trait of a panel that is one of a few words; another one is refused in a sentence."""

    def error(self, obj: Any, value: Any, *_: Any) -> NoReturn:  # noqa: ARG002
        """Refuse a value."""
        known = [str(one) for one in self.values or ()]
        close = did_you_mean(value, known) if isinstance(value, str) else ""
        raise OptionError(f"{self.name} is one of {', '.join(known)}, not {value!r}.{close}")


class Kind(traitlets.Instance[_Value]):
    """A trait of a panel that is a value of one class; another one is refused in a sentence."""

    def error(self, obj: Any, value: Any, *_: Any) -> NoReturn:  # noqa: ARG002
        """Refuse a value."""
        name = getattr(self.klass, "__name__", self.klass)
        raise OptionError(f"{self.name} is a {name}, not {value!r}.")


class Panel(anywidget.AnyWidget):
    """A panel: a widget whose front end is ES modules of `nbasr.widgets.static`.

    Parameters
    ----------
    language
        Of the controls: ``"en"``, ``"zh"``, or ``""`` for the setting ``interface_language``, else
        the browser's.

    Raises
    ------
    OptionError
        If there are no texts in that language.
    """

    language = traitlets.Unicode("").tag(sync=True)
    still_key = traitlets.Unicode().tag(sync=True)

    _still_of: ClassVar[tuple[str, ...]] = ()  # traits that the still form shows
    _handlers: ClassVar[dict[str, tuple[str, bool | str]]] = {}

    def __init_subclass__(
        cls, entry: str | None = None, styles: Sequence[str] = (), **kwargs: Any
    ) -> None:
        if entry is not None:
            cls._esm = _bundle.module(f"{entry}.js")
            sheets = [f"{name}.css" for name in ("panel", *styles, entry)]
            cls._css = _bundle.style(*(one for one in sheets if (_bundle.STATIC / one).is_file()))
        super().__init_subclass__(**kwargs)
        cls._handlers = {
            kind: (name, aside)
            for name, method in inspect.getmembers_static(cls, inspect.isfunction)
            for kind, aside in [getattr(method, _MARK, (None, False))]
            if kind is not None
        }

    def __init__(self, **traits: Any) -> None:
        chosen = settings.current().interface_language
        traits.setdefault("language", "" if chosen == "auto" else chosen)
        self._threads: dict[str, ThreadPoolExecutor] = {}
        self._threads_lock = threading.Lock()
        self._asked_before: deque[str] = deque(maxlen=_REMEMBERED)
        self._sending = threading.RLock()
        self._spoken = ""
        self._displayed = False
        self._renewal: threading.Timer | None = None
        super().__init__(still_key=f"nbasr-{secrets.token_hex(8)}", **traits)
        self.on_msg(self._asked)
        _take_as_sent(self.comm)
        if self._still_of:
            self.observe(lambda _: self.renew_still(), self._still_of)

    @traitlets.validate("language")
    def _language_is_known(self, proposal: dict[str, Any]) -> str:
        value: str = proposal["value"]
        if value and value.lower().split("-")[0] not in LANGUAGES:
            raise OptionError(
                f"language is one of {', '.join(LANGUAGES)}, or '' for the browser's, "
                f"not {value!r}."
            )
        return value

    def still(self) -> str:
        """Return the panel as HTML that needs no kernel: for saved notebooks."""
        raise NotImplementedError

    def renew_still(self) -> None:
        """Have the notebook keep the panel as it is now, once it has been left alone for a moment.

        What a notebook shows where the kernel is gone is what was told last.
        """
        with self._threads_lock:
            if not self._displayed:
                return
            if self._renewal is not None:
                self._renewal.cancel()
            self._renewal = threading.Timer(_STILL_AFTER, self._tell_still)
            self._renewal.daemon = True
            self._renewal.start()

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take over what the browser says of traits.

        What a trait refuses changes nothing, here or there; that, and what a callback that observes
        a trait raises, is shown in the panel: a kernel has nobody else to tell.
        """
        accepted = {}
        for name, value in sync_data.items():
            if name not in self.keys:
                continue
            from_json = self.trait_metadata(name, "from_json", self._trait_from_json)
            try:
                self.traits()[name]._validate(self, from_json(value, self))
            except Exception as error:
                self.tell("problem", problem_of(error))
                self.send_state(name)
            else:
                accepted[name] = value
        try:
            super().set_state(accepted)
        except Exception as error:
            self.tell("problem", problem_of(error))

    def send_state(self, key: str | Sequence[str] | None = None) -> None:
        """Tell the browser the values of traits; from any thread, and never an older one last."""
        with self._sending:
            super().send_state(key)

    def tell(self, event: str, data: dict[str, Any], buffers: Sequence[Any] = ()) -> None:
        """Send the browser something that it did not ask for; from any thread."""
        self.send({"event": event, **data}, list(buffers))

    def aside(self, work: Callable[[], None], thread: str = "") -> Future[None]:
        """Do something in the panel's own thread, or in another of its threads, by its name.

        What goes wrong is shown in the panel.
        """

        def guarded() -> None:
            try:
                work()
            except Exception as error:
                self.tell("problem", problem_of(error))

        return self._thread(thread).submit(guarded)

    def close(self) -> None:
        """Take the panel away, from the notebook too; what it was doing is not waited for."""
        if "_threads" in self.__dict__:  # else it was refused before it began
            with self._threads_lock:
                self._displayed = False
                if self._renewal is not None:
                    self._renewal.cancel()
                for thread in self._threads.values():
                    thread.shutdown(wait=False, cancel_futures=True)
        super().close()

    def __del__(self) -> None:
        # One that was refused has nothing to close, and one that is closed stays so: to close takes
        # locks, and whoever is interrupted by the collector may hold them.
        if "_threads" in self.__dict__ and self.comm is not None:
            super().__del__()

    @property
    def _language(self) -> str:
        """The language of sentences from the kernel."""
        return self.language or self._spoken

    def _speak(self, language: str) -> None:
        """Remember the language that the browser shows where none was chosen."""
        if language:
            self._spoken = language

    def _thread(self, name: str) -> ThreadPoolExecutor:
        with self._threads_lock:
            if name not in self._threads:
                called = f"{type(self).__name__} {name}".strip()
                self._threads[name] = ThreadPoolExecutor(1, thread_name_prefix=called)
            return self._threads[name]

    def _asked(self, _: Any, content: dict[str, Any], buffers: list[memoryview]) -> None:
        """Answer a request; whatever goes wrong is an answer too."""
        kind, number = content.pop("ask", None), content.pop("number", None)
        if kind is None:
            return
        if number is not None:
            with self._threads_lock:
                if number in self._asked_before:  # the first of them waited behind a cell
                    return
                self._asked_before.append(number)
        name, aside = self._handlers.get(kind, ("", False))

        def answer() -> None:
            try:
                if not name:
                    raise LookupError(f"{type(self).__name__} answers no {kind!r}")
                method = getattr(self, name)
                if "buffers" in inspect.signature(method).parameters:
                    content["buffers"] = buffers
                found = method(**content)
                if not isinstance(found, Answer):
                    found = Answer(found or {})
                answered = {"answer": number, "kind": kind, "data": found.data}
                self.send(answered, list(found.buffers))
            except Exception as error:
                self.send({"answer": number, **problem_of(error)})

        if aside:
            self._thread("" if aside is True else aside).submit(answer)
        else:
            answer()

    def _ipython_display_(self, **_: Any) -> None:
        """Show the still form, then the panel, which hides it for as long as it lives.

        In one output JupyterLab would take the panel even where its kernel is gone, and show that
        it is missing.
        """
        from IPython.display import display

        self._displayed = True
        display(self._still_output(), raw=True, display_id=self.still_key)  # type: ignore[no-untyped-call]
        shown = self._repr_mimebundle_()
        if shown is not None:
            data, metadata = shown
            view = {kind: data[kind] for kind in data if kind != "text/plain"}
            display(view, metadata=metadata, raw=True)  # type: ignore[no-untyped-call]

    def _still_output(self) -> dict[str, str]:
        """Return the still form as an output."""
        note = escape(say("panel.still", self.language))
        html = (
            f'<div class="nbasr-still" data-panel="{self.still_key}"><style>{_MISSING}</style>'
            f'{self.still()}<div style="opacity:0.75;font-size:12px">{note}</div></div>'
        )
        return {"text/html": html, "text/plain": repr(self)}

    def _tell_still(self) -> None:
        """Put the still form into the notebook in place of the one before."""
        from IPython.display import update_display

        if not self._displayed:
            return
        try:
            update_display(self._still_output(), display_id=self.still_key, raw=True)  # type: ignore[no-untyped-call]
        except Exception as error:
            self.tell("problem", problem_of(error))


def _take_as_sent(comm: Any) -> None:
    """Let messages go to the subshell for which the browser sent them, though a cell is running.

    ipykernel 7.4 sends them to where the kernel last spoke from: after a word of a thread of ours,
    that is the shell, where they would wait for the end of the running cell. Nothing of ours waits
    in a cell for an answer, for which that is made.
    """
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda _, sent_for: sent_for


def problem_of(error: Exception) -> dict[str, str]:
    """Return what to show of an error: our own are sentences, others come with where they arose."""
    if isinstance(error, NbasrError):
        return {"error": str(error), "trace": ""}
    trace = "".join(traceback.format_exception(error))
    return {"error": f"{type(error).__name__}: {error}", "trace": trace}
