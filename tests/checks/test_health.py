import json as jsons
import resource
import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from addresses import dead_port, names
from certificates import Issued, authority, issue
from web_server import (
    CLOSE,
    HANG,
    RESET,
    Script,
    WebServer,
    answer,
    bomb,
    drip,
    endless,
    head,
    insisting,
    json,
    redirect,
    zipped,
)

from pom_cli import checks
from pom_cli.checks import Site, health
from pom_cli.checks.drift import Rule
from pom_cli.checks.expect import Expected
from pom_cli.checks.health import Seen, Settings, judge, look, parse
from pom_cli.model import DEGRADED, ERROR, OPERATIONAL, UNKNOWN, UNREACHABLE, Baseline, Finding, Past, Status, Verdict
from pom_cli.net.client import Client
from pom_cli.net.exchange import Answer
from pom_cli.net.faults import Fault
from pom_cli.toml.table import Table

NOW = datetime(2026, 11, 24, 6, 40, tzinfo=UTC)
SITE = Site("shop", "https://shop.example.com", "https", "shop.example.com", 443, timedelta(minutes=5))
GOOD = Answer(200, "OK", [], b"", "https://shop.example.com/", "192.0.2.1", 1.2, 20.4, 41.6, 80.0, 150.0)
SETTINGS = Settings("https://shop.example.com/")


def check(server: WebServer, *scripts: Script, path: str = "/", **more: Any) -> Finding:
    """What looking at a path with these scripts, and judging it, gives."""
    server.on(path, *scripts)
    own = {key: more.pop(key) for key in ("attempts", "headers", "timeout_s", "verify", "ca_file") if key in more}
    settings = Settings(server.url(path), Client(**{"timeout_s": 5.0, "attempts": 1, "pause_s": 0.01, **own}), **more)
    return judge(look(settings), settings, {}, NOW)[0]


def told(finding: Finding) -> tuple[Status, str]:
    return finding.status, finding.summary


def test_it_has_what_the_engine_asks_of_a_kind() -> None:
    assert checks.load("health") is health
    assert (tuple(health.RUNBOOK), dict(health.COVERED), health.INTERVAL, health.NETWORK) == (
        ("health", "latency-drift"),
        {},
        None,
        True,
    )
    assert health.adhoc(SITE)
    assert health.subjects(SETTINGS) == ("",)


class TestGood:
    def test_any_2xx_is_operational(self, server: WebServer) -> None:
        finding = check(server, answer(204))
        assert told(finding) == (OPERATIONAL, "204 No Content")
        assert finding.verdicts["health"] == Verdict(OPERATIONAL, "204 No Content")
        assert finding.answered

    def test_it_tells_what_it_saw(self, server: WebServer) -> None:
        finding = check(server, [0.05, *json('{"status": "operational"}')], path="/api/health?key=secret")
        assert finding.detail == {
            "http_status": 200,
            "url": server.url("/api/health"),
            "address": "127.0.0.1",
            "dns_ms": 0,
            "connect_ms": finding.detail["connect_ms"],
            "first_byte_ms": finding.detail["first_byte_ms"],
            "attempts": 1,
        }
        assert finding.latency_ms is not None
        assert finding.latency_ms >= finding.detail["first_byte_ms"] >= 45
        assert jsons.loads(jsons.dumps(finding.detail, allow_nan=False)) == finding.detail

    def test_the_time_of_tls_is_told_for_https(self, roots: str) -> None:
        with WebServer(tls=issue(authority())) as server:
            finding = check(server, answer(200), ca_file=roots)
        assert told(finding) == (OPERATIONAL, "200 OK")
        assert finding.detail["tls_ms"] >= 0

    def test_two_good_answers_have_the_same_summary(self, server: WebServer) -> None:
        fast, slow = check(server, answer(200, b"one")), check(server, [0.05, *answer(200, b"two", reason="Fine")])
        assert fast.summary == slow.summary == "200 OK"

    def test_the_address_at_the_end_of_redirects_is_told(self, server: WebServer) -> None:
        server.on("/there", answer(200))
        finding = check(server, redirect("/there"))
        assert told(finding) == (OPERATIONAL, "200 OK")
        assert finding.detail["url"] == server.url("/there")

    def test_configured_headers_are_sent(self, server: WebServer) -> None:
        check(server, answer(200), headers={"Authorization": "Bearer secret"})
        assert server.requests[0].headers["authorization"] == "Bearer secret"


