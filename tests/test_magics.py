"""The magics in a real shell: what they register, parse, bind, show, raise and complete."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

import nbasr
from nbasr import settings
from nbasr._commands.notices import short_warnings
from nbasr.errors import AudioError, ModelError, NbasrError, OptionError, OutOfMemoryError
from nbasr.memory import _host, _nvidia
from nbasr.options import declared
from nbasr.transcript import Transcript

SENTENCE = (3.0, 6.0)
"""Seconds of the bundled meeting that the tests transcribe, so that each takes little time."""


@pytest.fixture(scope="module")
def bare_shell() -> Iterator[InteractiveShell]:
    shell = InteractiveShell.instance()
    shell.magics_manager.load_all_lazy_magics()  # IPython's own, which %load_ext would load first
    yield shell
    InteractiveShell.clear_instance()


@pytest.fixture
def shell(bare_shell: InteractiveShell) -> Iterator[InteractiveShell]:
    settings.current.cache_clear()
    bare_shell.run_line_magic("load_ext", "nbasr")
    yield bare_shell
    bare_shell.run_line_magic("unload_ext", "nbasr")
    bare_shell.user_ns.pop("kept", None)
    settings.current.cache_clear()


@pytest.fixture(scope="module")
def wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recordings of today")
    meeting = nbasr.samples.open("meeting")
    samples = meeting.read(*SENTENCE)
    return nbasr.Recording.open((samples, 16000)).save(folder / "会议 🎙️.wav")


def run(shell: InteractiveShell, cell: str) -> tuple[Any, str]:
    """Run a cell; return its error or value, and what it printed, ``Out[…]`` included."""
    with capture_output(display=False) as captured:
        result = shell.run_cell(cell)
    problem = result.error_before_exec or result.error_in_exec
    return problem if problem is not None else result.result, captured.stdout


def html(shell: InteractiveShell, value: object) -> str:
    return str(shell.display_formatter.format(value)[0]["text/html"])


FAST = "--model sphinx --quiet"


# --- loading


def hooks(shell: InteractiveShell) -> list[int]:
    return [
        len(shell.configurables),
        len(shell.Completer.custom_matchers),
        len(shell.input_transformers_cleanup),
        len(shell.magics_manager.registry),
        len(shell.magics_manager.magics["line"]),
        len(shell.magics_manager.magics["cell"]),
    ]


def test_loading_again_leaves_no_doubles_and_unloading_leaves_nothing(
    bare_shell: InteractiveShell,
) -> None:
    before = hooks(bare_shell)
    bare_shell.run_line_magic("load_ext", "nbasr")
    once = hooks(bare_shell)
    assert [after - first for after, first in zip(once, before, strict=True)] == [2, 1, 1, 1, 2, 1]
    bare_shell.run_line_magic("reload_ext", "nbasr")
    bare_shell.run_line_magic("load_ext", "nbasr")
    nbasr.load_ipython_extension(bare_shell)
    assert hooks(bare_shell) == once
    bare_shell.run_line_magic("unload_ext", "nbasr")
    assert hooks(bare_shell) == before
    assert "not found" in run(bare_shell, "%asr")[1] + str(run(bare_shell, "%asr")[0])


def test_loading_imports_nothing_heavy() -> None:
    code = """
import sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "nbasr")
shell.run_cell("%transcribe --help")
heavy = "numpy torch transformers librosa plotly pandas av onnxruntime pocketsphinx huggingface_hub"
sys.exit(", ".join(name for name in heavy.split() if name in sys.modules) or 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stderr, done.returncode) == ("", 0)


