"""Runs that began and never ended, and the looks that are suspected of it."""

import sqlite3
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from pom_cli.store import progress
from pom_cli.store.progress import Look, Trace
from pom_cli.times import from_ms, local, to_ms

KEPT = timedelta(days=1)  # how long a crash is shown that no later run has made good
LONGEST = timedelta(hours=1)  # no run takes so long: one that has no file counts as dead after it
DEADLY = 2  # runs in a row that died during a look: the next ones make it in a separate process
_SHOWN = 3


def bury(db: sqlite3.Connection, traces: Mapping[int, Trace | None]) -> tuple[list[str], list[int]]:
    """Note which runs died, and of what: a line for each that nobody noted before, and the files no longer needed."""
    lines, settled = [], []
    for run, trace in traces.items():
        if trace is None:
            continue
        row = db.execute("SELECT command, kinds, started_at, ended_at, outcome FROM runs WHERE id = ?", (run,))
        for command, kinds, started_at, ended_at, outcome in row.fetchall():
            settled.append(run)
            if ended_at is None and outcome is None:
                told = _outcome(trace)
                db.execute("UPDATE runs SET outcome = ? WHERE id = ?", (told, run))
                _suspect(db, trace)
                lines.append(_line(command, kinds, started_at, told))
    return lines, settled


def _suspect(db: sqlite3.Connection, trace: Trace) -> None:
    acquit(db, trace.ended)
    db.executemany(
        "INSERT INTO suspects (target, kind, deaths) VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET deaths = deaths + 1",
        trace.under_way,
    )


def acquit(db: sqlite3.Connection, looks: Iterable[Look]) -> None:
    """These looks have ended, and their run lived: what died before counts no more."""
    known = set(db.execute("SELECT target, kind FROM suspects").fetchall())
    if known:
        db.executemany("DELETE FROM suspects WHERE target = ? AND kind = ?", known.intersection(looks))


def deadly(db: sqlite3.Connection) -> frozenset[Look]:
    """The looks during which two runs in a row died."""
    return frozenset(db.execute("SELECT target, kind FROM suspects WHERE deaths >= ?", (DEADLY,)).fetchall())


def lines(db: sqlite3.Connection, data_dir: Path, now: datetime) -> list[str]:
    """A line for each run that never ended, newest first, until later runs of the same kinds have ended."""
    rows = db.execute(
        "SELECT id, command, kinds, started_at, outcome FROM runs WHERE ended_at IS NULL"
        " AND started_at BETWEEN ? AND ? ORDER BY started_at DESC",
        (to_ms(now - KEPT), to_ms(now)),
    ).fetchall()
    if not rows:
        return []
    traces = progress.found(data_dir / progress.FOLDER)
    old = to_ms(now - LONGEST)
    told = []
    for run, command, kinds, started_at, noted in rows:
        trace = traces.get(run, Trace() if started_at < old else None)
        outcome = noted or (None if trace is None else _outcome(trace))
        if outcome and not _made_good(db, command, kinds, started_at):
            told.append(_line(command, kinds, started_at, outcome))
    return told


def _made_good(db: sqlite3.Connection, command: str, kinds: str, started_at: int) -> bool:
    """Have later runs of all its kinds ended; of its command, where it has none."""
    rows = db.execute(
        "SELECT DISTINCT command, kinds FROM runs WHERE started_at > ? AND ended_at IS NOT NULL", (started_at,)
    ).fetchall()
    if not kinds:
        return any(other == command for other, _ in rows)
    return set(kinds.split()) <= {kind for _, later in rows for kind in later.split()}


def _outcome(trace: Trace) -> str:
    names = [" ".join(look) for look in trace.under_way]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    checking = f" while checking {', '.join(names[:_SHOWN])}{more}" if names else ""
    return f"never ended: killed or crashed{checking}"


def _line(command: str, kinds: str, started_at: int, outcome: str) -> str:
    """`the run of 2026-11-24 07:40:15 +01:00 (check health) never ended: killed or crashed while checking …`."""
    return f"the run of {local(from_ms(started_at))} ({' '.join([command, *kinds.split()])}) {outcome}"
