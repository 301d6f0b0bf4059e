"""The request that the config describes, as health and routes send it, and what they expect of the answer."""

import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from certificates import authority, issue
from web_server import WebServer, answer, redirect

from pom_cli import checks
from pom_cli.config import targets
from pom_cli.model import DEGRADED, ERROR, OPERATIONAL, UNKNOWN, UNREACHABLE, Finding, Status
from pom_cli.toml.secrets import Secrets
from pom_cli.toml.table import Table

NOW = datetime(2026, 11, 24, 6, 40, tzinfo=UTC)
NONE = Secrets()


@pytest.fixture(params=["health", "routes"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def read(kind: str, url: str, keys: dict[str, Any], secrets: Secrets = NONE) -> tuple[Any, list[str]]:
    usual: dict[str, Any] = {"attempts": 1, "timeout": "5s"} | ({"paths": ["/"]} if kind == "routes" else {})
    table = Table({**usual, **keys}, f"targets.shop.{kind}", [])
    settings = checks.load(kind).parse(table, targets.site_of("shop", url, secrets=secrets, verify=False))
    table.finish()
    return settings, table.problems


def look(kind: str, url: str, secrets: Secrets = NONE, **keys: Any) -> Finding:
    """What a check of this URL with these keys finds."""
    settings, problems = read(kind, url, keys, secrets)
    assert problems == []
    module = checks.load(kind)
    return module.judge(module.look(settings), settings, {}, NOW)[0]


def told(finding: Finding) -> tuple[Status, str]:
    return finding.status, finding.summary


class TestTheRequest:
    def test_a_post_carries_its_body_and_its_length(self, kind: str, server: WebServer) -> None:
        server.on("/", answer(200))
        assert look(kind, server.url(), method="POST", body='{"q": "ü"}').status is OPERATIONAL
        (asked,) = server.requests
        assert (asked.method, asked.body, asked.headers["content-length"]) == ("POST", '{"q": "ü"}'.encode(), "11")

    def test_a_post_without_a_body_says_so(self, kind: str, server: WebServer) -> None:
        server.on("/", answer(200))
        assert look(kind, server.url(), method="POST").status is OPERATIONAL
        assert server.requests[0].headers["content-length"] == "0"  # RFC 9110, section 8.6

    def test_the_answer_to_head_has_no_body_whatever_its_length_says(self, kind: str, server: WebServer) -> None:
        server.on("/", answer(200, length=5000))
        assert told(look(kind, server.url(), method="HEAD")) == (OPERATIONAL, "200 OK")
        assert server.requests[0].method == "HEAD"

    @pytest.mark.parametrize(
        ("code", "method"), [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")]
    )
    def test_a_redirected_post_goes_on_as_in_browsers(self, code: int, method: str, server: WebServer) -> None:
        server.on("/", redirect("/there", code))
        server.on("/there", answer(200))
        assert look("health", server.url(), method="POST", body="x").status is OPERATIONAL
        assert (server.requests[1].method, server.requests[1].body) == (method, b"x" if method == "POST" else b"")

    def test_posts_never_share_a_connection_which_might_be_closing(self, server: WebServer) -> None:
        server.on("/a", answer(200))
        server.on("/b", answer(200))
        assert look("routes", server.url(), paths=["/a", "/b"], method="POST").status is OPERATIONAL
        assert server.connections == 2

    def test_it_connects_where_it_is_told_and_asks_for_the_site(self, kind: str) -> None:
        names: list[str | None] = []

        def adjust(context: ssl.SSLContext) -> None:
            context.sni_callback = lambda sock, name, context: names.append(name)

        with WebServer(tls=issue(authority(), hosts=["shop.example.com"]), adjust=adjust) as server:
            server.on("/", answer(200))
            found = look(kind, "https://shop.example.com/", connect_to=f"127.0.0.1:{server.port}")
            assert told(found) == (OPERATIONAL, "200 OK")
            assert server.requests[0].headers["host"] == "shop.example.com"
        assert names == ["shop.example.com"]

    @pytest.mark.parametrize("apart", [False, True])
    def test_a_client_certificate_is_shown_to_who_asks_for_it(self, kind: str, apart: bool, tmp_path: Path) -> None:
        monitor = issue(None, "monitor", (), ca=True)
        own, trusted = monitor.write(tmp_path / "client.pem"), monitor.write_public(tmp_path / "public.pem")
        keys = {"cert_file": str(trusted), "key_file": str(own)} if apart else {"cert_file": str(own)}

        def adjust(context: ssl.SSLContext) -> None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(trusted)

        with WebServer(tls=issue(authority()), adjust=adjust) as server:
            server.on("/", answer(200))
            assert told(look(kind, server.url(), **keys)) == (OPERATIONAL, "200 OK")
            assert look(kind, server.url()).status in (ERROR, UNREACHABLE)

    def test_a_key_that_does_not_fit_is_our_own_fault(self, kind: str, tmp_path: Path) -> None:
        one, other = (issue(authority()).write(tmp_path / f"{name}.pem") for name in "ab")
        with WebServer(tls=issue(authority())) as server:
            found = look(kind, server.url(), cert_file=str(one), key_file=str(other))
        assert told(found) == (UNKNOWN, f"cert_file {one} cannot be used: key values mismatch")


GIVEN = Secrets({"SHOP_TOKEN": "Bearer s3cr3t-t0ken"})
HEADERS = {"Authorization": "env:SHOP_TOKEN", "X-Plain": "environment"}


class TestSecrets:
    def test_a_header_is_read_from_the_environment(self, kind: str, server: WebServer) -> None:
        server.on("/", answer(200))
        assert look(kind, server.url(), GIVEN, headers=HEADERS).status is OPERATIONAL
        asked = server.requests[0].headers
        assert (asked["authorization"], asked["x-plain"]) == ("Bearer s3cr3t-t0ken", "environment")

    def test_what_echoes_it_is_shown_without_it(self, kind: str, server: WebServer) -> None:
        server.on("/", answer(302, "got Bearer s3cr3t-t0ken", {"Location": "/x/Bearer s3cr3t-t0ken"}))
        found = look(kind, server.url(), GIVEN, headers=HEADERS)
        assert found.status is ERROR
        assert "s3cr3t" not in f"{found.summary} {found.detail} {found.verdicts}"

    @pytest.mark.parametrize("secrets", [NONE, Secrets({"SHOP_TOKEN": "two\r\nlines: x"})])
    def test_without_it_nothing_is_asked_and_nothing_blamed(
        self, kind: str, server: WebServer, secrets: Secrets
    ) -> None:
        found = look(kind, server.url(), secrets, headers=HEADERS)
        assert told(found) == (UNKNOWN, "SHOP_TOKEN, which a header needs, is not set")
        assert server.requests == []


class TestWhatIsExpected:
    @pytest.mark.parametrize(
        ("keys", "status", "summary"),
        [
            ({"expect_not": ["Fatal error"]}, DEGRADED, '200, but the body contains "Fatal error"'),
            ({"expect_not": ["fatal"]}, OPERATIONAL, "200 OK"),
            ({"expect_headers": {"x-frame-options": ""}}, OPERATIONAL, "200 OK"),
            ({"expect_headers": {"x-frame-options": "DENY"}}, OPERATIONAL, "200 OK"),
            ({"expect_headers": {"x-frame-options": "SAMEORIGIN"}}, DEGRADED,
             '200, but the header x-frame-options is "DENY", not "SAMEORIGIN"'),
            ({"expect_headers": {"strict-transport-security": ""}}, DEGRADED,
             "200, but the header strict-transport-security is missing"),
            ({"max_latency": "1ms"}, DEGRADED, "200, but slower than 1ms"),
            ({"max_latency": "1h"}, OPERATIONAL, "200 OK"),
        ],
    )  # fmt: skip
    def test_an_answer_that_differs_is_degraded(
        self, kind: str, server: WebServer, keys: dict[str, Any], status: Status, summary: str
    ) -> None:
        server.on("/", [0.05, *answer(200, "<b>Fatal error</b>", {"X-Frame-Options": "DENY"})])
        assert told(look(kind, server.url(), **keys)) == (status, summary)

    def test_an_encoding_that_nobody_asked_for_hides_what_must_not_be_there(self, kind: str, server: WebServer) -> None:
        server.on("/", answer(200, b"\x0b\x02", {"Content-Encoding": "br"}))
        found = look(kind, server.url(), expect_not=["Fatal error"])
        assert found.status is UNKNOWN
        assert "encoded with br" in found.summary

    def test_what_is_certain_is_said_before_what_is_doubtful(self, server: WebServer) -> None:
        server.on("/", answer(200, b"\x0b\x02", {"Content-Encoding": "br"}))
        found = look("health", server.url(), expect_text="x", expect_headers={"server": ""})
        assert told(found) == (DEGRADED, "200, but the header server is missing")


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"method": "PUT"}, "method: 'PUT' is not one of GET, HEAD, POST"),
        ({"body": "x"}, "body: 'x' is not possible without method = \"POST\""),
        ({"method": "HEAD", "expect_not": ["x"]},
         "method: 'HEAD' is not possible where something is expected of the body, which the answer to HEAD lacks"),
        ({"expect_not": "x"}, "expect_not: 'x' is not a list of texts like [\"Fatal error\"]"),
        ({"expect_headers": {"a b": ""}},
         "expect_headers: {a b = ''} is not a table of headers like { server = \"nginx\" } (\"\": any value)"),
        ({"max_latency": "soon"}, "max_latency: 'soon' is not a duration like \"2s\""),
        ({"pause": "1d"}, "pause: '1d' is not between 0s and 5m"),
        ({"connect_to": "192.0.2.10"}, "connect_to: '192.0.2.10' is not an address like \"192.0.2.10:443\""),
        ({"cert_file": "/nowhere"}, "cert_file: '/nowhere' is not a file that can be read (No such file or directory)"),
        ({"cert_file": "/dev/null"},
         "cert_file: '/dev/null' is not a file with a certificate in PEM (no BEGIN CERTIFICATE in it)"),
        ({"cert_file": "", "key_file": ""}, None),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_what_would_be_right(kind: str, keys: dict[str, Any], problem: str | None) -> None:
    assert read(kind, "https://shop.example.com", keys)[1] == ([f"targets.shop.{kind}.{problem}"] if problem else [])


def test_a_key_without_its_certificate_is_a_mistake(kind: str, tmp_path: Path) -> None:
    key = issue(authority()).write(tmp_path / "client.pem")
    assert read(kind, "https://shop.example.com", {"key_file": str(key)})[1] == [
        f"targets.shop.{kind}.cert_file: missing; it must be the file of the certificate that key_file belongs to"
    ]
