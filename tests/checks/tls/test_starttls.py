"""Servers of other protocols that go over to TLS. The dialogues are those of RFC 3207, 3501, 2595 and PostgreSQL's."""

import socket
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from tls_look import LONG, leaf
from web_server import CLOSE, WebServer

from pom_cli.checks import tls
from pom_cli.config.targets import site_of
from pom_cli.model import ERROR, OPERATIONAL, UNREACHABLE, Finding
from pom_cli.toml.table import Table


def hears(expected: bytes) -> Callable[[socket.socket], None]:
    def step(sock: socket.socket) -> None:
        said = sock.recv(1000)
        if said != expected:
            sock.sendall(b"500 " + said)

    return step


EHLO, STARTTLS = hears(b"EHLO [127.0.0.1]\r\n"), hears(b"STARTTLS\r\n")
SMTP = [b"220-mail\r\n220 here\r\n", EHLO, b"250-mail\r\n250 STARTTLS\r\n", STARTTLS, b"220 go\r\n"]
IMAP = [b"* OK ready\r\n", hears(b"a STARTTLS\r\n"), b"* CAPABILITY IMAP4\r\na OK go\r\n"]
POP3 = [b"+OK ready\r\n", hears(b"STLS\r\n"), b"+OK go\r\n"]
POSTGRES = [hears(b"\x00\x00\x00\x08\x04\xd2\x16\x2f"), b"S"]


def found(scheme: str, greeting: list[Any], certificate: Any = None, **more: Any) -> Finding:
    with WebServer(tls=certificate or leaf(), greeting=greeting) as server:
        host = ("127.0.0.1", server.port, scheme)
        settings = tls.Settings(hosts=(host,), **{"timeout_s": LONG, **more})
        return tls.judge(tls.look(settings), settings, {}, datetime.now(UTC))[0]


@pytest.mark.parametrize(
    ("scheme", "greeting"), [("smtp", SMTP), ("imap", IMAP), ("pop3", POP3), ("postgres", POSTGRES)]
)
def test_its_certificate_is_judged_as_any_other(scheme: str, greeting: list[Any], roots: str) -> None:
    assert found(scheme, greeting, ca_file=roots).status is OPERATIONAL
    wrong = found(scheme, greeting, leaf("other.example.com"), ca_file=roots)
    assert (wrong.status, wrong.summary) == (ERROR, "wrong host: the certificate is for other.example.com")


@pytest.mark.parametrize(
    ("scheme", "greeting", "told"),
    [
        ("smtp", [b"554 no\r\n", CLOSE], "it says '554 no'"),
        ("smtp", [b"220 x\r\n", EHLO, b"250 x\r\n", STARTTLS, b"454 not now\r\n", CLOSE], "it says '454 not now'"),
        ("imap", [b"* OK x\r\n", hears(b"a STARTTLS\r\n"), b"a BAD unknown\r\n", CLOSE], "it says 'a BAD unknown'"),
        ("pop3", [b"+OK x\r\n", hears(b"STLS\r\n"), b"-ERR no\r\n", CLOSE], "it says '-ERR no'"),
        ("postgres", [hears(b"\x00\x00\x00\x08\x04\xd2\x16\x2f"), b"N", CLOSE], "it says 'N'"),
        ("smtp", [b"220-again\r\n" * 200, CLOSE], "no end of its answer"),
        ("smtp", [b"220 " + b"x" * 20_000, CLOSE], "no end of its answer"),
        ("pop3", [CLOSE], "it says nothing"),
    ],
)
def test_a_server_that_does_not_go_along_is_an_error(scheme: str, greeting: list[Any], told: str) -> None:
    one = found(scheme, greeting)
    assert (one.status, one.summary) == (ERROR, f"no TLS by STARTTLS: {told}")


def test_silence_is_unreachable() -> None:
    assert found("smtp", [30.0], timeout_s=0.4).status is UNREACHABLE


class TestConfig:
    def parsed(self, *hosts: str) -> tuple[tuple[str, ...], list[str]]:
        table = Table({"hosts": list(hosts)}, "targets.shop.tls", [])
        return tls.subjects(tls.parse(table, site_of("shop", "http://shop.example.com"))), table.problems

    def test_the_port_is_the_protocols_own_unless_it_is_given(self) -> None:
        hosts = ("smtp://mail.example.com", "imap://mail.example.com:1143", "pop3://[::1]", "postgres://db.example.com")
        assert self.parsed(*hosts) == (
            ("smtp://mail.example.com:25", hosts[1], "pop3://[::1]:110", "postgres://db.example.com:5432"),
            [],
        )

    @pytest.mark.parametrize("host", ["https://www.example.com", "ftp://example.com", "smtp://", "smtp://a/b"])
    def test_other_schemes_are_mistakes(self, host: str) -> None:
        assert len(self.parsed(host)[1]) == 1

    def test_the_runbook_s_command_speaks_the_protocol(self) -> None:
        facts = tls.RUNBOOK["tls-failed"].facts("smtp://mail.example.com:25", {})
        assert facts == {"connect": "mail.example.com:25", "name": "mail.example.com", "port": "25", "starttls": "smtp"}
