"""A socket's bytes by lines and pieces, none of them read after the deadline."""

import time
from typing import TYPE_CHECKING

from pom_cli.net.deadline import Deadline

if TYPE_CHECKING:
    import socket

_PIECE = 1 << 16


class TooLong(Exception):
    """More bytes came than anybody will read."""


class Stream:
    """What a socket sends. `first_at` is the instant of the first byte since it was last set to None."""

    def __init__(self, sock: "socket.socket", deadline: Deadline) -> None:
        self.sock = sock
        self.deadline = deadline
        self.first_at: float | None = None
        self._buffer = bytearray()

    @property
    def empty(self) -> bool:
        """Whether nothing has been received that nobody has read yet."""
        return not self._buffer

    def line(self, room: int) -> bytes:
        """The bytes up to and with the next line feed, or up to the end. Raises TooLong beyond `room` bytes."""
        seen = 0
        while (end := self._buffer.find(b"\n", seen)) < 0:
            seen = len(self._buffer)
            if seen > room:
                raise TooLong
            if not self._fill():
                return self._take(seen)
        if end >= room:
            raise TooLong
        return self._take(end + 1)

    def some(self, most: int) -> bytes:
        """What has come, at most `most` bytes; b"" only at the end."""
        if not self._buffer:
            self._fill()
        return self._take(most)

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def _fill(self) -> bool:
        self.sock.settimeout(self.deadline.remaining())
        piece = self.sock.recv(_PIECE)
        if piece and self.first_at is None:
            self.first_at = time.monotonic()
        self._buffer += piece
        return bool(piece)
