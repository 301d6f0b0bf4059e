"""cors: may pages of one origin use a URL, as a browser judges it, and are pages of others refused?"""

import time
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from pom_cli.checks import Site, http_settings
from pom_cli.checks.cors.rules import Asked, is_origin, may_set, value
from pom_cli.checks.outcome import Outcome, verdicts, where, without_query
from pom_cli.checks.steps import Section, Step
from pom_cli.frozen import dataclass
from pom_cli.model import Finding, Past, State, down
from pom_cli.net.client import Client
from pom_cli.net.faults import HOSTWIDE, Fault, NoAnswer
from pom_cli.text import clean
from pom_cli.toml.table import Table

if TYPE_CHECKING:
    from pom_cli.checks.cors.visit import CorsRequest
    from pom_cli.net.deadline import Deadline

HELP = "which origins a browser lets in, and which it must not"
COVERED: Mapping[str, Callable[[State], bool]] = {"cors": down}
INTERVAL: timedelta | None = timedelta(hours=1)
NETWORK = True

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_ORIGIN = 'an origin like "https://app.example.com": lower case, no path, no slash at the end, no usual port'
_FROM = "access-control-allow-"


HINTS = (
    ("path", '"/api/health"', ""),
    ("origin", '"https://app.example.com"', "must be let in"),
    ("refuse", '["https://evil.example"]', "must not be"),
)
_PREFLIGHT = "curl -si -X OPTIONS {cors_url} -H {origin_header} -H {method_header}"

_ALLOWED = "and look at the Access-Control-Allow lines"

RUNBOOK = {
    "cors": Section(
        "CORS Refused",
        "A configured origin is not allowed, or one that must be refused is.",
        (
            Step("Verify:", (f"{_PREFLIGHT} -H {{headers_header}}",), _ALLOWED, having="headers_header"),
            Step("Verify:", (_PREFLIGHT,), _ALLOWED, lacking="headers_header"),
            Step("If there are none: check CORS settings of the application and of {web_config}"),
            Step("If there are none: check CORS settings of the application", lacking="web_config"),
            Step("If 404/405: OPTIONS is not routed -- check recent deploys"),
            Step("If an origin is allowed that must not be: look for a wildcard or an origin echoed unchecked"),
            Step("If intentional change: update PoM config to match"),
            Step("Confirm: re-run CORS check", ("{pom:whole} check cors {target}",)),
        ),
        plural="origins",
    ),
}


@dataclass(frozen=True)
class Settings:
    """Who asks for what, and who must not. The client's timeout is for one origin's whole visit."""

    url: str
    origin: str
    method: str = "GET"
    headers: tuple[str, ...] = ()  # in lower case
    credentials: bool = False
    refuse: tuple[str, ...] = ()
    client: Client = field(default_factory=Client)

    @property
    def budget(self) -> float:
        return self.client.budget((1 + len(self.refuse)) * self.client.timeout_s)

    @property
    def unsafe(self) -> tuple[str, ...]:
        """The headers that its preflight asks for."""
        return Asked(self.origin, headers=self.headers).unsafe


@dataclass(frozen=True)
class Seen:
    """The last attempt: what each origin's visit came to, in the order of the subjects."""

    visits: "tuple[tuple[CorsRequest, ...], ...]"
    attempts: int = 1


def adhoc(site: Site) -> bool:
    return False


def parse(table: Table, site: Site) -> Settings:
    """The Settings from a target's `cors` table."""
    url = http_settings.url(table, site)
    if "origin" not in table.data:
        table.missing("origin", _ORIGIN)
    origin = table.read("origin", "", _origin, _ORIGIN)
    return Settings(
        url=url,
        origin=origin,
        method=table.choice("method", "GET", METHODS),
        headers=table.items("headers", (), _header, 'a list of headers that a page may set, like "authorization"'),
        credentials=table.boolean("credentials", False),
        refuse=_refuse(table, origin),
        client=http_settings.client(table, site),
    )


def _refuse(table: Table, origin: str) -> tuple[str, ...]:
    found = table.items("refuse", (), _origin, f"a list of origins, each {_ORIGIN}")
    if origin in found:
        table.problem("refuse", f"possible: {origin!r} is the origin that must be allowed")
    return tuple(dict.fromkeys(found))


def _origin(text: Any) -> str:
    if not isinstance(text, str) or not is_origin(text):
        raise ValueError(text)
    return text


def _header(name: Any) -> str:
    if not isinstance(name, str) or not may_set(name):
        raise ValueError(name)
    return name.lower()


