"""What a tuner works on: settings and strategies, edits and locks, steps to undo."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nbasr
from nbasr.chunking import ChunkPlan, Fixed, Optimal, Silence, Strategy, Vad
from nbasr.errors import OptionError
from nbasr.widgets import _tuning
from nbasr.widgets._tuner_settings import Settings
from nbasr.widgets._tuning import DEPTH, State, Tuning

RECORDING = nbasr.samples.open("meeting")


def plan_by(strategy: Strategy) -> ChunkPlan:
    return strategy.plan(RECORDING)


def begun(**settings: object) -> State:
    return _tuning.planned(Settings(**settings), plan_by)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "strategy",
    [
        Optimal(),
        Optimal(max_seconds=12, min_seconds=2, target_seconds=8, margin=0.3, min_pause=0.4),
        Optimal(max_seconds="adaptive", threshold_db=-42.5),
        Silence(above_floor_db=11.0, target_seconds=20),
        Vad(probability=0.7, max_seconds=20),
        Fixed(max_seconds=10, overlap=2.5),
    ],
    ids=repr,
)
def test_settings_of_a_strategy_make_it_again(strategy: Strategy) -> None:
    assert Settings.of(strategy).made() == strategy


def test_what_a_strategy_does_not_know_is_kept_for_the_next_one() -> None:
    fixed = Settings(overlap=2.0, probability=0.8).told({"strategy": "optimal"})
    assert fixed.made() == Optimal()
    assert fixed.told({"strategy": "fixed"}).made() == Fixed(overlap=2.0)
    assert Settings.of(Fixed(overlap=1.0), Settings(probability=0.8)).probability == 0.8


def test_locked_cuts_are_told_to_the_strategy() -> None:
    made = Settings().made((12.5, 40.0))
    assert made.cuts == (12.5, 40.0)


def test_a_threshold_without_a_value_is_a_usual_one() -> None:
    above = Settings(threshold="above_floor").made()
    absolute = Settings(threshold="absolute").made()
    assert isinstance(above, Optimal)
    assert isinstance(absolute, Optimal)
    assert above.above_floor_db is not None
    assert absolute.threshold_db is not None
    assert above.above_floor_db > 0 > absolute.threshold_db


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"strategy": "optimum"}, "Did you mean 'optimal'"),
        ({"strategy": ["optimal"]}, "one of optimal"),
        ({"threshold": "loud"}, "auto, above_floor, absolute"),
        ({"min_pause": None}, "min_pause is a number"),
        ({"min_pause": True}, "min_pause is a number"),
        ({"max_seconds": "long"}, "max_seconds is a number"),
        ({"max_seconds": float("nan")}, "finite"),
        ({"max_second": 3}, "Did you mean 'max_seconds'"),
    ],
)
def test_impossible_settings_are_told_in_a_sentence(changes: dict[str, object], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        Settings().told(changes)


def test_a_strategy_of_ones_own_is_no_settings() -> None:
    @dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
    class Mine(Optimal):
        pass

    with pytest.raises(OptionError, match=r"tuner\.plan = "):
        Settings.of(Mine())


def test_an_added_cut_is_locked_and_stays_when_settings_change() -> None:
    state, index = _tuning.added(begun(), 26.123456789)
    assert state.plan.cuts[index].time == 26.1235  # a tenth of a millisecond is enough
    assert state.plan.cuts[index].locked
    assert state.edited
    other = _tuning.planned(Settings(max_seconds=9.0), plan_by, state.locks)
    assert [cut.time for cut in other.plan.cuts if cut.locked] == [26.1235]
    assert not other.edited


def test_a_moved_cut_is_locked_where_it_is_now() -> None:
    first = begun()
    state, index = _tuning.moved(first, 1, 43.0)
    assert state.plan.cuts[index].time == 43.0
    assert state.locks == (43.0,)
    again, _ = _tuning.moved(state, 1, 44.0)
    assert again.locks == (44.0,)


def test_taking_a_cut_away_joins_chunks_and_forgets_its_lock() -> None:
    added, index = _tuning.added(begun(), 26.0)
    state, beside = _tuning.removed(added, index)
    assert len(state.plan) == len(added.plan) - 1
    assert state.locks == ()
    assert beside == min(index, len(state.plan.cuts) - 1)
    while state.plan.cuts:
        state, beside = _tuning.removed(state, 0)
    assert beside == -1
    assert state.plan.too_long == (0,)


def test_a_cut_can_be_locked_as_it_is_and_unlocked_again() -> None:
    first = begun()
    state, _ = _tuning.locked(first, 1, True)
    assert state.plan.chunks == first.plan.chunks
    assert state.locks == (first.plan.cuts[1].time,)
    assert not state.edited
    assert _tuning.locked(state, 1, False)[0] == first
    with pytest.raises(OptionError, match="no cut 9"):
        _tuning.locked(first, 9, True)


def test_a_lock_that_parts_nothing_for_a_while_is_not_lost() -> None:
    """With a high threshold nobody speaks after it; with the usual one somebody does again."""
    end = begun().plan.speech[-1][1]
    locks = (end - 1.0,)
    loud = _tuning.planned(Settings(threshold="absolute", threshold_value=-1.0), plan_by, locks)
    assert not loud.plan.cuts
    assert loud.locks == locks
    back = _tuning.planned(Settings(), plan_by, loud.locks)
    assert [cut.time for cut in back.plan.cuts if cut.locked] == list(locks)


@pytest.mark.parametrize("time", [float("nan"), float("inf"), "12", None, True])
def test_a_cut_is_at_a_time(time: object) -> None:
    with pytest.raises(OptionError, match="time in seconds"):
        _tuning.added(begun(), time)  # type: ignore[arg-type]


def test_a_slider_is_one_step_however_often_it_moved() -> None:
    first = begun()
    tuning = Tuning.begun(first)
    for longest in (28.0, 25.0, 22.0):
        tuning = tuning.step(begun(max_seconds=longest), final=False)
    tuning = tuning.step(begun(max_seconds=20.0))
    assert tuning.now.settings.max_seconds == 20
    assert tuning.undone().now == first
    assert not tuning.undone().can_undo
    assert tuning.undone().redone().now == tuning.now


def test_a_slider_that_was_let_go_in_the_middle_can_be_undone() -> None:
    first = begun()
    tuning = Tuning.begun(first).step(begun(max_seconds=20.0), final=False)
    assert tuning.can_undo
    assert tuning.undone().now == first


def test_a_slider_that_came_back_is_no_step() -> None:
    first = begun()
    tuning = Tuning.begun(first).step(begun(max_seconds=20.0), final=False).step(begun())
    assert tuning.now == first
    assert not tuning.can_undo


def test_there_is_an_end_to_undoing() -> None:
    tuning = Tuning.begun(begun())
    with pytest.raises(OptionError, match="nothing to undo"):
        tuning.undone()
    with pytest.raises(OptionError, match="nothing to redo"):
        tuning.redone()


STATES = [
    State(Settings(max_seconds=float(length)), plan_by(Optimal(max_seconds=float(length))))
    for length in range(10, 20)
]


@given(st.lists(st.sampled_from([*range(10), "undo", "redo"]), max_size=150))
def test_undo_and_redo_walk_one_line_of_states(moves: list[int | str]) -> None:
    """As a list of states and a place in it do, of which at most so many are kept."""
    tuning = Tuning.begun(STATES[0])
    line, at = [STATES[0]], 0
    for move in moves:
        if isinstance(move, int):
            tuning = tuning.step(STATES[move])
            if STATES[move] != line[at]:
                line = [*line[: at + 1], STATES[move]]
                at += 1
        elif move == "undo" and tuning.can_undo:
            tuning, at = tuning.undone(), at - 1
        elif move == "redo" and tuning.can_redo:
            tuning, at = tuning.redone(), at + 1
        assert tuning.now == line[at]
        assert tuning.can_redo == (at < len(line) - 1)
        assert tuning.can_undo == (len(tuning.past) > 0)
        assert len(tuning.past) == min(at, DEPTH)
