"""Deleting what is old and what the config no longer names, in small bites, so that no other process waits long."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from pom_cli.errors import StoreError
from pom_cli.frozen import dataclass
from pom_cli.model import Key
from pom_cli.store import connect, days, ledger, steady, testruns, transaction
from pom_cli.store.tally import DAY_MS, HOUR_MS
from pom_cli.times import to_ms

BITE = 2_000  # rows a transaction: a few milliseconds
BALLAST = 1 << 20  # bytes that prune may give up on a full disk: deleting needs room for its journal
_ROLLUPS = timedelta(days=31)  # uptime looks back 30 days, however short the retention


class ClockDoubtError(StoreError):
    """This host's clock may be ahead: deleting by it could take everything."""


@dataclass(frozen=True)
class Pruned:
    """What prune deleted: rows of every table, and the bytes of the file that are free to be used again."""

    rows: int
    bytes: int


def prune(
    path: Path,
    now: datetime,
    retention: timedelta,
    series_kept: Callable[[Key], bool],
    alert_kept: Callable[[str, str], bool],
    pause: Callable[[], None],
) -> Pruned:
    """Delete history older than `retention` and what is not kept. `pause` runs between bites, for others to write.

    Raises ClockDoubtError, nothing deleted, where a clock that is ahead may be all that makes the history old.
    """
    ballast = path.with_name("ballast")
    with _opened(path) as db:
        if doubt := steady.doubt(db, now, retention):
            raise ClockDoubtError(f"{path}: nothing deleted: {doubt}")
        before = _free(db)
        try:
            rows = _all(db, now, retention, series_kept, alert_kept, pause)
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorname", "") != "SQLITE_FULL" or not ballast.exists():
                raise
            ballast.unlink()
            rows = _all(db, now, retention, series_kept, alert_kept, pause)
            return Pruned(rows, max(0, _free(db) - before))  # the room is left to the runs; the next prune takes it
        freed = max(0, _free(db) - before)
    _keep_ballast(ballast)
    return Pruned(rows, freed)


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    db = connect(path)
    try:
        yield db
    finally:
        db.close()


def _free(db: sqlite3.Connection) -> int:
    pages, size = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("freelist_count", "page_size"))
    return int(pages * size)


def _keep_ballast(ballast: Path) -> None:
    if not ballast.exists():
        try:
            ballast.write_bytes(b"\0" * BALLAST)
        except OSError:
            ballast.unlink(missing_ok=True)  # no room for it now: the next prune tries again


def _all(
    db: sqlite3.Connection,
    now: datetime,
    retention: timedelta,
    series_kept: Callable[[Key], bool],
    alert_kept: Callable[[str, str], bool],
    pause: Callable[[], None],
) -> int:
    old = to_ms(now - retention)
    rollups = to_ms(now - max(retention, _ROLLUPS))
    gone = [
        (number,)
        for number, *names in db.execute("SELECT id, target, kind, subject FROM series").fetchall()
        if not series_kept(Key(*names))
    ]
    rows = 0
    for bite in _bites(db, old, rollups, now):
        rows += bite
        pause()
    for (number,) in gone:
        rows += _forget(db, number, pause)
    with transaction(db):
        rows += testruns.forget(db, now - retention, lambda target: series_kept(Key(target, "tests", "")))
        for target, alert in db.execute("SELECT target, alert FROM alerts").fetchall():
            if not alert_kept(target, alert):
                # Closed without a word: the operator took it off the list.
                db.execute("UPDATE incidents SET ended_at = ? WHERE ended_at IS NULL AND target = ? AND alert = ?",
                           (to_ms(now), target, alert))  # fmt: skip
                rows += ledger.forget(db, target, alert)
                rows += db.execute("DELETE FROM alerts WHERE target = ? AND alert = ?", (target, alert)).rowcount
    return rows


def _bites(db: sqlite3.Connection, old: int, rollups: int, now: datetime) -> Iterator[int]:
    """Delete what is older in small batches; yields the number of rows of each."""
    finished = "state IN ('delivered', 'moved', 'given_up', 'withdrawn')"
    deletions = (
        ("results", "(at, series)", "at < ?", old),
        ("hours", "(series, hour)", "hour < ?", rollups // HOUR_MS),
        ("days", "(series, day)", "day < ?", to_ms(now - days.KEPT) // DAY_MS),
        ("runs", "id", "started_at < ?", old),
        ("silences", "id", "until < ?", old),
        ("incidents", "id", "ended_at IS NOT NULL AND ended_at < ?", old),
        ("notices", "id", "at < ?", old),
        ("deployments", "id", "at < ?", old),
        ("acks", "(target, alert)", "at < ? AND NOT EXISTS (SELECT 1 FROM incidents WHERE id = acks.incident)", old),
        ("outbox", "id", f"{finished} AND created_at < ?", old),
        ("caught", "rowid", "at < ?", old),
        ("messages", "id", "at < ? AND NOT EXISTS (SELECT 1 FROM outbox WHERE message = messages.id)", old),
        # Its day of newest use is noted once a day, so one day more is sure to be over.
        ("texts", "id", "used_on < ?", old // DAY_MS - 1),
    )
    for table, key, where, value in deletions:
        while rows := _bite(db, table, key, where, value):
            yield rows


def _bite(db: sqlite3.Connection, table: str, key: str, where: str, value: int) -> int:
    with transaction(db):
        sql = f"DELETE FROM {table} WHERE {key} IN (SELECT {key.strip('()')} FROM {table} WHERE {where} LIMIT {BITE})"
        return db.execute(sql, (value,)).rowcount


def _forget(db: sqlite3.Connection, series: int, pause: Callable[[], None]) -> int:
    """Delete all about one series. Its results lie scattered by time: each bite reads on from where the last ended."""
    rows, place = 0, 0
    while True:
        with transaction(db):
            # A stretch of time, not a number of hits: the scan is what others would wait for.
            found = db.execute("SELECT at FROM results WHERE at >= ? ORDER BY at LIMIT 1 OFFSET ?", (place, 10 * BITE))
            end = (found.fetchone() or (None,))[0]
            until = "" if end is None else " AND at < ?"
            values = (place, series) if end is None else (place, series, end)
            sql = f"DELETE FROM results WHERE at >= ? AND series = ?{until}"
            rows += db.execute(sql, values).rowcount
        pause()
        # A run's rows share one instant, so a stretch may end where it began: then it grows past it.
        if end is None:
            break
        place = end if end > place else place + 1
    with transaction(db):
        for table, column in (("hours", "series"), ("days", "series"), ("states", "series"), ("series", "id")):
            rows += db.execute(f"DELETE FROM {table} WHERE {column} = ?", (series,)).rowcount
    return rows
