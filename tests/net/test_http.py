import socket
from typing import Any

import pytest
from certificates import authority, issue
from web_server import HANG, Script, WebServer, answer, drip, head, redirect

from pom_cli.net.exchange import Answer
from pom_cli.net.http import fetch
from pom_cli.net.net import Deadline, Fault, NoAnswer
from pom_cli.net.redirects import Policy

SOON = 0.4  # seconds: a deadline that the test waits for


def get(url: str, headers: dict[str, str] | None = None, seconds: float = 60.0, **more: Any) -> Answer:
    return fetch(url, headers or {}, Deadline.after(seconds), **more)


class TestFetch:
    def test_it_asks_for_path_and_query_with_the_right_host(self, server: WebServer) -> None:
        server.on("/health?full=%C3%A4", answer(200, b"hello"))
        got = get(server.url("/health?full=ä"))
        assert (got.status, got.body, got.url) == (200, b"hello", server.url("/health?full=ä"))
        assert server.requests[0].headers["host"] == f"127.0.0.1:{server.port}"
        assert server.requests[0].headers["connection"] == "close"

    def test_an_ipv6_address_is_asked_in_brackets(self) -> None:
        with WebServer(host="::1") as server:
            server.on("/", answer(200))
            assert get(server.url("/")).address == "::1"
            assert server.requests[0].headers["host"] == f"[::1]:{server.port}"

    def test_a_name_is_resolved_and_its_time_counted(self, server: WebServer) -> None:
        server.on("/", answer(200))
        got = get(server.url("/", "localhost"))
        assert got.address == "127.0.0.1"
        assert got.total_ms >= got.dns_ms + got.connect_ms + got.first_byte_ms

    def test_an_international_name_is_asked_in_its_wire_form(
        self, server: WebServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = []

        def fake(host: bytes, port: int, type: int = 0, flags: int = 0) -> list[Any]:
            asked.append(host)
            if flags & socket.AI_NUMERICHOST:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return [(socket.AF_INET, type, 6, "", ("127.0.0.1", server.port))]

        monkeypatch.setattr(socket, "getaddrinfo", fake)
        server.on("/", answer(200))
        get(server.url("/", "bücher.example.com"))
        assert set(asked) == {b"xn--bcher-kva.example.com"}
        assert server.requests[0].headers["host"] == f"xn--bcher-kva.example.com:{server.port}"

    def test_https_is_verified_and_timed(self, roots: str) -> None:
        with WebServer(tls=issue(authority())) as server:
            server.on("/", answer(200, b"hello"))
            got = get(server.url("/"), ca_file=roots)
            assert got.body == b"hello"
            assert got.tls_ms is not None
            assert got.tls_ms > 0

    def test_an_untrusted_certificate_is_no_answer(self) -> None:
        with WebServer(tls=issue(None)) as server, pytest.raises(NoAnswer) as caught:
            get(server.url("/"))
        assert caught.value.fault == Fault("tls", "self-signed certificate", "certificate")
        assert server.requests == []

    def test_it_is_asked_all_the_same_without_verify(self) -> None:
        with WebServer(tls=issue(None)) as server:
            server.on("/", answer(200))
            assert get(server.url("/"), verify=False).status == 200

    def test_plain_http_on_a_tls_port_is_told(self) -> None:
        with WebServer(tls=issue(authority())) as server, pytest.raises(NoAnswer) as caught:
            get(server.url("/").replace("https", "http"))
        assert caught.value.fault.phase == "headers"


class TestRedirects:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    @pytest.mark.parametrize(
        "location", ["/there", "there", "//127.0.0.1:{port}/there", "http://127.0.0.1:{port}/there", " /there \t"]
    )
    def test_they_are_followed_within_the_host(self, server: WebServer, status: int, location: str) -> None:
        server.on("/", redirect(location.format(port=server.port), status))
        server.on("/there", answer(200, b"hello"))
        got = get(server.url("/"))
        assert (got.status, got.body, got.url) == (200, b"hello", server.url("/there"))

    def test_up_to_five_are_followed(self, server: WebServer) -> None:
        for number in range(5):
            server.on(f"/{number}", redirect(f"/{number + 1}"))
        server.on("/5", answer(200, b"hello"))
        assert get(server.url("/0")).body == b"hello"

    def test_a_loop_ends_after_five(self, server: WebServer) -> None:
        server.on("/", redirect("/"))
        got = get(server.url("/"))
        assert (got.status, got.unfollowed) == (302, "more than 5 redirects")
        assert len(server.requests) == 6

    @pytest.mark.parametrize(
        ("location", "told"),
        [
            ("http://other.example.com/", "redirect to another host, other.example.com"),
            ("//localhost/", "redirect to another host, localhost"),
            ("http://127.0.0.1.example.com/", "redirect to another host, 127.0.0.1.example.com"),
            ("http://user@other.example.com:99/", "redirect to another host, other.example.com"),
            ("http://[::bad/", "redirect to an unreadable address"),
            ("http://127.0.0.1:port/", "redirect to an unreadable address"),
            ("javascript:alert(1)", "redirect to an unreadable address"),
            ("https://", "redirect to an unreadable address"),
            ("", "redirect without a Location"),
        ],
    )
    def test_others_are_told_and_not_followed(self, server: WebServer, location: str, told: str) -> None:
        server.on("/", redirect(location))
        got = get(server.url("/"))
        assert (got.status, got.unfollowed) == (302, told)
        assert len(server.requests) == 1

    def test_one_without_a_location_is_told(self, server: WebServer) -> None:
        server.on("/", answer(302))
        assert get(server.url("/")).unfollowed == "redirect without a Location"

    def test_a_status_that_is_expected_is_the_answer(self, server: WebServer) -> None:
        server.on("/", redirect("/there", 301))
        got = get(server.url("/"), policy=Policy(final=(301,)))
        assert (got.status, got.unfollowed) == (301, None)
        assert server.paths() == ["/"]

    @pytest.mark.parametrize("status", [300, 304])
    def test_other_statuses_of_the_kind_are_answers(self, server: WebServer, status: int) -> None:
        server.on("/", redirect("/there", status))
        got = get(server.url("/"))
        assert (got.status, got.unfollowed) == (status, None)

    def test_the_body_of_a_redirect_is_not_awaited(self, server: WebServer) -> None:
        server.on("/", [head(302, {"Location": "/there", "Content-Length": "1000"}), HANG])
        server.on("/there", answer(200))
        assert get(server.url("/")).status == 200

    def test_a_location_beyond_ascii_is_read_as_utf_8(self, server: WebServer) -> None:
        server.on("/", [b"HTTP/1.1 302 Found\r\nLocation: /k\xc3\xa4se\r\nContent-Length: 0\r\n\r\n"])
        server.on("/k%C3%A4se", answer(200))
        assert get(server.url("/")).status == 200

    def test_all_of_them_share_one_deadline(self, server: WebServer) -> None:
        server.on("/", [0.3, *redirect("/")])
        with pytest.raises(NoAnswer, match=r"within 0\.4 s"):
            get(server.url("/"), seconds=SOON)

    def test_the_total_is_of_all_hops(self, server: WebServer) -> None:
        server.on("/", [0.1, *redirect("/there")])
        server.on("/there", answer(200))
        got = get(server.url("/"))
        assert got.total_ms > 90
        assert got.first_byte_ms < 90

    @pytest.mark.parametrize("script", [[HANG], drip(head(200) + b"x" * 100)], ids=["silence", "drip"])
    def test_a_hop_that_never_ends_is_no_answer(self, server: WebServer, script: Script) -> None:
        server.on("/", redirect("/there"))
        server.on("/there", script)
        with pytest.raises(NoAnswer, match=r"within 0\.4 s"):
            get(server.url("/"), seconds=SOON)


class TestSecrets:
    HEADERS = {"Authorization": "Bearer secret"}  # noqa: RUF012 - never changed

    def test_configured_headers_go_along_within_the_origin(self, server: WebServer) -> None:
        server.on("/", redirect("/there"))
        server.on("/there", answer(200))
        get(server.url("/"), self.HEADERS)
        assert [request.headers.get("authorization") for request in server.requests] == ["Bearer secret"] * 2

    def test_they_are_dropped_where_the_port_changes(self, server: WebServer) -> None:
        with WebServer() as other:
            server.on("/", redirect(other.url("/there")))
            other.on("/there", redirect(server.url("/back")))
            server.on("/back", answer(200))
            assert get(server.url("/"), self.HEADERS).status == 200
            assert "authorization" not in other.requests[0].headers
            assert "authorization" not in server.requests[1].headers

    def test_they_are_dropped_where_tls_is_lost(self, server: WebServer, roots: str) -> None:
        with WebServer(tls=issue(authority())) as secure:
            secure.on("/", redirect(server.url("/there")))
            server.on("/there", answer(200))
            assert get(secure.url("/"), self.HEADERS, ca_file=roots).status == 200
            assert "authorization" not in server.requests[0].headers

    def test_a_header_that_is_no_secret_goes_along_to_another_port(self, server: WebServer) -> None:
        with WebServer() as other:
            server.on("/", redirect(other.url("/there")))
            other.on("/there", answer(200))
            get(server.url("/"), {"user-agent": "probe/1", "Accept": "text/html", "X-Key": "k", "Cookie": "a=b"})
            sent = other.requests[0].headers
            assert (sent["user-agent"], sent["accept"]) == ("probe/1", "text/html")
            assert not {"x-key", "cookie"} & set(sent)


class TestCookies:
    def test_a_site_that_sets_one_before_it_lets_anybody_in_is_entered(self, server: WebServer) -> None:
        server.on(
            "/",
            [head(302, {"Location": "/", "Set-Cookie": "seen=1; Path=/; HttpOnly", "Content-Length": "0"})],
            answer(200, b"hello"),
        )
        assert get(server.url("/"), {"Cookie": "lang=en"}).body == b"hello"
        assert [request.headers.get("cookie") for request in server.requests] == ["lang=en", "lang=en; seen=1"]

    def test_tls_lost_on_the_way_is_noted(self, server: WebServer, roots: str) -> None:
        with WebServer(tls=issue(authority())) as secure:
            secure.on("/", redirect(server.url("/there")))
            server.on("/there", answer(200))
            assert get(secure.url("/"), ca_file=roots).downgraded
            server.on("/", redirect(server.url("/there")))
            assert not get(server.url("/")).downgraded
