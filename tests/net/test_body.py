import gzip
import io
import tracemalloc
import zlib
from http.client import HTTPResponse
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pom_cli.net.body import CUT_OFF, Body, read_body


class Wire(io.BytesIO):
    """Bytes that HTTPResponse takes for a socket."""

    def makefile(self, _mode: str) -> io.BytesIO:
        return self


def read(headers: str, body: bytes, limit: int = 1 << 20, method: str = "GET") -> Body:
    wire = Wire(f"HTTP/1.1 200 OK\r\n{headers}\r\n\r\n".encode("latin-1") + body)
    response = HTTPResponse(cast(Any, wire), method=method)
    response.begin()
    return read_body(response, limit)


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))


def zipped(data: bytes) -> bytes:
    """The same bytes whenever it is asked, without the time of day, for they name the tests."""
    return gzip.compress(data, mtime=0)


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


DATA = b'{"status": "operational"}' * 40


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (f"Content-Length: {len(DATA)}", DATA),
        ("Connection: close", DATA),
        ("Transfer-Encoding: chunked", chunked(DATA)),
        ("Transfer-Encoding: chunked", chunked(*(DATA[i : i + 1] for i in range(len(DATA))))),
        ("Transfer-Encoding: Chunked\r\nTrailer: X", chunked(DATA)[:-2] + b"X: 1\r\n\r\n"),
        ("Transfer-Encoding: chunked", b"%x;name=value\r\n%s\r\n0\r\n\r\n" % (len(DATA), DATA)),
        ("Content-Encoding: identity", DATA),
        ("Content-Encoding: gzip", zipped(DATA)),
        ("Content-Encoding: GZIP", zipped(DATA)),
        ("Content-Encoding: x-gzip", zipped(DATA)),
        ("Content-Encoding: gzip", zipped(DATA[:100]) + zipped(DATA[100:])),
        ("Content-Encoding: gzip", zipped(DATA) + bytes(20)),
        ("Content-Encoding: deflate", zlib.compress(DATA)),
        ("Content-Encoding: deflate", raw_deflate(DATA)),
        ("Content-Encoding: gzip\r\nTransfer-Encoding: chunked", chunked(zipped(DATA))),
    ],
)
def test_a_whole_body_is_read_however_it_is_sent(headers: str, body: bytes) -> None:
    assert read(headers, body) == Body(DATA)


@pytest.mark.parametrize("headers", ["Content-Length: 0", "Connection: close", "Content-Encoding: gzip"])
def test_an_empty_body_is_whole(headers: str) -> None:
    assert read(headers, b"") == Body(b"")


def test_an_answer_to_head_has_no_body() -> None:
    assert read("Content-Length: 1000\r\nContent-Encoding: gzip", b"", method="HEAD") == Body(b"")


def test_a_coding_that_was_not_asked_for_is_left_as_it_is() -> None:
    assert read("Content-Encoding: br", b"\x0b\x02\x80") == Body(b"\x0b\x02\x80")


@pytest.mark.parametrize(
    ("headers", "body", "flaw"),
    [
        ("Content-Length: 1000", b"short", CUT_OFF),
        ("Content-Length: 1000", b"", CUT_OFF),
        ("Transfer-Encoding: chunked", chunked(b"hello")[:-5], CUT_OFF),
        ("Transfer-Encoding: chunked", b"5\r\nhel", CUT_OFF),
        ("Transfer-Encoding: chunked", b"", CUT_OFF),
        ("Transfer-Encoding: chunked", b"soon\r\nhello\r\n", CUT_OFF),
        ("Transfer-Encoding: chunked", b"1" * 70000, "the body's chunks cannot be read"),
        ("Content-Encoding: gzip", zipped(DATA)[:-1], CUT_OFF),
        ("Content-Encoding: gzip", zipped(DATA)[:5], CUT_OFF),
        ("Content-Encoding: gzip", DATA, "the body's compression is broken"),
        ("Content-Encoding: deflate", b"\xff\xff\xff", "the body's compression is broken"),
        ("Content-Length: many", DATA, "its Content-Length cannot be read"),
        ("Content-Length: -1", DATA, "its Content-Length cannot be read"),
        ("Content-Length: 5, 6", DATA, "its Content-Length cannot be read"),
        ("Content-Length: 5\r\nContent-Length: 6", DATA, "its Content-Length cannot be read"),
    ],
)
def test_a_body_that_is_not_whole_has_a_flaw(headers: str, body: bytes, flaw: str) -> None:
    assert read(headers, body).flaw == flaw


def test_what_came_before_the_cut_is_kept() -> None:
    assert read("Content-Length: 1000", b"short").content == b"short"


@pytest.mark.parametrize(
    "headers",
    ["Content-Length: 101", "Connection: close", "Content-Length: 99999999999999999999"],
)
def test_a_body_beyond_the_limit_is_cut_there(headers: str) -> None:
    assert read(headers, b"x" * 101, limit=100) == Body(b"x" * 100, truncated=True)


def test_a_body_of_just_the_limit_is_whole() -> None:
    assert read("Content-Length: 100", b"x" * 100, limit=100) == Body(b"x" * 100)


def test_chunks_beyond_the_limit_are_cut_there() -> None:
    assert read("Transfer-Encoding: chunked", chunked(*[b"x" * 60] * 5), limit=100) == Body(b"x" * 100, truncated=True)


@pytest.mark.parametrize("headers", ["Content-Encoding: gzip", "Content-Encoding: deflate"])
def test_a_decoded_body_beyond_the_limit_is_cut_there(headers: str) -> None:
    packed = gzip.compress(bytes(5000)) if "gzip" in headers else zlib.compress(bytes(5000))
    assert read(headers, packed, limit=1000) == Body(bytes(1000), truncated=True)


def test_a_bomb_takes_little_memory() -> None:
    packed = gzip.compress(bytes(64 << 20), 1)
    tracemalloc.start()
    body = read("Content-Encoding: gzip", packed)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert body.truncated
    assert len(body.content) == 1 << 20
    assert peak < 8 << 20


@given(
    data=st.binary(max_size=3000),
    cuts=st.lists(st.integers(1, 500), max_size=8),
    packed=st.sampled_from([None, "gzip", "deflate"]),
)
def test_any_data_in_any_chunks_comes_out_as_it_was(data: bytes, cuts: list[int], packed: str | None) -> None:
    wire = {None: bytes, "gzip": gzip.compress, "deflate": raw_deflate}[packed](data)
    chunks, rest = [], wire
    for cut in cuts:
        chunks.append(rest[:cut])
        rest = rest[cut:]
    coding = f"\r\nContent-Encoding: {packed}" if packed else ""
    body = read(f"Transfer-Encoding: chunked{coding}", chunked(*(chunk for chunk in (*chunks, rest) if chunk)))
    assert body == Body(data)


@given(st.binary(max_size=400), st.sampled_from(["Transfer-Encoding: chunked", "Content-Encoding: gzip", "X: y"]))
def test_no_bytes_make_it_fail_or_grow(data: bytes, headers: str) -> None:
    body = read(headers, data, limit=300)
    assert len(body.content) <= 300


@given(st.binary(max_size=400))
def test_no_bytes_behind_a_gzip_header_make_it_fail_or_grow(data: bytes) -> None:
    body = read("Content-Encoding: gzip", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" + data, limit=300)
    assert len(body.content) <= 300
