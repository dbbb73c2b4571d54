"""When SenseVoice says each piece of its text."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbasr.engines._funasr_load import Part

QUERIES = 4
"""Frames before the sound in which SenseVoice answers what language, mood, event and style it is
(``sense_voice/model.py``)."""


class Watched:
    """Keeps what the encoder of a SenseVoice gives while it runs, to see when it says what.

    FunASR's own times come from splitting the text into tokens anew, which gives up where that
    gives others than were heard.
    """

    def __init__(self, part: Part) -> None:
        self.part = part
        self.encoded: Any = None
        self._hook: Any = None

    def __enter__(self) -> Watched:
        if self.part.kind == "sensevoice":
            self._hook = self.part.model.encoder.register_forward_hook(self._keep)
        return self

    def __exit__(self, *_: object) -> None:
        if self._hook is not None:
            self._hook.remove()

    def _keep(self, _module: Any, _inputs: Any, output: Any) -> None:
        self.encoded = output

    def pieces(self) -> list[tuple[list[str], list[tuple[float, float]]]]:
        """Return the pieces of text of each sound, and start and stop of each in milliseconds."""
        if self.encoded is None:
            return []
        model, front = self.part.model, self.part.options["frontend"]
        pieces = self.part.options["tokenizer"].sp
        encoded, lengths = self.encoded
        best = model.ctc.argmax(encoded).tolist()
        frame = front.frame_shift * front.lfr_n
        found = []
        for ids, length in zip(best, lengths.tolist(), strict=True):
            texts, times, at = [], [], 0
            for token, run in itertools.groupby(ids[QUERIES:length]):
                first, at = at, at + len(list(run))
                text = pieces.id_to_piece(token)
                if token != model.blank_id and not text.startswith("<|"):
                    texts.append(text)
                    times.append(tuple(max(0.0, (n - 0.5) * frame) for n in (first, at)))
            found.append((texts, times))
        return found
