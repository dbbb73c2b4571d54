"""The workbench in real notebooks: from a file to a corrected, exported transcript in one panel."""

from __future__ import annotations

import base64
import itertools
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator, expect

from browser.harness import BarePage, JupyterServer, Notebook
from nbasr import samples
from nbasr.audio.recording import Recording

MODEL = str(Path(__file__).parent.parent / "assets" / "whisper-tiny-meeting")
PATIENCE = 60_000
"""ms that a model may take: its libraries are imported first."""

SCREEN = {"width": 1280, "height": 800}
MOST_HEIGHT = 640
"""CSS px that JupyterLab leaves to a cell on such a screen."""

FINISHED = re.compile(r"\d+ lines by whisper")

COUNT_CLICKS = """() => {
    window.clicks = 0;
    document.addEventListener("click", (event) => {
        if (event.isTrusted && event.detail > 0) window.clicks += 1;
    }, true);
}"""

OPEN = "import nbasr\nbench = nbasr.workbench({recording}model={model!r})\nbench"


def cell(recording: str = "", model: str = MODEL) -> str:
    return OPEN.format(recording=f"{recording}, " if recording else "", model=model)


_talks = itertools.count(1)


def unheard(folder: Path, name: str, seconds: float | None = None) -> Path:
    """Return the beginning of the meeting as a file that sounds a little different each time.

    The text of the same sound would be taken up from one test by another.
    """
    number = next(_talks)
    silence = np.zeros(160 * number, np.float32)
    sound = np.concatenate([silence, samples.open("meeting").read(0, seconds)])
    return Recording.open((sound, 16000)).save(folder / f"{name}-{number}.wav")


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    """Return half a minute as a file."""
    return unheard(tmp_path, "talk", 30)


@pytest.fixture
def meeting(tmp_path: Path) -> Path:
    """Return all of the meeting as a file."""
    return unheard(tmp_path, "meeting")


@pytest.fixture(scope="module")
def shown(module_notebook: Callable[..., Notebook]) -> Notebook:
    """Return a notebook whose workbench has transcribed the meeting."""
    notebook = module_notebook([cell("nbasr.samples.open('meeting')")], **SCREEN)
    notebook.run()
    bench = notebook.panel()
    expect(bench.locator(".nbasr-wave .nb-stage")).to_be_visible()
    transcribe(bench)
    return notebook


@pytest.fixture
def bench(shown: Notebook) -> Iterator[Locator]:
    panel = shown.panel()
    tab(panel, "Transcript")
    yield panel
    assert shown.console_errors == []


