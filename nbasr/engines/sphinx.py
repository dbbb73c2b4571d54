"""The embedded engine, PocketSphinx with the English of its wheel: a draft, but always there."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nbasr.engines._sphinx_process import SphinxProcess
from nbasr.engines.base import RATE, EngineSpec, Recognition, Request, check
from nbasr.engines.languages import language_code, language_name
from nbasr.engines.stopping import held
from nbasr.errors import ModelError, OptionError
from nbasr.transcript.transcript import Segment, Word

if TYPE_CHECKING:
    from numpy.typing import NDArray

FRAME = 0.01
"""Seconds of one of the decoder's frames: the grain of its word times."""

MARGIN = 0.3
"""Seconds of faint noise laid before sound that begins with speech, and after one that ends with
it: the decoder often mishears a first word that nothing comes before (WER 23.4 % against 24.4 % on
read English that is cut so)."""

MARGIN_LEVEL = 1e-3
"""Root mean square of that noise: -60 dBFS, a quiet room."""

NEAR = 0.15
"""Seconds without speech at an end, below which it gets that margin."""

BREAK = 0.5
"""Shortest pause between words, in seconds, at which a new segment begins."""

SPEECH = 0.5
"""Probability above which a window holds speech (Silero's own default)."""

ISLAND = 0.25
"""Shortest stretch of speech in seconds that is believed (Silero's default); noise gives 0.1 s."""

BREATH = 0.3
"""Shortest gap in speech, in seconds, at which the sound is decoded in two: the decoder evens out
loudness and timbre over all that it is given, which serves one talker at a time (the meeting in
chunks of 8 to 30 s: WER 13 to 14 % so, 15 to 21 % in one go; read English: 24 % either way)."""

ROOM = 0.25
"""Seconds of sound kept around each such part."""

REACH = 0.3
"""Seconds from speech within which a word is believed."""

AUDIBLE_DB = 6.0
"""What is this far above the quietest tenth of the sound is heard as something, speech or not."""

SHARE = 0.1
"""Share of the audible time that must be speech: below it the decoder would be fed music or
clatter, from which it makes words."""

Interval = tuple[float, float]

_VARIANT = re.compile(r"\(\d+\)$")
_MARKS = ("<", "[", "+")


class SphinxEngine:
    """PocketSphinx, ready to decode.

    Parameters
    ----------
    spec
        Its ``source`` is not used: the model comes with the package.

    Raises
    ------
    ModelError
        If PocketSphinx cannot be started.
    """

    def __init__(self, spec: EngineSpec) -> None:
        self.spec = spec
        self._lock = threading.Lock()
        self._process: SphinxProcess | None = SphinxProcess()

    def recognize(self, batch: Sequence[Request]) -> list[Recognition]:
        """Recognise each request; see `nbasr.engines.base.Engine`.

        The text is lower case without punctuation. Where nobody speaks it is empty.
        """
        for request in batch:
            check(request.samples, self.spec)
            self._refuse(request)
        with held(self._lock):
            if self._process is None:
                raise ModelError(f"{self.spec.name} was unloaded; load it again.")
            return [self._one(request) for request in batch]

    @property
    def module(self) -> None:
        """None: it has no torch module."""
        return None

    def close(self) -> None:
        """Let go of the model; the engine cannot be used again."""
        with self._lock:
            if self._process is not None:
                self._process.close()
            self._process = None

    def _refuse(self, request: Request) -> None:
        """Raise if the request is for something that this engine cannot do."""
        code = language_code(request.language)
        if code not in (None, "en"):
            raise ModelError(
                f"{self.spec.name} knows only English, not {language_name(str(code))}; take a "
                "model that does, such as whisper-small."
            )
        if request.task == "translate":
            raise ModelError(
                f"{self.spec.name} does not translate; take a model that does, such as "
                "whisper-small."
            )
        if request.task != "transcribe":
            raise OptionError(f"task is transcribe or translate, not {request.task!r}.")

    def _one(self, request: Request) -> Recognition:
        spoken = speech(request.samples)
        if not spoken:
            return Recognition("")
        words = [
            word
            for start, stop in utterances(spoken, request.duration)
            for word in self._words(request.samples, start, stop, spoken)
            if _touches(word, spoken)
        ]
        if not words:
            return Recognition("")
        segments = tuple(_segment(group) for group in _groups(words))
        return Recognition(" ".join(word.text for word in words), "en", segments)

    def _words(
        self, samples: NDArray[np.float32], start: float, stop: float, spoken: list[Interval]
    ) -> list[Word]:
        """Decode one utterance."""
        assert self._process is not None
        sound = samples[round(start * RATE) : round(stop * RATE)]
        lead = MARGIN if any(a - NEAR < start < b for a, b in spoken) else 0.0
        tail = MARGIN if any(a < stop < b + NEAR for a, b in spoken) else 0.0
        words = []
        for word, first_frame, last_frame, chance in self._process.words(_pcm(sound, lead, tail)):
            text = _VARIANT.sub("", word)
            if text.startswith(_MARKS):
                continue
            first = start + first_frame * FRAME - lead
            last = start + (last_frame + 1) * FRAME - lead
            first, last = (min(max(time, start), stop) for time in (first, last))
            words.append(Word(first, last, text, min(1.0, chance)))
        return words


