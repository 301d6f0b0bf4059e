import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pom_cli.checks.cors.rules import (
    Asked,
    is_origin,
    listed,
    may_set,
    preflight_fields,
    preflight_refusal,
    refusal,
    value,
    varies,
)
from pom_cli.net.exchange import Answer

APP = "https://app.example.com"
ALLOW = "Access-Control-Allow-"
TOKENS = st.text(string.ascii_letters + string.digits + "-_*", min_size=1)


def preflight(status: int = 204, **fields: str) -> Answer:
    """A preflight's answer; `origin="*"` stands for Access-Control-Allow-Origin."""
    headers = [(ALLOW + name.title(), text) for name, text in fields.items()]
    return Answer(status, "", headers, b"", "https://api.example.com/", "192.0.2.1", 1, 1, 1, 1, 1)


class TestPreflightFields:
    @pytest.mark.parametrize(
        ("headers", "sent"),
        [
            ((), None),
            (("authorization",), "authorization"),
            (("x-b", "authorization", "x-a", "x-b"), "authorization,x-a,x-b"),
            (("accept", "accept-language", "content-language"), None),
            (("content-type", "accept"), "content-type"),
        ],
    )
    def test_headers_are_named_sorted_each_once_without_spaces_and_only_where_they_need_permission(
        self, headers: tuple[str, ...], sent: str | None
    ) -> None:
        fields = preflight_fields(Asked(APP, "PUT", headers))
        assert fields.pop("Access-Control-Request-Headers", None) == sent
        assert fields == {"Origin": APP, "Access-Control-Request-Method": "PUT"}

    @pytest.mark.parametrize(
        ("method", "headers", "simple"),
        [
            ("GET", (), True),
            ("HEAD", ("accept",), True),
            ("POST", (), True),
            ("PUT", (), False),
            ("GET", ("x-a",), False),
            ("POST", ("content-type",), False),
        ],
    )
    def test_what_a_form_could_send_needs_no_preflight(
        self, method: str, headers: tuple[str, ...], simple: bool
    ) -> None:
        assert Asked(APP, method, headers).simple is simple


class TestCorsCheck:
    """The table of the Fetch standard, "CORS protocol and credentials", and what surrounds it."""

    @pytest.mark.parametrize(
        ("origin", "credentials", "reason"),
        [
            ("*", None, None),
            ("*", "true", None),
            (f"{APP}/", None, f"Access-Control-Allow-Origin is {APP}/, not exactly the origin"),
            (APP, None, None),
            (APP, "whatever", None),
            (f" {APP}\t", None, None),
            (None, None, "no Access-Control-Allow-Origin"),
            ("", None, "Access-Control-Allow-Origin is empty"),
            ("null", None, "Access-Control-Allow-Origin is null"),
            (APP.upper(), None, f"Access-Control-Allow-Origin is {APP.upper()}, not exactly the origin"),
            ("http://app.example.com", None, "Access-Control-Allow-Origin is http://app.example.com"),
            ("https://other.example.com", None, "Access-Control-Allow-Origin is https://other.example.com"),
            (f"{APP}:443", None, f"Access-Control-Allow-Origin is {APP}:443"),
            ("app.example.com", None, "Access-Control-Allow-Origin is app.example.com"),
            (f"{APP}, {APP}", None, f"Access-Control-Allow-Origin is {APP}, {APP}, which is more than one"),
            (f"*, {APP}", None, f"Access-Control-Allow-Origin is *, {APP}, which is more than one"),
            (f"{APP} https://b.example", None, f"Access-Control-Allow-Origin is {APP} https://b.example"),
            ("https://*.example.com", None, "Access-Control-Allow-Origin is https://*.example.com"),
        ],
    )
    def test_without_credentials(self, origin: str | None, credentials: str | None, reason: str | None) -> None:
        assert refusal(fields(origin=origin, credentials=credentials), Asked(APP)) == reason

    @pytest.mark.parametrize(
        ("origin", "credentials", "reason"),
        [
            (APP, "true", None),
            (APP, " true ", None),
            ("*", "true", "Access-Control-Allow-Origin is *, which is void with credentials"),
            ("*", None, "Access-Control-Allow-Origin is *, which is void with credentials"),
            (APP, None, "no Access-Control-Allow-Credentials"),
            (APP, "True", "Access-Control-Allow-Credentials is True, not true"),
            (APP, "false", "Access-Control-Allow-Credentials is false, not true"),
            (APP, "true, true", "Access-Control-Allow-Credentials is true, true, not true"),
            (None, "true", "no Access-Control-Allow-Origin"),
            ("https://b.example", "true", "Access-Control-Allow-Origin is https://b.example"),
        ],
    )
    def test_with_credentials(self, origin: str | None, credentials: str | None, reason: str | None) -> None:
        assert refusal(fields(origin=origin, credentials=credentials), Asked(APP, credentials=True)) == reason

    def test_two_headers_are_more_than_one_value_even_where_they_agree(self) -> None:
        twice = [("Access-Control-Allow-Origin", APP), ("access-control-allow-origin", APP)]
        assert refusal(twice, Asked(APP)) == f"Access-Control-Allow-Origin is {APP}, {APP}, which is more than one"

    def test_a_page_without_an_origin_of_its_own_is_let_in_by_that_word(self) -> None:
        assert refusal(fields(origin="null"), Asked("null")) is None
        assert refusal(fields(origin="NULL"), Asked("null")) is not None

    @given(st.text(), st.booleans())
    def test_nothing_but_the_origin_and_the_wildcard_ever_lets_in(self, text: str, credentials: bool) -> None:
        let_in = refusal(fields(origin=text, credentials="true"), Asked(APP, credentials=credentials)) is None
        assert let_in is (text.strip(" \t\r\n") == APP or (text.strip(" \t\r\n") == "*" and not credentials))


