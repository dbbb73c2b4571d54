"""Opening, reading, showing and saving recordings."""

from __future__ import annotations

import io
import pickle
import re
import threading
import tracemalloc
import warnings
import wave
from fractions import Fraction
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import av
import numpy as np
import pytest
from soundfiles import RATE, encode, encoded, speechlike, tone, video

import nbasr
from nbasr import Recording
from nbasr.audio.levels import Levels
from nbasr.errors import AudioError, AudioWarning, OptionError

CODECS = {
    "wav": ("wav", "pcm_s16le"),
    "wav24": ("wav", "pcm_s24le"),
    "wav_float": ("wav", "pcm_f32le"),
    "wav_double": ("wav", "pcm_f64le"),
    "wav_u8": ("wav", "pcm_u8"),
    "wav_s64": ("wav", "pcm_s64le"),
    "mulaw": ("wav", "pcm_mulaw"),
    "mp3": ("mp3", "libmp3lame"),
    "m4a": ("mp4", "aac"),
    "alac": ("ipod", "alac"),
    "flac": ("flac", "flac"),
    "opus": ("ogg", "libopus"),
    "webm": ("webm", "libopus"),
    "aiff": ("aiff", "pcm_s16be"),
}


def pitch(samples: np.ndarray, rate: int = 16000) -> float:
    """Return the strongest frequency."""
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(power.argmax() * rate / len(samples))


@pytest.mark.parametrize("kind", CODECS)
def test_every_codec_gives_the_same_mono_16_khz_sound(kind: str) -> None:
    form, codec = CODECS[kind]
    rate = 48000 if codec == "libopus" else RATE
    recording = Recording.open(encoded(form, codec, tone(2.0, rate), rate=rate))
    assert recording.samples.dtype == np.int16
    assert recording.duration == pytest.approx(2.0, abs=0.06)
    assert (recording.sample_rate, recording.channels) == (rate, 2)
    middle = recording.read(0.5, 1.5)
    assert pitch(middle) == pytest.approx(440, abs=1)
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.25 / np.sqrt(2), rel=0.06)


@pytest.mark.parametrize(
    ("layout", "form", "codec"),
    [("mono", "wav", "pcm_f32le"), ("stereo", "wav", "pcm_f32le"), ("5.1", "wav", "pcm_f32le"),
     ("5.1", "flac", "flac"), ("5.1", "ipod", "alac"), ("hexadecagonal", "wav", "pcm_s16le")],
)  # fmt: skip
def test_channels_are_mixed_by_their_mean(layout: str, form: str, codec: str) -> None:
    recording = Recording.open(encoded(form, codec, tone(), layout=layout))
    level = np.sqrt(np.mean(recording.read(0.5, 1.5) ** 2))
    assert level == pytest.approx(0.25 / np.sqrt(2), rel=0.06)


@pytest.mark.parametrize(("channels", "layout"), [(8, "7.1"), (16, "hexadecagonal")])
def test_more_planes_than_pyav_can_tell_are_read_safely(channels: int, layout: str) -> None:
    sounds = np.stack([tone(1.0, 48000, 200.0 + 100 * channel) for channel in range(channels)])
    options = {"mapping_family": "255"}
    data = encoded("ogg", "libopus", sounds, rate=48000, layout=layout, codec_options=options)
    recording = Recording.open(data, channel=7)
    assert recording.channels == channels
    assert pitch(recording.read(0.25, 0.75)) == pytest.approx(900, abs=3)


def test_channel_picks_one_talker() -> None:
    data = encoded("wav", "pcm_s16le", np.stack([tone(hertz=300), tone(hertz=1000)]))
    left, right = Recording.open(data, channel=0), Recording.open(data, channel=1)
    assert pitch(left.read(0.5, 1.5)) == pytest.approx(300, abs=1)
    assert pitch(right.read(0.5, 1.5)) == pytest.approx(1000, abs=1)
    assert len({left, right, Recording.open(data)}) == 3


