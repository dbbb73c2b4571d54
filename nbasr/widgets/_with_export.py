"""The part of a transcript's panel that writes it to files, or hands it to the browser as one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nbasr.transcript import formats
from nbasr.widgets._names import safe_name
from nbasr.widgets._panel import Answer, answers
from nbasr.widgets._texts import say
from nbasr.widgets._with_transcript import WithTranscript

_TEXTS = {  # in the order in which they are offered
    "srt": "format.srt",
    "vtt": "format.vtt",
    "txt": "format.txt",
    "json": "format.json",
    "csv": "format.csv",
    "tsv": "format.tsv",
    "textgrid": "format.textgrid",
    "labels": "format.labels",
    "eaf": "format.eaf",
    "rttm": "format.rttm",
    "ctm": "format.ctm",
}


class WithExport(WithTranscript):
    """A panel that writes its transcript, as corrected, in every format of `Transcript.save`."""

    def export(self, format: str) -> bytes:  # noqa: A002 - as Transcript.save calls it
        """Return the transcript, as corrected, as a file's content.

        Parameters
        ----------
        format
            Name of a format: ``"srt"``, ``"vtt"``, ``"txt"``, ``"json"``, ``"csv"``, …

        Raises
        ------
        OptionError
            If there is no such format, or it cannot hold this transcript.
        """
        return formats.as_bytes(self.transcript, formats.find(format))

    def save(
        self,
        path: str | Path,
        format: str | None = None,  # noqa: A002
        overwrite: bool = False,
    ) -> Path:
        """Write the transcript, as corrected, to a file; see `Transcript.save`."""
        return self.transcript.save(path, format, overwrite)

    @answers("formats")
    def _answer_formats(self, language: str = "") -> dict[str, Any]:
        """Answer with the formats, the usual ones first, and why one is impossible."""
        self._speak(language)
        return {"formats": [self._told(formats.find(name)) for name in _TEXTS]}

    @answers("export")
    def _answer_export(self, format: str, language: str = "") -> Answer:  # noqa: A002
        """Answer with the content of a file, and its name."""
        self._speak(language)
        form = formats.find(format)
        data = {"name": self._file_name(form), "mime": form.mime}
        return Answer(data, [self.export(format)])

    @answers("save")
    def _answer_save(
        self,
        format: str,  # noqa: A002
        overwrite: bool = False,
        language: str = "",
    ) -> dict[str, Any]:
        """Write a file beside the notebook; answer with its path, or that it is there already."""
        self._speak(language)
        form = formats.find(format)
        path = Path.cwd() / self._file_name(form)
        if path.exists() and not overwrite:
            return {"path": str(path), "exists": True}
        return {"path": str(self.save(path, form.name, overwrite)), "exists": False}

    def _told(self, form: formats.Format) -> dict[str, Any]:
        why = formats.why_not(self.transcript, form)
        if why:
            why = say("format.needs_words", self._language)
        return {
            "name": form.name,
            "suffix": form.suffix,
            "text": say(_TEXTS[form.name], self._language),
            "possible": not why,
            "why": why,
        }

    def _file_name(self, form: formats.Format) -> str:
        """Return the recording's name with a format's suffix in place of its own."""
        name = self.transcript.name
        if name in ("", self.recording.name):  # else it is no file's, and what follows a dot stays
            name = Path(self.recording.name).stem
        return f"{safe_name(name)}{form.suffix}"
