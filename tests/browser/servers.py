"""JupyterLab and Notebook 7 as processes of their own, with folders and settings of their own."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from browser.proxy import Proxy

STARTED_WITHIN = 90.0
"""Seconds that a server may take before it answers; 3 s is usual."""

SETTINGS: dict[str, dict[str, Any]] = {
    "@jupyterlab/apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
    # Every cell is in the page, so that outputs are found wherever the notebook is scrolled to.
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
}

PROGRAMS = {
    "lab": ("jupyterlab", "--LabApp.expose_app_in_browser=True"),
    "notebook7": ("notebook", "--JupyterNotebookApp.expose_app_in_browser=True"),
}


class JupyterServer:
    """A Jupyter server behind a proxy that can drop connections.

    Parameters
    ----------
    kind : {"lab", "notebook7"}
        Which front end.
    folder : pathlib.Path
        An empty folder, for notebooks, settings and the log.

    Attributes
    ----------
    url : str
        Where a browser finds it, without a slash at the end.
    direct_url : str
        The same, past the proxy.
    root : pathlib.Path
        The folder whose files it shows; kernels run here.
    """

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.root = folder / "root"
        self.root.mkdir()
        self._config = folder / "config"
        self._log = folder / "server.log"
        self.runtime = folder / "runtime"
        for name, values in SETTINGS.items():
            self._write_settings(name, values)
        self.set_theme("light")
        port = _free_port()
        self._log_file = self._log.open("wb")
        self._process = self._start(port, folder)
        self._port = port
        try:
            self._wait_until_it_answers()
            self._proxy = Proxy(port)
        except BaseException:
            self._end_process()
            raise
        self.url = f"http://127.0.0.1:{self._proxy.port}"
        self.direct_url = f"http://127.0.0.1:{port}"

    def page_of(self, name: str, workspace: str) -> str:
        """Return the address of a notebook's page."""
        if self.kind == "lab":
            return f"{self.url}/lab/workspaces/{workspace}/tree/{name}"
        return f"{self.url}/notebooks/{name}"

    def set_theme(self, theme: str) -> None:
        """Say which theme pages have that are opened from now on: "light" or "dark"."""
        self._write_settings(
            "@jupyterlab/apputils-extension/themes", {"theme": f"JupyterLab {theme.capitalize()}"}
        )

    def log(self) -> str:
        """Return what the server and its kernels have printed so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def connection_file(self, kernel_id: str) -> Path:
        """Return the file that tells how to reach a kernel."""
        return self.runtime / f"kernel-{kernel_id}.json"

    def drop_connections(self, refuse_for: float = 0.0) -> int:
        """Cut the browsers' kernel websockets in the middle.

        Parameters
        ----------
        refuse_for : float
            Seconds in which no new ones are let in.

        Returns
        -------
        int
            How many were cut.
        """
        return self._proxy.drop(refuse_for)

    def start_kernel(self, name: str) -> str:
        """Start the kernel of a notebook, before a page shows it; return the kernel's id."""
        wanted = {"path": name, "name": name, "type": "notebook", "kernel": {"name": "python3"}}
        status, told = self._ask("POST", "/api/sessions", wanted)
        if status != 201:
            raise RuntimeError(f"The Jupyter server starts no kernel: {told}")
        return str(json.loads(told)["kernel"]["id"])

    def end_kernel(self, kernel_id: str) -> None:
        """Shut a kernel down."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            self._ask("DELETE", f"/api/kernels/{kernel_id}")

    def stop(self) -> None:
        """End the server, its kernels, the proxy."""
        self._proxy.close()
        self._end_process()

    def _start(self, port: int, folder: Path) -> subprocess.Popen[bytes]:
        module, exposed = PROGRAMS[self.kind]
        environment = {
            **os.environ,
            "JUPYTER_CONFIG_DIR": str(self._config),
            "JUPYTER_DATA_DIR": str(folder / "data"),
            "JUPYTER_RUNTIME_DIR": str(self.runtime),
            "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
            "IPYTHONDIR": str(folder / "ipython"),
        }
        return subprocess.Popen(
            [
                *(sys.executable, "-m", module),
                *("--no-browser", "--allow-root", exposed),
                f"--ServerApp.port={port}",
                "--ServerApp.port_retries=0",
                "--ServerApp.ip=127.0.0.1",
                "--IdentityProvider.token=",
                f"--ServerApp.root_dir={self.root}",
                "--ServerApp.terminals_enabled=False",
                "--LabApp.extension_manager=readonly",
                # Should the tests be killed, nobody stops the server: it goes by itself.
                "--MappingKernelManager.cull_idle_timeout=1800",
                "--ServerApp.shutdown_no_activity_timeout=1800",
            ],
            stdin=subprocess.DEVNULL,
            stdout=self._log_file,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=self.root,
            start_new_session=True,  # Ctrl-C ends the tests, which then end the server in order
        )

    def _wait_until_it_answers(self) -> None:
        until = time.monotonic() + STARTED_WITHIN
        while time.monotonic() < until:
            if self._process.poll() is not None:
                raise RuntimeError(f"The Jupyter server ended at once:\n{self.log()}")
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self._ask("GET", "/api")[0] == 200:
                    return
            time.sleep(0.1)
        raise RuntimeError(f"The Jupyter server does not answer:\n{self.log()}")

    def _ask(self, method: str, path: str, content: Any = None) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            body = None if content is None else json.dumps(content)
            connection.request(method, path, body, {"Cookie": "_xsrf=t", "X-XSRFToken": "t"})
            reply = connection.getresponse()
            return reply.status, reply.read().decode()
        finally:
            connection.close()

    def _end_process(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(30)
        self._log_file.close()

    def _write_settings(self, name: str, values: dict[str, Any]) -> None:
        path = self._config / "lab" / "user-settings" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), encoding="utf-8")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
