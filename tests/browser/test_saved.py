"""What stays of a panel: saved, opened again, after a restart of the kernel."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from browser.harness import JupyterServer, Notebook

TUNER = """
import nbasr
tuner = nbasr.ChunkTuner(nbasr.samples.open("meeting"))
tuner
"""

LOST = "Error displaying widget"


@pytest.fixture
def notebook(open_notebook) -> Notebook:
    notebook = open_notebook([TUNER], height=1200)
    notebook.run()
    expect(notebook.panel(0).locator(".nb-count")).to_have_text("4 chunks")
    return notebook


def stills(saved: dict[str, Any]) -> list[str]:
    outputs = saved["cells"][0]["outputs"]
    return ["".join(one["data"]["text/html"]) for one in outputs if "text/html" in one["data"]]


def test_the_notebook_keeps_what_the_panel_shows_in_the_end(notebook: Notebook) -> None:
    still = notebook.output(0).locator(".nbasr-still")
    expect(still).to_be_hidden()  # while the panel itself is there
    notebook.execute("tuner.strategy = nbasr.chunking.Optimal(max_seconds=8)")
    expect(still).to_contain_text("15 chunks")
    expect(still).to_be_hidden()
    (kept,) = stills(notebook.save())
    assert "Optimal(max_seconds=8)" in kept
    assert len(kept) < 60_000


def test_a_notebook_opened_again_shows_the_still_form_and_no_error(notebook: Notebook) -> None:
    notebook.save()
    notebook.restart_kernel()
    expect(notebook.panel(0)).to_contain_text("The kernel was restarted; run the cell again")
    notebook.reload()
    output = notebook.output(0)
    expect(output.locator(".nbasr-still")).to_be_visible()
    expect(output.locator(".nbasr-still svg")).to_be_visible()
    expect(output.get_by_text("run the cell for the panel itself")).to_be_visible()
    expect(output.get_by_text(LOST)).to_be_hidden()
    assert [line for line in notebook.console_errors if "widget model not found" not in line] == []
    notebook.run()
    expect(notebook.panel(0).locator(".nb-count")).to_have_text("4 chunks")
    expect(output.locator(".nbasr-still")).to_be_hidden()


def test_notebook_7_tunes_plays_and_keeps_the_same(open_notebook, notebook7: JupyterServer) -> None:
    notebook = open_notebook([TUNER], host=notebook7, theme="dark", height=1200)
    notebook.run()
    panel = notebook.panel(0)
    longest = panel.get_by_role("spinbutton", name="Longest")
    longest.fill("8")
    longest.press("Enter")
    expect(panel.locator(".nb-count")).to_have_text("15 chunks")
    notebook.wait_value("len(tuner.plan)", 15)
    expect(panel).to_have_attribute("data-theme", "dark")
    panel.locator(".nb-stage").focus()
    notebook.page.keyboard.press("Space")
    notebook.page.wait_for_function(
        "(root) => root.nbTuner.player.time() > 0.2", arg=panel.element_handle()
    )
    notebook.page.keyboard.press("Space")
    notebook.screenshot("tuner-notebook7")
    expect(notebook.output(0).locator(".nbasr-still")).to_contain_text("15 chunks")
    expect(notebook.output(0).locator(".nbasr-still")).to_be_hidden()
    ours = [line for line in notebook.console_errors if "'schema'" not in line]  # Notebook 7's own
    assert ours == []
