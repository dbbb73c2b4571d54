"""A model hub on this machine, with as much of the protocol as its client needs; it can be slow."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PIECE = 1 << 14
"""Bytes that come every twentieth of a second while the gate is closed."""


@dataclass
class ModelHub:
    """A running hub.

    Parameters
    ----------
    url
        Where it is.
    models
        Folders of models by their ids.
    gate
        While it is closed, a file of weights comes only up to `held_at` bytes.
    held_at
        How far that is.
    asked
        The ranges of weights that were asked for; ``""``: from the beginning.
    """

    url: str
    models: dict[str, Path]
    gate: threading.Event = field(default_factory=threading.Event)
    held_at: int = 3_000_000
    asked: list[str] = field(default_factory=list)

    def environment(self, home: Path) -> dict[str, str]:
        """Return what a process needs that is to use this hub."""
        return {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }


@contextmanager
def running(models: dict[str, Path]) -> Iterator[ModelHub]:
    """Serve models; its gate is open."""
    hub = ModelHub("", models)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Keep quiet."""

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def _answer(self, *, with_body: bool) -> None:
            parts = self.path.split("?")[0].strip("/").split("/")
            body, first = self._found(parts), 0
            if body is None:
                self.send_response(404)
                self.send_header("X-Error-Code", "RepoNotFound")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            wanted = self.headers.get("Range", "")
            weights = parts[-1].endswith(".safetensors")
            if weights and with_body:
                hub.asked.append(wanted)
            if wanted:
                first = int(wanted.removeprefix("bytes=").split("-")[0])
            self.send_response(206 if first else 200)
            if first:
                self.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
            self.send_header("ETag", f'"{hashlib.sha1(body).hexdigest()}"')
            self.send_header("X-Repo-Commit", "b" * 40)
            self.send_header("Content-Length", str(len(body) - first))
            self.end_headers()
            if with_body:
                self._send(body, first, weights)

        def _send(self, body: bytes, first: int, weights: bool) -> None:
            held = min(max(hub.held_at, first), len(body)) if weights else len(body)
            try:
                self.wfile.write(body[first:held])
                self.wfile.flush()
                if held < len(body):
                    # A client that has gone is noticed by what cannot be sent to it any more.
                    while not hub.gate.wait(0.05) and held + PIECE < len(body):
                        self.wfile.write(body[held : held + PIECE])
                        held += PIECE
                    self.wfile.write(body[held:])
            except (BrokenPipeError, ConnectionResetError):
                pass

        def _found(self, parts: list[str]) -> bytes | None:
            if parts[:2] == ["api", "models"]:
                folder = hub.models.get("/".join(parts[2:4]))
                if folder is None:
                    return None
                files = sorted(folder.iterdir())
                siblings = [{"rfilename": f.name, "size": f.stat().st_size} for f in files]
                return json.dumps({"id": "m", "sha": "b" * 40, "siblings": siblings}).encode()
            folder = hub.models.get("/".join(parts[:2]))
            if folder is None or parts[2:3] != ["resolve"]:
                return None
            file = folder / parts[-1]
            return file.read_bytes() if file.is_file() else None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    hub.gate.set()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield hub
    finally:
        hub.gate.set()
        server.shutdown()
        thread.join()
        server.server_close()
