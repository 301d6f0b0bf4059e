from dataclasses import replace

import pytest

from pom_cli.checks.expect import Expected, Mismatch
from pom_cli.checks.outcome import Outcome, figures, phrase, status_of, summarize, without_query
from pom_cli.model import DEGRADED, ERROR, OPERATIONAL, UNKNOWN, UNREACHABLE, Status
from pom_cli.net.exchange import Answer
from pom_cli.net.faults import Fault

GOOD = Answer(200, "Fine", [], b"", "https://shop.example.com/?key=secret", "192.0.2.1", 0.4, 20.6, None, 80.0, 150.0)
ANY, LISTED = Expected(), Expected(status=(200, 401))


@pytest.mark.parametrize(
    ("outcome", "mismatch", "expected", "status", "summary"),
    [
        (GOOD, None, ANY, OPERATIONAL, "200 OK"),
        (GOOD, "the body is empty", ANY, DEGRADED, "200, but the body is empty"),
        (replace(GOOD, flaw="the body was cut off"), "the body is empty", ANY, ERROR, "200, but the body was cut off"),
        (replace(GOOD, status=503), "the body is empty", ANY, ERROR, "503 Service Unavailable"),
        (replace(GOOD, status=302, unfollowed="more than 5 redirects"), None, ANY, ERROR,
         "302 Found: more than 5 redirects"),
        (replace(GOOD, status=401), None, LISTED, OPERATIONAL, "401 Unauthorized"),
        (replace(GOOD, status=401), "the body is empty", LISTED, DEGRADED, "401, but the body is empty"),
        (replace(GOOD, status=204), "the body is empty", LISTED, DEGRADED, "204, but 200 or 401 is expected"),
        (replace(GOOD, status=404), None, LISTED, ERROR, "404 Not Found"),
        # RFC 6585, section 4: the limit is on this monitor. Without Retry-After it is any other error.
        (replace(GOOD, status=429, headers=[("Retry-After", "60")]), "the body is empty", ANY, UNKNOWN,
         "429 Too Many Requests: it asks for patience"),
        (replace(GOOD, status=429), None, ANY, ERROR, "429 Too Many Requests"),
        (replace(GOOD, status=429, headers=[("Retry-After", "60")]), None, Expected(status=(429,)), OPERATIONAL,
         "429 Too Many Requests"),
        (replace(GOOD, coding="br"), None, ANY, OPERATIONAL, "200 OK"),
        (replace(GOOD, downgraded=True), None, ANY, OPERATIONAL, "200 OK, redirected from https to http"),
        (Fault("connect", "connection refused"), None, ANY, UNREACHABLE, "connection refused"),
        (Fault("body", "no answer within 10 s"), None, ANY, UNREACHABLE, "no answer within 10 s (body)"),
        (Fault("tls", "connection closed within TLS"), None, ANY, UNREACHABLE, "connection closed within TLS"),
        (Fault("tls", "certificate has expired", "certificate"), None, ANY, ERROR, "certificate has expired"),
        (Fault("dns", "the resolver failed", "ours"), None, ANY, UNKNOWN, "the resolver failed"),
    ],
)  # fmt: skip
def test_an_outcome_makes_a_status_and_a_line(
    outcome: Outcome, mismatch: str | None, expected: Expected, status: Status, summary: str
) -> None:
    differs = Mismatch(mismatch) if mismatch else None
    assert status_of(outcome, differs, expected) is status
    assert summarize(outcome, differs, expected) == summary


def test_what_may_be_where_nothing_was_read_is_unknown() -> None:
    assert status_of(GOOD, Mismatch("not there", doubtful=True), ANY) is UNKNOWN
    assert summarize(GOOD, Mismatch("not there", doubtful=True), ANY) == "200, but not there"


def test_a_status_without_a_standard_phrase_has_the_servers_own() -> None:
    assert phrase(replace(GOOD, status=521, reason="Web Server Is Down")) == "521 Web Server Is Down"
    assert phrase(replace(GOOD, status=521, reason="")) == "521"


def test_the_figures_are_whole_milliseconds_and_show_no_query() -> None:
    assert figures(GOOD) == {
        "http_status": 200,
        "url": "https://shop.example.com/",
        "address": "192.0.2.1",
        "dns_ms": 0,
        "connect_ms": 21,
        "first_byte_ms": 80,
    }


def test_a_url_without_a_query_is_shown_as_it_is() -> None:
    assert without_query("https://shop.example.com/health") == "https://shop.example.com/health"
