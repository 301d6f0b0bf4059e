"""Results, incidents and trends in the API's shapes; and what `since` may say."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scene import START, Scene
from web_server import WebServer, answer

from pom_cli import store
from pom_cli.errors import UsageError
from pom_cli.report import history
from pom_cli.report.history import EPOCH, back, begin, since
from pom_cli.report.incidents import mean_times_to_recover
from pom_cli.report.overview import uptime_json
from pom_cli.store.tally import Sums

NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("24h", NOW - timedelta(hours=24)),
        ("1h30m", NOW - timedelta(minutes=90)),
        ("0s", NOW),
        ("2026-11-23T06:00:00Z", NOW - timedelta(days=1)),
        ("2026-11-23t06:00:00z", NOW - timedelta(days=1)),
        ("2026-11-23 06:00:00Z", NOW - timedelta(days=1)),
        ("2026-11-23T07:00:00+01:00", NOW - timedelta(days=1)),
        ("2026-11-23T07:00:00 01:00", NOW - timedelta(days=1)),  # a plus that became a space on its way
        ("2026-11-23T01:00:00-05:00", NOW - timedelta(days=1)),
        ("2026-11-23T05:59:59.5Z", NOW - timedelta(days=1, seconds=0.5)),
        ("2026-11-23T05:59:59.500000123Z", NOW - timedelta(days=1, seconds=0.5)),
        ("2999-01-01T00:00:00Z", datetime(2999, 1, 1, tzinfo=UTC)),
        ("0001-01-01T00:00:00+23:59", EPOCH),
        ("99999999d", EPOCH),
        ("36500d", EPOCH),
    ],
)
def test_since_is_a_duration_or_an_instant(text: str, instant: datetime) -> None:
    assert begin(text, NOW) == instant


@pytest.mark.parametrize(
    "text",
    ["", "soon", "24", "-1h", "1 h", "2026-11-23", "2026-11-23T06:00:00", "2026-11-23T06:00Z", "2026-02-30T06:00:00Z",
     "2026-11-23T25:00:00Z", "20261123T060000Z", "2026-W48-1T06:00:00Z", "2026-11-23T06:00:00+25:00",
     "٢٠٢٦-11-23T06:00:00Z", "nan", "9" * 400 + "d"],
)  # fmt: skip
def test_since_is_nothing_else(text: str) -> None:
    with pytest.raises(ValueError):
        begin(text, NOW)
    with pytest.raises(UsageError, match="is not a duration like"):
        since(text, NOW)


@given(st.text())
def test_no_text_does_worse_than_being_refused(text: str) -> None:
    with suppress(ValueError):
        assert begin(text, NOW) >= EPOCH


def test_since_in_words() -> None:
    assert back("24h") == "in the last 24h"
    assert back("2026-11-23T06:00:00Z") == "since 2026-11-23T06:00:00Z"


@pytest.fixture
def scene(tmp_path: Path, web: WebServer) -> Scene:
    health = "health = { attempts = 1 }"
    return Scene(
        tmp_path,
        f'[offline]\nwitnesses = []\n[targets.shop]\nurl = "{web.url()}"\n{health}\n'
        f'[targets.blog]\nurl = "{web.url("/blog")}"\n{health}\n',
    )


def test_an_outage_from_its_first_notice_to_its_end(scene: Scene, web: WebServer) -> None:
    web.on("/blog", answer(200))
    scene.run()
    web.on("/", answer(503, reason="Service Unavailable"))
    scene.run()
    scene.run("10m")
    web.on("/", answer(200))
    scene.run("20m")
    db = store.open_(scene.path)
    try:
        (found,) = history.incidents(db, scene.config, START, 10, scene.now)
        assert (found["target"], found["alert"], found["worst"], found["duration_s"]) == (
            "shop",
            "health",
            "error",
            1800,
        )
        assert [(one["reason"], one["recipients"]) for one in found["notices"]] == [
            ("new", ["console"]),
            ("recovered", ["console"]),
        ]
        assert mean_times_to_recover([found]) == {"health": timedelta(minutes=30)}
        target = scene.config.targets["shop"]
        rows = list(history.rows(db, target, None, START, 10))
        assert [row["status"] for row in rows] == ["operational", "error", "error", "operational"]
        assert [row["summary"] for row in rows][1].startswith("503")
        (hour,) = history.trends(db, scene.config, target, START, scene.now)
        assert hour["hour"] == "2026-11-24T06:00:00Z"
        # Of the five minutes before, 5 of known 5 + 10 + 11 were up: what was overdue is not known.
        assert hour["uptime"] == {"percent": 19.230769, "coverage": 0.65, "maintenance": 0.0}
        assert list(history.rows(db, target, "tls", START, 10)) == []
        assert history.incidents(db, scene.config, scene.now, 10, scene.now) == [found]
        assert history.incidents(db, scene.config, scene.now + timedelta(seconds=1), 10, scene.now) == []
    finally:
        db.close()


def test_a_second_shows_in_the_uptime_of_a_month() -> None:
    second, month = 1000, timedelta(days=30)
    assert uptime_json(Sums(second, second), month) == {"percent": 100.0, "coverage": 4e-07, "maintenance": 0.0}
    whole = month.total_seconds() * 1000
    assert uptime_json(Sums(whole, whole - second), month) == {
        "percent": 99.999961,
        "coverage": 1.0,
        "maintenance": 0.0,
    }


@pytest.mark.parametrize(
    ("begin", "length", "seconds"), [("0.1s", "0.8s", 0), ("0.9s", "0.2s", 1), ("0.2s", "3.7s", 3)]
)
def test_an_incident_lasted_from_its_shown_start_to_its_shown_end(
    begin: str, length: str, seconds: int, scene: Scene, web: WebServer
) -> None:
    web.on("/", answer(503))
    scene.run(begin)
    web.on("/", answer(200))
    scene.run(length)
    db = store.open_(scene.path)
    try:
        found = next(one for one in history.incidents(db, scene.config, EPOCH, 9, scene.now) if one["target"] == "shop")
    finally:
        db.close()
    start, end = (datetime.fromisoformat(found[key]) for key in ("started_at", "ended_at"))
    assert found["duration_s"] == seconds == (end - start).total_seconds()


def test_trends_have_no_gaps_and_no_more_hours_than_a_year(scene: Scene, web: WebServer) -> None:
    scene.run("1m")
    scene.run("3h")
    db = store.open_(scene.path)
    try:
        target = scene.config.targets["shop"]
        found = history.trends(db, scene.config, target, START - timedelta(days=1), scene.now + timedelta(minutes=1))
        assert [hour["hour"][11:16] for hour in found] == ["06:00", "07:00", "08:00", "09:00"]
        assert [hour["uptime"]["percent"] for hour in found] == [100.0, None, None, 100.0]
        assert [hour["median_ms"] is None for hour in found] == [False, True, True, False]
        later = history.trends(db, scene.config, target, EPOCH, scene.now + timedelta(days=400))
        assert later == []
        assert len(history.trends(db, scene.config, target, EPOCH, scene.now + timedelta(days=365))) <= 24 * 366
    finally:
        db.close()


def test_a_target_without_a_look_has_no_trend(scene: Scene) -> None:
    db = store.open_(scene.folder / "empty.db")
    try:
        assert history.trends(db, scene.config, scene.config.targets["shop"], EPOCH, NOW) == []
        assert list(history.rows(db, scene.config.targets["shop"], None, EPOCH, 10)) == []
        assert history.incidents(db, scene.config, EPOCH, 10, NOW) == []
        assert mean_times_to_recover([]) == {}
    finally:
        db.close()
