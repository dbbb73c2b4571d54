"""What every panel shares: its module, its requests to the kernel, its form without a kernel."""

from __future__ import annotations

import inspect
import threading
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ClassVar, NamedTuple, TypeVar

import anywidget
import traitlets

from nbasr import settings
from nbasr.errors import NbasrError
from nbasr.widgets import _bundle

_Handler = TypeVar("_Handler", bound=Callable[..., Any])
_MARK = "_nbasr_answers"


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


class Panel(anywidget.AnyWidget):
    """A panel: a widget whose front end is ES modules of `nbasr.widgets.static`.

    Parameters
    ----------
    language
        Of the controls: ``"en"``, ``"zh"``, or ``""`` for the setting ``interface_language``, else
        the browser's.
    """

    language = traitlets.Unicode("").tag(sync=True)

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
        super().__init__(**traits)
        self.on_msg(self._asked)

    def still(self) -> str:
        """Return the panel as HTML that needs no kernel: for saved notebooks."""
        raise NotImplementedError

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
                self.tell("problem", _problem(error))

        return self._thread(thread).submit(guarded)

    def close(self) -> None:
        """Take the panel away, from the notebook too; what it was doing is not waited for."""
        if "_threads" in self.__dict__:  # else it was refused before it began
            with self._threads_lock:
                for thread in self._threads.values():
                    thread.shutdown(wait=False, cancel_futures=True)
        super().close()

    def __del__(self) -> None:
        if "_threads" in self.__dict__:  # else it was refused, and nothing in it is there to close
            super().__del__()

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
        name, aside = self._handlers.get(kind, ("", False))

        def answer() -> None:
            try:
                method = getattr(self, name)
                if "buffers" in inspect.signature(method).parameters:
                    content["buffers"] = buffers
                found = method(**content)
            except Exception as error:
                self.send({"answer": number, **_problem(error)})
                return
            if not isinstance(found, Answer):
                found = Answer(found or {})
            self.send({"answer": number, "data": found.data}, list(found.buffers))

        if aside:
            self._thread("" if aside is True else aside).submit(answer)
        else:
            answer()

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        shown = super()._repr_mimebundle_(**kwargs)
        if shown is None:
            return None
        data, metadata = shown
        return {**data, "text/plain": repr(self), "text/html": self.still()}, metadata


def _problem(error: Exception) -> dict[str, str]:
    """Return what to show of an error: our own are sentences, others come with where they arose."""
    if isinstance(error, NbasrError):
        return {"error": str(error), "trace": ""}
    trace = "".join(traceback.format_exception(error))
    return {"error": f"{type(error).__name__}: {error}", "trace": trace}