def tab(bench: Locator, name: str) -> None:
    bench.get_by_role("tab", name=name).click()
    expect(bench.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true")


def transcribe(bench: Locator) -> None:
    bench.locator(".nb-work-bar .nb-work-begin").click()
    expect(told(bench)).to_have_text(FINISHED, timeout=PATIENCE)
    expect(lines(bench).first).to_be_visible()


def told(bench: Locator) -> Locator:
    """Return what is told under the bar."""
    return bench.locator(".nb-work-told")


def lines(bench: Locator) -> Locator:
    return bench.locator(".nbasr-transcript .nb-line")


def upload(notebook: Notebook, path: Path) -> None:
    """Bring a file in as a person does."""
    with notebook.page.expect_file_chooser() as choosing:
        notebook.panel().get_by_role("button", name="Choose files").click()
    choosing.value.set_files(path)
    expect(notebook.panel().locator(".nb-work-name")).to_have_text(path.name)


def download(notebook: Notebook) -> str:
    """Export as a person does; return the file."""
    bench = notebook.panel()
    bench.get_by_role("button", name="Export", exact=True).click()
    with notebook.page.expect_download() as coming:
        bench.get_by_role("button", name="Download").click()
    assert re.fullmatch(r"talk-\d+\.srt", coming.value.suggested_filename)
    text = Path(coming.value.path()).read_text(encoding="utf-8")
    return re.sub(r"(?<=[a-z])\n(?=[a-z])", " ", text)  # long lines are broken in two


def text_of(bench: Locator, index: int) -> Locator:
    return bench.locator(f'.nb-line[aria-rowindex="{index + 1}"] .nb-line-text')


def correct(bench: Locator, index: int, text: str) -> None:
    """Write a line anew."""
    grid = bench.locator(".nb-lines-scroll")
    grid.focus()
    keys = bench.page.keyboard
    keys.press("Control+Home")
    for _ in range(index):
        keys.press("ArrowDown")
    keys.press("F2")
    field = bench.locator("textarea.nb-line-edit")
    field.fill(text)
    field.press("Enter")
    expect(text_of(bench, index)).to_have_text(text)
    expect(field).to_be_focused()  # the next line's
    keys.press("Escape")
    expect(field).to_have_count(0)
    expect(grid).to_be_focused()


# -- The whole way --------------------------------------------------------------------------------


def test_a_person_gets_from_a_file_to_an_srt_in_few_clicks(
    open_notebook: Callable[..., Notebook], talk: Path
) -> None:
    notebook = open_notebook([cell()], **SCREEN)
    notebook.run()
    expect(notebook.panel().get_by_text("Drop recordings here")).to_be_visible()
    notebook.page.evaluate(COUNT_CLICKS)
    upload(notebook, talk)
    transcribe(notebook.panel())
    srt = download(notebook)
    clicks = notebook.page.evaluate("window.clicks")
    in_the_dialog = 2  # the file, and "open", which a test cannot click
    assert clicks + in_the_dialog < 10
    assert clicks == 4
    assert "good morning everyone" in srt
    assert srt.startswith("1\n00:00:00,")
    assert notebook.console_errors == []


@pytest.mark.parametrize("host", ["lab", "notebook7"])
def test_upload_tune_transcribe_read_edit_undo_reload_export(
    request: pytest.FixtureRequest, open_notebook: Callable[..., Notebook], talk: Path, host: str
) -> None:
    server: JupyterServer = request.getfixturevalue(host)
    notebook = open_notebook([cell()], host=server, **SCREEN)
    notebook.run()
    bench, page = notebook.panel(), notebook.page
    upload(notebook, talk)
    expect(bench.locator(".nbasr-wave .nb-stage")).to_be_visible()

    tab(bench, "Cuts")
    chunks = bench.locator(".nbasr-tuner .nb-count")
    expect(chunks).to_have_text("1 chunk")
    longest = bench.get_by_role("spinbutton", name="Longest")
    longest.fill("10")
    longest.press("Enter")
    expect(chunks).not_to_have_text("1 chunk")
    notebook.wait_value("bench.plan.longest <= 10", True)
    expect(bench.get_by_role("tab", name="Cuts")).to_contain_text(chunks.inner_text())

    transcribe(bench)
    expect(bench.get_by_role("tab", name="Transcript")).to_have_attribute("aria-selected", "true")
    assert notebook.evaluate("[job.name for job in nbasr.jobs()]") == [talk.name]
    assert notebook.evaluate("bench.job.work.plans[0].longest") <= 10

    bench.locator(".nb-lines-scroll").focus()
    page.keyboard.press("Control+Home")
    text_of(bench, 0).locator(".nb-word").nth(1).click()
    page.wait_for_function(
        "(root) => root.nbReader.player.time() > 0.5",
        arg=bench.locator(".nbasr-transcript").element_handle(),
    )
    page.keyboard.press("Space")

    heard = text_of(bench, 1).inner_text()
    correct(bench, 0, "Good morning, everyone.")
    correct(bench, 1, "This goes again.")
    notebook.wait_value("bench.transcript.segments[1].text", "This goes again.")
    page.keyboard.press("Control+z")
    expect(text_of(bench, 1)).to_have_text(heard)
    expect(bench.get_by_role("tab", name="Transcript")).to_contain_text("1 correction")
    for key in "dd":  # in the notebook these delete the cell
        page.keyboard.press(key)
    assert notebook.cell_count == 1

    notebook.settle()
    notebook.save()
    notebook.reload()
    bench = notebook.panel()
    expect(text_of(bench, 0)).to_have_text("Good morning, everyone.")
    expect(bench.get_by_role("tab", name="Transcript")).to_have_attribute("aria-selected", "true")
    srt = download(notebook)
    assert "Good morning, everyone." in srt
    assert heard in srt
    ours = [line for line in notebook.console_errors if "'schema'" not in line]  # Notebook 7's own
    assert ours == []


HEARS_NO_END = """
import threading
from nbasr.engines import stopping
from nbasr.engines.sphinx import SphinxEngine
hear, heard = SphinxEngine.recognize, []

def some(engine, batch):
    while len(heard) == 4:  # until it is stopped
        stopping.check()
        threading.Event().wait(0.01)
    heard.append(batch)
    return hear(engine, batch)

SphinxEngine.recognize = some
"""


def test_a_run_is_stopped_in_the_middle_over_a_reload_and_gone_on_with(
    open_notebook: Callable[..., Notebook], meeting: Path
) -> None:
    notebook = open_notebook([cell(repr(str(meeting)), "sphinx")], record_traffic=False, **SCREEN)
    notebook.run()
    notebook.execute(HEARS_NO_END)
    notebook.execute("bench.plan = nbasr.chunking.Fixed(max_seconds=3).plan(bench.recording)")
    bench = notebook.panel()
    expect(bench.get_by_role("tab", name="Cuts")).to_contain_text(re.compile(r"3\d chunks"))
    bench.locator(".nb-work-bar .nb-work-begin").click()
    expect(told(bench)).to_have_text(re.compile(r"\d:\d\d of 1:\d\d"), timeout=PATIENCE)
    expect(lines(bench).first).to_be_visible(timeout=PATIENCE)
    notebook.save()
    notebook.reload()
    bench = notebook.panel()
    bar = bench.get_by_role("progressbar", name="Transcribed")
    expect(bar).to_be_visible()
    bench.get_by_role("button", name="Stop").click()
    expect(told(bench)).to_have_text(re.compile("^Stopped at"))
    expect(bar).to_be_hidden()
    assert notebook.evaluate("bench.job.state") == "stopped"
    assert notebook.evaluate("bench.transcript.complete") is False
    correct(bench, 0, "What was heard can be corrected.")
    notebook.wait_value("bench.transcript.segments[0].text", "What was heard can be corrected.")
    expect(bench.get_by_role("tab", name="Transcript")).to_contain_text("1 correction")

    bench.get_by_role("button", name="Transcribe again").click()
    question = bench.get_by_role("alertdialog", name="Transcribe again")
    expect(question).to_contain_text("Your correction is kept")
    question.get_by_role("button", name="Keep this text").click()
    assert notebook.evaluate("len(nbasr.jobs())") == 1
    assert notebook.console_errors == []


# -- What is on the screen ------------------------------------------------------------------------


def test_every_step_fits_on_one_screen_with_and_without_the_left_bar(
    shown: Notebook, bench: Locator
) -> None:
    for command in ("collapseLeft", "expandLeft"):
        shown.page.evaluate(f"window.jupyterapp.shell.{command}()")
        for name in ("Recording", "Cuts", "Transcript", "Models"):
            tab(bench, name)
            expect(bench.locator(".nb-work-page:visible .nbasr").first).to_be_visible()
            box = bench.bounding_box()
            assert box is not None
            assert box["height"] <= MOST_HEIGHT, (command, name)
            assert overflow(bench) == [], (command, name)
    shown.page.evaluate("window.jupyterapp.shell.collapseLeft()")


def overflow(bench: Locator) -> list[str]:
    """Return what is wider than its place, but for what scrolls or is cut off on purpose."""
    found: list[str] = bench.evaluate(
        """(root) => [...root.querySelectorAll(
            ".nb-work-tabs, .nb-work-bar, .nb-work-run, .nb-work-page, .nb-work-page > *")]
          .filter((one) => one.offsetParent && one.scrollWidth > one.clientWidth + 1)
          .map((one) => `${one.className} ${one.scrollWidth} > ${one.clientWidth}`)"""
    )
    return found


def test_tabs_go_by_key_from_wherever_the_focus_is(shown: Notebook, bench: Locator) -> None:
    keys = shown.page.keyboard
    bench.locator(".nb-lines-scroll").focus()
    keys.press("Control+Home")
    text_of(bench, 0).click()
    keys.press("Space")  # what plays stops with its tab
    keys.press("Alt+1")
    expect(bench.get_by_role("tab", name="Recording")).to_be_focused()
    playing = (
        "(root) => [...root.querySelectorAll('.nb-transport')].some((one) => one.nbPlayer.playing)"
    )
    shown.page.wait_for_function(f"(root) => !({playing})(root)", arg=bench.element_handle())
    keys.press("ArrowRight")
    expect(bench.get_by_role("tab", name="Cuts")).to_be_focused()
    expect(bench.locator(".nbasr-tuner .nb-count")).to_be_visible()
    keys.press("End")
    expect(bench.get_by_role("tab", name="Models")).to_be_focused()
    keys.press("ArrowRight")
    expect(bench.get_by_role("tab", name="Recording")).to_be_focused()
    bench.locator(".nbasr-wave .nb-stage").focus()
    keys.press("Alt+3")
    expect(bench.get_by_role("tab", name="Transcript")).to_be_focused()
    shown.wait_value("bench.tab", "transcript")
    shown.execute("bench.tab = 'cuts'")
    expect(bench.get_by_role("tab", name="Cuts")).to_have_attribute("aria-selected", "true")


def test_each_panel_looks_the_same_whatever_stands_beside_it(
    open_notebook: Callable[..., Notebook],
) -> None:
    notebook = open_notebook([cell("nbasr.samples.open('meeting')")], **SCREEN)
    notebook.run()
    bench = notebook.panel()
    sizes = (
        "(root) => [...root.querySelectorAll('.nbasr-models :is(.nb-memory, .nb-memlegend,"
        " .nb-facts, .nb-model)')].filter((one) => one.offsetParent)"
        ".map((one) => `${one.className} ${one.offsetHeight} ${getComputedStyle(one).display}`)"
    )
    tab(bench, "Models")
    expect(bench.locator(".nb-memlegend").first).to_be_visible()
    expect(bench.locator(".nbasr-models .nb-facts")).to_be_visible()
    before = bench.evaluate(sizes)
    assert len(before) > 5
    for name, seen in (("Cuts", ".nbasr-tuner .nb-count"), ("Recording", ".nb-stage")):
        tab(bench, name)
        expect(bench.locator(seen).first).to_be_visible()
    tab(bench, "Models")
    expect(bench.locator(".nbasr-models .nb-facts")).to_be_visible()
    assert bench.evaluate(sizes) == before


def test_a_file_dropped_anywhere_on_it_is_brought_in(
    open_notebook: Callable[..., Notebook], talk: Path
) -> None:
    notebook = open_notebook([cell("nbasr.samples.open('meeting')")], **SCREEN)
    notebook.run()
    bench = notebook.panel()
    expect(bench.get_by_role("button", name="Choose files")).to_be_visible()
    tab(bench, "Cuts")
    went_on = bench.evaluate(
        """async (root, [bytes, name]) => {
            const data = Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0));
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([data], name, { type: "audio/wav" }));
            const options = { dataTransfer, bubbles: true, cancelable: true };
            const page = root.querySelector(".nb-work-page:not([hidden])");
            return page.dispatchEvent(new DragEvent("drop", options));
        }""",
        [base64.b64encode(talk.read_bytes()).decode(), talk.name],
    )
    assert not went_on, "or the browser leaves the notebook for the file"
    expect(bench.get_by_role("tab", name="Recording")).to_have_attribute("aria-selected", "true")
    expect(bench.locator(".nbasr-upload [data-state=ready]")).to_contain_text(talk.name)
    notebook.wait_value("bench.recording.name", talk.name)


def test_where_one_stops_in_a_step_the_next_one_begins(shown: Notebook, bench: Locator) -> None:
    bench.locator(".nb-lines-scroll").focus()
    shown.page.keyboard.press("Control+Home")
    for name, panel, share in (("Recording", "wave", 0.8), ("Cuts", "tuner", 0.3)):
        tab(bench, name)
        stage = bench.locator(f".nbasr-{panel} .nb-stage")
        box = stage.bounding_box()
        assert box is not None
        stage.click(position={"x": share * box["width"], "y": 50})
        at = stage.evaluate("(stage) => stage.nbView.playhead")
        assert at > 20
        shown.wait_value("bench.reader.playhead", pytest.approx(at))
        tab(bench, "Transcript")
        near = shown.evaluate(
            "[str(number) for number, one in enumerate(bench.transcript.segments, 1)"
            f" if one.start - 1.5 <= {at} <= one.stop + 1.5]"
        )
        current = bench.locator(".nb-line.nb-current")
        expect(current).to_have_attribute("aria-rowindex", re.compile(f"^({'|'.join(near)})$"))
        expect(current).to_be_in_viewport()
        shown.page.wait_for_function(
            "([stage, at]) => Math.abs(stage.nbView.playhead - at) < 1e-4",
            arg=[bench.locator(".nbasr-transcript .nb-stage").element_handle(), at],
        )


def test_panels_are_drawn_once_and_kept(shown: Notebook, bench: Locator) -> None:
    bench.locator(".nbasr-transcript").evaluate("(one) => { one.kept = true; }")
    tab(bench, "Recording")
    shown.comm_messages()  # all up to now
    shown.traffic.reset()
    tab(bench, "Transcript")
    assert bench.locator(".nbasr-transcript").evaluate("(one) => one.kept")
    asked = [
        one.content["data"]["content"]["ask"]
        for one in shown.comm_messages()
        if one.sent and one.content.get("data", {}).get("method") == "custom"
    ]
    assert "segments" not in asked
    assert "sound" not in asked


def test_it_can_be_used_by_all(shown: Notebook, bench: Locator) -> None:
    for theme in ("light", "dark"):
        shown.set_theme(theme)
        expect(bench).to_have_attribute("data-theme", theme)
        for name in ("Recording", "Cuts", "Transcript", "Models"):
            tab(bench, name)
            expect(bench.locator(".nb-work-page:visible .nbasr").first).to_be_visible()
            found = [(one["id"], one["nodes"][0]["html"]) for one in shown.axe(bench)]
            assert found == [], (theme, name)
    shown.set_theme("light")


def test_recordings_are_chosen_from_the_bar_and_keep_their_state(
    shown: Notebook, bench: Locator
) -> None:
    expect(lines(bench).first).to_be_visible()
    shown.execute("bench.recording = (bench.recording.read(5, 15), 16000)")
    which = bench.get_by_label("Which recording")
    expect(which).to_be_visible()
    expect(bench.get_by_text("This recording is not transcribed yet.")).to_be_visible()
    expect(bench.locator(".nbasr-transcript")).to_be_hidden()
    which.select_option(index=0)
    expect(lines(bench).first).to_be_visible()
    expect(told(bench)).to_have_text(FINISHED)
    expect(which.locator("option").first).to_have_text("meeting.opus ✓")


def test_a_model_is_loaded_and_unloaded_beside_the_work(shown: Notebook, bench: Locator) -> None:
    tab(bench, "Models")
    panel = bench.locator(".nbasr-models")
    panel.get_by_role("button", name=re.compile("^Unload$|^Unload whisper-tiny")).first.click()
    shown.wait_value("[one.spec.name for one in nbasr.models.resident()]", [])
    expect(panel).to_contain_text(re.compile("MB"))
    shown.execute(f"nbasr.models.load({MODEL!r}, dtype='bf16')")
    expect(panel.get_by_text(re.compile("whisper-tiny-meeting")).first).to_be_visible()
    model = bench.get_by_label("Model", exact=True).first
    tab(bench, "Transcript")
    expect(model.locator("option:checked")).to_contain_text("bf16 on cpu, loaded", timeout=PATIENCE)


def test_what_goes_wrong_in_the_engine_is_told_with_its_place(
    shown: Notebook, bench: Locator
) -> None:
    shown.execute(
        "from nbasr.engines.whisper import WhisperEngine\n"
        "from nbasr.errors import OutOfMemoryError\n"
        "def broken(*_): raise RuntimeError('the card fell out')\n"
        "before, WhisperEngine.recognize = WhisperEngine.recognize, broken"
    )
    bench.locator(".nb-work-bar .nb-work-begin").click()
    expect(told(bench)).to_have_text("RuntimeError: the card fell out", timeout=PATIENCE)
    bench.locator(".nb-work-run summary").click()
    expect(bench.locator(".nb-work-trace pre")).to_contain_text("in broken")
    expect(bench.get_by_role("button", name="Models")).to_be_hidden()

    shown.execute(
        "def broken(*_): raise OutOfMemoryError('It takes 9 GB, and 1 GB is free.')\n"
        "WhisperEngine.recognize = broken"
    )
    bench.locator(".nb-work-bar .nb-work-begin").click()
    expect(told(bench)).to_contain_text("It takes 9 GB", timeout=PATIENCE)
    bench.get_by_role("button", name="Models").click()
    expect(bench.locator(".nbasr-models")).to_be_visible()

    shown.execute("WhisperEngine.recognize = before")
    transcribe(bench)


# -- In other words, on other screens -------------------------------------------------------------


def test_it_speaks_chinese_on_a_narrow_screen(
    open_notebook: Callable[..., Notebook], meeting: Path
) -> None:
    notebook = open_notebook([cell(repr(str(meeting)))], width=900, height=800, locale="zh-CN")
    notebook.run()
    bench = notebook.panel()
    for name in ("录音", "切分", "文稿", "模型"):
        tab(bench, name)
        expect(
            bench.locator(".nb-work-page:visible").locator(".nbasr, .nb-work-none:visible").first
        ).to_be_visible()
        assert overflow(bench) == [], name
    tab(bench, "文稿")
    bench.get_by_role("button", name="开始转写").last.click()
    expect(told(bench)).to_have_text(re.compile("转写出 \\d+ 行"), timeout=PATIENCE)
    assert overflow(bench) == []
    box = bench.bounding_box()
    assert box is not None
    assert box["height"] <= MOST_HEIGHT
    left = re.findall(r"[A-Za-z]{4,}", bench.locator(".nb-work-tabs").inner_text())
    assert left == []
    assert notebook.console_errors == []


def test_the_whole_way_goes_without_a_mouse(
    open_notebook: Callable[..., Notebook], talk: Path
) -> None:
    notebook = open_notebook([cell()], **SCREEN)
    notebook.run()
    bench, keys = notebook.panel(), notebook.page.keyboard
    expect(bench.get_by_text("Drop recordings here")).to_be_visible()
    bench.get_by_role("tab", name="Recording").focus()
    field = bench.get_by_label("Web address, or path")
    for _ in range(12):
        keys.press("Tab")
        if field.evaluate("(one) => one.matches(':focus')"):
            break
    expect(field).to_be_focused()
    keys.type(str(talk))
    keys.press("Enter")
    begin = bench.locator(".nb-work-bar .nb-work-begin")
    expect(begin).to_be_visible()
    keys.press("Alt+1")
    for _ in range(8):
        keys.press("Tab")
        if begin.evaluate("(one) => one.matches(':focus')"):
            break
    expect(begin).to_be_focused()
    keys.press("Enter")
    expect(told(bench)).to_have_text(FINISHED, timeout=PATIENCE)
    expect(bench.get_by_role("button", name="Transcribe again")).to_be_focused()
    keys.press("Alt+3")
    grid = bench.locator(".nb-lines-scroll")
    for _ in range(40):
        keys.press("Tab")
        if grid.evaluate("(one) => one.matches(':focus')"):
            break
    expect(grid).to_be_focused()
    keys.press("Control+Home")
    keys.press("F2")
    expect(bench.locator("textarea.nb-line-edit")).to_be_focused()
    keys.press("Control+a")
    keys.type("Typed.")
    keys.press("Enter")
    keys.press("Escape")
    notebook.wait_value("bench.transcript.segments[0].text", "Typed.")
    keys.press("x")
    button = bench.get_by_role("button", name="Download")
    expect(button).to_be_enabled()  # once the formats are known
    for _ in range(6):
        if button.evaluate("(one) => one.matches(':focus')"):
            break
        keys.press("Tab")
    expect(button).to_be_focused()
    with notebook.page.expect_download() as coming:
        keys.press("Enter")
    assert "Typed." in Path(coming.value.path()).read_text(encoding="utf-8")
    assert notebook.console_errors == []


# -- What stays -----------------------------------------------------------------------------------


def stills(saved: dict[str, Any]) -> str:
    outputs = saved["cells"][0]["outputs"]
    return "".join("".join(one["data"].get("text/html", "")) for one in outputs)


def test_what_was_done_is_there_without_a_kernel_and_gone_on_with_by_another(
    open_notebook: Callable[..., Notebook], talk: Path, tmp_path: Path
) -> None:
    corrected = "Found again after the restart."
    notebook = open_notebook([cell(repr(str(talk)))], **SCREEN)
    notebook.run()
    bench = notebook.panel()
    transcribe(bench)
    correct(bench, 2, corrected)
    expect(bench.locator(".nb-saved")).to_contain_text("Saved")
    still = notebook.output(0).locator(".nbasr-still")
    expect(still).to_contain_text(corrected)
    expect(still).to_be_hidden()
    saved = notebook.save()
    for kept in (talk.name, corrected, "chunk", "<svg", "whisper-tiny-meeting"):
        assert kept in stills(saved)

    notebook.restart_kernel()
    gone = bench.get_by_text("The kernel was restarted").and_(bench.locator(":visible"))
    expect(gone).to_have_count(1)
    notebook.reload()
    expect(still).to_be_visible()
    expect(still).to_contain_text(corrected)
    expect(notebook.output(0).get_by_text("Error displaying widget")).to_be_hidden()

    command = [sys.executable, "-m", "nbconvert", "--to", "html", "--output-dir", str(tmp_path)]
    subprocess.run([*command, str(notebook.path)], check=True, capture_output=True)
    page = notebook.context.new_page()
    page.goto((tmp_path / notebook.path.with_suffix(".html").name).as_uri())
    expect(page.get_by_text(corrected)).to_be_visible()
    page.close()

    notebook.page.evaluate(
        "(code) => window.nbasrPanel.content.widgets[0].model.sharedModel.setSource(code)",
        "import nbasr\nbench = nbasr.workbench()\nbench",
    )
    notebook.run()
    bench = notebook.panel()
    offer = bench.get_by_role("button", name=re.compile(talk.name)).first
    expect(offer).to_contain_text("1 correction")
    expect(offer).to_contain_text("today")
    offer.click()
    expect(text_of(bench, 2)).to_have_text(corrected)
    expect(bench.get_by_role("tab", name="Transcript")).to_contain_text("1 correction")
    assert notebook.evaluate("bench.transcript.segments[2].text") == corrected


def test_a_notebook_with_an_hour_stays_below_200_kb_more(
    open_notebook: Callable[..., Notebook],
) -> None:
    hour = (
        "from nbasr.transcript import Segment, Transcript\n"
        "hour, truth = nbasr.samples.long_meeting(60)\n"
        "bench.recording = hour\n"
        "bench.transcript = Transcript(tuple(Segment(one.start, one.stop, one.text) "
        "for one in truth.turns), duration=hour.duration)"
    )
    notebook = open_notebook(
        ["import nbasr\nbench = nbasr.workbench(nbasr.samples.open('meeting'))\nbench"],
        record_traffic=False,
        **SCREEN,
    )
    before = len(json.dumps(notebook.save()))
    notebook.run()
    notebook.execute(hour)
    still = notebook.output(0).locator(".nbasr-still")
    expect(still).to_contain_text("1:00:0", timeout=PATIENCE)
    notebook.execute("bench.tab = 'transcript'")
    expect(lines(notebook.panel()).first).to_be_visible()
    notebook.settle(1.2)
    assert len(json.dumps(notebook.save())) - before < 200_000


def test_a_host_without_panels_in_panels_says_what_to_do(bare_page: BarePage) -> None:
    body = """
    const { createFrame } = await load("frame.js");
    const { createMounts } = await load("workmount.js");
    const model = { get: () => "en", on() {}, off() {}, send: async () => {} };
    const el = document.createElement("div");
    document.body.append(el);
    const ending = new AbortController();
    const context = { model, el, signal: ending.signal, ...(rest[0] && { host: {
      getWidget: async () => { throw new Error("not supported here"); } } }) };
    const frame = createFrame(context, { kind: "workbench", title: "work.title" });
    const slot = createMounts(frame, context).slot();
    frame.body.append(slot.element);
    slot.show("anywidget:1");
    const begun = performance.now();
    while (!slot.element.querySelector("[role=alert]") && performance.now() - begun < 5000) {
      await new Promise((go) => setTimeout(go, 20));
    }
    const text = slot.element.textContent;
    ending.abort();
    return [text, slot.element.children.length];
    """
    for host, why in ((False, "gives no way"), (True, "not supported here")):
        text, left = bare_page.run(body, host)
        assert why in text
        assert "bench.tuner" in text
        assert left == 0, "nothing stays of a view that is gone"
