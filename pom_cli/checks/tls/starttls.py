"""Asking a server of another protocol for TLS (STARTTLS), up to where the handshake begins."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from pom_cli.net.deadline import Deadline
from pom_cli.net.faults import Fault, NoAnswer, fault_of
from pom_cli.net.stream import Stream, TooLong
from pom_cli.text import clean

if TYPE_CHECKING:
    import socket

PORTS = {"smtp": 25, "imap": 143, "pop3": 110, "postgres": 5432}
REFUSED = "no TLS by STARTTLS"
_LONGEST = 1 << 14  # bytes of a line
_MOST_LINES = 100  # of one answer
_SSL_REQUEST = bytes.fromhex("0000000804d2162f")  # PostgreSQL's protocol, section 54.7: SSLRequest


def upgrade(sock: "socket.socket", scheme: str, deadline: Deadline) -> None:
    """Come to where TLS begins. Raises NoAnswer where the server refuses."""
    stream = Stream(sock, deadline)
    try:
        sock.settimeout(deadline.remaining())
        _WAYS[scheme](sock, stream)
    except TooLong:
        raise NoAnswer(Fault("tls", f"{REFUSED}: no end of its answer")) from None
    except OSError as error:
        raise NoAnswer(fault_of("tls", error, deadline)) from error


def _smtp(sock: "socket.socket", stream: Stream) -> None:  # RFC 3207
    _expect(stream, b"220", multiline=True)
    sock.sendall(b"EHLO [127.0.0.1]\r\n")  # a client without a host name (RFC 5321, section 4.1.4)
    _expect(stream, b"250", multiline=True)
    sock.sendall(b"STARTTLS\r\n")
    _expect(stream, b"220", multiline=True)


def _imap(sock: "socket.socket", stream: Stream) -> None:  # RFC 3501, section 6.2.1
    _expect(stream, b"* OK")
    sock.sendall(b"a STARTTLS\r\n")
    _expect(stream, b"a OK", beside=b"* ")


def _pop3(sock: "socket.socket", stream: Stream) -> None:  # RFC 2595, section 4
    _expect(stream, b"+OK")
    sock.sendall(b"STLS\r\n")
    _expect(stream, b"+OK")


def _postgres(sock: "socket.socket", stream: Stream) -> None:
    sock.sendall(_SSL_REQUEST)
    said = stream.some(1)
    if said != b"S":
        raise _refusal(said)


_WAYS: dict[str, Callable[["socket.socket", Stream], None]] = {
    "smtp": _smtp,
    "imap": _imap,
    "pop3": _pop3,
    "postgres": _postgres,
}


def _expect(stream: Stream, good: bytes, multiline: bool = False, beside: bytes | None = None) -> None:
    """Read one answer that begins so; those that begin with `beside` are read over."""
    for _ in range(_MOST_LINES):
        line = stream.line(_LONGEST)
        if beside and line.startswith(beside):
            continue
        if not line.startswith(good):
            raise _refusal(line)
        if not multiline or line[3:4] != b"-":
            return
    raise TooLong


def _refusal(said: bytes) -> NoAnswer:
    words = clean(said.decode("utf-8", "replace"), 80)
    return NoAnswer(Fault("tls", f"{REFUSED}: it says {words!r}" if words else f"{REFUSED}: it says nothing"))
