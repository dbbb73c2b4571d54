"""The embedded engine's own process, as the kernel sees it: sound in, words out."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from typing import IO, Any

from nbasr.engines import _sphinx_child, stopping
from nbasr.errors import ModelError
from nbasr.memory._host import HELPERS

_RUN = "import runpy, sys; runpy.run_path(sys.argv[1], run_name='__main__')"

Decoded = tuple[str, int, int, float]
"""A word as the decoder writes it, its first and its last frame, and its probability."""


class SphinxProcess:
    """PocketSphinx in a process of its own. One thread may use it at a time.

    Raises
    ------
    ModelError
        If it cannot be started.
    """

    def __init__(self) -> None:
        self._end: weakref.finalize[Any, Any] | None = None
        self._start()

    def words(self, pcm: bytes) -> list[Decoded]:
        """Decode one utterance.

        Waiting for the answer can be interrupted and stopped; then the process is ended, and the
        next utterance starts another.

        Parameters
        ----------
        pcm
            Sound, 16 bit, little-endian, mono, 16 kHz.

        Raises
        ------
        ModelError
            If it fails, or its process was ended from outside.
        """
        if self._end is None:
            self._start()
        found = self._answer(len(pcm).to_bytes(4, "little") + pcm)
        if isinstance(found, dict):
            raise ModelError(f"The embedded engine failed ({found['error']}); run it again.")
        return [(str(word), int(first), int(last), float(p)) for word, first, last, p in found]

    def close(self) -> None:
        """End the process."""
        end, self._end = self._end, None
        if end is not None:
            end()

    def _start(self) -> None:
        paths = [path for path in sys.path if path]
        try:
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", _RUN, str(Path(_sphinx_child.__file__))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
                **_ALONE,
            )
        except (OSError, ValueError) as error:
            raise ModelError(
                f"The embedded engine runs in a process of its own, which cannot be started "
                f"({error}); %asr doctor checks this machine."
            ) from error
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin = process.stdin
        self._answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        reader = threading.Thread(
            target=_read, args=(process.stdout, self._answers), name="nbasr sphinx", daemon=True
        )
        reader.start()
        HELPERS.add(process.pid)
        self._end = weakref.finalize(self, _ended, process, reader, os.getpid())
        found = self._answer()
        if isinstance(found, dict):
            self.close()
            raise ModelError(
                f"The embedded engine cannot be started ({found['error']}); install pocketsphinx "
                "again."
            )

    def _answer(self, question: bytes = b"") -> Any:
        """Ask the process, if there is anything to ask, and wait for a line of it."""
        try:
            with contextlib.suppress(OSError):  # it is gone, as is read below
                self._stdin.write(question)
                self._stdin.flush()
            while True:
                stopping.check()
                try:
                    line = self._answers.get(timeout=stopping.STEP)
                    break
                except queue.Empty:
                    continue
        except BaseException:  # half a question, or its answer, would go with the next one
            self.close()
            raise
        if not line:
            self.close()
            raise ModelError(
                "The embedded engine's process ended unexpectedly; run it again, and it is started "
                "anew."
            )
        return json.loads(line)


_ALONE: dict[str, Any] = (
    {"creationflags": getattr(subprocess, "CREATE_NO_WINDOW", 0)}
    if sys.platform == "win32"
    else {"start_new_session": True}
)
"""Ctrl-C is for the kernel, not for it."""


def _read(lines: IO[bytes], answers: queue.SimpleQueue[bytes]) -> None:
    """Pass each line on, and at the end nothing (``b""``)."""
    with lines:
        for line in lines:
            answers.put(line)
    answers.put(b"")


def _ended(process: subprocess.Popen[bytes], reader: threading.Thread, parent: int) -> None:
    """End a process and what belongs to it."""
    if os.getpid() != parent:  # a fork of the kernel, of which it is no child
        return
    process.kill()
    process.wait()
    HELPERS.discard(process.pid)
    reader.join()
    assert process.stdin is not None
    with contextlib.suppress(OSError):  # of what was not written yet
        process.stdin.close()
