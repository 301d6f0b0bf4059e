"""Queries and answers as bytes (RFC 1035 section 4.1), of which dnspython reads the names and the records.

Its dns.message does the same and more, at three times the cost for each answer and half as much again to import.
"""

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from dns.name import Name
    from dns.wire import Parser

_IN, _CNAME, _OPT = 1, 5, 41
# EDNS (RFC 6891): 1232 bytes of UDP, which pass every path unfragmented (DNS flag day 2020).
_EDNS = struct.pack("!BHHIH", 0, _OPT, 1232, 0, 0)
_QUIET = (1, 2, 4, 5)  # FORMERR, SERVFAIL, NOTIMP, REFUSED: servers may leave the question out of these


class Entry(NamedTuple):
    """One record of an answer; `rdata` is a dnspython rdata, None for what is not of class IN."""

    owner: "Name"
    type: int
    rdata: Any


class Reply(NamedTuple):
    rcode: int
    authoritative: bool
    answer: list[Entry]
    authority: list[Entry]


def question_section(name: str, kind: str) -> bytes:
    """A question as it stands in a query and in the answer to it."""
    import dns.name
    import dns.rdatatype

    owner = dns.name.from_text(name.removesuffix(".") + ".").to_wire() or b""
    return owner + struct.pack("!HH", dns.rdatatype.from_text(kind), _IN)


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
    import dns.wire

    rcode, authoritative = wire[3] & 0x0F, bool(wire[2] & 0x04)
    if rcode in _QUIET:
        return Reply(rcode, authoritative, [], [])
    parser = dns.wire.Parser(wire, 12 + len(asks))
    try:
        sections = [[_entry(parser) for _ in range(count)] for count in struct.unpack_from("!HHH", wire, 6)]
    except dns.exception.DNSException:
        return None
    for entry in sections[2]:
        if entry.type == _OPT:
            rcode |= entry.rdata << 4
    return Reply(rcode, authoritative, sections[0], sections[1])


def _entry(parser: "Parser") -> Entry:
    import dns.rdata

    owner = parser.get_name()
    kind, family, ttl, size = parser.get_struct("!HHIH")
    with parser.restrict_to(size):
        if family == _IN:
            return Entry(owner, kind, dns.rdata.from_wire_parser(family, kind, parser))
        parser.get_remaining()
    return Entry(owner, kind, ttl >> 24 if kind == _OPT else None)  # EDNS keeps an rcode's upper bits in the TTL


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
