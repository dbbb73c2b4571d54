"""The panel of one recording: see it, hear it, select in it, mark regions."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import traitlets

from nbasr.audio._show import mean_db, silence_share
from nbasr.audio.levels import RATE
from nbasr.audio.recording import Recording
from nbasr.audio.sources import Source
from nbasr.errors import OptionError
from nbasr.widgets import _mel, _still
from nbasr.widgets._panel import Answer, Panel, answers
from nbasr.widgets._sound import Sound

_MOST_SAMPLES = 2**20  # sent in one answer: 2 MB, a fifth of what a websocket message may have
_HEIGHTS = (60, 800)
_SLACK = 1e-6  # s that a time may lie beyond the end: floats of a browser are not ours


@dataclass(frozen=True)
class Region:
    """A stretch of a recording that somebody has marked.

    Parameters
    ----------
    start, stop
        Seconds, ``0 <= start < stop``.
    label
        What it is called; may be empty.

    Raises
    ------
    OptionError
        If it has no length, or times or label are none.
    """

    start: float
    stop: float
    label: str = ""

    def __post_init__(self) -> None:
        start, stop = _span((self.start, self.stop), "A region")
        object.__setattr__(self, "start", start)
        object.__setattr__(self, "stop", stop)
        if not isinstance(self.label, str):
            raise OptionError(f"The label of a region is a text, not {self.label!r}.")


class WaveformPanel(Panel, entry="waveform"):
    """A recording to see and hear: zoom, play, select, mark regions.

    It opens at once for hours of sound: an outline of about 0.8 MB per hour is sent, and samples
    only where they are played or looked at from near. Panels on one recording share all of it.

    Parameters
    ----------
    recording
        Whatever `Recording.open` takes.
    regions
        What is marked: `Region`, ``(start, stop)`` or ``(start, stop, label)``.
    height
        Of the waveform, in pixels: 60 to 800.
    language
        Of the controls: ``"en"``, ``"zh"``, or ``""`` for the setting, else the browser's.

    Attributes
    ----------
    recording : Recording
        What is shown.
    selection : tuple of float or None
        Start and stop of what is selected, in seconds; it can be set, and observed:
        ``panel.observe(f, "selection")``.
    regions : tuple of Region
        What is marked, in order; it can be set and observed.
    playhead : float
        Where it stood when it was last moved or paused, in seconds; it can be set. While sound
        plays, nothing is sent.

    Raises
    ------
    AudioError
        If `recording` is none.
    OptionError
        If a region, a selection or the height is impossible.

    Notes
    -----
    Click to move the playhead, drag to select, drag the edges of what is selected; double click to
    select a stretch of speech. Edges stop where pauses begin and end, unless Alt is held. The wheel
    pans, with Ctrl (on a Mac ⌘) it zooms; fingers pan and pinch. Keys, while the panel has the
    focus and no field of it is being typed into:

    ======================  ====================================================================
    ``Space``               play, pause
    ``Enter``               play the selection
    ``←``  ``→``            move the playhead; with Shift extend the selection, with Ctrl by a
                            screen
    ``Home``  ``End``       to the start, to the end
    ``+``  ``-``  ``0``     zoom in, zoom out, show all
    ``Z``                   zoom to the selection
    ``Esc``                 clear the selection
    ``L``  ``F``            loop; follow the playhead
    ``<``  ``>``            slower, faster (the pitch stays)
    ``S``  ``D``            spectrogram; decibel scale
    ``R``                   make the selection a region
    ``[``  ``]``            previous, next region
    ``Delete``              delete the region in focus
    ``Ctrl+Z``              undo, with Shift redo, what was done to regions
    ``?``                   list the keys
    ======================  ====================================================================

    Examples
    --------
    >>> panel = nbasr.WaveformPanel("meeting.m4a")                       # doctest: +SKIP
    >>> panel.selection = (12.0, 15.5)                                   # doctest: +SKIP
    >>> panel.recording.read(*panel.selection).shape                     # doctest: +SKIP
    (56000,)
    """

    sound = traitlets.Unicode().tag(sync=True)
    about = traitlets.Dict().tag(sync=True)
    height = traitlets.Int(160).tag(sync=True)
    selection = traitlets.Any(None).tag(sync=True)
    regions = traitlets.Any(()).tag(
        sync=True,
        to_json=lambda regions, _: [asdict(region) for region in regions],
        from_json=lambda values, _: tuple(Region(**value) for value in values),
    )
    playhead = traitlets.Float(0.0).tag(sync=True)
    shown: traitlets.List[float] = traitlets.List().tag(sync=True)

    _still_of = ("regions",)

    def __init__(
        self,
        recording: Source,
        *,
        regions: Iterable[Region | tuple[float, float] | tuple[float, float, str]] | None = None,
        height: int = 160,
        language: str = "",
        **traits: Any,
    ) -> None:
        self.recording = Recording.open(recording)
        if not (isinstance(height, int) and _HEIGHTS[0] <= height <= _HEIGHTS[1]):
            low, high = _HEIGHTS
            raise OptionError(f"height is a whole number of pixels, {low} to {high}, not {height}.")
        marked = self._checked(() if regions is None else regions)
        if language:
            traits["language"] = language
        self._sound = Sound.of(self.recording)
        self._requests = 0
        super().__init__(
            sound=self._sound.reference,
            about=_about(self.recording),
            height=height,
            regions=marked,
            **traits,
        )

    def show(self, start: float, stop: float) -> None:
        """Bring a stretch into view.

        Parameters
        ----------
        start, stop
            Seconds.

        Raises
        ------
        OptionError
            If that is no stretch of the recording.
        """
        self._requests += 1  # the same stretch again is shown again
        span = _span((start, stop), "What is shown", self.recording.duration)
        self.shown = [*span, self._requests]

    def play(self, start: float | None = None, stop: float | None = None) -> None:
        """Play in the browser, where the panel is shown.

        Browsers play nothing before somebody has clicked into the page; the panel says so.

        Parameters
        ----------
        start, stop
            Seconds; None: from where the playhead is, to the end.

        Raises
        ------
        OptionError
            If that is no stretch of the recording.
        """
        if start is not None or stop is not None:
            duration = self.recording.duration
            _span((start or 0.0, duration if stop is None else stop), "What is played", duration)
        self.tell("play", {"start": start, "stop": stop})

    def pause(self) -> None:
        """Pause in the browser."""
        self.tell("pause", {})

    def still(self) -> str:
        """Return the panel as HTML that needs no kernel: for saved notebooks."""
        return _still.html(self.recording, self.regions, self.language)

    def close(self) -> None:
        """Take the panel away, from the notebook too."""
        super().close()
        sound = self.__dict__.pop("_sound", None)  # once, whichever thread comes first
        if sound is not None:
            sound.release()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.recording!r})"

    @traitlets.validate("selection")
    def _selection_is_one(self, proposal: dict[str, Any]) -> tuple[float, float] | None:
        value = proposal["value"]
        return None if value is None else _span(value, "A selection", self.recording.duration)

    @traitlets.validate("regions")
    def _regions_are_some(self, proposal: dict[str, Any]) -> tuple[Region, ...]:
        return self._checked(proposal["value"])

    @traitlets.validate("playhead")
    def _playhead_is_inside(self, proposal: dict[str, Any]) -> float:
        time = float(proposal["value"])
        if not 0 <= time <= self.recording.duration + _SLACK:
            raise OptionError(
                f"playhead is from 0 to {self.recording.duration:g} s, the length of "
                f"{self.recording.name}, not {time:g}."
            )
        return min(time, float(self.recording.duration))

    def _checked(self, regions: Any) -> tuple[Region, ...]:
        """Return regions in order; raise unless all of them lie in the recording."""
        if isinstance(regions, str) or not isinstance(regions, Iterable):
            raise OptionError(f"regions are a list of (start, stop, label), not {regions!r}.")
        made = []
        for given in regions:
            region = given if isinstance(given, Region) else _region(given)
            span = _span((region.start, region.stop), "A region", self.recording.duration)
            made.append(Region(*span, region.label))
        return tuple(sorted(made, key=lambda region: (region.start, region.stop)))

    @answers("samples")
    def _samples(self, first: int, count: int) -> Answer:
        """Answer with (count,) 16-bit samples, fewer where the recording ends."""
        if first < 0 or not 0 <= count <= _MOST_SAMPLES:
            raise OptionError(
                f"Samples are asked for from 0 on, {_MOST_SAMPLES} at most; not {count} from "
                f"{first}."
            )
        first = min(first, round(self.recording.duration * RATE))
        # Read, not mapped: a file that was cut short meanwhile is an error, not the kernel's end.
        sound = self.recording.read(first / RATE, (first + count) / RATE)
        return Answer({}, [np.rint(sound * 32768).astype("<i2").tobytes()])

    @answers("mel", aside=True)
    def _mel(self, start: float, seconds: float, columns: int) -> Answer:
        """Answer with a tile of the spectrogram."""
        return Answer({}, [_mel.tile(self.recording, start, seconds, columns)])

    @answers("sound")
    def _sound_itself(self) -> Answer:
        """Answer with what is shared, for hosts in which panels cannot see each other's models."""
        sound = self._sound
        names = ("fingerprint", "duration", "samples", "peak", "noise_floor_db", "loud_db")
        data = {name: getattr(sound, name) for name in (*names, "auto_above_db")}
        return Answer(data, [sound.peaks, sound.levels, sound.floor_nodes])


