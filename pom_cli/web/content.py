"""What each path answers, from the same functions that `pom status` and its siblings print.

A view is a function from the scene of a request to its answer; a route leads to it.
"""

import sqlite3
from collections.abc import Callable
from datetime import datetime
from typing import Any

from pom_cli import __version__
from pom_cli.alerting import overdue
from pom_cli.config import Config
from pom_cli.frozen import dataclass
from pom_cli.mesh import report as mesh_view
from pom_cli.model import DEGRADED, OPERATIONAL, UNKNOWN
from pom_cli.report import history as past
from pom_cli.report import overview
from pom_cli.store import alerts as alert_rows
from pom_cli.times import utc
from pom_cli.web import answers
from pom_cli.web import metrics as exposition
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
        return past.begin(self.query.since or usual, self.now)

    @property
    def limit(self) -> int:
        return self.query.limit or past.USUAL


@dataclass(frozen=True)
class Route:
    """A path, and the view that answers it. `public`: without a token too. `parameters`: of its query."""

    path: str
    view: Callable[[Scene], Answer]
    summary: str
    parameters: tuple[str, ...] = ()
    public: bool = False


def health(scene: Scene) -> Answer:
    """503 where a kind's own runs are overdue, so that an outside monitor need read no further.

    With a broken config all runs go on, by the last one that loaded: 200, and degraded.
    """
    runs = overdue.runs(scene.db, scene.config, scene.now)
    late = [kind for kind, run in runs.items() if run["overdue"]]
    status_ = "degraded" if late or _config_broken(scene) else "operational"
    found: dict[str, Any] = {"status": status_, "time": utc(scene.now), "overdue": late}
    more = {"instance": about(scene.config, scene.identity), "checks": runs} if scene.trusted else {}
    return answers.of(found | more, 503 if late else 200)


def _config_broken(scene: Scene) -> bool:
    """As the newest timer's run found it: this process has read its config long ago."""
    alert = alert_rows.one(scene.db, "", "config-broken")
    return alert is not None and alert.open


def unreadable(config: Config, identity: str, trusted: bool, now: datetime) -> Answer:
    """`/api/health` while the database cannot be read: then nothing is known of the runs either."""
    found: dict[str, Any] = {"status": "error", "time": utc(now), "overdue": []}
    more = {"instance": about(config, identity), "checks": {}} if trusted else {}
    return answers.of(found | more, 503)


def about(config: Config, identity: str) -> dict[str, str]:
    return {"id": identity, "name": config.instance.name, "version": __version__}


def status(scene: Scene) -> Answer:
    return answers.of(overview.status(scene.db, scene.config, scene.now))


def target(scene: Scene) -> Answer:
    found = overview.status(scene.db, scene.config, scene.now, [scene.target])
    return answers.of(found["targets"][0])


def history(scene: Scene) -> Answer:
    about = scene.config.targets[scene.target]
    return answers.of_rows(past.rows(scene.db, about, scene.query.kind, scene.since("24h"), scene.limit))


def incidents(scene: Scene) -> Answer:
    return answers.of(past.incidents(scene.db, scene.config, scene.since("30d"), scene.limit, scene.now))


def trends(scene: Scene) -> Answer:
    about = scene.config.targets[scene.target]
    return answers.of(past.trends(scene.db, scene.config, about, scene.since("24h"), scene.now))


def peer(scene: Scene) -> Answer:
    return answers.of(mesh_view.peer_answer(scene.db, scene.config, scene.now))


def mesh(scene: Scene) -> Answer:
    return answers.of(mesh_view.mesh(scene.db, scene.config, scene.now))


def metrics(scene: Scene) -> Answer:
    found = overview.status(scene.db, scene.config, scene.now)
    runs = overdue.runs(scene.db, scene.config, scene.now)
    peers = mesh_view.mesh(scene.db, scene.config, scene.now)["peers"]
    families = exposition.families(scene.identity, found, runs, peers)
    if scene.openmetrics:
        text, kind = exposition.openmetrics(families), exposition.OPENMETRICS
    else:
        text, kind = exposition.plain(families), exposition.PLAIN
    return answers.of_text(text, kind, [found, runs, peers])


def page(scene: Scene) -> Answer:
    """`/`, for everybody: without an ETag, since it tells the time that it was made at."""
    from pom_cli.web.page import data as page_data
    from pom_cli.web.page import html as page

    return _html(page.html(page_data.picture(scene.db, scene.config, scene.now)))


def feed(scene: Scene) -> Answer:
    """`/feed.xml`: incidents and announcements."""
    from pom_cli.web.page import data, feed, style

    picture = data.picture(scene.db, scene.config, scene.now)
    text = feed.feed(picture, scene.config.page.announcements, scene.identity)
    return Answer(200, text.encode(), "application/atom+xml; charset=utf-8", style.ELSEWHERE)


def badge(scene: Scene) -> Answer:
    """`/badge/{target}.svg`: the label and the status as a small picture."""
    from pom_cli.web.page import data, style, svg, words

    one = next(one for one in data.systems(scene.db, scene.config, scene.now) if one.name == scene.target)
    tones = {OPERATIONAL: "ok", DEGRADED: "warn", UNKNOWN: "unknown"}
    told, tone = words.word(one.status), tones.get(one.status, "bad")
    if one.maintenance_until:
        told, tone = "maintenance", "busy"
    elif one.overdue:
        told, tone = "unknown", "unknown"
    return Answer(200, svg.badge(one.label, told, tone).encode(), "image/svg+xml", style.ELSEWHERE)


def unreadable_page(title: str, now: datetime) -> Answer:
    """`/` while the database cannot be read; the reason is not public."""
    from pom_cli.web.page import html as page

    return _html(page.unreadable(now, title), 503)


def _html(text: str, status: int = 200) -> Answer:
    from pom_cli.web.page import style

    return Answer(status, text.encode(), "text/html; charset=utf-8", style.headers())
