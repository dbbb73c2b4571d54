"""Audio language models: true text from the small checkpoint, untrained ones, refusals."""

from __future__ import annotations

import gc
import json
import shutil
import sys
import warnings
import weakref

import numpy as np
import pytest
import tiny_audio_llm
import torch
from hypothesis import given
from hypothesis import strategies as st

import nbasr
from nbasr.chunking import Optimal
from nbasr.engines import _audio_families, _audio_generation, _audio_tower, audio_llm
from nbasr.engines._audio_families import FAMILIES, Wish, languages_of
from nbasr.engines._audio_fbank import feature_extractor, fun_asr_processor
from nbasr.engines._quiet import quiet
from nbasr.engines.base import RATE, EngineSpec, Request, open_engine
from nbasr.engines.languages import NAMES, language_code
from nbasr.engines.quantization import Quantization
from nbasr.engines.saving import save
from nbasr.errors import ModelError, ModelWarning, OptionError
from nbasr.memory.estimate import TOWER_SECONDS


@pytest.fixture(scope="module")
def folder(assets):
    return assets / "qwen3-asr-tiny-meeting"


@pytest.fixture(scope="module")
def engine(folder):
    engine = open_engine(EngineSpec("audio_llm", str(folder), "tiny", max_seconds=60.0))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def meeting():
    return nbasr.samples.open("meeting")


@pytest.fixture(scope="module")
def chunks(meeting):
    """The bundled meeting, cut at its pauses into pieces of up to 6 s."""
    plan = Optimal(max_seconds=6).plan(meeting)
    return [meeting.read(chunk.start, chunk.stop) for chunk in plan.chunks]


@pytest.fixture(scope="module")
def heard(engine, chunks):
    return engine.recognize([Request(samples) for samples in chunks])


def hear(engine, samples, **options):
    (found,) = engine.recognize([Request(samples, **options)])
    return found


def wer(found) -> float:
    reference = nbasr.samples.reference("meeting").text
    return nbasr.score(reference, " ".join(one.text for one in found)).wer


@pytest.fixture(scope="module")
def fun_asr(tmp_path_factory):
    return tiny_audio_llm.fun_asr_nano(tmp_path_factory.mktemp("models") / "fun-asr-nano")


@pytest.fixture(scope="module")
def glm_asr(tmp_path_factory):
    return tiny_audio_llm.glm_asr(tmp_path_factory.mktemp("models") / "glm-asr")


def opened(folder, **options):
    return open_engine(
        EngineSpec("audio_llm", str(folder), folder.name, **{"max_seconds": 600.0, **options})
    )


@pytest.fixture(scope="module")
def fun(fun_asr):
    return opened(fun_asr)


@pytest.fixture(scope="module")
def glm(glm_asr):
    return opened(glm_asr)


def changed(folder, to, **text):
    """Copy a model and change the configuration of its language model."""
    shutil.copytree(folder, to)
    config = json.loads((to / "config.json").read_text())
    config["text_config"].update(text)
    (to / "config.json").write_text(json.dumps(config))
    return to


# -- what it hears ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def turns(meeting):
    """The bundled meeting, cut by its turns."""
    reference = nbasr.samples.reference("meeting").turns
    return [meeting.read(max(0.0, turn.start - 0.15), turn.stop + 0.15) for turn in reference]


def test_the_meeting_is_understood(heard):
    assert wer(heard) <= 0.06


@pytest.mark.parametrize("method", ["int8", "nf4"])
def test_the_meeting_is_understood_in_fewer_bits(folder, turns, method):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ModelWarning)  # int8 is slow here
        engine = opened(folder, quantization=Quantization(method))
    kinds = {type(part).__name__ for part in engine.module.model.language_model.modules()}
    assert {"int8": "Linear8bitLt", "nf4": "Linear4bit"}[method] in kinds
    assert wer(engine.recognize([Request(samples) for samples in turns])) <= 0.06
    engine.close()


