"""Reading a transcript along with its sound in JupyterLab: the list, its rows, words, following."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Locator, expect

from browser.harness import BarePage, Notebook

# -- Heights of rows, without a kernel ------------------------------------------------------------

HEIGHTS = """
const { createLineHeights } = await load("lineheights.js");
const heights = createLineHeights();
for (const [what, ...given] of rest[0]) {
  if (what === "splice") heights.splice(...given);
  else if (given[0] < heights.count) heights.set(...given);
}
const edges = Array.from({ length: heights.count + 1 }, (_, index) => heights.offset(index));
return [edges, rest[1].map((y) => heights.at(y)), heights.total];
"""
HEIGHT = st.integers(1, 90)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.integers(0, 30), HEIGHT),
        st.tuples(
            st.just("splice"), st.integers(0, 30), st.integers(0, 9), st.lists(HEIGHT, max_size=9)
        ),
    ),
    max_size=15,
)


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS, places=st.lists(st.integers(0, 1500), min_size=1, max_size=8))
def test_rows_stand_one_under_the_other_whatever_came_or_went(
    bare_page: BarePage, steps: list[Any], places: list[int]
) -> None:
    known: list[int] = []
    asked: list[Any] = [("splice", 0, 0, [20, 40, 20])]
    known[:] = [20, 40, 20]
    for what, at, *more in steps:
        if what == "set":
            asked.append((what, at, *more))
            if at < len(known):
                known[at] = more[0]
            continue
        first = min(at, len(known))
        removed = min(more[0], len(known) - first)
        asked.append((what, first, removed, more[1]))
        known[first : first + removed] = more[1]
    edges, rows, total = bare_page.run(HEIGHTS, asked, places)
    assert edges == [0, *np.cumsum(known).tolist()]
    assert total == sum(known)
    for place, row in zip(places, rows, strict=True):
        expected = int(np.searchsorted(np.cumsum(known), place, side="right"))
        assert row == max(min(expected, len(known) - 1), 0)


# -- The store, without a kernel ------------------------------------------------------------------

STORE = """
const { createSegments } = await load("segments.js");
const asked = [], heard = {}, overheard = {}, changes = [], problems = [];
const frame = {
  link: {
    ask: (kind, values) => new Promise((resolve, reject) => {
      asked.push({ kind, values, resolve, reject });
    }),
    on: (event, listener) => (heard[event] = listener),
    overhear: (kind, listener) => (overheard[kind] = listener),
  },
  fail: (error) => problems.push(String(error?.message ?? error)),
  signal: new AbortController().signal,
};
const bytes = (array) => new Uint8Array(array.buffer);
const packed = (rows) => [
  bytes(new Float64Array(rows.flatMap(({ at }) => [at, at + 1]))),
  new Uint8Array(rows.map(({ score = 255 }) => score)),
  new TextEncoder().encode(JSON.stringify(
    rows.map(({ id, text, flags = [] }) => [id, text, null, null, flags, 0]),
  )),
  bytes(new Uint32Array(rows.length + 1)),
  new Uint8Array(0), new Uint8Array(0), new Uint8Array(0),
];
const row = (id) => ({ id, text: `line ${id}`, at: 2 * id });
const store = createSegments(frame);
store.on("change", (what) => changes.push(what));
const turn = () => new Promise((done) => setTimeout(done));
const texts = () => Array.from({ length: store.count }, (_, at) => store.at(at).text);
const load_ = (version, ids) => asked.at(-1).resolve({
  data: { version, edits: 0, doubtful_below: 0.4, saved: { state: "none" }, job: null },
  buffers: packed(ids.map(row)),
});
const changed = (version, first, removed, ids, more = {}) =>
  [{ version, first, removed, edits: version, can_undo: true, ...more }, packed(ids.map(row))];
