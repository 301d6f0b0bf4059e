"""What real servers on loopback are found to be, and that the config which follows is green against them."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from certificates import authority, issue
from dns_server import closed_port, dns_server, zone
from named_servers import name_servers
from web_server import HANG, WebServer, answer, drip, endless, head, json, redirect

from pom_cli import config
from pom_cli import jobs as looks
from pom_cli.checks import KINDS, whois
from pom_cli.checks.dns import servers as dns_servers
from pom_cli.checks.whois.answer import Ending, Observation, RegistryAnswer
from pom_cli.model import Status
from pom_cli.net import net
from pom_cli.setup import site as discovery
from pom_cli.setup.first_config import first_config, site_line
from pom_cli.setup.proposals import Found
from pom_cli.setup.site import discover

PAGE = '<html><a href="/pricing">Pricing</a> <a href="/blog/2026/x">news</a> <a href="/gone">x</a>' + "x" * 3000


@pytest.fixture(autouse=True)
def no_system_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    place = ("127.0.0.1", closed_port())
    monkeypatch.setattr(dns_servers, "system_resolvers", lambda: (place,))
    monkeypatch.setattr("pom_cli.checks.dns.system_resolvers", lambda: (place,))
    monkeypatch.setattr("pom_cli.setup.dns_proposals.system_resolvers", lambda: (place,))


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer() as server:
        server.on("/", answer(200, PAGE))
        yield server


def one(url: str, **more: Any) -> Found:
    [found] = discover([url], datetime.now(UTC), **more)
    return found


def settings(found: Found) -> dict[str, Any]:
    """What the config will say, by kind; nothing for what stays at its default."""
    return {kind: each.settings for kind, each in found.kinds.items() if each.settings not in (None, {})}


def checked(tmp_path: Path, *found: Found, resolvers: tuple[str, ...] = ()) -> dict[str, Status]:
    """The statuses of the first check by the config that these sites get, by target, kind and subject."""
    text = first_config(
        {f"t{number}": site for number, site in enumerate(found)}, "here", "/data", datetime.now(UTC).date()
    )
    text = text.replace("[instance]\n", f"[instance]\nresolvers = {list(resolvers)}\n", 1)
    loaded = config.parse(text, tmp_path / "pom.toml", {"HOME": str(tmp_path)})
    jobs = [_hasty(job) for job in looks.jobs_of(loaded.targets.values(), KINDS)]
    now = datetime.now(UTC)
    return {
        f"{look[0].target.name} {look[0].kind} {finding.subject}".strip(): finding.status
        for look in looks.look(jobs)
        for finding in looks.judge(look, {}, now)
    }


def _hasty(job: looks.Job) -> looks.Job:
    """Without the pause before a bad answer is asked again."""
    if job.kind not in ("health", "routes"):
        return job
    settings = job.check.settings
    return replace(
        job, check=replace(job.check, settings=replace(settings, client=replace(settings.client, pause_s=0)))
    )


def green(statuses: dict[str, Status]) -> list[str]:
    """The subjects, all of them operational."""
    assert set(statuses.values()) == {Status.OPERATIONAL}, statuses
    return list(statuses)


def test_a_site_with_a_health_path_and_routes(web: WebServer, tmp_path: Path) -> None:
    web.on("/healthz", json('{"status": "ok", "version": 3}'))
    web.on("/pricing", answer(200))
    web.on("/login", redirect("/sso"))
    web.on("/robots.txt", answer(200, "User-agent: *"))
    found = one(web.url())
    assert settings(found) == {
        "health": {"path": "/healthz", "expect": {"status": "ok"}},
        "routes": {"paths": ["/", "/pricing", "/robots.txt"]},
    }
    assert site_line("shop", found) == f"shop {web.url()}: health at /healthz, 3 routes"
    assert green(checked(tmp_path, found)) == [
        "t0 health",
        "t0 routes /",
        "t0 routes /pricing",
        "t0 routes /robots.txt",
    ]


def test_a_site_is_asked_politely_one_request_after_another(web: WebServer) -> None:
    one(web.url())
    assert web.connections <= 4
    assert len(web.requests) <= 20
    assert web.paths()[0] == "/"
    assert re.fullmatch("/[0-9a-f]{16}", web.paths()[1])
    assert {request.method for request in web.requests} == {"GET"}


def test_a_site_that_answers_200_to_everything_has_neither_health_path_nor_routes(
    web: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "_scripts", _Everything(answer(200, PAGE)))
    found = one(web.url())
    assert settings(found) == {}
    assert green(checked(tmp_path, found)) == ["t0 health"]


class _Everything(dict[str, Any]):
    """The same script for every path."""

    def __init__(self, script: Any) -> None:
        super().__init__()
        self.script = script

    def get(self, key: str, default: Any = None) -> Any:
        return [self.script]


def test_the_health_of_a_url_that_is_a_health_path_itself_is_its_own(web: WebServer, tmp_path: Path) -> None:
    web.on("/api/v2/state", json('{"status": "UP"}'))
    web.on("/healthz", json('{"status": "ok"}'))
    found = one(web.url("/api/v2/state"))
    assert settings(found)["health"] == {"expect": {"status": "UP"}}
    assert settings(found)["routes"] == {"paths": ["/api/v2/state", "/"]}
    green(checked(tmp_path, found))


def test_a_field_that_differs_by_the_time_of_the_trial_is_not_expected(web: WebServer, tmp_path: Path) -> None:
    web.on("/health", json('{"status": "ok"}'), json('{"status": "busy"}'))
    found = one(web.url())
    assert settings(found)["health"] == {"path": "/health"}
    green(checked(tmp_path, found))


def test_a_firewalls_403_is_not_taken_for_a_sites_usual_answer(web: WebServer) -> None:
    web.on("/", answer(403))
    assert settings(one(web.url())) == {}


@pytest.mark.parametrize("status", [401, 404])
def test_a_url_that_refuses_strangers_is_expected_to_go_on_so(status: int, web: WebServer, tmp_path: Path) -> None:
    web.on("/", answer(status))
    found = one(web.url())
    assert settings(found) == {"health": {"expect_status": [status]}}
    green(checked(tmp_path, found))


def test_so_is_one_that_leads_to_another_site(web: WebServer, tmp_path: Path) -> None:
    web.on("/", redirect("https://sso.example.org/login"))
    found = one(web.url())
    assert settings(found) == {"health": {"expect_status": [302]}}
    assert "302 Found (redirect to another host, sso.example.org)" in found.kinds["health"].notes[0]
    green(checked(tmp_path, found))


@pytest.mark.parametrize("script", [answer(503), answer(429), answer(200, b"x", length=9), redirect("/")])
def test_a_site_that_is_not_well_today_stays_watched_and_is_said_to_be_so(
    script: Any, web: WebServer, tmp_path: Path
) -> None:
    web.on("/", script)
    found = one(web.url())
    assert settings(found) == {}
    assert "`pom check` will report it" in found.kinds["health"].notes[0]
    assert Status.OPERATIONAL not in checked(tmp_path, found).values()


def test_a_health_path_counts_also_where_the_front_page_is_none(web: WebServer, tmp_path: Path) -> None:
    web.on("/", answer(404))
    web.on("/api/health", answer(200, "fine"))
    found = one(web.url())
    assert settings(found)["health"] == {"path": "/api/health"}
    green(checked(tmp_path, found))


def test_sites_are_looked_at_all_at_once(web: WebServer) -> None:
    """None of them answers before all of them were asked."""
    meeting = threading.Barrier(6)
    paths = [f"/{number}" for number in range(meeting.parties)]
    for path in paths:
        web.on(path, [lambda _: meeting.wait(20), *answer(200)], answer(200))
    found = discover([web.url(path) for path in paths], datetime.now(UTC))
    assert [site.kinds["health"].told for site in found] == ["answers 200"] * 6


def test_two_sites_on_one_host_and_the_same_one_twice(web: WebServer, tmp_path: Path) -> None:
    with WebServer() as other:
        other.on("/", answer(200))
        urls = [web.url(), other.url(), web.url(""), other.url("/nothing")]
        found = discover(urls, datetime.now(UTC))
        assert [site.url for site in found] == [web.url(), other.url(), other.url("/nothing")]
        assert found[0].notes == (f"{web.url('')} leads here too.",)
        green(checked(tmp_path, *found))


@pytest.mark.parametrize(
    ("certificate", "expected", "told"),
    [
        (lambda: issue(None), {"verify": False}, "self-signed"),
        (lambda: issue(authority("private root")), {"verify": False}, "incomplete chain"),
        (lambda: issue(None, hosts=("other.example",)), {"verify": False}, "self-signed"),
        (lambda: issue(None, days=9, age=81), {"verify": False, "warn": "4d"}, "self-signed"),
    ],
)
def test_a_certificate_that_nobody_trusts_is_watched_without_trust(
    certificate: Callable[[], Any], expected: dict[str, Any], told: str, tmp_path: Path
) -> None:
    with WebServer(tls=certificate()) as server:
        server.on("/", answer(200))
        server.on("/up", answer(200))
        found = one(server.url())
        assert settings(found)["tls"] == expected
        assert settings(found)["health"] == {"path": "/up"}
        assert f"Today: {told}" in " ".join(found.kinds["tls"].notes)
        assert "verify = false" in found.kinds["tls"].told
        statuses = green(checked(tmp_path, found))
    assert f"t0 tls 127.0.0.1:{server.port}" in statuses


def trusting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The test root is one of the system's."""
    ca_file = str(authority().write_public(tmp_path / "root.pem"))
    real = net.tls_context
    monkeypatch.setattr(net, "tls_context", lambda verify, _, *more: real(verify, ca_file if verify else None, *more))
    monkeypatch.setattr("pom_cli.net.exchange.tls_context", net.tls_context)


