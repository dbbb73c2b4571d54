"""A small TCP proxy between browser and server, which can cut the kernel's connections."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

KERNEL_CHANNEL = re.compile(rb"GET \S*/api/kernels/[^/\s]+/channels")
"""What a browser's websocket to a kernel begins with; each has a connection of its own."""

BLOCK = 1 << 16


class Proxy:
    """Passes bytes on, in a thread of its own, until told to cut them off.

    Parameters
    ----------
    target : int
        The port on this machine that the server listens on.

    Attributes
    ----------
    port : int
        The port on this machine that the browser goes to.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._refuse_until = 0.0
        self._kernel_connections: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._server = self._do(self._listen())
        self.port: int = self._server.sockets[0].getsockname()[1]

    def drop(self, refuse_for: float = 0.0) -> int:
        """Cut the kernels' websockets, refuse new ones for some seconds; return how many."""
        return self._do(self._drop(refuse_for))

    def close(self) -> None:
        """Stop listening and cut everything."""
        self._do(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._accept, "127.0.0.1", 0)

    async def _drop(self, refuse_for: float) -> int:
        self._refuse_until = time.monotonic() + refuse_for
        cut = list(self._kernel_connections)
        for writer in cut:
            writer.transport.abort()
        return len(cut)

    async def _stop(self) -> None:
        self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await self._serve(reader, writer)
        finally:
            self._tasks.discard(task)
            self._kernel_connections.discard(writer)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.read(BLOCK)
        if KERNEL_CHANNEL.match(first):
            if time.monotonic() < self._refuse_until:
                return
            self._kernel_connections.add(writer)
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._target)
        try:
            to_server.write(first)
            ways = [
                asyncio.ensure_future(_pass_on(reader, to_server)),
                asyncio.ensure_future(_pass_on(from_server, writer)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        finally:
            to_server.transport.abort()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while block := await reader.read(BLOCK):
            writer.write(block)
            await writer.drain()
        await writer.drain()
