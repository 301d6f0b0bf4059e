"""Which runs are shown as dead, until when, and which looks are suspected of it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pom_cli import store
from pom_cli.store import crashes, progress, runs
from pom_cli.store.progress import Look, Progress
from pom_cli.times import local

NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
SHOP, BLOG = ("shop", "health"), ("blog", "routes")


def ago(**span: int) -> datetime:
    return NOW - timedelta(**span)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    opened = store.open_(tmp_path / "pom.db")
    yield opened
    opened.close()


def die(
    db: sqlite3.Connection,
    folder: Path,
    at: datetime,
    *looks: Look,
    ended: tuple[Look, ...] = (),
    kinds: str = "health",
) -> None:
    """A run that dies while these looks are under way, and that the next one finds."""
    number = runs.begin(db, "check", kinds.split(), at)
    file = progress.start(folder / progress.FOLDER, number)
    for look in (*looks, *ended):
        file.begin(look)
    for look in ended:
        file.end(look)
    file.close(ended=False)
    bury(db, folder)


def bury(db: sqlite3.Connection, folder: Path) -> list[str]:
    said, settled = crashes.bury(db, progress.found(folder / progress.FOLDER))
    progress.remove(folder / progress.FOLDER, settled)
    return said


def end(db: sqlite3.Connection, at: datetime, kinds: str, command: str = "check") -> None:
    runs.end(db, runs.begin(db, command, kinds.split(), at), command, kinds.split(), at, "done", at)


class TestLines:
    def test_the_run_its_kinds_and_what_it_was_checking(self, db: sqlite3.Connection, tmp_path: Path) -> None:
        die(db, tmp_path, ago(minutes=5), SHOP, BLOG, kinds="health routes")
        when = local(ago(minutes=5))
        assert crashes.lines(db, tmp_path, NOW) == [
            f"the run of {when} (check health routes) never ended: "
            "killed or crashed while checking blog routes, shop health"
        ]

    def test_many_looks_are_counted(self, db: sqlite3.Connection, tmp_path: Path) -> None:
        die(db, tmp_path, ago(minutes=5), *[(f"t{number}", "health") for number in range(9)])
        (line,) = crashes.lines(db, tmp_path, NOW)
        assert line.endswith("while checking t0 health, t1 health, t2 health and 6 more")

    def test_it_is_read_before_any_run_has_noted_it(self, db: sqlite3.Connection, tmp_path: Path) -> None:
        number = runs.begin(db, "check", ("health",), ago(minutes=5))
        file = progress.start(tmp_path / progress.FOLDER, number)
        file.begin(SHOP)
        assert crashes.lines(db, tmp_path, NOW) == [], "its process lives"
        assert bury(db, tmp_path) == []
        file.close(ended=False)
        (line,) = crashes.lines(db, tmp_path, NOW)
        assert line.endswith("while checking shop health")
        assert bury(db, tmp_path) == [line]
        assert bury(db, tmp_path) == [], "each is new once"
        assert crashes.lines(db, tmp_path, NOW) == [line]

    @pytest.mark.parametrize(
        ("kinds", "later", "shown"),
        [
            ("health", [("health", "check")], False),
            ("health routes", [("health", "check")], True),
            ("health routes", [("health", "check"), ("routes dns", "check")], False),
            ("tests", [("tests", "test")], False),
            ("health", [("", "heartbeat")], True),
            ("", [("health", "check")], False),
            ("", [("", "heartbeat")], True),
        ],
    )
    def test_later_runs_of_all_its_kinds_make_it_good(
        self, db: sqlite3.Connection, tmp_path: Path, kinds: str, later: list[tuple[str, str]], shown: bool
    ) -> None:
        end(db, ago(minutes=10), kinds)
        die(db, tmp_path, ago(minutes=5), SHOP, kinds=kinds)
        for other, command in later:
            end(db, ago(minutes=1), other, command)
        assert bool(crashes.lines(db, tmp_path, NOW)) is shown

    def test_it_is_forgotten_after_a_day_and_one_of_the_future_is_not_shown(
        self, db: sqlite3.Connection, tmp_path: Path
    ) -> None:
        die(db, tmp_path, ago(days=1, minutes=1), SHOP)
        die(db, tmp_path, NOW + timedelta(days=400), SHOP)
        assert crashes.lines(db, tmp_path, NOW) == []

    def test_without_a_file_a_run_is_dead_when_none_takes_so_long(self, db: sqlite3.Connection, tmp_path: Path) -> None:
        runs.begin(db, "check", ("health",), ago(minutes=59))
        assert crashes.lines(db, tmp_path, NOW) == []
        (line,) = crashes.lines(db, tmp_path, NOW + timedelta(minutes=2))
        assert line.endswith("never ended: killed or crashed")


class TestSuspects:
    def test_it_takes_two_deaths_in_a_row(self, db: sqlite3.Connection, tmp_path: Path) -> None:
        die(db, tmp_path, ago(minutes=9), SHOP, BLOG)
        assert crashes.deadly(db) == frozenset()
        die(db, tmp_path, ago(minutes=5), SHOP, ended=(BLOG,))
        assert crashes.deadly(db) == {SHOP}, "the other one ended, and had no part in it"

    def test_one_that_lived_in_between_begins_anew(self, db: sqlite3.Connection, tmp_path: Path) -> None:
        die(db, tmp_path, ago(minutes=9), SHOP)
        crashes.acquit(db, [SHOP])
        die(db, tmp_path, ago(minutes=5), SHOP)
        assert crashes.deadly(db) == frozenset()


class TestProgress:
    def test_a_run_that_ended_leaves_no_file(self, tmp_path: Path) -> None:
        file = progress.start(tmp_path / "running", 7)
        file.close(ended=True)
        assert list((tmp_path / "running").iterdir()) == []

    def test_where_no_file_can_be_made_nothing_is_noted(self, tmp_path: Path) -> None:
        (tmp_path / "running").write_text("not a folder")
        file = progress.start(tmp_path / "running", 7)
        file.begin(SHOP)
        file.close(ended=True)
        assert progress.found(tmp_path / "running") == {}

    def test_a_look_that_ends_after_its_run_writes_into_no_other_file(self, tmp_path: Path) -> None:
        file = progress.start(tmp_path / "running", 7)
        file.begin(SHOP)
        assert file.file is not None
        number = file.file.fileno()
        file.close(ended=True)
        with (tmp_path / "other").open("wb") as other:
            assert other.fileno() == number
            file.end(SHOP)
        assert (tmp_path / "other").read_bytes() == b""

    def test_what_is_no_file_of_a_run_leads_nobody_astray(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "1")
        (tmp_path / "2").symlink_to("/etc/passwd")
        for name in ("notes.txt", "9" * 30):
            (tmp_path / name).write_text("x")
        (tmp_path / "3").write_bytes(b"+shop health\n\xff\xfe\n\n-\n")
        found = progress.found(tmp_path)
        assert set(found) == {1, 2, 3}
        assert found[2] is None
        assert found[3] is not None and SHOP in found[3].under_way

    def test_the_same_look_may_be_made_twice_in_a_run(self, tmp_path: Path) -> None:
        file: Progress = progress.start(tmp_path / "running", 7)
        file.begin(SHOP)
        file.end(SHOP)
        file.begin(SHOP)
        file.close(ended=False)
        trace = progress.found(tmp_path / "running")[7]
        assert trace is not None and trace.under_way == (SHOP,) and trace.ended == frozenset()