def test_a_good_certificate_stands_there_with_its_issuer_and_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusting(monkeypatch, tmp_path)
    with WebServer(tls=issue(authority(), days=60)) as server:
        server.on("/", answer(200))
        found = one(server.url())
        green(checked(tmp_path, found))
    ends = (datetime.now(UTC) + timedelta(days=60)).date()
    assert settings(found) == {}
    assert found.kinds["tls"].notes[0] == f"Issued by PoM test root, until {ends}."
    assert found.kinds["tls"].told == f"certificate until {ends}"


def test_one_that_ends_soon_is_warned_of_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trusting(monkeypatch, tmp_path)
    with WebServer(tls=issue(authority(), days=9, age=81)) as server:
        server.on("/", answer(200))
        found = one(server.url())
        green(checked(tmp_path, found))
    assert settings(found) == {"tls": {"warn": "4d"}}
    assert "expires" in found.kinds["tls"].notes[1] and "8 days left" in found.kinds["tls"].notes[1]


def test_one_that_has_ended_leaves_all_at_its_default_for_it_is_to_be_red(tmp_path: Path) -> None:
    with WebServer(tls=issue(None, days=-1, age=90)) as server:
        server.on("/", answer(200))
        found = one(server.url())
        statuses = checked(tmp_path, found)
    assert settings(found) == {}
    assert "expired" in found.kinds["tls"].told
    assert set(statuses.values()) == {Status.ERROR}
    assert server.paths() == ["/"]  # nothing more was asked of it than where the url leads


