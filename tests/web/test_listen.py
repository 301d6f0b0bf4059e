"""Listening sockets, and the addresses that are not there yet."""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Callable

import pytest

from pom_cli.errors import PomError
from pom_cli.web import listen as module
from pom_cli.web.listen import listen, shown


def free_port(host: str = "127.0.0.1") -> int:
    with socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as sock:
        return int(sock.getsockname()[1])


def nothing(*_: object) -> None: ...


def opened(host: str, port: int, waits: Callable[[str], None] = nothing) -> list[str]:
    sockets = listen(host, port, threading.Event(), waits, nothing)
    try:
        for sock in sockets:
            with socket.socket(sock.family) as client:
                client.connect(("127.0.0.1" if sock.family == socket.AF_INET else "::1", port))
        return [sock.getsockname()[0] for sock in sockets]
    finally:
        for sock in sockets:
            sock.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1"])
def test_it_listens_where_it_is_told_to(host: str) -> None:
    try:
        port = free_port(host)
    except OSError:
        pytest.skip(f"this machine has no {host}")
    assert opened(host, port) == [host]


def test_a_name_means_all_its_addresses_that_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in ("192.0.2.77", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert opened("localhost", port) == ["127.0.0.1"]


def test_an_address_that_comes_late_is_waited_for_and_that_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    port, said, real = free_port(), [], module._socket
    tries = iter(range(5))

    def late(*args: object) -> socket.socket:
        if next(tries, 5) < 3:
            raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_socket", late)
    monkeypatch.setattr(module, "LONGEST_PAUSE_S", 0.01)
    assert opened("127.0.0.1", port, said.append) == ["127.0.0.1"]
    assert said == [
        f"serve.listen: 127.0.0.1:{port}: this machine does not have that address; trying until it is there"
    ]


def test_it_can_be_stopped_while_it_waits() -> None:
    stopping = threading.Event()
    assert listen("192.0.2.77", 9100, stopping, lambda _: stopping.set(), nothing) == []


def test_a_name_that_is_not_known_yet_is_waited_for() -> None:
    stopping, said = threading.Event(), []

    def waits(reason: str) -> None:
        said.append(reason)
        stopping.set()

    assert listen("pom.invalid", 9100, stopping, waits, nothing) == []
    assert said[0].startswith("serve.listen: pom.invalid:9100: ")


def test_an_address_in_use_is_an_error_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IN_USE_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PomError) as error:
            opened("127.0.0.1", port)
    assert str(error.value) == f"serve.listen: 127.0.0.1:{port}: another process listens there already"
    assert error.value.exit_code == 3


def test_the_process_before_may_still_be_going() -> None:
    other = socket.create_server(("127.0.0.1", 0))
    port = other.getsockname()[1]
    threading.Timer(0.3, other.close).start()
    assert opened("127.0.0.1", port) == ["127.0.0.1"]


def test_what_waiting_does_not_help_is_an_error_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> socket.socket:
        raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(module, "_socket", refused)
    with pytest.raises(PomError, match=r"serve\.listen: 127\.0\.0\.1:80: Permission denied"):
        opened("127.0.0.1", 80)


def test_it_is_alive_while_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_PAUSE_S", 0.01)
    stopping, beats = threading.Event(), []

    def beat() -> None:
        beats.append(1)
        if len(beats) == 4:
            stopping.set()

    listen("192.0.2.77", 9100, stopping, nothing, beat)
    assert len(beats) == 4


def test_an_ipv6_address_is_shown_in_brackets() -> None:
    assert shown("::1", 9100) == "[::1]:9100"
