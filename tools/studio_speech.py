"""Synthetic speech for training: sentences spoken by flite, and rooms in which they are heard.

flite is a program (Debian and Ubuntu: ``apt-get install flite``); its voices rms, slt, awb and
kal16 speak clear American and Scottish English.
"""

from __future__ import annotations

import concurrent.futures
import os
import random
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from meeting_grammar import salad, sentence
from numpy.typing import NDArray

RATE = 16_000
STEP = 320  # samples of an encoder frame and of a time token: 20 ms
PITCHES = {"rms": None, "slt": 170.0, "awb": 125.0, "kal16": 105.0}  # voices; Hz where it varies
HELD_SPEEDS = (0.90, 0.95)  # flite's duration_stretch that is kept for the evaluation


@dataclass(frozen=True)
class Clip:
    """A spoken sentence: int16 at 16 kHz without silence around it."""

    text: str
    samples: NDArray[np.int16]


def speak(job: tuple[str, str, float, float | None]) -> Clip | None:
    """Let flite say a text by a voice, stretched in time, at a pitch; None if it stays silent."""
    text, voice, stretch, pitch = job
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        options = ["--setf", f"duration_stretch={stretch:.3f}"]
        if pitch is not None:
            options += ["--setf", f"int_f0_target_mean={pitch:.1f}"]
        subprocess.run(
            ["flite", "-voice", voice, *options, "-t", text, "-o", str(path)], check=True
        )
        sound, rate = soundfile.read(path, dtype="float32")
    loud = np.flatnonzero(np.abs(sound) > 0.004)
    if rate != RATE or len(loud) < RATE // 10:
        return None
    sound = sound[max(0, loud[0] - STEP) : loud[-1] + 2 * STEP]
    return Clip(text, (sound / np.abs(sound).max() * 29_000).astype(np.int16))


def speak_all(count: int, seed: int, *, held: bool, without: set[str]) -> list[Clip]:
    """Speak `count` texts, of the held-out speeds or of all others."""
    draw = random.Random(seed)
    jobs = []
    while len(jobs) < count:
        text = salad(draw) if not held and draw.random() < 0.35 else sentence(draw)
        stretch = draw.uniform(*HELD_SPEEDS) if held else draw.uniform(0.84, 1.2)
        if text in without or (not held and HELD_SPEEDS[0] <= stretch <= HELD_SPEEDS[1]):
            continue
        voice = draw.choice(list(PITCHES))
        mean = PITCHES[voice]
        jobs.append((text, voice, stretch, mean and mean * draw.uniform(0.85, 1.18)))
        if held:
            without.add(text)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return [clip for clip in pool.map(speak, jobs) if clip is not None]


def meeting_turns() -> set[str]:
    """Return the sentences of the bundled meeting, which must stay unknown to the model."""
    text = (Path(__file__).parent / "meeting.txt").read_text(encoding="utf-8")
    return {" ".join(line.split(":", 1)[-1].split("[")[0].split()) for line in text.splitlines()}


def training_clips(path: Path, count: int, held: list[Clip]) -> list[Clip]:
    """Return the clips kept in a file, spoken now if it is not there."""
    if not path.is_file():
        without = {clip.text for clip in held} | meeting_turns()
        clips = speak_all(count, 1, held=False, without=without)
        lengths = [len(clip.samples) for clip in clips]
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(
            path,
            texts=np.array([clip.text for clip in clips]),
            ends=np.cumsum(lengths),
            samples=np.concatenate([clip.samples for clip in clips]),
        )
    with np.load(path) as kept:
        parts = np.split(kept["samples"], kept["ends"][:-1])
        return [Clip(str(text), part) for text, part in zip(kept["texts"], parts, strict=True)]


class Room:
    """Puts clips into a room: level, tempo, echo, noise, silence around and between them."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.noise = np.random.default_rng(seed)

    def scene(self, clips: list[Clip]) -> tuple[NDArray[np.float32], list[tuple[str, int, int]]]:
        """Return the sound, and each clip's text with where it starts and stops, in samples."""
        level = self.draw.uniform(-32, -14)
        parts = [np.zeros(self._gap(0.0, 0.8), np.float32)]
        said = []
        for clip in clips:
            start = sum(map(len, parts))
            sound = self._clip(clip, level + self.draw.uniform(-6, 3))
            parts.append(np.pad(sound, (0, -len(sound) % STEP)))
            said.append((clip.text, start, start + len(parts[-1])))
            parts.append(np.zeros(self._gap(0.2, 1.0), np.float32))
        return self._channel(np.concatenate(parts), level), said

    def nobody(self) -> NDArray[np.float32]:
        """Return silence or noise of up to six seconds."""
        silence = np.zeros(self._gap(0.5, 6.0), np.float32)
        return self._channel(silence, self.draw.uniform(-60, -20))

    def _gap(self, shortest: float, longest: float) -> int:
        return round(self.draw.uniform(shortest, longest) * RATE / STEP) * STEP

    def _clip(self, clip: Clip, level: float) -> NDArray[np.float32]:
        sound = clip.samples.astype(np.float32)
        if self.draw.random() < 0.6:  # tempo and pitch together
            places = np.arange(0, len(sound) - 1, self.draw.uniform(0.92, 1.09))
            sound = np.interp(places, np.arange(len(sound)), sound).astype(np.float32)
        return sound * np.float32(10 ** (level / 20) / (np.sqrt(np.mean(sound**2)) + 1e-9))

    def _channel(self, sound: NDArray[np.float32], level: float) -> NDArray[np.float32]:
        if self.draw.random() < 0.25:
            length = int(self.draw.uniform(0.04, 0.25) * RATE)
            echo = self.noise.standard_normal(length) * np.exp(-6 * np.arange(length) / length)
            echo[0] += self.draw.uniform(3, 12)
            size = 2 ** (len(sound) + length).bit_length()
            heard = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(echo, size), size)
            sound = (heard[: len(sound)] / np.sqrt(np.sum(echo**2))).astype(np.float32)
        if self.draw.random() < 0.75:
            hiss = self.noise.standard_normal(len(sound))
            if self.draw.random() < 0.5:  # darker: each sample the mean of its neighbours
                hiss = np.convolve(hiss, np.ones(self.draw.randint(2, 8)), "same")
            loudness = 10 ** ((level - self.draw.uniform(12, 45)) / 20)
            sound = sound + (hiss * loudness / hiss.std()).astype(np.float32)
        return np.clip(sound, -1, 1)