WANTED = Expected(json={"status": "operational"})


@pytest.mark.parametrize(
    ("script", "expected", "status", "summary"),
    [
        (json('{"status": "operational", "version": "1"}'), WANTED, OPERATIONAL, "200 OK"),
        (
            json('{"status": "starting"}'),
            WANTED,
            DEGRADED,
            '200, but the body lacks status = "operational" (it says "starting")',
        ),
        (answer(200, "<html>"), WANTED, DEGRADED, "200, but the body is not JSON"),
        (answer(204), WANTED, DEGRADED, "204, but the body is empty"),
        (json('{"status": "operational"}', 503), WANTED, ERROR, "503 Service Unavailable"),
        (answer(200, "all well"), Expected(text="all well"), OPERATIONAL, "200 OK"),
        (answer(200, "all ill"), Expected(text="all well"), DEGRADED, '200, but the body lacks the text "all well"'),
        (answer(401), Expected(status=(401,)), OPERATIONAL, "401 Unauthorized"),
        (redirect("/login"), Expected(status=(302,)), OPERATIONAL, "302 Found"),
        (answer(200), Expected(status=(204, 401)), DEGRADED, "200, but 204 or 401 is expected"),
        (answer(404), Expected(status=(204, 401)), ERROR, "404 Not Found"),
        (answer(401, "no"), Expected(status=(401,), text="go"), DEGRADED, '401, but the body lacks the text "go"'),
        (answer(500), Expected(), ERROR, "500 Internal Server Error"),
        (answer(521, b"", reason="Web Server Is \x1b[1mDown"), Expected(), ERROR, "521 Web Server Is [1mDown"),
        (answer(599, b"", reason=""), Expected(), ERROR, "599"),
        (answer(304), Expected(), ERROR, "304 Not Modified"),
        (redirect("//www.example.com/"), Expected(), ERROR, "302 Found: redirect to another host, www.example.com"),
        (redirect("http://[::", 301), Expected(), ERROR, "301 Moved Permanently: redirect to an unreadable address"),
        (redirect("/"), Expected(), ERROR, "302 Found: more than 5 redirects"),
        (zipped(b'{"status": "operational"}'), WANTED, OPERATIONAL, "200 OK"),
        (zipped(b'{"status": "operational"}', cut=9), WANTED, ERROR, "200, but the body was cut off"),
        (zipped(b'{"status": "operational"}', cut=3), WANTED, OPERATIONAL, "200 OK"),  # curl, Chromium
        ([*answer(200, b"hello", length=99), CLOSE], Expected(), ERROR, "200, but the body was cut off"),
        (answer(200, b"hello", length="soon"), Expected(), ERROR, "200, but its Content-Length cannot be read"),
        (endless(head(200)), Expected(), OPERATIONAL, "200 OK"),
        (endless(head(200)), WANTED, DEGRADED, "200, but the body is longer than 1 MiB"),
        (bomb(), Expected(), OPERATIONAL, "200 OK"),
        ([head(103), *answer(200)], Expected(), OPERATIONAL, "200 OK"),
        ([head(101), CLOSE], Expected(), ERROR, "101 Switching Protocols"),
    ],
)  # fmt: skip
def test_an_answer_is_judged_by_status_and_body(
    server: WebServer, script: Script, expected: Expected, status: Status, summary: str
) -> None:
    finding = check(server, script, expected=expected)
    assert told(finding) == (status, summary)
    assert finding.verdicts["health"] == Verdict(status, summary)
    assert finding.latency_ms is not None
    assert finding.answered


def test_a_text_is_looked_for_in_the_charset_of_the_answer(server: WebServer) -> None:
    page = answer(200, "Всё работает".encode("cp1251"), {"Content-Type": "text/html; charset=windows-1251"})
    assert told(check(server, page, expected=Expected(text="работает"))) == (OPERATIONAL, "200 OK")


def test_the_beginning_of_a_bad_answer_is_kept(server: WebServer) -> None:
    finding = check(server, answer(500, "database \x1b[31mgone\n" + "x" * 5000))
    excerpt = finding.detail["excerpt"]
    assert excerpt.startswith("database [31mgone xxx")
    assert excerpt.isprintable()
    assert len(excerpt) <= 200
    assert "excerpt" not in check(server, answer(200, "fine")).detail


