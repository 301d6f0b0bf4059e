"""A question to DNS servers, and what an answer to it means. The sockets are in client, the bytes in wire."""

from dataclasses import field

from pom_cli.checks.dns.records import Fields, received, wire_name
from pom_cli.checks.dns.servers import Server
from pom_cli.checks.dns.wire import follow, read
from pom_cli.frozen import dataclass


@dataclass(frozen=True)
class Question:
    """`recursive` is False for the zone's own servers, whose answers must then be authoritative."""

    name: str
    type: str
    servers: tuple[Server, ...]
    recursive: bool = True


@dataclass(frozen=True)
class Answer:
    """What came of one question, as plain data. `rcode` is None where no server gave a usable answer."""

    type: str
    rcode: str | None = None  # NOERROR, NXDOMAIN, or LOOP for aliases without end
    server: str = ""
    found: tuple[Fields, ...] = ()
    aliases: tuple[str, ...] = ()  # the names that CNAME records led to, in order
    zone: str | None = None  # owner of the SOA record that came with it
    serial: int | None = None  # and its serial
    ms: int | None = None
    failures: tuple[str, ...] = ()  # `SERVFAIL from 192.0.2.1`, one for each server that did not help
    replied: bool = False  # anything at all came back
    ttl: int | None = field(default=None, compare=False)  # seconds for which all that was found may be kept


def meaning(question: Question, asks: bytes, wire: bytes) -> Answer | str | None:
    """An answer as plain data, or why it is none, in words that go before `from 192.0.2.1`; None for garbage."""
    import dns.rcode
    import dns.rdatatype

    reply = read(wire, asks)
    if reply is None:
        return None
    rcode = dns.rcode.to_text(dns.rcode.Rcode.make(reply.rcode))
    if rcode not in ("NOERROR", "NXDOMAIN"):
        return rcode
    if not (question.recursive or reply.authoritative):
        return "lame: an answer without authority"
    chain = follow(reply, asks)
    if chain is None:
        return Answer(question.type, "LOOP")
    found, aliases = chain
    if found and rcode == "NXDOMAIN":
        return "a contradictory answer"
    soas = [entry for entry in (*reply.answer, *reply.authority) if entry.type == dns.rdatatype.SOA and entry.rdata]
    referral = not soas and any(entry.type == dns.rdatatype.NS for entry in reply.authority)
    if rcode == "NOERROR" and not found and referral and not reply.authoritative:
        return "lame: a referral instead of an answer"  # told from NODATA as in RFC 2308 section 2.2
    return Answer(
        question.type,
        rcode,
        found=tuple(sorted({received(question.type, rdata) for rdata in found}, key=repr)),
        aliases=tuple(wire_name(alias) for alias in aliases),
        zone=wire_name(soas[0].owner) if soas else None,
        serial=soas[0].rdata.serial if soas else None,
        ttl=min((entry.ttl for entry in reply.answer), default=None),
    )
