"""Settings of a tuner kept by name: a few that come with nbasr, and the person's own in a file."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbasr import store
from nbasr._files import replacing
from nbasr.errors import OptionError, did_you_mean
from nbasr.widgets._texts import LANGUAGES, say
from nbasr.widgets._tuner_settings import Settings

LONGEST_NAME = 60
"""Letters in the name of a preset."""

_BUILT_IN = {
    "tuner.preset_whisper": Settings(max_seconds=30.0),
    "tuner.preset_qwen": Settings(max_seconds=60.0, target_seconds=45.0),
    "tuner.preset_subtitles": Settings(
        max_seconds=6.0, min_seconds=1.0, target_seconds=4.0, min_pause=0.15, margin=0.1
    ),
    "tuner.preset_noisy": Settings(
        strategy="vad", max_seconds=30.0, min_pause=0.3, margin=0.25, probability=0.5
    ),
}
"""Texts that name them, and what they are."""

_VERSION = 1  # of the file
_lock = threading.Lock()  # of this kernel; another one that writes at the same moment comes last


@dataclass(frozen=True)
class Preset:
    """Settings with a name.

    Parameters
    ----------
    name
        By which it is applied.
    text
        Its name as shown.
    settings
        What it sets.
    own
        Whether a person has saved it.
    """

    name: str
    text: str
    settings: Settings
    own: bool

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON knows it."""
        return {
            "name": self.name,
            "text": self.text,
            "settings": self.settings.as_dict(),
            "own": self.own,
        }


@dataclass(frozen=True)
class Presets:
    """What there is to choose from.

    Parameters
    ----------
    presets
        Those of nbasr, then the person's own by name.
    problem
        What was wrong with the file, in a sentence; ``""``: nothing.
    """

    presets: tuple[Preset, ...]
    problem: str = ""

    def named(self, name: str) -> Preset:
        """Return a preset by its name, or by what it is called in any language.

        Raises
        ------
        OptionError
            If there is none.
        """
        found = {preset.name: preset for preset in self.presets if preset.own}
        for key, called in _built_in_names().items():
            found |= {text: self._built_in(key) for text in called}
        if name not in found:
            known = [preset.text for preset in self.presets]
            raise OptionError(
                f"There is no preset {name!r}.{did_you_mean(str(name), known)} "
                f"Known: {'; '.join(known)}."
            )
        return found[name]

    def _built_in(self, key: str) -> Preset:
        return next(preset for preset in self.presets if preset.name == say(key))


def path() -> Path:
    """Return the file of the person's own; it may not exist yet."""
    return store.home_folder() / "presets.json"


def read(language: str = "") -> Presets:
    """Return the presets.

    A file that cannot be understood is put aside under another name, so that nothing in it is lost;
    entries that cannot are left in the file and not offered.

    Parameters
    ----------
    language
        In which those of nbasr are called.
    """
    with _lock:
        kept, problem = _read(language)
    built_in = [
        Preset(say(key), say(key, language), settings, own=False)
        for key, settings in _BUILT_IN.items()
    ]
    own, strange = [], []
    for name in sorted(kept, key=str.casefold):
        try:
            own.append(Preset(name, name, Settings().told(kept[name]), own=True))
        except (OptionError, TypeError):
            strange.append(name)
    if strange and not problem:
        problem = say("tuner.presets_strange", language, names=", ".join(strange), path=path())
    return Presets((*built_in, *own), problem)


def save(name: str, settings: Settings) -> None:
    """Keep settings under a name; what had it before is replaced.

    Raises
    ------
    OptionError
        If the name is none, or taken by nbasr, or the file cannot be written.
    """
    name = _checked(name)
    with _lock:
        _write({**_to_change(), name: settings.as_dict()})


def delete(name: str) -> None:
    """Forget a preset.

    Raises
    ------
    OptionError
        If the person has none of that name, or the file cannot be written.
    """
    with _lock:
        kept = _to_change()
        if name not in kept:
            if any(name in called for called in _built_in_names().values()):
                raise OptionError(f"{name} comes with nbasr and stays; only your own can go.")
            raise OptionError(f"There is no preset {name!r}.{did_you_mean(str(name), kept)}")
        _write({key: value for key, value in kept.items() if key != name})


def _checked(name: str) -> str:
    """Return a name as it is kept, or raise if it is none."""
    if not isinstance(name, str) or not name.strip():
        raise OptionError("Give the preset a name, such as 'Interviews'.")
    name = " ".join(name.split())
    if len(name) > LONGEST_NAME:
        raise OptionError(
            f"The name of a preset has at most {LONGEST_NAME} letters, not {len(name)}."
        )
    if not name.isprintable():
        raise OptionError(f"{name!r} holds signs that cannot be shown; take another name.")
    if any(name in called for called in _built_in_names().values()):
        raise OptionError(f"{name} comes with nbasr and stays as it is; take another name.")
    return name


def _built_in_names() -> dict[str, set[str]]:
    return {key: {say(key, language) for language in LANGUAGES} for key in _BUILT_IN}


def _to_change() -> dict[str, Any]:
    """Return the person's own, to be written anew; raise where that would lose something."""
    kept, problem = _read("")
    if problem and path().exists():
        raise OptionError(problem)
    return kept


def _read(language: str) -> tuple[dict[str, Any], str]:
    """Return the person's own as they stand in the file, and what is wrong with it."""
    place = path()
    try:
        found = json.loads(place.read_text(encoding="utf-8"))
        version, kept = found["version"], found["presets"]
        if not isinstance(kept, dict):
            raise TypeError
    except FileNotFoundError:
        return {}, ""
    except OSError as error:
        return {}, say("tuner.presets_unread", language, path=place, reason=error.strerror)
    except (ValueError, KeyError, TypeError):
        return {}, _put_aside(place, language)
    if version != _VERSION:
        return {}, say("tuner.presets_version", language, path=place)
    return kept, ""


def _put_aside(place: Path, language: str) -> str:
    """Give a file that cannot be understood another name; return the sentence about it."""
    beside = [place.with_name(f"presets.broken{number or ''}.json") for number in range(1000)]
    try:
        free = next(one for one in beside if not one.exists())
        place.rename(free)
    except (OSError, StopIteration):
        return say("tuner.presets_unread", language, path=place, reason="not JSON")
    return say("tuner.presets_broken", language, path=place, kept=free.name)


def _write(kept: dict[str, Any]) -> None:
    place = path()
    text = json.dumps({"version": _VERSION, "presets": kept}, ensure_ascii=False, indent=1)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with replacing(place) as beside:
            beside.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OptionError(
            f"{place} cannot be written ({error.strerror}); allow it, or set NBASR_HOME to a "
            "folder that can be written."
        ) from None
