"""The outbox: one row for each message and recipient, claimed by a lease, delivered only with the provider's id."""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pom_cli.frozen import dataclass
from pom_cli.model import Mail
from pom_cli.store import ledger
from pom_cli.times import AHEAD, from_ms, to_ms

QUEUED, GIVEN_UP, MOVED = "queued", "given_up", "moved"  # and "delivered" and "withdrawn", which end it
LEASE = timedelta(minutes=2)  # well over the longest that a channel may take
PATIENCE = timedelta(minutes=15)  # with passing faults, until the next channel tries as well
# What was given up is tried again after an hour, and after ten minutes the first time: a refusal may have been a slip
# of the provider's. Half a minute less, so that the jitter of the timers costs no whole beat.
AGAIN = timedelta(minutes=59, seconds=30)
SECOND_CHANCE = timedelta(minutes=9, seconds=30)
DOUBT = timedelta(minutes=15)  # so long the provider is asked about a mail that may have arrived; then it is sent
# The oldest of every recipient, then the second of each.
_IN_TURN = "row_number() OVER (PARTITION BY channel, recipient ORDER BY row), row"


@dataclass(frozen=True)
class Row:
    """One outbox row as the outbox's own logic sees it."""

    id: int
    message: str
    recipient: str
    channel: str
    state: str
    created_at: datetime
    attempts: int
    next_at: datetime
    error: str | None
    credentials: str
    delivered_at: datetime | None
    subject: str


def add_message(
    db: sqlite3.Connection, message: str, subject: str, body: str, payload: Mapping[str, Any], now: datetime
) -> None:
    text = json.dumps(payload, allow_nan=False, ensure_ascii=False)
    db.execute(
        "INSERT INTO messages (id, at, subject, body, payload) VALUES (?, ?, ?, ?, ?)",
        (message, to_ms(now), subject, body, text),
    )


def enqueue(db: sqlite3.Connection, message: str, channel: str, recipients: Sequence[str], now: datetime) -> None:
    """A row for each recipient; one that is there already stays as it is."""
    at = to_ms(now)
    db.executemany(
        "INSERT OR IGNORE INTO outbox (message, recipient, channel, state, created_at, next_at)"
        " VALUES (?, ?, ?, 'queued', ?, ?)",
        [(message, recipient, channel, at, at) for recipient in recipients],
    )


def claim(db: sqlite3.Connection, lease: str, now: datetime, most: int = 500) -> dict[str, list[Mail]]:
    """Due rows that nobody holds, now held by `lease`, by channel, oldest first. In the caller's transaction.

    Older rows for the same recipient are claimed too, and rows newer than one in flight to that recipient wait, so that
    mails arrive in order. Recipients are served round-robin, so that one who rejects mail for now does not delay the
    others. A row taken over from a lease that ran out, or whose last try got no answer, may have
    arrived: `Mail.unsure`. A lease, or a wait, that began in the future is void (`times.holds`).
    """
    at = to_ms(now)
    db.execute(
        "WITH free AS (SELECT id AS row, channel, recipient, next_at, ifnull(tried_at, created_at) AS begun"
        " FROM outbox WHERE state = 'queued'"
        " AND (lease IS NULL OR NOT lease_until BETWEEN :at + 1 AND :until + :ahead)"
        " AND NOT EXISTS (SELECT 1 FROM outbox AS older WHERE older.state = 'queued'"
        " AND older.recipient = outbox.recipient AND older.id < outbox.id"
        " AND older.lease_until BETWEEN :at + 1 AND :until + :ahead)),"
        " due AS (SELECT channel, recipient, max(row) AS newest FROM free"
        " WHERE next_at <= :at OR begun > :at + :ahead GROUP BY channel, recipient)"
        " UPDATE outbox SET lease = :lease, lease_until = :until, attempts = attempts + 1,"
        " unsure_at = CASE WHEN unsure OR lease IS NOT NULL THEN ifnull(unsure_at, :at) END,"
        " unsure = unsure OR lease IS NOT NULL WHERE id IN (SELECT row FROM free JOIN due USING (channel, recipient)"
        f" WHERE row <= newest ORDER BY {_IN_TURN} LIMIT :most)",
        {"lease": lease, "at": at, "until": at + _ms(LEASE), "ahead": _ms(AHEAD), "most": most},
    )
    claimed: dict[str, list[Mail]] = {}
    rows = db.execute(
        "SELECT channel, outbox.id AS row, message, recipient, subject, body, payload, unsure, at, attempts, unsure_at"
        f" FROM outbox JOIN messages ON messages.id = outbox.message WHERE lease = ? ORDER BY {_IN_TURN}",
        (lease,),
    )
    for channel, row_id, message, recipient, subject, body, payload, unsure, written_at, attempts, since in rows:
        mail = Mail(
            id=mail_id(message, row_id),
            recipient=recipient,
            subject=subject,
            body=body,
            payload=json.loads(payload),
            unsure=bool(unsure),
            resend=since is not None and at - since >= _ms(DOUBT),
            written_at=from_ms(written_at),
            tried=attempts > 1,
            thread=thread(db, message),
        )
        claimed.setdefault(channel, []).append(mail)
    return claimed


def _ms(span: timedelta) -> int:
    return round(span.total_seconds() * 1000)


def thread(db: sqlite3.Connection, message: str) -> str:
    """The incidents that a message is about, each with its beginning: a number alone returns with a new database."""
    found = db.execute(
        "SELECT DISTINCT incidents.id, started_at FROM notices JOIN incidents ON incidents.id = notices.incident"
        " WHERE message = ? ORDER BY incidents.id",
        (message,),
    )
    return " ".join(f"{incident}-{started_at}" for incident, started_at in found)


