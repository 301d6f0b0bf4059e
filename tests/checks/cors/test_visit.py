from collections.abc import Mapping

import pytest

from pom_cli.checks.cors.rules import Asked
from pom_cli.checks.cors.visit import judge_allowed, judge_refused, trial, visit
from pom_cli.checks.outcome import Outcome
from pom_cli.model import DEGRADED, ERROR, OPERATIONAL, UNREACHABLE, Status
from pom_cli.net.exchange import Answer
from pom_cli.net.faults import Fault

APP, API = "https://app.example.com", "https://api.example.com/a"
ALLOWED = {"Access-Control-Allow-Origin": APP, "Vary": "Origin"}
SILENCE = Fault("headers", "no answer within 10 s")


def reply(status: int = 200, headers: Mapping[str, str] = ALLOWED, url: str = API) -> Answer:
    return Answer(status, "", list(headers.items()), b"", url, "192.0.2.1", 1.0, 1.0, 1.0, 1.0, 5.0)


def onward(to: str, origin: str = APP, url: str = API) -> Answer:
    return reply(302, {"Location": to, "Access-Control-Allow-Origin": origin}, url)


class Server:
    """Gives these answers in turn, and keeps what was sent: method, URL, Origin, requested headers."""

    def __init__(self, *answers: Outcome) -> None:
        self.answers = list(answers)
        self.sent: list[tuple[str, ...]] = []

    def __call__(self, method: str, url: str, headers: Mapping[str, str]) -> Outcome:
        asked = headers.get("Access-Control-Request-Headers")
        self.sent.append((method, url, headers.get("Origin", "-"), *([asked] if asked else [])))
        return self.answers.pop(0)


def allowed(asked: Asked, server: Server) -> tuple[Status, str]:
    status, summary, _ = judge_allowed(visit(API, asked, server))
    assert server.answers == []
    return status, summary


def refused(asked: Asked, server: Server) -> tuple[Status, str]:
    status, summary, _ = judge_refused(trial(API, asked, server))
    assert server.answers == []
    return status, summary


class TestVisit:
    def test_preflight_and_request_both_allowed(self) -> None:
        server = Server(reply(204), reply())
        assert allowed(Asked(APP), server) == (OPERATIONAL, "allowed")
        assert server.sent == [("OPTIONS", API, APP), ("GET", API, APP)]

    def test_after_a_refused_preflight_nothing_more_is_sent(self) -> None:
        server = Server(reply(403, {}))
        assert allowed(Asked(APP), server) == (ERROR, "preflight: 403 Forbidden")

    def test_a_refused_request_is_an_error_though_the_preflight_was_allowed(self) -> None:
        assert allowed(Asked(APP), Server(reply(204), reply(200, {}))) == (ERROR, "GET: no Access-Control-Allow-Origin")

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
    def test_what_could_change_something_is_never_sent(self, method: str) -> None:
        server = Server(reply(204, ALLOWED | {"Access-Control-Allow-Methods": method}))
        assert allowed(Asked(APP, method), server) == (OPERATIONAL, f"allowed; {method} itself is not sent")
        assert server.sent == [("OPTIONS", API, APP)]

    def test_the_status_of_the_request_does_not_matter_where_the_page_may_read_it(self) -> None:
        assert allowed(Asked(APP), Server(reply(204), reply(503))) == (OPERATIONAL, "allowed")

    @pytest.mark.parametrize("asked", [Asked(APP, headers=("x-a",)), Asked(APP, credentials=True)])
    def test_a_login_that_pom_has_not_got_does_not_count_against_the_server(self, asked: Asked) -> None:
        fields = {"Access-Control-Allow-Headers": "x-a", "Access-Control-Allow-Credentials": "true"}
        server = Server(reply(204, ALLOWED | fields), reply(401, {}))
        assert allowed(asked, server) == (OPERATIONAL, "allowed; GET without its credentials gives 401 Unauthorized")

    def test_without_anything_to_lack_a_401_that_is_not_shared_is_an_error(self) -> None:
        assert allowed(Asked(APP), Server(reply(204), reply(401, {})))[0] is ERROR

    @pytest.mark.parametrize(
        ("answers", "summary"),
        [
            ([SILENCE], "preflight: no answer within 10 s (headers)"),
            ([reply(204), SILENCE], "GET: no answer within 10 s (headers)"),
        ],
    )
    def test_silence_is_unreachable(self, answers: list[Outcome], summary: str) -> None:
        assert allowed(Asked(APP), Server(*answers)) == (UNREACHABLE, summary)