def test_a_wrong_setting_stops_the_loading_with_one_sentence(
    bare_shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = hooks(bare_shell)
    monkeypatch.setenv("NBASR_CHUNKING", "optmal")
    settings.current.cache_clear()
    problem, printed = run(bare_shell, "%load_ext nbasr")
    assert isinstance(problem, OptionError)
    assert printed.splitlines()[-1].endswith("Did you mean 'optimal'?")
    assert hooks(bare_shell) == before
    monkeypatch.undo()
    settings.current.cache_clear()


# --- transcribing


def test_one_source_gives_a_transcript(shell: InteractiveShell, wav: Path) -> None:
    value, printed = run(shell, f'%transcribe "{wav}" {FAST}')
    assert isinstance(value, Transcript)
    assert len(value.text.split()) > 3
    assert value.name == wav.name
    assert "Out[" in printed


def test_several_sources_a_glob_or_a_list_give_a_list_that_shows_itself(
    shell: InteractiveShell, wav: Path
) -> None:
    shell.user_ns["kept"] = wav
    body = f"# two of them\n{wav}\n\n{{[kept]}}\n"
    two, _ = run(shell, f"%%transcribe {FAST}\n{body}")
    assert [one.name for one in two] == [wav.name] * 2
    assert html(shell, two).count(f"<summary>{wav.name}") == 2
    globbed, _ = run(shell, f'%transcribe "{wav.parent}/*.wav" {FAST}')
    assert [one.text for one in globbed] == [two[0].text]


def test_a_cell_without_lines_takes_the_sources_of_its_first_line(
    shell: InteractiveShell, wav: Path
) -> None:
    value, _ = run(shell, f'%%transcribe "{wav}" {FAST}')
    assert isinstance(value, Transcript)


def test_a_terminal_still_waits_for_the_lines_of_a_cell(shell: InteractiveShell) -> None:
    check = shell.input_transformer_manager.check_complete
    assert check("%%transcribe a.wav")[0] == "incomplete"
    assert check("%%transcribe\na.wav\n\n")[0] == "complete"


def test_an_array_is_passed_as_it_is(shell: InteractiveShell) -> None:
    samples = nbasr.samples.open("meeting").read(*SENTENCE)
    shell.user_ns["kept"] = {"sound": (samples, 16000)}
    value, _ = run(shell, f'%transcribe {{kept["sound"]}} {FAST}')
    assert value.duration == pytest.approx(len(samples) / 16000)
    assert value.text
    shell.user_ns["kept"] = (samples, 16000)
    assert run(shell, f"%transcribe {{kept}} {FAST}")[0].name == "kept"
    assert [one.name for one in run(shell, f"%%transcribe {FAST}\n{{kept}}\n$kept")[0]] == [
        "kept"
    ] * 2


def test_a_name_in_a_function_is_found(shell: InteractiveShell, wav: Path) -> None:
    cell = f"""
def inner(here):
    return get_ipython().run_line_magic("transcribe", '{{here}} {FAST}')
inner({str(wav)!r}).name
"""
    assert run(shell, cell)[0] == wav.name


def test_out_binds_the_result_and_still_shows_it(shell: InteractiveShell, wav: Path) -> None:
    line = f'%transcribe "{wav}" --model sphinx --out kept'
    value, printed = run(shell, line)
    assert shell.user_ns["kept"] is value
    told, _, shown = printed.partition("Out[")
    assert "The transcript is in `kept`." in told
    assert value.segments[0].text in shown


def test_a_semicolon_hides_the_result_but_never_loses_it(
    shell: InteractiveShell, wav: Path
) -> None:
    assert run(shell, f'%transcribe "{wav}" {FAST};') == (None, "")
    assert run(shell, f"%%transcribe {FAST}\n{wav};") == (None, "")
    assert run(shell, f'kept = %transcribe "{wav}" {FAST};') == (None, "")
    assert isinstance(shell.user_ns["kept"], Transcript)


def test_plan_tells_what_would_be_done(shell: InteractiveShell, wav: Path, assets: Path) -> None:
    nbasr.models.unload_all()
    folder = assets / "whisper-tiny-meeting"
    value, printed = run(shell, f'%transcribe "{wav}" --model "{folder}" --max-seconds 6 --plan')
    assert "nothing is done yet" in printed
    assert "whisper-tiny-meeting" in printed
    assert value.batches
    assert nbasr.models.resident() == []


def test_saving_writes_each_format_and_replaces_nothing_unasked(
    shell: InteractiveShell, wav: Path, tmp_path: Path
) -> None:
    line = f'%transcribe "{wav}" {FAST} --save "{tmp_path / "new"}" --format srt,praat'
    value, _ = run(shell, line)
    written = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert written == ["会议 🎙️.TextGrid", "会议 🎙️.srt"]
    subtitles = tmp_path / "new" / "会议 🎙️.srt"
    assert value.segments[0].text.split()[0] in subtitles.read_text(encoding="utf-8")
    subtitles.write_text("mended by hand", encoding="utf-8")
    problem, _ = run(shell, line)
    assert isinstance(problem, OptionError)
    assert "add --overwrite" in str(problem)
    assert subtitles.read_text(encoding="utf-8") == "mended by hand"
    assert isinstance(run(shell, f"{line} --overwrite")[0], Transcript)
    assert subtitles.read_text(encoding="utf-8") != "mended by hand"


def test_a_result_that_cannot_be_saved_is_shown_and_kept(
    shell: InteractiveShell, wav: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    place = tmp_path / "file" / "deep"
    problem, printed = run(shell, f'%transcribe "{wav}" {FAST} --save "{place}" --out kept')
    assert isinstance(problem, NbasrError)
    assert isinstance(shell.user_ns["kept"], Transcript)
    assert shell.user_ns["kept"].segments[0].text in printed


def test_equal_names_from_two_folders_do_not_meet(tmp_path: Path) -> None:
    from nbasr._commands.saving import places

    made = places(["talk", "Talk", "talk"], tmp_path, ["srt", "labels"])
    assert [[path.name for _, path in place.files] for place in made] == [
        ["talk.srt", "talk.labels.txt"],
        ["Talk-2.srt", "Talk-2.labels.txt"],
        ["talk-3.srt", "talk-3.labels.txt"],
    ]
    assert [path.name for _, path in made[0].partial().files] == [
        "talk.partial.srt",
        "talk.partial.labels.txt",
    ]


def test_each_cell_says_anew_that_the_engine_is_a_draft(
    bare_shell: InteractiveShell, wav: Path
) -> None:
    code = f"""
import logging, warnings
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "nbasr")
for _ in range(2):
    shell.run_cell({f'%transcribe "{wav}" --plan;'!r})
warnings.simplefilter("ignore")
shell.run_cell({f'%transcribe "{wav}" --plan;'!r})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0
    assert [line[:14] for line in done.stderr.splitlines()] == ["nbasr: No mode"] * 2


def test_two_commands_at_once_leave_the_warnings_as_they_were() -> None:
    kept, filters = warnings.showwarning, list(warnings.filters)
    first, second = short_warnings(), short_warnings()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert warnings.showwarning is not kept
    second.__exit__(None, None, None)
    assert (warnings.showwarning, warnings.filters) == (kept, filters)


def test_a_typed_auto_undoes_what_config_set(shell: InteractiveShell, wav: Path) -> None:
    run(shell, "%config NbAsr.language = 'de'")
    problem, _ = run(shell, f'%transcribe "{wav}" --model sphinx --plan')
    assert "not German" in str(problem)
    value, _ = run(shell, f'%transcribe "{wav}" --model sphinx --plan --language auto')
    assert value.options.language is None


def test_what_is_many_to_the_function_is_many_to_the_magic(shell: InteractiveShell) -> None:
    samples = nbasr.samples.open("meeting").read(*SENTENCE)
    for made, count in (
        (lambda: (samples, np.int64(16000)), None),
        (lambda: (pair for pair in [(samples, 16000)] * 2), 2),
        (lambda: ((samples, 16000), (samples, 16000)), 2),
    ):
        shell.user_ns["kept"] = made()
        typed, _ = run(shell, "%transcribe {kept} --model sphinx --plan")
        called = nbasr.plan(made(), model="sphinx")
        assert typed.many == called.many == (count is not None)
        assert len(typed.recordings) == len(called.recordings) == (count or 1)


def test_a_file_object_is_one_source_though_it_gives_lines(
    shell: InteractiveShell, wav: Path
) -> None:
    with wav.open("rb") as file:
        shell.user_ns["kept"] = file
        assert not run(shell, "%transcribe {kept} --model sphinx --plan")[0].many


def test_settings_are_what_config_says(shell: InteractiveShell, wav: Path) -> None:
    _, listed = run(shell, "%config NbAsr")
    assert all(f"NbAsr.{name}=" in listed for name in declared())
    run(shell, "%config NbAsr.chunking = 'fixed'")
    value, _ = run(shell, f'%transcribe "{wav}" --model sphinx --plan')
    assert "Fixed(" in repr(value)
    assert "set here: fixed" in " ".join(run(shell, "%transcribe --help")[1].split())
    value, _ = run(shell, f'%transcribe "{wav}" --model sphinx --plan --chunking silence')
    assert "Silence(" in repr(value)


@pytest.mark.parametrize(
    ("cell", "kind", "said"),
    [
        ("%transcribe", OptionError, "as in %transcribe meeting.wav"),
        ("%%transcribe\n# nothing\n", OptionError, "as in %transcribe meeting.wav"),
        ("%transcribe nowhere.wav", AudioError, "There is no file 'nowhere.wav'"),
        ("%transcribe x/*.wav", AudioError, "there is no folder 'x' here"),
        ("%transcribe {missing_name}", OptionError, "there is no variable 'missing_name'"),
        ("%transcribe a.wav --modle x", OptionError, "Did you mean '--model'?"),
        ('%transcribe "a.wav', OptionError, "is not closed"),
        ("%%transcribe\n--model x", OptionError, "options belong on the first line"),
        ("%asr lod", OptionError, "Did you mean 'load'?"),
        ("%asr load", OptionError, "takes one model"),
        ("%asr load whisper-smal", ModelError, "Did you mean 'whisper-small'?"),
        ("%asr load sphinx --dtype float", OptionError, "Did you mean 'float32'?"),
        ("%asr unload whisper-small", ModelError, "is not loaded"),
        ("%asr status now", OptionError, "takes nothing more"),
        ("%asr help lod", OptionError, "Did you mean 'load'?"),
        ("%asr estimate", OptionError, "takes one model"),
        ("%asr estimate whisper-tiny --batch-size many", OptionError, "a whole number"),
        ("%asr load whisper-tiny --quantization int4", OptionError, "is one of auto, none"),
        ("%asr load whisper-tiny --keep-alive soon", OptionError, "soon"),
        ("%asr models whisper-tny", ModelError, "Did you mean 'whisper-tiny'?"),
        ("%asr unload a b", OptionError, "takes one model"),
        ("%asr budget lots", OptionError, "write it as in 4GB"),
        ("%asr budget 4 5 GB", OptionError, "takes one size"),
        ("%asr budget 4", OptionError, "holds no model"),
    ],
)
def test_a_mistake_gets_one_line_and_fails_the_cell(
    shell: InteractiveShell, cell: str, kind: type[Exception], said: str
) -> None:
    problem, printed = run(shell, cell)
    assert type(problem) is kind
    assert printed == f"{kind.__name__}: {problem}\n"
    assert said in printed
    assert "Traceback" not in printed


def test_a_bug_keeps_its_traceback(shell: InteractiveShell, wav: Path) -> None:
    shell.user_ns["kept"] = type("Broken", (), {"plan": lambda self, recording: 1 / 0})()
    problem, printed = run(shell, f'%transcribe "{wav}" --model sphinx --chunking {{kept}}')
    assert isinstance(problem, ZeroDivisionError)
    assert "Traceback" in printed


def test_the_manual_is_what_help_prints_and_what_the_question_mark_shows(
    shell: InteractiveShell,
) -> None:
    _, printed = run(shell, "%transcribe --help")
    assert "%%transcribe [options]" in printed
    for name, magic in (("transcribe", "%transcribe"), ("asr", "%asr")):
        documented = shell.object_inspect(f"%{name}")["docstring"]
        assert documented.strip() == run(shell, f"{magic} --help")[1].strip()
    for command in ("doctor", "models", "load", "unload", "estimate", "status", "budget"):
        _, printed = run(shell, f"%asr {command} --help")
        assert printed.startswith(f"%asr {command}")
        assert "--help" in printed


# --- %asr


def test_models_are_loaded_listed_and_unloaded(shell: InteractiveShell, assets: Path) -> None:
    folder = assets / "whisper-tiny-meeting"
    handle, _ = run(shell, f'%asr load "{folder}" --dtype float32')
    assert handle.name == "whisper-tiny-meeting"
    status, printed = run(shell, "%asr status")
    assert "whisper-tiny-meeting" in printed
    assert "<td" in html(shell, status)
    states = {row[0]: row[1] for row in run(shell, "%asr models")[0].rows}
    assert states["whisper-tiny-meeting"] == "loaded"
    assert states["whisper-large-v3"] == ""
    assert "Unloaded whisper-tiny-meeting" in run(shell, "%asr unload whisper-tiny-meeting")[1]
    assert "whisper-tiny-meeting" not in str(run(shell, "%asr status")[0])
    listed, _ = run(shell, "%asr models")
    assert "whisper-large-v3-turbo" in str(listed)
    run(shell, "%asr load sphinx")
    (row,) = [row for row in run(shell, "%asr models")[0].rows if row[0] == "sphinx"]
    assert row[1] == "loaded"
    assert "Unloaded sphinx" in run(shell, "%asr unload all")[1]
    run(shell, "%asr load sphinx")
    assert "Unloaded sphinx" in run(shell, "%asr unload")[1]


def test_status_tells_parts_and_how_long_each_stays(shell: InteractiveShell, assets: Path) -> None:
    run(shell, f'%asr load "{assets / "whisper-tiny-meeting"}" --keep-alive 10m')
    run(shell, f'%asr load "{assets / "qwen3-asr-tiny-meeting"}" --quantization nf4 --pin')
    page, printed = run(shell, "%asr status")
    models = dict(page.tables)["Models"]
    rows = {row[0]: row for row in models.rows}
    assert rows["qwen3-asr-tiny-meeting"][1] == "nf4"
    assert "pinned" in rows["qwen3-asr-tiny-meeting"]
    assert "min more" in rows["whisper-tiny-meeting"][-1]
    assert "audio tower" in rows["whisper-tiny-meeting"][-2]
    assert "decoder" in printed
    assert html(shell, page).count("<table>") >= 2
    report, printed = run(shell, "%asr unload")
    assert len(report.names) == 2
    assert "process memory" in printed
    assert "No model is loaded" in run(shell, "%asr status")[1]


def test_a_budget_is_set_shown_kept_to_and_lifted(shell: InteractiveShell) -> None:
    try:
        assert "4.0 GB of cpu" in run(shell, "%asr budget 4 GB")[1]
        assert "cpu: 4.0 GB" in run(shell, "%asr budget")[1]
        assert "4.0 GB" in run(shell, "%asr status")[1]
        told, _ = run(shell, "%asr estimate qwen3-asr-1.7b --chunk-seconds 30")
        assert not told.fits
        problem, printed = run(shell, "%asr load qwen3-asr-1.7b")
        assert isinstance(problem, OutOfMemoryError)
        assert 'quantization="nf4"' in printed
        assert "Traceback" not in printed
    finally:
        lifted = run(shell, "%asr budget none")[1]
    assert "No budget" in lifted
    assert "No budget" in run(shell, "%asr budget")[1]


def test_models_tells_all_about_one(shell: InteractiveShell, assets: Path) -> None:
    table, _ = run(shell, "%asr models Qwen/Qwen3-ASR-1.7B-hf")
    told = dict(table.rows)
    assert told["model"] == "qwen3-asr-1.7b"
    assert told["licence"] == "Apache-2.0"
    assert told["safe chunk"] == "60 s"
    assert told["weights in bf16"].startswith("4.1 GB")
    told = dict(run(shell, f'%asr models "{assets / "whisper-tiny-meeting"}"')[0].rows)
    assert told["weights in float32"].startswith("7.9 MB")


@pytest.mark.parametrize("columns", [60, 100, 240])
def test_the_table_of_models_fits_the_terminal(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    shown = str(run(shell, "%asr models")[0])
    assert "takes context and hotwords" in " ".join(shown.split())
    if columns >= 100:
        assert max(map(len, shown.splitlines())) <= columns


def test_clean_forgets_the_model_in_out_and_keeps_other_results(
    shell: InteractiveShell, assets: Path
) -> None:
    def numbered(cell: str) -> Any:
        with capture_output(display=False):
            return shell.run_cell(cell, store_history=True).result

    first = shell.execution_count
    numbered("6 * 7")
    numbered(f'import nbasr; nbasr.models.load(r"{assets / "whisper-tiny-meeting"}").module')
    assert f"Out[{first + 1}]" in repr(numbered("%asr unload"))
    assert f"Out[{first + 1}]" in repr(numbered("%asr clean"))
    assert shell.user_ns["Out"][first] == 42
    assert first + 1 not in shell.user_ns["Out"]


def test_the_doctor_looks_at_everything(shell: InteractiveShell) -> None:
    report, _ = run(shell, "%asr doctor")
    names = [check.name for check in report.checks]
    assert {
        "Python",
        "torch",
        "FFmpeg",
        "PocketSphinx",
        "cache",
        "model hub",
        "bitsandbytes",
    } <= set(names)
    assert report.good, str(report)
    assert "Everything is in place." in html(shell, report)


def test_the_doctor_names_what_is_wrong_and_its_mend(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)  # as if it were not installed
    monkeypatch.setenv("NBASR_CHUNKING", "optmal")
    settings.current.cache_clear()
    report, printed = run(shell, "%asr doctor")
    wrong = {check.name: check for check in report.checks if not check.good}
    assert set(wrong) == {"FFmpeg", "settings"}
    assert "--force-reinstall av" in wrong["FFmpeg"].mend
    assert "optmal" in wrong["settings"].says
    assert "!!" in printed
    assert "!!" in html(shell, report)


def test_the_doctor_needs_no_word_of_nvidias_driver(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)  # as if it were not installed
    _nvidia._nvml.cache_clear()
    report, _ = run(shell, "%asr doctor")
    _nvidia._nvml.cache_clear()
    (torch,) = [check for check in report.checks if check.name == "torch"]
    assert torch.good


def test_the_doctor_and_the_status_agree_on_the_memory_of_a_container(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_host, "limits", lambda: [(4_000_000_000, 1_000_000_000)])
    assert "3.0 GB free of 4.0 GB" in run(shell, "%asr doctor")[1]
    assert "3.0 GB of 4.0 GB" in run(shell, "%asr status")[1]


# --- completion


def offered(shell: InteractiveShell, text: str, tail: str = "") -> list[str]:
    """Return the lines that Tab would make, the cursor standing between text and tail."""
    with provisionalcompleter():
        found = list(shell.Completer.completions(text + tail, len(text)))
    return [text[: one.start] + one.text + (text + tail)[one.end :] for one in found]


def test_tab_completes_options_choices_models_languages_and_formats(
    shell: InteractiveShell,
) -> None:
    assert offered(shell, "%transcribe --mo") == ["%transcribe --model"]
    assert offered(shell, "x = %transcribe a.wav --cha") == ["x = %transcribe a.wav --channel"]
    assert offered(shell, "%%transcribe --ch", "\na.wav") == [
        "%%transcribe --chunking\na.wav",
        "%%transcribe --channel\na.wav",
    ]
    assert "%transcribe --model whisper-small" in offered(shell, "%transcribe --model whi")
    assert offered(shell, "%transcribe --chunking ") == [
        f"%transcribe --chunking {name}" for name in ("optimal", "silence", "vad", "fixed")
    ]
    assert offered(shell, "%transcribe --chunking=f") == ["%transcribe --chunking=fixed"]
    assert offered(shell, "%transcribe --language ger") == ["%transcribe --language german"]
    assert offered(shell, "%transcribe --format txt,js") == ["%transcribe --format txt,json"]
    assert "%transcribe --model a --model" not in offered(shell, "%transcribe --model a --mo")


def test_tab_completes_the_commands_of_asr(shell: InteractiveShell) -> None:
    assert offered(shell, "%asr lo") == ["%asr load"]
    assert offered(shell, "%asr load whisper-large-v3-t") == ["%asr load whisper-large-v3-turbo"]
    assert offered(shell, "%asr load --de") == ["%asr load --device"]
    assert offered(shell, "%asr help un") == ["%asr help unload"]
    nbasr.models.unload_all()
    nbasr.models.load("sphinx")
    assert offered(shell, "%asr unload ") == ["%asr unload sphinx"]
    nbasr.models.unload("sphinx")


def test_tab_completes_files_with_spaces_quotes_and_any_script(
    shell: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("my file.wav", "会议.m4a", "notes.txt", "deep er/x.mp3", ".hidden.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert offered(shell, "%transcribe ") == [
        '%transcribe "deep er/',
        '%transcribe "my file.wav"',
        "%transcribe 会议.m4a",
    ]
    assert offered(shell, "%transcribe 会") == ["%transcribe 会议.m4a"]
    assert offered(shell, '%transcribe "my f') == ['%transcribe "my file.wav"']
    assert offered(shell, '%transcribe "my f', '"') == ['%transcribe "my file.wav"']
    assert offered(shell, "%transcribe 'deep er/") == ["%transcribe 'deep er/x.mp3'"]
    assert offered(shell, "%transcribe no") == ["%transcribe notes.txt"]
    assert offered(shell, "%transcribe --save ") == ['%transcribe --save "deep er/']
    assert offered(shell, "%%transcribe --plan\nmy f") == ["%%transcribe --plan\nmy file.wav"]
    assert offered(shell, "%%transcribe\n  deep er/") == ["%%transcribe\n  deep er/x.mp3"]


def test_tab_completes_variables_in_braces(shell: InteractiveShell) -> None:
    shell.user_ns["kept"] = 1
    assert offered(shell, "%transcribe {ke") == ["%transcribe {kept"]
    assert offered(shell, "%transcribe --model {ke") == ["%transcribe --model {kept"]
    assert offered(shell, "%%transcribe\n{ke") == ["%%transcribe\n{kept"]
    assert offered(shell, "%transcribe $ke") == ["%transcribe $kept"]


def test_tab_elsewhere_is_left_alone(shell: InteractiveShell) -> None:
    shell.user_ns["kept"] = np
    assert "%%time\n--mo" not in offered(shell, "%%time\n--mo")
    with_us = offered(shell, "kept.linsp")
    shell.run_line_magic("unload_ext", "nbasr")
    assert offered(shell, "kept.linsp") == with_us
    assert "%transcribe --model" not in offered(shell, "%transcribe --mo")
    shell.run_line_magic("load_ext", "nbasr")
