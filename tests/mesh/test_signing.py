"""Signatures of questions and answers: what they prove, and that nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pom_cli.mesh import signing
from pom_cli.mesh.signing import Question

QUESTION = Question("GET", "/api/peer", "0" * 32)
texts = st.text(max_size=20)
tokens = st.text(min_size=1, max_size=40)


@given(st.lists(texts | st.binary(max_size=20)), st.lists(texts | st.binary(max_size=20)))
def test_no_two_lists_of_parts_are_signed_as_the_same_bytes(one: list[str | bytes], other: list[str | bytes]) -> None:
    bare = [[part.encode() if isinstance(part, str) else part for part in parts] for parts in (one, other)]
    assert (signing.canonical(*one) == signing.canonical(*other)) == (bare[0] == bare[1])


@pytest.mark.parametrize(
    ("ours", "theirs", "found"),
    [
        (["one"], ["one"], "one"),
        (["new", "old"], ["old"], "old"),
        (["old"], ["new", "old"], "old"),
        (["new", "old"], ["old", "older"], "old"),
        (["old", "new"], ["new", "old"], "new"),
        (["one"], ["other"], ""),
        ([], ["one"], ""),
        (["one"], [], ""),
    ],
)
def test_whoever_shares_a_token_is_known_by_it(ours: list[str], theirs: list[str], found: str) -> None:
    question = signing.fresh("GET", "/api/peer")
    assert signing.asker(theirs, question, signing.ask(ours, question)) == found
    if found:
        signature = signing.answer(found, question, 200, b"{}")
        assert signing.doubt(ours, question, 200, b"{}", question.nonce, signature) == ""


@given(tokens, st.sampled_from(("GET", "HEAD")), texts, st.sampled_from(QUESTION), texts)
def test_a_question_is_good_for_itself_alone(token: str, method: str, path: str, field: str, other: str) -> None:
    question = Question(method, path, "a" * 32)
    signatures = signing.ask([token], question)
    assert signing.asker([token], question, signatures) == token
    for name in Question._fields:
        if getattr(question, name) != other:
            assert signing.asker([token], question._replace(**{name: other}), signatures) == ""
    if field != token:
        assert signing.asker([field], question, signatures) == ""


@given(st.text(max_size=300), st.text(max_size=40))
def test_whatever_stands_in_the_headers_proves_nothing_and_breaks_nothing(signatures: str, nonce: str) -> None:
    assert signing.asker(["token"], QUESTION, signatures) == ""
    assert signing.asker(["token"], QUESTION._replace(nonce=nonce), signatures) == ""
    assert signing.doubt(["token"], QUESTION, 200, b"{}", nonce, signatures) in ("unsigned", "forged")


@given(st.binary(max_size=60), st.integers(0, 59), st.integers(1, 255))
def test_an_answer_with_one_bit_changed_is_forged(body: bytes, place: int, change: int) -> None:
    signature = signing.answer("token", QUESTION, 200, body)
    assert signing.doubt(["token"], QUESTION, 200, body, QUESTION.nonce, signature) == ""
    assert signing.doubt(["token"], QUESTION, 503, body, QUESTION.nonce, signature) == "forged"
    assert signing.doubt(["token"], QUESTION, 200, body + b" ", QUESTION.nonce, signature) == "forged"
    if place < len(body):
        other = body[:place] + bytes([body[place] ^ change]) + body[place + 1 :]
        assert signing.doubt(["token"], QUESTION, 200, other, QUESTION.nonce, signature) == "forged"


def test_an_older_answer_is_known_as_one() -> None:
    older, newer = signing.fresh("GET", "/api/peer"), signing.fresh("GET", "/api/peer")
    signature = signing.answer("token", older, 200, b"{}")
    assert signing.doubt(["token"], newer, 200, b"{}", older.nonce, signature) == "replayed"
    assert signing.doubt(["token"], newer, 200, b"{}", newer.nonce, signature) == "forged", "under a new nonce"
    assert signing.doubt(["token"], newer, 200, b"{}", None, signature) == "unsigned"


def test_a_question_is_no_answer() -> None:
    """Sent back, it proves nothing: both are signed with the same token."""
    signature = signing.ask(["token"], QUESTION)
    assert signing.doubt(["token"], QUESTION, 200, b"", QUESTION.nonce, signature) == "forged"


def test_a_request_has_room_for_so_many_tokens_and_no_more() -> None:
    known = [f"token {number}" for number in range(9)]
    signatures = signing.ask(known, QUESTION)
    assert signatures.count(",") == signing.MOST_TOKENS - 1
    assert signing.asker(known[3:], QUESTION, signatures) == known[3]
    assert signing.asker(known[4:], QUESTION, signatures) == ""
