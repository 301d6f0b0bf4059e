"""Heartbeats against real servers that stand in for peers, decent ones and every hostile sort."""

from __future__ import annotations

import json
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import web_server
from mesh_scene import CLOSED, Mesh, reasons, toml
from peer_words import ASTRA, refuses, sign, signing_with, told
from postmark_server import DROP, SERVER_ERROR, PostmarkServer
from scene import START
from web_server import CLOSE, HANG, RESET, Script, WebServer, answer, drip, endless, head, redirect

from pom_cli import store
from pom_cli.mesh import answer as peer_answer
from pom_cli.mesh import heartbeat, report
from pom_cli.messages.wording import when
from pom_cli.model import Silence
from pom_cli.report import overview
from pom_cli.store.acks import Ack
from pom_cli.store.deployments import Deployment
from pom_cli.store.spare import Database
from pom_cli.times import utc

MAILED = 'channels = ["postmark"]\nto = ["ops@example.com"]\nfrom = "pom@example.com"\n'


@pytest.fixture
def peer() -> Iterator[WebServer]:
    with WebServer(sign=sign) as server:
        yield server


@pytest.fixture
def mesh(tmp_path: Path, peer: WebServer) -> Mesh:
    found = Mesh(tmp_path, toml(peer.url(""), more='ssh = "max@192.0.2.7"'))
    peer.on("/api/peer", found.says())
    return found


def test_a_peer_that_falls_silent_is_told_of_at_the_third_miss_and_its_return_at_once(
    mesh: Mesh, peer: WebServer
) -> None:
    assert mesh.beat().well
    seen = mesh.now
    peer.on("/api/peer", [CLOSE])
    reports = [mesh.beat() for _ in range(6)]
    assert [report.peers[0]["state"] for report in reports] == ["late", "late", *["missing"] * 4]
    assert [reasons(report) for report in reports] == [[], [], [("astra", "peer-missing", "new")], [], [], []]
    assert not any(report.well for report in reports)
    peer.on("/api/peer", mesh.says())
    back = mesh.beat()
    assert reasons(back) == [("astra", "peer-missing", "recovered")]
    assert back.well
    (subject, body), (recovered, _) = mesh.mails()
    assert subject == "[PoM hetzner] peer astra missing for 3 min"
    assert recovered == "[PoM hetzner] peer astra alive again after 4 min"
    assert "no answer to 3 heartbeats: connection closed without an answer" in " ".join(body.split())
    assert f"Last good: {when(seen)}" in body
    for step in (
        "ssh max@192.0.2.7",
        "systemctl status pom",
        "tailscale ping 127.0.0.1",
        "systemctl restart tailscaled",
    ):
        assert step in body


def test_the_peers_answer_is_what_is_shown_of_it(mesh: Mesh, peer: WebServer) -> None:
    targets = {"shop": {"status": "error", "health": "error", "checked_at": utc(START)}, "blog": "operational"}
    peer.on("/api/peer", mesh.says(targets=targets, version="9.9"))
    shown = mesh.beat().peers[0]
    skew = shown.pop("clock_skew_s")
    assert abs(skew) < 5
    assert shown == {
        "name": "astra",
        "url": peer.url(""),
        "state": "alive",
        "since": utc(mesh.now),
        "last_seen": utc(mesh.now),
        "misses": 0,
        "id": ASTRA,
        "version": "9.9",
        "overdue": [],
        "crashed": [],
        "targets": {"shop": "error", "blog": "operational"},
        "remarks": ["it runs PoM 9.9, this is 0.1.0"],
    }