def utterances(spoken: list[Interval], duration: float) -> list[Interval]:
    """Return what is decoded at once: speech that hardly a breath interrupts, and room around it.

    Parameters
    ----------
    spoken
        Stretches of speech in seconds, in order.
    duration
        Length of the sound in seconds.

    Returns
    -------
    list of (float, float)
        Seconds, in order, none over another.
    """
    found: list[Interval] = []
    for start, stop in spoken:
        if found and start - found[-1][1] < BREATH:
            found[-1] = (found[-1][0], stop)
        else:
            found.append((start, stop))
    middles = [(one[1] + other[0]) / 2 for one, other in itertools.pairwise(found)]
    return [
        (max(start - ROOM, before), min(stop + ROOM, after))
        for (start, stop), before, after in zip(
            found, [0.0, *middles], [*middles, duration], strict=True
        )
    ]


def speech(samples: NDArray[np.float32]) -> list[Interval]:
    """Return the stretches of speech in a sound, in seconds; none where it is music or clatter.

    Parameters
    ----------
    samples
        Shape (samples,), mono, 16 kHz, float32.
    """
    from nbasr.chunking.vad import WINDOW, speech_probability

    spoken = speech_probability(samples) > SPEECH
    seconds = WINDOW / RATE
    edges = np.flatnonzero(np.diff(np.concatenate([[0], spoken, [0]])))
    runs = [(start * seconds, stop * seconds) for start, stop in edges.reshape(-1, 2)]
    runs = [(start, stop) for start, stop in runs if stop - start >= ISLAND]
    share = sum(stop - start for start, stop in runs) / max(_audible(samples), seconds)
    return runs if share >= SHARE else []


def _audible(samples: NDArray[np.float32]) -> float:
    """Return how many seconds of the sound stand out of its own background."""
    size = int(FRAME * RATE)
    frames = samples[: len(samples) // size * size].reshape(-1, size)
    if not len(frames):
        return 0.0
    level = 10 * np.log10(np.einsum("ij,ij->i", frames, frames) / size + 1e-10)
    return float(np.count_nonzero(level > np.percentile(level, 10) + AUDIBLE_DB)) * FRAME


def _touches(word: Word, spoken: list[Interval]) -> bool:
    """Tell whether anybody speaks at or near a word; far from speech the decoder makes words up."""
    return any(word.start < stop + REACH and word.stop > start - REACH for start, stop in spoken)


def _pcm(samples: NDArray[np.float32], lead: float, tail: float) -> bytes:
    """Return the sound as 16-bit PCM between seconds of faint noise, which is always the same."""
    random = np.random.default_rng(0)
    before, after = (random.normal(0.0, MARGIN_LEVEL, round(s * RATE)) for s in (lead, tail))
    sound = np.concatenate([before, samples, after])
    return bytes((np.clip(sound, -1.0, 1.0) * 32767).astype("<i2").tobytes())


def _groups(words: list[Word]) -> list[list[Word]]:
    """Split words at the pauses between them."""
    groups = [[words[0]]]
    for before, word in itertools.pairwise(words):
        if word.start - before.stop >= BREAK:
            groups.append([])
        groups[-1].append(word)
    return groups


def _segment(words: list[Word]) -> Segment:
    text = " ".join(word.text for word in words)
    score = float(np.mean([word.score for word in words]))
    return Segment(words[0].start, words[-1].stop, text, tuple(words), language="en", score=score)
