"""What every run that alerts does with the outbox: drain it, and tell the others where someone cannot be reached."""

import sqlite3
from collections.abc import Callable
from datetime import datetime
from functools import partial

from pom_cli.alerting import outbox
from pom_cli.alerting.announce import Case, settle
from pom_cli.alerting.cases import judge_again
from pom_cli.alerting.decide import ON_THE_WAY
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
    """Drain the outbox; tell what waited for mail in flight to end, and where a fault keeps someone from being reached.

    What else is open was judged by this run before.
    """
    drained = outbox.drain(database, config, clock, console)
    notices = database.write(partial(_afterwards, config=config, now=clock()))
    if notices:
        again = outbox.drain(database, config, clock, console)
        drained = outbox.Report(drained.delivered + again.delivered, drained.faults + again.faults)
    problem = database.read(partial(outbox.delivery_condition, config=config))
    owed = database.read(partial(outbox.undelivered, config=config))
    faults = drained.faults
    if problem.status is not OPERATIONAL:
        faults += (f"alerts are not delivered: {problem.summary}",)
    if database.fault:
        faults += (database.fault,)
    return Delivery(notices, len(owed), faults)


def _afterwards(db: sqlite3.Connection, config: Config, now: datetime) -> list[Notice]:
    problem = outbox.delivery_condition(db, config)
    known = alert_rows.load(db)
    failed = problem.status is not OPERATIONAL or ("", problem.alert) in known
    if not failed and not any(alert.held in ON_THE_WAY for alert in known.values()):
        return []
    return settle(db, [*([Case(problem)] if failed else []), *judge_again(db, config, now)], config, now)
