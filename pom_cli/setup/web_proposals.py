"""What a site's certificate, health and routes allow the config to say. Each proposal has passed its kind's check."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from pom_cli.checks import KINDS, Site
from pom_cli.checks.outcome import phrase, told
from pom_cli.frozen import dataclass
from pom_cli.model import DEGRADED, OPERATIONAL, UNKNOWN, Finding
from pom_cli.net.client import Client
from pom_cli.net.deadline import Deadline
from pom_cli.net.exchange import Answer
from pom_cli.net.faults import Fault
from pom_cli.net.lanes import walk
from pom_cli.net.redirects import ELSEWHERE, place
from pom_cli.setup.front_page import CANDIDATES, chosen, routes_to_try, well_said
from pom_cli.setup.landing import Landing
from pom_cli.setup.proposals import Proposal, trial

MOST_ROUTES = 8
_TRIAL_S = 3.0  # for a look at health or tls
# What a healthy site may answer to a stranger; a 403 may as well be a firewall that refuses this monitor.
_USUAL = (401, 404, 405)
_PATIENCE = 2.0  # seconds for one route


@dataclass(frozen=True)
class _Sights:
    """What a few requests found about a site's paths."""

    health: str = ""
    body: bytes = b""  # of the health path's answer
    catch_all: bool = True  # any path returns a 2xx, or that is unknown


def propose(landing: Landing, site: Site, deadline: Deadline, now: datetime) -> dict[str, Proposal]:
    """The proposals for tls, health and routes, each one that PoM knows."""
    found: dict[str, Proposal] = {}
    reached = not isinstance(landing.outcome, Fault) or landing.outcome.phase != "connect"
    if site.scheme == "https" and "tls" in KINDS and reached:
        found["tls"] = _tls(landing, site, deadline, now)
    trusted = landing.verify or isinstance(found.get("tls", Proposal()).settings, Mapping)
    if landing.answer is None or not trusted:
        found["health"] = _bad(landing, trusted)
        return found
    site = replace(site, verify=landing.verify)
    sights = _explore(site, deadline)
    found["health"] = _health(landing.answer, sights, site, deadline, now)
    if "routes" in KINDS and not sights.catch_all:
        asked = str(found["health"].settings.get("path", "/")) if isinstance(found["health"].settings, dict) else "/"
        found["routes"] = _routes(landing.answer, asked, site, deadline, now)
    return found


def _bad(landing: Landing, trusted: bool) -> Proposal:
    """Nothing here can make a check green that is meant to be red: the defaults stay, and the first check tells it."""
    why = told(landing.outcome) if isinstance(landing.outcome, Fault) else phrase(landing.outcome)
    why = why if trusted else "its certificate is not in order"
    return Proposal(
        None, (f"It does not answer as it should today: {why}. `pom check` will report it.",), f"does not answer: {why}"
    )


def _tls(landing: Landing, site: Site, deadline: Deadline, now: datetime) -> Proposal:
    """The certificate as it is. One that is not trusted is still watched; one that ends soon is warned of later."""
    settings: dict[str, Any] = {}
    first = finding = _one(_tried("tls", settings, site, deadline, now))
    if finding and not landing.verify:
        settings["verify"] = False
        finding = _one(_tried("tls", settings, site, deadline, now))
    days = finding.verdicts["tls-expiry"].days_left if finding else None
    if finding and finding.status is DEGRADED and days:
        settings["warn"] = sooner(days)
        finding = _one(_tried("tls", settings, site, deadline, now))
    if first is None or finding is None:
        return Proposal()
    notes = [_issued(first), f"Today: {first.summary}."]
    if finding.status is OPERATIONAL:
        return Proposal(settings, (*filter(None, notes), *_tls_remarks(settings)), _certificate(finding, settings))
    notes.append("`pom check tls` will report it." if not landing.verify else "")
    if landing.verify and landing.answer and finding.status is not UNKNOWN:
        notes.append("So it is switched off: delete the line with false once that is fixed.")
        return Proposal(False, tuple(filter(None, notes)), f"tls is off: {first.summary}")
    return Proposal(None, tuple(filter(None, notes)), f"certificate: {first.summary}")


def _issued(finding: Finding) -> str:
    issuer, until = finding.detail.get("issuer"), finding.detail.get("expires_at")
    return f"Issued by {issuer}, until {until[:10]}." if issuer and until else ""


def _tls_remarks(settings: Mapping[str, Any]) -> list[str]:
    remarks = []
    if "verify" in settings:
        remarks.append("So it is not verified, here and by health and routes: once it is trusted, or its authority's")
        remarks.append("certificate is in the file given as ca_file, delete the line with verify.")
    if "warn" in settings:
        remarks.append("It ends so soon that warn is lower than usual: delete that line once it is renewed.")
    return remarks