def _about(recording: Recording) -> dict[str, Any]:
    """Return what the title row tells."""
    levels = recording.levels()
    return {
        "name": recording.name,  # here, as another file of the same sound shares all the rest
        "problems": list(recording.problems),
        "sample_rate": recording.sample_rate,
        "channels": recording.channels,
        "codec": recording.codec,
        "level_db": mean_db(levels),
        "peak_db": levels.peak_db,
        "silence": silence_share(levels),
    }


def _region(given: Any) -> Region:
    """Return the region that a tuple or mapping stands for."""
    try:
        return Region(**given) if isinstance(given, dict) else Region(*given)
    except TypeError:
        raise OptionError(
            f"A region is (start, stop) or (start, stop, label), not {given!r}."
        ) from None


def _span(given: Any, what: str, duration: float = math.inf) -> tuple[float, float]:
    """Return start and stop as floats; raise unless they are a stretch of a recording."""
    try:
        start, stop = (float(value) for value in given)
    except (TypeError, ValueError):
        raise OptionError(f"{what} is (start, stop) in seconds, not {given!r}.") from None
    end = "" if math.isinf(duration) else f" and at most {duration:g} s, the recording's length"
    if not (0 <= start < stop <= duration + _SLACK and math.isfinite(stop)):
        raise OptionError(f"{what} has 0 <= start < stop{end}, not {start:g} to {stop:g}.")
    # To the sample: a browser's 32.43 may come as 32.43000030517578.
    first, last = round(start * RATE), max(round(stop * RATE), round(start * RATE) + 1)
    return first / RATE, min(last / RATE, duration)
