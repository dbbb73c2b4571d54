"""Cut blindly, every so many seconds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nbasr.audio.levels import Levels
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
    min_pause, threshold_db
        Shortest silence that counts as a pause, and level at which speech begins (None: from the
        noise floor), for the report, and for chunks without speech, which are left out.
    margin
        Seconds around speech that count as speech when silent chunks are left out.
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
        duration, step = levels.duration, longest - self.overlap
        count = max(int(np.ceil((duration - self.overlap) / step - TOLERANCE)), 1)
        starts = step * np.arange(count)
        if count > 1:  # what the last chunk has of its own is no shorter than the shortest
            starts[-1] = min(starts[-1], max(duration - self.overlap - shortest, starts[-2]))
        stops = np.minimum(np.append(starts[1:] + self.overlap, duration), duration)
        # A chunk holds speech if some of it begins before the chunk stops and ends after it starts.
        begun = np.searchsorted(spoken[:, 0] - self.margin, stops)
        ended = np.searchsorted(spoken[:, 1] + self.margin, starts, side="right")
        chunks: list[Chunk] = []
        cuts = []
        for start, stop in zip(starts[begun > ended], stops[begun > ended], strict=True):
            if chunks:
                shared = max(chunks[-1].stop - float(start), 0.0)
                time = (chunks[-1].stop + float(start)) / 2
                cuts.append(Cut(time, pause_at(time, spoken, duration)))
            else:
                shared = 0.0
            chunks.append(Chunk(float(start), at_most(longest, start, stop), shared))
        return chunks, cuts
