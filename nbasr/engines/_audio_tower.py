"""Qwen3-ASR's audio tower in pieces, so that a long batch needs no more memory than a short one."""

from __future__ import annotations

from typing import Any

from nbasr.memory.estimate import TOWER_SECONDS

FRAMES = 100
"""Mel frames of one second: steps of 160 samples at 16 kHz."""


def in_pieces(tower: Any, seconds: float = TOWER_SECONDS) -> None:
    """Make an audio tower take its sound in pieces, from now on. What it returns stays the same.

    Its first convolution holds two arrays of 480 × 64 × 50 numbers for each second, padding
    included: 6.1 MB in 16 bits, more than all that follows. Its attention never looks beyond
    windows of 8 s (``n_window_infer``), so cut at their borders it computes the same. Windows with
    nothing but padding are left out.

    Parameters
    ----------
    tower
        A ``Qwen3ASREncoder``, of a recogniser or of the aligner.
    seconds
        Most sound at once, in seconds; at least one window.
    """
    whole = tower.forward
    window = int(tower.config.n_window_infer)
    step = 2 * int(tower.config.n_window)
    most = max(1, int(seconds * FRAMES) // window)

    def forward(input_features: Any, input_features_mask: Any, **options: Any) -> Any:
        import torch

        rows, _, frames = input_features.shape
        if rows * frames <= most * window:
            return whole(
                input_features=input_features, input_features_mask=input_features_mask, **options
            )
        lengths = input_features_mask.sum(dim=-1).tolist()
        places = [
            (row, start, min(int(length) - start, window))
            for row, length in enumerate(lengths)
            for start in range(0, int(length), window)
        ]
        found: Any = None
        states = []
        for first in range(0, len(places), most):
            piece = places[first : first + most]
            width = -(-max(length for *_, length in piece) // step) * step
            found = whole(
                input_features=_cut(input_features, piece, width),
                input_features_mask=_cut(input_features_mask, piece, width),
                **options,
            )
            states.append(found.last_hidden_state)
        return type(found)(last_hidden_state=torch.cat(states))

    tower.forward = forward


def _cut(frames: Any, places: list[tuple[int, int, int]], width: int) -> Any:
    """Return windows of a batch as rows of one width, with zeros where the batch ends.

    Parameters
    ----------
    frames
        Tensor whose first axis is the row and whose last is time.
    places
        Row and first frame of each window, and how many frames of it are sound.
    width
        Frames of each row of the result.
    """
    import torch

    cuts = [frames[row, ..., start : start + width] for row, start, _ in places]
    return torch.stack([torch.nn.functional.pad(cut, (0, width - cut.shape[-1])) for cut in cuts])
