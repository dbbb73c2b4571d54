"""What a `Transcript` offers to people who correct it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from nbasr.transcript.doubts import DOUBTFUL_SCORE, is_doubtful
from nbasr.transcript.segment import Segment

if TYPE_CHECKING:
    from nbasr.transcript.transcript import Transcript


class Correctable:
    """The methods of a transcript that return a corrected one; it is never changed itself."""

    def doubtful(self, below: float = DOUBTFUL_SCORE) -> tuple[int, ...]:
        """Return the indices of segments with flags, a low score, or words of a low score.

        Parameters
        ----------
        below : float, optional
            Scores below this are low.
        """
        return tuple(
            index
            for index, segment in enumerate(self._whole.segments)
            if is_doubtful(segment, below)
        )

    def with_text(self, index: int, text: str) -> Transcript:
        """Return it with another text in a segment, whose words follow.

        Words that stay keep their times; new ones share the time of what they stand for, or what
        lies between their neighbours. Its score and flags told of the old text, and go.

        Parameters
        ----------
        index : int
            Of the segment, from 0.
        text : str
            The new text.

        Raises
        ------
        OptionError
            If there is no such segment.
        """
        from nbasr.transcript import editing

        return editing.with_text(self._whole, index, text)

    def with_times(self, index: int, start: float, stop: float) -> Transcript:
        """Return it with other times of a segment; words beyond them are moved inside.

        Parameters
        ----------
        index : int
            Of the segment, from 0; it may have another one afterwards, as segments are in order.
        start, stop : float
            Seconds, ``0 <= start < stop``.

        Raises
        ------
        OptionError
            If there is no such segment, or the times are impossible.
        """
        from nbasr.transcript import editing

        return editing.with_times(self._whole, index, start, stop)

    def with_speaker(self, index: int, speaker: str | None) -> Transcript:
        """Return it with another speaker of a segment; None or ``""``: not known.

        Raises
        ------
        OptionError
            If there is no such segment.
        """
        from nbasr.transcript import editing

        return editing.with_speaker(self._whole, index, speaker)

    def checked(self, index: int) -> Transcript:
        """Return it without the flags and scores of a segment: somebody has looked at it.

        Raises
        ------
        OptionError
            If there is no such segment.
        """
        from nbasr.transcript import editing

        return editing.checked(self._whole, index)

    def split(self, index: int, at_character: int) -> Transcript:
        """Return it with a segment parted in two, between two words or inside one.

        The first part ends with its last word and the second begins with its first; without word
        times both share the time as their texts are long.

        Parameters
        ----------
        index : int
            Of the segment, from 0.
        at_character : int
            How many characters of its text the first part has.

        Raises
        ------
        OptionError
            If there is no such segment, or no text on one side.
        """
        from nbasr.transcript import editing

        return editing.split(self._whole, index, at_character)

    def merged(self, first: int, last: int) -> Transcript:
        """Return it with the segments from `first` to `last`, both included, put together.

        Raises
        ------
        OptionError
            If these are not two segments or more.
        """
        from nbasr.transcript import editing

        return editing.merged(self._whole, first, last)

    def without(self, first: int, last: int | None = None) -> Transcript:
        """Return it without a segment, or those from `first` to `last`, both included.

        Raises
        ------
        OptionError
            If there are none of these indices.
        """
        from nbasr.transcript import editing

        return editing.without(self._whole, first, last)

    def with_segment(self, start: float, stop: float, text: str = "") -> Transcript:
        """Return it with one more segment.

        Parameters
        ----------
        start, stop : float
            Seconds, ``0 <= start < stop``.
        text : str, optional
            What was said.

        Raises
        ------
        OptionError
            If the times are impossible.
        """
        from nbasr.transcript import editing

        return editing.with_segment(self._whole, start, stop, text)

    def replaced(self, first: int, last: int, segments: Iterable[Segment]) -> Transcript:
        """Return it with other segments in place of those from `first` to `last`, both included.

        Raises
        ------
        OptionError
            If there are none of these indices.
        """
        from nbasr.transcript import editing

        return editing.replaced(self._whole, first, last, segments)

    @property
    def _whole(self) -> Transcript:
        return cast("Transcript", self)
