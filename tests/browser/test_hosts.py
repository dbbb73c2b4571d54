"""Panels in hosts that give them less than JupyterLab does: as VS Code, Colab, marimo."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from browser.harness import BarePage
from nbasr import samples
from nbasr.widgets.waveform import WaveformPanel

HOST = """
    const [state, shared, parts, recording, { kind, background }] = rest;
    const buffer = (view) => view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
    const listeners = new Map();
    const told = globalThis.told = [];
    const tell = (event, ...given) => [...(listeners.get(event) ?? [])].forEach((f) => f(...given));
    const answers = {
      sound: () => [shared, parts.map(buffer)],
      samples: ({ first, count }) => [{}, [buffer(recording.slice(first, first + count))]],
      mel: () => globalThis.computed,
    };
    const model = globalThis.model = {
      get: (name) => state[name],
      set: (name, value) => { state[name] = value; tell(`change:${name}`); },
      save_changes: () => {},
      on: (event, f) => listeners.set(event, (listeners.get(event) ?? new Set()).add(f)),
      off: (event, f) => listeners.get(event)?.delete(f),
      async send({ ask, number, ...values }) {
        told.push(ask);
        const [data, buffers] = await answers[ask](values);
        tell("msg:custom", { answer: number, data }, buffers);
      },
    };
    globalThis.listening = () => [...listeners.values()].reduce((sum, set) => sum + set.size, 0);
    const refuses = async () => { throw new Error("not supported here"); };
    const context = { model, el: document.createElement("div") };
    const ending = globalThis.ending = new AbortController();
    if (kind !== "no signal") context.signal = ending.signal;
    if (kind === "refusing host") context.host = { getModel: refuses };
    if (kind === "refusing manager") model.widget_manager = { get_model: refuses };
    const outer = globalThis.outer = document.createElement("div");
    outer.style = `background: ${background}; width: 800px`;
    document.body.replaceChildren(outer);
    const root = globalThis.shadow = outer.attachShadow({ mode: "open" });
    root.append(context.el);
    const style = document.createElement("style");
    for (const name of ["panel", "waveform"]) {
      style.textContent += await (await fetch(`/static/${name}.css`)).text();
    }
    root.append(style);
    const { default: panel } = await load("waveform.js");
    globalThis.gone = panel.render(context);
    const begun = performance.now();
    while (!root.querySelector(".nb-stage")?.nbView?.width) {
      if (performance.now() - begun > 10000) throw new Error(context.el.textContent);
      await new Promise((go) => setTimeout(go, 10));
    }
