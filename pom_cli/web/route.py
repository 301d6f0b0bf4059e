"""What a view is: a function from the scene of a request to its answer. And the route that leads to it."""

import sqlite3
from collections.abc import Callable
from datetime import datetime

from pom_cli.config import Config
from pom_cli.frozen import dataclass
from pom_cli.report import history
from pom_cli.web.answers import Answer
from pom_cli.web.queries import Query


@dataclass(frozen=True)
class Scene:
    """What an answer is made from. `trusted`: the client has shown a right token; `openmetrics`: it reads that."""

    db: sqlite3.Connection  # within one snapshot
    config: Config
    identity: str
    now: datetime
    target: str
    query: Query
    trusted: bool
    openmetrics: bool = False

    def since(self, usual: str) -> datetime:
        return history.begin(self.query.since or usual, self.now)

    @property
    def limit(self) -> int:
        return self.query.limit or history.USUAL


@dataclass(frozen=True)
class Route:
    """A path, and the view that answers it. `public`: without a token too. `parameters`: of its query."""

    path: str
    view: Callable[[Scene], Answer]
    summary: str
    parameters: tuple[str, ...] = ()
    public: bool = False
