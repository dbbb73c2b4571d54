"""Names become specs: the catalogue, local folders, hub ids, and names that are none."""

from __future__ import annotations

import json
import pickle

import pytest

from nbasr.engines.languages import NAMES, language_code
from nbasr.errors import ModelError, OptionError
from nbasr.models import catalog


def test_every_entry_resolves_to_a_spec_of_its_name():
    names = [entry.name for entry in catalog.entries()]
    assert names[0] == "sphinx"
    assert len(set(names)) == len(names) == 12
    for entry in catalog.entries():
        spec = catalog.resolve(entry.name, device="cpu")
        assert (spec.name, spec.source, spec.engine) == (entry.name, entry.source, entry.engine)
        assert spec.dtype == "float32"
        assert 0 < spec.max_seconds <= 30
        assert entry.about
        assert entry.licence


def test_sizes_follow_from_parameters_and_precision():
    sizes = {entry.name: entry.download_bytes for entry in catalog.entries()}
    assert sizes["sphinx"] == 0
    assert sizes["whisper-tiny"] == pytest.approx(151e6, rel=0.01)
    assert sizes["whisper-large-v3"] == pytest.approx(3.09e9, rel=0.01)  # half precision
    spec = catalog.resolve("whisper-large-v3", device="cpu")
    assert catalog.weights_bytes(spec) == 4 * 1_543_490_560
    spec = catalog.resolve("whisper-large-v3", "bf16", "cpu")
    assert catalog.weights_bytes(spec) == 2 * 1_543_490_560
    assert catalog.weights_bytes(catalog.resolve("sphinx")) is None


def test_a_hub_id_of_the_catalogue_is_the_same_model():
    assert catalog.resolve("openai/whisper-Tiny", device="cpu") == catalog.resolve(
        "Whisper-tiny", device="cpu"
    )


def test_any_other_hub_id_is_taken_for_a_whisper_until_it_is_here():
    spec = catalog.resolve("someone/their-whisper", device="cpu")
    assert (spec.engine, spec.source, spec.name) == (
        "whisper",
        "someone/their-whisper",
        "their-whisper",
    )
    assert catalog.weights_bytes(spec) is None


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


def test_the_embedded_engine_stays_on_the_cpu():
    assert catalog.resolve("sphinx", "float32", "cpu") == catalog.resolve("SPHINX ")
    with pytest.raises(ModelError, match="sphinx computes only in float32 and on the CPU"):
        catalog.resolve("sphinx", "fp16", "cpu")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("whisper-lage-v3", "Did you mean 'whisper-large-v3'"),
        ("turbo", "Did you mean 'whisper-large-v3-turbo'"),
        ("paraformer", "Known: sphinx, whisper-tiny"),
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


def test_a_folder_of_another_family_is_refused_by_name(assets):
    with pytest.raises(ModelError, match="family 'qwen3_asr', which nbasr does not run"):
        catalog.resolve(str(assets / "qwen3-asr-tiny-meeting"))


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
