"""Files: what is written can be read back, by us and by the format's own rules."""

from __future__ import annotations

import contextlib
import csv
import os
import re
import stat
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbasr.errors import OptionError
from nbasr.text.cleaning import flat, single_spaced
from nbasr.text.scripts import width
from nbasr.transcript import Segment, Transcript, Word, cues, formats

NASTY = st.sampled_from(
    [
        *("-->", "00:00:01,000 --> 00:00:02,000", "\n\n", "\r\n", "\t", '"', '""', "'", ",", ";"),
        *("<", "<b>", "</v>", "&", "&amp;", "&#0;", "]]>", "{\\an8}", "\x00", "\x07", "\x85"),
        *(
            "\u2028",
            "\ud800",
            "\ufeff",
            "\u2060",
            "\xa0",
            "\u3000",
            "😀",
            "👨‍👩‍👧",
            "שלום",
            "مرحبا",
        ),
        *(
            "你好，世界。",
            "日本語のテキスト",
            "한국어",
            "สวัสดีครับ",
            "e\u0301",
            "1",
            "WEBVTT",
            "NOTE",
        ),
        *("=1+1", "\\", "ooTextFile", "<exists>", "item [1]:", "3.5", ";;", " ", "x" * 90),
    ]
)
TEXT = st.lists(NASTY | st.text(max_size=12), max_size=6).map("".join)
SPEAKER = st.none() | st.sampled_from(["Ann", "Bob <b>", "C) 2", "words", "phones", "王"])
SCORE = st.none() | st.floats(0, 1)
TIME = st.integers(0, 4_000_000).map(lambda ms: ms / 1000)


@st.composite
def spans(draw: st.DrawFn) -> tuple[float, float]:
    start, stop = sorted((draw(TIME), draw(TIME)))
    return start, stop


@st.composite
def segments(draw: st.DrawFn) -> Segment:
    words = tuple(
        Word(*draw(spans()), draw(TEXT), draw(SCORE)) for _ in range(draw(st.integers(0, 2)))
    )
    return Segment(
        *draw(spans()),
        draw(TEXT),
        words=words,
        language=draw(st.none() | st.just("zh")),
        speaker=draw(SPEAKER),
        score=draw(SCORE),
        flags=tuple(draw(st.lists(st.sampled_from(["truncated", "repetition"]), max_size=2))),
    )


@st.composite
def transcripts(draw: st.DrawFn) -> Transcript:
    """Anything at all: overlaps, empty texts, words outside of their segments."""
    return Transcript(
        tuple(draw(st.lists(segments(), max_size=5))),
        duration=draw(TIME),
        language=draw(st.none() | st.just("en")),
        model=draw(TEXT),
        name=draw(TEXT),
        seconds=draw(st.none() | TIME),
        complete=draw(st.booleans()),
        notes=tuple(draw(st.lists(TEXT, max_size=2))),
    )


@st.composite
def orderly(draw: st.DrawFn, texts: st.SearchStrategy[str] = TEXT) -> Transcript:
    """Segments one after the other, from 0.9 s to 2 s long."""
    made, now = [], 0
    for text in draw(st.lists(texts, max_size=5)):
        now += draw(st.integers(0, 3000))
        stop = now + draw(st.integers(900, 2000))
        made.append(Segment(now / 1000, stop / 1000, text))
        now = stop
    return Transcript(tuple(made), duration=now / 1000)


def back(transcript: Transcript, name: str) -> Transcript:
    """Return what is read from the text of a format."""
    form = formats.find(name)
    assert form.parse is not None
    text = form.dump(transcript).encode("utf-8", errors="backslashreplace").decode("utf-8")
    return form.parse(text)


def shape(transcript: Transcript) -> list[tuple[float, float, str, str | None]]:
    """Return the segments that have a text, made flat."""
    rows = [(s.start, s.stop, flat(s.text), s.speaker) for s in transcript.segments]
    return [row for row in rows if row[2]]


def bare(text: str) -> str:
    """Return `text` without white space, joiners and what stands for control characters."""
    return re.sub(r"[\s\u2060\ufffd]", "", flat(text))


@given(transcripts())
def test_json_gives_back_exactly_what_was_written(transcript: Transcript) -> None:
    assert back(transcript, "json") == transcript
    assert Transcript.from_dict(transcript.to_dict()) == transcript


