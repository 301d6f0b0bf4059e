"""pom heartbeat as timers and people run it: its lines, its JSON, its exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import web_server
from peer_words import ASTRA, TOKEN, sign, told
from web_server import WebServer, answer

from pom_cli.mesh.heartbeat import Report


@pytest.fixture
def peer(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    monkeypatch.setenv("POM_API_TOKEN", TOKEN)
    with WebServer(sign=sign) as server:
        server.on("/api/peer", lambda: web_server.json(told(datetime.now(UTC))))
        yield server


@pytest.fixture
def toml(tmp_path: Path) -> Callable[..., str]:
    def text(*urls: str, more: str = "") -> str:
        named = zip(("astra", "luna"), urls, strict=False)
        peers = "".join(f'[peers.{name}]\nurl = "{url}"\n{more}\n' for name, url in named)
        top = f'[instance]\nname = "hetzner"\ndata_dir = "{tmp_path / "data"}"\n'
        return f'{top}[targets.shop]\nurl = "http://127.0.0.1:1/"\n{peers}'

    return text


CLOSED = "http://127.0.0.1:1"


def test_all_well_is_0_and_a_line_for_each_peer(pom, peer: WebServer, toml) -> None:
    ran = pom("heartbeat", config=toml(peer.url("")))
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("astra: alive since ")
    assert len(ran.out.splitlines()) == 1


def test_a_late_peer_is_1_and_its_line_says_why(pom, peer: WebServer, toml) -> None:
    ran = pom("heartbeat", config=toml(CLOSED, peer.url("")))
    assert ran.code == 1
    astra, luna = ran.out.splitlines()
    assert astra.startswith("astra: late since ")
    assert astra.endswith(", 1 miss, never seen, connection refused (connect)")
    assert luna.startswith("luna: alive since ")


def test_a_missing_peer_is_told_of_on_the_console_and_in_a_line(pom, toml) -> None:
    ran = pom("heartbeat", config=toml(CLOSED, more="misses = 1"))
    assert ran.code == 1
    assert "[PoM hetzner] peer astra missing" in ran.out
    assert "notice: astra peer-missing: operational → unreachable (new)" in ran.out.splitlines()


def test_json_is_the_peers_what_is_overdue_the_notices_and_what_is_owed(pom, peer: WebServer, toml) -> None:
    ran = pom("heartbeat", "--json", config=toml(CLOSED, peer.url(""), more="misses = 1"))
    assert ran.code == 1
    found = json.loads(ran.out)
    assert list(found) == ["peers", "overdue", "crashed", "silenced", "notices", "undelivered"]
    assert [(one["name"], one["state"], one["id"]) for one in found["peers"]] == [
        ("astra", "missing", None),
        ("luna", "alive", ASTRA),
    ]
    assert (found["overdue"], found["undelivered"]) == ([], 0)
    notice = found["notices"][0]
    assert (notice["target"], notice["alert"], notice["to"]) == ("astra", "peer-missing", "unreachable")
    assert "peer-missing" in ran.err, "the console channel speaks on standard error"


def test_without_peers_it_looks_at_the_own_runs_alone(pom, toml) -> None:
    ran = pom("heartbeat", config=toml())
    assert (ran.code, ran.out, ran.err) == (0, "no peers configured; own checks are on time\n", "")


def test_what_pom_itself_cannot_do_is_3_and_the_peers_are_asked_all_the_same(
    pom, peer: WebServer, toml, tmp_path: Path
) -> None:
    pom("heartbeat", config=toml(peer.url("")))
    (tmp_path / "data" / "instance_id").write_text("")
    ran = pom("heartbeat", config=toml(peer.url("")))
    assert ran.code == 3
    assert ran.out.startswith("astra: alive")
    assert ran.complaints == [
        f"pom: {tmp_path}/data/instance_id: holds nothing, not a UUID; put the old one back, "
        "or remove the file and get a new one"
    ]


def test_a_broken_config_is_2_and_the_last_good_one_still_beats(pom, peer: WebServer, toml, tmp_path: Path) -> None:
    env = {"STATE_DIRECTORY": str(tmp_path / "data")}
    assert pom("heartbeat", config=toml(peer.url("")), env=env).code == 0
    ran = pom("heartbeat", config="[instance\n", env=env)
    assert ran.code == 2
    assert "astra: alive" in ran.out
    assert "notice: config-broken: operational → error (new)" in ran.out


def test_own_checks_that_are_overdue_are_1(pom, peer: WebServer, toml, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import timedelta

    from pom_cli import session

    peer.on("/", answer(200))
    text = toml(peer.url("")).replace("http://127.0.0.1:1/", peer.url())
    assert pom("check", "health", config=text).code == 0
    later = datetime.now(UTC) + timedelta(minutes=30)
    monkeypatch.setattr(session, "now", lambda: later)
    ran = pom("heartbeat", config=text)
    assert ran.code == 1
    assert "overdue: health of shop last ran 30 min ago (limit 11 min)" in ran.out.splitlines()
    assert "notice: checks-overdue: operational → degraded (new)" in ran.out


def test_a_report_has_its_outcome_in_one_line() -> None:
    from pom_cli.mesh.heartbeat import outcome

    report = Report([{"name": "astra", "state": "late"}], ["tls"], False, faults=("the disk is full",))
    assert outcome(report) == "astra late; overdue: tls; the disk is full"


def test_it_loads_nothing_heavy(pom_process, peer: WebServer, toml) -> None:
    for _ in range(2):  # the first one makes the database, by sqlite_utils
        ran = pom_process("heartbeat", config=toml(peer.url("")), env={"PYTHONPROFILEIMPORTTIME": "1"})
        assert ran.code == 0
    loaded = {line.rpartition("|")[2].strip() for line in ran.err.splitlines()}
    heavy = {"requests", "rich", "dns", "whois", "cryptography", "sqlite_utils", "smtplib", "concurrent.futures"}
    assert "pom_cli.mesh.heartbeat" in loaded
    assert loaded & heavy == set()
