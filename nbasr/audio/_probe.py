"""What a source says of itself before anything is decoded."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass

from nbasr.audio import _media
from nbasr.audio._arrays import ArraySound
from nbasr.audio.sources import Content


@dataclass(frozen=True)
class Probe:
    """What a source declares, without decoding it.

    Parameters
    ----------
    name
        Of the file or address.
    duration
        Seconds as declared, or as FFmpeg estimates it; None if unknown.
    sample_rate, channels, codec
        Of its first audio stream.
    format
        FFmpeg's name of the container.
    tags
        Title, artist and what else is noted in it.
    streams
        How many audio streams there are.
    """

    name: str
    duration: float | None
    sample_rate: int
    channels: int
    codec: str
    format: str
    tags: Mapping[str, str]
    streams: int


def declared_by(source: Content | ArraySound, stream: int | None) -> Probe:
    """Return what a resolved source declares; see `nbasr.probe`."""
    if isinstance(source, ArraySound):
        channels, samples = source.array.shape
        return Probe(
            name=source.name,
            duration=samples / source.rate,
            sample_rate=round(source.rate),
            channels=channels,
            codec=source.kind,
            format="array",
            tags=types.MappingProxyType({}),
            streams=1,
        )
    with _media.opened(source) as (container, wav):
        chosen = _media.audio_stream(container, source.name, stream)
        facts = _media.facts(container, chosen, wav, source)
    return Probe(
        name=source.name,
        duration=facts.duration,
        sample_rate=facts.sample_rate,
        channels=facts.channels,
        codec=facts.codec,
        format=facts.format,
        tags=types.MappingProxyType(facts.tags),
        streams=facts.streams,
    )
