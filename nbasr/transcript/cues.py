"""Cut a transcript into subtitles: short enough for two lines, long enough to be read."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

from nbasr.text.cleaning import single_spaced
from nbasr.text.joining import seam
from nbasr.text.scripts import width
from nbasr.transcript.atoms import Atom, atoms_of
from nbasr.transcript.transcript import Segment, Transcript

LINE_COLUMNS = 42
"""Most columns in a line (Netflix Timed Text Style Guide, English); a full-width character takes
two, so a Chinese or Japanese line holds 21."""

LINES = 2
"""Most lines in a cue (same source)."""

READING_SPEED = 20.0
"""Columns per second that adults read (same source, English: 20 characters per second)."""

MIN_SECONDS = 5 / 6
"""Shortest time that a cue is shown, where there is room (same source)."""

MAX_SECONDS = 7.0
"""Longest time that a cue should be shown (same source)."""

MIN_GAP = 0.083
"""What a cue that is shown longer leaves free before the next (same source: two frames)."""

JOINED = "\N{WORD JOINER}"
"""At the end of a line: the next line goes on without a space."""

_TICK = 0.001
"""Finest time in SRT and VTT, in seconds."""

_CUE_COST = 1.0
_SENTENCE_BREAK, _PAUSE_BREAK, _CLAUSE_BREAK, _WORD_BREAK, _FORCED_BREAK = 0.0, 0.2, 0.3, 1.0, 5.0
_GOOD_BREAK = 12
"""Columns by which two lines may differ more if the upper one ends better."""

_PAUSE = 0.5
"""A silence between two words that is as good a place for a cut as a comma, in seconds."""


@dataclasses.dataclass(frozen=True)
class Cue:
    """One subtitle: when it is shown (seconds, whole milliseconds) and its lines."""

    start: float
    stop: float
    lines: tuple[str, ...]
    speaker: str | None = None


def cues(transcript: Transcript, *, name_speakers: bool = False) -> list[Cue]:
    """Cut `transcript` into subtitles that do not overlap.

    A segment that does not fit is cut at ends of sentences, commas and pauses rather than
    elsewhere, by its word times, or in proportion to its text where there are none. Short cues
    stay until they can have been read, if the next one leaves room.

    Parameters
    ----------
    transcript : Transcript
        Segments without text are left out.
    name_speakers : bool, optional
        Put ``Name: `` before the text when another one begins to speak.
    """
    found: list[tuple[Cue, float]] = []
    speaker = None
    for segment in transcript.segments:
        text = single_spaced(segment.text)
        if not text:
            continue
        prefix = ""
        if name_speakers and segment.speaker and segment.speaker != speaker:
            prefix = f"{single_spaced(segment.speaker)}: "
        speaker = segment.speaker
        *parts, last = _split(segment, atoms_of(segment, text, LINE_COLUMNS, prefix))
        found += [*((cue, cue.stop) for cue in parts), (last, segment.stop)]
    return _settle(found, transcript.duration)


def layout(atoms: list[Atom]) -> tuple[str, ...]:
    """Put atoms that fit two lines into one or two, the two of about equal length."""
    if _columns(atoms) <= LINE_COLUMNS:
        return (_spell(atoms),)
    best, best_cost = 1, float("inf")
    for cut in range(1, len(atoms)):
        upper, lower = _columns(atoms[:cut]), _columns(atoms[cut:])
        if max(upper, lower) > LINE_COLUMNS:
            continue
        cost = abs(upper - lower) + _GOOD_BREAK * _break_cost(atoms[cut - 1], atoms[cut])
        cost += 2 * (upper > lower)  # of two lines the lower one is the longer
        if cost < best_cost:
            best, best_cost = cut, cost
    upper_text, lower_text = _spell(atoms[:best]), _spell(atoms[best:])
    return upper_text + _mark(upper_text, atoms[best].gap, lower_text), lower_text


def rejoin(lines: list[str]) -> str:
    """Return the text that was laid out in `lines`, by us or by others."""
    text = ""
    for line in lines:
        if text.endswith(JOINED):
            text = text[: -len(JOINED)] + line
        elif text.endswith(" "):
            text = text.rstrip(" ") + " " + line.lstrip()
        else:
            text += seam(text, line.lstrip()) + line.lstrip()
    return text.removesuffix(JOINED).strip()


def _mark(upper: str, gap: str, lower: str) -> str:
    """Return what the upper line must end with for `rejoin` to find its seam again."""
    expected = seam(upper, lower)
    if gap == expected:
        return ""
    return " " if gap else JOINED


def _split(segment: Segment, atoms: list[Atom]) -> list[Cue]:
    """Cut one segment where it costs least (dynamic programming over its atoms)."""
    costs = [0.0] + [float("inf")] * len(atoms)
    origin = [0] * (len(atoms) + 1)
    for first in range(len(atoms)):
        for last in _reach(atoms, first):
            cost = costs[first] + _cue_cost(atoms, first, last)
            if cost < costs[last]:
                costs[last], origin[last] = cost, first
    cuts = [len(atoms)]
    while cuts[-1]:
        cuts.append(origin[cuts[-1]])
    return [
        Cue(part[0].start, part[-1].stop, layout(part), segment.speaker)
        for stop, start in reversed(list(pairwise(cuts)))
        for part in (atoms[start:stop],)
    ]


def _reach(atoms: list[Atom], first: int) -> range:
    """Return the ends of all cues that begin with the atom `first` and fit into `LINES` lines."""
    line, columns = 1, 0
    for index in range(first, len(atoms)):
        atom = atoms[index]
        if columns and columns + len(atom.gap) + atom.columns > LINE_COLUMNS:
            line, columns = line + 1, 0
        if line > LINES:
            return range(first + 1, index + 1)
        columns += atom.columns + (len(atom.gap) if columns else 0)
    return range(first + 1, len(atoms) + 1)


def _cue_cost(atoms: list[Atom], first: int, last: int) -> float:
    """Return how bad it is to show the atoms `first` to `last` (not included) as one cue."""
    columns = atoms[last - 1].reach - atoms[first].reach + atoms[first].columns
    seconds = atoms[last - 1].stop - atoms[first].start
    whole = first == 0 and last == len(atoms)
    cost = _CUE_COST + 0.5 * (1 - columns / (LINES * LINE_COLUMNS)) ** 2
    cost += 0.5 * max(0.0, columns / READING_SPEED - seconds)
    cost += max(0.0, seconds - MAX_SECONDS)
    cost += 0.0 if whole else 2 * max(0.0, MIN_SECONDS - seconds)
    return cost + (_break_cost(atoms[last - 1], atoms[last]) if last < len(atoms) else 0.0)


def _break_cost(before: Atom, after: Atom) -> float:
    """Return how bad it is to break between two atoms."""
    if before.chopped:
        return _FORCED_BREAK
    ending = before.text.rstrip("\"'”’»)]」』")[-1:]
    if ending and ending in ".!?…。！？؟।":
        return _SENTENCE_BREAK
    if after.start - before.stop >= _PAUSE:
        return _PAUSE_BREAK
    return _CLAUSE_BREAK if ending and ending in ",;:，、；：،؛—–" else _WORD_BREAK


def _columns(atoms: list[Atom]) -> int:
    return atoms[-1].reach - atoms[0].reach + atoms[0].columns


def _spell(atoms: list[Atom]) -> str:
    return atoms[0].text + "".join(atom.gap + atom.text for atom in atoms[1:])


def _settle(found: list[tuple[Cue, float]], duration: float) -> list[Cue]:
    """Round to milliseconds, keep each cue long enough to be read, and undo overlaps.

    With each cue comes until when it may stay, if the next leaves room: the last of a segment stays
    until the segment stops, which may be after its last word.
    """
    found.sort(key=lambda one: one[0].start)
    settled: list[Cue] = []
    free = 0  # everything here counts milliseconds, so that rounding cannot overlap
    for index, (cue, until) in enumerate(found):
        own = round((cue.stop - cue.start) / _TICK)
        following = round(found[index + 1][0].start / _TICK) if index + 1 < len(found) else None
        start = max(round(cue.start / _TICK), free)
        stop = max(round(cue.stop / _TICK), start + 1)
        columns = sum(width(line) for line in cue.lines)
        wanted = start + round(max(MIN_SECONDS, columns / READING_SPEED) / _TICK)
        if following is not None:
            wanted = min(wanted, following - round(MIN_GAP / _TICK))
        elif duration:
            wanted = min(wanted, round(duration / _TICK))
        stays = round(until / _TICK)
        stop = max(stop, wanted, stays if following is None else min(stays, following))
        if following is not None and stop > following:
            # two talk at once: the first keeps the shortest readable time, the second waits
            stop = max(following, start + max(1, min(own, round(MIN_SECONDS / _TICK))))
        free = stop
        settled.append(dataclasses.replace(cue, start=start * _TICK, stop=stop * _TICK))
    return settled