def test_the_meeting_is_understood_in_bf16(folder, chunks):
    engine = opened(folder, dtype="bf16")
    assert wer(engine.recognize([Request(samples, language="en") for samples in chunks])) <= 0.06


@pytest.mark.parametrize("method", ["int8", "nf4"])
def test_a_model_saved_in_fewer_bits_hears_the_same_when_loaded_again(
    folder, chunks, method, tmp_path
):
    requests = [Request(samples) for samples in chunks[:3]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ModelWarning)
        engine = opened(folder, quantization=Quantization(method))
        before = engine.recognize(requests)
        again = opened(save(engine, tmp_path / "saved"))
    found = again.recognize(requests)
    assert [one.text for one in found] == [one.text for one in before]
    assert [one.score for one in found] == pytest.approx([one.score for one in before], abs=1e-3)
    weights = [one.dtype for one in again.module.model.language_model.layers.parameters()]
    assert {"int8": torch.int8, "nf4": torch.uint8}[method] in weights


def test_the_language_is_told_by_the_model_where_it_was_not_given(heard):
    assert {found.language for found in heard} == {"en"}


def test_a_given_language_is_kept_and_the_text_is_understood(engine, chunks):
    found = engine.recognize([Request(samples, language="English") for samples in chunks])
    assert wer(found) <= 0.06
    assert {one.language for one in found} == {"en"}


def test_languages_may_differ_within_a_batch(engine, chunks):
    first, second = engine.recognize(
        [Request(chunks[0], language="de"), Request(chunks[0], language=None)]
    )
    assert first.language == "de"
    assert second.language == "en"


def test_text_is_one_segment_over_the_request_with_its_score(heard, chunks):
    for found, samples in zip(heard, chunks, strict=True):
        (segment,) = found.segments
        assert (segment.start, segment.stop) == (0.0, pytest.approx(len(samples) / RATE))
        assert (segment.text, segment.language) == (found.text, "en")
        assert segment.words == ()
        assert 0.5 < found.score <= 1.0
        assert segment.score == found.score
        assert found.flags == ()


def test_one_by_one_gives_the_same_as_a_batch(engine, meeting):
    sounds = [meeting.read(*span) for span in ((0.6, 3.9), (4.0, 4.3), (0.0, 12.5), (5.0, 8.01))]
    batch = engine.recognize([Request(samples) for samples in sounds])
    for samples, found in zip(sounds, batch, strict=True):
        alone = hear(engine, samples)
        assert (alone.text, alone.language, alone.flags) == (
            found.text,
            found.language,
            found.flags,
        )
        assert alone.score == pytest.approx(found.score, abs=1e-5)


def test_a_batch_gives_every_sound_the_features_that_it_has_alone(engine, meeting):
    sounds = [meeting.read(0.0, 4.321), meeting.read(4.0, 5.4)]
    loaded = engine._loaded
    call = audio_llm._Call(engine.spec, loaded, engine._family, engine._languages)
    asked = [engine._family.ask(engine.processor, Wish(samples)) for samples in sounds]
    features = call._inputs(asked)["input_features"]
    for row, one, samples in zip(features, asked, sounds, strict=True):
        width = one["input_features"].shape[-1]
        assert width == 100 * np.ceil(len(samples) / RATE)
        assert torch.equal(row[:, :width], one["input_features"][0])
        assert not row[:, width:].any()


@pytest.mark.parametrize("seconds", [0.0, 0.01, 3.0])
def test_nothing_but_zeros_has_no_text(engine, seconds):
    found = hear(engine, np.zeros(int(seconds * RATE), dtype=np.float32))
    assert (found.text, found.language, found.segments) == ("", None, ())


@pytest.mark.parametrize("language", [None, "en"])
def test_a_quiet_room_has_no_text(engine, language):
    noise = np.random.default_rng(1).normal(0, 0.001, 3 * RATE).astype(np.float32)
    found = hear(engine, noise, language=language)
    assert (found.text, found.segments, found.flags) == ("", (), ())
    assert found.language == language


