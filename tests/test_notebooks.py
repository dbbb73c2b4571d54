"""The tutorials run from top to bottom in a real kernel, and stay small enough to be kept."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"

LARGEST = 700_000
"""Bytes that an executed tutorial may have: each recording shown holds 120 kB of sound."""


def run(name: str) -> nbformat.NotebookNode:
    notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
    NotebookClient(
        notebook, timeout=600, resources={"metadata": {"path": str(NOTEBOOKS)}}
    ).execute()
    return notebook


def printed(notebook: nbformat.NotebookNode) -> str:
    return "\n".join(
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream"
    )


@pytest.fixture(scope="module")
def quickstart() -> nbformat.NotebookNode:
    return run("00_quickstart.ipynb")


@pytest.fixture(scope="module")
def long_audio() -> nbformat.NotebookNode:
    return run("04_long_audio.ipynb")


def test_the_quickstart_transcribes_and_measures(quickstart):
    told = printed(quickstart)
    assert "good morning everyone" in told
    assert "word error rate" in told
    assert "nbasr: No model is loaded" in told  # the draft engine is announced, in one line


def test_the_plot_keeps_a_still_picture_for_pages_without_plotly(quickstart):
    shown = [
        output.data
        for cell in quickstart.cells
        for output in cell.get("outputs", [])
        if "application/vnd.plotly.v1+json" in output.get("data", {})
    ]
    assert shown
    assert all("<svg" in data["text/html"] for data in shown)


def test_the_long_audio_tutorial_shows_what_blind_cuts_cost(long_audio):
    told = printed(long_audio)
    assert "blind cuts split" in told
    rates = {
        line.split(":")[0].strip(): float(line.split(":")[1].strip().rstrip("%"))
        for line in told.splitlines()
        if line.startswith(("fixed", "optimal")) and line.endswith("%")
    }
    assert rates["fixed, 1 s overlap"] < rates["fixed"]
    assert rates["optimal"] < rates["fixed"]


@pytest.mark.parametrize("name", ["quickstart", "long_audio"])
def test_an_executed_tutorial_stays_small(name, request):
    assert len(nbformat.writes(request.getfixturevalue(name))) < LARGEST
