"""Resident models: loaded once, chosen, fetched with notice, and let go."""

from __future__ import annotations

import dataclasses
import gc
import hashlib
import json
import os
import shutil
import subprocess
import sys
import textwrap
import threading
import weakref
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from nbasr import settings
from nbasr.engines import Request
from nbasr.errors import ModelError, ModelWarning
from nbasr.models import ModelManager, catalog, manager
from nbasr.models._hub import wanted_files

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


def options(**given) -> settings.Options:
    return dataclasses.replace(settings.Options(device="cpu"), **given)


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
    assert models.unload("whisper-tiny-meeting").names == ("whisper-tiny-meeting",) * 2


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
    weights = weakref.ref(model.engine._loaded.model)
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
    assert repr(report).startswith("Unloaded whisper-tiny-meeting: process memory ")


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
    assert repr(model) == "<Model <b>bold: whisper, float32, cpu, weights 8 MB>"
    assert "<b>bold" not in model._repr_html_()
    assert "&lt;b&gt;bold" in model._repr_html_()


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


def test_offline_a_model_that_is_not_here_names_the_cache_and_the_ways_out(models):
    from huggingface_hub import constants

    with pytest.raises(ModelError) as caught:
        models.load("whisper-base")
    sentence = str(caught.value)
    for part in ("whisper-base", str(constants.HF_HUB_CACHE), "HF_HUB_OFFLINE", "HF_ENDPOINT"):
        assert part in sentence
    assert 'model="sphinx"' in sentence
    assert "local folder" in sentence


def test_the_manager_of_the_kernel_is_one_object():
    import nbasr.models

    assert nbasr.models.load.__self__ is manager.choose.__self__ is manager.engine_for.__self__


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        (
            "config.json model.safetensors model.fp32-00001-of-00002.safetensors "
            "model.safetensors.index.fp32.json pytorch_model.bin vocab.json merges.txt README.md "
            "flax_model.msgpack onnx/model.onnx onnx/config.json",
            "config.json model.safetensors vocab.json merges.txt",
        ),
        (
            "config.json model-00001-of-00002.safetensors model-00002-of-00002.safetensors "
            "model.safetensors.index.json tf_model.h5",
            "config.json model-00001-of-00002.safetensors model-00002-of-00002.safetensors "
            "model.safetensors.index.json",
        ),
    ],
)
def test_only_one_precision_in_safetensors_is_fetched(files, wanted):
    found = wanted_files(dict.fromkeys(files.split(), 1))
    assert sorted(found) == sorted(wanted.split())


class _Hub(BaseHTTPRequestHandler):
    """A model hub on this machine, with as much of the protocol as its client needs."""

    models: dict[str, Path]

    def log_message(self, *_):
        """Keep quiet."""

    def do_HEAD(self):
        self._answer(with_body=False)

    def do_GET(self):
        self._answer(with_body=True)

    def _answer(self, *, with_body):
        parts = self.path.split("?")[0].strip("/").split("/")
        body = None
        if parts[:2] == ["api", "models"] and "/".join(parts[2:4]) in self.models:
            files = sorted(self.models["/".join(parts[2:4])].iterdir())
            siblings = [{"rfilename": f.name, "size": f.stat().st_size} for f in files]
            body = json.dumps({"id": "m", "sha": "b" * 40, "siblings": siblings}).encode()
        elif parts[2:3] == ["resolve"] and "/".join(parts[:2]) in self.models:
            body = (self.models["/".join(parts[:2])] / parts[-1]).read_bytes()
        self.send_response(404 if body is None else 200)
        if body is None:
            self.send_header("X-Error-Code", "RepoNotFound")
        else:
            self.send_header("ETag", f'"{hashlib.sha1(body).hexdigest()}"')
            # Since the hub was asked for the newest revision, another one was pushed.
            self.send_header("X-Repo-Commit", "b" * 40 if "b" * 40 in parts else "c" * 40)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        if with_body and body:
            self.wfile.write(body)


