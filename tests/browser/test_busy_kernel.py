"""Panels while a cell runs: they come up, answer, and can be stopped."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from browser.harness import Notebook

SHOWN = (
    "import nbasr; talk = nbasr.samples.long_meeting(10)[0]\n"  # it is stopped long before its end
    "bench = nbasr.workbench(talk, model='sphinx')"
)
HELD = "import threading; go_on = threading.Event(); held = go_on.wait(240)"


def test_a_workbench_works_although_the_cells_after_it_still_run(
    open_notebook: Callable[..., Notebook],
) -> None:
    notebook = open_notebook([SHOWN + "; bench", HELD])
    notebook.run(wait=False)
    bench = notebook.panel(0)
    tabs = bench.get_by_role("tab")
    tabs.nth(1).click()
    expect(bench.locator(".nbasr-tuner canvas").first).to_be_visible(timeout=60_000)
    bench.locator(".nb-work-begin").click()
    expect(bench.locator(".nb-line").first).to_be_visible(timeout=120_000)
    bench.get_by_role("button", name="Stop", exact=True).click()
    expect(bench.locator(".nb-work-told")).to_contain_text("Stopped", timeout=30_000)
    assert notebook.page.evaluate("window.nbasrRun.done") is False
    tabs.nth(0).click()
    expect(bench.locator(".nbasr-upload")).to_be_visible(timeout=30_000)
    notebook.page.evaluate("window.nbasrPanel.sessionContext.session.kernel.interrupt()")
    notebook.wait_run(check=False)
