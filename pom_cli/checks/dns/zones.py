"""What each of a zone's own servers says of a record: it tells a change that still spreads from one that is wrong."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from pom_cli.checks.dns.answers import Answer, Question
from pom_cli.checks.dns.client import ask
from pom_cli.checks.dns.servers import Server
from pom_cli.frozen import dataclass

MOST = 16  # servers of one zone that are asked; the root itself has 13

Wanted = tuple[str, str]  # a record's name and type


class Place(NamedTuple):
    """A name server's name, and one of its addresses; "" where it has none, and why."""

    name: str
    address: str
    trouble: str = ""


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
    """For each record what the servers of its zone say, including those that gave no answer or have no address.

    The zones and their servers' addresses are found through the resolvers. Empty where that failed. Each server is
    first asked for its serial; one that does not answer that is asked nothing more, so that it delays nobody else.
    """
    records = list(dict.fromkeys(wanted))
    apexes = _apexes({name for name, _ in records}, resolvers, deadline)
    places = _places(sorted(set(apexes.values())), resolvers, deadline)
    zones = [((apex, "SOA"), place) for apex, each in places.items() for place in each]
    serials = _from_servers(zones, port, _half(deadline))
    asked = [(record, place) for record in records for place in places.get(apexes.get(record[0], ""), ())]
    soa_of = {(record, place): serials[(apexes[record[0]], "SOA"), place] for record, place in asked}
    answers = _from_servers([each for each in asked if soa_of[each].rcode is not None], port, _half(deadline))
    answers = _aliases_followed(answers, resolvers, deadline)
    heard: dict[Wanted, list[Said]] = {record: [] for record in records}
    for record, place in asked:
        soa = soa_of[record, place]
        answer = answers.get((record, place)) or replace(soa, type=record[1])
        heard[record].append(Said(place.name, place.address, answer, soa.serial))
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
    left = sorted({name for each in hosts.values() for name in each})
    found: dict[str, list[Place]] = {}
    for kind in ("A", "AAAA"):
        heard = ask([Question(name, kind, resolvers) for name in left], _half(deadline))
        found |= {name: _of_server(name, answer) for name, answer in zip(left, heard, strict=True)}
        left = [name for name in left if found[name][0].trouble]
    return {apex: tuple(place for ns in each for place in found[ns])[:MOST] for apex, each in hosts.items()}


def _of_server(name: str, answer: Answer) -> list[Place]:
    if answer.found:
        return [Place(name, str(address)) for (address,) in answer.found]
    if answer.rcode is None:
        return [Place(name, "", f"its address is unknown: {'; '.join(answer.failures)}")]
    return [Place(name, "", "it does not exist (NXDOMAIN)" if answer.rcode == "NXDOMAIN" else "it has no address")]


def _from_servers(
    asked: Sequence[tuple[Wanted, Place]], port: int, deadline: float
) -> dict[tuple[Wanted, Place], Answer]:
    there = [each for each in asked if each[1].address]
    questions = [Question(*record, ((place.address, port),), recursive=False) for record, place in there]
    answers = {each: Answer(each[0][1], failures=(each[1].trouble,)) for each in asked}
    return answers | dict(zip(there, ask(questions, deadline), strict=True))


def _aliases_followed(
    answers: Mapping[tuple[Wanted, Place], Answer], resolvers: tuple[Server, ...], deadline: float
) -> dict[tuple[Wanted, Place], Answer]:
    """A server knows its own zone only: where its alias leads out of that, the resolvers are asked what is there."""
    leading = {each: answer for each, answer in answers.items() if answer.aliases and not answer.found}
    ends = sorted({(answer.aliases[-1], answer.type) for answer in leading.values()})
    beyond = dict(zip(ends, ask([Question(name, kind, resolvers) for name, kind in ends], deadline), strict=True))
    followed = dict(answers)
    for each, answer in leading.items():
        end = beyond[answer.aliases[-1], answer.type]
        path = (*answer.aliases, *end.aliases)
        followed[each] = replace(answer, rcode=end.rcode, found=end.found, aliases=path, failures=end.failures)
    return followed
