"""Stopping what runs: inside a generation, a pass over a sound, an utterance; before a lock."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_aligner
import tiny_funasr

import nbasr
from nbasr.engines import EngineSpec, Request, open_engine, stopping
from nbasr.engines._sphinx_process import SphinxProcess
from nbasr.engines.aligner import Aligner
from nbasr.engines.sphinx import SphinxEngine
from nbasr.errors import ModelError
from nbasr.models import catalog

PATIENCE = 60.0
"""Seconds after which a test gives up."""


class After(threading.Event):
    """An event that is set once it was looked at so many times; counts all looks."""

    def __init__(self, looks: float) -> None:
        super().__init__()
        self.most, self.looks = looks, 0

    def is_set(self) -> bool:
        self.looks += 1
        return self.looks > self.most


@pytest.fixture(scope="module")
def sound() -> Any:
    return nbasr.samples.open("meeting").read(0.0, 12.0)


@pytest.fixture(scope="module", params=["whisper-tiny-meeting", "qwen3-asr-tiny-meeting"])
def engine(request: pytest.FixtureRequest, assets: Path) -> Iterator[Any]:
    engine = open_engine(catalog.resolve(str(assets / request.param)))
    yield engine
    engine.close()


def test_a_generation_stops_at_the_next_look_and_the_engine_goes_on(
    engine: Any, sound: Any
) -> None:
    requests = [Request(sound), Request(sound[: len(sound) // 2])]
    whole = After(float("inf"))
    with stopping.on(whole):
        answers = engine.recognize(requests)
    assert whole.looks > 100  # each token, and each layer
    for most in (1, whole.looks // 2, whole.looks - 2):
        event = After(most)
        with pytest.raises(stopping.Stopped), stopping.on(event):
            engine.recognize(requests)
        assert event.looks == most + 1
    assert engine.recognize(requests) == answers


def test_a_generation_that_would_run_for_long_ends_at_once(
    engine: Any, sound: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model never comes to an end by itself, and its budget is all of its positions."""
    import torch

    steps, stop = [], threading.Event()
    model = engine.module
    really = model.forward

    @functools.wraps(really)  # generate looks at what it takes
    def endless(*given: Any, **named: Any) -> Any:
        found = really(*given, **named)
        found.logits = torch.zeros_like(found.logits)
        found.logits[..., 300] = 10.0
        steps.append(len(steps))
        if len(steps) == 20:
            threading.Thread(target=stop.set).start()
            assert stop.wait(PATIENCE)
        return found

    monkeypatch.setattr(model, "forward", endless)
    with pytest.raises(stopping.Stopped), stopping.on(stop):
        engine.recognize([Request(sound)])
    assert len(steps) == 20


def test_the_criterion_lets_each_row_go_on_until_it_is_told() -> None:
    import torch

    look, event = stopping.criterion(), threading.Event()
    ids = torch.zeros((3, 5), dtype=torch.long)
    with stopping.on(event):
        assert look(ids, None).tolist() == [False] * 3
        event.set()
        with pytest.raises(stopping.Stopped):
            look(ids, None)
    assert look(ids, None).tolist() == [False] * 3


def test_stopping_one_thread_does_not_touch_another(engine: Any, sound: Any) -> None:
    found: list[Any] = []
    event = threading.Event()
    event.set()
    other = threading.Thread(target=lambda: found.extend(engine.recognize([Request(sound)])))
    with stopping.on(event):
        other.start()
        with pytest.raises(stopping.Stopped):
            engine.recognize([Request(sound)])
    other.join(PATIENCE)
    assert found[0].text


@pytest.mark.parametrize("looks", [0, 1, 2])
def test_a_load_stops_between_its_steps(assets: Path, looks: int) -> None:
    spec = catalog.resolve(str(assets / "whisper-tiny-meeting"))
    with pytest.raises(stopping.Stopped), stopping.on(After(looks)):
        open_engine(spec)


def test_an_aligner_stops_between_its_layers(tmp_path: Path, sound: Any) -> None:
    aligner = Aligner(
        EngineSpec(
            "aligner", str(tiny_aligner.build(tmp_path / "aligner")), "aligner", max_seconds=60
        )
    )
    try:
        items = [(sound, "good morning everyone", "en")]
        whole = After(float("inf"))
        with stopping.on(whole):
            words = aligner.align_batch(items)
        assert whole.looks > 2
        with pytest.raises(stopping.Stopped), stopping.on(After(whole.looks - 1)):
            aligner.align_batch(items)
        assert aligner.align_batch(items) == words
    finally:
        aligner.close()


