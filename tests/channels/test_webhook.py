import json
import socket

import pytest
from web_server import CLOSE, HANG, RESET, WebServer, answer, drip, endless, head, redirect

from pom_cli.channels import webhook
from pom_cli.model import Mail, Outcome
from pom_cli.toml.table import Table

PATH = "/hook/secret-token?key=secret-token"


def mail(number: int = 1) -> Mail:
    payload = {"instance": "a", "notices": [{"target": "shop", "number": number, "summary": "down →"}]}
    return Mail(f"0f8c-{number}", "webhook", "[PoM a] shop", "down\n", payload)


def send(url: str, *mails: Mail, timeout: float = 10) -> list[Outcome]:
    outcomes = webhook.send(mails, webhook.Settings(url), "pom@example.com", "", timeout)
    assert [outcome.mail_id for outcome in outcomes] == [m.id for m in mails]
    assert not any("secret-token" in repr(outcome) for outcome in outcomes)
    return outcomes


@pytest.fixture
def server():
    with WebServer() as web:
        web.on(PATH, answer(200, "ok"))
        yield web


def test_a_notice_is_posted_as_json_with_a_key_that_tells_a_repetition(server: WebServer) -> None:
    assert send(server.url(PATH), mail()) == [Outcome("0f8c-1", provider_id="HTTP 200")]
    [request] = server.requests
    assert request.method == "POST"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["idempotency-key"] == "0f8c-1"
    assert json.loads(request.body) == mail().payload


def test_each_mail_is_a_request_of_its_own_with_an_answer_of_its_own(server: WebServer) -> None:
    server.on(PATH, answer(204), answer(410), answer(202))
    first, second, third = send(server.url(PATH), mail(1), mail(2), mail(3))
    assert (first.provider_id, third.provider_id) == ("HTTP 204", "HTTP 202")
    assert second == Outcome("0f8c-2", error=f"{server.url('')} answered HTTP 410", permanent=True)


@pytest.mark.parametrize(
    ("status", "permanent"),
    [
        (301, True),
        (304, True),
        (400, True),
        (401, True),
        (404, True),
        (408, False),
        (413, True),
        (425, False),
        (429, False),
        (500, False),
        (503, False),
        (599, False),
    ],
)
def test_what_the_endpoint_answers_passes_or_is_permanent(server: WebServer, status: int, permanent: bool) -> None:
    server.on(PATH, answer(status))
    [outcome] = send(server.url(PATH), mail())
    assert outcome.error == f"{server.url('')} answered HTTP {status}"
    assert (outcome.provider_id, outcome.permanent) == (None, permanent)


def test_a_redirect_is_not_followed(server: WebServer) -> None:
    server.on(PATH, redirect(server.url("/elsewhere"), 307))
    assert send(server.url(PATH), mail())[0].permanent
    assert server.paths() == [PATH]


def test_an_endpoint_that_asks_to_wait_is_left_in_peace(server: WebServer) -> None:
    server.on(PATH, answer(429, headers={"Retry-After": "120"}))
    outcomes = send(server.url(PATH), mail(1), mail(2))
    assert [(o.permanent, o.retry_after_s) for o in outcomes] == [(False, 120)] * 2
    assert len(server.requests) == 1


@pytest.mark.parametrize("script", [[CLOSE], [RESET], [b"HTTP/1.1 2"], [b"\x00\xff\r\n\r\n", CLOSE]])
def test_an_answer_that_is_none_passes_and_leaves_doubt(server: WebServer, script: list[object]) -> None:
    server.on(PATH, [*script, CLOSE])  # type: ignore[list-item]
    [outcome] = send(server.url(PATH), mail())
    assert outcome.error and outcome.error.startswith(f"no answer from {server.url('')}: ")
    assert (outcome.permanent, outcome.unsure) == (False, True)


@pytest.mark.parametrize("script", [[HANG], drip(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000)])
def test_an_endpoint_that_hangs_or_drips_is_left_at_the_deadline(server: WebServer, script: object) -> None:
    server.on(PATH, script)  # type: ignore[arg-type]
    first, second = send(server.url(PATH), mail(1), mail(2), timeout=0.4)
    assert (first.error, first.permanent, first.unsure) == (
        f"no answer from {server.url('')}: no answer within 0.4 s",
        False,
        True,
    )
    assert second == Outcome("0f8c-2", error=f"no answer from {server.url('')}: no time was left to ask")


def test_the_body_of_an_answer_is_nobodys_business(server: WebServer) -> None:
    server.on(PATH, endless(head(200)))
    assert send(server.url(PATH), mail())[0].provider_id == "HTTP 200"


def test_a_refused_connection_passes_and_is_certain() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = f"http://127.0.0.1:{listener.getsockname()[1]}"
    assert send(place + PATH, mail()) == [Outcome("0f8c-1", error=f"no answer from {place}: connection refused")]


@pytest.mark.parametrize("url", ["http://[::1]:1/secret-token", "http://a..b:1/secret-token", f"http://{'a' * 70}:1/"])
def test_the_place_of_a_fault_is_shown_without_the_path(url: str) -> None:
    [outcome] = send(url, mail())
    assert outcome.error and outcome.error.startswith(f"no answer from {url.rpartition('/')[0]}: ")
    assert not outcome.permanent


def test_without_a_url_it_is_a_permanent_fault() -> None:
    assert send("", mail()) == [Outcome("0f8c-1", error="webhook: no url is configured", permanent=True)]


def test_the_config_has_a_url_that_is_empty_where_there_is_no_table() -> None:
    problems: list[str] = []
    assert webhook.parse(Table({}, "alerts.webhook", problems)) == webhook.Settings("")
    url = "https://hooks.example.com/pom?key=a"
    assert webhook.parse(Table({"url": url}, "alerts.webhook", problems)) == webhook.Settings(url)
    assert problems == []


def test_mistakes_of_the_config_are_told_with_path_and_value() -> None:
    problems: list[str] = []
    webhook.parse(Table({"url": "hooks.example.com", "ulr": ""}, "alerts.webhook", problems))
    assert problems == [
        "alerts.webhook.url: 'hooks.example.com' is not a URL like https://hooks.example.com/pom",
        "alerts.webhook.ulr: unknown key; did you mean 'url'?",
    ]


def test_there_is_one_row_whoever_else_is_told() -> None:
    assert webhook.recipients(webhook.Settings(), ["a@example.com", "b@example.com"]) == ("webhook",)
