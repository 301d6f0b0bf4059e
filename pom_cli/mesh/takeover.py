"""What is taken over from peers: silences, acks and deployments of what this instance watches too. Pure.

A peer is believed within limits: in number, in length, in time, and never about its own absence.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from pom_cli.frozen import dataclass
from pom_cli.mesh.answer import MOST_SILENCES, PeerAnswer
from pom_cli.model import Silence
from pom_cli.store import deployments as deployment_rows
from pom_cli.store.acks import Ack
from pom_cli.store.deployments import Deployment
from pom_cli.times import AHEAD, holds, local, short

LONG = timedelta(days=1)  # longer ones are reported when they arrive
_REASON = 100  # characters


@dataclass(frozen=True)
class Taken:
    """One silence, and the peer that it came from."""

    silence: Silence
    peer: str


def silences(
    answers: Mapping[str, PeerAnswer], watched: Iterable[str], known: Iterable[Silence], now: datetime
) -> list[Taken]:
    """What to store of the peers' silences. What is known can only be lifted, so it takes no room."""
    names, ids = frozenset(watched), {one.id for one in known}
    room = MOST_SILENCES - len(ids)
    taken = []
    for peer, answer in answers.items():
        for one in _credible(peer, answer, names, now):
            if one.id not in ids:
                if room <= 0:
                    continue
                room -= 1
                ids.add(one.id)
            taken.append(Taken(replace(one, since=min(one.since, now), origin=one.origin or peer), peer))
    return taken


def _credible(peer: str, answer: PeerAnswer, watched: frozenset[str], now: datetime) -> Iterator[Silence]:
    for one in answer.silences:
        if one.target in watched and one.target not in (peer, answer.name) and one.since <= now + AHEAD < one.until:
            yield one


def acks(peer: str, answer: PeerAnswer, watched: Collection[str], now: datetime) -> list[Ack]:
    """The peer's acks to merge; those of alerts that are open here will count."""
    return [
        replace(one, origin=peer)
        for one in answer.acks
        if one.target in watched and one.target not in (peer, answer.name) and holds(one.at, now)
    ]


def deployments(
    peer: str, answer: PeerAnswer, watched: Collection[str], known: Iterable[Deployment], now: datetime
) -> list[Deployment]:
    """The peer's new deployments. A week of one peer's, all that is `known` of it included, has so much room."""
    ids = {one.id for one in known if one.origin == peer}
    new = [
        replace(one, origin=peer)
        for one in answer.deployments
        if one.id not in ids and one.target in watched and holds(one.at, now) and now - one.at <= deployment_rows.SHARED
    ]
    return new[: max(0, deployment_rows.MOST - len(ids))]


def arrivals(taken: Iterable[Taken], known: Iterable[Silence], now: datetime) -> tuple[str, ...]:
    """A line for each long silence that has just arrived and is active, so that it does not go unnoticed."""
    ids = {one.id for one in known}
    return tuple(
        _line(one)
        for one in taken
        if one.silence.id not in ids and one.silence.until - now > LONG and one.silence.covers(now + AHEAD)
    )


def _line(taken: Taken) -> str:
    one = taken.silence
    what = f"{one.target} {one.kind}".rstrip()
    why = f": {one.reason[:_REASON]}" if one.reason else ""
    return (
        f"{taken.peer} silences {what} for {short(one.until - one.since)}, until {local(one.until)}{why};"
        f" to end it: pom silence {one.target} --lift"
    )
