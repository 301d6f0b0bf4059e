"""Results, and the newest state of each series with what judging needs of its past."""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pom_cli.frozen import dataclass
from pom_cli.model import UNKNOWN, Baseline, Finding, Key, Past, State, Verdict
from pom_cli.quantiles import median
from pom_cli.store import days
from pom_cli.store.codes import NUMBERS, code, maybe_status, pack, status, unpack
from pom_cli.store.tally import DAY_MS, HOUR_MS, Intervals, Span, Tally, advance, back, has, held
from pom_cli.times import from_ms, to_ms

RECENT = 5  # good latencies kept beside the state, for judging drift
_STATE = (
    "series, status, since, checked_at, summary, known, known_since, latency, detail, verdicts, answered, drifting,"
    " recent, usual_ms, hour, known_ms, up_ms, latencies, known_before, up_before, quiet_ms, quiet_before"
)


@dataclass(frozen=True)
class Stored:
    """A series as the database holds it."""

    id: int
    state: State
    recent: tuple[int, ...]
    usual_ms: float | None
    tally: Tally | None


@dataclass(frozen=True)
class Record:
    """What one run writes about one series."""

    key: Key
    finding: Finding
    state: State
    holds_ms: int  # how long a status counts as known after it was seen
    quiet: Intervals = ()  # the maintenance since the last look


def load(db: sqlite3.Connection, kinds: Iterable[str] | None = None) -> dict[Key, Stored]:
    """Every series of these kinds (None: all), by what it is about."""
    names = None if kinds is None else tuple(kinds)
    where = "" if names is None else f"WHERE kind IN ({','.join('?' * len(names))})"
    # A file that this release has not written to yet is one of the release before.
    columns = _STATE if has(db, "states", "quiet_ms") else _STATE.replace("quiet_ms, quiet_before", "0, 0")
    rows = db.execute(
        f"SELECT target, kind, subject, {columns} FROM series JOIN states ON states.series = series.id {where}",
        names or (),
    )
    return {Key(*row[:3]): _stored(row[3:]) for row in rows}


def missed(db: sqlite3.Connection) -> set[Key]:
    """What the newest look could not see, since this monitor was offline."""
    rows = db.execute(
        "SELECT target, kind, subject FROM series JOIN states ON states.series = series.id"
        " WHERE status = ? AND NOT answered AND json_extract(detail, '$.offline')",
        (NUMBERS[UNKNOWN],),
    )
    return {Key(*row) for row in rows}


def _stored(row: Sequence[Any]) -> Stored:
    state = State(
        status=status(row[1]),
        since=from_ms(row[2]),
        checked_at=from_ms(row[3]),
        summary=row[4],
        known=maybe_status(row[5]),
        known_since=None if row[6] is None else from_ms(row[6]),
        latency_ms=row[7],
        detail=json.loads(row[8]),
        verdicts={alert: _verdict(*v) for alert, v in json.loads(row[9]).items()},
        answered=bool(row[10]),
        drifting=bool(row[11]),
    )
    tally = None if row[14] is None else Tally(row[14], row[15], row[16], tuple(unpack(row[17])), *row[18:22])
    return Stored(row[0], state, tuple(unpack(row[12])), row[13], tally)


def _verdict(number: int, summary: str, days_left: int | None, subjects: Sequence[str] = ()) -> Verdict:
    return Verdict(status(number), summary, days_left, tuple(subjects))


def past(db: sqlite3.Connection, stored: Stored | None, now: datetime) -> Past:
    """What judging may know of the series; the exact baseline is worked out only if it is asked for."""
    if stored is None:
        return Past()

    def usual() -> Baseline:
        return baseline(db, stored, now)

    state = stored.state
    return Past(
        status=state.status,
        detail=state.detail,
        checked_at=state.checked_at,
        drifting=state.drifting,
        recent_ms=tuple(abs(ms) for ms in stored.recent),
        usual_ms=stored.usual_ms,
        baseline=usual,
    )


def baseline(db: sqlite3.Connection, stored: Stored, now: datetime) -> Baseline:
    """Median and number of the good latencies of the seven days before the latest ones. Drifting ones stay out."""
    start = (to_ms(now) - 7 * DAY_MS) // HOUR_MS
    rows = db.execute(
        "SELECT latencies FROM hours WHERE series = ? AND hour >= ? ORDER BY hour", (stored.id, start)
    ).fetchall()
    latencies = [ms for (blob,) in rows for ms in unpack(blob)] + list(stored.tally.latencies if stored.tally else ())
    good = [ms for ms in latencies[: max(0, len(latencies) - RECENT)] if ms >= 0]
    return Baseline(median(good), len(good))


def last_good(db: sqlite3.Connection, series: int, before: datetime) -> datetime | None:
    """When the newest operational result of this series was seen, as far back as history goes."""
    row = db.execute(
        "SELECT at FROM results WHERE at < ? AND series = ? AND code = 0 ORDER BY at DESC LIMIT 1",
        (to_ms(before), series),
    ).fetchone()
    return from_ms(row[0]) if row else None


def free_moment(db: sqlite3.Connection, at_ms: int) -> int:
    """The first millisecond from `at_ms` on that no other run has: rows of two runs never replace each other."""
    while db.execute("SELECT 1 FROM results WHERE at = ? LIMIT 1", (at_ms,)).fetchone():
        at_ms += 1
    return at_ms