def fields(**found: str | None) -> list[tuple[str, str]]:
    return [(ALLOW + name.title(), text) for name, text in found.items() if text is not None]


class TestPreflight:
    @pytest.mark.parametrize(
        ("status", "reason"),
        [
            (200, None),
            (204, None),
            (299, None),
            (300, "300 Multiple Choices"),
            (301, "301 Moved Permanently, and a preflight follows no redirect"),
            (307, "307 Temporary Redirect, and a preflight follows no redirect"),
            (304, "304 Not Modified"),
            (401, "401 Unauthorized"),
            (404, "404 Not Found"),
            (405, "405 Method Not Allowed"),
            (502, "502 Bad Gateway"),
        ],
    )
    def test_its_status_must_be_a_2xx(self, status: int, reason: str | None) -> None:
        assert preflight_refusal(preflight(status, origin=APP), Asked(APP)) == reason

    @pytest.mark.parametrize(
        ("method", "allowed", "credentials", "reason"),
        [
            ("GET", None, False, None),
            ("HEAD", "PUT", True, None),
            ("POST", "", False, None),
            ("PUT", "PUT", False, None),
            ("PUT", "GET, PUT", True, None),
            ("PUT", ",PUT,,", False, None),
            ("PUT", "GET\t,\tPUT ", False, None),
            ("PUT", "*", False, None),
            ("PUT", "GET, *", False, None),
            ("PUT", "*", True, "PUT is not in Access-Control-Allow-Methods (*)"),
            ("PUT", None, False, "PUT is not in Access-Control-Allow-Methods"),
            ("PUT", "", False, "PUT is not in Access-Control-Allow-Methods"),
            ("PUT", "put", False, "PUT is not in Access-Control-Allow-Methods (put)"),
            ("DELETE", "GET, PUT", False, "DELETE is not in Access-Control-Allow-Methods (GET, PUT)"),
            ("PUT", "GET PUT", False, "Access-Control-Allow-Methods cannot be read: GET PUT"),
            ("GET", "GET; PUT", False, "Access-Control-Allow-Methods cannot be read: GET; PUT"),
            ("PUT", '"PUT"', False, 'Access-Control-Allow-Methods cannot be read: "PUT"'),
        ],
    )
    def test_its_methods(self, method: str, allowed: str | None, credentials: bool, reason: str | None) -> None:
        found = {"origin": APP, "credentials": "true"} | ({} if allowed is None else {"methods": allowed})
        assert preflight_refusal(preflight(**found), Asked(APP, method, (), credentials)) == reason

    @pytest.mark.parametrize(
        ("headers", "allowed", "credentials", "reason"),
        [
            ((), None, False, None),
            (("accept",), None, False, None),
            (("x-a",), "X-A", False, None),
            (("x-a", "x-b"), "x-b , x-a", True, None),
            (("x-a",), "*", False, None),
            (("content-type",), "*", False, None),
            (("authorization",), "Authorization", False, None),
            (("authorization", "x-a"), "*, authorization", False, None),
            (("x-a",), None, False, "x-a not in Access-Control-Allow-Headers"),
            (("x-a",), "x-b", False, "x-a not in Access-Control-Allow-Headers (x-b)"),
            (("x-a",), "*", True, "x-a not in Access-Control-Allow-Headers (*)"),
            (("authorization",), "*", False, "authorization not in Access-Control-Allow-Headers (*)"),
            (("authorization", "x-a"), "x-a", False, "authorization not in Access-Control-Allow-Headers (x-a)"),
            (("x-b", "x-a"), "x-c", False, "x-a, x-b not in Access-Control-Allow-Headers (x-c)"),
            (("content-type",), "", False, "content-type not in Access-Control-Allow-Headers"),
            (("x-a",), "x-a x-b", False, "Access-Control-Allow-Headers cannot be read: x-a x-b"),
        ],
    )
    def test_its_headers(
        self, headers: tuple[str, ...], allowed: str | None, credentials: bool, reason: str | None
    ) -> None:
        found = {"origin": APP, "credentials": "true"} | ({} if allowed is None else {"headers": allowed})
        assert preflight_refusal(preflight(**found), Asked(APP, "GET", headers, credentials)) == reason

    def test_the_first_reason_is_the_one_that_is_told(self) -> None:
        asked = Asked(APP, "PUT", ("x-a",))
        assert preflight_refusal(preflight(500), asked) == "500 Internal Server Error"
        assert preflight_refusal(preflight(200), asked) == "no Access-Control-Allow-Origin"
        assert preflight_refusal(preflight(200, origin="*"), asked) == "PUT is not in Access-Control-Allow-Methods"

    @given(st.lists(TOKENS), TOKENS.filter(lambda name: name.lower() not in ("accept", "authorization")))
    def test_a_header_is_allowed_exactly_where_it_or_the_wildcard_is_listed(self, names: list[str], name: str) -> None:
        answer = preflight(origin="*", headers=", ".join(names))
        allowed = name.lower() in [one.lower() for one in names] or "*" in names
        assert (preflight_refusal(answer, Asked(APP, headers=(name.lower(),))) is None) is allowed


