import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from certificates import authority, issue
from hypothesis import given
from hypothesis import strategies as st
from web_server import CLOSE, HANG, Script, WebServer, answer, head, redirect

from pom_cli import checks
from pom_cli.alerting.states import condition
from pom_cli.checks import Site, routes
from pom_cli.checks.routes import Route, Seen, Settings, judge, look, parse, status_of, summarize
from pom_cli.model import ERROR, OPERATIONAL, UNKNOWN, UNREACHABLE, Finding, Key, State, Status, Verdict
from pom_cli.net.client import Client
from pom_cli.net.exchange import Answer
from pom_cli.net.faults import EXPIRED, Fault
from pom_cli.text import clean
from pom_cli.toml.table import Table

NOW = datetime(2026, 11, 24, 6, 40, tzinfo=UTC)
SITE = Site("shop", "https://shop.example.com/start", "https", "shop.example.com", 443, timedelta(minutes=5))
ROOT = "https://shop.example.com"
SETTINGS = Settings(ROOT, (Route("/"),))
GOOD = Answer(200, "OK", [], b"", "/", "192.0.2.1", 1.2, 20.4, 41.6, 80.0, 150.4)


def read(**data: Any) -> tuple[Settings, list[str]]:
    """What a `routes` table gives, and its mistakes."""
    table = Table(data, "targets.shop.routes", [])
    settings = parse(table, SITE)
    table.finish()
    return settings, table.problems


def check(server: WebServer, *found: Route | str, **more: Any) -> dict[str, Finding]:
    """What looking at these paths, and judging them, gives."""
    wanted = tuple(Route(one) if isinstance(one, str) else one for one in found)
    settings = Settings(server.url(""), wanted, Client(**{"timeout_s": 5.0, "pause_s": 0.01, **more}))
    return {finding.subject: finding for finding in judge(look(settings), settings, {}, NOW)}


def told(findings: dict[str, Finding]) -> dict[str, tuple[Status, str]]:
    return {subject: (finding.status, finding.summary) for subject, finding in findings.items()}


class TestParse:
    def test_paths_and_defaults(self) -> None:
        settings, problems = read(
            paths=["/", "/login", {"path": "/old", "status": 301}, {"path": "/x", "status": [404, 410]}]
        )
        assert problems == []
        assert settings == Settings(
            root="https://shop.example.com",
            routes=(Route("/"), Route("/login"), Route("/old", (301,)), Route("/x", (404, 410))),
            client=Client(10.0, 2, 2.0, {}, True, None),
        )
        assert routes.subjects(settings) == ("/", "/login", "/old", "/x")

    def test_everything_that_can_be_said(self) -> None:
        site = replace(SITE, verify=False, ca_file="/etc/pom/ca.pem")
        table = Table({"paths": ["/a?b=c"], "timeout": "3s", "attempts": 1, "headers": {"X-Key": "k"}}, "r", [])
        settings = parse(table, site)
        assert table.problems == []
        assert settings == Settings(
            ROOT,
            (Route("/a?b=c"),),
            Client(3.0, 1, 2.0, {"X-Key": "k"}, verify=False, ca_file="/etc/pom/ca.pem"),
        )

    @pytest.mark.parametrize(
        ("data", "mistake"),
        [
            ({}, 'targets.shop.routes.paths: missing; it must be a list like ["/", "/login"]'),
            ({"paths": []}, 'targets.shop.routes.paths: [] is not a list with at least one path, like ["/", "/login"]'),
            ({"paths": "/"}, "targets.shop.routes.paths: '/' is not a list"),
            ({"paths": [7]}, "targets.shop.routes.paths[0]: 7 is not a table"),
            ({"paths": ["/", "login"]}, "targets.shop.routes.paths[1]: 'login' is not a path like \"/login\""),
            ({"paths": [""]}, "targets.shop.routes.paths[0]: '' is not a path like \"/login\""),
            ({"paths": ["/a b"]}, "targets.shop.routes.paths[0]: '/a b' is not a path like \"/login\""),
            ({"paths": ["/a#b"]}, "targets.shop.routes.paths[0]: '/a#b' is not a path like \"/login\""),
            ({"paths": ["/a\r\nX: y"]}, "targets.shop.routes.paths[0]: '/a\\r\\nX: y' is not a path like \"/login\""),
            ({"paths": ["https://shop.example.com/"]},
             "targets.shop.routes.paths[0]: 'https://shop.example.com/' is not a path like \"/login\""),
            ({"paths": ["/a", {"path": "/a", "status": 301}]},
             "targets.shop.routes.paths[1]: '/a' is not a new path; give each path once"),
            ({"paths": [{"status": 301}]},
             "targets.shop.routes.paths[0].path: missing; it must be a path like \"/login\""),
            ({"paths": [{"path": "x"}]}, "targets.shop.routes.paths[0].path: 'x' is not a path like \"/login\""),
            *(
                ({"paths": [{"path": "/x", "status": status}]},
                 f"targets.shop.routes.paths[0].status: {status!r} is not an HTTP status like 301, or a list of them")
                for status in (99, 600, "301", [], [301, "302"], 301.0)
            ),
            ({"paths": [{"path": "/x", "staus": 301}]},
             "targets.shop.routes.paths[0].staus: unknown key (its value: 301); did you mean 'status'?"),
            ({"paths": ["/"], "attempts": 0}, "targets.shop.routes.attempts: 0 is not a whole number from 1 to 10"),
            ({"paths": ["/"], "timeout": "soon"}, "targets.shop.routes.timeout: 'soon' is not a duration like \"10s\""),
            ({"paths": ["/"], "path": "/"},
             "targets.shop.routes.path: unknown key (its value: '/'); did you mean 'paths'?"),
        ],
    )  # fmt: skip
    def test_a_mistake_is_named_with_its_place(self, data: dict[str, Any], mistake: str) -> None:
        assert read(**data)[1] == [mistake]

    @pytest.mark.parametrize(
        ("headers", "mistake"),
        [
            ({"A": "b\r\nc"}, '.A: not a header like Accept = "text/html"'),
            ({"A B": "c"}, '.A B: not a header like Accept = "text/html"'),
            ({"A": 1}, '.A: not a header like Accept = "text/html"'),
            ("A: b", ': not a table of HTTP headers like { Accept = "text/html" }'),
        ],
    )
    def test_a_header_that_cannot_be_one_is_a_mistake(self, headers: Any, mistake: str) -> None:
        assert read(paths=["/"], headers=headers)[1] == [f"targets.shop.routes.headers{mistake}"]

    def test_every_mistake_is_found_at_once(self) -> None:
        assert len(read(paths=["a", {"path": "b", "status": 0}, {"paht": "/"}])[1]) == 5

    def test_it_is_not_for_a_bare_url(self) -> None:
        assert not routes.adhoc(SITE)

    def test_the_budget_grows_with_the_paths_but_not_by_a_whole_timeout_each(self) -> None:
        twenty = tuple(Route(f"/{number}") for number in range(20))
        assert (
            replace(SETTINGS, client=Client(attempts=1)).budget
            < SETTINGS.budget
            < replace(SETTINGS, routes=twenty).budget
            < 110
        )


