"""A question to DNS servers, and what a reply to it means, as plain data. The client asks; nothing here is judged."""

from dataclasses import field
from typing import TYPE_CHECKING

from pom_cli.checks.dns.records import Fields, received, wire_name
from pom_cli.checks.dns.servers import Server
from pom_cli.frozen import dataclass

if TYPE_CHECKING:
    from dns.message import QueryMessage


@dataclass(frozen=True)
class Question:
    """`recursive` is False for the zone's own servers, whose answers must then be authoritative."""

    name: str
    type: str
    servers: tuple[Server, ...]
    recursive: bool = True


@dataclass(frozen=True)
class Answer:
    """The outcome of one question. `rcode` is None where no server gave a usable answer."""

    type: str
    rcode: str | None = None  # NOERROR, NXDOMAIN, or LOOP for aliases in a circle
    server: str = ""
    found: tuple[Fields, ...] = ()
    aliases: tuple[str, ...] = ()  # the names that CNAME records led to, in order
    zone: str | None = None  # owner of the SOA record that came with it
    serial: int | None = None  # and its serial
    ms: int | None = None
    failures: tuple[str, ...] = ()  # `SERVFAIL from 192.0.2.1`, one for each server that did not help
    replied: bool = False  # anything at all came back
    ttl: int | None = field(default=None, compare=False)  # seconds for which all that was found may be cached


def meaning(question: Question, reply: "QueryMessage") -> Answer | str:
    """The reply as plain data, or why it cannot be used, in words that go before `from 192.0.2.1`."""
    import dns.exception
    import dns.flags
    import dns.message
    import dns.rcode
    import dns.rdataclass
    import dns.rdatatype

    rcode, authoritative = dns.rcode.to_text(reply.rcode()), bool(reply.flags & dns.flags.AA)
    if rcode not in ("NOERROR", "NXDOMAIN"):
        return rcode
    if not (question.recursive or authoritative):
        return "lame: an answer without authority"
    try:
        chain = reply.resolve_chaining()
    except dns.message.ChainTooLong:
        return Answer(question.type, "LOOP")
    except dns.message.AnswerForNXDOMAIN:
        return "a contradictory answer"
    except dns.exception.DNSException:
        return "garbage"
    sets = [each for each in (*reply.answer, *reply.authority) if each.rdclass == dns.rdataclass.IN and len(each)]
    soa = next((each for each in sets if each.rdtype == dns.rdatatype.SOA), None)
    referral = soa is None and any(each.rdtype == dns.rdatatype.NS for each in reply.authority)
    if rcode == "NOERROR" and not chain.answer and referral and not authoritative:
        return "lame: a referral instead of an answer"  # as opposed to NODATA: RFC 2308 section 2.2
    return Answer(
        question.type,
        rcode,
        found=tuple(sorted({received(question.type, rdata) for rdata in chain.answer or ()}, key=repr)),
        aliases=tuple(wire_name(alias[0].target) for alias in chain.cnames),
        zone=wire_name(soa.name) if soa else None,
        serial=soa[0].serial if soa else None,
        ttl=min((each.ttl for each in reply.answer), default=None),
    )
