"""Queries and answers as bytes (RFC 1035 section 4.1), of which dnspython reads the names and the records.

Its dns.message does the same and more, at three times the cost for each answer and half as much again to import.
"""

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from dns.name import Name

_IN, _CNAME, _OPT = 1, 5, 41
# EDNS (RFC 6891): 1232 bytes of UDP, which pass every path unfragmented (DNS flag day 2020).
_EDNS = struct.pack("!BHHIH", 0, _OPT, 1232, 0, 0)
_QUIET = (1, 2, 4, 5)  # FORMERR, SERVFAIL, NOTIMP, REFUSED: servers may leave the question out of these


class Entry(NamedTuple):
    """One record of an answer. `rdata` is dnspython's, None for what is of no use, and of OPT an rcode's upper bits."""

    owner: "Name"
    type: int
    rdata: Any
    ttl: int = 0  # in seconds


class Reply(NamedTuple):
    rcode: int
    authoritative: bool
    answer: list[Entry]
    authority: list[Entry]


def question_section(name: str, kind: str) -> bytes:
    """A question as it stands in a query and in the answer to it."""
    import dns.name
    import dns.rdata
    import dns.rdataclass
    import dns.rdatatype

    code = dns.rdatatype.from_text(kind)
    dns.rdata.get_rdata_class(dns.rdataclass.IN, code)  # type: ignore[no-untyped-call]  # imports what will read the answer before the clock runs
    owner = dns.name.from_text(name.removesuffix(".") + ".").to_wire() or b""
    return owner + struct.pack("!HH", code, _IN)


def query(number: int, asks: bytes, recursive: bool, edns: bool) -> bytes:
    """A query with this id and question section."""
    header = struct.pack("!HBBHHHH", number, recursive, 0, 1, 0, 0, edns)
    return header + asks + (_EDNS if edns else b"")


def answers(wire: bytes, number: int, asks: bytes) -> bool:
    """Does this answer that query: the id, a response, the same question?"""
    if len(wire) < 12 or int.from_bytes(wire[:2], "big") != number or wire[2] & 0xF8 != 0x80:
        return False
    questions = int.from_bytes(wire[4:6], "big")
    if questions == 0:
        return wire[3] & 0x0F in _QUIET
    return questions == 1 and wire[12 : 12 + len(asks)].lower() == asks.lower()


def truncated(wire: bytes) -> bool:
    return bool(wire[2] & 0x02)


def read(wire: bytes, asks: bytes) -> Reply | None:
    """An answer that `answers` this question; None where its bytes make no sense."""
    import dns.exception

    rcode, authoritative = wire[3] & 0x0F, bool(wire[2] & 0x04)
    if rcode in _QUIET:
        return Reply(rcode, authoritative, [], [])
    try:
        answer, authority, additional = _sections(wire, 12 + len(asks))
    except (dns.exception.DNSException, struct.error):
        return None
    for entry in additional:
        rcode |= entry.rdata << 4 if entry.type == _OPT else 0
    return Reply(rcode, authoritative, answer, authority)


def _sections(wire: bytes, place: int) -> list[list[Entry]]:
    """The answer, authority and additional sections."""
    sections: list[list[Entry]] = []
    for number, count in enumerate(struct.unpack_from("!HHH", wire, 6)):
        section = []
        for _ in range(count):
            entry, place = _entry(wire, place, additional=number == 2)
            section.append(entry)
        sections.append(section)
    return sections


def _entry(wire: bytes, place: int, additional: bool) -> tuple[Entry, int]:
    """The record at this place, and the place after it."""
    import dns.name
    import dns.rdata

    owner, length = dns.name.from_wire(wire, place)
    kind, family, ttl, size = struct.unpack_from("!HHIH", wire, place + length)
    start = place + length + 10
    rdata: Any = None
    if kind == _OPT:
        rdata = ttl >> 24  # EDNS keeps an rcode's upper bits there
    elif family == _IN and not additional:
        rdata = dns.rdata.from_wire(family, kind, wire, start, size)
    return Entry(owner, kind, rdata, ttl), start + size


def follow(reply: Reply, asks: bytes) -> tuple[list[Any], list["Name"]] | None:
    """The records that were asked for, and the aliases that led to them; None for aliases without end."""
    import dns.name

    name, length = dns.name.from_wire(asks, 0)
    (kind,) = struct.unpack_from("!H", asks, length)
    aliases: list[Name] = []
    while len(aliases) < 16:
        here = [entry for entry in reply.answer if entry.rdata is not None and entry.owner == name]
        found = [entry.rdata for entry in here if entry.type == kind]
        targets = [entry.rdata.target for entry in here if entry.type == _CNAME]
        if found or not targets:
            return found, aliases
        name = targets[0]
        aliases.append(name)
    return None