class TestRedirects:
    def test_within_the_origin_it_goes_on_as_the_same_page(self) -> None:
        server = Server(reply(204), onward("/b"), reply())
        assert allowed(Asked(APP), server) == (OPERATIONAL, "allowed")
        assert server.sent[-1] == ("GET", "https://api.example.com/b", APP)

    def test_what_is_not_simple_needs_a_preflight_at_each_place(self) -> None:
        fields = ALLOWED | {"Access-Control-Allow-Headers": "authorization"}
        server = Server(reply(204, fields), onward("/b"), reply(204, ALLOWED))
        told = "preflight: authorization not in Access-Control-Allow-Headers"
        assert allowed(Asked(APP, headers=("authorization",)), server) == (ERROR, told)
        assert server.sent[-1] == ("OPTIONS", "https://api.example.com/b", APP, "authorization")

    def test_the_redirect_itself_must_be_shared(self) -> None:
        server = Server(reply(204), reply(302, {"Location": "/b"}))
        assert allowed(Asked(APP), server) == (ERROR, "GET: no Access-Control-Allow-Origin")

    def test_at_another_port_the_page_has_no_name_and_no_authorization(self) -> None:
        fields = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "*, authorization"}
        server = Server(
            reply(204, fields), onward("https://api.example.com:8443/b"), reply(204, fields), reply(200, ALLOWED)
        )
        told = f"GET: Access-Control-Allow-Origin is {APP}"
        assert allowed(Asked(APP, headers=("authorization", "x-a")), server) == (ERROR, told)
        assert server.sent[0] == ("OPTIONS", API, APP, "authorization,x-a")
        assert server.sent[2:] == [
            ("OPTIONS", "https://api.example.com:8443/b", "null", "x-a"),
            ("GET", "https://api.example.com:8443/b", "null"),
        ]

    @pytest.mark.parametrize(
        ("to", "told"),
        [
            ("https://cdn.example.com/", "redirect to another host, cdn.example.com"),
            ("https://user:pw@api.example.com/", "redirect to an address with a user in it"),
            ("http://[::bad/", "redirect to an unreadable address"),
        ],
    )
    def test_where_it_is_not_followed_it_is_an_error(self, to: str, told: str) -> None:
        assert allowed(Asked(APP), Server(reply(204), onward(to))) == (ERROR, f"GET: 302 Found: {told}")

    def test_a_ring_of_them_ends(self) -> None:
        server = Server(reply(204), *[onward("/a")] * 6)
        assert allowed(Asked(APP), server) == (ERROR, "GET: 302 Found: more than 5 redirects")

    def test_one_that_leads_nowhere_is_an_answer(self) -> None:
        assert allowed(Asked(APP), Server(reply(204), reply(302))) == (OPERATIONAL, "allowed")


