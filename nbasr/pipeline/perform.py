"""All of a work, in whatever thread: the model, the recognition, the times of words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from nbasr.models.fetching import FetchStoppedError
from nbasr.pipeline import at_work
from nbasr.pipeline.aligning import all_with_words
from nbasr.pipeline.heard import Heard
from nbasr.pipeline.progress import Listener, Progress
from nbasr.pipeline.run import run
from nbasr.pipeline.work import Work
from nbasr.transcript.transcripts import Transcripts


def perform(
    work: Work, tell: Listener, heard: Heard | None = None, *, patient: bool = False
) -> Transcripts:
    """Do a work.

    Parameters
    ----------
    work
        What to do.
    tell
        Is told how far it is.
    heard
        Takes the answers as they come, for whoever wants to look meanwhile.
    patient
        Whether to wait where the model does not fit beside others that are at work.

    Returns
    -------
    Transcripts
        One for each recording. After an interrupt: what was finished until then.

    Raises
    ------
    KeyboardInterrupt
        If the interrupt came before anything was finished.
    Exception
        As `run`; and what goes wrong with the aligner, its attribute ``partial`` holding the text.
    """
    heard = Heard(work) if heard is None else heard

    def state(word: str, model: str) -> Progress:
        return Progress(work.name, 0.0, work.seconds, 0.0, state=word, model=model)

    def patiently(model: str) -> Callable[[str], None] | None:
        return (lambda word: tell(state(word, model))) if patient else None

    tell(state("loading", work.spec.name))
    with at_work.using(work.spec, work.options, patiently(work.spec.name)) as engine:
        transcripts = run(work, engine, tell, heard)
    whole = all(one.complete for one in transcripts)  # who has interrupted it wants no more work
    if work.aligner is None or not whole or not any(one.text for one in transcripts):
        return transcripts
    pairs = list(zip(transcripts, work.recordings, strict=True))
    try:
        if patient:
            tell(state("loading", work.aligner.name))
        with at_work.using(work.aligner, work.options, patiently(work.aligner.name)) as aligner:
            found = all_with_words(
                pairs, aligner, language=work.options.language, tell=tell, keep=heard.follow
            )
        return Transcripts(found)
    except (KeyboardInterrupt, FetchStoppedError):
        # While the aligner was loaded or fetched: what comes later ends in its own notes.
        tell(replace(state("interrupted", work.aligner.name), done=work.seconds))
        note = "interrupted: the segments have no words"
        return Transcripts(replace(one, notes=(*one.notes, note)) for one in transcripts)
    except Exception as error:
        error.partial = transcripts  # type: ignore[attr-defined]
        error.add_note(
            "The text is there, without the times of words: the error's attribute partial holds it "
            "(in a notebook: import sys; sys.last_value.partial)."
        )
        raise
