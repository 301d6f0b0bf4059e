"""Which path tells the health of a site."""

import pytest

from pom_cli.net.exchange import Answer
from pom_cli.setup.front_page import chosen, well_said

PAGE = b"<html>" + b"x" * 4000


def answer(body: bytes = b"", status: int = 200, kind: str = "text/plain", **more: object) -> Answer:
    return Answer(status, "", [("Content-Type", kind)], body, "/", "127.0.0.1", 0, 0, None, 0, 0, **more)  # type: ignore[arg-type]


GONE = answer(b"not found", 404)
JSON = "application/json; charset=utf-8"


@pytest.mark.parametrize(
    ("answers", "path"),
    [
        ([("/health", answer(b"ok"))], "/health"),
        ([("/health", answer(b"", 204))], "/health"),
        ([("/health", answer(b"fine")), ("/ping", answer(b'{"status":"ok"}'))], "/ping"),
        ([("/health", answer(PAGE)), ("/up", answer(b"<html>green</html>"))], "/up"),
        ([("/status", answer(b'{"version":1}')), ("/up", answer(b"ok"))], "/status"),
        ([("/up", answer(b"ok")), ("/status", answer(b'{"version":1}'))], "/status"),
        ([("/status", answer(PAGE))], ""),
        ([("/health", answer(b"ok", 301)), ("/up", answer(b"ok", 503)), ("/ping", answer(b"ok", 401))], ""),
        ([("/health", answer(b"o", flaw="the body was cut off")), ("/up", answer(b"o", truncated=True))], ""),
        ([], ""),
    ],
)
def test_the_path_that_tells_most_is_chosen(answers: list[tuple[str, Answer]], path: str) -> None:
    assert chosen(answers, GONE) == path


@pytest.mark.parametrize(
    ("health", "path"),
    [
        (answer(PAGE, kind="text/html"), ""),
        (answer(b"<html>the page is /health</html>", kind="text/html"), ""),
        (answer(b'{"status":"ok"}', kind=JSON), "/health"),
    ],
)
def test_a_site_that_answers_200_to_everything_must_answer_otherwise_there(health: Answer, path: str) -> None:
    assert chosen([("/health", health)], answer(PAGE, kind="text/html; charset=utf-8")) == path


def test_an_api_that_says_ok_to_everything_has_no_health_path() -> None:
    everything = answer(b'{"status":"ok"}', kind=JSON)
    assert chosen([("/health", everything)], everything) == ""


def test_where_it_is_not_known_what_a_wrong_path_gives_there_is_none() -> None:
    assert chosen([("/health", answer(b"ok"))], None) == ""


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"status": "ok"}', {"status": "ok"}),
        (b'{"version": 1, "status": "UP", "checks": []}', {"status": "UP"}),
        (b'{"state": "operational"}', {"state": "operational"}),
        (b'{"health": "pass"}', {"health": "pass"}),
        (b'{"status": "degraded", "state": "healthy"}', {"state": "healthy"}),
        (b'{"ok": true}', {"ok": True}),
        (b'{"healthy": true}', {"healthy": True}),
        (b'{"ok": 1}', {}),
        (b'{"ok": false}', {}),
        (b'{"status": "degraded"}', {}),
        (b'{"status": "ok \\n[evil]"}', {}),
        (b'{"status": {"status": "ok"}}', {}),
        (b'{"status": 200}', {}),
        (b'["status", "ok"]', {}),
        (b'"ok"', {}),
        (b"ok", {}),
        (b"", {}),
        (b"\xff\xfe", {}),
        (b"[" * 100_000, {}),
        (b'{"n": ' + b"9" * 10_000 + b"}", {}),
    ],
)
def test_a_field_counts_only_where_it_says_plainly_that_all_is_well(body: bytes, field: dict[str, object]) -> None:
    assert well_said(body) == field
