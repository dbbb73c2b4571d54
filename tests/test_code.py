"""The cell that a tuner writes does exactly what the tuner shows: it is run here."""

from __future__ import annotations

import shutil
import sys
import wave
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import settings as examples
from hypothesis import strategies as st

import nbasr
from nbasr import settings as session
from nbasr._commands import transcribing
from nbasr.audio.recording import Recording
from nbasr.chunking import ChunkPlan, Strategy
from nbasr.errors import OptionError
from nbasr.widgets import _code, _tuning
from nbasr.widgets._code import Code
from nbasr.widgets._tuner_settings import Settings
from nbasr.widgets._tuning import State

RECORDING = nbasr.samples.open("meeting")


def plan_by(strategy: Strategy) -> ChunkPlan:
    return strategy.plan(RECORDING)


def written(state: State, recording: Recording = RECORDING, **more: Any) -> Code:
    return _code.write(state, recording, lambda one: one.plan(recording), **more)


def done(code: Code, **names: Any) -> ChunkPlan:
    """Run a cell, and return how it cuts; nothing is recognised."""
    if code.kind == "magic":
        line, _, body = code.text.partition("\n")
        assert line.startswith("%%transcribe ")
        line = line.removeprefix("%%transcribe ") + " --plan"
        if "--model" not in line:
            line += " --model sphinx"
        (plan,) = transcribing.run(line, body, names).value.plans
        return plan
    seen: list[ChunkPlan] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nbasr, "transcribe", lambda _, *, chunking, **__: seen.append(chunking))
        exec(compile(code.text, "<cell>", "exec"), dict(names))
    return seen[0]


def same(one: ChunkPlan, other: ChunkPlan) -> bool:
    edges = [np.array([(c.start, c.stop, c.overlap) for c in plan.chunks]) for plan in (one, other)]
    return edges[0].shape == edges[1].shape and np.allclose(*edges, rtol=0, atol=2e-6)


def in_order(settings: Settings) -> Settings:
    """Give the least, the wanted and the longest chunk their lengths in order."""
    names = ("min_seconds", "target_seconds", "max_seconds")
    given = {name: getattr(settings, name) for name in names if getattr(settings, name) is not None}
    ordered = dict(zip(given, sorted(given.values()), strict=True))
    overlap = min(settings.overlap, 0.45 * ordered["max_seconds"])
    return replace(settings, **ordered, overlap=overlap)


seconds = st.floats(0.5, 30).map(lambda value: round(value, 2))
some_settings = st.builds(
    Settings,
    strategy=st.sampled_from(["optimal", "silence", "fixed", "vad"]),
    threshold=st.sampled_from(["auto", "above_floor", "absolute"]),
    threshold_value=st.none() | st.floats(-60, 30).map(lambda value: round(value, 1)),
    min_pause=st.just(0.2) | st.floats(0, 1.5).map(lambda value: round(value, 2)),
    margin=st.just(0.15) | st.floats(0, 0.6).map(lambda value: round(value, 2)),
    min_seconds=st.none() | seconds,
    target_seconds=st.none() | seconds,
    max_seconds=seconds | st.just(30.0),
    overlap=st.just(0.0) | st.floats(0, 3),
    probability=st.just(0.5) | st.sampled_from([0.3, 0.7]),
).map(in_order)
edits = st.lists(
    st.tuples(
        st.sampled_from(["add", "move", "remove", "lock", "unlock"]),
        st.floats(0, 1),
        st.floats(0, 1),
    ),
    max_size=4,
)


def edited(state: State, moves: list[tuple[str, float, float]]) -> State:
    """Do edits, as far as they are possible."""
    for do, where, share in moves:
        cut = min(int(where * len(state.plan.cuts)), max(len(state.plan.cuts) - 1, 0))
        time = share * RECORDING.duration
        try:
            if do == "add":
                state, _ = _tuning.added(state, time)
            elif do == "move":
                state, _ = _tuning.moved(state, cut, time)
            elif do == "remove":
                state, _ = _tuning.removed(state, cut)
            else:
                state, _ = _tuning.locked(state, cut, do == "lock")
        except OptionError:
            continue
    return state


@examples(max_examples=80)
@given(some_settings, edits)
@example(Settings(), [])
@example(Settings(strategy="fixed", max_seconds=7.0, overlap=1.0), [("add", 0.0, 0.5)])
@example(Settings(strategy="fixed", max_seconds=3.0, overlap=1.0390625), [])
@example(Settings(max_seconds=12.0), [("lock", 0.5, 0.0)])
def test_the_cell_cuts_as_shown(settings: Settings, moves: list[tuple[str, float, float]]) -> None:
    try:
        state = _tuning.planned(settings, plan_by)
    except OptionError:
        assume(False)
        raise
    state = edited(state, moves)
    code = written(state)
    assert same(done(code), state.plan), code.text
    python = written(state, kind="python")
    assert same(done(python), state.plan), python.text


def test_settings_alone_are_a_magic_and_only_what_is_not_usual_is_said() -> None:
    code = written(_tuning.planned(Settings(max_seconds=12.0, min_pause=0.5), plan_by))
    assert code == Code(
        f"%%transcribe --chunking optimal --max-seconds 12 --min-pause 0.5\n{RECORDING.path}",
        "magic",
    )


