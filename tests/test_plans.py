"""Plans: what holds for every strategy, and what each is for."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbasr import samples
from nbasr.audio.levels import FRAME, RATE, Levels
from nbasr.audio.recording import Recording
from nbasr.chunking import (
    Chunk,
    ChunkPlan,
    Cut,
    Fixed,
    Optimal,
    Silence,
    adaptive_seconds,
    strategy,
)
from nbasr.chunking._places import Places
from nbasr.chunking.optimal import cheapest
from nbasr.errors import AudioError, OptionError


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
)
@settings(max_examples=300, deadline=None)
def test_no_choice_of_places_is_cheaper_than_the_cheapest(steps, costs, longest, shortest):
    times = np.concatenate(([0.0], np.cumsum(steps)))
    found = Places(times, times, times, times, np.ones(len(times)), np.array(costs[: len(times)]))
    end = len(steps)
    best = {0: 0.0}  # every place by the cheapest way there, over all ways
    for place in range(1, end + 1):
        ways = [
            best[before] + costs[place]
            for before in best
            if shortest - 1e-9 <= times[place] - times[before] <= longest + 1e-9
        ]
        if ways:
            best[place] = min(ways)
    chosen = cheapest(found, longest, shortest)
    if end not in best:
        assert chosen is None
        return
    assert chosen is not None
    assert chosen[0] == 0
    assert chosen[-1] == end
    lengths = np.diff(times[chosen])
    assert (lengths <= longest + 1e-8).all()
    assert (lengths >= shortest - 1e-8).all()
    assert sum(costs[place] for place in chosen[1:]) == pytest.approx(best[end])


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
    for levels, speech in conversations.values():
        for kind in hits:
            plan = kind(max_seconds=8).plan(levels)
            check(plan)
            for cut in plan.cuts:
                around = [stop - start for start, stop in speech if start < cut.time < stop]
                if not around or around[0] <= 8:
                    cuts[kind] += 1
                    hits[kind] += bool(around)
    assert min(cuts.values()) > 30
    assert hits[Optimal] / cuts[Optimal] <= hits[Fixed] / cuts[Fixed] / 3
