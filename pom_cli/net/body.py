"""The body of an HTTP answer: read piece by piece, decoded, bounded, and told whether it is whole."""

import re
from collections.abc import Iterator
from typing import Any

from pom_cli.frozen import dataclass
from pom_cli.net.head import Framing
from pom_cli.net.stream import Stream, TooLong

MAX_BODY = 1 << 20  # of the wire's bytes, and again of the decoded ones
CUT_OFF = "the body was cut off"
_BROKEN = "the body's compression is broken"
_CHUNKS = "the body's chunks cannot be read"
_PIECE = 1 << 16
_FRAMING = 1 << 18  # bytes of the chunks' own lines
_SIZE = re.compile(rb"[ \t]*([0-9a-fA-F]{1,16})[ \t]*(?:;.*)?\r?\n", re.DOTALL)
_ZIPPED = {"gzip": True, "x-gzip": True, "deflate": False}
_FOREIGN = ("br", "zstd", "compress", "x-compress", "dcb", "dcz")  # what else is no coding, browsers ignore
_MOST_CODINGS = 4  # stacked on one another


class _Flaw(Exception):
    """Why the body is not what was meant."""


@dataclass(frozen=True)
class Body:
    """What was read of a body. `flaw` says why it is not what was meant; `truncated`: it is longer; `coding`: how it
    is still encoded, since that is not understood here and was not asked for."""

    content: bytes = b""
    flaw: str | None = None
    truncated: bool = False
    coding: str = ""


def read_body(stream: Stream, framing: Framing, codings: list[str], limit: int = MAX_BODY) -> Body:
    """At most `limit` bytes of a body with these Content-Encodings, gzip and deflate undone.

    Raises OSError for what the network does.
    """
    layers = [name for name in map(str.lower, codings) if name in _ZIPPED or name in _FOREIGN]
    if framing.flaw or len(layers) + len(framing.codings) > _MOST_CODINGS:
        return Body(flaw=framing.flaw or "it is encoded too many times")
    if unknown := [coding for coding in framing.codings if coding not in _ZIPPED]:
        return Body(flaw=f"its transfer coding {unknown[-1][:20]!r} was not asked for")
    if framing.ending == "none":
        return Body()
    foreign = next((coding for coding in reversed(layers) if coding in _FOREIGN), "")
    pieces = _bounded(_framed(stream, framing), limit)
    for coding in reversed(framing.codings if foreign else [*layers, *framing.codings]):
        pieces = _inflated(pieces, _ZIPPED[coding])
    content, flaw = bytearray(), None
    try:
        while len(content) < limit:
            piece = next(pieces, None)
            if piece is None:
                return Body(bytes(content), coding=foreign)
            content += piece[: limit - len(content)]
    except _Flaw as error:
        flaw = str(error)
    except TooLong:
        pass
    whole = framing.ending == "length" and framing.length == len(content) and not (layers or flaw)
    return Body(bytes(content), flaw, truncated=not (whole or flaw), coding=foreign)


def _framed(stream: Stream, framing: Framing) -> Iterator[bytes]:
    """The body as it was framed. Raises _Flaw, and TooLong for what is more framing than body."""
    if framing.ending == "chunked":
        return _chunks(stream)
    return _exactly(stream, framing.length) if framing.ending == "length" else _rest(stream)


def _rest(stream: Stream) -> Iterator[bytes]:
    while piece := stream.some(_PIECE):
        yield piece


def _exactly(stream: Stream, count: int) -> Iterator[bytes]:
    while count:
        piece = stream.some(min(count, _PIECE))
        if not piece:
            raise _Flaw(CUT_OFF)
        count -= len(piece)
        yield piece


def _chunks(stream: Stream) -> Iterator[bytes]:
    """RFC 9112, section 7.1. What came is whole with the last chunk: of the trailer nobody waits for the end."""
    room = _FRAMING
    while True:
        line = stream.line(room)
        room -= len(line)
        if not line.endswith(b"\n"):
            raise _Flaw(CUT_OFF)
        match = _SIZE.fullmatch(line)
        if not match:
            raise _Flaw(_CHUNKS)
        count = int(match[1], 16)
        if not count:
            break
        yield from _exactly(stream, count)
        end = stream.line(room)
        room -= len(end)
        if end.strip(b"\r\n"):
            raise _Flaw(_CHUNKS)
    while (line := stream.line(room)).strip(b"\r\n"):
        room -= len(line)


def _bounded(pieces: Iterator[bytes], limit: int) -> Iterator[bytes]:
    """At most `limit` bytes. Raises TooLong beyond."""
    for piece in pieces:
        yield piece[:limit]
        limit -= len(piece)
        if limit < 0:
            raise TooLong


def _inflated(pieces: Iterator[bytes], gzip: bool) -> Iterator[bytes]:
    """gzip (RFC 1952, of several members perhaps) or deflate, zlib's (RFC 1950) or bare (RFC 1951), undone."""
    import zlib

    member: _Member | None = None
    try:
        for piece in pieces:
            full = False
            while piece or full:  # where a piece came out full, there may be more without any more input
                if member is None or member.state.eof:
                    if not piece or (member and not (gzip and piece.startswith(b"\x1f"))):
                        break  # padding behind the end, which everybody ignores
                    member = _Member(piece, gzip)
                out = member.feed(piece)
                full = len(out) == _PIECE
                yield out
                piece = member.state.unconsumed_tail or member.state.unused_data
    except zlib.error:
        raise _Flaw(_BROKEN) from None
    if member and not member.complete():
        raise _Flaw(CUT_OFF)


class _Member:
    """One compressed stream, and the checksum of what came out of it."""

    def __init__(self, start: bytes, gzip: bool) -> None:
        import zlib

        self._gzip, self._bare = gzip, not gzip and start[0] & 0x0F != 8  # the header of RFC 1950 names method 8
        self.state: Any = zlib.decompressobj(31 if gzip else -15 if self._bare else 15)
        self._sum = zlib.crc32 if gzip else zlib.adler32
        self._check, self._size = self._sum(b""), 0

    def feed(self, piece: bytes) -> bytes:
        """Some of the decoded bytes. Raises zlib.error."""
        out: bytes = self.state.decompress(piece, _PIECE)
        self._check, self._size = self._sum(out, self._check), self._size + len(out)
        return out

    def _trailer(self) -> bytes:
        """What follows the data: RFC 1952, section 2.3.1, or RFC 1950, section 2.2."""
        if self._gzip:
            return self._check.to_bytes(4, "little") + (self._size & 0xFFFFFFFF).to_bytes(4, "little")
        return b"" if self._bare else self._check.to_bytes(4, "big")

    def complete(self) -> bool:
        """Whether all data came. The checksum behind them may lack, as curl and browsers have it: where the right one
        ends the stream, nothing but its own bytes was missing."""
        import zlib

        if self.state.eof:
            return True
        trailer = self._trailer()
        for start in range(len(trailer)):
            trial = self.state.copy()
            try:
                if not trial.decompress(trailer[start:], 1) and trial.eof:
                    return True
            except zlib.error:
                continue
        return False
