"""Keeping FunASR's talk, and what it sets for the whole process, out of the notebook."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

_ears = threading.RLock()
"""Of the process's streams: two threads that exchange them at once leave the wrong ones behind."""


@contextlib.contextmanager
def steady() -> Iterator[None]:
    """Put back what FunASR sets for the whole process: random states, threads, one variable."""
    import numpy as np
    import torch

    kept = random.getstate(), np.random.get_state(), torch.random.get_rng_state()
    threads, hydra = torch.get_num_threads(), os.environ.get("HYDRA_FULL_ERROR")
    try:
        yield
    finally:
        random.setstate(kept[0])
        np.random.set_state(kept[1])
        torch.random.set_rng_state(kept[2])
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        if hydra is None:
            os.environ.pop("HYDRA_FULL_ERROR", None)


@contextlib.contextmanager
def quiet(*, spoken: bool = False) -> Iterator[None]:
    """Keep FunASR's log lines out of the notebook, and with `spoken` what it prints and warns of.

    FunASR logs to the root logger, which would also be set up to print from then on.
    """
    root = logging.getLogger()
    handler, drop = logging.NullHandler(), _FromFunAsr()
    root.addHandler(handler)  # with any handler there, the first line sets up no other
    root.addFilter(drop)
    try:
        with contextlib.ExitStack() as stack:
            if spoken:
                stack.enter_context(_ears)
                stack.enter_context(warnings.catch_warnings())
                warnings.simplefilter("ignore")
                logging.getLogger("jieba").setLevel(logging.WARNING)
                stack.enter_context(contextlib.redirect_stdout(_Deaf(sys.stdout)))
                stack.enter_context(contextlib.redirect_stderr(_Deaf(sys.stderr)))
            yield
    finally:
        root.removeFilter(drop)
        root.removeHandler(handler)


class _FromFunAsr(logging.Filter):
    """Drops what FunASR's files log."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "funasr" not in Path(record.pathname).parts


class _Deaf:
    """An output stream that drops what one thread writes and passes on what others do."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._thread = stream, threading.get_ident()

    def write(self, text: str) -> int:
        if threading.get_ident() == self._thread:
            return len(text)
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
