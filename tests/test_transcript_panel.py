"""The transcript panel's side in the kernel: what it answers, keeps, and lets Python do."""

from __future__ import annotations

import dataclasses
import gc
import json
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pages
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pages import PATIENCE

import nbasr
from nbasr import models
from nbasr.audio.recording import Recording
from nbasr.errors import ModelError, OptionError
from nbasr.pipeline.progress import Progress
from nbasr.transcript import Segment, Transcript, Word, formats
from nbasr.widgets import _autosave, _forecast, _with_transcript
from nbasr.widgets._reading import Reading
from nbasr.widgets._reading_data import packed, position
from nbasr.widgets._with_again import span_of
from nbasr.widgets.transcript import TranscriptPanel

pytestmark = pytest.mark.usefixtures("home")


def words(text: str, start: float, stop: float) -> tuple[Word, ...]:
    """Return the words of a text, evenly spread."""
    parts = text.split()
    step = (stop - start) / len(parts)
    return tuple(
        Word(start + at * step, start + (at + 1) * step, part, 0.9) for at, part in enumerate(parts)
    )


SAID = Transcript(
    (
        Segment(1.0, 3.0, "good morning everyone", words("good morning everyone", 1, 3)),
        Segment(3.0, 5.0, "\U0001f600 well, come in", words("well, come in", 3, 5), score=0.2),
        Segment(6.0, 8.0, "truncated her", flags=("truncated",), speaker="Ann"),
        Segment(8.0, 9.0, "thank you", language="en"),
    ),
    duration=70.0,
    language="en",
    model="toy",
)


class Lines(NamedTuple):
    """Lines as the browser unpacks them."""

    times: Any
    scores: Any
    rows: list[list[Any]]
    first_words: Any
    word_times: Any
    word_scores: Any
    spans: Any

    @classmethod
    def of(cls, buffers: Any) -> Lines:
        return cls(
            np.frombuffer(buffers[0], "<f8").reshape(-1, 2),
            np.frombuffer(buffers[1], np.uint8),
            json.loads(bytes(buffers[2])),
            np.frombuffer(buffers[3], "<u4"),
            np.frombuffer(buffers[4], "<f8").reshape(-1, 2),
            np.frombuffer(buffers[5], np.uint8),
            np.frombuffer(buffers[6], "<u4").reshape(-1, 2),
        )

    def words(self, index: int) -> list[str]:
        """Return the words of a line, cut out of its text as a browser does."""
        units = self.rows[index][1].encode("utf-16-le")
        first, last = self.first_words[index : index + 2]
        return [units[2 * a : 2 * b].decode("utf-16-le") for a, b in self.spans[first:last]]


class Reply(pages.Reply):
    """A reply that brings lines."""

    @property
    def lines(self) -> Lines:
        return Lines.of(self.buffers)


class Page(pages.Page):
    """A page that corrects lines."""

    reply = Reply

    def edit(self, action: str, **values: Any) -> Reply:
        return self.ask("edit", action=action, version=0, **values)

    def texts(self) -> list[str]:
        return [row[1] for row in self.ask("segments").lines.rows]


Opener = Callable[..., Page]


@pytest.fixture
def opened(meeting: Recording) -> Iterator[Opener]:
    """Open panels, and close them at the end."""
    panels = []

    def make(transcript: Any = SAID, recording: Any = meeting, **given: Any) -> Page:
        panels.append(TranscriptPanel(transcript, recording, **given))
        return Page(panels[-1])

    yield make
    for panel in panels:
        panel.close()
    models.unload_all()


@pytest.fixture
def tiny(assets: Path) -> str:
    return str((assets / "whisper-tiny-meeting").resolve())


# -- What it begins with ----------------------------------------------------------------------


def test_all_lines_are_sent_with_their_words_where_they_stand(opened: Opener) -> None:
    reply = opened().ask("segments")
    data, lines = reply.data, reply.lines
    assert (data["version"], data["count"], data["model"]) == (0, 4, "toy")
    assert (data["edits"], data["can_undo"], data["can_redo"]) == (0, False, False)
    assert data["saved"] == {"state": "none", "at": None, "problem": ""}
    assert (data["job"], data["taken_up"], data["notices"]) == (None, None, [])
    assert lines.times.tolist() == [[1, 3], [3, 5], [6, 8], [8, 9]]
    assert lines.scores.tolist() == [255, 20, 255, 255]
    assert lines.rows[2] == [2, "truncated her", "Ann", None, ["truncated"], 0, 0]
    assert lines.first_words.tolist() == [0, 3, 6, 6, 6]
    assert lines.words(0) == ["good", "morning", "everyone"]
    assert lines.words(1) == ["\U0001f600 well,", "come", "in"], "in units of a browser"
    assert lines.word_scores.tolist() == [90] * 6
    assert lines.word_times[0].tolist() == [1.0, pytest.approx(5 / 3)]


