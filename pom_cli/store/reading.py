"""What the views ask of the database, each bounded by the number of targets and not by the length of history."""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pom_cli.model import Key, Status
from pom_cli.store.codes import status, unpack
from pom_cli.store.results import DAY_MS, HOUR_MS, Stored, held
from pom_cli.times import from_ms, to_ms


@dataclass(frozen=True)
class Sums:
    """Of one window: milliseconds in which the status was known, and in which it was up."""

    known_ms: float = 0
    up_ms: float = 0

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(self.known_ms + other.known_ms, self.up_ms + other.up_ms)


def sums(
    db: sqlite3.Connection, stored: Mapping[str, tuple[Stored, int]], window: timedelta, now: datetime
) -> dict[str, Sums]:
    """Per name, the sums of the window, a day or longer, that ends now.

    `stored` has each series with how long its status holds (ms).
    """
    end, start = to_ms(now), to_ms(now - window)
    first = start // HOUR_MS
    found = {one.id: Sums() for one, _ in stored.values()}
    marks = ",".join("?" * len(found))
    first_day, last_day = -(-(first + 1) // 24), end // DAY_MS
    # The hour in which the window begins counts as far as it lies inside; then hours up to midnight, days, hours.
    inside = 1 - (start % HOUR_MS) / HOUR_MS
    parts = (
        ("hours", "hour", first, first + 1, inside),
        ("hours", "hour", first + 1, first_day * 24, 1.0),
        ("days", "day", first_day, last_day, 1.0),
        ("hours", "hour", last_day * 24, end // HOUR_MS + 1, 1.0),
    )
    for table, unit, low, high, share in parts:
        rows = db.execute(
            f"SELECT series, sum(known_ms), sum(up_ms) FROM {table}"
            f" WHERE series IN ({marks}) AND {unit} >= ? AND {unit} < ? GROUP BY series",
            (*found, low, high),
        )
        for series, known, up in rows:
            found[series] += Sums(known * share, up * share)
    return {name: found[one.id] + _running(one, holds_ms, start, end) for name, (one, holds_ms) in stored.items()}


def _running(one: Stored, holds_ms: int, start: int, end: int) -> Sums:
    """What is not in the tables yet: the running hour, and the time since the newest look."""
    spans = [one.tally] if one.tally else []
    spans += held(one.state.status, to_ms(one.state.checked_at), end, holds_ms)
    total = Sums()
    for span in spans:
        begin = span.hour * HOUR_MS
        inside = min(1.0, max(0.0, (begin + HOUR_MS - start) / HOUR_MS))
        total += Sums(span.known_ms * inside, span.up_ms * inside)
    return total


def latencies(db: sqlite3.Connection, one: Stored, since: datetime) -> dict[int, list[int]]:
    """Latencies of good results in ms by hour (since the epoch), the running hour included."""
    rows = db.execute(
        "SELECT hour, latencies FROM hours WHERE series = ? AND hour >= ? ORDER BY hour",
        (one.id, to_ms(since) // HOUR_MS),
    )
    found = {hour: [abs(ms) for ms in unpack(blob)] for hour, blob in rows}
    if one.tally:
        found.setdefault(one.tally.hour, []).extend(abs(ms) for ms in one.tally.latencies)
    return found


@dataclass(frozen=True)
class Row:
    """One result of history."""

    key: Key
    status: Status
    checked_at: datetime
    latency_ms: int | None
    summary: str


def history(db: sqlite3.Connection, keys: Mapping[int, Key], since: datetime, limit: int) -> list[Row]:
    """Results of these series (by number), newest first, at most `limit`."""
    marks = ",".join("?" * len(keys))
    rows = db.execute(
        "SELECT series, code, at, latency, texts.text FROM results LEFT JOIN texts ON texts.id = results.text"
        f" WHERE at >= ? AND series IN ({marks}) ORDER BY at DESC, series LIMIT ?",
        (to_ms(since), *keys, limit),
    )
    return [
        Row(keys[series], status(code), from_ms(at), latency, text or "") for series, code, at, latency, text in rows
    ]


@dataclass(frozen=True)
class Told:
    """One notice of an incident, and who got it."""

    reason: str
    at: datetime
    delivered_at: datetime | None  # when the first recipient had it
    recipients: tuple[str, ...]  # those who had it


@dataclass(frozen=True)
class Incident:
    """One problem from its start to its end, None while it lasts."""

    id: int
    target: str
    alert: str
    started_at: datetime
    ended_at: datetime | None
    worst: Status
    summary: str
    told: tuple[Told, ...]


def incidents(db: sqlite3.Connection, since: datetime, only: Iterable[int] | None = None) -> list[Incident]:
    """The incidents that lasted into or began after `since`, newest first; or those of these numbers."""
    where, values = "WHERE ended_at IS NULL OR ended_at >= ?", [to_ms(since)]
    if only is not None:
        values = list(only)
        where = f"WHERE id IN ({','.join('?' * len(values))})"
    rows = db.execute(
        "SELECT id, target, alert, started_at, ended_at, worst, summary FROM incidents"
        f" {where} ORDER BY started_at DESC, id DESC",
        values,
    ).fetchall()
    told = _told(db, [row[0] for row in rows])
    return [
        Incident(
            id=row[0],
            target=row[1],
            alert=row[2],
            started_at=from_ms(row[3]),
            ended_at=None if row[4] is None else from_ms(row[4]),
            worst=status(row[5]),
            summary=row[6],
            told=tuple(told.get(row[0], ())),
        )
        for row in rows
    ]


def _told(db: sqlite3.Connection, numbers: list[int]) -> dict[int, list[Told]]:
    rows = db.execute(
        "SELECT incident, reason, at, (SELECT min(delivered_at) FROM outbox WHERE outbox.message = notices.message),"
        " (SELECT json_group_array(recipient) FROM outbox WHERE outbox.message = notices.message"
        " AND state = 'delivered') FROM notices WHERE incident IN (SELECT value FROM json_each(?)) ORDER BY at",
        (json.dumps(numbers),),
    )
    found: dict[int, list[Told]] = {}
    for incident, reason, at, delivered, recipients in rows:
        when = None if delivered is None else from_ms(delivered)
        found.setdefault(incident, []).append(Told(reason, from_ms(at), when, tuple(json.loads(recipients))))
    return found


def counts(db: sqlite3.Connection) -> dict[str, Any]:
    """Rows of each table, for prune and doctor."""
    tables = ("results", "hours", "days", "incidents", "notices", "messages", "outbox", "runs", "texts", "series")
    return {table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}
