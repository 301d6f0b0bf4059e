"""How the peers see a target, in the mail and in the decision: briefly asked, and nothing of them is needed."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import web_server
from peer_words import TOKEN, sign, told
from scene import Scene
from web_server import CLOSE, HANG, WebServer, answer

from pom_cli import config
from pom_cli.mesh import vantage
from pom_cli.mesh.answer import PeerAnswer, Sight
from pom_cli.mesh.beats import Beat
from pom_cli.model import DEGRADED, ERROR, OPERATIONAL, UNKNOWN, UNREACHABLE, Status
from pom_cli.times import utc

NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
OWN = "11111111-1111-4111-8111-111111111111"


@contextmanager
def peers(count: int) -> Iterator[list[WebServer]]:
    servers = [WebServer(sign=sign) for _ in range(count)]
    for server in servers:
        server.__enter__()
    try:
        yield servers
    finally:
        for server in servers:
            server.__exit__(None, None, None)


def toml(web: WebServer, *urls: str, top: str = "") -> str:
    named = zip(("astra", "luna", "sol"), urls, strict=False)
    tables = "".join(f'[peers.{name}]\nurl = "{url}"\n' for name, url in named)
    return f'{top}\n[targets.shop]\nurl = "{web.url()}"\nhealth = {{ attempts = 1 }}\n{tables}'


def sees(scene: Scene, status: str, age: int = 40, ahead: float = 0) -> Any:
    """A peer that saw the shop in this status so many seconds ago; its clock may be ahead of ours."""

    def script() -> list[web_server.Step]:
        its = scene.now + timedelta(seconds=ahead)
        sight = {"status": status, "health": status, "checked_at": utc(its - timedelta(seconds=age))}
        return web_server.json(told(its, targets={"shop": sight}))

    return script


KNOWN = {"POM_API_TOKEN": TOKEN}


def view_of(sight: Sight | None, status: Status = UNREACHABLE, **more: Any) -> vantage.View:
    text = '[targets.shop]\nurl = "http://127.0.0.1:1/"\n'
    target = config.parse(text, Path("/nowhere/pom.toml"), {}).targets["shop"]
    targets = {} if sight is None else {"shop": sight}
    said = PeerAnswer(**{"name": "astra", "time": NOW, "targets": targets, **more})
    return vantage.view(target, status, {"astra": Beat(said)}, OWN)


def saw(status: Status, seconds: int | None = 40, health: Status | None = None) -> Sight:
    return Sight(status, health, None if seconds is None else NOW - timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("sight", "words", "denied"),
    [
        (saw(UNREACHABLE), "unreachable too (40 s ago)", False),
        (saw(OPERATIONAL, 12), "operational (12 s ago): perhaps our path", True),
        (saw(OPERATIONAL, 660), "operational (11 min ago): perhaps our path", True),
        (saw(OPERATIONAL, 661), "has not looked since (operational 11 min 1 s ago)", False),
        (saw(OPERATIONAL, None), "operational", False),
        (saw(OPERATIONAL, -5), "operational (0 s ago): perhaps our path", True),
        (saw(ERROR), "error (40 s ago)", False),
        (saw(DEGRADED), "degraded (40 s ago)", False),
        (saw(DEGRADED, health=OPERATIONAL), "operational (40 s ago): perhaps our path", True),
        (saw(UNKNOWN), "unknown (40 s ago)", False),
        (None, "does not watch it", False),
    ],
)
def test_a_peers_view_in_words(sight: Sight | None, words: str, denied: bool) -> None:
    assert view_of(sight) == vantage.View((f"astra: {words}",), denied)


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (40, "operational (40 s ago): perhaps our path"),
        (60, "has not looked since (operational 1 min ago)"),
        (9999, "has not looked since (operational 2 h 46 min ago)"),
    ],
)
def test_what_a_peer_saw_before_it_broke_here_is_said_to_be_from_then(age: int, words: str) -> None:
    said = Beat(PeerAnswer("astra", time=NOW, targets={"shop": saw(OPERATIONAL, age)}))
    text = '[targets.shop]\nurl = "http://127.0.0.1:1/"\n'
    target = config.parse(text, Path("/nowhere/pom.toml"), {}).targets["shop"]
    found = vantage.view(target, UNREACHABLE, {"astra": said}, OWN, timedelta(minutes=1))
    assert found == vantage.View((f"astra: {words}",), age < 60), "an older look denies nothing, for quorum neither"


def test_oneself_is_no_second_vantage_point() -> None:
    assert view_of(saw(OPERATIONAL), id=OWN) == vantage.View(("astra: is this instance itself, or a copy of it",))


def test_every_peer_that_can_tell_must_deny() -> None:
    target = config.parse('[targets.shop]\nurl = "http://127.0.0.1:1/"\n', Path("/nowhere/pom.toml"), {}).targets[
        "shop"
    ]

    def denied(*beats: Beat) -> bool:
        return vantage.view(target, UNREACHABLE, {f"p{n}": beat for n, beat in enumerate(beats)}, OWN).denied

    def beat(status: Status, seconds: int = 40) -> Beat:
        return Beat(PeerAnswer("p", time=NOW, targets={"shop": saw(status, seconds)}))

    well, bad, silent = beat(OPERATIONAL), beat(ERROR), Beat(fault="connection refused")
    assert denied(well, well, silent)
    assert denied(well, beat(ERROR, 9999), beat(UNKNOWN))
    assert not denied(well, bad)
    assert not denied(silent)
    assert not denied()


@pytest.mark.parametrize(
    ("status", "ahead", "words"),
    [
        ("unreachable", 0, "astra: unreachable too (40 s ago)"),
        ("operational", 0, "astra: operational (40 s ago): perhaps our path"),
        ("operational", 5000, "astra: operational (40 s ago): perhaps our path"),
    ],
)
def test_the_mail_says_what_each_peer_saw_and_how_long_ago(
    tmp_path: Path, web: WebServer, status: str, ahead: float, words: str
) -> None:
    with peers(2) as (astra, luna):
        scene = Scene(tmp_path, toml(web, astra.url(""), luna.url(""), "http://127.0.0.1:1"), KNOWN)
        astra.on("/api/peer", sees(scene, status, ahead=ahead))
        luna.on("/api/peer", web_server.json(told(NOW)))
        web.on("/", [CLOSE])
        assert [notice.reason for notice in scene.run().notices] == ["new"]
    body = str(scene.rows("SELECT body FROM messages")[0][0])
    for line in (words, "luna: does not watch it", "sol: does not answer"):
        assert line in body.split("Peers:")[1]


def test_peers_are_asked_only_before_something_is_said(tmp_path: Path, web: WebServer) -> None:
    with peers(1) as (astra,):
        scene = Scene(tmp_path, toml(web, astra.url("")), KNOWN)
        astra.on("/api/peer", sees(scene, "unreachable"))
        scene.run()
        assert astra.paths() == []
        web.on("/", answer(500))
        scene.run()
        assert astra.paths() == ["/api/peer"]
        scene.run()
        scene.run()
        assert astra.paths() == ["/api/peer"], "it was told already"
        web.on("/", answer(200))
        assert [notice.reason for notice in scene.run().notices] == ["recovered"]
        assert astra.paths() == ["/api/peer"]


@pytest.mark.parametrize("script", [[HANG], [CLOSE], answer(500), answer(200, "nonsense"), answer(401)])
def test_a_peer_that_cannot_tell_holds_nothing_back(
    tmp_path: Path, web: WebServer, script: web_server.Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vantage, "ASK_S", 0.4)
    with peers(1) as (astra,):
        scene = Scene(tmp_path, toml(web, astra.url(""), top="[alerts]\nquorum = true\n"), KNOWN)
        astra.on("/api/peer", script)
        web.on("/", answer(500))
        assert [notice.alert for notice in scene.run().notices] == ["health"]
    said = "its answer is not accepted" if script == answer(401) else "does not answer"
    assert f"astra: {said}" in str(scene.rows("SELECT body FROM messages"))


QUORUM = "[alerts]\nquorum = true\n"


def test_with_quorum_a_problem_that_every_peer_denies_is_told_of_at_the_third_run(
    tmp_path: Path, web: WebServer
) -> None:
    with peers(1) as (astra,):
        scene = Scene(tmp_path, toml(web, astra.url(""), top=QUORUM), KNOWN)
        astra.on("/api/peer", sees(scene, "operational"))
        web.on("/", answer(500))
        began = scene.now + timedelta(minutes=5)
        assert scene.run().notices == []
        assert scene.rows("SELECT held FROM alerts WHERE alert = 'health'") == [("quorum",)]
        assert scene.run().notices == []
        notices = scene.run().notices
    assert [(notice.reason, notice.since) for notice in notices] == [("new", began)]
    assert "perhaps our path" in str(scene.rows("SELECT body FROM messages"))


def test_with_quorum_a_problem_that_ends_before_the_third_run_was_never_one(tmp_path: Path, web: WebServer) -> None:
    with peers(1) as (astra,):
        scene = Scene(tmp_path, toml(web, astra.url(""), top=QUORUM), KNOWN)
        astra.on("/api/peer", sees(scene, "operational"))
        for _ in range(3):
            web.on("/", answer(500))
            assert scene.run().notices == []
            assert scene.run().notices == []
            web.on("/", answer(200))
            assert scene.run().notices == []


def test_with_quorum_a_problem_that_one_peer_sees_too_is_told_of_at_once(tmp_path: Path, web: WebServer) -> None:
    with peers(2) as (astra, luna):
        scene = Scene(tmp_path, toml(web, astra.url(""), luna.url(""), top=QUORUM), KNOWN)
        astra.on("/api/peer", sees(scene, "operational"))
        luna.on("/api/peer", sees(scene, "unreachable"))
        web.on("/", [CLOSE])
        assert [notice.reason for notice in scene.run().notices] == ["new"]


def test_with_quorum_an_old_denial_holds_nothing_back(tmp_path: Path, web: WebServer) -> None:
    with peers(1) as (astra,):
        scene = Scene(tmp_path, toml(web, astra.url(""), top=QUORUM), KNOWN)
        astra.on("/api/peer", sees(scene, "operational", age=3600))
        web.on("/", [CLOSE])
        assert [notice.reason for notice in scene.run().notices] == ["new"]


def test_without_quorum_a_denial_holds_nothing_back(tmp_path: Path, web: WebServer) -> None:
    with peers(1) as (astra,):
        scene = Scene(tmp_path, toml(web, astra.url("")), KNOWN)
        astra.on("/api/peer", sees(scene, "operational"))
        web.on("/", [CLOSE])
        assert [notice.reason for notice in scene.run().notices] == ["new"]


def two_targets(web: WebServer, other: WebServer, *urls: str) -> str:
    more = f'[targets.blog]\nurl = "{other.url()}"\nhealth = {{ attempts = 1 }}\n'
    return toml(web, *urls, top="[offline]\nwitnesses = []\n") + more


def test_a_peer_that_can_be_reached_proves_that_our_network_works(
    tmp_path: Path, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vantage, "ASK_S", 0.3)  # it takes the connection and says nothing
    with WebServer(sign=sign) as other, socket.create_server(("127.0.0.1", 0)) as listener:
        place = f"127.0.0.1:{listener.getsockname()[1]}"
        scene = Scene(tmp_path, two_targets(web, other, f"http://{place}"), KNOWN)
        for server in (web, other):
            server.on("/", [CLOSE])
        report = scene.run()
    assert {result.finding.status for result in report.results} == {"unreachable"}
    assert {notice.alert for notice in report.notices} == {"health"}
    assert place in str(scene.rows("SELECT body FROM messages"))


def test_when_no_peer_can_be_reached_either_it_is_us(tmp_path: Path, web: WebServer) -> None:
    with WebServer(sign=sign) as other:
        scene = Scene(tmp_path, two_targets(web, other, "http://127.0.0.1:1"), KNOWN)
        for server in (web, other):
            server.on("/", [CLOSE])
        assert [notice.alert for notice in scene.run().notices] == ["monitoring-offline"]
