"""Several transcripts at once: a list that shows every one of them."""

from __future__ import annotations

import html
from typing import Any

from nbasr.transcript.transcript import Transcript

_OPEN = 3  # transcripts shown unfolded; of more, each is one line to click on
_MOST_BYTES = 130_000  # of HTML in all: a notebook that shows a folder of talks stays small


class Transcripts(list[Transcript]):
    """A list of transcripts, in the order of their sources; in a cell it shows each one's name."""

    def __repr__(self) -> str:
        return "\n\n".join(repr(transcript) for transcript in self) or "no transcripts"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        unfolded = " open" if len(self) <= _OPEN else ""
        views: list[str] = []
        room = _MOST_BYTES
        for transcript in self:
            title = html.escape(transcript.name or "recording")
            shown = transcript._repr_mimebundle_()["text/html"]
            if len(shown) > room:
                many = len(transcript.segments)
                views.append(f"<p>{title}: {many} segment{'s' * (many != 1)}</p>")
                continue
            room -= len(shown)
            views.append(f"<details{unfolded}><summary>{title}</summary>{shown}</details>")
        return {"text/plain": repr(self), "text/html": "".join(views) or "<p>no transcripts</p>"}
