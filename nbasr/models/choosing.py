"""Which model is meant: by its name, by what is resident, by what is on this machine and fits."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nbasr import settings
from nbasr._files import expanded
from nbasr.engines.base import EngineSpec
from nbasr.engines.languages import language_code, language_name
from nbasr.engines.quantization import Quantization
from nbasr.errors import ModelError, ModelWarning, OptionError, OutOfMemoryError
from nbasr.models import catalog, estimating

if TYPE_CHECKING:
    from nbasr.models._residents import Slot
    from nbasr.options import Options

ALIGNER = "aligner"
"""The engine that finds the times of words in a known text; it recognises nothing."""

MANY = 30
"""Languages from which on a model is a safe guess for speech whose language is not known."""


@dataclass(frozen=True)
class Wish:
    """How a model is to be loaded, as far as a person says.

    Parameters
    ----------
    dtype, device
        As in `Options`; ``"auto"`` leaves it open.
    quantization
        A method's name, ``"none"``, or all its details; None or ``"auto"`` leaves it open.
    offload
        Whether it must be able to use main memory beside a GPU's; False leaves it open.
    """

    dtype: str = "auto"
    device: str = "auto"
    quantization: str | Quantization | None = None
    offload: bool = False

    @classmethod
    def by_default(
        cls,
        dtype: str | None,
        device: str | None,
        quantization: str | Quantization | None,
        offload: bool | None = None,
    ) -> Wish:
        """Return what a person says, and what the settings say where it is None.

        So a model that was loaded beforehand is the one that a transcription then takes.
        """
        said = settings.current()
        return cls(
            dtype or said.dtype,
            device or said.device,
            said.quantization if quantization is None else quantization,
            bool(said.offload if offload is None else offload),
        )

    @classmethod
    def of(cls, options: Options) -> Wish:
        """Return what the options of a transcription say."""
        return cls(options.dtype, options.device, options.quantization, options.offload)

    @property
    def any_quantization(self) -> bool:
        """Whether it leaves open how many bits a weight takes."""
        return self.quantization is None or (
            isinstance(self.quantization, str) and self.quantization.strip().lower() == "auto"
        )

    def suits(self, spec: EngineSpec) -> bool:
        """Tell whether a resident model is loaded as wished."""
        return (
            self.dtype in ("auto", spec.dtype)
            and self.device in ("auto", spec.device)
            and (spec.offload or not self.offload)
            and self._suits_bits(spec.quantization)
        )

    def _suits_bits(self, there: Quantization | None) -> bool:
        if self.any_quantization:
            return True
        wished = Quantization.of(self.quantization)
        if wished is None or there is None or isinstance(self.quantization, Quantization):
            return wished == there
        return wished.method == there.method  # a name alone leaves the details open

    def resolve(self, name: str) -> EngineSpec:
        """Turn a name into a spec; see `catalog.resolve`."""
        return catalog.resolve(name, self.dtype, self.device, self.quantization, self.offload)


def is_called(spec: EngineSpec, name: str) -> bool:
    """Tell whether a person means this model: by its name, its hub id or its folder."""
    if not name.strip():
        return False
    folder = Path(expanded(name))
    return name.strip().lower() in (spec.name.lower(), spec.source.lower()) or (
        folder.is_dir() and str(folder.resolve()) == spec.source
    )


def named(name: str, wish: Wish, residents: Sequence[Slot]) -> EngineSpec:
    """Resolve a name; a resident model is taken as it is, unless it is wished otherwise.

    Parameters
    ----------
    name, wish
        What a person says.
    residents
        What is loaded, the last used first.

    Raises
    ------
    ModelError, OptionError
        If there is no such model, or it is no name.
    """
    if not isinstance(name, str):
        raise OptionError(
            f"A model is named by text, not by {type(name).__name__}; give its catalogue name, hub "
            "id or folder."
        )
    for slot in residents:
        if is_called(slot.spec, name) and wish.suits(slot.spec):
            return slot.spec
    return wish.resolve(name)


def choose(options: Options, residents: Sequence[Slot], *, warn: bool = True) -> EngineSpec:
    """Return the model that options ask for; see `ModelManager.choose`."""
    code = language_code(options.language)
    if options.model.strip().lower() == "auto":
        if options.device not in ("auto", "cpu"):  # to look costs the import of torch
            catalog.checked_device(options.device)
        return _best(options, code, residents, warn)
    spec = named(options.model, Wish.of(options), residents)
    _must_suit(spec, code, options.task)
    if warn:
        _tell_of_hotwords(spec, options)
    return spec


def _tell_of_hotwords(spec: EngineSpec, options: Options) -> None:
    """Say that hotwords are for nothing where they are."""
    known = catalog.entry(spec.source or spec.name)
    if options.hotwords and known is not None and not known.hotwords:
        warnings.warn(
            f"{known.name} takes no hotwords, so they change nothing; %asr models marks those that "
            "do with an h.",
            ModelWarning,
            stacklevel=6,
        )


def choose_aligner(
    options: Options, language: str | None, residents: Sequence[Slot]
) -> EngineSpec | None:
    """Return the model for the times of words; see `ModelManager.choose_aligner`."""
    code = language_code(language)
    wish = Wish(device=options.device)  # the rest is said of the recogniser
    if options.aligner.strip().lower() != "auto":
        spec = named(options.aligner, wish, residents)
        if spec.engine != ALIGNER:
            names = " or ".join(one.name for one in _aligners())
            raise ModelError(f"{spec.name} is no aligner; take {names}, or leave aligner out.")
        _must_align(spec, code)
        return spec
    for slot in residents:
        if slot.spec.engine == ALIGNER and wish.suits(slot.spec) and _aligns(slot.spec, code):
            return slot.spec
    here = (one for one in _aligners() if one.is_here and (code is None or code in one.codes))
    fitting = (_fitting(one.name, wish) for one in here)
    return next((found for found in fitting if found is not None), None)


def _aligners() -> list[catalog.Entry]:
    return [one for one in catalog.entries() if one.engine == ALIGNER]


def _codes(spec: EngineSpec) -> frozenset[str]:
    """Return the languages of an aligner; one's own has those of the model it was made from."""
    known = catalog.entry(spec.source or spec.name)
    return known.codes if known is not None else _aligners()[0].codes


