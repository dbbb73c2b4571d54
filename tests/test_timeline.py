"""Memory over time: what is kept, what is marked, how it is drawn, and that it ends."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
import textwrap
import threading
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nbasr
from nbasr import memory, models
from nbasr.errors import OptionError
from nbasr.memory import _timeline_figure, _timeline_svg, marks, spots
from nbasr.memory.marks import Mark
from nbasr.memory.spots import Spot
from nbasr.memory.timeline import Timeline

PATIENCE = 30.0
GB = 10**9


def spot(at: float, own: float = 1.0, *, models: float = 0.0, limit: float | None = None) -> Spot:
    """Return a moment of a device of 16 GB, of which 4 are with others."""
    work = round((own - models) * GB)
    free = 12 * GB - round(own * GB)
    budget = None if limit is None else round(limit * GB)
    return Spot(at, "cpu", 16 * GB, round(models * GB), work, 0, 4 * GB, free, budget)


def seen(moments: Sequence[Spot], most: int = 7200) -> Timeline:
    """Return a timeline that has looked at these moments."""
    coming = iter(moments)
    timeline = Timeline(lambda: [next(coming)], most=most)
    for _ in moments:
        timeline.look()
    return timeline


def test_of_a_rest_only_the_begin_and_the_end_are_kept():
    timeline = seen([spot(0), *(spot(at, 1.001) for at in range(1, 500)), spot(500, 3.0)])
    assert [one.at for one in timeline.spots()] == [0, 499, 500]


def test_a_change_is_kept_with_the_moment_before_it():
    timeline = seen([spot(0), spot(1), spot(2), spot(3, 5.0), spot(4, 5.0), spot(5, 5.0)])
    assert [(one.at, one.work_bytes) for one in timeline.spots()] == [
        (0, GB),
        (2, GB),
        (3, 5 * GB),
        (5, 5 * GB),
    ]


def test_a_new_budget_is_a_change_however_small():
    timeline = seen([spot(0), spot(1), spot(2), spot(3, limit=4.0)])
    assert [one.budget_bytes for one in timeline.spots()] == [None, None, 4 * GB]


@given(st.integers(4, 40), st.integers(1, 400))
def test_however_long_it_looks_it_keeps_no_more_than_told_and_the_newest_whole(most, count):
    moments = [spot(at, 1.0 + at % 2) for at in range(count)]
    kept = seen(moments, most).spots()
    assert len(kept) <= most
    assert all(before.at < after.at for before, after in pairwise(kept))
    recent = min(count, most // 2)
    assert list(kept[-recent:]) == moments[-recent:]


def test_the_parts_of_this_machine_make_up_its_memory():
    found = spots.spot("cpu")
    parts = (found.own_bytes, found.others_bytes, found.free_bytes)
    assert all(part >= 0 for part in parts)
    assert sum(parts) == found.total_bytes
    assert found.own_bytes > 10_000_000


def test_of_a_gpu_that_is_not_there_nothing_is_held():
    found = spots.spot("cuda:7")
    assert (found.total_bytes, found.own_bytes, found.free_bytes) == (0, 0, 0)


def test_loads_unloads_and_budgets_are_marked():
    before = marks.marks()[-1].at if marks.marks() else 0.0
    models.load("sphinx")
    memory.set_budget("3GB", "cpu")
    memory.set_budget(None, "cpu")
    models.unload("sphinx")
    assert [(one.kind, one.text) for one in marks.marks(before)] == [
        ("load", "sphinx"),
        ("budget", "3.0 GB of cpu"),
        ("budget", "none of cpu"),
        ("unload", "sphinx"),
    ]


def test_only_so_many_marks_are_remembered():
    for number in range(marks.MOST + 10):
        marks.mark("job", str(number))
    assert len(marks.marks()) == marks.MOST
    assert marks.marks()[-1].text == str(marks.MOST + 9)


def test_it_looks_as_long_as_somebody_watches_and_then_its_thread_ends():
    looked = threading.Event()
    timeline = Timeline(lambda: [spot(1)], every=0.01)
    first = timeline.watch(looked.set)
    second = timeline.watch()
    assert looked.wait(PATIENCE)
    first()
    assert timeline.is_running
    thread = timeline._thread
    second()
    thread.join(PATIENCE)
    assert not timeline.is_running
    again = timeline.watch(looked.set)
    looked.clear()
    assert looked.wait(PATIENCE)
    again()


def test_a_reading_that_fails_is_tried_again():
    worked = threading.Event()
    tries = []

    def look() -> list[Spot]:
        tries.append(1)
        if len(tries) < 3:
            raise RuntimeError("the driver is busy")
        return [spot(1)]

    timeline = Timeline(look, every=0.01)
    end = timeline.watch(worked.set)
    while not timeline.devices:
        worked.clear()
        assert worked.wait(PATIENCE)
    end()
    assert len(tries) >= 3


def test_who_fails_while_watching_is_told_of_once_and_harms_nobody_else(capsys):
    called, healthy = [], threading.Event()

    def fails() -> None:
        called.append(1)
        raise ZeroDivisionError("of a test")

    timeline = Timeline(lambda: [spot(1)], every=0.01)
    ends = [timeline.watch(fails), timeline.watch(healthy.set)]
    for _ in range(3):
        healthy.clear()
        assert healthy.wait(PATIENCE)
    for end in ends:
        end()
    assert called == [1]
    assert capsys.readouterr().err.count("ZeroDivisionError: of a test") == 1


def test_start_and_stop_of_the_kernels_own():
    timeline = memory.timeline()
    assert timeline is memory.timeline()
    assert timeline.is_running
    thread = timeline._thread
    timeline.stop()
    thread.join(PATIENCE)
    assert not timeline.is_running
    assert "nothing seen" not in repr(timeline)
    assert "cpu" in timeline._repr_html_()


def test_a_device_that_was_not_seen_is_refused_by_name():
    with pytest.raises(OptionError, match="'cuda:3' nothing was seen; there is cpu"):
        seen([spot(0)]).spots("cuda:3")
    assert Timeline(list).spots() == ()


MOMENTS = [
    spot(0, 1.0),
    spot(10, 2.0, models=1.0),
    spot(20, 3.0, models=1.0, limit=4.0),
    spot(30, 1.5, limit=4.0),
]
HAPPENED = [Mark(10, "load", "whisper-tiny"), Mark(25, "short", "qwen"), Mark(99, "job", "later")]


def test_the_figure_stacks_the_parts_up_to_what_this_kernel_holds():
    drawn = json.loads(_timeline_figure.figure(MOMENTS, HAPPENED).to_json())
    traces = {trace.get("name"): trace for trace in drawn["data"]}
    stacked = [traces[name] for name in ("weights of models", "rest of this kernel")]
    assert all(trace["stackgroup"] == "memory" for trace in stacked)
    heights = [sum(values) for values in zip(*(trace["y"] for trace in stacked), strict=True)]
    assert heights == [one.own_bytes for one in MOMENTS]
    assert traces["budget"]["y"] == [None, None, 4 * GB, 4 * GB]
    texts = drawn["data"][-1]["text"]
    assert texts == ["whisper-tiny loaded", "Out of memory: qwen"]
    assert len(drawn["layout"]["shapes"]) == 2
    assert traces["other processes"]["visible"] == "legendonly"
    low, high = drawn["layout"]["yaxis"]["range"]
    assert low == 0
    assert 4 * GB < high < 8 * GB
    ticks = drawn["layout"]["yaxis"]["tickvals"]
    assert 4 <= len(ticks) <= 9
    assert ticks[-1] <= high


@given(st.integers(1, 10**12))
def test_ticks_are_round_and_few(top):
    step = _timeline_figure._step(top)
    assert re.fullmatch(r"[125]0*", str(step))
    assert top / step <= 8


def test_all_of_a_gpu_is_drawn_with_other_processes():
    gpu = [dataclasses.replace(one, device="cuda:0") for one in MOMENTS]
    gpu = [dataclasses.replace(one, budget_bytes=None) for one in gpu]
    assert _timeline_svg.ceiling(gpu) == 16 * GB
    assert "others" in _timeline_svg.shown_parts(gpu)


def test_the_still_picture_tells_in_words_and_stays_small():
    many = [spot(at / 2, 1.0 + at % 7) for at in range(7200)]
    picture = seen(many).svg()
    assert len(picture) < 12_000
    assert 'role="img" aria-label="Memory of cpu over 60 min: this kernel held at most ' in picture
    assert "polygon" in picture
    assert "nothing was seen yet" in Timeline(list).svg()


def test_marks_of_the_picture_are_text_and_never_markup():
    picture = _timeline_svg.svg(MOMENTS, [Mark(10, "load", "<b>&")])
    assert "<title>&lt;b&gt;&amp;</title>" in picture


def test_names_in_the_figure_are_text():
    happened = [marks.Mark(MOMENTS[0].at, "job", "<a href='x'>a</a> & b.wav")]
    drawn = json.loads(_timeline_figure.figure(MOMENTS, happened).to_json())
    told = next(trace["text"] for trace in drawn["data"] if trace["mode"] == "markers")
    assert told == ["&lt;a href=&#x27;x&#x27;&gt;a&lt;/a&gt; &amp; b.wav began"]


def test_the_figure_keeps_a_still_picture_for_saved_notebooks():
    assert "<svg" in _timeline_figure.figure(MOMENTS, HAPPENED).still


def test_watching_imports_neither_torch_nor_plotly():
    code = """
        import sys, threading, nbasr
        looked = threading.Event()
        end = nbasr.memory.timeline().watch(looked.set)
        assert looked.wait(30)
        print(sorted({"torch", "plotly", "anywidget"} & set(sys.modules)))
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_it_is_a_public_name():
    assert nbasr.memory.timeline is memory.timeline
    assert {"timeline", "Timeline"} <= set(memory.__all__)