class TestJudging:
    @pytest.mark.parametrize(
        ("route", "code", "status"),
        [
            (Route("/"), 200, OPERATIONAL),
            (Route("/"), 204, OPERATIONAL),
            (Route("/"), 299, OPERATIONAL),
            (Route("/"), 301, ERROR),
            (Route("/"), 302, ERROR),
            (Route("/"), 304, ERROR),
            (Route("/"), 404, ERROR),
            (Route("/"), 500, ERROR),
            (Route("/"), 999, ERROR),
            (Route("/", (301,)), 301, OPERATIONAL),
            (Route("/", (301,)), 302, ERROR),
            (Route("/", (301,)), 200, ERROR),
            (Route("/", (200, 404)), 404, OPERATIONAL),
            (Route("/", (200, 404)), 204, ERROR),
        ],
    )
    def test_an_answer_is_as_expected_or_an_error(self, route: Route, code: int, status: Status) -> None:
        assert status_of(replace(GOOD, status=code), route) is status

    def test_an_expected_status_whose_body_is_cut_off_is_an_error(self) -> None:
        cut = replace(GOOD, flaw="the body was cut off")
        assert status_of(cut, Route("/")) is ERROR
        assert summarize(cut, Route("/"), ROOT) == "200, but the body was cut off"

    @pytest.mark.parametrize(
        ("fault", "status"),
        [
            (Fault("connect", "connection refused"), UNREACHABLE),
            (Fault("headers", "no answer within 10 s"), UNREACHABLE),
            (Fault("tls", "self-signed certificate", "certificate"), ERROR),
            (Fault("dns", "the resolver failed", "ours"), UNKNOWN),
        ],
    )
    def test_silence_is_unreachable_a_bad_certificate_an_error_and_our_own_faults_are_unknown(
        self, fault: Fault, status: Status
    ) -> None:
        finding = judge((Seen(fault, 2),), SETTINGS, {}, NOW)[0]
        assert (finding.status, finding.verdicts["route"].status) == (status, status)
        assert finding.answered is (fault.blame == "certificate")
        assert finding.latency_ms is None
        assert finding.detail == {"phase": fault.phase, "url": "https://shop.example.com/", "attempts": 2}

    @pytest.mark.parametrize(
        ("code", "location", "route", "summary"),
        [
            (200, "", Route("/"), "200 OK"),
            (404, "", Route("/"), "404 Not Found, not 2xx"),
            (302, "/login?next=%2F", Route("/"), "302 Found to /login, not 2xx"),
            (302, "https://shop.example.com/login?next=%2F", Route("/"), "302 Found to /login, not 2xx"),
            (302, "https://shop.example.com.test/", Route("/"), "302 Found to https://shop.example.com.test/, not 2xx"),
            (302, "https://id.example.com/a?b=c", Route("/"), "302 Found to https://id.example.com/a, not 2xx"),
            (302, "/caf\xc3\xa9", Route("/"), "302 Found to /café, not 2xx"),
            (302, "/\x1b[31m", Route("/"), "302 Found to / [31m, not 2xx"),
            (302, "", Route("/"), "302 Found, not 2xx"),
            (301, "/new", Route("/", (301,)), "301 Moved Permanently"),
            (200, "", Route("/", (301,)), "200 OK, not 301"),
            (200, "", Route("/", (301, 308)), "200 OK, not 301 or 308"),
            (521, "", Route("/"), "521 Web Server Is Down, not 2xx"),
        ],
    )  # fmt: skip
    def test_the_summary_says_what_came_and_what_was_to_come(
        self, code: int, location: str, route: Route, summary: str
    ) -> None:
        found = replace(GOOD, status=code, reason="Web Server Is Down", headers=[("Location", location)])
        assert summarize(found, route, ROOT) == summary

    @given(st.text(alphabet=st.characters(max_codepoint=255)))
    def test_whatever_a_location_says_the_summary_is_one_line(self, location: str) -> None:
        summary = summarize(replace(GOOD, status=302, headers=[("Location", location)]), Route("/"), ROOT)
        assert summary == clean(summary)
        assert len(summary) < 120

    def test_where_only_time_ran_out_the_phase_is_told(self) -> None:
        assert (
            summarize(Fault("headers", "no answer within 10 s"), Route("/"), ROOT) == "no answer within 10 s (headers)"
        )
        assert summarize(Fault("connect", "connection refused"), Route("/"), ROOT) == "connection refused"

    def test_an_expired_certificate_speaks_as_tls_expiry(self) -> None:
        finding = judge((Seen(Fault("tls", EXPIRED, "certificate")),), SETTINGS, {}, NOW)[0]
        assert finding.status is ERROR
        assert finding.verdicts == {"route": Verdict(UNKNOWN, EXPIRED), "tls-expiry": Verdict(ERROR, EXPIRED)}

    def test_a_finding_tells_what_was_seen(self) -> None:
        settings = replace(SETTINGS, routes=(Route("/find?key=secret"),))
        finding = judge((Seen(GOOD),), settings, {}, NOW)[0]
        assert finding.latency_ms == 150
        assert finding.answered
        assert finding.detail == {
            "http_status": 200,
            "address": "192.0.2.1",
            "url": "https://shop.example.com/find",
            "attempts": 1,
        }

    def test_an_alert_lists_the_paths_that_are_bad(self) -> None:
        settings = replace(SETTINGS, routes=(Route("/"), Route("/a"), Route("/b")))
        outcomes = (GOOD, replace(GOOD, status=404), Fault("headers", "no answer within 10 s"))
        findings = judge(tuple(map(Seen, outcomes)), settings, {}, NOW)
        states = {
            Key("shop", "routes", one.subject): State(one.status, NOW, NOW, one.summary, verdicts=one.verdicts)
            for one in findings
        }
        told = condition("shop", "route", states)
        assert (told.status, told.subjects) == (UNREACHABLE, ("/a", "/b"))
        assert told.summary == "2 of 3: /b: no answer within 10 s (headers); /a: 404 Not Found, not 2xx"

    @pytest.mark.parametrize("health", list(Status))
    def test_health_covers_it_where_it_is_unreachable_or_in_error(self, health: Status) -> None:
        state = State(health, NOW, NOW, "", known=health)
        assert routes.COVERED["route"](state) is (health in (UNREACHABLE, ERROR))


