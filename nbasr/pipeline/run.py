"""Doing a work: batches through the engine, chunks back into transcripts."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from nbasr.chunking import Chunk
from nbasr.engines.base import Recognition, Request
from nbasr.errors import OutOfMemoryError
from nbasr.models import estimating
from nbasr.pipeline.guards import is_wrong, rescued
from nbasr.pipeline.heard import Heard
from nbasr.pipeline.ladder import OUT_OF_MEMORY, Ladder
from nbasr.pipeline.progress import Listener, Progress, clock
from nbasr.pipeline.work import Item, Work
from nbasr.transcript.transcripts import Transcripts

if TYPE_CHECKING:
    from nbasr.engines.base import Engine


def run(work: Work, engine: Engine, tell: Listener, heard: Heard | None = None) -> Transcripts:
    """Recognise every batch of the work and put the transcripts together.

    Other works may have the same device: each batch waits for its turn.

    Parameters
    ----------
    work
        What to do.
    engine
        The loaded engine of the work's model.
    tell
        Called with the progress after each batch.
    heard
        Takes the answers as they come, for whoever wants to look meanwhile.

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
    heard = Heard(work) if heard is None else heard
    ladder = Ladder(engine)
    began = time.perf_counter()
    text = ""

    def state(word: str) -> Progress:
        elapsed = time.perf_counter() - began
        heard.took, heard.notes = elapsed - ladder.waited, ladder.notes
        return Progress(work.name, heard.seconds, work.seconds, elapsed, text, word, work.spec.name)

    try:
        tell(state("running"))
        for batch in work.batches:
            requests = [_request(work, item.recording, item.chunk) for item in batch]
            answers = list(zip(batch, ladder.recognize(requests), strict=True))
            # What is well comes first: it is kept even if the rest cannot be mended.
            for item, found in sorted(answers, key=lambda answer: is_wrong(answer[1])):
                heard.add(item, _rescued(work, ladder, item, found))
                text = found.text or text
            tell(state("running"))
    except KeyboardInterrupt:
        if not len(heard):
            raise
    except Exception as error:
        if len(heard):
            done = state("").done
            error.partial = heard.transcripts()  # type: ignore[attr-defined]
            error.add_note(
                f"{clock(done)} of {clock(work.seconds)} were finished: the error's attribute "
                "partial holds them (in a notebook: import sys; sys.last_value.partial)."
            )
        raise
    last = state("finished" if heard.is_whole else "interrupted")
    if heard.is_whole:
        estimating.took(work.spec, last.done, heard.took)
    with contextlib.suppress(KeyboardInterrupt):  # too late: the work is done
        tell(last)
    return heard.transcripts()


def _request(work: Work, recording: int, chunk: Chunk) -> Request:
    options = work.options
    return Request(
        samples=work.recordings[recording].read(chunk.start, chunk.stop),
        language=options.language,
        task=options.task,
        prompt=options.prompt,
        hotwords=tuple(word.strip() for word in options.hotwords.split(",") if word.strip()),
        timestamps=options.timestamps,
    )


def _rescued(work: Work, ladder: Ladder, item: Item, found: Recognition) -> Recognition:
    """Do a chunk again in parts when it did not fit, was cut short or went round in circles."""

    def again(start: float, stop: float) -> Recognition:
        (result,) = ladder.recognize([_request(work, item.recording, Chunk(start, stop))])
        return result

    recording = work.recordings[item.recording]
    result = rescued(found, item.chunk.start, item.chunk.stop, recording.levels(), again)
    if OUT_OF_MEMORY in result.flags:
        raise OutOfMemoryError(
            f"Memory ran out at {clock(item.chunk.start)} of {recording.name}, even with parts of "
            f"a chunk of {item.chunk.duration:.0f} s; %asr status shows who holds it. Unload "
            'other models, or take a smaller one or a smaller format: quantization="nf4".'
        )
    return result
