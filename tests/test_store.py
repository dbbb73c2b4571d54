"""What outlives a kernel: measurements in one file, and what happens when it cannot be used."""

from __future__ import annotations

import multiprocessing
import sqlite3
import threading
import warnings
from pathlib import Path

import pytest

from nbasr import store
from nbasr.errors import ModelWarning


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NBASR_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(store, "_warned", set())
    return tmp_path / "home"


def test_nothing_is_known_at_first_and_to_ask_makes_no_file(home: Path) -> None:
    assert store.ratio("whisper", "cpu") is None
    assert not home.exists()


def test_a_ratio_is_measured_over_predicted() -> None:
    store.remember_peak("whisper", "cpu", 1000, 800)
    assert store.ratio("whisper", "cpu") == 0.8


def test_one_odd_run_does_not_count() -> None:
    for measured in (900, 1000, 1100, 90_000, 1000):
        store.remember_peak("whisper", "cpu", 1000, measured)
    assert store.ratio("whisper", "cpu") == 1.0


def test_only_the_last_runs_count_and_are_kept(home: Path) -> None:
    for _ in range(30):
        store.remember_peak("whisper", "cpu", 1000, 5000)
    for _ in range(store.KEPT):
        store.remember_peak("whisper", "cpu", 1000, 700)
    assert store.ratio("whisper", "cpu") == 0.7
    base = sqlite3.connect(home / "nbasr.sqlite")
    (rows,) = base.execute("SELECT count(*) FROM peaks").fetchone()
    base.close()
    assert rows == store.KEPT


def test_models_and_devices_are_kept_apart() -> None:
    store.remember_peak("whisper", "cpu", 1000, 500)
    store.remember_peak("whisper", "cuda: H100", 1000, 900)
    store.remember_peak("qwen", "cpu", 1000, 1500)
    assert store.ratio("whisper", "cpu") == 0.5
    assert store.ratio("whisper", "cuda: H100") == 0.9
    assert store.ratio("qwen", "cpu") == 1.5
    assert store.ratio("qwen", "cuda: H100") is None


@pytest.mark.parametrize(("predicted", "measured"), [(0, 10), (10, 0), (-5, 10), (10, -5)])
def test_a_pair_that_tells_nothing_is_not_kept(predicted: int, measured: int) -> None:
    store.remember_peak("whisper", "cpu", predicted, measured)
    assert store.ratio("whisper", "cpu") is None


def test_threads_lose_nothing(home: Path) -> None:
    barrier = threading.Barrier(8)

    def work(n: int) -> None:
        barrier.wait()
        store.remember_peak(f"model {n}", "cpu", 100, 100 + n)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [store.ratio(f"model {n}", "cpu") for n in range(8)] == [1 + n / 100 for n in range(8)]


def _remember(n: int) -> None:
    for _ in range(5):
        store.remember_peak(f"model {n}", "cpu", 100, 100 + n)


def test_processes_lose_nothing(home: Path) -> None:
    context = multiprocessing.get_context("spawn")
    started = [context.Process(target=_remember, args=(n,)) for n in range(3)]
    for process in started:
        process.start()
    for process in started:
        process.join()
    assert [process.exitcode for process in started] == [0, 0, 0]
    assert [store.ratio(f"model {n}", "cpu") for n in range(3)] == [1.0, 1.01, 1.02]


