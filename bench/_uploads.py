"""Uploads of `bench.panels`: how fast they are, and how much memory they take."""

from __future__ import annotations

from pathlib import Path

from bench._browser import MEGABYTE, Memory, Page, Screen, median, verdict, write_hours

SPEED_LIMIT = 25.0
"""Least MB/s over loopback."""

MEMORY_LIMIT = 64.0
"""Most MB by which kernel or server may grow for 1 GB."""

LONG_HOURS = 9
"""Of the file of 1 GB."""

FILE_UPLOAD_MB = 9.0
"""The largest file that ipywidgets' `FileUpload` takes: a message has 10 MiB at most."""
TOO_MUCH_MB = 12.0
SILENT = 15.0
"""Seconds after which a file that has not arrived is taken for lost."""

PANEL = "panel = nbasr.UploadPanel({folder!r})\npanel"
PEER = """\
import zlib
upload, label = ipywidgets.FileUpload(), ipywidgets.Label("nothing")

def arrived(change):
    content = change["new"][0]["content"]
    label.value = f"{len(content)} {zlib.crc32(content)}"  # it is checked, as the panel does

upload.observe(arrived, "value")
ipywidgets.VBox([upload, label])
"""


def bring(page: Page, cell: int, path: Path, patience: float = 300.0) -> dict[str, float] | None:
    """Choose a file; return seconds from the choice until each state of it, None if it is lost."""
    page.meter("await", cell)
    page.notebook.page.choose_file(f"window.nbasrMeter.input({cell})", path)
    found: dict[str, float] | None = page.meter("arrived", cell, patience)
    if found and "problem" in found:
        raise SystemExit(f"{path.name} did not arrive.")
    return found


def uploads(at: Screen, rounds: int, files: dict[int, Path]) -> None:
    """Print the speed of uploads, and what they take of memory."""
    del files
    hour = write_hours(at.folder, 1, mark=1)
    size = hour.stat().st_size / MEGABYTE
    small, large = at.folder / "small.bin", at.folder / "large.bin"
    for path, megabytes in ((small, FILE_UPLOAD_MB), (large, TOO_MUCH_MB)):
        path.write_bytes(hour.read_bytes()[: round(megabytes * MEGABYTE)])
    own, peer, opened = [], [], []
    with at.notebook("import ipywidgets, nbasr", panel(at, "hours"), PEER) as page:
        page.show(1, "upload")
        for number in range(rounds):
            page.clean(2)
            page.show(1, "upload")
            page.show(2, "upload")
            peer.append(FILE_UPLOAD_MB / bring(page, 2, small)["ready"])
            found = bring(page, 1, write_hours(at.folder, 1, mark=number))
            own.append(size / found["opening"])
            opened.append(found["ready"] - found["opening"])
    print("| upload over loopback | speed | |\n|---|---:|---|")
    last = "reached" if median(own) >= SPEED_LIMIT else "MISSED"
    print(
        f"| `UploadPanel`, {size:.0f} MB, checked and in its place | {median(own):.0f} MB/s | "
        f"{last}: at least {SPEED_LIMIT:g} MB/s |"
    )
    print(f"| … and then opened as a recording | {median(opened):.2f} s more | |")
    print(f"| `FileUpload`, {FILE_UPLOAD_MB:g} MB, in memory | {median(peer):.0f} MB/s | |")
    with at.notebook("import ipywidgets, nbasr", PEER) as page:
        page.show(1, "upload")
        lost = bring(page, 1, large, SILENT) is None
    told = f"nothing arrives, and nothing is said ({SILENT:g} s waited)" if lost else "arrives"
    print(f"| `FileUpload`, {TOO_MUCH_MB:g} MB: over the server's 10 MiB a message | {told} | |")
    if rounds > 1:
        memory(at)


def panel(at: Screen, name: str) -> str:
    return PANEL.format(folder=str(at.folder / name))


def memory(at: Screen) -> None:
    """Upload 1 GB and print by how much kernel and server grow."""
    path = write_hours(at.folder, LONG_HOURS)
    size = path.stat().st_size / MEGABYTE
    warm = write_hours(at.folder, 1, mark=100)
    with at.notebook("import nbasr", panel(at, "long")) as page:
        page.show(1, "upload")
        bring(page, 1, warm)  # what is imported with the first file is not its memory
        watch = Memory(page.notebook)
        with watch.watched():
            found = bring(page, 1, path)
    path.unlink()
    print(
        f"| `UploadPanel`, {size:.0f} MB | {size / found['opening']:.0f} MB/s, opened in "
        f"{found['ready'] - found['opening']:.1f} s more | |"
    )
    for name in ("kernel", "server"):
        grown = watch.growth(name, found["opening"]) / MEGABYTE
        print(
            f"| … growth of the {name} | {grown:.0f} MB | "
            f"{verdict(grown, MEMORY_LIMIT)}: at most {MEMORY_LIMIT:g} MB |"
        )
    print(f"| … of the kernel, opened as well | {watch.growth('kernel') / MEGABYTE:.0f} MB | |")
