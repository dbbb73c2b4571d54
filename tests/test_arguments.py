"""From a typed line to words, options and sources."""

from __future__ import annotations

import contextlib
import os
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nbasr._commands import files, sources, transcribing
from nbasr._commands.arguments import WIDTH
from nbasr._commands.completion import complete
from nbasr._commands.sources import Source, named
from nbasr._commands.words import Word, check_closed, split, whole
from nbasr.errors import AudioError, NbasrError, OptionError
from nbasr.options import declared


def texts(line: str, names: dict[str, Any] | None = None) -> list[Any]:
    return [word.value(names or {}) for word in split(line)]


def parse(line: str, **names: Any) -> Any:
    return transcribing.command().parse(split(line), names)


# --- words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a.wav  b.wav", ["a.wav", "b.wav"]),
        ('"my file.wav" b', ["my file.wav", "b"]),
        ("'my file.wav'", ["my file.wav"]),
        ("it's.wav", ["it's.wav"]),
        ('say "it\'s"', ["say", "it's"]),
        (r"C:\new\table.wav", [r"C:\new\table.wav"]),
        (r'"C:\my dir\\" x', [r"C:\my dir" + "\\\\", "x"]),
        ("会议 记录.m4a 🎙️.wav", ["会议", "记录.m4a", "🎙️.wav"]),
        ('--prompt="two words"', ["--prompt=two words"]),
        ("{{literal}}.wav", ["{literal}.wav"]),
        ("{two words}.wav", ["{two", "words}.wav"]),
        ("", []),
    ],
)
def test_a_line_is_split_as_people_mean_it(line: str, words: list[str]) -> None:
    assert texts(line) == words


@pytest.mark.skipif(os.name == "nt", reason="a backslash before a space ends a folder there")
def test_a_backslash_keeps_a_space_as_in_a_shell() -> None:
    assert texts(r"my\ file.wav b") == ["my file.wav", "b"]


def test_an_expression_alone_is_the_object_itself() -> None:
    pair = (object(), 16000)
    assert texts("{pair}", {"pair": pair})[0] is pair
    assert texts("$pair", {"pair": pair})[0] is pair
    assert texts("{ [p for p in pairs if p] }", {"pairs": [pair]}) == [[pair]]


def test_an_expression_in_a_word_is_text_with_its_format() -> None:
    names = {"n": 7, "d": {"k": "x y"}, "folder": Path("talks")}
    assert texts("part{n:03d}.wav {n!r}a", names) == ["part007.wav", "7a"]
    assert texts('{d["k"]}/{folder}.wav "{folder}/my file.wav"', names) == [
        "x y/talks.wav",
        "talks/my file.wav",
    ]


def test_an_undefined_name_is_an_error_and_leaves_the_other_words_alone() -> None:
    first, second = split('{d["k"]} {undefnied}')
    assert first.value({"d": {"k": 1}}) == 1
    with pytest.raises(OptionError, match=r"In \{undefnied\}: there is no .* mean 'undefined'"):
        second.value({"undefined": 1})


def test_an_expression_that_fails_says_which_and_why() -> None:
    with pytest.raises(OptionError, match=r"In \{1 / 0\}: ZeroDivisionError: division by zero\."):
        texts("{1 / 0}")


def test_an_expression_cannot_rebind_a_variable() -> None:
    names = {"x": 1}
    assert texts("{(x := 2)}", names) == [2]
    assert names == {"x": 1}


def test_a_dollar_is_a_variable_then_the_environment_then_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SOME_FOLDER", "/far")
    names = {"here": "near"}
    assert texts("$here/a $SOME_FOLDER/a $nowhere/a cost$here", names) == [
        "near/a",
        "/far/a",
        "$nowhere/a",
        "cost$here",
    ]


def test_an_open_quote_is_told() -> None:
    with pytest.raises(OptionError, match="is not closed"):
        check_closed(split('"my file.wav'))


