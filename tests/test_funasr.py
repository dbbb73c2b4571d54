"""FunASR's models: loaded from real folders, heard, timed, punctuated, refused and let go.

The folders are built and taught in seconds (see ``tiny_funasr``), so that texts and times have a
truth: each token is a tone of 0.3 s.
"""

from __future__ import annotations

import gc
import json
import os
import pickle
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tiny_funasr as tiny
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_funasr import PITCH, RATE, SPOKEN, TONE, tones

from nbasr.engines import EngineSpec, Request, open_engine
from nbasr.engines import _funasr_answer as answers
from nbasr.engines import _funasr_files as files
from nbasr.engines.quantization import Quantization
from nbasr.errors import ModelError, ModelWarning, OptionError
from nbasr.memory.modules import bytes_of

LEAD = 0.3
SAID = {
    "你好": ["你", "好"],
    "世界你好": ["世", "界", "你", "好"],
    "hello": ["hel@@", "lo"],
    "你好 hello 世": ["你", "好", "hel@@", "lo", "世"],
    "好": ["好"],
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("funasr")
    bicif = tiny.paraformer(root / "bicif" / "model")
    assert tiny.train_paraformer(bicif) < 0.3
    sense = tiny.sensevoice(root / "sense" / "model")
    assert tiny.train_sensevoice(sense) < 0.3
    return {
        "bicif": bicif,
        "sensevoice": sense,
        "paraformer": tiny.relative(root / "plain" / "model", "Paraformer", bicif),
        "seaco": tiny.relative(root / "seaco" / "model", "SeacoParaformer", bicif),
        "punctuation": tiny.punctuation(root / "ct-punc"),
    }


def spec_of(folder, **options):
    return EngineSpec("funasr", str(folder), "tiny", **options)


@pytest.fixture(scope="module")
def engines(folders):
    engines = {name: open_engine(spec_of(folders[name])) for name in ("bicif", "sensevoice")}
    yield engines
    for engine in engines.values():
        engine.close()


def spoken(names, pitches=PITCH, **options):
    return Request(tones(names, pitches, lead=LEAD, tail=0.3), **options)


def hear(engine, request):
    (found,) = engine.recognize([request])
    return found


def words_of(found):
    return [word for segment in found.segments for word in segment.words]


def copied(folder, to):
    shutil.copytree(folder, to)
    return to


def with_weights(folder, to, change):
    """Copy a model with other weights: `change` takes the dictionary of them."""
    copied(folder, to)
    state = torch.load(to / "model.pt", weights_only=True)
    torch.save(change(state), to / "model.pt")
    return to


# --- what they hear ---


def test_paraformer_writes_what_is_said_each_text_with_its_sound(engines):
    found = engines["bicif"].recognize([spoken(names) for names in SAID.values()])
    assert [one.text for one in found] == list(SAID)
    assert [one.language for one in found] == ["zh", "zh", "en", "zh", "zh"]


def test_a_batch_gives_what_one_by_one_gives(engines):
    for name, pitches, said in (
        ("bicif", PITCH, SAID.values()),
        ("sensevoice", SPOKEN, [["你", "好"], ["▁world"], ["▁hello", "▁world"], ["好"]]),
    ):
        batch = [spoken(names, pitches) for names in said]
        assert engines[name].recognize(batch) == [hear(engines[name], one) for one in batch]


def test_characters_and_words_have_times_near_the_true_ones(engines):
    for text, names in SAID.items():
        words = words_of(hear(engines["bicif"], spoken(names)))
        assert "".join(word.text for word in words) == text.replace(" ", "")
        at = LEAD
        for word in words:
            length = TONE * (2 if word.text == "hello" else 1)
            middle = (word.start + word.stop) / 2
            assert at - 0.1 < middle < at + length + 0.15, (text, word)
            at += length


def test_plain_paraformer_tells_times_too(folders):
    engine = open_engine(spec_of(folders["paraformer"]))
    found = hear(engine, spoken(SAID["世界你好"]))
    assert found.text == "世界你好"
    starts = [word.start for word in words_of(found)]
    assert starts == pytest.approx([LEAD + n * TONE for n in range(4)], abs=0.3)
    engine.close()


def test_sensevoice_tells_language_words_and_times_without_its_marks(engines):
    found = hear(engines["sensevoice"], spoken(["▁hello", "▁world"], SPOKEN))
    assert (found.text, found.language, found.flags) == ("hello world", "en", ())
    words = words_of(found)
    assert [word.text for word in words] == ["hello", "world"]
    assert [word.start for word in words] == pytest.approx([LEAD, LEAD + TONE], abs=0.12)
    assert hear(engines["sensevoice"], spoken(["你", "好"], SPOKEN)).language == "zh"


def test_a_language_that_is_given_is_kept(engines):
    for name in ("Korean", "ko", "ko-KR"):
        found = hear(engines["sensevoice"], spoken(["你"], SPOKEN, language=name))
        assert found.language == "ko"


def test_punctuation_comes_from_the_model_beside_it(folders, tmp_path):
    folder = copied(folders["bicif"], tmp_path / "model")
    copied(folders["punctuation"], tmp_path / "ct-punc")
    engine = open_engine(spec_of(folder))
    found = hear(engine, spoken(SAID["你好 hello 世"]))
    assert found.text == "你好。Hello 世。"
    assert [segment.text for segment in found.segments] == ["你好。", "Hello 世。"]
    assert [word.text for word in words_of(found)] == ["你", "好。", "Hello", "世。"]
    assert set(bytes_of(engine.module)) >= {"audio tower", "decoder", "punctuation"}
    engine.close()


def test_punctuation_that_fails_leaves_the_text(folders, tmp_path):
    folder = copied(folders["bicif"], tmp_path / "model")
    copied(folders["punctuation"], tmp_path / "ct-punc")
    engine = open_engine(spec_of(folder))
    engine.module["punctuation"].punc_list = []  # as of a model with another list
    with pytest.warns(ModelWarning, match="without punctuation"):
        assert hear(engine, spoken(SAID["你好"])).text == "你好"
    engine.close()


def test_a_pause_begins_a_new_segment_where_there_is_no_punctuation():
    words = [("你", 0.2, 0.4), ("好", 0.8, 1.0), ("世", 1.5, 1.7), ("界", 1.7, 2.0)]
    found = answers.answer("你好世界", words, "zh", 2.5)
    assert [(one.text, one.start, one.stop) for one in found.segments] == [
        ("你好", 0.2, 1.0),
        ("世界", 1.5, 2.0),
    ]
    marked = [("你", 0.2, 0.4), ("好，", 0.8, 1.0), ("世", 1.5, 1.7), ("界。", 1.7, 2.0)]
    assert len(answers.answer("你好，世界。", marked, "zh", 2.5).segments) == 1


# --- hotwords and other options ---


def test_hotwords_reach_a_seaco_paraformer(folders, tmp_path):
    always = tiny.relative(tmp_path / "m", "SeacoParaformer", folders["bicif"], prefers="世")
    engine = open_engine(spec_of(always))
    plain, told = engine.recognize(
        [spoken(SAID["你好"]), spoken(SAID["你好"], hotwords=("世界", "hello 你"))]
    )
    assert plain.text == "你好"
    assert set(told.text) == {"世"}
    engine.close()


def test_a_hotword_that_was_not_said_changes_nothing(folders):
    engine = open_engine(spec_of(folders["seaco"]))
    for text, names in SAID.items():
        assert hear(engine, spoken(names, hotwords=("世界",))).text == text
    engine.close()


def test_hotwords_are_spelled_as_the_model_spells():
    from nbasr.engines._funasr_call import _ids

    tokenizer = SimpleNamespace(
        token2id={name: n for n, name in enumerate(tiny.TOKENS)},
        seg_dict={"hello": "hel@@ lo", "您": "你"},
    )
    names = {
        "世界": ["世", "界"],
        "Hello": ["hel@@", "lo"],
        "hello 世": ["hel@@", "lo", "世"],
        "您好": ["你", "好"],
        "龙": [],
        "世龙": [],
        "": [],
    }
    for word, tokens in names.items():
        assert _ids(tokenizer, word) == [tiny.TOKENS.index(token) for token in tokens], word


def test_a_hotword_is_never_taken_for_an_address_or_a_file(folders, monkeypatch, tmp_path):
    import requests

    monkeypatch.setattr(requests, "get", lambda *_: pytest.fail("it went to the network"))
    (tmp_path / "words.txt").write_text("世界\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    engine = open_engine(spec_of(folders["seaco"]))
    for word in ("http://example.org/words", "words.txt"):
        with pytest.warns(ModelWarning, match="has no characters for the hotwords"):
            assert hear(engine, spoken(SAID["你好"], hotwords=(word,))).text == "你好"
    engine.close()


def test_options_without_a_use_are_told_once(engines):
    request = spoken(["你"], SPOKEN, prompt="A talk.", hotwords=("你好",))
    engine = engines["sensevoice"]
    with pytest.warns(ModelWarning) as told:
        engine.recognize([request, request])
    assert sorted(str(one.message).split(";")[0] for one in told) == [
        "tiny has no use for hotwords",
        "tiny has no use for prompt",
    ]
    hear(engine, request)  # a second warning would be an error here


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"language": "German"}, "does not know German, but Chinese, English"),
        ({"task": "translate"}, "does not translate"),
    ],
)
def test_what_it_cannot_do_is_refused(engines, options, says):
    with pytest.raises(ModelError, match=says):
        hear(engines["bicif"], spoken(["你"], **options))
    with pytest.raises(OptionError, match="transcribe or translate"):
        hear(engines["bicif"], spoken(["你"], task="summarise"))


