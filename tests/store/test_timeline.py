"""Hours, incidents and ended runs as the database holds them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pom_cli import store
from pom_cli.alerting.states import advance
from pom_cli.model import ERROR, OPERATIONAL, UNREACHABLE, Condition, Finding, Key, Status, Verdict
from pom_cli.store import alerts, results, runs, timeline
from pom_cli.store.results import Record
from pom_cli.store.tally import HOUR_MS
from pom_cli.times import to_ms

START = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
KEY = Key("shop", "health", "")
HOLDS_MS = 11 * 60_000


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    opened = store.open_(tmp_path / "pom.db")
    yield opened
    opened.close()


def see(db: sqlite3.Connection, minute: float, status: Status = OPERATIONAL, ms: int | None = 40) -> None:
    at = START + timedelta(minutes=minute)
    finding = Finding("", status, "", {"health": Verdict(status, "")}, ms)
    with store.transaction(db):
        known = results.load(db)
        state = advance(known[KEY].state if KEY in known else None, finding, at)
        results.record(db, [Record(KEY, finding, state, HOLDS_MS)], known, at)


def hours(db: sqlite3.Connection, since: float, until: float) -> dict[int, tuple[float, float, int]]:
    """By the hour of the day: known and up minutes, and the number of latencies."""
    begin, end = (START + timedelta(minutes=minute) for minute in (since, until))
    found = timeline.hours(db, results.load(db)[KEY], HOLDS_MS, begin, end)
    first = to_ms(START) // HOUR_MS - 6
    return {
        hour - first: (span.known_ms / 60_000, span.up_ms / 60_000, len(span.latencies)) for hour, span in found.items()
    }


def test_each_hour_has_what_was_known_in_it_and_the_running_one_its_part(db: sqlite3.Connection) -> None:
    for minute in range(0, 130, 5):
        bad = 60 <= minute < 75
        see(db, minute, UNREACHABLE if bad else OPERATIONAL, None if bad else 40)
    assert hours(db, 0, 130) == {6: (60, 60, 12), 7: (60, 45, 9), 8: (10, 10, 2)}
    assert hours(db, 65, 130) == {7: (60, 45, 9), 8: (10, 10, 2)}
    assert hours(db, 125, 130) == {8: (10, 10, 2)}


def test_what_is_known_ends_when_the_newest_look_is_overdue(db: sqlite3.Connection) -> None:
    see(db, 55)
    assert hours(db, 0, 58) == {6: (3, 3, 1)}
    assert hours(db, 0, 300) == {6: (5, 5, 1), 7: (6, 6, 0)}
    assert hours(db, 299, 300) == {}


def test_incidents_that_last_into_the_window_are_in_it_newest_first(db: sqlite3.Connection) -> None:
    def incident(target: str, begun: float, ended: float | None) -> None:
        for minute, status in ((begun, ERROR), (ended, OPERATIONAL)):
            if minute is not None:
                before = alerts.load(db).get((target, "health"))
                condition = Condition(target, "health", status, "")
                alert = alerts.follow(db, before, condition, START + timedelta(minutes=minute))
                assert alert is not None
                alerts.save(db, alert)

    incident("old", 0, 5)
    incident("into", 10, 70)
    incident("open", 20, None)
    incident("new", 80, 90)
    names = dict(db.execute("SELECT id, target FROM incidents"))

    def found(limit: int = 100, *unwanted: str) -> list[str]:
        since = START + timedelta(minutes=60)
        numbers = timeline.incidents(db, since, lambda target, _: target not in unwanted, limit)
        return [names[number] for number in numbers]

    assert found() == ["new", "open", "into"]
    assert found(2) == ["new", "open"]
    assert found(2, "new") == ["open", "into"]


def test_runs_that_have_ended_in_the_order_of_their_ends(db: sqlite3.Connection) -> None:
    for command, begun, ended in (("check", 0, 9), ("heartbeat", 5, 6), ("prune", 7, None), ("old", -200, -100)):
        at = START + timedelta(minutes=begun)
        number = runs.begin(db, command, ("health",), at)
        if ended is not None:
            runs.end(db, number, command, ("health",), at, "well", START + timedelta(minutes=ended))
    found = timeline.finished(db, START - timedelta(minutes=60))
    assert [(run.command, run.kinds, run.outcome) for run in found.values()] == [
        ("heartbeat", ("health",), "well"),
        ("check", ("health",), "well"),
    ]


def test_the_series_of_one_target(db: sqlite3.Connection) -> None:
    for names in (("shop", "routes", "/"), ("shop", "health", ""), ("shopping", "health", "")):
        db.execute("INSERT INTO series (target, kind, subject) VALUES (?, ?, ?)", names)
    assert sorted(key.kind for key in timeline.series(db, "shop").values()) == ["health", "routes"]
