"""Files that arrive in slices, names that are made safe, paths that are completed."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import time
import unicodedata
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nbasr.errors import AudioError
from nbasr.widgets import _paths
from nbasr.widgets._copies import older_copy
from nbasr.widgets._inbox import Inbox
from nbasr.widgets._incoming import Announced, Incoming, ReceivingError
from nbasr.widgets._names import LONGEST, numbered, safe_name

DATA = bytes(range(256)) * 40


_begun: list[Incoming] = []


class Watched(Inbox):
    """An inbox whose files are closed when the test ends."""

    def begin(self, about: Announced) -> Incoming:
        _begun.append(super().begin(about))
        return _begun[-1]


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while _begun:
        _begun.pop().pause()


def inbox(folder: Path, max_bytes: float = 1e9) -> Inbox:
    return Watched(folder, max_bytes)


def sent(incoming: Incoming, data: bytes, step: int = 1000) -> Incoming:
    """Send what is still to come, slice by slice."""
    while incoming.received < len(data):
        incoming.write(incoming.received, data[incoming.received :][:step])
    return incoming


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# -- Names ----------------------------------------------------------------------------------------


@given(st.text(st.characters(exclude_categories=()), max_size=300))
@example("../../etc/passwd")
@example("..\\..\\boot.ini")
@example("a\x00b.wav")
@example("\ud800.wav")
@example("CON")
@example("nul.tar.gz")
@example("." * 300)
@example("e\u0301" * 200 + ".wav")
@example("talk.wav\u202e")
@example(". .nbasr-0.json")
@example("e\u00ad\u0301.wav")
@example("CON .wav")
def test_any_name_becomes_one_directly_in_the_folder(name: str) -> None:
    safe = safe_name(name)
    folder = Path("/somewhere/uploads")
    assert (folder / safe).parent == folder
    assert Path(os.path.normpath(folder / safe)) == folder / safe
    assert "\\" not in safe
    assert not safe.startswith(".")
    assert len(safe.encode()) <= LONGEST
    assert unicodedata.is_normalized("NFC", safe)
    assert not any(unicodedata.category(letter) in ("Cc", "Cs") for letter in safe)
    assert safe.split(".")[0].upper() not in ("CON", "NUL", "AUX", "PRN")
    assert safe_name(safe) == safe


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("talk.wav", "talk.wav"),
        ("访谈 第1部分.m4a", "访谈 第1部分.m4a"),
        ("Me\u0301eting.mp3", "Méeting.mp3"),
        ("C:\\calls\\mon.wav", "mon.wav"),
        ("a<b>c?.wav", "a_b_c_.wav"),
        (".hidden.wav", "hidden.wav"),
        ("trailing. ", "trailing"),
        ("LPT1.wav", "_LPT1.wav"),
        ("con .wav", "_con.wav"),
        (". .hidden.wav", "hidden.wav"),
        ("", "recording"),
        ("...", "recording"),
    ],
)
def test_names_stay_readable(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_a_long_name_keeps_its_suffix() -> None:
    assert safe_name("x" * 500 + ".flac").endswith("xx.flac")
    assert numbered("talk.wav", 1) == "talk.wav"
    assert numbered("talk.wav", 3) == "talk (3).wav"
    assert numbered("talk", 2) == "talk (2)"


# -- Slices ---------------------------------------------------------------------------------------


@given(st.data())
def test_slices_that_are_lost_repeated_or_out_of_order_leave_the_file_as_it_was_sent(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    incoming = inbox(tmp_path_factory.mktemp("in")).begin(Announced("a.wav", len(DATA)))
    for _ in range(12):
        offset = data.draw(st.integers(0, len(DATA)))
        length = data.draw(st.integers(0, 3000))
        before = incoming.received
        after = incoming.write(offset, DATA[offset : offset + length])
        assert after == (
            before + len(DATA[offset : offset + length]) if offset == before else before
        )
    sent(incoming, DATA).check(len(DATA), zlib.crc32(DATA))
    assert incoming.keep().read_bytes() == DATA


def test_a_file_is_hidden_until_it_is_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    incoming = sent(inbox(tmp_path / "new").begin(Announced("talk.wav", len(DATA))), DATA)
    assert {name[:7] for name in names(tmp_path / "new")} == {".nbasr-"}
    incoming.check(len(DATA), zlib.crc32(DATA))
    assert incoming.keep() == tmp_path / "new" / "talk.wav"
    assert names(tmp_path / "new") == ["talk.wav"]


def test_a_name_that_is_taken_gets_a_number_and_no_link_is_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside.wav"
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "talk.wav").symlink_to(outside)
    (folder / "talk (2).wav").write_bytes(b"mine")
    incoming = sent(inbox(folder).begin(Announced("talk.wav", len(DATA))), DATA)
    assert incoming.keep().name == "talk (3).wav"
    assert not outside.exists()
    assert (folder / "talk (2).wav").read_bytes() == b"mine"


def test_what_arrived_otherwise_than_it_was_sent_is_told_and_begun_anew(tmp_path: Path) -> None:
    incoming = sent(inbox(tmp_path).begin(Announced("talk.wav", len(DATA))), DATA)
    with pytest.raises(ReceivingError, match=r"^talk\.wav did not arrive as it was sent"):
        incoming.check(len(DATA), zlib.crc32(DATA) ^ 1)
    assert incoming.received == 0
    sent(incoming, DATA).check(len(DATA), zlib.crc32(DATA))


def test_the_check_reads_what_is_on_disk(tmp_path: Path) -> None:
    incoming = sent(inbox(tmp_path).begin(Announced("talk.wav", len(DATA))), DATA)
    with incoming.part.open("r+b") as file:
        file.seek(5000)
        file.write(b"!!")
    with pytest.raises(ReceivingError, match="did not arrive as it was sent"):
        incoming.check(len(DATA), zlib.crc32(DATA))


def test_more_than_was_announced_is_refused(tmp_path: Path) -> None:
    incoming = sent(inbox(tmp_path).begin(Announced("talk.wav", 100)), DATA[:100])
    with pytest.raises(ReceivingError, match="was changed while it was sent"):
        incoming.write(100, b"more")


def test_something_that_grows_is_taken_up_to_the_limit(tmp_path: Path) -> None:
    incoming = inbox(tmp_path, max_bytes=1500).begin(Announced("r.webm", None, 0, "microphone"))
    incoming.write(0, DATA[:1000])
    with pytest.raises(ReceivingError, match=r"r\.webm is too large: it has 2 kB, and .* 2 kB"):
        incoming.write(1000, DATA[:1000])
    assert incoming.keep().read_bytes() == DATA[:1000]


# -- Going on -------------------------------------------------------------------------------------


def test_the_same_file_goes_on_where_it_was_broken_off(tmp_path: Path) -> None:
    about = Announced("talk.wav", len(DATA), 1234)
    first = inbox(tmp_path).begin(about)
    first.write(0, DATA[:4000])
    first.pause()
    again = inbox(tmp_path).begin(about)
    assert (again.received, again.crc32(4000)) == (4000, zlib.crc32(DATA[:4000]))
    sent(again, DATA).check(len(DATA), zlib.crc32(DATA))
    assert again.keep().read_bytes() == DATA


@pytest.mark.parametrize(
    "other",
    [
        Announced("talk.wav", len(DATA), 99),
        Announced("talk.wav", len(DATA) - 1, 1234),
        Announced("Talk.wav", len(DATA), 1234),
    ],
)
def test_another_file_begins_at_its_beginning(tmp_path: Path, other: Announced) -> None:
    first = inbox(tmp_path).begin(Announced("talk.wav", len(DATA), 1234))
    first.write(0, DATA[:4000])
    first.pause()
    assert inbox(tmp_path).begin(other).received == 0
    assert {known.received for known in inbox(tmp_path).unfinished()} == {0, 4000}


def test_who_begins_later_goes_on_and_the_earlier_one_can_do_no_harm(tmp_path: Path) -> None:
    about = Announced("talk.wav", len(DATA), 1234)
    earlier = inbox(tmp_path).begin(about)
    earlier.write(0, DATA[:4000])
    later = inbox(tmp_path).begin(about)
    assert later.received == 4000
    with pytest.raises(ReceivingError, match="from another page or notebook"):
        earlier.write(4000, DATA[4000:])
    earlier.discard()
    assert sent(later, DATA).keep().read_bytes() == DATA


def test_what_another_kernel_is_receiving_is_not_gone_on_with(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; "
        "from nbasr.widgets._inbox import Inbox; from nbasr.widgets._incoming import Announced; "
        "i = Inbox(Path(sys.argv[1]), 1e9).begin(Announced('talk.wav', 100, 1)); "
        "i.write(0, b'x' * 50); print('ready', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"ready\n"
        mine = inbox(tmp_path).begin(Announced("talk.wav", 100, 1))
        assert mine.received == 0
        mine.discard()
        other.communicate()
    assert inbox(tmp_path).begin(Announced("talk.wav", 100, 1)).received == 50


def test_only_what_is_ours_and_fresh_counts_as_broken_off(tmp_path: Path) -> None:
    old = inbox(tmp_path).begin(Announced("old.wav", 10, 1))
    fresh = inbox(tmp_path).begin(Announced("fresh.wav", 10, 1))
    for incoming in (old, fresh):
        incoming.pause()
    os.utime(old.part, (1e9, 1e9))
    inbox(tmp_path).sweep()
    assert not old.part.exists(), "what nobody wanted for a month is removed"
    (tmp_path / ".nbasr-0.json").write_text('{"version": 1, "name": ')
    (tmp_path / ".nbasr-1.json").write_text('{"version": 1, "name": "x.wav", "size": 3}')
    (tmp_path / ".nbasr-1.part").symlink_to(tmp_path / "elsewhere")
    assert [known.about.name for known in inbox(tmp_path).unfinished()] == ["fresh.wav"]
    assert inbox(tmp_path).unfinished(quiet_for=60) == []


def test_what_a_dead_kernel_left_half_made_is_swept_but_not_what_somebody_writes(
    tmp_path: Path,
) -> None:
    held = inbox(tmp_path).begin(Announced("talk.wav", 10, 1))
    dead = inbox(tmp_path).new_part()  # of an address: nobody can go on with it
    young = inbox(tmp_path).new_part()
    for part in (dead, young):
        part.write_bytes(b"half")
    for part in (held.part, dead):
        os.utime(part, (1e9, 1e9))
    inbox(tmp_path).sweep()
    assert (held.part.exists(), dead.exists(), young.exists()) == (True, False, True)


def test_a_clock_that_was_set_back_does_not_hide_what_was_broken_off(tmp_path: Path) -> None:
    first = inbox(tmp_path).begin(Announced("talk.wav", 10, 1))
    first.write(0, b"12345")
    first.pause()
    ahead = time.time() + 3600
    os.utime(first.part, (ahead, ahead))
    assert inbox(tmp_path).begin(Announced("talk.wav", 10, 1)).received == 5


def test_what_was_put_in_its_place_at_that_moment_is_not_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another kernel finishes a file between our opening it and our holding it."""
    first = inbox(tmp_path).begin(Announced("talk.wav", len(DATA), 1))
    sent(first, DATA).pause()
    (known,) = inbox(tmp_path).unfinished()

    def finished(file: object) -> bool:
        first.part.rename(tmp_path / "talk.wav")
        return True

    monkeypatch.setattr("nbasr.widgets._inbox.hold", finished)
    assert inbox(tmp_path).resume(known) is None
    assert (tmp_path / "talk.wav").read_bytes() == DATA


