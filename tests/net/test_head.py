import gzip
import os
import re
import shutil
import subprocess
import sys
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from web_server import CLOSE, WebServer
from wire import heard

from pom_cli.net.deadline import Deadline
from pom_cli.net.exchange import Answer
from pom_cli.net.faults import Fault, NoAnswer
from pom_cli.net.head import Framing, Head, NotHttp, framing, parse, stays_open
from pom_cli.net.http import fetch

BODY = b'{"status":"operational"}'
CHUNKED = b"18\r\n" + BODY + b"\r\n0\r\n\r\n"
ZIPPED = gzip.compress(BODY, mtime=0)


def read(*lines: bytes, first: bytes = b"HTTP/1.1 200 OK") -> Head:
    return parse([line + b"\r\n" for line in (first, *lines)])


class TestParse:
    @pytest.mark.parametrize(
        ("line", "minor", "status", "reason"),
        [
            (b"HTTP/1.1 200 OK", 1, 200, "OK"),
            (b"HTTP/1.0 404 Not Found", 0, 404, "Not Found"),
            (b"HTTP/1.1 200", 1, 200, ""),
            (b"HTTP/1.1 200 ", 1, 200, ""),
            (b"HTTP/1.1  999\tOdd one", 1, 999, "Odd one"),
            (b"HTTP/1.1 200 K\xe4se", 1, 200, "Käse"),
        ],
    )
    def test_a_status_line_is_read(self, line: bytes, minor: int, status: int, reason: str) -> None:
        head = read(first=line)
        assert (head.minor, head.status, head.reason) == (minor, status, reason)

    @pytest.mark.parametrize(
        "line", [b"", b"HTTP/1.1 OK", b"HTTP/1.1 20", b"HTTP/1.1 099", b"HTTP/1.1 2000", b"HTTP/2.0 200", b"ICY 200 OK"]
    )
    def test_another_first_line_is_no_http(self, line: bytes) -> None:
        with pytest.raises(NotHttp, match="no HTTP"):
            read(first=line)

    @pytest.mark.parametrize(
        ("lines", "fields"),
        [
            # RFC 9110, sections 5.1 and 5.5; RFC 9112, section 5
            ([b"Server:x"], [("Server", "x")]),
            ([b"Server: \t x \t"], [("Server", "x")]),
            ([b"Server:"], [("Server", "")]),
            ([b"Server: a:b"], [("Server", "a:b")]),
            # A line that is none is skipped, and those behind it are read: curl, Chromium
            (["X-Größe: 1".encode(), b"Server: x"], [("Server", "x")]),
            ([b"nothing", b"Server: x"], [("Server", "x")]),
            ([b": x", b"Server: x"], [("Server", "x")]),
            ([b"a b: x", b"Server: x"], [("Server", "x")]),
            ([b"\xff\xfe\x00", b"Server: x"], [("Server", "x")]),
            ([b"Server : x", b"B: y"], [("Server", "x"), ("B", "y")]),  # RFC 9112, section 5.1; Chromium
            # RFC 9112, section 5.2
            ([b"A: x", b" y", b"\tz", b"B: y"], [("A", "x y z"), ("B", "y")]),
            ([b" folded", b"A: x"], [("A", "x")]),
            ([b"bad", b" folded", b"A: x"], [("A", "x")]),
            # RFC 9110, section 5.5
            ([b"A: x\0y\rz", b"B: y"], [("A", "x y z"), ("B", "y")]),
            ([b"A: k\xc3\xa4se"], [("A", "k\xc3\xa4se")]),
        ],
    )
    def test_a_bad_line_costs_nothing_but_itself(self, lines: list[bytes], fields: list[tuple[str, str]]) -> None:
        assert read(*lines).fields == fields