def test_a_missing_channel_or_stream_says_how_many_there_are() -> None:
    data = encoded("wav", "pcm_s16le")
    with pytest.raises(OptionError, match=r"bytes has 2 channels, counted from 0; .*no channel 2"):
        Recording.open(data, channel=2)
    with pytest.raises(OptionError, match=r"1 audio stream, counted from 0; .*no stream 1"):
        Recording.open(data, stream=1)
    with pytest.raises(OptionError, match="channel is a whole number"):
        Recording.open(data, channel=-1)


def test_a_video_gives_its_first_sound_and_stream_picks_another(tmp_path: Path) -> None:
    path = video(tmp_path / "talk.mp4", [tone(hertz=300), tone(hertz=1000)])
    assert pitch(Recording.open(path).read(0.5, 1.5)) == pytest.approx(300, abs=1)
    assert pitch(Recording.open(path, stream=1).read(0.5, 1.5)) == pytest.approx(1000, abs=1)
    assert nbasr.probe(path).streams == 2


def timed(target: Path, codec: str, frames: list[tuple[float, np.ndarray]], picture: bool) -> Path:
    """Write sounds at their times (s), beside a picture from 0 s if asked."""
    with av.open(str(target), "w") as container:
        screen = container.add_stream("mpeg4", rate=10) if picture else None
        sound = container.add_stream(codec, rate=48000, layout="mono")
        if screen is not None:
            screen.width = screen.height = 64
            screen.pix_fmt = "yuv420p"
            still = av.VideoFrame(64, 64, "yuv420p")
            still.pts, still.time_base = 0, Fraction(1, 10)
            container.mux(screen.encode(still))
            container.mux(screen.encode(None))
        for start, samples in frames:
            for at in range(0, len(samples), 960):
                part = np.ascontiguousarray(samples[None, at : at + 960])
                frame = av.AudioFrame.from_ndarray(part, format="flt", layout="mono")
                frame.sample_rate, frame.time_base = 48000, Fraction(1, 48000)
                frame.pts = round(start * 48000) + at
                container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    return target


def test_a_gap_that_a_recorder_left_is_silence(tmp_path: Path) -> None:
    low, high = tone(2.0, 48000, 300), tone(2.0, 48000, 1000)
    path = timed(tmp_path / "gap.mka", "pcm_s16le", [(0.0, low), (5.0, high)], picture=False)
    recording = Recording.open(path)
    assert recording.duration == pytest.approx(7.0, abs=0.05)
    assert np.abs(recording.read(2.1, 4.9)).max() == 0
    assert pitch(recording.read(5.2, 6.8)) == pytest.approx(1000, abs=2)


def test_a_gap_of_twenty_minutes_takes_no_memory(tmp_path: Path) -> None:
    low, high = tone(0.4, 48000, 300), tone(0.4, 48000, 1000)
    spoken = [(0.0, low), (1200.0, high)]
    path = timed(tmp_path / "gap.mka", "pcm_s16le", spoken, picture=False)
    tracemalloc.start()
    try:
        recording = Recording.open(path)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert recording.duration == pytest.approx(1200.4, abs=0.1)
    assert peak_bytes < 40e6  # the gap alone is 230 MB of float32


def test_sound_that_begins_after_the_picture_keeps_its_times(tmp_path: Path) -> None:
    path = timed(tmp_path / "late.mkv", "pcm_s16le", [(3.0, tone(2.0, 48000))], picture=True)
    recording = Recording.open(path)
    assert recording.duration == pytest.approx(5.0, abs=0.05)
    assert np.abs(recording.read(0.0, 2.9)).max() == 0
    assert np.abs(recording.read(3.0, 3.1)).max() > 0.2


def test_the_content_decides_the_format_never_the_name(tmp_path: Path) -> None:
    path = tmp_path / "really.wav"
    path.write_bytes(encoded("mp3", "libmp3lame"))
    assert Recording.open(path).codec == "mp3"


@pytest.mark.parametrize("name", ["会议 记录.wav", "🎙️ talk.wav", "it's 100% 'quoted' & so.wav"])
def test_names_in_any_script_open(tmp_path: Path, name: str) -> None:
    recording = Recording.open(encode(tmp_path / name))
    assert recording.name == name
    assert recording.duration == pytest.approx(2.0, abs=0.01)