def test_silence_leaves_the_rest_of_a_batch_alone(engine, chunks, heard):
    found = engine.recognize([Request(np.zeros(RATE, dtype=np.float32)), Request(chunks[0])])
    assert [one.text for one in found] == ["", heard[0].text]


def test_very_short_sound_does_not_fail(engine, fun, glm):
    click = np.array([0.5, -0.5, 0.25], dtype=np.float32)
    assert hear(engine, click).text == ""
    for one in (fun, glm):  # untrained ones say something of anything
        (segment,) = hear(one, click).segments
        assert segment.stop == 3 / RATE


def test_an_empty_batch_is_no_work(engine):
    assert engine.recognize([]) == []


# -- prompt, hotwords, budget ----------------------------------------------------------------------


def prompt_of(engine, **options) -> str:
    wish = audio_llm._Call(engine.spec, engine._loaded, engine._family, engine._languages).wish(
        Request(np.ones(RATE, dtype=np.float32), **options)
    )
    with quiet():
        asked = engine._family.ask(engine.processor, wish)
    return str(engine.processor.tokenizer.decode(asked["input_ids"][0]))


def test_prompt_and_hotwords_are_what_the_system_says_to_qwen(engine):
    text = prompt_of(engine, prompt=" a studio meeting ", hotwords=("peter", " ", "compressor "))
    assert "<|im_start|>system\na studio meeting\npeter, compressor<|im_end|>" in text
    assert text.endswith("<|im_start|>assistant\n")


def test_the_language_begins_the_answer_of_qwen(engine):
    assert prompt_of(engine, language="pt-BR").endswith("language Portuguese<asr_text>")
    assert prompt_of(engine, language="fil").endswith("language Filipino<asr_text>")


def test_qwen_still_understands_with_a_prompt(engine, chunks, heard):
    found = hear(engine, chunks[0], prompt="the studio", hotwords=("anna",))
    assert nbasr.score(heard[0].text, found.text).wer <= 0.35  # prompts were not trained


@pytest.mark.parametrize("options", [{"prompt": "so <|im_end|>"}, {"hotwords": ("<asr_text>",)}])
def test_tokens_of_the_models_own_are_refused_in_text(engine, chunks, options):
    with pytest.raises(OptionError, match="plain text"):
        hear(engine, chunks[0], **options)


def test_a_used_up_budget_is_flagged_and_cuts_each_by_its_own_length(engine, chunks, monkeypatch):
    sounds = [chunks[1][: 2 * RATE], np.concatenate(chunks[:3])]
    requests = [Request(samples, language="en") for samples in sounds]
    whole = engine.recognize(requests)
    monkeypatch.setattr(audio_llm, "TOKENS_PER_SECOND", 1.0)
    monkeypatch.setattr(audio_llm, "SPARE_TOKENS", 2)
    batch = engine.recognize(requests)
    for n, found in enumerate(batch):
        (alone,) = engine.recognize([requests[n]])
        assert found.flags == alone.flags == ("truncated",)
        assert found.text == alone.text
        assert found.score == pytest.approx(alone.score, abs=1e-5)
        assert whole[n].text.startswith(found.text)
        assert 0 < len(found.text) < len(whole[n].text)
    assert len(batch[0].text) < len(batch[1].text)


def test_a_folder_has_no_say_in_how_the_likeliest_text_is_found(folder, chunks, heard, tmp_path):
    place = shutil.copytree(folder, tmp_path / "other")
    path = place / "generation_config.json"
    wishes = json.loads(path.read_text())
    wishes |= {"no_repeat_ngram_size": 1, "min_new_tokens": 60, "return_dict_in_generate": True}
    path.write_text(json.dumps(wishes | {"do_sample": True, "num_beams": 2, "top_k": 5}))
    assert hear(opened(place), chunks[0]).text == heard[0].text


def test_an_answer_that_broke_off_before_the_text_has_none(engine, chunks, monkeypatch):
    monkeypatch.setattr(audio_llm, "TOKENS_PER_SECOND", 0.0)
    monkeypatch.setattr(audio_llm, "SPARE_TOKENS", 1)
    found = hear(engine, chunks[0])
    assert (found.text, found.flags) == ("", ("truncated",))