@pytest.mark.parametrize("name", ["csv", "tsv"])
def test_tables_give_back_segments_with_all_but_their_words(name: str) -> None:
    @given(transcripts())
    def check(transcript: Transcript) -> None:
        for given_one, read in zip(
            transcript.segments, back(transcript, name).segments, strict=True
        ):
            text = given_one.text.encode("utf-8", errors="backslashreplace").decode()
            assert read == Segment(
                *(given_one.start, given_one.stop, text, (), given_one.language),
                *(given_one.speaker, given_one.score, given_one.flags),
            )

    check()


@given(transcripts())
def test_audacity_labels_give_back_times_and_flat_texts(transcript: Transcript) -> None:
    read = back(transcript, "labels")
    wanted = [(s.start, s.stop, flat(s.text)) for s in transcript.segments]
    assert [(s.start, s.stop, s.text) for s in read.segments] == wanted


@given(transcripts())
def test_textgrid_gives_back_segments_and_speakers_whatever_overlaps(
    transcript: Transcript,
) -> None:
    read = shape(back(transcript, "textgrid"))
    wanted = [
        (start, stop if stop > start else round(start + 0.001, 3), text, speaker)
        for start, stop, text, speaker in shape(transcript)
    ]
    if wanted:  # with no segment but empty ones, the words make some
        assert sorted(read, key=repr) == sorted(wanted, key=repr)


@given(transcripts())
def test_textgrid_tiers_leave_no_gap(transcript: Transcript) -> None:
    text = formats.find("textgrid").dump(transcript)
    assert "\n\n\n" not in text
    tiers = re.split(r"\n    item \[\d+\]:\n", text)[1:]
    assert tiers
    end = float(re.findall(r"^xmax = (\S+)$", text, re.MULTILINE)[0])
    for tier in tiers:
        times = [
            float(found) for found in re.findall(r"^ {12}xm(?:in|ax) = (\S+)$", tier, re.MULTILINE)
        ]
        assert (times[0], times[-1]) == (0, end)
        assert times[1:-1:2] == times[2::2]
        assert all(stop > start for start, stop in zip(times[::2], times[1::2], strict=True))


def test_textgrid_gives_back_words_inside_their_segments() -> None:
    words = (Word(0.1, 0.4, 'say "hi"'), Word(0.5, 0.9, "now"))
    segment = Segment(0, 1, 'Say "hi" now.', words, speaker="Ann")
    transcript = Transcript((segment, Segment(1, 2, "Yes")), duration=3)
    read = back(transcript, "textgrid")
    assert read.segments == transcript.segments
    assert read.duration == 3


def test_textgrid_of_an_aligner_becomes_segments_between_pauses() -> None:
    short = """File type = "ooTextFile"
"TextGrid"
0 3.0 <exists> 3
"IntervalTier" "words" 0 3.0 5
0 0.5 "hello" 0.5 1 "there" 1 2 "" 2 2.5 "general" 2.5 3.0 ""
"IntervalTier" "phones" 0 3.0 1
0 3.0 "HH"
"TextTier" "clicks" 0 3.0 1
1.5 "tick"
"""
    read = formats.find("textgrid").parse(short)  # type: ignore[misc]
    assert [(s.start, s.stop, s.text, len(s.words)) for s in read.segments] == [
        (0, 1, "hello there", 2),
        (2, 2.5, "general", 1),
    ]


@pytest.mark.parametrize("name", ["srt", "vtt"])
def test_subtitles_hold_every_character_and_never_overlap(name: str) -> None:
    @given(transcripts())
    def check(transcript: Transcript) -> None:
        unnamed = Transcript(
            tuple(Segment(s.start, s.stop, s.text, s.words) for s in transcript.segments)
        )
        read = back(unnamed, name)
        assert bare("".join(s.text for s in read)) or not bare(unnamed.text)
        if all(one.stop <= other.start for one, other in pairwise(unnamed.segments)):
            assert bare("".join(s.text for s in read)) == bare(unnamed.text)
        assert sorted(bare("".join(s.text for s in read))) == sorted(bare(unnamed.text))
        for one, other in pairwise(read.segments):
            assert one.start < one.stop <= other.start

    check()


