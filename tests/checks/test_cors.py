import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from certificates import authority, issue
from cors_server import CorsServer, Fields, Request, Rule, always, application
from web_server import CLOSE, HANG, WebServer, answer, drip, endless, head

from pom_cli import checks
from pom_cli.alerting.states import condition
from pom_cli.checks import Site, cors
from pom_cli.checks.cors import Seen, Settings, judge, look, parse
from pom_cli.checks.cors.rules import Asked
from pom_cli.checks.cors.visit import PREFLIGHT, CorsRequest
from pom_cli.model import DEGRADED, ERROR, OPERATIONAL, UNKNOWN, UNREACHABLE, Finding, Key, State, Status, Verdict
from pom_cli.net.client import Client
from pom_cli.net.exchange import Answer
from pom_cli.net.faults import EXPIRED, Fault
from pom_cli.toml.table import Table

NOW = datetime(2026, 11, 24, 6, 40, tzinfo=UTC)
SITE = Site("shop", "https://shop.example.com/start", "https", "shop.example.com", 443, timedelta(minutes=5))
APP, EVIL = "https://app.example.com", "https://evil.example"
AN_ORIGIN = 'an origin like "https://app.example.com": lower case, no path, no slash at the end, no usual port'
SETTINGS = Settings("https://shop.example.com/api?key=k", APP)


def read(**data: Any) -> tuple[Settings, list[str]]:
    """What a `cors` table gives, and its mistakes."""
    table = Table(data, "targets.shop.cors", [])
    settings = parse(table, SITE)
    table.finish()
    return settings, table.problems


def check(url: str, **more: Any) -> dict[str, Finding]:
    """What looking at this URL, and judging it, gives, by origin."""
    own = {key: more.pop(key) for key in ("attempts", "pause_s", "timeout_s", "verify", "ca_file") if key in more}
    client = Client(**{"timeout_s": 5.0, "pause_s": 0.01, **own})
    settings = Settings(**{"url": url, "origin": APP, "client": client, **more})
    return {finding.subject: finding for finding in judge(look(settings), settings, {}, NOW)}


def ask(rule: Rule, **more: Any) -> dict[str, tuple[Status, str]]:
    """Status and summary by origin, of a server with this rule."""
    with CorsServer(rule) as server:
        return told(check(server.url("/api"), **more))


def told(findings: dict[str, Finding]) -> dict[str, tuple[Status, str]]:
    return {origin: (finding.status, finding.summary) for origin, finding in findings.items()}


