"""alerts: what was announced × what is now × policy → speak or be silent. Rules 1 and 2 of section 5."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pom_cli.alerting.decide import RECOVERED, Policy, announce, decide, last_reminder
from pom_cli.model import (
    DEGRADED,
    ERROR,
    IN_DOUBT,
    IN_FLIGHT,
    OPERATIONAL,
    UNDELIVERED,
    UNKNOWN,
    UNREACHABLE,
    WAITING,
    WITHDRAWN,
    Announced,
    Condition,
    Pending,
    Status,
)

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
POLICY = Policy(timedelta(minutes=5), (timedelta(hours=1), timedelta(hours=6), timedelta(hours=24)))


def ago(**span: float) -> datetime:
    return NOON - timedelta(**span)


def is_now(status: Status, *subjects: str, days_left: int | None = None) -> Condition:
    return Condition("shop", "health", status, "", subjects, days_left)


def told(status: Status | None, first: datetime, last: datetime, *subjects: str, days: int | None = None) -> Announced:
    return Announced(status, subjects, days, first, last)


@pytest.mark.parametrize(
    ("condition", "announced", "reason"),
    [
        (is_now(OPERATIONAL), Announced(), "well"),
        (is_now(UNKNOWN), Announced(), "unknown"),
        (is_now(UNKNOWN), told(ERROR, ago(days=2), ago(days=2)), "unknown"),
        (is_now(ERROR), Announced(), "new"),
        (is_now(ERROR), told(ERROR, ago(minutes=10), ago(minutes=10)), "same"),
        (is_now(UNREACHABLE), told(ERROR, ago(minutes=10), ago(minutes=10)), "worse"),
        (is_now(UNREACHABLE), told(ERROR, ago(minutes=4), ago(minutes=4)), "cooldown"),
        (is_now(DEGRADED), told(ERROR, ago(minutes=10), ago(minutes=10)), "changed"),
        (is_now(ERROR, "/a", "/b"), told(ERROR, ago(minutes=10), ago(minutes=10), "/a"), "changed"),
        (is_now(ERROR, "/a"), told(ERROR, ago(minutes=10), ago(minutes=10), "/a"), "same"),
        (is_now(OPERATIONAL), told(ERROR, ago(seconds=1), ago(seconds=1)), "recovered"),
        # After a recovery the cooldown counts from that notice.
        (is_now(ERROR), told(None, ago(minutes=9), ago(minutes=4)), "cooldown"),
        (is_now(ERROR), told(None, ago(minutes=9), ago(minutes=5)), "new"),
        # A clock that was set back must not silence for longer than a cooldown.
        (is_now(ERROR), told(None, NOON, NOON + timedelta(days=365)), "new"),
        # Reminders: an hour, six, a day after the first notice, then every day.
        (is_now(ERROR), told(ERROR, ago(minutes=59), ago(minutes=59)), "same"),
        (is_now(ERROR), told(ERROR, ago(hours=1), ago(hours=1)), "reminder"),
        (is_now(ERROR), told(ERROR, ago(hours=5), ago(hours=4)), "same"),
        (is_now(ERROR), told(ERROR, ago(hours=6), ago(hours=5)), "reminder"),
        (is_now(ERROR), told(ERROR, ago(hours=48), ago(hours=24)), "reminder"),
        (is_now(ERROR), told(ERROR, ago(hours=47), ago(hours=23)), "same"),
        # An expiry speaks again at 7, 3, 1 and 0 days instead.
        (is_now(DEGRADED, days_left=8), told(DEGRADED, ago(days=6), ago(days=6), days=14), "same"),
        (is_now(DEGRADED, days_left=7), told(DEGRADED, ago(days=7), ago(days=7), days=14), "reminder"),
        (is_now(DEGRADED, days_left=6), told(DEGRADED, ago(days=8), ago(days=1), days=7), "same"),
        (is_now(DEGRADED, days_left=3), told(DEGRADED, ago(days=8), ago(days=4), days=7), "reminder"),
        (is_now(DEGRADED, days_left=1), told(DEGRADED, ago(days=8), ago(days=2), days=3), "reminder"),
        (is_now(DEGRADED, days_left=0), told(DEGRADED, ago(days=8), ago(days=1), days=1), "reminder"),
        (is_now(ERROR, days_left=-3), told(ERROR, ago(days=8), ago(days=2), days=-1), "reminder"),
        (is_now(ERROR, days_left=-3), told(ERROR, ago(days=8, hours=3), ago(hours=2), days=-1), "same"),
        (is_now(ERROR, days_left=40), told(ERROR, ago(hours=1), ago(hours=1), days=40), "reminder"),
        # A timer's beat may come a little early.
        (is_now(UNREACHABLE), told(ERROR, ago(seconds=271), ago(seconds=271)), "worse"),
        (is_now(UNREACHABLE), told(ERROR, ago(seconds=269), ago(seconds=269)), "cooldown"),
        (is_now(ERROR), told(ERROR, ago(seconds=3571), ago(seconds=3571)), "reminder"),
        (is_now(ERROR), told(ERROR, ago(seconds=3610), ago(seconds=20)), "same"),
    ],
)
def test_a_decision_has_this_reason(condition: Condition, announced: Announced, reason: str) -> None:
    assert decide(condition, announced, POLICY, NOON).reason == reason


@pytest.mark.parametrize("condition", [is_now(ERROR), is_now(OPERATIONAL)])
def test_what_holds_an_alert_keeps_it_quiet_by_its_own_name(condition: Condition) -> None:
    announced = told(UNREACHABLE, ago(hours=1), ago(hours=1)) if condition.status is OPERATIONAL else Announced()
    assert decide(condition, announced, POLICY, NOON, held="cover").reason == "cover"


def test_what_is_not_to_be_told_is_not_held_either() -> None:
    assert decide(is_now(OPERATIONAL), Announced(), POLICY, NOON, held="cover").reason == "well"


@pytest.mark.parametrize(
    ("elapsed", "due"), [(0, None), (0.9, None), (1, 1), (5.9, 1), (6, 6), (25, 24), (49, 48), (95, 72)]
)
def test_reminders_fall_due_at_each_step_and_then_after_every_last_one(elapsed: float, due: float | None) -> None:
    found = last_reminder(NOON, POLICY.remind, NOON + timedelta(hours=elapsed))
    assert found == (None if due is None else NOON + timedelta(hours=due))


def test_no_steps_mean_no_reminders() -> None:
    assert last_reminder(NOON, (), NOON + timedelta(days=100)) is None


def coming(status: Status, progress: str, *subjects: str) -> Pending:
    return Pending(status, subjects, None, ago(minutes=1), progress, (1,))


@pytest.mark.parametrize(
    ("condition", "status", "pending", "reason"),
    [
        (is_now(ERROR), None, coming(ERROR, WAITING), "pending"),
        (is_now(ERROR), None, coming(ERROR, IN_FLIGHT), "pending"),
        (is_now(ERROR), None, coming(ERROR, UNDELIVERED), "undelivered"),
        (is_now(UNKNOWN), None, coming(ERROR, WAITING), "unknown"),
        (is_now(UNREACHABLE), None, coming(ERROR, WAITING), "new"),
        (is_now(UNREACHABLE), None, coming(ERROR, UNDELIVERED), "new"),
        (is_now(UNREACHABLE), None, coming(ERROR, IN_FLIGHT), "in flight"),
        (is_now(ERROR, "/b"), None, coming(ERROR, WAITING, "/a"), "new"),
        (is_now(OPERATIONAL), None, coming(ERROR, WAITING), "well"),
        (is_now(OPERATIONAL), None, coming(ERROR, UNDELIVERED), "well"),
        (is_now(OPERATIONAL), None, coming(ERROR, IN_FLIGHT), "in flight"),
        (is_now(OPERATIONAL), None, coming(ERROR, IN_DOUBT), "in doubt"),
        (is_now(ERROR), None, coming(ERROR, IN_DOUBT), "pending"),
        (is_now(OPERATIONAL), ERROR, coming(UNREACHABLE, WAITING), "recovered"),
        (is_now(OPERATIONAL), ERROR, coming(OPERATIONAL, WAITING), "pending"),
        (is_now(ERROR), ERROR, coming(OPERATIONAL, WAITING), "same"),
        (is_now(ERROR), ERROR, coming(OPERATIONAL, IN_FLIGHT), "in flight"),
    ],
)
def test_what_is_on_its_way_counts_as_told_only_when_it_has_arrived(
    condition: Condition, status: Status | None, pending: Pending, reason: str
) -> None:
    known = told(status, ago(minutes=10), ago(minutes=10)) if status else Announced()
    assert decide(condition, known, POLICY, NOON, pending=pending).reason == reason


def test_an_ack_ends_reminders_and_nothing_else() -> None:
    known = told(ERROR, ago(hours=1), ago(hours=1))
    reasons = [decide(is_now(one), known, POLICY, NOON, acked=True).reason for one in (ERROR, UNREACHABLE, OPERATIONAL)]
    assert reasons == ["acked", "worse", "recovered"]


@pytest.mark.parametrize(("progress", "reason"), [(WITHDRAWN, "recovered"), (IN_DOUBT, "recovered"), (IN_FLIGHT,) * 2])
def test_what_an_offline_monitor_could_not_tell_it_tells_afterwards(progress: str, reason: str) -> None:
    condition = Condition("", "monitoring-offline", OPERATIONAL, "")
    assert decide(condition, Announced(), POLICY, NOON, pending=coming(UNREACHABLE, progress)).reason == reason


STEP = st.tuples(
    st.sampled_from(list(Status)), st.integers(min_value=1, max_value=8 * 3600), st.sampled_from(["", "", "", "cover"])
)


@pytest.mark.slow
@settings(max_examples=400)
@given(st.lists(STEP, min_size=1, max_size=60))
def test_for_any_sequence_of_statuses_and_times_the_rules_hold(steps: list[tuple[Status, int, str]]) -> None:
    announced, now = Announced(), NOON
    notices: list[tuple[datetime, str]] = []
    open_problem = False
    known = UNKNOWN
    for status, seconds, held in steps:
        now += timedelta(seconds=seconds)
        condition = is_now(status)
        decision = decide(condition, announced, POLICY, now, held)
        announced = announce(condition, announced, decision, now)
        known = status if status is not UNKNOWN else known
        assert not (held and decision.speak)
        if decision.speak:
            assert status is not UNKNOWN
            if decision.reason == RECOVERED:
                assert open_problem, "a recovery without an announced problem"
            elif notices:
                assert now - notices[-1][0] >= timedelta(minutes=4, seconds=30), "two notices inside the cooldown"
            open_problem = decision.reason != RECOVERED
            notices.append((now, decision.reason))
    # At rest (no hold, cooldown over) what is announced equals what is.
    now += timedelta(hours=1)
    if known is not UNKNOWN:
        condition = is_now(known)
        announced = announce(condition, announced, decide(condition, announced, POLICY, now), now)
        assert (announced.status or OPERATIONAL) is known
        assert decide(condition, announced, POLICY, now).reason in ("same", "well")
