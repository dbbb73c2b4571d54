"""Resident models: loaded once, chosen, shown, and let go."""

from __future__ import annotations

import dataclasses
import gc
import shutil
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest
import tiny_aligner
from IPython.core.interactiveshell import InteractiveShell

import nbasr
from nbasr import settings
from nbasr.engines import Request
from nbasr.engines.quantization import Quantization
from nbasr.errors import ModelError, ModelWarning, OptionError
from nbasr.models import ModelManager, _residents, catalog, choosing, manager
from nbasr.options import Options

SILENCE = Request(np.zeros(1600, np.float32))


@pytest.fixture
def models():
    models = ModelManager()
    yield models
    models.unload_all()


@pytest.fixture
def tiny(assets) -> str:
    return str(assets / "whisper-tiny-meeting")


@pytest.fixture
def cached(assets):
    """Put the small checkpoint into the hub cache under any hub id; take all out again."""
    from huggingface_hub import constants

    cache = Path(constants.HF_HUB_CACHE)
    made = []

    def put(hub_id: str) -> Path:
        home = cache / f"models--{hub_id.replace('/', '--')}"
        made.append(home)
        folder = home / "snapshots" / ("a" * 40)
        shutil.copytree(assets / "whisper-tiny-meeting", folder)
        (home / "refs").mkdir()
        (home / "refs" / "main").write_text("a" * 40)
        return folder

    yield put
    for home in made:
        shutil.rmtree(home)


def options(**given) -> Options:
    return dataclasses.replace(Options(device="cpu"), **given)


def test_a_model_is_loaded_once(models, tiny):
    first, again = models.load(tiny), models.load(tiny)
    assert first.engine is again.engine
    assert models.load("whisper-tiny-meeting").engine is first.engine  # by the name it shows
    assert [model.name for model in models.resident()] == ["whisper-tiny-meeting"]


def test_another_precision_is_another_model(models, tiny):
    one, other = models.load(tiny, device="cpu"), models.load(tiny, dtype="bf16", device="cpu")
    assert one.engine is not other.engine
    assert len(models.resident()) == 2
    assert models.engine_for(options(model=tiny)) is other.engine  # the one used last
    assert models.engine_for(options(model=tiny, dtype="float32")) is one.engine
    assert set(models.unload("whisper-tiny-meeting").names) == {
        "whisper-tiny-meeting (float32)",
        "whisper-tiny-meeting (bf16)",
    }


def test_two_threads_that_want_the_same_model_share_one_load(models, tiny):
    ready = threading.Barrier(4)
    found = []

    def want():
        ready.wait()
        found.append(models.load(tiny).engine)

    threads = [threading.Thread(target=want) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(map(id, found))) == 1


def test_a_load_that_fails_leaves_nothing_behind_and_can_be_tried_again(models, tiny, tmp_path):
    folder = shutil.copytree(tiny, tmp_path / "mended")
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[:-1000])
    with pytest.raises(ModelError, match="cannot be loaded"):
        models.load(str(folder))
    assert models.resident() == []
    (folder / "model.safetensors").write_bytes(weights)
    assert models.load(str(folder)).is_loaded


def test_an_unloaded_model_is_gone_and_its_handle_says_so(models, tiny):
    model = models.load(tiny, device="cpu")
    weights = weakref.ref(model.module)
    engine = model.engine
    report = models.unload("whisper-tiny-meeting")
    gc.collect()
    assert weights() is None  # though the handle and the engine are still held
    assert models.resident() == []
    assert "unloaded" in repr(model)
    with pytest.raises(ModelError, match=r"was unloaded; load it again: nbasr\.models\.load"):
        _ = model.engine
    with pytest.raises(ModelError, match="unloaded; load it again"):
        engine.recognize([SILENCE])
    assert report.names == ("whisper-tiny-meeting",)
    assert report.before.resident_bytes > 0 < report.after.resident_bytes
    assert report.model_bytes > 7_000_000
    assert report.holders == ()
    assert repr(report).startswith("Unloaded whisper-tiny-meeting (7.9 MB): process memory ")


