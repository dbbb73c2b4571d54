"""Finds Chromium and starts it as the tests need it; hands out the harness's other parts."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from playwright.sync_api import Browser, sync_playwright

from browser.bare import BarePage
from browser.notebook import CellError, Notebook
from browser.servers import JupyterServer

__all__ = [
    "NO_CHROMIUM",
    "BarePage",
    "CellError",
    "JupyterServer",
    "Notebook",
    "chromium_running",
    "find_chromium",
    "limited_to",
]

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

NO_CHROMIUM = (
    "browser tests skipped: no Chromium; apt install chromium, or set NBASR_CHROMIUM to its program"
)

SWITCHES = (
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)


def find_chromium() -> str | None:
    """Return the program of Chromium or Chrome, or None.

    Raises
    ------
    FileNotFoundError
        NBASR_CHROMIUM names something else.
    """
    if named := os.environ.get("NBASR_CHROMIUM"):
        if not (path := shutil.which(named)):
            raise FileNotFoundError(f"NBASR_CHROMIUM is {named}, which is no program.")
        return path
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@contextmanager
def chromium_running(microphone: Path | None = None) -> Iterator[Browser]:
    """Run Chromium; its microphone hears a WAV file once, from each time it is opened."""
    heard = [] if microphone is None else [f"--use-file-for-fake-audio-capture={microphone}%noloop"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(), args=[*SWITCHES, *heard]
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def limited_to(seconds: float) -> Iterator[None]:
    """End the browser after so long: what waits for a page that hangs then raises."""
    watch = threading.Timer(seconds, _end_browsers)
    watch.start()
    try:
        yield
    finally:
        watch.cancel()
        watch.join()


def _end_browsers() -> None:
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if "--remote-debugging-pipe" in process.cmdline():
                process.kill()
