"""Jobs: transcribing in the background, stopped, observed, in turns, in a real kernel too."""

from __future__ import annotations

import _thread
import contextlib
import gc
import os
import subprocess
import sys
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tiny_aligner
from jupyter_client.manager import start_new_kernel
from test_magics_kernel import Kernel

import nbasr
from nbasr import memory
from nbasr._commands import asr
from nbasr._commands.completion import complete
from nbasr.audio.recording import Recording
from nbasr.engines.aligner import Aligner
from nbasr.engines.whisper import WhisperEngine
from nbasr.errors import AudioError, ModelError, ModelWarning, OptionError, OutOfMemoryError
from nbasr.models import _room, catalog, estimating, manager
from nbasr.pipeline import jobs as _jobs
from nbasr.pipeline import turns
from nbasr.pipeline.jobs import Job

PATIENCE = 60.0
"""Seconds after which a test gives up."""


@pytest.fixture(scope="module")
def meeting() -> Recording:
    return Recording.open((nbasr.samples.open("meeting").read(0.0, 30.0), 16_000))


@pytest.fixture(scope="module")
def tiny(assets: Path) -> str:
    return str(assets / "whisper-tiny-meeting")


@pytest.fixture(scope="module")
def whole(meeting: Recording, tiny: str) -> Any:
    return nbasr.transcribe(meeting, model=tiny, max_seconds=6, progress=False)


@pytest.fixture(autouse=True)
def left_alone() -> Iterator[None]:
    yield
    for job in nbasr.jobs():
        job.stop()
        assert job.wait(PATIENCE)
    memory.set_budget(None)


class Seen:
    """What an observer of a job saw, and waits for it."""

    def __init__(self, job: Job) -> None:
        self.states: list[str] = []
        self._news = threading.Condition()
        self.take_off = job.observe(self._see)
        self._see(job)
        self.job = job

    def _see(self, job: Job) -> None:
        with self._news:
            self.states.append(job.state)
            self._news.notify_all()

    def until(self, there: Callable[[Job], bool]) -> None:
        with self._news:
            assert self._news.wait_for(lambda: there(self.job), PATIENCE), self.job


def has_text(job: Job) -> bool:
    return bool(job.partial.segments)


def submitted(source: Any, **options: Any) -> Job:
    return nbasr.submit(source, **options)


def test_a_job_gives_what_transcribe_gives(meeting: Recording, tiny: str, whole: Any) -> None:
    seen = Seen(submitted(meeting, model=tiny, max_seconds=6))
    found = seen.job.result(PATIENCE)
    assert found.segments == whole.segments
    assert (found.complete, found.notes, found.recording) == (True, (), meeting)
    seen.until(lambda _: seen.states[-1] == "finished")
    assert seen.job.is_done
    assert seen.job.error is None
    assert seen.job.partial is seen.job.result()
    assert seen.job.progress.done == seen.job.progress.total == seen.job.work.seconds
    order = ["waiting", "loading", "running", "finished"]
    assert [order.index(state) for state in seen.states] == sorted(
        order.index(state) for state in seen.states
    )


def test_what_is_transcribed_so_far_grows(meeting: Recording, tiny: str, whole: Any) -> None:
    sizes: list[int] = []
    with turns.turn("cpu"):
        job = submitted(meeting, model=tiny, max_seconds=4, batch_size=1)
        job.observe(lambda job: sizes.append(len(job.partial.segments)))
        assert not job.partial.complete
        assert job.partial.name == meeting.name
    whole = job.result(PATIENCE)
    assert sizes == sorted(sizes)
    assert len(set(sizes)) > 3
    assert whole.complete


def test_what_is_so_far_is_one_object_until_more_comes(meeting: Recording, tiny: str) -> None:
    with turns.turn("cpu"):
        job = submitted(meeting, model=tiny, max_seconds=6)
        Seen(job).until(lambda job: job.state == "running")
        assert job.partial is job.partial
        assert job.partial.segments == ()
        assert "at work: 0:00 of" in job.partial.notes[0]
    assert job.result(PATIENCE).complete


