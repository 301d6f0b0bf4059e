"""routes: every configured path must answer with a 2xx, or with the status that is given for it."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pom_cli.checks import Site, expect
from pom_cli.checks.expect import Expected, Mismatch, differs
from pom_cli.checks.http_settings import on_site, readable, requesting
from pom_cli.checks.outcome import Outcome, asks_patience, phrase, told, verdicts, where, without_query
from pom_cli.checks.steps import LOGS, Section, Step
from pom_cli.frozen import dataclass
from pom_cli.model import DEGRADED, ERROR, OPERATIONAL, UNKNOWN, Finding, Past, State, Status, down
from pom_cli.net.client import Client
from pom_cli.net.faults import Fault
from pom_cli.net.lanes import longest
from pom_cli.text import clean, without_passwords
from pom_cli.toml.table import Table

if TYPE_CHECKING:
    from pom_cli.net.exchange import Answer

HELP = "paths that must answer, each with a 2xx or the status given for it"
COVERED: Mapping[str, Callable[[State], bool]] = {"route": down}
INTERVAL: timedelta | None = None
NETWORK = True

_PATH = 'a path like "/login"'


def _route_facts(path: str, known: Mapping[str, str]) -> Mapping[str, str]:
    url = known.get("url", "")
    return {"route": "/".join(url.split("/")[:3]) + path if path else url}


HINTS = (("paths", '["/", "/login", "/docs", { path = "/old", status = 301 }]', "default: any 2xx"),)
RUNBOOK = {
    "route": Section(
        "Route Failure",
        "Specific paths (e.g., /login, /docs) returning non-2xx.",
        (
            Step("Verify:", ("curl -sI {route}",)),
            Step("If 502/503: application is down or {web_server} can't reach it"),
            Step("If 502/503: application is down", lacking="web_server"),
            Step("If 404: route may have been removed in a deploy -- check recent deploys"),
            Step("If 500: application error -- check logs with", (LOGS,), having="ssh"),
            Step("If 500: application error -- check logs with", ("journalctl -u {unit}",), lacking="ssh"),
        ),
        plural="routes",
        facts=_route_facts,
    ),
}


@dataclass(frozen=True)
class Route:
    """A path and what it must answer; no status given: any 2xx."""

    path: str
    status: tuple[int, ...] = ()

    @property
    def subject(self) -> str:
        """The path for showing it: a token in its query is nobody's to read."""
        return without_passwords(self.path)

    def expects(self, code: int) -> bool:
        return code in self.status if self.status else 200 <= code < 300


@dataclass(frozen=True)
class Settings:
    """What is asked at `root`, a URL without a path."""

    root: str
    routes: tuple[Route, ...]
    client: Client = field(default_factory=Client)
    expected: Expected = field(default_factory=Expected)  # of every path

    @property
    def budget(self) -> float:
        return self.client.budget(longest(len(self.routes), self.client.timeout_s))


@dataclass(frozen=True)
class Seen:
    """The last attempt at one path."""

    outcome: Outcome
    attempts: int = 1
    mismatch: Mismatch | None = None  # how the answer differs from what is expected of every path


def adhoc(site: Site) -> bool:
    return False


def parse(table: Table, site: Site) -> Settings:
    """The Settings from a target's `routes` table."""
    parts = urlsplit(site.url)
    root = f"{parts.scheme}://{parts.netloc}"
    client = requesting(table, site)
    return Settings(root, _routes(table, site), client, readable(table, client, expect.parse_any(table)))


def facts(settings: Settings) -> Mapping[str, Any]:
    return {}


def subjects(settings: Settings) -> tuple[str, ...]:
    return tuple(route.subject for route in settings.routes)


def look(settings: Settings) -> tuple[Seen, ...]:
    """Every path; the bad ones again, all together after one pause, until none is bad or the attempts are used up."""
    seen = dict(zip(settings.routes, _ask(settings, settings.routes), strict=True))
    for attempt in range(2, settings.client.attempts + 1):
        bad = [
            route
            for route, one in seen.items()
            if status_of(one.outcome, route, one.mismatch) is not OPERATIONAL and not asks_patience(one.outcome)
        ]
        if not bad:
            break
        time.sleep(settings.client.pause_s)
        seen |= dict(zip(bad, _ask(settings, bad, attempt), strict=True))
    return tuple(seen.values())


def _ask(settings: Settings, routes: Sequence[Route], attempt: int = 1) -> list[Seen]:
    from pom_cli.net.lanes import walk
    from pom_cli.net.redirects import place

    if obstacle := settings.client.obstacle():
        return [Seen(obstacle, attempt)] * len(routes)
    mismatches: dict[int, Mismatch | None] = {}

    def note(number: int, answer: "Answer") -> None:
        mismatches[number] = differs(answer, settings.expected)

    paths = [place(settings.root + route.path)[1] for route in routes]
    outcomes = walk(place(settings.root)[0], paths, settings.client, note)
    return [Seen(outcome, attempt, mismatches.get(number)) for number, outcome in enumerate(outcomes)]


