"""Results, states and the sums behind uptime, against a slow and plain way of counting."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pom_cli import store
from pom_cli.alerting.states import advance
from pom_cli.model import Finding, Key, Status, Verdict
from pom_cli.store import reading, results, tally
from pom_cli.store.results import Record
from pom_cli.store.tally import Sums

START = datetime(2026, 11, 20, 3, 17, tzinfo=UTC)
KEY = Key("shop", "health", "")
HOLDS_MS = 11 * 60_000


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    opened = store.open_(tmp_path / "pom.db")
    yield opened
    opened.close()


def see(
    db: sqlite3.Connection, at: datetime, status: Status = Status.OPERATIONAL, ms: int | None = 40, **more: object
) -> None:
    finding = Finding("", status, f"it is {status}", {"health": Verdict(status, "")}, latency_ms=ms, **more)
    with store.transaction(db):
        stored = results.load(db, ("health",))
        state = advance(stored[KEY].state if KEY in stored else None, finding, at)
        results.record(db, [Record(KEY, finding, state, HOLDS_MS)], stored, at)


def window(db: sqlite3.Connection, now: datetime, span: timedelta) -> Sums:
    return reading.sums(db, {"shop": (results.load(db)[KEY], HOLDS_MS)}, [span], now)["shop"][0]


def plainly(seen: list[tuple[datetime, Status]], now: datetime, span: timedelta) -> tuple[float, float]:
    """Known and up milliseconds of the window, the slow way: each status from its look to the next."""
    known = up = 0.0
    begin = now - span
    for (at, status), (following, _) in zip(seen, [*seen[1:], (now, Status.UNKNOWN)], strict=True):
        end = min(following, at + timedelta(milliseconds=HOLDS_MS), now)
        length = max(0.0, (end - max(at, begin)) / timedelta(milliseconds=1))
        if status is not Status.UNKNOWN:
            known += length
            up += length if status in (Status.OPERATIONAL, Status.DEGRADED) else 0
    return known, up


STEPS = st.lists(
    st.tuples(st.sampled_from(list(Status)), st.sampled_from([60, 300, 300, 300, 1800, 7200, 50_000])),
    min_size=1,
    max_size=60,
)


@pytest.mark.slow
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(STEPS, st.integers(0, 4000))
def test_uptime_from_the_rollups_is_uptime_counted_plainly(
    tmp_path: Path, steps: list[tuple[Status, int]], rest: int
) -> None:
    db = store.open_(tmp_path / f"{datetime.now(UTC).timestamp()}.db")
    seen, at = [], START
    for status, seconds in steps:
        see(db, at, status)
        seen.append((at, status))
        at += timedelta(seconds=seconds)
    now = seen[-1][0] + timedelta(seconds=rest)
    for span in (timedelta(hours=24), timedelta(days=7), timedelta(days=30)):
        sums = window(db, now, span)
        known, up = plainly(seen, now, span)
        # The hour in which the window begins counts by its share: off by at most that one hour.
        slack = 3_600_000 if now - span > START else 1
        assert abs(sums.known_ms - known) <= slack
        assert abs(sums.up_ms - up) <= slack
        assert 0 <= sums.up_ms <= sums.known_ms
    db.close()


def test_uptime_is_the_same_whatever_lies_before_the_window(db: sqlite3.Connection) -> None:
    see(db, START - timedelta(days=40), Status.UNREACHABLE)
    see(db, START - timedelta(days=3))
    assert window(db, START, timedelta(hours=24)) == Sums()
    assert window(db, START, timedelta(days=7)) == Sums(HOLDS_MS, HOLDS_MS)


def test_two_runs_at_the_same_millisecond_keep_both_their_rows(db: sqlite3.Connection) -> None:
    see(db, START)
    see(db, START, Status.ERROR)
    assert db.execute("SELECT count(*) FROM results").fetchone() == (2,)


def test_a_result_that_comes_late_is_history_and_does_not_move_the_state(db: sqlite3.Connection) -> None:
    see(db, START + timedelta(seconds=5), Status.ERROR)
    see(db, START)
    assert results.load(db)[KEY].state.status is Status.ERROR
    rows = reading.history(db, {results.load(db)[KEY].id: KEY}, START - timedelta(hours=1), 10)
    assert [row.status for row in rows] == [Status.ERROR, Status.OPERATIONAL]


def test_a_summary_is_stored_once(db: sqlite3.Connection) -> None:
    for minute in range(10):
        see(db, START + timedelta(minutes=5 * minute))
    assert db.execute("SELECT count(*) FROM texts").fetchone() == (1,)


def test_the_baseline_is_the_median_of_seven_days_without_the_newest_the_bad_and_the_drifting(
    db: sqlite3.Connection,
) -> None:
    at = START
    see(db, at - timedelta(days=8), ms=9999)
    for ms in (10, 20, 30):
        see(db, at, ms=ms)
        at += timedelta(minutes=30)
    see(db, at, Status.ERROR, ms=5000)
    see(db, at + timedelta(minutes=1), Status.DEGRADED, ms=800, drifting=True)
    for minute in range(results.RECENT):
        see(db, at + timedelta(minutes=2 + minute), ms=777)
    past = results.past(db, results.load(db)[KEY], at + timedelta(minutes=10))
    baseline = past.baseline()
    assert (baseline.median_ms, baseline.samples) == (20, 3)
    assert past.recent_ms == (777,) * results.RECENT


def test_the_last_good_result_is_found_behind_a_long_outage(db: sqlite3.Connection) -> None:
    see(db, START)
    for minute in range(1, 50):
        see(db, START + timedelta(minutes=5 * minute), Status.UNREACHABLE, ms=None)
    series = results.load(db)[KEY].id
    assert results.last_good(db, series, START + timedelta(days=1)) == START
    assert results.last_good(db, series, START) is None


def test_latencies_by_hour_hold_the_running_hour_too(db: sqlite3.Connection) -> None:
    for minute, ms in ((0, 10), (30, 20), (60, 30)):
        see(db, START + timedelta(minutes=minute), ms=ms)
    found = reading.latencies(db, results.load(db)[KEY], START - timedelta(hours=24))
    assert list(found.values()) == [[10, 20], [30]]


HOUR = 3_600_000


@pytest.mark.parametrize(
    ("seen", "quiet", "known", "up", "silenced"),
    [
        ("operational", [], 30, 30, 0),
        ("operational", [(5, 15)], 20, 20, 10),
        ("error", [(5, 15)], 20, 0, 10),
        ("error", [(-5, 50)], 0, 0, 40),
        ("unknown", [(10, 20)], 0, 0, 10),
        ("operational", [(0, 5), (35, 40)], 25, 25, 10),
        ("operational", [(25, 35)], 25, 25, 10),
    ],
)
def test_time_under_maintenance_is_neither_up_nor_down(
    seen: str, quiet: list[tuple[int, int]], known: int, up: int, silenced: int
) -> None:
    spans = tally.held(Status(seen), 0, 40, 30, quiet)
    assert sum(span.known_ms for span in spans) == known
    assert sum(span.up_ms for span in spans) == up
    assert sum(span.quiet_ms for span in spans) == silenced


def test_maintenance_over_the_turn_of_an_hour_counts_in_both() -> None:
    spans = tally.held(Status("error"), 0, 2 * HOUR, 2 * HOUR, [(HOUR - 10, HOUR + 20)])
    assert [(span.hour, span.quiet_ms) for span in spans if span.quiet_ms] == [(0, 10), (1, 20)]
