"""Doing a job: batches through the engine, chunks back into transcripts."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections import defaultdict
from typing import TYPE_CHECKING

from nbasr.chunking import Chunk
from nbasr.engines.base import Recognition, Request
from nbasr.errors import OutOfMemoryError
from nbasr.models import estimating
from nbasr.pipeline.guards import is_wrong, rescued
from nbasr.pipeline.job import Item, Job
from nbasr.pipeline.ladder import OUT_OF_MEMORY, Ladder
from nbasr.pipeline.progress import Listener, Progress, clock
from nbasr.pipeline.seams import Interval, placed, snapped, without_overlap
from nbasr.transcript.transcript import Segment, Transcript
from nbasr.transcript.transcripts import Transcripts

if TYPE_CHECKING:
    from nbasr.engines.base import Engine

Heard = dict[Item, Recognition]

_NOTES = {
    "truncated": "in places the answer was cut short, even in short pieces; they are marked",
    "repetition": "in places the answer ran in circles, even in short pieces; they are marked",
    "no_speech": "in places the model itself said that nobody speaks; its guess was dropped",
    "failed": "in places the model failed and gave no text; try a shorter max_seconds there",
    "prompt_cut": "only the end of the prompt fitted into the model",
}
"""What the reader of a transcript is told of the flags in it."""


def run(job: Job, engine: Engine, tell: Listener) -> Transcripts:
    """Recognise every batch of the job and put the transcripts together.

    Parameters
    ----------
    job
        What to do.
    engine
        The loaded engine of the job's model.
    tell
        Called with the progress after each batch.

    Returns
    -------
    Transcripts
        One for each recording, in order. After an interrupt: what was finished until then, with
        ``complete`` False where something is missing.

    Raises
    ------
    KeyboardInterrupt
        If the interrupt came before the first batch was finished: there is nothing to return.
    Exception
        Whatever the engine or `tell` raises; its attribute ``partial`` holds the transcripts of
        what was finished until then.
    """
    heard: Heard = {}
    ladder = Ladder(engine)
    done = 0.0
    began = time.perf_counter()

    def state(word: str, text: str = "") -> Progress:
        elapsed = time.perf_counter() - began
        return Progress(job.name, done, job.seconds, elapsed, text, word, job.spec.name)

    def made() -> Transcripts:
        return Transcripts(_transcripts(job, heard, time.perf_counter() - began, ladder.notes))

    text = ""
    try:
        tell(state("running"))
        for batch in job.batches:
            requests = [_request(job, item.recording, item.chunk) for item in batch]
            answers = list(zip(batch, ladder.recognize(requests), strict=True))
            # What is well comes first: it is kept even if the rest cannot be mended.
            for item, found in sorted(answers, key=lambda answer: is_wrong(answer[1])):
                heard[item] = _rescued(job, ladder, item, found)
                done += item.chunk.duration
                text = found.text or text
            tell(state("running", text))
    except KeyboardInterrupt:
        if not heard:
            raise
    except Exception as error:
        if heard:
            error.partial = made()  # type: ignore[attr-defined]
            error.add_note(
                f"{clock(done)} of {clock(job.seconds)} were finished: the error's attribute "
                "partial holds them (in a notebook: import sys; sys.last_value.partial)."
            )
        raise
    if len(heard) == len(job.items):
        estimating.took(job.spec, done, time.perf_counter() - began)
    with contextlib.suppress(KeyboardInterrupt):  # too late: the work is done
        tell(state("finished" if len(heard) == len(job.items) else "interrupted", text))
    return made()


def _request(job: Job, recording: int, chunk: Chunk) -> Request:
    options = job.options
    return Request(
        samples=job.recordings[recording].read(chunk.start, chunk.stop),
        language=options.language,
        task=options.task,
        prompt=options.prompt,
        hotwords=tuple(word.strip() for word in options.hotwords.split(",") if word.strip()),
        timestamps=options.timestamps,
    )


def _rescued(job: Job, ladder: Ladder, item: Item, found: Recognition) -> Recognition:
    """Do a chunk again in parts when it did not fit, was cut short or went round in circles."""

    def again(start: float, stop: float) -> Recognition:
        (result,) = ladder.recognize([_request(job, item.recording, Chunk(start, stop))])
        return result

    recording = job.recordings[item.recording]
    result = rescued(found, item.chunk.start, item.chunk.stop, recording.levels(), again)
    if OUT_OF_MEMORY in result.flags:
        raise OutOfMemoryError(
            f"Memory ran out at {clock(item.chunk.start)} of {recording.name}, even with parts of "
            f"a chunk of {item.chunk.duration:.0f} s; %asr status shows who holds it. Unload "
            'other models, or take a smaller one or a smaller format: quantization="nf4".'
        )
    return result


def _transcripts(job: Job, heard: Heard, elapsed: float, told: list[str]) -> list[Transcript]:
    by_recording: dict[int, dict[int, Recognition]] = defaultdict(dict)
    for item, result in heard.items():
        by_recording[item.recording][item.position] = result
    done = sum(item.chunk.duration for item in heard) or 1.0
    made = []
    for index, (recording, plan) in enumerate(zip(job.recordings, job.plans, strict=True)):
        found = by_recording[index]
        complete = len(found) == len(plan.chunks)
        seconds = sum(plan.chunks[position].duration for position in found)
        notes = [f"the recording {problem}" for problem in recording.problems] + told
        if not complete:
            total = sum(chunk.duration for chunk in plan.chunks)
            notes.append(
                f"interrupted: {clock(seconds)} of {clock(total)} recognised; run it again for the "
                "rest"
            )
        flags = {flag for result in found.values() for flag in result.flags}
        notes += [note for flag, note in _NOTES.items() if flag in flags]
        if job.options.model == "auto" and job.spec.engine == "sphinx":
            notes.append("a draft by the embedded engine; name a model for real work")
        made.append(
            Transcript(
                segments=tuple(_segments(plan.chunks, plan.speech, found)),
                duration=recording.duration,
                language=_language(plan.chunks, found),
                model=job.spec.name,
                name=recording.name,
                seconds=elapsed * seconds / done,
                recognized=seconds,
                complete=complete,
                notes=tuple(notes),
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
