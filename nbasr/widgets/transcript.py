"""The panel in which a transcript is read along, corrected and written to files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nbasr.audio.recording import Recording
from nbasr.audio.sources import Source
from nbasr.errors import OptionError
from nbasr.transcript import Transcript
from nbasr.widgets._with_again import WithAgain
from nbasr.widgets._with_export import WithExport
from nbasr.widgets._with_job import WithJob
from nbasr.widgets._with_transcript import must_be_of


class TranscriptPanel(
    WithJob, WithAgain, WithExport, entry="transcript", styles=("waveform", "editing")
):
    """Read a transcript along with its sound, and correct it.

    A `WaveformPanel` with the lines below it. Click a word to hear it; the word that sounds is
    marked; what may be wrong is shaded, and visited by key. Text, times and speakers are corrected
    in place, with undo; other models can hear lines again; the result goes to files in every format
    of `Transcript.save`, and is ``panel.transcript`` at any time.

    Corrections are kept by themselves, less than a second after the last one, in the user's data
    folder (``NBASR_HOME`` moves it). A panel on the same text of a machine takes them up again, in
    another kernel too. What the machine heard is never lost.

    Parameters
    ----------
    transcript
        A `Transcript`, or a file that `Transcript.load` reads.
    recording
        Whatever `Recording.open` takes; None: the transcript's own ``recording``, which those have
        that were made in this kernel.
    height
        Of the waveform, in pixels: 60 to 800.
    language
        Of the controls: ``"en"``, ``"zh"``, or ``""`` for the setting, else the browser's.

    Attributes
    ----------
    transcript : Transcript
        As corrected. It can be set, which is one correction that can be undone, and observed:
        ``panel.observe(f, "transcript")``.
    machine : Transcript
        What the machine heard.
    edits : int
        How many lines are not as the machine gave them.
    selected : tuple of int or None
        The first and the last selected line, from 0; it can be set and observed.
    saved : dict
        How things are with the corrections: ``state`` (``"none"``, ``"unsaved"``, ``"saved"``,
        ``"failed"``), ``at`` (seconds since 1970) and ``problem`` (a sentence).
    recording, selection, playhead
        As of `WaveformPanel`.

    Raises
    ------
    AudioError
        If `recording` is none.
    OptionError
        If the transcript's recording is not at hand or too short for it, or the file cannot be
        read.

    Notes
    -----
    Keys, while the panel has the focus and no field of it is being typed into:

    ======================  ====================================================================
    ``Space``               play, pause
    ``Enter``               in the list: play the line
    ``↑``  ``↓``            previous, next line; with Shift select several
    ``PgUp``  ``PgDn``      a screen of lines up, down
    ``Ctrl+Home`` ``End``   first, last line
    ``←``  ``→``            in the list: previous, next word
    ``F``                   follow what sounds
    ``E``  ``F2``           correct the text
    ``M``                   merge with the next line, or the selected lines
    ``Delete``              delete the selected lines
    ``I``                   insert a line at the playhead
    ``[``  ``]``            the line starts, ends at the playhead
    ``N``                   next doubtful place; with Shift the previous one
    ``K``                   it looks right: no longer doubtful
    ``/``  ``Ctrl+F``       search and replace
    ``V``                   what the machine heard in this line
    ``T``                   transcribe the selected lines again
    ``X``                   export
    ``Ctrl+Z``              undo, with Shift redo
    ``+``  ``-``  ``0``     zoom in, zoom out, show all
    ``<``  ``>``            slower, faster (the pitch stays)
    ``S``  ``D``            spectrogram; decibel scale
    ``?``                   list the keys
    ======================  ====================================================================

    While a text is corrected: ``Enter`` goes on to the next line, ``Esc`` takes it back,
    ``Ctrl+Enter`` splits the line at the caret, ``Backspace`` at its start merges it with the one
    before, ``Ctrl+Space`` plays and pauses, ``Alt+←`` and ``Alt+→`` skip a second.

    Examples
    --------
    >>> panel = nbasr.TranscriptPanel(nbasr.transcribe("meeting.m4a"))  # doctest: +SKIP
    >>> panel.save("meeting.srt")                                        # doctest: +SKIP
    >>> nbasr.TranscriptPanel("meeting.srt", "meeting.m4a")              # doctest: +SKIP
    """

    def __init__(
        self,
        transcript: Transcript | str | Path,
        recording: Source | None = None,
        *,
        height: int = 96,
        language: str = "",
        **traits: Any,
    ) -> None:
        given = _given(transcript)
        if recording is None:
            recording = given.recording
        if recording is None:
            raise OptionError(
                "This transcript does not know its recording; give it too: "
                'TranscriptPanel(transcript, "meeting.wav").'
            )
        opened = Recording.open(recording)
        must_be_of(given, opened)
        super().__init__(opened, given, height=height, language=language, **traits)


def _given(transcript: Transcript | str | Path) -> Transcript:
    if isinstance(transcript, Transcript):
        return transcript
    if isinstance(transcript, str | Path):
        return Transcript.load(transcript)
    raise OptionError(
        f"A TranscriptPanel shows a Transcript or a file of one, not {type(transcript).__name__}; "
        "what a job hears is shown by panel.follow(job)."
    )