@pytest.mark.parametrize("name", ["srt", "vtt"])
def test_segments_that_fit_one_subtitle_come_back_as_they_were(name: str) -> None:
    fitting = TEXT.filter(
        lambda text: 0 < width(single_spaced(text)) <= 16 and "\u2060" not in text
    )

    @given(orderly(fitting))
    def check(transcript: Transcript) -> None:
        read = [(s.start, s.stop, s.text) for s in back(transcript, name).segments]
        assert read == [(s.start, s.stop, single_spaced(s.text)) for s in transcript.segments]

    check()


SENTENCES = st.lists(
    st.sampled_from(
        [
            *(
                "the",
                "house",
                "is",
                "red,",
                "extraordinarily",
                "well-known",
                "你好世界",
                "我们今天讨论。",
            ),
            *(
                "https://example.org/" + "path/" * 12,
                "日本語",
                "カメラー",
                "한국어",
                "สวัสดี",
                "—",
                "(yes)",
            ),
        ]
    ),
    min_size=1,
    max_size=14,
).map(" ".join)


@pytest.mark.parametrize("name", ["srt", "vtt"])
def test_text_broken_into_two_lines_is_joined_again_as_it_was(name: str) -> None:
    @given(SENTENCES)
    def check(text: str) -> None:
        found = cues.cues(Transcript((Segment(0, 3, text),)))
        read = back(Transcript((Segment(0, 3, text),)), name)
        assert len(read.segments) == len(found)
        if len(found) == 1:
            assert read.text == text
        position = 0  # each cue holds a part of the text, spaces and all
        for segment in read.segments:
            position = text.index(segment.text, position) + len(segment.text)

    check()


@given(transcripts())
def test_cues_keep_to_lines_and_columns(transcript: Transcript) -> None:
    for cue in cues.cues(transcript, name_speakers=True):
        assert 1 <= len(cue.lines) <= cues.LINES
        assert all(cue.lines)
        assert all(width(line.strip(" ")) <= cues.LINE_COLUMNS for line in cue.lines)


@given(orderly(SENTENCES))
def test_cues_follow_each_other_within_the_recording(transcript: Transcript) -> None:
    found = cues.cues(transcript)
    assert all(one.stop <= other.start for one, other in pairwise(found))
    assert all(cue.start < cue.stop <= transcript.duration + 1e-9 for cue in found)


def test_cues_are_cut_at_sentences_and_balanced() -> None:
    text = (
        "The meeting begins at nine in the big room. Please bring the numbers of last month, "
        "and do not forget the coffee."
    )
    assert [cue.lines for cue in cues.cues(Transcript((Segment(0, 8, text),)))] == [
        ("The meeting begins at", "nine in the big room."),
        ("Please bring the numbers of last month,", "and do not forget the coffee."),
    ]


def test_cues_take_word_times_where_there_are_any() -> None:
    first = [*("one", "two", "three", "four", "five", "six"), *"abcdefghijklm", "end."]
    second = ["And", "this", "is", "the", "other", "sentence."]
    words = [Word(i * 0.1, i * 0.1 + 0.1, w.strip(".")) for i, w in enumerate(first)]
    words += [Word(20 + i, 20.5 + i, w.strip(".")) for i, w in enumerate(second)]
    transcript = Transcript((Segment(0, 26, " ".join(first + second), tuple(words)),), 60)
    one, two = cues.cues(transcript)
    assert (two.start, two.stop) == pytest.approx((20, 26))  # the last word ends before its segment
    assert one.stop == pytest.approx(sum(map(len, one.lines)) / cues.READING_SPEED, abs=0.01)


def test_the_last_cue_of_a_segment_stays_until_it_stops_or_the_next_begins() -> None:
    word = (Word(0, 1.5, "One"),)
    alone = Transcript((Segment(0, 3, "One", word),), 9)
    assert cues.cues(alone)[0].stop == pytest.approx(3)
    followed = Transcript((*alone.segments, Segment(2, 4, "Two")), 9)
    assert [cue.stop for cue in cues.cues(followed)] == pytest.approx([2, 4])


