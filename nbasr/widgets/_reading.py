"""A transcript as it is corrected: lines that keep their names, and steps that can be undone."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from nbasr.errors import OptionError
from nbasr.transcript import Segment, Transcript

DEPTH = 200
"""Steps that can be undone."""

_Key = tuple[float, float, str, str | None]


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A segment, and the number by which the browser means it: edits around it do not change that.

    Parameters
    ----------
    number
        From 0, never given twice.
    segment
        What was said.
    """

    number: int
    segment: Segment


@dataclass(frozen=True)
class Step:
    """What a change replaced by what.

    Parameters
    ----------
    first
        Index of the first line that changed.
    removed, added
        The lines before, and after.
    """

    first: int
    removed: tuple[Line, ...]
    added: tuple[Line, ...]

    @property
    def back(self) -> Step:
        """The step that takes it back."""
        return Step(self.first, self.added, self.removed)

    def done(self, lines: tuple[Line, ...]) -> tuple[Line, ...]:
        """Return lines after it."""
        return (*lines[: self.first], *self.added, *lines[self.first + len(self.removed) :])


@dataclass(frozen=True)
class Machine:
    """What the machine heard, and which lines are still as it gave them."""

    transcript: Transcript

    @cached_property
    def _keys(self) -> dict[_Key, Segment]:
        return {_key(segment): segment for segment in self.transcript.segments}

    @cached_property
    def _own(self) -> frozenset[int]:
        return frozenset(id(segment) for segment in self.transcript.segments)

    def gave(self, segment: Segment) -> bool:
        """Whether it gave this very segment, doubts and words included."""
        return id(segment) in self._own

    def same(self, segment: Segment) -> Segment | None:
        """Return its segment of the same times, text and speaker."""
        return segment if self.gave(segment) else self._keys.get(_key(segment))

    def edits(self, lines: Sequence[Line]) -> int:
        """Return how many lines differ: put in, taken out or changed, each place counted once."""
        kept, come = set(), []
        for line in lines:
            same = self.same(line.segment)
            if same is None:
                come.append(line.segment.start)
            else:
                kept.add(id(same))
        own = self.transcript.segments
        if not come and len(kept) == len(own):
            return 0
        gone = [segment.start for segment in own if id(segment) not in kept]
        edges = [segment.start for segment in own if id(segment) in kept]
        return _places(edges, gone, come)

    def between(self, start: float, stop: float) -> list[int]:
        """Return the indices of its segments that are said in a stretch of time."""
        return [
            index
            for index, segment in enumerate(self.transcript.segments)
            if overlaps(segment, start, stop)
        ]


