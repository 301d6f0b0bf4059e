"""Asking peers how they are: the mesh's only network. All at once, and within one deadline for all."""

import time
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from pom_cli.frozen import dataclass
from pom_cli.mesh.answer import read
from pom_cli.mesh.beats import Beat, stalled
from pom_cli.net import pool
from pom_cli.net.deadline import Deadline
from pom_cli.net.faults import NoAnswer
from pom_cli.text import clean, hide
from pom_cli.toml.secrets import Secrets

if TYPE_CHECKING:
    from pom_cli.config import Peer
    from pom_cli.net.exchange import Answer

PATH = "/api/peer"
MAX_BODY = 1 << 20
_REFUSED = (401, 403)


@dataclass(frozen=True)
class Asked:
    """What asking gave, by peer. `stalled`: the machine slept meanwhile, so that silence means nothing.

    `faults` are bugs of ours that came to light.
    """

    beats: dict[str, Beat]
    stalled: bool = False
    faults: tuple[str, ...] = ()


def ask(peers: Iterable["Peer"], secrets: Secrets, clock: Callable[[], datetime], timeout_s: float) -> Asked:
    """Every peer's beat, `timeout_s` seconds for them all; it raises nothing for whatever they answer."""
    wall, monotonic, deadline = time.time(), time.monotonic(), Deadline.after(timeout_s)
    work = partial(_ask, secrets=secrets, clock=clock, deadline=deadline)
    asked = list(peers)
    found = {peer.name: result for peer, result in pool.each(asked, work, lambda _: timeout_s)}
    beats = {peer.name: _beat(found[peer.name]) for peer in asked}
    bugs = tuple(_bug(result) for result in found.values() if isinstance(result, Exception))
    return Asked(beats, stalled(time.time() - wall, time.monotonic() - monotonic, timeout_s + pool.GRACE_S), bugs)


def _beat(found: Beat | pool.Overdue | Exception) -> Beat:
    if isinstance(found, Beat):
        return found
    if isinstance(found, pool.Overdue):
        return Beat(fault=f"no answer within {found.seconds:g} s")
    return Beat(fault=_bug(found), ours=True)


def _bug(error: Exception) -> str:
    return clean(f"PoM itself failed in asking a peer: {type(error).__name__}: {error}")


def _ask(peer: "Peer", secrets: Secrets, clock: Callable[[], datetime], deadline: Deadline) -> Beat:
    from pom_cli.net.http import fetch
    from pom_cli.net.redirects import REDIRECTS, Policy

    token = secrets.peer_token(peer.name)
    headers = {"Accept": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    begun = clock()
    try:
        # A redirect is not followed: the token is for the configured address alone.
        answer = fetch(f"{peer.url}{PATH}", headers, deadline, max_body=MAX_BODY, policy=Policy(final=REDIRECTS))
    except NoAnswer as error:
        return Beat(fault=hide(str(error), token), ours=error.fault.blame == "ours")
    except ValueError:
        return Beat(fault="its token cannot stand in a request", ours=True)
    middle = begun + (clock() - begun) / 2
    if obstacle := _obstacle(answer, peer.name, bool(token)):
        # Who may not read the env file has no token to show: a run by hand, then, and no word about the peer.
        ours = answer.status in _REFUSED and not token and bool(secrets.unreadable)
        return Beat(fault=hide(obstacle, token), ours=ours)
    try:
        told = read(answer.body, partial(hide, secret=token))
    except ValueError as error:
        return Beat(fault=str(error))
    return Beat(told, skew_s=None if told.time is None else (told.time - middle).total_seconds())


def _obstacle(answer: "Answer", peer: str, with_token: bool) -> str:
    """Why this is no good answer, "" where it is one."""
    if answer.status in _REFUSED:
        told = "it refuses our token" if with_token else "it wants a token, and POM_API_TOKEN is not set here"
        return f"HTTP {answer.status}: {told}"
    if 300 <= answer.status < 400:
        return f"HTTP {answer.status}: it redirects; peers.{peer}.url is to be the address itself"
    if answer.status != 200:
        return clean(f"HTTP {answer.status} {answer.reason}")
    if answer.truncated:
        return f"its answer is longer than {MAX_BODY >> 20} MiB"
    return f"its answer is incomplete: {answer.flaw}" if answer.flaw else ""
