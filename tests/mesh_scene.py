"""A monitor with peers, driven heartbeat by heartbeat with the time given."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import web_server
from peer_words import TOKEN, told
from scene import Scene
from web_server import Script

from pom_cli.mesh import heartbeat
from pom_cli.mesh.heartbeat import Report
from pom_cli.store.spare import Database
from pom_cli.times import duration

CLOSED = "http://127.0.0.1:1"


class Mesh(Scene):
    """A monitor that beats, and knows the token of its peers."""

    def __init__(self, folder: Path, toml: str, environ: Mapping[str, str] | None = None) -> None:
        super().__init__(folder, toml, {"POM_API_TOKEN": TOKEN, **(environ or {})})

    def beat(self, after: str = "60s") -> Report:
        """One heartbeat, as a process of its own would do it."""
        self.now += duration(after)
        database = Database(self.path, self.environ)
        try:
            return heartbeat.run(self.config, database, self.now, "stderr")
        finally:
            database.close()

    def states(self, count: int, after: str = "60s") -> list[str]:
        return [self.beat(after).peers[0]["state"] for _ in range(count)]

    def mails(self) -> list[tuple[str, str]]:
        """Subject and body of every message so far, oldest first."""
        return self.rows("SELECT subject, body FROM messages ORDER BY at")

    def says(self, **more: Any) -> Script:
        """A peer that is well by this monitor's clock."""
        return lambda: web_server.json(told(self.now, **more))


def toml(*urls: str, more: str = "", top: str = "") -> str:
    names = ["astra", "luna", "sol", "io", "pan"]
    peers = "".join(f'[peers.{name}]\nurl = "{url}"\n{more}\n' for name, url in zip(names, urls, strict=False))
    return f"{top}\n{peers}"


def reasons(report: Report) -> list[tuple[str, str, str]]:
    return [(notice.target, notice.alert, notice.reason) for notice in report.notices]
