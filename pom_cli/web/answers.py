"""An answer as plain data, and how it is made: JSON or text, its ETag, what it is not to be taken for. Pure."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from hashlib import blake2b
from io import BytesIO
from typing import Any

from pom_cli.frozen import dataclass

JSON = "application/json"
REASONS = {
    200: "OK",
    304: "Not Modified",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    414: "URI Too Long",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}
# Every answer has these: no cache keeps it, and no browser takes it for what it is not.
ALWAYS = (("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"))
# What runs with the clock, and is no news by itself.
_CLOCK = frozenset(("generated_at", "time", "age_s", "duration_s", "undelivered_s"))


@dataclass(frozen=True)
class Answer:
    """One answer. `headers` stand beside those that every answer has; `close` ends the connection after it."""

    status: int
    body: bytes
    kind: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    etag: str = ""
    close: bool = False


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
    """A text made from the value `about`."""
    return Answer(200, text.encode(), kind, etag=tag(about))


def error(status: int, text: str, *headers: tuple[str, str], close: bool = False) -> Answer:
    """A refusal, or a failure of ours, in one line."""
    return Answer(status, json.dumps({"error": text}).encode(), headers=headers, close=close)


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
    if value.keys() == {"percent", "coverage"}:
        percent, coverage = value["percent"], value["coverage"]
        return [None if percent is None else round(percent), round(100 * coverage)]
    return {key: _steady(item) for key, item in value.items() if key not in _CLOCK}


def conditional(answer: Answer, if_none_match: str) -> Answer:
    """The answer, or 304 where the client has it already (RFC 9110, 13.1.2)."""
    if not if_none_match or answer.status != 200 or not answer.etag:
        return answer
    known = {one.strip().removeprefix("W/") for one in if_none_match.split(",")}
    if "*" in known or answer.etag.removeprefix("W/") in known:
        return replace(answer, status=304, body=b"")
    return answer


def head(answer: Answer, version: str, keep: bool, date: str) -> bytes:
    """Status line and headers. `version` is the client's: 1.0 is told when the connection stays, 1.1 when it ends."""
    lines = [f"HTTP/{version} {answer.status} {REASONS[answer.status]}"]
    if answer.status != 304:  # it has no body, and says nothing of one
        lines.append(f"Content-Type: {answer.kind}")
        lines.append(f"Content-Length: {len(answer.body)}")
    if answer.etag:
        lines.append(f"ETag: {answer.etag}")
    lines += [f"{name}: {value}" for name, value in (*ALWAYS, *answer.headers)]
    if not keep:
        lines.append("Connection: close")
    elif version == "1.0":
        lines.append("Connection: keep-alive")
    lines.append(f"Server: PoM\r\nDate: {date}\r\n\r\n")
    return "\r\n".join(lines).encode("latin-1")
