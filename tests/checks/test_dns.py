"""dns as a whole: from its table in the config to findings, against servers on loopback."""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from dns_faults import REFUSED, SERVFAIL, dripping, silent
from dns_server import Servers, dns_server, zone

from pom_cli.checks import Site, dns
from pom_cli.model import DEGRADED, ERROR, OPERATIONAL, UNKNOWN, Finding, Status
from pom_cli.toml.table import Table

RESOLVER, SECOND, NS1, NS2 = "127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"
NAMES = {"ns1": NS1, "ns2": NS2}
NOW = datetime(2026, 11, 24, 6, 40, tzinfo=UTC)
LONG = "k=" + "x" * 2000
CHUNKS = " ".join(f'"{LONG[start : start + 200]}"' for start in range(0, len(LONG), 200))
RECORDS = f"""
    @ A 203.0.113.7
    @ AAAA 2001:db8::7
    @ MX 10 mail
    @ MX 20 mail2
    @ TXT "v=spf1" " -all"
    @ TXT "verify=1"
    @ CAA 0 issue "letsencrypt.org"
    www CNAME @
    key TXT {CHUNKS}
    *.shops A 203.0.113.7
    _sip._tcp SRV 10 5 5060 sip
    six AAAA 2001:db8::6
"""
NEW = zone("makenot.example", RECORDS, 2026112402, NAMES)
OLD = zone("makenot.example", RECORDS.replace("203.0.113.7", "203.0.113.9"), 2026112401, NAMES)


@pytest.fixture
def servers() -> Iterator[Servers]:
    world = {RESOLVER: [NEW], SECOND: [NEW], NS1: [NEW], NS2: [NEW]}
    with dns_server(world, resolvers=[RESOLVER, SECOND]) as running:
        yield running


def site(url_host: str = "makenot.example", resolvers: tuple[str, ...] = ()) -> Site:
    return Site("shop", f"https://{url_host}", "https", url_host, 443, timedelta(minutes=5), resolvers=resolvers)


def parsed(data: Mapping[str, Any], of: Site | None = None) -> tuple[dns.Settings, list[str]]:
    table = Table(data, "targets.shop.dns", [])
    settings = dns.parse(table, of or site())
    table.finish()
    return settings, table.problems


def findings(servers: Servers, data: Mapping[str, Any], *at: str, host: str = "makenot.example") -> list[Finding]:
    resolvers = tuple(f"{address}:{servers.port}" for address in at or (RESOLVER,))
    settings, problems = parsed(data, site(host, resolvers))
    assert problems == []
    found = dns.judge(dns.look(replace(settings, port=servers.port)), settings, {}, NOW)
    assert tuple(each.subject for each in found) == dns.subjects(settings)
    json.dumps([dict(each.detail) for each in found], allow_nan=False)
    return found


def told(found: list[Finding]) -> list[tuple[str, Status, str]]:
    return [(each.subject, each.status, each.summary) for each in found]


def test_all_nine_types_are_as_expected(servers: Servers) -> None:
    records = [
        {"name": "makenot.example", "type": "A", "expected": ["203.0.113.7"]},
        {"name": "MAKENOT.example.", "type": "AAAA", "expected": ["2001:0DB8::0007"]},
        {"name": "makenot.example", "type": "MX", "expected": ["20 Mail2.makenot.example.", "10 mail.makenot.example"]},
        {"name": "makenot.example", "type": "TXT", "expected": ["v=spf1 -all", "verify=1"]},
        {"name": "www.makenot.example", "type": "CNAME", "expected": ["makenot.example"]},
        {"name": "makenot.example", "type": "NS", "expected": ["ns2.makenot.example", "ns1.makenot.example"]},
        {"name": "makenot.example", "type": "CAA", "expected": ['0 issue "letsencrypt.org"']},
        {"name": "makenot.example", "type": "SOA", "expected": ["ns1.makenot.example"]},
        {"name": "_sip._tcp.makenot.example", "type": "SRV", "expected": ["10 5 5060 sip.makenot.example"]},
    ]
    found = findings(servers, {"records": records})
    assert [each.status for each in found] == [OPERATIONAL] * 9
    assert found[0].summary == "203.0.113.7 as expected"
    assert found[3].summary == '"v=spf1 -all" and "verify=1" as expected'
    assert all(each.answered for each in found)