def test_every_kind_of_source_gives_the_same_recording(tmp_path: Path) -> None:
    from IPython.display import Audio

    path = encode(tmp_path / "same.wav")
    data = path.read_bytes()
    stream = io.BytesIO(data)
    stream.seek(0, io.SEEK_END)  # as one is left after it was written
    with path.open("rb") as file:
        sources = [path, str(path), data, bytearray(data), memoryview(data), stream, file,
                   Audio(data=data), Audio(filename=str(path))]  # fmt: skip
        opened = [Recording.open(source) for source in sources]
    opened.append(Recording.open(opened[0]))
    assert len({recording.fingerprint for recording in opened}) == 1
    assert all(np.array_equal(opened[0].samples, other.samples) for other in opened)


def test_a_url_is_fetched(tmp_path: Path) -> None:
    encode(tmp_path / "über talk.wav")

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *given: object) -> None:
            super().__init__(*given, directory=str(tmp_path))

        def log_message(self, *given: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/%C3%BCber%20talk.wav?key=secret"
        recording = Recording.open(address)
        server.shutdown()
    assert recording == Recording.open(tmp_path / "über talk.wav")
    assert recording.name == "über talk.wav"
    assert recording.path is None


@pytest.mark.parametrize(
    "array",
    [
        tone(1.0, 16000),
        tone(1.0, 16000).astype(np.float64),
        tone(1.0, 16000).astype(np.float16),
        (tone(1.0, 16000) * 2**15).astype(np.int16),
        (tone(1.0, 16000) * 2**15).astype(">i2"),
        (tone(1.0, 16000).astype(np.float64) * 2**31).astype(np.int32),
        (tone(1.0, 16000) * 127 + 128).astype(np.uint8),
        (tone(1.0, 16000) * 127).astype(np.int8),
        (tone(1.0, 16000) * 2**15 + 2**15).astype(np.uint16),
        np.stack([tone(1.0, 16000)] * 2),
        np.stack([tone(1.0, 16000)] * 2, axis=1),
        np.stack([tone(1.0, 16000)] * 6, axis=1),
        tone(1.0, 16000).tolist(),
    ],
    ids=lambda array: f"{getattr(array, 'dtype', 'list')}{getattr(array, 'shape', '')}",
)
def test_arrays_are_scaled_by_their_type_and_their_short_axis_is_channels(array: object) -> None:
    recording = Recording.open((array, 16000))
    assert recording.duration == 1.0
    assert np.abs(recording.read() - tone(1.0, 16000)).max() < 0.01


def test_arrays_are_resampled() -> None:
    recording = Recording.open((tone(2.0, 22050), 22050.0))
    assert recording.duration == pytest.approx(2.0, abs=1e-3)
    assert pitch(recording.read(0.5, 1.5)) == pytest.approx(440, abs=1)


def test_a_torch_tensor_with_its_rate_opens() -> None:
    import torch

    sound = torch.from_numpy(tone(1.0, 16000)).requires_grad_()
    expected = Recording.open((tone(1.0, 16000), 16000))
    assert Recording.open((sound, 16000)) == expected
    halves = Recording.open((sound.to(torch.bfloat16), torch.tensor(16000)))
    assert np.abs(halves.read() - expected.read()).max() < 0.01


def test_int16_arrays_at_16_khz_come_back_exactly() -> None:
    random = np.random.default_rng(0)
    array = random.integers(-32768, 32767, 50_000, dtype=np.int16, endpoint=True)
    assert np.array_equal(Recording.open((array, 16000)).samples, array)


def test_samples_are_rounded_not_truncated() -> None:
    array = np.array([0.6, -0.6, 1.4, -1.4] * 100, np.float32) / 32768
    assert Recording.open((array, 16000)).samples[:4].tolist() == [1, -1, 1, -1]


def test_floats_over_full_scale_are_clipped_and_told() -> None:
    with pytest.warns(AudioWarning, match=r"exceeds full scale by 6\.0 dB: 1,000 samples were cl"):
        recording = Recording.open((np.full(1000, -2.0, np.float32), 16000))
    assert recording.samples.min() == -32768
    loud = encoded("wav", "pcm_f32le", tone(level=1.5))
    with pytest.warns(AudioWarning, match="exceeds full scale by 3.5 dB"):
        Recording.open(loud)


def test_integers_at_full_scale_give_no_warning() -> None:
    square = np.sign(tone(1.0, RATE)) * 0.9999  # the resampler's ripple passes full scale
    recording = Recording.open(encoded("wav", "pcm_s16le", square.astype(np.float32)))
    assert recording.samples.max() == 32767
    assert recording.problems == ()


def test_read_returns_seconds_as_floats_and_checks_its_range() -> None:
    recording = Recording.open((tone(2.0, 16000), 16000))
    part = recording.read(0.5, 1.25)
    assert part.dtype == np.float32
    assert part.shape == (12000,)
    assert np.array_equal(part, recording.samples[8000:20000] / np.float32(32768))
    assert len(recording.read(1.5, 99.0)) == 8000
    assert len(recording.read(2.0)) == 0
    for start, stop in ((-0.1, None), (2.1, None), (float("nan"), None)):
        with pytest.raises(OptionError, match="start is from 0 to 2 s"):
            recording.read(start, stop)
    for stop in (0.5, float("nan")):
        with pytest.raises(OptionError, match="stop is at least start, 1 s"):
            recording.read(1.0, stop)


def test_samples_are_a_read_only_map() -> None:
    recording = Recording.open((tone(1.0, 16000), 16000))
    assert isinstance(recording.samples, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        recording.samples[0] = 1


def test_levels_are_those_of_the_samples() -> None:
    recording = Recording.open(encoded("flac", "flac", speechlike(7.3)))
    expected = Levels.of(np.asarray(recording.samples))
    assert np.array_equal(recording.levels().rms_db, expected.rms_db)
    assert recording.levels().samples == len(recording.samples)


def test_a_wav_that_is_mono_16_khz_already_is_mapped_as_it_is(tmp_path: Path) -> None:
    path = encode(tmp_path / "ours.wav", sound=tone(1.0, 16000), rate=16000, layout="mono")
    recording = Recording.open(path)
    assert Path(recording.samples.filename) == path
    assert recording.levels().duration == 1.0
    with wave.open(str(path)) as file:
        assert recording.samples.tobytes() == file.readframes(file.getnframes())
    path.write_bytes(encode(io.BytesIO(), form="wav").getvalue())
    with pytest.raises(AudioError, match=r"ours\.wav was changed since it was opened"):
        pickle.loads(pickle.dumps(recording)).samples  # noqa: B018


def test_recordings_travel_by_pickle_and_are_equal_by_content(tmp_path: Path) -> None:
    first = Recording.open(encode(tmp_path / "a.flac", "flac"))
    second = Recording.open(encode(tmp_path / "b.flac", "flac"))
    assert first == second
    assert hash(first) == hash(second)
    assert first != "a.flac"
    first.samples, first.levels()
    sent = pickle.dumps(first)
    assert len(sent) < 4096
    assert np.array_equal(pickle.loads(sent).samples, second.samples)


def test_probe_says_what_is_declared_without_decoding(tmp_path: Path) -> None:
    data = encoded("mp4", "aac", tone(3.0), tags={"title": "Böard", "artist": "We"})
    path = tmp_path / "x.m4a"
    path.write_bytes(data)
    found = nbasr.probe(path)
    assert (found.name, found.sample_rate, found.channels, found.codec) == (
        "x.m4a", RATE, 2, "aac",
    )  # fmt: skip
    assert found.duration == pytest.approx(3.0, abs=0.01)
    assert found.tags["title"] == "Böard"
    assert "mp4" in found.format
    array = nbasr.probe((tone(1.0, 8000), 8000))
    assert (array.duration, array.codec) == (1.0, "float32 array")
    opened = nbasr.probe(Recording.open(path))
    assert (opened.codec, opened.tags["artist"]) == ("aac", "We")


def test_tags_in_any_encoding_do_no_harm() -> None:
    data = bytearray(encoded("wav", "pcm_s16le", tags={"title": "Caf_"}))
    at = data.index(b"Caf_") + 3
    data[at] = 0xE9  # é in Latin-1, no UTF-8
    assert Recording.open(bytes(data)).tags["title"].startswith("Caf")


def test_tags_cannot_be_changed() -> None:
    recording = Recording.open(encoded("flac", "flac", tags={"title": "one"}))
    assert recording.tags["title"] == "one"
    with pytest.raises(TypeError):
        recording.tags["title"] = "two"  # type: ignore[index]


def test_save_writes_wav_and_flac_that_read_back_exactly(tmp_path: Path) -> None:
    recording = Recording.open(encoded("wav", "pcm_s16le", speechlike(3.0)))
    for name in ("copy.wav", "copy.FLAC"):
        saved = recording.save(tmp_path / name)
        assert np.array_equal(Recording.open(saved).samples, recording.samples)
    with wave.open(str(tmp_path / "copy.wav")) as file:
        assert file.getparams()[:4] == (1, 2, 16000, len(recording.samples))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.FLAC", "copy.wav"]


def test_save_overwrites_only_when_asked(tmp_path: Path) -> None:
    recording = Recording.open((tone(1.0, 16000), 16000))
    target = tmp_path / "copy.wav"
    target.write_bytes(b"precious")
    with pytest.raises(AudioError, match=r"copy\.wav exists already; .* overwrite=True"):
        recording.save(target)
    assert target.read_bytes() == b"precious"
    recording.save(target, overwrite=True)
    assert Recording.open(target).duration == 1.0


@pytest.mark.parametrize(("start", "stop", "wrong"), [("a", None, "start"), (0, "2", "stop")])
def test_a_time_that_is_no_number_is_told(start: Any, stop: Any, wrong: str) -> None:
    recording = Recording.open((tone(1.0, 16000), 16000))
    with pytest.raises(OptionError, match=f"^{wrong} is a number of seconds, not '.'"):
        recording.read(start, stop)
    assert len(recording.read(np.float32(0.5), np.int64(1))) == 8000  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (b"abc", r"^The bytes hold text, not sound\.$"),
        ("", "^An empty path names no recording"),
        (
            "meeting",
            r'bundled recording of that name is opened by nbasr\.samples\.open\("meeting"\)',
        ),
    ],
)
def test_what_is_no_recording_is_told_in_its_own_words(source: Any, said: str) -> None:
    with pytest.raises(AudioError, match=said):
        Recording.open(source)


