"""Asking peers how they are: the mesh's only network. All at once, and within one deadline for all."""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from pom_cli.frozen import dataclass
from pom_cli.mesh import signing
from pom_cli.mesh.answer import read
from pom_cli.mesh.beats import Beat, accepted, stalled
from pom_cli.net import pool
from pom_cli.net.deadline import Deadline
from pom_cli.net.faults import NoAnswer
from pom_cli.store.peers import Pins
from pom_cli.text import clean
from pom_cli.toml.secrets import Secrets

if TYPE_CHECKING:
    from pom_cli.config import Peer
    from pom_cli.net.exchange import Answer

PATH = "/api/peer"
MAX_BODY = 1 << 20
_REFUSED = (401, 403)
_NO_TOKEN = "POM_API_TOKEN is not set here: without a token peers cannot be authenticated"  # noqa: S105
_DOUBTS = {
    "unsigned": "its answer is not authenticated: it is not signed",
    "forged": "its answer is not authenticated: it is not signed with our token",
    "replayed": "it repeats an older answer: a cache, or an impostor, stands between",
}


@dataclass(frozen=True)
class Asked:
    """What asking gave, by peer. `stalled`: the machine slept meanwhile, so that silence means nothing.

    `faults` are bugs of ours that came to light.
    """

    beats: dict[str, Beat]
    stalled: bool = False
    faults: tuple[str, ...] = ()


def ask(
    peers: Iterable["Peer"], secrets: Secrets, pins: Pins, clock: Callable[[], datetime], timeout_s: float
) -> Asked:
    """Every peer's beat, `timeout_s` seconds for them all; it raises nothing for whatever they answer."""
    wall, monotonic, deadline = time.time(), time.monotonic(), Deadline.after(timeout_s)
    work = partial(_ask, secrets=secrets, clock=clock, deadline=deadline)
    asked = list(peers)
    found = {peer.name: result for peer, result in pool.each(asked, work, lambda _: timeout_s)}
    beats = accepted({name: _beat(one) for name, one in found.items()}, asked, pins)
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

    tokens = secrets.peer_tokens(peer.name)
    if not tokens:
        # Who may not read the env file has no token: a run by hand, then, and no word about the peer.
        return Beat(fault=_NO_TOKEN, ours=bool(secrets.unreadable), doubt="token")
    question = signing.fresh("GET", PATH)
    headers = {
        "Accept": "application/json",
        signing.NONCE: question.nonce,
        signing.SIGNATURE: signing.ask(tokens, question),
    }
    begun = clock()
    try:
        # A redirect is not followed: the question is for the configured address alone.
        answer = fetch(f"{peer.url}{PATH}", headers, deadline, max_body=MAX_BODY, policy=Policy(final=REDIRECTS))
    except NoAnswer as error:
        return Beat(fault=secrets.masked(str(error)), ours=error.fault.blame == "ours")
    middle = begun + (clock() - begun) / 2
    if refusal := _refusal(answer, peer.name) or _distrust(answer, tokens, question):
        return replace(refusal, fault=secrets.masked(refusal.fault))
    try:
        told = read(answer.body, secrets.masked)
    except ValueError as error:
        return Beat(fault=str(error))
    return Beat(told, skew_s=None if told.time is None else (told.time - middle).total_seconds())


def _refusal(answer: "Answer", peer: str) -> Beat | None:
    """The beat of whatever is not 200 and whole."""
    if answer.status in _REFUSED:
        return _token_refused(answer)
    if 300 <= answer.status < 400:
        return Beat(fault=f"HTTP {answer.status}: it redirects; set peers.{peer}.url to the final address")
    if answer.status != 200:
        return Beat(fault=clean(f"HTTP {answer.status} {answer.reason}"))
    if answer.truncated:
        return Beat(fault=f"its answer is longer than {MAX_BODY >> 20} MiB")
    return Beat(fault=f"its answer is incomplete: {answer.flaw}") if answer.flaw else None


def _token_refused(answer: "Answer") -> Beat:
    """Three who refuse: a PoM that knows another token, one of the release before, and something else."""
    from pom_cli.net.exchange import header

    challenge = header(answer.headers, "www-authenticate") or ""
    if signing.SCHEME in challenge:
        fault = f"HTTP {answer.status}: it refuses our token: POM_API_TOKEN is not the same on both hosts"
        return Beat(fault=fault, doubt="token")
    if challenge == "Bearer":
        return Beat(fault="it runs an older PoM, which cannot sign its answers: it must be upgraded", doubt="release")
    return Beat(fault=f"HTTP {answer.status}: what answers there is no PoM that knows our token", doubt="token")


def _distrust(answer: "Answer", tokens: Iterable[str], question: signing.Question) -> Beat | None:
    """The beat of an answer that its signature does not vouch for."""
    from pom_cli.net.exchange import header

    nonce, signature = (header(answer.headers, name.lower()) for name in (signing.NONCE, signing.SIGNATURE))
    doubt = signing.doubt(tokens, question, answer.status, answer.body, nonce, signature)
    return Beat(fault=_DOUBTS[doubt], doubt=doubt) if doubt else None
