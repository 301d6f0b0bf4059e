"""Test runs as the database holds them: read back whole, found in the spare too, pruned with the newest kept."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from pom_cli import store
from pom_cli.checks.tests.run import NAMES, TIMED_OUT, kept, new_id
from pom_cli.model import SuiteRun
from pom_cli.store import testruns
from pom_cli.store.prune import prune
from pom_cli.store.spare import Database, spare_path

NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
IDS = count(1)


def ran(days_ago: float, target: str = "shop", **more: Any) -> SuiteRun:
    ended = NOW - timedelta(days=days_ago)
    return SuiteRun(next(IDS), target, ended - timedelta(minutes=1), ended, **{"exit": 0, **more})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "pom.db"


@pytest.fixture
def db(path: Path) -> Iterator[sqlite3.Connection]:
    connection = store.open_(path)
    yield connection
    connection.close()


def read(path: Path, target: str = "shop", **environ: str) -> list[SuiteRun]:
    runs, fault = testruns.read(path, environ, target)
    assert fault == ""
    return sorted(runs, key=lambda run: run.ended_at, reverse=True)


def test_a_run_comes_back_as_it_was(db: sqlite3.Connection, path: Path) -> None:
    run = ran(0, exit=1, passed=40, failed=2, failing=("a › b", "c"), log="ünï\n" * 5000)
    testruns.add(db, run)
    assert read(path) == [run]
    assert read(path, "blog") == []
    size = db.execute("SELECT length(log) FROM test_runs").fetchone()[0]
    assert size < 1000


def test_without_a_database_there_are_none(path: Path) -> None:
    assert read(path) == []


def test_what_judging_needs_is_read_however_long_the_history(db: sqlite3.Connection, path: Path) -> None:
    oldest = ran(60, exit=None, reason="ssh: no")
    made = [ran(days) for days in (9, 8, 7)]
    tries = [ran(days / 10, exit=None, reason="ssh: no") for days in range(50)]
    for run in (oldest, *made, *tries):
        testruns.add(db, run)
    assert read(path) == [tries[0], *reversed(made), oldest]


def test_what_the_spare_holds_counts_and_is_taken_over_once(path: Path, tmp_path: Path) -> None:
    environ = {"RUNTIME_DIRECTORY": str(tmp_path / "run")}
    (tmp_path / "run").mkdir(mode=0o700)
    first, second = ran(1), ran(0)
    database = Database(path, environ)
    database.write(lambda db: testruns.add(db, first))
    database.close()
    place = spare_path(path, environ, make=True)
    assert place
    spare = store.open_(place)
    testruns.add(spare, second)
    testruns.add(spare, first)
    spare.close()
    assert {run.id for run in read(path, **environ)} == {first.id, second.id}
    Database(path, environ).close()
    assert not place.exists()
    assert read(path, **environ) == [second, first]


def test_one_that_cannot_be_read_leaves_the_other(path: Path, tmp_path: Path) -> None:
    environ = {"RUNTIME_DIRECTORY": str(tmp_path / "run")}
    (tmp_path / "run").mkdir(mode=0o700)
    place = spare_path(path, environ, make=True)
    assert place
    spare = store.open_(place)
    testruns.add(spare, ran(0))
    spare.close()
    path.parent.mkdir()
    path.write_bytes(b"no database" * 1000)
    runs, fault = testruns.read(path, environ, "shop")
    assert len(runs) == 1
    assert fault.startswith(f"{path}: damaged")


def test_prune_keeps_what_tells_how_stale_the_tests_are(db: sqlite3.Connection, path: Path) -> None:
    runs = [ran(days) for days in (90, 80, 70, 60)]
    tries = [ran(days, exit=None, reason="ssh: no") for days in (75, 31, 1)]
    gone = ran(0, target="blog")
    runs[3] = replace(runs[3], exit=TIMED_OUT, reason="timed out after 30 min")  # which made it, too
    for run in (*runs, *tries, gone):
        testruns.add(db, run)
    done = prune(path, NOW, timedelta(days=30), lambda key: key.target == "shop", lambda *_: True, lambda: None)
    left = {number for (number,) in db.execute("SELECT id FROM test_runs")}
    assert left == {runs[2].id, runs[3].id, tries[2].id}
    assert done.rows == 5


def test_names_are_kept_once_printable_in_order_and_not_too_many() -> None:
    assert kept(["b", "a", "b", "\x1b[31m", "", " c\n"]) == ("[31m", "a", "b", "c")
    assert len(kept(str(number) for number in range(5000))) == NAMES


def test_ids_differ() -> None:
    assert len({new_id() for _ in range(100)}) == 100
