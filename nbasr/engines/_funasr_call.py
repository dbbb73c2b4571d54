"""Asking a loaded FunASR model about sounds, and living through those at which it stumbles."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nbasr.engines import _funasr_answer as answers
from nbasr.engines._funasr_half import multiplying
from nbasr.engines._funasr_load import Loaded, Part
from nbasr.engines._funasr_pieces import Watched
from nbasr.engines._funasr_quiet import quiet
from nbasr.engines._load import let_go
from nbasr.engines.base import RATE, EngineSpec, Recognition, Request
from nbasr.errors import ModelWarning
from nbasr.memory.shortage import ran_out

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHORTEST = 0.5
"""Seconds to which shorter sound is lengthened by silence: FunASR's frames of 60 ms need seven of
10 ms, and its counting of tokens some of those."""

LEAST = 0.05
"""Seconds below which sound holds no word, so that the models are not asked: they would guess."""

FAILED = "failed"
"""Flag of a stretch at which FunASR stumbled, so that it has no text."""


class Call:
    """One language and one list of hotwords for several requests."""

    def __init__(
        self,
        spec: EngineSpec,
        loaded: Loaded,
        language: str | None,
        hotwords: tuple[str, ...],
    ) -> None:
        self.spec, self.loaded, self.language = spec, loaded, language
        self.kind = loaded.speech.kind
        self.hotwords = hotwords if self.kind == "seaco" else ()

    def recognize(self, requests: Sequence[Request]) -> list[Recognition]:
        """Recognise requests that are alike, together if FunASR can, else one by one."""
        sounding = [n for n, one in enumerate(requests) if _sounds(one.samples)]
        sounds = [_prepared(requests[n].samples) for n in sounding]
        found = dict(zip(sounding, self._heard(sounds), strict=True))
        results = []
        for n, request in enumerate(requests):
            raw = found.get(n, {"text": ""})
            if raw is None:
                results.append(Recognition("", self.language, (), (FAILED,)))
            else:
                results.append(self._answer(raw, request))
        return results

    def attempt(self, sounds: list[NDArray[np.float32]]) -> tuple[list[dict[str, Any]] | None, str]:
        """Return FunASR's answers to sounds, or None and what went wrong.

        Raises
        ------
        Exception
            If memory runs out, whatever torch raises then.
        """
        ways = [self._hear]
        if len(sounds) == 1 and self.kind != "sensevoice":
            ways.append(self._hear_plainly)
        problem = ""
        for way in ways:
            try:
                return way(sounds), ""
            except Exception as error:
                let_go(error)  # what failed must not stay beside the next attempt
                if ran_out(error):
                    raise
                problem = _reason(error)
        return None, problem

    def _heard(self, sounds: list[NDArray[np.float32]]) -> list[dict[str, Any] | None]:
        """Return FunASR's answers, None for a sound at which it stumbles."""
        if not sounds:
            return []
        found, problem = self.attempt(sounds)
        if found is not None:
            return list(found)
        if len(sounds) > 1:
            return [self._heard([sound])[0] for sound in sounds]
        warnings.warn(
            f"{self.spec.name} stumbled over {len(sounds[0]) / RATE:.1f} s of sound, which is left "
            f"without text and marked ({problem}).",
            ModelWarning,
            stacklevel=5,
        )
        return [None]

    def _hear(self, sounds: list[NDArray[np.float32]]) -> list[dict[str, Any]]:
        """Return FunASR's answers to sounds, or raise whatever it raises."""
        part = self.loaded.speech
        keys = [str(n) for n in range(len(sounds))]
        if self.kind == "seaco":
            _listen_for(part, self.hotwords, self.spec)
        with _running(), multiplying(self.spec):
            with Watched(part) as watched:
                answer = part.model.inference(
                    data_in=sounds, key=keys, **part.options, **self._wishes()
                )
            pieces = watched.pieces()
        found: list[dict[str, Any]] = answer[0] if answer else []
        if not found:  # it heard no token in any of them
            return [{"text": ""} for _ in sounds]
        if len(found) != len(sounds):
            raise RuntimeError(f"{len(found)} answers to {len(sounds)} sounds")
        for one, told in zip(found, pieces, strict=False):
            one["words"], one["timestamp"] = told
        return found

    def _hear_plainly(self, sounds: list[NDArray[np.float32]]) -> list[dict[str, Any]]:
        """Return the text alone, without hotwords and times, as a plain Paraformer writes it.

        FunASR gives up the text too where its times are fewer than its tokens.
        """
        from funasr.models.paraformer.model import Paraformer

        part = self.loaded.speech
        with _running(), multiplying(self.spec):
            answer = Paraformer.inference(part.model, data_in=sounds, key=["0"], **part.options)
        return list(answer[0]) if answer and answer[0] else [{"text": ""}]

    def _wishes(self) -> dict[str, Any]:
        """Return the arguments of ``inference`` that say what is wished."""
        if self.kind == "sensevoice":
            # Without inverse text normalisation there is no punctuation either.
            return {"language": self.language or "auto", "use_itn": True}
        return {"pred_timestamp": True} if self.kind == "paraformer" else {}

    def _answer(self, raw: dict[str, Any], request: Request) -> Recognition:
        times = raw.get("timestamp") or ()
        if self.kind == "sensevoice":
            text, marks = answers.tags(str(raw.get("text", "")))
            heard = next((mark for mark in marks if mark in answers.SENSEVOICE), None)
            language = self.language or heard
            if "nospeech" in marks:
                return Recognition("", self.language, (), ("no_speech",))
            pieces = answers.timed(raw.get("words") or (), times, request.duration)
            words = answers.placed(text, pieces)
            return answers.answer(text, words, language, request.duration)
        said = answers.clean(str(raw.get("text", "")))
        words = answers.timed(said.split(), times, request.duration)
        language = self.language or answers.language_of(said)
        text = self._punctuated(said)
        if words:
            words = answers.punctuated(words, text)
        else:
            text = answers.joined(text, language)
        return answers.answer(text, words, language, request.duration)

    def _punctuated(self, text: str) -> str:
        """Return a text with punctuation, or as it is where there is no model for that."""
        part = self.loaded.punctuation
        if part is None or not text:
            return text
        try:
            with _running():
                found = part.model.inference(data_in=[text], key=["0"], **part.options)
        except Exception as error:
            let_go(error)
            if ran_out(error):
                raise
            warnings.warn(
                f"{self.spec.name} leaves a text of {len(text)} characters without punctuation "
                f"({_reason(error)}).",
                ModelWarning,
                stacklevel=5,
            )
            return text
        return answers.clean(str(found[0][0]["text"]))


