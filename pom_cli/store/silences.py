"""Silences by hand, this instance's own and those taken over from its peers."""

import sqlite3
from collections.abc import Iterable
from datetime import datetime

from pom_cli.model import Silence
from pom_cli.times import from_ms, to_ms


def load(db: sqlite3.Connection, now: datetime) -> list[Silence]:
    """Every silence whose time is not over, lifted ones too, oldest first."""
    rows = db.execute(
        "SELECT id, target, kind, since, until, reason, lifted_at FROM silences WHERE until > ? ORDER BY since, id",
        (to_ms(now),),
    )
    return [
        Silence(
            id=row[0],
            target=row[1],
            kind=row[2],
            since=from_ms(row[3]),
            until=from_ms(row[4]),
            reason=row[5],
            lifted_at=None if row[6] is None else from_ms(row[6]),
        )
        for row in rows
    ]


def merge(db: sqlite3.Connection, silences: Iterable[Silence]) -> None:
    """Add those that are new. One that is known can only be lifted: so two instances agree, whoever asks first."""
    for one in silences:
        lifted = None if one.lifted_at is None else to_ms(one.lifted_at)
        db.execute(
            "INSERT INTO silences (id, target, kind, since, until, reason, lifted_at) VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET lifted_at = coalesce(min(lifted_at, excluded.lifted_at), lifted_at,"
            " excluded.lifted_at)",
            (one.id, one.target, one.kind, to_ms(one.since), to_ms(one.until), one.reason, lifted),
        )


def lift(db: sqlite3.Connection, chosen: Iterable[str], now: datetime) -> None:
    """End these silences now."""
    db.executemany(
        "UPDATE silences SET lifted_at = ? WHERE id = ? AND lifted_at IS NULL", [(to_ms(now), one) for one in chosen]
    )
