"""How a target stands: what of it was ever looked at, the worst of that, and since when. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from pom_cli import checks
from pom_cli.config.targets import Target
from pom_cli.model import OPERATIONAL, UNKNOWN, Key, State, Status, worst
from pom_cli.store.results import Stored


def seen_of(target: Target, stored: Mapping[Key, Stored]) -> list[tuple[str, str, State]]:
    """Kind, subject and state of all that the config names of a target and that was ever looked at."""
    keys = [
        Key(target.name, kind, subject)
        for kind, check in target.checks.items()
        for subject in checks.load(kind).subjects(check.settings)
    ]
    return [(key.kind, key.subject, stored[key].state) for key in keys if key in stored]


def standing(states: Sequence[State]) -> tuple[Status, datetime | None]:
    """The worst status, and since when it is the worst one: for operational, since the last of all became so."""
    status_ = worst(state.status for state in states)
    since = [state.since for state in states if state.status is status_]
    if not since:
        return UNKNOWN, None
    return status_, max(since) if status_ is OPERATIONAL else min(since)