def test_the_budget_ends_at_the_table_of_positions(folder, chunks, tmp_path):
    samples = chunks[0][: 3 * RATE]
    positions = 39 + 15 + 2  # the sound, the frame around it, and two tokens of an answer
    small = opened(changed(folder, tmp_path / "small", max_position_embeddings=positions))
    assert hear(small, samples).flags == ("truncated",)
    with pytest.raises(ModelError, match="shorten the prompt"):
        hear(small, samples, prompt="one two three four five six seven")


def test_running_in_circles_is_flagged(fun, meeting):
    found = hear(fun, meeting.read(0.0, 3.0))
    assert found.flags == ("truncated", "repetition")
    assert set(found.text) <= set("abcdefghijklmnop ")


@given(
    st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=4),
    st.booleans(),
)
def test_joining_keeps_every_row_and_fills_up_the_rest(shapes, left):
    rows = [torch.full((1, high, wide), n + 1) for n, (high, wide) in enumerate(shapes)]
    rows = [row[:, :1] for row in rows] if left else rows
    whole = _audio_generation.joined(rows, 0, left=left)
    assert len(whole) == len(rows)
    for row, found in zip(rows, whole, strict=True):
        assert int((found != 0).sum()) == row.numel()
        inside = found[:, found.shape[1] - row.shape[2] :] if left else found[:, : row.shape[2]]
        assert torch.equal(inside[: row.shape[1]], row[0])


# -- what it refuses -------------------------------------------------------------------------------


def test_an_unknown_language_is_refused_and_known_ones_are_named(engine, fun, chunks):
    with pytest.raises(ModelError, match=r"does not know Welsh; it knows Arabic, .* and 24 more"):
        hear(engine, chunks[0], language="cy")
    with pytest.raises(ModelError, match="German; it knows Chinese, English, Japanese"):
        hear(fun, chunks[0], language="de")
    with pytest.raises(OptionError, match="no language"):
        hear(engine, chunks[0], language="klingon")


def test_translation_is_refused(engine, chunks):
    with pytest.raises(ModelError, match="does not translate"):
        hear(engine, chunks[0], task="translate")
    with pytest.raises(OptionError, match="task is"):
        hear(engine, chunks[0], task="summarize")


def test_too_long_sound_is_refused(engine, fun, glm):
    with pytest.raises(ModelError, match="up to 60 s"):
        hear(engine, np.ones(61 * RATE, dtype=np.float32))
    with pytest.raises(ModelError, match=r"more than 122\.88 s"):
        hear(fun, np.ones(123 * RATE, dtype=np.float32))
    with pytest.raises(ModelError, match="more than 30 s"):
        hear(glm, np.ones(31 * RATE, dtype=np.float32))


def test_glm_is_told_neither_language_nor_words(glm, chunks):
    with pytest.raises(ModelError, match="neither a prompt nor hotwords"):
        hear(glm, chunks[0], hotwords=("peter",))
    with pytest.warns(ModelWarning, match="only noted"):
        assert hear(glm, chunks[0], language="zh").language == "zh"


def test_models_of_other_families_are_refused(assets):
    with pytest.raises(ModelError, match="whisper"):
        opened(assets / "whisper-tiny-meeting")


def test_after_closing_the_module_is_empty_even_if_held(folder, chunks):
    engine = opened(folder)
    held = engine.module
    tower = weakref.ref(held.model.audio_tower)
    engine.close()
    engine.close()
    assert engine.module is None
    assert sum(one.untyped_storage().nbytes() for one in held.parameters()) == 0
    with pytest.raises(ModelError, match="unloaded"):
        hear(engine, chunks[0])
    del held
    gc.collect()
    assert tower() is None


# -- Qwen3-ASR's audio tower -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def tower(folder):
    """The audio tower as transformers runs it."""
    tower = opened(folder).module.model.audio_tower
    del tower.forward
    return tower


