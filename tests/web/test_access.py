"""Tokens, and who is refused for whose mistakes."""

from __future__ import annotations

import pytest

from pom_cli.mesh import signing
from pom_cli.mesh.signing import Question
from pom_cli.web.access import CLIENTS, FAILURES, KEPT_S, Access, Caller, Once
from pom_cli.web.answers import Answer

CLIENT = "192.0.2.7"


def signed(*tokens: str, **changed: str) -> tuple[Question, str]:
    question = signing.fresh("GET", "/api/peer")
    return question._replace(**changed), signing.ask(tokens, question)


def guess(access: Access, now: float = 0.0) -> Answer:
    return access.refuse(access.caller("Bearer wrong"), CLIENT, now)


@pytest.mark.parametrize(
    ("header", "caller"),
    [
        ("Bearer new", Caller.TRUSTED),
        ("Bearer old", Caller.TRUSTED),  # both, while tokens are rotated
        ("bearer new", Caller.TRUSTED),
        ("BEARER  new ", Caller.TRUSTED),
        ("", Caller.NOBODY),
        ("Bearer", Caller.WRONG),
        ("Bearer ", Caller.WRONG),
        ("Bearer New", Caller.WRONG),
        ("Bearer new,old", Caller.WRONG),
        ("Bearer new, Bearer new", Caller.WRONG),
        ("Bearer newer", Caller.WRONG),
        ("Basic new", Caller.WRONG),
        ("new", Caller.WRONG),
        ("Bearer \u20ac", Caller.WRONG),
    ],
)
def test_what_the_header_proves(header: str, caller: Caller) -> None:
    assert Access(("new", "old"), 0).caller(header) is caller


def test_a_token_beyond_ascii_is_right_as_the_bytes_that_it_is_sent_as() -> None:
    access = Access(("schlüssel",), 0)
    assert access.caller("Bearer " + "schlüssel".encode().decode("latin-1")) is Caller.TRUSTED


@pytest.mark.parametrize("header", ["", "Bearer ", "Bearer", "Bearer None"])
def test_without_a_token_in_the_config_nothing_is_right(header: str) -> None:
    assert Access((), 0).caller(header) is not Caller.TRUSTED


def test_wrong_tokens_are_counted_and_then_refused_for_the_rest_of_the_minute() -> None:
    access = Access(("right",), 0)
    assert [guess(access).status for _ in range(FAILURES + 1)] == [401] * FAILURES + [429]
    assert dict(guess(access, now=20).headers)["Retry-After"] == "40"
    assert guess(access, now=60).status == 401


def test_a_right_token_is_never_refused_for_somebody_s_failures() -> None:
    access = Access(("right",), 60)
    for _ in range(100):
        access.spend(Caller.WRONG, CLIENT, 0)
        guess(access)
    assert access.spend(access.caller("Bearer right"), CLIENT, 0) is None


def test_having_no_token_is_no_attempt_at_one() -> None:
    access = Access(("right",), 0)
    assert {access.refuse(Caller.NOBODY, CLIENT, 0).status for _ in range(100)} == {401}


def test_everything_is_limited_even_with_a_right_token() -> None:
    access = Access(("right",), 60)
    refused = [access.spend(Caller.TRUSTED, CLIENT, 0) for _ in range(61)]
    assert refused[:60] == [None] * 60
    assert refused[60] is not None
    assert (refused[60].status, dict(refused[60].headers)["Retry-After"]) == (429, "60")


def test_a_401_names_the_scheme() -> None:
    assert ("WWW-Authenticate", "Bearer") in Access((), 0).refuse(Caller.NOBODY, CLIENT, 0).headers


@pytest.mark.parametrize(
    ("question", "proved"),
    [
        (signed("new"), (Caller.TRUSTED, "new")),
        (signed("old"), (Caller.TRUSTED, "old")),
        (signed("newer", "old"), (Caller.TRUSTED, "old")),
        (signed("newer"), (Caller.FORGED, "")),
        (signed("new", path="/api/status"), (Caller.FORGED, "")),
        (signed("new", method="HEAD"), (Caller.FORGED, "")),
        (signed("new", nonce="0" * 32), (Caller.FORGED, "")),
        (signed("new", nonce=""), (Caller.FORGED, "")),
    ],
)
def test_what_a_signature_proves(question: tuple[Question, str], proved: tuple[Caller, str]) -> None:
    assert Access(("new", "old"), 0).asker(*question, 0.0) == proved


def test_a_question_is_answered_once() -> None:
    access, question = Access(("right",), 0), signed("right")
    assert [access.asker(*question, now)[0] for now in (0.0, 1.0, KEPT_S - 1)] == [
        Caller.TRUSTED,
        Caller.REPEATED,
        Caller.REPEATED,
    ]


def test_refused_signatures_are_counted_as_wrong_tokens_are() -> None:
    access = Access(("right",), 60)
    for caller in (Caller.FORGED, Caller.REPEATED):
        assert access.refuse(caller, caller.value, 0).status == 401
        assert [access.refuse(caller, caller.value, 0).status for _ in range(FAILURES)][-1] == 429
    assert access.spend(access.asker(*signed("right"), 0.0)[0], Caller.FORGED.value, 0) is None


def test_the_401_of_a_signed_question_says_that_signatures_are_understood_here() -> None:
    assert ("WWW-Authenticate", signing.SCHEME) in Access((), 0).refuse(Caller.FORGED, CLIENT, 0).headers


def test_what_is_remembered_of_nonces_is_limited_in_number_and_in_time() -> None:
    once = Once(most=3)
    assert [once.use(key, 0.0) for key in "abcd"] == [True] * 4
    assert [once.use(key, 0.0) for key in "bcd"] == [False] * 3
    assert once.use("a", 1.0), "the first one made room"
    assert once.use("d", KEPT_S)
    assert list(once._used) == ["a", "d"], "what is too old is forgotten"
    assert Once()._most == CLIENTS
