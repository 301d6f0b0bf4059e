from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pom_cli.net import cookies
from pom_cli.net.exchange import Answer, Origin
from pom_cli.net.redirects import Policy, Trail, follow, keep_https, place

NOW = datetime(2026, 11, 24, 6, 40, tzinfo=UTC)


class TestPlace:
    @pytest.mark.parametrize(
        ("url", "origin", "path"),
        [
            ("http://shop.example.com", Origin("http", "shop.example.com", 80), "/"),
            ("https://Shop.Example.com/", Origin("https", "shop.example.com", 443), "/"),
            ("https://shop.example.com:8443/a?b=c", Origin("https", "shop.example.com", 8443), "/a?b=c"),
            ("https://shop.example.com?b=c", Origin("https", "shop.example.com", 443), "/?b=c"),
            ("https://shop.example.com/#top", Origin("https", "shop.example.com", 443), "/"),
            ("http://[2001:db8::1]:8080/", Origin("http", "2001:db8::1", 8080), "/"),
            ("https://bücher.example.com/", Origin("https", "xn--bcher-kva.example.com", 443), "/"),
            ("https://shop.example.com/käse?ö=ü", Origin("https", "shop.example.com", 443), "/k%C3%A4se?%C3%B6=%C3%BC"),
            ("https://shop.example.com/a b", Origin("https", "shop.example.com", 443), "/a%20b"),
            ("https://shop.example.com/a%20b", Origin("https", "shop.example.com", 443), "/a%20b"),
            ("https://shop.example.com/é%20b", Origin("https", "shop.example.com", 443), "/%C3%A9%20b"),
        ],
    )
    def test_a_url_leads_to_an_origin_and_a_path_as_sent(self, url: str, origin: Origin, path: str) -> None:
        assert place(url) == (origin, path)

    @pytest.mark.parametrize(
        "url",
        [
            "http://[::bad/",
            "http://shop.example.com:port/",
            "http://shop.example.com:99999/",
            "http:///path",
            "ftp://shop.example.com/",
            "javascript:alert(1)",
            "shop.example.com",
            "http://" + "ä" * 80 + ".example.com/",
            "http://shop .example.com/",
        ],
    )
    def test_what_is_no_http_url_is_refused(self, url: str) -> None:
        with pytest.raises(ValueError):
            place(url)

    @given(st.text(st.characters(exclude_categories=["Cs"])))
    def test_a_path_as_sent_is_one_word_of_ascii(self, text: str) -> None:
        _, path = place("http://shop.example.com/" + text.replace("//", "/"))
        assert path.startswith("/")
        assert all("!" <= letter <= "~" for letter in path)


def redirected(url: str, location: str, *more: tuple[str, str], **trail: Any) -> Trail | str | None:
    fields = [("Location", location), *more]
    return follow(Trail(url, **trail), Answer(302, "Found", fields, b"", url, "192.0.2.1", 0, 0, None, 0, 0))


@pytest.mark.parametrize(
    ("url", "location", "onward"),
    [
        ("http://a.example.com/x/y", "z", "http://a.example.com/x/z"),
        ("http://a.example.com/x", "https://a.example.com/x", "https://a.example.com/x"),
        ("http://a.example.com/x", "https://a.example.com./x", "https://a.example.com./x"),
        ("http://a.example.com/x", "https://A.Example.com:8443/", "https://a.example.com:8443/"),
        ("http://a.example.com/x", "?q=1", "http://a.example.com/x?q=1"),
        ("http://a.example.com/x", "https://user:word@a.example.com/#top", "https://a.example.com/"),
        ("http://bücher.example.com/", "https://xn--bcher-kva.example.com/", "https://xn--bcher-kva.example.com/"),
        ("http://[2001:db8::1]:80/", "https://[2001:db8::1]/", "https://[2001:db8::1]/"),
    ],
)
def test_a_redirect_leads_on_within_its_host(url: str, location: str, onward: str) -> None:
    step = redirected(url, location)
    assert isinstance(step, Trail)
    assert (step.url, step.hops) == (onward, 1)


@given(st.text(st.characters(max_codepoint=255)))
def test_no_location_makes_it_fail(location: str) -> None:
    step = redirected("http://a.example.com/", location)
    assert isinstance(step, str) or (step and place(step.url))


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        ("https://a.example.com/x", "/y", True),
        ("https://a.example.com/x", "https://a.example.com:443/y", True),
        ("https://a.example.com/x", "https://a.example.com:8443/y", False),  # curl 7.83: host, port and scheme
        ("http://a.example.com/x", "https://a.example.com/x", False),
        ("https://a.example.com/x", "https://a.example.com./x", False),
    ],
)
def test_what_may_be_secret_goes_to_its_own_origin_alone(before: str, after: str, kept: bool) -> None:
    headers = {"Authorization": "x", "X-Api-Key": "k", "Host": "b.example.com", "User-Agent": "probe", "accept": "*/*"}
    step = redirected(before, after, headers=headers)
    assert isinstance(step, Trail)
    assert step.headers == (headers if kept else {"User-Agent": "probe", "accept": "*/*"})


