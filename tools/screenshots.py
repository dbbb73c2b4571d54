"""Take the pictures of panels that the documentation shows: light, dark, narrow, in Chinese.

    python tools/screenshots.py recording
    python tools/screenshots.py --folder build/look --only dark,narrow recording

It needs Chromium, as the browser tests do.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from browser.harness import (  # noqa: E402
    NO_CHROMIUM,
    JupyterServer,
    Notebook,
    chromium_running,
    find_chromium,
)


def nothing(notebook: Notebook) -> None:
    """Leave the panel as it is first shown."""


def bring_recordings(notebook: Notebook) -> None:
    """Upload three files: two recordings, and one that is none."""
    with tempfile.TemporaryDirectory() as folder:
        for name, start, stop in (("interview 1.wav", 0, 40), ("interview 2.wav", 40, 71)):
            notebook.execute(
                f"import nbasr; _ = nbasr.samples.open('meeting').read({start}, {stop}); "
                f"nbasr.Recording.open((_, 16000)).save({str(Path(folder) / name)!r})"
            )
        (Path(folder) / "notes.wav").write_text("words " * 99)
        panel = notebook.panel()
        files = panel.locator("input[type=file][multiple]")
        files.set_input_files(sorted(map(str, Path(folder).iterdir())))
        panel.locator("[data-state=problem]").wait_for()
        panel.locator("[data-state=ready]").nth(1).wait_for()


def hear_meeting(notebook: Notebook) -> None:
    """Transcribe the meeting on the workbench, and correct its first line."""
    bench = notebook.panel()
    notebook.page.evaluate("document.querySelector('.nbasr-workbench').scrollIntoView()")
    bench.locator(".nb-work-begin").click()
    bench.locator(".nb-work-told .nb-icon").wait_for(timeout=120_000)
    correct_first(notebook)


def correct_first(notebook: Notebook) -> None:
    """Correct the first line of a transcript."""
    panel = notebook.panel()
    panel.locator(".nb-lines-scroll").focus()
    notebook.page.keyboard.press("Control+Home")
    notebook.page.keyboard.press("F2")
    field = panel.locator("textarea.nb-line-edit")
    field.fill("Good morning, everyone, and welcome to our studio meeting.")
    field.press("Enter")
    notebook.page.keyboard.press("Escape")
    panel.get_by_text("Saved").or_(panel.get_by_text("已保存")).first.wait_for()


def look_at_models(notebook: Notebook) -> None:
    """Choose a model of the list."""
    notebook.panel().get_by_text("qwen3-asr-1.7b").first.click(timeout=120_000)
    notebook.settle(2.0)


SMALL = str(ROOT / "tests" / "assets" / "whisper-tiny-meeting")


@dataclass(frozen=True)
class Picture:
    """What one picture shows: the output of the last of these cells."""

    cells: tuple[str, ...]
    act: Callable[[Notebook], None] = nothing
    """What a person does before the picture is taken."""
    with_code: bool = False
    """Show the cell's code above its output."""
    height: int = 900


PICTURES = {
    "recording": Picture(
        ("import nbasr", 'nbasr.samples.open("meeting")'),
        with_code=True,
    ),
    "upload": Picture(("import nbasr", 'nbasr.UploadPanel("recordings")'), bring_recordings),
    "waveform": Picture(("import nbasr", 'nbasr.WaveformPanel(nbasr.samples.open("meeting"))')),
    "tuner": Picture(
        (
            "import nbasr",
            'nbasr.ChunkTuner(nbasr.samples.open("meeting"), '
            "strategy=nbasr.chunking.Optimal(max_seconds=12))",
        ),
        height=1400,
    ),
    "transcript": Picture(
        (
            "import nbasr",
            f'text = nbasr.transcribe(nbasr.samples.open("meeting"), model={SMALL!r}, '
            "timestamps='word', progress=False)",
            "nbasr.TranscriptPanel(text)",
        ),
        correct_first,
    ),
    "models": Picture(
        ("import nbasr", '_ = nbasr.models.load("sphinx")', "nbasr.ModelPanel()"),
        look_at_models,
        height=1000,
    ),
    "workbench": Picture(
        (
            "import nbasr",
            f'bench = nbasr.workbench(nbasr.samples.open("meeting"), model={SMALL!r})\n'
            "bench.plan = nbasr.chunking.Optimal(max_seconds=6).plan(bench.recording)\nbench",
        ),
        hear_meeting,
        height=800,
    ),
}

VARIANTS: dict[str, dict[str, Any]] = {
    "light": {},
    "dark": {"theme": "dark"},
    "narrow": {"width": 900},
    "chinese": {"locale": "zh-CN"},
}


HIDDEN = ".jp-Collapser, .jp-cell-toolbar { visibility: hidden !important; }"
"""What belongs to the notebook around a panel."""


def take(notebook: Notebook, picture: Picture, path: Path) -> None:
    """Run the cells, do what a person does, keep what is then seen."""
    notebook.page.add_style_tag(content=HIDDEN)
    notebook.run()
    notebook.page.mouse.move(0, 0)
    picture.act(notebook)
    notebook.settle()
    seen = notebook.cell(-1) if picture.with_code else notebook.output(-1)
    seen.screenshot(path=path)


def main() -> int:
    """Take them; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"of {', '.join(PICTURES)}; none: all")
    parser.add_argument("--folder", type=Path, default=ROOT / "docs", help="where they go")
    parser.add_argument("--only", default=",".join(VARIANTS), help="some of %(default)s")
    given = parser.parse_args()
    variants = given.only.split(",")
    names = given.names or list(PICTURES)
    if unknown := [*(set(names) - set(PICTURES)), *(set(variants) - set(VARIANTS))]:
        parser.error(f"there is no {unknown[0]}")
    if find_chromium() is None:
        parser.error(NO_CHROMIUM.removeprefix("browser tests skipped: "))
    given.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home = Path(folder) / "home"
        os.environ["NBASR_HOME"] = str(home)  # no settings of who takes them
        server = JupyterServer("lab", Path(folder))
        try:
            with chromium_running() as browser:
                for name in names:
                    picture = PICTURES[name]
                    for variant in variants:
                        path = given.folder / f"{name}-{variant}.png"
                        options = {"height": picture.height, **VARIANTS[variant]}
                        notebook = Notebook(browser, server, picture.cells, **options)
                        take(notebook, picture, path)
                        notebook.close()
                        shutil.rmtree(home, ignore_errors=True)  # no texts of the picture before
                        print(path)
        finally:
            server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
