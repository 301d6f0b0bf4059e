"""Test runs: those that `pom test` made or tried to make, and those that were recorded from elsewhere."""

import json
import sqlite3
import zlib
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from pom_cli.errors import StoreError
from pom_cli.model import SuiteRun
from pom_cli.store import faults, open_reader
from pom_cli.store.spare import spare_path
from pom_cli.times import from_ms, to_ms

_COLUMNS = "id, target, started_at, ended_at, exit, passed, failed, failing, reason, log"
_MADE = "(reason = '' OR exit IS NOT NULL)"  # Run.made
_MOST = 50  # judging needs the two newest; some may have been recorded while the clock was ahead
# What judging needs, however long the history: the newest that were made, the newest and the oldest of all.
_TOLD = f"""
SELECT {_COLUMNS} FROM test_runs WHERE id IN (
    SELECT id FROM (SELECT id FROM test_runs WHERE target = :target AND {_MADE} ORDER BY ended_at DESC LIMIT {_MOST})
    UNION SELECT id FROM (SELECT id FROM test_runs WHERE target = :target ORDER BY ended_at DESC LIMIT 1)
    UNION SELECT id FROM (SELECT id FROM test_runs WHERE target = :target ORDER BY ended_at LIMIT 1)
)
"""


def add(db: sqlite3.Connection, run: SuiteRun) -> None:
    """Store one run. Inside the caller's transaction."""
    row = (
        run.id,
        run.target,
        to_ms(run.started_at),
        to_ms(run.ended_at),
        run.exit,
        run.passed,
        run.failed,
        json.dumps(run.failing, ensure_ascii=False),
        run.reason,
        zlib.compress(run.log.encode()) if run.log else None,
    )
    db.execute(f"INSERT OR REPLACE INTO test_runs ({_COLUMNS}) VALUES ({','.join('?' * len(row))})", row)


def read(main: Path, environ: Mapping[str, str], target: str) -> tuple[list[SuiteRun], str]:
    """The runs of a target that judging needs, from the database and from the spare that it may have.

    With why one of them could not be read, "" where both could.
    """
    runs, complaints = [], []
    for path in (main, spare_path(main, environ, make=False)):
        try:
            runs += _read(path, target) if path else []
        except StoreError as error:
            complaints.append(str(error))
    return runs, "; ".join(complaints)


def _read(path: Path, target: str) -> list[SuiteRun]:
    db = open_reader(path)
    if db is None:
        return []
    try:
        with faults(path):
            return [_run(row) for row in db.execute(_TOLD, {"target": target})]
    finally:
        db.close()


def _run(row: tuple[Any, ...]) -> SuiteRun:
    return SuiteRun(
        id=row[0],
        target=row[1],
        started_at=from_ms(row[2]),
        ended_at=from_ms(row[3]),
        exit=row[4],
        passed=row[5],
        failed=row[6],
        failing=tuple(json.loads(row[7])),
        reason=row[8],
        log=zlib.decompress(row[9]).decode() if row[9] else "",
    )


def forget(db: sqlite3.Connection, before: datetime, kept: Callable[[str], bool]) -> int:
    """Delete older runs, and all runs of targets no longer configured; returns the number of rows.

    The two newest runs are kept, however old: staleness is computed from them.
    """
    rows = 0
    for (target,) in db.execute("SELECT DISTINCT target FROM test_runs").fetchall():
        if not kept(target):
            rows += db.execute("DELETE FROM test_runs WHERE target = ?", (target,)).rowcount
    sql = (
        "DELETE FROM test_runs WHERE ended_at < ? AND id NOT IN (SELECT id FROM test_runs AS other WHERE"
        f" other.target = test_runs.target AND {_MADE} ORDER BY ended_at DESC LIMIT 2)"
    )
    return rows + db.execute(sql, (to_ms(before),)).rowcount