@pytest.fixture(scope="module")
def hub(assets, tmp_path_factory):
    """Serve the small checkpoint, one of 6 s, of another family, and without safetensors."""
    old = tmp_path_factory.mktemp("old")
    shutil.copy(assets / "whisper-tiny-meeting" / "config.json", old)
    (old / "pytorch_model.bin").write_bytes(b"pickled")
    rich = shutil.copytree(assets / "whisper-tiny-meeting", tmp_path_factory.mktemp("rich") / "m")
    (rich / "pytorch_model.bin").write_bytes(b"pickled")
    short = shutil.copytree(rich, tmp_path_factory.mktemp("short") / "m")
    config = json.loads((short / "config.json").read_text())
    (short / "config.json").write_text(json.dumps({**config, "max_source_positions": 300}))
    weights = load_file(short / "model.safetensors")
    weights["model.encoder.embed_positions.weight"] = np.ascontiguousarray(
        weights["model.encoder.embed_positions.weight"][:300]
    )
    save_file(weights, short / "model.safetensors", metadata={"format": "pt"})
    _Hub.models = {
        "openai/whisper-tiny": rich,
        "owner/other": assets / "qwen3-asr-tiny-meeting",
        "owner/old": old,
        "owner/short": short,
    }
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def online(code: str, endpoint: str, home: Path) -> subprocess.CompletedProcess:
    """Run code in a process that may reach a hub at `endpoint`."""
    keep = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
    more = {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0"}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        env={**keep, **more, "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_named_model_is_fetched_with_its_size_and_progress_told(hub, tmp_path):
    done = online(
        """
        import nbasr
        from nbasr.errors import ModelError
        print(nbasr.models.load("whisper-tiny", device="cpu"))
        for name in ("owner/other", "owner/old", "owner/nothing"):
            try:
                nbasr.models.load(name, device="cpu")
            except ModelError as error:
                print(error)
        """,
        hub,
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    loaded, other, old, nothing = done.stdout.splitlines()
    assert loaded.startswith("<Model whisper-tiny: whisper, float32, cpu")
    assert f"Downloading whisper-tiny (openai/whisper-tiny, 8 MB) into {tmp_path}" in done.stderr
    assert "100%" in done.stderr
    assert "'qwen3_asr', which nbasr does not run" in other
    assert "no weights as safetensors" in old
    assert "the hub has no model 'owner/nothing', or it is private" in nothing
    fetched = {path.name for path in tmp_path.rglob("*")}
    assert "model.safetensors" in fetched
    assert "pytorch_model.bin" not in fetched


def test_a_model_is_fetched_at_one_revision_and_found_without_the_hub(hub, tmp_path):
    code = """
        import nbasr
        print(nbasr.models.load("whisper-tiny", device="cpu"))
        """
    first = online(code, hub, tmp_path)
    assert first.returncode == 0, first.stderr
    assert [path.name for path in tmp_path.glob("hub/models--*/snapshots/*")] == ["b" * 40]
    again = online(code, "http://127.0.0.1:9", tmp_path)
    assert (again.returncode, again.stdout) == (0, first.stdout), again.stderr
    assert "Downloading" not in again.stderr


def test_a_hub_id_hears_no_more_than_its_own_window_once_it_is_here(hub, tmp_path):
    done = online(
        """
        import numpy as np
        from nbasr.engines import Request
        from nbasr.errors import ModelError
        from nbasr.models import catalog, load, resident
        print(catalog.resolve("owner/short").max_seconds)
        model = load("owner/short", device="cpu")
        print(model.spec.max_seconds, resident()[0].spec.max_seconds)
        try:
            model.engine.recognize([Request(np.zeros(20 * 16000, np.float32))])
        except ModelError as error:
            print(error)
        """,
        hub,
        tmp_path,
    )
    assert done.stdout.splitlines()[:2] == ["30.0", "6.0 6.0"], done.stderr
    assert "takes up to 6 s at once, not 20.0 s; cut the recording first" in done.stdout


def test_a_hub_that_cannot_be_reached_is_told_with_the_ways_out(tmp_path):
    done = online(
        """
        import nbasr
        from nbasr.errors import ModelError
        try:
            nbasr.models.load("whisper-tiny", device="cpu")
        except ModelError as error:
            print(error)
        """,
        "http://127.0.0.1:9",  # discard: nobody listens
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "the hub cannot be reached" in done.stdout
    assert 'model="sphinx"' in done.stdout
    assert str(tmp_path) in done.stdout
