"""Who knows of an open alert. For people alone: a notice that still waits in the outbox has told nobody."""

import sqlite3
from collections.abc import Callable, Mapping
from datetime import datetime

from pom_cli.frozen import dataclass
from pom_cli.model import Entry
from pom_cli.store import alerts, ledger


@dataclass(frozen=True)
class Told:
    """What became of the notices of one open alert. `at` is the first delivery, None as long as there was none."""

    at: datetime | None = None
    recipients: tuple[str, ...] = ()
    waiting: bool = False  # a notice was written, and has not reached anybody
    held: str = ""  # why no notice was written: cover, silence, cooldown …


Known = Mapping[tuple[str, str], Told]


def known(db: sqlite3.Connection) -> Known:
    """By (target, kind of alert), for each alert that is open."""
    book = ledger.load(db)
    return {name: _told(one, book.get(name, {})) for name, one in alerts.load(db).items() if one.open}


def unsaid(db: sqlite3.Connection, configured: Callable[[str, str], bool]) -> list[str]:
    """What is over and was not said to be, with what keeps it quiet: a line each, for the alerts of today's config."""
    over = [one for name, one in alerts.load(db).items() if not one.open and one.held and configured(*name)]
    return [f"held ({one.held}): {f'{one.target} {one.alert}'.strip()}: over, and not notified yet" for one in over]


def _told(alert: alerts.Alert, entries: Mapping[str, Entry]) -> Told:
    told = {one: entry.told for one, entry in entries.items() if entry.told.status is not None}
    waiting = not told and any(entry.pending for entry in entries.values())
    first = min((one.first_at for one in told.values() if one.first_at), default=None)
    return Told(first, tuple(sorted(told)), waiting, alert.held)
