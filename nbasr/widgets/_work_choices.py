"""What a workbench lets one choose before it transcribes: models, precisions, times of words."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

from nbasr import settings
from nbasr.engines.quantization import METHODS
from nbasr.errors import ModelError, NbasrError
from nbasr.models import catalog, manager
from nbasr.widgets import _forecast
from nbasr.widgets._texts import say

if TYPE_CHECKING:
    from nbasr.engines.base import EngineSpec

PRECISIONS = ("auto", "float32", "bf16", "fp16", "int8", "nf4")
"""How the weights of a model may be stored; ``"auto"``: as it is loaded, was saved, or suits."""

TIMES = ("auto", "segment", "word")
"""What has times: segments, or words, too; ``"auto"``: words where that can be had here."""


def options_for(precision: str) -> dict[str, str]:
    """Return the options of `nbasr.submit` that stand for a precision."""
    if precision == "auto":
        return {}
    if precision in METHODS:
        return {"quantization": precision}
    return {"dtype": precision, "quantization": "none"}


def spec_of(model: str, precision: str) -> EngineSpec:
    """Return the model that is meant. Nothing is loaded, fetched or warned of.

    Raises
    ------
    ModelError, OptionError
        If there is no such model, or not in this precision.
    """
    return _forecast.spec_of(model, **options_for(precision))


def precisions(model: str, chosen: str, language: str) -> list[tuple[str, str]]:
    """Return the precisions that a model can have here: (name, text) pairs."""
    found: list[tuple[str, str]] = []
    auto: EngineSpec | None = None
    for name in PRECISIONS:
        if name in METHODS and importlib.util.find_spec("bitsandbytes") is None:
            continue
        try:
            spec = spec_of(model, name)
        except NbasrError:
            spec = None
        if name == "auto":
            auto = spec
            kind = spec.precision if spec is not None else "?"
            found.append((name, say("work.precision_auto", language, precision=kind)))
        elif name == chosen or (spec is not None and spec != auto):
            found.append((name, name))
    return found


def gives_words(model: str, precision: str) -> bool:
    """Tell whether the times of words can be had here with a model."""
    try:
        options = settings.current().resolve(model=model, **options_for(precision))
        spec = manager.choose(options, warn=False)
        if catalog.gives_word_times(spec):
            return True
        return manager.choose_aligner(options, options.language) is not None
    except NbasrError:
        return False


def must_be_here(spec: EngineSpec, language: str) -> None:
    """Refuse a model that would have to be fetched: a click here downloads nothing.

    Raises
    ------
    ModelError
        If its files are not on this machine.
    """
    try:
        _forecast.must_be_here(spec)
    except ModelError:
        raise ModelError(say("work.model_not_here", language, model=spec.name)) from None


def told(model: str, precision: str, language: str) -> dict[str, Any]:
    """Return all that there is to choose from, as JSON knows it."""
    words = gives_words(model, precision)
    return {
        "models": [list(one) for one in _forecast.choices(model, language)],
        "precisions": [list(one) for one in precisions(model, precision, language)],
        "words": words,
    }
