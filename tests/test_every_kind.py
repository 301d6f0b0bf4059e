"""A target with every kind set, through an outage and its end: one mail for the one, one for the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import web_server
from certificates import authority, issue
from dns_server import dns_server, zone
from postmark_server import PostmarkServer
from registry_server import domain_object, rdap
from scene import Scene
from web_server import WebServer, answer

APP = "https://app.example.com"
EVERY = ("health", "tls", "routes", "dns", "whois", "cors", "tests")


def site(web: WebServer) -> None:
    """All is well there."""
    allowed = {"Access-Control-Allow-Origin": APP, "Access-Control-Allow-Headers": "authorization", "Vary": "Origin"}
    web.greeting = None
    web.on("/", answer(200, headers=allowed))
    web.on("/login", answer(200))


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer(tls=issue(authority())) as server:
        site(server)
        yield server


@pytest.fixture
def scene(tmp_path: Path, web: WebServer, postmark: PostmarkServer) -> Iterator[Scene]:
    ca = authority().write_public(tmp_path / "ca.pem")
    world = {"127.0.0.1": [zone("example.com", "www A 192.0.2.1")]}
    with dns_server(world, resolvers=["127.0.0.1"]) as names, WebServer() as registry:
        registry.on("/domain/example.com", rdap(domain_object("example.com", "2028-03-01T10:00:00Z")))
        toml = f"""
resolvers = ["127.0.0.1:{names.port}"]
[alerts]
to = ["ops@example.com"]
postmark = {{ url = "{postmark.url}" }}
[targets.shop]
url = "{web.url()}"
health = {{ attempts = 1 }}
tls = {{ ca_file = "{ca}" }}
routes = {{ paths = ["/", "/login"], attempts = 1 }}
dns = {{ records = [{{ name = "www.example.com", type = "A", expected = ["192.0.2.1"] }}] }}
whois = {{ domain = "example.com", rdap = "{registry.url("/")}" }}
cors = {{ origin = "{APP}", headers = ["authorization"], attempts = 1 }}
tests = {{ command = "true" }}
"""
        yield Scene(tmp_path, toml, {"POM_POSTMARK_TOKEN": "token"})


def test_an_outage_is_one_mail_and_its_end_is_one(scene: Scene, web: WebServer, postmark: PostmarkServer) -> None:
    report = scene.run(kinds=EVERY)
    assert {(r.key.kind, r.finding.summary): r.finding.status for r in report.results if r.key.kind != "tests"} == {
        (r.key.kind, r.finding.summary): "operational" for r in report.results if r.key.kind != "tests"
    }
    assert {r.key.kind for r in report.results} == set(EVERY)
    # A reset while Python wraps the socket would leave it open, with a warning: a moment later it is the same to us.
    web.greeting = [0.05, web_server.RESET]
    # Routes and the hourly kinds may run first: each looks at health before it speaks.
    for kinds in (("routes",), ("cors",), ("tls",), ("health",), EVERY):
        scene.run("1m", kinds=kinds)
    assert postmark.subjects == ["[PoM hetzner] shop unreachable: connection reset"]
    for _ in range(3):
        scene.run(kinds=EVERY)
    site(web)
    scene.run(kinds=EVERY)
    scene.run(kinds=EVERY)
    assert postmark.subjects[1:] == ["[PoM hetzner] shop operational again after 24 min"]
