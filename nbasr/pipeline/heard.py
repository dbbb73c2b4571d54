"""What was heard of a work so far, and the transcripts of it: at any time, for any thread."""

from __future__ import annotations

import dataclasses
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence

from nbasr.chunking import Chunk
from nbasr.engines.base import Recognition
from nbasr.pipeline.progress import clock
from nbasr.pipeline.seams import Interval, placed, snapped, without_overlap
from nbasr.pipeline.work import Item, Work
from nbasr.transcript.transcript import Segment, Transcript
from nbasr.transcript.transcripts import Transcripts

_NOTES = {
    "truncated": "in places the answer was cut short, even in short pieces; they are marked",
    "repetition": "in places the answer ran in circles, even in short pieces; they are marked",
    "no_speech": "in places the model itself said that nobody speaks; its guess was dropped",
    "failed": "in places the model failed and gave no text; try a shorter max_seconds there",
    "prompt_cut": "only the end of the prompt fitted into the model",
}
"""What the reader of a transcript is told of the flags in it."""


class Heard:
    """The answers of the model, chunk by chunk, as they come.

    One thread adds to it; any may ask it for the transcripts.

    Parameters
    ----------
    work
        What is being done.
    """

    def __init__(self, work: Work) -> None:
        self.work = work
        self.took = 0.0
        """Seconds of work, without waiting for others."""
        self.notes: Sequence[str] = ()
        """What the reader is told of how it went."""
        self._lock = threading.Lock()
        self._results: dict[Item, Recognition] = {}
        self._instead: Callable[[], list[Transcript]] | None = None
        self._version = 0
        self._made: tuple[tuple[int, bool], Transcripts] | None = None

    def __len__(self) -> int:
        return len(self._results)

    @property
    def is_whole(self) -> bool:
        """Whether every chunk was heard."""
        return len(self) == len(self.work.items)

    @property
    def seconds(self) -> float:
        """Seconds of audio that were heard."""
        with self._lock:
            return sum(item.chunk.duration for item in self._results)

    def add(self, item: Item, found: Recognition) -> None:
        """Take the answer for a chunk."""
        with self._lock:
            self._results[item] = found
            self._version += 1

    def follow(self, make: Callable[[], list[Transcript]]) -> None:
        """Take the transcripts from elsewhere from now on, where their words get times."""
        with self._lock:
            self._instead = make
            self._version += 1

    def touch_words(self) -> None:
        """Note that words may have got times since."""
        with self._lock:
            self._version += self._instead is not None

    def transcripts(self, *, ended: bool = True) -> Transcripts:
        """Return the transcripts of what was heard; the same ones if nothing has come since.

        Parameters
        ----------
        ended
            Whether nothing more will come.
        """
        with self._lock:
            key = (self._version, ended)
            if self._made is None or self._made[0] != key:
                made = self._instead() if self._instead is not None else self._put_together(ended)
                if not ended and self.work.aligner is not None:
                    made = [dataclasses.replace(one, complete=False) for one in made]
                self._made = (key, Transcripts(made))
            return self._made[1]

    def _put_together(self, ended: bool) -> list[Transcript]:
        work = self.work
        by_recording: dict[int, dict[int, Recognition]] = defaultdict(dict)
        for item, result in self._results.items():
            by_recording[item.recording][item.position] = result
        done = sum(item.chunk.duration for item in self._results) or 1.0
        made = []
        for index, (recording, plan) in enumerate(zip(work.recordings, work.plans, strict=True)):
            found = by_recording[index]
            complete = len(found) == len(plan.chunks)
            seconds = sum(plan.chunks[position].duration for position in found)
            notes = [f"the recording {problem}" for problem in recording.problems]
            notes += self.notes
            if not complete:
                total = sum(chunk.duration for chunk in plan.chunks)
                so_far = f"{clock(seconds)} of {clock(total)} recognised"
                notes.append(f"interrupted: {so_far}" if ended else f"at work: {so_far}")
            flags = {flag for result in found.values() for flag in result.flags}
            notes += [note for flag, note in _NOTES.items() if flag in flags]
            if work.options.model == "auto" and work.spec.engine == "sphinx":
                notes.append("a draft by the embedded engine; name a model for real work")
            made.append(
                Transcript(
                    segments=tuple(_segments(plan.chunks, plan.speech, found)),
                    duration=recording.duration,
                    language=_language(plan.chunks, found),
                    model=work.spec.name,
                    name=recording.name,
                    seconds=self.took * seconds / done,
                    recognized=seconds,
                    complete=complete,
                    notes=tuple(notes),
                    recording=recording,
                )
            )
        return made


def _segments(
    chunks: tuple[Chunk, ...], speech: tuple[Interval, ...], found: dict[int, Recognition]
) -> list[Segment]:
    """Lay the recognised chunks of one recording onto its time axis."""
    laid: list[Segment] = []
    before: list[Segment] = []
    for position, chunk in enumerate(chunks):
        if position not in found:
            laid, before = laid + before, []
            continue
        result = found[position]
        inside = [
            (max(start, chunk.start), min(stop, chunk.stop))
            for start, stop in speech
            if start < chunk.stop and stop > chunk.start
        ]
        here = snapped(
            [
                _labelled(placed(s, chunk.start, chunk.start, chunk.stop), result)
                for s in result.segments
            ],
            inside,
        )
        if chunk.overlap:
            shared = (chunk.start, chunk.start + chunk.overlap)
            before, here = without_overlap(before, here, shared)
        laid, before = laid + before, here
    return laid + before


def _labelled(segment: Segment, result: Recognition) -> Segment:
    """Give a segment the language and the flags of its chunk where it has none of its own."""
    return dataclasses.replace(
        segment,
        language=segment.language or result.language,
        flags=tuple(dict.fromkeys((*segment.flags, *result.flags))),
    )


def _language(chunks: tuple[Chunk, ...], found: dict[int, Recognition]) -> str | None:
    """Return the language heard for the longest time."""
    seconds: dict[str, float] = defaultdict(float)
    for position, result in found.items():
        if result.language and result.text:
            seconds[result.language] += chunks[position].duration
    return max(seconds, key=lambda name: seconds[name], default=None)
