"""Who knows of an open alert. For people alone: a notice that still waits in the outbox has told nobody."""

import sqlite3
from collections.abc import Callable, Mapping
from datetime import datetime

from pom_cli.frozen import dataclass
from pom_cli.store import alerts, reading


@dataclass(frozen=True)
class Told:
    """What became of the notices of one open alert. `at` is the first delivery, None as long as there was none."""

    at: datetime | None = None
    recipients: tuple[str, ...] = ()
    waiting: bool = False  # a notice was written, and has not reached anybody
    held: str = ""  # why no notice was written: cover, silence, cooldown …


Known = Mapping[tuple[str, str], Told]


def known(db: sqlite3.Connection, now: datetime) -> Known:
    """By (target, kind of alert), for each alert that is open."""
    open_ = [alert for alert in alerts.load(db).values() if alert.open]
    numbers = [alert.incident for alert in open_ if alert.incident is not None]
    notices = {one.id: one.told for one in reading.incidents(db, now, numbers)} if numbers else {}
    return {(one.target, one.alert): _told(one, notices.get(one.incident or 0, ())) for one in open_}


def unsaid(db: sqlite3.Connection, configured: Callable[[str, str], bool]) -> list[str]:
    """What is over and was not said to be, with what keeps it quiet: a line each, for the alerts of today's config."""
    over = [one for name, one in alerts.load(db).items() if not one.open and one.held and configured(*name)]
    return [f"held: {f'{one.target} {one.alert}'.strip()}: it is over, and not told yet: {one.held}" for one in over]


def _told(alert: alerts.Alert, notices: tuple[reading.Told, ...]) -> Told:
    if alert.announced.status is None:
        return Told(held=alert.held)
    if not notices:  # of an earlier incident that was never called over, or too old to be kept
        return Told(at=alert.announced.first_at)
    times = [one.delivered_at for one in notices if one.delivered_at is not None]
    names = dict.fromkeys(name for one in notices for name in one.recipients)
    return Told(min(times, default=None), tuple(names), waiting=not times)
