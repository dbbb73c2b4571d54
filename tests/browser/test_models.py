"""The model panel in real JupyterLab: memory, loading with a question, unloading with a report."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import modelhub
import pytest
from playwright.sync_api import Locator, expect

from browser.harness import JupyterServer, Notebook

ASSETS = Path(__file__).parent.parent / "assets"
WHISPER = ASSETS / "whisper-tiny-meeting"
CELL = "import nbasr\npanel = nbasr.ModelPanel({})\npanel"
SIZE = r"\d+(?: MB|\.\d GB)"
RESIDENTS = "[m.name for m in __import__('nbasr').models.resident()]"


@pytest.fixture(scope="module")
def shared(module_notebook: Callable[..., Notebook]) -> Notebook:
    notebook = module_notebook([CELL.format("")], height=1000)
    notebook.run(0)
    return notebook


@pytest.fixture
def panel(shared: Notebook) -> Iterator[Locator]:
    """Return the panel, with nothing loaded, no budget and nothing open."""
    found = shared.panel(0)
    expect(options(found).first).to_be_visible()
    yield found
    shared.execute("nbasr.memory.set_budget(None); nbasr.models.unload_all()")
    while found.get_by_role("button", name="Dismiss").filter(visible=True).count():
        found.get_by_role("button", name="Dismiss").filter(visible=True).first.click()
    expect(found.locator(".nb-loadedmodel")).to_have_count(0)
    found.get_by_role("searchbox").fill("")


def options(panel: Locator) -> Locator:
    """Return the rows of the list: the options of selects are others."""
    return panel.get_by_role("listbox", name="Models").get_by_role("option")


def choose(panel: Locator, name: str) -> Locator:
    option = panel.locator(f"[role=option][data-name='{name}']")
    option.click()
    expect(option).to_have_attribute("aria-selected", "true")
    return panel.locator(".nb-modeldetails")


def take(panel: Locator, typed: str, name: str) -> Locator:
    """Look at a model that is not in the list by its hub id or folder."""
    panel.get_by_role("searchbox").fill(typed)
    panel.get_by_role("button", name="Look at").click()
    return choose(panel, name)


def loaded(panel: Locator, name: str) -> Locator:
    row = panel.get_by_role("list", name="Loaded").get_by_role("listitem").filter(has_text=name)
    expect(row).to_be_visible()
    return row


def test_a_model_is_loaded_and_unloaded_and_the_report_is_shown(shared, panel):
    details = take(panel, str(WHISPER), WHISPER.name)
    details.get_by_label("Precision").select_option(label="bf16 · 4.0 MB")
    expect(details.locator(".nb-verdict")).to_contain_text("Fits: it needs")
    expect(details.locator(".nb-forecast")).to_contain_text("Will take")
    expect(details.locator("code")).to_contain_text('dtype="bf16"')
    details.get_by_role("button", name=f"Load {WHISPER.name}").click()
    row = loaded(panel, WHISPER.name)
    expect(row).to_contain_text("bf16 · cpu")
    expect(panel.locator(".nb-load")).to_contain_text(f"{WHISPER.name} is loaded, after")
    expect(panel.locator(".nb-memorypart .nb-memlegend")).to_contain_text(WHISPER.name)
    expect(details.locator(".nb-verdict")).to_contain_text("It is loaded in this precision.")
    expect(panel.locator("[role=option][data-name='" + WHISPER.name + "']")).to_contain_text(
        "loaded"
    )
    assert shared.evaluate(RESIDENTS) == [WHISPER.name]
    row.get_by_role("button", name=f"Unload {WHISPER.name}").click()
    report = panel.get_by_role("region", name=f"{WHISPER.name} unloaded")
    expect(report).to_contain_text("of weights")
    expect(report).to_contain_text(re.compile(rf"Process memory\s*{SIZE} → {SIZE}"))
    expect(report).to_contain_text("Nobody holds anything of it any more.")
    expect(panel.locator(".nb-loadedmodel")).to_have_count(0)
    assert shared.evaluate(RESIDENTS) == []


def test_who_still_holds_a_model_is_told_with_the_line_that_lets_go(shared, panel):
    shared.execute(f"module = nbasr.models.load({str(WHISPER)!r}).module")
    row = loaded(panel, WHISPER.name)
    row.get_by_role("button", name=re.compile("^Unload")).click()
    holders = panel.locator(".nb-holders")
    expect(holders).to_contain_text("variable module: run")
    expect(holders.locator("code")).to_have_text("del module")
    shared.execute("del module")


def test_what_happens_in_cells_is_seen_and_how_long_it_stays_can_be_chosen(shared, panel):
    shared.execute("model = nbasr.models.load('sphinx')")
    row = loaded(panel, "sphinx")
    row.get_by_role("combobox").select_option("5")
    shared.wait_value("model.keep_alive", 5.0)
    expect(row).to_contain_text("goes in 5 min")
    row.get_by_role("combobox").select_option("own")
    own = row.get_by_label("Time, such as 10m or 2h")
    expect(own).to_be_focused()
    own.fill("2h")
    own.press("Enter")
    shared.wait_value("model.keep_alive", 120.0)
    expect(row.get_by_role("combobox")).to_be_focused()
    row.get_by_role("button", name="Pin sphinx").click()
    expect(row.get_by_role("button", name="Pin sphinx")).to_have_attribute("aria-pressed", "true")
    expect(row).to_contain_text("pinned")
    shared.wait_value("model.is_pinned", True)


def test_a_budget_makes_models_too_big_and_says_what_would_fit(shared, panel):
    field = panel.get_by_label("Budget", exact=True)
    field.fill("1 GB")
    field.press("Enter")
    expect(panel.locator(".nb-budget-note")).to_contain_text("Budget 1.0 GB")
    expect(panel.locator(".nb-memorypart .nb-memlegend")).to_contain_text("left of the budget")
    details = choose(panel, "whisper-small")
    expect(details.get_by_label("Precision").locator("option:checked")).to_contain_text("bf16")
    details.get_by_label("Precision").select_option("0")
    verdict = details.locator(".nb-verdict")
    expect(verdict).to_contain_text("Too big by")
    expect(verdict).to_contain_text("It fits in bf16, int8, nf4.")
    expect(details.get_by_role("button", name="Load whisper-small")).to_be_disabled()
    details = choose(panel, "qwen3-asr-1.7b")
    expect(details.locator(".nb-verdict")).to_contain_text("would fit")
    field.fill("plenty")
    panel.get_by_role("button", name="Set").click()
    expect(panel.get_by_role("alert")).to_contain_text("'plenty' is no size")
    panel.get_by_role("button", name="Remove limit").click()
    expect(panel.locator(".nb-budget-note")).to_be_hidden()
    shared.wait_value("__import__('nbasr').memory.budget.budget()", None)


def test_a_model_that_cannot_be_loaded_says_so_in_its_place(shared, panel):
    shared.execute(
        f"import shutil; shutil.copytree({str(WHISPER)!r}, 'broken', dirs_exist_ok=True)\n"
        "open('broken/model.safetensors', 'wb').write(b'none')"
    )
    details = take(panel, "./broken", "broken")
    details.get_by_role("button", name="Load broken").click()
    load = panel.locator(".nb-load")
    expect(load).to_have_attribute("data-state", "failed")
    expect(load).to_contain_text("broken")
    load.get_by_role("button", name="Dismiss").click()
    expect(load).to_be_hidden()


def test_the_list_is_searched_and_filtered(panel):
    panel.get_by_role("searchbox").fill("mandarin")
    expect(options(panel)).to_have_count(1)
    expect(options(panel)).to_contain_text("paraformer-zh")
    panel.get_by_role("searchbox").fill("no such thing")
    expect(panel.locator(".nb-nomodels")).to_contain_text("No such model in the catalogue")
    panel.get_by_role("searchbox").fill("./nowhere")
    panel.get_by_role("button", name="Look at ./nowhere").click()
    expect(panel.get_by_role("alert")).to_contain_text("There is no folder './nowhere'")
    panel.get_by_role("searchbox").fill("")
    panel.get_by_label("Show").select_option("here")
    expect(options(panel).filter(has_text="sphinx")).to_be_visible()
    expect(options(panel).filter(has_text="whisper-small")).to_have_count(0)
    panel.get_by_label("Show").select_option("all")


def test_with_the_keyboard_alone_a_model_is_found_loaded_and_unloaded(shared, panel):
    page = shared.page
    panel.get_by_role("searchbox").focus()
    page.keyboard.type("sphinx")
    page.keyboard.press("ArrowDown")
    expect(panel.get_by_role("listbox")).to_be_focused()
    page.keyboard.press("Enter")
    expect(panel.get_by_role("button", name="Load sphinx")).to_be_focused()
    page.keyboard.press("Enter")
    row = loaded(panel, "sphinx")
    row.get_by_role("button", name=re.compile("^Unload")).focus()
    page.keyboard.press("Space")
    expect(panel.get_by_role("region", name="sphinx unloaded")).to_be_visible()
    expect(panel.get_by_role("listbox")).to_be_focused()  # and not the notebook
    page.keyboard.press("Escape")
    expect(panel.get_by_role("region", name="sphinx unloaded")).to_be_hidden()
    page.keyboard.press("/")
    expect(panel.get_by_role("searchbox")).to_be_focused()
    assert len(page.query_selector_all(".jp-Notebook .jp-Cell")) == 1


def test_memory_over_time_is_a_figure_in_a_frame_of_its_own(shared, panel):
    panel.get_by_role("button", name="Memory over time").click()
    frame = panel.frame_locator("iframe")
    expect(frame.locator(".gtitle")).to_have_text("Memory of cpu over time")
    assert panel.locator("iframe").get_attribute("sandbox") == "allow-scripts allow-downloads"
    assert panel.locator("iframe").get_attribute("src").startswith("blob:")
    shared.set_theme("dark")
    expect(frame.locator("body")).to_have_css("background-color", "rgb(17, 17, 17)")
    shared.set_theme("light")
    panel.get_by_role("button", name="Memory over time").click()
    expect(panel.locator("iframe")).to_have_count(0)
    label = panel.locator(".nb-memstrip").get_attribute("aria-label")
    assert re.search(f"at most {SIZE}, now {SIZE}", label)


def test_nothing_is_sent_while_the_panel_cannot_be_seen(shared, panel):
    page = shared.page
    page.evaluate(
        "() => { window.nbasrHidden = document.querySelector('.nbasr-models');"
        " window.nbasrHidden.style.display = 'none'; }"
    )
    shared.wait_value("panel._views", {})
    shared.settle()
    shared.traffic.reset()
    shared.execute(
        "import threading; from nbasr.memory.timeline import KERNEL\n"
        "looks = threading.Semaphore(0); end = KERNEL.watch(looks.release)\n"
        "nbasr.models.load('sphinx')\n"
        "for _ in range(4): assert looks.acquire(timeout=60)\n"
        "end()"
    )
    sent = [one for one in shared.comm_messages() if not one.sent and "state" in str(one.content)]
    assert [one for one in sent if "event" in str(one.content)] == []
    page.evaluate("() => { window.nbasrHidden.style.display = ''; }")
    loaded(panel, "sphinx")  # and is up to date as soon as it can


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nobody_is_shut_out(shared, panel, theme):
    shared.set_theme(theme)
    shared.execute(f"nbasr.models.load({str(WHISPER)!r}, quantization='int8')")
    loaded(panel, WHISPER.name).get_by_role("button", name=re.compile("^Unload")).click()
    expect(panel.get_by_role("region", name="unloaded")).to_be_visible()
    shared.execute("nbasr.models.load('sphinx'); nbasr.memory.set_budget('1GB')")
    loaded(panel, "sphinx")
    expect(panel.locator(".nb-budget-note")).to_be_visible()
    assert shared.axe(".nbasr") == []
    shared.set_theme("light")
    assert shared.console_errors == []


def test_a_narrow_panel_in_chinese_has_everything_in_sight(open_notebook):
    notebook = open_notebook([CELL.format("language='zh'")], width=900)
    notebook.run(0)
    panel = notebook.panel(0)
    option = panel.locator("[role=option][data-name='whisper-small']")
    option.click()
    expect(option).to_contain_text("在 CPU 上仍然好用的最大型号")
    details = panel.locator(".nb-modeldetails")
    expect(details).to_contain_text("99 种语言")
    expect(details).to_contain_text("将占用")
    wide = panel.evaluate("root => root.scrollWidth - root.clientWidth")
    assert wide <= 0
    over = panel.evaluate(
        "root => [...root.querySelectorAll('*')].filter(one => one.getBoundingClientRect().right >"
        " root.getBoundingClientRect().right + 1 && !one.closest('.nb-models')).length"
    )
    assert over == 0


@pytest.fixture(scope="module")
def hub() -> Iterator[modelhub.ModelHub]:
    with modelhub.running({"openai/whisper-tiny": WHISPER}) as running:
        yield running


def test_a_download_asks_first_shows_its_bytes_and_can_be_stopped(open_notebook, hub, tmp_path):
    hub.gate.clear()
    settings = "; ".join(
        f"os.environ[{name!r}] = {value!r}"
        for name, value in hub.environment(tmp_path / "hub").items()
    )
    forget = "; ".join(
        f"os.environ.pop({name!r}, None)"
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY")
    )
    notebook = open_notebook([f"import os; {settings}; {forget}\n" + CELL.format("")], height=1000)
    notebook.run(0)
    panel = notebook.panel(0)
    details = choose(panel, "whisper-tiny")
    expect(details.get_by_role("button", name="Load whisper-tiny")).to_be_enabled()
    details.get_by_role("button", name="Load whisper-tiny").click()
    load = panel.locator(".nb-load")
    expect(load).to_contain_text("whisper-tiny is not on this machine. Fetch 151 MB from the hub?")
    assert hub.asked == []  # nothing before the answer
    load.get_by_role("button", name="Cancel").click()
    expect(load).to_be_hidden()
    expect(details.get_by_role("button", name="Load whisper-tiny")).to_be_focused()
    details.get_by_role("button", name="Load whisper-tiny").click()
    load.get_by_role("button", name="Fetch and load").click()
    expect(load).to_contain_text(re.compile(r"Fetching whisper-tiny: [3-7]\.\d MB of \d\.\d MB"))
    expect(load.get_by_role("progressbar")).to_have_attribute("aria-valuenow", re.compile(r"\d\d"))
    load.get_by_role("button", name="Stop").click()
    expect(load).to_contain_text("was not fetched to its end; load it again")
    load.get_by_role("button", name="Dismiss").click()
    hub.gate.set()
    details.get_by_role("button", name="Load whisper-tiny").click()
    load.get_by_role("button", name="Fetch and load").click()
    loaded(panel, "whisper-tiny")
    assert notebook.console_errors == []


def test_a_saved_notebook_shows_models_and_memory_without_a_kernel(
    open_notebook: Callable[..., Notebook], lab: JupyterServer
):
    notebook = open_notebook([CELL.format("")])
    notebook.run(0)
    panel = notebook.panel(0)
    expect(options(panel).first).to_be_visible()
    notebook.execute(f"nbasr.models.load({str(WHISPER)!r})")
    loaded(panel, WHISPER.name)
    still = notebook.output(0).locator(".nbasr-still")
    expect(still).to_contain_text(WHISPER.name)  # it is renewed a moment later
    saved = str(notebook.save())
    assert "nbasr-models-still" in saved
    assert WHISPER.name in saved
    assert len(saved) < 60_000
