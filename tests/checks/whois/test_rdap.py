import json as jsons
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from registry_server import RDAP, domain_object, not_found, rdap
from web_server import CLOSE, HANG, RESET, WebServer, answer, bomb, drip, endless, head, redirect

from pom_cli.checks.whois.answer import Ending, RegistryAnswer
from pom_cli.checks.whois.rdap import ask_rdap, read_rdap, rfc3339
from pom_cli.net.deadline import Deadline

PATH = "/rdap/domain/shop.com"


def ask(server: WebServer, seconds: float = 10, **more: Any) -> RegistryAnswer:
    options = {"configured": True, **more}
    return ask_rdap("shop.com", server.url("/rdap/"), Deadline.after(seconds), **options)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2027-03-01T10:00:00Z", "2027-03-01T10:00:00"),
        ("2027-03-01t10:00:00z", "2027-03-01T10:00:00"),
        ("2027-03-01T10:00:00.123456789Z", "2027-03-01T10:00:00"),
        ("2027-03-01T10:00:00+09:00", "2027-03-01T01:00:00"),
        ("2027-03-01T20:00:00-07:30", "2027-03-02T03:30:00"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59"),
        # The exceptions, each with one meaning only.
        ("2027-03-01T10:00:00", "2027-03-01T10:00:00"),
        ("2027-03-01T10:00:00+0900", "2027-03-01T01:00:00"),
        ("2027-03-01T10:00:00+09", "2027-03-01T01:00:00"),
        ("2027-03-01 10:00:00Z", "2027-03-01T10:00:00"),
        ("2027-03-01", "2027-03-01T00:00:00"),
    ],
)
def test_dates_are_rfc_3339_with_a_few_named_exceptions(text: str, expected: str) -> None:
    assert rfc3339(text) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        None,
        1798761600,
        "",
        "tomorrow",
        "01-Mar-2027",
        "03/01/2027",
        "0001-01-01T00:00:00+05:00",
        "9999-12-31T23:59:59-05:00",
        "2027-02-30T00:00:00Z",
        "2027-3-1T00:00:00Z",
        "2027-03-01T25:00:00Z",
        "2027-03-01T10:00Z",
        "2027-03-01T10:00:00Z[UTC]",
        "20270301T100000Z",
        ["2027-03-01"],
    ],
)
def test_any_other_date_is_refused(text: Any) -> None:
    assert rfc3339(text) is None


def test_a_domain_object_is_read_whole() -> None:
    with WebServer() as server:
        server.on(PATH, rdap(domain_object("shop.com")))
        seen = ask(server)
    assert seen.ending is Ending.DATED
    assert seen.expires == datetime(2027, 3, 1, 10, tzinfo=UTC)
    assert seen.created == datetime(2011, 3, 1, 10, tzinfo=UTC)
    assert seen.registrar == "Example Registrar, LLC"
    assert seen.statuses == ("client transfer prohibited",)
    assert seen.dnssec is False
    assert server.requests[0].headers["accept"] == RDAP


