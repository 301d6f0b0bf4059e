import os
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from certificates import authority, issue
from hypothesis import given
from hypothesis import strategies as st
from web_server import CLOSE, HANG, RESET, Script, Step, WebServer, answer, bomb, drip, endless, head

from pom_cli import __version__
from pom_cli.model import UNREACHABLE
from pom_cli.net.exchange import Answer, Connection, Origin, exchange, host_field, is_header, open_connection, request
from pom_cli.net.net import Deadline, Fault, NoAnswer

SOON = 0.4  # seconds: a deadline that the test waits for
ORIGIN = Origin("https", "shop.example.com", 443)


def opened(server: WebServer, deadline: Deadline) -> Connection:
    return open_connection(Origin("http", server.host, server.port), deadline)


def ask(server: WebServer, script: Script, seconds: float = 60.0, method: str = "GET") -> Answer:
    """What one GET of a path with this script gives. Raises NoAnswer."""
    server.on("/", script)
    deadline = Deadline.after(seconds)
    with closing(opened(server, deadline)) as connection:
        return exchange(connection, method, "/", {}, deadline)


def fault(server: WebServer, script: Script, seconds: float = 60.0) -> Fault:
    with pytest.raises(NoAnswer) as caught:
        ask(server, script, seconds)
    assert caught.value.fault.status is UNREACHABLE
    return caught.value.fault


class TestRequest:
    def test_it_is_a_line_and_headers(self) -> None:
        assert request(ORIGIN, "GET", "/health?full=1", {"Accept": "text/html"}).decode().split("\r\n") == [
            "GET /health?full=1 HTTP/1.1",
            "Host: shop.example.com",
            f"User-Agent: PoM/{__version__}",
            "Accept: text/html",
            "Accept-Encoding: identity",
            "Connection: close",
            "",
            "",
        ]

    def test_a_configured_header_takes_the_place_of_ours_whatever_its_case(self) -> None:
        wire = request(ORIGIN, "GET", "/", {"host": "other.example.com", "USER-AGENT": "probe"}, keep=True)
        assert wire.count(b"\r\n") == 6
        assert b"\r\nhost: other.example.com\r\nUSER-AGENT: probe\r\n" in wire

    def test_what_frames_the_message_cannot_be_configured(self) -> None:
        wire = request(ORIGIN, "GET", "/", {"Connection": "x", "Content-Length": "5", "transfer-encoding": "chunked"})
        assert wire == request(ORIGIN, "GET", "/", {})

    @pytest.mark.parametrize(
        ("method", "path", "headers"),
        [
            ("GET", "/a b", {}),
            ("GET", "/\r\nX: y", {}),
            ("GET", "/é", {}),
            ("GET", "", {}),
            ("GET /x HTTP/1.1\r\n", "/", {}),
            ("GET", "/", {"X": "a\r\nY: b"}),
            ("GET", "/", {"X": "a\nY: b"}),
            ("GET", "/", {"X\r\nY": "b"}),
            ("GET", "/", {"X Y": "b"}),
            ("GET", "/", {"": "b"}),
        ],
    )
    def test_what_would_break_out_of_its_line_is_refused(self, method: str, path: str, headers: dict[str, str]) -> None:
        with pytest.raises(ValueError, match="not fit for a request"):
            request(ORIGIN, method, path, headers)

    @given(st.text(), st.text())
    def test_a_header_never_brings_a_second_line(self, name: str, value: str) -> None:
        if is_header(name, value):
            assert len(f"{name}: {value}".encode("utf-8", "replace").splitlines()) == 1

    @pytest.mark.parametrize(
        ("origin", "field"),
        [
            (Origin("http", "shop.example.com", 80), "shop.example.com"),
            (Origin("http", "shop.example.com", 443), "shop.example.com:443"),
            (Origin("https", "shop.example.com", 443), "shop.example.com"),
            (Origin("https", "shop.example.com", 8443), "shop.example.com:8443"),
            (Origin("https", "2001:db8::1", 443), "[2001:db8::1]"),
            (Origin("http", "2001:db8::1", 8080), "[2001:db8::1]:8080"),
            (Origin("http", "fe80::1%eth0", 80), "[fe80::1]"),
        ],
    )
    def test_the_host_field_has_brackets_and_port_where_they_are_due(self, origin: Origin, field: str) -> None:
        assert host_field(origin) == field