def _aligns(spec: EngineSpec, code: str | None) -> bool:
    return code is None or code in _codes(spec)


def _must_align(spec: EngineSpec, code: str | None) -> None:
    """Refuse a language that an aligner does not know before it is loaded or fetched."""
    if _aligns(spec, code):
        return
    known = ", ".join(sorted(language_name(one) for one in _codes(spec)))
    raise ModelError(
        f"{spec.name} does not know {language_name(str(code))}, but {known}; leave aligner out, or "
        "take a recogniser that gives the times of words itself, such as whisper-small."
    )


def _must_suit(spec: EngineSpec, code: str | None, task: str) -> None:
    """Refuse before anything is loaded or fetched what the model is known not to do."""
    if spec.engine == ALIGNER:
        raise ModelError(
            f"{spec.name} finds the times of words in a text that is known, and recognises none; "
            f'name a recogniser, and this one as aligner="{spec.name}".'
        )
    known = catalog.entry(spec.source or spec.name)
    if known is None or known.suits(code, task):
        return
    if task == "translate" and not known.translates:
        what = "does not translate"
    elif known.english_only:
        what = f"knows only English, not {language_name(str(code))}"
    else:
        what = f"does not know {language_name(str(code))}, but {known.languages}"
    raise ModelError(f"{known.name} {what}; take one that does, such as whisper-small.")


def _best(options: Options, code: str | None, residents: Sequence[Slot], warn: bool) -> EngineSpec:
    wish = Wish.of(options)
    others = []
    for slot in residents:
        spec = slot.spec
        known = catalog.entry(spec.source or spec.name)
        if spec.engine == ALIGNER or (known is not None and not known.suits(code, options.task)):
            continue
        if spec.engine == "sphinx" and not slot.asked_for:
            continue
        if wish.suits(spec):
            return spec
        if spec.engine != "sphinx":
            others.append(spec)
    if others:  # the model stays; only its number format or its device is another
        return _otherwise(others[0], wish)
    cached = _best_cached(options, code, wish)
    if cached is not None:
        return cached
    sphinx = wish.resolve("sphinx")
    _must_suit(sphinx, code, options.task)
    if warn:
        warnings.warn(
            "No model is loaded and none that fits is on this machine, so the embedded engine "
            "(sphinx) is used: draft quality, English only, for clear speech. For real work name a "
            "model, such as whisper-small, or load one first.",
            ModelWarning,
            stacklevel=6,
        )
    return sphinx


def _otherwise(spec: EngineSpec, wish: Wish) -> EngineSpec:
    """Return the spec of a resident model with what is wished in place of what it has."""
    return catalog.resolve(
        spec.source,
        wish.dtype,
        spec.device if wish.device == "auto" else wish.device,
        spec.quantization if wish.any_quantization else wish.quantization,
        wish.offload,
    )


def _best_cached(options: Options, code: str | None, wish: Wish) -> EngineSpec | None:
    """Return the best catalogue model whose files are on this machine and that fits, or None.

    Where the language is not known, models of many languages come first, and one of a single
    language is no safe guess.
    """
    strongest = list(reversed(catalog.entries()))
    if code is None:
        strongest = [entry for entry in strongest if len(entry.codes) > 1]
        strongest.sort(key=lambda entry: len(entry.codes) < MANY)  # stable
    for entry in strongest:
        if not entry.source or not entry.suits(code, options.task) or not entry.is_here:
            continue
        if entry.engine == "funasr" and importlib.util.find_spec("funasr") is None:
            continue
        try:
            spec = _fitting(entry.name, wish)
        except (ModelError, OptionError):  # not to be had as wished; another one may be
            continue
        if spec is not None:
            return spec
    return None


def _fitting(name: str, wish: Wish) -> EngineSpec | None:
    """Return the spec of a model on the best device that has room for it beside the residents."""
    spec = wish.resolve(name)
    if wish.device == "auto" and spec.device != "cpu":
        on_cpu = catalog.resolve(name, wish.dtype, "cpu", wish.quantization)
        return next((one for one in (spec, on_cpu) if _fits(one)), None)
    return spec if _fits(spec) else None


def _fits(spec: EngineSpec) -> bool:
    try:
        estimating.must_fit(spec)
    except OutOfMemoryError:
        return False
    return True
