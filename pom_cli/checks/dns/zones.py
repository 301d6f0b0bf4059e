"""What each of a zone's own servers says of a record: it tells a change that still spreads from one that is wrong."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

from pom_cli.checks.dns.answers import Answer, Question
from pom_cli.checks.dns.client import ask
from pom_cli.checks.dns.servers import Server
from pom_cli.frozen import dataclass

MOST = 16  # servers of one zone that are asked; the root itself has 13

Place = tuple[str, str]  # a name server's name, and one of its addresses
Wanted = tuple[str, str]  # a record's name and type


@dataclass(frozen=True)
class Said:
    """One server's answer. `serial` is that of the zone as this server has it, None where it would not say."""

    name: str
    address: str
    answer: Answer
    serial: int | None = None


def survey(
    wanted: Iterable[Wanted], resolvers: tuple[Server, ...], port: int, deadline: float
) -> dict[Wanted, tuple[Said, ...]]:
    """For each record what the servers of its zone say, those of them that gave no answer included.

    The zones and their servers' addresses are found through the resolvers. Empty where that failed.
    """
    records = list(dict.fromkeys(wanted))
    apexes = _apexes({name for name, _ in records}, resolvers, deadline)
    places = _places(sorted(set(apexes.values())), resolvers, deadline)
    zones = [((apex, "SOA"), place) for apex, each in places.items() for place in each]
    asked = [(record, place) for record in records for place in places.get(apexes.get(record[0], ""), ())]
    answers = _from_servers([*zones, *asked], port, _half(deadline))
    soas, answers = answers[: len(zones)], answers[len(zones) :]
    serials = {(apex, place): answer.serial for ((apex, _), place), answer in zip(zones, soas, strict=True)}
    answers = _aliases_followed(answers, resolvers, deadline)
    heard: dict[Wanted, list[Said]] = {record: [] for record in records}
    for (record, place), answer in zip(asked, answers, strict=True):
        heard[record].append(Said(*place, answer, serials[apexes[record[0]], place]))
    return {record: tuple(said) for record, said in heard.items()}


def _half(deadline: float) -> float:
    """Of the time that is left: a step that waits in vain leaves some for the next."""
    now = time.monotonic()
    return now + (deadline - now) / 2


def _apexes(names: Iterable[str], resolvers: tuple[Server, ...], deadline: float) -> dict[str, str]:
    """The apex of each name's zone: the owner of the SOA record that comes with any answer about it.

    Where an alias led elsewhere, or nothing came along, the name above is asked about.
    """
    found: dict[str, str] = {}
    climbing = {name: name for name in names}
    while climbing:
        asked = sorted(set(climbing.values()))
        heard = ask([Question(name, "SOA", resolvers) for name in asked], _half(deadline))
        answers = dict(zip(asked, heard, strict=True))
        above: dict[str, str] = {}
        for name, place in climbing.items():
            zone = answers[place].zone
            if zone is not None and _within(place, zone):
                found[name] = zone
            elif answers[place].rcode and "." in place:
                above[name] = place.partition(".")[2]
        climbing = above
    return found


def _within(name: str, zone: str) -> bool:
    return zone == "." or name == zone or name.endswith("." + zone)


def _places(apexes: Sequence[str], resolvers: tuple[Server, ...], deadline: float) -> dict[str, tuple[Place, ...]]:
    """The addresses of each zone's servers: IPv4, and IPv6 only for those that have no other."""
    answers = ask([Question(apex, "NS", resolvers) for apex in apexes], _half(deadline))
    hosts = {apex: [str(ns) for (ns,) in answer.found] for apex, answer in zip(apexes, answers, strict=True)}
    names = sorted({name for each in hosts.values() for name in each})
    addresses: dict[str, tuple[str, ...]] = dict.fromkeys(names, ())
    for kind in ("A", "AAAA"):
        left = [name for name in names if not addresses[name]]
        found = ask([Question(name, kind, resolvers) for name in left], _half(deadline))
        for name, answer in zip(left, found, strict=True):
            addresses[name] = tuple(str(address) for (address,) in answer.found)
    return {apex: tuple((ns, at) for ns in each for at in addresses[ns])[:MOST] for apex, each in hosts.items()}


def _from_servers(asked: Sequence[tuple[Wanted, Place]], port: int, deadline: float) -> list[Answer]:
    questions = [Question(*record, ((place[1], port),), recursive=False) for record, place in asked]
    return ask(questions, deadline)


def _aliases_followed(answers: Sequence[Answer], resolvers: tuple[Server, ...], deadline: float) -> list[Answer]:
    """A server knows its own zone only: where its alias leads out of that, the resolvers are asked what is there."""
    ends = sorted({(answer.aliases[-1], answer.type) for answer in answers if answer.aliases and not answer.found})
    beyond = dict(zip(ends, ask([Question(name, kind, resolvers) for name, kind in ends], deadline), strict=True))
    followed = []
    for answer in answers:
        end = beyond.get((answer.aliases[-1], answer.type)) if answer.aliases and not answer.found else None
        if end is not None:
            path = (*answer.aliases, *end.aliases)
            answer = replace(answer, rcode=end.rcode, found=end.found, aliases=path, failures=end.failures)
        followed.append(answer)
    return followed
