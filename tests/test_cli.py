"""The command line as a real process: what it writes where, and its exit codes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

import nbasr
from nbasr import cli
from nbasr.pipeline.transcribe import plan
from nbasr.transcript import Transcript

FAST = ("--model", "sphinx")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two short recordings and one file that is none."""
    made = tmp_path_factory.mktemp("talks")
    meeting = nbasr.samples.open("meeting")
    for name, start in (("first talk", 3.0), ("第二", 9.0)):
        sound = nbasr.Recording.open((meeting.read(start, start + 3), 16000))
        sound.save(made / f"{name}.wav")
    (made / "broken.wav").write_text("this is no sound")
    return made


def nbasr_command(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nbasr", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONUTF8": "1"},
        timeout=120,
    )


def test_the_text_goes_to_standard_output_and_nothing_else_does(folder: Path) -> None:
    done = nbasr_command("transcribe", "first talk.wav", *FAST, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) > 3
    assert done.stdout.count("\n") == 1
    assert "Traceback" not in done.stderr


def test_one_bad_file_loses_none_of_the_others(folder: Path, tmp_path: Path) -> None:
    arguments = ("*.wav", "missing.wav", *FAST, "--format", "srt,json", "--out", tmp_path / "new")
    done = nbasr_command("transcribe", *arguments, cwd=folder)
    assert done.returncode == 1
    assert done.stdout == ""
    written = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert written == ["first talk.json", "first talk.srt", "第二.json", "第二.srt"]
    assert Transcript.load(tmp_path / "new" / "第二.json").name == "第二.wav"
    lines = done.stderr.splitlines()
    assert lines[-1] == "2 of 4 recordings failed: missing.wav, broken.wav"
    assert sum(line.startswith("broken.wav holds text") for line in lines) == 1
    assert any("There is no file 'missing.wav'" in line for line in lines)
    assert "Traceback" not in done.stderr


def test_files_that_exist_are_left_alone_unless_told(folder: Path, tmp_path: Path) -> None:
    kept = tmp_path / "first talk.txt"
    kept.write_text("mended by hand")
    arguments = ("transcribe", "first talk.wav", *FAST, "--out", tmp_path)
    done = nbasr_command(*arguments, cwd=folder)
    assert (done.returncode, kept.read_text()) == (0, "mended by hand")
    assert "skipped" in done.stderr
    done = nbasr_command(*arguments, "--overwrite", cwd=folder)
    assert done.returncode == 0
    assert kept.read_text() != "mended by hand"
    assert f"wrote {kept}" in done.stderr


