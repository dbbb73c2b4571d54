"""The upload panel in real JupyterLab: every way in, what breaks off, what is told."""

from __future__ import annotations

import contextlib
import hashlib
import re
import threading
import time
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

CELL = "import nbasr\npanel = nbasr.UploadPanel('{folder}')\npanel"
BIG = 120_000_000
MEDIUM = 40_000_000
SLICE = 4 << 20


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


@pytest.fixture(scope="module")
def medium(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wav(tmp_path_factory.mktemp("medium") / "medium.wav", MEDIUM)


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
from nbasr.widgets._incoming import Incoming

plain = Incoming.write
gate = threading.Event()
taken = []


def write(self, offset, data):
    if offset >= {held}:
        gate.wait(60)
    taken.append(offset)
    return plain(self, offset, data)


Incoming.write = write
"""


@contextlib.contextmanager
def held(notebook: Notebook, slices: int = 4) -> Iterator[None]:
    """Let the kernel take so many slices, and the others only afterwards."""
    notebook.execute(HOLD.format(held=slices * SLICE))
    try:
        yield
    finally:
        notebook.execute("gate.set(); Incoming.write = plain")


def has_come_to(panel: Locator, slices: int, of: int = MEDIUM) -> None:
    percent = str(100 * slices * SLICE // of)
    expect(panel.get_by_role("progressbar")).to_have_attribute("aria-valuenow", percent)


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
    with held(notebook, slices=12):
        choose(panel, big)
        has_come_to(panel, 12, of=BIG)
        assert lab.drop_connections() >= 1
    ready(panel, 1, timeout=90)
    assert digest(notebook, "long.wav") == sha256(big)
    assert notebook.evaluate("panel.recordings[0].duration") == pytest.approx(BIG / 32000, abs=0.01)


def test_a_page_that_is_loaded_anew_goes_on_with_the_same_file(
    open_notebook: Callable[..., Notebook], medium: Path
) -> None:
    notebook = open_notebook([CELL.format(folder="reloaded")], record_traffic=False)
    notebook.run()
    with held(notebook):
        choose(notebook.panel(), medium)
        has_come_to(notebook.panel(), 4)
        notebook.reload()
    notebook.run()  # the panel of before is gone with its page; a new one finds what it left
    panel = notebook.panel()
    notebook.execute(HOLD.format(held=0) + "gate.set()")
    choose(panel, medium)
    ready(panel, 1, timeout=90)
    assert notebook.evaluate("min(taken)") >= 4 * SLICE, "only what was missing is sent"
    assert digest(notebook, "medium.wav") == sha256(medium)


def test_an_upload_that_is_cancelled_leaves_nothing_and_the_next_goes_on(
    opened: Opened, medium: Path, sounds: Path
) -> None:
    notebook, panel = opened
    with held(notebook):
        choose(panel, medium)
        has_come_to(panel, 4)
        row(panel, "medium.wav").get_by_role("button", name="Cancel medium.wav").click()
        expect(row(panel, "medium.wav")).to_have_count(0)
        choose(panel, sounds / "tone.flac")
    ready(panel, 1)
    notebook.wait_value("[f.name for f in panel.folder.iterdir()]", ["tone.flac"])


def test_files_beyond_the_limit_and_empty_ones_are_refused_before_they_are_sent(
    opened: Opened, medium: Path, tmp_path: Path
) -> None:
    notebook, panel = opened
    notebook.execute("nbasr.settings.current().upload_max_mb = 30")
    (tmp_path / "empty.wav").touch()
    choose(panel, medium, tmp_path / "empty.wav")
    expect(row(panel, "medium.wav")).to_contain_text(
        "medium.wav is too large: it has 40 MB, and upload_max_mb allows 30 MB"
    )
    expect(row(panel, "empty.wav")).to_contain_text("empty.wav is empty (0 bytes)")
    notebook.execute("nbasr.settings.current().upload_max_mb = 8000")
    with held(notebook):
        row(panel, "medium.wav").get_by_role("button", name="Try again").click()
        has_come_to(panel, 4)
        row(panel, "medium.wav").get_by_role("button", name="Cancel medium.wav").click()


def test_notebook_7_takes_files_too(
    open_notebook: Callable[..., Notebook], notebook7: JupyterServer, sounds: Path
) -> None:
    notebook = open_notebook([CELL.format(folder="seven")], host=notebook7)
    notebook.run()
    choose(notebook.panel(), sounds / "tone.flac")
    ready(notebook.panel(), 1)
    assert digest(notebook, "tone.flac") == sha256(sounds / "tone.flac")


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
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
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
    notebook.wait_value("len(panel.recordings)", 0)
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
    began = time.monotonic()
    panel.get_by_role("button", name="Record").click()
    expect(panel.get_by_role("timer")).to_contain_text(re.compile(r"0:0[3-9]"))
    expect(panel.get_by_role("button", name="Stop and keep")).to_be_focused()
    assert notebook.axe(panel) == []
    notebook.screenshot("upload-microphone", panel)
    on_disk = "sum(f.stat().st_size for f in panel.folder.glob('.nbasr-*.part'))"
    notebook.wait_value(f"{on_disk} > 5000", True)  # before it is stopped
    notebook.page.keyboard.press("Enter")
    most = time.monotonic() - began
    ready(panel, 1)
    duration = notebook.evaluate("panel.recordings[0].duration")
    assert 2.5 < duration < most + 1
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
    notebook.wait_value(left, [])


def test_a_row_is_heard_and_stopped(opened: Opened, tmp_path: Path) -> None:
    notebook, panel = opened
    choose(panel, encode(tmp_path / "long.flac", "flac", speechlike(60.0)))
    ready(panel, 1)
    panel.get_by_role("button", name="Hear the first seconds of long.flac").click()
    stop = panel.get_by_role("button", name="Stop long.flac")
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


def test_a_page_that_is_overtaken_by_another_sums_what_it_did_not_send(bare_page: BarePage) -> None:
    """Two views of a panel send the same file: each jumps over what the other has sent."""
    found = bare_page.run(
        """const { sendSource } = await load("sender.js");
           const { crc32 } = await load("crc.js");
           const bytes = new Uint8Array(30 << 20).map((_, at) => (at * 2654435761) >>> 13);
           const answers = [22 << 20, 26 << 20, bytes.length];
           const offsets = [];
           const link = {
             async ask(kind, { offset }) {
               offsets.push(offset);
               return { data: { received: answers.shift() } };
             },
           };
           const source = {
             size: bytes.length, ended: true, read: async (at, n) => bytes.slice(at, at + n),
           };
           const sum = await sendSource(link, {
             row: "r", source, offset: 0, sum: 0, slots: () => 1, onprogress() {},
             signal: new AbortController().signal,
           });
           return { right: sum === crc32(bytes), offsets };"""
    )
    assert found == {"right": True, "offsets": [0, 22 << 20, 26 << 20]}


QUEUE = """
    const { createQueue } = await load("uploadqueue.js");
    const ended = new AbortController();
    const asked = [];
    const listeners = {};
    const link = {
      on(event, listener) { listeners[event] = listener; },
      ask(kind, values) {
        return new Promise((resolve, reject) => asked.push({ kind, values, resolve, reject }));
      },
    };
    const shown = [];
    const queue = createQueue({ link, t: (key) => key, signal: ended.signal }, {
      changed: (entry) => { if (!shown.includes(entry)) shown.push(entry); },
      removed: (entry) => shown.splice(shown.indexOf(entry), 1),
    });
    const turn = () => new Promise((go) => setTimeout(go));
    const kinds = () => asked.map(({ kind }) => kind);
    const row = (state, more) => ({
      id: "r1", kind: "file", name: "a.wav", size: 9, received: 0, state, problem: "", note: null,
      again: true, client: asked[0]?.values.client ?? "", quiet: 0, recording: null, ...more,
    });
    const source = {
      name: "a.wav", size: 9, modified: 1, kind: "file", ended: true,
      read: async () => new Uint8Array(9),
    };
"""


def test_a_file_that_is_cancelled_while_it_is_begun_leaves_no_row(bare_page: BarePage) -> None:
    found = bare_page.run(
        QUEUE
        + """await queue.remove(queue.add(source));
             listeners.row({ row: row("sending") });
             asked[0].resolve({ data: { row: row("sending"), offset: 0, crc32: 0 } });
             await turn();
             ended.abort();
             return { kinds: kinds(), removed: asked[1]?.values.row, shown: shown.length };"""
    )
    assert found == {"kinds": ["begin", "remove"], "removed": "r1", "shown": 0}


def test_what_failed_in_the_page_stays_told_though_the_kernel_knows_nothing_of_it(
    bare_page: BarePage,
) -> None:
    found = bare_page.run(
        QUEUE
        + """source.read = async () => { throw new DOMException("gone", "NotReadableError"); };
             queue.add(source);
             asked[0].resolve({ data: { row: row("sending"), offset: 0, crc32: 0 } });
             while (queue.stateOf(shown[0]) !== "problem") await turn();
             listeners.row({ row: row("sending", { quiet: 4 }) });
             const { state, problem, again } = shown[0].row;
             ended.abort();
             return { state, problem, again };"""
    )
    assert found == {"state": "problem", "problem": "upload.unreadable", "again": False}


def test_a_busy_kernel_is_not_asked_for_its_rows_again_and_again(bare_page: BarePage) -> None:
    found = bare_page.run(
        QUEUE
        + """for (let i = 0; i < 5; i += 1) queue.refresh().catch(() => {});
             const before = kinds();
             asked[0].resolve({ data: { rows: [] } });
             await turn();
             queue.refresh().catch(() => {});
             ended.abort();
             return { before, after: kinds() };"""
    )
    assert found == {"before": ["rows"], "after": ["rows", "rows"]}


def test_two_files_of_one_name_from_two_folders_are_told_apart(bare_page: BarePage) -> None:
    """Recorders name by number, and write files of one length at one moment."""
    found = bare_page.run(
        QUEUE
        + """const { chosenFolder } = await load("dropping.js");
             const { fileSource } = await load("sender.js");
             const file = (path) => Object.defineProperty(
               new File(["123456789"], "a.wav", { lastModified: 1 }),
               "webkitRelativePath", { value: path });
             const chosen = chosenFolder([file("x/mon/a.wav"), file("x/tue/a.wav")], () => true);
             for (const one of chosen.files) queue.add(fileSource(one.file, one.name));
             queue.add(fileSource(chosen.files[0].file, chosen.files[0].name));
             ended.abort();
             return asked.map(({ values }) => values.name);"""
    )
    assert found == ["x/mon/a.wav", "x/tue/a.wav"]


def test_who_types_faster_than_completions_come_still_completes_what_is_typed(
    bare_page: BarePage,
) -> None:
    found = bare_page.run(
        """const { createPathField } = await load("pathfield.js");
           const ended = new AbortController();
           const all = ["a/bells/", "a/calls/", "a/cars/"];
           const sent = [];
           const field = createPathField({
             t: (key) => key, say() {}, signal: ended.signal,
             complete: async (text) => {
               const texts = all.filter((one) => one.startsWith(text));
               return { texts, common: texts.length === 1 ? texts[0] : text, more: false };
             },
             submit: async (text) => sent.push(text),
           });
           document.body.append(field.element);
           const { input } = field;
           input.focus();
           const type = (text) => { input.value = text; input.dispatchEvent(new Event("input")); };
           const press = (key) => input.dispatchEvent(
             new KeyboardEvent("keydown", { key, cancelable: true }));
           const until = async (is) => { while (!is()) await new Promise((go) => setTimeout(go)); };
           type("a/");
           await until(() => field.element.querySelectorAll("li").length === 3);
           press("ArrowDown");
           type("a/ca");
           type("a/cal");
           const stayed = !press("Tab");
           await until(() => input.value !== "a/cal");
           const completed = input.value;
           type("a/calls/x.wav");
           press("Enter");
           await until(() => sent.length);
           field.element.remove();
           ended.abort();
           return { stayed, completed, sent };"""
    )
    assert found == {"stayed": True, "completed": "a/calls/", "sent": ["a/calls/x.wav"]}
