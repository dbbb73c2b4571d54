"""What the browser plays: samples fetched once, speed with the pitch kept, the audio clock."""

from __future__ import annotations

import itertools
import re
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from playwright.sync_api import Locator, expect

from browser.harness import BarePage, Notebook
from nbasr import samples

RATE = 16_000
WINDOW = 2**18
CLOCKS_APART = 0.04  # s; the audio clock goes on in steps between two looks at it


def apart(points: list[list[float]]) -> float:
    """Return how far two clocks went apart, of looks at one, the other and the first again.

    Where something else ran between the looks, the one in the middle may be of any time of it.
    """
    before, time, after = np.array(points).T
    return float((time - after).max() - (time - before).min())


KERNEL = """
    const asked = globalThis.asked = [];
    const recording = globalThis.recording;
    const link = {
      ask(kind, { first, count }) {
        asked.push([first, count]);
        const bytes = new DataView(recording.slice(first, first + count).buffer);
        return Promise.resolve({ data: {}, buffers: [bytes] });
      },
    };
    const sound = { fingerprint: `f${Math.random()}`, samples: recording.length,
                    duration: recording.length / 16000 };
"""
"""Stands for the kernel: `link` answers with samples of `recording`."""

PLAYER = (
    KERNEL
    + """
    const { createSamples } = await load("samples.js");
    const { createPlayer } = await load("player.js");
    const ending = new AbortController();
    const playerOf = (link, sound, signal = ending.signal) =>
      createPlayer({ samples: createSamples(link, sound), sound, signal });
    const player = playerOf(link, sound);
    const until = async (holds) => {
      for (const begun = performance.now(); !holds(); ) {
        if (performance.now() - begun > 20000) throw new Error(`Not within 20 s: ${holds}`);
        await new Promise((go) => setTimeout(go, 10));
      }
    };
    const page = () => globalThis[Symbol.for("nbasr.1.audio")];
"""
)
"""A `player` of `recording`; `until` waits for a condition; `page()` has the audio clock."""

TAPPED = """
    // Everything that a run sends on goes through a node that keeps it.
    const tapping = async (context) => {
      if (globalThis.tap?.context === context) { globalThis.tap.heard.length = 0; return; }
      const code = `registerProcessor("tap", class extends AudioWorkletProcessor {
        process([input]) {
          const frame = input[0] ? input[0].slice() : new Float32Array(128);
          this.port.postMessage({ at: currentFrame, frame });
          return true;
        }
      })`;
      const module = new Blob([code], { type: "text/javascript" });
      await context.audioWorklet.addModule(URL.createObjectURL(module));
      const node = new AudioWorkletNode(context, "tap");
      const made = globalThis.tap = { context, node, heard: [] };
      node.port.onmessage = ({ data }) => made.heard.push(data);
      node.connect(context.destination);
    };
    const connect = AudioNode.prototype.connect;
    const tapped = (context) => {
      AudioNode.prototype.connect = function (target, ...rest) {
        return connect.call(this, target === context.destination ? tap.node : target, ...rest);
      };
    };
    const heard = () => {
      const frames = tap.heard.toSorted((a, b) => a.at - b.at);
      const result = new Float32Array(frames.length * 128);
      frames.forEach(({ frame }, index) => result.set(frame, index * 128));
      const sounds = (value) => Math.abs(value) > 0;
      return result.slice(result.findIndex(sounds), result.findLastIndex(sounds) + 1);
    };
"""
"""`heard()` is what came out of the player since `tapping`, from the first sample that is not 0."""


@pytest.fixture(scope="module")
def meeting() -> NDArray[np.int16]:
    return np.array(samples.open("meeting").samples)


@pytest.fixture(scope="module")
def page(bare_page: BarePage, meeting: NDArray[np.int16]) -> BarePage:
    """Return a page that has the samples of the meeting."""
    bare_page.run("globalThis.recording = rest[0];", meeting)
    return bare_page


# -- Samples ----------------------------------------------------------------------------------


