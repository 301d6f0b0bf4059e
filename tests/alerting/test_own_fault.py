"""What this host itself explains is one alert about this host, and no target is called down for it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from certificates import authority, issue
from scene import Scene
from web_server import WebServer, answer

from pom_cli.alerting import own_fault

ONE = '[targets.{}]\nurl = "{}"\nhealth = {{ attempts = 1, timeout = "2s" }}\n'


def notices(scene: Scene, **more: tuple[str, ...]) -> list[tuple[str, str, str]]:
    return [(one.target, one.alert, one.reason) for one in scene.run(**more).notices]


def states(scene: Scene) -> set[object]:
    return {status for (status,) in scene.rows("SELECT status FROM states")}


UNKNOWN = 4


@pytest.fixture
def secure() -> Iterator[list[WebServer]]:
    good = issue(authority(), hosts=("127.0.0.1", "127.0.0.2"))
    with WebServer(tls=good) as one, WebServer(host="127.0.0.2", tls=good) as other:
        for server in (one, other):
            server.on("/", answer(200))
        yield [one, other]


@pytest.fixture
def scene(tmp_path: Path, secure: list[WebServer]) -> Scene:
    roots = authority().write_public(tmp_path / "roots.pem")
    tls = f'tls = {{ ca_file = "{roots}" }}\n'
    toml = "".join(ONE.format(name, one.url()) + tls for name, one in zip(("shop", "blog"), secure, strict=True))
    return Scene(tmp_path, "[offline]\nwitnesses = []\n" + toml)


class TestRoots:
    """A host without root certificates."""

    @pytest.fixture
    def scene(self, tmp_path: Path, secure: list[WebServer]) -> Scene:
        return Scene(tmp_path, "".join(ONE.format(f"t{number}", one.url()) for number, one in enumerate(secure)))

    @pytest.mark.parametrize("kinds", [("health",), ("health", "tls"), ("tls",)])
    def test_without_any_it_is_one_alert_and_the_targets_are_unknown(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch, kinds: tuple[str, ...]
    ) -> None:
        monkeypatch.setattr(own_fault, "roots", lambda: False)
        assert notices(scene, kinds=kinds) == [("", "monitoring-offline", "new")]
        assert states(scene) == {UNKNOWN}
        assert "ca-certificates" in str(scene.rows("SELECT body FROM messages"))

    def test_with_them_each_target_is_told_of(self, scene: Scene) -> None:
        assert notices(scene) == [("t0", "health", "new"), ("t1", "health", "new")]

    def test_a_host_s_own_roots_are_found_in_a_file_or_a_folder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
        assert not own_fault.roots()
        authority().write_public(tmp_path / "none.pem")
        assert own_fault.roots()
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "absent.pem"))
        (tmp_path / "0a1b2c3d.0").touch()
        assert own_fault.roots()


class TestClock:
    """A clock so wrong that good certificates look bad."""

    @pytest.mark.parametrize("days", [-400, 400])
    def test_what_the_servers_dates_contradict_is_the_clock(
        self, scene: Scene, secure: list[WebServer], days: int
    ) -> None:
        then = datetime.now(UTC) + timedelta(days=days)
        for server in secure:
            server.present(issue(authority(), now=then, hosts=(server.host,), age=30, days=30))
            server.on("/", answer(200, headers={"Date": format_datetime(then, usegmt=True)}))
        assert notices(scene) == [("", "clock-wrong", "new")]
        assert states(scene) == {UNKNOWN}
        for server in secure:
            server.present(issue(authority(), hosts=(server.host,)))
            server.on("/", answer(200, headers={"Date": format_datetime(datetime.now(UTC), usegmt=True)}))
        assert notices(scene) == [("", "clock-wrong", "recovered")]

    @pytest.mark.parametrize("date", [True, False])
    def test_where_they_agree_the_certificates_have_expired(
        self, scene: Scene, secure: list[WebServer], date: bool
    ) -> None:
        for server in secure:
            server.present(issue(authority(), hosts=(server.host,), age=30, days=-1))
            headers = {"Date": format_datetime(datetime.now(UTC), usegmt=True)} if date else {}
            server.on("/", answer(200, headers=headers))
        found = notices(scene, kinds=("health", "tls"))
        assert ("shop", "tls-expiry", "new") in found
        assert not any(alert == "clock-wrong" for _, alert, _ in found)

    def test_one_server_whose_clock_is_wrong_too_proves_nothing(self, scene: Scene, secure: list[WebServer]) -> None:
        then = datetime.now(UTC) - timedelta(days=400)
        secure[0].present(issue(authority(), now=then, hosts=(secure[0].host,), days=30))
        secure[0].on("/", answer(200, headers={"Date": format_datetime(then, usegmt=True)}))
        secure[1].on("/", answer(200, headers={"Date": format_datetime(datetime.now(UTC), usegmt=True)}))
        assert not any(alert == "clock-wrong" for _, alert, _ in notices(scene, kinds=("health", "tls")))


class TestGateway:
    """A captive portal that answers for every site."""

    @pytest.fixture
    def plain(self) -> Iterator[list[WebServer]]:
        with WebServer() as one, WebServer(host="127.0.0.2") as other:
            for server in (one, other):
                server.on("/", answer(200))
            yield [one, other]

    @pytest.fixture
    def scene(self, tmp_path: Path, plain: list[WebServer]) -> Scene:
        toml = "".join(ONE.format(name, one.url()) for name, one in zip(("shop", "blog"), plain, strict=True))
        return Scene(tmp_path, "[offline]\nwitnesses = []\n" + toml)

    def test_all_redirected_to_one_place_is_one_alert(self, scene: Scene, plain: list[WebServer]) -> None:
        scene.run()
        for server in plain:
            server.on("/", answer(302, headers={"Location": "http://portal.example.com/login"}))
        for expected in ([("", "monitoring-offline", "new")], []):
            assert notices(scene) == expected
        assert states(scene) == {UNKNOWN}
        for server in plain:
            server.on("/", answer(200))
        assert notices(scene) == [("", "monitoring-offline", "recovered")]

    @pytest.mark.parametrize("other", [answer(200), answer(500), answer(302, headers={"Location": "http://b.example"})])
    def test_what_befalls_one_alone_or_each_in_its_own_way_is_the_sites_own(
        self, scene: Scene, plain: list[WebServer], other: list[bytes]
    ) -> None:
        scene.run()
        plain[0].on("/", answer(302, headers={"Location": "http://portal.example.com/"}))
        plain[1].on("/", other)
        assert ("shop", "health", "new") in notices(scene)

    def test_all_in_error_in_the_same_way_is_an_outage(self, scene: Scene, plain: list[WebServer]) -> None:
        for server in plain:
            server.on("/", answer(500))
        assert sorted(notices(scene)) == [("blog", "health", "new"), ("shop", "health", "new")]

    def test_sites_that_were_never_well_here_speak_for_themselves(self, scene: Scene, plain: list[WebServer]) -> None:
        for server in plain:
            server.on("/", answer(302, headers={"Location": "http://login.example.com/"}))
        assert sorted(notices(scene)) == [("blog", "health", "new"), ("shop", "health", "new")]

    def test_a_run_over_one_target_alone_decides_nothing(self, scene: Scene, plain: list[WebServer]) -> None:
        for server in plain:
            server.on("/", answer(302, headers={"Location": "http://portal.example.com/"}))
        assert notices(scene, only=("shop",)) == [("shop", "health", "new")]


def test_one_certificate_for_all_of_them_is_a_gateway_too(scene: Scene, secure: list[WebServer]) -> None:
    scene.run()
    for server in secure:
        server.present(issue(authority("a portal's own"), hosts=("portal.example.com",)))
    assert notices(scene) == [("", "monitoring-offline", "new")]
    assert states(scene) == {UNKNOWN}
