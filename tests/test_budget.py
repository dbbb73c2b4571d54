"""Budgets: a device behaves as a smaller one, and the ledger adds up."""

from __future__ import annotations

import threading

import hypothesis
import hypothesis.strategies as st
import pytest

from nbasr import memory
from nbasr._units import parse_size
from nbasr.errors import OptionError
from nbasr.memory import _nvidia, budget

MB = 1_000_000


@pytest.fixture(autouse=True)
def no_budget_is_left():
    yield
    memory.set_budget(None, "cpu")
    for key in list(budget._ledger):
        memory.let_go(key)


def test_without_a_budget_there_is_what_is_free():
    assert budget.budget("cpu") is None
    assert memory.room_bytes("cpu") == pytest.approx(memory.free_bytes("cpu"), rel=0.05)
    memory.check(10**15, "cpu")


def test_a_budget_limits_the_room():
    given_budget = memory.set_budget("100MB", "cpu")
    assert given_budget is not None
    assert (given_budget.bytes, given_budget.device, given_budget.enforced) == (
        100 * MB,
        "cpu",
        False,
    )
    assert budget.budget("cpu") == 100 * MB
    assert memory.room_bytes("cpu") == 100 * MB
    memory.hold("a", 30 * MB, "cpu")
    memory.hold("b", 20 * MB, "cuda")  # elsewhere
    assert memory.room_bytes("cpu") == 70 * MB
    memory.hold("a", 40 * MB, "cpu")  # the same one, weighed anew
    assert (memory.room_bytes("cpu"), memory.held_bytes("cpu")) == (60 * MB, 40 * MB)
    memory.let_go("a")
    memory.let_go("a")
    assert memory.room_bytes("cpu") == 100 * MB
    assert memory.set_budget(None, "cpu") is None
    assert budget.budget("cpu") is None
    assert memory.room_bytes("cpu") > 100 * MB


def test_a_budget_is_no_more_than_what_is_free():
    memory.set_budget("900TB", "cpu")
    assert memory.room_bytes("cpu") == pytest.approx(memory.free_bytes("cpu"), rel=0.05)


def test_auto_means_the_best_device():
    import torch

    set_ = memory.set_budget("3GB")
    assert set_ is not None
    best = "cuda:0" if torch.cuda.is_available() else "cpu"
    if torch.backends.mps.is_available():
        best = "mps"
    assert set_.device == best
    assert budget.budget() == budget.budget(best) == 3000 * MB
    memory.set_budget(None)
    assert budget.budget(best) is None


def test_without_a_device_every_budget_is_taken_away():
    memory.set_budget("3GB", "cpu")
    memory.set_budget(None)
    assert budget.budget("cpu") is None


def test_where_no_budget_is_there_is_nothing_to_undo(monkeypatch):
    asked = []
    monkeypatch.setattr(budget, "_enforce", lambda *what: asked.append(what))
    memory.set_budget(None)
    memory.set_budget(None, "cpu")
    assert asked == []  # on CUDA it would take the memory of its context
    memory.set_budget("3GB", "cpu")
    memory.set_budget(None)
    assert asked == [("cpu", 3 * 10**9), ("cpu", None)]


def test_a_gpu_for_which_torch_is_not_made_has_no_budget(monkeypatch):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("needs a torch without CUDA")
    card = _nvidia.Gpu("Tesla T4", 16_000 * MB, 15_000 * MB, (), None, None, "NVML")
    monkeypatch.setattr(_nvidia, "gpus", lambda: (card,))
    monkeypatch.setattr(_nvidia, "gpu", lambda _: card)
    with pytest.raises(OptionError, match="There is no cuda:0 device"):
        memory.set_budget("4GB", "cuda:0")
    memory.set_budget("3GB", "cpu")
    assert [budget.budget(one.device) for one in memory.devices()] == [None, 3 * 10**9]