def test_the_registry_s_date_wins_and_the_registrar_s_stands_in_for_it() -> None:
    both = domain_object("shop.com", "2027-03-01T10:00:00Z")
    both["events"].append({"eventAction": "registrar expiration", "eventDate": "2026-03-01T10:00:00Z"})
    assert read_rdap(both, "shop.com").expires == datetime(2027, 3, 1, 10, tzinfo=UTC)
    one = domain_object("shop.com", None)
    one["events"].append({"eventAction": "registrar expiration", "eventDate": "2026-03-01T10:00:00Z"})
    assert read_rdap(one, "shop.com").expires == datetime(2026, 3, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("data", "outcome", "reason"),
    [
        (domain_object("shop.com", None), Ending.NO_DATE, "it publishes no date"),
        (domain_object("other.com"), Ending.NO_DATE, "its answer is about OTHER.COM"),
        (domain_object("shop.com", "01/03/2027"), Ending.NO_DATE, "its expiration date '01/03/2027' cannot be read"),
        (domain_object("shop.com", {"x": 1}), Ending.NO_DATE, "its expiration date \"{'x': 1}\" cannot be read"),
        (
            domain_object("shop.com", "2009-01-01T00:00:00Z"),
            Ending.NO_DATE,
            "its expiry date 2009-01-01 lies before the registration of 2011-03-01",
        ),
        (domain_object("shop.com", "9999-12-31T00:00:00Z"), Ending.NO_DATE, "it publishes no date"),
        ([], Ending.FAILED, "its answer is not an RDAP object"),
        ({"events": {}}, Ending.FAILED, "its answer is not an RDAP object"),
        ({"notices": []}, Ending.FAILED, "its answer is not an RDAP domain object"),
        (None, Ending.FAILED, "its answer is not an RDAP object"),
    ],
)
def test_what_is_no_good_date_is_refused_with_its_reason(data: Any, outcome: Ending, reason: str) -> None:
    seen = read_rdap(data, "shop.com")
    assert (seen.ending, seen.reason, seen.expires) == (outcome, reason, None)


def test_two_different_expiration_dates_are_none() -> None:
    data = domain_object("shop.com")
    data["events"].append({"eventAction": "expiration", "eventDate": "2028-03-01T10:00:00Z"})
    assert read_rdap(data, "shop.com").reason == "it gives more than one expiration date"


def test_odd_members_are_passed_over() -> None:
    odd = {"status": [1, None, "ok"], "entities": [None, {"roles": "registrar"}, {"roles": ["registrar"]}]}
    seen = read_rdap(domain_object("shop.com", secureDNS=[], **odd), "shop.com")
    assert (seen.ending, seen.statuses, seen.registrar, seen.dnssec) == (Ending.DATED, ("ok",), None, None)


def test_an_internationalised_name_is_the_same_in_both_forms() -> None:
    data = domain_object("xn--bcher-kva.com")
    assert read_rdap(data, "xn--bcher-kva.com").ending is Ending.DATED
    del data["ldhName"]
    assert read_rdap({**data, "unicodeName": "BÜCHER.com"}, "xn--bcher-kva.com").ending is Ending.DATED


def test_a_404_is_the_registry_s_word_only_when_it_is_rdap() -> None:
    with WebServer() as server:
        server.on(PATH, not_found(), answer(404, "<h1>Not Found</h1>", {"Content-Type": "text/html"}))
        assert ask(server).ending is Ending.FREE
        seen = ask(server)
    assert (seen.ending, seen.reason) == (Ending.FAILED, "HTTP 404")


def test_a_404_of_a_server_that_iana_does_not_list_wants_confirmation() -> None:
    with WebServer() as server:
        server.on(PATH, not_found())
        assert ask(server).confirmed is True
        assert ask(server, listed=False).confirmed is False


def test_a_rate_limit_says_how_long_to_wait() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(minutes=10), usegmt=True)
    waits = []
    with WebServer() as server:
        headers = [{"Retry_After": "120"}, {"Retry_After": later}, {"Retry_After": "soon"}, {}]
        server.on(PATH, *(rdap({}, 429, **more) for more in headers), rdap({}, 503, Retry_After="60"))
        for _ in range(5):
            seen = ask(server)
            assert seen.ending is Ending.LIMITED
            waits.append(seen.wait_s)
    assert waits[0] == 120 and waits[2:] == [None, None, 60]
    assert waits[1] is not None and 500 < waits[1] <= 600