def test_unloading_the_embedded_engine_gives_memory_back(models):
    model = models.load("sphinx")
    model.engine.recognize([Request(np.full(16000, 0.1, np.float32))])
    assert model.unload().freed_bytes > 20e6  # its dictionary and language model


def test_unload_all_lets_go_of_everything(models, tiny):
    models.load(tiny)
    models.load("sphinx")
    assert set(models.unload_all().names) == {"whisper-tiny-meeting", "sphinx"}
    assert models.resident() == []
    assert repr(models.unload_all()) == "Nothing was loaded, so nothing was unloaded."


def test_unloading_what_is_not_loaded_tells_what_is(models):
    with pytest.raises(ModelError, match=r"'sphinx' is not loaded\. No model is loaded"):
        models.unload("sphinx")
    models.load("sphinx")
    with pytest.raises(ModelError, match=r"'sfinx' is not loaded.* Did you mean 'sphinx'.*Loaded:"):
        models.unload("sfinx")


def test_a_handle_shows_what_it_is_escaped(models, tiny, tmp_path):
    folder = shutil.copytree(tiny, tmp_path / "<b>bold")
    model = models.load(str(folder), device="cpu")
    assert repr(model) == "<Model <b>bold: whisper, float32, cpu, 7.9 MB>"
    shown = model._repr_html_()
    assert "<b>bold" not in shown
    assert "&lt;b&gt;bold" in shown
    assert "audio tower" in shown
    assert "var(--jp-" in shown  # the host's colours, so that it suits its theme
    model.pin()
    assert repr(model).endswith("7.9 MB, pinned>")
    model.unload()
    assert repr(model) == "<Model <b>bold: whisper, float32, cpu, unloaded>"
    assert "<table" not in model._repr_html_()


def test_a_handle_tells_the_bytes_of_each_part(models, tiny):
    model = models.load(tiny, device="cpu")
    tensors = [*model.module.parameters(), *model.module.buffers()]
    sizes = {tensor.data_ptr(): tensor.nbytes for tensor in tensors}
    assert model.bytes == sum(model.parts.values()) == sum(sizes.values())
    assert {"audio tower", "decoder"} <= set(model.parts)
    model.unload()
    assert (model.parts, model.bytes) == ({}, 0)


def test_a_handle_of_an_unloaded_model_says_so_whatever_is_asked(models, tiny, tmp_path):
    model = models.load(tiny, device="cpu")
    assert model.unload().names == ("whisper-tiny-meeting",)
    assert not model.is_loaded
    assert not model.is_pinned
    assert model.stays == "unloaded"
    for use in (
        lambda: model.engine,
        lambda: model.module,
        lambda: model.keep_alive,
        model.pin,
        model.unpin,
        lambda: model.save(tmp_path / "x"),
    ):
        with pytest.raises(ModelError, match="whisper-tiny-meeting was unloaded; load it again"):
            use()
    assert model.unload().names == ()
    assert models.load(tiny, device="cpu").is_loaded
    assert model.is_loaded  # the same model, by any handle


def test_a_module_that_somebody_keeps_is_empty_after_the_unload(models, tiny):
    model = models.load(tiny, device="cpu")
    kept = model.module
    first = next(kept.parameters())
    report = model.unload()
    assert report.held_bytes == 0
    assert sum(weight.numel() for weight in kept.parameters()) == 0
    assert first.numel() == 0
    with pytest.raises(ModelError, match="unloaded"):
        kept(None)


def test_what_is_loaded_beforehand_is_what_a_transcription_takes(models, tiny):
    current = settings.current()
    try:
        current.dtype, current.device = "bf16", "cpu"
        model = models.load(tiny)
        assert models.choose(current.resolve(model=tiny)) == model.spec
        assert models.load(tiny, dtype="float32").spec != model.spec  # what is said counts
    finally:
        current.dtype = current.device = "auto"