_PLAIN = st.text(
    st.characters(exclude_characters="\"'{}$\\", exclude_categories=("Cs",)), min_size=1
)


@given(st.lists(_PLAIN.filter(lambda text: not any(map(str.isspace, text)))))
def test_words_come_back_as_they_were(words: list[str]) -> None:
    assert texts(" ".join(words)) == words


@given(st.lists(_PLAIN), st.sampled_from("'\""))
def test_quoted_words_keep_everything(words: list[str], quote: str) -> None:
    line = " ".join(f"{quote}{word}{quote}" for word in words)
    assert texts(line) == words
    check_closed(split(line))


@given(st.text())
@example("{'")
@example('--x="{"')
@example("{" * 30 + "}" * 30)
def test_no_line_breaks_the_splitter(line: str) -> None:
    words = split(line)
    assert all(0 <= word.start < len(line) for word in words)
    assert [word.start for word in words] == sorted(word.start for word in words)
    assert whole(line).typed.strip("'\"") in line


# --- options


def test_options_stand_anywhere_between_the_sources() -> None:
    parsed = parse("a.wav --language de b.wav -o notes c.wav --plan")
    assert [word.typed for word in parsed.others] == ["a.wav", "b.wav", "c.wav"]
    assert parsed.values == {"language": "de", "out": "notes", "plan": True}


def test_every_declared_option_is_typed_with_its_flag() -> None:
    typed = {
        "model": "m",
        "language": "de",
        "task": "translate",
        "prompt": "hello",
        "hotwords": "nbasr,Paraformer",
        "dtype": "bf16",
        "quantization": "int8",
        "device": "cpu",
        "offload": "",
        "chunking": "fixed",
        "max_seconds": "12",
        "min_seconds": "1",
        "target_seconds": "9.5",
        "min_pause": "0.2",
        "margin": "0.1",
        "threshold_db": "-40",
        "above_floor_db": "12",
        "overlap": "0.5",
        "timestamps": "word",
        "aligner": "a",
        "batch_size": "3",
        "channel": "1",
    }
    assert list(typed) == list(declared())
    line = " ".join(f"{declared()[name].flag} {text}" for name, text in typed.items())
    wanted = {name: declared()[name].parse(text) if text else True for name, text in typed.items()}
    assert parse(line).values == wanted
    assert parse(line.replace("--max-seconds ", "--max_seconds=")).values == wanted


def test_option_values_may_be_objects() -> None:
    strategy = object()
    parsed = parse("--chunking {s} --max-seconds={1 + 1} --model $m", s=strategy, m="tiny")
    assert parsed.values["chunking"] is strategy
    assert parsed.values["max_seconds"] == 2.0
    assert parsed.values["model"] == "tiny"


def test_options_of_cutting_are_completed_and_explained() -> None:
    known = {"transcribe": transcribing.command()}
    for start, flag in (
        ("--tar", "target-seconds"),
        ("--mar", "margin"),
        ("--ab", "above-floor-db"),
    ):
        line = f"%transcribe a.wav {start}"
        offered = complete(line, 0, len(line), known, {})
        assert [offer.text for offer in offered.offers] == [f"--{flag}"]
    manual = " ".join(transcribing.command().manual().split())
    assert "--target-seconds S length that chunks should have if pauses allow" in manual
    assert "--above-floor-db DB decibels above the noise floor at which speech begins" in manual
    assert "--margin S seconds of sound kept around speech" in manual


