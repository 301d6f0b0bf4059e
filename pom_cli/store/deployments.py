"""Deployments: which release went to which target, when, and who recorded it. Own ones and those of peers."""

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from pom_cli.frozen import dataclass
from pom_cli.store import has_table
from pom_cli.text import clean
from pom_cli.times import from_ms, to_ms

RECENT = timedelta(days=1)  # how long a deployment may explain what breaks after it
MOST = 200  # taken over from one peer at a time, and listed for them
SHARED = timedelta(days=7)  # how far back they are listed for peers, and taken over
_AHEAD = timedelta(seconds=30)  # what the clocks of two hosts may differ by
_COLUMNS = "id, target, at, rev, note, who, origin"


@dataclass(frozen=True)
class Deployment:
    """One release of a target. `origin` is the peer that it was recorded on, "" for this instance."""

    id: str
    target: str
    at: datetime
    rev: str = ""
    note: str = ""
    who: str = ""
    origin: str = ""


def merge(db: sqlite3.Connection, rows: Iterable[Deployment]) -> None:
    """Add those that are new, at most MOST of them; one that is known never changes."""
    db.executemany(
        f"INSERT OR IGNORE INTO deployments ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (clean(one.id, 64), clean(one.target, 64), to_ms(one.at), *(clean(text) for text in (one.rev, one.note)),
             clean(one.who, 64), clean(one.origin, 64))
            for one, _ in zip(rows, range(MOST), strict=False)
        ],
    )  # fmt: skip


def since(db: sqlite3.Connection, begun: datetime, now: datetime) -> list[Deployment]:
    """Every deployment from `begun` to now, newest first."""
    return _found(db, "at BETWEEN ? AND ? ORDER BY at DESC, id", (to_ms(begun), to_ms(now + _AHEAD)))


def newest(db: sqlite3.Connection, now: datetime) -> dict[str, Deployment]:
    """The newest deployment of each target. One of the future is none."""
    where = "at = (SELECT max(at) FROM deployments AS d WHERE d.target = deployments.target AND d.at <= ?)"
    return {one.target: one for one in _found(db, where, (to_ms(now + _AHEAD),))}


def before(known: Iterable[Deployment], target: str, instant: datetime) -> Deployment | None:
    """The newest of these deployments of this target in the day before this instant."""
    found = [one for one in known if one.target == target and timedelta(0) <= instant - one.at < RECENT]
    return max(found, key=lambda one: one.at, default=None)


def recent(db: sqlite3.Connection, target: str, now: datetime) -> Deployment | None:
    """The newest deployment of this target, where it is less than a day old."""
    return before(since(db, now - RECENT, now), target, now + _AHEAD)


def fact(db: sqlite3.Connection, target: str, now: datetime) -> dict[str, Any] | None:
    """The same as a fact of a notice, for the message."""
    one = recent(db, target, now)
    return None if one is None else {"at": one.at, "rev": one.rev, "by": one.who, "note": one.note}


def own(db: sqlite3.Connection, now: datetime) -> list[Deployment]:
    """Those recorded here in the last week, for the peers: newest first, at most MOST."""
    found = since(db, now - SHARED, now)
    return [one for one in found if not one.origin][:MOST]


def _found(db: sqlite3.Connection, where: str, values: Sequence[Any]) -> list[Deployment]:
    if not has_table(db, "deployments"):
        return []
    rows = db.execute(f"SELECT {_COLUMNS} FROM deployments WHERE {where}", values)
    return [Deployment(number, target, from_ms(at), *texts) for number, target, at, *texts in rows]
