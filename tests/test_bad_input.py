"""What cannot be opened, or only in part: one clear sentence each, and nothing left behind."""

from __future__ import annotations

import io
import os
import re
import struct
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from soundfiles import RATE, encode, encoded, tone, video

from nbasr import Recording, probe, settings
from nbasr.errors import AudioError, AudioWarning


def refusal(source: Any, **how: Any) -> str:
    """Return the one sentence with which `source` is refused."""
    with pytest.raises(AudioError) as caught:
        Recording.open(source, **how)
    said = str(caught.value)
    assert "\n" not in said
    assert said[-1] in ".?"
    assert "Errno" not in said
    return said


def warning(source: Any) -> tuple[Recording, str]:
    """Return the recording and the one sentence with which it is opened all the same."""
    with pytest.warns(AudioWarning) as caught:
        recording = Recording.open(source)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    return recording, str(caught[0].message)


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


# ---- files that are not there, or are no recordings


def test_a_missing_file_names_a_sibling_that_may_be_meant(tmp_path: Path) -> None:
    encode(tmp_path / "Meeting 01.wav")
    said = refusal(tmp_path / "meeting_01.wav")
    assert said == (
        f"There is no file 'meeting_01.wav' in {tmp_path}. Did you mean 'Meeting 01.wav'?"
    )
    assert refusal(tmp_path / "zzz.flac") == f"There is no file 'zzz.flac' in {tmp_path}."
    assert refusal(tmp_path / "no" / "x.wav") == (
        f"There is no folder {tmp_path / 'no'}, so no x.wav in it."
    )


def test_a_folder(tmp_path: Path) -> None:
    assert "is a folder; pass the recordings in it" in refusal(tmp_path)


def test_an_empty_file_and_empty_bytes(tmp_path: Path) -> None:
    assert refusal(written(tmp_path / "x.wav", b"")).startswith("x.wav is empty (0 bytes)")
    assert "are empty" in refusal(b"")
    assert "is empty" in refusal(io.BytesIO())


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"Dear diary,\nthis is no sound.\n" * 50, "holds text, not sound, whatever its name says"),
        ("今天天气很好。\n".encode() * 700, "holds text, not sound"),
        (b"<!doctype html><html><body>404</body></html>", "holds a web page, not sound"),
        (b"PK\x03\x04" + bytes(500), "is not a recording but a ZIP archive"),
        (b"\x89PNG\r\n\x1a\n" + bytes(500), "is not a recording but a picture"),
        (b"MThd" + bytes(500), "notes, not sound"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "run git lfs pull"),
        (bytes(5000), "holds nothing but zeros"),
        (np.random.default_rng(0).bytes(5000), "in no format that is known here, or damaged"),
    ],
)
def test_what_is_no_recording_is_named(tmp_path: Path, data: bytes, what: str) -> None:
    for name in ("x.wav", "x.mp3"):
        said = refusal(written(tmp_path / name, data))
        assert said.startswith(name)
        assert what in said


