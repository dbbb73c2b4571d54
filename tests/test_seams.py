from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nbasr.pipeline.seams import placed, snapped, without_overlap
from nbasr.transcript.transcript import Segment, Word


def intervals(most: int):
    """Ordered, disjoint intervals within a minute."""
    edges = st.lists(st.integers(0, 6000), unique=True, max_size=2 * most).map(sorted)
    return edges.map(lambda e: [(a / 100, b / 100) for a, b in zip(e[::2], e[1::2], strict=False)])


def spoken(*pairs):
    return [Segment(start, stop, text) for start, stop, text in pairs]


@given(intervals(8), intervals(8))
def test_snapping_keeps_every_segment_in_order(places, speech):
    segments = [Segment(start, stop, str(at)) for at, (start, stop) in enumerate(places)]
    moved = snapped(segments, speech)
    assert [segment.text for segment in moved] == [segment.text for segment in segments]
    edges = [edge for segment in moved for edge in (segment.start, segment.stop)]
    assert edges == sorted(edges)


def test_a_models_rough_edge_moves_into_the_pause_that_is_heard():
    moved = snapped(spoken((0.0, 2.4, "one"), (2.4, 6.0, "two")), [(0.3, 2.0), (2.9, 5.5)])
    assert [(segment.start, segment.stop) for segment in moved] == [(0.3, 2.0), (2.9, 5.5)]


def test_an_edge_far_from_any_pause_stays():
    moved = snapped(spoken((0.0, 5.0, "one"), (5.0, 9.0, "two")), [(0.0, 2.0), (3.0, 9.0)])
    assert (moved[0].stop, moved[1].start) == (5.0, 5.0)


def test_an_edge_never_moves_across_a_word_whose_time_is_known():
    words = (Word(0.0, 0.5, "one"), Word(1.6, 2.0, "more"))
    segments = [
        Segment(0.0, 2.0, "one more", words),
        Segment(2.1, 3.0, "two", (Word(2.1, 3.0, "two"),)),
    ]
    moved = snapped(segments, [(0.2, 1.3), (1.5, 3.0)])
    assert [word for segment in moved for word in segment.words] == [*words, segments[1].words[0]]


def test_placing_moves_times_and_keeps_them_inside_the_chunk():
    segment = Segment(0.0, 5.2, "hello", (Word(0.1, 5.2, "hello"),))
    moved = placed(segment, 10.0, 10.0, 15.0)
    assert (moved.start, moved.stop) == (10.0, 15.0)
    assert (moved.words[0].start, moved.words[0].stop) == (10.1, 15.0)


def test_words_heard_twice_in_an_overlap_are_told_once():
    left = spoken((0.0, 10.0, "we need eight of them by Friday mor"))
    right = spoken((8.0, 18.0, "them by friday morning at the latest"))
    before, after = without_overlap(left, right, (8.0, 10.0))
    text = " ".join(segment.text for segment in [*before, *after])
    assert text.casefold() == "we need eight of them by friday morning at the latest"
    assert after[0].start >= before[-1].stop


def test_an_overlap_in_chinese_is_aligned_by_characters():
    before, after = without_overlap(
        spoken((0.0, 10.0, "今天天气很好我们")), spoken((8.0, 18.0, "很好我们去公园")), (8.0, 10.0)
    )
    assert before[0].text + after[0].text == "今天天气很好我们去公园"


def test_nothing_is_dropped_when_an_overlap_shares_no_word():
    left, right = spoken((0.0, 10.0, "alpha beta")), spoken((8.0, 18.0, "gamma delta"))
    before, after = without_overlap(left, right, (8.0, 10.0))
    assert [segment.text for segment in [*before, *after]] == ["alpha beta", "gamma delta"]


def test_a_chunk_heard_wholly_before_leaves_nothing_behind():
    before, after = without_overlap(
        spoken((0.0, 10.0, "one two three")), spoken((8.0, 10.0, "two three")), (8.0, 10.0)
    )
    assert [segment.text for segment in before] == ["one two three"]
    assert after == []


words = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=12)


@given(words, words, words)
def test_overlap_never_loses_what_only_one_chunk_heard(head, shared, tail):
    head, tail = [w + "1" for w in head], [w + "2" for w in tail]
    left = spoken((0.0, 10.0, " ".join(head + shared)))
    right = spoken((8.0, 18.0, " ".join(shared + tail)))
    before, after = without_overlap(left, right, (7.0, 10.0))
    text = " ".join(segment.text for segment in [*before, *after])
    assert text.startswith(" ".join(head))
    assert text.endswith(" ".join(tail))


def test_a_word_misheard_at_either_edge_is_taken_from_the_other_side():
    before, after = without_overlap(
        spoken((20.0, 31.0, "welcome to our studio need")),
        spoken((30.0, 36.0, "to hours studio meeting today")),
        (30.0, 31.0),
    )
    text = " ".join(segment.text for segment in [*before, *after])
    assert text == "welcome to our studio meeting today"


def test_a_scrap_inside_the_overlap_that_the_other_side_heard_whole_is_dropped():
    before, after = without_overlap(
        spoken((33.2, 35.2, "then the cables and the speakers")),
        spoken((35.0, 35.2, "is"), (38.3, 40.7, "see you next week")),
        (35.0, 36.0),
    )
    assert [segment.text for segment in [*before, *after]] == [
        "then the cables and the speakers",
        "see you next week",
    ]


def test_speech_inside_the_overlap_that_only_one_side_heard_is_kept():
    left, right = spoken((30.0, 34.0, "hello")), spoken((35.2, 35.8, "yes"), (37.0, 39.0, "well"))
    assert without_overlap(left, right, (35.0, 36.0)) == (left, right)


def test_a_chance_the_is_no_overlap():
    left, right = spoken((0.0, 10.0, "we saw the cat")), spoken((9.5, 18.0, "the dog barked"))
    before, after = without_overlap(left, right, (9.5, 10.0))
    text = " ".join(segment.text for segment in [*before, *after])
    assert "cat" in text
    assert "dog" in text


def test_thai_is_aligned_by_letters_with_their_marks():
    before, after = without_overlap(
        spoken((0.0, 10.0, "วันนี้อากาศดี")), spoken((8.0, 18.0, "อากาศดีมาก")), (8.0, 10.0)
    )
    assert before[0].text + after[0].text == "วันนี้อากาศดีมาก"


@given(words, words, words, st.sampled_from(["", "x9"]), st.sampled_from(["", "y9"]))
def test_scraps_at_both_edges_of_an_overlap_never_take_what_only_one_side_heard(
    head, shared, tail, left_scrap, right_scrap
):
    shared = [f"{word}{at}" for at, word in enumerate([*shared, "m", "n"])]
    head, tail = [w + "1x" for w in head], [w + "2x" for w in tail]
    left = spoken((0.0, 10.0, " ".join([*head, *shared, left_scrap])))
    right = spoken((8.0, 18.0, " ".join([right_scrap, *shared, *tail])))
    before, after = without_overlap(left, right, (7.0, 10.0))
    text = " ".join(segment.text for segment in [*before, *after])
    assert text == " ".join([*head, *shared, *tail])
