"""What is tried again: mail that was given up, or that moved to another channel and reached nobody there."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pom_cli.store.outbox import GIVEN_UP, MOVED, QUEUED
from pom_cli.times import to_ms


def everything(db: sqlite3.Connection, now: datetime) -> int:
    """Try now all that is undelivered, from its first channel on; returns the number of rows."""
    started = _start_over(db, now, "")
    hastened = "UPDATE outbox SET next_at = ? WHERE state = 'queued' AND lease IS NULL AND next_at > ?"
    return started + _requeue(db, now, "") + db.execute(hastened, (to_ms(now), to_ms(now))).rowcount


def changed(db: sqlite3.Connection, now: datetime, channel: str, credentials: str) -> int:
    """Queue again what this channel gave up, or passed on in vain, with other credentials than these."""
    where = " AND channel = ? AND credentials <> ?"
    return _start_over(db, now, where, channel, credentials) + _requeue(db, now, where, channel, credentials)


def due(db: sqlite3.Connection, now: datetime, channels: Sequence[str]) -> int:
    """Queue again what was given up an hour ago, or by a channel that is not in use any more."""
    names = ",".join("?" * len(channels))
    ripe = f"(%s.next_at <= ? OR %s.channel NOT IN ({names}))"
    values = (to_ms(now), *channels)
    last = ripe.replace("%s", "outbox")
    later = (
        " AND EXISTS (SELECT 1 FROM outbox AS later WHERE later.message = outbox.message AND later.id > outbox.id"
        f" AND later.state = 'given_up' AND {ripe.replace('%s', 'later')})"
    )
    return _start_over(db, now, later, *values) + _requeue(db, now, f" AND {last}", *values)


def reached(db: sqlite3.Connection, now: datetime, channel: str, recipient: str) -> int:
    """This channel has just delivered to this recipient: queue again what it gave up there, or passed on in vain."""
    where = " AND channel = ? AND recipient = ?"
    return _start_over(db, now, where, channel, recipient) + _requeue(db, now, where, channel, recipient)


def _requeue(db: sqlite3.Connection, now: datetime, where: str, *values: Any) -> int:
    sql = f"UPDATE outbox SET state = 'queued', next_at = ? WHERE state = 'given_up'{where}"
    return db.execute(sql, (to_ms(now), *values)).rowcount


def _start_over(db: sqlite3.Connection, now: datetime, where: str, *values: Any) -> int:
    """Queue again what moved on to other channels and has reached nobody there; their own rows of it go."""
    starts: list[int] = []
    carriers: set[int] = set()
    moved = f"SELECT id, message, recipient FROM outbox WHERE state = 'moved'{where} ORDER BY id"
    for row, message, recipient in db.execute(moved, values).fetchall():
        later = _carriers(db, row, message, recipient)
        states = {*later.values()}
        if row not in carriers and states & {QUEUED, GIVEN_UP} and states <= {QUEUED, GIVEN_UP, MOVED}:
            starts.append(row)
            carriers |= later.keys()
    db.executemany("DELETE FROM outbox WHERE id = ?", [(row,) for row in carriers])
    db.executemany(
        "UPDATE outbox SET state = 'queued', next_at = ? WHERE id = ?", [(to_ms(now), row) for row in starts]
    )
    return len(starts)


def _carriers(db: sqlite3.Connection, row: int, message: str, recipient: str) -> dict[int, str]:
    """The rows that took this one over, and their states; "busy" for one that may be arriving just now."""
    rows = db.execute(
        "SELECT id, CASE WHEN state = 'queued' AND (lease IS NOT NULL OR unsure) THEN 'busy' ELSE state END FROM outbox"
        " WHERE message = ? AND id > ? AND (recipient = ? OR instr(recipient, '@') = 0 OR instr(?, '@') = 0)",
        (message, row, recipient, recipient),
    )
    return dict(rows.fetchall())
