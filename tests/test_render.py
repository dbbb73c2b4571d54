"""The HTML view and the plain view of a transcript."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbasr.transcript import Segment, Transcript
from nbasr.transcript.render import as_html, as_text

GITHUB_KEEPS = {
    *("div", "p", "strong", "em", "b", "dl", "dt", "dd", "abbr", "details", "summary"),
}


class Page(HTMLParser):
    """The elements and the text of a page, the style sheet left out."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data

    def tags(self) -> list[str]:
        return [tag for tag, _ in self.elements if tag != "style"]


def long(count: int) -> Transcript:
    segments = (Segment(i * 5, i * 5 + 4.5, f"Sentence {i}. " * 5) for i in range(count))
    return Transcript(tuple(segments), duration=count * 5, name="long")


def test_header_tells_name_length_language_model_and_speed() -> None:
    transcript = Transcript((), 100, "en", "sphinx", "meeting.wav", seconds=20)
    header = "meeting.wav · 1:40.0 · en · sphinx · 5.0 × real time"
    assert header in Page(as_html(transcript)).text
    assert as_text(transcript).splitlines() == [header, "no speech"]


def test_a_slice_shows_which_part_it_is() -> None:
    whole = Transcript((Segment(0, 9, "a"), Segment(12, 20, "b")), 100.3, name="meeting.opus")
    header = "meeting.opus · 0:00.0 – 0:11.0 of 1:40.3"
    assert as_text(whole[0:11]).splitlines() == [header, "0:00.0 – 0:09.0  a"]
    assert header in Page(as_html(whole[0:11])).text
    assert "0:02.0 – 0:05.0 of" in as_text(whole[0:11][2:5])
    assert "nothing was said in this part" in as_text(whole[30:])
    assert as_text(whole[:]) == as_text(whole)


def test_incomplete_transcript_says_so_and_why() -> None:
    transcript = Transcript((), complete=False, notes=("interrupted at 12:34",))
    assert "incomplete: interrupted at 12:34" in Page(as_html(transcript)).text
    assert "incomplete: interrupted at 12:34" in as_text(transcript).splitlines()
    assert "incomplete" in as_text(Transcript((), complete=False)).splitlines()
    assert "a draft" in Page(as_html(Transcript((), notes=("a draft",)))).text


@given(st.text(max_size=40), st.booleans())
def test_no_text_from_outside_becomes_markup(text: str, closing: bool) -> None:
    evil = f"{'</dd></style>' if closing else ''}<script>alert(1)</script><img src=x>{text}&lt;\"'>"
    segment = Segment(0, 1, evil, speaker=evil, flags=(evil,))
    transcript = Transcript((segment,), 1, evil, evil, evil, complete=False, notes=(evil,))
    page = Page(as_html(transcript))
    assert set(page.tags()) <= GITHUB_KEEPS
    assert page.open == []
    assert page.text.count("<script>alert(1)</script>") == 6
    assert {name for _, attrs in page.elements for name in attrs} <= {"class", "dir", "title"}


def test_structure_alone_reads_as_times_and_texts() -> None:
    segments = (Segment(0, 1.25, "One"), Segment(3599.96, 3725.5, "Two"))
    page = Page(as_html(Transcript(segments)))
    assert "0:00.0 – 0:01.2One\n1:00:00.0 – 1:02:05.5Two" in page.text
    assert page.tags().count("dt") == page.tags().count("dd") == 2


def test_speaker_is_named_where_another_one_begins() -> None:
    speakers = ("Ann", "Ann", "Bob", None, "Bob")
    transcript = Transcript(
        tuple(Segment(i, i + 1, "so", speaker=s) for i, s in enumerate(speakers))
    )
    rows = [line.partition("  ")[2] for line in as_text(transcript).splitlines()[1:]]
    assert rows == ["Ann: so", "so", "Bob: so", "so", "Bob: so"]
    assert Page(as_html(transcript)).text.count("Ann:") == 1


@pytest.mark.parametrize(
    ("segment", "doubt"),
    [
        (Segment(0, 1, "a", flags=("truncated", "repetition")), "truncated, repetition"),
        (Segment(0, 1, "a", score=0.12), "score 0.12"),
    ],
)
def test_doubtful_segment_is_marked_with_the_reason(segment: Segment, doubt: str) -> None:
    page = Page(as_html(Transcript((segment,))))
    assert ("abbr", {"title": f"doubtful: {doubt}"}) in page.elements
    assert doubt in as_text(Transcript((segment,)))
    assert "abbr" not in Page(as_html(Transcript((Segment(0, 1, "a", score=0.9),)))).tags()


def test_long_transcript_folds_and_keeps_everything() -> None:
    page = Page(as_html(long(100)))
    assert page.tags().count("details") == 1
    assert "70 more segments, 2:30.0 to 8:19.5" in page.text
    assert page.tags().count("dd") == 100
    lines = as_text(long(100)).splitlines()
    assert len(lines) < 30
    assert "… 77 more segments …" in lines
    assert "Sentence 99" in lines[-1]
    assert "details" not in Page(as_html(long(30))).tags()


def test_view_of_an_hour_stays_small_and_that_of_a_day_is_cut() -> None:
    assert len(as_html(long(720)).encode()) < 100_000
    day = as_html(long(17_280))
    assert len(day.encode()) < 150_000
    assert "more, too long to keep in a notebook; save() writes all." in Page(day).text


def test_one_endless_segment_is_shown_in_html_and_shortened_in_text() -> None:
    transcript = Transcript((Segment(0, 3600, "word " * 10_000),))
    assert Page(as_html(transcript)).text.count("word") == 10_000
    assert len(as_text(transcript)) < 600
    endless = Page(as_html(Transcript((Segment(0, 3600, "word " * 60_000),))))
    assert "1 more, too long" in endless.text


def test_display_bundle_has_both_views() -> None:
    transcript = long(3)
    bundle = transcript._repr_mimebundle_(include=None, exclude=None)
    assert bundle == {"text/html": as_html(transcript), "text/plain": repr(transcript)}
