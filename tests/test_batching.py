from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nbasr.pipeline.batching import WINDOW, pack

lengths = st.lists(st.floats(0.1, 60.0), max_size=200)


@given(lengths, st.integers(1, 16))
def test_every_chunk_is_in_exactly_one_batch_of_at_most_the_asked_size(durations, size):
    batches = pack(durations, size)
    assert sorted(index for batch in batches for index in batch) == list(range(len(durations)))
    assert all(1 <= len(batch) <= size for batch in batches)


@given(lengths)
def test_one_at_a_time_keeps_the_order_of_the_recording(durations):
    assert [index for batch in pack(durations, 1) for index in batch] == list(range(len(durations)))


@given(lengths, st.integers(2, 16))
def test_a_batch_never_reaches_beyond_its_window(durations, size):
    for batch in pack(durations, size):
        assert len({index // (WINDOW * size) for index in batch}) == 1


def test_sorting_by_length_leaves_a_tenth_of_the_padding():
    durations = [1.0, 30.0] * 64

    def padding(batches):
        padded = sum(len(batch) * max(durations[i] for i in batch) for batch in batches)
        return 1 - sum(durations) / padded

    in_order = [list(range(at, at + 8)) for at in range(0, len(durations), 8)]
    assert padding(pack(durations, 8)) < padding(in_order) / 10
