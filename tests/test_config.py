"""The config as the contract has it: everything in it loads, and every mistake is told at once, in one line each."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from certificates import authority
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pom_cli import config
from pom_cli.checks import KINDS
from pom_cli.config import Config, show
from pom_cli.config.alerts import Escalation, Recipients
from pom_cli.config.targets import site_of
from pom_cli.errors import ConfigError, UsageError

DATA = Path(__file__).parent / "data"
ENV = {"HOME": "/home/ops"}
SHOP = '[targets.shop]\nurl = "https://shop.example.com"\n'


def parse(text: str, **env: str) -> Config:
    return config.parse(text, Path("/x/pom.toml"), ENV | env)


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        parse(text)
    assert str(raised.value).splitlines() == raised.value.problems
    return raised.value.problems


class TestTheWholeConfig:
    @pytest.fixture
    def whole(self) -> Config:
        return parse((DATA / "whole.toml").read_text(), POM_POSTMARK_TOKEN="t", SHOP_TOKEN="s")

    def test_it_loads_without_a_warning(self, whole: Config) -> None:
        assert whole.warnings == ()

    def test_the_instance(self, whole: Config) -> None:
        assert whole.instance == config.Instance("hetzner", Path("/var/lib/pom"), timedelta(days=30), ())
        assert whole.serve == config.Serve("100.120.174.96", 9100, 60, False)
        assert whole.witnesses == (("1.1.1.1", 443), ("9.9.9.9", 443))

    def test_the_alerts(self, whole: Config) -> None:
        alerts = whole.alerts
        assert (alerts.to, alerts.sender) == (("ops@example.com",), "pom@example.com")
        assert alerts.cooldown == timedelta(minutes=5)
        assert alerts.remind == (timedelta(hours=1), timedelta(hours=6), timedelta(hours=24))
        assert alerts.channels == ("postmark",)
        assert set(alerts.settings) == {"postmark"}
        assert alerts.share

    def test_the_target(self, whole: Config) -> None:
        target = whole.targets["makenotwork"]
        assert target.url == "https://makenot.work"
        assert (target.site.host, target.site.port) == ("makenot.work", 443)
        assert (target.ops.ssh, target.ops.unit, target.ops.database) == ("root@100.120.174.96",) + ("makenotwork",) * 2
        assert target.depends_on == ()
        assert target.label == "Make Not Work"
        tables = re.findall(r"(?m)^\[targets\.makenotwork\.(\w+)\]", (DATA / "whole.toml").read_text())
        assert set(target.checks) == set(tables)

    def test_the_peer(self, whole: Config) -> None:
        peer = config.Peer("astra", "http://100.106.221.39:9100", "max@100.106.221.39", "alert", 3)
        assert whole.peers == {"astra": peer}

    def test_the_page(self, whole: Config) -> None:
        assert whole.page[:3] == (
            "Status of Make Not Work",
            "https://makenot.work",
            "mailto:support@example.com",
        )
        at, until = datetime(2026, 12, 1, 20, tzinfo=UTC), datetime(2026, 12, 1, 22, tzinfo=UTC)
        assert whole.page.announcements == ((at, until, "Database upgrade"),)

    def test_the_tools_of_the_runbook_are_the_defaults(self, whole: Config) -> None:
        assert whole.runbook == parse(SHOP).runbook == ("caddy", "tailscale", "Cloudflare", "Cloudflare Registrar")


class TestTheSmallestConfig:
    def test_a_target_with_a_url_is_enough(self) -> None:
        loaded = parse(SHOP)
        assert loaded.instance.retention == timedelta(days=30)
        assert (loaded.serve.host, loaded.serve.port, loaded.serve.rate_limit) == ("127.0.0.1", 9100, 60)
        assert loaded.alerts.channels == ("console",)
        assert loaded.alerts.remind == (timedelta(hours=1), timedelta(hours=6), timedelta(hours=24))
        assert loaded.witnesses == (("1.1.1.1", 443), ("9.9.9.9", 443))
        assert loaded.targets["shop"].checks["health"].interval == timedelta(minutes=5)
        assert loaded.targets["shop"].label == "shop"
        assert loaded.page == ("", "", "", ())
        assert loaded.warnings == ()

    def test_a_peer_alone_is_enough(self) -> None:
        assert parse('[peers.astra]\nurl = "http://192.0.2.7:9100/"').peers["astra"].url == "http://192.0.2.7:9100"

    def test_nothing_to_watch_is_a_mistake(self) -> None:
        told = '/x/pom.toml: nothing to watch; add a target: [targets.shop] and url = "https://example.com"'
        assert problems("") == [told]
        assert problems("[instance]\n[targets]\n[peers]") == [told]

    def test_no_public_witness_is_asked_about_this_very_machine(self) -> None:
        assert parse('[targets.a]\nurl = "http://127.0.0.1:8080"\n[targets.b]\nurl = "http://[::1]"').witnesses == ()
        assert parse(f'{SHOP}[targets.b]\nurl = "http://localhost"').witnesses != ()

    def test_witnesses_can_be_turned_off(self) -> None:
        assert parse(f"{SHOP}[offline]\nwitnesses = []").witnesses == ()


class TestWhatIsChecked:
    @pytest.mark.parametrize(
        ("table", "kinds"),
        [
            ('url = "https://a.example"', {"health", "tls"}),
            ('url = "http://a.example"', {"health"}),
            ('url = "https://a.example"\nhealth = false', {"tls"}),
            ('url = "https://a.example"\nhealth = false\ntls = false', set()),
            ('url = "https://a.example"\nhealth = true\ntls = {}', {"health", "tls"}),
            ('url = "http://a.example"\ndns = true', {"health", "dns"}),
            ('url = "http://a.example"\ndns = {}\nwhois = false', {"health", "dns"}),
        ],
    )
    def test_a_kind_is_checked_where_its_table_is_there(self, table: str, kinds: set[str]) -> None:
        assert set(parse(f"[targets.a]\n{table}").targets["a"].checks) == kinds

    def test_a_kind_s_own_interval_comes_before_the_target_s(self) -> None:
        checks = (
            parse(SHOP + 'interval = "10m"\nhealth = { interval = "30m" }\ntls = { interval = "6h" }')
            .targets["shop"]
            .checks
        )
        assert [(kind, check.interval) for kind, check in checks.items()] == [
            ("health", timedelta(minutes=30)),
            ("tls", timedelta(hours=6)),
        ]

    def test_the_target_s_interval_is_that_of_health_and_routes_alone(self) -> None:
        checks = parse(SHOP + 'interval = "10m"\nroutes = { paths = ["/"] }\n').targets["shop"].checks
        assert {kind: check.interval for kind, check in checks.items()} == {
            "health": timedelta(minutes=10),
            "tls": timedelta(hours=1),
            "routes": timedelta(minutes=10),
        }

    def test_what_the_tls_table_trusts_holds_for_the_others(self, tmp_path: Path) -> None:
        file = authority().write_public(tmp_path / "ca.pem")
        site = parse(SHOP + f'tls = {{ verify = false, ca_file = "{file}" }}').targets["shop"].site
        assert (site.verify, site.ca_file) == (False, str(file))

    def test_a_target_has_recipients_and_channels_of_its_own(self) -> None:
        text = '[alerts]\nto = ["ops@example.com"]\nchannels = ["console"]\n' + SHOP
        own = parse(f'{text}\nalerts = {{ to = ["shop@example.com"], channels = ["smtp"] }}')
        assert own.targets["shop"].alerts == Recipients(("shop@example.com",), ("smtp",))
        assert set(own.alerts.settings) == {"console", "smtp"}
        assert parse(text).targets["shop"].alerts == Recipients()

    def test_alerts_are_escalated_by_steps(self) -> None:
        steps = '[{ after = "30m", to = ["a@example.com"] }, { after = "2h", to = ["b@example.com"] }]'
        found = parse(f"[alerts]\nescalate = {steps}\n{SHOP}").alerts.escalate
        assert found == (
            Escalation(timedelta(minutes=30), ("a@example.com",)),
            Escalation(timedelta(hours=2), ("b@example.com",)),
        )

    @pytest.mark.parametrize(
        ("url", "place"),
        [
            ("http://a.example", ("http", "a.example", 80)),
            ("https://A.Example/x", ("https", "a.example", 443)),
            ("HTTPS://a.example:8443", ("https", "a.example", 8443)),
            ("http://[2001:DB8::1]:8080/", ("http", "2001:db8::1", 8080)),
            ("https://bücher.example", ("https", "xn--bcher-kva.example", 443)),
        ],
    )
    def test_a_site_is_where_its_url_leads(self, url: str, place: tuple[str, str, int]) -> None:
        site = site_of("a", url)
        assert (site.scheme, site.host, site.port) == place
        assert site.url == url

    def test_a_target_s_name_may_have_dots(self) -> None:
        assert list(parse('[targets."shop.eu-1_b"]\nurl = "https://a.example"').targets) == ["shop.eu-1_b"]

    def test_targets_may_depend_on_each_other_in_one_direction(self) -> None:
        text = "".join(f'[targets.{n}]\nurl = "https://{n}.example"\n' for n in "abc")
        loaded = parse(text.replace("[targets.b]", '[targets.b]\ndepends_on = ["a", "c"]'))
        assert loaded.targets["b"].depends_on == ("a", "c")


NAME_RULE = "letters, digits, '-', '_' and '.', beginning with none of '-' and '.', at most 64 of them"
RISING = 'a rising list of durations like ["1h", "6h", "24h"]'
MISTAKES = [
    ("taget = {}", "taget: unknown key; did you mean 'targets'?"),
    ("targets = 5", "targets: 5 is not a table"),
    ("[[targets]]", "targets: [{}] is not a table"),
    ("[instance]\nname = 'two words'",
     f"instance.name: 'two words' is not a name ({NAME_RULE})"),
    ("[instance]\ndata_dir = 'var/lib'", "instance.data_dir: 'var/lib' is not a folder's absolute path"),
    ("[instance]\ndata_dir = '~nobody-of-this-name/x'",
     "instance.data_dir: '~nobody-of-this-name/x' is not a folder's absolute path"),
    ("[instance]\ndata_dir = ''", "instance.data_dir: '' is not a folder's absolute path"),
    ("[instance]\nretention = 30", "instance.retention: 30 is not a duration like \"30d\""),
    ("[instance]\nretention = '1h'", "instance.retention: '1h' is not between 1d and 3650d"),
    ("[instance]\nresolvers = ['one.one.one.one']",
     "instance.resolvers: ['one.one.one.one'] is not a list of IP addresses like \"1.1.1.1\", \"127.0.0.1:5353\""),
    ("[instance]\nresolvers = '1.1.1.1'",
     "instance.resolvers: '1.1.1.1' is not a list of IP addresses like \"1.1.1.1\", \"127.0.0.1:5353\""),
    ("[instance]\nresolver = '1.1.1.1'",
     "instance.resolver: unknown key (its value: '1.1.1.1'); did you mean 'resolvers'?"),
    ("[serve]\nlisten = 9100", "serve.listen: 9100 is not an address like \"127.0.0.1:9100\""),
    ("[serve]\nlisten = '127.0.0.1:99999'",
     "serve.listen: '127.0.0.1:99999' is not an address like \"127.0.0.1:9100\""),
    ("[serve]\nrate_limit = -1", "serve.rate_limit: -1 is not a whole number from 0 to 1000000"),
    ("[serve]\nrate_limit = true", "serve.rate_limit: true is not a whole number from 0 to 1000000"),
    ("[serve]\nrate_limit = nan", "serve.rate_limit: nan is not a whole number from 0 to 1000000"),
    ("[serve]\npage = 1", "serve.page: 1 is not true or false"),
    ("[alerts]\nto = 'ops@example.com'",
     "alerts.to: 'ops@example.com' is not a list like [\"ops@example.com\"]"),
    ("[alerts]\nto = ['ops']", "alerts.to: ['ops'] is not a list like [\"ops@example.com\"]"),
    ("[alerts]\nto = [\"ops@example.com\\nBcc\"]",
     r"alerts.to: ['ops@example.com\nBcc'] is not a list like " + '["ops@example.com"]'),
    ("[alerts]\nfrom = 'PoM'", "alerts.from: 'PoM' is not an address like pom@example.com"),
    ("[alerts]\ncooldown = '5 minutes'", "alerts.cooldown: '5 minutes' is not a duration like \"5m\""),
    ("[alerts]\ncooldown = inf", "alerts.cooldown: inf is not a duration like \"5m\""),
    ("[alerts]\nremind = ['6h', '1h']",
     f"alerts.remind: ['6h', '1h'] is not {RISING}"),
    ("[alerts]\nremind = ['0s']", f"alerts.remind: ['0s'] is not {RISING}"),
    ("[alerts]\nremind = false", f"alerts.remind: false is not {RISING}"),
    ("[alerts]\nchannels = ['email']",
     "alerts.channels: unknown channel 'email'; known here: alertmanager, console, postmark, smtp, webhook"),
    ("[alerts]\nchannels = ['smpt']", "alerts.channels: unknown channel 'smpt'; did you mean 'smtp'?"),
    ("[alerts]\nchannels = 'smtp'", "alerts.channels: 'smtp' is not a list like [\"smtp\"]"),
    ("[alerts]\nchannels = ['smtp']", "alerts.to: missing; it must be a list of addresses, since channels has 'smtp'"),
    ("[alerts]\nto = []\nchannels = ['postmark']",
     "alerts.to: missing; it must be a list of addresses, since channels has 'postmark'"),
    ("[alerts]\nchannels = ['webhook']",
     "alerts.webhook.url: missing; it must be a URL, since channels has 'webhook'"),
    ("[alerts]\nwebhook = { url = 'ftp://hooks.example.com/services/hush' }",
     "alerts.webhook.url: 'ftp://hooks.example.com/(hidden)' is not a URL like https://hooks.example.com/pom"),
    ("[alerts.postmark]\ntoken = 'hush'",
     "alerts.postmark.token: unknown key; secrets go into the environment or the env file"),
    ("[alerts.console]", "alerts.console: unknown key; known here: alertmanager, channels, cooldown, escalate, from, "
     "postmark, quorum, remind, share, smtp, to, webhook"),
    ("[alerts.smtp]\nport = 65536", "alerts.smtp.port: 65536 is not a whole number from 1 to 65535"),
    ("[offline]\nwitnesses = ['1.1.1.1']", "offline.witnesses: ['1.1.1.1'] is not a list of \"host:port\""),
    ("[targets.'two words']\nurl = 'https://a.example'",
     f"targets.\"two words\": 'two words' is not a target's name ({NAME_RULE})"),
    ("[targets.health]\nurl = 'https://a.example'",
     "targets.health: 'health' is reserved (a kind of check); choose another name"),
    ("targets.shop = 'https://a.example'", "targets.shop: 'https://a.example' is not a table"),
    ("[[targets.shop]]\nurl = 'https://a.example'", "targets.shop: [{url = 'https://a.example'}] is not a table"),
    ("[targets.shop]", "targets.shop.url: missing; it must be a URL like https://example.com"),
    ("[targets.shop]\nurl = ''", "targets.shop.url: '' is not a URL like https://example.com"),
    ("[targets.shop]\nurl = 2027-03-01", "targets.shop.url: 2027-03-01 is not a URL like https://example.com"),
    ("[targets.shop]\nurl = 'https://a.example:70000'",
     "targets.shop.url: 'https://a.example:70000' is not a URL like https://example.com"),
    ("[targets.shop]\nurl = 'https://me:hush@a.example'",
     "targets.shop.url: 'https://(hidden)@a.example' is not a URL like https://example.com without user and password"),
    ("[targets.shop]\nurl = 'https://a.example'\ninterval = '0s'",
     "targets.shop.interval: '0s' is not between 1s and 30d"),
    ("[targets.shop]\nurl = 'https://a.example'\nheath = false",
     "targets.shop.heath: unknown key (its value: false); did you mean 'health'?"),
    ("[targets.shop]\nurl = 'https://a.example'\nhealth = 'no'",
     "targets.shop.health: 'no' is not a table, true or false"),
    ("[targets.shop]\nurl = 'https://a.example'\nhealth = [{}]",
     "targets.shop.health: [{}] is not a table, true or false"),
    ("[targets.shop]\nurl = 'https://a.example'\nhealth = { timeout = 10 }",
     "targets.shop.health.timeout: 10 is not a duration like \"10s\""),
    ("[targets.shop]\nurl = 'https://a.example'\nhealth = { timeut = '10s' }",
     "targets.shop.health.timeut: unknown key (its value: '10s'); did you mean 'timeout'?"),
    ("[targets.shop]\nurl = 'https://a.example'\ntls = { warn = 'soon' }",
     "targets.shop.tls.warn: 'soon' is not a duration like \"14d\""),
    ("[targets.shop]\nurl = 'https://a.example'\nops = { ssh = '-oProxyCommand=x' }",
     "targets.shop.ops.ssh: '-oProxyCommand=x' is not a destination for ssh like \"root@192.0.2.10\""),
    ("[targets.shop]\nurl = 'https://a.example'\nops = { unit = 'a; reboot' }",
     "targets.shop.ops.unit: 'a; reboot' is not a systemd unit's name"),
    ("[targets.shop]\nurl = 'https://a.example'\nops = 'root@a'", "targets.shop.ops: 'root@a' is not a table"),
    ("[targets.shop]\nurl = 'https://a.example'\ndepends_on = 'db'",
     "targets.shop.depends_on: 'db' is not a list of targets' names"),
    ("[targets.shop]\nurl = 'https://a.example'\ndepends_on = ['shpo']",
     "targets.shop.depends_on: 'shpo' is not a target; did you mean 'shop'?"),
    ("[targets.shop]\nurl = 'https://a.example'\ndepends_on = ['shop']",
     "targets.shop.depends_on: 'shop' is not another target"),
    ("[targets.shop]\nurl = 'https://a.example'\nalerts = { channels = ['smtp'] }",
     'targets.shop.alerts.to: missing; it must be a list of addresses, since channels has smtp'),
    ("[targets.shop]\nurl = 'https://a.example'\nalerts = { too = [] }",
     "targets.shop.alerts.too: unknown key (its value: []); did you mean 'to'?"),
    ("[alerts]\nescalate = [{ to = ['a@example.com'] }]",
     'alerts.escalate[0].after: missing; it must be a duration like "30m"'),
    ("[peers.'a/b']\nurl = 'http://192.0.2.7'",
     f"peers.\"a/b\": 'a/b' is not a peer's name ({NAME_RULE})"),
    ("[peers.astra]", "peers.astra.url: missing; it must be the URL of the peer's API like http://192.0.2.7:9100"),
    ("[peers.astra]\nurl = '192.0.2.7:9100'",
     "peers.astra.url: '192.0.2.7:9100' is not a URL like http://192.0.2.7:9100"),
    ("[peers.astra]\nurl = 'http://192.0.2.7:9100/?a=b'",
     "peers.astra.url: 'http://192.0.2.7:9100/?a=b' is not a URL like http://192.0.2.7:9100"),
    ("[peers.astra]\nurl = 'http://192.0.2.7:9100'\non_missing = 'alarm'",
     "peers.astra.on_missing: 'alarm' is not one of alert, ignore; did you mean 'alert'?"),
    ("[peers.astra]\nurl = 'http://192.0.2.7:9100'\nmisses = 0",
     "peers.astra.misses: 0 is not a whole number from 1 to 1000"),
    ("[peers.astra]\nurl = 'http://192.0.2.7:9100'\nmisses = 99999999999999999999",
     "peers.astra.misses: 99999999999999999999 is not a whole number from 1 to 1000"),
    ("peers = 'astra'", "peers: 'astra' is not a table"),
]  # fmt: skip


class TestMistakes:
    @pytest.mark.parametrize(("text", "message"), MISTAKES)
    def test_a_mistake_is_told_with_path_value_and_what_would_be_right(self, text: str, message: str) -> None:
        watched = "targets" in text or "peers" in text
        assert problems(text if watched else f"{text}\n{SHOP}") == [message]

    def test_all_of_them_are_told_at_once(self) -> None:
        text = (
            "[serve]\nlisten = 1\n[targets.shop]\nurl = 'x'\n[targets.shop.health]\nattempts = 0\n[peers.a]\nmisses = 0"
        )
        assert [problem.partition(":")[0] for problem in problems(text)] == [
            "serve.listen",
            "targets.shop.url",
            "targets.shop.health.attempts",
            "peers.a.url",
            "peers.a.misses",
        ]

    def test_targets_that_explain_each_other_explain_nothing(self) -> None:
        names = {"a": "b", "b": "c", "c": "a", "d": "a"}
        text = "".join(f'[targets.{n}]\nurl = "https://{n}.example"\ndepends_on = ["{m}"]\n' for n, m in names.items())
        assert problems(text) == [
            f"targets.{n}.depends_on: '{m}' is not independent: it depends on '{n}' itself"
            for n, m in names.items()
            if n != "d"
        ]

    def test_a_target_with_a_mistake_is_no_unknown_one(self) -> None:
        text = f'{SHOP}depends_on = ["db"]\n[targets.db]\nurl = "db"'
        assert problems(text) == ["targets.db.url: 'db' is not a URL like https://example.com"]


class TestTheFile:
    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"a = 1\na = 2", "not TOML: Cannot overwrite a value (at end of document)"),
            (
                b"[targets.shop\nurl = 1",
                "not TOML: Expected ']' at the end of a table declaration (at line 1, column 14)",
            ),
            (b"a = 07:99:00", "not TOML: Expected newline or end of document after a statement (at line 1, column 6)"),
            (b"a = " + b"9" * 5000, "not TOML: Exceeds the limit (4300 digits) for integer string conversion"),
            (b"a = " + b"[" * 5000, "not TOML: "),
            (b"\xff\xfe", "not UTF-8 at byte 0"),
            (b"# caf\xe9", "not UTF-8 at byte 5"),
        ],
    )
    def test_what_is_no_toml_is_told_with_its_place(self, content: bytes, message: str, tmp_path: Path) -> None:
        path = tmp_path / "pom.toml"
        path.write_bytes(content)
        with pytest.raises(ConfigError) as raised:
            config.load(path, ENV)
        assert len(raised.value.problems) == 1
        assert raised.value.problems[0].startswith(f"{path}: {message}")

    @pytest.mark.parametrize(
        "form", [SHOP.encode("utf-8-sig"), SHOP.replace("\n", "\r\n").encode(), b"\n" + SHOP.encode()]
    )
    def test_what_editors_of_other_systems_write_loads(self, form: bytes, tmp_path: Path) -> None:
        path = tmp_path / "pom.toml"
        path.write_bytes(form)
        assert list(config.load(path, ENV).targets) == ["shop"]

    def test_a_file_that_is_not_there_is_wrong_use(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"pom\.toml: no such file; 'pom init URL' writes a first config there$"):
            config.load(tmp_path / "pom.toml", ENV)

    def test_so_is_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r": cannot be read: Is a directory$"):
            config.load(tmp_path, ENV)

    def test_and_one_that_this_user_may_not_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def closed(path: Path) -> bytes:
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr(Path, "read_bytes", closed)
        with pytest.raises(UsageError, match=r": cannot be read: Permission denied$"):
            config.load(tmp_path / "pom.toml", ENV)

    def test_the_secrets_stand_beside_it(self, tmp_path: Path) -> None:
        (tmp_path / "pom.toml").write_text(f'[alerts]\nto = ["ops@example.com"]\n{SHOP}')
        (tmp_path / "env").write_text("POM_POSTMARK_TOKEN=hush\n")
        loaded = config.load(tmp_path / "pom.toml", ENV)
        assert loaded.secrets.get("POM_POSTMARK_TOKEN") == "hush"
        assert loaded.alerts.channels == ("postmark",)
        assert "hush" not in repr(loaded)


ABSENT = "is neither in the environment nor in the env file"


class TestWarnings:
    @pytest.mark.parametrize(
        ("text", "warnings"),
        [
            (SHOP + 'interval = "1m"',
             ["targets.shop.interval: '1m' is shorter than the timer's interval: health is looked at every 5m"]),
            (SHOP + 'tls = { interval = "30m" }',
             ["targets.shop.tls.interval: '30m' is shorter than the timer's interval: tls is looked at every 1h"]),
            (f'[alerts]\nto = ["a@example.com"]\nchannels = ["smtp"]\n'
             f'smtp = {{ host = "mail.example.com", username = "pom" }}\n{SHOP}',
             [f"alerts.channels: 'smtp' needs POM_SMTP_PASSWORD, which {ABSENT}",
              "alerts.smtp.starttls: nothing is sent while it is false: the password would go to 'mail.example.com' "
              "unencrypted; true would encrypt it, or port = 465"]),
            (f'[alerts]\nto = ["a@example.com"]\nchannels = ["postmark"]\n'
             f'postmark = {{ url = "http://mail.example.com" }}\n{SHOP}',
             [f"alerts.channels: 'postmark' needs POM_POSTMARK_TOKEN, which {ABSENT}",
              "alerts.postmark.url: 'http://mail.example.com' lets the token go there unencrypted; "
              "a URL with https:// would encrypt it"]),
            (f'[alerts]\nto = ["a@example.com"]\nchannels = ["smtp"]\nsmtp = {{ host = "localhost" }}\n{SHOP}', []),
            (f'[alerts]\nchannels = []\n{SHOP}', ["alerts.channels: empty: no alerts are sent"]),
            (f'[alerts]\nto = ["a@example.com"]\n{SHOP}',
             [f"alerts.to: nobody is notified: POM_POSTMARK_TOKEN {ABSENT}"]),
            (f'[alerts]\nto = ["a@example.com"]\nchannels = ["postmark"]\n{SHOP}',
             [f"alerts.channels: 'postmark' needs POM_POSTMARK_TOKEN, which {ABSENT}"]),
            (f'[alerts]\nto = ["a@example.com"]\nchannels = ["smtp"]\nsmtp = {{ username = "pom" }}\n{SHOP}',
             [f"alerts.channels: 'smtp' needs POM_SMTP_PASSWORD, which {ABSENT}"]),
            (f'[alerts]\nto = ["a@example.com"]\nchannels = ["smtp"]\n{SHOP}', []),
        ],
    )  # fmt: skip
    def test_what_works_but_not_as_meant_is_a_warning(self, text: str, warnings: list[str]) -> None:
        assert list(parse(text).warnings) == warnings

    @pytest.mark.parametrize(
        ("given", "sender"),
        [
            ("PoM, the monitor <pom@example.com>", '"PoM, the monitor" <pom@example.com>'),
            ("PoM <pom@bücher.example>", "PoM <pom@xn--bcher-kva.example>"),
            ("pom@example.com", "pom@example.com"),
        ],
    )
    def test_addresses_are_held_as_every_channel_sends_them(self, given: str, sender: str) -> None:
        loaded = parse(f"[alerts]\nto = [\"ops@faß.example\"]\nfrom = '{given}'\n{SHOP}")
        assert (loaded.alerts.to, loaded.alerts.sender) == (("ops@xn--fa-hia.example",), sender)
        assert (
            loaded.effective["alerts"] | {"to": ["ops@xn--fa-hia.example"], "from": sender}
            == loaded.effective["alerts"]
        )

    def test_a_header_whose_variable_is_not_set_is_told_with_its_place(self) -> None:
        text = f'{SHOP}[targets.shop.health]\nheaders = {{ Authorization = "env:SHOP_TOKEN" }}\n'
        told = f"targets.shop.health.headers.Authorization: SHOP_TOKEN {ABSENT}; without it nothing is asked"
        assert parse(text).warnings == (told,)
        assert parse(text, SHOP_TOKEN="s").warnings == ()

    def test_a_secret_that_may_be_in_an_unreadable_file_is_told_so(self, tmp_path: Path) -> None:
        (tmp_path / "env").mkdir()
        loaded = config.parse(f'[alerts]\nto = ["a@example.com"]\n{SHOP}', tmp_path / "pom.toml", ENV)
        assert loaded.warnings[0].endswith(f"nor in the env file ({tmp_path}/env: Is a directory)")


HUSH = "hu5h: hu5h"
SECRET_KEYS = ("password", "api_token", "Authorization", "headers")
WORDS = ["url", "name", "to", "channels", "remind", "interval", "timeout", "expect", "expect_status", "headers",
         "records", "type", "expected", "paths", "path", "hosts", "witnesses", "resolvers", "depends_on", "domain",
         "origin", "drift", "method", "body", "expect_not", "expect_headers", "max_latency", "connect_to", "cert_file",
         "ssh", "command", "ca_file", "rdap", "server", "refuse", *SECRET_KEYS]  # fmt: skip
SCALARS = (
    st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    | st.sampled_from(["https://a.example", "5m", "1.1.1.1:53", "ops@example.com", "shop", "/", "A", HUSH])
    | st.dates()
    | st.datetimes()
    | st.times()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=8), inner),
    max_leaves=6,
)
TABLES = st.dictionaries(st.sampled_from(WORDS), VALUES, max_size=4)
TARGETS = st.fixed_dictionaries(
    {"url": st.just("https://a.example") | VALUES}, optional=dict.fromkeys((*KINDS, "ops"), TABLES | VALUES)
)
CONFIGS = st.fixed_dictionaries(
    {"targets": st.dictionaries(st.just("shop") | st.text(max_size=8), TARGETS, max_size=2) | VALUES},
    optional=dict.fromkeys(("instance", "serve", "alerts", "offline", "peers", "silences", "x"), TABLES | VALUES),
)


@pytest.mark.slow
@given(CONFIGS)
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_whatever_toml_can_say_gives_a_config_or_its_mistakes_in_short_lines(tree: dict[str, Any]) -> None:
    text = show.toml(hushed(tree))
    try:
        loaded = parse(text)
    except ConfigError as error:
        for problem in error.problems:
            assert problem.isprintable() and len(problem) < 500
            assert "hu5h" not in problem
    else:
        effective = show.effective(loaded)
        assert "hu5h" not in show.toml(effective) + json.dumps(show.as_json(effective), allow_nan=False)


def hushed(tree: Any, of_names: bool = False) -> Any:
    """With one known text as the value of everything that names a secret, and nowhere else."""
    if isinstance(tree, dict):
        return {
            key: secret(key, value)
            if key in SECRET_KEYS and not of_names
            else hushed(value, key in ("targets", "peers"))
            for key, value in tree.items()
        }
    if isinstance(tree, list):
        return [hushed(item) for item in tree]
    return "" if tree == HUSH else tree


def secret(key: str, value: Any) -> Any:
    """Headers may hold a secret under any name."""
    return dict.fromkeys(value, HUSH) if key == "headers" and isinstance(value, dict) else HUSH


@pytest.mark.parametrize(
    ("table", "mistake"),
    [
        ("[runbook]\nweb_server = 1", """runbook.web_server: 1 is not a name like "caddy", or \"\""""),
        ("[runbook]\nvnp = 1", "runbook.vnp: unknown key (its value: 1); did you mean 'vpn'?"),
        ("[page]\nhome = 'example.com'", "page.home: 'example.com' is not a URL like https://example.com"),
        (
            "[page]\ncontact = 'mailto:ops'",
            """page.contact: 'mailto:ops' is not a link like "mailto:support@example.com" or "https://example.com\"""",
        ),
        (
            "[page]\nannouncements = [{ at = 2026-12-01T20:00:00, until = 2026-12-01T22:00:00Z, text = 'x' }]",
            "page.announcements[0].at: 2026-12-01 20:00:00 is not a time with its offset, "
            "like 2026-12-01T20:00:00Z (without quotes)",
        ),
        (
            "[page]\nannouncements = [{ at = 2026-12-01T20:00:00Z, until = 2026-12-01T18:00:00Z, text = 'x' }]",
            "page.announcements[0].until: 2026-12-01 18:00:00+00:00 is not after its `at`, 2026-12-01T20:00:00+00:00",
        ),
        (
            "[page]\nannouncements = [{ at = 2026-12-01T20:00:00Z, until = 2026-12-01T22:00:00Z }]",
            "page.announcements[0].text: missing; it must be what is announced",
        ),
    ],
)
def test_what_people_read_is_checked_too(table: str, mistake: str) -> None:
    assert problems(f"{table}\n{SHOP}") == [mistake]


def test_a_tool_may_be_left_out() -> None:
    assert parse(f"[runbook]\nvpn = ''\n{SHOP}").runbook.vpn == ""