@dataclass(frozen=True)
class Reading:
    """The lines and how they came about. Every method returns a new one.

    Parameters
    ----------
    machine
        What the machine heard.
    transcript
        As corrected; `lines` are its segments.
    lines
        In order.
    past, future
        Steps to go back, the last one last; steps that were undone, the last one last.
    next_number
        Of the next new line.
    """

    machine: Machine
    transcript: Transcript
    lines: tuple[Line, ...]
    past: tuple[Step, ...] = ()
    future: tuple[Step, ...] = ()
    next_number: int = 0

    @classmethod
    def begun(cls, transcript: Transcript) -> Reading:
        """Return the reading of what a machine heard, without a past."""
        lines = tuple(Line(number, one) for number, one in enumerate(transcript.segments))
        return cls(Machine(transcript), transcript, lines, next_number=len(lines))

    @cached_property
    def edits(self) -> int:
        """How many lines are not as the machine gave them."""
        return self.machine.edits(self.lines)

    def index(self, number: int) -> int:
        """Return where a line is.

        Raises
        ------
        OptionError
            If it is gone.
        """
        for index, line in enumerate(self.lines):
            if line.number == number:
                return index
        raise OptionError(
            "That line is no longer there: the transcript has changed meanwhile. Nothing was done."
        )

    def stepped(self, transcript: Transcript, *, join: bool = False) -> tuple[Reading, Step]:
        """Go on to a corrected transcript; what stayed in it keeps its lines.

        Parameters
        ----------
        transcript
            As corrected.
        join
            Whether this is more of the last step, and taken back with it.
        """
        change, number = self._compared(transcript.segments)
        lines = change.done(self.lines)
        if not (change.removed or change.added):
            return dataclasses.replace(self, transcript=_of(transcript, lines)), change
        past = (*self.past, change)
        if join and self.past:
            before = self.past[-1].back.done(self.lines)
            past = (*self.past[:-1], _difference(before, lines))
        made = Reading(self.machine, _of(transcript, lines), lines, past[-DEPTH:], (), number)
        return made, change

    def grown(self, transcript: Transcript) -> tuple[Reading, Step]:
        """Go on to more of what a machine hears: no step, as nobody has corrected anything."""
        step, number = self._compared(transcript.segments)
        lines = step.done(self.lines)
        heard = _of(transcript, lines)
        return Reading(Machine(heard), heard, lines, next_number=number), step

    def undone(self) -> tuple[Reading, Step]:
        """Take the last step back.

        Raises
        ------
        OptionError
            If there is none.
        """
        if not self.past:
            raise OptionError("There is nothing to undo.")
        *past, step = self.past
        return self._moved(step.back, tuple(past), (*self.future, step)), step.back

    def redone(self) -> tuple[Reading, Step]:
        """Take a step again that was taken back.

        Raises
        ------
        OptionError
            If there is none.
        """
        if not self.future:
            raise OptionError("There is nothing to redo.")
        *future, step = self.future
        return self._moved(step, (*self.past, step)[-DEPTH:], tuple(future)), step

    def _moved(self, step: Step, past: tuple[Step, ...], future: tuple[Step, ...]) -> Reading:
        lines = step.done(self.lines)
        transcript = _of(self.transcript, lines)
        return Reading(self.machine, transcript, lines, past, future, self.next_number)

    def _compared(self, segments: tuple[Segment, ...]) -> tuple[Step, int]:
        """Return what must change for the lines to be `segments`, and the next free number."""
        lines = self.lines
        head, most = 0, min(len(lines), len(segments))
        while head < most and _same(lines[head].segment, segments[head]):
            head += 1
        tail, most = 0, most - head
        while tail < most and _same(lines[-1 - tail].segment, segments[-1 - tail]):
            tail += 1
        removed = lines[head : len(lines) - tail]
        added, number = _named(removed, segments[head : len(segments) - tail], self.next_number)
        return Step(head, removed, added), number


def _of(transcript: Transcript, lines: Sequence[Line]) -> Transcript:
    """Return a transcript whose segments are those of the lines themselves, not only equal."""
    own = transcript.segments
    if len(own) == len(lines) and all(
        line.segment is one for line, one in zip(lines, own, strict=True)
    ):
        return transcript
    return dataclasses.replace(transcript, segments=tuple(line.segment for line in lines))


def _difference(old: Sequence[Line], new: Sequence[Line]) -> Step:
    """Return the step from lines to others."""
    head = tail = 0
    most = min(len(old), len(new))
    while head < most and old[head] is new[head]:
        head += 1
    while tail < most - head and old[-1 - tail] is new[-1 - tail]:
        tail += 1
    return Step(head, tuple(old[head : len(old) - tail]), tuple(new[head : len(new) - tail]))


def overlaps(segment: Segment, start: float, stop: float) -> bool:
    """Whether more than half of a segment, or of the stretch, is in the other."""
    shared = min(segment.stop, stop) - max(segment.start, start)
    shorter = min(segment.stop - segment.start, stop - start)
    return shared > shorter / 2 if shorter > 0 else shared >= 0


def _named(
    old: Sequence[Line], segments: Sequence[Segment], number: int
) -> tuple[tuple[Line, ...], int]:
    """Return lines for segments: the same where a segment stayed, else of the same number in turn.

    A line that was changed so stays the same line for the browser, and what is split goes on with
    the number of the whole.
    """
    waiting = {id(line.segment): line for line in old}
    stayed = [waiting.pop(id(segment), None) for segment in segments]
    free = iter([line.number for line in old if id(line.segment) in waiting])
    lines = []
    for segment, line in zip(segments, stayed, strict=True):
        if line is None:
            given = next(free, None)
            line = Line(number if given is None else given, segment)
            number += given is None
        lines.append(line)
    return tuple(lines), number


def _same(some: Segment, other: Segment) -> bool:
    return some is other or some == other


def _key(segment: Segment) -> _Key:
    return segment.start, segment.stop, segment.text, segment.speaker


def _places(kept: list[float], gone: list[float], come: list[float]) -> int:
    """Count changes: between two lines that stayed, what came stands for what went."""
    count = at_gone = at_come = 0
    for edge in (*kept, float("inf")):
        first_gone, first_come = at_gone, at_come
        while at_gone < len(gone) and gone[at_gone] <= edge:
            at_gone += 1
        while at_come < len(come) and come[at_come] <= edge:
            at_come += 1
        count += max(at_gone - first_gone, at_come - first_come)
    return count
