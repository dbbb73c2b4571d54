"""Audio language models by transformers: Qwen3-ASR, Fun-ASR-Nano and their kin."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nbasr.engines import _audio_families, stopping
from nbasr.engines._audio_families import Family, Wish
from nbasr.engines._audio_generation import joined, only_greedy, stop_at, watching
from nbasr.engines._held import Held
from nbasr.engines._load import Pretrained, folder_of, load_pretrained
from nbasr.engines._quiet import quiet
from nbasr.engines._whisper_answer import goes_in_circles
from nbasr.engines.base import RATE, EngineSpec, Recognition, Request, check
from nbasr.engines.checkpoint import read_config
from nbasr.engines.languages import language_code, language_name
from nbasr.engines.quantization import TORCH_DTYPES
from nbasr.errors import ModelError, ModelWarning, OptionError
from nbasr.transcript.transcript import Segment

if TYPE_CHECKING:
    from numpy.typing import NDArray

FAMILIES = tuple(_audio_families.FAMILIES)
"""Values of ``model_type`` that this engine runs."""

TOKENS_PER_SECOND = 25.0
"""Most tokens that a second of speech may take. English stays below 8; scripts of which the
vocabulary spells each character in two tokens, read at twelve characters a second, come near it."""

SPARE_TOKENS = 32
"""Budget beyond that, for the language's name and very short chunks."""

LEAST_SECONDS = 0.5
"""Shorter sound is followed by silence up to this length (``min_length`` of Qwen3-ASR's feature
extractor; the others fail on less than a frame)."""


class AudioLLMEngine(Held[Pretrained]):
    """A loaded audio language model.

    Parameters
    ----------
    spec
        Its ``source`` is a hub id whose files are on this machine, or a folder.

    Raises
    ------
    ModelError
        If the model cannot be loaded.
    """

    def __init__(self, spec: EngineSpec) -> None:
        folder = folder_of(spec)
        kind = str(read_config(folder).get("model_type"))
        known = _audio_families.FAMILIES.get(kind)
        loaded = load_pretrained(
            spec,
            "AutoModelForMultimodalLM",
            family=FAMILIES,
            processor=known.processor if known else None,
        )
        super().__init__(spec, loaded)
        self._family = _audio_families.FAMILIES[kind]  # of another kind, load_pretrained raised
        self._languages = _audio_families.languages_of(kind, spec.name, spec.source, folder.name)
        self._family.ready(loaded.model)
        only_greedy(loaded.model)

    @property
    def processor(self) -> Any:
        """What makes the model's inputs and reads its answers; None once it was let go."""
        loaded = self._loaded
        return loaded.processor if loaded else None

    def recognize(self, batch: Sequence[Request]) -> list[Recognition]:
        """Recognise each request; see `nbasr.engines.base.Engine`.

        The text is one segment over the whole request: these models tell no times. Where a request
        names no language, Qwen3-ASR detects it for that request alone and tells it; Fun-ASR-Nano
        detects it too, but does not tell. Sound that is nothing but zeros has no text and is not
        shown to the model.
        """
        import torch

        for request in batch:
            check(request.samples, self.spec)
        with stopping.held(self.lock), quiet(), torch.inference_mode():
            call = _Call(self.spec, self._there(), self._family, self._languages)
            wishes = [call.wish(request) for request in batch]
            loud = [n for n, request in enumerate(batch) if request.samples.any()]
            found = dict(
                zip(
                    loud,
                    call.recognize([wishes[n] for n in loud], [batch[n] for n in loud]),
                    strict=True,
                )
            )
        nothing = [Recognition("", language_code(request.language)) for request in batch]
        return [found.get(n, nothing[n]) for n in range(len(batch))]


