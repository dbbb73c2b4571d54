"""The upload panel without a browser: what it is asked, what it tells, what it holds."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import zlib
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pages
import pytest
from soundfiles import encode, speechlike, tone

import nbasr
from nbasr import settings
from nbasr.errors import AudioError, OptionError
from nbasr.widgets.upload import UploadPanel

DONE = ("ready", "same", "problem")


class Page(pages.Page):
    """A page that sends files as the browser does."""

    @property
    def rows(self) -> dict[str, dict[str, Any]]:
        """All rows as they were told last."""
        return {told["row"]["id"]: told["row"] for told in self.events("row")}

    def begin(
        self, name: str, size: int | None, modified: int = 1, kind: str = "file", row: str = ""
    ) -> dict[str, Any]:
        values = {"name": name, "size": size, "modified": modified, "kind": kind}
        return self.data("begin", **values, row=row, client="c")

    def upload(self, name: str, data: bytes, modified: int = 1) -> dict[str, Any]:
        """Send a file; return its row when that is done."""
        begun = self.begin(name, len(data), modified)
        row = begun["row"]["id"]
        if begun["row"]["state"] == "sending":
            offset = begun["offset"]
            assert begun["crc32"] == zlib.crc32(data[:offset])
            while offset < len(data):
                piece = data[offset : offset + 100_000]
                offset = self.data("slice", piece, row=row, offset=offset)["received"]
            self.data("finish", row=row, size=len(data), crc32=zlib.crc32(data))
        return self.done(row)

    def done(self, row: str) -> dict[str, Any]:
        self.wait(lambda: self.rows.get(row, {}).get("state") in DONE)
        return self.rows[row]


@pytest.fixture
def panel(tmp_path: Path) -> Iterator[UploadPanel]:
    made = UploadPanel(tmp_path / "in")
    yield made
    made.close()


@pytest.fixture
def page(panel: UploadPanel) -> Page:
    return Page(panel)


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    sound = speechlike(3.0)
    return encode(tmp_path_factory.mktemp("talk") / "t.mp3", "libmp3lame", sound).read_bytes()


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return encode(tmp_path_factory.mktemp("other") / "o.flac", "flac", tone(2.0)).read_bytes()


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# -- Files ----------------------------------------------------------------------------------------


def test_files_become_recordings_in_the_order_in_which_they_arrive(
    panel: UploadPanel, page: Page, talk: bytes, other: bytes
) -> None:
    assert (panel.recordings, panel.files, panel.folder.exists()) == ((), (), False)
    first, second = page.upload("talk.mp3", talk), page.upload("other.flac", other)
    assert [first["state"], second["state"]] == ["ready", "ready"]
    assert [recording.name for recording in panel.recordings] == ["talk.mp3", "other.flac"]
    assert panel.files == (panel.folder / "talk.mp3", panel.folder / "other.flac")
    assert panel.files[0].read_bytes() == talk
    facts = second["recording"]
    assert (facts["sample_rate"], facts["channels"], facts["codec"]) == (44100, 2, "flac")
    assert facts["duration"] == pytest.approx(2.0)
    assert len(facts["wave"].split()) == 320
    assert repr(panel) == f"UploadPanel({str(panel.folder)!r}, 2 recordings)"


def test_everybody_who_wants_to_know_is_told(tmp_path: Path, talk: bytes) -> None:
    heard: list[Any] = []
    panel = UploadPanel(tmp_path, on_recording=heard.append)
    panel.observe(lambda change: heard.append(len(change["new"])), "recordings")
    page = Page(panel)
    row = page.upload("talk.mp3", talk)["id"]
    page.wait(lambda: panel.recordings and len(heard) == 2)
    page.data("remove", row=row)
    assert heard == [1, nbasr.Recording.open(tmp_path / "talk.mp3"), 0]
    panel.close()


def test_what_a_callback_raises_is_shown_in_the_panel(tmp_path: Path, talk: bytes) -> None:
    panel = UploadPanel(tmp_path, on_recording=lambda recording: 1 / 0)
    page = Page(panel)
    assert page.upload("talk.mp3", talk)["state"] == "ready"
    page.wait(lambda: page.events("problem"))
    (problem,) = page.events("problem")
    assert problem["error"] == "ZeroDivisionError: division by zero"
    assert "on_recording=lambda" in problem["trace"]
    panel.close()


def test_an_observer_that_raises_keeps_nothing_from_the_callback(
    tmp_path: Path, talk: bytes
) -> None:
    heard: list[Any] = []
    panel = UploadPanel(tmp_path, on_recording=heard.append)
    panel.observe(lambda change: 1 / 0, "recordings")
    page = Page(panel)
    page.upload("talk.mp3", talk)
    page.wait(lambda: heard)
    assert [told["error"] for told in page.events("problem")] == [
        "ZeroDivisionError: division by zero"
    ]
    panel.close()


def test_recordings_in_the_list_hold_nothing_in_memory(
    panel: UploadPanel, page: Page, talk: bytes
) -> None:
    page.upload("talk.mp3", talk)
    light = ("_levels", "_map")
    assert [vars(panel.recordings[0])[name] for name in light] == [None, None]


def test_the_same_content_is_not_taken_twice(panel: UploadPanel, page: Page, talk: bytes) -> None:
    page.upload("talk.mp3", talk)
    again = page.upload("copy.mp3", talk, modified=2)
    assert (again["state"], again["note"]) == ("same", ("upload.same_as", {"name": "talk.mp3"}))
    assert again["name"] == "copy.mp3"
    assert page.upload("talk.mp3", talk, modified=3)["name"] == "talk.mp3", "of no file (2)"
    assert len(panel.recordings) == 1
    assert listed(panel.folder) == ["talk.mp3"]


def test_a_file_of_an_earlier_session_is_used_again(tmp_path: Path, talk: bytes) -> None:
    for _ in range(2):
        panel = UploadPanel(tmp_path)
        row = Page(panel).upload("talk.mp3", talk)
        assert (row["state"], listed(tmp_path)) == ("ready", ["talk.mp3"])
        assert panel.files == (tmp_path / "talk.mp3",)
        panel.close()
    assert row["note"] == ("upload.known", {})


def test_a_recording_whose_file_was_removed_is_brought_back_by_sending_it_again(
    panel: UploadPanel, page: Page, talk: bytes
) -> None:
    first = page.upload("talk.mp3", talk)
    panel.files[0].unlink()
    again = page.upload("copy.mp3", talk, modified=2)
    assert (again["state"], page.rows[first["id"]]["state"]) == ("ready", "gone")
    assert panel.files == (panel.folder / "copy.mp3",)
    assert panel.files[0].read_bytes() == talk


def test_a_folder_that_is_removed_before_the_end_is_told_at_the_row(
    panel: UploadPanel, page: Page, talk: bytes
) -> None:
    row = page.begin("talk.mp3", len(talk))["row"]["id"]
    page.data("slice", talk, row=row, offset=0)
    shutil.rmtree(panel.folder)
    page.data("finish", row=row, size=len(talk), crc32=zlib.crc32(talk))
    done = page.done(row)
    assert done["note"][0] == "upload.gone"
    assert done["again"]
    assert page.upload("talk.mp3", talk)["state"] == "ready"


def test_two_files_of_one_name_are_both_kept(
    panel: UploadPanel, page: Page, talk: bytes, other: bytes
) -> None:
    page.upload("a", talk)
    assert page.upload("a", other, modified=2)["name"] == "a (2)"
    assert listed(panel.folder) == ["a", "a (2)"]


def test_names_cannot_lead_out_of_the_folder(panel: UploadPanel, page: Page, talk: bytes) -> None:
    assert page.upload("../../evil\x00.mp3", talk)["name"] == "evil.mp3"
    assert listed(panel.folder) == ["evil.mp3"]


def test_what_is_no_recording_is_told_and_removed(panel: UploadPanel, page: Page) -> None:
    row = page.upload("notes.wav", b"these are only words " * 50)
    assert row["problem"] == "notes.wav holds text, not sound, whatever its name says."
    assert row["again"] is False
    assert (listed(panel.folder), panel.recordings) == ([], ())


def test_refusals_are_told_at_the_row(
    panel: UploadPanel, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings.current(), "upload_max_mb", 1.0)
    large = page.begin("a.wav", 5_000_000)["row"]
    assert large["problem"].startswith("a.wav is too large: it has 5.0 MB, and upload_max_mb")
    assert large["note"][0] == "upload.too_large"
    assert large["note"][1] == {"name": "a.wav", "size": "5.0 MB", "most": "1.0 MB"}
    empty = page.begin("b.wav", 0)["row"]
    assert (empty["state"], empty["again"]) == ("problem", False)


def test_a_damaged_file_is_told_and_can_be_sent_again(page: Page, talk: bytes) -> None:
    row = page.begin("talk.mp3", len(talk))["row"]["id"]
    page.data("slice", talk, row=row, offset=0)
    page.data("finish", row=row, size=len(talk), crc32=0)
    assert page.done(row)["note"] == ("upload.damaged", {"name": "talk.mp3"})
    assert page.begin("talk.mp3", len(talk), row=row)["offset"] == 0
    page.data("slice", talk, row=row, offset=0)
    page.data("finish", row=row, size=len(talk), crc32=zlib.crc32(talk))
    assert page.done(row)["state"] == "ready"


def test_finishing_twice_is_as_once(panel: UploadPanel, page: Page, talk: bytes) -> None:
    row = page.upload("talk.mp3", talk)["id"]
    page.data("finish", row=row, size=len(talk), crc32=zlib.crc32(talk))
    assert page.rows[row]["state"] == "ready"
    assert len(panel.recordings) == 1


# -- Breaking off and going on --------------------------------------------------------------------


def test_after_a_reload_the_same_file_goes_on_in_its_row(page: Page, talk: bytes) -> None:
    row = page.begin("talk.mp3", len(talk))["row"]["id"]
    page.data("slice", talk[:10_000], row=row, offset=0)
    again = page.begin("talk.mp3", len(talk))
    assert (again["row"]["id"], again["offset"]) == (row, 10_000)
    assert page.upload("talk.mp3", talk)["state"] == "ready"


def test_another_panel_shows_what_was_broken_off_and_goes_on_with_it(
    tmp_path: Path, talk: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nbasr.widgets._arrivals._QUIET", 0.0)
    earlier = UploadPanel(tmp_path)
    page = Page(earlier)
    row = page.begin("talk.mp3", len(talk))["row"]["id"]
    page.data("slice", talk[:10_000], row=row, offset=0)
    later = UploadPanel(tmp_path)
    second = Page(later)
    (found,) = second.data("rows")["rows"]
    assert (found["state"], found["received"], found["size"]) == ("interrupted", 10_000, len(talk))
    done = second.upload("talk.mp3", talk)
    assert (done["id"], done["state"]) == (found["id"], "ready")
    answer = page.ask("slice", talk[10_000:], row=row, offset=10_000)
    assert answer.error == "talk.mp3 is being sent from another page or notebook."
    earlier.close()
    later.close()
    assert listed(tmp_path) == ["talk.mp3"]


def test_what_was_broken_off_can_be_thrown_away(
    tmp_path: Path, talk: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nbasr.widgets._arrivals._QUIET", 0.0)
    earlier = UploadPanel(tmp_path)
    Page(earlier).begin("talk.mp3", len(talk))
    earlier.close()
    later = UploadPanel(tmp_path)
    page = Page(later)
    (found,) = page.data("rows")["rows"]
    page.data("remove", row=found["id"])
    assert (listed(tmp_path), page.data("rows")["rows"]) == ([], [])
    later.close()


def test_a_file_that_was_cancelled_leaves_nothing(panel: UploadPanel, page: Page) -> None:
    row = page.begin("talk.mp3", 1000)["row"]["id"]
    page.data("slice", b"x" * 100, row=row, offset=0)
    page.data("remove", row=row)
    assert (listed(panel.folder), page.data("rows")["rows"]) == ([], [])
    answer = page.ask("slice", b"x" * 100, row=row, offset=100)
    assert answer.error == "Nothing more is expected for that file; choose it again."


def test_another_file_of_the_same_looks_begins_anew(page: Page, talk: bytes) -> None:
    row = page.begin("talk.mp3", len(talk))["row"]["id"]
    page.data("slice", b"?" * 10_000, row=row, offset=0)
    again = page.begin("talk.mp3", len(talk))
    assert again["crc32"] != zlib.crc32(talk[:10_000])
    page.data("restart", row=row)
    assert page.upload("talk.mp3", talk)["state"] == "ready"


def test_what_the_microphone_has_sent_can_be_kept_after_a_crash(
    tmp_path: Path, talk: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nbasr.widgets._arrivals._QUIET", 0.0)
    crashed = UploadPanel(tmp_path)
    page = Page(crashed)
    row = page.begin("Recording 1.mp3", None, 0, "microphone")["row"]["id"]
    page.data("slice", talk[: len(talk) // 2], row=row, offset=0)
    crashed.close()
    later = UploadPanel(tmp_path)
    page = Page(later)
    (found,) = page.data("rows")["rows"]
    assert (found["state"], found["kind"]) == ("interrupted", "microphone")
    page.data("keep", row=found["id"])
    assert page.done(found["id"])["state"] == "ready"
    assert later.recordings[0].duration == pytest.approx(1.5, abs=0.1)
    assert listed(tmp_path) == ["Recording 1.mp3"]
    later.close()


def test_a_recording_that_is_announced_twice_is_one(panel: UploadPanel, page: Page) -> None:
    """The kernel was busy, and the page asked again."""
    begun = [page.begin("Recording 1.webm", None, 0, "microphone") for _ in range(2)]
    assert begun[0]["row"]["id"] == begun[1]["row"]["id"]
    assert page.data("slice", b"x" * 100, row=begun[0]["row"]["id"], offset=0)["received"] == 100
    assert page.begin("Recording 1.webm", None, 0, "microphone")["offset"] == 100
    assert len([name for name in listed(panel.folder) if name.endswith(".part")]) == 1


def test_keeping_twice_is_as_once(
    tmp_path: Path, talk: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = UploadPanel(tmp_path)
    page = Page(panel)
    row = page.begin("Recording 1.mp3", None, 0, "microphone")["row"]["id"]
    page.data("slice", talk, row=row, offset=0)
    for _ in range(2):
        page.data("keep", row=row)
    assert page.done(row)["state"] == "ready"
    states = [told["row"]["state"] for told in page.events("row")]
    assert "problem" not in states
    panel.close()


def test_what_breaks_off_later_is_listed_later(
    panel: UploadPanel, page: Page, talk: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page is loaded anew, and its new panel made, before the old one counts as broken off."""
    earlier = UploadPanel(panel.folder)
    Page(earlier).begin("Recording 1.mp3", None, 0, "microphone")
    assert page.data("rows")["rows"] == []
    earlier.close()
    monkeypatch.setattr("nbasr.widgets._arrivals._QUIET", 0.0)
    for _ in range(2):
        assert [row["state"] for row in page.data("rows")["rows"]] == ["interrupted"]


