"""Do this instance's own checks run: later than twice the interval plus a minute is overdue.

Judged for every kind that the config uses, for each has its timer. That of `tests` looks at the newest run that was
recorded; how old that run may be is another matter, and goes stale.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pom_cli import checks
from pom_cli.config import Config
from pom_cli.frozen import dataclass
from pom_cli.model import Key
from pom_cli.store import peers as peer_rows
from pom_cli.store import reading
from pom_cli.store import runs as run_rows
from pom_cli.text import listed
from pom_cli.times import holds, short, utc

GRACE_MOST = timedelta(minutes=10)  # for timers to catch up after this host slept or was switched off


@dataclass(frozen=True)
class Look:
    """The newest look at one kind of one target: the oldest of its subjects' looks, None where one has had none.

    `counted` is what its age is counted from, None where nothing has ever run; while that lies in the future, it is
    `woke`: when this instance's heartbeats went on after its clock was set back.
    """

    target: str
    kind: str
    interval: timedelta
    seen_at: datetime | None
    counted: datetime | None
    woke: datetime | None = None

    def begun(self, now: datetime) -> datetime | None:
        """What its age is counted from at this moment."""
        return self.woke if self.woke and self.counted and not holds(self.counted, now) else self.counted


def limit(interval: timedelta) -> timedelta:
    """How old the newest look may be."""
    return 2 * interval + timedelta(minutes=1)


def is_overdue(look: Look, now: datetime) -> bool:
    begun = look.begun(now)
    return begun is None or now - begun > limit(look.interval)


def runs(db: sqlite3.Connection, config: Config, now: datetime) -> dict[str, dict[str, Any]]:
    """`{kind: {"last_run", "age_s", "overdue"}}` of every kind in use: the look that is nearest to its limit.

    `last_run` is null where that one has never been looked at.
    """
    return summed(looks(db, config), now)


def summed(looks_: Sequence[Look], now: datetime) -> dict[str, dict[str, Any]]:
    """What `runs` gives, from looks."""
    found = {}
    for kind in dict.fromkeys(look.kind for look in looks_):
        own = [look for look in looks_ if look.kind == kind]
        late = [look for look in own if is_overdue(look, now)]
        seen = [look for look in own if look.seen_at is not None]
        told = max(late or seen or own, key=lambda look: _over(look, now))
        found[kind] = {
            "last_run": None if told.seen_at is None else utc(told.seen_at),
            "age_s": None if told.seen_at is None else max(0, round((now - told.seen_at).total_seconds())),
            "overdue": bool(late),
        }
    return found


def _over(look: Look, now: datetime) -> timedelta:
    """How far past its limit, negative before it."""
    begun = look.begun(now)
    return timedelta.max if begun is None else now - begun - limit(look.interval)


def looks(db: sqlite3.Connection, config: Config) -> list[Look]:
    """The newest look at every kind of every target that timers look at."""
    seen = reading.looked_at(db)
    begun = _begun(run_rows.first(db), config.path)
    beats = peer_rows.own_beats(db)
    woke = beats.since if beats else None
    return [
        replace(
            look(target.name, kind, check.interval, checks.load(kind).subjects(check.settings), seen, begun), woke=woke
        )
        for target in config.targets.values()
        for kind, check in target.checks.items()
    ]


def look(
    target: str,
    kind: str,
    interval: timedelta,
    subjects: Iterable[str],
    seen: Mapping[Key, datetime],
    begun: datetime | None,
) -> Look:
    """One look, from when each series was seen; `begun` is what counts for one that never was."""
    found = [seen.get(Key(target, kind, subject)) for subject in subjects]
    known = [at for at in found if at is not None]
    if not found or len(known) < len(found):
        return Look(target, kind, interval, None, begun)
    return Look(target, kind, interval, min(known), min(known))


def _begun(first_run: datetime | None, config: Path) -> datetime | None:
    """Since when what was never looked at is owed: the first run, or the config's last change where that is later."""
    if first_run is None:
        return None
    try:
        changed = datetime.fromtimestamp(config.stat().st_mtime, UTC)
    except OSError:
        return first_run  # the config in use is a copy of one that cannot be read now
    return max(first_run, changed)


def judged(look: Look, row_since: datetime | None, now: datetime) -> bool:
    """Has this instance been awake for long enough to blame the timers: `row_since` is when it woke, None for never."""
    return row_since is None or now - row_since >= min(2 * look.interval, GRACE_MOST)


def summary(late: Sequence[Look], now: datetime) -> str:
    """`health last ran 25 min ago (limit 11 min)`, the worst of each kind."""
    worst: dict[str, Look] = {}
    for look in sorted(late, key=lambda one: _over(one, now), reverse=True):
        worst.setdefault(look.kind, look)
    return listed(_told(look, now) for look in worst.values())


def _told(look: Look, now: datetime) -> str:
    ran = "has never run" if look.seen_at is None else f"last ran {short(now - look.seen_at)} ago"
    return f"{look.kind} of {look.target} {ran} (limit {short(limit(look.interval))})"
