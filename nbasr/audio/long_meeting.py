"""A meeting of any length with known truth, put together from the pieces of the bundled one."""

from __future__ import annotations

import contextlib
import hashlib
import math
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nbasr.audio import cache
from nbasr.audio._saving import replacing
from nbasr.audio._wav import make_header
from nbasr.audio.levels import RATE
from nbasr.audio.reference import Piece, Reference, Turn

ROOM_DB = -60.0  # of the bundled meeting's room, dBFS; so a piece brings the right noise with it
FADE = 0.005  # s, around each piece: its own room passes into the new one's
MANNERS = (  # how a stretch is spoken: shortest and longest pause in s
    (0.8, 3.0),  # thoughtful
    (0.2, 1.2),  # lively
    (0.02, 0.12),  # hurried: hardly a pause to cut in
)
STRETCH = (15.0, 60.0)  # s, how long one manner lasts
GAIN_DB = (-2.0, 0.0)  # of a turn; never louder, so that a piece's noise stays below the room's;
# 4 dB less doubles PocketSphinx's errors on the quiet talker
PIECES = (1, 1, 1, 2, 2, 3)  # how many make a turn
ENDS = 1.0  # s of room before the first and, at least, after the last turn
KEPT = 3  # files; an hour is 115 MB
_FORM = 1  # counted up when the sound of the same placements changes


class RoomNoise:
    """Noise of a quiet room, without end: white noise through a one-pole low-pass.

    The pole at 0.85 puts its weight below some 400 Hz, as ventilation does. The recursion is
    written as (1 + az)(1 + a²z²)(1 + a⁴z⁴)…, whose factors are whole-array operations; what is
    left out after 64 samples is below -90 dB.

    Parameters
    ----------
    seed
        The same seed gives the same noise.
    """

    _POLE = 0.85
    _REACH = 63

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._before = np.zeros(self._REACH)

    def next(self, samples: int) -> NDArray[np.float64]:
        """Return the next `samples` samples, of RMS 1."""
        noise = np.concatenate([self._before, self._random.standard_normal(samples)])
        self._before = noise[len(noise) - self._REACH :].copy()
        step = 1
        while step <= self._REACH:
            noise[step:] += self._POLE**step * noise[:-step]
            step *= 2
        return noise[self._REACH :] * math.sqrt(1 - self._POLE**2)


@dataclass(frozen=True)
class _Placed:
    """One piece of the source at its new place (samples)."""

    source_start: int
    source_stop: int
    start: int
    gain: float

    @property
    def stop(self) -> int:
        return self.start + self.source_stop - self.source_start


def compose(source: Reference, minutes: float, seed: int) -> tuple[list[_Placed], Reference]:
    """Decide what is said when; the sound comes from `render`.

    Parameters
    ----------
    source
        The bundled meeting.
    minutes
        Length of the new one.
    seed
        The same seed gives the same meeting.

    Returns
    -------
    placements and the reference
    """
    chance = random.Random(seed)
    total = round(minutes * 60 * RATE)
    spoken: dict[str, list[Piece]] = {}
    for turn in source.turns:
        spoken.setdefault(turn.speaker, []).extend(turn.pieces)
    decks = {speaker: _deck(pieces, chance) for speaker, pieces in spoken.items()}
    placed: list[_Placed] = []
    turns: list[Turn] = []
    at = ends_manner = round(ENDS * RATE)
    speaker = ""
    pauses = MANNERS[0]
    full = False
    while not full:
        speaker = chance.choice([name for name in decks if name != speaker] or list(decks))
        gain = 10 ** (chance.uniform(*GAIN_DB) / 20)
        pieces = []
        for _ in range(chance.choice(PIECES)):
            if at >= ends_manner:
                pauses = chance.choice([manner for manner in MANNERS if manner != pauses])
                ends_manner = at + round(chance.uniform(*STRETCH) * RATE)
            piece = next(decks[speaker])
            new = _Placed(round(piece.start * RATE), round(piece.stop * RATE), at, gain)
            if new.stop + ENDS * RATE > total:
                full = True
                break
            placed.append(new)
            pieces.append(piece.moved(at / RATE))
            at = new.stop + round(chance.uniform(*pauses) * RATE)
        if pieces:
            turns.append(Turn(speaker, tuple(pieces)))
    return placed, Reference(tuple(turns), total / RATE)


def _deck(pieces: Sequence[Piece], chance: random.Random) -> Iterator[Piece]:
    """Deal the pieces in random order for ever, none twice before all have been."""
    while True:
        yield from chance.sample(pieces, len(pieces))


def render(
    samples: NDArray[np.int16], placed: Sequence[_Placed], total: int, seed: int
) -> Iterator[NDArray[np.int16]]:
    """Give the sound of the placements block by block.

    Parameters
    ----------
    samples
        Sound of the bundled meeting, mono 16 kHz.
    placed
        From `compose`.
    total
        Length in samples.
    seed
        Of the room's noise.

    Yields
    ------
    blocks of at most some seconds, together `total` samples
    """
    fade = round(FADE * RATE)
    ramp = np.sin(np.linspace(0, np.pi / 2, fade, endpoint=False))
    noise = RoomNoise(seed)
    level = 10 ** (ROOM_DB / 20) * 32768
    at = 0
    for one in placed:
        piece = samples[one.source_start - fade : one.source_stop + fade]
        share = np.full(len(piece), one.gain)
        share[:fade] *= ramp
        share[len(share) - fade :] *= ramp[::-1]
        block = noise.next(one.stop + fade - at) * level
        inside = block[len(block) - len(piece) :]
        inside *= np.sqrt(1 - share**2)  # so that the room is as loud under speech as between it
        inside += piece * share
        yield _int16(block)
        at = one.stop + fade
    yield _int16(noise.next(total - at) * level)


def _int16(sound: NDArray[np.float64]) -> NDArray[np.int16]:
    return np.clip(np.rint(sound), -32768, 32767).astype(np.int16)


def build(
    samples: NDArray[np.int16], source: Reference, minutes: float, seed: int, folder: Path
) -> tuple[Path, Reference]:
    """Return the file of a long meeting and its reference; write the file if it is not there.

    Parameters
    ----------
    samples, source
        Sound of the bundled meeting (mono 16 kHz), and its reference.
    minutes, seed
        As in `compose`.
    folder
        Where the file is kept; made if need be.

    Raises
    ------
    AudioError
        If the file cannot be written.
    """
    placed, reference = compose(source, minutes, seed)
    total = round(minutes * 60 * RATE)
    key = hashlib.sha256(f"{_FORM} {seed} {placed} {total}".encode())
    key.update(samples.tobytes())
    path = folder / f"long-meeting-{minutes:g}min-{seed}-{key.hexdigest()[:10]}.wav"
    if path.is_file():
        return path, reference
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(path, overwrite=True) as beside, beside.open("wb") as file:
            file.write(make_header(total))
            for block in render(samples, placed, total, seed):
                file.write(block.astype("<i2").data)
    except OSError as error:
        raise cache.explained(error, "the long meeting") from None
    _trim(folder)
    return path, reference


def _trim(folder: Path) -> None:
    """Remove all but the newest long meetings, and what a killed process left half-written."""
    made = sorted(folder.glob("long-meeting-*.wav"), key=lambda file: -file.stat().st_mtime)
    left = [part for part in folder.glob(".*.part") if time.time() - part.stat().st_mtime > 86_400]
    for file in [*made[KEPT:], *left]:
        with contextlib.suppress(OSError):  # Windows keeps what is mapped
            file.unlink()