def test_save_says_what_it_cannot_do(tmp_path: Path) -> None:
    recording = Recording.open((tone(1.0, 16000), 16000))
    with pytest.raises(OptionError, match=r"as \.wav or \.flac, not as 'x\.mp3'"):
        recording.save(tmp_path / "x.mp3")
    with pytest.raises(AudioError, match=r"cannot be written \(No such file or directory\)"):
        recording.save(tmp_path / "nowhere" / "x.wav")
    assert recording.save(tmp_path).name == "array.wav"


def test_a_recording_can_be_saved_over_its_own_source(tmp_path: Path) -> None:
    path = encode(tmp_path / "ours.wav", sound=tone(1.0, 16000), rate=16000, layout="mono")
    recording = Recording.open(path)
    before = np.array(recording.samples)
    recording.save(path, overwrite=True)
    assert np.array_equal(Recording.open(path).samples, before)


def card(recording: Recording) -> str:
    html = recording._repr_mimebundle_()["text/html"]
    assert isinstance(html, str)
    return html


def test_the_card_is_well_formed_and_names_are_text(tmp_path: Path) -> None:
    name = "<script>alert(1)<&'\".wav" if Path("/").anchor == "/" else "&'.wav"
    data = encoded("mp3", "libmp3lame", speechlike(4.0))
    path = tmp_path / name
    path.write_bytes(data)
    recording = Recording.open(path)
    html = card(recording)
    ElementTree.fromstring(html.replace("<audio controls ", '<audio controls="" '))
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    bundle = recording._repr_mimebundle_()
    assert bundle["text/plain"].count("\n") == 0
    assert "0:04.0" in bundle["text/plain"]


