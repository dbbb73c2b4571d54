"""What Whisper's tokens say: text, segments with times, and reasons not to believe it."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from nbasr.engines._whisper_load import Loaded
from nbasr.engines._whisper_words import within, word_times
from nbasr.engines.base import Recognition, Request
from nbasr.engines.languages import language_code
from nbasr.transcript.transcript import Segment, Word

COMPRESSION_LIMIT = 2.4
"""zlib ratio above which a text goes round in circles (Radford et al. 2022, section 4.5).

It was found on scripts of one byte a character. In UTF-8 others take two or three, most of them the
same, so ordinary Hindi or Thai would pass it: each character counts as one byte here.
"""

NO_SPEECH_LIMIT = 0.6
"""Probability of the no-speech token above which …"""

SCORE_LIMIT = math.exp(-1.0)
"""… an answer whose score is also below this is dropped (same paper and section)."""


@dataclass(frozen=True, eq=False)
class Answer:
    """What the model generated for one request.

    Parameters
    ----------
    loaded
        The model.
    request
        What was asked.
    ids
        All ids of the answer: prompt, start, language, task, then what was said.
    language
        Code of the speech's language.
    silent
        Probability that nobody speaks.
    score
        Geometric mean of the tokens' probabilities.
    encoded
        The encoder's states for this request, shape (1, frames, width).
    flags
        Flags that are known already.
    """

    loaded: Loaded
    request: Request
    ids: list[int]
    language: str | None
    silent: float
    score: float | None
    encoded: Any
    flags: tuple[str, ...] = ()

    @property
    def _times_from(self) -> int:
        """The id of the time token for 0.00 s; all above are times."""
        return int(self.loaded.generation.no_timestamps_token_id) + 1

    @cached_property
    def _split(self) -> tuple[list[int], list[int]]:
        """The ids of start, language and task, and those of what was said."""
        opening = self.ids.index(self.loaded.generation.decoder_start_token_id)
        after = opening + (3 if self.loaded.languages else 1)
        return self.ids[opening:after], self.ids[after:]

    @property
    def _truncated(self) -> bool:
        return self.loaded.generation.eos_token_id not in self._split[1]

    @property
    def _said(self) -> list[int]:
        said = self._split[1]
        return said if self._truncated else said[: said.index(self.loaded.generation.eos_token_id)]

    def recognition(self) -> Recognition:
        """Return what was heard, in segments with times inside the request, in order."""
        pieces = [piece for piece in self._pieces() if self._text(piece[2])]
        texts = [self._text(ids) for _, _, ids in pieces]
        text = self._text([token for _, _, ids in pieces for token in ids])
        flags = self._flags(text)
        translated = self.request.task == "translate"
        if not text or "no_speech" in flags:
            language = language_code(self.request.language)
            return Recognition("", "en" if translated else language, (), flags, self.score)
        language = "en" if translated else self.language
        words = self._words(pieces) if self.request.timestamps == "word" else []
        segments = tuple(
            Segment(
                words[n][0].start if words else start,
                words[n][-1].stop if words else stop,
                texts[n],
                words=words[n] if words else (),
                language=language,
                score=self.score,
            )
            for n, (start, stop, _) in enumerate(pieces)
        )
        return Recognition(text, language, segments, flags, self.score)

    def _flags(self, text: str) -> tuple[str, ...]:
        flags = []
        if self.silent > NO_SPEECH_LIMIT and (self.score is None or self.score < SCORE_LIMIT):
            flags.append("no_speech")
        elif self._truncated:
            flags.append("truncated")
        if goes_in_circles(text):
            flags.append("repetition")
        return (*flags, *self.flags)

    def _text(self, ids: Sequence[int]) -> str:
        text = self.loaded.tokenizer.decode(ids, skip_special_tokens=True)
        return " ".join(text.replace("\N{REPLACEMENT CHARACTER}", "").split())

    def _pieces(self) -> list[tuple[float, float, list[int]]]:
        """Split the tokens at the time tokens into (start, stop, text ids), in order and inside."""
        duration, step = self.request.duration, self.loaded.step
        pieces: list[tuple[float, float, list[int]]] = []
        start, ids = 0.0, list[int]()

        def close(stop: float) -> None:
            if ids:
                low = min(max(start, pieces[-1][1] if pieces else 0.0), duration)
                pieces.append((low, min(max(stop, low), duration), list(ids)))
                ids.clear()

        for token in self._said:
            if token < self._times_from:
                ids.append(token)
                continue
            time = (token - self._times_from) * step
            close(time)
            start = time
        close(duration)
        return pieces

    def _words(self, pieces: Sequence[tuple[float, float, list[int]]]) -> list[tuple[Word, ...]]:
        """Return the words of each piece; pauses between pieces are no part of the words there."""
        found = word_times(
            self.loaded,
            self.encoded,
            [*self._split[0], self._times_from - 1],
            [ids for _, _, ids in pieces],
            self.request.duration,
        )
        return [
            within(words, start, stop)
            for words, (start, stop, _) in zip(found, pieces, strict=True)
        ]


def goes_in_circles(text: str) -> bool:
    """Tell whether a text repeats itself so much that it cannot be what was said."""
    raw = _one_byte_each(text)
    return bool(raw) and len(raw) / len(zlib.compress(raw)) > COMPRESSION_LIMIT


def _one_byte_each(text: str) -> bytes:
    """Write a text in one byte a character: ASCII as it is, the others numbered as they come."""
    numbers: dict[str, int] = {}
    return bytes(
        ord(sign) if sign.isascii() else 128 + numbers.setdefault(sign, len(numbers)) % 128
        for sign in text
    )
