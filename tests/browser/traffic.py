"""Records what goes over a page's kernel websocket, message by message."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from playwright.sync_api import Page, WebSocket

OWN = {
    "status",
    *("kernel_info_request", "kernel_info_reply"),
    *("comm_info_request", "comm_info_reply"),
}
"""Messages that are not counted: any page exchanges them with its kernel, whatever it shows."""


@dataclass(frozen=True)
class Message:
    """One message between the page and the kernel."""

    sent: bool
    """True from the page to the kernel, False from the kernel to the page."""
    channel: str
    type: str
    content: dict[str, Any]
    buffers: tuple[int, ...]
    """Bytes of each binary buffer."""
    bytes: int
    """Bytes of the whole frame."""


@dataclass
class Way:
    """What went one way."""

    count: int = 0
    bytes: int = 0


@dataclass
class Traffic:
    """The messages of a page since the last `reset`, without the front end's own talk."""

    sent: Way = field(default_factory=Way)
    received: Way = field(default_factory=Way)
    messages: list[Message] = field(default_factory=list)

    def reset(self) -> None:
        """Forget everything so far."""
        self.sent, self.received = Way(), Way()
        self.messages.clear()

    def watch(self, page: Page) -> None:
        """Listen to every kernel websocket that the page opens from now on."""
        page.on("websocket", self._opened)

    def _opened(self, websocket: WebSocket) -> None:
        if "/channels" not in websocket.url:
            return
        websocket.on("framesent", lambda frame: self._add(frame, sent=True))
        websocket.on("framereceived", lambda frame: self._add(frame, sent=False))

    def _add(self, frame: bytes, *, sent: bool) -> None:
        message = decoded(frame, sent=sent)
        # What the front end does by itself, and a kernel busy with the harness's questions.
        if message.channel == "control" or message.type in OWN:
            return
        way = self.sent if sent else self.received
        way.count += 1
        way.bytes += message.bytes
        self.messages.append(message)


def decoded(frame: bytes, *, sent: bool) -> Message:
    """Read a frame of the protocol v1.kernel.websocket.jupyter.org, where all frames are binary."""
    count = struct.unpack_from("<Q", frame)[0]
    offsets = struct.unpack_from(f"<{count}Q", frame, 8)
    # channel, header, parent header, metadata, content, then the buffers
    sizes = [stop - start for start, stop in pairwise(offsets)]
    channel, header, _, _, content = (
        frame[start : start + size] for start, size in zip(offsets, sizes[:5], strict=False)
    )
    return Message(
        sent,
        channel.decode(),
        json.loads(header)["msg_type"],
        json.loads(content),
        tuple(sizes[5:]),
        len(frame),
    )
