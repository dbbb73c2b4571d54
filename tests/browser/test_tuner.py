"""The chunk tuner in JupyterLab: sliders, cuts by hand, hearing, trying, copying; its speech."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator, expect

from browser.harness import BarePage, Notebook
from nbasr import chunking, samples
from nbasr.audio.levels import Levels
from nbasr.chunking.pauses import automatic_above_floor_db

MOST_FRAME_MS = 16.0
"""What finding the speech of an hour may take at best, even on a machine that does other things."""

PATIENCE = 30.0
"""Seconds that kernel and page may take to agree."""

SLOW_MS = 60_000
"""What a model may take: its libraries are imported first."""

HOUR = 360_000  # frames

START = """
%load_ext nbasr
import nbasr
from nbasr import samples
from nbasr.chunking import ChunkPlan, Fixed, Optimal
recording = samples.open("meeting")
tuner = nbasr.ChunkTuner(recording, strategy=Optimal(max_seconds=15), model={model!r})
tuner
"""

SECOND = "nbasr.ChunkTuner(recording, strategy=Fixed(max_seconds=0.5), language='zh')"

# -- Speech as the kernel finds it ----------------------------------------------------------------


def quantised(levels: Levels) -> tuple[Levels, dict[str, Any]]:
    """Return levels as the browser has them, and its view of them."""
    steps = np.clip(np.rint((levels.rms_db + 100) * 2.55), 0, 255).astype(np.uint8)
    told = Levels((steps / 2.55 - 100).astype(np.float32), levels.peaks, levels.samples)
    sound = {
        "levels": steps,
        "excess": np.array(told.excess_db),
        "frameSeconds": 0.01,
        "duration": told.duration,
        "autoAboveDb": automatic_above_floor_db(told),
    }
    return told, sound


def recordings() -> list[Levels]:
    """Return levels of speech, of noise that crosses thresholds all the time, of little."""
    rng = np.random.default_rng(4)
    noise = np.cumsum(rng.normal(0, 3, 5000)) % 60 - 80
    short = np.array([-90, -20, -20, -20, -20, -20, -90])
    drawn = [
        Levels(db.astype(np.float32), (np.zeros((1, 2), np.int16),), 160 * len(db) - 37)
        for db in (noise, rng.uniform(-100, 0, 700), short, np.full(300, -100.0), np.empty(0))
    ]
    return [samples.open("meeting").levels(), *drawn]


@pytest.mark.parametrize("mode", ["auto", "above_floor", "absolute"])
def test_the_browser_finds_the_same_speech_as_the_kernel(bare_page: BarePage, mode: str) -> None:
    rng = np.random.default_rng(7)
    for levels in recordings():
        told, sound = quantised(levels)
        values = {
            "auto": [0.0],
            "above_floor": [*rng.uniform(0.5, 40, 12), 6.0],
            "absolute": [*rng.uniform(-99, -1, 12), -40.0],
        }[mode]
        asked = [
            {"mode": mode, "value": value, "minPause": round(float(pause), 3)}
            for value in values
            for pause in (0.0, 0.2, 0.005, rng.uniform(0, 2))
        ]
        found = bare_page.run(
            "const { speechSpans } = await load('speech.js');"
            "return rest[1].map((asked) => speechSpans(rest[0], asked));",
            sound,
            asked,
        )
        for threshold, spans in zip(asked, found, strict=True):
            name = {"absolute": "threshold_db", "above_floor": "above_floor_db"}.get(mode)
            known = {name: threshold["value"]} if name else {}
            expected = chunking.speech(told, min_pause=threshold["minPause"], **known)
            np.testing.assert_allclose(
                np.reshape(spans, (-1, 2)), expected, atol=1e-4, err_msg=str(threshold)
            )


def test_silence_is_what_speech_leaves(bare_page: BarePage) -> None:
    def between(spans: list[float], duration: float) -> list[float]:
        found = bare_page.call("speech.js", "silenceBetween", np.float32(spans), duration)
        return found.tolist()

    assert between([], 4.0) == [0, 4]
    assert between([1.0, 2.0], 4.0) == [0, 1, 2, 4]
    assert between([0.0, 2.0, 3.0, 4.0], 4.0) == [2, 3]


def test_the_speech_of_an_hour_is_found_between_two_frames(bare_page: BarePage) -> None:
    rng = np.random.default_rng(1)
    rms_db = np.repeat(rng.uniform(-70, -10, HOUR // 40), 40).astype(np.float32)
    steps = np.rint((rms_db + 100) * 2.55).astype(np.uint8)
    sound = {
        "levels": steps,
        "excess": rms_db + 60,
        "frameSeconds": 0.01,
        "duration": 3600.0,
        "autoAboveDb": 9.0,
    }
    took = bare_page.run(
        """const { speechSpans } = await load("speech.js");
        const times = [];
        for (let value = 6; value < 18; value += 0.5) {
          const start = performance.now();
          speechSpans(rest[0], { mode: "above_floor", value, minPause: 0.2 });
          times.push(performance.now() - start);
        }
        return Math.min(...times);""",
        sound,
    )
    assert took < MOST_FRAME_MS, took


# -- Asking for plans -----------------------------------------------------------------------------

ASKING = """
const { createPlanning } = await load("planning.js");
const asked = [], plans = [], heard = {}, overheard = {};
const link = {
  ask: (kind, values) => new Promise((resolve) => asked.push({ kind, values, resolve })),
  on: (event, listener) => (heard[event] = listener),
  overhear: (kind, listener) => (overheard[kind] = listener),
};
const frame = { link, fail: (error) => { throw error; }, signal: new AbortController().signal };
const plan = (version) => ({ version, chunks: 0, focus: -1 });
const take = ({ version }) => plans.push([version, planning.pending]);
const planning = createPlanning(frame, take, () => {});
const turn = () => new Promise((done) => setTimeout(done));
"""


def test_what_is_told_meanwhile_takes_no_slider_back(bare_page: BarePage) -> None:
    found = bare_page.run(
        f"""{ASKING}
        planning.want({{ max_seconds: 20 }});
        planning.want({{ max_seconds: 19 }});
        planning.want({{ margin: 0.3 }});
        heard.plan(plan(5), []); // as the detector's, or a cell's
        asked[0].resolve({{ data: plan(6), buffers: [] }});
        await turn();
        asked[1].resolve({{ data: plan(7), buffers: [] }});
        await turn();
        return [asked.map((one) => one.values), plans];"""
    )
    asked, plans = found
    assert asked == [
        {"settings": {"max_seconds": 20}, "final": False},
        {"settings": {"max_seconds": 19, "margin": 0.3}, "final": False},
    ]
    assert plans == [[5, True], [6, True], [7, False]], "the form waits for its own settings"


def test_an_edit_comes_after_the_settings_before_it_and_old_answers_are_dropped(
    bare_page: BarePage,
) -> None:
    found = bare_page.run(
        f"""{ASKING}
        planning.want({{ max_seconds: 20 }});
        planning.want({{ max_seconds: 19 }});
        planning.edit({{ do: "remove", index: 1, at: 4.5 }});
        for (let version = 1; version <= 3; version += 1) {{
          asked[version - 1].resolve({{ data: plan(version), buffers: [] }});
          await turn();
        }}
        overheard.plan({{ data: plan(9), buffers: [] }}); // another view's
        heard.plan(plan(8), []);
        return [asked.map((one) => one.values), plans.map(([version]) => version)];"""
    )
    asked, versions = found
    assert asked[1] == {"settings": {"max_seconds": 19}, "final": True}
    assert asked[2] == {"do": "remove", "index": 1, "at": 4.5}
    assert versions == [1, 2, 3, 9]


# -- The panel ------------------------------------------------------------------------------------


class Tuner:
    """The tuner of a notebook, as a person uses it."""

    def __init__(self, notebook: Notebook, cell: int = 0) -> None:
        self.notebook = notebook
        self.page = notebook.page
        self.panel = notebook.panel(cell)
        self.stage = self.panel.locator(".nb-stage")
        self.problem = self.panel.locator(".nb-problem")

    def state(self, expression: str) -> Any:
        """Return something of the panel's own state: `view`, `cuts`, `player`, `plan`."""
        return self.panel.evaluate(
            f"(root) => {{ const {{ view, cuts, player, plan: now }} = root.nbTuner;"
            f" const plan = now(); return {expression}; }}"
        )

    def settled(self, expression: str) -> None:
        """Wait until something of the kernel is true, and shown."""
        self._wait(lambda: self.notebook.evaluate(f"bool({expression})"), expression)
        self.shown()

    def shown(self) -> None:
        """Wait until the panel shows the kernel's plan."""

        def same() -> bool:
            times = [round(time, 5) for time, *_ in self.cuts()]
            return times == [round(time, 5) for time, *_ in self.state("plan?.cuts ?? []")]

        self._wait(same, "the panel shows another plan")

    def _wait(self, condition: Callable[[], bool], problem: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, problem

    def begin(self, code: str = "tuner.strategy = Optimal(max_seconds=15)") -> None:
        """Bring the panel into a known state; locked cuts go with what the code says."""
        self.notebook.execute(code)
        self.shown()
        self.page.evaluate("(root) => root.nbTuner.view.fit()", self.panel.element_handle())
        self.notebook.page.evaluate("document.activeElement?.blur()")

    def point(self, time: float, y: float = 80) -> tuple[float, float]:
        """Return where a time is on the screen."""
        self.panel.locator(".nb-detail").scroll_into_view_if_needed()
        box = self.panel.locator(".nb-detail").bounding_box()
        assert box is not None
        return box["x"] + self.state(f"view.x({time})"), box["y"] + y

    def drag(self, start: tuple[float, float], stop: tuple[float, float]) -> None:
        self.page.mouse.move(*start)
        self.page.mouse.down()
        self.page.mouse.move((start[0] + stop[0]) / 2, (start[1] + stop[1]) / 2)
        self.page.mouse.move(*stop)
        self.page.mouse.up()

    def number(self, name: str) -> Locator:
        """Return the number field beside a slider."""
        return self.panel.get_by_role("spinbutton", name=name)

    def cuts(self) -> list[tuple[float, float, bool]]:
        """Return the kernel's cuts: seconds, pause, locked."""
        return self.notebook.evaluate("[(c.time, c.pause, c.locked) for c in tuner.plan.cuts]")

    def copied(self, text: str) -> None:
        """Wait until the clipboard holds a text; it is written a moment after the click."""
        self.page.wait_for_function(
            "async (text) => await navigator.clipboard.readText() === text", arg=text
        )

    def focused(self) -> int:
        """Return the index of the cut that has the focus, -1 if none has."""
        return self.state("cuts.focused")


@pytest.fixture(scope="module")
def notebook(module_notebook, assets) -> Notebook:
    notebook = module_notebook(
        [START.format(model=str(assets / "whisper-tiny-meeting")), SECOND, "tuner"], height=1300
    )
    notebook.run(0)
    return notebook


@pytest.fixture
def tuner(notebook: Notebook) -> Iterator[Tuner]:
    """Return the tuner; leave it as it began, and no error in the page."""
    tuner = Tuner(notebook)
    expect(tuner.panel.locator(".nb-count")).to_have_text("9 chunks")
    yield tuner
    tuner.begin()
    assert notebook.console_errors == []


def test_first_paint_shows_the_plan_and_what_it_comes_to(tuner: Tuner) -> None:
    panel = tuner.panel
    expect(panel.locator(".nb-figures")).to_contain_text("8, all in pauses")
    expect(panel.locator(".nb-histogram")).to_have_attribute(
        "aria-label",
        "Lengths of the chunks: 1 of 5 to 6 s, 2 of 7 to 8 s, 1 of 9 to 10 s, "
        "2 of 10 to 11 s, 2 of 12 to 13 s, 1 of 14 to 15 s",
    )
    expect(panel.locator(".nb-model")).to_contain_text("Needs", timeout=SLOW_MS)
    expect(tuner.stage).to_have_attribute("aria-valuetext", re.compile("9 chunks"))
    colours = tuner.panel.evaluate(
        """(root, places) => {
            const canvas = root.querySelector(".nb-detail"), box = canvas.getBoundingClientRect();
            const scale = canvas.width / box.width, ctx = canvas.getContext("2d");
            const at = (x, y) => ctx.getImageData(x * scale, y * scale, 1, 1).data;
            return places.map(([x, y]) => [...at(x - box.left, y - box.top)]);
        }""",
        [tuner.point(3.6, 40), tuner.point(12.0, 155), tuner.point(tuner.cuts()[0][0], 100)],
    )
    assert colours[0] != colours[1], "neighbouring chunks have bands of different colours"
    assert max(colours[2][:3]) < 80, "a cut is a dark line"


def test_a_slider_shades_silence_in_the_next_frame_and_the_plan_follows(tuner: Tuner) -> None:
    before = tuner.state("view.silence().length")
    shaded = tuner.panel.evaluate(
        """async (root) => {
            const slider = root.querySelector(".nb-threshold .nb-range");
            slider.value = 30;
            slider.dispatchEvent(new Event("input", { bubbles: true }));
            const at_once = [...root.nbTuner.view.silence()];
            await new Promise(requestAnimationFrame);
            return at_once;
        }"""
    )
    assert len(shaded) != before
    tuner.settled("tuner.plan.above_floor_db == 30")
    spoken = tuner.notebook.evaluate("tuner.plan.speech")
    edges = [0.0, *(edge for span in spoken for edge in span), tuner.state("view.duration")]
    exact = [span for span in zip(edges[::2], edges[1::2], strict=True) if span[1] > span[0]]
    assert abs(len(shaded) / 2 - len(exact)) <= 1
    np.testing.assert_allclose(
        np.reshape(tuner.state("[...view.silence()]"), (-1, 2)), exact, atol=1e-3
    )
    expect(tuner.number("Threshold").first).to_have_value("30.0")
    expect(tuner.panel.get_by_label("Threshold is measured")).to_have_value("above_floor")


def test_the_threshold_is_dragged_in_the_levels(tuner: Tuner) -> None:
    x, top = tuner.point(48.0, 0)
    for at in range(165, int(tuner.state("view.height"))):
        tuner.page.mouse.move(x, top + at)
        if tuner.stage.evaluate("(stage) => stage.style.cursor") == "ns-resize":
            break
    else:
        raise AssertionError("no line to take hold of")
    tuner.drag((x, top + at + 6), (x, top + at - 12))
    tuner.settled("(tuner.plan.above_floor_db or 0) > 20")


def test_many_steps_of_a_slider_end_with_the_last_and_are_undone_at_once(tuner: Tuner) -> None:
    slider = tuner.panel.get_by_role("slider", name="Longest")
    slider.focus()
    for _ in range(10):
        tuner.page.keyboard.press("ArrowLeft")
    expect(tuner.number("Longest")).to_have_value("10.0")
    tuner.settled("tuner.plan.max_seconds == 10 and tuner._tuning.now == tuner._tuning.settled")
    tuner.page.keyboard.press("Control+z")
    tuner.settled("tuner.plan.max_seconds == 15")
    expect(tuner.number("Longest")).to_have_value("15.0")
    tuner.page.keyboard.press("Control+Shift+z")
    tuner.settled("tuner.plan.max_seconds == 10")


def test_lengths_stay_possible_and_only_known_settings_are_shown(tuner: Tuner) -> None:
    tuner.number("Shortest").last.fill("9")
    tuner.number("Shortest").last.press("Enter")
    expect(tuner.number("Shortest").last).to_have_value("7.5")
    tuner.settled("tuner.strategy.min_seconds == 7.5")
    tuner.panel.get_by_text("Fixed", exact=True).click()
    expect(tuner.panel.get_by_role("slider", name="Overlap")).to_be_visible()
    expect(tuner.panel.get_by_role("slider", name="Target")).to_be_hidden()
    tuner.settled("type(tuner.strategy) is Fixed")
    expect(tuner.panel.locator(".nb-figures")).to_contain_text("in speech or a short pause")


def test_a_cut_is_dragged_into_a_pause_or_with_alt_anywhere(tuner: Tuner) -> None:
    time = tuner.cuts()[3][0]  # in the pause from 40.0 to 41.5
    spoken = tuner.notebook.evaluate("[list(s) for s in tuner.plan.speech]")
    start, stop = next((s, e) for s, e in spoken if s > time)
    edge = tuner.state("view.timeAt(7) - view.timeAt(0)")  # 7 px into speech: the pause holds it
    tuner.drag(tuner.point(time), tuner.point(start + min(edge, (stop - start) / 3)))
    tuner.settled("tuner.plan.cuts[3].locked")
    moved = tuner.cuts()[3]
    assert moved[1] > 0.2
    assert time < moved[0] <= start
    assert tuner.focused() == 3
    wanted = (start + stop) / 2
    tuner.page.keyboard.down("Alt")
    tuner.drag(tuner.point(moved[0]), tuner.point(wanted))
    tuner.page.keyboard.up("Alt")
    tuner.settled(f"abs(tuner.plan.cuts[3].time - {wanted}) < 0.1")
    assert tuner.cuts()[3][1] == 0
    expect(tuner.panel.locator(".nb-cut-told")).to_contain_text("in speech · locked")
    tuner.page.keyboard.press("Control+z")
    tuner.settled(f"abs(tuner.plan.cuts[3].time - {moved[0]}) < 1e-6")


def test_escape_leaves_a_dragged_cut_where_it_was(tuner: Tuner) -> None:
    before = tuner.cuts()
    tuner.page.mouse.move(*tuner.point(before[2][0]))
    tuner.page.mouse.down()
    tuner.page.mouse.move(*tuner.point(before[2][0] + 3))
    tuner.page.keyboard.press("Escape")
    tuner.page.mouse.up()
    assert tuner.cuts() == before


def test_a_double_click_cuts_and_locks_what_it_made(tuner: Tuner) -> None:
    spoken = tuner.notebook.evaluate("[list(s) for s in tuner.plan.speech]")
    pauses = [(a[1], b[0]) for a, b in pairwise(spoken)]
    taken = [cut[0] for cut in tuner.cuts()]
    pause = next(
        (start, stop)
        for start, stop in pauses
        if stop - start > 0.5 and not any(start - 1 < cut < stop + 1 for cut in taken)
    )
    tuner.page.mouse.dblclick(*tuner.point(sum(pause) / 2))
    tuner.settled("len(tuner.plan.cuts) == 9")
    made = [cut for cut in tuner.cuts() if cut[2]]
    assert len(made) == 1
    assert pause[0] < made[0][0] < pause[1]
    tuner.number("Longest").fill("30")
    tuner.number("Longest").press("Enter")
    tuner.settled("tuner.plan.max_seconds == 30")
    assert made[0][0] in [cut[0] for cut in tuner.cuts()], "a locked cut stays"


def test_everything_can_be_done_with_the_keyboard(tuner: Tuner) -> None:
    press = tuner.page.keyboard.press
    tuner.stage.focus()
    press("Home")
    press("]")
    press("]")
    assert tuner.focused() == 1
    second = tuner.cuts()[1][0]
    status = tuner.panel.locator("[role=status].nb-unseen")
    expect(status).to_contain_text("Cut 2 of 8")
    press("k")
    tuner.settled("tuner.plan.cuts[1].locked")
    press("Alt+Shift+ArrowRight")
    press("Alt+ArrowLeft")
    tuner.settled(f"abs(tuner.plan.cuts[1].time - {second + 0.09}) < 1e-3")
    press("Delete")
    tuner.settled("len(tuner.plan.cuts) == 7")
    assert tuner.focused() == 1
    press("[")
    assert tuner.focused() == 0
    press("Control+z")
    tuner.settled("len(tuner.plan.cuts) == 8")
    tuner.page.evaluate("(root) => root.nbTuner.view.seek(50)", tuner.panel.element_handle())
    press("c")
    tuner.settled("any(cut.time == 50 for cut in tuner.plan.cuts)")
    press("Control+z")
    press("Control+z")
    tuner.settled(f"abs(tuner.plan.cuts[1].time - {second}) < 1e-6")
    press("Control+y")
    tuner.settled(f"abs(tuner.plan.cuts[1].time - {second + 0.09}) < 1e-3")
    assert tuner.state("view.stage === root.getRootNode().activeElement")


def test_what_cannot_be_is_said_and_changes_nothing(tuner: Tuner) -> None:
    before = tuner.cuts()
    gap = tuner.notebook.evaluate("max(tuner.plan.skipped, key=lambda s: s[1] - s[0])")
    tuner.page.evaluate(
        "([root, at]) => root.nbTuner.view.seek(at)", [tuner.panel.element_handle(), sum(gap) / 2]
    )
    tuner.stage.focus()
    tuner.page.keyboard.press("c")
    expect(tuner.problem).to_contain_text("is in no chunk")
    assert tuner.cuts() == before
    tuner.problem.get_by_role("button").click()
    expect(tuner.problem).to_be_hidden()


def test_settings_that_the_kernel_refuses_go_back(tuner: Tuner) -> None:
    tuner.notebook.execute(
        "from nbasr.widgets import _tuning\n"
        "kept = _tuning.planned\n"
        "def refuse(*_): raise nbasr.errors.OptionError('Not today.')\n"
        "_tuning.planned = refuse"
    )
    tuner.panel.get_by_text("Fixed", exact=True).click()
    expect(tuner.problem).to_contain_text("Not today.")
    expect(tuner.panel.get_by_role("radio", name="Optimal")).to_be_checked()
    expect(tuner.panel.get_by_role("slider", name="Overlap")).to_be_hidden()
    tuner.notebook.execute("_tuning.planned = kept")
    tuner.problem.get_by_role("button").click()


def test_a_detector_that_is_missing_is_told_and_the_form_goes_back(tuner: Tuner) -> None:
    tuner.notebook.execute(
        "from nbasr.chunking import vad\n"
        "load = vad._load\n"
        "def _missing(): raise nbasr.errors.ModelError('pip install silero-vad')\n"
        "vad._heard.clear(); vad._load = _missing"
    )
    tuner.panel.get_by_text("Speech detector", exact=True).click()
    expect(tuner.problem).to_contain_text("pip install silero-vad")
    expect(tuner.panel.get_by_role("radio", name="Optimal")).to_be_checked()
    expect(tuner.panel.get_by_role("slider", name="Probability")).to_be_hidden()
    expect(tuner.panel.get_by_role("progressbar")).to_be_hidden()
    tuner.notebook.execute("vad._load = load")
    tuner.problem.get_by_role("button").click()


def test_another_plan_under_a_dragged_cut_lets_it_go(tuner: Tuner) -> None:
    time = tuner.cuts()[3][0]
    tuner.page.mouse.move(*tuner.point(time))
    tuner.page.mouse.down()
    tuner.page.mouse.move(*tuner.point(time + 0.5))
    tuner.notebook.execute("tuner.strategy = Fixed(max_seconds=7)")
    tuner.shown()
    tuner.page.mouse.move(*tuner.point(time + 1))
    tuner.page.mouse.up()
    tuner.shown()
    assert not any(locked for *_, locked in tuner.cuts())
    expect(tuner.problem).to_be_hidden()


def test_bad_cuts_are_gone_through_and_chunks_heard_by_key(tuner: Tuner) -> None:
    tuner.begin("tuner.strategy = Fixed(max_seconds=8)")
    bad = [index for index, cut in enumerate(tuner.cuts()) if cut[1] < 0.2]
    tuner.panel.get_by_role("button", name="Next", exact=True).click()
    assert tuner.focused() == bad[0]
    tuner.stage.focus()
    tuner.page.keyboard.press("}")
    assert tuner.focused() == bad[1]
    tuner.page.keyboard.press("{")
    tuner.page.keyboard.press("{")
    assert tuner.focused() == bad[-1]
    tuner.page.evaluate("(root) => root.nbTuner.view.seek(17)", tuner.panel.element_handle())
    expect(tuner.panel.get_by_role("button", name="Transcribe chunk 3", exact=True)).to_be_visible()
    tuner.page.keyboard.press("p")
    tuner.page.wait_for_function(
        "(root) => root.nbTuner.player.region?.start === 16", arg=tuner.panel.element_handle()
    )
    tuner.state("player.pause()")
    tuner.begin("tuner.strategy = Optimal(max_seconds=15)")
    tuner.page.keyboard.press("]")


def test_two_views_of_one_tuner_follow_each_other(tuner: Tuner) -> None:
    tuner.notebook.run(2)
    other = Tuner(tuner.notebook, 2)
    expect(other.panel.locator(".nb-count")).to_have_text("9 chunks")
    tuner.number("Longest").fill("30")
    tuner.number("Longest").press("Enter")
    tuner.settled("tuner.plan.max_seconds == 30")
    expect(other.number("Longest")).to_have_value("30.0")
    other.shown()
    other.panel.scroll_into_view_if_needed()
    other.stage.focus()
    other.page.keyboard.press("]")
    other.page.keyboard.press("Delete")
    other.settled("len(tuner.plan.cuts) == 2")
    tuner.shown()
    expect(tuner.panel.get_by_role("button", name="Reset")).to_be_visible()
    tuner.notebook.clear_output(2)


def test_h_plays_the_second_before_and_after_the_cut(tuner: Tuner) -> None:
    tuner.stage.focus()
    tuner.page.keyboard.press("Home")
    tuner.page.keyboard.press("]")
    cut = tuner.cuts()[0][0]
    before = tuner.state("player.scheduled.length")
    tuner.page.keyboard.press("h")
    tuner.page.wait_for_function(
        "([root, before]) => root.nbTuner.player.scheduled.length > before",
        arg=[tuner.panel.element_handle(), before],
    )
    first, _ = tuner.state(f"player.scheduled.at({before})")
    assert abs(first / 16000 - (cut - 1)) < 0.01
    region = tuner.state("player.region")
    assert region["start"] == pytest.approx(cut - 1, abs=1e-3)
    assert region["stop"] == pytest.approx(cut + 1, abs=1e-3)
    tuner.state("player.pause()")


def test_t_transcribes_the_chunk_and_shift_t_the_selection(tuner: Tuner) -> None:
    expect(tuner.panel.locator(".nb-model")).to_contain_text("Needs", timeout=SLOW_MS)
    tuner.page.evaluate("(root) => root.nbTuner.view.seek(3)", tuner.panel.element_handle())
    tuner.stage.focus()
    tuner.page.keyboard.press("t")
    row = tuner.panel.locator(".nb-result").first
    expect(row).to_contain_text("Chunk 1")
    expect(row.locator(".nb-text")).to_contain_text("good morning", timeout=SLOW_MS)
    expect(row).not_to_have_attribute("aria-busy", "true", timeout=SLOW_MS)  # a part comes first
    (span, text), *_ = tuner.notebook.evaluate(
        "[[list(k), v.text] for k, v in tuner.texts.items()]"
    )
    assert row.locator(".nb-text").inner_text() == text
    assert span == tuner.notebook.evaluate(
        "[tuner.plan.chunks[0].start, tuner.plan.chunks[0].stop]"
    )
    row.get_by_role("button", name="Copy the text").click()
    tuner.copied(text)
    tuner.page.evaluate(
        "(root) => root.nbTuner.view.select(41.3, 45)", tuner.panel.element_handle()
    )
    tuner.stage.focus()
    tuner.page.keyboard.press("Shift+T")
    expect(tuner.panel.locator(".nb-result")).to_have_count(2)
    tuner.settled("len(tuner.texts) == 2")
    expect(tuner.panel.locator(".nb-result").last).to_contain_text("0:41.3 – 0:45.0")
    expect(tuner.panel.locator(".nb-result[aria-busy]")).to_have_count(0)
    tuner.panel.get_by_text("Table of the 9 chunks").click()
    expect(tuner.panel.get_by_role("row").nth(1)).to_contain_text(text)
    tuner.panel.get_by_text("Table of the 9 chunks").click()


def test_all_is_transcribed_in_the_chunks_of_the_plan(tuner: Tuner) -> None:
    tuner.panel.get_by_role("button", name="Transcribe all").click()
    row = tuner.panel.locator(".nb-result").first
    expect(row).to_contain_text("Whole recording")
    expect(row).not_to_have_attribute("aria-busy", "true", timeout=SLOW_MS)
    whole = "tuner.texts[0, recording.duration]"
    assert row.locator(".nb-text").inner_text() == tuner.notebook.evaluate(f"{whole}.text")
    stops, ends = tuner.notebook.evaluate(
        f"[[s.stop for s in {whole}.segments], [c.stop for c in tuner.plan]]"
    )
    assert max(stops) > ends[-2]
    row.get_by_role("button", name="Take off this list").click()


def test_the_lock_of_the_focused_cut_shows_whether_it_is_locked(tuner: Tuner) -> None:
    lock = tuner.panel.get_by_role("button", name="Lock", exact=False)
    tuner.stage.focus()
    tuner.page.keyboard.press("]")
    expect(lock).to_have_attribute("aria-pressed", "false")
    lock.click()
    expect(lock).to_have_attribute("aria-pressed", "true")
    tuner.settled(f"tuner.plan.cuts[{tuner.focused()}].locked")


def test_a_cut_that_could_not_be_told_from_its_surroundings_is_approached(tuner: Tuner) -> None:
    tuner.panel.evaluate("(root) => root.nbTuner.view.fit()")
    pixel = tuner.state("view.duration / view.width")
    tuner.stage.focus()
    tuner.page.keyboard.press("Home")
    tuner.page.keyboard.press("]")
    seen = tuner.state("view.visible")
    time = tuner.cuts()[tuner.focused()][0]
    assert seen["start"] <= time <= seen["stop"]
    if pixel > 0.05:  # seconds
        assert seen["stop"] - seen["start"] < 21


@pytest.mark.parametrize("edited", [False, True])
def test_the_copied_cell_does_the_same(tuner: Tuner, edited: bool) -> None:
    if edited:
        tuner.begin("tuner.plan = ChunkPlan.of(recording, [(0.7, 3.62), (3.62, 8)])")
    tuner.panel.get_by_role("button", name="Copy as code", exact=True).click()
    code = tuner.panel.locator(".nb-code")
    expect(code).to_contain_text("ChunkPlan.of" if edited else "%%transcribe")
    copied = code.inner_text()
    tuner.copied(copied)
    tuner.notebook.execute(f"before = tuner.plan\nran = get_ipython().run_cell({copied!r})")
    assert tuner.notebook.evaluate("ran.success")
    if edited:
        assert tuner.notebook.evaluate(
            "all(abs(a.start - b.start) < 1e-3 for a, b in zip(plan, before, strict=True))"
        )


def test_magic_and_python_can_be_chosen_by_keyboard(tuner: Tuner) -> None:
    more = tuner.panel.get_by_role("button", name="Copy as magic or Python")
    more.press("ArrowDown")
    tuner.page.keyboard.press("ArrowDown")
    tuner.page.keyboard.press("Enter")
    expect(tuner.panel.locator(".nb-code")).to_contain_text("import nbasr")
    expect(more).to_be_focused()
    more.press("Enter")
    tuner.page.keyboard.press("Escape")
    expect(tuner.panel.get_by_role("menu")).to_be_hidden()


def test_code_is_selected_where_the_clipboard_is_refused(tuner: Tuner) -> None:
    tuner.page.evaluate(
        "() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }"
    )
    tuner.panel.get_by_role("button", name="Copy as code", exact=True).click()
    expect(tuner.panel.locator(".nb-copied")).to_contain_text("Ctrl+C")
    selected = tuner.page.evaluate("getSelection().toString()")
    assert selected.strip() == tuner.panel.locator(".nb-code").inner_text().strip()
    tuner.page.evaluate("delete navigator.clipboard.writeText")


def test_settings_are_kept_under_a_name_and_come_back(tuner: Tuner) -> None:
    choice = tuner.panel.get_by_label("Preset", exact=True)
    tuner.panel.get_by_role("button", name="Save …").click()
    tuner.page.keyboard.type("My room")
    tuner.page.keyboard.press("Enter")
    expect(choice).to_have_value("My room")
    tuner.panel.get_by_text("Fixed", exact=True).click()
    tuner.settled("type(tuner.strategy) is Fixed and tuner._tuning.can_undo")
    expect(choice).to_have_value("")
    tuner.panel.get_by_role("button", name="Undo").click()
    expect(choice).to_have_value("My room")
    tuner.panel.get_by_text("Fixed", exact=True).click()
    tuner.settled("type(tuner.strategy) is Fixed")
    choice.select_option("My room")
    tuner.settled("type(tuner.strategy) is Optimal and tuner.plan.max_seconds == 15")
    expect(tuner.panel.get_by_role("radio", name="Optimal")).to_be_checked()
    tuner.panel.get_by_role("button", name="Delete this preset").click()
    tuner.settled("'My room' not in tuner.presets()")
    expect(choice.get_by_text("My room")).to_have_count(0)


def test_what_python_changes_is_shown(tuner: Tuner) -> None:
    tuner.begin("tuner.strategy = Fixed(max_seconds=12, overlap=2)")
    expect(tuner.number("Overlap")).to_have_value("2.0")
    expect(tuner.panel.get_by_role("radio", name="Fixed")).to_be_checked()
    tuner.begin("tuner.plan = ChunkPlan.of(recording, [(1, 20), (20, 60)])")
    expect(tuner.panel.locator(".nb-count")).to_have_text("2 chunks")
    expect(tuner.panel.get_by_role("button", name="Reset")).to_be_visible()


def test_the_panel_fits_wide_narrow_light_and_dark(tuner: Tuner) -> None:
    tuner.stage.focus()
    tuner.page.keyboard.press("]")
    tuner.panel.get_by_text("Table of the 9 chunks").click()
    for width in (1280, 900, 600):
        tuner.page.set_viewport_size({"width": width, "height": 1300})
        tuner.page.wait_for_function(
            "([root, width]) => root.clientWidth < width", arg=[tuner.panel.element_handle(), width]
        )
        wide = tuner.panel.evaluate(
            """(root) => [...root.querySelectorAll(".nb-body > *, .nb-board > *, .nb-set, .nb-row")]
                .filter((part) => part.offsetParent && part.scrollWidth > part.clientWidth + 1)
                .map((part) => part.className)"""
        )
        assert wide == [], width
        tuner.notebook.screenshot(f"tuner-{width}", of=tuner.panel)
    tuner.page.set_viewport_size({"width": 1280, "height": 1300})
    tuner.notebook.set_theme("dark")
    expect(tuner.panel).to_have_attribute("data-theme", "dark")
    assert tuner.notebook.axe(tuner.panel) == []
    tuner.notebook.screenshot("tuner-dark", of=tuner.panel)
    tuner.notebook.set_theme("light")
    tuner.panel.get_by_text("Table of the 9 chunks").click()


def test_a_second_tuner_in_chinese_with_many_chunks(notebook: Notebook) -> None:
    notebook.run(1)
    tuner = Tuner(notebook, 1)
    expect(tuner.panel.locator(".nb-count")).to_contain_text("段")
    count = tuner.state("plan.chunks.length / 2")
    assert count > 100
    expect(tuner.panel).to_have_attribute("lang", "zh-CN")
    tuner.panel.locator("summary").last.click()
    table = tuner.panel.get_by_role("grid")
    expect(table).to_have_attribute("aria-rowcount", str(count + 1))
    assert table.get_by_role("row").count() < 40
    table.locator("tr[tabindex='0']").focus()
    notebook.page.keyboard.press("End")
    last = table.locator("tr[tabindex='0']")
    expect(last).to_have_attribute("data-index", str(count - 1))
    expect(last).to_be_focused()
    assert tuner.state("view.playhead") == pytest.approx(tuner.state("plan.chunks.at(-2)"))
    assert notebook.axe(tuner.panel) == []
    notebook.screenshot("tuner-chinese", of=tuner.panel)
    notebook.clear_output(1)
    expect(notebook.output(1).locator(".nbasr")).to_have_count(0)
    assert notebook.console_errors == []
