"""What goes from the main file to a fresh spare, and what the main file takes over from a spare."""

import sqlite3
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from pom_cli import store
from pom_cli.errors import StoreError
from pom_cli.store import faults, has_table, transaction
from pom_cli.times import AHEAD, to_ms

_SEED_BUSY_MS = 1000  # to read a file that could not be opened for writing: a lock has been waited for already

# Parents first, so that the ids of series and incidents are known when their children come.
_SEEDED = (
    *("series", "states", "hours", "alerts", "ledger", "incidents", "notices", "silences", "peers", "beats"),
    *("deployments", "acks"),
)


def seed(spare: sqlite3.Connection, main: Path) -> None:
    """Copy what is announced and known, if the main file can still be read."""
    try:
        reader = store.open_reader(main, _SEED_BUSY_MS)
    except StoreError:
        return
    if reader is None:
        return
    try:
        with faults(main), transaction(spare):
            for table in _SEEDED:
                if has_table(reader, table):  # what cannot be written is not migrated either
                    _insert(spare, table, *_rows(reader, f"SELECT * FROM {table}"))
            if has_table(reader, "days"):
                newest = "SELECT * FROM days WHERE day >= (SELECT max(day) FROM days) - 1"
                _insert(spare, "days", *_rows(reader, newest))
    except StoreError:
        return  # half of it would be a false picture: the transaction kept nothing
    finally:
        reader.close()


def clear(spare: sqlite3.Connection) -> None:
    """Forget everything, for a spare that was taken over and cannot be removed."""
    for table in {*_SEEDED, "days", "results", "messages", "outbox", "test_runs"}:
        spare.execute(f"DELETE FROM {table}")


def is_clear(spare: sqlite3.Connection) -> bool:
    """Whether nothing has been seeded or stored yet."""
    return not any(spare.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() for table in ("series", "peers", "beats"))


def adopt(db: sqlite3.Connection, spare: sqlite3.Connection, now: datetime) -> None:
    """Take over what the spare saw and decided. Done twice it changes nothing more.

    Of two the newer stays, unless that one is from a future in which a clock was ahead.
    """
    void = to_ms(now + AHEAD)
    series = {}
    for old, *names in spare.execute("SELECT id, target, kind, subject FROM series"):
        db.execute("INSERT OR IGNORE INTO series (target, kind, subject) VALUES (?, ?, ?)", names)
        new = db.execute("SELECT id FROM series WHERE target = ? AND kind = ? AND subject = ?", names).fetchone()
        series[old] = new[0]
    texts = _adopt_texts(db, spare)
    for at, old, code, latency, text in spare.execute("SELECT at, series, code, latency, text FROM results"):
        row = (at, series[old], code, latency, texts.get(text))
        db.execute("INSERT OR IGNORE INTO results (at, series, code, latency, text) VALUES (?, ?, ?, ?, ?)", row)
    names, hours = _rows(spare, "SELECT * FROM hours")
    place = names.index("series")
    _insert(db, "hours", names, [[*row[:place], series[row[place]], *row[place + 1 :]] for row in hours])
    incidents = _adopt_incidents(db, spare)
    _adopt_newer(db, spare, "days", "known_ms + maintenance_ms", ("series", "day"),
                 lambda row: {**row, "series": series[row["series"]]}, 1 << 62)  # fmt: skip
    _adopt_newer(db, spare, "states", "checked_at", ("series",), lambda row: {**row, "series": series[row["series"]]},
                 void)  # fmt: skip
    _adopt_newer(
        db, spare, "alerts", "max(ifnull(last_at, 0), ifnull(since, 0), ifnull(ended_at, 0))", ("target", "alert"),
        lambda row: {**row, "incident": incidents.get(row["incident"])}, void,
    )  # fmt: skip
    _adopt_newer(db, spare, "ledger", "last_at", ("recipient", "target", "alert"), dict, void)
    _adopt_newer(db, spare, "acks", "at", ("target", "alert"),
                 lambda row: {**row, "incident": incidents[row["incident"]]}, void)  # fmt: skip
    _adopt_newer(db, spare, "peers", "asked_at", ("name",), dict, void)
    _adopt_newer(db, spare, "beats", "at", ("one",), dict, void)
    for table in ("messages", "notices", "outbox", "test_runs", "deployments"):
        names, rows = _rows(spare, f"SELECT * FROM {table}")
        kept = [name for name in names if (table, name) != ("outbox", "id")]
        for values in rows:
            named: dict[str, Any] = dict(zip(names, values, strict=True))
            if table == "notices":
                named["incident"] = incidents.get(named["incident"])
            _insert(db, table, kept, [[named[name] for name in kept]])


def _adopt_texts(db: sqlite3.Connection, spare: sqlite3.Connection) -> dict[Any, int]:
    found: dict[Any, int] = {}
    for old, text, used_on in spare.execute("SELECT id, text, used_on FROM texts"):
        db.execute("INSERT OR IGNORE INTO texts (text, used_on) VALUES (?, ?)", (text, used_on))
        found[old] = db.execute("SELECT id FROM texts WHERE text = ?", (text,)).fetchone()[0]
    return found


def _adopt_incidents(db: sqlite3.Connection, spare: sqlite3.Connection) -> dict[Any, int]:
    found: dict[Any, int] = {}
    rows = spare.execute("SELECT id, target, alert, started_at, ended_at, worst, summary FROM incidents")
    for old, target, alert, started_at, ended_at, worst, summary in rows:
        key = (target, alert, started_at)
        same = db.execute("SELECT id FROM incidents WHERE target = ? AND alert = ? AND started_at = ?", key).fetchone()
        if same:
            found[old] = same[0]
            values = (ended_at, worst, summary, same[0])
            db.execute("UPDATE incidents SET ended_at = ifnull(ended_at, ?), worst = max(worst, ?), summary = ?"
                       " WHERE id = ?", values)  # fmt: skip
        else:
            sql = (
                "INSERT INTO incidents (target, alert, started_at, ended_at, worst, summary) VALUES (?, ?, ?, ?, ?, ?)"
            )
            found[old] = db.execute(sql, (*key, ended_at, worst, summary)).lastrowid or 0
    return found


def _adopt_newer(
    db: sqlite3.Connection,
    spare: sqlite3.Connection,
    table: str,
    age: str,
    key: tuple[str, ...],
    translated: Callable[[dict[str, Any]], dict[str, Any]],
    void: int,
) -> None:
    names, rows = _rows(spare, f"SELECT *, {age} AS age FROM {table}")
    where = " AND ".join(f"{name} = ?" for name in key)
    for values in rows:
        row = translated(dict(zip(names, values, strict=True)))
        have = db.execute(f"SELECT {age} FROM {table} WHERE {where}", [row[name] for name in key]).fetchone()
        if have is None or have[0] < row["age"] or have[0] > void:
            kept = names[:-1]
            _insert(db, table, kept, [[row[name] for name in kept]], "REPLACE")


def _rows(db: sqlite3.Connection, sql: str) -> tuple[list[str], list[tuple[object, ...]]]:
    cursor = db.execute(sql)
    return [column[0] for column in cursor.description], cursor.fetchall()


def _insert(
    db: sqlite3.Connection, table: str, names: list[str], rows: Iterable[Iterable[object]], clash: str = "IGNORE"
) -> None:
    marks = ",".join("?" * len(names))
    sql = f"INSERT OR {clash} INTO {table} ({', '.join(names)}) VALUES ({marks})"
    db.executemany(sql, [tuple(row) for row in rows])
