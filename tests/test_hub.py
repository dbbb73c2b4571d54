"""Fetching models: from a hub, a mirror, a cache that was filled before, or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import textwrap
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from nbasr.errors import ModelError
from nbasr.models import _hub, catalog
from nbasr.models._hub import wanted_files
from nbasr.models.fetching import Fetching

FUNASR_FILES = {
    "config.yaml": b"model: Paraformer\n",
    "configuration.json": b"{}",
    "model.pt": b"\0" * 6_000_000,
    "tokens.json": b"[]",
    "am.mvn": b"mean",
    "seg_dict": b"a b",
    "README.md": b"# Paraformer",
}


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
        (
            "config.json model.safetensors processor_config.json tokenizer.json "
            "tokenizer_config.json chat_template.jinja generation_config.json .gitattributes",
            "config.json model.safetensors processor_config.json tokenizer.json "
            "tokenizer_config.json chat_template.jinja generation_config.json",
        ),
        (
            "config.yaml configuration.json model.pt tokens.json am.mvn seg_dict README.md "
            "example/asr_example.wav fig/struct.png model.onnx model.py",
            "config.yaml configuration.json model.pt tokens.json am.mvn seg_dict",
        ),
        (
            "config.yaml configuration.json model.pt am.mvn tokens.json README.md "
            "chn_jpn_yue_eng_ko_spectok.bpe.model requirements.txt",
            "config.yaml configuration.json model.pt am.mvn tokens.json "
            "chn_jpn_yue_eng_ko_spectok.bpe.model",
        ),
        (
            "config.yaml configuration.json model.pt tokens.json jieba_usr_dict jieba.c.dict",
            "config.yaml configuration.json model.pt tokens.json jieba_usr_dict",
        ),
    ],
)
def test_only_the_files_of_one_model_are_wanted(files, wanted):
    found = wanted_files(dict.fromkeys(files.split(), 1))
    assert sorted(found) == sorted(wanted.split())


def test_offline_a_model_that_is_not_here_names_the_cache_and_the_ways_out():
    from huggingface_hub import constants

    for name in ("whisper-base", "qwen3-asr-1.7b", "paraformer-zh"):
        with pytest.raises(ModelError) as caught:
            _hub.fetch(catalog.resolve(name, device="cpu"))
        sentence = str(caught.value)
        parts = (name, str(constants.HF_HUB_CACHE), "HF_HUB_OFFLINE", "HF_ENDPOINT", "HTTPS_PROXY")
        for part in (*parts, 'model="sphinx"', "local folder"):
            assert part in sentence
    assert "nor in ModelScope's" in sentence


def test_a_folder_is_taken_as_it_is(assets):
    folder = assets / "whisper-tiny-meeting"
    assert _hub.fetch(catalog.resolve(str(folder), device="cpu")) == folder


def test_a_cache_that_was_filled_before_needs_no_hub(assets):
    from huggingface_hub import constants

    home = Path(constants.HF_HUB_CACHE) / "models--someone--their-qwen3-asr"
    place = home / "snapshots" / ("a" * 40)
    shutil.copytree(assets / "qwen3-asr-tiny-meeting", place)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text("a" * 40)
    try:
        spec = catalog.resolve("someone/their-qwen3-asr", device="cpu")
        assert spec.engine == "audio_llm"
        assert catalog.weights_bytes(spec) == 13_380_096
        assert _hub.fetch(spec) == place
        (place / "model.safetensors").unlink()  # as when a download breaks off
        with pytest.raises(ModelError, match="is not in the cache"):
            _hub.fetch(spec)
    finally:
        shutil.rmtree(home)


def test_a_model_that_funasr_fetched_from_modelscope_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path))
    entry = catalog.entry("sensevoice-small")
    assert not entry.is_here
    place = tmp_path / "models" / "iic" / "SenseVoiceSmall"
    place.mkdir(parents=True)
    files = {**FUNASR_FILES, "config.yaml": b"model: SenseVoiceSmall\n", "bpe.model": b"pieces"}
    for name, content in files.items():
        (place / name).write_bytes(content)
    assert entry.is_here
    assert _hub.fetch(catalog.resolve(entry.name, device="cpu")) == place


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
        path = self.path.split("?")[0]
        if path.startswith("http://"):  # asked as a proxy
            path = "/" + path.split("/", 3)[3]
        parts = path.strip("/").split("/")
        body, why = None, "RepoNotFound"
        if parts[:2] == ["api", "models"] and "/".join(parts[2:4]) in self.models:
            files = sorted(self.models["/".join(parts[2:4])].iterdir())
            siblings = [{"rfilename": f.name, "size": f.stat().st_size} for f in files]
            body = json.dumps({"id": "m", "sha": "b" * 40, "siblings": siblings}).encode()
        elif parts[2:3] == ["resolve"] and "/".join(parts[:2]) in self.models:
            body = (self.models["/".join(parts[:2])] / parts[-1]).read_bytes()
        elif "gated" in path:
            why = "GatedRepo"
        self.send_response(200 if body is not None else 403 if why == "GatedRepo" else 404)
        if body is None:
            self.send_header("X-Error-Code", why)
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
    """Serve small models of each layout, and some that must not be taken."""

    def folder(files: dict[str, bytes]) -> Path:
        made = tmp_path_factory.mktemp("repository")
        for name, content in files.items():
            (made / name).write_bytes(content)
        return made

    whisper, qwen = assets / "whisper-tiny-meeting", assets / "qwen3-asr-tiny-meeting"
    rich = shutil.copytree(whisper, tmp_path_factory.mktemp("rich") / "m")
    (rich / "pytorch_model.bin").write_bytes(b"pickled")
    short = shutil.copytree(rich, tmp_path_factory.mktemp("short") / "m")
    config = json.loads((short / "config.json").read_text())
    (short / "config.json").write_text(json.dumps({**config, "max_source_positions": 300}))
    weights = load_file(short / "model.safetensors")
    weights["model.encoder.embed_positions.weight"] = np.ascontiguousarray(
        weights["model.encoder.embed_positions.weight"][:300]
    )
    save_file(weights, short / "model.safetensors", metadata={"format": "pt"})

    def only(**config) -> Path:
        return folder({"config.json": json.dumps(config).encode(), "model.safetensors": b"no"})

    _Hub.models = {
        "openai/whisper-tiny": rich,
        "Qwen/Qwen3-ASR-0.6B-hf": qwen,
        "owner/short": short,
        "owner/bert": only(model_type="bert"),
        "owner/copy-of-qwen": only(model_type="qwen3_asr", thinker_config={}),
        "owner/gptq": only(model_type="whisper", quantization_config={"quant_method": "gptq"}),
        "owner/old": folder({"config.json": b"{}", "pytorch_model.bin": b"pickled"}),
        "funasr/paraformer-zh": folder(FUNASR_FILES),
        "funasr/ct-punc": folder({**FUNASR_FILES, "config.yaml": b"model: CTTransformer\n"}),
        "owner/other-funasr": folder({**FUNASR_FILES, "config.yaml": b"model: Conformer\n"}),
    }
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def online(code: str, endpoint: str, home: Path, **more: str) -> subprocess.CompletedProcess:
    """Run code in a process that may reach a hub at `endpoint`; `tell` prints what `fetch` does."""
    keep = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
    given = {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0", **more}
    given |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    given |= {"MODELSCOPE_CACHE": str(home / "modelscope")}
    start = """
        from nbasr.errors import ModelError
        from nbasr.models import catalog
        from nbasr.models._hub import fetch

        def tell(name):
            try:
                folder = fetch(catalog.resolve(name, device="cpu"))
                print(*sorted(path.name for path in folder.iterdir()))
            except ModelError as error:
                print(error)
    """
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(start) + textwrap.dedent(code)],
        env={**keep, **given},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_models_of_each_layout_are_fetched_with_their_size_and_progress_told(hub, tmp_path):
    done = online(
        """
        tell("whisper-tiny")
        tell("qwen3-asr-0.6b")
        tell("paraformer-zh")
        print(catalog.entry("paraformer-zh").is_here, catalog.entry("whisper-tiny").is_here)
        """,
        hub,
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    whisper, qwen, paraformer, here = done.stdout.splitlines()
    assert "model.safetensors" in whisper
    assert "chat_template.jinja" in qwen
    assert paraformer == "am.mvn config.yaml configuration.json model.pt seg_dict tokens.json"
    assert here == "True True"
    for said in (
        f"Downloading whisper-tiny (openai/whisper-tiny, 8 MB) into {tmp_path}",
        "Downloading qwen3-asr-0.6b (Qwen/Qwen3-ASR-0.6B-hf, 7 MB)",
        "Downloading paraformer-zh (funasr/paraformer-zh, 6 MB)",
        "Downloading funasr/ct-punc (funasr/ct-punc, 6 MB)",
        "100%",
    ):
        assert said in done.stderr
    fetched = {path.name for path in tmp_path.rglob("*")}
    assert not fetched & {"pytorch_model.bin", "README.md"}


def test_what_must_not_be_taken_is_refused_before_its_weights_come(hub, tmp_path):
    done = online(
        """
        for name in ("bert", "copy-of-qwen", "gptq", "old", "other-funasr", "nothing", "gated"):
            tell(f"owner/{name}")
        tell("funasr/ct-punc")
        """,
        hub,
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    told = done.stdout.splitlines()
    for line, part in zip(
        told,
        (
            "of the family 'bert', which nbasr does not run",
            "in its original layout, which transformers does not read; take Qwen/Qwen3-ASR-1.7B-hf",
            "quantised by 'gptq'",
            "owner/old has no weights as safetensors on the hub",
            "of the kind 'Conformer', which nbasr does not run",
            "the hub has no model 'owner/nothing', or it is private",
            "its owner asks you to accept terms on its page first",
            "holds a punctuation model",
        ),
        strict=True,
    ):
        assert part in line
    assert "Downloading" not in done.stderr
    assert not any(path.suffix in (".safetensors", ".pt", ".bin") for path in tmp_path.rglob("*"))


def test_a_model_is_fetched_at_one_revision_and_found_without_the_hub(hub, tmp_path):
    first = online('tell("whisper-tiny")', hub, tmp_path)
    assert first.returncode == 0, first.stderr
    assert [path.name for path in tmp_path.glob("hub/models--*/snapshots/*")] == ["b" * 40]
    again = online('tell("whisper-tiny")', "http://127.0.0.1:9", tmp_path)
    assert (again.returncode, again.stdout) == (0, first.stdout), again.stderr
    assert "Downloading" not in again.stderr


def test_paraformer_comes_without_its_punctuation_where_that_cannot_be_had(hub, tmp_path):
    code = """
        import warnings
        warnings.simplefilter("always")
        tell("paraformer-zh")
        """
    punctuation = _Hub.models.pop("funasr/ct-punc")
    try:
        done = online(code, hub, tmp_path)
    finally:
        _Hub.models["funasr/ct-punc"] = punctuation
    assert "model.pt" in done.stdout
    assert "ModelWarning: paraformer-zh runs without the model that belongs to it" in done.stderr


def test_a_hub_behind_a_proxy_is_reached_through_it(hub, tmp_path):
    done = online('tell("whisper-tiny")', "http://hub.invalid", tmp_path, HTTP_PROXY=hub)
    assert "model.safetensors" in done.stdout, done.stdout + done.stderr


def test_a_hub_that_cannot_be_reached_is_told_with_the_ways_out(tmp_path):
    nobody = "http://127.0.0.1:9"  # discard: nobody listens
    done = online('tell("whisper-tiny")', nobody, tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"the hub ({nobody}) cannot be reached" in done.stdout
    assert 'model="sphinx"' in done.stdout
    assert str(tmp_path) in done.stdout
    done = online('tell("whisper-tiny")', "https://hub.invalid", tmp_path, HTTPS_PROXY=nobody)
    assert "cannot be reached through HTTPS_PROXY" in done.stdout


def test_what_does_not_fit_on_the_disk_is_not_begun(hub, tmp_path):
    done = online(
        """
        import shutil, types
        shutil.disk_usage = lambda _: types.SimpleNamespace(free=5_000_000)
        tell("whisper-tiny")
        """,
        hub,
        tmp_path,
    )
    assert "whisper-tiny takes 8 MB, but there are 5 MB free" in done.stdout, done.stderr
    assert "HF_HOME" in done.stdout
    assert not list(tmp_path.rglob("*.safetensors"))


def test_a_hub_id_hears_no_more_than_its_own_window_once_it_is_here(hub, tmp_path):
    done = online(
        """
        spec = catalog.resolve("owner/short", device="cpu")
        print(spec.max_seconds, catalog.settled(spec, fetch(spec)).max_seconds)
        print(catalog.resolve("owner/short", device="cpu").max_seconds)
        """,
        hub,
        tmp_path,
    )
    assert done.stdout.splitlines() == ["30.0 6.0", "6.0"], done.stderr


def test_a_model_that_is_loaded_by_name_is_fetched_first(hub, tmp_path):
    done = online(
        """
        import nbasr
        model = nbasr.models.load("whisper-tiny", device="cpu")
        print(model.name, model.is_loaded, model.spec.max_seconds)
        print(nbasr.models.load("owner/short", device="cpu").spec.max_seconds)
        try:
            nbasr.models.load("owner/bert", device="cpu")
        except ModelError as error:
            print(error)
        print([one.name for one in nbasr.models.resident()])
        """,
        hub,
        tmp_path,
    )
    loaded, heard, refused, resident = done.stdout.splitlines()
    assert loaded == "whisper-tiny True 30.0"
    assert heard == "6.0"
    assert "'bert', which nbasr does not run" in refused
    assert resident == "['short', 'whisper-tiny']"
    assert "Downloading whisper-tiny (openai/whisper-tiny, 8 MB)" in done.stderr


def test_two_downloads_at_once_leave_the_size_of_pieces_as_it_was():
    from huggingface_hub import constants

    usual = constants.DOWNLOAD_CHUNK_SIZE
    one, other = _hub._in_small_pieces(True), _hub._in_small_pieces(True)
    one.__enter__()
    other.__enter__()
    one.__exit__(None, None, None)
    assert constants.DOWNLOAD_CHUNK_SIZE == _hub.PIECE_BYTES
    other.__exit__(None, None, None)
    assert usual == constants.DOWNLOAD_CHUNK_SIZE


def test_a_stop_ends_the_fast_client_only_while_it_fetches(monkeypatch):
    """It has one session for all downloads of the kernel."""
    from huggingface_hub.utils import _xet

    ended = []
    monkeypatch.setattr(_xet, "abort_xet_session", lambda: ended.append("session"))
    heard = Fetching(lambda *_: None)
    heard.wants(10)
    heard.takes(10)
    heard.stop()
    assert ended == []
    heard = Fetching(lambda *_: None)
    heard.wants(10)
    heard.takes(9)
    heard.stop()
    assert ended == ["session"]
