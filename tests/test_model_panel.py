"""The model panel's side in the kernel: what it answers, what it tells, what it holds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import modelhub
import numpy as np
import pages
import pytest
from pages import PATIENCE

import nbasr
from nbasr import memory, models
from nbasr.errors import OptionError
from nbasr.memory.timeline import KERNEL
from nbasr.models import catalog
from nbasr.widgets import _model_reports, _model_state
from nbasr.widgets.models import ModelPanel


class Page(pages.Page):
    """A page that loads models as the button does."""

    def load(self, name: str, **values: Any) -> dict[str, Any]:
        """Load a model; return how that ended."""
        number = self.data("load", name=name, **values)["loading"]["number"]

        def ended() -> list[dict[str, Any]]:
            loads = (one["load"] for one in self.events("load"))
            over = ("loaded", "failed", "stopped")
            return [one for one in loads if one["number"] == number and one["state"] in over]

        self.wait(ended)
        return ended()[-1]


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    models.unload_all()
    yield
    memory.set_budget(None)
    models.unload_all()


@pytest.fixture
def panel() -> Iterator[ModelPanel]:
    made = ModelPanel(language="en")
    yield made
    made.close()


@pytest.fixture
def page(panel: ModelPanel) -> Page:
    return Page(panel)


@pytest.fixture(scope="session")
def whisper(assets: Path) -> str:
    return str(assets / "whisper-tiny-meeting")


def row(page: Page, name: str, **values: Any) -> dict[str, Any]:
    rows = page.data("catalogue", **values)["rows"]
    return next(one for one in rows if one["name"] == name)


def test_who_observes_what_is_loaded_may_use_the_panel(panel, whisper):
    def unload(change: dict[str, Any]) -> None:
        if change["new"]:
            panel.unload()

    panel.observe(unload, "loaded")
    loading = threading.Thread(target=lambda: panel.load(whisper), daemon=True)
    loading.start()
    loading.join(PATIENCE)
    assert not loading.is_alive()  # they waited for each other
    assert panel.loaded == ()


def test_the_catalogue_tells_all_models_with_what_each_precision_takes(page):
    answer = page.data("catalogue")
    rows = answer["rows"]
    assert {one["name"] for one in rows} == {entry.name for entry in catalog.entries()}
    small = next(one for one in rows if one["name"] == "whisper-small")
    device = answer["device"]
    assert not small["here"]
    assert small["download"] == catalog.entry("whisper-small").download_bytes
    assert small["licence"]
    assert small["max_seconds"] == 30.0
    ways = {(one["precision"], one["dtype"]): one for one in small["variants"]}
    assert {"int8", "nf4"} <= {precision for precision, _ in ways}
    for one in small["variants"]:
        quantization = one["quantization"] or "none"
        expected = models.estimate(
            "whisper-small", dtype=one["dtype"], quantization=quantization, device=device
        )
        assert one["weights"] == expected.weights_bytes
        assert one["weights"] < one["needed"] <= expected.total_bytes
    usual = small["variants"][small["usual"]]
    assert usual["dtype"] == catalog.resolve("whisper-small").dtype


def test_the_embedded_model_is_here_and_has_one_way_to_be_loaded(page):
    sphinx = row(page, "sphinx")
    assert sphinx["here"]
    assert len(sphinx["variants"]) == 1


def test_a_folder_can_be_looked_at_and_is_listed_once_it_is_loaded(page, whisper):
    about = page.data("about", name=whisper)["row"]
    assert about["here"]
    assert not about["known"]
    assert about["name"] == "whisper-tiny-meeting"
    models.load(whisper)
    listed = row(page, "whisper-tiny-meeting")
    assert listed["source"] == about["source"]


def test_a_name_that_is_none_is_refused_in_a_sentence(page):
    assert "There is no folder './nowhere'" in page.ask("about", name="./nowhere").error
    assert "There is no model 'wisper-small'" in page.ask("load", name="wisper-small").error


def test_what_a_model_will_take_is_told_part_by_part(page):
    found = page.data("estimate", name="qwen3-asr-1.7b", quantization="nf4", device="cpu")
    expected = models.estimate("qwen3-asr-1.7b", quantization="nf4", device="cpu")
    assert found["total_bytes"] == expected.total_bytes
    assert found["weights"] == dict(expected.weights)
    assert found["precision"] == "nf4"


def test_a_model_is_loaded_in_the_precision_that_was_chosen(page, whisper):
    load = page.load(whisper, dtype="bf16", device="cpu", keep_alive="5m", pin=True)
    assert load["state"] == "loaded"
    assert load["error"] == ""
    (model,) = models.resident()
    assert (model.spec.dtype, model.keep_alive, model.is_pinned) == ("bf16", 5.0, True)
    (told,) = page.data("watch", view="v", shown=True)["loaded"]
    assert (told["name"], told["precision"], told["pinned"]) == (model.name, "bf16", True)
    assert told["parts"] == model.parts
    assert told["bytes"] == model.bytes > 1_000_000


def test_a_model_that_cannot_be_loaded_says_why(page, tmp_path, whisper):
    broken = shutil.copytree(whisper, tmp_path / "broken")
    (broken / "model.safetensors").write_bytes(b"no weights")
    load = page.load(str(broken))
    assert load["state"] == "failed"
    assert "broken" in load["error"]
    page.data("dismiss_load")
    assert page.data("watch", view="v", shown=True)["load"] is None
    assert page.load("sphinx")["state"] == "loaded"


def test_a_model_that_does_not_fit_the_budget_lists_what_would(page, whisper):
    page.data("budget", size="5 MB", device="cpu")
    load = page.load(whisper, dtype="float32", device="cpu")
    assert load["state"] == "failed"
    assert "does not fit and was not loaded" in load["error"]
    assert "within the budget of 5.0 MB" in load["error"]


def test_a_download_is_asked_for_and_never_happens_by_itself(page):
    asked = page.data("load", name="whisper-base")
    assert asked["confirm"] == "whisper-base"
    assert asked["bytes"] == catalog.entry("whisper-base").download_bytes
    assert asked["folder"]
    assert page.panel._loading.now is None
    load = page.load("whisper-base", fetch=True)  # the tests' hub is out of reach
    assert load["state"] == "failed"
    assert "HF_HUB_OFFLINE" in load["error"]


def test_an_unload_is_reported_with_who_still_holds_the_model(page, whisper):
    page.load(whisper)
    (told,) = page.data("watch", view="v", shown=True)["loaded"]
    answer = page.data("unload", key=told["key"])
    report = answer["report"]
    assert report["names"] == ["whisper-tiny-meeting"]
    assert report["model_bytes"] == told["bytes"]
    assert report["before"] > 0
    assert report["after"] > 0
    assert report["held_bytes"] == 0
    assert answer["loaded"] == []
    assert models.resident() == []
    assert "is not loaded any more" in page.ask("unload", key=told["key"]).error


def test_all_models_are_unloaded_at_once(page, whisper):
    page.load(whisper)
    page.load("sphinx")
    assert len(page.data("watch", view="v", shown=True)["loaded"]) == 2
    report = page.data("unload")["report"]
    assert sorted(report["names"]) == ["sphinx", "whisper-tiny-meeting"]


def test_who_holds_what_is_told_in_the_language_of_the_person():
    report = memory.ReleaseReport(
        ("a",),
        memory.Memory(2),
        memory.Memory(1),
        holders=(
            memory.Holder("variable `m.x`", "del m.x"),
            memory.Holder("the traceback of the last error", "%asr clean"),
            memory.Holder("Out[3]", "%asr clean"),
        ),
    )
    wheres = [one["where"] for one in _model_reports.report(report, "zh")["holders"]]
    assert wheres == ["变量 m.x", "上一个错误的回溯", "Out[3]"]
    assert _model_reports.report(report, "en")["holders"][0]["where"] == "variable m.x"


def test_how_long_a_model_stays_can_be_set_and_pinned(page):
    page.load("sphinx")
    key = page.data("watch", view="v", shown=True)["loaded"][0]["key"]
    (told,) = page.data("keep", key=key, keep_alive="1h30m")["loaded"]
    assert told["keep_alive"] == 90.0
    assert 89 <= told["left"] <= 90
    (told,) = page.data("pin", key=key, pinned=True)["loaded"]
    assert (told["pinned"], told["left"]) == (True, None)
    (told,) = page.data("pin", key=key, pinned=False)["loaded"]
    assert not told["pinned"]
    assert "keep_alive takes minutes" in page.ask("keep", key=key, keep_alive="soon").error


def test_a_budget_is_set_shown_and_lifted(page):
    state = page.data("budget", size="3 GB", device="cpu")
    (cpu,) = [one for one in state["devices"] if one["device"] == "cpu"]
    assert cpu["spot"][-1] == 3e9
    assert cpu["room"] <= 3e9
    assert "is no size" in page.ask("budget", size="plenty", device="cpu").error
    state = page.data("budget", size="", device="cpu")
    assert [one["spot"][-1] for one in state["devices"]] == [-1] * len(state["devices"])


def test_a_clean_up_is_reported(page):
    report = page.data("clean")["report"]
    assert report["cleaned"]
    assert report["names"] == []


def test_what_happens_elsewhere_in_the_kernel_is_told_while_the_panel_can_be_seen(page):
    page.data("watch", view="v", shown=True)
    models.load("sphinx")
    page.wait(lambda: any(one["loaded"] for one in page.events("state")))
    page.wait(lambda: page.panel.loaded)
    assert page.events("state")[-1]["marks"][-1][1:] == ["load", "sphinx"]


def test_nothing_is_told_when_nobody_can_see_the_panel_or_nothing_changes(page):
    looks = threading.Semaphore(0)
    page.data("watch", view="v", shown=True)
    page.data("watch", view="v", shown=False)
    end = KERNEL.watch(looks.release)
    for _ in range(2):  # a look that began while the panel could be seen may still be told
        assert looks.acquire(timeout=PATIENCE)
    told = len(page.events("state"))
    models.load("sphinx")
    for _ in range(4):  # two seconds of looking
        assert looks.acquire(timeout=PATIENCE)
    end()
    assert len(page.events("state")) == told
    page.wait(lambda: page.panel.loaded)  # its trait follows nevertheless


def test_a_state_differs_by_more_than_noise_only():
    KERNEL.look()
    state = _model_state.state("", None, {})
    other = {**state, "devices": [{**one, "spot": list(one["spot"])} for one in state["devices"]]}
    other["devices"][-1]["spot"][2] += 1000
    assert not _model_state.differs(state, other)
    other["devices"][-1]["spot"][2] += state["devices"][-1]["total"] / 100
    assert _model_state.differs(state, other)
    assert _model_state.differs(state, {**state, "loaded": [1]})


def test_the_timeline_goes_to_the_browser_as_numbers(page):
    KERNEL.look()
    answer = page.ask("timeline", device="cpu")
    table = np.frombuffer(answer.buffers[0], "<f8").reshape(answer.data["count"], -1)
    last = KERNEL.spots("cpu")[-1]
    assert table[-1].tolist() == _model_state.numbers(last)
    later = page.data("timeline", device="cpu", since=float(table[-1, 0]) + 3600)
    assert later["count"] == 0


def test_the_figure_and_its_script_go_as_bytes(page):
    KERNEL.look()
    page.panel.language = "zh"
    (figure,) = page.ask("figure", device="cpu").buffers
    assert json.loads(figure)["layout"]["title"]["text"] == "cpu 的内存变化"
    (script,) = page.ask("plotly").buffers
    assert len(script) > 1_000_000


def test_python_reads_what_is_loaded_and_loads_and_unloads(panel, page, whisper):
    seen: list[tuple[str, ...]] = []
    panel.observe(lambda change: seen.append(tuple(m.name for m in change["new"])), "loaded")
    model = panel.load(whisper)
    assert panel.loaded[0].spec == model.spec
    report = panel.unload("whisper-tiny-meeting")
    assert report.names == ("whisper-tiny-meeting",)
    assert panel.loaded == ()
    assert seen == [("whisper-tiny-meeting",), ()]
    assert page.events("report")[-1]["names"] == ["whisper-tiny-meeting"]
    assert "no model is loaded" in repr(panel)


def test_a_device_that_is_none_is_refused():
    with pytest.raises(OptionError, match="device is auto, cpu, cuda or mps, not 'tpu'"):
        ModelPanel(device="tpu")
    with pytest.raises(OptionError, match="There is no cuda:9 device"):
        ModelPanel(device="cuda:9")


def test_the_still_form_has_the_models_and_the_memory_and_is_small(panel, whisper):
    panel.load(whisper)
    KERNEL.look()
    still = panel.still()
    assert "whisper-tiny-meeting" in still
    assert "<svg" in still or "nothing was seen" in still
    assert "<script" not in still
    assert len(still.encode()) < 20_000


def test_a_closed_panel_looks_at_the_memory_no_longer():
    before = len(KERNEL._watching)
    made = ModelPanel()
    assert len(KERNEL._watching) == before + 1
    made.close()
    assert len(KERNEL._watching) == before


def test_it_is_a_public_name():
    assert nbasr.ModelPanel is ModelPanel


@pytest.fixture(scope="module")
def hub(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[modelhub.ModelHub]:
    with modelhub.running({"openai/whisper-tiny": assets / "whisper-tiny-meeting"}) as running:
        yield running


def test_a_download_tells_its_bytes_can_be_stopped_and_begun_again(hub, tmp_path):
    hub.gate.clear()
    code = """
        import sys
        from nbasr.widgets.models import ModelPanel
        from pages import Page

        panel = ModelPanel()
        page = Page(panel)
        def loads(): return [one["load"] for one in page.events("load")]

        print(page.data("load", name="openai/whisper-tiny")["bytes"])
        page.data("load", name="whisper-tiny", fetch=True)
        page.wait(lambda: any(one["done_bytes"] >= 2e6 for one in loads()))
        print(loads()[-1]["state"], loads()[-1]["total_bytes"])
        page.data("stop_load")
        page.wait(lambda: loads()[-1]["state"] not in ("fetching", "waiting"))
        print(loads()[-1]["state"])
        print("go", flush=True)
        sys.stdin.readline()
        page.data("load", name="whisper-tiny", fetch=True)
        page.wait(lambda: loads()[-1]["state"] in ("loaded", "failed"))
        print(loads()[-1]["state"], loads()[-1]["error"], [one.name for one in panel.loaded])
    """
    keep = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        cwd=Path(__file__).parent,  # where it finds `pages`
        env={**keep, **hub.environment(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = []
    for line in process.stdout:
        lines.append(line.strip())
        if line.strip() == "go":
            break
    if lines[-1:] == ["go"]:
        hub.gate.set()
        process.stdin.write("\n")
        process.stdin.close()
    lines += process.stdout.read().splitlines()
    errors = process.stderr.read()
    assert process.wait(PATIENCE) == 0, errors
    process.stdout.close()
    process.stderr.close()
    entry_bytes = str(catalog.entry("whisper-tiny").download_bytes)
    assert lines[0] == entry_bytes
    state, total = lines[1].split()
    assert state == "fetching"
    assert int(total) > 7_000_000
    assert lines[2] == "stopped"
    assert lines[4] == "loaded  ['whisper-tiny']"
    assert "Downloading" not in errors  # it is told in the panel
