from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pom_cli.checks.drift import Drift, Rule, assess, describe
from pom_cli.model import Baseline, Past

RULE = Rule()


def past(*recent: int, usual: float | None = 150.0, samples: int = 2000, drifting: bool = False) -> Past:
    return Past(recent_ms=recent, drifting=drifting, baseline=lambda: Baseline(usual, samples))


def never() -> Baseline:
    raise AssertionError("the exact baseline was worked out, which is dear")


@pytest.mark.parametrize(
    ("recent", "usual", "drifting"),
    [
        (300, 150.0, False),  # twice is not above twice
        (301, 150.0, True),
        (99, 50.0, False),
        (101, 50.0, True),
        (98, 48.5, False),  # more than twice, but not 50 ms over
        (60, 10.0, True),
        (59, 10.0, False),
        (50, 0.0, True),
        (49, 0.0, False),
        (10, 150.0, False),
    ],
)
def test_drift_begins_above_twice_the_usual_and_50_ms_over(recent: int, usual: float, drifting: bool) -> None:
    assert assess(recent, past(*[recent] * 5, usual=usual), RULE).drifting is drifting


@pytest.mark.parametrize(("recent", "drifting"), [(400, True), (225, True), (224, False), (150, False), (10, False)])
def test_drift_ends_below_one_and_a_half_times_the_usual(recent: int, drifting: bool) -> None:
    assert assess(recent, past(*[recent] * 5, drifting=True), RULE).drifting is drifting


def test_it_is_the_median_of_six_that_counts() -> None:
    assert assess(1000, past(1000, 150, 150, 150, 1000), RULE) == Drift(True, 575.0, 150.0)
    assert assess(150, past(1000, 150, 150, 150, 1000), RULE) == Drift(False, 150.0, 150.0)


@pytest.mark.parametrize("drifting", [True, False])
def test_fewer_than_six_results_tell_nothing(drifting: bool) -> None:
    assert assess(900, past(900, 900, 900, 900, drifting=drifting), RULE) == Drift(None)


def test_fewer_samples_than_asked_for_are_no_baseline() -> None:
    assert assess(900, past(*[900] * 5, samples=99), RULE).drifting is False
    assert assess(900, past(*[900] * 5, samples=100), RULE).drifting is True
    assert assess(900, past(*[900] * 5, usual=None, samples=0), RULE).drifting is False


def test_a_drift_that_lasted_for_a_week_has_become_the_usual() -> None:
    assert assess(900, past(*[900] * 5, samples=99, drifting=True), RULE).drifting is False


@pytest.mark.parametrize(
    ("factor", "recent", "before", "drifting"),
    [
        (3.0, 440, False, False),
        (3.0, 460, False, True),
        (3.0, 340, True, True),
        (3.0, 330, True, False),
        (1.2, 170, True, True),
        (1.2, 149, True, False),  # never ends only below the usual itself
    ],
)
def test_another_factor_moves_both_ends(factor: float, recent: int, before: bool, drifting: bool) -> None:
    rule = Rule(factor=factor, floor_ms=1)
    assert assess(recent, past(*[recent] * 5, drifting=before), rule).drifting is drifting


@pytest.mark.parametrize(("recent", "usual"), [(49, None), (210, 150.0), (160, 150.0)])
def test_the_exact_baseline_is_not_worked_out_where_all_is_plainly_well(recent: int, usual: float | None) -> None:
    calm = replace(past(*[recent] * 5), usual_ms=usual, baseline=never)
    assert assess(recent, calm, RULE).drifting is False


@given(
    recent=st.integers(0, 5000),
    usual=st.floats(0, 5000),
    ageing=st.floats(0.8, 1.25),
    drifting=st.booleans(),
    factor=st.floats(1.5, 10),
)
def test_the_cached_baseline_never_changes_the_outcome(
    recent: int, usual: float, ageing: float, drifting: bool, factor: float
) -> None:
    rule = Rule(factor=factor)
    exact = past(*[recent] * 5, usual=usual, drifting=drifting)
    assert (
        assess(recent, replace(exact, usual_ms=usual * ageing), rule).drifting is assess(recent, exact, rule).drifting
    )


@pytest.mark.parametrize(
    ("drift", "text"),
    [
        (Drift(True, 412.0, 150.0), "now 412 ms, normally 150 ms (2.7× the 7-day median)"),
        (Drift(True, 90.0, 0.0), "now 90 ms, normally 0 ms (90.0× the 7-day median)"),
        (Drift(True), "slower than usual"),
    ],
)
def test_it_is_described_with_both_medians(drift: Drift, text: str) -> None:
    assert describe(drift) == text