def test_a_mail_host_without_a_preference_may_have_any(servers: Servers) -> None:
    hosts = ["mail.makenot.example", "mail2.makenot.example"]
    records = [{"name": "makenot.example", "type": "MX", "expected": hosts}]
    assert findings(servers, {"records": records})[0].status is OPERATIONAL
    records = [{"name": "makenot.example", "type": "MX", "expected": ["mail.makenot.example", "mx.makenot.example"]}]
    (found,) = findings(servers, {"records": records})
    assert (found.status, found.summary) == (
        ERROR, "mx.makenot.example missing, 20 mail2.makenot.example not expected (2 found)"
    )  # fmt: skip


def test_a_wrong_set_a_subset_and_anything_at_all(servers: Servers) -> None:
    records = [
        {"name": "makenot.example", "type": "A", "expected": ["203.0.113.8"]},
        {"name": "makenot.example", "type": "TXT", "expected": ["v=spf1 -all"]},
        {"name": "makenot.example", "type": "MX", "expected": ["10 mail.makenot.example"], "match": "subset"},
        {"name": "www.makenot.example", "type": "A", "expected": []},
        {"name": "a.shops.makenot.example", "type": "A", "expected": ["203.0.113.7"]},
        {"name": "none.makenot.example", "type": "A", "expected": ["203.0.113.7"]},
        {"name": "www.makenot.example", "type": "CAA", "expected": ["0 issue letsencrypt.org"]},
        {"name": "six.makenot.example", "type": "CAA"},
    ]
    assert told(findings(servers, {"records": records})) == [
        ("makenot.example A", ERROR, "203.0.113.7, expected 203.0.113.8"),
        ("makenot.example TXT", ERROR, '"verify=1" not expected (2 found)'),
        ("makenot.example MX", OPERATIONAL, "10 mail.makenot.example and 20 mail2.makenot.example as expected"),
        ("www.makenot.example A", OPERATIONAL, "resolves: 203.0.113.7"),
        ("a.shops.makenot.example A", OPERATIONAL, "203.0.113.7 as expected"),
        ("none.makenot.example A", ERROR, "does not exist (NXDOMAIN), expected 203.0.113.7"),
        ("www.makenot.example CAA", OPERATIONAL, '0 issue "letsencrypt.org" as expected'),
        ("six.makenot.example CAA", ERROR, "no CAA record (NODATA)"),
    ]


def test_a_pool_may_answer_with_any_of_its_addresses_but_with_no_other(servers: Servers) -> None:
    pool = {"name": "makenot.example", "expected": ["203.0.113.7", "203.0.113.8"], "match": "any"}
    (found,) = findings(servers, {"records": [pool]})
    assert (found.status, found.detail["match"]) == (OPERATIONAL, "any")
    (found,) = findings(servers, {"records": [{**pool, "expected": ["203.0.113.8", "203.0.113.9"]}]})
    assert (found.status, found.summary) == (ERROR, "203.0.113.7, expected any of 203.0.113.8 and 203.0.113.9")
    assert parsed({"records": [{"type": "CNAME", "expected": ["a.example", "b.example"], "match": "any"}]})[1] == []


def test_an_internationalised_name_is_the_one_that_clients_look_up() -> None:
    settings, problems = parsed({"records": [{"name": "_dmarc.faß.example", "type": "TXT"}, {"name": "FAß.example"}]})
    assert problems == []
    assert dns.subjects(settings) == ("_dmarc.xn--fa-hia.example TXT", "xn--fa-hia.example A")


def test_a_resolver_that_is_listed_twice_counts_once(servers: Servers) -> None:
    at = f"127.0.0.1:{servers.port}"
    settings, _ = parsed({}, site(resolvers=(at, at, "127.0.0.1", "127.0.0.1:53", "::1", "[0::1]:53")))
    assert settings.resolvers == (servers.at("127.0.0.1"), ("127.0.0.1", 53), ("::1", 53))
    servers.fault(SERVFAIL)
    (found,) = findings(servers, {}, RESOLVER, RESOLVER)
    assert (found.status, found.summary) == (UNKNOWN, f"SERVFAIL from {at}")


def test_a_long_text_comes_over_tcp_and_is_compared_whole(servers: Servers) -> None:
    name = "key.makenot.example"
    assert findings(servers, {"records": [{"name": name, "type": "TXT", "expected": [LONG]}]})[0].status is OPERATIONAL
    assert any(heard.tcp for heard in servers.heard)
    shorter = {"records": [{"name": name, "type": "TXT", "expected": [LONG[:-1]]}]}
    assert findings(servers, shorter)[0].status is ERROR


def test_no_resolver_that_helps_is_unknown_with_every_reason(servers: Servers) -> None:
    servers.fault(SERVFAIL, address=RESOLVER)
    servers.fault(REFUSED, address=SECOND)
    (found,) = findings(servers, {"records": [{}]}, RESOLVER, SECOND)
    reasons = f"SERVFAIL from {RESOLVER}:{servers.port}; REFUSED from {SECOND}:{servers.port}"
    assert (found.status, found.summary) == (UNKNOWN, reasons)
    assert found.verdicts["dns"].status is UNKNOWN
    assert found.answered


