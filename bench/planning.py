"""Levels, pauses and plans of an hour: their time, and how often each strategy cuts into speech.

Run it with ``python bench/planning.py``. The hour is the bundled meeting's pieces with known truth.
One pass of numpy is ``samples.sum()`` over the same int16 memory map: each sample read once.
Peers take turns in each round, so that a busy machine slows all of them.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

from nbasr import samples
from nbasr.audio.levels import Levels
from nbasr.audio.recording import Recording
from nbasr.audio.reference import Reference
from nbasr.chunking import Fixed, Optimal, Silence, Vad, pauses

LEVELS_LIMIT = 3.0
"""Most that the levels of an hour may take, in passes of numpy over the samples."""

PAUSES_LIMIT = 0.001
"""Most seconds that the pauses of an hour may take, from cached levels."""

PLAN_LIMIT = 0.050
"""Most seconds that an `Optimal` plan of an hour may take."""

MAXIMA = (8.0, 30.0)

EDGE = 0.1
"""Seconds at both ends of a known turn that are too soft to be heard: a cut there hits no word."""


def rounds(count: int, **peers: Callable[[], object]) -> dict[str, float]:
    """Return the median seconds of each peer; the first round, which fills caches, is left out."""
    taken: dict[str, list[float]] = {name: [] for name in peers}
    for _ in range(count + 1):
        for name, peer in peers.items():
            before = time.perf_counter()
            peer()
            taken[name].append(time.perf_counter() - before)
    return {name: statistics.median(times[1:]) for name, times in taken.items()}


def fresh(levels: Levels) -> Levels:
    """Return the levels as just read from the cache: nothing about the noise floor is known."""
    return Levels(levels.rms_db, levels.peaks, levels.samples)


def verdict(value: float, limit: float) -> str:
    return "reached" if value <= limit else "MISSED"


def times(recording: Recording, count: int, *, librosa: bool) -> None:
    """Print the times of levels, pauses and plans."""
    pcm = recording.samples
    levels = recording.levels()
    pauses(levels)
    taken = rounds(
        count,
        sum=lambda: int(pcm.sum()),
        levels=lambda: Levels.of(pcm),
        pauses=lambda: pauses(levels),
        threshold=lambda: pauses(levels, threshold_db=-45.0),
        plan=lambda: Optimal().plan(levels),
        fresh_plan=lambda: Optimal().plan(fresh(levels)),
    )
    one = taken["sum"]
    print("| of an hour | median | in passes of numpy | |\n|---|---|---|---|")
    print(f"| one pass of numpy (`samples.sum()`) | {1000 * one:.1f} ms | 1 | |")
    ratio = taken["levels"] / one
    print(
        f"| `Levels.of` | {1000 * taken['levels']:.1f} ms | {ratio:.2f} | "
        f"{verdict(ratio, LEVELS_LIMIT)}: at most {LEVELS_LIMIT:g} |"
    )
    if librosa:
        from librosa.effects import split

        sound = pcm.astype(np.float32) / 32768
        slow = rounds(1, split=lambda: split(sound, top_db=40, frame_length=2048, hop_length=512))
        print(
            f"| `librosa.effects.split` | {1000 * slow['split']:.0f} ms | "
            f"{slow['split'] / one:.0f} | {slow['split'] / taken['levels']:.0f} × `Levels.of` |"
        )
    for name, told, limit in (
        ("pauses", "`pauses`, from cached levels", PAUSES_LIMIT),
        ("threshold", "`pauses`, at another threshold", PAUSES_LIMIT),
        ("plan", "`Optimal` plan, with its pauses", PLAN_LIMIT),
        ("fresh_plan", "the same, with the noise floor", PLAN_LIMIT),
    ):
        print(
            f"| {told} | {1000 * taken[name]:.2f} ms | {taken[name] / one:.2f} | "
            f"{verdict(taken[name], limit)}: at most {1000 * limit:g} ms |"
        )


def cuts(recording: Recording, truth: Reference) -> None:
    """Print where each strategy cuts, against the known turns."""
    pieces = [(piece.start, piece.stop) for turn in truth.turns for piece in turn.pieces]
    cores = [(start + EDGE, stop - EDGE) for start, stop in pieces]
    print("\n| strategy | chunks | longest | cuts in speech | … deeper than 0.1 s | median pause |")
    print("|---|---|---|---|---|---|")  # deep: further than EDGE from both ends of a piece
    for longest in MAXIMA:
        for kind in (Fixed, Silence, Optimal, Vad):
            plan = kind(max_seconds=longest).plan(recording)
            pause = statistics.median(cut.pause for cut in plan.cuts)
            print(
                f"| {plan.strategy} | {len(plan.chunks)} | {plan.longest:.1f} s | "
                f"{plan.share_of_cuts_in(pieces):.1%} | {plan.share_of_cuts_in(cores):.1%} | "
                f"{pause:.2f} s |"
            )


def main() -> None:
    """Measure and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9, help="of each measurement (default: 9)")
    parser.add_argument("--minutes", type=float, default=60, help="of sound (default: 60)")
    parser.add_argument("--no-librosa", action="store_true", help="leave librosa out")
    given = parser.parse_args()
    recording, truth = samples.long_meeting(given.minutes)
    times(recording, given.rounds, librosa=not given.no_librosa)
    cuts(recording, truth)


if __name__ == "__main__":
    main()