class TestVary:
    LACKS = (DEGRADED, "allowed, but GET lacks Vary: Origin: a cache may hand its answer to other origins")
    NAMED: Mapping[str, str] = {"Access-Control-Allow-Origin": APP}

    def test_an_answer_that_depends_on_the_origin_must_say_so(self) -> None:
        server = Server(reply(204), reply(200, self.NAMED), reply(200, {}))
        assert allowed(Asked(APP), server) == self.LACKS
        assert server.sent[-1] == ("GET", API, "-")

    def test_another_origin_for_those_without_one_is_dependence_too(self) -> None:
        other = {"Access-Control-Allow-Origin": "*"}
        assert allowed(Asked(APP), Server(reply(204), reply(200, self.NAMED), reply(200, other))) == self.LACKS

    def test_an_answer_that_is_the_same_for_everybody_needs_no_vary(self) -> None:
        server = Server(reply(204), reply(200, self.NAMED), reply(200, self.NAMED))
        assert allowed(Asked(APP), server) == (OPERATIONAL, "allowed")

    def test_where_that_cannot_be_told_nothing_is_said(self) -> None:
        assert allowed(Asked(APP), Server(reply(204), reply(200, self.NAMED), SILENCE)) == (OPERATIONAL, "allowed")

    @pytest.mark.parametrize("fields", [{"Vary": "Origin"}, {"Vary": "*"}, {"Cache-Control": "no-store"}])
    def test_what_caches_keep_apart_is_not_asked_again(self, fields: Mapping[str, str]) -> None:
        assert allowed(Asked(APP), Server(reply(204), reply(200, {**self.NAMED, **fields}))) == (OPERATIONAL, "allowed")

    def test_the_wildcard_needs_no_vary(self) -> None:
        wildcard = {"Access-Control-Allow-Origin": "*"}
        assert allowed(Asked(APP), Server(reply(204, wildcard), reply(200, wildcard))) == (OPERATIONAL, "allowed")


class TestTrial:
    EVIL = Asked("https://evil.example")
    ECHO: Mapping[str, str] = {"Access-Control-Allow-Origin": "https://evil.example"}

    def test_an_origin_that_is_refused_by_both_is_well(self) -> None:
        server = Server(reply(403, {}), reply(200, ALLOWED))
        assert refused(self.EVIL, server) == (OPERATIONAL, "refused")
        assert [one[0] for one in server.sent] == ["OPTIONS", "GET"]

    @pytest.mark.parametrize("let_in", ["*", "https://evil.example"])
    def test_either_answer_may_let_it_in(self, let_in: str) -> None:
        open_, shut = {"Access-Control-Allow-Origin": let_in}, ALLOWED
        told = f"gives Access-Control-Allow-Origin: {let_in}"
        assert refused(self.EVIL, Server(reply(204, open_), reply(200, shut))) == (
            ERROR,
            f"allowed, and must not be: preflight {told}",
        )
        assert refused(self.EVIL, Server(reply(204, shut), reply(200, open_))) == (
            ERROR,
            f"allowed, and must not be: GET {told}",
        )

    def test_the_wildcard_lets_nobody_in_with_credentials(self) -> None:
        wildcard = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Credentials": "true"}
        server = Server(reply(204, wildcard), reply(200, wildcard))
        assert refused(Asked("https://evil.example", credentials=True), server) == (OPERATIONAL, "refused")

    def test_a_preflight_that_is_no_2xx_permits_nothing(self) -> None:
        assert refused(self.EVIL, Server(reply(404, self.ECHO), reply(200, {}))) == (OPERATIONAL, "refused")

    def test_null_can_be_refused_too(self) -> None:
        null = {"Access-Control-Allow-Origin": "null"}
        assert refused(Asked("null"), Server(reply(204, null), reply(200, ALLOWED)))[0] is ERROR

    def test_what_could_change_something_is_never_sent(self) -> None:
        server = Server(reply(204, self.ECHO))
        assert refused(Asked("https://evil.example", "DELETE"), server)[0] is ERROR

    def test_silence_tells_nothing_but_an_answer_that_lets_in_does(self) -> None:
        assert refused(self.EVIL, Server(SILENCE)) == (UNREACHABLE, "preflight: no answer within 10 s (headers)")
        assert refused(self.EVIL, Server(reply(204, {}), SILENCE))[0] is UNREACHABLE
        assert refused(self.EVIL, Server(reply(204, self.ECHO), SILENCE))[0] is ERROR
