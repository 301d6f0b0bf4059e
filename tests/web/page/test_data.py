"""What the status page shows, read from a database that real runs could have written."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import page_demo
import pytest
from page_demo import NOW

from pom_cli import store
from pom_cli.config import Config
from pom_cli.model import DEGRADED, ERROR, OPERATIONAL, UNKNOWN, UNREACHABLE, Condition, Silence, Status
from pom_cli.report import overview
from pom_cli.store import alerts as alert_rows
from pom_cli.store import deployments, migrations, results, silences, timeline
from pom_cli.store.deployments import Deployment
from pom_cli.times import to_ms
from pom_cli.web.page import data as page_data
from pom_cli.web.page import html as page
from pom_cli.web.page.data import Picture, System
from pom_cli.web.page.incidents import MOST_INCIDENTS, Incident, without_echoes

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
DAY_H = 24


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """Thirty days, with two systems in trouble just now. Never written to by a test."""
    return page_demo.build(tmp_path_factory.mktemp("demo"))


@pytest.fixture
def db(demo: Config) -> Iterator[sqlite3.Connection]:
    """The demo's database, for this test alone."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as copy:
        with closing(sqlite3.connect(demo.instance.data_dir / "pom.db")) as whole:
            whole.backup(copy)
        yield copy


def systems(picture: Picture) -> dict[str, System]:
    return {one.name: one for one in picture.systems}


def trouble(
    db: sqlite3.Connection, target: str, alert: str, status: Status, ago: timedelta, lasted: timedelta | None
) -> None:
    """An incident, through the code that follows alerts."""
    for at, now in ((NOW - ago, status), *([(NOW - ago + lasted, OPERATIONAL)] if lasted is not None else [])):
        before = alert_rows.load(db).get((target, alert))
        followed = alert_rows.follow(db, before, Condition(target, alert, now, "a secret summary"), at)
        assert followed
        alert_rows.save(db, followed)


