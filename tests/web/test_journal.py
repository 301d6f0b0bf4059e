"""A line for each run that ends."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pom_cli import store
from pom_cli.store import runs
from pom_cli.store.runs import Run
from pom_cli.web import journal
from pom_cli.web.journal import line, news
from pom_cli.web.reader import Source

START = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)


def run(command: str = "check", kinds: tuple[str, ...] = ("health",), outcome: str | None = "all 3 operational") -> Run:
    return Run(command, kinds, START, START + timedelta(seconds=1.25), outcome)


def test_a_line_says_what_ran_how_it_ended_and_how_long_it_took() -> None:
    assert line(run()) == "run: check health: all 3 operational, 1.2 s"
    assert line(run("prune", (), None)) == "run: prune: ended, 1.2 s"
    assert (
        line(run(outcome="1 of 3\n\x1b[2J not operational")) == "run: check health: 1 of 3 [2J not operational, 1.2 s"
    )


def test_what_ended_before_is_no_news() -> None:
    found = {1: run(), 2: run("heartbeat", ())}
    assert news(None, found) == []
    assert news(frozenset(), found) == [line(one) for one in found.values()]
    assert news(frozenset({1}), found) == [line(found[2])]


def test_it_watches_the_database_come_and_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "LOOK_S", 0.02)
    path, said, complaints, stopping = tmp_path / "pom.db", [], [], threading.Event()
    source = Source(path, complaints.append)
    watcher = threading.Thread(target=journal.watch, args=(source, stopping, said.append))
    watcher.start()

    def until(count: int) -> None:
        end = time.monotonic() + 20
        while len(said) < count and time.monotonic() < end:
            time.sleep(0.01)

    def make(kind: str, ended: bool = True) -> None:
        now = datetime.now(UTC)
        db = store.open_(path)
        number = runs.begin(db, "check", (kind,), now)
        if ended:
            runs.end(db, number, "check", (kind,), now, "all 1 operational", now)
        db.close()

    try:
        time.sleep(0.2)  # it has had a look at nothing
        make("health")
        until(1)
        make("tls", ended=False)
        make("dns")
        until(2)
        path.unlink()
        path.write_bytes(b"damaged" * 1000)
        time.sleep(0.2)
        path.unlink()
        make("whois")
        until(3)
    finally:
        stopping.set()
        watcher.join(10)
    assert [one.split(":")[1] for one in said] == [" check health", " check dns", " check whois"]
    assert len(complaints) == 2  # damaged, and read again
