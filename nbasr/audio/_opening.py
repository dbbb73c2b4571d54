"""From a source to its decoded sound: found in the cache, mapped as it is, or decoded into it."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nbasr.audio import _media, cache
from nbasr.audio._arrays import ArraySound
from nbasr.audio._wav import HEADER_BYTES, WavHeader, read_header
from nbasr.audio.decode import AbandonedError, decode, no_sound, short
from nbasr.audio.levels import RATE, LevelsBuilder
from nbasr.audio.sources import Content
from nbasr.errors import AudioError

_HASHED_FIRST = 1 << 23  # bytes; what is larger is hashed while it is decoded
_BLOCK = 1 << 19  # samples
_AS_IT_IS = "-levels"  # ends the key of an entry that holds only levels


@dataclass(frozen=True)
class Opened:
    """Where decoded sound is.

    Parameters
    ----------
    fingerprint
        Of content, channel and stream.
    entry
        In the cache, of the samples and levels, or of the levels only. It stays there as long as
        this lives.
    source
        The file of a person that is used as it is, if it is.
    state
        Of that file when it was opened.
    """

    fingerprint: str
    entry: cache.Entry
    source: Path | None = None
    state: list[Any] | None = None

    @property
    def about(self) -> Mapping[str, Any]:
        """``samples``, ``offset`` in bytes, and the facts of the source."""
        return self.entry.about

    @property
    def sound(self) -> Path:
        """The file of the samples."""
        return self.entry.sound if self.source is None else self.source

    @property
    def levels(self) -> Path:
        """The file of the levels."""
        return self.entry.levels

    def is_there(self) -> bool:
        """Whether the samples are still there, and still the same."""
        if self.source is None:
            return self.sound.exists()
        try:
            return cache.state_of(self.source) == self.state
        except OSError:
            return False


def open_source(source: Content | ArraySound, channel: int | None, stream: int | None) -> Opened:
    """Return the decoded sound of a source, decoding it if need be.

    Raises
    ------
    AudioError
        If it cannot be decoded or kept.
    OptionError
        If it has no such channel or stream.
    """
    if isinstance(source, ArraySound) or source.path is None:
        return _decoded(source, None, channel, stream)
    state = cache.state_of(source.path)
    digest = cache.digest_of(source.path)
    with source.open() as file:
        wav = read_header(file)
    if wav is not None and wav.is_ours and wav.start % 2 == 0 and not channel and not stream:
        opened, digest = _mapped(source, wav, digest, state)
        key = opened.levels.parent.name
    else:
        opened = _decoded(source, digest, channel, stream)
        key = opened.fingerprint
        digest = str(opened.about["digest"])
    if cache.state_of(source.path) != state:
        raise AudioError(f"{source.name} changed while it was read; open it when it is complete.")
    cache.remember(source.path, state, digest, key)
    return opened


def fingerprint(digest: str, channel: int | None = None, stream: int | None = None) -> str:
    """Return what stands for content with this hash, and what is chosen of it."""
    selected = f"{digest} channel={channel} stream={stream or 0}"
    return hashlib.sha256(selected.encode()).hexdigest()[:32]


def _decoded(
    source: Content | ArraySound, digest: str | None, channel: int | None, stream: int | None
) -> Opened:
    """Find the sound in the cache, or decode it into it while its content is hashed."""
    if digest is None and (isinstance(source, ArraySound) or source.size <= _HASHED_FIRST):
        digest = source.digest()
    if digest is not None and (entry := cache.find(fingerprint(digest, channel, stream))):
        return _opened(entry)
    hashing = _Hash(source, digest)
    known: cache.Entry | None = None
    looked = digest is not None

    def key() -> str:
        return fingerprint(hashing.value(), channel, stream)

    def is_known() -> bool:
        nonlocal known, looked
        if not looked and hashing.ready():
            looked = True
            known = cache.find(key())
        return known is not None

    def write(sound: Path, levels: Path) -> dict[str, Any]:
        made = decode(source, sound, channel=channel, stream=stream, abandon=is_known)
        made.levels.save(levels)
        return {
            "own": True,
            "samples": made.samples,
            "offset": HEADER_BYTES,
            "sample_rate": made.sample_rate,
            "channels": made.channels,
            "codec": made.codec,
            "format": made.format,
            "tags": made.tags,
            "problems": made.problems,
            "digest": hashing.value(),
        }

    try:
        entry = cache.make(key, source.name, write)
    except AbandonedError:
        assert known is not None
        entry = known
    finally:
        hashing.join()  # it reads a file that may be removed now
    return _opened(entry)


def _opened(entry: cache.Entry) -> Opened:
    return Opened(entry.folder.name, entry)


def _mapped(
    source: Content, wav: WavHeader, digest: str | None, state: list[Any]
) -> tuple[Opened, str]:
    """Measure a file that is mono 16 kHz PCM16 already; only its levels go to the cache."""
    assert source.path is not None
    digest = digest or source.digest()
    key = fingerprint(digest) + _AS_IT_IS
    entry = cache.find(key) or cache.make(
        lambda: key, source.name, lambda _, levels: _measured(source, wav, levels)
    )
    opened = Opened(fingerprint(digest), entry, source.path, state)
    return opened, digest


def _measured(source: Content, wav: WavHeader, target: Path) -> dict[str, Any]:
    """Write the levels of a WAV file, block by block: a map would count as memory of an hour."""
    available = (source.size - wav.start) // 2
    declared = available if wav.declared_bytes is None else wav.declared_bytes // 2
    samples = left = min(available, declared)
    if samples <= 0:
        raise no_sound(source.name)
    builder = LevelsBuilder()
    with source.open() as file:
        file.seek(wav.start)
        while left:
            block = np.fromfile(file, "<i2", min(left, _BLOCK))
            if not len(block):
                raise AudioError(f"{source.name} became shorter while it was read; open it again.")
            builder.add(block)
            left -= len(block)
    builder.finish().save(target)
    with _media.opened(source) as (container, _):
        facts = _media.facts(container, container.streams.audio[0], wav, source)
    problems = short(samples / RATE, declared / RATE)
    return {
        "own": False,
        "samples": samples,
        "offset": wav.start,
        "sample_rate": wav.sample_rate,
        "channels": wav.channels,
        "codec": facts.codec,
        "format": facts.format,
        "tags": facts.tags,
        "problems": problems,
    }


class _Hash:
    """Hash a source in a thread, while it is decoded."""

    def __init__(self, source: Content | ArraySound, digest: str | None) -> None:
        self._source, self._value = source, digest
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="nbasr-hash", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._value = self._value or self._source.digest()
        except Exception as error:
            self._error = error

    def join(self) -> None:
        self._thread.join()

    def ready(self) -> bool:
        return self._value is not None

    def value(self) -> str:
        self._thread.join()
        if self._error is not None:
            raise self._error
        assert self._value is not None
        return self._value
