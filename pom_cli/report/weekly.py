"""The contents of `pom report`: uptime, incidents, time to recover, upcoming expiries, mail delivery."""

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pom_cli.config import Config
from pom_cli.report import history, incidents, overview
from pom_cli.report.render import percent
from pom_cli.store import outbox, reading, results
from pom_cli.store.tally import Sums
from pom_cli.text import clean
from pom_cli.times import between, brief, lasted, short, utc

SOON = 45  # days before its end that a certificate or a domain is listed
_MOST = 50  # incidents that are listed


def report(db: sqlite3.Connection, config: Config, begun: datetime, now: datetime) -> dict[str, Any]:
    """Of what the config names today, from `begun` to `now`."""
    found = history.incidents(db, config, begun, history.MOST, now)
    means = incidents.mean_times_to_recover(found)
    health = overview.health_series(config.targets.values(), results.load(db, ("health",)))
    window = now - begun
    sums = reading.sums(db, health, [window], now)
    whole = overview.status(db, config, now, latencies=False)
    return {
        "instance": config.instance.name,
        "since": utc(begun),
        "until": utc(now),
        "targets": [
            {
                "name": one["name"],
                "label": one["label"],
                "status": one["status"],
                "uptime": overview.uptime_json(sums.get(one["name"], [Sums()])[0], window),
                "incidents": sum(1 for each in found if each["target"] == one["name"]),
            }
            for one in whole["targets"]
        ],
        "incidents": found,
        "mean_time_to_recover_s": {alert: round(mean.total_seconds()) for alert, mean in means.items()},
        "expiring": _expiring(whole["targets"]),
        "mail": {**outbox.fared(db, begun), "undelivered": whole["undelivered"]},
    }


def _expiring(targets: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Certificates and domains that end soon, the next one first."""
    found = [
        {"target": one["name"], "kind": check["kind"], "subject": check["subject"], "days_left": check["detail"][key]}
        for one in targets
        for check in one["checks"]
        for key in ("days_left", "chain_days_left")
        if check["kind"] in ("tls", "whois") and isinstance(check["detail"].get(key), int)
    ]
    soon = [one for one in found if one["days_left"] <= SOON]
    return sorted(soon, key=lambda one: (one["days_left"], one["target"], one["subject"]))


def subject(found: Mapping[str, Any]) -> str:
    """`[PoM hetzner] report: 2 incidents in 7 d`; what a phone should show."""
    span = short(datetime.fromisoformat(found["until"]) - datetime.fromisoformat(found["since"]))
    return f"[PoM {found['instance']}] report: {_count(len(found['incidents']), 'incident')} in {span}"


def lines(found: Mapping[str, Any], now: datetime) -> list[str]:
    """The report as plain text, for the terminal and the mail."""
    begun = datetime.fromisoformat(found["since"])
    told = [f"{found['instance']}: {between(begun, now, now)}", "", "Uptime:"]
    told += [_target(one) for one in found["targets"]] or ["  no targets"]
    means = ", ".join(f"{alert} {_span(seconds)}" for alert, seconds in found["mean_time_to_recover_s"].items())
    told += ["", f"Incidents: {len(found['incidents']) or 'none'}{f'; mean time to recover: {means}' if means else ''}"]
    told += [_incident(one, now) for one in found["incidents"][:_MOST]]
    told += [f"  and {len(found['incidents']) - _MOST} more: pom incidents"] if len(found["incidents"]) > _MOST else []
    told += ["", f"Expires within {SOON} days:{'' if found['expiring'] else ' nothing'}"]
    told += [f"  {_expiry(one)}" for one in found["expiring"]]
    return [*told, "", f"Mail: {_mail(found['mail'])}"]


def _target(one: Mapping[str, Any]) -> str:
    up = "not measured" if one["uptime"]["percent"] is None else f"up {percent(one['uptime'])}"
    return f"  {clean(one['label'])}: {up}, {_count(one['incidents'], 'incident')}, now {one['status']}"


def _incident(one: Mapping[str, Any], now: datetime) -> str:
    start = datetime.fromisoformat(one["started_at"])
    end = one["ended_at"] and datetime.fromisoformat(one["ended_at"])
    when = between(start, end, now) if end else f"since {brief(start, now)}, ongoing"
    name = clean(f"{one['target']} {one['alert']}".strip())
    return f"  {name}: {one['worst']} for {short(lasted(start, end or now))}, {when}: {clean(one['summary'])}"


def _expiry(one: Mapping[str, Any]) -> str:
    what = f"certificate of {one['subject']}" if one["kind"] == "tls" else "domain"
    when = "has expired" if one["days_left"] < 0 else f"in {_count(one['days_left'], 'day')}"
    return f"{clean(one['target'])}: {clean(what)} {when}"


def _mail(fared: Mapping[str, Any]) -> str:
    parts = [f"{fared['delivered']} delivered"]
    parts += [f"the slowest after {_span(fared['slowest_s'])}"] if fared["slowest_s"] is not None else []
    parts += [f"{fared['given_up']} given up"] if fared["given_up"] else []
    return ", ".join([*parts, f"{fared['undelivered'] or 'nothing'} undelivered"])


def _span(seconds: float) -> str:
    return short(timedelta(seconds=seconds))


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"