BAD: dict[str, tuple[Script, str]] = {
    "hangs": ([HANG], "no answer within 0.5 s"),
    "drips": (
        drip(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"{" * 1000),
        "no complete answer within 0.5 s",
    ),
    "closes": ([CLOSE], "connection closed without an answer"),
    "resets": ([RESET], "connection reset"),
    "500": (answer(500, reason="Oops"), "HTTP 500 Oops"),
    "503": (answer(503, '{"error": "the database cannot be read"}'), "HTTP 503"),
    "401": (answer(401), "HTTP 401: what answers there is no PoM that knows our token"),
    "knows another token": (refuses(), "HTTP 401: it refuses our token: POM_API_TOKEN is not the same on both hosts"),
    "is of the release before": (answer(401, headers={"WWW-Authenticate": "Bearer"}), "it must be upgraded"),
    "404": (answer(404), "HTTP 404"),
    "204": ([head(204)], "HTTP 204"),
    "is no HTTP": ([b"SSH-2.0-OpenSSH_9.2\r\n", CLOSE], "no HTTP"),
    "is HTML": (answer(200, "<html>It works!</html>"), "not a PoM's: not JSON"),
    "is empty": (answer(200), "not a PoM's: not JSON"),
    "is not UTF-8": (answer(200, b'{"name": "\xff\xfe"}'), "not a PoM's: not JSON"),
    "is another service": (answer(200, '{"status": "ok"}'), "name and version are missing"),
    "is a list": (answer(200, "[1, 2]"), "no JSON object"),
    "is NaN": (answer(200, '{"name": "astra", "version": "1", "undelivered": NaN}'), "not JSON"),
    "is deep": (answer(200, "[" * 200_000), "not JSON"),
    "is huge": (answer(200, "x" * (2 << 20)), "longer than 1 MiB"),
    "never ends": (endless(head(200)), "longer than 1 MiB"),
    "is a bomb": (lambda: web_server.bomb(), "longer than 1 MiB"),
    "is cut off": (answer(200, '{"name"', length=5000), "incomplete"),
    "leads elsewhere": (redirect("http://192.0.2.1/api/peer"), "HTTP 302: it redirects; set peers.astra.url to"),
    "leads in a circle": (redirect("/api/peer", 307), "HTTP 307: it redirects"),
    "leads nowhere": (redirect("http://[::bad/"), "HTTP 302: it redirects"),
}


@pytest.mark.parametrize("bad", BAD)
def test_whatever_is_no_good_answer_is_a_miss_with_its_reason(
    mesh: Mesh, peer: WebServer, bad: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "ASK_S", 0.5 if bad in ("hangs", "drips") else 5.0)
    mesh.beat()
    script, reason = BAD[bad]
    peer.on("/api/peer", script)
    report = mesh.beat()
    assert (report.peers[0]["state"], report.peers[0]["misses"]) == ("late", 0 if "release" in bad else 1)
    assert reason in report.peers[0]["remarks"][0]
    assert report.faults == ()
    assert not report.well
    assert report.peers[0]["id"] == ASTRA, "what was known of it stays"


def test_a_peer_that_says_wrong_things_is_alive_and_the_wrong_parts_are_named(mesh: Mesh, peer: WebServer) -> None:
    peer.on("/api/peer", mesh.says(targets=[1], overdue="all", undelivered="many", time=7))
    report = mesh.beat()
    assert report.peers[0]["state"] == "alive"
    assert report.peers[0]["remarks"] == ["parts of its answer cannot be read: time, overdue, targets, undelivered"]
    assert (report.peers[0]["targets"], report.peers[0]["overdue"], report.peers[0]["clock_skew_s"]) == ({}, [], None)
    assert not report.well


def test_the_token_never_crosses_the_wire_and_comes_back_nowhere(mesh: Mesh, peer: WebServer) -> None:
    token = "s3cr3t-t0ken"
    peer.sign = signing_with(token)
    mesh.environ["POM_API_TOKEN"] = f"{token}, the-next-one"
    mesh.configure(toml(peer.url("")))
    peer.on("/api/peer", mesh.says(name=f"astra {token}", targets={token: "operational"}))
    shown = json.dumps(mesh.beat().peers)
    peer.on("/api/peer", answer(500, reason=f"no {token.upper()}"))
    shown += json.dumps(mesh.beat().peers)
    peer.on("/api/peer", answer(403, token))
    shown += json.dumps(mesh.beat().peers)
    assert "(hidden)" in shown
    assert token.lower() not in shown.lower()
    assert len(peer.requests) == 3
    assert not any(token.encode() in request.raw for request in peer.requests)
    assert token not in str(mesh.rows("SELECT * FROM peers")) + str(mesh.mails())


