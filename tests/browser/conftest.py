"""What browser tests share: servers, Chromium, notebooks on the screen; pictures of failures."""

from __future__ import annotations

import contextlib
import os
import re
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from browser.harness import (
    NO_CHROMIUM,
    BarePage,
    JupyterServer,
    Notebook,
    chromium_running,
    find_chromium,
    limited_to,
)
from browser.notebook import ACTED_WITHIN, BUILD

HERE = Path(__file__).parent
FAILURES = BUILD / "browser-failures"

LONGEST = 600.0
"""Seconds after which a test that still waits for its page loses the browser."""

expect.set_options(timeout=ACTED_WITHIN * 1000)  # machines of tests are slow now and then

OpenNotebook = Callable[..., Notebook]

_open: list[Notebook] = []


@pytest.hookimpl(tryfirst=True)  # before `-m browser` looks for the mark
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the browser tests, put them last, skip them where there is no browser."""
    ours = [item for item in items if HERE in item.path.parents]
    # Last: Playwright keeps an event loop in this thread, which others need for their own.
    items.sort(key=lambda item: HERE in item.path.parents)
    try:
        missing = find_chromium() is None
    except FileNotFoundError as error:
        raise pytest.UsageError(str(error)) from None
    if missing and ours and os.environ.get("NBASR_REQUIRE_BROWSER"):
        raise pytest.UsageError(
            "NBASR_REQUIRE_BROWSER is set, but no Chromium was found: apt install chromium, "
            "or set NBASR_CHROMIUM to its program."
        )
    for item in ours:
        item.add_marker(pytest.mark.browser)
        if missing:
            item.add_marker(pytest.mark.skip(NO_CHROMIUM))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Give every skip for want of a browser the same place, so that one line tells them all."""
    report = yield
    if report.skipped and isinstance(report.longrepr, tuple) and NO_CHROMIUM in report.longrepr[2]:
        report.longrepr = (str(HERE), None, NO_CHROMIUM)
    if report.failed and _open:
        _keep_failure(re.sub(r"[^\w-]+", "-", item.nodeid.split("::", 1)[-1]))
    return report


def _keep_failure(name: str) -> None:
    """Save what the screens show, and what the servers have said."""
    FAILURES.mkdir(parents=True, exist_ok=True)
    for notebook in _open:
        stem = FAILURES / f"{name}-{notebook.name}"
        with contextlib.suppress(Exception):  # the test's own error is the one to tell
            notebook.page.screenshot(path=f"{stem}.png", timeout=10_000)
        told = [*notebook.console_errors, "", notebook.host.log()]
        Path(f"{stem}.log").write_text("\n".join(told), encoding="utf-8")


@pytest.fixture(autouse=True)
def _finite() -> Iterator[None]:
    """Let no page hold up the tests for ever."""
    with limited_to(LONGEST):
        yield


@pytest.fixture(scope="session")
def microphone_wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a WAV file of six seconds of speech: what the browser's microphone hears."""
    from nbasr import samples

    recording = samples.open("meeting")
    path = tmp_path_factory.mktemp("microphone") / "microphone.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(recording.sample_rate)
        file.writeframes(recording.samples[: 6 * recording.sample_rate].astype("<i2").tobytes())
    return path


@pytest.fixture(scope="session")
def chromium(microphone_wav: Path) -> Iterator[Browser]:
    """Return a running Chromium, whose microphone hears `microphone_wav`."""
    with chromium_running(microphone_wav) as browser:
        yield browser


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """Return a running JupyterLab."""
    server = JupyterServer("lab", tmp_path_factory.mktemp("lab"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def notebook7(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """Return a running Notebook 7."""
    server = JupyterServer("notebook7", tmp_path_factory.mktemp("notebook7"))
    yield server
    server.stop()


@contextlib.contextmanager
def _opener(browser: Browser, request: pytest.FixtureRequest) -> Iterator[OpenNotebook]:
    opened: list[Notebook] = []

    def open_one(cells: list[str], **options: Any) -> Notebook:
        host = options.pop("host", None) or request.getfixturevalue("lab")
        notebook = Notebook(browser, host, cells, **options)
        opened.append(notebook)
        _open.append(notebook)
        return notebook

    try:
        yield open_one
    finally:
        for notebook in reversed(opened):
            _open.remove(notebook)
            notebook.close()


@pytest.fixture
def open_notebook(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[OpenNotebook]:
    """Return a function that opens a notebook of given cells, until the test ends."""
    with _opener(chromium, request) as opener:
        yield opener


@pytest.fixture(scope="module")
def module_notebook(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[OpenNotebook]:
    """Return the same function; what it opens stays open for all tests of the module."""
    with _opener(chromium, request) as opener:
        yield opener


@pytest.fixture(scope="session")
def bare_page(chromium: Browser) -> Iterator[BarePage]:
    """Return a blank page that can call what the panels' modules export."""
    page = BarePage(chromium)
    yield page
    page.close()
