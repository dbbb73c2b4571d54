"""The waveform panel on the screen: what it draws, how it is moved, what it tells the kernel."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Locator, expect

from browser.harness import BarePage, Notebook
from nbasr import samples
from nbasr.audio.levels import Levels
from nbasr.widgets._sound import level_bytes, peak_bytes

SAMPLE = 1 / 16000
"""Seconds to which selections are rounded."""

TWO_PANELS = """
import nbasr
recording = nbasr.samples.open("meeting")
panel = nbasr.WaveformPanel(recording)
panel
"""
OTHER = "other = nbasr.WaveformPanel(recording)\nother"

THREE_HOURS = """
import wave, nbasr, numpy as np, pathlib, time
speech = nbasr.samples.open("meeting").samples[:160000]
path = pathlib.Path("long.wav")
with wave.open(str(path), "wb") as file:
    file.setnchannels(1); file.setsampwidth(2); file.setframerate(16000)
    file.setnframes(3 * 3600 * 16000)
    file.writeframes(speech.tobytes())
with path.open("rb+") as file:
    file.truncate(44 + 2 * 3 * 3600 * 16000)  # a hole: no disk is written, zeros are read
    file.seek(44 + 2 * 7200 * 16000); file.write(speech.tobytes())
    file.seek(4); file.write((36 + 2 * 3 * 3600 * 16000).to_bytes(4, "little"))
    file.seek(40); file.write((2 * 3 * 3600 * 16000).to_bytes(4, "little"))