class TestSilence:
    @pytest.mark.parametrize(
        ("script", "summary", "phase"),
        [
            ([CLOSE], "connection closed without an answer", "headers"),
            ([RESET], "connection reset", "headers"),
            ([b"SSH-2.0-OpenSSH_9.2\r\n", CLOSE], "no HTTP: it says 'SSH-2.0-OpenSSH_9.2'", "headers"),
            ([HANG], "no answer within 0.3 s (headers)", "headers"),
            (drip(head(200)), "no complete answer within 0.3 s (headers)", "headers"),
            ([head(200), b"hello", HANG], "no complete answer within 0.3 s (body)", "body"),
            (redirect("/hang"), "no answer within 0.3 s (headers)", "headers"),
        ],
    )
    def test_no_answer_is_unreachable(self, server: WebServer, script: Script, summary: str, phase: str) -> None:
        server.on("/hang", [HANG])
        finding = check(server, script, timeout_s=0.3)
        assert told(finding) == (UNREACHABLE, summary)
        assert finding.verdicts["health"] == Verdict(UNREACHABLE, summary)
        assert finding.verdicts["latency-drift"].status is UNKNOWN
        assert finding.detail == {"phase": phase, "url": server.url("/"), "address": "127.0.0.1", "attempts": 1}
        assert finding.latency_ms is None
        assert not finding.answered

    def test_a_closed_port_is_unreachable(self) -> None:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            settings = Settings(f"http://127.0.0.1:{sock.getsockname()[1]}/", Client(attempts=1))
            finding = judge(look(settings), settings, {}, NOW)[0]
        assert told(finding) == (UNREACHABLE, "connection refused")
        assert (finding.detail["phase"], finding.detail["address"]) == ("connect", "127.0.0.1")

    @pytest.mark.parametrize(
        ("code", "status", "summary"),
        [
            (socket.EAI_NONAME, UNREACHABLE, "name does not resolve"),
            (socket.EAI_AGAIN, UNKNOWN, "the resolver failed: Temporary failure in name resolution"),
        ],
    )
    def test_a_resolver_that_fails_is_no_outage(
        self, code: int, status: Status, summary: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object, **__: object) -> None:
            raise socket.gaierror(code, "Temporary failure in name resolution")

        monkeypatch.setattr(socket, "getaddrinfo", fail)
        settings = Settings("http://shop.example.com/", Client(attempts=1))
        finding = judge(look(settings), settings, {}, NOW)[0]
        assert told(finding) == (status, summary)
        assert finding.verdicts["health"].status is status
        assert "address" not in finding.detail
        assert not finding.answered

    def test_a_process_out_of_file_descriptors_is_no_outage(self, server: WebServer) -> None:
        check(server, answer(200))
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with socket.socket() as lowest:
            limit = lowest.fileno()
        settings = Settings(server.url("/"), Client(attempts=1))
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
            seen = look(settings)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert told(judge(seen, settings, {}, NOW)[0]) == (UNKNOWN, "this process is out of file descriptors")