def test_windows_are_asked_for_once_and_hold_the_samples_asked_for(
    page: BarePage, meeting: NDArray[np.int16]
) -> None:
    first, count = WINDOW - 100, 300
    got, asked, peeked, missing = page.run(
        KERNEL
        + """
        const { createSamples } = await load("samples.js");
        const samples = createSamples(link, sound);
        const missing = samples.peek(...rest);
        const [got] = await Promise.all([samples.read(...rest), samples.read(...rest)]);
        const second = createSamples(link, sound); // of another panel on the same recording
        await second.read(...rest);
        return [got, asked, second.peek(...rest), missing];
        """,
        first,
        count,
    )
    assert got.tolist() == meeting[first : first + count].tolist() == peeked.tolist()
    assert asked == [[0, WINDOW], [WINDOW, WINDOW]]
    assert missing is None


def test_samples_beyond_the_recording_are_left_out(
    page: BarePage, meeting: NDArray[np.int16]
) -> None:
    before, after, none, asked = page.run(
        KERNEL
        + """
        const { createSamples } = await load("samples.js");
        const samples = createSamples(link, sound);
        return [await samples.read(-10, 20), await samples.read(recording.length - 5, 100),
                await samples.read(recording.length + 5, 100), asked];
        """
    )
    assert before.tolist() == meeting[:10].tolist()
    assert after.tolist() == meeting[-5:].tolist()
    assert len(none) == 0
    assert asked[1] == [len(meeting) // WINDOW * WINDOW, len(meeting) % WINDOW]


def test_a_request_that_failed_is_made_again(page: BarePage) -> None:
    told, got, times = page.run(
        KERNEL
        + """
        const { createSamples } = await load("samples.js");
        let times = 0;
        const flaky = { ask: (...given) => (times += 1) === 1
          ? Promise.reject(new Error("The file is gone.")) : link.ask(...given) };
        const samples = createSamples(flaky, sound);
        const told = await samples.read(0, 10).catch((error) => error.message);
        return [told, (await samples.read(0, 10)).length, times];
        """
    )
    assert (told, got, times) == ("The file is gone.", 10, 2)


def test_an_answer_that_got_lost_is_asked_for_again(page: BarePage) -> None:
    got, times = page.run(
        KERNEL
        + """
        const { createSamples } = await load("samples.js");
        let times = 0;
        const never = new Promise(() => {});
        const lossy = { ask: (...given) => (times += 1) < 3 ? never : link.ask(...given) };
        const samples = createSamples(lossy, sound, { patience: 20 });
        return [(await samples.read(0, 10)).length, times];
        """
    )
    assert (got, times) == (10, 3)


def test_a_panel_that_goes_while_it_asks_leaves_others_their_samples(page: BarePage) -> None:
    own, others = page.run(
        KERNEL
        + """
        const { createSamples } = await load("samples.js");
        let leave;
        const leaving = { ask: () => new Promise((_, reject) => {
          leave = () => reject(new DOMException("The panel is gone", "AbortError"));
        }) };
        const first = createSamples(leaving, sound).read(0, 10).catch((error) => error.name);
        const second = createSamples(link, sound).read(0, 10);
        leave();
        return [await first, (await second).length];
        """
    )
    assert (own, others) == ("AbortError", 10)


def test_a_panel_whose_kernel_is_gone_keeps_no_other_from_its_samples(page: BarePage) -> None:
    found = page.run(
        KERNEL
        + """
        const { createSamples } = await load("samples.js");
        const dead = { ask: () => new Promise(() => {}) };
        createSamples(dead, sound).read(0, 10).catch(() => {});
        const read = createSamples(link, sound, { patience: 20 }).read(0, 10);
        return (await read).length;
        """
    )
    assert found == 10


def test_only_what_was_used_last_is_kept(page: BarePage) -> None:
    held = page.run(
        """
        const { createRecent } = await load("pagewide.js");
        const recent = createRecent(100, (value) => value.length);
        recent.set("a", "x".repeat(40));
        recent.set("b", "x".repeat(40));
        recent.get("a");
        recent.set("c", "x".repeat(40));
        return ["a", "b", "c"].map((key) => recent.has(key));
        """
    )
    assert held == [True, False, True]


# -- Speed ------------------------------------------------------------------------------------


def stretched(page: BarePage, pcm: NDArray[np.int16], speed: float, slice_: int = 3200) -> Any:
    return page.run(
        """
        const [pcm, speed, slice] = rest;
        const { createStretch } = await load("stretch.js");
        const stretch = createStretch(speed);
        const parts = [];
        for (let at = 0; at < pcm.length; at += slice) {
          parts.push(stretch.push(pcm.subarray(at, at + slice)));
        }
        parts.push(stretch.flush());
        const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
        let at = 0;
        for (const part of parts) { all.set(part, at); at += part.length; }
        return all;
        """,
        pcm,
        speed,
        slice_,
    )


SPEEDS = [0.5, 0.75, 1.25, 1.5, 2.0, 3.0]


@pytest.mark.parametrize("speed", SPEEDS)
def test_another_speed_changes_the_length_but_not_the_pitch(page: BarePage, speed: float) -> None:
    hz, seconds = 220.0, 4
    tone = 10_000 * np.sin(2 * np.pi * hz * np.arange(seconds * RATE) / RATE)
    heard = stretched(page, tone.astype(np.int16), speed)
    assert len(heard) == pytest.approx(seconds * RATE / speed, rel=0.001)
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard)), 2**18))
    assert spectrum.argmax() * RATE / 2**18 == pytest.approx(hz, rel=0.01)
    natural = 10_000 / 32768 * 2 * np.pi * hz / RATE  # from a sample to the next, at most
    assert np.abs(np.diff(heard[:-400])).max() < 1.1 * natural  # a click would be 100 times that
    assert heard[1000:-1000].std() == pytest.approx(tone.std() / 32768, rel=0.02)


