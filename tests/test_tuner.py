"""The tuner's side in the kernel: what it answers, and what Python can read and set."""

from __future__ import annotations

import itertools
import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from numpy.typing import NDArray
from pages import PATIENCE, Page, Reply

import nbasr
from nbasr import models, store
from nbasr.audio.recording import Recording
from nbasr.chunking import ChunkPlan, Fixed, Optimal, Silence, Vad, vad
from nbasr.errors import ModelError, NbasrError, OptionError
from nbasr.widgets import _forecast, _plan_data, _transcribing
from nbasr.widgets._tuner_settings import Settings
from nbasr.widgets._tuning import planned
from nbasr.widgets.tuner import ChunkTuner

pytestmark = pytest.mark.usefixtures("home")


Opener = Callable[..., Page]


@pytest.fixture
def opened(meeting: Recording) -> Iterator[Opener]:
    """Open tuners, and close them at the end."""
    panels = []

    def make(recording: Any = meeting, **given: Any) -> Page:
        panels.append(ChunkTuner(recording, **given))
        return Page(panels[-1])

    yield make
    for panel in panels:
        panel.close()
    models.unload_all()


def edges(plan: ChunkPlan) -> list[list[float]]:
    return [[chunk.start, chunk.stop] for chunk in plan.chunks]


def spans(reply: Reply) -> list[NDArray[np.float64]]:
    """Return what comes with a plan: chunks, speech, skipped, each (n, 2)."""
    return [np.frombuffer(one, np.float64).reshape(-1, 2) for one in reply.buffers]


def test_it_begins_with_the_plan_that_transcribe_would_make(
    opened: Opener, meeting: Recording
) -> None:
    page = opened()
    first = page.data("plan")
    assert page.panel.plan == Optimal().plan(meeting)
    assert first["settings"] == Settings().as_dict()
    assert (first["edited"], first["can_undo"], first["listening"]) == (False, False, None)


def test_a_plan_is_answered_with_all_that_is_drawn(opened: Opener, meeting: Recording) -> None:
    page = opened()
    reply = page.ask("plan", settings={"max_seconds": 12.0, "min_pause": 0.4})
    plan = Optimal(max_seconds=12, min_pause=0.4).plan(meeting)
    assert page.panel.plan == plan
    chunks, speech, skipped = spans(reply)
    assert chunks.tolist() == edges(plan)
    assert [tuple(span) for span in speech.tolist()] == list(plan.speech)
    assert [tuple(span) for span in skipped.tolist()] == list(plan.skipped)
    data = reply.data
    assert data["strategy"] == repr(Optimal(max_seconds=12, min_pause=0.4))
    assert data["chunks"] == len(plan) == sum(data["histogram"]["counts"])
    np.testing.assert_allclose(
        data["cuts"], [[cut.time, cut.pause, 0] for cut in plan.cuts], atol=1e-6
    )
    figures = data["figures"]
    assert figures["longest"] == plan.longest <= 12
    assert figures["speech"] == plan.speech_seconds
    assert figures["padding_in_order"] == plan.padding.in_order
    assert data["can_undo"]
    assert data["note"] == ""


def test_only_what_changed_need_be_told(opened: Opener) -> None:
    page = opened()
    page.ask("plan", settings={"max_seconds": 12.0})
    data = page.data("plan", settings={"margin": 0.3})
    assert (data["settings"]["max_seconds"], data["settings"]["margin"]) == (12, 0.3)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"min_seconds": 20.0}, "at most half of max_seconds"),
        ({"target_seconds": 50.0}, "target_seconds is between"),
        ({"threshold": "absolute", "threshold_value": 3.0}, "-100 to 0 dBFS"),
        ({"strategy": "fixed", "overlap": 20.0}, "less than half"),
        ({"loudness": 1}, "no setting 'loudness'"),
    ],
)
def test_what_is_impossible_comes_back_as_a_sentence_and_changes_nothing(
    opened: Opener, settings: dict[str, Any], said: str
) -> None:
    page = opened()
    before = page.data("plan")
    assert said in page.ask("plan", settings=settings).error
    assert page.data("plan")["settings"] == before["settings"]
    assert not page.data("plan")["can_undo"]