class TestParse:
    def test_an_origin_is_all_that_it_needs(self) -> None:
        settings, problems = read(origin=APP)
        assert problems == []
        assert settings == Settings("https://shop.example.com/start", APP)
        assert cors.subjects(settings) == (APP,)

    def test_everything_that_can_be_said(self) -> None:
        data = {
            "path": "/api/health",
            "origin": APP,
            "method": "PUT",
            "headers": ["Authorization", "x-b"],
            "credentials": True,
            "refuse": [EVIL, "null", EVIL],
            "timeout": "3s",
            "attempts": 1,
        }
        table = Table(data, "c", [])
        settings = parse(table, replace(SITE, verify=False, ca_file="/etc/pom/ca.pem"))
        table.finish()
        assert table.problems == []
        assert settings == Settings(
            url="https://shop.example.com/api/health",
            origin=APP,
            method="PUT",
            headers=("authorization", "x-b"),
            credentials=True,
            refuse=(EVIL, "null"),
            client=Client(3.0, 1, verify=False, ca_file="/etc/pom/ca.pem"),
        )
        assert cors.subjects(settings) == (APP, EVIL, "null")

    @pytest.mark.parametrize(
        ("data", "mistake"),
        [
            ({}, f"targets.shop.cors.origin: missing; it must be {AN_ORIGIN}"),
            ({"origin": "app.example.com"}, f"targets.shop.cors.origin: 'app.example.com' is not {AN_ORIGIN}"),
            ({"origin": f"{APP}/"}, f"targets.shop.cors.origin: '{APP}/' is not {AN_ORIGIN}"),
            ({"origin": "*"}, f"targets.shop.cors.origin: '*' is not {AN_ORIGIN}"),
            ({"origin": APP, "refuse": [EVIL, "evil"]},
             f"targets.shop.cors.refuse: ['{EVIL}', 'evil'] is not a list of origins, each {AN_ORIGIN}"),
            ({"origin": APP, "refuse": [APP]},
             f"targets.shop.cors.refuse: ['{APP}'] is not possible: '{APP}' is the origin that must be allowed"),
            ({"origin": APP, "method": "PUTS"},
             "targets.shop.cors.method: 'PUTS' is not one of GET, HEAD, POST, PUT, PATCH, DELETE; did you mean 'PUT'?"),
            ({"origin": APP, "path": "api"}, "targets.shop.cors.path: 'api' is not a path like \"/api/health\""),
            ({"origin": APP, "method": "GET", "refused": []},
             "targets.shop.cors.refused: unknown key (its value: []); did you mean 'refuse'?"),
        ],
    )  # fmt: skip
    def test_a_mistake_is_named_with_its_place(self, data: dict[str, Any], mistake: str) -> None:
        assert read(**data)[1] == [mistake]

    @pytest.mark.parametrize("headers", [["cookie"], ["x-a", "sec-fetch-mode"], ["x a"], [""], "x-a", [1]])
    def test_a_header_that_no_page_can_set_is_a_mistake(self, headers: Any) -> None:
        (mistake,) = read(origin=APP, headers=headers)[1]
        assert mistake.startswith("targets.shop.cors.headers: ")
        assert mistake.endswith(' is not a list of headers that a page may set, like "authorization"')

    def test_path_and_url_exclude_each_other(self) -> None:
        assert len(read(origin=APP, path="/api", url="https://api.example.com/")[1]) == 1

    def test_it_is_not_for_a_bare_url(self) -> None:
        assert not cors.adhoc(SITE)

    def test_it_keeps_to_the_shape_of_a_kind(self) -> None:
        kind = checks.load("cors")
        assert tuple(kind.RUNBOOK) == ("cors",)
        assert kind.INTERVAL and kind.INTERVAL.total_seconds() == 3600
        assert kind.NETWORK

    def test_the_budget_counts_every_origin_and_attempt(self) -> None:
        assert replace(SETTINGS, refuse=(EVIL, "null")).budget == 62.0

    @pytest.mark.parametrize("health", list(Status))
    def test_health_covers_it_where_it_is_unreachable_or_in_error(self, health: Status) -> None:
        known = None if health is UNKNOWN else health
        state = State(health, NOW, NOW, "", known=known, verdicts={"health": Verdict(health, "")})
        assert cors.COVERED["cors"](state) is (health in (UNREACHABLE, ERROR))


class TestWhatIsSent:
    def test_a_true_preflight_and_then_the_request(self) -> None:
        with CorsServer(application([APP], headers="authorization, x-a")) as server:
            found = check(server.url("/api?v=1"), headers=("x-a", "authorization"))
        assert told(found) == {APP: (OPERATIONAL, "allowed")}
        first, second = server.requests
        assert (first.method, first.path) == ("OPTIONS", "/api?v=1")
        assert first.headers["origin"] == APP
        assert first.headers["access-control-request-method"] == "GET"
        assert first.headers["access-control-request-headers"] == "authorization,x-a"
        assert first.headers["accept"] == "*/*"
        assert (second.method, second.path, second.headers["origin"]) == ("GET", "/api?v=1", APP)
        assert not {"cookie", "authorization", "x-a", "access-control-request-method"} & set(second.headers)

    def test_each_origin_gets_its_own(self) -> None:
        with CorsServer(application([APP])) as server:
            assert told(check(server.url(), refuse=(EVIL, "null"))) == {
                APP: (OPERATIONAL, "allowed"),
                EVIL: (OPERATIONAL, "refused"),
                "null": (OPERATIONAL, "refused"),
            }
        assert server.sent() == [(m, origin) for origin in (APP, EVIL, "null") for m in ("OPTIONS", "GET")]

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
    def test_nothing_that_changes_anything(self, method: str) -> None:
        with CorsServer(application([APP], methods=method)) as server:
            assert told(check(server.url(), method=method, refuse=(EVIL,))) == {
                APP: (OPERATIONAL, f"allowed; {method} itself is not sent"),
                EVIL: (OPERATIONAL, "refused"),
            }
        assert {one for one, _ in server.sent()} == {"OPTIONS"}


