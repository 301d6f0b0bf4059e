"""A socket's bytes as a file: none read after the deadline, and no more than are allowed."""

import io
import time
from typing import TYPE_CHECKING, Any

from pom_cli.net.deadline import Deadline

if TYPE_CHECKING:
    import socket


class TooLong(Exception):
    """More bytes came than anybody will read."""


class Stream(io.RawIOBase):
    """A socket's bytes, read no later than `deadline` and no more than `allowance`."""

    def __init__(self, sock: "socket.socket", deadline: Deadline) -> None:
        self.sock = sock
        self.deadline = deadline
        self.allowance = 0
        self.first_at: float | None = None
        self.ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self.allowance <= 0:
            raise TooLong
        self.sock.settimeout(self.deadline.remaining())
        count = self.sock.recv_into(buffer)
        self.allowance -= count
        self.ended = not count
        if count and self.first_at is None:
            self.first_at = time.monotonic()
        return count


class Reader(io.BufferedReader):
    """The buffer over a Stream. HTTPResponse closes what it has read to the end: this one stays for the next."""

    def makefile(self, _mode: str) -> "Reader":
        return self

    def close(self) -> None:
        """Nothing to do: the socket is the Connection's."""
