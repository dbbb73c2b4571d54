"""The whole way from a recording to a transcript, with the real engines on the bundled meeting."""

from __future__ import annotations

import difflib
import signal
import textwrap
import warnings

import numpy as np
import pytest

import nbasr
import nbasr.errors
from nbasr import chunking
from nbasr.errors import AudioError, ModelWarning, OptionError
from nbasr.options import declared
from nbasr.pipeline.transcribe import is_many


@pytest.fixture(scope="module")
def meeting():
    return nbasr.samples.open("meeting")


@pytest.fixture(scope="module")
def truth():
    return nbasr.samples.reference("meeting")


@pytest.fixture(scope="module")
def tiny(assets) -> str:
    return str(assets / "whisper-tiny-meeting")


@pytest.fixture(scope="module")
def by_sphinx(meeting):
    return nbasr.transcribe(meeting, model="sphinx")


@pytest.fixture(scope="module")
def by_whisper(meeting, tiny):
    return nbasr.transcribe(meeting, model=tiny, max_seconds=6)


def turn_start_errors(transcript, turns):
    """Error of the start of every segment whose first word is the first word of a turn."""
    heard = [
        (word, segment.start if at == 0 else None)
        for segment in transcript.segments
        for at, word in enumerate(segment.text.lower().split())
    ]
    true = [
        (word, turn.start if at == 0 else None)
        for turn in turns
        for at, word in enumerate(turn.text.split())
    ]
    match = difflib.SequenceMatcher(
        None, [w for w, _ in heard], [w for w, _ in true], autojunk=False
    )
    return [
        abs(heard[block.a + at][1] - true[block.b + at][1])
        for block in match.get_matching_blocks()
        for at in range(block.size)
        if heard[block.a + at][1] is not None and true[block.b + at][1] is not None
    ]


def test_the_embedded_engine_transcribes_the_meeting(by_sphinx, truth):
    assert nbasr.score(truth.text, by_sphinx).wer <= 0.18


def test_the_small_whisper_transcribes_the_meeting(by_whisper, truth):
    assert nbasr.score(truth.text, by_whisper).wer <= 0.06


@pytest.mark.parametrize("who", ["by_sphinx", "by_whisper"])
def test_segments_that_begin_a_turn_start_within_0_3_s_of_it(who, truth, request):
    errors = turn_start_errors(request.getfixturevalue(who), truth.turns)
    assert len(errors) >= len(truth.turns) / 2  # enough of them to tell
    assert np.mean(np.array(errors) <= 0.3) >= 0.95


def test_segments_are_in_order_and_inside_the_recording(by_sphinx, by_whisper, meeting):
    for transcript in (by_sphinx, by_whisper):
        edges = [edge for segment in transcript for edge in (segment.start, segment.stop)]
        assert edges == sorted(edges)
        assert edges[-1] <= meeting.duration
        assert transcript.complete
        assert transcript.seconds > 0


def test_batches_of_any_size_give_the_same_text(by_whisper, meeting, tiny):
    batched = nbasr.transcribe(meeting, model=tiny, max_seconds=6, batch_size=4)
    assert batched.text == by_whisper.text


def test_a_list_gives_a_list_in_the_same_order(meeting, tiny, by_whisper):
    pieces = [(meeting.read(0, 8.5), 16000), meeting, (meeting.read(9.2, 16), 16000)]
    found = nbasr.transcribe(pieces, model=tiny, max_seconds=6)
    assert [round(transcript.duration, 1) for transcript in found] == [8.5, 100.3, 6.8]
    assert found[0].text.startswith("good morning everyone")
    assert found[1].text == by_whisper.text


def test_bad_recordings_of_a_list_are_all_named_before_any_work(meeting, tmp_path):
    (tmp_path / "empty.wav").touch()
    told = []
    with pytest.raises(AudioError, match=r"2 of 3 .*empty\.wav.*gone\.wav"):
        nbasr.transcribe(
            [tmp_path / "empty.wav", meeting, tmp_path / "gone.wav"],
            model="sphinx",
            progress=told.append,
        )
    assert told == []


def test_an_empty_list_says_that_there_is_nothing_to_do():
    with pytest.raises(OptionError, match="nothing to transcribe"):
        nbasr.transcribe([])


def test_silence_and_noise_give_no_text():
    rng = np.random.default_rng(0)
    for sound in (np.zeros(48000), rng.normal(0, 0.05, 80000)):
        transcript = nbasr.transcribe((sound.astype(np.float32), 16000), model="sphinx")
        assert transcript.text == ""
        assert transcript.complete


