"""What happened over time, for history, incidents, trends and the journal: each bounded by what is asked for."""

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from pom_cli.model import Key
from pom_cli.store.codes import unpack
from pom_cli.store.results import Stored
from pom_cli.store.runs import Run
from pom_cli.store.tally import HOUR_MS, Intervals, Span, has, held
from pom_cli.times import from_ms, to_ms


def series(db: sqlite3.Connection, target: str) -> dict[int, Key]:
    """Every series of this target, by its number."""
    rows = db.execute("SELECT id, kind, subject FROM series WHERE target = ?", (target,))
    return {number: Key(target, kind, subject) for number, kind, subject in rows}


def hours(
    db: sqlite3.Connection, one: Stored, holds_ms: int, since: datetime, now: datetime, quiet: Intervals = ()
) -> dict[int, Span]:
    """Each hour (since the epoch) of this series from that of `since` on in which anything is known.

    The running hour has its share up to `now`: `holds_ms` is how long the newest status counts as known.
    """
    first = to_ms(since) // HOUR_MS
    quiet_ms = "quiet_ms" if has(db, "hours", "quiet_ms") else "0"
    found = {
        hour: Span(hour, known, up, tuple(unpack(blob)), quiet)
        for hour, known, up, blob, quiet in db.execute(
            f"SELECT hour, known_ms, up_ms, latencies, {quiet_ms} FROM hours"
            " WHERE series = ? AND hour >= ? ORDER BY hour",
            (one.id, first),
        )
    }
    tally = one.tally
    running = [Span(tally.hour, tally.known_ms, tally.up_ms, tally.latencies, tally.quiet_ms)] if tally else []
    open_ = held(one.state.status, to_ms(one.state.checked_at), to_ms(now), holds_ms, quiet)
    for span in (*running, *open_):
        if span.hour >= first:
            found[span.hour] = _sum(found.get(span.hour, Span(span.hour)), span)
    return found


def _sum(one: Span, other: Span) -> Span:
    return replace(
        one,
        known_ms=one.known_ms + other.known_ms,
        up_ms=one.up_ms + other.up_ms,
        latencies=one.latencies + other.latencies,
        quiet_ms=one.quiet_ms + other.quiet_ms,
    )


def incidents(db: sqlite3.Connection, since: datetime, wanted: Callable[[str, str], bool], limit: int) -> list[int]:
    """The numbers of the newest incidents that lasted into or began after `since`, of the wanted (target, alert)."""
    rows = db.execute(
        "SELECT id, target, alert FROM incidents WHERE ended_at IS NULL OR ended_at >= ?"
        " ORDER BY started_at DESC, id DESC",
        (to_ms(since),),
    )
    found: list[int] = []
    for number, target, alert in rows:
        if len(found) == limit:
            break
        if wanted(target, alert):
            found.append(number)
    return found


def finished(db: sqlite3.Connection, since: datetime) -> dict[int, Run]:
    """The runs that began after `since` and have ended, by number, in the order of their ends."""
    rows = db.execute(
        "SELECT id, command, kinds, started_at, ended_at, outcome FROM runs"
        " WHERE started_at >= ? AND ended_at IS NOT NULL ORDER BY ended_at, id",
        (to_ms(since),),
    )
    return {
        number: Run(command, tuple(kinds.split()), from_ms(start), from_ms(end), outcome)
        for number, command, kinds, start, end, outcome in rows
    }
