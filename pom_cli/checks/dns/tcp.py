"""One question and its answer over TCP, a step at a time, for answers that do not fit in a datagram (RFC 7766)."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pom_cli.checks.dns.servers import Server

if TYPE_CHECKING:
    import selectors
    import socket

Finish = Callable[[bytes | str], None]  # takes the whole answer, or what went wrong


@dataclass
class Stream:
    sock: "socket.socket"
    unsent: bytes
    finish: Finish
    got: bytearray = field(default_factory=bytearray)


def dial(selector: "selectors.BaseSelector", closing: ExitStack, server: Server, wire: bytes, finish: Finish) -> None:
    """Begin. The selector then says when to call `advance`; `finish` is called once at most."""
    import errno
    import selectors
    import socket

    try:
        sock = socket.socket(socket.AF_INET6 if ":" in server[0] else socket.AF_INET, socket.SOCK_STREAM)
        closing.callback(sock.close)
        sock.setblocking(False)
        code = sock.connect_ex(server)
        if code not in (0, errno.EINPROGRESS):
            raise OSError(code, os.strerror(code))
    except OSError as error:
        finish(reason(error))
        return
    request = len(wire).to_bytes(2, "big") + wire
    selector.register(sock, selectors.EVENT_WRITE, Stream(sock, request, finish))


def advance(selector: "selectors.BaseSelector", stream: Stream) -> None:
    """Send what is left to send; then gather, for as long as it takes, until the answer is whole."""
    try:
        outcome = _step(selector, stream)
    except BlockingIOError:
        return
    except OSError as error:
        outcome = reason(error)
    if outcome is not None:
        selector.unregister(stream.sock)
        stream.sock.close()
        stream.finish(outcome)


def _step(selector: "selectors.BaseSelector", stream: Stream) -> bytes | str | None:
    import selectors

    if stream.unsent:
        stream.unsent = stream.unsent[stream.sock.send(stream.unsent) :]
        if not stream.unsent:
            selector.modify(stream.sock, selectors.EVENT_READ, stream)
        return None
    piece = stream.sock.recv(65535)
    stream.got += piece
    end = 2 + int.from_bytes(stream.got[:2], "big")
    if len(stream.got) >= max(end, 3):
        return bytes(stream.got[2:end])
    return None if piece else "an early end"


def reason(error: OSError) -> str:
    """The system's words for an error, to stand in the middle of a sentence."""
    text = os.strerror(error.errno) if error.errno else str(error)
    return text[:1].lower() + text[1:]
