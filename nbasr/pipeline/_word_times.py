"""Aligning transcripts: what can be aligned, as much at once as memory allows, put in its place."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from nbasr import memory
from nbasr.engines._aligner_words import is_spoken, lines_of
from nbasr.engines.aligner import must_know
from nbasr.engines.languages import language_code
from nbasr.errors import ModelWarning, NbasrError, OptionError, OutOfMemoryError
from nbasr.memory.shortage import ran_out
from nbasr.models import estimating
from nbasr.pipeline import turns
from nbasr.pipeline._stretches import Stretch, halves_of, strays, stretches_of, with_words_of
from nbasr.pipeline.batching import pack
from nbasr.pipeline.progress import Listener, Progress, clock
from nbasr.transcript.transcript import Segment, Transcript, Word

if TYPE_CHECKING:
    from nbasr.audio.recording import Recording
    from nbasr.engines.aligner import Aligner
    from nbasr.engines.base import EngineSpec

_HAIR = 0.5  # s, by which the times of a transcript may exceed its recording


@dataclass(eq=False)
class Alignment:
    """One transcript to align, and what became of its segments.

    Parameters
    ----------
    transcript, recording
        What was said, and in what.
    stretches
        What is to be aligned at once.
    refused
        Why segments are left out, one for each.
    done
        Segments with their words, by index.
    """

    transcript: Transcript
    recording: Recording
    stretches: list[Stretch]
    refused: list[NbasrError] = field(default_factory=list)
    done: dict[int, Segment] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Seconds of sound to align."""
        return sum(stretch.duration for stretch in self.stretches)

    def halves(self, stretch: Stretch, spec: EngineSpec) -> list[tuple[Alignment, Stretch]]:
        """Return one of its stretches as two; nothing if it cannot be cut."""
        segments, duration = self.transcript.segments, self.recording.duration
        return [(self, half) for half in halves_of(stretch, segments, duration, spec.max_seconds)]

    def result(self, *, interrupted: bool) -> Transcript:
        """Return the transcript with the words that were found."""
        segments = self.transcript.segments
        made = tuple(self.done.get(number, one) for number, one in enumerate(segments))
        notes = self.transcript.notes
        missing = sum(is_spoken(one.text) for one in segments) - len(self.done)
        if interrupted and missing:
            notes = (*notes, f"interrupted: {missing} of {len(segments)} segments have no words")
        return replace(self.transcript, segments=made, notes=notes)


def alignment_of(
    transcript: Transcript, recording: Recording, spec: EngineSpec, language: str | None
) -> Alignment:
    """Put the segments of a transcript together to stretches; those that cannot be are refused."""
    segments = transcript.segments
    last = max((segment.stop for segment in segments), default=0.0)
    if last > recording.duration + _HAIR:
        raise OptionError(
            f"The transcript reaches to {clock(last)}, but {recording.name} ends at "
            f"{clock(recording.duration)}; give the recording that it was made from."
        )
    wished = language_code(language)
    spoken = [
        replace(one, language=wished or one.language or transcript.language) for one in segments
    ]
    refused: list[NbasrError] = []
    numbers = []
    for number, segment in enumerate(spoken):
        if not is_spoken(segment.text):
            continue
        try:
            must_know(segment.language, segment.text)
            if segment.stop - segment.start > spec.max_seconds:
                raise OptionError(
                    f"The segment at {clock(segment.start)} is longer than the "
                    f"{spec.max_seconds:g} s that {spec.name} takes at once; give a transcript in "
                    "shorter segments."
                )
        except NbasrError as error:
            refused.append(error)
        else:
            numbers.append(number)
    stretches = stretches_of(spoken, numbers, recording.duration, spec.max_seconds)
    return Alignment(transcript, recording, stretches, refused)