def test_random_bytes_never_become_sound_because_of_a_name(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    for number, ending in enumerate(("mp3", "aac", "g722", "sln", "raw", "ac3", "amr", "dts")):
        refusal(written(tmp_path / f"{number}.{ending}", random.bytes(20_000)))


def test_no_audio_stream(tmp_path: Path) -> None:
    said = refusal(video(tmp_path / "silent film.mp4", []))
    assert said == "silent film.mp4 has no sound: there is only video in it."


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_refused_rather_than_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    assert "is not a regular file" in refusal(tmp_path / "pipe.wav")


@pytest.mark.parametrize("source", [None, 5, {"a": 1}, object()])
def test_what_is_no_source_at_all(source: Any) -> None:
    assert "pass a path, a URL, bytes, a file object or (array, rate)" in refusal(source)


def test_a_file_object_opened_as_text(tmp_path: Path) -> None:
    with written(tmp_path / "x.txt", b"text").open() as file:
        assert refusal(file) == "x.txt is open as text; open it with mode 'rb'."


# ---- files that are cut short or damaged


def test_a_truncated_wav_is_read_up_to_the_break(tmp_path: Path) -> None:
    data = encoded("wav", "pcm_s16le", tone(10.0))
    path = written(tmp_path / "x.wav", data[: len(data) * 3 // 10])
    recording, said = warning(path)
    assert said == (
        "x.wav is cut short: its sound ends at 0:03.0 of the 0:10.0 that it declares; what is "
        "there was read."
    )
    assert recording.duration == pytest.approx(3.0, abs=0.05)
    assert warning(path)[1] == said  # from the cache, too


def test_a_truncated_wav_that_is_mapped_as_it_is(tmp_path: Path) -> None:
    data = encoded("wav", "pcm_s16le", tone(10.0, 16000), rate=16000, layout="mono")
    recording, said = warning(written(tmp_path / "x.wav", data[: len(data) * 3 // 10]))
    assert "ends at 0:03.0 of the 0:10.0" in said
    assert len(recording.read()) == len(recording.samples)


@pytest.mark.parametrize(
    ("form", "codec"),
    [("flac", "flac"), ("mp3", "libmp3lame"), ("webm", "libopus"), ("aiff", "pcm_s16be")],
)
def test_other_truncated_files_are_read_up_to_the_break(form: str, codec: str) -> None:
    random = np.random.default_rng(0)
    noise = (0.1 * random.standard_normal(480_000)).astype(np.float32)
    data = encoded(form, codec, noise, rate=48000)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        recording = Recording.open(data[: len(data) // 2])
    assert any("is cut short: its sound ends at 0:0" in str(one.message) for one in caught)
    assert all(
        "of the 0:10.0" in str(one.message) or "damaged" in str(one.message) for one in caught
    )
    assert recording.duration == pytest.approx(5.0, abs=0.5)


def test_a_truncated_m4a_lacks_its_index(tmp_path: Path) -> None:
    data = encoded("ipod", "aac", tone(10.0))
    said = refusal(written(tmp_path / "x.m4a", data[: len(data) // 2]))
    assert said.startswith("x.m4a is cut short: its index (moov), which comes last, is missing")


def test_a_truncated_m4a_with_its_index_first(tmp_path: Path) -> None:
    path = encode(tmp_path / "x.m4a", "aac", tone(10.0), options={"movflags": "faststart"})
    data = path.read_bytes()
    with pytest.warns(AudioWarning, match=r"is cut short: its sound ends at 0:0\d\.\d of the 0:10"):
        recording = Recording.open(data[: len(data) * 6 // 10])
    assert 3.0 < recording.duration < 8.0


def test_whole_files_of_every_kind_give_no_warning() -> None:
    for form, codec in (("wav", "pcm_s16le"), ("flac", "flac"), ("mp3", "libmp3lame"),
                        ("adts", "aac"), ("ipod", "aac"), ("ogg", "libopus"), ("webm", "libopus"),
                        ("mpegts", "aac"), ("avi", "libmp3lame"), ("asf", "wmav2"),
                        ("ogg", "flac"), ("matroska", "flac")):  # fmt: skip
        rate = 48000 if codec == "libopus" else RATE
        data = encoded(form, codec, tone(12.3, rate), rate=rate, codec_options={"b": "128000"})
        recording = Recording.open(data)
        assert recording.duration == pytest.approx(12.3, abs=0.2), form


def test_a_wav_streamed_by_a_program_declares_no_length(tmp_path: Path) -> None:
    data = bytearray(encoded("wav", "pcm_s16le", tone(2.0)))
    at = data.index(b"data") + 4
    for length in (0, 0xFFFFFFFF, 0x7FFFFFFF):
        data[4:8] = data[at : at + 4] = struct.pack("<I", length)
        recording = Recording.open(written(tmp_path / f"{length}.wav", bytes(data)))
        assert recording.duration == pytest.approx(2.0, abs=0.01)


@pytest.mark.parametrize(
    ("form", "codec"), [("mp3", "libmp3lame"), ("ipod", "aac"), ("flac", "flac")]
)
def test_damaged_packets_become_silence_and_are_counted(
    tmp_path: Path, form: str, codec: str
) -> None:
    random = np.random.default_rng(0)
    sound = (0.1 * random.standard_normal(RATE * 20)).astype(np.float32)
    options = {"movflags": "faststart"} if form == "ipod" else {}
    path = encode(tmp_path / "x", codec, sound, form=form, options=options)
    data = bytearray(path.read_bytes())
    for at in random.integers(len(data) // 4, len(data) - 9999, 40):
        data[at : at + 32] = random.bytes(32)
    with pytest.warns(AudioWarning) as caught:
        recording = Recording.open(bytes(data))
    assert re.match(
        r"bytes is damaged: \d+ packets? could not be decoded and became silence\.",
        str(caught[0].message),
    )
    assert len(caught) == 1
    assert recording.duration == pytest.approx(20.0, abs=0.3)
    level = np.sqrt(np.mean(recording.read() ** 2))
    assert 0.01 < level < 0.12  # damage is not heard as noise


def test_times_after_damage_stay_true(tmp_path: Path) -> None:
    sound = np.concatenate([tone(10.0, hertz=300), tone(10.0, hertz=1000)])
    data = bytearray(encode(tmp_path / "x.flac", "flac", sound).read_bytes())
    data[30000:48000] = np.random.default_rng(0).bytes(18000)
    recording = Recording.open(bytes(data))
    assert recording.duration == pytest.approx(20.0, abs=0.01)
    crossings = np.diff(np.signbit(recording.read(10.0, 10.5))).sum()
    assert crossings == pytest.approx(1000, abs=10)
    assert np.diff(np.signbit(recording.read(9.4, 9.9))).sum() == pytest.approx(300, abs=10)


def test_a_header_without_sound(tmp_path: Path) -> None:
    for rate, layout in ((RATE, "stereo"), (16000, "mono")):
        data = encoded("wav", "pcm_s16le", tone(1.0, rate), rate=rate, layout=layout)
        path = written(tmp_path / "x.wav", data[: data.index(b"data") + 8])
        assert refusal(path) == "x.wav has a header but no sound after it; get a whole copy."


def test_half_a_header(tmp_path: Path) -> None:
    said = refusal(written(tmp_path / "x.wav", encoded("wav", "pcm_s16le")[:30]))
    assert said == "x.wav is damaged or cut short in its header; get a whole copy."


def test_0_hz_and_0_channels(tmp_path: Path) -> None:
    data = bytearray(encoded("wav", "pcm_s16le"))
    data[24:28] = bytes(4)
    assert "declares 2 channels at 0 Hz" in refusal(written(tmp_path / "x.wav", bytes(data)))
    data[22:24] = bytes(2)
    assert "declares 0 channels at 0 Hz" in refusal(written(tmp_path / "x.wav", bytes(data)))


def test_nan_and_infinity_in_a_file_become_silence() -> None:
    sound = tone(2.0)
    data = bytearray(encoded("wav", "pcm_f32le", sound, layout="mono"))
    at = data.index(b"data") + 8
    for sample, value in ((1000, np.nan), (2000, np.inf), (2001, -np.inf)):
        data[at + 4 * sample : at + 4 * sample + 4] = np.float32(value).tobytes()
    recording, said = warning(bytes(data))
    assert said == "bytes is damaged: 3 samples were NaN or infinite and became silence."
    assert np.sqrt(np.mean(recording.read(1.0) ** 2)) == pytest.approx(0.177, rel=0.01)


# ---- files that must not be read


def test_encrypted_mpeg_4_is_refused(tmp_path: Path) -> None:
    options = {
        "encryption_scheme": "cenc-aes-ctr",
        "encryption_key": "00112233445566778899aabbccddeeff",
        "encryption_kid": "a7e61c373e219033c21091fa607bf3b8",
    }
    path = written(tmp_path / "x.mp4", encoded("mp4", "aac", options=options))
    assert refusal(path) == (
        "x.mp4 is encrypted (DRM), so its sound cannot be read; get a copy without protection."
    )


def test_protected_itunes_and_windows_media_files_are_refused(tmp_path: Path) -> None:
    music = encoded("ipod", "aac").replace(b"mp4a", b"drms", 1)
    assert "is encrypted (DRM)" in refusal(written(tmp_path / "x.m4p", music))
    media = bytearray(encoded("asf", "wmav2", codec_options={"b": "128000"}))
    lock = bytes.fromhex("fbb31122 23bdd211 b4b700a0 c955fc6e")
    media[30:30] = lock + struct.pack("<Q", 24)  # an object of its own in the header
    assert "is encrypted (DRM)" in refusal(written(tmp_path / "x.wma", bytes(media)))


@pytest.mark.parametrize(
    "playlist",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{secret}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{secret}'\n",
        "[playlist]\nFile1={secret}\n",
        '<?xml version="1.0"?><MPD type="static"><BaseURL>{secret}</BaseURL></MPD>',
        "<asx version='3.0'><ref href='{secret}'/></asx>",
    ],
)  # fmt: skip
def test_playlists_cannot_make_other_files_be_read(tmp_path: Path, playlist: str) -> None:
    secret = encode(tmp_path / "secret.wav")
    for name in ("x.wav", "x.m3u8", "x.mp4"):
        said = refusal(written(tmp_path / name, playlist.format(secret=secret).encode()))
        assert said == f"{name} is a playlist; open the recordings that it names one by one."


def test_ffmpeg_protocols_are_not_addresses(tmp_path: Path, monkeypatch: Any) -> None:
    encode(tmp_path / "secret.wav")
    monkeypatch.chdir(tmp_path)
    for name in (
        "concat:secret.wav|secret.wav",
        "file:secret.wav",
        "subfile,,start,0,end,0,,:secret.wav",
    ):
        assert "There is no f" in refusal(name)


def test_ffmpeg_says_nothing_on_the_terminal(tmp_path: Path) -> None:
    files = [written(tmp_path / "a.mp3", bytes(100) + encoded("mp3", "libmp3lame")[200:-99]),
             written(tmp_path / "b.m4a", encoded("ipod", "aac")[:3000]),
             written(tmp_path / "c.flac", encoded("flac", "flac")[:-5000])]  # fmt: skip
    code = (
        "import sys, warnings, nbasr; warnings.simplefilter('ignore')\n"
        "for name in sys.argv[1:]:\n"
        "    try: nbasr.Recording.open(name)\n"
        "    except nbasr.errors.AudioError: pass\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *files], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


# ---- arrays


@pytest.mark.parametrize("array", [np.zeros(16000), np.zeros((2, 16000)), [0.0] * 100])
def test_an_array_without_its_rate(array: Any) -> None:
    assert "pass (array, rate), such as (array, 16000)" in refusal(array)


def test_a_tensor_without_its_rate() -> None:
    import torch

    assert "pass (array, rate)" in refusal(torch.zeros(16000))


@pytest.mark.parametrize(
    ("array", "rate", "what"),
    [
        (np.array([0.0, np.nan, np.nan, np.inf] * 1000), 16000,
         "holds 2,000 NaN and 1,000 infinite values among 4,000 samples"),
        (np.zeros((3, 2, 16000)), 16000, "has 3 dimensions; pass (samples,)"),
        (np.zeros(()), 16000, "has 0 dimensions"),
        (np.zeros((100, 100)), 16000, "does not tell its channels from its samples"),
        (np.zeros((500, 300)), 16000, "does not tell its channels from its samples"),
        (np.zeros(0), 16000, "holds no samples"),
        (np.zeros(16000), 0, "A rate of 0 Hz is not possible"),
        (np.zeros(16000), -16000, "A rate of -16000 Hz is not possible"),
        (np.zeros(16000), float("nan"), "A rate of nan Hz is not possible"),
        (np.zeros(16000), "fast", "A rate of 'fast' Hz is not possible"),
        (16000, np.zeros(16000), "in that order: the samples first"),
        (np.zeros(16000, np.int64), 16000, "int64 has no full scale"),
        (np.zeros(16000, np.complex64), 16000, "complex64 has no full scale"),
        (np.zeros(16000, bool), 16000, "bool has no full scale"),
        (np.full(16000, 12000.0), 16000, "floats reach 12000, but full scale of floats is 1"),
        ([[0.0] * 100, [0.0] * 99], 16000, "channels differ in length"),
    ],
)  # fmt: skip
def test_arrays_that_cannot_be_sound(array: Any, rate: Any, what: str) -> None:
    assert what in refusal((array, rate))


# ---- addresses


class Server(BaseHTTPRequestHandler):
    """Answers as the path says."""

    sound = b""
    release: threading.Event

    def do_GET(self) -> None:
        getattr(self, self.path.strip("/").partition(".")[0])()

    def log_message(self, *given: object) -> None:
        pass

    def _say(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def missing(self) -> None:
        self._say(404)

    def page(self) -> None:
        self._say(200, b"<html><body>Please log in</body></html>", Content_Type="audio/wav")

    def elsewhere(self) -> None:
        self._say(302, Location="file:///etc/passwd")

    def circle(self) -> None:
        self._say(302, Location="/circle")

    def honest(self) -> None:
        self._say(200, self.sound, Content_Length=str(len(self.sound)))

    def silent(self) -> None:
        self._say(200, self.sound)

    def broken(self) -> None:
        self._say(200, self.sound[:5000], Content_Length=str(len(self.sound)))

    def nothing(self) -> None:
        self._say(200, Content_Length="0")

    def garbage(self) -> None:
        self.wfile.write(b"what?\r\n\r\n")

    def slow(self) -> None:
        self._say(200, self.sound[:1000], Content_Length=str(len(self.sound)))
        self.release.wait(10)

    def mute(self) -> None:
        self.release.wait(10)


@pytest.fixture
def address() -> Iterator[str]:
    """Return the address of a server on this machine."""
    Server.sound = encoded("wav", "pcm_s16le")
    Server.release = threading.Event()
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        Server.release.set()
        server.shutdown()


@contextmanager
def limit(**limits: float) -> Iterator[None]:
    before = {name: getattr(settings.current(), name) for name in limits}
    for name, value in limits.items():
        setattr(settings.current(), name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(settings.current(), name, value)


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("missing.wav", r"missing\.wav could not be fetched: the server answers 404 \(Not Found\)"),
        ("page.wav", r"page\.wav holds a web page, not sound"),
        ("elsewhere.wav", r"could not be fetched"),
        ("circle.wav", r"could not be fetched"),
        ("broken.wav", r"broken\.wav broke off after 5,000 bytes of \d+,\d+; try again"),
        ("nothing.wav", r"nothing\.wav is empty: the server sent 0 bytes"),
        ("garbage.wav", r"garbage\.wav could not be fetched"),
    ],
)
def test_addresses_that_give_no_recording(address: str, path: str, what: str) -> None:
    assert re.match(f".*{what}", refusal(address + path))


def test_an_address_where_nobody_answers(address: str) -> None:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # bound, but not listening
        said = refusal(f"http://user:secret@127.0.0.1:{free.getsockname()[1]}/x.wav?key=secret")
    assert said.startswith("x.wav could not be fetched (Connection refused)")
    assert "secret" not in said


@pytest.mark.parametrize("url", ["ftp://host/x.wav", "file:///etc/passwd", "rtsp://host/x"])
def test_other_schemes_are_refused(url: str) -> None:
    scheme = url.partition(":")[0]
    assert refusal(url).startswith(f"Only http and https addresses are fetched, not {scheme}")


def test_a_recording_larger_than_the_limit(address: str) -> None:
    with limit(url_max_mb=0.1):
        said = refusal(address + "honest.wav")
        assert "is too large: it has 353 kB, and url_max_mb allows 100 kB" in said
        assert "too large: it has more" in refusal(address + "silent.wav")
    assert Recording.open(address + "silent.wav").duration == pytest.approx(2.0, abs=0.01)


@pytest.mark.parametrize("path", ["slow.wav", "mute.wav"])
def test_a_server_slower_than_the_time_limit(address: str, path: str) -> None:
    with limit(url_timeout=0.2):
        said = refusal(address + path)
    assert said.startswith(f"{path} could not be fetched within 0.2 s; raise url_timeout")


def test_nothing_of_a_failed_fetch_stays(address: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("NBASR_CACHE", str(tmp_path / "cache"))
    for path in ("page.wav", "broken.wav", "missing.wav"):
        refusal(address + path)
    assert list((tmp_path / "cache" / "recordings").iterdir()) == []


# ---- a cache that cannot be written


def test_an_unwritable_cache(tmp_path: Path, monkeypatch: Any) -> None:
    written(tmp_path / "file", b"")
    monkeypatch.setenv("NBASR_CACHE", str(tmp_path / "file" / "cache"))
    for source in (encoded("wav", "pcm_s16le"), encode(tmp_path / "x.wav"), io.BytesIO(b"abc")):
        said = refusal(source)
        assert said.startswith(f"The cache folder {tmp_path / 'file' / 'cache'} cannot be written")
        assert said.endswith("set NBASR_CACHE to a folder that can.")


def in_little_room(tmp_path: Path, source: Path) -> subprocess.CompletedProcess[str]:
    """Open `source` in a process that may write files of 100 kB at most."""
    code = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "import nbasr\n"
        "try: nbasr.Recording.open(sys.argv[1])\n"
        "except nbasr.errors.AudioError as error: print(error)\n"
    )
    return subprocess.run(
        [sys.executable, "-c", code, str(source)],
        env={**os.environ, "NBASR_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=True,
    )


@pytest.mark.parametrize("make", [
    lambda path: encode(path.with_suffix(".wav"), sound=tone(10.0)),
    lambda path: encode(path.with_suffix(".flac"), "flac", tone(10.0)),
])  # fmt: skip
def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    pytest.importorskip("resource")
    done = in_little_room(tmp_path, make(tmp_path / "long"))
    assert re.fullmatch(
        r"There is no room for the decoded sound of long\.\w+ in the cache folder .*cache; free "
        r"some space, or set NBASR_CACHE to a folder on another disk\.\n",
        done.stdout,
    )
    assert done.stderr == ""
    assert list((tmp_path / "cache" / "recordings").iterdir()) == []


def test_probe_refuses_with_the_same_sentences(tmp_path: Path) -> None:
    path = written(tmp_path / "x.wav", b"text " * 100)
    with pytest.raises(AudioError) as caught:
        probe(path)
    assert str(caught.value) == refusal(path)