def test_short_cue_stays_until_it_is_read_if_the_next_leaves_room() -> None:
    said = (Segment(0, 0.2, "Yes."), Segment(5, 5.1, "No."), Segment(5.5, 7, "Well then."))
    found = cues.cues(Transcript(said, duration=7))
    assert found[0].stop == pytest.approx(cues.MIN_SECONDS, abs=0.001)
    assert found[1].stop == pytest.approx(5.5 - cues.MIN_GAP, abs=0.001)


def test_chinese_lines_hold_half_as_many_characters_and_begin_with_no_comma() -> None:
    text = "我们今天讨论语音识别的问题，首先看一下数据，然后训练模型，最后评估结果。" * 3
    for cue in cues.cues(Transcript((Segment(0, 30, text),))):
        assert all(len(line) <= 21 for line in cue.lines)
        assert not any(line[0] in "，。" for line in cue.lines)


def test_srt_guards_what_players_take_for_markup() -> None:
    text = formats.find("srt").dump(Transcript((Segment(0, 2, "<i>a</i> {\\an8} --> 1<2"),)))
    assert text.startswith("1\n00:00:00,000 --> 00:00:02,000\n")
    assert text.count("-->") == 1
    assert not re.search(r"</?i|\{\\", text)
    assert "1<2" in text


def test_srt_from_elsewhere_is_read_without_its_markup() -> None:
    read = formats.find("srt").parse(  # type: ignore[misc]
        "\n\n7\n00:00:01,5 --> 00:00:02,000 X1:1\n<i>Hello</i>\n"
        "{\\an8}<font color=red>world</font>\n"
        "8\n00:00:03,000 --> 00:00:04.000\n你好\n世界\n"
    )
    assert [(s.start, s.stop, s.text) for s in read.segments] == [
        (1.5, 2, "Hello world"),
        (3, 4, "你好世界"),
    ]


def test_vtt_holds_speakers_and_notes_and_reads_those_of_others() -> None:
    said = Transcript((Segment(0, 2, "Hi", speaker="A > B & <c>"),), notes=("cut --> short",))
    text = formats.find("vtt").dump(said)
    assert "NOTE cut --&gt; short\n\n" in text
    assert back(said, "vtt").segments == said.segments
    read = formats.find("vtt").parse(  # type: ignore[misc]
        "WEBVTT - title\nKind: captions\n\nSTYLE\n::cue { color: red }\n\nid 1\n"
        "00:01.000 --> 00:02.500 align:start position:0%\n"
        "<v.loud Ann>Hello<00:00:01.500><c> there</c>&nbsp;&lt;3</v>\n"
    )
    assert read.segments == (Segment(1, 2.5, "Hello there\xa0<3", speaker="Ann"),)


@given(transcripts())
def test_eaf_follows_the_schema(transcript: Transcript) -> None:
    text = formats.find("eaf").dump(transcript)
    root = ET.fromstring(text.encode("utf-8"))
    order = ["HEADER", "TIME_ORDER", "TIER", "LINGUISTIC_TYPE", "CONSTRAINT"]
    places = [order.index(child.tag) for child in root]
    assert places == sorted(places)
    assert {"AUTHOR", "DATE", "FORMAT", "VERSION"} <= set(root.attrib)
    slots = {e.attrib["TIME_SLOT_ID"]: int(e.attrib["TIME_VALUE"]) for e in root.iter("TIME_SLOT")}
    assert list(slots.values()) == sorted(slots.values())
    tiers = {tier.attrib["TIER_ID"]: tier for tier in root.iter("TIER")}
    assert len(tiers) == len(list(root.iter("TIER"))) > 0
    kinds = {kind.attrib["LINGUISTIC_TYPE_ID"] for kind in root.iter("LINGUISTIC_TYPE")}
    ids = [one.attrib["ANNOTATION_ID"] for one in root.iter("ALIGNABLE_ANNOTATION")]
    assert len(ids) == len(set(ids))
    times = {}
    for name, tier in tiers.items():
        assert tier.attrib["LINGUISTIC_TYPE_REF"] in kinds
        times[name] = [
            (slots[one.attrib["TIME_SLOT_REF1"]], slots[one.attrib["TIME_SLOT_REF2"]])
            for one in tier.iter("ALIGNABLE_ANNOTATION")
        ]
        assert all(start < stop for start, stop in times[name])
        assert all(one[1] <= other[0] for one, other in pairwise(times[name]))
    for name, tier in tiers.items():
        parents = times.get(tier.attrib.get("PARENT_REF", ""), [])
        for start, stop in times[name] if "PARENT_REF" in tier.attrib else []:
            assert any(outer[0] <= start and stop <= outer[1] for outer in parents)
    values = [one.text or "" for one in root.iter("ANNOTATION_VALUE")]
    assert {flat(s.text) for s in transcript.segments} <= {value.strip() for value in values} | {""}


