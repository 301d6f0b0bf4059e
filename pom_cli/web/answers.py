"""An answer as plain data: JSON or text, its ETag, and the headers that every answer has. Pure."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from hashlib import blake2b
from http import HTTPStatus
from io import BytesIO
from typing import Any

from pom_cli.frozen import dataclass

JSON = "application/json"
# Every answer has these: no cache keeps it, and no browser takes it for what it is not.
ALWAYS = (("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"))
# What runs with the clock, and is no news by itself.
_CLOCK = frozenset(("generated_at", "time", "age_s", "duration_s", "undelivered_s"))


@dataclass(frozen=True)
class Answer:
    """One answer. `headers` are those beyond the ones that every answer has."""

    status: int
    body: bytes
    kind: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    etag: str = ""


def of(value: Any, status: int = 200) -> Answer:
    """An answer that says this value in JSON, as `--json` prints it."""
    return Answer(status, json.dumps(value, allow_nan=False).encode(), etag=tag(value))


def fixed(value: Any) -> Answer:
    """A JSON answer in which nothing runs with the clock."""
    body = json.dumps(value, allow_nan=False).encode()
    return Answer(200, body, etag=_digest(body))


def of_rows(rows: Iterable[Mapping[str, Any]]) -> Answer:
    """A JSON list. It may be long, so it is put together piece by piece: no row is there twice."""
    text = BytesIO()
    for row in rows:
        text.write(b", " if text.tell() else b"[")
        text.write(json.dumps(row, allow_nan=False).encode())
    text.write(b"]" if text.tell() else b"[]")
    body = text.getvalue()
    return Answer(200, body, etag=_digest(body))


def of_text(text: str, kind: str, about: Any) -> Answer:
    """A text made from the value `about`. The same value in another format has another ETag."""
    return Answer(200, text.encode(), kind, etag=tag([kind, about]))


def error(status: int, text: str, *headers: tuple[str, str]) -> Answer:
    """A refusal, or a failure of ours, in one line."""
    return Answer(status, json.dumps({"error": text}).encode(), headers=headers)


def tag(value: Any) -> str:
    """The ETag: the same for as long as nothing but the time has changed.

    It is a weak one (RFC 9110, 8.8.1), since the bytes do differ: by the clock's own fields, which are left out, and by
    uptime, which slides all the time and here counts in whole percents, so that nobody keeps an old one for long.
    """
    return _digest(json.dumps(_steady(value), sort_keys=True).encode())


def _digest(data: bytes) -> str:
    return f'W/"{blake2b(data, digest_size=12).hexdigest()}"'


def _steady(value: Any) -> Any:
    if isinstance(value, list):
        return [_steady(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"percent", "coverage", "maintenance"}:
        percent, shares = value["percent"], (value["coverage"], value["maintenance"])
        return [None if percent is None else round(percent), *(round(100 * share) for share in shares)]
    return {key: _steady(item) for key, item in value.items() if key not in _CLOCK}


def conditional(answer: Answer, if_none_match: str) -> Answer:
    """The answer, or 304 where the client has it already (RFC 9110, 13.1.2)."""
    if not if_none_match or answer.status != 200 or not answer.etag:
        return answer
    known = {one.strip().removeprefix("W/") for one in if_none_match.split(",")}
    if "*" in known or answer.etag.removeprefix("W/") in known:
        return replace(answer, status=304, body=b"")
    return answer


def head(answer: Answer) -> tuple[str, list[tuple[str, str]]]:
    """Status line and headers, as WSGI has them."""
    about = [("ETag", answer.etag)] if answer.etag else []
    if answer.status != 304:  # it has no body, and says nothing of one
        about += [("Content-Type", answer.kind), ("Content-Length", str(len(answer.body)))]
    return f"{answer.status} {HTTPStatus(answer.status).phrase}", [*about, *ALWAYS, *answer.headers]
