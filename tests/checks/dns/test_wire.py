"""Queries and answers as bytes, held against dnspython's own messages."""

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from dns_server import answer_to, zone
from hypothesis import given, settings
from hypothesis import strategies as st

from pom_cli.checks.dns.answers import Answer, Question, meaning
from pom_cli.checks.dns.wire import answers, follow, query, question_section, read, truncated

ZONES = [
    zone(
        "example.com",
        """
        www A 203.0.113.7
        www AAAA 2001:db8::7
        away CNAME www.example.net.
        *.wild TXT "v=spf1" " -all"
        @ MX 10 mail
        @ CAA 0 issue "letsencrypt.org"
        _sip._tcp SRV 10 5 5060 sip
        """,
    ),
    zone("example.net", "www A 203.0.113.9"),
]
ASKED = [("www.example.com", "A"), ("www.example.com", "AAAA"), ("away.example.com", "A"), ("nothing.example.com", "A")]
ASKED += [("x.wild.example.com", "TXT"), ("_sip._tcp.example.com", "SRV")]
ASKED += [("example.com", kind) for kind in ("MX", "CAA", "SOA", "NS")]
WWW = question_section("www.example.com", "A")


def reply(name: str = "www.example.com", kind: str = "A") -> dns.message.Message:
    return answer_to(dns.message.make_query(name, kind, id=7, use_edns=0), ZONES, resolver=True)


@pytest.mark.parametrize("edns", [True, False])
@pytest.mark.parametrize("recursive", [True, False])
def test_dnspython_reads_a_query_as_it_was_meant(edns: bool, recursive: bool) -> None:
    message = dns.message.from_wire(query(7, WWW, recursive, edns))
    assert (message.id, message.opcode(), message.flags) == (7, 0, dns.flags.RD if recursive else 0)
    assert message.question == [dns.rrset.RRset(dns.name.from_text("www.example.com."), 1, dns.rdatatype.A)]
    assert (message.edns, message.payload) == ((0, 1232) if edns else (-1, 0))


def test_the_answer_to_another_query_is_none() -> None:
    wire = reply().to_wire()
    assert answers(wire, 7, WWW)
    assert answers(wire.replace(b"example", b"eXamPle"), 7, WWW)
    assert not answers(wire, 8, WWW)
    assert not answers(wire, 7, question_section("www.example.com", "AAAA"))
    assert not answers(wire, 7, question_section("example.com", "A"))
    assert not answers(query(7, WWW, recursive=True, edns=True), 7, WWW)
    assert not answers(wire[:11], 7, WWW)
    assert not answers(b"", 7, WWW)


@pytest.mark.parametrize(("rcode", "answered"), [("SERVFAIL", True), ("REFUSED", True), ("NXDOMAIN", False)])
def test_only_a_refusal_may_leave_the_question_out(rcode: str, answered: bool) -> None:
    message = dns.message.make_response(dns.message.make_query("www.example.com", "A", id=7))
    message.question = []
    message.set_rcode(dns.rcode.from_text(rcode))
    assert answers(message.to_wire(), 7, WWW) is answered


def test_an_rcode_that_needs_edns_is_read_whole() -> None:
    message = dns.message.make_response(dns.message.make_query("www.example.com", "A", id=7, use_edns=0))
    message.set_rcode(dns.rcode.BADVERS)
    wire = message.to_wire()
    read_back = read(wire, WWW)
    assert read_back is not None
    assert read_back.rcode == 16
    assert meaning(Question("www.example.com", "A", ()), WWW, wire) == "BADVERS"


def test_the_truncation_bit_is_seen() -> None:
    message = reply()
    assert not truncated(message.to_wire())
    message.flags |= dns.flags.TC
    assert truncated(message.to_wire())


def test_a_record_of_another_class_is_not_an_answer() -> None:
    message = reply()
    message.answer = [dns.rrset.from_text("www.example.com.", 300, "CH", "TXT", "x")]
    read_back = read(message.to_wire(), WWW)
    assert read_back is not None
    assert follow(read_back, WWW) == ([], [])


def test_records_that_nobody_asked_for_are_passed_over() -> None:
    message = reply()
    message.answer.append(dns.rrset.from_text("evil.example.com.", 300, "IN", "A", "192.0.2.66"))
    answer = meaning(Question("www.example.com", "A", ()), WWW, message.to_wire())
    assert isinstance(answer, Answer)
    assert answer.found == (("203.0.113.7",),)


def test_an_answer_beside_nxdomain_contradicts_itself() -> None:
    message = reply()
    message.set_rcode(dns.rcode.NXDOMAIN)
    assert meaning(Question("www.example.com", "A", ()), WWW, message.to_wire()) == "a contradictory answer"


@settings(max_examples=500)
@given(
    st.sampled_from(ASKED),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=6),
    st.integers(0, 200),
)
def test_no_bytes_from_a_server_are_more_than_garbage(
    asked: tuple[str, str], changes: list[tuple[int, int]], cut: int
) -> None:
    question, asks = Question(*asked, ()), question_section(*asked)
    wire = bytearray(reply(*asked).to_wire())
    assert isinstance(meaning(question, asks, bytes(wire)), Answer)
    for place, byte in changes:
        wire[place % len(wire)] = byte
    for received in (bytes(wire), bytes(wire[:cut])):
        if answers(received, 7, asks):
            assert isinstance(meaning(question, asks, received), Answer | str | None)