def record(db: sqlite3.Connection, records: Sequence[Record], stored: Mapping[Key, Stored], now: datetime) -> None:
    """Write one run's results, states and sums. Inside the caller's transaction."""
    at = free_moment(db, to_ms(now))
    ids = {entry.key: _series(db, entry.key, stored) for entry in records}
    texts = _texts(db, {entry.finding.summary for entry in records}, at)
    db.executemany(
        "INSERT INTO results (at, series, code, latency, text) VALUES (?, ?, ?, ?, ?)",
        [
            (at, ids[r.key], code(r.finding.status, r.finding.drifting), r.finding.latency_ms, texts[r.finding.summary])
            for r in records
        ],
    )
    rows = []
    for entry in records:
        before = stored.get(entry.key)
        if before and entry.state is before.state:
            continue  # seen before what is already known: history alone
        tally = _tally(db, ids[entry.key], entry, before, to_ms(now))
        usual = _usual(db, entry, before, tally, now)
        rows.append(_row(ids[entry.key], entry, before, tally, usual))
    db.executemany(f"INSERT OR REPLACE INTO states ({_STATE}) VALUES ({','.join('?' * 22)})", rows)


def _series(db: sqlite3.Connection, key: Key, stored: Mapping[Key, Stored]) -> int:
    if key in stored:
        return stored[key].id
    names = (key.target, key.kind, key.subject)
    db.execute("INSERT OR IGNORE INTO series (target, kind, subject) VALUES (?, ?, ?)", names)
    found = db.execute("SELECT id FROM series WHERE target = ? AND kind = ? AND subject = ?", names).fetchone()
    return int(found[0])


def _texts(db: sqlite3.Connection, texts: set[str], at_ms: int) -> dict[str, int]:
    """Each distinct summary is stored once; the day of its newest use tells prune when it can go."""
    day = at_ms // DAY_MS
    found = {}
    for text in texts:
        row = db.execute("SELECT id, used_on FROM texts WHERE text = ?", (text,)).fetchone()
        if row is None:
            found[text] = int(db.execute("INSERT INTO texts (text, used_on) VALUES (?, ?)", (text, day)).lastrowid or 0)
            continue
        found[text] = int(row[0])
        if row[1] < day:
            db.execute("UPDATE texts SET used_on = ? WHERE id = ?", (day, row[0]))
    return found


def _tally(db: sqlite3.Connection, series: int, entry: Record, before: Stored | None, now_ms: int) -> Tally | None:
    """The running hour after this look; the hours that it closes are stored. Uptime is of health alone."""
    if entry.key.kind != "health":
        return None
    running = before.tally if before and before.tally else Tally(now_ms // HOUR_MS)
    if running.hour * HOUR_MS > now_ms + HOUR_MS:  # a clock that was ahead began it
        running = back(db, series, running, now_ms // HOUR_MS)
    spans = (
        held(before.state.status, to_ms(before.state.checked_at), now_ms, entry.holds_ms, entry.quiet) if before else []
    )
    if _good(entry):
        ms = entry.finding.latency_ms or 0
        spans.append(Span(now_ms // HOUR_MS, latencies=(-ms if entry.finding.drifting else ms,)))
    spans.append(Span(now_ms // HOUR_MS))
    days.add(db, series, spans)
    closed, tally = advance(running, spans)
    for hour in closed:
        hour.store(db, series)
    return tally


def _usual(
    db: sqlite3.Connection, entry: Record, before: Stored | None, tally: Tally | None, now: datetime
) -> float | None:
    """The baseline to remember: the one just worked out, else the old one, refreshed every six hours or so."""
    if entry.finding.usual_ms is not None or before is None:
        return entry.finding.usual_ms
    if tally and before.tally and tally.hour != before.tally.hour and (tally.hour + before.id) % 6 == 0:
        return baseline(db, before, now).median_ms
    return before.usual_ms


def _row(
    series: int, entry: Record, before: Stored | None, tally: Tally | None, usual: float | None
) -> tuple[Any, ...]:
    state = entry.state
    verdicts = {
        alert: (NUMBERS[v.status], v.summary, v.days_left, *((v.subjects,) if v.subjects else ()))
        for alert, v in state.verdicts.items()
    }
    recent = ((before.recent if before else ()) + (tally.latencies[-1:] if _good(entry) and tally else ()))[-RECENT:]
    return (
        series,
        NUMBERS[state.status],
        to_ms(state.since),
        to_ms(state.checked_at),
        state.summary,
        None if state.known is None else NUMBERS[state.known],
        None if state.known_since is None else to_ms(state.known_since),
        state.latency_ms,
        json.dumps(state.detail, allow_nan=False, ensure_ascii=False, separators=(",", ":")),
        json.dumps(verdicts, allow_nan=False, ensure_ascii=False, separators=(",", ":")),
        state.answered,
        state.drifting,
        pack(recent),
        usual,
        tally.hour if tally else None,
        tally.known_ms if tally else None,
        tally.up_ms if tally else None,
        pack(tally.latencies) if tally else None,
        tally.known_before if tally else None,
        tally.up_before if tally else None,
        tally.quiet_ms if tally else 0,
        tally.quiet_before if tally else 0,
    )


def _good(entry: Record) -> bool:
    return entry.finding.latency_ms is not None and (entry.finding.status == "operational" or entry.finding.drifting)
