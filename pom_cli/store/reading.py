"""What the views ask of the database, each bounded by the number of targets and not by the length of history."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pom_cli.frozen import dataclass
from pom_cli.model import Key, Status
from pom_cli.store.codes import status, unpack
from pom_cli.store.results import Stored
from pom_cli.store.tally import HOUR_MS, Intervals, Sums, Tally, before, held, window
from pom_cli.times import from_ms, to_ms


def sums(
    db: sqlite3.Connection,
    stored: Mapping[str, tuple[Stored, int]],
    windows: Iterable[timedelta],
    now: datetime,
    quiet: Mapping[str, Intervals] | None = None,
) -> dict[str, list[Sums]]:
    """Per name, the sums of each window that ends now. `stored` has each series with how long its status holds (ms).

    `quiet` is the maintenance of each since its newest look.
    """
    end = to_ms(now)
    starts = [to_ms(now - length) for length in windows]
    bases = [before(db, [one.id for one, _ in stored.values()], start) for start in starts]
    found = {}
    for name, (one, holds_ms) in stored.items():
        tally = one.tally or Tally(end // HOUR_MS)
        open_ = held(one.state.status, to_ms(one.state.checked_at), end, holds_ms, (quiet or {}).get(name, ()))
        pairs = zip(starts, bases, strict=True)
        found[name] = [window(tally, open_, base.get(one.id), start) for start, base in pairs]
    return found


def latencies(db: sqlite3.Connection, one: Stored, since: datetime) -> dict[int, list[int]]:
    """Latencies of good results in ms by hour (since the epoch), the running hour included."""
    return latencies_of(db, [one], since)[one.id]


def latencies_of(db: sqlite3.Connection, many: Sequence[Stored], since: datetime) -> dict[int, dict[int, list[int]]]:
    """The same of many series, by their ids, with one question to the database."""
    rows = db.execute(
        "SELECT series, hour, latencies FROM hours"
        f" WHERE series IN ({','.join('?' * len(many))}) AND hour >= ? ORDER BY series, hour",
        (*(one.id for one in many), to_ms(since) // HOUR_MS),
    )
    found: dict[int, dict[int, list[int]]] = {one.id: {} for one in many}
    for series, hour, blob in rows:
        found[series][hour] = [abs(ms) for ms in unpack(blob)]
    for one in many:
        if one.tally:
            found[one.id].setdefault(one.tally.hour, []).extend(abs(ms) for ms in one.tally.latencies)
    return found


def looked_at(db: sqlite3.Connection) -> dict[Key, datetime]:
    """When each series was last looked at."""
    rows = db.execute("SELECT target, kind, subject, checked_at FROM series JOIN states ON states.series = series.id")
    return {Key(target, kind, subject): from_ms(at) for target, kind, subject, at in rows}


def bad_looks(db: sqlite3.Connection, key: Key, since: datetime, most: int) -> int:
    """How many looks since then found it degraded, in error or unreachable; no more than `most` are counted."""
    rows = db.execute(
        "SELECT code FROM results WHERE at >= ? AND code BETWEEN 1 AND 3"
        " AND series = (SELECT id FROM series WHERE target = ? AND kind = ? AND subject = ?) ORDER BY at LIMIT ?",
        (to_ms(since), key.target, key.kind, key.subject, most),
    )
    return len(rows.fetchall())


@dataclass(frozen=True)
class Row:
    """One result of history."""

    key: Key
    status: Status
    checked_at: datetime
    latency_ms: int | None
    summary: str


def history(db: sqlite3.Connection, keys: Mapping[int, Key], since: datetime, limit: int) -> Iterator[Row]:
    """Results of these series (by number), newest first, at most `limit`; one at a time, for there may be many."""
    marks = ",".join("?" * len(keys))
    rows = db.execute(
        "SELECT series, code, at, latency, texts.text FROM results LEFT JOIN texts ON texts.id = results.text"
        f" WHERE at >= ? AND series IN ({marks}) ORDER BY at DESC, series LIMIT ?",
        (to_ms(since), *keys, limit),
    )
    for series, code, at, latency, text in rows:
        yield Row(keys[series], status(code), from_ms(at), latency, text or "")


@dataclass(frozen=True)
class Told:
    """One notice of an incident, and who got it."""

    reason: str
    at: datetime
    delivered_at: datetime | None  # when the first recipient had it
    recipients: tuple[str, ...]  # those who had it
    views: tuple[str, ...] = ()  # how the peers saw the target then, a line each


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
    # A file that this release has not written to yet is one of the release before.
    views = "views" if any(row[1] == "views" for row in db.execute("PRAGMA table_info(notices)")) else "'[]'"
    rows = db.execute(
        "SELECT incident, reason, at, (SELECT min(delivered_at) FROM outbox WHERE outbox.message = notices.message),"
        " (SELECT json_group_array(recipient) FROM outbox WHERE outbox.message = notices.message"
        f" AND state = 'delivered'), {views} FROM notices"
        " WHERE incident IN (SELECT value FROM json_each(?)) ORDER BY at",
        (json.dumps(numbers),),
    )
    found: dict[int, list[Told]] = {}
    for incident, reason, at, delivered, recipients, seen in rows:
        when = None if delivered is None else from_ms(delivered)
        told = Told(reason, from_ms(at), when, tuple(json.loads(recipients)), tuple(json.loads(seen)))
        found.setdefault(incident, []).append(told)
    return found


def first_mail(db: sqlite3.Connection, incident: int) -> str:
    """What the first message about this incident said; "" where there was none, or it is not kept any more."""
    row = db.execute(
        "SELECT body FROM notices JOIN messages ON messages.id = notices.message WHERE incident = ?"
        " ORDER BY notices.at LIMIT 1",
        (incident,),
    ).fetchone()
    return str(row[0]) if row else ""


def counts(db: sqlite3.Connection) -> dict[str, Any]:
    """Rows of each table, for prune and doctor."""
    tables = ("results", "hours", "incidents", "notices", "messages", "outbox", "runs", "texts", "series")
    return {table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}
