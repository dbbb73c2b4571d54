"""Number formats and fewer bits: the words stay right, what is kept is kept, and errors say why."""

from __future__ import annotations

import json
import logging
import shutil
import sys
import warnings
import weakref
from pathlib import Path

import pytest
import torch

import nbasr
from nbasr.engines import EngineSpec, Request, _load, _quiet, open_engine, quantization, saving
from nbasr.engines.quantization import Quantization, packs
from nbasr.engines.sphinx import SphinxEngine
from nbasr.errors import ModelError, ModelWarning, OptionError, OutOfMemoryError
from nbasr.memory.modules import bytes_of
from nbasr.models import manager

pytest.importorskip("bitsandbytes")

PRECISIONS = {
    "float32": ("float32", None),
    "bf16": ("bf16", None),
    "fp16": ("fp16", None),
    "int8": ("float32", Quantization("int8")),
    "int8 all": ("float32", Quantization("int8", audio_tower=True)),
    "int8 bf16": ("bf16", Quantization("int8")),
    "nf4": ("bf16", Quantization("nf4")),
    "nf4 all": ("float32", Quantization("nf4", audio_tower=True)),
}


@pytest.fixture(scope="module")
def folder(assets):
    return assets / "whisper-tiny-meeting"


@pytest.fixture(scope="module")
def chunks():
    """The bundled meeting, cut at its pauses into at most 6 s."""
    meeting = nbasr.samples.open("meeting")
    plan = nbasr.chunking.Optimal(max_seconds=6).plan(meeting)
    return [meeting.read(chunk.start, chunk.stop) for chunk in plan.chunks]


def opened(folder, wish=None, dtype="float32", **rest):
    spec = EngineSpec("whisper", str(folder), "tiny", dtype=dtype, quantization=wish, **rest)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "tiny in int8 needs less memory", ModelWarning)
        return open_engine(spec)


def texts(engine, chunks, count=2):
    batch = [Request(samples, language="en") for samples in chunks[:count]]
    return [found.text for found in engine.recognize(batch)]


@pytest.fixture(scope="module")
def weigh(folder):
    """Return the bytes by part of the small Whisper in a precision."""

    def bytes_in(name):
        dtype, wish = PRECISIONS[name]
        engine = opened(folder, wish, dtype)
        parts = bytes_of(engine.module)
        engine.close()
        return parts

    return bytes_in


@pytest.mark.parametrize("bits", ["none", "int8", "nf4"])
def test_the_meeting_is_understood(folder, bits):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* in int8 needs less memory", ModelWarning)
        heard = nbasr.transcribe(
            nbasr.samples.open("meeting"),
            model=str(folder),
            quantization=bits,
            device="cpu",
            max_seconds=6,
        )
    kinds = {type(part).__name__ for part in manager.resident()[0].module.modules()}
    nbasr.models.unload_all()
    assert {"int8": "Linear8bitLt", "nf4": "Linear4bit"}.get(bits, "Linear") in kinds
    assert nbasr.score(nbasr.samples.reference("meeting").text, heard.text).wer <= 0.06


@pytest.fixture(scope="module")
def plainly(folder, chunks):
    """What the small Whisper hears at the start of the meeting, in float32."""
    return " ".join(texts(opened(folder), chunks, 4))


@pytest.mark.parametrize("name", ["bf16", "fp16", "int8 all", "int8 bf16", "nf4 all"])
def test_the_other_precisions_hear_nearly_the_same(folder, chunks, plainly, name):
    dtype, wish = PRECISIONS[name]
    heard = " ".join(texts(opened(folder, wish, dtype), chunks, 4))
    assert nbasr.score(plainly, heard).wer <= 0.06


