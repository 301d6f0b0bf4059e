"""Pure: last state sent to one recipient × current state × policy → notify or hold, each with a named reason.

Level-triggered: a decision depends only on what this recipient was sent, what is on its way, and the current state. So
what was held back by a cooldown, a cover, a silence or a crash is decided again by the next run, and nothing is lost.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from pom_cli.frozen import dataclass
from pom_cli.model import (
    ERROR,
    IN_DOUBT,
    IN_FLIGHT,
    OPERATIONAL,
    SEVERITY,
    UNDELIVERED,
    UNKNOWN,
    WITHDRAWN,
    Announced,
    Condition,
    Pending,
    Status,
)
from pom_cli.times import holds

EXPIRY_STEPS = (7, 3, 1, 0)  # an expiry speaks again when this many days are left
JITTER = timedelta(seconds=30)  # a timer's beat may come so much early, but no more than a tenth of what is counted
NEW, WORSE, CHANGED, REMINDER, ESCALATED, RECOVERED = "new", "worse", "changed", "reminder", "escalated", "recovered"
SPOKEN = (NEW, WORSE, CHANGED, REMINDER, ESCALATED, RECOVERED)
COOLDOWN = "cooldown"
ON_THE_WAY = (IN_FLIGHT, IN_DOUBT)  # what may have arrived: the newer one waits until that is known
# While the network is down no mail goes out either: when it returns one message tells start and end.
TOLD_AFTERWARDS = ("monitoring-offline",)


@dataclass(frozen=True)
class Policy:
    """`[alerts]` as far as deciding needs it. Reminders are counted from the first notice that was delivered."""

    cooldown: timedelta
    remind: tuple[timedelta, ...]


@dataclass(frozen=True)
class Decision:
    """To speak (a reason of SPOKEN) or to be silent: well, unknown, same, pending, cooldown …, or what held it."""

    reason: str

    @property
    def speak(self) -> bool:
        return self.reason in SPOKEN


def decide(
    condition: Condition,
    told: Announced,
    policy: Policy,
    now: datetime,
    held: str = "",
    pending: Pending | None = None,
    acked: bool = False,
) -> Decision:
    """Notify this recipient or not. `held` is what keeps this alert quiet for now: a cover, a silence.

    A `pending` notice that is outdated is replaced: the caller withdraws it, and the decision ignores it.
    """
    if condition.status is UNKNOWN:
        return Decision("unknown")
    if pending is not None and pending.progress != WITHDRAWN:
        if _says(pending, condition):
            return Decision(UNDELIVERED if pending.progress == UNDELIVERED else "pending")
        # For alerts reported afterwards the newer message contains everything in the doubtful one.
        locked = (IN_FLIGHT,) if condition.alert in TOLD_AFTERWARDS else ON_THE_WAY
        if pending.progress in locked:
            return Decision(pending.progress)
    reason = _reason(condition, told, policy, now, pending)
    if acked and reason == REMINDER:
        return Decision("acked")
    if reason not in SPOKEN:
        return Decision(reason)
    if held:
        return Decision(held)
    if reason != RECOVERED and _cooling(told, policy, now):
        return Decision(COOLDOWN)
    return Decision(reason)


def replaces(decision: Decision, pending: Pending | None) -> bool:
    """Is what is pending out of date, and can it be taken back."""
    return pending is not None and decision.reason not in ("unknown", "pending", UNDELIVERED, *ON_THE_WAY)


def _says(pending: Pending, condition: Condition) -> bool:
    if condition.status is OPERATIONAL:
        return pending.status is OPERATIONAL
    return pending.status is condition.status and pending.subjects == condition.subjects


def _reason(condition: Condition, told: Announced, policy: Policy, now: datetime, pending: Pending | None) -> str:
    status = condition.status
    if told.status is None:
        if status is not OPERATIONAL:
            return NEW
        return RECOVERED if pending and condition.alert in TOLD_AFTERWARDS else "well"
    if status is OPERATIONAL:
        return RECOVERED
    if SEVERITY[status] > SEVERITY[told.status]:
        return WORSE
    if status is not told.status or condition.subjects != told.subjects:
        return CHANGED
    return REMINDER if _reminder_due(condition, told, policy, now) else "same"


def slack(span: timedelta) -> timedelta:
    """How much before its end a span counts as over, for the timers' jitter."""
    return min(JITTER, span / 10)


def _cooling(told: Announced, policy: Policy, now: datetime) -> bool:
    last = told.last_at
    return last is not None and holds(last, now) and now - last < policy.cooldown - slack(policy.cooldown)


def _reminder_due(condition: Condition, told: Announced, policy: Policy, now: datetime) -> bool:
    """An expiry speaks at its steps while it lies ahead; once it is an error, like any other problem."""
    if condition.days_left is not None and SEVERITY[condition.status] < SEVERITY[ERROR]:
        return _step(condition.days_left) < _step(told.days_left)
    early = slack(policy.remind[0]) if policy.remind else timedelta()
    due = last_reminder(told.first_at or now, policy.remind, now + early)
    return due is not None and told.last_at is not None and told.last_at + early < due


def _step(days_left: int | None) -> int:
    """How many of EXPIRY_STEPS are still ahead."""
    return len(EXPIRY_STEPS) if days_left is None else sum(1 for step in EXPIRY_STEPS if days_left > step)


def last_reminder(first_at: datetime, remind: tuple[timedelta, ...], now: datetime) -> datetime | None:
    """The newest moment up to `now` at which a reminder is due: at each step, then again after every last step."""
    elapsed = now - first_at
    passed = [step for step in remind if step <= elapsed]
    if not passed:
        return None
    last = remind[-1]
    return first_at + (passed[-1] if elapsed < last else elapsed // last * last)


def coming(pending: Pending) -> Announced:
    """The recipient's ledger state once this has arrived."""
    if pending.status is OPERATIONAL:
        return Announced(last_at=pending.at)
    return Announced(pending.status, pending.subjects, pending.days_left, pending.at, pending.at)


def announce(condition: Condition, told: Announced, decision: Decision, now: datetime) -> Announced:
    """The recipient's ledger state once this decision is carried out."""
    if not decision.speak:
        return _dated(told, now)
    if decision.reason == RECOVERED:
        return Announced(last_at=now)
    status: Status = condition.status
    return replace(
        told,
        status=status,
        subjects=condition.subjects,
        days_left=condition.days_left,
        first_at=_dated(told, now).first_at if told.status else now,
        last_at=now,
    )


def _dated(announced: Announced, now: datetime) -> Announced:
    """What was said in the future, by a clock that was ahead, counts as said now: reminders go on from here."""
    if all(holds(at, now) for at in (announced.first_at, announced.last_at) if at):
        return announced
    said = now if announced.status else None
    return replace(announced, first_at=said, last_at=said)
