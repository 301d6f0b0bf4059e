"""What replies mean, and which bytes are a reply at all."""

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from dns_server import answer_to, zone
from hypothesis import given, settings
from hypothesis import strategies as st

from pom_cli.checks.dns.answers import Answer, Question, meaning
from pom_cli.checks.dns.client import read

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
WWW = Question("www.example.com", "A", ())


def query(name: str = "www.example.com", kind: str = "A", number: int = 7) -> dns.message.QueryMessage:
    return dns.message.make_query(name, kind, id=number, use_edns=0)


def reply(name: str = "www.example.com", kind: str = "A") -> dns.message.Message:
    return answer_to(query(name, kind), ZONES, resolver=True)


def meant(message: dns.message.Message) -> Answer | str:
    received = read(query(), message.to_wire())
    assert received is not None
    return meaning(WWW, received)


def test_the_answer_to_another_query_is_none() -> None:
    wire = reply().to_wire()
    assert read(query(), wire)
    assert read(query(), wire.replace(b"example", b"eXamPle"))
    assert read(query(number=8), wire) is None
    assert read(query(kind="AAAA"), wire) is None
    assert read(query("example.com"), wire) is None
    assert read(query(), query().to_wire()) is None
    assert read(query(), wire[:11]) is None
    assert read(query(), b"") is None


@pytest.mark.parametrize(("rcode", "taken"), [("SERVFAIL", True), ("REFUSED", True), ("NXDOMAIN", False)])
def test_only_a_refusal_may_leave_the_question_out(rcode: str, taken: bool) -> None:
    message = dns.message.make_response(query())
    message.question = []
    message.set_rcode(dns.rcode.from_text(rcode))
    assert (read(query(), message.to_wire()) is not None) is taken


def test_an_rcode_that_needs_edns_is_read_whole() -> None:
    message = dns.message.make_response(query())
    message.set_rcode(dns.rcode.BADVERS)
    assert meant(message) == "BADVERS"


def test_a_truncated_reply_counts_although_the_rest_cannot_be_read_and_a_forged_one_does_not() -> None:
    message = reply()
    message.flags |= dns.flags.TC
    with pytest.raises(dns.message.Truncated):
        read(query(), message.to_wire()[:-3])
    assert read(query(number=8), message.to_wire()) is None


def test_a_record_of_another_class_is_not_an_answer() -> None:
    message = reply()
    message.answer = [dns.rrset.from_text("www.example.com.", 300, "CH", "TXT", "x")]
    answer = meant(message)
    assert isinstance(answer, Answer)
    assert (answer.found, answer.aliases) == ((), ())


def test_records_that_nobody_asked_for_are_passed_over() -> None:
    message = reply()
    message.answer.append(dns.rrset.from_text("evil.example.com.", 300, "IN", "A", "192.0.2.66"))
    answer = meant(message)
    assert isinstance(answer, Answer)
    assert answer.found == (("203.0.113.7",),)


def test_an_answer_beside_nxdomain_contradicts_itself() -> None:
    message = reply()
    message.set_rcode(dns.rcode.NXDOMAIN)
    assert meant(message) == "a contradictory answer"


@settings(max_examples=500)
@given(
    st.sampled_from(ASKED),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=6),
    st.integers(0, 200),
)
def test_no_bytes_from_a_server_are_more_than_garbage(
    asked: tuple[str, str], changes: list[tuple[int, int]], cut: int
) -> None:
    whole = reply(*asked).to_wire()
    received = read(query(*asked), whole)
    assert received is not None
    assert isinstance(meaning(Question(*asked, ()), received), Answer)
    wire = bytearray(whole)
    for place, byte in changes:
        wire[place % len(wire)] = byte
    for mutated in (bytes(wire), bytes(wire[:cut])):
        try:
            received = read(query(*asked), mutated)
        except dns.message.Truncated:
            continue
        if received is not None:
            assert isinstance(meaning(Question(*asked, ()), received), Answer | str)
