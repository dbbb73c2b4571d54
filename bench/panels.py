"""Panels in JupyterLab and Chromium: first paint, zoom, slider to plan, upload, playback.

Run it with ``python -m bench.panels``; it needs Chromium, as the browser tests do. Times are taken
in the page, by its own clock. The recording is the long meeting, once for 1 h, three times for 3 h.
Peers are a Plotly `FigureWidget` with the same envelope, 4000 columns over the whole recording, and
ipywidgets' `FileUpload`; they take turns in each round, so that a busy machine slows all of them.
"Work" of a frame is what keeps the page busy: the event's handlers, drawing, layout and paint;
"processor" is the same by the processor's clock, which does not mind what else the machine does.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from bench._browser import MEGABYTE, Screen, high, median, screen, verdict, write_hours
from bench._uploads import uploads

PAINT_CACHED_LIMIT = 0.3
"""Most seconds until a panel of 3 h is drawn, its levels being in the cache."""

PAINT_LIMIT = 1.0
"""Most seconds until it is drawn after it was decoded, its levels not being known."""

SENT_LIMIT = 1.5
"""Most MB sent to the browser for 1 h."""

FRAME_LIMIT = 16.0
"""Most ms of work of a frame while zooming or moving a threshold, at the 95th percentile."""

PLAN_LIMIT = 100.0
"""Most ms from a slider's step until the plan of 1 h is redrawn."""

WHEEL_TURNS = 50
PLOTLY_ZOOMS = 10
SLIDER_STEPS = 30
"""A multiple of 10, and a third of it for the slowest peer, too."""
PLAYED = 10.0
"""Seconds of playback in which nothing may be said to the kernel."""

SETUP = """\
import ipywidgets, nbasr, numpy as np, plotly.graph_objects as go
from nbasr.chunking import pauses

PATH = {path!r}
recording = nbasr.Recording.open(PATH)
nbasr.WaveformPanel, nbasr.ChunkTuner, go.FigureWidget  # imported now, not when measured

def envelope(recording, columns=4000):
    low, high = recording.levels().envelope(0.0, recording.duration, columns).T
    seconds = np.linspace(0.0, recording.duration, columns)
    line = {{"width": 0.5, "color": "#3f88d8"}}
    return go.FigureWidget(
        [
            go.Scatter(x=seconds, y=low, line=line),
            go.Scatter(x=seconds, y=high, line=line, fill="tonexty"),
        ],
        {{"height": 280, "showlegend": False, "yaxis": {{"fixedrange": True}}}},
    )

def tuned(recording, kind):
    figure, levels = envelope(recording), recording.levels()
    figure.add_scatter(fill="toself", mode="lines", line_width=0)

    def shade(change):
        found = pauses(levels, above_floor_db=change["new"])
        with figure.batch_update():
            if kind == "trace":
                start, stop = found.T
                gap = np.full(len(found), np.nan)
                figure.data[2].x = np.stack((start, start, stop, stop, gap), 1).ravel()
                figure.data[2].y = np.tile([-1, 1, 1, -1, np.nan], len(found))
            else:
                figure.layout.shapes = [
                    {{"type": "rect", "x0": a, "x1": b, "y0": -1, "y1": 1, "line_width": 0}}
                    for a, b in found
                ]

    slider = ipywidgets.FloatSlider(10, min=4, max=20, step=0.5)
    slider.observe(shade, "value")
    return ipywidgets.VBox([slider, figure])
"""

PANEL = "nbasr.WaveformPanel(recording)"
FIGURE = "envelope(recording)"
OPEN = "recording = nbasr.Recording.open(PATH)"
FORGET = f"{OPEN}\nrecording._opened.levels.unlink(missing_ok=True)"


def verdict_of_frames(work: Sequence[float]) -> str:
    return f"{verdict(high(work), FRAME_LIMIT)}: at most {FRAME_LIMIT:g} ms"


def busy(found: Sequence[dict[str, list[float]]]) -> float:
    """Return the ms of the page's processor per frame, however busy the machine is otherwise."""
    return median([one["busy"][0] for one in found])


