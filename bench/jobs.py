"""Jobs: how soon a cell answers while one runs, and how soon one ends when it is told to.

Run it with ``python -m bench.jobs``. It needs no network: a real kernel, the small trained
checkpoints, the embedded engine, the bundled meeting laid end to end to an hour. Its peer is what a
notebook would do without nbasr: PocketSphinx in a thread of the kernel.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import time
from collections.abc import Iterator, Sequence
from typing import Any

from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

from bench.checkpoints import ASSETS
from bench.planning import verdict

PATIENCE = 300.0

ANSWER_LIMIT = 0.5
"""Seconds, of the median."""

STOP_LIMIT = 2.0
"""Seconds, of the slowest."""

MODELS = {
    "sphinx": "sphinx",
    "whisper, small checkpoint": str(ASSETS / "whisper-tiny-meeting"),
    "qwen3-asr, small checkpoint": str(ASSETS / "qwen3-asr-tiny-meeting"),
}

SETUP = """
import threading, time
import nbasr
hour = nbasr.samples.long_meeting(60)[0]
plans = {name: nbasr.plan(hour, model=name) for name in MODELS}

def begun(name):
    job = nbasr.submit(hour, model=name, chunking=plans[name].plans[0])
    while not job.partial.segments and not job.is_done:
        job.wait(0.02)
    assert not job.is_done, job
    return job

def stopped(name, after):
    job = begun(name)
    job.wait(after)
    before = time.perf_counter()
    job.stop()
    job.wait()
    assert job.state == "stopped", job
    return time.perf_counter() - before
"""

ENDLESS = """
import functools

def endless(name):
    model = nbasr.models.load(name).module
    really = model.forward
    told = threading.Event()

    @functools.wraps(really)
    def forward(*given, **named):
        found = really(*given, **named)
        found.logits[:] = 0
        found.logits[..., 300] = 1
        told.set()
        return found

    model.forward = forward
    job = nbasr.submit(hour, model=name, chunking=plans[name].plans[0])
    assert told.wait(60)
    job.wait(0.3)
    before = time.perf_counter()
    job.stop()
    job.wait()
    took = time.perf_counter() - before
    nbasr.models.unload_all()
    assert job.state == "stopped" and not job.partial.segments, job
    return took
"""

PEER = """
from pocketsphinx import Decoder
import numpy as np
over = threading.Event()
decoder = Decoder(samprate=16000, loglevel="FATAL")

def decode():
    at = 0.0
    while not over.is_set():
        decoder.start_utt()
        sound = hour.read(at, at + 10)
        decoder.process_raw((sound * 32767).astype("<i2").tobytes(), full_utt=True)
        decoder.end_utt()
        at += 10

peer = threading.Thread(target=decode)
peer.start()
"""


class Kernel:
    """A kernel, and the cells that are run in it."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self.client = client

    def run(self, code: str) -> Any:
        """Run a cell; return what ``out`` is then."""
        told: list[str] = []

        def hear(message: dict[str, Any]) -> None:
            if message["msg_type"] == "stream":
                told.append(message["content"]["text"])

        code += "\nimport json; print(json.dumps(globals().pop('out', None)))"
        reply = self.client.execute_interactive(code, timeout=PATIENCE, output_hook=hear)
        if reply["content"]["status"] != "ok":
            raise RuntimeError(str(reply["content"]["evalue"]))
        return json.loads("".join(told).splitlines()[-1])

    def answers(self, count: int) -> list[float]:
        """Return how long ``1 + 1`` took, each time, in seconds."""
        taken = []
        for _ in range(count):
            before = time.perf_counter()
            self.client.execute("1 + 1", reply=True, timeout=PATIENCE)
            taken.append(time.perf_counter() - before)
            time.sleep(0.15)  # as a person would leave, and so that moments differ
        return taken


@contextlib.contextmanager
def kernel() -> Iterator[Kernel]:
    """Start a kernel with the hour opened and planned in it."""
    manager, client = start_new_kernel()
    try:
        started = Kernel(client)
        started.run(f"MODELS = {list(MODELS.values())!r}\n{SETUP}{ENDLESS}")
        yield started
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def row(*cells: object) -> None:
    """Print a row of a table."""
    print("|", " | ".join(str(cell) for cell in cells), "|")


def milliseconds(seconds: float) -> str:
    """Write a time."""
    return f"{1000 * seconds:.0f} ms" if seconds >= 0.002 else f"{1000 * seconds:.1f} ms"


def answering(at: Kernel, count: int) -> None:
    """How soon a cell answers."""
    row("`1 + 1` in a cell, while there runs", "median", "95 of 100", "slowest", "")
    row("---", "---:", "---:", "---:", "---")

    def told(what: str, taken: Sequence[float], limit: bool = True) -> None:
        ordered = sorted(taken)
        said = f"{verdict(statistics.median(taken), ANSWER_LIMIT)}: median of at most 500 ms"
        cells = (statistics.median(taken), ordered[int(0.95 * (len(ordered) - 1))], ordered[-1])
        row(what, *map(milliseconds, cells), said if limit else "")

    told("nothing", at.answers(count), limit=False)
    for name, model in MODELS.items():
        at.run(f"job = begun({model!r})")
        taken = at.answers(count)
        running = at.run("out = job.state; job.stop(); job.wait()") == "running"
        told(f"a job of {name}" + ("" if running else ", which ended before"), taken)
    at.run(PEER)
    told("PocketSphinx in a thread of the kernel", at.answers(min(count, 12)), limit=False)
    at.run("over.set(); peer.join()")


def stopping(at: Kernel, count: int) -> None:
    """How soon a job ends."""
    row("`job.stop()` until it has stopped", "median", "slowest", "")
    row("---", "---:", "---:", "---")

    def told(what: str, taken: Sequence[float]) -> None:
        said = f"{verdict(max(taken), STOP_LIMIT)}: at most 2 s"
        row(what, milliseconds(statistics.median(taken)), milliseconds(max(taken)), said)

    for name, model in MODELS.items():
        moments = [0.07 * n for n in range(count)]
        told(name, at.run(f"out = [stopped({model!r}, after) for after in {moments}]"))
    for name, model in list(MODELS.items())[1:]:
        code = f"out = [endless({model!r}) for _ in range(3)]"
        told(f"{name}, in a generation without end", at.run(code))


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--answers", type=int, default=40, help="of each kind (default: 40)")
    parser.add_argument("--stops", type=int, default=8, help="of each kind (default: 8)")
    given = parser.parse_args()
    with kernel() as at:
        answering(at, given.answers)
        print()
        stopping(at, given.stops)


if __name__ == "__main__":
    main()
