"""A browser's page as a panel sees it: it asks, and hears answers and what is told unasked."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from nbasr.widgets._panel import Panel

PATIENCE = 60.0  # seconds; what answers in a thread of its own does so long before


class Reply(NamedTuple):
    """An answer to a question, or an event: something that was told unasked."""

    content: dict[str, Any]
    buffers: Sequence[Any]

    @property
    def data(self) -> dict[str, Any]:
        if "event" in self.content:
            return self.content
        assert "error" not in self.content, self.content
        return self.content["data"]

    @property
    def error(self) -> str:
        """The sentence of what was refused: only errors that are not our own have a trace."""
        assert self.content.get("trace") == "", self.content
        return self.content["error"]


class Page:
    """A page that shows a panel: what the panel sends comes here.

    What comes must be JSON as browsers read it, which have no NaN.
    """

    reply: type[Reply] = Reply

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self.told: list[Reply] = []  # all events
        self._passed = 0  # of them
        self._answers: dict[int, Reply] = {}
        self._numbers = itertools.count()
        self._news = threading.Condition()
        panel.send = self._hear  # type: ignore[method-assign]

    def _hear(self, content: dict[str, Any], buffers: Sequence[Any] = ()) -> None:
        json.dumps(content, allow_nan=False)
        reply = self.reply(content, buffers)
        with self._news:
            if "answer" in content:
                self._answers[content["answer"]] = reply
            else:
                self.told.append(reply)
            self._news.notify_all()

    def wait(self, until: Callable[[], Any]) -> None:
        """Wait until something is so; looked at whenever something is heard."""
        with self._news:
            assert self._news.wait_for(until, PATIENCE), self.told

    def post(self, kind: str, /, *buffers: bytes, **values: Any) -> int:
        """Ask, and return the number of the question."""
        number = next(self._numbers)
        asked = {"ask": kind, "number": number, **values}
        self.panel._handle_custom_msg(asked, [memoryview(one) for one in buffers])
        return number

    def answer(self, number: int) -> Reply:
        """Wait for the answer to a question."""
        self.wait(lambda: number in self._answers)
        return self._answers[number]

    def ask(self, kind: str, /, *buffers: bytes, **values: Any) -> Reply:
        """Ask, and wait for the answer."""
        return self.answer(self.post(kind, *buffers, **values))

    def data(self, kind: str, /, *buffers: bytes, **values: Any) -> dict[str, Any]:
        """Ask for what must not be refused."""
        return self.ask(kind, *buffers, **values).data

    def event(self, name: str) -> Reply:
        """Wait for an event; those before it are passed over."""

        def names() -> list[str]:
            return [one.content["event"] for one in self.told]

        self.wait(lambda: name in names()[self._passed :])
        self._passed = names().index(name, self._passed) + 1
        return self.told[self._passed - 1]

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return what was told in all events of a name up to now."""
        return [one.data for one in self.told if one.content["event"] == name]
