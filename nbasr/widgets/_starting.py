"""What a tuner begins with: settings of the session or of a strategy, a model, a plan; checked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from nbasr import settings as session
from nbasr.audio.recording import Recording
from nbasr.chunking import ChunkPlan, Strategy, strategy
from nbasr.errors import OptionError
from nbasr.models import catalog
from nbasr.models.model import Model
from nbasr.widgets import _tuning
from nbasr.widgets._forecast import AUTO
from nbasr.widgets._tuner_settings import Settings


def model_name(model: Any) -> str:
    """Return the name of a model, or raise if there is no such model."""
    if model is None:
        return AUTO
    if isinstance(model, Model):
        return model.spec.source or model.spec.name
    if not isinstance(model, str):
        raise OptionError(
            f"A model is named by text, not by {type(model).__name__}; give its catalogue name, "
            "hub id or folder."
        )
    if model.strip().lower() == AUTO:
        return AUTO
    catalog.resolve(model, device="cpu")  # does not look for a GPU, so it costs nothing
    return model


def settings_of(given: str | Strategy, before: Settings) -> tuple[Settings, tuple[float, ...]]:
    """Return the settings of a strategy or its name, and the cuts that it was told."""
    if isinstance(given, Strategy):
        return Settings.of(given, before), given.cuts
    if isinstance(given, str):
        strategy(given)  # a name that there is not raises here
        return replace(before, strategy=given.lower()), ()
    raise OptionError(
        f"strategy is a name, a strategy of nbasr.chunking or a ChunkPlan, not "
        f"{type(given).__name__}; a plan of your own goes to tuner.plan."
    )


def session_settings(model: str) -> Settings:
    """Return the settings that `nbasr.transcribe` would cut by."""
    said = session.current()
    spec = None if model == AUTO else catalog.resolve(model, device="cpu")
    found: dict[str, Any] = {"strategy": said.chunking}
    for name in ("min_seconds", "target_seconds", "min_pause", "margin", "max_seconds"):
        if getattr(said, name) is not None:
            found[name] = getattr(said, name)
    if "max_seconds" not in found and spec is not None:
        found["max_seconds"] = spec.max_seconds
    for threshold, name in (("absolute", "threshold_db"), ("above_floor", "above_floor_db")):
        if getattr(said, name) is not None:
            found |= {"threshold": threshold, "threshold_value": getattr(said, name)}
    if said.chunking == "fixed":
        found["overlap"] = said.overlap
    return Settings(**found)


def first_state(
    recording: Recording, given: str | Strategy | ChunkPlan | None, model: str
) -> _tuning.State:
    """Return what a tuner begins with."""
    start = session_settings(model)
    if isinstance(given, ChunkPlan):
        must_be_of(given, recording)
        return _tuning.given(given, start)
    settings, cuts = (start, ()) if given is None else settings_of(given, start)
    return _tuning.planned(settings, lambda strategy: strategy.plan(recording), cuts)


def must_be_of(plan: ChunkPlan, recording: Recording) -> None:
    """Raise if a plan was made for another recording, as far as it tells."""
    other = plan.recording is not None and plan.recording != recording
    if other or abs(plan.duration - recording.duration) > 0.05:
        raise OptionError(
            f"That plan was made for another recording than {recording.name}; plan this one."
        )
