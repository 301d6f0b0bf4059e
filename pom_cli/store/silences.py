"""Silences by hand, this instance's own and those taken over from its peers."""

import sqlite3
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from pom_cli.model import Silence
from pom_cli.times import from_ms, to_ms


def load(db: sqlite3.Connection, now: datetime) -> list[Silence]:
    """Every silence that has not expired, lifted ones included, oldest first."""
    found = db.execute("SELECT * FROM silences WHERE until > ? ORDER BY since, id", (to_ms(now),))
    names = [column[0] for column in found.description]  # a file of the release before has fewer
    return [_silence(dict(zip(names, row, strict=True))) for row in found]


def _silence(row: Mapping[str, Any]) -> Silence:
    times = {name: from_ms(row[name]) for name in ("since", "until", "lifted_at") if row[name] is not None}
    return Silence(**{**row, **times})


def merge(db: sqlite3.Connection, silences: Iterable[Silence]) -> None:
    """Add those that are new. One that is known can only be lifted: so two instances agree in any order."""
    for one in silences:
        lifted = None if one.lifted_at is None else to_ms(one.lifted_at)
        db.execute(
            "INSERT INTO silences (id, target, kind, since, until, reason, lifted_at, by, origin)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET lifted_at = coalesce(min(lifted_at, excluded.lifted_at), lifted_at,"
            " excluded.lifted_at)",
            (one.id, one.target, one.kind, to_ms(one.since), to_ms(one.until), one.reason, lifted, one.by, one.origin),
        )


def lift(db: sqlite3.Connection, chosen: Iterable[str], now: datetime) -> None:
    """End these silences now."""
    db.executemany(
        "UPDATE silences SET lifted_at = ? WHERE id = ? AND lifted_at IS NULL", [(to_ms(now), one) for one in chosen]
    )