class TestFraming:
    @pytest.mark.parametrize(
        ("lines", "expected"),
        [
            ([], Framing("close")),
            ([b"Content-Length: 24"], Framing("length", 24)),
            ([b"Content-Length: 24, 24"], Framing("length", 24)),
            ([b"Content-Length: 24", b"content-length: 024"], Framing("length", 24)),
            ([b"Content-Length: 0"], Framing("length", 0)),
            ([b"Content-Length: 24, 25"], Framing("close", flaw="its Content-Length cannot be read")),
            ([b"Content-Length: +24"], Framing("close", flaw="its Content-Length cannot be read")),
            ([b"Content-Length: \xb2"], Framing("close", flaw="its Content-Length cannot be read")),
            ([b"Transfer-Encoding: chunked", b"Content-Length: 3"], Framing("chunked")),
            ([b"Transfer-Encoding: , Chunked ,"], Framing("chunked")),
            ([b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked"], Framing("chunked", codings=("gzip",))),
            ([b"Transfer-Encoding: gzip"], Framing("close", codings=("gzip",))),
            ([b"Transfer-Encoding: identity", b"Content-Length: 24"], Framing("length", 24)),
        ],
    )
    def test_a_body_ends_as_rfc_9112_has_it(self, lines: list[bytes], expected: Framing) -> None:
        assert framing(read(*lines), "GET") == expected
        assert framing(read(*lines), "HEAD") == Framing("none")
        assert framing(read(*lines, first=b"HTTP/1.1 304 x"), "GET") == Framing("none")

    def test_a_length_without_end_is_read_all_the_same(self) -> None:
        assert framing(read(b"Content-Length: " + b"9" * 100_000), "GET").length >= 1 << 40

    @pytest.mark.parametrize(
        ("first", "line", "open_still"),
        [
            (b"HTTP/1.1 200 OK", b"A: b", True),
            (b"HTTP/1.1 200 OK", b"Connection: x, Close", False),
            (b"HTTP/1.1 101 x", b"Connection: upgrade", False),
            (b"HTTP/1.0 200 OK", b"A: b", False),
            (b"HTTP/1.0 200 OK", b"Connection: Keep-Alive", True),
            (b"HTTP/1.0 200 OK", b"Transfer-Encoding: chunked", False),
        ],
    )
    def test_a_connection_lives_on_as_rfc_9112_has_it(self, first: bytes, line: bytes, open_still: bool) -> None:
        assert stays_open(read(line, first=first)) is open_still


# Inputs for which other tools and PoM must come to the same: the head, and what follows it.
TABLE = {
    "plain": (b"Content-Length: 24", BODY),
    "a name beyond ASCII before the length": ("X-Größe: 1\r\nContent-Length: 24".encode(), BODY),
    "a name beyond ASCII, and cut off": ("X-Größe: 1\r\nContent-Length: 99".encode(), BODY),
    "a name beyond ASCII before chunks": ("X-Größe: 1\r\nTransfer-Encoding: chunked".encode(), CHUNKED),
    "a blank before the colon": (b"Server : x\r\nContent-Length: 24", BODY),
    "a blank before the colon, and cut off": (b"Server : x\r\nContent-Length: 99", BODY),
    "a blank behind chunked": (b"Transfer-Encoding: chunked ", CHUNKED),
    "chunks cut off": (b"Transfer-Encoding: chunked", CHUNKED[:-5]),
    "chunks that are none": (b"Transfer-Encoding: chunked", BODY),
    "chunks and a length": (b"Content-Length: 3\r\nTransfer-Encoding: chunked", CHUNKED),
    "an extension of a chunk": (b"Transfer-Encoding: chunked", CHUNKED.replace(b"18\r", b"18;a=b\r")),
    "a trailer": (b"Transfer-Encoding: chunked", CHUNKED[:-2] + b"X: y\r\n\r\n"),
    "no end but the connection's": (b"Server: x", BODY),
    "lengths that agree": (b"Content-Length: 24\r\nContent-Length: 24", BODY),
    "101 fields": (b"\r\n".join(b"X-%d: 1" % number for number in range(101)) + b"\r\nContent-Length: 24", BODY),
    "a field of 70 kB": (b"X: " + b"x" * 70_000 + b"\r\nContent-Length: 24", BODY),
    "gzip": (b"Content-Encoding: gzip\r\nContent-Length: %d" % len(ZIPPED), ZIPPED),
    "gzip without its trailer": (b"Content-Encoding: gzip\r\nContent-Length: %d" % (len(ZIPPED) - 8), ZIPPED[:-8]),
    "stacked codings": (b"Content-Encoding: deflate, gzip", gzip.compress(zlib.compress(BODY), mtime=0)),
    "gzip that is none": (b"Content-Encoding: gzip\r\nContent-Length: 24", BODY),
    "a folded line": (b"X: a\r\n b\r\nContent-Length: 24", BODY),
}  # fmt: skip


WHOLE = {name: b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + body for name, (head, body) in TABLE.items()} | {
    "204 with chunks": b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
    "204 with a length": b"HTTP/1.1 204 No Content\r\nContent-Length: 24\r\n\r\n",
    "304 with a length": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 24\r\n\r\n",
    "103 many times": b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" * 9 + b"HTTP/1.1 200 OK\r\n\r\n" + BODY,
}


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("name", WHOLE)
def test_curl_comes_to_the_same(name: str, server: WebServer) -> None:
    server.on("/", [WHOLE[name], CLOSE])
    command = ["curl", "--silent", "--noproxy", "*", "--max-time", "20", "--compressed", server.url("/")]
    theirs = subprocess.run(command, capture_output=True, timeout=60, check=False)
    try:
        ours: Answer | Fault = fetch(server.url("/"), {"Accept-Encoding": "gzip, deflate"}, Deadline.after(20))
    except NoAnswer as error:
        ours = error.fault
    assert isinstance(ours, Answer)
    assert (ours.flaw is None) == (theirs.returncode == 0), (ours.flaw, theirs.returncode)
    if not ours.flaw:
        assert ours.body == theirs.stdout


# A second reading of the same bytes, by other means: all of them at once, with regular expressions.
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"


def second_reading(raw: bytes, method: str) -> tuple[str, int, bytes]:
    """What came of it: `none`, `flawed` or `whole`, the status, and the body where it is whole."""
    while True:
        match = re.match(rb"(?:[^\n]*[^\r\n][^\n]*\n|\r\r+\n)(?:(?!\r?\n)[^\n]*\n)*\r?\n", raw)
        first = re.match(rb"HTTP/1\.[0-9]+[ \t]+([1-9][0-9][0-9])([ \t].*?)?[\r]*\n", raw)
        if not match or not first:
            return "none", 0, b""
        head, raw, status = raw[: match.end()].decode("latin-1"), raw[match.end() :], int(first[1])
        if status >= 200 or status == 101:
            break
    fields = _unfolded(head)
    if method == "HEAD" or status in (101, 204, 304):
        return "whole", status, b""
    kind, body = _unframed(fields, raw)
    if kind == "whole":
        kind, body = _decoded(fields.get("content-encoding", []), body)
    return kind, status, body


def _unfolded(head: str) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for text in re.split(r"\n(?![ \t])", head)[1:]:
        line = re.sub(r"\r?\n[ \t]+", " ", text.removesuffix("\r"))
        match = re.fullmatch(rf"({_TOKEN})[ \t]*:(.*)", line, re.DOTALL)
        if match:
            value = re.sub(r"[\r\n\0]", " ", match[2])
            parts = [part.strip(" \t").lower() for part in value.split(",")]
            fields.setdefault(match[1].lower(), []).extend(filter(None, parts))
    return fields


def _unframed(fields: dict[str, list[str]], raw: bytes) -> tuple[str, bytes]:
    codings = [item.split(";")[0].rstrip(" \t") for item in fields.get("transfer-encoding", [])]
    codings = [item for item in codings if item != "identity"]
    if codings:
        chunked = codings[-1] == "chunked"
        inner = codings[:-1] if chunked else codings
        if set(inner) - {"gzip", "x-gzip", "deflate"}:
            return "flawed", b""
        kind, body = _dechunked(raw) if chunked else ("whole", raw)
        return _decoded(inner, body) if kind == "whole" else (kind, b"")
    if "content-length" not in fields:
        return "whole", raw
    lengths = {int(item) if re.fullmatch("[0-9]{1,4000}", item) else -1 for item in fields["content-length"]}
    length = lengths.pop() if len(lengths) == 1 else -1
    return ("whole", raw[:length]) if 0 <= length <= len(raw) else ("flawed", b"")


def _dechunked(raw: bytes) -> tuple[str, bytes]:
    body = b""
    while True:
        match = re.match(rb"[ \t]*([0-9A-Fa-f]{1,16})[ \t]*(;[^\n]*|\r?)\n", raw)
        if not match:
            return "flawed", b""
        count, raw = int(match[1], 16), raw[match.end() :]
        if count == 0:
            return "whole", body
        end = re.match(rb"\r*\n|\r*\Z", raw[count:])
        if len(raw) < count or not end:
            return "flawed", b""
        body, raw = body + raw[:count], raw[count + end.end() :]


def _decoded(codings: list[str], body: bytes) -> tuple[str, bytes]:
    layers = [name for name in codings if name in ("gzip", "x-gzip", "deflate", "br", "zstd")]
    if {"br", "zstd"} & set(layers):
        return "whole", body
    for name in reversed(layers):
        kind, body = _unzipped(body, name != "deflate")
        if kind != "whole":
            return kind, b""
    return "whole", body


def _unzipped(data: bytes, is_gzip: bool) -> tuple[str, bytes]:
    out = b""
    while data and (not out or (is_gzip and data[:1] == b"\x1f")):
        unpacker = zlib.decompressobj(31 if is_gzip else 15 if data[0] & 15 == 8 else -15)
        try:
            out += unpacker.decompress(data)
        except zlib.error:
            return "flawed", b""
        if not unpacker.eof:
            return "doubtful", b""  # cut off, but for the trailer perhaps: another test's subject
        data = unpacker.unused_data
        if not out:
            return "doubtful", b""
    return "whole", out


ANSWERS = [answer for answer in WHOLE.values() if len(answer) < 600]
PIECES = [b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b",", b";", b"\0", b"\xff", b"0", b"1", b"f", b"-", b"chunked",
          b"gzip", b"identity", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n",
          b"Content-Encoding: gzip\r\n",
          b"HTTP/1.1 100 C\r\n\r\n", b"0\r\n\r\n", b"24", b", 24", b"\x1f\x8b", b"HTTP/1.0", b"304"]  # fmt: skip

CHANGES = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 6), st.sampled_from([b"", *PIECES]) | st.binary(max_size=4)),
    min_size=1,
    max_size=6,
)