def test_a_policy_says_which_steps_are_taken() -> None:
    down = ("https://a.example.com/", "http://b.example.com/")
    assert redirected(*down) == "redirect to another host, b.example.com"
    assert redirected(*down, policy=Policy(obstacle=keep_https)) == "redirected from https to http"
    step = redirected(*down, policy=Policy(obstacle=lambda before, after: None))
    assert isinstance(step, Trail)
    assert step.downgraded
    assert redirected(*down, policy=Policy(final=(302,))) is None


# RFC 6265, sections 5.1.3, 5.1.4, 5.3 and 5.4; what browsers refuse besides, of RFC 6265bis, section 5.7.
@pytest.mark.parametrize(
    ("set_there", "asked", "sent"),
    [
        ("a=1", "https://a.example.com/x/", "a=1"),
        ("a=1", "https://a.example.com/", ""),  # it was set at /x/y: the default path is /x
        ("a=1", "https://a.example.com/xy", ""),
        ("a=1; Path=/", "https://a.example.com/", "a=1"),
        ("a=1; path=nothing", "https://a.example.com/x/z?q=1", "a=1"),
        ("a=1; Path=/", "https://b.a.example.com/", ""),
        ("a=1; Path=/; Domain=example.com", "https://b.example.com/", "a=1"),
        ("a=1; Path=/; Domain=.Example.com", "https://example.com/", "a=1"),
        ("a=1; Path=/; Domain=example.com", "https://badexample.com/", ""),
        ("a=1; Path=/; Domain=com", "https://a.example.com/", ""),
        ("a=1; Path=/; Domain=other.com", "https://a.example.com/", ""),
        ("a=1; Path=/; Secure", "http://a.example.com/", ""),
        ("a=1; Path=/; Secure", "https://a.example.com:8443/", "a=1"),  # cookies do not know ports
        ("a=1; Path=/; Max-Age=60", "http://a.example.com/", "a=1"),
        ("a=1; Path=/; Max-Age=0", "https://a.example.com/", ""),
        ("a=1; Path=/; Expires=Thu, 01-Jan-1970 00:00:00 GMT", "https://a.example.com/", ""),
        ("a=1; Path=/; Expires=Thu, 01 Jan 2037 00:00:00 GMT", "https://a.example.com/", "a=1"),
        ("a = b=c ; Path=/", "https://a.example.com/", "a=b=c"),
        ("a=1\r\nX: y; Path=/", "https://a.example.com/", ""),
        ("a; Path=/", "https://a.example.com/", ""),
        ("=1; Path=/", "https://a.example.com/", ""),
    ],
)
def test_a_cookie_goes_where_it_belongs(set_there: str, asked: str, sent: str) -> None:
    jar = cookies.collect((), [set_there], "https", "a.example.com", "/x/y?q=1", NOW)
    origin, path = place(asked)
    assert cookies.field(jar, origin.scheme, origin.host, path) == sent


def test_a_cookie_replaces_and_deletes_its_namesake() -> None:
    jar = cookies.collect((), ["a=1; Path=/", "a=2; Path=/", "b=1; Path=/x", "c=1"], "http", "a.example.com", "/x", NOW)
    assert cookies.field(jar, "http", "a.example.com", "/x") == "b=1; a=2; c=1"
    jar = cookies.collect(jar, ["a=; Path=/; Max-Age=-1"], "http", "a.example.com", "/x", NOW)
    assert cookies.field(jar, "http", "a.example.com", "/x") == "b=1; c=1"


def test_an_address_has_no_domain() -> None:
    jar = cookies.collect((), ["a=1; Domain=0.0.1", "b=2; Domain=127.0.0.1"], "http", "127.0.0.1", "/", NOW)
    assert cookies.field(jar, "http", "127.0.0.1", "/") == "b=2"


@given(st.text(st.characters(max_codepoint=255)))
def test_no_cookie_makes_a_request_fail(text: str) -> None:
    jar = cookies.collect((), [text], "http", "a.example.com", "/", NOW)
    assert not set("\r\n\0") & set(cookies.field(jar, "http", "a.example.com", "/"))
