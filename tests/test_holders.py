"""Finding who holds a model: in variables, in what they lead to, and in saved errors."""

from __future__ import annotations

import bdb
import contextlib
import functools
import gc
import io
import pdb
import sys
import types
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from nbasr import memory
from nbasr.memory import _search, _traces
from nbasr.memory.holders import Holder, Watch, holders
from nbasr.memory.modules import empty


def model() -> torch.nn.Module:
    """Return a model of 2 layers that weighs 8 kB."""
    return torch.nn.Sequential(torch.nn.Linear(40, 40), torch.nn.Linear(40, 10))


@pytest.fixture
def space(monkeypatch) -> Callable[..., None]:
    """Give a function that sets variables of the user."""

    def put(**values: Any) -> None:
        for name, value in values.items():
            monkeypatch.setitem(vars(sys.modules["__main__"]), name, value)

    return put


@dataclass
class Box:
    inside: Any


class Slotted:
    __slots__ = ("inside",)

    def __init__(self, inside: Any) -> None:
        self.inside = inside


def closing_over(value: Any) -> Callable[[], Any]:
    return lambda: value


def defaulting_to(value: Any) -> Callable[..., Any]:
    def function(*, given: Any = value) -> Any:
        return given

    return function


def caching(value: Any) -> Callable[[], Any]:
    cached = functools.cache(lambda: Box([value]))
    cached()
    return cached


def yielding(value: Any) -> Iterator[int]:
    def generator() -> Iterator[int]:
        mine = value
        yield 1
        assert mine

    running = generator()
    next(running)
    return running


def failing_with(value: Any) -> BaseException:
    def inner(mine: Any) -> None:
        raise RuntimeError("in the middle")

    try:
        inner(value)
    except RuntimeError as error:
        return error
    raise AssertionError


def caused_by(value: Any) -> BaseException:
    try:
        raise ValueError("outer") from failing_with(value)
    except ValueError as error:
        return error