def test_what_is_discarded_is_gone(tmp_path: Path) -> None:
    incoming = inbox(tmp_path).begin(Announced("talk.wav", 10, 1))
    incoming.write(0, b"12345")
    incoming.discard()
    assert names(tmp_path) == []


# -- Refusals -------------------------------------------------------------------------------------


def test_refusals_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ReceivingError, match=r"^a\.wav is empty \(0 bytes\)"):
        inbox(tmp_path).begin(Announced("a.wav", 0))
    with pytest.raises(
        ReceivingError, match=r"a\.wav is too large: it has 2\.0 MB, and upload_max"
    ):
        inbox(tmp_path, 1e6).begin(Announced("a.wav", 2_000_000))
    with pytest.raises(ReceivingError, match=r"There is no room for a\.wav: it has 10+ TB, and"):
        inbox(tmp_path, 1e30).begin(Announced("a.wav", 10**18))
    (tmp_path / "file").touch()
    with pytest.raises(ReceivingError, match=r"cannot be written .*UploadPanel another"):
        inbox(tmp_path / "file").begin(Announced("a.wav", 10))
    assert names(tmp_path) == ["file"]


def test_a_folder_that_is_removed_meanwhile_is_told_at_once_and_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    first = inbox(folder).begin(Announced("talk.wav", len(DATA), 1))
    first.write(0, DATA[:4000])
    shutil.rmtree(folder)
    with pytest.raises(ReceivingError, match=r"What had arrived of talk\.wav is gone from .*again"):
        first.write(4000, DATA[4000:])
    with pytest.raises(ReceivingError, match="is gone from"):
        first.crc32(4000)
    with pytest.raises(ReceivingError, match="is gone from"):
        first.keep()
    assert inbox(folder).begin(Announced("talk.wav", len(DATA), 1)).received == 0