def test_a_transcript_brings_its_recording_or_is_asked_for_it(meeting: Recording) -> None:
    panel = TranscriptPanel(dataclasses.replace(SAID, recording=meeting))
    assert panel.recording is meeting
    assert panel.transcript.recording is meeting
    assert panel.transcript.duration == meeting.duration
    panel.close()
    with pytest.raises(OptionError, match="give it too"):
        TranscriptPanel(SAID)


def test_a_file_is_read_and_another_recording_refused(
    opened: Opener, meeting: Recording, tmp_path: Path
) -> None:
    path = SAID.save(tmp_path / "talk.srt")
    page = opened(path, str(meeting.path))
    assert [segment.start for segment in page.panel.machine.segments] == [1.0, 3.0, 6.0, 8.0]
    short = Recording.open((meeting.read(0, 4), 16000))
    with pytest.raises(OptionError, match=r"line at 6\.0 s, but .* ends at 4\.0 s"):
        TranscriptPanel(SAID, short)


def test_words_that_do_not_spell_their_line_are_left_out(opened: Opener) -> None:
    line = Segment(0, 1, "15 %", (Word(0, 1, "fifteen"),))
    lines = opened(Transcript((line,))).ask("segments").lines
    assert lines.first_words.tolist() == [0, 0]


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), st.integers(0, 20))
def test_places_of_a_browser_are_found_in_any_text(text: str, place: int) -> None:
    place = min(place, len(text))
    units = len(text[:place].encode("utf-16-le")) // 2
    assert position(text, units) == place


def test_ten_thousand_lines_are_ready_at_once(meeting: Recording) -> None:
    step = meeting.duration / 10_000
    text = "one two three, four five six seven eight nine ten"
    many = Transcript(
        tuple(
            Segment(at * step, (at + 1) * step, text, words(text, at * step, (at + 1) * step))
            for at in range(10_000)
        ),
        meeting.duration,
    )
    reading = Reading.begun(many)
    began = time.perf_counter()
    lines = Lines.of(packed(reading.lines, reading.machine))
    assert time.perf_counter() - began < 2.0  # 0.2 s on a machine of two cores that is at rest
    assert len(lines.rows) == 10_000
    assert len(lines.spans) == 100_000


# -- Edits ------------------------------------------------------------------------------------


def test_a_text_is_corrected_and_only_its_line_comes_back(opened: Opener) -> None:
    page = opened()
    reply = page.edit("text", id=1, text="\U0001f600 well,  come\n in, please ")
    data, lines = reply.data, reply.lines
    assert (data["version"], data["first"], data["removed"], data["added"]) == (1, 1, 1, 1)
    assert (data["edits"], data["can_undo"], data["focus"]) == (1, True, 1)
    assert data["saved"]["state"] == "unsaved"
    assert lines.rows == [[1, "\U0001f600 well,  come in, please", None, None, [], 1, 1]]
    assert lines.words(0) == ["\U0001f600 well,", "come", "in,", "please"]
    assert lines.scores.tolist() == [255], "a person has looked at it"
    assert page.panel.transcript.segments[1].text == lines.rows[0][1]
    assert page.panel.transcript.segments[0] is page.panel.machine.segments[0]
    assert page.panel.machine.segments[1].text == SAID.segments[1].text


def test_a_text_that_changes_nothing_is_no_step(opened: Opener) -> None:
    data = opened().edit("text", id=0, text=" good morning everyone ").data
    assert (data["version"], data["removed"], data["added"], data["can_undo"]) == (0, 0, 0, False)


