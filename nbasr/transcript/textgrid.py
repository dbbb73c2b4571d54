"""Praat TextGrid: tiers of intervals that leave no gap, text in quotes that double inside."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain

from nbasr.errors import OptionError
from nbasr.text.cleaning import flat
from nbasr.text.joining import join
from nbasr.transcript.lanes import SEGMENTS, WORDS, lanes
from nbasr.transcript.transcript import Segment, Transcript, Word

_TICK = 1e-6
"""Times are written to the microsecond."""

_TOKEN = re.compile(r'"((?:[^"]|"")*)"|(?<!\S)([-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)(?!\S)')
"""A text or a free-standing number: all else in a TextGrid is comment (Praat manual,
"TextGrid file formats"), so the long and the short form read the same."""

_TIER = re.compile(rf"(?:{SEGMENTS}|{WORDS})(?: \((.*)\))?(?: \d+)?", re.DOTALL)
_WORD_TIER = re.compile(r"words?\b|.*\bwords?$", re.IGNORECASE | re.DOTALL)
_SOUND_TIER = re.compile(r".*\b(?:phone|phoneme|segmental|syllable)s?\b", re.IGNORECASE | re.DOTALL)

_PAUSE = 0.3
"""A gap between words that ends a segment where the file has only words, in seconds."""

_Intervals = list[tuple[float, float, str]]
_Tokens = Iterator[tuple[str | None, str | None]]


def to_textgrid(transcript: Transcript) -> str:
    """Return a TextGrid in the long form, tiers ``segments`` and, with word times, ``words``.

    Speakers have tiers of their own, ``segments (Ann)``; segments that overlap go to a further
    tier, ``segments 2``.
    """
    tiers: list[tuple[str, _Intervals]] = []
    for lane in lanes(transcript, _TICK):
        tiers.append((SEGMENTS + lane.suffix, [(s.start, s.stop, s.text) for s in lane.segments]))
        words = [(word.start, word.stop, word.text) for word in lane.words]
        if words:
            tiers.append((WORDS + lane.suffix, words))
    last = max((stop for _, intervals in tiers for _, stop, _ in intervals), default=0.0)
    end = max(last, round(transcript.duration, 6)) or 1.0  # Praat opens none of 0 s
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', ""]
    lines += ["xmin = 0", f"xmax = {_number(end)}", "tiers? <exists>", f"size = {len(tiers)}"]
    lines.append("item []:")
    for index, (name, intervals) in enumerate(tiers, 1):
        filled = list(_filled(intervals, end))
        lines += [f"    item [{index}]:", '        class = "IntervalTier"']
        lines += [f"        name = {_quoted(name)}", "        xmin = 0"]
        lines += [f"        xmax = {_number(end)}", f"        intervals: size = {len(filled)}"]
        for number, (start, stop, text) in enumerate(filled, 1):
            lines += [f"        intervals [{number}]:", f"            xmin = {_number(start)}"]
            lines += [f"            xmax = {_number(stop)}", f"            text = {_quoted(text)}"]
    return "\n".join(lines) + "\n"


def from_textgrid(text: str) -> Transcript:
    """Return the transcript in a TextGrid of the long or the short form.

    Tiers of words give the words of the segments they lie in; tiers of phones and of points are
    passed over; other tiers are segments, their names the speakers unless one of ours. A file
    with nothing but words gets a segment between every two pauses.

    Raises
    ------
    OptionError
        If it is no TextGrid, or breaks off.
    """
    tokens = ((match[1], match[2]) for match in _TOKEN.finditer(text))
    segments: list[Segment] = []
    words: dict[str | None, list[Word]] = {}
    try:
        kind, content = _text(tokens), _text(tokens)
        if not kind.startswith("ooTextFile") or content != "TextGrid":
            raise OptionError("It is no TextGrid in text form (Praat also writes a binary one).")
        _, end, count = _value(tokens), _value(tokens), _value(tokens)
        for _ in range(int(count)):
            name, intervals = _tier(tokens)
            ours = _TIER.fullmatch(name)
            filled = [interval for interval in intervals if interval[2].strip()]
            if name.startswith(WORDS) if ours else _WORD_TIER.match(name):
                own = words.setdefault(ours[1] if ours else None, [])
                own += [Word(*interval) for interval in filled]
            elif ours or not _SOUND_TIER.match(name):
                speaker = ours[1] if ours else name.strip() or None
                segments += [Segment(*interval, speaker=speaker) for interval in filled]
    except (StopIteration, TypeError):
        raise OptionError("This TextGrid breaks off, or is no valid one.") from None
    given = _with_words(segments, words) if segments else _from_words(words)
    return Transcript(tuple(given), duration=end)


def _tier(tokens: _Tokens) -> tuple[str, _Intervals]:
    """Read one tier: its name and intervals, none of a tier of points."""
    kind, name = _text(tokens), _text(tokens)
    _, _, count = _value(tokens), _value(tokens), _value(tokens)
    intervals = []
    for _ in range(int(count)):
        start = _value(tokens)
        stop = _value(tokens) if kind == "IntervalTier" else start
        label = _text(tokens)
        if kind == "IntervalTier":
            intervals.append((start, stop, label))
    return name, intervals


def _text(tokens: _Tokens) -> str:
    text, _ = next(tokens)
    if text is None:
        raise TypeError("a number where a text should be")
    return text.replace('""', '"')


def _value(tokens: _Tokens) -> float:
    _, number = next(tokens)
    if number is None:
        raise TypeError("a text where a number should be")
    return float(number)


def _with_words(
    segments: Iterable[Segment], words: dict[str | None, list[Word]]
) -> Iterator[Segment]:
    """Yield the segments with the words whose middle lies in them, of the same speaker first."""
    for segment in segments:
        own = words.get(segment.speaker) or words.get(None) or []
        inside = tuple(w for w in own if segment.start <= (w.start + w.stop) / 2 <= segment.stop)
        yield Segment(
            segment.start, segment.stop, segment.text, words=inside, speaker=segment.speaker
        )


def _from_words(words: dict[str | None, list[Word]]) -> Iterator[Segment]:
    """Yield segments made of words alone, cut at pauses."""
    for speaker, own in words.items():
        run: list[Word] = []
        for word in chain(own, [None]):
            if run and (word is None or word.start - run[-1].stop >= _PAUSE):
                text = join(said.text for said in run)
                yield Segment(run[0].start, run[-1].stop, text, tuple(run), speaker=speaker)
                run = []
            if word is not None:
                run.append(word)


def _filled(intervals: _Intervals, end: float) -> Iterator[tuple[float, float, str]]:
    """Yield `intervals` and empty ones wherever they leave time free."""
    free = 0.0
    for start, stop, text in intervals:
        if start > free:
            yield free, start, ""
        yield start, stop, text
        free = stop
    if end > free:
        yield free, end, ""


def _number(seconds: float) -> str:
    return f"{seconds:.6f}".rstrip("0").rstrip(".")


def _quoted(text: str) -> str:
    return '"' + flat(text).replace('"', '""') + '"'