def judge(seen: tuple[Seen, ...], settings: Settings, past: Mapping[str, Past], now: datetime) -> list[Finding]:
    """A Finding for each path. What is known from before changes nothing."""
    return [_finding(route, one, settings) for route, one in zip(settings.routes, seen, strict=True)]


def _finding(route: Route, seen: Seen, settings: Settings) -> Finding:
    outcome = seen.outcome
    status = status_of(outcome, route, seen.mismatch)
    summary = settings.client.masked(summarize(outcome, route, settings.root, seen.mismatch))
    detail: dict[str, Any] = {"url": without_query(settings.root + route.path), "attempts": seen.attempts}
    if isinstance(outcome, Fault):
        return Finding(
            subject=route.subject,
            status=status,
            summary=summary,
            verdicts=verdicts("route", outcome, status, summary),
            detail={**where(outcome), **detail},
            answered=outcome.blame == "certificate",
        )
    return Finding(
        subject=route.subject,
        status=status,
        summary=summary,
        verdicts=verdicts("route", outcome, status, summary),
        latency_ms=round(outcome.total_ms),
        detail={"http_status": outcome.status, "address": outcome.address, **detail},
    )


def status_of(outcome: Outcome, route: Route, mismatch: Mismatch | None = None) -> Status:
    """What an answer, or the lack of one, makes of its path."""
    if isinstance(outcome, Fault):
        return outcome.status
    if asks_patience(outcome) and not route.expects(outcome.status):
        return UNKNOWN
    if outcome.flaw or not route.expects(outcome.status):
        return ERROR
    return OPERATIONAL if mismatch is None else UNKNOWN if mismatch.doubtful else DEGRADED


def summarize(outcome: Outcome, route: Route, root: str, mismatch: Mismatch | None = None) -> str:
    """`200 OK`, `404 Not Found, not 2xx`, `302 Found to /login, not 2xx`, `connection refused`."""
    if isinstance(outcome, Fault):
        return told(outcome)
    if not route.expects(outcome.status):
        if asks_patience(outcome):
            return f"{phrase(outcome)}: it asks for patience"
        wanted = " or ".join(map(str, route.status)) or "2xx"
        return f"{phrase(outcome)}{_onward(outcome.headers, root)}, not {wanted}"
    trouble = outcome.flaw or (mismatch.text if mismatch else "")
    return f"{outcome.status}, but {trouble}" if trouble else phrase(outcome)


def _onward(found: list[tuple[str, str]], root: str) -> str:
    """` to /login`: where an answer redirects, without the query, which may hold a key and differs each time."""
    location = next((value for name, value in found if name.lower() == "location"), "")
    # What a header carries beyond ASCII is UTF-8 where it is anything; the parser read it as Latin-1.
    text = location.encode("latin-1", "replace").decode("utf-8", "replace").strip()
    text = text.removeprefix(root) if text.startswith(f"{root}/") else text
    return f" to {clean(without_query(text), 80)}" if text else ""


def _routes(table: Table, site: Site) -> tuple[Route, ...]:
    """The paths of the config, each once."""
    if "paths" not in table.data:
        table.missing("paths", 'a list like ["/", "/login"]')
    found: dict[str, Route] = {}
    for each in table.tables("paths"):
        route = _route(each, site)
        if route and route.subject in found:
            table.problems.append(f"{each.path}: {route.subject!r} is not a new path; give each path once")
        elif route:
            found[route.subject] = route
    if table.data.get("paths") == []:
        table.problem("paths", 'a list with at least one path, like ["/", "/login"]')
    return tuple(found.values())


def _route(table: Table, site: Site) -> Route | None:
    if "" in table.data:
        try:
            return Route(_path(table.data[""], site))
        except ValueError:
            table.problems.append(f"{table.path}: {clean(repr(table.data['']), 80)} is not {_PATH}")
            return None
    if "path" not in table.data:
        table.missing("path", _PATH)
    path = table.read("path", "", lambda value: _path(value, site), _PATH)
    usual: tuple[int, ...] = ()
    status = table.read("status", usual, _statuses, "an HTTP status like 301, or a list of them")
    table.finish()
    return Route(path, status) if path else None


def _path(value: Any, site: Site) -> str:
    on_site(value, site)
    return str(value)


def _statuses(value: Any) -> tuple[int, ...]:
    codes = value if isinstance(value, list) else [value]
    if not codes or not all(type(code) is int and 100 <= code <= 599 for code in codes):
        raise ValueError(value)
    return tuple(codes)
