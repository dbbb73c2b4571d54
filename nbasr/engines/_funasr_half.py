"""FunASR's models in 16 bits, in such a way that every kind of them runs."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbasr.engines.base import EngineSpec


def halve(model: Any) -> None:
    """Store the products of a model in 16 bits: its linear layers and convolutions, most of it.

    FunASR's own ``fp16=True`` halves everything, which plain Paraformer alone survives: the others
    give it sound in 32 bits. Here norms and embeddings keep 32 bits, and autocast brings the
    formats together (see `multiplying`). The predictor adds up the weights of hundreds of frames to
    count tokens and to find their times, for which 16 bits are too coarse, so it keeps 32 as well.
    """
    from torch import nn

    predictor = getattr(model, "predictor", None)
    wide = set(predictor.modules()) if predictor is not None else set()
    for part in model.modules():
        if isinstance(part, (nn.Linear, nn.Conv1d)) and part not in wide:
            part.half()
    for name in ("forward", "get_upsample_timestamp"):
        if hasattr(predictor, name):
            setattr(predictor, name, _in_32_bits(getattr(predictor, name)))


def _in_32_bits(method: Any) -> Any:
    """Let a method of a module get its tensors, and multiply, in 32 bits."""
    import torch

    def widened(one: Any) -> Any:
        half = isinstance(one, torch.Tensor) and one.dtype == torch.float16
        return one.float() if half else one

    def run(*args: Any, **options: Any) -> Any:
        longer = {name: widened(one) for name, one in options.items()}
        first = widened(args[0])
        with torch.autocast(first.device.type, enabled=False):
            return method(first, *map(widened, args[1:]), **longer)

    return run


def multiplying(spec: EngineSpec) -> Any:
    """Return the context in which a model of a spec runs: in 16 bits, formats are mixed."""
    import torch

    if spec.dtype != "fp16":
        return contextlib.nullcontext()
    return torch.autocast(spec.device, dtype=torch.float16)
