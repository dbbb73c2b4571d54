"""What `bench.models` measures, each in a process of its own."""

from __future__ import annotations

import statistics
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from bench.gpu import noise
from nbasr import memory, models, samples, score, transcribe
from nbasr.engines._quiet import quiet
from nbasr.engines.base import RATE
from nbasr.engines.quantization import Quantization
from nbasr.errors import ModelWarning
from nbasr.models import estimating, weights

ROUNDS = 3
TOKENS = 12


@dataclass(frozen=True)
class Precision:
    """A way to load a model: what it is called, the number format, and the fewer bits."""

    name: str
    dtype: str
    how: Quantization | None = None


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
    transient, own
        The most it had grown by while loading; and without what it read of files, which the system
        can drop when memory is short.
    residue
        What it still had grown by after the unload.
    load
        Seconds of loading.
    """

    expected: int
    counted: int
    grown: int
    transient: int
    own: int
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
    with _watched() as own:
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
    return Figures(expected, counted, grown, transient, max(own) - own[0], residue, took)


@contextmanager
def _watched() -> Iterator[list[int]]:
    """Note again and again what the process holds, without the pages of files."""
    found = [_own_bytes()]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            found.append(_own_bytes())

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        done.set()
        thread.join()


def _own_bytes() -> int:
    info = psutil.Process().memory_info()
    return int(info.rss - getattr(info, "shared", 0))


def _fail(module: Any) -> None:
    parameters = dict(module.named_parameters())
    raise ZeroDivisionError(str(len(parameters)))


def seconds_of(folder: Path, precision: Precision, saved: Path | None = None) -> float:
    """Load a model and unload it, saved where told; return the seconds of loading."""
    began = time.perf_counter()
    model = load(folder, precision)
    took = time.perf_counter() - began
    if saved is not None and not saved.exists():
        model.save(saved)
    models.unload_all()
    return took


def twice(folder: Path, small: Path, saved: Path, precision: Precision) -> dict[str, list[float]]:
    """Save a quantised model, then load it and the original in turn; return the seconds."""
    seconds_of(small, Precision("", precision.dtype, Quantization("nf4")))  # imports
    taken: dict[str, list[float]] = {"anew": [], "again": []}
    for _ in range(ROUNDS):
        taken["anew"].append(seconds_of(folder, precision, saved))
        taken["again"].append(seconds_of(saved, Precision("", precision.dtype)))
    return taken


def resident_after(folder: Path, rounds: int) -> list[int]:
    """Load, transcribe and unload again and again; return what the process holds after each."""
    found = []
    recording = samples.open("meeting")
    for _ in range(rounds):
        transcribe(recording, model=str(folder), max_seconds=6, device="cpu", progress=False)
        models.unload_all()
        found.append(memory.process_bytes())
    return found


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


def pace(folder: Path, precisions: Sequence[Precision]) -> dict[str, list[tuple[float, float]]]:
    """Let a model in many precisions read a prompt and write, in turn; return the seconds."""
    loaded = {one.name: load(folder, one) for one in precisions}
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in loaded}
    for _ in range(ROUNDS + 1):
        for name, model in loaded.items():
            taken[name].append(write(model, 10.0))
    return {name: found[1:] for name, found in taken.items()}


def peaks_of(
    folder: Path, precision: Precision, works: Sequence[tuple[float, int]]
) -> list[tuple[int, int, int]]:
    """Return what batches of (seconds, sounds) took beside the weights, one after the other.

    Each with what was predicted by the formulas alone, and as the works before it had taught.
    """
    model = load(folder, precision)
    model.engine.recognize(noise(1, 1.0))  # the weights come into memory, and the libraries' own
    plain = [estimating.run_bytes(model.spec, *work) for work in works]
    found = []
    for (seconds, batch), foreseen in zip(works, plain, strict=True):
        requests = noise(batch, seconds)
        learned = estimating.run_bytes(model.spec, seconds, batch)
        memory.collect()
        base = memory.process_bytes()
        memory.reset_peak("cpu")
        model.engine.recognize(requests)
        peak = (memory.peak_bytes("cpu") or base) - base
        estimating.measured(model.spec, seconds, batch, peak)
        found.append((peak, foreseen, learned))
    return found