def test_silence_is_unknown_and_nothing_answered(servers: Servers) -> None:
    servers.fault(silent)
    (found,) = findings(servers, {"records": [{}], "timeout": "300ms"})
    assert found.status is UNKNOWN
    assert not found.answered


@pytest.mark.parametrize(
    ("names", "failing", "begins"),
    [
        (["makenot.example", "six.makenot.example"], "makenot.example", True),
        (["makenot.example"], "makenot.example", True),  # the root is asked about in the place of another name
        (["makenot.example", "six.makenot.example"], None, False),
        (["makenot.example"], None, False),
    ],
)
def test_a_name_is_unknown_alone_only_while_the_resolvers_answer_for_another(
    servers: Servers, names: list[str], failing: str | None, begins: bool
) -> None:
    servers.fault(SERVFAIL, name=failing)
    found = findings(servers, {"records": [{"name": name, "type": "AAAA"} for name in names]})[0]
    assert (found.status, "unknown_since" in found.detail) == (UNKNOWN, begins)
    assert len([heard for heard in servers.heard if heard.name in (".", "")]) == (len(names) == 1)


def test_records_that_hang_delay_nothing_but_their_own_result(servers: Servers) -> None:
    servers.fault(silent, name="www.makenot.example")
    servers.fault(dripping(0.2), name="six.makenot.example")
    hanging = [{"name": f"{name}.makenot.example", "type": kind} for name in ("www", "six") for kind in ("A", "AAAA")]
    good = [{"name": f"n{number}.shops.makenot.example"} for number in range(60)]
    begun = time.monotonic()
    found = findings(servers, {"records": [*hanging, *good], "timeout": "1s"})
    assert time.monotonic() - begun < 10
    assert [each.status for each in found] == [UNKNOWN] * 4 + [OPERATIONAL] * 60


def test_no_records_means_that_the_sites_own_name_has_an_address(servers: Servers) -> None:
    assert told(findings(servers, {})) == [("makenot.example A", OPERATIONAL, "resolves: 203.0.113.7")]


def test_an_ipv6_address_will_do_for_that(servers: Servers) -> None:
    (found,) = findings(servers, {}, host="six.makenot.example")
    assert (found.status, found.summary) == (OPERATIONAL, "resolves: 2001:db8::6")
    (none,) = findings(servers, {}, host="_sip._tcp.makenot.example")
    assert (none.status, none.summary) == (ERROR, "no A or AAAA record (NODATA)")
    (gone,) = findings(servers, {}, host="none.makenot.example")
    assert (gone.status, gone.summary) == (ERROR, "does not exist (NXDOMAIN)")


AUTHORITATIVE = {"authoritative": True, "records": [{"expected": ["203.0.113.7"]}]}


@pytest.mark.parametrize(
    ("cached", "first", "second", "status", "words"),
    [
        (NEW, NEW, NEW, OPERATIONAL, "203.0.113.7 as expected"),
        (NEW, NEW, OLD, DEGRADED, "ns2.makenot.example differs: 203.0.113.9 (serial 2026112401; ns1"),
        (OLD, NEW, NEW, DEGRADED, "still says 203.0.113.9, all servers of the zone say 203.0.113.7: propagation"),
        (OLD, OLD, OLD, ERROR, "all servers of the zone say 203.0.113.9, expected 203.0.113.7: it was changed"),
    ],
)
def test_the_zones_own_servers_tell_propagation_from_a_change(
    cached: Any, first: Any, second: Any, status: Status, words: str
) -> None:
    with dns_server({RESOLVER: [cached], NS1: [first], NS2: [second]}, resolvers=[RESOLVER]) as servers:
        (found,) = findings(servers, AUTHORITATIVE)
    assert found.status is status
    assert words in found.summary
    assert [each["server"] for each in found.detail["servers"]] == ["ns1.makenot.example", "ns2.makenot.example"]


def test_a_zones_server_that_is_silent_is_named_and_changes_nothing(servers: Servers) -> None:
    servers.fault(silent, address=NS2)
    (found,) = findings(servers, {**AUTHORITATIVE, "timeout": "1s"})
    assert found.status is OPERATIONAL
    assert "203.0.113.7 as expected; ns2.makenot.example: no answer within" in found.summary