def test_many_recordings_give_a_list(meeting: Recording, tiny: str, whole: Any) -> None:
    short = meeting.read(0.0, 5.0), 16_000
    with turns.turn("cpu"):
        job = submitted([short, meeting], model=tiny, max_seconds=6)
        assert [len(one.segments) for one in job.partial] == [0, 0]
    found = job.result(PATIENCE)
    assert found[1].segments == whole.segments
    assert job.name == "2 recordings"


def test_mistakes_are_told_at_once(meeting: Recording, tiny: str, tmp_path: Path) -> None:
    before = nbasr.jobs()
    with pytest.raises(AudioError, match="There is no file"):
        nbasr.submit(tmp_path / "nowhere.wav")
    with pytest.raises(ModelError, match="Did you mean"):
        nbasr.submit(meeting, model="whisper-smal")
    with pytest.raises(OptionError):
        nbasr.submit(meeting, model=tiny, max_seconds=-1)
    with pytest.raises(OptionError, match="observe"):
        nbasr.submit(meeting, model=tiny, progress=print)
    assert nbasr.jobs() == before


def test_a_stopped_job_keeps_what_was_heard(meeting: Recording, tiny: str) -> None:
    with turns.turn("cpu"):
        job = submitted(meeting, model=tiny, max_seconds=6, batch_size=1)
        job.observe(lambda job: job.stop() if has_text(job) else None)
    found = job.result(PATIENCE)
    assert job.state == "stopped"
    assert job.progress.state == "interrupted"
    assert not found.complete
    assert "interrupted" in found.notes[0]
    whole = nbasr.transcribe(meeting, model=tiny, max_seconds=6, batch_size=1, progress=False)
    assert 0 < len(found.segments) < len(whole.segments)
    assert found.segments == whole.segments[: len(found.segments)]