def test_nobody_speaking_is_told(opened: Opener) -> None:
    page = opened()
    loud = {"threshold": "absolute", "threshold_value": 0.0}
    reply = page.ask("plan", settings=loud, language="zh-CN")
    assert reply.data["chunks"] == 0
    assert "未找到语音" in reply.data["note"]
    assert [len(one) for one in spans(reply)] == [0, 0, 1]


def test_a_recording_without_sound_is_not_said_to_need_another_threshold(opened: Opener) -> None:
    page = opened((np.zeros(16_000, np.float32), 16_000))
    assert page.data("plan")["note"] == "The recording holds no sound."


def test_a_moving_slider_is_one_step_to_undo(opened: Opener) -> None:
    page = opened()
    before = page.panel.plan
    for longest in (25.0, 20.0, 15.0):
        page.ask("plan", settings={"max_seconds": longest}, final=False)
    versions = [page.data("plan", settings={"max_seconds": 14.0})["version"]]
    undone = page.data("edit", do="undo")
    assert undone["settings"]["max_seconds"] == 30
    assert page.panel.plan == before
    assert undone["can_redo"]
    assert not undone["can_undo"]
    redone = page.data("edit", do="redo")
    assert redone["settings"]["max_seconds"] == 14
    versions += [undone["version"], redone["version"]]
    assert versions == sorted(set(versions))
    assert "nothing to redo" in page.ask("edit", do="redo").error


def test_cuts_are_added_moved_locked_and_taken_away(opened: Opener) -> None:
    page = opened()
    count = len(page.panel.plan.cuts)
    added = page.data("edit", do="add", time=26.0)
    focus = added["focus"]
    assert added["cuts"][focus] == [26.0, 0.0, 1]
    assert added["edited"]
    moved = page.data("edit", do="move", index=focus, time=26.5)
    assert moved["cuts"][moved["focus"]][0] == 26.5
    unlocked = page.data("edit", do="unlock", index=focus)
    assert unlocked["cuts"][focus][2] == 0
    removed = page.data("edit", do="remove", index=focus)
    assert len(removed["cuts"]) == count
    assert "no cut 99" in page.ask("edit", do="remove", index=99).error
    assert "no edit 'paint'" in page.ask("edit", do="paint").error


def test_an_edit_is_of_the_cut_that_was_seen_or_of_none(opened: Opener) -> None:
    page = opened()
    seen = page.data("plan", settings={"max_seconds": 9.0})["cuts"]
    page.ask("plan", settings={"max_seconds": 14.0})  # a slider was ahead: other indices
    now = page.data("plan")["cuts"]
    gone = next(cut[0] for cut in seen if cut[0] not in [other[0] for other in now])
    same = next(index for index, cut in enumerate(seen) if cut[0] in [other[0] for other in now])
    reply = page.ask("edit", do="remove", index=0, at=gone)
    assert "no longer there" in reply.error
    assert page.data("plan")["cuts"] == now
    left = page.data("edit", do="remove", index=same, at=seen[same][0])["cuts"]
    assert [cut[0] for cut in left] == [cut[0] for cut in now if cut[0] != seen[same][0]]


def test_a_pause_of_just_the_shortest_length_is_not_a_short_one(opened: Opener) -> None:
    rng = np.random.default_rng(3)
    sound = np.zeros(16_000 * 30, np.float32)
    for start in range(30):  # 0.8 s of noise, 0.2 s of silence
        sound[start * 16_000 : start * 16_000 + 12_800] = rng.normal(0, 0.2, 12_800)
    page = opened((sound, 16_000), strategy=Optimal(max_seconds=3))
    figures = page.data("plan")["figures"]
    pauses = [cut.pause for cut in page.panel.plan.cuts]
    assert min(pauses) < 0.2 < min(pauses) + 1e-6  # as floats have it
    assert figures["short_pauses"] == 0
    assert "all in pauses" in str(page.panel.plan)


