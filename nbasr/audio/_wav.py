"""Headers of WAV files: read to the byte, because FFmpeg hides what they declare, and written."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

from nbasr.audio.levels import RATE

HEADER_BYTES = 44
_PCM = 1
_EXTENSIBLE = 0xFFFE
_STREAMED = 0x7FFFF000  # programs that write into a pipe declare 2 or 4 GiB, or nothing
_FORMAT_BYTES = 40  # of the longest form that a "fmt " chunk has
_MOST_CHUNKS = 64  # before the data; more is no WAV file that anybody made


@dataclass(frozen=True)
class WavHeader:
    """What a WAV file declares.

    Parameters
    ----------
    code
        Kind of samples: 1 is integer PCM, 3 float.
    channels, sample_rate, bits
        As declared, possibly 0.
    start
        Where the samples begin, in bytes.
    declared_bytes
        How many bytes of samples should follow; None if it does not say.
    """

    code: int
    channels: int
    sample_rate: int
    bits: int
    start: int
    declared_bytes: int | None

    @property
    def is_ours(self) -> bool:
        """Whether the samples are mono 16 kHz PCM16: what nbasr works on."""
        return (self.code, self.channels, self.sample_rate, self.bits) == (_PCM, 1, RATE, 16)


def read_header(file: BinaryIO) -> WavHeader | None:
    """Read the header of a RIFF WAVE file; None if it is another kind of file or cut in it."""
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        return None
    kind: tuple[int, int, int, int] | None = None
    for _ in range(_MOST_CHUNKS):
        head = file.read(8)
        if len(head) < 8:
            return None
        name, length = head[:4], int.from_bytes(head[4:], "little")
        if name == b"data":
            if kind is None:
                return None
            declared = None if length == 0 or length >= _STREAMED else length
            return WavHeader(*kind, start=file.tell(), declared_bytes=declared)
        if name == b"fmt ":
            body = file.read(min(length, _FORMAT_BYTES))  # it may claim to be 4 GiB long
            if len(body) < 16:
                return None
            code, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
            if code == _EXTENSIBLE and len(body) >= 26:
                code = int.from_bytes(body[24:26], "little")  # first field of the sub-format
            kind = (code, channels, rate, bits)
            file.seek(length + length % 2 - len(body), 1)
        else:
            file.seek(length + length % 2, 1)
    return None


def make_header(samples: int) -> bytes:
    """Return the 44 bytes in front of `samples` mono 16 kHz PCM16 samples.

    Sizes that 32 bits cannot hold (37 hours) are declared as unknown, as streaming programs do.
    """
    data_bytes = 2 * samples
    if data_bytes > 0xFFFFFFFF - 36:
        data_bytes = 0xFFFFFFFF - 36
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", data_bytes + 36, b"WAVE", b"fmt ", 16, _PCM, 1, RATE, 2 * RATE, 2, 16),
        *(b"data", data_bytes),
    )