def test_readers_do_not_wait_for_a_writer(home: Path) -> None:
    store.remember_peak("whisper", "cpu", 1000, 800)
    writer = sqlite3.connect(home / "nbasr.sqlite", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    assert store.ratio("whisper", "cpu") == 0.8
    writer.close()


def test_a_locked_file_is_told_once_and_stops_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.remember_peak("whisper", "cpu", 1000, 800)
    monkeypatch.setattr(store, "LONGEST_WAIT", 0.0)
    writer = sqlite3.connect(home / "nbasr.sqlite", isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    with pytest.warns(ModelWarning, match="locked"):
        store.remember_peak("whisper", "cpu", 1000, 800)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        store.remember_peak("whisper", "cpu", 1000, 800)
    writer.close()
    store.remember_peak("whisper", "cpu", 1000, 600)
    assert store.ratio("whisper", "cpu") == 0.7  # 800 and 600: the refused ones are not there


def test_a_file_that_is_no_database_is_told_and_left_as_it_is(home: Path) -> None:
    home.mkdir()
    (home / "nbasr.sqlite").write_bytes(b"this is not SQLite, " * 100)
    with pytest.warns(ModelWarning, match=r"nbasr\.sqlite cannot be used.*remove the file"):
        assert store.ratio("whisper", "cpu") is None
    assert (home / "nbasr.sqlite").read_bytes().startswith(b"this is not SQLite")


def test_a_folder_that_cannot_be_made_is_told(home: Path) -> None:
    home.write_text("a file stands where the folder should be")
    with pytest.warns(ModelWarning, match="NBASR_HOME"):
        store.remember_peak("whisper", "cpu", 1000, 800)
    assert store.ratio("whisper", "cpu") is None


def test_a_file_of_a_later_version_is_left_alone(home: Path) -> None:
    home.mkdir()
    base = sqlite3.connect(home / "nbasr.sqlite")
    base.execute("CREATE TABLE later (what TEXT)")
    base.execute(f"PRAGMA user_version = {store.SCHEMA + 1}")
    base.commit()
    with pytest.warns(ModelWarning, match="version"):
        store.remember_peak("whisper", "cpu", 1000, 800)
    tables = base.execute("SELECT name FROM sqlite_master").fetchall()
    base.close()
    assert tables == [("later",)]


def test_a_file_of_the_first_version_gets_what_it_lacks_and_keeps_what_it_has(home: Path) -> None:
    home.mkdir()
    base = sqlite3.connect(home / "nbasr.sqlite")
    base.execute(store._TABLES[0])
    row = "INSERT INTO peaks (model, device, predicted_bytes, measured_bytes, at)"
    base.execute(f"{row} VALUES ('whisper', 'cpu', 1000, 800, 0)")
    base.execute("PRAGMA user_version = 1")
    base.commit()
    base.close()
    store.remember_speed("whisper", "cpu", 60, 5)
    assert store.ratio("whisper", "cpu") == 0.8
    assert store.speed("whisper", "cpu") == (12.0, 1)


def test_a_speed_is_the_median_of_the_last_runs(home: Path) -> None:
    assert store.speed("whisper", "cpu") is None
    assert not home.exists()  # to ask makes no file
    for _ in range(30):
        store.remember_speed("whisper", "cpu", 600, 1)
    for seconds in (*[10.0] * (store.KEPT - 1), 1000.0):
        store.remember_speed("whisper", "cpu", 100, seconds)
    assert store.speed("whisper", "cpu") == (10.0, store.KEPT)
    assert store.speed("whisper", "cuda: H100") is None


def test_single_chunks_that_were_tried_say_less_of_a_speed_than_a_whole_recording() -> None:
    store.remember_speed("whisper", "cpu", 3600, 360)
    for _ in range(9):
        store.remember_speed("whisper", "cpu", 6, 3)
    assert store.speed("whisper", "cpu") == (10.0, 10)


def test_a_run_of_no_time_is_not_kept() -> None:
    for audio, took in ((0.0, 1.0), (1.0, 0.0), (-1.0, -1.0)):
        store.remember_speed("whisper", "cpu", audio, took)
    assert store.speed("whisper", "cpu") is None


def test_without_nbasr_home_it_lies_in_the_users_data_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import platformdirs

    monkeypatch.delenv("NBASR_HOME")
    wanted = Path(platformdirs.user_data_dir("nbasr", appauthor=False)) / "nbasr.sqlite"
    assert store.path() == wanted
