"""Conditions → notices, one message and its outbox rows, all in the caller's transaction."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import uuid4

from pom_cli.alerting import decide as alerts
from pom_cli.alerting import outbox
from pom_cli.alerting.decide import Decision, Policy
from pom_cli.config import Config
from pom_cli.frozen import dataclass
from pom_cli.messages import facts
from pom_cli.model import OPERATIONAL, Condition, Notice
from pom_cli.store import alerts as rows
from pom_cli.store import outbox as outbox_rows

# While the network is down no mail goes out either: when it returns one message tells start and end.
_TOLD_ONCE = ("monitoring-offline",)
_NOTHING_HELD = ("well", "unknown", "same", *alerts.SPOKEN)


@dataclass(frozen=True)
class Case:
    """One condition to be decided: what keeps it quiet ("" for nothing), and what to tell of it if it is spoken of."""

    condition: Condition
    held: str = ""
    seen: Callable[[], Mapping[str, Any]] = dict  # worked out only where there is a notice


def settle(
    db: sqlite3.Connection, cases: Sequence[Case], config: Config, now: datetime, but: Sequence[str] = ()
) -> list[Notice]:
    """Decide each case, remember what is announced, and put one message for all notices into the outbox.

    Recipients in `but` get none. Where that leaves nobody, nothing counts as announced.
    """
    known = rows.load(db)
    policy = Policy(config.alerts.cooldown, config.alerts.remind)
    decided = []
    for case in cases:
        alert = known.get((case.condition.target, case.condition.alert))
        followed = rows.follow(db, alert, case.condition, now)
        if followed is not None:
            decision = alerts.decide(case.condition, followed.announced, policy, now, case.held)
            decided.append((case, alert, followed, decision))
    message = uuid4().hex
    spoken = [(case, followed, _notice(db, case, followed, decision, now)) for case, _, followed, decision in decided
              if decision.speak]  # fmt: skip
    notices = [notice for _, _, notice in spoken]
    reached = bool(notices) and _post(db, message, notices, config, now, but)
    for case, before, followed, decision in decided:
        kept = decision if reached or not decision.speak else Decision("nobody to tell")
        announced = alerts.announce(case.condition, followed.announced, kept, now)
        after = replace(followed, announced=announced, held="" if kept.reason in _NOTHING_HELD else kept.reason)
        if after != before:
            rows.save(db, after)
    if not reached:
        return []
    for _, followed, notice in spoken:
        if notice.alert in _TOLD_ONCE and notice.reason == alerts.RECOVERED:
            outbox_rows.withdraw(db, followed.incident)
        rows.add_notice(db, notice, message, followed.incident)
    return notices


def _post(
    db: sqlite3.Connection, message: str, notices: Sequence[Notice], config: Config, now: datetime, but: Sequence[str]
) -> bool:
    """One message for all, a row for each recipient. Is there anybody to reach."""
    if not outbox.enqueue(db, message, config, now, but):
        return False
    from pom_cli.messages import compose as messages

    trouble = getattr(db, "fault", "")
    subject, body = messages.compose(notices, config.instance.name, lambda one: facts.of(config, one), now, trouble)
    outbox_rows.add_message(db, message, subject, body, messages.payload(notices, config.instance.name), now)
    return True


def _over(db: sqlite3.Connection, alert: rows.Alert) -> Mapping[str, Any]:
    """What a recovery tells of the problem. It may have been held, and be told long after its end."""
    was = rows.summary(db, alert.incident)
    return {"started_at": alert.since, "ended_at": alert.ended_at, "was": was}


def _notice(db: sqlite3.Connection, case: Case, followed: rows.Alert, decision: Decision, now: datetime) -> Notice:
    condition, told = case.condition, followed.announced
    recovered = decision.reason == alerts.RECOVERED
    return Notice(
        id=uuid4().hex,
        target=condition.target,
        alert=condition.alert,
        reason=decision.reason,
        before=told.status or OPERATIONAL,
        now=condition.status,
        since=followed.since or now,
        at=now,
        summary=condition.summary,
        subjects=told.subjects if recovered else condition.subjects,
        days_left=condition.days_left,
        facts={**case.seen(), **(_over(db, followed) if recovered else {})},
    )
