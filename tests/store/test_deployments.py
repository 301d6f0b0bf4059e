"""Deployments: the newest of each target, the one before an outage, those of peers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from pom_cli.store import deployments, migrations
from pom_cli.store.deployments import MOST, Deployment

NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with migrations.nothing() as found:
        yield found


def made(number: str, ago: timedelta, target: str = "shop", **more: str) -> Deployment:
    return Deployment(number, target, NOW - ago, **more)


def test_the_newest_of_each_target_is_found_and_one_of_the_future_is_none(db: sqlite3.Connection) -> None:
    ones = [made("a", 3 * HOUR), made("b", HOUR, rev="1.8.2"), made("c", 2 * HOUR, "blog"), made("d", -HOUR)]
    deployments.merge(db, ones)
    assert deployments.newest(db, NOW) == {"shop": ones[1], "blog": ones[2]}
    assert [one.id for one in deployments.since(db, NOW - 2.5 * HOUR, NOW)] == ["b", "c"]


def test_only_one_of_the_day_before_explains_an_outage(db: sqlite3.Connection) -> None:
    ones = [made("a", 30 * HOUR), made("b", 2 * HOUR), made("c", HOUR, "blog"), made("d", HOUR / 2)]
    assert deployments.before(ones, "shop", NOW - HOUR) == ones[1]
    assert deployments.before(ones[:1], "shop", NOW) is None
    deployments.merge(db, ones[:1])
    assert deployments.recent(db, "shop", NOW) is None
    deployments.merge(db, ones)
    assert deployments.recent(db, "shop", NOW) == ones[3]
    assert deployments.fact(db, "shop", NOW) == {"at": ones[3].at, "rev": "", "by": "", "note": ""}
    assert deployments.fact(db, "gone", NOW) is None


def test_a_known_one_never_changes_and_texts_are_short(db: sqlite3.Connection) -> None:
    first = made("a", HOUR, rev="1")
    deployments.merge(db, [first])
    deployments.merge(db, [made("a", HOUR, rev="2", origin="astra")])
    assert deployments.newest(db, NOW) == {"shop": first}
    deployments.merge(db, [made("b", HOUR, "blog", rev="\x1b[31m" + "r" * 999, who="w" * 99, origin="astra")])
    found = deployments.newest(db, NOW)["blog"]
    assert (len(found.rev), len(found.who), found.rev.isprintable()) == (200, 64, True)


def test_peers_are_told_of_own_ones_alone_and_of_a_bounded_number(db: sqlite3.Connection) -> None:
    deployments.merge(db, [made("a", HOUR), made("b", HOUR, origin="astra"), made("c", 10 * 24 * HOUR)])
    assert [one.id for one in deployments.own(db, NOW)] == ["a"]
    deployments.merge(db, [made(f"x{number:03}", HOUR, origin="oslo") for number in range(MOST + 1)])
    assert len([one for one in deployments.since(db, NOW - 2 * HOUR, NOW) if one.origin == "oslo"]) == MOST