def test_a_disk_without_room_for_a_note_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(ReceivingError, match="is full, so"):
        inbox(tmp_path).begin(Announced("talk.wav", 100))
    assert names(tmp_path) == []


def test_a_disk_without_room_for_a_name_keeps_what_arrived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    incoming = sent(inbox(tmp_path).begin(Announced("talk.wav", len(DATA), 1)), DATA)

    def full(self: Path, target: Path) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(ReceivingError, match="is full, so"):
            incoming.keep()
    assert {name[:7] for name in names(tmp_path)} == {".nbasr-"}
    assert inbox(tmp_path).begin(Announced("talk.wav", len(DATA), 1)).keep().read_bytes() == DATA


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit of file sizes")
def test_a_disk_that_is_full_keeps_what_was_written_and_goes_on_when_there_is_room(
    tmp_path: Path,
) -> None:
    import resource

    incoming = inbox(tmp_path).begin(Announced("talk.wav", len(DATA)))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))
    try:
        incoming.write(0, DATA[:4000])
        with pytest.raises(ReceivingError, match=r"is full, so talk\.wav could not be written"):
            incoming.write(4000, DATA[4000:])
        assert incoming.part.stat().st_size == incoming.received == 4000
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    sent(incoming, DATA).check(len(DATA), zlib.crc32(DATA))


