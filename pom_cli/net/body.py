"""The body of an HTTP answer: read piece by piece, decoded, bounded, and told whether it is whole."""

from typing import TYPE_CHECKING, Any

from pom_cli.frozen import dataclass
from pom_cli.net.stream import TooLong

if TYPE_CHECKING:
    from http.client import HTTPResponse

MAX_BODY = 1 << 20  # of the wire's bytes, and again of the decoded ones
CUT_OFF = "the body was cut off"
_PIECE = 1 << 16


@dataclass(frozen=True)
class Body:
    """What was read of a body. `flaw` says why it is not what was meant; `truncated`: it is longer."""

    content: bytes = b""
    flaw: str | None = None
    truncated: bool = False


def read_body(response: "HTTPResponse", limit: int = MAX_BODY) -> Body:
    """At most `limit` bytes of the body, gzip and deflate undone. Raises OSError for what the network does."""
    import zlib
    from http.client import HTTPException, IncompleteRead

    declared = response.length
    lengths = set() if response.chunked else set(response.headers.get_all("content-length", ()))
    if lengths and (declared is None or len(lengths) > 1):
        return Body(flaw="its Content-Length cannot be read")  # RFC 9112, section 6.3: the framing is invalid
    decoder = _decoder(response.headers.get("content-encoding", ""))
    content, count = bytearray(), 0
    try:
        while count < limit and len(content) < limit:
            piece = response.read1(min(_PIECE, limit - count))
            if not piece:
                whole = (declared is None or count == declared) and decoder.ended
                return Body(bytes(content), None if whole else CUT_OFF)
            count += len(piece)
            content += decoder.feed(piece, limit - len(content))
    except IncompleteRead:
        return Body(bytes(content), CUT_OFF)
    except HTTPException:
        return Body(bytes(content), "the body's chunks cannot be read")
    except zlib.error:
        return Body(bytes(content), "the body's compression is broken")
    except TooLong:
        pass  # the chunks' own framing came to too much
    return Body(bytes(content), truncated=count != declared or len(content) >= limit > count)


class _Identity:
    """A body that is not compressed, or in a way that was not asked for and is left as it is."""

    ended = True

    def feed(self, piece: bytes, room: int) -> bytes:
        return piece[:room]


class _Inflate:
    """gzip (RFC 1952, of several members perhaps) or deflate, zlib's (RFC 1950) or bare (RFC 1951), undone."""

    def __init__(self, gzip: bool) -> None:
        self._gzip = gzip
        self._state: Any = None

    @property
    def ended(self) -> bool:
        """Whether nothing more is due; an empty body is whole as well."""
        return self._state is None or bool(self._state.eof)

    def feed(self, piece: bytes, room: int) -> bytes:
        """The next decoded bytes, at most `room` of them (more than 0). Raises zlib.error."""
        import zlib

        out = bytearray()
        while piece and len(out) < room:
            if self._state is None:
                self._state = zlib.decompressobj(self._window(piece))
            elif self._state.eof:
                if not (self._gzip and piece.startswith(b"\x1f")):
                    break  # padding behind the end, which everybody ignores
                self._state = zlib.decompressobj(self._window(piece))
            out += self._state.decompress(piece, room - len(out))
            piece = self._state.unconsumed_tail or self._state.unused_data
        return bytes(out)

    def _window(self, piece: bytes) -> int:
        if self._gzip:
            return 31
        return 15 if piece[0] & 0x0F == 8 else -15  # the header of RFC 1950 names method 8


def _decoder(encoding: str) -> _Identity | _Inflate:
    name = encoding.strip().lower()
    if name in ("gzip", "x-gzip", "deflate"):
        return _Inflate(name != "deflate")
    return _Identity()
