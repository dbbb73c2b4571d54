"""Full-size models on a GPU: bytes, peaks, estimates, residues, a card of 4 GB, speed.

    python -m bench.gpu [--only qwen3-asr-1.7b] [--keep FOLDER]

It needs no network: the checkpoints have random weights (``bench/checkpoints.py``), on which memory
and speed do not depend. Each answer runs to a fixed number of tokens. The tables go to standard
output as Markdown, for ``bench/RESULTS.md``. ``--small`` runs the same on the checkpoints of the
tests, on whatever device there is, to see that the script works.
"""

from __future__ import annotations

import argparse
import datetime
import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.checkpoints import ASSETS, make
from nbasr import memory, models
from nbasr.engines.base import RATE, Request
from nbasr.engines.quantization import Quantization
from nbasr.errors import NbasrError
from nbasr.models import estimating, weights

MODELS = {
    "qwen3-asr-1.7b": "Qwen/Qwen3-ASR-1.7B-hf",
    "whisper-large-v3": "openai/whisper-large-v3",
    "fun-asr-nano": "FunAudioLLM/Fun-ASR-Nano-2512-hf",
}
SMALL = {"qwen": ASSETS / "qwen3-asr-tiny-meeting", "whisper": ASSETS / "whisper-tiny-meeting"}

PRECISIONS: dict[str, Quantization | None] = {
    "bf16": None,
    "int8": Quantization("int8"),
    "int8, audio tower too": Quantization("int8", audio_tower=True),
    "nf4": Quantization("nf4"),
    "nf4, audio tower too": Quantization("nf4", audio_tower=True),
}

SECONDS, BATCH = 30.0, 16
ROUNDS = 3

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def noise(count: int, seconds: float) -> list[Request]:
    """Return requests for soft noise: with random weights, any sound will do."""
    random = np.random.default_rng(0)
    return [
        Request(random.normal(0, 0.05, round(seconds * RATE)).astype(np.float32), language="en")
        for _ in range(count)
    ]


def allocated() -> int:
    return memory.used_bytes(DEVICE)


def mb(count: float) -> str:
    return f"{count / 1e6:,.0f}"


def row(*cells: object) -> None:
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def head(*cells: str) -> None:
    print()
    row(*cells)
    row(*["---", *["---:"] * (len(cells) - 1)])


@contextmanager
def loaded(folder: Path, quantization: Quantization | None) -> Iterator[models.Model]:
    """Load a model in bf16, quantised or not, and let go of it."""
    model = models.load(
        str(folder), dtype="bf16", quantization=quantization or "none", device=DEVICE
    )
    try:
        yield model
    finally:
        models.unload_all()


def sizes(name: str, folder: Path, seconds: float, batch: int) -> None:
    """Weights and peak of each precision, against what was predicted."""
    head(
        name, "load s", "weights MB", "predicted", "error",
        f"peak {batch} × {seconds:g} s MB", "predicted", "error", "calibrated", "residue MB",
    )  # fmt: skip
    requests = noise(batch, seconds)
    for said, quantization in PRECISIONS.items():
        before = allocated()
        began = time.perf_counter()
        with loaded(folder, quantization) as model:
            took = time.perf_counter() - began
            spec = model.spec
            held = allocated() - before if DEVICE == "cuda" else model.bytes
            expected = sum(weights.weights(spec).values())
            model.engine.recognize(noise(1, 1.0))  # the libraries' own workspaces come first
            base = allocated()
            foreseen = estimating.run_bytes(spec, seconds, batch)
            memory.reset_peak(DEVICE)
            model.engine.recognize(requests)
            peak = (memory.peak_bytes(DEVICE) or base) - base
            estimating.measured(spec, seconds, batch, peak)
            learned = estimating.run_bytes(spec, seconds, batch)
        residue = allocated() - before
        row(
            said, f"{took:.1f}", mb(held), mb(expected), f"{expected / held - 1:+.1%}",
            mb(peak), mb(foreseen), f"{foreseen / max(peak, 1) - 1:+.1%}",
            f"{learned / max(peak, 1) - 1:+.1%}", mb(residue),
        )  # fmt: skip


def releases(name: str, folder: Path) -> None:
    """What stays after an unload while somebody holds the module, or an error its frames."""
    head(f"{name}: after unload", "MB before load", "MB loaded", "MB after")
    for said in ("nobody holds it", "a variable holds the module", "an error holds its frames"):
        before = allocated()
        held: list[Any] = []
        with loaded(folder, None) as model:
            full = allocated()
            if said.startswith("a variable"):
                held.append(model.module)
            elif said.startswith("an error"):
                try:
                    _fail_with(model.module)
                except ZeroDivisionError as error:
                    held.append(error)
        row(said, mb(before), mb(full), mb(allocated()))
        held.clear()
        gc.collect()


