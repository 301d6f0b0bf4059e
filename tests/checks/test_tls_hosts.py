from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from certificates import Issued
from scene import Scene
from tls_look import LONG, SOON, findings, leaf, resolving, verdicts
from web_server import CLOSE, HANG, WebServer

from pom_cli.checks import ON_BY_DEFAULT, Site, tls
from pom_cli.config import site_of
from pom_cli.model import DEGRADED, ERROR, OPERATIONAL, UNKNOWN, UNREACHABLE, Finding, Past, State, Status, Verdict
from pom_cli.net import net
from pom_cli.toml.table import Table

HTTPS = site_of("shop", "https://shop.example.com")


class TestSeveralAddresses:
    def two(self, monkeypatch: pytest.MonkeyPatch, servers: Sequence[WebServer], **more: Any) -> Finding:
        resolving(monkeypatch, *((server.host, server.port) for server in servers))
        [found] = findings(tls.Settings(hosts=(("shop.example.com", 443),), **{"timeout_s": LONG, **more}))
        return found

    def test_two_certificates_behind_one_name_are_noted(self, roots: str, monkeypatch: pytest.MonkeyPatch) -> None:
        one, other = leaf("shop.example.com", days=63.5), leaf("shop.example.com", days=40.5)
        with WebServer("127.0.0.1", tls=one) as first, WebServer("127.0.0.2", tls=other) as second:
            found = self.two(monkeypatch, [first, second], ca_file=roots)
        assert found.status is OPERATIONAL
        assert found.summary == "valid, 40 days left, Middle Ltd; 2 different certificates on 2 addresses"
        assert [(each["address"], each["fingerprint"]) for each in found.detail["addresses"]] == [
            ("127.0.0.1", one.fingerprint),
            ("127.0.0.2", other.fingerprint),
        ]

    def test_one_that_differs_at_every_look_is_no_renewal(self, roots: str, monkeypatch: pytest.MonkeyPatch) -> None:
        one, other = leaf("shop.example.com"), leaf("shop.example.com")
        with WebServer("127.0.0.1", tls=one) as first, WebServer("127.0.0.2", tls=other) as second:
            before = self.two(monkeypatch, [first, second], ca_file=roots)
            resolving(monkeypatch, ("127.0.0.2", second.port))
            settings = tls.Settings(hosts=(("shop.example.com", 443),), ca_file=roots, timeout_s=LONG)
            [found] = findings(settings, {"shop.example.com:443": Past(detail=before.detail)})
        assert "renewed_from" not in found.detail

    def test_one_bad_certificate_of_two_is_an_error_that_names_its_address(
        self, roots: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        good, bad = leaf("shop.example.com"), leaf("other.example.com")
        with WebServer("127.0.0.1", tls=good) as first, WebServer("127.0.0.2", tls=bad) as second:
            found = self.two(monkeypatch, [first, second], ca_file=roots)
        assert verdicts(found) == {"tls-failed": ERROR, "tls-expiry": OPERATIONAL}
        assert found.verdicts["tls-failed"].summary == (
            "1 of 2 addresses: 127.0.0.2: wrong host: the certificate is for other.example.com"
        )
        assert found.detail["fingerprint"] == bad.fingerprint

    def test_one_address_that_hangs_is_named_and_the_other_is_read(
        self, roots: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with (
            WebServer("127.0.0.1", greeting=[HANG]) as first,
            WebServer("127.0.0.2", tls=leaf("shop.example.com", days=63.5)) as second,
        ):
            found = self.two(monkeypatch, [first, second], ca_file=roots, timeout_s=1.0)
        assert verdicts(found) == {"tls-failed": DEGRADED, "tls-expiry": OPERATIONAL}
        assert found.summary == "1 of 2 addresses: 127.0.0.1: handshake did not end within 1 s"
        assert found.detail["days_left"] == 63

    def test_all_of_them_bad_in_the_same_way_is_said_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with WebServer("127.0.0.1", greeting=[HANG]) as first, WebServer("127.0.0.2", greeting=[HANG]) as second:
            found = self.two(monkeypatch, [first, second], timeout_s=SOON)
        assert (found.status, found.summary) == (UNREACHABLE, "handshake did not end within 0.4 s")


class TestSeveralHosts:
    def test_each_host_has_its_finding_and_a_hung_one_holds_up_only_itself(self, roots: str) -> None:
        with ExitStack() as stack:
            good = [stack.enter_context(WebServer(tls=leaf())) for _ in range(9)]
            hung = stack.enter_context(WebServer(greeting=[HANG]))
            hosts = tuple(("127.0.0.1", server.port) for server in [hung, *good])
            found = findings(tls.Settings(hosts=hosts, ca_file=roots, timeout_s=1.5))
        assert [each.subject for each in found] == [f"127.0.0.1:{port}" for _, port in hosts]
        assert [each.status for each in found] == [UNREACHABLE, *[OPERATIONAL] * 9]

    def test_what_is_not_reached_in_time_is_unknown_by_itself(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tls, "_AT_ONCE", 1)
        monkeypatch.setattr(tls, "_ROUNDS", 1)
        with WebServer(greeting=[HANG]) as server:
            hosts = tuple((host, server.port) for host in ("127.0.0.1", "localhost", "127.0.0.2"))
            found = findings(tls.Settings(hosts=hosts, timeout_s=1.2))
        assert [each.status for each in found] == [UNREACHABLE, UNKNOWN, UNKNOWN]
        assert found[1].summary == "not looked at: others of its target took all the time"

    def test_a_bug_in_one_host_is_not_hidden(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*_: Any) -> Any:
            raise KeyError("bug")

        monkeypatch.setattr(net, "resolve", broken)
        for hosts in ((("127.0.0.1", 1),), (("127.0.0.1", 1), ("127.0.0.1", 2))):
            with pytest.raises(KeyError):
                tls.look(tls.Settings(hosts=hosts))

    def test_the_budget_grows_with_the_hosts_and_has_an_end(self) -> None:
        budgets = [tls.Settings(hosts=(("h", 1),) * count, timeout_s=10).budget for count in (1, 8, 9, 500)]
        assert budgets == [11, 11, 21, 31]


def parsed(data: dict[str, Any], site: Site = HTTPS) -> tuple[tls.Settings, list[str]]:
    table = Table(data, "targets.shop.tls", [])
    settings = tls.parse(table, site)
    table.finish()
    return settings, table.problems


class TestConfig:
    def test_the_defaults_suit(self) -> None:
        settings, problems = parsed({})
        assert problems == []
        assert settings == tls.Settings(hosts=(("shop.example.com", 443),))
        assert (settings.warn, settings.timeout_s) == (timedelta(days=14), 10)

    def test_further_hosts_come_after_the_urls_own_and_only_once(self) -> None:
        hosts = ["www.example.com", "Example.com:8443", "[::1]", "::1", "bücher.example:444", "shop.example.com:443"]
        settings, problems = parsed({"hosts": hosts})
        assert problems == []
        assert tls.subjects(settings) == (
            "shop.example.com:443",
            "www.example.com:443",
            "example.com:8443",
            "[::1]:443",
            "xn--bcher-kva.example:444",
        )

    @pytest.mark.parametrize(
        ("url", "hosts", "subjects"),
        [
            ("http://shop.example.com:8080", [], ("shop.example.com:443",)),
            ("http://shop.example.com", ["www.example.com"], ("www.example.com:443",)),
            ("https://shop.example.com:8443", [], ("shop.example.com:8443",)),
            ("https://[::1]:8443", [], ("[::1]:8443",)),
            ("https://shop.example.com.", [], ("shop.example.com:443",)),
        ],
    )
    def test_the_url_gives_the_first_host(self, url: str, hosts: list[str], subjects: tuple[str, ...]) -> None:
        settings, problems = parsed({"hosts": hosts}, site_of("shop", url))
        assert (tls.subjects(settings), problems) == (subjects, [])

    @pytest.mark.parametrize(
        ("data", "problem"),
        [
            ({"warn": "soon"}, "targets.shop.tls.warn: 'soon' is not a duration like \"14d\""),
            ({"verify": "no"}, "targets.shop.tls.verify: 'no' is not true or false"),
            ({"timeout": "1h"}, "targets.shop.tls.timeout: '1h' is not between 100ms and 5m"),
            ({"host": ["a"]}, "targets.shop.tls.host: unknown key (its value: ['a']); did you mean 'hosts'?"),
            *(
                ({"hosts": [bad]}, f"targets.shop.tls.hosts: {[bad]!r} is not a list of hosts like "
                 '["www.example.com", "example.com:8443"]')
                for bad in ("https://www.example.com", "www.example.com:0", "a:b:c", "", 7, "a b")
            ),
        ],
    )  # fmt: skip
    def test_a_mistake_is_named(self, data: dict[str, Any], problem: str) -> None:
        assert parsed(data)[1] == [problem]

    def test_a_ca_file_must_be_there(self, tmp_path: Path) -> None:
        missing = str(tmp_path / "missing.pem")
        settings, problems = parsed({"ca_file": missing})
        assert len(problems) == 1
        assert problems[0].startswith("targets.shop.tls.ca_file: ")
        assert problems[0].endswith("is not a file that can be read (No such file or directory)")
        assert settings.ca_file is None

    def test_a_ca_file_must_hold_a_certificate(self, tmp_path: Path) -> None:
        key = tmp_path / "key.pem"
        key.write_text("-----BEGIN PRIVATE KEY-----\n")
        [problem] = parsed({"ca_file": str(key)})[1]
        assert problem.endswith("is not a file with a certificate in PEM (no BEGIN CERTIFICATE in it)")

    def test_a_good_ca_file_is_taken(self, roots: str) -> None:
        assert parsed({"ca_file": roots})[0].ca_file == roots

    @pytest.mark.parametrize(("url", "on"), [("https://shop.example.com", True), ("http://shop.example.com", False)])
    def test_it_is_on_for_https(self, url: str, on: bool) -> None:
        site = site_of("shop", url)
        assert (ON_BY_DEFAULT["tls"](site), tls.adhoc(site)) == (on, on)


@pytest.mark.parametrize(
    ("status", "detail", "covered"),
    [
        (UNREACHABLE, {"phase": "connect"}, True),
        (ERROR, {"phase": "tls"}, True),
        (ERROR, {"http_status": 503}, False),
        (DEGRADED, {}, False),
        (OPERATIONAL, {}, False),
    ],
)
def test_health_explains_a_failed_handshake_when_it_is_silent_or_refused_for_its_certificate(
    status: Status, detail: dict[str, Any], covered: bool
) -> None:
    now = datetime.now(UTC)
    health = State(status, now, now, "", detail=detail, verdicts={"health": Verdict(status, "")})
    assert tls.COVERED["tls-failed"](health) is covered
    assert "tls-expiry" not in tls.COVERED


def test_health_of_which_nothing_is_known_explains_nothing() -> None:
    now = datetime.now(UTC)
    assert not tls.COVERED["tls-failed"](State(UNKNOWN, now, now, ""))


class TestAlerts:
    """One run after another over a database, as the timers do it."""

    def scene(self, folder: Path, roots: str, *lines: str) -> Scene:
        scene = Scene(folder, "\n".join(["[targets.shop]", *lines, f'tls.ca_file = "{roots}"']))
        scene.now = datetime.now(UTC)
        return scene

    def test_one_certificate_on_many_hosts_is_one_alert_that_lists_them_until_it_is_renewed(
        self, roots: str, tmp_path: Path
    ) -> None:
        with WebServer(tls=leaf(days=5.5, age=80)) as server:
            hosts = (f"127.0.0.1:{server.port}", f"localhost:{server.port}")
            url = f'url = "https://{hosts[0]}"'
            scene = self.scene(tmp_path, roots, url, "health = false", f'tls.hosts = ["{hosts[1]}"]')
            [notice] = scene.run(kinds=("tls",)).notices
            assert (notice.alert, notice.reason, notice.now) == ("tls-expiry", "new", DEGRADED)
            assert (notice.subjects, notice.days_left) == (hosts, 5)
            assert scene.run("1h", kinds=("tls",)).notices == []
            server.present(leaf(days=89.5))
            [notice] = scene.run("1h", kinds=("tls",)).notices
        assert (notice.alert, notice.reason, notice.now) == ("tls-expiry", "recovered", OPERATIONAL)

    @pytest.mark.parametrize(
        ("certificate", "alerts"),
        [
            (lambda: leaf(days=-1.5, age=80), {"tls-expiry"}),
            (lambda: leaf("other.example.com"), {"health"}),
            (lambda: leaf("other.example.com", days=-1.5, age=80), {"health", "tls-expiry"}),
        ],
        ids=["expired", "wrong host", "both"],
    )
    @pytest.mark.parametrize("kinds", [("health", "tls"), ("tls",)])
    def test_one_trouble_of_a_target_speaks_once(
        self, certificate: Callable[[], Issued], alerts: set[str], kinds: tuple[str, ...], roots: str, tmp_path: Path
    ) -> None:
        with WebServer(tls=certificate()) as server:
            scene = self.scene(tmp_path, roots, f'url = "{server.url()}"', "health = { attempts = 1 }")
            assert {notice.alert for notice in scene.run(kinds=kinds).notices} == alerts

    def test_a_target_that_is_down_speaks_as_health_alone(self, roots: str, tmp_path: Path) -> None:
        with WebServer(greeting=[0.05, CLOSE]) as server:
            url = f'url = "https://127.0.0.1:{server.port}"'
            scene = self.scene(tmp_path, roots, url, "health = { attempts = 1 }")
            assert [notice.alert for notice in scene.run(kinds=("tls",)).notices] == ["health"]
