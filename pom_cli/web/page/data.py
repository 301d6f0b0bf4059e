"""Stored rows → what the public status page shows: plain data. Bounded by the number of targets, not by the history."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pom_cli.alerting import overdue, standing
from pom_cli.alerting.overdue import Look
from pom_cli.config import Config
from pom_cli.config.page import Announcement
from pom_cli.config.targets import Target
from pom_cli.frozen import dataclass
from pom_cli.model import OPERATIONAL, SEVERITY, UNKNOWN, Silence, State, Status, worst
from pom_cli.quantiles import median
from pom_cli.report import overview, silences
from pom_cli.store import alerts as alert_rows
from pom_cli.store import days as day_rows
from pom_cli.store import deployments, reading, results
from pom_cli.store import silences as silence_rows
from pom_cli.store.days import Totals
from pom_cli.store.results import Stored
from pom_cli.store.tally import DAY_MS, HOUR_MS, Sums, held
from pom_cli.times import from_ms, to_ms
from pom_cli.web.page.incidents import Incident, recent

DAYS = 90  # that the bars look back
WINDOWS = {"24 hours": timedelta(hours=24), "7 days": timedelta(days=7), "30 days": timedelta(days=30)}


@dataclass(frozen=True)
class Uptime:
    """Of one window: the milliseconds that it has, those in which the status was known, and those that were up."""

    length_ms: float
    known_ms: float
    up_ms: float

    @property
    def coverage(self) -> float:
        """The known share of the window, 0 to 1."""
        return min(1.0, self.known_ms / self.length_ms) if self.length_ms > 0 else 0.0

    @property
    def down_ms(self) -> float:
        return max(0.0, self.known_ms - self.up_ms)


@dataclass(frozen=True)
class Day:
    """One day of UTC; of today, the part up to now. The up time includes the degraded one."""

    date: date
    uptime: Uptime
    degraded_ms: float = 0.0
    maintenance_ms: float = 0.0
    deployments: int = 0


@dataclass(frozen=True)
class System:
    """One target. `uptime` is by window, empty (as days and latency are) where its health is not watched."""

    name: str
    label: str
    status: Status
    since: datetime | None = None
    last_known: Status | None = None  # of an unknown one: what it was before
    overdue: bool = False  # its own checks do not run as they should
    seen_at: datetime | None = None  # the newest look at what was looked at longest ago
    maintenance_until: datetime | None = None  # it is silenced as a whole
    uptime: tuple[tuple[str, Uptime], ...] = ()
    days: tuple[Day, ...] = ()  # oldest first, today last
    latency: tuple[float | None, ...] = ()  # median in ms by the hour, oldest first, the running hour last
    median_ms: float | None = None  # of all good answers in those hours


@dataclass(frozen=True)
class Picture:
    """All that the page shows. `more`: there were older incidents than those that are listed."""

    at: datetime
    systems: tuple[System, ...]
    incidents: tuple[Incident, ...] = ()
    more: bool = False
    offline_since: datetime | None = None  # the monitor's own network is down since then
    title: str = ""
    home: str = ""
    contact: str = ""
    announcements: tuple[Announcement, ...] = ()  # current and future ones, the nearest first

    @property
    def bad(self) -> tuple[System, ...]:
        """Known not to be operational, and not under maintenance."""
        return tuple(one for one in self.systems if not one.maintenance_until and one.status not in _FINE)

    @property
    def unknown(self) -> tuple[System, ...]:
        return tuple(one for one in self.systems if not one.maintenance_until and one.status is UNKNOWN)

    @property
    def maintained(self) -> tuple[System, ...]:
        return tuple(one for one in self.systems if one.maintenance_until)

    @property
    def overdue(self) -> tuple[System, ...]:
        return tuple(one for one in self.systems if one.overdue)


_FINE = (OPERATIONAL, UNKNOWN)


def picture(db: sqlite3.Connection, config: Config, now: datetime) -> Picture:
    """The page's data: of what the config names today, what is not operational first, else in the config's order."""
    now = from_ms(to_ms(now))  # as instants are stored: so a day begins at its midnight to the digit
    alerts = alert_rows.load(db)
    incidents, more = recent(db, config, list(alerts.values()), now)
    offline = alerts.get(("", "monitoring-offline"))
    found = sorted(systems(db, config, now), key=_rank)
    return Picture(
        at=now,
        systems=tuple(found),
        incidents=incidents,
        more=more,
        offline_since=offline.since if offline and offline.open else None,
        title=config.page.title,
        home=config.page.home,
        contact=config.page.contact,
        announcements=tuple(sorted(one for one in config.page.announcements if now < one.until)),
    )


def _rank(one: System) -> int:
    return -SEVERITY[OPERATIONAL if one.maintenance_until else one.status]


def systems(db: sqlite3.Connection, config: Config, now: datetime) -> list[System]:
    """Every target of the config, in its order."""
    stored = results.load(db)
    health = overview.health_series(config.targets.values(), stored)
    sums = reading.sums(db, health, WINDOWS.values(), now)
    totals = _totals(db, config, health, now)
    deployed = _deployed(db, now)
    quiet = _quiet(db, config, now)
    looks: dict[str, list[Look]] = {}
    for one in overdue.looks(db, config):
        looks.setdefault(one.target, []).append(one)
    found = []
    for target in config.targets.values():
        bare = _standing(target, stored, looks.get(target.name, ()), quiet, now)
        if "health" in target.checks:
            series = health.get(target.name)
            known = totals.get(series[0].id, {}) if series else {}
            days = _days(known, deployed.get(target.name, {}), now)
            windows = sums.get(target.name, [Sums()] * len(WINDOWS))
            bare = replace(bare, days=days, **_measured(db, series[0] if series else None, windows, days, now))
        found.append(bare)
    return found


def _standing(
    target: Target, stored: Mapping[Any, Stored], looks: Sequence[Look], quiet: Sequence[Silence], now: datetime
) -> System:
    """How the target is, and how fresh that is."""
    states: list[State] = [state for _, _, state in standing.seen_of(target, stored)]
    status, since = standing.standing(states)
    known = [state.known for state in states if state.known is not None]
    seen = [one.seen_at for one in looks if one.seen_at is not None]
    return System(
        name=target.name,
        label=target.label or target.name,
        status=status,
        since=since,
        last_known=worst(known) if status is UNKNOWN and known else None,
        overdue=any(overdue.is_overdue(one, now) for one in looks),
        seen_at=min(seen, default=None),
        maintenance_until=max((one.until for one in quiet if one.target in ("*", target.name)), default=None),
    )


def _quiet(db: sqlite3.Connection, config: Config, now: datetime) -> list[Silence]:
    """The active silences of whole targets, or of their health: only these are maintenance for visitors."""
    windows = filter(None, (window.opened(now) for window in config.silences))
    return [one for one in [*silence_rows.load(db, now), *windows] if one.kind in ("", "health") and one.covers(now)]


def _measured(
    db: sqlite3.Connection, series: Stored | None, sums: Sequence[Sums], days: Sequence[Day], now: datetime
) -> dict[str, Any]:
    """What is measured of a target's health: uptime of the windows, and latency as in `/api/status`."""
    since = now - timedelta(hours=24)
    by_hour = reading.latencies(db, series, since) if series else {}
    hours = range(to_ms(since) // HOUR_MS, to_ms(now) // HOUR_MS + 1)
    windows = [(name, Uptime(span.total_seconds() * 1000, one.known_ms, one.up_ms))
               for (name, span), one in zip(WINDOWS.items(), sums, strict=True)]  # fmt: skip
    whole = [day.uptime for day in days]
    all_days = Uptime(
        sum(one.length_ms for one in whole), sum(one.known_ms for one in whole), sum(one.up_ms for one in whole)
    )
    return {
        "uptime": (*windows, (f"{DAYS} days", all_days)),
        "latency": tuple(median(by_hour.get(hour, ())) for hour in hours),
        "median_ms": median([ms for hour in by_hour.values() for ms in hour]),
    }


def _totals(
    db: sqlite3.Connection, config: Config, health: Mapping[str, tuple[Stored, int]], now: datetime
) -> dict[int, dict[int, Totals]]:
    end, quiet = to_ms(now), silences.since_looked(db, config, health, now)
    running = {
        one.id: held(one.state.status, to_ms(one.state.checked_at), end, holds_ms, quiet[name])
        for name, (one, holds_ms) in health.items()
    }
    return day_rows.load(db, end // DAY_MS - DAYS + 1, running)


def _deployed(db: sqlite3.Connection, now: datetime) -> dict[str, dict[date, int]]:
    """How often each target was deployed, by day."""
    found: dict[str, dict[date, int]] = {}
    for one in deployments.since(db, now - timedelta(days=DAYS), now):
        own, day = found.setdefault(one.target, {}), one.at.astimezone(UTC).date()
        own[day] = own.get(day, 0) + 1
    return found


def _days(known: Mapping[int, Totals], deployed: Mapping[date, int], now: datetime) -> tuple[Day, ...]:
    today, end = to_ms(now) // DAY_MS, to_ms(now)
    found = []
    for number in range(today - DAYS + 1, today + 1):
        one, length = known.get(number, Totals()), min(DAY_MS, end - number * DAY_MS)
        seen = min(length, one.known_ms)
        up, on = min(seen, one.up_ms), from_ms(number * DAY_MS).date()
        uptime = Uptime(length, seen, up)
        maintenance = min(length - seen, one.maintenance_ms)
        found.append(Day(on, uptime, min(up, one.degraded_ms), maintenance, deployed.get(on, 0)))
    return tuple(found)
