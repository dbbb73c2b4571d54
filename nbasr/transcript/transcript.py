"""A transcript: what recognition makes, and what people correct."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nbasr.errors import OptionError
from nbasr.text.joining import join
from nbasr.transcript.correcting import Correctable
from nbasr.transcript.segment import Segment, Word

if TYPE_CHECKING:
    import pandas as pd

    from nbasr.audio.recording import Recording
    from nbasr.transcript.search import Hits

__all__ = ["Segment", "Transcript", "Word"]


@dataclasses.dataclass(frozen=True)
class Transcript(Correctable):
    """What was said in a recording, and when.

    ``for segment in transcript`` goes through the segments; ``transcript[12.0:20.0]`` is
    `between`, in seconds.

    Parameters
    ----------
    segments : tuple of Segment
        In order of their start; given in another order, they are sorted.
    duration : float, optional
        Seconds of the whole recording.
    language : str, optional
        ISO code of the main language.
    model : str, optional
        Name of the model that heard it.
    name : str, optional
        Name of the recording.
    seconds : float, optional
        Time that recognition took; None where unknown.
    recognized : float, optional
        Seconds of audio that the model was given in that time (silence may have been left out);
        None: the whole duration.
    complete : bool, optional
        False if only a part was transcribed; `notes` then say why.
    notes : tuple of str, optional
        What the reader should know: ``"interrupted at 12:34"``.
    recording : Recording, optional
        The sound itself, where it is at hand; it is not saved, and does not count when transcripts
        are compared.
    """

    segments: tuple[Segment, ...]
    duration: float = 0.0
    language: str | None = None
    model: str = ""
    name: str = ""
    seconds: float | None = None
    recognized: float | None = None
    complete: bool = True
    notes: tuple[str, ...] = ()
    recording: Recording | None = dataclasses.field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        ordered = tuple(sorted(self.segments, key=lambda segment: segment.start))
        object.__setattr__(self, "segments", ordered)
        object.__setattr__(self, "notes", tuple(self.notes))
        object.__setattr__(self, "duration", float(self.duration))
        if not (math.isfinite(self.duration) and self.duration >= 0):
            raise OptionError(f"A transcript lasts 0 s or more, not {self.duration} s.")
        for name in ("seconds", "recognized"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, float(getattr(self, name)))

    @property
    def text(self) -> str:
        """The whole text, segments joined as their script wants it."""
        return join((segment.text for segment in self.segments), self.language)

    @property
    def words(self) -> tuple[Word, ...]:
        """All words with known times, in the order of the segments."""
        return tuple(word for segment in self.segments for word in segment.words)

    @property
    def rtf(self) -> float | None:
        """Real-time factor: seconds of work per second of audio; smaller is faster."""
        audio = self.duration if self.recognized is None else self.recognized
        return None if self.seconds is None or not audio else self.seconds / audio

    @property
    def rtfx(self) -> float | None:
        """Seconds of audio per second of work; larger is faster."""
        return 1 / self.rtf if self.rtf else None

    def __iter__(self) -> Iterator[Segment]:
        return iter(self.segments)

    def __getitem__(self, seconds: slice) -> Transcript:
        if not isinstance(seconds, slice) or seconds.step is not None:
            raise OptionError(
                "A transcript is sliced in seconds, transcript[12.0:20.0]; "
                "for one segment take transcript.segments[0]."
            )
        return self.between(seconds.start or 0.0, seconds.stop)

    def between(self, start: float = 0.0, stop: float | None = None) -> Transcript:
        """Return what was said from `start` to `stop`, its times as they were.

        A segment with word times keeps the words whose middle lies inside; a segment without
        them is kept whole if more than a hair of it lies inside, as nobody knows which of its
        words do.

        Parameters
        ----------
        start, stop : float
            Seconds; `stop` None means to the end.

        Raises
        ------
        OptionError
            If `stop` is not after `start`.
        """
        from nbasr.transcript.slicing import between

        return between(self, start, stop)

    def search(self, pattern: str, *, regex: bool = False, case: bool = False) -> Hits:
        """Find every place where `pattern` is said, also across two segments.

        Parameters
        ----------
        pattern : str
            Plain text, in which any white space matches any other.
        regex : bool, optional
            Take `pattern` as a regular expression of module `re`.
        case : bool, optional
            Tell upper from lower case.

        Returns
        -------
        Hits
            A tuple of `Hit` (segment index, start, stop, text) that shows itself with the matches
            marked.

        Raises
        ------
        OptionError
            If the pattern is empty or no valid regular expression.
        """
        from nbasr.transcript.search import find

        return find(self, pattern, regex=regex, case=case)

    def to_dataframe(self, of: Literal["segments", "words"] = "segments") -> pd.DataFrame:
        """Return one row per segment, or per word.

        Parameters
        ----------
        of : {"segments", "words"}, optional
            What a row is. Segments have the columns start, stop, text, speaker, language, score
            and flags; words have start, stop, text, score, speaker and segment (its index).

        Raises
        ------
        OptionError
            If words are wanted and none has known times.
        """
        from nbasr.transcript.tables import to_dataframe

        return to_dataframe(self, of)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as dicts, lists, strings and numbers, for `from_dict` to give back.

        Fields that hold their default are left out of words and segments.
        """
        from nbasr.transcript.document import to_dict

        return to_dict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Transcript:
        """Return the transcript that `to_dict` described (JSON of openai-whisper is read as well).

        Raises
        ------
        OptionError
            If `values` is no such description.
        """
        from nbasr.transcript.document import from_dict

        return from_dict(values)

    def save(
        self,
        path: str | Path,
        format: str | None = None,  # noqa: A002
        overwrite: bool = False,
    ) -> Path:
        """Write the transcript to a file and return its path.

        Parameters
        ----------
        path : path
            Where to; the suffix tells the format: .txt .srt .vtt .json .tsv .csv .TextGrid
            .labels.txt (Audacity) .eaf (ELAN) .rttm .ctm.
        format : str, optional
            Name of the format, if the suffix is another one.
        overwrite : bool, optional
            Whether a file of this name may be replaced.

        Raises
        ------
        OptionError
            If the format is unknown or cannot hold this transcript, or the file exists or cannot be
            written.
        """
        from nbasr.transcript.formats import write

        return write(self, Path(path), format, overwrite=overwrite)

    @classmethod
    def load(cls, path: str | Path, format: str | None = None) -> Transcript:  # noqa: A002
        """Read a transcript from JSON, SRT, VTT, TSV, CSV, TextGrid or Audacity labels.

        Parameters
        ----------
        path : path
            The file; the suffix tells the format.
        format : str, optional
            Name of the format, if the suffix is another one.

        Raises
        ------
        OptionError
            If the format is unknown, or the file is missing or damaged.
        """
        from nbasr.transcript.formats import read

        return read(Path(path), format)

    def __repr__(self) -> str:
        from nbasr.transcript.render import as_text

        return as_text(self)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        from nbasr.transcript.render import as_html, as_text

        return {"text/plain": as_text(self), "text/html": as_html(self)}