def test_of_an_offloaded_model_only_what_lies_on_the_device_counts_there(models, tiny):
    """Where there is no GPU, all of it lies in main memory, and nothing on the GPU."""
    spec = models.load(tiny, device="cpu", dtype="float32").spec
    with models.using(spec) as engine:
        shared = dataclasses.replace(spec, device="cuda", offload=True)
        slot = _residents.Slot(shared, engine)
        assert sum(slot.parts().values()) > 7_000_000
        assert slot.device_bytes() == 0
        assert _residents.Slot(spec, engine).device_bytes() == sum(slot.parts().values())


def test_auto_takes_the_resident_model_used_last(models, tiny):
    models.load(tiny, device="cpu")
    assert models.choose(options()).source == tiny
    models.load("sphinx")
    assert models.choose(options()).engine == "sphinx"  # it was asked for, so there is no warning
    models.engine_for(options(model=tiny))
    assert models.choose(options()).source == tiny


def test_auto_keeps_the_resident_model_in_another_number_format(models, tiny):
    models.load(tiny, device="cpu")
    spec = models.choose(options(dtype="bf16", device="auto"))
    assert (spec.source, spec.dtype, spec.device) == (tiny, "bf16", "cpu")
    assert models.engine_for(options(dtype="bf16"), spec).spec.dtype == "bf16"
    assert [model.spec.dtype for model in models.resident()] == ["bf16", "float32"]


@pytest.mark.parametrize("model", ["auto", "sphinx"])
def test_a_device_that_is_not_there_is_refused_whatever_the_model(models, model):
    import torch

    gone = next(
        name
        for name, is_there in (
            ("mps", torch.backends.mps.is_available()),
            ("cuda", torch.cuda.is_available()),
        )
        if not is_there
    )
    models.load("sphinx")
    with pytest.raises(ModelError, match=f"no {gone} device on this machine; leave device at auto"):
        models.choose(options(model=model, device=gone))


@pytest.mark.parametrize("model", ["auto", "sphinx"])
def test_the_embedded_engine_does_not_take_another_number_format(models, model):
    assert models.choose(options(model="sphinx", dtype="float32")).engine == "sphinx"
    with pytest.raises(ModelError, match=r"sphinx computes only in float32 and on the CPU; leave"):
        models.choose(options(model=model, dtype="fp16"))


def test_auto_falls_back_to_the_embedded_engine_loudly_every_time(models):
    for _ in range(2):  # also when the fallback of the first time is resident
        with pytest.warns(ModelWarning, match=r"draft quality.*such as whisper-small, or load one"):
            engine = models.engine_for(options())
        assert engine.spec.engine == "sphinx"


def test_auto_takes_the_best_model_in_the_cache_that_can_do_it(models, cached):
    for size in ("tiny", "base", "medium.en", "large-v3-turbo"):
        cached(f"openai/whisper-{size}")
    assert models.choose(options()).name == "whisper-large-v3-turbo"
    assert models.choose(options(task="translate")).name == "whisper-base"
    assert models.choose(options(language="en", task="translate")).name == "whisper-base"


def test_auto_takes_a_model_of_one_language_only_for_that_language(models, cached, monkeypatch):
    folder = cached("funasr/paraformer-zh")
    for path in folder.iterdir():
        path.unlink()
    for name in ("config.yaml", "model.pt", "tokens.json", "am.mvn"):
        (folder / name).write_text("model: Paraformer")
    assert models.choose(options(language="Chinese")).name == "paraformer-zh"
    with pytest.warns(ModelWarning, match="draft"):
        assert models.choose(options()).name == "sphinx"
    monkeypatch.setattr(choosing.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match="sphinx knows only English, not Chinese"):
        models.choose(options(language="zh"))  # FunASR is not installed


def test_auto_prefers_a_model_of_many_languages_where_none_is_named(models, cached):
    cached("openai/whisper-small")
    cached("FunAudioLLM/Fun-ASR-Nano-2512-hf")
    assert models.choose(options()).name == "whisper-small"
    assert models.choose(options(language="ja")).name == "fun-asr-nano"


