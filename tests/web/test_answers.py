"""Answers as data: their JSON, their ETag, their headers."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pom_cli.web import answers

STATUS = {
    "generated_at": "2026-11-24T06:00:00Z",
    "status": "operational",
    "targets": [{"name": "shop", "uptime": {"24h": {"percent": 99.93, "coverage": 0.4012, "maintenance": 0.0}}}],
    "incident": {"duration_s": 12},
    "checks": {"health": {"age_s": 3, "overdue": False}},
}
NAMES = st.text(st.characters(codec="utf-8"), max_size=5)


def changed(**more: object) -> dict[str, object]:
    return {**json.loads(json.dumps(STATUS)), **more}


def test_the_etag_stands_still_while_only_the_clock_runs() -> None:
    later = changed(
        generated_at="2026-11-24T06:00:09Z",
        targets=[{"name": "shop", "uptime": {"24h": {"percent": 99.931, "coverage": 0.4013, "maintenance": 0.0}}}],
        incident={"duration_s": 21},
        checks={"health": {"age_s": 12, "overdue": False}},
    )
    assert answers.tag(later) == answers.tag(STATUS)


@pytest.mark.parametrize(
    "other",
    [
        changed(status="error"),
        changed(targets=[]),
        changed(checks={"health": {"age_s": 3, "overdue": True}}),
        changed(
            targets=[{"name": "shop", "uptime": {"24h": {"percent": 98.2, "coverage": 0.4012, "maintenance": 0.0}}}]
        ),
        changed(targets=[{"name": "shop", "uptime": {"24h": {"percent": None, "coverage": 0.0, "maintenance": 0.0}}}]),
    ],
)
def test_the_etag_changes_with_anything_else(other: dict[str, object]) -> None:
    assert answers.tag(other) != answers.tag(STATUS)


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("{etag}", 304),
        ('"other", {etag}', 304),
        ("{strong}", 304),  # a GET compares weakly
        ("*", 304),
        ('W/"other"', 200),
        ("", 200),
        ("garbage, , W/", 200),
    ],
)
def test_what_the_client_has_already_is_not_sent_again(header: str, status: int) -> None:
    answer = answers.of(STATUS)
    text = header.format(etag=answer.etag, strong=answer.etag.removeprefix("W/"))
    found = answers.conditional(answer, text)
    assert (found.status, found.body) == (status, b"" if status == 304 else answer.body)
    assert found.etag == answer.etag


def test_an_error_is_always_sent() -> None:
    assert answers.conditional(answers.of({"status": "degraded"}, 503), "*").status == 503
    assert answers.conditional(answers.error(401, "no"), "*").status == 401


@given(st.lists(st.dictionaries(NAMES, st.integers() | NAMES, max_size=3), max_size=5))
def test_a_list_put_together_piece_by_piece_is_the_same_json(rows: list[dict[str, object]]) -> None:
    assert answers.of_rows(rows).body == json.dumps(rows).encode()


def test_nothing_that_json_does_not_know_is_sent() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        answers.of({"latency_ms": float("nan")})


@pytest.mark.parametrize("answer", [answers.of({}), answers.error(429, "later", ("Retry-After", "3")),
                                    answers.conditional(answers.of({}), "*")])  # fmt: skip
def test_every_answer_has_the_headers_that_all_have(answer: answers.Answer) -> None:
    status, headers = answers.head(answer)
    assert status.startswith(f"{answer.status} ")
    assert len(dict(headers)) == len(headers)
    assert dict(headers)["Cache-Control"] == "no-store"
    assert dict(headers)["X-Content-Type-Options"] == "nosniff"
    assert ("Content-Length" in dict(headers)) is (answer.status != 304)
    assert ("ETag" in dict(headers)) is bool(answer.etag)


def test_a_text_of_another_kind_is_another_answer() -> None:
    assert answers.of_text("x", "text/plain", 1).etag != answers.of_text("x", "text/html", 1).etag
