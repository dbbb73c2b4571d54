"""Levels to plan, and what holds for every plan."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st

from nbasr.audio.levels import FRAME, Levels
from nbasr.chunking import ChunkPlan


def levels_of(spans: list[tuple[float, float]], seed: int = 0, extra: int = 0) -> Levels:
    """Return levels of speech and pauses that last (speech, pause) seconds in turn."""
    rng = np.random.default_rng(seed)
    parts = [
        rng.normal(mean, scatter, round(seconds * 100))
        for speech, pause in spans
        for seconds, mean, scatter in ((speech, -25, 4), (pause, -60, 0.5))
    ]
    rms_db = np.concatenate([np.empty(0), *parts]).clip(-95, 0).astype(np.float32)
    return Levels(rms_db, (np.zeros((1, 2), np.int16),), max(FRAME * len(rms_db) - extra, 0))


SPANS = st.lists(
    st.tuples(
        st.one_of(st.floats(0, 3), st.floats(0, 40)),
        st.one_of(st.floats(0, 0.6), st.floats(0, 4), st.floats(20, 90)),
    ),
    max_size=25,
)
LEVELS = st.builds(levels_of, SPANS, st.integers(0, 99), st.integers(0, FRAME - 1))
MAXIMUM = st.one_of(st.sampled_from([0.5, 6.0, 30.0]), st.floats(0.5, 60))


def measure(spans, other) -> float:
    """Return the seconds that `spans` and `other` have in common, counted as often as they do."""
    return sum(max(min(b, d) - max(a, c), 0.0) for a, b in spans for c, d in other)


def check(plan: ChunkPlan) -> None:
    """Assert what holds for every plan."""
    spans = [(chunk.start, chunk.stop) for chunk in plan.chunks]
    assert all(0 <= start < stop <= plan.duration for start, stop in spans)
    assert plan.longest <= plan.max_seconds
    for chunk, after in zip(plan.chunks[:-1], plan.chunks[1:], strict=True):
        assert chunk.start < after.start
        assert chunk.stop < after.stop
        assert after.overlap == pytest.approx(max(chunk.stop - after.start, 0), abs=1e-6)
    if plan.chunks:
        assert plan.chunks[0].overlap == 0
    # Chunks and what is skipped make up the recording, once.
    shared = sum(chunk.overlap for chunk in plan.chunks)
    held = sum(stop - start for start, stop in spans) - shared
    assert held + plan.skipped_seconds == pytest.approx(plan.duration, abs=1e-6)
    assert measure(spans, plan.skipped) < 1e-6
    # Every second of speech is in exactly one chunk, or in an overlap made on purpose.
    total = sum(stop - start for start, stop in plan.speech)
    overlaps = [(chunk.start, chunk.start + chunk.overlap) for chunk in plan.chunks]
    assert measure(spans, plan.speech) - measure(overlaps, plan.speech) == pytest.approx(total)
    assert plan.speech_seconds == pytest.approx(total)
    assert measure(plan.skipped, plan.speech) < 1e-6
    # Cuts lie between their chunks, and know the pause they fell into.
    assert len(plan.cuts) == max(len(plan.chunks) - 1, 0)
    for cut, before, after in zip(plan.cuts, plan.chunks[:-1], plan.chunks[1:], strict=True):
        edges = sorted((before.stop, after.start))
        assert edges[0] <= cut.time <= edges[1]
        inside = [s for s in plan.speech if s[0] + 1e-6 < cut.time < s[1] - 1e-6]
        assert not (inside and cut.pause)


@st.composite
def times_in(draw, duration: float, most: int = 8) -> tuple[float, ...]:
    """Draw times at which a recording of this length can be cut."""
    drawn = draw(st.lists(st.floats(0.1, max(duration - 0.1, 0.1)), max_size=most))
    times: list[float] = []
    for time in sorted(drawn):
        if time <= duration - 0.1 and (not times or time - times[-1] >= 0.1):
            times.append(time)
    return tuple(times)
