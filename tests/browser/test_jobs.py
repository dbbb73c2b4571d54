"""Jobs in JupyterLab: shown in their cell while later cells run, and kept when it is saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from browser.harness import Notebook

SLOW_MS = 120_000
"""What a model may take: its libraries are imported first."""

BEGIN = """
import nbasr
talk = nbasr.samples.long_meeting(2)[0]
job = nbasr.submit(talk, model={model!r}, max_seconds=6, batch_size=1)
job
"""

STOP = """
job = nbasr.submit(talk, model={model!r}, max_seconds=6, batch_size=1)
job.observe(lambda job: job.partial.segments and job.stop())
job
"""


@pytest.fixture(scope="module")
def shown(module_notebook: Callable[..., Notebook], assets: Path) -> Notebook:
    model = str(assets / "whisper-tiny-meeting")
    cells = [BEGIN.format(model=model), "1 + 1", STOP.format(model=model)]
    notebook = module_notebook(cells)
    notebook.run(0)
    return notebook


def test_a_job_is_shown_to_its_end_while_other_cells_run(shown: Notebook) -> None:
    shown.run(1)
    expect(shown.output(1)).to_contain_text("2")
    expect(shown.output(0)).to_contain_text("finished after", timeout=SLOW_MS)
    expect(shown.output(0)).to_contain_text("whisper-tiny-meeting")
    shown.screenshot("job-finished", shown.cell(0))
    (output,) = shown.save()["cells"][0]["outputs"]
    assert "finished after" in "".join(output["data"]["text/html"])
    assert "finished after" in "".join(output["data"]["text/plain"])


def test_a_stopped_job_keeps_its_last_words_in_its_cell(shown: Notebook) -> None:
    shown.run(2)
    expect(shown.output(2)).to_contain_text("interrupted after", timeout=SLOW_MS)
    heard = shown.evaluate("job.partial.text.split()[-1]")
    expect(shown.output(2)).to_contain_text(heard)
    shown.screenshot("job-stopped", shown.cell(2))
    assert not shown.console_errors
