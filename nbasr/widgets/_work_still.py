"""The workbench without a kernel: the chosen recording, how it is cut, its text, the models."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from nbasr.audio import _show
from nbasr.chunking import _telling
from nbasr.models import manager
from nbasr.widgets import _still
from nbasr.widgets._texts import say

if TYPE_CHECKING:
    from nbasr.widgets._work_desk import Desk

_MOST_NAMES = 12


def html(chosen: Desk | None, desks: Iterable[Desk], language: str = "") -> str:
    """Return HTML that reads well in light and dark, below 150 kB."""
    if chosen is None:
        return _card(f"<strong>{escape(say('work.still', language))}</strong>", [], language)
    parts = [_still.html(chosen.recording, (), language)]
    lines = [_telling.line(chosen.plan)]
    others = [desk.recording.name for desk in desks if desk is not chosen]
    if others:
        lines.append(say("work.still_others", language, names=_named(others)))
    loaded = [f"{one.spec.name} ({one.spec.precision})" for one in manager.resident()]
    if loaded:
        lines.append(say("work.still_models", language, names=_named(loaded)))
    parts += [f'<div style="color:{_show.DIM};margin:4px 0">{escape(line)}</div>' for line in lines]
    if chosen.reader is not None and chosen.transcript is not None:
        parts.append(chosen.reader.still())
    elif chosen.transcript is not None:
        from nbasr.transcript.render import as_html

        parts.append(as_html(chosen.transcript))
    return "".join(parts)


def _card(title: str, lines: list[str], language: str) -> str:
    told = lines or [say("work.still_none", language)]
    rows = "".join(f"<div>{escape(line)}</div>" for line in told)
    return f'<div style="{_show.CARD_STYLE}"><div>{title}</div>{rows}</div>'


def _named(names: list[str]) -> str:
    more = f" … (+{len(names) - _MOST_NAMES})" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more