def _fail_with(module: Any) -> None:
    tensors = [parameter * 1 for parameter in list(module.parameters())[:3]]
    raise ZeroDivisionError(str(len(tensors)))


def small_card(name: str, folder: Path, budget: str, batch: int, seconds: float) -> None:
    """INT8 on a small card, kept to by torch's allocator: a batch that is too large on purpose."""
    memory.set_budget(budget, DEVICE)
    try:
        from nbasr.pipeline.ladder import Ladder

        with loaded(folder, Quantization("int8")) as model:
            ladder = Ladder(model.engine)
            largest = estimating.largest_batch(model.spec, seconds)
            ladder.recognize(noise(batch, seconds))
            limit = memory.read(DEVICE)
            said = "; ".join(ladder.notes) or "everything fitted"
            print(
                f"\n{name}, int8, budget {budget}: {batch} × {seconds:g} s done; {said}; predicted "
                f"largest batch {largest}; reserved {mb(limit.reserved_bytes or 0)} MB."
            )
    except NbasrError as error:
        print(f"\n{name}, int8, budget {budget}: {error}")
    finally:
        memory.set_budget(None, DEVICE)


def speed(name: str, folder: Path, batch: int, seconds: float) -> None:
    """Batches against one by one, and against transformers' own pipeline on the same model."""
    requests = noise(batch, seconds)
    with loaded(folder, None) as model:
        engine = model.engine
        peers: dict[str, Callable[[], object]] = {
            f"nbasr, {batch} at once": lambda: engine.recognize(requests),
            "nbasr, one by one": lambda: [engine.recognize([one]) for one in requests],
        }
        if model.spec.engine == "whisper":
            peers["transformers pipeline, one by one"] = _pipeline(model, requests, 1)
            peers[f"transformers pipeline, {batch} at once"] = _pipeline(model, requests, batch)
        taken: dict[str, list[float]] = {peer: [] for peer in peers}
        for _ in range(ROUNDS + 1):
            for peer, work in peers.items():
                began = time.perf_counter()
                work()
                if DEVICE == "cuda":
                    torch.cuda.synchronize()
                taken[peer].append(time.perf_counter() - began)
    medians = {peer: statistics.median(times[1:]) for peer, times in taken.items()}
    slowest = max(medians.values())
    head(f"{name}, bf16", "RTFx", "ratio to the slowest")
    for peer, median in medians.items():
        row(peer, f"{batch * seconds / median:,.0f}", f"{slowest / median:.1f}")


def _pipeline(model: models.Model, requests: list[Request], batch: int) -> Callable[[], object]:
    from transformers import AutoProcessor, pipeline

    processor = AutoProcessor.from_pretrained(model.spec.source)
    made = pipeline(
        "automatic-speech-recognition",
        model=model.module,
        tokenizer=processor.tokenizer,
        feature_extractor=processor.feature_extractor,
        dtype=torch.bfloat16,
    )
    if made.tokenizer.pad_token_id is None:  # it cannot batch without
        made.tokenizer.pad_token_id = model.module.config.eos_token_id
    settings = {"language": "en", "task": "transcribe", "do_sample": False}

    def work() -> object:
        sounds = [{"raw": one.samples, "sampling_rate": RATE} for one in requests]
        return made(
            sounds, batch_size=batch, return_timestamps=True, generate_kwargs=dict(settings)
        )

    return work


def main() -> int:
    """Run everything that can be run here; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=sorted(MODELS), help="one model")
    parser.add_argument("--keep", type=Path, help="folder that keeps the checkpoints")
    parser.add_argument("--small", action="store_true", help="the tests' checkpoints, any device")
    told = parser.parse_args()
    if DEVICE != "cuda" and not told.small:
        print("There is no CUDA device here; --small shows that the script runs.", file=sys.stderr)
        return 1
    seconds, batch, budget = (6.0, 4, "40MB") if told.small else (SECONDS, BATCH, "4GB")
    reading = memory.read(DEVICE)
    now = datetime.datetime.now(datetime.UTC)
    print(
        f"{now:%Y-%m-%d}, {reading.name}, torch {torch.__version__}. Random weights, full sizes; "
        f"medians of {ROUNDS} rounds."
    )
    with tempfile.TemporaryDirectory(prefix="nbasr-gpu-") as temporary:
        place = told.keep or Path(temporary)
        names = SMALL if told.small else {told.only: ""} if told.only else MODELS
        for name in names:
            folder = SMALL[name] if told.small else make(MODELS[name], place / name)
            print(f"\n### {name}")
            for part in (
                partial(sizes, name, folder, seconds, batch),
                partial(releases, name, folder),
                partial(small_card, name, folder, budget, batch, seconds),
                partial(speed, name, folder, batch, seconds),
            ):
                try:
                    part()
                except (ImportError, NbasrError) as error:  # not with what this machine has
                    print(f"\nskipped: {error}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
