"""The options and limits of this session, and where they were set.

A value is looked for in this order: the call, ``%config NbAsr.name = …``, the environment
(``NBASR_NAME``), ``[tool.nbasr]`` of the nearest ``pyproject.toml``, the user's ``nbasr.toml``,
the default in `nbasr.options`.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import traitlets
from traitlets.config import Configurable

from nbasr._files import expanded
from nbasr.errors import OptionError, did_you_mean
from nbasr.options import Declared, Limits, Options, declared


def _trait(option: Declared) -> traitlets.TraitType[Any, Any]:
    """Make the trait that holds `option` in `%config`."""

    class Trait(traitlets.TraitType[Any, Any]):
        info_text = option.about

        def validate(self, obj: Any, value: Any) -> Any:  # noqa: ARG002
            try:
                return option.check(value)
            except OptionError as error:
                raise traitlets.TraitError(str(error)) from None

    Trait.__name__ = option.kind.__name__.capitalize()
    return Trait(option.default, help=option.about).tag(config=True)


def _members() -> dict[str, Any]:
    every = {**declared(Options), **declared(Limits)}
    return {name: _trait(option) for name, option in every.items()}


class _Settings(Configurable):
    """Options and limits of this session; ``%config NbAsr`` lists them."""

    def resolve(self, **given: Any) -> Options:
        """Return the final options of one call: what was given, else what is set here.

        Parameters
        ----------
        **given
            Options by name; None means: as set here.

        Raises
        ------
        OptionError
            If a name is unknown or a value impossible.
        """
        known = declared(Options)
        for name in given:
            if name not in known:
                raise OptionError(
                    f"There is no option {name!r}.{did_you_mean(name, known)} "
                    f"Known: {', '.join(known)}."
                )
        values = {
            name: getattr(self, name) if given.get(name) is None else option.check(given[name])
            for name, option in known.items()
        }
        return Options(**values)


NbAsr: type[_Settings] = type(  # %config names a configurable by its class
    "NbAsr", (_Settings,), {"__doc__": _Settings.__doc__, "__module__": __name__, **_members()}
)


def _tables() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield (where it is from, values) of the configuration files, the weakest first."""
    import platformdirs

    user = Path(platformdirs.user_config_dir("nbasr", appauthor=False)) / "nbasr.toml"
    projects = (folder / "pyproject.toml" for folder in (Path.cwd(), *Path.cwd().parents))
    project = next((path for path in projects if path.is_file()), None)
    for path, pick in (
        (user, lambda table: table),
        (project, lambda table: table.get("tool", {}).get("nbasr", {})),
    ):
        if path is not None and path.is_file():
            yield str(path), _read(path, pick)


def _read(path: Path, pick: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    try:
        table = pick(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OptionError(f"{path} is not valid TOML ({error}); mend or remove it.") from None
    except OSError as error:
        raise OptionError(
            f"{path} cannot be read ({error.strerror}); allow it or remove it."
        ) from None
    if not isinstance(table, dict):
        raise OptionError(f"[tool.nbasr] of {path} is not a table; write it on a line of its own.")
    return table


@cache
def current() -> Any:
    """Return the settings of this session, read from files and environment at the first call.

    Raises
    ------
    OptionError
        If a file or an environment variable names an unknown option or an impossible value.
    """
    every = {**declared(Options), **declared(Limits)}
    settings = NbAsr()
    for where, table in _tables():
        for name, value in table.items():
            if name not in every:
                raise OptionError(f"{where} sets {name!r}.{did_you_mean(name, every)}")
            try:
                setattr(settings, name, every[name].check(value))
            except OptionError as error:
                raise OptionError(f"In {where}: {error}") from None
    for name, option in every.items():
        text = os.environ.get(f"NBASR_{name.upper()}")
        if text is not None:
            try:
                setattr(settings, name, option.parse(text))
            except OptionError as error:
                raise OptionError(f"In the environment, NBASR_{name.upper()}: {error}") from None
    return settings


def cache_folder() -> Path:
    """Return the folder of decoded recordings (``NBASR_CACHE`` moves it); it may not exist yet."""
    import platformdirs

    chosen = os.environ.get("NBASR_CACHE")
    return Path(expanded(chosen or platformdirs.user_cache_dir("nbasr", appauthor=False)))
