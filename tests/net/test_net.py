import resource
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from addresses import closed_port, dead_port, names
from certificates import Issued, authority, issue
from web_server import CLOSE, HANG, RESET, Script, WebServer

from pom_cli.model import ERROR, UNKNOWN, UNREACHABLE
from pom_cli.net.net import Address, Deadline, Fault, NoAnswer, connect, resolve, start_tls, tls_context

SOON = 0.4  # seconds: a deadline that the test waits for
LONG = 20.0  # seconds: one that it must never wait for


def fault_from(action: Callable[[], Any]) -> Fault:
    with pytest.raises(NoAnswer) as caught:
        action()
    return caught.value.fault


def failing(error: Exception) -> Callable[[], Any]:
    def answer() -> Any:
        raise error

    return answer


class TestResolve:
    @pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
    def test_an_ip_address_is_its_own_answer(self, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
        names(monkeypatch, failing(AssertionError("an IP address needs no resolver")))
        assert [address.ip for address in resolve(host, 80, Deadline.after(60))] == [host]

    def test_a_name_gives_its_addresses_in_the_systems_order(self, monkeypatch: pytest.MonkeyPatch) -> None:
        places = [(socket.AF_INET6, ("::1", 80, 0, 0)), (socket.AF_INET, ("127.0.0.1", 80))]
        names(monkeypatch, lambda: places)
        assert resolve("shop.example.com", 80, Deadline.after(60)) == [Address(*place) for place in places]

    @pytest.mark.parametrize("code", [socket.EAI_NONAME, socket.EAI_NODATA])
    def test_a_name_that_is_not_there_is_the_targets_fault(self, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
        names(monkeypatch, failing(socket.gaierror(code, "Name or service not known")))
        fault = fault_from(lambda: resolve("gone.example.com", 80, Deadline.after(60)))
        assert fault == Fault("dns", "name does not resolve")
        assert fault.status is UNREACHABLE

    @pytest.mark.parametrize("code", [socket.EAI_AGAIN, socket.EAI_FAIL, socket.EAI_MEMORY])
    def test_a_resolver_that_fails_is_ours(self, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
        names(monkeypatch, failing(socket.gaierror(code, "Temporary failure in name resolution")))
        fault = fault_from(lambda: resolve("shop.example.com", 80, Deadline.after(60)))
        assert fault == Fault("dns", "the resolver failed: Temporary failure in name resolution", "ours")
        assert fault.status is UNKNOWN

    def test_a_resolver_that_hangs_is_left_at_the_deadline(self, monkeypatch: pytest.MonkeyPatch) -> None:
        release = threading.Event()

        def hang() -> list[Any]:
            release.wait(LONG)
            return []

        names(monkeypatch, hang)
        fault = fault_from(lambda: resolve("shop.example.com", 80, Deadline.after(SOON)))
        release.set()
        assert fault == Fault("dns", "the resolver gave no answer within 0.4 s", "ours")

    def test_a_name_without_any_address_does_not_resolve(self, monkeypatch: pytest.MonkeyPatch) -> None:
        names(monkeypatch, list)
        assert fault_from(lambda: resolve("shop.example.com", 80, Deadline.after(60))).reason == "name does not resolve"

    def test_a_label_longer_than_dns_allows_does_not_resolve(self, monkeypatch: pytest.MonkeyPatch) -> None:
        names(monkeypatch, failing(UnicodeError("label too long")))
        assert fault_from(lambda: resolve("a" * 64, 80, Deadline.after(60))).reason == "name does not resolve"


class TestConnect:
    def test_it_tells_the_address_that_it_reached(self) -> None:
        with WebServer() as server:
            link = connect("127.0.0.1", server.port, Deadline.after(60))
            with closing(link.sock):
                assert link.address == "127.0.0.1"
                assert link.connect_ms >= 0

    def test_what_is_sent_leaves_at_once(self) -> None:
        with WebServer() as server, closing(connect("127.0.0.1", server.port, Deadline.after(60)).sock) as sock:
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    def test_a_closed_port_is_refused(self) -> None:
        with closed_port() as port:
            fault = fault_from(lambda: connect("127.0.0.1", port, Deadline.after(60)))
        assert fault == Fault("connect", "connection refused")

    def test_a_dead_port_ends_at_the_deadline(self) -> None:
        with dead_port() as port:
            fault = fault_from(lambda: connect("127.0.0.1", port, Deadline.after(SOON)))
        assert fault == Fault("connect", "no answer within 0.4 s")

    def test_a_dead_address_leaves_time_for_the_next(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with dead_port() as dead, WebServer() as server:
            names(monkeypatch, lambda: [(socket.AF_INET, ("127.0.0.1", port)) for port in (dead, server.port)])
            link = connect("shop.example.com", 80, Deadline.after(1))
            with closing(link.sock):
                assert link.sock.getpeername()[1] == server.port

    def test_a_refused_address_is_followed_by_the_next(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with closed_port() as closed, WebServer() as server:
            names(monkeypatch, lambda: [(socket.AF_INET, ("127.0.0.1", port)) for port in (closed, server.port)])
            link = connect("shop.example.com", 80, Deadline.after(60))
            with closing(link.sock):
                assert link.sock.getpeername()[1] == server.port

    def test_an_address_without_a_way_hides_no_better_reason(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with closed_port() as port:
            # A family that this machine does not speak stands for IPv6 where there is none.
            no_way = (socket.AF_APPLETALK, ("127.0.0.1", port))
            names(monkeypatch, lambda: [no_way, (socket.AF_INET, ("127.0.0.1", port)), no_way])
            fault = fault_from(lambda: connect("shop.example.com", 80, Deadline.after(60)))
        assert fault.reason == "connection refused"

    def test_nothing_but_addresses_without_a_way_is_ours(self, monkeypatch: pytest.MonkeyPatch) -> None:
        names(monkeypatch, lambda: [(socket.AF_APPLETALK, ("127.0.0.1", 9))])
        fault = fault_from(lambda: connect("shop.example.com", 80, Deadline.after(60)))
        assert fault == Fault("connect", "this machine does not speak that address family", "ours")

    def test_a_process_out_of_file_descriptors_is_ours(self) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        lowest = socket.socket()
        limit = lowest.fileno()
        lowest.close()
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
            fault = fault_from(lambda: connect("127.0.0.1", 9, Deadline.after(60)))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert fault == Fault("connect", "this process is out of file descriptors", "ours")


def shake(
    certificate: Issued,
    host: str = "localhost",
    *,
    ca_file: Path | None = None,
    verify: bool = True,
    greeting: Script | None = None,
    seconds: float = 60.0,
) -> str | None:
    """The protocol of a handshake with a server that presents this certificate. Raises NoAnswer."""
    with WebServer(tls=certificate, greeting=greeting) as server:
        deadline = Deadline.after(seconds)
        link = connect("127.0.0.1", server.port, deadline)
        context = tls_context(verify, str(ca_file) if ca_file else None)
        with closing(start_tls(link.sock, host, context, deadline)) as sock:
            return sock.version()


class TestTls:
    def test_a_certificate_of_a_private_authority_is_trusted_with_its_ca_file(self, roots: str) -> None:
        assert shake(issue(authority()), ca_file=roots) == "TLSv1.3"

    @pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost."])
    def test_an_ip_address_and_a_dotted_name_are_checked_too(self, host: str, roots: str) -> None:
        assert shake(issue(authority()), host, ca_file=roots) == "TLSv1.3"

    def test_a_chain_over_an_intermediate_is_trusted(self, roots: str) -> None:
        middle = issue(authority(), "middle", (), ca=True)
        assert shake(issue(middle, sent=[middle]), ca_file=roots) == "TLSv1.3"

    @pytest.mark.parametrize(
        ("certificate", "reason"),
        [
            (lambda: issue(authority(), days=-1, age=9), "certificate has expired"),
            (lambda: issue(authority(), age=-1), "certificate is not valid yet"),
            (lambda: issue(authority(), hosts=["other.example.com"]), "certificate does not match the host"),
            (lambda: issue(authority(), hosts=["192.0.2.1"]), "certificate does not match the host"),
            (lambda: issue(authority(), name="localhost", hosts=[]), "certificate does not match the host"),
            (lambda: issue(None), "self-signed certificate"),
            (
                lambda: issue(authority("another root"), sent=[authority("another root")]),
                "certificate's root is not trusted",
            ),
            (
                lambda: issue(authority("another root")),
                "certificate's issuer is not known: an intermediate is missing, or a private CA",
            ),
        ],
    )
    def test_a_bad_certificate_is_an_error_and_named(
        self, certificate: Callable[[], Issued], reason: str, roots: str
    ) -> None:
        fault = fault_from(lambda: shake(certificate(), ca_file=roots))
        assert fault == Fault("tls", reason, "certificate")
        assert fault.status is ERROR

    def test_without_verify_any_certificate_will_do(self) -> None:
        assert shake(issue(None, hosts=["other.example.com"], days=-1, age=9), verify=False) == "TLSv1.3"

    @pytest.mark.parametrize(
        ("greeting", "reason"),
        [
            ([b"HTTP/1.1 400 Bad Request\r\n\r\n"], "it does not speak TLS there"),
            ([b"SSH-2.0-OpenSSH_9.2\r\n"], "it does not speak TLS there"),
            ([HANG], "no answer within 0.4 s"),
            # A record that announces 16 KiB and then comes a byte at a time.
            (lambda: iter([b"\x16\x03\x03\x40\x00", *([b"\x02", 0.02] * 1000)]), "no answer within 0.4 s"),
        ],
        ids=["http", "ssh", "silence", "drip"],
    )
    def test_a_handshake_that_never_ends_well_is_no_answer(self, greeting: Script, reason: str) -> None:
        fault = fault_from(lambda: shake(issue(authority()), greeting=greeting, seconds=SOON))
        assert fault == Fault("tls", reason)
        assert fault.status is UNREACHABLE

    @pytest.mark.parametrize("end", [CLOSE, RESET], ids=["close", "reset"])
    def test_a_connection_that_ends_within_the_handshake_is_no_answer(self, end: Any) -> None:
        fault = fault_from(lambda: shake(issue(authority()), greeting=[0.05, end]))
        assert fault.reason in ("connection reset", "connection closed within TLS")
        assert fault.status is UNREACHABLE

    def test_an_alert_is_told(self) -> None:
        # A fatal alert, handshake_failure: what a server answers to a name that it does not serve.
        fault = fault_from(lambda: shake(issue(authority()), greeting=[0.1, b"\x15\x03\x03\x00\x02\x02\x28", 0.3]))
        assert fault.reason.startswith("TLS failed: ")
        assert "handshake failure" in fault.reason

    def test_a_ca_file_that_cannot_be_read_is_our_own_fault(self, tmp_path: Path) -> None:
        missing = tmp_path / "missing.pem"
        fault = fault_from(lambda: tls_context(True, str(missing)))
        assert fault.status is UNKNOWN
        assert fault.reason.startswith("ca_file /")
        assert fault.reason.endswith(" cannot be used: No such file or directory")

    def test_a_ca_file_without_a_certificate_is_our_own_fault(self, tmp_path: Path) -> None:
        empty = tmp_path / "empty.pem"
        empty.write_text("nothing\n")
        assert fault_from(lambda: tls_context(True, str(empty))).status is UNKNOWN

    def test_one_context_serves_all_with_the_same_settings(self, roots: str) -> None:
        assert tls_context(True, roots) is tls_context(True, roots)
        assert tls_context(True, roots) is not tls_context(True, None)

    def test_many_threads_that_ask_at_once_load_it_once(
        self, roots: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        loaded = []
        real = ssl.create_default_context

        def slow() -> ssl.SSLContext:
            loaded.append(1)
            time.sleep(0.05)
            return real()

        monkeypatch.setattr(ssl, "create_default_context", slow)
        copy = tmp_path / "copy.pem"
        copy.write_bytes(Path(roots).read_bytes())
        threads = [threading.Thread(target=tls_context, args=(True, str(copy))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert len(loaded) == 1