@pytest.mark.parametrize("token", ["a", "t0"])
def test_a_token_that_occurs_by_chance_in_an_answer_spoils_none_of_it(mesh: Mesh, peer: WebServer, token: str) -> None:
    mesh.environ["POM_API_TOKEN"] = token
    peer.sign = signing_with(token)
    mesh.configure(toml(peer.url("")))
    peer.on("/api/peer", mesh.says(undelivered=1, targets={"aardvark": "operational"}))
    shown = mesh.beat().peers[0]
    assert (shown["state"], shown["remarks"], shown["targets"]) == ("alive", [], {"aardvark": "operational"})


def test_a_token_is_hidden_however_its_letters_are_written_in_json(mesh: Mesh, peer: WebServer) -> None:
    mesh.environ["POM_API_TOKEN"] = 'sécr"t-töken'
    peer.sign = signing_with('sécr"t-töken')
    mesh.configure(toml(peer.url("")))
    peer.on("/api/peer", mesh.says(targets={'sécr"t-töken': "operational"}))
    assert mesh.beat().peers[0]["targets"] == {"(hidden)": "operational"}


def test_a_peer_with_a_token_of_its_own_is_asked_with_that_one(mesh: Mesh, peer: WebServer) -> None:
    mesh.environ |= {"POM_API_TOKEN": "ours", "POM_PEER_ASTRA_TOKEN": "its-own"}
    mesh.configure(toml(peer.url("")))
    peer.sign = signing_with("ours")
    assert mesh.states(1) == ["late"]
    peer.sign = signing_with("its-own")
    assert mesh.states(1) == ["alive"]


def test_who_may_not_read_the_token_makes_nobody_missing(mesh: Mesh, peer: WebServer) -> None:
    del mesh.environ["POM_API_TOKEN"]
    (mesh.folder / "env").mkdir()  # as unreadable to root as a file is to others
    mesh.configure(toml(peer.url("")))
    assert set(mesh.states(5)) == {"late"}
    (mesh.folder / "env").rmdir()
    mesh.configure(toml(peer.url("")))
    assert mesh.states(3)[-1] == "missing", "without a token at all the mesh does not work, and that is told"
    assert "3 heartbeats not accepted: POM_API_TOKEN is not set here" in " ".join(mesh.mails()[0][1].split())
    assert peer.requests == []


def test_a_redirect_carries_the_question_nowhere(mesh: Mesh, peer: WebServer) -> None:
    with WebServer(sign=sign) as other:
        peer.on("/api/peer", redirect(other.url("/api/peer")))
        mesh.beat()
        assert other.requests == []


def test_all_peers_are_asked_at_once_and_end_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "ASK_S", 0.6)
    with ExitStack() as stack:
        servers = [stack.enter_context(WebServer(sign=sign)) for _ in range(5)]
        mesh = Mesh(tmp_path, toml(*(server.url("") for server in servers)))
        for server in servers[:4]:
            server.on("/api/peer", [HANG])
        servers[4].on("/api/peer", mesh.says(name="pan"))
        report = mesh.beat()
    # Asked one after the other the last would have had none of the time that is for all.
    assert [peer["state"] for peer in report.peers] == ["late"] * 4 + ["alive"]


def test_a_peer_whose_name_does_not_resolve_is_missing_too(mesh: Mesh) -> None:
    mesh.configure(toml("http://astra.invalid:9100"))
    assert mesh.states(3) == ["late", "late", "missing"]
    assert "name does not resolve" in mesh.mails()[0][1]