def _certificate(finding: Finding, settings: Mapping[str, Any]) -> str:
    until = str(finding.detail.get("expires_at") or "?")[:10]
    return f"certificate until {until}" + (", not trusted: verify = false" if "verify" in settings else "")


def sooner(days: int) -> str:
    """A `warn` that is not due yet with this many days left, and will be in half of them."""
    return f"{days // 2}d" if days > 1 else "12h"


def _explore(site: Site, deadline: Deadline) -> _Sights:
    """Try the usual health paths, and one that cannot exist: a site that answers that well answers anything."""
    origin, _ = place(site.url)
    decoy = f"/{os.urandom(8).hex()}"
    paths = (decoy, *CANDIDATES)
    client = Client(timeout_s=min(_PATIENCE, deadline.remaining() / 4), verify=site.verify)
    answers: dict[str, Answer] = {}
    walk(origin, paths, client, lambda number, answer: answers.update({paths[number]: answer}))
    answers = {path: answers[path] for path in paths if path in answers}
    nothing = answers.pop(decoy, None)
    if nothing is None:
        return _Sights()
    path = chosen(list(answers.items()), nothing)
    return _Sights(path, answers[path].body if path else b"", catch_all=200 <= nothing.status < 300)


def _health(answer: Answer, sights: _Sights, site: Site, deadline: Deadline, now: datetime) -> Proposal:
    """The first of what could be asked that is green."""
    for settings, note, few in _options(answer, sights):
        finding = _one(_tried("health", settings, site, deadline, now, attempts=1))
        if finding and finding.status is OPERATIONAL:
            return Proposal(settings, (note,), few)
    why = phrase(answer) + (f": {answer.unfollowed}" if answer.unfollowed else "")
    return Proposal(
        None, (f"It does not answer as it should today: {why}. `pom check` will report it.",), f"health: {why}"
    )


def _options(answer: Answer, sights: _Sights) -> list[tuple[dict[str, Any], str, str]]:
    """What health could ask, the best first: settings, what to say of them, and that in a few words."""
    options: list[tuple[dict[str, Any], str, str]] = []
    own = well_said(answer.body) if 200 <= answer.status < 300 else {}
    if own:
        options.append(({"expect": own}, "The url answers well, and its body confirms it.", "health at the url itself"))
    if sights.health:
        few, well = f"health at {sights.health}", well_said(sights.body)
        says = f"{sights.health} answers well, and its body confirms it."
        options += [({"path": sights.health, "expect": well}, says, few)] if well else []
        options.append(({"path": sights.health}, f"{sights.health} answers well.", few))
    if 200 <= answer.status < 300:
        options.append(
            ({}, "No path that tells its health was found: the url itself is asked.", f"answers {answer.status}")
        )
    elif _is_usual(answer):
        more = f" ({answer.unfollowed})" if answer.unfollowed else ""
        note = f"The url answers {phrase(answer)}{more}: assumed to be its usual answer."
        options.append(({"expect_status": [answer.status]}, note, f"answers {answer.status}, assumed usual"))
    return options


def _is_usual(answer: Answer) -> bool:
    """Can this be what a healthy site answers to a stranger: a refusal, or a redirect to another site?"""
    if answer.unfollowed:
        return answer.unfollowed.startswith(ELSEWHERE)
    return answer.status in _USUAL and answer.complete


def _routes(answer: Answer, asked: str, site: Site, deadline: Deadline, now: datetime) -> Proposal:
    """The paths that return a 2xx directly, unless the only one is the path that health requests."""
    paths = list(routes_to_try(answer.body, answer.url, urlsplit(site.url).path))
    with suppress(TimeoutError):
        patience = min(_PATIENCE, deadline.remaining() / 3)
        findings = trial("routes", {"paths": paths}, site, patience, now, attempts=1)
        good = [finding.subject for finding in findings if finding.status is OPERATIONAL][:MOST_ROUTES]
        if good and good != [asked]:
            told = f"{len(good)} route{'' if len(good) == 1 else 's'}"
            return Proposal({"paths": good}, ("These answer with a 2xx today.",), told)
    return Proposal()


def _tried(
    kind: str, settings: Mapping[str, Any], site: Site, deadline: Deadline, now: datetime, **once: Any
) -> list[Finding]:
    """A trial within what is left of the time; no findings where that is over."""
    try:
        return trial(kind, settings, site, min(_TRIAL_S, deadline.remaining()), now, **once)
    except TimeoutError:
        return []


def _one(findings: list[Finding]) -> Finding | None:
    return findings[0] if findings else None
