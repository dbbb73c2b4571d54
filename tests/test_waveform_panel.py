"""The waveform panel's side in the kernel: what is sent, what is refused, what stays when saved."""

from __future__ import annotations

import json
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbconvert import HTMLExporter

import nbasr
from nbasr.audio.levels import Levels
from nbasr.errors import AudioError, OptionError
from nbasr.widgets._sound import Sound, level_bytes, peak_bytes
from nbasr.widgets.waveform import Region, WaveformPanel


@pytest.fixture
def panel() -> Iterator[WaveformPanel]:
    made = WaveformPanel(nbasr.samples.open("meeting"))
    yield made
    made.close()


def amplitudes(sound: Sound) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Undo what `peak_bytes` did, as the browser does."""
    values = np.frombuffer(sound.peaks, np.int8).reshape(-1, 2).astype(float)
    return np.sign(values) * sound.peak * (values / 127) ** 2


# -- What is sent -----------------------------------------------------------------------------


def test_the_outline_never_leaves_out_what_is_loud(panel: WaveformPanel) -> None:
    exact = panel.recording.levels().peaks[0] / 32768
    sound = Sound.of(panel.recording)
    drawn = amplitudes(sound)
    sound.release()
    assert (drawn[:, 0] <= exact[:, 0] + 1e-6).all()
    assert (drawn[:, 1] >= exact[:, 1] - 1e-6).all()
    assert np.abs(drawn - exact).max() < 0.016 * sound.peak
    quiet = np.abs(exact) < 0.01
    assert np.abs(drawn - exact)[quiet].max() < 0.0016, "quiet sounds keep their shape"


@given(
    st.lists(st.tuples(st.integers(-32768, 32767), st.integers(0, 65535)), min_size=1, max_size=50)
)
def test_peaks_of_any_size_fit_into_bytes_and_grow_outwards(pairs: list[tuple[int, int]]) -> None:
    peaks = np.array([(low, min(low + more, 32767)) for low, more in pairs], np.int16)
    peak = float(np.abs(peaks.astype(float)).max()) / 32768
    values = peak_bytes(peaks, peak).astype(float)
    drawn = np.sign(values) * peak * (values / 127) ** 2
    assert np.abs(values).max() <= 127
    assert (drawn[:, 0] <= peaks[:, 0] / 32768 + 1e-5).all()
    assert (drawn[:, 1] >= peaks[:, 1] / 32768 - 1e-5).all()


@given(st.lists(st.floats(-100, 0, width=32), min_size=1, max_size=50))
def test_levels_come_back_within_a_fifth_of_a_decibel(levels: list[float]) -> None:
    rms_db = np.array(levels, np.float32)
    assert np.abs(level_bytes(rms_db) / 2.55 - 100 - rms_db).max() <= 0.2


def test_an_hour_takes_less_than_a_megabyte() -> None:
    levels = Levels.of(np.zeros(16000 * 60, np.int16))
    sent = peak_bytes(levels.peaks[0], 0.0).nbytes + level_bytes(levels.rms_db).nbytes
    assert 60 * sent < 0.9e6


def test_panels_on_one_recording_share_its_sound_until_the_last_is_closed() -> None:
    one = WaveformPanel(nbasr.samples.open("meeting"))
    other = WaveformPanel(nbasr.samples.path("meeting"))
    assert one.sound == other.sound
    held = Sound.of(one.recording)
    held.release()
    one.close()
    one.close()  # twice is once
    assert held.comm is not None, "the other panel still shows it"
    other.close()
    assert held.comm is None
    later = WaveformPanel(nbasr.samples.open("meeting"))
    assert later.sound != other.sound
    later.close()


def test_samples_are_the_recordings_own_and_end_where_it_ends(panel: WaveformPanel) -> None:
    samples = panel.recording.samples
    found = np.frombuffer(panel._samples(1000, 5000).buffers[0], "<i2")
    assert np.array_equal(found, samples[1000:6000])
    found = np.frombuffer(panel._samples(len(samples) - 10, 5000).buffers[0], "<i2")
    assert np.array_equal(found, samples[-10:])
    assert not panel._samples(len(samples) + 10**6, 5000).buffers[0]


@pytest.mark.parametrize(("first", "count"), [(-1, 10), (0, 2**20 + 1), (0, -5)])
def test_no_more_samples_are_sent_than_a_message_bears(
    panel: WaveformPanel, first: int, count: int
) -> None:
    with pytest.raises(OptionError, match="at most"):
        panel._samples(first, count)


def test_a_recording_whose_file_was_cut_short_is_an_answer_not_the_kernels_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "talk.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(nbasr.samples.open("meeting").samples[:64000].tobytes())
    panel = WaveformPanel(path)
    with path.open("rb+") as opened:
        opened.truncate(1000)
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(panel, "send", lambda content, buffers=None: told.append(content))
    panel._asked(None, {"ask": "samples", "number": "a:1", "first": 32000, "count": 16000}, [])
    assert told[0]["answer"] == "a:1"
    assert "talk.wav was changed since it was opened" in told[0]["error"]
    assert not told[0]["trace"], "a sentence is enough"
    panel.close()


def test_hosts_that_know_no_shared_models_are_sent_the_same(panel: WaveformPanel) -> None:
    answer = panel._sound_itself()
    sound = Sound.of(panel.recording)
    assert list(answer.buffers) == [sound.peaks, sound.levels, sound.floor_nodes]
    assert answer.data["fingerprint"] == panel.recording.fingerprint
    sound.release()


def test_a_tile_of_the_spectrogram_is_answered(panel: WaveformPanel) -> None:
    pytest.importorskip("librosa")
    assert len(panel._mel(10.0, 2.0, 64).buffers[0]) == 80 * 64


# -- What Python sets -------------------------------------------------------------------------


def test_a_selection_is_a_pair_of_seconds_that_reads_sound(panel: WaveformPanel) -> None:
    panel.selection = [np.float32(1.5), 3]
    assert panel.selection == (1.5, 3.0)
    assert panel.recording.read(*panel.selection).shape == (24000,)
    panel.selection = None
    assert panel.selection is None


@pytest.mark.parametrize("wrong", [(3, 1), (1, 1), (-1, 2), (0, 1e9), (1,), "ab", 5, (0, np.nan)])
def test_an_impossible_selection_is_refused_in_one_sentence(
    panel: WaveformPanel, wrong: Any
) -> None:
    panel.selection = (1, 2)
    with pytest.raises(OptionError, match=r"^A selection .*\.$"):
        panel.selection = wrong
    assert panel.selection == (1.0, 2.0)


def test_the_browsers_floats_may_pass_the_end_by_a_hair(panel: WaveformPanel) -> None:
    panel.set_state({"selection": [1.0, panel.recording.duration + 1e-7]})
    assert panel.selection == (1.0, panel.recording.duration)


def test_regions_are_sorted_values_whichever_way_they_come(panel: WaveformPanel) -> None:
    panel.regions = [(5, 6, "b"), Region(1, 2), {"start": 3, "stop": 4, "label": "a"}]
    expected = (Region(1.0, 2.0), Region(3.0, 4.0, "a"), Region(5.0, 6.0, "b"))
    assert panel.regions == expected
    state = panel.get_state("regions")["regions"]
    assert state[1] == {"start": 3.0, "stop": 4.0, "label": "a"}
    panel.set_state({"regions": state[:2]})
    assert panel.regions == expected[:2]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ([(2, 1)], "0 <= start < stop"),
        ([(0, 1e6)], "the recording's length"),
        ([(1,)], "A region is"),
        ([(1, 2, 3)], "label of a region is a text"),
        (["ab"], "A region is"),
        ("ab", "regions are a list"),
        ([("a", "b")], "in seconds"),
    ],
)
def test_impossible_regions_are_refused_and_change_nothing(
    panel: WaveformPanel, wrong: Any, told: str
) -> None:
    panel.regions = [(1, 2)]
    with pytest.raises(OptionError, match=told):
        panel.regions = wrong
    assert panel.regions == (Region(1.0, 2.0),)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("selection", [5, 2]),
        ("regions", [{"start": 3, "stop": 1, "label": ""}]),
        ("regions", [{"begin": 3}]),
        ("playhead", 1e9),
    ],
)
def test_what_a_browser_may_not_say_changes_nothing_and_is_told_there(
    panel: WaveformPanel, monkeypatch: pytest.MonkeyPatch, name: str, wrong: Any
) -> None:
    panel.set_state({"selection": [1, 2], "regions": [{"start": 1, "stop": 2, "label": "a"}]})
    before = getattr(panel, name)
    told: list[dict[str, Any]] = []
    seen: list[Any] = []
    monkeypatch.setattr(panel, "send", lambda content, buffers=None: told.append(content))
    monkeypatch.setattr(panel, "send_state", lambda key=None: seen.append(key))
    panel.observe(seen.append, name)
    panel.set_state({name: wrong})
    assert getattr(panel, name) == before
    assert seen == [name], "the browser hears what holds, and no callback what does not"
    assert [content["event"] for content in told] == ["problem"]


def test_what_a_callback_raises_is_shown_in_the_panel(
    panel: WaveformPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(panel, "send", lambda content, buffers=None: told.append(content))

    def broken(change: Any) -> None:
        raise ZeroDivisionError("in a callback")

    panel.observe(broken, "selection")
    panel.set_state({"selection": [1, 2]})
    assert panel.selection == (1.0, 2.0)
    assert told[0]["event"] == "problem"
    assert "in a callback" in told[0]["error"]
    assert "broken" in told[0]["trace"]


def test_an_answer_that_cannot_be_sent_is_an_error_that_can(
    panel: WaveformPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, Any]] = []

    def send(content: dict[str, Any], buffers: Any = None) -> None:
        json.dumps(content)
        told.append(content)

    monkeypatch.setattr(panel, "send", send)
    monkeypatch.setattr(panel, "_sound_itself", lambda: {"object": object()})
    panel._asked(None, {"ask": "sound", "number": "a:1"}, [])
    panel._asked(None, {"ask": "nothing", "number": "a:2"}, [])
    assert [content["answer"] for content in told] == ["a:1", "a:2"]
    assert "not JSON serializable" in told[0]["error"]
    assert "WaveformPanel answers no 'nothing'" in told[1]["error"]


def test_the_same_sound_in_another_file_keeps_its_own_name(tmp_path: Path) -> None:
    meeting = nbasr.samples.open("meeting")
    one, other = (meeting.save(tmp_path / name) for name in ("one.wav", "other.wav"))
    panels = WaveformPanel(one), WaveformPanel(other)
    assert panels[0].sound == panels[1].sound
    assert [panel.about["name"] for panel in panels] == ["one.wav", "other.wav"]
    for panel in panels:
        panel.close()


def test_showing_the_same_stretch_again_is_said_again(panel: WaveformPanel) -> None:
    panel.show(1, 2)
    before = list(panel.shown)
    panel.show(1, 2)
    assert panel.shown[:2] == before[:2] == [1.0, 2.0]
    assert panel.shown != before
    with pytest.raises(OptionError, match="What is shown"):
        panel.show(2, 1)
    with pytest.raises(OptionError, match="What is played"):
        panel.play(stop=1e9)
    with pytest.raises(OptionError, match="playhead is from 0"):
        panel.playhead = -1


def test_a_height_that_is_none_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(OptionError, match="height"):
        WaveformPanel(nbasr.samples.open("meeting"), height=5)
    with pytest.raises(AudioError):
        WaveformPanel("no such file.wav")
    assert not Sound._open


def test_other_settings_speak_the_language_that_was_asked_for() -> None:
    panel = WaveformPanel(nbasr.samples.open("meeting"), language="zh", regions=[(1, 2)])
    assert panel.language == "zh"
    assert "时长" in panel.still()
    assert "1.00 秒" in panel.still()
    panel.close()


def test_a_language_without_texts_is_refused_in_one_sentence(panel: WaveformPanel) -> None:
    with pytest.raises(OptionError, match=r"^language is one of en, zh, or '' .* not 'xx'\.$"):
        WaveformPanel(panel.recording, language="xx")


# -- What stays -------------------------------------------------------------------------------


def test_the_static_form_is_small_and_takes_labels_as_text(panel: WaveformPanel) -> None:
    panel.regions = [(at / 10, at / 10 + 1, f"<b>{at}</b>" * 40) for at in range(500)]
    still = panel.still()
    assert "<b>0" not in still
    assert "&lt;b&gt;0&lt;/b&gt;" in still
    assert "450 more regions" in still
    assert len(still) < 30_000


def test_a_saved_notebook_shows_the_waveform_without_a_kernel(panel: WaveformPanel) -> None:
    panel.regions = [(1, 2, "hello there")]
    data = panel._still_output()
    output = nbformat.v4.new_output("display_data", data)
    cell = nbformat.v4.new_code_cell("panel", outputs=[output])
    html, _ = HTMLExporter().from_notebook_node(nbformat.v4.new_notebook(cells=[cell]))
    assert "<svg" in html
    assert "hello there" in html
    assert data["text/plain"].startswith("WaveformPanel(Recording('meeting.opus', 1:40")
