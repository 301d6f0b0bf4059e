"""One HTTP/1.1 request and its answer over an open connection. URLs and redirects are `http`'s."""

import re
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from pom_cli import __version__
from pom_cli.frozen import dataclass
from pom_cli.net.body import MAX_BODY, Body, read_body
from pom_cli.net.deadline import Deadline, since_ms
from pom_cli.net.faults import Fault, NoAnswer, Phase, fault_of
from pom_cli.net.head import UNREADABLE, Head, NotHttp, framing, parse, status_line, stays_open
from pom_cli.net.net import connect, start_tls, tls_context
from pom_cli.net.race import Address
from pom_cli.net.stream import Stream, TooLong
from pom_cli.text import clean

if TYPE_CHECKING:
    import socket

MAX_HEAD = 1 << 18  # all interim answers and headers together
DEFAULT_PORTS = {"http": 80, "https": 443}
NO_PROTOCOL = "no application protocol"
ONLY_HTTP2 = Fault("tls", "it speaks only HTTP/2, which this monitor does not", "ours")
PLAIN = re.compile(r"[!-~]+")  # what a request line may carry unencoded
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a token of RFC 9110, section 5.6.2
_HEADER_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")  # RFC 9110, section 5.5
_OURS_ALONE = ("connection", "content-length", "transfer-encoding")  # what frames the message is not configurable


@dataclass(frozen=True)
class Origin:
    """Scheme, host as sent (without brackets), port."""

    scheme: str
    host: str
    port: int


