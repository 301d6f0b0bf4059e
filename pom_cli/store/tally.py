"""Uptime and latency by the hour. Each row also holds the sums of all hours up to its end.

So the sums of any window are one subtraction: what is summed up by now, less what was by the window's start. That costs
the same however long the window is.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from pom_cli.frozen import dataclass
from pom_cli.model import Status
from pom_cli.store.codes import pack

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
Intervals = Sequence[tuple[int, int]]  # from when to when, in milliseconds since the epoch
_UP = ("operational", "degraded")


@dataclass(frozen=True)
class Span:
    """Some milliseconds within one hour (since the epoch): how many are known, how many of them were up."""

    hour: int
    known_ms: int = 0
    up_ms: int = 0
    latencies: tuple[int, ...] = ()  # of good results, in ms; a drifting one's is negative
    degraded_ms: int = 0  # of those that were up
    quiet_ms: int = 0  # under maintenance: neither known nor up


@dataclass(frozen=True)
class Tally:
    """One hour of a series, and the sums of all hours before it."""

    hour: int
    known_ms: int = 0
    up_ms: int = 0
    latencies: tuple[int, ...] = ()
    known_before: int = 0
    up_before: int = 0
    quiet_ms: int = 0
    quiet_before: int = 0

    def store(self, db: sqlite3.Connection, series: int) -> None:
        """Write down this hour once it is over."""
        known, up = self.known_before + self.known_ms, self.up_before + self.up_ms
        db.execute(
            "INSERT OR REPLACE INTO hours (series, hour, known_ms, up_ms, latencies, known_total, up_total, quiet_ms,"
            " quiet_total) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                series,
                self.hour,
                self.known_ms,
                self.up_ms,
                pack(self.latencies),
                known,
                up,
                self.quiet_ms,
                self.quiet_before + self.quiet_ms,
            ),
        )


def held(seen: Status, from_ms: int, until_ms: int, holds_ms: int, quiet: Intervals = ()) -> list[Span]:
    """The time that a status covers, hour by hour: until the next look, and no longer than it holds. Unknown: none.

    `quiet` is when there was maintenance, in order and apart from each other: that time is counted by itself.
    """
    end = from_ms if seen == "unknown" else min(until_ms, from_ms + holds_ms)
    within = [(max(from_ms, one), min(until_ms, other)) for one, other in quiet]
    up, degraded = seen in _UP, seen == "degraded"
    spans = [
        Span(hour, ms, ms if up else 0, degraded_ms=ms if degraded else 0)
        for hour, ms in _by_hour(_outside(from_ms, end, within))
    ]
    spans += [Span(hour, quiet_ms=ms) for hour, ms in _by_hour(within)]
    return sorted(spans, key=lambda span: span.hour)


def _outside(begin: int, end: int, within: Intervals) -> Iterator[tuple[int, int]]:
    """What of this time lies in none of these intervals."""
    for one, other in within:
        yield begin, min(end, one)
        begin = max(begin, other)
    yield begin, end


def _by_hour(intervals: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The hours that these touch, each with how many milliseconds of it."""
    for begin, end in intervals:
        while begin < end:
            hour = begin // HOUR_MS
            step = min(end, (hour + 1) * HOUR_MS) - begin
            yield hour, step
            begin += step


def advance(running: Tally, spans: Iterable[Span]) -> tuple[list[Tally], Tally]:
    """The running hour with these spans, oldest first, added: the hours that are over by that, and the running one."""
    closed = []
    for span in spans:
        if span.hour > running.hour:
            closed.append(running)
            known, up = running.known_before + running.known_ms, running.up_before + running.up_ms
            quiet = running.quiet_before + running.quiet_ms
            running = Tally(span.hour, known_before=known, up_before=up, quiet_before=quiet)
        # A clock that was set back adds to the hour that runs.
        running = replace(
            running,
            known_ms=running.known_ms + span.known_ms,
            up_ms=running.up_ms + span.up_ms,
            latencies=running.latencies + span.latencies,
            quiet_ms=running.quiet_ms + span.quiet_ms,
        )
    return closed, running


