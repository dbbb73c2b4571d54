"""What the weights of a model take in memory, part by part, known before any of them is loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbasr.engines.checkpoint import snapshot
from nbasr.models._entries import BYTES, ENTRIES

if TYPE_CHECKING:
    from nbasr.engines.base import EngineSpec
    from nbasr.engines.quantization import Quantization
    from nbasr.models._entries import Entry

BLOCK = 64
"""4-bit: weights that share one scale (bitsandbytes' block size; QLoRA, Dettmers et al. 2023)."""

DOUBLE_BLOCK = 256
"""4-bit, double quantisation: scales that share one scale of their own (the same)."""

CODE_BYTES = 16 * 4
"""4-bit: the table of its 16 values, float32, which each layer keeps."""

DOUBLE_CODE_BYTES = 256 * 4
"""4-bit, double quantisation: the table of the 256 values of a scale, float32, of each layer."""


@dataclass(frozen=True)
class Linear:
    """Linear layers of one shape, which are what can be quantised.

    Parameters
    ----------
    name
        Full name in the model, with ``{}`` for the number of the layer where there are several.
    outputs, inputs
        Shape of the weight.
    start, stop
        The first number of a layer, and the one after the last.
    """

    name: str
    outputs: int
    inputs: int
    start: int = 0
    stop: int = 1

    @property
    def parameters(self) -> int:
        """Numbers in all these weights together."""
        return self.outputs * self.inputs * (self.stop - self.start)

    def names(self) -> tuple[str, ...]:
        """Return the name of each layer."""
        return tuple(self.name.replace("{}", str(n)) for n in range(self.start, self.stop))


@dataclass(frozen=True)
class Part:
    """One part of a model.

    Parameters
    ----------
    name
        ``"audio tower"``, ``"projector"``, ``"decoder"``, ``"embeddings"``, ``"head"``, or what the
        model calls it.
    parameters
        All its numbers, those of its linear layers among them; a tied weight counts once.
    linear
        Its linear layers.
    buffers_bytes
        Tables that are no weights; they stay in float32.
    """

    name: str
    parameters: int
    linear: tuple[Linear, ...] = ()
    buffers_bytes: int = 0


@dataclass(frozen=True)
class Inventory:
    """What a model consists of.

    Parameters
    ----------
    family
        ``model_type`` of its configuration; ``""`` where there is none.
    parts
        Its parts, in the order of the computation.
    facts
        Numbers of its architecture; see `facts`.
    """

    family: str
    parts: tuple[Part, ...]
    facts: Mapping[str, float]

    @property
    def parameters(self) -> int:
        """All numbers of the model."""
        return sum(part.parameters for part in self.parts)

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Inventory:
        """Return the inventory of a record, stored with the package or made by `_meta.record`."""
        parts = tuple(
            Part(
                part["name"],
                part["parameters"],
                tuple(Linear(*layers) for layers in part["linear"]),
                part["buffers_bytes"],
            )
            for part in record["parts"]
        )
        return cls(record["family"], parts, dict(record["facts"]))


def inventory(model: EngineSpec | Entry) -> Inventory | None:
    """Return what a model consists of; None where it is not known until the model is fetched.

    For models of the catalogue it is stored with the package (``tools/make_inventory.py`` counts it
    from the configurations); for others it is counted from their configuration, on torch's meta
    device, which holds shapes and no numbers.

    Raises
    ------
    ModelError
        If the configuration in a model's folder cannot be read.
    """
    if not model.source:
        return None
    stored = _by_source().get(model.source.lower())
    if stored is not None and model.engine != "funasr":  # ModelScope's may be of another kind
        return stored
    folder: Path | None = Path(model.source)
    if folder is not None and not folder.is_dir():
        folder = snapshot(model.source)
    if folder is None:
        return stored
    from nbasr.models import _meta

    return _meta.inventory_of(folder)


def weights(spec: EngineSpec) -> dict[str, int]:
    """Return the bytes of each part in a spec's number format and quantisation.

    The tables and scales of the quantisation are in it, and the buffers. Empty where nothing is
    known of the model: it has none (sphinx), or it is not on this machine.
    """
    known = inventory(spec)
    if known is None:
        return {}
    parts = {part.name: _bytes_of(part, spec) for part in known.parts}
    second = _second_bytes(spec) if spec.engine == "funasr" else 0
    return parts | {"punctuation": second} if second else parts


def weights_bytes(spec: EngineSpec) -> int | None:
    """Return how many bytes the weights of a spec take in memory; None where it is not known."""
    return sum(weights(spec).values()) or None


def facts(spec: EngineSpec) -> Mapping[str, float]:
    """Return the numbers of a model's architecture from which its working memory follows.

    What a family does not have is 0. Empty where nothing is known of the model.

    Returns
    -------
    mapping
        ``kv_layers``, ``kv_heads``, ``head_dim``: of the decoder's own cache;
        ``cross_layers``, ``cross_tokens``: cache of the cross attention (Whisper), in layers and
        positions for each item; ``tokens_per_second``: what a second of sound becomes in the
        decoder; ``decoder_width``, ``decoder_inner`` (of its feed-forward), ``decoder_heads``;
        ``encoder_layers``, ``encoder_width``, ``encoder_inner``, ``encoder_heads``,
        ``encoder_frames_per_second``; ``window_seconds``: sound that is always padded to, 0 for
        none; ``mel_bins``; ``downsample_hidden``: channels of the first convolutions (Qwen3-ASR);
        ``vocabulary``: outputs of the head; ``max_positions`` of the decoder.
    """
    known = inventory(spec)
    return known.facts if known is not None else {}


def family(spec: EngineSpec) -> str:
    """Return the ``model_type`` of a spec's model, such as ``"whisper"``; ``""`` if not known."""
    known = inventory(spec)
    return known.family if known is not None else ""


def _bytes_of(part: Part, spec: EngineSpec) -> int:
    number = BYTES[spec.dtype]
    total = part.buffers_bytes
    plain = part.parameters
    if spec.quantization is not None and _may_quantise(part, spec.quantization):
        for layers in part.linear:
            chosen = sum(_is_quantised(name, spec.quantization) for name in layers.names())
            each = layers.outputs * layers.inputs
            plain -= chosen * each
            total += chosen * _quantised_bytes(layers, spec.quantization)
    return total + plain * number


HEARING = ("audio tower", "projector")
"""Parts that are left as they are unless ``audio_tower`` is asked for."""


def _may_quantise(part: Part, how: Quantization) -> bool:
    return part.name != "head" and (how.audio_tower or part.name not in HEARING)


def _is_quantised(name: str, how: Quantization) -> bool:
    """Tell whether a layer is quantised, if no module in which it is was named to be skipped."""
    return not any(f".{skip}." in f".{name}." for skip in how.skip)


def _quantised_bytes(layers: Linear, how: Quantization) -> int:
    """Return the bytes of one quantised weight with its scales (bitsandbytes, as it keeps them)."""
    each = layers.outputs * layers.inputs
    if how.method == "int8":
        return each + 4 * layers.outputs  # one float32 scale for each row
    blocks = -(-each // BLOCK)
    if not how.double:
        return -(-each // 2) + 4 * blocks + CODE_BYTES
    tables = CODE_BYTES + DOUBLE_CODE_BYTES
    return -(-each // 2) + blocks + 4 * -(-blocks // DOUBLE_BLOCK) + 4 + tables


def _second_bytes(spec: EngineSpec) -> int:
    """Return the size of the punctuation model that a Paraformer loads too; it stays in float32."""
    from nbasr.engines._funasr_files import punctuation_for

    folder = Path(spec.source)
    here = folder if folder.is_dir() else snapshot(spec.source)
    if here is None:
        return next((e.companion_bytes for e in ENTRIES if e.source == spec.source), 0)
    second = punctuation_for(here)
    return (second / "model.pt").stat().st_size if second is not None else 0


@cache
def _by_source() -> dict[str, Inventory]:
    """Return the stored inventories by hub id, in lower case."""
    text = Path(__file__).with_name("inventory.json").read_text("utf-8")
    return {source.lower(): Inventory.of(record) for source, record in json.loads(text).items()}
