"""Looking at real TLS servers on loopback as the tls kind does, for its tests."""

import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from certificates import Issued, authority, issue
from web_server import WebServer

from pom_cli.checks import tls
from pom_cli.model import Finding, Past, Status
from pom_cli.net import net

SOON = 0.4  # seconds: a deadline that the test waits for
LONG = 20.0  # seconds: one that it must never wait for


@cache
def middle(name: str = "PoM test intermediate", days: float = 900) -> Issued:
    return issue(authority(), name, (), ca=True, age=1000, days=days, organisation="Middle Ltd")


def leaf(*hosts: str, issuer: Issued | None = None, sent: bool = True, **more: Any) -> Issued:
    """A certificate of the test intermediate, which is sent along."""
    above = issuer or middle()
    return issue(above, hosts=hosts or ("localhost", "127.0.0.1"), sent=[above] if sent else [], **more)


def findings(settings: tls.Settings, past: Mapping[str, Past] | None = None) -> list[Finding]:
    return tls.judge(tls.look(settings), settings, past or {}, datetime.now(UTC))


def finding(server: WebServer, host: str = "localhost", past: Past | None = None, **more: Any) -> Finding:
    """What is found of one host at this server. Its name leads to 127.0.0.1 unless a test has it resolve."""
    settings = tls.Settings(hosts=((host, server.port),), **{"timeout_s": LONG, **more})
    [found] = findings(settings, {tls.subject((host, server.port)): past} if past else None)
    return found


def resolving(monkeypatch: pytest.MonkeyPatch, *places: tuple[str, int]) -> None:
    """Every name leads to these places."""
    addresses = [net.Address(socket.AF_INET6 if ":" in ip else socket.AF_INET, (ip, port)) for ip, port in places]
    monkeypatch.setattr(net, "resolve", lambda host, port, deadline: addresses)


def verdicts(found: Finding) -> dict[str, Status]:
    return {alert: verdict.status for alert, verdict in found.verdicts.items()}


def server_hello() -> bytes:
    """The beginning of a TLS 1.2 handshake (RFC 5246, 7.4.1.3), with ECDHE-ECDSA-AES128-GCM-SHA256."""
    body = b"\x03\x03" + bytes(32) + b"\x00\xc0\x2b\x00" + b"\x00\x05\xff\x01\x00\x01\x00"
    return _record(b"\x02" + len(body).to_bytes(3) + body)


def certificate_message(der: bytes) -> bytes:
    """The message that carries a server's certificate (RFC 5246, 7.4.2)."""
    chain = len(der).to_bytes(3) + der
    body = len(chain).to_bytes(3) + chain
    return _record(b"\x0b" + len(body).to_bytes(3) + body)


def _record(message: bytes) -> bytes:
    return b"\x16\x03\x03" + len(message).to_bytes(2) + message
