"""A text as an aligner times it, and as a reader reads it: which of its tokens make which word.

The aligner is given bare words, without punctuation, in Japanese and Korean cut by their grammar.
A transcript wants the text's own words, with all that stands beside them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from nbasr.text.scripts import UNSPACED, is_mark, script


@dataclass(frozen=True)
class Piece:
    """A word of a line and the tokens that are timed for it.

    Parameters
    ----------
    text
        The word with its punctuation.
    first, last
        Index of its first and last token.
    """

    text: str
    first: int
    last: int


def is_spoken(text: str) -> bool:
    """Tell whether any character of a text is one that the aligner keeps: letter or number."""
    return any(unicodedata.category(char)[0] in "LN" for char in text)


def lines_of(text: str) -> list[str]:
    """Return the lines of a text; one without letters and numbers is joined to a neighbour."""
    lines: list[str] = []
    for line in text.splitlines():
        bare = " ".join(line.split())
        if lines and (not is_spoken(bare) or not is_spoken(lines[-1])):
            lines[-1] = f"{lines[-1]} {bare}".strip()
        elif bare:
            lines.append(bare)
    return lines


def pieces_of(line: str, tokens: Sequence[str]) -> list[Piece]:
    """Return the words of a line with the aligner's tokens that they are made of.

    Words are split at spaces, in scripts without spaces at characters, but never inside a token.
    Punctuation goes with the word that it touches; where it stands alone, with the word before, at
    the start with the one after.

    Parameters
    ----------
    line
        What was said.
    tokens
        The same as the aligner cuts it, in order.

    Returns
    -------
    list of Piece
        In order. Together they hold all of the line but its white space; empty if there are no
        tokens.
    """
    parts = list(_parts(line))
    if not parts or not tokens:
        return []
    joined: list[tuple[int, int, int, int]] = []  # start, stop, first, last
    ranges = _with_neighbours(_ranges(line, parts, tokens))
    for (start, stop), (first, last) in zip(parts, ranges, strict=True):
        if joined and first <= joined[-1][3]:
            began, _, lowest, highest = joined.pop()
            joined.append((began, stop, lowest, max(highest, last)))
        else:
            joined.append((start, stop, first, last))
    return [
        Piece(" ".join(line[start:stop].split()), first, last)
        for start, stop, first, last in joined
    ]


def _parts(line: str) -> Iterator[tuple[int, int]]:
    """Yield where the smallest stretches of a line lie that can be words of their own."""
    start: int | None = None
    spoken = ""  # the last character of the part that is no punctuation
    for at, char in enumerate(line):
        if start is not None and (char.isspace() or _begins(spoken, char)):
            yield start, at
            start = None
        if char.isspace():
            continue
        if start is None:
            start, spoken = at, ""
        spoken = char if script(char) else spoken
    if start is not None:
        yield start, len(line)


def _begins(spoken: str, char: str) -> bool:
    """Tell whether `char` begins a new word after one with `spoken`, without a space between."""
    if not spoken or is_mark(char):
        return False
    if script(char):
        return script(char) in UNSPACED or script(spoken) in UNSPACED
    wide = script(spoken) in UNSPACED or unicodedata.east_asian_width(char) in "WF"
    return wide and unicodedata.category(char) in ("Ps", "Pi")


def _ranges(
    line: str, parts: Sequence[tuple[int, int]], tokens: Sequence[str]
) -> list[tuple[int, int] | None]:
    """Return the first and the last token of each part; None for one that has none."""
    kept = [
        (char, number)
        for number, (start, stop) in enumerate(parts)
        for char in line[start:stop]
        if char == "'" or is_spoken(char)
    ]
    owners = _owners(kept, "".join(tokens))
    found: list[tuple[int, int] | None] = [None] * len(parts)
    at = 0
    for number, token in enumerate(tokens):
        for owner in owners[at : at + len(token)]:
            known = found[owner]
            found[owner] = (known[0] if known else number, number)
        at += len(token)
    return found


def _owners(kept: Sequence[tuple[str, int]], said: str) -> list[int]:
    """Return for each character of the tokens which part of the line it belongs to.

    They are the line's own characters, unless the cutting by grammar rewrote some (full-width
    letters, for instance): then those around them tell.
    """
    spoken = "".join(char for char, _ in kept)
    owners = [owner for _, owner in kept]
    if spoken == said or not owners:
        return owners or [0] * len(said)
    found: list[int] = []
    for _, i, k, j, m in SequenceMatcher(None, spoken, said, autojunk=False).get_opcodes():
        for at in range(m - j):
            near = i + at * (k - i) // (m - j) if k > i else i - 1
            found.append(owners[max(near, 0)])
    return found


def _with_neighbours(ranges: Sequence[tuple[int, int] | None]) -> list[tuple[int, int]]:
    """Give each part without a token those of the one before; at the start, of the one after."""
    last = next(tokens for tokens in ranges if tokens is not None)
    found = []
    for tokens in ranges:
        last = tokens or last
        found.append(last)
    return found