def test_overlapping_chunks_tell_their_overlap_once(meeting, tiny, truth):
    plain = nbasr.transcribe(meeting, model=tiny, chunking="fixed", max_seconds=5)
    overlapped = nbasr.transcribe(meeting, model=tiny, chunking="fixed", max_seconds=6, overlap=1.0)
    assert nbasr.score(truth.text, overlapped).wer < nbasr.score(truth.text, plain).wer


def test_a_finished_plan_is_followed(meeting, tiny):
    plan = chunking.Optimal(max_seconds=6).plan(meeting)
    work = nbasr.plan(meeting, model=tiny, chunking=plan)
    assert work.plans == (plan,)
    assert [item.chunk for item in work.items] == list(plan.chunks)


def test_ones_own_strategy_needs_only_a_plan_method(meeting, tiny):
    class EveryFive:
        def plan(self, recording):
            return chunking.Fixed(max_seconds=5).plan(recording)

    work = nbasr.plan(meeting, model=tiny, chunking=EveryFive())
    assert max(chunk.duration for chunk in work.plans[0].chunks) <= 5


def test_a_plan_of_another_recording_is_refused(meeting, tiny):
    other = chunking.Fixed(max_seconds=5).plan(nbasr.Recording.open((meeting.read(0, 20), 16000)))
    with pytest.raises(OptionError, match=r"20\.0 s.*100\.3 s"):
        nbasr.transcribe(meeting, model=tiny, chunking=other)
    turned = nbasr.Recording.open((meeting.read()[::-1].copy(), 16000))
    with pytest.raises(OptionError, match=r"made for array, another recording than meeting\.opus"):
        nbasr.transcribe(meeting, model=tiny, chunking=chunking.Fixed(max_seconds=5).plan(turned))


def test_options_that_a_strategy_would_ignore_are_refused(meeting, tiny):
    with pytest.raises(OptionError, match="max_seconds has no effect beside a Optimal"):
        nbasr.plan(meeting, model=tiny, chunking=chunking.Optimal(max_seconds=5), max_seconds=3)


def test_a_strategy_that_returns_no_plan_is_told_what_to_return(meeting, tiny):
    class Pairs:
        def plan(self, recording):
            return [(0, 5), (5, 10)]

    with pytest.raises(OptionError, match=r"Pairs\.plan returned list; return a ChunkPlan"):
        nbasr.plan(meeting, model=tiny, chunking=Pairs())


def test_an_error_in_the_middle_keeps_what_was_finished(meeting, tiny, by_whisper):
    def unload(progress):
        if progress.state == "running" and progress.done > 10:
            nbasr.models.unload_all()

    with pytest.raises(nbasr.errors.ModelError, match="unloaded") as caught:
        nbasr.transcribe(meeting, model=tiny, max_seconds=6, progress=unload)
    (part,) = caught.value.partial
    assert not part.complete
    assert by_whisper.text.startswith(part.text)
    assert part.text


def test_the_speed_told_is_the_speed_of_the_progress(meeting, tiny):
    told = []
    plan = chunking.Optimal(max_seconds=6).plan(meeting)
    found = nbasr.transcribe(meeting, model=tiny, chunking=plan, progress=told.append)
    assert found.rtfx == pytest.approx(told[-1].speed, rel=0.05)