long = nbasr.Recording.open(path)
long.levels()
panel = nbasr.WaveformPanel(long)
panel
"""

VIEW = "(stage) => { const view = stage.nbView; return "


@pytest.fixture(scope="module")
def shown(module_notebook: Callable[..., Notebook]) -> Notebook:
    notebook = module_notebook([TWO_PANELS, OTHER, "panel"])
    notebook.run(0)
    drawn(notebook.panel(0))
    return notebook


@pytest.fixture
def fresh(shown: Notebook) -> Notebook:
    """Return the notebook with nothing zoomed, selected or marked."""
    here = view(stage_of(shown.panel(0)), "view.selection")
    selected = here and pytest.approx([here["start"], here["stop"]], abs=SAMPLE)
    at = view(stage_of(shown.panel(0)), "view.playhead")
    shown.wait_value("[panel.selection, panel.playhead]", [selected, pytest.approx(at)])
    shown.execute("panel.selection = None; panel.regions = (); panel.playhead = 0.0")
    shown.execute("panel.show(1, recording.duration)")  # else all might be so before it has come
    stage = stage_of(shown.panel(0))
    shown.page.wait_for_function(
        "stage => stage.nbView.visible.start === 1", arg=stage.element_handle()
    )
    shown.execute("panel.show(0, recording.duration)")
    shown.page.wait_for_function(
        "stage => !stage.nbView.selection && stage.nbView.visible.start === 0"
        " && stage.nbView.visible.stop === stage.nbView.duration && stage.nbView.playhead === 0",
        arg=stage.element_handle(),
    )
    return shown


def stage_of(panel: Locator) -> Locator:
    return panel.locator(".nb-stage")


def drawn(panel: Locator) -> Locator:
    """Wait until a panel has drawn its waveform; return what has the focus and the keys."""
    stage = stage_of(panel)
    stage.wait_for()
    panel.page.wait_for_function("stage => stage.nbView?.width > 0", arg=stage.element_handle())
    return stage


def view(stage: Locator, what: str) -> Any:
    """Return something of the view: an expression of `view`."""
    return stage.evaluate(f"{VIEW}{what}; }}")


def visible(stage: Locator) -> tuple[float, float]:
    span = view(stage, "view.visible")
    return span["start"], span["stop"]


def painted(stage: Locator) -> None:
    """Wait for the next frame."""
    stage.evaluate(
        "() => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))"
    )


def place(stage: Locator, time: float, y: float = 80) -> tuple[float, float]:
    """Return where on the page a time is."""
    box = stage.locator(".nb-detail").bounding_box()
    assert box
    return box["x"] + view(stage, f"view.x({time})"), box["y"] + y


def drag(notebook: Notebook, stage: Locator, start: float, stop: float, y: float = 80) -> None:
    mouse = notebook.page.mouse
    mouse.move(*place(stage, start, y))
    mouse.down()
    mouse.move(*place(stage, (start + stop) / 2, y))
    mouse.move(*place(stage, stop, y))
    mouse.up()


# -- Drawing ----------------------------------------------------------------------------------


def pyramid_calls(levels: Levels, spans: list[tuple[float, float, int]]) -> tuple[Any, ...]:
    finest = levels.peaks[0]
    peak = float(np.abs(finest.astype(float)).max(initial=0)) / 32768
    return peak_bytes(finest, peak).ravel(), peak, levels.samples, spans


def test_the_envelope_is_the_kernels_at_every_zoom(bare_page: BarePage) -> None:
    rng = np.random.default_rng(3)
    for count in (700, 256 * 1030 + 17, 256 * 4200):
        levels = Levels.of(rng.integers(-9000, 12000, count).astype(np.int16))
        spans = [(-1.0, 3.0, 50), (0.0, levels.duration, 777), (levels.duration - 0.01, 9e3, 20)]
        for _ in range(20):
            start, stop = np.sort(rng.uniform(-2, levels.duration + 2, 2))
            spans.append((float(start), float(stop), int(rng.integers(1, 1500))))
        finest, peak, n, _ = pyramid_calls(levels, spans)
        found = bare_page.run(
            """const { createPyramid, envelope } = await load("pyramid.js");
               const [finest, peak, samples, spans] = rest;
               const pyramid = createPyramid(finest, peak, samples);
               return spans.map((span) => envelope(pyramid, ...span));""",
            finest, peak, n, [list(span) for span in spans],
        )  # fmt: skip
        for span, drawn_ in zip(spans, found, strict=True):
            expected = levels.envelope(*span)
            as_sent = peak_bytes(np.rint(expected * 32768).astype(np.int16), peak).astype(float)
            exact = np.sign(as_sent) * peak * (as_sent / 127) ** 2
            assert np.allclose(drawn_.reshape(-1, 2), exact, atol=1e-6), span


def test_levels_above_the_floor_are_the_kernels(bare_page: BarePage) -> None:
    rng = np.random.default_rng(5)
    for seconds in (0.005, 12, 100.037):
        swell = np.interp(np.arange(round(seconds * 16000)), [0, 600000, 1200000], [30, 900, 30])
        levels = Levels.of((rng.standard_normal(len(swell)) * swell).astype(np.int16))
        sent = level_bytes(levels.rms_db)
        excess, power = bare_page.run(
            """const { createSound } = await load("sound.js");
               const [levels, nodes, samples] = rest;
               const floor_nodes = new Uint8Array(nodes.buffer);
               const given = { peaks: new Uint8Array(2), levels, floor_nodes };
               const values = { samples, peak: 1, problems: [] };
               const sound = createSound((name) => values[name], (name) => given[name]);
               return [sound.excess, sound.power(0, levels.length)];""",
            sent, levels.floor_nodes.ravel(), levels.samples,
        )  # fmt: skip
        assert np.abs(excess - levels.excess_db).max() < 0.2
        mean = np.mean(np.where(sent > 0, 10 ** ((sent / 2.55 - 100) / 10), 0))
        assert power == pytest.approx(mean, rel=1e-9)


def extents(stage: Locator) -> NDArray[np.float64]:
    """Return the upper and lower edge of the wave's colour in each column, in pixels."""
    pixels = stage.locator(".nb-detail").evaluate(
        """(canvas) => {
            const { width, height } = canvas;
            const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
            const found = [];
            for (let x = 0; x < width; x += 1) {
              let [top, bottom] = [-1, -1];
              for (let y = 0; y < height; y += 1) {
                const at = 4 * (y * width + x);
                // Half covered at least, and blue as no shading or line is.
                if (data[at + 3] < 128 || data[at + 2] - data[at] < 67) continue;
                if (top < 0) top = y;
                bottom = y + 1;
              }
              found.push([top, bottom]);
            }
            return found;
        }"""
    )
    return np.array(pixels, float)


def test_what_is_drawn_follows_the_recordings_envelope(fresh: Notebook) -> None:
    stage = stage_of(fresh.panel(0))
    recording = samples.open("meeting")
    top = recording.levels().peaks[0].astype(float)
    loudest = np.abs(top).max() / 32768 / 0.95
    for start, stop in [(0.0, recording.duration), (30.0, 45.0)]:
        fresh.execute(f"panel.show({start}, {stop})")
        fresh.page.wait_for_function(
            "([stage, stop]) => Math.abs(stage.nbView.visible.stop - stop) < 1e-6",
            arg=[stage.element_handle(), stop],
        )
        painted(stage)
        found = extents(stage)
        envelope = recording.levels().envelope(start, stop, len(found))
        expected = 80 - np.clip(envelope[:, ::-1] / loudest, -1, 1) * 79
        loud = np.ptp(envelope, axis=1) > 0.02
        wrong = np.abs(found - expected)[loud].max(axis=1)
        assert loud.sum() > 300
        # The labels of the scale lie over the last columns; bytes round by up to 1.2 pixels.
        assert wrong[:-60].max() < 1.8


