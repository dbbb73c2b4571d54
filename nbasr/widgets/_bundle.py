"""The panels' ES modules as one text: what comes through a kernel cannot import its neighbours.

Every module becomes a function that returns its exports, so each keeps a scope of its own. The
modules themselves are plain: a browser that fetches them as files runs them as they are.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

STATIC = Path(__file__).parent / "static"
"""Where the modules, styles and texts of the panels lie."""

_IMPORT = re.compile(r'^import\s+\{([^}]*)\}\s+from\s+"\./([\w.-]+)";\n', re.MULTILINE)
_JSON = re.compile(
    r'^import\s+(\w+)\s+from\s+"\./([\w.-]+\.json)"\s+with\s+\{\s*type:\s*"json"\s*\};\n',
    re.MULTILINE,
)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function\*?|const|let|class) (\w+))", re.MULTILINE)


@cache
def module(entry: str) -> str:
    """Return an entry module and all that it imports as one module with its default export.

    Parameters
    ----------
    entry
        File in `STATIC` that ends in ``export default …;``.
    """
    order: list[str] = []
    _visit(entry, order, ())
    *needed, _ = order
    parts = [_wrapped(name) for name in needed]
    return "".join(parts) + _EXPORT.sub("", _linked(_read(entry)))


@cache
def style(*names: str) -> str:
    """Return style sheets of `STATIC` as one."""
    return "\n".join(_read(name) for name in names)


def _visit(name: str, order: list[str], above: tuple[str, ...]) -> None:
    """Append what a module imports, then the module itself."""
    if name in above:
        raise ImportError(f"{' imports '.join((*above, name))}: modules import in a circle")
    for found in _IMPORT.finditer(_read(name)):
        if found[2] not in order:
            _visit(found[2], order, (*above, name))
    order.append(name)


def _wrapped(name: str) -> str:
    """Return a module as a constant that holds its exports."""
    text = _linked(_read(name))
    exports = ", ".join(found[1] for found in _EXPORT.finditer(text))
    body = _EXPORT.sub("", text)
    return f"const {_name(name)} = (() => {{\n{body}return {{ {exports} }};\n}})();\n"


def _linked(text: str) -> str:
    """Put constants in place of the imports."""
    text = _IMPORT.sub(
        lambda found: f"const {{ {_renamed(found[1])} }} = {_name(found[2])};\n", text
    )
    return _JSON.sub(
        lambda found: f"const {found[1]} = {json.dumps(json.loads(_read(found[2])))};\n", text
    )


def _renamed(names: str) -> str:
    """Return ``a: b`` for ``a as b``."""
    return " ".join(names.split()).replace(" as ", ": ")


def _name(file: str) -> str:
    return "$" + re.sub(r"\W", "_", file.removesuffix(".js"))


def _read(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")
