"""Which records a config may name: those of real servers on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from dns_faults import SERVFAIL
from dns_server import Servers, dns_server, zone

from pom_cli.checks import dns
from pom_cli.checks.dns.answers import Answer
from pom_cli.checks.dns.zones import Said
from pom_cli.config.targets import site_of
from pom_cli.net.deadline import Deadline
from pom_cli.setup.dns_proposals import propose, steady
from pom_cli.setup.proposals import Proposal, trial

RESOLVER, NS1, NS2 = "127.0.0.1", "127.0.0.3", "127.0.0.4"
NOW = datetime(2026, 11, 24, tzinfo=UTC)
RECORDS = """
    @ A 203.0.113.7
    @ AAAA 2001:db8::7
    @ MX 10 mail
    @ MX 20 mail2
    @ TXT "v=spf1 mx" " -all"
    @ TXT "some-verification=1"
    www CNAME @
    alias 30 A 203.0.113.9
    pool A 203.0.113.1
    pool A 203.0.113.2
    pool A 203.0.113.3
    pool A 203.0.113.4
    pool A 203.0.113.5
    turns A 203.0.113.21
    empty TXT "x"
"""
HERE = zone("shop.example", RECORDS, ns={"ns1": NS1, "ns2": NS2})
THERE = zone("shop.example", RECORDS.replace("203.0.113.21", "203.0.113.22"), ns={"ns1": NS1, "ns2": NS2})


@pytest.fixture
def servers() -> Iterator[Servers]:
    with dns_server({RESOLVER: [HERE], NS1: [HERE], NS2: [THERE]}, resolvers=[RESOLVER]) as running:
        yield running


def proposed(servers: Servers, host: str, domain: str | None = None, moves: bool = False) -> Proposal | None:
    site = site_of("", f"https://{host}/", resolvers=(f"{RESOLVER}:{servers.port}",))
    return propose(site, domain, moves, Deadline.after(20), NOW, servers.port)


def records(servers: Servers, host: str, domain: str | None = None, moves: bool = False) -> dict[str, Any]:
    """The proposed records by subject, after a look of the kind itself that finds them all as expected."""
    found = proposed(servers, host, domain, moves)
    assert found and isinstance(found.settings, dict)
    site = site_of("", f"https://{host}/", resolvers=(f"{RESOLVER}:{servers.port}",))
    assert {one.status for one in trial("dns", found.settings, site, 10, NOW)} == {"operational"}
    return {f"{one['name']} {one['type']}": one["expected"] for one in found.settings["records"]}


def test_what_stays_is_named_with_its_values(servers: Servers) -> None:
    assert records(servers, "shop.example", "shop.example") == {
        "shop.example A": ["203.0.113.7"],
        "shop.example AAAA": ["2001:db8::7"],
        "shop.example NS": ["ns1.shop.example", "ns2.shop.example"],
        "shop.example MX": ["10 mail.shop.example", "20 mail2.shop.example"],
        "shop.example TXT": ["v=spf1 mx -all"],
    }


def test_of_the_texts_of_a_domain_only_the_one_that_mail_needs_and_others_may_come_and_go(servers: Servers) -> None:
    found = proposed(servers, "shop.example", "shop.example")
    assert found and isinstance(found.settings, dict)
    assert [one["match"] for one in found.settings["records"] if one["type"] == "TXT"] == ["subset"]


def test_the_domain_is_asked_about_only_where_it_is_given(servers: Servers) -> None:
    assert set(records(servers, "shop.example")) == {"shop.example A", "shop.example AAAA"}


def test_behind_an_alias_the_alias_alone_is_fixed(servers: Servers) -> None:
    assert records(servers, "www.shop.example") == {
        "www.shop.example A": [],
        "www.shop.example AAAA": [],
        "www.shop.example CNAME": ["shop.example"],
    }


@pytest.mark.parametrize("host", ["alias.shop.example", "pool.shop.example", "turns.shop.example"])
def test_addresses_that_change_by_themselves_must_only_resolve(host: str, servers: Servers) -> None:
    """One whose time to live is short, one of a pool, one that the zone's servers do not agree about."""
    assert records(servers, host) == {f"{host} A": []}
    found = proposed(servers, host)
    assert found and "those change by themselves" in " ".join(found.notes)


def test_so_must_those_of_a_delivery_network(servers: Servers) -> None:
    assert records(servers, "shop.example", moves=True) == {"shop.example A": [], "shop.example AAAA": []}


def test_where_the_zones_own_servers_are_silent_the_resolver_is_believed(servers: Servers) -> None:
    for address in (NS1, NS2):
        servers.fault(SERVFAIL, address=address)
    assert records(servers, "turns.shop.example") == {"turns.shop.example A": ["203.0.113.21"]}


def test_a_value_that_changes_before_the_trial_is_left_open(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    real = dns.look

    def look(settings: dns.Settings) -> Any:
        servers.zones = {**servers.zones, RESOLVER: [THERE]}
        return real(settings)

    for address in (NS1, NS2):
        servers.fault(SERVFAIL, address=address)
    monkeypatch.setattr(dns, "look", look)
    assert records(servers, "turns.shop.example") == {"turns.shop.example A": []}


@pytest.mark.parametrize("host", ["empty.shop.example", "absent.shop.example"])
def test_a_name_without_records_has_none_proposed(host: str, servers: Servers) -> None:
    assert proposed(servers, host) == Proposal()


def test_resolvers_that_fail_are_told_of(servers: Servers) -> None:
    servers.fault(SERVFAIL)
    found = proposed(servers, "shop.example", "shop.example")
    assert found and found.settings is None
    assert found.told == f"DNS not looked at: SERVFAIL from 127.0.0.1:{servers.port}"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_what_is_no_name_of_the_dns_is_not_asked_about(host: str, servers: Servers) -> None:
    assert proposed(servers, host) is None
    assert servers.heard == []


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (r'"v=spf1 \"quoted\" -all"', ['v=spf1 "quoted" -all']),
        (r'"v=spf1 \010[targets.evil] -all"', None),  # a line break in it
        ('"v=spf1 ' + "a " * 120 + '" "' + "b " * 120 + '" "' + "c " * 120 + '"', None),
        (r'"v=spf1 \195\164 -all"', ["v=spf1 ä -all"]),
    ],
)
def test_a_text_is_taken_only_where_the_config_can_hold_it(value: str, kept: list[str] | None) -> None:
    world = zone("shop.example", f"@ A 203.0.113.7\n@ TXT {value}", ns={"ns1": NS1})
    with dns_server({RESOLVER: [world], NS1: [world]}, resolvers=[RESOLVER]) as servers:
        found = records(servers, "shop.example", "shop.example")
    assert found.get("shop.example TXT") == kept


def test_the_whole_time_to_live_counts_not_what_a_resolver_has_left_of_it() -> None:
    answer = Answer("A", "NOERROR", found=(("203.0.113.7",),), ttl=20)
    assert not steady("A", answer, (), moves=False)
    whole = Answer("A", "NOERROR", found=(("203.0.113.7",),), ttl=300)
    assert steady("A", answer, (Said("ns1", NS1, whole),), moves=False)
