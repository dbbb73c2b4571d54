"""Formats with a line per label: Audacity labels, RTTM (who speaks when) and CTM (words)."""

from __future__ import annotations

import math
import re
from pathlib import PurePath

from nbasr.errors import OptionError
from nbasr.text.cleaning import flat
from nbasr.transcript.spans import must_have_words
from nbasr.transcript.transcript import Segment, Transcript

_UNKNOWN = "<NA>"
"""What RTTM writes where nothing is known (NIST RT-09 evaluation plan, appendix A)."""


def to_labels(transcript: Transcript) -> str:
    """Return Audacity labels: start, stop and text, parted by tabs."""
    return "".join(
        f"{segment.start:.6f}\t{segment.stop:.6f}\t{flat(segment.text)}\n"
        for segment in transcript.segments
    )


def from_labels(text: str) -> Transcript:
    """Return a transcript with a segment per Audacity label.

    Raises
    ------
    OptionError
        If a line is no label.
    """
    segments = []
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        if not line.strip() or line.startswith("\\"):  # \ begins the frequencies of a label
            continue
        try:
            start, stop, *label = line.split("\t", 2)
            segments.append(Segment(float(start), float(stop), label[0] if label else ""))
        except ValueError as error:
            reason = f": {error}" if isinstance(error, OptionError) else ""
            raise OptionError(
                f"Line {number} is no Audacity label (start, tab, stop, tab, text){reason}."
            ) from None
    return Transcript(tuple(segments), max((s.stop for s in segments), default=0.0))


def to_rttm(transcript: Transcript) -> str:
    """Return a SPEAKER line per segment; ``<NA>`` where nobody knows who speaks."""
    name = _file_name(transcript)
    return "".join(
        f"SPEAKER {name} 1 {segment.start:.3f} {segment.stop - segment.start:.3f} "
        f"<NA> <NA> {_field(segment.speaker or '') or _UNKNOWN} <NA> <NA>\n"
        for segment in transcript.segments
    )


def to_ctm(transcript: Transcript) -> str:
    """Return a line per word: file, channel, start, duration, word and, if known, its score.

    Raises
    ------
    OptionError
        If a segment has a text but no word times.
    """
    ctm_needs(transcript)
    name = _file_name(transcript)
    lines = []
    for word in sorted(transcript.words, key=lambda word: word.start):
        spelled = _field(word.text)
        if spelled:
            score = "" if word.score is None else f" {min(max(word.score, 0), 1):.3f}"
            start, stop = math.floor(word.start * 1000 + 0.5), math.floor(word.stop * 1000 + 0.5)
            lines.append(
                f"{name} 1 {start / 1000:.3f} {(stop - start) / 1000:.3f} {spelled}{score}\n"
            )
    return "".join(lines)


def ctm_needs(transcript: Transcript) -> None:
    """Raise `OptionError` if a segment has a text but no word times."""
    must_have_words(transcript, "CTM has a line per word", "save as .TextGrid, .srt or .tsv")


def _file_name(transcript: Transcript) -> str:
    """Return the recording's name as these formats know it: no folder, no suffix, no space."""
    stem = _field(PurePath(flat(transcript.name)).stem).lstrip(";")  # ;; begins a comment
    return stem or "recording"


def _field(text: str) -> str:
    return re.sub(r"\s+", "_", flat(text))