def test_a_lock_that_another_holds_is_not_waited_for_once_it_is_told() -> None:
    lock, event = threading.Lock(), After(2)
    with lock, stopping.on(event), pytest.raises(stopping.Stopped), stopping.held(lock):
        pytest.fail("somebody else holds it")
    with stopping.held(lock):
        assert lock.locked()
    assert not lock.locked()


def test_events_of_outer_work_come_back() -> None:
    outer, inner = threading.Event(), threading.Event()
    with stopping.on(outer):
        with stopping.on(inner):
            outer.set()
            stopping.check()
        with pytest.raises(stopping.Stopped):
            stopping.check()
    stopping.check()


# --- the embedded engine, in its own process


@pytest.fixture(scope="module")
def sphinx() -> Iterator[SphinxEngine]:
    engine = SphinxEngine(catalog.resolve("sphinx"))
    yield engine
    engine.close()


def test_an_utterance_is_given_up_at_once_and_the_next_one_is_heard(
    sphinx: SphinxEngine, sound: Any
) -> None:
    (whole,) = sphinx.recognize([Request(sound)])
    process = sphinx._process
    assert process is not None
    before = process._answers
    with pytest.raises(stopping.Stopped), stopping.on(After(3)):
        sphinx.recognize([Request(sound)])
    assert process._end is None  # the process that decoded it is gone
    assert sphinx.recognize([Request(sound)]) == [whole]
    assert process._answers is not before


def test_half_a_sound_is_never_left_before_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell is interrupted while it writes; the rest of that sound would have been taken of the
    next one."""
    process = SphinxProcess()
    try:
        pcm = np.zeros(16000, "<i2").tobytes()
        found = process.words(pcm)
        pipe = process._stdin

        class Interrupted:
            def write(self, question: bytes) -> None:
                pipe.write(question[:1000])
                pipe.flush()
                raise KeyboardInterrupt

        monkeypatch.setattr(process, "_stdin", Interrupted())
        with pytest.raises(KeyboardInterrupt):
            process.words(pcm)
        assert process._end is None
        assert process.words(pcm) == found
    finally:
        process.close()


def test_a_process_that_was_killed_is_told_and_started_anew() -> None:
    process = SphinxProcess()
    try:
        pcm = np.zeros(16000, "<i2").tobytes()
        found = process.words(pcm)
        assert process._end is not None
        child = process._end.peek()[2][0]
        child.kill()
        child.wait()
        with pytest.raises(ModelError, match="ended unexpectedly"):
            process.words(pcm)
        assert process.words(pcm) == found
    finally:
        process.close()


def test_a_process_ends_with_its_engine() -> None:
    process = SphinxProcess()
    assert process._end is not None
    child = process._end.peek()[2][0]
    del process
    assert child.returncode is not None


def test_a_python_without_pocketsphinx_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", [])
    monkeypatch.setenv("PYTHONNOUSERSITE", "1")
    monkeypatch.setattr(
        "nbasr.engines._sphinx_process._RUN",
        "import runpy, sys; sys.modules['pocketsphinx'] = None; "
        "runpy.run_path(sys.argv[1], run_name='__main__')",
    )
    with pytest.raises(ModelError, match="install pocketsphinx again"):
        SphinxProcess()


def test_the_kernel_breathes_while_the_embedded_engine_decodes(
    sphinx: SphinxEngine, sound: Any
) -> None:
    """It did not, when it decoded in the kernel: PocketSphinx keeps Python's lock to itself."""
    done = threading.Event()

    def decode() -> None:
        sphinx.recognize([Request(sound)])
        done.set()

    worker = threading.Thread(target=decode)
    worker.start()
    breaths = 0
    while not done.wait(0.01):
        breaths += 1
    worker.join(PATIENCE)
    assert breaths > 20


# --- FunASR


def test_funasr_stops_between_its_layers(tmp_path: Path) -> None:
    pytest.importorskip("funasr")
    folder = tiny_funasr.sensevoice(tmp_path / "sense" / "model")
    tiny_funasr.train_sensevoice(folder, steps=1)
    engine = open_engine(EngineSpec("funasr", str(folder), "tiny"))
    try:
        batch = [Request(np.full(16000, 0.1, np.float32)), Request(np.ones(8000, np.float32))]
        whole = After(float("inf"))
        with stopping.on(whole):
            found = engine.recognize(batch)
        assert whole.looks > 1
        event = After(whole.looks - 1)
        with pytest.raises(stopping.Stopped), stopping.on(event):
            engine.recognize(batch)
        assert event.looks == whole.looks  # none of the sounds was tried alone after that
        assert engine.recognize(batch) == found
    finally:
        engine.close()
