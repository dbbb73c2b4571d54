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
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from bench.checkpoints import ASSETS, make
from bench.gpu import head, mb, noise, row
from bench.planning import verdict
from nbasr import memory, models, samples, score, transcribe
from nbasr.engines._quiet import quiet
from nbasr.engines.base import RATE
from nbasr.engines.quantization import Quantization
from nbasr.errors import ModelWarning
from nbasr.models import estimating, weights

GIB = 2**30

FULL = {"qwen3-asr-1.7b": "Qwen/Qwen3-ASR-1.7B-hf", "whisper-large-v3": "openai/whisper-large-v3"}
SMALL = {
    "qwen3-asr-1.7b": ASSETS / "qwen3-asr-tiny-meeting",
    "whisper-large-v3": ASSETS / "whisper-tiny-meeting",
}


@dataclass(frozen=True)
class Precision:
    """A way to load a model: what it is called, the number format, and the fewer bits."""

    name: str
    dtype: str
    how: Quantization | None = None


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

TOKENS = 12
ROUNDS = 3


@dataclass(frozen=True)
class Figures:
    """What one load of a model showed: bytes, and seconds.

    Parameters
    ----------
    expected, counted
        The weights, as predicted, and as counted in the loaded model.
    grown
        What the process grew by, once every weight had been used: those that are read from a file
        as they are come into memory when they are used first.
    transient
        The most it had grown by while loading.
    residue
        What it still had grown by after the unload.
    load
        Seconds of loading.
    """

    expected: int
    counted: int
    grown: int
    transient: int
    residue: int
    load: float