def test_auto_takes_a_model_of_the_cache_as_it_is_wished(models, cached):
    cached("openai/whisper-tiny")
    assert models.choose(options(quantization="int8")).quantization == Quantization("int8")
    assert models.choose(options(dtype="bf16")).dtype == "bf16"


def test_auto_takes_an_english_model_only_for_english(models, cached):
    cached("openai/whisper-base.en")
    assert models.choose(options(language="English")).name == "whisper-base.en"
    with pytest.warns(ModelWarning, match="draft"):
        assert models.choose(options()).name == "sphinx"


def test_auto_does_not_take_a_model_that_does_not_fit(models, cached, monkeypatch):
    import psutil

    cached("openai/whisper-tiny")
    cached("openai/whisper-large-v3")
    free = psutil.virtual_memory()._replace(available=2_000_000_000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    assert models.choose(options()).name == "whisper-tiny"
    assert models.choose(options(model="whisper-large-v3")).name == "whisper-large-v3"  # as told


def test_a_download_that_broke_off_does_not_count(models, cached):
    (cached("openai/whisper-small") / "model.safetensors").unlink()
    cached("openai/whisper-tiny")
    assert models.choose(options()).name == "whisper-tiny"


def test_auto_refuses_what_no_model_here_can_do(models):
    with pytest.raises(ModelError, match=r"sphinx knows only English, not German; .*whisper-small"):
        models.choose(options(language="German"))
    with pytest.raises(ModelError, match="sphinx does not translate"):
        models.choose(options(task="translate"))


def test_what_a_named_model_cannot_do_is_refused_before_it_is_fetched(models):
    with pytest.raises(ModelError, match="large-v3-turbo does not translate"):
        models.engine_for(options(model="whisper-large-v3-turbo", task="translate"))
    with pytest.raises(ModelError, match=r"whisper-tiny\.en knows only English, not French"):
        models.choose(options(model="whisper-tiny.en", language="fr"))


def test_a_model_in_the_hub_cache_loads_without_the_hub(models, cached):
    cached("openai/whisper-tiny")
    engine = models.load("whisper-tiny", device="cpu").engine
    assert engine.recognize([SILENCE])[0].text == ""
    assert catalog.entry("whisper-tiny").is_here
    assert not catalog.entry("whisper-base").is_here


def test_any_whisper_in_the_hub_cache_loads_by_its_id(models, cached):
    cached("someone/tiny-meeting")
    model = models.load("someone/tiny-meeting", device="cpu")
    assert model.name == "tiny-meeting"
    assert models.unload("someone/tiny-meeting").names == ("tiny-meeting",)


@pytest.fixture(scope="module")
def aligner(tmp_path_factory) -> str:
    return str(tiny_aligner.build(tmp_path_factory.mktemp("aligner") / "tiny-aligner"))


def test_an_aligner_is_loaded_kept_and_let_go_like_a_recogniser(models, aligner):
    model = models.load(aligner, device="cpu")
    words = model.engine.align(np.zeros(16000, np.float32), "one two", "English")
    assert [word.text for word in words] == ["one", "two"]
    assert model.bytes > 0
    assert models.resident()[0].name == "tiny-aligner"
    assert models.unload("tiny-aligner").names == ("tiny-aligner",)
    with pytest.raises(ModelError, match="unloaded"):
        _ = model.engine


def test_an_aligner_is_never_taken_to_recognise(models, tiny, aligner):
    models.load(tiny, device="cpu")
    spec = models.load(aligner, device="cpu").spec
    assert models.choose(options()).source == tiny  # though the aligner was used last
    with pytest.raises(ModelError, match=r'recognises none; .* as aligner="tiny-aligner"'):
        models.choose(options(model=aligner))
    assert models.choose_aligner(options()) == spec


def test_an_aligner_is_chosen_by_name_or_by_what_is_loaded(models, aligner, tiny):
    assert models.choose_aligner(options()) is None
    assert models.choose_aligner(options(aligner=aligner), "de").engine == "aligner"
    with pytest.raises(ModelError, match=r"is no aligner; take qwen3-forced-aligner-0\.6b, or"):
        models.choose_aligner(options(aligner=tiny))
    spec = models.load(aligner, device="cpu").spec
    assert models.choose_aligner(options(), "German") == spec
    # What is said of the recogniser's numbers is not said of it.
    assert models.choose_aligner(options(dtype="bf16", quantization="int8")) == spec


def test_an_aligner_is_not_taken_for_a_language_that_it_does_not_know(models, aligner):
    models.load(aligner, device="cpu")
    assert models.choose_aligner(options(), "Thai") is None
    with pytest.raises(ModelError, match=r"does not know Thai, but .*German.*; leave aligner out"):
        models.choose_aligner(options(aligner=aligner), "th")


def test_an_aligner_in_the_hub_cache_is_found(models, cached):
    cached("Qwen/Qwen3-ForcedAligner-0.6B-hf")  # what is in it is looked at when it is loaded
    assert models.choose_aligner(options(), "en").name == "qwen3-forced-aligner-0.6b"


def test_a_model_that_is_used_is_loaded_if_need_be(models, tiny):
    spec = models.choose(options(model=tiny))
    with models.using(spec, options(model=tiny)) as engine:
        assert engine.recognize([SILENCE])[0].text == ""
        assert engine is models.engine_for(options(model=tiny))
    assert models.resident()[0].is_loaded


def test_the_embedded_engine_weighs_what_is_known_of_it(models):
    model = models.load("sphinx")
    assert model.module is None
    assert model.bytes == 97_000_000


def test_impossible_arguments_are_refused_before_anything_is_loaded(models, tiny):
    with pytest.raises(OptionError, match=r"quantization is none, int8, nf4, fp4, not 'int9'"):
        models.load(tiny, quantization="int9")
    with pytest.raises(ModelError, match="dtype is auto"):
        models.load(tiny, dtype="fp8")
    assert models.resident() == []


def test_the_manager_of_the_kernel_is_one_object():
    import nbasr.models

    owner = nbasr.models.load.__self__
    for function in (manager.choose, manager.engine_for, manager.using, manager.choose_aligner):
        assert function.__self__ is owner


def test_models_stay_when_the_extension_is_reloaded(tiny):
    import nbasr.models

    shell = InteractiveShell.instance()
    try:
        shell.run_line_magic("load_ext", "nbasr")
        model = nbasr.models.load(tiny, device="cpu")
        shell.run_line_magic("reload_ext", "nbasr")
        assert sys.modules["nbasr.models.manager"] is manager
        assert model.is_loaded
        assert nbasr.models.load(tiny).engine is model.engine
    finally:
        nbasr.models.unload_all()
        shell.run_line_magic("unload_ext", "nbasr")
        InteractiveShell.clear_instance()


def test_importing_the_manager_imports_nothing_heavy():
    code = (
        "import sys, nbasr.models; nbasr.models.resident(); nbasr.models.unload_all();"
        "print([name for name in ('torch', 'transformers', 'bitsandbytes') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_line_that_loads_an_unloaded_model_again_works(assets):
    folder = assets / "whisper-tiny-meeting"
    model = nbasr.models.load(str(folder), quantization="nf4")
    model.unload()
    with pytest.raises(ModelError) as caught:
        _ = model.module
    line = str(caught.value).split("again: ")[1].removesuffix(".")
    again = eval(line, {"nbasr": nbasr})
    assert again.spec == model.spec
    again.unload()


def test_two_precisions_of_one_name_are_told_apart_when_they_go(assets):
    folder = str(assets / "whisper-tiny-meeting")
    nbasr.models.load(folder, quantization="none")
    nbasr.models.load(folder, quantization="nf4")
    told = repr(nbasr.models.unload_all())
    assert "whisper-tiny-meeting (float32)" in told
    assert "whisper-tiny-meeting (nf4)" in told


@pytest.mark.parametrize("name", ["", "  ", 3, None])
def test_what_is_no_name_of_a_model_gets_one_sentence(name):
    nbasr.models.load("sphinx")
    with pytest.raises((ModelError, OptionError)):
        nbasr.models.load(name)
    nbasr.models.unload_all()
