"""A web server on loopback with CORS rules: what it answers depends on the whole request, as in a real application."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

Fields = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Request:
    """One request as it came. Header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]

    @property
    def preflight(self) -> bool:
        return self.method == "OPTIONS" and "access-control-request-method" in self.headers


Rule = Callable[[Request], tuple[int, Fields]]


@dataclass
class CorsServer:
    """Use it as `with CorsServer(rule) as server:`. The rule gives status and headers of each answer."""

    rule: Rule
    requests: list[Request] = field(default_factory=list)

    def __enter__(self) -> CorsServer:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(self.command, self.path, headers)
                server.requests.append(request)
                status, fields = server.rule(request)
                self.send_response(status)
                for name, value in fields:
                    self.send_header(name, value)
                body = b"" if self.command == "HEAD" or status in (204, 304) else b"{}"
                if status not in (204, 304):
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_HEAD = do_OPTIONS = do_POST = do_PUT = do_PATCH = do_DELETE = answer

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.port: int = self._server.server_address[1]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def sent(self) -> list[tuple[str, str | None]]:
        """Method and Origin of each request, in order."""
        return [(request.method, request.headers.get("origin")) for request in self.requests]


def application(
    origins: Sequence[str],
    methods: str = "GET, POST",
    headers: str = "",
    credentials: bool = False,
    vary: bool = True,
) -> Rule:
    """A decent application: it lets in `origins`, and tells caches that it looks at the Origin."""

    def rule(request: Request) -> tuple[int, Fields]:
        fields = [("Vary", "Origin")] if vary else []
        if request.headers.get("origin") in origins:
            fields.append(("Access-Control-Allow-Origin", request.headers["origin"]))
            fields += [("Access-Control-Allow-Credentials", "true")] if credentials else []
            if request.preflight:
                fields.append(("Access-Control-Allow-Methods", methods))
                fields += [("Access-Control-Allow-Headers", headers)] if headers else []
        return (204 if request.preflight else 200), fields

    return rule


def always(status: int, fields: Mapping[str, str] | Fields = ()) -> Rule:
    """The same for every request, as a web server's configuration gives it."""
    listed = list(fields.items()) if isinstance(fields, Mapping) else list(fields)
    return lambda request: (status, listed)