def test_too_large_a_batch_meets_the_error_that_torch_would_raise():
    import torch

    from nbasr.memory.shortage import ran_out

    memory.set_budget("100MB", "cpu")
    memory.hold("key", 60 * MB, "cpu", "whisper-tiny")
    memory.check(40 * MB, "cpu")
    with pytest.raises(torch.OutOfMemoryError) as caught:
        memory.check(40 * MB + 1, "cpu")
    assert ran_out(caught.value)
    assert str(caught.value) == (
        "cpu out of memory. Tried to allocate 40 MB. The budget (set_budget) is 100 MB, of which "
        "40 MB are free. 60 MB are held by whisper-tiny."
    )
    memory.set_budget(None, "cpu")
    memory.check(40 * MB + 1, "cpu")


def test_a_budget_below_what_is_loaded_names_what_to_unload():
    memory.hold("key", 60 * MB, "cpu", "whisper-tiny")
    with pytest.raises(OptionError, match=r"60 MB in use on cpu; unload whisper-tiny"):
        memory.set_budget("50MB", "cpu")
    assert budget.budget("cpu") is None
    shown = memory.set_budget("60MB", "cpu")
    assert shown is not None
    assert "60 MB held by loaded models" in repr(shown)
    assert memory.room_bytes("cpu") == 0


@pytest.mark.parametrize(
    ("size", "device", "told"),
    [
        ("much", "cpu", "is no size"),
        (0, "cpu", "above 0"),
        (-4e9, "cpu", "is no size"),
        (4, "cpu", "4 B holds no model; write 4GB"),
        ("4GB", "tpu", "auto, cpu, cuda or mps, not 'tpu'"),
        ("4GB", "cuda:55", "There is no cuda:55 device"),
    ],
)
def test_an_impossible_budget_is_refused(size, device, told):
    with pytest.raises(OptionError, match=told):
        memory.set_budget(size, device)


def test_a_budget_is_shown():
    shown = memory.set_budget("4 GB", "cpu")
    assert shown is not None
    assert repr(shown) == "<Budget 4.0 GB of cpu, kept to by nbasr, as on a smaller device>"
    assert "4.0 GB of cpu · kept to by nbasr" in shown._repr_html_()


@hypothesis.given(
    limit=st.integers(budget.LEAST_BYTES, 10**14),
    entries=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 10**10), st.booleans())),
)
def test_the_ledger_adds_up_whatever_comes_and_goes(limit, entries):
    for key in list(budget._ledger):
        memory.let_go(key)
    memory.set_budget(limit, "cpu")
    held: dict[int, int] = {}
    for key, size, stays in entries:
        memory.hold(key, size, "cpu")
        held[key] = size
        if not stays:
            memory.let_go(key)
            del held[key]
    assert memory.held_bytes("cpu") == sum(held.values())
    room = memory.room_bytes("cpu")
    left = limit - sum(held.values())
    assert room == max(0, left) or 0 < room <= memory.free_bytes("cpu") + 10**9 < left + 2 * 10**9
    if left > 0:
        memory.check(left, "cpu")


def test_the_ledger_is_safe_from_threads():
    start = threading.Barrier(8)

    def come_and_go(n: int) -> None:
        start.wait()
        for turn in range(200):
            memory.hold((n, turn), 3, "cpu")
            if turn % 2:
                memory.let_go((n, turn))

    threads = [threading.Thread(target=come_and_go, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert memory.held_bytes("cpu") == 8 * 100 * 3


@pytest.mark.gpu
def test_on_cuda_torch_enforces_the_budget():
    import torch

    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    set_ = memory.set_budget("2GB", "cuda")
    try:
        assert set_ is not None
        assert set_.enforced
        room = memory.room_bytes("cuda")
        assert room <= parse_size("2GB") - memory.CONTEXT_BYTES
        with pytest.raises(torch.OutOfMemoryError):
            torch.zeros(room + 100 * MB, dtype=torch.uint8, device="cuda")
        fits = torch.zeros(room - 100 * MB, dtype=torch.uint8, device="cuda")
        assert memory.room_bytes("cuda") <= 101 * MB
        with pytest.raises(OptionError, match="taken of cuda:0"):
            memory.set_budget("1GB", "cuda")
        del fits
    finally:
        memory.set_budget(None, "cuda")
