"""Has the clock been steady since what is about to be deleted was recorded, or may it have been set ahead?"""

import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta

from pom_cli.store.tally import DAY_MS, HOUR_MS
from pom_cli.times import from_ms, local, short, to_ms

DAY = timedelta(days=1)
_SPARED = 2  # days of history: less is not worth a refusal
_ADVICE = "check it with timedatectl"


def doubt(db: sqlite3.Connection, now: datetime, retention: timedelta) -> str:
    """Why deleting what is older than `retention` is not safe now, "" where it is."""
    wrong = db.execute("SELECT summary FROM alerts WHERE alert = 'clock-wrong' AND target = '' AND since IS NOT NULL"
                       " AND ended_at IS NULL").fetchone()  # fmt: skip
    if wrong:
        return f"{wrong[0]}; {_ADVICE}"
    at = to_ms(now)
    newest = db.execute("SELECT max(at) FROM results WHERE at <= ?", (at,)).fetchone()[0]
    runs = db.execute("SELECT DISTINCT started_at / ? FROM runs WHERE started_at <= ? ORDER BY 1", (HOUR_MS, at))
    hours = [hour for (hour,) in runs.fetchall()]
    if newest is not None and newest < at - _ms(retention):
        return (
            f"the newest result is from {local(from_ms(newest))}, and the clock now says {local(now)};"
            f" {_ADVICE}; if it is right, run pom check first"
        )
    return leap(hours, at // HOUR_MS, retention // timedelta(hours=1))


def leap(hours: Sequence[int], now: int, retention: int) -> str:
    """Whether a gap between `hours` (since the epoch, ascending) in which something ran may be a clock set ahead.

    It may be for a day after the gap, which is time enough for others' clocks to contradict this one; and it matters
    only where more than two days of history would go that without the gap would stay.
    """
    ends = [*hours[1:], now]
    gaps = [(begin, end) for begin, end in zip(hours, ends, strict=False) if end - begin > 24]
    if not gaps or now - gaps[-1][1] >= 24:
        return ""
    begin, end = gaps[-1]
    old = now - retention
    lost = {hour // 24 for hour in hours if old - (end - begin) <= hour < old}
    if len(lost) <= _SPARED:
        return ""
    gone = short(timedelta(hours=end - begin))
    return (
        f"nothing ran for {gone} until now, so the clock may have been set ahead; {_ADVICE}."
        " Deleting goes on once it has been steady for a day"
    )


def _ms(span: timedelta) -> int:
    return span.days * DAY_MS + span.seconds * 1000