def test_a_way_to_https_is_told_and_the_end_of_it_watched(
    web: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = zone("shop.test", "@ A 127.0.0.1\nwww CNAME @")
    with WebServer(tls=issue(None)) as secure, dns_server({"127.0.0.1": [world]}, resolvers=["127.0.0.1"]) as servers:
        name_servers(monkeypatch, {("shop.test", 80): web.port, ("www.shop.test", 443): secure.port})
        web.on("/", redirect("https://www.shop.test/", 301))
        secure.on("/", answer(200))
        resolvers = (f"127.0.0.1:{servers.port}",)
        found = one("http://shop.test", resolvers=resolvers, port=servers.port)
        statuses = green(checked(tmp_path, found, resolvers=resolvers))
    assert found.url == "https://www.shop.test"
    assert found.notes == ("http://shop.test leads here.",)
    assert statuses == [
        "t0 health",
        "t0 tls www.shop.test:443",
        "t0 dns www.shop.test A",
        "t0 dns www.shop.test CNAME",
    ]


REGISTERED = datetime.now(UTC) + timedelta(days=200)
SOON = datetime.now(UTC) + timedelta(days=11)


@pytest.mark.parametrize(
    ("said", "expected", "told"),
    [
        (
            RegistryAnswer("rdap", Ending.DATED, expires=REGISTERED, registrar="Example LLC"),
            {"domain": "shop.com"},
            "domain until",
        ),
        (RegistryAnswer("rdap", Ending.DATED, expires=SOON), {"domain": "shop.com", "warn": "5d"}, "domain until"),
        (RegistryAnswer("rdap", Ending.DATED, expires=SOON - timedelta(days=99)), None, "domain until"),
        (
            RegistryAnswer("rdap", Ending.LIMITED, "HTTP 429"),
            None,
            "domain: no expiry date: RDAP: rate-limited (HTTP 429)",
        ),
        (RegistryAnswer("rdap", Ending.NO_DATE, "not published"), None, "domain: no expiry date: RDAP: not published"),
        (RegistryAnswer("rdap", Ending.FREE), None, "domain: shop.com is not registered (RDAP)"),
    ],
)
def test_the_domain_is_watched_where_its_end_was_found(
    said: RegistryAnswer, expected: object, told: str, web: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_servers(monkeypatch, {("www.shop.com", 80): web.port, ("api.shop.com", 80): web.port})
    monkeypatch.setattr(whois, "look", lambda _: Observation((said,)))
    found = discover(["http://www.shop.com", "http://api.shop.com"], datetime.now(UTC))
    assert found[0].kinds["whois"].settings == expected
    assert found[0].kinds["whois"].told.startswith(told)
    assert "whois" not in found[1].kinds  # one target watches the domain
    green(checked(tmp_path, *found))


def test_a_name_that_does_not_resolve_leaves_the_defaults() -> None:
    found = one("https://shop.invalid")
    assert found == Found("https://shop.invalid", "https://shop.invalid", unseen="name does not resolve")


def test_so_does_a_resolver_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "_LANDING_S", 0.2)
    never = threading.Event()
    monkeypatch.setattr(net, "_look_up_into", lambda *_: never.wait(30))
    found = one("https://shop.invalid")
    never.set()
    assert found.unseen == "the resolver gave no answer within 0.2 s"


def test_what_refuses_connections_is_told_of_and_watched(tmp_path: Path) -> None:
    found = one(f"https://127.0.0.1:{closed_port()}")
    assert settings(found) == {}
    assert found.kinds["health"].told == "does not answer: connection refused"
    assert set(checked(tmp_path, found).values()) == {Status.UNREACHABLE}


HOSTILE = {
    "silence": [HANG],
    "a drip": drip(head(200), 0.3),
    "no end": endless(head(200)),
    "controls": [head(200, {"X": "y"}, reason="\x1b[2J") + b"\x1b]0;evil\x07"],
    "injection": answer(401, b"", {"Location": "/x"}, reason='"\r\n[targets.evil]\r\nurl = "http://evil.example"'),
    "a far redirect": redirect('https://evil.example/"\x0b[targets.evil]'),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_server_ends_in_time_and_adds_nothing(
    name: str, web: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "_LANDING_S", 0.5)
    monkeypatch.setattr(discovery, "LIMIT_S", 1.0)
    monkeypatch.setattr(web, "_scripts", _Everything(HOSTILE[name]))
    found = one(web.url())
    text = first_config({"shop": found}, "here", "/data", datetime.now(UTC).date())
    loaded = config.parse(text, tmp_path / "pom.toml", {"HOME": str(tmp_path)})
    assert list(loaded.targets) == ["shop"]
    assert all(line.isprintable() for line in text.splitlines())
    assert site_line("shop", found).isprintable()


def test_a_fault_of_our_own_at_one_site_leaves_the_others(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    real = discovery.land

    def land(url: str, deadline: Any) -> Any:
        if "broken" in url:
            raise RuntimeError("a bug\n[evil]")
        return real(url, deadline)

    monkeypatch.setattr(discovery, "land", land)
    heard: list[Found] = []
    found = discover([web.url("/broken"), web.url()], datetime.now(UTC), ended=heard.append)
    assert found[0].unseen == "PoM itself failed: RuntimeError: a bug [evil]"
    assert found[1].kinds["health"].told == "answers 200"
    assert sorted(site.url for site in heard) == sorted(site.url for site in found)


def test_what_is_no_kind_yet_is_not_proposed(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    fewer = {"health": ""}
    for module in ("pom_cli.setup.site", "pom_cli.setup.web_proposals"):
        monkeypatch.setattr(f"{module}.KINDS", fewer)
    assert set(one(web.url()).kinds) == {"health"}
