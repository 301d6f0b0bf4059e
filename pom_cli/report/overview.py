"""Stored rows → what status and the API show: the same numbers from the same code, in the API's shapes."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pom_cli import checks
from pom_cli.alerting import outbox
from pom_cli.alerting.overdue import limit
from pom_cli.alerting.standing import seen_of, standing
from pom_cli.config import Config, Target
from pom_cli.model import OPERATIONAL, OWN_ALERTS, Key, State, Status, worst
from pom_cli.quantiles import median, percentile
from pom_cli.report import delivery, incidents, silences
from pom_cli.report.incidents import Folded
from pom_cli.store import acks, crashes, deployments, reading, results
from pom_cli.store import alerts as alert_rows
from pom_cli.store.acks import Ack
from pom_cli.store.alerts import Alert
from pom_cli.store.results import Stored
from pom_cli.store.tally import HOUR_MS, Sums
from pom_cli.times import to_ms, utc

WINDOWS = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30)}
INSTANCE_ALERTS = tuple(alert for alert in OWN_ALERTS if alert != "peer-missing")


def status(
    db: sqlite3.Connection, config: Config, now: datetime, names: Iterable[str] = (), latencies: bool = True
) -> dict[str, Any]:
    """`/api/status`: only what the config names today. `names` picks targets, all for none.

    Without `latencies` the latency of the last day, which costs the most, is left unknown.
    """
    chosen = list(names)
    wanted = chosen or list(config.targets)
    stored = results.load(db)
    alerts = [alert for alert in alert_rows.load(db).values() if configured(config, alert.target, alert.alert)]
    taken = acks.load(db)
    found = targets(db, config, [config.targets[name] for name in wanted], stored, alerts, now, latencies)
    return {
        "instance": config.instance.name,
        "generated_at": utc(now),
        "status": worst(Status(one["status"]) for one in found).value if found else OPERATIONAL.value,
        "offline": any(alert.alert == "monitoring-offline" and alert.open for alert in alerts),
        "targets": found,
        "alerts": _alerts(db, [one for one in alerts if one.open and _about(one, chosen)], taken, config),
        "undelivered": len(outbox.undelivered(db, config)),
        "silences": [silences.silence_json(one) for one in silences.running(db, config, now)],
        "crashed": crashes.lines(db, config.instance.data_dir, now),
        "peers": _peers(db, config, now),
    }


def _peers(db: sqlite3.Connection, config: Config, now: datetime) -> list[dict[str, Any]]:
    if not config.peers:
        return []
    from pom_cli.mesh import report as mesh_view

    return mesh_view.peers(db, config, now)


def configured(config: Config, target: str, alert: str) -> bool:
    """Does the config of today name what this alert is about."""
    if not target:
        return alert in INSTANCE_ALERTS
    if target in config.peers and _of_peer(alert):
        return alert != "peer-missing" or config.peers[target].on_missing != "ignore"
    if target in config.targets:
        return any(alert in checks.KINDS[kind] for kind in config.targets[target].checks)
    return False


def _of_peer(alert: str) -> bool:
    from pom_cli.mesh import beats as mesh

    return alert in mesh.ALERTS


def _about(alert: Alert, names: Sequence[str]) -> bool:
    return not names or not alert.target or alert.target in names


def _age(alert: Alert) -> tuple[float, str, str]:
    return alert.since.timestamp() if alert.since else 0.0, alert.target, alert.alert


def _alerts(
    db: sqlite3.Connection, open_: Sequence[Alert], taken: Mapping[tuple[str, str], Ack], config: Config
) -> list[dict[str, Any]]:
    told = delivery.known(db) if open_ else {}
    names = [(one, (one.target, one.alert)) for one in sorted(open_, key=_age)]
    return [alert_json(one, told[name].at, taken.get(name), config) for one, name in names]


def alert_json(alert: Alert, announced: datetime | None, ack: Ack | None, config: Config) -> dict[str, Any]:
    """The API's shape of an open alert; `announced_at` is when the first notice arrived, null where none has."""
    return {
        "target": alert.target,
        "alert": alert.alert,
        "status": alert.status.value,
        "since": None if alert.since is None else utc(alert.since),
        "announced_at": None if announced is None else utc(announced),
        "subjects": list(alert.subjects),
        "summary": alert.summary,
        "ack": ack and incidents.recorded(ack, config),
    }


