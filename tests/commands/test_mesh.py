"""pom mesh: this instance and its peers, as the newest heartbeat left them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import web_server
from peer_words import ASTRA, TOKEN, sign, told
from web_server import CLOSE, WebServer

from pom_cli import __version__, session


@pytest.fixture
def peer(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    monkeypatch.setenv("POM_API_TOKEN", TOKEN)
    with WebServer(sign=sign) as server:
        server.on("/api/peer", lambda: web_server.json(told(session.now(), targets={"shop": "operational"})))
        yield server


@pytest.fixture
def toml(tmp_path: Path, peer: WebServer) -> Callable[..., str]:
    def text(more: str = "") -> str:
        top = f'[instance]\nname = "hetzner"\ndata_dir = "{tmp_path / "data"}"\n'
        return f'{top}[targets.shop]\nurl = "http://127.0.0.1:1/"\n[peers.astra]\nurl = "{peer.url("")}"\n{more}'

    return text


def test_before_the_first_heartbeat_a_peer_is_late_and_nothing_is_made(pom, toml, tmp_path: Path) -> None:
    ran = pom("mesh", config=toml())
    assert (ran.code, ran.err) == (0, "")
    own, astra = ran.out.splitlines()
    assert own == f"hetzner: this instance, PoM {__version__}, id not known, overdue: health"
    assert astra == "astra: late, 0 misses, never seen, never asked yet"
    assert not (tmp_path / "data").exists()


def test_json_is_what_the_api_answers(pom, toml, peer: WebServer, tmp_path: Path) -> None:
    assert pom("heartbeat", config=toml()).code == 0
    ran = pom("mesh", "--json", config=toml())
    found = json.loads(ran.out)
    assert list(found) == ["self", "peers"]
    own = found["self"]
    assert (own["name"], own["version"], own["targets"]) == ("hetzner", __version__, {"shop": "unknown"})
    assert own["id"] == (tmp_path / "data" / "instance_id").read_text().strip()
    astra = found["peers"][0]
    assert {
        "name",
        "url",
        "state",
        "since",
        "last_seen",
        "misses",
        "id",
        "version",
        "clock_skew_s",
        "overdue",
        "targets",
    } <= set(astra)
    assert (astra["state"], astra["id"], astra["targets"]) == ("alive", ASTRA, {"shop": "operational"})
    assert astra["remarks"] == []


def test_it_prints_facts_and_is_0_whatever_they_are(
    pom, toml, peer: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = session.now()
    codes = []
    peer.on("/api/peer", [CLOSE])
    for minute in range(3):
        monkeypatch.setattr(session, "now", lambda minute=minute: start + timedelta(minutes=minute))
        pom("heartbeat", config=toml())
        codes.append(pom("mesh", config=toml()).code)
    assert codes == [0, 0, 0]


def test_what_is_old_says_so(pom, toml, monkeypatch: pytest.MonkeyPatch) -> None:
    pom("heartbeat", config=toml())
    later = datetime.now(UTC) + timedelta(minutes=20)
    monkeypatch.setattr(session, "now", lambda: later)
    assert "last polled 20 min ago" in pom("mesh", config=toml()).out


def test_status_has_a_line_for_each_peer(pom, toml) -> None:
    pom("heartbeat", config=toml())
    out = pom("status", config=toml()).out
    assert "peer astra: alive since " in out