def test_a_quoted_word_or_one_after_two_dashes_is_never_an_option() -> None:
    parsed = parse("\"--plan\" '-o' -- --help -x.wav")
    assert [word.typed for word in parsed.others] == ["--plan", "-o", "--help", "-x.wav"]
    assert parsed.values == {}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--modle x", "%transcribe has no option --modle. Did you mean '--model'?"),
        ("-x", "has no option -x"),
        ("--model", "--model needs a value: --model NAME."),
        ("--model --plan", "--model needs a value"),
        ("--plan=yes", "--plan is a switch"),
        ("--model a --model b", "--model is given twice"),
        ("--chunking optmal", "Did you mean 'optimal'?"),
        ("--max-seconds lots", "--max-seconds takes a number or adaptive, not 'lots'."),
        ("--batch-size 1.5", "--batch-size takes a whole number"),
        ("--batch-size {1.5}", "a whole number"),
        ("--max-seconds 0.01", "at least 0.5"),
        ("--target-second 9", "Did you mean '--target-seconds'?"),
        ("--margin wide", "--margin takes a number, not 'wide'."),
        ("--margin -0.1", "margin is at least 0, not -0.1."),
        ("--above-floor-db loud", "--above-floor-db takes a number, not 'loud'."),
        ("--above-floor-db -3", "above_floor_db is at least 0, not -3.0."),
        ("--out two.words", "the name of a variable"),
        ("--out class", "the name of a variable"),
        ("--out {3}", "--out takes text, not int"),
        ("--format srtt", "Did you mean 'srt'?"),
        ("--format ,", "--format needs a name"),
    ],
)
def test_a_wrong_option_gets_one_sentence(line: str, said: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse(line)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_formats_may_be_given_by_the_names_people_use() -> None:
    assert parse("--format .SRT,praat,srt").values["format"] == ("srt", "textgrid")


@pytest.mark.parametrize("command", [transcribing.command(), files.command()])
@pytest.mark.parametrize("width", [60, WIDTH])
def test_the_manual_tells_every_option_and_fits(command: Any, width: int) -> None:
    manual = command.manual(width)
    options = manual.partition("Options\n")[2].partition("\nExamples")[0]
    for argument in command.every:
        assert f"{argument.flag} {argument.metavar}".rstrip() in options
    for option in declared().values():
        for choice in option.choices:
            assert choice in options
    assert "default: optimal" in " ".join(options.split())
    assert max(map(len, options.splitlines())) <= width


def test_the_manual_tells_what_is_set_here() -> None:
    manual = " ".join(transcribing.command().manual(now={"chunking": "vad"}).split())
    assert "default: optimal; set here: vad" in manual


# --- sources


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for name in (
        "part 10.wav",
        "part 2.wav",
        "talks/a.wav",
        "talks/deep/b.wav",
        "会议 记录.m4a",
        "🎙️.wav",
        "take[1].wav",
        "{x}.wav",
        "it's.wav",
        "notes.txt",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def found(line: str, **names: Any) -> list[Any]:
    return [source.value for source in named(split(line), names).found]


def test_a_glob_gives_files_by_name_and_number(folder: Path) -> None:
    assert found('"part *.wav"') == ["part 2.wav", "part 10.wav"]
    assert found("**/*.wav talks/*")[-1] == str(Path("talks/a.wav"))
    assert {Path(p).name for p in found("talks/**")} == {"a.wav", "b.wav"}


def test_a_name_that_exists_is_taken_as_it_is(folder: Path) -> None:
    assert found("take[1].wav {x}.wav it's.wav 🎙️.wav '会议 记录.m4a'", x=1) == [
        "take[1].wav",
        "{x}.wav",
        "it's.wav",
        "🎙️.wav",
        "会议 记录.m4a",
    ]


def test_home_is_understood(folder: Path) -> None:
    assert [Path(value) for value in found("~/notes.txt ~/talks/*")] == [
        folder / "notes.txt",
        folder / "talks" / "a.wav",
    ]


def test_a_url_is_never_a_glob_or_a_file(folder: Path) -> None:
    url = "https://example.org/a%20b/talk.mp3?from=1&to=[2]*"
    assert named(split(url)).found == (Source(url, "talk.mp3"),)
    assert not sources.is_url(r"C:\talk.mp3")


def test_accents_are_found_however_the_disk_spells_them(folder: Path) -> None:
    stored = unicodedata.normalize("NFD", "café.wav")
    (folder / stored).touch()
    assert Path(found(unicodedata.normalize("NFC", "café.wav"))[0]).exists()


@pytest.mark.parametrize(
    ("line", "many", "count"),
    [
        ("notes.txt", False, 1),
        ("notes.txt talks/a.wav", True, 2),
        ("talks/*.wav", True, 1),
        ("{[path]}", True, 1),
        ("{path}", False, 1),
        ("{iter([path, path])}", True, 2),
        ("{(array, 16000)}", False, 1),
        ("{[array, 16000]}", False, 1),
        ("{array}", False, 1),
        ("{[array, array]}", True, 2),
        ("{[0.0, 0.5, 0.0]}", False, 1),
    ],
)
def test_several_sources_give_a_list_and_one_gives_one(
    folder: Path, line: str, many: bool, count: int
) -> None:
    import numpy as np

    result = named(split(line), {"path": folder / "notes.txt", "array": np.zeros(4)})
    assert (result.many, len(result.found)) == (many, count)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("note.txt", "There is no file 'note.txt' in"),
        ("note.txt", "Did you mean 'notes.txt'?"),
        ("talk/a.wav", "there is no folder 'talk' here. Did you mean 'talks'?"),
        ("talk/*.wav", "No file matches 'talk/*.wav': there is no folder 'talk' here."),
        ("talks/*.mp3", "it holds .wav (1)."),
        ("talks", "is a folder; write"),
        ('""', "A source is empty"),
        ("{[]}", "{[]} is empty"),
        ("{missing}", "there is no variable 'missing'"),
    ],
)
def test_a_wrong_source_gets_one_sentence_with_what_is_close(
    folder: Path, line: str, said: str
) -> None:
    with pytest.raises(NbasrError) as caught:
        found(line)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("m", "m is a variable: write {m}."),
        ("m[0]", "m is a variable: write {m[0]}."),
        ("会议 记录.m4a --quiet", 'put it into quotes, "会议 记录.m4a".'),
        ("part 2.wav", 'put it into quotes, "part 2.wav".'),
        ("[a] b.wav", 'put it into quotes, "[a] b.wav".'),
        ("{interview", "Its brace is not closed: write {name}"),
        ("'{my talk}'", "What stands in the braces is not Python"),
    ],
)
def test_what_was_probably_meant_is_told(folder: Path, line: str, said: str) -> None:
    (folder / "[a] b.wav").touch()
    with pytest.raises(AudioError) as caught:
        named(split(line), {"m": 1})
    assert str(caught.value).endswith(said) or said in str(caught.value)


