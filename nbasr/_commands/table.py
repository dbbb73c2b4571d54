"""A small table to show: aligned text in a terminal, HTML in a notebook, in any theme."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Table:
    """Rows of text under headings.

    Parameters
    ----------
    columns
        Headings; none shown if all are empty.
    rows
        As many texts a row; a text may have several lines.
    note
        A line below.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    def __str__(self) -> str:
        if not self.rows:
            return self.note
        shown = [self.columns, *self.rows] if any(self.columns) else list(self.rows)
        split = [[text.split("\n") for text in row] for row in shown]
        wide = [
            max((len(line) for row in split for line in row[column]), default=0)
            for column in range(len(self.columns))
        ]
        lines = []
        for row in split:
            for at in range(max(map(len, row))):
                texts = (cell[at] if at < len(cell) else "" for cell in row)
                padded = (f"{text:{width}}" for text, width in zip(texts, wide, strict=True))
                lines.append("  ".join(padded).rstrip())
        return "\n".join([*lines, *(["", self.note] if self.note else [])])

    __repr__ = __str__

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        # No colours: the host's own table style suits its theme. pre-wrap keeps lines of a cell.
        style = 'style="text-align:left;vertical-align:top;white-space:pre-wrap"'

        def line(texts: tuple[str, ...], tag: str) -> str:
            cells = (f"<{tag} {style}>{html.escape(text)}</{tag}>" for text in texts)
            return f"<tr>{''.join(cells)}</tr>"

        head = f"<thead>{line(self.columns, 'th')}</thead>" if any(self.columns) else ""
        body = "".join(line(row, "td") for row in self.rows)
        note = f"<p>{html.escape(self.note)}</p>" if self.note else ""
        return {
            "text/plain": str(self),
            "text/html": f"<table>{head}<tbody>{body}</tbody></table>{note}",
        }
