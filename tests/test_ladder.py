"""Out of memory in the middle of a transcription: the same text, no memory kept, and it is told."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

import nbasr
from nbasr import memory
from nbasr.engines.base import EngineSpec, Recognition, Request
from nbasr.errors import OutOfMemoryError
from nbasr.memory.shortage import ran_out
from nbasr.models import estimating
from nbasr.pipeline.ladder import OUT_OF_MEMORY, Ladder
from nbasr.pipeline.run import run

CHECKPOINTS = ("whisper-tiny-meeting", "qwen3-asr-tiny-meeting")
CUDA = "CUDA out of memory. Tried to allocate 2.95 GiB."


@pytest.fixture(scope="module")
def recording() -> nbasr.Recording:
    meeting = nbasr.samples.open("meeting")
    return nbasr.Recording.open((meeting.read(0.0, 34.0), 16000))


@pytest.fixture(params=CHECKPOINTS)
def model(request: pytest.FixtureRequest, assets: Path) -> Iterator[nbasr.models.Model]:
    yield nbasr.models.load(str(assets / request.param), dtype="float32")
    nbasr.models.unload_all()


def transcribed(model: nbasr.models.Model, recording: nbasr.Recording, **more: Any) -> Any:
    options = {"model": model.spec.source, "max_seconds": 6, "language": "en", "progress": False}
    return nbasr.transcribe(recording, **{**options, **more})


class Shortage:
    """Makes torch run out of memory in some calls of a part of a model, as a small card would."""

    def __init__(self, too_much: Callable[[int, int], bool]) -> None:
        self.too_much = too_much  # (call, requests at once)
        self.calls = self.raised = 0
        self.kept: list[weakref.ref[torch.Tensor]] = []

    def __call__(self, module: Any, args: Any, kwargs: Any) -> None:
        # What the frames of the last error held must be gone before anything is tried again.
        assert [ballast() for ballast in self.kept] == [None] * len(self.kept)
        given = next(v for v in (*args, *kwargs.values()) if isinstance(v, torch.Tensor))
        self.calls += 1
        if self.too_much(self.calls, len(given)):
            self.raised += 1
            ballast = torch.ones(1000, 1000)
            self.kept.append(weakref.ref(ballast))
            raise torch.OutOfMemoryError(CUDA)


@contextmanager
def short_of_memory(module: Any, too_much: Callable[[int, int], bool]) -> Iterator[Shortage]:
    shortage = Shortage(too_much)
    hook = module.register_forward_pre_hook(shortage, with_kwargs=True)
    try:
        yield shortage
    finally:
        hook.remove()


def decoder(model: nbasr.models.Model) -> Any:
    """Return the part that sees every request of a batch at once, in every step of the answer."""
    return next(
        module
        for name, module in model.module.named_modules()
        if name in ("model.decoder", "model.language_model")
    )


def parts(model: nbasr.models.Model) -> dict[str, Any]:
    """Return the places where memory may run out: hearing, the first layer, the head."""
    modules = dict(model.module.named_modules())
    hearing = modules.get("model.encoder") or modules["model.audio_tower"]
    head = modules.get("proj_out") or modules["lm_head"]
    return {"hearing": hearing, "first layer": decoder(model).layers[0], "head": head}


@pytest.mark.parametrize("fits", [3, 2, 1])
def test_a_batch_that_does_not_fit_is_halved_until_it_does(model, recording, fits):
    plain = transcribed(model, recording, batch_size=6)
    with short_of_memory(decoder(model), lambda _, count: count > fits) as shortage:
        found = transcribed(model, recording, batch_size=6)
    assert shortage.raised
    assert found.text == plain.text
    assert [s.start for s in found.segments] == [s.start for s in plain.segments]
    (note,) = [note for note in found.notes if "memory ran out" in note]
    assert "with 6 chunks at once" in note
    assert f"up to {fits}" in note
    assert plain.notes == ()


@pytest.mark.parametrize("place", ["hearing", "first layer", "head"])
@pytest.mark.parametrize("call", [1, 2, 5])
def test_wherever_and_whenever_it_happens_the_text_is_the_same(model, recording, place, call):
    plain = transcribed(model, recording, batch_size=3)
    with short_of_memory(parts(model)[place], lambda n, _: n == call) as shortage:
        found = transcribed(model, recording, batch_size=3)
    if shortage.raised:  # hearing a short recording may take fewer calls
        assert any("memory ran out" in note or "in two" in note for note in found.notes)
    assert found.text == plain.text
    assert shortage.raised or (place, call) == ("hearing", 5)


def test_a_size_that_did_not_fit_is_not_tried_again(model, recording):
    batches = []
    with short_of_memory(parts(model)["head"], lambda _, count: count > 2) as shortage:
        transcribed(
            model, recording, batch_size=3, progress=lambda told: batches.append(told.state)
        )
    assert batches.count("running") > 1
    # Whisper takes the same for any length; the others may try three chunks that are shorter.
    assert shortage.raised <= (1 if model.spec.engine == "whisper" else 2)


def test_a_chunk_that_does_not_fit_alone_is_cut_at_a_pause(model, recording):
    plain = transcribed(model, recording)
    with short_of_memory(decoder(model), lambda n, _: n == 1) as shortage:
        found = transcribed(model, recording)
    assert shortage.raised == 1
    assert nbasr.score(plain.text, found.text).wer <= 0.05  # heard in two parts, not in one
    assert any("went in two" in note for note in found.notes)
    assert not any(OUT_OF_MEMORY in segment.flags for segment in found.segments)


def test_without_any_memory_the_run_stops_with_what_it_has(model, recording):
    fine = []

    def too_much(_: int, __: int) -> bool:
        return len(fine) > 2

    with short_of_memory(decoder(model), too_much), pytest.raises(OutOfMemoryError) as caught:
        transcribed(model, recording, progress=lambda told: fine.append(told.state))
    assert "unload other models" in str(caught.value).lower()
    partial = caught.value.partial[0]
    assert partial.text
    assert not partial.complete
    assert "partial" in "".join(caught.value.__notes__)
    assert transcribed(model, recording).complete  # the model is as good as before


def test_the_other_chunks_of_a_batch_are_kept_when_one_cannot_be_mended(recording):
    work = nbasr.plan(recording, model="sphinx", max_seconds=6, batch_size=4)
    _, *others = sorted((item.chunk.duration for item in work.batches[0]), reverse=True)

    class AllButOne(Small):
        def recognize(self, batch: Any) -> list[Recognition]:
            if not all(any(abs(r.duration - d) < 0.01 for d in others) for r in batch):
                raise MemoryError
            return [Recognition("heard") for _ in batch]

    with pytest.raises(OutOfMemoryError) as caught:
        run(work, AllButOne(0.0), lambda _: None)
    (partial,) = caught.value.partial
    assert partial.recognized == pytest.approx(sum(others))


def test_memory_is_back_where_it_was_after_a_shortage(model, recording):
    """What stays is counted in tensors: the resident set of a process is too coarse for this."""
    transcribed(model, recording, batch_size=6)

    def tensors() -> int:
        import gc

        gc.collect()
        return sum(
            thing.untyped_storage().nbytes()
            for thing in gc.get_objects()
            if issubclass(type(thing), torch.Tensor)
        )

    before = tensors()
    with short_of_memory(decoder(model), lambda _, count: count > 2) as shortage:
        found = transcribed(model, recording, batch_size=6)
    assert shortage.raised
    assert tensors() == before
    assert found.text


def test_an_emulated_card_runs_out_of_memory_and_gets_through(model, recording):
    plain = transcribed(model, recording, batch_size=6)
    room = estimating.run_bytes(model.spec, 6.0, 2) + 1_000_000
    memory.set_budget(model.bytes + room, "cpu")
    try:
        found = transcribed(model, recording, batch_size=6)
        planned = nbasr.plan(recording, model=model.spec.source, max_seconds=6)
    finally:
        memory.set_budget(None, "cpu")
    assert found.text == plain.text
    assert any("memory ran out" in note for note in found.notes)
    assert planned.spec == model.spec


class Small:
    """An engine without a model, which takes so many seconds at once and no more."""

    def __init__(self, fits: float, error: type[Exception] = MemoryError) -> None:
        self.spec = EngineSpec("small", "", "small")
        self.module = None
        self.fits, self.error = fits, error
        self.tried: list[int] = []

    def recognize(self, batch: Any) -> list[Recognition]:
        self.tried.append(len(batch))
        if len(batch) * max(request.duration for request in batch) > self.fits:
            raise self.error(CUDA)
        return [Recognition(f"{request.duration:g}") for request in batch]

    def close(self) -> None: ...


def requests(*seconds: float) -> list[Request]:
    return [Request(torch.zeros(round(s * 16000)).numpy()) for s in seconds]


@pytest.mark.parametrize("error", [MemoryError, torch.OutOfMemoryError, RuntimeError])
def test_results_stay_in_order_whatever_is_halved(error):
    engine = Small(5.0, error)
    ladder = Ladder(engine)
    found = ladder.recognize(requests(4, 3, 2, 1, 1))
    assert [one.text for one in found] == ["4", "3", "2", "1", "1"]
    assert ladder.steps[0] == (5, 3)


def test_a_single_request_that_does_not_fit_comes_back_flagged():
    found = Ladder(Small(2.0)).recognize(requests(1, 9))
    assert [one.flags for one in found] == [(), (OUT_OF_MEMORY,)]


def test_a_limit_that_was_met_stays_whatever_is_learnt_on_the_way(tmp_path, monkeypatch):
    monkeypatch.setenv("NBASR_HOME", str(tmp_path))
    engine = Small(60.0)
    engine.spec = EngineSpec("whisper", "openai/whisper-large-v3", "whisper-large-v3")
    ladder = Ladder(engine)
    ladder.recognize(requests(30, 30, 30, 30))
    predicted = estimating.run_bytes(engine.spec, 30.0, 2)
    estimating.measured(engine.spec, 30.0, 2, predicted // 3)
    assert estimating.run_bytes(engine.spec, 30.0, 2) < predicted
    ladder.recognize(requests(30, 30, 30, 30))
    assert engine.tried == [4, 2, 2, 2, 2]


def test_another_error_is_not_taken_for_a_shortage():
    engine = Small(0.0, ValueError)
    with pytest.raises(ValueError, match="CUDA"):
        Ladder(engine).recognize(requests(1, 1))
    assert engine.tried == [2]


@pytest.mark.parametrize(
    ("error", "short"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("x"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("shape '[160, 2]' is invalid for input of size 400"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_a_shortage_is_told_from_other_errors(error, short):
    assert ran_out(error) is short
