"""Paraformer and SenseVoice, by FunASR: its models, on nbasr's chunks, without its own cutting."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from nbasr.engines import _funasr_answer as answers
from nbasr.engines._funasr_call import Call
from nbasr.engines._funasr_load import Loaded, Part, load
from nbasr.engines._held import Held
from nbasr.engines.base import RATE, EngineSpec, Recognition, Request, check
from nbasr.engines.languages import language_code, language_name
from nbasr.engines.stopping import held
from nbasr.errors import ModelError, ModelWarning, OptionError


class FunAsrEngine(Held[Loaded]):
    """A loaded Paraformer or SenseVoice.

    Paraformer writes Mandarin and English words in it, with times of characters, and with
    punctuation where the model for that is on this machine (see
    `nbasr.engines._funasr_files.punctuation_for`). Its SeACo kind listens for hotwords. SenseVoice
    writes five languages with punctuation and digits.

    Parameters
    ----------
    spec
        Its ``source`` is a folder in FunASR's layout, or a hub id whose files are on this machine.

    Raises
    ------
    ModelError
        If FunASR is not installed, or the model cannot be loaded or run.
    """

    def __init__(self, spec: EngineSpec) -> None:
        super().__init__(spec, load(spec))
        self._told: set[str] = set()
        self._languages = _languages(self._there().speech)
        self._try_out()

    def recognize(self, batch: Sequence[Request]) -> list[Recognition]:
        """Recognise each request; see `nbasr.engines.base.Engine`.

        A stretch at which FunASR stumbles has no text and the flag ``"failed"``, and a
        `ModelWarning` tells why; the others are not touched by it. Prompts are not used, and
        hotwords by SeACo Paraformers alone: a `ModelWarning` says so once.
        """
        wishes = [self._wish(request) for request in batch]
        self._tell(batch)
        found: dict[int, Recognition] = {}
        groups: dict[tuple[str | None, tuple[str, ...]], list[int]] = defaultdict(list)
        for index, request in enumerate(batch):
            groups[wishes[index], request.hotwords].append(index)
        with held(self.lock):
            loaded = self._there()
            for (language, hotwords), indices in groups.items():
                call = Call(self.spec, loaded, language, hotwords)
                results = call.recognize([batch[index] for index in indices])
                found.update(zip(indices, results, strict=True))
        return [found[index] for index in range(len(batch))]

    def _wish(self, request: Request) -> str | None:
        """Return the language of a request, or raise if it asks for what the model cannot do."""
        check(request.samples, self.spec)
        if request.task == "translate":
            raise ModelError(
                f"{self.spec.name} does not translate; take a model that does, such as "
                "whisper-small."
            )
        if request.task != "transcribe":
            raise OptionError(f"task is transcribe or translate, not {request.task!r}.")
        code = language_code(request.language)
        if code is not None and code not in self._languages:
            known = ", ".join(language_name(one) for one in self._languages)
            raise ModelError(
                f"{self.spec.name} does not know {language_name(code)}, but {known}; take a model "
                "that does, such as whisper-small."
            )
        return code

    def _tell(self, batch: Sequence[Request]) -> None:
        """Warn, once, of options that this model has no use for."""
        kind = self._loaded.speech.kind if self._loaded is not None else ""
        unused = {
            "prompt": any(request.prompt.strip() for request in batch),
            "hotwords": kind != "seaco" and any(request.hotwords for request in batch),
        }
        for option, given in unused.items():
            if given and option not in self._told:
                self._told.add(option)
                warnings.warn(
                    f"{self.spec.name} has no use for {option}; the text is the same without.",
                    ModelWarning,
                    stacklevel=3,
                )

    def _try_out(self) -> None:
        """Hear a second of hiss once, so that what fails on every sound fails now."""
        hiss = np.random.default_rng(0).normal(0.0, 1e-3, RATE).astype(np.float32)
        try:
            found, problem = Call(self.spec, self._there(), None, ()).attempt([hiss])
        except Exception:
            self.close()
            raise
        if found is None:
            self.close()
            raise ModelError(
                f"{self.spec.name} was loaded, but does not run ({problem}); fetch it again, or "
                "update FunASR: pip install -U funasr."
            )


def _languages(part: Part) -> tuple[str, ...]:
    """Return the codes of the languages that a model writes."""
    if part.kind == "sensevoice":
        return answers.SENSEVOICE
    tokens = part.options.get("token_list") or ()
    return ("zh", "en") if any(answers.language_of(one) == "zh" for one in tokens) else ("en",)
