"""Silences: by hand and by the config's weekly windows, right on both days when the clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scene import START, Scene
from web_server import WebServer, answer

from pom_cli.config import silences
from pom_cli.config.silences import Window, silenced
from pom_cli.errors import ConfigError
from pom_cli.model import Silence
from pom_cli.store import silences as rows
from pom_cli.toml.table import Table


def window(**more: object) -> Window:
    table = {"target": "shop", "from": "02:00", "to": "04:00", "zone": "Europe/Berlin", **more}
    top = Table({"silences": [table]}, "", [])
    found = silences.read(top, ["shop", "blog"], ["health", "tls"])
    assert top.problems == []
    return found[0]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "open_"),
    [
        # Winter: Berlin is an hour ahead.
        ("2026-01-10 00:59", False),
        ("2026-01-10 01:00", True),
        ("2026-01-10 02:59", True),
        ("2026-01-10 03:00", False),
        # Summer: two hours.
        ("2026-07-10 00:00", True),
        ("2026-07-10 02:00", False),
        # 29 March 2026: at 2:00 (1:00 UTC) the clocks go to 3:00; the window opens at that very moment, for an hour.
        ("2026-03-29 00:59", False),
        ("2026-03-29 01:00", True),
        ("2026-03-29 01:59", True),
        ("2026-03-29 02:00", False),
        # 25 October 2026: at 3:00 they go back to 2:00; the window has both hours between 2 and 3, and the next one.
        ("2026-10-24 23:59", False),
        ("2026-10-25 00:00", True),
        ("2026-10-25 01:30", True),
        ("2026-10-25 02:59", True),
        ("2026-10-25 03:00", False),
    ],
)
def test_a_window_is_open_by_the_wall_clock_of_its_zone(at: str, open_: bool) -> None:
    assert window().covers(utc(at)) is open_


@pytest.mark.parametrize(
    ("begin", "end", "opens", "closes"),
    [
        ("01:00", "02:30", "00:00", "01:30"),  # its end is skipped: read as 3:30 in summer time
        ("02:15", "02:45", "01:15", "01:45"),  # both are: 3:15 to 3:45
        ("02:30", "03:00", "01:30", "02:00"),  # nothing would be left: half an hour from 3:30 on
        ("01:30", "03:00", "00:30", "01:00"),
        ("03:00", "04:00", "01:00", "02:00"),
    ],
)
def test_an_hour_that_clocks_skip_takes_no_maintenance_away(begin: str, end: str, opens: str, closes: str) -> None:
    one = window(**{"from": begin, "to": end})
    first, last = (utc(f"2026-03-29 {text}") for text in (opens, closes))
    minute = timedelta(minutes=1)
    assert [one.covers(at) for at in (first - minute, first, last - minute, last)] == [False, True, True, False]


@pytest.mark.parametrize(
    ("at", "open_"),
    [
        ("2026-01-10 21:59", False),  # Saturday
        ("2026-01-10 22:00", True),
        ("2026-01-11 00:30", True),  # begun on Saturday
        ("2026-01-11 01:00", False),
        ("2026-01-11 22:30", False),  # a Sunday does not begin one
    ],
)
def test_a_window_over_midnight_belongs_to_the_day_on_which_it_begins(at: str, open_: bool) -> None:
    over = window(**{"from": "23:00", "to": "02:00", "days": ["sat"]})
    assert over.covers(utc(at)) is open_


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)))  # noqa: DTZ001
def test_a_window_that_is_open_all_day_is_always_open(at: datetime) -> None:
    assert window(**{"from": "00:00", "to": "00:00"}).covers(at.replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"target": "shopp"}, "silences[0].target: 'shopp' is not one of *, shop; did you mean 'shop'?"),
        ({"from": "25:00"}, "silences[0].from: '25:00' is not a time of day like \"02:00\""),
        ({"zone": "Europe/Atlantis"}, "silences[0].zone: 'Europe/Atlantis' is not a time zone like \"Europe/Berlin\""),
        (
            {"days": ["someday"]},
            "silences[0].days: ['someday'] is not a list of days: mon, tue, wed, thu, fri, sat, sun",
        ),
        ({"kind": "helth"}, "silences[0].kind: 'helth' is not one of health; did you mean 'health'?"),
        ({"untl": "03:00"}, "silences[0].untl: unknown key; did you mean 'to'?"),
    ],
)
def test_a_mistake_in_a_window_is_named(table: dict[str, object], problem: str) -> None:
    top = Table({"silences": [{"target": "shop", "from": "02:00", "to": "04:00", **table}]}, "", [])
    silences.read(top, ["shop"], ["health"])
    if "untl" in table:
        assert top.problems[0].startswith("silences[0].untl: unknown key")
    else:
        assert top.problems == [problem]


def test_a_silence_ends_at_its_time_or_when_it_is_lifted() -> None:
    one = Silence("1", "shop", "", START, START + timedelta(hours=1))
    lifted = Silence("1", "shop", "", START, START + timedelta(hours=1), lifted_at=START + timedelta(minutes=5))
    assert [one.covers(START + timedelta(minutes=m)) for m in (-1, 0, 59, 60)] == [False, True, True, False]
    assert [lifted.covers(START + timedelta(seconds=s)) for s in (280, 300)] == [True, False]


def test_a_kind_alone_can_be_silenced() -> None:
    one = Silence("1", "shop", "tls", START, START + timedelta(hours=1))
    assert silenced([one], "shop", "tls", START)
    assert not silenced([one], "shop", "health", START)
    assert not silenced([one], "blog", "tls", START)


def scene_of(tmp_path: Path, web: WebServer, more: str = "") -> Scene:
    return Scene(tmp_path, f'[targets.shop]\nurl = "{web.url()}"\nhealth = {{ attempts = 1 }}\n{more}')


def silence(scene: Scene, minutes: float) -> None:
    import sqlite3

    db = sqlite3.connect(scene.path)
    rows.merge(db, [Silence("1", "shop", "", scene.now, scene.now + timedelta(minutes=minutes))])
    db.commit()
    db.close()


def test_in_maintenance_results_are_recorded_and_notices_held_and_afterwards_what_is_so_is_told(
    tmp_path: Path, web: WebServer
) -> None:
    scene = scene_of(tmp_path, web)
    scene.run()
    silence(scene, 30)
    web.on("/", answer(500))
    for _ in range(5):
        assert scene.run().notices == []
    assert scene.rows("SELECT held FROM alerts") == [("silence",)]
    assert len(scene.rows("SELECT * FROM results")) == 6
    assert [notice.reason for notice in scene.run().notices] == ["new"]


def test_what_broke_and_mended_within_the_maintenance_is_never_told(tmp_path: Path, web: WebServer) -> None:
    scene = scene_of(tmp_path, web)
    scene.run()
    silence(scene, 30)
    web.on("/", answer(500))
    scene.run()
    web.on("/", answer(200))
    assert [notice for _ in range(8) for notice in scene.run().notices] == []


def test_the_configs_windows_hold_notices_too(tmp_path: Path, web: WebServer) -> None:
    more = '[[silences]]\ntarget = "shop"\nfrom = "06:00"\nto = "07:00"\nzone = "UTC"\n'
    scene = scene_of(tmp_path, web, more)
    web.on("/", answer(500))
    assert scene.run().notices == []
    assert [notice.reason for notice in scene.run("1h").notices] == ["new"]


def test_a_window_for_a_target_that_is_not_there_is_a_mistake(tmp_path: Path, web: WebServer) -> None:
    with pytest.raises(ConfigError, match=r"silences\[0\]\.target"):
        scene_of(tmp_path, web, '[[silences]]\ntarget = "blog"\nfrom = "06:00"\nto = "07:00"\n')


def test_a_known_silence_can_only_be_lifted_and_the_earlier_lift_counts(tmp_path: Path, web: WebServer) -> None:
    import sqlite3

    scene = scene_of(tmp_path, web)
    scene.run()
    db = sqlite3.connect(scene.path)
    one = Silence("1", "shop", "", START, START + timedelta(hours=1), "upgrade")
    rows.merge(db, [one])
    rows.merge(db, [Silence("1", "blog", "tls", START, START, "other", START + timedelta(minutes=9))])
    rows.merge(db, [Silence("1", "shop", "", START, START, "", START + timedelta(minutes=5))])
    rows.merge(db, [one])
    found = rows.load(db, START)
    db.close()
    assert [(s.target, s.reason, s.lifted_at) for s in found] == [("shop", "upgrade", START + timedelta(minutes=5))]
