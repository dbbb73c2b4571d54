"""Names become specs: the catalogue, local folders, hub ids, and names that are none."""

from __future__ import annotations

import json
import pickle

import pytest

from nbasr.engines.languages import NAMES, language_code
from nbasr.engines.quantization import Quantization
from nbasr.errors import ModelError, OptionError
from nbasr.models import catalog


def test_every_entry_resolves_to_a_spec_of_its_name():
    names = [entry.name for entry in catalog.entries()]
    assert names[0] == "sphinx"
    assert len(set(names)) == len(names) == 18
    for entry in catalog.entries():
        spec = catalog.resolve(entry.name, device="cpu")
        assert (spec.name, spec.source, spec.engine) == (entry.name, entry.source, entry.engine)
        assert spec.dtype == "float32"
        assert spec.max_seconds == entry.max_seconds
        assert entry.about
        assert entry.licence
        assert entry.codes
    limits = {entry.engine: entry.max_seconds for entry in catalog.entries()}
    assert limits["whisper"] == limits["sphinx"] == limits["funasr"] == 30
    assert catalog.resolve("qwen3-asr-0.6b", device="cpu").max_seconds == 60
    assert catalog.resolve("fun-asr-nano", device="cpu").max_seconds == 30
    assert limits["aligner"] == 180


def test_sizes_follow_from_parameters_and_precision():
    sizes = {entry.name: entry.download_bytes for entry in catalog.entries()}
    assert sizes["sphinx"] == 0
    assert sizes["whisper-tiny"] == pytest.approx(151e6, rel=0.01)
    assert sizes["whisper-large-v3"] == pytest.approx(3.09e9, rel=0.01)  # half precision
    assert sizes["qwen3-asr-1.7b"] == pytest.approx(4.076e9, rel=0.001)
    spec = catalog.resolve("whisper-large-v3", device="cpu")
    assert catalog.weights_bytes(spec) == 4 * 1_543_490_560
    spec = catalog.resolve("whisper-large-v3", "bf16", "cpu")
    assert catalog.weights_bytes(spec) == 2 * 1_543_490_560
    assert catalog.weights_bytes(catalog.resolve("sphinx")) is None


def test_a_hub_id_of_the_catalogue_is_the_same_model():
    assert catalog.resolve("openai/whisper-Tiny", device="cpu") == catalog.resolve(
        "Whisper-tiny", device="cpu"
    )


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Qwen/Qwen3-ASR-1.7B-hf", "qwen3-asr-1.7b"),
        ("Qwen3-ASR-0.6B", "qwen3-asr-0.6b"),
        ("qwen3-forcedaligner-0.6b", "qwen3-forced-aligner-0.6b"),
        ("Fun-ASR-Nano-2512", "fun-asr-nano"),
        ("SenseVoiceSmall", "sensevoice-small"),
        (" WHISPER-LARGE-V3 ", "whisper-large-v3"),
    ],
)
def test_a_model_is_known_by_its_id_and_by_the_end_of_it(written, name):
    assert catalog.resolve(written, device="cpu").name == name


@pytest.mark.parametrize(
    ("hub_id", "engine"),
    [
        ("someone/their-model", "whisper"),
        ("someone/Qwen3-ASR-1.7B-medical", "audio_llm"),
        ("someone/my-Fun-ASR-finetuned", "audio_llm"),
        ("zai-org/GLM-ASR-Nano-2512", "audio_llm"),
        ("someone/Qwen3-ForcedAligner-de", "aligner"),
        ("funasr/paraformer-en", "funasr"),
    ],
)
def test_what_another_hub_id_holds_is_guessed_until_it_is_here(hub_id, engine):
    spec = catalog.resolve(hub_id, device="cpu")
    assert (spec.engine, spec.source, spec.name) == (engine, hub_id, hub_id.split("/")[1])
    assert catalog.weights_bytes(spec) is None


@pytest.mark.parametrize(
    ("hub_id", "instead"),
    [
        ("Qwen/Qwen3-ASR-1.7B", "take Qwen/Qwen3-ASR-1.7B-hf instead"),
        ("qwen/qwen3-asr-0.6b", "take qwen/qwen3-asr-0.6b-hf instead"),
        ("Qwen/Qwen3-ForcedAligner-0.6B", "take Qwen/Qwen3-ForcedAligner-0.6B-hf instead"),
        ("FunAudioLLM/Fun-ASR-Nano-2512", "take FunAudioLLM/Fun-ASR-Nano-2512-hf instead"),
        ("FunAudioLLM/Fun-ASR-MLT-Nano-2512", "convert it with transformers'"),
    ],
)
def test_an_id_in_the_makers_own_layout_is_refused_with_what_to_use(hub_id, instead):
    with pytest.raises(ModelError) as caught:
        catalog.resolve(hub_id, device="cpu")
    assert instead in str(caught.value)


