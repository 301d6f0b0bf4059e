"""Two real instances: two data folders, two ports, a real `pom serve` that answers and a heartbeat that asks it.

Time is the difficulty: the asking side is driven in this process with the time given, the answering side lives in ours.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from conftest import ROOT
from relay import Relay
from scene import Scene
from web_server import CLOSE, WebServer, answer

from pom_cli.alerting import outbox
from pom_cli.mesh import heartbeat
from pom_cli.mesh.heartbeat import Report
from pom_cli.store.spare import Database
from pom_cli.times import duration

pytestmark = pytest.mark.slow

TOKEN = "the-meshs-token"


class Asking(Scene):
    """The instance whose clock the test holds; it starts at the time of day."""

    def __init__(self, folder: Path, toml: str) -> None:
        super().__init__(folder, toml, {"POM_API_TOKEN": TOKEN})
        self.now = datetime.now(UTC).replace(microsecond=0)  # as the database keeps it

    def beat(self, after: str = "60s") -> Report:
        self.now += duration(after)
        database = Database(self.path, self.environ)
        try:
            return heartbeat.run(self.config, database, self.now, "stderr")
        finally:
            database.close()

    def states(self, count: int) -> list[str]:
        return [self.beat().peers[0]["state"] for _ in range(count)]

    def mails(self) -> list[tuple[str, str]]:
        return self.rows("SELECT subject, body FROM messages ORDER BY at")


class Answering:
    """The other instance, all of it in processes of its own."""

    def __init__(self, folder: Path, toml: str) -> None:
        folder.mkdir()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port: int = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        path = folder / "pom.toml"
        own = f'[instance]\nname = "astra"\ndata_dir = "{folder / "data"}"\n'
        path.write_text(f'{own}[serve]\nlisten = "127.0.0.1:{self.port}"\n{toml}')
        self._command = [sys.executable, "-m", "pom_cli", "--config", str(path)]
        self._environ = {**os.environ, "POM_API_TOKEN": TOKEN, "PYTHONPATH": str(ROOT)}
        self._serving: subprocess.Popen[bytes] | None = None

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._command, *words], env=self._environ, capture_output=True, text=True, timeout=60, check=False
        )

    def start(self) -> None:
        self._serving = subprocess.Popen(
            [*self._command, "serve"], env=self._environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        ends = time.monotonic() + 30
        while time.monotonic() < ends:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert self._serving.poll() is None, "it ended"
                time.sleep(0.02)
        raise AssertionError("it does not listen")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._serving:
            self._serving.send_signal(how)
            self._serving.wait(30)
            self._serving = None


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer() as server:
        server.on("/", answer(200))
        server.on("/elsewhere", answer(200))
        yield server


SHOP = '[targets.shop]\nurl = "{}"\nhealth = {{ attempts = 1 }}\n'


@pytest.fixture
def astra(tmp_path: Path, web: WebServer) -> Iterator[Answering]:
    # It sees the shop by a way of its own.
    found = Answering(tmp_path / "astra", SHOP.format(web.url("/elsewhere")))
    found.run("check", "health")
    found.start()
    yield found
    found.stop()


@pytest.fixture
def hetzner(tmp_path: Path, web: WebServer, astra: Answering) -> Asking:
    (tmp_path / "hetzner").mkdir()
    peers = f'[peers.astra]\nurl = "{astra.url}"\nssh = "max@192.0.2.7"\n'
    return Asking(tmp_path / "hetzner", SHOP.format(web.url()) + peers)


def test_they_see_each_other(hetzner: Asking, astra: Answering, tmp_path: Path) -> None:
    report = hetzner.beat("0s")
    assert report.well
    assert report.faults == ()
    shown = report.peers[0]
    assert shown["id"] == (tmp_path / "astra" / "data" / "instance_id").read_text().strip()
    assert (shown["state"], shown["targets"], shown["overdue"]) == ("alive", {"shop": "operational"}, [])
    assert abs(shown["clock_skew_s"]) < 10
    own = json.loads(astra.run("mesh", "--json").stdout)["self"]
    assert (own["id"], own["name"], own["targets"]) == (shown["id"], "astra", {"shop": "operational"})


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_one_that_is_stopped_is_late_twice_then_missing_and_alive_at_its_first_answer(
    hetzner: Asking, astra: Answering, how: signal.Signals
) -> None:
    assert hetzner.states(2) == ["alive"] * 2
    astra.stop(how)
    assert hetzner.states(4) == ["late", "late", "missing", "missing"]
    astra.start()
    assert hetzner.states(2) == ["alive", "alive"]
    assert [subject for subject, _ in hetzner.mails()] == [
        "[PoM hetzner] peer astra missing for 3 min",
        "[PoM hetzner] peer astra alive again after 2 min",
    ]


def test_one_that_hangs_is_as_good_as_stopped(
    hetzner: Asking, astra: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "ASK_S", 0.5)
    hetzner.beat()
    serving = astra._serving
    assert serving is not None
    serving.send_signal(signal.SIGSTOP)
    try:
        assert hetzner.states(3) == ["late", "late", "missing"]
    finally:
        serving.send_signal(signal.SIGCONT)
    assert hetzner.states(1) == ["alive"]


@pytest.fixture
def wire(tmp_path: Path, web: WebServer, astra: Answering) -> Iterator[tuple[Asking, Relay]]:
    """This instance, and the network between it and the other one."""
    (tmp_path / "hetzner").mkdir()
    with Relay(astra.port) as relay:
        peers = f'[peers.astra]\nurl = "http://127.0.0.1:{relay.port}"\n'
        yield Asking(tmp_path / "hetzner", SHOP.format(web.url()) + peers), relay


@pytest.mark.parametrize(
    "cut", [{"there": False}, {"back": False}, {"delay": 5.0}, {"drip": True, "delay": 0.05}], ids=str
)
def test_a_network_that_is_cut_either_way_or_too_slow_is_three_misses_and_recovers_at_once(
    wire: tuple[Asking, Relay], monkeypatch: pytest.MonkeyPatch, cut: dict[str, float]
) -> None:
    monkeypatch.setattr(heartbeat, "ASK_S", 0.5)
    hetzner, relay = wire
    assert hetzner.states(1) == ["alive"]
    for name, value in cut.items():
        setattr(relay, name, value)
    assert hetzner.states(3) == ["late", "late", "missing"]
    relay.there, relay.back, relay.delay, relay.drip = True, True, 0.0, False
    assert hetzner.states(1) == ["alive"]
    assert [subject for subject, _ in hetzner.mails()] == [
        "[PoM hetzner] peer astra missing for 3 min",
        "[PoM hetzner] peer astra alive again after 1 min",
    ]


def test_a_network_that_is_slow_but_not_too_slow_is_no_miss(wire: tuple[Asking, Relay]) -> None:
    hetzner, relay = wire
    relay.delay = 0.5
    assert hetzner.states(2) == ["alive", "alive"]


def test_a_short_restart_is_nobodys_business(hetzner: Asking, astra: Answering) -> None:
    hetzner.beat()
    astra.stop()
    hetzner.beat()
    astra.start()
    assert hetzner.states(1) == ["alive"]
    assert hetzner.mails() == []


def test_while_this_one_was_asleep_the_other_was_not_missing(hetzner: Asking, astra: Answering) -> None:
    hetzner.beat()
    astra.stop()
    assert hetzner.states(2) == ["late", "late"]
    assert hetzner.beat("8h").peers[0]["state"] == "late"
    astra.start()
    assert hetzner.states(1) == ["alive"]
    assert hetzner.mails() == []


def views(scene: Asking) -> str:
    body = scene.mails()[-1][1]
    return body.split("Peers:")[1].split("\n\n")[0]


def test_a_site_that_both_find_down_is_told_so(hetzner: Asking, astra: Answering, web: WebServer) -> None:
    hetzner.run("0s")
    web.on("/", [CLOSE])
    web.on("/elsewhere", [CLOSE])
    assert astra.run("check", "health").returncode == 1
    assert [notice.alert for notice in hetzner.run("0s").notices] == ["health"]
    assert "astra: unreachable too (" in views(hetzner)


def test_a_site_that_one_alone_finds_down_is_told_so(hetzner: Asking, astra: Answering, web: WebServer) -> None:
    hetzner.run("0s")
    web.on("/", answer(502))
    assert astra.run("check", "health").returncode == 0
    assert [notice.alert for notice in hetzner.run("0s").notices] == ["health"]
    assert ": perhaps our path" in views(hetzner)


def test_while_the_other_is_stopped_the_alert_goes_out_all_the_same(
    hetzner: Asking, astra: Answering, web: WebServer
) -> None:
    hetzner.run("0s")
    astra.stop()
    web.on("/", answer(500))
    assert [notice.alert for notice in hetzner.run("5m").notices] == ["health"]
    assert "astra: does not answer" in views(hetzner)


def test_one_whose_timers_are_dead_is_alive_and_told_of(hetzner: Asking, astra: Answering, tmp_path: Path) -> None:
    long_ago = round((datetime.now(UTC) - timedelta(hours=1)).timestamp() * 1000)
    database = Database(tmp_path / "astra" / "data" / "pom.db", {})
    database.write(lambda db: db.execute("UPDATE states SET checked_at = ?", (long_ago,)))
    database.close()
    reports = [hetzner.beat() for _ in range(3)]
    assert [report.peers[0]["state"] for report in reports] == ["alive"] * 3
    assert reports[0].peers[0]["overdue"] == ["health"]
    assert [notice.alert for report in reports for notice in report.notices] == ["checks-overdue"]
    astra.run("check", "health")
    assert [notice.reason for notice in hetzner.beat().notices] == ["recovered"]


def test_one_whose_mail_does_not_get_out_is_told_of(hetzner: Asking, astra: Answering, tmp_path: Path) -> None:
    at = round(time.time() * 1000)
    db = sqlite3.connect(tmp_path / "astra" / "data" / "pom.db")
    with db:
        db.execute("INSERT INTO messages (id, at, subject, body, payload) VALUES ('m', ?, 's', 'b', '{}')", (at,))
        db.execute(
            "INSERT INTO outbox (message, recipient, channel, state, created_at, next_at, error, credentials)"
            " VALUES ('m', 'console', 'console', 'given_up', ?, ?, 'refused', ?)",
            (at, at, outbox.fingerprint("console", hetzner.config)),
        )
    db.close()
    report = hetzner.beat()
    assert [(notice.target, notice.alert) for notice in report.notices] == [("astra", "delivery-failed")]


def test_another_token_is_a_miss_that_says_so(hetzner: Asking, astra: Answering) -> None:
    hetzner.environ["POM_API_TOKEN"] = "another"
    hetzner.configure(f'[peers.astra]\nurl = "{astra.url}"\n')
    shown = hetzner.beat().peers[0]
    remark = "HTTP 401: it refuses our token: POM_API_TOKEN is not the same on both hosts"
    assert (shown["state"], shown["remarks"]) == ("late", [remark])


def test_the_one_that_asks_may_change_its_token_first(hetzner: Asking, astra: Answering) -> None:
    for tokens in (f"new,{TOKEN}", f"{TOKEN},new"):
        hetzner.environ["POM_API_TOKEN"] = tokens
        hetzner.configure(f'[peers.astra]\nurl = "{astra.url}"\n')
        assert hetzner.states(1) == ["alive"]


def test_maintenance_that_is_announced_on_one_holds_the_other_too(
    hetzner: Asking, astra: Answering, web: WebServer
) -> None:
    assert astra.run("silence", "shop", "--for", "30m", "--reason", "upgrade").returncode == 0
    hetzner.now = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
    hetzner.beat("0s")
    web.on("/", answer(500))
    assert hetzner.run("1s").notices == []
    assert astra.run("silence", "shop", "--lift").returncode == 0
    assert [notice.alert for notice in hetzner.beat("1s").notices] == ["health"], "judged again at the end of a silence"
