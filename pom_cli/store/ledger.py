"""The ledger: what each recipient last got about each (target, kind of alert), and what is on its way to them.

What was delivered is a row, written in the transaction that marks the mail delivered. What is pending or was given up
is not written a second time: it is read from the outbox and the notices of its messages.
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from pom_cli.model import IN_DOUBT, IN_FLIGHT, OPERATIONAL, UNDELIVERED, WAITING, Announced, Entry, Pending
from pom_cli.store.codes import maybe_status, status
from pom_cli.times import from_ms, to_ms

# A problem counts from the first notice of it that arrived.
_LINE = (
    "INSERT INTO ledger (recipient, target, alert, told, subjects, days, reason, first_at, last_at, provider_id)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET told = excluded.told,"
    " subjects = excluded.subjects, days = excluded.days, reason = excluded.reason, first_at ="
    " CASE WHEN excluded.told IS NULL OR told IS NULL THEN excluded.first_at ELSE first_at END,"
    " last_at = excluded.last_at, provider_id = excluded.provider_id"
)

_PROGRESS = (IN_FLIGHT, IN_DOUBT, WAITING, UNDELIVERED)

Book = dict[tuple[str, str], dict[str, Entry]]  # by (target, kind of alert), then by recipient

# Does the row `later` carry a message to the recipient of `first`: it is the same, or took it over on another channel.
CARRIES = (
    "later.message = first.message AND (later.id = first.id OR (first.state = 'moved' OR first.passed_on)"
    " AND later.id > first.id AND (later.recipient = first.recipient OR instr(later.recipient, '@') = 0"
    " OR instr(first.recipient, '@') = 0))"
)


def load(db: sqlite3.Connection) -> Book:
    """Every line of the ledger."""
    book: Book = {}
    if not _is_there(db):
        return book  # a file that this release has not written to yet is one of the release before
    rows = db.execute("SELECT target, alert, recipient, told, subjects, days, first_at, last_at FROM ledger")
    for target, alert, recipient, told, subjects, days, first_at, last_at in rows:
        known = Announced(
            maybe_status(told),
            tuple(json.loads(subjects)),
            days,
            None if first_at is None else from_ms(first_at),
            from_ms(last_at),
        )
        book.setdefault((target, alert), {})[recipient] = Entry(known)
    for target, alert, recipient, pending in _pending(db):
        entries = book.setdefault((target, alert), {})
        before = entries.get(recipient, Entry())
        entries[recipient] = Entry(before.told, _both(before.pending, pending))
    return book


def _is_there(db: sqlite3.Connection) -> bool:
    return bool(db.execute("SELECT 1 FROM sqlite_master WHERE name = 'ledger'").fetchone())


def _both(older: Pending | None, newer: Pending) -> Pending:
    """Of two the newer says the level; where either may have arrived, neither can be withdrawn."""
    if older is None:
        return newer
    progress = min(older.progress, newer.progress, key=_PROGRESS.index)
    return replace(newer, progress=progress, rows=tuple(sorted({*older.rows, *newer.rows})))


def _pending(db: sqlite3.Connection) -> Iterable[tuple[str, str, str, Pending]]:
    """Each notice that has not reached a recipient, oldest first."""
    rows = db.execute(
        "SELECT notices.target, notices.alert, first.recipient, notices.now, notices.subjects, notices.days,"
        " notices.at, min(CASE WHEN later.lease IS NOT NULL THEN 0 WHEN later.unsure THEN 1"
        " WHEN later.state = 'queued' THEN 2 ELSE 3 END), json_group_array(later.id) FROM outbox AS first"
        f" JOIN outbox AS later ON later.state IN ('queued', 'given_up') AND {CARRIES}"
        " JOIN notices ON notices.message = first.message WHERE first.state <> 'delivered'"
        " GROUP BY first.recipient, notices.id ORDER BY first.id"
    )
    for target, alert, recipient, now, subjects, days, at, progress, ids in rows.fetchall():
        level = Pending(
            status(now),
            tuple(json.loads(subjects)),
            days,
            from_ms(at),
            _PROGRESS[progress],
            tuple(sorted(set(json.loads(ids)))),
        )
        yield target, alert, recipient, level


def note(db: sqlite3.Connection, row: int, provider_id: str, now: datetime) -> None:
    """This outbox row was delivered: record its content for every recipient it covers.

    What else was on its way to them with this message need not arrive any more.
    """
    told = db.execute(
        "SELECT DISTINCT first.recipient, notices.target, notices.alert, reason, notices.now, subjects, days"
        f" FROM outbox AS later JOIN outbox AS first ON {CARRIES} JOIN notices ON notices.message = later.message"
        " WHERE later.id = ? ORDER BY notices.at",
        (row,),
    )
    lines = [
        (*key, None, "[]", None, reason, None, to_ms(now), provider_id)
        if status(level) is OPERATIONAL
        else (*key, level, subjects, days, reason, to_ms(now), to_ms(now), provider_id)
        for *key, reason, level, subjects, days in told.fetchall()
    ]
    db.executemany(_LINE, lines)
    db.execute(
        "UPDATE outbox SET state = 'moved' WHERE state IN ('queued', 'given_up') AND lease IS NULL AND id IN"
        f" (SELECT sibling.id FROM outbox AS later JOIN outbox AS first ON {CARRIES} JOIN outbox AS sibling"
        " ON sibling.message = first.message AND sibling.recipient = first.recipient WHERE later.id = ?)",
        (row,),
    )


def withdraw(db: sqlite3.Connection, rows: Iterable[int]) -> None:
    """Take back what waits or was given up: something newer is so. What proves a fault stays, as a row that is over."""
    ids = json.dumps(sorted(rows))
    chosen = "id IN (SELECT value FROM json_each(?)) AND state IN ('queued', 'given_up') AND lease IS NULL"
    messages = [name for (name,) in db.execute(f"SELECT DISTINCT message FROM outbox WHERE {chosen}", (ids,))]
    db.execute(f"UPDATE outbox SET state = 'withdrawn' WHERE credentials <> '' AND {chosen}", (ids,))
    db.execute(f"DELETE FROM outbox WHERE {chosen}", (ids,))
    db.executemany(
        "DELETE FROM notices WHERE message = ?1 AND NOT EXISTS"
        " (SELECT 1 FROM outbox WHERE message = ?1 AND state NOT IN ('withdrawn', 'moved'))",
        [(name,) for name in messages],
    )


def withdraw_strangers(db: sqlite3.Connection, recipients: Sequence[str]) -> None:
    """Withdraw what waits for recipients no longer in the config; the others get the current state."""
    rows = db.execute(
        "SELECT id FROM outbox WHERE state IN ('queued', 'given_up') AND lease IS NULL"
        " AND recipient NOT IN (SELECT value FROM json_each(?))",
        (json.dumps(list(recipients)),),
    ).fetchall()
    if rows:
        withdraw(db, [row for (row,) in rows])


def forget(db: sqlite3.Connection, target: str, alert: str) -> int:
    """Delete all entries of this alert; returns the number of rows."""
    return db.execute("DELETE FROM ledger WHERE target = ? AND alert = ?", (target, alert)).rowcount


def catch(db: sqlite3.Connection, target: str, alert: str, summary: str, now: datetime) -> None:
    """Keep what the net found, for doctor."""
    db.execute("INSERT INTO caught (at, target, alert, summary) VALUES (?, ?, ?, ?)",
               (to_ms(now), target, alert, summary))  # fmt: skip


def caught(db: sqlite3.Connection, since: datetime) -> list[str]:
    """What the net found since then, a line each, oldest first."""
    if not _is_there(db):
        return []
    return [line for (line,) in db.execute("SELECT summary FROM caught WHERE at >= ? ORDER BY at", (to_ms(since),))]