"""


def test_changes_are_taken_over_in_their_order_and_once(bare_page: BarePage) -> None:
    found = bare_page.run(
        f"""{STORE}
        load_(3, [0, 1, 2, 3]);
        await store.ready;
        heard.changed(...changed(4, 1, 1, [7, 8]));
        const [data, buffers] = changed(4, 1, 1, [7, 8]);
        overheard.edit({{ data, buffers }}); // the same, as another view heard it
        heard.changed(...changed(3, 0, 4, [])); // old news
        const once = texts();
        heard.changed(...changed(5, 4, 1, []));
        return [
          once, texts(), store.state.edits, store.indexOf(8), store.indexOf(3), changes.length,
          asked.length,
        ];"""
    )
    once, after, edits, eighth, third, changes, asked = found
    assert once == ["line 0", "line 7", "line 8", "line 2", "line 3"]
    assert after == ["line 0", "line 7", "line 8", "line 2"]
    assert (edits, eighth, third) == (5, 2, -1)
    assert (changes, asked) == (3, 1)


def test_where_a_change_was_lost_all_is_asked_for_again(bare_page: BarePage) -> None:
    found = bare_page.run(
        f"""{STORE}
        load_(1, [0, 1]);
        await store.ready;
        heard.changed(...changed(4, 0, 1, [9])); // 2 and 3 have not come
        const before = texts();
        load_(3, [0, 5]);
        await turn();
        await turn();
        return [before, texts(), store.version, asked.map((one) => one.kind)];"""
    )
    assert found == [["line 0", "line 1"], ["line 9", "line 5"], 4, ["segments", "segments"]]


def test_an_edit_is_taken_over_before_its_promise_is_kept_and_a_refused_one_changes_nothing(
    bare_page: BarePage,
) -> None:
    found = bare_page.run(
        f"""{STORE}
        load_(0, [0, 1]);
        await store.ready;
        const edit = store.edit("text", {{ id: 1, text: "x" }})
          .then((data) => [data.focus, texts()]);
        await turn();
        const {{ kind, values }} = asked.at(-1);
        const [data, buffers] = changed(1, 1, 1, [4], {{ focus: 1 }});
        asked.at(-1).resolve({{ data, buffers }});
        const done = await edit;
        const refused = store.edit("delete", {{ id: 0 }}).catch((error) => error.message);
        await turn();
        asked.at(-1).reject(new Error("A job writes."));
        const {{ action, version, token }} = values;
        return [kind, action, version, typeof token, done, await refused, texts()];"""
    )
    assert found == [
        "edit", "text", 0, "string", [1, ["line 0", "line 4"]], "A job writes.",
        ["line 0", "line 4"],
    ]  # fmt: skip


def test_a_text_that_got_lost_is_not_asked_for_again_after_a_later_one(
    bare_page: BarePage,
) -> None:
    found = bare_page.run(
        f"""{STORE}
        const slow = window.setTimeout;
        window.setTimeout = (call, ms) => slow(call, (ms ?? 0) / 200); // patience of 50 ms
        try {{
          const {{ createUnsaved }} = await load("unsaved.js");
          load_(0, [0, 1]);
          await store.ready;
          const lines = {{ redraw() {{}} }};
          const t = (key) => key;
          const unsaved = createUnsaved({{ ...frame, t, guard: (f) => f }}, {{ store, lines }});
          const sent = () => asked.slice(1).map((one) => one.values.text);
          const first = unsaved.send(1, "older"); // its question is lost
          await turn();
          const second = unsaved.send(1, "newer");
          await turn();
          const [data, buffers] = changed(1, 1, 1, [4]);
          asked.at(-1).resolve({{ data, buffers }});
          return [await second, await first, sent(), unsaved.element.hidden];
        }} finally {{
          window.setTimeout = slow;
        }}"""
    )
    assert found == [True, False, ["older", "newer"], True]


def test_places_in_time_are_found_between_lines_too(bare_page: BarePage) -> None:
    found = bare_page.run(
        f"""{STORE}
        load_(0, [1, 2, 3]); // from 2, 4 and 6 s
        await store.ready;
        const found = [1.9, 2, 3.5, 4, 99].map((time) => store.indexAt(time));
        return [found, store.wordAt(0, 2.5), store.doubtful];"""
    )
    assert found == [[-1, 0, 0, 1, 2], -1, []]


# -- In JupyterLab --------------------------------------------------------------------------------

PATIENCE = 30_000
"""Milliseconds in which page and kernel may agree."""

MANY = 10_000
"""Lines that scroll without a jump."""

MOST_ROWS = 60
"""Rows that exist of them at a time."""

START = f"""
import nbasr
from nbasr.transcript import Segment, Transcript, Word
recording = nbasr.samples.open("meeting")