@given(transcripts())
def test_rttm_has_ten_fields_in_every_line(transcript: Transcript) -> None:
    lines = formats.find("rttm").dump(transcript).splitlines()
    assert len(lines) == len(transcript.segments)
    for line, segment in zip(lines, transcript.segments, strict=True):
        kind, _, channel, start, length, *_, speaker, _, _ = fields = line.split(" ")
        assert (len(fields), kind, channel) == (10, "SPEAKER", "1")
        assert float(start) + float(length) == pytest.approx(segment.stop, abs=0.002)
        assert (speaker == "<NA>") == (segment.speaker is None)


def test_ctm_has_a_line_per_word() -> None:
    words = (Word(1, 1.25, "New York", 0.5), Word(0.5, 0.75, "in"))
    transcript = Transcript((Segment(0, 2, "in New York", words),), name="my talk/one two.wav")
    assert formats.find("ctm").dump(transcript) == (
        "one_two 1 0.500 0.250 in\none_two 1 1.000 0.250 New_York 0.500\n"
    )


def test_ctm_without_word_times_asks_for_them() -> None:
    with pytest.raises(OptionError, match="transcribe with timestamps='word'"):
        formats.find("ctm").dump(Transcript((Segment(0, 1, "a"),)))
    assert formats.find("ctm").dump(Transcript((Segment(0, 1, " "),))) == ""


def test_plain_text_has_a_line_per_segment() -> None:
    said = (Segment(0, 1, " One\ntwo "), Segment(1, 2, ""), Segment(2, 3, "Three", speaker="Ann"))
    assert formats.find("txt").dump(Transcript(said)) == "One two\nAnn: Three\n"


def test_tsv_of_whisper_is_read_in_milliseconds() -> None:
    read = formats.find("tsv").parse("start\tend\ttext\n500\t1500\tHello\n")  # type: ignore[misc]
    assert read.segments == (Segment(0.5, 1.5, "Hello"),)


@pytest.mark.parametrize("name", formats.names())
def test_every_format_is_found_by_its_suffix(name: str, tmp_path: Path) -> None:
    words = (Word(0, 1, "你好"), Word(1, 2, "🙂"))
    transcript = Transcript((Segment(0, 2, "你好🙂", words),), 2, "zh", "m", "会议 🙂")
    path = tmp_path / f"会议 🙂.v1{formats.suffix(name)}"
    assert transcript.save(path) == path
    assert path.read_bytes().decode("utf-8") == formats.find(name).dump(transcript) or name == "eaf"
    assert formats.of_path(path).name == name
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    if formats.find(name).parse:
        read = Transcript.load(path)
        assert read.text == "你好🙂"
        assert read.name == ("会议 🙂" if name == "json" else "会议 🙂.v1")


