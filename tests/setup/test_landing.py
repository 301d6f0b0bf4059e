"""Where a URL leads."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from certificates import issue
from named_servers import name_servers
from web_server import CLOSE, HANG, WebServer, answer, redirect

from pom_cli.net.deadline import Deadline
from pom_cli.net.faults import Fault
from pom_cli.setup.landing import Landing, land


@pytest.fixture
def web() -> Iterator[WebServer]:
    """What answers at port 80."""
    with WebServer() as server:
        yield server


@pytest.fixture
def secure() -> Iterator[WebServer]:
    """What answers at port 443; nobody trusts it."""
    with WebServer(tls=issue(None, "shop.test", ("shop.test", "www.shop.test"))) as server:
        yield server


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch, web: WebServer, secure: WebServer) -> None:
    hosts = ("shop.test", "www.shop.test", "id.shop.test", "other.test", "xn--bcher-kva.test")
    plain, tls = {(host, 80): web.port for host in hosts}, {(host, 443): secure.port for host in hosts}
    name_servers(monkeypatch, {**plain, **tls})


def landed(url: str) -> Landing:
    return land(url, Deadline.after(20))


def status(landing: Landing) -> int:
    assert landing.answer
    return landing.answer.status


def test_a_url_that_answers_is_the_one_to_watch(web: WebServer) -> None:
    web.on("/", answer(200))
    landing = landed("http://shop.test")
    assert (landing.url, status(landing), landing.verify, landing.good) == ("http://shop.test", 200, True, True)
    assert web.paths() == ["/"]


def test_so_is_one_whose_path_alone_leads_to_another(web: WebServer) -> None:
    web.on("/", redirect("/en/"))
    web.on("/en/", answer(200))
    landing = landed("http://shop.test")
    assert (landing.url, status(landing)) == ("http://shop.test", 200)


@pytest.mark.parametrize(
    ("typed", "url"), [("http://shop.test", ""), ("http://shop.test/", "/"), ("http://shop.test/a?b=1", "/a?b=1")]
)
def test_the_upgrade_to_https_is_gone_along_with(typed: str, url: str, web: WebServer, secure: WebServer) -> None:
    path = url or "/"
    web.on(path, redirect(f"https://shop.test{path}", 301))
    secure.on(path, answer(200))
    landing = landed(typed)
    assert (landing.url, status(landing), landing.verify) == (f"https://shop.test{url}", 200, False)


def test_so_is_the_way_to_www_over_several_steps(web: WebServer, secure: WebServer) -> None:
    web.on("/", redirect("https://shop.test/", 301))
    secure.on("/", redirect("https://www.shop.test/", 301), answer(200))
    assert landed("http://shop.test").url == "https://www.shop.test"


def test_and_the_way_from_www_or_to_another_name_of_the_domain(web: WebServer) -> None:
    web.on("/", redirect("http://shop.test/"), answer(200))
    assert landed("http://www.shop.test/").url == "http://shop.test/"
    web.on("/", redirect("http://id.shop.test/"), answer(200))
    assert landed("http://shop.test/").url == "http://id.shop.test/"


def test_where_the_path_is_nothing_at_the_new_place_the_end_counts(web: WebServer, secure: WebServer) -> None:
    web.on("/old", redirect("https://www.shop.test/new?x=1"))
    secure.on("/old", answer(404))
    secure.on("/new?x=1", answer(200))
    assert landed("http://shop.test/old").url == "https://www.shop.test/new?x=1"


def test_what_leads_to_another_site_is_not_followed(web: WebServer) -> None:
    web.on("/", redirect("http://other.test/login"))
    landing = landed("http://shop.test")
    assert (landing.url, status(landing)) == ("http://shop.test", 302)
    assert landing.answer and landing.answer.unfollowed == "redirect to another host, other.test"


@pytest.mark.parametrize(
    "location",
    [
        "http://www.shop.test/",  # down from https
        "https://[::bad/",
        'https://www.shop.test/"\n[targets.evil]',
        "https://www.shop.test/a%22%0ab<c>",
        "ftp://www.shop.test/",
        "https://www.shop.test.evil.test/",
        "",
    ],
)
def test_a_bad_way_is_not_gone(location: str, secure: WebServer) -> None:
    secure.on("/", redirect(location.replace("\n", "\\n")), answer(200))
    landing = landed("https://shop.test")
    assert landing.url in ("https://shop.test", "https://www.shop.test", "https://www.shop.test/a%22%0ab%3Cc%3E")
    assert '"' not in landing.url


def test_no_user_and_no_password_of_a_redirect_come_along(web: WebServer) -> None:
    web.on("/", redirect("http://me:secret@www.shop.test/"), answer(200))
    assert landed("http://shop.test").url == "http://www.shop.test"


def test_a_name_beyond_ascii_is_left_as_it_was_given_unless_it_moves(web: WebServer, secure: WebServer) -> None:
    web.on("/", answer(200))
    assert landed("http://bücher.test").url == "http://bücher.test"
    web.on("/", redirect("https://xn--bcher-kva.test/"))
    secure.on("/", answer(200))
    assert landed("http://bücher.test").url == "https://xn--bcher-kva.test"


def test_who_leads_in_circles_leads_nowhere(web: WebServer) -> None:
    there, back = redirect("http://www.shop.test/"), redirect("http://shop.test/")
    web.on("/", *[there, back] * 5)
    landing = landed("http://shop.test")
    assert landing.url == "http://shop.test"
    assert landing.answer and landing.answer.unfollowed == "more than 5 redirects"


def test_silence_behind_a_redirect_is_silence(web: WebServer, secure: WebServer) -> None:
    web.on("/", redirect("https://www.shop.test/"))
    secure.on("/", [CLOSE])
    landing = landed("http://shop.test")
    assert landing.url == "http://shop.test"
    assert isinstance(landing.outcome, Fault) and landing.outcome.reason == "connection closed without an answer"


@pytest.mark.parametrize(("script", "reason"), [([HANG], "no answer within 0.5 s"), ([b"\x00"], "no HTTP")])
def test_who_does_not_answer_in_time_or_speaks_no_http_is_told_of(
    script: list[object], reason: str, web: WebServer
) -> None:
    web.on("/", [*script, *([] if script == [HANG] else [b"\r\n\r\n"])])  # type: ignore[list-item]
    landing = land("http://shop.test", Deadline.after(0.5))
    assert isinstance(landing.outcome, Fault) and landing.outcome.reason.startswith(reason)
