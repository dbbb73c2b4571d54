"""What is known about a recording: who says which word when."""

from __future__ import annotations

import json
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from nbasr.audio._words import count


@dataclass(frozen=True)
class SpokenWord:
    """One word.

    Attributes
    ----------
    start, stop
        Seconds from the start of the recording.
    text
        The word, in lower case.
    """

    start: float
    stop: float
    text: str


@dataclass(frozen=True)
class Piece:
    """Words spoken in one go, without a pause.

    Attributes
    ----------
    start, stop
        Seconds from the start of the recording; the first word starts and the last one stops a few
        hundredths within them.
    words
        The words in order.
    """

    start: float
    stop: float
    words: tuple[SpokenWord, ...]

    @property
    def text(self) -> str:
        """The words, joined by spaces."""
        return " ".join(word.text for word in self.words)

    def moved(self, start: float) -> Piece:
        """Return the same piece as it begins at `start` (s)."""
        by = start - self.start
        return Piece(
            start,
            self.stop + by,
            tuple(SpokenWord(word.start + by, word.stop + by, word.text) for word in self.words),
        )


@dataclass(frozen=True)
class Turn:
    """What one speaker says before another one does, or before a pause.

    Attributes
    ----------
    speaker
        The speaker's name.
    pieces
        The parts around the pauses inside the turn; one if there are none.
    """

    speaker: str
    pieces: tuple[Piece, ...]

    @property
    def start(self) -> float:
        """Seconds from the start of the recording."""
        return self.pieces[0].start

    @property
    def stop(self) -> float:
        """Seconds from the start of the recording."""
        return self.pieces[-1].stop

    @property
    def text(self) -> str:
        """The words, joined by spaces."""
        return " ".join(piece.text for piece in self.pieces)


@dataclass(frozen=True, repr=False)
class Reference:
    """The truth about a recording, to measure transcripts, cuts and times against.

    Attributes
    ----------
    turns
        What is said, in order; turns do not overlap.
    duration
        Seconds.
    """

    turns: tuple[Turn, ...]
    duration: float

    @property
    def text(self) -> str:
        """All words, joined by spaces, in lower case and without punctuation."""
        return " ".join(turn.text for turn in self.turns)

    @cached_property
    def words(self) -> tuple[SpokenWord, ...]:
        """All words in order."""
        return tuple(word for turn in self.turns for piece in turn.pieces for word in piece.words)

    @cached_property
    def _starts(self) -> list[float]:
        return [word.start for word in self.words]

    def word_at(self, time: float) -> SpokenWord | None:
        """Return the word that a cut at `time` (s) would split, or None if no word is spoken then.

        Examples
        --------
        >>> from nbasr import samples
        >>> samples.reference("meeting").word_at(1.2).text
        'morning'
        """
        before = bisect_right(self._starts, time) - 1
        if before < 0:
            return None
        word = self.words[before]
        return word if word.start < time < word.stop else None

    def __repr__(self) -> str:
        said = f"{count(len(self.turns), 'turn')}, {count(len(self.words), 'word')}"
        return f"Reference({said}, {self.duration:.1f} s)"

    @classmethod
    def load(cls, path: Path) -> Reference:
        """Read a reference as ``tools/make_meeting.py`` writes it."""
        told = json.loads(path.read_text(encoding="utf-8"))
        turns = tuple(
            Turn(
                turn["speaker"],
                tuple(
                    Piece(
                        piece["start"],
                        piece["stop"],
                        tuple(SpokenWord(*word) for word in piece["words"]),
                    )
                    for piece in turn["pieces"]
                ),
            )
            for turn in told["turns"]
        )
        return cls(turns, told["duration"])
