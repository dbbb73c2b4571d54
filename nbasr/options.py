"""Options and limits, declared once for the magics, the command line and the functions."""

from __future__ import annotations

import dataclasses
import math
import numbers
import types
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any

from nbasr.errors import OptionError, did_you_mean


def _option(
    default: Any,
    about: str,
    *,
    choices: tuple[str, ...] = (),
    words: tuple[str, ...] = (),
    at_least: float | None = None,
    metavar: str = "",
) -> Any:
    """Declare one field: its default, help, and what it may hold."""
    return dataclasses.field(
        default=default,
        metadata={
            "about": about,
            "choices": choices,
            "words": words,
            "at_least": at_least,
            "metavar": metavar,
        },
    )


@dataclasses.dataclass(frozen=True)
class Options:
    """Everything that one transcription can be told (all values final, none missing)."""

    model: str = _option(
        "auto",
        "catalogue name, hub id or local folder; auto takes a resident model, else the best one "
        "already on this machine, else the embedded engine",
        metavar="NAME",
    )
    language: str | None = _option(
        None, "language of the speech, as a name or an ISO code; auto detects it", metavar="LANG"
    )
    task: str = _option(
        "transcribe",
        "transcribe, or translate the speech into English",
        choices=("transcribe", "translate"),
    )
    prompt: str = _option(
        "", "text that comes before: names, spelling, style (models that take one)", metavar="TEXT"
    )
    hotwords: str = _option(
        "",
        "words to listen for, separated by commas (models that take them)",
        metavar="WORDS",
    )
    dtype: str = _option(
        "auto",
        "number format of what is not quantised; auto suits the device",
        choices=("auto", "float32", "bf16", "fp16"),
    )
    quantization: str = _option(
        "auto",
        "8 bits a weight (int8) or 4 (nf4, fp4), by bitsandbytes: saves memory, seldom time; auto "
        "takes the model as it is loaded or was saved",
        choices=("auto", "none", "int8", "nf4", "fp4"),
    )
    device: str = _option("auto", "where the model runs", choices=("auto", "cpu", "cuda", "mps"))
    offload: bool = _option(
        False,
        "keep in main memory what does not fit the GPU: it runs, several times slower",
    )
    chunking: str = _option(
        "optimal",
        "how the recording is cut: at its best pauses (optimal), at the last pause that fits "
        "(silence), at speech found by a VAD (vad), or blindly (fixed)",
        choices=("optimal", "silence", "vad", "fixed"),
    )
    max_seconds: float | str | None = _option(
        None,
        "longest chunk in seconds; unset: what is safe for the model; adaptive: 45, 60 or 90 s for "
        "recordings up to 30, up to 90 and over 90 min",
        words=("adaptive",),
        at_least=0.5,
        metavar="S",
    )
    min_seconds: float | None = _option(
        None, "chunks shorter than this join a neighbour", at_least=0.0, metavar="S"
    )
    target_seconds: float | None = _option(
        None,
        "length that chunks should have if pauses allow; unset: as long as good pauses make them",
        at_least=0.0,
        metavar="S",
    )
    min_pause: float | None = _option(
        None, "shortest silence that counts as a pause, in seconds", at_least=0.0, metavar="S"
    )
    margin: float | None = _option(
        None,
        "seconds of sound kept around speech where silence is left out",
        at_least=0.0,
        metavar="S",
    )
    threshold_db: float | None = _option(
        None, "level in dBFS below which it is silent; unset: from the noise floor", metavar="DB"
    )
    above_floor_db: float | None = _option(
        None,
        "decibels above the noise floor at which speech begins, in place of a level in dBFS; "
        "unset: 8 to 15, the more the louder the speech",
        at_least=0.0,
        metavar="DB",
    )
    overlap: float = _option(
        0.0,
        "seconds that fixed chunks share with the one before",
        at_least=0.0,
        metavar="S",
    )
    timestamps: str = _option(
        "segment", "finest times in the result", choices=("segment", "word"), metavar="UNIT"
    )
    aligner: str = _option(
        "auto",
        "model that finds the times of words where the recogniser gives none: a name, or auto for "
        "one that is resident or already on this machine",
        metavar="NAME",
    )
    batch_size: int | None = _option(
        None, "most chunks recognised at once; unset: suits the device", at_least=1, metavar="N"
    )
    channel: int | None = _option(
        None, "one channel, counted from 0, in place of the mean of all", at_least=0, metavar="N"
    )


