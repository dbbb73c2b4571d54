"""The part of a transcript's panel that answers the browser: lines, and what is done to them."""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from nbasr.transcript.doubts import DOUBTFUL_SCORE
from nbasr.widgets import _line_edits, _reading_data
from nbasr.widgets._panel import Answer, answers
from nbasr.widgets._reading import Reading, Step
from nbasr.widgets._with_transcript import WithTranscript

_JOIN_WITHIN = 2.0  # seconds between two changes of one line's times that are one step
_ANSWERS = 256  # that are remembered, for questions that are asked again
_ANSWER_BYTES = 2**24  # of all of these


_Done = tuple[Reading, Step, int]
"""What an edit gives: the lines, what changed in them, and the index of the line to go on with."""


class WithEdits(WithTranscript):
    """A panel whose lines the browser corrects.

    It asks for all of them once, and is then told what changed: which lines went, and which came in
    their place. Lines are meant by their numbers; a question that is asked again, because its
    answer was lost with a connection, has the same ``token``, and is done once.
    """

    def __init__(self, *given: Any, **named: Any) -> None:
        self._answered: OrderedDict[str, Answer] = OrderedDict()
        self._moved: tuple[int, float, Reading] | None = None  # whose times changed last, and when
        super().__init__(*given, **named)

    @answers("segments")
    def _answer_segments(self, language: str = "") -> Answer:
        """Answer with all lines and what is to be known of them."""
        self._speak(language)
        with self._guard:
            reading = self._reading
            data = {**self._facts(), **self._state(), "count": len(reading.lines)}
            data |= {"notices": self._notices, "doubtful_below": DOUBTFUL_SCORE}
            return Answer(data, _reading_data.packed(reading.lines, reading.machine))

    @answers("edit")
    def _answer_edit(
        self, action: str, version: int = -1, token: str = "", language: str = "", **values: Any
    ) -> Answer:
        """Answer with what an edit changed; see `_line_edits.edited`."""
        del version  # lines are meant by their numbers
        self._speak(language)

        def edited() -> _Done:
            transcript, focus = self._edited(action, **values)
            if action != "times":
                return (*self._reading.stepped(transcript), focus)
            number = values["id"]
            reading, step = self._reading.stepped(transcript, join=self._joins(number))
            if step.removed:  # else the last step is not one of its times
                self._moved = (number, time.monotonic(), reading)
            return reading, step, focus

        return self._once(token, edited)

    @answers("undo")
    def _answer_undo(self, version: int = -1, token: str = "") -> Answer:
        """Answer with what taking back the last step changed."""
        del version
        return self._once(token, lambda: _focused(*self._reading.undone()))

    @answers("redo")
    def _answer_redo(self, version: int = -1, token: str = "") -> Answer:
        """Answer with what making a step again changed."""
        del version
        return self._once(token, lambda: _focused(*self._reading.redone()))

    @answers("discard")
    def _answer_discard(self, version: int = -1, token: str = "") -> Answer:
        """Answer with what going back to the machine's text changed."""
        del version
        return self._once(token, lambda: _focused(*self._reading.stepped(self._original())))

    @answers("revert")
    def _answer_revert(self, id: int, version: int = -1, token: str = "") -> Answer:  # noqa: A002
        """Answer with what giving the machine's lines back changed, for the time of a line."""
        del version

        def reverted() -> _Done:
            transcript, focus = _line_edits.reverted(self._reading, id)
            return (*self._reading.stepped(transcript), focus)

        return self._once(token, reverted)

    @answers("machine")
    def _answer_machine(self, id: int) -> dict[str, Any]:  # noqa: A002
        """Answer with what the machine heard in the time of a line."""
        with self._guard:
            reading = self._reading
            segment = reading.lines[reading.index(id)].segment
            own = reading.machine.transcript.segments
            heard = [own[at] for at in reading.machine.between(segment.start, segment.stop)]
        same = len(heard) == 1 and reading.machine.same(segment) is heard[0]
        return {"segments": [[one.start, one.stop, one.text] for one in heard], "same": same}

    @answers("machine_all")
    def _answer_machine_all(self) -> Answer:
        """Answer with all that the machine heard."""
        own = self.machine.segments
        rows = [[one.start, one.stop, one.text] for one in own]
        packed = json.dumps(rows, ensure_ascii=False).encode("utf-8", "replace")
        return Answer({"count": len(own)}, [packed])

    def _edited(self, action: str, **values: Any) -> _line_edits.Edited:
        """Return what an edit makes of the lines."""
        return _line_edits.edited(self._reading, action, **values)

    def _joins(self, number: int) -> bool:
        """Whether new times of a line are more of the last step: it was moved just before."""
        if self._moved is None:
            return False
        last, at, reading = self._moved
        recent = time.monotonic() - at < _JOIN_WITHIN
        return last == number and recent and reading is self._reading

    def _once(self, token: str, work: Callable[[], _Done]) -> Answer:
        """Do what a question asks for; the same question again gets the same answer."""
        with self._changing():
            if token and token in self._answered:
                return self._answered[token]
            self._must_be_editable()
            reading, step, focus = work()
            answer = self._take(reading, step, focus, tell=False)
            if token:
                self._answered[token] = answer
                self._forget()
            return answer

    def _forget(self) -> None:
        """Drop the oldest answers that nobody will ask for again."""
        size = sum(_size(answer) for answer in self._answered.values())
        while len(self._answered) > 1 and (len(self._answered) > _ANSWERS or size > _ANSWER_BYTES):
            _, oldest = self._answered.popitem(last=False)
            size -= _size(oldest)


def _focused(reading: Reading, step: Step) -> _Done:
    """Return what a step gave, with the first line that it changed."""
    return reading, step, min(step.first, len(reading.lines) - 1)


def _size(answer: Answer) -> int:
    return sum(len(buffer) for buffer in answer.buffers)
