"""SRT and WebVTT, written so that no text can be taken for markup, and read as they are found."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from nbasr.errors import OptionError
from nbasr.text.cleaning import single_spaced
from nbasr.transcript.cues import cues, rejoin
from nbasr.transcript.transcript import Segment, Transcript

_TIME = r"(?:(\d+):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
_TIMING = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(?:\s.*)?$")

_GUARD = "\N{WORD JOINER}"
"""SRT has no escapes: this invisible character keeps players from seeing markup in the text."""

_SRT_MARKUP = re.compile(r"<(?=[A-Za-z/!])|\{(?=\\)|--(?=>)")
_SRT_GUARDED = re.compile(rf"(?:(?<=<)(?=.[A-Za-z/!])|(?<=\{{)(?=.\\)|(?<=--)(?=.>)){_GUARD}")
_SRT_TAG = re.compile(r"</?(?:[biu]|font|span)\b[^>]*>|\{\\[^}]*\}", re.IGNORECASE)
_VTT_TAG = re.compile(r"<[^>]*>")
_VTT_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]*)>")


def to_srt(transcript: Transcript) -> str:
    """Return SubRip subtitles; who speaks is named where it changes."""
    blocks = []
    for number, cue in enumerate(cues(transcript, name_speakers=True), 1):
        text = _SRT_MARKUP.sub(lambda found: found[0] + _GUARD, "\n".join(cue.lines))
        blocks.append(f"{number}\n{_times(cue.start, cue.stop, ',')}\n{text}\n\n")
    return "".join(blocks)


def to_vtt(transcript: Transcript) -> str:
    """Return WebVTT subtitles; who speaks is in voice tags, notes of the transcript in notes."""
    blocks = ["WEBVTT\n\n"]
    blocks += [f"NOTE {_vtt(single_spaced(note))}\n\n" for note in transcript.notes]
    for cue in cues(transcript):
        voice = f"<v {_vtt(single_spaced(cue.speaker))}>" if cue.speaker else ""
        text = voice + "\n".join(map(_vtt, cue.lines))
        blocks.append(f"{_times(cue.start, cue.stop, '.')}\n{text}\n\n")
    return "".join(blocks)


def from_srt(text: str) -> Transcript:
    """Return a transcript with a segment per subtitle.

    Raises
    ------
    OptionError
        If there is text but no subtitle.
    """
    segments = []
    for start, stop, lines in _blocks(text):
        bare = rejoin([_SRT_TAG.sub("", line) for line in lines])
        segments.append(Segment(start, stop, _SRT_GUARDED.sub("", bare)))
    if not segments and text.strip():
        raise OptionError("There is no subtitle in it (00:00:01,000 --> 00:00:02,000 and a text).")
    return _transcript(segments)


def from_vtt(text: str) -> Transcript:
    """Return a transcript with a segment per cue, speakers from voice tags.

    Raises
    ------
    OptionError
        If it does not begin as WebVTT does.
    """
    if not re.match(r"WEBVTT(?:\s|$)", text):
        raise OptionError("It does not begin with WEBVTT.")
    segments = []
    for start, stop, lines in _blocks(text):
        voice = _VTT_VOICE.search("\n".join(lines))
        bare = rejoin([html.unescape(_VTT_TAG.sub("", line)) for line in lines])
        speaker = html.unescape(voice[1]).strip() if voice else None
        segments.append(Segment(start, stop, bare, speaker=speaker or None))
    return _transcript(segments)


def _transcript(segments: list[Segment]) -> Transcript:
    duration = max((segment.stop for segment in segments), default=0.0)
    return Transcript(tuple(segments), duration=duration)


def _blocks(text: str) -> Iterator[tuple[float, float, list[str]]]:
    """Yield start, stop and lines of each cue; what stands between cues is passed over."""
    timing, lines = None, list[str]()
    for line in [*re.split(r"\r\n|\r|\n", text), ""]:
        found = _TIMING.match(line)
        if timing and (found or not line.strip()):
            if found and lines and lines[-1].strip().isdigit():
                lines.pop()  # a number whose blank line is missing
            start, stop = _seconds(*timing.groups()[:4]), _seconds(*timing.groups()[4:])
            yield start, max(start, stop), lines
            timing, lines = None, []
        if found:
            timing = found
        elif timing:
            lines.append(line)


def _seconds(hours: str | None, minutes: str, seconds: str, fraction: str) -> float:
    whole = int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)
    return (whole * 1000 + int(fraction.ljust(3, "0"))) / 1000


def _times(start: float, stop: float, point: str) -> str:
    return f"{_clock(start, point)} --> {_clock(stop, point)}"


def _clock(seconds: float, point: str) -> str:
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    minutes, rest = divmod(whole, 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest:02d}{point}{thousandths:03d}"


def _vtt(text: str) -> str:
    return html.escape(text, quote=False)