def test_lines_keep_their_numbers_whatever_happens_around_them(opened: Opener) -> None:
    page = opened()
    split = page.edit("split", id=1, at=len("xx well,")).data  # the face counts for two
    assert (split["first"], split["removed"], split["added"], split["focus"]) == (1, 1, 2, 2)
    rows = page.ask("segments").lines.rows
    assert [row[:2] for row in rows[:4]] == [
        [0, "good morning everyone"],
        [1, "\U0001f600 well,"],
        [4, "come in"],
        [2, "truncated her"],
    ]
    merged = page.edit("merge", id=4, count=2)
    assert merged.lines.rows[0][:3] == [4, "come in truncated her", "Ann"]
    assert merged.data["focus"] == 2
    deleted = page.edit("delete", id=0, count=2).data
    assert (deleted["removed"], deleted["added"], deleted["focus"]) == (2, 0, 0)
    inserted = page.edit("insert", start=8.5, stop=8.75, text="hm")
    assert inserted.lines.rows[0][:2] == [5, "hm"]
    assert (inserted.data["first"], inserted.data["focus"]) == (2, 2)
    assert [row[0] for row in page.ask("segments").lines.rows] == [4, 3, 5]
    for _ in range(4):
        page.ask("undo")
    assert page.panel.transcript.segments == page.panel.machine.segments
    assert [row[0] for row in page.ask("segments").lines.rows] == [0, 1, 2, 3]
    for _ in range(4):
        page.ask("redo")
    assert [row[0] for row in page.ask("segments").lines.rows] == [4, 3, 5]


def test_a_line_that_is_typed_in_is_split_as_it_is_typed_in_one_step(opened: Opener) -> None:
    page = opened()
    page.edit("split", id=0, at=5, texts=[[0, "Good day everyone"], [3, "Thanks"]])
    assert [s.text for s in page.panel.transcript.segments] == [
        "Good",
        "day everyone",
        SAID.segments[1].text,
        "truncated her",
        "Thanks",
    ]
    page.panel.undo()
    assert page.panel.edits == 0


def test_many_lines_are_replaced_in_one_step(opened: Opener) -> None:
    page = opened()
    reply = page.edit("replace_all", texts=[[3, "thank them"], [0, "bad morning everyone"]])
    assert (reply.data["first"], reply.data["removed"], reply.data["focus"]) == (0, 4, 0)
    assert [row[5] for row in reply.lines.rows] == [1, 0, 0, 1]
    assert reply.data["edits"] == 2
    assert page.data("undo")["edits"] == 0


def test_a_line_that_is_moved_goes_to_its_place(opened: Opener) -> None:
    page = opened()
    data = page.edit("times", id=0, start=5.0, stop=5.5).data
    assert (data["first"], data["removed"], data["focus"]) == (0, 2, 1)
    assert [row[0] for row in page.ask("segments").lines.rows] == [1, 0, 2, 3]
    assert "0 <= start < stop" in page.edit("times", id=0, start=5, stop=5).error
    beyond = page.edit("times", id=0, start=5, stop=1000).error
    assert "recording ends at" in beyond


def test_times_of_one_line_that_follow_closely_are_one_step(opened: Opener) -> None:
    page = opened()
    for stop in (2.9, 2.8, 2.7):
        page.edit("times", id=0, start=1.0, stop=stop)
    page.edit("times", id=1, start=3.1, stop=5.0)
    assert page.data("undo")["first"] == 1
    undone = page.ask("undo")
    assert undone.lines.times.tolist() == [[1, 3]]
    assert not undone.data["can_undo"]
    page.edit("text", id=0, text="other")
    page.panel.undo()
    page.edit("times", id=0, start=1.0, stop=2.5)
    page.panel.undo()
    assert page.panel.transcript.segments == SAID.segments, "one step and no more"


def test_times_that_stay_as_they_are_are_no_part_of_the_step_before(opened: Opener) -> None:
    page = opened()
    page.edit("text", id=3, text="thanks")
    page.edit("times", id=3, start=8.0, stop=9.0)
    page.edit("times", id=3, start=8.0, stop=9.5)
    assert page.ask("undo").lines.rows[0][1] == "thanks"
    assert page.ask("undo").lines.rows[0][1] == "thank you"


def test_speakers_are_named_for_several_lines(opened: Opener) -> None:
    page = opened()
    reply = page.edit("speaker", id=0, speaker=" Bob ", count=3)
    assert [row[2] for row in reply.lines.rows] == ["Bob"] * 3
    assert page.edit("speaker", id=2, speaker="").lines.rows[0][2] is None


def test_what_looks_right_is_no_longer_doubtful_and_may_be_again(opened: Opener) -> None:
    page = opened()
    assert page.panel.transcript.doubtful() == (1, 2)
    reply = page.edit("checked", id=1, checked=True, count=2)
    assert [row[4:] for row in reply.lines.rows] == [[[], 0, 1], [[], 0, 1]]
    assert page.panel.transcript.doubtful() == ()
    assert page.panel.edits == 0, "not a word was changed"
    assert page.edit("checked", id=1, checked=False).lines.scores.tolist() == [20]
    assert page.panel.transcript.doubtful() == (1,)


