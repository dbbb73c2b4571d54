"""The tutorial of the tuner, gone through in JupyterLab as its text tells."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from browser.harness import Notebook

NOTEBOOKS = Path(__file__).parent.parent.parent / "notebooks"


def cells(name: str) -> list[str]:
    """Return the code of a tutorial, begun in the folder of the tutorials."""
    known = json.loads((NOTEBOOKS / name).read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in known if cell["cell_type"] == "code"]
    return [f"%cd -q {NOTEBOOKS}", *code]


@pytest.fixture(scope="module")
def tutorial(module_notebook) -> Notebook:
    return module_notebook(cells("05_chunk_tuning.ipynb"), height=1200)


def holding(text: str) -> int:
    """Return the index of the first cell with a text in its code."""
    return next(index for index, code in enumerate(cells("05_chunk_tuning.ipynb")) if text in code)


def test_the_panel_and_the_cells_of_the_tutorial_follow_each_other(tutorial: Notebook) -> None:
    shown = holding("tuner = nbasr.ChunkTuner(")
    for index in range(shown + 1):
        tutorial.run(index)
    panel = tutorial.panel(shown)
    count = panel.locator(".nb-count")
    chunks = tutorial.evaluate("len(tuner.plan)")
    expect(count).to_have_text(f"{chunks} chunks")

    # By the slider, as section 2 says; the cell then tells what was set.
    panel.get_by_label("Threshold is measured").select_option("above_floor")
    threshold = panel.get_by_role("slider", name="Threshold")
    threshold.focus()
    before = float(threshold.input_value())
    for _ in range(4):
        tutorial.page.keyboard.press("ArrowRight")
    after = float(threshold.input_value())
    assert after > before
    tutorial.wait_value("tuner.strategy.above_floor_db", after)
    told = shown + 1
    tutorial.run(told)
    expect(tutorial.output(told)).to_contain_text(f"above_floor_db={after:g}")

    # By the cell; the panel follows.
    tutorial.run(holding("for above in (3, 12, 40)"))
    expect(count).to_have_text(f"{chunks} chunks")
    assert tutorial.evaluate("tuner.strategy.above_floor_db") is None
    expect(panel.get_by_label("Threshold is measured")).to_have_value("auto")
    assert tutorial.console_errors == []


def test_a_cut_made_by_hand_is_in_the_code_that_the_tutorial_prints(tutorial: Notebook) -> None:
    shown = holding("tuner = nbasr.ChunkTuner(")
    panel = tutorial.panel(shown)
    chunks = tutorial.evaluate("len(tuner.plan)")
    middle = tutorial.evaluate("next((c.start + c.stop) / 2 for c in tuner.plan if c.duration > 4)")
    panel.locator(".nb-detail").scroll_into_view_if_needed()
    box = panel.locator(".nb-detail").bounding_box()
    assert box is not None
    x = panel.evaluate("(root, at) => root.nbTuner.view.x(at)", middle)
    tutorial.page.mouse.dblclick(box["x"] + x, box["y"] + 80)
    tutorial.wait_value("len(tuner.plan)", chunks + 1)
    expect(panel.locator(".nb-count")).to_have_text(f"{chunks + 1} chunks")
    printing = holding("print(tuner.code())")
    tutorial.run(printing)
    (locked,) = tutorial.evaluate("[cut.time for cut in tuner.plan.cuts if cut.locked]")
    expect(tutorial.output(printing)).to_contain_text(f"{locked:g}"[:5])
    panel.locator(".nb-stage").focus()
    tutorial.page.keyboard.press("Control+z")
    tutorial.wait_value("len(tuner.plan)", chunks)
    assert tutorial.console_errors == []


def test_ones_own_strategy_is_shown_and_its_bad_cuts_are_told(tutorial: Notebook) -> None:
    tutorial.execute("STRATEGIES, compare = {'optimal': None}, lambda strategies: None")  # slow
    tutorial.run(holding("class EveryLongPause"))
    shown = holding("second = nbasr.ChunkTuner(")
    tutorial.run(shown)
    panel = tutorial.panel(shown)
    chunks = tutorial.evaluate("len(second.plan)")
    expect(panel.locator(".nb-count")).to_have_text(f"{chunks} chunks")
    expect(panel.locator(".nb-figures")).to_contain_text("in speech or a short pause")
    assert tutorial.console_errors == []