def inputs(engine, meeting, *lengths):
    sounds = [meeting.read(1.7 * n, 1.7 * n + length) for n, length in enumerate(lengths)]
    call = audio_llm._Call(engine.spec, engine._loaded, engine._family, engine._languages)
    asked = [engine._family.ask(engine.processor, Wish(samples)) for samples in sounds]
    made = call._inputs(asked)
    return {name: made[name] for name in ("input_features", "input_features_mask")}


@pytest.mark.parametrize(
    "lengths", [(20.3,), (8.0,), (7.99, 8.01), (30.0, 0.6, 16.0, 2.5), (0.5, 0.7), (41.37, 9.0)]
)
def test_the_tower_in_pieces_gives_the_same(engine, tower, meeting, lengths):
    given = inputs(engine, meeting, *lengths)
    with torch.inference_mode():
        whole = tower(**given).last_hidden_state
        for seconds in (8.0, 16.0, TOWER_SECONDS):
            _audio_tower.in_pieces(tower, seconds)
            pieces = tower(**given).last_hidden_state
            del tower.forward
            assert pieces.shape == whole.shape
            assert torch.allclose(pieces, whole, atol=1e-5, rtol=0)


def test_the_engines_tower_runs_in_pieces_whose_size_no_batch_changes(engine, tower, meeting):
    sizes = []
    hook = engine.module.model.audio_tower.conv2d1.register_forward_hook(
        lambda _, __, output: sizes.append(output.nbytes)
    )
    try:
        for rows in (2, 5):
            given = inputs(engine, meeting, *[30.0] * rows)
            with torch.inference_mode():
                found = engine.module.model.audio_tower(**given).last_hidden_state
            assert torch.allclose(found, tower(**given).last_hidden_state, atol=1e-5, rtol=0)
    finally:
        hook.remove()
    width = tower.config.downsample_hidden_size
    assert max(sizes) == TOWER_SECONDS * width * 64 * 50 * 4
    assert sum(sizes) == (2 + 5) * 32.0 * width * 64 * 50 * 4  # 30 s are four windows


def test_windows_of_nothing_but_padding_cost_nothing(engine, tower, meeting):
    given = inputs(engine, meeting, 40.0, *[2.0] * 8)
    seconds = []
    hook = tower.conv2d1.register_forward_hook(lambda _, args, __: seconds.append(len(args[0])))
    _audio_tower.in_pieces(tower, 8.0)
    try:
        with torch.inference_mode():
            tower(**given)
    finally:
        hook.remove()
        del tower.forward
    assert sum(seconds) == 40 + 8 * 2


# -- the families ----------------------------------------------------------------------------------


def test_qwens_languages_are_those_of_its_processor():
    from transformers.models.qwen3_asr.processing_qwen3_asr import LANGUAGE_CODE_TO_NAME

    known = languages_of("qwen3_asr", "x")
    assert set(known.values()) == set(LANGUAGE_CODE_TO_NAME.values())
    for code, name in LANGUAGE_CODE_TO_NAME.items():
        assert known[language_code(code)] == name


def test_qwens_answers_are_read(engine):
    parse = FAMILIES["qwen3_asr"].parse
    assert parse(engine.processor, "language English<asr_text>so it is", False) == (
        "so it is",
        "en",
    )
    assert parse(engine.processor, "language None<asr_text>", False) == ("", None)
    assert parse(engine.processor, "language Elvish<asr_text>a", False) == ("a", None)
    assert parse(engine.processor, "language Eng", False) == ("", None)
    assert parse(engine.processor, "language is fine", True) == ("language is fine", None)


def test_fun_asrs_and_glms_answers_lose_their_frame_but_no_full_stop():
    fun, glm = FAMILIES["fun_asr_nano"].parse, FAMILIES["glmasr"].parse
    assert fun(None, "Good morning /sil everyone.", False)[0] == "Good morning everyone."
    assert fun(None, "<think>\n\n</think>\n\n 开放时间", True) == ("开放时间", None)
    assert glm(None, 'The spoken content of the audio is "it\'s late.".', False)[0] == "it's late."
    assert glm(None, "The transcription of the audio is: yes", False)[0] == "yes"
    assert glm(None, '"quoted" is said.', False)[0] == '"quoted" is said.'