def test_near_by_the_samples_themselves_are_drawn(fresh: Notebook) -> None:
    stage = stage_of(fresh.panel(0))
    recording = samples.open("meeting")
    fresh.execute("panel.show(32.0, 33.0)")
    fresh.page.wait_for_function(
        "(stage) => stage.nbView.visible.stop === 33 && stage.nbView.samples.peek(512000, 16000)",
        arg=stage.element_handle(),
    )
    painted(stage)
    found = extents(stage)
    part = recording.samples[512000:528000].astype(float) / 32768
    edges = np.floor(np.arange(len(found)) * len(part) / len(found)).astype(int)
    # A column takes in the sample after it: neighbours join.
    highest = np.maximum(np.maximum.reduceat(part, edges), part[np.append(edges[1:], -1)])
    peak = np.abs(recording.levels().peaks[0].astype(float)).max() / 32768 / 0.95
    loud = highest[:-60] > 0.03
    assert loud.sum() > 200
    wrong = np.abs(found[:-60, 0] - (80 - highest[:-60] / peak * 79))[loud]
    assert np.mean(wrong <= 1.6) > 0.95, "an outline of 16 ms would be far off"


# -- Moving -----------------------------------------------------------------------------------


def test_keys_buttons_and_wheel_zoom_by_what_they_say(fresh: Notebook) -> None:
    panel = fresh.panel(0)
    stage = stage_of(panel)
    duration = view(stage, "view.duration")
    stage.focus()
    fresh.page.keyboard.press("+")
    assert visible(stage) == pytest.approx((0, duration / 2)), "around the playhead, at 0"
    fresh.page.keyboard.press("-")
    assert visible(stage) == pytest.approx((0, duration))
    panel.get_by_role("button", name="Zoom in").click()
    panel.get_by_role("button", name="Zoom in").click()
    assert visible(stage) == pytest.approx((0, duration / 4))
    panel.get_by_role("button", name="Show all").click()
    assert visible(stage) == (0, duration)

    fresh.page.mouse.move(*place(stage, duration / 4))
    fresh.page.keyboard.down("Control")
    fresh.page.mouse.wheel(0, -100)
    fresh.page.keyboard.up("Control")
    factor = np.exp(0.3)
    fresh.page.wait_for_function(
        "stage => stage.nbView.visible.stop < stage.nbView.duration", arg=stage.element_handle()
    )
    start, stop = visible(stage)
    assert stop - start == pytest.approx(duration / factor)
    assert (duration / 4 - start) / (stop - start) == pytest.approx(0.25, abs=0.002), "under it"

    fresh.page.mouse.wheel(107, 0)
    fresh.page.wait_for_function(
        "([stage, start]) => stage.nbView.visible.start !== start",
        arg=[stage.element_handle(), start],
    )
    moved = visible(stage)
    assert moved[0] - start == pytest.approx(107 * (stop - start) / view(stage, "view.width"))
    assert moved[1] - moved[0] == pytest.approx(stop - start)


def test_the_window_of_the_overview_can_be_dragged_and_resized(fresh: Notebook) -> None:
    stage = stage_of(fresh.panel(0))
    fresh.execute("panel.show(20, 40)")
    fresh.page.wait_for_function(
        "stage => stage.nbView.visible.start === 20", arg=stage.element_handle()
    )
    box = fresh.panel(0).locator(".nb-overview").bounding_box()
    assert box
    duration = view(stage, "view.duration")
    at = lambda time: (box["x"] + box["width"] * time / duration, box["y"] + 15)  # noqa: E731
    mouse = fresh.page.mouse
    mouse.move(*at(30))
    mouse.down()
    mouse.move(*at(50))
    mouse.up()
    assert visible(stage) == pytest.approx((40, 60), abs=0.2)
    mouse.move(*at(60))
    mouse.down()
    mouse.move(*at(80))
    mouse.up()
    assert visible(stage) == pytest.approx((40, 80), abs=0.2)
    fresh.panel(0).locator(".nb-overview").dblclick(position={"x": 5, "y": 15})
    assert visible(stage) == (0, duration)


