"""Settings kept by name: in one file, whole after whatever happens to it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from nbasr.errors import OptionError
from nbasr.widgets import _presets
from nbasr.widgets._tuner_settings import Settings

MINE = Settings(strategy="silence", max_seconds=17.5, min_pause=0.35, target_seconds=9.0)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NBASR_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def own() -> dict[str, Settings]:
    return {one.name: one.settings for one in _presets.read().presets if one.own}


def test_a_few_come_with_nbasr_and_every_one_makes_a_strategy(home: Path) -> None:
    found = _presets.read()
    assert len(found.presets) >= 4
    assert not any(one.own for one in found.presets)
    assert found.problem == ""
    for one in found.presets:
        one.settings.made()
    assert not home.exists()  # to ask makes no file


def test_they_are_called_in_the_language_of_the_panel_and_found_by_any_name() -> None:
    english, chinese = _presets.read("en").presets, _presets.read("zh-CN").presets
    assert [one.name for one in english] == [one.name for one in chinese]
    assert english[2].text == "Subtitles, 6 s"
    assert chinese[2].text == "字幕，6 秒"
    for name in ("Subtitles, 6 s", "字幕，6 秒"):
        assert _presets.read("en").named(name).settings.max_seconds == 6


def test_what_was_saved_is_there_again() -> None:
    _presets.save("  My   interviews ", MINE)
    assert own() == {"My interviews": MINE}
    assert _presets.read().named("My interviews").settings == MINE


def test_saving_again_replaces_and_others_stay() -> None:
    _presets.save("a", MINE)
    _presets.save("b", MINE)
    _presets.save("a", Settings())
    assert own() == {"a": Settings(), "b": MINE}


def test_own_ones_can_go_but_those_of_nbasr_stay() -> None:
    _presets.save("a", MINE)
    _presets.delete("a")
    assert own() == {}
    with pytest.raises(OptionError, match="no preset 'a'"):
        _presets.delete("a")
    for name in ("Noisy room", "嘈杂环境"):
        with pytest.raises(OptionError, match="comes with nbasr"):
            _presets.delete(name)
        with pytest.raises(OptionError, match="comes with nbasr"):
            _presets.save(name, MINE)


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, "a\x07b", 5, None])
def test_a_name_must_be_one(name: object, home: Path) -> None:
    with pytest.raises(OptionError):
        _presets.save(name, MINE)  # type: ignore[arg-type]
    assert not home.exists()


def test_a_wrong_name_is_told_with_the_closest() -> None:
    _presets.save("Interviews", MINE)
    with pytest.raises(OptionError, match="Did you mean 'Interviews'"):
        _presets.read().named("Interview")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"presets": 3, "version": 1}', b"\xff\xfe\x00", b"null"]
)
def test_a_broken_file_is_kept_aside_and_told_of(home: Path, content: bytes) -> None:
    home.mkdir()
    _presets.path().write_bytes(content)
    found = _presets.read()
    assert "presets.broken.json" in found.problem
    assert (home / "presets.broken.json").read_bytes() == content
    _presets.save("a", MINE)
    assert own() == {"a": MINE}
    assert _presets.read().problem == ""
    assert (home / "presets.broken.json").read_bytes() == content


def test_a_second_broken_file_does_not_replace_the_first(home: Path) -> None:
    home.mkdir()
    for number in range(3):
        _presets.path().write_text(f"broken {number}")
        _presets.read()
    kept = sorted(path.read_text() for path in home.glob("presets.broken*.json"))
    assert kept == ["broken 0", "broken 1", "broken 2"]


def test_a_file_of_another_version_is_left_alone(home: Path) -> None:
    home.mkdir()
    text = '{"version": 99, "presets": {"a": {}}}'
    _presets.path().write_text(text)
    assert "another version" in _presets.read().problem
    with pytest.raises(OptionError, match="another version"):
        _presets.save("b", MINE)
    assert _presets.path().read_text() == text


def test_one_strange_preset_hides_no_other_and_stays_in_the_file() -> None:
    _presets.save("good", MINE)
    kept = json.loads(_presets.path().read_text(encoding="utf-8"))
    strange = {"odd": {"strategy": "magical"}, "odder": 7, "new": {"brightness": 3.0}}
    kept["presets"] |= strange
    _presets.path().write_text(json.dumps(kept), encoding="utf-8")
    found = _presets.read()
    assert own() == {"good": MINE}
    assert "new, odd, odder" in found.problem
    _presets.save("another", MINE)
    assert json.loads(_presets.path().read_text())["presets"].items() >= strange.items()


def test_a_folder_that_cannot_be_written_is_told_in_a_sentence(home: Path) -> None:
    home.write_text("a file where the folder would be")
    with pytest.raises(OptionError, match="NBASR_HOME"):
        _presets.save("a", MINE)


def test_nothing_is_left_beside_the_file(home: Path) -> None:
    _presets.save("a", MINE)
    assert [path.name for path in home.iterdir()] == ["presets.json"]


@examples(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.text(min_size=1, max_size=60))
def test_any_name_that_is_taken_comes_back(name: str) -> None:
    try:
        _presets.save(name, MINE)
    except OptionError:
        return
    kept = " ".join(name.split())
    assert own()[kept] == MINE
    _presets.delete(kept)
    assert kept not in own()