# -- Addresses and paths --------------------------------------------------------------------------


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    folder = tmp_path / "web"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_address_is_fetched_into_the_folder(
    panel: UploadPanel, page: Page, web: str, tmp_path: Path, talk: bytes
) -> None:
    (tmp_path / "web" / "inter view.mp3").write_bytes(talk)
    (row,) = page.data("add", text=f" {web}/inter%20view.mp3?x=1 ")["rows"]
    done = page.done(row)
    assert (done["state"], done["name"], done["kind"]) == ("ready", "inter view.mp3", "url")
    assert panel.files == (panel.folder / "inter view.mp3",)
    assert done["size"] == len(talk)


def test_an_address_that_fails_can_be_tried_again(
    panel: UploadPanel, page: Page, web: str, tmp_path: Path, talk: bytes
) -> None:
    (row,) = page.data("add", text=f"{web}/talk.mp3")["rows"]
    assert "the server answers 404" in page.done(row)["problem"]
    (tmp_path / "web" / "talk.mp3").write_bytes(talk)
    page.data("retry", row=row)
    page.wait(lambda: page.rows[row]["state"] == "ready")
    assert listed(panel.folder) == ["talk.mp3"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit of file sizes")
def test_an_address_that_fills_the_disk_is_told_as_such_and_leaves_nothing(
    panel: UploadPanel, page: Page, web: str, tmp_path: Path, talk: bytes
) -> None:
    import resource

    (tmp_path / "web" / "talk.mp3").write_bytes(talk)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))
    try:
        (row,) = page.data("add", text=f"{web}/talk.mp3")["rows"]
        assert page.done(row)["note"][0] == "upload.disk_full"
        page.wait(lambda: listed(panel.folder) == [])
        with pytest.raises(AudioError, match=r"no room for the decoded sound of talk\.mp3"):
            nbasr.Recording.open(f"{web}/talk.mp3")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("http://[::1/talk.wav", "the address is not valid"),
        ("https://", "the address is not valid"),
    ],
)
def test_an_address_that_is_none_is_told_at_its_row(page: Page, address: str, told: str) -> None:
    (row,) = page.data("add", text=address)["rows"]
    assert told in page.done(row)["problem"]