def test_a_wheel_over_the_panel_scrolls_the_notebook_when_there_is_nothing_to_pan(
    fresh: Notebook,
) -> None:
    stage = stage_of(fresh.panel(0))
    prevented = stage.evaluate(
        """(stage) => {
            const turn = (init) => {
                const event = new WheelEvent("wheel", { bubbles: true, cancelable: true, ...init });
                stage.dispatchEvent(event);
                return event.defaultPrevented;
            };
            const whole = turn({ deltaY: 50 });
            stage.nbView.show(10, 20);
            const inside = turn({ deltaY: 50 });
            stage.nbView.show(0, 10);
            const atStart = turn({ deltaY: -50 });
            return [whole, inside, atStart];
        }"""
    )
    assert prevented == [False, True, False]


LONG_PRESSES_WAIT = """() => {
    const real = window.nbTimeout = window.setTimeout;
    window.setTimeout = (call, ms, ...given) => real(call, ms === 450 ? 1e9 : ms, ...given);
}"""


def test_fingers_pan_pinch_tap_and_select_after_a_rest(fresh: Notebook) -> None:
    stage = stage_of(fresh.panel(0))
    device = fresh.context.new_cdp_session(fresh.page)
    x, y = place(stage, view(stage, "view.duration / 2"))

    def touch(kind: str, *points: float) -> None:
        fingers = [{"x": at, "y": y, "id": number} for number, at in enumerate(points)]
        device.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})

    stage.evaluate(LONG_PRESSES_WAIT)  # a finger here may rest longer than it means to
    touch("touchStart", x - 50)
    touch("touchStart", x - 50, x + 50)
    touch("touchMove", x - 100, x + 100)
    touch("touchEnd")
    duration = view(stage, "view.duration")
    start, stop = visible(stage)
    assert stop - start == pytest.approx(duration / 2, rel=0.01)
    touch("touchStart", x)
    touch("touchMove", x - 50)
    touch("touchMove", x - 107)
    touch("touchEnd")
    moved = 107 * (stop - start) / view(stage, "view.width")
    assert visible(stage)[0] == pytest.approx(start + moved, rel=0.02)
    assert view(stage, "view.selection") is None
    touch("touchStart", x)
    touch("touchEnd")
    left = place(stage, 0)[0] - view(stage, "view.x(0)")
    assert view(stage, "view.playhead") == pytest.approx(view(stage, f"view.timeAt({x - left})"))
    stage.evaluate("() => { window.setTimeout = window.nbTimeout; }")
    touch("touchStart", x)
    expect(stage).to_have_class(re.compile("nb-selecting"))
    touch("touchMove", x + 60)
    touch("touchMove", x + 120)
    touch("touchEnd")
    selected = view(stage, "view.selection")
    seconds = 120 * (stop - start) / view(stage, "view.width")
    assert selected["stop"] - selected["start"] == pytest.approx(seconds, rel=0.1)
    expect(stage).not_to_have_class(re.compile("nb-selecting"))


# -- Selecting --------------------------------------------------------------------------------


def test_a_drag_selects_and_python_reads_the_sound_of_it(fresh: Notebook) -> None:
    stage = stage_of(fresh.panel(0))
    drag(fresh, stage, 24.0, 27.0)
    fresh.page.wait_for_function("stage => stage.nbView.selection", arg=stage.element_handle())
    selected = view(stage, "view.selection")
    fresh.wait_value(
        "panel.selection", pytest.approx([selected["start"], selected["stop"]], abs=SAMPLE)
    )
    pixel = view(stage, "view.duration / view.width")
    assert selected["start"] == pytest.approx(24, abs=9 * pixel), "or the edge of a pause near by"
    assert selected["stop"] == pytest.approx(27, abs=9 * pixel)
    seconds = selected["stop"] - selected["start"]
    samples_read = fresh.evaluate("panel.recording.read(*panel.selection).shape[0]")
    assert samples_read == pytest.approx(16000 * seconds, abs=1)
    expect(fresh.panel(0).get_by_label("Start of the selection")).to_have_value(
        re.compile(r"0:2[34]\.\d\d")
    )


def test_edges_stop_at_pauses_unless_alt_is_held(fresh: Notebook) -> None:
    stage = stage_of(fresh.panel(0))
    fresh.execute("panel.show(20, 30)")
    fresh.page.wait_for_function(
        "stage => stage.nbView.visible.start === 20", arg=stage.element_handle()
    )
    edge = view(stage, "view.silence().find((time) => time > 23 && time < 28)")
    near = edge - 0.04
    drag(fresh, stage, 21.0, near)
    assert view(stage, "view.selection.stop") == pytest.approx(edge, abs=1e-6)
    fresh.page.keyboard.press("Escape")
    fresh.page.keyboard.down("Alt")
    drag(fresh, stage, 21.0, near)
    fresh.page.keyboard.up("Alt")
    assert view(stage, "view.selection.stop") == pytest.approx(near, abs=0.01)