class TestCertificate:
    @pytest.mark.parametrize(
        ("certificate", "summary"),
        [
            (lambda: issue(authority(), days=-1, age=9), "certificate has expired"),
            (
                lambda: issue(authority(), hosts=["other.example.com"]),
                "certificate does not match 127.0.0.1 (issued for other.example.com)",
            ),
            (lambda: issue(None), "self-signed certificate"),
        ],
    )
    def test_a_bad_certificate_is_an_error(self, certificate: Callable[[], Issued], summary: str, roots: str) -> None:
        with WebServer(tls=certificate()) as server:
            finding = check(server, answer(200), ca_file=roots)
        assert told(finding) == (ERROR, summary)
        spoken = {alert for alert, verdict in finding.verdicts.items() if verdict.status is ERROR}
        assert spoken == {"tls-expiry" if "expired" in summary else "health"}
        assert (finding.detail["phase"], finding.detail["address"]) == ("tls", "127.0.0.1")
        assert finding.latency_ms is None
        assert finding.answered

    def test_what_is_wrong_with_it_and_whose_it_is_stand_in_the_detail(self, roots: str) -> None:
        with WebServer(tls=issue(authority(), hosts=["a.example.com", "b.example.com"])) as server:
            detail = check(server, answer(200), ca_file=roots).detail
        assert (detail["certificate"], detail["names"]) == ("wrong host", ["a.example.com", "b.example.com"])

    def test_of_an_expired_one_health_speaks_as_tls_expiry(self) -> None:
        seen = Seen(Fault("tls", "certificate has expired", "certificate", at="b.example.com:8443"))
        finding = judge(seen, SETTINGS, {}, NOW)[0]
        assert told(finding) == (ERROR, "certificate has expired")
        assert finding.verdicts["health"].status is UNKNOWN
        expired = Verdict(ERROR, "certificate has expired", subjects=("b.example.com:8443",))
        assert finding.verdicts["tls-expiry"] == expired

    def test_of_an_untrusted_one_health_speaks_itself(self) -> None:
        seen = Seen(Fault("tls", "self-signed certificate", "certificate"))
        finding = judge(seen, SETTINGS, {}, NOW)[0]
        assert (finding.verdicts["health"].status, "tls-expiry" in finding.verdicts) == (ERROR, False)

    def test_an_expired_one_behind_a_redirect_is_named(self, roots: str) -> None:
        with WebServer(tls=issue(authority())) as first, WebServer(tls=issue(authority(), days=-1, age=9)) as second:
            first.on("/", answer(302, headers={"Location": second.url()}))
            second.on("/", answer(200))
            settings = replace(SETTINGS, url=first.url(), client=Client(attempts=1, ca_file=roots))
            verdict = judge(look(settings), settings, {}, NOW)[0].verdicts["tls-expiry"]
        assert (verdict.status, verdict.subjects) == (ERROR, (second.url().split("/")[2],))

    def test_without_verify_it_is_not_looked_at(self) -> None:
        with WebServer(tls=issue(None)) as server:
            assert told(check(server, answer(200), verify=False)) == (OPERATIONAL, "200 OK")

    def test_a_handshake_that_never_ends_is_unreachable(self) -> None:
        with WebServer(tls=issue(None), greeting=[HANG]) as server:
            finding = check(server, answer(200), timeout_s=0.3)
        assert told(finding) == (UNREACHABLE, "no answer within 0.3 s (tls)")


class TestAttempts:
    def test_a_bad_answer_is_asked_again(self, server: WebServer) -> None:
        finding = check(server, answer(503), answer(200), attempts=2)
        assert told(finding) == (OPERATIONAL, "200 OK")
        assert finding.detail["attempts"] == 2

    @pytest.mark.parametrize("bad", [answer(503), [CLOSE], json("{}"), redirect("http://[::bad/")])
    def test_the_last_bad_answer_counts(self, server: WebServer, bad: Script) -> None:
        finding = check(server, bad, attempts=3, expected=WANTED)
        assert finding.status is not OPERATIONAL
        assert finding.detail["attempts"] == 3
        assert len(server.requests) == 3

    def test_a_good_answer_is_not_asked_again(self, server: WebServer) -> None:
        check(server, answer(200), attempts=5)
        assert len(server.requests) == 1

    def test_each_attempt_has_the_whole_timeout(self, server: WebServer) -> None:
        finding = check(server, [HANG], [0.2, *answer(200)], attempts=2, timeout_s=0.3)
        assert told(finding) == (OPERATIONAL, "200 OK")

    def test_the_budget_is_of_all_attempts_and_pauses(self) -> None:
        assert replace(SETTINGS, client=Client(10, 3, 2)).budget == 34


def slow(latency_ms: float, past: Past, rule: Rule | None = SETTINGS.drift) -> Finding:
    """The finding of a good answer that took so long."""
    return judge(Seen(replace(GOOD, total_ms=latency_ms)), replace(SETTINGS, drift=rule), {"": past}, NOW)[0]


def past(ms: int, drifting: bool = False, samples: int = 2000) -> Past:
    return Past(recent_ms=(ms,) * 5, drifting=drifting, baseline=lambda: Baseline(150.0, samples))


