"""Small pictures of the status page, for tests of what is made of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pom_cli.model import OPERATIONAL, Status
from pom_cli.web.page.data import Day, Picture, System, Uptime

NOW = datetime(2026, 11, 24, 7, 42, 9, tzinfo=UTC)
DAY_MS = 86_400_000.0
HOUR = timedelta(hours=1)


def days(*down: tuple[int, float], first: int = 0) -> tuple[Day, ...]:
    """90 days; `down` is the number of a day with its share of downtime, and nothing is known before `first`."""
    shares = dict(down)
    found = []
    for number in range(90):
        known = DAY_MS if number >= first else 0.0
        up = known * (1 - shares.get(number, 0.0))
        found.append(Day((NOW - timedelta(days=89 - number)).date(), Uptime(DAY_MS, known, up)))
    return tuple(found)


def system(
    name: str = "shop", status: Status = OPERATIONAL, since: datetime | None = NOW - HOUR, **more: object
) -> System:
    windows = tuple((name, Uptime(DAY_MS, DAY_MS, DAY_MS)) for name in ("24 hours", "7 days", "30 days", "90 days"))
    usual = {"uptime": windows, "days": days(), "latency": (80.0,) * 25, "median_ms": 80.0}
    return System(name, str(more.pop("label", name)), status, since, **{**usual, **more})  # type: ignore[arg-type]


def picture(*systems: System, **more: object) -> Picture:
    return Picture(NOW, systems, **more)  # type: ignore[arg-type]
