"""Sound into a file for people: WAV or FLAC, written beside its place and renamed into it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from nbasr import _files
from nbasr.audio._wav import make_header
from nbasr.audio._words import reason
from nbasr.audio.levels import RATE
from nbasr.errors import AudioError, OptionError, did_you_mean

if TYPE_CHECKING:
    from av.audio.stream import AudioStream

_BLOCK = 1 << 19  # samples
_SUFFIXES = (".wav", ".flac")


def save(samples: NDArray[np.int16], path: Path, name: str, *, overwrite: bool) -> Path:
    """Write mono 16 kHz samples to `path`; its suffix says how. See `Recording.save`."""
    path = Path(_files.expanded(path))
    if path.is_dir():
        path = path / (Path(name).stem + ".wav")
    suffix = path.suffix.lower()
    if suffix not in _SUFFIXES:
        raise OptionError(
            f"A recording is saved as .wav or .flac, not as {path.name!r}."
            f"{did_you_mean(suffix, _SUFFIXES)}"
        )
    with replacing(path, overwrite=overwrite) as beside, beside.open("wb") as file:
        write_wav(samples, file) if suffix == ".wav" else encode(samples, file, "flac", "flac")
    return path


@contextlib.contextmanager
def replacing(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """Give a free name beside `path`; what is written there takes its place when all went well.

    Raises
    ------
    AudioError
        If `path` exists and may not be overwritten, or cannot be written.
    """
    taken = AudioError(f"{path} exists already; choose another name, or pass overwrite=True.")
    if path.exists() and not overwrite:
        raise taken
    try:
        with _files.replacing(path) as beside:
            yield beside
            if path.exists() and not overwrite:  # made by somebody else meanwhile
                raise taken
    except OSError as error:
        raise AudioError(f"{path} cannot be written ({reason(error)}).") from None


def write_wav(samples: NDArray[np.int16], file: BinaryIO) -> None:
    """Write samples as a PCM16 WAV file."""
    file.write(make_header(len(samples)))
    for start in range(0, len(samples), _BLOCK):
        file.write(np.ascontiguousarray(samples[start : start + _BLOCK], "<i2").data)


def encode(
    samples: NDArray[np.int16],
    file: BinaryIO,
    form: str,
    codec: str,
    bits_per_second: int | None = None,
) -> None:
    """Encode samples with PyAV.

    Parameters
    ----------
    samples
        Mono, 16 kHz.
    file
        Written.
    form, codec
        FFmpeg's names of the container and the encoder.
    bits_per_second
        For lossy codecs.
    """
    import av

    with av.open(file, "w", format=form) as container:
        stream = cast("AudioStream", container.add_stream(codec, rate=RATE, layout="mono"))
        if bits_per_second is not None:
            stream.bit_rate = bits_per_second
        for start in range(0, len(samples), _BLOCK):
            block = np.ascontiguousarray(samples[None, start : start + _BLOCK])
            frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
            frame.sample_rate, frame.pts = RATE, start
            frame.time_base = Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