class _Call:
    """One batch."""

    def __init__(
        self, spec: EngineSpec, loaded: Pretrained, family: Family, languages: Any
    ) -> None:
        self.spec, self.family, self.languages = spec, family, languages
        self.model, self.processor = loaded.model, loaded.processor
        self.tokenizer = loaded.processor.tokenizer

    def wish(self, request: Request) -> Wish:
        """Check a request against what the model can do, and put it in its words."""
        name = self.spec.name
        if request.task not in ("transcribe", "translate"):
            raise OptionError(f"task is transcribe or translate, not {request.task!r}.")
        if request.task == "translate":
            raise ModelError(f"{name} does not translate; take a Whisper model for that.")
        limit = self.family.limit(self.model.config)
        if limit is not None and request.duration > limit:
            raise ModelError(
                f"{name} cannot take more than {limit:g} s at once, not {request.duration:.1f} s; "
                "cut the recording first."
            )
        if (request.prompt.strip() or request.hotwords) and not self.family.context:
            raise ModelError(f"{name} takes neither a prompt nor hotwords; leave them out.")
        for token in self.tokenizer.get_added_vocab():
            if any(token in text for text in (request.prompt, *request.hotwords)):
                raise OptionError(
                    f"The prompt or a hotword holds {token}, a token of the model's own; "
                    "give plain text."
                )
        return Wish(
            samples=_at_least(request.samples, LEAST_SECONDS),
            language=self._language(request.language),
            prompt=request.prompt.strip(),
            hotwords=tuple(word.strip() for word in request.hotwords if word.strip()),
        )

    def _language(self, language: str | None) -> str | None:
        """Return what the model calls a wished language."""
        code = language_code(language)
        if code is None or code in self.languages:
            return None if code is None else str(self.languages[code])
        if not self.languages:
            warnings.warn(
                f"{self.spec.name} cannot be told the language; it hears for itself, and "
                f"{language_name(code)} is only noted.",
                ModelWarning,
                stacklevel=4,
            )
            return None
        known = [language_name(each) for each in self.languages]
        more = f" and {len(known) - 6} more" if len(known) > 8 else ""
        raise ModelError(
            f"{self.spec.name} does not know {language_name(code)}; it knows "
            f"{', '.join(known[:6] if more else known)}{more}."
        )

    def recognize(self, wishes: Sequence[Wish], requests: Sequence[Request]) -> list[Recognition]:
        if not wishes:
            return []
        asked = []
        for wish in wishes:
            stopping.check()
            asked.append(self.family.ask(self.processor, wish))
        budgets = [
            self._budget(request.duration, one["input_ids"].shape[1])
            for one, request in zip(asked, requests, strict=True)
        ]
        inputs = self._inputs(asked)
        ends = self._ends()
        watch = watching(ends, budgets)
        start = inputs["input_ids"].shape[1]
        ids = self.model.generate(
            **inputs,
            generation_config=self._generation(max(budgets), ends),
            logits_processor=[watch],
            stopping_criteria=[stop_at(start, budgets), stopping.criterion()],
        )[:, start:].tolist()
        return [
            self._recognition(ids[n][: budgets[n]], ends, watch.score(n), wishes[n], request)
            for n, request in enumerate(requests)
        ]

    def _inputs(self, asked: Sequence[Any]) -> dict[str, Any]:
        """Put requests, each with its own features, into one batch on the model's device.

        Features are made one by one: made together, those of a short sound would differ in its last
        frames, and its text could depend on its neighbours.
        """
        import torch

        dtype = getattr(torch, TORCH_DTYPES[self.spec.dtype])
        blank = {"input_ids": self._blank()}
        inputs = {}
        for name in asked[0]:
            rows = [one[name] for one in asked]
            left = name in ("input_ids", "attention_mask")
            whole = joined(rows, blank.get(name, 0), left=left)
            inputs[name] = whole.to(self.model.device, dtype if whole.is_floating_point() else None)
        return inputs

    def _budget(self, duration: float, prompt: int) -> int:
        """Return how many tokens a request may take; its prompt has taken some positions."""
        positions = int(self.model.config.get_text_config().max_position_embeddings)
        room = positions - prompt
        if room < 1:
            raise ModelError(
                f"Prompt and sound take {prompt} positions, and {self.spec.name} has {positions}; "
                "shorten the prompt or cut the recording into shorter chunks."
            )
        return min(math.ceil(TOKENS_PER_SECOND * duration) + SPARE_TOKENS, room)

    def _ends(self) -> tuple[int, ...]:
        """Return the ids of the tokens that end an answer."""
        found: list[int] = []
        for owner in (
            self.model.generation_config,
            self.model.config.get_text_config(decoder=True),
        ):
            ids = owner.eos_token_id
            found += [] if ids is None else [ids] if isinstance(ids, int) else ids
        return tuple(dict.fromkeys([*found, self.tokenizer.eos_token_id]))

    def _blank(self) -> int:
        pad = self.tokenizer.pad_token_id
        return int(self._ends()[0] if pad is None else pad)

    def _generation(self, tokens: int, ends: tuple[int, ...]) -> Any:
        """Return how to generate: the likeliest token each time."""
        from transformers import GenerationConfig

        return GenerationConfig(
            max_new_tokens=tokens,
            do_sample=False,
            num_beams=1,
            eos_token_id=list(ends),
            pad_token_id=self._blank(),
        )

    def _recognition(
        self,
        ids: list[int],
        ends: tuple[int, ...],
        score: float | None,
        wish: Wish,
        request: Request,
    ) -> Recognition:
        """Read one answer."""
        stop = next((n for n, token in enumerate(ids) if token in ends), None)
        raw = self.tokenizer.decode(ids[:stop], skip_special_tokens=True)
        raw = raw.replace("\N{REPLACEMENT CHARACTER}", "")
        text, heard = self.family.parse(self.processor, raw, wish.language is not None)
        text = " ".join(text.split())
        flags = []
        if stop is None:
            flags.append("truncated")
        if goes_in_circles(raw):
            flags.append("repetition")
        wished = language_code(request.language)
        if not text:
            return Recognition("", wished, (), tuple(flags), score)
        language = wished or heard
        segment = Segment(0.0, request.duration, text, language=language, score=score)
        return Recognition(text, language, (segment,), tuple(flags), score)


def _at_least(samples: NDArray[np.float32], seconds: float) -> NDArray[np.float32]:
    """Return a sound, followed by silence where it is shorter than some seconds."""
    short = math.ceil(seconds * RATE) - len(samples)
    return np.pad(samples, (0, short)) if short > 0 else samples
