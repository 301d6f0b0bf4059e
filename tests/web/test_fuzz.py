"""Anything at all, sent to the running server: it answers each time, never with a 500, never without its headers."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest
from api_server import TOKEN, ApiServer, load, read_all, replies, see
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pom_cli.web.routes import ROUTES

FEW = settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
STATUSES = {200, 304, 400, 401, 404, 405, 413, 414, 429, 431, 501, 503}

latin = st.text(st.characters(codec="latin-1"), max_size=8)
parts = ["api", "status", "history", "trends", "shop", "", "..", ".", "%2e", "%00", "%2f", "{target}", "%", "%zz"]
segments = st.sampled_from([*parts, "x" * 3000]) | latin
instants = ["2026-11-24T06:00:00Z", "0001-01-01T00:00:00%2B23:59", "9999-12-31T23:59:59-23:59"]
numbers = ["24h", "10", "health", "0", "-1", "99999999d", "0.0000001ms", "1" * 400, "1" * 400 + "d", ""]
values = st.sampled_from(instants + numbers) | st.text(max_size=8)
queries = st.lists(st.tuples(st.sampled_from(["kind", "since", "limit", "x", ""]), values), max_size=4).map(
    lambda pairs: "&".join(f"{name}={value}" for name, value in pairs)
)
known = st.sampled_from([route.path.replace("{target}", "shop") for route in ROUTES])
paths = known | st.lists(segments, max_size=5).map(lambda parts: "/" + "/".join(parts))
methods = st.sampled_from(["GET", "GET", "GET", "HEAD", "POST", "OPTIONS", "X"])
framing = ["If-None-Match", "Expect", "Content-Length", "Transfer-Encoding", "Connection", "Host", "Upgrade"]
names = st.sampled_from([*framing, "Range", "Accept", "X-Forwarded-For", "Cookie", "X-Http-Method-Override"])
fields = st.sampled_from(["*", "100-continue", "0", "5", "chunked", "close", "keep-alive", "bytes=0-1", "W/", "h2c"])
headers = st.lists(st.tuples(names, fields | latin), max_size=4)
tokens = st.sampled_from([f"Bearer {TOKEN}", f"bearer {TOKEN}", "Bearer wrong", "Basic eDp5", "", "\xff"])


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    loaded = load(tmp_path_factory.mktemp("fuzz"))
    see(loaded, "shop")
    with ApiServer(loaded) as running:
        yield running


def ask(api: ApiServer, data: bytes) -> bytes:
    """All that comes back. The client's side is closed after it, so that nothing is waited for."""
    with api.connect() as sock:
        try:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            return read_all(sock)
        except ConnectionResetError:
            return b""


def check(api: ApiServer, data: bytes, head: bool) -> None:
    for reply in replies(ask(api, data), heads=(0,) if head else ()):
        assert reply.status in STATUSES
        assert reply.headers["cache-control"] == "no-store"
        assert reply.headers["x-content-type-options"] == "nosniff"
        if reply.status != 304 and reply.headers["content-type"] == "application/json" and reply.body:
            value = json.loads(reply.body)
            assert reply.status in (200, 503) or value.keys() == {"error"}
    assert api.complaints == []


@pytest.mark.slow
@FEW
@given(methods, paths, queries, tokens, headers)
def test_requests_of_every_kind(
    api: ApiServer, method: str, path: str, query: str, token: str, more: list[tuple[str, str]]
) -> None:
    lines = [f"{method} {path}{'?' if query else ''}{query} HTTP/1.1", "Host: pom", "Connection: close"]
    lines += [f"Authorization: {token}", *(f"{name}: {value}" for name, value in more)]
    data = "\r\n".join([*lines, "", ""]).encode("utf-8")
    check(api, data, method == "HEAD")


@pytest.mark.slow
@FEW
@given(st.binary(max_size=300) | st.binary(max_size=50).map(lambda data: b"GET " + data + b" HTTP/1.1\r\n\r\n"))
def test_bytes_of_every_kind(api: ApiServer, data: bytes) -> None:
    check(api, data, head=False)
    assert api.ask("/api/peer").status == 200