def test_the_model_is_named_if_one_was_chosen() -> None:
    state = _tuning.planned(Settings(), plan_by)
    for kind in ("magic", "python"):
        code = written(state, kind=kind, model="whisper-small")
        assert "whisper-small" in code.text
        assert "model" not in written(state, kind=kind).text


def test_edits_are_python_and_a_magic_says_why_it_cannot() -> None:
    state, _ = _tuning.added(_tuning.planned(Settings(), plan_by), 26.0)
    assert written(state).kind == "python"
    with pytest.raises(OptionError, match="placed by hand"):
        written(state, kind="magic")
    with pytest.raises(OptionError, match="kind is one of"):
        written(state, kind="bash")


def test_what_the_magic_has_no_option_for_is_python() -> None:
    state = _tuning.planned(Settings(strategy="vad", probability=0.7), plan_by)
    assert written(state).kind == "python"
    assert "probability=0.7" in written(state).text
    with pytest.raises(OptionError, match="no option for probability"):
        written(state, kind="magic")


def test_locked_cuts_are_told_to_the_strategy_where_that_gives_the_plan() -> None:
    state = _tuning.planned(Settings(), plan_by, (26.0,))
    code = written(state)
    assert "Optimal(max_seconds=30, cuts=(26,))" in code.text
    assert same(done(code), state.plan)


def test_what_the_session_sets_is_said_against(monkeypatch: pytest.MonkeyPatch) -> None:
    state = _tuning.planned(Settings(max_seconds=12.0), plan_by)
    current = session.current()
    before = {name: getattr(current, name) for name in ("min_pause", "overlap", "chunking")}
    try:
        current.min_pause, current.overlap, current.chunking = 1.5, 3.0, "fixed"
        code = written(state, kind="magic")
        assert same(done(code), state.plan), code.text
    finally:
        for name, value in before.items():
            setattr(current, name, value)


def test_a_plan_of_an_hour_is_laid_out_in_lines_of_a_page() -> None:
    recording, _ = nbasr.samples.long_meeting(10)
    state = _tuning.planned(Settings(max_seconds=6.0), lambda one: one.plan(recording))
    state = _tuning.removed(state, 3)[0]
    code = written(state, recording)
    assert code.kind == "python"
    assert max(map(len, code.text.splitlines()[3:])) <= 100
    assert same(done(code), state.plan)


NAMES = [
    "plain.wav",
    "two words.wav",
    "it's.wav",
    "{brace}.wav",
    "{{a}}.wav",
    "$HOME.wav",
    "#1.wav",
    "a #b.wav",
    "semi;",
    "a #b;",
    '"quoted"',
    'say "hi";',
    " space ",
    "音声 ファイル.wav",
    "star*[1].wav",
    "--model.wav",
    "new\nline.wav",
    "back\\slash.wav",
]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_found_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    """In the magic wherever it can be named there, else in Python."""
    path = tmp_path / name
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(np.asarray(RECORDING.samples[: 16000 * 8]).tobytes())
    recording = Recording.open(path)
    state = _tuning.planned(Settings(max_seconds=3.0), lambda one: one.plan(recording))
    for kind in ("auto", "python"):
        plan = done(written(state, recording, kind=kind))
        assert plan.recording == recording
        assert same(plan, state.plan)


@pytest.mark.parametrize("name", ["model dir", "it's", "$x", "{x}", 'a "b" c'])
def test_a_model_is_found_whatever_its_folder_is_called(
    tmp_path: Path, name: str, assets: Path
) -> None:
    folder = tmp_path / name
    shutil.copytree(assets / "whisper-tiny-meeting", folder)
    state = _tuning.planned(Settings(max_seconds=3.0), plan_by)
    code = written(state, model=str(folder), kind="magic")
    line, _, body = code.text.partition("\n")
    work = transcribing.run(line.removeprefix("%%transcribe ") + " --plan", body, {}).value
    assert work.spec.source == str(folder.resolve())


def test_one_channel_is_said_in_both_kinds(tmp_path: Path) -> None:
    path = tmp_path / "two.wav"
    sound = np.asarray(RECORDING.samples[: 16000 * 20])
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, 16000, 0, "NONE", ""))
        file.writeframes(np.stack((np.zeros_like(sound), sound), axis=1).tobytes())
    recording = Recording.open(path, channel=1)
    state = _tuning.planned(Settings(max_seconds=5.0), lambda one: one.plan(recording))
    for kind in ("magic", "python"):
        code = written(state, recording, kind=kind)
        assert "channel" in code.text
        assert same(done(code), state.plan)


def test_a_recording_without_a_file_says_what_to_put_there() -> None:
    source = (np.array(RECORDING.samples[: 16000 * 20]), 16000)
    recording = Recording.open(source)
    state = _tuning.planned(Settings(max_seconds=5.0), lambda one: one.plan(recording))
    for kind in ("magic", "python"):
        code = written(state, recording, kind=kind)
        assert "# source: " in code.text
        assert same(done(code, source=source), state.plan)
    assert "打开" in written(state, recording, language="zh").text
