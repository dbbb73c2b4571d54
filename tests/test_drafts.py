"""Corrections outlive the kernel: when they are written, and what may happen to their files."""

from __future__ import annotations

import dataclasses
import json
import os
import queue
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import nbasr
from nbasr.audio.recording import Recording
from nbasr.errors import OptionError
from nbasr.transcript import Segment, Transcript, Word
from nbasr.widgets import _autosave, _drafts
from nbasr.widgets._autosave import Keeper, Saved
from nbasr.widgets._reading import Reading

PATIENCE = 60.0

SAID = Transcript(
    (
        Segment(0.0, 2.0, "good morning", (Word(0, 1, "good"), Word(1, 2, "morning")), score=0.3),
        Segment(2.0, 4.0, "every one"),
        Segment(4.0, 6.0, "你好\U0001f600"),
    ),
    duration=70.0,
    language="en",
    model="toy",
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NBASR_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "transcripts"


@pytest.fixture(scope="module")
def meeting() -> Recording:
    return nbasr.samples.open("meeting")


class Kept:
    """A keeper, what it tells, and the lines that it keeps."""

    def __init__(self, recording: Recording, machine: Transcript) -> None:
        self.told: queue.Queue[Saved] = queue.Queue()
        self.keeper = Keeper(recording, machine, self.told.put, lambda: "en")
        reading, self.about, self.notes = self.keeper.taken_up()
        self.reading = reading or Reading.begun(machine)

    def edit(self, transcript: Transcript) -> None:
        self.reading, _ = self.reading.stepped(transcript)
        self.keeper.changed(self.reading)

    def saved(self) -> Saved:
        return self.told.get(timeout=PATIENCE)

    @property
    def text(self) -> str:
        return self.reading.transcript.text


Opener = Callable[..., Kept]


@pytest.fixture
def opened(meeting: Recording) -> Iterator[Opener]:
    """Open keepers, and close them at the end."""
    made: list[Kept] = []

    def opener(machine: Transcript = SAID) -> Kept:
        made.append(Kept(meeting, machine))
        return made[-1]

    yield opener
    for one in made:
        one.keeper.close()


def files(home: Path) -> list[Path]:
    return sorted(home.glob("*")) if home.exists() else []


# -- When -------------------------------------------------------------------------------------


def test_corrections_are_written_within_a_second_and_taken_up_with_their_history(
    opened: Opener, home: Path
) -> None:
    one = opened()
    assert files(home) == [], "what was not corrected leaves nothing behind"
    one.edit(SAID.with_text(0, "good evening"))
    began = time.monotonic()
    assert one.keeper.saved.state == "unsaved"
    assert one.saved().state == "saved"
    assert time.monotonic() - began < 1.0 + 2.0, "with room for a slow machine"
    assert _autosave.AFTER <= 1.0
    one.edit(one.reading.transcript.merged(1, 2).with_speaker(1, "Ann"))
    one.keeper.close()

    again = opened()
    assert again.reading.transcript == one.reading.transcript
    assert [line.number for line in again.reading.lines] == [0, 1]
    assert again.about is not None
    assert again.about.edits == again.reading.edits == 3
    back, _ = again.reading.undone()
    first, _ = back.undone()
    assert first.transcript == SAID
    forth, _ = back.redone()
    assert forth.transcript == one.reading.transcript


def test_what_the_machine_gave_is_the_same_object_again(opened: Opener) -> None:
    one = opened()
    one.edit(SAID.with_text(1, "everyone"))
    one.keeper.close()
    again = opened()
    assert again.reading.lines[0].segment is SAID.segments[0]
    assert again.reading.lines[2].segment is SAID.segments[2]
    assert again.reading.past[0].removed[0].segment is SAID.segments[1]


def test_steps_that_were_undone_are_kept_too(opened: Opener) -> None:
    one = opened()
    one.edit(SAID.with_text(1, "everyone"))
    one.reading, _ = one.reading.undone()
    one.keeper.changed(one.reading)
    one.keeper.close()
    again = opened()
    assert again.reading.edits == 0
    assert again.reading.redone()[0].transcript.segments[1].text == "everyone"


def test_many_quick_edits_are_written_before_they_end(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_autosave, "AFTER", 1000.0)
    monkeypatch.setattr(_autosave, "AT_LEAST", 0.0)
    one = opened()
    one.edit(SAID.with_text(0, "good"))
    assert one.saved().state == "saved", "although another edit might come for so long"


def test_another_text_or_recording_has_other_corrections(
    opened: Opener, meeting: Recording
) -> None:
    one = opened()
    one.edit(SAID.with_text(0, "good evening"))
    one.keeper.close()
    other = dataclasses.replace(SAID, segments=(*SAID.segments, Segment(7, 8, "so")))
    assert opened(other).about is None
    assert opened(SAID.with_times(1, 2.0, 3.9)).about is None
    slower = dataclasses.replace(SAID, seconds=99.0, notes=("slow",))
    assert opened(slower).about is not None, "how long it took is not what was heard"
    assert _drafts.key_of(meeting, SAID) == one.keeper.key
    cut = Recording.open((meeting.read(0, 10), 16000))
    assert _drafts.key_of(cut, SAID) != one.keeper.key


def test_a_kernel_that_is_shut_down_writes_what_waits(home: Path) -> None:
    code = (
        "import nbasr\n"
        "from nbasr import Segment, Transcript\n"
        "from nbasr.widgets import _autosave\n"
        "_autosave.AFTER = _autosave.AT_LEAST = 1000.0\n"
        "recording = nbasr.samples.open('meeting')\n"
        "panel = nbasr.TranscriptPanel(Transcript((Segment(0, 1, 'a'),)), recording)\n"
        "panel.transcript = panel.transcript.with_text(0, 'b')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=PATIENCE * 2)
    (about,) = _drafts.recent()
    assert about.edits == 1
    recording = nbasr.samples.open("meeting")
    panel = nbasr.TranscriptPanel(about.machine(), recording)
    assert panel.transcript.text == "b"
    panel.close()


# -- What may go wrong ------------------------------------------------------------------------


def test_a_folder_that_cannot_be_written_is_told_and_tried_again(
    opened: Opener, home: Path
) -> None:
    home.parent.mkdir()
    home.write_text("a file where the folder should be")
    one = opened()
    one.edit(SAID.with_text(0, "good evening"))
    saved = one.saved()
    assert saved.state == "failed"
    assert "could not be saved" in saved.problem
    assert "kept in memory" in saved.problem
    assert one.text.startswith("good evening")
    home.unlink()
    one.edit(one.reading.transcript.with_text(1, "everyone"))
    assert one.saved().state == "saved"
    one.keeper.close()
    assert opened().text.startswith("good evening everyone")


def test_a_disk_that_is_full_leaves_the_older_corrections_and_closing_tries_again(
    opened: Opener, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = opened()
    one.edit(SAID.with_text(0, "good evening"))
    assert one.saved().state == "saved"

    def full(_: int) -> None:  # disks may find out that late
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        one.edit(one.reading.transcript.with_text(1, "everyone"))
        saved = one.saved()
    assert saved.state == "failed"
    assert os.strerror(28) in saved.problem
    assert len(files(home)) == 1, "nothing half-written is left"
    assert "everyone" not in files(home)[0].read_text(encoding="utf-8")
    one.keeper.close()
    assert opened().reading.transcript.segments[1].text == "everyone"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b'{"nbasr_draft": 1}',
        b'{"nbasr_draft": 1, "about": {}, "machine": {"segments": []}, "work": {}}',
        b'{"nbasr_draft": "1"}',
        b"[" * 100_000,
    ],
)
def test_a_damaged_draft_is_put_aside_and_told(opened: Opener, home: Path, content: bytes) -> None:
    one = opened()
    one.edit(SAID.with_text(0, "good evening"))
    one.keeper.close()
    (path,) = files(home)
    path.write_bytes(content)
    again = opened()
    assert again.reading.transcript == SAID
    assert "damaged" in again.notes[0]
    assert files(home) == [path.with_suffix(".damaged")]
    assert str(path.with_suffix(".damaged")) in again.notes[0]
    again.edit(SAID.with_text(1, "everyone"))
    assert again.saved().state == "saved"


def test_a_draft_of_a_newer_version_is_left_for_that_one(opened: Opener, home: Path) -> None:
    home.mkdir(parents=True)
    path = home / f"{opened().keeper.key}.json"
    path.write_text('{"nbasr_draft": 99}', encoding="utf-8")
    one = opened()
    assert "newer nbasr" in one.notes[0]
    one.edit(SAID.with_text(0, "good evening"))
    assert one.saved().state == "saved"
    assert path.read_text(encoding="utf-8") == '{"nbasr_draft": 99}'
    one.keeper.close()
    assert opened().text.startswith("good evening")


def test_a_damaged_draft_that_cannot_be_put_aside_is_told_where_it_is(
    opened: Opener, home: Path
) -> None:
    home.mkdir(parents=True)
    path = home / f"{opened().keeper.key}.json"
    path.write_text("{", encoding="utf-8")
    (path.with_suffix(".damaged") / "a folder in its place").mkdir(parents=True)
    assert str(path) in opened().notes[0]


def test_a_kernel_that_is_killed_while_it_saves_loses_nothing_that_was_saved(
    meeting: Recording, home: Path
) -> None:
    code = (
        "import os, nbasr\n"
        "from nbasr import Segment, Transcript\n"
        "recording = nbasr.samples.open('meeting')\n"
        "panel = nbasr.TranscriptPanel(Transcript((Segment(0, 1, 'a'),)), recording)\n"
        "panel.transcript = panel.transcript.with_text(0, 'b')\n"
        "panel._keeper.flush()\n"
        "assert panel.saved['state'] == 'saved'\n"
        "os.fsync = lambda _: os._exit(9)\n"  # as if killed: nothing is tidied up
        "panel.transcript = panel.transcript.with_text(0, 'c')\n"
        "panel._keeper.flush()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], timeout=PATIENCE * 2)
    assert done.returncode == 9
    (half,) = home.glob("*.part")
    os.utime(half, (1e9, 1e9))
    panel = nbasr.TranscriptPanel(Transcript((Segment(0, 1, "a"),)), meeting)
    assert panel.transcript.text == "b"
    _drafts.prune()
    assert [path.suffix for path in files(home)] == [".json"], "what is half-written is removed"
    panel.close()


def test_lines_that_point_nowhere_are_damage(opened: Opener, home: Path) -> None:
    one = opened()
    one.edit(SAID.with_text(0, "good evening"))
    one.keeper.close()
    (path,) = files(home)
    values = json.loads(path.read_text(encoding="utf-8"))
    values["work"]["lines"][1][1] = 17
    path.write_text(json.dumps(values), encoding="utf-8")
    assert "damaged" in opened().notes[0]


def test_two_panels_of_two_kernels_do_not_overwrite_each_other(opened: Opener, home: Path) -> None:
    one, other = opened(), opened()
    one.edit(SAID.with_text(0, "good evening"))
    assert one.saved().problem == ""
    other.edit(SAID.with_text(0, "good night"))
    saved = other.saved()
    assert saved.state == "saved"
    assert "Another panel saved corrections" in saved.problem
    assert len(files(home)) == 2
    other.edit(other.reading.transcript.with_text(1, "everyone"))
    assert other.saved().problem == "", "it is told once"
    one.edit(one.reading.transcript.with_text(1, "every single one"))
    assert one.saved().problem == "", "its own file is its own"
    assert len(files(home)) == 2
    one.keeper.close()
    other.keeper.close()
    assert opened().text.startswith("good evening every single one"), "what was saved last"
    (about,) = _drafts.recent()
    assert about.key == one.keeper.key, "and only that is offered"


def test_what_another_kernel_writes_right_after_is_not_taken_for_ones_own(
    opened: Opener, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = opened(), opened()
    other.reading, _ = other.reading.stepped(SAID.with_text(0, "good night"))
    replace = Path.replace

    def overtaken(path: Path, target: Path) -> Path:
        monkeypatch.setattr(Path, "replace", replace)
        found = path.replace(target)
        other.keeper._mark = _drafts.mark(target)
        other.keeper.changed(other.reading)
        other.keeper.flush()
        return found

    monkeypatch.setattr(Path, "replace", overtaken)
    one.edit(SAID.with_text(0, "good evening"))
    one.keeper.flush()
    one.edit(one.reading.transcript.with_text(1, "everyone"))
    one.keeper.flush()
    assert "Another panel saved" in one.keeper.saved.problem
    assert len(files(home)) == 2


def test_one_panel_that_cannot_be_told_does_not_keep_others_from_being_written_at_the_end(
    meeting: Recording, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_autosave, "AFTER", 1000.0)
    monkeypatch.setattr(_autosave, "AT_LEAST", 1000.0)

    def gone(_: Saved) -> None:
        raise RuntimeError("the connection is closed")

    keepers = []
    for number in range(3):
        machine = SAID.with_text(1, f"line {number}")
        keepers.append(Keeper(meeting, machine, gone, lambda: "en"))
        reading, _ = Reading.begun(machine).stepped(machine.with_text(0, "good evening"))
        keepers[-1].changed(reading)
    _autosave._flush_all()
    assert len(files(home)) == 3


def test_a_second_panel_of_one_kernel_begins_with_what_the_first_has_not_written_yet(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_autosave, "AFTER", 1000.0)
    monkeypatch.setattr(_autosave, "AT_LEAST", 1000.0)
    one = opened()
    one.edit(SAID.with_text(0, "good evening"))
    assert opened().text.startswith("good evening")


# -- Which there are --------------------------------------------------------------------------


def test_the_newest_are_listed_with_what_they_are_about(
    opened: Opener, home: Path, meeting: Recording
) -> None:
    assert _drafts.recent() == []
    for number in range(3):
        machine = dataclasses.replace(SAID, model=f"toy {number}").with_text(1, f"line {number}")
        one = opened(machine)
        one.edit(machine.with_text(0, "good evening"))
        one.keeper.close()
        path = home / f"{one.keeper.key}.json"
        os.utime(path, (1e9 + number, 1e9 + number))
    assert _drafts.newest_of(meeting).model == "toy 2"
    (home / "noise.json").write_text("noise", encoding="utf-8")
    found = _drafts.recent(2)
    assert [about.model for about in found] == ["toy 2", "toy 1"]
    about = found[0]
    assert (about.name, about.edits, about.language) == (meeting.name, 1, "en")
    assert about.path == str(meeting.path)
    assert about.fingerprint == meeting.fingerprint
    assert about.machine().segments[1].text == "line 2"
    (home / f"{about.key}.json").unlink()
    with pytest.raises(OptionError, match="transcribe it again"):
        about.machine()


def test_only_the_newest_stay(opened: Opener, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_drafts, "MOST", 3)
    home.mkdir(parents=True)
    for number in range(5):
        old = home / f"old{number}.json"
        old.write_text("{}", encoding="utf-8")
        os.utime(old, (1e9 + number, 1e9 + number))
    one = opened()
    one.edit(SAID.with_text(0, "good evening"))
    assert one.saved().state == "saved"
    assert [path.stem for path in files(home)] == [one.keeper.key, "old3", "old4"]
    monkeypatch.setattr(_drafts, "MOST_BYTES", 1)
    _drafts.prune()
    assert [path.stem for path in files(home)] == [one.keeper.key], "however large it is"


def test_of_a_long_history_the_recent_part_is_kept(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_drafts, "_STEPS", 3)
    one = opened()
    for number in range(6):
        one.edit(one.reading.transcript.with_text(0, f"try {number}"))
    one.keeper.close()
    reading = opened().reading
    assert len(reading.past) == 3
    for _ in range(3):
        reading, _step = reading.undone()
    assert reading.transcript.segments[0].text == "try 2"
    with pytest.raises(OptionError, match="nothing to undo"):
        reading.undone()
