"""Giving memory back in a real kernel, whoever still points at the model."""

from __future__ import annotations

import ast
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel
from test_magics_kernel import Kernel, Outputs

MB = 1_000_000

TOLD_APART = 12 * MB
"""What a kernel's memory varies by between two readings, whatever is loaded: garbage, threads."""


PREPARE = """
import gc, threading, weakref
import torch, nbasr
from nbasr import memory
from transformers import WhisperConfig, WhisperForConditionalGeneration, logging
logging.disable_progress_bar()

def make(folder):  # a function, so that nothing of it stays
    config = WhisperConfig.from_pretrained(folder)
    config.d_model, config.encoder_attention_heads, config.decoder_attention_heads = 768, 12, 12
    config.encoder_ffn_dim = config.decoder_ffn_dim = 3072
    config.encoder_layers = config.decoder_layers = 3
    with torch.device("meta"):
        model = WhisperForConditionalGeneration(config)
    model.to_empty(device="cpu")
    for weight in model.parameters():
        torch.nn.init.constant_(weight, 0.01)
    model.save_pretrained(folder)

make({folder!r})
nbasr.models.load({small!r}, device="cpu"), nbasr.models.unload_all();
"""
"""What is done once: a Whisper checkpoint of some 200 MB, and one round with a small one, by which
all is imported that a model needs."""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory, assets: Path) -> Path:
    """Return the folder of a Whisper checkpoint, as yet without weights."""
    folder = tmp_path_factory.mktemp("models") / "whisper-large-enough"
    small = assets / "whisper-tiny-meeting"
    shutil.copytree(small, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    return folder


@pytest.fixture(scope="module")
def started(large: Path, assets: Path) -> Iterator[Kernel]:
    """Start a kernel and prepare it."""
    manager, client = start_new_kernel(cwd=str(large.parent))
    try:
        kernel = Kernel(manager, client)
        small = assets / "whisper-tiny-meeting"
        kept = (large / "generation_config.json").read_bytes()
        run(kernel, PREPARE.format(folder=str(large), small=str(small)))
        (large / "generation_config.json").write_bytes(kept)
        yield kernel
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.fixture
def kernel(started: Kernel, large: Path) -> Iterator[Kernel]:
    """Give a kernel with the large model loaded, `base` bytes before and `whole` bytes of it."""
    code = f"""memory.clean()
base = memory.process_bytes()
handle = nbasr.models.load({str(large)!r}, device="cpu", dtype="float32")
module = handle.module
for weight in module.parameters():  # so that each page is this process's own
    weight.data.add_(0.0)
whole = handle.bytes
alive = weakref.ref(module)
found = None;"""
    run(started, code)
    yield started
    run(
        started, "module = weight = kept = found = None; nbasr.models.unload_all(); memory.clean();"
    )


def run(kernel: Kernel, code: str) -> Outputs:
    """Run a cell that must succeed."""
    reply, outputs = kernel.run(code)
    assert reply["status"] == "ok", reply
    return outputs


def number(kernel: Kernel, expression: str) -> int:
    return int(kernel.value(expression))


def names(kernel: Kernel, report: str) -> dict[str, str]:
    """Return the holders of a report: where, and what frees it."""
    shown = kernel.value(f"{{one.where: one.frees for one in {report}.holders}}")
    found: Any = ast.literal_eval(shown)
    return dict(found)


def shown_number(outputs: Outputs) -> int:
    """Return n of the ``Out[n]`` that a cell showed."""
    (count,) = [content["execution_count"] for kind, content in outputs if kind == "execute_result"]
    return int(count)


def test_memory_is_back_though_a_variable_an_output_and_a_traceback_hold_the_model(kernel):
    run(kernel, "del weight")
    out = shown_number(run(kernel, "module"))
    run(kernel, "def fail(m):\n    inner = m.get_encoder()\n    raise RuntimeError('no')")
    reply, _ = kernel.run("fail(module)")
    assert reply["ename"] == "RuntimeError"
    whole = number(kernel, "whole")
    assert whole > 150 * MB
    if sys.platform.startswith("linux"):
        assert number(kernel, "memory.process_bytes() - base") > 0.9 * whole
    run(kernel, "found = nbasr.models.unload_all()")
    assert names(kernel, "found") == {
        "variable `module`": "del module",
        f"Out[{out}]": "%asr clean",
        "the traceback of the last error": "%asr clean",
    }
    assert number(kernel, "found.model_bytes") == whole
    assert number(kernel, "found.held_bytes") == 0
    assert number(kernel, "sum(p.nbytes for p in module.parameters())") == 0
    if sys.platform.startswith("linux"):
        grown = number(kernel, "memory.process_bytes() - base")
        assert grown < 0.05 * whole + TOLD_APART
        assert number(kernel, "found.freed_bytes") > 0.9 * whole

    # Let go of as the report says, the emptied model is gone too.
    run(kernel, "cleaned = memory.clean()")
    run(kernel, "del module, handle")
    run(kernel, "gc.collect();")
    assert kernel.value("alive()") == "None"
    assert f"Out[{out}]" in kernel.value("cleaned.cleared")


def test_an_interrupt_leaves_a_traceback_that_is_named_and_cleaned(kernel):
    run(kernel, "def wait(m):\n    print('go', flush=True)\n    threading.Event().wait(60)")
    stopped = False

    def stop(kind: str, content: dict[str, Any]) -> None:
        nonlocal stopped
        if kind == "stream" and not stopped:
            stopped = True
            kernel.manager.interrupt_kernel()

    reply, _ = kernel.run("wait(module)", stop)
    assert reply["ename"] == "KeyboardInterrupt"
    run(kernel, "module = weight = None; found = nbasr.models.unload_all()")
    assert names(kernel, "found") == {"the traceback of the interrupt": "%asr clean"}
    if sys.platform.startswith("linux"):
        grown = number(kernel, "memory.process_bytes() - base")
        assert grown < 0.05 * number(kernel, "whole") + TOLD_APART
    run(kernel, "found = memory.clean();")
    assert "the traceback of the interrupt" in kernel.value("found.cleared")
    run(kernel, "gc.collect();")
    assert kernel.value("alive()") == "None"


def test_an_error_that_holds_the_model_itself_is_cleaned(kernel):
    reply, _ = kernel.run("module.nonsense")  # an AttributeError holds the object without it
    assert reply["ename"] == "AttributeError"
    # A debugger that looked at the error holds its frames.
    run(
        kernel,
        "import sys\nshell = get_ipython()\nshell.InteractiveTB.pdb = "
        "shell.InteractiveTB.debugger_cls()\nshell.InteractiveTB.pdb.setup(None, "
        "sys.last_traceback)\nmodule = weight = None",
    )
    run(kernel, "nbasr.models.unload_all(); memory.clean(); gc.collect();")
    assert kernel.value("alive()") == "None"
    assert kernel.value("shell.InteractiveTB.pdb") == "None"
    assert kernel.value("hasattr(sys, 'last_value')") == "False"
    assert kernel.run("1 / 0")[0]["ename"] == "ZeroDivisionError"  # errors are shown as before
    assert "ZeroDivisionError" in kernel.value("sys.last_type")


def test_clean_leaves_the_users_other_outputs(kernel):
    text = shown_number(run(kernel, "'a text'"))
    several = shown_number(run(kernel, "{'model': [module], 'n': 3}"))
    light = shown_number(run(kernel, "handle"))
    array = shown_number(run(kernel, "import numpy; numpy.arange(3)"))
    last = shown_number(run(kernel, "weight"))
    run(kernel, "found = memory.clean()")
    assert kernel.value(f"(Out[{text}], _{text})") == "('a text', 'a text')"
    assert kernel.value(f"Out[{light}] is handle") == "True"
    assert kernel.value(f"_{array}.sum()").endswith("(3)")
    for gone in (several, last):
        assert kernel.value(f"({gone} in Out, '_{gone}' in globals())") == "(False, False)"
    assert kernel.value("_") == "''"  # it was the weight
    run(kernel, "20 + 22")
    assert kernel.value("(_, __)") == "(42, '')"  # and IPython fills it as before
    assert names(kernel, "found") == {"variable `module`": "del module"} | (
        {"variable `weight`": "del weight"} if number(kernel, "weight.nbytes") >= MB else {}
    )
    assert number(kernel, "handle.bytes") == number(kernel, "whole")  # what is loaded stays


def test_results_are_named_once_and_a_variable_called_underscore_is_the_users(kernel):
    run(kernel, "del weight")
    out = shown_number(run(kernel, "module"))
    run(kernel, "found = memory.holders.holders([module])")
    assert names_of(kernel) == ["variable `module`", f"Out[{out}]"]
    run(kernel, f"del Out[{out}], _{out}; found = memory.holders.holders([module])")
    assert names_of(kernel) == ["variable `module`", "`_`"]
    run(kernel, "1; memory.clean();")
    run(kernel, "for _ in [module]: pass\nfound = memory.holders.holders([module])")
    assert set(names_of(kernel)) == {"variable `module`", "variable `_`"}
    run(kernel, "memory.clean();")
    assert kernel.value("_ is module") == "True"
    run(kernel, "_ = get_ipython().displayhook._")  # IPython's again


def names_of(kernel: Kernel) -> list[str]:
    found: Any = ast.literal_eval(kernel.value("[one.where for one in found]"))
    return list(found)


def test_weights_that_numpy_looks_at_are_told_as_held(kernel):
    run(kernel, "weight = kept = module.proj_out.weight.detach().numpy()[:2]")
    run(kernel, "size = module.proj_out.weight.nbytes; module = None")
    run(kernel, "found = nbasr.models.unload_all()")
    assert number(kernel, "found.held_bytes") == number(kernel, "size")
    assert names(kernel, "found") == {
        "variable `weight`": "del weight",
        "variable `kept`": "del kept",
    }
    assert "are still held. To free them:" in kernel.value("found")


def test_a_report_is_shown_as_html(kernel):
    outputs = run(kernel, "nbasr.models.unload_all()")
    (data,) = [content["data"] for kind, content in outputs if kind == "execute_result"]
    assert "<code>del module</code>" in data["text/html"]
    assert "del module" in data["text/plain"]
    assert data["text/plain"].startswith("Unloaded whisper-large-enough (")
