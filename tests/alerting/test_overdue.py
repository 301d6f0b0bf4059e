"""Are the own checks overdue: later than twice the interval plus a minute, and no blame for a night's sleep."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scene import START, Scene

from pom_cli import jobs as looks
from pom_cli import pipeline, store
from pom_cli.alerting import overdue
from pom_cli.alerting.offline import Network
from pom_cli.alerting.overdue import Look
from pom_cli.model import Key
from pom_cli.store import runs
from pom_cli.times import to_ms

MINUTE = timedelta(minutes=1)
FIVE = timedelta(minutes=5)
TOML = '[targets.shop]\nurl = "http://127.0.0.1:1/"\nroutes = { paths = ["/a", "/b"] }\n'


def look(age: timedelta | None, interval: timedelta = FIVE, kind: str = "health", target: str = "shop") -> Look:
    seen = None if age is None else START - age
    return Look(target, kind, interval, seen, seen)


@pytest.mark.parametrize(
    ("interval", "age", "late"),
    [
        (FIVE, timedelta(0), False),
        (FIVE, 11 * MINUTE, False),
        (FIVE, 11 * MINUTE + timedelta(milliseconds=1), True),
        (timedelta(hours=1), 121 * MINUTE, False),
        (timedelta(hours=1), 122 * MINUTE, True),
        (timedelta(seconds=1), 62 * timedelta(seconds=1), False),
        (timedelta(seconds=1), 63 * timedelta(seconds=1), True),
        (FIVE, -timedelta(days=1), False),  # seen in a future that a clock set back has left
    ],
)
def test_overdue_is_twice_the_interval_and_a_minute(interval: timedelta, age: timedelta, late: bool) -> None:
    assert overdue.is_overdue(look(age, interval), START) is late


def test_where_nothing_has_ever_run_everything_is_overdue() -> None:
    assert overdue.is_overdue(Look("shop", "health", FIVE, None, None), START)


def test_the_oldest_subject_counts_and_one_never_seen_counts_from_the_beginning() -> None:
    a, b = Key("shop", "routes", "/a"), Key("shop", "routes", "/b")
    whole = partial(overdue.look, "shop", "routes", FIVE, ("/a", "/b"), begun=START)
    seen = {a: START - 9 * MINUTE, b: START - 2 * MINUTE}
    assert whole(seen=seen) == Look("shop", "routes", FIVE, START - 9 * MINUTE, START - 9 * MINUTE)
    assert whole(seen={a: START - 9 * MINUTE}) == Look("shop", "routes", FIVE, None, START)


def test_a_kind_is_told_by_the_look_that_is_furthest_past_its_limit() -> None:
    looks = [
        look(2 * MINUTE),
        look(12 * MINUTE, target="blog"),
        look(30 * MINUTE, timedelta(hours=1), target="slow"),
        look(20 * MINUTE, timedelta(hours=1), kind="tls"),
        look(None, kind="dns"),
    ]
    assert overdue.summed(looks, START) == {
        "health": {"last_run": "2026-11-24T05:48:00Z", "age_s": 720, "overdue": True},
        "tls": {"last_run": "2026-11-24T05:40:00Z", "age_s": 1200, "overdue": False},
        "dns": {"last_run": None, "age_s": None, "overdue": True},
    }


@given(st.lists(st.tuples(st.integers(-600, 10_000), st.integers(1, 3600)), min_size=1, max_size=8))
def test_a_kind_is_overdue_where_one_target_is(ages: list[tuple[int, int]]) -> None:
    looks = [
        look(timedelta(seconds=age), timedelta(seconds=interval), target=f"t{number}")
        for number, (age, interval) in enumerate(ages)
    ]
    found = overdue.summed(looks, START)["health"]
    assert found["overdue"] == any(age > 2 * interval + 60 for age, interval in ages)
    assert found["age_s"] in {max(0, age) for age, _ in ages}


@pytest.mark.parametrize(
    ("interval", "awake", "judged"),
    [
        (FIVE, None, True),
        (FIVE, timedelta(0), False),
        (FIVE, 9 * MINUTE, False),
        (FIVE, 10 * MINUTE, True),
        (timedelta(hours=1), 10 * MINUTE, True),
        (MINUTE, 2 * MINUTE, True),
        (MINUTE, MINUTE, False),
    ],
)
def test_timers_have_time_to_catch_up_after_this_host_was_asleep(
    interval: timedelta, awake: timedelta | None, judged: bool
) -> None:
    since = None if awake is None else START - awake
    assert overdue.judged(look(timedelta(hours=9), interval), since, START) is judged


def test_a_summary_names_the_worst_look_of_each_kind() -> None:
    late = [look(12 * MINUTE), look(80 * MINUTE, target="blog"), look(timedelta(hours=3), timedelta(hours=1), "tls")]
    assert overdue.summary(late, START) == (
        "health of blog last ran 1 h 20 min ago (limit 11 min); tls of shop last ran 3 h ago (limit 2 h 1 min)"
    )


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    yield Scene(tmp_path, TOML)


@pytest.fixture
def db(scene: Scene) -> Iterator[sqlite3.Connection]:
    opened = store.open_(scene.path)
    yield opened
    opened.close()


def saw(db: sqlite3.Connection, scene: Scene, at: datetime, kinds: tuple[str, ...] = ("health", "routes")) -> None:
    """A run whose looks were given up: what was found does not matter here."""
    from pom_cli.net.pool import Overdue

    jobs = looks.jobs_of(scene.config.targets.values(), kinds)
    with store.transaction(db):
        number = runs.begin(db, "check", kinds, at)
        pipeline.record(db, scene.config, [(job, Overdue(1.0)) for job in jobs], Network(), at)
        runs.end(db, number, "check", kinds, at, "done", at)


def late(db: sqlite3.Connection, scene: Scene, now: datetime) -> list[str]:
    return [kind for kind, run in overdue.runs(db, scene.config, now).items() if run["overdue"]]


def test_a_database_without_any_run_is_overdue_in_all_its_kinds(db: sqlite3.Connection, scene: Scene) -> None:
    assert late(db, scene, START) == ["health", "routes"]


def test_runs_are_known_from_what_was_stored(db: sqlite3.Connection, scene: Scene) -> None:
    saw(db, scene, START)
    assert late(db, scene, START + 11 * MINUTE) == []
    saw(db, scene, START + 5 * MINUTE, ("health",))
    assert late(db, scene, START + 12 * MINUTE) == ["routes"]
    assert overdue.runs(db, scene.config, START + 12 * MINUTE)["health"] == {
        "last_run": "2026-11-24T06:05:00Z",
        "age_s": 420,
        "overdue": False,
    }


def test_a_kind_that_has_never_run_is_counted_from_the_first_run_of_any(db: sqlite3.Connection, scene: Scene) -> None:
    saw(db, scene, START, ("health",))
    assert late(db, scene, START + 11 * MINUTE) == []
    saw(db, scene, START + 10 * MINUTE, ("health",))
    assert late(db, scene, START + 12 * MINUTE) == ["routes"]


def test_a_kind_that_was_just_added_to_the_config_is_not_overdue_at_once(db: sqlite3.Connection, scene: Scene) -> None:
    saw(db, scene, START, ("health",))
    changed = START + timedelta(days=3)
    saw(db, scene, changed, ("health",))
    scene.config.path.write_text(TOML)
    os.utime(scene.config.path, (to_ms(changed) / 1000,) * 2)
    assert late(db, scene, changed + 11 * MINUTE) == []
    assert late(db, scene, changed + 12 * MINUTE) == ["health", "routes"]


def test_tests_too_are_overdue_where_their_timer_is_dead(db: sqlite3.Connection, scene: Scene) -> None:
    scene.configure(TOML + 'tests = { command = "true" }\n')
    saw(db, scene, START, ("health", "routes", "tests"))
    ends = START + timedelta(hours=2, minutes=1)
    saw(db, scene, ends, ("health", "routes"))
    assert late(db, scene, ends) == []
    assert late(db, scene, ends + timedelta(seconds=1)) == ["tests"]