def test_too_long_sound_and_stereo_are_refused(engines):
    with pytest.raises(ModelError, match="cut the recording first"):
        hear(engines["bicif"], Request(np.zeros(31 * RATE, np.float32)))
    with pytest.raises(ModelError, match="mono"):
        hear(engines["bicif"], Request(np.zeros((RATE, 2), np.float32)))


# --- bad chunks ---


@pytest.mark.parametrize("name", ["bicif", "sensevoice"])
def test_silence_and_next_to_nothing_give_no_text(engines, name):
    lengths = (0, 1, 100, int(0.04 * RATE))
    sounds = [np.full(n, 0.1, np.float32) for n in lengths] + [np.zeros(RATE, np.float32)]
    found = engines[name].recognize([Request(sound) for sound in sounds])
    assert [(one.text, one.segments, one.flags) for one in found] == [("", (), ())] * 5


@pytest.mark.parametrize("name", ["bicif", "sensevoice"])
@pytest.mark.parametrize("samples", [800, 1000, 2000, 4000, 7999])
def test_short_sound_is_heard_and_its_times_lie_inside(engines, name, samples):
    sound = tones(["你"], SPOKEN if name == "sensevoice" else PITCH)[-samples:]
    found = hear(engines[name], Request(sound))
    assert found.flags == ()
    assert all(0 <= word.start <= word.stop <= len(sound) / RATE for word in words_of(found))


