"""Asks a kernel for values by a connection of its own, past the page that shows the notebook."""

from __future__ import annotations

import ast
import json
import re
import time
from pathlib import Path
from typing import Any

from jupyter_client.blocking import BlockingKernelClient

ANSI = re.compile(r"\x1b\[[0-9;]*m")


class KernelError(AssertionError):
    """Code in the kernel raised; the message is the traceback."""


class KernelProbe:
    """Evaluates Python in a running kernel, silently: no output, no history, no execution count."""

    def __init__(self, connection_file: Path) -> None:
        self._connection_file = str(connection_file)
        self._client = BlockingKernelClient()

    def evaluate(self, expression: str, timeout: float) -> Any:
        """Return the value of an expression; what JSON cannot hold, but NumPy can, as lists."""
        code = f"__import__('json').dumps(({expression}\n), default=lambda _: _.tolist())"
        reply = self._ask(
            {"code": "", "silent": True, "user_expressions": {"value": code}}, timeout
        )
        told = reply["user_expressions"]["value"]
        if told["status"] != "ok":
            raise KernelError(f"{expression}\n{_traceback(told)}")
        return json.loads(ast.literal_eval(told["data"]["text/plain"]))

    def execute(self, code: str, timeout: float) -> None:
        """Run statements."""
        reply = self._ask({"code": code, "silent": True}, timeout)
        if reply["status"] != "ok":
            raise KernelError(_traceback(reply))

    def _ask(self, content: dict[str, Any], timeout: float) -> dict[str, Any]:
        self._client.load_connection_file(self._connection_file)  # a restart may change ports
        socket = self._client.connect_shell()
        try:
            sent = self._client.session.send(
                socket,
                "execute_request",
                {"store_history": False, "allow_stdin": False, "stop_on_error": False, **content},
            )
            until = time.monotonic() + timeout
            while socket.poll(max(0.0, until - time.monotonic()) * 1000):
                _, reply = self._client.session.recv(socket, mode=0)
                if reply["parent_header"].get("msg_id") == sent["header"]["msg_id"]:
                    return reply["content"]
            raise TimeoutError(f"The kernel did not answer within {timeout:.0f} s: {content}")
        finally:
            socket.close()

    def close(self) -> None:
        """Let go of the connection."""
        self._client.context.destroy(linger=0)


def _traceback(reply: dict[str, Any]) -> str:
    return ANSI.sub(
        "", "\n".join(reply.get("traceback") or [f"{reply['ename']}: {reply['evalue']}"])
    )
