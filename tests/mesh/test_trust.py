"""Who answers at a peer's address: a stranger, a cache, another instance, one that knows another token."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import web_server
from mesh_scene import CLOSED, Mesh, reasons, toml
from peer_words import ASTRA, TOKEN, refuses, sign, signed, signing_with, told
from web_server import CLOSE, WebServer, answer

from pom_cli.mesh import answer as peer_answer
from pom_cli.mesh import report, signing
from pom_cli.model import Silence
from pom_cli.store.acks import Ack
from pom_cli.store.deployments import Deployment

SHOP = '[targets.shop]\nurl = "{}"\nhealth = {{ attempts = 1, timeout = "1s" }}\n'
OLDER = answer(401, '{"error": "this needs a token"}', {"WWW-Authenticate": "Bearer"})


@pytest.fixture
def peer() -> Iterator[WebServer]:
    with WebServer(sign=sign) as server:
        server.on("/", answer(200))
        yield server


@pytest.fixture
def mesh(tmp_path: Path, peer: WebServer) -> Mesh:
    found = Mesh(tmp_path, toml(peer.url(""), top=SHOP.format(peer.url())))
    peer.on("/api/peer", found.says())
    found.run()
    return found


def silence(mesh: Mesh, number: int = 1, target: str = "shop", **more: Any) -> dict[str, str | None]:
    one = Silence(f"{number:032x}", target, "", mesh.now, mesh.now + timedelta(minutes=30), "upgrade")
    return peer_answer.silence_json(one) | more


def missing(mesh: Mesh, words: str) -> None:
    """Three beats without a trusted answer: told as missing, for this reason, and nothing taken over."""
    reports = [mesh.beat() for _ in range(3)]
    assert [report.peers[0]["state"] for report in reports] == ["late", "late", "missing"]
    assert all(words in report.peers[0]["remarks"][0] for report in reports)
    assert reasons(reports[-1]) == [("astra", "peer-missing", "new")]
    body = " ".join(mesh.mails()[-1][1].split())
    assert "3 heartbeats not accepted" in body
    assert words in body
    assert "make POM_API_TOKEN the same in" in body
    assert "no answer" not in body
    for table in ("silences", "acks", "deployments"):
        assert mesh.rows(f"SELECT * FROM {table}") == []


def test_a_stranger_on_the_port_is_no_peer_and_gets_no_token(mesh: Mesh, peer: WebServer) -> None:
    mesh.beat()
    peer.sign = None
    peer.on("/", answer(500))
    mesh.run()
    ack = report.ack_json(Ack("shop", "health", mesh.now))
    deployment = report.deployment_json(Deployment("1" * 32, "shop", mesh.now))
    more = {"silences": [silence(mesh)], "acks": [ack], "deployments": [deployment]}
    peer.on("/api/peer", lambda: web_server.json(told(mesh.now, **more)))
    missing(mesh, "not authenticated: it is not signed")
    assert not any(TOKEN.encode() in request.raw for request in peer.requests)


def test_one_who_signs_with_another_token_is_no_peer(mesh: Mesh, peer: WebServer) -> None:
    mesh.beat()

    def forge(request: web_server.Request, data: bytes) -> bytes:
        nonce = request.headers["x-pom-nonce"]
        return signed("a guess", signing.Question("GET", "/api/peer", nonce), data)

    peer.sign = forge
    peer.on("/api/peer", lambda: web_server.json(told(mesh.now, silences=[silence(mesh)])))
    missing(mesh, "not authenticated: it is not signed with our token")


def test_a_cache_or_a_replaying_proxy_is_no_peer(mesh: Mesh, peer: WebServer) -> None:
    kept: list[bytes] = []

    def record(request: web_server.Request, data: bytes) -> bytes:
        kept[:] = kept or [sign(request, data)]
        return kept[0]

    peer.sign = record
    mesh.beat()
    missing(mesh, "it repeats an older answer")


def test_our_own_question_sent_back_is_no_answer(mesh: Mesh, peer: WebServer) -> None:
    mesh.beat()

    def reflect(request: web_server.Request, data: bytes) -> bytes:
        first, rest = data.split(b"\r\n", 1)
        marks = "".join(f"{name}: {request.headers[name.lower()]}\r\n" for name in (signing.NONCE, signing.SIGNATURE))
        return first + b"\r\n" + marks.encode() + rest

    peer.sign = reflect
    missing(mesh, "not authenticated: it is not signed with our token")


def test_another_instance_is_not_the_peer_until_it_is_accepted(
    mesh: Mesh, peer: WebServer, pom: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POM_API_TOKEN", TOKEN)
    mesh.beat()
    other = str(uuid4())
    peer.on("/api/peer", lambda: web_server.json(told(mesh.now, id=other, silences=[silence(mesh)])))
    missing(mesh, f"instance {other} answers there, and {ASTRA} was first seen")
    assert "pom mesh --accept astra" in mesh.mails()[-1][1]
    config = f'[instance]\nname = "hetzner"\ndata_dir = "{mesh.folder / "data"}"\n{mesh.toml}'
    assert pom("mesh", "--accept", "luna", config=config).code == 2
    ran = pom("mesh", "--accept", "astra", config=config)
    assert (ran.code, ran.err) == (0, "")
    assert reasons(mesh.beat()) == [("astra", "peer-missing", "recovered")]
    assert mesh.beat().peers[0]["id"] == other
    peer.on("/api/peer", mesh.says())
    assert mesh.states(1) == ["late"], "the one before is the stranger now"


def test_a_new_id_at_every_beat_is_never_alive_again(mesh: Mesh, peer: WebServer) -> None:
    peer.on("/api/peer", lambda: web_server.json(told(mesh.now, id=str(uuid4()))))
    assert mesh.states(4) == ["alive", "late", "late", "missing"]


def test_an_answer_without_an_id_is_not_from_the_instance_that_was_first_seen(mesh: Mesh, peer: WebServer) -> None:
    mesh.beat()
    peer.on("/api/peer", mesh.says(id=None))
    shown = mesh.beat().peers[0]
    assert (shown["state"], shown["id"]) == ("late", ASTRA)
    assert "an instance without an id answers there" in shown["remarks"][0]


def test_at_another_address_another_instance_may_be_the_peer(mesh: Mesh, peer: WebServer) -> None:
    mesh.beat()
    with WebServer(sign=sign) as moved:
        moved.on("/api/peer", mesh.says(id=str(uuid4())))
        mesh.configure(toml(moved.url(""), top=SHOP.format(peer.url())))
        assert mesh.states(2) == ["alive", "alive"]


def test_a_peer_of_the_release_before_is_late_and_not_obeyed_until_it_is_upgraded(mesh: Mesh, peer: WebServer) -> None:
    mesh.beat()
    peer.on("/api/peer", OLDER)
    reports = [mesh.beat() for _ in range(10)]
    assert {report.peers[0]["state"] for report in reports} == {"late"}
    assert all("it must be upgraded" in report.peers[0]["remarks"][0] for report in reports)
    assert not any(report.well or report.notices for report in reports)
    peer.on("/api/peer", mesh.says())
    assert mesh.states(1) == ["alive"]


def test_a_peer_that_is_never_upgraded_is_told_of_after_an_hour(mesh: Mesh, peer: WebServer) -> None:
    """Or an impostor could keep a dead one late for ever."""
    mesh.beat()
    peer.on("/api/peer", OLDER)
    assert "missing" not in mesh.states(60)
    assert mesh.states(3)[-1] == "missing"
    assert "it must be upgraded" in mesh.mails()[-1][1]


def test_a_refused_token_is_told_as_that(mesh: Mesh, peer: WebServer) -> None:
    mesh.beat()
    peer.on("/api/peer", refuses())
    missing(mesh, "it refuses our token")


def test_silence_is_told_with_the_steps_for_silence(mesh: Mesh, peer: WebServer) -> None:
    mesh.beat()
    peer.on("/api/peer", [CLOSE])
    mesh.states(3)
    body = mesh.mails()[-1][1]
    assert "no answer to 3 heartbeats" in " ".join(body.split())
    assert "POM_API_TOKEN" not in body


STEPS = [
    [("OLD", "OLD"), ("NEW,OLD", "OLD"), ("NEW,OLD", "NEW,OLD"), ("NEW", "NEW,OLD"), ("NEW", "NEW")],
    [("OLD", "OLD"), ("OLD", "NEW,OLD"), ("OLD", "OLD,NEW"), ("NEW,OLD", "NEW"), ("NEW", "NEW")],
    [("OLD", "OLD"), ("OLD,NEW", "OLD"), ("OLD,NEW", "NEW"), ("NEW", "NEW")],
]


@pytest.mark.parametrize("steps", STEPS)
def test_while_tokens_are_rotated_either_works_whoever_is_changed_first(
    mesh: Mesh, peer: WebServer, steps: list[tuple[str, str]]
) -> None:
    for ours, theirs in steps:
        mesh.environ["POM_API_TOKEN"] = ours
        mesh.configure(mesh.toml)
        peer.sign = signing_with(*theirs.split(","))
        assert mesh.states(2) == ["alive", "alive"], (ours, theirs)


def test_a_view_that_is_not_authenticated_denies_nothing(mesh: Mesh, peer: WebServer) -> None:
    """With `quorum`, a word from the peer holds an alert back."""
    mesh.configure("[alerts]\nquorum = true\n" + mesh.toml)
    sees = {"shop": {"status": "operational", "health": "operational", "checked_at": None}}

    def says() -> Any:
        sees["shop"]["checked_at"] = mesh.now.isoformat()
        return web_server.json(told(mesh.now, targets=sees))

    mesh.beat()
    peer.on("/api/peer", says)
    peer.on("/", answer(500))
    assert mesh.run().notices == [], "this is what the peer can do"
    peer.sign = None
    assert [notice.alert for notice in mesh.run().notices] == ["health"]


def test_a_view_from_another_instance_denies_nothing(mesh: Mesh, peer: WebServer) -> None:
    mesh.configure("[alerts]\nquorum = true\n" + mesh.toml)
    mesh.beat()
    sees = {"shop": {"status": "operational", "health": "operational", "checked_at": mesh.now.isoformat()}}
    peer.on("/api/peer", lambda: web_server.json(told(mesh.now, id=str(uuid4()), targets=sees)))
    peer.on("/", answer(500))
    assert [notice.alert for notice in mesh.run("60s").notices] == ["health"]


def test_with_no_answer_at_all_it_is_still_no_answer(mesh: Mesh) -> None:
    mesh.configure(toml(CLOSED))
    mesh.states(3)
    assert "no answer to 3 heartbeats" in " ".join(mesh.mails()[-1][1].split())


def test_a_peer_cannot_silence_its_own_absence(mesh: Mesh, peer: WebServer) -> None:
    peer.on("/api/peer", lambda: web_server.json(told(mesh.now, silences=[silence(mesh, target="astra")])))
    mesh.beat()
    peer.on("/api/peer", [CLOSE])
    assert mesh.states(3)[-1] == "missing"
    assert "no answer to 3 heartbeats" in " ".join(mesh.mails()[-1][1].split())


def test_silences_in_the_year_9990_are_not_taken_over(mesh: Mesh, peer: WebServer) -> None:
    far = {"since": "9990-01-01T00:00:00+00:00", "until": "9990-02-01T00:00:00+00:00"}
    peer.on("/api/peer", lambda: web_server.json(told(mesh.now, silences=[silence(mesh, **far)])))
    assert mesh.beat().peers[0]["state"] == "alive"
    assert mesh.rows("SELECT * FROM silences") == []


def test_a_peer_cannot_fill_the_database_with_silences(mesh: Mesh, peer: WebServer) -> None:
    for beat in range(3):
        many = [silence(mesh, 1000 * beat + number) for number in range(peer_answer.MOST_SILENCES)]
        peer.on("/api/peer", web_server.json(told(mesh.now, silences=many)))
        mesh.beat("1s")
    assert mesh.rows("SELECT count(*) FROM silences") == [(peer_answer.MOST_SILENCES,)]


def test_a_long_silence_is_told_of_in_the_run_that_takes_it_over(mesh: Mesh, peer: WebServer) -> None:
    until = (mesh.now + timedelta(days=30)).isoformat()
    long = silence(mesh, until=until)
    peer.on("/api/peer", lambda: web_server.json(told(mesh.now, silences=[long])))
    reports = [mesh.beat(), mesh.beat()]
    assert [len(report.silenced) for report in reports] == [1, 0]
    assert reports[0].silenced[0].startswith("astra silences shop for 30 d, until ")
    assert "astra silences shop" in str(mesh.rows("SELECT outcome FROM runs WHERE command = 'heartbeat'"))