def test_fewer_bits_take_fewer_bytes_and_only_where_they_should(weigh):
    whole, half = weigh("float32"), weigh("bf16")
    assert half == {part: size // 2 for part, size in whole.items()}
    int8, nf4, everything = weigh("int8"), weigh("nf4"), weigh("nf4 all")
    assert int8["audio tower"] == whole["audio tower"]
    assert nf4["audio tower"] == half["audio tower"]
    assert int8["embeddings"] == everything["embeddings"] == whole["embeddings"]
    # The decoder: 512 Ki weights in linear layers, the rest position tables, norms and biases.
    linear = 2 * (8 * 128 * 128 + 2 * 128 * 512)
    rows = 2 * (9 * 128 + 512)
    assert whole["decoder"] - int8["decoder"] == 3 * linear - 4 * rows
    assert nf4["decoder"] < half["decoder"] - 1.4 * linear
    assert everything["audio tower"] < 0.4 * whole["audio tower"]


HEARING = ("model.audio_tower.", "model.multi_modal_projector.", "model.encoder.")


@pytest.mark.parametrize("asset", ["whisper-tiny-meeting", "qwen3-asr-tiny-meeting"])
@pytest.mark.parametrize("tower", [False, True])
def test_head_and_audio_tower_are_left_as_they_are_in_every_family(assets, asset, tower):
    family = json.loads((assets / asset / "config.json").read_text())["model_type"]
    wish = Quantization("nf4", audio_tower=tower)
    spec = EngineSpec("any", str(assets / asset), "tiny", quantization=wish)
    found = _load.load_pretrained(spec, "AutoModelForSpeechSeq2Seq", family=(family,))
    kinds = {name: type(part).__name__ for name, part in found.model.named_modules()}
    linear = {name: kind for name, kind in kinds.items() if kind in ("Linear", "Linear4bit")}
    heads = {name for name in linear if "." not in name}
    hears = {name for name in linear if name.startswith(HEARING)}
    assert len(heads) == 1
    assert {linear[name] for name in heads} == {"Linear"}
    assert {linear[name] for name in hears} == {"Linear4bit" if tower else "Linear"}
    assert {kind for name, kind in linear.items() if name not in heads | hears} == {"Linear4bit"}


def test_modules_can_be_skipped_by_name_or_its_end(folder):
    wish = Quantization("nf4", skip=("fc1", "model.decoder.layers.1"))
    engine = opened(folder, wish)
    layers = engine.module.model.decoder.layers
    assert [type(layer.fc1).__name__ for layer in layers] == ["Linear", "Linear"]
    assert [type(layer.fc2).__name__ for layer in layers] == ["Linear4bit", "Linear"]


def test_a_skip_that_is_no_module_is_refused(folder):
    with pytest.raises(OptionError, match=r"no module 'fc3', but for instance 'model\.encoder"):
        opened(folder, Quantization("int8", skip=("fc3",)))


def test_options_reach_the_layers(folder):
    int8 = opened(folder, Quantization("int8", threshold=4.5)).module
    assert int8.model.decoder.layers[0].fc1.state.threshold == 4.5
    wish = Quantization("fp4", double=False, compute_dtype="bf16")
    four = opened(folder, wish).module.model.decoder.layers[0].fc1
    assert four.compute_dtype == torch.bfloat16
    assert four.weight.quant_type == "fp4"
    assert four.weight.quant_state.nested is False


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"method": "int4"}, "int8, nf4, fp4, not 'int4'"),
        ({"method": "nf4", "compute_dtype": "float16"}, "auto, float32, bf16, fp16, not 'float16'"),
        ({"method": "int8", "threshold": -1}, "0 or more, not -1"),
        ({"method": "int8", "threshold": float("nan")}, "0 or more, not nan"),
    ],
)
def test_what_a_quantization_cannot_be_is_refused(fields, sentence):
    with pytest.raises(OptionError, match=sentence):
        Quantization(**fields)


def test_a_quantization_stays_a_value_when_its_skip_is_a_list():
    assert hash(Quantization("int8", skip=["fc1"])) == hash(Quantization("int8", skip=("fc1",)))
    assert Quantization("int8", skip="fc1").skip == ("fc1",)


@pytest.mark.parametrize(
    ("packed", "multiplies", "said"),
    [
        (True, True, ['quantization="nf4" is smaller still, and faster']),
        (False, False, ["slower than in float32"]),  # and nf4 is slow as well
        (False, True, []),
    ],
)
def test_int8_on_a_cpu_says_what_is_better_there(folder, monkeypatch, packed, multiplies, said):
    monkeypatch.setattr(_load, "packs", lambda: packed)
    monkeypatch.setattr(_load, "multiplies_int8", lambda: multiplies)
    spec = EngineSpec("whisper", str(folder), "tiny", quantization=Quantization("int8"))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", ModelWarning)
        open_engine(spec)
    assert len(told) == len(said)
    for warning, words in zip(told, said, strict=True):
        assert words in str(warning.message)


