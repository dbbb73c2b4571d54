"""Where results are written: a file for each recording and format, nothing replaced unasked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nbasr._commands.arguments import Argument
from nbasr._files import expanded
from nbasr.errors import OptionError

if TYPE_CHECKING:
    from nbasr.transcript import Transcript


def read_formats(text: str) -> tuple[str, ...]:
    """Read a list of formats: ``"srt,txt"``.

    Raises
    ------
    OptionError
        If one of them is unknown.
    """
    from nbasr.transcript import formats

    wanted = [name.strip() for name in text.split(",") if name.strip()]
    if not wanted:
        raise OptionError(f"--format needs a name: {', '.join(formats.names())}.")
    return tuple(dict.fromkeys(formats.find(name).name for name in wanted))


def _read_folder(text: str) -> Path:
    return Path(expanded(text))


OVERWRITE = Argument("overwrite", "replace files that exist already")


def format_argument() -> Argument:
    """Declare the option that names the formats, with all there are."""
    from nbasr.transcript import formats

    return Argument(
        "format",
        "formats to write, separated by commas, such as srt,json; there are "
        + ", ".join(formats.names()),
        metavar="LIST",
        parse=read_formats,
        kind="format",
    )


def folder_argument(name: str, about: str, short: str = "") -> Argument:
    """Declare the option that names the folder for results."""
    return Argument(
        name, about, metavar="DIR", short=short, parse=_read_folder, check=Path, kind="folder"
    )


@dataclass(frozen=True)
class Place:
    """Where the results of one recording go: one path for each format."""

    files: tuple[tuple[str, Path], ...]

    @property
    def taken(self) -> tuple[Path, ...]:
        """The files that exist already."""
        return tuple(path for _, path in self.files if path.exists())

    def partial(self) -> Place:
        """Return the place for a result that was interrupted: ``talk.partial.srt``."""
        return Place(
            tuple((name, path.with_name(_partial(path.name, name))) for name, path in self.files)
        )

    def write(self, transcript: Transcript, *, overwrite: bool) -> list[Path]:
        """Write the transcript in every format and return the paths.

        One that was interrupted goes under the names of `partial`, replacing what is there, so that
        the next run does the recording again; nothing is written where nothing was recognised.
        """
        files, written = self.files, list[Path]()
        if not transcript.complete:
            files, overwrite = self.partial().files if transcript.segments else (), True
        for name, path in files:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OptionError(
                    f"The folder {str(path.parent)!r} cannot be made ({error.strerror}); "
                    "choose another."
                ) from None
            written.append(transcript.save(path, format=name, overwrite=overwrite))
        return written


def _partial(file_name: str, form: str) -> str:
    from nbasr.transcript import formats

    ending = formats.suffix(form)
    return f"{file_name.removesuffix(ending)}.partial{ending}"


def places(stems: Sequence[str], folder: Path, names: Iterable[str]) -> list[Place]:
    """Give every recording its own file names; equal stems are numbered from the second on.

    Parameters
    ----------
    stems
        File names without suffix.
    folder
        Where to; it may not exist yet.
    names
        Formats.
    """
    from nbasr.transcript import formats

    names = tuple(names)
    seen: set[str] = set()
    made = []
    for stem in stems:
        unique, number = stem, 1
        while unique.casefold() in seen:  # "A.srt" and "a.srt" are one file on some disks
            number += 1
            unique = f"{stem}-{number}"
        seen.add(unique.casefold())
        files = tuple((name, folder / f"{unique}{formats.suffix(name)}") for name in names)
        made.append(Place(files))
    return made
