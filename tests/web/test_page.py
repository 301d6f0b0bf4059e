"""The status page at `/`, through the real server: there only where it is switched on, and tight."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import page_demo
import pytest
from api_server import ApiServer, database, load, see
from page_reader import Page

from pom_cli.model import ERROR, UNREACHABLE
from pom_cli.web.page import style as page_style

ATOM = "{http://www.w3.org/2005/Atom}"
TARGETS = """
[targets.shop]
label = "The shop"
url = "http://127.0.0.1:9/secret-path"
[targets.blog]
url = "http://127.0.0.1:9/blog"
[peers.astra]
url = "http://127.0.0.1:9"
"""
ON = f"[serve]\npage = true\nrate_limit = 0\n{TARGETS}"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiServer]:
    loaded = load(tmp_path, ON)
    see(loaded, "shop", UNREACHABLE, ms=None)
    see(loaded, "blog")
    with ApiServer(loaded) as running:
        yield running


def test_it_is_there_for_everybody_where_it_is_switched_on(api: ApiServer) -> None:
    reply = api.ask("/", token=None)
    assert (reply.status, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    found = Page(reply.body.decode())
    assert found.text_of("h1")[0].startswith("The shop unreachable since ")
    assert found.text_of("h3") == ["The shop", "blog"]
    assert found.text_of("p", "what") == ["The shop UnreachableDid not answer"]
    assert api.complaints == []


@pytest.mark.parametrize("toml", [TARGETS, f"[serve]\npage = false\n{TARGETS}"])
@pytest.mark.parametrize("token", [None, "right-token"])
def test_it_is_not_there_where_it_is_not(tmp_path: Path, toml: str, token: str | None) -> None:
    loaded = load(tmp_path, toml)
    see(loaded, "shop")
    with ApiServer(loaded) as api:
        reply = api.ask("/", token=token)
    assert (reply.status, reply.headers["content-type"]) == (404, "application/json")


def test_its_headers_let_it_do_nothing(api: ApiServer) -> None:
    headers = api.ask("/", token=None).headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "etag" not in headers
    directives = dict(one.split(" ", 1) for one in headers["content-security-policy"].split("; "))
    assert directives == {
        "default-src": "'none'",
        "style-src": directives["style-src"],
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert re.fullmatch(r"'sha256-[A-Za-z0-9+/]{43}='", directives["style-src"])


def test_the_rest_stays_closed_and_only_reading_is_spoken(api: ApiServer) -> None:
    for path in ("/api/status", "/api/incidents", "/metrics", "/index.html", "//", "/x"):
        assert api.ask(path, token=None).status == 401
    assert api.ask("/", token=None, method="POST").status == 405


def test_head_is_the_page_without_its_body(api: ApiServer) -> None:
    head = api.raw(b"HEAD / HTTP/1.0\r\nHost: pom\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 200 OK\r\n")
    assert head.endswith(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head)
    assert length and int(length[1]) > 5000


def test_a_wrong_token_sees_it_too(api: ApiServer) -> None:
    assert api.ask("/", token="wrong").status == 200


def test_its_feed_lists_incidents_and_announcements(tmp_path: Path) -> None:
    page = '[page]\ntitle = "Our <status>"\nannouncements = [{ at = %s, until = %s, text = "Upgrade & more" }]\n'
    loaded = load(tmp_path, ON + page % ("2026-01-01T20:00:00Z", "2199-01-01T22:00:00Z"))
    see(loaded, "shop", ERROR, ago="900s")
    see(loaded, "shop", ago="300s")
    see(loaded, "blog", UNREACHABLE, ms=None)
    with ApiServer(loaded) as api:
        reply, again = api.ask("/feed.xml", token=None), api.ask("/feed.xml", token=None)
    assert (reply.status, reply.headers["content-type"]) == (200, "application/atom+xml; charset=utf-8")
    feed = ElementTree.fromstring(reply.body)
    assert feed.findtext(f"{ATOM}title") == "Our <status>"
    titles = [one.findtext(f"{ATOM}title") for one in feed.iter(f"{ATOM}entry")]
    assert titles == [
        "blog: Did not answer", "Resolved: The shop: Answered with errors", "Announcement: Upgrade & more"
    ]  # fmt: skip
    ids = [one.text for one in feed.iter(f"{ATOM}id")]
    assert len(set(ids)) == 4
    assert ids == [one.text for one in ElementTree.fromstring(again.body).iter(f"{ATOM}id")]
    assert all(str(one.text) <= f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}" for one in feed.iter(f"{ATOM}updated"))
    assert not [word for word in ("secret", "127.0.0.1", "hetzner", "it is") if word in reply.body.decode()]


@pytest.mark.parametrize(("name", "told"), [("shop", "The shop: unreachable"), ("blog", "blog: operational")])
def test_a_badge_says_a_name_and_a_word(api: ApiServer, name: str, told: str) -> None:
    reply = api.ask(f"/badge/{name}.svg", token=None)
    assert (reply.status, reply.headers["content-type"]) == (200, "image/svg+xml")
    assert reply.headers["cross-origin-resource-policy"] == "cross-origin"
    assert reply.headers["cache-control"] == "no-store"
    assert ElementTree.fromstring(reply.body).get("aria-label") == told


def test_a_badge_of_what_is_not_there_names_nothing_that_is(api: ApiServer) -> None:
    for path in ("/badge/shpo.svg", "/badge/.svg", "/badge/%00.svg"):
        reply = api.ask(path, token=None)
        assert (reply.status, reply.json()) == (404, {"error": "there is nothing here"})


@pytest.mark.parametrize("path", ["/feed.xml", "/badge/shop.svg"])
def test_feed_and_badges_are_only_where_the_page_is(tmp_path: Path, path: str) -> None:
    with ApiServer(load(tmp_path, TARGETS)) as api:
        assert api.ask(path, token=None).status == 401
        assert api.ask(path).status == 404


def test_a_database_that_cannot_be_read_is_told_of_without_its_path(tmp_path: Path) -> None:
    loaded = load(tmp_path, ON)
    database(loaded).parent.mkdir()
    database(loaded).write_bytes(b"this is no database at all" * 100)
    with ApiServer(loaded) as api:
        reply = api.ask("/", token=None)
        assert (reply.status, reply.headers["content-type"]) == (503, "text/html; charset=utf-8")
        assert reply.headers["content-security-policy"] == dict(page_style.headers())["Content-Security-Policy"]
        assert Page(reply.body.decode()).text_of("h1") == ["Status is currently unavailable"]
        assert str(tmp_path).encode() not in reply.body
        assert b"pom.db" not in reply.body
        for path in ("/feed.xml", "/badge/shop.svg"):
            reply = api.ask(path, token=None)
            assert (reply.status, reply.json()) == (503, {"error": "the status is currently unavailable"})


def test_before_the_first_check_it_says_that(tmp_path: Path) -> None:
    with ApiServer(load(tmp_path, ON)) as api:
        reply = api.ask("/", token=None)
    assert reply.status == 200
    assert Page(reply.body.decode()).text_of("h1") == ["No system has been checked yet"]


@pytest.mark.slow
def test_a_month_of_history_shows_names_and_no_more(tmp_path: Path) -> None:
    loaded = page_demo.build(tmp_path, now=datetime.now(UTC))
    with ApiServer(loaded) as api:
        body = api.ask("/", token=None).body.decode()
    assert not [secret for secret in page_demo.SECRETS if secret in body]
    found = Page(body)
    assert found.text_of("h1")[0].startswith("storefront unreachable since ")
    assert len(found.text_of("p", "what")) == 8
