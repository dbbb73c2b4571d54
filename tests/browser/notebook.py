"""One notebook, opened in a page of its own: run its cells, look at outputs, ask its kernel."""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page

from browser.kernel import ANSI, KernelProbe
from browser.servers import JupyterServer
from browser.traffic import Message, Traffic

BUILD = Path(__file__).parent.parent.parent / "build"
SCREENSHOTS = BUILD / "screenshots"

OPENED_WITHIN = 120.0
"""Seconds that a page may take until its kernel is ready; 5 s to 9 s is usual."""
RUN_WITHIN = 180.0
"""Seconds that cells may run, unless a test says otherwise."""
ACTED_WITHIN = 30.0
"""Seconds that a click or a look-up waits for its element."""

KERNELSPEC = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}

NOISE = re.compile(
    r"favicon|WebGL|webgl|GPU stall|ResizeObserver loop|source ?map|Autofocus processing"
    r"|Failed to load resource: the server responded with a status of 404"
    r"|preload(ed)? using link|WebSocket connection to .* failed|ERR_CONNECTION_RESET"
    r"|Failed to execute 'removeChild' on 'Node'"  # the splash of a second change of theme
    r"|Could not restore the debugger state"  # JupyterLab asked, and the kernel was restarted
)
"""Console errors of the front ends themselves, or of connections that a test has cut."""

_numbers = itertools.count(1)


class CellError(AssertionError):
    """A cell raised; the message is its traceback."""


