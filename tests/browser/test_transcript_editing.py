"""Correcting a transcript in JupyterLab: text, times, search, doubts, versions, export, by key."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Locator, expect

from browser.harness import BarePage, Notebook

# -- Searching and comparing texts, without a kernel ----------------------------------------------

FIND = """
const { foldText, findIn, replaceIn } = await load("findtext.js");
const [text, wanted, exact, by] = rest;
const places = findIn(foldText(text, exact), foldText(wanted, exact).text);
return [places.map(([from, to]) => text.slice(from, to)), replaceIn(text, places, by)];
"""


@pytest.mark.parametrize(
    ("text", "wanted", "exact", "found"),
    [
        ("The cat saw the Cat.", "cat", False, ["cat", "Cat"]),
        ("The cat saw the Cat.", "Cat", True, ["Cat"]),
        ("Café or cafe\u0301 or cafe", "cafe", False, ["Café", "cafe\u0301", "cafe"]),
        ("Café or cafe\u0301 or cafe", "café", True, ["cafe\u0301"]),
        ("aaa", "aa", False, ["aa"]),
        ("ＡＢＣ 会议", "abc", False, ["ＡＢＣ"]),
        ("我们明天开会，明天见", "明天", False, ["明天", "明天"]),
        ("かがみ", "か", False, ["か"]),
        ("the ﬁne print", "fine", False, ["ﬁne"]),
        ("Straße 😀 ok", "ok", False, ["ok"]),
        ("one\u00a0two", "one two", False, ["one\u00a0two"]),
        ("nothing here", "absent", False, []),
    ],
)
def test_a_search_finds_what_people_mean(
    bare_page: BarePage, text: str, wanted: str, exact: bool, found: list[str]
) -> None:
    places, replaced = bare_page.run(FIND, text, wanted, exact, "§")
    assert places == found
    assert len(replaced) == len(text) - sum(map(len, found)) + len(found)
    assert replaced.count("§") == len(found)


DIFF = """
const { wordDiff } = await load("worddiff.js");
return wordDiff(rest[0], rest[1]);
"""
WORDS = st.lists(st.sampled_from(["a", "bb", "ccc", "会", "议", "é"]), max_size=12).map(" ".join)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(before=WORDS, after=WORDS)
def test_a_comparison_holds_both_texts_whole(bare_page: BarePage, before: str, after: str) -> None:
    parts = bare_page.run(DIFF, before, after)
    told = {kind: [one["text"] for one in parts if one["kind"] != kind] for kind in ("gone", "new")}
    assert "".join("".join(told["new"]).split()) == "".join(before.split())
    assert "".join(told["gone"]) == after
    if before == after:
        assert {one["kind"] for one in parts} <= {"same"}


def test_a_comparison_names_the_words_that_changed(bare_page: BarePage) -> None:
    parts = bare_page.run(DIFF, "the quick brown fox", "the quack brown big fox")
    told = [(one["kind"], one["text"].strip()) for one in parts if one["kind"] != "same"]
    assert told == [("gone", "quick"), ("new", "quack"), ("new", "big")]
    chinese = bare_page.run(DIFF, "我们开会", "我们明天开会")
    assert [(one["kind"], one["text"]) for one in chinese] == [
        ("same", "我们"), ("new", "明天"), ("same", "开会"),
    ]  # fmt: skip


# -- In JupyterLab --------------------------------------------------------------------------------

PATIENCE = 30_000
"""Milliseconds in which page and kernel may agree."""

START = """
import nbasr, itertools, pathlib
from nbasr.transcript import Segment, Transcript, Word
recording = nbasr.samples.open("meeting")
takes = itertools.count(1)
TEXTS = [
    "good morning everybody", "shall we begin with the budget", "the budget is the the budget",
    "we have café money left", "nobody asked about it", "please write that down",
    "what about the schedule", "the schedule is tight", "we need two more people",
    "两个人够吗 我们明天再说", "fine let us stop here", "thank you all",
]

