"""What a DNS server of the tests may do instead of answering well.

A fault takes the query, the true answer and whether it came over TCP, and gives what is sent instead: (seconds after
the question, bytes) pairs, b"" to end a TCP conversation. TCP's length bytes are the fault's own business (`framed`).
"""

import time
from collections.abc import Callable

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

Message = dns.message.Message
Pieces = list[tuple[float, bytes]]
Fault = Callable[[Message, Message, bool], Pieces]


def framed(message: Message | bytes, tcp: bool) -> bytes:
    """As it goes over the wire: with its length in front over TCP."""
    wire = message if isinstance(message, bytes) else message.to_wire(max_size=65535)
    return len(wire).to_bytes(2, "big") + wire if tcp else wire


def _rcode(code: dns.rcode.Rcode) -> Fault:
    def fault(query: Message, answer: Message, tcp: bool) -> Pieces:
        reply = dns.message.make_response(query)
        reply.set_rcode(code)
        return [(0, framed(reply, tcp))]

    return fault


SERVFAIL = _rcode(dns.rcode.SERVFAIL)
REFUSED = _rcode(dns.rcode.REFUSED)
NOTIMP = _rcode(dns.rcode.NOTIMP)


def silent(query: Message, answer: Message, tcp: bool) -> Pieces:
    return []


def garbage(query: Message, answer: Message, tcp: bool) -> Pieces:
    return [(0, framed(b"HTTP/1.1 400 Bad Request\r\n\r\n", tcp))]


def cut_short(query: Message, answer: Message, tcp: bool) -> Pieces:
    """The right id and flags, and then an answer that ends in the middle of a record."""
    return [(0, framed(answer.to_wire(max_size=65535)[:-3], tcp))]


def wrong_id(query: Message, answer: Message, tcp: bool) -> Pieces:
    answer.id ^= 1
    return [(0, framed(answer, tcp))]


def wrong_question(query: Message, answer: Message, tcp: bool) -> Pieces:
    answer.question = [dns.rrset.RRset(dns.name.from_text("other.example."), dns.rdataclass.IN, dns.rdatatype.A)]
    return [(0, framed(answer, tcp))]


def forged_first(query: Message, answer: Message, tcp: bool) -> Pieces:
    """A forgery with another id, then the true answer."""
    forged = dns.message.make_response(query)
    forged.id ^= 1
    return [(0, framed(forged, tcp)), (0.01, framed(answer, tcp))]


def lame(query: Message, answer: Message, tcp: bool) -> Pieces:
    """The answer, but without authority, as from a server that no longer serves the zone."""
    answer.flags &= ~dns.flags.AA
    return [(0, framed(answer, tcp))]


def referral(query: Message, answer: Message, tcp: bool) -> Pieces:
    """Not the answer but the root's servers."""
    reply = dns.message.make_response(query)
    reply.authority = [dns.rrset.from_text(".", 300, "IN", "NS", "a.root-servers.net.")]
    return [(0, framed(reply, tcp))]


def truncated(query: Message, answer: Message, tcp: bool) -> Pieces:
    """Over UDP nothing but the truncation bit; over TCP the answer."""
    if tcp:
        return [(0, framed(answer, tcp))]
    reply = dns.message.make_response(query)
    reply.flags |= dns.flags.TC
    return [(0, framed(reply, tcp))]


def only_udp_truncated(over_tcp: Fault) -> Fault:
    """Truncated over UDP; over TCP this other fault."""

    def fault(query: Message, answer: Message, tcp: bool) -> Pieces:
        return (over_tcp if tcp else truncated)(query, answer, tcp)

    return fault


def ends_early(query: Message, answer: Message, tcp: bool) -> Pieces:
    return [(0, framed(answer, tcp)[:20]), (0, b"")]


def without_edns(query: Message, answer: Message, tcp: bool) -> Pieces:
    """A server older than EDNS (RFC 6891 section 7)."""
    if query.edns < 0:
        return [(0, framed(answer, tcp))]
    reply = dns.message.make_response(query)
    reply.use_edns(False)
    reply.set_rcode(dns.rcode.FORMERR)
    return [(0, framed(reply, tcp))]


def late(seconds: float) -> Fault:
    return lambda query, answer, tcp: [(seconds, framed(answer, tcp))]


def dripping(seconds: float) -> Fault:
    """Truncated over UDP; over TCP a byte at a time, so many seconds apart."""

    def fault(query: Message, answer: Message, tcp: bool) -> Pieces:
        if not tcp:
            return truncated(query, answer, tcp)
        return [(seconds * number, bytes([byte])) for number, byte in enumerate(framed(answer, tcp))]

    return fault


def only_later(seconds: float) -> Fault:
    """The first datagram about each name is lost; those that are sent again are answered."""
    seen: dict[str, float] = {}

    def fault(query: Message, answer: Message, tcp: bool) -> Pieces:
        first = seen.setdefault(str(query.question[0]), time.monotonic())
        return [(0, framed(answer, tcp))] if time.monotonic() >= first + seconds else []

    return fault
