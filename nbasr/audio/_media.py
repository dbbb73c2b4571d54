"""Encoded recordings through PyAV: opened by their content alone, and what they declare."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from nbasr.audio._wav import WavHeader, read_header
from nbasr.audio._words import count
from nbasr.errors import AudioError, OptionError

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer

    from nbasr.audio.sources import Content

_BUFFER = 1 << 18  # bytes read at once
_FORMATS = (  # demuxers that read one file and nothing else: no playlists, devices, image series
    "3gp aac ac3 aiff amr amrnb amrwb ape asf au avi caf dsf dts eac3 flac flv gsm ircam m4a "
    "matroska mj2 mov mp2 mp3 mp4 mpc mpc8 mpeg mpegts mxf nistsphere nut ogg oma qcp rm sln "
    "sox spx tak tta voc w64 wav webm wtv wv xwma"
)
_OPTIONS = {
    "format_whitelist": ",".join(_FORMATS.split()),
    "protocol_whitelist": "none",  # nothing but the bytes that are handed over
    "max_size": str(1 << 18),  # of a packet of plain samples, in place of 4 kB
}
_PLAYLISTS = (b"#extm3u", b"ffconcat", b"[playlist]", b"<asx", b"<smil", b"<mpd", b"<playlist")
_OTHERS = {
    b"PK\x03\x04": "a ZIP archive",
    b"%PDF": "a PDF document",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"MThd": "a MIDI file: notes, not sound",
    b"version https://git-lfs": "a Git LFS pointer; run git lfs pull to get the recording",
}
_LOCKED_TAGS = ("enca", "encv", "drms", "aavd")  # codec tags of protected MPEG-4 sound
_ASF_LOCKS = (  # GUIDs of the (extended) content encryption objects in the header of a WMA file
    bytes.fromhex("fbb31122 23bdd211 b4b700a0 c955fc6e"),
    bytes.fromhex("14e68a29 2226174c b935dae0 7ee9289c"),
)
_DECLARING = ("wav", "flac", "mov", "matroska", "aiff", "caf", "w64", "asf", "avi", "au", "ogg")


@dataclass(frozen=True)
class Facts:
    """What an encoded recording says of itself.

    Parameters
    ----------
    sample_rate, channels, codec, format, tags
        Of the chosen stream and its container.
    streams
        How many audio streams there are.
    duration
        Seconds, as declared or estimated from the size; None if unknown.
    declared
        Whether that duration was written down by who made the file.
    """

    sample_rate: int
    channels: int
    codec: str
    format: str
    tags: dict[str, str]
    streams: int
    duration: float | None
    declared: bool


class _Bytes:
    """A file object that tells PyAV no name: the content alone decides what it is."""

    def __init__(self, file: BinaryIO) -> None:
        self.read, self.seek, self.tell = file.read, file.seek, file.tell


@contextlib.contextmanager
def opened(content: Content) -> Iterator[tuple[InputContainer, WavHeader | None]]:
    """Open an encoded recording; the header comes along if it is a WAV file.

    Raises
    ------
    AudioError
        If it is no recording, or one that must not or cannot be decoded.
    """
    import av
    import av.error

    with content.open() as file:
        head = file.read(1 << 16)
        file.seek(0)
        wav = read_header(file)
        if wav is not None and not (wav.sample_rate and wav.channels):
            raise AudioError(
                f"{content.name} declares {wav.channels} channels at {wav.sample_rate} Hz; its "
                "header is damaged: export it again from the program that made it."
            )
        _refuse_playlist(content.name, head)
        if any(lock in head for lock in _ASF_LOCKS):
            raise _locked(content.name)
        file.seek(0)
        # Tags may be in any encoding; PyAV 19 has no choice for that any more.
        tolerant: dict[str, Any] = {"metadata_errors": "replace"} if av.__version__ < "19" else {}
        try:
            container = av.open(
                _Bytes(file),
                "r",
                options=_OPTIONS,
                buffer_size=_BUFFER,
                io_open=_refuse_nested,
                **tolerant,
            )
        except (av.error.FFmpegError, ValueError, OSError):
            raise AudioError(_unreadable(content, head)) from None
        with container:
            yield container, wav


def audio_stream(container: InputContainer, name: str, stream: int | None) -> AudioStream:
    """Return the audio stream that is meant; the first if `stream` is None.

    Raises
    ------
    AudioError
        If there is none, or it is encrypted or of an unknown codec.
    OptionError
        If there are fewer.
    """
    streams = container.streams.audio
    if not streams:
        kinds = sorted({found.type for found in container.streams if found.type})
        what = f"only {' and '.join(kinds)}" if kinds else "no stream at all"
        raise AudioError(f"{name} has no sound: there is {what} in it.")
    if stream is not None and not 0 <= stream < len(streams):
        raise OptionError(
            f"{name} has {count(len(streams), 'audio stream')}, counted from 0; there is no "
            f"stream {stream}."
        )
    chosen = streams[stream or 0]
    codec = chosen.codec_context
    if codec is None:
        raise AudioError(f"{name} is in a codec that is not known here; convert it to WAV first.")
    tag = str(codec.codec_tag).lower()
    if tag in _LOCKED_TAGS or "enc_key_id" in chosen.metadata:  # the latter in Matroska and WebM
        raise _locked(name)
    if not codec.sample_rate or not codec.layout.nb_channels:
        raise AudioError(
            f"{name} declares {codec.layout.nb_channels} channels at {codec.sample_rate} Hz; "
            "its header is damaged: export it again from the program that made it."
        )
    return chosen


def check_lock(packet: Any, name: str) -> None:
    """Raise `AudioError` if a packet is encrypted (MPEG common encryption)."""
    if packet.has_sidedata("encryption_info") or packet.has_sidedata("encryption_init_info"):
        raise _locked(name)


def facts(
    container: InputContainer, stream: AudioStream, wav: WavHeader | None, content: Content
) -> Facts:
    """Return what is declared, without decoding."""
    codec = stream.codec_context
    duration: float | None = None
    form = container.format.name.split(",")[0]
    declared = form in _DECLARING
    if wav is not None:
        bytes_a_second = wav.sample_rate * wav.channels * wav.bits / 8
        if wav.declared_bytes is not None and wav.code in (1, 3) and bytes_a_second:
            duration = wav.declared_bytes / bytes_a_second
        else:
            declared = False
    if duration is None and stream.duration is not None and stream.time_base is not None:
        duration = float(stream.duration * stream.time_base)
    elif duration is None and container.duration is not None:
        duration = container.duration / 1e6
        declared = declared and len(container.streams) == 1  # a picture may last longer than sound
    if form == "mp3":
        with content.open() as file:
            declared = _counts_frames(file)
    return Facts(
        sample_rate=codec.sample_rate,
        channels=codec.layout.nb_channels,
        codec=codec.codec.canonical_name,
        format=container.format.name,
        tags={**container.metadata, **stream.metadata},
        streams=len(container.streams.audio),
        duration=duration if duration and duration > 0 else None,
        declared=declared,
    )


def _counts_frames(file: BinaryIO) -> bool:
    """Whether an MP3 file declares its length, in a Xing, Info or VBRI frame."""
    head = file.read(10)
    skip = 0
    if head[:3] == b"ID3" and len(head) == 10:
        skip = 10 + sum(
            (byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True)
        )
    file.seek(skip)
    frame = file.read(4096)
    return any(mark in frame for mark in (b"Xing", b"Info", b"VBRI"))


def _refuse_nested(url: str, flags: int, options: dict[str, str]) -> BinaryIO:  # noqa: ARG001
    """Keep FFmpeg from opening any other file or address that a crafted file names."""
    raise PermissionError("a recording may not name other files")


def _refuse_playlist(name: str, head: bytes) -> None:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:4096].lower()
    if start.startswith(_PLAYLISTS) or (start.startswith(b"<?xml") and b"<mpd" in start):
        raise AudioError(f"{name} is a playlist; open the recordings that it names one by one.")


def _locked(name: str) -> AudioError:
    return AudioError(
        f"{name} is encrypted (DRM), so its sound cannot be read; get a copy without protection."
    )


def _unreadable(content: Content, head: bytes) -> str:
    """Say as well as possible what the bytes are that FFmpeg does not know."""
    name = content.name
    for mark, what in _OTHERS.items():
        if head.startswith(mark):
            return f"{name} is not a recording but {what}."
    if not head.strip(b"\0"):
        return f"{name} holds nothing but zeros: its copy or download went wrong."
    if head[4:8] == b"ftyp" and not _has_index(content):
        return (
            f"{name} is cut short: its index (moov), which comes last, is missing, so nothing can "
            "be decoded; get a whole copy."
        )
    if head.startswith((b"RIFF", b"RF64", b"fLaC", b"OggS", b"\x1aE\xdf\xa3", b"ID3", b"FORM")):
        return f"{name} is damaged or cut short in its header; get a whole copy."
    if _is_text(head):
        page = b"<html" in head[:4096].lower() or b"<!doctype" in head[:4096].lower()
        what = "a web page" if page else "text"
        if isinstance(content.where, bytes):
            return f"The bytes hold {what}, not sound."
        return f"{name} holds {what}, not sound, whatever its name says."
    return f"{name} is in no format that is known here, or damaged; convert it to WAV first."


def _is_text(head: bytes) -> bool:
    sample = head[:4096]
    if any(byte < 9 for byte in sample):
        return False
    try:
        sample.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(sample) - 4
    return True


def _has_index(content: Content) -> bool:
    """Whether an MPEG-4 file has a moov box at its top level."""
    with content.open() as file:
        at, end = 0, content.size
        while at + 8 <= end:
            file.seek(at)
            head = file.read(16)
            if head[4:8] == b"moov":
                return True
            length = int.from_bytes(head[:4], "big")
            if length == 1:
                length = int.from_bytes(head[8:16], "big")
            if length < 8:
                return False
            at += length
    return False
