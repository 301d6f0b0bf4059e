"""Is it the targets, or is it us? The witnesses and the peers are asked when nothing at all answers any more."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from pom_cli.frozen import dataclass
from pom_cli.model import OPERATIONAL, UNREACHABLE, Condition
from pom_cli.net import pool
from pom_cli.text import listed
from pom_cli.toml.address import host, is_loopback, split_url

if TYPE_CHECKING:
    from pom_cli.config import Config

WITNESS_TIMEOUT = 3.0  # seconds for all of them, asked at once
_MOST = 64  # places asked at once: if none of these answers, no other will

Place = tuple[str, int]  # host and port


@dataclass(frozen=True)
class View:
    """How the peers see one target: a line each, and whether every one that can tell finds it well."""

    lines: tuple[str, ...] = ()
    denied: bool = False


@dataclass(frozen=True)
class Network:
    """What is known beyond the looks themselves: of this monitor's own network, and of what the peers see.

    `proof` is who answered, or who did not; "" where the network was not in doubt, or nobody can tell.
    """

    offline: bool = False
    proof: str = ""
    views: Mapping[str, View] = field(default_factory=dict)  # by target, for those that were asked about
    ours: Condition | None = None  # what on this host explains what was found bad


def doubtful(answered: Iterable[bool | None]) -> bool:
    """Does nothing at all answer: every target's newest health came to nothing (None: never looked at)."""
    newest = list(answered)
    return bool(newest) and all(one is False for one in newest)


def ask(witnesses: Sequence[Place], targets: int, timeout: float = WITNESS_TIMEOUT) -> Network:
    """Whether our network is down, `targets` configured ones being silent. Any witness that connects says it works."""
    if not witnesses:
        # Several sites that fall silent in one moment are almost certainly us; of one alone nobody can tell.
        return Network(targets > 1, "no witness is configured" if targets > 1 else "")
    if found := answering(witnesses, timeout):
        return Network(False, f"{found} answers: this monitor's own network works")
    names = ", ".join(f"{name}:{port}" for name, port in witnesses)
    return Network(True, f"no witness answers either ({names})")


def answering(places: Sequence[Place], timeout: float = WITNESS_TIMEOUT) -> str:
    """One of these that takes a TCP connection, all asked at once; "" where none does."""
    asked = list(dict.fromkeys(places))[:_MOST]
    for (name, port), connected in pool.each(asked, lambda place: connects(*place, timeout), lambda _: timeout):
        if connected is True:
            return f"{name}:{port}"
    return ""


def connects(host: str, port: int, timeout: float) -> bool:
    """Does a TCP connection come about within `timeout` seconds."""
    from pom_cli.net.net import Deadline, NoAnswer, connect

    try:
        connect(host, port, Deadline.after(timeout)).sock.close()
    except NoAnswer:
        return False
    return True


def conditions(network: Network, watched: Sequence[str], answer: bool) -> list[Condition]:
    """What a run knows about this monitor's network: down, up (a target's `answer`, or a proof), or nothing.

    `watched` are the targets whose health is looked at: if the network is not to blame after all, it is they.
    """
    if network.ours:
        return [network.ours]
    if network.offline:
        names = listed(watched)
        silent = f"none of {len(watched)} targets answers ({names})" if len(watched) > 1 else f"{names} does not answer"
        summary = f"{silent}, and {network.proof}"
        return [Condition("", "monitoring-offline", UNREACHABLE, summary)]
    if answer or network.proof:
        return [Condition("", "monitoring-offline", OPERATIONAL, network.proof or "targets answer again")]
    return []


def about_targets(config: "Config") -> list[Place]:
    """Who can tell that our network works when every target is silent: the witnesses and the peers."""
    hosts = [target.site.host for target in config.targets.values()]
    return [*config.witnesses, *_alike(peer_places(config), _all_here(hosts))]


def about_peers(config: "Config") -> list[Place]:
    """Who can tell that our network works when every peer is silent: the witnesses and the targets' own hosts.

    The way to peers on this very machine needs no network: of that only a witness that is put there tells.
    """
    here = _all_here([name for name, _ in peer_places(config)])
    witnesses = _alike(config.witnesses, True) if here else list(config.witnesses)
    sites = [(target.site.host, target.site.port) for target in config.targets.values()]
    return [] if here and not witnesses else [*witnesses, *_alike(sites, here)]


def _all_here(hosts: Sequence[str]) -> bool:
    return all(map(is_loopback, hosts))


def _alike(places: Sequence[Place], here: bool) -> list[Place]:
    """Those on this very machine, or those that are not: neither tells anything of the way to the others."""
    return [place for place in places if is_loopback(place[0]) == here]


def peer_places(config: "Config") -> list[Place]:
    """Where the peers' APIs listen."""
    parts = [split_url(peer.url) for peer in config.peers.values()]
    return [(host(one.hostname or ""), one.port or (443 if one.scheme == "https" else 80)) for one in parts]