@contextlib.contextmanager
def _running() -> Iterator[None]:
    """Run a model without a word, without gradients, and without a trace in torch's random state.

    FunASR's encoders draw which layers to drop even where they drop none.
    """
    import torch

    with quiet(), torch.inference_mode(), torch.random.fork_rng(devices=[]):
        yield


def _sounds(samples: NDArray[np.float32]) -> bool:
    """Tell whether there is any sound, long enough to ask a model about."""
    return len(samples) >= LEAST * RATE and bool(np.any(samples))


def _prepared(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a copy of the sound that torch may look at, long enough for a few frames."""
    least = int(SHORTEST * RATE)
    sound = np.zeros(max(len(samples), least), dtype=np.float32)
    sound[: len(samples)] = samples
    return sound


def _listen_for(part: Part, hotwords: tuple[str, ...], spec: EngineSpec) -> None:
    """Let a SeACo Paraformer listen for words.

    FunASR's own method would split a phrase at its spaces, read a file of the word's name, and
    fetch one that begins with http.
    """
    tokenizer, model = part.options["tokenizer"], part.model
    lists = [_ids(tokenizer, word) for word in hotwords]
    unknown = [word for word, ids in zip(hotwords, lists, strict=True) if not ids]
    if unknown:
        warnings.warn(
            f"{spec.name} has no characters for the hotwords {', '.join(unknown)}; they are left "
            "out.",
            ModelWarning,
            stacklevel=6,
        )
    known = [ids for ids in lists if ids]
    ready = [*known, [model.sos]] if known else None  # the last one stands for none of them
    model.generate_hotwords_list = lambda *_, **__: ready


def _ids(tokenizer: Any, hotword: str) -> list[int]:
    """Return the ids of a hotword; none if the model lacks a token for any part of it.

    A word is looked up whole, then in the list of spellings, then letter by letter.
    """
    spellings = getattr(tokenizer, "seg_dict", None) or {}
    tokens: list[str] = []
    for word in hotword.lower().split():
        parts = [word] if word in tokenizer.token2id or word in spellings else list(word)
        for part in parts:
            tokens += [part] if part in tokenizer.token2id else spellings.get(part, part).split()
    ids = [tokenizer.token2id.get(token) for token in tokens]
    return [] if None in ids else ids


def _reason(error: BaseException) -> str:
    text = (str(error).strip() or repr(error)).splitlines()[0][:160]
    return f"{type(error).__name__}: {text}"