def facts(settings: Settings) -> Mapping[str, Any]:
    return {
        "cors_url": settings.url,
        "origin": settings.origin,
        "method": settings.method,
        "headers": ",".join(settings.unsafe),
    }


def subjects(settings: Settings) -> tuple[str, ...]:
    return (settings.origin, *settings.refuse)


def look(settings: Settings) -> Seen:
    """A visit from each origin; all once more where something came that may pass by itself."""
    attempt, visits = 1, _round(settings)
    while attempt < settings.client.attempts and any(_may_pass(step.outcome) for steps in visits for step in steps):
        time.sleep(settings.client.pause_s)
        attempt, visits = attempt + 1, _round(settings)
    return Seen(visits, attempt)


def _round(settings: Settings) -> "tuple[tuple[CorsRequest, ...], ...]":
    """Where the host cannot be reached for the first origin, it is not tried for the others."""
    from pom_cli.checks.cors.visit import trial, visit
    from pom_cli.net.deadline import Deadline

    visits: list[tuple[CorsRequest, ...]] = []
    for origin in subjects(settings):
        asked = Asked(origin, settings.method, settings.headers, settings.credentials)
        if visits and isinstance(fault := visits[0][0].outcome, Fault) and fault.phase in HOSTWIDE:
            visits.append((replace(visits[0][0], asked=asked),))
            continue
        send = partial(_send, settings, Deadline.after(settings.client.timeout_s))
        visits.append((visit if origin == settings.origin else trial)(settings.url, asked, send))
    return tuple(visits)


def _send(settings: Settings, deadline: "Deadline", method: str, url: str, headers: Mapping[str, str]) -> Outcome:
    from pom_cli.net.http import fetch
    from pom_cli.net.redirects import REDIRECTS, Policy

    try:
        return fetch(
            url,
            headers,
            deadline,
            verify=settings.client.verify,
            ca_file=settings.client.ca_file,
            method=method,
            max_body=0,  # the headers tell it all, and an endless stream is as good an answer as any
            policy=Policy(final=REDIRECTS),
        )
    except NoAnswer as error:
        return error.fault


def _may_pass(outcome: Outcome) -> bool:
    return isinstance(outcome, Fault) or outcome.status >= 500


def judge(seen: Seen, settings: Settings, past: Mapping[str, Past], now: datetime) -> list[Finding]:
    """A Finding for each origin. What is known from before changes nothing."""
    pairs = zip(subjects(settings), seen.visits, strict=True)
    return [_finding(origin, steps, seen.attempts, settings) for origin, steps in pairs]


def _finding(origin: str, steps: "tuple[CorsRequest, ...]", attempts: int, settings: Settings) -> Finding:
    from pom_cli.checks.cors.visit import judge_allowed, judge_refused

    status, summary, decisive = (judge_allowed if origin == settings.origin else judge_refused)(steps)
    first = steps[0].outcome
    return Finding(
        subject=origin,
        status=status,
        summary=summary,
        verdicts=verdicts("cors", decisive.outcome, status, summary),
        latency_ms=None if isinstance(first, Fault) else round(first.total_ms),
        detail={**_sent(decisive, settings), **_came(decisive.outcome), **_granted(first), "attempts": attempts},
        answered=any(not isinstance(step.outcome, Fault) or step.outcome.blame == "certificate" for step in steps),
    )


def _sent(step: "CorsRequest", settings: Settings) -> dict[str, Any]:
    """What was asked in the step that decided."""
    return {
        "step": step.name,
        "url": without_query(step.url),
        "origin": step.asked.origin,
        "method": settings.method,
        "headers": list(settings.headers),
        "credentials": settings.credentials,
    }


def _came(outcome: Outcome) -> dict[str, Any]:
    """What came back in the step that decided."""
    if isinstance(outcome, Fault):
        return where(outcome)
    found = {
        "allow_origin": value(outcome.headers, f"{_FROM}origin"),
        "allow_credentials": value(outcome.headers, f"{_FROM}credentials"),
        "vary": value(outcome.headers, "vary"),
    }
    texts = {name: clean(text) for name, text in found.items() if text is not None}
    return {"http_status": outcome.status, "address": outcome.address, **texts}


def _granted(preflight: Outcome) -> dict[str, str]:
    """What the preflight permits."""
    if isinstance(preflight, Fault):
        return {}
    found = {name: value(preflight.headers, f"{_FROM}{name}") for name in ("methods", "headers")}
    return {f"allow_{name}": clean(text) for name, text in found.items() if text is not None}
