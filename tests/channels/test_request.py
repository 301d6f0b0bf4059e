import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from web_server import CLOSE, RESET, WebServer, answer, drip, endless, head

from pom_cli.channels import postmark, webhook
from pom_cli.channels.request import Answer, Request, Unanswered, _seconds, ask
from pom_cli.model import Mail, Outcome
from pom_cli.net import http
from pom_cli.net.net import Deadline

MAIL = Mail("0f8c-1", "ops@example.com", "[PoM a] shop", "down\n", {"instance": "a", "notices": []})


def fetch(url: str, limit: int = 1000, seconds: float = 10) -> Answer | Unanswered:
    with requests.Session() as session:
        return ask(session, Request("GET", url, {}, limit=limit), Deadline.after(seconds))


def test_an_answer_comes_back_with_its_status_and_the_beginning_of_its_body() -> None:
    with WebServer() as server:
        server.on("/", answer(503, "x" * 2000, {"Retry-After": "30"}))
        assert fetch(server.url()) == Answer(503, b"x" * 1000, 30)


def test_an_endless_body_is_cut_and_a_body_that_nobody_wants_is_not_read() -> None:
    with WebServer() as server:
        server.on("/", endless(head(200)))
        assert fetch(server.url()) == Answer(200, b"x" * 1000)
        assert fetch(server.url(), limit=0) == Answer(200)


def test_a_body_that_is_cut_off_is_no_answer() -> None:
    with WebServer() as server:
        server.on("/", [*answer(200, "x", length=9), CLOSE])
        fetched = fetch(server.url())
    assert isinstance(fetched, Unanswered)
    assert fetched.arrived
    assert server.url() not in fetched.error


@pytest.mark.parametrize("script", [drip(head(200) * 9), drip(head(200, {"Content-Length": "999"}) + b"x" * 999)])
def test_headers_and_bodies_that_drip_end_at_the_deadline(script: object) -> None:
    with WebServer() as server:
        server.on("/", script)  # type: ignore[arg-type]
        assert fetch(server.url(), seconds=0.4) == Unanswered("no answer within 0.4 s", arrived=True)


def test_a_name_that_takes_too_long_to_resolve_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()

    def hang(*args: object, **kwargs: object) -> list[object]:
        stop.wait(30)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    fetched = fetch("http://name.example/", seconds=0.2)
    stop.set()
    assert fetched == Unanswered("no answer within 0.2 s", arrived=True)


def test_a_name_that_does_not_resolve_is_certain_not_to_have_been_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    assert fetch("http://name.example/") == Unanswered("name or service not known", arrived=False)


def test_a_connection_that_is_reset_may_have_taken_the_request() -> None:
    with WebServer() as server:
        server.on("/", [RESET])
        assert fetch(server.url()) == Unanswered("connection reset", arrived=True)


def test_what_goes_wrong_in_our_own_code_is_raised_to_the_caller() -> None:
    with requests.Session() as session, pytest.raises(TypeError):
        ask(session, Request("GET", "http://127.0.0.1/", {}, params=None), Deadline.after(5))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7), (" 0 ", 0), ("99999999999999999999", 3600), ("-1", None), ("²", None), ("", None)]
)
def test_retry_after_is_read_in_seconds(header: str, seconds: int | None) -> None:
    assert _seconds(header) == seconds


@given(st.text())
def test_retry_after_is_never_more_than_an_hour_whatever_it_says(header: str) -> None:
    assert (_seconds(header) or 0) in range(3601)


class TestWhatTheEnvironmentMayDecide:
    """For each way out over HTTP: `~/.netrc` nothing, the proxy variables which way it goes."""

    @pytest.fixture(params=["webhook", "postmark"])
    def send(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Outcome]:
        for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.upper(), raising=False)

        def to(url: str) -> Outcome:
            if request.param == "webhook":
                return webhook.send([MAIL], webhook.Settings(url), "pom@example.com", "", 5)[0]
            return postmark.send([MAIL], postmark.Settings(url=url), "pom@example.com", "token", 5)[0]

        return to

    @pytest.mark.parametrize("variable", ["HOME", "NETRC"])
    def test_no_password_of_netrc_is_sent(
        self, send: Callable[[str], Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
    ) -> None:
        netrc = tmp_path / ".netrc"
        netrc.write_text("machine 127.0.0.1 login ada password hush\ndefault login ada password hush\n")
        netrc.chmod(0o600)
        monkeypatch.setenv(variable, str(tmp_path if variable == "HOME" else netrc))
        with WebServer() as server:
            send(server.url())
        assert server.requests
        assert [request for request in server.requests if "authorization" in request.headers] == []

    def test_a_proxy_of_the_environment_is_used(
        self, send: Callable[[str], Outcome], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with WebServer() as proxy:
            monkeypatch.setenv("HTTP_PROXY", proxy.url())
            send("http://mail.example.com")
        assert [path.startswith("http://mail.example.com/") for path in proxy.paths()] == [True]

    def test_a_host_that_no_proxy_names_is_asked_directly(
        self, send: Callable[[str], Outcome], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        with WebServer() as server:
            send(server.url())
        assert server.requests

    def test_a_proxy_that_is_not_there_is_certain_not_to_have_passed_it_on(
        self, send: Callable[[str], Outcome], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            monkeypatch.setenv("HTTP_PROXY", f"http://ada:hush@127.0.0.1:{listener.getsockname()[1]}")
        outcome = send("http://mail.example.com")
        assert outcome.error and outcome.error.endswith("connection refused")
        assert (outcome.unsure, "hush" in outcome.error) == (False, False)


def test_a_check_takes_no_proxy_and_no_netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".netrc").write_text("default login ada password hush\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with WebServer() as server:
        server.on("/", answer(200))
        assert http.fetch(server.url(), {}, Deadline.after(5)).status == 200
    assert "authorization" not in server.requests[0].headers
