"""From answers to a status and the words for it, without any network."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pom_cli.checks.dns.answers import Answer
from pom_cli.checks.dns.records import Record, expected
from pom_cli.checks.dns.verdicts import Sight, finding, newest
from pom_cli.checks.dns.zones import Said
from pom_cli.model import DEGRADED, ERROR, OPERATIONAL, UNKNOWN, Finding, Past, Status

RESOLVER = "127.0.0.1:5353"
OLD, NEW = 2026112401, 2026112402
NOW = datetime(2026, 11, 24, 6, 40, tzinfo=UTC)


def record(*values: str, kind: str = "A", match: str = "exact", either: bool = False) -> Record:
    return Record("example.com", kind, tuple(expected(kind, value) for value in values), match, either)


def answer(*values: str, kind: str = "A", rcode: str | None = "NOERROR", aliases: tuple[str, ...] = ()) -> Answer:
    found = tuple(expected(kind, value) for value in values)
    return Answer(kind, rcode, RESOLVER, found, aliases, ms=3, replied=True)


def judged(record: Record, sight: Sight, past: Past = Past(), at: datetime = NOW) -> Finding:  # noqa: B008 - frozen
    return finding(record, sight, past, at)


def told(record: Record, answer: Answer, said: tuple[Said, ...] | None = None) -> tuple[Status, str]:
    found = judged(record, Sight(answer, said))
    assert found.verdicts["dns"].status is found.status
    assert found.verdicts["dns"].summary == found.summary
    json.dumps(found.detail, allow_nan=False)
    return found.status, found.summary


def said(number: int, *values: str, serial: int | None = NEW, kind: str = "A", rcode: str = "NOERROR") -> Said:
    return Said(f"ns{number}.example.com", f"192.0.2.{number}", answer(*values, kind=kind, rcode=rcode), serial)


def mute(number: int) -> Said:
    failures = (f"no answer within 4 s from 192.0.2.{number}",)
    return Said(f"ns{number}.example.com", f"192.0.2.{number}", Answer("A", failures=failures))


A, B, C, D, E = (f"203.0.113.{number}" for number in (7, 8, 9, 10, 11))


@pytest.mark.parametrize(
    ("record", "answer", "status", "summary"),
    [
        (record(A), answer(A), OPERATIONAL, f"{A} as expected"),
        (record(A, B), answer(B, A), OPERATIONAL, f"{B} and {A} as expected"),
        (record(), answer(A), OPERATIONAL, f"resolves: {A}"),
        (record(), answer(A, B, C, D, E), OPERATIONAL, f"resolves: {A}, {B}, {C} and 2 more"),
        (record(A), answer(C), ERROR, f"{C}, expected {A}"),
        (record(A, B), answer(C, D), ERROR, f"{C} and {D}, expected {A} and {B}"),
        (record(A, B), answer(A), ERROR, f"{B} missing (1 found)"),
        (record(A), answer(A, C), ERROR, f"{C} not expected (2 found)"),
        (record(A, B), answer(A, C), ERROR, f"{B} missing, {C} not expected (2 found)"),
        (record(A, match="subset"), answer(A, C), OPERATIONAL, f"{A} and {C} as expected"),
        (record(A, B, match="subset"), answer(A, C), ERROR, f"{B} missing (2 found)"),
        (record(A, B, C, match="any"), answer(B), OPERATIONAL, f"{B} as expected"),
        (record(A, B, match="any"), answer(A, B), OPERATIONAL, f"{A} and {B} as expected"),
        (record(A, B, match="any"), answer(A, C), ERROR, f"{C} not expected (2 found)"),
        (record(A, B, match="any"), answer(C, D), ERROR, f"{C} and {D}, expected any of {A} and {B}"),
        (record(A, B, match="any"), answer(), ERROR, f"no A record (NODATA), expected any of {A} and {B}"),
        (record(match="any"), answer(A), OPERATIONAL, f"resolves: {A}"),
        (record(A), answer(rcode="NXDOMAIN"), ERROR, f"does not exist (NXDOMAIN), expected {A}"),
        (record(), answer(rcode="NXDOMAIN"), ERROR, "does not exist (NXDOMAIN)"),
        (record(kind="CAA"), answer(kind="CAA"), ERROR, "no CAA record (NODATA)"),
        (record(A), answer(), ERROR, f"no A record (NODATA), expected {A}"),
        (record(either=True), answer(kind="AAAA"), ERROR, "no A or AAAA record (NODATA)"),
        (record(either=True), answer("2001:db8::7", kind="AAAA"), OPERATIONAL, "resolves: 2001:db8::7"),
        (
            record(),
            answer(rcode="NXDOMAIN", aliases=("shop.example.net",)),
            ERROR,
            "alias of shop.example.net, which does not exist (NXDOMAIN)",
        ),
        (
            record(),
            answer(aliases=("shop.example.net",)),
            ERROR,
            "alias of shop.example.net, which has no A record (NODATA)",
        ),
        (record(), answer(rcode="LOOP"), ERROR, "an endless chain of aliases"),
        (
            record("v=spf1 -all", kind="TXT"),
            answer("v=spf1 ~all", kind="TXT"),
            ERROR,
            '"v=spf1 ~all", expected "v=spf1 -all"',
        ),
        (
            record("ns1.example.com", kind="SOA"),
            answer("ns2.example.com ops.example.com 7 1 1 1 1", kind="SOA"),
            ERROR,
            "ns2.example.com ops.example.com 7 1 1 1 1, expected ns1.example.com * * * * * *",
        ),
    ],
)
def test_what_the_resolvers_say_is_compared(record: Record, answer: Answer, status: Status, summary: str) -> None:
    assert told(record, answer) == (status, summary)


def test_no_usable_answer_is_unknown_with_every_reason() -> None:
    failures = (f"SERVFAIL from {RESOLVER}", "no answer within 5 s from 127.0.0.2")
    found = judged(record(A), Sight(Answer("A", failures=failures, replied=True)))
    assert (found.status, found.summary) == (UNKNOWN, f"SERVFAIL from {RESOLVER}; no answer within 5 s from 127.0.0.2")
    assert found.answered
    assert not judged(record(A), Sight(Answer("A", failures=failures))).answered


def test_a_server_that_failed_before_another_answered_is_kept_in_the_detail_only() -> None:
    seen = replace(answer(A), failures=("SERVFAIL from 127.0.0.2",))
    found = judged(record(A), Sight(seen))
    assert (found.status, found.summary) == (OPERATIONAL, f"{A} as expected")
    assert found.detail["failures"] == ["SERVFAIL from 127.0.0.2"]


@pytest.mark.parametrize(
    ("answer", "said", "status", "summary"),
    [
        (answer(A), (said(1, A), said(2, A)), OPERATIONAL, f"{A} as expected"),
        (
            answer(A),
            (said(1, A), said(2, C, serial=OLD)),
            DEGRADED,
            f"ns2.example.com differs: {C} (serial {OLD}; ns1.example.com has {NEW}): propagation",
        ),
        (
            answer(C),
            (said(1, A), said(2, C, serial=OLD)),
            DEGRADED,
            f"ns2.example.com differs: {C} (serial {OLD}; ns1.example.com has {NEW}); "
            f"{RESOLVER} still says {C}: propagation",
        ),
        (
            answer(C),
            (said(1, A), said(2, A)),
            DEGRADED,
            f"{RESOLVER} still says {C}, all servers of the zone say {A}: propagation",
        ),
        (
            answer(rcode="NXDOMAIN"),
            (said(1, A), said(2, A)),
            DEGRADED,
            f"{RESOLVER} still says does not exist (NXDOMAIN), all servers of the zone say {A}: propagation",
        ),
        (
            answer(C),
            (said(1, C), said(2, C)),
            ERROR,
            f"all servers of the zone say {C}, expected {A}: it was changed",
        ),
        (
            answer(A),
            (said(1, C), said(2, C)),
            ERROR,
            f"all servers of the zone say {C}, expected {A}: it was changed; {RESOLVER} still says {A}",
        ),
        (
            answer(C),
            (said(1, C), said(2, D)),
            ERROR,
            f"ns1.example.com says {C}; ns2.example.com says {D}, expected {A}: it was changed",
        ),
        (
            answer(A),
            (said(1, C), said(2, A, serial=OLD)),
            ERROR,
            f"ns1.example.com differs: {C} (serial {NEW}; ns2.example.com has {OLD}): it was changed there",
        ),
        (
            answer(A),
            (said(1, A), said(2, C)),
            ERROR,
            f"ns2.example.com differs: {C} (serial {NEW}; ns1.example.com has {NEW}): it was changed there",
        ),
        (
            answer(A),
            (said(1, A), said(2, C, serial=None)),
            ERROR,
            f"ns2.example.com differs: {C}: it was changed there",
        ),
        (
            answer(A),
            (said(1, A), said(2, serial=OLD)),
            DEGRADED,
            f"ns2.example.com differs: no A record (NODATA) (serial {OLD}; ns1.example.com has {NEW}): propagation",
        ),
        (
            answer(A),
            (said(1, A), mute(2)),
            OPERATIONAL,
            f"{A} as expected; ns2.example.com: no answer within 4 s from 192.0.2.2",
        ),
        (
            answer(C),
            (mute(1), mute(2)),
            ERROR,
            f"{C}, expected {A}; ns1.example.com: no answer within 4 s from 192.0.2.1; "
            "ns2.example.com: no answer within 4 s from 192.0.2.2",
        ),
        (
            answer(C),
            (said(1, C), mute(2)),
            ERROR,
            f"ns1.example.com says {C}, expected {A}: it was changed; "
            "ns2.example.com: no answer within 4 s from 192.0.2.2",
        ),
        (
            answer(C),
            (said(1, A), said(3, A), mute(2)),
            DEGRADED,
            f"{RESOLVER} still says {C}, ns1.example.com and ns3.example.com say {A}: propagation; "
            "ns2.example.com: no answer within 4 s from 192.0.2.2",
        ),
        (answer(A), (), OPERATIONAL, f"{A} as expected; the zone's own servers were not found"),
    ],
)
def test_the_zones_servers_tell_propagation_from_a_change(
    answer: Answer, said: tuple[Said, ...], status: Status, summary: str
) -> None:
    assert told(record(A), answer, said) == (status, summary)


@pytest.mark.parametrize(
    ("serials", "expected"),
    [
        ([1, 2, 2], [2, 2]),
        ([2**32 - 1, 0], [0]),  # a serial starts anew: RFC 1982
        ([5, None, 4], [5, None]),
        ([None], [None]),
        ([], []),
    ],
)
def test_the_newest_serial_is_found_around_the_circle(serials: list[int | None], expected: list[int | None]) -> None:
    heard = [said(number, serial=serial) for number, serial in enumerate(serials)]
    assert [each.serial for each in newest(heard)] == expected


def test_the_detail_holds_what_was_expected_and_what_each_server_said() -> None:
    detail = judged(record(A), Sight(answer(A), (said(1, C), mute(2)))).detail
    assert detail["name"] == "example.com"
    assert detail["type"] == "A"
    assert (detail["expected"], detail["found"], detail["rcode"], detail["resolver"]) == ([A], [A], "NOERROR", RESOLVER)
    assert detail["servers"] == [
        {
            "server": "ns1.example.com",
            "address": "192.0.2.1",
            "found": [C],
            "serial": NEW,
            "rcode": "NOERROR",
            "failures": [],
        },
        {
            "server": "ns2.example.com",
            "address": "192.0.2.2",
            "found": [],
            "serial": None,
            "rcode": None,
            "failures": ["no answer within 4 s from 192.0.2.2"],
        },
    ]


def test_text_from_outside_is_made_safe_and_short() -> None:
    seen = replace(answer(kind="TXT"), found=(("\x1b[31m" + "x" * 5000 + "\r\nBcc: a@example.com",),))
    found = judged(record("v=spf1 -all", kind="TXT"), Sight(seen))
    assert found.summary.isprintable()
    assert "expected" in found.summary
    assert len(found.summary) <= 300
    assert len(found.detail["found"][0]) <= 500


SERVFAIL = f"SERVFAIL from {RESOLVER}"
ALONE = "no answer for {}, though the resolvers answer for other names: " + SERVFAIL


@pytest.mark.parametrize(
    ("begun", "others", "status", "summary", "since"),
    [
        (None, True, UNKNOWN, SERVFAIL, "2026-11-24T06:40:00Z"),
        (None, False, UNKNOWN, SERVFAIL, None),  # the resolvers answer nothing: that is not about this name
        ("2026-11-24T00:41:00Z", True, UNKNOWN, SERVFAIL, "2026-11-24T00:41:00Z"),
        ("2026-11-24T00:40:00Z", True, DEGRADED, ALONE.format("6 h"), "2026-11-24T00:40:00Z"),
        ("2026-11-22T05:40:00Z", True, DEGRADED, ALONE.format("2 d 1 h"), "2026-11-22T05:40:00Z"),
        ("2026-11-22T05:40:00Z", False, UNKNOWN, SERVFAIL, "2026-11-22T05:40:00Z"),
        ("2026-11-25T06:40:00Z", True, UNKNOWN, SERVFAIL, "2026-11-24T06:40:00Z"),  # written under a wrong clock
        ("rubbish", True, UNKNOWN, SERVFAIL, "2026-11-24T06:40:00Z"),
    ],
)
def test_a_name_that_alone_stays_unknown_for_six_hours_is_degraded(
    begun: str | None, others: bool, status: Status, summary: str, since: str | None
) -> None:
    past = Past(UNKNOWN, {"unknown_since": begun} if begun else {})
    failing = Sight(Answer("A", failures=(SERVFAIL,), replied=True), others_answered=others)
    found = judged(record(A), failing, past)
    assert (found.status, found.summary, found.detail.get("unknown_since")) == (status, summary, since)
    assert found.verdicts["dns"].status is status


def test_an_answer_ends_the_time_without_one() -> None:
    past = Past(DEGRADED, {"unknown_since": "2026-11-22T05:40:00Z"})
    found = judged(record(A), Sight(answer(A), others_answered=True), past)
    assert (found.status, "unknown_since" in found.detail) == (OPERATIONAL, False)
    again = judged(record(A), Sight(Answer("A", failures=(SERVFAIL,)), others_answered=True), Past(detail=found.detail))
    assert again.status is UNKNOWN


def test_the_time_without_an_answer_adds_up_over_the_runs() -> None:
    past, statuses = Past(), []
    for hour in range(8):
        failing = Sight(Answer("A", failures=(SERVFAIL,)), others_answered=True)
        found = judged(record(A), failing, past, NOW + timedelta(hours=hour))
        past = Past(found.status, found.detail)
        statuses.append(found.status)
    assert statuses == [UNKNOWN] * 6 + [DEGRADED] * 2
