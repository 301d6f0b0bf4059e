"""Pure: what was announced × what is now × policy → speak or be silent, each with a named reason.

Level-triggered: a decision looks only at what operators were last told and at what is so now. So what was held back by
a cooldown, a cover, a silence or a crash is judged again by the next run, and nothing is lost.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from pom_cli.frozen import dataclass
from pom_cli.model import OPERATIONAL, SEVERITY, UNKNOWN, Announced, Condition, Status
from pom_cli.times import holds

EXPIRY_STEPS = (7, 3, 1, 0)  # an expiry speaks again when this many days are left
NEW, WORSE, CHANGED, REMINDER, RECOVERED = "new", "worse", "changed", "reminder", "recovered"
SPOKEN = (NEW, WORSE, CHANGED, REMINDER, RECOVERED)


@dataclass(frozen=True)
class Policy:
    """`[alerts]` as far as deciding needs it. Reminders are counted from the first notice."""

    cooldown: timedelta
    remind: tuple[timedelta, ...]


@dataclass(frozen=True)
class Decision:
    """To speak (a reason of SPOKEN) or to be silent: well, unknown, same, cooldown, or what held it."""

    reason: str

    @property
    def speak(self) -> bool:
        return self.reason in SPOKEN


def decide(condition: Condition, announced: Announced, policy: Policy, now: datetime, held: str = "") -> Decision:
    """Speak or not. `held` names what keeps this alert quiet for now: a cover, a silence."""
    reason = _reason(condition, announced, policy, now)
    if reason not in SPOKEN:
        return Decision(reason)
    if held:
        return Decision(held)
    if reason != RECOVERED and _cooling(announced, policy, now):
        return Decision("cooldown")
    return Decision(reason)


def _reason(condition: Condition, announced: Announced, policy: Policy, now: datetime) -> str:
    status, told = condition.status, announced.status
    if status is UNKNOWN:
        return "unknown"
    if told is None:
        return "well" if status is OPERATIONAL else NEW
    if status is OPERATIONAL:
        return RECOVERED
    if SEVERITY[status] > SEVERITY[told]:
        return WORSE
    if status is not told or condition.subjects != announced.subjects:
        return CHANGED
    return REMINDER if _reminder_due(condition, announced, policy, now) else "same"


def _cooling(announced: Announced, policy: Policy, now: datetime) -> bool:
    last = announced.last_at
    return last is not None and holds(last, now) and now - last < policy.cooldown


def _reminder_due(condition: Condition, announced: Announced, policy: Policy, now: datetime) -> bool:
    if condition.days_left is not None:
        return _step(condition.days_left) < _step(announced.days_left)
    due = last_reminder(announced.first_at or now, policy.remind, now)
    return due is not None and announced.last_at is not None and announced.last_at < due


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


def announce(condition: Condition, announced: Announced, decision: Decision, now: datetime) -> Announced:
    """What operators have been told once this decision is carried out."""
    if not decision.speak:
        return _dated(announced, now)
    if decision.reason == RECOVERED:
        return Announced(last_at=now)
    told: Status = condition.status
    return replace(
        announced,
        status=told,
        subjects=condition.subjects,
        days_left=condition.days_left,
        first_at=_dated(announced, now).first_at if announced.status else now,
        last_at=now,
    )


def _dated(announced: Announced, now: datetime) -> Announced:
    """What was said in the future, by a clock that was ahead, counts as said now: reminders go on from here."""
    if all(holds(at, now) for at in (announced.first_at, announced.last_at) if at):
        return announced
    said = now if announced.status else None
    return replace(announced, first_at=said, last_at=said)
