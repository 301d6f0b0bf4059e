"""Is what a run found bad explained by this host itself: no trusted roots, a wrong clock, one gateway for all sites."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from pom_cli.alerting import clock
from pom_cli.alerting.clock import Clock
from pom_cli.alerting.offline import Network
from pom_cli.config.targets import Target
from pom_cli.model import DEGRADED, ERROR, OPERATIONAL, UNKNOWN, Condition, Finding, Status
from pom_cli.net import pool
from pom_cli.net.faults import DATED, UNTRUSTED
from pom_cli.net.redirects import ELSEWHERE

_ASK_S = 3.0  # for the dates of all servers together
OFFLINE = "monitoring-offline"
NO_ROOTS = "this host has no trusted root certificates: is the package ca-certificates installed"


def explain(
    targets: Mapping[str, Target],
    health: Mapping[str, Finding],
    before: Callable[[], Mapping[str, Status | None]],
    peers: Sequence[Clock] = (),
) -> Network:
    """What explains these findings of this run's health, as a Network whose `ours` says it; else the usual one.

    `before` is each target's last known health.
    """
    bad = {name: one for name, one in health.items() if one.status not in (OPERATIONAL, UNKNOWN)}
    if any(one.summary in UNTRUSTED for one in bad.values()) and not roots():
        return _ours(OFFLINE, NO_ROOTS)
    dated = [name for name, one in bad.items() if one.summary in DATED]
    if dated:
        found = clock.condition([*peers, *_read(health), *_asked(targets[name] for name in dated)])
        if found and found.status is not OPERATIONAL:
            return Network(ours=found)
    watched = [name for name, target in targets.items() if "health" in target.checks]
    if len(watched) > 1 and set(watched) <= bad.keys() and (gateway := _gateway(targets, bad)):
        known = before()
        # A target that never worked from here has another reason.
        if all(known.get(name) in (OPERATIONAL, DEGRADED) for name in watched):
            return _ours(OFFLINE, gateway)
    return Network()


def _ours(alert: str, why: str) -> Network:
    return Network(ours=Condition("", alert, ERROR, why))


def _gateway(targets: Mapping[str, Target], bad: Mapping[str, Finding]) -> str:
    """One and the same wrong answer for sites that have nothing to do with each other: other hosts, other addresses."""
    told = {one.summary for one in bad.values()}
    hosts = {targets[name].site.host for name in bad}
    if len(told) > 1 or len(hosts) < 2:
        return ""
    (summary,) = told
    portal = summary.partition(f"{ELSEWHERE}, ")[2]
    if portal and portal not in hosts:
        return f"one gateway answers for all {len(bad)} targets: each is redirected to {portal}"
    addresses = {one.detail.get("address") for one in bad.values()}
    if summary in UNTRUSTED and len(addresses) == len(hosts):
        return f"one gateway answers for all {len(bad)} targets: {summary}"
    return ""


def _read(health: Mapping[str, Finding]) -> list[Clock]:
    """The clocks that this run has read already."""
    skews = {name: one.detail.get(clock.SKEW) for name, one in health.items()}
    return [Clock(name, skew) for name, skew in skews.items() if isinstance(skew, int)]


def _asked(targets: Iterable[Target]) -> list[Clock]:
    """The clocks of servers whose certificates do not suit our own: asked without looking at those."""
    found = {}
    for target, skew in pool.each(list(targets), _skew, lambda _: _ASK_S):
        if isinstance(skew, int):
            found[target.site.host, target.site.port] = Clock(target.name, skew)
    return list(found.values())


def _skew(target: Target) -> int | None:
    from pom_cli.net.dates import skew_s
    from pom_cli.net.http import fetch
    from pom_cli.net.net import Deadline, NoAnswer

    try:
        answer = fetch(target.url, {}, Deadline.after(_ASK_S), verify=False, max_body=0)
    except NoAnswer:
        return None
    return skew_s(answer.headers, time.time())


def roots() -> bool:
    """Has this host any root certificates to trust. Those of a folder are read only when one is needed."""
    import ssl

    folder = ssl.get_default_verify_paths().capath  # None where it is not there
    return bool(folder and any(Path(folder).glob("*.0"))) or bool(
        ssl.create_default_context().cert_store_stats()["x509_ca"]
    )
