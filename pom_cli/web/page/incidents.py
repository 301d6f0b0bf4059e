"""The incidents that the public status page and its feed list: each trouble once, without what is nobody else's."""

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from pom_cli.config import Config
from pom_cli.frozen import dataclass
from pom_cli.mesh.beats import ALERTS as PEER_ALERTS
from pom_cli.model import SEVERITY, Status
from pom_cli.report import overview
from pom_cli.store import reading, timeline
from pom_cli.store.alerts import Alert

MOST_INCIDENTS = 50  # on the page; what lasts is always there
_LISTED = timedelta(days=30)  # how far back
_READ_AT_MOST = 200  # of them, before those of the same trouble are merged
_SLACK = timedelta(minutes=10)  # kinds are checked at different minutes: so one trouble begins and ends for them
_FAR = datetime.max.replace(tzinfo=UTC)  # when ends what lasts
# What PoM could not learn, what its peers suffer, and what concerns the operators alone.
_NOT_FOR_VISITORS = ("whois-unknown", "test-failed", "test-stale", *PEER_ALERTS)


@dataclass(frozen=True)
class Incident:
    """One problem of one target, by its label; `ended_at` is None while it lasts. `alert` is its kind."""

    number: int
    target: str
    label: str
    alert: str
    worst: Status
    started_at: datetime
    ended_at: datetime | None


def recent(
    db: sqlite3.Connection, config: Config, alerts: Sequence[Alert], now: datetime
) -> tuple[tuple[Incident, ...], bool]:
    """The incidents of the last 30 days, newest first, and whether there were more."""

    def told(target: str, alert: str) -> bool:
        ours = target in config.targets and alert not in _NOT_FOR_VISITORS
        return ours and overview.configured(config, target, alert)

    begun = now - _LISTED
    lasting = [one.incident for one in alerts if one.open and one.incident is not None and told(one.target, one.alert)]
    newest = timeline.incidents(db, begun, told, _READ_AT_MOST)
    rows = reading.incidents(db, begun, list(dict.fromkeys([*lasting, *newest])))
    found = without_echoes(
        [
            Incident(
                one.id,
                one.target,
                config.targets[one.target].label or one.target,
                one.alert,
                one.worst,
                one.started_at,
                one.ended_at,
            )
            for one in rows
        ]
    )
    shown = [one for number, one in enumerate(found) if one.ended_at is None or number < MOST_INCIDENTS]
    return tuple(shown), len(shown) < len(found) or len(newest) == _READ_AT_MOST


def without_echoes(found: Iterable[Incident]) -> list[Incident]:
    """Without those that lie within one of the same target that was as bad or worse: it was the same trouble.

    An outage is found by several kinds of check, each with a separate incident. The order is kept.
    """
    all_ = list(found)
    ranked = sorted(all_, key=lambda one: (SEVERITY[one.worst], (one.ended_at or _FAR) - one.started_at), reverse=True)
    kept: dict[str, list[Incident]] = {}
    for one in ranked:
        if not any(_within(one, other) for other in kept.get(one.target, ())):
            kept.setdefault(one.target, []).append(one)
    chosen = {id(one) for own in kept.values() for one in own}
    return [one for one in all_ if id(one) in chosen]


def _within(one: Incident, other: Incident) -> bool:
    if one.started_at < other.started_at - _SLACK:
        return False
    if other.ended_at is None:
        return True
    return one.ended_at is not None and one.ended_at <= other.ended_at + _SLACK
