"""Stored rows → what the public status page shows. Bounded by the number of targets, not by the length of history."""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pom_cli.alerting import overdue, standing
from pom_cli.alerting.overdue import Look
from pom_cli.config import Config
from pom_cli.mesh.beats import ALERTS as PEER_ALERTS
from pom_cli.model import SEVERITY, UNKNOWN, State, worst
from pom_cli.quantiles import median
from pom_cli.report import overview, silences
from pom_cli.store import alerts as alert_rows
from pom_cli.store import reading, results, timeline
from pom_cli.store.alerts import Alert
from pom_cli.store.results import Stored
from pom_cli.store.tally import DAY_MS, HOUR_MS, Sums
from pom_cli.times import from_ms, to_ms
from pom_cli.web.page.model import DAYS, Day, Incident, Picture, System, Uptime

WINDOWS = {"24 hours": timedelta(hours=24), "7 days": timedelta(days=7), "30 days": timedelta(days=30)}
_NOTHING = [Sums()] * (len(WINDOWS) + DAYS)
MOST_INCIDENTS = 50  # on the page; what lasts is always there
_READ_AT_MOST = 200  # of them, before those that tell of the same trouble are one
_SLACK = timedelta(minutes=10)  # kinds are checked at different minutes: so one trouble begins and ends for them
_FAR = datetime.max.replace(tzinfo=UTC)  # when ends what lasts
_NOT_OF_THE_TARGET = ("whois-unknown", *PEER_ALERTS)  # what PoM could not learn, and what its peers suffer


def picture(db: sqlite3.Connection, config: Config, now: datetime) -> Picture:
    """The page's data: of what the config names today, what is not operational first, else in the config's order."""
    now = from_ms(to_ms(now))  # as instants are stored: so a day begins at its midnight to the digit
    stored = results.load(db)
    alerts = alert_rows.load(db)
    health = overview.health_series(config.targets.values(), stored)
    sums = reading.sums(db, health, [*WINDOWS.values(), *_back_to_midnights(now)], now)
    looks: dict[str, list[Look]] = {}
    for one in overdue.looks(db, config):
        looks.setdefault(one.target, []).append(one)
    quiet = silences.running(db, config, now)
    found = []
    for target in config.targets.values():
        states = [state for _, _, state in standing.seen_of(target, stored)]
        series = health.get(target.name)
        bare = _standing(target.name, states, looks.get(target.name, ()), now)
        bare = replace(bare, quiet_until=silences.quiet_until(quiet, target.name))
        measured = _measured(db, series[0] if series else None, sums.get(target.name, _NOTHING), now)
        found.append(replace(bare, **measured) if "health" in target.checks else bare)
    incidents, more = _incidents(db, config, list(alerts.values()), now)
    offline = alerts.get(("", "monitoring-offline"))
    return Picture(
        at=now,
        systems=tuple(sorted(found, key=lambda one: -SEVERITY[one.status])),
        incidents=incidents,
        more=more,
        offline_since=offline.since if offline and offline.open else None,
    )


def _standing(name: str, states: Sequence[State], looks: Sequence[Look], now: datetime) -> System:
    """How the target is, and how fresh that is."""
    status, since = standing.standing(states)
    known = [state.known for state in states if state.known is not None]
    seen = [one.seen_at for one in looks if one.seen_at is not None]
    return System(
        name=name,
        status=status,
        since=since,
        last_known=worst(known) if status is UNKNOWN and known else None,
        overdue=any(overdue.is_overdue(one, now) for one in looks),
        seen_at=min(seen, default=None),
    )


def _measured(db: sqlite3.Connection, series: Stored | None, sums: Sequence[Sums], now: datetime) -> dict[str, Any]:
    """What is measured of a target's health: uptime of the windows and of the days, and latency as `/api/status`."""
    since = now - timedelta(hours=24)
    by_hour = reading.latencies(db, series, since) if series else {}
    hours = range(to_ms(since) // HOUR_MS, to_ms(now) // HOUR_MS + 1)
    return {
        "uptime": tuple((name, _uptime(one, span)) for (name, span), one in zip(WINDOWS.items(), sums, strict=False)),
        "days": _days(sums[len(WINDOWS) :], now),
        "latency": tuple(median(by_hour.get(hour, ())) for hour in hours),
        "median_ms": median([ms for hour in by_hour.values() for ms in hour]),
    }


def _uptime(sums: Sums, span: timedelta) -> Uptime:
    return Uptime(span.total_seconds() * 1000, sums.known_ms, sums.up_ms)


def _back_to_midnights(now: datetime) -> list[timedelta]:
    """How long ago each of the days began, in UTC: the oldest first, today last."""
    today = timedelta(milliseconds=to_ms(now) % DAY_MS)
    return [today + timedelta(days=back) for back in range(DAYS - 1, -1, -1)]


def _days(sums: Sequence[Sums], now: datetime) -> tuple[Day, ...]:
    """Each day is what is summed up since it began, less what is since the next one did."""
    spans = _back_to_midnights(now)
    days = []
    for one, then, span, after in zip(sums, [*sums[1:], Sums()], spans, [*spans[1:], timedelta()], strict=True):
        length = (span - after).total_seconds() * 1000
        known = min(length, max(0.0, one.known_ms - then.known_ms))
        up = min(known, max(0.0, one.up_ms - then.up_ms))
        days.append(Day((now - span).date(), Uptime(length, known, up)))
    return tuple(days)


def _incidents(
    db: sqlite3.Connection, config: Config, alerts: Sequence[Alert], now: datetime
) -> tuple[tuple[Incident, ...], bool]:
    """The incidents of the last 30 days, newest first, and whether there were more."""

    def told(target: str, alert: str) -> bool:
        ours = target in config.targets and alert not in _NOT_OF_THE_TARGET
        return ours and overview.configured(config, target, alert)

    begun = now - timedelta(days=DAYS)
    lasting = [one.incident for one in alerts if one.open and one.incident is not None and told(one.target, one.alert)]
    newest = timeline.incidents(db, begun, told, _READ_AT_MOST)
    rows = reading.incidents(db, begun, list(dict.fromkeys([*lasting, *newest])))
    found = without_echoes([Incident(one.target, one.worst, one.started_at, one.ended_at) for one in rows])
    shown = [one for number, one in enumerate(found) if one.ended_at is None or number < MOST_INCIDENTS]
    return tuple(shown), len(shown) < len(found) or len(newest) == _READ_AT_MOST


def without_echoes(found: Sequence[Incident]) -> list[Incident]:
    """Without those that lie within one of the same target that was as bad or worse: it was the same trouble.

    An outage is found by several kinds of check, each with an incident of its own. The order stays.
    """
    ranked = sorted(found, key=lambda one: (SEVERITY[one.worst], (one.ended_at or _FAR) - one.started_at), reverse=True)
    kept: dict[str, list[Incident]] = {}
    for one in ranked:
        if not any(_within(one, other) for other in kept.get(one.target, ())):
            kept.setdefault(one.target, []).append(one)
    chosen = {id(one) for own in kept.values() for one in own}
    return [one for one in found if id(one) in chosen]


def _within(one: Incident, other: Incident) -> bool:
    if one.started_at < other.started_at - _SLACK:
        return False
    if other.ended_at is None:
        return True
    return one.ended_at is not None and one.ended_at <= other.ended_at + _SLACK
