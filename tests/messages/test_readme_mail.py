"""The message that the README shows is the one that PoM writes."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from pom_cli import config
from pom_cli.messages import facts
from pom_cli.messages.compose import compose
from pom_cli.model import OPERATIONAL, UNREACHABLE, Notice

README = (Path(__file__).parents[2] / "README.md").read_text()
NOW = datetime(2026, 11, 24, 6, 40, 17, tzinfo=UTC)
CONFIG = """
[instance]
name = "hetzner"
[targets.shop]
url = "https://example.com"
health = { path = "/api/health" }
ops = { ssh = "root@192.0.2.10", unit = "shop" }
[peers.astra]
url = "http://192.0.2.7:9100"
"""


def test_it_is_written_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "CET-1")
    time.tzset()
    seen = {
        "url": "https://example.com/api/health",
        "phase": "connect",
        "address": "192.0.2.10",
        "views": ["astra: unreachable too (40 s ago)"],
        "last_good": NOW - timedelta(minutes=5),
    }
    told = Notice(
        id="1",
        target="shop",
        alert="health",
        reason="new",
        before=OPERATIONAL,
        now=UNREACHABLE,
        since=NOW,
        at=NOW,
        summary="connection refused",
        facts=seen,
    )
    ended = {"started_at": NOW, "ended_at": NOW + timedelta(minutes=12)}
    back = replace(told, reason="recovered", before=UNREACHABLE, now=OPERATIONAL, facts=ended)
    try:
        loaded = config.parse(CONFIG, Path("/etc/pom/pom.toml"), {"HOME": "/home/ops"})
        subject, body = compose([told], "hetzner", partial(facts.of, loaded), NOW)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert f"```text\nSubject: {subject}\n\n{body}```" in README
    assert f"`{compose([back], 'hetzner', lambda _: {}, NOW)[0]}`" in README
