"""The real server over loopback: what the protocol asks of it, and what hostile clients do to it."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from api_server import TOKEN, TOML, ApiServer, Reply, load, read_all, read_one, replies, see

from pom_cli.web import answers, routes, server

GET = f"GET /api/status HTTP/1.1\r\nHost: pom\r\nAuthorization: Bearer {TOKEN}\r\n".encode()
OPENMETRICS = "application/openmetrics-text"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiServer]:
    loaded = load(tmp_path)
    see(loaded, "shop")
    see(loaded, "blog")
    with ApiServer(loaded) as running:
        yield running
    assert running.complaints == []


def decent(reply: Reply, status: int) -> None:
    """What every answer must be."""
    assert reply.status == status
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["server"] == "PoM"
    if status not in (200, 304):
        assert reply.headers["content-type"] == "application/json"
        assert reply.json().keys() >= {"error"} or "overdue" in reply.json()


@contextmanager
def viewed(monkeypatch: pytest.MonkeyPatch, view: Callable[[Any], answers.Answer]) -> Iterator[None]:
    """/api/peer with another view."""
    path = ("api", "peer")
    with monkeypatch.context() as changed:
        changed.setitem(routes._EXACT, path, replace(routes._EXACT[path], view=view))
        routes.find.cache_clear()
        yield
    routes.find.cache_clear()


class TestProtocol:
    def test_every_answer_has_its_headers(self, api: ApiServer) -> None:
        decent(api.ask("/api/health", token=None), 200)
        status = api.ask("/api/status")
        decent(status, 200)
        decent(api.ask("/api/status", If_None_Match=status.headers["etag"]), 304)
        decent(api.ask("/api/nothing"), 404)
        decent(api.ask("/api/history/shop?limit=x"), 400)
        decent(api.ask("/", token=None), 404)
        unauthorized = api.ask("/api/status", token=None)
        decent(unauthorized, 401)
        assert unauthorized.headers["www-authenticate"] == "Bearer"
        refused = api.ask("/api/status", method="POST")
        decent(refused, 405)
        assert refused.headers["allow"] == "GET, HEAD"
        decent(api.ask("/" + "x" * 3000), 414)
        kinds = {accept: api.ask("/metrics", Accept=accept).headers["content-type"] for accept in ("*/*", OPENMETRICS)}
        assert kinds == {
            "*/*": "text/plain; version=0.0.4; charset=utf-8",
            OPENMETRICS: "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }

    def test_what_is_known_in_one_format_is_not_known_in_the_other(self, api: ApiServer) -> None:
        etag = api.ask("/metrics").headers["etag"]
        assert api.ask("/metrics", If_None_Match=etag).status == 304
        assert api.ask("/metrics", If_None_Match=etag, Accept=OPENMETRICS).body.endswith(b"# EOF\n")

    def test_a_body_that_comes_after_its_refusal_takes_no_answer_away(self, api: ApiServer) -> None:
        with api.connect() as sock:
            sock.sendall(b"POST /api/status HTTP/1.1\r\nHost: pom\r\nContent-Length: 300000\r\n\r\n")
            assert sock.recv(1, socket.MSG_PEEK)
            sock.sendall(b"x" * 300_000)
            decent(read_one(sock), 405)

    def test_head_is_get_without_the_body(self, api: ApiServer) -> None:
        for path in ("/api/health", "/api/status", "/api/nothing"):
            got, head = api.ask(path), api.ask(path, method="HEAD")
            assert head.body == b""
            assert head.status == got.status
            assert {name: head.headers[name] for name in ("content-length", "content-type")} == {
                name: got.headers[name] for name in ("content-length", "content-type")
            }

    @pytest.mark.parametrize("more", [b"A: \x01", b"A: " + b"x" * 9000, b"Content-Length: 99999", b"Content-Length: x"])
    def test_a_head_that_is_refused_gets_no_body_either(self, api: ApiServer, more: bytes) -> None:
        data = api.raw(b"HEAD /api/health HTTP/1.1\r\n" + more + b"\r\n\r\n")
        assert data.endswith(b"\r\n\r\n")
        assert replies(data, heads=(0,))[0].status in (400, 413, 431)

    def test_a_connection_is_kept_through_errors(self, api: ApiServer) -> None:
        with api.connect() as sock:
            sock.sendall(GET + b"\r\n")
            assert read_one(sock).status == 200
            for request, status in (
                (b"GET /api/status HTTP/1.1\r\nHost: pom\r\n\r\n", 401),
                (b"DELETE /api/status HTTP/1.1\r\nHost: pom\r\n\r\n", 405),
                (GET + b"\r\n", 200),
            ):
                sock.sendall(request)
                assert read_one(sock).status == status

    def test_requests_sent_ahead_are_answered_in_order(self, api: ApiServer) -> None:
        asked = [
            f"GET /api/{path} HTTP/1.1\r\nHost: pom\r\nAuthorization: Bearer {TOKEN}\r\n"
            for path in ("peer", "x", "mesh")
        ]
        last = "GET /api/health HTTP/1.1\r\nHost: pom\r\nConnection: close\r\n\r\n"
        found = replies(api.raw(("\r\n".join(asked) + "\r\n" + last).encode()))
        assert [reply.status for reply in found] == [200, 404, 200, 200]
        assert "id" in found[0].json()
        assert "self" in found[2].json()

    @pytest.mark.parametrize(
        ("version", "fields", "stays"),
        [("HTTP/1.0", "", False), ("HTTP/1.0", "Connection: Keep-Alive", True), ("HTTP/1.1", "", True),
         ("HTTP/1.1", "Connection: close", False), ("HTTP/2.0", "", False), ("", "", False)],
    )  # fmt: skip
    def test_the_client_says_whether_the_connection_stays(
        self, api: ApiServer, version: str, fields: str, stays: bool
    ) -> None:
        head = f"GET /api/health {version}".strip() + f"\r\nHost: pom\r\n{fields}".rstrip("\n") + "\r\n"
        with api.connect(3) as sock:
            sock.sendall(head.rstrip().encode() + b"\r\n\r\n")
            assert read_one(sock).status == 200
            if stays:
                sock.sendall(b"GET /api/health HTTP/1.1\r\nHost: pom\r\nConnection: close\r\n\r\n")
                assert read_one(sock).status == 200
            assert read_all(sock) == b""

    @pytest.mark.parametrize(
        ("fields", "status"),
        [("Host: pom\r\n", 200), ("Host: [2001:db8::1]:9100\r\n", 200), ("", 400), ("Host:\r\n", 400),
         ("Host: pom\r\nHost: pom\r\n", 400), ("Host: pom\r\nhost: other\r\n", 400), ("Host: pom, other\r\n", 400),
         ("Host: a b\r\n", 400), ("Host: user@pom\r\n", 400), ("Host: pom/x\r\n", 400), ("X-Host: pom\r\n", 400)],
    )  # fmt: skip
    @pytest.mark.parametrize("version", ["1.0", "1.1"])
    @pytest.mark.parametrize("path", ["/api/health", "/api/status", "http://pom/api/health"])
    def test_a_request_has_exactly_one_host(
        self, api: ApiServer, path: str, version: str, fields: str, status: int
    ) -> None:
        token = f"Authorization: Bearer {TOKEN}\r\nConnection: close\r\n"
        found = replies(api.raw(f"GET {path} HTTP/{version}\r\n{fields}{token}\r\n".encode()))
        decent(found[0], status)

    def test_nobody_has_a_request_refused_but_the_parser(self, api: ApiServer) -> None:
        assert api.ask("/api/health", Refused="431", refused="431", HTTP_refused="431").status == 200

    def test_the_absolute_form_is_taken(self, api: ApiServer) -> None:
        assert api.ask("http://pom.example.com/api/health").status == 200

    def test_a_client_that_ends_its_side_gets_its_answer(self, api: ApiServer) -> None:
        with api.connect() as sock:
            sock.sendall(GET + b"\r\n")
            sock.shutdown(socket.SHUT_WR)
            assert read_one(sock).status == 200

    def test_a_long_answer_arrives_whole(self, api: ApiServer) -> None:
        for _ in range(200):
            see(api.config, "shop", ago="60s")
        with api.connect() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.sendall(GET.replace(b"/status", b"/history/shop") + b"\r\n")
            time.sleep(0.2)  # the server cannot send it all at once
            assert len(read_one(sock).json()) == 201


class TestNoRequests:
    @pytest.mark.parametrize(
        ("data", "status"),
        [
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100 + b"\r\n\r\n", 400),  # TLS to a plain port
            (b"GET\r\n\r\n", 400),
            (b"get /api/health HTTP/1.1\r\n\r\n", 400),
            (b"GET http://[::bad/ HTTP/1.1\r\n\r\n", 400),
            (b"GET http://\xff\xfe[/ HTTP/1.1\r\n\r\n", 400),
            (b"GET /api/\xc3\xa4 HTTP/1.1\r\n\r\n", 400),
            (b"GET /api/health HTTP/1.1\r\nno colon\r\n\r\n", 400),
            (b"GET /api/health HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
            (b"GET /api/health HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
            (b"GET /api/health HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", 400),
            (b"GET /api/health HTTP/1.1\r\nContent-Length: 5, 6\r\n\r\n", 400),
            (b"GET /api/health HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
            (b"GET /api/health HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n\r\n", 400),
            (b"GET /api/health HTTP/1.1\r\nA: b\nc: d\r\n\r\n", 400),
            (b"GET /api/health HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", 431),
            (b"GET /" + b"x" * 20_000, 431),
            (b"GET /api/health HTTP/1.1\r\n" + b"A: b\r\n" * 5000 + b"\r\n", 431),
            (b"GET /api/health HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 100_000, 413),
            (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n" + b"x" * 1024 + b"\r\n" * 9, 413),
            (b"POST /api/status HTTP/1.1\r\nContent-Length: 1000000000\r\n\r\n" + b"x" * 100_000, 405),
            (b"POST /api/status HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n", 405),
            (b"GET / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: *\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 99999\r\n\r\n", 413),
            (b"PUT /api/status HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 405),
        ],
    )  # fmt: skip
    def test_it_is_refused_like_everything_else_and_the_connection_ends(
        self, api: ApiServer, data: bytes, status: int
    ) -> None:
        found = replies(api.raw(data))
        assert len(found) == 1
        decent(found[0], status)
        assert found[0].headers["connection"] == "close"
        assert api.ask("/api/health").status == 200

    @pytest.mark.parametrize("more", [b"", b"Content-Length: 5\r\n", b"Expect: 100-continue\r\n"])
    def test_a_get_with_a_body_is_a_get(self, api: ApiServer, more: bytes) -> None:
        body = b"hello" if b"Length" in more else b""
        with api.connect(5) as sock:
            sock.sendall(b"GET /api/health HTTP/1.1\r\nHost: pom\r\n" + more + b"\r\n" + body)
            assert read_one(sock).status == 200
            sock.sendall(b"GET /api/health HTTP/1.1\r\nHost: pom\r\n\r\n")
            assert read_one(sock).status == 200

    @pytest.mark.parametrize(
        "path",
        ["//api/status", "/api//status", "/api/../api/status", "/./api/status", "/%2e%2e/api/status", "/api/status%00",
         "/api%2fstatus", "/api/status/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "/api/status/..", "/api/status/%ff%fe",
         "/api/status/" + "x" * 2000, "/api/health/..%2fstatus", "/api/health;x", "/%c3%a4", "/api/history/%2f",
         "http://pom/api/status/../x", "/api/trends/%"],
    )  # fmt: skip
    def test_a_crooked_path_leads_nowhere(self, api: ApiServer, path: str) -> None:
        decent(api.ask(path, token=None), 401)
        decent(api.ask(path), 404)

    def test_headers_of_a_proxy_change_nothing(self, tmp_path: Path) -> None:
        loaded = load(tmp_path, TOML + "[serve]\nrate_limit = 3\n")
        with ApiServer(loaded) as api:
            statuses = [
                api.ask("/api/health", token=None, X_Forwarded_For=f"192.0.2.{n}", Forwarded=f"for=192.0.2.{n}").status
                for n in range(5)
            ]
        assert statuses == [503, 503, 503, 429, 429]

    def test_what_cannot_be_read_counts_too(self, tmp_path: Path) -> None:
        with ApiServer(load(tmp_path, TOML + "[serve]\nrate_limit = 3\n")) as api:
            statuses = [replies(api.raw(b"nonsense\r\n\r\n"))[0].status for _ in range(5)]
        assert statuses == [400, 400, 400, 429, 429]

    def test_who_sends_much_ahead_gets_no_more_than_its_share(self, tmp_path: Path) -> None:
        request = b"GET /api/health HTTP/1.1\r\nHost: pom\r\n"
        with ApiServer(load(tmp_path, TOML + "[serve]\nrate_limit = 3\n")) as api:
            found = replies(api.raw((request + b"\r\n") * 400 + request + b"Connection: close\r\n\r\n"))
        assert [reply.status for reply in found] == [503] * 3 + [429] * 398
        decent(found[-1], 429)
        assert found[-1].headers["retry-after"]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same ends to every wait, sooner."""
    monkeypatch.setattr(server, "LIFE_S", 0.5)
    monkeypatch.setattr(server, "ANSWER_S", 1.0)
    monkeypatch.setattr(server, "LINGER_S", 0.2)


