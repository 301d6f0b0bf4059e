"""What every run that alerts does with the outbox: drain it, and tell the others where someone cannot be reached."""

import sqlite3
from collections.abc import Callable
from datetime import datetime
from functools import partial

from pom_cli.alerting import outbox
from pom_cli.alerting.announce import Case, settle
from pom_cli.config import Config
from pom_cli.frozen import dataclass
from pom_cli.model import OPERATIONAL, Notice
from pom_cli.store import alerts as alert_rows
from pom_cli.store.spare import Database


@dataclass(frozen=True)
class Delivery:
    """What became of the outbox in this run."""

    notices: list[Notice]
    undelivered: int
    faults: tuple[str, ...]


def deliver(config: Config, database: Database, clock: Callable[[], datetime], console: str) -> Delivery:
    """Drain the outbox; where a permanent fault keeps someone from being reached, tell the others of it."""
    drained = outbox.drain(database, config, clock, console)
    notices = database.write(partial(_tell_of_failure, config=config, now=clock()))
    if notices:
        drained = outbox.Report(
            drained.delivered, drained.faults + outbox.drain(database, config, clock, console).faults
        )
    problem = database.read(partial(outbox.delivery_condition, config=config))
    owed = database.read(partial(outbox.undelivered, config=config))
    faults = drained.faults
    if problem.status is not OPERATIONAL:
        faults += (f"alerts are not delivered: {problem.summary}",)
    if database.fault:
        faults += (database.fault,)
    return Delivery(notices, len(owed), faults)


def _tell_of_failure(db: sqlite3.Connection, config: Config, now: datetime) -> list[Notice]:
    problem = outbox.delivery_condition(db, config)
    known = alert_rows.one(db, "", problem.alert)
    if problem.status is OPERATIONAL and not known:
        return []
    return settle(db, [Case(problem)], config, now, but=problem.subjects)