class TestServers:
    """Servers as they are met in practice."""

    def test_an_open_api(self) -> None:
        rule = always(200, {"Access-Control-Allow-Origin": "*"})
        assert ask(rule) == {APP: (OPERATIONAL, "allowed")}
        told = "Access-Control-Allow-Origin is *, which is void with credentials"
        assert ask(rule, credentials=True) == {APP: (ERROR, f"preflight: {told}")}
        assert ask(rule, headers=("authorization",)) == {
            APP: (ERROR, "preflight: authorization not in Access-Control-Allow-Headers")
        }

    def test_an_api_for_one_origin_with_credentials(self) -> None:
        rule = application([APP], headers="authorization", credentials=True)
        settings: dict[str, Any] = {"credentials": True, "headers": ("authorization",)}
        assert ask(rule, **settings) == {APP: (OPERATIONAL, "allowed")}
        assert ask(application([APP], headers="authorization"), **settings) == {
            APP: (ERROR, "preflight: no Access-Control-Allow-Credentials")
        }

    def test_one_that_echoes_whatever_origin_comes(self) -> None:
        def echo(request: Request) -> tuple[int, Fields]:
            return 200, [("Access-Control-Allow-Origin", request.headers.get("origin", "*")), ("Vary", "Origin")]

        assert ask(echo, refuse=(EVIL,)) == {
            APP: (OPERATIONAL, "allowed"),
            EVIL: (ERROR, f"allowed, and must not be: preflight gives Access-Control-Allow-Origin: {EVIL}"),
        }

    def test_one_that_lets_in_every_name_that_begins_alike(self) -> None:
        def prefix(request: Request) -> tuple[int, Fields]:
            origin = request.headers.get("origin", "")
            return 200, [("Access-Control-Allow-Origin", origin)] if origin.startswith(APP) else []

        found = ask(prefix, refuse=(f"{APP}.evil.example", EVIL))
        assert [status for status, _ in found.values()] == [DEGRADED, ERROR, OPERATIONAL]

    def test_one_that_forgets_vary(self) -> None:
        told = "allowed, but GET lacks Vary: Origin: a cache may hand its answer to other origins"
        assert ask(application([APP], vary=False)) == {APP: (DEGRADED, told)}

    def test_one_that_names_its_one_origin_to_everybody(self) -> None:
        rule = always(200, {"Access-Control-Allow-Origin": APP})
        assert ask(rule, refuse=(EVIL,)) == {APP: (OPERATIONAL, "allowed"), EVIL: (OPERATIONAL, "refused")}

    def test_one_whose_proxy_and_application_both_add_the_header(self) -> None:
        twice = [("Access-Control-Allow-Origin", "*"), ("Access-Control-Allow-Origin", APP)]
        told = f"preflight: Access-Control-Allow-Origin is *, {APP}, which is more than one"
        assert ask(always(200, twice)) == {APP: (ERROR, told)}

    def test_one_that_knows_no_options(self) -> None:
        def rule(request: Request) -> tuple[int, Fields]:
            return 405 if request.method == "OPTIONS" else 200, [("Access-Control-Allow-Origin", "*")]

        assert ask(rule) == {APP: (ERROR, "preflight: 405 Method Not Allowed")}

    def test_one_that_redirects_the_preflight(self) -> None:
        told = "preflight: 301 Moved Permanently, and a preflight follows no redirect"
        with CorsServer(always(301, {"Location": "/api/", "Access-Control-Allow-Origin": "*"})) as server:
            assert told_of(server) == (ERROR, told)
        assert len(server.requests) == 1

    def test_one_that_redirects_the_request(self) -> None:
        def rule(request: Request) -> tuple[int, Fields]:
            fields = [("Access-Control-Allow-Origin", "*")]
            moved = request.path == "/api" and not request.preflight
            return (307, [*fields, ("Location", "/api/")]) if moved else (200, fields)

        with CorsServer(rule) as server:
            assert told_of(server) == (OPERATIONAL, "allowed")
        assert [(one.method, one.path) for one in server.requests] == [
            ("OPTIONS", "/api"),
            ("GET", "/api"),
            ("GET", "/api/"),
        ]

    def test_one_that_shares_only_its_preflight(self) -> None:
        def rule(request: Request) -> tuple[int, Fields]:
            return 200, [("Access-Control-Allow-Origin", APP)] if request.preflight else []

        assert ask(rule) == {APP: (ERROR, "GET: no Access-Control-Allow-Origin")}

    def test_a_head_request(self) -> None:
        assert ask(application([APP]), method="HEAD") == {APP: (OPERATIONAL, "allowed")}


