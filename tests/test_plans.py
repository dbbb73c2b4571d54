"""Plans: what holds for every strategy, and what each is for."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from plans import LEVELS, MAXIMUM, check, levels_of, measure, times_in

from nbasr import samples
from nbasr.audio.levels import RATE, Levels
from nbasr.audio.recording import Recording
from nbasr.chunking import (
    Chunk,
    ChunkPlan,
    Cut,
    Fixed,
    Optimal,
    Silence,
    Vad,
    adaptive_seconds,
    automatic_above_floor_db,
    speech,
    strategy,
)
from nbasr.chunking._places import Places
from nbasr.chunking.optimal import cheapest, off_target
from nbasr.errors import AudioError, OptionError


@given(levels=LEVELS, max_seconds=MAXIMUM, margin=st.floats(0, 2), kind=st.sampled_from("OS"))
@settings(max_examples=300, deadline=None)
def test_plans_at_pauses_cover_in_order_without_overlap(levels, max_seconds, margin, kind):
    made = {"O": Optimal, "S": Silence}[kind](max_seconds=max_seconds, margin=margin)
    plan = made.plan(levels)
    check(plan)
    assert all(chunk.overlap == 0 for chunk in plan.chunks)
    assert all(measure([(chunk.start, chunk.stop)], plan.speech) > 0 for chunk in plan.chunks)


@given(levels=LEVELS, max_seconds=MAXIMUM, share=st.floats(0, 0.49))
@settings(max_examples=200, deadline=None)
def test_fixed_plans_cover_in_order_and_overlap_as_asked(levels, max_seconds, share):
    plan = Fixed(max_seconds=max_seconds, overlap=share * max_seconds).plan(levels)
    check(plan)
    for chunk in plan.chunks:
        assert chunk.overlap == pytest.approx(0) or chunk.overlap == pytest.approx(
            share * max_seconds
        )


@given(levels=LEVELS, max_seconds=st.floats(4, 40), kind=st.sampled_from([Optimal, Silence, Fixed]))
@settings(max_examples=200, deadline=None)
def test_no_chunk_is_shorter_than_the_shortest_unless_the_recording_is(levels, max_seconds, kind):
    plan = kind(max_seconds=max_seconds, min_seconds=1.0).plan(levels)
    assert plan.shortest >= min(1.0, levels.duration) - 1e-6 or not plan.chunks


@given(levels=LEVELS, max_seconds=st.floats(2, 40))
@settings(max_examples=200, deadline=None)
def test_speech_is_cut_only_where_it_is_longer_than_a_chunk(levels, max_seconds):
    for kind in (Optimal, Silence):
        plan = kind(max_seconds=max_seconds, min_seconds=0).plan(levels)
        long = [s for s in plan.speech if s[1] - s[0] > max_seconds]
        for cut in plan.cuts:
            assert cut.pause >= 0.2 - 1e-6 or any(s[0] < cut.time < s[1] for s in long)


@given(levels=LEVELS, max_seconds=st.floats(2, 40))
@settings(max_examples=100, deadline=None)
def test_optimal_cuts_into_speech_no_more_often_than_silence(levels, max_seconds):
    optimal, silence = (
        kind(max_seconds=max_seconds, min_seconds=0).plan(levels) for kind in (Optimal, Silence)
    )
    in_speech = [sum(not cut.pause for cut in plan.cuts) for plan in (optimal, silence)]
    assert in_speech[0] <= in_speech[1]


@given(
    steps=st.lists(st.floats(0.1, 3), min_size=1, max_size=12),
    costs=st.lists(st.floats(-0.2, 2), min_size=13, max_size=13),
    longest=st.floats(1, 12),
    shortest=st.floats(0, 2),
    target=st.none() | st.floats(0.5, 12),
)
@settings(max_examples=400, deadline=None)
def test_no_choice_of_places_is_cheaper_than_the_cheapest(steps, costs, longest, shortest, target):
    times = np.concatenate(([0.0], np.cumsum(steps)))
    count = len(times)
    none = np.full(count, np.nan)
    found = Places(times, times, times, times, np.ones(count), np.array(costs[:count]), none)
    end = len(steps)

    def cost(chosen) -> float:
        lengths = np.diff(times[list(chosen)])
        off = 0.0 if target is None else off_target(lengths, target).sum()
        return sum(costs[place] for place in chosen[1:]) + off

    best = None  # over all ways
    for inner in range(2 ** (end - 1)):
        way = [0, *(place for place in range(1, end) if inner >> (place - 1) & 1), end]
        lengths = np.diff(times[way])
        if (lengths >= shortest - 1e-9).all() and (lengths <= longest + 1e-9).all():
            best = cost(way) if best is None else min(best, cost(way))
    chosen = cheapest(found, longest, shortest, target)
    if best is None:
        assert chosen is None
        return
    assert chosen is not None
    assert chosen[0] == 0
    assert chosen[-1] == end
    lengths = np.diff(times[chosen])
    assert (lengths <= longest + 1e-8).all()
    assert (lengths >= shortest - 1e-8).all()
    assert cost(chosen) == pytest.approx(best)


@given(target=st.floats(0.3, 60), length=st.floats(0.1, 90))
def test_the_further_from_the_target_the_more_a_chunk_costs(target, length):
    cost = off_target(np.array([target, length, target + 1.1 * (length - target)]), target)
    assert cost[0] == 0
    assert cost[1] <= cost[2]
    two = off_target(np.array([length, length / 2]), target)
    assert two[0] - 2 * two[1] < 2  # less than a cut inside speech is worth


@pytest.mark.parametrize("kind", [Optimal, Silence])
def test_a_chunk_that_is_widened_to_the_end_is_not_wider_than_the_recording(kind):
    levels = levels_of([(0.15625, 0.75)])  # 0.16 s + 0.75 s is more than 0.91 s, rounded
    plan = kind(max_seconds=4.0).plan(levels)
    assert [(chunk.start, chunk.stop) for chunk in plan] == [(0.0, 0.91)]


@given(
    levels=LEVELS,
    max_seconds=MAXIMUM,
    share=st.floats(0.25, 1),
    margin=st.floats(0, 2),
    kind=st.sampled_from([Optimal, Silence]),
)
@settings(max_examples=200, deadline=None)
def test_a_target_breaks_no_limit(levels, max_seconds, share, margin, kind):
    target = share * max_seconds
    assume(target >= 1 or max_seconds <= 4)
    plan = kind(max_seconds=max_seconds, target_seconds=target, margin=margin).plan(levels)
    check(plan)
    assert all(measure([(chunk.start, chunk.stop)], plan.speech) > 0 for chunk in plan.chunks)
    if max_seconds >= 4:
        assert plan.shortest >= min(1.0, levels.duration) - 1e-6 or not plan.chunks


@given(levels=LEVELS, max_seconds=st.floats(2, 40), share=st.floats(0.5, 1))
@settings(max_examples=100, deadline=None)
def test_no_target_is_worth_a_cut_into_speech(levels, max_seconds, share):
    plans = [
        Optimal(max_seconds=max_seconds, min_seconds=0, target_seconds=target).plan(levels)
        for target in (None, share * max_seconds)
    ]
    without, aimed = (sum(not cut.pause for cut in plan.cuts) for plan in plans)
    assert aimed <= without


def test_a_good_pause_near_the_target_beats_a_poor_one_just_there():
    near = levels_of([(0, 0.3), (7, 0.9), (2.8, 0.22), (10, 0.5)])
    plan = Optimal(max_seconds=30, target_seconds=10).plan(near)
    assert plan.cuts[0].pause == pytest.approx(0.9, abs=0.04)
    far = levels_of([(0, 0.3), (1.5, 0.9), (8, 0.3), (10, 0.5)])
    plan = Optimal(max_seconds=30, target_seconds=10).plan(far)
    assert [cut.pause for cut in plan.cuts] == [pytest.approx(0.3, abs=0.04)]


def test_silence_takes_the_last_pause_up_to_the_target_or_else_the_first_after_it():
    levels = levels_of([(0, 0.3), (4, 0.3), (4, 0.3), (4, 0.3), (19, 0.3), (3, 0.5)])
    plan = Silence(max_seconds=30, target_seconds=10).plan(levels)
    assert [chunk.stop for chunk in plan] == pytest.approx([8.75, 13.05, 32.35, 36.0], abs=0.06)
    assert Silence(max_seconds=30).plan(levels).chunks[0].stop == pytest.approx(13.05, abs=0.06)


@pytest.mark.parametrize("target", [6.0, 9.0])
@pytest.mark.parametrize("kind", [Optimal, Silence, Vad])
def test_chunks_of_the_meeting_come_closer_to_the_target(kind, target):
    meeting = samples.open("meeting")
    plans = [kind(target_seconds=aim).plan(meeting) for aim in (None, target)]
    off = [
        np.mean([abs(chunk.duration - target) / target for chunk in plan.chunks]) for plan in plans
    ]
    assert off[1] < 0.5 < off[0]
    assert plans[1].cuts_in_speech == 0


@pytest.mark.data
@pytest.mark.parametrize("target", [5.0, 10.0, 20.0])
def test_chunks_of_real_speech_come_closer_to_the_target(conversations, target):
    for levels, _ in conversations.values():
        plans = [Optimal(target_seconds=aim).plan(levels) for aim in (None, target)]
        off = [
            np.mean([abs(chunk.duration - target) / target for chunk in plan.chunks])
            for plan in plans
        ]
        assert off[1] < off[0] * (0.5 if target < 15 else 1)  # 20 s is what chunks are anyway
        assert [plan.cuts_in_speech for plan in plans] == [0, 0]


# --- cuts that were asked for


@given(
    levels=LEVELS,
    max_seconds=MAXIMUM,
    margin=st.floats(0, 2),
    kind=st.sampled_from([Optimal, Silence, Fixed]),
    share=st.floats(0, 0.49),
    target=st.booleans(),
    data=st.data(),
)
@settings(max_examples=200, deadline=None)
def test_cuts_are_made_where_they_were_asked_for(
    levels, max_seconds, margin, kind, share, target, data
):
    times = data.draw(times_in(levels.duration))
    given = {"overlap": share * max_seconds} if kind is Fixed else {}
    if target and kind is not Fixed:
        given["target_seconds"] = max_seconds / 2
    made = kind(max_seconds=max_seconds, margin=margin, cuts=times, **given)
    plan = made.plan(levels)
    check(plan)
    locked = [cut.time for cut in plan.cuts if cut.locked]
    assert set(locked) <= set(times)
    assert locked == sorted(locked)
    spans = [(chunk.start, chunk.stop) for chunk in plan.chunks]
    for time in times:
        before = [at for at, (start, _) in enumerate(spans) if start < time - 1e-9]
        after = [at for at, (_, stop) in enumerate(spans) if stop > time + 1e-9]
        if not before or not after:
            continue
        if kind is not Fixed:  # no chunk reaches over it
            assert before[-1] < after[0]
            assert plan.cuts[before[-1]].locked
        else:  # only what is shared does
            over = [span for span in spans if span[0] + 1e-9 < time < span[1] - 1e-9]
            assert len(over) <= 2
            assert all(min(time - a, b - time) <= share * max_seconds / 2 + 1e-6 for a, b in over)
    if not times:
        assert plan == kind(max_seconds=max_seconds, margin=margin, **given).plan(levels)


@given(
    levels=LEVELS,
    max_seconds=st.floats(4, 40),
    kind=st.sampled_from([Optimal, Silence, Fixed]),
    data=st.data(),
)
@settings(max_examples=150, deadline=None)
def test_only_beside_a_cut_that_was_asked_for_may_a_chunk_be_short(levels, max_seconds, kind, data):
    times = np.array(data.draw(times_in(levels.duration)))
    plan = kind(max_seconds=max_seconds, min_seconds=1.0, cuts=times).plan(levels)
    for chunk in plan.chunks:
        if chunk.duration < min(1.0, levels.duration) - 1e-6:
            beside = (times >= chunk.start - 1.0) & (times <= chunk.stop + 1.0)
            assert beside.any()


@given(levels=LEVELS, data=st.data(), kind=st.sampled_from([Optimal, Silence]))
@settings(max_examples=100, deadline=None)
def test_a_cut_that_was_asked_for_costs_few_more_cuts_into_speech(levels, data, kind):
    times = data.draw(times_in(levels.duration, most=1))
    whole = kind(max_seconds=8).plan(levels)
    plan = kind(max_seconds=8, cuts=times).plan(levels)
    before, after = (sum(not cut.pause for cut in each.cuts) for each in (whole, plan))
    assert after <= before + 2 * len(times)


def test_a_cut_in_a_long_pause_leaves_its_silence_out_as_any_cut_does():
    levels = levels_of([(0, 0.5), (5, 4), (5, 0.4), (5, 0.5)])
    for time in (6.0, 7.5, 9.0):
        plan = Optimal(cuts=(time,)).plan(levels)
        assert plan.cuts == (Cut(time, pytest.approx(4, abs=0.05), locked=True),)
        assert plan.chunks[0].stop == pytest.approx(5.65, abs=0.03)
        assert plan.chunks[1].start == pytest.approx(9.35, abs=0.03)
    left, right = plan.speech[0][1], plan.speech[1][0]
    plan = Optimal(cuts=(left + 0.05, right - 0.02)).plan(levels)
    assert (plan.chunks[0].stop, plan.chunks[1].start) == (left + 0.05, right - 0.02)
    assert [cut.time for cut in plan.cuts] == [left + 0.05]


@pytest.mark.parametrize("time", [3.0, 10.55, 10.8])  # in speech, in a pause of 0.4 s
def test_elsewhere_chunks_touch_at_the_cut(time):
    levels = levels_of([(0, 0.5), (10, 0.4), (10, 0.5)])
    for kind in (Optimal, Silence, Fixed):
        plan = kind(cuts=(time,)).plan(levels)
        assert [(chunk.start, chunk.stop) for chunk in plan] == [(0, time), (time, levels.duration)]
        assert plan.cuts[0].locked
        assert bool(plan.cuts[0].pause) == (time > 10)


def test_cuts_before_the_first_and_after_the_last_speech_bound_the_chunks():
    levels = levels_of([(0, 0.6), (5, 0.6)])
    plan = Optimal(cuts=(0.2, 5.9)).plan(levels)
    assert [(chunk.start, chunk.stop) for chunk in plan] == [(0.2, 5.9)]
    assert plan.cuts == ()


def test_fixed_counts_anew_from_each_cut():
    plan = Fixed(max_seconds=10, cuts=(14, 17)).plan(levels_of([(40, 0)]))
    assert [chunk.start for chunk in plan] == [0, 10, 14, 17, 27, 37]
    assert [cut.locked for cut in plan.cuts] == [False, True, True, False, False]
    plan = Fixed(max_seconds=10, overlap=2, cuts=(14,)).plan(levels_of([(30, 0)]))
    assert [(chunk.start, chunk.stop) for chunk in plan] == [
        (0, 10), (8, 15), (13, 23), (21, 30),
    ]  # fmt: skip


@pytest.mark.parametrize("kind", [Optimal, Silence, Fixed])
@pytest.mark.parametrize("max_seconds", [6.0, 20.0])
def test_locking_a_cut_that_is_there_changes_nothing(kind, max_seconds):
    meeting = samples.open("meeting")
    more = {"overlap": 1.0} if kind is Fixed else {}
    plan = kind(max_seconds=max_seconds, **more).plan(meeting)
    for cut in plan.cuts:
        again = kind(max_seconds=max_seconds, cuts=(cut.time,), **more).plan(meeting)
        assert np.array([(c.start, c.stop) for c in again]) == pytest.approx(
            np.array([(c.start, c.stop) for c in plan])
        )
        assert [other.time for other in again.cuts if other.locked] == [cut.time]


def test_vad_cuts_where_it_is_told_to():
    plan = Vad(max_seconds=20, cuts=(30.0, 61.5)).plan(samples.open("meeting"))
    check(plan)
    assert [cut.time for cut in plan.cuts if cut.locked] == [30.0, 61.5]


def test_a_strategy_with_cuts_is_shown_as_code():
    for made in (
        Optimal(max_seconds=20, cuts=[12.5, np.float32(3)]),
        Silence(cuts=(3600.123456,), target_seconds=12.5),
        Fixed(cuts=(1, 2), overlap=1, above_floor_db=9.5),
        Vad(cuts=(0.1 + 0.2,)),
    ):
        assert eval(repr(made)) == made
    assert repr(Optimal(cuts=(7,))) == "Optimal(max_seconds=30, cuts=(7.0,))"


def test_a_plan_with_many_cuts_is_not_told_with_all_of_them():
    levels = levels_of([(300, 0)])
    plan = Fixed(cuts=tuple(range(1, 290))).plan(levels)
    assert plan.strategy.endswith("289.0))")
    for text in (repr(plan), str(plan), "".join(drawn(plan).itertext())):
        assert "Fixed(max_seconds=30, cuts=(1.0, 2.0" in text
        assert "100.0" not in text


@pytest.mark.parametrize("kind", [Optimal, Silence, Fixed, Vad])
@pytest.mark.parametrize(
    ("cuts", "message"),
    [
        (
            (0, 50, 100.5),
            r"No cut can be made at 0, 100\.5 s: the recording lasts from 0 to 100\.\d* s, and",
        ),
        ((0.05,), r"at 0\.05 s: .* cuts stay 0\.1 s away from both ends"),
        ((5, 8.05, 8), r"Cuts at 8 and 8\.05 s are too close together: leave at least 0\.1 s"),
        ((5, float("nan")), r"cuts are times in seconds, such as \(12\.5, 40\.0\), not \(5, nan\)"),
        (12.5, r"cuts are times in seconds, such as \(12\.5, 40\.0\), not 12\.5"),
        (("a",), r"cuts are times in seconds"),
    ],
)
def test_cuts_that_cannot_be_made_are_named(kind, cuts, message):
    with pytest.raises(OptionError, match=message):
        kind(cuts=cuts).plan(samples.open("meeting"))


def test_optimal_takes_the_long_pause_where_silence_takes_the_last():
    levels = levels_of([(0, 0.3), (4, 1.0), (4, 0.25), (4, 0.3), (4, 0.5)])
    silence, optimal = (kind(max_seconds=10).plan(levels) for kind in (Silence, Optimal))
    assert silence.cuts[0].pause == pytest.approx(0.25, abs=0.03)
    assert [cut.pause for cut in optimal.cuts] == pytest.approx([1.0, 0.3], abs=0.03)


def test_long_silence_is_left_out_and_short_silence_stays():
    plan = Optimal(max_seconds=30).plan(levels_of([(0, 5), (3, 1), (3, 10), (3, 2)]))
    assert [(chunk.start, chunk.stop) for chunk in plan.chunks] == [
        pytest.approx((4.85, 12.15), abs=0.03),
        pytest.approx((21.85, 25.15), abs=0.03),
    ]
    assert plan.skipped_seconds == pytest.approx(4.85 + 9.7 + 1.85, abs=0.06)
    assert plan.cuts[0].time == pytest.approx(17, abs=0.03)
    assert plan.cuts[0].pause == pytest.approx(10, abs=0.05)


def test_a_lone_word_is_widened_into_the_silence_around_it():
    plan = Optimal(max_seconds=30, min_seconds=2).plan(levels_of([(5, 20), (0.3, 20), (5, 1)]))
    assert [chunk.duration for chunk in plan.chunks] == pytest.approx([5.15, 2.0, 5.3], abs=0.03)


def test_speech_without_pauses_is_cut_at_its_weakest_moment():
    levels = levels_of([(19, 0)])
    rms_db = levels.rms_db.copy()
    rms_db[930:960] -= 12
    rms_db[0:60] = -60
    plan = Optimal(max_seconds=10).plan(Levels(rms_db, levels.peaks, levels.samples))
    assert [(cut.time, cut.pause) for cut in plan.cuts] == [(pytest.approx(9.45, abs=0.15), 0.0)]
    assert plan.cuts_in_speech == 1


def test_silence_and_nothing_have_no_chunks():
    for levels in (levels_of([]), levels_of([(0, 30)])):
        for kind in (Optimal, Silence, Fixed):
            plan = kind().plan(levels)
            check(plan)
            assert plan.chunks == ()
            shown = plan._repr_mimebundle_()
            for text in (repr(plan), str(plan), shown["text/html"]):
                assert "No speech was found." in text
                assert "0 chunks" not in text


def test_the_adaptive_maximum_grows_with_the_recording():
    assert [adaptive_seconds(60 * minutes) for minutes in (1, 30, 31, 90, 91)] == [
        45, 45, 60, 60, 90,
    ]  # fmt: skip
    plan = Optimal(max_seconds="adaptive").plan(levels_of([(2, 0.5)] * 60))
    assert plan.max_seconds == 45
    assert 30 < plan.longest <= 45


def test_figures_of_a_plan():
    plan = ChunkPlan(
        chunks=(Chunk(0, 10), Chunk(10, 15), Chunk(16, 26), Chunk(25, 30, 1.0)),
        cuts=(Cut(10, 0.0), Cut(15.5, 1.2), Cut(25.5, 0.1)),
        skipped=((15.0, 16.0),),
        speech=((0.0, 14.5), (16.0, 25.45), (25.55, 30.0)),
        duration=30.0,
        strategy="by hand",
        max_seconds=10.0,
    )
    check(plan)
    assert (plan.longest, plan.shortest, plan.skipped_seconds) == (10, 5, 1)
    assert plan.speech_seconds == pytest.approx(28.4)
    assert plan.cuts_in_speech == pytest.approx(1 / 3)
    assert plan.share_of_cuts_in([(20, 30, "ann"), (9, 11, "bob")]) == pytest.approx(2 / 3)
    assert plan.padding_in(2) == (pytest.approx(1 - 30 / 40), 0.0)
    assert plan.padding.in_order == pytest.approx(1 - 30 / 40)
    assert plan.figures() == {
        "chunks": "4 of 5.0 to 10.0 s (at most 10 s)",
        "speech": "0:28.4",
        "skipped": "0:01.0 of silence",
        "cuts": "2 of 3 in speech or a pause under 0.2 s",
        "padding": "25% in batches of 8, 25% if sorted by length",
    }


def drawn(plan: ChunkPlan) -> ET.Element:
    return ET.fromstring(plan._repr_mimebundle_()["text/html"])


def test_an_hour_of_short_chunks_draws_itself_small_and_well_formed():
    plan = Optimal(max_seconds=6).plan(levels_of([(2.5, 0.6)] * 1160))
    assert len(plan.chunks) > 500
    assert len(plan._repr_mimebundle_()["text/html"]) < 60_000
    image = drawn(plan).find("svg")
    assert image.get("role") == "img"
    assert f"{len(plan.chunks):,} chunks of " in image.get("aria-label")
    assert "… and" in str(plan)
    assert len(str(plan).splitlines()) < 30


def test_the_drawing_marks_cuts_in_speech():
    levels = levels_of([(10, 1)] * 6)
    cuts = [
        sum("stroke-width:2px" in path.get("style") for path in drawn(plan).iter("path"))
        for plan in (Fixed(max_seconds=6).plan(levels), Optimal(max_seconds=12).plan(levels))
    ]
    assert cuts == [1, 0]


def test_a_name_that_holds_markup_stays_text():
    sound = np.random.default_rng(0).integers(-9000, 9000, RATE, np.int16)
    recording = Recording.open((sound, RATE))
    object.__setattr__(recording, "name", "<script>alert('x')</script>&")
    html = Optimal().plan(recording)._repr_mimebundle_()["text/html"]
    assert "<script" not in html
    assert "<script>alert('x')</script>&" in "".join(ET.fromstring(html).itertext())


def test_strategies_are_made_by_name():
    assert strategy("optimal") == Optimal()
    assert strategy("Silence", max_seconds=10, threshold_db=None) == Silence(max_seconds=10)
    assert repr(strategy("fixed", max_seconds=30.0, overlap=1.5)) == (
        "Fixed(max_seconds=30, overlap=1.5)"
    )


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("optimum", {}, r"no chunking 'optimum'\. Did you mean 'optimal'\? Known: optimal, sil"),
        ("optimal", {"overlap": 1.0}, "optimal does not know overlap; chunking fixed does"),
        ("vad", {"threshold_db": -40}, "know threshold_db; chunking optimal and silence and fixed"),
        ("optimal", {"max_second": 5}, "not know max_second; it knows .* Did you mean 'max_sec"),
        ("optimal", {"max_seconds": 0.1}, "max_seconds is at least 0.5 s, not 0.1"),
        ("optimal", {"max_seconds": float("nan")}, "max_seconds is at least 0.5 s, not nan"),
        ("optimal", {"max_seconds": "long"}, "a number of seconds or 'adaptive', not 'long'"),
        ("silence", {"min_seconds": 4, "max_seconds": 6}, r"at most half of max_seconds \(6 s\)"),
        ("silence", {"min_seconds": -1}, "min_seconds is 0 s or more, not -1"),
        ("silence", {"min_pause": -1}, "min_pause and margin are 0 s or more, not -1"),
        ("silence", {"threshold_db": 3}, "threshold_db is a level from -100 to 0 dBFS, not 3"),
        ("silence", {"above_floor_db": 0}, "above_floor_db is between 0 and 100 dB, not 0"),
        ("fixed", {"above_floor_db": 9, "threshold_db": -40}, "_db both say where .*; give one of"),
        ("vad", {"above_floor_db": 9}, "know above_floor_db; chunking optimal and silence and fix"),
        ("fixed", {"target_seconds": 9}, "know target_seconds; chunking optimal and silence and v"),
        (
            "vad",
            {"target_seconds": 31},
            r"between min_seconds and max_seconds \(1 and 30 s\), not 31",
        ),
        ("optimal", {"target_seconds": 0.5}, r"max_seconds \(1 and 30 s\), not 0.5"),
        ("silence", {"target_seconds": float("nan")}, "target_seconds is between .* not nan"),
        ("fixed", {"overlap": 20}, r"less than half of max_seconds \(30 s\), not 20"),
        ("vad", {"probability": 1.5}, "probability is between 0 and 1, not 1.5"),
    ],
)
def test_wrong_names_and_numbers_say_what_is_right(name, fields, message):
    with pytest.raises(OptionError, match=message):
        strategy(name, **fields)


def test_a_plan_tells_itself_in_a_line_and_lists_its_chunks():
    recording = samples.open("meeting")
    plan = ChunkPlan.of(recording, [(0, 4.93), (5, 60)])
    assert repr(plan) == f"<ChunkPlan of {recording.name} (1:40) by own: 2 chunks>"
    assert "  0:05.0 – 1:00.0" in str(plan).splitlines()
    line = "2 chunks of 4.9 to 55.0 s (at most 55 s) · "
    assert line in plan._repr_mimebundle_()["text/html"]


def test_a_plan_without_speech_names_the_threshold():
    plan = Silence(threshold_db=-5).plan(samples.open("meeting"))
    for text in (repr(plan), str(plan), "".join(drawn(plan).itertext())):
        assert "No speech was found above -5 dBFS; lower threshold_db." in text


def test_a_plan_without_speech_names_the_decibels_above_the_floor():
    plan = Silence(above_floor_db=90).plan(samples.open("meeting"))
    for text in (repr(plan), str(plan), "".join(drawn(plan).itertext())):
        assert "No speech was found 90 dB above the noise floor; lower above_floor_db." in text


def test_speech_begins_as_far_above_the_floor_as_is_said():
    meeting = samples.open("meeting")
    levels = meeting.levels()
    plans = [Optimal(above_floor_db=above).plan(meeting) for above in (None, 5, 30)]
    assert (
        plans[0].speech
        == Optimal(above_floor_db=automatic_above_floor_db(levels)).plan(meeting).speech
    )
    assert plans[1].speech_seconds > plans[0].speech_seconds > plans[2].speech_seconds
    spoken = speech(levels, above_floor_db=30).tolist()
    assert [list(span) for span in plans[2].speech] == spoken


def test_an_adaptive_maximum_is_held_against_the_target_when_it_is_known():
    made = Optimal(max_seconds="adaptive", target_seconds=50)
    with pytest.raises(OptionError, match=r"\(1 and 45 s\), not 50"):
        made.plan(samples.open("meeting"))


def test_one_is_singular():
    plan = ChunkPlan.of(levels_of([(5, 1), (5, 1)]), [(0, 5.5)])
    assert "1 chunk of 5.5 s (at most 5.5 s)" in plan._repr_mimebundle_()["text/html"]
    plan = ChunkPlan.of(levels_of([(5, 1), (5, 1)]), [(0, 5.5), (5.5, 12)])
    cut = f" · 1 cut, in a pause of {plan.cuts[0].pause:.2f} s"
    assert cut in plan._repr_mimebundle_()["text/html"]


def test_whatever_can_be_opened_is_planned(tmp_path):
    meeting = samples.open("meeting")
    path = meeting.save(tmp_path / "interview.wav")
    assert Optimal().plan(path) == Optimal().plan(str(path)) == Optimal().plan(meeting)
    with pytest.raises(AudioError):
        Optimal().plan(7)


@given(levels=LEVELS, data=st.data())
@settings(max_examples=100, deadline=None)
def test_a_plan_of_ones_own_finds_all_but_the_chunks(levels, data):
    times = sorted(data.draw(st.lists(st.floats(0, levels.duration), unique=True, max_size=12)))
    spans = list(zip(times[::2], times[1::2], strict=False))
    plan = ChunkPlan.of(levels, spans)
    assert [(chunk.start, chunk.stop) for chunk in plan] == spans
    assert len(plan) == len(spans)
    assert measure(spans, plan.skipped) < 1e-6
    held = sum(stop - start for start, stop in spans)
    assert held + plan.skipped_seconds == pytest.approx(levels.duration, abs=1e-6)
    assert len(plan.cuts) == max(len(spans) - 1, 0)
    assert plan.max_seconds == plan.longest


def test_chunks_of_ones_own_may_overlap_and_know_by_how_much():
    levels = levels_of([(4, 1), (4, 1)])
    plan = ChunkPlan.of(levels, [Chunk(0, 5), (4.5, 10)], strategy="mine", max_seconds=6)
    check(plan)
    assert (plan.chunks[1].overlap, plan.strategy, plan.max_seconds) == (0.5, "mine", 6)
    assert plan.cuts == (Cut(4.75, pytest.approx(1, abs=0.05)),)


@pytest.mark.parametrize(
    ("spans", "message"),
    [
        ([(0, 2), (5, 3)], r"Chunk 2 \(5 to 3 s\) stops before it starts"),
        ([(-3, 3)], r"Chunk 1 \(-3 to 3 s\) is not within the 10 s recorded"),
        ([(0, 11)], r"Chunk 1 \(0 to 11 s\) is not within the 10 s recorded"),
        ([(4, 6), (0, 2)], r"Chunk 2 \(0 to 2 s\) does not follow chunk 1 \(4 to 6 s\)"),
        ([(0, float("nan"))], "Chunk 1 .* stops before it starts, or is empty"),
        ([(0, 9)], r"Chunk 1 \(0 to 9 s\) lasts longer than max_seconds, 8 s"),
        ([3.0, 6.0], r"Chunk 1 is a pair \(start, stop\) in seconds, not 3.0"),
    ],
)
def test_impossible_chunks_of_ones_own_are_named(spans, message):
    with pytest.raises(OptionError, match=message):
        ChunkPlan.of(levels_of([(4, 1), (4, 1)]), spans, max_seconds=8)


@pytest.mark.parametrize(
    ("chunks", "message"),
    [
        ((Chunk(5, 3),), r"Chunk 1 \(5 to 3 s\) stops before"),
        ((Chunk(-3, 3),), r"Chunk 1 \(-3 to 3 s\) is not within"),
        (((0, 3),), r"Chunk 1 of a plan is a Chunk, not tuple; .*ChunkPlan\.of"),
    ],
)
def test_a_plan_made_by_hand_of_impossible_chunks_is_refused(chunks, message):
    with pytest.raises(OptionError, match=message):
        ChunkPlan(chunks, (), (), (), 10.0, "by hand", 30.0)


def test_cuts_of_the_bundled_meeting_hit_no_turn_and_starts_are_true():
    recording, truth = samples.open("meeting"), samples.reference("meeting")
    pieces = [(piece.start, piece.stop) for turn in truth.turns for piece in turn.pieces]
    plan = Optimal(max_seconds=6).plan(recording)
    check(plan)
    assert plan.share_of_cuts_in(pieces) == 0
    assert plan.cuts_in_speech == 0
    assert Fixed(max_seconds=6).plan(recording).share_of_cuts_in(pieces) > 0.5
    starts = np.array(plan.speech)[:, 0]
    away = [np.abs(starts - turn.start).min() for turn in truth.turns]
    assert np.mean(np.array(away) < 0.3) >= 0.95


def truth_of(item: dict) -> list[tuple[float, float]] | None:
    """Return what is known to be speech: words, else speaker segments, else the whole utterance."""
    if item["words"]:
        return [(word[0], word[1]) for word in item["words"]]
    if item["segments"] and item["segments"][0][0] is not None:
        if "line" in item["segments_kind"]:  # lines of a poem, pauses and all
            return None
        return [(segment[0], segment[1]) for segment in item["segments"]]
    if item["set"] in ("ljspeech", "librispeech", "pocketsphinx") and item["transcript"]:
        return [(0.0, item["duration_s"])]
    return None


@pytest.fixture(scope="module")
def conversations(data):
    """Return (Levels, stretches of true speech) by kind of truth: recordings with room between."""
    rng = np.random.default_rng(0)
    made: dict[str, tuple[list, list]] = {}
    items = json.loads((data / "speech" / "MANIFEST.json").read_text())
    for item in items + 3 * [item for item in items if item["words"]]:
        spoken = truth_of(item)
        if spoken is None:
            continue
        kind = "words" if item["words"] else "turns" if item["segments"] else "utterances"
        parts, truth = made.setdefault(kind, ([], []))
        at = sum(map(len, parts)) / RATE
        truth += [(at + start, at + stop) for start, stop in spoken]
        recording = Recording.open(data / item["file"])
        floor = 32768 * 10 ** (max(recording.levels().noise_floor_db, -80) / 20)
        room = rng.standard_normal(round(rng.uniform(0.3, 1.2) * RATE)) * floor
        parts += [np.asarray(recording.samples), np.rint(room).astype(np.int16)]
    joined = {}
    for kind, (parts, truth) in made.items():
        spans: list[list[float]] = []
        for start, stop in sorted(truth):
            if spans and start <= spans[-1][1] + (0.2 if kind == "words" else 0):
                spans[-1][1] = max(spans[-1][1], stop)
            else:
                spans.append([start, stop])
        joined[kind] = Levels.of(np.concatenate(parts)), spans
    return joined


@pytest.mark.data
def test_cuts_of_real_speech_with_known_words_hit_a_third_of_what_fixed_cuts_hit(conversations):
    levels, phrases = conversations["words"]
    optimal, fixed = (kind(max_seconds=8).plan(levels) for kind in (Optimal, Fixed))
    check(optimal)
    assert fixed.share_of_cuts_in(phrases) > 0.5
    assert optimal.share_of_cuts_in(phrases) <= fixed.share_of_cuts_in(phrases) / 3


@pytest.mark.data
def test_cuts_of_real_speech_hit_a_third_of_what_fixed_cuts_hit_where_they_can(conversations):
    # Speech longer than a chunk must be cut by every planner: there, cuts are not counted.
    hits, cuts = dict.fromkeys((Optimal, Fixed), 0), dict.fromkeys((Optimal, Fixed), 0)
    for levels, known in conversations.values():
        for kind in hits:
            plan = kind(max_seconds=8).plan(levels)
            check(plan)
            for cut in plan.cuts:
                around = [stop - start for start, stop in known if start < cut.time < stop]
                if not around or around[0] <= 8:
                    cuts[kind] += 1
                    hits[kind] += bool(around)
    assert min(cuts.values()) > 30
    assert hits[Optimal] / cuts[Optimal] <= hits[Fixed] / cuts[Fixed] / 3