@dataclass(frozen=True)
class Answer:
    """What came back. Times are in milliseconds."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes
    url: str
    address: str
    dns_ms: float
    connect_ms: float
    tls_ms: float | None  # None without TLS
    first_byte_ms: float  # from the end of the request to the first byte of the answer
    total_ms: float
    flaw: str | None = None  # why the body is not what was meant: cut off, or encoded wrongly
    truncated: bool = False  # the body is longer than what was read of it
    unfollowed: str | None = None  # a redirect that was not followed: where it leads, or what is wrong with it
    reusable: bool = False  # the connection can take another request
    coding: str = ""  # how the body is still encoded: it was not asked for, and is not understood here
    downgraded: bool = False  # a redirect led from https to http
    others: tuple[Address, ...] = ()  # the host's other addresses, as far as they may be dead

    @property
    def complete(self) -> bool:
        return self.flaw is None and not self.truncated


@dataclass
class Connection:
    """An open connection. The caller closes it."""

    origin: Origin
    sock: "socket.socket"
    stream: Stream
    address: str
    dns_ms: float
    connect_ms: float
    tls_ms: float | None
    others: tuple[Address, ...] = ()

    def close(self) -> None:
        self.sock.close()


def open_connection(
    origin: Origin,
    deadline: Deadline,
    *,
    verify: bool = True,
    ca_file: str | None = None,
    identity: tuple[str, str] | None = None,
    at: tuple[str, int] | None = None,
) -> Connection:
    """A connection to an origin, with TLS where it is https; `at` is where it is instead of where DNS says. Raises
    NoAnswer."""
    context = tls_context(verify, ca_file, identity) if origin.scheme == "https" else None
    link = connect(*(at or (origin.host, origin.port)), deadline)
    sock, tls_ms = link.sock, None
    if context:
        start = time.monotonic()
        try:
            sock = start_tls(sock, origin.host, context, deadline)
        except NoAnswer as error:
            fault = ONLY_HTTP2 if _insists_on_http2(error.fault, origin, at, deadline) else error.fault
            name = f"[{origin.host}]" if ":" in origin.host else origin.host.removesuffix(".")
            raise NoAnswer(replace(fault, address=link.address, at=f"{name}:{origin.port}")) from error
        tls_ms = since_ms(start)
    stream = Stream(sock, deadline)
    return Connection(origin, sock, stream, link.address, link.dns_ms, link.connect_ms, tls_ms, link.others)


def _insists_on_http2(fault: Fault, origin: Origin, at: tuple[str, int] | None, deadline: Deadline) -> bool:
    """Whether a server that refused http/1.1 by ALPN (RFC 7301, section 3.2) takes HTTP/2."""
    if NO_PROTOCOL not in fault.reason:
        return False
    try:
        sock = connect(*(at or (origin.host, origin.port)), deadline).sock
        with closing(start_tls(sock, origin.host, tls_context(False, None, None, ("h2",)), deadline)) as again:
            return again.selected_alpn_protocol() == "h2"
    except (NoAnswer, TimeoutError):
        return False


def exchange(
    connection: Connection,
    method: str,
    path: str,
    headers: Mapping[str, str],
    deadline: Deadline,
    *,
    content: str = "",
    keep: bool = False,
    max_body: int = MAX_BODY,
    bodiless: Collection[int] = (),
) -> Answer:
    """One request and its answer. Raises NoAnswer, after which the connection must not be used.

    `path` is as sent, query included; `content` is the body of a POST. `keep` asks for the connection to stay open.
    The bodies of `bodiless` statuses are not read. The answer's `url` is the path, and `total_ms` is of this exchange
    alone.
    """
    start = time.monotonic()
    stream = connection.stream
    stream.deadline, stream.first_at = deadline, None
    message = request(connection.origin, method, path, headers, keep, content)
    with _telling("send", connection):
        connection.sock.settimeout(deadline.remaining())
        connection.sock.sendall(message)
    sent = time.monotonic()
    with _telling("headers", connection):
        head = _head(stream)
    skip = head.status in bodiless
    frame = framing(head, method)
    with _telling("body", connection):
        body = Body() if skip else read_body(stream, frame, head.items("content-encoding"), max_body)
    return Answer(
        status=head.status,
        reason=clean(head.reason, 60),
        headers=head.fields,
        body=body.content,
        url=path,
        address=connection.address,
        dns_ms=connection.dns_ms,
        connect_ms=connection.connect_ms,
        tls_ms=connection.tls_ms,
        first_byte_ms=((stream.first_at or sent) - sent) * 1000,
        total_ms=since_ms(start),
        flaw=body.flaw,
        truncated=body.truncated,
        coding=body.coding,
        others=connection.others,
        reusable=keep and stays_open(head) and not _unfinished(frame.ending, skip, body),
    )


def request(
    origin: Origin, method: str, path: str, headers: Mapping[str, str], keep: bool = False, content: str = ""
) -> bytes:
    """The request as sent. Raises ValueError for anything that would break out of its line."""
    fields = {
        "host": ("Host", host_field(origin)),
        "user-agent": ("User-Agent", f"PoM/{__version__}"),
        "accept": ("Accept", "*/*"),
        "accept-encoding": ("Accept-Encoding", "identity"),
    }
    fields |= {name.lower(): (name, value) for name, value in headers.items() if name.lower() not in _OURS_ALONE}
    body = content.encode("utf-8")
    if body or method == "POST":
        fields["content-length"] = ("Content-Length", str(len(body)))
    if not keep:
        fields["connection"] = ("Connection", "close")
    wrong = [name for name, value in fields.values() if not is_header(name, value)]
    if wrong or not (method.isascii() and method.isalpha() and PLAIN.fullmatch(path)):
        raise ValueError(f"not fit for a request: {wrong or (method, path)!r}")
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.values()), "", ""]
    return "\r\n".join(lines).encode("utf-8") + body


def is_header(name: str, value: str) -> bool:
    """Can this stand as one line of a request?"""
    return bool(_HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(value))


def host_field(origin: Origin) -> str:
    """The value of the Host header (RFC 9110, section 7.2): IPv6 in brackets, the port where it is not the usual."""
    host = f"[{origin.host.partition('%')[0]}]" if ":" in origin.host else origin.host
    return host if origin.port == DEFAULT_PORTS[origin.scheme] else f"{host}:{origin.port}"


def header(headers: list[tuple[str, str]], name: str) -> str | None:
    """The first value of a header, by its name in lower case."""
    return next((value for key, value in headers if key.lower() == name), None)


@contextmanager
def _telling(phase: Phase, connection: Connection) -> Iterator[None]:
    """Turn what can go wrong in one phase into NoAnswer."""
    try:
        yield
    except (OSError, NotHttp, TooLong) as error:
        raise NoAnswer(replace(_fault(phase, error, connection.stream), address=connection.address)) from error


def _fault(phase: Phase, error: Exception, stream: Stream) -> Fault:
    if isinstance(error, TimeoutError):
        what = "answer" if stream.first_at is None else "complete answer"
        return Fault(phase, f"no {what} within {stream.deadline.seconds:g} s")
    if isinstance(error, OSError):
        return fault_of(phase, error, stream.deadline)
    if isinstance(error, TooLong):
        return Fault(phase, "no end of the headers")
    return Fault(phase, str(error))


def _unfinished(ending: str, skipped: bool, body: Body) -> bool:
    """Whether more of this answer may come over the connection."""
    if ending == "none":
        return False
    return skipped or ending == "close" or body.truncated or body.flaw is not None


def _head(stream: Stream) -> Head:
    """Status and headers of the final answer, interim ones skipped. Raises NotHttp, TooLong."""
    room, lines = MAX_HEAD, list[bytes]()
    while True:
        line = stream.line(room)
        room -= len(line)
        if line and not lines and (line.endswith(b"\n") or not line.startswith(b"HTTP/1.")):
            status_line(line)  # at once: another protocol may never send an empty line
        if not line.endswith(b"\n"):
            nothing = stream.first_at is None
            raise NotHttp(
                "connection closed without an answer" if nothing else f"{UNREADABLE}: the headers were cut off"
            )
        if line not in (b"\r\n", b"\n"):
            lines.append(line)
            continue
        head, lines = parse(lines), []
        if not head.interim:
            return head