def test_unknown_stays_unknown_where_the_zones_servers_cannot_be_found(servers: Servers) -> None:
    servers.fault(SERVFAIL, address=RESOLVER)
    (found,) = findings(servers, AUTHORITATIVE)
    assert found.status is UNKNOWN
    assert found.detail["servers"] == []


def test_a_record_that_is_all_defaults_is_the_sites_own_address() -> None:
    settings, problems = parsed({"records": [{}]})
    assert problems == []
    assert dns.subjects(settings) == ("makenot.example A",)
    assert settings.records[0].expected == ()


def test_a_url_is_checked_ad_hoc_unless_its_host_is_an_address_or_one_word() -> None:
    hosts = ("makenot.example", "203.0.113.7", "2001:db8::7", "localhost")
    assert [dns.adhoc(site(host)) for host in hosts] == [True, False, False, False]


def test_the_budget_is_a_little_more_than_the_timeout() -> None:
    settings, _ = parsed({"timeout": "4s"})
    assert 4 < settings.budget <= 6


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({"records": [{"name": "a.example", "expected": ["203.0.113.7", "203.0.113.400"]}]},
         "targets.shop.dns.records[0].expected[1]: '203.0.113.400' is not an IPv4 address"),
        ({"records": [{"name": "a.example", "type": "MX", "expected": ["10"]}]},
         "targets.shop.dns.records[0].expected[0]: '10' is not a mail host, like "
         '"10 mail.example.com", or "mail.example.com" for any preference'),
        ({"records": [{"name": "a.example", "expected": [7]}]},
         "targets.shop.dns.records[0].expected[0]: 7 is not an IPv4 address"),
        ({"records": [{"name": "a.example", "expected": "203.0.113.7"}]},
         "targets.shop.dns.records[0].expected: '203.0.113.7' is not a list of texts; "
         "[] is for a record that must only exist"),
        ({"records": [{"name": "a.example", "type": "PTR", "expected": ["203.0.113.7"]}]},
         "targets.shop.dns.records[0].type: 'PTR' is not one of A, AAAA, MX, TXT, CNAME, NS, CAA, SOA, SRV"),
        ({"records": [{"name": "https://a.example"}]},
         "targets.shop.dns.records[0].name: 'https://a.example' is not a full name like \"www.example.com\""),
        ({"records": [{"name": "www"}]},
         "targets.shop.dns.records[0].name: 'www' is not a full name like \"www.example.com\""),
        ({"records": [{"name": "a.example", "match": "exactly"}]},
         "targets.shop.dns.records[0].match: 'exactly' is not one of exact, subset, any; did you mean 'exact'?"),
        ({"records": [{"name": "a.example", "expect": []}]},
         "targets.shop.dns.records[0].expect: unknown key (its value: []); did you mean 'expected'?"),
        ({"records": ["a.example"]},
         "targets.shop.dns.records[0]: 'a.example' is not a table like { name = \"example.com\" }"),
        ({"records": [{"name": "a.example", "type": "CNAME", "expected": ["b.example", "c.example"]}]},
         "targets.shop.dns.records[0].expected: ['b.example', 'c.example'] is not possible: "
         "a name has only one CNAME record"),
        ({"records": [{"name": "a.example", "type": "A"}, {"name": "A.example.", "type": "a"}]},
         "targets.shop.dns.records[1]: 'a.example A' is not a new record; "
         "give all its values in one list, as `expected` of the first"),
        ({"records": [{"name": "a.example"}], "authoritative": "yes"},
         "targets.shop.dns.authoritative: 'yes' is not true or false"),
        ({"records": {}}, "targets.shop.dns.records: {} is not a list"),
        ({"timeout": "soon"}, "targets.shop.dns.timeout: 'soon' is not a duration like \"10s\""),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place_and_what_would_be_right(data: Mapping[str, Any], problem: str) -> None:
    assert parsed(data)[1] == [problem]


def test_a_site_without_a_name_must_name_its_records() -> None:
    address = site("203.0.113.7")
    assert parsed({}, address)[1] == [
        'targets.shop.dns.records: missing; it must be a list like [{ name = "example.com" }], '
        "as '203.0.113.7' is not a name"
    ]
    assert parsed({"records": [{"type": "MX"}]}, address)[1] == [
        'targets.shop.dns.records[0].name: missing; it must be a full name like "www.example.com"'
    ]
    assert parsed({"records": [{"name": "a.example"}]}, address)[1] == []


def test_every_mistake_is_told_at_once() -> None:
    records = [{"name": "a b", "type": "X"}, {"name": "a.example", "type": "AAAA", "expected": ["1.1.1.1", "::1", "x"]}]
    assert len(parsed({"records": records, "retries": 3})[1]) == 5