def test_a_double_click_takes_the_stretch_of_speech(fresh: Notebook) -> None:
    stage = stage_of(fresh.panel(0))
    edges = view(stage, "[...view.silence()]")
    start = next(time for time in edges[1::2] if time > 20)
    stop = next(time for time in edges[::2] if time > start)
    fresh.page.mouse.dblclick(*place(stage, (start + stop) / 2))
    fresh.wait_value("panel.selection", pytest.approx([start, stop], abs=SAMPLE))


def test_keys_move_the_playhead_and_extend_the_selection(fresh: Notebook) -> None:
    stage = stage_of(fresh.panel(0))
    stage.focus()
    keyboard = fresh.page.keyboard
    for _ in range(3):
        keyboard.press("ArrowRight")
    assert view(stage, "view.playhead") == pytest.approx(3.0), "a second each at this zoom"
    for _ in range(2):
        keyboard.press("Shift+ArrowRight")
    fresh.wait_value("panel.selection", [3.0, 5.0])
    fresh.wait_value("panel.playhead", 5.0)
    told = stage.get_attribute("aria-valuetext")
    assert told
    assert "At 0:05.0 of 1:40.3." in told
    assert "Selected 0:03.0 to 0:05.0, 2.00 seconds." in told
    keyboard.press("z")
    assert visible(stage) == pytest.approx((2.9, 5.1))
    keyboard.press("Escape")
    fresh.wait_value("panel.selection", None)
    keyboard.press("End")
    fresh.wait_value("panel.playhead == recording.duration", True)
    assert visible(stage)[1] == view(stage, "view.duration")


def test_python_plays_and_pauses_and_hears_where_it_stood(fresh: Notebook) -> None:
    player = fresh.panel(0).locator(".nb-transport")
    fresh.execute("panel.play(20, 90)")
    fresh.page.wait_for_function(
        "(transport) => transport.nbPlayer.playing && transport.nbPlayer.time() > 20.5",
        arg=player.element_handle(),
    )
    windows = [f"{fresh.evaluate('recording.fingerprint')}:{index}" for index in (1, 2, 3)]
    fresh.page.wait_for_function(  # all that is asked for ahead
        """(windows) => {
            const { windows: kept } = globalThis[Symbol.for("nbasr.1.samples")];
            return windows.every((key) => kept.has(key));
        }""",
        arg=windows,
    )
    fresh.comm_messages()
    fresh.traffic.reset()
    fresh.page.wait_for_function(
        "(transport) => transport.nbPlayer.time() > 21.2", arg=player.element_handle()
    )
    assert [m for m in fresh.comm_messages() if m.sent] == [], "only the playhead moves"
    fresh.execute("panel.pause()")
    fresh.wait_value("20.5 < panel.playhead < 60", True)
    assert not player.evaluate("(transport) => transport.nbPlayer.playing")


def test_keys_work_wherever_the_focus_is_in_the_panel_but_not_in_its_fields(
    fresh: Notebook,
) -> None:
    panel = fresh.panel(0)
    stage = stage_of(panel)
    panel.get_by_role("button", name="Zoom in").click()
    fresh.page.keyboard.press("End")
    assert view(stage, "view.playhead === view.duration")
    fresh.execute("panel.regions = [(60, 70, 'a')]")
    panel.get_by_label("Label of a").fill("x")
    fresh.page.keyboard.press("Home")
    fresh.page.keyboard.type("0r")
    fresh.page.keyboard.press("Enter")
    fresh.wait_value("[r.label for r in panel.regions]", ["0rx"])
    assert view(stage, "view.playhead === view.duration")


def test_saving_is_the_notebooks_key_in_a_panel_too(fresh: Notebook) -> None:
    fresh.execute("panel.regions = [(1, 2)]")
    fresh.page.evaluate(
        """() => {
            window.nbSaved = [];
            nbasrPanel.context.saveState.connect((_, state) => { window.nbSaved.push(state); });
        }"""
    )
    stage_of(fresh.panel(0)).focus()
    fresh.page.keyboard.press("Control+s")
    fresh.page.wait_for_function("nbSaved.includes('completed')")
    assert fresh.console_errors == []


