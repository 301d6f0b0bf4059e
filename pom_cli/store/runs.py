"""Runs: each execution of a subcommand, with its start, its end and how it ended."""

import os
import sqlite3
from collections.abc import Sequence
from datetime import datetime

from pom_cli.frozen import dataclass
from pom_cli.times import from_ms, to_ms


@dataclass(frozen=True)
class Run:
    """One execution; `ended_at` is None while it runs, and stays None if it dies: `outcome` then says of what."""

    command: str
    kinds: tuple[str, ...]
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None


def new_id() -> int:
    """A run's number: random, so that it means the same in any database."""
    return int.from_bytes(os.urandom(6), "big")


def begin(db: sqlite3.Connection, command: str, kinds: Sequence[str], now: datetime, number: int | None = None) -> int:
    """Note that a run has begun; returns its number."""
    number = new_id() if number is None else number
    row = (number, command, " ".join(kinds), to_ms(now))
    db.execute("INSERT INTO runs (id, command, kinds, started_at) VALUES (?, ?, ?, ?)", row)
    return number


def end(
    db: sqlite3.Connection,
    run: int,
    command: str,
    kinds: Sequence[str],
    started_at: datetime,
    outcome: str,
    now: datetime,
) -> None:
    """Note how a run ended, whole, for the database may have changed since it began."""
    db.execute(
        "INSERT INTO runs (id, command, kinds, started_at, ended_at, outcome) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET ended_at = excluded.ended_at, outcome = excluded.outcome",
        (run, command, " ".join(kinds), to_ms(started_at), to_ms(now), outcome),
    )


def newest(db: sqlite3.Connection, most: int = 50) -> list[Run]:
    """The newest runs, newest first."""
    rows = db.execute(
        "SELECT command, kinds, started_at, ended_at, outcome FROM runs ORDER BY started_at DESC LIMIT ?", (most,)
    )
    return [
        Run(command, tuple(kinds.split()), from_ms(start), None if stop is None else from_ms(stop), outcome)
        for command, kinds, start, stop, outcome in rows
    ]


def first(db: sqlite3.Connection) -> datetime | None:
    """When the first run that is still remembered began, None where there was none."""
    row = db.execute("SELECT min(started_at) FROM runs").fetchone()
    return None if row[0] is None else from_ms(row[0])
