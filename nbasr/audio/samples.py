"""Bundled recordings with their exact references, for first steps, tutorials, tests and benchmarks.

>>> from nbasr import samples
>>> samples.names()
('meeting',)
>>> samples.reference("meeting")
Reference(24 turns, 242 words, 100.3 s)

"meeting" is a conversation of three synthetic voices (CMU's flite: slt, rms, awb), made for this
project from invented text by ``tools/make_meeting.py``: 24 turns with pauses between and inside
them, soft room noise, and one talker 13 dB below the others. It is free to use for any purpose.
"""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from nbasr.audio.reference import Piece, Reference, SpokenWord, Turn
from nbasr.errors import OptionError, did_you_mean
from nbasr.settings import cache_folder

if TYPE_CHECKING:
    from nbasr.audio.recording import Recording

__all__ = [
    "Piece",
    "Reference",
    "SpokenWord",
    "Turn",
    "long_meeting",
    "names",
    "open",
    "path",
    "reference",
]


def __dir__() -> list[str]:
    """Complete only what is meant for people."""
    return list(__all__)


_BUNDLED = Path(__file__).parent / "bundled"
_LONGEST = 24 * 60.0  # min; a WAV file holds 37 h of this sound


def names() -> tuple[str, ...]:
    """Return the names of the bundled recordings."""
    return tuple(sorted(file.stem for file in _BUNDLED.glob("*.opus")))


def path(name: str) -> Path:
    """Return the file of a bundled recording, as other programs may want it.

    Raises
    ------
    OptionError
        If there is no recording of that name.
    """
    if name not in names():
        raise OptionError(
            f"There is no sample recording {name!r}.{did_you_mean(name, names())} "
            f"Known: {', '.join(names())}."
        )
    return _BUNDLED / f"{name}.opus"


def open(name: str) -> Recording:  # noqa: A001
    """Open a bundled recording.

    Raises
    ------
    OptionError
        If there is no recording of that name.

    See Also
    --------
    reference : what is said in it, and when.
    """
    from nbasr.audio.recording import Recording

    return Recording.open(path(name))


@cache
def reference(name: str) -> Reference:
    """Return the truth about a bundled recording: its turns and words with their times.

    Raises
    ------
    OptionError
        If there is no recording of that name.
    """
    return Reference.load(path(name).with_suffix(".json"))


def long_meeting(minutes: float = 60, seed: int = 0) -> tuple[Recording, Reference]:
    """Return a long meeting with known truth, put together from the bundled one.

    Its turns are dealt in random order, with stretches of long, of ordinary and of hardly any
    pauses, each turn a little louder or softer, over the continuous noise of one room. The first
    call writes a WAV file into the cache folder (1.9 MB per minute), later ones find it there.

    Parameters
    ----------
    minutes
        Its length, 0.5 to 1440; it is exact.
    seed
        Another seed gives another meeting, the same seed the same one.

    Returns
    -------
    the recording, and its reference

    Raises
    ------
    OptionError
        If `minutes` or `seed` is out of range.
    AudioError
        If the file cannot be written.

    Examples
    --------
    How many words do blind cuts every 30 s split?

    >>> from nbasr import samples
    >>> recording, truth = samples.long_meeting(60)                               # doctest: +SKIP
    >>> sum(truth.word_at(time) is not None for time in range(30, 3600, 30))      # doctest: +SKIP
    """
    from nbasr.audio.long_meeting import build
    from nbasr.audio.recording import Recording

    if not (math.isfinite(minutes) and 0.5 <= minutes <= _LONGEST):
        raise OptionError(f"minutes is from 0.5 to {_LONGEST:g}, not {minutes!r}.")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise OptionError(f"seed is a whole number from 0, not {seed!r}.")
    file, truth = build(
        open("meeting").samples, reference("meeting"), minutes, seed, cache_folder() / "samples"
    )
    recording = Recording.open(file)
    recording.name = f"long meeting of {minutes:g} min"  # the file is called by its content
    return recording, truth
