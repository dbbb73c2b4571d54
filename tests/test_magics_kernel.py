"""The magics in a real Jupyter kernel: errors, interrupts, completion as a front end sees them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

TIMEOUT = 120.0
"""Seconds that a cell may take before the test gives up."""

Outputs = list[tuple[str, dict[str, Any]]]


class Kernel:
    """A kernel with our extension loaded."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager = manager
        self.client = client

    def run(
        self, code: str, on_output: Callable[[str, dict[str, Any]], None] | None = None
    ) -> tuple[dict[str, Any], Outputs]:
        """Run a cell; return the reply and its outputs as (type, content)."""
        sent = self.client.execute(code)
        outputs: Outputs = []
        until = time.monotonic() + TIMEOUT
        while True:
            message = self.client.get_iopub_msg(timeout=until - time.monotonic())
            if message["parent_header"].get("msg_id") != sent:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle":
                break
            if kind not in ("status", "execute_input"):
                outputs.append((kind, content))
                if on_output is not None:
                    on_output(kind, content)
        while True:
            reply = self.client.get_shell_msg(timeout=TIMEOUT)
            if reply["parent_header"].get("msg_id") == sent:
                return reply["content"], outputs

    def value(self, expression: str) -> str:
        """Return the repr of an expression."""
        reply, outputs = self.run(f"print(repr({expression}))")
        assert reply["status"] == "ok", reply
        return str(outputs[0][1]["text"]).strip()

    def complete(self, code: str) -> list[str]:
        """Return the lines that Tab would make of `code`."""
        reply = self.client.complete(code, len(code), reply=True, timeout=TIMEOUT)["content"]
        start, end = reply["cursor_start"], reply["cursor_end"]
        return [code[:start] + match + code[end:] for match in reply["matches"]]


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    folder = tmp_path_factory.mktemp("work")
    (folder / "my talk.wav").touch()
    manager, client = start_new_kernel(cwd=str(folder))
    try:
        started = Kernel(manager, client)
        reply, outputs = started.run("%load_ext nbasr\nimport nbasr")
        assert (reply["status"], outputs) == ("ok", [])
        yield started
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_a_result_is_shown_as_html_and_as_text(kernel: Kernel) -> None:
    kernel.run("short = (nbasr.samples.open('meeting').read(3, 6), 16000)")
    reply, outputs = kernel.run("%transcribe {short} --model sphinx --quiet --out kept")
    assert reply["status"] == "ok"
    (result,) = [content for kind, content in outputs if kind == "execute_result"]
    assert set(result["data"]) >= {"text/html", "text/plain"}
    assert kernel.value("type(kept).__name__") == "'Transcript'"
    _, outputs = kernel.run("%transcribe {short} --model sphinx --quiet;")
    assert outputs == []


def test_a_mistake_is_one_line_in_the_cell_and_fails_it(kernel: Kernel) -> None:
    reply, outputs = kernel.run("%transcribe --modle x")
    assert (reply["status"], reply["ename"]) == ("error", "OptionError")
    assert [kind for kind, _ in outputs] == ["error"]
    assert outputs[0][1]["traceback"] == [f"OptionError: {reply['evalue']}"]
    assert "Did you mean '--model'?" in reply["evalue"]


def test_a_mistake_in_the_function_is_one_line_too(kernel: Kernel) -> None:
    reply, outputs = kernel.run("nbasr.transcribe('nowhere.wav', model='sphinx')")
    assert (reply["status"], reply["ename"]) == ("error", "AudioError")
    assert len(outputs[-1][1]["traceback"]) == 1


