"""nbasr, the notebook workbench for speech recognition.

>>> import nbasr
>>> recording = nbasr.samples.open("meeting")          # doctest: +SKIP
>>> transcript = nbasr.transcribe(recording)            # doctest: +SKIP
>>> transcript.save("meeting.srt")                      # doctest: +SKIP

In a notebook, ``%load_ext nbasr`` gives ``%transcribe``, ``%%transcribe`` and ``%asr``; each
answers ``--help``. Nothing heavy is imported before it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__version__ = "0.1.0"

_HOME = {
    "Recording": "nbasr.audio.recording",
    "convert": "nbasr.audio.convert",
    "probe": "nbasr.audio.recording",
    "prepare": "nbasr.audio.prepare:",
    "samples": "nbasr.audio.samples:",
    "chunking": "nbasr.chunking:",
    "models": "nbasr.models:",
    "memory": "nbasr.memory:",
    "transcribe": "nbasr.pipeline.transcribe",
    "plan": "nbasr.pipeline.transcribe",
    "submit": "nbasr.pipeline.jobs",
    "jobs": "nbasr.pipeline.jobs",
    "align": "nbasr.pipeline.aligning",
    "Transcript": "nbasr.transcript",
    "Segment": "nbasr.transcript",
    "Word": "nbasr.transcript",
    "score": "nbasr.text.scoring",
    "UploadPanel": "nbasr.widgets.upload",
    "WaveformPanel": "nbasr.widgets.waveform",
    "ChunkTuner": "nbasr.widgets.tuner",
    "TranscriptPanel": "nbasr.widgets.transcript",
    "workbench": "nbasr.widgets.workbench",
    "ModelPanel": "nbasr.widgets.models",
}
"""Where each public name lives; a home that ends in a colon is the thing itself."""

__all__ = [*_HOME, "__version__"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'nbasr' has no attribute {name!r}")
    home = _HOME[name]
    module = importlib.import_module(home.rstrip(":"))
    value = module if home.endswith(":") else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register the magics (``%load_ext nbasr``)."""
    from nbasr.magics import register

    register(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take the magics away again (``%unload_ext nbasr``); resident models stay."""
    from nbasr.magics import unregister

    unregister(shell)