def test_format_may_be_named_and_suffixes_come_in_any_case(tmp_path: Path) -> None:
    transcript = Transcript((Segment(0, 2, "a"),))
    path = transcript.save(str(tmp_path / "labels.txt"), format="audacity")
    assert Transcript.load(path, format="labels").text == "a"
    assert Transcript.load(transcript.save(tmp_path / "x.SRT")).text == "a"
    assert Transcript.load(transcript.save(tmp_path / "x.textgrid")).text == "a"
    with transcript.save(tmp_path / "t.csv").open(newline="", encoding="utf-8") as file:
        assert next(csv.reader(file))[:3] == ["start", "stop", "text"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("x.sr", "no format '.sr'. Did you mean 'srt'.*Known: txt, srt"),
        ("x", "no suffix that tells a format"),
        ("nowhere/x.srt", r"There is no folder .*nowhere, so no place for x\.srt in it"),
        ("folder.srt", r"folder\.srt is a folder"),
    ],
)
def test_what_cannot_be_written_is_told(name: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "folder.srt").mkdir()
    with pytest.raises(OptionError, match=sentence):
        Transcript((Segment(0, 1, "a"),)).save(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.srt"]


def test_a_format_that_is_no_name_is_told(tmp_path: Path) -> None:
    transcript = Transcript((Segment(0, 1, "a"),))
    with pytest.raises(OptionError, match=r"no format 3\. Known: txt, srt"):
        transcript.save(tmp_path / "x.srt", format=3)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_file_is_replaced_only_if_told_so(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("mine")
    with pytest.raises(OptionError, match=r"a\.txt exists already; give overwrite=True or another"):
        Transcript((Segment(0, 1, "new"),)).save(path)
    assert path.read_text() == "mine"
    Transcript((Segment(0, 1, "new"),)).save(path, overwrite=True)
    assert path.read_text() == "new\n"


def test_text_that_cannot_be_written_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.ctm"
    path.write_text("mine")
    with pytest.raises(OptionError, match="word times"):
        Transcript((Segment(0, 1, "new"),)).save(path)
    assert path.read_text() == "mine"


@pytest.mark.skipif(os.name == "nt", reason="links and modes of POSIX")
def test_link_is_followed_and_the_file_is_readable_as_any_other(tmp_path: Path) -> None:
    real, plain = tmp_path / "real.txt", tmp_path / "plain.txt"
    plain.touch()
    (tmp_path / "link.txt").symlink_to(real)
    Transcript((Segment(0, 1, "a"),)).save(tmp_path / "link.txt")
    assert (tmp_path / "link.txt").is_symlink()
    assert real.read_text() == "a\n"
    assert stat.S_IMODE(real.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("gone.srt", None, r"There is no file 'gone\.srt' in "),
        ("nowhere/gone.srt", None, r"There is no folder .*nowhere, so no gone\.srt in it"),
        ("a.eaf", b"", "cannot be read back; readable are srt, vtt, json"),
        ("a.txt", b"", "Audacity labels: say format='labels'"),
        ("a.srt", b"\xff\xe9", "not UTF-8"),
        ("a.srt", b"just text", "no subtitle"),
        ("a.vtt", b"1\n00:00:01,000 --> 00:00:02,000\na\n", "WEBVTT"),
        ("a.json", b"{", "not JSON"),
        ("a.json", b"[]", "no transcript"),
        ("a.csv", b"begin,text\n", "no column start and stop"),
        ("a.csv", b"start,stop,text\n1,2\n", "Line 2 is no segment: it is cut off"),
        ("a.tsv", b"start\tstop\ttext\n1\tx\ta\n", "Line 2 is no segment: could not convert"),
        ("a.TextGrid", b"hello", "breaks off"),
        ("a.TextGrid", b'"ooTextFile" "Sound"', "no TextGrid in text form"),
        (
            "a.TextGrid",
            b'"ooTextFile" "TextGrid" 0 1 <exists> 1 "IntervalTier" "a" 0',
            "breaks off",
        ),
        ("a.labels.txt", b"1\t2\ta\nnonsense\n", "Line 2 is no Audacity label"),
        ("a.labels.txt", b"3\t2\ta\n", "Line 1 .*before it starts"),
    ],
)
def test_what_cannot_be_read_is_told(
    name: str, content: bytes | None, sentence: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(OptionError, match=sentence):
        Transcript.load(tmp_path / name)


def test_marks_of_byte_order_are_understood(tmp_path: Path) -> None:
    transcript = Transcript((Segment(0, 1, "Größe"),))
    for encoding in ("utf-8-sig", "utf-16"):
        path = tmp_path / "a.TextGrid"
        path.write_text(formats.find("textgrid").dump(transcript), encoding=encoding)
        assert Transcript.load(path).text == "Größe"


@given(st.sampled_from(formats.names()), st.text(max_size=80) | TEXT)
def test_no_file_content_crashes_a_reader(name: str, content: str) -> None:
    parse = formats.find(name).parse or (lambda _: Transcript(()))
    with contextlib.suppress(OptionError):
        assert isinstance(parse(content), Transcript)
