"""What a phone shows: one line for every kind of alert and every reason."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pom_cli.checks import alert_names
from pom_cli.messages.subject import _OF_A_PEER, _WORDS, headline, span
from pom_cli.model import DEGRADED, ERROR, OPERATIONAL, UNREACHABLE, Notice, Status

NOW = datetime(2026, 11, 24, 6, 45, 17, tzinfo=UTC)
KNOWN = {"host": "makenot.work", "port": 443, "domain": "makenotwork.work"}


def ago(**length: float) -> datetime:
    return NOW - timedelta(**length)


def notice(
    alert: str, summary: str, reason: str = "new", now: Status = ERROR, before: Status = OPERATIONAL, **more: Any
) -> Notice:
    words = {"id": "1", "target": "makenotwork", "since": NOW, "at": NOW, **more}
    return Notice(alert=alert, reason=reason, before=before, now=now, summary=summary, **words)


def over(alert: str, summary: str = "", lasted: float = 12, **more: Any) -> Notice:
    facts = {"started_at": ago(minutes=lasted), "ended_at": NOW}
    return notice(alert, summary, "recovered", OPERATIONAL, UNREACHABLE, facts=facts, **more)


def still(alert: str, summary: str, reason: str = "reminder", **more: Any) -> Notice:
    return notice(alert, summary, reason, **{"before": ERROR, "since": ago(hours=1), **more})


ROUTES = {"/docs": "500 Internal Server Error, not 2xx", "/login": "404 Not Found, not 2xx"}


@pytest.mark.parametrize(
    ("told", "line"),
    [
        # health
        (notice("health", "connection refused", now=UNREACHABLE), "makenotwork unreachable: connection refused"),
        (notice("health", "503 Service Unavailable"), "makenotwork error: 503 Service Unavailable"),
        (notice("health", "200, but no JSON", now=DEGRADED), "makenotwork degraded: 200, but no JSON"),
        (
            notice("health", "connection refused", "worse", UNREACHABLE, DEGRADED),
            "makenotwork unreachable (was degraded): connection refused",
        ),
        (
            notice("health", "200, but no JSON", "changed", DEGRADED, UNREACHABLE),
            "makenotwork degraded (was unreachable): 200, but no JSON",
        ),
        (
            still("health", "connection refused", now=UNREACHABLE),
            "makenotwork still unreachable after 1 h: connection refused",
        ),
        (
            still("health", "connection refused", "escalated", now=UNREACHABLE, since=ago(minutes=30)),
            "makenotwork still unreachable after 30 min, not acknowledged: connection refused",
        ),
        (over("health", "200 OK"), "makenotwork operational again after 12 min"),
        (notice("health", "200 OK", "recovered", OPERATIONAL, ERROR), "makenotwork operational again"),
        # latency-drift
        (
            notice("latency-drift", "now 412 ms, normally 150 ms (2.7× the 7-day median)", now=DEGRADED),
            "makenotwork slow: now 412 ms, normally 150 ms (2.7× the 7-day median)",
        ),
        (
            still("latency-drift", "now 412 ms, normally 150 ms", now=DEGRADED),
            "makenotwork still slow after 1 h: now 412 ms, normally 150 ms",
        ),
        (over("latency-drift"), "makenotwork response time back to normal after 12 min"),
        # tls-expiry
        (notice("tls-expiry", "", now=DEGRADED, days_left=9), "makenotwork certificate expires in 9 days"),
        (notice("tls-expiry", "", now=DEGRADED, days_left=1), "makenotwork certificate expires in 1 day"),
        (notice("tls-expiry", "", now=DEGRADED, days_left=0), "makenotwork certificate expires in less than a day"),
        (still("tls-expiry", "", now=DEGRADED, days_left=7), "makenotwork certificate expires in 7 days"),
        (
            notice("tls-expiry", "", "worse", ERROR, DEGRADED, days_left=-1),
            "makenotwork certificate expired less than a day ago (was degraded)",
        ),
        (notice("tls-expiry", "", days_left=-3), "makenotwork certificate expired 2 days ago"),
        (notice("tls-expiry", "a certificate of its chain has expired"), "makenotwork certificate has expired"),
        (
            notice("tls-expiry", "", now=DEGRADED, days_left=9, subjects=("mail.makenot.work:25",)),
            "makenotwork certificate of mail.makenot.work:25 expires in 9 days",
        ),
        (
            notice("tls-expiry", "", now=DEGRADED, days_left=9, subjects=("makenot.work:443",)),
            "makenotwork certificate expires in 9 days",
        ),
        (
            notice("tls-expiry", "", now=DEGRADED, days_left=9, subjects=("a.example:443", "makenot.work:443")),
            "makenotwork certificate of 2 hosts expires in 9 days",
        ),
        (over("tls-expiry", days_left=89), "makenotwork certificate OK again, expires in 89 days"),
        # tls-failed
        (
            notice("tls-failed", "handshake did not end within 10 s", now=UNREACHABLE, subjects=("makenot.work:443",)),
            "makenotwork TLS failed: handshake did not end within 10 s",
        ),
        (
            notice("tls-failed", "1 of 2: a.example:443: self-signed", subjects=("a.example:443",)),
            "makenotwork TLS of a.example failed: self-signed",
        ),
        (
            still("tls-failed", "self-signed", subjects=("makenot.work:443",)),
            "makenotwork TLS still failing after 1 h: self-signed",
        ),
        (over("tls-failed", subjects=("makenot.work:443",)), "makenotwork TLS OK again after 12 min"),
        # route
        (
            notice("route", "1 of 8: /login: 404 Not Found, not 2xx", subjects=("/login",)),
            "makenotwork /login: 404",
        ),
        (
            notice("route", "404 Not Found, not 2xx", subjects=("/login",), facts={"subject_summaries": ROUTES}),
            "makenotwork /login: 404",
        ),
        (notice("route", "200 OK, not 301", subjects=("/old",)), "makenotwork /old: 200"),
        (notice("route", "connection reset", subjects=("/old",)), "makenotwork /old: connection reset"),
        (
            notice("route", "2 of 8: …", subjects=("/docs", "/login"), facts={"subject_summaries": ROUTES}),
            "makenotwork 2 routes: /docs 500; /login 404",
        ),
        (
            notice("route", "404 Not Found, not 2xx", "changed", before=ERROR, subjects=("/login",)),
            "makenotwork /login: 404 (changed)",
        ),
        (
            still("route", "404 Not Found, not 2xx", subjects=("/login",)),
            "makenotwork /login still failing after 1 h: 404",
        ),
        (over("route", subjects=("/login",)), "makenotwork /login OK again after 12 min"),
        (over("route", subjects=("/docs", "/login")), "makenotwork 2 routes OK again after 12 min"),
        # dns
        (
            notice("dns", "does not exist (NXDOMAIN), expected 203.0.113.7", subjects=("makenot.work A",)),
            "makenotwork DNS makenot.work A: does not exist (NXDOMAIN), expected 203.0.113.7",
        ),
        (
            still("dns", "no A record (NODATA)", subjects=("makenot.work A",)),
            "makenotwork DNS makenot.work A still wrong after 1 h: no A record (NODATA)",
        ),
        (over("dns", subjects=("a.example A", "a.example MX")), "makenotwork 2 DNS records OK again after 12 min"),
        # whois
        (notice("whois-expiry", "", now=DEGRADED, days_left=16), "makenotwork.work: domain expires in 16 days"),
        (notice("whois-expiry", "", days_left=-2), "makenotwork.work: domain expired 1 day ago"),
        (
            notice("whois-expiry", "makenotwork.work is not registered (RDAP)"),
            "makenotwork.work: domain is not registered (RDAP)",
        ),
        (
            notice("whois-expiry", "is being deleted (pendingDelete), expires 2027-01-01, 38 days left", days_left=38),
            "makenotwork.work: domain is being deleted (pendingDelete)",
        ),
        (over("whois-expiry", days_left=380), "makenotwork.work: domain OK again, expires in 380 days"),
        (
            notice("whois-unknown", "no expiry date could be read for 7 days: RDAP: HTTP 500", now=DEGRADED),
            "makenotwork.work: domain's expiry date unknown: RDAP: HTTP 500",
        ),
        (over("whois-unknown"), "makenotwork.work: domain's expiry date known again"),
        # cors, port
        (
            notice("cors", "the answer names no origin", subjects=("https://app.example.com",)),
            "makenotwork CORS https://app.example.com: the answer names no origin",
        ),
        (over("cors", subjects=("https://a.example",)), "makenotwork CORS https://a.example OK again after 12 min"),
        (
            notice("port", "connection refused", now=UNREACHABLE, subjects=("192.0.2.10:22",)),
            "makenotwork port 192.0.2.10:22: connection refused",
        ),
        (
            still("port", "connection refused", now=UNREACHABLE, subjects=("192.0.2.10:22", "192.0.2.10:25")),
            "makenotwork 2 ports still failing after 1 h: connection refused",
        ),
        (over("port", subjects=("192.0.2.10:22",)), "makenotwork port 192.0.2.10:22 OK again after 12 min"),
        # tests
        (
            notice(
                "test-failed", "3 of 43 tests failed; newly failing: test_a", subjects=("test_a", "test_b", "test_c")
            ),
            "makenotwork tests: 3 of 43 failed; newly failing: test_a",
        ),
        (notice("test-failed", "timed out after 30 min"), "makenotwork tests: timed out after 30 min"),
        (
            still("test-failed", "3 of 43 tests failed", subjects=("test_a", "test_b")),
            "makenotwork tests still failing after 1 h: 3 of 43 failed",
        ),
        (over("test-failed", "43 tests passed"), "makenotwork tests pass again after 12 min"),
        (notice("test-stale", "no test run for 8 d", now=DEGRADED), "makenotwork: no test run for 8 d"),
        (over("test-stale"), "makenotwork tests are run again after 12 min"),
    ],
)
def test_of_a_target(told: Notice, line: str) -> None:
    assert headline(told, KNOWN) == line


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (
            notice("peer-missing", "no answer", now=UNREACHABLE, facts={"last_good": ago(seconds=178)}),
            "peer astra missing for 3 min",
        ),
        (notice("peer-missing", "no answer to 3 heartbeats", now=UNREACHABLE), "peer astra missing"),
        (
            notice(
                "peer-missing",
                "no answer",
                now=UNREACHABLE,
                facts={"last_good": ago(minutes=3), "doubt": "token", "error": "it refuses our token"},
            ),
            "peer astra missing for 3 min: it refuses our token",
        ),
        (still("peer-missing", "no answer", now=UNREACHABLE), "peer astra still missing after 1 h"),
        (over("peer-missing"), "peer astra alive again after 12 min"),
        (
            notice("checks-overdue", "it answers, but …", now=DEGRADED, subjects=("health", "tls")),
            "peer astra checks overdue: health, tls",
        ),
        (over("checks-overdue", subjects=("health",)), "peer astra checks on time again after 12 min"),
        (
            notice("delivery-failed", "its mail does not get out: 3 undelivered"),
            "peer astra: its mail does not get out: 3 undelivered",
        ),
        (over("delivery-failed"), "peer astra mail gets out again after 12 min"),
        (notice("clock-wrong", "4 min ahead", now=DEGRADED), "peer astra clock wrong: 4 min ahead"),
    ],
)
def test_of_a_peer(told: Notice, line: str) -> None:
    assert headline(replace(told, target="astra"), {}) == line


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (
            notice("monitoring-offline", "none of 3 targets answers", now=UNREACHABLE, target=""),
            "offline: this monitor's own network is down",
        ),
        (over("monitoring-offline", target=""), "online again after 12 min: this monitor's own network was down"),
        (
            notice(
                "checks-overdue", "health of shop last ran 25 min ago", now=DEGRADED, subjects=("a", "b"), target=""
            ),
            "checks overdue: health of shop last ran 25 min ago",
        ),
        (
            notice("delivery-failed", "smtp to ops@example.com: 550", subjects=("ops@example.com",), target=""),
            "alerts not delivered: smtp to ops@example.com: 550",
        ),
        (over("delivery-failed", target="", subjects=("ops@example.com",)), "alerts delivered again after 12 min"),
        (notice("store-failed", "disk full", target=""), "database not writable: disk full"),
        (over("store-failed", target=""), "database writable again after 12 min"),
        (notice("config-broken", "alerts.to: missing", target=""), "config broken: alerts.to: missing"),
        (
            notice("config-broken", "/etc/pom/pom.toml: not TOML: line 3", target=""),
            "config broken: pom.toml: not TOML: line 3",
        ),
        (still("config-broken", "alerts.to: missing", target=""), "config still broken after 1 h: alerts.to: missing"),
        (over("config-broken", target=""), "config OK again after 12 min"),
        (notice("clock-wrong", "4 min behind", target=""), "clock wrong: 4 min behind"),
        (over("clock-wrong", target=""), "clock right again after 12 min"),
        (notice("weather", "rain", target="shop"), "shop weather error: rain"),
    ],
)
def test_of_this_monitor(told: Notice, line: str) -> None:
    assert headline(told, {}) == line


def test_people_read_the_label() -> None:
    told = notice("health", "connection refused", now=UNREACHABLE)
    assert headline(told, {"label": "Make Not Work"}) == "Make Not Work unreachable: connection refused"


def test_every_kind_of_alert_has_its_words() -> None:
    assert set(alert_names()) <= set(_WORDS) and set(_OF_A_PEER) <= set(_WORDS)


@pytest.mark.parametrize("alert", _WORDS)
@pytest.mark.parametrize("reason", ["new", "worse", "changed", "reminder", "escalated", "recovered"])
def test_a_line_never_ends_in_the_air(alert: str, reason: str) -> None:
    line = headline(notice(alert, "", reason, target="" if alert == "monitoring-offline" else "shop"), {})
    assert line == line.strip() and not line.endswith((":", ",")) and "  " not in line


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (45, "45 s"), (59.6, "1 min"), (178, "3 min"), (724, "12 min"), (7800, "2 h 10 min")],
)
def test_nobody_needs_the_seconds(seconds: float, text: str) -> None:
    assert span(timedelta(seconds=seconds)) == text
