"""Word times of Whisper: where the decoder looks while it says each word.

As in openai-whisper (``timing.py``): one pass over the finished text, the attention of the
alignment heads to the sound, dynamic time warping. transformers can read the times off while it
generates, but then keeps the attention of every head and layer, leaves the whole model on slow
attention, and has no time for the first word.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nbasr.text.scripts import UNSPACED, is_mark, script
from nbasr.transcript.transcript import Word

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nbasr.engines._whisper_load import Loaded

MEDIAN = 7
"""Frames of the median filter over the attention (openai-whisper)."""

_OPENING = "([{<«“‘¿¡「『（【《〈"


def word_times(
    loaded: Loaded,
    encoded: Any,
    prefix: Sequence[int],
    pieces: Sequence[Sequence[int]],
    duration: float,
) -> list[tuple[Word, ...]]:
    """Return the words of each segment with their times.

    Parameters
    ----------
    loaded
        The model.
    encoded
        Its encoder's states for this request, shape (1, frames, width).
    prefix
        Ids of start, language, task and "no timestamps".
    pieces
        Ids of the text of each segment, without time tokens.
    duration
        Length of the request in seconds; the frames behind it are padding.
    """
    tokens = [token for piece in pieces for token in piece]
    frames = max(1, min(round(duration / loaded.step), loaded.model.config.max_source_positions))
    if not tokens:
        return [() for _ in pieces]
    attention, scores = _look(loaded, encoded, prefix, tokens, frames)
    starts = np.minimum(_first_frames(attention) * loaded.step, duration)
    found: list[tuple[Word, ...]] = []
    at = 0
    for piece in pieces:
        words = []
        for text, count in words_of(loaded.tokenizer, piece):
            score = float(scores[at : at + count].mean())
            start, stop = (min(round(float(t), 3), duration) for t in starts[[at, at + count]])
            if text:
                words.append(Word(start, stop, text, score))
            at += count
        found.append(tuple(words))
    return found


def within(words: Sequence[Word], start: float, stop: float) -> tuple[Word, ...]:
    """Let the first word begin with its segment and the last one end with it, where that can be.

    The path of attention gives every moment to some word, so a pause makes its neighbour too long;
    the segment's own time tokens leave it out.
    """
    fitted = list(words)
    if fitted and fitted[0].start < start < fitted[0].stop:
        fitted[0] = dataclasses.replace(fitted[0], start=round(start, 3))
    if fitted and fitted[-1].start < stop < fitted[-1].stop:
        fitted[-1] = dataclasses.replace(fitted[-1], stop=round(stop, 3))
    return tuple(fitted)


def _look(
    loaded: Loaded, encoded: Any, prefix: Sequence[int], tokens: Sequence[int], frames: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read a finished text again.

    Returns
    -------
    attention
        Shape (tokens + 1, frames): where the model looks as it is about to say each token, and
        the end.
    scores
        Shape (tokens,): the probability of each token.
    """
    import torch

    model = loaded.model
    kept: dict[int, Any] = {}
    wanted: dict[int, list[int]] = {}
    for layer, head in loaded.generation.alignment_heads:
        wanted.setdefault(layer, []).append(head)

    def keeper(layer: int) -> Any:
        def keep(_module: Any, _inputs: Any, output: Any) -> None:
            kept[layer] = output[1][0, wanted[layer], :, :frames].float().cpu()

        return keep

    ids = torch.tensor([[*prefix, *tokens]], device=model.device)
    layers = model.get_decoder().layers
    hooks = [layers[n].encoder_attn.register_forward_hook(keeper(n)) for n in wanted]
    before = model.config._attn_implementation
    try:
        model.set_attn_implementation("eager")  # the others do not say where they look
        logits = model(encoder_outputs=(encoded,), decoder_input_ids=ids, use_cache=False).logits[0]
    finally:
        model.set_attn_implementation(before)
        for hook in hooks:
            hook.remove()
    weights = torch.cat([kept[n] for n in sorted(kept)])[:, len(prefix) - 1 :]
    deviation, mean = torch.std_mean(weights, dim=-2, keepdim=True, correction=0)
    weights = (weights - mean) / deviation.clamp_min(1e-9)
    attention = _median(weights.numpy()).mean(axis=0)
    chances = logits[len(prefix) - 1 : -1].float().softmax(dim=-1)
    scores = chances.gather(1, ids[0, len(prefix) :, None])[:, 0].cpu()
    return attention, scores.numpy().astype(np.float64)


def _median(weights: NDArray[np.float32]) -> NDArray[np.float64]:
    """Smooth over the last axis by a running median of `MEDIAN` frames, the ends mirrored."""
    half = min(MEDIAN // 2, weights.shape[-1] - 1)
    edges = [(0, 0)] * (weights.ndim - 1) + [(half, half)]
    padded = np.pad(weights.astype(np.float64), edges, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1, axis=-1)
    return np.asarray(np.median(windows, axis=-1))


def _first_frames(attention: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the frame at which the best monotonic path enters each row.

    Dynamic time warping with steps down, right and both, cost minus attention; computed along the
    diagonals, whose cells do not depend on one another.
    """
    rows, columns = attention.shape
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0.0
    for diagonal in range(rows + columns - 1):
        i = np.arange(max(0, diagonal - columns + 1), min(rows, diagonal + 1))
        j = diagonal - i
        best = np.minimum(np.minimum(total[i, j], total[i, j + 1]), total[i + 1, j])
        total[i + 1, j + 1] = best - attention[i, j]
    first = np.zeros(rows, dtype=np.int64)
    i, j = rows, columns
    while i > 0 and j > 0:
        first[i - 1] = j - 1
        steps = ((i - 1, j - 1), (i - 1, j), (i, j - 1))
        i, j = min(steps, key=lambda cell: total[cell])
    return first


def words_of(tokenizer: Any, tokens: Sequence[int]) -> Iterator[tuple[str, int]]:
    """Yield each word of a text and how many tokens it takes.

    Words are split at spaces, and in scripts without spaces at whole characters; punctuation goes
    with the word that it touches. Together they take all tokens.
    """
    word, count = "", 0
    for piece, used in _characters(tokenizer, tokens):
        if word.strip() and _begins(word, piece):
            yield word.strip(), count
            word, count = "", 0
        word += piece
        count += used
    if count:
        yield word.strip(), count


def _begins(word: str, piece: str) -> bool:
    """Tell whether `piece` begins a new word after `word`."""
    if piece[:1].isspace():
        return True
    first = piece[:1]
    if not first or is_mark(first) or word[-1:] in _OPENING:
        return False
    if first in _OPENING:
        return script(word.strip()[-1:]) in UNSPACED
    return script(first) in UNSPACED or (script(word[-1:]) in UNSPACED and first.isalnum())


def _characters(tokenizer: Any, tokens: Sequence[int]) -> Iterator[tuple[str, int]]:
    """Yield the text of as few tokens at a time as make whole characters, and their number."""
    pending: list[int] = []
    for token in tokens:
        pending.append(token)
        text = tokenizer.decode(pending, clean_up_tokenization_spaces=False)
        if "\N{REPLACEMENT CHARACTER}" not in text:
            yield text, len(pending)
            pending = []
    if pending:
        text = tokenizer.decode(pending, clean_up_tokenization_spaces=False)
        yield text.replace("\N{REPLACEMENT CHARACTER}", ""), len(pending)
