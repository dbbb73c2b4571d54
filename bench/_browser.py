"""What `bench.panels` needs around it: recordings, JupyterLab, Chromium, memory of processes."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import threading
import time
import wave
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from browser.harness import (  # noqa: E402
    NO_CHROMIUM,
    SWITCHES,
    JupyterServer,
    Notebook,
    find_chromium,
)

from bench._cdp import Chromium, chromium_alone  # noqa: E402

MEGABYTE = 1_000_000
SAMPLED_EVERY = 0.02
"""Seconds between two looks at the memory of a process."""


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def high(values: Sequence[float]) -> float:
    """Return the 95th percentile."""
    return float(np.percentile(values, 95))


def verdict(value: float, limit: float) -> str:
    return "reached" if value <= limit else "MISSED"


class Metered:
    """Chromium whose pages have ``window.nbasrMeter``."""

    def __init__(self, browser: Chromium) -> None:
        self._browser = browser
        self._script = (HERE / "_meter.js").read_text(encoding="utf-8")

    def new_context(self, **options: Any) -> Any:
        return self._browser.new_context(**options, script=self._script)


class Screen:
    """Notebooks on a screen, and a folder for files.

    Attributes
    ----------
    folder : Path
        Goes with it.
    """

    def __init__(self, browser: Chromium, server: JupyterServer, folder: Path) -> None:
        self.folder = folder
        self._browser, self._server = Metered(browser), server

    @contextmanager
    def notebook(self, *cells: str) -> Iterator[Page]:
        """Open a notebook, run its first cell, close it in the end."""
        opened = Notebook(self._browser, self._server, cells, record_traffic=False)  # type: ignore[arg-type]
        try:
            opened.run(0)
            yield Page(opened)
        finally:
            opened.close()


class Page:
    """A notebook that is measured."""

    def __init__(self, notebook: Notebook) -> None:
        self.notebook = notebook

    def meter(self, name: str, *given: Any) -> Any:
        """Call a function of ``_meter.js``; what measures frames gets the processor's time, too."""
        page = self.notebook.page
        before = page.processor_seconds()
        found = page.evaluate(
            "([name, ...given]) => window.nbasrMeter[name](...given)", [name, *given]
        )
        if isinstance(found, dict) and "work" in found:
            busy = page.processor_seconds() - before
            found["busy"] = [1000 * busy / len(found["work"])]
        return found

    def show(self, cell: int, kind: str) -> tuple[float, float]:
        """Run a cell; return seconds until it has drawn, and the bytes that came for it."""
        found = self.meter("cell", cell, kind)
        return found["seconds"], found["bytes"]

    def clean(self, *cells: int, then: str = "") -> None:
        """Take widgets and outputs away; run statements in the kernel."""
        self.notebook.execute(f"import ipywidgets\nipywidgets.Widget.close_all()\n{then}")
        for cell in cells:
            self.notebook.clear_output(cell)


class Memory:
    """How much more memory a notebook's kernel and its server hold than at the beginning."""

    def __init__(self, notebook: Notebook) -> None:
        kernel = psutil.Process(notebook.evaluate("__import__('os').getpid()"))
        self._processes = {"kernel": kernel, "server": kernel.parents()[0]}
        self._seen: list[tuple[float, dict[str, int]]] = []

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Look at it again and again."""
        done = threading.Event()

        def look() -> None:
            while not done.wait(SAMPLED_EVERY if self._seen else 0):
                held = {name: one.memory_info().rss for name, one in self._processes.items()}
                self._seen.append((time.monotonic(), held))

        watch = threading.Thread(target=look, daemon=True)
        watch.start()
        try:
            yield
        finally:
            done.set()
            watch.join()

    def growth(self, name: str, seconds: float = float("inf")) -> float:
        """Return the most that a process had grown within so many seconds, in bytes."""
        begun, before = self._seen[0]
        held = [held[name] for at, held in self._seen if at - begun <= seconds]
        return max(held) - before[name]


@contextmanager
def screen() -> Iterator[Screen]:
    """Start JupyterLab and Chromium, with settings and a cache of their own."""
    if (program := find_chromium()) is None:
        raise SystemExit(NO_CHROMIUM.replace("browser tests skipped: n", "N"))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        os.environ["NBASR_HOME"] = str(folder / "home")
        os.environ["NBASR_CACHE"] = str(folder / "cache")
        server = JupyterServer("lab", folder)
        server.url = server.direct_url  # the tests' proxy would be measured, too
        try:
            with chromium_alone(program, SWITCHES, folder / "profile") as browser:
                yield Screen(browser, server, folder)
        finally:
            server.stop()


def write_hours(folder: Path, hours: int, *, mark: int = 0) -> Path:
    """Write the long meeting that often as a WAV file; another `mark` gives another file."""
    from nbasr import samples

    path = folder / f"{hours} h, {mark}.wav"
    recording, _ = samples.long_meeting(60)
    hour = np.array(recording.samples)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        for _ in range(hours):
            hour[:4] = mark
            file.writeframes(hour.tobytes())
    return path
