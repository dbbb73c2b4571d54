"""A small table to show: aligned text in a terminal, HTML in a notebook, in any theme."""

from __future__ import annotations

import html
import shutil
import textwrap
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
        headed = any(self.columns)
        shown = [self.columns, *self.rows] if headed else list(self.rows)
        split = [[text.split("\n") for text in row] for row in shown]
        wide = [
            max(len(line) for row in split for line in row[column])
            for column in range(len(self.columns))
        ]
        screen = shutil.get_terminal_size((120, 24)).columns
        left = screen - sum(wide[:-1]) - 2 * len(wide[:-1])
        narrow = left < min(wide[-1], LEAST)  # then the long texts stand below their rows
        room = screen - len(INDENT) if narrow else left
        lines = []
        for number, row in enumerate(split):
            last = [part for line in row[-1] for part in textwrap.wrap(line, room) or [""]]
            beside = row[:-1] if narrow else [*row[:-1], last]
            for at in range(max(map(len, beside))):
                texts = (cell[at] if at < len(cell) else "" for cell in beside)
                padded = (f"{text:{width}}" for text, width in zip(texts, wide, strict=False))
                lines.append("  ".join(padded).rstrip())
            if narrow and not (headed and number == 0):
                lines += [f"{INDENT}{line}" for line in last if line]
        note = textwrap.wrap(self.note, screen)
        return "\n".join([*lines, *(["", *note] if note else [])])

    __repr__ = __str__

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        # No colours: the host's own table style suits its theme.
        def line(texts: tuple[str, ...], tag: str) -> str:
            return f"<tr>{''.join(_cell(text, tag) for text in texts)}</tr>"

        head = f"<thead>{line(self.columns, 'th')}</thead>" if any(self.columns) else ""
        body = "".join(line(row, "td") for row in self.rows)
        note = f"<p>{html.escape(self.note)}</p>" if self.note else ""
        table = f"<table>{head}<tbody>{body}</tbody></table>" if self.rows else ""
        return {"text/plain": str(self), "text/html": f"{table}{note}"}


SHORT = 26
"""Letters up to which a cell of a notebook's table stays on one line."""

LEAST = 40
"""Letters that the last column of a terminal's table has at least; narrower, it goes below."""

INDENT = "    "


def _cell(text: str, tag: str) -> str:
    space = "pre" if len(text) <= SHORT else "pre-wrap"  # both keep the lines of a cell
    style = f"text-align:left;vertical-align:top;white-space:{space}"
    return f'<{tag} style="{style}">{html.escape(text)}</{tag}>'


@dataclass(frozen=True)
class Page:
    """Several tables, one below the other, each under a heading.

    Parameters
    ----------
    tables
        Pairs of heading and table.
    """

    tables: tuple[tuple[str, Table], ...]

    def __str__(self) -> str:
        return "\n\n".join(f"{heading}\n{table}" for heading, table in self.tables)

    __repr__ = __str__

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        shown = "".join(
            f"<p><b>{html.escape(heading)}</b></p>{table._repr_mimebundle_()['text/html']}"
            for heading, table in self.tables
        )
        return {"text/plain": str(self), "text/html": f"<div>{shown}</div>"}
