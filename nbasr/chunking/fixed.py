"""Cut blindly, every so many seconds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from nbasr.audio.levels import Levels
from nbasr.chunking._chunk import SHORTEST, around
from nbasr.chunking._places import TOLERANCE
from nbasr.chunking._strategy import ByLevel, at_most
from nbasr.chunking.pauses import pause_at
from nbasr.chunking.plan import Chunk, Cut
from nbasr.errors import OptionError


@dataclass(frozen=True, kw_only=True, repr=False)
class Fixed(ByLevel):
    """Cut every `max_seconds`, through words or not; the yardstick for the other strategies.

    Parameters
    ----------
    max_seconds
        Length of the chunks in seconds, or ``"adaptive"`` (`adaptive_seconds`).
    overlap
        Seconds that each chunk shares with the one before; less than half of `max_seconds`.
    min_seconds
        Shortest chunk in seconds: where the last one would be shorter, the one before gives it of
        its own. None: 1 s, or a quarter of a maximum under 4 s.
    min_pause, threshold_db, above_floor_db
        Shortest silence that counts as a pause, and level at which speech begins, in dBFS or above
        the noise floor (both None: `nbasr.chunking.pauses.automatic_above_floor_db`), for the
        report, and for chunks without speech, which are left out.
    margin
        Seconds around speech that count as speech when silent chunks are left out.
    cuts
        Times in seconds at which a cut is made in any case, and from which the chunks are counted
        anew; they are the middle of what the chunks share there. Chunks beside them may be shorter
        than `min_seconds`.
    """

    overlap: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        longest = 45.0 if isinstance(self.max_seconds, str) else self.max_seconds
        if not 0 <= self.overlap < longest / 2:
            raise OptionError(
                f"overlap is 0 s or more and less than half of max_seconds ({longest:g} s), "
                f"not {self.overlap!r}."
            )

    def _cut(
        self, spoken: NDArray[np.float64], levels: Levels, longest: float, shortest: float
    ) -> tuple[list[Chunk], list[Cut]]:
        duration = levels.duration
        begins, ends = spoken[:, 0] - self.margin, spoken[:, 1] + self.margin
        chunks: list[Chunk] = []
        cuts: list[Cut] = []
        locked = None  # the first cut asked for since the last chunk
        spoken_before = False  # whether the chunk before holds speech
        for since, stop, asked in self._grid(duration, longest, shortest):
            locked = asked if locked is None else locked
            # A chunk holds speech if some begins before the chunk stops and ends after it starts.
            silent = np.searchsorted(begins, stop) <= np.searchsorted(ends, since, side="right")
            if silent and spoken_before and asked is not None:
                chunks[-1] = replace(chunks[-1], stop=asked)  # there is none to share more with
            start = since if asked is None or spoken_before else asked
            spoken_before = not silent
            if silent:
                continue
            shared = max(chunks[-1].stop - start, 0.0) if chunks else 0.0
            if chunks:
                time = (chunks[-1].stop + start) / 2 if locked is None else locked
                cuts.append(Cut(time, pause_at(time, spoken, duration), locked is not None))
            chunks.append(Chunk(start, at_most(longest, start, stop), shared))
            locked = None
        return chunks, cuts

    def _grid(
        self, duration: float, longest: float, shortest: float
    ) -> Iterator[tuple[float, float, float | None]]:
        """Yield where each chunk starts and stops, and the cut asked for there, if one was."""
        first = own = 0.0  # where a chunk starts, and what it does not share with the one before
        asked: float | None = None
        for cut, after in pairwise((*self.cuts, duration, duration)):
            last = after == cut
            end = duration if last else around(cut, self.overlap, own, after)[0]
            starts = self._starts(first, end, longest, shortest, asked, last=last)
            stops = np.append(starts[1:] + self.overlap, end)
            for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
                yield start, min(stop, end), asked
                asked = None
            own = float(stops[-2]) if len(stops) > 1 else own
            first, own, asked = around(cut, self.overlap, own, after)[1], end, cut

    def _starts(
        self,
        first: float,
        end: float,
        longest: float,
        shortest: float,
        asked: float | None,
        *,
        last: bool,
    ) -> NDArray[np.float64]:
        """Return where chunks start between two cuts that were asked for.

        What the last of them has of its own is no shorter than the shortest, as long as all come
        one after the other.

        Parameters
        ----------
        first, end
            Where the first of them starts and the last stops.
        longest, shortest
            Limits in seconds.
        asked
            The cut before them, in the middle of what the first shares; None at the beginning.
        last
            Whether no cut and no chunk comes after them.
        """
        step = longest - self.overlap
        count = max(int(np.ceil((end - first - self.overlap) / step - TOLERANCE)), 1)
        starts: NDArray[np.float64] = first + step * np.arange(count, dtype=np.float64)
        if count > 1:
            apart = min(SHORTEST, longest / 2 - self.overlap)
            earliest = max(starts[-2] + (0 if last else apart), end - longest)
            if count == 2 and asked is not None:
                earliest = max(earliest, asked + apart)
            shared = self.overlap * (1 if last else 2)
            starts[-1] = min(starts[-1], max(end - shared - shortest, earliest))
        return starts
