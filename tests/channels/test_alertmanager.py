import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from mesh_scene import Mesh
from web_server import HANG, WebServer, answer

from pom_cli.channels import alertmanager
from pom_cli.channels.alertmanager import Settings, alerts, keep, probe, send
from pom_cli.model import Mail
from pom_cli.times import utc

NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
BEGAN = "2026-11-24T05:50:00Z"
PROGRAM = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")


def mail(to: str = "unreachable", instance: str = "hetzner", since: str = BEGAN) -> Mail:
    notice = {"id": "n", "target": "shop", "alert": "tls-failed", "to": to, "since": since, "summary": "no\x1b answer"}
    return Mail("m-1", "alertmanager", "[PoM] shop", "1. Look", {"instance": instance, "notices": [notice]})


def said(server: WebServer) -> list[dict[str, Any]]:
    """The alerts of the last request."""
    found: list[dict[str, Any]] = json.loads(server.requests[-1].body)
    return found


def going_on(found: list[dict[str, Any]]) -> list[str]:
    return [one["labels"]["severity"] for one in found if one["endsAt"] > utc(datetime.now(UTC))]


@pytest.fixture
def server() -> Iterator[WebServer]:
    with WebServer() as web:
        web.on("/api/v2/alerts", answer(200))
        yield web


def test_a_problem_is_an_alert_that_ends_by_itself_in_a_few_minutes() -> None:
    [warning, critical] = alerts(mail(), NOW)
    assert critical == {
        "labels": {"alertname": "PomTlsFailed", "target": "shop", "kind": "tls-failed", "severity": "critical"},
        "annotations": {"summary": "no answer", "since": BEGAN, "runbook": "1. Look"},
        "startsAt": BEGAN,
        "endsAt": utc(NOW + alertmanager.KEPT),
    }
    assert (warning["labels"]["severity"], warning["endsAt"]) == ("warning", utc(NOW))


def test_two_instances_that_see_the_same_raise_one_alert() -> None:
    first, second = (list(alerts(mail(instance=name), NOW)) for name in ("hetzner", "astra"))
    assert [one["labels"] for one in first] == [one["labels"] for one in second]


@pytest.mark.parametrize(
    ("status", "severity"),
    [("degraded", ["warning"]), ("error", ["critical"]), ("unreachable", ["critical"]), ("operational", [])],
)
def test_the_severity_follows_the_status_and_what_was_said_before_has_ended(
    status: str, severity: list[str], server: WebServer
) -> None:
    assert send([mail(status)], Settings(server.url("")), "", "", 10)[0].provider_id == "HTTP 200"
    assert going_on(said(server)) == severity
    assert len(said(server)) == 2


def test_no_alert_ends_before_it_begins() -> None:
    late = mail("operational", since=utc(NOW + timedelta(hours=1)))
    assert all(one["startsAt"] <= one["endsAt"] for one in alerts(late, NOW))


def test_the_trial_message_is_an_alert_too(server: WebServer) -> None:
    send([Mail("m-1", "alertmanager", "test message", "It works.")], Settings(server.url("")), "", "", 10)
    [alert] = said(server)
    assert alert["labels"] == {"alertname": "PomTest", "kind": "test", "severity": "none"}
    assert alert["annotations"]["summary"] == "test message"


def test_a_refusal_is_permanent_and_a_fault_of_the_network_passes(server: WebServer) -> None:
    server.on("/api/v2/alerts", answer(400), answer(503), [HANG])
    settings = Settings(server.url(""))
    ended = [send([mail()], settings, "", "", 0.5)[0] for _ in range(3)]
    assert [(one.permanent, one.provider_id) for one in ended] == [(True, None), (False, None), (False, None)]


def test_what_is_over_is_not_kept_alive(server: WebServer) -> None:
    assert keep([mail("operational")], Settings(server.url("")), 5) == ""
    assert server.requests == []


