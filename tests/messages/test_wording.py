"""One notice in full: each fact once."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pom_cli.messages.wording import block, when
from pom_cli.model import DEGRADED, ERROR, OPERATIONAL, UNREACHABLE, Notice, Status

NOW = datetime(2026, 11, 24, 6, 45, 17, tzinfo=UTC)


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose own time is an hour ahead of UTC."""
    monkeypatch.setenv("TZ", "CET-1")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def notice(reason: str = "new", before: Status = OPERATIONAL, now: Status = UNREACHABLE, **more: Any) -> Notice:
    words = {"id": "1", "target": "makenotwork", "alert": "health", "since": ago(minutes=5), "at": NOW, "summary": ""}
    return Notice(reason=reason, before=before, now=now, **{**words, **more})


def text(told: Notice, **known: Any) -> str:
    return block(told, known, NOW, "From: hetzner")


def test_a_problem_is_told_in_full() -> None:
    facts = {
        "url": "https://makenot.work/api/health",
        "http_status": 502,
        "phase": "body",
        "address": "203.0.113.7",
        "latency_ms": 31,
        "error": "connection reset by peer",
        "views": ["astra: unreachable too (40 s ago)"],
        "last_good": ago(minutes=10),
    }
    assert text(notice(summary="answer cut short", facts=facts)) == (
        "makenotwork health: Unreachable, was Operational\n"
        "Since: 2026-11-24 06:40:17 UTC (07:40:17 +01:00), 5 min\n"
        "Problem: answer cut short\n"
        "Error: connection reset by peer\n"
        "URL: https://makenot.work/api/health\n"
        "Details: HTTP 502, phase body, address 203.0.113.7, 31 ms\n"
        "From: hetzner\n"
        "Peers: astra: unreachable too (40 s ago)\n"
        "Last good: 2026-11-24 06:35:17 UTC (07:35:17 +01:00), 10 min ago"
    )


def test_a_recovery_tells_start_end_and_how_long_it_lasted() -> None:
    over = notice(
        "recovered",
        UNREACHABLE,
        OPERATIONAL,
        summary="200 OK",
        facts={"started_at": ago(hours=2, minutes=10), "ended_at": ago(minutes=2), "was": "connection refused"},
    )
    assert text(over) == (
        "makenotwork health: Operational, was Unreachable\n"
        "Start: 2026-11-24 04:35:17 UTC (05:35:17 +01:00)\n"
        "End: 2026-11-24 06:43:17 UTC (07:43:17 +01:00)\n"
        "Lasted: 2 h 8 min\n"
        "Was: connection refused\n"
        "Now: 200 OK\n"
        "From: hetzner"
    )


def test_a_recovery_without_a_known_end_ends_now() -> None:
    start = ago(hours=3)
    over = notice("recovered", ERROR, OPERATIONAL, since=start, facts={"started_at": start})
    assert "\nLasted: 3 h\n" in text(over)


def test_a_recovery_without_a_known_start_says_since_when_all_is_well() -> None:
    over = text(notice("recovered", ERROR, OPERATIONAL))
    assert "\nSince: 2026-11-24 06:40:17" in over and "Lasted" not in over


def test_what_got_worse_also_says_when_it_began() -> None:
    worse = text(notice("worse", DEGRADED, UNREACHABLE, since=NOW, facts={"started_at": ago(hours=1)}))
    assert "+01:00), just now\n" in worse
    assert "\nBegan: 2026-11-24 05:45:17 UTC (06:45:17 +01:00), 1 h\n" in worse


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (notice("reminder", UNREACHABLE, UNREACHABLE), "makenotwork health: still Unreachable"),
        (notice("escalated", UNREACHABLE, UNREACHABLE), "makenotwork health: still Unreachable"),
        (notice("changed", ERROR, ERROR, alert="route"), "makenotwork route: Error"),
        (notice("worse", DEGRADED, ERROR), "makenotwork health: Error, was Degraded"),
        (notice(target="", alert="monitoring-offline"), "monitoring-offline: Unreachable, was Operational"),
    ],
)
def test_the_first_line_has_the_status_in_the_runbooks_capitals(told: Notice, line: str) -> None:
    assert text(told).split("\n")[0] == line


def test_several_subjects_have_a_line_each_and_a_crowd_is_counted() -> None:
    paths = tuple(f"/{n}" for n in range(7))
    facts = {"subject_summaries": {"/0": "502 Bad Gateway", "/1": "404 Not Found"}, "url": "https://x.example/0"}
    told = text(notice(alert="route", subjects=paths, summary="7 of 9: /0: 502 Bad Gateway; 6 more", facts=facts))
    assert (
        "\nProblem: 7 of 9 routes\n  /0: 502 Bad Gateway\n  /1: 404 Not Found\n  /2\n  /3\n  /4\n  and 2 more\n" in told
    )
    assert told.count("/0") == 1, "the URL of one of them says nothing new"


