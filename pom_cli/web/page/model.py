"""What the public status page shows, as plain data: names, statuses, uptime, latency, incidents; nothing else."""

from datetime import date, datetime

from pom_cli.frozen import dataclass
from pom_cli.model import OPERATIONAL, UNKNOWN, Status

DAYS = 30  # that the page looks back


@dataclass(frozen=True)
class Uptime:
    """Of one window: the milliseconds that it has, those in which the status was known, and those that were up."""

    length_ms: float
    known_ms: float
    up_ms: float

    @property
    def coverage(self) -> float:
        """The known share of the window, 0 to 1."""
        return min(1.0, self.known_ms / self.length_ms) if self.length_ms > 0 else 0.0

    @property
    def down_ms(self) -> float:
        return max(0.0, self.known_ms - self.up_ms)


@dataclass(frozen=True)
class Day:
    """One day of UTC; of today, the part up to now."""

    date: date
    uptime: Uptime


@dataclass(frozen=True)
class System:
    """One target. `uptime` is by window, empty (as days and latency are) where its health is not watched."""

    name: str
    status: Status
    since: datetime | None = None
    last_known: Status | None = None  # of an unknown one: what it was before
    quiet_until: datetime | None = None  # the end of the maintenance that runs
    overdue: bool = False  # its own checks do not run as they should
    seen_at: datetime | None = None  # the newest look at what was looked at longest ago
    uptime: tuple[tuple[str, Uptime], ...] = ()
    days: tuple[Day, ...] = ()  # oldest first, today last
    latency: tuple[float | None, ...] = ()  # median in ms by the hour, oldest first, the running hour last
    median_ms: float | None = None  # of all good answers in those hours


@dataclass(frozen=True)
class Incident:
    """One problem of one target; `ended_at` is None while it lasts."""

    target: str
    worst: Status
    started_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True)
class Picture:
    """All that the page shows. `more`: there were older incidents than those that are listed."""

    at: datetime
    systems: tuple[System, ...]
    incidents: tuple[Incident, ...] = ()
    more: bool = False
    offline_since: datetime | None = None  # the monitor's own network is down since then

    @property
    def bad(self) -> tuple[System, ...]:
        """Known not to be operational."""
        return tuple(one for one in self.systems if one.status not in (OPERATIONAL, UNKNOWN))

    @property
    def unknown(self) -> tuple[System, ...]:
        return tuple(one for one in self.systems if one.status is UNKNOWN)

    @property
    def overdue(self) -> tuple[System, ...]:
        return tuple(one for one in self.systems if one.overdue)
