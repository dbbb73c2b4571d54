"""The cache of decoded recordings: found again, shared, bounded, and mended."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from soundfiles import encode, encoded, speechlike, tone

from nbasr import Recording, settings
from nbasr.audio import cache, decode
from nbasr.errors import AudioError
from nbasr.options import Options


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the entries in a cache of the test's own."""
    monkeypatch.setenv("NBASR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "recordings"


def age(path: Path, seconds: float = 60.0) -> Path:
    """Make a file older: one that has just been written is read again, as it may still change."""
    past = time.time() - seconds
    os.utime(path, (past, past))
    return path


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_an_entry_is_a_wav_file_with_levels_and_facts(folder: Path) -> None:
    recording = Recording.open(encoded("flac", "flac", tone(3.0)))
    entry = folder / recording.fingerprint
    assert entries(entry) == ["about.json", "levels.npz", "sound.wav"]
    about = json.loads((entry / "about.json").read_text())
    assert about["samples"] == len(recording.samples) == 48000
    with (entry / "sound.wav").open("rb") as file:
        assert file.read(4) == b"RIFF"


def test_the_same_content_is_decoded_once(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = encoded("flac", "flac")
    first = Recording.open(data)
    monkeypatch.setattr("nbasr.audio._opening.decode", None)  # calling it would raise
    (tmp_path / "other name.mp3").write_bytes(data)
    second = Recording.open(tmp_path / "other name.mp3")
    assert second == first
    assert (second.name, second.path) == ("other name.mp3", tmp_path / "other name.mp3")
    assert entries(folder) == [first.fingerprint]


def test_an_unchanged_file_is_not_even_read_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = age(encode(tmp_path / "x.flac", "flac"))
    first = Recording.open(path)
    monkeypatch.setattr("nbasr.audio.sources.Content.digest", None)
    assert Recording.open(path) == first


def test_a_changed_file_of_the_same_size_and_time_is_seen(folder: Path, tmp_path: Path) -> None:
    path = age(encode(tmp_path / "x.wav", sound=tone(hertz=300)))
    first = Recording.open(path)
    before = path.stat()
    encode(path, sound=tone(hertz=500))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert Recording.open(path) != first


def test_a_large_file_known_by_its_content_stops_decoding(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nbasr.audio._opening._HASHED_FIRST", 0)
    first = Recording.open(encode(tmp_path / "a.wav", sound=speechlike(60.0)))
    blocks = 0
    add = decode.Writer.add

    def counted(self: Any, *given: Any) -> None:
        nonlocal blocks
        blocks += 1
        for thread in threading.enumerate():
            if thread.name == "nbasr-hash":
                thread.join()
        add(self, *given)

    monkeypatch.setattr(decode.Writer, "add", counted)
    (tmp_path / "b.wav").write_bytes((tmp_path / "a.wav").read_bytes())
    assert Recording.open(tmp_path / "b.wav") == first
    assert blocks <= 1  # of some twenty
    assert entries(folder) == [first.fingerprint]


@pytest.fixture
def limits() -> Iterator[Options]:
    """Return the options, to set ``cache_gb``; it is put back."""
    options = settings.current()
    before = options.cache_gb
    yield options
    options.cache_gb = before


def opened_and_let_go(hertz: int) -> str:
    """Put a recording of 64 kB into the cache that nothing holds any more; return its entry."""
    return Recording.open((tone(2.0, 16000, hertz), 16000)).fingerprint


def test_what_was_not_used_for_longest_goes_first(folder: Path, limits: Options) -> None:
    limits.cache_gb = 220e3 / 1e9  # room for three
    opened = []
    for number in range(3):
        opened.append(opened_and_let_go(300 + number))
        age(folder / opened[-1] / "about.json", 1000 - number)
    opened_and_let_go(300)  # uses the oldest
    newest = opened_and_let_go(900)
    assert entries(folder) == sorted([opened[0], opened[2], newest])
    limits.cache_gb = 0.0
    last = Recording.open((tone(2.0, 16000, 1000), 16000))
    assert entries(folder) == [last.fingerprint]  # never the one just made
    assert len(last.read()) == 32000


def test_what_is_still_in_use_stays_however_small_the_cache(folder: Path, limits: Options) -> None:
    limits.cache_gb = 0.0
    opened = [Recording.open((tone(2.0, 16000, hertz), 16000)) for hertz in (300, 400)]
    opened[0] = pickle.loads(pickle.dumps(opened[0]))  # holds it as well
    third = Recording.open((tone(2.0, 16000, 500), 16000))
    assert [len(recording.read()) for recording in (*opened, third)] == [32000] * 3
    del opened, third
    last = opened_and_let_go(600)
    assert entries(folder) == [last]


def test_a_damaged_entry_goes_first(folder: Path, limits: Options) -> None:
    limits.cache_gb = 150e3 / 1e9  # room for two
    damaged, whole = opened_and_let_go(300), opened_and_let_go(400)
    (folder / damaged / "about.json").unlink()
    age(folder / whole / "about.json", 1000)
    newest = opened_and_let_go(500)
    assert entries(folder) == sorted([whole, newest])


def test_an_entry_that_the_system_keeps_stays_whole(
    folder: Path, limits: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits.cache_gb = 150e3 / 1e9  # room for two
    opened = [opened_and_let_go(hertz) for hertz in (300, 400)]
    for number, name in enumerate(opened):
        age(folder / name / "about.json", 1000 - number)
    rename = Path.rename

    def refused(path: Path, target: Path) -> Path:
        if path.name == opened[0]:  # as Windows does with what is mapped
            raise PermissionError(13, "in use", str(path))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refused)
    newest = opened_and_let_go(500)
    assert entries(folder) == sorted([opened[0], newest])  # the next older one makes the room
    assert entries(folder / opened[0]) == ["about.json", "levels.npz", "sound.wav"]


def test_a_recording_survives_its_eviction(folder: Path, tmp_path: Path) -> None:
    from_file = Recording.open(encode(tmp_path / "x.flac", "flac"))
    from_bytes = Recording.open(encoded("flac", "flac", tone(1.0)))
    mapped = from_file.samples
    fresh = pickle.loads(pickle.dumps(from_file))
    for name in entries(folder):
        cache._remove(folder / name)
    assert np.array_equal(fresh.samples, mapped)  # decoded anew, while the old map still holds
    with pytest.raises(AudioError, match=r"bytes was dropped from the cache .* raise cache_gb"):
        from_bytes.read()


@pytest.mark.parametrize(
    "damage", ["no sound", "short sound", "no about", "bad about", "no levels"]
)
def test_a_damaged_entry_is_made_anew(folder: Path, damage: str) -> None:
    data = encoded("flac", "flac")
    first = Recording.open(data)
    expected = np.array(first.samples)
    entry = folder / first.fingerprint
    what, name = damage.split()
    path = next(entry.glob(f"{name}*"))
    if what == "no":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:100])
    again = Recording.open(data)
    assert np.array_equal(again.samples, expected)
    assert again.levels().duration == 2.0
    assert entries(entry) == ["about.json", "levels.npz", "sound.wav"]
    assert entries(folder) == [first.fingerprint]


def test_damaged_levels_are_measured_again(folder: Path) -> None:
    recording = Recording.open((tone(1.0, 16000), 16000))
    expected = recording.levels().rms_db
    (folder / recording.fingerprint / "levels.npz").write_bytes(b"PK nonsense")
    again = Recording.open((tone(1.0, 16000), 16000))
    assert np.array_equal(again.levels().rms_db, expected)


def test_two_processes_decode_the_same_file_at_once(folder: Path, tmp_path: Path) -> None:
    path = encode(tmp_path / "x.flac", "flac", speechlike(60.0))
    code = (
        "import sys, nbasr\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "recording = nbasr.Recording.open(sys.argv[1])\n"
        "print(recording.fingerprint, int(recording.samples.astype('i8').sum()))\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = {process.communicate()[0] for process in processes}
    assert [process.returncode for process in processes] == [0, 0, 0]
    recording = Recording.open(path)
    assert said == {f"{recording.fingerprint} {int(recording.samples.astype('i8').sum())}\n"}
    assert entries(folder) == [recording.fingerprint]


def test_the_loser_of_a_race_uses_the_winners_entry(folder: Path) -> None:
    data = encoded("flac", "flac")
    made: list[Recording] = []

    def write(sound: Path, levels: Path) -> dict[str, Any]:
        made.append(Recording.open(data))  # somebody else is faster
        about = json.loads((folder / made[0].fingerprint / "about.json").read_text())
        for name, path in (("sound.wav", sound), ("levels.npz", levels)):
            path.write_bytes((folder / made[0].fingerprint / name).read_bytes())
        return {**about, "codec": "of the loser"}

    entry = cache.make(lambda: made[0].fingerprint, "x", write)
    assert entry.about["codec"] == "flac"
    assert entries(folder) == [made[0].fingerprint]


def test_what_died_halfway_is_swept_up_later(folder: Path) -> None:
    cache.folder()
    for name, seconds in (("old", 100_000.0), ("young", 10.0)):
        unfinished = folder / f"{cache.UNFINISHED}{name}"
        unfinished.mkdir()
        age(encode(unfinished / "sound.wav"), seconds)
        age(unfinished, seconds)
    recording = Recording.open((tone(1.0, 16000), 16000))
    assert entries(folder) == sorted([f"{cache.UNFINISHED}young", recording.fingerprint])


def test_an_interrupt_leaves_nothing_behind(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(decode.Writer, "add", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Recording.open(encoded("flac", "flac", speechlike(20.0)))
    assert entries(folder) == []


def test_notes_of_files_go_with_their_entries(
    folder: Path, tmp_path: Path, limits: Options
) -> None:
    Recording.open(age(encode(tmp_path / "x.flac", "flac")))
    assert len(list((tmp_path / "cache" / "seen").iterdir())) == 1
    limits.cache_gb = 0.0
    Recording.open((tone(1.0, 16000), 16000))
    assert list((tmp_path / "cache" / "seen").iterdir()) == []


def test_a_file_that_grows_while_it_is_read_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = encode(tmp_path / "x.wav")
    finish = decode.Writer.finish

    def growing(self: Any) -> Any:
        with path.open("ab") as file:
            file.write(bytes(1000))
        return finish(self)

    monkeypatch.setattr(decode.Writer, "finish", growing)
    with pytest.raises(AudioError, match=r"x\.wav changed while it was read; open it when it is"):
        Recording.open(path)


def mapped(path: Path) -> Path:
    """Write a file that is used as it is: mono, 16 kHz, PCM16."""
    return encode(path, sound=speechlike(30.0, 16000), rate=16000, layout="mono")


def test_a_file_used_as_it_is_and_cut_short_since_is_told_not_fatal(
    folder: Path, tmp_path: Path
) -> None:
    path = mapped(tmp_path / "x.wav")
    code = (
        "import os, sys, nbasr\n"
        "recording = nbasr.Recording.open(sys.argv[1])\n"
        "recording.samples[320000], recording.read(20, 21)\n"
        "os.truncate(sys.argv[1], 44)\n"
        "for use in (lambda: recording.read(20, 21), lambda: recording.samples[320000]):\n"
        "    try:\n"
        "        use()\n"
        "    except nbasr.errors.AudioError as error:\n"
        "        print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "x.wav was changed since it was opened; open it again.\n" * 2


def test_a_file_used_as_it_is_and_written_over_since_is_told(folder: Path, tmp_path: Path) -> None:
    path = age(mapped(tmp_path / "x.wav"))
    recording = Recording.open(path)
    expected = recording.read(20.0, 21.5)
    assert np.array_equal(expected, recording.samples[320000:344000] / np.float32(32768))
    age(path, 30)
    assert np.array_equal(recording.read(20.0, 21.5), expected)  # only its time has changed
    with path.open("r+b") as file:
        file.seek(-1000, os.SEEK_END)
        file.write(bytes(1000))
    with pytest.raises(AudioError, match=r"x\.wav was changed since it was opened; open it again"):
        recording.read(0.0, 1.0)
