"""Where an option's value comes from, and what is said when it is impossible."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import traitlets

from nbasr import settings
from nbasr.errors import OptionError
from nbasr.options import Limits, Options, declared


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give an empty working folder and an empty folder for the user's configuration."""
    (tmp_path / "work" / "deep").mkdir(parents=True)
    (tmp_path / "config").mkdir()
    monkeypatch.chdir(tmp_path / "work" / "deep")
    monkeypatch.setattr("platformdirs.user_config_dir", lambda *_, **__: str(tmp_path / "config"))
    for name in (*declared(Options), *declared(Limits)):
        monkeypatch.delenv(f"NBASR_{name.upper()}", raising=False)
    settings.current.cache_clear()
    yield tmp_path
    settings.current.cache_clear()


def test_each_source_of_a_value_is_stronger_than_the_one_below(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seen(**given: object) -> str:
        settings.current.cache_clear()
        return settings.current().resolve(**given).chunking

    assert seen() == "optimal"
    (home / "config" / "nbasr.toml").write_text('chunking = "fixed"')
    assert seen() == "fixed"
    (home / "work" / "pyproject.toml").write_text('[tool.nbasr]\nchunking = "silence"')
    assert seen() == "silence"
    monkeypatch.setenv("NBASR_CHUNKING", "vad")
    assert seen() == "vad"
    settings.current().chunking = "fixed"  # as %config does
    assert settings.current().resolve().chunking == "fixed"
    assert settings.current().resolve(chunking="optimal").chunking == "optimal"


def test_a_call_can_go_back_to_unset(home: Path) -> None:
    current = settings.current()
    current.language, current.max_seconds = "de", 12
    assert current.resolve(language=None).language == "de"
    options = current.resolve(language="auto", max_seconds="auto")
    assert (options.language, options.max_seconds) == (None, None)


def test_a_typed_auto_undoes_a_setting(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    current = settings.current()
    current.language, current.max_seconds = "de", 12
    typed = {name: declared()[name].parse("auto") for name in ("language", "max_seconds")}
    options = current.resolve(**typed)
    assert (options.language, options.max_seconds) == (None, None)
    monkeypatch.setenv("NBASR_LANGUAGE", "auto")
    settings.current.cache_clear()
    assert settings.current().resolve().language is None


def test_limits_come_from_the_environment_too(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBASR_CACHE_GB", "0.5")
    monkeypatch.setenv("NBASR_PROGRESS", "off")
    assert settings.current().cache_gb == 0.5
    assert settings.current().progress is False


def test_a_file_with_an_unknown_name_says_where_and_what_is_close(home: Path) -> None:
    path = home / "work" / "pyproject.toml"
    path.write_text('[tool.nbasr]\nmodle = "x"')
    with pytest.raises(OptionError) as caught:
        settings.current()
    assert str(path) in str(caught.value)
    assert "Did you mean 'model'?" in str(caught.value)


def test_a_file_that_is_no_toml_says_so(home: Path) -> None:
    (home / "config" / "nbasr.toml").write_text("chunking = ")
    with pytest.raises(OptionError, match=r"nbasr\.toml is not valid TOML .* mend or remove it"):
        settings.current()


def test_a_tool_table_that_is_no_table_says_so(home: Path) -> None:
    (home / "work" / "pyproject.toml").write_text('[tool]\nnbasr = "vad"')
    with pytest.raises(OptionError, match=r"\[tool\.nbasr\].*pyproject\.toml"):
        settings.current()


def test_a_bad_environment_variable_says_which(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBASR_MAX_SECONDS", "many")
    with pytest.raises(OptionError, match=r"NBASR_MAX_SECONDS.*a number or adaptive, not 'many'"):
        settings.current()


def test_config_refuses_an_impossible_value_and_keeps_the_old_one(home: Path) -> None:
    current = settings.current()
    with pytest.raises(traitlets.TraitError, match="Did you mean 'optimal'"):
        current.chunking = "optimla"
    assert current.chunking == "optimal"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("modle", "x", "Did you mean 'model'?"),
        ("max_seconds", 0.1, "at least 0.5"),
        ("max_seconds", math.nan, "a finite number"),
        ("threshold_db", math.inf, "a finite number"),
        ("above_floor_db", -1, "at least 0"),
        ("margin", -0.1, "at least 0"),
        ("target_seconds", "long", "a number"),
        ("max_seconds", "soon", "a number"),
        ("batch_size", 1.5, "a whole number"),
        ("batch_size", True, "a whole number"),
        ("task", "summarise", "transcribe, translate"),
        ("model", 7, "text"),
    ],
)
def test_an_impossible_value_gets_one_sentence(
    home: Path, name: str, value: object, said: str
) -> None:
    with pytest.raises(OptionError) as caught:
        settings.current().resolve(**{name: value})
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_whole_numbers_are_welcome_where_seconds_are_wanted(home: Path) -> None:
    value = settings.current().resolve(max_seconds=20).max_seconds
    assert value == 20.0
    assert isinstance(value, float)


def test_numbers_of_numpy_become_plain_ones(home: Path) -> None:
    options = settings.current().resolve(
        max_seconds=np.float32(5), min_pause=np.int64(1), batch_size=np.int64(2)
    )
    found = (options.max_seconds, options.min_pause, options.batch_size)
    assert [(value, type(value)) for value in found] == [(5.0, float), (1.0, float), (2, int)]
    with pytest.raises(OptionError, match="batch_size takes a whole number"):
        settings.current().resolve(batch_size=np.float32(2))


def test_every_default_is_a_value_that_the_option_allows() -> None:
    for option in (*declared(Options).values(), *declared(Limits).values()):
        assert option.check(option.default) == option.default
        assert option.about


def test_what_is_typed_means_what_the_function_takes(home: Path) -> None:
    typed = {
        "max_seconds": "adaptive",
        "threshold_db": "-40",
        "above_floor_db": "auto",
        "target_seconds": "12.5",
        "margin": "0",
        "batch_size": "4",
        "language": "Auto",
    }
    read = {name: declared()[name].parse(text) for name, text in typed.items()}
    assert read == {
        "max_seconds": "adaptive",
        "threshold_db": -40.0,
        "above_floor_db": "auto",
        "target_seconds": 12.5,
        "margin": 0.0,
        "batch_size": 4,
        "language": "auto",
    }


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"target_seconds": 12}, "target_seconds=12"),
        ({"margin": 0.3}, "margin=0.3"),
        ({"above_floor_db": 9.5}, "above_floor_db=9.5"),
        ({"threshold_db": -40}, "threshold_db=-40"),
        ({"chunking": "fixed", "margin": 0}, "margin=0"),
    ],
)
def test_options_of_cutting_reach_the_strategy(home: Path, given, told: str) -> None:
    from nbasr import samples
    from nbasr.pipeline.transcribe import plan

    meeting = samples.open("meeting")
    work = plan(meeting, model="sphinx", max_seconds=20, **given)
    kind = given.get("chunking", "optimal").capitalize()
    assert work.plans[0].strategy == f"{kind}(max_seconds=20, {told})"


