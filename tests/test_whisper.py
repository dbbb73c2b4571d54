"""The Whisper engine on the small trained checkpoint: true text, true times, and clear refusals."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest

import nbasr
from nbasr.engines import EngineSpec, Request, _quiet, _whisper_answer, open_engine, whisper
from nbasr.engines._whisper_words import words_of
from nbasr.errors import ModelError, ModelWarning, OptionError
from nbasr.memory.modules import bytes_of
from nbasr.models import catalog


@pytest.fixture(scope="module")
def folder(assets):
    return assets / "whisper-tiny-meeting"


@pytest.fixture(scope="module")
def engine(folder):
    engine = open_engine(catalog.resolve(str(folder), device="cpu"))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def turns():
    """The first eight turns of the bundled meeting, with 0.15 s around each."""
    meeting = nbasr.samples.open("meeting")
    return [
        (turn, meeting.read(max(0.0, turn.start - 0.15), turn.stop + 0.15))
        for turn in nbasr.samples.reference("meeting").turns[:8]
    ]


@pytest.fixture(scope="module")
def heard(engine, turns):
    return engine.recognize([Request(samples, timestamps="word") for _, samples in turns])


def hear(engine, samples, **options):
    (found,) = engine.recognize([Request(samples, **options)])
    return found


@pytest.fixture
def copied(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copied")


def change(path, **fields):
    values = {**json.loads(path.read_text()), **fields}
    path.write_text(json.dumps({key: value for key, value in values.items() if value is not ...}))


def error_of(folder) -> str:
    with pytest.raises(ModelError) as caught:
        open_engine(EngineSpec("whisper", str(folder), "copied"))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_meeting_is_understood(turns, heard):
    reference = " ".join(turn.text for turn, _ in turns)
    assert nbasr.score(reference, " ".join(found.text for found in heard)).wer <= 0.06


def test_one_by_one_gives_the_same_as_a_batch(engine, turns, heard):
    for (_, samples), found in list(zip(turns, heard, strict=True))[:3]:
        alone = hear(engine, samples, timestamps="word")
        assert (alone.text, alone.language, alone.flags) == (found.text, "en", ())
        both = zip(alone.segments, found.segments, strict=True)
        for one, other in ((a, b) for x, y in both for a, b in zip(x.words, y.words, strict=True)):
            assert one.text == other.text
            assert one.start == pytest.approx(other.start, abs=0.05)


def test_the_language_is_detected_and_returned(heard):
    assert {found.language for found in heard} == {"en"}


@pytest.mark.parametrize("language", ["English", "en", "EN-us", "auto"])
def test_a_language_may_be_a_name_or_a_code(engine, turns, heard, language):
    assert hear(engine, turns[1][1], language=language).text == heard[1].text


def test_segments_and_words_have_times_in_order_inside_the_sound(turns, heard, engine):
    plain = engine.recognize([Request(samples) for _, samples in turns[:4]])
    for (_, samples), found in [*zip(turns, heard, strict=True), *zip(turns, plain, strict=False)]:
        edges = [edge for segment in found.segments for edge in (segment.start, segment.stop)]
        assert edges == sorted(edges)
        assert edges[0] >= 0
        assert edges[-1] <= len(samples) / 16000
        assert " ".join(segment.text for segment in found.segments) == found.text
        for segment in found.segments:
            inner = [edge for word in segment.words for edge in (word.start, word.stop)]
            assert inner == sorted(inner)
            assert not inner or (inner[0], inner[-1]) == (segment.start, segment.stop)
            assert all(0 <= word.score <= 1 for word in segment.words)
    assert not any(segment.words for found in plain for segment in found.segments)


def test_words_together_are_the_text(heard):
    for found in heard:
        words = [word.text for segment in found.segments for word in segment.words]
        assert words == found.text.split()


def test_word_times_are_near_the_truth(turns, heard):
    """The reference knows when each stretch between pauses begins and stops."""
    errors = []
    for (turn, _), found in zip(turns, heard, strict=True):
        words = [word for segment in found.segments for word in segment.words]
        if [word.text for word in words] != turn.text.split():
            continue
        begin, at = turn.start - 0.15, 0
        for piece in turn.pieces:
            count = len(piece.text.split())
            errors.append(words[at].start + begin - piece.start)
            errors.append(words[at + count - 1].stop + begin - piece.stop)
            at += count
    assert len(errors) >= 10
    assert np.median(np.abs(errors)) <= 0.15


@pytest.mark.parametrize("samples", [0, 1, 100, 1600])
def test_sound_too_short_for_a_word_gives_no_text(engine, samples):
    assert hear(engine, np.zeros(samples, np.float32)).text == ""


def test_silence_and_noise_give_no_text(engine):
    noise = np.random.default_rng(0).normal(0, 0.03, 48000).astype(np.float32)
    found = engine.recognize([Request(np.zeros(48000, np.float32)), Request(noise)])
    assert [(result.text, result.segments) for result in found] == [("", ()), ("", ())]


@pytest.mark.parametrize("dtype", ["bf16", "fp16"])
def test_half_precision_understands_too(folder, turns, heard, dtype):
    half = open_engine(catalog.resolve(str(folder), dtype, "cpu"))
    assert hear(half, turns[1][1], timestamps="word").text.split()[:6] == heard[1].text.split()[:6]


def test_a_prompt_goes_before_the_speech_and_not_into_the_text(engine, turns):
    text = hear(engine, turns[0][1], prompt="the meeting of the studio team").text
    assert "studio meeting" in text
    assert "team" not in text


def test_a_prompt_that_is_too_long_is_cut_with_a_warning(engine, turns):
    long = "the studio meeting " * 200
    with pytest.warns(ModelWarning, match=r"600 tokens .* takes 223"):
        found = hear(engine, turns[0][1], prompt=long)
    assert found.flags == ("prompt_cut",)


def test_a_prompt_with_the_models_own_tokens_is_refused(engine, turns):
    with pytest.raises(OptionError, match="plain text"):
        hear(engine, turns[0][1], prompt="<|en|>")


def test_requests_of_different_kinds_share_a_batch(engine, turns, heard):
    samples = turns[1][1]
    kinds = [{}, {"task": "translate"}, {"language": "de"}, {"timestamps": "word"}, {}]
    found = engine.recognize([Request(samples, **kind) for kind in kinds])
    assert [result.language for result in found] == ["en", "en", "de", "en", "en"]
    assert found[0].text == found[4].text == heard[1].text
    assert [bool(result.segments[0].words) for result in found] == [
        False,
        False,
        False,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"language": "Japanese"}, ModelError, "does not know Japanese; it knows German, English"),
        ({"language": "Englisch"}, OptionError, "Did you mean 'english'"),
        ({"task": "summarise"}, OptionError, "transcribe or translate"),
    ],
)
def test_what_the_model_cannot_do_is_refused(engine, turns, options, error, sentence):
    with pytest.raises(error, match=sentence):
        hear(engine, turns[0][1], **options)


def test_more_than_a_window_is_refused(engine):
    with pytest.raises(ModelError, match=r"up to 30 s at once, not 31\.0 s"):
        hear(engine, np.zeros(31 * 16000, np.float32))


def test_an_answer_that_fills_its_budget_is_flagged(engine, turns, monkeypatch):
    monkeypatch.setattr(whisper, "TOKENS_PER_SECOND", 0.0)
    monkeypatch.setattr(whisper, "SPARE_TOKENS", 6)
    found = hear(engine, turns[0][1])
    assert found.flags == ("truncated",)
    assert 1 <= len(found.text.split()) <= 6


def test_a_text_that_goes_in_circles_is_told_from_one_that_does_not():
    assert _whisper_answer.goes_in_circles("and so and so " * 20)
    assert not _whisper_answer.goes_in_circles("")
    assert not _whisper_answer.goes_in_circles(
        "today we have four points on the agenda and thirty minutes, so let us begin with the first"
    )


@pytest.mark.parametrize(
    "text",
    [
        "आज सुबह मैं अपने छोटे भाई के साथ बाज़ार गया था और वहाँ हमने ताज़ी सब्ज़ियाँ और फल खरीदे। दुकानदार ने "
        "बताया कि इस साल बारिश कम होने की वजह से दाम बढ़ गए हैं। फिर हम दोनों चाय पीने के लिए पास की एक "
        "दुकान पर बैठ गए और पुराने दिनों की बातें करते रहे। भाई ने कहा कि अगले महीने उसकी परीक्षा है और उसे अभी "
        "बहुत पढ़ना है। शाम को घर लौटकर माँ ने सबके लिए खाना बनाया और हमने साथ बैठकर खाया।",
        "เมื่อเช้านี้ฉันไปตลาดกับน้องชายและซื้อผักกับผลไม้สดมาหลายอย่าง แม่ค้าบอกว่าปีนี้ฝนตกน้อยราคาจึงแพงขึ้น"
        "กว่าเดิม หลังจากนั้นเราสองคนนั่งดื่มกาแฟที่ร้านใกล้ ๆ แล้วคุยกันเรื่องสมัยเด็ก น้องบอกว่าเดือนหน้าเขาจะต้องสอบ"
        "และยังต้องอ่านหนังสืออีกมาก ตอนเย็นพวกเรากลับบ้านมากินข้าวที่แม่ทำไว้ให้ด้วยกันทุกคน",
        "今天早上我和弟弟一起去市场买了新鲜的蔬菜和水果。卖菜的阿姨说今年雨水少，所以价格比去年贵了不少。后来我们在附近的茶馆"
        "坐了一会儿，聊起小时候的事情。弟弟说他下个月要考试，还有很多书没有看完。晚上回到家，妈妈做了一桌子菜。",
    ],
    ids=["Hindi", "Thai", "Chinese"],
)
def test_ordinary_talk_in_any_script_does_not_go_in_circles(text):
    assert not _whisper_answer.goes_in_circles(text)


@pytest.mark.parametrize(
    "text",
    ["Thank you for watching. " * 8, "धन्यवाद दोस्तों " * 8, "ขอบคุณครับ " * 8, "谢谢大家" * 12],
    ids=["English", "Hindi", "Thai", "Chinese"],
)
def test_loops_in_any_script_go_in_circles(text):
    assert _whisper_answer.goes_in_circles(text)


def test_two_threads_that_hush_transformers_leave_it_as_it_was():
    from transformers.utils import logging

    level = logging.get_verbosity()
    first_is_in, second_is_out = threading.Event(), threading.Event()

    def hush():
        with _quiet.quiet():
            first_is_in.set()
            second_is_out.wait(60)

    thread = threading.Thread(target=hush)
    second = _quiet.quiet()
    thread.start()
    first_is_in.wait(60)
    with second:
        second_is_out.set()
        thread.join()
        assert logging.get_verbosity() == logging.CRITICAL  # one of the two still wants it
    assert logging.get_verbosity() == level
    assert logging.is_progress_bar_enabled()


def test_an_english_only_checkpoint_takes_no_other_language_and_does_not_translate(copied, turns):
    change(copied / "generation_config.json", is_multilingual=False, lang_to_id=...)
    engine = open_engine(catalog.resolve(str(copied), device="cpu"))
    found = hear(engine, turns[1][1], language="English")
    assert found.language == "en"
    assert found.text.endswith("minutes")
    with pytest.raises(ModelError, match="does not know German; it knows English"):
        hear(engine, turns[1][1], language="de")
    with pytest.raises(ModelError, match="only English and does not translate"):
        hear(engine, turns[1][1], task="translate")


def test_an_old_checkpoint_without_generation_config_works(copied, turns, heard):
    (copied / "generation_config.json").unlink()
    engine = open_engine(catalog.resolve(str(copied), device="cpu"))
    found = hear(engine, turns[1][1], timestamps="word")
    assert found.text == heard[1].text
    assert [word.text for word in found.segments[0].words] == found.text.split()


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        ("config.json", "there is no config.json in it"),
        ("model.safetensors", "has no model.safetensors"),
        ("tokenizer.json", "lacks tokenizer.json or vocab.json"),
        ("processor_config.json", "lacks processor_config.json or preprocessor_config.json"),
    ],
)
def test_a_folder_that_lacks_a_file_is_refused(copied, file, sentence):
    (copied / file).unlink()
    assert sentence in error_of(copied)


@pytest.mark.parametrize("size", [0, 7, 1000, 1_000_000])
def test_weights_that_break_off_are_refused(copied, size):
    weights = copied / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:size])
    assert "cannot be loaded" in error_of(copied)


def test_a_damaged_configuration_is_refused(copied):
    (copied / "config.json").write_text('{"model_type": "whis')
    assert "cannot be read" in error_of(copied)


def test_weights_of_another_shape_are_refused(copied):
    change(copied / "config.json", d_model=64)
    assert "mismatched, such as model." in error_of(copied)


@pytest.mark.parametrize("rename", ["thinker.{}", None])
def test_weights_that_are_missing_are_an_error_and_not_random(copied, rename):
    from safetensors.torch import load_file, save_file

    tensors = load_file(copied / "model.safetensors")
    if rename:
        tensors = {rename.format(name): tensor for name, tensor in tensors.items()}
    else:
        del tensors["model.encoder.conv1.weight"]
    save_file(tensors, copied / "model.safetensors", metadata={"format": "pt"})
    assert "missing, such as model." in error_of(copied)


def test_a_model_of_another_family_is_refused_by_name(assets):
    sentence = error_of(assets / "qwen3-asr-tiny-meeting")
    assert "of the family 'qwen3_asr', not whisper; give its own name or folder" in sentence


def test_a_hub_model_that_is_not_here_is_not_fetched_by_the_engine():
    with pytest.raises(ModelError, match="not on this machine; load it by name first"):
        open_engine(EngineSpec("whisper", "nobody/nothing", "nothing"))


def test_a_closed_engine_says_so(folder, turns):
    engine = open_engine(catalog.resolve(str(folder), device="cpu"))
    engine.close()
    engine.close()
    assert engine.module is None
    with pytest.raises(ModelError, match="unloaded; load it again"):
        hear(engine, turns[0][1])


def test_closing_empties_a_module_that_somebody_holds(folder):
    engine = open_engine(catalog.resolve(str(folder), device="cpu"))
    held = engine.module
    assert bytes_of(held)["decoder"] > 2e6
    engine.close()
    assert bytes_of(held) == {}
    with pytest.raises(ModelError, match="unloaded and is empty"):
        held.get_encoder()(np.zeros(1))


def test_hotwords_are_told_to_the_model_before_the_prompt(engine, turns, monkeypatch):
    tokenizer, told = engine._loaded.tokenizer, []
    real = type(tokenizer).get_prompt_ids
    monkeypatch.setattr(
        type(tokenizer),
        "get_prompt_ids",
        lambda self, text, **rest: told.append(text) or real(self, text, **rest),
    )
    sound = turns[0][1]
    with_words = Request(sound, hotwords=("agenda", " studio ", ""), prompt="the meeting")
    found = engine.recognize([with_words, Request(sound)])
    assert told == ["agenda, studio. the meeting"]
    assert all("agenda, studio" not in one.text for one in found)
    assert found[1].text == hear(engine, sound).text  # the others' hotwords are not its own


def test_a_hotword_of_the_models_own_tokens_is_refused(engine, turns):
    with pytest.raises(OptionError, match="prompt or a hotword holds a token"):
        hear(engine, turns[0][1], hotwords=("<|en|>",))


def test_nothing_is_printed_or_advised(folder, turns, capfd, caplog):
    engine = open_engine(catalog.resolve(str(folder), device="cpu"))
    hear(engine, turns[0][1], timestamps="word")
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_a_spec_means_the_same_in_another_process(folder):
    spec = catalog.resolve(str(folder), device="cpu")
    told = subprocess.run(
        [sys.executable, "-c", "import pickle, sys; print(pickle.load(sys.stdin.buffer).key)"],
        input=pickle.dumps(spec),
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )
    assert told.stdout.decode().strip() == spec.key


class _Bytes:
    """A tokenizer of single UTF-8 bytes, so that every character beyond ASCII is split."""

    def decode(self, tokens, **_):
        return bytes(tokens).decode("utf-8", "replace")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (" Hello, world!", ["Hello,", "world!"]),
        (' He said "yes" (twice).', ["He", "said", '"yes"', "(twice)."]),
        (" it's twenty-one", ["it's", "twenty-one"]),
        ("你好，世界。", ["你", "好，", "世", "界。"]),
        ("「はい」と言う", ["「は", "い」", "と", "言", "う"]),
        (" 안녕 하세요", ["안녕", "하세요"]),
        ("使用 Whisper 模型", ["使", "用", "Whisper", "模", "型"]),
        ("ที่นี่", ["ที่", "นี่"]),
        (" naïve café", ["naïve", "café"]),
        ("", []),
    ],
)
def test_words_are_split_as_their_script_wants(text, words):
    found = list(words_of(_Bytes(), text.encode()))
    assert [word for word, _ in found] == words
    assert sum(count for _, count in found) == len(text.encode())
