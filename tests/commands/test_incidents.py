"""pom incidents, as an operator types it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from api_server import load, see
from conftest import Pom
from scene import Scene
from web_server import WebServer, answer

from pom_cli import store
from pom_cli.model import ERROR, OPERATIONAL, UNREACHABLE, Condition, Notice
from pom_cli.store import acks, alerts, deployments, outbox
from pom_cli.times import to_ms

DEPENDENT = """
[targets.shop]
url = "http://127.0.0.1:9"
routes = { paths = ["/login"] }
dns = { records = [{ name = "example.com", type = "A", expected = [] }] }
[targets.front]
url = "http://127.0.0.1:9"
routes = { paths = ["/login"] }
depends_on = ["shop"]
"""


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
    assert re.fullmatch(r"shop health: error for 12 min, 24 Nov \d\d:\d\d to \d\d:\d\d [+-]\d\d:\d\d: 503.*", lines[0])
    assert re.fullmatch(r"  new: notified console at 24 Nov \d\d:\d\d [+-]\d\d:\d\d", lines[1])
    assert lines[2].startswith("  recovered: notified console at ")
    assert lines[3] == "1 incident since 2020-01-01T00:00:00Z, mean time to recover 12 min"


def test_one_that_lasts_and_of_which_nobody_knows(pom: Pom, tmp_path: Path) -> None:
    loaded = load(tmp_path)
    see(loaded, "shop", UNREACHABLE, ago="600s", ms=None)
    see(loaded, "blog", ERROR, ago="300s")
    see(loaded, "blog", ago="240s")
    ran = pom("--config", loaded.path, "incidents")
    lines = ran.out.splitlines()
    assert lines[0].startswith("blog health: error for 1 min, ")
    assert lines[1] == lines[3] == "  nobody notified"
    assert re.fullmatch(r"shop health: unreachable for 10 min.*, since .*, ongoing: it is unreachable", lines[2])
    assert lines[4] == "2 incidents in the last 30d, 1 ongoing, mean time to recover 1 min"
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


def test_an_end_that_is_the_first_that_anybody_heard_is_told_as_both(pom: Pom, tmp_path: Path) -> None:
    loaded = load(tmp_path)
    see(loaded, "shop", ERROR, ago="600s")
    see(loaded, "shop", ago="300s")
    db = store.open_(loaded.instance.data_dir / "pom.db")
    at = datetime.now(UTC)
    alerts.add_notice(db, Notice("n1", "shop", "health", "new", OPERATIONAL, ERROR, at, at, ""), None, 1)
    after = at + timedelta(seconds=1)
    alerts.add_notice(db, Notice("n2", "shop", "health", "recovered", ERROR, OPERATIONAL, at, after, ""), "m", 1)
    outbox.add_message(db, "m", "a subject", "a body", {}, at)
    row = "INSERT INTO outbox (message, recipient, channel, state, created_at, next_at, delivered_at)"
    db.execute(f"{row} VALUES ('m', 'ops@example.com', 'smtp', 'delivered', 0, 0, {to_ms(at)})")
    db.close()
    lines = pom("--config", loaded.path, "incidents").out.splitlines()
    assert re.fullmatch(r"  new at \S+ \S+: not delivered", lines[1])
    assert re.fullmatch(r"  start and end: notified ops@example.com at \S+ \S+", lines[2])


def test_what_an_outage_explained_is_folded_under_it(pom: Pom, tmp_path: Path) -> None:
    loaded = load(tmp_path, DEPENDENT)
    see(loaded, "shop", UNREACHABLE, ago="600s", ms=None)
    see(loaded, "front", UNREACHABLE, ago="590s", ms=None)
    db = store.open_(loaded.instance.data_dir / "pom.db")
    start = datetime.now(UTC) - timedelta(seconds=595)
    for target, alert in (("shop", "route"), ("front", "route"), ("shop", "dns")):
        alerts.follow(db, None, Condition(target, alert, ERROR, "/login: 502"), start)
    db.close()
    found = json.loads(pom("--config", loaded.path, "incidents", "--json").out)
    covered = {(one["target"], one["alert"]): one["covered"] for one in found}
    assert {name: sorted((one["target"], one["alert"]) for one in ones) for name, ones in covered.items()} == {
        ("shop", "dns"): [],
        ("shop", "health"): [("front", "health"), ("front", "route"), ("shop", "route")],
    }
    lines = pom("--config", loaded.path, "incidents").out.splitlines()
    assert sum(line.startswith("  covered: ") for line in lines) == 3
    assert lines[-1].startswith("2 incidents in the last 30d, 2 ongoing")


def test_other_alerts_have_a_mean_time_to_recover_of_their_own(pom: Pom, tmp_path: Path) -> None:
    loaded = load(tmp_path, DEPENDENT)
    see(loaded, "shop", ERROR, ago="600s")
    see(loaded, "shop", ago="300s")
    db = store.open_(loaded.instance.data_dir / "pom.db")
    start = datetime.now(UTC) - timedelta(hours=5)
    for status, at in ((ERROR, start), (OPERATIONAL, start + timedelta(hours=2))):
        known = alerts.one(db, "shop", "dns")
        followed = alerts.follow(db, known, Condition("shop", "dns", status, "no such name"), at)
        alerts.save(db, followed) if followed else None
    db.close()
    assert pom("--config", loaded.path, "incidents").out.splitlines()[-2:] == [
        "2 incidents in the last 30d, mean time to recover 5 min",
        "mean time to recover of other alerts: dns 2 h",
    ]


def test_the_skeleton_of_a_post_mortem_tells_all_that_is_known_in_order(pom: Pom, tmp_path: Path) -> None:
    with WebServer() as web:
        web.on("/", answer(503, reason="Service Unavailable"))
        toml = f'[targets.shop]\nlabel = "Our *shop*"\nurl = "{web.url()}"\nhealth.attempts = 1\n'
        scene = Scene(tmp_path, f"[offline]\nwitnesses = []\n{toml}")
        (tmp_path / "pom.toml").write_text(scene.config.text)
        scene.run()
        db = store.open_(scene.path)
        before = scene.now - timedelta(minutes=20)
        deployments.merge(db, [deployments.Deployment("d", "shop", before, "1.8.2", "hot|fix", "ada")])
        acks.merge(db, [acks.Ack("shop", "health", scene.now + timedelta(minutes=2), "bob", "<b>on it</b>")])
        db.close()
        web.on("/", answer(200))
        scene.run("12m")
    ran = pom("--config", tmp_path / "pom.toml", "incidents", "--since", "2020-01-01T00:00:00Z", "--markdown")
    assert ran.code == 0
    assert ran.out.startswith("# Our \\*shop\\*: health error, 2026-11-24\n")
    told = [line.split("|", 2)[2].strip(" |") for line in ran.out.splitlines() if line.startswith("| 2026-")]
    assert told[0] == "deployed 1.8.2 by ada on hetzner: hot\\|fix"
    assert sorted(told[1:3]) == ["notified console (new)", "shop health error: 503 Service Unavailable"]
    assert told[3] == r"acknowledged by bob on hetzner: \<b\>on it\</b\>"
    assert sorted(told[4:]) == ["notified console (recovered)", "shop health operational again"]
    assert "- Lasted: 12 min\n" in ran.out
    assert re.findall(r"(?m)^## (.*)$", ran.out) == [
        "Timeline", "Impact", "Cause", "What went well", "What went badly", "Actions", "The first mail"
    ]  # fmt: skip
    assert pom("--config", tmp_path / "pom.toml", "incidents", "--markdown", "--json").code == 2


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
