"""Keeping what libraries say to their own developers out of a person's notebook."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator

from nbasr.engines._transformers import transformers

_NOISE = {
    "bitsandbytes.autograd._functions": "MatMul8bitLt: inputs will be cast",
    "bitsandbytes.backends.cpu.ops": "Failed to load CPU gemm_4bit_forward",
}
"""Said once per product, and of a speed-up that has to be downloaded: by logger, how it begins."""

_lock = threading.Lock()
_hushed = 0
_speech = contextlib.ExitStack()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers' advice and progress bars out of the notebook; errors are still raised.

    Several threads may do so at once: the last one out lets transformers speak again.
    """
    global _hushed
    hush_bitsandbytes()
    with _lock:
        if not _hushed:
            _speech.enter_context(_silence())
        _hushed += 1
    try:
        yield
    finally:
        with _lock:
            _hushed -= 1
            if _hushed == 0:
                _speech.close()


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    transformers()
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def hush_bitsandbytes() -> None:
    """Drop what bitsandbytes says again and again; the rest of its warnings stay."""
    for name, start in _NOISE.items():
        logger = logging.getLogger(name)
        if not any(isinstance(one, _Drop) for one in logger.filters):
            logger.addFilter(_Drop(start))


class _Drop(logging.Filter):
    """Drops what begins in a given way."""

    def __init__(self, start: str) -> None:
        super().__init__()
        self.start = start

    def filter(self, record: logging.LogRecord) -> bool:
        return not str(record.msg).startswith(self.start)