def test_a_question_that_is_asked_again_is_done_once(opened: Opener) -> None:
    page = opened()
    first = page.edit("delete", id=0, token="a")
    again = page.edit("delete", id=0, token="a")
    assert (again.data, again.buffers) == (first.data, first.buffers)
    assert len(page.panel.transcript.segments) == 3
    page.ask("undo", token="b")
    page.ask("undo", token="b")
    assert len(page.panel.transcript.segments) == 4


def test_a_line_that_is_gone_is_told_and_nothing_done(opened: Opener) -> None:
    page = opened()
    page.edit("delete", id=1)
    for action, values in [
        ("text", {"text": "x"}),
        ("merge", {"count": 2}),
        ("text", {"text": "x", "texts": [[1, "y"]]}),
    ]:
        assert "no longer there" in page.edit(action, id=1, **values).error
    assert "not so many lines" in page.edit("merge", id=3, count=2).error
    assert "There is no edit 'dance'" in page.edit("dance", id=0).error
    assert "needs the line" in page.edit("text", text="x").error
    assert "would be empty" in page.edit("split", id=0, at=0).error
    assert page.data("segments")["version"] == 1


def test_the_history_ends_somewhere(opened: Opener) -> None:
    page = opened()
    assert "nothing to undo" in page.ask("undo").error
    assert "nothing to redo" in page.ask("redo").error
    page.edit("text", id=0, text="a")
    page.ask("undo")
    page.edit("text", id=0, text="b")
    assert "nothing to redo" in page.ask("redo").error


# -- The machine's text -----------------------------------------------------------------------


def test_what_the_machine_heard_is_told_for_any_line(opened: Opener) -> None:
    page = opened()
    assert page.data("machine", id=3) == {"segments": [[8, 9, "thank you"]], "same": True}
    page.edit("text", id=3, text="thanks")
    assert page.data("machine", id=3) == {"segments": [[8, 9, "thank you"]], "same": False}
    page.edit("merge", id=0, count=2)
    found = page.data("machine", id=0)["segments"]
    assert [text for _, _, text in found] == ["good morning everyone", SAID.segments[1].text]
    reply = page.ask("machine_all")
    assert reply.data == {"count": 4}
    assert json.loads(reply.buffers[0])[3] == [8, 9, "thank you"]


def test_a_line_goes_back_to_what_the_machine_heard_with_all_of_it(opened: Opener) -> None:
    page = opened()
    page.edit("text", id=0, text="good day all")
    page.edit("split", id=0, at=5)
    page.edit("merge", id=1, count=2)
    reply = page.ask("revert", id=0)
    assert reply.data["focus"] == 0
    texts = page.texts()
    assert texts[0] == "good morning everyone"
    assert len(texts) == 3, "the half beside it has gone with it; the others stay as they are"
    page.ask("revert", id=1)
    assert page.texts() == [segment.text for segment in SAID.segments]
    assert page.panel.edits == 0
    page.edit("insert", start=5.2, stop=5.8, text="nobody said this")
    gone = page.ask("segments").lines.rows[2][0]
    page.ask("revert", id=gone)
    assert page.panel.edits == 0


def test_all_corrections_are_discarded_and_come_back(opened: Opener) -> None:
    page = opened()
    page.edit("text", id=0, text="a")
    page.edit("delete", id=2)
    assert page.panel.edits == 2
    assert page.data("discard")["edits"] == 0
    assert page.panel.transcript.segments == SAID.segments
    assert page.data("undo")["edits"] == 2
    assert page.texts()[0] == "a"


def test_corrections_are_taken_up_again_and_told(opened: Opener) -> None:
    first = opened()
    first.edit("text", id=0, text="a")
    assert first.event("saved").data["state"] == "saved"
    first.panel.close()
    again = opened()
    data = again.data("segments")
    assert data["taken_up"]["edits"] == 1
    assert abs(data["taken_up"]["at"] - time.time()) < PATIENCE
    assert data["can_undo"]
    assert again.panel.saved["state"] == "saved"
    assert again.texts()[0] == "a"


def test_what_cannot_be_saved_is_shown(opened: Opener, home: Path) -> None:
    page = opened(language="zh")
    home.write_text("no folder")
    page.edit("text", id=0, text="a")
    assert page.event("saved").data["state"] == "failed"
    assert "无法" in page.event("problem").error
    assert page.panel.transcript.segments[0].text == "a"