def test_what_was_wrong_with_a_recording_stands_in_its_transcript(meeting, tiny, tmp_path):
    whole = meeting.save(tmp_path / "whole.wav").read_bytes()
    (tmp_path / "short.wav").write_bytes(whole[: len(whole) // 10])
    with pytest.warns(nbasr.errors.AudioWarning):
        found = nbasr.transcribe(tmp_path / "short.wav", model=tiny, max_seconds=6)
    assert any("cut short" in note for note in found.notes)


def test_a_chunk_longer_than_the_model_can_take_is_refused(meeting, tiny):
    with pytest.raises(OptionError, match="takes chunks of up to 30 s"):
        nbasr.plan(meeting, model=tiny, chunking="fixed", max_seconds=45)


def test_a_thing_that_cannot_plan_is_refused(meeting, tiny):
    with pytest.raises(OptionError, match="chunking is a name, a strategy or a plan, not int"):
        nbasr.plan(meeting, model=tiny, chunking=7)


def test_a_mistyped_option_gets_a_suggestion(meeting):
    with pytest.raises(OptionError, match="Did you mean 'optimal'"):
        nbasr.transcribe(meeting, model="sphinx", chunking="optimale")


def test_the_plan_tells_chunks_batches_and_memory_without_loading(meeting, tiny):
    nbasr.models.unload_all()
    work = nbasr.plan(meeting, model=tiny, max_seconds=6, batch_size=4)
    assert not nbasr.models.resident()
    shown = repr(work)
    assert f"{len(work.items)} chunks" in shown
    assert f"{len(work.batches)} of up to 4" in shown
    assert "weights 7.9 MB" in shown  # 1.98 M parameters of 4 bytes
    assert "(float32, cpu)" in shown
    assert "(nf4, cpu)" in repr(nbasr.plan(meeting, model=tiny, quantization="nf4"))


def test_progress_is_told_in_seconds_of_audio_up_to_the_end(meeting, tiny):
    told = []
    work = nbasr.plan(meeting, model=tiny, max_seconds=6)
    nbasr.transcribe(meeting, model=tiny, max_seconds=6, progress=told.append)
    assert [progress.state for progress in told[:2]] == ["loading", "running"]
    assert told[-1].state == "finished"
    assert told[-1].done == pytest.approx(work.seconds)
    assert [progress.done for progress in told] == sorted(progress.done for progress in told)


def test_an_interrupt_returns_what_is_finished(meeting, tiny, by_whisper):
    def interrupt(progress):
        if progress.state == "running" and progress.done > 10:
            signal.raise_signal(signal.SIGINT)

    part = nbasr.transcribe(meeting, model=tiny, max_seconds=6, progress=interrupt)
    assert not part.complete
    assert 10 < part.segments[-1].stop < meeting.duration
    assert by_whisper.text.startswith(part.text)
    assert any("interrupted" in note for note in part.notes)


def test_an_interrupt_before_anything_is_finished_stays_an_interrupt(meeting, tiny):
    def interrupt(progress):
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        nbasr.transcribe(meeting, model=tiny, max_seconds=6, progress=interrupt)


def test_auto_falls_back_to_the_embedded_engine_and_says_so(meeting):
    nbasr.models.unload_all()
    with pytest.warns(ModelWarning, match="sphinx"):
        work = nbasr.plan(meeting)
    assert work.spec.engine == "sphinx"


def test_auto_takes_the_resident_model(meeting, tiny):
    nbasr.models.unload_all()
    nbasr.models.load(tiny)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert nbasr.plan(meeting).spec.engine == "whisper"
    nbasr.models.unload_all()


def test_pairs_of_array_and_rate_are_one_source():
    sound = np.zeros(16000, np.float32)
    assert not is_many((sound, 16000))
    assert not is_many("meeting.wav")
    assert is_many([sound, sound])
    assert is_many(("a.wav", "b.wav"))


def test_the_keywords_of_transcribe_are_the_declared_options():
    import inspect

    keywords = set(inspect.signature(nbasr.transcribe).parameters) - {"source", "progress"}
    assert keywords == set(declared())


def test_interrupting_a_real_kernel_keeps_the_finished_chunks(assets):
    from jupyter_client.manager import start_new_kernel

    code = textwrap.dedent(f"""
        import nbasr
        meeting = nbasr.samples.open("meeting")
        part = nbasr.transcribe(meeting, model={str(assets / "whisper-tiny-meeting")!r},
                                max_seconds=3, progress=lambda p: print("done", p.done))
    """)
    manager, client = start_new_kernel()
    try:
        client.execute(code)
        while True:
            message = client.get_iopub_msg(timeout=120)
            if message["msg_type"] == "stream" and "done" in message["content"]["text"]:
                done = float(message["content"]["text"].split()[-1])
                if done > 0:
                    break
            assert message["msg_type"] != "error", message["content"]["evalue"]
        manager.interrupt_kernel()
        reply = client.execute_interactive(
            "assert not part.complete and part.text, part; print(part.notes[0])",
            timeout=120,
            output_hook=lambda _: None,
        )
        assert reply["content"]["status"] == "ok", reply["content"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_a_handle_may_be_given_for_a_model_and_means_it_as_it_is_loaded(meeting, tiny):
    nbasr.models.unload_all()
    nbasr.models.load(tiny)
    model = nbasr.models.load(tiny, quantization="nf4")
    assert nbasr.plan(meeting, model=model).spec == model.spec
    nbasr.models.unload_all()


def test_hotwords_that_a_model_cannot_take_are_announced(meeting):
    with pytest.warns(ModelWarning, match="sphinx takes no hotwords"):
        nbasr.plan(meeting, model="sphinx", hotwords=["studio", "budget"])
