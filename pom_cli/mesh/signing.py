"""A question to another instance and its answer, each signed with a token that both know (HMAC-SHA256, RFC 2104).

The token itself is never sent. An answer is signed over the nonce of its question, so an older answer cannot be
replayed. Pure but for `fresh`.
"""

import hmac
import re
import secrets
from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

NONCE, SIGNATURE = "X-PoM-Nonce", "X-PoM-Signature"
SCHEME = "PoM-HMAC-SHA256"  # in WWW-Authenticate: a peer that sends it understands signatures
MOST_TOKENS = 4  # of a rotation, so that no request grows without limit
_NONCE = re.compile(r"[0-9a-f]{32}")
_SIGNATURE = re.compile(r"[0-9a-f]{64}")


class Question(NamedTuple):
    """What is asked. `path` is exactly as in the request, including the query."""

    method: str
    path: str
    nonce: str


def fresh(method: str, path: str) -> Question:
    """A question that was never asked before."""
    return Question(method, path, secrets.token_hex(16))


def canonical(*parts: str | bytes) -> bytes:
    """The bytes that are signed. Each part is preceded by its length, so no two lists of parts look the same."""
    found = b""
    for part in parts:
        data = part if isinstance(part, bytes) else part.encode("utf-8", "surrogateescape")
        found += b"%d:%s" % (len(data), data)
    return found


def ask(tokens: Iterable[str], question: Question) -> str:
    """The question's signatures, one for each token: which of them the other side knows is not known here."""
    return ",".join(_of_question(token, question) for token in list(tokens)[:MOST_TOKENS])


def asker(tokens: Iterable[str], question: Question, signatures: str) -> str:
    """The token of ours that the question was signed with, "" for none: it is not authenticated."""
    given = [one.strip() for one in signatures.split(",", MOST_TOKENS)[:MOST_TOKENS]]
    if not _NONCE.fullmatch(question.nonce) or not all(map(_SIGNATURE.fullmatch, given)):
        return ""
    return next((token for token in tokens if any(_same(_of_question(token, question), one) for one in given)), "")


def answer(token: str, question: Question, status: int, body: bytes) -> str:
    """The signature of an answer to this question."""
    return _sign(token, "answer", *question, str(status), sha256(body).digest())


def doubt(
    tokens: Iterable[str], question: Question, status: int, body: bytes, nonce: str | None, signature: str | None
) -> str:
    """Why this answer cannot be trusted: `unsigned`, `forged` or `replayed`; "" where it can.

    `nonce` and `signature` are what came with it: an answer that is genuine for another nonce is an older one.
    """
    if not nonce or not signature:
        return "unsigned"
    meant = question._replace(nonce=nonce)
    if not any(_same(answer(token, meant, status, body), signature) for token in tokens):
        return "forged"
    return "" if _same(nonce, question.nonce) else "replayed"


def _of_question(token: str, question: Question) -> str:
    return _sign(token, "question", *question, sha256(b"").digest())  # it has no body


def _sign(token: str, *parts: str | bytes) -> str:
    key = token.encode("utf-8", "surrogateescape")
    return hmac.new(key, canonical("PoM 1", *parts), sha256).hexdigest()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))