def test_the_waveform_says_length_level_and_silence(tmp_path: Path) -> None:
    html = card(Recording.open((speechlike(20.0, 16000), 16000)))
    told = re.search(r'<svg role="img" aria-label="([^"]*)"', html)
    assert told is not None
    found = re.fullmatch(
        r"Waveform of 0:20\.0: level (-\d+) dBFS, highest peak (-\d+) dBFS, (\d+) % silence\.",
        told[1],
    )
    assert found is not None
    level, peak, silence = map(int, found.groups())
    assert level == pytest.approx(-16, abs=1)
    assert -4 <= peak <= 0
    assert silence == pytest.approx(40, abs=3)


@pytest.mark.parametrize(("sound", "silence"), [(tone(5.0, 16000), 0), (np.zeros(80000), 100)])
def test_a_steady_tone_is_no_silence_and_zeros_are(sound: np.ndarray, silence: int) -> None:
    assert f", {silence} % silence." in card(Recording.open((sound, 16000)))


def test_a_long_card_stays_small_and_plays_its_first_30_s() -> None:
    recording = Recording.open((speechlike(95.0, 16000), 16000))
    html = card(recording)
    assert "Plays the first 30 s of 1:35." in html
    assert len(html) < 180_000
    assert len(re.sub(r"base64,[^\"]*", "", html)) < 40_000
    assert "Plays the" not in card(Recording.open((speechlike(29.0, 16000), 16000)))


