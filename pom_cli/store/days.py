"""A day's totals of health, for the status page: small enough to be kept long after the hours are gone."""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from pom_cli.frozen import dataclass
from pom_cli.store import has_table
from pom_cli.store.tally import DAY_MS, HOUR_MS, Span

KEPT = timedelta(days=400)
_DAY_H = DAY_MS // HOUR_MS


@dataclass(frozen=True)
class Totals:
    """Milliseconds of one day of UTC: known, of these up, of these degraded; and those of maintenance, beside them."""

    known_ms: int = 0
    up_ms: int = 0
    degraded_ms: int = 0
    maintenance_ms: int = 0


def add(db: sqlite3.Connection, series: int, spans: Iterable[Span]) -> None:
    """Add the time that a status covered."""
    for day, one in of_spans(spans).items():
        db.execute(
            "INSERT INTO days (series, day, known_ms, up_ms, degraded_ms, maintenance_ms) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET known_ms = known_ms + excluded.known_ms, up_ms = up_ms + excluded.up_ms,"
            " degraded_ms = degraded_ms + excluded.degraded_ms,"
            " maintenance_ms = maintenance_ms + excluded.maintenance_ms",
            (series, day, one.known_ms, one.up_ms, one.degraded_ms, one.maintenance_ms),
        )


def of_spans(spans: Iterable[Span]) -> dict[int, Totals]:
    """The totals of these spans, by day since the epoch."""
    found: dict[int, Totals] = {}
    for one in spans:
        day = one.hour // _DAY_H
        found[day] = _sum(found.get(day, Totals()), Totals(one.known_ms, one.up_ms, one.degraded_ms, one.quiet_ms))
    return found


def load(db: sqlite3.Connection, first: int, running: Mapping[int, Sequence[Span]]) -> dict[int, dict[int, Totals]]:
    """By series and day, from the day `first` on. `running`: by series, the time since its newest look."""
    found = {series: of_spans(spans) for series, spans in running.items()}
    if not has_table(db, "days"):
        return found
    rows = db.execute(
        "SELECT series, day, known_ms, up_ms, degraded_ms, maintenance_ms FROM days"
        " WHERE series IN (SELECT value FROM json_each(?)) AND day >= ?",
        (json.dumps(list(running)), first),
    )
    for series, day, *numbers in rows:
        found[series][day] = _sum(found[series].get(day, Totals()), Totals(*numbers))
    return found


def _sum(one: Totals, other: Totals) -> Totals:
    return Totals(
        one.known_ms + other.known_ms,
        one.up_ms + other.up_ms,
        one.degraded_ms + other.degraded_ms,
        one.maintenance_ms + other.maintenance_ms,
    )
