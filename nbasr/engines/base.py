"""What an engine is: sound in, text out, made from a small spec that travels anywhere."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from nbasr.engines.quantization import Quantization
from nbasr.errors import ModelError
from nbasr.transcript.transcript import Segment

if TYPE_CHECKING:
    from numpy.typing import NDArray

RATE = 16_000
"""Samples per second of the sound that every engine takes."""


@dataclass(frozen=True)
class EngineSpec:
    """Which model, and how it is to run. Picklable, and equal in every process.

    Parameters
    ----------
    engine
        Calling convention: ``"sphinx"``, ``"whisper"``, ``"audio_llm"``, ``"funasr"`` or
        ``"aligner"``.
    source
        Hub id or local folder of the model; ``""`` for the embedded one.
    name
        What people call it.
    dtype
        Number format of the weights that are not quantised: ``"float32"``, ``"bf16"``, ``"fp16"``.
    device
        ``"cpu"``, ``"cuda"`` or ``"mps"``.
    max_seconds
        Longest sound of one request, in seconds, that is safe for the model.
    batch_size
        Requests that suit the model and device at once.
    quantization
        How its linear layers are stored in fewer bits; None where they are not.
    offload
        Whether layers that do not fit the GPU are kept in main memory.
    """

    engine: str
    source: str
    name: str
    dtype: str = "float32"
    device: str = "cpu"
    max_seconds: float = 30.0
    batch_size: int = 1
    quantization: Quantization | None = None
    offload: bool = False

    @property
    def precision(self) -> str:
        """The format of most weights, as people say it: ``"bf16"``, ``"int8"`` or ``"nf4"``."""
        return self.quantization.method if self.quantization else self.dtype

    @property
    def key(self) -> str:
        """A hash of all fields, the same in every process and session (hex, 16 characters)."""
        fields = json.dumps(dataclasses.asdict(self), sort_keys=True)
        return hashlib.sha256(fields.encode()).hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class Request:
    """One stretch of sound to recognise, and how.

    Parameters
    ----------
    samples
        Sound, float32 in -1 … 1, shape (samples,), mono, 16 kHz.
    language
        Name or code; None detects it where the model can.
    task
        ``"transcribe"``, or ``"translate"`` into English.
    prompt
        Text that comes before; ``""`` for none.
    hotwords
        Words to listen for.
    timestamps
        Finest times wanted: ``"segment"`` or ``"word"``.
    """

    samples: NDArray[np.float32]
    language: str | None = None
    task: str = "transcribe"
    prompt: str = ""
    hotwords: tuple[str, ...] = ()
    timestamps: str = "segment"

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self.samples) / RATE


@dataclass(frozen=True)
class Recognition:
    """What an engine heard in one request.

    Parameters
    ----------
    text
        All of it, without marks of the model's own.
    language
        Code of the language, given or detected; None where nothing was heard that tells it.
    segments
        The text in pieces, with times in seconds from the start of the request.
    flags
        What to mind: ``"truncated"`` (the token budget was used up), ``"repetition"`` (it goes
        round in circles), ``"no_speech"`` (the model itself says that nobody speaks, so its guess
        was dropped), ``"prompt_cut"`` (only the end of the prompt fitted).
    score
        How sure the model was, from 0 to 1 (geometric mean of its tokens' probabilities); None
        where the engine does not tell.
    """

    text: str
    language: str | None = None
    segments: tuple[Segment, ...] = ()
    flags: tuple[str, ...] = ()
    score: float | None = None


class Engine(Protocol):
    """A loaded model. Values in, values out: it may as well live in another process."""

    spec: EngineSpec

    @property
    def module(self) -> Any:
        """The torch module, or None: there is none, or it was let go. Not to be kept."""
        ...

    def recognize(self, batch: Sequence[Request]) -> list[Recognition]:
        """Recognise each request; the results are in the same order.

        Raises
        ------
        ModelError
            If a request asks for what the model cannot do.
        """
        ...

    def close(self) -> None:
        """Let go of the model's memory, even if somebody still holds its module.

        The engine cannot be used again.
        """
        ...


_HOME = {
    "sphinx": "nbasr.engines.sphinx:SphinxEngine",
    "whisper": "nbasr.engines.whisper:WhisperEngine",
    "audio_llm": "nbasr.engines.audio_llm:AudioLLMEngine",
    "funasr": "nbasr.engines.funasr:FunAsrEngine",
}
"""The class of each engine, imported when it is first opened."""


def open_engine(spec: EngineSpec) -> Engine:
    """Load the model of a spec from this machine. Nothing is downloaded here.

    Raises
    ------
    ModelError
        If the model is not there, is damaged, or is of another kind than the spec says.
    """
    import importlib

    if spec.engine not in _HOME:
        raise ModelError(f"There is no engine {spec.engine!r}; nbasr has {', '.join(_HOME)}.")
    module, name = _HOME[spec.engine].split(":")
    engine: Engine = getattr(importlib.import_module(module), name)(spec)
    return engine


def check(samples: NDArray[np.float32], spec: EngineSpec) -> None:
    """Raise `ModelError` if a request's sound is not mono or longer than the model can take."""
    if samples.ndim != 1:
        raise ModelError(f"{spec.name} takes mono sound, one row, not an array of {samples.shape}.")
    seconds = len(samples) / RATE
    if seconds > spec.max_seconds + 0.05:
        raise ModelError(
            f"{spec.name} takes up to {spec.max_seconds:g} s at once, not {seconds:.1f} s; "
            "cut the recording first."
        )