@pytest.mark.parametrize(
    ("summary", "line"),
    [
        ("404 Not Found, not 2xx", "Problem: /login: 404 Not Found, not 2xx"),
        ("1 of 3: /login: 404 Not Found, not 2xx", "Problem: 1 of 3: /login: 404 Not Found, not 2xx"),
    ],
)
def test_one_subject_is_named_with_what_was_seen_of_it(summary: str, line: str) -> None:
    facts = {"http_status": 404, "subject_summaries": {"/login": "404 Not Found, not 2xx"}}
    told = text(notice(alert="route", subjects=("/login",), summary=summary, facts=facts))
    assert f"\n{line}\n" in told
    assert told.count("404") == told.count("/login") == 1


def test_tests_that_the_summary_names_are_not_listed_again() -> None:
    summary = "3 of 43 tests failed; newly failing: test_a; test_b"
    told = text(notice(alert="test-failed", subjects=("test_a", "test_b", "test_c"), summary=summary))
    assert f"\nProblem: {summary}\n  test_c\nFrom" in told


def test_what_the_summary_says_is_not_said_again() -> None:
    facts = {"http_status": 502, "latency_ms": 31, "error": "HTTP 502", "network": "1.1.1.1:443 answers"}
    told = text(notice(summary="HTTP 502, not 2xx, in 31 ms; 1.1.1.1:443 answers", facts=facts))
    assert told.count("502") == told.count("31") == told.count("1.1.1.1") == 1


def test_days_left_are_told_where_the_summary_does_not() -> None:
    assert "\nExpiry: expires in 6 days\n" in text(notice(summary="certificate nears its end", days_left=6))
    assert "Expiry" not in text(notice(summary="expires 2026-12-01, 6 days left", days_left=6))
    assert "Expiry" not in text(notice(summary="expired, less than a day ago", days_left=-1))


def test_several_peers_have_a_line_each() -> None:
    views = ["astra: unreachable too (40 s ago)", "oslo: does not answer"]
    assert f"\nPeers:\n  {views[0]}\n  {views[1]}" in text(notice(facts={"views": views}))


@pytest.mark.parametrize(
    ("count", "line"),
    [
        (1, ""),
        (2, ""),
        (3, "This is the third outage in an hour."),
        (10, "This is the tenth outage in an hour."),
        (12, "This is the 12th outage in an hour."),
    ],
)
def test_the_third_outage_in_an_hour_is_called_that(count: int, line: str) -> None:
    told = text(notice(facts={"outages": count}))
    assert ("outage in an hour" in told) is bool(line) and line in told


@pytest.mark.parametrize(
    ("release", "line"),
    [
        (
            {"at": ago(minutes=17), "rev": "abc123", "by": "max", "note": "new cart"},
            "Deployed: abc123 by max (new cart), 12 min before this began, 2026-11-24 06:28:17 UTC (07:28:17 +01:00)",
        ),
        (
            {"at": "2026-11-24T06:42:17Z"},
            "Deployed: 2 min after this began, 2026-11-24 06:42:17 UTC (07:42:17 +01:00)",
        ),
        ({"at": ago(hours=25), "rev": "abc123"}, ""),
        ({"at": NOW + timedelta(hours=1), "rev": "abc123"}, ""),
        ({"rev": "abc123"}, ""),
        (None, ""),
    ],
)
def test_a_deployment_of_the_last_day_is_named(release: Any, line: str) -> None:
    told = text(notice(facts={"deployed": release}))
    assert told.endswith(line or "From: hetzner")
    assert "Deployed" not in text(notice("recovered", UNREACHABLE, OPERATIONAL, facts={"deployed": release}))


def test_a_label_goes_with_the_name_that_commands_take() -> None:
    assert text(notice(), label="Make Not Work").startswith("Make Not Work (makenotwork) health: ")


def test_what_is_not_known_has_no_line() -> None:
    assert text(notice(facts={"views": None, "url": None, "error": None, "last_good": None}, subjects=("",))) == (
        "makenotwork health: Unreachable, was Operational\n"
        "Since: 2026-11-24 06:40:17 UTC (07:40:17 +01:00), 5 min\n"
        "From: hetzner"
    )


@pytest.mark.parametrize(
    ("zone", "told"),
    [
        ("CET-1", "2026-11-24 06:45:17 UTC (07:45:17 +01:00)"),
        ("EST5", "2026-11-24 06:45:17 UTC (01:45:17 -05:00)"),
        ("PST8", "2026-11-24 06:45:17 UTC (2026-11-23 22:45:17 -08:00)"),
        ("UTC0", "2026-11-24 06:45:17 UTC"),
    ],
)
def test_times_are_in_utc_and_in_this_machines_time_where_that_differs(
    zone: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    assert when(NOW) == told
