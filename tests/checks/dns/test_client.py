"""Asking real servers on loopback, well-behaved ones and others."""

import re
import time
from collections.abc import Iterator

import pytest
from dns_faults import (
    NOTIMP,
    REFUSED,
    SERVFAIL,
    Fault,
    cut_short,
    dripping,
    ends_early,
    forged_first,
    garbage,
    lame,
    late,
    only_later,
    only_udp_truncated,
    referral,
    silent,
    truncated,
    without_edns,
    wrong_id,
    wrong_question,
)
from dns_server import Servers, closed_port, dns_server, zone

from pom_cli.checks.dns.answers import Answer, Question
from pom_cli.checks.dns.client import ask

FIRST, SECOND, OWN = "127.0.0.1", "127.0.0.2", "127.0.0.3"
LONG = " ".join('"' + letter * 200 + '"' for letter in "abcdefghijkl")
ZONE = zone(
    "example.com",
    f"""
    www A 203.0.113.7
    www A 203.0.113.8
    www AAAA 2001:db8::7
    alias CNAME www
    away CNAME www.example.net.
    gone CNAME nothing
    ring CNAME ring2
    ring2 CNAME ring
    long TXT {LONG}
    *.wild TXT "v=spf1" " -all"
    @ MX 10 mail
    @ CAA 0 issue "letsencrypt.org"
    _sip._tcp SRV 10 5 5060 sip
    """,
)
NET = zone("example.net", "www A 203.0.113.9")


@pytest.fixture
def servers() -> Iterator[Servers]:
    world = {FIRST: [ZONE, NET], SECOND: [ZONE, NET], OWN: [ZONE]}
    with dns_server(world, resolvers=[FIRST, SECOND]) as running:
        yield running


def settled(failures: tuple[str, ...]) -> tuple[str, ...]:
    """The reasons without the exact time, which a busy machine moves."""
    return tuple(re.sub(r"within \d[.\d]* s", "within 0.N s", failure) for failure in failures)


def one(servers: Servers, name: str, kind: str = "A", at: tuple[str, ...] = (FIRST,), seconds: float = 5) -> Answer:
    question = Question(name, kind, tuple(servers.at(address) for address in at), recursive=OWN not in at)
    return ask([question], time.monotonic() + seconds)[0]


@pytest.mark.parametrize(
    ("name", "kind", "found"),
    [
        ("www.example.com", "A", (("203.0.113.7",), ("203.0.113.8",))),
        ("WWW.Example.com.", "AAAA", (("2001:db8::7",),)),
        ("alias.example.com", "CNAME", (("www.example.com",),)),
        ("example.com", "MX", (("10", "mail.example.com"),)),
        ("example.com", "NS", (("ns1.example.com",),)),
        ("example.com", "CAA", (("0", "issue", "letsencrypt.org"),)),
        ("_sip._tcp.example.com", "SRV", (("10", "5", "5060", "sip.example.com"),)),
        ("anything.wild.example.com", "TXT", (("v=spf1 -all",),)),
        ("*.wild.example.com", "TXT", (("v=spf1 -all",),)),
    ],
)
def test_every_type_is_read(servers: Servers, name: str, kind: str, found: tuple[object, ...]) -> None:
    answer = one(servers, name, kind)
    assert (answer.rcode, answer.found, answer.failures) == ("NOERROR", found, ())


def test_aliases_are_followed_to_their_end_and_named(servers: Servers) -> None:
    answer = one(servers, "away.example.com")
    assert answer.found == (("203.0.113.9",),)
    assert answer.aliases == ("www.example.net",)


@pytest.mark.parametrize(
    ("name", "kind", "rcode", "aliases"),
    [
        ("nothing.example.com", "A", "NXDOMAIN", ()),
        ("gone.example.com", "A", "NXDOMAIN", ("nothing.example.com",)),
        ("www.example.com", "MX", "NOERROR", ()),
        ("ring.example.com", "A", "LOOP", ()),
    ],
)
def test_what_does_not_exist_is_an_answer_too(
    servers: Servers, name: str, kind: str, rcode: str, aliases: tuple[str, ...]
) -> None:
    answer = one(servers, name, kind)
    assert (answer.rcode, answer.found, answer.aliases) == (rcode, (), aliases)


