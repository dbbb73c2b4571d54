"""The upload panel: recordings by drag and drop, from folders, addresses, paths, the microphone."""

from __future__ import annotations

import contextlib
import io
import os
import threading
from collections.abc import Callable
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import traitlets

from nbasr import settings, store
from nbasr._files import expanded
from nbasr.audio._saving import write_wav
from nbasr.audio.convert import SUFFIXES
from nbasr.audio.recording import Recording
from nbasr.errors import AudioError, OptionError
from nbasr.widgets import _paths
from nbasr.widgets._arrivals import Arrivals
from nbasr.widgets._inbox import Inbox
from nbasr.widgets._incoming import Announced, ReceivingError
from nbasr.widgets._panel import Answer, Panel, answers, problem_of
from nbasr.widgets._rows import WAVE_COLUMNS, WAVE_HEIGHT, Row
from nbasr.widgets._texts import say

_HEARD = 30.0  # s that can be heard in a row: enough to know what it is
_DRAWN = 12  # recordings of the static form that have a waveform: it stays below 30 kB


class UploadPanel(Panel, entry="upload"):
    """A panel that brings recordings to the kernel.

    Files and folders are dropped onto it or chosen; a web address is fetched; a path on the
    kernel's machine is opened where it is, with completion, patterns and folders; the microphone is
    recorded. Files go to disk in slices that are acknowledged and checked, so their size does not
    matter, and one that breaks off goes on when it is chosen again: for 30 days, until when what
    has arrived of it lies hidden in the folder.

    Parameters
    ----------
    folder
        Where files are kept; the folder ``uploads`` beside nbasr's other data if not given.
    on_recording
        Called with each `Recording` that arrives, in a thread of the panel; what it raises is shown
        in the panel. ``panel.observe(callback, "recordings")`` tells of removed ones, too.
    language
        Of the controls: ``"en"``, ``"zh"``, or ``""`` for the setting or the browser's.

    Attributes
    ----------
    recordings : tuple of Recording
        What has arrived, in that order. A trait: it can be observed and linked.

    Notes
    -----
    Keys: Tab goes through the controls. In the field for addresses and paths, ↓ and ↑ choose a
    completion, Tab or Enter takes it, Esc closes the list, Enter adds what is typed.

    Examples
    --------
    >>> panel = nbasr.UploadPanel()                       # doctest: +SKIP
    >>> panel                                             # doctest: +SKIP
    >>> nbasr.transcribe(panel.recordings)                # doctest: +SKIP
    """

    recordings = traitlets.Tuple(read_only=True)

    _still_of = ("recordings",)

    def __init__(
        self,
        folder: str | Path | None = None,
        *,
        on_recording: Callable[[Recording], object] | None = None,
        language: str = "",
    ) -> None:
        self._folder = _checked(folder)
        self._on_recording = on_recording
        self._updating = threading.Lock()
        super().__init__(**({"language": language} if language else {}))
        inbox = Inbox(self._folder, settings.current().upload_max_mb * 1e6)
        self._arrivals = Arrivals(inbox, self._told, self._changed)

    @property
    def folder(self) -> Path:
        """Where files are kept; made when the first one comes."""
        return self._folder

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of the recordings."""
        return tuple(recording.path for recording in self.recordings if recording.path is not None)

    def add(self, source: str | Path) -> None:
        """Add what a web address, path, folder or pattern names, as if it were typed in the panel.

        It is opened in the background; what goes wrong is shown in its row.

        Raises
        ------
        AudioError
            If there is no such file, or none that matches.
        """
        self._arrivals.add(str(source))

    def still(self) -> str:
        """Return the recordings that have arrived as HTML that needs no kernel."""
        title = escape(say("upload.still", self.language))
        rows = [
            _still_row(row, drawn=number < _DRAWN)
            for number, row in enumerate(self._arrivals.ready)
        ]
        none = escape(say("upload.still_none", self.language))
        body = "".join(rows) or f"<div>{none}</div>"
        note = escape(say("upload.still_note", self.language))
        return (
            '<div class="nbasr-upload-still" style="border:1px solid var(--jp-border-color2, '
            "rgba(128,128,128,.5));border-radius:6px;padding:8px 12px;max-width:760px;"
            f'font:13px var(--jp-ui-font-family, sans-serif)"><strong>{title}</strong>'
            f'{body}<div style="opacity:.75;margin-top:6px">{note}</div></div>'
        )

    def close(self) -> None:
        """Take the panel away; what was broken off can be gone on with in another one."""
        if "_arrivals" in self.__dict__:
            self._arrivals.close()
        super().close()

    def __repr__(self) -> str:
        count = len(self.recordings)
        return f"UploadPanel({str(self._folder)!r}, {count} recording{'' if count == 1 else 's'})"

    # -- What the browser asks ----------------------------------------------------------------

    @answers("rows")
    def _rows(self) -> dict[str, Any]:
        self._arrivals.look()
        return {
            "rows": [row.told() for row in self._arrivals.rows],
            "folder": str(self._folder),
            "short_folder": _short(self._folder),
            "suffixes": sorted(SUFFIXES),
        }

    @answers("begin", aside=True)
    def _begin(
        self, name: str, size: int | None, modified: int, kind: str, row: str, client: str
    ) -> dict[str, Any]:
        begun = self._arrivals.begin(Announced(name, size, modified, kind), row, client)
        there, offset = begun.incoming, begun.received
        crc32 = there.crc32(offset) if there is not None else 0
        return {"row": begun.told(), "offset": offset, "crc32": crc32}

    @answers("slice")
    def _slice(self, row: str, offset: int, buffers: list[memoryview]) -> dict[str, Any]:
        return {"received": self._arrivals.write(row, offset, buffers[0].cast("B"))}

    @answers("where")
    def _where(self, row: str) -> dict[str, Any]:
        found = self._arrivals.rows.get(row)
        if found is None:
            raise ReceivingError("upload.not_expected")
        return {"received": found.received, "state": found.state}

    @answers("restart")
    def _restart(self, row: str) -> None:
        self._arrivals.restart(row)

    @answers("finish", aside=True)
    def _finish(self, row: str, size: int, crc32: int) -> None:
        self._arrivals.finish(row, size, crc32)

    @answers("keep", aside=True)
    def _keep(self, row: str) -> None:
        self._arrivals.keep(row)

    @answers("retry")
    def _retry(self, row: str) -> None:
        self._arrivals.retry(row)

    @answers("remove")
    def _remove(self, row: str) -> None:
        self._arrivals.remove(row)

    @answers("add", aside="paths")  # a slow disk or a wide pattern holds up no upload
    def _add(self, text: str) -> dict[str, Any]:
        return {"rows": [row.id for row in self._arrivals.add(text)]}

    @answers("complete", aside="paths")
    def _complete(self, text: str) -> dict[str, Any]:
        offers = _paths.complete(text)
        return {"texts": list(offers.texts), "common": offers.common, "more": offers.more}

    @answers("listen", aside="listening")
    def _listen(self, row: str) -> Answer:
        found = self._arrivals.rows.get(row)
        if found is None or found.recording is None:
            raise AudioError("It is not on the list any more.")
        # Not `samples`: the file of a person may have become shorter.
        samples = np.rint(found.recording.read(0.0, _HEARD) * 32768).astype(np.int16)
        file = io.BytesIO()
        write_wav(samples, file)
        return Answer({}, [file.getvalue()])

    # -- Within -------------------------------------------------------------------------------

    def _told(self, row: Row) -> None:
        self.tell("row", {"row": row.told()})

    def _changed(self) -> None:
        """Bring the trait up to date, and tell who wants to know."""
        with self._updating:
            before = self.recordings
            now = tuple(row.recording for row in self._arrivals.ready if row.recording is not None)
            self._shown(lambda: self.set_trait("recordings", now))
        if self._on_recording is not None:
            for recording in now:
                if recording not in before:
                    self._shown(partial(self._on_recording, recording))

    def _shown(self, call: Callable[[], object]) -> None:
        """Call what is a person's own; what it raises is shown in the panel."""
        try:
            call()
        except Exception as error:
            self.tell("problem", problem_of(error))


