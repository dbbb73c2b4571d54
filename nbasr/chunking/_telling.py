"""A plan in words: a line for the notebook, a list for `print`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nbasr.audio._words import clock, count
from nbasr.transcript.clock import clock as exactly

if TYPE_CHECKING:
    from nbasr.chunking.plan import ChunkPlan

SHORT_PAUSE = 0.2
"""A cut in a pause shorter than this many seconds (or in none) may have hit a word."""

_ROUNDING = 1e-6  # seconds
_MOST_LISTED = 20  # chunks
_LONGEST_MANNER = 120  # letters
_HEARD = 0.05  # seconds; less of skipped sound is nothing to tell


def is_short(pause: float) -> bool:
    """Tell whether a cut in such a pause may have hit a word."""
    return pause < SHORT_PAUSE - _ROUNDING  # 12.34 - 12.14 is a little less than 0.2


def title(plan: ChunkPlan) -> str:
    """Return whose plan it is: ``meeting.wav (1:11)``."""
    length = clock(plan.duration)
    return f"{plan.recording.name} ({length})" if plan.recording is not None else length


def manner(plan: ChunkPlan) -> str:
    """Return how it was planned, cut off where that tells of many cuts."""
    text = plan.strategy
    return text if len(text) <= _LONGEST_MANNER else f"{text[:_LONGEST_MANNER]}…"


def nothing(plan: ChunkPlan) -> str:
    """Return why a plan has no chunks; empty if it has some."""
    if plan.chunks:
        return ""
    if plan.speech:
        return "No chunks."
    if plan.threshold_db is not None:
        return f"No speech was found above {plan.threshold_db:g} dBFS; lower threshold_db."
    if plan.above_floor_db is not None:
        return (
            f"No speech was found {plan.above_floor_db:g} dB above the noise floor; lower "
            "above_floor_db."
        )
    return "No speech was found."


def figures(plan: ChunkPlan) -> dict[str, str]:
    """Return what the plan comes to, as short texts by name."""
    told = {"chunks": f"{len(plan.chunks):,}{_lengths(plan)}", "speech": clock(plan.speech_seconds)}
    if plan.skipped_seconds >= _HEARD:
        told["skipped"] = _skipped(plan, "")
    if plan.cuts:
        told["cuts"] = _cuts(plan, "")
    padding = plan.padding
    told["padding"] = (
        f"{padding.in_order:.0%} in batches of 8, {padding.by_length:.0%} if sorted by length"
    )
    return told


def line(plan: ChunkPlan) -> str:
    """Return what matters of a plan in one line."""
    if not plan.chunks:
        return nothing(plan)
    told = [
        count(len(plan.chunks), "chunk") + _lengths(plan),
        f"{clock(plan.speech_seconds)} of speech",
    ]
    if plan.skipped_seconds >= _HEARD:
        told.append(_skipped(plan, " skipped"))
    if plan.cuts:
        told.append(_cuts(plan, " cut" if len(plan.cuts) == 1 else " cuts"))
    return " · ".join(told)


def listing(plan: ChunkPlan) -> str:
    """Return the figures in lines, then a line for each chunk; the many after the first folded."""
    lines = [f"{title(plan)} by {manner(plan)}"]
    if not plan.chunks:
        return f"{lines[0]}\n{nothing(plan)}"
    lines += [f"  {name:8} {text}" for name, text in figures(plan).items()]
    shown = plan.chunks[:_MOST_LISTED]
    wide = len(exactly(shown[-1].stop))
    lines += [
        f"  {exactly(chunk.start):>{wide}} – {exactly(chunk.stop):>{wide}}"
        + (f"  (overlap {chunk.overlap:.1f} s)" if chunk.overlap else "")
        for chunk in shown
    ]
    more = len(plan.chunks) - len(shown)
    if more:
        lines.append(f"  … and {more:,} more, to {exactly(plan.chunks[-1].stop)}")
    return "\n".join(lines)


def _lengths(plan: ChunkPlan) -> str:
    shortest, longest = f"{plan.shortest:.1f}", f"{plan.longest:.1f}"
    span = longest if shortest == longest else f"{shortest} to {longest}"
    longer = len(plan.too_long)
    told = f"; {longer:,} {'is' if longer == 1 else 'are'} longer" if longer else ""
    return f" of {span} s (at most {plan.max_seconds:g} s{told})"


def _skipped(plan: ChunkPlan, word: str) -> str:
    """Return how much is skipped, and how much of it is speech, as it may be in one's own plan."""
    lost = sum(stop - start for start, stop in plan.speech) - plan.speech_seconds
    told = clock(plan.skipped_seconds)
    if lost >= _HEARD:
        return f"{told}{word}, {clock(lost)} of it speech"
    return f"{told} of silence{word}"


def _cuts(plan: ChunkPlan, word: str) -> str:
    """Return how many cuts there are, and where."""
    pauses = [cut.pause for cut in plan.cuts]
    short = sum(is_short(pause) for pause in pauses)
    number = f"{len(pauses):,}{word}"
    if short:
        of = f"{short:,} of " if len(pauses) > 1 else ""
        return f"{of}{number} in speech or a pause under {SHORT_PAUSE:g} s"
    if len(pauses) == 1:
        return f"{number}, in a pause of {pauses[0]:.2f} s"
    return f"{number}, all in pauses (median {np.median(pauses):.2f} s)"