class TestDrift:
    def test_a_good_answer_that_is_slow_is_degraded_and_speaks_as_latency_drift_alone(self) -> None:
        finding = slow(412, past(412))
        summary = "now 412 ms, normally 150 ms (2.7× the 7-day median)"
        assert told(finding) == (DEGRADED, summary)
        assert finding.verdicts == {
            "health": Verdict(OPERATIONAL, "200 OK"),
            "tls-expiry": Verdict(OPERATIONAL, "certificate has not expired"),
            "latency-drift": Verdict(DEGRADED, summary),
        }
        assert finding.drifting
        assert finding.latency_ms == 412
        assert (finding.detail["median_ms"], finding.detail["baseline_ms"]) == (412.0, 150.0)
        assert finding.usual_ms == 150.0

    def test_as_fast_as_usual_is_operational(self) -> None:
        finding = slow(160, past(160, drifting=True))
        assert told(finding) == (OPERATIONAL, "200 OK")
        assert finding.verdicts["latency-drift"] == Verdict(OPERATIONAL, "response time back to normal")
        assert not finding.drifting
        assert "median_ms" not in finding.detail

    def test_with_too_few_answers_a_drift_stands_as_it_was(self) -> None:
        finding = slow(400, Past(recent_ms=(400,), drifting=True))
        assert told(finding) == (DEGRADED, "slower than usual")
        assert finding.drifting
        assert finding.verdicts["latency-drift"].status is UNKNOWN

    def test_with_too_few_answers_no_drift_begins(self) -> None:
        finding = slow(400, Past(recent_ms=(400,)))
        assert told(finding) == (OPERATIONAL, "200 OK")
        assert finding.verdicts["latency-drift"].status is UNKNOWN

    def test_a_drift_of_a_week_ends_as_the_new_usual(self) -> None:
        finding = slow(400, past(400, drifting=True, samples=50))
        assert told(finding) == (OPERATIONAL, "200 OK")
        assert finding.verdicts["latency-drift"] == Verdict(OPERATIONAL, "slow for so long that it is the usual now")

    def test_where_it_is_not_watched_none_is_found_and_an_old_one_ends(self) -> None:
        finding = slow(900, past(900, drifting=True), rule=None)
        assert told(finding) == (OPERATIONAL, "200 OK")
        assert finding.verdicts["latency-drift"] == Verdict(OPERATIONAL, "latency drift is not watched")

    def test_a_bad_answer_says_nothing_about_it(self) -> None:
        seen = Seen(replace(GOOD, status=500, total_ms=900))
        finding = judge(seen, SETTINGS, {"": past(900, drifting=True)}, NOW)[0]
        assert finding.status is ERROR
        assert finding.verdicts["latency-drift"].status is UNKNOWN
        assert not finding.drifting

    def test_a_first_answer_ever_is_simply_good(self) -> None:
        assert told(judge(Seen(GOOD), SETTINGS, {}, NOW)[0]) == (OPERATIONAL, "200 OK")


def read(data: dict[str, Any], site: Site = SITE) -> tuple[Settings, list[str]]:
    table = Table(data, "targets.shop.health", [])
    settings = parse(table, site)
    table.finish()
    return settings, table.problems


def test_a_site_that_asks_for_patience_is_left_in_peace(server: WebServer) -> None:
    finding = check(server, answer(429, b"", {"Retry-After": "60"}), attempts=3)
    assert told(finding) == (UNKNOWN, "429 Too Many Requests: it asks for patience")
    assert finding.verdicts["health"].status is UNKNOWN
    assert len(server.requests) == 1


class TestHttp2Alone:
    def test_a_server_of_http_2_alone_is_not_blamed(self) -> None:
        with WebServer(
            tls=issue(None),
            greeting=insisting(lambda hello: b"\x02h2" in hello),
            adjust=lambda context: context.set_alpn_protocols(["h2"]),
        ) as server:
            finding = check(server, answer(200), verify=False)
        assert told(finding) == (UNKNOWN, "it speaks only HTTP/2, which this monitor does not")

    def test_a_server_that_takes_neither_is(self) -> None:
        with WebServer(tls=issue(None), greeting=insisting(lambda hello: False)) as server:
            finding = check(server, answer(200), verify=False)
        assert finding.status is UNREACHABLE
        assert "no application protocol" in finding.summary


