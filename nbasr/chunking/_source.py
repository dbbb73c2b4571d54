"""What may be planned: levels, a recording, or whatever a recording is opened from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbasr.audio.levels import Levels

if TYPE_CHECKING:
    from nbasr.audio.recording import Recording
    from nbasr.audio.sources import Source


def heard(source: Source | Levels) -> tuple[Recording | None, Levels]:
    """Return the recording, if there is one, and its levels.

    Raises
    ------
    AudioError
        If `source` is no recording and none can be opened from it.
    """
    if isinstance(source, Levels):
        return None, source
    from nbasr.audio.recording import Recording

    recording = Recording.open(source)
    return recording, recording.levels()
