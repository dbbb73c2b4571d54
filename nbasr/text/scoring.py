"""How far a text is from its reference: error rates of words and characters, and what differs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal, NamedTuple, Protocol, TypeAlias

from nbasr.errors import OptionError
from nbasr.text.joining import join
from nbasr.text.normalizing import normalize

__all__ = ["Change", "Score", "normalize", "score"]

_SHOWN = 150
"""Stretches of the alignment that are shown at once; the rest unfold."""

_EQUAL_WORDS = 40
"""Longest stretch without an error that is shown whole; of a longer one only both ends are."""


class _HasText(Protocol):
    """A transcript, a reference, a segment: whatever has a text."""

    @property
    def text(self) -> str: ...


Text: TypeAlias = str | _HasText


class Change(NamedTuple):
    """A stretch of the alignment: what is done to the reference to get the hypothesis."""

    op: Literal["equal", "substitute", "delete", "insert"]
    reference: tuple[str, ...]
    hypothesis: tuple[str, ...]


@dataclass(frozen=True, repr=False)
class Score:
    """Error rates and the alignment that they are counted on.

    Parameters
    ----------
    wer : float
        Word error rate: (substitutions + deletions + insertions) / words. Of an empty reference
        it is 0 if nothing was heard, and infinite otherwise: any word is one too many, and no
        share of nothing says how many.
    cer : float
        The same over characters, spaces not counted.
    hits, substitutions, deletions, insertions : int
        Words.
    words, characters : int
        Length of the normalised reference; see `normalize` for what a word is.
    alignment : tuple of Change
        Stretches of equal, substituted, deleted and inserted words, in order.
    """

    wer: float
    cer: float
    hits: int
    substitutions: int
    deletions: int
    insertions: int
    words: int
    characters: int
    alignment: tuple[Change, ...] = ()

    @property
    def errors(self) -> int:
        """Words that are wrong, missing or too many."""
        return self.substitutions + self.deletions + self.insertions

    def __repr__(self) -> str:
        counts = (
            f"{self.substitutions} substituted, {self.deletions} deleted, "
            f"{self.insertions} inserted"
        )
        if not self.words:
            return f"no words in the reference ({counts})"
        return (
            f"WER {_percent(self.wer)} ({self.errors} of {_many(self.words, 'word')}: {counts}), "
            f"CER {_percent(self.cer)}"
        )

    def _repr_html_(self) -> str:
        marked = [_marked(change) for change in self.alignment]
        body = f'<p dir="auto">{" ".join(marked[:_SHOWN])}</p>'
        if len(marked) > _SHOWN:
            rest = f'<p dir="auto">{" ".join(marked[_SHOWN:])}</p>'
            body += f"<details><summary>the rest</summary>{rest}</details>"
        key = "<small><del>missing or wrong</del> <ins>added or in its place</ins></small>"
        return f"<div><p><strong>{escape(repr(self))}</strong><br>{key}</p>{body}</div>"


def _many(number: int, thing: str) -> str:
    return f"{number} {thing}" + "s" * (number != 1)


def score(reference: Text | Sequence[Text], hypothesis: Text | Sequence[Text]) -> Score:
    """Compare a text with its reference, normalised as `normalize` documents.

    Words are aligned with the fewest errors (Levenshtein distance, by jiwer). In Chinese,
    Japanese, Thai, Lao, Khmer and Burmese each character counts as a word, so there WER and CER
    are the same; texts of mixed scripts are counted by words and characters together, which is
    known as mixed error rate.

    Parameters
    ----------
    reference, hypothesis : str, Transcript, anything with a ``text``, or a sequence of these
        What was said and what was recognised. Of two sequences the pairs are aligned one by one
        and counted together.

    Raises
    ------
    OptionError
        If only one is a sequence, they differ in length, or hold something without text.

    Examples
    --------
    >>> score("the quick brown fox", "The quack brown fox.")
    WER 25.0 % (1 of 4 words: 1 substituted, 0 deleted, 0 inserted), CER 6.2 %
    """
    pairs = _pairs(reference, hypothesis)
    changes: list[Change] = []
    characters, wrong_characters = 0, 0
    for said, heard in pairs:
        said_words, heard_words = normalize(said).split(), normalize(heard).split()
        changes += _align(said_words, heard_words)
        characters += sum(map(len, said_words))
        wrong_characters += _distance("".join(said_words), "".join(heard_words))
    counts = dict.fromkeys(("equal", "substitute", "delete", "insert"), 0)
    for change in changes:
        counts[change.op] += max(len(change.reference), len(change.hypothesis))
    words = counts["equal"] + counts["substitute"] + counts["delete"]
    errors = counts["substitute"] + counts["delete"] + counts["insert"]
    return Score(
        wer=_rate(errors, words),
        cer=_rate(wrong_characters, characters),
        hits=counts["equal"],
        substitutions=counts["substitute"],
        deletions=counts["delete"],
        insertions=counts["insert"],
        words=words,
        characters=characters,
        alignment=tuple(changes),
    )


def _pairs(
    reference: Text | Sequence[Text], hypothesis: Text | Sequence[Text]
) -> list[tuple[str, str]]:
    lists = [_is_list(reference), _is_list(hypothesis)]
    if lists == [False, False]:
        return [(_text(reference), _text(hypothesis))]
    if lists != [True, True]:
        raise OptionError("Give two texts, or two lists of texts, not a text and a list.")
    said, heard = _texts(reference), _texts(hypothesis)
    if len(said) != len(heard):
        raise OptionError(
            "Each text needs its reference, but there came "
            f"{_many(len(said), 'reference')} with {_many(len(heard), 'recognised text')}."
        )
    return list(zip(said, heard, strict=True))


def _is_list(given: object) -> bool:
    return not isinstance(given, str) and not hasattr(given, "text") and isinstance(given, Iterable)


def _texts(given: object) -> list[str]:
    return [_text(item) for item in given] if isinstance(given, Iterable) else []


def _text(given: object) -> str:
    text = getattr(given, "text", given)
    if not isinstance(text, str):
        raise OptionError(
            f"score compares texts or transcripts, and {type(given).__name__} has no text."
        )
    return text


def _align(reference: list[str], hypothesis: list[str]) -> list[Change]:
    """Align two lists of words; jiwer is spared the empty ones, which it rejects."""
    if not reference or not hypothesis:
        only = Change("delete" if reference else "insert", tuple(reference), tuple(hypothesis))
        return [only] if reference or hypothesis else []
    import jiwer

    output = jiwer.process_words(" ".join(reference), " ".join(hypothesis))
    return [
        Change(
            chunk.type,
            tuple(reference[chunk.ref_start_idx : chunk.ref_end_idx]),
            tuple(hypothesis[chunk.hyp_start_idx : chunk.hyp_end_idx]),
        )
        for chunk in output.alignments[0]
    ]


def _distance(reference: str, hypothesis: str) -> int:
    """Return how many characters differ."""
    if not reference or not hypothesis:
        return len(reference) + len(hypothesis)
    import jiwer

    counted = jiwer.process_characters(reference, hypothesis)
    return int(counted.substitutions + counted.deletions + counted.insertions)


def _rate(errors: int, length: int) -> float:
    if length:
        return errors / length
    return math.inf if errors else 0.0


def _percent(rate: float) -> str:
    return f"{100 * rate:.1f} %"


def _marked(change: Change) -> str:
    """Return one stretch as HTML that shows its kind without colour or style."""
    said, heard = escape(_shortened(change)), escape(join(change.hypothesis))
    if change.op == "equal":
        return said
    said = f"<del>{said}</del>" if change.reference else ""
    heard = f"<ins>{heard}</ins>" if change.hypothesis else ""
    return f"{said} {heard}".strip()


def _shortened(change: Change) -> str:
    words = change.reference
    if change.op != "equal" or len(words) <= _EQUAL_WORDS:
        return join(words)
    end = _EQUAL_WORDS // 4
    return f"{join(words[:end])} … {join(words[-end:])}"