def test_a_stop_takes_effect_inside_a_batch(
    meeting: Recording, tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = WhisperEngine.recognize
    batches: list[str] = []

    def stopped_within(engine: Any, batch: Any) -> Any:
        batches.append("begun")
        if batches.count("begun") == 2:
            job.stop()
        found = really(engine, batch)
        batches.append("done")
        return found

    monkeypatch.setattr(WhisperEngine, "recognize", stopped_within)
    with turns.turn("cpu"):
        job = submitted(meeting, model=tiny, max_seconds=6, batch_size=1)
    found = job.result(PATIENCE)
    assert batches == ["begun", "done", "begun"]
    assert found.segments
    assert found.segments[-1].stop <= 7


def test_a_job_that_waits_for_its_turn_stops_at_once(meeting: Recording, tiny: str) -> None:
    with turns.turn("cpu"):
        job = submitted(meeting, model=tiny)
        Seen(job).until(lambda job: job.state == "running")
        job.stop()
        assert job.wait(PATIENCE)  # while another has the device
        found = job.result()
    assert (found.segments, found.complete, job.state) == ((), False, "stopped")
    assert "interrupted: 0:00 of" in found.notes[0]


def test_a_job_that_is_stopped_while_it_loads_hears_nothing(
    meeting: Recording, tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    nbasr.models.unload_all()
    opening, go_on, really = threading.Event(), threading.Event(), _room._open

    def slowly(spec: Any) -> Any:
        opening.set()
        assert go_on.wait(PATIENCE)
        return really(spec)

    monkeypatch.setattr(_room, "_open", slowly)
    job = submitted(meeting, model=tiny)
    assert opening.wait(PATIENCE)
    assert job.state == "loading"
    second = submitted(meeting, model=tiny)  # it waits for the same model
    second.stop()
    assert second.wait(PATIENCE)
    assert second.state == "stopped"
    job.stop()
    go_on.set()
    assert job.result(PATIENCE).segments == ()
    assert job.state == "stopped"


def test_what_the_engine_raises_comes_with_what_was_heard(
    meeting: Recording, tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    really, batches = WhisperEngine.recognize, []

    def fails(engine: Any, batch: Any) -> Any:
        batches.append(batch)
        if len(batches) == 2:
            raise RuntimeError("the third wheel came off")
        return really(engine, batch)

    monkeypatch.setattr(WhisperEngine, "recognize", fails)
    job = submitted(meeting, model=tiny, max_seconds=6, batch_size=1)
    with pytest.raises(RuntimeError, match="third wheel") as caught:
        job.result(PATIENCE)
    assert caught.value is job.error
    assert job.state == job.progress.state == "failed"
    assert caught.value.partial[0].segments == job.partial.segments
    assert has_text(job)
    assert "partial holds them" in caught.value.__notes__[0]
    assert "failed" in str(job)
    job._thread.join(PATIENCE)  # it may still be telling its observers
    gone = weakref.ref(nbasr.models.resident()[0].engine)
    nbasr.models.unload_all()
    gc.collect()
    assert gone() is None  # though the job is still known, with its error
    assert job in nbasr.jobs()


def test_a_model_that_is_unloaded_by_hand_fails_its_job_in_a_sentence(
    meeting: Recording, tiny: str
) -> None:
    def unload(job: Job) -> None:
        if has_text(job):
            take_off()
            nbasr.models.unload("whisper-tiny-meeting")

    with turns.turn("cpu"):
        job = submitted(meeting, model=tiny, max_seconds=6, batch_size=1)
        take_off = job.observe(unload)
    with pytest.raises(ModelError, match="was unloaded; load it again"):
        job.result(PATIENCE)
    assert has_text(job)


def test_a_job_keeps_its_model_until_it_is_done(meeting: Recording, tiny: str) -> None:
    nbasr.models.unload_all()
    nbasr.models.load(tiny, keep_alive=0)
    loaded: list[int] = []
    with turns.turn("cpu"):
        job = submitted(meeting, model=tiny, max_seconds=6, batch_size=1)
        job.observe(lambda _: loaded.append(len(nbasr.models.resident())))
    assert job.result(PATIENCE).complete
    assert set(loaded[:-1]) == {1}
    assert nbasr.models.resident() == []


def test_a_job_that_is_stopped_while_words_are_timed_keeps_the_text(
    meeting: Recording, assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really, calls = Aligner.align_batch, []

    def stopped_within(aligner: Any, items: Any) -> Any:
        calls.append(items)
        if len(calls) == 2:
            job.stop()
        return really(aligner, items)

    monkeypatch.setattr(Aligner, "align_batch", stopped_within)
    folder = tiny_aligner.build(tmp_path / "aligner")
    job = submitted(
        (meeting.read(0.0, 20.0), 16_000),
        model=str(assets / "qwen3-asr-tiny-meeting"),
        aligner=str(folder),
        timestamps="word",
        max_seconds=6,
    )
    completes: list[bool] = []
    job.observe(lambda job: completes.append(job.is_done or not job.partial.complete))
    found = job.result(PATIENCE)
    assert job.state == "stopped"
    assert "good morning" in found.text
    assert not found.complete
    assert "segments have no words" in found.notes[-1]
    assert all(completes)
    nbasr.models.unload_all()


def test_a_job_that_is_stopped_before_its_aligner_is_there_is_no_finished_one(
    meeting: Recording, assets: Path, tmp_path: Path
) -> None:
    folder = str(tiny_aligner.build(tmp_path / "aligner"))
    model = str(assets / "qwen3-asr-tiny-meeting")
    sound = meeting.read(0.0, 10.0), 16_000
    with turns.turn("cpu"):
        job = submitted(sound, model=model, aligner=folder, timestamps="word", max_seconds=10)
        aligner = job.work.aligner
        assert aligner is not None
        job.observe(lambda job: job.stop() if job.progress.model == aligner.name else None)
    found = job.result(PATIENCE)
    assert job.state == "stopped"
    assert job.progress.state == "interrupted"
    assert found.text
    assert not found.complete
    assert "segments have no words" in found.notes[-1]


# --- turns


def test_turns_are_given_in_the_order_in_which_they_were_asked_for() -> None:
    queue, order = turns.Turns(), []

    def take(name: str) -> None:
        with queue.turn():
            order.append(name)

    threads = []
    with queue.turn():
        for length, name in enumerate("abc", 2):
            threads.append(threading.Thread(target=take, args=(name,)))
            threads[-1].start()
            while queue.length < length:
                threads[-1].join(0.001)
        order.append("first")
    for thread in threads:
        thread.join(PATIENCE)
    assert order == ["first", "a", "b", "c"]


def test_who_is_interrupted_in_the_queue_blocks_nobody() -> None:
    queue = turns.Turns()

    def interrupt() -> None:
        while queue.length < 2:  # else it would hit the test itself
            threading.Event().wait(0.001)
        _thread.interrupt_main()

    with queue.turn():
        threading.Thread(target=interrupt, daemon=True).start()
        with pytest.raises(KeyboardInterrupt), queue.turn():
            pytest.fail("another has it")
        assert queue.length == 1
    with queue.turn():
        assert queue.length == 1


def test_two_jobs_take_turns_chunk_by_chunk(
    meeting: Recording, tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    really, order = WhisperEngine.recognize, []

    def noted(engine: Any, batch: Any) -> Any:
        order.append(threading.current_thread().name)
        gate.wait(PATIENCE)  # until both stand in the queue
        return really(engine, batch)

    gate = threading.Event()
    monkeypatch.setattr(WhisperEngine, "recognize", noted)
    options = {"model": tiny, "max_seconds": 6, "batch_size": 1}
    long = submitted(nbasr.samples.long_meeting(5)[0], **options)
    short = submitted(meeting, **options)
    while turns.of("cpu").length < 2:
        assert not long.wait(0.001)
    gate.set()
    assert short.result(PATIENCE).complete
    assert not long.is_done
    first = order.index(short._thread.name)
    mixed = order[first : len(order) - order[::-1].index(short._thread.name)]
    assert mixed.count(short._thread.name) == len(short.work.batches)
    assert mixed.count(long._thread.name) >= len(short.work.batches) - 1


def test_a_cell_takes_turns_with_a_job(meeting: Recording, tiny: str, whole: Any) -> None:
    with turns.turn("cpu"):
        job = submitted(nbasr.samples.long_meeting(5)[0], model=tiny, max_seconds=6, batch_size=1)
        Seen(job).until(lambda job: job.state == "running")
    found = nbasr.transcribe(meeting, model=tiny, max_seconds=6, progress=False)
    assert found.segments == whole.segments
    assert not job.is_done


@pytest.fixture
def narrow(assets: Path) -> dict[str, str]:
    """Leave room for the second of two models, but not beside the first."""
    nbasr.models.unload_all()
    names = {kind: str(assets / f"{kind}-tiny-meeting") for kind in ("whisper", "qwen3-asr")}
    needed = estimating.needed_bytes(catalog.resolve(names["qwen3-asr"]))
    assert needed is not None
    beside = estimating.estimate(catalog.resolve(names["whisper"]), batch_size=1).weights_bytes
    memory.set_budget(needed + beside // 2, "cpu")
    return names


@pytest.fixture
def turned_away(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the threads of jobs that wait for room."""
    names: list[str] = []
    really = manager.wait_for_room

    def noted(device: str, seen: int) -> bool:
        names.append(threading.current_thread().name)
        return really(device, seen)

    monkeypatch.setattr(manager, "wait_for_room", noted)
    return names


def until_turned_away(job: Job, turned_away: list[str]) -> None:
    while job._thread.name not in turned_away:
        assert not job.wait(0.001)


def after(at_work: contextlib.ExitStack, job: Job) -> Any:
    """End what is at work; return what the job then gives."""
    at_work.close()
    return job.result(PATIENCE)


def test_a_model_that_does_not_fit_beside_one_at_work_waits_for_its_end(
    meeting: Recording, narrow: dict[str, str], turned_away: list[str]
) -> None:
    options = {"max_seconds": 10, "batch_size": 1, "device": "cpu"}
    with contextlib.ExitStack() as at_work:
        at_work.enter_context(turns.turn("cpu"))
        first = submitted(meeting, model=narrow["whisper"], **options)
        Seen(first).until(lambda job: job.state == "running")
        second = submitted(meeting, model=narrow["qwen3-asr"], **options)
        third = submitted(meeting, model=narrow["qwen3-asr"], **options)
        for job in (second, third):
            until_turned_away(job, turned_away)
            assert job.state == "waiting"
        assert "waiting" in str(second.progress)
        third.stop()
        assert third.wait(PATIENCE)
        assert third.state == "stopped"
        assert not second.is_done
        seen = Seen(second)
        with pytest.warns(ModelWarning, match="to make room for qwen3-asr-tiny-meeting"):
            assert after(at_work, second).complete
    assert first.state == "finished"
    assert "loading" in seen.states  # again: what is fetched then can be stopped


def test_a_model_waits_for_whatever_work_is_done_with_another(
    meeting: Recording, narrow: dict[str, str], turned_away: list[str]
) -> None:
    """It failed where the other model was just loaded, and its work not begun."""
    with contextlib.ExitStack() as at_work:
        at_work.enter_context(manager.using(catalog.resolve(narrow["whisper"], device="cpu")))
        job = submitted(meeting, model=narrow["qwen3-asr"], max_seconds=10, device="cpu")
        until_turned_away(job, turned_away)
        assert job.state == "waiting"
        with pytest.warns(ModelWarning, match="to make room"):
            assert after(at_work, job).complete


def test_a_model_that_goes_by_hand_makes_room_for_who_waits(
    meeting: Recording, narrow: dict[str, str], turned_away: list[str]
) -> None:
    with manager.using(catalog.resolve(narrow["whisper"], device="cpu")):
        job = submitted(meeting, model=narrow["qwen3-asr"], max_seconds=10, device="cpu")
        until_turned_away(job, turned_away)
        nbasr.models.unload("whisper-tiny-meeting")
        assert job.result(PATIENCE).complete


def test_a_model_that_never_fits_is_refused_though_another_is_at_work(
    meeting: Recording, narrow: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with turns.turn("cpu"):
        first = submitted(meeting, model=narrow["whisper"], device="cpu", max_seconds=10)
        Seen(first).until(lambda job: job.state == "running")

        def too_large(*_: Any, **__: Any) -> None:
            raise OutOfMemoryError("It is too large by far.")

        monkeypatch.setattr(estimating, "must_fit", too_large)
        second = submitted(meeting, model=narrow["qwen3-asr"], device="cpu", max_seconds=10)
        with pytest.raises(OutOfMemoryError, match="too large by far"):
            second.result(PATIENCE)


# --- who waits, and who looks


def test_waiting_comes_to_an_end(meeting: Recording, tiny: str) -> None:
    with turns.turn("cpu"):
        job = submitted(meeting, model=tiny)
        assert not job.wait(0.01)
        with pytest.raises(TimeoutError, match="it goes on"):
            job.result(0.01)
        assert not job.is_done
    assert job.wait(PATIENCE)


def test_an_interrupt_while_a_cell_waits_gives_what_was_heard(
    meeting: Recording, tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting, really = threading.Event(), Job.wait

    def wait(job: Job, timeout: float | None = None) -> bool:
        waiting.set()
        return really(job, timeout)

    def interrupt(job: Job) -> None:
        if has_text(job):
            take_off()
            assert waiting.wait(PATIENCE)  # else it would hit the test itself
            _thread.interrupt_main()

    monkeypatch.setattr(Job, "wait", wait)
    with turns.turn("cpu"):
        job = submitted(meeting, model=tiny, max_seconds=6, batch_size=1)
        take_off = job.observe(interrupt)
    found = job.result(PATIENCE)
    assert job.state == "stopped"
    assert found.segments
    assert not found.complete


def test_a_job_can_be_begun_and_awaited_in_any_thread(
    meeting: Recording, tiny: str, whole: Any
) -> None:
    found: list[Any] = []
    thread = threading.Thread(
        target=lambda: found.append(submitted(meeting, model=tiny, max_seconds=6).result(PATIENCE))
    )
    thread.start()
    thread.join(PATIENCE)
    assert found[0].segments == whole.segments


def test_an_observer_that_fails_harms_nothing_and_is_told_of_once(
    meeting: Recording, tiny: str
) -> None:
    calls, others = [], []

    def fails(job: Job) -> None:
        calls.append(job)
        raise (KeyboardInterrupt if len(calls) % 2 else ValueError)("my own mistake")

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with turns.turn("cpu"):
            job = submitted(meeting, model=tiny, max_seconds=6, batch_size=1)
            job.observe(fails)
            job.observe(others.append)
        assert job.result(PATIENCE).complete
        job._thread.join(PATIENCE)
    assert ["my own mistake" in str(one.message) for one in told] == [True]
    assert len(calls) == len(others)
    assert len(calls) > 2


def test_an_observer_that_waits_for_its_own_job_is_refused(meeting: Recording, tiny: str) -> None:
    refused: list[str] = []

    def waits(job: Job) -> None:
        try:
            job.result()
        except RuntimeError as error:
            refused.append(str(error))

    with turns.turn("cpu"):
        job = submitted(meeting, model=tiny, max_seconds=6)
        job.observe(waits)
    assert job.result(PATIENCE).complete
    assert "cannot be waited for by what observes it" in refused[0]


def test_what_observed_a_job_is_not_kept_by_it(meeting: Recording, tiny: str) -> None:
    class Looker:
        def look(self, job: Job) -> None:
            assert job

    looker = Looker()
    gone = weakref.ref(looker)
    with turns.turn("cpu"):
        job = submitted(meeting, model=tiny, max_seconds=6)
        job.observe(looker.look)
    del looker
    assert job.result(PATIENCE).complete
    job._thread.join(PATIENCE)
    assert gone() is None


def test_whatever_an_engine_raises_ends_the_job(
    meeting: Recording, tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leaves(*_: Any) -> Any:
        raise SystemExit("I am off")

    monkeypatch.setattr(WhisperEngine, "recognize", leaves)
    job = submitted(meeting, model=tiny)
    assert job.wait(PATIENCE)
    with pytest.raises(RuntimeError, match="SystemExit: I am off"):
        job.result()
    assert job.state == "failed"


def test_an_observer_that_was_taken_off_hears_nothing_more(meeting: Recording, tiny: str) -> None:
    calls: list[Job] = []
    with turns.turn("cpu"):
        job = submitted(meeting, model=tiny)
        Seen(job).until(lambda job: job.state == "running")
        take_off = job.observe(calls.append)
        take_off()
        take_off()
    assert job.result(PATIENCE).complete
    job._thread.join(PATIENCE)
    assert calls == []


def test_the_last_few_jobs_are_remembered(meeting: Recording, tiny: str) -> None:
    made = [submitted((meeting.read(0.0, 3.0), 16_000), model=tiny) for _ in range(8)]
    for job in made:
        job.result(PATIENCE)
    known = nbasr.jobs()
    assert known == tuple(made[-_jobs.KEPT :])
    assert [job.number for job in known] == sorted(job.number for job in known)


def test_jobs_are_listed_and_stopped_by_command(meeting: Recording, tiny: str) -> None:
    assert asr.run("stop", {}) == "No job is at work."
    with turns.turn("cpu"):
        one, other = (submitted(meeting, model=tiny) for _ in range(2))
        for job in (one, other):
            Seen(job).until(lambda job: job.state == "running")
        page = str(asr.run("status", {}))
        assert "Jobs" in page
        assert f"\n{one.number} " in page
        line = f"%asr stop {one.number}"
        offers = complete(line, 0, len(line), {**asr.commands()}, {})
        assert offers is not None
        assert str(one.number) in [offer.text for offer in offers.offers]
        with pytest.raises(OptionError, match=f"At work: {one.number}, {other.number}"):
            asr.run("stop 99999", {})
        with pytest.raises(OptionError, match="takes one number"):
            asr.run("stop 1 2", {})
        assert f"Stopping {other.number} (array)" in asr.run(f"stop {other.number}", {})
        assert other.wait(PATIENCE)
        assert not one.is_done
        asr.run("stop", {})
        assert one.wait(PATIENCE)
    assert "Jobs" not in str(asr.run("status", {}))


def test_python_ends_though_a_job_runs(tiny: str) -> None:
    script = (
        "import nbasr\n"
        "job = nbasr.submit(nbasr.samples.long_meeting(5)[0], model='sphinx')\n"
        "while job.state != 'running': job.wait(0.01)\n"
        "print(job.state)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "running\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_fork_of_the_kernel_leaves_its_jobs_alone() -> None:
    """It waited for their end, which never comes there, and ended the embedded engine's process."""
    script = (
        "import os, nbasr\n"
        "from nbasr.pipeline import turns\n"
        "sound = (nbasr.samples.open('meeting').read(0, 8), 16000)\n"
        "nbasr.models.load('sphinx')\n"
        "with turns.turn('cpu'):\n"
        "    job = nbasr.submit(sound, model='sphinx')\n"
        "    child = os.fork()\n"
        "    if not child:\n"
        "        print(nbasr.jobs(), flush=True)\n"
        "        raise SystemExit\n"
        "    os.waitpid(child, 0)\n"
        "print(job.result().complete)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "()\nTrue\n", "")


# --- in a real kernel


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory, tiny: str) -> Iterator[Kernel]:
    manager, client = start_new_kernel(cwd=str(tmp_path_factory.mktemp("work")))
    try:
        started = Kernel(manager, client)
        code = f"import nbasr\nlong = nbasr.samples.long_meeting(3)[0]\ntiny = {tiny!r}"
        reply, outputs = started.run(code)
        assert (reply["status"], outputs) == ("ok", [])
        yield started
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_interrupting_a_cell_that_waits_returns_what_was_heard(kernel: Kernel) -> None:
    interrupted = False

    def interrupt(kind: str, content: dict[str, Any]) -> None:
        nonlocal interrupted
        # Not when it is first shown: the cell may not wait for the job yet.
        if (
            kind == "update_display_data"
            and "× real time" in str(content["data"])
            and not interrupted
        ):
            interrupted = True
            kernel.manager.interrupt_kernel()

    kernel.run("job = nbasr.submit(long, model='sphinx', max_seconds=4)")
    reply, outputs = kernel.run("display(job)\nfound = job.result()", interrupt)
    assert interrupted
    assert reply["status"] == "ok", reply
    assert "error" not in [kind for kind, _ in outputs]
    assert kernel.value("job.state") == "'stopped'"
    assert kernel.value("(found.complete, found.notes == job.partial.notes)") == "(False, True)"
    assert int(kernel.value("len(found.segments)")) > 0
    assert kernel.run("1 + 1")[0]["status"] == "ok"


def test_a_job_shows_itself_in_its_cell_until_its_end(kernel: Kernel) -> None:
    reply, outputs = kernel.run("job = nbasr.submit(long, model=tiny, max_seconds=10)\njob")
    assert reply["status"] == "ok"
    (shown,) = [content for kind, content in outputs if kind == "display_data"]
    where = shown["transient"]["display_id"]
    updates = []
    while not updates or "finished" not in updates[-1]["data"]["text/plain"]:
        message = kernel.client.get_iopub_msg(timeout=PATIENCE)
        if message["msg_type"] == "update_display_data":
            updates.append(message["content"])
    assert {update["transient"]["display_id"] for update in updates} == {where}
    assert "finished" in updates[-1]["data"]["text/html"]
    _, outputs = kernel.run("job")  # shown again, it is as it ended
    assert outputs[0][0] == "display_data"
    assert "finished" in outputs[0][1]["data"]["text/plain"]


def test_a_job_that_failed_shows_why(kernel: Kernel) -> None:
    kernel.run(
        "from nbasr.engines.whisper import WhisperEngine\n"
        "def fails(*_): raise ValueError('a <b> in the works')\n"
        "WhisperEngine.recognize = fails\n"
        "job = nbasr.submit(long, model=tiny); job.wait()"
    )
    _, outputs = kernel.run("job")
    data = outputs[0][1]["data"]
    assert "ValueError: a <b> in the works" in data["text/plain"]
    assert "a &lt;b&gt; in the works" in data["text/html"]