# -- Copies ---------------------------------------------------------------------------------------


def test_two_that_find_each_other_do_not_both_give_way(tmp_path: Path) -> None:
    """Two kernels have just put the same bytes into one folder."""
    first, second = tmp_path / "talk.wav", tmp_path / "talk (2).wav"
    for path in (first, second):
        path.write_bytes(DATA)
    for path in (second, first):
        os.utime(first, (5, 5))
        os.utime(second, (5, 5))
        os.utime(path, (6, 6))
        assert older_copy(path, ()) == (second if path == first else first)
        assert older_copy(second if path == first else first, ()) is None
    os.utime(first, (6, 6))
    os.utime(second, (6, 6))
    assert sum(older_copy(path, ()) is not None for path in (first, second)) == 1
    (tmp_path / "other.wav").write_bytes(DATA[::-1])
    assert older_copy(tmp_path / "other.wav", ()) is None


# -- Paths ----------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("calls/part 10.wav", "calls/part 2.WAV", "calls/notes.txt", "calls/.hidden.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "calls.zip").touch()
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_paths_are_completed_folders_first_and_recordings_only(folder: Path) -> None:
    assert _paths.complete("").texts == ("calls/", "empty/", "calls.zip")
    found = _paths.complete("ca")
    assert (found.texts, found.common) == (("calls/", "calls.zip"), "calls")
    assert _paths.complete("calls/").texts == ("calls/part 2.WAV", "calls/part 10.wav")
    assert _paths.complete("calls/").common == "calls/part "
    assert _paths.complete(f"{folder}/calls/PART 1").texts == (f"{folder}/calls/part 10.wav",)
    assert _paths.complete("calls/.").texts == ("calls/.hidden.wav",)
    assert _paths.complete("calls/n").texts == ("calls/notes.txt",), "where there is nothing else"
    assert _paths.complete("nowhere/").texts == ()
    assert _paths.complete("a\0").texts == ()


def test_a_home_folder_is_completed_as_it_was_typed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(folder))
    assert _paths.complete("~").texts == ("~/",)
    assert _paths.complete("~/cal").texts == ("~/calls/", "~/calls.zip")
    assert _paths.meant("~/calls") == (folder / "calls/part 2.WAV", folder / "calls/part 10.wav")


def test_many_completions_are_cut_short_and_say_so(folder: Path) -> None:
    for number in range(_paths.MOST_OFFERED + 1):
        (folder / "empty" / f"{number}.wav").touch()
    found = _paths.complete("empty/")
    assert (len(found.texts), found.more) == (_paths.MOST_OFFERED, True)
    assert found.texts[2] == "empty/2.wav"


def test_a_path_names_itself_a_folder_its_recordings_a_pattern_what_matches(folder: Path) -> None:
    assert _paths.meant("calls/notes.txt") == (folder / "calls/notes.txt",)
    both = (folder / "calls/part 2.WAV", folder / "calls/part 10.wav")
    assert _paths.meant("calls") == both
    assert _paths.meant("**/part*") == both
    (folder / "a[1].wav").write_bytes(b"x")
    assert _paths.meant("a[1].wav") == (folder / "a[1].wav",)


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("calls/part 3.wav", "There is no file 'part 3.wav' in .*Did you mean"),
        ("empty", "There is no recording in"),
        ("*.flac", r"No file matches '\*\.flac'"),
    ],
)
def test_what_leads_nowhere_is_told(folder: Path, typed: str, told: str) -> None:
    with pytest.raises(AudioError, match=told):
        _paths.meant(typed)


def test_a_folder_with_very_many_recordings_is_not_taken_by_accident(folder: Path) -> None:
    for number in range(_paths.MOST_FILES + 1):
        (folder / "empty" / f"{number}.wav").touch()
    with pytest.raises(AudioError, match="names 501 recordings, and a panel takes 500 at once"):
        _paths.meant("empty")
