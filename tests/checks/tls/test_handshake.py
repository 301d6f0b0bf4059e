import socket
import ssl
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from certificates import authority, issue
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from web_server import CLOSE, HANG, WebServer, insisting

from pom_cli.checks.tls import handshake
from pom_cli.checks.tls.handshake import MOST_ADDRESSES, chosen, lenient, see, shake
from pom_cli.net import net
from pom_cli.net.deadline import Deadline
from pom_cli.net.faults import Fault
from pom_cli.net.net import Address


def v4(last: int) -> Address:
    return Address(socket.AF_INET, (f"192.0.2.{last}", 443))


def v6(last: int) -> Address:
    return Address(socket.AF_INET6, (f"2001:db8::{last}", 443, 0, 0))


class TestChosen:
    @pytest.mark.parametrize(
        ("found", "expected"),
        [
            ([v4(1)], [v4(1)]),
            ([v4(2), v4(1), v4(2)], [v4(1), v4(2)]),
            ([v6(1), v6(2), v4(1)], [v4(1), v6(1), v6(2)]),
            ([v6(n) for n in range(9)] + [v4(1)], [v4(1), *(v6(n) for n in range(7))]),
        ],
    )
    def test_a_few_are_looked_at_and_some_of_each_family(self, found: list[Address], expected: list[Address]) -> None:
        assert chosen(found) == expected

    def test_they_are_the_same_ones_however_the_resolver_turns_them_round(self) -> None:
        found = [v4(number) for number in range(9)]
        assert chosen(found) == chosen(found[5:] + found[:5])
        assert len(chosen(found)) == MOST_ADDRESSES

    @pytest.mark.parametrize("count", [1, MOST_ADDRESSES, MOST_ADDRESSES + 1, 20, 33])
    def test_each_of_many_has_its_turn(self, count: int) -> None:
        found = [v4(number) for number in range(count)]
        turns = [chosen(found, turn) for turn in range(100, 100 + count)]
        assert {address for each in turns for address in each} == set(found)
        assert all(len(set(each)) == min(count, MOST_ADDRESSES) for each in turns)


def at(server: WebServer) -> Address:
    return Address(socket.AF_INET, (server.host, server.port))


def old(context: ssl.SSLContext) -> None:
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-RSA-AES128-SHA")


class TestWhatClientsStillOffer:
    """The right values are those of curl 8 and Chromium, which work with these servers."""

    def test_cbc_with_sha_1_succeeds_and_is_noted(self) -> None:
        with WebServer(tls=issue(None, key=rsa.generate_private_key(65537, 2048)), adjust=old) as server:
            seen = shake(at(server), "localhost", False, None, Deadline.after(10))
        assert (seen.fault, seen.protocol, seen.cipher) == (None, "TLSv1.2", "ECDHE-RSA-AES128-SHA")

    @pytest.mark.parametrize(
        "takes", [lambda hello: b"\x02h2" in hello, lambda hello: b"http/1.1" not in hello], ids=["h2", "mail"]
    )
    def test_a_strict_alpn_hides_no_certificate(self, takes: Callable[[bytes], bool]) -> None:
        with WebServer(tls=issue(None), greeting=insisting(takes)) as server:
            seen = shake(at(server), "localhost", False, None, Deadline.after(10))
        assert (seen.fault, len(seen.chain)) == (None, 1)

    @pytest.mark.parametrize(
        ("key", "refused"),
        [
            (ec.generate_private_key(ec.SECP256R1()), ""),
            (ec.generate_private_key(ec.SECP384R1()), ""),
            (ec.generate_private_key(ec.SECP521R1()), "P-521"),
            (ed25519.Ed25519PrivateKey.generate(), "Ed25519"),
            (ed448.Ed448PrivateKey.generate(), "Ed448"),
            (rsa.generate_private_key(65537, 2048), ""),
        ],
        ids=["P-256", "P-384", "P-521", "Ed25519", "Ed448", "RSA"],
    )
    def test_a_key_that_browsers_refuse_is_known(self, key: Any, refused: str) -> None:
        with WebServer(tls=issue(authority(), key=key)) as server:
            seen = shake(at(server), "localhost", False, None, Deadline.after(10))
        assert seen.leaf is not None
        assert seen.leaf.refused_key == refused