def test_the_player_holds_the_sound() -> None:
    from base64 import b64decode

    html = card(Recording.open((tone(2.0, 16000), 16000)))
    found = re.search(r'src="data:audio/mpeg;base64,([^"]*)"', html)
    assert found is not None
    heard = Recording.open(b64decode(found[1]))
    assert heard.codec == "mp3"
    assert pitch(heard.read(0.5, 1.5)) == pytest.approx(440, abs=1)


def test_colours_follow_the_theme_and_have_fallbacks() -> None:
    html = card(Recording.open((tone(1.0, 16000), 16000)))
    assert re.findall(r"(?:color|fill):(?!var\(--jp-[a-z0-9-]+, )", html) == []


def test_problems_are_on_the_card(tmp_path: Path) -> None:
    path = tmp_path / "short.wav"
    path.write_bytes(encoded("wav", "pcm_s16le", tone(10.0))[:600_000])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AudioWarning)
        recording = Recording.open(path)
    assert "is cut short" in card(recording)


def test_plot_is_a_small_figure_in_seconds() -> None:
    figure = Recording.open((speechlike(60.0, 16000), 16000)).plot()
    times = np.asarray(figure.data[0].x)
    assert times[0] == 0
    assert 59.5 < times[-1] < 60
    lowest, highest = (np.asarray(trace.y) for trace in figure.data)
    assert (lowest <= highest).all()
    assert highest.max() > 0.5
    assert len(figure.to_json()) < 150_000


@pytest.mark.data
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # librosa's, on Python before 3.13
def test_levels_equal_those_of_librosa_on_speech(data: Path) -> None:
    import librosa

    path = data / "speech" / "jfk" / "jfk.flac"
    expected, _ = librosa.load(path, sr=16000, mono=True)
    found = Recording.open(path).read()
    assert len(found) == pytest.approx(len(expected), abs=2)
    rms, wanted = (np.sqrt(np.mean(sound.astype(np.float64) ** 2)) for sound in (found, expected))
    assert rms == pytest.approx(wanted, rel=1e-3)


@pytest.mark.data
def test_one_clip_in_five_formats_has_one_length_and_level(data: Path) -> None:
    folder = data / "speech" / "jfk"
    opened = [Recording.open(path) for path in sorted(folder.glob("jfk*.*"))]
    assert len(opened) >= 4
    levels = [np.sqrt(np.mean(recording.read().astype(np.float64) ** 2)) for recording in opened]
    assert max(levels) / min(levels) < 1.05
