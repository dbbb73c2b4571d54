"""How long models stay: by time, by pin, by need of room; and many threads at once."""

from __future__ import annotations

import dataclasses
import shutil
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbasr import settings
from nbasr.engines import Request
from nbasr.engines.quantization import Quantization
from nbasr.errors import ModelError, ModelWarning, OptionError, OutOfMemoryError
from nbasr.memory import _host
from nbasr.memory import budget as ledger
from nbasr.models import ModelManager, _room, estimating
from nbasr.models.keeping import FOREVER, Alarm, minutes, shown
from nbasr.options import Options

WAIT = 30.0
"""Seconds after which a thread that should have ended counts as stuck."""


@pytest.fixture(scope="module", autouse=True)
def one_processor():
    """Let threads not wait for those that torch would start in each of them."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


SILENCE = Request(np.zeros(1600, np.float32))


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def models(clock):
    manager = ModelManager(clock)
    yield manager
    manager.unload_all()


@pytest.fixture
def tiny(assets) -> str:
    return str(assets / "whisper-tiny-meeting")


@pytest.fixture
def twins(tiny, tmp_path) -> list[str]:
    """Return the folders of three models that are alike."""
    return [str(shutil.copytree(tiny, tmp_path / name)) for name in ("one", "two", "three")]


@pytest.fixture
def budget():
    yield lambda size: ledger.set_budget(size, "cpu")
    ledger.set_budget(None, "cpu")


def names(models) -> list[str]:
    return [model.name for model in models.resident()]


# --- times as people write them


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (5, 5.0),
        (0, 0.0),
        (0.5, 0.5),
        (-1, FOREVER),
        (-7, FOREVER),
        (float("inf"), FOREVER),
        ("5m", 5.0),
        ("30s", 0.5),
        ("1h", 60.0),
        ("1h30m", 90.0),
        (" 1H 30m ", 90.0),
        ("0", 0.0),
        ("0s", 0.0),
        ("-1", FOREVER),
        ("-1m", FOREVER),
        ("2.5", 2.5),
        (np.float32(2), 2.0),
        (None, None),
    ],
)
def test_a_time_is_read_as_minutes(written, meant):
    assert minutes(written) == meant


@pytest.mark.parametrize("written", ["", "soon", "5 minutes", "5x", True, float("nan"), [], "m"])
def test_what_is_no_time_is_refused_with_examples(written):
    with pytest.raises(OptionError, match="such as 30s, 5m or 1h"):
        minutes(written)


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59))
def test_hours_minutes_and_seconds_add_up(h, m, s):
    assert minutes(f"{h}h{m}m{s}s") == pytest.approx(h * 60 + m + s / 60)


def test_what_is_left_is_told_in_its_unit():
    assert [shown(left) for left in (0, 0.5, 4.6, 150)] == ["0 s", "30 s", "5 min", "2.5 h"]


# --- the alarm


def test_an_alarm_rings_once_when_it_is_time_and_its_thread_ends():
    rung = []
    alarm = Alarm(lambda: rung.append(1))
    alarm.set(0.0)  # long ago, by any clock
    thread = alarm.thread
    if thread is not None:  # else it has ended already
        thread.join(WAIT)
    assert rung == [1]
    assert alarm.thread is None


def test_an_alarm_that_is_set_anew_rings_at_the_new_time_only(clock):
    rung = []
    alarm = Alarm(lambda: rung.append(clock.now), clock)
    alarm.set(10.0)
    thread = alarm.thread
    alarm.set(20.0)
    clock.now = 15.0
    alarm.set(20.0)  # wakes it: it is not yet time
    clock.now = 20.0
    alarm.set(20.0)
    thread.join(WAIT)
    assert rung == [20.0]


def test_an_alarm_that_is_taken_back_does_not_ring(clock):
    rung = []
    alarm = Alarm(lambda: rung.append(1), clock)
    alarm.set(10.0)
    thread = alarm.thread
    alarm.set(None)
    thread.join(WAIT)
    clock.now = 20.0
    assert not thread.is_alive()
    assert rung == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_alarm_whose_call_fails_can_be_set_again(clock):
    rung = []

    def ring():
        rung.append(1)
        if len(rung) == 1:
            raise RuntimeError("once")

    alarm = Alarm(ring, clock)
    for count in (1, 2):
        alarm.set(clock.now)
        if alarm.thread is not None:
            alarm.thread.join(WAIT)
        assert len(rung) == count


# --- by time


def test_a_model_goes_when_it_was_not_used_for_its_time(models, tiny, clock):
    model = models.load(tiny, device="cpu", keep_alive="5m")
    assert model.keep_alive == 5.0
    assert model.stays == "5 min more"
    clock.now += 299
    models._residents.expire()
    assert model.is_loaded
    thread = models._residents._alarm.thread
    clock.now += 1
    models._residents._alarm.set(clock.now)  # wakes the one thread, as the passing of time does
    thread.join(WAIT)
    assert not model.is_loaded
    assert models._residents._alarm.thread is None


def test_use_starts_its_time_anew(models, tiny, clock):
    model = models.load(tiny, device="cpu", keep_alive=1)
    for _ in range(3):
        clock.now += 50
        assert model.engine is not None
        models._residents.expire()
    assert model.is_loaded
    clock.now += 60
    models._residents.expire()
    assert not model.is_loaded


def test_a_model_at_work_stays_however_long_it_takes(models, tiny, clock):
    model = models.load(tiny, device="cpu", keep_alive="1s")
    with models.using(model.spec) as engine:
        clock.now += 3600
        models._residents.expire()
        assert model.stays == "at work"
        assert engine.recognize([SILENCE])[0].text == ""
    assert model.is_loaded  # its time begins when the work ends
    clock.now += 1
    models._residents.expire()
    assert not model.is_loaded


def test_zero_unloads_a_model_when_its_first_work_is_done(models, tiny):
    model = models.load(tiny, device="cpu", keep_alive=0)
    assert model.stays == "until its work is done"
    with models.using(model.spec):
        with models.using(model.spec):
            pass
        assert model.is_loaded  # somebody else is at work
    assert not model.is_loaded
    again = models.load(tiny, device="cpu", keep_alive=0)
    assert again.is_loaded


def test_zero_unloads_a_model_also_when_its_work_fails(models, tiny):
    model = models.load(tiny, device="cpu", keep_alive=0)
    with pytest.raises(ZeroDivisionError), models.using(model.spec):
        _ = 1 / 0
    assert not model.is_loaded


def test_without_a_time_of_its_own_the_settings_decide(models, tiny, clock, monkeypatch):
    model = models.load(tiny, device="cpu")
    assert model.keep_alive == FOREVER
    assert model.stays == "until unloaded"
    clock.now += 1e9
    models._residents.expire()
    assert model.is_loaded
    assert model.engine is not None
    try:
        settings.current().keep_alive = 2.0  # as %config does; heard without being asked
        assert model.stays == "2 min more"
        thread = models._residents._alarm.thread
        clock.now += 120
        settings.current().keep_alive = 1.9
        thread.join(WAIT)
        assert not model.is_loaded
    finally:
        settings.current().keep_alive = FOREVER


def test_the_time_of_a_loaded_model_can_be_changed(models, tiny, clock):
    model = models.load(tiny, device="cpu", keep_alive="1h")
    assert models.load(tiny).keep_alive == 60.0  # to load it again leaves it
    assert models.load(tiny, keep_alive="2h").keep_alive == 120.0
    model.keep_alive = "30s"
    clock.now += 30
    models._residents.expire()
    assert not model.is_loaded
    with pytest.raises(ModelError, match="was unloaded"):
        model.keep_alive = 5


def test_no_thread_waits_while_nothing_is_due(models, tiny):
    before = {thread.name for thread in threading.enumerate()}
    model = models.load(tiny, device="cpu")
    assert models._residents._alarm.thread is None
    model.keep_alive = "1h"
    assert models._residents._alarm.thread.daemon
    model.pin()
    thread = models._residents._alarm.thread
    if thread is not None:
        thread.join(WAIT)
    assert {thread.name for thread in threading.enumerate()} <= before  # others may have ended


def test_a_real_clock_unloads_by_itself(tiny):
    models = ModelManager()
    model = models.load(tiny, device="cpu", keep_alive=0.0001)  # 6 ms
    thread = models._residents._alarm.thread
    if thread is not None:
        thread.join(WAIT)
    assert not model.is_loaded


def test_a_time_that_is_none_is_refused_before_anything_is_loaded(models, tiny):
    with pytest.raises(OptionError, match="keep_alive takes minutes"):
        models.load(tiny, keep_alive="soon")
    assert names(models) == []


# --- by need of room


def needs(name: str) -> int:
    return estimating.needed_bytes(estimating.catalog.resolve(name, device="cpu"))


def test_the_model_used_longest_ago_goes_when_room_is_needed(models, twins, clock, budget):
    budget(needs(twins[0]) + 10_000_000)  # room for the weights of two, not of three
    one = models.load(twins[0], device="cpu")
    clock.now += 1
    two = models.load(twins[1], device="cpu")
    clock.now += 1
    assert one.engine is not None
    with pytest.warns(
        ModelWarning, match=r"Unloaded two \(7\.9 MB\) to make room for three"
    ) as told:
        three = models.load(twins[2], device="cpu")
    assert (one.is_loaded, two.is_loaded, three.is_loaded) == (True, False, True)
    assert told[0].filename == __file__  # the line that asked for it


def test_the_warning_is_at_the_line_that_puts_a_model_to_work(models, twins, budget):
    budget(needs(twins[0]) + 1_000_000)
    models.load(twins[0], device="cpu")
    spec = dataclasses.replace(models.resident()[0].spec, source=twins[1], name="two")
    with pytest.warns(ModelWarning, match="Unloaded one") as told, models.using(spec):
        pass
    assert told[0].filename == __file__


def test_only_as_many_models_go_as_are_needed(models, twins, clock, budget):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for folder in twins:
            clock.now += 1
            models.load(folder, device="cpu")
    assert len(names(models)) == 3


def test_a_pinned_model_stays_and_the_load_is_refused_with_nothing_unloaded(models, twins, budget):
    budget(needs(twins[0]) + 1_000_000)
    one = models.load(twins[0], device="cpu", pin=True)
    assert one.is_pinned
    assert one.stays == "pinned"
    with pytest.raises(OutOfMemoryError, match=r"one \(7\.9 MB, pinned\) cannot go") as caught:
        models.load(twins[1], device="cpu")
    assert "two in float32 does not fit and was not loaded" in str(caught.value)
    assert names(models) == ["one"]
    one.unpin()
    with pytest.warns(ModelWarning, match="Unloaded one"):
        models.load(twins[1], device="cpu")
    assert names(models) == ["two"]


def test_a_model_at_work_is_not_taken_to_make_room(models, twins, budget):
    budget(needs(twins[0]) + 1_000_000)
    one = models.load(twins[0], device="cpu")
    with (
        models.using(one.spec),
        pytest.raises(OutOfMemoryError, match=r"one \(7\.9 MB, at work\) cannot go"),
    ):
        models.load(twins[1], device="cpu")
    assert one.is_loaded


def test_what_cannot_fit_anyway_unloads_nothing(models, twins, budget):
    budget(needs(twins[0]) + 1_000_000)
    one = models.load(twins[0], device="cpu")
    with pytest.raises(OutOfMemoryError, match="whisper-large-v3 in float32 does not fit"):
        models.load("whisper-large-v3", device="cpu")
    assert one.is_loaded


def test_what_cannot_fit_is_refused_before_it_is_fetched(models, budget):
    budget("50MB")
    with pytest.raises(OutOfMemoryError, match="does not fit and was not loaded"):
        models.load("whisper-large-v3", device="cpu")  # offline: fetching it would say so


def test_memory_that_other_processes_took_is_not_counted_on(models, tiny, monkeypatch):
    monkeypatch.setattr(_host, "available_bytes", lambda: 5_000_000)
    with pytest.raises(OutOfMemoryError, match=r"does not fit .* room for 5\.0 MB on cpu"):
        models.load(tiny, device="cpu")
    assert names(models) == []


def test_a_load_that_took_more_than_foreseen_is_tried_with_less_loaded(models, twins, monkeypatch):
    one = models.load(twins[0], device="cpu")
    opened = []

    def open_engine(spec):
        opened.append(one.is_loaded)
        if one.is_loaded:
            raise OutOfMemoryError("does not fit into the memory of cpu")
        return real(spec)

    real = _room.open_engine
    monkeypatch.setattr(_room, "open_engine", open_engine)
    with pytest.warns(ModelWarning, match="Unloaded one"):
        assert models.load(twins[1], device="cpu").is_loaded
    assert opened == [True, False]


def test_a_load_that_runs_out_of_memory_alone_fails_and_leaves_nothing(models, tiny, monkeypatch):
    def open_engine(spec):
        raise OutOfMemoryError("does not fit into the memory of cpu")

    monkeypatch.setattr(_room, "open_engine", open_engine)
    with pytest.raises(OutOfMemoryError, match="does not fit into"):
        models.load(tiny, device="cpu")
    assert names(models) == []
    assert ledger.held_bytes("cpu") == 0


def test_the_ledger_holds_what_is_loaded_and_lets_go_of_it(models, tiny):
    model = models.load(tiny, device="cpu")
    assert ledger.held_bytes("cpu") == model.bytes == sum(model.parts.values())
    quantised = models.load(tiny, device="cpu", quantization="nf4", dtype="float32")
    assert quantised.bytes < model.bytes
    assert ledger.held_bytes("cpu") == model.bytes + quantised.bytes
    report = model.unload()
    assert report.model_bytes > 7_000_000
    assert ledger.held_bytes("cpu") == quantised.bytes
    models.unload_all()
    assert ledger.held_bytes("cpu") == 0


# --- many threads


def together(count: int, work) -> list[object]:
    """Run `work(number)` in threads that start as one; return what each returned or raised."""
    ready = threading.Barrier(count)
    found: list[object] = [None] * count

    def run(number: int) -> None:
        ready.wait(WAIT)
        try:
            found[number] = work(number)
        except Exception as error:  # told below
            found[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
        assert not thread.is_alive()
    return found


def test_one_model_is_loaded_at_a_time(models, twins, monkeypatch):
    real, inside, most = _room.open_engine, [0], [0]

    def open_engine(spec):
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        try:
            return real(spec)
        finally:
            inside[0] -= 1

    monkeypatch.setattr(_room, "open_engine", open_engine)
    found = together(3, lambda number: models.load(twins[number], device="cpu").is_loaded)
    assert found == [True] * 3
    assert most == [1]


def test_the_same_load_asked_by_many_threads_happens_once(models, tiny, monkeypatch):
    real, opened = _room.open_engine, []
    monkeypatch.setattr(_room, "open_engine", lambda spec: opened.append(spec) or real(spec))
    found = together(6, lambda _: models.load(tiny, device="cpu").engine)
    assert len(set(map(id, found))) == 1
    assert len(opened) == 1


def test_a_loaded_model_is_had_at_once_while_another_loads(models, twins, monkeypatch):
    one = models.load(twins[0], device="cpu")
    began, go = threading.Event(), threading.Event()
    real = _room.open_engine

    def open_engine(spec):
        began.set()
        assert go.wait(WAIT)
        return real(spec)

    monkeypatch.setattr(_room, "open_engine", open_engine)
    thread = threading.Thread(target=models.load, args=(twins[1],), kwargs={"device": "cpu"})
    thread.start()
    assert began.wait(WAIT)
    assert models.load(twins[0], device="cpu").engine is one.engine
    assert names(models) == ["one"]
    go.set()
    thread.join(WAIT)
    assert sorted(names(models)) == ["one", "two"]


def test_work_in_many_threads_and_unloading_between_never_meets_an_empty_model(models, tiny):
    spec = models.load(tiny, device="cpu", keep_alive=0).spec

    def work(_):
        for _ in range(2):
            with models.using(spec) as engine:
                assert engine.recognize([SILENCE])[0].text == ""
        return "done"

    assert together(3, work) == ["done"] * 3


def test_unloading_in_many_threads_happens_once(models, tiny):
    model = models.load(tiny, device="cpu")
    reports = together(4, lambda _: model.unload().names)
    assert sorted(reports) == [(), (), (), (model.name,)]


def test_a_failed_load_lets_the_ones_that_wait_try_for_themselves(models, tiny, monkeypatch):
    real, lock, tries = _room.open_engine, threading.Lock(), []

    def open_engine(spec):
        with lock:
            tries.append(spec)
            first = len(tries) == 1
        if first:
            raise ModelError("the disk hiccuped")
        return real(spec)

    monkeypatch.setattr(_room, "open_engine", open_engine)
    found = together(3, lambda _: models.load(tiny, device="cpu"))
    assert sum(isinstance(one, ModelError) for one in found) == 1
    assert len(tries) == 2
    assert len(names(models)) == 1


# --- what is the same model


def test_another_quantisation_is_another_model(models, tiny):
    plain = models.load(tiny, device="cpu")
    fine = Quantization("nf4", compute_dtype="float32")
    nf4 = models.load(tiny, device="cpu", quantization=fine)
    assert nf4.spec.quantization == fine
    assert "nf4" in repr(nf4)
    assert models.load(tiny).engine is nf4.engine  # unasked: the one used last
    assert models.load(tiny, quantization="none").engine is plain.engine
    assert models.load(tiny, quantization="nf4").engine is nf4.engine  # its details are open
    assert len(models.resident()) == 2


def test_a_quantised_resident_model_is_taken_by_a_transcription_that_says_nothing(models, tiny):
    model = models.load(tiny, device="cpu", quantization="nf4")
    options = dataclasses.replace(Options(), device="cpu")
    assert models.choose(options) == model.spec
    assert models.choose(dataclasses.replace(options, model=tiny)) == model.spec
    other = models.choose(dataclasses.replace(options, quantization="none"))
    assert (other.source, other.quantization) == (model.spec.source, None)
    int8 = models.choose(dataclasses.replace(options, model=tiny, quantization="int8"))
    assert int8.quantization == Quantization("int8")


def test_a_saved_quantised_model_is_loaded_as_it_was_saved(models, tiny, tmp_path):
    model = models.load(tiny, device="cpu", quantization="nf4")
    folder = model.save(tmp_path / "mine")
    assert isinstance(folder, Path)
    again = models.load(str(folder), device="cpu")
    assert again.spec.quantization.method == "nf4"
    assert again.bytes == pytest.approx(model.bytes, rel=0.01)
    with pytest.raises(OptionError, match="saved in nf4"):
        models.load(str(folder), device="cpu", quantization="int8")
    model.unload()
    with pytest.raises(ModelError, match="was unloaded"):
        model.save(tmp_path / "other")
