"""port: against a real sshd, a mail server, a closed port, one that hangs and one that says nothing."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import ssh_server
from conftest import Pom
from smtp_server import DRIP, DROP, SmtpServer
from ssh_server import SshServer

from pom_cli import config
from pom_cli.checks import port
from pom_cli.checks.port import Observation, Port, Settings
from pom_cli.errors import ConfigError
from pom_cli.model import Finding
from pom_cli.net.faults import Fault

NOW = datetime(2026, 11, 24, 6, 40, tzinfo=UTC)


def found(*ports: Port, timeout_s: float = 2.0) -> list[Finding]:
    settings = Settings(ports, timeout_s=timeout_s, pause_s=0)
    return port.judge(port.look(settings), settings, {}, NOW)


@contextmanager
def listening(backlog: int = 5) -> Iterator[int]:
    """A port whose listener never accepts, and so never says anything."""
    with socket.create_server(("127.0.0.1", 0), backlog=backlog) as server:
        yield server.getsockname()[1]


@contextmanager
def closed() -> Iterator[int]:
    """A port that nobody listens on, and that nobody else gets meanwhile."""
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))
        yield kept.getsockname()[1]


@contextmanager
def full() -> Iterator[int]:
    """A port that answers no further connection: its queue is full."""
    with listening(backlog=0) as number:
        waiting = [socket.socket() for _ in range(4)]
        try:
            for each in waiting:
                each.setblocking(False)
                each.connect_ex(("127.0.0.1", number))
            yield number
        finally:
            for each in waiting:
                each.close()


@pytest.mark.skipif(bool(ssh_server.ABSENT), reason=ssh_server.ABSENT or "sshd is here")
def test_an_sshd_connects_and_says_who_it_is(tmp_path: Path) -> None:
    with SshServer(tmp_path / "ssh") as server:
        [finding] = found(Port("127.0.0.1", server.port, "SSH-2.0-"))
    assert (finding.status, finding.subject) == ("operational", f"127.0.0.1:{server.port}")
    assert finding.summary.startswith("SSH-2.0-OpenSSH")


def test_a_mail_server_says_220() -> None:
    with SmtpServer() as server:
        [finding] = found(Port("127.0.0.1", server.port, "220"))
    assert (finding.status, finding.summary) == ("operational", "220 stand-in ESMTP")
    assert finding.latency_ms is not None


def test_a_mail_server_that_says_554_has_the_wrong_banner() -> None:
    with SmtpServer(answers={"CONNECT": ["554 go away"] * 2}) as server:
        [finding] = found(Port("127.0.0.1", server.port, "220"))
    assert (finding.status, finding.summary) == ("error", "it says '554 go away', not '220'")


def test_what_failed_once_is_tried_again_before_it_counts() -> None:
    with SmtpServer(answers={"CONNECT": [DROP]}) as server:
        [finding] = found(Port("127.0.0.1", server.port, "220"))
    assert finding.status == "operational"


def test_a_banner_that_drips_is_waited_for_until_the_deadline_alone() -> None:
    with SmtpServer(answers={"CONNECT": [DRIP] * 2}) as server:
        [finding] = found(Port("127.0.0.1", server.port, "550 "), timeout_s=0.5)
    assert finding.status == "error"


def test_without_a_banner_a_connection_is_enough() -> None:
    with listening() as number:
        [finding] = found(Port("127.0.0.1", number))
    assert (finding.status, finding.summary) == ("operational", "connected")


def test_a_service_that_says_nothing_is_an_error_where_a_banner_is_expected() -> None:
    with listening() as number:
        [finding] = found(Port("127.0.0.1", number, "SSH-"), timeout_s=0.3)
    assert (finding.status, finding.summary) == ("error", "connected, but it says nothing; expected 'SSH-'")


def test_a_closed_port_is_unreachable_and_the_others_are_judged_all_the_same() -> None:
    with closed() as none, listening() as number:
        first, second = found(Port("127.0.0.1", none), Port("127.0.0.1", number))
    assert (first.status, first.summary, first.detail["phase"]) == ("unreachable", "connection refused", "connect")
    assert second.status == "operational"


def test_a_port_that_hangs_is_unreachable_by_its_deadline() -> None:
    with full() as number:
        [finding] = found(Port("127.0.0.1", number), timeout_s=0.3)
    assert (finding.status, finding.summary) == ("unreachable", "no answer within 0.3 s")


def test_a_resolver_that_fails_is_unknown() -> None:
    fault = Fault("dns", "the resolver failed: try again", "ours")
    settings = Settings((Port("mail.example.com", 25),))
    [finding] = port.judge({"mail.example.com:25": Observation(fault)}, settings, {}, NOW)
    assert (finding.status, finding.verdicts["port"].status) == ("unknown", "unknown")


def parsed(toml: str) -> Settings:
    text = f'[targets.shop]\nurl = "http://shop.example"\n[targets.shop.port]\n{toml}'
    settings = config.parse(text, Path("/x/pom.toml"), {"HOME": "/"}).targets["shop"].checks["port"].settings
    assert isinstance(settings, Settings)
    return settings


def test_addresses_are_read_with_and_without_a_banner() -> None:
    settings = parsed(
        'ports = ["[::1]:22", { at = "MAIL.example.com:25", banner = "220" }, "[::1]:22"]\ntimeout = "3s"'
    )
    assert settings.ports == (Port("::1", 22), Port("mail.example.com", 25, "220"))
    assert port.subjects(settings) == ("[::1]:22", "mail.example.com:25")
    assert settings.timeout_s == 3


@pytest.mark.parametrize(
    ("toml", "problem"),
    [
        ("", 'targets.shop.port.ports: missing; it must be a list like ["192.0.2.10:22"]'),
        ('ports = ["mail.example.com"]', "'mail.example.com' is not an address like \"192.0.2.10:22\""),
        ("ports = []", 'is not a list with at least one address, like ["192.0.2.10:22"]'),
        ('ports = [{ banner = "220" }]', "ports[0].at: missing"),
        ('ports = ["192.0.2.10:0"]', "'192.0.2.10:0' is not an address"),
    ],
)
def test_a_mistake_is_one_clear_line(toml: str, problem: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parsed(toml)
    assert problem in str(raised.value)


def test_a_closed_port_is_told_with_its_steps_everywhere(pom: Pom, tmp_path: Path) -> None:
    with closed() as number:
        text = f"""
[instance]
data_dir = "{tmp_path}"
[offline]
witnesses = []
[targets.shop]
url = "http://127.0.0.1:9"
health = false
port = {{ ports = ["127.0.0.1:{number}"], pause = "0s" }}
"""
        ran = pom("check", "port", config=text)
    assert ran.code == 1
    assert f"127.0.0.1:{number}" in ran.out and "connection refused" in ran.out
    assert f"nc -vz -w 10 127.0.0.1 {number}" in ran.out
    for command in (
        ("status",),
        ("history", "shop"),
        ("alerts", "--json"),
        ("runbook", "port", "shop"),
        ("status", "--json"),
    ):
        assert f"{number}" in pom(*command, config=text).out, command
    assert pom("silence", "shop", "--kind", "port", "--for", "1h", config=text).code == 0