def test_the_focus_stays_in_the_panel_when_what_had_it_goes(fresh: Notebook) -> None:
    """Else the next keys are the notebook's: D D deletes the cell."""
    panel = fresh.panel(0)
    stage = stage_of(panel)
    fresh.execute("panel.selection = (10, 12)")
    panel.get_by_role("group", name="Selection").get_by_role("button", name="Zoom").focus()
    fresh.page.keyboard.press("Escape")
    expect(stage).to_be_focused()
    fresh.wait_value("panel.selection", None)
    fresh.execute("panel.selection = (10, 12)")
    play = panel.locator(".nb-transport").get_by_role("button", name="Play the selection")
    expect(play).to_be_enabled()
    play.focus()
    expect(play).to_be_focused()
    fresh.page.keyboard.press("Escape")
    expect(stage).to_be_focused()
    fresh.execute("panel.regions = [(1, 2, 'one'), (3, 4, 'two')]")
    panel.get_by_role("button", name="Delete one").press("Enter")
    expect(panel.get_by_role("button", name="Delete two")).to_be_focused()
    fresh.wait_value("len(panel.regions)", 1)
    fresh.execute("panel.regions = ()")
    expect(stage).to_be_focused()


def test_regions_at_the_edges_stay_inside_the_recording(fresh: Notebook) -> None:
    fresh.execute("end = recording.duration; panel.regions = [(0, 0.005), (end - 0.005, end)]")
    panel = fresh.panel(0)
    panel.get_by_label("Start of Region 1").press("ArrowUp")
    panel.get_by_label("End of Region 2").press("ArrowDown")
    panel.get_by_label("Label of Region 1").fill("first")
    panel.get_by_label("Label of Region 1").press("Enter")
    fresh.wait_value("panel.regions[0].label", "first")
    times = fresh.evaluate("[(r.start, r.stop) for r in panel.regions]")
    assert times == [[0, 0.005], [fresh.evaluate("end - 0.005"), fresh.evaluate("end")]]
    expect(panel.get_by_role("alert")).to_be_hidden()


def test_a_second_view_that_begins_to_play_is_not_moved_to_where_the_first_stopped(
    fresh: Notebook,
) -> None:
    fresh.run(2)
    players = []
    for index in (0, 2):
        drawn(fresh.panel(index))
        transport = fresh.panel(index).locator(".nb-transport")
        players.append(transport.evaluate_handle("transport => transport.nbPlayer"))

    def until(condition: str) -> None:
        fresh.page.wait_for_function(f"([first, second]) => {condition}", arg=players)

    fresh.execute("panel.playhead = 5.0")
    until("first.time() === 5 && second.time() === 5")
    stage_of(fresh.panel(0)).press("Space")
    until("first.time() > 5.1")
    players[1].evaluate("second => second.seek(40)")
    stage_of(fresh.panel(2)).press("Space")
    until("!first.playing && (second.time() > 40.5 || second.time() < 30)")
    assert players[1].evaluate("second => second.time()") > 40.5
    players[1].evaluate("second => second.pause()")
    fresh.wait_value("panel.playhead > 40", True)
    until("first.time() === second.time()")
    fresh.clear_output(2)
    assert fresh.console_errors == []


def test_what_python_selects_and_shows_is_seen(fresh: Notebook) -> None:
    stage = stage_of(fresh.panel(0))
    fresh.execute("panel.selection = (10.25, 12.5); panel.show(9, 14); panel.playhead = 11.0")
    bar = fresh.panel(0).get_by_role("group", name="Selection")
    expect(bar.get_by_label("Start of the selection")).to_have_value("0:10.25")
    expect(bar.get_by_label("End of the selection")).to_have_value("0:12.50")
    expect(stage).to_have_attribute("aria-valuenow", "11.000")
    assert visible(stage) == (9, 14)
    bar.get_by_label("End of the selection").fill("0:13")
    bar.get_by_label("End of the selection").press("Enter")
    fresh.wait_value("panel.selection", [10.25, 13.0])
    assert fresh.console_errors == []


# -- Regions ----------------------------------------------------------------------------------


