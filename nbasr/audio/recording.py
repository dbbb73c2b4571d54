"""A recording: decoded once, then read in slices, seen, heard and saved."""

from __future__ import annotations

import types
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nbasr.audio import _saving
from nbasr.audio._arrays import ArraySound
from nbasr.audio._opening import Opened, fingerprint, open_source
from nbasr.audio._probe import Probe, declared_by
from nbasr.audio._words import clock, count, reason
from nbasr.audio.levels import RATE, Levels
from nbasr.audio.sources import Source, resolved
from nbasr.errors import AudioError, AudioWarning, OptionError

if TYPE_CHECKING:
    import plotly.graph_objects as go


def probe(source: Source, *, stream: int | None = None) -> Probe:
    """Say what a source declares, without decoding it.

    Parameters
    ----------
    source
        Whatever `Recording.open` takes.
    stream
        Which audio stream, from 0; None for the first.

    Raises
    ------
    AudioError
        If it is no recording.

    Examples
    --------
    >>> nbasr.probe("meeting.m4a").duration        # doctest: +SKIP
    3599.98
    """
    if isinstance(source, Recording):
        return Probe(
            source.name,
            source.duration,
            source.sample_rate,
            source.channels,
            source.codec,
            source.format,
            source.tags,
            1,
        )
    with resolved(source) as found:
        return declared_by(found, stream)


def open_quietly(source: Source) -> Recording:
    """Open a recording as `Recording.open` does, without a warning of what is wrong with it.

    For panels: they show its `problems`, and open it in a thread, whose warnings would turn up
    below any cell.
    """
    return source if isinstance(source, Recording) else Recording._open(source, None, None)


