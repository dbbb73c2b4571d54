"""Plans edited by hand: cuts added, taken away, moved; nothing is lost and nothing told twice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plans import LEVELS, SPANS, check, levels_of, measure

from nbasr import samples
from nbasr.chunking import ChunkPlan, Cut, Fixed, Optimal, Silence, Vad
from nbasr.errors import OptionError


def edges(plan: ChunkPlan) -> list[tuple[float, float]]:
    return [(chunk.start, chunk.stop) for chunk in plan]


def check_edited(plan: ChunkPlan) -> None:
    """Assert what holds for every plan, but that chunks may be too long, and that it is told."""
    for number, chunk in enumerate(plan.chunks):
        assert (number in plan.too_long) == (chunk.duration > plan.max_seconds + 1e-9)
    object.__setattr__(plan, "max_seconds", max(plan.max_seconds, plan.longest))
    check(plan)


def made(levels, max_seconds, kind, share) -> ChunkPlan:
    more = {"overlap": share * max_seconds} if kind is Fixed else {}
    return kind(max_seconds=max_seconds, **more).plan(levels)


PLANS = st.builds(
    made,
    LEVELS,
    st.floats(2, 40),
    st.sampled_from([Optimal, Silence, Fixed]),
    st.just(0.0) | st.floats(0, 0.45),
)


SPOKEN = st.builds(
    made,
    st.builds(lambda spans, seed: levels_of([(2.0, 0.3), *spans], seed), SPANS, st.integers(0, 99)),
    st.floats(2, 40),
    st.sampled_from([Optimal, Silence, Fixed]),
    st.just(0.0) | st.floats(0, 0.45),
)
"""Plans of recordings in which somebody speaks: their first chunk can be cut."""


def draw_time(data, plan: ChunkPlan) -> float:
    """Draw a time at which the plan can be cut."""
    at = data.draw(st.integers(0, len(plan.chunks) - 1))
    for index in (at, 0):
        start, stop = edges(plan)[index]
        start = max(start, *(chunk.stop for chunk in plan.chunks[:index]), 0.0) + 0.1
        stop = min(stop, *(chunk.start for chunk in plan.chunks[index + 1 :]), plan.duration) - 0.1
        if start < stop:
            return data.draw(st.floats(start, stop))
    pytest.fail(f"no room for a cut in {plan}")


@given(plan=PLANS, data=st.data())
@settings(max_examples=200, deadline=None)
def test_speech_stays_covered_once_after_any_edits(plan, data):
    first = plan
    for _ in range(data.draw(st.integers(1, 8))):
        what = data.draw(st.sampled_from(["with", "without", "moved"]))
        time = data.draw(st.floats(0, plan.duration))
        index = data.draw(st.integers(0, max(len(plan.cuts) - 1, 0)))
        before = (plan.chunks, plan.cuts)
        try:
            if what == "with":
                edited = plan.with_cut(time)
            elif what == "without":
                edited = plan.without_cut(index)
            else:
                edited = plan.moved_cut(index, time)
        except OptionError:
            continue
        assert (plan.chunks, plan.cuts) == before
        assert len(edited.cuts) - len(plan.cuts) == {"with": 1, "without": -1, "moved": 0}[what]
        if what != "without":
            cut = (
                edited.cuts[index]
                if what == "moved"
                else next(cut for cut in edited.cuts if cut.time == time)
            )
            assert cut.time == time
        assert edited.max_seconds == first.max_seconds
        assert edited.strategy == f"edited: {first.strategy}"
        plan = edited
    check_edited(plan)


@given(plan=SPOKEN, data=st.data())
@settings(max_examples=200, deadline=None)
def test_a_cut_more_and_then_less_gives_the_chunks_that_there_were(plan, data):
    time = draw_time(data, plan)
    cut = plan.with_cut(time)
    index = [each.time for each in cut.cuts].index(time)
    again = cut.without_cut(index)
    assert edges(again) == edges(plan)
    assert (again.cuts, again.skipped) == (plan.cuts, plan.skipped)
    assert [chunk.overlap for chunk in again] == pytest.approx(
        [chunk.overlap for chunk in plan], abs=1e-6
    )


@given(plan=SPOKEN, data=st.data())
@settings(max_examples=200, deadline=None)
def test_a_cut_moved_to_where_it_is_moves_nothing(plan, data):
    if not plan.cuts:
        plan = plan.with_cut(draw_time(data, plan))
    index = data.draw(st.integers(0, len(plan.cuts) - 1))
    try:
        again = plan.moved_cut(index, plan.cuts[index].time)
    except OptionError:  # a chunk shorter than a cut leaves
        assert plan.shortest < 0.2 + 2 * max(chunk.overlap for chunk in plan)
        return
    assert np.array(edges(again)) == pytest.approx(np.array(edges(plan)))


@given(plan=PLANS, data=st.data())
@settings(max_examples=200, deadline=None)
def test_any_edited_plan_can_be_made_again_from_its_chunks(plan, data):
    levels = plan.levels
    for _ in range(data.draw(st.integers(1, 4))):
        try:
            plan = plan.with_cut(data.draw(st.floats(0, plan.duration)))
            plan = plan.without_cut(data.draw(st.integers(0, len(plan.cuts) - 1)))
        except OptionError:
            continue
    longest = max(plan.max_seconds, plan.longest)
    for spans in (plan.chunks, edges(plan)):
        again = ChunkPlan.of(levels, spans, strategy=plan.strategy, max_seconds=longest)
        assert edges(again) == edges(plan)
        assert (again.skipped, again.strategy) == (plan.skipped, plan.strategy)
        assert [chunk.overlap for chunk in again] == pytest.approx(
            [chunk.overlap for chunk in plan], abs=1e-6
        )


def test_a_cut_splits_its_chunk_and_knows_its_pause():
    levels = levels_of([(0, 0.5), (5, 0.4), (5, 4), (5, 0.5)])
    plan = Optimal(max_seconds=30).plan(levels)
    assert len(plan) == 2
    edited = plan.with_cut(3.0).with_cut(5.7)
    assert edges(edited)[:2] == [(plan.chunks[0].start, 3.0), (3.0, 5.7)]
    assert edges(edited)[2:] == [(5.7, plan.chunks[0].stop), edges(plan)[1]]
    assert edited.cuts == (
        Cut(3.0, 0.0),
        Cut(5.7, pytest.approx(0.4, abs=0.05)),
        plan.cuts[0],
    )
    assert edited.skipped == plan.skipped
    assert edited.speech_seconds == pytest.approx(plan.speech_seconds)
    assert edited.recording is plan.recording
    assert edited.strategy == "edited: Optimal(max_seconds=30)"


def test_joined_chunks_hold_what_was_skipped_between_them_and_may_be_too_long():
    levels = levels_of([(0, 0.5), (9, 4), (9, 0.5)])
    plan = Optimal(max_seconds=12).plan(levels)
    assert plan.too_long == ()
    edited = plan.without_cut(0)
    assert edges(edited) == [(plan.chunks[0].start, plan.chunks[1].stop)]
    assert edited.skipped_seconds < plan.skipped_seconds - 3
    assert edited.too_long == (0,)
    assert edited.max_seconds == 12
    assert "(at most 12 s; 1 is longer)" in str(edited)
    with pytest.raises(OptionError, match="lasts longer than max_seconds, 12 s"):
        ChunkPlan.of(levels, edited.chunks, max_seconds=12)


def test_a_cut_moved_out_of_silence_leaves_none_of_it_out():
    levels = levels_of([(0, 0.5), (5, 4), (5, 0.5)])
    plan = Optimal(max_seconds=12).plan(levels)
    (start, left), (right, stop) = edges(plan)
    assert right - left > 3
    for time, wanted in (
        (3.0, [(start, 3.0), (3.0, stop)]),
        (12.0, [(start, 12.0), (12.0, stop)]),
        (6.5, [(start, left), (right, stop)]),
    ):
        edited = plan.moved_cut(0, time)
        assert edges(edited) == wanted
        assert edited.cuts[0].time == time
        assert (edited.cuts[0].pause > 0) == (time == 6.5)


def test_a_locked_cut_stays_locked_where_it_is_moved():
    plan = Optimal(max_seconds=20, cuts=(8,)).plan(levels_of([(15, 0.5)]))
    assert [(cut.time, cut.locked) for cut in plan.moved_cut(0, 9).cuts] == [(9, True)]
    assert [cut.locked for cut in plan.with_cut(4).cuts] == [False, True]


def test_overlaps_of_fixed_are_kept():
    plan = Fixed(max_seconds=10, overlap=2).plan(levels_of([(26, 0)]))
    assert edges(plan) == [(0, 10), (8, 18), (16, 26)]
    assert edges(plan.with_cut(5)) == [(0, 6), (4, 10), (8, 18), (16, 26)]
    assert edges(plan.moved_cut(0, 7)) == [(0, 8), (6, 18), (16, 26)]
    assert edges(plan.without_cut(0)) == [(0, 18), (16, 26)]
    # As far as the chunks keep something of their own.
    close = plan.moved_cut(1, 10.5)
    assert edges(close) == [(0, 10), (8, 11.5), (10.1, 26)]
    assert edges(close.moved_cut(1, 17)) == edges(plan)


@pytest.mark.parametrize("kind", [Optimal, Silence, Fixed, Vad])
def test_cuts_can_be_put_anywhere_on_the_meeting(kind):
    plan = kind(max_seconds=20).plan(samples.open("meeting"))
    for time in np.arange(0.5, plan.duration, 7.3):
        if any(chunk.start + 0.2 < time < chunk.stop - 0.2 for chunk in plan):
            plan = plan.with_cut(time)
    assert len(plan) > 10
    check_edited(plan)


WHOLE = ChunkPlan.of(levels_of([(10, 0.5), (10, 5)]), [(1, 10), (10, 18), (20, 25)])


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda: WHOLE.with_cut(19), r"19 s is in no chunk, so .*: what lies there is left out"),
        (lambda: WHOLE.with_cut(-1), r"-1 s is in no chunk, .*: the recording lasts from 0 to 25"),
        (
            lambda: WHOLE.with_cut(10.05),
            r"at 10\.05 s is too close to an end of chunk 2 \(10 to 18",
        ),
        (lambda: WHOLE.with_cut(10), r"too close to an end of chunk 1 \(1 to 10 s\): leave 0\.1 s"),
        (lambda: WHOLE.with_cut("x"), r"A cut is at a time in seconds, not 'x'"),
        (lambda: WHOLE.with_cut(float("nan")), r"A cut is at a time in seconds, not nan"),
        (lambda: WHOLE.without_cut(2), r"The plan has no cut 2; they are 0 to 1\."),
        (lambda: WHOLE.without_cut(-1), r"The plan has no cut -1; they are 0 to 1\."),
        (lambda: WHOLE.without_cut(1.5), r"named by its number, counted from 0, not 1\.5"),
        (lambda: WHOLE.without_cut(0).without_cut(1), r"The plan has no cut 1; it is 0\."),
        (
            lambda: WHOLE.without_cut(0).without_cut(0).without_cut(0),
            r"The plan has no cut 0; it has none\.",
        ),
        (
            lambda: WHOLE.moved_cut(0, 17.95),
            r"Cut 0 cannot be moved to 17\.95 s: .* from 1\.1 to 17\.9 s, so that 0\.1 s stay",
        ),
        (lambda: WHOLE.moved_cut(1, 9), r"Cut 1 cannot be moved to 9 s: .* from 10\.1 to 24\.9 s"),
        (lambda: WHOLE.moved_cut(5, 9), r"The plan has no cut 5"),
        (lambda: WHOLE.moved_cut(0, None), r"A cut is at a time in seconds, not None"),
    ],
)
def test_edits_that_cannot_be_made_say_why(edit, message):
    with pytest.raises(OptionError, match=message) as caught:
        edit()
    assert "\n" not in str(caught.value)


def test_a_cut_in_an_overlap_is_refused():
    plan = Fixed(max_seconds=10, overlap=2).plan(levels_of([(26, 0)]))
    with pytest.raises(OptionError, match=r"leave 0\.1 s on either side that no other chunk holds"):
        plan.with_cut(9)


def test_what_is_left_out_holds_no_speech_after_edits():
    plan = Optimal(max_seconds=12).plan(samples.open("meeting"))
    edited = plan.without_cut(2).with_cut(plan.chunks[0].start + 1).moved_cut(0, 3.0)
    assert measure(edited.skipped, edited.speech) < 1e-6
    assert edited.cuts_in_speech >= plan.cuts_in_speech