def test_every_language_of_a_family_has_a_code_that_people_can_write():
    for names in ("nano", "Fun-ASR-MLT-Nano-2512"):
        for family in FAMILIES:
            assert set(languages_of(family, names)) <= set(NAMES)
    assert len(languages_of("qwen3_asr")) == 30
    assert len(languages_of("fun_asr_nano")) == 3
    assert len(languages_of("fun_asr_nano", "Fun-ASR-MLT-Nano-2512")) == 30


@pytest.mark.parametrize("language", ["zh", "en", "ja", None])
def test_fun_asr_is_asked_as_its_own_processor_asks(fun, meeting, language):
    samples = meeting.read(0.0, 2.0)
    call = audio_llm._Call(fun.spec, fun._loaded, fun._family, fun._languages)
    wish = call.wish(Request(samples, language=language, prompt="studio", hotwords=("anna", "tom")))
    asked = fun._family.ask(fun.processor, wish)
    theirs = fun.processor.apply_transcription_request(
        audio=samples, language=language, prompt="studio", keywords=["anna", "tom"]
    )
    assert set(asked) == set(theirs)
    assert all(torch.equal(asked[name], theirs[name]) for name in asked)
    text = fun.processor.tokenizer.decode(asked["input_ids"][0])
    assert "studio[anna, tom]" in text
    assert ("语音转写成" in text) == (language is not None)


def test_the_mlt_checkpoint_knows_more_languages(fun_asr, fun, tmp_path):
    many = opened(shutil.copytree(fun_asr, tmp_path / "Fun-ASR-MLT-Nano-2512-hf"))
    assert "语音转写成韩文" in prompt_of(many, language="Korean")
    with pytest.raises(ModelError, match="does not know Korean"):
        prompt_of(fun, language="Korean")


@pytest.mark.parametrize("name", ["fun", "glm"])
def test_untrained_models_answer_the_same_in_a_batch_and_alone(name, request, meeting):
    engine = request.getfixturevalue(name)
    sounds = [meeting.read(*span) for span in ((0.0, 3.0), (5.0, 6.0), (8.0, 8.1))]
    batch = engine.recognize([Request(samples) for samples in sounds])
    assert len({found.text[:1] for found in batch}) > 1
    for samples, found in zip(sounds, batch, strict=True):
        alone = hear(engine, samples)
        assert (alone.text, alone.flags) == (found.text, found.flags)
        assert alone.score == pytest.approx(found.score, abs=1e-4)


@pytest.mark.parametrize(("name", "method"), [("fun", "int8"), ("fun", "nf4"), ("glm", "nf4")])
def test_untrained_models_run_in_fewer_bits(name, method, request, meeting):
    folder = request.getfixturevalue(f"{name}_asr")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ModelWarning)
        engine = opened(folder, quantization=Quantization(method))
    assert hear(engine, meeting.read(0.0, 1.0)).text
    engine.close()


def test_fun_asr_attends_by_sdpa_everywhere(fun):
    model = fun.module.model
    parts = (model.audio_tower, model.multi_modal_projector, model.language_model)
    assert {part.config._attn_implementation for part in parts} == {"sdpa"}


def test_fun_asr_runs_up_to_the_end_of_its_positions(fun_asr, meeting, tmp_path, monkeypatch):
    monkeypatch.setattr(audio_llm, "TOKENS_PER_SECOND", 0.0)
    short = tiny_audio_llm.fun_asr_nano(tmp_path / "short", max_position_embeddings=101)
    engine = opened(short)
    assert hear(engine, meeting.read(0.0, 6.0)).text
    with pytest.raises(ModelError, match="more than 6 s"):
        hear(engine, meeting.read(0.0, 6.1))


