"""How a recording looks in a notebook: a card with its facts, its waveform and a player."""

from __future__ import annotations

import base64
import io
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from nbasr.audio import _axis
from nbasr.audio._saving import encode
from nbasr.audio._words import clock
from nbasr.audio.levels import SILENCE_DB, Levels

if TYPE_CHECKING:
    from nbasr.audio.recording import Recording

_HEARD = 30.0  # s of sound in the card at most
_BITS_PER_SECOND = 24_000  # 16 kHz mono speech stays clear, and 30 s take 120 kB of the notebook
_WIDTH, _HEIGHT, _COLUMNS = 1000, 100, 500  # of the drawing, and columns in it
_ABOVE_FLOOR_DB = 8.0  # a frame this near the noise floor has nobody speaking in it, …
_BELOW_LOUD_DB = 10.0  # … if the recording has louder parts at all: a steady tone is no silence
_UNHEARD_DB = -65.0  # dBFS; quieter than that is silence anyhow

# Colours of JupyterLab's theme; elsewhere the text's own, and a blue for white and for black.
_TEXT = "var(--jp-content-font-color1, currentColor)"
DIM = "var(--jp-content-font-color2, currentColor)"
_LINE = "var(--jp-border-color2, rgba(128, 128, 128, 0.5))"
_WAVE = "var(--jp-brand-color1, #3f88d8)"
WARN = "var(--jp-warn-color1, #c77700)"
CARD_STYLE = (
    f"color:{_TEXT};border:1px solid {_LINE};border-radius:4px;padding:8px 12px;"
    "max-width:760px;font-family:var(--jp-ui-font-family, sans-serif);font-size:13px"
)


def card(recording: Recording) -> str:
    """Return the recording as HTML; names and tags in it are text, never markup."""
    facts = " · ".join(escape(fact) for fact in recording.facts())
    problems = "".join(
        f'<div style="color:{WARN}">&#9888; {escape(problem)}</div>'
        for problem in recording.problems
    )
    return (
        f'<div class="nbasr-recording" style="{CARD_STYLE}">'
        f"<div><strong>{escape(recording.name)}</strong> "
        f'<span style="color:{DIM}">{facts}</span></div>{problems}'
        f"{waveform(recording.levels())}{_player(recording)}</div>"
    )


def described(levels: Levels) -> str:
    """Return the text alternative of a waveform: length, level and share of silence."""
    if not len(levels.rms_db):
        return "Waveform of an empty recording."
    return (
        f"Waveform of {clock(levels.duration)}: level {mean_db(levels):.0f} dBFS, highest peak "
        f"{levels.peak_db:.0f} dBFS, {100 * silence_share(levels):.0f} % silence."
    )


def mean_db(levels: Levels) -> float:
    """Return the level of the mean power in dBFS, not below -100."""
    if not len(levels.rms_db):
        return SILENCE_DB
    powers = np.exp(levels.rms_db * np.float32(np.log(10) / 10))
    power = float(np.mean(powers, dtype=np.float64))
    return max(10 * float(np.log10(power)), SILENCE_DB)


def silence_share(levels: Levels) -> float:
    """Return the share of frames in which there is only background."""
    background = levels.excess_db < _ABOVE_FLOOR_DB
    background &= levels.rms_db < levels.loud_db - _BELOW_LOUD_DB
    background |= levels.rms_db < _UNHEARD_DB
    return float(background.mean()) if len(background) else 0.0


def waveform(levels: Levels) -> str:
    """Return the waveform as inline SVG with a time axis, as high as drawn at its loudest."""
    envelope = levels.envelope(0.0, levels.duration, _COLUMNS)
    loudest = max(float(np.abs(envelope).max(initial=0.0)), 1e-3)
    half = _HEIGHT / 2
    tops = np.rint(half - envelope[:, 1] / loudest * (half - 2)).astype(int)
    bottoms = np.rint(half - envelope[:, 0] / loudest * (half - 2)).astype(int)
    bottoms = np.maximum(bottoms, tops + 1)  # silence is a line, not nothing
    step = _WIDTH // _COLUMNS
    outline = [f"{column * step},{top}" for column, top in enumerate(tops)]
    outline += [f"{column * step},{bottoms[column]}" for column in reversed(range(_COLUMNS))]
    told = escape(described(levels))
    return (
        f'<svg role="img" aria-label="{told}" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        'preserveAspectRatio="none" style="display:block;width:100%;height:80px;margin-top:6px">'
        f'<title>{told}</title><polygon points="{" ".join(outline)}" style="fill:{_WAVE}"/></svg>'
        f'<div style="color:{DIM};font-size:11px">{_axis.html(levels.duration)}</div>'
    )


def _player(recording: Recording) -> str:
    """Return an audio element with the first seconds inside it."""
    sound = _sound(recording)
    if sound is None:
        return ""
    cut = recording.duration > _HEARD
    note = f"first {_HEARD:g} s of {clock(recording.duration)}" if cut else ""
    label = escape(f"Play {recording.name}" + (f", {note}" if cut else ""))
    return (
        f'<audio controls preload="none" aria-label="{label}" src="data:audio/mpeg;base64,{sound}" '
        'style="width:100%;height:36px;margin-top:6px"></audio>'
        + (f'<div style="color:{DIM};font-size:11px">Plays the {note}.</div>' if cut else "")
    )


@lru_cache(maxsize=16)
def _sound(recording: Recording) -> str | None:
    """Return the first seconds as MP3 in base64; None where FFmpeg was built without LAME."""
    from av.codec.codec import UnknownCodecError

    file = io.BytesIO()
    try:
        start = np.asarray(recording.samples[: round(_HEARD * 16000)])
        encode(start, file, "mp3", "libmp3lame", _BITS_PER_SECOND)
    except UnknownCodecError:
        return None
    return base64.b64encode(file.getvalue()).decode("ascii")