def _checked(folder: str | Path | None) -> Path:
    path = Path(expanded(folder)) if folder is not None else store.home_folder() / "uploads"
    if os.path.exists(path) and not os.path.isdir(path):  # noqa: PTH110, PTH112 - Path's may raise
        raise OptionError(f"{path} is a file; give UploadPanel a folder.")
    return path.absolute()


def _short(folder: Path) -> str:
    """Return a folder as people write it: from where they are, or from their home."""
    home = os.path.expanduser("~")  # noqa: PTH111 - Path.home raises where there is none
    with contextlib.suppress(OSError):  # the folder that we are in may be gone
        if folder.is_relative_to(Path.cwd()):
            return str(folder.relative_to(Path.cwd()))
    return f"~{os.sep}{folder.relative_to(home)}" if folder.is_relative_to(home) else str(folder)


def _still_row(row: Row, *, drawn: bool) -> str:
    """Return a recording of the static form."""
    recording = row.recording
    if recording is None:  # it was taken off the list meanwhile
        return ""
    facts = " · ".join(recording.facts())
    wave = ""
    if drawn:
        wave = (
            f'<svg viewBox="0 0 {WAVE_COLUMNS} {WAVE_HEIGHT}" preserveAspectRatio="none" '
            'aria-hidden="true" style="width:120px;height:28px;flex:none">'
            f'<polygon points="{row.wave}" '
            'style="fill:var(--jp-brand-color1, #3f88d8)"/></svg>'
        )
    problems = "".join(f"<div>&#9888; {escape(problem)}</div>" for problem in recording.problems)
    return (
        '<div style="display:flex;gap:10px;align-items:center;margin-top:6px">'
        f"{wave}<div><div>{escape(recording.name)}</div>"
        f'<div style="opacity:.75">{escape(facts)}</div>{problems}</div></div>'
    )
