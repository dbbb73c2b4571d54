"""A thread that demultiplexes and decodes, and hands over blocks of at least a second."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import queue
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeAlias, cast

from nbasr.audio import _media
from nbasr.audio._words import reason
from nbasr.errors import AudioError, NbasrError

if TYPE_CHECKING:
    from av import AudioFrame, Packet
    from av.audio.codeccontext import AudioCodecContext
    from av.audio.stream import AudioStream
    from av.container import InputContainer

_BLOCK_BYTES = 1 << 20  # of a block of decoded samples, all channels
_WAITING = 4  # blocks between the threads
_INDEPENDENT = ("flac",)  # decoders slower than the other thread, of packets that stand alone
_BATCH = 16  # packets
_MOST_PLANES = 7  # PyAV looks for the end of the list of planes in its ninth place: not its own
_JITTER = 0.1  # s between a frame's time and where it would go, in containers that round times
_MOST_GAP = 86_400.0  # s; a file that declares more is made to fill the disk
_LONGEST_GAP = 60.0  # s that are filled with silence where no length is declared to compare with

_Made: TypeAlias = "tuple[list[AudioFrame], int, int]"
"""Frames, how many packets they were in, and how many packets were damaged."""


class Reader:
    """Decode in a thread of its own; `blocks` hands over what it made.

    Parameters
    ----------
    container, stream
        Opened; used by the thread alone until the reader is left.
    name
        Of the recording, for messages.
    duration
        Seconds as declared, if that is known.
    """

    def __init__(
        self, container: InputContainer, stream: AudioStream, name: str, duration: float | None
    ) -> None:
        self._container, self._stream, self._name = container, stream, name
        self._tick = float(stream.time_base or 0)
        self._start = (container.start_time or 0) / 1e6
        # In a video, sound may begin after the picture; alone, it begins at its first sample.
        self._next = self._start if len(container.streams) > 1 else None
        self._latest = math.inf if duration is None else duration + 1
        self._longest = _LONGEST_GAP if duration is None else min(duration, _MOST_GAP)
        self._queue: queue.Queue[AudioFrame | float | BaseException | None] = queue.Queue(_WAITING)
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="nbasr-decode", daemon=True)
        self.packets = 0
        self.damaged = 0

    def __enter__(self) -> Reader:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped = True
        while self._thread.is_alive():  # it may wait for room in the queue
            try:
                self._queue.get(timeout=0.01)
            except queue.Empty:
                continue
        self._thread.join()

    def blocks(self) -> Iterator[AudioFrame | float]:
        """Give blocks of samples, and in place of what is missing its length in seconds."""
        while (block := self._queue.get()) is not None:
            if isinstance(block, BaseException):
                raise block
            yield block

    def _run(self) -> None:
        try:
            for block in self._gathered():
                self._queue.put(block)
                if self._stopped:
                    return
            self._queue.put(None)
        except NbasrError as error:
            self._queue.put(error)
        except OSError as error:
            self._queue.put(AudioError(f"{self._name} cannot be read ({reason(error)})."))
        except BaseException as error:
            self._queue.put(error)

    def _gathered(self) -> Iterator[AudioFrame | float]:
        """Gather frames into blocks; a change of their form, or a gap, ends a block.

        An hour has 140,000 frames: what is asked of each of them adds up.
        """
        import av

        fifo, channels, length, held = av.AudioFifo(), 0, 0, 0
        for frame in self._frames():
            samples = frame.samples
            gap = self._gap_before(frame.pts, samples / frame.sample_rate)
            frame.pts = None  # the fifo insists on unbroken times otherwise
            changed = frame.layout.nb_channels != channels
            if not (gap or changed):
                try:
                    fifo.write(frame)
                    held += samples
                except ValueError:  # another format or rate than before
                    changed = True
            if gap or changed or held >= length:
                if (block := fifo.read()) is not None:
                    yield block
                held = 0
            if gap:
                yield gap
            if changed:
                fifo, channels = av.AudioFifo(), frame.layout.nb_channels
                length = _block_samples(frame)
            if gap or changed:
                fifo.write(frame)
                held = samples
        if (block := fifo.read()) is not None:
            yield block

    def _frames(self) -> Iterator[AudioFrame]:
        """Give every frame, its channels in no more planes than PyAV can tell."""
        import av

        several = self._stream.codec_context.name in _INDEPENDENT and (os.cpu_count() or 1) > 1
        packer: av.AudioResampler | None = None
        for frames, packets, damaged in self._side_by_side() if several else self._in_turn():
            self.packets += packets
            self.damaged += damaged
            for frame in frames:
                if frame.layout.nb_channels > _MOST_PLANES and frame.format.is_planar:
                    packer = packer or av.AudioResampler(format=frame.format.name[:-1])
                    yield from packer.resample(frame)
                else:
                    yield frame

    def _batches(self) -> Iterator[list[Packet[AudioStream]]]:
        """Give the stream's packets, up to where the container is broken."""
        import av.error

        batch: list[Packet[AudioStream]] = []
        first = True
        try:
            for packet in self._container.demux(self._stream):
                if first:
                    _media.check_lock(packet, self._name)
                    first = False
                batch.append(packet)
                if len(batch) == _BATCH:
                    yield batch
                    batch = []
        except av.error.FFmpegError:
            self.packets += 1
            self.damaged += 1
        yield batch

    def _in_turn(self) -> Iterator[_Made]:
        for batch in self._batches():
            yield _decode(self._stream.codec_context, batch)

    def _side_by_side(self) -> Iterator[_Made]:
        """Decode batches of packets in two threads, for codecs whose packets stand alone.

        FFmpeg's own frame threads pass on packet by packet, which takes 10 % more processor time.
        """
        import av

        with contextlib.ExitStack() as stack:
            workers = [stack.enter_context(ThreadPoolExecutor(1)) for _ in range(2)]
            decoders = []
            for _ in workers:
                decoder = av.CodecContext.create(self._stream.codec_context.name, "r")
                decoder.extradata = self._stream.codec_context.extradata
                decoders.append(cast("AudioCodecContext", decoder))
            waiting: deque[Future[_Made]] = deque()
            turns = itertools.cycle(zip(workers, decoders, strict=True))
            for batch, (worker, turn) in zip(self._batches(), turns, strict=False):
                whole = [packet for packet in batch if packet.size]  # an empty one ends a decoder
                waiting.append(worker.submit(_decode, turn, whole))
                if len(waiting) > len(workers):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _gap_before(self, pts: int | None, length: float) -> float:
        """Return how much silence belongs before a frame of this length, in seconds.

        Damaged packets leave gaps, and so do recorders that write nothing while nobody speaks.
        Without the silence, all times after the gap would be wrong.
        """
        gap = 0.0
        if pts is not None and self._tick:
            at = pts * self._tick
            if self._next is None:
                self._next = self._start = at
            gap = at - self._next
            if gap < _JITTER or at - self._start > self._latest or gap > self._longest:
                gap = 0.0
        if self._next is not None:
            self._next += gap + length
        return gap


def _decode(codec: AudioCodecContext, batch: list[Packet[AudioStream]]) -> _Made:
    import av.error

    frames: list[AudioFrame] = []
    packets = damaged = 0
    for packet in batch:
        packets += packet.size > 0
        try:
            frames += codec.decode(packet)
        except av.error.FFmpegError:
            damaged += packet.size > 0
    return frames, packets, damaged


def _block_samples(frame: AudioFrame) -> int:
    """Return how many samples of such frames make a block: at most 1 MB, at least a second."""
    sample_bytes = frame.format.bytes * frame.layout.nb_channels
    return max(min(_BLOCK_BYTES // sample_bytes, 1 << 17), 1 << 12)
