import itertools
import socket
import threading
from collections.abc import Iterable

import pytest
from certificates import authority, issue
from web_server import CLOSE, HANG, RESET, Step, WebServer, answer, head, redirect

from pom_cli.net import lanes
from pom_cli.net.client import Client
from pom_cli.net.exchange import Answer, Origin
from pom_cli.net.faults import Fault
from pom_cli.net.lanes import longest, walk

SOON = 0.3  # seconds: a deadline that the test waits for
OK = answer(200, b"hello")


def paths(count: int) -> list[str]:
    return [f"/{number}" for number in range(count)]


def ask(server: WebServer, asked: list[str], seconds: float = 5.0) -> list[Answer | Fault]:
    scheme = "https" if server.tls else "http"
    return walk(Origin(scheme, server.host, server.port), asked, Client(seconds, verify=False))


def told(outcomes: list[Answer | Fault]) -> list[int | str]:
    return [one.reason if isinstance(one, Fault) else one.status for one in outcomes]


def serve(server: WebServer, asked: list[str], script: Iterable[Step]) -> None:
    for path in asked:
        server.on(path, list(script))


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """One lane is enough, however busy this machine is."""
    monkeypatch.setattr(lanes, "ALONE_S", 60.0)


@pytest.mark.usefixtures("alone")
class TestOneLane:
    def test_fast_answers_come_over_one_kept_connection_in_the_order_of_the_paths(self, server: WebServer) -> None:
        asked = paths(30)
        for number, path in enumerate(asked):
            server.on(path, answer(500 + number, b"x" * number))
        assert told(ask(server, asked)) == list(range(500, 530))
        assert server.connections == 1
        assert server.paths() == asked

    def test_what_is_sent_is_a_get_with_the_headers_of_the_config(self, server: WebServer) -> None:
        server.on("/a?b=c", OK)
        walk(Origin("http", server.host, server.port), ["/a?b=c"], Client(headers={"Accept": "text/html"}))
        assert server.requests[0].method == "GET"
        assert server.requests[0].headers["accept"] == "text/html"
        assert "connection" not in server.requests[0].headers

    def test_bodies_are_read_and_not_kept(self, server: WebServer) -> None:
        serve(server, paths(2), OK)
        outcomes = ask(server, paths(2))
        assert [one.body for one in outcomes if isinstance(one, Answer)] == [b"", b""]
        assert server.connections == 1

    def test_redirects_are_answers(self, server: WebServer) -> None:
        server.on("/old", redirect("/new"))
        assert told(ask(server, ["/old"])) == [302]
        assert server.paths() == ["/old"]

    def test_nothing_to_ask_asks_nothing(self, server: WebServer) -> None:
        assert ask(server, []) == []
        assert server.connections == 0

    def test_a_mistake_of_ours_is_raised_to_whoever_waits(self, server: WebServer) -> None:
        with pytest.raises(ValueError, match="not fit for a request"):
            ask(server, ["/a b", "/c"])


@pytest.mark.usefixtures("alone")
class TestKeptConnection:
    def test_a_server_may_close_after_each_answer(self, server: WebServer) -> None:
        serve(server, paths(5), [head(200, {"Connection": "close", "Content-Length": "0"}), CLOSE])
        assert told(ask(server, paths(5))) == [200] * 5
        assert server.connections == 5

    def test_one_that_the_server_closed_without_saying_so_is_no_fault(self, server: WebServer) -> None:
        serve(server, paths(5), [*OK, CLOSE])
        assert told(ask(server, paths(5))) == [200] * 5
        assert server.paths() == paths(5)

    @pytest.mark.parametrize("end", [CLOSE, RESET])
    def test_one_that_ends_as_the_request_arrives_is_tried_once_more_on_a_fresh_one(
        self, server: WebServer, end: Step
    ) -> None:
        server.on("/first", OK)
        server.on("/second", [end], OK)
        server.on("/third", OK)
        assert told(ask(server, ["/first", "/second", "/third"])) == [200, 200, 200]
        assert server.paths() == ["/first", "/second", "/second", "/third"]
        assert [request.connection for request in server.requests] == [1, 1, 2, 2]

    def test_a_fresh_one_that_ends_without_an_answer_is_a_fault_at_once(self, server: WebServer) -> None:
        server.on("/", [CLOSE])
        assert told(ask(server, ["/"])) == ["connection closed without an answer"]
        assert len(server.requests) == 1

    def test_a_path_that_ends_every_connection_is_a_fault_of_its_own(self, server: WebServer) -> None:
        serve(server, ["/a", "/c"], OK)
        server.on("/b", [RESET])
        assert told(ask(server, ["/a", "/b", "/c"])) == [200, "connection reset", 200]

    def test_a_kept_connection_that_timed_out_is_asked_again_on_a_fresh_one(self, server: WebServer) -> None:
        server.on("/a", OK)
        server.on("/b", answer(408, b"", {"Connection": "close"}), OK)  # RFC 9110, section 15.5.9
        server.on("/c", answer(408))
        assert told(ask(server, ["/a", "/b"])) == [200, 200]
        assert told(ask(server, ["/c"])) == [408]

    def test_an_answer_that_breaks_off_is_not_asked_again(self, server: WebServer) -> None:
        server.on("/a", OK)
        server.on("/b", [b"HTTP/1.1 200 OK\r\nContent-", CLOSE])
        assert told(ask(server, ["/a", "/b"])) == [200, "no HTTP that can be read: the headers were cut off"]
        assert server.paths() == ["/a", "/b"]

    def test_more_than_was_asked_for_is_not_taken_for_the_next_answer(self, server: WebServer) -> None:
        server.on("/a", [answer(200, b"hello")[0] + answer(500)[0]])
        server.on("/b", OK)
        assert told(ask(server, ["/a", "/b"])) == [200, 200]
        assert server.connections == 2

    def test_it_is_kept_over_tls_too(self) -> None:
        with WebServer(tls=issue(authority())) as server:
            serve(server, paths(5), OK)
            assert told(ask(server, paths(5))) == [200] * 5
            assert server.connections == 1