def test_the_zone_and_its_serial_come_with_an_answer_that_carries_them(servers: Servers) -> None:
    answer = one(servers, "nothing.example.com")
    assert (answer.zone, answer.serial) == ("example.com", 2026112401)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (SERVFAIL, "SERVFAIL from {}"),
        (REFUSED, "REFUSED from {}"),
        (NOTIMP, "NOTIMP from {}"),
        (referral, "lame: a referral instead of an answer from {}"),
        (only_udp_truncated(REFUSED), "REFUSED from {}"),
        (only_udp_truncated(garbage), "a truncated answer, and over TCP garbage, from {}"),
        (only_udp_truncated(cut_short), "a truncated answer, and over TCP garbage, from {}"),
        (only_udp_truncated(ends_early), "a truncated answer, and over TCP an early end, from {}"),
    ],
)
def test_a_server_that_fails_is_named_with_its_reason_and_the_next_is_asked(
    servers: Servers, fault: Fault, words: str
) -> None:
    servers.fault(fault, address=FIRST)
    reason = words.format(f"{FIRST}:{servers.port}")
    alone = one(servers, "www.example.com")
    assert (alone.rcode, alone.failures, alone.replied) == (None, (reason,), True)
    both = one(servers, "www.example.com", at=(FIRST, SECOND))
    assert (both.rcode, both.server, both.failures) == ("NOERROR", f"{SECOND}:{servers.port}", (reason,))


@pytest.mark.parametrize(
    ("fault", "words", "replied"),
    [
        (silent, "no answer within 0.N s from {}", False),
        (garbage, "only garbage within 0.N s from {}", True),
        (cut_short, "only garbage within 0.N s from {}", True),
        (wrong_id, "only garbage within 0.N s from {}", True),
        (wrong_question, "only garbage within 0.N s from {}", True),
        (dripping(0.05), "a truncated answer, and over TCP not the whole within 0.N s, from {}", True),
        (only_udp_truncated(silent), "a truncated answer, and over TCP not the whole within 0.N s, from {}", True),
    ],
)
def test_a_server_that_never_answers_costs_the_deadline_at_most(
    servers: Servers, fault: Fault, words: str, replied: bool
) -> None:
    servers.fault(fault, address=FIRST)
    answer = one(servers, "www.example.com", seconds=0.4)
    assert (answer.rcode, settled(answer.failures)) == (None, (words.format(f"{FIRST}:{servers.port}"),))
    assert answer.replied is replied


@pytest.mark.parametrize("fault", [silent, garbage, wrong_id, dripping(0.1)])
def test_a_silent_server_leaves_time_for_the_next(servers: Servers, fault: Fault) -> None:
    servers.fault(fault, address=FIRST)
    answer = one(servers, "www.example.com", at=(FIRST, SECOND), seconds=1)
    assert (answer.rcode, answer.server) == ("NOERROR", f"{SECOND}:{servers.port}")


def test_every_server_that_did_not_help_is_named(servers: Servers) -> None:
    servers.fault(SERVFAIL, address=FIRST)
    servers.fault(silent, address=SECOND)
    answer = one(servers, "www.example.com", at=(FIRST, SECOND), seconds=0.4)
    assert settled(answer.failures) == (
        f"SERVFAIL from {FIRST}:{servers.port}",
        f"no answer within 0.N s from {SECOND}:{servers.port}",
    )


def test_a_slow_answer_counts_although_the_next_server_was_asked_meanwhile(servers: Servers) -> None:
    servers.fault(late(0.6), address=FIRST)
    servers.fault(silent, address=SECOND)
    answer = one(servers, "www.example.com", at=(FIRST, SECOND), seconds=2)
    assert (answer.rcode, answer.server) == ("NOERROR", f"{FIRST}:{servers.port}")
    assert any(heard.address == SECOND for heard in servers.heard)


def test_a_lost_datagram_is_sent_again(servers: Servers) -> None:
    servers.fault(only_later(0.05))
    assert one(servers, "www.example.com", seconds=1).rcode == "NOERROR"
    assert len({heard.id for heard in servers.heard}) == 1


def test_a_forged_answer_is_passed_over(servers: Servers) -> None:
    servers.fault(forged_first)
    assert one(servers, "www.example.com").rcode == "NOERROR"


@pytest.mark.parametrize(("name", "kind"), [("long.example.com", "TXT"), ("www.example.com", "A")])
def test_a_truncated_answer_is_fetched_over_tcp(servers: Servers, name: str, kind: str) -> None:
    if kind == "A":
        servers.fault(truncated)
    answer = one(servers, name, kind)
    assert answer.rcode == "NOERROR"
    assert len(answer.found[0][0] or "") in (2400, 11)
    assert [heard.tcp for heard in servers.heard] == [False, True]