def test_offloading_without_a_gpu_says_that_it_does_nothing(folder):
    with pytest.warns(ModelWarning, match="offload does nothing for tiny on cpu: there is no"):
        opened(folder, offload=True)


def test_weights_saved_in_fewer_bits_are_not_shared_with_main_memory(folder, tmp_path):
    place = saving.save(opened(folder, Quantization("nf4")), tmp_path / "saved")
    spec = EngineSpec("whisper", str(place), "tiny", device="cuda", offload=True)
    assert _load._shares(spec, folder)
    assert not _load._shares(spec, place)
    with pytest.warns(ModelWarning, match="offload does nothing for tiny on cuda: weights that"):
        _load._tell(spec, place, None)


def test_offloading_keeps_to_one_gpu_and_its_budget_and_leaves_room_to_work(monkeypatch):
    pytest.importorskip("accelerate")
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    monkeypatch.setattr(_load, "room_bytes", lambda device: {"cuda": 4_000_000_000}[device])
    options = _load._sharing()
    assert options["device_map"] == "auto"
    assert options["max_memory"].keys() == {1, "cpu"}
    assert 2_000_000_000 < options["max_memory"][1] < 3_600_000_000


def test_bitsandbytes_is_not_heard(folder, chunks, capfd, caplog):
    engine = opened(folder, Quantization("int8"), "bf16")
    texts(engine, chunks, 1)
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []
    logger = logging.getLogger("bitsandbytes.autograd._functions")
    logger.warning("Something else")
    assert [record.message for record in caplog.records] == ["Something else"]


def test_a_missing_bitsandbytes_is_named_with_its_command(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(ModelError, match="needs bitsandbytes and accelerate: pip install -U"):
        opened(folder, Quantization("nf4"))


@pytest.fixture(scope="module")
def odd(folder, tmp_path_factory):
    """A small Whisper whose fully connected layers are 80 wide."""
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    config = WhisperConfig.from_pretrained(folder)
    config.decoder_ffn_dim = 80
    place = tmp_path_factory.mktemp("odd") / "model"
    with _quiet.quiet():
        WhisperForConditionalGeneration(config).save_pretrained(place)
    for name in ("processor_config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(folder / name, place)
    return place


def test_widths_that_4_bits_cannot_have_on_this_cpu_are_refused_before_loading(odd, monkeypatch):
    monkeypatch.setattr(quantization, "packs", lambda: True)
    wanted = r"layers\.0\.fc1 has 128 inputs and 80 outputs.*take quantization=\"int8\""
    with pytest.raises(ModelError, match=wanted):
        opened(odd, Quantization("nf4"))
    skipped = opened(odd, Quantization("nf4", skip=("fc1", "fc2")))
    assert type(skipped.module.model.decoder.layers[0].fc1).__name__ == "Linear"


def test_widths_are_no_matter_to_int8(odd, chunks):
    engine = opened(odd, Quantization("int8"))
    assert type(engine.module.model.decoder.layers[0].fc1).__name__ == "Linear8bitLt"
    assert len(texts(engine, chunks, 1)) == 1


@pytest.mark.skipif(packs(), reason="this CPU packs 4-bit weights")
def test_widths_are_no_matter_to_4_bits_where_they_are_not_packed(odd, chunks):
    assert len(texts(opened(odd, Quantization("nf4")), chunks, 1)) == 1


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_named(folder, device):
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if there[device]:
        pytest.skip(f"this machine has {device}")
    with pytest.raises(ModelError, match=f'torch sees no {device} device.*try device="cpu"'):
        opened(folder, device=device)


def test_a_format_that_is_none_is_refused(folder):
    with pytest.raises(ModelError, match="runs in float32, bf16, fp16, not in int4"):
        opened(folder, dtype="int4")


@pytest.mark.parametrize(
    ("raised", "error", "sentence"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), OutOfMemoryError, "in nf4 does not fit"),
        (RuntimeError("[enforce fail] can't allocate memory"), OutOfMemoryError, "does not fit"),
        (RuntimeError("CUDA error: no kernel image"), ModelError, "no kernel image.*%asr doctor"),
        (ImportError("No module named 'x'"), ModelError, "No module named 'x'.*%asr doctor"),
        (ValueError("half a file"), ModelError, r"cannot be loaded \(half a file\); fetch it"),
        (ModelError("Said already."), ModelError, "Said already"),
        (KeyboardInterrupt("stopped"), KeyboardInterrupt, "stopped"),
    ],
)
def test_a_load_that_fails_leaves_nothing_in_memory(folder, raised, error, sentence, monkeypatch):
    from transformers import WhisperForConditionalGeneration

    loaded = weakref.WeakSet()
    make = WhisperForConditionalGeneration.__init__

    def watched(model, *rest, **named):
        make(model, *rest, **named)
        loaded.add(model)

    monkeypatch.setattr(WhisperForConditionalGeneration, "__init__", watched)

    def processor(_):  # made last: the model is there by then
        assert len(loaded) > 0
        raise raised

    spec = EngineSpec("whisper", str(folder), "tiny", quantization=Quantization("nf4"))
    with pytest.raises(error, match=sentence) as caught:
        _load.load_pretrained(
            spec, "AutoModelForSpeechSeq2Seq", family=("whisper",), processor=processor
        )
    # The error and its traceback are still held, as a notebook holds its last one.
    assert caught.traceback
    assert len(loaded) == 0