class TestSystems:
    def test_what_is_not_operational_comes_first_then_the_order_of_the_config(
        self, db: sqlite3.Connection, demo: Config
    ) -> None:
        found = page_data.picture(db, demo, NOW)
        assert [(one.name, one.status) for one in found.systems] == [
            ("storefront", UNREACHABLE),
            ("documentation", DEGRADED),
            ("api", OPERATIONAL),
            ("media-cdn", OPERATIONAL),
            ("mail", OPERATIONAL),
        ]

    def test_status_since_and_uptime_are_those_of_the_api(self, db: sqlite3.Connection, demo: Config) -> None:
        told = {one["name"]: one for one in overview.status(db, demo, NOW)["targets"]}
        for name, one in systems(page_data.picture(db, demo, NOW)).items():
            assert one.status == told[name]["status"]
            assert one.since and f"{one.since:%Y-%m-%dT%H:%M:%SZ}" == told[name]["since"]
            assert one.median_ms == told[name]["latency"]["median_ms"]
            windows = told[name]["uptime"].values()
            for (_, uptime), window in zip(one.uptime[:3], windows, strict=bool(one.uptime)):
                assert window["percent"] == pytest.approx(100 * uptime.up_ms / uptime.known_ms, abs=0.001)
                assert window["coverage"] == pytest.approx(uptime.coverage, abs=0.0001)

    def test_each_day_is_the_sum_of_its_hours(self, db: sqlite3.Connection, demo: Config) -> None:
        stored = results.load(db, ("health",))
        series = overview.health_series(demo.targets.values(), stored)
        for name, one in systems(page_data.picture(db, demo, NOW)).items():
            if name not in series:
                assert one.days == ()
                continue
            hours = timeline.hours(db, *series[name], NOW - timedelta(days=31), NOW)
            assert [day.date for day in one.days] == [(NOW - timedelta(days=n)).date() for n in range(89, -1, -1)]
            for day in one.days[-31:]:
                first = to_ms(NOW) // 3_600_000 - NOW.hour - (NOW.date() - day.date).days * DAY_H
                own = [hours[hour] for hour in range(first, first + DAY_H) if hour in hours]
                assert day.uptime.known_ms == pytest.approx(sum(span.known_ms for span in own), abs=2)
                assert day.uptime.up_ms == pytest.approx(sum(span.up_ms for span in own), abs=2)

    def test_the_troubles_of_the_demo_are_seen_on_their_days(self, db: sqlite3.Connection, demo: Config) -> None:
        found = systems(page_data.picture(db, demo, NOW))
        down = {
            one.date.day: round(one.uptime.down_ms / 60_000) for one in found["storefront"].days if one.uptime.down_ms
        }
        assert down == {2: 30, 24: 92}  # minutes, by the day of the month
        cdn = found["media-cdn"].days
        assert [one.uptime.known_ms > 0 for one in cdn] == [False] * 77 + [True] * 13
        assert found["storefront"].days[-1].uptime.length_ms == 7.7 * 3_600_000
        assert found["api"].days[-30].uptime.coverage == 1

    def test_a_target_without_health_is_there_without_uptime(self, db: sqlite3.Connection, demo: Config) -> None:
        mail = systems(page_data.picture(db, demo, NOW))["mail"]
        assert (mail.status, mail.uptime, mail.days, mail.latency, mail.median_ms) == (OPERATIONAL, (), (), (), None)

    def test_latency_has_an_entry_an_hour_and_none_where_nothing_good_was_seen(
        self, db: sqlite3.Connection, demo: Config
    ) -> None:
        found = systems(page_data.picture(db, demo, NOW))
        assert len(found["api"].latency) == 25
        assert None not in found["api"].latency
        assert found["documentation"].latency[-8:] == (None,) * 8

    def test_at_midnight_today_is_an_empty_day(self, db: sqlite3.Connection, demo: Config) -> None:
        midnight = NOW.replace(hour=0, minute=0)
        for moment in (midnight, midnight + timedelta(microseconds=600), midnight - timedelta(microseconds=400)):
            api = systems(page_data.picture(db, demo, moment))["api"]
            assert api.days[-1].date == midnight.date()
            assert api.days[-1].uptime.length_ms <= 1
            page.html(page_data.picture(db, demo, moment))

    def test_what_the_config_no_longer_names_is_not_shown(self, db: sqlite3.Connection, demo: Config) -> None:
        fewer = replace(demo, targets={name: one for name, one in demo.targets.items() if name != "storefront"})
        found = page_data.picture(db, fewer, NOW)
        assert "storefront" not in page.html(found)
        assert {one.target for one in found.incidents} == {"api", "documentation"}

    def test_an_unknown_one_says_what_it_was(self, db: sqlite3.Connection, demo: Config) -> None:
        db.execute("UPDATE states SET status = 4 WHERE series = (SELECT id FROM series WHERE target = 'media-cdn')")
        cdn = systems(page_data.picture(db, demo, NOW))["media-cdn"]
        assert (cdn.status, cdn.last_known) == (UNKNOWN, OPERATIONAL)

    def test_with_an_empty_database_nothing_is_known(self, demo: Config) -> None:
        with migrations.nothing() as empty:
            found = page_data.picture(empty, demo, NOW)
        assert {one.status for one in found.systems} == {UNKNOWN}
        assert (found.bad, found.incidents, found.offline_since) == ((), (), None)
        assert len(found.overdue) == len(demo.targets)
        assert "No system has been checked yet" in page.html(found)

    def test_a_day_keeps_its_totals_when_its_hours_are_gone(self, db: sqlite3.Connection, demo: Config) -> None:
        before = systems(page_data.picture(db, demo, NOW))["documentation"].days
        db.execute("DELETE FROM hours")
        assert systems(page_data.picture(db, demo, NOW))["documentation"].days == before
        assert sum(one.degraded_ms for one in before) > 30 * 3_600_000

    def test_a_silence_of_the_whole_target_is_maintenance_and_one_of_a_kind_is_none(
        self, db: sqlite3.Connection, demo: Config
    ) -> None:
        until = NOW + 2 * HOUR
        silences.merge(db, [Silence("a", "storefront", "", NOW - HOUR, until), Silence("b", "api", "tls", NOW, until)])
        found = systems(page_data.picture(db, demo, NOW))
        assert {name for name, one in found.items() if one.maintenance_until} == {"storefront"}
        assert found["storefront"].maintenance_until == until
        assert [one.name for one in page_data.picture(db, demo, NOW).bad] == ["documentation"]
        silences.merge(db, [Silence("c", "*", "health", NOW - HOUR, until)])
        assert len(page_data.picture(db, demo, NOW).maintained) == len(demo.targets)

    def test_deployments_are_counted_on_their_days(self, db: sqlite3.Connection, demo: Config) -> None:
        ones = [Deployment(str(n), "api", NOW - n * 20 * HOUR) for n in range(3)]
        deployments.merge(db, ones)
        assert [one.deployments for one in systems(page_data.picture(db, demo, NOW))["api"].days[-3:]] == [1, 1, 1]
        assert not any(one.deployments for one in systems(page_data.picture(db, demo, NOW))["storefront"].days)


class TestFreshness:
    def test_checks_that_run_are_not_overdue(self, db: sqlite3.Connection, demo: Config) -> None:
        assert page_data.picture(db, demo, NOW).overdue == ()

    def test_checks_that_stopped_are_overdue(self, db: sqlite3.Connection, demo: Config) -> None:
        found = page_data.picture(db, demo, NOW + 3 * HOUR)
        assert {one.name for one in found.overdue} == set(demo.targets)
        assert {one.seen_at for one in found.overdue} == {NOW - 2 * MINUTE}
        assert "overdue" in page.html(found)

    def test_an_offline_monitor_is_offline_while_its_alert_is_open(self, db: sqlite3.Connection, demo: Config) -> None:
        trouble(db, "", "monitoring-offline", UNREACHABLE, HOUR, None)
        assert page_data.picture(db, demo, NOW).offline_since == NOW - HOUR
        trouble(db, "", "monitoring-offline", UNREACHABLE, HOUR, HOUR)
        assert page_data.picture(db, demo, NOW).offline_since is None