# -- First paint ----------------------------------------------------------------------------------


def first_paint(at: Screen, rounds: int, files: dict[int, Path]) -> None:
    """Print how long it takes until a panel is drawn, and what is sent for it."""
    rows = {
        "`WaveformPanel`, levels cached": {1: [], 3: []},
        "… levels not known yet": {1: [], 3: []},
        "… first of a kernel, with its imports": {1: [], 3: []},
        "… a second one on the same recording": {1: [], 3: []},
        "`FigureWidget`, levels cached": {1: [], 3: []},
        "… a second one": {1: [], 3: []},
    }
    for hours, path in files.items():
        cached, fresh, first, again, figure, figure_again = (row[hours] for row in rows.values())
        with at.notebook(SETUP.format(path=str(path)), PANEL, PANEL, FIGURE, FIGURE) as page:
            for _ in range(rounds + 1):
                page.clean(1, 2, 3, 4, then=OPEN)
                cached.append(page.show(1, "wave"))
                again.append(page.show(2, "wave"))
                page.clean(1, 2, then=FORGET)
                fresh.append(page.show(1, "wave"))
                page.clean(1, then=OPEN)
                figure.append(page.show(3, "figure"))
                figure_again.append(page.show(4, "figure"))
            for _ in range(max(rounds // 2, 1) + 1):
                page.clean(1, 3, 4)
                page.notebook.restart_kernel()
                page.notebook.execute(f"import nbasr\nPATH = {str(path)!r}\n{OPEN}")
                first.append(page.show(1, "wave"))
    limits = {0: PAINT_CACHED_LIMIT, 1: PAINT_LIMIT}
    print("| from running the cell | 1 h drawn | 3 h drawn | | 1 h sent | 3 h sent | |")
    print("|---|---:|---:|---|---:|---:|---|")
    for number, (name, row) in enumerate(rows.items()):
        # The first round fills the browser's caches.
        seconds = {hours: median([one for one, _ in found[1:]]) for hours, found in row.items()}
        sent = {
            hours: median([one for _, one in found[1:]]) / MEGABYTE for hours, found in row.items()
        }
        limit = limits.get(number)
        drawn = f"{verdict(seconds[3], limit)}: at most {limit:g} s" if limit else ""
        bytes_ = f"{verdict(sent[1], SENT_LIMIT)}: at most {SENT_LIMIT:g} MB" if number == 0 else ""
        print(
            f"| {name} | {seconds[1]:.2f} s | {seconds[3]:.2f} s | {drawn} | "
            f"{sent[1]:.2f} MB | {sent[3]:.2f} MB | {bytes_} |"
        )


# -- Zoom -----------------------------------------------------------------------------------------


def zoom(at: Screen, rounds: int, files: dict[int, Path]) -> None:
    """Print the work of a frame while the wheel turns."""
    print("| zoom, per step | frames | work, median | 95 % | processor, mean | between, 95 % | |")
    print("|---|---:|---:|---:|---:|---:|---|")
    for hours, path in files.items():
        found = {"panel": [], "figure": []}
        with at.notebook(SETUP.format(path=str(path)), PANEL, FIGURE) as page:
            page.show(1, "wave")
            page.show(2, "figure")
            for _ in range(rounds):
                found["panel"].append(page.meter("wheel", 1, WHEEL_TURNS))
                found["figure"].append(page.meter("figureZoom", 2, PLOTLY_ZOOMS))
        for name, told in (
            ("panel", "`WaveformPanel`, wheel"),
            ("figure", "`FigureWidget`, button"),
        ):
            work = list(chain(*(one["work"] for one in found[name])))
            between = high(list(chain(*(one["between"] for one in found[name]))))
            last = verdict_of_frames(work) if name == "panel" else ""
            print(
                f"| {told}, {hours} h | {len(work)} | {median(work):.1f} ms | "
                f"{high(work):.1f} ms | {busy(found[name]):.1f} ms | {between:.1f} ms | {last} |"
            )


# -- Slider ---------------------------------------------------------------------------------------


def slider(at: Screen, rounds: int, files: dict[int, Path]) -> None:
    """Print how long it takes from a step of the threshold's slider to what is seen of it.

    Panel and figures have pages of their own: a figure in sight costs each frame of what is beside.
    """
    setup = SETUP.format(path=str(files[1]))
    shades: list[dict[str, list[float]]] = []
    waits: dict[str, list[float]] = {"plan": [], "trace": [], "shapes": []}
    with at.notebook(setup, "nbasr.ChunkTuner(recording)") as page:
        page.show(1, "tuner")
        for _ in range(rounds):
            shades.append(page.meter("shading", 1, SLIDER_STEPS))
            waits["plan"] += page.meter("planning", 1, SLIDER_STEPS)["whole"]
    for kind, steps in (("trace", SLIDER_STEPS), ("shapes", SLIDER_STEPS // 3)):
        with at.notebook(setup, f"tuned(recording, {kind!r})") as page:
            page.show(1, "figure")
            for _ in range(rounds):
                waits[kind] += page.meter("figureSlider", 1, steps)["whole"]
    shading = list(chain(*(one["work"] for one in shades)))
    print("| a step of the threshold, 1 h | steps | median | 95 % | |")
    print("|---|---:|---:|---:|---|")
    print(
        f"| tuner, shading: work of the frame | {len(shading)} | {median(shading):.1f} ms | "
        f"{high(shading):.1f} ms | {verdict_of_frames(shading)} |"
    )
    print(f"| … processor of a frame, mean, with plans under way | | {busy(shades):.1f} ms | | |")
    for name, told, limit in (
        ("plan", "tuner, until the plan is redrawn", PLAN_LIMIT),
        ("trace", "`FigureWidget`, pauses as one filled trace", None),
        ("shapes", "`FigureWidget`, pauses as shapes", None),
    ):
        last = f"{verdict(high(waits[name]), limit)}: at most {limit:g} ms" if limit else ""
        print(
            f"| {told} | {len(waits[name])} | {median(waits[name]):.0f} ms | "
            f"{high(waits[name]):.0f} ms | {last} |"
        )


# -- Playback -------------------------------------------------------------------------------------


def playback(at: Screen, rounds: int, files: dict[int, Path]) -> None:
    """Print how soon a click is heard, and what is said to the kernel meanwhile."""
    clicks: list[dict[str, float]] = []
    with at.notebook(SETUP.format(path=str(files[1])), PANEL) as page:
        page.show(1, "wave")
        first = page.meter("play", 1)
        said = page.meter("said", PLAYED)
        page.meter("pause", 1)
        for _ in range(2 * rounds):
            clicks.append(page.meter("play", 1))
            page.meter("pause", 1)
    print("| playback of 1 h | | |")
    print("|---|---:|---|")
    print(f"| first click to samples laid out, with their fetch | {first['scheduled']:.0f} ms | |")
    for name, told in (
        ("scheduled", "click to samples laid out"),
        ("moved", "click until the sound has begun"),
    ):
        print(f"| {told} | {median([one[name] for one in clicks]):.0f} ms | |")
    print(
        f"| messages to the kernel in {PLAYED:g} s, but for sound | {said} | "
        f"{verdict(said, 0)}: none |"
    )


PARTS = {
    "first-paint": first_paint,
    "zoom": zoom,
    "slider": slider,
    "upload": uploads,
    "playback": playback,
}


def main() -> None:
    """Measure and print a table of each part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="of each measurement (default: 5)")
    parser.add_argument("--quick", action="store_true", help="one round, and no 1 GB")
    parser.add_argument("--only", default=",".join(PARTS), help="some of %(default)s")
    given = parser.parse_args()
    parts = given.only.split(",")
    if unknown := set(parts) - set(PARTS):
        parser.error(f"there is no {unknown.pop()}; known: {', '.join(PARTS)}")
    with screen() as at:
        files = {hours: write_hours(at.folder, hours) for hours in (1, 3)}
        for number, part in enumerate(parts):
            if number:
                print()
            PARTS[part](at, 1 if given.quick else given.rounds, files)


if __name__ == "__main__":
    main()