class TestShake:
    def test_a_good_handshake_is_one_connection_and_tells_the_verified_chain(self, roots: str) -> None:
        certificate = issue(authority())
        with WebServer(tls=certificate) as server:
            seen = shake(at(server), "localhost", True, roots, Deadline.after(10))
            assert server.connections == 1
        assert [one.fingerprint for one in seen.chain] == [certificate.fingerprint, authority().fingerprint]
        assert (seen.verified, seen.fault, seen.protocol) == (True, None, "TLSv1.3")

    def test_its_time_begins_once_the_roots_are_loaded(self, roots: str, monkeypatch: pytest.MonkeyPatch) -> None:
        loaded = []
        load = net.tls_context

        def watched(*given: Any) -> ssl.SSLContext:
            context = load(*given)
            loaded.append(time.monotonic())
            return context

        monkeypatch.setattr(net, "tls_context", watched)
        monkeypatch.setattr(handshake, "since_ms", lambda start: start)
        with WebServer(tls=issue(authority())) as server:
            seen = shake(at(server), "localhost", True, roots, Deadline.after(10))
        assert seen.took_ms is not None
        assert seen.took_ms >= loaded[0]

    def test_a_bad_certificate_is_read_over_a_second_one(self, roots: str) -> None:
        certificate = issue(authority(), hosts=["other.example.com"])
        with WebServer(tls=certificate) as server:
            seen = shake(at(server), "localhost", True, roots, Deadline.after(10))
            assert server.connections == 2
        assert [one.fingerprint for one in seen.chain] == [certificate.fingerprint]
        assert (seen.verified, seen.verify_code) == (False, 62)

    def test_what_cannot_be_reached_is_asked_once(self) -> None:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            seen = shake(Address(socket.AF_INET, sock.getsockname()), "h", True, None, Deadline.after(10))
        assert seen.fault == Fault("connect", "connection refused")
        assert (seen.connected, seen.no_way, seen.hung) == (False, False, False)

    def test_a_second_handshake_that_fails_leaves_the_reason_of_the_first(self, roots: str) -> None:
        first = iter([[], [0.05, CLOSE]])
        with WebServer(tls=issue(None), greeting=lambda: next(first, [0.05, CLOSE])) as server:
            seen = shake(at(server), "localhost", True, roots, Deadline.after(10))
        assert (seen.verify_code, seen.chain) == (18, ())

    def test_the_deadline_is_for_both_handshakes_together(self, roots: str) -> None:
        first = iter([[], [HANG]])
        with WebServer(tls=issue(None), greeting=lambda: next(first, [HANG])) as server:
            seen = shake(at(server), "localhost", True, roots, Deadline.after(0.6))
        assert (seen.verify_code, seen.chain) == (18, ())

    def test_a_deadline_that_has_passed_opens_nothing(self) -> None:
        with WebServer() as server:
            seen = shake(at(server), "localhost", True, None, Deadline.after(0))
            assert server.connections == 0
        assert (seen.hung, seen.no_way) == (True, False)


def test_the_lenient_context_takes_no_cipher_that_does_without_a_certificate() -> None:
    assert not [cipher["name"] for cipher in lenient().get_ciphers() if cipher.get("auth") == "auth-null"]


class TestSee:
    def test_a_name_without_an_address_is_a_fault(self, monkeypatch: pytest.MonkeyPatch) -> None:
        fault = Fault("dns", "name does not resolve")

        def absent(*_: object) -> list[Address]:
            raise net.NoAnswer(fault)

        monkeypatch.setattr(net, "resolve", absent)
        assert see("nothing.invalid", 443, True, None, Deadline.after(5)).fault == fault

    def test_every_address_is_looked_at_in_order(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        servers = [WebServer(f"127.0.0.{number}", tls=issue(None)) for number in (1, 2, 3)]
        with servers[0], servers[1], servers[2]:
            monkeypatch.setattr(net, "resolve", lambda *_: [at(server) for server in reversed(servers)])
            sight = see("localhost", 443, False, None, Deadline.after(10))
        assert [seen.address for seen in sight.handshakes] == ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
        assert all(seen.chain for seen in sight.handshakes)
        assert (sight.fault, sight.more) == (None, 0)

    def test_what_is_left_out_is_counted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with closing(socket.socket()) as sock:
            sock.bind(("127.0.0.1", 0))
            port = sock.getsockname()[1]
            many = [Address(socket.AF_INET, (f"127.0.0.{number}", port)) for number in range(1, MOST_ADDRESSES + 4)]
            monkeypatch.setattr(net, "resolve", lambda *_: many)
            sight = see("shop.example.com", port, True, None, Deadline.after(10))
        assert (len(sight.handshakes), sight.more) == (MOST_ADDRESSES, 3)
