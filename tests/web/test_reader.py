"""Whatever becomes of the database file: what the API reads of it, and that it says so once."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pom_cli import store
from pom_cli.errors import StoreError
from pom_cli.web import reader
from pom_cli.web.reader import Source, mark, settled


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "pom.db"
    store.open_(made).close()
    return made


def count(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT count(*) FROM series").fetchone()[0])


def add(path: Path, name: str) -> None:
    db = store.connect(path)
    with store.transaction(db):
        db.execute("INSERT INTO series (target, kind, subject) VALUES (?, 'health', '')", (name,))
    db.close()


def source(path: Path) -> tuple[Source, list[str]]:
    complaints: list[str] = []
    return Source(path, complaints.append), complaints


def test_where_there_is_no_database_yet_it_is_an_empty_one(tmp_path: Path) -> None:
    found, complaints = source(tmp_path / "pom.db")
    assert found.read(count) == 0
    assert (complaints, list(tmp_path.glob("pom.db*"))) == ([], [])


def test_an_empty_file_is_no_database_yet(tmp_path: Path) -> None:
    (tmp_path / "pom.db").touch()
    assert source(tmp_path / "pom.db")[0].read(count) == 0


def test_it_cannot_write(path: Path) -> None:
    with pytest.raises(StoreError, match="attempt to write a readonly database"):
        source(path)[0].read(lambda db: db.execute("DELETE FROM series"))


def test_one_reading_sees_one_state(path: Path) -> None:
    def twice(db: sqlite3.Connection) -> tuple[int, int]:
        before = count(db)
        with pytest.raises(sqlite3.OperationalError, match="locked"):  # a commit has to wait for the reading's end
            other = sqlite3.connect(path, timeout=0.05)
            try:
                other.execute("INSERT INTO series (target, kind, subject) VALUES ('late', 'health', '')")
                other.commit()
            finally:
                other.close()
        return before, count(db)

    assert source(path)[0].read(twice) == (0, 0)


def test_a_database_that_was_replaced_deleted_or_damaged_is_read_as_it_is_now(path: Path, tmp_path: Path) -> None:
    found, complaints = source(path)
    assert found.read(count) == 0
    other = tmp_path / "other.db"
    store.open_(other).close()
    add(other, "shop")
    other.replace(path)
    assert found.read(count) == 1
    path.unlink()
    assert found.read(count) == 0
    path.write_bytes(b"not a database at all" * 1000)
    with pytest.raises(StoreError, match="damaged: file is not a database"):
        found.read(count)
    assert len(complaints) == 1


def test_damage_that_only_shows_in_the_values_is_not_taken_for_a_bug_of_ours(path: Path) -> None:
    for number in range(2000):
        db = sqlite3.connect(path)
        db.execute("INSERT INTO series (target, kind, subject) VALUES (?, 'health', '')", (f"target-{number}",))
        db.commit()
        db.close()
        if path.stat().st_size > 200_000 or number > 300:
            break
    data = bytearray(path.read_bytes())
    pages = [at for at in range(4096, len(data), 4096) if b"target-1" in data[at : at + 4096]]
    data[pages[0] + 8 : pages[0] + 200] = b"\xff" * 192
    path.write_bytes(data)

    def stumble(db: sqlite3.Connection) -> None:
        db.execute("SELECT target FROM series").fetchall()
        raise IndexError("a number that stands for nothing")

    with pytest.raises(StoreError, match="damaged"):
        source(path)[0].read(stumble)


def test_a_bug_of_ours_stays_one(path: Path) -> None:
    found, complaints = source(path)
    with pytest.raises(ZeroDivisionError):
        found.read(lambda db: 1 // 0)
    assert complaints == []


def test_a_newer_schema_is_said_to_be_one(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(StoreError, match="made by a newer PoM"):
        source(path)[0].read(count)


def test_a_table_that_is_gone_is_a_fault_of_the_database(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("DROP TABLE series")
    db.close()
    with pytest.raises(StoreError, match="no such table"):
        source(path)[0].read(count)


def test_a_migration_between_two_readings_is_not_noticed(path: Path) -> None:
    found, _ = source(path)
    assert found.read(count) == 0
    db = sqlite3.connect(path)
    db.execute("ALTER TABLE series ADD COLUMN added TEXT")
    db.execute("CREATE TABLE added (id INTEGER)")
    db.execute(f"PRAGMA user_version={store.VERSION + 1}")
    db.close()
    assert found.read(count) == 0


def test_while_another_process_holds_it_nobody_waits_long_and_nobody_in_turn(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "BUSY_MS", 100)
    monkeypatch.setattr(reader, "PAUSE_S", 60.0)
    found, complaints = source(path)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        for _ in range(50):
            with pytest.raises(StoreError, match="database is locked"):
                found.read(count)
    finally:
        holder.execute("ROLLBACK")
        holder.close()
    assert len(complaints) == 1
    found._until = 0.0  # the pause is over
    assert found.read(count) == 0
    assert complaints[1:] == [f"{path}: can be read again"]


def leave_a_hot_journal(path: Path, ready: object) -> None:
    """A writer that is killed in the middle of a transaction which has reached the file already."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA cache_size=1")
    db.execute("BEGIN IMMEDIATE")
    rows = [(f"target-{number}" + "x" * 500,) for number in range(2000)]
    db.executemany("INSERT INTO series (target, kind, subject) VALUES (?, 'health', '')", rows)
    ready.set()  # type: ignore[attr-defined]
    time.sleep(60)


def killed(work: Callable[[Path, object], None], path: Path) -> None:
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    process = context.Process(target=work, args=(path, ready))
    process.start()
    assert ready.wait(30)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join(10)


def test_what_a_crash_left_half_written_is_rolled_back(path: Path) -> None:
    add(path, "shop")
    killed(leave_a_hot_journal, path)
    assert Path(f"{path}-journal").stat().st_size > 0
    assert source(path)[0].read(count) == 1


def test_the_mark_of_a_file_changes_with_each_commit_and_with_the_file(path: Path, tmp_path: Path) -> None:
    marks = [mark(path)]
    assert mark(path) == marks[0]
    for name in ("a", "b"):
        time.sleep(0.02)  # more than a tick of the file system's clock
        add(path, name)
        marks.append(mark(path))
    (tmp_path / "copy").write_bytes(path.read_bytes())
    (tmp_path / "copy").replace(path)
    marks += [mark(path), mark(tmp_path / "nothing")]
    assert len(set(marks)) == len(marks)
    assert settled(marks[0], time.time_ns() + 10**9)
    assert not settled(marks[0], marks[0][2] + 1_000_000)  # type: ignore[operator]
    assert settled(marks[-1], 0)


def test_a_folder_in_the_place_of_the_file_is_a_fault_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "pom.db").mkdir()
    found, complaints = source(tmp_path / "pom.db")
    for _ in range(3):
        with pytest.raises(StoreError, match="unable to open database file"):
            found.read(count)
    assert len(complaints) == 1
