"""A monitor in a folder, driven run by run with the time given: what the integration tests stand on."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pom_cli import config, jobs, pipeline
from pom_cli.config import Config
from pom_cli.mesh import heartbeat
from pom_cli.mesh.heartbeat import Report as HeartbeatReport
from pom_cli.pipeline import Report
from pom_cli.store.spare import Database
from pom_cli.times import duration

START = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)


class Scene:
    """A config, a database file and a clock. Each `run` is one process's work, the database opened and closed."""

    def __init__(self, folder: Path, toml: str, environ: Mapping[str, str] | None = None) -> None:
        self.folder, self.now = folder, START
        self.environ = {"HOME": str(folder), "RUNTIME_DIRECTORY": str(folder / "run"), **(environ or {})}
        (folder / "run").mkdir(mode=0o700, exist_ok=True)
        self.configure(toml)

    def configure(self, toml: str) -> None:
        self.toml = toml
        text = f'[instance]\nname = "hetzner"\ndata_dir = "{self.folder / "data"}"\n{toml}'
        self.config: Config = config.parse(text, self.folder / "pom.toml", self.environ)

    def run(self, after: str = "5m", kinds: tuple[str, ...] = ("health",), only: tuple[str, ...] = ()) -> Report:
        """One run of these kinds, `after` the one before."""
        self.now += duration(after)
        targets = [target for name, target in self.config.targets.items() if not only or name in only]
        database = Database(self.path, self.environ)
        try:
            return pipeline.run(self.config, jobs.jobs_of(targets, kinds), database, self.now)
        finally:
            database.close()

    def beat(self, after: str = "60s") -> HeartbeatReport:
        """One heartbeat, `after` the run before."""
        self.now += duration(after)
        database = Database(self.path, self.environ)
        try:
            return heartbeat.run(self.config, database, self.now, "stderr")
        finally:
            database.close()

    def until(self, reason: str, most: int = 400, after: str = "5m") -> timedelta:
        """Run until a notice with this reason; how long that took."""
        begun = self.now
        for _ in range(most):
            if any(notice.reason == reason for notice in self.run(after).notices):
                return self.now - begun
        raise AssertionError(f"no {reason} in {most} runs")

    @property
    def path(self) -> Path:
        return self.folder / "data" / "pom.db"

    def rows(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        """What a query of the database gives."""
        db = sqlite3.connect(self.path)
        try:
            return db.execute(sql, values).fetchall()
        finally:
            db.close()