@pytest.mark.parametrize(("status", "fault"), [(200, ""), (404, "answered HTTP 404")])
def test_it_is_tried_by_asking_for_its_status(status: int, fault: str, server: WebServer) -> None:
    server.on("/api/v2/status", answer(status))
    assert probe(Settings(server.url("/")), "", 5).endswith(fault)
    assert [one.path for one in server.requests] == ["/api/v2/status"]


def scene(folder: Path, shop: WebServer, url: str) -> Mesh:
    shop.on("/", answer(500))
    return Mesh(
        folder,
        f'[alerts]\nchannels = ["alertmanager"]\nalertmanager = {{ url = "{url}" }}\n[offline]\nwitnesses = []\n'
        f'[targets.shop]\nurl = "{shop.url("/")}"\n[targets.shop.health]\npause = "0s"\n',
    )


def test_each_heartbeat_keeps_an_open_alert_alive_until_it_is_over(tmp_path: Path, server: WebServer) -> None:
    with WebServer() as shop:
        lab = scene(tmp_path, shop, server.url(""))
        lab.run()
        told = going_on(said(server))
        assert lab.beat().faults == ()
        assert (told, going_on(said(server))) == (["critical"], ["critical"])
        assert said(server)[0]["annotations"]["runbook"]
        shop.on("/", answer(200))
        lab.run()
        assert going_on(said(server)) == []
        count = len(server.requests)
        lab.beat()
        assert len(server.requests) == count


def test_a_target_may_have_its_alerts_there_alone(tmp_path: Path, server: WebServer) -> None:
    with WebServer() as shop:
        lab = scene(tmp_path, shop, server.url(""))
        own = lab.toml.replace('channels = ["alertmanager"]', 'channels = ["console"]')
        lab.configure(own.replace("[targets.shop.health]", 'alerts.channels = ["alertmanager"]\n[targets.shop.health]'))
        lab.run()
        lab.beat()
    assert len(server.requests) == 2


def test_a_heartbeat_goes_on_where_alertmanager_is_gone_and_says_so(tmp_path: Path, server: WebServer) -> None:
    with WebServer() as shop:
        lab = scene(tmp_path, shop, server.url(""))
        lab.run()
        server.on("/api/v2/alerts", answer(503))
        [fault] = lab.beat().faults
    assert fault == f"open alerts are not kept alive: {server.url('')} answered HTTP 503"


@pytest.fixture
def real(tmp_path: Path) -> Iterator[str]:
    if PROGRAM is None:
        pytest.skip("no Alertmanager here: apt-get install prometheus-alertmanager")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = tmp_path / "alertmanager.yml"
    config.write_text("route: { receiver: nobody }\nreceivers: [{ name: nobody }]\n")
    options = [f"--config.file={config}", f"--storage.path={tmp_path / 'am'}", "--cluster.listen-address="]
    running = subprocess.Popen(
        [PROGRAM, *options, f"--web.listen-address=127.0.0.1:{port}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            if not probe(Settings(url), "", 5):
                break
            assert running.poll() is None
            time.sleep(0.1)
        yield url
    finally:
        running.terminate()
        running.wait(10)


def test_a_real_alertmanager_takes_keeps_and_ends_one_alert_of_two_instances(real: str) -> None:
    import requests

    def listed() -> list[str]:
        found = requests.get(f"{real}/api/v2/alerts", timeout=10).json()
        return [one["labels"]["severity"] for one in found]

    settings = Settings(real)
    began = utc(datetime.now(UTC) - timedelta(minutes=10))
    for instance in ("hetzner", "astra"):
        assert send([mail("degraded", instance, began)], settings, "", "", 10)[0].provider_id == "HTTP 200"
    assert listed() == ["warning"]
    send([mail("error", since=began)], settings, "", "", 10)
    assert keep([mail("error", since=began)], settings, 10) == ""
    assert listed() == ["critical"]
    send([mail("operational", since=began)], settings, "", "", 10)
    assert listed() == []