def test_a_resolver_of_ours_that_fails_makes_nobody_missing(mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    def fails(host: Any, *rest: Any, **more: Any) -> Any:
        if b"astra" in host:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return real(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    mesh.configure(toml("http://astra.test:9100"))
    assert set(mesh.states(6)) == {"late"}
    assert mesh.beat().peers[0]["remarks"] == [
        "the resolver failed: Temporary failure in name resolution (dns)",
        "not counted: the fault is this monitor's own",
    ]


@pytest.fixture
def open_port() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def test_when_nothing_answers_at_all_the_peers_are_not_to_blame(mesh: Mesh, open_port: str) -> None:
    offline = '[offline]\nwitnesses = ["127.0.0.1:1", "127.0.0.1:2"]\n'
    mesh.configure(toml(CLOSED, CLOSED, top=offline))
    reports = [mesh.beat() for _ in range(9)]
    assert {peer["state"] for report in reports for peer in report.peers} == {"late"}
    assert "not counted: this monitor's own network is down" in reports[2].peers[0]["remarks"]
    assert mesh.mails() == []
    mesh.configure(toml(CLOSED, CLOSED, top=offline.replace("127.0.0.1:2", open_port)))
    reports = [mesh.beat() for _ in range(3)]
    assert [report.peers[0]["state"] for report in reports] == ["late", "late", "missing"]
    assert [subject for subject, _ in mesh.mails()] == ["[PoM hetzner] peer astra missing (+1 more)"]


def test_a_target_that_answers_proves_our_network_and_so_does_another_peer(mesh: Mesh, peer: WebServer) -> None:
    offline = '[offline]\nwitnesses = ["127.0.0.1:1"]\n'
    shop = f'[targets.shop]\nurl = "{peer.url()}"\n'
    mesh.configure(toml(CLOSED, top=offline + shop))
    assert mesh.states(3)[-1] == "missing"
    mesh.configure(toml(CLOSED.replace("1:1", "1:2"), peer.url(""), top=offline))
    assert mesh.states(3)[-1] == "missing"


def test_where_nobody_can_tell_whose_network_it_is_the_misses_count(mesh: Mesh) -> None:
    mesh.configure(toml(CLOSED))
    assert mesh.states(3)[-1] == "missing"


def test_a_run_in_the_middle_of_which_the_machine_slept_counts_nothing(
    mesh: Mesh, peer: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    mesh.beat()
    peer.on("/api/peer", [CLOSE])
    mesh.beat()
    readings = iter([1000.0, 4600.0])
    with monkeypatch.context() as slept:
        slept.setattr("pom_cli.mesh.peering.time.time", lambda: next(readings))
        assert mesh.beat().peers[0]["misses"] == 1
    assert mesh.states(2) == ["late", "missing"]


def test_after_a_night_switched_off_the_first_beats_blame_nobody(mesh: Mesh, peer: WebServer) -> None:
    mesh.beat()
    peer.on("/api/peer", [CLOSE])
    mesh.states(2)
    assert mesh.states(1, "9h") == ["late"]
    assert mesh.states(2) == ["late", "missing"]


def test_a_peer_that_may_be_missing_is_shown_and_nobody_is_told(mesh: Mesh, peer: WebServer) -> None:
    mesh.configure(toml(CLOSED, peer.url(""), more='on_missing = "ignore"'))
    peer.on("/api/peer", mesh.says(name="luna"))
    reports = [mesh.beat() for _ in range(4)]
    assert [report.peers[0]["state"] for report in reports] == ["late", "late", "missing", "missing"]
    assert all(report.well for report in reports)
    assert mesh.mails() == []


def test_a_peer_that_the_config_no_longer_names_is_forgotten(mesh: Mesh, peer: WebServer) -> None:
    mesh.beat()
    mesh.configure(toml().replace("astra", "luna") + f'[peers.luna]\nurl = "{peer.url("")}"\n')
    mesh.beat()
    assert mesh.rows("SELECT name FROM peers") == [("luna",)]


def test_a_peer_that_is_alive_while_its_timers_are_dead_is_told_of(mesh: Mesh, peer: WebServer) -> None:
    peer.on("/api/peer", mesh.says(overdue=["health", "tls"]))
    reports = [mesh.beat() for _ in range(4)]
    assert [reasons(report) for report in reports] == [[], [], [("astra", "checks-overdue", "new")], []]
    assert reports[0].peers[0]["overdue"] == ["health", "tls"]
    assert not reports[0].well
    subject, body = mesh.mails()[0]
    assert subject == "[PoM hetzner] peer astra checks overdue: health, tls"
    assert "its timers may be dead" in " ".join(body.split())
    assert "ssh max@192.0.2.7" in body
    peer.on("/api/peer", mesh.says())
    assert reasons(mesh.beat()) == [("astra", "checks-overdue", "recovered")]


def test_a_peer_whose_mail_does_not_get_out_is_told_of(mesh: Mesh, peer: WebServer) -> None:
    peer.on("/api/peer", mesh.says(undelivered=3, undelivered_s=60))
    assert mesh.beat().well
    peer.on("/api/peer", mesh.says(undelivered=3, undelivered_s=120, delivery_failed=True))
    assert reasons(mesh.beat()) == [("astra", "delivery-failed", "new")]
    assert "3 undelivered, the oldest for 2 min" in " ".join(mesh.mails()[0][1].split())
    peer.on("/api/peer", mesh.says())
    assert reasons(mesh.beat()) == [("astra", "delivery-failed", "recovered")]


@pytest.mark.parametrize(("ahead", "remark"), [(-95, "behind ours"), (400, "ahead of ours"), (20, "")])
def test_a_clock_that_differs_is_remarked_on(mesh: Mesh, peer: WebServer, ahead: int, remark: str) -> None:
    peer.on("/api/peer", lambda: web_server.json(told(mesh.now + timedelta(seconds=ahead))))
    report = mesh.beat()
    assert abs(report.peers[0]["clock_skew_s"] - ahead) < 5
    assert len(report.peers[0]["remarks"]) == (1 if remark else 0)
    assert remark in "".join(report.peers[0]["remarks"])
    assert report.well == (not remark)


def test_a_clocks_difference_is_measured_against_the_middle_of_the_request(mesh: Mesh, peer: WebServer) -> None:
    peer.on("/api/peer", lambda: [1.0, *web_server.json(told(mesh.now + timedelta(seconds=0.5)))])
    assert abs(mesh.beat().peers[0]["clock_skew_s"]) < 0.4


def test_a_peer_that_is_oneself_and_two_with_one_id_are_noticed(tmp_path: Path) -> None:
    with WebServer(sign=sign) as one, WebServer(sign=sign) as two, WebServer(sign=sign) as three:
        mesh = Mesh(tmp_path, toml(one.url(""), two.url(""), three.url("")))
        one.on("/api/peer", mesh.says())
        two.on("/api/peer", mesh.says(name="luna"))
        mesh.beat()
        own = (tmp_path / "data" / "instance_id").read_text().strip()
        assert str(UUID(own)) == own
        three.on("/api/peer", mesh.says(name="hetzner", id=own))
        report = mesh.beat()
    twins = "it has the same instance id as {}: instance_id was copied"
    assert [peer["remarks"] for peer in report.peers] == [
        [twins.format("luna")],
        [twins.format("astra")],
        ["it is this instance itself"],
    ]
    assert not report.well


SHOP = '[targets.shop]\nurl = "{}"\nhealth = {{ attempts = 1 }}\n'


def test_own_checks_that_no_longer_run_are_told_of_until_they_run_again(mesh: Mesh, peer: WebServer) -> None:
    peer.on("/", answer(200))
    mesh.configure(toml(top=SHOP.format(peer.url())))
    mesh.run("60s")
    reports = [mesh.beat() for _ in range(13)]
    assert [report.overdue for report in reports] == [[]] * 11 + [["health"]] * 2
    assert [reasons(report) for report in reports[10:]] == [[], [("", "checks-overdue", "new")], []]
    assert [report.well for report in reports] == [True] * 11 + [False] * 2
    subject, body = mesh.mails()[0]
    assert subject == "[PoM hetzner] checks overdue: health of shop last ran 12 min ago (limit 11 min)"
    assert "health of shop last ran 12 min ago (limit 11 min)" in " ".join(body.split())
    assert "systemctl list-timers" in body
    mesh.run("30s")
    assert reasons(mesh.beat("30s")) == [("", "checks-overdue", "recovered")]


def test_after_a_night_switched_off_the_timers_have_time_to_catch_up(mesh: Mesh, peer: WebServer) -> None:
    peer.on("/", answer(200))
    mesh.configure(toml(top=SHOP.format(peer.url())))
    mesh.run("60s")
    mesh.beat()
    report = mesh.beat("9h")
    assert (report.overdue, report.well, report.notices) == (["health"], False, [])
    mesh.run("60s")
    assert mesh.beat().well
    assert mesh.mails() == []
    mesh.beat("9h")
    told = [reasons(mesh.beat()) for _ in range(12)]
    assert told.index([("", "checks-overdue", "new")]) == 9, "ten minutes after it woke"


def test_a_heartbeat_delivers_what_is_due(tmp_path: Path, peer: WebServer) -> None:
    with PostmarkServer(token="token") as postmark:
        top = f'[alerts]\n{MAILED}postmark = {{ url = "{postmark.url}" }}\n'
        mesh = Mesh(tmp_path, toml(peer.url(""), top=top + SHOP.format(peer.url())), {"POM_POSTMARK_TOKEN": "token"})
        peer.on("/api/peer", mesh.says())
        peer.on("/", answer(500))
        postmark.script = [SERVER_ERROR]
        assert mesh.run().undelivered == 1
        report = mesh.beat()
        assert (report.undelivered, len(postmark.accepted)) == (0, 1)
        peer.on("/api/peer", [CLOSE])
        for _ in range(3):
            mesh.beat()
        assert postmark.subjects[-1] == "[PoM hetzner] peer astra missing for 3 min"


def test_the_first_heartbeat_with_a_network_tells_that_it_is_back(
    tmp_path: Path, peer: WebServer, open_port: str
) -> None:
    with PostmarkServer(token="token") as postmark:
        top = f'[alerts]\n{MAILED}postmark = {{ url = "{postmark.url}" }}\n[offline]\nwitnesses = ["127.0.0.1:1"]\n'
        mesh = Mesh(tmp_path, toml(CLOSED, top=top + SHOP.format(CLOSED)), {"POM_POSTMARK_TOKEN": "token"})
        postmark.script = [DROP] * 100
        assert reasons(mesh.run()) == [("", "monitoring-offline", "new")]
        assert reasons(mesh.beat()) == []
        mesh.configure(mesh.toml.replace("127.0.0.1:1", open_port))
        postmark.script = []
        assert reasons(mesh.beat()) == [("", "monitoring-offline", "recovered")]
        assert postmark.subjects == ["[PoM hetzner] online again after 2 min: this monitor's own network was down"]
        assert f"Now: {open_port} answers again" in postmark.accepted[0]["TextBody"]


def test_silence_for_a_peer_holds_its_alert_and_at_its_end_it_is_judged_anew(mesh: Mesh, peer: WebServer) -> None:
    mesh.beat()
    database = Database(mesh.path, mesh.environ)
    from pom_cli.store import silences

    silence = Silence("a" * 32, "astra", "", mesh.now, mesh.now + timedelta(minutes=10), "reboot")
    database.write(lambda db: silences.merge(db, [silence]))
    database.close()
    peer.on("/api/peer", [CLOSE])
    reports = [mesh.beat() for _ in range(10)]
    assert reports[-2].peers[0]["state"] == "missing"
    told = [reasons(report) for report in reports]
    assert told == [[]] * 9 + [[("astra", "peer-missing", "new")]]


def test_an_ack_of_a_peer_ends_the_reminders_here_until_it_is_lifted_there(mesh: Mesh, peer: WebServer) -> None:
    peer.on("/", answer(500))
    mesh.configure(toml(peer.url(""), top='[alerts]\nremind = ["1h"]\n' + SHOP.format(peer.url())))
    assert [notice.reason for notice in mesh.run().notices] == ["new"]
    one = Ack("shop", "health", mesh.now, "ada", "restarting it")
    peer.on("/api/peer", lambda: web_server.json(told(mesh.now, acks=[report.ack_json(one)])))
    mesh.beat()
    with closing(store.open_(mesh.path)) as db:
        (alert,) = overview.status(db, mesh.config, mesh.now)["alerts"]
    assert {key: alert["ack"][key] for key in ("by", "origin", "note")} == {
        "by": "ada", "origin": "astra", "note": "restarting it"
    }  # fmt: skip
    assert mesh.run("2h").notices == []
    lifted = report.ack_json(replace(one, lifted=True))
    peer.on("/api/peer", lambda: web_server.json(told(mesh.now, acks=[lifted])))
    assert ("shop", "health", "reminder") in reasons(mesh.beat())


def test_a_deployment_of_a_peer_is_a_fact_of_the_notice_here(mesh: Mesh, peer: WebServer) -> None:
    mesh.configure(toml(peer.url(""), top=SHOP.format(peer.url())))
    own = [report.deployment_json(Deployment(f"{number:032x}", target, mesh.now, "1.8.2", "hotfix", "ada"))
           for number, target in enumerate(("shop", "other"))]  # fmt: skip
    peer.on("/api/peer", lambda: web_server.json(told(mesh.now, deployments=own)))
    for _ in range(2):
        mesh.beat()
    assert mesh.rows("SELECT target, rev, who, origin FROM deployments") == [("shop", "1.8.2", "ada", "astra")]
    peer.on("/", answer(500))
    (notice,) = mesh.run().notices
    assert notice.facts["deployed"]["rev"] == "1.8.2"


def test_a_silence_of_a_peer_is_taken_over_for_what_is_watched_here(mesh: Mesh, peer: WebServer) -> None:
    peer.on("/", answer(500))
    mesh.configure(toml(peer.url(""), top=SHOP.format(peer.url())))

    def silence(number: int, target: str) -> dict[str, str | None]:
        until = mesh.now + timedelta(minutes=30)
        return peer_answer.silence_json(Silence(f"{number:032x}", target, "", mesh.now, until, "upgrade"))

    peer.on("/api/peer", lambda: web_server.json(told(mesh.now, silences=[silence(1, "shop"), silence(2, "other")])))
    mesh.beat()
    assert mesh.rows("SELECT target, reason FROM silences") == [("shop", "upgrade")]
    assert mesh.run("5m").notices == []
    assert [notice.alert for notice in mesh.run("30m").notices] == ["health"]


def test_it_runs_without_peers_and_says_so(mesh: Mesh, peer: WebServer) -> None:
    mesh.configure(toml(top=SHOP.format(peer.url())))
    report = mesh.beat()
    assert (report.peers, report.overdue, report.well, report.faults) == ([], [], True, ())
    assert mesh.rows("SELECT command, outcome, ended_at >= started_at FROM runs") == [("heartbeat", "no peers", 1)]


def test_a_run_is_recorded_with_what_it_found(mesh: Mesh, peer: WebServer) -> None:
    mesh.configure(toml(peer.url(""), CLOSED))
    mesh.beat()
    assert mesh.rows("SELECT command, kinds, outcome FROM runs") == [("heartbeat", "", "astra alive; luna late")]


def test_without_a_readable_id_the_peers_are_asked_all_the_same(mesh: Mesh) -> None:
    mesh.beat()
    (mesh.folder / "data" / "instance_id").write_text("lost")
    report = mesh.beat()
    assert report.peers[0]["state"] == "alive"
    assert "instance_id: holds 'lost', not a UUID" in report.faults[0]


def test_a_bug_that_a_peer_brings_to_light_is_ours_and_the_other_peers_are_heard(
    mesh: Mesh, peer: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = peer_answer.read

    def faulty(text: bytes, safe: Callable[[str], str]) -> peer_answer.PeerAnswer:
        if b'"luna"' in text:
            raise KeyError("a bug")
        return read(text, safe)

    monkeypatch.setattr("pom_cli.mesh.peering.read", faulty)
    with WebServer(sign=sign) as other:
        other.on("/api/peer", mesh.says(name="luna"))
        mesh.configure(toml(peer.url(""), other.url("")))
        reports = [mesh.beat() for _ in range(4)]
    assert [one["state"] for one in reports[-1].peers] == ["alive", "late"]
    assert reports[-1].faults == ("PoM itself failed in asking a peer: KeyError: 'a bug'",)


def test_with_a_damaged_database_a_peer_is_still_missed(mesh: Mesh, peer: WebServer) -> None:
    mesh.configure(toml(peer.url(""), more="misses = 1"))
    mesh.beat()
    mesh.path.write_bytes(b"this is no database" * 400)
    peer.on("/api/peer", [CLOSE])
    report = mesh.beat()
    assert reasons(report) == [("astra", "peer-missing", "new"), ("", "store-failed", "new")]
    assert any("damaged" in fault for fault in report.faults)


def test_while_the_database_cannot_be_written_the_misses_go_on_being_counted(
    mesh: Mesh, peer: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "BUSY_MS", 50)
    mesh.beat()
    peer.on("/api/peer", [CLOSE])
    mesh.beat()
    holder = sqlite3.connect(mesh.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    report = mesh.beat()
    holder.close()
    assert "another process holds it" in report.faults[0]
    assert report.peers[0]["misses"] == 2
    report = mesh.beat()
    assert report.faults == ()
    assert (report.peers[0]["state"], report.peers[0]["misses"]) == ("missing", 3)


@pytest.mark.slow
def test_several_heartbeats_at_once_tell_once(tmp_path: Path, peer: WebServer) -> None:
    peer.on("/api/peer", [CLOSE])
    path = tmp_path / "pom.toml"
    path.write_text(f'[instance]\ndata_dir = "{tmp_path / "data"}"\n' + toml(peer.url(""), more="misses = 1"))
    command = [sys.executable, "-m", "pom_cli", "--config", str(path), "heartbeat"]
    running = [
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=Path(heartbeat.__file__).parents[2]
        )
        for _ in range(4)
    ]
    assert [(process.communicate(timeout=60), process.returncode)[1] for process in running] == [1] * 4
    scene = Mesh(tmp_path, toml(peer.url("")))
    assert scene.rows("SELECT state FROM peers") == [("missing",)]
    assert len(scene.mails()) == 1


def test_status_shows_the_peers_and_their_alerts(mesh: Mesh, peer: WebServer) -> None:
    mesh.configure(toml(CLOSED, peer.url(""), top=SHOP.format(peer.url())))
    peer.on("/api/peer", mesh.says(name="luna"))
    for _ in range(3):
        mesh.beat()
    db = store.open_reader(mesh.path)
    try:
        found = overview.status(db, mesh.config, mesh.now)
        of_shop = overview.status(db, mesh.config, mesh.now, ["shop"])
    finally:
        db.close()
    assert [(one["name"], one["state"]) for one in found["peers"]] == [("astra", "missing"), ("luna", "alive")]
    assert [(alert["target"], alert["alert"], alert["status"]) for alert in found["alerts"]] == [
        ("astra", "peer-missing", "unreachable")
    ]
    assert of_shop["alerts"] == []
