"""The tutorials run from top to bottom in a real kernel, and stay small enough to be kept."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from nbasr.engines.quantization import packs

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"

LARGEST = 700_000
"""Bytes that an executed tutorial may have: each recording shown holds 120 kB of sound."""


def run(name: str, *, solved: bool = False) -> nbformat.NotebookNode:
    notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
    if solved:
        notebook.cells = list(with_solutions(notebook.cells))
    NotebookClient(
        notebook,
        timeout=600,
        store_widget_state=False,  # as JupyterLab saves it
        resources={"metadata": {"path": str(NOTEBOOKS)}},
    ).execute()
    return notebook


def with_solutions(cells: list[nbformat.NotebookNode]) -> Iterator[nbformat.NotebookNode]:
    """Yield the cells; after each check of an exercise its solution, and the check again."""
    for number, cell in enumerate(cells):
        yield cell
        if "check" in cell.metadata.get("tags", []):
            (solution,) = re.findall(r"```python\n(.+?)```", cells[number + 1].source, re.DOTALL)
            yield nbformat.v4.new_code_cell(solution)
            yield nbformat.v4.new_code_cell(cell.source)


def shown(notebook: nbformat.NotebookNode) -> str:
    return "\n".join(
        output.data.get("text/plain", "")
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "execute_result"
    )


def raised(notebook: nbformat.NotebookNode) -> list[str]:
    return [
        f"{output.ename}: {output.evalue}"
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "error"
    ]


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


@pytest.fixture(scope="module")
def tuned() -> nbformat.NotebookNode:
    return run("05_chunk_tuning.ipynb", solved=True)


@pytest.fixture(scope="module")
def kernel() -> Iterator[nbformat.NotebookNode]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUDA_VISIBLE_DEVICES", "")  # with a GPU it would fetch the real models
        yield run("06_models_in_the_kernel.ipynb", solved=True)


@pytest.fixture(scope="module")
def quantised() -> Iterator[nbformat.NotebookNode]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUDA_VISIBLE_DEVICES", "")  # with a GPU it would fetch the real model
        yield run("03_quantization.ipynb", solved=True)


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


def rows(told: str, columns: int) -> dict[str, list[str]]:
    """Return the rows of the tables shown that have so many columns, by name; the last counts."""
    found = (re.split(r"  +", line) for line in told.splitlines())
    return {row[0]: row[1:] for row in found if len(row) == columns + 1}


PRECISIONS = ("float32", "bf16", "int8", "nf4")


def test_the_exercises_on_quantisation_tell_a_wrong_answer_from_the_solution(quantised):
    verdicts = re.findall(r"(✔|✘) (?:Right\.|Not yet:)", printed(quantised))
    assert verdicts == [*"✘✘✘", *"✔✔✔", *"✘✘✔", *"✔✔✔"]


def test_every_precision_of_the_tutorial_understands_the_meeting(quantised):
    measured = rows(shown(quantised), columns=4)  # MB, load, transcribe, word error rate
    for name in (*PRECISIONS, "int8, tower too", "nf4, tower too"):
        assert float(measured[name][-1].rstrip("%")) <= 6
    assert "the same text" in printed(quantised)  # of the model saved and loaded again


def test_the_tutorial_predicts_the_bytes_that_it_then_measures(quantised):
    measured = rows(shown(quantised), columns=5)  # as above, with the prediction before
    shares = []
    for name in PRECISIONS:
        predicted, held = (float(cell) for cell in measured[name][:2])
        assert held == pytest.approx(predicted, rel=0.01)
        shares.append(held)
    assert shares == sorted(shares, reverse=True)
    assert shares[1] == pytest.approx(shares[0] / 2, rel=0.01)


def test_the_tutorial_shows_what_stays_unquantised(quantised):
    kept = rows(shown(quantised), columns=4)
    assert kept["lm_head"] == ["Linear", "1", "bfloat16", "0.000"]  # tied to the embeddings
    assert "Linear4bit" in shown(quantised)


def test_single_quantised_weights_are_refused_where_saving_would_damage_them(quantised):
    told = " ".join(printed(quantised).split())
    loaded, saved = (
        float(re.search(rf"{when}: WER ([\d.]+)%", told)[1])
        for when in ("as loaded", "saved after it was used")
    )
    if packs():
        assert "would be damaged by saving them now; load it again and save it first" in told
        assert saved > 2 * loaded
    else:
        assert "nothing was laid out anew" in told
        assert saved == loaded


def test_the_quoted_saving_of_int8_is_one_of_float32_with_a_head_of_its_own(quantised):
    gib = dict(re.findall(r"^(\S.+?) +(\d\.\d\d) GiB", printed(quantised), re.MULTILINE))
    assert float(gib["float32, not tied"]) == pytest.approx(8.76, rel=0.01)
    assert float(gib["int8, the rest float32, not tied"]) == pytest.approx(3.92, rel=0.01)
    assert gib["bf16, as published"] == "3.80"
    assert gib["int8, tower too"] == "2.20"
    assert gib["nf4, tower too, scales not quantised"] == "1.49"


def test_the_exercise_on_thresholds_tells_a_missing_answer_from_the_solution(tuned):
    assert re.findall(r"(✔|✘) (?:Right\.|Not yet:)", printed(tuned)) == ["✘", "✔"]


def test_a_threshold_too_high_loses_words_and_one_too_low_finds_no_pauses(tuned):
    told = rows(shown(tuned), columns=4)  # pauses, chunks, words lost, words cut
    lost = [int(told[f"{above} dB above the floor"][2]) for above in (3, 12, 40)]
    assert lost[0] == lost[1] == 0
    assert lost[2] > 10


def test_strategies_that_look_for_pauses_cut_no_words_and_blind_ones_do(tuned):
    table = rows(shown(tuned), columns=5)  # chunks, words cut, word error rate, seconds, padding
    cut = {name: int(row[1]) for name, row in table.items()}
    assert cut["fixed"] > 3
    assert cut["optimal"] == cut["silence"] == cut["vad"] == cut["fixed, 1 s overlap"] == 0
    assert cut["every long pause"] > 0
    rate = {name: float(row[2].rstrip("%")) for name, row in table.items()}
    assert rate["optimal"] < rate["fixed"]


def test_the_tuner_prints_the_cell_that_does_the_same(tuned):
    assert "%%transcribe --model ../tests/assets/whisper-tiny-meeting" in printed(tuned)
    assert "longer than the model likes: chunks [0]" in printed(tuned)


def test_the_exercises_on_models_tell_a_missing_answer_from_the_solution(kernel):
    verdicts = re.findall(r"(✔|✘) (?:Right\.|Not yet:)", printed(kernel))
    assert verdicts == ["✘", "✔"] * 5


def test_what_cannot_fit_is_refused_before_loading_and_what_fits_is_named(kernel):
    refusal = raised(kernel)[0]
    assert re.match(r"OutOfMemoryError: qwen3-asr-1\.7b in \w+ does not fit", refusal)
    assert 'quantization="nf4"' in refusal
    assert "loaded: []" in printed(kernel)


def test_a_batch_that_runs_out_of_memory_is_told_and_changes_no_word(kernel):
    told = printed(kernel)
    assert "memory ran out with 8 chunks at once; went on with up to 2" in told
    assert "the same text: True" in told


def test_models_go_by_time_and_need_but_not_when_pinned(kernel):
    told = printed(kernel)
    assert "after its work: []" in told
    assert "after a second: []" in told
    assert "nbasr: Unloaded whisper-tiny-meeting" in told
    assert re.search(r"whisper-tiny-meeting \(.+, pinned\) cannot go\.", raised(kernel)[1])


def test_an_unload_names_who_holds_the_model_and_leaves_it_no_weights(kernel):
    report = re.search(r"Unloaded .+\nStill pointed at.+\n((?:  .+\n)+)", shown(kernel))
    assert [re.sub(r"\d+", "n", line.strip()) for line in report[1].splitlines()] == [
        "variable `module`: del module",
        "variable `things`: del things",
        "Out[n]: %asr clean",
        "the traceback of the last error: %asr clean",
    ]
    assert "weights still held: 0.0 MB" in printed(kernel)
    assert "parameters left in it: 0\n" in printed(kernel)
    assert "819 kB are still held. To free them:\n  variable `table`: del table" in shown(kernel)


def test_rounds_of_loading_and_unloading_keep_no_weights(kernel):
    told = printed(kernel)
    unloaded, by_hand = (
        float(re.search(rf"{name} +([-+.\d]+) MB a round", told)[1])
        for name in ("nbasr, unloaded:", "by hand, kept:")
    )
    assert by_hand > 7.5  # the weights of the checkpoint that it keeps: 7.9 MB
    assert unloaded < by_hand / 2


def test_a_tuner_keeps_a_still_form_for_pages_without_a_kernel(tuned):
    stills = [
        output.data["text/html"]
        for cell in tuned.cells
        for output in cell.get("outputs", [])
        if "nbasr-still" in output.get("data", {}).get("text/html", "")
    ]
    assert len(stills) == 2
    assert all("<svg" in still and "chunks" in still for still in stills)


@pytest.mark.parametrize("name", ["quickstart", "long_audio", "quantised", "tuned", "kernel"])
def test_an_executed_tutorial_stays_small(name, request):
    assert len(nbformat.writes(request.getfixturevalue(name))) < LARGEST
