"""Generating for several requests at once, each as if it were alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any


def joined(rows: Sequence[Any], blank: int, *, left: bool) -> Any:
    """Return tensors of one row each as one tensor, shorter ones filled up with a number.

    Parameters
    ----------
    rows
        Tensors that may differ in any axis but the first.
    blank
        What to fill with.
    left
        Whether to fill at the start of the last axis: text goes on at its end. Else at the end of
        every axis.
    """
    import torch

    sizes = [max(row.shape[axis] for row in rows) for axis in range(1, rows[0].dim())]
    filled = []
    for row in rows:
        gaps = [size - length for size, length in zip(sizes, row.shape[1:], strict=True)]
        sides = [(gap, 0) if left else (0, gap) for gap in reversed(gaps)]
        filled.append(torch.nn.functional.pad(row, sum(sides, ()), value=blank))
    return torch.cat(filled)


def only_greedy(model: Any) -> None:
    """Make a model forget how its folder wants it to generate, but for what ends an answer.

    transformers takes the folder's word for whatever a call leaves open. A penalty on repetition
    would punish the prompt's words too, and a ban of repeated words those that were said twice.
    """
    from transformers import GenerationConfig

    model.generation_config = GenerationConfig(eos_token_id=model.generation_config.eos_token_id)


def stop_at(start: int, budgets: Sequence[int]) -> Any:
    """Make a criterion that ends each row when its own budget is used up."""
    import torch
    from transformers import StoppingCriteria

    class Stop(StoppingCriteria):  # type: ignore[misc]  # transformers is untyped here
        def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:  # noqa: ARG002
            used = input_ids.shape[1] - start
            return torch.tensor([used >= most for most in budgets], device=input_ids.device)

    return Stop()


def watching(ends: tuple[int, ...], budgets: Sequence[int]) -> Any:
    """Make a watcher of generation that sums up how likely each row's tokens were."""
    import torch
    from transformers import LogitsProcessor

    class Watch(LogitsProcessor):  # type: ignore[misc]  # transformers is untyped here
        def __init__(self) -> None:
            self.step = 0
            self.total: Any = 0.0
            self.count: Any = 0.0
            self.open: Any = True

        def __call__(self, input_ids: Any, scores: Any) -> Any:  # noqa: ARG002
            best = scores.float().log_softmax(dim=-1).max(dim=-1)
            allowed = torch.tensor([self.step < n for n in budgets], device=scores.device)
            counted = allowed & self.open
            self.total = self.total + best.values * counted
            self.count = self.count + counted
            ended = torch.isin(best.indices, torch.tensor(ends, device=scores.device))
            self.open = counted & ~ended
            self.step += 1
            return scores

        def score(self, n: int) -> float | None:
            mean = float(self.total[n] / self.count[n])
            return math.exp(mean) if math.isfinite(mean) else None

    return Watch()
