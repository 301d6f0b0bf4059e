"""What happened over time, in the API's shapes: results, incidents, hourly trends. Only what the config names today."""

import re
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from pom_cli import checks
from pom_cli.config import Config
from pom_cli.config.targets import Target
from pom_cli.errors import UsageError
from pom_cli.model import Key
from pom_cli.quantiles import median, percentile
from pom_cli.report import incidents as past
from pom_cli.report import overview, silences
from pom_cli.report.incidents import Folded
from pom_cli.store import deployments, reading, results, timeline
from pom_cli.store.deployments import Deployment
from pom_cli.store.tally import HOUR_MS, Span, Sums
from pom_cli.times import duration, from_ms, to_ms, utc
from pom_cli.toml.table import shown

MOST, USUAL = 10_000, 1_000  # of `limit`
MOST_HOURS = 24 * 366  # of one answer's trend
SINCE_RULE = 'a duration like "24h" or an instant like "2026-11-24T06:00:00Z"'
EPOCH = datetime.fromtimestamp(0, UTC)
# RFC 3339, 5.6. A `+` that a query decoded to a space is accepted as `+`.
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d(?:\.\d{1,9})?)(?:([Zz])|([+ -])(\d\d:\d\d))", re.ASCII)


def begin(text: str, now: datetime) -> datetime:
    """The instant that `since` names: a duration back from `now`, or an RFC 3339 instant. Raises ValueError."""
    found = _INSTANT.fullmatch(text)
    try:
        if found is None:
            return max(EPOCH, now - duration(text))
        day, time, utc_, sign, offset = found.groups()
        zone = "+00:00" if utc_ else f"{'-' if sign == '-' else '+'}{offset}"
        return max(EPOCH, datetime.fromisoformat(f"{day}T{time}{zone}"))
    except OverflowError:
        return EPOCH  # longer ago than there are dates


def since(text: str, now: datetime) -> datetime:
    """What `--since` names. Raises UsageError."""
    try:
        return begin(text, now)
    except ValueError:
        raise UsageError(f"--since: {shown(text)} is not {SINCE_RULE}") from None


def back(text: str) -> str:
    """`since` in words: `in the last 24h`, `since 2026-11-24T06:00:00Z`."""
    return f"since {text}" if _INSTANT.fullmatch(text) else f"in the last {text}"


def rows(
    db: sqlite3.Connection, target: Target, kind: str | None, begun: datetime, limit: int
) -> Iterator[dict[str, Any]]:
    """`/api/history/{target}`: results, newest first, of one kind or of all. Consumed within the caller's snapshot."""
    keys = {number: key for number, key in timeline.series(db, target.name).items() if _shown(target, key, kind)}
    for row in reading.history(db, keys, begun, limit):
        yield {
            "target": row.key.target,
            "kind": row.key.kind,
            "subject": row.key.subject,
            "status": row.status.value,
            "checked_at": utc(row.checked_at),
            "latency_ms": row.latency_ms,
            "summary": row.summary,
        }


def _shown(target: Target, key: Key, kind: str | None) -> bool:
    check = target.checks.get(key.kind)
    wanted = check is not None and kind in (None, key.kind)
    return wanted and check is not None and key.subject in checks.load(key.kind).subjects(check.settings)


def incidents(
    db: sqlite3.Connection, config: Config, begun: datetime, limit: int, now: datetime
) -> list[dict[str, Any]]:
    """`/api/incidents`: what lasted into or began after `begun`, newest first."""
    found = began(db, config, begun, limit)
    deployed = deployed_before(db, found, now)
    return [past.as_json(one, config, deployed, now) for one in found]


def began(db: sqlite3.Connection, config: Config, begun: datetime, limit: int) -> list[Folded]:
    """The incidents that lasted into or began after `begun`, newest first, of what the config names."""
    # What an outage explains is folded under it, so more are read than are shown.
    numbers = timeline.incidents(db, begun, partial(overview.configured, config), min(MOST, 4 * limit))
    return past.fold(reading.incidents(db, begun, numbers), config.targets)[:limit]


def deployed_before(db: sqlite3.Connection, found: list[Folded], now: datetime) -> list[Deployment]:
    """The deployments that may be behind these incidents."""
    earliest = min((one.one.started_at for one in found), default=now)
    return deployments.since(db, earliest - deployments.RECENT, now)


def trends(
    db: sqlite3.Connection, config: Config, target: Target, begun: datetime, now: datetime
) -> list[dict[str, Any]]:
    """`/api/trends/{target}`: an entry an hour of health, oldest first, from the first one that is known."""
    one = results.load(db, ("health",)).get(Key(target.name, "health", ""))
    check = target.checks.get("health")
    if one is None or check is None:
        return []
    earliest = max(begun, now - timedelta(hours=MOST_HOURS - 1))
    holds_ms = overview.holds_ms(check.interval)
    quiet = silences.since_looked(db, config, {target.name: (one, holds_ms)}, now)
    known = timeline.hours(db, one, holds_ms, earliest, now, quiet[target.name])
    last = to_ms(now) // HOUR_MS
    return [_hour(known.get(hour, Span(hour)), now) for hour in range(min(known, default=last + 1), last + 1)]


def _hour(span: Span, now: datetime) -> dict[str, Any]:
    """Uptime is that of the hour, of the running one that of its part up to now."""
    start = from_ms(span.hour * HOUR_MS)
    length = max(timedelta(milliseconds=1), min(timedelta(hours=1), now - start))
    latencies = sorted(abs(ms) for ms in span.latencies)
    return {
        "hour": utc(start),
        "uptime": overview.uptime_json(Sums(span.known_ms, span.up_ms, span.quiet_ms), length),
        "median_ms": median(latencies),
        "p95_ms": percentile(latencies, 95),
    }
