"""One notice in words."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pom_cli.messages.wording import block, headline
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


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (notice(), "makenotwork health: operational → unreachable"),
        (notice("worse", DEGRADED, ERROR), "makenotwork health: degraded → error"),
        (notice("recovered", UNREACHABLE, OPERATIONAL), "makenotwork health: unreachable → operational"),
        (
            notice("reminder", UNREACHABLE, UNREACHABLE, since=ago(hours=6)),
            "makenotwork health: still unreachable for 6 h",
        ),
        (
            notice("changed", ERROR, ERROR, alert="route", subjects=("/a", "/b", "/c")),
            "makenotwork route: error, now 3 routes",
        ),
        (notice("changed", ERROR, ERROR, alert="route", subjects=("/login",)), "makenotwork route: error, now /login"),
        (notice("changed", ERROR, DEGRADED, alert="dns"), "makenotwork dns: error → degraded"),
        (notice("changed", ERROR, ERROR), "makenotwork health: still error for 5 min"),
        (
            notice("reminder", DEGRADED, DEGRADED, alert="tls-expiry", days_left=7),
            "makenotwork tls-expiry: still degraded, 7 days left",
        ),
        (
            notice("reminder", DEGRADED, DEGRADED, alert="whois-expiry", days_left=1),
            "makenotwork whois-expiry: still degraded, 1 day left",
        ),
        (
            notice("reminder", ERROR, ERROR, alert="tls-expiry", days_left=-2),
            "makenotwork tls-expiry: still error, expired 1 day ago",
        ),
        (
            notice("reminder", ERROR, ERROR, alert="whois-expiry", days_left=-1),
            "makenotwork whois-expiry: still error, expired less than a day ago",
        ),
        (
            notice("reminder", ERROR, ERROR, alert="tls-expiry", days_left=0),
            "makenotwork tls-expiry: still error, less than a day left",
        ),
        (notice("new", ERROR, ERROR), "makenotwork health: error"),
        (notice(target="", alert="monitoring-offline"), "monitoring-offline: operational → unreachable"),
    ],
)
def test_a_headline_says_whose_alert_it_is_and_what_happened(told: Notice, line: str) -> None:
    assert headline(told) == line


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
    assert block(notice(summary="answer cut short", facts=facts), "hetzner", NOW) == (
        "makenotwork health: operational → unreachable\n"
        "\n"
        "Status: Unreachable, was Operational\n"
        "Since: 2026-11-24T06:40:17Z (2026-11-24 07:40:17 +01:00), 5 min\n"
        "Seen: answer cut short\n"
        "Error: connection reset by peer\n"
        "URL: https://makenot.work/api/health\n"
        "Details: HTTP 502, phase body, address 203.0.113.7, 31 ms\n"
        "From: hetzner at 2026-11-24T06:45:17Z (2026-11-24 07:45:17 +01:00)\n"
        "Peers:\n"
        "  astra: unreachable too (40 s ago)\n"
        "Last good: 2026-11-24T06:35:17Z (2026-11-24 07:35:17 +01:00), 10 min ago"
    )


def test_a_recovery_tells_start_end_and_how_long_it_lasted() -> None:
    over = notice(
        "recovered",
        UNREACHABLE,
        OPERATIONAL,
        facts={"started_at": ago(hours=2, minutes=10), "ended_at": ago(minutes=2), "was": "connection refused"},
    )
    text = block(over, "hetzner", NOW)
    assert "\nStart: 2026-11-24T04:35:17Z (2026-11-24 05:35:17 +01:00)\n" in text
    assert (
        "\nEnd: 2026-11-24T06:43:17Z (2026-11-24 07:43:17 +01:00)\nLasted: 2 h 8 min\nWas: connection refused\n" in text
    )
    assert "Last good" not in text


def test_a_recovery_without_a_known_end_ends_now() -> None:
    start = ago(hours=3)
    text = block(notice("recovered", ERROR, OPERATIONAL, since=start, facts={"started_at": start}), "hetzner", NOW)
    assert "\nLasted: 3 h\n" in text


def test_a_recovery_without_a_known_start_says_since_when_all_is_well() -> None:
    text = block(notice("recovered", ERROR, OPERATIONAL), "hetzner", NOW)
    assert "\nSince: 2026-11-24T06:40:17Z" in text and "Lasted" not in text


def test_what_got_worse_also_says_when_it_began() -> None:
    worse = notice("worse", DEGRADED, UNREACHABLE, since=NOW, facts={"started_at": ago(hours=1)})
    text = block(worse, "hetzner", NOW)
    assert "+01:00), just now\n" in text
    assert "\nBegan: 2026-11-24T05:45:17Z (2026-11-24 06:45:17 +01:00), 1 h\n" in text


def test_each_subject_is_listed_with_what_was_seen_of_it_and_a_crowd_is_counted() -> None:
    paths = tuple(f"/{n}" for n in range(7))
    facts = {"subject_summaries": {"/0": "HTTP 502, not 2xx", "/1": "HTTP 404, not 2xx"}}
    text = block(notice(alert="route", subjects=paths, facts=facts), "hetzner", NOW)
    assert "\nRoutes:\n  /0: HTTP 502, not 2xx\n  /1: HTTP 404, not 2xx\n  /2\n  /3\n  /4\n  and 2 more\n" in text


def test_what_the_summary_says_is_not_said_again() -> None:
    facts = {
        "http_status": 502,
        "latency_ms": 31,
        "error": "HTTP 502",
        "subject_summaries": {"/a": "HTTP 502, not 2xx"},
    }
    text = block(
        notice(alert="route", subjects=("/a",), summary="HTTP 502, not 2xx, in 31 ms", facts=facts), "hetzner", NOW
    )
    assert text.count("502") == 1 and "Details" not in text and "\nRoutes:\n  /a\n" in text


def test_days_left_are_told_where_the_summary_does_not() -> None:
    assert "\nExpiry: 6 days left\n" in block(notice(summary="certificate nears its end", days_left=6), "hetzner", NOW)
    assert "Expiry" not in block(notice(summary="expires, 6 days left", days_left=6), "hetzner", NOW)
    assert "Expiry" not in block(notice(summary="expired, less than a day ago", days_left=-1), "hetzner", NOW)


def test_an_empty_subject_is_none() -> None:
    assert "ubjects" not in block(notice(subjects=("",)), "hetzner", NOW)
    assert headline(notice("changed", ERROR, ERROR, subjects=("",))) == "makenotwork health: still error for 5 min"


def test_what_is_not_known_has_no_line() -> None:
    assert block(notice(facts={"views": None, "url": None, "error": None, "last_good": None}), "hetzner", NOW) == (
        "makenotwork health: operational → unreachable\n"
        "\n"
        "Status: Unreachable, was Operational\n"
        "Since: 2026-11-24T06:40:17Z (2026-11-24 07:40:17 +01:00), 5 min\n"
        "From: hetzner at 2026-11-24T06:45:17Z (2026-11-24 07:45:17 +01:00)"
    )


def test_west_of_greenwich_the_offset_is_told_apart_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "EST5")
    time.tzset()
    assert "Since: 2026-11-24T06:40:17Z (2026-11-24 01:40:17 -05:00), 5 min" in block(notice(), "hetzner", NOW)
