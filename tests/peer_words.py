"""What a stand-in for a peer says over /api/peer."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from web_server import Request, Step, answer

from pom_cli import __version__
from pom_cli.mesh import signing

TOKEN = "the-token-of-the-mesh"
ASTRA = "7d8f4e0a-2f8d-4a65-9a51-1f0c8a3f2d11"


def told(now: datetime, name: str = "astra", **more: Any) -> str:
    """The answer of a peer that is well, by its own clock; `more` replaces or adds parts."""
    return json.dumps(
        {
            "id": ASTRA,
            "name": name,
            "version": __version__,
            "time": now.isoformat(),
            "runs": {},
            "overdue": [],
            "targets": {},
            "silences": [],
            "undelivered": 0,
            "undelivered_s": None,
            "delivery_failed": False,
            **more,
        }
    )


def signing_with(*tokens: str) -> Any:
    """What a WebServer that stands in for a peer does to its answers: it signs them, as one who knows these tokens."""

    def sign(request: Request, data: bytes) -> bytes:
        question = signing.Question(request.method, request.path, request.headers.get("x-pom-nonce", ""))
        known = signing.asker(tokens, question, request.headers.get("x-pom-signature", ""))
        return signed(known, question, data) if known else data

    return sign


def signed(token: str, question: signing.Question, data: bytes) -> bytes:
    """A whole answer, with a signature that is good for this question."""
    top, _, body = data.partition(b"\r\n\r\n")
    first, _, rest = top.partition(b"\r\n")
    signature = signing.answer(token, question, int(first.split()[1]), body)
    marks = f"{signing.NONCE}: {question.nonce}\r\n{signing.SIGNATURE}: {signature}\r\n".encode()
    return first + b"\r\n" + marks + rest + b"\r\n\r\n" + body


def refuses() -> list[Step]:
    """What a peer answers that does not know the token of the question."""
    return answer(401, headers={"WWW-Authenticate": signing.SCHEME})


sign = signing_with(TOKEN)
