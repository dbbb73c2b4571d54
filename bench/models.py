"""Models on a CPU: what weights take, what stays after an unload, text and speed by precision.

    python -m bench.models [--keep FOLDER] [--only PART]

It needs no network and 16 GB of memory: full-size checkpoints with random weights, on which memory
and speed do not depend (``bench/checkpoints.py``), are made first, 7 GB of them; the text is that
of the small trained ones. Every measurement of memory runs in a process of its own. Peers take
turns in each round, so that a busy machine slows all of them.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from bench.checkpoints import ASSETS, make
from bench.gpu import head, mb, row
from bench.model_work import (
    Precision,
    apart,
    held,
    pace,
    peaks_of,
    read_out,
    resident_after,
    twice,
)
from bench.planning import verdict
from nbasr import models
from nbasr.engines.quantization import Quantization

GIB = 2**30

FULL = {"qwen3-asr-1.7b": "Qwen/Qwen3-ASR-1.7B-hf", "whisper-large-v3": "openai/whisper-large-v3"}
SMALL = {
    "qwen3-asr-1.7b": ASSETS / "qwen3-asr-tiny-meeting",
    "whisper-large-v3": ASSETS / "whisper-tiny-meeting",
}

WHOLE = {
    "int8": Quantization("int8", audio_tower=True),
    "nf4": Quantization("nf4", audio_tower=True, double=False),
    "nf4, doubly": Quantization("nf4", audio_tower=True),
}
PRECISIONS = (
    Precision("bf16", "bf16"),
    *(Precision(f"{name}, audio tower too", "bf16", how) for name, how in WHOLE.items()),
    Precision("int8", "bf16", Quantization("int8")),
    Precision("nf4, doubly", "bf16", Quantization("nf4")),
)

SPEEDS = (
    Precision("float32", "float32"),
    Precision("bf16", "bf16"),
    Precision("int8, rest float32", "float32", Quantization("int8")),
    Precision("int8, rest bf16", "bf16", Quantization("int8")),
    Precision("nf4, doubly, rest float32", "float32", Quantization("nf4")),
    Precision("nf4, doubly, rest bf16", "bf16", Quantization("nf4")),
)

TABLE = {
    "qwen3-asr-1.7b": (3.80, 2.20, 1.49),
    "whisper-large-v3": (2.88, 1.51, 0.91),
}
"""GiB in bf16, int8 and nf4, all linear layers but the head quantised: what was to be reached."""

WEIGHTS_LIMIT, GROWTH_LIMIT, RESIDUE_LIMIT = 0.01, 0.10, 0.05
AGAIN_LIMIT = 2.0
SLOPE_LIMIT = 1_000_000
WER_LIMIT = 0.06

WORKS = ((30.0, 1), (30.0, 4), (10.0, 12))
"""Batches whose peak is measured: seconds of each sound, and how many."""


def sizes(place: Path) -> None:
    """Weights of each precision against what was predicted, and what stays of them."""
    for name, source in FULL.items():
        folder = make(source, place / source.split("/")[1])
        found = {one.name: apart(held, folder, SMALL[name], one) for one in PRECISIONS}
        if name == "qwen3-asr-1.7b":
            plain = Precision("float32", "float32")
            found = {"float32": apart(held, folder, SMALL[name], plain), **found}
        wished = dict(
            zip(("bf16", *(one.name for one in PRECISIONS[1:3])), TABLE[name], strict=True)
        )
        head(
            name, "weights GiB", "to be", "", "predicted", "process grew", "", "after unload MB",
            "of the weights", "", "most while loading", "without files", "load s",
        )  # fmt: skip
        for said, one in found.items():
            off = abs(one.counted / GIB / wished[said] - 1) if said in wished else None
            grown = abs(one.expected / one.grown - 1)
            left = one.residue / one.counted
            row(
                said, f"{one.counted / GIB:.3f}", wished.get(said, "–"),
                "" if off is None else verdict(off, WEIGHTS_LIMIT),
                f"{one.expected / one.counted - 1:+.2%}",
                f"{one.grown / GIB:.3f}", f"{verdict(grown, GROWTH_LIMIT)}: {grown:.1%}",
                mb(one.residue), f"{left:.1%}", verdict(left, RESIDUE_LIMIT),
                f"{one.transient / one.counted:.2f} ×", f"{one.own / one.counted:.2f} ×",
                f"{one.load:.1f}",
            )  # fmt: skip
    print(
        f"\nTo be reached: weights within {WEIGHTS_LIMIT:.0%} of what was to be, growth of the "
        f"process within {GROWTH_LIMIT:.0%} of the prediction, at most {RESIDUE_LIMIT:.0%} of the "
        "weights left while a variable, an output and a traceback point at the model. The most "
        "while loading is in times of the weights; what is read of files can be dropped."
    )


def speeds(place: Path) -> None:
    """How fast each precision reads and writes, at the level of the model."""
    source = "Qwen/Qwen3-ASR-0.6B-hf"
    taken = apart(pace, make(source, place / source.split("/")[1]), SPEEDS)
    first, token = (
        {name: statistics.median(found[n] for found in taken[name]) for name in taken}
        for n in (0, 1)
    )
    head("qwen3-asr-0.6b", "10 s heard, s", "× float32", "a token written, ms", "× float32")
    for name in taken:
        row(
            name, f"{first[name]:.2f}", f"{first['float32'] / first[name]:.1f}",
            f"{1000 * token[name]:.0f}", f"{token['float32'] / token[name]:.1f}",
        )  # fmt: skip


def saving(place: Path) -> None:
    """The second load of a saved quantised model against quantising anew."""
    name = "qwen3-asr-1.7b"
    folder = make(FULL[name], place / FULL[name].split("/")[1])
    head(f"{name}, load", "quantising anew s", "saved before s", "ratio", "")
    for precision in PRECISIONS[-2:]:
        with tempfile.TemporaryDirectory(prefix="nbasr-saved-", dir=place) as saved:
            taken = apart(twice, folder, SMALL[name], Path(saved) / "model", precision)
        anew, again = (statistics.median(taken[peer]) for peer in ("anew", "again"))
        told = "reached" if anew >= AGAIN_LIMIT * again else "MISSED"
        row(
            precision.name, f"{anew:.1f}", f"{again:.1f}", f"{anew / again:.1f}",
            f"{told}: at least {AGAIN_LIMIT:g}",
        )  # fmt: skip


def rounds(_: Path) -> None:
    """Whether the process grows when a model comes and goes."""
    head(
        "10 × load, transcribe, unload", "MB after the first", "the second", "the last", "slope", ""
    )
    for folder in SMALL.values():
        found = apart(resident_after, folder, 10)
        slope = float(np.polyfit(range(8), found[2:], 1)[0])
        row(
            folder.name, *(mb(found[n]) for n in (0, 1, -1)), f"{slope / 1e6:+.2f} MB a round",
            f"{verdict(slope, SLOPE_LIMIT)}: below {SLOPE_LIMIT / 1e6:g}, after the second",
        )  # fmt: skip


def texts(_: Path) -> None:
    """Word error rate and speed of the small trained checkpoints, by precision."""
    head("the meeting, max_seconds=6", "WER", "", "RTFx")
    for folder in SMALL.values():
        for precision in SPEEDS:
            wer, speed = apart(read_out, folder, precision)
            row(
                f"{folder.name}, {precision.name}", f"{wer:.1%}",
                f"{verdict(wer, WER_LIMIT)}: at most {WER_LIMIT:.0%}", f"{speed:.0f}",
            )  # fmt: skip
    usual = {
        method: models.resolve(str(folder), device="cpu", quantization=method).dtype
        for method in (None, "int8", "nf4")
    }
    print(
        f"\nWhere nobody names the format of the rest, it is here {usual[None]}, beside int8 "
        f"{usual['int8']}, beside nf4 {usual['nf4']}."
    )


def peaks(place: Path) -> None:
    """What work takes beside the weights: models of full width and two layers."""
    head("bf16, 2 layers of full width", "work", "peak MB", "predicted", "error", "once calibrated")
    precision = Precision("bf16", "bf16")
    for name, source in FULL.items():
        folder = make(source, place / (source.split("/")[1] + "-2-layers"), layers=2)
        found = apart(peaks_of, folder, precision, WORKS)
        for (seconds, batch), (peak, foreseen, learned) in zip(WORKS, found, strict=True):
            row(
                name, f"{batch} × {seconds:g} s", mb(peak), mb(foreseen),
                f"{foreseen / max(peak, 1) - 1:+.0%}",
                f"{learned / max(peak, 1) - 1:+.0%}" if learned != foreseen else "–",
            )  # fmt: skip


PARTS: dict[str, Callable[[Path], None]] = {
    "sizes": sizes,
    "saving": saving,
    "rounds": rounds,
    "texts": texts,
    "speeds": speeds,
    "peaks": peaks,
}


def main() -> int:
    """Measure and print the tables; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, help="folder that keeps the checkpoints")
    parser.add_argument("--only", choices=sorted(PARTS), help="one part")
    told = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    print(f"torch {torch.__version__}, {torch.get_num_threads()} of {os.cpu_count()} cores.")
    with tempfile.TemporaryDirectory(prefix="nbasr-models-") as temporary:
        os.environ["NBASR_HOME"] = temporary  # what other runs have taught would correct estimates
        place = told.keep or Path(temporary)
        place.mkdir(parents=True, exist_ok=True)
        for name, part in PARTS.items():
            if told.only in (None, name):
                part(place)
    return 0


if __name__ == "__main__":
    sys.exit(main())