# -- From Python ------------------------------------------------------------------------------


def test_a_transcript_that_is_set_is_one_correction_and_lines_that_stay_keep_their_number(
    opened: Opener,
) -> None:
    page = opened()
    panel = page.panel
    seen: list[Transcript] = []
    panel.observe(lambda change: seen.append(change["new"]), "transcript")
    panel.transcript = Transcript.from_dict(panel.transcript.without(1).to_dict())
    told = page.event("changed")
    assert (told.data["first"], told.data["removed"], told.data["added"]) == (1, 1, 0)
    panel.transcript = panel.transcript.with_text(1, "not truncated")
    assert page.event("changed").lines.rows == [[2, "not truncated", "Ann", None, [], 1, 1]]
    assert [len(one.segments) for one in seen] == [3, 3]
    assert panel.edits == 2
    panel.undo()
    assert page.event("changed").data["can_redo"]
    panel.redo()
    panel.discard()
    assert panel.transcript.segments == SAID.segments
    with pytest.raises(OptionError, match=r"but .* ends at"):
        panel.transcript = Transcript((Segment(5000, 5001, "late"),))


def test_whoever_observes_may_wait_for_another_thread_that_corrects(opened: Opener) -> None:
    panel = opened().panel
    done = threading.Event()

    def corrects() -> None:
        panel.selected = (0, 0)
        panel.undo()
        done.set()

    def observed(_: Any) -> None:
        panel.unobserve_all()
        threading.Thread(target=corrects).start()
        assert done.wait(PATIENCE), "the panel holds a lock while it calls others"

    panel.observe(observed, "transcript")
    panel.transcript = panel.transcript.with_text(0, "a")
    assert panel.transcript.segments == SAID.segments


def test_an_observer_may_correct_what_it_is_told(opened: Opener) -> None:
    page = opened()

    def tidies(change: Any) -> None:
        if "  " in change["new"].segments[0].text:
            text = " ".join(change["new"].segments[0].text.split())
            page.panel.transcript = change["new"].with_text(0, text)

    page.panel.observe(tidies, "transcript")
    page.edit("text", id=0, text="a  b")
    assert page.texts()[0] == "a b"
    page.panel.undo()
    assert page.texts()[0] == "a b", "what is tidied is tidied again"


