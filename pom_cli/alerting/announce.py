"""Conditions → notices for each recipient, their messages and outbox rows, all in the caller's transaction."""

import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import uuid4

from pom_cli.alerting import audience
from pom_cli.alerting import decide as alerts
from pom_cli.alerting.decide import Decision, Policy
from pom_cli.config import Config
from pom_cli.frozen import dataclass
from pom_cli.messages import facts
from pom_cli.model import (
    OPERATIONAL,
    SEVERITY,
    UNKNOWN,
    WITHDRAWN,
    Announced,
    Condition,
    Entry,
    Notice,
    Pending,
)
from pom_cli.store import acks, ledger
from pom_cli.store import alerts as rows
from pom_cli.store import outbox as outbox_rows
from pom_cli.store.alerts import Alert

NOBODY = "nobody to tell"
_TOLD = ("well", "unknown", "same", "pending", "acked", *alerts.SPOKEN)  # nothing is kept from the recipient
_PASSED_ON = (alerts.COOLDOWN, "quorum")  # what keeps an outage quiet for a moment keeps quiet what it explains

Name = tuple[str, str]  # target and kind of alert


@dataclass(frozen=True)
class Case:
    """One condition to decide on: what keeps it quiet ("" for nothing), and the facts for its notice.

    `covers` are the alerts that explain this problem to those who know of them. `urgent` waits for nothing.
    """

    condition: Condition
    held: str = ""
    seen: Callable[[], Mapping[str, Any]] = dict  # worked out only where there is a notice
    covers: tuple[Name, ...] = ()
    urgent: bool = False

    @property
    def name(self) -> Name:
        return self.condition.target, self.condition.alert


@dataclass(frozen=True)
class _Line:
    """One recipient of one case, with what was decided."""

    case: Case
    recipient: str
    entry: Entry
    decision: Decision


def settle(db: sqlite3.Connection, cases: Sequence[Case], config: Config, now: datetime) -> list[Notice]:
    """Decide each case for each recipient, take back what is out of date, and queue one message a recipient.

    The cases come in the order in which they explain each other: what covers before what it covers.
    """
    known = rows.load(db)
    followed = {}
    for case in cases:
        after = rows.follow(db, known.get(case.name), case.condition, now)
        if after is not None:
            followed[case.name] = after
    judged = [case for case in cases if case.name in followed]
    lines, gone = _decided(judged, ledger.load(db), acks.load(db).keys(), config, now)
    ledger.withdraw(db, gone)
    waited_for = [
        row for line in lines if line.decision.reason in alerts.ON_THE_WAY for row in _rows(line.entry.pending)
    ]
    outbox_rows.hasten_rows(db, waited_for, now)
    notices = _post(db, [line for line in lines if line.decision.speak], followed, config, now)
    for case in judged:
        own = [line for line in lines if line.case is case]
        after = replace(followed[case.name], announced=_loudest(own, now), held=_held(case, own))
        if after != known.get(case.name):
            rows.save(db, after)
    return notices


def _decided(
    cases: Sequence[Case], book: ledger.Book, acked: Collection[Name], config: Config, now: datetime
) -> tuple[list[_Line], set[int]]:
    """Every line with its decision, and the outbox rows that are out of date.

    A row may hold several notices. Where one of them is replaced, the others are decided anew, too.
    """
    gone: set[int] = set()
    while True:
        lines = _once(cases, _without(book, gone), acked, config, now)
        stale = {row for line in lines if alerts.replaces(line.decision, line.entry.pending)
                 for row in _rows(line.entry.pending)}  # fmt: skip
        if stale <= gone:
            return lines, gone
        gone |= stale


def _rows(pending: Pending | None) -> tuple[int, ...]:
    return pending.rows if pending else ()


def _without(book: ledger.Book, gone: set[int]) -> ledger.Book:
    return {
        name: {one: _withdrawn(entry) if gone & {*_rows(entry.pending)} else entry for one, entry in entries.items()}
        for name, entries in book.items()
    }


def _withdrawn(entry: Entry) -> Entry:
    return replace(entry, pending=entry.pending and replace(entry.pending, progress=WITHDRAWN))


def _once(
    cases: Sequence[Case], book: ledger.Book, acked: Collection[Name], config: Config, now: datetime
) -> list[_Line]:
    policy = Policy(config.alerts.cooldown, config.alerts.remind)
    lines: list[_Line] = []
    for case in cases:
        entries = book.get(case.name, {})
        usual, more = audience.of(config, case.condition, entries, now, case.name in acked)
        for recipient in [*usual, *more]:
            entry = entries.get(recipient, Entry())
            held = "" if case.urgent else case.held or _explained(case, recipient, book, lines, now)
            told = replace(entry.told, last_at=None) if case.urgent else entry.told
            decision = alerts.decide(case.condition, told, policy, now, held, entry.pending, case.name in acked)
            if decision.reason == alerts.NEW and recipient in more:
                decision = Decision(alerts.ESCALATED)
            lines.append(_Line(case, recipient, entry, decision))
    return lines


