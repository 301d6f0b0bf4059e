"""The database over 30 simulated days of 100 targets: size, the views, pruning: `python tests/bench/bench_store.py`."""

from __future__ import annotations

import multiprocessing
import random
import sqlite3
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pom_cli import store
from pom_cli.alerting.states import advance
from pom_cli.model import OPERATIONAL, UNREACHABLE, Finding, Key, Verdict
from pom_cli.report import overview
from pom_cli.store import reading, results
from pom_cli.store.prune import prune
from pom_cli.store.results import Record

TARGETS, DAYS, HOLDS_MS = 100, 30, 660_000
START = datetime(2026, 10, 25, tzinfo=UTC)
KEYS = [Key(f"target-{number}", "health", "") for number in range(TARGETS)]


def fill(db: sqlite3.Connection, days: float, begin: datetime) -> datetime:
    """Every five minutes a run over all targets, one result in five hundred bad."""
    chance, at = random.Random(1), begin
    for _ in range(round(days * 288)):
        with store.transaction(db):
            stored = results.load(db)
            records = []
            for key in KEYS:
                good = chance.random() > 0.002
                status = OPERATIONAL if good else UNREACHABLE
                summary = "200 OK" if good else "connection refused"
                latency = round(chance.lognormvariate(4.5, 0.5)) if good else None
                detail = {
                    "http_status": 200,
                    "url": "https://example.com/api/health",
                    "address": "192.0.2.1",
                    "attempts": 1,
                }
                verdicts = {"health": Verdict(status, summary), "latency-drift": Verdict(OPERATIONAL, "as usual")}
                finding = Finding("", status, summary, verdicts, latency, detail)
                before = stored[key].state if key in stored else None
                records.append(Record(key, finding, advance(before, finding, at), HOLDS_MS))
            results.record(db, records, stored, at)
        at += timedelta(minutes=5)
    return at


def view(db: sqlite3.Connection, now: datetime) -> float:
    """Milliseconds for the latest status and the uptime of 24 h, 7 d and 30 d of every target; the median of 9."""
    times = []
    for _ in range(9):
        begun = time.perf_counter()
        db.execute("SELECT series, status, since, checked_at, summary, latency FROM states").fetchall()
        health = {key.target: (one, HOLDS_MS) for key, one in results.load(db).items()}
        reading.sums(db, health, overview.WINDOWS.values(), now)
        times.append((time.perf_counter() - begun) * 1000)
    return statistics.median(times)


def write_on(path: Path, stop: object, longest: object) -> None:
    """Another process that writes a small run again and again, and notes its longest wait."""
    db = store.connect(path)
    while not stop.is_set():  # type: ignore[attr-defined]
        begun = time.perf_counter()
        with store.transaction(db):
            db.execute("UPDATE texts SET used_on = used_on")
        longest.value = max(longest.value, time.perf_counter() - begun)  # type: ignore[attr-defined]
        time.sleep(0.002)
    db.close()


def pruning(path: Path, now: datetime) -> None:
    stop, longest = multiprocessing.Event(), multiprocessing.Value("d", 0.0)
    writer = multiprocessing.Process(target=write_on, args=(path, stop, longest))
    writer.start()
    time.sleep(0.3)
    alone = longest.value
    longest.value = 0.0
    begun = time.perf_counter()
    done = prune(path, now, timedelta(days=29), lambda _: True, lambda *_: True, lambda: time.sleep(0.01))
    took = time.perf_counter() - begun
    stop.set()
    writer.join(10)
    print(
        f"pruning a day ({done.rows} rows) took {took:.2f} s; another writer waited at most"
        f" {longest.value * 1000:.0f} ms (goal ≤ 50), {alone * 1000:.0f} ms without it"
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "pom.db"
        db = store.open_(path)
        db.execute("PRAGMA synchronous=OFF")  # the filling alone: it is not what is measured
        now = fill(db, 1, START)
        day = view(db, now)
        now = fill(db, DAYS - 1, now)
        rows = db.execute("SELECT count(*) FROM results").fetchone()[0]
        month = view(db, now)
        db.close()
        print(f"{rows} results: {path.stat().st_size / rows:.1f} bytes each, everything included (goal ≤ 32)")
        print(
            f"status and uptime of {TARGETS} targets: {month:.1f} ms after {DAYS} days (goal ≤ 5),"
            f" {day:.1f} ms after one: ratio {month / day:.2f}"
        )
        pruning(path, now)


if __name__ == "__main__":
    main()