class TestLooking:
    def test_each_path_has_its_own_finding(self, server: WebServer) -> None:
        server.on("/", answer(200, b"hello"))
        server.on("/login", redirect("/login/", 301))
        server.on("/old", redirect("/new", 301))
        server.on("/broken", answer(500))
        server.on("/café", answer(200))
        server.on("/caf%C3%A9", answer(204))
        found = check(server, "/", "/login", Route("/old", (301,)), "/broken", "/gone", "/café", attempts=1)
        assert told(found) == {
            "/": (OPERATIONAL, "200 OK"),
            "/login": (ERROR, "301 Moved Permanently to /login/, not 2xx"),
            "/old": (OPERATIONAL, "301 Moved Permanently"),
            "/broken": (ERROR, "500 Internal Server Error, not 2xx"),
            "/gone": (ERROR, "404 Not Found, not 2xx"),
            "/café": (OPERATIONAL, "204 No Content"),
        }
        assert server.connections < len(found)

    def test_a_site_that_asks_for_patience_is_left_in_peace(self, server: WebServer) -> None:
        server.on("/", answer(429, b"", {"Retry-After": "60"}))
        assert told(check(server, "/", attempts=3)) == {"/": (UNKNOWN, "429 Too Many Requests: it asks for patience")}
        assert len(server.requests) == 1

    def test_redirects_are_not_followed(self, server: WebServer) -> None:
        server.on("/account", redirect("/login?next=/account"))
        server.on("/login", answer(200))
        assert told(check(server, "/account", attempts=1)) == {"/account": (ERROR, "302 Found to /login, not 2xx")}
        assert "/login" not in server.paths()

    def test_all_bad_paths_are_asked_again_and_only_they(self, server: WebServer) -> None:
        server.on("/", answer(200))
        server.on("/a", answer(502), answer(200))
        server.on("/b", answer(503), answer(200))
        server.on("/c", answer(404))
        found = check(server, "/", "/b", "/a", "/c")
        assert told(found) == {
            **dict.fromkeys(("/", "/b", "/a"), (OPERATIONAL, "200 OK")),
            "/c": (ERROR, "404 Not Found, not 2xx"),
        }
        assert server.paths() == ["/", "/b", "/a", "/c", "/b", "/a", "/c"]
        assert [found[path].detail["attempts"] for path in ("/", "/b", "/a", "/c")] == [1, 2, 2, 2]

    def test_a_kept_connection_that_was_closed_counts_as_no_attempt(self, server: WebServer) -> None:
        server.on("/", answer(200))
        server.on("/a", [CLOSE], answer(200))
        found = check(server, "/", "/a")
        assert [one.detail["attempts"] for one in found.values()] == [1, 1]
        assert found["/a"].status is OPERATIONAL

    def test_a_path_that_hangs_harms_no_other(self, server: WebServer) -> None:
        scripts: dict[str, Script] = {f"/{number}": answer(200) for number in range(8)}
        for path, script in scripts.items():
            server.on(path, script)
        server.on("/slow", [HANG])
        found = check(server, "/slow", *scripts, timeout_s=0.3)
        assert told(found) == {
            "/slow": (UNREACHABLE, "no answer within 0.3 s (headers)"),
            **dict.fromkeys(scripts, (OPERATIONAL, "200 OK")),
        }
        assert server.paths().count("/slow") == 2
        assert found["/slow"].answered is False

    def test_a_body_that_is_cut_off_is_an_error(self, server: WebServer) -> None:
        server.on("/", [head(200, {"Content-Length": "10"}) + b"hello", CLOSE])
        assert told(check(server, "/", attempts=1)) == {"/": (ERROR, "200, but the body was cut off")}

    def test_a_long_page_is_well(self, server: WebServer) -> None:
        server.on("/", answer(200, bytes(3 << 20)))
        assert told(check(server, "/")) == {"/": (OPERATIONAL, "200 OK")}
        assert len(server.requests) == 1

    def test_a_host_that_refuses_is_unreachable_at_every_path(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        settings = Settings(f"http://127.0.0.1:{port}", tuple(Route(f"/{n}") for n in range(20)), Client(pause_s=0.01))
        findings = judge(look(settings), settings, {}, NOW)
        assert [(one.status, one.summary) for one in findings] == [(UNREACHABLE, "connection refused")] * 20
        assert {one.detail["address"] for one in findings} == {"127.0.0.1"}

    def test_the_headers_of_the_config_go_along(self, server: WebServer) -> None:
        server.on("/", answer(200))
        check(server, "/", headers={"Authorization": "Bearer t"})
        assert server.requests[0].headers["authorization"] == "Bearer t"

    def test_https_is_judged_as_the_site_says(self, tmp_path: Any) -> None:
        own = authority("routes' own root")
        trusted = str(own.write_public(tmp_path / "ca.pem"))
        with WebServer(tls=issue(own)) as server:
            server.on("/", answer(200))
            unknown = "certificate's issuer is not known: an intermediate is missing, or a private CA"
            assert told(check(server, "/", attempts=1)) == {"/": (ERROR, unknown)}
            assert told(check(server, "/", attempts=1, verify=False)) == {"/": (OPERATIONAL, "200 OK")}
            assert told(check(server, "/", attempts=1, ca_file=trusted)) == {"/": (OPERATIONAL, "200 OK")}

    def test_it_keeps_to_the_shape_of_a_kind(self) -> None:
        kind = checks.load("routes")
        assert (tuple(kind.RUNBOOK), kind.INTERVAL, kind.NETWORK) == (("route",), None, True)