def lines():
    segments = []
    for number, text in enumerate(TEXTS):
        start, words = 5.0 * number, []
        for place, word in enumerate(text.split()):
            score = 0.2 if word == "asked" else 0.95
            words.append(Word(start + 0.5 * place, start + 0.5 * place + 0.4, word, score))
        flags = ("repetition",) if "the the" in text else ()
        segments.append(Segment(start, start + 4.0, text, tuple(words), "en", None, None, flags))
    return segments

def another(**more):
    take = Segment(66.0, 67.0 + next(takes) / 1000, "end")  # no two are alike: no draft is taken up
    heard = Transcript((*lines(), take), recording.duration, "en", "tiny", recording.name)
    return nbasr.TranscriptPanel(heard, recording, **more)
"""
SHOW = "panel = another()\npanel"
AGAIN = "panel = nbasr.TranscriptPanel(heard, recording)\npanel"
CHINESE = "chinese = another(language='zh')\nchinese"
TEXT_OF = "[one.text for one in panel.transcript.segments]"


@pytest.fixture(scope="module")
def opened(module_notebook: Callable[..., Notebook]) -> Notebook:
    notebook = module_notebook([START, SHOW, CHINESE, AGAIN], height=1000)
    notebook.run(0)
    return notebook


@pytest.fixture
def notebook(opened: Notebook) -> Notebook:
    """Return the notebook with a panel that nobody has used."""
    opened.run(1)
    ready(opened)
    return opened


def ready(notebook: Notebook, cell: int = 1) -> Locator:
    panel = notebook.panel(cell)
    row(panel, 0).wait_for(timeout=PATIENCE)
    panel.scroll_into_view_if_needed()
    return panel


def row(panel: Locator, index: int) -> Locator:
    return panel.locator(f'.nb-line[aria-rowindex="{index + 1}"]')


def text_of(panel: Locator, index: int) -> Locator:
    return row(panel, index).locator(".nb-line-text")


def field(panel: Locator) -> Locator:
    return panel.locator("textarea.nb-line-edit")


def pick(panel: Locator, index: int) -> None:
    """Select a line, with the focus on the list."""
    panel.evaluate(
        "(root, i) => { root.nbReader.lines.select(i); root.nbReader.lines.focus(); }", index
    )
    panel.page.wait_for_function(
        "([root, i]) => root.nbReader.lines.current === i", arg=[panel.element_handle(), index]
    )


def press(panel: Locator, *keys: str) -> None:
    for key in keys:
        panel.page.keyboard.press(key)


def tool(panel: Locator, name: str) -> Locator:
    return panel.get_by_role("button", name=name, exact=True)


def texts_become(notebook: Notebook, index: int, text: str) -> None:
    notebook.wait_value(f"{TEXT_OF}[{index}]", text)
    expect(text_of(notebook.panel(1), index)).to_have_text(text)


def test_a_line_is_written_in_place_and_enter_goes_on(notebook: Notebook) -> None:
    panel = notebook.panel(1)
    before = row(panel, 1).bounding_box()
    text_of(panel, 1).dblclick(position={"x": 4, "y": 8})
    expect(field(panel)).to_be_focused()
    expect(field(panel)).to_have_value("shall we begin with the budget")
    assert field(panel).evaluate("field => field.selectionStart") <= 1
    after = row(panel, 1).bounding_box()
    assert before
    assert after
    assert abs(before["height"] - after["height"]) <= 1  # nothing jumps
    press(panel, "Home")
    panel.page.keyboard.insert_text("So ")
    press(panel, "Enter")
    expect(field(panel)).to_have_value("the budget is the the budget")
    texts_become(notebook, 1, "So shall we begin with the budget")
    press(panel, "End")
    panel.page.keyboard.type(" sheet")
    press(panel, "Escape")
    expect(field(panel)).to_have_count(0)
    expect(text_of(panel, 2)).to_have_text("the budget is the the budget")
    expect(tool(panel, "Undo")).to_be_enabled()  # the text was shown before the kernel had it
    press(panel, "Control+z")
    texts_become(notebook, 1, "shall we begin with the budget")
    press(panel, "Control+Shift+z")
    texts_become(notebook, 1, "So shall we begin with the budget")
    assert notebook.evaluate("panel.edits") == 1


def test_a_paste_of_several_lines_stays_one_line_and_leaving_the_field_keeps_it(
    notebook: Notebook,
) -> None:
    panel = notebook.panel(1)
    pick(panel, 0)
    press(panel, "F2", "Control+a")
    panel.page.keyboard.insert_text("first\nsecond")
    row(panel, 3).locator(".nb-line-badges").click()
    texts_become(notebook, 0, "first second")
    assert notebook.evaluate("len(panel.transcript.segments)") == 13


def test_what_is_pasted_can_be_undone_in_the_field(notebook: Notebook) -> None:
    panel = notebook.panel(1)
    pick(panel, 0)
    press(panel, "e", "End")
    notebook.context.grant_permissions(["clipboard-read", "clipboard-write"])
    panel.evaluate("() => navigator.clipboard.writeText(' and\\r\\n\\r\\n all')")
    press(panel, "Control+v")
    expect(field(panel)).to_have_value("good morning everybody and all")
    press(panel, "Control+z")
    expect(field(panel)).to_have_value("good morning everybody")
    press(panel, "Escape")
    assert notebook.evaluate("panel.edits") == 0


def test_the_enter_that_ends_a_composition_commits_nothing(notebook: Notebook) -> None:
    panel = notebook.panel(1)
    enter = """(field) => field.dispatchEvent(new KeyboardEvent("keydown", {
      key: "Enter", isComposing: true, bubbles: true, cancelable: true }))"""
    pick(panel, 0)
    for control in (panel.get_by_label("Speaker", exact=True), field(panel)):
        if control.count() == 0:
            press(panel, "e")
        control.focus()
        panel.page.keyboard.insert_text("ni")
        assert control.evaluate(enter), "it is the input method's"
        expect(control).to_be_focused()
        press(panel, "Escape")
    assert notebook.evaluate("panel.edits") == 0


def test_lines_are_merged_by_the_button_while_one_is_written_in(notebook: Notebook) -> None:
    panel = notebook.panel(1)
    pick(panel, 6)
    press(panel, "e", "End")
    panel.page.keyboard.type(" of ours:")
    tool(panel, "Merge").click()
    expect(field(panel)).to_have_value("what about the schedule of ours: the schedule is tight")
    assert field(panel).evaluate("field => field.selectionStart") == len(
        "what about the schedule of ours:"
    )
    panel.page.keyboard.type("!")
    press(panel, "Enter")
    texts_become(notebook, 6, "what about the schedule of ours:! the schedule is tight")


def test_a_line_that_is_only_looked_at_follows_what_others_make_of_it(notebook: Notebook) -> None:
    panel = notebook.panel(1)
    pick(panel, 5)
    press(panel, "e")
    notebook.execute("panel.transcript = panel.transcript.with_text(5, 'write it down')")
    expect(field(panel)).to_have_value("write it down")
    press(panel, "End")
    panel.page.keyboard.type(" now")
    press(panel, "Enter")
    texts_become(notebook, 5, "write it down now")


def test_what_is_written_is_copied_before_the_kernel_has_it(notebook: Notebook) -> None:
    panel = notebook.panel(1)
    notebook.context.grant_permissions(["clipboard-read", "clipboard-write"])
    pick(panel, 0)
    press(panel, "x")
    pick(panel, 0)
    press(panel, "e", "End")
    panel.page.keyboard.type(" dear")
    tool(panel, "Copy text").evaluate("(button) => button.click()")
    expect(panel.locator(".nb-export-told")).not_to_be_empty()
    copied = panel.evaluate("() => navigator.clipboard.readText()")
    assert copied.startswith("good morning everybody dear\nshall")


def test_split_and_merge_at_the_caret_are_one_step_each(notebook: Notebook) -> None:
    panel = notebook.panel(1)
    pick(panel, 4)
    press(panel, "e", "Home")
    panel.page.keyboard.insert_text("But ")
    for _ in range(len("nobody")):
        press(panel, "ArrowRight")
    press(panel, "Control+Enter")
    expect(field(panel)).to_have_value("asked about it")
    assert field(panel).evaluate("field => field.selectionStart") == 0
    notebook.wait_value(f"{TEXT_OF}[4:6]", ["But nobody", "asked about it"])
    expect(panel.locator(".nb-line-where")).to_have_text("Line 6 of 14")
    times = notebook.evaluate("[(s.start, s.stop) for s in panel.transcript.segments[4:6]]")
    assert [times[0][0], times[1][1]] == [20.0, 24.0]
    assert times[0][1] <= times[1][0]
    press(panel, "Backspace")
    expect(field(panel)).to_have_value("But nobody asked about it")
    assert field(panel).evaluate("field => field.selectionStart") == len("But nobody ")
    press(panel, "Escape", "Control+z", "Control+z")
    notebook.wait_value(f"{TEXT_OF}[4:6]", ["nobody asked about it", "please write that down"])
    expect(tool(panel, "Undo")).to_be_disabled()


def test_lines_are_merged_and_deleted_by_key_and_come_back(notebook: Notebook) -> None:
    panel = notebook.panel(1)
    pick(panel, 6)
    press(panel, "m")
    texts_become(notebook, 6, "what about the schedule the schedule is tight")
    pick(panel, 0)
    press(panel, "Shift+ArrowDown", "Delete")
    notebook.wait_value("len(panel.transcript.segments)", 10)
    expect(text_of(panel, 0)).to_have_text("the budget is the the budget")
    expect(panel.locator(".nb-lines-scroll")).to_be_focused()
    press(panel, "Control+z", "Control+z")
    notebook.wait_value("panel.transcript == panel.machine", True)


def test_times_are_typed_taken_from_the_playhead_and_refused_where_impossible(
    notebook: Notebook,
) -> None:
    panel = notebook.panel(1)
    pick(panel, 5)
    start, stop = panel.get_by_label("Start", exact=True), panel.get_by_label("End", exact=True)
    expect(start).to_have_value("0:25.00")
    start.fill("25.5")
    start.press("Enter")
    notebook.wait_value("panel.transcript.segments[5].start", 25.5)
    expect(tool(panel, "Undo")).to_be_enabled()  # its answer has come: it shows the times anew
    stop.fill("0:24")
    stop.press("Tab")
    alert = panel.locator(".nb-linetimes [role=alert]")
    expect(panel.locator(".nb-linetimes")).to_contain_text("begins before it ends")
    expect(alert).to_be_visible()
    assert notebook.evaluate("panel.transcript.segments[5].stop") == 29.0
    pick(panel, 5)
    panel.evaluate("root => root.nbReader.view.seek(28.25)")
    press(panel, "]")
    notebook.wait_value("panel.transcript.segments[5].stop", 28.25)
    panel.evaluate("root => root.nbReader.view.seek(25.25)")
    press(panel, "[")
    notebook.wait_value("panel.transcript.segments[5].start", 25.25)
    expect(alert).to_be_hidden()


def test_a_new_line_is_put_where_the_wave_is_selected(notebook: Notebook) -> None:
    panel = notebook.panel(1)
    pick(panel, 0)
    panel.evaluate("root => root.nbReader.view.select(4.2, 4.8)")
    press(panel, "i")
    expect(field(panel)).to_be_focused()
    panel.page.keyboard.type("uh-huh")
    press(panel, "Shift+Enter")
    texts_become(notebook, 1, "uh-huh")
    assert notebook.evaluate("panel.transcript.segments[1].start") == pytest.approx(4.2, abs=1e-3)
    expect(field(panel)).to_have_value("good morning everybody")


def test_names_of_speakers_are_given_to_the_selected_lines(notebook: Notebook) -> None:
    panel = notebook.panel(1)
    pick(panel, 1)
    press(panel, "Shift+ArrowDown")
    panel.get_by_label("Speaker", exact=True).fill("Ada")
    press(panel, "Enter")
    notebook.wait_value(
        "[s.speaker for s in panel.transcript.segments[:4]]", [None, "Ada", "Ada", None]
    )
    expect(row(panel, 1).locator(".nb-speaker")).to_have_text("Ada")


def test_search_counts_marks_goes_on_and_replaces(notebook: Notebook) -> None:
    panel = notebook.panel(1)
    pick(panel, 0)
    press(panel, "Control+f")
    search = panel.get_by_role("searchbox", name="Search")
    expect(search).to_be_focused()
    panel.page.keyboard.type("BUDGET")
    count = panel.locator(".nb-find-count")
    expect(count).to_have_text("1 of 3")
    assert marked(panel) == [["budget", "budget"], ["budget"]]
    press(panel, "Enter", "Enter")
    expect(count).to_have_text("3 of 3")
    assert panel.evaluate("root => root.nbReader.lines.current") == 2
    press(panel, "Shift+Enter")
    expect(count).to_have_text("2 of 3")
    panel.get_by_label("Replace by").fill("plan")
    press(panel, "Enter")
    texts_become(notebook, 2, "the plan is the the budget")
    expect(count).to_have_text("2 of 2")
    tool(panel, "Replace all").click()
    notebook.wait_value(
        f"{TEXT_OF}[1:3]", ["shall we begin with the plan", "the plan is the the plan"]
    )
    expect(count).to_have_text("2 replaced in 2 lines")
    search.fill("cafe")
    expect(count).to_have_text("1 of 1")
    search.fill("zebra")
    expect(count).to_have_text("Not found")
    press(panel, "Escape")
    expect(search).to_be_hidden()
    assert marked(panel) == [[], []]
    press(panel, "Control+z")
    notebook.wait_value(
        f"{TEXT_OF}[1:3]", ["shall we begin with the budget", "the plan is the the budget"]
    )


def marked(panel: Locator) -> list[list[str]]:
    """Return the texts that are marked as found, and those that stand out."""
    found: list[list[str]] = panel.evaluate(
        "() => ['nbasr-found', 'nbasr-found-now'].map((name) =>"
        " [...(CSS.highlights.get(name) ?? [])].map(String))"
    )
    return found


def test_doubtful_places_are_counted_visited_and_ticked_off(notebook: Notebook) -> None:
    panel = notebook.panel(1)
    pick(panel, 0)
    expect(panel.get_by_text("2 doubtful", exact=True)).to_be_visible()
    press(panel, "n")
    expect(panel.get_by_text("Doubtful 1 of 2", exact=True)).to_be_visible()
    assert panel.evaluate("root => root.nbReader.lines.current") == 2
    press(panel, "n")
    assert panel.evaluate("root => root.nbReader.lines.current") == 4
    press(panel, "Shift+N")
    assert panel.evaluate("root => root.nbReader.lines.current") == 2
    press(panel, "k")
    expect(panel.get_by_text("1 doubtful", exact=True)).to_be_visible()
    panel.get_by_text("1 doubtful", exact=True).click()
    item = panel.locator(".nb-doubt-list li")
    expect(item).to_have_count(1)
    expect(item).to_contain_text("nobody asked about it")
    expect(item).to_contain_text("20 %")
    item.get_by_role("button", name="Looks right").click()
    expect(panel.get_by_text("Nothing doubtful", exact=True).first).to_be_visible()
    expect(panel.locator(".nb-popup:visible")).to_have_count(0)


def test_what_the_machine_heard_is_shown_taken_back_and_whole(notebook: Notebook) -> None:
    panel = notebook.panel(1)
    pick(panel, 7)
    press(panel, "e", "Control+a")
    panel.page.keyboard.insert_text("the timetable is tight")
    press(panel, "Shift+Enter", "Escape")
    texts_become(notebook, 7, "the timetable is tight")
    expect(panel.locator(".nb-saved")).to_contain_text("1 correction")
    expect(panel.locator(".nb-saved")).to_contain_text("Saved", timeout=PATIENCE)
    row(panel, 7).locator(".nb-badge-edited").click()
    machine = row(panel, 7).locator(".nb-machine")
    expect(machine).to_contain_text("The machine heard: the schedule is tight")
    expect(machine.locator("del")).to_have_text("schedule")
    machine.get_by_role("button", name="Take it back").click()
    texts_become(notebook, 7, "the schedule is tight")
    press(panel, "Control+z")
    texts_become(notebook, 7, "the timetable is tight")
    panel.locator(".nb-saved").click()
    panel.get_by_role("button", name="The machine’s text", exact=True).click()
    expect(panel.locator(".nb-whole-row").nth(7)).to_contain_text("the schedule is tight")
    panel.locator(".nb-saved").click()
    panel.get_by_role("button", name="Discard all corrections …").click()
    expect(panel.get_by_text("You can undo this")).to_be_visible()
    tool(panel, "Discard").click()
    notebook.wait_value("panel.transcript == panel.machine", True)
    expect(text_of(panel, 7)).to_have_text("the schedule is tight")
    press(panel, "Control+z")
    texts_become(notebook, 7, "the timetable is tight")


def test_corrections_are_taken_up_again_by_a_new_panel(notebook: Notebook) -> None:
    panel = notebook.panel(1)
    pick(panel, 3)
    press(panel, "e", "End")
    panel.page.keyboard.type(" over")
    press(panel, "Enter", "Escape")
    texts_become(notebook, 3, "we have café money left over")
    notebook.execute("heard = panel.machine; panel.close()")
    notebook.run(3)
    again = ready(notebook, 3)
    expect(again.locator(".nb-notice:visible")).to_contain_text("Your correction of")
    tool(again, "Show them").click()
    expect(row(again, 3).locator(".nb-machine")).to_contain_text("money left")
    assert notebook.evaluate(f"{TEXT_OF}[3]") == "we have café money left over"
    notebook.clear_output(3)


def test_lines_are_transcribed_again_and_the_better_text_is_taken(notebook: Notebook) -> None:
    panel = notebook.panel(1)
    pick(panel, 2)
    press(panel, "Shift+ArrowDown", "t")
    again = panel.get_by_role("region", name="Transcribe again")
    expect(again).to_contain_text("Transcribe lines 3–4 again")
    again.get_by_label("Model", exact=True).select_option("sphinx")
    again.get_by_role("button", name="Transcribe again").click()
    card = again.locator(".nb-proposal")
    expect(card).to_contain_text("Now", timeout=120_000)
    heard = card.locator(".nb-sides p").nth(1).inner_text()
    assert heard
    expect(card.get_by_role("button", name="Accept")).to_be_focused()
    assert notebook.evaluate(f"{TEXT_OF}[2]") == "the budget is the the budget"
    press(panel, "Enter")
    notebook.wait_value(f"' '.join({TEXT_OF}).find({heard.split()[0]!r}) >= 0", True)
    expect(again).to_be_hidden()
    press(panel, "Control+z")
    texts_become(notebook, 2, "the budget is the the budget")


def test_a_model_that_hears_lines_again_is_stopped(notebook: Notebook) -> None:
    panel = notebook.panel(1)
    pick(panel, 0)
    press(panel, "Control+Shift+End", "t")
    again = panel.get_by_role("region", name="Transcribe again")
    expect(again).to_contain_text("Transcribe lines 1–13 again")
    again.get_by_label("Model", exact=True).select_option("sphinx")
    again.get_by_role("button", name="Transcribe again").press("Enter")
    expect(again.get_by_role("button", name="Stop")).to_be_focused()
    press(panel, "Enter")
    expect(again).to_contain_text(re.compile("interrupted|stopped", re.IGNORECASE), timeout=60_000)
    expect(again.get_by_role("button", name="Transcribe again")).to_be_visible()
    assert notebook.evaluate("panel.transcript == panel.machine")


def test_nothing_is_corrected_while_a_job_writes(notebook: Notebook) -> None:
    panel = notebook.panel(1)
    pick(panel, 1)
    notebook.execute("panel.tell('job', {'state': 'running', 'done': 1.0, 'total': 9.0})")
    told = panel.get_by_text("Corrections can be made once the transcription has ended.").first
    expect(told).to_be_visible()
    press(panel, "e", "m", "Delete", "k")
    expect(field(panel)).to_have_count(0)
    expect(tool(panel, "Delete")).to_be_disabled()
    notebook.execute("panel.tell('job', {'state': 'finished', 'done': 9.0, 'total': 9.0})")
    expect(told).to_be_hidden()
    press(panel, "e")
    expect(field(panel)).to_be_focused()
    press(panel, "Escape")
    assert notebook.evaluate("panel.transcript == panel.machine")


def test_the_transcript_is_downloaded_saved_and_copied(notebook: Notebook) -> None:
    panel = notebook.panel(1)
    pick(panel, 0)
    press(panel, "e", "End")
    panel.page.keyboard.type(" dear")  # still being typed: it belongs to the file
    tool(panel, "Export").click()
    export = panel.get_by_role("region", name="Export")
    expect(export.get_by_label("Format")).to_have_value("srt")
    with panel.page.expect_download() as downloading:
        export.get_by_role("button", name="Download").click()
    assert downloading.value.suggested_filename == "meeting.srt"
    content = downloading.value.path().read_text("utf-8")
    assert "good morning everybody dear" in content
    assert "00:00:05,000" in content
    ctm = export.locator("option[value=ctm]")
    expect(ctm).to_be_disabled()
    assert "word" in (ctm.inner_text())
    saving = export.get_by_role("button", name="Save beside the notebook")
    saving.click()
    expect(export.locator(".nb-good")).to_contain_text("meeting.srt")
    saving.click()
    expect(export).to_contain_text("is there already")
    export.get_by_role("button", name="Overwrite").click()
    expect(export.locator(".nb-good")).to_contain_text("meeting.srt")
    assert (notebook.host.root / "meeting.srt").read_text("utf-8") == content
    press(panel, "Escape")
    expect(export).to_be_hidden()
    expect(panel.locator(".nb-lines-scroll")).to_be_focused()


def test_nothing_typed_is_lost_when_the_list_is_scrolled_or_the_connection_breaks(
    notebook: Notebook,
) -> None:
    panel = notebook.panel(1)
    pick(panel, 0)
    press(panel, "e", "End")
    panel.page.keyboard.type(" again")
    panel.locator(".nb-lines-scroll").evaluate("box => { box.scrollTop = box.scrollHeight; }")
    expect(row(panel, 12)).to_be_visible()
    panel.page.keyboard.type("!")
    expect(field(panel)).to_have_value("good morning everybody again!")
    assert notebook.host.drop_connections(refuse_for=1.0) > 0
    press(panel, "Enter")
    panel.page.keyboard.insert_text("And ")
    press(panel, "Shift+Enter")
    expect(text_of(panel, 1)).to_contain_text("And")
    notebook.wait_value(f"{TEXT_OF}[0]", "good morning everybody again!", timeout=60)
    notebook.wait_value(f"'And' in {TEXT_OF}[1]", True, timeout=60)


def test_what_the_kernel_refuses_stays_in_sight_until_it_is_given_up(notebook: Notebook) -> None:
    panel = notebook.panel(1)
    pick(panel, 1)
    press(panel, "e", "End")
    panel.page.keyboard.type(" sheet")
    notebook.execute("panel.transcript = panel.transcript.without(0, 1)")
    expect(text_of(panel, 0)).to_have_text("the budget is the the budget")
    press(panel, "Enter")
    notice = panel.locator(".nb-notice:visible")
    expect(notice).to_contain_text("Not taken over")
    expect(notice).to_contain_text("shall we begin with the budget sheet")
    notice.get_by_role("button", name="Give it up").click()
    expect(notice).to_be_hidden()
    expect(panel.locator(".nb-lines-scroll")).to_be_focused()
    assert "sheet" not in notebook.evaluate("panel.transcript.text")


def test_a_key_is_never_the_notebooks_while_the_panel_is_worked_in(notebook: Notebook) -> None:
    panel = notebook.panel(1)
    cells = notebook.page.locator(".jp-Notebook .jp-Cell").count()
    pick(panel, 2)
    steps = [
        "k",
        "n",
        "m",
        "Control+z",
        "x",
        "Escape",
        "t",
        "Escape",
        "/",
        "Escape",
        "v",
        "v",
        "Delete",
    ]
    steps += [
        "Control+z",
        "e",
        "Control+Enter",
        "Escape",
        "Control+m",
        "Control+z",
        "d",
        "d",
        "d",
        "d",
    ]
    for key in steps:
        press(panel, key)
        within = panel.evaluate("root => root.contains(root.getRootNode().activeElement)")
        assert within, f"{key} has lost the focus"
    assert notebook.page.locator(".jp-Notebook .jp-Cell").count() == cells
    expect(panel.locator(".nb-find")).to_be_hidden()


def test_a_button_that_has_nothing_left_to_do_hands_the_focus_on(notebook: Notebook) -> None:
    panel = notebook.panel(1)
    within = "(root) => root.contains(root.getRootNode().activeElement)"
    pick(panel, 0)
    press(panel, "/")
    panel.page.keyboard.type("budget")
    replace = tool(panel, "Replace all")
    replace.focus()
    press(panel, "Enter")
    expect(replace).to_be_disabled()
    assert panel.evaluate(within)
    press(panel, "Escape")
    following = tool(panel, "Next doubtful place")
    pick(panel, 2)
    for line in (2, 4):
        panel.evaluate("(root, line) => root.nbReader.lines.select(line)", line)
        following.focus()
        press(panel, "k")
    expect(following).to_be_disabled()
    assert panel.evaluate(within)


def test_a_box_closes_when_tab_leaves_it(notebook: Notebook) -> None:
    panel = notebook.panel(1)
    panel.get_by_text("2 doubtful", exact=True).click()
    box = panel.locator(".nb-doubt-list")
    expect(box).to_be_visible()
    for _ in range(5):
        press(panel, "Tab")
    expect(box).to_be_hidden()
    assert panel.evaluate("(root) => root.contains(root.getRootNode().activeElement)")


def test_it_speaks_chinese_and_every_part_is_accessible(notebook: Notebook) -> None:
    notebook.run(2)
    panel = ready(notebook, 2)
    expect(panel.get_by_text("2 处存疑", exact=True)).to_be_visible()
    pick(panel, 9)
    press(panel, "/")
    panel.page.keyboard.insert_text("明天")
    expect(panel.locator(".nb-find-count")).to_have_text("第 1 处，共 1 处")
    press(panel, "Escape", "e", "End")
    panel.page.keyboard.insert_text("吧")
    press(panel, "Control+s", "Enter", "Escape")
    notebook.wait_value("chinese.transcript.segments[9].text", "两个人够吗 我们明天再说吧")
    assert notebook.evaluate("len(chinese.transcript.segments[9].words)") >= 2
    pick(panel, 9)
    press(panel, "v")
    expect(row(panel, 9).locator(".nb-machine")).to_contain_text("机器听到的是")
    press(panel, "/", "Escape", "x", "Escape", "t")
    expect(panel.get_by_label("模型", exact=True)).to_be_visible()
    panel.get_by_text("2 处存疑", exact=True).click()
    expect(panel.locator(".nb-doubt-list li")).to_have_count(2)
    for state in ("popup", "fields"):
        if state == "fields":
            press(panel, "Escape", "/")
            pick(panel, 3)
            press(panel, "x")
            pick(panel, 3)
            press(panel, "e")
        assert notebook.axe(panel) == []
    assert notebook.console_errors == []