def mail_id(message: str, row_id: int) -> str:
    return f"{message}-{row_id}"


def row_id(mail: str) -> int:
    return int(mail.rpartition("-")[2])


def delivered(db: sqlite3.Connection, row: int, lease: str, provider_id: str, now: datetime) -> None:
    db.execute(
        "UPDATE outbox SET state = 'delivered', lease = NULL, lease_until = NULL, error = NULL, provider_id = ?,"
        " delivered_at = ? WHERE id = ? AND lease = ?",
        (provider_id, to_ms(now), row, lease),
    )
    ledger.note(db, row, provider_id, now)


def postponed(
    db: sqlite3.Connection, mail: Mail, lease: str, error: str, unsure: bool, now: datetime, at_least_s: int
) -> bool:
    """A passing fault: tried again after 30 s, a minute, two … an hour, and not before the provider asked for it; but
    no later than when the next channel may try too, or a doubt has lasted long enough.

    Is it time for the next channel: there have been such faults for a quarter of an hour.
    """
    row, at = row_id(mail.id), to_ms(now)
    known = "SELECT attempts, created_at, unsure_at, passed_on FROM outbox WHERE id = ? AND lease = ?"
    found = db.execute(known, (row, lease)).fetchone()
    if found is None:
        return False
    attempts, created, since, passed_on = found
    since = (at if since is None or mail.resend else since) if unsure else None
    ends = [created + _ms(PATIENCE), *([since + _ms(DOUBT)] if since is not None else [])]
    backoff = at + 1000 * min(3600, 30 << min(attempts - 1, 7))
    next_at = max(min([backoff, *(end for end in ends if end > at)]), at + 1000 * at_least_s)
    late = not passed_on and created + _ms(PATIENCE) <= at
    db.execute(
        "UPDATE outbox SET lease = NULL, lease_until = NULL, error = ?, unsure = ?, unsure_at = ?, tried_at = ?,"
        " next_at = ?, passed_on = ? WHERE id = ?",
        (error, unsure, since, at, next_at, passed_on or late, row),
    )
    return late


def fared(db: sqlite3.Connection, since: datetime) -> dict[str, int | None]:
    """How the mails written since then fared: delivered, given up, and how long the slowest took to arrive, in s."""
    delivered, given_up, slowest = db.execute(
        "SELECT count(*) FILTER (WHERE state = 'delivered'), count(*) FILTER (WHERE state = 'given_up'),"
        " max(delivered_at - created_at) FROM outbox WHERE created_at >= ?",
        (to_ms(since),),
    ).fetchone()
    return {"delivered": delivered, "given_up": given_up, "slowest_s": None if slowest is None else slowest // 1000}


def hasten(db: sqlite3.Connection, channel: str, now: datetime) -> None:
    """This channel has just delivered: what waits for its next try there need not wait any longer."""
    db.execute(
        "UPDATE outbox SET next_at = ? WHERE state = 'queued' AND lease IS NULL AND channel = ? AND next_at > ?",
        (to_ms(now), channel, to_ms(now)),
    )


def failed(
    db: sqlite3.Connection, row: int, lease: str, state: str, error: str, credentials: str, now: datetime
) -> bool:
    """A permanent fault: the row is given up, or moved where the next channel takes it over. Was it still ours."""
    done = db.execute(
        "UPDATE outbox SET lease = NULL, lease_until = NULL, state = ?, error = ?, credentials = ?, next_at"
        " = CASE attempts WHEN 1 THEN ? ELSE ? END WHERE id = ? AND lease = ?",
        (state, error, credentials, to_ms(now + SECOND_CHANCE), to_ms(now + AGAIN), row, lease),
    )
    return done.rowcount == 1


def hasten_rows(db: sqlite3.Connection, rows: Iterable[int], now: datetime) -> None:
    """Something newer waits until it is known whether these arrived: they are tried, or asked about, now."""
    db.executemany(
        "UPDATE outbox SET next_at = min(next_at, ?) WHERE id = ? AND state = 'queued'",
        [(to_ms(now), row) for row in rows],
    )


def waiting(db: sqlite3.Connection) -> list[Row]:
    """What is undelivered: queued and given up, oldest first."""
    return _rows(db, "state IN ('queued', 'given_up')")


def of_message(db: sqlite3.Connection, message: str) -> list[Row]:
    return _rows(db, "message = ?", message)


def _rows(db: sqlite3.Connection, where: str, *values: Any) -> list[Row]:
    rows = db.execute(
        "SELECT outbox.id, message, recipient, channel, state, created_at, attempts, next_at, error, credentials,"
        f" delivered_at, subject FROM outbox JOIN messages ON messages.id = message WHERE {where} ORDER BY outbox.id",
        values,
    )
    return [
        Row(
            id=row[0],
            message=row[1],
            recipient=row[2],
            channel=row[3],
            state=row[4],
            created_at=from_ms(row[5]),
            attempts=row[6],
            next_at=from_ms(row[7]),
            error=row[8],
            credentials=row[9],
            delivered_at=None if row[10] is None else from_ms(row[10]),
            subject=row[11],
        )
        for row in rows
    ]


def newest_faults(db: sqlite3.Connection) -> list[tuple[str, str, str, str]]:
    """(channel, recipient, error, credentials) where the newest row that has ended ended by a permanent fault."""
    rows = db.execute(
        "SELECT channel, recipient, ifnull(error, ''), credentials FROM outbox WHERE id IN (SELECT max(id) FROM outbox"
        " WHERE state = 'delivered' OR state <> 'queued' AND credentials <> '' GROUP BY channel, recipient)"
        " AND state <> 'delivered'"
        " ORDER BY channel, recipient"
    )
    return rows.fetchall()
