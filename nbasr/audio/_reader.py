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
from typing import TYPE_CHECKING, cast

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
_BATCH = 16  # of such packets
_MOST_PLANES = 7  # PyAV looks for the end of the list of planes in its ninth place: not its own
_JITTER = 0.1  # s between a frame's time and where it would go, in containers that round times
_LONGEST_GAP = 60.0  # s that are filled with silence where no length is declared to compare with


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
        self._longest = _LONGEST_GAP if duration is None else duration
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
        """Gather frames into blocks; a change of their form, or a gap, ends a block."""
        import av

        fifo, form = av.AudioFifo(), None
        length = 0
        for frame in self._frames():
            if isinstance(frame, float):
                if (rest := fifo.read()) is not None:
                    yield rest
                yield frame
                continue
            found = (frame.format.name, frame.layout.nb_channels, frame.sample_rate)
            if found != form:
                if (rest := fifo.read()) is not None:
                    yield rest
                fifo, form = av.AudioFifo(), found
                length = _block_samples(frame)
            if frame.samples >= length and not fifo.samples:
                yield frame
                continue
            frame.pts = None  # the fifo insists on unbroken times otherwise
            fifo.write(frame)
            if fifo.samples >= length and (block := fifo.read()) is not None:
                yield block
        if (rest := fifo.read()) is not None:
            yield rest

    def _frames(self) -> Iterator[AudioFrame | float]:
        """Give every frame, and before it what silence belongs there in seconds."""
        import av

        packer: av.AudioResampler | None = None
        several = self._stream.codec_context.name in _INDEPENDENT and (os.cpu_count() or 1) > 1
        for frames, damaged in self._side_by_side() if several else self._in_turn():
            self.damaged += damaged
            for frame in frames:
                if gap := self._gap_before(frame):
                    yield gap
                if frame.format.is_planar and frame.layout.nb_channels > _MOST_PLANES:
                    packer = packer or av.AudioResampler(format=frame.format.name[:-1])
                    yield from packer.resample(frame)
                else:
                    yield frame

    def _packets(self) -> Iterator[Packet[AudioStream]]:
        """Give the stream's packets, up to where the container is broken."""
        import av.error

        try:
            for packet in self._container.demux(self._stream):
                if packet.size:
                    self.packets += 1
                    if self.packets == 1:
                        _media.check_lock(packet, self._name)
                yield packet
        except av.error.FFmpegError:
            self.packets += 1
            self.damaged += 1

    def _in_turn(self) -> Iterator[tuple[list[AudioFrame], int]]:
        for packet in self._packets():
            yield _decode(self._stream.codec_context, [packet])

    def _side_by_side(self) -> Iterator[tuple[list[AudioFrame], int]]:
        """Decode batches of packets in two threads, for codecs whose packets stand alone.

        FFmpeg's own frame threads pass on packet by packet, which takes 10 % more processor time.
        """
        import av

        with contextlib.ExitStack() as stack:
            workers = [stack.enter_context(ThreadPoolExecutor(1)) for _ in range(2)]
            codecs = []
            for _ in workers:
                codec = av.CodecContext.create(self._stream.codec_context.name, "r")
                codec.extradata = self._stream.codec_context.extradata
                codecs.append(cast("AudioCodecContext", codec))
            waiting: deque[Future[tuple[list[AudioFrame], int]]] = deque()
            turns = itertools.cycle(zip(workers, codecs, strict=True))
            packets = (packet for packet in self._packets() if packet.size)
            while batch := list(itertools.islice(packets, _BATCH)):
                worker, decoder = next(turns)
                waiting.append(worker.submit(_decode, decoder, batch))
                if len(waiting) > len(workers):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _gap_before(self, frame: AudioFrame) -> float:
        """Return how much silence belongs before a frame, in seconds.

        Damaged packets leave gaps, and so do recorders that write nothing while nobody speaks.
        Without the silence, all times after the gap would be wrong.
        """
        gap = 0.0
        if frame.pts is not None and self._tick:
            at = frame.pts * self._tick
            if self._next is None:
                self._next = self._start = at
            gap = at - self._next
            if gap < _JITTER or at - self._start > self._latest or gap > self._longest:
                gap = 0.0
        if self._next is not None:
            self._next += gap + frame.samples / frame.sample_rate
        return gap


def _decode(
    codec: AudioCodecContext, packets: list[Packet[AudioStream]]
) -> tuple[list[AudioFrame], int]:
    """Return the frames in packets, and how many packets are damaged."""
    import av.error

    frames: list[AudioFrame] = []
    damaged = 0
    for packet in packets:
        try:
            frames += codec.decode(packet)
        except av.error.FFmpegError:
            damaged += packet.size > 0
    return frames, damaged


def _block_samples(frame: AudioFrame) -> int:
    """Return how many samples of such frames make a block: at most 1 MB, at least a second."""
    sample_bytes = frame.format.bytes * frame.layout.nb_channels
    return max(min(_BLOCK_BYTES // sample_bytes, 1 << 17), 1 << 12)
