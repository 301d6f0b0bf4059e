"""A web server on loopback that does what it is told, decent or hostile: for each path a script of steps."""

from __future__ import annotations

import gzip
import socket
import ssl
import struct
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from types import TracebackType

from certificates import Issued


class End:
    """How a script ends the connection, where it does not go on to the next request."""

    def __init__(self, name: str) -> None:
        self.name = name


CLOSE, RESET, HANG = End("close"), End("reset"), End("hang")  # an orderly end, a TCP reset, silence for ever

Step = bytes | float | End | Callable[[socket.socket], object]  # send this, wait so many seconds, end, do that
Script = Iterable[Step] | Callable[[], Iterable[Step]]


@dataclass(frozen=True)
class Request:
    """One request as it came. Header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    raw: bytes
    connection: int  # the number of the connection that it came over, from 1


@dataclass
class WebServer:
    """Use it as `with WebServer() as server:`. `tls` is the certificate to present; `greeting` is done before any
    request is read (and before TLS); `adjust` may change the context that TLS is spoken with; `sign` may
    change each answer that is sent in one piece."""

    host: str = "127.0.0.1"
    tls: Issued | None = None
    greeting: Script | None = None
    adjust: Callable[[ssl.SSLContext], None] | None = None
    sign: Callable[[Request, bytes], bytes] | None = None
    requests: list[Request] = field(default_factory=list)
    connections: int = 0

    def __enter__(self) -> WebServer:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self._listener = socket.create_server((self.host, 0), family=family, backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self._scripts: dict[str, list[Script]] = {}
        self._stop = threading.Event()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._context = _context(self.tls) if self.tls else None
        if self._context and self.adjust:
            self.adjust(self._context)
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join(10)
        self._listener.close()
        with self._lock:
            for sock in self._open:
                _shut(sock)
        for thread in self._threads[1:]:
            thread.join(10)

    def present(self, tls: Issued) -> None:
        """From now on another certificate."""
        self._context = _context(tls)

    def on(self, path: str, *scripts: Script) -> None:
        """What a request of `path` gets: each request the next script, the last one ever after."""
        self._scripts[path] = list(scripts)

    def url(self, path: str = "/", host: str | None = None) -> str:
        name = host or (f"[{self.host}]" if ":" in self.host else self.host)
        return f"{'https' if self.tls else 'http'}://{name}:{self.port}{path}"

    def paths(self) -> list[str]:
        """The paths that were asked for, in order."""
        return [request.path for request in self.requests]

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self._open.add(sock)
            thread = threading.Thread(target=self._serve, args=(sock, self.connections), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        plain = sock
        try:
            if self.greeting and not self._play(sock, self.greeting):
                return
            if self._context:
                sock = self._context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
                with self._lock:
                    self._open.add(sock)
                sock.do_handshake()
            while self._one(sock, number):
                pass
        except (OSError, ValueError):
            pass  # the client went away, which is its right
        finally:
            with self._lock:
                self._open -= {plain, sock}
            sock.close()
            plain.close()

    def _one(self, sock: socket.socket, number: int) -> bool:
        """Read one request and play its script; True where the connection lives on."""
        request = _read(sock, number)
        if request is None:
            return False
        with self._lock:
            self.requests.append(request)
            scripts = self._scripts.get(request.path, [answer(404, b"not scripted")])
            script = scripts.pop(0) if len(scripts) > 1 else scripts[0]
        return self._play(sock, script, request) and request.headers.get("connection", "").lower() != "close"

    def _play(self, sock: socket.socket, script: Script, request: Request | None = None) -> bool:
        for step in script() if callable(script) else script:
            if self._stop.is_set():
                return False
            if isinstance(step, bytes):
                signs = self.sign if request and step.startswith(b"HTTP/1.1 ") else None
                sock.sendall(signs(request, step) if signs and request else step)
            elif isinstance(step, End):
                self._end(sock, step)
                return False
            elif callable(step):
                step(sock)
            else:
                self._stop.wait(step)
        return True

    def _end(self, sock: socket.socket, how: End) -> None:
        if how is HANG:
            self._stop.wait()
        if how is RESET:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def insisting(takes: Callable[[bytes], bool]) -> list[Step]:
    """A greeting that refuses TLS by the alert no_application_protocol (RFC 7301, section 3.2), unless the ClientHello
    is one that it takes."""

    def step(sock: socket.socket) -> None:
        if not takes(sock.recv(65536, socket.MSG_PEEK)):
            sock.recv(65536)
            sock.sendall(b"\x15\x03\x03\x00\x02\x02\x78")
            raise OSError("refused")

    return [step]


def answer(
    status: int = 200,
    body: bytes | str = b"",
    headers: Mapping[str, str] | None = None,
    *,
    length: int | str | None = None,
    reason: str = "Scripted",
) -> list[Step]:
    """A whole answer. `length` is what Content-Length says, where that is not the truth."""
    content = body.encode() if isinstance(body, str) else body
    fields = {"Content-Length": str(len(content) if length is None else length), **(headers or {})}
    return [head(status, fields, reason) + content]


def head(status: int = 200, headers: Mapping[str, str] | None = None, reason: str = "Scripted") -> bytes:
    """Status line, headers and the empty line."""
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in (headers or {}).items()), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def json(body: str, status: int = 200) -> list[Step]:
    return answer(status, body, {"Content-Type": "application/json"})


def redirect(location: str, status: int = 302) -> list[Step]:
    return answer(status, b"", {"Location": location})


def drip(data: bytes, pause: float = 0.05) -> Callable[[], Iterator[Step]]:
    """A byte at a time."""

    def steps() -> Iterator[Step]:
        for byte in data:
            yield bytes([byte])
            yield pause

    return steps


def endless(first: bytes, piece: bytes = b"x" * 65536) -> Callable[[], Iterator[Step]]:
    """`first`, and then `piece` again and again for as long as the client stays."""

    def steps() -> Iterator[Step]:
        yield first
        while True:
            yield piece

    return steps


def zipped(data: bytes, cut: int = 0) -> list[Step]:
    """`data` as a gzip body, without its last `cut` bytes (and a Content-Length that does not tell)."""
    packed = gzip.compress(data, mtime=0)  # without the time of day, for it may name a test
    return answer(200, packed[: len(packed) - cut], {"Content-Encoding": "gzip"})


@cache
def bomb() -> list[Step]:
    """An eighth of a megabyte of gzip that stands for 128 MiB of zeros."""
    packer = zlib.compressobj(1, wbits=31)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(128)) + packer.flush()
    return answer(200, packed, {"Content-Encoding": "gzip"})


def _context(tls: Issued) -> ssl.SSLContext:
    import tempfile
    from pathlib import Path

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        context.load_cert_chain(tls.write(Path(folder) / "server.pem"))
    return context


def _shut(sock: socket.socket) -> None:
    with suppress(OSError):  # closed already
        sock.shutdown(socket.SHUT_RDWR)


def _read(sock: socket.socket, number: int) -> Request | None:
    """One request, None where the client closed."""
    raw = b""
    while b"\r\n\r\n" not in raw:
        piece = sock.recv(65536)
        if not piece:
            return None
        raw += piece
    top, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = top.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += sock.recv(65536)
    return Request(method, path, headers, body, raw, number)