@dataclasses.dataclass(frozen=True)
class Limits:
    """What holds for the whole session rather than for one call."""

    cache_gb: float = _option(
        10.0, "most that decoded recordings may take in the cache folder", at_least=0.0
    )
    url_max_mb: float = _option(2000.0, "largest recording fetched from a URL", at_least=0.0)
    url_timeout: float = _option(
        600.0, "longest time to fetch a recording from a URL, in seconds", at_least=0.0
    )
    progress: bool = _option(True, "show progress while transcribing")
    keep_alive: float = _option(
        -1.0,
        "minutes that an unused model stays loaded; 0: no longer than its work; -1: until unloaded",
        at_least=-1.0,
    )
    upload_max_mb: float = _option(
        8000.0, "largest file that a panel takes from the browser", at_least=0.0
    )
    interface_language: str = _option(
        "auto", "language of the panels; auto is the browser's", choices=("auto", "en", "zh")
    )


@dataclasses.dataclass(frozen=True)
class Declared:
    """One declared option, as parsers, help and completion want it."""

    name: str
    kind: type[Any]  # str, float, int or bool
    optional: bool
    default: Any
    about: str
    choices: tuple[str, ...]
    words: tuple[str, ...]
    at_least: float | None
    metavar: str

    @property
    def flag(self) -> str:
        """The option as written on a command line: ``--max-seconds``."""
        return "--" + self.name.replace("_", "-")

    def parse(self, text: str) -> Any:
        """Turn what a person typed into a value.

        ``"auto"`` stays a word, for `check` to turn into None: in a call None says nothing, and
        ``auto`` undoes what is set.

        Raises
        ------
        OptionError
            If the text is no such value.
        """
        if self.optional and text.strip().lower() in ("", "auto", "none"):
            return "auto"
        if text in self.words:
            return text
        if self.kind is bool:
            truth = {"1": True, "true": True, "yes": True, "on": True}
            truth |= {"0": False, "false": False, "no": False, "off": False}
            if text.lower() not in truth:
                raise OptionError(f"{self.flag} is yes or no, not {text!r}.")
            return truth[text.lower()]
        if self.kind is str:
            return self.check(text)
        try:
            return self.check(self.kind(text))
        except ValueError as error:
            if isinstance(error, OptionError):
                raise
            wanted = "a whole number" if self.kind is int else "a number"
            wanted += "".join(f" or {word}" for word in self.words)
            raise OptionError(f"{self.flag} takes {wanted}, not {text!r}.") from None

    def check(self, value: Any) -> Any:
        """Return `value` as this option holds it, or raise `OptionError` saying what it may be."""
        if value is None and self.optional:
            return None
        if isinstance(value, str) and value.lower() == "auto" and self.optional:
            return None
        if isinstance(value, str) and value in self.words:
            return value
        wanted = {float: numbers.Real, int: numbers.Integral}.get(self.kind)
        if wanted is not None and isinstance(value, wanted) and not isinstance(value, bool):
            value = self.kind(value)  # numpy's numbers become plain ones
        if not isinstance(value, self.kind) or (self.kind is not bool and isinstance(value, bool)):
            names = {str: "text", float: "a number", int: "a whole number", bool: "True or False"}
            raise OptionError(f"{self.name} takes {names[self.kind]}, not {value!r}.")
        if self.choices and value not in self.choices:
            known = ", ".join(self.choices)
            raise OptionError(
                f"{self.name} is one of {known}, not {value!r}.{did_you_mean(value, self.choices)}"
            )
        if self.kind is float and not math.isfinite(value):
            raise OptionError(f"{self.name} takes a finite number, not {value!r}.")
        if self.at_least is not None and value < self.at_least:
            raise OptionError(f"{self.name} is at least {self.at_least:g}, not {value!r}.")
        return value


@cache
def declared(of: type = Options) -> Mapping[str, Declared]:
    """Return the declared options of `Options` or `Limits` by name, in order."""
    hints = typing.get_type_hints(of)
    found = {}
    for field in dataclasses.fields(of):
        hint = hints[field.name]
        parts = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
        kinds = [part for part in parts if part is not type(None)]
        kind = kinds[0]
        found[field.name] = Declared(
            name=field.name,
            kind=kind,
            optional=type(None) in parts,
            default=field.default,
            **field.metadata,
        )
    return types.MappingProxyType(found)