@pytest.mark.parametrize(
    ("folder", "instead"),
    [
        ("Qwen3-ASR-0.6B", "take Qwen/Qwen3-ASR-0.6B-hf instead"),
        ("Qwen3-ForcedAligner-0.6B", "take Qwen/Qwen3-ForcedAligner-0.6B-hf instead"),
        ("copied", "take Qwen/Qwen3-ASR-1.7B-hf"),
    ],
)
def test_a_folder_in_the_makers_own_layout_is_refused_with_what_to_use(folder, instead, tmp_path):
    (tmp_path / folder).mkdir()
    config = {"model_type": "qwen3_asr", "thinker_config": {"audio_config": {"d_model": 1024}}}
    (tmp_path / folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError) as caught:
        catalog.resolve(f"{tmp_path}/{folder}", device="cpu")
    assert "original layout" in str(caught.value)
    assert instead in str(caught.value)


def test_a_local_folder_is_a_model_of_its_name(assets, monkeypatch):
    spec = catalog.resolve(str(assets / "whisper-tiny-meeting"), "bf16", "cpu")
    assert (spec.engine, spec.name, spec.dtype) == ("whisper", "whisper-tiny-meeting", "bf16")
    assert catalog.weights_bytes(spec) == pytest.approx(2 * 1.98e6, rel=0.02)
    monkeypatch.chdir(assets)
    assert catalog.resolve("whisper-tiny-meeting", "bf16", "cpu") == spec
    assert catalog.resolve("./whisper-tiny-meeting/", "bf16", "cpu") == spec


def test_a_model_of_a_shorter_window_takes_shorter_chunks(tmp_path, assets):
    config = json.loads((assets / "whisper-tiny-meeting" / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "max_source_positions": 500}))
    assert catalog.resolve(str(tmp_path), device="cpu").max_seconds == 10.0


def test_a_models_folder_tells_its_engine_and_its_safe_length(tmp_path, assets):
    qwen = json.loads((assets / "qwen3-asr-tiny-meeting" / "config.json").read_text())
    nano = {"model_type": "fun_asr_nano", "audio_config": {"max_position_embeddings": 101}}
    aligner = {**qwen, "architectures": ["Qwen3ASRForTokenClassification"]}
    short = {**aligner, "id2label": {str(n): f"LABEL_{n}" for n in range(500)}}
    for config, engine, seconds in (
        (qwen, "audio_llm", 60.0),
        (nano, "audio_llm", 6.0),
        ({"model_type": "fun_asr_nano"}, "audio_llm", 30.0),
        ({"model_type": "glmasr"}, "audio_llm", 30.0),
        (aligner, "aligner", 180.0),
        (short, "aligner", 40.0),
    ):
        (tmp_path / "config.json").write_text(json.dumps(config))
        spec = catalog.resolve(str(tmp_path), device="cpu")
        assert (spec.engine, spec.max_seconds) == (engine, pytest.approx(seconds))


def _funasr(folder, model):
    folder.mkdir(exist_ok=True)
    (folder / "config.yaml").write_text(f"model: {model}\n")
    return str(folder)


def test_a_folder_in_funasrs_layout_runs_by_its_engine(tmp_path):
    spec = catalog.resolve(_funasr(tmp_path / "mine", "SenseVoiceSmall"), device="cpu")
    assert (spec.engine, spec.name, spec.max_seconds) == ("funasr", "mine", 30.0)
    with pytest.raises(ModelError, match="of the kind 'Whisper', which nbasr does not run"):
        catalog.resolve(_funasr(tmp_path / "mine", "Whisper"))
    with pytest.raises(ModelError, match=r"holds a punctuation model.*name paraformer-zh"):
        catalog.resolve(_funasr(tmp_path / "mine", "CTTransformer"))


def test_which_models_give_the_times_of_words_is_known(tmp_path, assets):
    for entry in catalog.entries():
        spec = catalog.resolve(entry.name, device="cpu")
        assert catalog.gives_word_times(spec) == entry.word_times, entry.name
    assert catalog.gives_word_times(catalog.resolve(str(assets / "whisper-tiny-meeting")))
    assert not catalog.gives_word_times(catalog.resolve(str(assets / "qwen3-asr-tiny-meeting")))
    for model, gives in (
        ("BiCifParaformer", True),
        ("Paraformer", True),
        ("SenseVoiceSmall", False),
    ):
        spec = catalog.resolve(_funasr(tmp_path / "mine", model), device="cpu")
        assert catalog.gives_word_times(spec) == gives


