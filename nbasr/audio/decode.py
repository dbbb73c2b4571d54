"""The decoding pass: any recording, streamed, into mono 16 kHz PCM16 on disk, with its levels.

One thread reads and decodes (PyAV), the other mixes, resamples (soxr), measures and writes: both
spend their time outside the interpreter's lock. Frames are gathered into blocks first, because a
frame may be as short as 20 ms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nbasr.audio import _media
from nbasr.audio._arrays import ArraySound
from nbasr.audio._reader import Reader
from nbasr.audio._words import clock, count
from nbasr.audio._writer import Writer
from nbasr.audio.levels import RATE, Levels
from nbasr.errors import AudioError, OptionError

if TYPE_CHECKING:
    from av import AudioFrame

    from nbasr.audio.sources import Content

_BLOCK_BYTES = 1 << 20  # of an array, worked on at once
_FORMATS: dict[str, tuple[str, float, float]] = {  # FFmpeg's name: numpy's, full scale, zero
    "u8": ("u1", 128.0, 128.0),
    "s16": ("i2", 32768.0, 0.0),
    "s32": ("i4", 2.0**31, 0.0),
    "s64": ("i8", 2.0**63, 0.0),
    "flt": ("f4", 1.0, 0.0),
    "dbl": ("f8", 1.0, 0.0),
}
_LEAST_MISSING = 0.25  # s; encoders' padding and rounding make less
_MISSING_SHARE = 0.001
_LOSSLESS = ("pcm_", "flac", "alac", "tta", "wavpack", "ape")
_LEAST_CLIPPED_SHARE = 1e-3  # of a lossy codec: its rare overshoots of full scale are not heard


class AbandonedError(Exception):
    """The pass was told to stop: its result is not needed any more."""


@dataclass(frozen=True)
class Decoded:
    """Outcome of a decoding pass.

    Parameters
    ----------
    samples
        Written, at 16 kHz.
    levels
        Of them.
    sample_rate, channels, codec, format, tags
        Of the source.
    problems
        Ends of sentences that begin with the recording's name.
    """

    samples: int
    levels: Levels
    sample_rate: int
    channels: int
    codec: str
    format: str
    tags: dict[str, str]
    problems: tuple[str, ...]


def decode(
    source: Content | ArraySound,
    target: Path,
    *,
    channel: int | None = None,
    stream: int | None = None,
    abandon: Callable[[], bool] = lambda: False,
) -> Decoded:
    """Decode a source into the new WAV file `target`.

    Parameters
    ----------
    source
        Bytes or array, as `nbasr.audio.sources.resolved` gives them.
    target
        Mono 16 kHz PCM16 WAV.
    channel
        One channel, from 0; None for the mean of all. (swresample's own mix of floats is 3 dB too
        loud for stereo, and 10.7 dB for six channels.)
    stream
        One audio stream, from 0; None for the first.
    abandon
        Asked between blocks whether to stop.

    Raises
    ------
    AudioError
        If nothing can be decoded.
    OptionError
        If there is no such channel or stream.
    AbandonedError
        If `abandon` said so.
    OSError
        If `target` cannot be written.
    """
    if isinstance(source, ArraySound):
        return _decode_array(source, target, channel, stream, abandon)
    return _decode_content(source, target, channel, stream, abandon)


def _decode_array(
    source: ArraySound,
    target: Path,
    channel: int | None,
    stream: int | None,
    abandon: Callable[[], bool],
) -> Decoded:
    channels, samples = source.array.shape
    _check_channel(channel, channels, source.name)
    if stream:
        raise OptionError(f"An array has no streams; leave out stream={stream}.")
    step = max(_BLOCK_BYTES // (channels * source.array.itemsize), 1 << 12)
    with Writer(target) as writer:
        for start in range(0, samples, step):
            if abandon():
                raise AbandonedError
            writer.add(source.block(start, start + step, channel), source.rate)
        levels = writer.finish()
    return Decoded(
        writer.samples,
        levels,
        sample_rate=round(source.rate),
        channels=channels,
        codec=source.kind,
        format="array",
        tags={},
        problems=_problems(
            writer, clips=0.0 if source.array.dtype.kind == "f" else None, damaged=0, declared=None
        ),
    )


def _decode_content(
    source: Content,
    target: Path,
    channel: int | None,
    stream: int | None,
    abandon: Callable[[], bool],
) -> Decoded:
    with _media.opened(source) as (container, wav):
        chosen = _media.audio_stream(container, source.name, stream)
        facts = _media.facts(container, chosen, wav, source)
        _check_channel(channel, facts.channels, source.name)
        reader = Reader(container, chosen, source.name, facts.duration)
        with Writer(target) as writer, reader:
            for block in reader.blocks():
                if abandon():
                    raise AbandonedError
                if isinstance(block, float):
                    for part in _silence(round(block * facts.sample_rate)):
                        writer.add(part, facts.sample_rate)
                else:
                    writer.add(mono_of(block, channel), block.sample_rate)
            levels = writer.finish()
    if reader.damaged * 2 > reader.packets:
        raise AudioError(
            f"{source.name} cannot be decoded: {reader.damaged:,} of its {reader.packets:,} "
            "packets are damaged or encrypted; get a whole copy."
        )
    if not writer.samples:
        raise no_sound(source.name)
    return Decoded(
        writer.samples,
        levels,
        sample_rate=facts.sample_rate,
        channels=facts.channels,
        codec=facts.codec,
        format=facts.format,
        tags=facts.tags,
        problems=_problems(
            writer,
            clips=_may_clip(facts.codec),
            damaged=reader.damaged,
            declared=facts.duration if facts.declared else None,
        ),
    )


def mono_of(frame: AudioFrame, channel: int | None) -> NDArray[np.float32]:
    """Return one channel of a frame, or the mean of all, with full scale at 32768."""
    kind, full_scale, zero = _FORMATS[frame.format.packed.name]
    channels, samples = frame.layout.nb_channels, frame.samples
    planes: Sequence[Any] = frame.planes  # they have the buffer protocol, untold to type checkers
    if frame.format.is_planar:
        lanes = [np.frombuffer(plane, kind, samples) for plane in planes]
    else:
        packed = np.frombuffer(planes[0], kind, samples * channels).reshape(samples, channels)
        if channel is None:
            packed = packed.astype(np.float32)  # all at once: half the time of lane by lane
        lanes = [packed[:, lane] for lane in range(channels)]
    if channel is not None:
        lanes = [lanes[min(channel, channels - 1)]]
    if len(lanes) == 1:
        mono = lanes[0].astype(np.float32)
    else:  # a mean over the short axis takes 15 times as long
        mono = np.add(lanes[0], lanes[1], dtype=np.float32, casting="same_kind")
        for lane in lanes[2:]:
            np.add(mono, lane, out=mono, dtype=np.float32, casting="same_kind")
    if zero:
        mono -= np.float32(zero * len(lanes))
    factor = 32768 / (full_scale * len(lanes))
    if factor != 1:
        mono *= np.float32(factor)
    result: NDArray[np.float32] = mono
    return result


def _silence(samples: int) -> Iterator[NDArray[np.float32]]:
    """Give so many zeros, in blocks: a recorder may have paused for hours."""
    step = _BLOCK_BYTES // 4
    for start in range(0, samples, step):
        yield np.zeros(min(step, samples - start), np.float32)


def no_sound(name: str) -> AudioError:
    """Return what to say of a recording that ends with its header."""
    return AudioError(f"{name} has a header but no sound after it; get a whole copy.")


def short(duration: float, declared: float) -> list[str]:
    """Say that a recording is shorter than it declares (s), unless it is by mere rounding."""
    if declared - duration <= max(_LEAST_MISSING, _MISSING_SHARE * declared):
        return []
    return [
        f"is cut short: its sound ends at {clock(duration)} of the {clock(declared)} that it "
        "declares; what is there was read."
    ]


def _check_channel(channel: int | None, channels: int, name: str) -> None:
    if channel is not None and not 0 <= channel < channels:
        raise OptionError(
            f"{name} has {count(channels, 'channel')}, counted from 0; there is no channel "
            f"{channel}."
        )


def _may_clip(codec: str) -> float | None:
    """Return which share of clipped samples is worth telling; None where none can be the source's.

    Integers cannot exceed full scale: what is clipped of them is the resampler's ripple.
    """
    if codec.startswith("pcm_f"):
        return 0.0
    return None if codec.startswith(_LOSSLESS) else _LEAST_CLIPPED_SHARE


def _problems(
    writer: Writer, *, clips: float | None, damaged: int, declared: float | None
) -> tuple[str, ...]:
    """Say what is not as it should be, in ends of sentences."""
    found = [] if declared is None else short(writer.samples / RATE, declared)
    if damaged > len(found):  # where a file breaks off, half a packet is no damage of its own
        found.append(
            f"is damaged: {count(damaged, 'packet')} could not be decoded and became silence."
        )
    if writer.non_finite:
        found.append(
            f"is damaged: {count(writer.non_finite, 'sample')} were NaN or infinite and became "
            "silence."
        )
    if clips is not None and writer.clipped > clips * writer.samples:
        over = 20 * np.log10(writer.peak / 32768)
        if over >= 0.1:  # less is the resampler's ripple on a source at full scale
            found.append(
                f"exceeds full scale by {over:.1f} dB: {count(writer.clipped, 'sample')} were "
                "clipped; lower its level where it is made."
            )
    return tuple(found)