def test_plan_prints_and_transcribes_nothing(folder: Path, tmp_path: Path) -> None:
    arguments = ("first talk.wav", *FAST, "--plan", "--out", tmp_path / "new")
    done = nbasr_command("transcribe", *arguments, cwd=folder)
    assert done.returncode == 0
    assert "nothing is done yet" in done.stdout
    (cuts,) = plan(folder / "first talk.wav", model="sphinx").plans
    assert str(cuts) in done.stdout
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["transcribe"], 2, "nbasr: Name a recording"),
        (["transcribe", "a.wav", "--modle", "x"], 2, "Did you mean '--model'?"),
        (["transcribe", "a.wav", "--format", "srtt"], 2, "Did you mean 'srt'?"),
        (["transcribe", "first talk.wav", "--model", "whisper-smal"], 2, "mean 'whisper-small'?"),
        (["transcribe", "a.wav", "--model", "sphinx"], 1, "There is no file 'a.wav'"),
        (["transcribe", "first", "talk.wav"], 1, 'put it into quotes, "first talk.wav"'),
        (["transcribe", "--version"], 2, "did you mean nbasr --version?"),
        (["trnscribe"], 2, "Did you mean 'transcribe'?"),
        (["doctor", "now"], 2, "takes nothing more"),
        ([], 2, ""),
    ],
)
def test_a_mistake_is_told_in_one_line(
    folder: Path,
    arguments: list[str],
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr("warnings.showwarning", None)  # put back afterwards: main replaces it
    assert cli.main(arguments) == code
    printed = capsys.readouterr()
    assert said in printed.err
    assert all("Traceback" not in text for text in printed)


def test_a_wrong_environment_is_a_usage_error(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nbasr", "transcribe", "a.wav"],
        capture_output=True,
        text=True,
        env=os.environ | {"NBASR_CHUNKING": "optmal"},
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "NBASR_CHUNKING" in done.stderr


def test_a_script_that_the_encoding_lacks_does_not_stop_it(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nbasr", "transcribe", "第三.wav"],
        cwd=folder,
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )
    assert done.returncode == 1
    assert done.stderr.startswith(b"There is no file '\\u7b2c\\u4e09.wav'")


def test_help_and_version_go_to_standard_output(folder: Path) -> None:
    manual = nbasr_command("transcribe", "--help", cwd=folder)
    assert (manual.returncode, manual.stderr) == (0, "")
    assert "--max-seconds S" in manual.stdout
    assert "textgrid" in manual.stdout
    assert nbasr_command("--version", cwd=folder).stdout == f"nbasr {nbasr.__version__}\n"
    assert "nbasr transcribe FILE" in nbasr_command("--help", cwd=folder).stdout


def test_the_installed_command_is_this_one() -> None:
    from importlib.metadata import entry_points

    (command,) = [one for one in entry_points(group="console_scripts") if one.name == "nbasr"]
    assert command.load() is cli.main


def test_the_doctor_prints_and_tells_by_its_exit_code(folder: Path) -> None:
    done = nbasr_command("doctor", cwd=folder)
    assert done.returncode == 0, done.stdout
    assert "OK  PocketSphinx" in done.stdout
    assert done.stdout.rstrip().endswith("Everything is in place.")


def test_a_warning_of_ours_is_one_line(folder: Path) -> None:
    done = nbasr_command("transcribe", "first talk.wav", "--plan", cwd=folder)
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert line.startswith("nbasr: ")
    assert "sphinx" in line


def test_one_bad_file_is_told_once_and_needs_no_model(folder: Path) -> None:
    done = nbasr_command("transcribe", "broken.wav", cwd=folder)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.count("broken.wav") == 1


def test_quiet_shows_only_errors(folder: Path) -> None:
    done = nbasr_command("transcribe", "first talk.wav", "--quiet", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split()
    done = nbasr_command("transcribe", "broken.wav", "--quiet", cwd=folder)
    assert "holds text" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="a console of its own would be needed")
def test_stopping_keeps_what_is_finished_under_another_name(tmp_path: Path) -> None:
    nbasr.samples.long_meeting(5)[0].save(tmp_path / "long.wav")
    command = [sys.executable, "-m", "nbasr", "transcribe", "long.wav", *FAST]
    process = subprocess.Popen(
        [*command, "--max-seconds", "4", "--out", "new", "--format", "txt"],
        cwd=tmp_path,
        stderr=(terminal := _Terminal()).writer,
    )
    terminal.wait_for(rb"real time")
    process.send_signal(signal.SIGINT)
    said = terminal.rest()
    assert process.wait() == 130
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["long.partial.txt"]
    assert (tmp_path / "new" / "long.partial.txt").read_text().split()
    assert b"stopped: 0 of 1 recording done" in said


class _Terminal:
    """A terminal for the error output of a process, as progress is shown only there."""

    def __init__(self) -> None:
        self.reader, self.writer = os.openpty()
        self.seen = b""

    def wait_for(self, pattern: bytes) -> None:
        while not re.search(pattern, self.seen):
            self.seen += os.read(self.reader, 4096)

    def rest(self) -> bytes:
        os.close(self.writer)
        try:
            while piece := os.read(self.reader, 4096):
                self.seen += piece
        except OSError:  # how Linux says that nobody writes to the terminal any more
            pass
        os.close(self.reader)
        return self.seen


def test_lab_starts_on_the_notebooks_here(tmp_path: Path) -> None:
    (tmp_path / "notebooks").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "nbasr", "lab", "--no-browser", "--port=0", "--allow-root"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            found = re.match(r"\s+(http://127\.0\.0\.1:\d+)(/\S*)\?token=(\w+)", line)
            if found:
                break
        else:
            pytest.fail("JupyterLab said no address")
        assert found[2] == "/lab/tree/notebooks"
        address = f"{found[1]}/api/contents/?token={found[3]}"
        assert b'"path": "notebooks"' in _answer(address, process)
    finally:
        process.terminate()
        process.stderr.close()
        process.wait()


def _answer(address: str, process: subprocess.Popen[str]) -> bytes:
    """Ask until the server answers: it tells its address before it listens."""
    while True:
        try:
            with urllib.request.urlopen(address, timeout=60) as answer:
                return bytes(answer.read())
        except urllib.error.URLError:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(timeout=0.05)


def test_lab_explains_itself_before_jupyterlab_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["lab", "--help"]) == 0
    assert "jupyter lab --help" in capsys.readouterr().out


def test_lab_without_jupyterlab_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "jupyterlab", None)  # as if it were not installed
    monkeypatch.setattr("warnings.showwarning", None)
    assert cli.main(["lab"]) == 1
    assert 'pip install "nbasr[lab]"' in capsys.readouterr().err
