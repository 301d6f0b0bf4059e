"""The alert about PoM's own database: it cannot be written, whether or not anything else is wrong."""

import sqlite3

from pom_cli.alerting.announce import Case
from pom_cli.model import DEGRADED, OPERATIONAL, Condition

ALERT = "store-failed"


def cases(db: sqlite3.Connection) -> list[Case]:
    """What a run has to say of the database that it writes to; its `fault` says why that is not the main file."""
    fault = getattr(db, "fault", "")
    if fault:
        return [Case(Condition("", ALERT, DEGRADED, fault))]
    return [Case(Condition("", ALERT, OPERATIONAL, "the database can be written again"))]
