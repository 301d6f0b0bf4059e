"""Thirty days of a small company's monitoring, written by the code of real runs: what the page is looked at with."""

from __future__ import annotations

import math
import random
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pom_cli import checks, config, store
from pom_cli.alerting import states
from pom_cli.alerting.announce import Case, settle
from pom_cli.config import Config
from pom_cli.model import DEGRADED, ERROR, OPERATIONAL, UNKNOWN, UNREACHABLE, Finding, Key, Status, Verdict
from pom_cli.report.overview import holds_ms
from pom_cli.store import results, runs
from pom_cli.store.results import Record

NOW = datetime(2026, 11, 24, 7, 42, tzinfo=UTC)
STEP = timedelta(minutes=30)
SECRETS = ("internal.example.com", "203.0.113.7", "connection refused by", "ops@example.com", "astra", "hetzner-7")

TOML = """
[instance]
name = "hetzner-7"
data_dir = "{folder}"
[serve]
listen = "{listen}"
page = {page}
[alerts]
to = ["ops@example.com"]
channels = ["console"]
[peers.astra]
url = "http://203.0.113.7:9100"
[targets.storefront]
url = "http://storefront.internal.example.com"
interval = "30m"
[targets.api]
url = "http://api.internal.example.com"
interval = "30m"
routes = {{ paths = ["/login"] }}
[targets.documentation]
url = "http://docs.internal.example.com"
interval = "30m"
[targets.media-cdn]
url = "http://cdn.internal.example.com"
interval = "30m"
[targets.mail]
url = "http://mail.internal.example.com"
health = false
dns = {{ records = [{{ name = "example.com", type = "MX", expected = ["10 mail.example.com"] }}] }}
"""

# Target and kind, hours before NOW at which it begins and ends, what it then is.
Trouble = tuple[str, str, float, float, Status]
TROUBLES: tuple[Trouble, ...] = (
    ("api", "health", 411.2, 408.6, UNREACHABLE),
    ("api", "routes", 411.2, 408.1, UNREACHABLE),
    ("api", "health", 95.4, 94.6, ERROR),
    ("api", "routes", 50.3, 47.9, ERROR),
    ("storefront", "health", 530.0, 529.2, ERROR),
    ("documentation", "health", 252.0, 216.0, DEGRADED),
    ("documentation", "health", 300.0, 274.0, UNREACHABLE),
    ("documentation", "health", 163.0, 158.0, UNKNOWN),
)
NOW_BAD = (("storefront", "health", 1.9, -1.0, UNREACHABLE), ("documentation", "health", 9.2, -1.0, DEGRADED))
BORN = {"media-cdn": 12 * 24.0}  # hours ago
USUAL = {"storefront": 180, "api": 64, "documentation": 41, "media-cdn": 23}


def build(
    folder: Path,
    bad: bool = True,
    until: timedelta = timedelta(minutes=2),
    now: datetime = NOW,
    listen: str = "127.0.0.1:9100",
    page: str = "true",
    days: int = 30,
) -> Config:
    """The demo's config, its database filled up to `until` before `now`; with `bad` something is wrong just now."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "pom.toml"
    path.write_text(TOML.format(folder=folder, listen=listen, page=page), encoding="utf-8")
    loaded = config.load(path, {"HOME": str(folder), "POM_API_TOKEN": "right-token"})
    troubles = TROUBLES + (NOW_BAD if bad else ())
    dice = random.Random(7)
    db = store.open_(folder / "pom.db")
    try:
        with store.transaction(db):
            at = now - until - timedelta(days=days)
            while at <= now - until:
                _run(db, loaded, (now - at) / timedelta(hours=1), at, troubles, dice)
                at += STEP
    finally:
        db.close()
    return loaded


def _run(
    db: sqlite3.Connection, loaded: Config, ago: float, at: datetime, troubles: Sequence[Trouble], dice: random.Random
) -> None:
    known = results.load(db)
    records, cases = [], []
    for target in loaded.targets.values():
        if ago > BORN.get(target.name, math.inf):
            continue
        for kind, check in target.checks.items():
            status = _status(target.name, kind, ago, troubles)
            own = [_record(Key(target.name, kind, subject), status, known, at, dice, check.interval)
                   for subject in checks.load(kind).subjects(check.settings)]  # fmt: skip
            records += own
            by_key = {one.key: one.state for one in own}
            alert = checks.KINDS[kind][0]
            cases.append(Case(states.condition(target.name, alert, by_key)))
    run = runs.begin(db, "check", ("health",), at)
    results.record(db, records, known, at)
    settle(db, cases, loaded, at)
    runs.end(db, run, "check", ("health",), at, "done", at)


def _status(name: str, kind: str, ago: float, troubles: Sequence[Trouble]) -> Status:
    return next((status for who, what, start, end, status in troubles if (who, what) == (name, kind)
                 and start >= ago > end), OPERATIONAL)  # fmt: skip


def _record(
    key: Key, status: Status, known: Mapping[Key, results.Stored], at: datetime, dice: random.Random, every: timedelta
) -> Record:
    alert = checks.KINDS[key.kind][0]
    summary = "200 OK" if status is OPERATIONAL else "connection refused by <203.0.113.7>"
    ms = None
    if key.kind == "health" and status in (OPERATIONAL, DEGRADED):
        day = 1 + 0.35 * math.sin((at.hour - 9) / 24 * math.tau)
        ms = round(USUAL[key.target] * day * dice.uniform(0.85, 1.3))
    finding = Finding(key.subject, status, summary, {alert: Verdict(status, summary)}, ms, {"address": "203.0.113.7"})
    have = known.get(key)
    return Record(key, finding, states.advance(have.state if have else None, finding, at), holds_ms(every))
