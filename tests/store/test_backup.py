"""Backups: whole, sound and consistent while others write; never over another file, never half a file."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from pom_cli import store
from pom_cli.errors import StoreError, UsageError
from pom_cli.store import backup


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database of several steps, with a pair of counters that every transaction moves together."""
    path = tmp_path / "data" / "pom.db"
    with closing(store.open_(path)) as db:
        db.execute("CREATE TABLE pairs (name TEXT PRIMARY KEY, value INTEGER)")
        db.execute("INSERT INTO pairs VALUES ('left', 0), ('right', 0)")
        db.execute("CREATE TABLE ballast (bytes BLOB)")
        db.execute("INSERT INTO ballast VALUES (zeroblob(9000000))")
    return path


def pairs(path: Path) -> dict[str, int]:
    with closing(sqlite3.connect(path)) as db:
        return dict(db.execute("SELECT name, value FROM pairs"))


def move(db: sqlite3.Connection) -> None:
    with store.transaction(db):
        db.execute("UPDATE pairs SET value = value + 1 WHERE name = 'left'")
        db.execute("UPDATE pairs SET value = value + 1 WHERE name = 'right'")


def nothing() -> None:
    """No pause."""


def test_a_copy_is_whole_sound_private_and_its_size_is_told(database: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    size = backup.copy(database, target, nothing)
    assert size == target.stat().st_size == database.stat().st_size
    assert target.stat().st_mode & 0o777 == 0o600
    assert pairs(target) == {"left": 0, "right": 0}
    with closing(store.open_(target)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert sorted(path.name for path in tmp_path.glob("*copy*")) == ["copy.db"]


def test_a_writer_between_the_steps_is_not_held_up_and_is_in_the_copy(database: Path, tmp_path: Path) -> None:
    with closing(store.connect(database)) as writer:
        writes = iter(range(2))

        def pause() -> None:
            for _ in zip(range(1), writes, strict=False):
                move(writer)

        backup.copy(database, tmp_path / "copy.db", pause)
    assert pairs(tmp_path / "copy.db") == {"left": 2, "right": 2}


def test_writers_that_never_rest_do_not_keep_it_from_ending(database: Path, tmp_path: Path) -> None:
    with closing(store.connect(database)) as writer:
        backup.copy(database, tmp_path / "copy.db", lambda: move(writer))
    copied = pairs(tmp_path / "copy.db")
    assert copied["left"] == copied["right"] > backup.RESTARTS


def test_a_copy_never_holds_half_a_transaction_of_another_process(database: Path, tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from pom_cli import store\n"
        "db = store.open_(Path(sys.argv[1])); print(flush=True)\n"
        "while True:\n"
        "    with store.transaction(db):\n"
        "        db.execute(\"UPDATE pairs SET value = value + 1 WHERE name = 'left'\"); time.sleep(0.002)\n"
        "        db.execute(\"UPDATE pairs SET value = value + 1 WHERE name = 'right'\")\n"
        "    time.sleep(0.004)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(database)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    ) as writer:
        try:
            assert writer.stdout is not None
            writer.stdout.readline()
            for number in range(5):
                backup.copy(database, tmp_path / f"copy-{number}.db", nothing)
                copied = pairs(tmp_path / f"copy-{number}.db")
                assert copied["left"] == copied["right"]
        finally:
            writer.kill()


def test_an_existing_file_is_never_touched(database: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    target.write_bytes(b"last week's")
    with pytest.raises(UsageError, match="already exists"):
        backup.copy(database, target, nothing)
    assert target.read_bytes() == b"last week's"
    with pytest.raises(UsageError, match="already exists"):
        backup.copy(database, database, nothing)
    assert pairs(database) == {"left": 0, "right": 0}


def test_of_two_at_once_to_one_file_one_wins_and_the_file_is_whole(database: Path, tmp_path: Path) -> None:
    target, refused = tmp_path / "copy.db", []

    def one() -> None:
        try:
            backup.copy(database, target, nothing)
        except UsageError as error:
            refused.append(error)

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 1
    assert pairs(target) == {"left": 0, "right": 0}


@pytest.mark.parametrize("where", ["absent/copy.db", "file/copy.db"])
def test_a_place_that_cannot_be_written_is_named(database: Path, tmp_path: Path, where: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be written"):
        backup.copy(database, tmp_path / where, nothing)


def test_no_database_is_told_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no database yet"):
        backup.copy(tmp_path / "pom.db", tmp_path / "copy.db", nothing)
    assert not list(tmp_path.glob("*.db"))


def test_what_is_interrupted_leaves_no_file(database: Path, tmp_path: Path) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backup.copy(database, tmp_path / "copy.db", interrupted)
    assert not list(tmp_path.glob("*copy*"))


def damage(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(20_000))


def test_a_damaged_database_gives_no_copy_that_looks_sound(database: Path, tmp_path: Path) -> None:
    damage(database)
    with pytest.raises(StoreError, match="damaged"):
        backup.copy(database, tmp_path / "copy.db", nothing)
    assert not list(tmp_path.glob("*copy*"))


def test_on_the_command_line(
    database: Path, tmp_path: Path, pom: Callable[..., object], config_file: Callable[[str], Path]
) -> None:
    config = f'[instance]\ndata_dir = "{database.parent}"\n[targets.shop]\nurl = "https://example.com"\n'
    ran = pom("backup", tmp_path / "copy.db", config=config)
    size = database.stat().st_size
    assert ran == type(ran)(  # type: ignore[call-arg]
        0, f"copied {database} to {tmp_path / 'copy.db'} ({size >> 10} KiB, integrity check passed)\n", ""
    )
    ran = pom("backup", tmp_path / "copy.db", config=config)
    assert getattr(ran, "code", None) == 2
    ran = pom("backup", "--json", tmp_path / "second.db", config=config)
    assert f'"bytes": {size}' in getattr(ran, "out", "")