def test_an_object_is_named_by_itself_or_by_its_variable() -> None:
    class Named:
        name = "talk.mp3"

    result = named(split("{one} {array} {[1.0, 2.0]}"), {"one": Named(), "array": object()})
    assert [source.stem for source in result.found] == ["talk", "array", "recording"]


def test_a_cell_gives_a_source_a_line(folder: Path) -> None:
    body = "\n# all of them\n  part 2.wav  \n\n'会议 记录.m4a'\n{files} # in a variable\n"
    words = [whole(line) for line in sources.lines(body)]
    result = named(words, {"files": [folder / "notes.txt"]})
    assert [source.name for source in result.found] == ["part 2.wav", "会议 记录.m4a", "notes.txt"]


def test_a_hash_in_a_file_name_is_no_comment(folder: Path) -> None:
    (folder / "take #2.wav").touch()
    assert sources.lines("take #2.wav\ntake #3.wav") == ["take #2.wav", "take"]


@given(st.text())
def test_no_source_raises_anything_but_a_sentence(text: str) -> None:
    with contextlib.suppress(AudioError, OptionError):
        assert named([Word.plain(text)]).found


@given(st.text())
def test_a_stem_is_a_file_name_everywhere(name: str) -> None:
    stem = Source(object(), name).stem
    assert stem
    assert not set(stem) & set('<>:"/\\|?*\n\0')
    assert stem == stem.strip(" .")