def test_padding_is_told_anew_when_the_batch_is_known(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = _forecast.forecast
    monkeypatch.setattr(_forecast, "forecast", lambda *given: replace(really(*given), batch_size=4))
    page = opened()
    page.ask("forecast")
    figures = page.event("plan").data["figures"]
    assert figures["batch_size"] == 4
    assert figures["padding_in_order"] == page.panel.plan.padding_in(4).in_order


def test_a_locked_cut_outlives_other_settings_until_the_plan_is_reset(opened: Opener) -> None:
    page = opened()
    page.ask("edit", do="add", time=26.0)
    data = page.data("plan", settings={"strategy": "silence", "max_seconds": 15.0})
    assert [time for time, _, locked in data["cuts"] if locked] == [26.0]
    assert page.panel.strategy == Silence(max_seconds=15, cuts=(26.0,))
    reset = page.data("edit", do="reset")
    assert not any(locked for *_, locked in reset["cuts"])
    assert reset["settings"]["max_seconds"] == 15
    assert page.data("edit", do="undo")["cuts"] == data["cuts"]


def test_a_chunk_made_too_long_by_hand_is_told(opened: Opener) -> None:
    page = opened()
    for _ in range(len(page.panel.plan.cuts)):
        data = page.data("edit", do="remove", index=0)
    assert data["too_long"] == [0]
    assert data["note"] == "One chunk is longer than 30 s."
    assert data["focus"] == -1


def test_python_sets_strategy_and_plan_and_the_browser_is_told(
    opened: Opener, meeting: Recording
) -> None:
    page = opened()
    panel = page.panel
    panel.strategy = Fixed(max_seconds=10, overlap=1)
    told = page.event("plan")
    assert spans(told)[0].tolist() == edges(panel.plan) == edges(panel.strategy.plan(meeting))
    assert told.data["settings"]["overlap"] == 1
    panel.strategy = "silence"
    assert page.event("plan").data["settings"]["strategy"] == "silence"
    mine = ChunkPlan.of(meeting, [(0, 20), (20, 41)])
    panel.plan = mine
    told = page.event("plan")
    assert told.data["edited"]
    assert told.data["strategy"] == "own"
    assert spans(told)[0].tolist() == [[0, 20], [20, 41]]
    assert panel.plan is mine


def test_the_plan_can_be_observed(opened: Opener) -> None:
    page = opened()
    seen: list[int] = []
    page.panel.observe(lambda change: seen.append(len(change["new"])), "plan")
    page.ask("plan", settings={"max_seconds": 12.0})
    page.ask("edit", do="remove", index=0)
    assert seen == [len(Optimal(max_seconds=12).plan(page.panel.recording)), seen[0] - 1]


def test_what_is_no_plan_of_the_recording_is_refused(opened: Opener, meeting: Recording) -> None:
    short = Recording.open((np.array(meeting.samples[:160_000]), 16_000))
    page = opened()
    before = page.panel.plan
    with pytest.raises(OptionError, match="another recording"):
        page.panel.plan = Optimal().plan(short)
    with pytest.raises(OptionError, match="another recording"):
        ChunkTuner(meeting, strategy=Optimal().plan(short))
    with pytest.raises(OptionError, match=r"tuner\.plan"):
        page.panel.strategy = object()  # type: ignore[assignment]
    with pytest.raises(OptionError, match="Did you mean 'optimal'"):
        page.panel.strategy = "optimum"
    assert page.panel.plan is before


def test_it_begins_with_what_is_given(opened: Opener, meeting: Recording) -> None:
    strategy = Silence(max_seconds=20, cuts=(26.0,))
    assert opened(strategy=strategy).panel.plan == strategy.plan(meeting)
    plan = ChunkPlan.of(meeting, [(0, 20), (20, 41)])
    assert opened(strategy=plan).panel.plan is plan
    assert opened(model="qwen3-asr-0.6b").panel.plan.max_seconds == 60
    with pytest.raises(ModelError, match="no model"):
        opened(model="whisper-smal")


def test_it_begins_with_the_settings_of_the_session(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    current = nbasr.settings.current()
    for name, value in {"chunking": "silence", "max_seconds": 9.0, "threshold_db": -45.0}.items():
        before = getattr(current, name)
        monkeypatch.setattr(current, name, value)
        assert before != value
    assert opened().panel.strategy == Silence(max_seconds=9, threshold_db=-45)


# -- The detector ---------------------------------------------------------------------------------


@pytest.fixture
def unheard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vad, "_heard", type(vad._heard)())


@pytest.mark.usefixtures("unheard")
def test_the_detector_hears_once_in_a_thread_and_then_only_the_threshold_moves(
    opened: Opener, meeting: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    runs = []
    really = vad.speech_probability

    def slowly(*given: Any) -> Any:
        runs.append(threading.current_thread().name)
        assert go_on.wait(PATIENCE)
        return really(*given)

    monkeypatch.setattr(vad, "speech_probability", slowly)
    page = opened()
    before = page.panel.plan
    first = page.data("plan", settings={"strategy": "vad"})
    assert first["listening"] == 0
    assert "is listening" in first["note"]
    assert first["settings"]["strategy"] == "vad"
    assert page.panel.plan is before
    later = page.data("plan", settings={"probability": 0.7})  # while it listens
    assert later["settings"] == {**first["settings"], "probability": 0.7}
    go_on.set()
    told = page.event("plan").data
    assert told["listening"] is None
    assert told["settings"]["probability"] == 0.7
    assert page.panel.plan == Vad(probability=0.7).plan(meeting)
    data = page.data("plan", settings={"probability": 0.4})
    assert data["strategy"] == repr(Vad(probability=0.4))
    assert runs == ["ChunkTuner listening_0"]
    assert page.data("edit", do="undo")["settings"]["probability"] == 0.7
    assert page.data("edit", do="undo")["settings"]["strategy"] == "optimal"


@pytest.mark.usefixtures("unheard")
def test_who_takes_another_strategy_meanwhile_is_not_taken_back(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, done = threading.Event(), threading.Event()
    really = vad.speech_probability

    def slowly(*given: Any) -> Any:
        assert go_on.wait(PATIENCE)
        return really(*given)

    monkeypatch.setattr(vad, "speech_probability", slowly)
    page = opened()
    page.ask("plan", settings={"strategy": "vad"})
    page.ask("plan", settings={"strategy": "fixed"})
    page.panel.aside(done.set, "listening")  # comes after the detector in its thread
    go_on.set()
    assert done.wait(PATIENCE)
    assert page.data("plan")["settings"]["strategy"] == "fixed"


@pytest.mark.usefixtures("unheard")
def test_a_detector_that_fails_is_told_and_the_form_goes_back(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> Any:
        raise ModelError("Finding speech needs silero-vad: pip install silero-vad")

    monkeypatch.setattr(vad, "speech_probability", fails)
    page = opened()
    page.ask("plan", settings={"strategy": "vad"})
    assert page.event("plan").data["settings"]["strategy"] == "optimal"
    assert "pip install silero-vad" in page.event("problem").error


@pytest.fixture
def deaf(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Let the detector wait until the event is set."""
    go_on = threading.Event()
    really = vad.speech_probability

    def slowly(*given: Any) -> Any:
        assert go_on.wait(PATIENCE)
        return really(*given)

    monkeypatch.setattr(vad, "_heard", type(vad._heard)())
    monkeypatch.setattr(vad, "speech_probability", slowly)
    yield go_on
    go_on.set()


def test_undo_takes_back_that_the_detector_was_asked(opened: Opener, deaf: threading.Event) -> None:
    page = opened()
    asked = page.data("plan", settings={"strategy": "vad"})
    assert asked["can_undo"]
    undone = page.data("edit", do="undo")
    assert undone["settings"]["strategy"] == "optimal"
    assert (undone["listening"], undone["can_undo"]) == (None, False)
    deaf.set()


def test_a_strategy_set_in_python_is_not_replaced_when_the_detector_is_done(
    opened: Opener, deaf: threading.Event
) -> None:
    page, done = opened(), threading.Event()
    page.ask("plan", settings={"strategy": "vad"})
    page.panel.strategy = Fixed(max_seconds=10)
    told = page.event("plan").data
    assert (told["settings"]["strategy"], told["listening"]) == ("fixed", None)
    page.panel.aside(done.set, "listening")
    deaf.set()
    assert done.wait(PATIENCE)
    assert page.panel.strategy == Fixed(max_seconds=10)


def test_the_detector_can_be_asked_again_after_it_failed(
    opened: Opener, deaf: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = vad.probability_of

    def fails(*_: Any) -> Any:
        raise ModelError("Finding speech needs silero-vad: pip install silero-vad")

    page = opened()
    monkeypatch.setattr(vad, "probability_of", fails)
    page.ask("plan", settings={"strategy": "vad"})
    assert page.event("plan").data["listening"] is None
    monkeypatch.setattr(vad, "probability_of", heard)
    deaf.set()
    page.ask("plan", settings={"strategy": "vad"})
    assert page.event("plan").data["settings"]["strategy"] == "vad"


@pytest.mark.usefixtures("unheard")
def test_a_closed_panel_stops_the_detector(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: queue.Queue[BaseException] = queue.Queue()
    closed = threading.Event()

    def endless(_: Any, tell: Any) -> Any:
        closed.wait(PATIENCE)
        try:
            tell(0.5)
        except Exception as error:
            ended.put(error)
            raise

    monkeypatch.setattr(vad, "speech_probability", endless)
    page = opened()
    page.ask("plan", settings={"strategy": "vad"})
    page.panel.close()
    closed.set()
    assert type(ended.get(timeout=PATIENCE)).__name__ == "_ClosedError"


@pytest.mark.usefixtures("unheard")
def test_the_detector_is_asked_in_python_too(opened: Opener, meeting: Recording) -> None:
    page = opened()
    page.panel.strategy = Vad(max_seconds=20)
    assert page.panel.plan == Vad(max_seconds=20).plan(meeting)
    assert vad.is_heard(meeting)


# -- Presets and code -----------------------------------------------------------------------------


def test_presets_are_saved_applied_and_deleted(opened: Opener) -> None:
    page = opened()
    page.ask("plan", settings={"max_seconds": 11.0, "margin": 0.4})
    saved = page.data("save_preset", name="Mine", language="zh")["presets"]
    assert saved[-1]["name"] == "Mine"
    assert saved[-1]["own"]
    assert saved[2]["text"] == "字幕，6 秒"
    page.ask("edit", do="add", time=26.0)
    applied = page.data("apply_preset", name="Subtitles, 6 s")
    assert applied["settings"]["max_seconds"] == 6
    assert [time for time, _, locked in applied["cuts"] if locked] == [26.0]
    assert page.data("apply_preset", name="Mine")["settings"]["margin"] == 0.4
    left = page.data("delete_preset", name="Mine")["presets"]
    assert not any(one["own"] for one in left)
    assert "no preset 'Mine'" in page.ask("apply_preset", name="Mine").error


def test_presets_are_there_in_python(opened: Opener) -> None:
    panel = opened().panel
    panel.save_preset("Mine")
    assert panel.presets()["Mine"] == Settings()
    panel.apply_preset("Subtitles, 6 s")
    assert panel.plan.max_seconds == 6
    panel.delete_preset("Mine")
    assert "Mine" not in panel.presets()


def test_a_broken_file_of_presets_is_told_in_the_panel(opened: Opener, home: Path) -> None:
    home.mkdir()
    (home / "presets.json").write_text("{")
    assert "presets.broken.json" in opened().data("presets")["note"]
    (home / "presets.json").write_text("{")
    with pytest.warns(UserWarning, match=r"presets\.broken1\.json"):
        opened().panel.presets()


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    """Give the shell that a kernel would have."""
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def test_the_cell_is_a_magic_only_where_that_is_loaded(
    opened: Opener, shell: InteractiveShell
) -> None:
    page = opened()
    assert page.data("code")["kind"] == "python"
    magic = page.data("code", kind="magic")
    assert (magic["kind"], magic["note"][:19]) == ("magic", "Run %load_ext nbasr")
    shell.run_line_magic("load_ext", "nbasr")
    assert page.data("code")["kind"] == "magic"
    assert page.data("code", kind="magic")["note"] == ""
    assert page.panel.code().startswith("%%transcribe")
    shell.run_line_magic("unload_ext", "nbasr")


def test_the_cell_is_answered_and_says_why_it_is_not_the_kind_asked_for(
    opened: Opener, shell: InteractiveShell
) -> None:
    shell.run_line_magic("load_ext", "nbasr")
    page = opened(model="sphinx")
    magic = page.data("code")
    assert magic["kind"] == "magic"
    assert magic["text"].startswith("%%transcribe --model sphinx --chunking optimal")
    assert magic["text"] == page.panel.code()
    page.ask("edit", do="remove", index=0)
    python = page.data("code", kind="magic")
    assert python["kind"] == "python"
    assert "placed by hand" in python["note"]
    with pytest.raises(OptionError, match="placed by hand"):
        page.panel.code("magic")


# -- Models ---------------------------------------------------------------------------------------


def test_models_to_choose_from_begin_with_the_automatic_and_resident_ones(
    opened: Opener, assets: Path
) -> None:
    page = opened()
    names = [name for name, _ in page.data("models")["choices"]]
    assert names == ["auto", "sphinx"]
    tiny = str((assets / "whisper-tiny-meeting").resolve())
    models.load(tiny)
    found = page.data("models", language="en")
    assert found["choices"][0] == ["auto", "Automatic: whisper-tiny-meeting"]
    assert found["choices"][1] == [tiny, "whisper-tiny-meeting (float32 on cpu, loaded)"]
    assert found["chosen"] == "auto"


def test_a_model_that_is_chosen_is_among_the_choices(opened: Opener) -> None:
    page = opened(model="whisper-large-v3")
    found = page.data("models")
    assert found["chosen"] == "whisper-large-v3"
    assert "whisper-large-v3" in dict(found["choices"])


def test_memory_is_foretold_without_the_model_and_time_once_it_has_run(
    opened: Opener, assets: Path, meeting: Recording
) -> None:
    tiny = str((assets / "whisper-tiny-meeting").resolve())
    page = opened()
    found = page.data("forecast", model=tiny)
    assert page.panel.model == tiny
    parts = found["weights_bytes"] + found["batch_bytes"]
    assert 0 < parts <= found["memory_bytes"] < found["free_bytes"]
    assert found["fits"]
    assert found["seconds"] is None
    assert "first run" in found["basis"]
    nbasr.transcribe(meeting, model=tiny, progress=False)
    again = page.data("forecast")
    speed, runs = store.speed(*_key(tiny)) or (0.0, 0)
    assert runs == 1
    held = sum(chunk.duration for chunk in page.panel.plan.chunks)
    assert again["seconds"] == pytest.approx(held / speed)
    assert "one earlier run" in again["basis"]


def _key(model: str) -> tuple[str, str]:
    from nbasr.models import _needs

    spec = _forecast.spec_of(model)
    return _needs.key(spec), _needs.device_name(spec.device)


def test_chunks_that_a_model_does_not_take_are_told(opened: Opener) -> None:
    page = opened(strategy=Optimal(max_seconds=45))
    found = page.data("forecast", model="whisper-small")
    assert found["chunks_too_long"] > 0
    assert "whisper-small takes chunks of up to 30 s" in found["note"]
    assert found["memory_bytes"] > found["weights_bytes"] > 4e8


def test_a_model_nobody_knows_is_told_in_a_sentence(opened: Opener) -> None:
    page = opened()
    assert "no model" in page.ask("forecast", model="whisper-smal").error
    assert page.panel.model == "auto"


def test_a_chunk_is_transcribed_and_its_text_kept(opened: Opener, assets: Path) -> None:
    tiny = str((assets / "whisper-tiny-meeting").resolve())
    page = opened(model=tiny)
    start, stop = edges(page.panel.plan)[0]
    found = page.data("transcribe", start=start, stop=stop)
    assert (found["start"], found["stop"], found["model"]) == (start, stop, "whisper-tiny-meeting")
    assert found["text"].startswith("good morning everyone and welcome")
    assert all(start <= first < last <= stop for first, last, _ in found["segments"])
    states = [told["state"] for told in page.events("progress")]
    assert states[0] in ("waiting", "loading")
    assert "running" in states
    assert page.panel.texts[start, stop].text == found["text"]
    assert page.data("texts")["texts"] == [found]
    assert found["text"].split()[0] in page.panel.still()


def test_a_draft_of_the_embedded_engine_says_so(opened: Opener) -> None:
    page = opened()
    found = page.data("transcribe", start=0.0, stop=8.0)
    assert found["model"] == "sphinx"
    assert any("draft" in note.lower() for note in found["notes"])


def test_what_is_not_on_this_machine_is_not_fetched_by_a_click(opened: Opener) -> None:
    reply = opened().ask("transcribe", start=0.0, stop=8.0, model="whisper-small")
    assert 'nbasr.models.load("whisper-small")' in reply.error


def test_transcribing_can_be_stopped(opened: Opener, assets: Path) -> None:
    tiny = str((assets / "whisper-tiny-meeting").resolve())
    page = opened(model=tiny)
    panel = page.panel
    told = panel.tell

    def stops(event: str, data: dict[str, Any], buffers: Any = ()) -> None:
        told(event, data, buffers)
        if event == "progress":
            panel._answer_stop(0.0, 60.0)

    panel.tell = stops  # type: ignore[method-assign]
    found = page.data("transcribe", start=0.0, stop=60.0)
    assert not found["complete"]
    assert found["text"] == ""
    assert "Stopped" in found["notes"][0]
    assert panel.texts == {}


def test_one_of_two_that_wait_is_stopped_and_the_other_goes_on(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = opened()
    panel = page.panel
    go_on = threading.Event()
    begun: list[float] = []
    really = _transcribing.recognised

    def slowly(*given: Any) -> Any:
        begun.append(given[2][0])
        assert go_on.wait(PATIENCE)
        return really(*given)

    monkeypatch.setattr(_transcribing, "recognised", slowly)
    first, second = (
        page.post("transcribe", start=start, stop=start + 6, model="sphinx") for start in (0.0, 8.0)
    )
    page.ask("stop_transcribing", start=8.0, stop=14.0)
    go_on.set()
    assert page.answer(first).data["complete"]
    assert not page.answer(second).data["complete"]
    assert list(panel.texts) == [(0.0, 6.0)]
    assert begun == [0.0, 8.0]


def test_a_stretch_is_cut_only_where_the_model_needs_it(meeting: Recording) -> None:
    plan = Optimal(max_seconds=12).plan(meeting)
    spans = _transcribing.spans
    assert spans(plan, (3.0, 9.0), 30.0) == [(3.0, 9.0)]
    assert spans(plan, (-1.0, 6.0), 30.0) == [(0.0, 6.0)]
    found = spans(plan, (3.0, 60.0), 30.0)
    assert found[0][0] == 3.0
    assert found[-1][1] <= 60.0
    inside = [chunk for chunk in plan.chunks if chunk.start > 3 and chunk.stop < 60]
    assert found[1:-1] == [(chunk.start, chunk.stop) for chunk in inside]
    shorter = spans(plan, (3.0, 60.0), 5.0)  # its chunks are too long as well
    assert all(last - first <= 5.0 for first, last in shorter)
    overlapping = Fixed(max_seconds=10, overlap=3).plan(meeting)
    pieces = spans(overlapping, (0.0, 60.0), 30.0)
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(pieces))
    for nothing in ((5.0, 5.05), (9.0, 3.0)):
        with pytest.raises(OptionError, match="Select"):
            spans(plan, nothing, 30.0)


def test_two_threads_may_need_transformers_first(assets: Path) -> None:
    """As the forecast and the first text of a fresh kernel do."""
    script = (
        "import threading, time\n"
        "from nbasr.engines._transformers import transformers\n"
        "found, ready = [], threading.Barrier(2)\n"
        "def use(wait):\n"
        "    ready.wait(); time.sleep(wait)\n"
        "    found.append(hasattr(transformers(), 'AutoConfig'))\n"
        "users = [threading.Thread(target=use, args=(wait,)) for wait in (0, 0.2)]\n"
        "for one in users: one.start()\n"
        "for one in users: one.join()\n"
        "assert found == [True, True], found\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# -- Figures and forms ----------------------------------------------------------------------------


@pytest.mark.parametrize("longest", [0.5, 3.0, 6.0, 30.0, 90.0])
def test_a_histogram_has_round_bins_that_hold_every_chunk(longest: float) -> None:
    lengths = np.linspace(0.1, longest, 37).tolist()
    found = _plan_data.histogram(lengths, longest)
    edges = np.array(found["edges"])
    assert edges[0] == 0
    assert edges[-1] >= longest
    assert 8 <= len(found["counts"]) <= 20
    assert sum(found["counts"]) == len(lengths)
    np.testing.assert_allclose(np.diff(edges), edges[1], atol=1e-6)


def test_no_chunks_have_a_histogram_too() -> None:
    found = _plan_data.histogram([], 30.0)
    assert sum(found["counts"]) == 0
    assert len(found["edges"]) == len(found["counts"]) + 1


def test_a_plan_of_an_hour_is_answered_before_anybody_notices(opened: Opener) -> None:
    hour, _ = nbasr.samples.long_meeting(60)
    page = opened(hour)
    took = []
    for longest in np.linspace(20, 30, 9):
        began = time.perf_counter()
        reply = page.ask("plan", settings={"max_seconds": float(longest)}, final=False)
        took.append(time.perf_counter() - began)
    assert len(json.dumps(reply.content)) + sum(one.nbytes for one in spans(reply)) < 60_000
    assert min(took) < 0.05  # 11 ms on a machine of its own


def test_what_is_saved_of_an_hour_is_small_and_reads_well(opened: Opener) -> None:
    hour, _ = nbasr.samples.long_meeting(60)
    shown = opened(hour).panel.still()
    assert len(shown) < 60_000
    assert "<svg" in shown
    assert "chunks of" in shown


def test_names_in_a_saved_panel_are_text(opened: Opener, meeting: Recording) -> None:
    bold = Recording.open(meeting.path)
    bold.name = "<b>bold</b>"
    assert "<b>bold" not in opened(bold).panel.still()


def test_every_state_has_a_repr(opened: Opener) -> None:
    panel = opened().panel
    assert repr(panel).startswith("<ChunkTuner <ChunkPlan of meeting.opus (1:40)")


def test_errors_are_of_nbasr() -> None:
    with pytest.raises(NbasrError):
        planned(Settings(min_seconds=20.0), lambda _: pytest.fail("not planned"))
