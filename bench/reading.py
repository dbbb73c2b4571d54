"""A transcript's panel in JupyterLab and Chromium: first paint, scrolling, words, what is saved.

Run it with ``python -m bench.reading``; it needs Chromium, as the browser tests do. The recording
is the long meeting, one hour; its transcript is made up: 10,000 lines of 10 words with times and
scores. The peer shows the same lines in the same run as one ipywidgets `HTML` that scrolls, without
words to click at. Times are taken in the page, by its own clock. "Work" of a frame is what keeps
the page busy: what is done at once, then all from the scroll event until after layout and paint;
"processor" is the same by the processor's clock, which does not mind what else the machine does.
"""

from __future__ import annotations

import argparse
from itertools import chain

import numpy as np

from bench._browser import HERE, MEGABYTE, Page, Screen, high, median, screen, verdict, write_hours

FRAME_LIMIT = 16.0
"""Most ms of work of a frame while scrolling, at the 95th percentile."""

HEARD_LIMIT = 150.0
"""Most ms from a click on a word until it is heard."""

MARK_LIMIT = 50.0
"""Most ms by which the marked word is late, at the 95th percentile."""

SAVED_LIMIT = 200.0
"""Most kB by which a saved notebook grows by an hour's transcript."""

STEPS = 120
"""Frames of each way to scroll."""

PLAYED = 8.0
"""Seconds for which the marked word is watched."""

SETUP = """\
import ipywidgets, nbasr, random
from html import escape
from nbasr.transcript import Segment, Transcript, Word

recording = nbasr.Recording.open({path!r})
WORDS = (
    "so I think we should look at the budget again before anybody talks about that new design "
    "because people want something cheap which fits into one hand and never gets lost okay right"
).split()

def spoken(count):
    chance = random.Random(5)
    step = recording.duration / count
    segments = []
    for line in range(count):
        many = chance.randint(3, 17)
        each = 0.9 * step / many
        begins = [line * step + each * k for k in range(many)]
        words = tuple(
            Word(at, at + 0.8 * each, chance.choice(WORDS), min(chance.gauss(0.9, 0.15), 1))
            for at in begins
        )
        text = " ".join(word.text for word in words)
        segments.append(Segment(line * step, line * step + 0.9 * step, text, words, "en"))
    return Transcript(tuple(segments), recording.duration, "en", "made up", recording.name)

def rows(transcript):
    lines = "".join(
        f"<div>{{one.start:.1f}} {{escape(one.text)}}</div>" for one in transcript.segments
    )
    style = "height:300px;overflow:auto"
    return ipywidgets.HTML(f'<div class="bench-rows" style="{{style}}">{{lines}}</div>')

many, hour = spoken(10_000), spoken(900)
nbasr.TranscriptPanel  # imported now, not when measured
"""

PANEL = "panel = nbasr.TranscriptPanel(many, recording)\npanel"
PEER = "rows(many)"
HOUR = "panel = nbasr.TranscriptPanel(hour, recording)\npanel"


def verdict_of_frames(work: list[float]) -> str:
    return f"{verdict(high(work), FRAME_LIMIT)}: at most {FRAME_LIMIT:g} ms"


def opened(page: Page) -> None:
    """Give the page what measures a transcript."""
    code = (HERE / "_reading.js").read_text(encoding="utf-8")
    page.notebook.page.evaluate(f"() => {{\n{code}\n}}")


def first_paint(at: Screen, rounds: int, path: str) -> None:
    """Print how long it takes until lines are seen, and what is sent for them."""
    found: dict[str, list[tuple[float, float]]] = {"reader": [], "rows": []}
    with at.notebook(SETUP.format(path=path), PANEL, PEER) as page:
        for _ in range(rounds + 1):
            page.clean(1, 2)
            found["reader"].append(page.show(1, "reader"))
            found["rows"].append(page.show(2, "rows"))
    print("| 10,000 lines, from running the cell | drawn | sent |")
    print("|---|---:|---:|")
    for name, told in (("reader", "`TranscriptPanel`"), ("rows", "`HTML` of all rows")):
        seconds, sent = zip(*found[name][1:], strict=True)  # the first fills the browser's caches
        print(f"| {told} | {median(seconds):.2f} s | {median(sent) / MEGABYTE:.2f} MB |")


