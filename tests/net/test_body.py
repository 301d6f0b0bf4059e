import gzip
import tracemalloc
import zlib
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire import Wire

from pom_cli.net.body import CUT_OFF, Body, read_body
from pom_cli.net.deadline import Deadline
from pom_cli.net.head import framing, parse
from pom_cli.net.stream import Stream


def read(headers: str, body: bytes, limit: int = 1 << 20, method: str = "GET", status: int = 200) -> Body:
    head = parse([f"HTTP/1.1 {status} OK\r\n".encode(), *f"{headers}\r\n".encode("latin-1").splitlines(keepends=True)])
    stream = Stream(cast(Any, Wire(body)), Deadline.after(60))
    return read_body(stream, framing(head, method), head.items("content-encoding"), limit)


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
        # RFC 9110, section 8.4: codings in the order in which they were applied
        ("Content-Encoding: gzip, deflate", zlib.compress(zipped(DATA))),
        ("Content-Encoding: deflate\r\nContent-Encoding: gzip", zipped(zlib.compress(DATA))),
        ("Content-Encoding: utf-8", DATA),  # what is no coding, curl and browsers ignore
        # curl and Chromium take all data without the checksum behind them for the whole
        ("Content-Encoding: gzip", zipped(DATA)[:-8]),
        ("Content-Encoding: gzip", zipped(DATA)[:-1]),
        ("Content-Encoding: deflate", zlib.compress(DATA)[:-4]),
        # RFC 9112, section 6.3, rules 3 and 4; section 7: Transfer-Encoding is a list
        ("Transfer-Encoding: chunked \t", chunked(DATA)),
        ("Transfer-Encoding: gzip, chunked", chunked(zipped(DATA))),
        ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\nContent-Length: 3", chunked(zipped(DATA))),
        ("Transfer-Encoding: gzip", zipped(DATA)),
        ("Transfer-Encoding: identity\r\nContent-Length: 1000", DATA),
        ("Transfer-Encoding: chunked", chunked(DATA)[:-2]),  # section 8: whole with the last chunk
        # section 6.3, rule 5
        ("Content-Length: 1000, 1000", DATA),
        ("Content-Length: 1000\r\nContent-Length: 01000", DATA),
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
    assert read("Content-Encoding: br", b"\x0b\x02\x80") == Body(b"\x0b\x02\x80", coding="br")


@pytest.mark.parametrize("status", [101, 204, 304])
@pytest.mark.parametrize("headers", ["Transfer-Encoding: chunked", "Content-Length: 5", "Content-Encoding: gzip"])
def test_some_answers_end_with_their_head_whatever_it_says(status: int, headers: str) -> None:
    assert read(headers, b"next", status=status) == Body()  # RFC 9112, section 6.3, rule 1


@pytest.mark.parametrize(
    ("headers", "body", "flaw"),
    [
        ("Content-Length: 1000", b"short", CUT_OFF),
        ("Content-Length: 1000", b"", CUT_OFF),
        ("Transfer-Encoding: chunked", chunked(b"hello")[:-5], CUT_OFF),
        ("Transfer-Encoding: chunked", b"5\r\nhel", CUT_OFF),
        ("Transfer-Encoding: chunked", b"", CUT_OFF),
        ("Transfer-Encoding: chunked", b"soon\r\nhello\r\n", "the body's chunks cannot be read"),
        ("Transfer-Encoding: chunked", b"1" * 70000 + b"\r\n", "the body's chunks cannot be read"),
        ("Content-Encoding: gzip", zipped(DATA)[:-9], CUT_OFF),
        ("Content-Encoding: gzip", zipped(DATA)[:-8] + bytes(8), "the body's compression is broken"),
        ("Content-Encoding: gzip, gzip", zipped(zipped(DATA)[:-20]), CUT_OFF),
        ("Content-Encoding: gzip, gzip, gzip, gzip, gzip", DATA, "it is encoded too many times"),
        ("Transfer-Encoding: chunked, gzip", DATA, "its Transfer-Encoding cannot be read"),
        ("Transfer-Encoding: br, chunked", DATA, "its transfer coding 'br' was not asked for"),
        ("Content-Length:", DATA, "its Content-Length cannot be read"),
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
