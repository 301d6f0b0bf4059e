"""Several processes at once, and processes that are killed at any moment: nothing is lost, nothing is said twice."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from postmark_server import PostmarkServer
from web_server import WebServer, answer

from pom_cli import store

TARGETS = 8


@pytest.fixture
def pom(tmp_path: Path, web: WebServer, postmark: PostmarkServer) -> list[str]:
    """The command line that runs `pom` on a config of several targets."""
    targets = "".join(
        f'[targets.t{number}]\nurl = "{web.url()}"\nhealth = {{ attempts = 1 }}\n' for number in range(TARGETS)
    )
    config = tmp_path / "pom.toml"
    config.write_text(
        f'[instance]\ndata_dir = "{tmp_path / "data"}"\n[alerts]\nto = ["ops@example.com"]\ncooldown = "0s"\n'
        f'postmark = {{ url = "{postmark.url}" }}\n{targets}'
    )
    return [sys.executable, "-m", "pom_cli", "--config", str(config)]


def environ(tmp_path: Path) -> dict[str, str]:
    run = tmp_path / "run"
    run.mkdir(mode=0o700, exist_ok=True)
    return {**os.environ, "POM_POSTMARK_TOKEN": "token", "HOME": str(tmp_path), "RUNTIME_DIRECTORY": str(run)}


def rows(tmp_path: Path, sql: str) -> list[tuple[object, ...]]:
    db = sqlite3.connect(tmp_path / "data" / "pom.db")
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


@pytest.mark.slow
def test_four_processes_that_check_the_same_targets_announce_each_change_once(
    tmp_path: Path, pom: list[str], web: WebServer, postmark: PostmarkServer
) -> None:
    for status, code in ((200, 0), (500, 1), (200, 0), (500, 1)):
        web.on("/", answer(status))
        runs = [
            subprocess.Popen(
                [*pom, "check", "health"], env=environ(tmp_path), stderr=subprocess.PIPE, stdout=subprocess.PIPE
            )
            for _ in range(4)
        ]
        for run in runs:
            _, complaints = run.communicate(timeout=60)
            assert (run.returncode, complaints) == (code, b"")
    assert rows(tmp_path, "SELECT count(*) FROM results") == [(4 * 4 * TARGETS,)]
    reasons = rows(tmp_path, "SELECT target, reason FROM notices ORDER BY at, target")
    assert Counter(reasons) == Counter(
        {(f"t{number}", reason): count for number in range(TARGETS) for reason, count in (("new", 2), ("recovered", 1))}
    )
    ids = [mail["Metadata"]["pom-id"] for mail in postmark.accepted]
    assert len(ids) == len(set(ids)), "each message was sent once"


@pytest.mark.slow
def test_a_run_that_is_killed_at_any_moment_leaves_a_sound_database_and_the_next_one_sends_what_was_due(
    tmp_path: Path, pom: list[str], web: WebServer, postmark: PostmarkServer
) -> None:
    chance = random.Random(2026)
    env = environ(tmp_path)
    subprocess.run([*pom, "check"], env=env, capture_output=True, timeout=60)
    length, killed, runs = 0.5, 0, 0
    while killed < 200 and runs < 600:
        runs += 1
        web.on("/", answer(500 if runs % 2 else 200))
        begun = time.monotonic()
        run = subprocess.Popen([*pom, "check"], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            run.wait(chance.uniform(0, 1.2 * length))
            length = time.monotonic() - begun  # how long a whole run takes just now
        except subprocess.TimeoutExpired:
            run.send_signal(signal.SIGKILL)
            run.wait(10)
            killed += 1
            length *= 1.02
        db = store.connect(tmp_path / "data" / "pom.db")
        assert db.execute("PRAGMA quick_check").fetchone() == ("ok",)
        # What was killed holds its rows for the length of a lease: it is over for the next run.
        db.execute("UPDATE outbox SET lease_until = 0")
        db.close()
    assert killed == 200
    web.on("/", answer(200))
    for _ in range(2):
        last = subprocess.run([*pom, "check", "--json"], env=env, capture_output=True, timeout=60)
    assert json.loads(last.stdout)["undelivered"] == 0
    assert rows(tmp_path, "SELECT count(*) FROM alerts WHERE told IS NOT NULL") == [(0,)], (
        "what is announced is what is"
    )
    sent = Counter(mail["Metadata"]["pom-id"] for mail in postmark.accepted)
    owed = {f"{message}-{row}" for message, row in rows(tmp_path, "SELECT message, id FROM outbox")}
    assert set(sent) == owed, "every message arrived"
    assert max(sent.values()) <= 2
    per_target = Counter()
    for target, reason in rows(tmp_path, "SELECT target, reason FROM notices ORDER BY at"):
        per_target[target] += 1 if reason == "new" else -1
        assert per_target[target] in (0, 1), "a recovery follows a problem, and a problem a recovery"


def test_a_power_cut_in_the_middle_of_a_write_is_rolled_back_by_the_next_opening(tmp_path: Path) -> None:
    path = tmp_path / "pom.db"
    store.open_(path).close()
    script = (
        "import os, sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "db.execute('PRAGMA journal_mode=TRUNCATE'); db.execute('PRAGMA cache_size=1'); db.execute('BEGIN IMMEDIATE');"
        "db.executemany('INSERT INTO texts (text, used_on) VALUES (?, 1)', [(str(n) * 500,) for n in range(500)]);"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert Path(f"{path}-journal").stat().st_size > 0, "a hot journal is left"
    reader = store.open_reader(path)
    assert reader is not None
    assert reader.execute("SELECT count(*) FROM texts").fetchone() == (0,)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("DELETE FROM texts")
    reader.close()