def test_an_answer_that_drips_over_tcp_but_in_time_counts(servers: Servers) -> None:
    servers.fault(dripping(0.002))
    assert one(servers, "www.example.com").rcode == "NOERROR"


def test_a_server_without_tcp_is_named() -> None:
    with dns_server({FIRST: [ZONE]}, resolvers=[FIRST], tcp=False) as servers:
        answer = one(servers, "long.example.com", "TXT")
        assert answer.failures == (f"a truncated answer, and over TCP connection refused, from {FIRST}:{servers.port}",)


def test_a_closed_port_is_told_at_once_and_the_next_server_asked(servers: Servers) -> None:
    closed = (FIRST, closed_port())
    questions = [
        Question("www.example.com", "A", (closed,)),
        Question("www.example.com", "A", (closed, servers.at(FIRST))),
    ]
    alone, both = ask(questions, time.monotonic() + 60)
    assert (alone.failures, alone.replied) == ((f"connection refused at {FIRST}:{closed[1]}",), False)
    assert both.rcode == "NOERROR"


def test_a_server_that_knows_no_edns_is_asked_without(servers: Servers) -> None:
    servers.fault(without_edns)
    assert one(servers, "www.example.com").rcode == "NOERROR"
    assert [heard.payload for heard in servers.heard] == [1232, 0]


def test_the_zones_own_servers_are_asked_without_recursion_and_must_have_authority(servers: Servers) -> None:
    assert one(servers, "www.example.com", at=(OWN,)).rcode == "NOERROR"
    assert [heard.recursion for heard in servers.heard] == [False]
    servers.fault(lame)
    assert one(servers, "www.example.com", at=(OWN,)).failures == (
        f"lame: an answer without authority from {OWN}:{servers.port}",
    )


def test_many_questions_are_answered_in_their_order_whatever_some_of_them_do(servers: Servers) -> None:
    servers.fault(silent, name="www.example.com")
    names = ["www.example.com" if number % 10 == 5 else f"n{number}.wild.example.com" for number in range(60)]
    answers = ask([Question(name, "TXT", (servers.at(FIRST),)) for name in names], time.monotonic() + 4)
    assert [answer.rcode for answer in answers] == [None if name == "www.example.com" else "NOERROR" for name in names]


def test_a_server_that_is_listed_twice_is_asked_as_one(servers: Servers) -> None:
    servers.fault(SERVFAIL, address=FIRST)
    answer = one(servers, "www.example.com", at=(FIRST, FIRST))
    assert answer.failures == (f"SERVFAIL from {FIRST}:{servers.port}",)
    assert one(servers, "www.example.com", at=(FIRST, FIRST, SECOND)).rcode == "NOERROR"


def test_a_silent_first_resolver_leaves_time_for_any_number_of_questions(servers: Servers) -> None:
    servers.fault(silent, address=FIRST)
    both = (servers.at(FIRST), servers.at(SECOND))
    names = [f"n{number}.wild.example.com" for number in range(150)]
    answers = ask([Question(name, "TXT", both) for name in names], time.monotonic() + 8)
    assert {answer.server for answer in answers} == {f"{SECOND}:{servers.port}"}


def test_ids_differ_and_are_not_counted_up(servers: Servers) -> None:
    ask([Question("www.example.com", "A", (servers.at(FIRST),))] * 20, time.monotonic() + 5)
    ids = [heard.id for heard in servers.heard]
    assert len(set(ids)) == 20
    assert ids != sorted(ids)


def test_a_flood_of_garbage_ends_with_the_deadline(servers: Servers) -> None:
    servers.fault(lambda query, answer, tcp: [(0, b"flood")] * 20_000)
    assert one(servers, "www.example.com", seconds=0.3).rcode is None


def test_a_deadline_that_has_passed_asks_nobody(servers: Servers) -> None:
    answer = one(servers, "www.example.com", seconds=-1)
    assert answer.failures == (f"no time left to ask {FIRST}:{servers.port}",)
    assert not answer.replied
    assert servers.heard == []


def test_no_questions_take_no_time() -> None:
    assert ask([], time.monotonic() + 60) == []


def test_ipv6_servers_are_asked_and_written_with_brackets() -> None:
    with dns_server({"::1": [ZONE]}, resolvers=["::1"]) as servers:
        assert one(servers, "www.example.com", at=("::1",)).server == f"[::1]:{servers.port}"