@pytest.mark.parametrize("name", ["bicif", "sensevoice"])
def test_one_bad_chunk_leaves_the_others_alone(engines, name):
    pitches = SPOKEN if name == "sensevoice" else PITCH
    bad = tones(["你"], pitches)
    bad[500] = np.nan  # the filter bank refuses it, and with it the whole batch
    batch = [spoken(["你", "好"], pitches), Request(bad), spoken(["好"], pitches)]
    with pytest.warns(ModelWarning, match="stumbled over .* marked"):
        found = engines[name].recognize(batch)
    assert [one.text for one in found] == ["你好", "", "好"]
    assert [one.flags for one in found] == [(), ("failed",), ()]


def test_times_that_funasr_cannot_make_do_not_take_the_text_with_them(folders, tmp_path):
    """Where its second count comes to nothing, FunASR raises in place of giving the text."""

    def dead(state):
        state["predictor.cif_output2.bias"].fill_(-80.0)
        return state

    engine = open_engine(spec_of(with_weights(folders["bicif"], tmp_path / "m", dead)))
    names = SAID["你好 hello 世"]
    loaded = engine._loaded.speech
    with pytest.raises((IndexError, ValueError)):
        loaded.model.inference(data_in=[spoken(names).samples], key=["0"], **loaded.options)
    found = hear(engine, spoken(names))
    assert (found.text, found.flags) == ("你好 hello 世", ())
    assert [(one.start, one.words) for one in found.segments] == [(0.0, ())]
    engine.close()


