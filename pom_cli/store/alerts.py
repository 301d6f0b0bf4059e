"""What was announced about each (target, kind of alert), the incidents behind it, and the notices that were decided."""

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pom_cli.frozen import dataclass
from pom_cli.model import OPERATIONAL, UNKNOWN, Announced, Condition, Notice, Status
from pom_cli.store.codes import NUMBERS, maybe_status, status
from pom_cli.times import from_ms, to_ms

_COLUMNS = (
    "target, alert, status, summary, subjects, since, ended_at, incident, held, told, told_subjects, told_days,"
    " first_at, last_at"
)


@dataclass(frozen=True)
class Alert:
    """One (target, kind of alert): what is so, since when, and what operators know of it."""

    target: str
    alert: str
    status: Status
    summary: str
    subjects: tuple[str, ...]
    since: datetime | None  # the start of the newest problem
    ended_at: datetime | None  # its end, None while it lasts
    incident: int | None
    held: str  # why operators have not been notified of the current state; "" if they have
    announced: Announced

    @property
    def open(self) -> bool:
        return self.since is not None and self.ended_at is None


def load(db: sqlite3.Connection) -> dict[tuple[str, str], Alert]:
    """Every alert that ever was, by (target, kind of alert)."""
    rows = db.execute(f"SELECT {_COLUMNS} FROM alerts")
    return {(row[0], row[1]): _alert(row) for row in rows}


def one(db: sqlite3.Connection, target: str, alert: str) -> Alert | None:
    """This alert, None where it never was."""
    row = db.execute(f"SELECT {_COLUMNS} FROM alerts WHERE target = ? AND alert = ?", (target, alert)).fetchone()
    return _alert(row) if row else None


def _alert(row: Sequence[Any]) -> Alert:
    announced = Announced(
        status=maybe_status(row[9]),
        subjects=tuple(json.loads(row[10])),
        days_left=row[11],
        first_at=_instant(row[12]),
        last_at=_instant(row[13]),
    )
    return Alert(
        target=row[0],
        alert=row[1],
        status=status(row[2]),
        summary=row[3],
        subjects=tuple(json.loads(row[4])),
        since=_instant(row[5]),
        ended_at=_instant(row[6]),
        incident=row[7],
        held=row[8],
        announced=announced,
    )


def save(db: sqlite3.Connection, alert: Alert) -> None:
    told = alert.announced
    row = (
        alert.target,
        alert.alert,
        NUMBERS[alert.status],
        alert.summary,
        json.dumps(alert.subjects, ensure_ascii=False),
        _ms(alert.since),
        _ms(alert.ended_at),
        alert.incident,
        alert.held,
        None if told.status is None else NUMBERS[told.status],
        json.dumps(told.subjects, ensure_ascii=False),
        told.days_left,
        _ms(told.first_at),
        _ms(told.last_at),
    )
    db.execute(f"INSERT OR REPLACE INTO alerts ({_COLUMNS}) VALUES ({','.join('?' * 14)})", row)


def follow(db: sqlite3.Connection, alert: Alert | None, condition: Condition, now: datetime) -> Alert | None:
    """The alert under this condition, its incident begun, worsened or ended. None where there is nothing to keep."""
    if condition.status is UNKNOWN or (alert is None and condition.status is OPERATIONAL):
        return alert
    since, ended_at, incident = (alert.since, alert.ended_at, alert.incident) if alert else (None, None, None)
    lasts = alert is not None and alert.open
    if condition.status is OPERATIONAL:
        if lasts:
            ended_at = now
            db.execute("UPDATE incidents SET ended_at = ? WHERE id = ?", (to_ms(now), incident))
    elif not lasts:
        since, ended_at = now, None
        incident = db.execute(
            "INSERT INTO incidents (target, alert, started_at, worst, summary) VALUES (?, ?, ?, ?, ?)",
            (condition.target, condition.alert, to_ms(now), NUMBERS[condition.status], condition.summary),
        ).lastrowid
    else:
        # The numbers of degraded, error and unreachable rise in that order.
        db.execute(
            "UPDATE incidents SET worst = ?, summary = ? WHERE id = ? AND worst < ?",
            (NUMBERS[condition.status], condition.summary, incident, NUMBERS[condition.status]),
        )
    return Alert(
        target=condition.target,
        alert=condition.alert,
        status=condition.status,
        summary=condition.summary,
        subjects=condition.subjects,
        since=since,
        ended_at=ended_at,
        incident=incident,
        held=alert.held if alert else "",
        announced=alert.announced if alert else Announced(),
    )


def begun_since(db: sqlite3.Connection, target: str, alert: str, since: datetime) -> int:
    """The number of incidents of this alert that began since then."""
    counted = "SELECT count(*) FROM incidents WHERE target = ? AND alert = ? AND started_at >= ?"
    return int(db.execute(counted, (target, alert, to_ms(since))).fetchone()[0])


def summary(db: sqlite3.Connection, incident: int | None) -> str:
    """What an incident was at its worst; "" where it is not kept any more."""
    row = db.execute("SELECT summary FROM incidents WHERE id = ?", (incident,)).fetchone()
    return str(row[0]) if row else ""


def add_notice(db: sqlite3.Connection, notice: Notice, message: str | None, incident: int | None) -> None:
    row = (
        notice.id,
        to_ms(notice.at),
        message,
        incident,
        notice.target,
        notice.alert,
        notice.reason,
        NUMBERS[notice.before],
        NUMBERS[notice.now],
        to_ms(notice.since),
        json.dumps(notice.subjects, ensure_ascii=False),
        notice.summary,
        json.dumps([str(view) for view in notice.facts.get("views") or ()], ensure_ascii=False),
        notice.days_left,
    )
    db.execute(
        "INSERT INTO notices"
        " (id, at, message, incident, target, alert, reason, before, now, since, subjects, summary, views, days)"
        f" VALUES ({','.join('?' * len(row))})",
        row,
    )


def _instant(ms: int | None) -> datetime | None:
    return None if ms is None else from_ms(ms)


def _ms(instant: datetime | None) -> int | None:
    return None if instant is None else to_ms(instant)