class TestAnswer:
    def test_it_holds_what_came(self, server: WebServer) -> None:
        got = ask(server, answer(200, b"hello", {"X-One": "1", "X-Two": "2"}, reason="Fine"))
        assert (got.status, got.reason, got.body, got.complete) == (200, "Fine", b"hello", True)
        assert got.headers == [("Content-Length", "5"), ("X-One", "1"), ("X-Two", "2")]
        assert got.address == "127.0.0.1"
        assert got.tls_ms is None

    def test_the_first_byte_is_timed_from_the_request(self, server: WebServer) -> None:
        got = ask(server, [0.1, *answer(200, b"hello")])
        assert 90 < got.first_byte_ms <= got.total_ms

    @pytest.mark.parametrize(
        "interim",
        [
            [head(100)],
            [head(102), head(102), head(103, {"Link": "</style.css>; rel=preload"})],
            [head(103, {"Link": "</style.css>"}), 0.05],
            [head(103, {"Link": "</style.css>"})] * 50,
        ],
    )
    def test_interim_answers_are_skipped(self, server: WebServer, interim: Script) -> None:
        got = ask(server, [*interim, *answer(200, b"hello")])  # type: ignore[misc]
        assert (got.status, got.body) == (200, b"hello")

    @pytest.mark.parametrize(
        "fields", [{f"X-{number}": "1" for number in range(500)}, {"X": "x" * 70_000}], ids=["many", "long"]
    )
    def test_a_head_is_bounded_as_a_whole_and_in_no_other_way(self, server: WebServer, fields: dict[str, str]) -> None:
        assert ask(server, answer(200, b"hello", fields)).body == b"hello"

    def test_switching_protocols_is_an_answer_of_its_own(self, server: WebServer) -> None:
        assert ask(server, [head(101, {"Upgrade": "websocket"}), CLOSE]).status == 101

    def test_bare_line_feeds_and_a_missing_reason_are_read(self, server: WebServer) -> None:
        got = ask(server, [b"HTTP/1.0 200\nServer: old\n\nhello", CLOSE])
        assert (got.status, got.reason, got.body) == (200, "", b"hello")

    def test_a_reason_cannot_bring_control_sequences(self, server: WebServer) -> None:
        got = ask(server, answer(500, b"", reason="Bad \x1b[31mred\x07" + "!" * 500))
        assert got.reason.isprintable()
        assert len(got.reason) == 60

    def test_a_body_cut_short_is_not_complete(self, server: WebServer) -> None:
        got = ask(server, [*answer(200, b"hello", length=1000), CLOSE])
        assert (got.body, got.flaw, got.complete) == (b"hello", "the body was cut off", False)

    def test_an_endless_body_is_cut_at_one_mebibyte(self, server: WebServer) -> None:
        got = ask(server, endless(head(200)))
        assert (len(got.body), got.truncated, got.flaw) == (1 << 20, True, None)

    def test_endless_chunks_are_cut_at_one_mebibyte(self, server: WebServer) -> None:
        got = ask(server, endless(head(200, {"Transfer-Encoding": "chunked"}), b"1000\r\n" + b"x" * 4096 + b"\r\n"))
        assert (len(got.body), got.truncated, got.flaw) == (1 << 20, True, None)

    def test_endless_tiny_chunks_end_too(self, server: WebServer) -> None:
        got = ask(server, endless(head(200, {"Transfer-Encoding": "chunked"}), b"1\r\nx\r\n" * 4096))
        assert got.truncated
        assert len(got.body) < 1 << 20

    def test_a_bomb_is_cut_at_one_mebibyte(self, server: WebServer) -> None:
        got = ask(server, bomb())
        assert (len(got.body), got.truncated) == (1 << 20, True)

    def test_the_body_of_an_answer_to_head_is_not_awaited(self, server: WebServer) -> None:
        assert ask(server, answer(200, b"", length=1000), method="HEAD").complete


