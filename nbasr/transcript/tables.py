"""Tables: CSV and TSV with a row per segment, and pandas data frames."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, Literal

from nbasr.errors import OptionError, did_you_mean
from nbasr.transcript.spans import must_have_words
from nbasr.transcript.transcript import Segment, Transcript

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ("start", "stop", "text", "speaker", "language", "score", "flags")
_WORD_COLUMNS = ("start", "stop", "text", "score", "speaker", "segment")
_WHISPER_COLUMNS = ["start", "end", "text"]
"""Header of the TSV that openai-whisper writes, with times in milliseconds."""


def to_dataframe(
    transcript: Transcript, of: Literal["segments", "words"] = "segments"
) -> pd.DataFrame:
    """Return a row per segment or per word; see `Transcript.to_dataframe`."""
    import pandas as pd

    if of not in ("segments", "words"):
        guess = did_you_mean(str(of), ("segments", "words"))
        raise OptionError(f"A row is one of segments or words, not {of!r}.{guess}")
    if of == "words" and not transcript.words:
        must_have_words(transcript, "A table of words has a row per word", "take to_dataframe()")
    columns = _COLUMNS if of == "segments" else _WORD_COLUMNS
    rows = _segment_rows(transcript) if of == "segments" else _word_rows(transcript)
    frame = pd.DataFrame(rows, columns=list(columns))
    numbers = ["start", "stop", "score"]
    return frame.astype({**dict.fromkeys(numbers, "float64"), **_whole(of)})


def to_csv(transcript: Transcript) -> str:
    """Return comma-separated values; seconds to the millisecond, text in quotes where it must."""
    return _write(transcript, ",")


def to_tsv(transcript: Transcript) -> str:
    """Return tab-separated values; text with a tab, a quote or a line break stands in quotes."""
    return _write(transcript, "\t")


def from_csv(text: str) -> Transcript:
    """Return the transcript in a table with a header that names start, stop (or end) and text.

    Raises
    ------
    OptionError
        If a column is missing or a time no number.
    """
    return _read(text, ",")


def from_tsv(text: str) -> Transcript:
    """Return the transcript in a TSV, ours or openai-whisper's (times in milliseconds)."""
    return _read(text, "\t")


def _write(transcript: Transcript, delimiter: str) -> str:
    lines = [delimiter.join(_COLUMNS)]
    for start, stop, text, speaker, language, score, flags in _segment_rows(transcript):
        confidence = "" if score is None else repr(score)
        fields = [f"{start:.3f}", f"{stop:.3f}", text, speaker or "", language or ""]
        lines.append(delimiter.join(_quoted(f, delimiter) for f in [*fields, confidence, flags]))
    return "\n".join([*lines, ""])


def _quoted(field: str, delimiter: str) -> str:
    """Return `field`, in quotes where it needs them (csv.writer overlooks a carriage return)."""
    if any(char in field for char in (delimiter, '"', "\n", "\r")):
        return '"' + field.replace('"', '""') + '"'
    return field


def _read(text: str, delimiter: str) -> Transcript:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        scale = 1000 if header == _WHISPER_COLUMNS and delimiter == "\t" else 1
        names = ["stop" if name == "end" else name for name in header]
        missing = [name for name in ("start", "stop", "text") if name not in names]
        if missing:
            raise OptionError(f"Its header has no column {' and '.join(missing)}.")
        segments = tuple(
            _segment(dict(zip(names, row, strict=False)), reader.line_num, scale)
            for row in reader
            if row
        )
    except csv.Error as error:
        raise OptionError(f"Line {reader.line_num} is no table row ({error}).") from None
    return Transcript(segments, max((segment.stop for segment in segments), default=0.0))


def _segment(row: dict[str, str], line: int, scale: int) -> Segment:
    try:
        return Segment(
            start=float(row["start"]) / scale,
            stop=float(row["stop"]) / scale,
            text=row["text"],
            speaker=row.get("speaker") or None,
            language=row.get("language") or None,
            score=float(row["score"]) if row.get("score") else None,
            flags=tuple(flag for flag in row.get("flags", "").split(";") if flag),
        )
    except (KeyError, ValueError) as error:
        reason = "it is cut off" if isinstance(error, KeyError) else str(error)
        raise OptionError(f"Line {line} is no segment: {reason}.") from None


def _segment_rows(transcript: Transcript) -> list[tuple[Any, ...]]:
    return [
        (s.start, s.stop, s.text, s.speaker, s.language, s.score, ";".join(s.flags))
        for s in transcript.segments
    ]


def _word_rows(transcript: Transcript) -> list[tuple[Any, ...]]:
    return [
        (word.start, word.stop, word.text, word.score, segment.speaker, index)
        for index, segment in enumerate(transcript.segments)
        for word in segment.words
    ]


def _whole(of: str) -> dict[str, str]:
    return {"segment": "int64"} if of == "words" else {}