class Recording:
    """A recording, decoded to mono 16 kHz; made by `Recording.open`.

    It is light: the samples stay on disk and are mapped when they are used. Two recordings of the
    same content are equal, whatever their files are called; it can be pickled and sent to another
    process on the same machine.

    Attributes
    ----------
    name : str
        Of the file or address.
    path : Path or None
        The file it was opened from.
    duration : float
        Seconds that were decoded.
    sample_rate, channels, codec, format, tags
        Of the source. What is read here is always mono, 16 kHz.
    fingerprint : str
        32 hexadecimal digits that stand for content, channel and stream.
    problems : tuple of str
        What was wrong with the source: cut short, damaged, clipped; ends of sentences.
    """

    def __init__(
        self,
        name: str,
        path: Path | None,
        opened: Opened,
        selection: tuple[int | None, int | None] = (None, None),
    ) -> None:
        about = opened.about
        self.name = name
        self.path = path
        self.fingerprint = opened.fingerprint
        self.sample_rate = int(about["sample_rate"])
        self.channels = int(about["channels"])
        self.codec = str(about["codec"])
        self.format = str(about["format"])
        self.problems: tuple[str, ...] = tuple(about["problems"])
        self.duration = about["samples"] / RATE
        self._tags = dict(about["tags"])
        self._opened = opened
        self._selection = selection
        self._map: NDArray[np.int16] | None = None
        self._levels: Levels | None = None

    @classmethod
    def open(
        cls, source: Source, *, channel: int | None = None, stream: int | None = None
    ) -> Recording:
        """Open a recording, decoding it unless that was done before.

        Parameters
        ----------
        source
            Path, http(s) address, bytes, file object, ``(array, rate)``, torch tensor with its
            rate, ``IPython.display.Audio``, or a Recording. Its content decides what it is, never
            its name. Arrays are floats in -1..1 or integers of 8, 16 or 32 bits; their shorter
            axis is the channels.
        channel
            One channel, counted from 0, in place of the mean of all: call recordings carry one
            talker on each.
        stream
            One audio stream, counted from 0, of a video or a multi-track file.

        Returns
        -------
        Recording

        Raises
        ------
        AudioError
            If it cannot be opened or decoded, or the cache cannot hold it.
        OptionError
            If it has no such channel or stream.

        Warns
        -----
        AudioWarning
            If it is cut short, damaged or clipped; what could be decoded is there.

        Examples
        --------
        >>> recording = nbasr.Recording.open("call.wav", channel=1)      # doctest: +SKIP
        >>> recording.read(12.0, 20.0).shape                             # doctest: +SKIP
        (128000,)
        """
        _check_number("channel", channel)
        _check_number("stream", stream)
        if isinstance(source, Recording):
            if channel is None and stream is None:
                return source
            if source.path is None:
                raise OptionError(
                    f"{source.name} is mono already; give channel and stream where its source is "
                    "opened."
                )
            source = source.path
        recording = cls._open(source, channel, stream)
        for problem in recording.problems:
            warnings.warn(f"{recording.name} {problem}", AudioWarning, stacklevel=2)
        return recording

    @classmethod
    def _open(cls, source: Source, channel: int | None, stream: int | None) -> Recording:
        with resolved(source) as found:
            path = None if isinstance(found, ArraySound) else found.path
            opened = open_source(found, channel, stream)
            return cls(found.name, path, opened, (channel, stream))

    @property
    def tags(self) -> Mapping[str, str]:
        """Title, artist and what else the source notes."""
        return types.MappingProxyType(self._tags)

    @property
    def samples(self) -> NDArray[np.int16]:
        """All samples, (samples,) int16, mono, 16 kHz: a read-only memory map.

        A file that is mono 16 kHz PCM16 already is mapped itself: do not write into it while the
        samples are in use. `read` is safe from that.
        """
        if self._map is None or (self._is_own and not self._opened.is_there()):
            opened = self._found()
            shape = (opened.about["samples"],)
            self._map = np.memmap(opened.sound, "<i2", "r", opened.about["offset"], shape)
        return self._map

    def read(self, start: float = 0.0, stop: float | None = None) -> NDArray[np.float32]:
        """Return a stretch of sound.

        Parameters
        ----------
        start, stop
            Seconds; `stop` beyond the end, or None, means the end.

        Returns
        -------
        NDArray[np.float32]
            (samples,), mono, 16 kHz, in -1..1.

        Raises
        ------
        OptionError
            If `start` lies outside the recording, `stop` before `start`, or one is no number.
        AudioError
            If its file was changed since it was opened, or is gone.
        """
        _check_seconds("start", start)
        stop = self.duration if stop is None else stop
        _check_seconds("stop", stop)
        if not 0 <= start <= self.duration:
            raise OptionError(
                f"start is from 0 to {self.duration:g} s, the length of {self.name}, not {start!r}."
            )
        if not stop >= start:
            raise OptionError(f"stop is at least start, {start:g} s, not {stop!r}.")
        end = min(stop, self.duration)
        first, last = round(start * RATE), round(end * RATE)
        whole = self._from_file(first, last) if self._is_own else self.samples[first:last]
        part = whole.astype(np.float32)
        part *= np.float32(1 / 32768)
        return part

    def levels(self) -> Levels:
        """Return the levels: dBFS per 10 ms, and the min/max pyramid."""
        if self._levels is None:
            try:
                self._levels = Levels.load(self._opened.levels)
            except AudioError:  # gone from the cache or damaged there; the samples tell again
                self._levels = Levels.of(self.samples)
        return self._levels

    def plot(self) -> go.Figure:
        """Return a static Plotly figure of the waveform over seconds."""
        from nbasr.audio._figure import figure

        return figure(self)

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the sound, mono 16 kHz with 16 bits, as WAV or FLAC.

        Parameters
        ----------
        path
            The file, its suffix ``.wav`` or ``.flac``; or a folder, for a WAV file of this name.
        overwrite
            Whether a file that is there may be replaced.

        Returns
        -------
        Path
            Of the file written.

        Raises
        ------
        AudioError
            If the file exists, or cannot be written; nothing is left half-written.
        OptionError
            If the suffix is another one.
        """
        return _saving.save(self.samples, Path(path), self.name, overwrite=overwrite)

    def __repr__(self) -> str:
        return f"Recording({self.name!r}, {', '.join(self.facts())})"

    def facts(self) -> tuple[str, ...]:
        """Return what there is to say of it in a line: length, rate, channels and codec."""
        return (
            clock(self.duration),
            f"{self.sample_rate / 1000:g} kHz",
            count(self.channels, "channel"),
            self.codec,
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:  # noqa: ARG002
        from nbasr.audio import _show

        return {"text/plain": repr(self), "text/html": _show.card(self)}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Recording) and other.fingerprint == self.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_map": None, "_levels": None}

    @property
    def _is_own(self) -> bool:
        """Whether the samples are in a file of a person, which may change at any time."""
        return self._opened.source is not None

    def _from_file(self, first: int, last: int) -> NDArray[np.int16]:
        """Read samples of a person's file: touching a map of one cut short kills the kernel."""
        opened = self._found()
        offset = opened.about["offset"] + 2 * first
        try:
            found = np.fromfile(opened.sound, "<i2", last - first, offset=offset)
        except OSError as error:
            raise AudioError(f"{self.name} cannot be read ({reason(error)}).") from None
        if len(found) < last - first:
            raise self._changed()
        return found

    def _changed(self) -> AudioError:
        return AudioError(f"{self.name} was changed since it was opened; open it again.")

    def _found(self) -> Opened:
        """Return where the samples are; decode anew what the cache has dropped since."""
        if self._opened.is_there():
            return self._opened
        if self.path is None:
            raise AudioError(
                f"The decoded sound of {self.name} was dropped from the cache to make room; open "
                "it again, or raise cache_gb."
            )
        with resolved(self.path) as source:
            assert not isinstance(source, ArraySound)
            if self._is_own and fingerprint(source.digest()) != self.fingerprint:
                raise self._changed()  # before it is found to be no recording any more
            again = open_source(source, *self._selection)
        if again.fingerprint != self.fingerprint:
            raise self._changed()
        self._opened = again
        return again


def _check_seconds(name: str, value: Any) -> None:
    """Raise unless a value counts as a number: numpy's and torch's do, a text does not."""
    try:
        if isinstance(value, str | bytes):
            raise TypeError
        float(value)
    except (TypeError, ValueError):
        raise OptionError(f"{name} is a number of seconds, not {value!r}.") from None


def _check_number(name: str, value: int | None) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        raise OptionError(f"{name} is a whole number from 0, not {value!r}.")