def test_a_level_in_one_way_undoes_what_is_set_in_the_other(home: Path) -> None:
    from nbasr import samples
    from nbasr.pipeline.transcribe import plan

    meeting = samples.open("meeting")
    settings.current().threshold_db = -40
    told = [
        plan(meeting, model="sphinx", max_seconds=20, **given).plans[0].strategy
        for given in ({}, {"above_floor_db": 12}, {"above_floor_db": "auto"})
    ]
    assert told == [
        "Optimal(max_seconds=20, threshold_db=-40)",
        "Optimal(max_seconds=20, above_floor_db=12)",
        "Optimal(max_seconds=20, threshold_db=-40)",
    ]
    settings.current().above_floor_db = 9
    with pytest.raises(OptionError, match="give one of them"):
        plan(meeting, model="sphinx", max_seconds=20)


@pytest.mark.parametrize("name", ["target_seconds", "margin", "above_floor_db"])
def test_options_of_cutting_say_nothing_beside_a_strategy(home: Path, name: str) -> None:
    from nbasr import samples
    from nbasr.chunking import Optimal
    from nbasr.pipeline.transcribe import plan

    with pytest.raises(OptionError, match=f"{name} has no effect beside a Optimal"):
        plan(samples.open("meeting"), model="sphinx", chunking=Optimal(), **{name: 9})


def test_options_are_final_values() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Options().model = "x"  # type: ignore[misc]


def test_the_function_twin_takes_exactly_the_declared_options() -> None:
    import inspect

    from nbasr.pipeline.transcribe import transcribe

    taken = list(inspect.signature(transcribe).parameters)
    assert taken == ["source", *declared(), "progress"]
