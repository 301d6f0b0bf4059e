"""Finding a zone's own servers through a resolver, and what each of them says."""

import time
from collections.abc import Iterator

import pytest
from dns_faults import SERVFAIL, lame, silent
from dns_server import Servers, dns_server, zone

from pom_cli.checks.dns.zones import Said, survey

RESOLVER, NS1, NS2, NET = "127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"
NAMES = {"ns1": NS1, "ns2": NS2}
NEW = zone("example.com", "www A 203.0.113.7\naway CNAME www.example.net.\na.b.c A 203.0.113.5", 2026112402, NAMES)
OLD = zone("example.com", "www A 203.0.113.9\naway CNAME old.example.net.\na.b.c A 203.0.113.5", 2026112401, NAMES)
ELSEWHERE = zone("example.net", "www A 203.0.113.20\nold A 203.0.113.21", ns={"ns": NET})
CHILD = zone("child.example.com", "www A 203.0.113.30", 5, {"ns": NET})


@pytest.fixture
def servers() -> Iterator[Servers]:
    world = {RESOLVER: [NEW, ELSEWHERE, CHILD], NS1: [NEW], NS2: [OLD], NET: [ELSEWHERE, CHILD]}
    with dns_server(world, resolvers=[RESOLVER]) as running:
        yield running


def asked(servers: Servers, name: str, kind: str = "A", seconds: float = 5) -> tuple[Said, ...]:
    deadline = time.monotonic() + seconds
    return survey([(name, kind)], (servers.at(RESOLVER),), servers.port, deadline)[name, kind]


def brief(said: tuple[Said, ...]) -> list[tuple[str, str, tuple[object, ...], int | None]]:
    return [(each.name, each.address, each.answer.found, each.serial) for each in said]


@pytest.mark.parametrize(
    ("name", "kind", "first", "second"),
    [
        ("www.example.com", "A", (("203.0.113.7",),), (("203.0.113.9",),)),
        ("a.b.c.example.com", "A", (("203.0.113.5",),), (("203.0.113.5",),)),
        ("nothing.example.com", "A", (), ()),
        (
            "example.com",
            "NS",
            (("ns1.example.com",), ("ns2.example.com",)),
            (("ns1.example.com",), ("ns2.example.com",)),
        ),
        ("away.example.com", "CNAME", (("www.example.net",),), (("old.example.net",),)),
    ],
)
def test_each_server_of_the_zone_is_asked_with_its_serial(
    servers: Servers, name: str, kind: str, first: tuple[object, ...], second: tuple[object, ...]
) -> None:
    assert brief(asked(servers, name, kind)) == [
        ("ns1.example.com", NS1, first, 2026112402),
        ("ns2.example.com", NS2, second, 2026112401),
    ]


def test_an_alias_out_of_the_zone_is_followed_through_the_resolver(servers: Servers) -> None:
    assert brief(asked(servers, "away.example.com")) == [
        ("ns1.example.com", NS1, (("203.0.113.20",),), 2026112402),
        ("ns2.example.com", NS2, (("203.0.113.21",),), 2026112401),
    ]


def test_the_zone_of_an_alias_is_the_one_that_holds_the_alias(servers: Servers) -> None:
    assert {each.name for each in asked(servers, "away.example.com")} == {"ns1.example.com", "ns2.example.com"}


def test_a_child_zone_has_servers_of_its_own(servers: Servers) -> None:
    assert brief(asked(servers, "www.child.example.com")) == [
        ("ns.child.example.com", NET, (("203.0.113.30",),), 5),
    ]


def test_a_server_that_is_lame_or_silent_is_kept_with_its_reason(servers: Servers) -> None:
    servers.fault(lame, address=NS1)
    servers.fault(silent, address=NS2)
    first, second = asked(servers, "www.example.com", seconds=0.6)
    assert first.answer.failures == (f"lame: an answer without authority from {NS1}:{servers.port}",)
    assert "no answer within" in second.answer.failures[0]
    assert (first.serial, second.serial) == (None, None)


def test_a_silent_server_takes_nothing_from_the_others(servers: Servers) -> None:
    servers.fault(silent, address=NS2)
    first, second = asked(servers, "away.example.com", seconds=1)
    assert brief((first,)) == [("ns1.example.com", NS1, (("203.0.113.20",),), 2026112402)]
    assert second.answer.rcode is None


def test_a_server_without_an_address_is_kept_with_the_reason() -> None:
    lame = zone("example.com", "www A 203.0.113.7\n@ NS ns7\nns7 TXT x\n@ NS ns8\n@ NS ns9", 7, {"ns1": NS1})
    with dns_server({RESOLVER: [lame], NS1: [lame]}, resolvers=[RESOLVER]) as servers:
        servers.fault(SERVFAIL, name="ns9.example.com")
        said = {each.name: each for each in asked(servers, "www.example.com")}
        unknown = f"its address is unknown: SERVFAIL from {RESOLVER}:{servers.port}"
    assert {name: (each.address, each.answer.failures) for name, each in said.items()} == {
        "ns1.example.com": (NS1, ()),
        "ns7.example.com": ("", ("it has no address",)),
        "ns8.example.com": ("", ("it does not exist (NXDOMAIN)",)),
        "ns9.example.com": ("", (unknown,)),
    }
    assert said["ns1.example.com"].answer.found == (("203.0.113.7",),)


def test_a_silent_server_is_asked_for_its_serial_alone(servers: Servers) -> None:
    servers.fault(silent, address=NS2)
    asked(servers, "www.example.com", seconds=1)
    assert {heard.type for heard in servers.heard if heard.address == NS2} == {"SOA"}


def test_a_resolver_that_fails_leaves_no_servers(servers: Servers) -> None:
    servers.fault(SERVFAIL, address=RESOLVER)
    assert asked(servers, "www.example.com") == ()


def test_each_server_is_asked_for_its_serial_once(servers: Servers) -> None:
    records = [("www.example.com", "A"), ("www.example.com", "AAAA"), ("away.example.com", "CNAME")]
    survey(records, (servers.at(RESOLVER),), servers.port, time.monotonic() + 5)
    assert [heard.type for heard in servers.heard if heard.address == NS1].count("SOA") == 1


def test_servers_with_ipv6_only_are_asked_there() -> None:
    six = zone("example.com", "www A 203.0.113.7\nns6 AAAA ::1\n@ NS ns6", 7, {"ns1": NS1})
    with dns_server({RESOLVER: [six], NS1: [six], "::1": [six]}, resolvers=[RESOLVER]) as servers:
        assert [(each.name, each.address) for each in asked(servers, "www.example.com")] == [
            ("ns1.example.com", NS1),
            ("ns6.example.com", "::1"),
        ]
