"""The floors of the package: no module imports from a floor above its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import nbasr

PACKAGE = Path(nbasr.__file__).parent

FLOORS = (
    ("errors", "options", "settings", "_figures", "_files", "_units", "store"),
    ("audio", "memory", "text"),
    ("chunking", "engines", "transcript"),
    ("models",),
    ("pipeline",),
    ("widgets",),
    ("_commands", "magics", "cli", "__main__"),
)
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}


def imported(node: ast.AST) -> Iterator[str]:
    """Yield the parts of the package that code imports when it runs, wherever in it that stands."""
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        return
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        assert not node.level, "imports name the whole path"
        names = [f"{node.module}.{alias.name}" for alias in node.names]
    else:
        names = []
    for name in names:
        package, _, rest = name.partition(".")
        if package == "nbasr" and rest.split(".")[0] in FLOOR:
            yield rest.split(".")[0]
    for child in ast.iter_child_nodes(node):
        yield from imported(child)


def test_every_part_has_a_floor() -> None:
    parts = {path.relative_to(PACKAGE).parts[0] for path in PACKAGE.rglob("*.py")}
    assert {part.removesuffix(".py") for part in parts} <= {"__init__", *FLOOR}


def test_no_module_imports_from_a_floor_above_its_own() -> None:
    wrong = []
    for path in sorted(PACKAGE.rglob("*.py")):
        where = path.relative_to(PACKAGE)
        part = where.parts[0].removesuffix(".py")
        if part == "__init__":  # the front door hands out what every floor has
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        wrong += [f"{where}: {name}" for name in imported(tree) if FLOOR[name] > FLOOR[part]]
    assert wrong == []


def test_imports_are_seen_inside_functions_and_not_for_type_checking() -> None:
    code = """
if TYPE_CHECKING:
    from nbasr.cli import main
def f():
    from nbasr.pipeline import run
    from nbasr import models, score
    import nbasr.audio.cache
"""
    assert list(imported(ast.parse(code))) == ["pipeline", "models", "audio"]
