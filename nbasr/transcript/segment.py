"""The parts of a transcript: words in segments, with their times."""

from __future__ import annotations

import dataclasses
import math

from nbasr.errors import OptionError


def _settle_times(of: Word | Segment) -> None:
    """Make the times of `of` plain floats (engines give numpy's) and refuse impossible ones."""
    start, stop = float(of.start), float(of.stop)
    kind = type(of).__name__.lower()
    if not (math.isfinite(start) and math.isfinite(stop) and start >= 0):
        raise OptionError(f"A {kind} has times in seconds from 0, not {start} to {stop}.")
    if stop < start:
        raise OptionError(f"A {kind} cannot stop ({stop:g} s) before it starts ({start:g} s).")
    object.__setattr__(of, "start", start)
    object.__setattr__(of, "stop", stop)
    if of.score is not None:
        score = float(of.score)
        object.__setattr__(of, "score", score if math.isfinite(score) else None)


@dataclasses.dataclass(frozen=True)
class Word:
    """One word and when it was said.

    Parameters
    ----------
    start, stop : float
        Seconds from the start of the recording, 0 ≤ start ≤ stop.
    text : str
        The word, without spaces around it; punctuation may be attached.
    score : float, optional
        How sure the model was, from 0 to 1; None where it does not tell.

    Raises
    ------
    OptionError
        If the times are negative, not finite, or in the wrong order.
    """

    start: float
    stop: float
    text: str
    score: float | None = None

    def __post_init__(self) -> None:
        _settle_times(self)


@dataclasses.dataclass(frozen=True)
class Segment:
    """A stretch of speech and its text: a chunk, a sentence or a turn.

    Parameters
    ----------
    start, stop : float
        Seconds from the start of the recording, 0 ≤ start ≤ stop.
    text : str
        What was said.
    words : tuple of Word, optional
        The same text word by word, where word times are known.
    language : str, optional
        ISO code of the language of this segment.
    speaker : str, optional
        Who speaks, where known.
    score : float, optional
        How sure the model was, from 0 to 1; None where it does not tell. Engines measure it each in
        their own way: Whisper gives the geometric mean of the token probabilities of the whole
        chunk, the same for all its segments; sphinx the posterior probability of the words.
    flags : tuple of str, optional
        Doubts, each in a word or two: ``"truncated"``, ``"repetition"``.

    Raises
    ------
    OptionError
        If the times are negative, not finite, or in the wrong order.
    """

    start: float
    stop: float
    text: str
    words: tuple[Word, ...] = ()
    language: str | None = None
    speaker: str | None = None
    score: float | None = None
    flags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _settle_times(self)
        object.__setattr__(self, "words", tuple(self.words))
        object.__setattr__(self, "flags", tuple(self.flags))
