"""`align` and `with_words`: when each word of a text that is known was said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from nbasr import settings
from nbasr.audio.recording import Recording
from nbasr.engines.aligner import must_know
from nbasr.errors import ModelError, OptionError
from nbasr.models import manager
from nbasr.pipeline import at_work
from nbasr.pipeline._word_times import alignment_of, done_with, text_alignment
from nbasr.pipeline.progress import Listener, Progress, listener
from nbasr.transcript.transcript import Transcript

if TYPE_CHECKING:
    from nbasr.engines.aligner import Aligner
    from nbasr.engines.base import EngineSpec
    from nbasr.options import Options


def align(
    source: Any,
    text: str | Transcript,
    *,
    language: str | None = None,
    aligner: str | None = None,
    start: float = 0.0,
    stop: float | None = None,
    device: str | None = None,
    channel: int | None = None,
    progress: bool | Listener | None = None,
) -> Transcript:
    """Find out when each word of a text that is known was said.

    Parameters
    ----------
    source
        Whatever `Recording.open` takes.
    text
        What is said from `start` to `stop`: each line becomes a segment. Longer than the aligner
        takes at once (180 s), it has to be a transcript with times: of `nbasr.transcribe`, or
        subtitles (`Transcript.load`). Each segment is then aligned where it stands, and its times
        become those of its words.
    language
        Name or code: Chinese, Cantonese, English, French, German, Italian, Japanese, Korean,
        Portuguese, Russian or Spanish. Left out, it is as the transcript says; Japanese and Korean
        are told by their script, and the others are treated alike.
    aligner
        Catalogue name, hub id or folder of the aligner; ``"auto"`` (default) takes one that is
        resident or already on this machine. Only one that is named is ever downloaded.
    start, stop
        Where in the recording the text is said, in seconds; only for a text without times.
    device
        ``"auto"`` (default), ``"cpu"``, ``"cuda"`` or ``"mps"``.
    channel
        One channel, counted from 0; default: the mean of all.
    progress
        True (default) shows progress in a notebook or terminal; a function is called with each
        `Progress`; False is silent.

    Returns
    -------
    Transcript
        With words in all segments but those that could not be aligned, of which a `ModelWarning`
        tells. Interrupting the kernel returns what is finished; a note says so.

    Raises
    ------
    AudioError
        If the recording cannot be opened.
    ModelError
        If there is no aligner, it cannot be loaded, or it knows the language of no segment.
    OptionError
        If the text is empty, or too long for one without times, or a transcript is of another
        recording.

    Examples
    --------
    >>> poem = nbasr.align("poem.wav", "Tyger Tyger, burning bright,", language="en")
    ... # doctest: +SKIP
    >>> subtitles = nbasr.align("film.mkv", nbasr.Transcript.load("film.srt"))
    ... # doctest: +SKIP
    """
    told = settings.current().progress if progress is None else progress
    options = settings.current().resolve(
        language=language, aligner=aligner, device=device, channel=channel
    )
    recording = Recording.open(source, channel=options.channel)
    if isinstance(text, Transcript):
        if start or stop is not None:
            raise OptionError(
                "start and stop are for a text without times; for a part of a transcript give "
                "transcript[start:stop]."
            )
        spec = chosen_aligner(options, language)
        found = alignment_of(text, recording, spec, language)
    else:
        if not isinstance(text, str):
            raise OptionError(f"text is a string or a Transcript, not {type(text).__name__}.")
        must_know(options.language, text)
        spec = chosen_aligner(options, options.language)
        found = text_alignment(recording, text, start, stop, options.language, spec)
    if found.refused and not found.stretches:
        raise found.refused[0]
    tell = listener(told)
    tell(Progress(recording.name, 0.0, found.seconds, 0.0, state="loading", model=spec.name))
    with at_work.using(spec, options) as engine:
        return done_with([found], engine, tell)[0]


def with_words(
    transcript: Transcript,
    recording: Recording,
    aligner: Aligner,
    *,
    language: str | None = None,
) -> Transcript:
    """Return a transcript with the times of its words, each segment aligned within its own.

    Segments that touch are aligned together, as a word at the seam may be said within the times of
    the other; where there is a pause, a little of it is heard too. The times of a segment become
    those of its words. A segment in a language that the aligner does not know, or longer than it
    takes, or for which memory runs out even alone, stays as it is, and a `ModelWarning` says so.

    Parameters
    ----------
    transcript, recording
        What was said, and in what.
    aligner
        A loaded aligner.
    language
        Name or code, for all segments; None: as each segment says, else the transcript.

    Raises
    ------
    ModelError
        If the aligner was unloaded.
    OptionError
        If the transcript is of another recording.

    See Also
    --------
    all_with_words : for several transcripts at once.
    """
    return all_with_words([(transcript, recording)], aligner, language=language)[0]


def all_with_words(
    pairs: Sequence[tuple[Transcript, Recording]],
    aligner: Aligner,
    *,
    language: str | None = None,
    tell: Listener | None = None,
    keep: Callable[[Callable[[], list[Transcript]]], None] | None = None,
) -> list[Transcript]:
    """Return transcripts with the times of their words; see `with_words`.

    Parameters
    ----------
    pairs
        Transcripts with their recordings.
    aligner, language
        As for `with_words`.
    tell
        Is told how far it is, in seconds of sound.
    keep
        Is given, at the beginning, a function that returns the transcripts as far as they are.

    Returns
    -------
    list of Transcript
        In the same order. Interrupting the kernel leaves the rest without words; a note in each
        says so.
    """
    alignments = [alignment_of(*pair, aligner.spec, language) for pair in pairs]
    if keep is not None:
        keep(lambda: [alignment.result(interrupted=False) for alignment in alignments])
    return done_with(alignments, aligner, tell or (lambda _: None))


def chosen_aligner(options: Options, language: str | None) -> EngineSpec:
    """Return the aligner that options ask for, without loading or fetching it.

    Raises
    ------
    ModelError
        If there is none, or the one that is named does not align the language.
    """
    spec = manager.choose_aligner(options, language)
    if spec is None:
        raise ModelError(
            "No aligner that fits is on this machine; name one, and it is fetched if need be: "
            'aligner="qwen3-forced-aligner-0.6b" (1.8 GB). Whisper and sphinx tell the times of '
            "words themselves."
        )
    return spec
