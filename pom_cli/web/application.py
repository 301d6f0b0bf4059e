"""A request as plain data → its answer, whatever happens. Every step of it is in one of the modules named here."""

import sqlite3
import threading
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from pom_cli.config import Config
from pom_cli.errors import StoreError
from pom_cli.frozen import dataclass
from pom_cli.text import clean
from pom_cli.web import answers, content, limits, routes
from pom_cli.web.access import Access, Caller
from pom_cli.web.answers import Answer
from pom_cli.web.cache import Cache, keep
from pom_cli.web.queries import Refused
from pom_cli.web.reader import Source, mark
from pom_cli.web.route import Scene
from pom_cli.web.routes import Asked


@dataclass(frozen=True)
class Request:
    """What an answer depends on. `address` is the client's own: no header is believed about it."""

    method: str
    uri: str
    address: str
    authorization: str = ""
    if_none_match: str = ""


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

    def answer(self, request: Request) -> Answer:
        """The answer to this request. It raises nothing: a bug of ours is a 500, and told of."""
        try:
            return answers.conditional(self._answer(request), request.if_none_match)
        except Exception:  # noqa: BLE001 - whatever it is, the client and the others are still there
            self._complain(f"{clean(request.method, 20)} {clean(request.uri)}: a fault of PoM")
            for line in traceback.format_exc().splitlines():
                if line.strip(" ^~"):
                    self._complain(line)
            return answers.error(500, "PoM itself failed; its log says how")

    def refuse(self, address: str, refusal: Answer) -> Answer:
        """The refusal of what could not be read as a request: it counts like any other."""
        limit = self._access.spend(Caller.NOBODY, limits.client(address), time.monotonic())
        return limit or refusal

    def _answer(self, request: Request) -> Answer:
        client, now = limits.client(request.address), time.monotonic()
        caller = self._access.caller(request.authorization)
        limited = self._access.spend(caller, client, now)
        if limited:
            return limited
        if request.method not in routes.METHODS:
            return not_allowed()
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
        return self._kept(asked, caller is Caller.TRUSTED)

    def _kept(self, asked: Asked, trusted: bool) -> Answer:
        """The answer that is kept, where it still holds, else a new one."""
        key = (asked.route.path, asked.target, asked.query, trusted)
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
                answer = self._source.read(partial(self._make, asked, trusted, now))
            except StoreError as error:
                if asked.route is routes.HEALTH:
                    return content.unreadable(self._config, self._identity, trusted, now)
                if asked.route is routes.PAGE:
                    return content.unreadable_page(asked.query, now)
                return answers.error(503, str(error))
            self._cache.put(key, keep(answer, seen, wall))
            return answer

    def _make(self, asked: Asked, trusted: bool, now: datetime, db: sqlite3.Connection) -> Answer:
        scene = Scene(db, self._config, self._identity, now, asked.target, asked.query, trusted)
        return asked.route.view(scene)


def not_allowed(close: bool = False) -> Answer:
    return answers.error(405, "only GET and HEAD are spoken here", ("Allow", ", ".join(routes.METHODS)), close=close)