def test_funasr_runs_in_float32_and_is_not_quantised():
    assert catalog.resolve("paraformer-zh", "float32", "cpu").dtype == "float32"
    for given in ({"dtype": "bf16"}, {"dtype": "fp16"}, {"quantization": "int8"}):
        with pytest.raises(ModelError, match="paraformer-zh runs in float32, and on CUDA in fp16"):
            catalog.resolve("paraformer-zh", device="cpu", **given)


def test_the_embedded_engine_stays_on_the_cpu():
    assert catalog.resolve("sphinx", "float32", "cpu") == catalog.resolve("SPHINX ")
    for given in ({"dtype": "fp16"}, {"quantization": "nf4"}):
        with pytest.raises(ModelError, match="sphinx computes only in float32 and on the CPU"):
            catalog.resolve("sphinx", device="cpu", **given)


def test_a_quantisation_is_given_by_name_or_in_full():
    spec = catalog.resolve("whisper-small", device="cpu", quantization="INT8")
    assert spec.quantization == Quantization("int8")
    assert (spec.precision, spec.dtype) == ("int8", "float32")
    full = Quantization("nf4", audio_tower=True, double=False)
    assert catalog.resolve("whisper-small", device="cpu", quantization=full).quantization == full
    for none in (None, "none"):
        spec = catalog.resolve("whisper-small", device="cpu", quantization=none)
        assert (spec.quantization, spec.precision) == (None, "float32")
    with pytest.raises(OptionError, match="Did you mean 'int8'"):
        catalog.resolve("whisper-small", device="cpu", quantization="int")


@pytest.mark.parametrize("has", [True, False])
def test_four_bits_compute_in_bf16_where_the_cpu_has_it(monkeypatch, has):
    import torch

    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": has})
    spec = catalog.resolve("whisper-small", device="cpu", quantization="nf4")
    assert spec.dtype == ("bf16" if has else "float32")
    assert catalog.resolve("whisper-small", "fp16", "cpu", "nf4").dtype == "fp16"
    assert catalog.resolve("whisper-small", device="cpu", quantization="int8").dtype == "float32"


@pytest.mark.parametrize("bf16", [True, False])
def test_a_gpu_computes_in_bf16_where_it_can(monkeypatch, bf16):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: bf16)
    spec = catalog.resolve("whisper-small", offload=True)
    assert (spec.device, spec.dtype) == ("cuda", "bf16" if bf16 else "fp16")
    assert spec.offload
    assert spec.batch_size == catalog.GPU_BATCH
    paraformer = catalog.resolve("paraformer-zh", offload=True)
    assert (paraformer.dtype, paraformer.offload) == ("fp16", False)


def test_without_a_gpu_there_is_nothing_to_offload():
    assert not catalog.resolve("whisper-small", device="cpu", offload=True).offload


def test_a_folder_that_was_saved_quantised_stays_so(tmp_path, assets):
    config = json.loads((assets / "whisper-tiny-meeting" / "config.json").read_text())
    stored = {
        "quant_method": "bitsandbytes",
        "load_in_4bit": True,
        "bnb_4bit_quant_type": "nf4",
        "bnb_4bit_use_double_quant": True,
        "bnb_4bit_compute_dtype": "float32",
        "llm_int8_skip_modules": ["proj_out", "model.encoder"],
    }
    (tmp_path / "config.json").write_text(json.dumps({**config, "quantization_config": stored}))
    spec = catalog.resolve(str(tmp_path), device="cpu")
    assert spec.precision == "nf4"
    assert spec.quantization.skip == ("proj_out", "model.encoder")
    assert catalog.resolve(str(tmp_path), device="cpu", quantization="nf4") == spec
    assert catalog.resolve(str(tmp_path), device="cpu", quantization=spec.quantization) == spec
    with pytest.raises(OptionError, match=r"was saved in nf4 and is loaded as it is; .*for int8"):
        catalog.resolve(str(tmp_path), device="cpu", quantization="int8")
    with pytest.raises(OptionError, match="was saved in nf4"):
        catalog.resolve(str(tmp_path), device="cpu", quantization=Quantization("nf4", double=False))
    other = {**config, "quantization_config": {"quant_method": "gptq", "bits": 4}}
    (tmp_path / "config.json").write_text(json.dumps(other))
    with pytest.raises(ModelError, match="quantised by 'gptq'"):
        catalog.resolve(str(tmp_path), device="cpu")