class TestSlowAnswers:
    def test_they_open_further_connections_but_few(self, server: WebServer) -> None:
        serve(server, paths(16), [0.12, *OK])
        assert told(ask(server, paths(16))) == [200] * 16
        assert 1 < server.connections <= lanes.MOST

    def test_a_path_that_hangs_is_a_fault_of_its_own(self, server: WebServer) -> None:
        serve(server, paths(20), OK)
        server.on("/7", [HANG])
        expected: list[int | str] = [200] * 20
        expected[7] = f"no answer within {SOON:g} s"
        assert told(ask(server, paths(20), SOON)) == expected
        assert server.connections <= lanes.MOST + 1

    def test_a_path_that_drips_is_a_fault_of_its_own(self, server: WebServer) -> None:
        server.on("/drip", [b"HTTP/1.1 200 OK\r\n", *[b"x", 0.05] * 40])
        server.on("/", OK)
        assert told(ask(server, ["/drip", "/"], SOON)) == [f"no complete answer within {SOON:g} s", 200]

    def test_where_every_path_hangs_each_is_asked_all_the_same(self, server: WebServer) -> None:
        serve(server, paths(10), [HANG])
        assert told(ask(server, paths(10), SOON)) == [f"no answer within {SOON:g} s"] * 10
        assert sorted(server.paths()) == sorted(paths(10))

    def test_what_could_not_be_asked_in_time_is_unknown_and_says_so(self, server: WebServer) -> None:
        serve(server, paths(40), [HANG])
        outcomes = ask(server, paths(40), 0.1)
        assert len(server.paths()) < 40
        assert outcomes[0] == Fault("headers", "no answer within 0.1 s")
        assert outcomes[-1] == Fault("connect", "not asked: the paths before it took too long", "ours")

    @pytest.mark.parametrize(("count", "seconds"), [(1, 10.0), (20, 10.0), (100, 10.0), (3, 0.1)])
    def test_a_walk_is_bounded_by_far_less_than_its_paths_one_by_one(self, count: int, seconds: float) -> None:
        assert 2 * seconds < longest(count, seconds) <= 4 * seconds + count * seconds / 20


class TestUnreachable:
    def test_a_refused_connection_is_the_fault_of_every_path(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        outcomes = walk(Origin("http", "127.0.0.1", port), paths(50), Client())
        assert outcomes == [Fault("connect", "connection refused")] * 50

    def test_a_handshake_that_never_ends_is_waited_for_once(self) -> None:
        with WebServer(tls=issue(authority()), greeting=[HANG]) as server:
            outcomes = ask(server, paths(20), SOON)
            assert outcomes == [Fault("tls", f"no answer within {SOON:g} s")] * 20
            assert server.connections == 1

    def test_an_untrusted_certificate_is_the_fault_of_every_path(self) -> None:
        with WebServer(tls=issue(None)) as server:
            outcomes = walk(Origin("https", server.host, server.port), paths(5), Client())
            assert outcomes == [Fault("tls", "self-signed certificate", "certificate")] * 5

    def test_a_server_that_goes_away_in_the_middle_is_the_fault_of_what_is_left(self) -> None:
        listener = socket.create_server(("127.0.0.1", 0))

        def answer_two() -> None:
            sock, _ = listener.accept()
            listener.close()
            for _ in range(2):
                sock.recv(65536)
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            sock.close()

        origin = Origin("http", "127.0.0.1", listener.getsockname()[1])
        server = threading.Thread(target=answer_two)
        server.start()
        assert told(walk(origin, paths(5), Client())) == [200, 200, *["connection refused"] * 3]
        server.join()

    def test_a_server_that_takes_one_connection_only_is_asked_over_that_one(self) -> None:
        connections = itertools.count()
        with WebServer(tls=issue(authority()), greeting=lambda: [] if next(connections) == 0 else [CLOSE]) as server:
            serve(server, paths(16), [0.06, *OK])
            assert told(ask(server, paths(16))) == [200] * 16
            assert 1 < server.connections <= lanes.MOST
