"""The workbench in the kernel: recordings, plans, jobs and texts, and the panels that show them."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import traitlets
from pages import PATIENCE, Page

import nbasr
from nbasr.audio.recording import Recording
from nbasr.errors import AudioError, ModelError, OptionError
from nbasr.transcript import Segment, Transcript
from nbasr.widgets import _work_choices
from nbasr.widgets._panel import Panel
from nbasr.widgets.workbench import Workbench

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture(scope="module")
def short(meeting: Recording, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """Return the first ten seconds of the meeting, as a file."""
    path = tmp_path_factory.mktemp("recordings") / "short.wav"
    return Recording.open(Recording.open((meeting.read(0, 10), 16000)).save(path))


@pytest.fixture
def made() -> Iterator[Callable[..., Workbench]]:
    benches: list[Workbench] = []

    def make(*given: Any, **named: Any) -> Workbench:
        benches.append(nbasr.workbench(*given, **named))
        return benches[-1]

    yield make
    for bench in benches:
        if bench.job is not None:
            bench.job.stop()
            assert bench.job.wait(PATIENCE)
        bench.close()


def until(panel: Panel, true: Callable[[], Any]) -> None:
    """Wait until something is so, which a trait of the panel tells when it changes."""
    news = threading.Event()

    def told(_: Any) -> None:
        news.set()

    panel.observe(told, traitlets.All)
    try:
        while not true():
            assert news.wait(PATIENCE)
            news.clear()
    finally:
        panel.unobserve(told, traitlets.All)


def seen(bench: Workbench) -> dict[str, Any]:
    """Return what the browser shows of the chosen recording."""
    (found,) = (desk for desk in bench.desks if desk["key"] == bench.chosen)
    json.dumps(found, allow_nan=False)
    return found


def text(*lines: str) -> Transcript:
    segments = tuple(Segment(float(at), at + 0.9, line) for at, line in enumerate(lines))
    return Transcript(segments, duration=10.0, model="by hand")


# -- Traits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("tab", "nope", "tab is one of recording, cuts, transcript, models, not 'nope'."),
        ("precision", "int3", "not 'int3'. Did you mean 'int8'?"),
        ("timestamps", None, "timestamps is one of auto, segment, word, not None."),
    ],
)
def test_a_choice_that_there_is_not_is_refused_in_a_sentence(
    made: Callable[..., Workbench], name: str, value: Any, sentence: str
) -> None:
    bench = made()
    before = getattr(bench, name)
    with pytest.raises(OptionError, match=re.escape(sentence)):
        setattr(bench, name, value)
    assert getattr(bench, name) == before


def test_what_is_no_plan_and_no_transcript_is_refused_in_a_sentence(
    made: Callable[..., Workbench], short: Recording
) -> None:
    bench = made(short)
    before = bench.plan
    with pytest.raises(OptionError, match=r"^plan is a ChunkPlan, not 'x'\.$"):
        bench.plan = "x"
    with pytest.raises(OptionError, match=r"^plan is a ChunkPlan, not 'x'\.$"):
        bench.tuner.plan = "x"
    bench.transcript = text("one")
    with pytest.raises(OptionError, match=r"^transcript is a Transcript, not 3\.$"):
        bench.reader.transcript = 3  # type: ignore[assignment]
    assert (bench.plan, bench.transcript.text) == (before, "one")


def test_of_two_threads_that_tell_a_trait_none_tells_an_older_value_last(
    made: Callable[..., Workbench], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = made()
    sent: list[str] = []
    has_read, has_told = threading.Event(), threading.Event()
    get_state = bench.get_state

    def read_slowly(key: Any = None) -> dict[str, Any]:
        state: dict[str, Any] = get_state(key)
        if state.get("tab") == "cuts":
            has_read.set()
            has_told.wait(0.5)  # for the other one, if it does not wait for this one
        return state

    monkeypatch.setattr(bench, "get_state", read_slowly)
    monkeypatch.setattr(bench, "_send", lambda told, **_: sent.append(told["state"].get("tab")))
    first = threading.Thread(target=lambda: setattr(bench, "tab", "cuts"))
    first.start()
    assert has_read.wait(PATIENCE)
    bench.tab = "models"
    has_told.set()
    first.join()
    assert [one for one in sent if one] == ["cuts", "models"]


# -- Recordings -----------------------------------------------------------------------------------


def test_an_empty_workbench_brings_recordings_in(made: Callable[..., Workbench]) -> None:
    bench = made()
    assert (bench.recording, bench.recordings, bench.plan, bench.transcript, bench.job) == (
        None,
        (),
        None,
        None,
        None,
    )
    until(bench, lambda: "upload" in bench.panels)
    assert bench.panels["upload"] == f"anywidget:{bench.upload.model_id}"
    with pytest.raises(OptionError, match="no recording on the workbench"):
        _ = bench.tuner
    with pytest.raises(OptionError, match="no recording on the workbench"):
        bench.transcribe()


def test_what_is_given_is_there_and_the_last_is_chosen(
    made: Callable[..., Workbench], short: Recording, meeting: Recording
) -> None:
    bench = made([short.path, meeting])
    assert [one.name for one in bench.recordings] == ["short.wav", meeting.name]
    assert bench.recording is meeting
    assert seen(bench)["name"] == meeting.name
    bench.recording = str(short.path)
    assert bench.recording.name == "short.wav"
    assert len(bench.recordings) == 2, "the same file again is the same recording"
    with pytest.raises(OptionError, match="not taken away"):
        bench.recording = None
    with pytest.raises(AudioError):
        bench.recording = "nowhere.wav"
    assert bench.recording.name == "short.wav"


def test_what_is_uploaded_is_chosen_and_goes_with_its_row(
    made: Callable[..., Workbench], short: Recording, meeting: Recording
) -> None:
    bench = made(meeting)
    heard: list[Any] = []
    bench.observe(lambda change: heard.append(change["new"]), "recordings")
    bench.upload.add(str(short.path))
    until(bench, lambda: bench.recording.name == "short.wav")
    (row,) = bench.upload._arrivals.rows
    bench.upload._remove(row.id)
    until(bench, lambda: len(bench.recordings) == 1)
    assert bench.recording is meeting
    assert [len(one) for one in heard] == [2, 1]


def test_a_recording_with_a_text_stays_when_its_row_goes(
    made: Callable[..., Workbench], short: Recording
) -> None:
    bench = made()
    bench.upload.add(str(short.path))
    until(bench, lambda: bench.recording is not None)
    bench.transcript = text("one")
    (row,) = bench.upload._arrivals.rows
    bench.upload._remove(row.id)
    until(bench.upload, lambda: bench.upload.recordings == ())
    assert len(bench.recordings) == 1


def test_an_upload_does_not_take_away_what_somebody_reads(
    made: Callable[..., Workbench], short: Recording, meeting: Recording
) -> None:
    bench = made(meeting)
    upload = bench.upload
    bench.tab = "transcript"
    upload.add(str(short.path))
    until(bench, lambda: len(bench.recordings) == 2)
    assert bench.recording is meeting


# -- Panels ---------------------------------------------------------------------------------------


def test_panels_are_made_when_they_are_seen(
    made: Callable[..., Workbench], meeting: Recording
) -> None:
    bench = made(meeting)
    key = bench.chosen
    until(bench, lambda: f"{key}/waveform" in bench.panels)
    assert f"{key}/tuner" not in bench.panels
    bench.tab = "cuts"
    until(bench, lambda: f"{key}/tuner" in bench.panels)
    bench.tab = "models"
    until(bench, lambda: "models" in bench.panels)
    assert f"{key}/reader" not in bench.panels, "there is nothing to read yet"


def test_the_playhead_goes_along_from_panel_to_panel(
    made: Callable[..., Workbench], meeting: Recording, short: Recording
) -> None:
    bench = made(meeting)
    bench.waveform.playhead = 12.5
    assert bench.tuner.playhead == 12.5, "a panel begins where the others stand"
    bench.transcript = text("one", "two")
    bench.reader.playhead = 3.0
    assert (bench.waveform.playhead, bench.tuner.playhead) == (3.0, 3.0)
    bench.transcript = text("one", "three")
    assert bench.reader.playhead == 3.0, "another reader"
    bench.recording = short
    assert bench.waveform.playhead == 0.0, "of each recording"
    bench.recording = meeting
    assert bench.waveform.playhead == 3.0


def test_only_the_last_few_recordings_keep_their_panels_and_all_keep_their_work(
    made: Callable[..., Workbench], meeting: Recording
) -> None:
    pieces = [Recording.open((meeting.read(at, at + 8), 16000)) for at in range(0, 50, 10)]
    bench = made(pieces)
    bench.recording = pieces[0]
    bench.tuner.plan = bench.plan.with_cut(4.0)
    bench.waveform.regions = [(1.0, 2.0, "hello")]
    bench.transcript = text("one", "two")
    bench.reader.transcript = text("one", "three")
    plan, tuner = bench.plan, bench.tuner
    for other in pieces[1:]:
        bench.recording = other
        _ = bench.tuner
    assert sum(name.endswith("/tuner") for name in bench.panels) == 3
    assert tuner.comm is None
    bench.recording = pieces[0]
    assert [chunk.start for chunk in bench.plan] == [chunk.start for chunk in plan]
    assert [chunk.start for chunk in bench.tuner.plan] == [chunk.start for chunk in plan]
    assert [region.label for region in bench.waveform.regions] == ["hello"]
    assert [one.text for one in bench.transcript] == ["one", "three"]
    assert bench.reader.edits == 1
    assert bench.reader.machine.segments[1].text == "two"


def test_cells_and_the_tuner_follow_each_other(
    made: Callable[..., Workbench], meeting: Recording
) -> None:
    bench = made(meeting)
    plans: list[Any] = []
    bench.observe(lambda change: plans.append(change["new"]), "plan")
    bench.tuner.strategy = nbasr.chunking.Optimal(max_seconds=8)
    assert bench.plan is bench.tuner.plan
    assert plans[-1] is bench.plan
    assert seen(bench)["chunks"] == len(bench.plan)
    bench.plan = nbasr.chunking.Fixed(max_seconds=5).plan(meeting)
    assert bench.tuner.plan is bench.plan
    with pytest.raises(OptionError, match="another recording"):
        bench.plan = nbasr.chunking.Fixed(max_seconds=2).plan(
            Recording.open((meeting.read(0, 5), 16000))
        )
    assert bench.plan.longest == pytest.approx(5)


def test_what_nobody_has_cut_is_cut_for_the_model(
    made: Callable[..., Workbench], meeting: Recording, assets: Path
) -> None:
    bench = made(meeting)
    qwen = str(assets / "qwen3-asr-tiny-meeting")
    before = bench.plan.longest
    bench.model = qwen
    assert bench.plan.longest > before, "it takes longer chunks"
    assert bench.tuner.model == qwen
    bench.tuner.model = "sphinx"
    assert bench.model == "sphinx"
    bench.plan = bench.plan.with_cut(5.0)
    cut = bench.plan
    bench.model = qwen
    assert bench.plan is cut, "what somebody has cut stays"
    with pytest.raises(ModelError):
        bench.model = "whisper-enormous"
    assert bench.model == qwen


# -- Jobs -----------------------------------------------------------------------------------------


def test_a_job_is_shown_read_and_kept(
    made: Callable[..., Workbench], short: Recording, assets: Path
) -> None:
    bench = made(short, model=str(assets / "whisper-tiny-meeting"))
    page = Page(bench)
    page.data("transcribe", language="en")
    assert bench.tab == "transcript"
    assert bench.job in nbasr.jobs()
    assert bench.job.wait(PATIENCE)
    until(bench, lambda: seen(bench)["job"]["state"] == "finished" and bench.transcript is not None)
    assert bench.transcript.complete
    assert bench.transcript is bench.reader.transcript
    assert bench.transcript.recording == short
    assert bench.transcript.words, "a Whisper gives them"
    assert seen(bench)["lines"] == len(bench.transcript.segments)
    assert not page.events("problem")

    bench.reader.transcript = text("corrected")
    assert bench.transcript.text == "corrected"
    with pytest.raises(OptionError, match="not taken away"):
        bench.transcript = None
    assert bench.transcript.text == "corrected"
    until(bench, lambda: seen(bench)["edits"] >= 1)

    bench.timestamps = "segment"
    bench.transcribe().wait(PATIENCE)
    until(bench, lambda: bench.transcript is not None and not bench.transcript.words)


def test_two_runs_at_once_of_one_recording_are_refused_and_stop_keeps_what_is_there(
    made: Callable[..., Workbench], meeting: Recording
) -> None:
    bench = made(meeting, model="sphinx")
    bench.plan = nbasr.chunking.Fixed(max_seconds=4).plan(meeting)
    page = Page(bench)
    job = bench.transcribe()
    refused = page.ask("transcribe", language="zh")
    assert "正在转写" in refused.error
    until(bench, lambda: job.partial.segments or job.is_done)
    page.data("stop")
    assert job.wait(PATIENCE)
    until(bench, lambda: seen(bench)["job"]["state"] == "stopped")
    assert bench.transcript.segments
    assert not bench.transcript.complete
    bench.reader.transcript = replace(bench.transcript, segments=bench.transcript.segments[:1])
    assert len(bench.transcript.segments) == 1, "what was heard can be corrected"


def test_what_goes_wrong_in_a_job_is_told_and_the_text_before_stays(
    made: Callable[..., Workbench],
    short: Recording,
    assets: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = made(short, model=str(assets / "whisper-tiny-meeting"))
    bench.transcript = text("what was here")

    def broken(*_: Any) -> None:
        raise RuntimeError("the card fell out")

    monkeypatch.setattr("nbasr.engines.whisper.WhisperEngine.recognize", broken)
    bench.transcribe().wait(PATIENCE)
    until(bench, lambda: seen(bench)["job"]["state"] == "failed")
    told = seen(bench)["job"]
    assert "the card fell out" in told["error"]
    assert "broken" in told["trace"]
    assert [one.text for one in bench.transcript] == ["what was here"]


def test_a_model_that_is_not_here_is_not_fetched(
    made: Callable[..., Workbench], short: Recording
) -> None:
    bench = made(short, model="whisper-small")
    answer = Page(bench).ask("transcribe", language="en")
    assert answer.error.startswith("whisper-small is not on this machine yet; load it in Models")
    assert bench.job is None


def test_other_recordings_can_be_looked_at_while_one_is_transcribed(
    made: Callable[..., Workbench], short: Recording, meeting: Recording
) -> None:
    bench = made([short, meeting], model="sphinx")
    bench.recording = short
    job = bench.transcribe()
    bench.recording = meeting
    assert bench.job is None
    assert bench.transcript is None
    assert job.wait(PATIENCE)
    until(bench, lambda: bench.desks[0]["lines"])
    assert bench.transcript is None
    bench.recording = short
    assert bench.job is job
    assert bench.transcript.segments


# -- What there is to choose from -----------------------------------------------------------------


def test_choices_tell_models_precisions_and_what_a_run_takes(
    made: Callable[..., Workbench], short: Recording, assets: Path
) -> None:
    bench = made(short, model=str(assets / "whisper-tiny-meeting"))
    page = Page(bench)
    found = page.data("look", language="en")
    names = [name for name, _ in found["models"]]
    assert names[0] == "auto"
    assert bench.model in names
    assert found["precisions"][0] == ["auto", "auto (float32)"]
    assert {"bf16", "int8"} <= {name for name, _ in found["precisions"]}
    assert found["words"] is True
    assert found["forecast"]["fits"] is True
    assert found["forecast"]["precision"] == "float32"
    bench.precision = "bf16"
    smaller = page.data("look", language="en")["forecast"]
    assert smaller["precision"] == "bf16"
    assert smaller["weights_bytes"] < found["forecast"]["weights_bytes"]
    bench.model, bench.precision = "sphinx", "auto"
    assert len(page.data("look", language="en")["precisions"]) == 1


def test_words_have_times_only_where_they_can_be_had(assets: Path) -> None:
    assert _work_choices.gives_words("sphinx", "auto")
    assert not _work_choices.gives_words(str(assets / "qwen3-asr-tiny-meeting"), "auto")
    assert not _work_choices.gives_words("there-is-none", "auto")


# -- Corrections of before ------------------------------------------------------------------------


def test_corrections_of_another_session_are_offered_and_gone_on_with(
    made: Callable[..., Workbench], short: Recording
) -> None:
    first = made(short)
    first.transcript = text("one", "two")
    first.reader.transcript = text("one", "three")
    first.close()

    bench = made()
    page = Page(bench)
    (draft,) = page.data("recent", limit=4)["drafts"]
    assert (draft["name"], draft["edits"], draft["here"]) == ("short.wav", 1, True)
    page.data("resume", key=draft["key"], language="en")
    assert bench.tab == "transcript"
    assert [one.text for one in bench.transcript] == ["one", "three"]
    assert bench.reader.machine.segments[1].text == "two"
    assert seen(bench)["edits"] == 1
    bench.reader.undo()
    assert [one.text for one in bench.transcript] == ["one", "two"]


def test_a_recording_that_comes_again_has_its_text_and_its_corrections(
    made: Callable[..., Workbench], short: Recording
) -> None:
    first = made(short)
    first.transcript = text("one", "two")
    first.reader.transcript = text("one", "three")
    first.close()
    bench = made(short)
    assert [one.text for one in bench.transcript] == ["one", "three"]
    assert seen(bench)["edits"] == 1


def test_what_a_job_has_heard_outlives_the_kernel_without_corrections_too(
    made: Callable[..., Workbench], short: Recording
) -> None:
    first = made(short, model="sphinx")
    job = first.transcribe()
    assert job.wait(PATIENCE)
    until(first.reader, lambda: first.reader.saved["state"] != "none")
    heard = first.transcript.text
    assert heard
    first.close()
    bench = made(short)
    assert bench.transcript.text == heard
    assert seen(bench)["edits"] == 0


def test_what_was_heard_last_comes_again_though_it_was_heard_before(
    made: Callable[..., Workbench], short: Recording, assets: Path
) -> None:
    first = made(short)
    first.timestamps = "segment"
    heard = []
    for model in ("sphinx", str(assets / "whisper-tiny-meeting"), "sphinx"):
        first.model = model
        assert first.transcribe().wait(PATIENCE)
        until(first, lambda: seen(first)["job"]["state"] == "finished")
        heard.append(first.transcript.text)
    assert heard[0] == heard[2] != heard[1]
    first.close()
    assert made(short).transcript.text == heard[2]


def test_corrections_of_a_recording_that_is_another_now_are_refused(
    made: Callable[..., Workbench], meeting: Recording, tmp_path: Path
) -> None:
    path = tmp_path / "talk.wav"
    first = made(Recording.open((meeting.read(0, 5), 16000)).save(path))
    first.transcript = text("one")
    first.reader.transcript = text("two")
    first.close()
    Recording.open((meeting.read(5, 10), 16000)).save(path, overwrite=True)
    page = Page(made())
    (draft,) = page.data("recent", limit=4)["drafts"]
    answer = page.ask("resume", key=draft["key"], language="en")
    assert answer.error.startswith("talk.wav is another recording")
    path.unlink()
    assert page.data("recent", limit=4)["drafts"][0]["here"] is False
    assert "not there any more" in page.ask("resume", key="none", language="en").error


# -- Without a kernel -----------------------------------------------------------------------------


def test_the_still_form_tells_recording_cuts_and_text(
    made: Callable[..., Workbench], short: Recording, meeting: Recording
) -> None:
    bench = made([meeting, short])
    assert "No recording" not in bench.still()
    bench.transcript = text("good morning")
    still = bench.still()
    for told in ("short.wav", "<svg", "chunk", "good morning", f"Also here: {meeting.name}"):
        assert told in still
    assert "No recording yet." in made(language="en").still()
    assert "还没有录音" in made(language="zh").still()


def test_the_still_form_of_an_hour_stays_small(made: Callable[..., Workbench]) -> None:
    hour, truth = nbasr.samples.long_meeting(60)
    bench = made(hour)
    lines = tuple(Segment(one.start, one.stop, one.text) for one in truth.turns)
    bench.transcript = Transcript(lines, duration=hour.duration)
    assert len(lines) > 500
    assert len(bench.still().encode()) < 150_000


def test_closing_takes_all_panels_and_leaves_the_job(
    made: Callable[..., Workbench], short: Recording
) -> None:
    bench = made(short, model="sphinx")
    panels = [bench.upload, bench.waveform, bench.tuner, bench.models]
    job = bench.transcribe()
    panels.append(bench.reader)
    bench.close()
    assert all(panel.comm is None for panel in panels)
    assert job.wait(PATIENCE)
    assert job.state == "finished"