def _explained(case: Case, recipient: str, book: ledger.Book, lines: Sequence[_Line], now: datetime) -> str:
    """What explains the problem and was sent to this recipient, or is being sent in this run; "" for nothing.

    A cover explains problems, and never holds back their end.
    """
    if case.condition.status is OPERATIONAL:
        return ""
    for name in case.covers:
        entry = book.get(name, {}).get(recipient, Entry())
        reason = next((one.decision.reason for one in lines if (one.case.name, one.recipient) == (name, recipient)), "")
        label = " ".join(name)
        if reason in alerts.SPOKEN and reason != alerts.RECOVERED:
            return f"cover: {label}, notified {now.astimezone():%H:%M}"
        if entry.status is not None:
            at = entry.told.last_at if entry.told.status is not None else None
            return f"cover: {label}, {f'notified {at.astimezone():%H:%M}' if at else 'its notice is on its way'}"
        if reason.partition(":")[0] in _PASSED_ON:
            return f"{reason.partition(':')[0]}: {label}"
    return ""


def _held(case: Case, lines: Sequence[_Line]) -> str:
    """What keeps the newest truth from anybody, "" for nothing."""
    if not lines:
        return NOBODY if case.condition.status not in (OPERATIONAL, UNKNOWN) else ""
    return next((line.decision.reason for line in lines if line.decision.reason not in _TOLD), "")


def _loudest(lines: Sequence[_Line], now: datetime) -> Announced:
    """The worst state sent, or about to be sent, to anybody: the previous release reads it as announced to all."""
    found = []
    for line in lines:
        told, pending = line.entry.told, line.entry.pending
        if line.decision.reason in ("unknown", "pending", *alerts.ON_THE_WAY) and pending:
            told = alerts.coming(pending)
        found.append(alerts.announce(line.case.condition, told, line.decision, now))
    return max(found, key=lambda one: SEVERITY[one.status] if one.status else -1, default=Announced())


def _post(
    db: sqlite3.Connection, lines: Sequence[_Line], followed: Mapping[Name, Alert], config: Config, now: datetime
) -> list[Notice]:
    """One message for all recipients that get the same notices by the same channels. Returns each notice once."""
    told: dict[str, list[_Line]] = {}
    for line in lines:
        told.setdefault(line.recipient, []).append(line)
    groups: dict[tuple[object, ...], tuple[list[_Line], list[str]]] = {}
    for recipient, own in told.items():
        for names in dict.fromkeys(audience.chain(config, line.case.condition.target) for line in own):
            part = [line for line in own if audience.chain(config, line.case.condition.target) == names]
            said = tuple((line.case.name, line.decision.reason, line.entry.told.status) for line in part)
            groups.setdefault((names, said), (part, []))[1].append(recipient)
    found: dict[tuple[Name, str], Notice] = {}
    seen = {line.case.name: line.case.seen() for line in lines}
    for part, recipients in groups.values():
        message = uuid4().hex
        notices = [_notice(db, line, followed[line.case.name], seen[line.case.name], now) for line in part]
        _queue(db, message, notices, recipients, config, now)
        for notice in notices:
            rows.add_notice(db, notice, message, followed[notice.target, notice.alert].incident)
            found.setdefault(((notice.target, notice.alert), notice.reason), notice)
    return list(found.values())


def _queue(
    db: sqlite3.Connection,
    message: str,
    notices: Sequence[Notice],
    recipients: Sequence[str],
    config: Config,
    now: datetime,
) -> None:
    from pom_cli.messages import compose as messages

    trouble = getattr(db, "fault", "")
    subject, body = messages.compose(notices, config.instance.name, lambda one: facts.of(config, one), now, trouble)
    outbox_rows.add_message(db, message, subject, body, messages.payload(notices, config.instance.name), now)
    for recipient in recipients:
        outbox_rows.enqueue(db, message, audience.way(config, notices[0].target, recipient), [recipient], now)


def _over(db: sqlite3.Connection, alert: Alert) -> Mapping[str, Any]:
    """The facts of the problem in a recovery notice, which may have been held until long after the end."""
    was = rows.summary(db, alert.incident)
    return {"started_at": alert.since, "ended_at": alert.ended_at, "was": was}


def _notice(db: sqlite3.Connection, line: _Line, followed: Alert, seen: Mapping[str, Any], now: datetime) -> Notice:
    condition, reason = line.case.condition, line.decision.reason
    known: Announced | Pending = line.entry.told
    recovered = reason == alerts.RECOVERED
    if recovered and known.status is None and line.entry.pending:
        known = line.entry.pending  # its own first notice never went out
    return Notice(
        id=uuid4().hex,
        target=condition.target,
        alert=condition.alert,
        reason=reason,
        before=known.status or OPERATIONAL,
        now=condition.status,
        since=followed.since or now,
        at=now,
        summary=condition.summary,
        subjects=known.subjects if recovered else condition.subjects,
        days_left=condition.days_left,
        facts={**seen, **(_over(db, followed) if recovered else {})},
    )
