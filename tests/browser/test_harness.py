"""The harness itself: clicks, questions to the kernel, cut connections, themes, errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from browser.harness import BarePage, CellError, JupyterServer, Notebook

COUNTER = '''
import anywidget, traitlets

class Counter(anywidget.AnyWidget):
    _esm = """
    function render({ model, el }) {
      const button = document.createElement("button");
      const tell = () => { button.textContent = `Count: ${model.get("value")}`; };
      button.onclick = () => { model.set("value", model.get("value") + 1); model.save_changes(); };
      model.on("change:value", tell);
      tell();
      el.classList.add("nbasr");
      el.append(button);
      el.append(Object.assign(document.createElement("input"), { className: "unlabelled" }));
    }
    export default { render };
    """
    value = traitlets.Int(0).tag(sync=True)

counter = Counter()
counter
'''


@pytest.fixture(scope="module")
def counter(module_notebook) -> Notebook:
    notebook = module_notebook([COUNTER, "1 / 0"])
    notebook.run(0)
    return notebook


def set_to(notebook: Notebook, value: int) -> None:
    notebook.execute(f"counter.value = {value}")
    notebook.panel(0).get_by_role("button", name=f"Count: {value}").wait_for()


def test_a_click_reaches_the_kernel_and_a_value_set_there_reaches_the_page(
    counter: Notebook,
) -> None:
    set_to(counter, 6)
    counter.traffic.reset()
    counter.panel(0).get_by_role("button").click()
    counter.wait_value("counter.value", 7)
    set_to(counter, 41)
    assert counter.traffic.sent.count >= 1
    assert counter.traffic.sent.bytes > 100
    updates = [m for m in counter.comm_messages() if m.content["data"].get("method") == "update"]
    assert {(m.sent, m.content["data"]["state"]["value"]) for m in updates} >= {
        (True, 7),
        (False, 41),
    }
    assert counter.console_errors == []


def test_asking_the_kernel_leaves_no_trace_in_the_page(counter: Notebook) -> None:
    counter.evaluate("1")
    counter.traffic.reset()
    assert counter.evaluate("__import__('numpy').arange(3)") == [0, 1, 2]
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        counter.evaluate("1 / 0")
    counter.comm_messages()
    assert counter.traffic.received.count == 0
    assert counter.output(1).inner_text() == ""


def test_a_failing_cell_raises_with_its_traceback(counter: Notebook) -> None:
    with pytest.raises(CellError, match="ZeroDivisionError: division by zero"):
        counter.run(1)
    assert counter.error_text(1) == "ZeroDivisionError: division by zero"
    counter.clear_output(1)
    assert counter.error_text(1) == ""


def test_a_cut_connection_comes_back(counter: Notebook) -> None:
    set_to(counter, 0)
    counter.drop_connection(refuse_for=0.5)
    counter.panel(0).get_by_role("button").click()
    counter.wait_value("counter.value", 1)


def test_the_theme_changes_while_the_notebook_is_shown(counter: Notebook) -> None:
    def background() -> str:
        return counter.page.evaluate(
            "getComputedStyle(document.body).getPropertyValue('--jp-layout-color0').trim()"
        )

    light = background()
    counter.set_theme("dark")
    dark = background()
    counter.set_theme("light")
    assert light == background() != dark


def test_axe_tells_of_a_field_without_a_label_and_of_nothing_outside_the_element(
    counter: Notebook,
) -> None:
    found = counter.axe(counter.panel(0))
    assert {violation["id"] for violation in found} == {"label"}
    assert counter.axe(counter.panel(0).get_by_role("button")) == []


def test_a_restarted_kernel_has_forgotten(counter: Notebook) -> None:
    counter.restart_kernel()
    assert counter.evaluate("'counter' in globals()") is False
    counter.run(0)
    counter.panel(0).get_by_role("button", name="Count: 0").click()
    counter.wait_value("counter.value", 1)
    assert counter.save()["cells"][0]["execution_count"] == 1


def test_notebook_7_shows_the_same(open_notebook, notebook7: JupyterServer) -> None:
    notebook = open_notebook([COUNTER], host=notebook7, theme="dark", locale="zh-CN")
    notebook.run()
    notebook.panel().get_by_role("button", name="Count: 0").click()
    notebook.wait_value("counter.value", 1)
    assert notebook.page.evaluate("navigator.language") == "zh-CN"
    assert notebook.page.locator('body[data-jp-theme-light="false"]').count() == 1


def test_a_module_is_called_with_arrays_and_returns_them(bare_page: BarePage) -> None:
    given = np.array([-1.5, 2.25], dtype=np.float32)
    answer = bare_page.run(
        """return { twice: rest[0].map((x) => 2 * x), text: new TextDecoder().decode(rest[1]),
                    kind: rest[0].constructor.name, bytes: rest[1] };""",
        given,
        "é".encode(),
    )
    np.testing.assert_array_equal(answer["twice"], 2 * given)
    assert answer["twice"].dtype == np.float32
    assert (answer["text"], answer["kind"], answer["bytes"]) == ("é", "Float32Array", "é".encode())


def test_the_microphone_hears_the_file(bare_page: BarePage, microphone_wav: Path) -> None:
    loudest = bare_page.run(
        """const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
           const audio = new AudioContext();
           const meter = audio.createAnalyser();
           audio.createMediaStreamSource(stream).connect(meter);
           const block = new Float32Array(meter.fftSize);
           let loudest = 0;
           while (loudest < 0.02) {
             await new Promise((resolve) => setTimeout(resolve, 20));
             meter.getFloatTimeDomainData(block);
             loudest = Math.max(loudest, ...block.map(Math.abs));
           }
           stream.getTracks().forEach((track) => track.stop());
           await audio.close();
           return loudest;"""
    )
    assert 0.02 <= loudest <= 1
