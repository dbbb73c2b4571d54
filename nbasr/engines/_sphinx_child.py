"""The process that decodes for the embedded engine. It is run as it stands, without nbasr.

PocketSphinx holds Python's global lock while it decodes, a second or more at a time: in the kernel
no cell, panel or message would get on meanwhile.

It reads sounds from stdin, each with its size before it (4 bytes, little-endian; 16-bit PCM), and
answers each in a line of JSON: ``[[word, first frame, last frame, probability], …]``, or
``{"error": …}``. The first line, ``[]``, says that it is ready.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, BinaryIO

RATE = 16_000


def serve(sounds: BinaryIO, answers: BinaryIO) -> None:
    """Answer until there is nothing more to read."""

    def say(answer: Any) -> None:
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()

    try:
        from pocketsphinx import Decoder

        decoder = Decoder(samprate=RATE, loglevel="FATAL")
    except Exception as error:
        say({"error": str(error)})
        return
    say([])
    while head := sounds.read(4):
        try:
            say(decoded(decoder, sounds.read(int.from_bytes(head, "little"))))
        except Exception as error:
            say({"error": str(error)})


def decoded(decoder: Any, pcm: bytes) -> list[tuple[str, int, int, float]]:
    """Decode one utterance, alone: nothing learnt from the ones before may change its text."""
    decoder.reinit_feat()
    decoder.start_utt()
    try:
        decoder.process_raw(pcm, full_utt=True)
    finally:
        decoder.end_utt()
    if decoder.hyp() is None:
        return []
    return [(seg.word, seg.start_frame, seg.end_frame, seg.prob) for seg in decoder.seg()]


if __name__ == "__main__":
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    serve(sys.stdin.buffer, out)
