"""Fetch a recording from the web into a file, within a limit of size and of time."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from nbasr._units import size
from nbasr.audio._words import count, reason
from nbasr.errors import AudioError

_STALL = 30.0  # s without a byte after which a server counts as dead
_PIECE = 1 << 18
_HANDLERS = (
    # Only these: the usual opener would follow a redirect to ftp, and open file and data addresses.
    urllib.request.ProxyHandler,
    urllib.request.HTTPHandler,
    urllib.request.HTTPSHandler,
    urllib.request.HTTPRedirectHandler,
    urllib.request.HTTPErrorProcessor,
    urllib.request.HTTPDefaultErrorHandler,
    urllib.request.UnknownHandler,
)


def name_of(url: str) -> str:
    """Return the file name in an address, else its host: never its password or query."""
    try:
        parts = urlsplit(url)
    except ValueError:  # brackets that hold no address
        return "the address"
    return unquote(parts.path).rstrip("/").rpartition("/")[2] or parts.hostname or "the address"


def fetch(
    url: str,
    target: Path,
    *,
    max_bytes: float,
    timeout: float,
    watch: Callable[[int, int | None], None] | None = None,
) -> None:
    """Fetch `url` into the new file `target`.

    Parameters
    ----------
    url
        http or https.
    target
        Written; left away after an error.
    max_bytes
        Most bytes taken, whatever the server declares.
    timeout
        Most seconds for all of it: name, connection, answer and transfer.
    watch
        Called, in another thread, with the bytes received so far and those declared, None where
        the server does not say. The transfer ends with the `AudioError` that it raises.

    Raises
    ------
    AudioError
        If it cannot be fetched, is too large or takes too long.
    OSError
        If `target` cannot be written.
    """
    download = _Download(url, target, max_bytes, timeout, watch)
    # A thread of its own, because only that bounds the time for looking up a name, too, and lets
    # an interrupt through at once.
    worker = threading.Thread(target=download.run, name="nbasr-fetch", daemon=True)
    worker.start()
    try:
        finished = download.finished.wait(timeout)
    except BaseException:
        download.cancelled = True
        raise
    if not finished:
        download.cancelled = True
        raise AudioError(download.too_slow())
    if download.error is not None:
        raise download.error


def _request(url: str) -> urllib.request.Request:
    """Prepare what urllib does not by itself: spaces, names in any script, user and password."""
    parts = urlsplit(url)
    host = (parts.hostname or "").encode("idna").decode("ascii")
    host = f"[{host}]" if ":" in host else host
    place = f"{host}:{parts.port}" if parts.port else host
    path, query = (quote(part, safe="%/:=&?+!$,;'@()*[]~") for part in (parts.path, parts.query))
    request = urllib.request.Request(
        urlunsplit((parts.scheme, place, path, query, "")),
        headers={"User-Agent": "nbasr", "Accept-Encoding": "identity"},
    )
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        request.add_unredirected_header("Authorization", f"Basic {b64encode(login).decode()}")
    return request


class _DiskError(Exception):
    """A target that cannot be written, told apart from a server that does not answer."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class _Target:
    """A new file that is written; it raises only `_DiskError`."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("xb", buffering=0)
        except OSError as error:
            raise _DiskError(error) from None

    def __enter__(self) -> _Target:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._file.close()
        except OSError as error:
            raise _DiskError(error) from None

    def write(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise _DiskError(error) from None


class _Download:
    """One transfer in a thread; `finished` is set when `error` says how it went."""

    def __init__(
        self,
        url: str,
        target: Path,
        max_bytes: float,
        timeout: float,
        watch: Callable[[int, int | None], None] | None,
    ) -> None:
        self.name = name_of(url)
        self.watch = watch or (lambda _received, _declared: None)
        self.url, self.target = url, target
        self.max_bytes, self.timeout = max_bytes, timeout
        self.deadline = time.monotonic() + timeout
        self.cancelled = False
        self.finished = threading.Event()
        self.error: AudioError | OSError | None = None

    def too_slow(self) -> str:
        return (
            f"{self.name} could not be fetched within {self.timeout:g} s; "
            "raise url_timeout, or fetch the file yourself and open it."
        )

    def run(self) -> None:
        try:
            self._transfer()
        except AudioError as error:
            self.error = error
        except _DiskError as error:
            self.error = error.cause
        except Exception as error:
            self.error = AudioError(self._why(error))
        finally:
            if self.cancelled or self.error is not None:
                with contextlib.suppress(OSError):  # the error is the thing to tell
                    self.target.unlink(missing_ok=True)
            self.finished.set()

    def _why(self, error: Exception) -> str:
        if isinstance(error, urllib.error.HTTPError):
            phrase = http.client.responses.get(error.code, "unknown")
            error.close()
            return (
                f"{self.name} could not be fetched: the server answers {error.code} ({phrase}); "
                "check the address."
            )
        cause = getattr(error, "reason", error)
        if isinstance(cause, TimeoutError):
            return self.too_slow()
        if isinstance(cause, OSError):
            why = reason(cause)
        elif isinstance(cause, http.client.HTTPException) and not isinstance(cause, ValueError):
            why = "the server's answer is not HTTP"
        else:
            why = "the address is not valid"
        return f"{self.name} could not be fetched ({why}); check the address and the connection."

    def _transfer(self) -> None:
        opener = urllib.request.OpenerDirector()
        for handler in _HANDLERS:
            opener.add_handler(handler())
        request = _request(self.url)
        wait = max(min(_STALL, self.timeout), 0.001)
        with opener.open(request, timeout=wait) as answer, _Target(self.target) as file:
            text = answer.headers.get("Content-Length", "")
            declared = int(text) if text.isdecimal() else None
            if declared is not None and declared > self.max_bytes:
                raise self._too_large(size(declared))
            received = 0
            while piece := answer.read1(_PIECE):
                received += len(piece)
                if received > self.max_bytes:
                    raise self._too_large("more")
                if self.cancelled or time.monotonic() > self.deadline:
                    raise AudioError(self.too_slow())
                file.write(piece)
                self.watch(received, declared)
            if declared is not None and received < declared:
                raise AudioError(
                    f"{self.name} broke off after {count(received, 'byte')} of {declared:,}; "
                    "try again."
                )

    def _too_large(self, amount: str) -> AudioError:
        return AudioError(
            f"{self.name} is too large: it has {amount}, and url_max_mb allows "
            f"{size(self.max_bytes)}; raise url_max_mb, or fetch the file yourself and open it."
        )
