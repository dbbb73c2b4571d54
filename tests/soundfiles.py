"""Recordings for tests, made by PyAV: tones and noise in any codec, whole or spoilt."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

RATE = 44100


def tone(
    seconds: float = 2.0, rate: int = RATE, hertz: float = 440.0, level: float = 0.25
) -> NDArray[np.float32]:
    """Return (samples,) of a sine."""
    times = np.arange(round(seconds * rate)) / rate
    return (level * np.sin(2 * np.pi * hertz * times)).astype(np.float32)


def speechlike(seconds: float, rate: int = RATE, seed: int = 0) -> NDArray[np.float32]:
    """Return (samples,) of noise that comes and goes every second over a soft background."""
    random = np.random.default_rng(seed)
    times = np.arange(round(seconds * rate)) / rate
    voice = np.where(times % 1.0 < 0.6, 0.2, 0.002)
    return (voice * random.standard_normal(len(times))).clip(-1, 1).astype(np.float32)


def encode(
    target: Path | io.BytesIO,
    codec: str = "pcm_s16le",
    sound: NDArray[np.float32] | None = None,
    *,
    rate: int = RATE,
    layout: str = "stereo",
    form: str | None = None,
    options: dict[str, str] | None = None,
    codec_options: dict[str, str] | None = None,
    tags: dict[str, str] | None = None,
) -> Any:
    """Write `sound`, (samples,) or (channels, samples), as one audio stream; return `target`."""
    sound = tone(rate=rate) if sound is None else sound
    file = str(target) if isinstance(target, Path) else target
    with av.open(file, "w", format=form, options=options or {}) as container:
        container.metadata.update(tags or {})
        stream = container.add_stream(codec, rate=rate, layout=layout, options=codec_options or {})
        channels = stream.codec_context.layout.nb_channels
        rows = np.broadcast_to(np.atleast_2d(sound), (channels, sound.shape[-1]))
        packed = np.ascontiguousarray(rows.T, np.float32).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        for part in (frame, None):
            container.mux(stream.encode(part))
    return target


def encoded(form: str, codec: str, sound: NDArray[np.float32] | None = None, **how: Any) -> bytes:
    """Return what `encode` writes as bytes."""
    return encode(io.BytesIO(), codec, sound, form=form, **how).getvalue()


def video(target: Path, sounds: list[NDArray[np.float32]], pictures: bool = True) -> Path:
    """Write an MPEG-4 file with half a second of picture and one mono audio stream per sound."""
    with av.open(str(target), "w") as container:
        streams = [container.add_stream("aac", rate=RATE, layout="mono") for _ in sounds]
        screen = None
        if pictures:
            screen = container.add_stream("mpeg4", rate=10)
            screen.width = screen.height = 64
            screen.pix_fmt = "yuv420p"
        for stream, sound in zip(streams, sounds, strict=True):
            frame = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
            for part in (frame, None):
                container.mux(stream.encode(part))
        if screen is not None:
            for number in range(5):
                picture = av.VideoFrame(64, 64, "yuv420p")
                picture.pts, picture.time_base = number, Fraction(1, 10)
                container.mux(screen.encode(picture))
            container.mux(screen.encode(None))
    return target
