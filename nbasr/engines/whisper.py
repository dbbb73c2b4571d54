"""Whisper checkpoints of any size, by transformers."""

from __future__ import annotations

import math
import warnings
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nbasr.engines._held import Held
from nbasr.engines._quiet import quiet
from nbasr.engines._whisper_answer import Answer
from nbasr.engines._whisper_load import Loaded, load
from nbasr.engines.base import RATE, EngineSpec, Recognition, Request, check
from nbasr.engines.languages import language_code, language_name
from nbasr.engines.stopping import criterion, held
from nbasr.errors import ModelError, ModelWarning, OptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOKENS_PER_SECOND = 20.0
"""Most text tokens a second of speech can need: fast talkers in scripts that Whisper's vocabulary
spells out (Thai, Tamil: two to three tokens a character) come near it, English stays below 8."""

SPARE_TOKENS = 32
"""Budget beyond that, for time tokens and very short chunks."""

PROMPT_TOKENS = 223
"""Longest prompt, without its opening token: half of Whisper's 448 positions less one
(openai-whisper, ``decoding.py``)."""


class WhisperEngine(Held[Loaded]):
    """A loaded Whisper checkpoint.

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
        super().__init__(spec, load(spec))

    def recognize(self, batch: Sequence[Request]) -> list[Recognition]:
        """Recognise each request; see `nbasr.engines.base.Engine`.

        Where a request names no language, it is detected for that request alone, in its first look
        at the sound: of two chunks of one recording, a short or noisy one may be taken for another
        language. Naming the language fixes it. For ``task="translate"`` the language of the result
        is English, that of its text.

        Hotwords are written before the prompt: Whisper knows them only as text that came before.
        """
        import torch

        for request in batch:
            check(request.samples, self.spec)
        found: dict[int, Recognition] = {}
        groups: dict[tuple[str, str], list[int]] = defaultdict(list)
        for index, request in enumerate(batch):
            groups[request.task, _before(request)].append(index)
        with held(self.lock), quiet(), torch.inference_mode():
            loaded = self._there()
            for (task, prompt), indices in groups.items():
                call = _Call(self.spec, loaded, task, prompt)
                results = call.recognize([batch[index] for index in indices])
                found.update(zip(indices, results, strict=True))
        return [found[index] for index in range(len(batch))]


class _Call:
    """One task and prompt for several requests."""

    def __init__(self, spec: EngineSpec, loaded: Loaded, task: str, prompt: str) -> None:
        self.spec, self.loaded, self.task = spec, loaded, task
        self.multilingual = bool(loaded.languages)
        if task not in ("transcribe", "translate"):
            raise OptionError(f"task is transcribe or translate, not {task!r}.")
        if task == "translate" and not self.multilingual:
            raise ModelError(
                f"{spec.name} knows only English and does not translate; take one without .en."
            )
        self.prompt, self.prompt_cut = self._prompt(prompt)

    def _prompt(self, prompt: str) -> tuple[list[int], bool]:
        """Return the ids of the prompt with its opening token, and whether it was cut."""
        if not prompt.strip():
            return [], False
        try:
            ids = [int(n) for n in self.loaded.tokenizer.get_prompt_ids(prompt)]
        except ValueError:
            raise OptionError(
                "The prompt or a hotword holds a token of the model's own (<|…|>); give plain text."
            ) from None
        opening, text = ids[:1], ids[1:]
        cut = len(text) > PROMPT_TOKENS
        if cut:
            warnings.warn(
                f"The prompt has {len(text)} tokens and {self.spec.name} takes {PROMPT_TOKENS}: "
                "only its end is used.",
                ModelWarning,
                stacklevel=4,
            )
        return opening + text[-PROMPT_TOKENS:], cut

    def _language(self, language: str | None) -> str | None:
        """Return the code of a wished language if the model knows it."""
        code = language_code(language)
        if code is None:
            return None if self.multilingual else "en"
        known = self.loaded.languages or {"en": 0}
        if code not in known:
            few = ", ".join(language_name(c) for c in known) if len(known) < 8 else ""
            raise ModelError(
                f"{self.spec.name} does not know {language_name(code)}"
                + (
                    f"; it knows {few}."
                    if few
                    else "; take a model that does, or another language."
                )
            )
        return code

    def recognize(self, requests: Sequence[Request]) -> list[Recognition]:
        import torch

        loaded, model = self.loaded, self.loaded.model
        wished = [self._language(request.language) for request in requests]
        inputs = loaded.features(
            [_at_least_a_frame(request.samples) for request in requests],
            sampling_rate=RATE,
            return_tensors="pt",
        )
        features = inputs.input_features.to(model.device, model.dtype)
        encoded = model.get_encoder()(features).last_hidden_state
        heard, silent = self._first_look(encoded)
        languages = [wish or other for wish, other in zip(wished, heard, strict=True)]
        budget = self._budget(max(request.duration for request in requests))
        confidence = _confidence(loaded.generation.eos_token_id)
        ids = model.generate(
            encoder_outputs=_states(encoded),
            generation_config=loaded.generation,
            language=languages if self.multilingual else None,
            task=self.task if self.multilingual else None,
            prompt_ids=torch.tensor(self.prompt, device=model.device) if self.prompt else None,
            return_timestamps=True,
            force_unique_generate_call=True,  # else Whisper's own long-form loop calls again
            max_new_tokens=budget,
            do_sample=False,
            num_beams=1,
            logits_processor=[confidence],
            stopping_criteria=[criterion()],
        ).tolist()
        results = []
        for n, request in enumerate(requests):
            answer = Answer(
                loaded=loaded,
                request=request,
                ids=ids[n],
                language=languages[n],
                silent=silent[n],
                score=confidence.score(n),
                encoded=encoded[n : n + 1],
                flags=("prompt_cut",) if self.prompt_cut else (),
            )
            results.append(answer.recognition())
        return results

    def _budget(self, duration: float) -> int:
        """Return how many tokens the longest request may take."""
        positions = int(self.loaded.model.config.max_target_positions)
        room = positions - len(self.prompt) - 4  # start, language, task, and one to spare
        return min(math.ceil(TOKENS_PER_SECOND * duration) + SPARE_TOKENS, room)

    def _first_look(self, encoded: Any) -> tuple[list[str | None], list[float]]:
        """Return the likeliest language of each request, and how likely nobody speaks."""
        import torch

        loaded, model = self.loaded, self.loaded.model
        start = torch.full((len(encoded), 1), loaded.generation.decoder_start_token_id)
        logits = model(
            encoder_outputs=(encoded,), decoder_input_ids=start.to(model.device), use_cache=False
        ).logits[:, -1]
        nobody = loaded.generation.no_timestamps_token_id - 1
        silent = logits.float().softmax(dim=-1)[:, nobody].tolist()
        if not self.multilingual:
            return [None] * len(encoded), silent
        codes = list(loaded.languages)
        best = logits[:, [loaded.languages[code] for code in codes]].argmax(dim=-1)
        return [codes[n] for n in best.tolist()], silent


def _before(request: Request) -> str:
    """Return what Whisper is told to have come before: hotwords, then the prompt."""
    words = ", ".join(word.strip() for word in request.hotwords if word.strip())
    return " ".join(part for part in (words and f"{words}.", request.prompt.strip()) if part)


def _at_least_a_frame(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the sound, or silence where there is none: feature extractors choke on nothing."""
    return samples if len(samples) else np.zeros(RATE // 100, dtype=np.float32)


def _states(encoded: Any) -> Any:
    from transformers.modeling_outputs import BaseModelOutput

    return BaseModelOutput(last_hidden_state=encoded)


def _confidence(eos: int) -> Any:
    """Make a logits processor that watches how likely each chosen token was.

    Greedy search takes the likeliest token, so its probability is known before it is taken. Asking
    ``generate`` for scores instead would also copy the whole attention cache to the CPU.
    """
    from transformers import LogitsProcessor

    class Confidence(LogitsProcessor):  # type: ignore[misc]  # transformers is untyped here
        def __init__(self) -> None:
            self.total: Any = 0.0
            self.count: Any = 0
            self.open: Any = True

        def __call__(self, input_ids: Any, scores: Any) -> Any:  # noqa: ARG002
            best = scores.float().log_softmax(dim=-1).max(dim=-1)
            self.total = self.total + best.values * self.open
            self.count = self.count + best.values.new_ones(len(scores)) * self.open
            self.open = (best.indices != eos) & self.open
            return scores

        def score(self, n: int) -> float | None:
            mean = float(self.total[n] / self.count[n])
            return math.exp(mean) if math.isfinite(mean) else None

    return Confidence()
