"""states: previous state + finding → new state, and the condition of an alert over several subjects."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pom_cli.alerting.states import advance, condition, without_network
from pom_cli.model import DEGRADED, ERROR, OPERATIONAL, UNKNOWN, UNREACHABLE, Finding, Key, State, Status, Verdict
from pom_cli.text import listed

START = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def finding(status: Status, subject: str = "", **more: object) -> Finding:
    return Finding(subject, status, f"it is {status}", {"health": Verdict(status, f"it is {status}")}, **more)


def walk(*statuses: Status) -> State:
    state = None
    for number, status in enumerate(statuses):
        state = advance(state, finding(status), START + number * MINUTE)
    assert state is not None
    return state


@pytest.mark.parametrize(
    ("statuses", "since"),
    [
        ([OPERATIONAL], 0),
        ([OPERATIONAL, OPERATIONAL], 0),
        ([OPERATIONAL, ERROR], 1),
        ([OPERATIONAL, ERROR, ERROR, UNREACHABLE], 3),
        ([OPERATIONAL, UNKNOWN], 1),
        ([OPERATIONAL, UNKNOWN, OPERATIONAL], 0),
        ([OPERATIONAL, UNKNOWN, ERROR], 2),
        ([ERROR, UNKNOWN, UNKNOWN, ERROR], 0),
        ([UNKNOWN, OPERATIONAL], 1),
    ],
)
def test_a_status_began_when_it_was_first_seen_and_an_unknown_between_does_not_begin_it_anew(
    statuses: list[Status], since: int
) -> None:
    assert walk(*statuses).since == START + since * MINUTE


def test_what_was_seen_earlier_than_what_is_known_changes_nothing() -> None:
    known = walk(OPERATIONAL, ERROR)
    assert advance(known, finding(OPERATIONAL), START, START + MINUTE) is known


def test_an_unknown_leaves_the_last_known_verdict() -> None:
    state = walk(ERROR, UNKNOWN)
    assert state.status is UNKNOWN
    assert state.verdicts["health"].status is ERROR
    assert state.known is ERROR


def test_a_drift_lasts_over_a_bad_answer_and_ends_with_a_good_one() -> None:
    state = None
    for number, (status, drifting) in enumerate([(DEGRADED, True), (ERROR, False), (UNKNOWN, False)]):
        state = advance(state, finding(status, drifting=drifting), START + number * MINUTE)
    assert state is not None
    assert state.drifting
    assert not advance(state, finding(OPERATIONAL), START + 9 * MINUTE).drifting


def test_without_network_nothing_is_known_and_what_was_seen_is_kept_as_detail() -> None:
    blind = without_network(finding(UNREACHABLE, latency_ms=3, answered=False), "offline")
    assert (blind.status, blind.summary, blind.latency_ms) == (UNKNOWN, "offline", None)
    assert blind.verdicts["health"].status is UNKNOWN
    assert blind.detail["seen"] == "it is unreachable"


def states(**verdicts: Verdict) -> dict[Key, State]:
    return {
        Key("shop", "routes", subject): State(
            verdict.status, START, START, verdict.summary, verdicts={"route": verdict}
        )
        for subject, verdict in verdicts.items()
    }


@pytest.mark.parametrize(
    ("verdicts", "status", "subjects", "summary"),
    [
        ({"a": Verdict(OPERATIONAL, "200 OK")}, OPERATIONAL, (), "200 OK"),
        (
            {"a": Verdict(OPERATIONAL, "200 OK"), "b": Verdict(OPERATIONAL, "200 OK")},
            OPERATIONAL,
            (),
            "all 2 routes OK",
        ),
        (
            {"a": Verdict(OPERATIONAL, "ok"), "b": Verdict(ERROR, "404"), "c": Verdict(UNREACHABLE, "refused")},
            UNREACHABLE,
            ("b", "c"),
            "2 of 3: c: refused; b: 404",
        ),
        ({}, UNKNOWN, (), ""),
    ],
)
def test_a_condition_is_the_worst_of_its_subjects_and_lists_those_that_are_not_well(
    verdicts: dict[str, Verdict], status: Status, subjects: tuple[str, ...], summary: str
) -> None:
    found = condition("shop", "route", states(**verdicts))
    assert (found.status, found.subjects, found.summary) == (status, subjects, summary)


def test_a_condition_counts_the_days_of_the_subject_that_expires_first() -> None:
    found = condition("shop", "route", states(a=Verdict(DEGRADED, "soon", 9), b=Verdict(DEGRADED, "sooner", 2)))
    assert found.days_left == 2


def test_a_subject_without_a_verdict_says_nothing() -> None:
    assert condition("shop", "route", {}).status is UNKNOWN


SOON = Verdict(DEGRADED, "expires in 9 days", 9)
OVER = Verdict(ERROR, "certificate has expired", subjects=("b.example:8443",))
FINE = Verdict(OPERATIONAL, "fine")


@pytest.mark.parametrize(
    ("health", "tls", "expected"),
    [
        (FINE, SOON, (DEGRADED, "expires in 9 days", ("a.example:443",), 9)),
        (OVER, SOON, (ERROR, "certificate has expired", ("b.example:8443",), None)),
        (OVER, FINE, (ERROR, "certificate has expired", ("b.example:8443",), None)),
        (FINE, FINE, (OPERATIONAL, "fine", (), None)),
    ],
)
def test_what_another_kind_came_upon_counts_where_it_is_worse(
    health: Verdict, tls: Verdict, expected: tuple[object, ...]
) -> None:
    seen = {
        Key("shop", "health", ""): State(ERROR, START, START, "", verdicts={"tls-expiry": health}),
        Key("shop", "tls", "a.example:443"): State(ERROR, START, START, "", verdicts={"tls-expiry": tls}),
    }
    found = condition("shop", "tls-expiry", seen)
    assert (found.status, found.summary, found.subjects, found.days_left) == expected


def test_a_list_is_cut_after_three() -> None:
    assert listed("abcde") == "a; b; c; 2 more"


@given(st.lists(st.sampled_from(list(Status)), min_size=1))
def test_a_state_never_began_after_it_was_checked_and_knows_the_last_status_that_was_known(
    statuses: list[Status],
) -> None:
    state = walk(*statuses)
    known = [status for status in statuses if status is not UNKNOWN]
    assert state.since <= state.checked_at
    assert state.known is (known[-1] if known else None)
    assert ("health" in state.verdicts) is bool(known)
