"""pom incidents, as an operator types it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

from api_server import load, see
from conftest import Pom
from scene import Scene
from web_server import WebServer, answer

from pom_cli import store
from pom_cli.model import ERROR, OPERATIONAL, UNREACHABLE, Notice
from pom_cli.store import alerts


def test_what_broke_when_how_long_and_who_was_told(pom: Pom, tmp_path: Path) -> None:
    with WebServer() as web:
        web.on("/", answer(503, reason="Service Unavailable"))
        health = "health = { attempts = 1 }"
        scene = Scene(tmp_path, f'[offline]\nwitnesses = []\n[targets.shop]\nurl = "{web.url()}"\n{health}\n')
        (tmp_path / "pom.toml").write_text(scene.config.text)
        scene.run()
        web.on("/", answer(200))
        scene.run("12m")
    ran = pom("--config", tmp_path / "pom.toml", "incidents", "--since", "2020-01-01T00:00:00Z")
    lines = ran.out.splitlines()
    assert (ran.code, len(lines)) == (0, 4)
    assert re.fullmatch(r"shop health: error for 12 min, 2026-\S+ \S+ \S+ to 2026-\S+ \S+ \S+: 503.*", lines[0])
    assert re.fullmatch(r"  new at 2026-\S+ \S+ \S+, told console at 2026-\S+ \S+ \S+", lines[1])
    assert lines[2].startswith("  recovered at ")
    assert lines[3] == "1 incident since 2020-01-01T00:00:00Z, mean time to recover 12 min"


def test_one_that_lasts_and_of_which_nobody_knows(pom: Pom, tmp_path: Path) -> None:
    loaded = load(tmp_path)
    see(loaded, "shop", UNREACHABLE, ago="600s", ms=None)
    see(loaded, "blog", ERROR, ago="300s")
    see(loaded, "blog", ago="240s")
    ran = pom("--config", loaded.path, "incidents")
    lines = ran.out.splitlines()
    assert lines[0].startswith("blog health: error for 1 min, ")
    assert re.fullmatch(r"shop health: unreachable for 10 min.*, 2026-.* and still so: it is unreachable", lines[1])
    assert lines[2] == "2 incidents in the last 30d, 1 not over, mean time to recover 1 min"
    found = json.loads(pom("--config", loaded.path, "incidents", "--json").out)
    assert [(one["target"], one["ended_at"] is None) for one in found] == [("blog", False), ("shop", True)]
    assert pom("--config", loaded.path, "incidents", "--limit", "1").complaints == [
        "pom: there may be more than 1; see --limit"
    ]


def test_how_the_peers_saw_it_stands_behind_the_notice(pom: Pom, tmp_path: Path) -> None:
    loaded = load(tmp_path)
    see(loaded, "shop", ERROR, ago="600s")
    db = store.open_(loaded.instance.data_dir / "pom.db")
    at = datetime.now(UTC)
    seen = {"views": ["astra: unreachable too (40 s ago)", "oslo: operational: perhaps our path"]}
    alerts.add_notice(db, Notice("n1", "shop", "health", "new", OPERATIONAL, ERROR, at, at, "", facts=seen), None, 1)
    db.close()
    lines = pom("--config", loaded.path, "incidents").out.splitlines()
    assert lines[1].endswith("; astra: unreachable too (40 s ago); oslo: operational: perhaps our path")
    [found] = json.loads(pom("--config", loaded.path, "incidents", "--json").out)
    assert list(found["notices"][0]) == ["reason", "at", "delivered_at", "recipients"]


def test_none(pom: Pom, tmp_path: Path) -> None:
    loaded = load(tmp_path)
    assert pom("--config", loaded.path, "incidents").out == "no incidents in the last 30d\n"
    assert pom("--config", loaded.path, "incidents", "--json").out == "[]\n"
    see(loaded, "shop")
    assert pom("--config", loaded.path, "incidents", "--since", "7d").out == "no incidents in the last 7d\n"


def test_wrong_use(pom: Pom, tmp_path: Path) -> None:
    ran = pom("--config", load(tmp_path).path, "incidents", "--since", "monday")
    assert (ran.code, ran.out) == (2, "")
    assert ran.complaints[0].startswith("pom: --since: 'monday' is not a duration like")