def test_other_kinds_of_addresses_are_not_taken_for_paths(page: Page) -> None:
    for kind in ("ftp", "file", "data"):
        assert page.ask("add", text=f"{kind}://somewhere/talk.wav").error == (
            f"Only http and https addresses are fetched, not {kind}; pass a path."
        )


def test_pipes_and_devices_are_not_opened(page: Page, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    for path in (tmp_path / "pipe.wav", "/dev/zero"):
        assert "is not a regular file" in page.ask("add", text=str(path)).error
    assert page.ask("add", text=str(tmp_path / "*.wav")).error.startswith("No file matches")


def test_a_file_that_became_shorter_is_told_when_it_is_to_be_heard(
    page: Page, tmp_path: Path
) -> None:
    path = tmp_path / "own.wav"
    nbasr.Recording.open((speechlike(3.0), 16000)).save(path)
    (row,) = page.data("add", text=str(path))["rows"]
    assert page.done(row)["state"] == "ready"
    path.write_bytes(path.read_bytes()[:60])
    answer = page.ask("listen", row=row)
    assert answer.error == "own.wav was changed since it was opened; open it again."


def test_paths_are_opened_where_they_are(
    panel: UploadPanel, page: Page, tmp_path: Path, talk: bytes, other: bytes
) -> None:
    folder = tmp_path / "calls"
    folder.mkdir()
    (folder / "2.mp3").write_bytes(talk)
    (folder / "10.flac").write_bytes(other)
    (folder / "notes.txt").write_text("none")
    rows = page.data("add", text=str(folder))["rows"]
    assert [page.done(row)["state"] for row in rows] == ["ready", "ready"]
    assert panel.files == (folder / "2.mp3", folder / "10.flac")
    assert not panel.folder.exists()
    panel.add(folder / "*.mp3")
    page.wait(lambda: any(row["state"] == "same" for row in page.rows.values()))
    assert listed(folder) == ["10.flac", "2.mp3", "notes.txt"], "nothing of theirs is removed"


def test_what_leads_nowhere_is_said(panel: UploadPanel, page: Page, tmp_path: Path) -> None:
    answer = page.ask("add", text=str(tmp_path / "no.wav"))
    assert answer.error == f"There is no file 'no.wav' in {tmp_path}."
    assert page.ask("add", text="  ").error == "Type a web address or a path first."
    with pytest.raises(AudioError, match="No file matches"):
        panel.add(tmp_path / "*.wav")


def test_completions_are_offered(page: Page, tmp_path: Path) -> None:
    (tmp_path / "talk.wav").touch()
    found = page.data("complete", text=f"{tmp_path}/ta")
    expected = [f"{tmp_path}/talk.wav"]
    assert found == {"texts": expected, "common": expected[0], "more": False}


# -- The list -------------------------------------------------------------------------------------


def test_a_row_that_is_removed_leaves_the_file(
    panel: UploadPanel, page: Page, talk: bytes, other: bytes
) -> None:
    first = page.upload("talk.mp3", talk)
    page.upload("other.flac", other)
    page.data("remove", row=first["id"])
    assert [recording.name for recording in panel.recordings] == ["other.flac"]
    assert listed(panel.folder) == ["other.flac", "talk.mp3"]


def test_the_first_seconds_can_be_heard(panel: UploadPanel, page: Page, talk: bytes) -> None:
    row = page.upload("talk.mp3", talk)
    (sound,) = page.ask("listen", row=row["id"]).buffers
    samples = np.frombuffer(bytes(sound)[44:], "<i2")
    np.testing.assert_array_equal(samples, panel.recordings[0].samples)


def test_the_saved_notebook_lists_what_arrived_and_stays_small(
    panel: UploadPanel, page: Page, talk: bytes, other: bytes
) -> None:
    assert "No recordings yet." in panel.still()
    page.upload("<b>talk</b>.mp3", talk)
    page.upload("other.flac", other)
    html = panel.still()
    assert "<b>" not in html
    assert "other.flac" in html
    assert "44.1 kHz · 2 channels · flac" in html
    assert len(html) < 10_000
    panel.language = "zh"
    assert "已导入的录音" in panel.still()


def test_a_folder_must_be_one(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OptionError, match="is a file; give UploadPanel a folder"):
        UploadPanel(tmp_path / "file")


def test_the_usual_folder_is_among_the_users_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBASR_HOME", "/somewhere")
    panel = UploadPanel()
    assert panel.folder == Path("/somewhere/uploads")
    panel.close()


def test_the_folder_is_told_as_people_write_it(
    panel: UploadPanel, page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert page.data("rows")["short_folder"] == "in"
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert page.data("rows")["short_folder"] == f"~{os.sep}in"
    monkeypatch.setenv("HOME", "/nowhere")
    assert page.data("rows")["short_folder"] == str(tmp_path / "in")