def test_out_of_memory_names_the_model_and_its_precision(folder):
    def processor(_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    spec = EngineSpec("whisper", str(folder), "tiny", dtype="bf16")
    with pytest.raises(OutOfMemoryError, match="tiny in bf16 does not fit into the memory of cpu"):
        _load.load_pretrained(
            spec, "AutoModelForSpeechSeq2Seq", family=("whisper",), processor=processor
        )


@pytest.mark.parametrize(
    "wish",
    [
        None,
        Quantization("int8", threshold=5.0),
        Quantization("nf4"),
        Quantization("fp4", audio_tower=True, compute_dtype="bf16"),
    ],
    ids=["float32", "int8", "nf4", "fp4"],
)
def test_a_saved_model_says_the_same_when_it_is_loaded_again(folder, chunks, tmp_path, wish):
    engine = opened(folder, wish)
    first = texts(engine, chunks)
    place = saving.save(engine, tmp_path / "new" / "saved")
    assert texts(engine, chunks) == first  # saving did not harm what was saved
    stored = Quantization.stored(place)
    again = opened(place, stored)
    assert texts(again, chunks) == first
    assert bytes_of(again.module) == bytes_of(engine.module)
    if wish is None:
        assert stored is None
    else:
        same = ("method", "audio_tower", "threshold", "double")
        assert [getattr(stored, name) for name in same] == [getattr(wish, name) for name in same]
        assert stored.compute_dtype == {"nf4": "float32", "fp4": "bf16"}.get(wish.method, "auto")
        weights = [path / "model.safetensors" for path in (place, folder)]
        assert weights[0].stat().st_size < weights[1].stat().st_size
    assert [path.name for path in place.parent.iterdir()] == ["saved"]  # nothing is left beside it


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("wish", [Quantization("int8"), Quantization("nf4")])
def test_a_quantised_model_keeps_no_file_in_memory(folder, tmp_path, wish):
    def mapped(place):
        return str(place / "model.safetensors") in Path("/proc/self/maps").read_text()

    plain = opened(folder)
    assert mapped(folder)  # a plain model may stay in its file, from which it is read when needed
    plain.close()
    assert not mapped(folder)
    engine = opened(folder, wish)
    assert not mapped(folder)
    place = saving.save(engine, tmp_path / "saved")
    again = opened(place)
    assert again.module is not None
    assert not mapped(place)


def test_what_was_saved_in_fewer_bits_is_loaded_so_and_not_otherwise(folder, tmp_path):
    place = saving.save(opened(folder, Quantization("int8")), tmp_path / "saved")
    engine = opened(place)
    assert type(engine.module.model.decoder.layers[0].fc1).__name__ == "Linear8bitLt"
    with pytest.raises(OptionError, match="saved in int8 and cannot be had in nf4; leave"):
        opened(place, Quantization("nf4"))


def test_a_saved_model_may_name_modules_that_it_does_not_have(folder, chunks, tmp_path):
    """As the lists do that other tools write into every model they quantise."""
    engine = opened(folder, Quantization("nf4"))
    place = saving.save(engine, tmp_path / "saved")
    config = json.loads((place / "config.json").read_text())
    config["quantization_config"]["llm_int8_skip_modules"] += ["merger", "lm_head"]
    (place / "config.json").write_text(json.dumps(config))
    assert texts(opened(place), chunks, 1) == texts(engine, chunks, 1)


def test_weights_of_other_quantisers_are_refused(folder, tmp_path):
    place = shutil.copytree(folder, tmp_path / "copied")
    config = json.loads((place / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "gptq", "bits": 4}
    (place / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="quantised by 'gptq'; nbasr takes those of bitsandbytes"):
        opened(place)


def test_4_bits_without_double_quantisation_are_saved_before_their_first_use(
    folder, chunks, tmp_path
):
    wish = Quantization("nf4", double=False)
    engine = opened(folder, wish)
    place = saving.save(engine, tmp_path / "saved")
    assert texts(opened(place), chunks) == texts(engine, chunks)


@pytest.mark.skipif(not packs(), reason="only CPUs with AVX512-BF16 pack 4-bit weights")
def test_4_bits_that_saving_would_damage_are_refused(folder, chunks, tmp_path):
    engine = opened(folder, Quantization("nf4", double=False))
    first = texts(engine, chunks)
    with pytest.raises(ModelError, match="would be damaged by saving them now; load it again"):
        saving.save(engine, tmp_path / "saved")
    assert list(tmp_path.iterdir()) == []
    assert texts(engine, chunks) == first
    # What is refused is real: written regardless, the scales come back transposed.
    fc1 = engine.module.model.decoder.layers[0].fc1
    before = fc1(torch.ones(1, 128))
    fc1.state_dict()
    assert not torch.allclose(fc1(torch.ones(1, 128)), before, rtol=0.1)


@pytest.fixture(scope="module")
def engine(folder):
    engine = opened(folder)
    yield engine
    engine.close()


def test_a_folder_with_a_model_is_replaced_only_when_asked(engine, chunks, tmp_path):
    place = saving.save(engine, tmp_path / "saved")
    (place / "old.txt").write_text("old")
    with pytest.raises(OptionError, match="holds a model; give another folder, or overwrite=True"):
        saving.save(engine, place)
    saving.save(engine, place, overwrite=True)
    assert not (place / "old.txt").exists()
    assert texts(opened(place), chunks) == texts(engine, chunks)
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]


def test_an_empty_folder_is_filled(engine, tmp_path):
    assert (saving.save(engine, tmp_path) / "model.safetensors").is_file()


@pytest.mark.parametrize("overwrite", [False, True])
def test_places_that_hold_something_else_are_refused(engine, folder, tmp_path, overwrite):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("mine")
    for place, sentence in (
        (tmp_path / "notes", "holds other things than a model"),
        (tmp_path / "notes" / "mine.txt", "is a file; give a folder"),
        (folder, "is where the model was loaded from"),
    ):
        with pytest.raises(OptionError, match=sentence):
            saving.save(engine, place, overwrite=overwrite)
    assert (tmp_path / "notes" / "mine.txt").read_text() == "mine"
    assert (folder / "model.safetensors").is_file()


def test_a_place_that_cannot_be_written_is_named(engine, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match=r"saved cannot be written .*; choose another place"):
        saving.save(engine, tmp_path / "file" / "saved")


def test_a_disk_that_fills_up_leaves_the_old_model(folder, tmp_path, monkeypatch):
    engine = opened(folder)
    place = saving.save(engine, tmp_path / "saved")
    size = (place / "model.safetensors").stat().st_size

    def full(where):
        (where / "model.safetensors").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(engine.module, "save_pretrained", full)
    with pytest.raises(ModelError, match="No space left on device"):
        saving.save(engine, place, overwrite=True)
    assert (place / "model.safetensors").stat().st_size == size
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]


def test_engines_without_weights_have_nothing_to_save(folder, tmp_path):
    engine = opened(folder)
    engine.close()
    with pytest.raises(ModelError, match="tiny has no weights to save: it was unloaded"):
        saving.save(engine, tmp_path / "saved")
    sphinx = SphinxEngine(EngineSpec("sphinx", "", "sphinx"))
    with pytest.raises(ModelError, match="sphinx has no weights to save"):
        saving.save(sphinx, tmp_path / "saved")