def scrolling(at: Screen, rounds: int, path: str) -> None:
    """Print the work of a frame while 10,000 lines scroll."""
    found: dict[tuple[int, str], list[dict[str, list[float]]]] = {}
    ways = [(1, "wheel"), (1, "drag"), (1, "keys"), (2, "wheel"), (2, "drag")]
    with at.notebook(SETUP.format(path=path), PANEL, PEER) as page:
        page.show(1, "reader")
        page.show(2, "rows")
        opened(page)
        for _ in range(rounds):
            for index, how in ways:
                found.setdefault((index, how), []).append(page.meter("scroll", index, how, STEPS))
    print("| scrolling 10,000 lines | frames | work, median | 95 % | processor, mean | |")
    print("|---|---:|---:|---:|---:|---|")
    names = {"wheel": "by 100 px a frame", "drag": "anywhere, as by the scrollbar", "keys": "PgDn"}
    for (index, how), each in found.items():
        work = list(chain(*(one["work"] for one in each)))
        busy = median([one["busy"][0] for one in each])
        told = "`TranscriptPanel`" if index == 1 else "`HTML` of all rows"
        last = verdict_of_frames(work) if index == 1 else ""
        print(
            f"| {told}, {names[how]} | {len(work)} | {median(work):.1f} ms | {high(work):.1f} ms | "
            f"{busy:.1f} ms | {last} |"
        )


def words(at: Screen, rounds: int, path: str) -> None:
    """Print how soon a word is heard that was clicked at, and how late words are marked."""
    heard: list[float] = []
    late: list[float] = []
    with at.notebook(SETUP.format(path=path), HOUR) as page:
        page.show(1, "reader")
        opened(page)
        for turn in range(max(4 * rounds, 6)):
            # Far from each other: each time the sound has to be fetched.
            heard.append(page.meter("hear", 1, (turn * 97 + 11) % 900, 2))
        for turn in range(rounds):
            late += page.meter("marked", 1, 40 + 100 * turn, PLAYED)
    error = np.abs(late)
    print("| words of an hour | times | median | 95 % | |")
    print("|---|---:|---:|---:|---|")
    print(
        f"| click until the sound has begun, fetched | {len(heard)} | {median(heard):.0f} ms "
        f"| {high(heard):.0f} ms | {verdict(median(heard), HEARD_LIMIT)}: at most "
        f"{HEARD_LIMIT:g} ms |"
    )
    print(
        f"| marked word, distance from the sound | {len(late)} | {median(list(error)):.0f} ms | "
        f"{high(list(error)):.0f} ms | {verdict(high(list(error)), MARK_LIMIT)}: at most "
        f"{MARK_LIMIT:g} ms |"
    )


def saved(at: Screen, rounds: int, path: str) -> None:
    """Print by how much a saved notebook grows."""
    del rounds  # it is the same each time
    with at.notebook(SETUP.format(path=path), HOUR) as page:
        before = len(page.notebook.path.read_bytes())
        page.show(1, "reader")
        page.notebook.save()
        grown = (len(page.notebook.path.read_bytes()) - before) / 1000
    print("| saved notebook | | |")
    print("|---|---:|---|")
    print(
        f"| growth by an hour's transcript of 900 lines | {grown:.0f} kB | "
        f"{verdict(grown, SAVED_LIMIT)}: at most {SAVED_LIMIT:g} kB |"
    )


PARTS = {"first-paint": first_paint, "scrolling": scrolling, "words": words, "saved": saved}


def main() -> None:
    """Measure and print a table of each part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="of each measurement (default: 3)")
    parser.add_argument("--quick", action="store_true", help="one round")
    parser.add_argument("--only", default=",".join(PARTS), help="some of %(default)s")
    given = parser.parse_args()
    parts = given.only.split(",")
    if unknown := set(parts) - set(PARTS):
        parser.error(f"there is no {unknown.pop()}; known: {', '.join(PARTS)}")
    with screen() as at:
        path = str(write_hours(at.folder, 1))
        for number, part in enumerate(parts):
            if number:
                print()
            PARTS[part](at, 1 if given.quick else given.rounds, path)


if __name__ == "__main__":
    main()
