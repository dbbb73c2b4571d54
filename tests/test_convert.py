"""Folders and lists of recordings into WAV files."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest
from soundfiles import encode, encoded, speechlike, tone

import nbasr
from nbasr.errors import AudioError


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def told(outcomes: tuple[nbasr.audio.convert.Outcome, ...]) -> dict[str, str]:
    return {outcome.source.name: outcome.note for outcome in outcomes}


def is_ours(path: Path) -> bool:
    with wave.open(str(path)) as file:
        return (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16000)


def test_a_folder_is_converted_beside_its_files(tmp_path: Path) -> None:
    encode(tmp_path / "one.mp3", "libmp3lame")
    encode(tmp_path / "会议 🎙️.flac", "flac")
    encode(tmp_path / "old.wav")
    encode(tmp_path / "ready.wav", sound=tone(1.0, 16000), rate=16000, layout="mono")
    (tmp_path / "notes.txt").write_text("no sound")
    (tmp_path / "broken.mp3").write_text("no sound either")
    (tmp_path / ".hidden.mp3").write_text("hidden")
    done = nbasr.convert(tmp_path)
    assert sorted(outcome.target.name for outcome in done.converted if outcome.target) == [
        "old_16k.wav", "one.wav", "会议 🎙️.wav",
    ]  # fmt: skip
    assert all(is_ours(outcome.target) for outcome in done.converted if outcome.target)
    assert told(done.failed) == {
        "broken.mp3": "broken.mp3 holds text, not sound, whatever its name says."
    }
    assert told(done.skipped) == {
        "notes.txt": "holds no recording",
        "ready.wav": "is mono 16 kHz 16-bit WAV already",
    }
    assert done.duration == pytest.approx(6.0, abs=0.1)


def test_converting_again_does_nothing(tmp_path: Path) -> None:
    encode(tmp_path / "one.mp3", "libmp3lame")
    encode(tmp_path / "two.wav")
    nbasr.convert(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    done = nbasr.convert(tmp_path)
    assert (done.converted, done.failed) == ((), ())
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    source = encode(tmp_path / "one.mp3", "libmp3lame")
    target = tmp_path / "one.wav"
    target.write_bytes(b"precious")
    done = nbasr.convert(source)
    assert told(done.skipped) == {"one.mp3": "one.wav exists already"}
    assert target.read_bytes() == b"precious"
    done = nbasr.convert(source, overwrite=True)
    assert len(done.converted) == 1
    assert is_ours(target)


def test_a_source_is_never_overwritten(tmp_path: Path) -> None:
    encode(tmp_path / "a.mp3", "libmp3lame", tone(1.0))
    wav = encode(tmp_path / "a.wav", sound=tone(2.0))
    before = wav.read_bytes()
    done = nbasr.convert(tmp_path, overwrite=True)
    assert wav.read_bytes() == before
    assert names(tmp_path) == ["a.mp3", "a.mp3.wav", "a.wav", "a_16k.wav"]
    assert len(done.converted) == 2


def test_two_sources_of_one_stem_get_two_files(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    encode(tmp_path / "in" / "x.mp3", "libmp3lame", tone(1.0))
    encode(tmp_path / "in" / "X.flac", "flac", tone(2.0))
    done = nbasr.convert(tmp_path / "in", tmp_path / "out")
    assert names(tmp_path / "out") == ["X.flac.wav", "x.mp3.wav"]
    lengths = sorted(nbasr.probe(outcome.target).duration or 0 for outcome in done.converted)
    assert lengths == pytest.approx([1.0, 2.0], abs=0.05)


def test_the_same_name_from_two_folders(tmp_path: Path) -> None:
    sources = []
    for number in (1, 2):
        (tmp_path / str(number)).mkdir()
        sources.append(encode(tmp_path / str(number) / "x.mp3", "libmp3lame", tone(float(number))))
    done = nbasr.convert(sources, tmp_path / "out")
    assert names(tmp_path / "out") == ["x.mp3-2.wav", "x.mp3.wav"]
    assert [round(outcome.duration) for outcome in done.converted] == [1, 2]


def test_folders_in_folders_only_when_asked(tmp_path: Path) -> None:
    deep = tmp_path / "in" / "deep"
    deep.mkdir(parents=True)
    encode(deep / "x.mp3", "libmp3lame")
    encode(tmp_path / "in" / "y.mp3", "libmp3lame")
    nbasr.convert(tmp_path / "in", tmp_path / "flat")
    assert names(tmp_path / "flat") == ["y.wav"]
    nbasr.convert(tmp_path / "in", tmp_path / "tree", recursive=True)
    assert names(tmp_path / "tree") == [str(Path("deep") / "x.wav"), "y.wav"]


def test_results_inside_the_folder_are_not_sources_of_the_next_run(tmp_path: Path) -> None:
    encode(tmp_path / "x.mp3", "libmp3lame")
    for _ in range(2):
        nbasr.convert(tmp_path, tmp_path / "out", recursive=True)
    assert names(tmp_path) == [str(Path("out") / "x.wav"), "x.mp3"]


def test_the_sound_is_the_one_that_open_gives(tmp_path: Path) -> None:
    source = encode(tmp_path / "x.flac", "flac", speechlike(5.0))
    nbasr.convert(source)
    expected = nbasr.Recording.open(source).samples
    assert np.array_equal(nbasr.Recording.open(tmp_path / "x.wav").samples, expected)


def test_a_damaged_source_is_converted_with_a_note(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(encoded("wav", "pcm_s16le", tone(10.0))[:600_000])
    done = nbasr.convert(path)
    assert "x.wav is cut short: its sound ends at 0:03.4" in done.converted[0].note
    assert "1 recording converted (0:03.4), 0 failed, 0 skipped\n  x.wav: x.wav is" in repr(done)


def test_a_named_source_that_is_not_there_raises_before_anything_is_done(tmp_path: Path) -> None:
    source = encode(tmp_path / "x.mp3", "libmp3lame")
    with pytest.raises(AudioError, match=r"no file 'y\.mp3' in .*Did you mean 'x\.mp3'"):
        nbasr.convert([source, tmp_path / "y.mp3"])
    assert names(tmp_path) == ["x.mp3"]


def test_a_named_file_that_is_no_recording_fails(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no sound")
    done = nbasr.convert([tmp_path / "notes.txt"])
    assert told(done.failed) == {
        "notes.txt": "notes.txt holds text, not sound, whatever its name says."
    }
    assert names(tmp_path) == ["notes.txt"]


def test_a_target_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    source = encode(tmp_path / "x.mp3", "libmp3lame")
    (tmp_path / "file").write_text("")
    done = nbasr.convert(source, tmp_path / "file" / "out")
    assert "cannot be made" in done.failed[0].note


def test_the_table_is_text(tmp_path: Path) -> None:
    source = tmp_path / "<b>&x.mp3"
    source.write_bytes(encoded("mp3", "libmp3lame"))
    html = nbasr.convert(source)._repr_html_()
    assert "<b>" not in html
    assert "&lt;b&gt;&amp;x.mp3" in html
    assert "1 recording converted (0:02.0), 0 failed, 0 skipped" in html