def test_a_notebook_stops_at_a_mistake(tmp_path: Path) -> None:
    cells = ["%load_ext nbasr", "%%transcribe --model sphinx\nnowhere.wav", "reached = True"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = nbclient.NotebookClient(notebook, resources={"metadata": {"path": str(tmp_path)}})
    with pytest.raises(nbclient.exceptions.CellExecutionError, match="There is no file"):
        client.execute()
    (shown,) = notebook.cells[1].outputs
    assert (shown.output_type, len(shown.traceback)) == ("error", 1)
    assert notebook.cells[2].outputs == []
    assert notebook.cells[2].execution_count is None


def test_an_interrupt_keeps_what_is_finished(kernel: Kernel) -> None:
    kernel.run("long = nbasr.samples.long_meeting(10)[0]")
    interrupted = False

    def stop_after_the_first_batch(kind: str, content: dict[str, Any]) -> None:
        nonlocal interrupted
        if not interrupted and "× real time" in str(content.get("data")):
            interrupted = True
            kernel.manager.interrupt_kernel()

    code = "%%transcribe --model sphinx --max-seconds 4 --out kept\n{long}"
    reply, outputs = kernel.run(code, stop_after_the_first_batch)
    assert interrupted
    assert reply["status"] == "ok", reply
    assert [kind for kind, _ in outputs].count("error") == 0
    assert "execute_result" in [kind for kind, _ in outputs]
    assert kernel.value("kept.complete") == "False"
    assert int(kernel.value("len(kept.segments)")) > 0
    assert "interrupted" in kernel.value("kept.notes")
    assert kernel.run("1 + 1")[0]["status"] == "ok"


def test_an_interrupt_saves_what_is_finished_under_another_name(
    kernel: Kernel, tmp_path: Path
) -> None:
    kernel.run("long = nbasr.samples.long_meeting(10)[0]")
    kernel.run("short = (nbasr.samples.open('meeting').read(3, 6), 16000)")
    interrupted = False

    def stop_after_the_first_batch(kind: str, content: dict[str, Any]) -> None:
        nonlocal interrupted
        if not interrupted and "× real time" in str(content.get("data")):
            interrupted = True
            kernel.manager.interrupt_kernel()

    # The short one is done first: what is whole gets its own name, what was not begun no file.
    body = "{short}\n{long}\n{short}"
    code = f'%%transcribe --model sphinx --max-seconds 4 --save "{tmp_path}" --format srt\n{body}'
    reply, _ = kernel.run(code, stop_after_the_first_batch)
    assert interrupted
    assert reply["status"] == "ok", reply
    written = {path.name for path in tmp_path.iterdir()}
    assert "short.srt" in written
    assert all(path.stat().st_size for path in tmp_path.iterdir())
    assert written - {"short.srt"} <= {"long meeting of 10 min.partial.srt"}


def test_the_progress_is_one_output_that_is_rewritten(kernel: Kernel) -> None:
    _, outputs = kernel.run("%transcribe {short} --model sphinx;")
    kinds = [kind for kind, _ in outputs]
    assert kinds.count("display_data") == 1
    assert set(kinds) == {"display_data", "update_display_data"}
    assert "finished" in outputs[-1][1]["data"]["text/plain"]


def test_tab_completes_through_the_kernel(kernel: Kernel) -> None:
    assert kernel.complete("%transcribe --mo") == ["%transcribe --model"]
    assert "%transcribe --model whisper-tiny" in kernel.complete("%transcribe --model whi")
    assert kernel.complete("%transcribe --chunking o") == ["%transcribe --chunking optimal"]
    assert kernel.complete("%transcribe my") == ['%transcribe "my talk.wav"']
    assert kernel.complete("%%transcribe\nmy t") == ["%%transcribe\nmy talk.wav"]
    assert kernel.complete("%asr lo") == ["%asr load"]
    assert "%config NbAsr.max_seconds" in kernel.complete("%config NbAsr.max")


def test_config_sets_an_option(kernel: Kernel) -> None:
    kernel.run("%config NbAsr.max_seconds = 2.5")
    _, outputs = kernel.run("%transcribe {short} --model sphinx --plan")
    assert "max_seconds=2.5" in outputs[-1][1]["data"]["text/plain"]
    kernel.run("%config NbAsr.max_seconds = None")


def test_an_unknown_magic_after_unloading_fails(kernel: Kernel) -> None:
    kernel.run("%unload_ext nbasr")
    assert kernel.complete("%transcribe --mo") != ["%transcribe --model"]
    _, outputs = kernel.run("%transcribe a.wav")
    assert "not found" in str(outputs)
    assert kernel.run("%load_ext nbasr")[0]["status"] == "ok"
    assert kernel.complete("%transcribe --mo") == ["%transcribe --model"]