"""
"""A host with a shadow tree for the panel, without models to share; buffers come as ArrayBuffer."""


@pytest.fixture(scope="module")
def given() -> Iterator[list[Any]]:
    """Return what a kernel would send: state, what is shared, its bytes, the samples."""
    panel = WaveformPanel(samples.open("meeting"), language="en")
    names = ("sound", "about", "height", "selection", "playhead", "language")
    state = {name: getattr(panel, name) for name in names} | {"regions": [], "shown": []}
    answer = panel._sound_itself()
    parts = [np.frombuffer(part, np.uint8) for part in answer.buffers]
    yield [state, answer.data, parts, np.array(panel.recording.samples)]
    panel.close()


def shown(page: BarePage, given: list[Any], kind: str, body: str, background: str = "white") -> Any:
    host = {"kind": kind, "background": background}
    return page.run(HOST + body, *given, host)


@pytest.mark.parametrize("kind", ["no host", "refusing host", "refusing manager", "no signal"])
def test_a_host_that_shares_no_models_is_served_all_the_same(
    bare_page: BarePage, given: list[Any], kind: str
) -> None:
    found = shown(
        bare_page,
        given,
        kind,
        """const view = root.querySelector(".nb-stage").nbView;
        view.show(10, 10.05);
        const before = listening();
        globalThis.gone();
        return { duration: view.duration, told, before, after: listening(),
                 problem: root.querySelector("[role=alert]").textContent };""",
    )
    assert found["duration"] == pytest.approx(len(given[3]) / 16000)
    assert found["told"][0] == "sound"
    assert found["problem"] == ""
    assert found["before"] > 0
    assert found["after"] == 0, "nothing listens after the view has gone"
    assert bare_page.errors == []


def test_a_panel_that_goes_before_its_sound_came_leaves_nothing_behind(
    bare_page: BarePage, given: list[Any]
) -> None:
    body = """
    const late = document.createElement("div");
    outer.append(late);
    let asked = null;
    const slow = { ...model, send: async (content) => { asked = content.number; } };
    const before = listening();
    const leaving = new AbortController();
    panel.render({ model: slow, el: late, signal: leaving.signal });
    while (!asked) await new Promise((go) => setTimeout(go, 5));
    leaving.abort();
    tell("msg:custom", { answer: asked, data: shared }, parts.map(buffer));
    await new Promise((go) => setTimeout(go, 50));
    return [listening() - before, late.querySelector(".nb-stage"), late.textContent];
    """
    assert shown(bare_page, given, "no host", body) == [0, None, ""]
    assert bare_page.errors == []


@pytest.mark.parametrize(
    ("background", "theme"),
    [("oklch(0.15 0 0)", "dark"), ("oklch(0.98 0.01 90)", "light"), ("#101010", "dark")],
)
def test_a_panel_in_a_shadow_tree_sees_what_it_stands_in(
    bare_page: BarePage, given: list[Any], background: str, theme: str
) -> None:
    body = """
    await new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)));
    return root.querySelector(".nbasr").dataset.theme;
    """
    assert shown(bare_page, given, "no host", body, background) == theme


def test_wheel_and_typing_work_in_a_shadow_tree(bare_page: BarePage, given: list[Any]) -> None:
    body = """
    model.set("regions", [{ start: 1, stop: 2, label: "one" }]);
    root.querySelector(".nb-stage").nbView.show(20, 30);
    """
    shown(bare_page, given, "no host", body)
    page = bare_page.page
    page.mouse.move(300, 200)
    page.mouse.wheel(0, 100)
    page.wait_for_function("shadow.querySelector('.nb-stage').nbView.visible.start > 20")
    label = page.get_by_label("Label of one")
    label.fill("typed so f")
    page.evaluate("model.set('regions', [{ start: 1, stop: 2.5, label: 'one' }])")
    assert page.get_by_label("End of one").input_value() == "0:02.50"
    assert label.input_value() == "typed so f", "what is being typed stays"
    assert bare_page.errors == []


def test_a_kernel_that_was_restarted_is_told_at_once(bare_page: BarePage, given: list[Any]) -> None:
    body = """
    const { createLink } = await load("link.js");
    const states = [];
    const mute = { ...model, send: async () => {} };
    const link = createLink(mute, ending.signal, "restarted");
    link.onstate((state) => states.push(state));
    const outcome = async (asked) => asked.then(() => "answered", (error) => error.message);
    const waiting = link.ask("samples", { first: 0, count: 1 });
    tell("comm_live_update");
    const results = [await outcome(waiting), await outcome(link.ask("mel", {}, { aside: true }))];
    tell("msg:custom", { event: "hello" }, []);
    states.push(...results);
    const broken = { ...model, send: async () => { throw new Error("no way out"); } };
    states.push(await outcome(createLink(broken, ending.signal).ask("samples")));
    return states;
    """
    found = shown(bare_page, given, "no host", body)
    assert found == ["gone", "", "restarted", "restarted", "no way out"]


def test_another_screen_is_drawn_for_anew(bare_page: BarePage, given: list[Any]) -> None:
    bare_page.run(
        """const real = window.matchMedia.bind(window);
        globalThis.queries = [];
        window.matchMedia = (query) => {
          if (!query.includes("resolution")) return real(query);
          queries.push(new EventTarget());
          return queries.at(-1);
        };"""
    )
    body = """
    const canvas = root.querySelector(".nb-detail");
    const wide = canvas.width;
    Object.defineProperty(window, "devicePixelRatio", { value: 2, configurable: true });
    queries.at(-1).dispatchEvent(new Event("change"));
    await new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)));
    return [canvas.width / wide, queries.length];
    """
    assert shown(bare_page, given, "no host", body) == [2, 2]
    bare_page.page.reload()


def test_tiles_of_a_spectrogram_that_was_hidden_again_are_not_asked_for(
    bare_page: BarePage, given: list[Any]
) -> None:
    body = """
    const asked = () => told.filter((kind) => kind === "mel").length;
    const button = root.querySelector("[aria-keyshortcuts=S]");
    let answer;
    const tile = [{}, [new ArrayBuffer(80 * 256)]];
    globalThis.computed = new Promise((go) => (answer = () => go(tile)));
    button.click();
    while (asked() < 3) await new Promise((go) => setTimeout(go, 10));
    button.click();
    answer();
    await new Promise((go) => setTimeout(go, 100));
    const hidden = asked();
    button.click();
    while (asked() < 4) await new Promise((go) => setTimeout(go, 10));
    return hidden;
    """
    assert shown(bare_page, given, "no host", body) == 3


def test_regions_fit_into_a_narrow_output(bare_page: BarePage, given: list[Any]) -> None:
    body = """
    outer.style.width = "360px";
    model.set("regions", [{ start: 61, stop: 62, label: "one" }]);
    await new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)));
    const box = root.querySelector(".nb-scroll");
    return box.scrollWidth - box.clientWidth;
    """
    assert shown(bare_page, given, "no host", body) == 0
