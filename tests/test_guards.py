from __future__ import annotations

import numpy as np
import pytest

from nbasr.audio.levels import RATE, Levels
from nbasr.engines.base import Recognition
from nbasr.pipeline.guards import SHORTEST, best_cut, rescued
from nbasr.transcript.transcript import Segment


@pytest.fixture(scope="module")
def tone() -> Levels:
    """Ten seconds of a loud tone over soft noise, with pauses at 3.0–3.2 s and 6.0–7.0 s."""
    rng = np.random.default_rng(0)
    time = np.arange(10 * RATE) / RATE
    sound = 0.3 * np.sin(2 * np.pi * 220 * time)
    for start, stop in ((3.0, 3.2), (6.0, 7.0)):
        sound[round(start * RATE) : round(stop * RATE)] = 0
    sound += rng.normal(0, 0.001, len(sound))
    return Levels.of((sound * 32767).astype(np.int16))


def heard(start: float, stop: float, limit: float) -> Recognition:
    """Answer like a model whose token budget is spent after `limit` seconds."""
    text = " ".join(f"w{second}" for second in range(int(start), int(stop)))
    whole = stop - start <= limit
    return Recognition(
        text=text if whole else text[:5],
        language="en",
        segments=(Segment(0.0, stop - start, text if whole else text[:5]),),
        flags=() if whole else ("truncated",),
    )


def test_the_widest_pause_is_where_a_chunk_is_cut_again(tone):
    assert 6.0 < best_cut(tone, 0.0, 10.0) < 7.0


def test_without_a_pause_the_quietest_frame_is_cut(tone):
    assert SHORTEST < best_cut(tone, 0.0, 2.9) < 2.9 - SHORTEST


def test_a_text_cut_short_is_heard_again_in_parts(tone):
    def again(start, stop):
        return heard(start, stop, 4.0)

    result = rescued(again(0.0, 10.0), 0.0, 10.0, tone, again)
    assert result.flags == ()
    assert set(result.text.split()) == {f"w{second}" for second in range(10)}
    edges = [edge for segment in result.segments for edge in (segment.start, segment.stop)]
    assert edges == sorted(edges)
    assert edges[-1] == pytest.approx(10.0)


def test_what_never_fits_stays_flagged_and_comes_to_an_end(tone):
    calls = []

    def again(start, stop):
        calls.append((start, stop))
        return heard(start, stop, 0.0)

    result = rescued(again(0.0, 10.0), 0.0, 10.0, tone, again)
    assert "truncated" in result.flags
    assert len(calls) < 25