def told_of(server: CorsServer) -> tuple[Status, str]:
    return told(check(server.url("/api")))[APP]


class TestTrouble:
    def test_a_5xx_is_asked_again_before_it_counts(self) -> None:
        answers = [502, 204, 200]
        with CorsServer(lambda _: (answers.pop(0), [("Access-Control-Allow-Origin", "*")])) as server:
            found = check(server.url())
        assert told(found) == {APP: (OPERATIONAL, "allowed")}
        assert found[APP].detail["attempts"] == 2

    def test_one_that_stays_is_an_error(self) -> None:
        with CorsServer(always(503)) as server:
            assert told(check(server.url())) == {APP: (ERROR, "preflight: 503 Service Unavailable")}
        assert len(server.requests) == 2

    def test_what_is_refused_is_not_asked_again(self) -> None:
        with CorsServer(always(200)) as server:
            check(server.url(), refuse=(EVIL,))
        assert len(server.requests) == 3

    def test_silence_is_unreachable(self, server: WebServer) -> None:
        server.on("/", [HANG])
        found = check(server.url(), timeout_s=0.3, attempts=1)
        assert told(found) == {APP: (UNREACHABLE, "preflight: no answer within 0.3 s (headers)")}
        assert found[APP].answered is False
        assert found[APP].latency_ms is None

    def test_one_timeout_is_for_the_whole_visit(self, server: WebServer) -> None:
        allow = {"Access-Control-Allow-Origin": "*", "Content-Length": "0"}
        server.on("/", [head(204, {"Access-Control-Allow-Origin": "*"})], drip(head(200, allow), 0.05))
        found = check(server.url(), timeout_s=0.4, attempts=1)
        assert told(found) == {APP: (UNREACHABLE, "GET: no complete answer within 0.4 s (headers)")}
        assert found[APP].answered is True

    def test_a_host_that_refuses_is_asked_once_a_round(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        found = check(f"http://127.0.0.1:{port}/", refuse=(EVIL, "null"))
        assert told(found) == dict.fromkeys((APP, EVIL, "null"), (UNREACHABLE, "connection refused"))
        assert [(origin, one.detail["origin"]) for origin, one in found.items()] == [
            (APP, APP), (EVIL, EVIL), ("null", "null"),
        ]  # fmt: skip

    def test_an_endless_answer_is_an_answer(self, server: WebServer) -> None:
        server.on("/", endless(head(200, {"Access-Control-Allow-Origin": "*"})))
        assert told(check(server.url())) == {APP: (OPERATIONAL, "allowed")}

    def test_a_connection_closed_on_a_refused_origin_is_no_answer(self, server: WebServer) -> None:
        allow = answer(200, b"", {"Access-Control-Allow-Origin": APP, "Vary": "Origin"})
        server.on("/", allow, allow, [CLOSE])
        found = check(server.url(), refuse=(EVIL,), attempts=1)
        assert found[APP].status is OPERATIONAL
        assert (found[EVIL].status, found[EVIL].answered) == (UNREACHABLE, False)

    def test_https_is_judged_as_the_site_says(self, tmp_path: Path) -> None:
        own = authority("cors' own root")
        trusted = str(own.write_public(tmp_path / "ca.pem"))
        with WebServer(tls=issue(own)) as server:
            server.on("/", answer(200, b"", {"Access-Control-Allow-Origin": "*"}))
            bad = check(server.url(), attempts=1)[APP]
            assert (bad.status, bad.answered) == (ERROR, True)
            assert bad.summary.startswith("certificate's issuer is not known")
            assert told(check(server.url(), verify=False)) == {APP: (OPERATIONAL, "allowed")}
            assert told(check(server.url(), ca_file=trusted)) == {APP: (OPERATIONAL, "allowed")}


class TestJudging:
    def test_a_finding_tells_what_was_sent_and_what_came_back(self) -> None:
        with CorsServer(application([APP], headers="authorization", credentials=True)) as server:
            found = check(server.url("/api?key=secret"), headers=("authorization",), credentials=True)[APP]
        assert found.latency_ms is not None
        assert found.detail == {
            "step": "GET",
            "url": server.url("/api"),
            "origin": APP,
            "method": "GET",
            "headers": ["authorization"],
            "credentials": True,
            "http_status": 200,
            "address": "127.0.0.1",
            "allow_origin": APP,
            "allow_credentials": "true",
            "vary": "Origin",
            "allow_methods": "GET, POST",
            "allow_headers": "authorization",
            "attempts": 1,
        }

    def test_an_expired_certificate_speaks_as_tls_expiry(self) -> None:
        seen = Seen(((CorsRequest(PREFLIGHT, SETTINGS.url, Asked(APP), Fault("tls", EXPIRED, "certificate")),),))
        finding = judge(seen, SETTINGS, {}, NOW)[0]
        assert finding.status is ERROR
        assert finding.verdicts == {"cors": Verdict(UNKNOWN, EXPIRED), "tls-expiry": Verdict(ERROR, EXPIRED)}

    def test_our_own_faults_are_unknown(self) -> None:
        fault = Fault("dns", "the resolver failed", "ours")
        finding = judge(Seen(((CorsRequest(PREFLIGHT, SETTINGS.url, Asked(APP), fault),),)), SETTINGS, {}, NOW)[0]
        assert (finding.status, finding.verdicts["cors"].status, finding.answered) == (UNKNOWN, UNKNOWN, False)
        assert finding.detail["phase"] == "dns"

    def test_what_a_server_says_is_made_safe(self) -> None:
        nasty = Answer(
            200, "", [("Access-Control-Allow-Origin", "\x1b[31m" + "x" * 999)], b"", SETTINGS.url, "", 1, 1, 1, 1, 1
        )
        finding = judge(Seen(((CorsRequest(PREFLIGHT, SETTINGS.url, Asked(APP), nasty),),)), SETTINGS, {}, NOW)[0]
        assert finding.summary.isprintable()
        assert len(finding.summary) < 200
        assert finding.detail["allow_origin"].isprintable()

    def test_an_alert_lists_the_origins_that_are_wrong(self) -> None:
        with CorsServer(always(200, {"Access-Control-Allow-Origin": "*"})) as server:
            found = check(server.url(), refuse=(EVIL,))
        states = {
            Key("shop", "cors", one.subject): State(one.status, NOW, NOW, one.summary, verdicts=one.verdicts)
            for one in found.values()
        }
        told = condition("shop", "cors", states)
        assert (told.status, told.subjects) == (ERROR, (EVIL,))
        assert told.summary == (
            f"1 of 2: {EVIL}: allowed, and must not be: preflight gives Access-Control-Allow-Origin: *"
        )
