"""Records in the form in which they are compared: what an operator may write, and what servers send."""

from unicodedata import category

import dns.rdata
import dns.rdataclass
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pom_cli.checks.dns import records as dns_records
from pom_cli.checks.dns.records import agrees, expected, received, shown


def wire(kind: str, text: str) -> tuple[str | None, ...]:
    """A record as a zone file has it, through dnspython, as if it had come from a server."""
    return received(kind, dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.from_text(kind), text))


@pytest.mark.parametrize(
    ("kind", "written", "zone_file"),
    [
        ("A", "203.0.113.7", "203.0.113.7"),
        ("AAAA", "2001:DB8:0:0:0:0:0:7", "2001:db8::7"),
        ("AAAA", "2001:db8::7", "2001:0db8:0000::0007"),
        ("AAAA", "::ffff:192.0.2.1", "::ffff:c000:201"),
        ("MX", "10 Mail.Example.COM", "10 mail.example.com."),
        ("MX", "010  mail.example.com.", "10 mail.example.com."),
        ("MX", "0 .", "0 ."),
        ("MX", "Mail.example.com.", "10 mail.example.com."),
        ("CNAME", "WWW.example.com.", "www.EXAMPLE.com."),
        ("CNAME", "bücher.example", "xn--bcher-kva.example."),
        ("NS", "ns1.example.com", "ns1.example.com."),
        ("TXT", "v=spf1 -all", '"v=spf1 -all"'),
        ("TXT", "v=spf1 -all", '"v=spf1" " -all"'),
        ("TXT", '"v=spf1" " -all"', '"v=spf1 -all"'),
        ("TXT", 'say "hello"', '"say \\"hello\\""'),
        ("TXT", '"say \\"hello\\""', '"say \\"hello\\""'),
        ("TXT", "café", '"caf\\195\\169"'),
        ("TXT", '"caf\\195\\169"', '"caf\\195\\169"'),
        ("TXT", '""', '""'),
        ("TXT", " spaces count ", '" spaces count "'),
        ("CAA", '0 issue "letsencrypt.org"', '0 issue "letsencrypt.org"'),
        ("CAA", "0 ISSUE LetsEncrypt.org", '0 issue "letsencrypt.org"'),
        ("CAA", "0 issue ;", '0 issue ";"'),
        ("CAA", '0 issue ""', '0 issue ";"'),
        ("CAA", '0 issuewild ";"', '0 issuewild ""'),
        ("CAA", "0 issue ca.example;", '0 issue "ca.example"'),
        ("CNAME", "faß.example", "xn--fa-hia.example."),
        ("MX", "10 mail.bücher.example", "10 mail.xn--bcher-kva.example."),
        ("CAA", "0 issue ca.example;policy=ev", '0 issue "ca.example; policy=ev"'),
        ("CAA", "128 iodef mailto:Ops@example.com", '128 iodef "mailto:Ops@example.com"'),
        ("SRV", "10 5 5060 SIP.example.com", "10 5 5060 sip.example.com."),
        ("SRV", "0 0 0 .", "0 0 0 ."),
        ("SOA", "ns1.example.com", "ns1.example.com. ops.example.com. 7 7200 3600 1209600 300"),
        ("SOA", "* ops.example.com", "ns1.example.com. ops.example.com. 7 7200 3600 1209600 300"),
        ("SOA", "ns1.example.com * * 7200", "ns1.example.com. ops.example.com. 7 7200 3600 1209600 300"),
        ("SOA", "ns1.example.com. john\\.doe.example.com", "ns1.example.com. john\\.doe.example.com. 7 1 1 1 1"),
    ],
)
def test_what_is_written_agrees_with_the_same_record_from_the_wire(kind: str, written: str, zone_file: str) -> None:
    assert agrees(expected(kind, written), wire(kind, zone_file))