@pytest.mark.parametrize("odd", ["\u00b2", "1\u00b2", "-5", "1e9", f"Wed, 25 Nov {'9' * 20} 10:00:00 GMT"])
def test_a_rate_limit_that_says_nonsense_is_one_all_the_same(odd: str) -> None:
    with WebServer() as server:
        server.on(PATH, rdap({}, 429, Retry_After=odd))
        seen = ask(server)
    assert (seen.ending, seen.wait_s) == (Ending.LIMITED, None)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (400, Ending.REFUSED),
        (403, Ending.REFUSED),
        (500, Ending.FAILED),
        (501, Ending.FAILED),
        (503, Ending.FAILED),
    ],
)
def test_other_statuses_are_refusals_or_failures(status: int, outcome: Ending) -> None:
    with WebServer() as server:
        server.on(PATH, rdap({"errorCode": status}, status))
        seen = ask(server)
    assert (seen.ending, seen.reason, seen.answered) == (outcome, f"HTTP {status}", True)


def test_an_error_that_hides_behind_a_200_is_an_error() -> None:
    with WebServer() as server:
        server.on(PATH, rdap({"errorCode": 404}, 200), rdap({"errorCode": 429}, 200))
        assert [ask(server).ending, ask(server).ending] == [Ending.FREE, Ending.LIMITED]


def test_a_redirect_is_followed_within_the_configured_host() -> None:
    with WebServer() as server:
        server.on(PATH, redirect("/v2/shop.com"))
        server.on("/v2/shop.com", rdap(domain_object("shop.com")))
        assert ask(server).ending is Ending.DATED


def test_nothing_but_the_configured_host_may_be_private() -> None:
    with WebServer() as server, WebServer() as inside:
        server.on(PATH, redirect(inside.url("/secret")))
        inside.on("/secret", rdap(domain_object("shop.com")))
        seen = ask(server)
        assert seen.reason == "127.0.0.1 leads to the private address 127.0.0.1"
        assert ask(server, configured=False).reason == "127.0.0.1 leads to the private address 127.0.0.1"
        assert inside.requests == []


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("http://[::bad/", "redirect to an unreadable address"),
        ("ftp://rdap.example.net/x", "redirect to an unreadable address"),
        (PATH, "more than 5 redirects"),
    ],
)
def test_a_redirect_that_leads_nowhere_is_a_failure(target: str, reason: str) -> None:
    with WebServer() as server:
        server.on(PATH, redirect(target))
        assert ask(server).reason == reason


def test_hostile_answers_are_bounded() -> None:
    deep = "[" * 100_000
    scripts = [
        (answer(200, "x" * 300_000, {"Content-Type": RDAP}), "its answer is larger than 256 KiB"),
        (bomb(), "its answer is larger than 256 KiB"),
        (endless(head(200, {"Content-Type": RDAP})), "its answer is larger than 256 KiB"),
        (rdap(deep), "its answer is not an RDAP object"),
        (rdap("not json"), "its answer is not an RDAP object"),
        ([head(200, {"Content-Length": "500"}) + b"{}", CLOSE], "the body was cut off"),
        ([RESET], None),
    ]
    with WebServer() as server:
        for script, reason in scripts:
            server.on(PATH, script)
            seen = ask(server)
            assert seen.ending is Ending.FAILED
            assert reason is None or seen.reason == reason


def test_a_server_that_hangs_or_drips_is_given_up_at_the_deadline() -> None:
    body = jsons.dumps(domain_object("shop.com")).encode()
    with WebServer() as server:
        server.on(PATH, [HANG], drip(head(200, {"Content-Length": str(len(body))}) + body, 0.05))
        silent, slow = ask(server, 0.3), ask(server, 0.3)
    assert (silent.ending, silent.reason) == (Ending.FAILED, "no answer within 0.3 s")
    assert (slow.ending, slow.reason) == (Ending.FAILED, "no complete answer within 0.3 s")
    assert not silent.answered


def test_a_whole_url_of_the_domain_is_taken_as_it_is() -> None:
    with WebServer() as server:
        server.on(PATH, rdap(domain_object("shop.com")))
        seen = ask_rdap("shop.com", server.url(PATH), Deadline.after(10), configured=True)
    assert seen.ending is Ending.DATED
