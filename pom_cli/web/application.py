"""The API as a WSGI application (PEP 3333): a request as plain data → its answer, whatever happens."""

import re
import sqlite3
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from pom_cli.config import Config
from pom_cli.errors import StoreError
from pom_cli.frozen import dataclass
from pom_cli.mesh import signing
from pom_cli.mesh.signing import Question
from pom_cli.text import clean
from pom_cli.web import access, answers, content, metrics, routes
from pom_cli.web.access import Access, Caller
from pom_cli.web.answers import Answer
from pom_cli.web.cache import Cache, keep
from pom_cli.web.content import Scene
from pom_cli.web.queries import Refused
from pom_cli.web.reader import Source, mark
from pom_cli.web.routes import Asked

# What the server could not read comes with this header, and the status to refuse it with. In lower case: the names of
# a client's own headers come in upper case.
REFUSED = "refused"
_HOST = re.compile(r"[A-Za-z0-9._~:%\[\]-]+")  # two Host headers come as one, with a comma
_NONCE, _SIGNATURE = (f"HTTP_{name.upper().replace('-', '_')}" for name in (signing.NONCE, signing.SIGNATURE))
_REFUSALS = {
    400: "this cannot be read as a request",
    413: "a request has no body here",
    431: "the headers are too long",
    501: "this transfer encoding is not spoken here",
}


@dataclass(frozen=True)
class Request:
    """What an answer depends on. `address` is the client's own: no header is believed about it.

    `refused` is the status for what could not be read.
    """

    method: str
    uri: str
    address: str
    authorization: str = ""
    if_none_match: str = ""
    accept: str = ""
    refused: int = 0
    nonce: str = ""
    signature: str = ""


def read(environ: Mapping[str, Any]) -> Request:
    """The request in a WSGI environment. Without exactly one Host it is a bad one (RFC 9112, 3.2)."""
    refused = int(environ.get(f"HTTP_{REFUSED}", 0))
    return Request(
        method=environ["REQUEST_METHOD"],
        uri=environ["REQUEST_URI"],
        address=environ["REMOTE_ADDR"],
        authorization=environ.get("HTTP_AUTHORIZATION", ""),
        if_none_match=environ.get("HTTP_IF_NONE_MATCH", ""),
        accept=environ.get("HTTP_ACCEPT", ""),
        nonce=environ.get(_NONCE, ""),
        signature=environ.get(_SIGNATURE, ""),
        refused=refused or (0 if _HOST.fullmatch(environ.get("HTTP_HOST", "")) else 400),
    )


def _question(request: Request) -> Question:
    return Question(request.method, request.uri, request.nonce)


def _signed(answer: Answer, request: Request, token: str) -> Answer:
    body = b"" if request.method == "HEAD" else answer.body
    signature = signing.answer(token, _question(request), answer.status, body)
    mark = ((signing.NONCE, request.nonce), (signing.SIGNATURE, signature))
    return replace(answer, headers=answer.headers + mark)


class Application:
    """The API of one config, read once at the start. `complain` takes the faults of ours, a line each.

    `wall` is the time of day, in seconds since the epoch.
    """

    def __init__(
        self,
        config: Config,
        identity: str,
        source: Source,
        complain: Callable[[str], None],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._config, self._identity, self._source = config, identity, source
        self._complain, self._wall = complain, wall
        self._access = Access(config.secrets.api_tokens(), config.serve.rate_limit)
        self._cache = Cache()
        self._making = threading.Lock()  # what many ask for at once is made once

    def __call__(self, environ: Mapping[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        answer = self.answer(read(environ))
        start_response(*answers.head(answer))
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [answer.body]

    def answer(self, request: Request) -> Answer:
        """The answer to this request. It raises nothing: a bug of ours is logged, and a 500."""
        try:
            caller, token = self._proof(request)
            answer = answers.conditional(self._answer(request, caller), request.if_none_match)
            return _signed(answer, request, token) if token else answer
        except Exception:  # noqa: BLE001 - one failed answer must not stop the server
            self._complain(f"{clean(request.method, 20)} {clean(request.uri)}: a fault of PoM")
            for line in traceback.format_exc().splitlines():
                if line.strip(" ^~"):
                    self._complain(line)
            return answers.error(500, "PoM itself failed; its log says how")

    def _proof(self, request: Request) -> tuple[Caller, str]:
        """Who asks, and the token to sign the answer with, "" for none."""
        if not request.signature:
            return self._access.caller(request.authorization), ""
        return self._access.asker(_question(request), request.signature, time.monotonic())

    def _answer(self, request: Request, caller: Caller) -> Answer:
        client, now = access.client(request.address), time.monotonic()
        limited = self._access.spend(caller, client, now)
        if limited:
            return limited
        if request.method not in routes.METHODS:
            return answers.error(405, "only GET and HEAD are spoken here", ("Allow", ", ".join(routes.METHODS)))
        if request.refused:
            return answers.error(request.refused, _REFUSALS[request.refused])
        found = routes.find(request.uri, self._config.serve.page)
        public = found.public if isinstance(found, Refused) else found[0].public
        if caller is not Caller.TRUSTED and not public:
            return self._access.refuse(caller, client, now)
        self._access.failed(caller, client, now)
        if isinstance(found, Refused):
            return answers.error(found.status, str(found))
        try:
            asked = routes.asked(found, self._config)
        except Refused as refused:
            return answers.error(refused.status, str(refused))
        return self._kept(asked, caller is Caller.TRUSTED, metrics.wanted(request.accept))

    def _kept(self, asked: Asked, trusted: bool, openmetrics: bool) -> Answer:
        """The answer that is kept, where it still holds, else a new one."""
        key = (asked.route.path, asked.target, asked.query, trusted, openmetrics)
        kept = self._cache.get(key)
        if kept and kept.holds(mark(self._source.path), self._wall()):
            return kept.answer
        with self._making:
            # Before the database is read: a commit in between makes the answer newer than its mark, never older.
            seen, wall = mark(self._source.path), self._wall()
            kept = self._cache.get(key)
            if kept and kept.holds(seen, wall):
                return kept.answer
            now = datetime.fromtimestamp(wall, UTC)
            try:
                answer = self._source.read(partial(self._make, asked, trusted, openmetrics, now))
            except StoreError as error:
                if asked.route is routes.HEALTH:
                    return content.unreadable(self._config, self._identity, trusted, now)
                if asked.route is routes.PAGE:
                    return content.unreadable_page(self._config.page.title, now)
                if asked.route.public:  # the reason is not public
                    return answers.error(503, "the status is currently unavailable")
                return answers.error(503, str(error))
            self._cache.put(key, keep(answer, seen, wall))
            return answer

    def _make(self, asked: Asked, trusted: bool, openmetrics: bool, now: datetime, db: sqlite3.Connection) -> Answer:
        scene = Scene(db, self._config, self._identity, now, asked.target, asked.query, trusted, openmetrics)
        return asked.route.view(scene)
