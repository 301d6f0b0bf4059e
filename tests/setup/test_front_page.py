"""What a page tells of its site."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pom_cli.setup.front_page import delivered_by_network, links, routes_to_try

URL = "https://www.example.com/"


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ('<a href="/pricing">', ["/pricing"]),
        ("<a href='/about/'>", ["/about/"]),
        ("<A HREF=/team>", ["/team"]),
        ('<a class="x" href = "https://www.example.com/jobs">', ["/jobs"]),
        ('<a href="//www.example.com/jobs">', ["/jobs"]),
        ('<a href="blog#top">', ["/blog"]),
        ('<a href="/a"><a href="/a/"><a href="/b">', ["/a", "/b"]),
        ('<a href="https://example.com/jobs">', []),  # another host
        ('<a href="http://www.example.com/jobs">', []),  # another origin
        ('<a href="https://www.example.com:8443/jobs">', []),
        ('<a href="/jobs?ref=1">', []),
        ('<a href="/blog/an-article">', []),
        ('<link href="/main.css"><a href="/price-list.pdf">', []),
        ('<a href="/sale-2026">', []),
        ('<a href="/logout"><a href="/Sign-Out"><a href="/cart"><a href="/delete-account">', []),
        ('<a href="mailto:me@example.com"><a href="javascript:alert(1)"><a href="#x"><a href="">', []),
        ('<a href="//[::bad/">', []),
        ("<a href=\"/a\x1b[2J'>", []),
        ("no links", []),
    ],
)
def test_the_sections_that_a_page_links_to(page: str, found: list[str]) -> None:
    assert list(links(page.encode(), URL)) == found


def test_only_the_first_few_links_are_taken() -> None:
    page = b"".join(b'<a href="/s%c">' % letter for letter in b"abcdefghij")
    assert list(links(page, URL)) == ["/sa", "/sb", "/sc", "/sd", "/se", "/sf"]


def test_own_path_and_the_front_page_come_first_and_nothing_twice() -> None:
    paths = routes_to_try(b'<a href="/docs/"><a href="/pricing">', URL, "/app/")
    assert paths == ("/app/", "/", "/login", "/docs", "/pricing", "/robots.txt", "/sitemap.xml", "/favicon.ico")
    assert routes_to_try(b"", URL, "") == ("/", "/login", "/docs", "/robots.txt", "/sitemap.xml", "/favicon.ico")


@given(
    st.binary(max_size=400) | st.text(max_size=200).map(lambda text: f'<a href="{text}">'.encode("utf-8", "replace"))
)
def test_whatever_a_page_holds_only_plain_paths_come_out(page: bytes) -> None:
    for path in links(page, URL):
        assert path.isascii() and path.isprintable() and path.startswith("/") and '"' not in path


@pytest.mark.parametrize(
    ("headers", "network"),
    [
        ([("Server", "cloudflare")], True),
        ([("CF-RAY", "8f-FRA")], True),
        ([("server", "AkamaiGHost")], True),
        ([("X-Amz-Cf-Id", "x")], True),
        ([("Server", "nginx"), ("Via", "1.1 caddy")], False),
        ([], False),
    ],
)
def test_a_delivery_network_is_known_by_its_headers(headers: list[tuple[str, str]], network: bool) -> None:
    assert delivered_by_network(headers) is network
