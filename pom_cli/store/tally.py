"""Uptime and latency by the hour. Each row also holds the sums of all hours up to its end.

So the sums of any window are one subtraction: what is summed up by now, less what was by the window's start. That costs
the same however long the window is.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace

from pom_cli.frozen import dataclass
from pom_cli.model import Status
from pom_cli.store.codes import pack

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
_UP = ("operational", "degraded")


@dataclass(frozen=True)
class Span:
    """Some milliseconds within one hour (since the epoch): how many are known, how many of them were up."""

    hour: int
    known_ms: int = 0
    up_ms: int = 0
    latencies: tuple[int, ...] = ()  # of good results, in ms; a drifting one's is negative
    degraded_ms: int = 0  # of those that were up


@dataclass(frozen=True)
class Tally:
    """One hour of a series, and the sums of all hours before it."""

    hour: int
    known_ms: int = 0
    up_ms: int = 0
    latencies: tuple[int, ...] = ()
    known_before: int = 0
    up_before: int = 0

    def store(self, db: sqlite3.Connection, series: int) -> None:
        """Write down this hour once it is over."""
        known, up = self.known_before + self.known_ms, self.up_before + self.up_ms
        db.execute(
            "INSERT OR REPLACE INTO hours (series, hour, known_ms, up_ms, latencies, known_total, up_total)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (series, self.hour, self.known_ms, self.up_ms, pack(self.latencies), known, up),
        )


def held(seen: Status, from_ms: int, until_ms: int, holds_ms: int) -> list[Span]:
    """The time that a status covers, hour by hour: until the next look, and no longer than it holds. Unknown: none."""
    if seen == "unknown":
        return []
    end = min(until_ms, from_ms + holds_ms)
    spans = []
    while from_ms < end:
        hour = from_ms // HOUR_MS
        step = min(end, (hour + 1) * HOUR_MS) - from_ms
        spans.append(Span(hour, step, step if seen in _UP else 0, (), step if seen == "degraded" else 0))
        from_ms += step
    return spans


def advance(running: Tally, spans: Iterable[Span]) -> tuple[list[Tally], Tally]:
    """The running hour with these spans, oldest first, added: the hours that are over by that, and the running one."""
    closed = []
    for span in spans:
        if span.hour > running.hour:
            closed.append(running)
            known, up = running.known_before + running.known_ms, running.up_before + running.up_ms
            running = Tally(span.hour, known_before=known, up_before=up)
        # A clock that was set back adds to the hour that runs.
        running = replace(
            running,
            known_ms=running.known_ms + span.known_ms,
            up_ms=running.up_ms + span.up_ms,
            latencies=running.latencies + span.latencies,
        )
    return closed, running


def back(db: sqlite3.Connection, series: int, running: Tally, hour: int) -> Tally:
    """The running hour once a clock that was ahead is right again: what was counted since `hour` began counts in it."""
    known, up = running.known_before + running.known_ms, running.up_before + running.up_ms
    kept = "SELECT known_total, up_total FROM hours WHERE series = ? AND hour < ? ORDER BY hour DESC LIMIT 1"
    oldest = "SELECT known_total - known_ms, up_total - up_ms FROM hours WHERE series = ? ORDER BY hour LIMIT 1"
    before = db.execute(kept, (series, hour)).fetchone() or db.execute(oldest, (series,)).fetchone() or (known, up)
    db.execute("DELETE FROM hours WHERE series = ? AND hour >= ?", (series, hour))
    return Tally(hour, known - before[0], up - before[1], running.latencies, *before)


@dataclass(frozen=True)
class Sums:
    """Of one window: milliseconds in which the status was known, and in which it was up."""

    known_ms: float = 0
    up_ms: float = 0


# The newest hour that begins by the window's start; where there is none, what came before the oldest hour that is kept.
_BEFORE = """
SELECT value, h.hour, h.known_ms, h.up_ms, h.known_total, h.up_total FROM json_each(?) JOIN hours AS h
ON h.series = value AND h.hour = ifnull(
    (SELECT max(hour) FROM hours WHERE series = value AND hour <= ?), (SELECT min(hour) FROM hours WHERE series = value)
)
"""


def before(db: sqlite3.Connection, series: Sequence[int], start_ms: int) -> dict[int, Sums]:
    """Of each of these series, what is summed up by `start_ms`. A series without a stored hour is absent."""
    import json

    first = start_ms // HOUR_MS
    outside = start_ms % HOUR_MS / HOUR_MS  # of the hour in which the window begins, the share that lies before it
    found = {}
    for number, hour, known, up, known_total, up_total in db.execute(_BEFORE, (json.dumps(series), first)):
        share = 1.0 if hour < first else outside if hour == first else 0.0
        found[number] = Sums(known_total - known * (1 - share), up_total - up * (1 - share))
    return found


def window(tally: Tally, open_: Sequence[Span], base: Sums | None, start_ms: int) -> Sums:
    """The sums from `start_ms` on: `open_` is the time since the newest look, `base` what is summed up by the start."""
    known, up = tally.known_before, tally.up_before
    if base is None:
        base = Sums(known, up)  # no hour was stored yet, or all are pruned
    total_known, total_up = known - base.known_ms, up - base.up_ms
    running = Span(tally.hour, tally.known_ms, tally.up_ms)
    for span in (running, *open_):
        inside = min(1.0, max(0.0, ((span.hour + 1) * HOUR_MS - start_ms) / HOUR_MS))
        total_known += span.known_ms * inside
        total_up += span.up_ms * inside
    return Sums(max(0.0, total_known), max(0.0, total_up))
