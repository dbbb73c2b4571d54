"""The part of a transcript's panel that has another model hear lines again."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbasr import settings
from nbasr.chunking import ChunkPlan, Optimal
from nbasr.errors import OptionError
from nbasr.models import catalog, manager
from nbasr.pipeline.jobs import Job, submit
from nbasr.transcript import Segment, Transcript
from nbasr.widgets import _forecast, _transcribing
from nbasr.widgets._line_edits import Edited
from nbasr.widgets._panel import answers
from nbasr.widgets._reading import Reading
from nbasr.widgets._texts import say
from nbasr.widgets._with_edits import WithEdits

if TYPE_CHECKING:
    from nbasr.engines.base import EngineSpec

_PAD = 0.3
"""Seconds of sound that are heard on either side of the lines, as far as their neighbours leave
them: times of segments are off by up to as much (see `pipeline._stretches.MARGIN`)."""

_PROPOSALS = 20  # that can still be accepted


@dataclass(frozen=True)
class _Proposal:
    numbers: tuple[int, ...]  # of the lines that were heard again
    segments: tuple[Segment, ...]


class WithAgain(WithEdits):
    """A panel whose lines another model can hear; what it heard is taken where one accepts it."""

    def __init__(self, *given: Any, **named: Any) -> None:
        self._again: Job | None = None
        self._stop_again = False
        self._proposals: OrderedDict[int, _Proposal] = OrderedDict()
        self._next_proposal = 1
        self._model = _forecast.AUTO
        super().__init__(*given, **named)

    def close(self) -> None:
        """Take the panel away; a model that hears lines again is stopped."""
        self._answer_stop_again()
        super().close()

    @answers("models", aside=True)
    def _answer_models(self, language: str = "") -> dict[str, Any]:
        """Answer with the models to choose from."""
        self._speak(language)
        choices = _forecast.choices(self._model, self._language)
        return {"choices": [list(choice) for choice in choices], "chosen": self._model}

    @answers("retranscribe", aside="again")
    def _answer_retranscribe(
        self, first: int, last: int, model: str = "", language: str = ""
    ) -> dict[str, Any]:
        """Answer with what a model hears in the lines from `first` to `last`, both included."""
        self._speak(language)
        self._stop_again = False
        with self._guard:
            self._must_be_editable()
            reading = self._reading
        if not 0 <= first <= last < len(reading.lines):
            raise OptionError(say("again.lines_gone", self._language))
        spec = _forecast.spec_of(model or self._model)
        _forecast.must_be_here(spec)
        self._model = model or self._model
        old = reading.lines[first : last + 1]
        span = span_of(reading, first, last, self.recording.duration)
        transcript = self._heard(spec, span, words=any(line.segment.words for line in old))
        speakers = {line.segment.speaker for line in old}
        speaker = speakers.pop() if len(speakers) == 1 else None
        segments = tuple(
            dataclasses.replace(one, speaker=one.speaker or speaker) for one in transcript.segments
        )
        with self._guard:
            number, self._next_proposal = self._next_proposal, self._next_proposal + 1
            self._proposals[number] = _Proposal(tuple(line.number for line in old), segments)
            while len(self._proposals) > _PROPOSALS:
                self._proposals.popitem(last=False)
        told = _transcribing.as_dict(span, transcript)
        return {**told, "proposal": number, "first": first, "last": last}

    @answers("stop_again")
    def _answer_stop_again(self) -> None:
        """Stop hearing lines again; what was heard so far is proposed."""
        self._stop_again = True
        job = self._again
        if job is not None:
            job.stop()

    def _heard(self, spec: EngineSpec, span: tuple[float, float], *, words: bool) -> Transcript:
        """Have a model hear a stretch; tell how far it is."""
        longest = spec.max_seconds
        pieces = [span]
        if span[1] - span[0] > longest:
            plan = Optimal(max_seconds=longest).plan(self.recording)
            pieces = _transcribing.spans(plan, span, longest)
        bits = spec.quantization.method if spec.quantization is not None else "none"
        job = submit(
            self.recording,
            model=spec.source or spec.name,
            dtype=spec.dtype,
            quantization=bits,
            device=spec.device,
            chunking=ChunkPlan.of(self.recording, pieces),
            timestamps="word" if words and _can_time_words(spec) else "segment",
        )
        self._again = job
        take_off = job.observe(self._tell_again)
        try:
            self._tell_again(job)  # it may have begun before it was observed
            if self._stop_again:  # asked for before there was anything to stop
                job.stop()
            found = job.result()
        finally:
            take_off()
            self._again = None
        assert isinstance(found, Transcript)  # one recording was given
        return found

    def _tell_again(self, job: Job) -> None:
        progress = job.progress
        told = {"done": progress.done, "total": progress.total, "text": progress.text}
        self.tell("again", {"state": job.state, **told})

    def _edited(self, action: str, **values: Any) -> Edited:
        """Return what an edit makes of the lines; a proposal may take the place of some."""
        if action != "replace":
            return super()._edited(action, **values)
        proposal = self._proposals.get(values.get("proposal", 0))
        if proposal is None:
            raise OptionError(say("again.gone", self._language))
        meant = frozenset(proposal.numbers)
        there = [at for at, line in enumerate(self._reading.lines) if line.number in meant]
        if not there:
            raise OptionError(say("again.lines_gone", self._language))
        made = self._reading.transcript.replaced(there[0], there[-1], proposal.segments)
        return made, min(there[0], len(made.segments) - 1)


def span_of(reading: Reading, first: int, last: int, duration: float) -> tuple[float, float]:
    """Return the stretch in which lines are heard again: theirs, and some of the pause around it.

    Parameters
    ----------
    reading
        The lines.
    first, last
        Indices, both included.
    duration
        Seconds of the recording.
    """
    segments = [line.segment for line in reading.lines]
    meant = segments[first : last + 1]
    start, stop = meant[0].start, max(one.stop for one in meant)
    before = max((one.stop for one in segments[:first]), default=0.0)
    after = segments[last + 1].start if last + 1 < len(segments) else duration
    return (
        max(0.0, min(start, max(start - _PAD, before))),
        min(duration, max(stop, min(stop + _PAD, after))),
    )


def _can_time_words(spec: EngineSpec) -> bool:
    """Whether words get times without anything being fetched."""
    if catalog.gives_word_times(spec):
        return True
    return manager.choose_aligner(settings.current().resolve(), None) is not None