def mutated(answer: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    """Each change takes so many bytes away at a place and puts others there."""
    for at, count, piece in changes:
        at %= len(answer) + 1
        answer = answer[:at] + piece + answer[at + count :]
    return answer


def check_mutant(answer: bytes, method: str, piece: int) -> None:
    kind, status, body = second_reading(answer, method)
    got = heard(answer, method, piece)
    if isinstance(got, Fault):
        assert kind == "none", (answer, got)
        return
    assert got.status == status, answer
    if kind != "doubtful":
        assert ("flawed" if got.flaw else "whole") == kind, (answer, got.flaw)
        assert got.flaw or got.body == body, answer


FUZZ = given(st.sampled_from(ANSWERS), CHANGES, st.sampled_from(["GET", "GET", "GET", "HEAD"]), st.integers(1, 99))


@FUZZ
@settings(max_examples=500, deadline=None)
def test_a_mutated_answer_is_read_as_a_second_reader_reads_it(
    answer: bytes, changes: list[tuple[int, int, bytes]], method: str, piece: int
) -> None:
    check_mutant(mutated(answer, changes), method, piece)


@pytest.mark.slow
@FUZZ
@settings(
    max_examples=int(os.environ.get("POM_EXAMPLES", "5000")), deadline=None, suppress_health_check=list(HealthCheck)
)
def test_so_are_thousands(answer: bytes, changes: list[tuple[int, int, bytes]], method: str, piece: int) -> None:
    check_mutant(mutated(answer, changes), method, piece)


def test_http_client_is_not_loaded() -> None:
    """It brings the whole of `email`, for a parser that is not used."""
    code = "import sys, pom_cli.net.http, pom_cli.net.lanes; print({'http.client', 'email'} & set(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout == "set()\n"
