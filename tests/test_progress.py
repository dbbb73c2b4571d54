from __future__ import annotations

from html.parser import HTMLParser

from nbasr.pipeline.progress import Progress, Throttle, clock, listener


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.seen = []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)


def at(done, state="running", text=""):
    return Progress("meeting", done, 100.0, 10.0, text, state, "sphinx")


def test_the_line_tells_audio_done_speed_and_time_left():
    assert str(at(60.0)) == "meeting · 1:00 of 1:40 · 6 × real time · 0:07 left · sphinx"


def test_nothing_done_yet_promises_no_speed():
    line = str(at(0.0))
    assert "real time" not in line
    assert "left" not in line


def test_a_text_that_holds_html_stays_text():
    parser = Tags()
    parser.feed(at(1.0, text="<script>alert(1)</script>")._repr_html_())
    assert set(parser.seen) == {"div"}


def test_updates_come_at_most_ten_times_a_second_but_the_end_always_comes():
    told = []
    throttle = Throttle(told.append)
    throttle(at(0.0))
    for done in range(1000):
        throttle(at(done / 10))
    throttle(at(100.0, "finished"))
    assert told[0].done == 0.0
    assert told[-1].state == "finished"
    assert len(told) < 20  # a thousand calls take far less than two seconds


def test_outside_notebook_and_terminal_nobody_is_told(capsys):
    listener(True)(at(5.0))
    assert capsys.readouterr() == ("", "")


def test_hours_are_written_with_hours():
    assert (clock(59.6), clock(3725.0)) == ("1:00", "1:02:05")