class TestIncidents:
    def test_those_of_the_demo_newest_first_and_each_trouble_once(self, db: sqlite3.Connection, demo: Config) -> None:
        found = page_data.picture(db, demo, NOW)
        assert [(one.target, one.worst, one.ended_at is None) for one in found.incidents] == [
            ("storefront", UNREACHABLE, True),
            ("documentation", DEGRADED, True),
            ("api", ERROR, False),
            ("api", ERROR, False),
            ("documentation", DEGRADED, False),
            ("documentation", UNREACHABLE, False),
            ("api", UNREACHABLE, False),
            ("storefront", ERROR, False),
        ]
        assert not found.more

    def test_what_is_not_about_a_target_is_not_shown(self, db: sqlite3.Connection, demo: Config) -> None:
        before = page_data.picture(db, demo, NOW).incidents
        for alert in ("delivery-failed", "checks-overdue", "config-broken", "monitoring-offline"):
            trouble(db, "", alert, ERROR, 20 * MINUTE, 9 * MINUTE)
        for target, alert in (("astra", "peer-missing"), ("api", "whois-unknown"), ("gone", "health")):
            trouble(db, target, alert, ERROR, 20 * MINUTE, 9 * MINUTE)
        assert page_data.picture(db, demo, NOW).incidents == before

    def test_older_ones_are_gone_unless_they_last(self, db: sqlite3.Connection, demo: Config) -> None:
        db.execute("DELETE FROM incidents")
        db.execute("DELETE FROM alerts")
        trouble(db, "api", "route", DEGRADED, timedelta(days=50), None)
        trouble(db, "api", "health", ERROR, timedelta(days=40), HOUR)
        trouble(db, "media-cdn", "health", ERROR, timedelta(days=31), timedelta(days=2))
        assert [(one.target, one.worst) for one in page_data.picture(db, demo, NOW).incidents] == [
            ("media-cdn", ERROR),
            ("api", DEGRADED),
        ]

    def test_their_number_is_bounded_but_one_that_lasts_is_always_there(
        self, db: sqlite3.Connection, demo: Config
    ) -> None:
        trouble(db, "media-cdn", "health", DEGRADED, timedelta(days=29), None)
        for number in range(300, 0, -1):
            trouble(db, "api", "health", ERROR, number * 30 * MINUTE, 5 * MINUTE)
        found = page_data.picture(db, demo, NOW)
        assert found.more
        assert len(found.incidents) <= MOST_INCIDENTS + 3
        assert {one.target for one in found.incidents if one.ended_at is None} == {
            "media-cdn",
            "storefront",
            "documentation",
        }

    ECHOES = (
        # kind of the second, begins after the first, lasts, and whether it is still told of; the first: error, 2 h
        (ERROR, 5 * MINUTE, HOUR, False),
        (DEGRADED, HOUR, 65 * MINUTE, False),
        (ERROR, -9 * MINUTE, HOUR, False),
        (ERROR, -11 * MINUTE, HOUR, True),
        (ERROR, HOUR, 80 * MINUTE, True),
        (UNREACHABLE, 5 * MINUTE, HOUR, True),
        (DEGRADED, 5 * MINUTE, None, True),
    )

    @pytest.mark.parametrize(("worst", "after", "lasted", "told"), ECHOES)
    def test_what_lies_within_one_as_bad_is_the_same_trouble(
        self, worst: Status, after: timedelta, lasted: timedelta | None, told: bool
    ) -> None:
        begun = NOW - 9 * HOUR
        first = Incident(1, "api", "The API", "health", ERROR, begun, begun + 2 * HOUR)
        second = Incident(
            2, "api", "The API", "route", worst, begun + after, None if lasted is None else begun + after + lasted
        )
        assert without_echoes([second, first]) == ([second, first] if told else [first])
        other = replace(second, target="shop")
        assert without_echoes([other, first]) == [other, first]
        assert without_echoes([first, replace(first)]) == [first]


class TestNothingElse:
    def test_no_url_host_detail_text_peer_or_recipient_reaches_the_page(
        self, db: sqlite3.Connection, demo: Config
    ) -> None:
        trouble(db, "", "monitoring-offline", UNREACHABLE, HOUR, None)
        trouble(db, "", "delivery-failed", ERROR, HOUR, None)
        for now in (NOW, NOW + 9 * HOUR):
            text = page.html(page_data.picture(db, demo, now))
            assert not [secret for secret in (*page_demo.SECRETS, "secret summary", "delivery") if secret in text]


def test_the_work_is_that_of_the_targets_and_not_of_the_history(
    db: sqlite3.Connection, demo: Config, tmp_path: Path
) -> None:
    def steps(connection: sqlite3.Connection, loaded: Config) -> int:
        count = 0

        def tick() -> int:
            nonlocal count
            count += 1
            return 0

        connection.set_progress_handler(tick, 100)
        page_data.picture(connection, loaded, NOW)
        connection.set_progress_handler(None, 0)
        return count

    short = page_demo.build(tmp_path / "short", days=4)
    with closing(store.open_(short.instance.data_dir / "pom.db")) as young:
        few = steps(young, short)
    # Ten times the results give a little more work: deeper trees, and incidents that there were not before.
    assert steps(db, demo) < 3 * few
