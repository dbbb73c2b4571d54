"""The upload panel in real JupyterLab: every way in, what breaks off, what is told."""

from __future__ import annotations

import contextlib
import hashlib
import re
import threading
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator, expect
from soundfiles import encode, speechlike, tone

from browser.harness import BarePage, JupyterServer, Notebook
from nbasr.audio._wav import make_header

expect.set_options(timeout=30_000)  # the machines of tests are slow now and then

CELL = "import nbasr\npanel = nbasr.UploadPanel('{folder}')\npanel"
BIG = 120_000_000


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of small recordings, and of what is none."""
    folder = tmp_path_factory.mktemp("sounds")
    encode(folder / "interview.mp3", "libmp3lame", speechlike(4.0))
    encode(folder / "tone.flac", "flac", tone(2.0))
    encode(folder / "访谈 1.flac", "flac", speechlike(3.0, seed=1))
    (folder / "notes.wav").write_text("only words " * 99)
    (folder / "again.mp3").write_bytes((folder / "interview.mp3").read_bytes())
    inner = folder / "calls" / "monday"
    inner.mkdir(parents=True)
    encode(inner / "call 2.flac", "flac", tone(1.0, hertz=300))
    encode(inner / "call 10.flac", "flac", tone(1.0, hertz=200))
    (folder / "calls" / "readme.txt").write_text("words")
    return folder


def wav(path: Path, size: int) -> Path:
    """Write a mono 16 kHz WAV file of so many bytes of noise."""
    header = make_header((size - len(make_header(0))) // 2)
    noise = np.random.default_rng(size).integers(-900, 900, 1 << 20, dtype=np.int16).tobytes()
    with path.open("wb") as file:
        file.write(header)
        while (left := size - file.tell()) > 0:
            file.write(noise[:left])
    return path


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wav(tmp_path_factory.mktemp("big") / "long.wav", BIG)


Opened = tuple[Notebook, Locator]


@pytest.fixture(scope="module")
def shared(module_notebook: Callable[..., Notebook]) -> Notebook:
    return module_notebook(["0"], height=1000, record_traffic=False)


@pytest.fixture
def opened(shared: Notebook, request: pytest.FixtureRequest) -> Opened:
    """Return a notebook with a fresh panel on a folder of its own."""
    return fresh(shared, request.node.name)


def fresh(notebook: Notebook, folder: str) -> Opened:
    notebook.page.evaluate(
        "text => window.nbasrPanel.content.widgets[0].model.sharedModel.setSource(text)",
        CELL.format(folder=folder),
    )
    notebook.run(0)
    panel = notebook.panel(0)
    expect(panel.locator(".nb-kept")).to_contain_text(folder)
    return notebook, panel


def choose(panel: Locator, *files: Path) -> None:
    panel.locator("input[type=file][multiple]").set_input_files([str(file) for file in files])


def row(panel: Locator, name: str) -> Locator:
    return (
        panel.get_by_role("list", name="Recordings").get_by_role("listitem").filter(has_text=name)
    )


def ready(panel: Locator, count: int, timeout: float = 30.0) -> None:
    expect(panel.locator("[data-state=ready]")).to_have_count(count, timeout=timeout * 1000)


HOLD = """
import threading
from nbasr.widgets._receiving import Incoming

plain = Incoming.write
gate = threading.Event()
taken = []


def write(self, offset, data):
    if offset >= 48_000_000:
        gate.wait(60)
    taken.append(offset)
    return plain(self, offset, data)