class TestFault:
    @pytest.mark.parametrize("said", [b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 OK\r\n\r\n", b"HTTP/1.1 99 x\r\n\r\n"])
    def test_what_is_not_http_is_quoted(self, server: WebServer, said: bytes) -> None:
        line = said.decode().strip()
        assert fault(server, [said, CLOSE]) == Fault("headers", f"no HTTP: it says {line!r}")

    def test_what_is_quoted_is_cut_and_printable(self, server: WebServer) -> None:
        reason = fault(server, [b"\x1b[2J" + b"\xff" * 5000 + b"\r\n", CLOSE]).reason
        assert reason.isprintable()
        assert len(reason) < 100

    def test_another_version_is_not_read(self, server: WebServer) -> None:
        assert fault(server, [b"HTTP/2.0 200 OK\r\n\r\n", CLOSE]).reason == "no HTTP that can be read: HTTP/2.0"

    @pytest.mark.parametrize(
        ("script", "reason"),
        [
            ([CLOSE], "connection closed without an answer"),
            ([RESET], "connection reset"),
            ([head(200)[:10], RESET], "connection reset"),
            ([b"HTTP/1.1 200 OK\r\nServer: x\r\n", CLOSE], "no HTTP that can be read: the headers were cut off"),
            ([b"HTTP/1.1 200 OK\r\nServ", CLOSE], "no HTTP that can be read: the headers were cut off"),
            (endless(b"", head(100)), "no end of the headers"),
            (endless(head(200)[:-2], b"X: " + b"x" * 60000 + b"\r\n"), "no end of the headers"),
        ],
    )
    def test_headers_that_do_not_end_well_are_no_answer(self, server: WebServer, script: Script, reason: str) -> None:
        assert fault(server, script) == Fault("headers", reason)

    @pytest.mark.parametrize(
        ("script", "phase", "reason"),
        [
            ([HANG], "headers", "no answer within 0.4 s"),
            (drip(head(200, {"Server": "x"})), "headers", "no complete answer within 0.4 s"),
            (endless(b"", b"\r\n"), "headers", "no HTTP: it says ''"),
            ([head(100), HANG], "headers", "no complete answer within 0.4 s"),
            (lambda: iter([head(200), *([b"x", 0.05] * 100)]), "body", "no complete answer within 0.4 s"),
            ([*answer(200, b"hello", length=1000), HANG], "body", "no complete answer within 0.4 s"),
            (
                [head(200, {"Transfer-Encoding": "chunked"}), b"5\r\nhello\r\n", HANG],
                "body",
                "no complete answer within 0.4 s",
            ),
        ],
    )
    def test_it_ends_at_the_deadline(self, server: WebServer, script: Script, phase: str, reason: str) -> None:
        assert fault(server, script, SOON) == Fault(phase, reason)  # type: ignore[arg-type]

    def test_a_tls_record_that_never_ends_does_not_outlive_the_deadline(self, tmp_path: Path) -> None:
        roots = str(authority().write_public(tmp_path / "ca.pem"))
        # Beneath TLS: a record that announces 16 KiB and then comes a byte at a time.
        record = [b"\x17\x03\x03\x40\x00", *[b"x"] * 1000]
        steps: list[Step] = []
        for piece in record:
            steps += [partial(lambda raw, sock: os.write(sock.fileno(), raw), piece), 0.02]
        with WebServer(tls=issue(authority())) as server:
            server.on("/", steps)
            origin = Origin("https", server.host, server.port)
            connection = open_connection(origin, Deadline.after(5), ca_file=roots)
            deadline = Deadline.after(SOON)
            with closing(connection), pytest.raises(NoAnswer, match=r"no answer within 0\.4 s \(headers\)"):
                exchange(connection, "GET", "/", {}, deadline)

    def test_a_reset_within_the_body_is_no_answer(self, server: WebServer) -> None:
        assert fault(server, [*answer(200, b"hello", length=1000), 0.1, RESET]) == Fault("body", "connection reset")


class TestReuse:
    def test_one_connection_carries_many_exchanges(self, server: WebServer) -> None:
        bodies = {
            "/plain": answer(200, b"hello"),
            "/chunked": [head(200, {"Transfer-Encoding": "chunked"}), b"5\r\nhello\r\n0\r\n\r\n"],
            "/empty": [head(204)],
        }
        deadline = Deadline.after(60)
        with closing(opened(server, deadline)) as connection:
            for path, script in bodies.items():
                server.on(path, script)
                got = exchange(connection, "GET", path, {}, deadline, keep=True)
                assert (got.url, got.reusable) == (path, True)
        assert server.paths() == list(bodies)
        assert server.connections == 1

    @pytest.mark.parametrize(
        "script",
        [
            answer(200, b"hello", {"Connection": "close"}),
            [head(200), b"hello", CLOSE],
            [b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"],
            [*answer(200, b"hello", length=9), CLOSE],
            endless(head(200)),
        ],
        ids=["close", "no length", "1.0", "cut", "endless"],
    )
    def test_a_connection_that_cannot_go_on_says_so(self, server: WebServer, script: Script) -> None:
        server.on("/", script)
        deadline = Deadline.after(60)
        with closing(opened(server, deadline)) as connection:
            assert not exchange(connection, "GET", "/", {}, deadline, keep=True).reusable

    def test_each_exchange_has_its_own_deadline(self, server: WebServer) -> None:
        server.on("/", answer(200, b"hello"), [HANG])
        with closing(opened(server, Deadline.after(60))) as connection:
            assert exchange(connection, "GET", "/", {}, Deadline.after(60), keep=True).status == 200
            with pytest.raises(NoAnswer, match=r"no answer within 0\.4 s \(headers\)"):
                exchange(connection, "GET", "/", {}, Deadline.after(SOON), keep=True)
