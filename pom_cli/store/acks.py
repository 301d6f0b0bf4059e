"""Acks: a person has taken an open alert on. Each is tied to one incident, and so ends with the alert's recovery."""

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from pom_cli.frozen import dataclass
from pom_cli.store import has_table
from pom_cli.text import clean
from pom_cli.times import from_ms, to_ms

MOST = 500  # taken over from one peer at a time


@dataclass(frozen=True)
class Ack:
    """One ack. `origin` is the peer that it was given on, "" for this instance; `lifted`: it was taken back by hand."""

    target: str
    alert: str
    at: datetime
    who: str = ""
    note: str = ""
    origin: str = ""
    lifted: bool = False


def of_incident(db: sqlite3.Connection, incident: int) -> Ack | None:
    """The ack of this incident, whether or not it is over."""
    if not has_table(db, "acks"):
        return None
    row = db.execute(
        "SELECT target, alert, at, who, note, origin, lifted FROM acks WHERE incident = ?", (incident,)
    ).fetchone()
    return _ack(row) if row else None


def load(db: sqlite3.Connection) -> dict[tuple[str, str], Ack]:
    """The active acks, by (target, kind of alert)."""
    return {(one.target, one.alert): one for one in _of_open_alerts(db) if not one.lifted}


def listed(db: sqlite3.Connection) -> list[Ack]:
    """For the peers, the newest MOST: those given here for alerts that are still open, and all lifted ones, so that
    they lift them."""
    return [one for one in _of_open_alerts(db) if one.lifted or not one.origin][-MOST:]


def _of_open_alerts(db: sqlite3.Connection) -> list[Ack]:
    if not has_table(db, "acks"):
        return []
    rows = db.execute(
        "SELECT acks.target, acks.alert, at, who, note, origin, lifted FROM acks JOIN alerts"
        " ON alerts.target = acks.target AND alerts.alert = acks.alert AND alerts.incident = acks.incident"
        " WHERE alerts.ended_at IS NULL ORDER BY at"
    )
    return [_ack(row) for row in rows]


def _ack(row: Sequence[Any]) -> Ack:
    return Ack(row[0], row[1], from_ms(row[2]), row[3], row[4], row[5], bool(row[6]))


def merge(db: sqlite3.Connection, rows: Iterable[Ack]) -> list[Ack]:
    """Take these acks over, at most MOST: those of alerts that are open here. Returns the ones that changed something.

    One of a peer that is known can only be lifted, and an older one replaces nothing: so two instances agree in
    whatever order they ask. A peer cannot ack its own absence.
    """
    changed = []
    for one, _ in zip(rows, range(MOST), strict=False):
        row = (to_ms(one.at), clean(one.who, 64), clean(one.note), clean(one.origin, 64), one.lifted)
        count = db.execute(
            "INSERT INTO acks (target, alert, incident, at, who, note, origin, lifted)"
            " SELECT target, alert, incident, ?, ?, ?, ?, ? FROM alerts"
            " WHERE target = ? AND alert = ? AND incident IS NOT NULL AND ended_at IS NULL AND target <> ?"
            " ON CONFLICT DO UPDATE SET incident = excluded.incident, at = excluded.at, who = excluded.who,"
            " note = excluded.note, origin = excluded.origin, lifted = excluded.lifted"
            " WHERE excluded.at > acks.at OR excluded.origin = ''"
            " OR (excluded.at = acks.at AND excluded.lifted > acks.lifted AND excluded.incident = acks.incident)",
            (*row, one.target, one.alert, one.origin),
        ).rowcount
        changed += [one] if count else []
    return changed


def end(db: sqlite3.Connection, target: str, alert: str) -> None:
    """Lift the ack of this alert, wherever it was given."""
    db.execute("UPDATE acks SET lifted = 1 WHERE target = ? AND alert = ?", (target, alert))
