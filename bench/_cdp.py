"""Chromium by its own protocol, for measuring: Playwright copies all that websockets carry.

Of a page there is what `browser.notebook.Notebook` needs of Playwright's.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import websocket

PATIENCE = 60.0
"""Seconds within which Chromium starts, and pages get ready."""

LONGEST = 900.0
"""Seconds that one call may take."""

QUIET = (
    "--headless",
    "--no-first-run",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--remote-debugging-port=0",
)


class PageError(RuntimeError):
    """The page or the browser answered with an error."""


@contextmanager
def chromium_alone(program: str, switches: tuple[str, ...], folder: Path) -> Iterator[Chromium]:
    """Run Chromium with a profile in `folder`."""
    command = [program, *switches, *QUIET, f"--user-data-dir={folder}", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        told = folder / "DevToolsActivePort"
        until = time.monotonic() + PATIENCE
        while not (told.is_file() and len(lines := told.read_text().split()) == 2):
            if process.poll() is not None or time.monotonic() > until:
                raise PageError("Chromium did not start.")
            time.sleep(0.05)
        yield Chromium(f"ws://127.0.0.1:{lines[0]}{lines[1]}")
    finally:
        process.terminate()
        process.wait(30)


class Chromium:
    """A running browser."""

    def __init__(self, address: str) -> None:
        self._socket = websocket.create_connection(address, suppress_origin=True, timeout=LONGEST)
        self._number = 0

    def call(self, method: str, session: str | None = None, **given: Any) -> dict[str, Any]:
        """Call a method of the protocol and wait for its answer; events are left out."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": given}
        self._socket.send(json.dumps(message | ({"sessionId": session} if session else {})))
        while (answer := json.loads(self._socket.recv())).get("id") != self._number:
            pass
        if "error" in answer:
            raise PageError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def new_context(self, *, viewport: dict[str, int], script: str, **_: Any) -> Context:
        """Return a context of its own, whose pages run a script before all others."""
        return Context(self, viewport, script)


class Context:
    """Pages that share cookies and nothing else."""

    def __init__(self, browser: Chromium, viewport: dict[str, int], script: str) -> None:
        self._browser, self._viewport, self._script = browser, viewport, script
        self._id = browser.call("Target.createBrowserContext")["browserContextId"]

    def new_page(self) -> Page:
        wanted = {"url": "about:blank", "browserContextId": self._id}
        target = self._browser.call("Target.createTarget", **wanted)["targetId"]
        wanted = {"targetId": target, "flatten": True}
        session = self._browser.call("Target.attachToTarget", **wanted)["sessionId"]
        return Page(self._browser, session, self._viewport, self._script)

    def close(self) -> None:
        self._browser.call("Target.disposeBrowserContext", browserContextId=self._id)


class Page:
    """A page."""

    def __init__(
        self, browser: Chromium, session: str, viewport: dict[str, int], script: str
    ) -> None:
        self._browser, self._session = browser, session
        self.call("Page.enable")
        self.call("Page.addScriptToEvaluateOnNewDocument", source=script)
        self.call(
            "Emulation.setDeviceMetricsOverride", **viewport, deviceScaleFactor=1, mobile=False
        )
        self.call("Performance.enable", timeDomain="threadTicks")

    def call(self, method: str, **given: Any) -> dict[str, Any]:
        return self._browser.call(method, self._session, **given)

    def goto(self, address: str) -> None:
        self.call("Page.navigate", url=address)

    def evaluate(self, code: str, given: Any = None) -> Any:
        """Return the value of an expression; if that is a function, what it returns."""
        return self._evaluate(_applied(code, given), returnByValue=True).get("value")

    def wait_for_function(self, code: str, *, arg: Any = None, timeout: float) -> None:
        until = time.monotonic() + timeout / 1000
        while True:
            try:
                if self.evaluate(f"async (given) => Boolean(await ({code})(given))", arg):
                    return
            except PageError:  # it is loading
                pass
            if time.monotonic() > until:
                raise PageError(f"Not within {timeout / 1000:g} s: {code}")
            time.sleep(0.02)

    def choose_file(self, code: str, path: Path) -> None:
        """Give a file to the input that an expression returns."""
        found = self._evaluate(_applied(code, None))["objectId"]
        self.call("DOM.setFileInputFiles", files=[str(path)], objectId=found)

    def processor_seconds(self) -> float:
        """Return how long the page's main thread has worked, by the processor's clock."""
        told = self.call("Performance.getMetrics")["metrics"]
        return next(float(one["value"]) for one in told if one["name"] == "TaskDuration")

    def on(self, *_: Any) -> None:
        """Listen to nothing: what the console says is for tests."""

    def set_default_timeout(self, _: float) -> None:
        """Leave it: each wait has its own."""

    def _evaluate(self, expression: str, **options: Any) -> dict[str, Any]:
        answer = self.call(
            "Runtime.evaluate",
            expression=expression,
            awaitPromise=True,
            userGesture=True,
            **options,
        )
        if error := answer.get("exceptionDetails"):
            raise PageError(error.get("exception", {}).get("description") or error["text"])
        return answer["result"]


def _applied(code: str, given: Any) -> str:
    return f"((it) => typeof it === 'function' ? it({json.dumps(given)}) : it)({code})"