def dribble(sock: socket.socket, data: bytes, pause: float = 0.05) -> bool:
    """A byte at a time, again and again, until the server has enough of it; True where it had."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        for byte in data:
            try:
                sock.sendall(bytes([byte]))
            except OSError:
                return True
            time.sleep(pause)
    return False


@pytest.mark.usefixtures("impatient")
class TestPatience:
    @pytest.mark.parametrize(
        ("begin", "data"),
        [
            (b"GET /api/health HTTP/1.1\r\nX: ", b"x"),  # headers that never end
            (b"", b"\r\n"),  # empty lines before a request
            (b"GET /api/health HTTP/1.1\r\nContent-Length: 1000\r\n\r\n", b"x"),  # a body that never ends
            (b"GET /api/health HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
            (b"POST /api/health HTTP/1.1\r\nContent-Length: 100000\r\n\r\n", b"x"),  # after its refusal
        ],
    )
    def test_who_dribbles_is_cut_off(self, api: ApiServer, begin: bytes, data: bytes) -> None:
        with api.connect() as sock:
            sock.sendall(begin)
            assert dribble(sock, data)
        assert api.ask("/api/health").status == 200

    def test_who_says_nothing_is_cut_off(self, api: ApiServer) -> None:
        with api.connect() as quiet, api.connect() as idle:
            idle.sendall(GET + b"\r\n")
            assert read_one(idle).status == 200
            assert (read_all(quiet), read_all(idle)) == (b"", b"")

    def test_a_kept_connection_ends_between_two_requests(self, api: ApiServer) -> None:
        with api.connect() as sock:
            for _ in range(100):
                try:
                    sock.sendall(GET + b"\r\n")
                    if not sock.recv(1, socket.MSG_PEEK):
                        break
                except ConnectionError:
                    break
                assert read_one(sock).status == 200
                time.sleep(0.05)
            else:
                pytest.fail("it never ended")

    def test_who_dribbles_does_not_keep_a_good_client_waiting(self, api: ApiServer) -> None:
        with ExitStack() as stack:
            slow = [stack.enter_context(api.connect()) for _ in range(50)]
            for letter in b"GET /api":
                for sock in slow:
                    with suppress(OSError):
                        sock.sendall(bytes([letter]))
                assert api.ask("/api/status").status == 200

    def test_who_takes_no_answer_is_cut_off(self, api: ApiServer) -> None:
        with api.connect() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            for _ in range(3000):  # until it no longer fits into what lies between the two
                sock.sendall(GET + b"\r\n")
                channels = [one for one in api.serving._map.values() if isinstance(one, server.Channel)]
                if any(one.total_outbufs_len for one in channels):
                    break
            end = time.monotonic() + 20
            while api.serving._servers[0].active_channels and time.monotonic() < end:
                time.sleep(0.1)
            assert not api.serving._servers[0].active_channels

    def test_who_asks_for_much_ahead_and_takes_nothing_keeps_no_worker(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        much = answers.fixed("x" * 1_000_000)
        with viewed(monkeypatch, lambda _: much), ApiServer(load(tmp_path)) as api, ExitStack() as stack:
            for _ in range(4):
                stack.enter_context(api.connect()).sendall((GET.replace(b"status", b"peer") + b"\r\n") * 60)
            time.sleep(0.5)
            assert api.ask("/api/mesh").status == 200

    def test_urgent_data_ends_the_connection(self, api: ApiServer) -> None:
        with api.connect() as sock:
            sock.send(b"!", socket.MSG_OOB)
            with suppress(ConnectionResetError):
                assert read_all(sock) == b""


class TestMany:
    def test_good_clients_are_answered_while_hundreds_are_bad(self, api: ApiServer) -> None:
        with ExitStack() as stack:
            for number in range(400):
                sock = stack.enter_context(api.connect())
                sock.sendall((b"", b"GET /api/he", b"GET / HTTP/1.1\r\nX: ", GET)[number % 4])
            for _ in range(50):
                assert api.ask("/api/health").status == 200

    def test_near_the_limit_the_greediest_client_s_oldest_connections_go(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(server, "CONNECTIONS", 80)
        loaded = load(tmp_path)
        see(loaded, "shop")
        see(loaded, "blog")
        with ApiServer(loaded) as api, ExitStack() as stack:
            polite = stack.enter_context(socket.socket())
            polite.settimeout(30)
            polite.bind(("127.0.0.2", 0))
            polite.connect(("127.0.0.1", api.port))
            greedy = [stack.enter_context(api.connect()) for _ in range(200)]
            assert api.ask("/api/health").status == 200
            polite.sendall(GET + b"\r\n")
            assert read_one(polite).status == 200
            assert read_all(greedy[0]) == b""
            greedy[-1].sendall(GET + b"\r\n")
            assert read_one(greedy[-1]).status == 200

    def test_many_ask_at_once(self, api: ApiServer) -> None:
        statuses: list[int] = []

        def ask() -> None:
            with api.connect() as sock:
                for _ in range(20):
                    sock.sendall(GET + b"\r\n")
                    statuses.append(read_one(sock).status)

        threads = [threading.Thread(target=ask) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert statuses == [200] * 320


class TestStopping:
    def test_an_answer_that_is_being_made_arrives(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        begun = threading.Event()

        def slow(_: object) -> answers.Answer:
            begun.set()
            time.sleep(0.5)
            return answers.of({"slow": True})

        with viewed(monkeypatch, slow), ApiServer(load(tmp_path)) as api, api.connect() as sock:
            sock.sendall(GET.replace(b"status", b"peer") + b"\r\n")
            assert begun.wait(10)
            api.stopping.set()
            api.serving.wake()
            assert read_one(sock).json() == {"slow": True}
            assert read_all(sock) == b""

    def test_nobody_who_waits_keeps_it(self, api: ApiServer) -> None:
        with api.connect() as idle, api.connect() as half:
            half.sendall(GET)
            assert api.ask("/api/health").status == 200
            api.stopping.set()
            api.serving.wake()
            api.thread.join(10)
            assert not api.thread.is_alive()
            assert (read_all(idle), read_all(half)) == (b"", b"")
            with pytest.raises(OSError):
                api.ask("/api/health")


def test_waitress_says_nothing_of_its_own(api: ApiServer, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        for number in range(30):
            with api.connect() as sock:
                sock.sendall(GET[: number * 5])
        for data in (b"x\r\n\r\n", GET + b"\r\n", b"GET http://[::/ HTTP/1.1\r\n\r\n"):
            with api.connect() as sock:
                sock.sendall(data)  # and gone, without waiting for the answer
        assert json.loads(api.ask("/api/health").body)["status"] == "operational"
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