def test_a_transcript_that_is_set_just_when_a_job_begins_is_refused(
    opened: Opener, meeting: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = opened().panel
    job: Any = FakeJob(meeting)
    monkeypatch.setattr(_with_transcript, "must_be_of", lambda *_: panel.follow(job))
    with pytest.raises(OptionError, match="by a job"):
        panel.transcript = SAID.with_text(0, "a")
    assert panel.transcript.segments == ()
    job.step("stopped")
    assert panel.transcript.segments == SAID.segments


def test_an_observer_that_fails_is_shown_and_the_correction_made(opened: Opener) -> None:
    page = opened()

    def fails(_: Any) -> None:
        raise RuntimeError("oh")

    page.panel.observe(fails, "transcript")
    assert page.edit("text", id=0, text="a").data["version"] == 1
    assert any("oh" in told["error"] for told in page.events("problem"))
    assert page.panel.transcript.segments[0].text == "a"


def test_lines_are_selected_from_either_side(opened: Opener) -> None:
    panel = opened().panel
    panel.set_state({"selected": [1, 2]})
    assert panel.selected == (1, 2)
    panel.set_state({"selected": [2, 9]})
    assert panel.selected == (2, 3), "lines that the browser still showed"
    panel.transcript = panel.transcript.without(3)
    assert panel.selected == (2, 2)
    for wrong in ((0, 3), (2, 1), (-1, 0), "ab", 3):
        with pytest.raises(OptionError, match=r"Lines are 0 to 2|indices of lines"):
            panel.selected = wrong
    panel.selected = None
    assert panel.selected is None
    panel.transcript = panel.transcript.without(0, 2)
    with pytest.raises(OptionError, match="no lines to select"):
        panel.selected = (0, 0)


# -- Files ------------------------------------------------------------------------------------


def test_every_format_is_offered_and_what_is_impossible_says_why(opened: Opener) -> None:
    page = opened()
    found = page.data("formats")["formats"]
    assert {one["name"] for one in found} == set(formats.names())
    assert found[0]["name"] == "srt"
    impossible = {one["name"]: one["why"] for one in found if not one["possible"]}
    assert list(impossible) == ["ctm"]
    assert "word times" in impossible["ctm"]
    chinese = page.data("formats", language="zh")["formats"]
    assert chinese[0]["text"] == "SubRip 字幕"


@pytest.mark.parametrize("name", [name for name in formats.names() if name != "ctm"])
def test_what_is_downloaded_is_what_save_writes(opened: Opener, tmp_path: Path, name: str) -> None:
    page = opened()
    page.edit("text", id=0, text="corrected")
    reply = page.ask("export", format=name)
    assert reply.data["name"] == f"meeting{formats.suffix(name)}"
    path = page.panel.save(tmp_path / reply.data["name"])
    assert path.read_bytes() == reply.buffers[0] == page.panel.export(name)
    assert (b"corrected" in reply.buffers[0]) == (name != "rttm")


def test_a_format_that_cannot_hold_it_is_refused(opened: Opener) -> None:
    page = opened()
    assert "word times" in page.ask("export", format="ctm").error
    assert "no format" in page.ask("export", format="doc").error


def test_it_is_saved_beside_the_notebook_and_replaces_nothing_unasked(
    opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    page = opened()
    path = tmp_path / "meeting.srt"
    assert page.data("save", format="srt") == {"path": str(path), "exists": False}
    before = path.read_bytes()
    page.edit("text", id=0, text="corrected")
    assert page.data("save", format="srt") == {"path": str(path), "exists": True}
    assert path.read_bytes() == before
    page.ask("save", format="srt", overwrite=True)
    assert b"corrected" in path.read_bytes()


def test_names_are_safe_and_keep_their_dots(opened: Opener) -> None:
    named = dataclasses.replace(SAID, name="../talk v1.2")
    assert opened(named).data("export", format="txt")["name"] == "talk v1.2.txt"


# -- Again ------------------------------------------------------------------------------------


def test_lines_are_heard_again_and_taken_when_accepted(opened: Opener, tiny: str) -> None:
    page = opened()
    page.edit("speaker", id=0, speaker="Bob", count=2)
    found = page.data("retranscribe", first=0, last=1, model=tiny)
    assert (found["first"], found["last"], found["model"]) == (0, 1, "whisper-tiny-meeting")
    assert found["complete"]
    assert "good morning everyone" in found["text"]
    assert all(0.7 <= start < stop <= 5.3 for start, stop, _ in found["segments"])
    states = {told["state"] for told in page.events("again")}
    assert states <= {"waiting", "loading", "running", "finished"}
    assert "finished" in states
    page.edit("insert", start=0.1, stop=0.5, text="hm")  # the lines have moved meanwhile
    reply = page.edit("replace", id=0, count=2, proposal=found["proposal"])
    texts = page.texts()
    assert texts[0] == "hm"
    assert texts[-2:] == ["truncated her", "thank you"]
    assert " ".join(texts[1:-2]) == found["text"]
    assert all(row[2] == "Bob" for row in reply.lines.rows)
    assert page.panel.transcript.segments[1].words, "the lines had them, so they have them again"
    page.ask("undo")
    assert page.texts()[1] == "good morning everyone"
    assert page.data("models")["chosen"] == tiny


def test_a_proposal_of_lines_that_are_gone_is_told(opened: Opener, tiny: str) -> None:
    page = opened()
    found = page.data("retranscribe", first=3, last=3, model=tiny)
    page.edit("delete", id=3)
    gone = page.edit("replace", id=3, count=1, proposal=found["proposal"])
    assert "no longer there" in gone.error
    assert "no longer at hand" in page.edit("replace", id=0, proposal=99).error


def test_hearing_again_can_be_stopped(
    opened: Opener, tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = opened()
    must_be_here = _forecast.must_be_here

    def stopped_meanwhile(spec: Any) -> None:
        page.panel._answer_stop_again()
        must_be_here(spec)

    monkeypatch.setattr(_forecast, "must_be_here", stopped_meanwhile)
    found = page.data("retranscribe", first=0, last=3, model=tiny)
    assert not found["complete"]
    assert found["segments"] == []
    monkeypatch.undo()
    assert page.data("retranscribe", first=3, last=3, model=tiny)["complete"]


def test_what_is_not_on_this_machine_is_not_fetched_by_a_click(opened: Opener) -> None:
    page = opened()
    reply = page.ask("retranscribe", first=0, last=0, model="whisper-small")
    assert 'nbasr.models.load("whisper-small")' in reply.error
    assert "no longer there" in page.ask("retranscribe", first=2, last=9).error


def test_pauses_around_the_lines_are_heard_but_not_their_neighbours() -> None:
    reading = Reading.begun(SAID)
    assert span_of(reading, 0, 0, 70.0) == (pytest.approx(0.7), 3.0)
    assert span_of(reading, 1, 1, 70.0) == (3.0, pytest.approx(5.3))
    assert span_of(reading, 2, 3, 70.0) == (pytest.approx(5.7), pytest.approx(9.3))
    assert span_of(reading, 0, 3, 9.1) == (pytest.approx(0.7), 9.1)


# -- Following a job ----------------------------------------------------------------------------


class FakeJob:
    """A job whose steps the test decides on; it looks as `nbasr.submit`'s do from outside."""

    def __init__(self, recording: Recording) -> None:
        self.work = type("Work", (), {"recordings": (recording,), "spec": _Spec("toy 2")})()
        self.state, self.is_done, self.error = "waiting", False, None
        self.partial: Any = Transcript((), recording.duration, complete=False)
        self.progress = Progress("meeting", 0.0, 60.0, 0.0, state="waiting", model="toy 2")
        self.observers: list[Any] = []

    def observe(self, callback: Any) -> Any:
        self.observers.append(callback)
        return lambda: self.observers.remove(callback)

    def step(self, state: str, *segments: Segment, error: Any = None) -> None:
        self.state, self.error = state, error
        self.is_done = state in ("finished", "stopped", "failed")
        if segments:
            whole = state == "finished"
            self.partial = Transcript(segments, 70.0, model="toy 2", complete=whole)
        self.progress = dataclasses.replace(self.progress, done=30.0, elapsed=10.0)
        for observer in list(self.observers):
            observer(self)


@dataclasses.dataclass(frozen=True)
class _Spec:
    name: str


A, B = Segment(0.0, 1.0, "one"), Segment(1.0, 2.0, "two")


def test_text_is_shown_as_it_comes_and_cannot_be_corrected_before_the_end(
    opened: Opener, meeting: Recording
) -> None:
    page = opened()
    panel, job = page.panel, FakeJob(meeting)
    panel.follow(job)  # type: ignore[arg-type]
    begun = page.event("changed").data
    assert (begun["removed"], begun["count"], begun["read_only"]) == (4, 0, True)
    assert page.event("job").data["state"] == "waiting"
    job.step("running", A)
    grown = page.event("changed")
    assert (grown.data["first"], grown.data["removed"], grown.data["added"]) == (0, 0, 1)
    told = page.event("job").data
    assert (told["speed"], told["left"], told["total"]) == (3.0, 10.0, 60.0)
    assert "by a job" in page.edit("text", id=4, text="x").error
    for refused in (panel.undo, panel.discard):
        with pytest.raises(OptionError, match="by a job"):
            refused()
    job.step("running")
    job.step("finished", A, B)
    grown = page.event("changed")
    assert (grown.data["first"], grown.data["removed"], grown.data["added"]) == (1, 0, 1)
    assert (grown.data["job"], grown.data["read_only"]) == (None, False)
    assert grown.data["complete"]
    assert [row[1] for row in page.ask("segments").lines.rows] == ["one", "two"]
    assert panel.machine.segments == panel.transcript.segments == (A, B)
    assert page.edit("text", id=grown.lines.rows[0][0], text="too").data["edits"] == 1
    assert job.observers == []


def test_versions_never_leave_one_out(opened: Opener, meeting: Recording) -> None:
    page = opened()
    job = FakeJob(meeting)
    page.panel.follow(job)  # type: ignore[arg-type]
    job.step("running", A)
    job.step("finished", A, B)
    page.edit("text", id=0, text="x")  # refused: that line is gone
    page.edit("delete", id=page.ask("segments").lines.rows[0][0])
    told = page.events("changed")
    changes = [data["version"] for data in told if data["removed"] or data["added"]]
    assert changes == [1, 2, 3]
    assert sorted(data["version"] for data in told) == [data["version"] for data in told]
    assert page.data("segments")["version"] == 4


@pytest.mark.parametrize("state", ["stopped", "failed"])
def test_a_job_that_heard_nothing_gives_back_what_was_there(
    opened: Opener, meeting: Recording, state: str
) -> None:
    page = opened()
    page.edit("text", id=0, text="corrected")
    job = FakeJob(meeting)
    page.panel.follow(job)  # type: ignore[arg-type]
    job.step(state, error=ModelError("It broke.") if state == "failed" else None)
    assert page.texts()[0] == "corrected"
    assert page.data("undo")["edits"] == 0
    notices = page.data("segments")["notices"]
    assert notices == (["It broke."] if state == "failed" else [])


def test_what_a_stopped_job_has_heard_stays_and_can_be_corrected(
    opened: Opener, meeting: Recording
) -> None:
    page = opened()
    job = FakeJob(meeting)
    page.panel.follow(job)  # type: ignore[arg-type]
    job.step("stopped", A)
    assert page.texts() == ["one"]
    assert not page.data("segments")["complete"]
    page.panel.transcript = page.panel.transcript.with_text(0, "won")
    assert page.panel.edits == 1


def test_a_job_that_hears_the_same_again_takes_its_corrections_up(
    opened: Opener, meeting: Recording
) -> None:
    page = opened()
    page.edit("text", id=3, text="thanks")
    job = FakeJob(meeting)
    page.panel.follow(job)  # type: ignore[arg-type]
    job.step("running", *SAID.segments[:2])
    job.step("finished", *SAID.segments)
    assert page.texts()[3] == "thanks"
    assert page.data("segments")["taken_up"]["edits"] == 1


def test_another_job_may_be_followed_before_the_first_has_ended(
    opened: Opener, meeting: Recording
) -> None:
    page = opened()
    first, second = FakeJob(meeting), FakeJob(meeting)
    page.panel.follow(first)  # type: ignore[arg-type]
    page.panel.follow(second)  # type: ignore[arg-type]
    first.step("finished", A)
    second.step("finished", B)
    assert page.texts() == ["two"]


def test_a_job_of_another_recording_is_refused(opened: Opener, meeting: Recording) -> None:
    other = FakeJob(Recording.open((meeting.read(0, 5), 16000)))
    with pytest.raises(OptionError, match="does not transcribe"):
        opened().panel.follow(other)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="takes a job"):
        opened().panel.follow(SAID)  # type: ignore[arg-type]


def test_a_real_job_ends_as_the_panels_transcript(
    opened: Opener, meeting: Recording, tiny: str
) -> None:
    page = opened(Transcript(()))
    job = nbasr.submit(meeting, model=tiny, max_seconds=20)
    page.panel.follow(job)
    found = job.result()
    assert isinstance(found, Transcript)
    while page.event("job").data["state"] != "finished":
        pass
    assert page.panel.machine.text == found.text
    assert page.texts() == [segment.text for segment in found.segments]
    assert page.panel.transcript.seconds == found.seconds
    assert page.edit("delete", id=page.ask("segments").lines.rows[0][0]).data["edits"] == 1


# -- Without a kernel ---------------------------------------------------------------------------


def test_the_still_form_shows_the_corrected_text_and_how_much_was_corrected(
    opened: Opener,
) -> None:
    page = opened()
    assert "corrected" not in page.panel.still()
    page.edit("text", id=0, text="<b>hello</b>")
    still = page.panel.still()
    assert "&lt;b&gt;hello" in still
    assert "1 line corrected" in still
    assert "good morning" not in still
    page.edit("text", id=3, text="thanks")
    page.panel.language = "zh"
    assert "已修改 2 行" in page.panel.still()


def test_the_still_form_of_an_endless_talk_is_bounded(meeting: Recording) -> None:
    step = meeting.duration / 5000
    line = "what was said " * 5
    many = Transcript(tuple(Segment(at * step, (at + 1) * step, line) for at in range(5000)))
    panel = TranscriptPanel(many, meeting)
    assert len(panel.still().encode()) < 140_000
    panel.close()


def test_closing_writes_what_waits_and_twice_is_once(
    meeting: Recording, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_autosave, "AFTER", 1000.0)
    panel = TranscriptPanel(SAID, meeting)
    panel.transcript = panel.transcript.with_text(0, "a")
    assert not list(home.rglob("*.json"))
    panel.close()
    panel.close()
    assert len(list(home.rglob("*.json"))) == 1


def test_a_closed_panel_that_is_collected_takes_no_lock(meeting: Recording) -> None:
    # The collector interrupts whoever it likes: here one who holds the lock of all drafts.
    panel = TranscriptPanel(SAID, meeting)
    panel.close()
    gone = weakref.ref(panel)
    with _autosave.Keeper._all_lock:
        collecting = threading.Thread(target=gc.collect, daemon=True)
        del panel
        collecting.start()
        collecting.join(PATIENCE)
        assert not collecting.is_alive()
    assert gone() is None