class TestHeaders:
    @pytest.mark.parametrize(
        ("found", "result"),
        [
            ([("Vary", "Origin")], True),
            ([("vary", "accept-encoding, ORIGIN")], True),
            ([("Vary", "Accept"), ("Vary", "Origin")], True),
            ([("Vary", "*")], True),
            ([("Vary", "Accept-Encoding")], False),
            ([("Vary", "X-Origin")], False),
            ([("Vary", "")], False),
            ([], False),
            ([("Cache-Control", "no-store")], True),
            ([("Cache-Control", "max-age=0, No-Store")], True),
            ([("Cache-Control", "no-cache, private")], False),
        ],
    )
    def test_caches_keep_an_answer_apart_by_vary_or_not_at_all(
        self, found: list[tuple[str, str]], result: bool
    ) -> None:
        assert varies(found) is result

    def test_a_value_is_joined_as_browsers_join_it(self) -> None:
        assert value([("A", " 1 "), ("b", "2"), ("a", "3\t")], "a") == "1, 3"
        assert value([("A", "")], "a") == ""
        assert value([], "a") is None

    @given(st.lists(TOKENS))
    def test_a_list_is_read_whether_in_one_line_or_in_many(self, members: list[str]) -> None:
        assert listed([("a", " ,\t".join(members))], "A") == tuple(members)
        assert listed([("a", member) for member in members], "A") == tuple(members)


class TestConfig:
    @pytest.mark.parametrize(
        "text",
        [
            "https://app.example.com",
            "http://localhost:3000",
            "https://app.example.com:8443",
            "http://127.0.0.1:8080",
            "https://[2001:db8::1]:8443",
            "https://xn--caf-dma.example",
            "capacitor://localhost",
            "chrome-extension://abcdefghijklmnop",
            "https://example.com:80",
            "null",
        ],
    )
    def test_origins_as_browsers_write_them(self, text: str) -> None:
        assert is_origin(text)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "*",
            "app.example.com",
            "https://app.example.com/",
            "https://app.example.com/path",
            "https://App.example.com",
            "HTTPS://app.example.com",
            "https://app.example.com:443",
            "http://app.example.com:80",
            "https://app.example.com:",
            "https://app.example.com:0",
            "https://app.example.com:65536",
            "https://user@app.example.com",
            "https://café.example",
            "https://a b",
            "https://a\r\nX: y",
            "https://a, https://b",
            "https://*.example.com",
            "NULL",
        ],
    )
    def test_what_no_browser_ever_sends_as_an_origin(self, text: str) -> None:
        assert not is_origin(text)

    @pytest.mark.parametrize(
        ("header", "result"),
        [
            ("authorization", True),
            ("X-Api-Key", True),
            ("content-type", True),
            ("range", True),
            ("Cookie", False),
            ("Origin", False),
            ("host", False),
            ("Sec-Fetch-Mode", False),
            ("proxy-authorization", False),
            ("", False),
            ("x y", False),
            ("x:y", False),
            ("x\n", False),
        ],
    )
    def test_headers_that_a_page_may_set(self, header: Any, result: bool) -> None:
        assert may_set(header) is result
