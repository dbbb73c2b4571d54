"""The panels' modules become one: nothing is left to import, each keeps its own scope."""

from __future__ import annotations

import json
import re
import string
from pathlib import Path

import pytest

from nbasr.widgets import _bundle, _texts

STATIC = _bundle.STATIC
ENTRIES = sorted(
    path.name
    for path in STATIC.glob("*.js")
    if "\nexport default" in path.read_text(encoding="utf-8")
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(_bundle, "STATIC", tmp_path)
    _bundle.module.cache_clear()
    return tmp_path


def test_every_panel_has_an_entry() -> None:
    assert {"upload.js", "waveform.js", "tuner.js"} <= set(ENTRIES)


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_bundle_imports_and_exports_nothing_but_its_panel(entry: str) -> None:
    bundle = _bundle.module(entry)
    assert not re.search(r"^import\b", bundle, re.MULTILINE)
    assert re.findall(r"^export\b.*", bundle, re.MULTILINE) == ["export default { render };"]


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_bundle_loads_nothing_from_the_network(entry: str) -> None:
    addresses = re.findall(r"https?://[\w./-]+", _bundle.module(entry))
    assert set(addresses) <= {"http://www.w3.org/2000/svg"}


def test_a_module_comes_once_and_before_those_that_need_it(folder: Path) -> None:
    (folder / "a.js").write_text('import { b, c as d } from "./b.js";\nexport default b + d;\n')
    (folder / "b.js").write_text(
        'import { e } from "./e.js";\nexport const b = e;\nexport function c() {}\n'
    )
    (folder / "e.js").write_text("export const e = 1;\n")
    bundle = _bundle.module("a.js")
    assert bundle.index("const $e") < bundle.index("const $b")
    assert "const { b, c: d } = $b;" in bundle
    assert "return { b, c };" in bundle
    assert bundle.count("const e = 1;") == 1


def test_modules_that_import_in_a_circle_are_refused(folder: Path) -> None:
    (folder / "a.js").write_text('import { b } from "./b.js";\nexport const a = 1;\n')
    (folder / "b.js").write_text('import { a } from "./a.js";\nexport const b = 1;\n')
    with pytest.raises(ImportError, match=r"a\.js imports b\.js imports a\.js"):
        _bundle.module("a.js")


def catalogue() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads((STATIC / "texts.json").read_text("utf-8"))
    return found


def test_every_text_is_there_in_every_language_with_the_same_values() -> None:
    def names(text: str) -> set[str | None]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    for key, told in catalogue().items():
        assert tuple(told) == _texts.LANGUAGES, key
        assert names(told["en"]) == names(told["zh"]), key
        assert all(text.strip() for text in told.values()), key


def test_every_text_is_used_and_every_used_text_is_there() -> None:
    package = STATIC.parent
    code = "".join(
        path.read_text(encoding="utf-8") for path in [*STATIC.glob("*.js"), *package.glob("*.py")]
    )
    known = set(catalogue())
    used = set(re.findall(r'(?:\bt|say)\(\s*"([\w.]+)"', code))
    assert used <= known
    quoted = set(re.findall(r'["`]([\w]+\.[\w.]+)["`]', code))
    families = set(re.findall(r"`([\w.]+\.)\$\{", code))
    assert {
        key for key in known - quoted if not any(key.startswith(prefix) for prefix in families)
    } == set()


def test_a_text_falls_back_to_english() -> None:
    assert _texts.say("panel.dismiss", "fr") == "Dismiss"
    assert _texts.say("panel.dismiss", "zh-CN") == "关闭提示"