def apart(work: Callable[..., Any], *given: Any) -> Any:
    """Return what a function returns in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_hushed) as pool:
        return pool.submit(work, *given).result()


def _hushed() -> None:
    warnings.simplefilter("ignore", ModelWarning)  # that int8 is slow here is in the tables


def load(folder: Path, precision: Precision) -> models.Model:
    return models.load(
        str(folder), dtype=precision.dtype, quantization=precision.how or "none", device="cpu"
    )


def write(model: models.Model, seconds: float = 1.0) -> tuple[float, float]:
    """Let a model write `TOKENS` tokens for some noise.

    Returns
    -------
    float, float
        Seconds to the first token, and the median seconds of one more.
    """
    import torch
    from transformers import AutoProcessor

    processor = AutoProcessor.from_pretrained(model.spec.source)
    sound = noise(1, seconds)[0].samples
    said = {"max_new_tokens": TOKENS, "min_new_tokens": TOKENS, "do_sample": False}
    if model.spec.engine == "whisper":
        made = processor(sound, sampling_rate=RATE, return_tensors="pt")
        said |= {"language": "en", "task": "transcribe"}
    else:
        made = processor.apply_transcription_request(audio=[sound], language=["en"])
    module = model.module
    times = [time.perf_counter()]
    hook = module.register_forward_hook(lambda *_: times.append(time.perf_counter()))
    with quiet(), torch.inference_mode():
        module.generate(**made.to(module.dtype), **said)
    hook.remove()
    steps = np.diff(times).tolist()
    return steps[0], statistics.median(steps[1:])


def held(folder: Path, small: Path, precision: Precision) -> Figures:
    """Load a model, use it, and unload it while a variable, an output and an error point at it."""
    how = precision.how and Quantization(precision.how.method)
    load(small, Precision("", precision.dtype, how))  # the libraries come into memory
    write(models.resident()[0])
    models.unload_all()
    before = memory.process_bytes()
    memory.reset_peak("cpu")
    began = time.perf_counter()
    model = load(folder, precision)
    took = time.perf_counter() - began
    transient = (memory.peak_bytes("cpu") or 0) - before
    counted, expected = model.bytes, sum(weights.weights(model.spec).values())
    write(model)
    memory.collect()
    grown = memory.process_bytes() - before
    variable = model.module
    outputs = {3: model.module, 4: list(variable.parameters())}
    try:
        _fail(variable)
    except ZeroDivisionError as error:
        sys.last_exc = kept = error
    models.unload_all()
    residue = memory.process_bytes() - before
    assert all((variable, outputs, kept.__traceback__))  # they are still there
    return Figures(expected, counted, grown, transient, residue, took)


def _fail(module: Any) -> None:
    parameters = dict(module.named_parameters())
    raise ZeroDivisionError(str(len(parameters)))


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
            "of the weights", "", "at most while loading", "load s",
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
                f"{one.transient / one.counted:.2f} ×", f"{one.load:.1f}",
            )  # fmt: skip
    print(
        f"\nTo be reached: weights within {WEIGHTS_LIMIT:.0%} of what was to be, growth of the "
        f"process within {GROWTH_LIMIT:.0%} of the prediction, at most {RESIDUE_LIMIT:.0%} of the "
        "weights left while a variable, an output and a traceback point at the model."
    )


def pace(folder: Path) -> dict[str, list[tuple[float, float]]]:
    """Let a model in many precisions read a prompt and write, in turn; return the seconds."""
    loaded = {one.name: load(folder, one) for one in SPEEDS}
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in loaded}
    for _ in range(ROUNDS + 1):
        for name, model in loaded.items():
            taken[name].append(write(model, 10.0))
    return {name: found[1:] for name, found in taken.items()}


def speeds(place: Path) -> None:
    """How fast each precision reads and writes, at the level of the model."""
    source = "Qwen/Qwen3-ASR-0.6B-hf"
    taken = apart(pace, make(source, place / source.split("/")[1]))
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


def seconds_of(folder: Path, precision: Precision) -> float:
    """Load a model and unload it; return the seconds of loading."""
    began = time.perf_counter()
    load(folder, precision)
    took = time.perf_counter() - began
    models.unload_all()
    return took


def twice(folder: Path, small: Path, saved: Path, precision: Precision) -> dict[str, list[float]]:
    """Save a quantised model, then load it and the original in turn; return the seconds."""
    seconds_of(small, Precision("", precision.dtype, Quantization("nf4")))  # imports
    load(folder, precision).save(saved)
    models.unload_all()
    again = Precision("", precision.dtype)
    seconds_of(saved, again)  # from here on its file is in the system's cache, as the other's is
    peers = {"anew": (folder, precision), "again": (saved, again)}
    taken: dict[str, list[float]] = {peer: [] for peer in peers}
    for _ in range(ROUNDS):
        for peer, given in peers.items():
            taken[peer].append(seconds_of(*given))
    return taken


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


def resident_after(folder: Path, rounds: int) -> list[int]:
    """Load, transcribe and unload again and again; return what the process holds after each."""
    found = []
    recording = samples.open("meeting")
    for _ in range(rounds):
        transcribe(recording, model=str(folder), max_seconds=6, device="cpu", progress=False)
        models.unload_all()
        found.append(memory.process_bytes())
    return found


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


def read_out(folder: Path, precision: Precision) -> tuple[float, float]:
    """Return the word error rate on the meeting, and seconds of sound for a second of work."""
    recording, truth = samples.open("meeting"), samples.reference("meeting")
    load(folder, precision)
    taken = []
    for _ in range(ROUNDS + 1):
        began = time.perf_counter()
        found = transcribe(
            recording, model=str(folder), dtype=precision.dtype, max_seconds=6, progress=False
        )
        taken.append(time.perf_counter() - began)
    return score(truth.text, found.text).wer, recording.duration / statistics.median(taken[1:])


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


def peak_of(folder: Path, precision: Precision, seconds: float, batch: int) -> tuple[int, int]:
    """Return what a batch took beside the weights, and what was predicted."""
    model = load(folder, precision)
    model.engine.recognize(noise(1, 1.0))  # the weights come into memory, and the libraries' own
    foreseen = estimating.run_bytes(model.spec, seconds, batch)
    requests = noise(batch, seconds)
    memory.collect()
    base = memory.process_bytes()
    memory.reset_peak("cpu")
    model.engine.recognize(requests)
    return (memory.peak_bytes("cpu") or base) - base, foreseen


def peaks(place: Path) -> None:
    """What work takes beside the weights: models of full width and two layers."""
    head("2 layers of full width", "work", "peak MB", "predicted", "error")
    for name, source in FULL.items():
        folder = make(source, place / (source.split("/")[1] + "-2-layers"), layers=2)
        for precision in (Precision("bf16", "bf16"), Precision("float32", "float32")):
            for seconds, batch in ((30.0, 1), (30.0, 4), (10.0, 12)):
                peak, foreseen = apart(peak_of, folder, precision, seconds, batch)
                row(
                    f"{name}, {precision.name}", f"{batch} × {seconds:g} s", mb(peak),
                    mb(foreseen), f"{foreseen / max(peak, 1) - 1:+.0%}",
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