Incoming.write = write
"""


@contextlib.contextmanager
def held(notebook: Notebook) -> Iterator[None]:
    """Let the kernel take 12 slices, and the others only afterwards."""
    notebook.execute(HOLD)
    try:
        yield
    finally:
        notebook.execute("gate.set(); Incoming.write = plain")


def has_come_to(panel: Locator, percent: int) -> None:
    expect(panel.get_by_role("progressbar")).to_have_attribute("aria-valuenow", str(percent))


def names(notebook: Notebook) -> list[str]:
    return notebook.evaluate("[recording.name for recording in panel.recordings]")


def digest(notebook: Notebook, name: str) -> str:
    return notebook.evaluate(
        f"__import__('hashlib').sha256((panel.folder / {name!r}).read_bytes()).hexdigest()"
    )


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# -- Files -----------------------------------------------------------------------------------------


def test_files_are_chosen_and_each_row_tells_what_became_of_it(
    opened: Opened, sounds: Path
) -> None:
    notebook, panel = opened
    expect(panel).to_contain_text("Drop recordings here")
    order = ["interview.mp3", "notes.wav", "again.mp3", "tone.flac", "访谈 1.flac"]
    choose(panel, *(sounds / name for name in order))
    ready(panel, 3)
    expect(row(panel, "tone.flac")).to_contain_text("0:02.0 · 44.1 kHz · 2 channels · flac")
    expect(row(panel, "notes.wav")).to_contain_text("holds text, not sound")
    expect(panel.locator("[data-state=same]")).to_contain_text("The same as")
    expect(panel.locator(".nb-foot")).to_contain_text("3 recordings, 0:09.0")
    assert len(names(notebook)) == 3
    assert digest(notebook, "访谈 1.flac") == sha256(sounds / "访谈 1.flac")
    kept = notebook.evaluate("sorted(path.name for path in panel.folder.iterdir())")
    assert len(kept) == 3, "neither the copy nor the text is kept"
    assert notebook.console_errors == []


def test_the_panel_looks_as_it_should_and_axe_finds_nothing(
    open_notebook: Callable[..., Notebook], sounds: Path
) -> None:
    notebook = open_notebook([CELL.format(folder="looks")], width=900, locale="zh-CN", theme="dark")
    notebook.run()
    panel = notebook.panel()
    assert notebook.axe(panel) == []
    notebook.screenshot("upload-empty-zh-dark", panel)
    expect(panel).to_contain_text("将录音拖放到此处")
    choose(panel, sounds / "interview.mp3", sounds / "notes.wav", sounds / "tone.flac")
    ready(panel, 2)
    expect(panel.locator("[data-state=problem]")).to_have_count(1)
    assert notebook.axe(panel) == []
    notebook.screenshot("upload-zh-dark", panel)
    notebook.set_theme("light")
    expect(panel).to_have_attribute("data-theme", "light")
    assert notebook.axe(panel) == []
    notebook.screenshot("upload-zh-light", panel)


def test_120_megabytes_arrive_as_they_were_sent_through_a_cut_connection(
    opened: Opened, lab: JupyterServer, big: Path
) -> None:
    notebook, panel = opened
    with held(notebook):
        choose(panel, big)
        has_come_to(panel, 41)
        assert lab.drop_connections() >= 1
    ready(panel, 1, timeout=90)
    assert digest(notebook, "long.wav") == sha256(big)
    assert notebook.evaluate("panel.recordings[0].duration") == pytest.approx(BIG / 32000, abs=0.01)


def test_a_page_that_is_loaded_anew_goes_on_with_the_same_file(
    open_notebook: Callable[..., Notebook], big: Path
) -> None:
    notebook = open_notebook([CELL.format(folder="reloaded")], record_traffic=False)
    notebook.run()
    with held(notebook):
        choose(notebook.panel(), big)
        has_come_to(notebook.panel(), 41)
        notebook.reload()
    notebook.run()  # the panel of before is gone with its page; a new one finds what it left
    panel = notebook.panel()
    notebook.execute(HOLD + "gate.set()")
    choose(panel, big)
    ready(panel, 1, timeout=90)
    assert notebook.evaluate("min(taken)") >= 12 * (4 << 20), "only what was missing is sent"
    assert digest(notebook, "long.wav") == sha256(big)


def test_an_upload_that_is_cancelled_leaves_nothing_and_the_next_goes_on(
    opened: Opened, big: Path, sounds: Path
) -> None:
    notebook, panel = opened
    with held(notebook):
        choose(panel, big)
        has_come_to(panel, 41)
        row(panel, "long.wav").get_by_role("button", name="Cancel long.wav").click()
        expect(row(panel, "long.wav")).to_have_count(0)
        choose(panel, sounds / "tone.flac")
    ready(panel, 1)
    assert notebook.evaluate("[f.name for f in panel.folder.iterdir()]") == ["tone.flac"]


def test_files_beyond_the_limit_and_empty_ones_are_refused_before_they_are_sent(
    opened: Opened, big: Path, tmp_path: Path
) -> None:
    notebook, panel = opened
    notebook.execute("nbasr.settings.current().upload_max_mb = 100")
    (tmp_path / "empty.wav").touch()
    choose(panel, big, tmp_path / "empty.wav")
    expect(row(panel, "long.wav")).to_contain_text(
        "long.wav is too large: it has 120 MB, and upload_max_mb allows 100 MB"
    )
    expect(row(panel, "empty.wav")).to_contain_text("empty.wav is empty (0 bytes)")
    notebook.execute("nbasr.settings.current().upload_max_mb = 8000")
    with held(notebook):
        row(panel, "long.wav").get_by_role("button", name="Try again").click()
        has_come_to(panel, 41)
        row(panel, "long.wav").get_by_role("button", name="Cancel long.wav").click()


# -- Folders, drops --------------------------------------------------------------------------------


def test_a_folder_brings_its_recordings_and_leaves_the_rest(opened: Opened, sounds: Path) -> None:
    notebook, panel = opened
    panel.locator("input[webkitdirectory]").set_input_files(str(sounds / "calls"))
    ready(panel, 2)
    expect(panel).to_contain_text("1 file was left out")
    assert sorted(names(notebook)) == ["call 10.flac", "call 2.flac"]


def test_files_are_dropped_anywhere_on_the_panel(opened: Opened, sounds: Path) -> None:
    notebook, panel = opened
    data = (sounds / "tone.flac").read_bytes()
    transfer = notebook.page.evaluate_handle(
        """bytes => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], "dropped.flac"));
            return transfer;
        }""",
        list(data),
    )
    place = panel.get_by_role("combobox")
    place.dispatch_event("dragenter", {"dataTransfer": transfer})
    expect(panel).to_contain_text("Let go to add them")
    place.dispatch_event("drop", {"dataTransfer": transfer})
    ready(panel, 1)
    expect(panel).not_to_contain_text("Let go")
    assert digest(notebook, "dropped.flac") == hashlib.sha256(data).hexdigest()


# -- Addresses and paths ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def web(sounds: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(sounds)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_addresses_are_fetched(opened: Opened, web: str) -> None:
    notebook, panel = opened
    field = panel.get_by_role("combobox", name="Web address")
    field.fill(f"{web}/interview.mp3")
    panel.get_by_role("button", name="Add").click()
    ready(panel, 1)
    expect(field).to_have_value("")
    field.fill(f"{web}/nothing.mp3")
    field.press("Enter")
    expect(row(panel, "nothing.mp3")).to_contain_text("the server answers 404")
    expect(row(panel, "nothing.mp3").get_by_role("button", name="Try again")).to_be_visible()
    assert names(notebook) == ["interview.mp3"]


def test_by_keys_alone_a_path_is_completed_and_opened_and_taken_off_again(
    opened: Opened, sounds: Path
) -> None:
    notebook, panel = opened
    keys = notebook.page.keyboard
    panel.get_by_role("button", name="Choose files").focus()
    for expected in ("Choose a folder", "Record"):
        keys.press("Tab")
        assert focused(panel) == expected
    keys.press("Tab")
    field = panel.get_by_role("combobox")
    expect(field).to_be_focused()
    keys.type(f"{sounds}/ca")
    expect(field).to_have_attribute("aria-expanded", "true")
    keys.press("Tab")
    expect(field).to_have_value(f"{sounds}/calls/")
    expect(panel.get_by_role("option", name="monday/")).to_be_visible()
    keys.press("ArrowDown")
    expect(panel.get_by_role("option", name="monday/")).to_have_attribute("aria-selected", "true")
    keys.press("Enter")
    expect(panel.get_by_role("option")).to_have_text(["call 2.flac", "call 10.flac"])
    keys.press("ArrowUp")
    keys.press("Enter")
    expect(field).to_have_value(f"{sounds}/calls/monday/call 10.flac")
    expect(field).to_have_attribute("aria-expanded", "false")
    keys.press("Enter")
    ready(panel, 1)
    keys.type("nowhere/x.wav")
    keys.press("Enter")
    expect(panel.get_by_role("alert")).to_contain_text("There is no folder")
    expect(field).to_have_attribute("aria-invalid", "true")
    assert notebook.evaluate("[str(f) for f in panel.files]") == [
        f"{sounds}/calls/monday/call 10.flac"
    ]
    for expected in ("Add", "Hear the first seconds of call 10.flac", "Take call 10.flac off"):
        keys.press("Tab")
        assert focused(panel).startswith(expected)
    keys.press("Enter")
    expect(row(panel, "call 10.flac")).to_have_count(0)
    assert focused(panel) == "Choose files", "the focus stays in the panel"
    assert names(notebook) == []
    assert (sounds / "calls" / "monday" / "call 10.flac").is_file()


def focused(panel: Locator) -> str:
    return panel.evaluate(
        """() => { const at = document.activeElement;
                   return at.getAttribute("aria-label") ?? at.textContent; }"""
    )


# -- The microphone, and hearing -------------------------------------------------------------------


def test_the_microphone_is_recorded_while_it_goes_straight_to_disk(
    opened: Opened, microphone_wav: Path
) -> None:
    notebook, panel = opened
    panel.get_by_role("button", name="Record").click()
    expect(panel.get_by_role("timer")).to_contain_text(re.compile(r"0:0[3-9]"))
    expect(panel.get_by_role("button", name="Stop and keep")).to_be_focused()
    assert notebook.axe(panel) == []
    notebook.screenshot("upload-microphone", panel)
    on_disk = "sum(f.stat().st_size for f in panel.folder.glob('.nbasr-*.part'))"
    assert notebook.evaluate(on_disk) > 5000, "before it was stopped"
    notebook.page.keyboard.press("Enter")
    ready(panel, 1)
    duration = notebook.evaluate("panel.recordings[0].duration")
    assert 2.5 < duration < 10
    heard = np.array(notebook.evaluate("panel.recordings[0].levels().rms_db"))
    assert np.percentile(heard, 95) - np.percentile(heard, 5) > 15, "speech and its pauses"
    assert re.fullmatch(r"Recording \d{4}-\d\d-\d\d \d\d\.\d\d\.webm", names(notebook)[0])


def test_a_recording_that_is_discarded_leaves_nothing(opened: Opened) -> None:
    notebook, panel = opened
    panel.get_by_role("button", name="Record").click()
    expect(panel.get_by_role("timer")).to_contain_text(re.compile(r"0:0[1-9]"))
    panel.get_by_role("button", name="Discard").click()
    expect(panel.get_by_role("button", name="Record")).to_be_focused()
    expect(panel.get_by_role("listitem")).to_have_count(0)
    left = "[f.name for f in panel.folder.iterdir()] if panel.folder.exists() else []"
    assert notebook.evaluate(left) == []


def test_a_row_is_heard_and_stopped(opened: Opened, sounds: Path) -> None:
    notebook, panel = opened
    choose(panel, sounds / "interview.mp3")
    ready(panel, 1)
    panel.get_by_role("button", name="Hear the first seconds of interview.mp3").click()
    stop = panel.get_by_role("button", name="Stop interview.mp3")
    expect(stop).to_be_visible()
    stop.click()
    expect(panel.get_by_role("button", name="Hear the first seconds")).to_be_visible()
    assert notebook.console_errors == []


# -- Modules ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 1000, 100_003])
def test_the_checksum_is_zlibs(bare_page: BarePage, size: int) -> None:
    data = np.random.default_rng(size).integers(0, 256, size, dtype=np.uint8)
    cut = size // 3
    found = bare_page.run(
        """const { crc32 } = await load("crc.js");
           const [whole, cut] = rest;
           return [crc32(whole), crc32(whole.subarray(cut), crc32(whole.subarray(0, cut)))];""",
        data,
        cut,
    )
    assert found == [zlib.crc32(data.tobytes())] * 2


def test_the_checksum_keeps_pace_with_a_disk(bare_page: BarePage) -> None:
    ms = bare_page.run(
        """const { crc32 } = await load("crc.js");
           const bytes = new Uint8Array(1 << 22);
           const times = [];
           for (let i = 0; i < 12; i += 1) {
             const before = performance.now();
             crc32(bytes);
             times.push(performance.now() - before);
           }
           return Math.min(...times);"""
    )
    assert ms < 42, "a slice of 4 MB at 100 MB/s or more"


def test_slices_that_are_lost_are_sent_again(bare_page: BarePage) -> None:
    """A link that forgets every third slice and every second answer, and a clock that runs fast."""
    found = bare_page.run(
        """const { sendSource } = await load("sender.js");
           const { crc32 } = await load("crc.js");
           const real = [globalThis.setTimeout, performance.now];
           const began = performance.now();
           globalThis.setTimeout = (work, ms) => real[0].call(globalThis, work, ms / 100);
           performance.now = () => began + (real[1].call(performance) - began) * 100;
           const bytes = new Uint8Array(23 << 20).map((_, at) => (at * 2654435761) >>> 13);
           const disk = new Uint8Array(bytes.length);
           let there = 0;
           let asked = 0;
           const never = new Promise(() => {});
           const link = {
             async ask(kind, { offset }, { buffers } = {}) {
               if (kind === "where") return { data: { received: there, state: "sending" } };
               asked += 1;
               if (asked % 3 === 0) return never;
               if (offset === there) {
                 disk.set(new Uint8Array(buffers[0]), offset);
                 there += buffers[0].byteLength;
               }
               return asked % 2 ? { data: { received: there } } : never;
             },
           };
           const source = {
             size: bytes.length, ended: true, read: async (at, n) => bytes.slice(at, at + n),
           };
           const sum = await sendSource(link, {
             row: "r", source, offset: 0, sum: 0, slots: () => 4, onprogress() {},
             signal: new AbortController().signal,
           });
           [globalThis.setTimeout, performance.now] = real;
           const equal = bytes.every((byte, at) => byte === disk[at]);
           return { equal, summed: sum === crc32(bytes), asked };"""
    )
    assert (found["equal"], found["summed"]) == (True, True)
    assert found["asked"] > 6, "some were sent twice"
