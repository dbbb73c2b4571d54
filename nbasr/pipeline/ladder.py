"""What is done when memory runs out: fewer chunks at once, then smaller chunks, never a crash."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from nbasr import memory
from nbasr.engines.base import Engine, Recognition, Request
from nbasr.memory.shortage import ran_out
from nbasr.models import estimating
from nbasr.pipeline import turns

OUT_OF_MEMORY = "out_of_memory"
"""Flag of a chunk that does not fit even alone, so that it is cut in two."""

MEASURED = 3
"""Batches of a run whose peak is measured; later ones tell nothing new."""


@dataclass
class Ladder:
    """Recognises batches with an engine, as many requests at once as memory allows.

    When memory runs out, the batch is halved, and its size kept for all that follow; a single chunk
    that does not fit comes back empty with the flag ``"out_of_memory"``, to be cut in two.

    Parameters
    ----------
    engine
        The loaded engine.
    """

    engine: Engine
    limit: float | None = None
    """Need (`_need`) that is known to be too much; None: none is."""
    steps: list[tuple[int, int]] = field(default_factory=list)
    """What was done: (requests that did not fit, requests tried next); (1, 0): a chunk to cut."""
    measured: int = 0
    waited: float = 0.0
    """Seconds during which others had the device."""

    def recognize(self, requests: Sequence[Request]) -> list[Recognition]:
        """Recognise requests, in as many parts as memory needs."""
        parts = [list(requests)]
        found: list[Recognition] = []
        while parts:
            part = parts.pop(0)
            if len(part) > 1 and self.limit is not None and self._need(part) >= self.limit:
                parts[:0] = _halves(part)
                continue
            results = self._attempt(part)
            if results is not None:
                found += results
                continue
            # The error is gone here, and with it the frames that held its tensors.
            memory.collect()
            if len(part) > 1:
                self.limit = self._need(part)
                halves = _halves(part)
                self.steps.append((len(part), len(halves[0])))
                parts[:0] = halves
            else:
                self.steps.append((1, 0))
                found.append(Recognition("", flags=(OUT_OF_MEMORY,)))
        return found

    def _need(self, requests: Sequence[Request]) -> float:
        """Return what a batch needs: predicted bytes, or padded seconds where nobody can tell.

        What is learnt on the way does not count, or a limit that was met would move with it.
        """
        longest = max(request.duration for request in requests)
        spec = self.engine.spec
        predicted = estimating.run_bytes(spec, longest, len(requests), corrected=False)
        return predicted or len(requests) * longest

    def _attempt(self, requests: list[Request]) -> list[Recognition] | None:
        """Recognise requests when it is their turn; None if memory ran out."""
        began = time.perf_counter()
        with turns.turn(self.engine.spec.device):
            self.waited += time.perf_counter() - began
            return self._alone(requests)

    def _alone(self, requests: list[Request]) -> list[Recognition] | None:
        """Recognise requests with the device to themselves; None if memory ran out."""
        spec = self.engine.spec
        seconds, count = max(request.duration for request in requests), len(requests)
        device = spec.device
        learn = self.measured < MEASURED and self._need(requests) >= estimating.NOISE_BYTES
        try:
            memory.check(estimating.run_bytes(spec, seconds, count), device)
            if learn:
                memory.reset_peak(device)
                before = memory.used_bytes(device)
            results = self.engine.recognize(requests)
        except (RuntimeError, MemoryError) as error:
            if not ran_out(error):
                raise
            return None
        if learn:
            self.measured += 1
            peak = memory.peak_bytes(device)
            if peak is not None:
                estimating.measured(spec, seconds, count, peak - before)
        return results

    @property
    def notes(self) -> list[str]:
        """What the reader of the transcript is told."""
        said = []
        together = [step for step in self.steps if step[0] > 1]
        if together:
            most, least = together[0][0], together[-1][1]
            said.append(
                f"memory ran out with {most} chunks at once; went on with up to {least}: set "
                f"batch_size={least} to save the attempt"
            )
        alone = len(self.steps) - len(together)
        if alone:
            said.append(
                f"{alone} chunk{'s' * (alone != 1)} did not fit into memory even alone and "
                "went in two; set a shorter max_seconds"
            )
        return said


def _halves(requests: list[Request]) -> list[list[Request]]:
    middle = (len(requests) + 1) // 2
    return [requests[:middle], requests[middle:]]