def line(start, text, stop=None, speaker=None, scores=(), words=True, flags=(), language="en"):
    spelled = text.split()
    step = 4.0 / max(len(spelled), 1)
    known = [*scores, *[0.95] * len(spelled)]
    timed = [
        Word(start + step * k, start + step * k + 0.8 * step, word, known[k])
        for k, word in enumerate(spelled)
    ]
    stop = stop or start + 4.5
    return Segment(start, stop, text, tuple(timed if words else ()), language, speaker, None, flags)

def heard(*lines, name="meeting.wav"):
    return Transcript(tuple(lines), recording.duration, "en", "tiny", name)

few = heard(
    line(0, "Good morning everybody.", speaker="Ann"),
    line(5, "Shall we begin with the budget?", scores=(0.7, 0.5, 0.3), speaker="Ann"),
    line(10, "Nobody was timed here.", words=False, speaker="Bob"),
    line(15, "Then the the the design,", flags=("repetition",), speaker="Bob"),
    *[line(20 + 5 * k, f"and point number {{k}} of the agenda") for k in range(9)],
    line(66, "喂 你好", language="zh"),
)
SENTENCE = "so it goes on and on with words of all kinds until nobody knows where it began "
step = recording.duration / {MANY}
many = heard(*[
    Segment(k * step, k * step + 0.8 * step, f"{{k}} " + (SENTENCE * 3)[: 7 * k % 230], (), "en")
    for k in range({MANY})
])
panel = nbasr.TranscriptPanel(few, recording)
panel
"""


@pytest.fixture(scope="module")
def shown(module_notebook: Any) -> Notebook:
    notebook: Notebook = module_notebook(
        [START, "long = nbasr.TranscriptPanel(many, recording); long"]
    )
    notebook.run()
    return notebook


@pytest.fixture
def reading(shown: Notebook) -> Iterator[Locator]:
    """Return the panel of a few lines, with the first one current and no sound."""
    panel = shown.panel(0)
    expect(panel.locator(".nb-line").first).to_be_visible(timeout=PATIENCE)
    panel.evaluate("(root) => root.nbReader.player.pause()")
    panel.evaluate(
        "(root) => { const { lines, view } = root.nbReader; view.fit(); lines.select(0); }"
    )
    yield panel
    expect(panel.locator(".nb-problem")).to_be_hidden()
    assert shown.console_errors == []


def ask(panel: Locator, code: str) -> Any:
    """Return the value of an expression of `store`, `lines`, `view`, `player` and `follow`."""
    return panel.evaluate(f"({{ nbReader: {{ store, lines, view, player, follow }} }}) => ({code})")


def wait(panel: Locator, code: str) -> None:
    """Wait until such an expression holds."""
    panel.page.wait_for_function(
        "([root, code]) => { const { store, lines, view, player, follow } = root.nbReader;"
        f" return {code}; }}",
        arg=[panel.element_handle(), code],
        timeout=PATIENCE,
    )


def row(panel: Locator, index: int) -> Locator:
    return panel.locator(f'.nb-line[aria-rowindex="{index + 1}"]')


def word(panel: Locator, index: int, number: int) -> Locator:
    return row(panel, index).locator(".nb-word").nth(number)


def test_a_row_has_its_text_to_the_letter_who_speaks_and_what_is_doubtful(
    shown: Notebook, reading: Locator
) -> None:
    texts = shown.evaluate("[segment.text for segment in few.segments]")
    for index in range(5):
        assert (
            row(reading, index).locator(".nb-line-text").evaluate("(text) => text.textContent")
            == texts[index]
        )
    speakers = [row(reading, index).locator(".nb-speaker").inner_text() for index in range(4)]
    assert speakers == ["Ann", "", "Bob", ""], "it is said where it changes"
    steps = word(reading, 1, 2).get_attribute("class"), word(reading, 1, 0).get_attribute("class")
    assert steps == ("nb-word nb-doubt-3", "nb-word nb-doubt-1")
    doubts = [row(reading, index).locator(".nb-badge-doubtful").count() for index in range(4)]
    assert doubts == [0, 1, 0, 1]
    expect(row(reading, 3).locator(".nb-badge-doubtful")).to_have_attribute(
        "aria-label", "Doubtful: the model repeated itself"
    )
    word(reading, 1, 2).hover()
    expect(word(reading, 1, 2)).to_have_attribute("title", "Confidence 30 %")


def test_marks_of_confidence_can_be_put_away(reading: Locator) -> None:
    shading = reading.get_by_role("button", name="Confidence")
    line = word(reading, 1, 2)
    underlined = "(word) => getComputedStyle(word).textDecorationLine"
    assert line.evaluate(underlined) == "underline"
    shading.click()
    assert line.evaluate(underlined) == "none"
    shading.click()
    assert line.evaluate(underlined) == "underline"


def test_a_click_on_a_word_is_heard_from_there_and_the_word_is_marked(
    shown: Notebook, reading: Locator
) -> None:
    shown.traffic.reset()
    word(reading, 1, 3).click()
    wait(reading, "player.playing && player.time() > store.at(1).words.start(3) + 0.05")
    begun = ask(reading, "player.region.start")
    assert begun == pytest.approx(shown.evaluate("few.segments[1].words[3].start"), abs=1e-3)
    wait(reading, "follow.line === 2")
    expect(row(reading, 2)).to_have_class(
        re.compile("nb-current.*nb-sounding|nb-sounding.*nb-current")
    )
    assert ask(reading, "player.playing"), "it plays on after its line"
    ask(reading, "player.pause()")
    sent = [
        one
        for one in shown.comm_messages()
        if one.sent and "samples" not in str(one.content["data"])
    ]
    assert sum(one.type == "comm_msg" for one in sent) <= 3, "the playhead and the selected line"


def test_the_marked_word_is_the_one_that_sounds(reading: Locator) -> None:
    word(reading, 4, 0).click()
    late = reading.evaluate(
        """async (root) => {
          const { store, lines, player } = root.nbReader;
          const late = [], seen = new Set();
          let [before, now] = [player.time(), player.time()];
          while (player.time() < 27) {
            const earlier = before;
            before = now;
            await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
            now = player.time();
            const word = root.querySelector(".nb-word.nb-sounds");
            if (!word) continue;
            const at = lines.indexOfRow(word.closest(".nb-line"));
            if (seen.has(`${at} ${word.nbWord}`)) continue;
            seen.add(`${at} ${word.nbWord}`);
            const start = store.at(at).words.start(word.nbWord);
            late.push([now - start, start < earlier]);
          }
          player.pause();
          return late;
        }"""
    )
    assert len(late) >= 8
    assert min(seconds for seconds, _ in late) > -0.005, "none is marked before it is heard"
    assert np.mean([missed for _, missed in late]) < 0.5, "it is marked in the next frame"


def test_a_click_on_the_time_plays_that_line_and_no_more(reading: Locator) -> None:
    ask(reading, "(player.speed = 3)")
    row(reading, 3).locator(".nb-line-clock").click()
    wait(reading, "!player.playing && player.time() > 15.5")
    ask(reading, "(player.speed = 1)")
    assert ask(reading, "player.time()") == pytest.approx(19.5, abs=0.01)
    assert ask(reading, "lines.current") == 3


def test_the_list_goes_by_keys(shown: Notebook, reading: Locator) -> None:
    keys = shown.page.keyboard
    ask(reading, "lines.focus()")
    keys.press("ArrowDown")
    assert ask(reading, "[lines.current, player.time()]") == [1, 5]
    keys.press("ArrowRight")
    keys.press("ArrowRight")
    expect(word(reading, 1, 2)).to_have_class("nb-word nb-doubt-3 nb-sounds")
    for _ in range(3):
        keys.press("ArrowLeft")
    assert ask(reading, "[lines.current, store.wordAt(0, player.time())]") == [0, 2]
    keys.press("ArrowDown")
    keys.press("Shift+ArrowDown")
    keys.press("Shift+ArrowDown")
    assert ask(reading, "[lines.selection.first, lines.selection.last, lines.current]") == [1, 3, 3]
    chosen = reading.locator('.nb-line[aria-selected="true"]')
    expect(chosen).to_have_count(3)
    shown.wait_value("panel.selected", [1, 3])
    keys.press("Control+End")
    expect(row(reading, 13)).to_be_in_viewport()
    active = reading.locator(".nb-lines-scroll").get_attribute("aria-activedescendant")
    assert active == row(reading, 13).get_attribute("id")
    keys.press("Control+Home")
    assert ask(reading, "lines.current") == 0
    keys.press("Enter")
    wait(reading, "player.playing")
    keys.press(" ")
    wait(reading, "!player.playing")
    told = ask(reading, "[lines.selection.first, lines.selection.last]")
    shown.wait_value("panel.selected", told)  # else that came after Python's, and undid it
    shown.execute("panel.selected = (2, 4)")
    wait(reading, "lines.selection.first === 2 && lines.current === 4")


def test_what_sounds_stays_in_sight_unless_somebody_reads_elsewhere(
    shown: Notebook, reading: Locator
) -> None:
    scroller = reading.locator(".nb-lines-scroll")
    reading.evaluate("(root) => { root.querySelector('.nb-lines-scroll').style.height = '120px'; }")
    ask(reading, "lines.reveal(0)")
    ask(reading, "lines.playFrom(19)")
    wait(reading, "follow.line === 4 && lines.isSeen(4)")
    assert ask(reading, "lines.current") == 4
    back = reading.get_by_role("button", name="Back to what is playing")
    expect(back).to_be_hidden()
    scroller.hover()
    shown.page.mouse.wheel(0, -2000)
    expect(back).to_be_visible()
    wait(reading, "follow.line > 4")
    assert not ask(reading, "lines.isSeen(follow.line)"), "nobody is dragged away"
    back.click()
    wait(reading, "lines.isSeen(follow.line)")
    expect(back).to_be_hidden()
    ask(reading, "player.pause()")
    reading.evaluate("(root) => { root.querySelector('.nb-lines-scroll').style.height = ''; }")


def test_the_wave_chooses_lines_and_its_edges_move_them(shown: Notebook, reading: Locator) -> None:
    box = reading.locator("canvas.nb-detail").bounding_box()
    assert box is not None

    def at(seconds: float) -> float:
        return box["x"] + ask(reading, f"view.x({seconds})")

    middle = box["y"] + 40
    shown.page.mouse.click(at(12), middle)
    wait(reading, "lines.current === 2")
    ask(reading, "view.show(5, 25)")
    before = shown.evaluate("panel.transcript.segments[2].stop")
    shown.page.keyboard.down("Alt")  # no snapping
    shown.page.mouse.move(at(before), middle)
    shown.page.mouse.down()
    shown.page.mouse.move(at(before + 0.2), middle)
    shown.page.mouse.move(at(13.0), middle)
    shown.page.mouse.up()
    shown.page.keyboard.up("Alt")
    shown.wait_value("round(panel.transcript.segments[2].stop, 1)", 13.0)
    shown.execute("panel.undo()")
    wait(reading, f"Math.abs(store.at(2).stop - {before}) < 1e-6")


def test_a_line_that_goes_while_it_has_the_focus_leaves_it_to_the_list(
    shown: Notebook, reading: Locator
) -> None:
    row(reading, 6).locator(".nb-line-clock").evaluate("(button) => button.focus()")
    shown.execute("panel.transcript = panel.transcript.without(6)")
    wait(reading, "store.count === 13")
    expect(reading.locator(".nb-lines-scroll")).to_be_focused()
    shown.execute("panel.undo()")
    wait(reading, "store.count === 14")


# -- Ten thousand lines ---------------------------------------------------------------------------


@pytest.fixture
def long(shown: Notebook) -> Locator:
    panel = shown.panel(1)
    expect(panel.locator(".nb-line").first).to_be_visible(timeout=PATIENCE)
    panel.scroll_into_view_if_needed()
    ask(panel, "lines.select(0)")
    return panel


def test_of_ten_thousand_lines_few_rows_exist_and_any_is_reached(long: Locator) -> None:
    assert ask(long, "store.count") == MANY
    for index in (5000, 9999, 17, 7321, 0):
        ask(long, f"lines.reveal({index}, {{ block: 'center' }})")
        expect(row(long, index)).to_be_in_viewport()
        assert row(long, index).locator(".nb-line-text").inner_text().split()[0] == str(index)
        assert long.locator(".nb-line").count() <= MOST_ROWS
    assert long.locator(".nb-lines-scroll").get_attribute("aria-rowcount") == str(MANY)


def test_rows_stand_where_their_neighbours_end_after_any_scroll(long: Locator) -> None:
    gaps = long.evaluate(
        """async (root) => {
          const scroller = root.querySelector(".nb-lines-scroll");
          const rows = () => [...root.querySelectorAll(".nb-line")]
            .map((row) => row.getBoundingClientRect());
          const found = [];
          for (const share of [0.3, 0.9, 0.05, 1, 0.5, 0]) {
            scroller.scrollTop = share * scroller.scrollHeight;
            await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
            const seen = scroller.getBoundingClientRect();
            const now = rows();
            now.slice(1).forEach((row, at) => found.push(Math.abs(row.top - now[at].bottom)));
            found.push(Math.max(now[0].top - seen.top, 0));
            found.push(Math.max(seen.bottom - now.at(-1).bottom - 3, 0));
          }
          return found;
        }"""
    )
    assert max(gaps) <= 1, "no hole, no overlap, nothing empty above or below"


def test_text_does_not_jump_while_heights_become_known(shown: Notebook, long: Locator) -> None:
    ask(long, "lines.reveal(6000, { block: 'center' })")
    scroller = long.locator(".nb-lines-scroll")
    moved = scroller.evaluate(
        """async (scroller) => {
          const seen = () => {
            const box = scroller.getBoundingClientRect();
            return new Map([...scroller.querySelectorAll(".nb-line")]
              .map((row) => [row.dataset.id, row.getBoundingClientRect()])
              .filter(([, { top, bottom }]) => bottom > box.top && top < box.bottom)
              .map(([id, { top }]) => [id, top]));
          };
          const wrong = [];
          for (let step = 0; step < 120; step += 1) { // upwards, where no row was drawn before
            const before = seen();
            scroller.scrollTop -= 37;
            await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
            for (const [id, top] of seen()) {
              if (before.has(id)) wrong.push(Math.abs(top - before.get(id) - 37));
            }
          }
          const before = seen();
          await new Promise((done) => setTimeout(done, 400)); // the scrollbar is put right
          for (const [id, top] of seen()) {
            if (before.has(id)) wrong.push(Math.abs(top - before.get(id)));
          }
          return wrong;
        }"""
    )
    assert len(moved) > 500
    assert max(moved) < 1


def test_the_wheel_is_the_pages_where_the_list_ends(long: Locator) -> None:
    ask(long, "lines.reveal(9999)")
    left = long.locator(".nb-lines-scroll").evaluate(
        """(list) => [
          list.dispatchEvent(new WheelEvent("wheel", { deltaY: 99, cancelable: true })),
          getComputedStyle(list).overscrollBehaviorY,
        ]"""
    )
    assert left == [True, "auto"]


def test_lines_that_are_run_through_get_their_words_when_somebody_rests(
    shown: Notebook, reading: Locator
) -> None:
    scroller = reading.locator(".nb-lines-scroll")
    plain = scroller.evaluate(
        """async (list) => {
          list.style.height = "84px";
          const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
          await frame();
          let least = Infinity;
          for (let step = 0; step < 12; step += 1) {
            list.scrollTop = step % 2 ? 0 : list.scrollHeight;
            await frame();
            least = Math.min(least, list.querySelectorAll(".nb-word").length);
          }
          return least;
        }"""
    )
    assert plain == 0
    expect(word(reading, 0, 2)).to_have_text("everybody.")
    ask(reading, "lines.reveal(0)")
    word(reading, 0, 1).click()
    wait(reading, "player.playing && follow.word >= 1")
    ask(reading, "player.pause()")
    scroller.evaluate("(list) => { list.style.height = ''; }")


def test_of_a_line_higher_than_the_list_the_word_that_sounds_is_in_sight(
    open_notebook: Any,
) -> None:
    notebook = open_notebook(
        [
            START,
            "tall = heard(line(0, 'so it goes on and on ' * 220, stop=70.0))\n"
            "arabic = line(70.2, 'هذا سطر من اليمين', stop=71.0)\n"
            "nbasr.TranscriptPanel(heard(*tall.segments, arabic), recording)",
        ]
    )
    notebook.run()
    panel = notebook.panel(1)
    expect(panel.locator(".nb-line").first).to_be_visible(timeout=PATIENCE)
    panel.scroll_into_view_if_needed()
    ask(panel, "lines.playFrom(2)")
    wait(panel, "follow.word > 500")
    panel.page.wait_for_function(
        """(root) => {
          const word = root.querySelector(".nb-word.nb-sounds");
          const [a, b] = [word, root.querySelector(".nb-lines-scroll")]
            .map((one) => one?.getBoundingClientRect());
          return a && a.top >= b.top - 1 && a.bottom <= b.bottom + 1;
        }""",
        arg=panel.element_handle(),
    )
    ask(panel, "player.pause()")
    ask(panel, "lines.reveal(1)")
    ends = row(panel, 1).evaluate(
        """(row) => {
          const [text, body] = [".nb-line-text", ".nb-line-body"]
            .map((one) => row.querySelector(one).getBoundingClientRect());
          return Math.abs(text.right - body.right);
        }"""
    )
    assert ends < 2, "it begins at the right"


# -- Jobs, and when there is nothing --------------------------------------------------------------


def test_text_of_a_running_job_comes_by_itself_and_can_be_corrected_after_it(
    open_notebook: Any,
) -> None:
    notebook = open_notebook(
        [
            "import nbasr\nsound = nbasr.samples.open('meeting').read(0, 24)\n"
            "recording = nbasr.Recording.open((sound, 16000))\n"
            "panel = nbasr.TranscriptPanel(nbasr.transcript.Transcript(()), recording); panel",
        ]
    )
    notebook.run()
    panel = notebook.panel(0)
    expect(panel.locator(".nb-read-empty")).to_have_text(
        "No speech was recognised in this recording.", timeout=PATIENCE
    )
    notebook.execute(
        "import threading; from nbasr.engines.sphinx import SphinxEngine\n"
        "hear, go_on = SphinxEngine.recognize, threading.Event()\n"
        "SphinxEngine.recognize = lambda *given: go_on.wait(60) and hear(*given)\n"
        "pieces = nbasr.chunking.Fixed(max_seconds=6)\n"
        "job = nbasr.submit(recording, model='sphinx', chunking=pieces)\n"
        "panel.follow(job)"
    )
    expect(panel.locator(".nb-read-job")).to_be_visible(timeout=PATIENCE)
    expect(panel.locator(".nb-lines-scroll")).to_have_attribute("aria-readonly", "true")
    notebook.execute("go_on.set()")
    expect(panel.locator(".nb-line").first).to_be_visible(timeout=2 * PATIENCE)
    expect(panel.locator(".nb-read-job")).to_be_hidden(timeout=2 * PATIENCE)
    expect(panel.locator(".nb-lines-scroll")).to_have_attribute("aria-readonly", "false")
    texts = notebook.evaluate("[segment.text for segment in panel.transcript.segments]")
    assert ask(panel, "Array.from({ length: store.count }, (_, at) => store.at(at).text)") == texts
    assert notebook.console_errors == []
    notebook.restart_kernel()
    expect(panel.locator(".nb-waiting")).to_have_text(
        "The kernel was restarted; run the cell again to go on.", timeout=PATIENCE
    )
    expect(panel.locator(".nb-line").first).to_be_visible()


@pytest.mark.parametrize(
    ("theme", "width", "locale"), [("light", 1280, "en-US"), ("dark", 900, "zh-CN")]
)
def test_everybody_can_read_it(open_notebook: Any, theme: str, width: int, locale: str) -> None:
    notebook = open_notebook([START], theme=theme, width=width, locale=locale)
    notebook.run()
    panel = notebook.panel(0)
    expect(panel.locator(".nb-line").first).to_be_visible(timeout=PATIENCE)
    word(panel, 1, 1).click()
    wait(panel, "follow.word >= 0")
    ask(panel, "player.pause()")
    assert notebook.axe(".nbasr") == []
    assert panel.evaluate("(root) => root.scrollWidth <= root.clientWidth"), "nothing is cut off"
    notebook.screenshot(f"transcript-{theme}-{width}-{locale}", of=panel)
    assert notebook.console_errors == []
