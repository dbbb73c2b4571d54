"""The command line: ``nbasr transcribe``, ``nbasr doctor`` and ``nbasr lab``."""

from __future__ import annotations

import importlib.util
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from nbasr import __version__
from nbasr._commands.notices import short_warnings
from nbasr.errors import NbasrError, OptionError, did_you_mean

_MANUAL = """\
nbasr COMMAND [options]

Speech recognition, from recordings to text with times.

Commands
  nbasr transcribe FILE …  print the text, or write subtitles and other formats
  nbasr doctor             check this machine: libraries, devices, memory, folders
  nbasr lab                start JupyterLab on the notebooks here (or on this folder)

nbasr transcribe --help tells its options; nbasr --version the version.

Examples
  nbasr transcribe meeting.m4a
  nbasr transcribe talks/*.mp3 --format srt,txt --out subtitles"""


_LAB_MANUAL = """\
nbasr lab [options]

Start JupyterLab on the folder notebooks, if there is one here, or on this folder. The options are
JupyterLab's own: jupyter lab --help lists them.

Examples
  nbasr lab
  nbasr lab --no-browser --port=8899"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    Parameters
    ----------
    arguments
        What was typed after ``nbasr``; None takes it from the process.
    """
    typed = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        _accept_every_script(stream)
    try:
        with short_warnings(once=True):
            return _run(typed)
    except NbasrError as error:
        print(f"nbasr: {error}", file=sys.stderr)
        return 2 if isinstance(error, OptionError) else 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _run(typed: list[str]) -> int:
    if not typed or typed[0] in ("help", "-h", "--help"):
        print(_MANUAL)
        return 0 if typed else 2
    name, rest = typed[0], typed[1:]
    if name == "--version":
        print(f"nbasr {__version__}")
        return 0
    if name in ("transcribe", "doctor") and "--version" in rest:
        raise OptionError(f"nbasr {name} has no version of its own; did you mean nbasr --version?")
    if name == "transcribe":
        from nbasr._commands.files import run

        return run(rest)
    if name == "doctor":
        return _doctor(rest)
    if name == "lab":
        return _lab(rest)
    close = did_you_mean(name, ("transcribe", "doctor", "lab"))
    raise OptionError(f"There is no command {name!r}.{close} nbasr --help lists them.")


def _accept_every_script(stream: object) -> None:
    """Never fail at a letter: Windows gives pipes an encoding that lacks most scripts."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
        if os.name == "nt" and not stream.isatty() and "PYTHONIOENCODING" not in os.environ:
            stream.reconfigure(encoding="utf-8")


def _doctor(rest: list[str]) -> int:
    if rest and rest[0] in ("-h", "--help"):
        print("nbasr doctor\n\nCheck this machine; exit code 1 if something is to be mended.")
        return 0
    if rest:
        raise OptionError(f"nbasr doctor takes nothing more, but there is {rest[0]!r}.")
    from nbasr._commands.doctor import examine

    report = examine()
    print(report)
    return 0 if report.good else 1


def _lab(rest: list[str]) -> int:
    if rest and rest[0] in ("-h", "--help"):
        print(_LAB_MANUAL)
        return 0
    if importlib.util.find_spec("jupyterlab") is None:
        raise NbasrError('JupyterLab is not installed; pip install "nbasr[lab]" brings it.')
    from jupyterlab.labapp import LabApp

    where = "notebooks" if Path("notebooks").is_dir() else ""
    options = [f"--ServerApp.root_dir={Path.cwd()}", f"--LabApp.default_url=/lab/tree/{where}"]
    LabApp.launch_instance([*(options if where else options[:1]), *rest])
    return 0
