"""Acks: tied to an incident, taken over from peers, lifted by hand."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pom_cli import store
from pom_cli.model import ERROR, OPERATIONAL, Condition
from pom_cli.store import acks, alerts, migrations
from pom_cli.store.acks import MOST, Ack

AT = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
HEALTH = ("shop", "health")
ADA = Ack(*HEALTH, AT, "ada", "restarting it")


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with migrations.nothing() as found:
        yield found


def health(db: sqlite3.Connection, status: str, at: datetime = AT, target: str = "shop", alert: str = "health") -> None:
    known = alerts.load(db).get((target, alert))
    condition = Condition(target, alert, ERROR if status == "error" else OPERATIONAL, status)
    followed = alerts.follow(db, known, condition, at)
    if followed:
        alerts.save(db, followed)


def test_one_ends_with_the_incident_that_it_was_given_for(db: sqlite3.Connection) -> None:
    health(db, "error")
    assert acks.merge(db, [ADA]) == [ADA]
    assert acks.load(db) == {HEALTH: ADA}
    health(db, "operational", AT + timedelta(minutes=5))
    assert acks.load(db) == {}
    health(db, "error", AT + timedelta(minutes=10))
    assert acks.load(db) == {}, "the next incident is nobody's yet"


def test_what_is_not_open_here_is_not_taken_over(db: sqlite3.Connection) -> None:
    assert acks.merge(db, [ADA]) == []
    health(db, "error")
    health(db, "operational", AT + timedelta(minutes=5))
    assert acks.merge(db, [ADA]) == []


def test_a_peer_that_still_lists_an_ack_does_not_give_it_to_the_next_incident(db: sqlite3.Connection) -> None:
    theirs = Ack(*HEALTH, AT, "ada", origin="astra")
    health(db, "error")
    acks.merge(db, [theirs])
    health(db, "operational", AT + timedelta(minutes=5))
    health(db, "error", AT + timedelta(minutes=10))
    assert acks.merge(db, [theirs]) == []
    assert acks.load(db) == {}


def test_lifted_it_stays_lifted_here_and_at_the_peers(db: sqlite3.Connection) -> None:
    health(db, "error")
    theirs = Ack(*HEALTH, AT, "ada", origin="astra")
    acks.merge(db, [theirs])
    assert acks.listed(db) == []
    acks.end(db, *HEALTH)
    assert acks.load(db) == {}
    (lifted,) = acks.listed(db)
    assert (lifted.at, lifted.lifted) == (AT, True)
    assert acks.merge(db, [theirs]) == []
    assert acks.load(db) == {}
    again = Ack(*HEALTH, AT + timedelta(minutes=1), "bob", origin="astra")
    acks.merge(db, [again])
    assert acks.load(db) == {HEALTH: again}
    acks.merge(db, [Ack(*HEALTH, again.at, "bob", origin="astra", lifted=True)])
    assert acks.load(db) == {}


def test_an_own_one_holds_even_after_one_of_a_clock_that_was_ahead(db: sqlite3.Connection) -> None:
    health(db, "error")
    acks.merge(db, [Ack(*HEALTH, AT + timedelta(days=400), "ada", origin="astra")])
    acks.merge(db, [ADA])
    assert acks.load(db) == {HEALTH: ADA}


def test_a_peer_cannot_ack_its_own_absence(db: sqlite3.Connection) -> None:
    health(db, "error", target="astra", alert="peer-missing")
    assert acks.merge(db, [Ack("astra", "peer-missing", AT, "ada", origin="astra")]) == []
    assert acks.merge(db, [Ack("astra", "peer-missing", AT, "ada", origin="oslo")]) != []


def test_no_more_than_so_many_are_taken_over_and_their_texts_are_short(db: sqlite3.Connection) -> None:
    health(db, "error")
    many = [Ack(f"t{number}", "health", AT, origin="astra") for number in range(MOST)]
    assert acks.merge(db, [*many, ADA]) == []
    acks.merge(db, [Ack(*HEALTH, AT, "a" * 999, "\x1b[31m" + "n" * 9999, "astra")])
    found = acks.load(db)[HEALTH]
    assert len(found.who) == 64
    assert len(found.note) == 200
    assert found.note.isprintable()


def test_a_file_of_the_release_before_has_none(tmp_path: Path) -> None:
    path = tmp_path / "pom.db"
    db = store.open_(path)
    db.execute("DROP TABLE acks")
    assert acks.load(db) == {}
    db.close()