WAYS: dict[str, Callable[[Any], Any]] = {
    "itself": lambda m: m,
    "a layer": lambda m: m[0],
    "a weight": lambda m: m[1].weight,
    "a slice of a weight": lambda m: m[1].weight.detach()[2:, 1:],
    "an array of a weight": lambda m: m[1].weight.detach().numpy()[3:][::2],
    "a weight's own storage": lambda m: m[0].bias.untyped_storage(),
    "list": lambda m: [1, [2, [m]]],
    "tuple": lambda m: (None, m),
    "set": lambda m: {m},
    "dict": lambda m: {"a": {"b": m}},
    "key": lambda m: {m: 1},
    "ordered dict": lambda m: OrderedDict(a=m),
    "deque": lambda m: deque([m]),
    "attribute": lambda m: Box(Box(m)),
    "slot": Slotted,
    "namespace": lambda m: types.SimpleNamespace(m=m),
    "method": lambda m: m.eval,
    "partial": lambda m: functools.partial(print, m),
    "closure": closing_over,
    "default": defaulting_to,
    "cache": caching,
    "generator": yielding,
    "error": failing_with,
    "cause of an error": caused_by,
    "memory view": lambda m: memoryview(m[1].weight.detach().numpy()),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_variable_that_leads_to_a_model_is_named(space, way):
    target = model()
    space(kept=WAYS[way](target), other=[1, 2, "x"], array=np.zeros(5), same_size=model())
    assert holders([target]) == (Holder("variable `kept`", "del kept"),)


@pytest.mark.parametrize("way", WAYS)
def test_what_is_watched_is_found_though_it_was_not_held(space, way):
    target = model()
    watch = Watch(target)
    space(kept=WAYS[way](target))
    del target
    gc.collect()
    assert holders([watch]) == (Holder("variable `kept`", "del kept"),)
    assert watch.held_bytes > 0


def test_what_nobody_holds_is_held_by_nobody(space):
    target = model()
    watch, weak = Watch(target), weakref.ref(target)
    size = sum(weight.nbytes for weight in target.parameters())
    assert watch.held_bytes == size
    space(kept=[target])
    del target
    vars(sys.modules["__main__"])["kept"].clear()
    gc.collect()
    assert weak() is None  # neither the watch nor a search holds it
    assert (holders([watch, weak]), watch.held_bytes) == ((), 0)
    assert holders([]) == holders([None]) == ()
    assert Watch(None).held_bytes == 0


def test_the_one_weight_that_is_still_held_is_weighed(space):
    target = model()
    watch = Watch(target)
    space(kept=target[1].bias)
    del target
    gc.collect()
    assert watch.held_bytes == 10 * 4


def test_an_emptied_model_weighs_nothing_and_is_still_named(space):
    target = model()
    watch = Watch(target)
    space(kept=target, view=target[0].weight[1:], array=target[1].weight.detach().numpy())
    empty(target)
    del target
    gc.collect()
    assert Holder("variable `kept`", "del kept") in holders([watch])
    assert Holder("variable `array`", "del array") in holders([watch])
    assert watch.held_bytes == 40 * 10 * 4  # numpy looks at it: nobody may take it away


def test_only_the_model_that_is_asked_for_is_looked_for(space):
    one, other = model(), model()
    space(a=one, b=other, c=[one, other])
    names = [holder.where for holder in holders([weakref.ref(one)])]
    assert names == ["variable `a`", "variable `c`"]
    assert len(holders([one, other])) == 3


def test_a_model_in_a_module_of_ones_own_is_named(space, tmp_path, monkeypatch):
    (tmp_path / "my_helpers.py").write_text("import json\nkept = None\nunrelated = [1]\n")
    monkeypatch.syspath_prepend(tmp_path)
    helpers = __import__("my_helpers")
    monkeypatch.delitem(sys.modules, "my_helpers")
    helpers.kept = {"model": model()}
    space(helpers=helpers, torch=torch)
    found = holders([helpers.kept["model"]])
    assert found == (Holder("variable `helpers.kept`", "del helpers.kept"),)


def test_a_class_of_the_notebook_may_hold_a_model(space):
    target = model()
    app = type("App", (), {"__module__": "__main__", "model": target})
    space(App=app)
    assert holders([target]) == (Holder("variable `App`", "del App"),)
    space(App=None, running=app())
    assert holders([target]) == (Holder("variable `running`", "del running"),)


@pytest.fixture
def last(monkeypatch) -> Iterator[Callable[[BaseException], None]]:
    """Give a function that makes an error the last one, as the interactive prompt does."""
    names = ("last_type", "last_value", "last_traceback", "last_exc")
    before = {name: getattr(sys, name) for name in names if hasattr(sys, name)}

    def keep(error: BaseException) -> None:
        sys.last_type, sys.last_value = type(error), error
        sys.last_traceback = error.__traceback__

    yield keep
    for name in names:
        if hasattr(sys, name):
            delattr(sys, name)
    for name, value in before.items():
        setattr(sys, name, value)


def test_the_traceback_of_the_last_error_holds_a_model(last):
    target = model()
    last(failing_with(target))
    assert holders([target]) == (Holder("the traceback of the last error", "%asr clean"),)
    try:
        raise KeyboardInterrupt from failing_with(target)
    except KeyboardInterrupt as error:
        last(error)
    assert holders([target]) == (Holder("the traceback of the interrupt", "%asr clean"),)


def test_clean_lets_go_of_the_last_error(last):
    target = model()
    weak = weakref.ref(target)
    last(failing_with(target))
    del target
    gc.collect()
    assert weak() is not None
    report = memory.clean()
    assert weak() is None
    assert not hasattr(sys, "last_value")
    assert report.cleared == ("the traceback of the last error", "unused memory")


def test_at_a_debuggers_prompt_the_debugger_is_left_alone():
    asked: list[bool] = []
    commands = "!asked.append(_traces._is_debugging())\nquit\n"
    debugger = pdb.Pdb(stdin=io.StringIO(commands), stdout=io.StringIO(), readrc=False)
    try:
        assert not _traces._is_debugging()
        raise RuntimeError(asked)
    except RuntimeError as error:
        debugger.reset()
        with contextlib.suppress(bdb.BdbQuit):
            debugger.interaction(None, error.__traceback__)
    assert asked == [True]


def test_clean_leaves_a_waiting_generator_alone(last):
    def generator() -> Iterator[str]:
        try:
            raise RuntimeError("caught by itself")
        except RuntimeError as error:
            caught.append(error)
        yield "first"
        yield "second"

    caught: list[BaseException] = []
    running = generator()
    assert next(running) == "first"
    last(caught.pop())
    memory.clean()
    assert next(running) == "second"


def test_clean_names_the_variables_that_hold_tensors_the_largest_first(space):
    space(
        small=torch.zeros(10),
        large=[torch.zeros(500_000)],
        larger={"a": torch.zeros(400_000), "b": torch.zeros(400_000)},
        numbers=np.zeros(1_000_000),
    )
    named = [holder.frees for holder in memory.clean().holders]
    assert named == ["del larger", "del large"]


def test_one_view_counts_as_the_whole_tensor_and_only_once(space):
    whole = torch.zeros(300_000)  # 1.2 MB
    space(view=whole[:3], twice=[whole[1:], whole[:1]])
    assert len(memory.clean().holders) == 2


def test_a_search_ends(space, monkeypatch):
    monkeypatch.setattr(_search, "MOST_OBJECTS", 1000)
    target = model()
    chain: Any = target
    for _ in range(5000):
        chain = [chain]
    around: list[Any] = []
    around.append(around)
    space(far=chain, wide=[[n] for n in range(10**5)], around=around, near=[[target]])
    assert holders([target]) == (Holder("variable `near`", "del near"),)
    while chain is not target:  # a chain this long must be taken apart link by link
        chain = chain.pop()


def test_objects_with_a_mind_of_their_own_are_no_mistake(space):
    class Stubborn:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError("no")

        def __eq__(self, other: object) -> bool:
            raise RuntimeError("no")

        __hash__ = object.__hash__

        @property
        def __class__(self) -> Any:
            raise RuntimeError("no")

    target = model()
    sparse = torch.eye(3).to_sparse()
    space(stubborn=Stubborn(), sparse=sparse, meta=torch.zeros(3, device="meta"), kept=target)
    assert holders([target]) == (Holder("variable `kept`", "del kept"),)
    assert memory.clean().cleared


def test_a_report_names_holders_and_what_frees_them():
    report = memory.ReleaseReport(
        ("whisper-tiny", "a<b>"),
        memory.Memory(900_000_000, 151_000_000),
        memory.Memory(700_000_000, 0),
        expected_residue_bytes=400_000_000,
        holders=(Holder("variable `m<x>`", "del m"),),
        model_bytes=151_000_000,
    )
    assert (report.freed_bytes, report.freed_cuda_bytes) == (200_000_000, 151_000_000)
    assert repr(report).splitlines() == [
        "Unloaded whisper-tiny, a<b> (151 MB): process memory 900 MB → 700 MB, CUDA 151 MB → 0 B; "
        "about 400 MB of the GPU stay with CUDA itself until the kernel ends.",
        "Still pointed at, but without its weights. To let go of the rest:",
        "  variable `m<x>`: del m",
    ]
    shown = report._repr_html_()
    assert "<li>variable `m&lt;x&gt;`: <code>del m</code></li>" in shown
    assert "a&lt;b&gt;" in shown
    assert "<x>" not in shown


def test_a_report_says_what_is_still_held():
    kept = memory.Memory(900_000_000)
    report = memory.ReleaseReport(("a",), kept, kept, held_bytes=2_000_000)
    assert "2.0 MB of the weights are still held; restart the kernel." in repr(report)
    named = memory.ReleaseReport(
        ("a",), kept, kept, holders=(Holder("`_`", "%asr clean"),), held_bytes=2_000_000
    )
    assert "2.0 MB are still held. To free them:" in repr(named)
    nothing = memory.ReleaseReport((), kept, kept)
    assert repr(nothing) == "Nothing was loaded, so nothing was unloaded."
