"""Uptime has a third share: what was silenced, by hand or by the config, is neither up nor down."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from scene import START, Scene
from web_server import WebServer, answer

from pom_cli.config.silences import maintenance
from pom_cli.model import Silence
from pom_cli.report import overview
from pom_cli.store import silences
from pom_cli.store.spare import Database
from pom_cli.times import to_ms

MINUTE = timedelta(minutes=1)
ONE = '[offline]\nwitnesses = []\n[targets.shop]\nurl = "{}"\nhealth = {{ attempts = 1, timeout = "1s" }}\n'


@pytest.fixture
def scene(tmp_path: Path, web: WebServer) -> Scene:
    return Scene(tmp_path, ONE.format(web.url()))


def day(scene: Scene) -> dict[str, Any]:
    database = Database(scene.path, scene.environ)
    try:
        (target,) = database.read(lambda db: overview.status(db, scene.config, scene.now))["targets"]
        return dict(target["uptime"]["24h"])
    finally:
        database.close()


def silence(scene: Scene, minutes: int, kind: str = "", target: str = "shop", lifted: int | None = None) -> None:
    end = None if lifted is None else scene.now + lifted * MINUTE
    one = Silence(f"{kind}{target}", target, kind, scene.now, scene.now + minutes * MINUTE, lifted_at=end)
    database = Database(scene.path, scene.environ)
    database.write(lambda db: silences.merge(db, [one]))
    database.close()


def share(minutes: float) -> float:
    return round(minutes / (24 * 60), 7)


@pytest.mark.parametrize(("kind", "target"), [("", "shop"), ("health", "shop"), ("", "*")])
def test_an_outage_under_a_silence_is_maintenance(scene: Scene, web: WebServer, kind: str, target: str) -> None:
    scene.run()
    scene.run()
    silence(scene, 20, kind, target)
    web.on("/", answer(500))
    for _ in range(4):
        scene.run()
    web.on("/", answer(200))
    scene.run()
    assert day(scene) == {"percent": pytest.approx(50), "coverage": share(10), "maintenance": share(20)}


def test_what_runs_now_counts_until_now(scene: Scene) -> None:
    scene.run()
    silence(scene, 60)
    scene.now += 10 * MINUTE
    assert day(scene) == {"percent": None, "coverage": 0.0, "maintenance": share(10)}


@pytest.mark.parametrize(("kind", "target"), [("tls", "shop"), ("", "blog")])
def test_a_silence_of_something_else_changes_nothing(scene: Scene, kind: str, target: str) -> None:
    scene.run()
    silence(scene, 60, kind, target)
    scene.run()
    assert day(scene) == {"percent": 100.0, "coverage": share(5), "maintenance": 0.0}


def test_one_that_was_lifted_counts_until_then(scene: Scene) -> None:
    scene.run()
    silence(scene, 60, lifted=2)
    scene.run()
    assert day(scene) == {"percent": 100.0, "coverage": share(3), "maintenance": share(2)}


def test_windows_of_the_config_and_silences_that_overlap_count_once(scene: Scene) -> None:
    scene.configure(scene.toml + '[[silences]]\ntarget = "shop"\nfrom = "06:00"\nto = "06:20"\nzone = "UTC"\n')
    by_hand = Silence("1", "*", "", START + 10 * MINUTE, START + 40 * MINUTE)
    later = Silence("2", "shop", "", START + 50 * MINUTE, START + 55 * MINUTE)
    found = maintenance([*scene.config.silences, by_hand, later], "shop", START - 60 * MINUTE, START + 60 * MINUTE)
    at = to_ms(START)
    assert [(begin - at, end - at) for begin, end in found] == [(0, 2_400_000), (3_000_000, 3_300_000)]


def test_the_hours_that_are_over_keep_it(scene: Scene) -> None:
    scene.run()
    silence(scene, 30)
    for _ in range(30):
        scene.run()
    assert day(scene)["maintenance"] == share(30)
    assert sum(ms for (ms,) in scene.rows("SELECT quiet_ms FROM hours")) == 30 * 60_000  # type: ignore[misc]


def test_a_file_of_the_release_before_is_read_as_it_is(scene: Scene) -> None:
    for _ in range(15):
        scene.run()
    before = day(scene)
    db = sqlite3.connect(scene.path)
    for table, column in (("states", "quiet_ms"), ("states", "quiet_before"), ("hours", "quiet_ms"),
                          ("hours", "quiet_total"), ("silences", "by"), ("silences", "origin")):  # fmt: skip
        db.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    assert overview.status(db, scene.config, scene.now)["targets"][0]["uptime"]["24h"] == before
    db.close()