def test_at_its_own_speed_sound_stays_as_it_is(page: BarePage, meeting: NDArray[np.int16]) -> None:
    pcm = meeting[: 2 * RATE]
    heard = stretched(page, pcm, 1.0)
    assert np.abs(heard - pcm / 32768).max() < 1e-6


@pytest.mark.parametrize("speed", [0.5, 2.0])
def test_speech_at_another_speed_is_loud_where_it_was(
    page: BarePage, meeting: NDArray[np.int16], speed: float
) -> None:
    pcm = meeting[: 10 * RATE]
    heard = stretched(page, pcm, speed)
    frame = int(0.05 * RATE)

    def loudness(sound: NDArray[Any], step: int) -> NDArray[np.float64]:
        frames = sound[: len(sound) // step * step].astype(np.float64).reshape(-1, step)
        return np.sqrt(np.mean(frames**2, axis=1))

    before = loudness(pcm / 32768, frame)
    after = loudness(heard, round(frame / speed))
    many = min(len(before), len(after))
    assert np.corrcoef(before[:many], after[:many])[0, 1] > 0.95


@settings(max_examples=15)
@given(
    speed=st.floats(0.5, 3.0),
    length=st.integers(0, 20_000),
    slice_=st.integers(1, 5000),
)
def test_how_sound_is_sliced_makes_no_difference_to_what_is_heard(
    page: BarePage, meeting: NDArray[np.int16], speed: float, length: int, slice_: int
) -> None:
    pcm = meeting[16_000 : 16_000 + length]
    heard = stretched(page, pcm, speed, slice_)
    assert len(heard) == int(np.floor(length / speed + 0.5))
    np.testing.assert_array_equal(heard, stretched(page, pcm, speed, 1_000_000))


# -- Playing ----------------------------------------------------------------------------------


def test_what_is_heard_is_every_sample_once(page: BarePage, meeting: NDArray[np.int16]) -> None:
    start, stop = 15.9, 17.2  # over the border of two windows
    heard, scheduled = page.run(
        PLAYER
        + TAPPED
        + """
        player.play({ start: 0, stop: 0.01 });
        await until(() => !player.playing); // the audio clock is there now
        player.scheduled.length = 0;
        const context = page().context;
        await tapping(context);
        tapped(context);
        const second = playerOf(link, sound);
        second.play({ start: rest[0], stop: rest[1] });
        await until(() => !second.playing);
        AudioNode.prototype.connect = connect;
        return [heard(), second.scheduled];
        """,
        start,
        stop,
    )
    first, last = round(start * RATE), round(stop * RATE)
    ends = np.cumsum([first] + [count for _, count in scheduled])
    assert [at for at, _ in scheduled] == ends[:-1].tolist()
    assert ends[-1] == last
    wanted = meeting[first:last] / 32768
    faded = 100  # the run begins with a ramp of 4 ms
    at = next(
        shift
        for shift in range(20)
        if np.allclose(
            heard[faded : faded + 500], wanted[faded + shift : faded + shift + 500], atol=1e-6
        )
    )
    many = len(heard) - faded
    assert many > last - first - faded - 50
    assert np.abs(heard[faded:] - wanted[faded + at : faded + at + many]).max() < 1e-6


def test_the_time_told_is_that_of_the_audio_clock(page: BarePage) -> None:
    told = page.run(
        PLAYER
        + """
        player.play({ start: 3 });
        await until(() => player.time() > 3.05);
        const points = [];
        const clock = () => page().context.currentTime - page().context.outputLatency;
        await until(() => {
          points.push([clock(), player.time(), clock()]);
          return player.time() > 4.5;
        });
        const last = player.time();
        player.pause();
        const stood = player.time();
        await new Promise((go) => setTimeout(go, 50));
        return [points, last, stood, player.time(), player.playing];
        """
    )
    points, last, stood, later, playing = told
    assert apart(points) < CLOCKS_APART
    assert len(points) > 10
    assert stood == later == pytest.approx(last, abs=0.15)
    assert not playing


@pytest.mark.parametrize("speed", [0.5, 3.0])
def test_at_another_speed_time_goes_by_faster_or_slower(page: BarePage, speed: float) -> None:
    points = page.run(
        PLAYER
        + """
        player.speed = rest[0];
        player.play({ start: 3 });
        await until(() => player.time() > 3.05);
        const points = [];
        const { context } = page();
        const end = context.currentTime + 0.8;
        await until(() => {
          const clock = context.currentTime;
          const time = player.time();
          if (context.currentTime === clock) points.push([clock, time]); // else some time went by
          return clock > end;
        });
        player.pause();
        return points;
        """,
        speed,
    )
    assert len(points) > 10
    clock, time = np.array(points).T
    assert np.polyfit(clock, time, 1)[0] == pytest.approx(speed, rel=0.05)


def test_a_region_is_looped_without_a_gap(page: BarePage, meeting: NDArray[np.int16]) -> None:
    start, stop = 2.0, 2.3
    heard, scheduled = page.run(
        PLAYER
        + TAPPED
        + """
        player.play({ start: 0, stop: 0.01 });
        await until(() => !player.playing);
        const context = page().context;
        await tapping(context);
        tapped(context);
        const second = playerOf(link, sound);
        second.play({ start: rest[0], stop: rest[1], loop: true, at: 2.1 });
        const times = [];
        await until(() => (times.push(second.time()), tap.heard.length * 128 > 1.2 * 16000));
        second.pause();
        AudioNode.prototype.connect = connect;
        if (times.some((time) => time < 2 || time > 2.31)) throw new Error(`Outside: ${times}`);
        return [heard(), second.scheduled];
        """,
        start,
        stop,
    )
    first, last = round(start * RATE), round(stop * RATE)
    assert scheduled[0][0] == round(2.1 * RATE)
    assert {at + count for at, count in scheduled if at + count >= last} == {last}
    once = meeting[first:last] / 32768
    wanted = np.concatenate([once[round(0.1 * RATE) :], *[once] * 8])
    faded, many = 100, int(0.8 * RATE)
    at = next(
        shift
        for shift in range(20)
        if np.allclose(
            heard[faded : faded + 500], wanted[faded + shift : faded + shift + 500], atol=1e-6
        )
    )
    assert np.abs(heard[faded:many] - wanted[faded + at : many + at]).max() < 1e-6


def test_one_panel_sounds_at_a_time_and_falls_silent_when_it_goes(page: BarePage) -> None:
    states = page.run(
        PLAYER
        + """
        const other = new AbortController();
        const second = playerOf(link, sound, other.signal);
        player.play({ start: 1 });
        const states = [[player.playing, second.playing]];
        second.play({ start: 5 });
        states.push([player.playing, second.playing]);
        other.abort();
        states.push([player.playing, second.playing]);
        second.play({ start: 5 });
        states.push([player.playing, second.playing]);
        return [states, page().sounding === null];
        """
    )
    assert states == [
        [[True, False], [False, True], [False, False], [False, False]],
        True,
    ]


def test_seeking_goes_on_at_once_and_leaves_a_region_that_it_leads_out_of(page: BarePage) -> None:
    told = page.run(
        PLAYER
        + """
        player.seek(7);
        const still = [player.time(), player.playing];
        player.play({ start: 2, stop: 3, loop: true });
        player.seek(2.5);
        const inside = [player.time(), player.region.loop];
        player.seek(10);
        const outside = [player.time(), player.region.loop, player.region.stop > 60];
        await until(() => player.time() > 10.1);
        player.seek(1e9);
        const end = [player.playing, player.time() === sound.duration];
        player.play();
        const again = [player.playing, player.time()];
        player.pause();
        return [still, inside, outside, end, again];
        """
    )
    assert told == [[7, False], [2.5, True], [10, False, True], [False, True], [True, 0]]


def test_samples_that_take_their_time_are_waited_for(page: BarePage) -> None:
    told = page.run(
        PLAYER
        + """
        let arrive;
        const slow = { ask: (...given) => new Promise((go) => {
          arrive = () => go(link.ask(...given));
        }) };
        const own = { ...sound, fingerprint: "slow" };
        const late = playerOf(slow, own);
        const states = [];
        late.on("state", () => states.push([late.playing, late.waiting]));
        late.play({ start: 4, stop: 4.2 });
        await new Promise((go) => setTimeout(go, 100));
        const stood = late.time();
        arrive();
        await until(() => !late.playing);
        return [states, stood, late.time()];
        """
    )
    states, stood, end = told
    assert stood == 4
    assert states[0] == [True, True]
    assert [True, False] in states
    assert states[-1] == [False, False]
    assert end == pytest.approx(4.2)


def test_samples_that_cannot_be_had_are_told_and_end_the_sound(page: BarePage) -> None:
    told = page.run(
        PLAYER
        + """
        const broken = { ask: () => Promise.reject(new Error("meeting.wav was changed.")) };
        const own = { ...sound, fingerprint: "broken" };
        const silent = playerOf(broken, own);
        const problems = [];
        silent.on("problem", (error) => problems.push(error.message));
        silent.play({ start: 4 });
        await until(() => !silent.playing);
        return [problems, silent.time()];
        """
    )
    assert told == [["meeting.wav was changed."], 4]


def test_sound_starts_soon_after_the_click(page: BarePage) -> None:
    delays = page.run(
        PLAYER
        + """
        const delays = [];
        for (let at = 0; at < 5; at += 1) {
          player.pause();
          const begun = performance.now();
          player.play({ start: 20 + at });
          await until(() => player.time() > 20 + at);
          delays.push(performance.now() - begun - 1000 * (player.time() - 20 - at));
        }
        player.pause();
        return delays;
        """
    )
    assert min(delays) < 150, "where nothing else is done meanwhile"


# -- In JupyterLab ----------------------------------------------------------------------------

CELLS = [
    "import nbasr, numpy as np\n"
    "recording = nbasr.samples.open('meeting')\n"
    "panel = nbasr.WaveformPanel(recording)\n"
    "panel",
    "at = np.arange(5 * 16000) / 16000\n"
    "tone = nbasr.WaveformPanel(((0.3 * np.sin(2 * np.pi * 2000 * at)).astype('float32'), 16000))\n"
    "tone",
]


@pytest.fixture(scope="module")
def shown(module_notebook: Callable[..., Notebook]) -> Notebook:
    """Return a notebook with the panels of the meeting and of a tone of 2 kHz."""
    notebook = module_notebook(CELLS)
    notebook.run()
    for index in (0, 1):
        notebook.panel(index).locator(".nb-transport").wait_for()
    return notebook


@pytest.fixture
def wave(shown: Notebook) -> Locator:
    """Return the waveform of the meeting: silent, all of it seen, at its start, with the focus."""
    stage = shown.panel(0).locator(".nb-stage")
    ask(shown, "player.pause(), player.seek(0), (player.speed = 1)")
    stage.focus()
    shown.page.keyboard.press("Escape")
    shown.page.keyboard.press("0")
    shown.wait_value("panel.selection", None)
    return stage


def ask(notebook: Notebook, expression: str) -> Any:
    """Return the value of an expression that may use `player` and the page's `audio` and `kept`."""
    return notebook.page.evaluate(ASKED % f"return {expression};")


def wait(notebook: Notebook, condition: str) -> None:
    """Wait until an expression is true."""
    notebook.page.wait_for_function(ASKED % f"return {condition};", timeout=20_000)


ASKED = """() => {
    const { nbPlayer: player, nbView: view } = document.querySelector(".nbasr .nb-transport");
    const audio = globalThis[Symbol.for("nbasr.1.audio")];
    const kept = globalThis[Symbol.for("nbasr.1.samples")]?.windows;
    %s
}"""


BOTH_CLOCKS = """(() => {
    for (;;) {
        const both = [audio.context.currentTime, player.time()];
        if (audio.context.currentTime === both[0]) return both; // else some time went by
    }
})()"""


def play_button(notebook: Notebook) -> Locator:
    return notebook.panel(0).get_by_role("button", name="Play", exact=True)


def test_play_sounds_on_the_audio_clock_and_sends_nothing_meanwhile(
    shown: Notebook, wave: Locator
) -> None:
    ask(shown, "player.seek(4)")
    play_button(shown).click()
    wait(shown, "player.time() > 4.2")
    windows = [f"{shown.evaluate('recording.fingerprint')}:{index}" for index in range(3)]
    wait(shown, f"{windows}.every((key) => kept.has(key))")  # 30 s ahead
    shown.traffic.reset()
    points = shown.page.evaluate(
        """async () => {
            const player = document.querySelector(".nbasr .nb-transport").nbPlayer;
            const { context } = globalThis[Symbol.for("nbasr.1.audio")];
            const points = [];
            const clock = () => context.currentTime - context.outputLatency;
            for (const end = player.time() + 2; player.time() < end && points.length < 400; ) {
                points.push([clock(), player.time(), clock()]);
                await new Promise((go) => setTimeout(go, 50));
            }
            return points;
        }"""
    )
    assert shown.comm_messages() == []
    assert apart(points) < CLOCKS_APART
    assert points[-1][1] - points[0][1] > 1.5
    shown.panel(0).get_by_role("button", name="Pause", exact=True).click()
    stood = ask(shown, "player.time()")
    expect(shown.panel(0).locator(".nb-clock")).to_have_text(f"0:{stood:04.1f} / 1:40.3")
    scheduled = ask(shown, "player.scheduled.slice(-8)")
    assert all(a + count == b for (a, count), (b, _) in itertools.pairwise(scheduled))
    sums = shown.page.evaluate(
        """([key]) => {
            const window = globalThis[Symbol.for("nbasr.1.samples")].windows.get(key);
            const bytes = new Uint8Array(window.buffer);
            let crc = -1;
            for (const byte of bytes) {
                crc ^= byte;
                for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (0xedb88320 & -(crc & 1));
            }
            return ~crc >>> 0;
        }""",
        windows,
    )
    sent = samples.open("meeting").samples[:WINDOW].astype("<i2").tobytes()
    assert sums == zlib.crc32(sent)


def test_the_selection_is_looped_by_keys(shown: Notebook, wave: Locator) -> None:
    shown.execute("panel.selection = (6.0, 6.4)")
    expect(wave).to_have_attribute("aria-valuetext", re.compile("6.0"))
    wave.press("l")
    wave.press("Enter")
    shown.page.evaluate("globalThis.turns = []")
    wait(shown, "(turns.push(player.time()), turns.some((t, i) => i && t < turns[i - 1] - 0.2))")
    times = np.array(shown.page.evaluate("turns"))
    assert times.min() >= 6.0
    assert times.max() <= 6.41
    wave.press("l")  # plays on
    wait(shown, "player.time() > 6.6")
    wave.press("Space")
    assert not ask(shown, "player.playing")
    shown.execute("panel.selection = None")


def test_space_plays_what_was_just_selected_and_else_goes_on_from_the_playhead(
    shown: Notebook, wave: Locator
) -> None:
    shown.execute("panel.selection = (20.0, 20.4)")
    expect(wave).to_have_attribute("aria-valuetext", re.compile("20.0"))
    wave.press("Space")
    wait(shown, "!player.playing && Math.abs(player.time() - 20.4) < 0.05")
    wave.press("Home")
    wave.press("Space")
    wait(shown, "player.playing && player.time() > 0.2 && player.time() < 10")
    wave.press("Space")
    shown.execute("panel.selection = None")


def test_speed_is_changed_by_keys_and_by_the_list(shown: Notebook, wave: Locator) -> None:
    panel = shown.panel(0)
    speed = panel.get_by_label("Speed, pitch kept")
    wave.press(">")
    expect(speed).to_have_value("1.25")
    speed.select_option("3")
    wave.focus()
    wave.press("Space")
    wait(shown, "player.time() > 0.1")
    clock, time = ask(shown, BOTH_CLOCKS)
    wait(shown, f"audio.context.currentTime > {clock} + 1")
    later_clock, later = ask(shown, BOTH_CLOCKS)
    assert (later - time) / (later_clock - clock) == pytest.approx(3, rel=0.1)
    wave.press("Space")


def test_a_time_is_typed_and_a_wrong_one_told(shown: Notebook, wave: Locator) -> None:
    panel = shown.panel(0)
    panel.locator(".nb-clock").click()
    field = panel.get_by_label("Time to go to")
    field.fill("soon")
    field.press("Enter")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(panel.get_by_role("status").last).to_have_text(re.compile("not a time"))
    field.fill("1:02.5")
    field.press("Enter")
    expect(panel.locator(".nb-clock")).to_have_text("1:02.5 / 1:40.3")
    expect(panel.locator(".nb-clock")).to_be_focused()
    panel.locator(".nb-clock").click()
    field.press("Escape")
    expect(panel.locator(".nb-clock")).to_be_focused()
    assert ask(shown, "player.time()") == 62.5


def test_the_view_turns_its_page_with_the_playhead_unless_told_not_to(
    shown: Notebook, wave: Locator
) -> None:
    shown.execute("panel.show(10, 10.5)")
    wait(shown, "view.visible.start === 10")
    ask(shown, "player.play({ start: 10.3 })")
    wait(shown, "player.time() > 10.6 && view.visible.start > 10")
    ask(shown, "player.pause()")
    start, stood = ask(shown, "[view.visible.start, player.time()]")
    assert 10.4 < start < stood < start + 0.5
    shown.execute("panel.show(20, 20.5)")
    wait(shown, "view.visible.start === 20")
    wave.press("f")
    ask(shown, "player.play({ start: 20.3 })")
    wait(shown, "player.time() > 20.7")
    assert ask(shown, "view.visible.start") == 20
    wave.press("f")  # back to where it plays
    wait(shown, "view.visible.start > 20.5")
    shown.execute("panel.show(40, 41)")  # to look at something else meanwhile
    wait(shown, "view.visible.start === 40")
    now = ask(shown, "player.time()")
    wait(shown, f"player.time() > {now} + 0.3")
    ask(shown, "player.pause()")
    assert ask(shown, "view.visible.start") == 40


def test_a_panel_that_nobody_sees_sounds_but_draws_nothing(shown: Notebook, wave: Locator) -> None:
    clock = shown.panel(0).locator(".nb-clock")
    root = shown.panel(0).element_handle()
    wave.press("Space")
    wait(shown, "player.time() > 0.2")
    root.evaluate(
        "(root) => (root.style.visibility = 'hidden', root.style.position = 'fixed',"
        " root.style.top = '-5000px')"
    )
    before = ask(shown, "player.time()")
    wait(shown, f"player.time() > {before} + 0.5")
    frozen = clock.text_content()
    now = ask(shown, "player.time()")
    wait(shown, f"player.time() > {now} + 0.5")
    assert clock.text_content() == frozen
    root.evaluate("(root) => root.removeAttribute('style')")
    expect(clock).not_to_have_text(frozen or "")
    ask(shown, "player.pause()")


def test_sound_goes_on_after_the_connection_was_lost(shown: Notebook, wave: Locator) -> None:
    shown.drop_connection()
    ask(shown, "player.play({ start: 80 })")
    wait(shown, "player.time() > 80.1")
    ask(shown, "player.pause()")


# -- The spectrogram --------------------------------------------------------------------------


def strongest(notebook: Notebook) -> float | None:
    """Return how far up the spectrogram of the tone is strongest, 0..1; None before it is there."""
    return notebook.panel(1).locator(".nb-detail").evaluate(STRONGEST)


HEIGHT = 96  # px of the spectrogram, below the waveform in the same canvas
STRONGEST = (
    """(canvas) => {
    const high = Math.round(HEIGHT * devicePixelRatio);
    const at = Math.round(canvas.width / 2);
    if (canvas.height < 2 * high) return null;
    const image = canvas.getContext("2d").getImageData(at, canvas.height - high, 1, high);
    const dark = canvas.closest(".nbasr").dataset.theme === "dark";
    const light = (row) => image.data[4 * row] + image.data[4 * row + 1] + image.data[4 * row + 2];
    const strength = Array.from({ length: high }, (_, row) => (dark ? 1 : -1) * light(row));
    const inner = strength.slice(2);
    const most = Math.max(...inner);
    if (most - Math.min(...inner) < 250) return null;
    return 1 - (inner.indexOf(most) + 2.5) / high;
}"""
).replace("HEIGHT", str(HEIGHT))


def wait_for_tiles(notebook: Notebook) -> None:
    """Wait until all tiles that are asked for are there, however long the kernel takes."""
    while True:
        # What is drawn and lacks a tile asks for it 60 ms later.
        notebook.page.evaluate(
            "new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(() =>"
            " setTimeout(go, 100))))"
        )
        told = [(m.sent, m.content["data"].get("content", {})) for m in notebook.comm_messages()]
        asked = {one["number"] for sent, one in told if sent and one.get("ask") == "mel"}
        if asked <= {one.get("answer") for sent, one in told if not sent}:
            return


def test_the_spectrogram_shows_a_tone_at_its_frequency_in_light_and_dark(shown: Notebook) -> None:
    stage = shown.panel(1).locator(".nb-stage")
    stage.focus()
    stage.press("s")
    canvas = shown.panel(1).locator(".nb-detail")
    button = shown.panel(1).get_by_role("button", name="Spectrogram")
    there = f"canvas => ({STRONGEST})(canvas) !== null"
    shown.page.wait_for_function(there, arg=canvas.element_handle())
    mel = 15 + 27 * np.log([2, 8]) / np.log(6.4)  # of 2 and 8 kHz, after Slaney
    height = mel[0] / mel[1]
    assert strongest(shown) == pytest.approx(height, abs=0.03)
    wait_for_tiles(shown)
    shown.traffic.reset()
    shown.set_theme("dark")
    expect(shown.panel(1)).to_have_attribute("data-theme", "dark")
    shown.page.wait_for_function(there, arg=canvas.element_handle())
    assert strongest(shown) == pytest.approx(height, abs=0.03)
    assert shown.comm_messages() == []  # the same tiles in other colours
    assert shown.axe() == []
    shown.screenshot("sound-dark", shown.panel(1))
    shown.set_theme("light")
    stage.press("s")
    expect(button).to_have_attribute("aria-pressed", "false")


def test_tiles_are_asked_for_once_for_all_panels(shown: Notebook, wave: Locator) -> None:
    wave.press("s")
    button = shown.panel(0).get_by_role("button", name="Spectrogram")
    expect(button).to_have_attribute("aria-pressed", "true")
    wait_for_tiles(shown)
    wave.press("s")
    shown.traffic.reset()
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    shown.page.evaluate("new Promise((go) => setTimeout(go, 300))")
    assert shown.comm_messages() == []
    assert shown.axe() == []
    shown.screenshot("sound-light", shown.panel(0))
    button.click()


def test_without_librosa_the_panel_says_how_to_get_it(shown: Notebook) -> None:
    shown.execute("import sys; sys.modules['librosa'], kept = None, sys.modules.get('librosa')")
    stage = shown.panel(1).locator(".nb-stage")
    stage.focus()
    for _ in range(4):  # nearer: other tiles
        stage.press("+")
    stage.press("s")
    expect(shown.panel(1).get_by_role("alert")).to_contain_text("pip install librosa")
    button = shown.panel(1).get_by_role("button", name="Spectrogram")
    expect(button).to_have_attribute("aria-pressed", "false")
    shown.execute("del sys.modules['librosa']; kept and sys.modules.update(librosa=kept)")
    shown.panel(1).get_by_role("button", name="Dismiss").click()


def test_sound_ends_with_the_output_it_comes_from(shown: Notebook, wave: Locator) -> None:
    wave.press("Space")
    wait(shown, "audio.sounding !== null && player.time() > 0.1")
    shown.clear_output(0)
    shown.page.wait_for_function('globalThis[Symbol.for("nbasr.1.audio")].sounding === null')
    assert shown.console_errors == []
