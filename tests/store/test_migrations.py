"""A file of an earlier release: it can be read before it is migrated, and keeps what it holds when it is."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pom_cli import store
from pom_cli.model import ERROR, OPERATIONAL, Notice
from pom_cli.store import alerts, days, handover, migrations, reading
from pom_cli.store.days import Totals

AT = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
VIEW = "astra: unreachable too (40 s ago)"


def notice(number: int) -> Notice:
    return Notice(f"n{number}", "shop", "health", "new", OPERATIONAL, ERROR, AT, AT, "500", facts={"views": [VIEW]})


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """As schema 1 had it: one incident with one notice."""
    path = tmp_path / "pom.db"
    db = sqlite3.connect(path, isolation_level=None)
    for statement in migrations._FIRST.split(";"):
        db.execute(statement)
    db.execute("INSERT INTO incidents VALUES (1, 'shop', 'health', 0, NULL, 2, '500')")
    db.execute("INSERT INTO notices VALUES ('n0', 0, NULL, 1, 'shop', 'health', 'new', 0, 2, 0, '[]', '500')")
    db.execute("CREATE TABLE _sqlite_migrations (migration_set TEXT, name TEXT, applied_at TEXT)")
    db.execute("INSERT INTO _sqlite_migrations VALUES ('pom', 'first', '2026-11-01')")
    db.execute("PRAGMA user_version=1")
    db.close()
    return path


def views(db: sqlite3.Connection) -> list[tuple[str, ...]]:
    return [told.views for one in reading.incidents(db, AT) for told in one.told]


def test_it_is_read_before_it_is_migrated(old: Path) -> None:
    with store.reader(old) as db:
        assert db is not None and views(db) == [()]


def test_it_keeps_what_it_holds_and_takes_how_the_peers_saw_it(old: Path) -> None:
    db = store.open_(old)
    try:
        assert db.execute("PRAGMA user_version").fetchone() == (store.VERSION,)
        alerts.add_notice(db, notice(1), None, 1)
        assert views(db) == [(), (VIEW,)]
    finally:
        db.close()


def test_the_release_before_can_still_write_to_it(old: Path) -> None:
    db = store.open_(old)
    try:
        names = "id, at, message, incident, target, alert, reason, before, now, since, subjects, summary"
        db.execute(
            f"INSERT INTO notices ({names}) VALUES ('n1', 0, NULL, 1, 'shop', 'health', 'new', 0, 2, 0, '[]', '')"
        )
        assert views(db) == [(), ()]
    finally:
        db.close()


def test_the_days_begin_with_what_the_hours_know(old: Path) -> None:
    db = sqlite3.connect(old, isolation_level=None)
    hour = 3_600_000
    for number, up in ((23, hour), (24, hour), (25, hour // 2)):
        db.execute("INSERT INTO hours VALUES (7, ?, ?, ?, NULL, 0, 0)", (number, hour, up))
    names = "series, status, since, checked_at, summary, detail, verdicts, answered, drifting, hour, known_ms, up_ms"
    db.execute(f"INSERT INTO states ({names}) VALUES (7, 0, 0, 0, '', '{{}}', '{{}}', 1, 0, 26, 1000, 1000)")
    db.close()
    db = store.open_(old)
    try:
        assert days.load(db, 0, {7: []}) == {
            7: {0: Totals(hour, hour), 1: Totals(2 * hour + 1000, 3 * hour // 2 + 1000)}
        }
    finally:
        db.close()


def test_a_spare_is_filled_from_a_file_that_is_not_migrated(old: Path, tmp_path: Path) -> None:
    db = store.open_(tmp_path / "spare.db")
    try:
        handover.seed(db, old)
        assert db.execute("SELECT summary FROM incidents").fetchall() == [("500",)]
    finally:
        db.close()