def back(db: sqlite3.Connection, series: int, running: Tally, hour: int) -> Tally:
    """The running hour once a clock that was ahead is right again: what was counted since `hour` began counts in it."""
    known, up = running.known_before + running.known_ms, running.up_before + running.up_ms
    kept = "SELECT known_total, up_total FROM hours WHERE series = ? AND hour < ? ORDER BY hour DESC LIMIT 1"
    oldest = "SELECT known_total - known_ms, up_total - up_ms FROM hours WHERE series = ? ORDER BY hour LIMIT 1"
    before = db.execute(kept, (series, hour)).fetchone() or db.execute(oldest, (series,)).fetchone() or (known, up)
    db.execute("DELETE FROM hours WHERE series = ? AND hour >= ?", (series, hour))
    quiet = running.quiet_before + running.quiet_ms
    return Tally(hour, known - before[0], up - before[1], running.latencies, before[0], before[1], quiet_before=quiet)


@dataclass(frozen=True)
class Sums:
    """Of one window: milliseconds in which the status was known, in which it was up, and of maintenance."""

    known_ms: float = 0
    up_ms: float = 0
    quiet_ms: float = 0


# The newest hour that begins by the window's start; else what came before the oldest hour that is kept.
_BEFORE = """
SELECT value, h.hour, h.known_ms, h.up_ms, {quiet}, h.known_total, h.up_total, {quiet_total}
FROM json_each(?) JOIN hours AS h ON h.series = value AND h.hour = ifnull(
    (SELECT max(hour) FROM hours WHERE series = value AND hour <= ?), (SELECT min(hour) FROM hours WHERE series = value)
)
"""


def before(db: sqlite3.Connection, series: Sequence[int], start_ms: int) -> dict[int, Sums]:
    """Of each of these series, what is summed up by `start_ms`. A series without a stored hour is absent."""
    import json

    first = start_ms // HOUR_MS
    outside = start_ms % HOUR_MS / HOUR_MS  # of the hour in which the window begins, the share that lies before it
    found = {}
    # A file that this release has not written to yet is one of the release before.
    kept = has(db, "hours", "quiet_ms")
    sql = _BEFORE.format(quiet="h.quiet_ms" if kept else "0", quiet_total="h.quiet_total" if kept else "0")
    for number, hour, *row in db.execute(sql, (json.dumps(series), first)):
        share = 1.0 if hour < first else outside if hour == first else 0.0
        found[number] = Sums(*(total - own * (1 - share) for own, total in zip(row[:3], row[3:], strict=True)))
    return found


def has(db: sqlite3.Connection, table: str, column: str) -> bool:
    """Has the table this column."""
    return any(row[1] == column for row in db.execute(f"PRAGMA table_info({table})"))


def window(tally: Tally, open_: Sequence[Span], base: Sums | None, start_ms: int) -> Sums:
    """The sums from `start_ms` on: `open_` is the time since the newest look, `base` what is summed up by the start."""
    if base is None:  # no hour was stored yet, or all are pruned
        base = Sums(tally.known_before, tally.up_before, tally.quiet_before)
    known, up = tally.known_before - base.known_ms, tally.up_before - base.up_ms
    quiet = tally.quiet_before - base.quiet_ms
    running = Span(tally.hour, tally.known_ms, tally.up_ms, quiet_ms=tally.quiet_ms)
    for span in (running, *open_):
        inside = min(1.0, max(0.0, ((span.hour + 1) * HOUR_MS - start_ms) / HOUR_MS))
        known += span.known_ms * inside
        up += span.up_ms * inside
        quiet += span.quiet_ms * inside
    return Sums(max(0.0, known), max(0.0, up), max(0.0, quiet))
