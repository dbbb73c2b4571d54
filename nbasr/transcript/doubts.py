"""Which parts of a transcript may be wrong, and why."""

from __future__ import annotations

from nbasr.text.cleaning import flat
from nbasr.transcript.segment import Segment

DOUBTFUL_SCORE = 0.4
"""A score below this is marked as doubtful: of a segment, or of a word in it.

Just above the exp(-1) = 0.37 below which Whisper takes its own answer for failed (Radford et al.
2022, section 4.5). In the bundled meeting, by a small Whisper in chunks of 6 s and by sphinx, 57
and 70 % of the segments marked so hold an error, and 80 and 88 % of those with an error are marked.
"""


def is_low(score: float | None, below: float = DOUBTFUL_SCORE) -> bool:
    """Whether a score is known and low."""
    return score is not None and score < below


def is_doubtful(segment: Segment, below: float = DOUBTFUL_SCORE) -> bool:
    """Whether a segment has flags, a low score, or a word with one."""
    return bool(
        segment.flags
        or is_low(segment.score, below)
        or any(is_low(word.score, below) for word in segment.words)
    )


def reasons(segment: Segment) -> str:
    """Return why a segment as a whole may be wrong, or ``""``."""
    doubts = [flat(flag) for flag in segment.flags]
    if segment.score is not None and is_low(segment.score):
        doubts.append(f"score {segment.score:.2f}")
    return ", ".join(doubts)