def test_a_region_is_made_named_dragged_undone_and_deleted(fresh: Notebook) -> None:
    panel = fresh.panel(0)
    stage = stage_of(panel)
    keyboard = fresh.page.keyboard
    fresh.execute("panel.selection = (40.0, 50.0)")
    fresh.page.wait_for_function("stage => stage.nbView.selection", arg=stage.element_handle())
    stage.focus()
    keyboard.press("r")
    keyboard.type("budget")
    keyboard.press("Enter")
    expect(stage).to_be_focused()
    marked = "[(r.start, r.stop, r.label) for r in panel.regions]"
    fresh.wait_value(marked, [[40.0, 50.0, "budget"]])
    keyboard.press("Escape")

    keyboard.down("Alt")
    drag(fresh, stage, 50.0, 60.0)
    keyboard.up("Alt")
    fresh.wait_value("abs(panel.regions[0].stop - 60) < 0.3", True)
    drag(fresh, stage, 45.0, 55.0, y=8)  # its tab
    fresh.wait_value("abs(panel.regions[0].start - 50) < 1", True)
    stage.focus()
    keyboard.press("Control+z")
    keyboard.press("Control+z")
    fresh.wait_value(marked, [[40.0, 50.0, "budget"]])
    keyboard.press("Control+Shift+z")
    fresh.wait_value("panel.regions[0].stop > 59", True)
    keyboard.press("Control+z")

    start = panel.get_by_label("Start of budget")
    start.fill("41.5")
    start.press("Enter")
    fresh.wait_value(marked, [[41.5, 50.0, "budget"]])
    panel.get_by_role("button", name="Delete budget").click()
    fresh.wait_value("len(panel.regions)", 0)
    expect(panel.get_by_role("group", name="Regions")).to_be_hidden()


def test_a_dragged_region_is_told_to_the_sample_so_that_the_kernel_puts_nothing_right(
    fresh: Notebook,
) -> None:
    """What it put right came in the middle of the next drag or undo, and took that back."""
    stage = stage_of(fresh.panel(0))
    fresh.execute("panel.regions = [(40, 50, 'a')]")
    expect(fresh.panel(0).get_by_label("End of a")).to_have_value("0:50.00")
    fresh.comm_messages()
    fresh.traffic.reset()
    fresh.page.keyboard.down("Alt")
    drag(fresh, stage, 50.0, 57.123456)
    drag(fresh, stage, 40.0, 33.654321)
    drag(fresh, stage, 45.0, 55.111111, y=8)  # its tab
    fresh.page.keyboard.up("Alt")
    fresh.wait_value("panel.regions[0].start > 43", True)
    fresh.execute("panel.show(1, recording.duration)")  # comes after all that was told before
    fresh.page.wait_for_function(
        "stage => stage.nbView.visible.start === 1", arg=stage.element_handle()
    )
    updates = [
        m for m in fresh.comm_messages() if m.content["data"].get("method") == "update"
    ]  # an echo is none
    told = [m.sent for m in updates if "regions" in m.content["data"]["state"]]
    assert told
    assert all(told)


def test_regions_of_python_are_listed_and_reached_by_keys(fresh: Notebook) -> None:
    panel = fresh.panel(0)
    stage = stage_of(panel)
    fresh.execute("panel.regions = [(60, 70, 'second <b>'), (20, 30, 'first')]")
    expect(panel.get_by_label("Label of first")).to_have_value("first")
    rows = panel.locator(".nb-regions tbody tr")
    assert rows.locator("input").first.input_value() == "first"
    stage.focus()
    fresh.page.keyboard.press("]")
    fresh.page.keyboard.press("]")
    fresh.wait_value("panel.selection", [60.0, 70.0])
    assert "In focus: second <b>, 1:00.0 to 1:10.0." in (
        stage.get_attribute("aria-valuetext") or ""
    )
    fresh.page.keyboard.press("Delete")
    fresh.wait_value("[r.label for r in panel.regions]", ["first"])


# -- Several panels, big recordings, ends ---------------------------------------------------------


def test_panels_on_one_recording_send_its_sound_once(fresh: Notebook) -> None:
    fresh.traffic.reset()
    fresh.run(1)
    drawn(fresh.panel(1))
    fresh.comm_messages()
    bulk = [m for m in fresh.comm_messages() if sum(m.buffers) > 1000]
    assert bulk == [], "the second panel finds all that the first was sent"
    fresh.execute("other.selection = (1, 2)")
    expect(fresh.panel(1).get_by_label("Start of the selection")).to_have_value("0:01.00")
    assert view(stage_of(fresh.panel(0)), "view.selection") is None


def test_themes_and_languages_change_what_is_seen(fresh: Notebook) -> None:
    stage = stage_of(fresh.panel(0))
    light = view(stage, "view.colours().wave")
    try:
        fresh.set_theme("dark")
        fresh.page.wait_for_function(
            "([stage, light]) => stage.nbView.colours().wave !== light",
            arg=[stage.element_handle(), light],
        )
        assert fresh.axe(fresh.panel(0)) == []
    finally:
        fresh.set_theme("light")
    fresh.page.wait_for_function(
        "([stage, light]) => stage.nbView.colours().wave === light",
        arg=[stage.element_handle(), light],
    )


