"""What weights take: counted before loading, the same as what loaded models hold."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import shutil
from pathlib import Path

import pytest
import tiny_aligner
import tiny_audio_llm
from hypothesis import given
from hypothesis import strategies as st

from nbasr.engines import EngineSpec, open_engine
from nbasr.engines.quantization import METHODS, Quantization
from nbasr.errors import ModelError
from nbasr.memory.modules import bytes_of
from nbasr.models import _meta, catalog
from nbasr.models import weights as weighing

ROOT = Path(__file__).parent.parent
GIB = 2**30
WHOLE = {method: Quantization(method, audio_tower=True, double=False) for method in METHODS}
DOUBLE = Quantization("nf4", audio_tower=True)

# GiB in bf16, int8, nf4, and nf4 with double quantisation, everything linear quantised: for the
# 1.7B measured after loading, the others counted by hand from the shapes of the published configs.
MEASURED = {
    "qwen3-asr-1.7b": (3.796, 2.195, 1.490, 1.416),
    "qwen3-asr-0.6b": (1.457, 0.880, 0.624, 0.597),
    "fun-asr-nano": (1.546, 0.921, 0.644, 0.615),
    "whisper-large-v3": (2.875, 1.511, 0.910, 0.846),
    "whisper-large-v3-turbo": (1.507, 0.825, 0.524, 0.492),
}

# Bytes of the files of weights on the hub, where they are known to the byte.
FILES = {
    "qwen3-asr-1.7b": 4_076_193_080,
    "qwen3-asr-0.6b": 1_564_928_088,
    "qwen3-forced-aligner-0.6b": 1_835_545_960,
    "paraformer-zh": 880_502_012,
    "sensevoice-small": 936_291_369,
}


def spec(source: str, dtype: str = "bf16", quantization: Quantization | None = None) -> EngineSpec:
    return EngineSpec("audio_llm", source, "m", dtype, quantization=quantization)


@pytest.mark.parametrize("name", MEASURED)
def test_weights_are_within_one_percent_of_those_measured(name):
    source = catalog.entry(name).source
    found = [
        weighing.weights_bytes(spec(source, quantization=how)) / GIB
        for how in (None, WHOLE["int8"], WHOLE["nf4"], DOUBLE)
    ]
    assert found == pytest.approx(MEASURED[name], rel=0.01)


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_weights_is_its_numbers_and_a_header(name):
    entry = catalog.entry(name)
    header = FILES[name] - entry.parameters * catalog.BYTES[entry.published]
    assert 0 < header < 400_000
    assert entry.download_bytes - entry.companion_bytes + header == FILES[name]


def test_every_entry_has_its_inventory():
    for entry in catalog.entries():
        known = weighing.inventory(entry)
        if entry.engine == "sphinx":
            assert known is None
            continue
        assert known.parameters == entry.parameters, entry.name
        in_layers = sum(layer.parameters for part in known.parts for layer in part.linear)
        assert 0.4 * entry.parameters < in_layers < entry.parameters
        assert {"audio tower"} <= {part.name for part in known.parts}


def _tool():
    found = importlib.util.spec_from_file_location("it", ROOT / "tools" / "make_inventory.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "source",
    [
        "openai/whisper-large-v3-turbo",
        "openai/whisper-base.en",
        "Qwen/Qwen3-ASR-0.6B-hf",
        "Qwen/Qwen3-ForcedAligner-0.6B-hf",
        "FunAudioLLM/Fun-ASR-Nano-2512-hf",
    ],
)
def test_the_stored_inventory_is_what_transformers_builds(source):
    stored = json.loads((ROOT / "nbasr" / "models" / "inventory.json").read_text("utf-8"))
    assert json.loads(json.dumps(_meta.record(_tool().configurations()[source]))) == stored[source]


@pytest.mark.parametrize("source", ["funasr/paraformer-zh", "FunAudioLLM/SenseVoiceSmall"])
def test_the_stored_inventory_is_what_funasr_builds(source):
    pytest.importorskip("funasr", exc_type=ImportError)
    stored = json.loads((ROOT / "nbasr" / "models" / "inventory.json").read_text("utf-8"))
    tool = _tool()
    assert json.loads(json.dumps(tool.funasr(tool.FUNASR[source]))) == stored[source]


@pytest.mark.parametrize("name", ["whisper-tiny-meeting", "qwen3-asr-tiny-meeting"])
@pytest.mark.parametrize(
    ("dtype", "how"),
    [
        ("float32", None),
        ("bf16", None),
        ("bf16", Quantization("int8")),
        ("bf16", Quantization("nf4")),
        ("float32", Quantization("fp4", audio_tower=True, double=False)),
    ],
)
@pytest.mark.filterwarnings("ignore::nbasr.errors.ModelWarning")  # int8 is slow on a CPU
def test_what_is_counted_is_what_a_loaded_model_holds_part_by_part(assets, name, dtype, how):
    one = catalog.resolve(str(assets / name), dtype, "cpu", how)
    engine = open_engine(one)
    try:
        assert weighing.weights(one) == bytes_of(engine.module)
    finally:
        engine.close()


@pytest.mark.filterwarnings("ignore::nbasr.errors.ModelWarning")
def test_layers_that_are_skipped_by_name_stay_as_they_are(assets):
    how = Quantization("int8", skip=("mlp", "multi_modal_projector"))
    one = catalog.resolve(str(assets / "qwen3-asr-tiny-meeting"), "bf16", "cpu", how)
    engine = open_engine(one)
    try:
        assert weighing.weights(one) == bytes_of(engine.module)
    finally:
        engine.close()
    assert sum(weighing.weights(one).values()) > weighing.weights_bytes(
        dataclasses.replace(one, quantization=Quantization("int8"))
    )


@pytest.mark.parametrize("build", [tiny_audio_llm.fun_asr_nano, tiny_audio_llm.glm_asr])
def test_the_other_families_are_counted_exactly_too(build, tmp_path):
    one = catalog.resolve(str(build(tmp_path / "model")), "float32", "cpu")
    engine = open_engine(one)
    try:
        assert weighing.weights(one) == bytes_of(engine.module)
    finally:
        engine.close()
    assert weighing.family(one) in ("fun_asr_nano", "glmasr")


def test_an_aligner_has_a_head_of_its_own(tmp_path):
    one = catalog.resolve(str(tiny_aligner.build(tmp_path / "model")), "float32", "cpu")
    found = weighing.weights(one)
    assert found["head"] > 0
    from nbasr.engines.aligner import Aligner

    aligner = Aligner(one)
    try:
        assert found == bytes_of(aligner.module)
    finally:
        aligner.close()


def test_the_head_and_the_audio_tower_are_kept_and_the_rest_is_quantised():
    source = catalog.entry("qwen3-asr-1.7b").source
    plain = weighing.weights(spec(source))
    small = weighing.weights(spec(source, quantization=Quantization("nf4")))
    assert small["audio tower"] == plain["audio tower"]
    assert small["embeddings"] == plain["embeddings"]
    assert small["decoder"] < 0.3 * plain["decoder"]
    with_tower = weighing.weights(spec(source, quantization=DOUBLE))
    assert with_tower["audio tower"] < 0.4 * plain["audio tower"]


def test_a_model_that_is_not_here_and_not_in_the_catalogue_is_not_known():
    unknown = spec("someone/their-model")
    assert weighing.inventory(unknown) is None
    assert weighing.weights(unknown) == {}
    assert weighing.weights_bytes(unknown) is None
    assert weighing.facts(unknown) == {}
    assert weighing.family(unknown) == ""
    assert weighing.weights_bytes(catalog.resolve("sphinx")) is None


def test_a_folder_is_counted_anew_when_its_configuration_was_changed(assets, tmp_path):
    shutil.copy(assets / "whisper-tiny-meeting" / "config.json", tmp_path)
    path = tmp_path / "config.json"
    before = weighing.weights_bytes(spec(str(tmp_path)))
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, "decoder_layers": 2 * config["decoder_layers"]}))
    assert weighing.weights_bytes(spec(str(tmp_path))) > before


def test_a_configuration_that_makes_no_model_is_told(assets, tmp_path):
    config = json.loads((assets / "whisper-tiny-meeting" / "config.json").read_text())
    broken = {**config, "decoder_attention_heads": 7}
    (tmp_path / "config.json").write_text(json.dumps(broken))
    with pytest.raises(ModelError, match="describes no model that this transformers can build"):
        weighing.weights_bytes(spec(str(tmp_path)))


def test_facts_tell_the_architecture():
    known = weighing.facts(spec(catalog.entry("qwen3-asr-1.7b").source))
    cache = 2 * known["kv_layers"] * known["kv_heads"] * known["head_dim"] * 2
    assert cache == 114_688  # bytes for a token in bf16, by 28 layers, 8 heads of 128
    assert known["tokens_per_second"] == 13
    assert known["downsample_hidden"] == 480
    large = weighing.facts(spec("openai/whisper-large-v3"))
    assert (large["cross_layers"], large["cross_tokens"], large["window_seconds"]) == (32, 1500, 30)
    turbo = weighing.facts(spec("openai/whisper-large-v3-turbo"))
    assert (turbo["kv_layers"], turbo["encoder_layers"]) == (4, 32)
    names = {frozenset(weighing.facts(spec(e.source))) for e in catalog.entries() if e.source}
    assert len(names) == 1  # every family has every number


def test_a_funasr_folder_is_weighed_by_its_file_with_its_punctuation(tmp_path):
    folder = tmp_path / "paraformer"
    for place, model, size in (
        (folder, "Paraformer", 4000),
        (folder / "ct-punc", "CTTransformer", 800),
    ):
        place.mkdir()
        encoder = "{output_size: 64, attention_heads: 2, linear_units: 128, num_blocks: 3}"
        (place / "config.yaml").write_text(f"model: {model}\nencoder_conf: {encoder}\n")
        (place / "model.pt").write_bytes(b"\0" * size)
        (place / "tokens.json").write_text("[]")
        (place / "am.mvn").write_text("mean")
    one = dataclasses.replace(spec(str(folder), "float32"), engine="funasr")
    assert weighing.weights(one) == {"model": 4000, "punctuation": 800}
    half = dataclasses.replace(one, dtype="fp16")
    assert weighing.weights(half) == {"model": 2000, "punctuation": 800}
    assert weighing.family(one) == "Paraformer"
    assert weighing.facts(one)["encoder_layers"] == 3
    away = catalog.resolve("paraformer-zh", device="cpu")
    assert weighing.weights(away)["punctuation"] == catalog.entry("paraformer-zh").companion_bytes


layers = st.builds(
    weighing.Linear,
    name=st.sampled_from(["model.a.{}.q", "model.a.{}.mlp.up", "model.b.{}.out"]),
    outputs=st.integers(64, 4096),
    inputs=st.integers(64, 4096),
    start=st.integers(0, 3),
    stop=st.integers(4, 30),
)


@given(st.lists(layers, min_size=1, max_size=4), st.sampled_from(["float32", "bf16", "fp16"]))
def test_fewer_bits_take_less_and_skipping_all_changes_nothing(some, dtype):
    whole = sum(layer.parameters for layer in some)
    part = weighing.Part("decoder", whole + 1000, tuple(some))

    def size(how: Quantization | None) -> int:
        return weighing._bytes_of(part, spec("x", dtype, how))

    double = Quantization("nf4", audio_tower=True)
    assert size(double) < size(WHOLE["nf4"]) + 1088 * 100 < size(None) + 1088 * 100
    assert size(WHOLE["nf4"]) == size(WHOLE["fp4"]) < size(WHOLE["int8"]) < size(None)
    assert size(Quantization("int8", skip=("a", "b"))) == size(None)
    assert size(Quantization("nf4", skip=("model",))) == size(None)
    head = dataclasses.replace(part, name="head")
    assert weighing._bytes_of(head, spec("x", dtype, double)) == size(None)