class TestSeveralAddresses:
    @pytest.mark.parametrize(("gone", "there"), [("::1", "127.0.0.1"), ("127.0.0.1", "::1")])
    def test_one_that_does_not_answer_beside_one_that_does_is_degraded(
        self, gone: str, there: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with dead_port(gone) as port, WebServer(there) as server:
            families = {"::1": socket.AF_INET6, "127.0.0.1": socket.AF_INET}
            names(monkeypatch, lambda: [(families[gone], (gone, port)), (families[there], (there, server.port))])
            server.on("/", answer(200))
            settings = Settings("http://shop.example.com/", Client(20.0, 1))
            finding = judge(look(settings), settings, {}, NOW)[0]
        assert told(finding) == (DEGRADED, f"200, but {gone} does not answer; {there} does")
        assert finding.verdicts["health"].status is DEGRADED
        assert finding.detail["address"] == there

    def test_localhost_is_whichever_of_its_addresses_listens(self, server: WebServer) -> None:
        server.on("/", answer(200))
        settings = Settings(server.url(host="localhost"), Client(20.0, 1))
        assert told(judge(look(settings), settings, {}, NOW)[0]) == (OPERATIONAL, "200 OK")


class TestParse:
    def test_every_key_has_a_default(self) -> None:
        assert read({}) == (
            Settings(
                "https://shop.example.com", Client(10.0, 2, 2.0, {}, True, None), Expected(), Rule(2.0, 50.0, 100)
            ),
            [],
        )

    def test_every_key_is_read(self) -> None:
        data = {
            "path": "/api/health?full=1",
            "timeout": "5s",
            "attempts": 3,
            "expect": {"status": "operational"},
            "expect_text": "ok",
            "expect_status": [200],
            "headers": {"Accept": "application/json"},
            "drift": {"factor": 3, "floor": "100ms", "samples": 200},
        }
        settings, problems = read(data)
        assert problems == []
        assert settings == Settings(
            "https://shop.example.com/api/health?full=1",
            Client(5.0, 3, 2.0, {"Accept": "application/json"}),
            Expected({"status": "operational"}, "ok", (200,)),
            Rule(3.0, 100.0, 200),
        )

    def test_the_site_says_whom_to_trust(self) -> None:
        settings, _ = read({}, replace(SITE, verify=False, ca_file="/etc/pom/origin-ca.pem"))
        assert (settings.client.verify, settings.client.ca_file) == (False, "/etc/pom/origin-ca.pem")

    @pytest.mark.parametrize(
        ("site", "path", "url"),
        [
            ("https://shop.example.com/start?x=1", "/health", "https://shop.example.com/health"),
            ("http://shop.example.com:8080", "/health", "http://shop.example.com:8080/health"),
            ("http://[2001:db8::1]:8080/", "/a b", None),
        ],
    )
    def test_a_path_stands_on_the_targets_origin(self, site: str, path: str, url: str | None) -> None:
        settings, problems = read({"path": path}, replace(SITE, url=site))
        assert settings.url == (url or site)
        assert bool(problems) is (url is None)

    def test_drift_can_be_turned_off(self) -> None:
        assert read({"drift": False})[0].drift is None
        assert read({"drift": True})[0].drift == Rule()

    @pytest.mark.parametrize(
        ("data", "problem"),
        [
            ({"path": "health"}, "path: 'health' is not a path like \"/api/health\""),
            ({"path": 5}, "path: 5 is not a path like \"/api/health\""),
            ({"path": "/", "url": "http://x"}, "url: 'http://x' is not possible beside path; give one of them"),
            ({"url": "shop"}, "url: 'shop' is not a URL like https://example.com"),
            ({"timeout": "soon"}, "timeout: 'soon' is not a duration like \"10s\""),
            ({"timeout": "1ms"}, "timeout: '1ms' is not between 100ms and 5m"),
            ({"attempts": 0}, "attempts: 0 is not a whole number from 1 to 10"),
            ({"headers": "secret"}, 'headers: not a table of HTTP headers like { Accept = "text/html" }'),
            ({"headers": {"X Y": "secret"}}, 'headers.X Y: not a header like Accept = "text/html"'),
            ({"headers": {"X": "secret\r\nY: z"}}, 'headers.X: not a header like Accept = "text/html"'),
            ({"headers": {"X": 5}}, 'headers.X: not a header like Accept = "text/html"'),
            ({"drift": {"factor": 1}}, "drift.factor: 1 is not a number from 1.1 to 100"),
            ({"drift": {"floor": 50}}, "drift.floor: 50 is not a duration like \"50ms\""),
            ({"drift": {"sample": 50}}, "drift.sample: unknown key (its value: 50); did you mean 'samples'?"),
            ({"drift": "off"}, "drift: 'off' is not a table"),
            ({"expects": {}}, "expects: unknown key; did you mean 'expect'?"),
            ({"pth": "/"}, "pth: unknown key (its value: '/'); did you mean 'path'?"),
            ({"path": "/", "ulr": "http://x"}, "ulr: unknown key; did you mean 'url'?"),
        ],
    )  # fmt: skip
    def test_a_mistake_is_named(self, data: dict[str, Any], problem: str) -> None:
        assert read(data)[1] == [f"targets.shop.health.{problem}"]