def test_nothing_is_wrong_for_those_who_hear_the_screen(fresh: Notebook) -> None:
    panel = fresh.panel(0)
    fresh.execute("panel.regions = [(20, 30, 'first')]; panel.selection = (1, 2)")
    panel.get_by_label("Label of first").wait_for()
    panel.get_by_role("button", name="Keys").click()
    panel.get_by_role("region", name="Keys").get_by_text("Zoom to the selection").wait_for()
    assert fresh.axe(panel) == []
    stage = stage_of(panel)
    told = panel.locator(f"#{stage.get_attribute('aria-describedby')}").text_content()
    assert told == "Length 1:40, level −23 dBFS, highest peak −5 dBFS, 33 % silence."
    panel.get_by_role("button", name="Keys").click()


def test_three_hours_are_seen_at_once_and_moved_smoothly(
    open_notebook: Callable[..., Notebook],
) -> None:
    notebook = open_notebook([THREE_HOURS])
    notebook.run()
    stage = drawn(notebook.panel())
    bulk = sum(sum(m.buffers) for m in notebook.comm_messages())
    assert bulk < 3 * 0.9e6
    found = stage.evaluate(
        """(stage) => {
            const view = stage.nbView;
            const times = Array(100).fill(Infinity);
            for (let round = 0; round < 3; round += 1) { // others may be at work meanwhile
              for (let step = 0; step < 100; step += 1) {
                view.zoomBy(step < 50 ? 1.1 : 1 / 1.1, 7205);
                const begun = performance.now();
                view.paint();
                times[step] = Math.min(times[step], performance.now() - begun);
              }
            }
            times.sort((a, b) => a - b);
            return { median: times[50], duration: view.duration };
        }"""
    )
    assert found["duration"] == 3 * 3600
    assert found["median"] < 16, "a frame"
    notebook.execute("panel.show(7200, 7210)")
    notebook.page.wait_for_function(
        "stage => stage.nbView.visible.start === 7200", arg=stage.element_handle()
    )
    painted(stage)
    found_at = extents(stage)
    assert (found_at[:, 1] - found_at[:, 0]).max() > 60, "speech two hours in"
    assert notebook.console_errors == []


def test_closing_clearing_and_restarting_leave_no_error(
    open_notebook: Callable[..., Notebook],
) -> None:
    notebook = open_notebook([TWO_PANELS, OTHER])
    notebook.run()
    drawn(notebook.panel(0))
    drawn(notebook.panel(1))
    notebook.execute("panel.close()")
    expect(notebook.output(0).locator(".nb-stage")).to_have_count(0)
    notebook.clear_output(1)
    notebook.run(1)
    stage = drawn(notebook.panel(1))
    notebook.restart_kernel()
    stage.focus()
    notebook.page.keyboard.press("+")
    assert visible(stage)[1] < view(stage, "view.duration"), "what is here can still be looked at"
    expect(notebook.panel(1).get_by_role("status").first).to_contain_text("run the cell again")
    notebook.page.keyboard.press("Space")
    expect(notebook.panel(1).get_by_role("alert")).to_contain_text("run the cell again")
    notebook.run(0)
    drawn(notebook.panel(0))
    assert notebook.console_errors == []


def test_a_saved_notebook_keeps_a_small_picture(fresh: Notebook) -> None:
    html = "".join(fresh.save()["cells"][0]["outputs"][0]["data"]["text/html"])
    assert "<svg" in html
    assert len(html) < 30_000
    assert Path(fresh.path).stat().st_size < 200_000


def test_a_recording_that_is_gone_is_told_in_the_panel(
    open_notebook: Callable[..., Notebook],
) -> None:
    cell = (
        "import nbasr\nnbasr.samples.open('meeting').save('talk.wav', overwrite=True)\n"
        "panel = nbasr.WaveformPanel('talk.wav')\npanel"
    )
    notebook = open_notebook([cell])
    notebook.run()
    drawn(notebook.panel())
    notebook.execute("import os; os.truncate('talk.wav', 5000)")
    notebook.execute("panel.show(60, 61)")
    alert = notebook.panel().get_by_role("alert")
    expect(alert).to_contain_text("talk.wav was changed since it was opened")
    alert.get_by_role("button", name="Dismiss").click()
    expect(alert).to_be_hidden()


def test_the_panel_speaks_chinese_where_the_browser_does(
    open_notebook: Callable[..., Notebook],
) -> None:
    notebook = open_notebook([TWO_PANELS], locale="zh-CN")
    notebook.run()
    panel = notebook.panel()
    stage = drawn(panel)
    assert stage.get_attribute("aria-label") == "meeting.opus 的波形"
    assert panel.get_by_role("button", name="放大").is_visible()
    assert notebook.axe(panel) == []
