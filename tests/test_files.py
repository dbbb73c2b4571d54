"""Names of files that people type, writing files whole, and headers that lie about their length."""

from __future__ import annotations

import io
import os
import stat
import struct
from pathlib import Path

import pytest
from soundfiles import encode

from nbasr import Recording, convert
from nbasr._files import expanded, replacing
from nbasr.audio import sources
from nbasr.audio._wav import make_header, read_header
from nbasr.errors import AudioError, ModelError
from nbasr.models import catalog, manager
from nbasr.transcript import Segment, Transcript

posix = pytest.mark.skipif(os.name == "nt", reason="links and modes of POSIX")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, the home folder beside it."""
    for name in ("here", "home"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    return tmp_path / "here"


def test_a_tilde_means_home_unless_a_file_is_called_so(here: Path) -> None:
    assert expanded(Path("~") / "a.wav") == str(here.parent / "home" / "a.wav")
    assert expanded("~no such person/a.wav") == "~no such person/a.wav"
    assert expanded("a~.wav") == "a~.wav"
    (here / "~").touch()
    assert expanded("~") == "~"


def test_files_that_begin_with_a_tilde_are_read_and_written(here: Path) -> None:
    encode(here / "~draft.wav")
    recording = Recording.open("~draft.wav")
    assert recording.save("~copy.flac") == Path("~copy.flac")
    assert [outcome.target for outcome in convert("~draft.wav", "~out").converted] == [
        Path("~out/~draft.wav")
    ]
    transcript = Transcript((Segment(0, 1, "a"),))
    transcript.save("~draft.json")
    assert Transcript.load("~draft.json").text == "a"
    assert sorted(path.name for path in here.iterdir()) == [
        "~copy.flac",
        "~draft.json",
        "~draft.wav",
        "~out",
    ]


def test_names_of_unknown_people_are_told_as_any_other() -> None:
    with pytest.raises(AudioError, match=r"There is no folder .*~no-such-person"):
        Recording.open("~no-such-person/a.wav")
    with pytest.raises(ModelError, match="~no-such-person/m"):
        catalog.resolve("~no-such-person/m")
    with pytest.raises(ModelError, match="~no-such-person/m"):
        manager.unload("~no-such-person/m")


def test_a_file_takes_its_place_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / ("\N{KATAKANA LETTER A}" * 80 + ".srt")  # 244 of the 255 bytes of a name
    with replacing(path) as beside:
        beside.write_text("old")
        assert not path.exists()

    def interrupted() -> None:
        with replacing(path) as beside:
            beside.write_text("ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_with_a_long_name_is_written(tmp_path: Path) -> None:
    path = tmp_path / ("\N{KATAKANA LETTER A}" * 80 + ".srt")
    assert Transcript((Segment(0, 1, "a"),)).save(path) == path


@posix
def test_sound_follows_a_link_and_has_the_rights_of_any_file(tmp_path: Path) -> None:
    real, link = tmp_path / "real.wav", tmp_path / "link.wav"
    link.symlink_to(real)
    recording = Recording.open(encode(tmp_path / "x.flac", "flac"))
    before = os.umask(0o027)
    try:
        recording.save(link)
        recording.save(link, overwrite=True)
    finally:
        os.umask(before)
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert real.stat().st_size == 44 + 2 * len(recording.samples)


def test_what_cannot_be_removed_yet_is_left_for_later() -> None:
    with sources._spooled() as path:
        path.mkdir()  # cannot be unlinked, as a file that is open on Windows
    path.rmdir()
    path.parent.rmdir()


class _Counting(io.BytesIO):
    most = 0

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        self.most = max(self.most, size)
        return super().read(size)


@pytest.mark.parametrize("length", [0xFFFFFFF0, 0xFFFFFFFF])
def test_a_header_that_claims_gigabytes_takes_no_memory(length: int) -> None:
    whole = make_header(100)
    file = _Counting(whole[:16] + struct.pack("<I", length) + whole[20:])
    assert read_header(file) is None
    assert file.most <= 64


def test_a_format_chunk_of_any_length_is_passed_over(tmp_path: Path) -> None:
    whole = make_header(100)
    for extra in (0, 2, 24, 25, 1001):
        padded = bytes(extra + extra % 2)
        head = whole[:16] + struct.pack("<I", 16 + extra) + whole[20:36] + padded + whole[36:]
        header = read_header(io.BytesIO(head))
        assert header is not None
        assert header.is_ours
        assert (header.start, header.declared_bytes) == (len(head), 200)