def test_running_out_of_memory_is_not_taken_for_a_bad_chunk(engines, monkeypatch):
    def full(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(engines["bicif"].module["model"], "encode", full)
    with pytest.raises(torch.OutOfMemoryError):
        hear(engines["bicif"], spoken(["你"]))


def test_answers_that_are_too_few_are_asked_for_one_by_one(engines, monkeypatch):
    model = engines["bicif"].module["model"]
    real = model.inference

    def careless(data_in, **options):
        answer, more = real(data_in, **options)
        return (answer[:-1], more) if len(data_in) > 1 else (answer, more)

    monkeypatch.setattr(model, "inference", careless)
    found = engines["bicif"].recognize([spoken(names) for names in SAID.values()])
    assert [one.text for one in found] == list(SAID)


def test_no_speech_is_what_sensevoice_says_it_is(engines):
    from nbasr.engines._funasr_call import Call

    engine = engines["sensevoice"]
    call = Call(engine.spec, engine._loaded, None, ())
    raw = {"text": "<|nospeech|><|EMO_UNKNOWN|><|Event_UNK|><|woitn|>嗯"}
    found = call._answer(raw, spoken(["你"]))
    assert (found.text, found.language, found.flags) == ("", None, ("no_speech",))


# --- loading ---


@pytest.mark.parametrize("name", ["bicif", "paraformer", "seaco", "sensevoice"])
def test_in_16_bits_every_kind_writes_the_same(folders, name):
    engine = open_engine(spec_of(folders[name], dtype="fp16"))
    whole = open_engine(spec_of(folders[name]))
    weigh = sum(bytes_of(engine.module).values()), sum(bytes_of(whole.module).values())
    assert weigh[0] < 0.85 * weigh[1]
    said, pitches = (
        (["你", "好"], SPOKEN) if name == "sensevoice" else (SAID["你好 hello 世"], PITCH)
    )
    assert hear(engine, spoken(said, pitches)).text == hear(whole, spoken(said, pitches)).text
    engine.close()
    whole.close()


def test_after_closing_the_model_is_empty_even_if_held(folders):
    engine = open_engine(spec_of(folders["bicif"]))
    module, weight = engine.module, next(engine.module.parameters())
    assert sum(bytes_of(module).values()) > 100_000
    engine.close()
    engine.close()
    gc.collect()
    assert sum(bytes_of(module).values()) == 0
    assert weight.numel() == 0
    assert engine.module is None
    with pytest.raises(ModelError, match="unloaded; load it again"):
        hear(engine, spoken(["你"]))


def test_loading_and_hearing_is_silent_and_leaves_the_process_as_it_was(folders):
    code = f"""
import logging, os, random, sys
import numpy as np
import torch
sys.path.insert(0, {str(Path(__file__).parent)!r})
random.seed(1); np.random.seed(1); torch.manual_seed(1)
state = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
from nbasr.engines import EngineSpec, Request, open_engine
for name, folder in {[(n, str(f)) for n, f in folders.items() if n != "punctuation"]!r}:
    engine = open_engine(EngineSpec("funasr", folder, name))
    engine.recognize([Request(np.random.default_rng(0).normal(0, .1, 16000).astype("f4"))] * 2)
    engine.close()
now = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
assert now == state
assert torch.get_num_threads() == 1
assert logging.getLogger().handlers == [] and logging.getLogger().filters == []
assert "HYDRA_FULL_ERROR" not in os.environ
assert "torchaudio" not in sys.modules
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_other_threads_may_print_while_a_model_is_loaded(capsys):
    import threading

    from nbasr.engines._funasr_quiet import quiet

    with quiet(spoken=True):
        print("of FunASR")  # noqa: T201
        sys.stderr.write("of FunASR")
        other = threading.Thread(target=lambda: print("of a user"))  # noqa: T201
        other.start()
        other.join()
    assert capsys.readouterr() == ("of a user\n", "")


def test_two_threads_that_load_at_once_leave_the_streams_as_they_were():
    import threading

    from nbasr.engines._funasr_quiet import quiet

    before = sys.stdout, sys.stderr
    inside, left = threading.Event(), threading.Event()

    def load():
        with quiet(spoken=True):
            inside.set()
            left.wait(10)

    other = threading.Thread(target=load)
    with quiet(spoken=True):
        other.start()
        inside.wait(0.2)  # it should wait outside
    left.set()
    other.join()
    assert (sys.stdout, sys.stderr) == before


def test_nothing_that_a_folder_brings_along_is_run(folders, tmp_path):
    folder = copied(folders["bicif"], tmp_path / "model")
    proof = tmp_path / "it-ran"
    (folder / "model.py").write_text(f"open({str(proof)!r}, 'w')", encoding="utf-8")
    (folder / "requirements.txt").write_text("no-such-package-anywhere", encoding="utf-8")
    with (folder / "config.yaml").open("a", encoding="utf-8") as file:
        file.write(f"trust_remote_code: true\nremote_code: {folder / 'model.py'}\n")
        file.write("init_param: /nowhere/model.pt\nfp16: true\nseed: 7\nhub: ms\n")
    engine = open_engine(spec_of(folder))
    assert hear(engine, spoken(SAID["你好"])).text == "你好"
    assert not proof.exists()
    engine.close()


class _Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_weights_that_hold_code_are_not_opened(folders, tmp_path):
    folder = copied(folders["bicif"], tmp_path / "model")
    proof = tmp_path / "it-ran"
    for state in ({"a": _Trap(str(proof))}, [_Trap(str(proof))]):
        torch.save(state, folder / "model.pt")
        with pytest.raises(ModelError, match="could be code, so it is not opened"):
            open_engine(spec_of(folder))
    (folder / "model.pt").write_bytes(pickle.dumps(_Trap(str(proof))))
    with pytest.raises(ModelError, match="could be code"):
        open_engine(spec_of(folder))
    assert not proof.exists()


def test_damaged_weights_are_told(folders, tmp_path):
    folder = copied(folders["bicif"], tmp_path / "model")
    whole = (folder / "model.pt").read_bytes()
    for content in (whole[: len(whole) // 2], b"version https://git-lfs.github.com/spec/v1\n"):
        (folder / "model.pt").write_bytes(content)
        with pytest.raises(ModelError, match=r"[Ff]etch (it|the model) again"):
            open_engine(spec_of(folder))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: {k: v for k, v in s.items() if "norm1.bias" not in k}, "5 missing, such as"),
        (lambda s: s | {"encoder.more.weight": torch.zeros(2)}, "1 unexpected, such as encoder.m"),
        (lambda s: s | {"decoder.embed.0.weight": torch.zeros(3, 4)}, "1 mismatched"),
        (lambda s: torch.zeros(3), "no weights of a model"),
        (lambda s: {"epoch": 3}, "no weights of a model"),
    ],
)
def test_weights_that_do_not_fit_are_refused(folders, tmp_path, change, says):
    folder = with_weights(folders["bicif"], tmp_path / "model", change)
    with pytest.raises(ModelError, match=says):
        open_engine(spec_of(folder))


def test_weights_as_training_leaves_them_are_taken(folders, tmp_path):
    def wrap(state):
        state = {f"module.{name}": one for name, one in state.items()}
        return {"epoch": 3, "state_dict": state | {"module.ctc.head": torch.zeros(4)}}

    folder = with_weights(folders["bicif"], tmp_path / "model", wrap)
    engine = open_engine(spec_of(folder))
    assert hear(engine, spoken(SAID["你好"])).text == "你好"
    engine.close()


def test_weights_in_torchs_old_format_are_taken(folders, tmp_path):
    folder = copied(folders["bicif"], tmp_path / "model")
    state = torch.load(folder / "model.pt", weights_only=True)
    torch.save(state, folder / "model.pt", _use_new_zipfile_serialization=False)
    engine = open_engine(spec_of(folder))
    assert hear(engine, spoken(SAID["你好"])).text == "你好"
    engine.close()


@pytest.mark.parametrize(
    ("name", "lacks", "says"),
    [
        ("bicif", "config.yaml", "there is no config.yaml in it"),
        ("bicif", "model.pt", "lacks model.pt"),
        ("bicif", "am.mvn", "lacks am.mvn"),
        ("bicif", "tokens.json", "lacks tokens.json or tokens.txt"),
        ("sensevoice", "chn_eng.bpe.model", "lacks bpe.model"),
    ],
)
def test_a_folder_that_is_not_whole_is_refused(folders, tmp_path, name, lacks, says):
    folder = copied(folders[name], tmp_path / "model")
    (folder / lacks).unlink()
    with pytest.raises(ModelError, match=says):
        open_engine(spec_of(folder))
    if lacks != "config.yaml":
        (folder / lacks).touch()
        with pytest.raises(ModelError, match="has an empty"):
            open_engine(spec_of(folder))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ("model: FunASRNano\n", "kind 'FunASRNano', which nbasr does not run; it runs Paraformer"),
        ("model: [\n", "cannot be read"),
        ("just text\n", "no settings of a model"),
        ("model: !!python/object/apply:os.getcwd []\n", "cannot be read"),
    ],
)
def test_settings_that_are_of_no_use_are_refused(tmp_path, settings, says):
    (tmp_path / "config.yaml").write_text(settings, encoding="utf-8")
    with pytest.raises(ModelError, match=says):
        open_engine(spec_of(tmp_path))


def test_a_tokenizer_that_would_be_fetched_is_refused(folders, tmp_path):
    folder = copied(folders["bicif"], tmp_path / "model")
    text = (folder / "config.yaml").read_text(encoding="utf-8")
    changed = text.replace("tokenizer: CharTokenizer", "tokenizer: HuggingfaceTokenizer")
    (folder / "config.yaml").write_text(changed, encoding="utf-8")
    with pytest.raises(ModelError, match="tokenizer 'HuggingfaceTokenizer', which nbasr does not"):
        open_engine(spec_of(folder))


def test_a_punctuation_model_hears_nothing(folders):
    with pytest.raises(ModelError, match="Name the Paraformer"):
        open_engine(spec_of(folders["punctuation"]))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"quantization": Quantization("int8")}, "does not quantise"),
        ({"dtype": "bf16"}, "runs in float32 or fp16, not in bf16"),
    ],
)
def test_precisions_that_it_does_not_have_are_refused(folders, options, says):
    with pytest.raises(OptionError, match=says):
        open_engine(spec_of(folders["bicif"], **options))


@pytest.mark.skipif(torch.cuda.is_available(), reason="has the device")
def test_a_device_that_is_not_there_is_named(folders):
    with pytest.raises(ModelError, match="torch sees no cuda device"):
        open_engine(spec_of(folders["bicif"], device="cuda"))


def test_a_model_that_is_not_here_says_how_to_get_it():
    with pytest.raises(ModelError, match=r'nbasr.models.load\("tiny"\)'):
        open_engine(spec_of("funasr/paraformer-zh"))


def test_without_the_extra_its_name_is_given(folders, monkeypatch):
    monkeypatch.setitem(sys.modules, "funasr", None)
    with pytest.raises(ModelError, match=r'pip install "nbasr\[funasr\]"'):
        open_engine(spec_of(folders["bicif"]))


def test_a_model_that_cannot_run_is_refused_when_it_is_loaded(folders, tmp_path):
    folder = copied(folders["bicif"], tmp_path / "model")
    (folder / "am.mvn").write_text("<Nnet>\n</Nnet>\n", encoding="utf-8")
    with pytest.raises(ModelError, match="does not run"):
        open_engine(spec_of(folder))


# --- folders ---


def test_folders_are_told_apart(folders, assets, tmp_path):
    assert all(files.is_funasr(folder) for folder in folders.values())
    assert {name: files.kind_of(folder) for name, folder in folders.items()} == {
        name: name for name in folders
    }
    assert not files.is_funasr(assets / "whisper-tiny-meeting")
    assert not files.is_funasr(tmp_path)


def test_configuration_json_names_files_of_its_own_folder_alone(folders, tmp_path):
    folder = copied(folders["bicif"], tmp_path / "model")
    (folder / "model.pt").rename(folder / "other.pt")
    (tmp_path / "outside.pt").touch()
    for name, found in (("other.pt", folder / "other.pt"), ("../outside.pt", None)):
        text = json.dumps({"file_path_metas": {"init_param": name}})
        (folder / "configuration.json").write_text(text, encoding="utf-8")
        assert files.found_in(folder).get("weights") == found
    (folder / "configuration.json").write_text("{", encoding="utf-8")
    assert "weights" not in files.found_in(folder)


@pytest.mark.parametrize(
    "where",
    [
        "models/iic/SenseVoiceSmall",
        "hub/models/iic/SenseVoiceSmall",
        "hub/iic/SenseVoiceSmall",
        "models/iic--SenseVoiceSmall/snapshots/master",
    ],
)
def test_models_that_funasr_fetched_are_found(folders, tmp_path, monkeypatch, where):
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path))
    assert files.snapshot_of("FunAudioLLM/SenseVoiceSmall") is None
    folder = copied(folders["sensevoice"], tmp_path / where)
    assert files.snapshot_of("FunAudioLLM/SenseVoiceSmall") == folder
    assert files.snapshot_of("iic/SenseVoiceSmall") == folder
    (folder / "model.pt").unlink()  # a download that broke off
    assert files.snapshot_of("iic/SenseVoiceSmall") is None


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A Hugging Face cache of its own, and a function that puts a folder into it."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))

    def put(folder, hub_id):
        repo = tmp_path / f"models--{hub_id.replace('/', '--')}"
        (repo / "refs").mkdir(parents=True)
        (repo / "refs" / "main").write_text("abc", encoding="utf-8")
        return copied(folder, repo / "snapshots" / "abc")

    return put


def test_models_in_the_hubs_cache_are_found_and_run(folders, hub):
    assert files.snapshot_of("funasr/paraformer-zh") is None
    folder = hub(folders["bicif"], "funasr/paraformer-zh")
    assert files.snapshot_of("funasr/paraformer-zh") == folder
    assert files.snapshot_of(files.MODELSCOPE["funasr/paraformer-zh"]) == folder
    punctuation = hub(folders["punctuation"], files.PUNCTUATION)
    assert files.punctuation_for(folder) == punctuation
    engine = open_engine(spec_of("funasr/paraformer-zh"))
    assert hear(engine, spoken(SAID["世界你好"])).text == "世界你好。"
    engine.close()


@pytest.mark.parametrize("name", ["", "paraformer-zh", "../..", "a/..", "/etc", "a/b/c"])
def test_what_is_no_hub_id_is_nowhere(name):
    assert files.snapshot_of(name) is None


def test_sensevoice_needs_no_punctuation_model(folders, hub):
    hub(folders["punctuation"], files.PUNCTUATION)
    assert files.punctuation_for(folders["sensevoice"]) is None


# --- texts and times ---


def test_marks_are_taken_out_of_the_text():
    text = "<|zh|><|NEUTRAL|><|Speech|><|withitn|>你好，世界。 <unk> OK"
    assert answers.tags(text) == ("你好，世界。 OK", ("zh", "NEUTRAL", "Speech", "withitn"))


PIECES = st.lists(
    st.sampled_from(["你", "好", "world", "don't", "3.5", "안녕", "ありがとう", "A", "100%"]),
    min_size=1,
    max_size=12,
)
AFTER = st.sampled_from(["", "", "", "，", "。", ", ", ". ", "？", "”", "）", " "])
BEFORE = st.sampled_from(["", "", "", "“", "（", "《"])


@given(PIECES, st.data())
def test_placed_words_hold_the_whole_text_in_the_order_of_their_times(pieces, data):
    text = ""
    for piece in pieces:
        text += data.draw(BEFORE) + piece + data.draw(AFTER) + " "
    cut = [part for piece in pieces for part in (piece[:1], piece[1:]) if part]
    told = [(part, float(n), n + 0.5) for n, part in enumerate(cut)]
    placed = answers.placed(text, told)
    assert "".join(word for word, _, _ in placed) == "".join(text.split())
    edges = [edge for _, start, stop in placed for edge in (start, stop)]
    assert edges == sorted(edges)
    assert (edges[0], edges[-1]) == (0.0, len(cut) - 0.5)


@given(PIECES, PIECES)
def test_pieces_of_another_text_place_nothing(pieces, others):
    told = [(piece, float(n), n + 0.5) for n, piece in enumerate(others)]
    same = "".join("".join(answers._letters(piece)) for piece in pieces) == "".join(
        "".join(answers._letters(piece)) for piece in others
    )
    assert bool(answers.placed(" ".join(pieces), told)) == same


TIMES = st.lists(
    st.tuples(st.floats(-100, 40_000), st.floats(-100, 40_000)), min_size=1, max_size=20
)


@given(TIMES, st.floats(0.05, 30))
def test_times_are_in_order_and_inside_whatever_the_model_says(times, duration):
    words = ["你"] * len(times)
    edges = [
        edge for _, start, stop in answers.timed(words, times, duration) for edge in (start, stop)
    ]
    assert len(edges) == 2 * len(times)
    assert edges == sorted(edges)
    assert edges[0] >= 0
    assert edges[-1] <= duration + 1e-3


def test_times_of_another_number_of_words_are_not_used():
    assert answers.timed(["你", "好"], [(0, 100)], 1.0) == []


@given(
    st.lists(st.sampled_from(["你", "好。", "no", "Mr.", "end.", "什么？", "“好。”"]), min_size=1)
)
def test_sentences_hold_every_word_once_and_end_where_they_end(words):
    told = [(word, float(n), n + 0.9) for n, word in enumerate(words)]
    groups = answers.sentences(told)
    assert [word for group in groups for word in group] == told
    for group in groups[:-1]:
        assert group[-1][0].rstrip("”")[-1] in "。？."
    assert all(word[0] not in ("好。", "什么？") for group in groups for word in group[:-1])


def test_environment_of_the_tests_keeps_other_caches_away():
    assert Path(os.environ["MODELSCOPE_CACHE"]).name == "modelscope_cache"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert files.snapshot_of(files.PUNCTUATION) is None
