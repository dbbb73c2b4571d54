"""A transcript as plain data, which is what JSON holds."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

from nbasr.errors import OptionError
from nbasr.transcript.transcript import Segment, Transcript, Word

VERSION = 1
"""Grows when an older reader could no longer understand the file."""


def to_dict(transcript: Transcript) -> dict[str, Any]:
    """Return `transcript` as dicts, lists, strings and numbers."""
    values = {
        field.name: getattr(transcript, field.name)
        for field in dataclasses.fields(transcript)
        if field.name not in ("segments", "recording")
    }
    values["notes"] = list(transcript.notes)
    segments = [segment_to_dict(segment) for segment in transcript.segments]
    return {"nbasr": VERSION, **values, "segments": segments}


def segment_to_dict(segment: Segment) -> dict[str, Any]:
    """Return a segment as dicts, lists, strings and numbers."""
    described = _set_fields(segment)
    if segment.words:
        described["words"] = [_set_fields(word) for word in segment.words]
    if segment.flags:
        described["flags"] = list(segment.flags)
    return described


def _set_fields(of: Word | Segment) -> dict[str, Any]:
    """Return the fields that do not hold their default."""
    return {
        field.name: getattr(of, field.name)
        for field in dataclasses.fields(of)
        if getattr(of, field.name) != field.default
    }


def from_dict(values: Mapping[str, Any]) -> Transcript:
    """Return the transcript that `values` describe: ours, or openai-whisper's JSON."""
    try:
        version = values.get("nbasr", VERSION)
        if version > VERSION:
            raise OptionError(
                f"This transcript was written by a newer nbasr (format {version}); "
                "update nbasr to read it."
            )
        segments = tuple(segment_from_dict(item) for item in values["segments"])
        duration = values.get("duration", max((s.stop for s in segments), default=0.0))
        return Transcript(
            segments=segments,
            duration=duration,
            language=_text_or_none(values.get("language")),
            model=_text(values.get("model", "")),
            name=_text(values.get("name", "")),
            seconds=values.get("seconds"),
            recognized=values.get("recognized"),
            complete=bool(values.get("complete", True)),
            notes=tuple(_text(note) for note in values.get("notes", ())),
        )
    except OptionError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise OptionError(
            f"This is no transcript: {_reason(error)}; see Transcript.to_dict for what one holds."
        ) from None


def to_json(transcript: Transcript) -> str:
    """Return JSON that `from_json` turns into an equal transcript."""
    return json.dumps(to_dict(transcript), ensure_ascii=False, indent=1) + "\n"


def from_json(text: str) -> Transcript:
    """Return the transcript in a JSON text.

    Raises
    ------
    OptionError
        If it is not JSON or no transcript.
    """
    try:
        values = json.loads(text)
    except ValueError as error:
        raise OptionError(f"This is not JSON ({error}).") from None
    return from_dict(values)


def segment_from_dict(item: Mapping[str, Any]) -> Segment:
    """Return the segment that `segment_to_dict` described."""
    return Segment(
        start=item["start"],
        stop=_stop(item),
        text=_text(item["text"]),
        words=tuple(_word(word) for word in item.get("words", ())),
        language=_text_or_none(item.get("language")),
        speaker=_text_or_none(item.get("speaker")),
        score=_score(item, "avg_logprob"),
        flags=tuple(_text(flag) for flag in item.get("flags", ())),
    )


def _word(item: Mapping[str, Any]) -> Word:
    return Word(
        start=item["start"],
        stop=_stop(item),
        text=_text(item["text"] if "text" in item else item["word"].strip()),
        score=item.get("score", item.get("probability")),
    )


def _stop(item: Mapping[str, Any]) -> Any:
    return item["stop"] if "stop" in item else item["end"]


def _score(item: Mapping[str, Any], log_probability: str) -> Any:
    if "score" not in item and log_probability in item:
        return math.exp(item[log_probability])
    return item.get("score")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value


def _text_or_none(value: Any) -> str | None:
    return None if value is None else _text(value)


def _reason(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)
