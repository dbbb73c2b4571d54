"""The model panel without a kernel: what was loaded, who held the memory, and how that went."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from nbasr._units import size
from nbasr.audio import _show
from nbasr.memory._timeline_svg import COLOURS
from nbasr.memory.spots import PARTS
from nbasr.widgets._texts import say

if TYPE_CHECKING:
    from nbasr.memory.timeline import Timeline


def html(loaded: list[dict[str, Any]], timeline: Timeline, device: str, language: str) -> str:
    """Return HTML that reads well in light and dark."""
    title = escape(say("models.still", language))
    rows = "".join(
        f"<tr><td{_LEFT}>{escape(one['name'])}</td><td{_LEFT}>{escape(one['precision'])}</td>"
        f"<td{_LEFT}>{escape(one['device'])}</td><td{_LEFT}>{size(one['bytes'])}</td></tr>"
        for one in loaded
    )
    none = escape(say("models.none_loaded", language))
    table = f"<table>{rows}</table>" if rows else f"<div>{none}</div>"
    seen = timeline.spots(device) if device in timeline.devices else ()
    picture, legend = "", ""
    if seen:
        facts = [
            (
                COLOURS[part],
                say(f"models.part_{part}", language),
                getattr(seen[-1], f"{part}_bytes"),
            )
            for part in PARTS
        ]
        legend = "".join(
            f'<span style="margin-right:12px;white-space:nowrap"><span aria-hidden="true" '
            f'style="display:inline-block;width:10px;height:10px;background:{colour}"></span> '
            f"{escape(name)} {size(count)}</span>"
            for colour, name, count in facts
            if count
        )
        free = f"{escape(say('models.part_free', language))} {size(seen[-1].free_bytes)}"
        legend = f'<div style="margin-top:6px">{legend}<span>{free}</span></div>'
        picture = timeline.svg(device)
    return (
        f'<div class="nbasr-models-still" style="{_show.CARD_STYLE}"><strong>{title}</strong>'
        f"{table}{legend}{picture}</div>"
    )


_LEFT = ' style="text-align:left"'


def figure_texts(language: str) -> dict[str, str]:
    """Return what the figure of memory over time says."""
    texts = {part: say(f"models.part_{part}", language) for part in PARTS}
    texts["budget"] = say("models.budget", language)
    braces = {"device": "{device}", "text": "{text}"}
    texts["title"] = say("models.figure_title", language, **braces)
    for kind in ("load", "unload", "job", "ended", "short", "budget_set"):
        texts[kind] = say(f"models.mark_{kind}", language, **braces)
    return texts