@pytest.mark.parametrize(
    ("kind", "written", "zone_file"),
    [
        ("A", "203.0.113.7", "203.0.113.8"),
        ("MX", "10 mail.example.com", "20 mail.example.com."),
        ("MX", "mail.example.com", "10 mail2.example.com."),
        ("TXT", "v=SPF1 -all", '"v=spf1 -all"'),
        ("TXT", "v=spf1 -all", '"v=spf1  -all"'),
        ("TXT", "*", '"anything"'),
        ("CAA", "0 iodef mailto:Ops@example.com", '0 iodef "mailto:ops@example.com"'),
        ("SOA", "ns1.example.com", "ns2.example.com. ops.example.com. 7 7200 3600 1209600 300"),
        ("SOA", "ns1.example.com * 8", "ns1.example.com. ops.example.com. 7 7200 3600 1209600 300"),
    ],
)
def test_another_record_does_not_agree(kind: str, written: str, zone_file: str) -> None:
    assert not agrees(expected(kind, written), wire(kind, zone_file))


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        ("A", "203.0.113.400"),
        ("A", "2001:db8::7"),
        ("A", "203.0.113.07"),
        ("A", ""),
        ("AAAA", "203.0.113.7"),
        ("AAAA", "fe80::1%eth0"),
        ("MX", "10"),
        ("MX", "10 20 mail.example.com"),
        ("MX", "70000 mail.example.com"),
        ("MX", "-1 mail.example.com"),
        ("MX", "10 203.0.113.7"),
        ("TXT", ""),
        ("TXT", '"\\999"'),
        ("CNAME", "https://example.com"),
        ("CNAME", "203.0.113.7"),
        ("CNAME", "two names.example"),
        ("CNAME", "a..example.com"),
        ("CNAME", "x" * 64 + ".example.com"),
        ("NS", "ops@example.com"),
        ("NS", ".".join(["x" * 60] * 5)),
        ("CAA", "0 issue"),
        ("CAA", "256 issue letsencrypt.org"),
        ("CAA", "0 is-sue letsencrypt.org"),
        ("SOA", ""),
        ("SOA", "ns1.example.com ops.example.com soon"),
        ("SOA", "ns1.example.com ops.example.com 1 2 3 4 5 6"),
        ("SRV", "10 5 sip.example.com"),
        ("SRV", "10 5 65536 sip.example.com"),
    ],
)
def test_what_no_record_can_be_is_refused(kind: str, written: str) -> None:
    with pytest.raises(ValueError):
        expected(kind, written)


@given(st.sampled_from(dns_records.TYPES), st.text(max_size=80))
def test_any_text_is_either_a_record_or_a_value_error(kind: str, text: str) -> None:
    try:
        fields = expected(kind, text)
    except ValueError:
        return
    assert agrees(fields, tuple(value or "" for value in fields))
    assert expected(kind, dns_records.written(kind, fields)) == fields


@given(st.lists(st.binary(max_size=255), min_size=1, max_size=4))
def test_txt_in_any_bytes_is_shown_on_one_line_without_controls(chunks: list[bytes]) -> None:
    from dns.rdtypes.ANY.TXT import TXT

    fields = received("TXT", TXT(dns.rdataclass.IN, dns.rdatatype.TXT, chunks))
    assert expected("TXT", dns_records.written("TXT", fields)) == fields
    line = shown("TXT", fields)
    assert len(line) <= 500
    assert not any(category(sign) in ("Cc", "Zl", "Zp") for sign in line)


def test_every_type_has_words_for_what_its_values_must_be() -> None:
    assert set(dns_records.WANTED) == set(dns_records.TYPES)


def test_a_record_is_shown_as_it_would_be_written() -> None:
    assert shown("MX", ("10", "mail.example.com")) == "10 mail.example.com"
    assert shown("MX", (None, "mail.example.com")) == "mail.example.com"
    assert shown("CAA", ("0", "issue", "letsencrypt.org")) == '0 issue "letsencrypt.org"'
    assert shown("SOA", ("ns1.example.com", None, None, None, None, None, None)) == "ns1.example.com * * * * * *"