class Notebook:
    """A notebook on the screen. The fixture `open_notebook` makes these.

    Attributes
    ----------
    page : playwright.sync_api.Page
        The page that shows it.
    traffic : browser.traffic.Traffic
        What has gone over the kernel's websocket.
    console_errors : list of str
        Errors of the page, without the front end's own noise.
    """

    def __init__(
        self,
        browser: Browser,
        host: JupyterServer,
        cells: Sequence[str],
        *,
        theme: str = "light",
        width: int = 1280,
        height: int = 900,
        locale: str = "en-US",
        record_traffic: bool = True,
    ) -> None:
        self.host = host
        self.name = f"notebook-{next(_numbers)}"
        self.path = host.root / f"{self.name}.ipynb"
        self.path.write_text(_written(cells), encoding="utf-8")
        host.set_theme(theme)
        self._kernel_id = host.start_kernel(self.path.name)  # starts while the page loads
        self.context = browser.new_context(
            viewport={"width": width, "height": height},
            locale=locale,
            accept_downloads=True,
            permissions=["clipboard-read", "clipboard-write", "microphone"],
        )
        self._probe: KernelProbe | None = None
        self.console_errors: list[str] = []
        self.traffic = Traffic()
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(ACTED_WITHIN * 1000)
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self._complain(error.stack or str(error)))
        if record_traffic:
            self.traffic.watch(self.page)
        self._open()

    # -- Running ------------------------------------------------------------------------------

    def run(
        self,
        index: int | None = None,
        *,
        check: bool = True,
        wait: bool = True,
        timeout: float = RUN_WITHIN,
    ) -> None:
        """Run one cell, or all, and wait until they are done.

        Parameters
        ----------
        index : int, optional
            Which cell; all where None.
        check : bool
            Raise when a cell raises.
        wait : bool
            False returns at once; `wait_run` waits later.
        timeout : float
            Seconds.

        Raises
        ------
        CellError
            A cell raised, and the message is its traceback; or the kernel died.
        """
        self.page.evaluate(
            """index => {
                const panel = window.nbasrPanel, run = {done: false, died: false, error: null};
                window.nbasrRun = run;
                if (index !== null) {
                    panel.content.deselectAll();
                    panel.content.activeCellIndex = index;
                }
                const command = index === null ? "notebook:run-all-cells" : "notebook:run-cell";
                window.jupyterapp.commands.execute(command).then(
                    () => { run.done = true; },
                    error => { run.done = true; run.error = String(error); });
            }""",
            self._index(index) if index is not None else None,
        )
        self._ran = index
        if wait:
            self.wait_run(check=check, timeout=timeout)

    def wait_run(self, *, check: bool = True, timeout: float = RUN_WITHIN) -> None:
        """Wait until what `run(wait=False)` began is done."""
        self.page.wait_for_function("() => window.nbasrRun.done", timeout=timeout * 1000)
        run = self.page.evaluate("window.nbasrRun")
        if not check:
            return
        if run["died"]:
            raise CellError(f"The kernel died:\n{self.host.log()[-1500:]}")
        if run["error"]:
            raise CellError(run["error"])
        cells = range(self.cell_count) if self._ran is None else [self._ran]
        for index in cells:
            if traceback := self._traceback(index):
                raise CellError(traceback)

    def restart_kernel(self) -> None:
        """Restart the kernel, without a question, and wait until it is ready."""
        self.page.evaluate("window.nbasrPanel.sessionContext.session.kernel.restart()")
        self._wait_until_idle()

    def drop_connection(self, refuse_for: float = 0.0) -> None:
        """Cut the page's websocket to the kernel, and wait until the page has connected again."""
        connections = "window.nbasrConnection.filter((status) => status === 'connected').length"
        before = self.page.evaluate(connections)
        assert self.host.drop_connections(refuse_for), "there was a connection to cut"
        self.page.wait_for_function(f"{connections} > {before}", timeout=OPENED_WITHIN * 1000)

    def clear_output(self, index: int) -> None:
        """Clear what a cell shows."""
        self.page.evaluate(
            """index => {
                window.nbasrPanel.content.deselectAll();
                window.nbasrPanel.content.activeCellIndex = index;
                return window.jupyterapp.commands.execute("notebook:clear-cell-output");
            }""",
            self._index(index),
        )

    # -- Looking ------------------------------------------------------------------------------

    @property
    def cell_count(self) -> int:
        """How many cells there are."""
        return self.page.evaluate("window.nbasrPanel.content.widgets.length")

    def cell(self, index: int) -> Locator:
        """Return a cell: its source and its output."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(self._index(index))

    def output(self, index: int) -> Locator:
        """Return the output area of a cell."""
        return self.cell(index).locator(".jp-Cell-outputArea")

    def panel(self, index: int = -1) -> Locator:
        """Return the first panel of nbasr in the output of a cell; -1 is the last cell."""
        return self.output(index).locator(".nbasr").first

    def error_text(self, index: int) -> str:
        """Return `Error: message` of a cell that raised, else an empty text."""
        for output in self._outputs(index):
            if output["output_type"] == "error":
                return f"{output['ename']}: {output['evalue']}"
        return ""

    def evaluate(self, expression: str, timeout: float = RUN_WITHIN) -> Any:
        """Return the value of a Python expression in the kernel, through JSON; arrays as lists.

        It goes past the page, so nothing there changes; it waits while a cell runs. It may overtake
        what the page has just sent: after a click, use `wait_value`.
        """
        return self._kernel().evaluate(expression, timeout)

    def wait_value(self, expression: str, value: Any, timeout: float = ACTED_WITHIN) -> None:
        """Wait until a Python expression in the kernel has a value."""
        until = time.monotonic() + timeout
        while (found := self.evaluate(expression)) != value:
            assert time.monotonic() < until, f"{expression} is {found!r}, not {value!r}"
            self.page.wait_for_timeout(20)

    def execute(self, code: str, timeout: float = RUN_WITHIN) -> None:
        """Run Python statements in the kernel, past the page."""
        self._kernel().execute(code, timeout)

    def save(self) -> dict[str, Any]:
        """Save the notebook; return what the file then holds."""
        self.page.evaluate("window.nbasrPanel.context.save()")
        return json.loads(self.path.read_text(encoding="utf-8"))

    def comm_messages(self) -> list[Message]:
        """Return the messages of widgets since the last `traffic.reset()`."""
        # Playwright hands over what it heard only when it is called.
        self.page.evaluate("0")
        return [message for message in self.traffic.messages if message.type.startswith("comm_")]

    def set_theme(self, theme: str) -> None:
        """Change the theme while the notebook is shown: "light" or "dark"."""
        self.page.evaluate(
            "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})",
            f"JupyterLab {theme.capitalize()}",
        )
        light = "true" if theme == "light" else "false"
        self.page.locator(f'body[data-jp-theme-light="{light}"]').wait_for(state="attached")

    def settle(self, quiet: float = 0.7, timeout: float = 60.0) -> None:
        """Wait until kernel and page have said nothing for so many seconds: for pictures."""
        until = time.monotonic() + timeout
        before = -1
        while before != len(self.traffic.messages) and time.monotonic() < until:
            before = len(self.traffic.messages)
            self.page.wait_for_timeout(quiet * 1000)

    def screenshot(self, name: str, of: Locator | None = None) -> Path:
        """Save a picture of the page, or of one element, into build/screenshots/."""
        path = SCREENSHOTS / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        (of or self.page).screenshot(path=path)
        return path

    def axe(self, of: str | Locator = ".nbasr") -> list[dict[str, Any]]:
        """Return what axe finds wrong in an element: violations, each with `id` and `nodes`."""
        return axe_violations(self.page, of)

    def reload(self) -> None:
        """Load the page anew, as it is on disk; the kernel goes on."""
        self._open()

    def close(self) -> None:
        """Close the page and shut the kernel down."""
        if self._probe is not None:
            self._probe.close()
        self.context.close()
        self.host.end_kernel(self._kernel_id)

    # -- Within -------------------------------------------------------------------------------

    def _open(self) -> None:
        self.page.goto(self.host.page_of(self.path.name, self.name))
        self.page.wait_for_function(
            """name => {
                const panel = window.jupyterapp?.shell?.currentWidget;
                if (panel?.context?.path !== name || !panel.sessionContext?.isReady) return false;
                window.nbasrPanel = panel;
                window.nbasrConnection = [];  // what has become of the connection since
                panel.sessionContext.connectionStatusChanged.connect(
                    (_, status) => { window.nbasrConnection.push(status); });
                panel.sessionContext.statusChanged.connect((_, status) => {
                    if (!["dead", "autorestarting"].includes(status) || !window.nbasrRun) return;
                    Object.assign(window.nbasrRun, {done: true, died: true});
                });
                return true;
            }""",
            arg=self.path.name,
            timeout=OPENED_WITHIN * 1000,
        )
        self.page.evaluate(
            """() => {
                const shell = window.jupyterapp.shell;
                shell.collapseLeft?.();
                shell.collapseRight?.();
            }"""
        )
        self._wait_until_idle()
        shown = self.page.evaluate("window.nbasrPanel.sessionContext.session.kernel.id")
        assert shown == self._kernel_id, "the page has found the kernel that waited for it"

    def _wait_until_idle(self) -> None:
        self.page.wait_for_function(
            """() => {
                const kernel = window.nbasrPanel.sessionContext.session?.kernel;
                return kernel?.status === "idle" && kernel.connectionStatus === "connected";
            }""",
            timeout=OPENED_WITHIN * 1000,
        )

    def _kernel(self) -> KernelProbe:
        if self._probe is None:
            self._probe = KernelProbe(self.host.connection_file(self._kernel_id))
        return self._probe

    def _outputs(self, index: int) -> list[dict[str, Any]]:
        return self.page.evaluate(
            "index => window.nbasrPanel.content.widgets[index].model.outputs?.toJSON() ?? []",
            self._index(index),
        )

    def _traceback(self, index: int) -> str:
        for output in self._outputs(index):
            if output["output_type"] == "error":
                return ANSI.sub("", "\n".join(output["traceback"])) or self.error_text(index)
        return ""

    def _index(self, index: int) -> int:
        return index if index >= 0 else self.cell_count + index

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._complain(message.text)

    def _complain(self, text: str) -> None:
        if not NOISE.search(text):
            self.console_errors.append(text)


def axe_violations(page: Page, of: str | Locator) -> list[dict[str, Any]]:
    """Return what axe finds wrong in an element of a page."""
    if isinstance(of, Locator):
        of.evaluate(
            """element => {
                document.querySelectorAll("[data-axe]").forEach(e => e.removeAttribute("data-axe"));
                element.setAttribute("data-axe", "");
            }"""
        )
        of = "[data-axe]"
    return Axe().run(page, context=of).response["violations"]


def _written(cells: Sequence[str]) -> str:
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
        metadata={"kernelspec": KERNELSPEC, "language_info": {"name": "python"}},
    )
    return nbformat.writes(notebook)
