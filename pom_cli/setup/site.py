"""What sites are today: each is looked at for a few seconds, all at once, and gives proposals for its config."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from pom_cli.checks import KINDS, Site
from pom_cli.checks.whois.suffixes import registrable
from pom_cli.config.targets import site_of
from pom_cli.frozen import dataclass
from pom_cli.model import DEGRADED, OPERATIONAL, Finding
from pom_cli.net import pool
from pom_cli.net.deadline import Deadline
from pom_cli.net.faults import Fault
from pom_cli.setup import dns_proposals, web_proposals
from pom_cli.setup.front_page import delivered_by_network
from pom_cli.setup.landing import Landing, land
from pom_cli.setup.proposals import Found, Proposal, trial
from pom_cli.text import clean

LIMIT_S = 10.0  # for one site
_LANDING_S = 4.0  # of these, until it is known where its URL leads
_SLACK_S = 2.0  # so that one look that hangs does not take along what the others found
_ORDER = ("health", "tls", "routes", "dns", "whois")


@dataclass(frozen=True)
class _Errand:
    """One URL. `domain`: the registered one, for the first site that stands under it."""

    url: str
    domain: str | None
    resolvers: tuple[str, ...]
    port: int
    now: datetime


Look = Callable[[], Mapping[str, Proposal | None]]


def discover(
    urls: Iterable[str],
    now: datetime,
    resolvers: tuple[str, ...] = (),
    port: int = 53,
    ended: Callable[[Found], object] = lambda found: None,
) -> list[Found]:
    """Every URL with what was found of it, in their order; those that lead to the same place are one.

    The URLs are ones that `http_url` took. `resolvers` are as in the config, none for the system's; `port` is that of
    the zones' own servers; `ended` is called for each site as it is done.
    """
    errands = _errands(urls, now, resolvers, port)
    found: dict[str, Found] = {}
    for errand, result in pool.each(errands, _look_at, lambda _: LIMIT_S + _SLACK_S):
        found[errand.url] = result if isinstance(result, Found) else _unseen(errand.url, _why(result))
        ended(found[errand.url])
    return _distinct([found[errand.url] for errand in errands])


def _errands(urls: Iterable[str], now: datetime, resolvers: tuple[str, ...], port: int) -> list[_Errand]:
    seen: set[str] = set()
    errands = []
    for url in dict.fromkeys(urls):
        domain = registrable(site_of("", url).host)
        errands.append(_Errand(url, None if domain in seen else domain, resolvers, port, now))
        seen |= {domain} if domain else set()
    return errands


def _why(result: pool.Overdue | Exception) -> str:
    if isinstance(result, pool.Overdue):
        return f"it took longer than {result.seconds:g} s"
    return clean(f"PoM itself failed: {type(result).__name__}: {result}")


def _unseen(url: str, why: str) -> Found:
    return Found(url, url, unseen=why)


def _distinct(found: list[Found]) -> list[Found]:
    """Each site once: the first URL that leads to it. The others are named there."""
    first: dict[str, Found] = {}
    for one in found:
        key = one.url.rstrip("/")
        if key in first:
            note = f"{one.typed} leads here too."
            first[key] = replace(first[key], notes=(*first[key].notes, note))
        else:
            first[key] = one
    return list(first.values())


def _look_at(errand: _Errand) -> Found:
    deadline = Deadline.after(LIMIT_S)
    landing = land(errand.url, Deadline.after(_LANDING_S))
    if isinstance(landing.outcome, Fault) and (landing.outcome.phase == "dns" or landing.outcome.blame == "ours"):
        return _unseen(errand.url, landing.outcome.reason)
    site = site_of("", landing.url, resolvers=errand.resolvers)
    kinds: dict[str, Proposal] = {}
    left = deadline.ends - time.monotonic()
    for _, result in pool.each(_looks(errand, landing, site, deadline), _called, lambda _: left):
        if isinstance(result, pool.Overdue | TimeoutError):
            continue  # what took too long is not proposed
        if isinstance(result, Exception):
            raise result
        kinds |= {kind: each for kind, each in result.items() if each is not None}
    notes = (f"{errand.url} leads here.",) if landing.url != errand.url else ()
    return Found(errand.url, landing.url, {kind: kinds[kind] for kind in _ORDER if kind in kinds}, notes)


def _looks(errand: _Errand, landing: Landing, site: Site, deadline: Deadline) -> list[Look]:
    """What can be looked at side by side."""
    moves = bool(landing.answer) and delivered_by_network(landing.answer.headers if landing.answer else ())

    def web() -> Mapping[str, Proposal | None]:
        return web_proposals.propose(landing, site, deadline, errand.now)

    def dns() -> Mapping[str, Proposal | None]:
        return {"dns": dns_proposals.propose(site, errand.domain, moves, deadline, errand.now, errand.port)}

    def whois() -> Mapping[str, Proposal | None]:
        return {"whois": _whois(errand.domain, site, deadline, errand.now)}

    looks: list[Look] = [web]
    looks += [dns] if "dns" in KINDS else []
    looks += [whois] if "whois" in KINDS and errand.domain else []
    return looks


def _called(look: Look) -> Mapping[str, Proposal | None]:
    return look()


def _whois(domain: str | None, site: Site, deadline: Deadline, now: datetime) -> Proposal:
    """The domain's expiry, where a date was really found."""
    settings = {"domain": domain or ""}
    finding = _one(trial("whois", settings, site, deadline.remaining() * 0.9, now))
    if finding is None or "expires_at" not in finding.detail:
        why = finding.summary if finding else "no time was left"
        return Proposal(None, (f"The registered domain is {domain}. Today: {why}.",), f"domain: {why}")
    days = finding.detail["days_left"]
    registrar = finding.detail.get("registrar")
    notes = [f"Today: {finding.summary}" + (f"; registrar: {registrar}." if registrar else ".")]
    few = f"domain until {finding.detail['expires_at'][:10]}"
    if finding.status is OPERATIONAL:
        return Proposal(settings, tuple(notes), few)
    if finding.status is DEGRADED and days > 0:
        notes.append("It ends so soon that warn is lower than usual: delete that line once it is renewed.")
        return Proposal({**settings, "warn": web_proposals.sooner(days)}, tuple(notes), few)
    return Proposal(None, tuple(notes), few)


def _one(findings: list[Finding]) -> Finding | None:
    return findings[0] if findings else None
