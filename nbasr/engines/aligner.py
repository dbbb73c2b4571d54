"""When each word of a known text was said, by Qwen3-ForcedAligner (transformers)."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nbasr.engines._aligner_times import in_order, mended
from nbasr.engines._aligner_words import lines_of, pieces_of
from nbasr.engines._audio_tower import in_pieces
from nbasr.engines._held import Held
from nbasr.engines._load import Pretrained, folder_of, load_pretrained
from nbasr.engines._quiet import quiet
from nbasr.engines.base import RATE, EngineSpec, check
from nbasr.engines.checkpoint import engine_of
from nbasr.engines.languages import language_code, language_name
from nbasr.engines.stopping import held
from nbasr.errors import ModelError
from nbasr.text.scripts import script
from nbasr.transcript.transcript import Word

if TYPE_CHECKING:
    from numpy.typing import NDArray

LANGUAGES = ("zh", "en", "yue", "fr", "de", "it", "ja", "ko", "pt", "ru", "es")
"""Languages that the aligner was trained on (model card of Qwen3-ForcedAligner-0.6B)."""

CUTTERS = {"ja": "nagisa", "ko": "soynlp"}
"""Packages that cut these languages into the words that the aligner was trained on."""

_HOP = RATE // 100
_REACH = 40
"""Samples that the last frame of the features reaches beyond the sound. With as much silence behind
it, the features are the same alone and among longer sounds in a batch."""

_AUDIO = "<|audio_start|><|audio_pad|><|audio_end|>"
_SLOTS = "<timestamp><timestamp>"

Item = tuple["NDArray[np.float32]", str, str | None]
"""Sound (float32, shape (samples,), mono, 16 kHz), what is said in it, and the language."""

_Lines = list[tuple[str, list[str]]]


class Aligner(Held[Pretrained]):
    """A loaded forced aligner.

    Its prompt is the sound and then each word with two places for its start and stop, as it was
    trained. The chat template of its folder is not used: the three tokens of a chat's opening alone
    make all times 92 ms late (vllm-project/vllm-omni, pull request 7240).

    Parameters
    ----------
    spec
        Its ``source`` is a hub id whose files are on this machine, or a folder.

    Raises
    ------
    ModelError
        If the model cannot be loaded, or is none that aligns.
    """

    def __init__(self, spec: EngineSpec) -> None:
        _must_align(spec)
        loaded = load_pretrained(spec, "AutoModelForTokenClassification", family=("qwen3_asr",))
        super().__init__(spec, loaded)
        in_pieces(loaded.model.model.audio_tower)
        self._step = float(loaded.processor.timestamp_segment_time)
        slot = loaded.processor.tokenizer.convert_tokens_to_ids("<timestamp>")
        if slot != loaded.model.config.timestamp_token_id:
            self.close()
            raise ModelError(
                f"The tokenizer in {loaded.folder} is not that of its model; fetch it again."
            )

    @property
    def processor(self) -> Any:
        """What makes features of sound and ids of text; None once the model was let go."""
        loaded = self._loaded
        return loaded.processor if loaded else None

    def align(
        self, samples: NDArray[np.float32], text: str, language: str | None = None
    ) -> tuple[Word, ...]:
        """Return when each word of a text is said.

        Parameters
        ----------
        samples
            Sound, float32 in -1 … 1, shape (samples,), mono, 16 kHz, up to ``spec.max_seconds``.
        text
            What is said in it, in one line or several; no word reaches over the end of a line.
        language
            Name or code, one of `LANGUAGES`. None takes what is written in kana for Japanese, in
            hangul for Korean; the others are treated alike.

        Returns
        -------
        tuple of Word
            In order, in seconds from the start of the sound, none over another; with the text's own
            punctuation, in Chinese one for each character. They have no scores: an aligner tells
            when a word is said, not whether. Empty if the text has neither letter nor number.

        Raises
        ------
        ModelError
            If the sound is too long, the language is none of the aligner's, or a package that cuts
            its words is not installed.
        """
        return self.align_batch([(samples, text, language)])[0]

    def align_batch(self, items: Sequence[Item]) -> list[tuple[Word, ...]]:
        """Align several sounds with their texts at once; see `align`.

        The words are the same as one by one, and the memory is that of as many sounds as long as
        the longest.
        """
        for samples, _, _ in items:
            check(samples, self.spec)
        codes = [must_know(language, text) for _, text, language in items]
        with held(self.lock), quiet():
            self._there()
            cut = [self._cut(text, code) for (_, text, _), code in zip(items, codes, strict=True)]
            texts = [[token for _, tokens in lines for token in tokens] for lines in cut]
            asked = [n for n, tokens in enumerate(texts) if tokens and len(items[n][0])]
            times = self._times([items[n][0] for n in asked], [texts[n] for n in asked])
        known = dict(zip(asked, times, strict=True))
        return [
            self._words(cut[n], known.get(n, [0] * 2 * len(texts[n])), len(samples))
            for n, (samples, _, _) in enumerate(items)
        ]

    def _cut(self, text: str, code: str | None) -> _Lines:
        """Return each line of a text with its words as the model knows them."""
        words_in = self._there().processor.split_words_for_alignment
        name = language_name(code or "")
        try:
            return [(line, list(words_in(line, name))) for line in lines_of(text)]
        except ImportError as error:  # the package is there, but not all that it needs itself
            package = CUTTERS[code or ""]
            raise ModelError(
                f"{package}, which cuts the words of {name}, cannot be imported ({error}): "
                f"pip install -U {package}."
            ) from error

    def _times(
        self, sounds: Sequence[NDArray[np.float32]], texts: Sequence[Sequence[str]]
    ) -> list[list[int]]:
        """Return start and stop of each token of each text in milliseconds, in one row."""
        if not sounds:
            return []
        import torch

        loaded = self._there()
        model, processor = loaded.model, loaded.processor
        inputs = processor(
            text=[_AUDIO + "".join(token + _SLOTS for token in tokens) for tokens in texts],
            audio=[_with_silence(samples) for samples in sounds],
            padding_side="right",  # the model looks back only, so what follows changes nothing
        )
        self._must_fit(inputs["input_ids"].shape[1], texts)
        ids = inputs["input_ids"].to(model.device)
        with torch.inference_mode():
            states = model.model(
                input_ids=ids,
                attention_mask=inputs["attention_mask"].to(model.device),
                input_features=inputs["input_features"].to(model.device, model.dtype),
                input_features_mask=inputs["input_features_mask"].to(model.device),
                use_cache=False,
            ).last_hidden_state
            slots = (ids == model.config.timestamp_token_id).to(states.device)
            # The head only where it is asked: over all tokens it would take 5000 numbers for each.
            chances = [
                model.score(states[n][slots[n]]).float().softmax(dim=-1).cpu().numpy()
                for n in range(len(ids))
            ]
        found = []
        for row, samples in zip(chances, sounds, strict=True):
            end = _milliseconds(len(samples))
            inside = math.ceil(end / self._step) + 1  # classes; the last one is the sound's end
            found.append(in_order(row[:, :inside], self._step, end))
        return found

    def _must_fit(self, tokens: int, texts: Sequence[Sequence[str]]) -> None:
        """Refuse a text that the model has no positions for."""
        most = int(self._there().model.config.get_text_config().max_position_embeddings)
        if tokens > most:
            words = max(len(text) for text in texts)
            raise ModelError(
                f"{self.spec.name} has places for {most} tokens, and a text of {words} words with "
                f"its sound takes {tokens}; align it in parts."
            )

    def _words(self, lines: _Lines, times: Sequence[int], samples: int) -> tuple[Word, ...]:
        """Return the words of a text from the times of its tokens."""
        texts, spans, at = [], [], 0
        for line, tokens in lines:
            for piece in pieces_of(line, tokens):
                texts.append(piece.text)
                spans.append((times[2 * (at + piece.first)], times[2 * (at + piece.last) + 1]))
            at += len(tokens)
        ready = mended(spans, _milliseconds(samples), round(self._step))
        return tuple(
            Word(start / 1000, stop / 1000, word)
            for word, (start, stop) in zip(texts, ready, strict=True)
        )


def must_know(language: str | None, text: str) -> str | None:
    """Return the code of a text's language if it can be aligned here; None where it is not told.

    Raises
    ------
    ModelError
        If it is none of the aligner's, or a package that cuts its words is not installed.
    OptionError
        If there is no such language.
    """
    code = language_code(language)
    if code is None:
        scripts = {script(char) for char in text}
        code = "ja" if "kana" in scripts else "ko" if "hangul" in scripts else None
    if code is not None and code not in LANGUAGES:
        raise ModelError(
            f"There are no word times for {language_name(code)}: the aligner knows "
            f"{', '.join(language_name(known) for known in LANGUAGES)}."
        )
    package = CUTTERS.get(code or "")
    if package and importlib.util.find_spec(package) is None:
        raise ModelError(
            f"Word times in {language_name(code or '')} need {package}, which cuts its words: "
            f"pip install {package}."
        )
    return code


def _must_align(spec: EngineSpec) -> None:
    """Refuse a model that recognises: it is of the same family, but without the head for times."""
    folder = folder_of(spec)
    if engine_of(folder) != "aligner":
        raise ModelError(
            f"{folder} holds a model that recognises speech and does not align it; take "
            '"qwen3-forced-aligner-0.6b".'
        )


def _with_silence(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a sound of whole hops with silence behind it that the last frame can reach into."""
    return np.pad(samples, (0, -(len(samples) + _REACH) % _HOP + _REACH))


def _milliseconds(samples: int) -> int:
    return samples * 1000 // RATE
