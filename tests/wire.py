"""An answer without a network: bytes that a connection takes for its socket, and what one exchange makes of them."""

from __future__ import annotations

from typing import Any, cast

from pom_cli.net.deadline import Deadline
from pom_cli.net.exchange import Answer, Connection, Origin, exchange
from pom_cli.net.faults import Fault, NoAnswer
from pom_cli.net.stream import Stream


class Wire:
    """What the server sends before it closes, in pieces of so many bytes."""

    def __init__(self, data: bytes, piece: int = 1 << 20) -> None:
        self.data, self.piece, self.sent = data, piece, b""

    def settimeout(self, seconds: float) -> None:
        assert seconds > 0

    def sendall(self, data: bytes) -> None:
        self.sent += data

    def recv(self, most: int) -> bytes:
        count = min(most, self.piece)
        came, self.data = self.data[:count], self.data[count:]
        return came


def heard(data: bytes, method: str = "GET", piece: int = 1 << 20, limit: int = 1 << 20) -> Answer | Fault:
    """What a request comes to that is answered with these bytes."""
    wire, deadline = cast(Any, Wire(data, piece)), Deadline.after(60)
    connection = Connection(Origin("http", "a.example.com", 80), wire, Stream(wire, deadline), "192.0.2.1", 0, 0, None)
    try:
        return exchange(connection, method, "/", {}, deadline, keep=True, max_body=limit)
    except NoAnswer as error:
        return error.fault