def test_what_only_the_folder_tells_is_settled_when_it_is_there(tmp_path, assets):
    config = json.loads((assets / "qwen3-asr-tiny-meeting" / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config))
    guessed = catalog.resolve("someone/their-model", "bf16", "cpu", "int8")
    spec = catalog.settled(guessed, tmp_path)
    assert (spec.engine, spec.max_seconds) == ("audio_llm", 60.0)
    same = ("source", "name", "dtype", "device", "quantization")
    assert all(getattr(spec, name) == getattr(guessed, name) for name in same)
    known = catalog.resolve("fun-asr-nano", device="cpu")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "fun_asr_nano"}))
    assert catalog.settled(known, tmp_path) == known


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("whisper-lage-v3", "Did you mean 'whisper-large-v3'"),
        ("turbo", "Did you mean 'whisper-large-v3-turbo'"),
        ("wav2vec", "Known: sphinx, whisper-tiny"),
        ("qwen3", "Did you mean 'qwen3-"),
        ("paraformer", "Did you mean 'paraformer-zh'"),
        ("", "There is no model ''"),
        ("./nowhere", "There is no folder './nowhere'"),
        ("/no/such/folder", "There is no folder '/no/such/folder'"),
    ],
)
def test_a_name_that_is_no_model_says_what_there_is(name, sentence):
    with pytest.raises(ModelError) as caught:
        catalog.resolve(name)
    assert sentence in str(caught.value)
    assert "hub id" in str(caught.value)


def test_a_folder_of_another_family_is_refused_by_name(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(
        ModelError, match="family 'bert', which nbasr does not run; it runs whisper"
    ):
        catalog.resolve(str(tmp_path))


def test_every_family_has_an_engine_that_says_so():
    from nbasr.engines import _audio_families, checkpoint

    llm = {family for family, engine in checkpoint.FAMILIES.items() if engine == "audio_llm"}
    assert llm == set(_audio_families.FAMILIES)
    assert set(checkpoint.SAFE_SECONDS) == set(checkpoint.FAMILIES)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"holds no model: there is no config\.json"):
        catalog.resolve(str(tmp_path))


def test_a_device_that_is_not_there_is_refused():
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(ModelError, match="no cuda device on this machine"):
        catalog.resolve("whisper-tiny", device="cuda")


def test_a_number_format_that_does_not_exist_is_refused():
    with pytest.raises(ModelError, match="dtype is auto, float32, bf16, fp16"):
        catalog.resolve("whisper-tiny", dtype="int3", device="cpu")


def test_what_a_model_cannot_do_is_known_before_it_is_loaded():
    known = {entry.name: entry for entry in catalog.entries()}
    assert known["whisper-small"].suits("de", "translate")
    assert not known["whisper-small.en"].suits("de", "transcribe")
    assert not known["whisper-small.en"].suits("en", "translate")
    assert not known["whisper-large-v3-turbo"].suits("de", "translate")
    assert not known["sphinx"].suits("fr", "transcribe")
    assert known["sphinx"].suits(None, "transcribe")
    assert known["qwen3-asr-1.7b"].suits("yue", "transcribe")
    assert not known["qwen3-asr-1.7b"].suits("uk", "transcribe")
    assert not known["fun-asr-nano"].suits("de", "transcribe")
    assert not known["qwen3-forced-aligner-0.6b"].suits("en", "transcribe")


def test_languages_of_the_catalogue_are_those_of_the_processors():
    from transformers.models.qwen3_asr import processing_qwen3_asr as qwen

    known = {entry.name: entry for entry in catalog.entries()}
    names = qwen.LANGUAGE_CODE_TO_NAME
    assert known["qwen3-asr-0.6b"].codes == {language_code(code) for code in names}
    aligned = {language_code(name) for name in qwen.FORCED_ALIGNER_LANGUAGES}
    assert known["qwen3-forced-aligner-0.6b"].codes == aligned
    assert len(known["qwen3-asr-1.7b"].codes) == 30
    assert len(aligned) == 11


def test_equal_specs_have_equal_keys_and_others_do_not():
    specs = [
        catalog.resolve(name, dtype, "cpu")
        for name in ("whisper-tiny", "whisper-base")
        for dtype in ("float32", "bf16")
    ]
    specs.append(catalog.resolve("sphinx"))
    assert len({spec.key for spec in specs}) == 5
    for spec in specs:
        assert pickle.loads(pickle.dumps(spec)).key == spec.key


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("German", "de"),
        ("de", "de"),
        ("DE-at", "de"),
        ("pt_BR", "pt"),
        ("Mandarin", "zh"),
        ("zh-Hant", "zh"),
        ("Haitian Creole", "ht"),
        (" yue ", "yue"),
        ("auto", None),
        ("", None),
        (None, None),
    ],
)
def test_a_language_may_be_written_in_many_ways(written, code):
    assert language_code(written) == code


def test_all_languages_of_whisper_are_known_by_name_and_code():
    from transformers.models.whisper.tokenization_whisper import LANGUAGES

    assert {code: name.lower() for code, name in LANGUAGES.items()} == NAMES
    assert all(language_code(name) == code for code, name in NAMES.items())


def test_a_language_that_does_not_exist_is_refused_with_a_hint():
    with pytest.raises(OptionError, match="Did you mean 'spanish'"):
        language_code("Spanisch")