def test_families_are_those_that_the_engine_says(folder, fun_asr, glm_asr):
    kinds = [
        json.loads((one / "config.json").read_text())["model_type"]
        for one in (folder, fun_asr, glm_asr)
    ]
    assert sorted(kinds) == sorted(audio_llm.FAMILIES)


# -- Fun-ASR-Nano's filter bank --------------------------------------------------------------------


def kaldi(samples):
    """Kaldi's log mel filter bank as its documentation tells it, in numpy."""
    count = 1 + (len(samples) - 400) // 160
    frames = np.stack([samples[160 * n : 160 * n + 400] for n in range(count)]).astype(np.float64)
    frames -= frames.mean(axis=1, keepdims=True)
    before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    frames = (frames - 0.97 * before) * np.hamming(400)
    power = np.abs(np.fft.rfft(frames, 512)) ** 2

    def mel(hertz):
        return 1127.0 * np.log(1.0 + hertz / 700.0)

    edges = np.linspace(mel(20.0), mel(8000.0), 82)
    at = mel(np.arange(257) * RATE / 512)
    bank = np.stack(
        [
            np.clip(
                np.minimum((at - low) / (middle - low), (high - at) / (high - middle)), 0.0, None
            )
            for low, middle, high in zip(edges, edges[1:], edges[2:], strict=False)
        ]
    )
    bank[:, 256] = 0.0  # Kaldi leaves the last bin out
    return np.log(np.maximum(power @ bank.T, np.finfo(np.float32).eps))


def test_the_filter_bank_is_kaldis(meeting):
    samples = meeting.read(0.5, 4.0)
    made = feature_extractor()._extract_fbank_features(torch.from_numpy(samples.copy())).numpy()
    expected = kaldi(samples)
    assert made.shape == expected.shape == (348, 80)
    assert np.abs(made - expected).max() < 0.01
    assert np.abs(made - expected).mean() < 1e-4


def test_the_filter_bank_adds_no_noise_and_has_a_floor():
    silence = torch.zeros(RATE)
    made = feature_extractor()._extract_fbank_features(silence)
    assert torch.all(made == float(np.log(np.finfo(np.float32).eps)))


def test_seven_frames_are_stacked_and_one_in_six_kept(meeting):
    samples = meeting.read(0.5, 4.0)
    extractor = feature_extractor()
    found = extractor(samples, sampling_rate=RATE)
    bank = extractor._extract_fbank_features(torch.from_numpy(samples.copy()))
    assert found["input_features"].shape == (1, 58, 560)
    assert int(found["input_features_mask"].sum()) == 58
    assert torch.equal(found["input_features"][0, 1], bank[3:10].reshape(-1))


def test_a_saved_processor_is_the_same_when_loaded(fun, fun_asr, meeting, tmp_path):
    with quiet():
        fun.processor.save_pretrained(tmp_path)
        again = fun_asr_processor(tmp_path)
    saved = json.loads((tmp_path / "processor_config.json").read_text())
    assert saved["feature_extractor"]["feature_extractor_type"] == "FunAsrNanoFeatureExtractor"
    wish = Wish(meeting.read(0.0, 1.0), "中文", "studio")
    before, after = (_audio_families._ask_fun(one, wish) for one in (fun.processor, again))
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_settings_of_the_feature_extractor_may_be_in_a_file_of_their_own(fun_asr, tmp_path):
    old = shutil.copytree(fun_asr, tmp_path / "old")
    config = json.loads((old / "processor_config.json").read_text())
    features = {**config.pop("feature_extractor"), "stride_lfr": 4}
    (old / "preprocessor_config.json").write_text(json.dumps(features))
    (old / "processor_config.json").write_text(json.dumps(config))
    assert fun_asr_processor(old).feature_extractor.stride_lfr == 4


def test_without_kaldi_native_fbank_it_says_how_to_install_it(fun_asr, monkeypatch):
    monkeypatch.setitem(sys.modules, "kaldi_native_fbank", None)
    with pytest.raises(ModelError, match="pip install kaldi-native-fbank"):
        opened(fun_asr)