def targets(
    db: sqlite3.Connection,
    config: Config,
    wanted: Sequence[Target],
    stored: Mapping[Key, Stored],
    alerts: Sequence[Alert],
    now: datetime,
    latencies: bool = True,
) -> list[dict[str, Any]]:
    """One TARGET of the API each."""
    health = health_series(wanted, stored)
    uptime = reading.sums(db, health, WINDOWS.values(), now, silences.since_looked(db, config, health, now))
    ones = [one for one, _ in health.values()] if latencies else []
    recent = reading.latencies_of(db, ones, now - WINDOWS["24h"])
    open_ = [alert for alert in alerts if alert.open and alert.incident is not None]
    numbers = [alert.incident for alert in open_ if alert.incident is not None]
    running = incidents.fold(reading.incidents(db, now, numbers), config.targets)
    earliest = min((one.one.started_at for one in running), default=now)
    deployed = deployments.since(db, earliest - deployments.RECENT, now)
    newest = deployments.newest(db, now)
    found = []
    for target in wanted:
        one, worst_ = health.get(target.name), _worst_incident(target.name, running)
        found.append(
            {
                "name": target.name,
                "label": target.label or target.name,
                "url": target.url,
                **_standing(target, stored),
                "uptime": _uptime(uptime.get(target.name, [Sums()] * len(WINDOWS))),
                "latency": latency_json(db, one[0], recent[one[0].id], now) if one and ones else dict(_NO_LATENCY),
                "incident": incidents.as_json(worst_, config, deployed, now) if worst_ else None,
                "deployed": incidents.deployed_json(newest.get(target.name), config),
            }
        )
    return found


def health_series(wanted: Iterable[Target], stored: Mapping[Key, Stored]) -> dict[str, tuple[Stored, int]]:
    """The health series of each target that has one, with how long its status holds in milliseconds."""
    found = {}
    for target in wanted:
        one = stored.get(Key(target.name, "health", ""))
        if one and "health" in target.checks:
            found[target.name] = (one, holds_ms(target.checks["health"].interval))
    return found


def holds_ms(interval: timedelta) -> int:
    """How long a status counts as known after it was seen: until its next look is overdue."""
    return round(limit(interval).total_seconds() * 1000)


def _standing(target: Target, stored: Mapping[Key, Stored]) -> dict[str, Any]:
    """Status, since and checks. A kind that has never been looked at has no say in them."""
    seen = seen_of(target, stored)
    status_, since = standing([state for _, _, state in seen])
    return {
        "status": status_.value,
        "since": None if since is None else utc(since),
        "checks": [_check_json(*one) for one in seen],
    }


def _check_json(kind: str, subject: str, state: State) -> dict[str, Any]:
    return {
        "kind": kind,
        "subject": subject,
        "status": state.status.value,
        "since": utc(state.since),
        "checked_at": utc(state.checked_at),
        "latency_ms": state.latency_ms,
        "summary": state.summary,
        "detail": dict(state.detail),
    }


def _uptime(sums: Sequence[Sums]) -> dict[str, Any]:
    return {name: uptime_json(one, span) for (name, span), one in zip(WINDOWS.items(), sums, strict=True)}


def uptime_json(sums: Sums, window: timedelta) -> dict[str, Any]:
    """Percent of the known time that was up, null where nothing is known; the known and the silenced share.

    With enough digits to show one second in 30 days.
    """
    known = sums.known_ms / (window.total_seconds() * 1000)
    percent = None if sums.known_ms <= 0 else round(min(100.0, 100 * sums.up_ms / sums.known_ms), 6)
    quiet = sums.quiet_ms / (window.total_seconds() * 1000)
    return {"percent": percent, "coverage": round(min(1.0, known), 7), "maintenance": round(min(1.0, quiet), 7)}


_NO_LATENCY = {"median_ms": None, "p95_ms": None, "baseline_ms": None, "drift": False}


def latency_json(
    db: sqlite3.Connection, one: Stored, recent: Mapping[int, Sequence[int]], now: datetime
) -> dict[str, Any]:
    """Median and 95th percentile of the recent good results, and the usual latency that drift compares with."""
    values = sorted(ms for hour in recent.values() for ms in hour)
    return {
        "median_ms": median(values),
        "p95_ms": percentile(values, 95),
        "baseline_ms": one.usual_ms if one.usual_ms is not None else results.baseline(db, one, now).median_ms,
        "drift": one.state.drifting,
    }


def _worst_incident(name: str, running: Sequence[Folded]) -> Folded | None:
    """One that somebody was notified of, before one that was held; what another explains comes last."""
    own = [one for one in running if one.one.target == name] or [
        Folded(each) for one in running for each in one.covered if each.target == name
    ]
    return min(own, key=lambda one: (not one.one.told, one.one.started_at, one.one.id), default=None)


def empty(config: Config, now: datetime, names: Iterable[str] = ()) -> dict[str, Any]:
    """`/api/status` where there is no database yet: nothing is known."""
    from pom_cli.store import migrations

    with migrations.nothing() as db:
        return status(db, config, now, names)


def trends(
    db: sqlite3.Connection, config: Config, now: datetime, names: Iterable[str] = ()
) -> dict[str, list[float | None]]:
    """Median latency of each of the last 24 hours by target, oldest first; None for an hour without a good result."""
    stored = results.load(db, ("health",))
    found: dict[str, list[float | None]] = {}
    last = to_ms(now) // HOUR_MS
    for name in list(names) or config.targets:
        one = stored.get(Key(name, "health", ""))
        by_hour = reading.latencies(db, one, now - WINDOWS["24h"]) if one else {}
        found[name] = [median(by_hour.get(hour, ())) for hour in range(last - 23, last + 1)]
    return found