def text_alignment(
    recording: Recording,
    text: str,
    start: float,
    stop: float | None,
    language: str | None,
    spec: EngineSpec,
) -> Alignment:
    """Take a text without times as one stretch, its lines as segments over all of it."""
    if not is_spoken(text):
        raise OptionError("There is nothing to align: the text has neither letter nor number.")
    end = recording.duration if stop is None else min(stop, recording.duration)
    if not 0 <= start < end:
        raise OptionError(
            f"There is no sound from {start:g} to {end:g} s in {recording.name}, which lasts "
            f"{recording.duration:g} s."
        )
    if end - start > spec.max_seconds:
        raise OptionError(
            f"A text without times can be aligned with up to {spec.max_seconds:g} s, not with "
            f"{clock(end - start)}; give the part where it is said (start, stop), or a Transcript "
            "with times: of nbasr.transcribe, or subtitles by nbasr.Transcript.load."
        )
    lines, code = lines_of(text), language_code(language)
    segments = tuple(Segment(start, end, line, language=code) for line in lines)
    transcript = Transcript(segments, recording.duration, code, spec.name, recording.name)
    numbers = tuple(range(len(lines)))
    stretch = Stretch(numbers, start, end, "\n".join(lines), code, whole=True)
    return Alignment(transcript, recording, [stretch])


def done_with(
    alignments: Sequence[Alignment], aligner: Aligner, tell: Listener
) -> list[Transcript]:
    """Align all stretches, as many at once as memory allows; return the transcripts with words."""
    todo = [(alignment, stretch) for alignment in alignments for stretch in alignment.stretches]
    spec = aligner.spec
    names = {alignment.recording.name for alignment in alignments}
    name = names.pop() if len(alignments) == 1 else f"{len(alignments)} recordings"
    total = sum(alignment.seconds for alignment in alignments)
    done, began, interrupted = 0.0, time.perf_counter(), False

    def state(word: str) -> Progress:
        return Progress(name, done, total, time.perf_counter() - began, "", word, spec.name)

    try:
        tell(state("running"))
        for batch in pack(
            [stretch.duration for _, stretch in todo],
            spec.batch_size,
            lambda count, seconds: count <= estimating.largest_batch(spec, seconds),
        ):
            parts = [todo[index] for index in batch]
            seconds = sum(stretch.duration for _, stretch in parts)
            _align(parts, aligner)
            done += seconds
            tell(state("running"))
    except KeyboardInterrupt:
        interrupted = True
    with contextlib.suppress(KeyboardInterrupt):  # too late: the work is done
        tell(state("interrupted" if interrupted else "finished"))
    refused = [error for alignment in alignments for error in alignment.refused]
    if refused:
        count = f"{len(refused)} segment{'s' * (len(refused) != 1)}"
        warnings.warn(f"{count} got no word times: {refused[0]}", ModelWarning, stacklevel=3)
    return [alignment.result(interrupted=interrupted) for alignment in alignments]


def _align(parts: list[tuple[Alignment, Stretch]], aligner: Aligner) -> None:
    """Align stretches at once; when memory runs out, in halves, at last segment by segment.

    So are segments that were aligned together and came out far beside their own times.
    """
    todo = [parts]
    while todo:
        batch = todo.pop()
        found = _attempt(batch, aligner)
        if found is not None:
            astray = []
            for (alignment, stretch), words in zip(batch, found, strict=True):
                segments = alignment.transcript.segments
                halves = alignment.halves(stretch, aligner.spec)
                if halves and strays(stretch, segments, words):
                    astray += halves
                else:
                    alignment.done.update(with_words_of(stretch, segments, words))
            if astray:
                todo.append(astray)
            continue
        # The error is gone here, and with it the frames that held its tensors.
        memory.collect()
        alignment, stretch = batch[0]
        if len(batch) > 1:
            middle = (len(batch) + 1) // 2
            todo += [batch[middle:], batch[:middle]]
            continue
        halves = alignment.halves(stretch, aligner.spec)
        if halves:
            todo += [[half] for half in reversed(halves)]
            continue
        alignment.refused.append(
            OutOfMemoryError(
                f"{aligner.spec.name} has no memory left for {stretch.duration:.0f} s of "
                f'{alignment.recording.name}; unload other models, take device="cpu", or give a '
                "transcript in shorter segments."
            )
        )


def _attempt(
    parts: Sequence[tuple[Alignment, Stretch]], aligner: Aligner
) -> list[tuple[Word, ...]] | None:
    """Return the words of each stretch; None if memory ran out."""
    spec = aligner.spec
    longest = max(stretch.duration for _, stretch in parts)
    items = [
        (alignment.recording.read(stretch.start, stretch.stop), stretch.text, stretch.language)
        for alignment, stretch in parts
    ]
    try:
        with turns.turn(spec.device):
            memory.check(estimating.run_bytes(spec, longest, len(parts)), spec.device)
            return aligner.align_batch(items)
    except (RuntimeError, MemoryError) as error:
        if not ran_out(error):
            raise
        return None
